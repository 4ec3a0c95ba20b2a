/*
 * Fuzzer: a guest's frames on a user network, with servers on the host that take and give.  They
 * reach the guard and, what passes it, libslirp.
 *
 * Input: operations of OP_SIZE bytes, each a kind and what to put where in a frame that is right
 * otherwise; see do_one.
 *
 * Not modelled: the net thread and the card.
 */
#include "ui/net_slirp.h"
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libslirp 4.7 forgets some of what waits for a guest's address when it ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libslirp\nleak:slirp_input\nleak:slirp_pollfds_poll\n";
}

enum {
    OP_SIZE = 12,
    OPS_MAX = 200,
    FLOWS = 4,
    GUEST = 0x0a00020f,
    HOST = 0x0a000202,
    IP = NET_HEADER,
    FRAME = 1600,
};

/* A connection of the guest's, as it sees it. */
struct flow {
    uint32_t seq, ack;
    int fd;
};

static struct fuzz {
    int tcp, udp; /* the host's servers */
    uint16_t tcp_port, udp_port;
    struct nets nets;
    struct net_port port;
    struct nic_config config;
    struct flow flow[FLOWS];
    uint8_t f[FRAME];
} z;

static const uint8_t macs[12] = {0x52, 0x55, 10, 0, 2, 2, 0x52, 0x54, 0, 0x12, 0x34, 0x56};
static const uint8_t host6[16] = {0xfe, 0xc0, [15] = 2}, guest6[16] = {0xfe, 0xc0, [15] = 15};

static int serve(int type, uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

    if (bind(fd, (struct sockaddr *)&a, sizeof a) || (type == SOCK_STREAM && listen(fd, 64)) ||
        getsockname(fd, (struct sockaddr *)&a, &len)) {
        abort();
    }
    *port = ntohs(a.sin_port);
    return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    signal(SIGPIPE, SIG_IGN); /* as in ui/main.c */
    z.tcp = serve(SOCK_STREAM, &z.tcp_port);
    z.udp = serve(SOCK_DGRAM, &z.udp_port);
    z.nets.poll.fds = g_array_new(FALSE, TRUE, sizeof(struct pollfd));
    return 0;
}

static void round_once(void)
{
    struct net_poll *p = &z.nets.poll;

    g_array_set_size(p->fds, 0);
    net_slirp_ops.prepare(&z.port, p);
    poll((struct pollfd *)(void *)p->fds->data, p->fds->len, 0);
    net_slirp_ops.dispatch(&z.port, p);
}

/* What came for the guest: it learns where its connections stand. */
static void take_frames(void)
{
    const uint8_t *f;
    uint32_t len;

    while ((f = net_queue_head(&z.port.in, &len)) != NULL) {
        if (len >= IP + 40 && ld_be16(f + 12) == 0x0800 && f[IP + 9] == GUARD_TCP) {
            struct flow *w = &z.flow[ld_be16(f + IP + 22) % FLOWS];
            unsigned flags = f[IP + 33];

            w->ack = ld_be32(f + IP + 24) + ld_be16(f + IP + 2) - 40 + (flags & 3 ? 1 : 0);
        }
        net_queue_pop(&z.port.in);
    }
}

/* Checksums of the frame as it stands. */
static void mend(size_t len)
{
    uint8_t *f = z.f, *body;
    unsigned proto, size;
    uint32_t sum;

    if (ld_be16(f + 12) == 0x0800) {
        st_be16(f + IP + 10, 0);
        st_be16(f + IP + 10, net_guard_sum_end(net_guard_sum(f + IP, 20, 0)));
        body = f + IP + 20;
        proto = f[IP + 9];
        sum = net_guard_sum(f + IP + 12, 8, 0);
    } else {
        body = f + IP + 40;
        proto = f[IP + 6];
        sum = net_guard_sum(f + IP + 8, 32, 0);
    }
    size = (unsigned)(f + len - body);
    if (proto == GUARD_ICMP) {
        sum = 0;
    } else {
        sum += proto + size;
    }
    if (proto == GUARD_TCP || proto == GUARD_UDP || proto == GUARD_ICMP || proto == GUARD_ICMP6) {
        uint8_t *at = body + (proto == GUARD_TCP ? 16 : proto == GUARD_UDP ? 6 : 2);

        st_be16(at, 0);
        st_be16(at, net_guard_sum_end(net_guard_sum(body, size, sum)));
    }
}

