/*
 * A line of text to edit, and numbers.
 *
 * Not here: undo, several lines, input methods (the host sends what they made).
 */
#include "ui/gui/gui_int.h"

enum { PAD = 10, SPIN_BUTTON = 28 };

/* Byte offsets into the widget's text; mark: the other end of the selection. */
struct entry {
    size_t caret, mark;
    int scroll;  /* units the text is moved to the left */
    char *extra; /* the hint, or a number's unit */
    bool number;
};

static struct gui_rect field_rect(const struct gui_widget *w)
{
    const struct entry *e = w->own;
    struct gui_rect r = {w->r.x + PAD, w->r.y, w->r.w - 2 * PAD, w->r.h};

    if (e->number) {
        r.w = MAX(r.w - 2 * SPIN_BUTTON + PAD - 4, 0);
    }
    return r;
}

static int x_of(struct gui_widget *w, size_t at)
{
    PangoLayout *layout = gui_text_layout(w->gui, F_TEXT, w->text, 0);
    PangoRectangle pos;

    pango_layout_index_to_pos(layout, (int)at, &pos);
    g_object_unref(layout);
    return PANGO_PIXELS(pos.x);
}

static size_t at_x(struct gui_widget *w, int x)
{
    struct entry *e = w->own;
    PangoLayout *layout = gui_text_layout(w->gui, F_TEXT, w->text, 0);
    int index, trailing;

    pango_layout_xy_to_index(layout, (x - field_rect(w).x + e->scroll) * PANGO_SCALE, 0, &index,
                             &trailing);
    g_object_unref(layout);
    return (size_t)(g_utf8_offset_to_pointer(w->text + index, trailing) - w->text);
}

static void show_caret(struct gui_widget *w)
{
    struct entry *e = w->own;
    int x = x_of(w, e->caret), room = MAX(field_rect(w).w - 2, 1);

    e->scroll = CLAMP(e->scroll, x - room, x);
    e->scroll = CLAMP(e->scroll, 0, MAX(x_of(w, strlen(w->text)) - room, 0));
    gui_damage(w);
}

static void entry_layout(struct gui_widget *w)
{
    struct entry *e = w->own;

    if (w->r.w > 0 && e->caret) {
        show_caret(w);
    } else {
        e->scroll = 0;
    }
}

static void caret_to(struct gui_widget *w, size_t at, bool select)
{
    struct entry *e = w->own;

    e->caret = at;
    e->mark = select ? e->mark : at;
    show_caret(w);
}

/* A step from `at`: over a character with what combines with it, or (words) over a word. */
static size_t step_from(const struct gui_widget *w, size_t at, bool back, bool words)
{
    const char *start = w->text, *p = start + at;
    bool seen = false;

    for (;;) {
        const char *ch = back ? (p > start ? g_utf8_prev_char(p) : NULL) : (*p ? p : NULL);
        bool letter = ch && g_unichar_isalnum(g_utf8_get_char(ch));

        if (!ch || (words && seen && !letter)) {
            break;
        }
        p = back ? ch : g_utf8_next_char(p);
        seen |= letter;
        if (!words && !(*p && g_unichar_ismark(g_utf8_get_char(p)))) {
            break;
        }
    }
    return (size_t)(p - start);
}

/* Put text in place of the selection. */
static void replace(struct gui_widget *w, const char *with, bool by_user)
{
    struct entry *e = w->own;
    size_t from = MIN(e->caret, e->mark), to = MAX(e->caret, e->mark);
    g_autofree char *clean = gui_clean(with);
    char *text;

    g_strdelimit(clean, "\n", ' ');
    if (strlen(w->text) - (to - from) + strlen(clean) > GUI_MAX_TEXT) {
        return;
    }
    text = g_strdup_printf("%.*s%s%s", (int)from, w->text, clean, w->text + to);
    g_free(w->text);
    w->text = text;
    caret_to(w, from + strlen(clean), false);
    gui_call(w, by_user ? w->fn : NULL);
}

