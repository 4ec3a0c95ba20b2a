/*
 * The code cache of one vCPU: making, finding, dropping compiled blocks.
 *
 * The cache is memory mapped twice (cpu/codemem.h).  Code is appended; when the cache is full
 * everything is thrown away.  A dropped block's code stays where it is until then, with its entry
 * leading elsewhere.
 *
 * Not modelled: eviction of single blocks.
 */
#include "accel/jit/jit_int.h"
#include "cpu/codemem.h"
#include "cpu/native.h"
#include "hw/core/exits.h"
#include "hw/core/machine.h"
#include <errno.h>
#include <sys/mman.h>

/* With the arena of decoded blocks: what an engine may take (tests/accel/test_memory.c). */
#define CODE_BYTES (31 * MiB)
/* The same and the table of what is in it. */
#define CODE_LIMIT (32 * MiB)
#define CODE_SPARE (64 * KiB)
/* What is rarely run fills such pieces, the first at the end of the cache. */
#define COLD_CHUNK (256 * KiB)
/* The table of what is in it comes by as many. */
enum { CODES_CHUNK = 4096 };
/* Versions of one block for different IPs. */
enum { VERSIONS_MAX = 8 };
/* Code between two times that the writable view is given back. */
#define SHED_BYTES (1 * MiB)

static bool map_code(struct codemem *m, GError **err)
{
    return codemem_map(m, "candela-code", " for the translator", CODE_BYTES, err);
}

bool jit_available(GError **err)
{
    struct codemem code;
    bool good = map_code(&code, err);

    codemem_unmap(&code);
    return good;
}

static bool map_codes(struct jit *j, GError **err)
{
    j->codes = blocks_map(CODES_MAX * sizeof *j->codes);
    if (!j->codes) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "no memory for the translator: %s",
                    g_strerror(errno));
    }
    return j->codes;
}

/* Of j->starts, for a place in the cache. */
static size_t starts_word(size_t at)
{
    return at >> (JIT_ALIGN_SHIFT + 6);
}

struct jit *jit_new(struct cpu *c, struct code_block *blocks, GError **err)
{
    struct jit *j = g_new0(struct jit, 1);

    if (!map_code(&j->code, err) || !map_codes(j, err)) {
        jit_free(j);
        return NULL;
    }
    j->rw = j->code.rw;
    j->rx = j->code.rx;
    j->c = c;
    j->blocks = blocks;
    j->stats.size = CODE_BYTES;
    j->starts = g_new0(uint64_t, starts_word(CODE_BYTES) + 1);
    j->before = g_new0(uint32_t, starts_word(CODE_BYTES) + 1);
    j->cold = j->cold_end = j->cold_low = CODE_BYTES;
    j->fallbacks = g_new0(struct jit_fallback, decoder_row_count(c->decoder));
    j->tr = g_new0(struct tr, 1);
    j->lower = lowerings_new(c);
    j->has_bmi2 = native_host_has(FEAT_BMI2);
    j->has_avx = native_host_has(FEAT_AVX);
    c->tlb_mask = (TLB_SIZE - 1) * sizeof(struct tlb_entry);
    for (unsigned n = 0; n < ARRAY_LEN(c->page_fit); n++) {
        c->page_fit[n] = PAGE_BYTES - (1u << n);
    }
    thunks_emit(j);
    return j;
}

void jit_free(struct jit *j)
{
    if (!j) {
        return;
    }
    codemem_unmap(&j->code);
    blocks_unmap(j->codes, CODES_MAX * sizeof *j->codes);
    g_free(j->fallbacks);
    g_free(j->starts);
    g_free(j->before);
    g_free(j->tr);
    g_free(j->lower);
    g_free(j);
}

void jit_set_hooks(struct jit *j, const struct jit_hooks *hooks, bool unlinked, bool every_end)
{
    j->hooks = *hooks;
    j->unlinked = unlinked;
    j->every_end = every_end;
}

static size_t taken(const struct jit *j)
{
    return j->used + CODE_BYTES - j->cold_low;
}

void jit_flush(struct jit *j)
{
    memset(j->starts, 0, (starts_word(j->used) + 1) * sizeof *j->starts);
    j->used = j->start;
    j->ncodes = 0;
    j->cold = j->cold_end = j->cold_low = CODE_BYTES;
    j->shed = taken(j);
    j->fresh = j->start;
    memset(j->seen, 0, sizeof j->seen);
    memset(j->pieces, 0, sizeof j->pieces);
    j->stats.flushes++;
    /* Another program may want more of the one and less of the other. */
    size_t kept = align_up(j->start, PAGE_BYTES);
    codemem_give_back(&j->code, kept);
    madvise(j->codes, CODES_MAX * sizeof *j->codes, MADV_DONTNEED);
    j->codes_there = 0;
    j->large = 0;
}

bool jit_full(const struct jit *j)
{
    return j->used + CODE_SPARE + COLD_CHUNK > j->cold_low ||
           taken(j) + j->ncodes * sizeof *j->codes > CODE_LIMIT || j->ncodes == CODES_MAX;
}

