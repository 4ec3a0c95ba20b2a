/*
 * Random programs for comparing engines: instructions of the decoder's tables, one behind the
 * other, with memory operands that mostly reach the data pages, and branches among them.
 *
 * Which registers hold addresses is agreed on with whoever sets them (lockstep.c): those whose
 * number modulo 8 is CODE_MAKE_POINTERS; most instructions do not write to them.
 *
 * Not modelled: programs that make sense.
 */
#ifndef TESTS_ACCEL_CODE_MAKE_H
#define TESTS_ACCEL_CODE_MAKE_H

#include "cpu/insn.h"
#include "tests/hostile_code.h"

enum {
    CODE_MAKE_POINTERS = 0xe8, /* a bit per register number modulo 8: rBX, rBP, rSI, rDI */
    CODE_MAKE_MAX = 256        /* instructions of a program */
};

struct code_maker {
    struct hostile_rand *r;
    struct cpu *c;            /* its mode and features say what is decoded */
    uint8_t *code;            /* where the program goes */
    unsigned size;            /* room for it */
    uint64_t ip;              /* of its first byte */
    uint64_t data, data_size; /* offsets that absolute and RIP-relative operands may name */
    /* made: */
    unsigned count, bytes;
    uint16_t at[CODE_MAKE_MAX];
};

/* `count` instructions, or what there is room for, and a HLT. */
void code_make(struct code_maker *m, unsigned count);

#endif
