/*
 * IPv4 fragments put together (RFC 791), in bounded memory, so that libslirp sees whole datagrams
 * only.
 *
 * Fragments that overlap, or lie behind the last one, are no accident: their datagram is given up
 * (as RFC 5722 has it for IPv6).
 * Not modelled: options, fragments of IPv6.
 */
#include "ui/net_guard.h"

enum {
    FRAG_SLOTS = 8,
    FRAG_HEADER = NET_HEADER + 20,
    FRAG_UNIT = 8,
    FRAG_DATA = 65536,
    FRAG_MAX = 65535 - 20,
    FRAG_TIME_US = 15 * 1000 * 1000,
    FLAG_MORE = 0x2000,
    OFFSET_MASK = 0x1fff,
};

struct net_frag {
    bool used;
    int64_t since;
    uint8_t key[12]; /* addresses, identification, protocol */
    uint32_t total;  /* bytes, 0: the last fragment has not come yet */
    uint32_t end;    /* where the furthest fragment ends */
    uint32_t units;  /* that are here */
    uint8_t have[FRAG_DATA / FRAG_UNIT / 8];
    uint8_t *frame; /* FRAG_HEADER and data */
};

struct net_frags {
    struct net_frag slot[FRAG_SLOTS];
};

struct net_frags *net_frags_new(void)
{
    return g_new0(struct net_frags, 1);
}

void net_frags_free(struct net_frags *s)
{
    for (unsigned i = 0; s && i < FRAG_SLOTS; i++) {
        g_free(s->slot[i].frame);
    }
    g_free(s);
}

/* The slot of a datagram: its own, a free one, or else the one begun first. */
static struct net_frag *net_frags_find(struct net_frags *s, const uint8_t key[12])
{
    int64_t now = g_get_monotonic_time();
    struct net_frag *best = &s->slot[0];

    for (unsigned i = 0; i < FRAG_SLOTS; i++) {
        struct net_frag *f = &s->slot[i];

        if (f->used && now - f->since > FRAG_TIME_US) {
            f->used = false;
        }
        if (f->used && !memcmp(f->key, key, sizeof f->key)) {
            return f;
        }
        if (best->used && (!f->used || f->since < best->since)) {
            best = f;
        }
    }
    if (!best->frame) {
        best->frame = g_malloc(FRAG_HEADER + FRAG_DATA);
    }
    best->used = true;
    best->since = now;
    memcpy(best->key, key, sizeof best->key);
    best->total = best->end = best->units = 0;
    memset(best->have, 0, sizeof best->have);
    return best;
}

/* Note which units a piece covers; false: some were there. */
static bool net_frag_cover(struct net_frag *f, uint32_t from, uint32_t len)
{
    for (uint32_t u = from / FRAG_UNIT; u < (from + len + FRAG_UNIT - 1) / FRAG_UNIT; u++) {
        if (f->have[u / 8] & BIT(u % 8)) {
            return false;
        }
        f->have[u / 8] |= (uint8_t)BIT(u % 8);
        f->units++;
    }
    return true;
}

static bool net_frag_is_complete(const struct net_frag *f)
{
    return f->total && f->units == (f->total + FRAG_UNIT - 1) / FRAG_UNIT;
}

/* The header of the whole. */
static void net_frag_finish(struct net_frag *f, const uint8_t *frame)
{
    uint8_t *ip = f->frame + NET_HEADER;

    memcpy(f->frame, frame, FRAG_HEADER);
    st_be16(ip + 2, (uint16_t)(20 + f->total));
    st_be16(ip + 6, 0);
    st_be16(ip + 10, 0);
    st_be16(ip + 10, net_guard_sum_end(net_guard_sum(ip, 20, 0)));
    f->used = false;
}

const uint8_t *net_frags_add(struct net_frags *s, const uint8_t *frame, size_t *len, bool *bad)
{
    const uint8_t *ip = frame + NET_HEADER;
    uint32_t size = ld_be16(ip + 2) - 20u, flags = ld_be16(ip + 6);
    uint32_t from = (flags & OFFSET_MASK) * FRAG_UNIT;
    bool more = flags & FLAG_MORE;
    struct net_frag *f;
    uint8_t key[12];

    *bad = true;
    if (!size || from + size > FRAG_MAX || (more && size % FRAG_UNIT) ||
        net_guard_sum_end(net_guard_sum(ip, 20, 0))) {
        return NULL;
    }
    memcpy(key, ip + 12, 8);
    memcpy(key + 8, ip + 4, 2);
    key[10] = ip[9];
    key[11] = 0;
    f = net_frags_find(s, key);
    if ((!more && (f->total || from + size < f->end)) || (f->total && from + size > f->total) ||
        !net_frag_cover(f, from, size)) {
        f->used = false;
        return NULL;
    }
    f->end = MAX(f->end, from + size);
    memcpy(f->frame + FRAG_HEADER + from, ip + 20, size);
    if (!more) {
        f->total = from + size;
    }
    *bad = false;
    if (!net_frag_is_complete(f)) {
        return NULL;
    }
    net_frag_finish(f, frame);
    *len = FRAG_HEADER + f->total;
    return f->frame;
}
