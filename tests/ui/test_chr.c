/*
 * Host ends of byte streams: peers that come, go and come back, shared input, and waits that a
 * signal ends.  The I/O thread runs; the device is the test's own.
 *
 * Not here: the text that names an endpoint (test_options.c).
 */
#include "tests/rig.h"
#include "ui/chr_host.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ENOUGH_US = 20 * G_USEC_PER_SEC };

struct sink {
    GString *got;
    size_t room; /* how much more the device takes */
    unsigned breaks;
    bool writable; /* it was told so */
};

struct bench {
    struct rig *r;
    struct chr_host *h;
    struct chr *c;
    struct sink sink, monitor;
    char *folder, *path;
    bool running;
};

static size_t sink_can_read(void *opaque)
{
    return ((struct sink *)opaque)->room;
}

static void sink_read(void *opaque, const uint8_t *buf, size_t len)
{
    struct sink *s = opaque;

    g_string_append_len(s->got, (const char *)buf, (gssize)len);
    s->room -= len;
}

static void sink_writable(void *opaque)
{
    ((struct sink *)opaque)->writable = true;
}

static void sink_break(void *opaque)
{
    ((struct sink *)opaque)->breaks++;
}

static const struct chr_front sink_front = {.can_read = sink_can_read,
                                            .read = sink_read,
                                            .writable = sink_writable,
                                            .got_break = sink_break};

/* The name of the last pty. */
static char pty_name[64];

static void note_pty(const char *text)
{
    const char *at = strstr(text, "/dev/");

    g_strlcpy(pty_name, at ? at : "", sizeof pty_name);
}

static void sink_init(struct sink *s, struct chr *c, size_t room)
{
    s->got = g_string_new(NULL);
    s->room = room;
    if (c) {
        c->front = &sink_front;
        c->opaque = s;
    }
}

/* An endpoint "KIND:FOLDER/x" plus `flags`, not open yet; lock held. */
static struct bench *bench_begin(const char *kind, const char *flags, size_t room)
{
    struct bench *b = g_new0(struct bench, 1);
    g_autofree char *spec = NULL;
    GError *err = NULL;

    signal(SIGPIPE, SIG_IGN); /* as in ui/main.c */
    b->folder = g_dir_make_tmp("candela-chr-XXXXXX", NULL);
    b->path = g_build_filename(b->folder, "x", NULL);
    spec = g_str_has_suffix(kind, ":") ? g_strconcat(kind, b->path, flags, NULL) : g_strdup(kind);
    b->r = rig_begin(NULL);
    rig_ready(b->r);
    b->h = chr_host_new(spec, "COM1", &err);
    cr_assert(b->h, "%s: %s", spec, err ? err->message : "");
    b->c = chr_host_chr(b->h);
    sink_init(&b->sink, b->c, room);
    sink_init(&b->monitor, chr_host_monitor(b->h), SIZE_MAX);
    return b;
}

/* Open and let the I/O thread run; the lock is given up. */
static void bench_run(struct bench *b)
{
    GError *err = NULL;

    cr_assert(chr_host_open(b->h, b->r->m, note_pty, &err), "%s", err ? err->message : "");
    cr_assert(loop_start(b->r->m, &err));
    machine_unlock(b->r->m);
    b->running = true;
}

static void bench_free(struct bench *b)
{
    if (b->running) {
        loop_stop(b->r->m);
        machine_lock(b->r->m);
    }
    chr_host_close(b->h);
    rig_free(b->r);
    chr_host_free(b->h);
    unlink(b->path);
    cr_expect_eq(rmdir(b->folder), 0, "something is left in %s", b->folder);
    g_string_free(b->sink.got, TRUE);
    g_string_free(b->monitor.got, TRUE);
    g_free(b->folder);
    g_free(b->path);
    g_free(b);
}

