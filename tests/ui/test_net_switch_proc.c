/*
 * The switch between processes: some that are killed, some that start at once, and programs at its
 * socket that are no switch or a hostile one.
 */
#include "tests/ui/net_node.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HELLO_BYTES = 24 };

/* Other programs at the socket ----------------------------------------------------------------- */

static int connect_raw(const char *name)
{
    g_autofree char *file = g_strdup_printf("switch-%s", name);
    g_autofree char *path = place_path(file);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timeval minute = {.tv_sec = 60};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    g_strlcpy(a.sun_path, path, sizeof a.sun_path);
    cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &minute, sizeof minute);
    return fd;
}

static void make_hello(uint8_t hello[HELLO_BYTES], unsigned version)
{
    memset(hello, 0, HELLO_BYTES);
    memcpy(hello, "candela-switch", 14);
    st_le16(hello + 16, (uint16_t)version);
}

static int join_raw(const char *name)
{
    uint8_t hello[HELLO_BYTES], answer[HELLO_BYTES];
    int fd = connect_raw(name);

    make_hello(hello, 1);
    cr_assert_eq(send(fd, hello, sizeof hello, 0), HELLO_BYTES);
    cr_assert_eq(recv(fd, answer, sizeof answer, 0), HELLO_BYTES);
    cr_expect_arr_eq(answer, hello, HELLO_BYTES);
    return fd;
}

/* What is sent at the beginning leads to the end of the connection. */
static void expect_disconnected(const void *data, size_t len, bool after_hello)
{
    int fd = after_hello ? join_raw("lab") : connect_raw("lab");
    uint8_t buf[64];
    ssize_t n;

    cr_assert_eq(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
    do {
        n = recv(fd, buf, sizeof buf, 0);
    } while (n == HELLO_BYTES);
    cr_expect(!n || (n < 0 && errno == ECONNRESET), "%zu bytes: %zd", len, n);
    close(fd);
}

Test(net_switch_proc, garbage_at_the_socket_is_disconnected)
{
    static uint8_t big[NET_FRAME_MAX + 100];
    uint8_t hello[HELLO_BYTES];
    struct node n;
    int fd;

    place_begin();
    node_begin(&n, "lab", 2);
    expect_disconnected("GET / HTTP/1.1\r\n\r\n", 18, false);
    expect_disconnected(big, sizeof big, false);
    make_hello(hello, 2);
    expect_disconnected(hello, sizeof hello, false);
    make_hello(hello, 1);
    expect_disconnected(hello, sizeof hello - 1, false);
    expect_disconnected(big, NET_HEADER - 1, true);
    expect_disconnected(big, NET_FRAME_MAX + 5, true);
    expect_disconnected(big, sizeof big, true);
    cr_expect(was_noted("disconnected"), "%s", all_notes());
    /* One that says nothing is let go, too, and meanwhile and afterwards all is well. */
    fd = connect_raw("lab");
    send_frame(&n.card[0], EVERYBODY, 1, 'a', 0);
    cr_assert(net_card_wait(&n.card[1], 1));
    cr_expect_eq(recv(fd, big, sizeof big, 0), 0);
    close(fd);
    fd = join_raw("lab");
    cr_assert_eq(send(fd, big, make_frame(big, EVERYBODY, 9, 'r', 0), 0), 60);
    cr_assert(net_card_wait(&n.card[1], 2) && net_card_wait(&n.card[0], 1));
    cr_expect_eq(card_has(&n.card[1], 'r', 9), 1);
    send_frame(&n.card[0], 9, 1, 's', 0);
    cr_expect_eq(recv(fd, big, sizeof big, 0), 60);
    cr_expect_eq(big[14], 's');
    close(fd);
    node_end(&n);
    place_end();
}

Test(net_switch_proc, a_process_that_does_not_read_holds_nobody_up_for_long)
{
    static uint8_t frame[1500];
    struct node n;
    int fd;

    place_begin();
    node_begin(&n, "lab", 2);
    n.card[1].keep = false;
    fd = join_raw("lab");
    make_frame(frame, EVERYBODY, 1, 'f', 0);
    for (unsigned i = 0; i < 5000; i++) {
        net_card_send(&n.card[0], frame, sizeof frame);
    }
    cr_assert(net_card_wait(&n.card[1], 5000));
    cr_expect(node_says(&n, "lost (it did not take them)", true));
    cr_expect(was_noted("takes no frames"), "%s", all_notes());
    cr_expect_eq(net_card_drops(&n.card[0], NET_DROP_HOST), 0, "another got them");
    /* What is for it alone is counted at the sender. */
    make_frame(frame, EVERYBODY, 9, 'h', 0);
    cr_assert_eq(send(fd, frame, 60, 0), 60);
    cr_assert(net_card_wait(&n.card[1], 5001));
    make_frame(frame, 9, 1, 'g', 0);
    for (unsigned i = 0; i < 1000; i++) {
        net_card_send(&n.card[0], frame, sizeof frame);
    }
    cr_assert(net_card_wait_sent(&n.card[0]));
    send_frame(&n.card[0], EVERYBODY, 1, 'e', 0);
    cr_assert(net_card_wait(&n.card[1], 5002));
    cr_expect_gt(net_card_drops(&n.card[0], NET_DROP_HOST), 900);
    close(fd);
    cr_expect(node_says(&n, "  process", false));
    node_end(&n);
    place_end();
}

/* Frames of any contents and length. */
Test(net_switch_proc, random_frames_hurt_nobody)
{
    static const uint32_t tags[] = {0x08000000, 0x81000000, 0x81000005, 0x81000fff, 0x88a80005};
    static uint8_t f[NET_FRAME_MAX + 4];
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);
    struct node n;
    int fd;

    place_begin();
    node_begin(&n, "lab", 2);
    n.card[0].keep = n.card[1].keep = false;
    fd = join_raw("lab");
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = g_rand_int(rand) % 8 ? 14 + g_rand_int(rand) % 60
                                          : 14 + g_rand_int(rand) % (sizeof f - 13);

        for (unsigned j = 0; j < 12; j++) {
            f[j] = (uint8_t)g_rand_int(rand);
        }
        st_be32(f + 12, tags[g_rand_int(rand) % ARRAY_LEN(tags)]);
        cr_assert_eq(send(fd, f, len, 0), (ssize_t)len, "frame %u", i);
    }
    close(fd);
    cr_expect(node_says(&n, "  process", false));
    n.card[1].keep = true;
    send_frame(&n.card[0], EVERYBODY, 1, 'e', 0);
    while (!card_has(&n.card[1], 'e', 1)) {
        cr_assert(net_card_wait(&n.card[1], card_count(&n.card[1]) + 1));
    }
    node_end(&n);
    place_end();
}

