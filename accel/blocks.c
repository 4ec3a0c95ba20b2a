/*
 * Decoded-block cache: building, look-up, invalidation when code is written.
 *
 * Bodies live in one arena that is thrown away as a whole when full (blocks_sweep), with the blocks
 * that were not compiled; how hot those were is remembered by their hash.  Blocks never move.
 * Invalidation makes every instruction of a block lead to op_block_stale, so that links, jump-cache
 * entries and even the block being executed leave by themselves at the next instruction; nothing
 * has to be searched for.
 *
 * A page with code keeps a map of its 64-byte pieces that hold decoded bytes, so that data beside
 * code can be written (through the slow path) at little cost; a store into such a piece drops the
 * blocks decoded from the bytes it changes.
 *
 * What other vCPUs store to code is told by notes (hw/core/code.h).
 *
 * Not modelled: nothing left out.
 */
#include "accel/blocks.h"
#include "hw/core/code.h"
#include <sys/mman.h>

enum {
    HASH_SIZE = 1 << 18,
    PAGE_HASH_SIZE = 1 << 13,
    HEAT_SIZE = 1 << 17,
    BEGINS = 1 << 20,
    PIECE_SHIFT = 6,
    HASH_SHIFT = 4,
    HEAT_SHIFT = 2, /* of two blocks in one slot one is forgotten */
    BLOCKS_MAX = 160 * 1024,
    REF_BITS = 18,
    PAGES_MAX = 32 * 1024,
};
/* With the translator's cache: what an engine may take (tests/accel/test_memory.c). */
#define ARENA_BYTES (13 * MiB)
#define ARENA_SPARE (64 * KiB)
/* Of `hash` and `next`. */
#define CHAIN_BYTES ((HASH_SIZE + BLOCKS_MAX) * sizeof(uint32_t))

struct page_code {
    struct page_code *next; /* in the hash */
    const uint8_t *host;    /* host address of the page */
    uint32_t first;         /* block on it, as blocks refer to each other */
    uint64_t pieces;        /* 64-byte pieces with decoded bytes */
};

struct heat {
    uint8_t tag, heat;
};

struct blocks {
    uint8_t *arena; /* bodies */
    size_t used;
    struct code_block *block; /* BLOCKS_MAX, of which nblocks have been used since the flush */
    size_t nblocks, nfree;
    uint32_t unused;        /* below those */
    struct page_code *page; /* PAGES_MAX */
    size_t npages;
    /* Heads of chains, and by block the next in its chain, or the next unused one; each beside
     * REF_BITS of reference has a tag (tagged), so that few blocks are looked at in vain. */
    uint32_t *hash, *next;
    uint64_t *begins;          /* bits by a hash of pages: where no block begins (blocks_peek) */
    struct page_code **pages;  /* by hash */
    struct heat *heat;         /* of blocks that were forgotten */
    struct blocks_stats stats; /* but for what blocks_get_stats knows */
    op_fn *enter;
    void (*drop)(void *to, struct code_block *k);
    void *to;
};

void *blocks_map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

/* The same in large pages, where the host has them: for what is looked at here and there.  The last
 * of them is there as a whole. */
static void *map_large(size_t bytes)
{
    void *at = blocks_map(bytes);

    if (at) {
        (void)madvise(at, bytes, MADV_HUGEPAGE);
    }
    return at;
}

struct blocks *blocks_new(void)
{
    struct blocks *b = g_new0(struct blocks, 1);

    b->arena = blocks_map(ARENA_BYTES);
    b->block = map_large(BLOCKS_MAX * sizeof *b->block);
    b->page = blocks_map(PAGES_MAX * sizeof *b->page);
    b->hash = map_large(CHAIN_BYTES);
    b->next = b->hash + HASH_SIZE;
    b->begins = g_new0(uint64_t, BEGINS >> 6);
    b->pages = g_new0(struct page_code *, PAGE_HASH_SIZE);
    b->heat = g_new0(struct heat, HEAT_SIZE);
    if (!b->arena || !b->block || !b->page || !b->hash) {
        blocks_free(b);
        return NULL;
    }
    return b;
}

