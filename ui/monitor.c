/*
 * The monitor: its line editor, and output that waits when the peer is slow.
 *
 * Not here: history and completion, JSON (issue 3).
 */
#include "ui/monitor.h"
#include "ui/chr_host.h"

enum { LINE_BYTES = 1024, WAITING_BYTES = 1024 * 1024 };

struct monitor {
    struct machine *m;
    struct chr *chr;
    GString *line;
    GString *waiting; /* output the peer has not taken */
    bool echo, after_cr, greeted;
};

static void monitor_flush(void *opaque)
{
    struct monitor *mon = opaque;

    while (mon->waiting->len) {
        size_t n = chr_write(mon->chr, (const uint8_t *)mon->waiting->str, mon->waiting->len);

        if (!n) {
            return;
        }
        g_string_erase(mon->waiting, 0, (gssize)n);
    }
}

static void monitor_print(struct monitor *mon, const char *text)
{
    if (mon->waiting->len < WAITING_BYTES) {
        g_string_append(mon->waiting, text);
    }
    monitor_flush(mon);
}

static void monitor_prompt(struct monitor *mon)
{
    monitor_print(mon, "(candela) ");
}

static void monitor_line_done(struct monitor *mon)
{
    g_autoptr(GString) out = g_string_new(mon->echo ? "\n" : "");

    monitor_execute(mon->m, mon->line->str, out);
    g_string_truncate(mon->line, 0);
    monitor_print(mon, out->str);
    monitor_prompt(mon);
}

static void monitor_take(struct monitor *mon, char ch)
{
    bool lf_of_crlf = ch == '\n' && mon->after_cr;

    mon->after_cr = ch == '\r';
    if (ch == '\r' || ch == '\n') {
        if (!lf_of_crlf) {
            monitor_line_done(mon);
        }
    } else if (ch == '\b' || ch == 0x7f) {
        if (mon->line->len) {
            g_string_truncate(mon->line, mon->line->len - 1);
            monitor_print(mon, mon->echo ? "\b \b" : "");
        }
    } else if (ch == 3 || ch == 21) { /* Ctrl-C, Ctrl-U: begin again */
        g_string_truncate(mon->line, 0);
        monitor_print(mon, "\n");
        monitor_prompt(mon);
    } else if (!g_ascii_iscntrl(ch) && mon->line->len < LINE_BYTES) {
        char text[2] = {ch, '\0'};

        g_string_append_c(mon->line, ch);
        monitor_print(mon, mon->echo ? text : "");
    }
}

static size_t monitor_can_read(void *opaque)
{
    const struct monitor *mon = opaque;

    return mon->waiting->len < WAITING_BYTES ? LINE_BYTES : 0;
}

static void monitor_read(void *opaque, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        monitor_take(opaque, (char)buf[i]);
    }
}

/* A peer came; on a shared terminal: the input was switched here. */
static void monitor_connected(void *opaque, bool on)
{
    struct monitor *mon = opaque;

    g_string_truncate(mon->line, 0);
    if (!on) {
        g_string_truncate(mon->waiting, 0);
        mon->greeted = false;
        return;
    }
    if (!mon->greeted) {
        monitor_print(mon, "\nCandela monitor: 'help' lists the commands\n");
        mon->greeted = true;
    } else {
        monitor_print(mon, "\n");
    }
    monitor_prompt(mon);
}

static const struct chr_front monitor_front = {
    .can_read = monitor_can_read,
    .read = monitor_read,
    .writable = monitor_flush,
    .connected = monitor_connected,
};

struct monitor *monitor_new(struct machine *m, struct chr *c, bool echo)
{
    struct monitor *mon = g_new0(struct monitor, 1);

    mon->m = m;
    mon->chr = c;
    mon->echo = echo;
    mon->line = g_string_new(NULL);
    mon->waiting = g_string_new(NULL);
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
        mon->chr->front = NULL;
        mon->chr->opaque = NULL;
        g_string_free(mon->line, TRUE);
        g_string_free(mon->waiting, TRUE);
        g_free(mon);
    }
}
