/*
 * The simple widgets: labels, buttons, items of status bars, checks, choices, numbers, progress.
 */
#include "ui/gui/gui_int.h"
#include <math.h>

static enum gui_colour text_colour(const struct gui_widget *w, enum gui_colour usual)
{
    return w->disabled ? C_DIM : usual;
}

/* ---- Labels, pictures, lines, room ---- */

static enum gui_font label_font(const struct gui_widget *w)
{
    return w->look == GUI_TITLE ? F_TITLE : w->look == GUI_DIM ? F_SMALL : F_TEXT;
}

static struct gui_size label_measure(struct gui_widget *w, int width)
{
    return gui_text_size(w->gui, label_font(w), w->text, width, width ? T_WRAP : 0);
}

static void label_paint(struct gui_widget *w, cairo_t *cr)
{
    bool cut = w->parent && w->parent->horizontal;
    enum gui_colour c = w->look == GUI_DIM ? C_DIM : w->look == GUI_ERROR ? C_DANGER : C_TEXT;

    gui_draw_text(cr, w->gui, label_font(w), w->text, w->r, text_colour(w, c), cut ? 0 : T_WRAP);
}

static const struct gui_class label_class = {
    .role = "label", .measure = label_measure, .paint = label_paint};

struct gui_widget *gui_label(struct gui_widget *box, const char *text, enum gui_look look)
{
    struct gui_widget *w = gui_make(box->gui, box, &label_class, text, NULL, NULL);

    w->look = look;
    return w;
}

static struct gui_size field_measure(struct gui_widget *w, int width)
{
    struct gui_size s = gui_text_size(w->gui, F_TEXT, w->text, 0, T_MNEMONIC);

    (void)width;
    return (struct gui_size){s.w, MAX(s.h, GUI_CONTROL)};
}

static void field_paint(struct gui_widget *w, cairo_t *cr)
{
    gui_draw_text(cr, w->gui, F_TEXT, w->text, w->r, text_colour(w, C_TEXT), T_MNEMONIC);
}

static const struct gui_class field_class = {
    .role = "field", .marks = true, .measure = field_measure, .paint = field_paint};

struct gui_widget *gui_field(struct gui_widget *box, const char *text)
{
    return gui_make(box->gui, box, &field_class, text, NULL, NULL);
}

static struct gui_size fixed_measure(struct gui_widget *w, int width)
{
    (void)width;
    return (struct gui_size){w->value, w->value};
}

static void picture_paint(struct gui_widget *w, cairo_t *cr)
{
    int size = MIN(w->value, MIN(w->r.w, w->r.h));

    gui_draw_icon(cr, w->gui, w->icon, w->r.x + (w->r.w - size) / 2.0,
                  w->r.y + (w->r.h - size) / 2.0, size, w->look == GUI_ERROR ? C_DANGER : C_DIM);
}

static const struct gui_class picture_class = {
    .role = "picture", .measure = fixed_measure, .paint = picture_paint};

struct gui_widget *gui_picture(struct gui_widget *box, enum gui_icon icon, int size)
{
    struct gui_widget *w = gui_make(box->gui, box, &picture_class, NULL, NULL, NULL);

    w->icon = icon;
    w->value = size;
    return w;
}

static const struct gui_class space_class = {.role = "space", .measure = fixed_measure};

struct gui_widget *gui_space(struct gui_widget *box)
{
    struct gui_widget *w = gui_make(box->gui, box, &space_class, NULL, NULL, NULL);

    w->grow = true;
    return w;
}

static void separator_paint(struct gui_widget *w, cairo_t *cr)
{
    struct gui_rect r = w->r;

    if (w->parent->horizontal) {
        r = (struct gui_rect){r.x, w->parent->r.y + 6, 1, w->parent->r.h - 12};
    }
    gui_fill(cr, w->gui, r, 0, C_LINE);
}

static const struct gui_class separator_class = {
    .role = "separator", .measure = fixed_measure, .paint = separator_paint};

struct gui_widget *gui_separator(struct gui_widget *box)
{
    struct gui_widget *w = gui_make(box->gui, box, &separator_class, NULL, NULL, NULL);

    w->value = 1;
    return w;
}

/* ---- Buttons ---- */