void jit_make_cold_room(struct jit *j)
{
    if (j->cold_end - j->cold < CODE_SPARE && !jit_full(j)) {
        j->cold_end = j->cold_low;
        j->cold = j->cold_low -= COLD_CHUNK;
        codemem_populate(j->rw + j->cold, COLD_CHUNK);
    }
}

const uint8_t *jit_rx(const struct jit *j, const uint8_t *rw)
{
    return j->rx + (rw - j->rw);
}

void jit_poke(const struct jit *j, const void *at, const void *bytes, size_t n)
{
    size_t place = (size_t)((const uint8_t *)at - j->rx);

    if (place >= j->fresh && place < j->used) {
        memcpy(j->rw + place, bytes, n);
    } else {
        codemem_poke(&j->code, place, bytes, n);
    }
}

void jit_poke_rel(const struct jit *j, const uint8_t *at, const uint8_t *to)
{
    uint8_t rel[4];

    emit_rel32(rel, at + sizeof rel, to);
    jit_poke(j, at, rel, sizeof rel);
}

void jit_poke_branch(const struct jit *j, const uint8_t *at, unsigned op, const uint8_t *to)
{
    uint8_t bytes[5] = {(uint8_t)op};

    emit_rel32(bytes + 1, at + sizeof bytes, to);
    jit_poke(j, at, bytes, sizeof bytes);
}

struct jit_code *jit_code_around(const struct jit *j, const void *place)
{
    size_t n = (size_t)((const uint8_t *)place - j->rx) >> JIT_ALIGN_SHIFT, word = n >> 6;
    uint64_t left = j->starts[word] & bits(~0ull, n & 63, 0);

    while (!left) {
        left = j->starts[--word];
    }
    return &j->codes[j->before[word] + (unsigned)__builtin_popcountll(left) - 1];
}

static void make_room_for_code(struct jit *j)
{
    if (j->ncodes == j->codes_there) {
        j->codes_there = MIN(j->codes_there + CODES_CHUNK, CODES_MAX);
        codemem_populate(j->codes + j->ncodes, (j->codes_there - j->ncodes) * sizeof *j->codes);
    }
}

/* The one just made is j->codes[j->ncodes]: to be found by its place. */
static void note_start(struct jit *j)
{
    size_t n = j->codes[j->ncodes].at >> JIT_ALIGN_SHIFT, word = n >> 6;

    if (!j->starts[word]) {
        j->before[word] = j->ncodes;
    }
    j->starts[word] |= BIT64(n & 63);
    j->ncodes++;
}

static struct jit_code *version_at(const struct jit *j, uint32_t n)
{
    return n ? &j->codes[n - 1] : NULL;
}

static const struct jit_code *find(const struct jit *j, const struct code_block *k, uint64_t ip)
{
    const struct jit_code *code = version_at(j, k->jit);

    while (code && code->ip != ip) {
        code = version_at(j, code->next);
    }
    return code;
}

const void *jit_find(const struct jit *j, const struct code_block *k, uint64_t ip)
{
    const struct jit_code *code = find(j, k, ip);

    return code ? jit_begin(j, code) : NULL;
}

/* Of an instruction only its handler is ever looked at by others. */
const struct insn *jit_first(const struct jit *j, const void *code)
{
    return (const struct insn *)(const void *)&jit_code_around(j, code)->first_fn;
}

static op_fn *first_fn(const struct jit *j)
{
    const void *at = jit_rx(j, j->thunk[TH_ENTER_FIRST]);
    op_fn *fn;

    memcpy(&fn, &at, sizeof fn);
    return fn;
}

bool jit_is_first(const struct jit *j, const struct insn *first)
{
    return first->fn == first_fn(j);
}

static unsigned versions(const struct jit *j, const struct code_block *k)
{
    unsigned n = 0;

    for (const struct jit_code *code = version_at(j, k->jit); code;
         code = version_at(j, code->next)) {
        n++;
    }
    return n;
}

/* The writable view has no use where code is not being made: so the cache counts once in what the
 * process takes.  Its pages come again where a jump is linked. */
static void shed(struct jit *j)
{
    if (taken(j) - j->shed >= SHED_BYTES) {
        madvise(j->rw, CODE_BYTES, MADV_DONTNEED);
        j->shed = taken(j);
        j->fresh = align_up(j->used, PAGE_BYTES);
    }
}

/* Much code that is run here and there costs more in the host's TLB than in its caches. */
static void make_large(struct jit *j)
{
    size_t whole = j->cold_low & ~(CODEMEM_LARGE - 1);

    if (j->used > j->large && j->large < whole) {
        codemem_make_large(&j->code, j->large);
        j->large += CODEMEM_LARGE;
    }
}

/* Compile block k; NULL: that cannot be. */
static struct jit_code *make(struct jit *j, struct code_block *k, uint64_t ip)
{
    struct jit_code *code = &j->codes[j->ncodes];

