/*
 * Frames and messages of any kind; see wire_fuzz.h.
 *
 * Not modelled: see there.
 */
#define _GNU_SOURCE
#include "tests/ui/wire_fuzz.h"
#include "ui/net_guard.h"
#include "ui/net_switch.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PORTS = 2,
    PEERS = 2,
    MAX_RECORDS = 200,
    FRAME_BYTES = NET_FRAME_MAX + 8,
    PEER = SWITCH_FIRST_PEER,
    NOT_POLLED = 0xffffffff,
};

struct wire_fuzz {
    struct nets nets;
    struct nic_config config[PORTS];
    struct net_port port[PORTS];
    struct net_switch *sw;
    struct net_guard guard;
    struct net_plan plan;
    struct net_poll poll;
    int other[PEERS]; /* the other processes' ends */
    uint8_t how;
    const uint8_t *p, *end; /* the input's rest */
};

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "wire_fuzz: %s\n", what);
        abort();
    }
}

static uint8_t u8(struct wire_fuzz *w)
{
    return w->p < w->end ? *w->p++ : 0;
}

static uint16_t u16(struct wire_fuzz *w)
{
    uint16_t high = u8(w);

    return (uint16_t)(high << 8 | u8(w));
}

/* Bytes of the input, as many as it says, and then zeroes up to `least`; a piece of memory of just
 * that length, so that a byte too far is seen. */
static uint8_t *bytes(struct wire_fuzz *w, size_t least, size_t *len)
{
    size_t use = u8(w), fill = 0;
    uint8_t *data;

    if (use >= 0xf0) { /* long ones repeat a byte */
        fill = (use & 7) * 2047u + u8(w);
        use = u8(w) % 64u;
    }
    use = MIN(use, (size_t)(w->end - w->p));
    *len = MIN(MAX(use + fill, least), (size_t)FRAME_BYTES);
    data = g_malloc0(*len ? *len : 1);
    memcpy(data, w->p, MIN(use, *len));
    if (*len > use) {
        memset(data + use, fill ? (int)(fill & 0xff) : 0, *len - use);
    }
    w->p += use;
    return data;
}

/* VLANs ---------------------------------------------------------------------------------------- */

static void record_vlan(struct wire_fuzz *w)
{
    uint8_t *wire = g_malloc(NET_FRAME_MAX + 4), *card = g_malloc(NET_FRAME_MAX + 4);
    const uint8_t *out, *back;
    size_t len, sent, got;
    g_autofree uint8_t *frame = bytes(w, NET_HEADER, &len);

    for (unsigned i = 0; i < PORTS; i++) {
        const struct nic_config *c = &w->config[i];

        sent = net_vlan_to_wire(c, frame, len, wire, &out);
        must(sent <= len + 4 && (out == frame || out == wire), "a frame to the wire");
        if (sent && c->vlan_mode == NIC_VLAN_ACCESS) {
            must(net_vlan_of(out, sent) == c->vlan, "a frame of another VLAN gets out");
            got = net_vlan_to_card(c, out, sent, card, &back);
            must(got >= NET_FRAME_MIN && got <= MAX(len, NET_FRAME_MIN), "it does not come back");
            must(!memcmp(back, frame, 12), "it comes back changed");
        }
        got = net_vlan_to_card(c, frame, len, card, &back);
        must(got <= MAX(len, NET_FRAME_MIN) && (back == frame || back == card),
             "a frame to the card");
        must(!got || c->vlan_mode != NIC_VLAN_ACCESS || net_vlan_of(frame, len) == c->vlan,
             "a frame of another VLAN gets in");
    }
    g_free(wire);
    g_free(card);
}

/* The guard ------------------------------------------------------------------------------------ */