static void send_frame(const uint8_t *op, size_t len)
{
    /* A byte somewhere is changed, before or after the checksums. */
    if (op[8] & 1) {
        z.f[12 + op[9] % (len - 12)] = op[10];
    }
    /* Nothing is to leave this host. */
    if (ld_be16(z.f + 12) == 0x0800) {
        st_be16(z.f + IP + 16, HOST >> 16);
        z.f[IP + 18] = HOST >> 8 & 0xff;
    } else {
        memcpy(z.f + IP + 24, host6, 12);
    }
    if (!(op[8] & 6)) {
        mend(len);
    }
    if (op[8] & 8) {
        len = MIN(len, (size_t)NET_HEADER + op[11]);
    }
    net_slirp_ops.send(&z.port, z.f, len);
    if (op[8] & 16) {
        net_slirp_ops.flush(&z.port);
    }
}

static size_t begin(bool v6, unsigned proto, size_t size)
{
    uint8_t *f = z.f;

    memset(f, 0, IP + 60);
    memcpy(f, macs, sizeof macs);
    st_be16(f + 12, v6 ? 0x86dd : 0x0800);
    if (v6) {
        f[IP] = 0x60;
        st_be16(f + IP + 4, (uint16_t)size);
        f[IP + 6] = (uint8_t)proto;
        f[IP + 7] = 255;
        memcpy(f + IP + 8, guest6, 16);
        memcpy(f + IP + 24, host6, 16);
        return IP + 40;
    }
    f[IP] = 0x45;
    st_be16(f + IP + 2, (uint16_t)(20 + size));
    f[IP + 8] = 64;
    f[IP + 9] = (uint8_t)proto;
    st_be32(f + IP + 12, GUEST);
    st_be32(f + IP + 16, HOST);
    return IP + 20;
}

static void send_tcp(const uint8_t *op, bool v6)
{
    unsigned which = op[1] % FLOWS, flags = op[2], len = op[3] * (op[4] & 1 ? 5u : 1u);
    struct flow *w = &z.flow[which];
    size_t at = begin(v6, GUARD_TCP, 20 + len);
    uint32_t seq = w->seq + (op[4] & 2 ? (uint32_t)(int8_t)op[5] * 64 : 0);

    if ((flags & 0x16) == 2) {
        seq = w->seq = op[4] & 4 ? 0u - op[5] * 8u : ld_le32(op + 4);
    }
    st_be16(z.f + at, (uint16_t)(4096 + which));
    st_be16(z.f + at + 2, z.tcp_port);
    st_be32(z.f + at + 4, seq);
    st_be32(z.f + at + 8, w->ack + (op[4] & 8 ? op[6] - 128u : 0));
    z.f[at + 12] = 0x50;
    z.f[at + 13] = (uint8_t)flags;
    st_be16(z.f + at + 14, (uint16_t)(op[6] * 257));
    st_be16(z.f + at + 18, op[7]);
    if (!(op[4] & 2)) {
        w->seq += len + (flags & 3 ? 1 : 0);
    }
    send_frame(op, at + 20 + len);
}

static void send_udp(const uint8_t *op, bool v6)
{
    static const uint16_t ports[] = {67, 69, 53, 547, 7, 0, 137, 500};
    unsigned len = op[3] * 3u;
    size_t at = begin(v6, GUARD_UDP, 8 + len);
    uint8_t *body = z.f + at + 8;

    st_be16(z.f + at, (uint16_t)(5000 + op[1] % 32));
    st_be16(z.f + at + 2, op[2] & 1 ? z.udp_port : ports[op[2] / 2 % ARRAY_LEN(ports)]);
    st_be16(z.f + at + 4, (uint16_t)(8 + len));
    if (op[2] / 2 % 8 == 0 && len >= 250) {
        memset(body, 0, 240);
        body[0] = 1;
        body[28] = op[4];
        st_be32(body + 236, 0x63825363);
        memcpy(body + 240, op, OP_SIZE - 2);
    } else if (op[2] / 2 % 8 == 1 && len >= 20) {
        memset(body, 0, len);
        st_be16(body, op[4] % 7);
        memcpy(body + 2, "fstab\0octet\0blksize", MIN(20u, len - 2));
    } else {
        memset(body, op[4], len);
    }
    send_frame(op, at + 8 + len);
}

