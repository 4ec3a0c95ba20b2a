/*
 * The 8042 keyboard controller (hw/i8042.c), device "i8042": ports 0x60 and 0x64.
 *
 *     struct device *kbc = device_new(m, &i8042_ops, "i8042");
 *     struct device *ps2 = device_new(m, &ps2_ops, "ps2");
 *     i8042_connect(kbc, ps2);
 *     line_connect(i8042_irq(kbc, 0), isa_irq_sink, board, 1);     keyboard
 *     line_connect(i8042_irq(kbc, 1), isa_irq_sink, board, 12);    mouse
 *
 * Not modelled: see hw/i8042.c.
 */
#ifndef HW_I8042_H
#define HW_I8042_H

#include "hw/core/machine.h"

extern const struct device_ops i8042_ops;

/* Interrupt output of port 0 (keyboard) or 1 (AUX). */
struct line *i8042_irq(struct device *dev, unsigned port);
/* Plug the keyboard and mouse in; once, by the board, before attach. */
void i8042_connect(struct device *dev, struct device *ps2);
/* The A20 bit of the output port; see hw/port92.h for the rule. */
bool i8042_a20(struct device *dev);

/* For ps2.c: a byte became readable with ps2_take on `port`.  Lock held. */
void i8042_notify(struct device *dev, unsigned port);

#endif
