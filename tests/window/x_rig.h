/*
 * The program itself in its window: an X server without a screen (Xvfb) with a window manager
 * (openbox), candela in it, and xdotool as the user.  Each test has a server and a folder of its
 * own.
 *
 * For Wayland there is a compositor (weston) in that server.
 *
 * Not modelled: several screens.
 */
#ifndef TESTS_WINDOW_X_RIG_H
#define TESTS_WINDOW_X_RIG_H

#include "hw/core/display.h"
#include <glib.h>

struct xrig {
    char *folder;
    char *window; /* its number, for xdotool */
    char **env;
    GPid server, manager, weston, candela;
    bool running; /* candela */
    int status;   /* of its end */
    int monitor;  /* socket */
    GString *text;
    const uint8_t *screen; /* the server's, as an XWD file in memory */
    size_t screen_bytes;
};

enum { XRIG_SCREEN_W = 1280, XRIG_SCREEN_H = 1024 };

/* Whether all that is needed is there; else the test is skipped. */
bool xrig_can_run(void);
/* Start the server, and candela with these arguments behind "run" (shell quoting; %s: the folder)
 * until its window is there. */
struct xrig *xrig_begin(const char *args);
/* The same on Wayland, where XRIG_SCALE pixels are one point; `window` is the compositor's, and
 * candela's fills it.  NULL: the test is skipped. */
enum { XRIG_SCALE = 2 };
struct xrig *xrig_begin_wayland(const char *args);
/* The server alone: a test may put files in the folder, which is the XDG folders', too. */
struct xrig *xrig_new(void);
/* Start candela with exactly these arguments (as above) until its window is there and has the
 * keyboard; none: the library's window, over a library of the rig's own. */
void xrig_run(struct xrig *x, const char *args);
/* Both. */
struct xrig *xrig_begin_library(void);
/* Run candela with these arguments, which has to succeed; what it prints, g_free. */
char *xrig_candela(struct xrig *x, const char *args);
/* The same, with any exit status. */
int xrig_status(struct xrig *x, const char *args);
/* End what is left. */
void xrig_free(struct xrig *x);

/* What the user does: arguments for xdotool, which has to succeed. */
void xrig_do(struct xrig *x, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The same for what opens a dialog in the window that has the keyboard, or closes it, by way of
 * another process or thread: until the window's middle looks different and has come to rest. */
void xrig_do_seen(struct xrig *x, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Wait until the window has, or does not have, the keyboard. */
void xrig_focus(struct xrig *x, bool has);
/* Drag a file from another program to the middle of the window. */
void xrig_drop(struct xrig *x, const char *path);
/* What xdotool says, without the end of its line; g_free. */
char *xrig_get(struct xrig *x, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The monitor's answer to a line. */
const char *xrig_ask(struct xrig *x, const char *line);
/* Whether `info block` has the text `of`; for xrig_until, too. */
bool xrig_block_has(struct xrig *x, void *of);
/* What `candela list --json` says of the rig's library; g_free. */
char *xrig_list(struct xrig *x);
/* A file of the folder, NULL: not there yet; g_free. */
char *xrig_file(struct xrig *x, const char *name);
/* Wait until the file of COM1 (-serial file:%s/com1) has a line that matches the expression; the
 * match, g_free.  Fails the test when it does not come. */
char *xrig_com1(struct xrig *x, const char *regex);
/* Whether there is one now. */
bool xrig_com1_has(struct xrig *x, const char *regex);
/* Wait until the window's title does (or does not) contain the text. */
void xrig_title(struct xrig *x, const char *part, bool has);
/* Wait until candela has ended; its exit status, -1: by a signal. */
int xrig_wait(struct xrig *x);

struct xrig_place {
    int x, y, w, h;
};
/* The window's inside. */
struct xrig_place xrig_place(struct xrig *x);
/* A pixel of the server's screen, 0x00RRGGBB. */
uint32_t xrig_pixel(struct xrig *x, int px, int py);
/* Keep a picture of the screen in check-out/window/NAME.ppm. */
void xrig_keep(struct xrig *x, const char *name);
/* The monitor's screendump. */
void xrig_dump(struct xrig *x, struct surface *to);
/* Call `done` again and again; false: it stays false for a minute. */
bool xrig_until(struct xrig *x, bool (*done)(struct xrig *x, void *of), void *of);

#endif