/* Wait until the device has `len` bytes, and some time more for what must not come. */
static void bench_wait_got(struct bench *b, const struct sink *s, size_t len)
{
    int64_t until = g_get_monotonic_time() + ENOUGH_US;
    bool there = false;

    while (!there && g_get_monotonic_time() < until) {
        g_usleep(2000);
        machine_lock(b->r->m);
        there = s->got->len >= len;
        machine_unlock(b->r->m);
    }
    cr_expect_eq(s->got->len, len, "%zu bytes, not %zu", s->got->len, len);
}

static void bench_wait_open(struct bench *b, bool open)
{
    int64_t until = g_get_monotonic_time() + ENOUGH_US;
    bool is = !open;

    while (is != open && g_get_monotonic_time() < until) {
        g_usleep(2000);
        machine_lock(b->r->m);
        is = b->c->open;
        machine_unlock(b->r->m);
    }
    cr_expect_eq(is, open);
}

/* The device has room again. */
static void bench_give_room(struct bench *b, size_t room)
{
    machine_lock(b->r->m);
    b->sink.room = room;
    chr_accept_input(b->c);
    machine_unlock(b->r->m);
}

static void bench_say(struct bench *b, const char *text)
{
    machine_lock(b->r->m);
    cr_expect_eq(chr_write(b->c, (const uint8_t *)text, strlen(text)), strlen(text));
    machine_unlock(b->r->m);
}

static int peer_connect(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(addr.sun_path, path, sizeof addr.sun_path);
    cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0, "%s", g_strerror(errno));
    return fd;
}

