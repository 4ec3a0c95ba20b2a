/*
 * Generates instances of every row of the decoder's tables: encodings with random operands, and the
 * registers that make their memory operands fall into a data area.
 *
 * Not modelled: system instructions (their rows are not generated), 16- and 32-bit code.
 */
#ifndef TESTS_CPU_FORMS_H
#define TESTS_CPU_FORMS_H

#include "cpu/insn.h"
#include "tests/cpu/silicon.h"

/* One form of a row: which of its encodings. */
struct form_spec {
    const struct op_row *row;
    unsigned size; /* size index wanted: 1, 2, 3 for rows of size V, V64, Z, Y; else 0 */
    bool memory;
    unsigned vex_l, vex_w;
};

/* Why a row is not run against silicon, or NULL. */
const char *form_excluded(const struct op_row *row);
/* All forms of a row; the number stored (at most max). */
unsigned form_list(const struct op_row *row, struct form_spec *out, unsigned max);
/*
 * Encode one instance into code (at most 15 bytes; the length is returned), choosing registers,
 * immediates and a memory address in the data pages with `rng`; adjusts the registers of `in` that
 * form the address.
 */
unsigned form_encode(const struct form_spec *f, GRand *rng, struct silicon_state *in,
                     uint8_t *code);

#endif
