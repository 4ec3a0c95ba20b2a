/*
 * The forwarding table of a switch (IEEE 802.1Q-2018, 8.8: filtering database, dynamic entries
 * only).  One array of entries, which are on two lists each: the chain of their hash, and their
 * link's, in the order in which they were last heard of.
 *
 * Not modelled: static entries, multicast groups (IGMP snooping), shared learning of VLANs.
 */
#include "ui/net_fdb.h"

enum {
    FDB_HASH_BITS = 12,
    FDB_MOVES = 4, /* so many within FDB_MOVES_US are no machine that was plugged in elsewhere */
};
#define FDB_MOVES_US (10 * G_TIME_SPAN_SECOND)

/* Entry 0 is nobody. */
struct fdb_entry {
    uint64_t key; /* address and VLAN */
    int64_t seen, moved;
    uint16_t link, moves;
    uint16_t next;         /* of the same hash, or free */
    uint16_t older, newer; /* of the same link */
};

struct net_fdb {
    struct fdb_entry entry[FDB_ENTRIES + 1];
    uint16_t chain[BIT(FDB_HASH_BITS)];
    uint16_t free;
    unsigned count;
    uint64_t seed; /* so that guests cannot choose addresses of one chain */
    struct {
        uint16_t oldest, newest;
        unsigned count;
    } link[FDB_LINKS];
};

struct net_fdb *net_fdb_new(void)
{
    struct net_fdb *f = g_new0(struct net_fdb, 1);

    f->seed = (uint64_t)g_random_int() << 32 | g_random_int();
    for (unsigned i = FDB_ENTRIES; i; i--) {
        f->entry[i].next = f->free;
        f->free = (uint16_t)i;
    }
    return f;
}

void net_fdb_free(struct net_fdb *f)
{
    g_free(f);
}

static uint64_t fdb_key(unsigned vid, const uint8_t *mac)
{
    return (uint64_t)ld_be16(mac) << 32 | ld_be32(mac + 2) | (uint64_t)vid << 48;
}

static uint16_t *fdb_chain(struct net_fdb *f, uint64_t key)
{
    uint64_t h = (key ^ f->seed) * 0x9e3779b97f4a7c15ull;

    h = (h ^ h >> 32 ^ f->seed >> 7) * 0xd6e8feb86659fd93ull;
    return &f->chain[h >> (64 - FDB_HASH_BITS)];
}

static unsigned fdb_lookup(struct net_fdb *f, uint64_t key)
{
    unsigned i = *fdb_chain(f, key);

    while (i && f->entry[i].key != key) {
        i = f->entry[i].next;
    }
    return i;
}

static void fdb_unlink(struct net_fdb *f, unsigned i)
{
    struct fdb_entry *e = &f->entry[i];

    *(e->older ? &f->entry[e->older].newer : &f->link[e->link].oldest) = e->newer;
    *(e->newer ? &f->entry[e->newer].older : &f->link[e->link].newest) = e->older;
    f->link[e->link].count--;
}

/* As the one of its link heard of last. */
static void fdb_append(struct net_fdb *f, unsigned i, unsigned link, int64_t now)
{
    struct fdb_entry *e = &f->entry[i];

    e->link = (uint16_t)link;
    e->seen = now;
    e->newer = 0;
    e->older = f->link[link].newest;
    *(e->older ? &f->entry[e->older].newer : &f->link[link].oldest) = (uint16_t)i;
    f->link[link].newest = (uint16_t)i;
    f->link[link].count++;
}

static void fdb_remove(struct net_fdb *f, unsigned i)
{
    uint16_t *at = fdb_chain(f, f->entry[i].key);

    while (*at != i) {
        at = &f->entry[*at].next;
    }
    *at = f->entry[i].next;
    fdb_unlink(f, i);
    f->entry[i].next = f->free;
    f->free = (uint16_t)i;
    f->count--;
}

static bool fdb_is_old(const struct fdb_entry *e, int64_t now)
{
    return now - e->seen >= FDB_AGE_US;
}

static void fdb_age(struct net_fdb *f, int64_t now)
{
    for (unsigned l = 0; l < FDB_LINKS; l++) {
        while (f->link[l].oldest && fdb_is_old(&f->entry[f->link[l].oldest], now)) {
            fdb_remove(f, f->link[l].oldest);
        }
    }
}

/* Make room for an entry of `link`. */
static void fdb_make_room(struct net_fdb *f, unsigned link, int64_t now)
{
    unsigned most = link;

    if (f->link[link].count < FDB_LINK_MAX) {
        if (f->free) {
            return;
        }
        fdb_age(f, now);
        if (f->free) {
            return;
        }
        for (unsigned l = 0; l < FDB_LINKS; l++) {
            if (f->link[l].count > f->link[most].count) {
                most = l;
            }
        }
    }
    fdb_remove(f, f->link[most].oldest);
}

/* The entry is heard of behind another link: whether that happens again and again. */
static bool fdb_move(struct net_fdb *f, unsigned i, unsigned link, int64_t now)
{
    struct fdb_entry *e = &f->entry[i];

    e->moves = e->moves && now - e->moved < FDB_MOVES_US ? (uint16_t)(e->moves + 1) : 1;
    e->moved = now;
    fdb_unlink(f, i);
    if (f->link[link].count >= FDB_LINK_MAX) {
        fdb_remove(f, f->link[link].oldest);
    }
    fdb_append(f, i, link, now);
    if (e->moves < FDB_MOVES) {
        return false;
    }
    e->moves = 0;
    return true;
}

int net_fdb_learn(struct net_fdb *f, unsigned vid, const uint8_t *mac, unsigned link, int64_t now)
{
    uint64_t key = fdb_key(vid, mac);
    unsigned i = fdb_lookup(f, key), was;
    uint16_t *chain;

    if (!i) {
        fdb_make_room(f, link, now);
        i = f->free;
        f->free = f->entry[i].next;
        chain = fdb_chain(f, key);
        f->entry[i] = (struct fdb_entry){.key = key, .next = *chain};
        *chain = (uint16_t)i;
        f->count++;
        fdb_append(f, i, link, now);
        return -1;
    }
    was = f->entry[i].link;
    if (was != link) {
        return fdb_move(f, i, link, now) ? (int)was : -1;
    }
    if (f->entry[i].seen != now) {
        fdb_unlink(f, i);
        fdb_append(f, i, link, now);
    }
    return -1;
}

int net_fdb_find(struct net_fdb *f, unsigned vid, const uint8_t *mac, int64_t now)
{
    unsigned i = fdb_lookup(f, fdb_key(vid, mac));

    return i && !fdb_is_old(&f->entry[i], now) ? f->entry[i].link : -1;
}

void net_fdb_forget(struct net_fdb *f, unsigned link)
{
    while (f->link[link].oldest) {
        fdb_remove(f, f->link[link].oldest);
    }
}

unsigned net_fdb_count(struct net_fdb *f, int64_t now)
{
    fdb_age(f, now);
    return f->count;
}
