/*
 * The PIIX4 functions as the board sees them (hw/piix.c, hw/piix_pm.c).
 *
 * Not modelled: see there.
 */
#ifndef HW_PIIX_H
#define HW_PIIX_H

#include "hw/core/machine.h"

extern const struct device_ops piix_ops;     /* function 0: ISA bridge, "piix" */
extern const struct device_ops piix_ide_ops; /* function 1: IDE configuration space, "piix_ide" */
extern const struct device_ops piix_pm_ops;  /* function 3: power management, "piix_pm" */

/* Sink of the bus's PIRQ lines: opaque is the ISA bridge, n the PIRQ (0..3). */
void piix_pirq_sink(void *opaque, int n, bool level);
/* The ISA interrupt that PIRQs are routed to; the board connects 0..15 (0-2, 8 and 13 never rise).
 */
struct line *piix_isa_irq(struct device *dev, unsigned irq);

/* The SCI output (level, active high): ISA IRQ 9. */
struct line *piix_pm_sci(struct device *dev);
/* The user pressed the power button: PWRBTN_STS, and an SCI when the guest asked for it.  Lock
 * held. */
void acpi_power_button(struct device *dev);
/* The clock raised IRQ 8: RTC_STS, by which a sleeping guest is woken.  Lock held. */
void acpi_rtc_interrupt(struct device *dev);
/* Whether the guest runs in ACPI mode (SCI_EN): else a power button press will go unheard.  Lock
 * held. */
bool acpi_is_enabled(struct device *dev);

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
    PIIX_SLP_TYP_S5 = 0, /* PMCNTRL bits 12..10 */
    PIIX_RESET_PORT = 0xcf9,
    PIIX_RESET_VALUE = 0x06,
};

#endif
