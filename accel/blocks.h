/*
 * The cache of decoded blocks of one vCPU.
 *
 * A block is a run of instructions starting at one host address (so: one physical byte of RAM) in
 * one mode.  It goes on past untaken conditional branches and ends at an unconditional transfer, at
 * a page's end, or after BLOCK_MAX instructions.  Only the first instruction of a block may cross
 * into the next page.
 *
 * The decoded instructions (the body) take most of the room.  When that is used up they are
 * forgotten, and so are blocks that have no compiled code; those that have stay, and get a body
 * again when the interpreter wants one.
 *
 * Not modelled: sharing of blocks between vCPUs; each has its own cache.
 */
#ifndef ACCEL_BLOCKS_H
#define ACCEL_BLOCKS_H

#include "cpu/insn.h"

enum { BLOCK_MAX = 32 };

struct page_code;
struct block_body;
/* One line of the host's cache, as there are many.  Blocks refer to each other by what
 * blocks_array's index is plus one; 0: none. */
struct code_block {
    const uint8_t *host;     /* key: host address of the first byte; NULL: unused */
    const uint8_t *host2;    /* key: host address of the second page, when crossing */
    struct block_body *body; /* NULL: forgotten */
    uint32_t page_next[2];   /* in the list of the page(s) it lies on */
    uint32_t jit;            /* its compiled versions (accel/jit/jit.c); 0: none */
    uint16_t mode;           /* key */
    uint16_t bytes;          /* length of guest code */
    uint16_t heat;           /* times entered while not compiled */
    uint16_t window_when;    /* see slow_fails_often (accel/jit/slow.c) */
    uint8_t window_fails;    /* the same */
    uint8_t n;               /* instructions */
    bool stale;
    bool compiled : 1; /* at some time: `jit`, or what is left of it, may refer to the block */
    bool guessed : 1;  /* low_of and high_of were */
    /* By base register (BLOCK_KEY): of which there are to be no windows (accel/jit/window.c).
     * Of views (accel/jit/view.c): addresses are low ones, high ones; are to be looked up. */
    uint16_t no_window_of, low_of, high_of, soft_of;
} __attribute__((aligned(64)));
static_assert(sizeof(struct code_block) == 64, "of many");
/* The bit of a base register; what has none shares that of the stack pointer. */
#define BLOCK_KEY(reg) ((reg) < 16 ? (unsigned)(reg) : (unsigned)R_RSP)

struct block_body {
    struct code_block *k;
    op_fn *first_fn;    /* of insn[0], whose own fn may be one of the engine's */
    struct insn insn[]; /* n of them and an end marker */
};

struct blocks;

/* Memory that is there when it is used; NULL: none to be had.  And back (NULL: nothing is done). */
void *blocks_map(size_t bytes);
void blocks_unmap(void *at, size_t bytes);

struct blocks *blocks_new(void);
/*
 * What the engine wants to know, for a translator beside it: `enter` takes the place of the first
 * instruction's handler in every new block, `drop` is told of each that is dropped.
 */
void blocks_watch(struct blocks *b, op_fn *enter, void (*drop)(void *to, struct code_block *k),
                  void *to);
void blocks_free(struct blocks *b);
/* Where all its blocks stand, one behind the other. */
struct code_block *blocks_array(const struct blocks *b);
/* Drop everything; no instruction of a block may be under way.  `c` gets empty jump caches. */
void blocks_flush(struct blocks *b, struct cpu *c);
/* Whether there is little room: sweep at the next safe place. */
bool blocks_full(const struct blocks *b);
/* Forget bodies, and blocks without compiled code; as blocks_flush.  False: that made little room.
 */
bool blocks_sweep(struct blocks *b, struct cpu *c);
/*
 * The block at linear address la (IP c->ip) in the present mode: found or decoded.  Raises #PF and
 * #GP as a fetch does. NULL: the code lies in device memory or beyond the segment limit within the
 * block: use blocks_single.
 */
struct code_block *blocks_get(struct blocks *b, struct cpu *c, uint64_t la);
/* A block of one page in the present mode, by the host address of its first byte; NULL: none is
 * there yet. */
const struct code_block *blocks_peek(const struct blocks *b, const struct cpu *c,
                                     const uint8_t *host);
/* Such a look is to come: what it would find is fetched into the host's caches. */
void blocks_expect(const struct blocks *b, const struct cpu *c, const uint8_t *host);
/*
 * The body of block k, decoded again when it was forgotten.  NULL: there is no room, or other code
 * stands there by now, or the mode is another.
 */
struct block_body *blocks_body(struct blocks *b, struct cpu *c, struct code_block *k);
/* Block k, found at la, if it has a body, or a new one in its place; may be NULL and raises as
 * blocks_get. */
struct code_block *blocks_whole(struct blocks *b, struct cpu *c, struct code_block *k, uint64_t la);
/*
 * Decode the one instruction at c->ip into out[0], with a `stop` instruction behind it; nothing is
 * cached.  Raises as a fetch does.
 */
void blocks_single(struct cpu *c, uint64_t la, struct insn out[2]);
/* The vCPU itself stored to [off, off + len) of ram: drop the blocks there, and where none of a
 * page is left, give up its code bit. */
void blocks_written(struct blocks *b, struct cpu *c, struct ram *ram, uint64_t off, uint64_t len);
/* The same for a store by another (code.h), whose business the code bit is. */
void blocks_drop(struct blocks *b, struct ram *ram, uint64_t off, uint64_t len);

struct blocks_stats {
    uint64_t built, dropped, flushes;
    size_t used, size; /* bytes of bodies */
};
void blocks_get_stats(const struct blocks *b, struct blocks_stats *out);

/* Engine handlers at block ends. */
op_fn op_block_next; /* fall through to the next block: disp as in a direct jump */
op_fn op_block_stop; /* back to the run loop */
op_fn op_block_stale;
op_fn op_block_cross;
/* What a direct branch is linked to whose target hangs on another page than the branch's own: looks
 * the target up in the jump cache. */
extern const struct insn block_cross;

/*
 * The bytes that decoding `i` hung on.  What has no meaning may have been refused for bytes that
 * its length does not count, a ModRM byte for one; a store there can give it a meaning.
 */
static inline unsigned block_bytes_seen(enum decode_result r, const struct insn *i, unsigned avail)
{
    return r == DECODE_OK ? i->len : MIN(15u, avail);
}

/* The block of a first instruction. */
static inline struct code_block *block_of(const struct insn *first)
{
    uintptr_t at = (uintptr_t)first - offsetof(struct block_body, insn);

    return ((const struct block_body *)at)->k;
}

/* The block of any of its instructions, or of its end marker (whose `n` is one more when stale). */
static inline const struct code_block *block_around(const struct insn *i)
{
    return block_of(i - (i->fn == op_block_next ? i->n : i->n - 1));
}

/* Do two blocks begin in the same page of the host's memory? */
static inline bool block_same_page(const struct code_block *a, const struct code_block *b)
{
    return !(((uintptr_t)a->host ^ (uintptr_t)b->host) >> PAGE_SHIFT);
}

/* Given a block's first instruction: does that reach into the next page? */
static inline bool block_crosses(const struct insn *first)
{
    return block_of(first)->host2;
}

#endif
