/*
 * The board: an i440FX + PIIX4 class PC (hw/pc.c).
 *
 * Not modelled: see hw/pc.c.
 *
 * Before machine_build, the front end has filled in m->config, m->drives, m->serial, m->debugcon,
 * m->bios_image, m->vga_bios_image, m->kernel, m->initrd and, with a kernel, m->linuxboot_rom and
 * m->multiboot_rom, or, for a boot order with `n`, m->netboot and m->netboot_rom.
 */
#ifndef HW_PC_H
#define HW_PC_H

#include "hw/core/machine.h"

extern const struct board pc_board;
extern const struct device_ops pc_ops; /* "pc": RAM, firmware, interrupt wiring */

/* RAM below this; the rest lies from 4 GiB on, so that PCI memory has room. */
#define PC_LOW_MEMORY_MAX (3 * GiB)

static inline uint64_t pc_low_memory(const struct vm_config *c)
{
    return MIN(c->memory, PC_LOW_MEMORY_MAX);
}

/* Whether the processor model has a local APIC (and so the board an I/O APIC): all but the 486. */
bool pc_has_apic(const struct vm_config *c);

/* hw/pc_config.c: fill in CMOS and fw_cfg from the configuration; for the board's attach. */
bool pc_configure(struct machine *m, GError **err);

#endif
