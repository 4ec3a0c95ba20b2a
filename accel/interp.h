/*
 * The software engines: the interpreter alone, and with the translator for what is hot.
 *
 * Not modelled: see accel/interp.c.
 */
#ifndef ACCEL_INTERP_H
#define ACCEL_INTERP_H

#include "hw/core/machine.h"

struct cpu;

extern const struct accel_ops accel_interp, accel_jit;

/* Text about a vCPU that shut down: registers, bytes and disassembly at RIP, the last exceptions.
 * On its thread, or while it is parked. */
void interp_fault_report(struct vcpu *v, GString *out);
/* The instruction at CS:IP into the trace (TR_INSN).  On the vCPU's thread. */
void interp_trace_insn(struct cpu *c);

#endif
