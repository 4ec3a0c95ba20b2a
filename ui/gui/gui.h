/*
 * A small window toolkit: a tree of widgets painted by cairo and Pango into one ARGB picture.
 *
 * The host (ui/sdl.c, or a test) gives it a size and plain events, asks it to paint, and puts the
 * picture on the screen.  Everything is called on one thread, the host's; callbacks come from
 * inside gui_event and gui_tick.  Sizes and places at this interface are device pixels; inside, one
 * unit is `scale` of them.  Texts are UTF-8; what is not valid is mended, what is too long is cut.
 *
 * In texts of buttons, items, checks, field labels and menus "_" marks the next letter as the one
 * that Alt (in menus: alone) chooses; "__" is an underscore.  gui_plain doubles them in text that
 * comes from outside.
 *
 * Not here: windows, clipboards, fonts other than DejaVu Sans, several lines of input.
 */
#ifndef CANDELA_UI_GUI_GUI_H
#define CANDELA_UI_GUI_GUI_H

#include "hw/core/base.h"

struct gui;
struct gui_widget;

enum gui_theme { GUI_LIGHT, GUI_DARK };

struct gui_rect {
    int x, y, w, h;
};
bool gui_rect_has(const struct gui_rect *r, int x, int y);

/* What the host gives; any may be NULL. */
struct gui_host {
    void *of;
    /* Something is to be painted, or gui_tick is due: called once until gui_paint. */
    void (*wake)(void *of);
    void (*set_clipboard)(void *of, const char *text);
    char *(*get_clipboard)(void *of); /* g_free, or NULL */
};

enum gui_event_kind { GUI_MOTION, GUI_LEAVE, GUI_PRESS, GUI_RELEASE, GUI_WHEEL, GUI_KEY, GUI_TEXT };
enum { GUI_SHIFT = 1, GUI_CTRL = 2, GUI_ALT = 4 };
enum { GUI_BUTTON_LEFT = 1, GUI_BUTTON_MIDDLE, GUI_BUTTON_RIGHT };

struct gui_event {
    enum gui_event_kind kind;
    int x, y;         /* pointer events */
    unsigned button;  /* PRESS, RELEASE */
    unsigned clicks;  /* PRESS: 2 is a double click */
    int dy;           /* WHEEL: steps, up is positive */
    unsigned key;     /* KEY (down or repeated; releases are not sent): USB HID usage */
    uint32_t sym;     /* KEY: the character on the key in the user's layout, small; else 0 */
    unsigned mods;    /* GUI_SHIFT... */
    const char *text; /* TEXT */
    int64_t time;     /* as gui_tick's; or 0 */
};

/* USB HID usages the toolkit and its windows act on. */
enum {
    KEY_ENTER = 0x28,
    KEY_ESC = 0x29,
    KEY_BACKSPACE = 0x2a,
    KEY_TAB = 0x2b,
    KEY_SPACE = 0x2c,
    KEY_F2 = 0x3b,
    KEY_F10 = 0x43,
    KEY_INSERT = 0x49,
    KEY_HOME = 0x4a,
    KEY_PAGE_UP = 0x4b,
    KEY_DELETE = 0x4c,
    KEY_END = 0x4d,
    KEY_PAGE_DOWN = 0x4e,
    KEY_RIGHT = 0x4f,
    KEY_LEFT = 0x50,
    KEY_DOWN = 0x51,
    KEY_UP = 0x52,
    KEY_PAD_ENTER = 0x58,
    KEY_MENU = 0x65,
};

/* Whether the key went down with just these modifiers. */
bool gui_is_key(const struct gui_event *ev, unsigned key, unsigned mods);

/* The host's struct is copied. */
struct gui *gui_new(const struct gui_host *host, enum gui_theme theme);
void gui_free(struct gui *g);
void gui_set_theme(struct gui *g, enum gui_theme theme);
/* 1..16384 each (else clamped); scale 0.5..4. */
void gui_resize(struct gui *g, int w, int h, double scale);
/* True: it was for the toolkit, and nobody else shall act on it. */
bool gui_event(struct gui *g, const struct gui_event *ev);
/*
 * Milliseconds of any clock that only goes forward.  Gives how many until it wants to be called
 * again, or -1: when something happens.
 */
int gui_tick(struct gui *g, int64_t now);
/*
 * Bring the picture up to date.  What changed goes to `out` (at most `max`, which is 1 or more;
 * else their hull); 0: nothing.
 */
unsigned gui_paint(struct gui *g, struct gui_rect *out, unsigned max);
/* The picture: premultiplied 0xAARRGGBB, `stride` bytes a line; until gui_resize. */
const uint32_t *gui_pixels(const struct gui *g, unsigned *stride);
/* Where the picture is not transparent: what the host must blend.  As above. */
unsigned gui_layers(const struct gui *g, struct gui_rect *out, unsigned max);
/* Whether a menu or dialog is open, or a widget has the keyboard: keys are the toolkit's. */
bool gui_wants_keys(const struct gui *g);
/* Whether a menu or dialog is open. */
bool gui_is_modal(const struct gui *g);
/* Whether the user's last order was a key, not a click: a menu then opens at what has the keyboard,
 * not at the pointer. */
