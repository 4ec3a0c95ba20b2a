/*
 * TAP interfaces, in a network namespace of the test's own: frames both ways, down, deleted, and
 * what is said when one cannot be had.  Skipped where there is no /dev/net/tun or we are not root.
 */
#define _GNU_SOURCE
#include "tests/ui/net_node.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whether there can be interfaces here, apart from the host's own. */
static bool tap_is_possible(void)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        cr_skip_test("/dev/net/tun: %s", g_strerror(errno));
    }
    close(fd);
    if (unshare(CLONE_NEWNET)) {
        cr_skip_test("no network namespace of our own: %s", g_strerror(errno));
    }
    place_begin();
    return true;
}

static void edit_tap(struct nic_config *c, unsigned i)
{
    c->peer = NIC_PEER_TAP;
    g_free(c->name);
    c->name = g_strdup_printf("ctap%u", i);
}

static void begin(struct node *n, unsigned cards)
{
    GError *err = NULL;

    node_init(n, "", cards, edit_tap);
    cr_assert(nets_start(n->s, &err), "%s", err ? err->message : "");
}

static const char *refused_name;

static void edit_refused(struct nic_config *c, G_GNUC_UNUSED unsigned i)
{
    c->peer = NIC_PEER_TAP;
    g_free(c->name);
    c->name = g_strdup(refused_name);
}

static void expect_refusal(const char *name, const char *why)
{
    GError *err = NULL;
    struct node n;

    refused_name = name;
    node_init(&n, "", 1, edit_refused);
    cr_assert(!nets_start(n.s, &err), "tap %s is taken", name);
    cr_expect(g_str_has_prefix(err->message, "tap "), "%s", err->message);
    cr_expect(strstr(err->message, why), "%s", err->message);
    g_error_free(err);
    node_end(&n);
}

static void run(const char *command)
{
    int status = -1;

    cr_assert(g_spawn_command_line_sync(command, NULL, NULL, &status, NULL), "%s", command);
    cr_assert_eq(status, 0, "%s", command);
}

/* Up, and without what the host says by itself on a new interface. */
static void set_up(const char *name)
{
    g_autofree char *knob = g_strdup_printf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
    struct ifreq req = {0};
    int fd = open(knob, O_WRONLY | O_CLOEXEC), s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0) {
        cr_expect_eq(write(fd, "1", 1), 1);
        close(fd);
    }
    g_strlcpy(req.ifr_name, name, sizeof req.ifr_name);
    cr_assert_eq(ioctl(s, SIOCGIFFLAGS, &req), 0);
    req.ifr_flags |= IFF_UP;
    cr_assert_eq(ioctl(s, SIOCSIFFLAGS, &req), 0);
    close(s);
}

/* The host's program at the interface: it sends and gets our test frames, tagged or not. */
static int open_raw(const char *name, unsigned type)
{
    struct timeval minute = {.tv_sec = 60};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, GUINT16_TO_BE((uint16_t)type));
    struct sockaddr_ll a = {.sll_family = AF_PACKET,
                            .sll_protocol = GUINT16_TO_BE((uint16_t)type),
                            .sll_ifindex = (int)if_nametoindex(name)};

    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute);
    return fd;
}

Test(net_tap, carries_frames_both_ways)
{
    uint8_t f[1514], got[2000];
    struct node n;
    size_t len;
    int fd;

    if (!tap_is_possible()) {
        return;
    }
    begin(&n, 1);
    cr_expect(was_noted("sudo ip link set ctap0 up"), "%s", all_notes());
    cr_expect(node_says(&n, "interface ctap0: down", true));
    set_up("ctap0");
    cr_expect(node_says(&n, "interface ctap0: up, MTU 1500", true));
    fd = open_raw("ctap0", ECHO_TYPE);
    for (unsigned i = 0; i < 300; i++) {
        make_frame(f, EVERYBODY, 1, 'h', i);
        cr_assert_eq(send(fd, f, i % 2 ? 60 : sizeof f, 0), i % 2 ? 60 : (ssize_t)sizeof f);
    }
    cr_assert(net_card_wait(&n.card[0], 300));
    for (unsigned i = 0; i < 300; i++) {
        const uint8_t *in = net_card_frame(&n.card[0], i, &len);

        cr_assert_eq(len, i % 2 ? 60 : sizeof f);
        cr_assert_eq(ld_be32(in + 16), i);
    }
    for (unsigned i = 0; i < 300; i++) {
        send_frame(&n.card[0], EVERYBODY, 2, 'g', i);
        cr_assert_eq(recv(fd, got, sizeof got, 0), 60);
        cr_assert(got[14] == 'g' && ld_be32(got + 16) == i, "frame %u", i);
    }
    close(fd);
    node_end(&n);
    cr_expect_eq(if_nametoindex("ctap0"), 0, "what was made is gone");
    place_end();
}

