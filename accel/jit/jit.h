/*
 * The translator of one vCPU: hot decoded blocks to host code.
 *
 * All calls are made on the vCPU's thread (or while it is parked).
 *
 * Not modelled: sharing of compiled code between vCPUs.
 */
#ifndef ACCEL_JIT_JIT_H
#define ACCEL_JIT_JIT_H

#include "accel/blocks.h"

struct jit;

/* Instructions between two looks at the requests. */
enum { JIT_QUANTUM = 4096 };

/* Whether the host lets us have executable memory; HOST error.  Any thread. */
bool jit_available(GError **err);
/* For the blocks of an array (blocks_array).  NULL with a HOST error: no executable memory to be
 * had.
 */
struct jit *jit_new(struct cpu *c, struct code_block *blocks, GError **err);
void jit_free(struct jit *j);
/* Forget all compiled code; none may be running.  The blocks it was made from are gone too. */
void jit_flush(struct jit *j);
/* The code cache is near its end: flush at the next safe place. */
bool jit_full(const struct jit *j);
/*
 * Compiled code of block k for its first instruction at IP `ip`: found, or made now.  NULL: it
 * cannot be (no room); then the interpreter goes on with it.
 */
const void *jit_get(struct jit *j, struct code_block *k, uint64_t ip);
/* The same, but only found. */
const void *jit_find(const struct jit *j, const struct code_block *k, uint64_t ip);
/* Compiled code as the interpreter reaches it: like a block's first instruction (but only its `fn`
 * is there), good for one IP, for as long as no code is flushed.  And whether an instruction is of
 * that kind. */
const struct insn *jit_first(const struct jit *j, const void *code);
bool jit_is_first(const struct jit *j, const struct insn *first);
/* Block k was dropped: whoever comes to its compiled code goes elsewhere. */
void jit_drop(struct jit *j, struct code_block *k);
/* Run compiled code from the interpreter; registers are in c->r, the block's IP in c->r[R_BASE].
 * Ends as a handler does.  c->quantum less than JIT_QUANTUM: comes back at the first end of a block
 * where so many instructions or more are done. */
void jit_enter(const struct jit *j, const void *code);
/* What a jump-cache entry without compiled code leads to. */
const void *jit_to_interp(const struct jit *j);
/* c->left into c->icount: after an exception was raised in compiled code. */
static inline void jit_settle(struct cpu *c)
{
    c->icount -= (uint64_t)(int64_t)c->left;
    c->left = 0;
    c->inside = false;
}

struct jit_stats {
    uint64_t blocks, insns; /* compiled */
    uint64_t behind;        /* of the blocks: another one goes on to them without a jump */
    uint64_t dropped, flushes, links, faults;
    uint64_t ns;       /* spent in translation */
    size_t used, size; /* bytes of the code cache */
};
void jit_get_stats(const struct jit *j, struct jit_stats *out);
/* How often the handler of an instruction stands in compiled code in place of a translation, and
 * how often handlers were called from there, those of rare cases of translated ones included. */
struct jit_fallback {
    uint64_t sites, calls;
};
/* By row (cpu_decode): decoder_row_count() of them. */
const struct jit_fallback *jit_fallbacks(const struct jit *j);
/* Lines for people (`info jit`), and members for a JSON object, each with ", " before it. */
void jit_print(const struct jit *j, GString *out);
void jit_json(const struct jit *j, GString *out);

/* This thread runs compiled code for c now, which has a view: its accesses may fault (fault.c).
 * NULL: for nobody that has one. */
void fault_attach(struct cpu *c);

/* How the engine is reached from compiled code. */
struct jit_hooks {
    /* Go to c->ip: compiled code there, or NULL: leave to the run loop (requests, not compiled
     * yet).  Raises as a fetch does.  *key: the caller may keep it as the target of jumps
     * for as long as this is one of the CPU's keys; of those in its page, unless its first
     * instruction goes on in the next, for good. */
    const void *(*find)(struct cpu *c, uint64_t *key);
    /* The body of a compiled block (blocks_body). */
    struct block_body *(*body)(struct cpu *c, struct code_block *k);
    /* What is there of the block whose first byte is at `host`, in the present mode; or NULL. */
    const struct code_block *(*peek)(struct cpu *c, const uint8_t *host);
    /* That will be asked soon. */
    void (*expect)(struct cpu *c, const uint8_t *host);
};
/* `unlinked`: every jump comes back to the run loop.  `every_end`: c->quantum may be less than
 * JIT_QUANTUM (jit_enter). */
void jit_set_hooks(struct jit *j, const struct jit_hooks *hooks, bool unlinked, bool every_end);

#endif