static void erase(struct gui_widget *w, bool back, bool words)
{
    struct entry *e = w->own;

    if (e->caret == e->mark) {
        e->mark = step_from(w, e->caret, back, words);
    }
    if (e->caret != e->mark) {
        replace(w, "", true);
    }
}

static void copy(struct gui_widget *w)
{
    struct entry *e = w->own;
    size_t from = MIN(e->caret, e->mark), to = MAX(e->caret, e->mark);
    g_autofree char *text = g_strndup(w->text + from, to - from);

    if (*text && w->gui->host.set_clipboard) {
        w->gui->host.set_clipboard(w->gui->host.of, text);
    }
}

static void paste(struct gui_widget *w)
{
    char *(*get)(void *of) = w->gui->host.get_clipboard;
    g_autofree char *text = get ? get(w->gui->host.of) : NULL;

    if (text && *text) {
        replace(w, text, true);
    }
}

/* ---- Numbers ---- */

static void number_show(struct gui_widget *w)
{
    struct entry *e = w->own;

    g_free(w->text);
    w->text = g_strdup_printf("%d", w->value);
    e->caret = e->mark = strlen(w->text);
    show_caret(w);
}

static void number_set(struct gui_widget *w, int64_t value, bool by_user)
{
    int before = w->value;

    w->value = (int)CLAMP(value, w->min, w->max);
    number_show(w);
    if (by_user && w->value != before) {
        gui_call(w, w->fn);
    }
}

static void number_value_set(struct gui_widget *w, int value)
{
    number_set(w, value, false);
}

/* What was typed is the value as far as the limits let it. */
static void number_typed(struct gui_widget *w)
{
    int before = w->value;

    w->value = (int)CLAMP(g_ascii_strtoll(w->text, NULL, 10), w->min, w->max);
    if (w->value != before) {
        gui_call(w, w->fn);
    }
}

/* Steps go to multiples of the step. */
static void number_step(struct gui_widget *w, int steps)
{
    int64_t to = (int64_t)w->value + (int64_t)steps * w->step;

    number_set(w, steps > 0 ? to / w->step * w->step : (to + w->step - 1) / w->step * w->step,
               true);
}

static bool number_event(struct gui_widget *w, const struct gui_event *ev)
{
    int right = w->r.x + w->r.w;

    if (gui_is_key(ev, KEY_UP, 0) || gui_is_key(ev, KEY_DOWN, 0)) {
        number_step(w, ev->key == KEY_UP ? 1 : -1);
    } else if (gui_is_key(ev, KEY_PAGE_UP, 0) || gui_is_key(ev, KEY_PAGE_DOWN, 0)) {
        number_step(w, ev->key == KEY_PAGE_UP ? 8 : -8);
    } else if (ev->kind == GUI_WHEEL && gui_is_focused(w)) {
        number_step(w, ev->dy);
    } else if (ev->kind == GUI_PRESS && ev->x >= right - 2 * SPIN_BUTTON) {
        number_step(w, ev->x >= right - SPIN_BUTTON ? 1 : -1);
    } else if (ev->kind == GUI_TEXT && !g_ascii_isdigit(ev->text[0])) {
        return true;
    } else if (gui_is_enter(ev)) {
        number_show(w);
        return false;
    } else {
        return false;
    }
    return true;
}

/* ---- Events ---- */

static bool entry_letter(struct gui_widget *w, const struct gui_event *ev)
{
    struct entry *e = w->own;

    switch (ev->sym) {
    case 'a':
        e->mark = 0;
        caret_to(w, strlen(w->text), true);
        return true;
    case 'x':
        copy(w);
        if (e->caret != e->mark) {
            replace(w, "", true);
        }
        return true;
    case 'c':
        copy(w);
        return true;
    case 'v':
        paste(w);
        return true;
    default:
        return false;
    }
}

