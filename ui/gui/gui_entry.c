/*
 * A line of text to edit, and numbers.  Pango says where characters and words begin and end, and
 * where they stand, from the left or from the right.
 *
 * Not here: undo, several lines, input methods (the host sends what they made).
 */
#include "ui/gui/gui_int.h"

enum { PAD = 10, SPIN_BUTTON = 28 };

static const struct gui_class spin_class;

static bool is_number(const struct gui_widget *w)
{
    return w->class == &spin_class;
}

static struct gui_rect field_rect(const struct gui_widget *w)
{
    struct gui_rect r = {w->r.x + PAD, w->r.y, w->r.w - 2 * PAD, w->r.h};

    r.w -= is_number(w) ? 2 * SPIN_BUTTON - PAD + 4 : w->icon ? 20 : 0;
    r.w = MAX(r.w, 0);
    return r;
}

static int from_of(const struct gui_widget *w)
{
    return MIN(w->caret, w->anchor);
}

static int to_of(const struct gui_widget *w)
{
    return MAX(w->caret, w->anchor);
}

static PangoLayout *layout_of(struct gui_widget *w)
{
    return gui_text_layout(w->gui, F_TEXT, w->text, 0, 0);
}

/* The place `trailing` characters behind the one at `at`. */
static int after(const struct gui_widget *w, int at, int trailing)
{
    return (int)(g_utf8_offset_to_pointer(w->text + at, trailing) - w->text);
}

/* The text moves as far as the caret needs. */
static void entry_layout(struct gui_widget *w)
{
    PangoLayout *layout = layout_of(w);
    int room = MAX(field_rect(w).w - 2, 1), width, x;
    PangoRectangle caret;

    pango_layout_get_cursor_pos(layout, w->caret, &caret, NULL);
    pango_layout_get_pixel_size(layout, &width, NULL);
    x = PANGO_PIXELS(caret.x);
    w->offset = CLAMP(w->offset, x - room, x);
    w->offset = CLAMP(w->offset, 0, MAX(width - room, 0));
    g_object_unref(layout);
}

static void caret_to(struct gui_widget *w, int at, bool select)
{
    w->caret = at;
    w->anchor = select ? w->anchor : at;
    entry_layout(w);
    gui_damage(w);
}

/* The next (+1) or last (-1) place where a character or a word ends (to the left: begins). */
static int step_from(struct gui_widget *w, int from, int step, bool words)
{
    PangoLayout *layout = layout_of(w);
    int count, at = (int)g_utf8_pointer_to_offset(w->text, w->text + from);
    const PangoLogAttr *is = pango_layout_get_log_attrs_readonly(layout, &count);

    do {
        at += step;
    } while (at > 0 && at < count - 1 &&
             !(!words     ? is[at].is_cursor_position
               : step < 0 ? is[at].is_word_start
                          : is[at].is_word_end));
    g_object_unref(layout);
    return after(w, 0, CLAMP(at, 0, count - 1));
}

/* A step as it is seen: in Hebrew the arrow to the left goes on. */
static int step_seen(struct gui_widget *w, int from, int step)
{
    PangoLayout *layout = layout_of(w);
    int to, trailing;

    pango_layout_move_cursor_visually(layout, TRUE, from, 0, step, &to, &trailing);
    g_object_unref(layout);
    return to < 0 || to > (int)strlen(w->text) ? from : after(w, to, trailing);
}

/* Put text in place of the selection. */
static void replace(struct gui_widget *w, const char *with)
{
    g_autofree char *clean = gui_clean(with);
    int from = from_of(w), rest = to_of(w);
    char *text;

    if ((int)strlen(w->text) - (rest - from) + (int)strlen(clean) > GUI_MAX_TEXT ||
        (!*clean && from == rest)) {
        return;
    }
    g_strdelimit(clean, "\n", ' ');
    text = g_strdup_printf("%.*s%s%s", from, w->text, clean, w->text + rest);
    g_free(w->text);
    w->text = text;
    caret_to(w, from + (int)strlen(clean), false);
    if (is_number(w)) {
        int before = w->value;

        /* What was typed is the value as far as the limits let it; it stays as it is typed. */
        w->value = (int)CLAMP(g_ascii_strtoll(w->text, NULL, 10), w->min, w->max);
        gui_call(w, w->value != before ? w->fn : NULL);
    } else {
        gui_call(w, w->fn);
    }
}

static void erase(struct gui_widget *w, int step, bool words)
{
    if (w->caret == w->anchor) {
        w->anchor = step_from(w, w->caret, step, words);
    }
    replace(w, "");
}

static void copy(struct gui_widget *w)
{
    g_autofree char *text = g_strndup(w->text + from_of(w), (gsize)(to_of(w) - from_of(w)));

    if (*text && w->gui->host.set_clipboard) {
        w->gui->host.set_clipboard(w->gui->host.of, text);
    }
}