bool gui_is_by_keys(const struct gui *g);
/* The tree as text, a line a widget: role "text" [states] x,y wxh. */
void gui_dump(struct gui *g, GString *out);

/* ---- Widgets.  Each is put behind its box's others and is owned by it. ---- */

enum gui_icon {
    GUI_NO_ICON,
    GUI_ICON_DISK,
    GUI_ICON_CD,
    GUI_ICON_FLOPPY,
    GUI_ICON_NETWORK,
    GUI_ICON_POWER,
    GUI_ICON_RESET,
    GUI_ICON_PAUSE,
    GUI_ICON_PLAY,
    GUI_ICON_CAMERA,
    GUI_ICON_FULL,
    GUI_ICON_KEYBOARD,
    GUI_ICON_MOUSE,
    GUI_ICON_PLUS,
    GUI_ICON_MINUS,
    GUI_ICON_TRASH,
    GUI_ICON_GEAR,
    GUI_ICON_FOLDER,
    GUI_ICON_FILE,
    GUI_ICON_COPY,
    GUI_ICON_SEARCH,
    GUI_ICON_CHIP,
    GUI_ICON_EJECT,
    GUI_ICON_INFO,
    GUI_ICON_WARNING,
    GUI_ICON_UP,
    GUI_ICON_MENU,
    GUI_ICON_TICK,
    GUI_ICON_UNCHECKED,
    GUI_ICON_CHECKED,
    GUI_ICON_DOWN,
    GUI_ICON_RIGHT,
    GUI_ICON_CANDLE, /* the logo, in colours */
    GUI_ICONS,
};

/* A device's light, and the dot of a list's row. */
enum gui_light { GUI_LIGHT_NONE, GUI_LIGHT_OFF, GUI_LIGHT_READ, GUI_LIGHT_WRITE, GUI_LIGHT_ERROR };

/* Looks; which apply depends on the widget. */
enum gui_look {
    GUI_PLAIN,
    GUI_TITLE,   /* label: large */
    GUI_DIM,     /* label: small and pale */
    GUI_ERROR,   /* label: red */
    GUI_PRIMARY, /* button: the one to press */
    GUI_DANGER,  /* button: destroys something */
    GUI_WINDOW,  /* box: the window's ground */
    GUI_BAR,     /* box: a bar with a line above */
    GUI_PANEL,   /* box: a framed panel */
    GUI_LOOKS,
};

/* Called for clicks and changes made by the user (not by gui_set_*). */
typedef void gui_fn(struct gui_widget *w, void *of);

/* The box over the whole window; transparent, vertical, no space around. */
struct gui_widget *gui_root(struct gui *g);
struct gui_widget *gui_vbox(struct gui_widget *box);
struct gui_widget *gui_hbox(struct gui_widget *box);
/* Two columns, of labels and fields: children are put in by turns. */
struct gui_widget *gui_form(struct gui_widget *box);
/* Nothing, taking the room that is left. */
struct gui_widget *gui_space(struct gui_widget *box);
/* Wraps when its box is narrower (in horizontal boxes: is cut). */
struct gui_widget *gui_label(struct gui_widget *box, const char *text, enum gui_look look);
/* A label whose letter leads to the next focusable widget. */
struct gui_widget *gui_field(struct gui_widget *box, const char *text);
struct gui_widget *gui_picture(struct gui_widget *box, enum gui_icon icon, int size);
struct gui_widget *gui_button(struct gui_widget *box, enum gui_icon icon, const char *text,
                              gui_fn *fn, void *of);
/* For status bars: an icon with a light, a short text or "", and a tip. */
struct gui_widget *gui_item(struct gui_widget *box, enum gui_icon icon, const char *text,
                            const char *tip, gui_fn *fn, void *of);
struct gui_widget *gui_check(struct gui_widget *box, const char *text, bool on, gui_fn *fn,
                             void *of);
/* One of several: texts are copied, NULL at the end. */
struct gui_widget *gui_choice(struct gui_widget *box, const char *const *texts, int at, gui_fn *fn,
                              void *of);
struct gui_widget *gui_entry(struct gui_widget *box, const char *text, const char *hint, gui_fn *fn,
                             void *of);
/* A number with its unit ("MiB"). */
struct gui_widget *gui_spin(struct gui_widget *box, int min, int max, int step, int value,
                            const char *unit, gui_fn *fn, void *of);
/* `fn`: another row is selected. */
struct gui_widget *gui_list(struct gui_widget *box, gui_fn *fn, void *of);

