/*
 * The `user` peer, with a guest made of frames and servers on 127.0.0.1.
 */
#include "tests/ui/slirp_rig.h"
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

/* The host's end of a connection that the guest made or takes. */
static int host_connect(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

Test(net_slirp, gives_an_address_by_dhcp)
{
    struct slirp_rig r = {
        .config.user = {.hostname = "box", .domain = "example.org", .bootfile = "boot.ipxe"}};
    const uint8_t *o;
    uint32_t len;
    unsigned n;
    uint8_t *b;

    slirp_rig_open(&r);
    slirp_rig_send_dhcp(&r, 1, mac, 0);
    b = slirp_rig_receive_ip(&r, IP_PROTO_UDP, &len);
    cr_assert(b);
    cr_assert_eq(ld_be32(b + 16), 0x0a00020f);
    cr_assert_eq(ld_be32(b + 20), HOST, "next server");
    cr_assert_str_eq((char *)b + 108, "boot.ipxe");
    o = slirp_rig_dhcp_option(&r, 53, &n);
    cr_assert(o && n == 1 && *o == 2, "an offer");
    o = slirp_rig_dhcp_option(&r, 1, &n);
    cr_assert(o && n == 4 && ld_be32(o) == 0xffffff00);
    o = slirp_rig_dhcp_option(&r, 3, &n);
    cr_assert(o && n == 4 && ld_be32(o) == HOST);
    o = slirp_rig_dhcp_option(&r, 6, &n);
    cr_assert(o && n == 4 && ld_be32(o) == HOST + 1);
    o = slirp_rig_dhcp_option(&r, 12, &n);
    cr_assert(o && n == 3 && !memcmp(o, "box", 3));
    o = slirp_rig_dhcp_option(&r, 15, &n);
    cr_assert(o && n == 11 && !memcmp(o, "example.org", 11));
    slirp_rig_send_dhcp(&r, 3, mac, 0x0a00020f);
    cr_assert(slirp_rig_receive_ip(&r, IP_PROTO_UDP, &len));
    o = slirp_rig_dhcp_option(&r, 53, &n);
    cr_assert(o && *o == 5, "an acknowledgement");
    slirp_rig_close(&r);
}

Test(net_slirp, answers_ping)
{
    static const uint8_t ping[] = {8, 0, 0, 0, 0x12, 0x34, 0, 1, 'h', 'e', 'l', 'l', 'o', '!'};
    struct slirp_rig r = {0};
    uint32_t len;
    uint8_t *b;

    slirp_rig_open(&r);
    slirp_rig_send_ip(&r, HOST, IP_PROTO_ICMP, ping, sizeof ping);
    b = slirp_rig_receive_ip(&r, IP_PROTO_ICMP, &len);
    cr_assert(b && len == sizeof ping);
    cr_assert_eq(b[0], 0);
    cr_assert_arr_eq(b + 4, ping + 4, sizeof ping - 4);
    cr_assert_eq(ld_be32(r.frame + 26), HOST);
    slirp_rig_close(&r);
}

Test(net_slirp, carries_udp)
{
    struct slirp_rig r = {0};
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    char text[16];
    uint16_t port;
    uint32_t len;
    uint8_t *b;
    int fd;

    slirp_rig_open(&r);
    fd = slirp_rig_listen(SOCK_DGRAM, &port);
    slirp_rig_send_udp(&r, HOST, GUEST_PORT, port, "hello", 5);
    cr_assert_eq(recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &size), 5);
    cr_assert_arr_eq(text, "hello", 5);
    cr_assert_eq(sendto(fd, "world!", 6, 0, (struct sockaddr *)&from, size), 6);
    b = slirp_rig_receive_ip(&r, IP_PROTO_UDP, &len);
    cr_assert(b && len == 6);
    cr_assert_arr_eq(b, "world!", 6);
    cr_assert_eq(ld_be32(r.frame + 26), HOST);
    close(fd);
    slirp_rig_close(&r);
}

