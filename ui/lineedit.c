/*
 * The line editor: Emacs's keys as readline has them, and the cursor keys of VT100 and its like.
 *
 * The screen is kept right by moving back with BS and writing what follows anew, so no size of the
 * terminal has to be known.
 *
 * Not here: lines longer than the terminal is wide are shown wrongly when they are edited above
 * their last row; characters of double width, or typed before others and not in ASCII; search in
 * the history, undo, vi's keys.
 */
#include "ui/lineedit.h"

enum { HISTORY = 64 };
#define CTRL(letter) ((letter) - '@')

enum escape { ESC_NONE, ESC_BEGUN, ESC_CSI, ESC_SS3 };

struct lineedit {
    GString *out, *line;
    size_t at; /* the cursor, in bytes */
    const char *prompt;
    bool editing;
    bool after_cr, too_long;
    enum escape escape;
    unsigned escape_arg;
    char *history[HISTORY]; /* oldest first */
    unsigned lines, browse; /* browse: which one is shown; `lines`: the new one */
    char *unfinished;       /* the new line while older ones are looked at */
};

/* Text in UTF-8: what stands in one column, control characters not being there. */
static bool is_inside_char(char ch)
{
    return ((uint8_t)ch & 0xc0) == 0x80;
}

static size_t columns(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        n += !is_inside_char(text[i]);
    }
    return n;
}

static void show_back(struct lineedit *e, size_t n)
{
    while (n--) {
        g_string_append_c(e->out, '\b');
    }
}

/* Replace `cut` bytes at `pos`, which is not right of the cursor, by `text`; the cursor stands
 * behind that, on the screen as well. */
static void edit_replace(struct lineedit *e, size_t pos, size_t cut, const char *text)
{
    size_t col_at = columns(e->line->str, e->at), col_pos = columns(e->line->str, pos);
    size_t lost = columns(e->line->str + pos, cut);

    g_string_erase(e->line, (gssize)pos, (gssize)cut);
    g_string_insert(e->line, (gssize)pos, text);
    e->at = pos + strlen(text);
    if (!e->editing) {
        return;
    }
    show_back(e, col_at - col_pos);
    g_string_append(e->out, e->line->str + pos);
    if (lost) {
        g_string_append(e->out, "\033[K");
    }
    show_back(e, columns(e->line->str + e->at, e->line->len - e->at));
}

static void edit_move(struct lineedit *e, size_t to)
{
    if (to < e->at) {
        show_back(e, columns(e->line->str + to, e->at - to));
    } else {
        g_string_append_len(e->out, e->line->str + e->at, (gssize)(to - e->at));
    }
    e->at = to;
}

static size_t char_before(const struct lineedit *e, size_t at)
{
    while (at && is_inside_char(e->line->str[--at])) {
    }
    return at;
}

static size_t char_after(const struct lineedit *e, size_t at)
{
    if (at < e->line->len) {
        at++;
    }
    while (at < e->line->len && is_inside_char(e->line->str[at])) {
        at++;
    }
    return at;
}

static size_t word_before(const struct lineedit *e)
{
    size_t at = e->at;

    while (at && e->line->str[at - 1] == ' ') {
        at--;
    }
    while (at && e->line->str[at - 1] != ' ') {
        at--;
    }
    return at;
}

static size_t word_after(const struct lineedit *e)
{
    size_t at = e->at;

    while (at < e->line->len && e->line->str[at] == ' ') {
        at++;
    }
    while (at < e->line->len && e->line->str[at] != ' ') {
        at++;
    }
    return at;
}

/* History ------------------------------------------------------------------------------------- */

static void edit_set_line(struct lineedit *e, const char *text)
{
    edit_move(e, 0);
    edit_replace(e, 0, e->line->len, text);
}

static void history_go(struct lineedit *e, unsigned to)
{
    if (to > e->lines || to == e->browse) {
        return;
    }
    if (e->browse == e->lines) {
        g_free(e->unfinished);
        e->unfinished = g_strdup(e->line->str);
    }
    e->browse = to;
    edit_set_line(e, to == e->lines ? e->unfinished : e->history[to]);
}

