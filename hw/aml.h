/*
 * A small writer of ACPI Machine Language, enough for the DSDT (hw/acpi_tables.c).
 *
 * Not modelled: parsing, name resolution, anything that the DSDT here does not use.
 *
 * Everything appends to a.  Blocks with a length are opened and closed in pairs:
 *
 *     unsigned dev = aml_device(a, "LNKA");
 *     aml_name_int(a, "_UID", 1);
 *     aml_end(a, dev);
 */
#ifndef HW_AML_H
#define HW_AML_H

#include "hw/core/base.h"

enum aml_op {
    AML_NULL = 0x00, /* as a target: nowhere */
    AML_LOCAL0 = 0x60,
    AML_ARG0 = 0x68,
    AML_STORE = 0x70,
    AML_AND = 0x7b,
    AML_OR = 0x7d,
    AML_NOTIFY = 0x86,
    AML_RETURN = 0xa4,
};

/* Paths: "_SB.PCI0", "\\_SB", "^X"; each segment is one to four characters. */
void aml_path(GByteArray *a, const char *path);
/* An integer constant in its shortest form. */
void aml_int(GByteArray *a, uint64_t val);
void aml_string(GByteArray *a, const char *text);
/* "PNP0A03" as the compressed id. */
void aml_eisaid(GByteArray *a, const char *id);
/* An opcode by itself (arguments follow). */
void aml_op(GByteArray *a, enum aml_op op);

/* Blocks; each returns what aml_end wants. */
unsigned aml_scope(GByteArray *a, const char *path);
unsigned aml_device(GByteArray *a, const char *name);
unsigned aml_method(GByteArray *a, const char *name, unsigned args, bool serialized);
unsigned aml_if(GByteArray *a);
unsigned aml_else(GByteArray *a);
unsigned aml_package(GByteArray *a, uint8_t elements);
/* Processor(NAME, id, 0, 0): an empty block. */
void aml_processor(GByteArray *a, const char *name, uint8_t id);
void aml_end(GByteArray *a, unsigned block);

/* Name(NAME, value); aml_name leaves the value to the caller. */
void aml_name(GByteArray *a, const char *name);
void aml_name_int(GByteArray *a, const char *name, uint64_t val);
void aml_name_eisaid(GByteArray *a, const char *name, const char *id);

/* OperationRegion(NAME, PCI_Config, offset, len), then a Field of `count` bytes named FIRST0,
 * FIRST1, ... */
void aml_pci_config_fields(GByteArray *a, const char *region, uint8_t offset, const char *first,
                           unsigned count);
/* CreateDWordField(source, offset, NAME); source: a path, or AML_ARG0 when NULL. */
void aml_create_dword_field(GByteArray *a, const char *source, uint8_t offset, const char *name);

/* Resource templates: open, add descriptors, close (which adds the end tag). */
unsigned aml_resources(GByteArray *a);
void aml_res_io(GByteArray *a, uint16_t base, uint8_t len);
void aml_res_irq(GByteArray *a, unsigned irq);
void aml_res_dma(GByteArray *a, unsigned channel);
/* Level-triggered, active high, shared. */
void aml_res_interrupts(GByteArray *a, const uint32_t *irqs, uint8_t count);
/* Fixed memory that the device itself answers at; read-only as far as others are concerned. */
void aml_res_memory(GByteArray *a, uint32_t base, uint32_t len);
void aml_res_word_bus(GByteArray *a, uint16_t first, uint16_t last);
void aml_res_word_io(GByteArray *a, uint16_t first, uint16_t last);
void aml_res_dword_memory(GByteArray *a, uint32_t first, uint32_t last, bool cacheable);
void aml_resources_end(GByteArray *a, unsigned block);

#endif
