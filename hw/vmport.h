/*
 * The VMware backdoor port with its absolute pointer (hw/vmport.c), device "vmport": I/O port
 * 0x5658. It sets m->tablet at attach.
 *
 *     struct device *vmport = device_new(m, &vmport_ops, "vmport");
 *     vmport_connect(vmport, ps2);
 *
 * Not modelled: see hw/vmport.c.
 */
#ifndef HW_VMPORT_H
#define HW_VMPORT_H

#include "hw/core/machine.h"

extern const struct device_ops vmport_ops;

/* Whose interrupt tells the guest that there is something to be fetched; once, by the board. */
void vmport_connect(struct device *dev, struct device *ps2);

#endif