void blocks_watch(struct blocks *b, op_fn *enter, void (*drop)(void *to, struct code_block *k),
                  void *to)
{
    b->enter = enter;
    b->drop = drop;
    b->to = to;
}

struct code_block *blocks_array(const struct blocks *b)
{
    return b->block;
}

void blocks_unmap(void *at, size_t bytes)
{
    if (at) {
        munmap(at, bytes);
    }
}

void blocks_free(struct blocks *b)
{
    if (b) {
        blocks_unmap(b->arena, ARENA_BYTES);
        blocks_unmap(b->block, BLOCKS_MAX * sizeof *b->block);
        blocks_unmap(b->page, PAGES_MAX * sizeof *b->page);
        blocks_unmap(b->hash, CHAIN_BYTES);
        g_free(b->begins);
        g_free(b->pages);
        g_free(b->heat);
        g_free(b);
    }
}

bool blocks_full(const struct blocks *b)
{
    return b->used > ARENA_BYTES - ARENA_SPARE || b->nblocks - b->nfree > BLOCKS_MAX - 64 ||
           b->npages > PAGES_MAX - 64;
}

void blocks_get_stats(const struct blocks *b, struct blocks_stats *out)
{
    *out = b->stats;
    out->used = b->used;
    out->size = ARENA_BYTES;
}

static uint64_t hash_of(const uint8_t *host, unsigned mode)
{
    return (uint64_t)(uintptr_t)host * 0x9e3779b97f4a7c15ull + mode * 0x85ebca6bull;
}

static_assert(BLOCKS_MAX < 1 << REF_BITS, "a reference");

/* What stands above a reference to a block with that hash. */
static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32) >> REF_BITS;
}

static uint32_t index_of(uint32_t ref)
{
    return (ref & ((1u << REF_BITS) - 1)) - 1;
}

static struct code_block *block_at(const struct blocks *b, uint32_t ref)
{
    return ref ? &b->block[index_of(ref)] : NULL;
}

static uint32_t ref_of(const struct blocks *b, const struct code_block *k)
{
    return (uint32_t)(k - b->block) + 1;
}

/* Of the hash of a block: as it stands in its chain. */
static uint32_t tagged(const struct blocks *b, const struct code_block *k)
{
    return ref_of(b, k) | tag_of(hash_of(k->host, k->mode)) << REF_BITS;
}

static const uint8_t *page_of(const uint8_t *host)
{
    return (const uint8_t *)((uintptr_t)host & ~(uintptr_t)PAGE_OFFSET_MASK);
}

/* A hash that goes up by one every 1 << shift bytes of a page: who looks for a block looks for its
 * neighbours next.  `from`: the lowest bit of the page's hash that has a say. */
static uint64_t local_hash(const uint8_t *host, unsigned mode, unsigned from, unsigned shift)
{
    return (hash_of(page_of(host), mode) >> from) + (((uintptr_t)host & PAGE_OFFSET_MASK) >> shift);
}

static uint32_t *hash_slot(const struct blocks *b, const uint8_t *host, unsigned mode)
{
    return &b->hash[local_hash(host, mode, 32, HASH_SHIFT) & (HASH_SIZE - 1)];
}

static uint32_t *next_of(const struct blocks *b, const struct code_block *k)
{
    return &b->next[k - b->block];
}

/* Other bits than the hash's: blocks that share a slot there do not here. */
static struct heat *heat_slot(const struct blocks *b, const struct code_block *k)
{
    return &b->heat[local_hash(k->host, k->mode, 24, HEAT_SHIFT) & (HEAT_SIZE - 1)];
}

/* The tag keeps what many cold blocks have had, one after the other in one slot, from making the
 * next of them a hot one. */
