/*
 * Debug console and debug-exit port (hw/debugcon.c), device "debugcon".
 *
 * Port 0xe9 writes to m->debugcon and reads 0xe9; where a debug console is configured, port 0x402
 * (the firmware's log) does the same.  The exit port is m->config.debug_exit_port.
 *
 * Not modelled: see hw/debugcon.c.
 */
#ifndef HW_DEBUGCON_H
#define HW_DEBUGCON_H

#include "hw/core/machine.h"

extern const struct device_ops debugcon_ops;

#endif
