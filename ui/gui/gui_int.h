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
    GUI_SHADOW = 16,      /* around menus, dialogs and toasts */
    GUI_SCROLL_STEP = 48, /* units a step of the wheel moves */
};

/* What has a colour: gui_draw.c has the table, a column for each theme. */
enum gui_colour {
    C_WINDOW,
    C_PANEL, /* lists, entries, dialogs, menus */
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

struct gui_size {
    int w, h;
};

struct gui_class {
    const char *role;
    bool focusable;
    bool marks;        /* "_" in its text marks a letter */
    bool clicks_focus; /* a click takes the keyboard */
    bool own_ring;     /* shows by itself that it has the keyboard */
    /* Natural size, in at most `width` units where that matters; 0: any. */
    struct gui_size (*measure)(struct gui_widget *w, int width);
    void (*layout)(struct gui_widget *w);
    void (*paint)(struct gui_widget *w, cairo_t *cr);
    /* Places in units.  True: taken. */
    bool (*event)(struct gui_widget *w, const struct gui_event *ev);
    void (*dump)(const struct gui_widget *w, GString *out);
    void (*dump_rows)(const struct gui_widget *w, GString *out, int depth);
    void (*free)(struct gui_widget *w);
    void (*text_set)(struct gui_widget *w); /* after gui_set_text; NULL: natural size may differ */
    void (*value_set)(struct gui_widget *w, int value);
};

struct gui_widget {
    const struct gui_class *class;
    struct gui *gui;
    struct gui_widget *parent, *first, *last, *next, *prev;
    struct gui_rect r; /* in units, in the window */
    char *text, *tip;
    enum gui_icon icon;
    enum gui_look look;
    enum gui_light light;
    int value, min, max, step;
    int min_w, min_h, spacing, pad;
    int offset, content; /* scrolling: units above the top; of the whole */
    bool hidden, disabled, grow, horizontal, form, scroll, removed, dragging;
    gui_fn *fn, *activate, *menu;
    bool (*on_key)(struct gui_widget *w, const struct gui_event *ev, void *of);
    void *of;
    void *own; /* the class's */
    void *data;
    GDestroyNotify data_free; /* or NULL */
};

enum gui_layer_kind { LAYER_BASE, LAYER_DIALOG, LAYER_POPUP };

struct gui_layer {
    struct gui_widget *top, *focus;
    enum gui_layer_kind kind;
};

enum { GUI_LAYERS = 16, GUI_TOASTS = 4 };

struct gui {
    struct gui_host host;
    enum gui_theme theme;
    int w, h; /* of the window, in units */
    int dev_w, dev_h;
    double scale;
    cairo_surface_t *surface;
    PangoContext *pango;
    cairo_region_t *damage; /* device pixels */
    bool relayout, woken, by_keys;
    struct gui_layer layers[GUI_LAYERS];
    unsigned layer_count;
    struct gui_widget *toasts[GUI_TOASTS];
    int64_t toast_until[GUI_TOASTS];
    struct gui_widget *hover, *active;
    int mouse_x, mouse_y; /* units */
    struct gui_widget *tip;
    struct gui_rect tip_rect;
    int64_t now, tip_at; /* tip_at: 0 none is due */
    unsigned busy;       /* inside gui_event or gui_tick */
    GPtrArray *removed;  /* widgets to free when that ends */
};

/* gui.c */
struct gui_widget *gui_make(struct gui *g, struct gui_widget *box, const struct gui_class *class,
                            const char *text, gui_fn *fn, void *of);
void gui_damage(struct gui_widget *w);
/* Adds the device pixels of a rectangle and its margin to the region; false: none are shown. */
bool gui_add_rect(cairo_region_t *region, const struct gui *g, struct gui_rect r, int margin);
void gui_damage_rect(struct gui *g, struct gui_rect r, int margin);
void gui_relayout(struct gui *g);
struct gui_layer *gui_top(struct gui *g);
bool gui_open(struct gui *g, struct gui_widget *top, enum gui_layer_kind kind);
void gui_close(struct gui_widget *top);
void gui_close_popups(struct gui *g);
bool gui_is_focused(const struct gui_widget *w);
bool gui_is_hovered(const struct gui_widget *w);
void gui_call(struct gui_widget *w, gui_fn *fn);
/* The root of its tree: the window's, a dialog, a menu or a toast. */
struct gui_widget *gui_top_of(struct gui_widget *w);
/* The layer of a widget, or NULL (toasts). */
struct gui_layer *gui_layer_of(struct gui_widget *w);
struct gui_widget *gui_new_top(struct gui *g, const struct gui_class *class);
bool gui_is_enter(const struct gui_event *ev);
void gui_tip_hide(struct gui *g);
void gui_layout(struct gui *g);
void gui_bury(struct gui *g);
struct gui_rect gui_whole(const struct gui *g);
struct gui_rect gui_cut(struct gui_rect a, struct gui_rect b);
/* Whether anything is painted behind it: then a click there is the toolkit's. */
bool gui_covers(const struct gui_widget *w);

/* gui_box.c */
extern const struct gui_class gui_box_class;
struct gui_size gui_measure(struct gui_widget *w, int width);
/* Only itself; gui_place lays out what is in it, too. */
void gui_move(struct gui_widget *w, struct gui_rect r);
void gui_place(struct gui_widget *w, struct gui_rect r);
void gui_scroll_to(struct gui_widget *w);
bool gui_scroll_by(struct gui_widget *w, int dy);
/* As far as `r`, with a margin above and below, needs to be seen. */
void gui_scroll_into(struct gui_widget *w, struct gui_rect r, int margin);
/* The wheel, and dragging the bar: true when it was that. */
bool gui_scroll_event(struct gui_widget *w, const struct gui_event *ev);
void gui_scroll_bar(struct gui_widget *w, cairo_t *cr);

/* gui_draw.c */
void gui_colour(cairo_t *cr, const struct gui *g, enum gui_colour c);
void gui_round(cairo_t *cr, struct gui_rect r, double radius, double inset);
void gui_fill(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius,
              enum gui_colour c);
void gui_frame(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius,
               enum gui_colour c);
void gui_shadow(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius);
void gui_ring(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius);
void gui_draw_icon(cairo_t *cr, const struct gui *g, enum gui_icon icon, double x, double y,
                   double size, enum gui_colour c);
void gui_draw_light(cairo_t *cr, const struct gui *g, enum gui_light light, double x, double y,
                    double radius);
enum { T_MNEMONIC = 1, T_WRAP = 2, T_RIGHT = 4 };
struct gui_size gui_text_size(struct gui *g, enum gui_font font, const char *text, int width,
                              unsigned flags);
/* In the rectangle, in the middle of its height; cut where it is too long. */
void gui_draw_text(cairo_t *cr, struct gui *g, enum gui_font font, const char *text,
                   struct gui_rect r, enum gui_colour c, unsigned flags);
/* A layout of the text as it stands, for places of characters; g_object_unref. */
PangoLayout *gui_text_layout(struct gui *g, enum gui_font font, const char *text, unsigned flags);
/* The letter that a text's "_" marks, small; 0: none. */
uint32_t gui_mnemonic(const char *text);
/* Valid UTF-8 without control characters, of at most GUI_MAX_TEXT bytes; g_free. */
char *gui_clean(const char *text);

/* The first widget that can have the keyboard, or NULL. */
struct gui_widget *gui_first_focusable(struct gui_widget *top);

#endif
