/*
 * The high precision event timers (hw/hpet.c), device "hpet": registers at 0xfed00000.
 *
 *     struct device *hpet = device_new(m, &hpet_ops, "hpet");
 *     line_connect(hpet_irq(hpet, i), sink, board, i);       for every output
 *     line_connect(hpet_legacy(hpet), legacy_sink, board, 0);
 *
 * Not modelled: see hw/hpet.c.
 */
#ifndef HW_HPET_H
#define HW_HPET_H

#include "hw/core/machine.h"

#define HPET_BASE     0xfed00000u
#define HPET_BYTES    0x400u
#define HPET_PRIORITY 100
#define HPET_TIMERS   3
#define HPET_TICK_NS  10

/*
 * Outputs 0 and 1 are the legacy replacement's: ISA interrupts 0 (pin 2 of the I/O APIC) and 8, in
 * the place of the 8254 and the clock.  The others are pins 20..23 of the I/O APIC, which a timer
 * can be routed to.
 */
enum {
    HPET_FIRST_PIN = 20,
    HPET_PINS = 4,
    HPET_OUTPUTS = 2 + HPET_PINS,
    HPET_ROUTES = 0xf00000,
};
#define HPET_PIN_OUTPUT(pin) ((pin)-HPET_FIRST_PIN + 2)

/* The capability register: period in femtoseconds; vendor 8086, legacy replacement, 64-bit counter,
 * timers less one, revision 1.  The lower half is the ACPI table's block id. */
#define HPET_BLOCK_ID     (0x80860000u | BIT(15) | BIT(13) | (HPET_TIMERS - 1) << 8 | 1)
#define HPET_CAPABILITIES ((uint64_t)HPET_TICK_NS * 1000000 << 32 | HPET_BLOCK_ID)

extern const struct device_ops hpet_ops;

/* Output 0..HPET_OUTPUTS-1, active high.  An edge-triggered timer leaves it high after its edge. */
struct line *hpet_irq(struct device *dev, unsigned output);
/* High while legacy replacement is on: the 8254 and the clock do not interrupt then. */
struct line *hpet_legacy(struct device *dev);
/*
 * Give the board's answer to "is the last interrupt of `output` still to be taken?".  While it is,
 * a periodic interrupt is put off instead of vanishing in the interrupt controller's latch. Without
 * one, they never wait.
 */
void hpet_set_waiting(struct device *dev, bool (*waiting)(void *opaque, unsigned output),
                      void *opaque);

#endif