static void peer_send(int fd, size_t len)
{
    g_autofree char *text = g_strnfill(len, 'x');

    cr_assert_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* What comes within reason; "" at the end. */
static void peer_expect(int fd, const char *text)
{
    char buf[64] = "";
    struct pollfd p = {.fd = fd, .events = POLLIN};

    cr_expect_eq(poll(&p, 1, ENOUGH_US / 1000), 1);
    ssize_t n = recv(fd, buf, sizeof buf - 1, MSG_DONTWAIT);
    cr_expect(n >= 0 && !strcmp(buf, text), "'%s', not '%s'", buf, text);
}

Test(chr, what_a_peer_sent_before_it_left_arrives, .timeout = 60)
{
    struct bench *b = bench_begin("unix:", ",server,nowait", 10);
    int fd;

    bench_run(b);
    fd = peer_connect(b->path);
    peer_send(fd, 3000);
    close(fd);
    bench_wait_got(b, &b->sink, 10);
    bench_wait_open(b, false);
    bench_give_room(b, SIZE_MAX);
    bench_wait_got(b, &b->sink, 3000);
    bench_free(b);
}

/* The device takes nothing, so the end of the first peer cannot be read. */
Test(chr, a_peer_that_left_is_replaced_by_the_next, .timeout = 60)
{
    struct bench *b = bench_begin("unix:", ",server,nowait", 0);
    int fd;

    bench_run(b);
    fd = peer_connect(b->path);
    peer_send(fd, 10000);
    bench_wait_open(b, true);
    close(fd);
    fd = peer_connect(b->path);
    peer_send(fd, 1);
    for (unsigned i = 0; i < 500; i++) { /* until it is accepted, output has nobody to go to */
        struct pollfd p = {.fd = fd, .events = POLLIN};

        bench_say(b, "hi");
        if (poll(&p, 1, 10)) {
            break;
        }
    }
    char buf[2] = "";
    cr_expect_eq(recv(fd, buf, 2, MSG_DONTWAIT), 2, "the second peer was not served");
    cr_expect(!memcmp(buf, "hi", 2));
    close(fd);
    bench_free(b);
}

Test(chr, one_peer_is_served_at_a_time, .timeout = 60)
{
    struct bench *b = bench_begin("unix:", ",server,nowait", SIZE_MAX);
    int first, second;

    bench_run(b);
    first = peer_connect(b->path);
    bench_wait_open(b, true);
    second = peer_connect(b->path);
    peer_expect(second, "");
    peer_send(first, 5);
    bench_wait_got(b, &b->sink, 5);
    bench_say(b, "yes");
    peer_expect(first, "yes");
    close(first);
    close(second);
    bench_free(b);
}

Test(chr, input_before_a_switch_to_the_monitor_is_not_lost, .timeout = 60)
{
    static const char typed[] = "abc\001cdef\001cghi";
    struct bench *b = bench_begin("mon:stdio", "", 1);
    int pipe_fds[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);

    cr_assert_eq(pipe(pipe_fds), 0);
    dup2(pipe_fds[0], STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    bench_run(b);
    cr_assert_eq(write(pipe_fds[1], typed, sizeof typed - 1), (ssize_t)sizeof typed - 1);
    bench_wait_got(b, &b->monitor, 3);
    bench_give_room(b, SIZE_MAX);
    bench_wait_got(b, &b->sink, 6);
    cr_expect_str_eq(b->sink.got->str, "abcghi");
    cr_expect_str_eq(b->monitor.got->str, "def");
    bench_free(b);
}

Test(chr, a_named_pipe_as_file_needs_a_reader, .timeout = 60)
{
    struct bench *b = bench_begin("file:", "", 0);
    GError *err = NULL;

    cr_assert_eq(mkfifo(b->path, 0600), 0);
    cr_expect_not(chr_host_open(b->h, b->r->m, NULL, &err));
    cr_assert(err && err->code == CANDELA_ERROR_FILE);
    cr_expect(strstr(err->message, b->path) && strstr(err->message, "nobody reads"), "%s",
              err->message);
    g_error_free(err);
    int fd = open(b->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bench_run(b);
    for (unsigned i = 0; i < 300; i++) { /* more than it holds: nothing may block */
        g_autofree char *text = g_strnfill(1024, 'y');

        machine_lock(b->r->m);
        chr_write(b->c, (const uint8_t *)text, 1024);
        machine_unlock(b->r->m);
    }
    char byte = 0;
    cr_expect_eq(read(fd, &byte, 1), 1);
    cr_expect_eq(byte, 'y');
    close(fd);
    bench_free(b);
}

Test(chr, a_missing_named_pipe_says_how_to_make_it)
{
    struct bench *b = bench_begin("pipe:", "", 0);
    GError *err = NULL;

    cr_expect_not(chr_host_open(b->h, b->r->m, NULL, &err));
    cr_assert(err && err->code == CANDELA_ERROR_FILE);
    cr_expect(strstr(err->message, "mkfifo"), "%s", err->message);
    g_error_free(err);
    bench_free(b);
}

Test(chr, sockets_that_cannot_be_opened_say_what_to_do)
{
    static const struct {
        const char *kind, *flags, *says;
        bool taken; /* a file has the name */
    } cases[] = {
        {"unix:", "", ",server", false},
        {"unix:", ",server,nowait", "choose another", true},
        {"tcp:127.0.0.1:1", "", ",reconnect=1", false},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench *b = bench_begin(cases[i].kind, cases[i].flags, 0);
        GError *err = NULL;

        cr_assert(!cases[i].taken || g_file_set_contents(b->path, "", 0, NULL));
        cr_expect_not(chr_host_open(b->h, b->r->m, NULL, &err));
        cr_assert(err && err->code == CANDELA_ERROR_FILE);
        cr_expect(strstr(err->message, cases[i].says), "%s", err->message);
        g_error_free(err);
        bench_free(b);
    }
}

/* The run has its signals blocked while it opens endpoints. */
static void expect_ended_by_signal(struct bench *b)
{
    GError *err = NULL;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGTERM);
    cr_expect_not(chr_host_open(b->h, b->r->m, NULL, &err));
    cr_assert(err && err->code == CANDELA_ERROR_HOST);
    cr_expect(strstr(err->message, "Terminated") && strstr(err->message, "COM1"), "%s",
              err->message);
    g_error_free(err);
}

Test(chr, a_server_that_waits_ends_by_a_signal_and_leaves_nothing, .timeout = 60)
{
    struct bench *b = bench_begin("unix:", ",server", 0);

    expect_ended_by_signal(b);
    chr_host_close(b->h);
    cr_expect_not(g_file_test(b->path, G_FILE_TEST_EXISTS));
    bench_free(b);
}

Test(chr, a_connection_that_does_not_come_ends_by_a_signal, .timeout = 60)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_autofree char *spec = NULL;

    cr_assert(!bind(listener, (struct sockaddr *)&addr, len) && !listen(listener, 0) &&
              !getsockname(listener, (struct sockaddr *)&addr, &len));
    for (unsigned i = 0; i < 4; i++) { /* its queue is full: the next one gets no answer */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        connect(fd, (struct sockaddr *)&addr, len);
    }
    spec = g_strdup_printf("tcp:127.0.0.1:%u", ntohs(addr.sin_port));
    struct bench *b = bench_begin(spec, "", 0);
    expect_ended_by_signal(b);
    bench_free(b);
}

/* Fill the endpoint until it takes no more; lock not held. */
static void bench_fill(struct bench *b)
{
    g_autofree char *text = g_strnfill(4096, 'z');
    size_t n = 1;

    machine_lock(b->r->m);
    for (unsigned i = 0; i < 1000 && n; i++) {
        n = chr_write(b->c, (const uint8_t *)text, 4096);
    }
    cr_expect_eq(n, 0, "it never fills");
    b->sink.writable = false;
    machine_unlock(b->r->m);
}

static void bench_wait_writable(struct bench *b)
{
    int64_t until = g_get_monotonic_time() + ENOUGH_US;
    bool is = false;

    while (!is && g_get_monotonic_time() < until) {
        g_usleep(2000);
        machine_lock(b->r->m);
        is = b->sink.writable;
        machine_unlock(b->r->m);
    }
    cr_expect(is, "the device waits for a peer that is gone");
}

/* Processor time while nothing happens: a loop that spins would use all of it. */
static void expect_idle(void)
{
    clock_t before = clock();

    g_usleep(300 * 1000);
    cr_expect_lt(clock() - before, CLOCKS_PER_SEC / 10, "something spins");
}

Test(chr, a_server_takes_one_peer_after_the_other, .timeout = 120)
{
    struct bench *b = bench_begin("unix:", ",server=on,wait=off", SIZE_MAX);

    bench_run(b);
    for (unsigned i = 1; i <= 20; i++) {
        int fd = peer_connect(b->path);

        bench_wait_open(b, true);
        peer_send(fd, 100);
        bench_wait_got(b, &b->sink, 100 * i);
        if (i % 2) { /* with output on its way */
            bench_fill(b);
        }
        close(fd);
        bench_wait_open(b, false);
        if (i % 2) {
            bench_wait_writable(b);
        }
        bench_say(b, "nobody hears this");
    }
    expect_idle();
    bench_free(b);
}

static int peer_listen(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(addr.sun_path, path, sizeof addr.sun_path);
    cr_assert(!bind(fd, (struct sockaddr *)&addr, sizeof addr) && !listen(fd, 1));
    return fd;
}

static int peer_accept(int listener)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};

    cr_assert_eq(poll(&p, 1, ENOUGH_US / 1000), 1, "it does not connect");
    return accept(listener, NULL, NULL);
}

