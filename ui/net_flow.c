/*
 * The guest's TCP connections as the guard sees them: what libslirp has acknowledged and what
 * window it offers, so that only data it can take is handed on.
 *
 * The table is learnt from libslirp's own segments.  A connection that is not in it (any more) has
 * the data of its next segment cut off; libslirp's answer then puts it there.
 *
 * Why so strict (libslirp 4.7): whenever a segment goes through its reassembly and leaves nothing
 * behind it, it looks at a word of its connection's header template as if that were the next
 * segment's sequence number.  The word is 0 for IPv4 and bytes 4 to 7 of the guest's address for
 * IPv6; if it is what libslirp expects next, it follows pointers that are none.  So no segment may
 * end there, neither by itself nor by being trimmed to the window.
 */
#include "ui/net_guard.h"

enum {
    FLOW_SETS = 512,
    FLOW_WAYS = 4,
    FLOW_UNACKED_MAX = 128, /* segments */
    TCP_FIN = 1,
    TCP_SYN = 2,
    TCP_RST = 4,
    TCP_PSH = 8,
    TCP_ACK = 16,
    TCP_URG = 32,
    TCP_HEADER_MIN = 20,
};

struct net_flow_key {
    uint8_t guest[16], host[16];
    uint16_t guest_port, host_port;
};

struct net_flow {
    struct net_flow_key key;
    bool used, known;
    uint32_t used_at;
    uint32_t ack, edge; /* of the guest's sequence numbers */
    uint32_t top;       /* how far the segments reached that it may have queued */
    unsigned unacked;   /* how many they are */
};

struct net_flow *net_flows_new(void)
{
    return g_new0(struct net_flow, FLOW_SETS * FLOW_WAYS);
}

static void net_flow_key_fill(struct net_flow_key *k, const struct guarded *p, bool from_guest)
{
    const uint8_t *ip = p->frame + NET_HEADER, *tcp = p->frame + p->at;
    unsigned size = p->version == 4 ? 4 : 16;
    const uint8_t *source = ip + (p->version == 4 ? 12 : 8), *target = source + size;

    memset(k, 0, sizeof *k);
    memcpy(k->guest, from_guest ? source : target, size);
    memcpy(k->host, from_guest ? target : source, size);
    k->guest_port = ld_be16(tcp + (from_guest ? 0 : 2));
    k->host_port = ld_be16(tcp + (from_guest ? 2 : 0));
}

static struct net_flow *net_flow_set(const struct net_guard *g, const struct net_flow_key *k)
{
    uint32_t h = k->guest_port * 0x9e3779b1u + k->host_port * 0x85ebca6bu;

    for (unsigned i = 0; i < sizeof k->host; i += 4) {
        h = (h ^ ld_le32(k->host + i) ^ ld_le32(k->guest + i)) * 0x9e3779b1u;
    }
    return g->flows + (h >> 16) % FLOW_SETS * FLOW_WAYS;
}

static struct net_flow *net_flow_find(struct net_guard *g, const struct net_flow_key *k, bool make)
{
    struct net_flow *set = net_flow_set(g, k), *oldest = set;

    for (unsigned i = 0; i < FLOW_WAYS; i++) {
        if (set[i].used && !memcmp(&set[i].key, k, sizeof *k)) {
            set[i].used_at = ++g->now;
            return &set[i];
        }
        if (oldest->used && (!set[i].used || (int32_t)(set[i].used_at - oldest->used_at) < 0)) {
            oldest = &set[i];
        }
    }
    if (!make) {
        return NULL;
    }
    *oldest = (struct net_flow){.key = *k, .used = true, .used_at = ++g->now};
    return oldest;
}

/* Checksums --------------------------------------------------------------------------------------
 */

/* Of a segment with the addresses around it. */
static uint16_t net_flow_sum(const struct guarded *p)
{
    const uint8_t *ip = p->frame + NET_HEADER;
    uint32_t sum = net_guard_sum(p->frame + p->at, p->size, GUARD_TCP + (uint32_t)p->size);

    sum = p->version == 4 ? net_guard_sum(ip + 12, 8, sum) : net_guard_sum(ip + 8, 32, sum);
    return net_guard_sum_end(sum);
}

/* A segment's data beyond `keep` bytes goes away, and its end with them; false: it was damaged. */
static bool net_flow_cut(struct net_guard *g, struct guarded *p, size_t header, size_t keep)
{
    uint8_t *frame, *ip, *tcp;

    if (net_flow_sum(p) ||
        (p->version == 4 && net_guard_sum_end(net_guard_sum(p->frame + NET_HEADER, 20, 0)))) {
        p->why = NET_DROP_MALFORMED;
        return false;
    }
    frame = net_guard_own(g, p);
    ip = frame + NET_HEADER;
    tcp = frame + p->at;
    p->size = header + keep;
    p->len = p->at + p->size;
    tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (p->version == 4) {
        st_be16(ip + 2, (uint16_t)(20 + p->size));
        st_be16(ip + 10, 0);
        st_be16(ip + 10, net_guard_sum_end(net_guard_sum(ip, 20, 0)));
    } else {
        st_be16(ip + 4, (uint16_t)p->size);
    }
    st_be16(tcp + 16, 0);
    st_be16(tcp + 16, net_flow_sum(p));
    return true;
}

