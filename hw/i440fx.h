/*
 * The host bridge as the board sees it (hw/i440fx.c).
 *
 * Not modelled: see hw/i440fx.c.
 */
#ifndef HW_I440FX_H
#define HW_I440FX_H

#include "hw/core/machine.h"

extern const struct device_ops i440fx_ops;

/*
 * The RAM behind the windows 0xa0000-0xfffff (at the same offsets in `ram`); before attach.  The
 * board maps the rest of RAM itself, and whatever answers there on the bus (firmware at 0xe0000)
 * with a priority below I440FX_PAM_PRIORITY.
 */
void i440fx_set_ram(struct device *dev, struct ram *ram);

#define I440FX_PAM_PRIORITY 1
/* Open SMRAM covers the VGA window. */
#define I440FX_SMRAM_PRIORITY 20

#endif
