/*
 * Random programs in every mode of the processor, run by two engines in lock-step (accel/check.h):
 * a bare machine, a seed per program, and for a difference the block made as small as it gets.
 *
 * Used by the tests and the fuzzer, so without Criterion.
 *
 * Not modelled: devices, interrupts, several processors.
 */
#ifndef TESTS_ACCEL_LOCKSTEP_H
#define TESTS_ACCEL_LOCKSTEP_H

#include "accel/check.h"

struct lockstep;

struct lockstep_counts {
    uint64_t programs, steps;
    uint64_t ends[32]; /* steps by the vector that ended them */
    uint64_t halts, budgets, shutdowns, remaps;
    struct check_stats check;
};

/* `disassemble`: as machine.disassemble, or NULL.  NULL and the error when there is no machine. */
struct lockstep *lockstep_new(const struct check_second *second,
                              int (*disassemble)(const uint8_t *, size_t, uint64_t, unsigned,
                                                 char *, size_t),
                              GError **err);
void lockstep_free(struct lockstep *l);
/* Its only one. */
struct vcpu *lockstep_vcpu(const struct lockstep *l);
/*
 * The program of `seed`, run from `steps` random states.  NULL: no difference; else the report, the
 * caller's to free, and the machine can be used on.
 */
char *lockstep_run(struct lockstep *l, uint64_t seed, unsigned steps);
void lockstep_get_counts(const struct lockstep *l, struct lockstep_counts *out);

#endif