static void guard(struct wire_fuzz *w, const uint8_t *frame, size_t len)
{
    struct guarded p;
    bool waits = true;

    if (!net_guard_check(&w->guard, frame, len, w->how & WIRE_MAY_OPEN, &p, &waits)) {
        must(p.why < NET_DROPS, "no reason");
        return;
    }
    must(!waits, "it waits and passes");
    must(p.len >= NET_HEADER && p.len <= GUARD_DATAGRAM_MAX, "a frame of no length passes");
    must(p.at + p.size <= p.len, "more in it than it has");
    if (p.version == 4) {
        const uint8_t *ip = p.frame + NET_HEADER;

        must(ip[0] == 0x45 && ld_be16(ip + 2) + (size_t)NET_HEADER == p.len, "an IPv4 header");
        must(!(ld_be16(ip + 6) & 0x3fff), "a fragment passes");
    } else if (p.version == 6) {
        must(p.frame[NET_HEADER] >> 4 == 6, "an IPv6 header");
    }
}

static void mend_ipv4(uint8_t *frame, size_t len)
{
    uint8_t *ip = frame + NET_HEADER;

    st_be16(frame + 12, 0x0800);
    ip[0] = 0x45;
    st_be16(ip + 2, (uint16_t)(len - NET_HEADER));
    st_be16(ip + 10, 0);
    st_be16(ip + 10, net_guard_sum_end(net_guard_sum(ip, 20, 0)));
}

static void record_ip(struct wire_fuzz *w)
{
    static const uint8_t protocols[] = {6, 17, 1, 6, 17, 58};
    static const uint16_t ports[] = {67, 69, 53, 80};
    uint8_t what = u8(w);
    size_t len;
    g_autofree uint8_t *frame = bytes(w, NET_HEADER + 60, &len);
    uint8_t *ip = frame + NET_HEADER;

    if (what & 0x80) {
        st_be16(frame + 12, 0x86dd);
        ip[0] = 0x60;
        st_be16(ip + 4, (uint16_t)(len - NET_HEADER - 40));
        ip[6] = protocols[what % ARRAY_LEN(protocols)];
        guard(w, frame, len);
        return;
    }
    ip[9] = protocols[what % ARRAY_LEN(protocols)];
    st_be16(ip + 6, 0);
    if (what & 0x40) {
        memcpy(ip + 16, &w->plan.host, 4);
    }
    if (what & 0x20) {
        st_be16(ip + 22, ports[what >> 3 & 3]);
        st_be16(ip + 24, (uint16_t)(len - NET_HEADER - 20));
    }
    mend_ipv4(frame, len);
    guard(w, frame, len);
}

/* A datagram's number, the unit it is for, whether more follow. */
static void record_fragment(struct wire_fuzz *w)
{
    uint8_t what = u8(w);
    uint16_t at = u16(w);
    size_t len;
    g_autofree uint8_t *frame = bytes(w, NET_HEADER + 28, &len);
    uint8_t *ip = frame + NET_HEADER;

    if (what & 0x40) { /* whole units */
        len = (len - NET_HEADER - 20) / 8 * 8 + NET_HEADER + 20;
    }
    st_be16(ip + 4, what & 7);
    st_be16(ip + 6, (uint16_t)((what & 0x80 ? 0x2000 : 0) | (at & 0x1fff)));
    ip[9] = 17;
    mend_ipv4(frame, len);
    guard(w, frame, len);
}

/* The switch ----------------------------------------------------------------------------------- */

static void check_queue(const struct net_queue *q, size_t max)
{
    must(q->head <= q->tail && q->tail <= q->size && q->tail - q->head <= max, "a queue");
    must((q->frames == 0) == (q->head == q->tail), "a queue's count");
}

static void check_switch(struct wire_fuzz *w)
{
    must(net_fdb_count(w->sw->fdb, w->sw->now) <= FDB_ENTRIES, "too many addresses");
    for (unsigned i = 0; i < PORTS; i++) {
        check_queue(&w->port[i].in, NET_QUEUE_MAX);
    }
    for (unsigned i = PEER; i < SWITCH_LINKS; i++) {
        check_queue(&w->sw->link[i].out, SWITCH_QUEUE_MAX + 4 * SWITCH_READ);
    }
}

