/*
 * The SMBus host controller of the PIIX4 (hw/piix_smbus.c), device "piix_smbus".  Its place and its
 * interrupt are chosen in the configuration space of the power management function, which tells it
 * (hw/piix_pm.c).
 *
 * Not modelled: see hw/piix_smbus.c.
 */
#ifndef HW_PIIX_SMBUS_H
#define HW_PIIX_SMBUS_H

#include "hw/core/machine.h"

extern const struct device_ops piix_smbus_ops;

/* Answer at 16 ports from `base` on, or nowhere (0).  `irq`: whether the interrupt is routed to
 * IRQ 9.  Lock held. */
void piix_smbus_place(struct device *dev, uint16_t base, bool irq);
/* The interrupt output, to be connected by the board before attach or reset. */
struct line *piix_smbus_irq(struct device *dev);

#endif
