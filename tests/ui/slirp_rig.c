/*
 * A `user` peer with a port but without a machine, and a small guest made of frames.
 */
#include "tests/ui/slirp_rig.h"
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IP_HEADER = 20, UDP_HEADER = 8, TCP_HEADER = 20, DHCP_OPTIONS = 240, DHCP_SIZE = 300 };

static const uint8_t rig_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
/* libslirp's own, from the host's address. */
static const uint8_t host_mac[6] = {0x52, 0x55, 10, 0, 2, 2};

bool slirp_rig_try_open(struct slirp_rig *r, GError **err)
{
    signal(SIGPIPE, SIG_IGN); /* as in ui/main.c */
    r->port = g_new0(struct net_port, 1);
    r->port->nets = &r->nets;
    r->port->config = &r->config;
    r->port->ops = &net_slirp_ops;
    r->nets.ports[0] = r->port;
    r->nets.count = 1;
    r->nets.poll.fds = g_array_new(FALSE, TRUE, sizeof(struct pollfd));
    r->nets.wake_fd = -1;
    g_mutex_init(&r->nets.lock);
    r->self = 0x0a00020f;
    return net_slirp_ops.open(r->port, err);
}

static void slirp_rig_send_arp(struct slirp_rig *r)
{
    uint8_t f[60] = {0};

    memset(f, 0xff, 6);
    memcpy(f + 6, rig_mac, 6);
    st_be16(f + 12, 0x0806);
    st_be16(f + 14, 1);
    st_be16(f + 16, 0x0800);
    f[18] = 6;
    f[19] = 4;
    st_be16(f + 20, 1);
    memcpy(f + 22, rig_mac, 6);
    st_be32(f + 28, r->self);
    st_be32(f + 38, 0x0a000202);
    slirp_rig_send(r, f, sizeof f);
}

void slirp_rig_open(struct slirp_rig *r)
{
    g_autoptr(GError) err = NULL;

    cr_assert(slirp_rig_try_open(r, &err), "%s", err ? err->message : "");
    /* So that it knows where the guest is. */
    slirp_rig_send_arp(r);
    while (slirp_rig_receive(r, RIG_WAIT_MS) && ld_be16(r->frame + 12) != 0x0806) {
    }
    cr_assert_eq(ld_be16(r->frame + 20), 2, "no answer to ARP");
    cr_assert_arr_eq(r->frame + 22, host_mac, 6);
}

void slirp_rig_close(struct slirp_rig *r)
{
    if (r->port->peer) {
        net_slirp_ops.close(r->port);
    }
    net_queue_clear(&r->port->in);
    g_array_free(r->nets.poll.fds, TRUE);
    g_mutex_clear(&r->nets.lock);
    g_free(r->port);
    r->port = NULL;
}

void slirp_rig_round(struct slirp_rig *r, int ms)
{
    struct net_poll *p = &r->nets.poll;

    g_array_set_size(p->fds, 0);
    p->timeout = ms;
    net_slirp_ops.prepare(r->port, p);
    if (poll((struct pollfd *)(void *)p->fds->data, p->fds->len, p->timeout) < 0) {
        cr_assert_fail("poll failed");
    }
    net_slirp_ops.dispatch(r->port, p);
}

bool slirp_rig_receive(struct slirp_rig *r, int ms)
{
    int64_t end = g_get_monotonic_time() + ms * 1000ll;
    const uint8_t *f;

    while (!(f = net_queue_head(&r->port->in, &r->len))) {
        int64_t left = (end - g_get_monotonic_time()) / 1000;

        if (left < 0) {
            return false;
        }
        slirp_rig_round(r, (int)left);
    }
    cr_assert_leq(r->len, FRAME_MAX);
    memset(r->frame, 0, sizeof r->frame);
    memcpy(r->frame, f, r->len);
    net_queue_pop(&r->port->in);
    return true;
}

static bool slirp_rig_is_ip(const struct slirp_rig *r, unsigned proto)
{
    return r->len >= NET_HEADER + IP_HEADER && ld_be16(r->frame + 12) == 0x0800 &&
           r->frame[23] == proto;
}

