/*
 * The input contract: keys by USB HID usage code (Keyboard/Keypad page 0x07), relative pointer
 * motion.
 *
 * Not modelled: absolute pointers, touch, keyboards' LEDs.
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

/* Lock held; ignored when the machine has no keyboard. */
void input_key(struct machine *m, unsigned hid_code, bool down);
void input_pointer(struct machine *m, int dx, int dy, int wheel, unsigned buttons);
/* Type one ASCII character as key strokes of a US keyboard; false when it has no key. */
bool input_type_char(struct machine *m, char ch);

#endif
