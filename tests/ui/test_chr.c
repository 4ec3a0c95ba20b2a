/*
 * Host ends of byte streams: peers that come, go and come back, shared input, and waits that a
 * signal ends.  The I/O thread runs; the device is the test's own.
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
#include <unistd.h>

enum { ENOUGH_US = 20 * G_USEC_PER_SEC };

struct sink {
    GString *got;
    size_t room; /* how much more the device takes */
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

static const struct chr_front sink_front = {.can_read = sink_can_read, .read = sink_read};

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

    cr_assert(chr_host_open(b->h, b->r->m, NULL, &err), "%s", err ? err->message : "");
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
