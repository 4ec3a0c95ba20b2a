/*
 * Pasting: see ui/paste.h.
 *
 * One character a tick, and only when the guest has taken the keys before: programs that look at
 * the BIOS's buffer of 15 keys now and then get all of it, as long as they read 60 characters a
 * second.  After Enter there is a longer pause, as a shell then does something.
 *
 * Not here: see ui/paste.h.
 */
#include "ui/paste.h"

enum { TICK_MS = 16, ENTER_TICKS = 6, SOME = 8 };

struct paste {
    struct machine *m;
    char *text; /* ASCII, what can be typed */
    unsigned len, at, wait;
    unsigned skipped;
    GString *some; /* the first SOME different ones */
    unsigned watch;
    void (*done)(void *arg);
    void *arg;
};

/* Characters of which everybody has another idea than Unicode has; 0: none of ours. */
static char paste_plain(gunichar ch)
{
    return ch == 0xa0 ? ' ' : ch == 0x2028 || ch == 0x2029 || ch == 0x85 ? '\n' : 0;
}

static void paste_skip(struct paste *p, gunichar ch)
{
    char utf8[8] = {0};

    g_unichar_to_utf8(ch, utf8);
    if (g_utf8_strlen(p->some->str, -1) < SOME && g_unichar_isprint(ch) &&
        !strstr(p->some->str, utf8)) {
        g_string_append(p->some, utf8);
    }
    p->skipped++;
}

/* Take over what can be typed.  False: the text is too long or no UTF-8. */
static bool paste_take(struct paste *p, const char *text)
{
    if (!g_utf8_validate(text, -1, NULL) || g_utf8_strlen(text, -1) > PASTE_MAX) {
        return false;
    }
    p->text = g_malloc(strlen(text) + 1);
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar ch = g_utf8_get_char(text);

        if (ch == '\r' && text[1] == '\n') {
            continue;
        }
        if (ch >= 0x7f) {
            ch = (gunichar)paste_plain(ch) ? (gunichar)paste_plain(ch) : ch;
        }
        if (ch == '\n' || ch == '\r' || ch == '\t' || (ch >= ' ' && ch < 0x7f)) {
            p->text[p->len++] = (char)ch;
        } else {
            paste_skip(p, ch);
        }
    }
    return true;
}

static bool paste_can_type(const struct paste *p)
{
    return !p->m->input->keys_queued || !p->m->input->keys_queued(p->m->input_dev);
}

bool paste_tick(struct paste *p)
{
    if (p->wait) {
        p->wait--;
        return true;
    }
    if (!paste_can_type(p)) {
        return true;
    }
    if (p->at < p->len) {
        char ch = p->text[p->at++];

        input_type_char(p->m, ch);
        p->wait = ch == '\n' || ch == '\r' ? ENTER_TICKS : 0;
        return true;
    }
    p->watch = 0;
    if (p->done) {
        p->done(p->arg);
    }
    return false;
}

static bool paste_on_tick(void *arg)
{
    return paste_tick(arg);
}

struct paste *paste_start(struct machine *m, const char *text, void (*done)(void *arg), void *arg,
                          GError **err)
{
    struct paste *p = g_new0(struct paste, 1);
    const char *why = NULL;

    p->m = m;
    p->some = g_string_new(NULL);
    p->done = done;
    p->arg = arg;
    if (!m->input || !m->input->key) {
        why = "this machine has no keyboard";
    } else if (!paste_take(p, text)) {
        why = "it is no UTF-8 text, or longer than 65536 characters; paste it in parts";
    } else if (!p->len) {
        why = "no key of a US keyboard gives any character of it";
    }
    if (why) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG, "the text cannot be typed: %s", why);
        paste_free(p);
        return NULL;
    }
    input_release_all(m); /* what a person holds is not part of the text */
    p->watch = loop_every(m, TICK_MS, paste_on_tick, p);
    return p;
}

unsigned paste_left(const struct paste *p)
{
    return p->len - p->at;
}

unsigned paste_skipped(const struct paste *p, char **some)
{
    if (some) {
        *some = g_strdup(p->some->str);
    }
    return p->skipped;
}

void paste_free(struct paste *p)
{
    if (p) {
        loop_unwatch(p->m, p->watch);
        g_string_free(p->some, TRUE);
        g_free(p->text);
        g_free(p);
    }
}