/* A click, or Space or Enter: true when that is what the event was. */
static bool is_click(struct gui_widget *w, const struct gui_event *ev)
{
    if (ev->kind == GUI_RELEASE && ev->button == GUI_BUTTON_LEFT) {
        return gui_rect_has(&w->r, ev->x, ev->y);
    }
    return gui_is_key(ev, KEY_SPACE, 0) || gui_is_enter(ev);
}

static bool button_event(struct gui_widget *w, const struct gui_event *ev)
{
    if (ev->kind == GUI_PRESS && ev->button == GUI_BUTTON_RIGHT && w->menu) {
        gui_call(w, w->menu);
        return true;
    }
    if (is_click(w, ev)) {
        gui_call(w, w->fn);
        return true;
    }
    return ev->kind == GUI_PRESS || ev->kind == GUI_RELEASE;
}

/* What is over a control while the pointer is on it, or it is pressed. */
static void paint_hover(struct gui_widget *w, cairo_t *cr, int radius)
{
    if (!w->disabled && gui_is_hovered(w)) {
        gui_fill(cr, w->gui, w->r, radius, w->gui->active == w ? C_DOWN : C_HOVER);
    }
}

static struct gui_size button_measure(struct gui_widget *w, int width)
{
    struct gui_size s = gui_text_size(w->gui, F_TEXT, w->text, 0, T_MNEMONIC);
    int pad = *w->text ? 14 : 8;

    (void)width;
    s.w += w->icon ? 16 + (*w->text ? GUI_GAP : 0) : 0;
    return (struct gui_size){MAX(s.w + 2 * pad, *w->text && !w->icon ? 80 : 0), GUI_CONTROL};
}

static void button_paint(struct gui_widget *w, cairo_t *cr)
{
    struct gui *g = w->gui;
    bool strong = !w->disabled && (w->look == GUI_PRIMARY || w->look == GUI_DANGER);
    enum gui_colour ground = w->look == GUI_DANGER ? C_DANGER : C_ACCENT;
    enum gui_colour ink = w->look == GUI_DANGER ? C_ON_DANGER : C_ON_ACCENT;
    struct gui_size s = gui_text_size(g, F_TEXT, w->text, 0, T_MNEMONIC);
    int icon = w->icon ? 16 + (*w->text ? GUI_GAP : 0) : 0;
    int x = w->r.x + MAX(8, (w->r.w - s.w - icon) / 2);

    gui_fill(cr, g, w->r, 6, strong ? ground : C_BUTTON);
    if (!strong) {
        gui_frame(cr, g, w->r, 6, C_LINE);
    }
    paint_hover(w, cr, 6);
    ink = text_colour(w, strong ? ink : C_TEXT);
    if (w->icon) {
        gui_draw_icon(cr, g, w->icon, x, w->r.y + (w->r.h - 16) / 2.0, 16, ink);
    }
    gui_draw_text(cr, g, F_TEXT, w->text,
                  (struct gui_rect){x + icon, w->r.y, w->r.x + w->r.w - 4 - x - icon, w->r.h}, ink,
                  T_MNEMONIC);
}

static const struct gui_class button_class = {.role = "button",
                                              .focusable = true,
                                              .marks = true,
                                              .clicks_focus = true,
                                              .measure = button_measure,
                                              .paint = button_paint,
                                              .event = button_event};

struct gui_widget *gui_button(struct gui_widget *box, enum gui_icon icon, const char *text,
                              gui_fn *fn, void *of)
{
    struct gui_widget *w = gui_make(box->gui, box, &button_class, text, fn, of);

    w->icon = icon;
    return w;
}

/* ---- Items of a status bar: they leave the keyboard where it is ---- */

static struct gui_size item_measure(struct gui_widget *w, int width)
{
    int text = *w->text ? gui_text_size(w->gui, F_SMALL, w->text, 0, T_MNEMONIC).w : 0;

    (void)width;
    return (struct gui_size){(w->icon ? 18 : 0) + (text && w->icon ? 6 : 0) + text + 12, 26};
}

