/*
 * The monitor at a stream: peers that come and go, floods, slow readers, junk, completion.  The
 * stream is the test's own: what it takes and when.
 */
#include "tests/ui/monitor_rig.h"
#include "ui/lineedit.h"
#include "ui/monitor.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct peer {
    struct mon *b;
    struct chr chr; /* its front end is the monitor */
    struct monitor *mon;
    GString *got;
    size_t room; /* bytes the peer still takes */
};

static size_t peer_write(struct chr *c, const uint8_t *buf, size_t len)
{
    struct peer *p = container_of(c, struct peer, chr);
    size_t n = MIN(len, p->room);

    g_string_append_len(p->got, (const char *)buf, (gssize)n);
    p->room -= n;
    return n;
}

static const struct chr_ops peer_ops = {.write = peer_write};

static struct peer *peer_new(bool terminal)
{
    struct peer *p = g_new0(struct peer, 1);

    p->b = mon_new();
    p->chr.ops = &peer_ops;
    p->chr.open = true;
    p->chr.m = p->b->m;
    p->room = SIZE_MAX;
    p->got = g_string_new(NULL);
    p->mon = monitor_new(p->b->m, &p->chr, terminal);
    monitor_start(p->mon);
    return p;
}

static void peer_free(struct peer *p)
{
    monitor_free(p->mon);
    mon_free(p->b);
    g_string_free(p->got, TRUE);
    g_free(p);
}

static void peer_connect(struct peer *p, bool on)
{
    p->chr.open = on;
    p->chr.front->connected(p->chr.opaque, on);
}

/* As much as the monitor takes now. */
static size_t peer_offer(struct peer *p, const char *text, size_t len)
{
    size_t n = MIN(len, p->chr.front->can_read(p->chr.opaque));

    if (n) {
        p->chr.front->read(p->chr.opaque, (const uint8_t *)text, n);
    }
    return n;
}

static void peer_send(struct peer *p, const char *text, size_t len)
{
    for (unsigned i = 0; i < 1000000 && len; i++) {
        size_t n = peer_offer(p, text, len);

        text += n;
        len -= n;
        loop_run_posts(p->b->m);
    }
    cr_expect_eq(len, 0, "the monitor takes no more");
}

/* What comes after `text` was sent, up to the next prompt. */
static const char *ask(struct peer *p, const char *text)
{
    int64_t until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    g_string_truncate(p->got, 0);
    peer_send(p, text, strlen(text));
    while (!g_str_has_suffix(p->got->str, "(candela) ") && g_get_monotonic_time() < until) {
        mon_settle(p->b, 0);
    }
    return p->got->str;
}

Test(monitor_stream, lines_are_answered)
{
    struct peer *p = peer_new(false);

    cr_expect_str_eq(p->got->str, "\nCandela monitor: 'help' lists the commands\n(candela) ");
    cr_expect_str_eq(ask(p, "print 1\n"), "0x1\n(candela) ");
    cr_expect_str_eq(ask(p, "print /d 5\r\n"), "5\n(candela) ");
    cr_expect_str_eq(ask(p, "\n"), "(candela) ");
    cr_expect_str_eq(ask(p, "xp /1xb 0xfffffffff\n"),
                     "error: fffffffff: there is no memory\n(candela) ");
    cr_expect_str_eq(ask(p, "print 1\x03print 2\n"), "(candela) 0x2\n(candela) ");
    peer_free(p);
}

Test(monitor_stream, a_terminal_gets_an_echo)
{
    struct peer *p = peer_new(true);

    cr_expect_str_eq(ask(p, "print 1\r"), "print 1\r\n0x1\r\n(candela) ");
    cr_expect_str_eq(ask(p, "\033[A\r"), "print 1\r\n0x1\r\n(candela) ");
    ask(p, "editing off\r");
    cr_expect_str_eq(ask(p, "print 2\n"), "0x2\n(candela) ");
    ask(p, "editing on\n");
    cr_expect_str_eq(ask(p, "print 3\r"), "print 3\r\n0x3\r\n(candela) ");
    peer_free(p);
}

