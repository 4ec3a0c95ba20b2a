/*
 * The local APIC (hw/lapic.c), one device per vCPU: "lapic0" ...
 *
 *     struct device *apic = device_new(m, &lapic_ops, "lapic0");
 *     device_set(apic, "id", "0", err);               the vCPU's number, which is the APIC id
 *     line_connect(i8259_intr(pic), lapic_set_lint0, apic, 0);
 *
 * The device binds itself to m->vcpus[id] (sets .apic and .apic_dev) at reset, or earlier through
 * lapic_bind.  The one with id 0 puts the register page at 0xfee00000.  ExtINT asks m->intack.
 *
 * The timer counts a bus clock of LAPIC_BUS_HZ (Linux's KVM has no other); TSC deadlines are
 * virtual nanoseconds (the TSC runs at 1 GHz).
 *
 * An accelerator may have the APICs' state for itself (machine.apics_away): messages then go to it,
 * and what remains here is the levels of the pins and the 8259's way to the processor.
 *
 * Not modelled: see hw/lapic.c.
 */
#ifndef HW_LAPIC_H
#define HW_LAPIC_H

#include "hw/core/machine.h"

#define LAPIC_BUS_HZ       1000000000u
#define LAPIC_DEFAULT_BASE 0xfee00000u
/* Above RAM and ROM: the page is the processor's own. */
#define LAPIC_PRIORITY 100

/* Delivery modes, as in ICR, LVT and redirection entries. */
enum lapic_mode {
    LAPIC_FIXED = 0,
    LAPIC_LOWEST = 1,
    LAPIC_SMI = 2,
    LAPIC_NMI = 4,
    LAPIC_INIT = 5,
    LAPIC_SIPI = 6,
    LAPIC_EXTINT = 7,
};

extern const struct device_ops lapic_ops;
extern const struct apic_ops lapic_apic_ops;

/* Tie the APIC to its vCPU. */
void lapic_bind(struct device *dev, struct vcpu *v);
/* Line sinks; n is not used.  LINT0 is the 8259's INTR, LINT1 the NMI pin.  Lock held. */
void lapic_set_lint0(void *dev, int n, bool level);
void lapic_set_lint1(void *dev, int n, bool level);

/* Register access by offset 0x000..0xfff: whichever way the MMIO dispatch finds the APIC.  Lock
 * held. */
uint32_t lapic_mmio_read(struct device *dev, uint32_t off);
void lapic_mmio_write(struct device *dev, uint32_t off, uint32_t val);

/*
 * An interrupt message from an I/O APIC or an MSI, with its 8-bit destination; `level` is the
 * trigger mode (true: level, kept in TMR, EOI is broadcast). Returns whether any APIC took it. Lock
 * held.
 */
bool lapic_deliver(struct machine *m, uint8_t dest, bool logical, unsigned mode, uint8_t vector,
                   bool level);
/* Whether fixed vector `vector` is still to be taken by a processor that such a message reaches.
 * Lock held. */
bool lapic_is_waiting(struct machine *m, uint8_t dest, bool logical, uint8_t vector);
/* Whether the 8259's requests get through to the processor, as LINT0 stands.  Lock held. */
bool lapic_passes_extint(struct device *dev);
/* Such a message as a write to memory. */
struct apic_message lapic_message(uint8_t dest, bool logical, unsigned mode, uint8_t vector,
                                  bool level);
/* An MSI: the write `data` to `addr` (0xfeexxxxx).  A bus master's DMA there ends here as well. */
bool lapic_deliver_msi(struct machine *m, uint64_t addr, uint32_t data);

#endif