static void paste(struct gui_widget *w)
{
    char *(*get)(void *of) = w->gui->host.get_clipboard;
    g_autofree char *text = get ? get(w->gui->host.of) : NULL;

    if (text && *text) {
        replace(w, text);
    }
}

/* ---- Numbers ---- */

static void spin_set(struct gui_widget *w, int value)
{
    g_autofree char *text = NULL;

    w->value = CLAMP(value, w->min, w->max);
    text = g_strdup_printf("%d", w->value);
    gui_set_text(w, text);
}

/* Steps go to multiples of the step. */
static void spin_step(struct gui_widget *w, int steps)
{
    int64_t to = (int64_t)w->value + (int64_t)steps * w->step;

    to = (steps > 0 ? to : to + w->step - 1) / w->step * w->step;
    gui_change(w, (int)CLAMP(to, w->min, w->max), true);
}

static bool spin_event(struct gui_widget *w, const struct gui_event *ev)
{
    static const struct {
        unsigned key;
        int steps;
    } keys[] = {{KEY_UP, 1}, {KEY_DOWN, -1}, {KEY_PAGE_UP, 8}, {KEY_PAGE_DOWN, -8}};
    int right = w->r.x + w->r.w, steps = 0;

    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        steps += gui_is_key(ev, keys[i].key, 0) ? keys[i].steps : 0;
    }
    if (ev->kind == GUI_WHEEL && gui_is_focused(w)) {
        steps = ev->dy;
    } else if (ev->kind == GUI_PRESS && ev->x >= right - 2 * SPIN_BUTTON) {
        steps = ev->x >= right - SPIN_BUTTON ? 1 : -1;
    }
    if (steps) {
        spin_step(w, steps);
    } else if (gui_is_enter(ev)) {
        spin_set(w, w->value);
    }
    return steps || (ev->kind == GUI_TEXT && !g_ascii_isdigit(ev->text[0]));
}

static void spin_paint(struct gui_widget *w, cairo_t *cr)
{
    struct gui_rect r = {w->r.x + w->r.w - 2 * SPIN_BUTTON, w->r.y, SPIN_BUTTON, w->r.h};

    gui_draw_text(cr, w->gui, F_TEXT, w->note, field_rect(w), C_DIM, T_RIGHT);
    for (int i = 0; i < 2; i++, r.x += r.w) {
        bool usable = !w->disabled && (i ? w->value < w->max : w->value > w->min);

        gui_fill(cr, w->gui, (struct gui_rect){r.x, r.y + 6, 1, r.h - 12}, 0, C_LINE);
        gui_draw_icon(cr, w->gui, i ? GUI_ICON_PLUS : GUI_ICON_MINUS, r, 18,
                      usable ? C_TEXT : C_LINE);
    }
}

/* ---- Events ---- */

static bool entry_command(struct gui_widget *w, uint32_t letter)
{
    if (letter == 'a') {
        w->anchor = 0;
        caret_to(w, (int)strlen(w->text), true);
    }
    if (letter == 'x' || letter == 'c') {
        copy(w);
    }
    if (letter == 'x') {
        replace(w, "");
    }
    if (letter == 'v') {
        paste(w);
    }
    return letter && g_utf8_strchr("axcv", -1, letter);
}

/* Left or right; from a selection, to the end of it. */
static void entry_arrow(struct gui_widget *w, int step, bool select, bool words)
{
    if (w->caret != w->anchor && !select && !words) {
        caret_to(w, step < 0 ? from_of(w) : to_of(w), false);
    } else {
        caret_to(w, words ? step_from(w, w->caret, step, true) : step_seen(w, w->caret, step),
                 select);
    }
}

static bool entry_key(struct gui_widget *w, const struct gui_event *ev)
{
    bool shift = ev->mods & GUI_SHIFT, ctrl = ev->mods & GUI_CTRL;

    if (ev->mods & GUI_ALT) {
        return false;
    }
    switch (ev->key) {
    case KEY_LEFT:
    case KEY_RIGHT:
        entry_arrow(w, ev->key == KEY_LEFT ? -1 : 1, shift, ctrl);
        return true;
    case KEY_HOME:
    case KEY_END:
        caret_to(w, ev->key == KEY_END ? (int)strlen(w->text) : 0, shift);
        return true;
    case KEY_BACKSPACE:
    case KEY_DELETE:
        if (shift && ev->key == KEY_DELETE) {
            return entry_command(w, 'x');
        }
        erase(w, ev->key == KEY_DELETE ? 1 : -1, ctrl);
        return true;
    case KEY_INSERT:
        return entry_command(w, shift ? 'v' : ctrl ? 'c' : 0);
    case KEY_ENTER:
    case KEY_PAD_ENTER:
        gui_call(w, w->activate);
        return w->activate;
    default:
        return ctrl && !shift && entry_command(w, ev->sym);
    }
}

