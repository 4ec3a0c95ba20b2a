/*
 * The monitor at a stream: input that waits its turn, output that waits for a slow peer.
 *
 * One command is run per turn of the I/O thread, and none while the peer has not taken most of what
 * the ones before said: neither a flood of commands nor a peer that reads nothing holds up the
 * machine, and both queues have a limit.
 *
 * Not here: the commands (monitor_cmds.c), JSON.
 */
#include "ui/monitor.h"
#include "ui/chr_host.h"
#include "ui/lineedit.h"
#include "ui/monitor_cmd.h"

enum {
    INPUT_BYTES = 4096,
    WAITING_BYTES = 1024 * 1024, /* of output, at most */
    ENOUGH_BYTES = 64 * 1024,    /* with more waiting nothing is run */
    WIDTH = 78,
};
#define CTRL_C 3

struct monitor {
    struct session session;
    struct chr *chr;
    struct lineedit *edit;
    GString *out;      /* what the peer has not taken; the editor's too */
    GByteArray *input; /* what waits for its turn, at most INPUT_BYTES */
    size_t former;     /* of that: bytes of a peer that went, whose commands are still done */
    bool at_terminal;  /* editing is on for each new peer */
    bool heard;        /* the peer that is there was greeted: answers are for it */
    bool going;        /* monitor_go_later is under way */
    size_t begun;      /* completion: bytes of the line that the words begin with */
};

static void monitor_go(struct monitor *mon);
static void monitor_go_soon(struct monitor *mon);
static void monitor_greet(struct monitor *mon);

/* Output -------------------------------------------------------------------------------------- */

static void monitor_flush(struct monitor *mon)
{
    while (mon->out->len) {
        size_t n = chr_write(mon->chr, (const uint8_t *)mon->out->str, mon->out->len);

        if (!n) {
            return;
        }
        g_string_erase(mon->out, 0, (gssize)n);
    }
}

/* A terminal in raw mode wants a carriage return at the end of a line too. */
static void monitor_print(struct monitor *mon, const char *text)
{
    const char *end = lineedit_is_editing(mon->edit) ? "\r\n" : "\n";

    for (; *text && mon->out->len < WAITING_BYTES; text++) {
        if (*text == '\n') {
            g_string_append(mon->out, end);
        } else {
            g_string_append_c(mon->out, *text);
        }
    }
    if (*text) {
        g_string_append_printf(mon->out, "%s(cut off)%s", end, end);
    }
}

static void monitor_on_writable(void *opaque)
{
    struct monitor *mon = opaque;

    monitor_flush(mon);
    monitor_go(mon);
}

/* Commands ------------------------------------------------------------------------------------ */

static void monitor_prompt(struct monitor *mon)
{
    if (mon->session.terminal_asked) {
        lineedit_set_editing(mon->edit, mon->session.terminal);
        mon->session.terminal_asked = false;
    }
    lineedit_show(mon->edit);
}

static void monitor_tell_error(struct monitor *mon, const GError *err)
{
    g_autofree char *text = g_utf8_make_valid(err->message, -1);

    monitor_print(mon, "error: ");
    monitor_print(mon, text);
    monitor_print(mon, "\n");
}

static void monitor_on_answer(void *opaque, const char *text, const GError *err)
{
    struct monitor *mon = opaque;

    if (mon->heard) {
        monitor_print(mon, text);
        if (err) {
            monitor_tell_error(mon, err);
        }
        monitor_prompt(mon);
        monitor_flush(mon);
    }
    monitor_greet(mon);
    monitor_go_soon(mon);
}

static void monitor_run_line(struct monitor *mon, enum line_event event)
{
    if (event == LINE_TOO_LONG) {
        g_autoptr(GError) err = NULL;

        monitor_fail(&err, MONITOR_ERROR_ARGUMENT, "a line has at most %d bytes", LINEEDIT_MAX);
        lineedit_next(mon->edit);
        monitor_on_answer(mon, "", err);
        return;
    }
    g_autofree char *line = g_utf8_make_valid(lineedit_text(mon->edit), -1);

    lineedit_next(mon->edit);
    session_run(&mon->session, line, monitor_on_answer, mon);
}

/* Completion ---------------------------------------------------------------------------------- */

static size_t common_length(const char *a, const char *b)
{
    size_t n = 0;

    while (a[n] && a[n] == b[n]) {
        n++;
    }
    return n;
}

/* The words in columns, below the line, which is shown again. */
static void monitor_list(struct monitor *mon, char **words)
{
    size_t width = 0, column = 0;

    for (char **w = words; *w; w++) {
        width = MAX(width, strlen(*w) + 2);
    }
    monitor_print(mon, "\n");
    for (char **w = words; *w; w++) {
        g_autofree char *cell = g_strdup_printf("%-*s", (int)width, *w);

        if (column && column + width > WIDTH) {
            monitor_print(mon, "\n");
            column = 0;
        }
        monitor_print(mon, cell);
        column += width;
    }
    monitor_print(mon, "\n");
    lineedit_show(mon->edit);
}

static void monitor_on_words(void *opaque, const char *text, const GError *err)
{
    struct monitor *mon = opaque;
    g_auto(GStrv) words = g_strsplit(text, "\n", -1);
    unsigned count = g_strv_length(words);
    size_t common;

    monitor_go_soon(mon);
    monitor_greet(mon);
    if (!mon->heard || err || count < 2) { /* behind the last line feed is nothing */
        return;
    }
    g_clear_pointer(&words[--count], g_free);
    common = strlen(words[0]);
    for (char **w = words; *w; w++) {
        common = MIN(common, common_length(words[0], *w));
    }
    if (common > mon->begun) {
        g_autofree char *more = g_strndup(words[0] + mon->begun, common - mon->begun);

        lineedit_insert(mon->edit, more);
    } else if (count > 1) {
        monitor_list(mon, words);
    }
    monitor_flush(mon);
}

