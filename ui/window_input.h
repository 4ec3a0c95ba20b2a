/*
 * What keys and pointer do in a window, on its way from the main thread to the machine.
 *
 * Keys and buttons go at once and in order.  Motions wait for the next frame and are added up until
 * then: however fast the pointer reports and however busy the machine is, what waits is one motion
 * behind each key or button.
 */
#ifndef CANDELA_UI_WINDOW_INPUT_H
#define CANDELA_UI_WINDOW_INPUT_H

#include "hw/core/machine.h"

enum input_kind { INPUT_KEY, INPUT_MOTION, INPUT_PLACE };

struct input_item {
    enum input_kind kind;
    unsigned code; /* KEY */
    bool down;
    int dx, dy, wheel; /* MOTION */
    unsigned x, y;     /* PLACE: 0..TABLET_MAX */
    unsigned buttons;
};

enum { INPUT_ITEMS = 256 };

struct window_input {
    GMutex lock; /* leaf */
    struct machine *m;
    struct input_item items[INPUT_ITEMS];
    unsigned count;
    bool posted;      /* the I/O thread is asked to take them */
    unsigned buttons; /* held, for the main thread alone */
    uint64_t dropped; /* the guest took nothing for 256 keys and buttons */
};

void window_input_init(struct window_input *in, struct machine *m);
/* After machine_stop. */
void window_input_clear(struct window_input *in);
/* Main thread. */
void window_input_key(struct window_input *in, unsigned code, bool down);
void window_input_motion(struct window_input *in, int dx, int dy, int wheel, unsigned buttons);
void window_input_place(struct window_input *in, unsigned x, unsigned y, int wheel,
                        unsigned buttons);
/* Give the machine what waits: the frame timer does.  Lock held. */
void window_input_flush(struct window_input *in);

#endif
