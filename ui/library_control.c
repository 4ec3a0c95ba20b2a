/*
 * The control socket's end in the running machine: see library_control.h.
 */
#include "ui/library_control.h"
#include <stdio.h>

enum { INPUT_MAX = 2 * CONTROL_PART_MAX + 64, HEAD_MAX = 32, ENOUGH_BYTES = 64 * 1024 };

struct control {
    struct session session;
    struct chr *chr;
    GByteArray *in;
    GString *out;
    char *folder;
    unsigned peer;  /* counts them */
    unsigned asked; /* which of them the command under way is for */
    bool working;   /* in control_work: an answer at once does not begin it again */
};

static void control_work(struct control *ctl);

static void control_flush(struct control *ctl)
{
    size_t n = ctl->out->len && ctl->chr->open
                   ? chr_write(ctl->chr, (const uint8_t *)ctl->out->str, ctl->out->len)
                   : 0;

    g_string_erase(ctl->out, 0, (gssize)n);
}

static void control_say(struct control *ctl, const char *text, const char *error)
{
    g_string_append_printf(ctl->out, "%s %zu %zu\n%s%s", error ? "error" : "ok", strlen(text),
                           error ? strlen(error) : 0, text, error ? error : "");
}

static void control_answer(void *opaque, const char *text, const GError *err)
{
    struct control *ctl = opaque;

    if (ctl->asked == ctl->peer) {
        control_say(ctl, text, err ? err->message : NULL);
    }
    if (!ctl->working) {
        control_work(ctl);
        chr_accept_input(ctl->chr);
    }
}

/* The head of a request; false: it is not whole yet, or (*bad) never will be. */
static bool control_head(const struct control *ctl, size_t *head, size_t *folder, size_t *command,
                         bool *bad)
{
    const uint8_t *end = memchr(ctl->in->data, '\n', MIN(ctl->in->len, HEAD_MAX));
    char text[HEAD_MAX + 1] = "", rest;

    if (!end) {
        *bad = ctl->in->len >= HEAD_MAX;
        return false;
    }
    *head = (size_t)(end - ctl->in->data) + 1;
    memcpy(text, ctl->in->data, *head - 1);
    *bad = sscanf(text, "%5zu %5zu%c", folder, command, &rest) != 2 || *folder > CONTROL_PART_MAX ||
           *command > CONTROL_PART_MAX;
    return !*bad && ctl->in->len >= *head + *folder + *command;
}

/* Take one request; false: there is none. */
static bool control_take(struct control *ctl)
{
    size_t head = 0, folder = 0, command = 0;
    bool bad = false;

    if (!ctl->in->len || !control_head(ctl, &head, &folder, &command, &bad)) {
        if (bad) {
            g_byte_array_set_size(ctl->in, 0);
            control_say(ctl, "", "this is no request of candela ctl");
        }
        return false;
    }
    g_free(ctl->folder);
    ctl->folder = g_strndup((char *)ctl->in->data + head, folder);
    g_autofree char *line = g_strndup((char *)ctl->in->data + head + folder, command);
    g_byte_array_remove_range(ctl->in, 0, (guint)(head + folder + command));
    ctl->session.folder = *ctl->folder ? ctl->folder : NULL;
    ctl->asked = ctl->peer;
    session_run(&ctl->session, line, control_answer, ctl);
    return true;
}

/* Run what is asked, as far as answers are taken. */
static void control_work(struct control *ctl)
{
    ctl->working = true;
    while (!session_is_busy(&ctl->session) && ctl->out->len < ENOUGH_BYTES && control_take(ctl)) {
    }
    ctl->working = false;
    control_flush(ctl);
}

/* The stream ----------------------------------------------------------------------------------- */

static size_t control_can_read(void *opaque)
{
    const struct control *ctl = opaque;

    return INPUT_MAX - MIN(INPUT_MAX, ctl->in->len);
}

static void control_read(void *opaque, const uint8_t *buf, size_t len)
{
    struct control *ctl = opaque;

    g_byte_array_append(ctl->in, buf, (guint)len);
    if (!ctl->working) {
        control_work(ctl);
    }
}

static void control_on_writable(void *opaque)
{
    struct control *ctl = opaque;

    control_flush(ctl);
    if (!ctl->out->len && !ctl->working) {
        control_work(ctl);
        chr_accept_input(ctl->chr);
    }
}

static void control_connected(void *opaque, bool on)
{
    struct control *ctl = opaque;

    (void)on;
    ctl->peer++;
    g_byte_array_set_size(ctl->in, 0);
    g_string_truncate(ctl->out, 0);
}

static bool control_busy(void *opaque)
{
    const struct control *ctl = opaque;

    return ctl->out->len || (session_is_busy(&ctl->session) && ctl->asked == ctl->peer);
}

static const struct chr_front control_front = {
    .can_read = control_can_read,
    .read = control_read,
    .writable = control_on_writable,
    .connected = control_connected,
    .busy = control_busy,
};

struct control *control_new(struct machine *m, struct chr *c)
{
    struct control *ctl = g_new0(struct control, 1);

    session_init(&ctl->session, m);
    ctl->chr = c;
    ctl->in = g_byte_array_new();
    ctl->out = g_string_new(NULL);
    c->front = &control_front;
    c->opaque = ctl;
    return ctl;
}

void control_free(struct control *ctl)
{
    if (ctl) {
        session_fini(&ctl->session);
        ctl->chr->front = NULL;
        ctl->chr->opaque = NULL;
        g_byte_array_unref(ctl->in);
        g_string_free(ctl->out, TRUE);
        g_free(ctl->folder);
        g_free(ctl);
    }
}