static bool entry_key(struct gui_widget *w, const struct gui_event *ev)
{
    struct entry *e = w->own;
    bool shift = ev->mods & GUI_SHIFT, words = ev->mods & GUI_CTRL;

    if (ev->mods & GUI_ALT) {
        return false;
    }
    switch (ev->key) {
    case KEY_LEFT:
    case KEY_RIGHT:
        if (e->caret != e->mark && !shift && !words) { /* to an end of the selection */
            caret_to(w, ev->key == KEY_LEFT ? MIN(e->caret, e->mark) : MAX(e->caret, e->mark),
                     false);
        } else {
            caret_to(w, step_from(w, e->caret, ev->key == KEY_LEFT, words), shift);
        }
        return true;
    case KEY_HOME:
    case KEY_END:
        caret_to(w, ev->key == KEY_END ? strlen(w->text) : 0, shift);
        return true;
    case KEY_BACKSPACE:
        erase(w, true, words);
        return true;
    case KEY_DELETE:
    case KEY_INSERT:
        if (shift || (words && ev->key == KEY_INSERT)) {
            return entry_letter(w, &(struct gui_event){.sym = ev->key == KEY_DELETE ? 'x'
                                                              : shift               ? 'v'
                                                                                    : 'c'});
        }
        if (ev->key == KEY_DELETE) {
            erase(w, false, words);
        }
        return true;
    case KEY_ENTER:
    case KEY_PAD_ENTER:
        gui_call(w, w->activate);
        return w->activate;
    default:
        return words && !shift && entry_letter(w, ev);
    }
}

static bool entry_mouse(struct gui_widget *w, const struct gui_event *ev)
{
    struct entry *e = w->own;

    if (ev->kind == GUI_PRESS && ev->button == GUI_BUTTON_LEFT) {
        caret_to(w, at_x(w, ev->x), ev->mods & GUI_SHIFT);
        if (ev->clicks == 2) {
            e->mark = step_from(w, step_from(w, e->caret, false, true), true, true);
            caret_to(w, step_from(w, e->mark, false, true), true);
        }
    } else if (ev->kind == GUI_MOTION && w->gui->active == w) {
        caret_to(w, at_x(w, ev->x), true);
    }
    return ev->kind != GUI_WHEEL;
}

static bool entry_event(struct gui_widget *w, const struct gui_event *ev)
{
    const struct entry *e = w->own;

    if (e->number && number_event(w, ev)) {
        return true;
    }
    if (ev->kind == GUI_TEXT) {
        replace(w, ev->text, !e->number);
    } else if (ev->kind != GUI_KEY) {
        return entry_mouse(w, ev);
    } else if (!entry_key(w, ev)) {
        return false;
    }
    if (e->number) {
        number_typed(w);
    }
    return true;
}

/* ---- Looks ---- */

static struct gui_size entry_measure(struct gui_widget *w, int width)
{
    struct entry *e = w->own;

    (void)width;
    return (struct gui_size){e->number ? 170 : 220, GUI_CONTROL};
}

static void number_paint(struct gui_widget *w, cairo_t *cr)
{
    struct entry *e = w->own;
    struct gui_rect r = field_rect(w);
    int x = w->r.x + w->r.w - 2 * SPIN_BUTTON, y = w->r.y + w->r.h / 2;

    gui_draw_text(cr, w->gui, F_TEXT, e->extra, r, C_DIM, T_RIGHT);
    for (int i = 0; i < 2; i++, x += SPIN_BUTTON) {
        bool usable = !w->disabled && (i ? w->value < w->max : w->value > w->min);
        struct gui_rect button = {x, w->r.y, SPIN_BUTTON, w->r.h};

        gui_fill(cr, w->gui, (struct gui_rect){x, w->r.y + 6, 1, w->r.h - 12}, 0, C_LINE);
        if (usable && gui_is_hovered(w) &&
            gui_rect_has(&button, w->gui->mouse_x, w->gui->mouse_y)) {
            gui_fill(cr, w->gui, button, 6, C_HOVER);
        }
        gui_fill(cr, w->gui, (struct gui_rect){x + 9, y - 1, 11, 2}, 1, usable ? C_TEXT : C_LINE);
        if (i) {
            gui_fill(cr, w->gui, (struct gui_rect){x + 13, y - 5, 2, 11}, 1,
                     usable ? C_TEXT : C_LINE);
        }
    }
}

