/*
 * The PIIX4 functions as the board sees them (hw/piix.c, hw/piix_ide.c; hw/piix_pm.c has
 * hw/piix_pm.h besides).
 *
 * Not modelled: see there.
 */
#ifndef HW_PIIX_H
#define HW_PIIX_H

#include "hw/core/machine.h"

extern const struct device_ops piix_ops;     /* function 0: ISA bridge, "piix" */
extern const struct device_ops piix_ide_ops; /* function 1: IDE controller, "piix_ide" */

/* Sink of the bus's PIRQ lines: opaque is the ISA bridge, n the PIRQ (0..3). */
void piix_pirq_sink(void *opaque, int n, bool level);
/* The ISA interrupt that PIRQs are routed to; the board connects 0..15 (0-2, 8 and 13 never rise).
 */
struct line *piix_isa_irq(struct device *dev, unsigned irq);

/* Channel `n` (a device of hw/ide.h) belongs to the IDE function; the board, before attach. */
void piix_ide_connect(struct device *dev, unsigned n, struct device *channel);

/* What the firmware and the ACPI tables agree on with hw/piix_pm.c. */
enum {
    PIIX_PM_BASE = 0x600, /* SeaBIOS's choice when it gets its tables from fw_cfg */
    PIIX_PM_EVT = 0x00,
    PIIX_PM_CNT = 0x04,
    PIIX_PM_TMR = 0x08,
    PIIX_PM_GPE0 = 0x0c,
    PIIX_SMI_CMD = 0xb2,
    PIIX_ACPI_ENABLE = 0xf1,
    PIIX_ACPI_DISABLE = 0xf0,
    PIIX_SCI_IRQ = 9,
    PIIX_GPE_SLEEP = 9,  /* GPSTS bit: GPI1#, where the board has the sleep button */
    PIIX_SLP_TYP_S5 = 0, /* PMCNTRL bits 12..10 */
    PIIX_RESET_PORT = 0xcf9,
    PIIX_RESET_VALUE = 0x06,
};

#endif