/* Tags are part of the frames, in both directions. */
Test(net_tap, vlans_of_the_host)
{
    uint8_t f[100] = {0}, got[2000];
    struct node n;
    const uint8_t *in;
    size_t len;
    int fd;

    if (!tap_is_possible()) {
        return;
    }
    begin(&n, 1);
    set_up("ctap0");
    fd = open_raw("ctap0", 0x8100);
    make_frame(f, EVERYBODY, 1, 'v', 0);
    st_be32(f + 12, 0x81002005);
    st_be16(f + 16, ECHO_TYPE);
    cr_assert_eq(send(fd, f, 64, 0), 64);
    cr_assert(net_card_wait(&n.card[0], 1));
    in = net_card_frame(&n.card[0], 0, &len);
    cr_assert_eq(len, 64);
    cr_expect_eq(memcmp(in, f, 64), 0);
    close(fd);
    /* The kernel takes the tag off for sockets, which see the type behind it. */
    fd = open_raw("ctap0", ETH_P_ALL);
    net_card_send(&n.card[0], f, 64);
    do {
        ssize_t got_len = recv(fd, got, sizeof got, 0);

        cr_assert_geq(got_len, 60);
    } while (memcmp(got, f, 12) || ld_be16(got + 12) != ECHO_TYPE);
    close(fd);
    node_end(&n);
    place_end();
}

Test(net_tap, an_interface_that_is_down_costs_frames_and_no_more)
{
    struct node n;
    uint8_t got[100];
    int fd;

    if (!tap_is_possible()) {
        return;
    }
    begin(&n, 1);
    for (unsigned i = 0; i < 500; i++) {
        send_frame(&n.card[0], EVERYBODY, 1, 'd', i);
    }
    cr_assert(net_card_wait_sent(&n.card[0]));
    cr_expect(node_says(&n, "it refused 500 frames", true));
    cr_expect_eq(net_card_drops(&n.card[0], NET_DROP_HOST), 500);
    set_up("ctap0");
    fd = open_raw("ctap0", ECHO_TYPE);
    send_frame(&n.card[0], EVERYBODY, 1, 'u', 0);
    cr_expect_eq(recv(fd, got, sizeof got, 0), 60);
    cr_expect_eq(got[14], 'u');
    close(fd);
    node_end(&n);
    place_end();
}

Test(net_tap, an_interface_that_is_deleted_is_told)
{
    struct node n;

    if (!tap_is_possible()) {
        return;
    }
    begin(&n, 2);
    run("ip link del ctap0");
    cr_expect(node_says(&n, "interface ctap0: gone", true));
    for (unsigned i = 0; i < 100; i++) {
        send_frame(&n.card[0], EVERYBODY, 1, 'd', i);
    }
    cr_expect(node_says(&n, "it refused 100 frames", true));
    cr_expect(was_noted("nic0 has no network any more"), "%s", all_notes());
    cr_expect(node_says(&n, "interface ctap1: down", true));
    node_end(&n);
    place_end();
}

Test(net_tap, a_lasting_interface_is_used_and_left)
{
    struct node n;

    if (!tap_is_possible()) {
        return;
    }
    run("ip tuntap add dev ctap0 mode tap");
    begin(&n, 1);
    expect_refusal("ctap0", "another program uses");
    node_end(&n);
    cr_expect_neq(if_nametoindex("ctap0"), 0);
    begin(&n, 1);
    node_end(&n);
    place_end();
}

Test(net_tap, what_cannot_be_had_is_explained)
{
    if (!tap_is_possible()) {
        return;
    }
    expect_refusal("", "characters");
    expect_refusal("a234567890123456", "15 characters");
    expect_refusal("a/b", "characters");
    expect_refusal("tap%d", "characters");
    expect_refusal("lo", "no TAP interface");
    run("ip tuntap add dev ctun0 mode tun");
    expect_refusal("ctun0", "no TAP interface");
    run("ip tuntap add dev cother0 mode tap user 12345");
    if (!setegid(54321) && !seteuid(54321)) {
        if (eaccess("/dev/net/tun", R_OK | W_OK)) {
            expect_refusal("ctap0", "/dev/net/tun");
        } else {
            expect_refusal("ctap0", "sudo ip tuntap add dev ctap0 mode tap user $USER");
            expect_refusal("cother0", "another user");
        }
        cr_assert_eq(seteuid(0) || setegid(0), 0);
    }
    place_end();
}

/* Much at once from the host: what the card has no room for waits, or is the host's to drop. */
Test(net_tap, a_burst_is_taken_in_order)
{
    static uint8_t f[1514];
    struct node n;
    uint32_t last = 0;
    const uint8_t *in;
    size_t len;
    int fd;

    if (!tap_is_possible()) {
        return;
    }
    begin(&n, 1);
    set_up("ctap0");
    fd = open_raw("ctap0", ECHO_TYPE);
    machine_lock(n.r->m);
    n.card[0].buffers = 0;
    machine_unlock(n.r->m);
    make_frame(f, EVERYBODY, 1, 'b', 0);
    for (uint32_t i = 1; i <= 3000; i++) {
        st_be32(f + 16, i);
        (void)!send(fd, f, sizeof f, MSG_DONTWAIT);
    }
    net_card_add_buffers(&n.card[0], UINT64_MAX);
    make_frame(f, EVERYBODY, 1, 'e', 0);
    while (!card_has(&n.card[0], 'e', 1)) {
        (void)!send(fd, f, 60, MSG_DONTWAIT);
        g_usleep(10000);
    }
    for (unsigned i = 0; (in = net_card_frame(&n.card[0], i, &len)) != NULL && in[14] == 'b'; i++) {
        cr_assert_gt(ld_be32(in + 16), last);
        last = ld_be32(in + 16);
    }
    cr_expect_gt(last, 100);
    close(fd);
    node_end(&n);
    place_end();
}
