/*
 * Random byte strings that begin, seven times in eight, with an instruction of the decoder's
 * tables: some prefixes, its opcode and a ModRM byte that fits; the rest is noise.
 *
 * Not modelled: any order of likelihood; every row is as likely as another.
 */
#ifndef TESTS_CPU_DECODE_MAKE_H
#define TESTS_CPU_DECODE_MAKE_H

#include "cpu/insn.h"

enum { DECODE_BYTES = 15 };

struct decode_maker {
    uint64_t seed; /* set once; the same seed gives the same strings everywhere */
    uint8_t *at;
    unsigned left;
};

/* The next string, DECODE_BYTES long, for code of size `code` (MODE_CODE16..64). */
void decode_make(struct decode_maker *m, const struct decoder *dec, unsigned code, uint8_t *bytes);
/* One that begins with an instruction of this row. */
void decode_make_row(struct decode_maker *m, const struct op_row *row, unsigned code,
                     uint8_t *bytes);

#endif
