/*
 * Two engines in lock-step: what one does with the guest's instructions, the other does over again
 * from the same state, and the first difference ends the run.
 *
 * Not modelled: see accel/check.c.
 */
#ifndef ACCEL_CHECK_H
#define ACCEL_CHECK_H

#include "accel/interp_int.h"

struct check;

/* The engine that is compared with the interpreter.  It works on the same struct cpu. */
struct check_second {
    const char *name;
    /* Make what it needs in e, which has its blocks already; ACCEL or HOST error.  May be NULL. */
    bool (*init)(struct cpu *c, struct interp *e, GError **err);
    void (*fini)(struct cpu *c, struct interp *e); /* likewise */
    /*
     * Run from c->ip until c->icount is `until` or a little more (the end of a block), or the CPU
     * wants the run loop.  Called again while it is not there.  Raises.
     */
    void (*run)(struct cpu *c, struct interp *e, uint64_t until);
    bool single;      /* one instruction at a time, on both sides */
    unsigned stretch; /* instructions to compare in one go (to a block's end); 0: it varies */
};

/* check:interp,interp: finds nothing, unless the check itself or a handler is at fault. */
extern const struct accel_ops accel_check_interp;
/* check:jit,interp: the translator, which translates every block at once. */
extern const struct accel_ops accel_check_jit;
extern const struct check_second check_second_jit;
/* check:kvm,interp: the host's processor, one instruction at a time (check_kvm.c). */
extern const struct accel_ops accel_check_kvm;

/* vcpu_init of an accelerator that compares `second` with the interpreter; one vCPU only. */
bool check_vcpu_init(struct vcpu *v, const struct check_second *second, GError **err);
void check_vcpu_free(struct vcpu *v);
/* vcpu_attach likewise. */
bool check_vcpu_attach(struct vcpu *v, const struct check_second *second, GError **err);
void check_state_push(struct vcpu *v);
/* The accelerators' hooks.  They tell what was compared, and the difference. */
void check_vcpu_detach(struct vcpu *v);
void check_vcpu_fini(struct vcpu *v);
enum vcpu_exit check_vcpu_run(struct vcpu *v);

/* Run the blocks from c->ip on with both; false: they differ, see check_report.  Raises.  For the
 * run loop. */
bool check_run(struct cpu *c, struct check *k);

struct check_stats {
    uint64_t windows;                /* stretches of code compared */
    uint64_t checked;                /* instructions in them */
    uint64_t outside[OUTSIDE_COUNT]; /* blocks run once only, by what they reached */
    uint64_t disturbed;              /* and those in which a request came */
    uint64_t again;     /* stretches begun anew: accessed bits seen early (check_memory.c) */
    uint64_t unchecked; /* instructions in all of these */
    uint64_t all;       /* instructions run meanwhile */
    uint64_t singles;   /* instructions run one by one, always by the interpreter */
};
/* On the vCPU's thread, or while it is parked. */
void check_get_stats(const struct vcpu *v, struct check_stats *out);
/* The report on the difference that ended the run; NULL: there was none. */
const char *check_report(const struct vcpu *v);
/* Forget it: the CPU stands where the block began that differed, and may go on. */
void check_forget(struct vcpu *v);

#endif
