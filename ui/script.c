/*
 * The sequencer of --expect, --expect-serial and --type.
 *
 * One step after the other: an expectation waits, typing is paced by the guest taking the keys.
 * Text on the screen is looked for every few ticks in what stands there then; text from COM1 in
 * everything since the last match, so that it may come before its step is reached.
 *
 * Not here: pictures (graphics modes have no text), typing into COM1 (give it an endpoint and write
 * there).
 */
#define _GNU_SOURCE /* memmem */
#include "ui/script.h"
#include "ui/keys.h"
#include "ui/parse.h"

enum {
    TICK_MS = 20,
    SCREEN_TICKS = 3,          /* look at the screen every so many ticks */
    SERIAL_KEPT = 1024 * 1024, /* of COM1's text, at most */
};

enum action_kind { ACTION_CHAR, ACTION_COMBO, ACTION_WAIT };
struct action {
    enum action_kind kind;
    char ch;
    uint8_t codes[KEYS_COMBO_MAX]; /* HID usage codes, 0-ended unless full */
    int64_t wait_ms;
};

struct script {
    struct machine *m;
    const GArray *steps; /* the options' */
    unsigned at;         /* step being done */
    bool end_when_met;
    GString *serial; /* since the last match */
    GArray *actions; /* struct action of the present --type step, NULL: not begun */
    unsigned action;
    int64_t wait_until; /* host microseconds; 0: not waiting */
    unsigned ticks;
};

/* Keys ---------------------------------------------------------------------------------------- */

void script_keys_help(GString *out)
{
    g_string_append(out, "\\n Enter, \\e Esc, \\t Tab, \\b Backspace, \\\\ backslash, \\@ at sign\n"
                         "@5s, @250ms: wait\n\\{NAME} or \\{NAME-NAME}: a key, or keys together; "
                         "letters, digits and\n ");
    for (unsigned i = 0; key_name(i); i++) {
        g_string_append_printf(out, " %s", key_name(i));
    }
    g_string_append(out, "\n");
}

/* "{ctrl-alt-delete}" at *at; moves past it. */
static bool action_parse_combo(const char **at, struct action *a, GError **err)
{
    const char *end = strchr(*at, '}');
    g_autofree char *inside = end ? g_strndup(*at + 1, (gsize)(end - *at - 1)) : NULL;

    if (!end) {
        return parse_fail(err, "\\{ without }; a key is written as in \\{f12} or \\{ctrl-c}");
    }
    if (!keys_parse_combo(inside, a->codes, err)) {
        g_prefix_error(err, "\\{%s}: ", inside);
        return false;
    }
    a->kind = ACTION_COMBO;
    *at = end + 1;
    return true;
}

/* What follows a backslash at *at; moves past it. */
static bool keys_parse_escape(const char **at, struct action *a, GError **err)
{
    static const char from[] = "netb\\@", to[] = "\n\033\t\b\\@";
    const char *found = **at ? strchr(from, **at) : NULL;

    if (**at == '{') {
        return action_parse_combo(at, a, err);
    }
    if (!found) {
        return parse_fail(
            err, "'\\%.1s' is unknown; there are \\n \\e \\t \\b \\\\ \\@ and \\{KEY}", *at);
    }
    a->kind = ACTION_CHAR;
    a->ch = to[found - from];
    (*at)++;
    return true;
}

/* "@5s", "@250ms" at `text`: what follows it, or NULL when it is none. */
static const char *keys_parse_wait(const char *text, struct action *a)
{
    char *end;
    guint64 n;

    if (!g_ascii_isdigit(text[1])) {
        return NULL;
    }
    n = g_ascii_strtoull(text + 1, &end, 10);
    n = MIN(n, 1000000);
    if (g_str_has_prefix(end, "ms")) {
        end += 2;
    } else if (*end == 's') {
        end += 1;
        n *= 1000;
    } else {
        return NULL;
    }
    a->kind = ACTION_WAIT;
    a->wait_ms = (int64_t)n;
    return end;
}

static GArray *keys_parse(const char *text, GError **err)
{
    GArray *actions = g_array_new(FALSE, FALSE, sizeof(struct action));

    while (*text) {
        struct action a = {.kind = ACTION_CHAR, .ch = *text};
        const char *next = *text == '@' ? keys_parse_wait(text, &a) : NULL;
        bool good = true;

        if (next) {
            text = next;
        } else if (*text == '\\') {
            text++;
            good = keys_parse_escape(&text, &a, err);
        } else {
            good = (signed char)*text > 0 ||
                   parse_fail(err, "only ASCII characters have a key of a US keyboard");
            text++;
        }
        if (!good) {
            g_array_unref(actions);
            return NULL;
        }
        g_array_append_val(actions, a);
    }
    return actions;
}

bool script_check_keys(const char *text, GError **err)
{
    GArray *actions = keys_parse(text, err);

    if (actions) {
        g_array_unref(actions);
    }
    return actions != NULL;
}

/* Steps --------------------------------------------------------------------------------------- */

static const struct script_step *script_step_at(const struct script *s, unsigned n)
{
    return &g_array_index(s->steps, struct script_step, n);
}

static void action_press(struct machine *m, const struct action *a)
{
    int n = 0;

    if (a->kind == ACTION_CHAR) {
        input_type_char(m, a->ch);
        return;
    }
    while (n < KEYS_COMBO_MAX && a->codes[n]) {
        input_key(m, a->codes[n++], true);
    }
    while (n-- > 0) {
        input_key(m, a->codes[n], false);
    }
}

