/*
 * The guard in front of libslirp: what a guest does wrong, or on purpose, ends there.
 */
#include "tests/ui/slirp_rig.h"
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TFTP_PORT = 69, FUZZ_FRAMES = 60000 };

static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

static uint64_t drops(const struct slirp_rig *r, enum net_drop why)
{
    return r->port->net.stats.drops[why];
}

/* TCP ------------------------------------------------------------------------------------------ */

/* A connection that the host has closed its half of, with the guest's next sequence number. */
static int half_closed(struct guest_tcp *t, struct slirp_rig *r, uint32_t seq)
{
    uint16_t port;
    int listener = slirp_rig_listen(SOCK_STREAM, &port), fd;

    *t = (struct guest_tcp){
        .r = r, .peer = HOST, .port = GUEST_PORT, .peer_port = port, .seq = seq, .window = 0xffff};
    guest_tcp_send(t, SYN, NULL, 0);
    cr_assert(guest_tcp_receive(t) && t->flags == (SYN | ACK));
    guest_tcp_send(t, ACK, NULL, 0);
    fd = accept(listener, NULL, NULL);
    close(listener);
    shutdown(fd, SHUT_WR);
    do {
        cr_assert(guest_tcp_receive(t));
    } while (!(t->flags & FIN));
    guest_tcp_send(t, ACK, NULL, 0);
    return fd;
}

/* libslirp 4.7 would take its own header template for a segment here. */
Test(net_guard, tcp_segment_that_ends_at_sequence_0)
{
    struct slirp_rig r = {0};
    struct guest_tcp t;
    char text[16];
    int fd;

    slirp_rig_open(&r);
    fd = half_closed(&t, &r, 0u - 11);
    guest_tcp_send(&t, ACK | PSH, "0123456789", 10);
    cr_assert_eq(recv(fd, text, sizeof text, 0), 9, "one byte is held back");
    t.seq -= 1;
    guest_tcp_send(&t, ACK | PSH, "9abc", 4);
    cr_assert_eq(recv(fd, text, sizeof text, 0), 4, "and comes with the next");
    cr_assert_arr_eq(text, "9abc", 4);
    close(fd);
    slirp_rig_close(&r);
}

Test(net_guard, tcp_data_beyond_the_window_is_cut)
{
    struct slirp_rig r = {0};
    struct guest_tcp t;
    uint8_t data[1000] = {0};
    uint32_t seq;
    int fd;

    slirp_rig_open(&r);
    fd = half_closed(&t, &r, 0x1000);
    seq = t.seq;
    for (unsigned i = 0; i < 200; i++) {
        t.seq = seq + 0x10000 + i * 1000;
        guest_tcp_send(&t, ACK, data, sizeof data);
    }
    t.seq = seq;
    guest_tcp_send(&t, ACK | PSH, "yes", 3);
    cr_assert_eq(recv(fd, data, sizeof data, 0), 3);
    cr_assert_arr_eq(data, "yes", 3);
    cr_assert_eq(drops(&r, NET_DROP_MALFORMED), 0);
    close(fd);
    slirp_rig_close(&r);
}

Test(net_guard, tcp_what_is_missing_always_gets_through)
{
    struct slirp_rig r = {0};
    struct guest_tcp t;
    char text[200];
    int fd;

    slirp_rig_open(&r);
    fd = guest_tcp_to_host(&t, &r);
    for (unsigned round = 0; round < 5; round++) {
        uint32_t missing = t.seq++;

        for (unsigned i = 0; i < 199; i++) {
            guest_tcp_send(&t, ACK, "x", 1);
        }
        cr_assert_lt(recv(fd, text, sizeof text, MSG_DONTWAIT), 0);
        t.seq = missing;
        guest_tcp_send(&t, ACK, "0", 1);
        cr_assert_eq(recv(fd, text, 1, 0), 1);
        cr_assert_eq(text[0], '0');
        while (recv(fd, text, sizeof text, MSG_DONTWAIT) > 0) {
        }
        do {
            cr_assert(guest_tcp_receive(&t));
        } while ((int32_t)(t.acked - missing) < 100);
        t.seq = t.acked;
    }
    cr_assert_gt(drops(&r, NET_DROP_HOST), 0);
    close(fd);
    slirp_rig_close(&r);
}

