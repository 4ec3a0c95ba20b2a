/*
 * Items: all that shows an icon, a text and a note in a line.  Labels, buttons, checks, choices,
 * the items of bars and menus, rows and toasts differ by a class: its measures, its look and what a
 * click does.  Lists, which are boxes of rows.
 *
 * Not here: several selected rows, columns, rows of different heights.
 */
#include "ui/gui/gui_int.h"

enum {
    NOTE_GAP = 24,
    LIGHT = 20,  /* beside a note */
    BUTTON = 80, /* with a text only it is that wide */
    NATURAL_ROWS = 8 * 32 + 8,
    TYPE_AHEAD = 1000, /* ms until typing starts again */
};

static const struct gui_class button_class, check_class, choice_class, row_class;

/* ---- What is before and behind the text ---- */

static enum gui_icon lead_icon(const struct gui_widget *w)
{
    if (w->class == &check_class) {
        return w->mark == GUI_CHECKED ? GUI_ICON_CHECKED : GUI_ICON_UNCHECKED;
    }
    return w->mark == GUI_CHECKED ? GUI_ICON_TICK : (enum gui_icon)w->icon;
}

static int icon_size(const struct gui_widget *w)
{
    bool has = lead_icon(w) || w->class == &gui_menu_item_class;

    return !has ? 0 : w->class->icon ? w->class->icon : w->value;
}

static int lead_of(const struct gui_widget *w)
{
    int lead = w->lead ? w->lead + GUI_GAP : icon_size(w);

    return lead && *w->text ? lead + GUI_GAP : lead;
}

static void lead_paint(struct gui_widget *w, cairo_t *cr, struct gui_rect r, enum gui_colour ink)
{
    struct gui *g = w->gui;

    ink = w->class == &row_class ? C_DIM : w->mark == GUI_CHECKED && !w->disabled ? C_ACCENT : ink;
    if (w->lead) {
        struct gui_rect frame = {r.x, r.y + 8, w->lead, r.h - 16};

        gui_fill(cr, g, frame, 4, w->picture ? C_TIP : C_WINDOW);
        if (w->picture) {
            gui_draw_picture(cr, w->picture, frame);
        } else {
            gui_draw_icon(cr, g, lead_icon(w), frame, MIN(frame.h / 2, 32), ink);
        }
        gui_frame(cr, g, frame, 4, 1, C_LINE);
        return;
    }
    r.w = icon_size(w);
    gui_draw_icon(cr, g, lead_icon(w), r, r.w, ink);
    if (w->light > GUI_LIGHT_OFF && !w->note) {
        gui_fill(cr, g, (struct gui_rect){r.x + 11, r.y + r.h / 2, 10, 10}, 5, C_BAR);
        gui_draw_light(cr, g, w->light, r.x + 16, r.y + r.h / 2 + 5);
    }
}

static enum gui_icon tail_icon(const struct gui_widget *w)
{
    return w->class == &choice_class ? GUI_ICON_DOWN : w->own ? GUI_ICON_RIGHT : GUI_NO_ICON;
}

static int tail_of(struct gui_widget *w)
{
    int note = w->note ? gui_text_size(w->gui, F_SMALL, w->note, 0, 0).w + NOTE_GAP : 0;

    return note + (w->note && w->light ? LIGHT : 0) + (tail_icon(w) ? NOTE_GAP : 0);
}

static void tail_paint(struct gui_widget *w, cairo_t *cr, struct gui_rect r)
{
    gui_draw_text(cr, w->gui, F_SMALL, w->note, r, C_DIM, T_RIGHT);
    if (w->note && w->light) {
        gui_draw_light(cr, w->gui, w->light, r.x + r.w - tail_of(w) + NOTE_GAP + LIGHT / 2,
                       r.y + r.h / 2.0);
    }
    gui_draw_icon(cr, w->gui, tail_icon(w), (struct gui_rect){r.x + r.w - 14, r.y, 14, r.h}, 14,
                  C_DIM);
}

/* ---- The whole ---- */

static unsigned text_flags(const struct gui_widget *w)
{
    bool cut = w->parent && w->parent->horizontal;

    return (w->class->flags & HAS_MARKS || w->class == &choice_class ? (unsigned)T_MARKS : 0) |
           (w->class->flags & WRAPS && !cut ? T_WRAP : 0);
}

/* A button without a text is narrower. */
static int pad_of(const struct gui_widget *w)
{
    return *w->text || w->class != &button_class ? w->class->pad : GUI_GAP;
}