static void send_icmp(const uint8_t *op, bool v6)
{
    static const uint8_t types[] = {8, 128, 133, 134, 135, 136, 137, 3, 0, 13};
    unsigned len = 8 + op[3];
    size_t at = begin(v6, v6 ? GUARD_ICMP6 : GUARD_ICMP, len);

    memset(z.f + at, 0, len);
    z.f[at] = types[op[2] % ARRAY_LEN(types)];
    z.f[at + 1] = op[4] & 1 ? op[5] : 0;
    if (len >= 24) {
        memcpy(z.f + at + 8, host6, 16);
    }
    if (!v6) {
        st_be16(z.f + IP + 6, op[4] & 2 ? (uint16_t)(op[6] & 1 ? 0x2000 : op[6] / 2) : 0);
        z.f[IP + 19] = (uint8_t)(2 + (op[4] & 4));
    }
    send_frame(op, at + len);
}

static void send_arp(const uint8_t *op)
{
    memset(z.f, 0, 60);
    memcpy(z.f, macs, sizeof macs);
    memcpy(z.f + 12, "\x08\x06\0\1\x08\0\6\4\0", 9);
    z.f[21] = op[1] % 3;
    memcpy(z.f + 22, macs + 6, 6);
    st_be32(z.f + 28, GUEST + (op[2] & 1 ? op[3] : 0));
    st_be32(z.f + 38, HOST + op[4] % 4);
    net_slirp_ops.send(&z.port, z.f, op[5] & 1 ? 60 : NET_HEADER + op[6] % 46u);
}

/* The host's servers do something with what they have. */
static void act(const uint8_t *op)
{
    struct flow *w = &z.flow[op[1] % FLOWS];
    static char text[4096];

    if (w->fd < 0) {
        w->fd = accept(z.tcp, NULL, NULL);
        return;
    }
    switch (op[2] % 6) {
    case 0:
        close(w->fd);
        w->fd = -1;
        break;
    case 1:
        shutdown(w->fd, SHUT_WR);
        break;
    case 2:
        send(w->fd, text, op[3] * 16, MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
    case 3:
        send(w->fd, text, 1, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_OOB);
        break;
    default:
        while (recv(w->fd, text, sizeof text, MSG_DONTWAIT) > 0) {
        }
    }
}

static void do_one(const uint8_t *op)
{
    bool v6 = op[0] & 0x40;

    switch (op[0] % 8) {
    case 0:
    case 1:
    case 2:
        send_tcp(op, v6);
        break;
    case 3:
        send_udp(op, v6);
        break;
    case 4:
        send_icmp(op, v6);
        break;
    case 5:
        send_arp(op);
        break;
    case 6:
        act(op);
        break;
    default:
        round_once();
    }
    take_frames();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    char text[64];
    int fd;

    memset(&z.port, 0, sizeof z.port);
    z.port.nets = &z.nets;
    z.port.config = &z.config;
    z.port.ops = &net_slirp_ops;
    z.config.user.tftp = "/etc";
    z.config.user.restricted = size && data[0] == 0xff;
    if (!net_slirp_ops.open(&z.port, NULL)) {
        abort();
    }
    ((struct net_slirp *)z.port.peer)->sockets_max = 40;
    for (unsigned i = 0; i < FLOWS; i++) {
        z.flow[i] = (struct flow){.fd = -1};
    }
    /* So that libslirp knows where the guest is. */
    send_arp((const uint8_t[OP_SIZE]){0, 1, [5] = 1});
    send_icmp((const uint8_t[OP_SIZE]){[2] = 3, [3] = 24}, true);
    take_frames();
    for (size_t at = 0; at + OP_SIZE <= size && at < OPS_MAX * OP_SIZE; at += OP_SIZE) {
        do_one(data + at);
    }
    round_once();
    net_slirp_ops.close(&z.port);
    net_queue_clear(&z.port.in);
    for (unsigned i = 0; i < FLOWS; i++) {
        if (z.flow[i].fd >= 0) {
            close(z.flow[i].fd);
        }
    }
    while ((fd = accept(z.tcp, NULL, NULL)) >= 0) {
        close(fd);
    }
    while (recvfrom(z.udp, text, sizeof text, 0, (struct sockaddr *)&from, &len) >= 0) {
    }
    return 0;
}
