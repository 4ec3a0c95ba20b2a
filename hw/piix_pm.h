/*
 * Power management as the board and front ends see it (hw/piix_pm.c), device "piix_pm": the
 * buttons, the interrupt, the clock's event.
 *
 *     struct device *pm = device_find(m, "piix_pm");
 *     if (!piix_pm_press_power(pm)) { ...tell the user that the guest does not listen... }
 *
 * Not modelled: see hw/piix_pm.c.
 */
#ifndef HW_PIIX_PM_H
#define HW_PIIX_PM_H

#include "hw/core/machine.h"

extern const struct device_ops piix_pm_ops;

/*
 * The user pressed the power button or the sleep button for a moment.  The guest gets an event (and
 * an SCI if it asked for it); what it does then is its own affair: it may power off at once, ask
 * its user, or nothing.  Returns whether the guest listens: it runs in ACPI mode and has this
 * button's event enabled.  The event is recorded either way, as hardware does.  Any thread that
 * holds the lock.
 */
bool piix_pm_press_power(struct device *dev);
bool piix_pm_press_sleep(struct device *dev);

/* For the board.  The SCI output (level, active high): ISA IRQ 9. */
struct line *piix_pm_sci(struct device *dev);
/* For the board: the clock raised IRQ 8: RTC_STS, by which a sleeping guest is woken.  Lock held.
 */
void piix_pm_rtc_alarm(struct device *dev);

#endif