Test(chr, a_client_reconnects_when_its_server_comes_and_goes, .timeout = 120)
{
    struct bench *b = bench_begin("unix:", ",reconnect=1", SIZE_MAX);

    bench_run(b); /* there is no server yet */
    bench_say(b, "nobody hears this");
    for (unsigned i = 1; i <= 3; i++) {
        int listener = peer_listen(b->path), fd = peer_accept(listener);

        bench_wait_open(b, true);
        bench_say(b, "hello");
        peer_expect(fd, "hello");
        peer_send(fd, 10);
        bench_wait_got(b, &b->sink, 10 * i);
        close(listener);
        close(fd);
        unlink(b->path);
        bench_wait_open(b, false);
    }
    bench_free(b);
}

Test(chr, a_tcp_client_reconnects, .timeout = 120)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, fd;
    g_autofree char *spec = NULL;

    cr_assert(!bind(listener, (struct sockaddr *)&addr, len) &&
              !getsockname(listener, (struct sockaddr *)&addr, &len));
    spec = g_strdup_printf("tcp:[127.0.0.1]:%u,reconnect=1", ntohs(addr.sin_port));
    struct bench *b = bench_begin(spec, "", SIZE_MAX);
    bench_run(b);
    g_usleep(100 * 1000); /* refused */
    cr_assert(!listen(listener, 1));
    for (unsigned i = 1; i <= 2; i++) {
        fd = peer_accept(listener);
        bench_wait_open(b, true);
        peer_send(fd, 5);
        bench_wait_got(b, &b->sink, 5 * i);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = one},
                   sizeof(struct linger));
        close(fd); /* a reset */
        bench_wait_open(b, false);
    }
    close(listener);
    bench_free(b);
}

