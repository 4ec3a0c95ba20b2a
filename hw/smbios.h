/*
 * The SMBIOS tables handed to the firmware (hw/smbios.c).
 *
 * Not modelled: see hw/smbios.c.
 */
#ifndef HW_SMBIOS_H
#define HW_SMBIOS_H

#include "hw/core/machine.h"

/*
 * Add etc/smbios/smbios-tables and etc/smbios/smbios-anchor for m->config to `fw_cfg`. `low_memory`
 * is the RAM below 4 GiB in bytes; the rest lies from 4 GiB on.  `uuid` is the machine's, in the
 * byte order of the SMBIOS structure.
 */
void smbios_add_tables(struct machine *m, struct device *fw_cfg, uint64_t low_memory,
                       const uint8_t uuid[16]);

#endif