Test(net_guard, tcp_urgent_data_is_ordinary)
{
    struct slirp_rig r = {0};
    struct guest_tcp t;
    char text[16];
    int fd;

    slirp_rig_open(&r);
    fd = guest_tcp_to_host(&t, &r);
    t.urgent = 0xffff;
    guest_tcp_send(&t, ACK | PSH | URG, "break", 5);
    cr_assert_eq(recv(fd, text, sizeof text, 0), 5);
    cr_assert_arr_eq(text, "break", 5);
    close(fd);
    slirp_rig_close(&r);
}

Test(net_guard, acknowledgements_are_merged)
{
    struct slirp_rig r = {0};
    struct guest_tcp t;
    uint8_t data[1000] = {0};
    unsigned acks = 0;
    int fd;

    slirp_rig_open(&r);
    fd = guest_tcp_to_host(&t, &r);
    r.batch = true;
    for (unsigned i = 0; i < 16; i++) {
        guest_tcp_send(&t, ACK, data, sizeof data);
    }
    slirp_rig_flush(&r);
    do {
        cr_assert(guest_tcp_receive(&t));
        acks++;
    } while (t.acked != t.seq);
    cr_assert_leq(acks, 4);
    close(fd);
    slirp_rig_close(&r);
}

Test(net_guard, sockets_are_limited)
{
    struct slirp_rig r = {0};
    struct net_slirp *n;

    slirp_rig_open(&r);
    n = r.port->peer;
    n->sockets_max = 32;
    for (unsigned i = 0; i < 200; i++) {
        slirp_rig_send_udp(&r, HOST, (uint16_t)(1024 + i), 9, "x", 1);
    }
    cr_assert_eq(n->sockets, 32);
    cr_assert_eq(drops(&r, NET_DROP_HOST), 200 - 32);
    for (unsigned i = 0; i < 10; i++) {
        struct guest_tcp t = {
            .r = &r, .peer = 0x08080808, .port = (uint16_t)(2000 + i), .peer_port = 80};

        guest_tcp_send(&t, SYN, NULL, 0);
    }
    cr_assert_eq(n->sockets, 32);
    slirp_rig_send_dhcp(&r, 1, mac, 0);
    cr_assert(slirp_rig_receive(&r, RIG_WAIT_MS), "what needs no socket goes on");
    slirp_rig_close(&r);
}

/* Fragments ------------------------------------------------------------------------------------ */

enum { PING = 3000 };

static void send_fragments(struct slirp_rig *r, const uint8_t *ping, const unsigned *order,
                           unsigned count)
{
    static const unsigned at[] = {0, 1024, 2048, PING};

    for (unsigned i = 0; i < count; i++) {
        unsigned from = at[order[i]], to = at[order[i] + 1];

        r->fragment = (uint16_t)((to < PING ? 0x2000 : 0) | from / 8);
        r->ident = 77;
        slirp_rig_send_ip(r, HOST, 255, ping + from, to - from);
    }
    r->fragment = 0;
}

static void make_ping(struct slirp_rig *r, uint8_t *ping)
{
    uint32_t sum;

    ping[0] = 8;
    for (unsigned i = 4; i < PING; i++) {
        ping[i] = (uint8_t)i;
    }
    sum = net_guard_sum(ping, PING, 0);
    st_be16(ping + 2, net_guard_sum_end(sum));
    r->proto = IP_PROTO_ICMP;
}

Test(net_guard, fragments_come_in_any_order)
{
    static const unsigned orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}};
    struct slirp_rig r = {0};
    uint8_t ping[PING] = {0};
    uint32_t len, got;

    slirp_rig_open(&r);
    make_ping(&r, ping);
    for (unsigned i = 0; i < ARRAY_LEN(orders); i++) {
        send_fragments(&r, ping, orders[i], 3);
        for (got = 0; got < PING; got += len) {
            cr_assert(slirp_rig_receive_ip(&r, IP_PROTO_ICMP, &len));
        }
        cr_assert_eq(got, PING);
    }
    cr_assert_eq(drops(&r, NET_DROP_MALFORMED), 0);
    slirp_rig_close(&r);
}

