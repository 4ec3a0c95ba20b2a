/*
 * What of a machine a window shows besides its screen: taken in the I/O thread, shown by the main
 * thread.
 */
#ifndef CANDELA_UI_WINDOW_STATUS_H
#define CANDELA_UI_WINDOW_STATUS_H

#include "hw/core/machine.h"
#include "ui/gui/gui.h"

struct window_status {
    bool paused;
    bool tablet;        /* the guest takes absolute places */
    unsigned leds;      /* of its keyboard: INPUT_LED_* */
    unsigned switches;  /* changes of the engine, so far */
    const char *engine; /* a name that stays */
    struct window_drive {
        enum gui_light light; /* NONE: no medium */
        bool readonly;
        char *path; /* of the medium */
    } drives[VM_MAX_DRIVES];
    struct window_nic {
        enum gui_light light;
        bool link;
    } nics[VM_MAX_NICS];
};

void window_status_copy(struct window_status *to, const struct window_status *from);
void window_status_clear(struct window_status *s);

/* Who looks, and what it saw last. */
struct window_watch {
    struct window_status told;
    struct window_counter {
        const void *of;      /* the medium counted */
        uint64_t in, out;    /* bytes */
        unsigned lit;        /* looks for which the light stays on */
        enum gui_light last; /* as which */
    } drives[VM_MAX_DRIVES], nics[VM_MAX_NICS];
};

/* Look at the machine, some ten times a second; whether w->told is another than before.  Lock held.
 */
bool window_watch_look(struct window_watch *w, struct machine *m);
void window_watch_clear(struct window_watch *w);

#endif
