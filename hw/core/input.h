/*
 * The input contract: keys by USB HID usage code (Keyboard/Keypad page 0x07), a relative pointer,
 * and an absolute one where the guest has a driver for it.
 *
 * Not modelled: touch, several pointers.
 */
#ifndef HW_CORE_INPUT_H
#define HW_CORE_INPUT_H

#include "hw/core/base.h"

struct machine;
struct device;

enum { INPUT_BUTTON_LEFT = 1, INPUT_BUTTON_RIGHT = 2, INPUT_BUTTON_MIDDLE = 4 };

/* Implemented by ps2.c; set as machine.input at attach.  Lock held. */
struct input_ops {
    void (*key)(struct device *dev, unsigned hid_code, bool down);
    void (*pointer)(struct device *dev, int dx, int dy, int wheel, unsigned buttons);
    /* Keys the guest has not yet taken: typing programs wait for 0. */
    unsigned (*keys_queued)(struct device *dev);
};

/* Implemented by the absolute pointer; set as machine.tablet at attach.  Lock held. */
struct tablet_ops {
    /* Whether the guest's driver has asked for absolute places: else they are lost. */
    bool (*is_on)(struct device *dev);
    /* x, y: 0 .. TABLET_MAX, left to right and down, over the whole picture.  A motion that the
     * guest has not read yet is replaced, not queued; a change of buttons is not lost. */
    void (*move)(struct device *dev, unsigned x, unsigned y, int wheel, unsigned buttons);
};
enum { TABLET_MAX = 0xffff };

/* Lock held; ignored when the machine has no keyboard. */
void input_key(struct machine *m, unsigned hid_code, bool down);
void input_pointer(struct machine *m, int dx, int dy, int wheel, unsigned buttons);
/* Whether the guest takes absolute places now: the window need not catch the pointer. */
bool input_has_tablet(struct machine *m);
/* As tablet_ops.move; ignored unless input_has_tablet. */
void input_tablet(struct machine *m, unsigned x, unsigned y, int wheel, unsigned buttons);
/* Type one ASCII character as key strokes of a US keyboard; false when it has no key. */
bool input_type_char(struct machine *m, char ch);

#endif
