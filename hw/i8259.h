/*
 * The 8259A interrupt controller pair as the board sees it (hw/i8259.c): one device, "i8259".
 *
 *     struct device *pic = device_new(m, &i8259_ops, "i8259");
 *     line_connect(i8259_intr(pic), lapic_set_lint0, lapic0, 0);
 *     line_connect(some_irq, i8259_set_irq, pic, 4);
 *
 * At attach it sets m->intack to i8259_intack when the board has not set it.
 *
 * Not modelled: see hw/i8259.c.
 */
#ifndef HW_I8259_H
#define HW_I8259_H

#include "hw/core/machine.h"

extern const struct device_ops i8259_ops;

/* The INTR output of the master, to be connected by the board. */
struct line *i8259_intr(struct device *dev);
/* Drive input `n` (0..15; 2 is the cascade and ignored).  A line sink; `dev` is the pair.  Lock
 * held. */
void i8259_set_irq(void *dev, int n, bool level);
/* The INTA cycle: acknowledges and returns the vector 0..255 (spurious ones included).  Lock held.
 */
int i8259_ack(struct device *dev);
/* The same for the machine's pair, or -1 when it has none: fits machine.intack. */
int i8259_intack(struct machine *m);
/* Whether a request of input `n` waits for its INTA cycle and is not masked.  Lock held. */
bool i8259_is_waiting(struct device *dev, unsigned n);
/* Edge/level control registers, as ports 0x4d0 (low byte) and 0x4d1; for the PIIX's PIRQ routing
 * and `info`. */
uint16_t i8259_elcr(struct device *dev);

#endif
