/*
 * The forwarding table of a switch: behind which of its links an address of a VLAN is.
 *
 * Bounded: a link has at most FDB_LINK_MAX entries, and when the table is full, the link with the
 * most loses its oldest one.  So whoever floods the table with addresses loses their own entries.
 * Entries that were not heard of for FDB_AGE_US are forgotten.
 *
 * Times are µs of any clock that does not go back.  Not thread-safe: the switch's owner calls.
 */
#ifndef CANDELA_UI_NET_FDB_H
#define CANDELA_UI_NET_FDB_H

#include "hw/core/base.h"

enum {
    FDB_ENTRIES = 4096,
    FDB_LINK_MAX = 512,
    FDB_LINKS = 64,
};
#define FDB_AGE_US (300 * G_TIME_SPAN_SECOND)

struct net_fdb;

struct net_fdb *net_fdb_new(void);
void net_fdb_free(struct net_fdb *f);

/*
 * An address was the source of a frame from `link` (below FDB_LINKS).  Returns -1, or, when the
 * address goes to and fro between two links, the other one: two machines have the same address.
 */
int net_fdb_learn(struct net_fdb *f, unsigned vid, const uint8_t *mac, unsigned link, int64_t now);
/* The link an address is behind, or -1. */
int net_fdb_find(struct net_fdb *f, unsigned vid, const uint8_t *mac, int64_t now);
/* Forget what is behind a link. */
void net_fdb_forget(struct net_fdb *f, unsigned link);
/* Entries of all links, old ones not counted. */
unsigned net_fdb_count(struct net_fdb *f, int64_t now);

#endif