Test(chr, a_pty_whose_other_side_closes_and_opens_again, .timeout = 120)
{
    struct bench *b = bench_begin("pty", "", SIZE_MAX);

    bench_run(b);
    bench_wait_open(b, false);
    bench_say(b, "nobody hears this");
    for (unsigned i = 1; i <= 4; i++) {
        int fd = open(pty_name, O_RDWR | O_NOCTTY | O_CLOEXEC);

        cr_assert_geq(fd, 0, "%s: %s", pty_name, g_strerror(errno));
        bench_wait_open(b, true);
        cr_assert_eq(write(fd, "in\r\003", 4), 4);
        bench_wait_got(b, &b->sink, 4 * i);
        if (i % 2) {
            bench_fill(b);
        }
        close(fd);
        bench_wait_open(b, false);
        if (i % 2) {
            bench_wait_writable(b);
        }
    }
    cr_expect(!strncmp(b->sink.got->str, "in\r\003", 4), "a pty is raw");
    expect_idle();
    bench_free(b);
}

/* Full, with a device that takes no input either. */
Test(chr, a_pty_that_closes_on_a_deaf_device_does_not_spin, .timeout = 60)
{
    struct bench *b = bench_begin("pty", "", 0);
    g_autofree char *text = g_strnfill(4096, 'x');
    int fd;

    bench_run(b);
    fd = open(pty_name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    bench_wait_open(b, true);
    for (unsigned i = 0; i < 100; i++) {
        cr_expect(write(fd, text, 4096) != 0);
        g_usleep(1000);
    }
    bench_fill(b);
    close(fd);
    bench_wait_writable(b);
    expect_idle();
    bench_free(b);
}

/* echo text >/dev/pts/N: gone before anybody looks. */
Test(chr, a_pty_takes_what_a_short_visitor_left, .timeout = 60)
{
    struct bench *b = bench_begin("pty", "", SIZE_MAX);

    bench_run(b);
    for (unsigned i = 1; i <= 3; i++) {
        int fd = open(pty_name, O_WRONLY | O_NOCTTY | O_CLOEXEC);

        cr_assert_eq(write(fd, "hello\n", 6), 6);
        close(fd);
        bench_wait_got(b, &b->sink, 6 * i);
        bench_wait_open(b, false);
    }
    bench_free(b);
}

Test(chr, named_pipes_whose_peers_come_and_go, .timeout = 120)
{
    struct bench *b = bench_begin("pipe:", "", SIZE_MAX);
    g_autofree char *in = g_strconcat(b->path, ".in", NULL);
    g_autofree char *out = g_strconcat(b->path, ".out", NULL);

    cr_assert(!mkfifo(in, 0600) && !mkfifo(out, 0600));
    bench_run(b);
    bench_wait_open(b, false);
    bench_say(b, "nobody hears this");
    for (unsigned i = 1; i <= 3; i++) {
        int to = open(in, O_WRONLY | O_NONBLOCK | O_CLOEXEC), from;
        char buf[8] = "";

        cr_assert_geq(to, 0, "nobody reads %s", in);
        bench_wait_open(b, true);
        cr_assert_eq(write(to, "hello", 5), 5);
        bench_wait_got(b, &b->sink, 5 * i);
        close(to);
        bench_wait_open(b, false);
        from = open(out, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        bench_wait_open(b, true);
        bench_say(b, "answer");
        cr_expect_eq(read(from, buf, sizeof buf), 6);
        cr_expect_str_eq(buf, "answer");
        bench_fill(b);
        close(from);
        bench_wait_writable(b);
        bench_wait_open(b, false);
    }
    expect_idle();
    unlink(in);
    unlink(out);
    bench_free(b);
}

/* It would read its own output otherwise. */
Test(chr, one_named_pipe_is_for_output, .timeout = 60)
{
    struct bench *b = bench_begin("pipe:", "", SIZE_MAX);
    char buf[8] = "";
    int fd;

    cr_assert_eq(mkfifo(b->path, 0600), 0);
    fd = open(b->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bench_run(b);
    bench_wait_open(b, true);
    bench_say(b, "hello");
    cr_expect_eq(read(fd, buf, sizeof buf), 5);
    g_usleep(250 * 1000);
    bench_wait_got(b, &b->sink, 0);
    close(fd);
    bench_free(b);
}

Test(chr, a_file_is_written_anew_or_gone_on_with)
{
    for (unsigned i = 0; i < 3; i++) {
        struct bench *b = bench_begin("file:", i == 1 ? ",append=on" : "", 0);
        g_autofree char *text = NULL;

        cr_assert(g_file_set_contents(b->path, "old ", 4, NULL));
        bench_run(b);
        bench_say(b, "new");
        cr_assert(g_file_get_contents(b->path, &text, NULL, NULL));
        cr_expect_str_eq(text, i == 1 ? "old new" : "new");
        bench_free(b);
    }
}

Test(chr, a_socket_is_for_its_owner_and_removed_in_the_end, .timeout = 60)
{
    struct bench *b = bench_begin("unix:", ",server,nowait", 0);
    struct stat st;

    bench_run(b);
    cr_assert(!stat(b->path, &st));
    cr_expect_eq(st.st_mode & 0777, 0600);
    chr_host_close(b->h);
    cr_expect_not(g_file_test(b->path, G_FILE_TEST_EXISTS));
    bench_free(b);
}

Test(chr, the_escape_key_sends_a_break, .timeout = 60)
{
    static const char typed[] = "a\001bb\001\001";
    struct bench *b = bench_begin("mon:stdio", "", SIZE_MAX);
    int pipe_fds[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);

    cr_assert_eq(pipe(pipe_fds), 0);
    dup2(pipe_fds[0], STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    bench_run(b);
    cr_assert_eq(write(pipe_fds[1], typed, sizeof typed - 1), (ssize_t)sizeof typed - 1);
    bench_wait_got(b, &b->sink, 3);
    cr_expect_str_eq(b->sink.got->str, "ab\001");
    cr_expect_eq(b->sink.breaks, 1);
    bench_free(b);
}

/* A peer that sends without end beside one that wants to be heard. */
Test(chr, a_flood_starves_nobody, .timeout = 60)
{
    struct bench *b = bench_begin("unix:", ",server,nowait", 0);
    g_autofree char *text = g_strnfill(65536, 'x');
    int64_t begun = g_get_monotonic_time(), took = 0;
    int fd, others = 0;

    bench_run(b);
    fd = peer_connect(b->path);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    bench_wait_open(b, true);
    /* For half a second; longer where the host is busy. */
    while (took < 500 * 1000 || (took < ENOUGH_US && (others <= 10 || b->sink.got->len <= 100))) {
        int other = peer_connect(b->path); /* refused at once */

        (void)!send(fd, text, 65536, MSG_NOSIGNAL | MSG_DONTWAIT);
        others += poll(&(struct pollfd){.fd = other, .events = POLLIN}, 1, 10000) == 1;
        close(other);
        bench_say(b, "y"); /* the lock is to be had */
        bench_give_room(b, 10);
        took = g_get_monotonic_time() - begun;
    }
    cr_expect_gt(others, 10, "%d", others);
    cr_expect_gt(b->sink.got->len, 100);
    close(fd);
    bench_free(b);
}