/* More connections than there are links, and a storm of them. */
Test(net_switch_proc, too_many_processes_are_told_so)
{
    enum { MANY = 70 };
    uint8_t hello[HELLO_BYTES], answer[HELLO_BYTES];
    unsigned welcome = 0, full = 0;
    struct node n, b;
    int fd[MANY];

    place_begin();
    node_begin(&n, "lab", 2);
    make_hello(hello, 1);
    for (unsigned i = 0; i < MANY; i++) {
        fd[i] = connect_raw("lab");
        if (send(fd[i], hello, sizeof hello, MSG_NOSIGNAL) != HELLO_BYTES ||
            recv(fd[i], answer, sizeof answer, 0) != HELLO_BYTES) {
            continue;
        }
        welcome += !ld_le16(answer + 18);
        full += ld_le16(answer + 18) == 1;
    }
    cr_expect_eq(welcome, 60, "%u", welcome);
    cr_expect_geq(full, 1);
    node_begin(&b, "lab", 1);
    for (unsigned ms = 0; ms < 60000 && !was_noted("takes no more processes"); ms++) {
        g_usleep(1000);
    }
    cr_expect(was_noted("takes no more processes"), "%s", all_notes());
    for (unsigned i = 0; i < MANY; i++) {
        close(fd[i]);
    }
    cr_expect(nodes_meet(&n, &b), "when there is room again, it joins");
    send_frame(&b.card[0], EVERYBODY, 1, 'j', 0);
    cr_expect(net_card_wait(&n.card[1], 1));
    node_end(&b);
    node_end(&n);
    place_end();
}

/* Other processes ------------------------------------------------------------------------------ */

/* Answer every question; ask the others now and then, and tell on `told` when somebody answers. */
static void child_serve(struct node *n, uint32_t me, int told)
{
    const uint8_t *f;
    size_t len;

    for (unsigned at = 0, turn = 0;; turn++) {
        while ((f = net_card_frame(&n->card[0], at, &len)) != NULL) {
            at++;
            if (f[14] == 'Q') {
                send_frame(&n->card[0], ld_be32(f + 8), me, 'R', ld_be32(f + 16));
            } else if (f[14] == 'R' && told >= 0) {
                if (write(told, "k", 1) != 1) {
                    _exit(1);
                }
                close(told);
                told = -1;
            }
        }
        if (told >= 0 && turn % 10 == 0) {
            send_frame(&n->card[0], EVERYBODY, me, 'Q', turn);
        }
        g_usleep(1000);
    }
}

