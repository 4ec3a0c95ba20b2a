/*
 * The 16550A serial port (hw/uart.c), one device per port.
 *
 *     struct device *com1 = device_new(m, &uart_ops, "uart0");    defaults: base 0x3f8, index 0
 *     struct device *com2 = device_new(m, &uart_ops, "uart1");
 *     device_set(com2, "base", "0x2f8", err); device_set(com2, "index", "1", err);
 *     line_connect(uart_irq(com1), isa_irq_sink, board, 4);
 *
 * The port `index` takes m->serial[index] at attach (NULL: nothing plugged in, output vanishes).
 *
 * Not modelled: see hw/uart.c.
 */
#ifndef HW_UART_H
#define HW_UART_H

#include "hw/core/machine.h"

extern const struct device_ops uart_ops;

/* The interrupt output (already gated by OUT2, as on a PC). */
struct line *uart_irq(struct device *dev);

#endif
