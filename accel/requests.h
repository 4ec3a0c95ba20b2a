/*
 * What every engine does alike about a vCPU's life and the requests to it (hw/core/vcpu.h).
 *
 * Not modelled: NMIs and interrupts, which each engine delivers in its own way.
 */
#ifndef ACCEL_REQUESTS_H
#define ACCEL_REQUESTS_H

#include "cpu/cpu.h"

/* v->cpu with the configured model, as after power-on; and its end. */
bool accel_new_cpu(struct vcpu *v, GError **err);
void accel_free_cpu(struct vcpu *v);
/* vcpu_init of an engine: the CPU, and the engine's part of it. */
bool accel_new_vcpu(struct vcpu *v, const struct accel_ops *ops, GError **err);
/* Power-on state, or (init) that after an INIT.  On the vCPU's thread, or before it runs; the
 * newest state is in c. */
void accel_reset_cpu(struct cpu *c, bool init);
/* Serve RESET and INIT, as far as they are pending.  NMIs are looked at behind it and before
 * accel_take_sipi: a processor that waits for its SIPI ignores them. */
void accel_serve_reset(struct cpu *c);
/* Serve SIPI, if it is pending still: a new INIT may have called it off. */
void accel_take_sipi(struct cpu *c);
/* Serve CODE where no code is kept. */
void accel_drop_notes(struct vcpu *v);

#endif