Test(net_guard, fragments_that_overlap_or_never_end)
{
    static const unsigned twice[] = {0, 0, 1, 2}, parts[] = {0, 1};
    struct slirp_rig r = {0};
    uint8_t ping[PING] = {0};

    slirp_rig_open(&r);
    make_ping(&r, ping);
    send_fragments(&r, ping, twice, 4);
    cr_assert(slirp_rig_is_silent(&r, IP_PROTO_ICMP));
    cr_assert_eq(drops(&r, NET_DROP_MALFORMED), 1);
    for (unsigned i = 0; i < 1000; i++) {
        r.self = 0x0a000200 + i % 250;
        send_fragments(&r, ping, parts, 2);
    }
    slirp_rig_close(&r);
}

/* What every Linux sends when its card comes up is not for libslirp, and no mistake either. */
Test(net_guard, reports_of_multicast_listeners_are_not_malformed)
{
    uint8_t report[NET_HEADER + 40 + 36] = {0x33, 0x33, 0,    0,    0,    0x16, 0x52,
                                            0x54, 0,    0x12, 0x34, 0x56, 0x86, 0xdd};
    struct net_plan plan = {0};
    struct net_guard g;
    struct guarded p;
    bool waits;

    report[14] = 0x60;
    report[19] = 36;                    /* payload; next header 0, hop by hop */
    report[21] = 1;                     /* hops; from nobody */
    memcpy(report + 38, "\xff\x02", 2); /* to ff02::16 */
    report[53] = 0x16;
    memcpy(report + 54, "\x3a\0\x05\x02\0\0\1\0\x8f", 9); /* router alert; ICMPv6 */
    net_guard_init(&g, &plan, NULL);
    cr_expect_not(net_guard_check(&g, report, sizeof report, true, &p, &waits));
    cr_expect_eq(p.why, NET_DROP_KIND);
    report[20] = GUARD_UDP;
    cr_expect_not(net_guard_check(&g, report, sizeof report, true, &p, &waits));
    cr_expect_eq(p.why, NET_DROP_MALFORMED);
    net_guard_fini(&g);
}

/* DHCP and TFTP -------------------------------------------------------------------------------- */

Test(net_guard, dhcp_has_an_end)
{
    struct slirp_rig r = {0};
    unsigned answers = 0;

    slirp_rig_open(&r);
    for (unsigned i = 0; i < 100; i++) {
        uint8_t m[6] = {2, 0, 0, 0, 0, (uint8_t)i};

        slirp_rig_send_dhcp(&r, 1, m, i % 3 ? 0 : 0x0a00020f + i % 16);
        answers += slirp_rig_receive(&r, 0);
    }
    cr_assert_eq(answers, GUARD_DHCP_CLIENTS);
    cr_assert_eq(drops(&r, NET_DROP_HOST), 100 - GUARD_DHCP_CLIENTS);
    slirp_rig_close(&r);
}

/* The opcode and the first data of the answer to a read request. */
static unsigned tftp_read(struct slirp_rig *r, const char *name, uint8_t **data, uint32_t *len)
{
    static uint16_t const from = 3000;
    uint8_t b[600] = {0, 1};
    size_t n = strlen(name);

    memcpy(b + 2, name, n + 1);
    memcpy(b + 3 + n, "octet", 6);
    slirp_rig_send_udp(r, HOST, from, TFTP_PORT, b, n + 9);
    *data = slirp_rig_receive_ip(r, IP_PROTO_UDP, len);
    cr_assert(*data && *len >= 4, "%s", name);
    return ld_be16(*data);
}

Test(net_guard, tftp_serves_files_and_nothing_else)
{
    static const char *const bad[] = {"none", "sub", ".",           "..",   "sub/../a", "../a",
                                      "sub/", "",    "/etc/passwd", "pipe", "a\x80"};
    g_autofree char *dir = g_dir_make_tmp("candela-tftp-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(dir, "a", NULL);
    g_autofree char *sub = g_build_filename(dir, "sub", NULL);
    g_autofree char *pipe = g_build_filename(dir, "pipe", NULL);
    struct slirp_rig r = {.config.user.tftp = dir};
    uint8_t *data, ack[4] = {0, 4, 0, 1};
    char text[700];
    uint32_t len;

    memset(text, 'x', sizeof text);
    cr_assert(g_file_set_contents(file, text, sizeof text, NULL));
    cr_assert_eq(g_mkdir(sub, 0700), 0);
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    slirp_rig_open(&r);
    cr_assert_eq(tftp_read(&r, "a", &data, &len), 3);
    cr_assert_eq(len, 4 + 512);
    cr_assert_arr_eq(data + 4, text, 512);
    slirp_rig_send_udp(&r, HOST, 3000, TFTP_PORT, ack, sizeof ack);
    data = slirp_rig_receive_ip(&r, IP_PROTO_UDP, &len);
    cr_assert(data && len == 4 + 188 && ld_be16(data + 2) == 2);
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        cr_assert_eq(tftp_read(&r, bad[i], &data, &len), 5, "'%s'", bad[i]);
    }
    slirp_rig_close(&r);
    g_remove(file);
    g_remove(pipe);
    g_rmdir(sub);
    g_rmdir(dir);
}