/* A process with a machine at the switch, once it has read a byte from `go` (-1: at once). */
static pid_t child_start(uint32_t me, int go, int told)
{
    pid_t pid = fork();
    struct node n;
    char c;

    cr_assert_geq(pid, 0);
    if (pid) {
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (go >= 0 && read(go, &c, 1) != 1) {
        _exit(4);
    }
    node_init(&n, "lab", 1, NULL);
    if (!nets_start(n.s, NULL)) {
        _exit(2);
    }
    child_serve(&n, me, told);
    _exit(3);
}

static void child_kill(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFSIGNALED(status), "ended by itself: %x", status);
}

/* Ask a child until it answers. */
static bool ask(struct node *n, uint32_t to)
{
    unsigned had = card_has(&n->card[0], 'R', to);

    for (unsigned i = 0; i < 3000; i++) {
        send_frame(&n->card[0], to, 1, 'Q', i);
        g_usleep(20000);
        if (card_has(&n->card[0], 'R', to) > had) {
            return true;
        }
    }
    return false;
}

static void wait_for_path(const char *path)
{
    for (unsigned ms = 0; ms < 60000 && !g_file_test(path, G_FILE_TEST_EXISTS); ms++) {
        g_usleep(1000);
    }
}

Test(net_switch_proc, goes_on_when_the_listener_is_killed)
{
    g_autofree char *path = NULL, *text = NULL, *info = NULL;
    pid_t a, b, c;
    int later[2];
    struct node n;

    place_begin();
    path = place_path("switch-lab");
    cr_assert_eq(pipe(later), 0);
    a = child_start(11, -1, -1);
    wait_for_path(path);
    b = child_start(12, -1, -1);
    c = child_start(13, later[0], -1);
    node_begin(&n, "lab", 1);
    text = g_strdup_printf("process %d, which has the socket", (int)a);
    cr_assert(node_says(&n, text, true));
    cr_expect(ask(&n, 11));
    child_kill(a);
    cr_expect(node_says(&n, text, false));
    cr_expect(node_says(&n, "has the socket", true), "somebody listens again");
    cr_expect(ask(&n, 12), "b does not answer");
    cr_assert_eq(write(later[1], "g", 1), 1);
    cr_expect(ask(&n, 13), "c does not answer");
    info = node_info(&n);
    cr_expect(strstr(info, "  has the socket") || strstr(info, "joined to"), "%s", info);
    child_kill(b);
    cr_expect(ask(&n, 13), "c does not answer after the second death");
    child_kill(c);
    node_end(&n);
    close(later[0]);
    close(later[1]);
    place_end();
}

/* The sockets of the round before are left behind each time. */
Test(net_switch_proc, two_that_start_at_once_find_each_other)
{
    place_begin();
    for (unsigned i = 0; i < 20; i++) {
        int go[2], told[2];
        pid_t child[2];
        char c;

        cr_assert_eq(pipe(go) || pipe(told), 0);
        for (unsigned j = 0; j < 2; j++) {
            child[j] = child_start(21 + j, go[0], told[1]);
        }
        cr_assert_eq(write(go[1], "gg", 2), 2);
        for (unsigned j = 0; j < 2; j++) {
            cr_assert_eq(read(told[0], &c, 1), 1, "round %u", i);
        }
        for (unsigned j = 0; j < 2; j++) {
            child_kill(child[j]);
        }
        close(go[0]);
        close(go[1]);
        close(told[0]);
        close(told[1]);
    }
    place_end();
}

/* Somebody cleans up: who starts later must not be alone. */
Test(net_switch_proc, finds_together_when_the_files_were_removed)
{
    g_autofree char *path = NULL, *lock = NULL;
    struct node a, b;

    place_begin();
    path = place_path("switch-lab");
    lock = place_path("switch-lab.lock");
    node_begin(&a, "lab", 1);
    cr_assert_eq(unlink(path) || unlink(lock), 0);
    node_begin(&b, "lab", 1);
    cr_expect(node_says(&b, "has the socket", true));
    cr_assert(nodes_meet(&b, &a));
    send_frame(&a.card[0], EVERYBODY, 1, 'a', 0);
    cr_expect(net_card_wait(&b.card[0], 1));
    node_end(&a);
    node_end(&b);
    place_end();
}
