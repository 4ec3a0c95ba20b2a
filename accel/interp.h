/*
 * The interpreter as an accelerator.
 *
 * Not modelled: see accel/interp.c.
 */
#ifndef ACCEL_INTERP_H
#define ACCEL_INTERP_H

#include "hw/core/machine.h"

extern const struct accel_ops accel_interp;

/* Text about a vCPU that shut down: registers, bytes and disassembly at RIP, the last exceptions.
 */
void interp_fault_report(struct vcpu *v, GString *out);

#endif
