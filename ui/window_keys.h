/*
 * The keyboard of a window: which keys go to the guest, which are the host key's, and which the
 * guest believes to be down.  No window system in it: keys are HID usage codes, what comes out is
 * told to callbacks.
 *
 * The host key is either one key, which the guest then never sees, or Ctrl+Alt (which it sees: a
 * shortcut lets go of them first).  Alone it catches and releases pointer and keyboard; with
 * another key it is a shortcut.
 *
 * Num Lock and Caps Lock of the host may change while the keyboard is elsewhere.  Before the first
 * key that the guest gets after that, those of its locks are pressed whose lights differ.  (Not
 * Scroll Lock: few desktops have such a state, and the guest's own is then the user's wish.)
 *
 * Not here: menus, what a shortcut does (ui/window.c).
 */
#ifndef CANDELA_UI_WINDOW_KEYS_H
#define CANDELA_UI_WINDOW_KEYS_H

#include "hw/core/base.h"

/* What a shortcut asks for. */
enum window_action {
    ACTION_NONE,
    ACTION_CATCH, /* catch or release pointer and keyboard */
    ACTION_MENU,
    ACTION_FULLSCREEN,
    ACTION_SCALING,
    ACTION_ORIGINAL_SIZE,
    ACTION_CTRL_ALT_DEL,
    ACTION_PASTE,
    ACTION_SCREENSHOT,
    ACTION_PAUSE,
    ACTION_RESET,
    ACTION_POWER_BUTTON,
    ACTION_HELP,
    ACTION_CLOSE
};

/* One way to press a host key. */
struct host_key {
    const char *name;  /* of the option: "right-ctrl" */
    const char *label; /* for people: "Right Ctrl" */
    const char *help;
    unsigned code;   /* the key; 0: Ctrl+Alt together */
    unsigned toggle; /* with Ctrl+Alt: the key that catches and releases; 0: the chord alone */
};

/* Row `n`, NULL behind the last; the first is the default. */
const struct host_key *host_key_at(unsigned n);
const struct host_key *host_key_find(const char *name);

/* One shortcut: the action, its key and how it is shown behind "Host+". */
struct shortcut {
    enum window_action action;
    unsigned code;
    const char *key, *help;
};
/* Row `n`, NULL behind the last; an action may have several, the first is the one shown. */
const struct shortcut *shortcut_at(unsigned n);
/* "Right Ctrl+F", or "" when the action has none; g_free. */
char *shortcut_label(const struct host_key *host, enum window_action action);

/* The same of one row; g_free. */
char *shortcut_row_label(const struct host_key *host, const struct shortcut *s);

struct window_keys {
    const struct host_key *host;
    uint64_t down[4];   /* at the guest, by code */
    uint64_t taken[4];  /* pressed for a shortcut: the release is not the guest's either */
    unsigned modifiers; /* Ctrl and Alt keys held on the host: bits of code - 0xe0 */
    bool host_down;     /* the host key is held */
    bool host_used;     /* and was part of a shortcut, or of anything else */
    bool caught; /* pointer or keyboard are: Ctrl+Alt+G then releases whatever the host key is */
    unsigned host_locks, guest_locks; /* INPUT_LED_CAPS, INPUT_LED_NUM */
    bool locks_due;                   /* they are to be compared */
    bool lock_sent;                   /* a lock was pressed; the guest's lights have not answered */
    unsigned unanswered[2];           /* times in a row, of each lock */
    void (*key)(void *opaque, unsigned code, bool down); /* to the guest */
    void (*action)(void *opaque, enum window_action action);
    void *opaque;
};

/*
 * A key of the window.  `symbol`: the letter it is on the host's layout, in lower case, or 0:
 * shortcuts go by what is printed on keys, the guest by where they are.  `repeat`: the host's
 * autorepeat of a key that is down.
 */
void window_keys_event(struct window_keys *k, unsigned code, unsigned symbol, bool down,
                       bool repeat);
/* The locks that are on at the host (INPUT_LED_*), as of the key that is told next. */
void window_keys_host_locks(struct window_keys *k, unsigned locks);
/* The lights of the guest's keyboard. */
void window_keys_guest_locks(struct window_keys *k, unsigned lights);
/* The keyboard comes back from elsewhere. */
void window_keys_come_back(struct window_keys *k);
/* Let go of everything: the window lost the keyboard, or a menu has it. */
void window_keys_release(struct window_keys *k);
/* A pointer's button was pressed: the host key held with it is no tap. */
void window_keys_used(struct window_keys *k);

#endif
