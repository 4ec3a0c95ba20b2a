/*
 * The window of one machine: its screen, keyboard and pointer, and a bar with its devices.
 *
 * Threads: all is for the main thread but window_end.  What it asks of the machine is posted to its
 * I/O thread; frames are drawn there (ui/window_screen.c) and shown here.
 *
 * Not here: the library's window (ui/manager.c), SDL (ui/sdl.c).
 */
#ifndef CANDELA_UI_WINDOW_H
#define CANDELA_UI_WINDOW_H

#include "hw/core/machine.h"
#include "ui/window_view.h"

struct host_key;
struct window;

struct window_setup {
    const char *name; /* of the machine, or NULL */
    bool fullscreen;
    enum view_scaling scaling;
    const struct host_key *host;
    const char *engine, *engine_why; /* who runs the guest, and why it is that one */
};

/* Open it, not shown yet.  HOST error: there is no display, or it cannot be used.  The strings are
 * copied. */
struct window *window_new(const struct window_setup *setup, GError **err);
/* The machine that it shows: built, not running yet. */
void window_attach(struct window *w, struct machine *m);
/* Show it and handle events until window_end. */
void window_run(struct window *w);
/* Any thread, also before window_run. */
void window_end(struct window *w);
/* After machine_stop and before machine_free, or without a machine. */
void window_free(struct window *w);
/* "\"window\": {...}" for --stats. */
void window_stats_json(const struct window *w, GString *out);

#endif
