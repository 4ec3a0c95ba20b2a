/*
 * The library's window: the machines, and what can be done with them.
 *
 * It lives in a `struct gui` of its host on the host's main thread.  What may block (looking at the
 * library, making disks, starting) is done on threads of its own, whose results come back by
 * `post`.
 *
 * Not here: the window itself (ui/manager_window.c), running machines (they are processes of their
 * own, ui/library.h).
 */
#ifndef CANDELA_UI_MANAGER_H
#define CANDELA_UI_MANAGER_H

#include "ui/gui/gui.h"

struct manager;

struct manager_host {
    void *of;
    /* Have fn(arg) called on the main thread; any thread. */
    void (*post)(void *of, void (*fn)(void *arg), void *arg);
    /* Where the pointer is, in pixels of the window; NULL: not known. */
    void (*pointer)(void *of, int *x, int *y);
};

/* Builds its widgets into the gui's root.  The host's struct is copied. */
struct manager *manager_new(struct gui *g, const struct manager_host *host);
/* Waits for its threads; before the gui goes. */
void manager_free(struct manager *m);
/* A file dropped on the window: a machine of its own (.cvm) is started, others are for a new one.
 */
void manager_drop(struct manager *m, const char *path);
/* Whether something is being made or copied, which the end of the process would break off. */
bool manager_is_busy(const struct manager *m);

/* `candela` without arguments: the window, until it is closed; gives the exit code. */
int command_manager(void);

#endif
