/*
 * ACPI and SMBIOS tables: the AML writer, the linker commands as firmware executes them, what the
 * tables say.
 *
 * Not modelled: an AML interpreter; the walker below only follows lengths and names.
 */
#include "hw/acpi_tables.h"
#include "hw/aml.h"
#include "hw/fw_cfg.h"
#include "hw/piix.h"
#include "hw/smbios.h"
#include "tests/hw/acpi_rig.h"

/* The writer ----------------------------------------------------------------------------------- */

static void expect_bytes(GByteArray *a, const char *what, const char *bytes, size_t len)
{
    cr_assert_eq(a->len, len, "%s: %u bytes, not %zu", what, a->len, len);
    cr_assert_arr_eq(a->data, bytes, len, "%s", what);
    g_byte_array_set_size(a, 0);
}
#define EXPECT(call, bytes) (call, expect_bytes(a, #call, bytes, sizeof(bytes) - 1))

Test(aml, writes_the_shortest_forms)
{
    GByteArray *a = g_byte_array_new();

    EXPECT(aml_int(a, 0), "\x00");
    EXPECT(aml_int(a, 1), "\x01");
    EXPECT(aml_int(a, 2), "\x0a\x02");
    EXPECT(aml_int(a, 0x1234), "\x0b\x34\x12");
    EXPECT(aml_int(a, 0x12345678), "\x0c\x78\x56\x34\x12");
    EXPECT(aml_int(a, 0x123456789), "\x0e\x89\x67\x45\x23\x01\x00\x00\x00");
    EXPECT(aml_path(a, "_ADR"), "_ADR");
    EXPECT(aml_path(a, "\\"), "\\\0");
    EXPECT(aml_path(a, "^X"), "^X___");
    EXPECT(aml_path(a, "\\_SB.PCI0"), "\\\x2e_SB_PCI0");
    EXPECT(aml_path(a, "\\_SB.PCI0.ISA"), "\\\x2f\x03_SB_PCI0ISA_");
    EXPECT(aml_string(a, "ab"), "\x0d"
                                "ab\0");
    EXPECT(aml_eisaid(a, "PNP0A03"), "\x0c\x41\xd0\x0a\x03");
    EXPECT(aml_name_int(a, "_UID", 3), "\x08_UID\x0a\x03");
    EXPECT(aml_processor(a, "C000", 7), "\x5b\x83\x0b"
                                        "C000\x07\0\0\0\0\0");
    EXPECT(aml_create_dword_field(a, NULL, 5, "IRQW"), "\x8a\x68\x0a\x05IRQW");
    g_byte_array_unref(a);
}

Test(aml, package_length_covers_itself)
{
    static const struct {
        unsigned body, prefix;
    } cases[] = {{0, 1}, {62, 1}, {63, 2}, {4093, 2}, {4094, 3}, {70000, 3}};

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        GByteArray *a = g_byte_array_new();
        unsigned block = aml_if(a), len;

        for (unsigned k = 0; k < cases[i].body; k++) {
            aml_op(a, AML_NULL);
        }
        aml_end(a, block);
        cr_assert_eq(a->len, 1 + cases[i].prefix + cases[i].body);
        len = a->data[1] >> 6 ? a->data[1] & 15 : a->data[1];
        for (unsigned k = 0; k < a->data[1] >> 6; k++) {
            len |= (unsigned)a->data[2 + k] << (4 + 8 * k);
        }
        cr_assert_eq(len, a->len - 1, "body of %u", cases[i].body);
        g_byte_array_unref(a);
    }
}

Test(aml, resource_template)
{
    GByteArray *a = g_byte_array_new();
    unsigned res = aml_resources(a);

    aml_res_io(a, 0x60, 1);
    aml_res_irq(a, 1);
    aml_resources_end(a, res);
    expect_bytes(a, "template",
                 "\x11\x11\x0b\x0d\x00\x47\x01\x60\x00\x60\x00\x01\x01\x22\x02\x00\x79\x00", 18);
    g_byte_array_unref(a);
}

static struct rig *begin(unsigned cpus, uint64_t memory, bool apic, struct device **cfg)
{
    struct vm_config c;
    struct rig *r;

    vm_config_init(&c);
    c.cpus = cpus;
    c.memory = memory;
    r = rig_begin(&c);
    vm_config_clear(&c);
    *cfg = device_new(r->m, &fw_cfg_ops, "fw_cfg");
    rig_ready(r);
    acpi_add_tables(r->m, *cfg, MIN(memory, 3 * GiB), apic);
    return r;
}