/* Anything ------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* A frame with a few bytes changed, its checksums mended now and then. */
static void send_changed(struct slirp_rig *r, const uint8_t *frame, size_t len, uint64_t *seed)
{
    uint8_t f[FRAME_MAX];
    unsigned changes = (unsigned)(next_random(seed) % 4);

    memcpy(f, frame, len);
    for (unsigned i = 0; i < changes; i++) {
        f[12 + next_random(seed) % MIN(len - 12, 60)] = (uint8_t)next_random(seed);
    }
    /* Nothing is to leave this host. */
    if (f[12] == 8) {
        st_be16(f + 30, HOST >> 16);
        f[32] = HOST >> 8 & 0xff;
    } else {
        memcpy(f + 38, "\xfe\xc0\0\0\0\0\0\0\0\0\0", 12);
    }
    if (f[12] == 8 && f[13] == 0 && next_random(seed) % 4) {
        st_be16(f + 24, 0);
        st_be16(f + 24, net_guard_sum_end(net_guard_sum(f + 14, 20, 0)));
    }
    if (next_random(seed) % 8 == 0) {
        len = 14 + next_random(seed) % (len - 13);
    }
    slirp_rig_send(r, f, len);
}

Test(net_guard, survives_anything, .timeout = 300)
{
    static const uint8_t udp6[] = {0x60, 0, 0, 0, 0, 16, 17, 64, 0xfe, 0xc0, 0, 0,  0, 0,  0, 0,
                                   0,    0, 0, 0, 0, 0,  0,  15, 0xfe, 0xc0, 0, 0,  0, 0,  0, 0,
                                   0,    0, 0, 0, 0, 0,  0,  3,  0x10, 0,    0, 53, 0, 16, 0, 0};
    struct slirp_rig r = {0};
    uint64_t seed = 0x9e3779b97f4a7c15;
    uint8_t f[600];
    struct net_slirp *n;

    slirp_rig_open(&r);
    n = r.port->peer;
    n->sockets_max = 64;
    for (unsigned i = 0; i < FUZZ_FRAMES; i++) {
        unsigned kind = (unsigned)(next_random(&seed) % 6);
        size_t len = 60 + next_random(&seed) % 500;

        for (unsigned k = 0; k < sizeof f; k++) {
            f[k] = (uint8_t)next_random(&seed);
        }
        memcpy(f, "\x52\x55\x0a\x00\x02\x02\x52\x54\x00\x12\x34\x56", 12);
        st_be16(f + 12, kind == 0 ? 0x0806 : kind < 4 ? 0x0800 : 0x86dd);
        if (kind >= 1 && kind < 4) {
            static const uint8_t protos[] = {1, 6, 17};

            f[14] = 0x45;
            st_be16(f + 16, (uint16_t)(len - 14));
            st_be16(f + 20, next_random(&seed) % 4 ? 0 : f[20]);
            f[23] = protos[kind - 1];
            st_be32(f + 26, 0x0a00020f);
            st_be32(f + 30, HOST + (uint32_t)(next_random(&seed) % 2));
            st_be16(f + 36, (uint16_t)(kind == 3 ? 67 + next_random(&seed) % 3 : f[36]));
            st_be16(f + 38, kind == 3 ? (uint16_t)(len - 34) : f[38]);
            st_be16(f + 40, kind == 3 ? 0 : f[40]);
        } else if (kind >= 4) {
            memcpy(f + 14, udp6, sizeof udp6);
            f[20] = kind == 4 ? 58 : 17;
            st_be16(f + 18, (uint16_t)(len - 54));
        }
        send_changed(&r, f, len, &seed);
        if (i % 64 == 0) {
            slirp_rig_round(&r, 0);
            net_queue_clear(&r.port->in);
        }
    }
    cr_assert_leq(n->sockets, 64);
    slirp_rig_close(&r);
}
