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
#include "ui/theme.h"
#include "ui/window_view.h"

struct host_key;
struct window;

struct window_setup {
    const char *name; /* of the machine, or NULL */
    bool fullscreen;
    enum view_scaling scaling;
    enum theme_choice theme;
    const struct host_key *host;
    const char *engine, *engine_why; /* who runs the guest, and why it is that one */
    /* Keep an option of `candela run`, by its long name, for later runs.  Main thread. */
    bool (*keep)(void *of, const char *option, const char *value, GError **err);
    void *of;
    bool has_file; /* what is kept is the machine's own, so it can be given disks */
};

/* Open it, not shown yet.  HOST error: there is no display, or it cannot be used.  The strings are
 * copied. */
struct window *window_new(const struct window_setup *setup, GError **err);
/* The machine that it shows: built, not running yet. */
void window_attach(struct window *w, struct machine *m);
/* A drive (row of config.drives) is empty because its medium could not be opened: tell it and offer
 * another.  After window_attach. */
void window_tell_lost(struct window *w, unsigned row, const char *why);
/* There will be no run: show why until the user has seen it, or window_end.  With or without a
 * machine. */
void window_refuse(struct window *w, const char *why);
/* Show it and handle events until window_end. */
void window_run(struct window *w);
/* Any thread, also before window_run. */
void window_end(struct window *w);
/* After machine_stop and before machine_free, or without a machine. */
void window_free(struct window *w);
/* "\"window\": {...}" for --stats. */
void window_stats_json(const struct window *w, GString *out);

#endif
