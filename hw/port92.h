/*
 * Port 0x92, system control port A: fast A20 and fast reset (hw/port92.c), device "port92".
 *
 * A20 is open when either this port's bit 1 or the keyboard controller's output bit says so, as on
 * the PIIX.
 *
 * Not modelled: see hw/port92.c.
 */
#ifndef HW_PORT92_H
#define HW_PORT92_H

#include "hw/core/machine.h"

extern const struct device_ops port92_ops;

/* Apply the OR rule over the machine's devices to machine_set_a20.  Called after either source
 * changed. */
void port92_update_a20(struct machine *m);

#endif