Test(monitor_stream, tab_completes)
{
    static const struct {
        const char *typed, *line;
    } cases[] = {
        {"qu\t", "quit "},
        {"inf\tregi\t", "info registers "},
        {"info uar\t", "info uart"},
        {"info uart0\t", "info uart0 "},
        {"eject fl\t", "eject floppy0 "},
        {"eject -\tide1\t", "eject -f ide1-cd0 "},
        {"sendkey ctrl-alt-dele\t", "sendkey ctrl-alt-delete"},
        {"x /4xb $r1\t", "x /4xb $r1"},
        {"p/d 4+$kernel\t", "p/d 4+$kernel_gs_base"},
        {"help inf\tmtr\t", "help info mtree "},
        {"editing of\t", "editing off "},
        {"change floppy0 x ra\t", "change floppy0 x raw "},
        {"nothing \t", "nothing "},
        {"quit \t", "quit "},
        {"info device rt\t", "info device rtc "},
        {"print \"\t", "print \""},
        {"lin\tw\t", "link wan "},
        {"link wan do\t", "link wan down "},

        {"set_link nic\tof\t", "set_link nic1 off "},
    };
    struct peer *p = peer_new(true);

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        g_autofree char *shown = NULL;
        const char *at;

        g_string_truncate(p->got, 0);
        peer_send(p, cases[i].typed, strlen(cases[i].typed));
        at = strrchr(p->got->str, ')');
        shown = g_strdup(at ? at + 2 : p->got->str);
        cr_expect_str_eq(shown, cases[i].line, "%s: '%s'", cases[i].typed, shown);
        ask(p, "\x03");
    }
    cr_expect(strstr(ask(p, "x\t\x03"), "\r\nx    xp "), "the choices are shown: %s", p->got->str);
    peer_free(p);
}

Test(monitor_stream, tab_completes_names_of_files)
{
    struct peer *p = peer_new(true);
    g_autofree char *two = mon_file(p->b, "one two.iso", 1);
    g_autofree char *three = mon_file(p->b, "one three.iso", 1);
    g_autofree char *typed = g_strdup_printf("change cdrom %s/on\tw\t", p->b->folder);
    g_autofree char *line = g_strdup_printf("change cdrom %s/one\\ two.iso ", p->b->folder);
    int64_t until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    (void)two;
    (void)three;
    g_string_truncate(p->got, 0);
    peer_send(p, typed, strlen(typed));
    while (!g_str_has_suffix(p->got->str, "iso ") && g_get_monotonic_time() < until) {
        mon_settle(p->b, 1);
    }
    cr_expect_str_eq(p->got->str, line);
    peer_free(p);
}

/* Whatever comes in, memory stays bounded, and the monitor is there afterwards. */
Test(monitor_stream, floods_are_bounded, .timeout = 120)
{
    struct peer *p = peer_new(false);
    g_autofree char *junk = g_malloc(1 << 20);
    uint32_t seed = 1;

    for (unsigned i = 0; i < 1 << 20; i++) {
        seed = seed * 1664525 + 1013904223;
        junk[i] = (char)(seed >> 24);
    }
    for (unsigned i = 0; i < 4; i++) { /* binary junk */
        peer_send(p, junk, 1 << 20);
        g_string_truncate(p->got, 0);
    }
    memset(junk, 'x', 1 << 20); /* one endless line */
    ask(p, "\n");
    for (unsigned i = 0; i < 16; i++) {
        peer_send(p, junk, 1 << 20);
    }
    cr_expect_str_eq(ask(p, "\n"), "error: a line has at most 1023 bytes\n(candela) ");
    cr_expect_str_eq(ask(p, "print 1\n"), "0x1\n(candela) ");
    peer_free(p);
}

Test(monitor_stream, a_peer_that_reads_nothing_holds_nothing_up, .timeout = 60)
{
    struct peer *p = peer_new(false);
    g_autoptr(GString) lines = g_string_new(NULL);
    size_t sent = 0, got;

    for (unsigned i = 0; i < 10000; i++) {
        g_string_append(lines, "info ports\n");
    }
    p->room = 0;
    for (unsigned i = 0; i < 10000; i++) {
        sent += peer_offer(p, lines->str + sent, lines->len - sent);
        loop_run_posts(p->b->m);
    }
    cr_expect(sent < 8192, "%zu bytes of commands were taken", sent);
    got = p->got->len;
    p->room = SIZE_MAX; /* it wakes up: what was taken is answered */
    p->chr.front->writable(p->chr.opaque);
    for (unsigned i = 0; i < 10000 && sent < lines->len; i++) {
        sent += peer_offer(p, lines->str + sent, lines->len - sent);
        loop_run_posts(p->b->m);
    }
    cr_expect_eq(sent, lines->len);
    while (p->chr.front->can_read(p->chr.opaque) < 4096) {
        mon_settle(p->b, 1);
    }
    cr_expect(p->got->len > got);
    cr_expect_str_eq(ask(p, "print 1\n"), "0x1\n(candela) ");
    peer_free(p);
}

