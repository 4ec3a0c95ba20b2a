/*
 * How often compiled code asks the engine where a jump leads.
 *
 * Not modelled: more than one guest at a time.
 */
#ifndef TESTS_ACCEL_JIT_FINDS_H
#define TESTS_ACCEL_JIT_FINDS_H

#include "cpu/cpu.h"

/* Count from now on, for c with the translator; and how often it was. */
void jit_finds_begin(const struct cpu *c);
unsigned jit_finds(void);

#endif