Test(acpi, firmware_can_link_the_tables)
{
    struct device *cfg;
    struct rig *r = begin(4, 512 * MiB, true, &cfg);
    struct loaded l;
    const uint8_t *rsdt, *fadt, *madt;
    uint8_t sum = 0;

    load_tables(cfg, &l);
    cr_assert_eq(memcmp(l.rsdp, "RSD PTR ", 8), 0);
    for (unsigned i = 0; i < 20; i++) {
        sum = (uint8_t)(sum + l.rsdp[i]);
    }
    cr_assert_eq(sum, 0);
    rsdt = table_at(&l, ld_le32(l.rsdp + 16), "RSDT");
    cr_assert_eq(ld_le32(rsdt + 4), 36 + 2 * 4);
    fadt = table_at(&l, ld_le32(rsdt + 36), "FACP");
    madt = table_at(&l, ld_le32(rsdt + 40), "APIC");
    cr_assert_eq(ld_le32(fadt + 36) % 64, 0, "FACS alignment");
    table_at(&l, ld_le32(fadt + 36), "FACS");
    table_at(&l, ld_le32(fadt + 40), "DSDT");
    cr_assert_eq(ld_le32(fadt + 76), PIIX_PM_BASE + 8);
    cr_assert_eq(ld_le16(fadt + 46), 9);
    cr_assert_eq(ld_le32(fadt + 112) & BIT(6), 0, "the clock's wake status is in PM1_STS");
    cr_assert_eq(ld_le32(madt + 36), 0xfee00000);
    cr_assert(ld_le32(fadt + 112) & BIT(5), "the sleep button is no fixed one");
    free_tables(&l);
    rig_free(r);
}

Test(acpi, madt_lists_processors_and_overrides)
{
    static const unsigned counts[] = {1, 2, 64};

    for (unsigned n = 0; n < ARRAY_LEN(counts); n++) {
        struct device *cfg;
        struct rig *r = begin(counts[n], 512 * MiB, true, &cfg);
        struct loaded l;
        const uint8_t *madt, *p;
        unsigned cpus = 0, ioapics = 0, overrides = 0, nmis = 0;

        load_tables(cfg, &l);
        madt = table_at(&l, ld_le32(table_at(&l, ld_le32(l.rsdp + 16), "RSDT") + 40), "APIC");
        for (p = madt + 44; p < madt + ld_le32(madt + 4); p += p[1]) {
            cr_assert_geq(p[1], 6);
            if (p[0] == 0) {
                cr_assert_eq(p[3], cpus);
                cr_assert_eq(ld_le32(p + 4), 1);
                cpus++;
            } else if (p[0] == 1) {
                cr_assert_eq(ld_le32(p + 4), 0xfec00000);
                ioapics++;
            } else if (p[0] == 2) {
                cr_assert(p[3] == 0 ? ld_le32(p + 4) == 2 && !ld_le16(p + 8)
                                    : ld_le32(p + 4) == p[3] && ld_le16(p + 8) == 0x0d);
                overrides++;
            } else if (p[0] == 4) {
                nmis++;
            }
        }
        cr_assert(cpus == counts[n] && ioapics == 1 && overrides == 5 && nmis == 1);
        free_tables(&l);
        rig_free(r);
    }
}

Test(acpi, no_madt_without_apics)
{
    struct device *cfg;
    struct rig *r = begin(1, 16 * MiB, false, &cfg);
    struct loaded l;
    const uint8_t *rsdt;

    load_tables(cfg, &l);
    rsdt = table_at(&l, ld_le32(l.rsdp + 16), "RSDT");
    cr_assert_eq(ld_le32(rsdt + 4), 36 + 4);
    free_tables(&l);
    rig_free(r);
}

/* DSDT ----------------------------------------------------------------------------------------- */

static size_t walk_length(const uint8_t *p, size_t *len)
{
    unsigned extra = p[0] >> 6;

    *len = extra ? p[0] & 15 : p[0] & 63;
    for (unsigned i = 0; i < extra; i++) {
        *len |= (size_t)p[1 + i] << (4 + 8 * i);
    }
    return 1 + extra;
}

static size_t walk_path(const uint8_t *p)
{
    size_t n = 0;

    while (p[n] == '\\' || p[n] == '^') {
        n++;
    }
    return n + (p[n] == 0x2e ? 9 : p[n] == 0x2f ? 2 + 4 * p[n + 1] : p[n] == 0 ? 1 : 4);
}

/* The size of a constant object. */
static size_t walk_data(const uint8_t *p)
{
    size_t len;

    switch (p[0]) {
    case 0:
    case 1:
        return 1;
    case 0x0a:
        return 2;
    case 0x0b:
        return 3;
    case 0x0c:
        return 5;
    case 0x11:
    case 0x12:
        walk_length(p + 1, &len);
        return 1 + len;
    default:
        cr_assert_fail("data object %#x", p[0]);
        return 1;
    }
}

/* Follow a term list; collects "Device" names and checks that every block ends where its parts do.
 */
