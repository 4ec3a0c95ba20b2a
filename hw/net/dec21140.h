/*
 * The DECchip 21140A network card (hw/net/dec21140.c).
 *
 * Not modelled: see there.
 */
#ifndef HW_NET_DEC21140_H
#define HW_NET_DEC21140_H

#include "hw/core/device.h"

/* A PCI function (pci_place); its property "nic" says which of the machine's network ports
 * (machine.nics) it is behind. */
extern const struct device_ops dec21140_ops;

#endif
