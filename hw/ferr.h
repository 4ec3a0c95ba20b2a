/*
 * The x87 error latch: see hw/ferr.c.
 *
 * Not modelled: see there.
 */
#ifndef HW_FERR_H
#define HW_FERR_H

#include "hw/core/machine.h"

extern const struct device_ops ferr_ops;

/* Its output, to IRQ 13. */
struct line *ferr_irq(struct device *dev);

#endif