static void item_paint(struct gui_widget *w, cairo_t *cr)
{
    struct gui *g = w->gui;
    int x = w->r.x + 6, y = w->r.y + (w->r.h - 18) / 2;

    paint_hover(w, cr, 5);
    if (w->icon) {
        gui_draw_icon(cr, g, w->icon, x, y, 18, text_colour(w, C_TEXT));
        x += 18 + 6;
    }
    if (w->light > GUI_LIGHT_OFF) {
        gui_fill(cr, g, (struct gui_rect){w->r.x + 17, y + 9, 10, 10}, 5, C_BAR);
        gui_draw_light(cr, g, w->light, w->r.x + 22, y + 14, 3.5);
    }
    gui_draw_text(cr, g, F_SMALL, w->text,
                  (struct gui_rect){x, w->r.y, w->r.x + w->r.w - x, w->r.h}, text_colour(w, C_TEXT),
                  T_MNEMONIC);
}

static const struct gui_class item_class = {.role = "item",
                                            .focusable = true,
                                            .marks = true,
                                            .measure = item_measure,
                                            .paint = item_paint,
                                            .event = button_event};

struct gui_widget *gui_item(struct gui_widget *box, enum gui_icon icon, const char *text,
                            const char *tip, gui_fn *fn, void *of)
{
    struct gui_widget *w = gui_make(box->gui, box, &item_class, text, fn, of);

    w->icon = icon;
    gui_set_tip(w, tip);
    return w;
}

/* ---- Checks ---- */

static bool check_event(struct gui_widget *w, const struct gui_event *ev)
{
    if (is_click(w, ev) && !gui_is_enter(ev)) {
        w->value = !w->value;
        gui_damage(w);
        gui_call(w, w->fn);
        return true;
    }
    return ev->kind == GUI_PRESS || ev->kind == GUI_RELEASE;
}

static struct gui_size check_measure(struct gui_widget *w, int width)
{
    (void)width;
    return (struct gui_size){gui_text_size(w->gui, F_TEXT, w->text, 0, T_MNEMONIC).w + 30,
                             GUI_CONTROL};
}

static void check_paint(struct gui_widget *w, cairo_t *cr)
{
    struct gui *g = w->gui;
    struct gui_rect box = {w->r.x + 2, w->r.y + (w->r.h - 18) / 2, 18, 18}, text = w->r;

    gui_fill(cr, g, box, 4, w->value ? (w->disabled ? C_DIM : C_ACCENT) : C_PANEL);
    if (w->value) {
        cairo_move_to(cr, box.x + 4.5, box.y + 9.5);
        cairo_line_to(cr, box.x + 8, box.y + 13);
        cairo_line_to(cr, box.x + 13.5, box.y + 5.5);
        gui_colour(cr, g, C_ON_ACCENT);
        cairo_set_line_width(cr, 2);
        cairo_stroke(cr);
    } else {
        gui_frame(cr, g, box, 4, w->disabled ? C_LINE : C_DIM);
    }
    if (!w->disabled && gui_is_hovered(w)) {
        gui_fill(cr, g, box, 4, C_HOVER);
    }
    text.x += 28;
    text.w -= 28;
    gui_draw_text(cr, g, F_TEXT, w->text, text, text_colour(w, C_TEXT), T_MNEMONIC);
}

static void check_dump(const struct gui_widget *w, GString *out)
{
    g_string_append(out, w->value ? " [checked]" : "");
}

static const struct gui_class check_class = {.role = "check",
                                             .focusable = true,
                                             .marks = true,
                                             .clicks_focus = true,
                                             .measure = check_measure,
                                             .paint = check_paint,
                                             .event = check_event,
                                             .dump = check_dump};

struct gui_widget *gui_check(struct gui_widget *box, const char *text, bool on, gui_fn *fn,
                             void *of)
{
    struct gui_widget *w = gui_make(box->gui, box, &check_class, text, fn, of);

    w->value = on;
    return w;
}

/* ---- Choices: a button with what is chosen, and a menu ---- */

static void choice_set(struct gui_widget *w, int at, bool by_user)
{
    char **texts = w->own;

    at = CLAMP(at, 0, w->max);
    if (at != w->value) {
        w->value = at;
        g_free(w->text);
        w->text = gui_clean(texts[at]);
        gui_damage(w);
        gui_call(w, by_user ? w->fn : NULL);
    }
}

