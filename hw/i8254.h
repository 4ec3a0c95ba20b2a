/*
 * The 8254 interval timer with the speaker port 0x61 (hw/i8254.c), device "i8254".
 *
 *     line_connect(i8254_out0(pit), isa_irq_sink, board, 0);
 *
 * What the speaker gets (channel 2 and port 0x61) is told to machine.sound.
 *
 * Not modelled: see hw/i8254.c.
 */
#ifndef HW_I8254_H
#define HW_I8254_H

#include "hw/core/machine.h"

#define I8254_HZ 1193182

extern const struct device_ops i8254_ops;

/* Output of channel 0: rests high, every tick of modes 2 and 3 is a short low pulse and a rising
 * edge. */
struct line *i8254_out0(struct device *dev);
/*
 * Give the board's answer to "is the last interrupt of channel 0 still to be taken?".  While it is,
 * a periodic tick is put off instead of vanishing in the interrupt controller's latch.  Without
 * one, ticks never wait.
 */
void i8254_set_waiting(struct device *dev, bool (*waiting)(void *opaque), void *opaque);

#endif