static unsigned heat_of(const struct blocks *b, const struct code_block *k)
{
    uint64_t hash = hash_of(k->host, k->mode);
    const struct heat *h = heat_slot(b, k);

    return h->tag == (uint8_t)(hash >> 56) ? h->heat : 0;
}

static void note_heat(struct blocks *b, const struct code_block *k)
{
    uint64_t hash = hash_of(k->host, k->mode);

    *heat_slot(b, k) =
        (struct heat){.tag = (uint8_t)(hash >> 56), .heat = (uint8_t)MIN(k->heat, UINT8_MAX)};
}

/* Of b->begins: those of a page side by side, as they are asked for in a row. */
static uint64_t *begin_word(const struct blocks *b, const uint8_t *host)
{
    return &b->begins[local_hash(host, 0, 32, 6) & ((BEGINS >> 6) - 1)];
}

static uint64_t begin_bit(const uint8_t *host)
{
    return BIT64((uintptr_t)host & 63);
}

/* The next one is used up to `bytes`. */
static void arena_take(struct blocks *b, size_t bytes)
{
    b->used = align_up(b->used + bytes, 32);
}

static struct block_body *next_body(const struct blocks *b)
{
    return (struct block_body *)(void *)(b->arena + b->used);
}

static struct page_code **page_slot(const struct blocks *b, const uint8_t *host)
{
    return &b->pages[hash_of(host, 0) >> 40 & (PAGE_HASH_SIZE - 1)];
}

static struct page_code *find_page(const struct blocks *b, const uint8_t *host)
{
    struct page_code *p = *page_slot(b, host);

    while (p && p->host != host) {
        p = p->next;
    }
    return p;
}

static struct page_code *get_page(struct blocks *b, const uint8_t *host)
{
    struct page_code *p = find_page(b, host);

    if (!p) {
        struct page_code **at = page_slot(b, host);

        p = &b->page[b->npages++];
        *p = (struct page_code){.next = *at, .host = host};
        *at = p;
    }
    return p;
}

/* From now on stores to the page take the slow path.  Call it before code is read there. */
static void mark_code(struct cpu *c, const struct itlb_entry *it)
{
    if (it->ram) {
        mmu_claim_code(c, it->ram, it->ram_page);
    }
}

/* The pieces that the bytes [from, to] of a page touch. */
static uint64_t pieces_of(uint64_t from, uint64_t to)
{
    return bits(~0ull, to >> PIECE_SHIFT, from >> PIECE_SHIFT) << (from >> PIECE_SHIFT);
}

static void add_to_page(struct blocks *b, struct code_block *k, unsigned which,
                        const uint8_t *first, unsigned len)
{
    struct page_code *p = get_page(b, page_of(first));
    unsigned at = (unsigned)((uintptr_t)first & PAGE_OFFSET_MASK);

    p->pieces |= pieces_of(at, at + len - 1);
    k->page_next[which] = p->first;
    p->first = ref_of(b, k);
}

/*
 * A direct branch that leaves its page cannot be linked for good: what is mapped there may change.
 * Where its target lies shows in page offsets, whatever the linear address.  (Without a link the
 * target is checked against the limit of CS.)
 */
static void link_crossing(const struct code_block *k, struct insn *i)
{
    int64_t target = (int64_t)((uintptr_t)k->host & PAGE_OFFSET_MASK) + i->disp;

    if (k->mode & MODE_CS_FLAT && (target < 0 || target >= (int64_t)PAGE_BYTES)) {
        i->link = &block_cross;
    }
}

/* The end of a block that goes on: a jump to the next instruction. */
static void add_next(struct code_block *k)
{
    struct insn *last = &k->body->insn[k->n];

    *last = (struct insn){.fn = op_block_next,
                          .n = k->n,
                          .ofs = k->bytes,
                          .disp = k->bytes,
                          .base = R_ZERO,
                          .index = R_ZERO};
    link_crossing(k, last);
}

