/*
 * The 82093AA I/O APIC (hw/ioapic.c), device "ioapic": 24 inputs, registers at 0xfec00000.
 *
 * Not modelled: see hw/ioapic.c.
 */
#ifndef HW_IOAPIC_H
#define HW_IOAPIC_H

#include "hw/core/machine.h"

#define IOAPIC_BASE     0xfec00000u
#define IOAPIC_PINS     24
#define IOAPIC_PRIORITY 100

extern const struct device_ops ioapic_ops;

/* Drive input `pin` (0..23).  A line sink; `dev` is the I/O APIC.  ISA IRQ 0 belongs on pin 2. Lock
 * held. */
void ioapic_set_irq(void *dev, int pin, bool level);
/* Whether the last interrupt of an edge-triggered pin was sent and is still to be taken.  Lock
 * held.
 */
bool ioapic_is_waiting(struct device *dev, int pin);
/* A local APIC ended a level-triggered vector: every I/O APIC of the machine looks for its pins.
 * Lock held. */
void ioapic_eoi(struct machine *m, uint8_t vector);

#endif