Test(net_slirp, carries_tcp)
{
    struct slirp_rig r = {0};
    struct guest_tcp t;
    char text[16];
    int fd;

    slirp_rig_open(&r);
    fd = guest_tcp_to_host(&t, &r);
    guest_tcp_send(&t, ACK | PSH, "hello", 5);
    cr_assert_eq(recv(fd, text, sizeof text, 0), 5);
    cr_assert_arr_eq(text, "hello", 5);
    cr_assert_eq(send(fd, "world!", 6, 0), 6);
    do {
        cr_assert(guest_tcp_receive(&t));
    } while (!t.len);
    cr_assert_eq(t.len, 6);
    cr_assert_arr_eq(t.data, "world!", 6);
    guest_tcp_send(&t, ACK, NULL, 0);
    close(fd);
    do {
        cr_assert(guest_tcp_receive(&t));
    } while (!(t.flags & FIN));
    slirp_rig_close(&r);
}

/* What the socket of the only connection has not sent yet. */
static int held_back(const struct slirp_rig *r)
{
    const struct net_slirp *n = r->port->peer;
    int bytes = -1;

    cr_assert_eq(n->corked, 1);
    cr_assert_eq(ioctl(n->cork[0], SIOCOUTQNSD, &bytes), 0);
    return bytes;
}

Test(net_slirp, sends_on_what_a_batch_brings_in_one_go)
{
    struct slirp_rig r = {.batch = true};
    struct guest_tcp t;
    char text[8192];
    int64_t begun;
    int fd, held;

    slirp_rig_open(&r);
    fd = guest_tcp_to_host(&t, &r);
    begun = g_get_monotonic_time();
    for (unsigned i = 0; i < 4; i++) {
        guest_tcp_send(&t, ACK, text, 1000);
    }
    held = held_back(&r);
    if (g_get_monotonic_time() - begun < 100 * 1000) { /* the kernel waits 200 ms */
        cr_assert_eq(held, 4000);
    }
    slirp_rig_flush(&r);
    cr_assert_eq(held_back(&r), 0);
    cr_assert_eq(recv(fd, text, sizeof text, 0), 4000);
    close(fd);
    slirp_rig_close(&r);
}

Test(net_slirp, forwards_a_port_to_the_guest)
{
    uint16_t port = slirp_rig_free_port(SOCK_STREAM);
    g_autofree char *rule = g_strdup_printf("tcp::%u-:22", port);
    struct slirp_rig r = {.config.user.forward = {rule}};
    struct guest_tcp t;
    char text[16];
    int fd;

    slirp_rig_open(&r);
    fd = host_connect(port);
    cr_assert(guest_tcp_accept(&t, &r, 22));
    cr_assert_eq(send(fd, "knock", 5, 0), 5);
    do {
        cr_assert(guest_tcp_receive(&t));
    } while (!t.len);
    cr_assert_arr_eq(t.data, "knock", 5);
    guest_tcp_send(&t, ACK | PSH, "who?", 4);
    cr_assert_eq(recv(fd, text, sizeof text, 0), 4);
    close(fd);
    slirp_rig_close(&r);
}

Test(net_slirp, says_which_port_is_in_use)
{
    static const struct {
        const char *kind;
        int type;
    } kinds[] = {{"tcp", SOCK_STREAM}, {"udp", SOCK_DGRAM}};

    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        uint16_t port;
        int fd = slirp_rig_listen(kinds[i].type, &port);
        g_autofree char *rule = g_strdup_printf("%s:127.0.0.1:%u-:22", kinds[i].kind, port);
        struct slirp_rig r = {.config.user.forward = {rule}};
        g_autoptr(GError) err = NULL;

        cr_assert_not(slirp_rig_try_open(&r, &err), "%s", rule);
        cr_assert(g_error_matches(err, CANDELA_ERROR, CANDELA_ERROR_FILE));
        cr_assert(strstr(err->message, rule) && strstr(err->message, "in use"), "%s", err->message);
        close(fd);
        slirp_rig_close(&r);
    }
}