uint8_t *slirp_rig_receive_ip(struct slirp_rig *r, unsigned proto, uint32_t *len)
{
    int64_t end = g_get_monotonic_time() + RIG_WAIT_MS * 1000ll;

    while (g_get_monotonic_time() < end && slirp_rig_receive(r, RIG_WAIT_MS)) {
        if (slirp_rig_is_ip(r, proto)) {
            unsigned head = (r->frame[14] & 15) * 4 + (proto == IP_PROTO_UDP ? UDP_HEADER : 0);

            cr_assert_leq(NET_HEADER + ld_be16(r->frame + 16), r->len);
            *len = ld_be16(r->frame + 16) - head;
            return r->frame + NET_HEADER + head;
        }
    }
    return NULL;
}

bool slirp_rig_is_silent(struct slirp_rig *r, unsigned proto)
{
    for (unsigned i = 0; i < 20; i++) {
        while (slirp_rig_receive(r, 5)) {
            if (slirp_rig_is_ip(r, proto)) {
                return false;
            }
        }
    }
    return true;
}

/* Sending -------------------------------------------------------------------------------------- */

static uint32_t sum_words(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    }
    return sum;
}

static uint16_t sum_end(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

void slirp_rig_send(struct slirp_rig *r, const void *frame, size_t len)
{
    net_slirp_ops.send(r->port, frame, len);
    if (!r->batch) {
        slirp_rig_flush(r);
    }
}

void slirp_rig_flush(struct slirp_rig *r)
{
    net_slirp_ops.flush(r->port);
}

void slirp_rig_send_ip(struct slirp_rig *r, uint32_t to, unsigned proto, const void *data,
                       size_t len)
{
    uint8_t f[FRAME_MAX] = {0}, *ip = f + NET_HEADER, *body = ip + IP_HEADER;
    static const int at[256] = {
        [IP_PROTO_TCP] = 16 + 1, [IP_PROTO_UDP] = 6 + 1, [IP_PROTO_ICMP] = 2 + 1};

    cr_assert_leq(NET_HEADER + IP_HEADER + len, sizeof f);
    memset(f, to == 0xffffffff ? 0xff : 0, 6);
    if (to != 0xffffffff) {
        memcpy(f, host_mac, 6);
    }
    memcpy(f + 6, rig_mac, 6);
    st_be16(f + 12, 0x0800);
    ip[0] = 0x45;
    st_be16(ip + 2, (uint16_t)(IP_HEADER + len));
    st_be16(ip + 4, r->ident++);
    st_be16(ip + 6, r->fragment);
    ip[8] = 64;
    ip[9] = (uint8_t)(proto == 255 ? r->proto : proto);
    st_be32(ip + 12, to == 0xffffffff ? 0 : r->self);
    st_be32(ip + 16, to);
    st_be16(ip + 10, sum_end(sum_words(ip, IP_HEADER, 0)));
    memcpy(body, data, len);
    if (at[proto]) {
        uint32_t sum =
            proto == IP_PROTO_ICMP ? 0 : sum_words(ip + 12, 8, 0) + proto + (uint32_t)len;

        st_be16(body + at[proto] - 1, 0);
        st_be16(body + at[proto] - 1, sum_end(sum_words(body, len, sum)));
    }
    slirp_rig_send(r, f, MAX(NET_HEADER + IP_HEADER + len, (size_t)NET_FRAME_MIN));
}

void slirp_rig_send_udp(struct slirp_rig *r, uint32_t to, uint16_t from_port, uint16_t to_port,
                        const void *data, size_t len)
{
    uint8_t b[FRAME_MAX] = {0};

    st_be16(b, from_port);
    st_be16(b + 2, to_port);
    st_be16(b + 4, (uint16_t)(UDP_HEADER + len));
    memcpy(b + UDP_HEADER, data, len);
    slirp_rig_send_ip(r, to, IP_PROTO_UDP, b, UDP_HEADER + len);
}

void slirp_rig_send_dhcp(struct slirp_rig *r, unsigned type, const uint8_t mac[6], uint32_t want)
{
    uint8_t b[DHCP_SIZE] = {0}, *o = b + DHCP_OPTIONS;

    b[0] = 1;
    b[1] = 1;
    b[2] = 6;
    st_be32(b + 4, 0x12345678);
    memcpy(b + 28, mac, 6);
    st_be32(b + 236, 0x63825363);
    *o++ = 53;
    *o++ = 1;
    *o++ = (uint8_t)type;
    if (want) {
        *o++ = 50;
        *o++ = 4;
        st_be32(o, want);
        o += 4;
    }
    *o = 255;
    slirp_rig_send_udp(r, 0xffffffff, 68, 67, b, sizeof b);
}

const uint8_t *slirp_rig_dhcp_option(struct slirp_rig *r, unsigned option, unsigned *len)
{
    const uint8_t *p = r->frame + NET_HEADER + IP_HEADER + UDP_HEADER + DHCP_OPTIONS;
    const uint8_t *end = r->frame + r->len;

    for (; p + 2 <= end && *p != 255; p += *p ? 2 + p[1] : 1) {
        if (*p == option) {
            *len = p[1];
            return p + 2 + *len <= end ? p + 2 : NULL;
        }
    }
    return NULL;
}

/* TCP ------------------------------------------------------------------------------------------ */

void guest_tcp_send(struct guest_tcp *t, unsigned flags, const void *data, size_t len)
{
    uint8_t b[FRAME_MAX] = {0};

    st_be16(b, t->port);
    st_be16(b + 2, t->peer_port);
    st_be32(b + 4, t->seq);
    st_be32(b + 8, flags & ACK ? t->ack : 0);
    b[12] = TCP_HEADER / 4 << 4;
    b[13] = (uint8_t)flags;
    st_be16(b + 14, t->window);
    st_be16(b + 18, t->urgent);
    if (len) {
        memcpy(b + TCP_HEADER, data, len);
    }
    t->seq += (uint32_t)len + (flags & (SYN | FIN) ? 1 : 0);
    slirp_rig_send_ip(t->r, t->peer, IP_PROTO_TCP, b, TCP_HEADER + len);
}

bool guest_tcp_receive(struct guest_tcp *t)
{
    uint32_t len;
    uint8_t *b;

    while ((b = slirp_rig_receive_ip(t->r, IP_PROTO_TCP, &len)) != NULL) {
        unsigned head = (b[12] >> 4) * 4u;

        if (ld_be16(b + 2) != t->port || (t->peer_port && ld_be16(b) != t->peer_port)) {
            continue;
        }
        cr_assert_geq(len, head);
        t->flags = b[13];
        t->acked = ld_be32(b + 8);
        t->data = b + head;
        t->len = len - head;
        if (t->flags & SYN) {
            t->peer = ld_be32(t->r->frame + 26);
            t->peer_port = ld_be16(b);
            t->ack = ld_be32(b + 4) + 1;
        } else if (ld_be32(b + 4) == t->ack) {
            t->ack += t->len + (t->flags & FIN ? 1 : 0);
        } else {
            t->len = 0;
        }
        return true;
    }
    return false;
}

bool guest_tcp_connect(struct guest_tcp *t, struct slirp_rig *r, uint16_t port, uint32_t peer,
                       uint16_t peer_port)
{
    *t = (struct guest_tcp){.r = r,
                            .peer = peer,
                            .port = port,
                            .peer_port = peer_port,
                            .seq = 0x1000,
                            .window = 0xffff};
    guest_tcp_send(t, SYN, NULL, 0);
    if (!guest_tcp_receive(t) || t->flags != (SYN | ACK)) {
        return false;
    }
    guest_tcp_send(t, ACK, NULL, 0);
    return true;
}

int guest_tcp_to_host(struct guest_tcp *t, struct slirp_rig *r)
{
    uint16_t port;
    int listener = slirp_rig_listen(SOCK_STREAM, &port), fd;

    cr_assert(guest_tcp_connect(t, r, GUEST_PORT, HOST, port));
    fd = accept(listener, NULL, NULL);
    close(listener);
    cr_assert_geq(fd, 0);
    return fd;
}

bool guest_tcp_accept(struct guest_tcp *t, struct slirp_rig *r, uint16_t port)
{
    *t = (struct guest_tcp){.r = r, .port = port, .seq = 0x2000, .window = 0xffff};
    if (!guest_tcp_receive(t) || t->flags != SYN) {
        return false;
    }
    guest_tcp_send(t, SYN | ACK, NULL, 0);
    return guest_tcp_receive(t) && t->flags & ACK;
}

/* The host's side ------------------------------------------------------------------------------ */

int slirp_rig_listen(int type, uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    cr_assert(type == SOCK_DGRAM || listen(fd, 8) == 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

uint16_t slirp_rig_free_port(int type)
{
    uint16_t port;

    close(slirp_rig_listen(type, &port));
    return port;
}