static void monitor_complete(struct monitor *mon)
{
    g_autofree char *line = g_strndup(lineedit_text(mon->edit), lineedit_cursor(mon->edit));

    mon->begun = strlen(session_last_word(line));
    session_complete(&mon->session, line, monitor_on_words, mon);
}

/* Input --------------------------------------------------------------------------------------- */

static void monitor_go_later(void *arg)
{
    struct monitor *mon = arg;

    mon->going = false;
    monitor_go(mon);
}

static void monitor_go_soon(struct monitor *mon)
{
    if (mon->input->len && !mon->going) {
        mon->going = true;
        loop_post(mon->session.m, monitor_go_later, mon);
    }
}

/* How much of the input may be taken now: a new peer's only when it was greeted. */
static size_t monitor_ready_input(const struct monitor *mon)
{
    return mon->chr->open && !mon->heard ? mon->former : mon->input->len;
}

static bool monitor_can_go(const struct monitor *mon)
{
    return !session_is_busy(&mon->session) && mon->out->len < ENOUGH_BYTES;
}

/* Take input up to the end of one command. */
static void monitor_go(struct monitor *mon)
{
    bool was_full = mon->input->len >= INPUT_BYTES, ran = false;
    size_t n = 0;

    while (!ran && monitor_can_go(mon) && n < monitor_ready_input(mon)) {
        enum line_event event = lineedit_take(mon->edit, mon->input->data[n++]);

        ran = event == LINE_DONE || event == LINE_TOO_LONG || event == LINE_COMPLETE;
        if (event == LINE_COMPLETE) {
            monitor_complete(mon);
        } else if (ran) {
            monitor_run_line(mon, event);
        } else if (event == LINE_CANCEL) {
            monitor_prompt(mon);
        }
    }
    g_byte_array_remove_range(mon->input, 0, (guint)MIN(n, mon->input->len));
    mon->former -= MIN(n, mon->former);
    if (!mon->heard) {
        g_string_truncate(mon->out, 0);
        monitor_greet(mon);
    }
    monitor_flush(mon);
    if (ran) {
        monitor_go_soon(mon);
    }
    if (was_full && n) {
        chr_accept_input(mon->chr);
    }
}

static size_t monitor_can_read(void *opaque)
{
    const struct monitor *mon = opaque;
    size_t most = mon->heard ? INPUT_BYTES : 2 * INPUT_BYTES; /* what a peer left finds room */

    return most - MIN(most, mon->input->len);
}

static void monitor_read(void *opaque, const uint8_t *buf, size_t len)
{
    struct monitor *mon = opaque;

    /* Whoever waits for a command can have the prompt back. */
    if (session_is_busy(&mon->session) && memchr(buf, CTRL_C, len)) {
        g_byte_array_set_size(mon->input, 0);
        mon->former = 0;
        session_give_up(&mon->session);
        return;
    }
    g_byte_array_append(mon->input, buf, (guint)len);
    if (!mon->going) {
        monitor_go(mon);
    }
}

/* The peer's turn begins when all that the one before left is done. */
static void monitor_greet(struct monitor *mon)
{
    if (mon->heard || !mon->chr->open || mon->former || session_is_busy(&mon->session)) {
        return;
    }
    mon->heard = true;
    lineedit_reset(mon->edit);
    lineedit_set_editing(mon->edit, mon->at_terminal);
    g_string_truncate(mon->out, 0);
    monitor_print(mon, "\nCandela monitor: 'help' lists the commands\n");
    lineedit_show(mon->edit);
    monitor_flush(mon);
    monitor_go_soon(mon);
}

/* A peer came or went; on a shared terminal: the input was switched here. */
static void monitor_connected(void *opaque, bool on)
{
    struct monitor *mon = opaque;

    if (!on) {
        mon->heard = false;
        g_string_truncate(mon->out, 0);
        monitor_go_soon(mon);
        chr_accept_input(mon->chr);
    } else if (mon->heard) {
        monitor_print(mon, "\n");
        if (!session_is_busy(&mon->session)) {
            lineedit_show(mon->edit);
        }
        monitor_flush(mon);
    } else {
        mon->former = mon->input->len;
        monitor_greet(mon);
    }
}

static bool monitor_busy(void *opaque)
{
    const struct monitor *mon = opaque;

    return mon->input->len || mon->out->len || session_is_busy(&mon->session);
}

static const struct chr_front monitor_front = {
    .can_read = monitor_can_read,
    .read = monitor_read,
    .writable = monitor_on_writable,
    .connected = monitor_connected,
    .busy = monitor_busy,
};

struct monitor *monitor_new(struct machine *m, struct chr *c, bool terminal)
{
    struct monitor *mon = g_new0(struct monitor, 1);

    session_init(&mon->session, m);
    mon->chr = c;
    mon->at_terminal = terminal;
    mon->out = g_string_new(NULL);
    mon->edit = lineedit_new("(candela) ", mon->out);
    mon->input = g_byte_array_new();
    lineedit_set_editing(mon->edit, terminal);
    c->front = &monitor_front;
    c->opaque = mon;
    return mon;
}

void monitor_start(struct monitor *mon)
{
    if (mon->chr->open) {
        monitor_connected(mon, true);
    }
}

void monitor_free(struct monitor *mon)
{
    if (mon) {
        session_fini(&mon->session);
        mon->chr->front = NULL;
        mon->chr->opaque = NULL;
        lineedit_free(mon->edit);
        g_string_free(mon->out, TRUE);
        g_byte_array_unref(mon->input);
        g_free(mon);
    }
}
