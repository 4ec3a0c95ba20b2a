/*
 * ACPI tables as firmware places them: runs the linker's commands, checks sums, finds tables.
 *
 * Not modelled: memory: the two files stay where they are, and addresses are taken for what they
 * would be.
 */
#ifndef TESTS_ACPI_RIG_H
#define TESTS_ACPI_RIG_H

#include "hw/fw_cfg.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

/* Where this "firmware" puts the two files. */
enum { TABLES_AT = 0x7fe0000, RSDP_AT = 0xf5a00 };

struct loaded {
    uint8_t *tables, *rsdp;
    size_t tables_len, rsdp_len;
};

static inline uint8_t *copy_file(struct device *cfg, const char *name, size_t *len)
{
    GBytes *b = fw_cfg_find_file(cfg, name);

    cr_assert_not_null(b, "no file %s", name);
    return g_memdup2(g_bytes_get_data(b, len), g_bytes_get_size(b));
}

static inline uint8_t *loaded_file(struct loaded *l, const uint8_t *name, size_t *len)
{
    bool tables = !strcmp((const char *)name, "etc/acpi/tables");

    cr_assert(tables || !strcmp((const char *)name, "etc/acpi/rsdp"), "unknown file %.56s", name);
    *len = tables ? l->tables_len : l->rsdp_len;
    return tables ? l->tables : l->rsdp;
}

static inline void run_command(struct loaded *l, const uint8_t *c)
{
    size_t len;
    uint8_t *file = loaded_file(l, c + 4, &len), sum = 0;
    uint32_t at = ld_le32(c + 4 + 112), start = ld_le32(c + 64), size = ld_le32(c + 68);

    switch (ld_le32(c)) {
    case 1:
        cr_assert_eq(c[64], file == l->tables ? 1 : 2, "zone");
        break;
    case 2:
        cr_assert_str_eq((const char *)c + 60, "etc/acpi/tables");
        cr_assert_eq(c[4 + 116], 4);
        cr_assert_leq(at + 4, len);
        cr_assert_lt(ld_le32(file + at), l->tables_len, "points into the file");
        st_le32(file + at, ld_le32(file + at) + TABLES_AT);
        break;
    case 3:
        at = ld_le32(c + 60);
        cr_assert_leq((size_t)start + size, len);
        cr_assert_eq(file[at], 0, "a checksum field starts as zero");
        for (uint32_t i = 0; i < size; i++) {
            sum = (uint8_t)(sum + file[start + i]);
        }
        file[at] = (uint8_t)-sum;
        break;
    default:
        cr_assert_fail("command %u", ld_le32(c));
    }
}

static inline void load_tables(struct device *cfg, struct loaded *l)
{
    size_t len;
    uint8_t *commands = copy_file(cfg, "etc/table-loader", &len);

    l->tables = copy_file(cfg, "etc/acpi/tables", &l->tables_len);
    l->rsdp = copy_file(cfg, "etc/acpi/rsdp", &l->rsdp_len);
    cr_assert_eq(len % 128, 0);
    for (size_t i = 0; i < len; i += 128) {
        run_command(l, commands + i);
    }
    g_free(commands);
}

static inline void free_tables(struct loaded *l)
{
    g_free(l->tables);
    g_free(l->rsdp);
}

static inline const uint8_t *table_at(struct loaded *l, uint32_t address, const char *signature)
{
    const uint8_t *t = l->tables + (address - TABLES_AT);
    uint8_t sum = 0;

    cr_assert_geq(address, TABLES_AT);
    cr_assert_leq(address - TABLES_AT + 8, l->tables_len);
    cr_assert_eq(memcmp(t, signature, 4), 0, "%s is %.4s", signature, t);
    cr_assert_leq(address - TABLES_AT + ld_le32(t + 4), l->tables_len);
    for (uint32_t i = 0; strcmp(signature, "FACS") && i < ld_le32(t + 4); i++) {
        sum = (uint8_t)(sum + t[i]);
    }
    cr_assert_eq(sum, 0, "checksum of %s", signature);
    return t;
}

/* A table by its signature, out of the RSDT; NULL: there is none. */
static inline const uint8_t *table_find(struct loaded *l, const char *signature)
{
    const uint8_t *rsdt = table_at(l, ld_le32(l->rsdp + 16), "RSDT");

    for (uint32_t i = 36; i < ld_le32(rsdt + 4); i += 4) {
        uint32_t address = ld_le32(rsdt + i);

        if (!memcmp(l->tables + (address - TABLES_AT), signature, 4)) {
            return table_at(l, address, signature);
        }
    }
    return NULL;
}

/* The DSDT, which the FADT names. */
static inline const uint8_t *table_dsdt(struct loaded *l)
{
    const uint8_t *fadt = table_find(l, "FACP");

    cr_assert_not_null(fadt);
    return table_at(l, ld_le32(fadt + 40), "DSDT");
}

#endif