struct gui_size gui_item_measure(struct gui_widget *w, int width)
{
    int pad = pad_of(w), around = 2 * pad + lead_of(w) + tail_of(w);
    bool wraps = w->class->flags & WRAPS, wide = w->class == &button_class && !w->icon;
    struct gui_size s = {0, 0};

    if (*w->text) {
        s = gui_text_size(w->gui, gui_style(w)->font, w->text,
                          width && wraps ? MAX(width - around, 1) : 0, text_flags(w));
        s.h = wraps ? s.h + pad * 3 / 2 : 0;
    }
    return (struct gui_size){MAX(s.w + around, wide ? BUTTON : 0),
                             MAX(MAX(s.h, w->class->height), icon_size(w))};
}

void gui_item_paint(struct gui_widget *w, cairo_t *cr)
{
    struct gui_rect r = {w->r.x + pad_of(w), w->r.y, w->r.w - 2 * pad_of(w), w->r.h};
    enum gui_colour ink = gui_ink(w);
    enum gui_font font = gui_style(w)->font;

    if (w->class->flags & CENTRED) {
        int text = *w->text ? gui_text_size(w->gui, font, w->text, 0, T_MARKS).w : 0;
        int spare = MAX(r.w - lead_of(w) - text, 0);

        r.x += spare / 2;
        r.w -= spare / 2;
    }
    lead_paint(w, cr, r, ink);
    r.x += lead_of(w);
    r.w -= lead_of(w);
    tail_paint(w, cr, r);
    r.w -= tail_of(w);
    if (w->sub) {
        r.y += r.h / 2 - 21;
        r.h = 20;
        gui_draw_text(cr, w->gui, F_SMALL, w->sub, (struct gui_rect){r.x, r.y + 23, r.w, 18}, C_DIM,
                      0);
    }
    gui_draw_text(cr, w->gui, w->sub ? F_STRONG : font, w->text, r, ink, text_flags(w));
}

bool gui_is_chosen(struct gui_widget *w)
{
    return w->class == &row_class || w->class == &gui_menu_item_class ? w->parent->focus == w
                                                                      : false;
}

/* ---- What is only seen ---- */

static const struct gui_class label_class = {.role = "label", .flags = WRAPS},
                              picture_class = {.role = "picture", .flags = CENTRED},
                              field_class = {
                                  .role = "field", .flags = HAS_MARKS, .height = GUI_CONTROL};

struct gui_widget *gui_label(struct gui_widget *box, const char *text, enum gui_look look)
{
    struct gui_widget *w = gui_make(box, &label_class, GUI_NO_ICON, text, NULL, NULL);

    w->look = (int)look;
    return w;
}

struct gui_widget *gui_field(struct gui_widget *box, const char *text)
{
    return gui_make(box, &field_class, GUI_NO_ICON, text, NULL, NULL);
}

struct gui_widget *gui_picture(struct gui_widget *box, enum gui_icon icon, int size)
{
    struct gui_widget *w = gui_make(box, &picture_class, icon, NULL, NULL, NULL);

    w->value = size;
    return w;
}

/* ---- What is clicked ---- */

static void fn_click(struct gui_widget *w)
{
    gui_call(w, w->fn);
}

static const struct gui_class button_class = {.role = "button",
                                              .flags = CAN_FOCUS | CLICK_FOCUSES | ENTER_CLICKS |
                                                       HAS_MARKS | CENTRED,
                                              .look = LOOK_BUTTON,
                                              .pad = 14,
                                              .icon = 16,
                                              .height = GUI_CONTROL,
                                              .click = fn_click};

struct gui_widget *gui_button(struct gui_widget *box, enum gui_icon icon, const char *text,
                              gui_fn *fn, void *of)
{
    return gui_make(box, &button_class, icon, text, fn, of);
}

/* They leave the keyboard where it is. */
static const struct gui_class item_class = {.role = "item",
                                            .flags = CAN_FOCUS | ENTER_CLICKS | HAS_MARKS,
                                            .look = LOOK_ITEM,
                                            .pad = 6,
                                            .icon = 18,
                                            .height = 26,
                                            .click = fn_click};

struct gui_widget *gui_item(struct gui_widget *box, enum gui_icon icon, const char *text,
                            const char *tip, gui_fn *fn, void *of)
{
    struct gui_widget *w = gui_make(box, &item_class, icon, text, fn, of);

    gui_set_tip(w, tip);
    return w;
}

static void check_set(struct gui_widget *w, int on)
{
    w->value = on != 0;
    w->mark = on ? GUI_CHECKED : GUI_UNCHECKED;
}

