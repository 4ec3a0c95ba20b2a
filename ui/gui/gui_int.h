/*
 * Inside the toolkit: the widget, its classes, and how they paint.
 */
#ifndef CANDELA_UI_GUI_GUI_INT_H
#define CANDELA_UI_GUI_GUI_INT_H

#include "ui/gui/gui.h"
#include <pango/pangocairo.h>

enum {
    GUI_MAX_TEXT = 4096, /* bytes of a widget's text */
    GUI_CONTROL = 32,    /* units a button or entry is high */
    GUI_GAP = 8,
    GUI_SHADOW = 16, /* around menus, dialogs and toasts */
};

/* What has a colour: gui_draw.c has the table, a column for each theme. */
enum gui_colour {
    C_NONE,
    C_WINDOW,
    C_PANEL, /* lists, entries, menus */
    C_BAR,
    C_TEXT,
    C_DIM,
    C_LINE,
    C_BUTTON,
    C_HOVER, /* over whatever is below */
    C_DOWN,
    C_SELECTED,
    C_ACCENT,
    C_ON_ACCENT,
    C_DANGER,
    C_ON_DANGER,
    C_OK,
    C_SCRIM,
    C_TIP,
    C_ON_TIP,
    C_COLOURS,
};

enum gui_font { F_TEXT, F_STRONG, F_SMALL, F_TITLE, F_FONTS };

/* Looks that classes have by themselves, beside those of gui.h. */
enum {
    LOOK_BUTTON = GUI_LOOKS,
    LOOK_FIELD,
    LOOK_ITEM,
    LOOK_DIALOG,
    LOOK_MENU,
    LOOK_TIP,
    LOOK_TOAST,
    LOOK_TOAST_ERROR,
    LOOKS,
};

struct gui_style {
    enum gui_colour ground, ink;
    enum gui_font font;
    int radius;
    bool framed, shadow;
};

struct gui_size {
    int w, h;
};

enum {
    CAN_FOCUS = 1,
    CLICK_FOCUSES = 2, /* a click takes the keyboard */
    ENTER_CLICKS = 4,  /* as Space does */
    HAS_MARKS = 8,     /* "_" in its text marks a letter */
    WRAPS = 16,
    CENTRED = 32,
    EDITS = 128, /* its text */
    HOVERS = 64, /* shows where the pointer is, as what is clicked does */
};

/* What has no layout is an item, painted and measured as such; the others are boxes. */
struct gui_class {
    const char *role;
    unsigned flags;
    unsigned look;                        /* while it is given none, or disabled */
    int pad, icon, height;                /* of items: at both sides; the icon's size; at least */
    void (*layout)(struct gui_widget *w); /* of what is in it */
    void (*paint)(struct gui_widget *w, cairo_t *cr);
    /* Natural size, in at most `width` units where that matters; 0: any. */
    struct gui_size (*measure)(struct gui_widget *w, int width);
    /* Places in units.  True: taken. */
    bool (*event)(struct gui_widget *w, const struct gui_event *ev);
    void (*click)(struct gui_widget *w); /* of the pointer, or Space */
    void (*set)(struct gui_widget *w, int value);
};

/*
 * What lies over one another in the window: its own tree, dialogs, menus, which have the keyboard,
 * the last one first; and above them what only tells something.
 */
enum gui_kind { TOP_BASE, TOP_DIALOG, TOP_MENU, TOP_TOAST, TOP_TIP };

struct gui_widget {
    const struct gui_class *class;
    struct gui *gui;
    struct gui_widget *parent, *first, *last, *next, *prev;
    struct gui_rect r; /* in units, in the window */
    char *text;
    char *sub, *tip; /* line below; or NULL */
    char *note;      /* at the right; an entry's hint; what was typed in a list; or NULL */
    cairo_surface_t *picture;
    int icon, look, mark, hidden, disabled, grow;
    enum gui_light light;
    int value, min, max, step;
    int min_w, min_h, spacing, pad;
    int lead;            /* units for the picture, 0: as the icon needs */
    int offset, content; /* scrolling: units above the top (entries: at the left); of the whole */
    int caret, anchor;   /* entries: bytes; the selection is between them */
    bool horizontal, form, scroll, removed, dragging;
    gui_fn *fn, *activate, *menu;
    bool (*on_key)(struct gui_widget *w, const struct gui_event *ev, void *of);
    void *of, *own; /* the caller's, the class's */
    void *data;     /* gui_own */
    GDestroyNotify data_free;
    struct gui_widget *focus; /* on top: who has the keyboard; lists: the selected row */
    /* Of those on top: */
    enum gui_kind kind;
    struct gui_rect at; /* menus and tips: what they belong to */
    int64_t until;      /* toasts; 0: not shown yet; when something was typed in a list */
};

struct gui {
    struct gui_host host;
    enum gui_theme theme;
    int w, h; /* of the window, in units */
    int dev_w, dev_h;
    double scale;
    cairo_surface_t *surface;
    PangoContext *pango;
    PangoFontDescription *fonts[F_FONTS];
    cairo_region_t *damage; /* device pixels */
    bool relayout, woken, by_keys;
    struct gui_widget *screen; /* over all: its children lie over one another */
    struct gui_widget *hover, *active, *tip, *tip_of, *menu_of;
    int64_t now, tip_at; /* tip_at: 0 none is due */
    unsigned busy;       /* inside gui_event or gui_tick */
    GPtrArray *removed;  /* widgets to free when that ends */
};