static void choice_value_set(struct gui_widget *w, int at)
{
    choice_set(w, at, false);
}

static void choice_chosen(void *of, int id)
{
    choice_set(of, id, true);
}

static void choice_open(struct gui_widget *w)
{
    char **texts = w->own;
    g_autofree struct gui_menu_item *items = g_new0(struct gui_menu_item, (gsize)w->max + 1);

    for (int i = 0; i <= w->max; i++) {
        items[i] = (struct gui_menu_item){
            .text = texts[i], .id = i, .mark = i == w->value ? GUI_CHECKED : GUI_UNCHECKED};
    }
    gui_menu(w->gui, w, 0, 0, items, (unsigned)w->max + 1, choice_chosen, w);
}

static bool choice_event(struct gui_widget *w, const struct gui_event *ev)
{
    if (ev->kind == GUI_PRESS && ev->button == GUI_BUTTON_LEFT) {
        choice_open(w);
        return true;
    }
    if (gui_is_key(ev, KEY_SPACE, 0) || gui_is_key(ev, KEY_DOWN, GUI_ALT)) {
        choice_open(w);
        return true;
    }
    if (gui_is_key(ev, KEY_DOWN, 0) || gui_is_key(ev, KEY_UP, 0)) {
        choice_set(w, w->value + (ev->key == KEY_DOWN ? 1 : -1), true);
        return true;
    }
    return ev->kind == GUI_PRESS || ev->kind == GUI_RELEASE;
}

static struct gui_size choice_measure(struct gui_widget *w, int width)
{
    int most = 0;

    (void)width;
    for (char **p = w->own; *p; p++) {
        most = MAX(most, gui_text_size(w->gui, F_TEXT, *p, 0, T_MNEMONIC).w);
    }
    return (struct gui_size){MIN(most, 400) + 44, GUI_CONTROL};
}

static void choice_paint(struct gui_widget *w, cairo_t *cr)
{
    struct gui_rect r = {w->r.x + 10, w->r.y, w->r.w - 36, w->r.h};
    double x = w->r.x + w->r.w - 18, y = w->r.y + w->r.h / 2.0 - 2;

    gui_fill(cr, w->gui, w->r, 6, C_BUTTON);
    gui_frame(cr, w->gui, w->r, 6, C_LINE);
    paint_hover(w, cr, 6);
    gui_draw_text(cr, w->gui, F_TEXT, w->text, r, text_colour(w, C_TEXT), T_MNEMONIC);
    cairo_move_to(cr, x - 4, y);
    cairo_line_to(cr, x, y + 4);
    cairo_line_to(cr, x + 4, y);
    gui_colour(cr, w->gui, C_DIM);
    cairo_set_line_width(cr, 1.5);
    cairo_stroke(cr);
}

static void choice_free(struct gui_widget *w)
{
    g_strfreev(w->own);
}

static const struct gui_class choice_class = {.role = "choice",
                                              .focusable = true,
                                              .clicks_focus = true,
                                              .measure = choice_measure,
                                              .paint = choice_paint,
                                              .event = choice_event,
                                              .free = choice_free,
                                              .value_set = choice_value_set};

struct gui_widget *gui_choice(struct gui_widget *box, const char *const *texts, int at, gui_fn *fn,
                              void *of)
{
    static const char *const none[] = {"", NULL};
    struct gui_widget *w = gui_make(box->gui, box, &choice_class, NULL, fn, of);
    char **own;

    texts = texts && *texts ? texts : none;
    w->max = (int)g_strv_length((char **)texts) - 1;
    w->own = own = g_new0(char *, (gsize)w->max + 2);
    for (int i = 0; i <= w->max; i++) {
        own[i] = gui_clean(texts[i]);
    }
    w->value = -1;
    choice_set(w, at, false);
    return w;
}

/* ---- Progress ---- */

static struct gui_size progress_measure(struct gui_widget *w, int width)
{
    (void)w;
    return (struct gui_size){width ? width : 160, 8};
}

static void progress_paint(struct gui_widget *w, cairo_t *cr)
{
    struct gui_rect r = w->r;

    gui_fill(cr, w->gui, r, 4, C_LINE);
    r.w = (int)((int64_t)r.w * CLAMP(w->value, 0, 1000) / 1000);
    gui_fill(cr, w->gui, r, 4, C_ACCENT);
}

