/*
 * Firmware and kernels: what the machine starts from (hw/firmware.c, hw/kernel.c).
 *
 * Not modelled: see there.
 */
#ifndef HW_FIRMWARE_H
#define HW_FIRMWARE_H

#include "hw/core/machine.h"

/* Embedded in the board. */
struct firmware {
    struct ram *rom;
    struct region high; /* ends at 4 GiB */
    struct region low;  /* its last part, ends at 1 MiB */
};

/*
 * Map m->bios_image below 4 GiB and its last 128 KiB (less when it is smaller) below 1 MiB,
 * read-only, under the chipset's shadow RAM.  CONFIG or FORMAT error when there is none, or its
 * size cannot be.
 */
bool firmware_map(struct machine *m, struct firmware *fw, GError **err);

/*
 * Check m->kernel (and initrd, append), or without a kernel m->netboot, and hand it over in fw_cfg
 * with the option ROM that starts it; nothing to do without either.  `low_memory` is the RAM below
 * 4 GiB in bytes.  CONFIG or FORMAT errors name the file.
 */
bool kernel_add(struct machine *m, struct device *fw_cfg, uint64_t low_memory, GError **err);

#endif
