/*
 * Inside the window of a machine.
 */
#ifndef CANDELA_UI_WINDOW_INT_H
#define CANDELA_UI_WINDOW_INT_H

#include "ui/sdl.h"
#include "ui/window.h"
#include "ui/window_input.h"
#include "ui/window_keys.h"

/*
 * Frames on their way from the I/O thread, which draws into `surface`, to the main thread, which
 * shows it.  Nothing is drawn while the last one waits to be shown: a slow display costs frames,
 * not time.
 */
struct window_screen {
    GMutex lock; /* leaf: the surface; the I/O thread only tries it */
    struct surface surface;
    _Atomic bool waiting; /* drawn and not shown yet */
    _Atomic bool seen;    /* somebody can see the window */
    uint64_t drawn;
};

struct window_commands;

/* What the I/O thread tells the main thread when it changes. */
struct window_status {
    bool paused, tablet;
};

struct window {
    struct machine *m;
    struct sdl *sdl;
    struct window_commands *commands;
    char *name, *engine, *engine_why;
    struct window_screen screen;
    struct window_input input;
    struct window_keys keys;
    enum view_scaling scaling;
    bool focus;
    bool caught;                 /* pointer and keyboard are the guest's alone */
    bool inside;                 /* the pointer is over the picture */
    struct window_status status; /* as last heard of */
    struct window_status told;   /* the I/O thread's: what it told last */
};

/* window_screen.c: begin to draw frames; lock not held.  Main thread for all. */
void window_screen_start(struct window *w);
void window_screen_clear(struct window *w);
/* window.c: the I/O thread saw a change. */
void window_on_status(struct window *w, const struct window_status *status);

/* window_command.c: run a line of the monitor.  `answer` (NULL: an error is told to the user, the
 * text is dropped) comes in the main thread, unless the machine ends before. */
typedef void window_answer(struct window *w, void *of, const char *text, const char *error);
void window_command(struct window *w, window_answer *answer, void *of, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);
void window_commands_start(struct window *w);
void window_commands_clear(struct window *w);

/* Tell the user something. */
void window_tell(struct window *w, const char *text, bool error);
/* window.c: catch pointer and keyboard, or let them go. */
void window_catch(struct window *w, bool on);
void window_do(struct window *w, enum window_action action);
void window_show_title(struct window *w);

#endif
