/*
 * The host's CPU, as an oracle: what it has, and where its maker lets it differ from Intel's, after
 * which the models are made.
 *
 * Follows: CPUID of the host; what was seen on AMD's Zen 5 beside Intel's processors.  Not
 * modelled: other makers are taken for AMD.
 */
#ifndef TESTS_CPU_HOST_CPU_H
#define TESTS_CPU_HOST_CPU_H

#include "cpu/cpu.h"
#include "cpu/insn.h"

bool host_is_intel(void);
/* Does the host's CPUID show the feature? */
bool host_has(enum feature f);
/*
 * Flags that both manuals leave undefined and that this host does not compute from the operands:
 * Intel's multiplications set SF and PF by the result and clear ZF and AF, AMD's leave all four.
 */
uint32_t host_other_flags(const struct op_row *row);

#endif
