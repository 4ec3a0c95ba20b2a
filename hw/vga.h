/*
 * The VGA as the board sees it (hw/vga.c).
 *
 * Not modelled: see hw/vga.c.
 *
 * The board makes one device of vga_ops ("vga").  At attach it claims its ports (0x3b0-0x3df), puts
 * its memory window over 0xa0000-0xbffff with VGA_WINDOW_PRIORITY, and sets m->display and
 * m->display_dev.
 */
#ifndef HW_VGA_H
#define HW_VGA_H

#include "hw/core/machine.h"

/* Above RAM (0) and the chipset's shadowing, which does not reach below 0xc0000. */
#define VGA_WINDOW_PRIORITY 10

extern const struct device_ops vga_ops;

#endif