static void walk_terms(const uint8_t *p, const uint8_t *end, GString *devices)
{
    while (p < end) {
        const uint8_t *next;
        bool ext = *p == 0x5b, block = !ext;
        unsigned op = ext ? 0x100 | p[1] : p[0];
        size_t len, n;

        p += ext ? 2 : 1;
        if (op == 0x08) { /* Name */
            p += walk_path(p);
            p += walk_data(p);
            continue;
        }
        if (op == 0x180) { /* OperationRegion */
            p += walk_path(p) + 1;
            p += walk_data(p);
            p += walk_data(p);
            continue;
        }
        cr_assert(op == 0x10 || op == 0x14 || (op >= 0x181 && op <= 0x183), "opcode %#x", op);
        n = walk_length(p, &len);
        next = p + len;
        cr_assert_leq(next, end, "a block ends behind its parent");
        p += n;
        if (op == 0x182) {
            g_string_append_printf(devices, "%.4s ", p);
            block = true;
        }
        if (block && op != 0x14) { /* Scope, Device */
            walk_terms(p + walk_path(p), next, devices);
        }
        p = next;
    }
    cr_assert_eq(p, end);
}

Test(acpi, dsdt_is_well_formed_and_lists_what_is_there)
{
    struct device *cfg;
    struct rig *r = begin(2, 512 * MiB, true, &cfg);
    GString *devices = g_string_new(NULL);
    struct loaded l;
    const uint8_t *fadt, *dsdt;

    load_tables(cfg, &l);
    fadt = table_at(&l, ld_le32(table_at(&l, ld_le32(l.rsdp + 16), "RSDT") + 36), "FACP");
    dsdt = table_at(&l, ld_le32(fadt + 40), "DSDT");
    walk_terms(dsdt + 36, dsdt + ld_le32(dsdt + 4), devices);
    /* The rig has no devices but fw_cfg, so only what needs none. */
    cr_assert_str_eq(devices->str, "PCI0 ISA_ SYSR LNKA LNKB LNKC LNKD LNKS SLPB ");
    g_string_free(devices, true);
    free_tables(&l);
    rig_free(r);
}

static bool contains(const uint8_t *data, size_t len, const uint8_t *what, size_t n)
{
    for (size_t i = 0; i + n <= len; i++) {
        if (!memcmp(data + i, what, n)) {
            return true;
        }
    }
    return false;
}

Test(acpi, pci_window_begins_above_low_memory)
{
    static const struct {
        uint64_t memory;
        uint32_t first;
    } cases[] = {
        {MiB, 0x100000}, {512 * MiB, 0x20000000}, {3 * GiB, 0xc0000000}, {8 * GiB, 0xc0000000}};

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct device *cfg;
        struct rig *r = begin(1, cases[i].memory, true, &cfg);
        struct loaded l;
        uint8_t window[26] = {0x87, 23, 0, 0, 0x0c, 1};

        st_le32(window + 10, cases[i].first);
        st_le32(window + 14, 0xfebfffff);
        st_le32(window + 22, 0xfec00000 - cases[i].first);
        load_tables(cfg, &l);
        cr_assert(contains(l.tables, l.tables_len, window, sizeof window), "case %u", i);
        free_tables(&l);
        rig_free(r);
    }
}

/* SMBIOS --------------------------------------------------------------------------------------- */

static void check_smbios(unsigned cpus, uint64_t memory)
{
    static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    struct device *cfg;
    struct rig *r = begin(cpus, memory, true, &cfg);
    size_t len, ep_len, count = 0, largest = 0;
    unsigned seen[128] = {0};
    uint8_t *tables, *ep;
    uint64_t dimms = 0;
    unsigned threads = 0;

    smbios_add_tables(r->m, cfg, MIN(memory, 3 * GiB), uuid);
    tables = copy_file(cfg, "etc/smbios/smbios-tables", &len);
    ep = copy_file(cfg, "etc/smbios/smbios-anchor", &ep_len);
    cr_assert_eq(ep_len, 31);
    cr_assert_eq(memcmp(ep, "_SM_", 4), 0);
    cr_assert_eq(ld_le16(ep + 0x16), len);
    for (const uint8_t *p = tables; p < tables + len; count++) {
        const uint8_t *q = p + p[1];

        while (q[0] || q[1]) {
            q++;
        }
        if (p[0] == 1) {
            cr_assert_arr_eq(p + 8, uuid, 16);
        } else if (p[0] == 17) {
            dimms += ld_le16(p + 12) * MiB;
        } else if (p[0] == 4) {
            threads += p[0x25];
        }
        seen[p[0]]++;
        largest = MAX(largest, (size_t)(q + 2 - p));
        p = q + 2;
    }
    cr_assert_eq(count, ld_le16(ep + 0x1c));
    cr_assert_eq(largest, ld_le16(ep + 8));
    cr_assert_eq(seen[4], 1, "one package");
    cr_assert_eq(threads, cpus);
    cr_assert_eq(seen[19], memory > 3 * GiB ? 2 : 1);
    cr_assert_eq(dimms, memory);
    cr_assert(seen[0] == 1 && seen[1] == 1 && seen[3] == 1 && seen[16] == 1 && seen[32] == 1 &&
              seen[127] == 1);
    g_free(tables);
    g_free(ep);
    rig_free(r);
}

Test(smbios, structures_add_up)
{
    check_smbios(1, 64 * MiB);
    check_smbios(4, 5 * GiB);
    check_smbios(64, 64 * GiB);
}