/* Decode from `host` (at most to the page's end) into k; stops before an instruction that leaves
 * the page. */
static void fill_block(struct cpu *c, struct code_block *k, unsigned avail)
{
    bool end = false;

    while (!end && k->n < BLOCK_MAX && k->bytes < avail) {
        struct insn *i = &k->body->insn[k->n];
        struct decode d;

        i->ofs = k->bytes;
        i->n = k->n + 1;
        enum decode_result r = cpu_decode(c, k->host + k->bytes, avail - k->bytes, i, &end, &d);
        if (r == DECODE_TRUNCATED) {
            break;
        }
        if (d.row && d.row->enc & (ENC_JB | ENC_JZ)) {
            link_crossing(k, i);
            if (k->n) {
                op_fuse(i - 1, i);
            }
        }
        k->bytes += block_bytes_seen(r, i, avail - k->bytes);
        k->n++;
    }
    if (!end && k->n) {
        add_next(k);
    }
}

/* A first instruction across two pages: decoded from a copy of its bytes. */
static bool fill_crossing(struct cpu *c, struct code_block *k, unsigned avail, uint64_t la)
{
    const struct itlb_entry *next = mmu_fetch(c, (la | PAGE_OFFSET_MASK) + 1);
    uint8_t bytes[16];
    bool end;
    struct decode d;

    if (!next->host) {
        return false;
    }
    k->host2 = next->host;
    mark_code(c, next); /* before a byte is read, as for the first page */
    memcpy(bytes, k->host, avail);
    memcpy(bytes + avail, next->host, 15 - avail);
    struct insn *i = &k->body->insn[0];
    i->ofs = 0;
    i->n = 1;
    enum decode_result r = cpu_decode(c, bytes, 15, i, &end, &d);
    k->bytes = block_bytes_seen(r, i, 15);
    k->n = 1;
    if (!end) {
        add_next(k);
    }
    return true;
}

/* The body just decoded is k's for good. */
static void keep_body(struct blocks *b, struct code_block *k)
{
    struct block_body *body = k->body;

    arena_take(b, sizeof *body + (k->n + 1u) * sizeof body->insn[0]);
    body->k = k;
    body->first_fn = body->insn[0].fn;
    if (b->enter) {
        body->insn[0].fn = b->enter;
    }
}

struct block_body *blocks_body(struct blocks *b, struct cpu *c, struct code_block *k)
{
    if (k->body || k->stale || k->host2 || k->mode != c->mode || blocks_full(b)) {
        return k->body;
    }
    struct code_block now = {.host = k->host, .mode = k->mode, .body = next_body(b)};
    fill_block(c, &now, PAGE_BYTES - ((uintptr_t)k->host & PAGE_OFFSET_MASK));
    if (now.n == k->n && now.bytes == k->bytes) {
        k->body = now.body;
        keep_body(b, k);
    }
    return k->body;
}

static void hash_in(struct blocks *b, struct code_block *k)
{
    uint32_t *slot = hash_slot(b, k->host, k->mode);

    *next_of(b, k) = *slot;
    *slot = tagged(b, k);
    *begin_word(b, k->host) |= begin_bit(k->host);
}

static void add_to_pages(struct blocks *b, struct code_block *k)
{
    unsigned avail = PAGE_BYTES - (unsigned)((uintptr_t)k->host & PAGE_OFFSET_MASK);
    unsigned on_first = MIN(k->bytes, avail);

    add_to_page(b, k, 0, k->host, on_first);
    if (k->host2) {
        add_to_page(b, k, 1, k->host2, MAX(k->bytes - on_first, 1u));
    }
}

static struct code_block *take_block(struct blocks *b)
{
    struct code_block *k = block_at(b, b->unused);

    if (k) {
        b->unused = *next_of(b, k);
        b->nfree--;
        return k;
    }
    return &b->block[b->nblocks++];
}

