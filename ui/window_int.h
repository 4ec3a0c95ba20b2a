/*
 * Inside the window of a machine.
 */
#ifndef CANDELA_UI_WINDOW_INT_H
#define CANDELA_UI_WINDOW_INT_H

#include "ui/sdl.h"
#include "ui/window.h"
#include "ui/window_input.h"
#include "ui/window_keys.h"
#include "ui/window_media.h"
#include "ui/window_status.h"

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
    unsigned ticks;
    struct window_watch watch; /* the I/O thread's */
};

enum item_kind {
    ITEM_MENU,
    ITEM_DRIVE,
    ITEM_NIC,
    ITEM_STATE,
    ITEM_ENGINE,
    ITEM_HOST,
};
enum { WINDOW_ITEMS = VM_MAX_DRIVES + VM_MAX_NICS + 4 };

/* Something in the bar. */
struct window_item {
    struct window *w;
    enum item_kind kind;
    unsigned index; /* row of config.drives, or of machine.nics */
    struct gui_widget *widget;
};

struct window_commands;
struct paste;

struct window {
    struct machine *m;
    struct sdl *sdl;
    struct window_commands *commands;
    char *name, *engine, *engine_why;
    bool (*keep)(void *of, const char *option, const char *value, GError **err);
    void *keep_of;
    bool has_file, refused;
    struct window_screen screen;
    struct window_input input;
    struct window_keys keys;
    enum view_scaling scaling;
    unsigned picture_w, picture_h;
    bool focus;
    bool caught;                 /* pointer and keyboard are the guest's alone */
    bool inside;                 /* the pointer is over the picture */
    bool toolkit;                /* a menu or dialog has the keyboard */
    struct window_status status; /* as last heard of */

    struct gui_widget *bar;
    int bar_height; /* pixels */
    bool peek;      /* the bar is shown in full screen */
    struct window_item items[WINDOW_ITEMS], *state, *host_item;
    unsigned item_count;
    struct window_item *menu_item; /* whose menu is open */
    char **recent;                 /* in it */
    unsigned choose_row;           /* drive that a file is chosen for */
    bool closing;                  /* it is asked how */
    struct gui_widget *close_choice;
    struct paste *paste; /* the I/O thread's */
};

/* All for the main thread, but what says otherwise. */

/* window_screen.c: begin to draw frames and to look at the machine; lock not held. */
void window_screen_start(struct window *w);
void window_screen_clear(struct window *w);

/* window.c */
/* Catch pointer and keyboard, or let them go. */
void window_catch(struct window *w, bool on);
void window_do(struct window *w, enum window_action action);
void window_show_title(struct window *w);
/* The I/O thread saw a change; `status` is taken over. */
void window_on_status(struct window *w, struct window_status *status);
/* Tell a guest that follows the host's pointer where that stands: when it begins to, and when the
 * picture moved below the pointer.  It may stand still for long. */
void window_tell_place(struct window *w);
void window_set_scaling(struct window *w, enum view_scaling scaling);
void window_set_host(struct window *w, const struct host_key *host);
/* Keep an option for later runs; false: the user was told why not. */
bool window_keep(struct window *w, const char *option, const char *value);
/* Tell the user something, in passing. */
void window_tell(struct window *w, const char *text, bool error);

/* window_command.c: run a line of the monitor.  `answer` (NULL: an error is told to the user, the
 * text is dropped) comes in the main thread, unless the machine ends before. */
typedef void window_answer(struct window *w, void *of, const char *text, const GError *err);
void window_command(struct window *w, window_answer *answer, void *of, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);
void window_commands_start(struct window *w);
void window_commands_clear(struct window *w);

/* window_bar.c */
void window_bar_new(struct window *w);
void window_bar_show(struct window *w);
void window_bar_place(struct window *w);
struct window_item *window_item_at(struct window *w, int x, int y);
/* What a card's cable leads to; g_free. */
char *window_nic_peer(const struct window *w, unsigned n);

/* window_menu.c */
void window_main_menu(struct window *w);
void window_on_item(struct gui_widget *widget, void *of);
void window_about(struct window *w);
void window_help(struct window *w);

/* window_drives.c */
void window_insert(struct window *w, unsigned row, const char *path);
void window_eject(struct window *w, unsigned row);
void window_choose_medium(struct window *w, unsigned row);
/* Tell something bad that must not be missed. */
void window_complain(struct window *w, const char *title, const char *text);

/* window_drop.c: a file was dropped on the window. */
void window_drop(struct window *w, const char *path);

/* window_close.c */
void window_ask_close(struct window *w);
void window_ask_turn_off(struct window *w);
void window_ask_reset(struct window *w);

/* window_paste.c: type the clipboard's text; again: stop typing. */
void window_paste(struct window *w);
/* After machine_stop. */
void window_paste_clear(struct window *w);

#endif