static void entry_pointer(struct gui_widget *w, const struct gui_event *ev)
{
    PangoLayout *layout = layout_of(w);
    int at, trailing;

    pango_layout_xy_to_index(layout, (ev->x - field_rect(w).x + w->offset) * PANGO_SCALE, 0, &at,
                             &trailing);
    g_object_unref(layout);
    at = after(w, at, trailing);
    if (ev->kind == GUI_MOTION) {
        caret_to(w, at, true);
    } else if (ev->clicks == 2) { /* the word */
        w->anchor = step_from(w, step_from(w, at, 1, true), -1, true);
        caret_to(w, step_from(w, w->anchor, 1, true), true);
    } else {
        caret_to(w, at, ev->mods & GUI_SHIFT);
    }
}

static bool entry_event(struct gui_widget *w, const struct gui_event *ev)
{
    if (is_number(w) && spin_event(w, ev)) {
        return true;
    }
    if (ev->kind == GUI_TEXT) {
        replace(w, ev->text);
    } else if (ev->kind == GUI_KEY) {
        return entry_key(w, ev);
    } else if ((ev->kind == GUI_PRESS && ev->button == GUI_BUTTON_LEFT) ||
               (ev->kind == GUI_MOTION && w->gui->active == w)) {
        entry_pointer(w, ev);
    }
    return ev->kind != GUI_WHEEL;
}

/* ---- Looks ---- */

static struct gui_size entry_measure(struct gui_widget *w, int width)
{
    (void)width;
    return (struct gui_size){is_number(w) ? 170 : 220, GUI_CONTROL};
}

/* The text with its selection, and the caret. */
static void text_paint(struct gui_widget *w, cairo_t *cr, struct gui_rect r)
{
    PangoLayout *layout = layout_of(w);
    PangoRectangle size, caret;
    int y;

    pango_layout_get_pixel_extents(layout, NULL, &size);
    y = r.y + (r.h - size.height) / 2;
    if (gui_is_focused(w)) {
        gui_mark_text(layout, w->gui, from_of(w), to_of(w));
    }
    gui_colour(cr, w->gui, gui_ink(w));
    cairo_move_to(cr, r.x - w->offset, y);
    pango_cairo_show_layout(cr, layout);
    if (gui_is_focused(w)) {
        pango_layout_get_cursor_pos(layout, w->caret, &caret, NULL);
        gui_fill(cr, w->gui,
                 (struct gui_rect){r.x - w->offset + PANGO_PIXELS(caret.x), r.y + 7, 1, r.h - 14},
                 0, C_TEXT);
    }
    g_object_unref(layout);
}

static void entry_paint(struct gui_widget *w, cairo_t *cr)
{
    struct gui_rect r = field_rect(w);

    if (gui_is_focused(w)) {
        gui_frame(cr, w->gui, w->r, 6, 1, C_ACCENT);
    }
    if (is_number(w)) {
        spin_paint(w, cr);
    } else {
        gui_draw_icon(cr, w->gui, (enum gui_icon)w->icon,
                      (struct gui_rect){w->r.x + w->r.w - 28, r.y, 20, r.h}, 16, C_DIM);
        gui_draw_text(cr, w->gui, F_TEXT, *w->text ? NULL : w->note, r, C_DIM, 0);
    }
    cairo_save(cr);
    cairo_rectangle(cr, r.x - 1, r.y, r.w + 2, r.h);
    cairo_clip(cr);
    text_paint(w, cr, r);
    cairo_restore(cr);
}

#define ENTRY                                                                                      \
    .flags = CAN_FOCUS | CLICK_FOCUSES | EDITS, .look = LOOK_FIELD, .measure = entry_measure,      \
    .layout = entry_layout, .paint = entry_paint, .event = entry_event

static const struct gui_class entry_class = {.role = "entry", ENTRY};
static const struct gui_class spin_class = {.role = "number", .set = spin_set, ENTRY};

static struct gui_widget *entry_new(struct gui_widget *box, const struct gui_class *class,
                                    const char *note, gui_fn *fn, void *of)
{
    struct gui_widget *w = gui_make(box, class, GUI_NO_ICON, NULL, fn, of);

    w->note = gui_clean(note);
    return w;
}

struct gui_widget *gui_entry(struct gui_widget *box, const char *text, const char *hint, gui_fn *fn,
                             void *of)
{
    struct gui_widget *w = entry_new(box, &entry_class, hint, fn, of);

    gui_set_text(w, text);
    return w;
}

struct gui_widget *gui_spin(struct gui_widget *box, int min, int max, int step, int value,
                            const char *unit, gui_fn *fn, void *of)
{
    struct gui_widget *w = entry_new(box, &spin_class, unit, fn, of);

    w->min = min;
    w->max = MAX(min, max);
    w->step = MAX(step, 1);
    spin_set(w, value);
    return w;
}
