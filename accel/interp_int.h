/*
 * Inside the interpreter's engine: its state, and what the engines built on it (accel/check.c)
 * call.
 *
 * Not modelled: see accel/interp.c.
 */
#ifndef ACCEL_INTERP_INT_H
#define ACCEL_INTERP_INT_H

#include "accel/interp.h"
#include "cpu/insn.h"

struct blocks;
struct check;
struct jit;

struct interp {
    struct blocks *blocks;
    struct jcache_entry *jcache; /* not its own */
    struct jit *jit;             /* translates its hot blocks; NULL: nobody does */
    unsigned hot;                /* entries after which a block is hot */
    uint64_t limit; /* with jit, less than JIT_QUANTUM away: from this icount on blocks end in the
                       run loop; 0: none */
    struct insn single[2];
    bool unlinked;        /* every branch comes back: an instruction budget is set */
    uint64_t budget;      /* icount at which the run ends; 0: none */
    uint64_t counted;     /* icount already added to vcpu.insns */
    struct interp *other; /* compared with this one, on the same CPU; NULL: none */
    struct check *check;  /* runs the blocks instead; NULL: none */
};

/* One with a cache of blocks of its own, and no jump cache yet; HOST error.  The caller's to free.
 */
struct interp *interp_new(GError **err);
void interp_free(struct interp *e);
/* Have the hot blocks of e, which is new, translated (hot: config.jit_hot, or what it finds good);
 * HOST error. */
bool interp_start_jit(struct cpu *c, struct interp *e, GError **err);
/* Let c run by e: its caches and hooks.  Not inside a block. */
void interp_use(struct cpu *c, struct interp *e);
/* Run the block at c->ip, and those it leads to unless e->unlinked.  Raises. */
void interp_run_blocks(struct cpu *c, struct interp *e);
/* After a raise: count what retired of the abandoned block. */
void interp_raised(struct cpu *c);

/* The accelerator's hooks (hw/core/accel.h). */
bool interp_init(struct machine *m, GError **err);
bool interp_vcpu_init(struct vcpu *v, GError **err);
void interp_vcpu_fini(struct vcpu *v);
bool interp_vcpu_attach(struct vcpu *v, bool force, GError **err);
void interp_vcpu_detach(struct vcpu *v);
void interp_state_push(struct vcpu *v);
enum vcpu_exit interp_run(struct vcpu *v);
void interp_vcpu_reset(struct vcpu *v);
uint32_t interp_reg_get(struct vcpu *v, unsigned reg);
void interp_reg_set(struct vcpu *v, unsigned reg, uint32_t val);

#endif