static void history_add(struct lineedit *e)
{
    if (!e->line->len || (e->lines && !strcmp(e->history[e->lines - 1], e->line->str))) {
        return;
    }
    if (e->lines == HISTORY) {
        g_free(e->history[0]);
        memmove(e->history, e->history + 1, (HISTORY - 1) * sizeof e->history[0]);
        e->lines--;
    }
    e->history[e->lines++] = g_strdup(e->line->str);
}

/* Keys ---------------------------------------------------------------------------------------- */

enum edit_key { KEY_LEFT, KEY_RIGHT, KEY_UP, KEY_DOWN, KEY_HOME, KEY_END, KEY_DELETE };

static void edit_key(struct lineedit *e, enum edit_key key)
{
    switch (key) {
    case KEY_LEFT:
        edit_move(e, char_before(e, e->at));
        break;
    case KEY_RIGHT:
        edit_move(e, char_after(e, e->at));
        break;
    case KEY_UP:
        history_go(e, e->browse - 1); /* below 0: refused as too large */
        break;
    case KEY_DOWN:
        history_go(e, e->browse + 1);
        break;
    case KEY_HOME:
        edit_move(e, 0);
        break;
    case KEY_END:
        edit_move(e, e->line->len);
        break;
    case KEY_DELETE:
        edit_replace(e, e->at, char_after(e, e->at) - e->at, "");
        break;
    }
}

static void edit_control(struct lineedit *e, uint8_t byte)
{
    switch (byte) {
    case CTRL('A'):
        edit_key(e, KEY_HOME);
        break;
    case CTRL('B'):
        edit_key(e, KEY_LEFT);
        break;
    case CTRL('D'):
        edit_key(e, KEY_DELETE);
        break;
    case CTRL('E'):
        edit_key(e, KEY_END);
        break;
    case CTRL('F'):
        edit_key(e, KEY_RIGHT);
        break;
    case CTRL('K'):
        edit_replace(e, e->at, e->line->len - e->at, "");
        break;
    case CTRL('L'):
        g_string_append(e->out, "\033[H\033[2J");
        lineedit_show(e);
        break;
    case CTRL('N'):
        edit_key(e, KEY_DOWN);
        break;
    case CTRL('P'):
        edit_key(e, KEY_UP);
        break;
    case CTRL('U'):
        edit_replace(e, 0, e->at, "");
        break;
    case CTRL('W'): {
        size_t from = word_before(e);

        edit_replace(e, from, e->at - from, "");
        break;
    }
    default:
        break;
    }
}

/* The last byte of ESC [ n X or ESC O X. */
static void edit_escape_end(struct lineedit *e, uint8_t byte)
{
    static const struct {
        char last;
        unsigned arg; /* of "~" */
        enum edit_key key;
    } keys[] = {
        {'A', 0, KEY_UP},   {'B', 0, KEY_DOWN}, {'C', 0, KEY_RIGHT},  {'D', 0, KEY_LEFT},
        {'H', 0, KEY_HOME}, {'F', 0, KEY_END},  {'~', 1, KEY_HOME},   {'~', 7, KEY_HOME},
        {'~', 4, KEY_END},  {'~', 8, KEY_END},  {'~', 3, KEY_DELETE},
    };

    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        if (byte == keys[i].last && (byte != '~' || e->escape_arg == keys[i].arg)) {
            edit_key(e, keys[i].key);
            return;
        }
    }
}

static void edit_escape(struct lineedit *e, uint8_t byte)
{
    enum escape state = e->escape;

    e->escape = ESC_NONE;
    if (state == ESC_BEGUN) {
        e->escape = byte == '[' ? ESC_CSI : byte == 'O' ? ESC_SS3 : ESC_NONE;
        e->escape_arg = 0;
        if (byte == 'b') {
            edit_move(e, word_before(e));
        } else if (byte == 'f') {
            edit_move(e, word_after(e));
        }
    } else if (state == ESC_CSI && byte >= 0x20 && byte < 0x40) {
        e->escape = ESC_CSI;
        if (g_ascii_isdigit(byte) && e->escape_arg < 100) {
            e->escape_arg = e->escape_arg * 10 + byte - '0';
        }
    } else {
        edit_escape_end(e, byte);
    }
}