static struct code_block *build(struct blocks *b, struct cpu *c, const struct itlb_entry *it,
                                uint64_t la)
{
    unsigned at = la & PAGE_OFFSET_MASK, avail = PAGE_BYTES - at;
    struct itlb_entry page = *it; /* fetching the next page may replace the entry */
    struct code_block new = {.host = page.host + at, .mode = c->mode, .body = next_body(b)};

    mark_code(c, &page);
    fill_block(c, &new, avail);
    if (!new.n && !fill_crossing(c, &new, avail, la)) {
        return NULL;
    }
    struct code_block *k = take_block(b);
    *k = new;
    k->heat = heat_of(b, k);
    keep_body(b, k);
    add_to_pages(b, k);
    hash_in(b, k);
    b->stats.built++;
    return k;
}

/* The first block that begins there in that mode, of those in its chain behind `last` (NULL: of
 * all). */
static struct code_block *match(const struct blocks *b, const struct code_block *last,
                                const uint8_t *host, unsigned mode)
{
    uint64_t hash = hash_of(host, mode);
    uint32_t tag = tag_of(hash), ref = last ? *next_of(b, last) : *hash_slot(b, host, mode);

    for (; ref; ref = b->next[index_of(ref)]) {
        struct code_block *k = block_at(b, ref);

        if (ref >> REF_BITS == tag && k->host == host && k->mode == mode) {
            return k;
        }
    }
    return NULL;
}

static struct code_block *find(const struct blocks *b, struct cpu *c, const uint8_t *host,
                               uint64_t la)
{
    struct code_block *k = match(b, NULL, host, c->mode);

    while (k && k->host2 && mmu_fetch(c, (la | PAGE_OFFSET_MASK) + 1)->host != k->host2) {
        k = match(b, k, host, c->mode);
    }
    return k;
}

const struct code_block *blocks_peek(const struct blocks *b, const struct cpu *c,
                                     const uint8_t *host)
{
    const struct code_block *k =
        *begin_word(b, host) & begin_bit(host) ? match(b, NULL, host, c->mode) : NULL;

    while (k && k->host2) {
        k = match(b, k, host, c->mode);
    }
    return k;
}

void blocks_expect(const struct blocks *b, const struct cpu *c, const uint8_t *host)
{
    if (*begin_word(b, host) & begin_bit(host)) {
        __builtin_prefetch(block_at(b, *hash_slot(b, host, c->mode)));
    }
}

/* Whether the fetch of [ip, ip + len) stays inside CS. */
static bool inside_cs(const struct cpu *c, uint64_t ip, unsigned len)
{
    return (c->mode & MODE_CS_FLAT) || ip + len - 1 <= c->seg[SEG_CS].limit;
}

static void check_fetch(struct cpu *c, uint64_t la)
{
    if (!inside_cs(c, c->ip, 1) || (cpu_is_64(c) && !cpu_is_canonical(la))) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
}

struct code_block *blocks_get(struct blocks *b, struct cpu *c, uint64_t la)
{
    c->cur = NULL;
    check_fetch(c, la);

    const struct itlb_entry *it = mmu_fetch(c, la);
    if (!it->host) {
        return NULL;
    }
    struct code_block *k = find(b, c, it->host + (la & PAGE_OFFSET_MASK), la);
    if (!k) {
        it = mmu_fetch(c, la);
        k = build(b, c, it, la);
    }
    return k && inside_cs(c, c->ip, k->bytes) ? k : NULL;
}

/* `want` bytes at la, crossing pages and device memory. */
static void fetch_bytes(struct cpu *c, uint64_t la, uint8_t bytes[16], unsigned want)
{
    unsigned got = 0;

    while (got < want) {
        const struct itlb_entry *it = mmu_fetch(c, la + got);
        unsigned at = (la + got) & PAGE_OFFSET_MASK;
        unsigned len = MIN(want - got, (unsigned)(PAGE_BYTES - at));

        if (it->host) {
            memcpy(bytes + got, it->host + at, len);
        } else {
            for (unsigned k = 0; k < len; k++) {
                bytes[got + k] = (uint8_t)aspace_read(c->v, it->pa + at + k, 1);
            }
        }
        got += len;
    }
}