static void entry_paint(struct gui_widget *w, cairo_t *cr)
{
    struct entry *e = w->own;
    struct gui *g = w->gui;
    struct gui_rect r = field_rect(w);
    bool focused = gui_is_focused(w);

    gui_fill(cr, g, w->r, 6, w->disabled ? C_WINDOW : C_PANEL);
    gui_frame(cr, g, w->r, 6, w->look == GUI_ERROR ? C_DANGER : focused ? C_ACCENT : C_LINE);
    if (e->number) {
        number_paint(w, cr);
    }
    if (w->icon) {
        gui_draw_icon(cr, g, w->icon, w->r.x + w->r.w - 26, w->r.y + (w->r.h - 16) / 2.0, 16,
                      C_DIM);
    }
    cairo_save(cr);
    cairo_rectangle(cr, r.x - 1, r.y, r.w + 2, r.h);
    cairo_clip(cr);
    if (!*w->text && !e->number) {
        gui_draw_text(cr, g, F_TEXT, e->extra, r, C_DIM, 0);
    }
    if (focused && e->caret != e->mark) {
        int a = x_of(w, MIN(e->caret, e->mark)), b = x_of(w, MAX(e->caret, e->mark));

        gui_fill(cr, g, (struct gui_rect){r.x + a - e->scroll, r.y + 6, b - a, r.h - 12}, 2,
                 C_SELECTED);
    }
    r.x -= e->scroll;
    r.w = 32000; /* it is cut by the clip, not by dots */
    gui_draw_text(cr, g, F_TEXT, w->text, r, w->disabled ? C_DIM : C_TEXT, 0);
    if (focused) {
        gui_fill(cr, g, (struct gui_rect){r.x + x_of(w, e->caret), r.y + 7, 1, r.h - 14}, 0,
                 C_TEXT);
    }
    cairo_restore(cr);
}

static void entry_dump(const struct gui_widget *w, GString *out)
{
    struct entry *e = w->own;

    g_string_append_printf(out, " caret=%zu", e->caret);
    if (e->caret != e->mark) {
        g_string_append_printf(out, " mark=%zu", e->mark);
    }
}

static void entry_text_set(struct gui_widget *w)
{
    struct entry *e = w->own;

    g_strdelimit(w->text, "\n", ' ');
    e->caret = e->mark = strlen(w->text);
    show_caret(w);
}

static void entry_free(struct gui_widget *w)
{
    struct entry *e = w->own;

    g_free(e->extra);
    g_free(e);
}

#define ENTRY_CLASS                                                                                \
    .focusable = true, .clicks_focus = true, .measure = entry_measure, .layout = entry_layout,     \
    .paint = entry_paint, .event = entry_event, .dump = entry_dump, .free = entry_free,            \
    .text_set = entry_text_set

static const struct gui_class entry_class = {.role = "entry", ENTRY_CLASS};
static const struct gui_class spin_class = {
    .role = "number", ENTRY_CLASS, .value_set = number_value_set};

static struct gui_widget *entry_new(struct gui_widget *box, const struct gui_class *class,
                                    const char *extra, gui_fn *fn, void *of)
{
    struct gui_widget *w = gui_make(box->gui, box, class, NULL, fn, of);
    struct entry *e = g_new0(struct entry, 1);

    w->own = e;
    e->extra = gui_clean(extra);
    e->number = class == &spin_class;
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
    number_set(w, value, false);
    return w;
}