static void edit_clear(struct lineedit *e)
{
    e->browse = e->lines;
    g_string_truncate(e->line, 0);
    e->at = 0;
    e->too_long = false;
}

static enum line_event edit_enter(struct lineedit *e, uint8_t byte)
{
    bool too_long = e->too_long;

    if (byte == '\n' && e->after_cr) { /* the second half of CR LF */
        e->after_cr = false;
        return LINE_MORE;
    }
    e->after_cr = byte == '\r';
    e->too_long = false;
    if (e->editing) {
        edit_move(e, e->line->len);
        g_string_append(e->out, "\r\n");
    }
    return too_long ? LINE_TOO_LONG : LINE_DONE;
}

static void edit_type(struct lineedit *e, uint8_t byte)
{
    char text[2] = {(char)byte, '\0'};

    if (e->line->len < LINEEDIT_MAX) {
        edit_replace(e, e->at, 0, text);
    } else {
        e->too_long = !e->editing; /* a person sees where it ends */
    }
}

enum line_event lineedit_take(struct lineedit *e, uint8_t byte)
{
    if (byte == '\r' || byte == '\n') {
        e->escape = ESC_NONE;
        return edit_enter(e, byte);
    }
    e->after_cr = false;
    if (e->escape) {
        edit_escape(e, byte);
    } else if (byte == CTRL('C')) {
        edit_clear(e);
        g_string_append(e->out, e->editing ? "^C\r\n" : "");
        return LINE_CANCEL;
    } else if (byte == '\b' || byte == 0x7f) {
        size_t from = char_before(e, e->at);

        edit_replace(e, from, e->at - from, "");
    } else if (byte == '\t') {
        if (e->editing) {
            return LINE_COMPLETE;
        }
        edit_type(e, ' ');
    } else if (byte >= 0x20) {
        edit_type(e, byte);
    } else if (e->editing && byte == 0x1b) {
        e->escape = ESC_BEGUN;
    } else if (e->editing) {
        edit_control(e, byte);
    }
    return LINE_MORE;
}

/* Life ---------------------------------------------------------------------------------------- */

const char *lineedit_text(const struct lineedit *e)
{
    return e->line->str;
}

size_t lineedit_cursor(const struct lineedit *e)
{
    return e->at;
}

void lineedit_insert(struct lineedit *e, const char *text)
{
    if (strlen(text) + e->line->len <= LINEEDIT_MAX) {
        edit_replace(e, e->at, 0, text);
    }
}

void lineedit_show(struct lineedit *e)
{
    g_string_append(e->out, e->prompt);
    if (e->editing) {
        g_string_append(e->out, e->line->str);
        show_back(e, columns(e->line->str + e->at, e->line->len - e->at));
    }
}

void lineedit_next(struct lineedit *e)
{
    if (e->editing) {
        history_add(e);
    }
    edit_clear(e);
}

void lineedit_reset(struct lineedit *e)
{
    for (unsigned i = 0; i < e->lines; i++) {
        g_free(e->history[i]);
    }
    e->lines = 0;
    g_clear_pointer(&e->unfinished, g_free);
    e->after_cr = false;
    e->escape = ESC_NONE;
    edit_clear(e);
}

void lineedit_set_editing(struct lineedit *e, bool on)
{
    e->editing = on;
}

bool lineedit_is_editing(const struct lineedit *e)
{
    return e->editing;
}

struct lineedit *lineedit_new(const char *prompt, GString *out)
{
    struct lineedit *e = g_new0(struct lineedit, 1);

    e->prompt = prompt;
    e->out = out;
    e->line = g_string_new(NULL);
    return e;
}

void lineedit_free(struct lineedit *e)
{
    if (e) {
        lineedit_reset(e);
        g_string_free(e->line, TRUE);
        g_free(e);
    }
}