/* The urgent mark goes away, damage stays. */
static void net_flow_calm(struct net_guard *g, struct guarded *p)
{
    uint8_t *tcp = net_guard_own(g, p) + p->at;
    uint32_t sum = (uint16_t)~ld_be16(tcp + 16);

    sum += (uint16_t)~ld_be16(tcp + 12) + (uint32_t)(uint16_t)~ld_be16(tcp + 18);
    tcp[13] &= (uint8_t)~TCP_URG;
    st_be16(tcp + 18, 0);
    sum += ld_be16(tcp + 12);
    st_be16(tcp + 16, net_guard_sum_end(sum));
}

/* The rules ------------------------------------------------------------------------------------ */

/* Where no segment may end; see the top. */
static uint32_t net_flow_trap(const struct guarded *p)
{
    return p->version == 4 ? 0 : ld_le32(p->frame + NET_HEADER + 8 + 4);
}

/* How much of a segment's data there is to hand on; *fin: with its end. */
static uint32_t net_flow_take(const struct net_flow *f, const struct guarded *p, uint32_t len,
                              bool *fin)
{
    uint32_t seq = ld_be32(p->frame + p->at + 4), keep = len;
    int32_t room = (int32_t)(f->edge - seq);

    if (room < (int32_t)len) {
        /* The first byte beyond the window asks whether it is still closed. */
        keep = room > 0 ? (uint32_t)room : len && !room ? 1 : 0;
        *fin = false;
    }
    if ((keep || *fin) && seq + keep == net_flow_trap(p)) {
        keep -= keep ? 1 : 0;
        *fin = false;
    }
    return keep;
}

/* Whether libslirp may get a segment with data, which it queues if something before is missing. */
static bool net_flow_may_queue(struct net_flow *f, uint32_t seq, uint32_t len)
{
    if ((int32_t)(seq - f->ack) <= 0 || (int32_t)(seq - f->edge) >= 0) {
        return true;
    }
    if (f->unacked == FLOW_UNACKED_MAX) {
        return false;
    }
    if (!f->unacked++ || (int32_t)(seq + len - f->top) > 0) {
        f->top = seq + len;
    }
    return true;
}

bool net_flow_check(struct net_guard *g, struct guarded *p, bool may_open)
{
    const uint8_t *tcp = p->frame + p->at;
    struct net_flow_key key;
    struct net_flow *f;
    uint32_t header, len, keep = 0;
    unsigned flags;
    bool fin;

    p->why = NET_DROP_MALFORMED;
    if (p->size < TCP_HEADER_MIN || (header = (tcp[12] >> 4) * 4u) < TCP_HEADER_MIN ||
        header > p->size) {
        return false;
    }
    flags = tcp[13];
    len = (uint32_t)p->size - header;
    fin = flags & TCP_FIN;
    net_flow_key_fill(&key, p, true);
    f = net_flow_find(g, &key, false);
    p->why = NET_DROP_HOST;
    if (!f && (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && !may_open) {
        return false;
    }
    if (flags & TCP_URG) {
        net_flow_calm(g, p);
    }
    if (f && f->known && !(flags & (TCP_SYN | TCP_RST))) {
        if (len && !net_flow_may_queue(f, ld_be32(tcp + 4), len)) {
            return false;
        }
        keep = net_flow_take(f, p, len, &fin);
    } else {
        fin = false;
    }
    return (keep == len && fin == ((flags & TCP_FIN) != 0)) || net_flow_cut(g, p, header, keep);
}

void net_flow_learn(struct net_guard *g, const struct guarded *p)
{
    const uint8_t *tcp = p->frame + p->at;
    struct net_flow_key key;
    struct net_flow *f;
    unsigned flags;
    uint32_t ack, edge;

    if (p->size < TCP_HEADER_MIN) {
        return;
    }
    flags = tcp[13];
    net_flow_key_fill(&key, p, false);
    f = net_flow_find(g, &key, !(flags & TCP_RST));
    if (f && flags & TCP_RST) {
        f->used = false;
    } else if (f && flags & TCP_SYN) {
        f->known = false;
    }
    if (!f || !(flags & TCP_ACK)) {
        return;
    }
    ack = ld_be32(tcp + 8);
    edge = ack + ld_be16(tcp + 14);
    if (!f->known || (int32_t)(ack - f->ack) > 0) {
        f->ack = ack;
    }
    /* It acknowledges all it has: short of the top, something is missing and the rest queued. */
    if (!f->known || (int32_t)(ack - f->top) >= 0) {
        f->unacked = 0;
    }
    if (!f->known || (int32_t)(edge - f->edge) > 0) {
        f->edge = edge;
    }
    f->known = true;
}