static bool script_can_type(const struct script *s)
{
    return !s->m->input || !s->m->input->keys_queued ||
           s->m->input->keys_queued(s->m->input_dev) == 0;
}

/* Whether the whole text is typed. */
static bool script_type(struct script *s, const char *text)
{
    const struct action *a;

    if (!s->actions) {
        s->actions = keys_parse(text, NULL);
        s->action = 0;
    }
    if (!s->actions || s->action >= s->actions->len) {
        g_clear_pointer(&s->actions, g_array_unref);
        return true;
    }
    a = &g_array_index(s->actions, struct action, s->action);
    if (a->kind == ACTION_WAIT) {
        int64_t now = g_get_monotonic_time();

        if (!s->wait_until) {
            s->wait_until = now + a->wait_ms * 1000;
        }
        if (now >= s->wait_until) {
            s->wait_until = 0;
            s->action++;
        }
    } else if (script_can_type(s)) {
        action_press(s->m, a);
        s->action++;
    }
    return false;
}

/* The screen's lines are without the blanks at their ends: those of the text's own end may be
 * missing there ("login: "). */
static bool text_stands_in(const char *screen, const char *text)
{
    size_t bare_len = strlen(text);

    while (bare_len && text[bare_len - 1] == ' ') {
        bare_len--;
    }
    g_autofree char *bare = g_strndup(text, bare_len);
    for (const char *at = strstr(screen, bare); at && *at; at = strstr(at + 1, bare)) {
        const char *end = at + bare_len;
        size_t blanks = strspn(end, " ");

        if (!text[bare_len] || blanks >= strlen(text + bare_len) || end[blanks] == '\n') {
            return true;
        }
    }
    return false;
}

static bool script_screen_has(struct script *s, const char *text)
{
    g_autoptr(GString) screen = g_string_new(NULL);

    if (s->ticks++ % SCREEN_TICKS) {
        return false;
    }
    return display_text_utf8(s->m, screen) && text_stands_in(screen->str, text);
}

static bool script_serial_has(struct script *s, const char *text)
{
    const char *found = memmem(s->serial->str, s->serial->len, text, strlen(text));

    if (found) {
        g_string_erase(s->serial, 0, found - s->serial->str + (gssize)strlen(text));
    }
    return found != NULL;
}

static bool script_step_done(struct script *s, const struct script_step *step)
{
    switch (step->kind) {
    case STEP_EXPECT:
        return script_screen_has(s, step->text);
    case STEP_EXPECT_SERIAL:
        return script_serial_has(s, step->text);
    default:
        return script_type(s, step->text);
    }
}

/* All is done, and it was an expectation that came last. */
static bool script_ends_run(const struct script *s)
{
    return s->at == s->steps->len && s->end_when_met &&
           script_step_at(s, s->at - 1)->kind != STEP_TYPE;
}

void script_tick(struct script *s)
{
    while (s->at < s->steps->len) {
        if (!script_step_done(s, script_step_at(s, s->at))) {
            return;
        }
        s->at++;
        s->ticks = 0;
        if (script_ends_run(s)) {
            machine_end(s->m, END_QUIT, 0);
        }
    }
}

bool script_last_look(struct script *s)
{
    if (!s) {
        return false;
    }
    s->ticks = 0; /* the screen too */
    script_tick(s);
    return script_ends_run(s);
}

static bool script_on_tick(void *arg)
{
    struct script *s = arg;

    script_tick(s);
    return s->at < s->steps->len;
}

static void script_tick_soon(void *arg)
{
    script_tick(arg);
}

void script_serial(struct script *s, const uint8_t *buf, size_t len)
{
    g_string_append_len(s->serial, (const char *)buf, (gssize)len);
    if (s->serial->len > SERIAL_KEPT) {
        g_string_erase(s->serial, 0, SERIAL_KEPT / 2);
    }
    /* End the run at the text, not a tick later: a guest that powers off right behind it would be
     * seen as that. */
    if (s->at < s->steps->len && script_step_at(s, s->at)->kind == STEP_EXPECT_SERIAL && len &&
        memchr(buf, '\n', len)) {
        loop_post(s->m, script_tick_soon, s);
    }
}

static void script_tap(void *opaque, const uint8_t *buf, size_t len)
{
    script_serial(opaque, buf, len);
}

struct script *script_new(const GArray *steps, bool end_when_met)
{
    struct script *s;

    if (!steps->len) {
        return NULL;
    }
    s = g_new0(struct script, 1);
    s->steps = steps;
    s->end_when_met = end_when_met;
    s->serial = g_string_new(NULL);
    return s;
}

void script_free(struct script *s)
{
    if (s) {
        if (s->actions) {
            g_array_unref(s->actions);
        }
        g_string_free(s->serial, TRUE);
        g_free(s);
    }
}

void script_start(struct script *s, struct machine *m, struct chr *serial)
{
    s->m = m;
    if (serial) {
        serial->tap = script_tap;
        serial->tap_opaque = s;
    }
    loop_every(m, TICK_MS, script_on_tick, s);
}

bool script_is_met(const struct script *s)
{
    for (unsigned i = s ? s->at : 0; s && i < s->steps->len; i++) {
        if (script_step_at(s, i)->kind != STEP_TYPE) {
            return false;
        }
    }
    return true;
}

char *script_missing(const struct script *s)
{
    for (unsigned i = s ? s->at : 0; s && i < s->steps->len; i++) {
        const struct script_step *step = script_step_at(s, i);

        if (step->kind != STEP_TYPE) {
            return g_strdup_printf("--expect%s '%s'", step->kind == STEP_EXPECT ? "" : "-serial",
                                   step->text);
        }
    }
    return NULL;
}