static void check_click(struct gui_widget *w)
{
    gui_change(w, !w->value, true);
}

static const struct gui_class check_class = {.role = "check",
                                             .flags = CAN_FOCUS | CLICK_FOCUSES | HAS_MARKS,
                                             .pad = 2,
                                             .icon = 18,
                                             .height = GUI_CONTROL,
                                             .click = check_click,
                                             .set = check_set};

struct gui_widget *gui_check(struct gui_widget *box, const char *text, bool on, gui_fn *fn,
                             void *of)
{
    struct gui_widget *w = gui_make(box, &check_class, GUI_NO_ICON, text, fn, of);

    check_set(w, on);
    return w;
}

/* ---- Choices: a button with what is chosen, and a menu ---- */

static void choice_set(struct gui_widget *w, int at)
{
    char **texts = w->data;

    w->value = CLAMP(at, 0, w->max);
    gui_set_text(w, texts[w->value]);
}

static void choice_chosen(struct gui_widget *item, void *of)
{
    gui_change(of, item->value, true);
}

static void choice_click(struct gui_widget *w)
{
    struct gui_widget *menu = gui_menu(w->gui, w, 0, 0, choice_chosen, w);
    char **texts = w->data;

    for (int i = 0; i <= w->max; i++) {
        gui_set_mark(gui_menu_add(menu, GUI_NO_ICON, texts[i], NULL, i),
                     i == w->value ? GUI_CHECKED : GUI_UNCHECKED);
    }
}

static bool choice_event(struct gui_widget *w, const struct gui_event *ev)
{
    int step = gui_is_key(ev, KEY_DOWN, 0) - gui_is_key(ev, KEY_UP, 0);

    if (gui_is_key(ev, KEY_DOWN, GUI_ALT)) {
        choice_click(w);
    } else if (step) {
        gui_change(w, w->value + step, true);
    }
    return step;
}

static const struct gui_class choice_class = {.role = "choice",
                                              .flags = CAN_FOCUS | CLICK_FOCUSES,
                                              .look = LOOK_BUTTON,
                                              .pad = 10,
                                              .height = GUI_CONTROL,
                                              .event = choice_event,
                                              .click = choice_click,
                                              .set = choice_set};

struct gui_widget *gui_choice(struct gui_widget *box, const char *const *texts, int at, gui_fn *fn,
                              void *of)
{
    static const char *const none[] = {"", NULL};
    struct gui_widget *w = gui_make(box, &choice_class, GUI_NO_ICON, NULL, fn, of);
    char **own = g_strdupv((char **)(texts && *texts ? texts : none));

    gui_own(w, own, (GDestroyNotify)g_strfreev);
    w->max = (int)g_strv_length(own) - 1;
    choice_set(w, at);
    return w;
}

/* ---- Lists ---- */

/* -1: none. */
static int index_of(const struct gui_widget *row)
{
    int at = -1;

    for (; row; row = row->prev) {
        at++;
    }
    return at;
}

static struct gui_widget *row_number(const struct gui_widget *list, int at)
{
    struct gui_widget *row = at < 0 ? NULL : list->first;

    while (row && row->next && at-- > 0) {
        row = row->next;
    }
    return row;
}

static void list_set(struct gui_widget *w, int at)
{
    struct gui_widget *row = row_number(w, at);

    if (w->focus) {
        gui_damage(w->focus);
    }
    w->focus = row;
    w->value = index_of(row);
    if (row) {
        gui_layout(w->gui);
        gui_damage(row);
        gui_scroll_to(row);
    }
}

/* To the next row from the selected one on that starts with what was typed: the list's note. */
static void list_text(struct gui_widget *w, const char *text)
{
    bool anew = !w->note || w->gui->now - w->until > TYPE_AHEAD || strlen(w->note) > 256;
    g_autofree char *typed = g_strconcat(anew ? "" : w->note, text, NULL);
    g_autofree char *want = g_utf8_casefold(typed, -1);
    struct gui_widget *from = w->focus ? w->focus : w->first, *row = from;

    g_free(w->note);
    w->note = g_steal_pointer(&typed);
    w->until = w->gui->now;
    while (row) {
        g_autofree char *have = g_utf8_casefold(row->text, -1);

        if (g_str_has_prefix(have, want)) {
            gui_change(w, index_of(row), true);
            break;
        }
        row = row->next ? row->next : w->first;
        row = row == from ? NULL : row;
    }
}