    if (jit_full(j) || versions(j, k) >= VERSIONS_MAX || k->mode != j->c->mode) {
        return NULL;
    }
    make_room_for_code(j);
    if (!translate(j, k, ip, code)) { /* too much for it: not again at every entry */
        k->heat = 0;
        return NULL;
    }
    code->next = k->jit;
    code->block = (uint32_t)(k - j->blocks) & 0xffffff;
    code->first_fn = first_fn(j);
    k->compiled = true;
    note_start(j);
    k->jit = j->ncodes;
    make_large(j);
    shed(j);
    j->stats.blocks++;
    j->stats.insns += j->tr->n;
    return code;
}

/* Blocks in a row that are compiled at once, and how warm a block is that may be with others. */
enum { ROW_MAX = 16, ROW_HEAT = 2 };

struct code_block *jit_follower(const struct tr *t, uint64_t ip)
{
    const struct jit *j = t->j;
    const struct code_block *k = j->row < ROW_MAX ? tr_block_at(t, ip) : NULL;

    if (!k || k->jit || k->heat < ROW_HEAT) {
        return NULL;
    }
    __builtin_prefetch(k->host);
    return j->blocks + (k - j->blocks);
}

static const uint8_t over_save[JIT_OVER] = {0xeb, JIT_SAVE};

/* The block just made goes on at ip, behind it, where nothing could be made: by a jump that is not
 * linked yet.  `saves`: with the guest's flags in the host's. */
static void end_in_edge(struct jit *j, uint64_t ip, bool saves)
{
    const struct jit_code *before = &j->codes[j->ncodes - 1];
    struct emit e = {.p = j->rw + j->used, .end = j->rw + j->cold_low}; /* CODE_SPARE is there */

    const uint8_t *place = emit_jump(&e, 0xe9, e.p + 5); /* to the call, until it is linked */
    emit_edge_call(&e, j, saves ? TH_STRAIGHT : TH_LINK, place, ip - before->ip);
    j->used = align_up((size_t)(e.p - j->rw), JIT_ALIGN);
}

/* Compile what is to stand behind the block just made, and what behind that. */
static void make_row(struct jit *j)
{
    const struct tr *t = j->tr;

    for (j->row = 1; t->behind; j->row++) {
        uint64_t ip = t->behind_ip;
        bool saves = t->saves_behind;
        struct jit_code *code = make(j, t->behind, ip);

        if (!code) {
            end_in_edge(j, ip, saves);
            break;
        }
        code->over = !saves;
        j->stats.behind++;
        if (code->over && !t->save_unwanted) {
            memcpy(j->rw + code->at - JIT_SAVE - JIT_OVER, over_save, JIT_OVER);
        }
    }
    j->row = 0;
}

/* All of it is timed, by what disturbs no cache: a system call would cost the blocks to come some
 * of what they find there. */
static const struct jit_code *translate_row(struct jit *j, struct code_block *k, uint64_t ip)
{
    uint64_t start = __builtin_ia32_rdtsc();

    __builtin_prefetch(k->host);
    const struct jit_code *code = make(j, k, ip);
    if (code) {
        make_row(j);
    }
    int64_t ticks = (int64_t)(__builtin_ia32_rdtsc() - start);
    j->ticks += (uint64_t)MAX(ticks, 0); /* those of two processors may be a little apart */
    return code;
}

const void *jit_get(struct jit *j, struct code_block *k, uint64_t ip)
{
    const struct jit_code *code = find(j, k, ip);

    if (!code) {
        code = translate_row(j, k, ip);
    }
    return code ? jit_begin(j, code) : NULL;
}

void jit_drop(struct jit *j, struct code_block *k)
{
    uint8_t bytes[JIT_SAVE + JIT_MOVED];

    memcpy(bytes, jit_save, sizeof jit_save);
    bytes[JIT_SAVE] = 0xe8;
    for (const struct jit_code *at = version_at(j, k->jit); at; at = version_at(j, at->next)) {
        const uint8_t *begin = jit_begin(j, at);

        emit_rel32(bytes + JIT_SAVE + 1, begin + JIT_MOVED, jit_rx(j, j->thunk[TH_MOVED]));
        jit_poke(j, begin - JIT_SAVE, bytes, sizeof bytes);
        if (at->over) {
            jit_poke(j, begin - JIT_SAVE - JIT_OVER, over_save, sizeof over_save);
        }
    }
    k->jit = 0;
    j->stats.dropped++;
    j->c->code_dropped = true;
}

void jit_enter(const struct jit *j, const void *code)
{
    void (*enter)(struct cpu * c, const void *code);
    const void *at = jit_rx(j, j->thunk[TH_ENTER]);

    memcpy(&enter, &at, sizeof enter);
    return enter(j->c, code);
}

const void *jit_to_interp(const struct jit *j)
{
    return jit_rx(j, j->thunk[TH_TO_INTERP]);
}

void jit_get_stats(const struct jit *j, struct jit_stats *out)
{
    *out = j->stats;
    out->used = taken(j);
    out->ns = (uint64_t)((double)j->ticks * exits_ns_per_tick(j->c->v->m));
}

const struct jit_fallback *jit_fallbacks(const struct jit *j)
{
    return j->fallbacks;
}