/* One command a turn: others get the lock in between. */
Test(monitor_stream, commands_are_run_one_a_turn)
{
    struct peer *p = peer_new(false);
    const char *lines = "print 1\nprint 2\nprint 3\n";

    g_string_truncate(p->got, 0);
    peer_offer(p, lines, strlen(lines));
    cr_expect_str_eq(p->got->str, "0x1\n(candela) ");
    loop_run_posts(p->b->m);
    cr_expect_str_eq(p->got->str, "0x1\n(candela) 0x2\n(candela) ");
    loop_run_posts(p->b->m);
    cr_expect_str_eq(p->got->str, "0x1\n(candela) 0x2\n(candela) 0x3\n(candela) ");
    peer_free(p);
}

Test(monitor_stream, a_new_peer_starts_afresh)
{
    struct peer *p = peer_new(true);

    ask(p, "print 7\r");
    peer_send(p, "half a li", 9);
    g_string_truncate(p->got, 0);
    peer_connect(p, false);
    peer_connect(p, true);
    cr_expect_str_eq(p->got->str, "\r\nCandela monitor: 'help' lists the commands\r\n(candela) ");
    cr_expect_str_eq(ask(p, "print 1\r"), "print 1\r\n0x1\r\n(candela) ");
    peer_free(p);
}

/* echo system_reset | nc -U PATH: the peer may be gone before its turn came. */
Test(monitor_stream, what_a_peer_left_is_done_before_the_next_is_greeted)
{
    struct peer *p = peer_new(false);
    const char *lines = "print 1\nstop\nprint 2\nsystem_reset\nquit";

    g_string_truncate(p->got, 0);
    peer_offer(p, lines, strlen(lines));
    peer_connect(p, false);
    peer_connect(p, true);
    peer_offer(p, "print 7\n", 8);
    cr_expect_str_eq(p->got->str, "0x1\n(candela) ");
    g_string_truncate(p->got, 0);
    for (unsigned i = 0; i < 10000 && p->chr.front->busy(p->chr.opaque); i++) {
        mon_settle(p->b, 1);
    }
    mon_settle(p->b, 5); /* the reset's own turn */
    cr_expect_str_eq(p->got->str, "\nCandela monitor: 'help' lists the commands\n(candela) "
                                  "0x7\n(candela) ");
    cr_expect(p->b->m->paused);
    cr_expect_eq(p->b->m->resets, 1);
    cr_expect_eq((int)p->b->m->end, END_NONE, "half a line is no command");
    cr_expect(!p->chr.front->busy(p->chr.opaque));
    peer_free(p);
}

/* A named pipe that nobody reads: the command waits. */
Test(monitor_stream, a_command_that_waits_is_given_up_or_outlives_its_peer, .timeout = 60)
{
    struct peer *p = peer_new(false);
    g_autofree char *path = mon_path(p->b, "pipe.png");
    g_autofree char *line = g_strdup_printf("screendump %s\nprint 5\n", path);
    char buf[65536];
    int fd;

    cr_assert_eq(mkfifo(path, 0600), 0);
    g_string_truncate(p->got, 0);
    peer_send(p, line, strlen(line));
    mon_settle(p->b, 20);
    cr_expect_str_eq(p->got->str, "", "nothing is answered yet: %s", p->got->str);
    peer_send(p, "\x03", 1);
    cr_expect_str_eq(p->got->str, "error: screendump: given up\n(candela) ");
    cr_expect_str_eq(ask(p, "print 1\n"), "0x1\n(candela) ");

    peer_send(p, line, strlen(line));
    peer_connect(p, false); /* the next peer gets a prompt when the command is through */
    g_string_truncate(p->got, 0);
    peer_connect(p, true);
    cr_expect(!strstr(p->got->str, "(candela) "));
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    cr_assert(fd >= 0);
    for (unsigned i = 0; i < 10000 && !strstr(p->got->str, "(candela) "); i++) {
        while (read(fd, buf, sizeof buf) > 0) {
        }
        mon_settle(p->b, 1);
    }
    close(fd);
    cr_expect_str_eq(ask(p, "print 1\n"), "0x1\n(candela) ");
    peer_free(p);
}
