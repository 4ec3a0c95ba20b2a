/*
 * The ACPI tables handed to the firmware (hw/acpi_tables.c).
 *
 * Not modelled: see hw/acpi_tables.c.
 */
#ifndef HW_ACPI_TABLES_H
#define HW_ACPI_TABLES_H

#include "hw/core/machine.h"

/*
 * Build the tables for m->config and the devices that exist by now, and add etc/acpi/tables,
 * etc/acpi/rsdp and etc/table-loader to `fw_cfg`.  `low_memory` is the RAM below 4 GiB in bytes:
 * PCI memory begins above it.
 */
void acpi_add_tables(struct machine *m, struct device *fw_cfg, uint64_t low_memory, bool has_apic);

#endif
