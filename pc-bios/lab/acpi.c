/*
 * Finds the ACPI tables and takes from them what the lab needs: the power-management timer, how to
 * power off, and where the interrupt controllers are. Follows: ACPI specification 6, sections 5.2.5
 * (RSDP), 5.2.9 (FADT), 5.2.12 (MADT), 20.2 (AML, for the _S5 package). Not modelled: AML beyond
 * that one package, tables above 4 GiB. Every address and length in a table is checked.
 */
#include "lab.h"

#define LOW_TABLES  0x00000400u /* nothing below, and no device registers above, can be a table */
#define HIGH_TABLES 0xfec00000u
#define MAX_TABLE   0x00100000u
#define HEADER_SIZE 36

static const uint8_t *at(uint32_t addr)
{
    uintptr_t p = addr;

    __asm__("" : "+r"(p)); /* or the compiler takes a constant low address for a null pointer */
    return (const uint8_t *)p;
}

static uint32_t get16(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | get16(p + 2) << 16;
}

static bool sum_is_zero(const uint8_t *p, uint32_t n)
{
    uint8_t sum = 0;

    while (n--)
        sum = (uint8_t)(sum + *p++);
    return sum == 0;
}

static uint32_t acpi_scan(uint32_t from, uint32_t to)
{
    for (; from < to; from += 16)
        if (!memcmp(at(from), "RSD PTR ", 8) && sum_is_zero(at(from), 20))
            return from;
    return 0;
}

/* The first KiB of the extended BIOS data area, then the BIOS area. */
static uint32_t acpi_find_rsdp(void)
{
    uint32_t ebda = get16(at(0x40e)) << 4, found = 0;

    if (ebda >= 0x80000 && ebda < 0xa0000 - 1024)
        found = acpi_scan(ebda, ebda + 1024);
    return found ? found : acpi_scan(0xe0000, 0x100000);
}

/* Out: size of the table at addr, 0 = there can be none. */
static uint32_t acpi_table_size(uint32_t addr)
{
    uint32_t size;

    if (addr < LOW_TABLES || addr > HIGH_TABLES - HEADER_SIZE)
        return 0;
    size = get32(at(addr) + 4);
    return size < HEADER_SIZE || size > MAX_TABLE || addr > HIGH_TABLES - size ? 0 : size;
}

static void copy_text(char *to, const uint8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] < ' ' || from[i] > '~' ? '?' : (char)from[i];
    to[n] = 0;
}

static void acpi_read_madt(struct acpi_info *acpi, const uint8_t *t, uint32_t size)
{
    acpi->lapic = size >= 44 ? get32(t + 36) : 0;
    for (uint32_t i = 44; i + 2 <= size && t[i + 1] >= 2 && i + t[i + 1] <= size; i += t[i + 1]) {
        const uint8_t *e = t + i;

        if (e[0] == 0 && e[1] >= 8 && (e[4] & 1)) {
            acpi->cpus++;
        } else if (e[0] == 1 && e[1] >= 12 && !acpi->ioapic) {
            acpi->ioapic = get32(e + 4);
            acpi->ioapic_gsi = get32(e + 8);
        } else if (e[0] == 2 && e[1] >= 10 && e[2] == 0 && e[3] == 0) {
            acpi->gsi_of_irq0 = get32(e + 4);
        }
    }
}

/* One element of a package: zero, one, or a byte or word constant. */
static bool aml_integer(const uint8_t **p, const uint8_t *end, uint8_t *value)
{
    const uint8_t *q = *p;

    if (q >= end)
        return false;
    if (*q == 0x00 || *q == 0x01) {
        *value = *q++;
    } else if (*q == 0x0a && q + 1 < end) {
        *value = q[1];
        q += 2;
    } else if (*q == 0x0b && q + 2 < end) {
        *value = q[1];
        q += 3;
    } else {
        return false;
    }
    *p = q;
    return true;
}

/* Name (_S5, Package () {SLP_TYPa, SLP_TYPb, ...}): NameOp "_S5_" PackageOp PkgLength NumElements
 * elements. */
static void acpi_find_s5(struct acpi_info *acpi, const uint8_t *t, uint32_t size)
{
    const uint8_t *end = t + size;

    if (acpi->has_s5)
        return;
    for (uint32_t i = HEADER_SIZE + 1; i + 8 < size; i++) {
        const uint8_t *p = t + i;
        uint8_t a, b;

        if (memcmp(p, "_S5_", 4) || p[4] != 0x12)
            continue;
        if (p[-1] != 0x08 && !(p[-1] == '\\' && p[-2] == 0x08))
            continue;
        p += 5;
        p += 1 + (*p >> 6); /* the top bits of PkgLength count its further bytes */
        p++;                /* NumElements */
        if (!aml_integer(&p, end, &a))
            continue;
        if (!aml_integer(&p, end, &b))
            b = a;
        acpi->s5_a = a & 7;
        acpi->s5_b = b & 7;
        acpi->has_s5 = true;
        return;
    }
}

static void acpi_add_table(struct acpi_info *acpi, uint32_t addr);

static void acpi_read_fadt(struct acpi_info *acpi, const uint8_t *t, uint32_t size)
{
    if (size < 116)
        return;
    acpi->has_fadt = true;
    acpi->dsdt = get32(t + 40);
    acpi->smi_cmd = get32(t + 48);
    acpi->acpi_enable = t[52];
    acpi->pm1a_cnt = get32(t + 64);
    acpi->pm1b_cnt = get32(t + 68);
    acpi->pm_timer = get32(t + 76);
    acpi->pm_timer_32 = get32(t + 112) >> 8 & 1;
    acpi_add_table(acpi, acpi->dsdt);
}

static void acpi_add_table(struct acpi_info *acpi, uint32_t addr)
{
    uint32_t size = acpi_table_size(addr);
    const uint8_t *t = at(addr);
    struct acpi_table *entry;

    if (!size || acpi->count == ACPI_TABLES)
        return;
    entry = &acpi->table[acpi->count++];
    copy_text(entry->sig, t, 4);
    copy_text(entry->oem, t + 10, 6);
    entry->addr = addr;
    entry->size = size;
    entry->revision = t[8];
    entry->sum_ok = sum_is_zero(t, size);
    if (!entry->sum_ok)
        return;
    if (!memcmp(t, "FACP", 4) && !acpi->has_fadt)
        acpi_read_fadt(acpi, t, size);
    else if (!memcmp(t, "APIC", 4) && !acpi->cpus)
        acpi_read_madt(acpi, t, size);
    else if (!memcmp(t, "DSDT", 4) || !memcmp(t, "SSDT", 4))
        acpi_find_s5(acpi, t, size);
}

void acpi_find(struct acpi_info *acpi)
{
    const uint8_t *rsdp, *list;
    uint32_t root, size, width = 4;

    acpi->gsi_of_irq0 = 0;
    acpi->rsdp = acpi_find_rsdp();
    if (!acpi->rsdp)
        return;
    rsdp = at(acpi->rsdp);
    acpi->revision = rsdp[15];
    root = get32(rsdp + 16);
    if (acpi->revision >= 2 && get32(rsdp + 24) && !get32(rsdp + 28) && sum_is_zero(rsdp, 36)) {
        root = get32(rsdp + 24);
        width = 8;
    }
    size = acpi_table_size(root);
    if (!size)
        return;
    acpi_add_table(acpi, root);
    list = at(root);
    for (uint32_t i = HEADER_SIZE; i + width <= size; i += width)
        if (width == 4 || !get32(list + i + 4))
            acpi_add_table(acpi, get32(list + i));
}
