/*
 * The PS/2 keyboard and mouse (hw/ps2.c), one device "ps2" behind the 8042.  It sets m->input at
 * attach.
 *
 * Ports: 0 keyboard, 1 mouse.
 *
 * Not modelled: see hw/ps2.c.
 */
#ifndef HW_PS2_H
#define HW_PS2_H

#include "hw/core/machine.h"

extern const struct device_ops ps2_ops;

enum { PS2_KEYBOARD = 0, PS2_MOUSE = 1, PS2_PORTS = 2 };

/* The 8042 side: called by i8042_connect. */
void ps2_set_controller(struct device *dev, struct device *i8042);
/* A byte from the controller to a device.  Replies become readable before this returns.  Lock held.
 */
void ps2_write(struct device *dev, unsigned port, uint8_t value);
/* Whether the device has a byte to send; `inhibit`ed devices keep it. */
bool ps2_has_data(struct device *dev, unsigned port);
/* Take the next byte (0 when there is none). */
uint8_t ps2_take(struct device *dev, unsigned port);
/* The last n bytes taken did not arrive and are sent again.  False: they were replies, or there is
 * no room, and nothing changed. */
bool ps2_take_back(struct device *dev, unsigned port, unsigned n);

/*
 * The pointer has something for the guest elsewhere (hw/vmport.c): a packet of the mouse follows,
 * without motion if need be, that begins after this call.  Nothing when the mouse is not streaming.
 */
void ps2_mouse_ping(struct device *dev);

/* hw/ps2_keys.c: the codes key `hid` (USB usage page 7) sends in scan code set 1, 2 or 3. */
enum { PS2_KEY_MAX_CODES = 10 };
struct ps2_mods {
    bool ctrl, alt, left_shift, right_shift; /* held */
    bool num;                                /* Num Lock is lit */
};
/* Whether the key's codes depend on them: they must be those of the press when it is let go. */
bool ps2_key_minds_mods(unsigned hid);
/* Set 3: what a key does unless the host says otherwise (typematic ones do not tell that they are
 * let go), and its code, or 0. */
enum ps2_key_class { PS2_KEY_TYPEMATIC, PS2_KEY_MAKE_BREAK, PS2_KEY_MAKE_ONLY, PS2_KEY_ALL };
enum ps2_key_class ps2_key_set3_class(unsigned hid);
uint8_t ps2_key_set3(unsigned hid);
/* Returns the number of bytes put into `out` (at most PS2_KEY_MAX_CODES); 0: the key does not exist
 * or is silent. */
unsigned ps2_key_codes(unsigned hid, unsigned set, bool down, struct ps2_mods mods, uint8_t *out);
/* Scan code set 2 byte -> set 1 byte, as the 8042's translation (0xf0 is handled by the caller). */
uint8_t ps2_translate(uint8_t set2);

#endif