static void progress_dump(const struct gui_widget *w, GString *out)
{
    g_string_append_printf(out, " =%d", w->value);
}

static const struct gui_class progress_class = {.role = "progress",
                                                .measure = progress_measure,
                                                .paint = progress_paint,
                                                .dump = progress_dump};

struct gui_widget *gui_progress(struct gui_widget *box)
{
    return gui_make(box->gui, box, &progress_class, NULL, NULL, NULL);
}

/* ---- What all have ---- */

void gui_set_text(struct gui_widget *w, const char *text)
{
    g_autofree char *clean = gui_clean(text);

    if (!strcmp(clean, w->text)) {
        return;
    }
    gui_damage(w);
    g_free(w->text);
    w->text = g_steal_pointer(&clean);
    if (w->class->text_set) {
        w->class->text_set(w);
    } else {
        gui_relayout(w->gui);
    }
}

const char *gui_text(const struct gui_widget *w)
{
    return w->text;
}

void gui_set_value(struct gui_widget *w, int value)
{
    if (w->class->value_set) {
        w->class->value_set(w, value);
    } else if (w->value != value) {
        w->value = value;
        gui_damage(w);
    }
}

int gui_value(const struct gui_widget *w)
{
    return w->value;
}

void gui_set_icon(struct gui_widget *w, enum gui_icon icon)
{
    if (w->icon != icon) {
        bool other_size = !w->icon || !icon;

        w->icon = icon;
        gui_damage(w);
        if (other_size) {
            gui_relayout(w->gui);
        }
    }
}

void gui_set_light(struct gui_widget *w, enum gui_light light)
{
    if (w->light != light) {
        w->light = light;
        gui_damage_rect(w->gui, (struct gui_rect){w->r.x + 15, w->r.y, 16, w->r.h}, 0);
    }
}

void gui_set_look(struct gui_widget *w, enum gui_look look)
{
    if (w->look != look) {
        w->look = look;
        gui_damage(w);
        gui_relayout(w->gui);
    }
}

void gui_set_tip(struct gui_widget *w, const char *tip)
{
    if (w->gui->tip == w && g_strcmp0(tip, w->tip)) {
        gui_tip_hide(w->gui);
    }
    g_free(w->tip);
    w->tip = tip ? gui_clean(tip) : NULL;
}

void gui_set_enabled(struct gui_widget *w, bool on)
{
    if (w->disabled == on) {
        w->disabled = !on;
        gui_damage(w);
    }
}

void gui_show(struct gui_widget *w, bool on)
{
    if (w->hidden == on) {
        gui_damage(w);
        w->hidden = !on;
        gui_relayout(w->gui);
    }
}

bool gui_is_shown(const struct gui_widget *w)
{
    return !w->hidden;
}

void gui_set_grow(struct gui_widget *w, bool on)
{
    w->grow = on;
    gui_relayout(w->gui);
}

void gui_set_min(struct gui_widget *w, int width, int height)
{
    w->min_w = CLAMP(width, 0, 8192);
    w->min_h = CLAMP(height, 0, 8192);
    gui_relayout(w->gui);
}

void gui_set_spacing(struct gui_widget *w, int spacing, int pad)
{
    w->spacing = spacing;
    w->pad = pad;
    gui_relayout(w->gui);
}

struct gui_rect gui_where(struct gui_widget *w)
{
    double s = w->gui->scale;

    gui_layout(w->gui);
    return (struct gui_rect){(int)floor(w->r.x * s), (int)floor(w->r.y * s), (int)ceil(w->r.w * s),
                             (int)ceil(w->r.h * s)};
}

void gui_on_activate(struct gui_widget *w, gui_fn *fn)
{
    w->activate = fn;
}

void gui_on_menu(struct gui_widget *w, gui_fn *fn)
{
    w->menu = fn;
}

void gui_on_key(struct gui_widget *w,
                bool (*fn)(struct gui_widget *w, const struct gui_event *ev, void *of))
{
    w->on_key = fn;
}

void gui_own(struct gui_widget *w, void *data, GDestroyNotify data_free)
{
    w->data = data;
    w->data_free = data_free;
}
