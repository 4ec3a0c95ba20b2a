/*
 * A set of page numbers that is emptied often and at once: the pages whose code was fetched since a
 * generation of translations began.
 *
 * An entry is a page number and the stamp of the emptying it came after; entries with another stamp
 * are free.  A set with no room for a page holds all pages from then on.
 *
 * Not modelled: taking a page out.
 */
#ifndef CPU_PAGESET_H
#define CPU_PAGESET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { PAGESET_SLOTS = 16384, PAGESET_TRIES = 16, PAGESET_STAMP_BITS = 19 }; /* and 45 of a page */

struct pageset {
    uint64_t stamp; /* 0 only before the first pageset_clear */
    uint64_t all;
    uint64_t slots[PAGESET_SLOTS];
};

static inline void pageset_clear(struct pageset *s)
{
    s->all = false;
    s->stamp = (s->stamp + 1) & ((1u << PAGESET_STAMP_BITS) - 1);
    if (!s->stamp) { /* used before */
        memset(s->slots, 0, sizeof s->slots);
        s->stamp = 1;
    }
}

/* The word of the set that says whether page n is in it, or is to say so (`*to` it). */
static inline uint64_t *pageset_word(struct pageset *s, uint64_t n, uint64_t *to)
{
    uint64_t hash = n * 0x9e3779b97f4a7c15ull >> 40;

    *to = n << PAGESET_STAMP_BITS | s->stamp;
    for (unsigned k = 0; k < PAGESET_TRIES; k++) {
        uint64_t *slot = &s->slots[(hash + k) % PAGESET_SLOTS];

        if (*slot == *to || (*slot ^ s->stamp) << (64 - PAGESET_STAMP_BITS)) {
            return slot;
        }
    }
    *to = true;
    return &s->all;
}

static inline bool pageset_has(struct pageset *s, uint64_t n)
{
    uint64_t to, *word = pageset_word(s, n, &to);

    return s->all || *word == to;
}

#endif