void blocks_single(struct cpu *c, uint64_t la, struct insn out[2])
{
    uint8_t bytes[16] = {0};
    struct decode d;
    bool end;
    unsigned avail = MIN(15u, (unsigned)(PAGE_BYTES - (la & PAGE_OFFSET_MASK)));

    c->cur = NULL;
    check_fetch(c, la);
    /* The next page is fetched only when the instruction reaches into it. */
    fetch_bytes(c, la, bytes, avail);
    out[0] = (struct insn){.n = 1};
    if (cpu_decode(c, bytes, avail, &out[0], &end, &d) == DECODE_TRUNCATED) {
        fetch_bytes(c, la, bytes, 15);
        out[0] = (struct insn){.n = 1};
        cpu_decode(c, bytes, 15, &out[0], &end, &d);
    }
    if (!inside_cs(c, c->ip, out[0].len)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    out[1] = (struct insn){
        .fn = op_block_stop, .n = 1, .ofs = out[0].len, .base = R_ZERO, .index = R_ZERO};
}

static void make_stale(struct code_block *k)
{
    struct block_body *body = k->body;

    k->stale = true;
    if (body) {
        body->insn[k->n].n = k->n + 1; /* op_block_stale counts those before it */
        for (unsigned n = 0; n <= k->n; n++) {
            body->insn[n].fn = op_block_stale;
        }
    }
}

static void drop_block(struct blocks *b, struct code_block *k)
{
    if (!k->stale) {
        uint32_t *at = hash_slot(b, k->host, k->mode), ref = tagged(b, k);

        while (*at != ref) {
            at = &b->next[index_of(*at)];
        }
        *at = *next_of(b, k);
        make_stale(k);
        if (k->jit) {
            b->drop(b->to, k);
        }
        b->stats.dropped++;
    }
}

struct code_block *blocks_whole(struct blocks *b, struct cpu *c, struct code_block *k, uint64_t la)
{
    if (blocks_body(b, c, k)) {
        return k;
    }
    drop_block(b, k);
    return blocks_get(b, c, la);
}

/* ---- making room ---- */

/* Where to find blocks by: nowhere. */
static void forget_places(struct blocks *b)
{
    /* Page code bits stay set: a later store finds no block, and clears the bit. */
    memset(b->hash, 0, HASH_SIZE * sizeof *b->hash);
    memset(b->begins, 0, BEGINS >> 3);
    memset(b->pages, 0, PAGE_HASH_SIZE * sizeof *b->pages);
    b->npages = 0;
    b->used = 0;
}

/* The jump cache leads to no body.  (To compiled code it may, whose block stays.) */
static void forget_jumps(const struct blocks *b, struct cpu *c)
{
    for (unsigned n = 0; n < JCACHE_SIZE; n++) {
        if ((uintptr_t)c->jcache[n].first - (uintptr_t)b->arena < ARENA_BYTES) {
            c->jcache[n] = (struct jcache_entry){0};
        }
    }
}

/* Heat is halved: what was hot once is not compiled again at its first entry, which would fill the
 * translator's cache with what was. */
void blocks_flush(struct blocks *b, struct cpu *c)
{
    for (size_t n = 0; n < b->nblocks; n++) {
        struct code_block *k = &b->block[n];

        if (k->host && !k->stale) {
            k->heat /= 2;
            note_heat(b, k);
        }
    }
    forget_places(b);
    memset(c->jcache, 0, JCACHE_SIZE * sizeof *c->jcache);
    b->nblocks = b->nfree = 0;
    b->unused = 0;
    b->stats.flushes++;
}

/* Code compiled from it may be in the cache for as long as that is not flushed. */
static void sweep_compiled(struct blocks *b, struct code_block *k)
{
    k->body = NULL;
    if (k->stale) {
        return;
    }
    hash_in(b, k);
    if (k->host2) { /* rare, and hard to decode again */
        drop_block(b, k);
    } else {
        add_to_pages(b, k);
    }
}

static void sweep_other(struct blocks *b, struct code_block *k)
{
    if (!k->stale) {
        note_heat(b, k);
    }
    k->host = NULL;
    *next_of(b, k) = b->unused;
    b->unused = ref_of(b, k);
    b->nfree++;
}

bool blocks_sweep(struct blocks *b, struct cpu *c)
{
    forget_places(b);
    forget_jumps(b, c);
    for (size_t n = 0; n < b->nblocks; n++) {
        struct code_block *k = &b->block[n];

        if (k->compiled) {
            sweep_compiled(b, k);
        } else if (k->host) {
            sweep_other(b, k);
        }
    }
    return b->nblocks - b->nfree < BLOCKS_MAX / 8 * 7 && b->npages < PAGES_MAX / 2;
}

/* ---- stores to code ---- */

/* The bytes [*from, *to] that block k was decoded from of its first page, or its second one. */
static void block_range(const struct code_block *k, unsigned which, unsigned *from, unsigned *to)
{
    unsigned at = (unsigned)((uintptr_t)k->host & PAGE_OFFSET_MASK), end = at + k->bytes;

    if (which == 0) {
        *from = at;
        *to = MIN(end, (unsigned)PAGE_BYTES) - 1;
    } else {
        *from = 0;
        *to = MAX(end, PAGE_BYTES + 1u) - PAGE_BYTES - 1;
    }
}

/*
 * Drop the blocks of one page with bytes in [from, to], and only those: boot loaders keep the data
 * of their mode switches between the instructions.
 */
static void drop_range(struct blocks *b, struct page_code *p, uint64_t from, uint64_t to)
{
    struct code_block *k = block_at(b, p->first), *next;

    p->first = 0;
    p->pieces = 0;
    for (; k; k = next) {
        unsigned which = page_of(k->host) == p->host ? 0 : 1, first, last;

        next = block_at(b, k->page_next[which]);
        block_range(k, which, &first, &last);
        if (first <= to && last >= from) {
            drop_block(b, k);
        }
        if (!k->stale) {
            k->page_next[which] = p->first;
            p->first = ref_of(b, k);
            p->pieces |= pieces_of(first, last);
        }
    }
}

/* One page's part of a store; whether blocks of the page are left. */
static bool drop_in_page(struct blocks *b, struct ram *ram, uint64_t page, uint64_t from,
                         uint64_t to)
{
    struct page_code *p = find_page(b, ram->host + (page << PAGE_SHIFT));

    if (p && p->pieces & pieces_of(from, to)) {
        drop_range(b, p, from, to);
    }
    return p && p->first;
}

void blocks_written(struct blocks *b, struct cpu *c, struct ram *ram, uint64_t off, uint64_t len)
{
    for (uint64_t end = off + len, next; off < end; off = next) {
        uint64_t page = off >> PAGE_SHIFT, start = page << PAGE_SHIFT;

        next = MIN(start + PAGE_BYTES, end);
        if (!drop_in_page(b, ram, page, off - start, next - start - 1)) {
            code_release(ram, page, c->v);
        }
    }
}

void blocks_drop(struct blocks *b, struct ram *ram, uint64_t off, uint64_t len)
{
    for (uint64_t end = off + len, next; off < end; off = next) {
        uint64_t page = off >> PAGE_SHIFT, start = page << PAGE_SHIFT;

        next = MIN(start + PAGE_BYTES, end);
        drop_in_page(b, ram, page, off - start, next - start - 1);
    }
}
