/*
 * Port 0x80: POST code (hw/port80.c), device "port80".  Create it after i8237, whose page registers
 * surround it.
 *
 * Not modelled: see hw/port80.c.
 */
#ifndef HW_PORT80_H
#define HW_PORT80_H

#include "hw/core/machine.h"

extern const struct device_ops port80_ops;

/* The last code written. */
uint8_t port80_last(struct device *dev);

#endif