/* Also from its own callback; its children go with it. */
void gui_remove(struct gui_widget *w);
void gui_set_text(struct gui_widget *w, const char *text);
const char *gui_text(const struct gui_widget *w);
/* Check: 0, 1; choice: index; spin: number; list: selected row or -1. */
void gui_set_value(struct gui_widget *w, int value);
int gui_value(const struct gui_widget *w);
void gui_set_icon(struct gui_widget *w, enum gui_icon icon);
void gui_set_light(struct gui_widget *w, enum gui_light light);
void gui_set_look(struct gui_widget *w, enum gui_look look);
/* Shown when the pointer rests on it or it gets the keyboard; NULL: none. */
void gui_set_tip(struct gui_widget *w, const char *tip);
void gui_set_enabled(struct gui_widget *w, bool on);
void gui_show(struct gui_widget *w, bool on);
bool gui_is_shown(const struct gui_widget *w);
/* Takes the room that is left (lists and spaces do from the start). */
void gui_set_grow(struct gui_widget *w, bool on);
/* At least so large, in units. */
void gui_set_min(struct gui_widget *w, int width, int height);
/* Boxes: between children, and around them; 8 and 0 from the start. */
void gui_set_spacing(struct gui_widget *w, int spacing, int pad);
/* Give it the keyboard; of an entry, all is selected. */
void gui_focus(struct gui_widget *w);
/* Where it is. */
struct gui_rect gui_where(struct gui_widget *w);
/* `fn` (with the widget's `of`): Enter or a double click on a row, Enter in an entry. */
void gui_on_activate(struct gui_widget *w, gui_fn *fn);
/* The same: a right click, Menu or Shift+F10; a list's row is selected first. */
void gui_on_menu(struct gui_widget *w, gui_fn *fn);
/* The same: keys and texts, before the widget sees them; true: taken. */
void gui_on_key(struct gui_widget *w,
                bool (*fn)(struct gui_widget *w, const struct gui_event *ev, void *of));
/* `data` lives as long as the widget. */
void gui_own(struct gui_widget *w, void *data, GDestroyNotify data_free);
/* `text` with its underscores doubled; g_free. */
char *gui_plain(const char *text);

/* ---- Lists ---- */

struct gui_row {
    const char *text, *sub, *note; /* title; line below, or NULL; at the right, or NULL */
    enum gui_icon icon;
    enum gui_light light; /* with the note */
    bool pale;
    /* 0x00RRGGBB pixels, copied; NULL: the icon */
    const uint32_t *picture;
    int picture_w, picture_h, picture_stride;
};

void gui_list_clear(struct gui_widget *list);
/* Copied, behind the others. */
void gui_list_add(struct gui_widget *list, const struct gui_row *row);
/* Units that rows added from now on are high, and their pictures wide; 0: as the text needs. */
void gui_list_set_size(struct gui_widget *list, int row_height, int picture_width);

/* ---- Menus ---- */

/*
 * Opens at the widget, or (NULL) at a place, with what is added to it until the event is over.
 * `fn` is called with the item that was chosen; its value is the id.
 */
struct gui_widget *gui_menu(struct gui *g, struct gui_widget *at, int x, int y, gui_fn *fn,
                            void *of);
/* `keys` stand at the right, or NULL. */
struct gui_widget *gui_menu_add(struct gui_widget *menu, enum gui_icon icon, const char *text,
                                const char *keys, int id);
void gui_menu_line(struct gui_widget *menu);
/* The menu below an item. */
struct gui_widget *gui_menu_sub(struct gui_widget *menu, const char *text);
enum gui_mark { GUI_NO_MARK, GUI_UNCHECKED, GUI_CHECKED };
/* Of an item of a menu: UNCHECKED shows nothing, but may become checked. */
void gui_set_mark(struct gui_widget *w, enum gui_mark mark);

/* ---- Dialogs ---- */

/*
 * A dialog: shown at once, modal, over those that are open.  Returns the box for what stands in it.
 * `fn` (NULL: nobody asks) is called with the button's id; it closes unless that says false.
 * `of` must live as long.
 */
struct gui_widget *gui_dialog(struct gui *g, enum gui_icon icon, const char *title,
                              bool (*fn)(struct gui_widget *dialog, int id, void *of), void *of);
enum { GUI_DEFAULT = 1, GUI_CANCEL = 2, GUI_DESTROYS = 4 };
/* From left to right.  DEFAULT: Enter; CANCEL: Esc. */
struct gui_widget *gui_dialog_button(struct gui_widget *dialog, const char *text, int id,
                                     unsigned flags);
/* Without asking `fn`. */
void gui_dialog_close(struct gui_widget *dialog);
/*
 * A question: buttons as "_Save|_Turn off|_Cancel", which stand from right to left; ids count from
 * 0.  Enter is the first and Esc the last; with GUI_ICON_TRASH, Enter too is the last.
 */
struct gui_widget *gui_ask(struct gui *g, enum gui_icon icon, const char *title, const char *text,
                           const char *buttons,
                           bool (*fn)(struct gui_widget *dialog, int id, void *of), void *of);
/* A line at the top that goes by itself (or when clicked); shown as it is, as labels are. */
void gui_toast(struct gui *g, const char *text, bool error);

#endif