static void record_round(struct wire_fuzz *w)
{
    uint8_t trash[256];

    for (unsigned i = 0; i < PEERS; i++) {
        while (w->other[i] >= 0 && recv(w->other[i], trash, sizeof trash, MSG_DONTWAIT) > 0) {
        }
    }
    g_array_set_size(w->poll.fds, 0);
    w->poll.timeout = -1;
    switch_peers_prepare(w->sw, &w->poll);
    must(poll((struct pollfd *)(void *)w->poll.fds->data, w->poll.fds->len, 0) >= 0, "poll");
    w->sw->now++;
    switch_peers_dispatch(w->sw, &w->poll);
}

static void message(struct wire_fuzz *w, unsigned peer, const uint8_t *data, size_t len)
{
    int fd = w->other[peer % PEERS];

    if (fd >= 0 && send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN) {
        close(fd); /* we were refused */
        w->other[peer % PEERS] = -1;
    }
}

static void record_message(struct wire_fuzz *w)
{
    uint8_t peer = u8(w);
    size_t len;
    g_autofree uint8_t *data = bytes(w, peer & 0x80 ? NET_HEADER : 0, &len);

    message(w, peer, data, len);
}

static void record_hello(struct wire_fuzz *w)
{
    uint8_t hello[24] = "candela-switch", peer = u8(w), at = u8(w);

    hello[16] = 1;
    hello[at % 24] ^= u8(w);
    message(w, peer, hello, peer & 0x80 ? at % (sizeof hello + 1) : sizeof hello);
}

static void record_send(struct wire_fuzz *w)
{
    unsigned port = u8(w) % PORTS;
    size_t len;
    g_autofree uint8_t *frame = bytes(w, NET_HEADER, &len);

    if (len <= SWITCH_FRAME_MAX) {
        net_switch_ops.send(&w->port[port], frame, len);
        net_switch_ops.flush(&w->port[port]);
    }
}

static void record_flood(struct wire_fuzz *w)
{
    unsigned link = u8(w) % PORTS, count = u8(w) * 8u;
    uint8_t frame[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2};
    uint32_t address = (uint32_t)u16(w) << 8;

    st_be16(frame + 12, 0x8100);
    st_be16(frame + 14, u16(w));
    for (unsigned i = 0; i < count; i++) {
        st_be32(frame + 8, address + i);
        switch_forward(w->sw, link, frame, sizeof frame);
    }
}

static void take(struct wire_fuzz *w)
{
    for (unsigned i = 0; i < PORTS; i++) {
        uint32_t len;

        while (net_queue_head(&w->port[i].in, &len)) {
            must(len >= NET_HEADER && len <= NET_FRAME_MAX, "a frame of no length for a card");
            net_queue_pop(&w->port[i].in);
        }
    }
}

static void hang_up(struct wire_fuzz *w, unsigned peer)
{
    if (w->other[peer % PEERS] >= 0) {
        close(w->other[peer % PEERS]);
        w->other[peer % PEERS] = -1;
    }
}

/* Another process has connected. */
static void connect_peer(struct wire_fuzz *w, unsigned peer)
{
    struct switch_link *l = &w->sw->link[PEER + peer];
    int fd[2];

    must(l->fd < 0, "a link that is over is not closed");
    must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), "sockets");
    w->other[peer] = fd[0];
    l->fd = fd[1];
    l->pid = 1;
    l->polled = NOT_POLLED;
    l->since = g_get_monotonic_time();
    l->greeted = w->how & WIRE_GREETED;
}

/* Running -------------------------------------------------------------------------------------- */

static void configure(struct wire_fuzz *w)
{
    for (unsigned i = 0; i < PORTS; i++) {
        struct nic_config *c = &w->config[i];

        *c = (struct nic_config){.used = true, .vlan = (uint16_t)(7 + i)};
        c->vlan_mode = (enum nic_vlan)(((w->how & WIRE_MODE) + i) % 3);
        memset(c->trunk, 0xaa, sizeof c->trunk);
    }
}