/* gui.c */
struct gui_rect gui_inset(struct gui_rect r, int by);
struct gui_rect gui_cut(struct gui_rect a, struct gui_rect b);
/* The pixels it touches. */
cairo_rectangle_int_t gui_device_rect(const struct gui *g, struct gui_rect r);
struct gui_widget *gui_make(struct gui_widget *box, const struct gui_class *class,
                            enum gui_icon icon, const char *text, gui_fn *fn, void *of);
struct gui_widget *gui_make_top(struct gui *g, const struct gui_class *class, enum gui_kind kind,
                                const char *text);
void gui_bury(struct gui *g);
void gui_wake(struct gui *g);
void gui_damage(struct gui_widget *w);
void gui_damage_all(struct gui *g);
void gui_relayout(struct gui *g);
void gui_layout(struct gui *g);
void gui_call(struct gui_widget *w, gui_fn *fn);
/* Set the value; when it is another one then and the user did it, `fn` is called. */
void gui_change(struct gui_widget *w, int value, bool by_user);
/* The one that has the keyboard: the window's own, a dialog or a menu. */
struct gui_widget *gui_top(const struct gui *g);
/* The root of its tree. */
struct gui_widget *gui_top_of(struct gui_widget *w);
/* The next widget in the order of the tree below `top`; not into those that are hidden. */
struct gui_widget *gui_next(struct gui_widget *w, const struct gui_widget *top);
bool gui_is_usable(const struct gui_widget *w);
bool gui_is_focused(const struct gui_widget *w);
/* Whether anything is painted behind it: then a click there is the toolkit's. */
bool gui_covers(const struct gui_widget *w);

/* gui_event.c */
/* Give the keyboard back to who is behind the toolkit; closes menus, not dialogs. */
void gui_drop_keys(struct gui *g);
/* To the next that can be used, or to the first or last below `top` when none has the keyboard. */
bool gui_focus_next(struct gui_widget *top, int step);
bool gui_is_enter(const struct gui_event *ev);

/* gui_box.c */
extern const struct gui_class gui_box_class;
struct gui_size gui_measure(struct gui_widget *w, int width);
struct gui_size gui_box_measure(struct gui_widget *w, int width);
void gui_box_layout(struct gui_widget *w);
void gui_place(struct gui_widget *w, struct gui_rect r);
/* Everything around that scrolls shows `w`. */
void gui_scroll_to(struct gui_widget *w);
/* The wheel, and dragging the bar: true when it was that. */
bool gui_scroll_event(struct gui_widget *w, const struct gui_event *ev);
void gui_scroll_bar(struct gui_widget *w, cairo_t *cr);

/* gui_item.c */
struct gui_size gui_item_measure(struct gui_widget *w, int width);
void gui_item_paint(struct gui_widget *w, cairo_t *cr);
/* It stands out from its like: the selected row, the menu's item that has the keyboard. */
bool gui_is_chosen(struct gui_widget *w);

/* gui_over.c */
void gui_screen_layout(struct gui_widget *screen);
void gui_close_menus(struct gui *g);
void gui_tip_show(struct gui_widget *w);
void gui_tip_hide(struct gui *g);
extern const struct gui_class gui_menu_item_class;

/* gui_draw.c */
void gui_fonts_new(struct gui *g);
void gui_fonts_free(struct gui *g);
void gui_colour(cairo_t *cr, const struct gui *g, enum gui_colour c);
const struct gui_style *gui_style(const struct gui_widget *w);
enum gui_colour gui_ink(const struct gui_widget *w);
/* What is behind it, by its style and state. */
void gui_draw_ground(cairo_t *cr, struct gui_widget *w);
void gui_fill(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius,
              enum gui_colour c);
void gui_frame(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius, double width,
               enum gui_colour c);
/* In the middle of the rectangle. */
void gui_draw_icon(cairo_t *cr, const struct gui *g, enum gui_icon icon, struct gui_rect r,
                   int size, enum gui_colour c);
void gui_draw_light(cairo_t *cr, const struct gui *g, enum gui_light light, double x, double y);
/* In the rectangle, as large as it goes. */
void gui_draw_picture(cairo_t *cr, cairo_surface_t *picture, struct gui_rect r);
enum { T_MARKS = 1, T_WRAP = 2, T_RIGHT = 4 };
struct gui_size gui_text_size(struct gui *g, enum gui_font font, const char *text, int width,
                              unsigned flags);
/* In the middle of the rectangle's height; cut where it is too long. */
void gui_draw_text(cairo_t *cr, struct gui *g, enum gui_font font, const char *text,
                   struct gui_rect r, enum gui_colour c, unsigned flags);
/* In at most `width` units, wrapped or cut; 0: as it stands.  g_object_unref. */
PangoLayout *gui_text_layout(struct gui *g, enum gui_font font, const char *text, int width,
                             unsigned flags);
/* Bytes `from` to `to` stand on the colour of what is selected. */
void gui_mark_text(PangoLayout *layout, const struct gui *g, int from, int to);
/* The letter that a text's "_" marks, small; 0: none. */
uint32_t gui_mnemonic(const char *text);
/* Valid UTF-8 without control characters, of the first GUI_MAX_TEXT bytes; g_free. */
char *gui_clean(const char *text);

#endif
