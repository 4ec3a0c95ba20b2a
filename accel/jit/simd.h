/*
 * Vector, MMX and x87 registers in compiled code: they stand in the host's own, with the guest's
 * numbers, from the entry of a block that uses them on (c->vec_live, c->fpu.x87_live).
 *
 * Not modelled: see lower_simd.c and lower_x87.c.
 */
#ifndef ACCEL_JIT_SIMD_H
#define ACCEL_JIT_SIMD_H

#include "accel/jit/tr.h"

/* The lowering of a row of ops_simd or ops_x87, or NULL. */
lower_fn *simd_of(const struct op_row *row);
/* Sets *vec and *x87 when the lowering of this instruction wants those registers in the host's. */
void simd_needs(const struct tr_insn *in, bool *vec, bool *x87);

/*
 * For window.c.  The general registers the instruction writes; false: it calls its handler.  And
 * the access it makes by tr_mem_shared (*p has its place already); false: none.
 */
bool simd_effects(const struct tr_insn *in, uint32_t *written);
bool simd_access(const struct tr_insn *in, struct tr_place *p);

lower_fn lower_x87, lower_gather;
bool x87_needed(const struct decode *d);
bool x87_effects(const struct decode *d, uint32_t *written);
bool x87_access(const struct decode *d, struct tr_place *p);
/* Whether lower_gather does it. */
bool gather_runs(const struct tr_insn *in);
/* The access just emitted has no slow path of its own: gives the jump taken when it misses the TLB,
 * for tr_cold_handler. */
uint8_t *tr_miss_to_handler(struct tr *t);

#endif