static void restart(struct wire_fuzz *w)
{
    w->how = u8(w);
    configure(w);
    net_fdb_free(w->sw->fdb);
    w->sw->fdb = net_fdb_new();
    for (unsigned i = 0; i < (w->how & WIRE_TWO_PEERS ? 2 : 1); i++) {
        connect_peer(w, i);
    }
    net_guard_init(&w->guard, &w->plan, NULL);
}

static void finish(struct wire_fuzz *w)
{
    net_guard_fini(&w->guard);
    take(w);
    for (unsigned i = 0; i < PEERS; i++) {
        hang_up(w, i);
    }
    for (unsigned i = 0; i < 600 && (w->sw->link[PEER].fd >= 0 || w->sw->link[PEER + 1].fd >= 0);
         i++) {
        record_round(w); /* what was sent before is read first */
    }
}

static void run_record(struct wire_fuzz *w)
{
    size_t len;
    uint8_t *frame;

    switch ((enum wire_record)(u8(w) % WIRE_RECORDS)) {
    case WIRE_VLAN:
        record_vlan(w);
        break;
    case WIRE_GUARD:
        frame = bytes(w, NET_HEADER, &len);
        guard(w, frame, len);
        g_free(frame);
        break;
    case WIRE_IP:
        record_ip(w);
        break;
    case WIRE_FRAGMENT:
        record_fragment(w);
        break;
    case WIRE_LEARN:
        frame = bytes(w, NET_HEADER, &len);
        net_guard_learn(&w->guard, frame, len);
        g_free(frame);
        break;
    case WIRE_MESSAGE:
        record_message(w);
        break;
    case WIRE_HELLO:
        record_hello(w);
        break;
    case WIRE_SEND:
        record_send(w);
        break;
    case WIRE_FLOOD:
        record_flood(w);
        break;
    case WIRE_ROUND:
        record_round(w);
        break;
    case WIRE_TAKE:
        take(w);
        break;
    default: /* WIRE_HANG_UP */
        hang_up(w, u8(w));
        break;
    }
}

void wire_fuzz_run(struct wire_fuzz *w, const uint8_t *data, size_t size)
{
    w->p = data;
    w->end = data + size;
    restart(w);
    for (unsigned n = 0; n < MAX_RECORDS && w->p < w->end; n++) {
        run_record(w);
        check_switch(w);
    }
    finish(w);
}

struct wire_fuzz *wire_fuzz_new(const char *folder, GError **err)
{
    struct wire_fuzz *w = g_new0(struct wire_fuzz, 1);
    struct nic_user_config user = {0};

    must(net_plan_make(&user, &w->plan, NULL), "the usual addresses");
    g_setenv("XDG_RUNTIME_DIR", folder, true);
    w->poll.fds = g_array_new(false, false, sizeof(struct pollfd));
    w->nets.count = PORTS;
    for (unsigned i = 0; i < PEERS; i++) {
        w->other[i] = -1;
    }
    configure(w);
    for (unsigned i = 0; i < PORTS; i++) {
        struct net_port *p = &w->port[i];

        w->nets.ports[i] = p;
        w->config[i].name = (char *)"fuzz";
        p->net.id = (char *)(i ? "nic1" : "nic0");
        p->nets = &w->nets;
        p->config = &w->config[i];
        p->ops = &net_switch_ops;
        if (!net_switch_ops.open(p, err)) {
            must(i == 0, "a second port");
            wire_fuzz_free(w);
            return NULL;
        }
    }
    w->sw = ((struct switch_link *)w->port[0].peer)->sw;
    return w;
}

void wire_fuzz_free(struct wire_fuzz *w)
{
    for (unsigned i = 0; i < PORTS; i++) {
        if (w->port[i].peer) {
            net_switch_ops.close(&w->port[i]);
        }
        net_queue_clear(&w->port[i].in);
    }
    g_array_unref(w->poll.fds);
    g_free(w);
}