Test(net_slirp, forwards_come_and_go)
{
    uint16_t port = slirp_rig_free_port(SOCK_STREAM);
    g_autofree char *rule = g_strdup_printf("tcp::%u-:22", port);
    struct slirp_rig r = {0};
    struct net_slirp *n;
    struct net_forward f;
    int fd;

    slirp_rig_open(&r);
    n = r.port->peer;
    cr_assert(net_forward_parse(rule, &f, NULL));
    cr_assert(net_slirp_add_forward(n, &f, NULL));
    close(host_connect(port));
    cr_assert(net_slirp_remove_forward(n, &f, NULL));
    cr_assert_not(net_slirp_remove_forward(n, &f, NULL));
    fd = slirp_rig_listen(SOCK_STREAM, &port);
    close(fd);
    slirp_rig_close(&r);
}

Test(net_slirp, restricted_lets_nothing_out)
{
    struct slirp_rig r = {.config.user.restricted = true};
    struct guest_tcp t = {
        .r = &r, .peer = HOST, .port = GUEST_PORT, .seq = 0x1000, .window = 0xffff};
    uint32_t len;
    char text[16];
    int tcp, udp;

    slirp_rig_open(&r);
    tcp = slirp_rig_listen(SOCK_STREAM, &t.peer_port);
    guest_tcp_send(&t, SYN, NULL, 0);
    if (guest_tcp_receive(&t)) {
        cr_assert(t.flags & RST);
    }
    udp = slirp_rig_listen(SOCK_DGRAM, &t.peer_port);
    slirp_rig_send_udp(&r, HOST, GUEST_PORT, t.peer_port, "hello", 5);
    cr_assert(slirp_rig_is_silent(&r, IP_PROTO_UDP));
    cr_assert_lt(recv(udp, text, sizeof text, MSG_DONTWAIT), 0);
    slirp_rig_send_dhcp(&r, 1, mac, 0);
    cr_assert(slirp_rig_receive_ip(&r, IP_PROTO_UDP, &len));
    close(tcp);
    close(udp);
    slirp_rig_close(&r);
}

Test(net_slirp, counts_what_it_does_not_carry)
{
    struct slirp_rig r = {0};
    uint8_t f[NET_FRAME_MAX] = {0};

    slirp_rig_open(&r);
    st_be16(f + 12, 0x8137);
    slirp_rig_send(&r, f, 60);
    st_be16(f + 12, 0x8100);
    slirp_rig_send(&r, f, 60);
    st_be16(f + 12, 0x0800);
    slirp_rig_send(&r, f, 1515);
    cr_assert_eq(r.port->net.stats.drops[NET_DROP_KIND], 1);
    cr_assert_eq(r.port->net.stats.drops[NET_DROP_HOST], 0);
    cr_assert_eq(r.port->net.stats.drops[NET_DROP_VLAN], 1);
    cr_assert_eq(r.port->net.stats.drops[NET_DROP_MALFORMED], 1);
    slirp_rig_close(&r);
}

