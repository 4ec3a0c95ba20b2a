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

enum {
    INPUT_BUTTON_LEFT = 1,
    INPUT_BUTTON_RIGHT = 2,
    INPUT_BUTTON_MIDDLE = 4,
    INPUT_BUTTON_SIDE = 8,
    INPUT_BUTTON_EXTRA = 16,
};
enum { INPUT_LED_SCROLL = 1, INPUT_LED_NUM = 2, INPUT_LED_CAPS = 4 };

/*
 * Keys that HID has on other pages than the keyboard's, where that page has reserved codes: those
 * of a multimedia keyboard.  (Mute, louder and softer are on the page: 0x7f to 0x81.)
 */
enum {
    INPUT_KEY_PLAY = 0xe8, /* and pause */
    INPUT_KEY_STOP = 0xe9,
    INPUT_KEY_PREVIOUS = 0xea,
    INPUT_KEY_NEXT = 0xeb,
    INPUT_KEY_WWW = 0xf0, /* the browser's home page */
    INPUT_KEY_BACK = 0xf1,
    INPUT_KEY_FORWARD = 0xf2,
    INPUT_KEY_BROWSER_STOP = 0xf3,
    INPUT_KEY_SEARCH = 0xf4,
    INPUT_KEY_SLEEP = 0xf8,
    INPUT_KEY_WAKE = 0xf9,
    INPUT_KEY_REFRESH = 0xfa,
    INPUT_KEY_CALCULATOR = 0xfb,
    INPUT_KEY_MAIL = 0xfc,
    INPUT_KEY_MEDIA = 0xfd, /* the player */
    INPUT_KEY_COMPUTER = 0xfe,
    INPUT_KEY_FAVORITES = 0xff,
};

/* Implemented by ps2.c; set as machine.input at attach.  Lock held. */
struct input_ops {
    void (*key)(struct device *dev, unsigned hid_code, bool down);
    void (*pointer)(struct device *dev, int dx, int dy, int wheel, unsigned buttons);
    /* Keys the guest has not yet taken: typing programs wait for 0. */
    unsigned (*keys_queued)(struct device *dev);
    /* The lights the guest wants, INPUT_LED_*. */
    unsigned (*leds)(struct device *dev);
    /* Let go of every key and button held. */
    void (*release)(struct device *dev);
};

/* Implemented by the absolute pointer; set as machine.tablet at attach.  Lock held. */
struct tablet_ops {
    /* Whether the guest's driver has asked for absolute places: else they are lost. */
    bool (*is_on)(struct device *dev);
    /* x, y: 0 .. TABLET_MAX, left to right and down, over the whole picture.  A motion that the
     * guest has not read yet is replaced, not queued; a change of buttons is not lost. */
    void (*move)(struct device *dev, unsigned x, unsigned y, int wheel, unsigned buttons);
    /* Motion instead of a place (a guest's game has caught the pointer); summed up, not queued. */
    void (*motion)(struct device *dev, int dx, int dy, int wheel, unsigned buttons);
    /* Let go of every button held. */
    void (*release)(struct device *dev);
};
enum { TABLET_MAX = 0xffff };

/*
 * Lock held; ignored when the machine has no keyboard.  A key that is down already stays down: the
 * keyboard repeats it by itself, as the guest told it to.  Modifiers are keys like any other.
 */
void input_key(struct machine *m, unsigned hid_code, bool down);
/*
 * Motion in counts of a mouse with 200 of them to an inch (dots of the host's screen, say), down
 * and right positive; a wheel turned away from the user is positive.
 */
void input_pointer(struct machine *m, int dx, int dy, int wheel, unsigned buttons);
/* Whether the guest takes absolute places now: the window need not catch the pointer. */
bool input_has_tablet(struct machine *m);
/* As tablet_ops.move; ignored unless input_has_tablet. */
void input_tablet(struct machine *m, unsigned x, unsigned y, int wheel, unsigned buttons);
/* Let go of every key and button that is held: for when their releases may not come (a window loses
 * the keyboard).  A release that comes after all is ignored. */
void input_release_all(struct machine *m);
/* The keyboard's lights, INPUT_LED_* added up. */
unsigned input_leds(struct machine *m);
/* Type one ASCII character as key strokes of a US keyboard; false when it has no key. */
bool input_type_char(struct machine *m, char ch);

#endif