static bool list_key(struct gui_widget *w, const struct gui_event *ev)
{
    int page = w->first ? MAX(w->r.h / MAX(w->first->r.h, 1) - 1, 1) : 1;
    const struct {
        unsigned key;
        int to;
    } moves[] = {{KEY_UP, w->value - 1},
                 {KEY_DOWN, w->value + 1},
                 {KEY_PAGE_UP, w->value - page},
                 {KEY_PAGE_DOWN, w->value + page},
                 {KEY_HOME, 0},
                 {KEY_END, INT_MAX}};

    for (unsigned i = 0; i < ARRAY_LEN(moves); i++) {
        if (gui_is_key(ev, moves[i].key, 0)) {
            g_clear_pointer(&w->note, g_free);
            gui_change(w, MAX(moves[i].to, 0), true);
            return true;
        }
    }
    if (gui_is_enter(ev) && w->focus) {
        gui_call(w, w->activate);
    }
    return gui_is_enter(ev) && w->activate;
}

static bool list_event(struct gui_widget *w, const struct gui_event *ev)
{
    if (ev->kind == GUI_TEXT) {
        list_text(w, ev->text);
    }
    return ev->kind == GUI_TEXT || gui_scroll_event(w, ev) ||
           (ev->kind == GUI_KEY && list_key(w, ev));
}

static struct gui_size list_measure(struct gui_widget *w, int width)
{
    return (struct gui_size){200, MIN(gui_box_measure(w, width).h, NATURAL_ROWS)};
}

static const struct gui_class list_class = {.role = "list",
                                            .flags = CAN_FOCUS | CLICK_FOCUSES,
                                            .look = GUI_PANEL,
                                            .layout = gui_box_layout,
                                            .measure = list_measure,
                                            .event = list_event,
                                            .set = list_set};

struct gui_widget *gui_list(struct gui_widget *box, gui_fn *fn, void *of)
{
    struct gui_widget *w = gui_make(box, &list_class, GUI_NO_ICON, NULL, fn, of);

    w->scroll = true;
    w->grow = true;
    w->value = -1;
    w->pad = 4;
    return w;
}

/* There may be thousands: their size does not hang on their text. */
static struct gui_size row_measure(struct gui_widget *w, int width)
{
    (void)w;
    return (struct gui_size){width, GUI_CONTROL};
}

static bool row_event(struct gui_widget *w, const struct gui_event *ev)
{
    struct gui_widget *list = w->parent;

    if (ev->kind == GUI_PRESS) {
        gui_change(list, index_of(w), true);
        gui_call(list, ev->clicks == 2 && ev->button == GUI_BUTTON_LEFT ? list->activate : NULL);
    }
    return ev->kind == GUI_PRESS;
}

static const struct gui_class row_class = {.role = "row",
                                           .flags = HOVERS,
                                           .pad = 8,
                                           .icon = 18,
                                           .measure = row_measure,
                                           .event = row_event};

static cairo_surface_t *picture_new(const struct gui_row *row)
{
    cairo_surface_t *s;

    if (!row->picture || row->picture_w < 1 || row->picture_h < 1 || row->picture_w > 4096 ||
        row->picture_h > 4096) {
        return NULL;
    }
    s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, row->picture_w, row->picture_h);
    for (int y = 0; y < row->picture_h && cairo_image_surface_get_data(s); y++) {
        memcpy(cairo_image_surface_get_data(s) + y * cairo_image_surface_get_stride(s),
               (const char *)row->picture + (size_t)y * (size_t)row->picture_stride,
               (size_t)row->picture_w * 4);
    }
    cairo_surface_mark_dirty(s);
    return s;
}

void gui_list_add(struct gui_widget *list, const struct gui_row *row)
{
    struct gui_widget *w = gui_make(list, &row_class, row->icon, row->text, NULL, NULL);

    w->sub = row->sub ? gui_clean(row->sub) : NULL;
    w->note = row->note ? gui_clean(row->note) : NULL;
    w->light = row->light;
    w->look = row->pale ? GUI_DIM : GUI_PLAIN;
    w->picture = picture_new(row);
    w->lead = list->lead;
    w->min_h = list->step;
}

void gui_list_clear(struct gui_widget *list)
{
    while (list->first) {
        gui_remove(list->first);
    }
    list->value = -1;
}

void gui_list_set_size(struct gui_widget *list, int row_height, int picture_width)
{
    list->step = CLAMP(row_height, 0, 512);
    list->lead = CLAMP(picture_width, 0, 1024);
}