Test(net_slirp, waits_until_the_card_has_room)
{
    enum { BYTES = 200000 };
    static uint8_t sent[BYTES], got[BYTES];
    struct slirp_rig r = {0};
    uint8_t frame[1000] = {0};
    struct guest_tcp t;
    uint32_t have = 0, waiting;
    int fd;

    slirp_rig_open(&r);
    fd = guest_tcp_to_host(&t, &r);
    for (unsigned i = 0; i < BYTES; i++) {
        sent[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    while (net_port_has_room(r.port)) {
        net_port_input(r.port, frame, sizeof frame);
    }
    waiting = r.port->in.frames;
    cr_assert_eq(send(fd, sent, BYTES, 0), BYTES);
    for (unsigned i = 0; i < 20; i++) {
        slirp_rig_round(&r, 1);
    }
    cr_assert_eq(r.port->in.frames, waiting, "nothing was read");
    guest_tcp_send(&t, ACK | PSH, "meanwhile", 9);
    cr_assert_eq(recv(fd, got, sizeof got, 0), 9, "the other way goes on");
    net_queue_clear(&r.port->in);
    while (have < BYTES) {
        cr_assert(guest_tcp_receive(&t));
        cr_assert_leq(have + t.len, BYTES);
        memcpy(got + have, t.data, t.len);
        have += t.len;
        if (t.len) {
            guest_tcp_send(&t, ACK, NULL, 0);
        }
    }
    cr_assert_eq(memcmp(got, sent, BYTES), 0);
    cr_assert_eq(r.port->net.stats.drops[NET_DROP_MISSED], 0);
    close(fd);
    slirp_rig_close(&r);
}

Test(net_slirp, forwards_a_socket_in_the_file_system)
{
    g_autofree char *dir = g_dir_make_tmp("candela-fwd-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "ssh-of-it", NULL);
    g_autofree char *rule = g_strdup_printf("unix:%s-:22", path);
    struct slirp_rig r = {.config.user.forward = {rule}};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct guest_tcp t;
    char text[16];
    int fd, stale = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(a.sun_path, path, sizeof a.sun_path);
    cr_assert_eq(bind(stale, (struct sockaddr *)&a, sizeof a), 0);
    close(stale);
    slirp_rig_open(&r);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    cr_assert(guest_tcp_accept(&t, &r, 22));
    guest_tcp_send(&t, ACK | PSH, "who?", 4);
    cr_assert_eq(recv(fd, text, sizeof text, 0), 4);
    close(fd);
    slirp_rig_close(&r);
    cr_assert_neq(access(path, F_OK), 0, "the socket is gone");
    cr_assert_eq(rmdir(dir), 0);
}

Test(net_slirp, many_may_wait_at_a_forward)
{
    uint16_t port = slirp_rig_free_port(SOCK_STREAM);
    g_autofree char *rule = g_strdup_printf("tcp::%u-:22", port);
    struct slirp_rig r = {.config.user.forward = {rule}};
    struct guest_tcp t;
    int fd[10];

    slirp_rig_open(&r);
    slirp_rig_round(&r, 0);
    for (unsigned i = 0; i < ARRAY_LEN(fd); i++) {
        fd[i] = host_connect(port);
    }
    cr_assert(guest_tcp_accept(&t, &r, 22));
    for (unsigned i = 0; i < ARRAY_LEN(fd); i++) {
        close(fd[i]);
    }
    slirp_rig_close(&r);
}

enum { IPV6 = NET_HEADER, IPV6_DATA = NET_HEADER + 40 };

/* A message of ICMPv6 from the guest; both addresses behind one another. */
static void send_icmp6(struct slirp_rig *r, const uint8_t addresses[32], const uint8_t *message,
                       unsigned len)
{
    uint8_t f[IPV6_DATA + 32] = {0x33, 0x33, 0, 0, 0, 2}, *ip = f + IPV6;

    memcpy(f + 6, mac, 6);
    st_be16(f + 12, 0x86dd);
    ip[0] = 0x60;
    st_be16(ip + 4, (uint16_t)len);
    ip[6] = GUARD_ICMP6;
    ip[7] = 255;
    memcpy(ip + 8, addresses, 32);
    memcpy(ip + 40, message, len);
    st_be16(ip + 42, net_guard_sum_end(net_guard_sum(ip + 8, 32 + len, GUARD_ICMP6 + len)));
    slirp_rig_send(r, f, IPV6_DATA + len);
}

static bool is_ipv6(const struct slirp_rig *r, unsigned proto)
{
    return ld_be16(r->frame + 12) == 0x86dd && r->frame[IPV6 + 6] == proto;
}

/* Ask for a router as IPv6 guests do; whether one answers. */
static bool has_router(struct slirp_rig *r)
{
    static const uint8_t guest_to_routers[32] = {0xfe, 0x80, [15] = 1, 0xff, 2, [31] = 2};
    bool found = false;

    send_icmp6(r, guest_to_routers, (const uint8_t[8]){133}, 8);
    while (slirp_rig_receive(r, 0)) {
        found |= is_ipv6(r, GUARD_ICMP6) && r->frame[IPV6_DATA] == 134;
    }
    return found;
}

Test(net_slirp, ipv6_is_there_unless_it_is_off)
{
    struct slirp_rig on = {0}, off = {.config.user.no_ipv6 = true};

    slirp_rig_open(&on);
    cr_assert(has_router(&on));
    slirp_rig_close(&on);
    slirp_rig_open(&off);
    cr_assert_not(has_router(&off));
    slirp_rig_close(&off);
}

/* A socket connected to `port` of ::1; -1: this host has none. */
static int host_connect6(uint16_t port)
{
    struct sockaddr_in6 a = {
        .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons(port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof a);

    if (fd >= 0) {
        close(fd);
    }
    return has;
}

/* The guest is looked for at the address that follows from its MAC, says that it is there, and gets
 * the connection. */
Test(net_slirp, forwards_over_ipv6)
{
    static const uint8_t guest[16] = {0xfe, 0xc0, [8] = 0x50, 0x54, 0,
                                      0xff, 0xfe, 0x12,       0x34, 0x56};
    uint16_t port = slirp_rig_free_port(SOCK_STREAM);
    g_autofree char *rule = g_strdup_printf("tcp:[::1]:%u-:22", port);
    struct slirp_rig r = {.config.user.forward = {rule}};
    uint8_t addresses[32], here[32] = {136, [4] = 0x60, [24] = 2, 1};
    int fd;

    if (!has_ipv6()) {
        cr_skip_test("no IPv6 here");
    }
    memcpy(r.config.mac, mac, 6);
    slirp_rig_open(&r);
    fd = host_connect6(port);
    cr_assert_geq(fd, 0);
    do {
        cr_assert(slirp_rig_receive(&r, RIG_WAIT_MS));
    } while (!is_ipv6(&r, GUARD_ICMP6) || r.frame[IPV6_DATA] != 135);
    cr_assert_arr_eq(r.frame + IPV6_DATA + 8, guest, 16);
    memcpy(addresses, guest, 16);
    memcpy(addresses + 16, r.frame + IPV6 + 8, 16);
    memcpy(here + 8, guest, 16);
    memcpy(here + 26, mac, 6);
    send_icmp6(&r, addresses, here, sizeof here);
    do {
        cr_assert(slirp_rig_receive(&r, RIG_WAIT_MS));
    } while (!is_ipv6(&r, GUARD_TCP));
    cr_assert_arr_eq(r.frame + IPV6 + 24, guest, 16);
    cr_assert_eq(ld_be16(r.frame + IPV6_DATA + 2), 22);
    cr_assert_eq(r.frame[IPV6_DATA + 13], SYN);
    close(fd);
    slirp_rig_close(&r);
}

Test(net_slirp, forwards_over_ipv6_come_and_go)
{
    uint16_t port = slirp_rig_free_port(SOCK_STREAM);
    struct net_forward f;

    if (!has_ipv6()) {
        cr_skip_test("no IPv6 here");
    }
    for (unsigned i = 0; i < 2; i++) {
        g_autofree char *rule =
            g_strdup_printf("%s:[::1]:%u-[fec0::9]:22", i ? "udp" : "tcp", port);
        struct slirp_rig r = {0};

        slirp_rig_open(&r);
        cr_assert(net_forward_parse(rule, &f, NULL));
        cr_assert(net_slirp_add_forward(r.port->peer, &f, NULL));
        cr_assert(net_slirp_remove_forward(r.port->peer, &f, NULL));
        cr_assert_lt(host_connect6(port), 0);
        slirp_rig_close(&r);
    }
}
