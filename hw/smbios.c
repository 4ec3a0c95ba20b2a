/*
 * SMBIOS structures: what the machine says it is made of.
 *
 * Follows the System Management BIOS reference specification 2.8.0 (DSP0134): types 0, 1, 3, 4, 16,
 * 17, 19, 32, 127 and the 32-bit entry point, whose address and checksums the firmware fills in.
 *
 * Not modelled: caches, slots, on-board devices, SMBIOS 3 entry point, error handles, serial
 * numbers.
 */
#include "hw/smbios.h"
#include "hw/fw_cfg.h"

enum {
    HANDLE_BIOS = 0x000,
    HANDLE_SYSTEM = 0x100,
    HANDLE_CHASSIS = 0x300,
    HANDLE_CPU = 0x400,
    HANDLE_MEMORY = 0x1000,
    HANDLE_DIMM = 0x1100,
    HANDLE_MAPPED = 0x1300,
    HANDLE_BOOT = 0x2000,
    HANDLE_END = 0x7f00,
};

#define DIMM_MAX (16 * GiB)

struct smbios {
    GByteArray *out;
    unsigned count, largest;
};

/*
 * Append a structure: `len` formatted bytes, whose first four are filled in here, and up to four
 * strings (numbered from 1; NULL ends).
 */
static void smbios_add(struct smbios *s, uint8_t type, uint16_t handle, uint8_t *p, uint8_t len,
                       const char *const strings[4])
{
    static const uint8_t zeroes[2];
    unsigned start = s->out->len;
    bool any = false;

    p[0] = type;
    p[1] = len;
    st_le16(p + 2, handle);
    g_byte_array_append(s->out, p, len);
    for (unsigned i = 0; strings && i < 4 && strings[i]; i++) {
        g_byte_array_append(s->out, (const uint8_t *)strings[i], (guint)strlen(strings[i]) + 1);
        any = true;
    }
    g_byte_array_append(s->out, zeroes, any ? 1 : 2);
    s->count++;
    s->largest = MAX(s->largest, s->out->len - start);
}

static void smbios_bios(struct smbios *s)
{
    static const char *const strings[4] = {"SeaBIOS", "Candela", "01/01/2026"};
    uint8_t p[24] = {0};

    p[0x04] = 1;
    p[0x05] = 2;
    st_le16(p + 0x06, 0xe800);
    p[0x08] = 3;
    p[0x09] = 3;                        /* 256 KiB */
    st_le64(p + 0x0a, BIT64(7)          /* PCI */
                          | BIT64(15)   /* boot from CD */
                          | BIT64(16)); /* selectable boot */
    p[0x12] = 0x01;                     /* ACPI */
    p[0x13] = 0x14;                     /* targeted content distribution, virtual machine */
    p[0x16] = p[0x17] = 0xff;           /* no embedded controller */
    smbios_add(s, 0, HANDLE_BIOS, p, sizeof p, strings);
}

static void smbios_system(struct smbios *s, const uint8_t uuid[16])
{
    static const char *const strings[4] = {"Candela", "Candela PC (i440FX + PIIX4)", "1"};
    uint8_t p[27] = {0};

    p[0x04] = 1;
    p[0x05] = 2;
    p[0x06] = 3;
    memcpy(p + 0x08, uuid, 16);
    p[0x18] = 6; /* woken by the power switch */
    smbios_add(s, 1, HANDLE_SYSTEM, p, sizeof p, strings);
}

static void smbios_chassis(struct smbios *s)
{
    static const char *const strings[4] = {"Candela"};
    uint8_t p[22] = {0};

    p[0x04] = 1;
    p[0x05] = 1;                     /* "other" */
    p[0x09] = p[0x0a] = p[0x0b] = 3; /* safe */
    p[0x0c] = 2;                     /* security: unknown */
    smbios_add(s, 3, HANDLE_CHASSIS, p, sizeof p, strings);
}

/* One for each package. */
static void smbios_processor(struct smbios *s, const struct vm_config *c, unsigned n)
{
    char socket[16];
    const char *const strings[4] = {socket, "Candela"};
    uint8_t p[42] = {0};

    g_snprintf(socket, sizeof socket, "CPU %u", n);
    p[0x04] = 1;
    p[0x05] = 3; /* central processor */
    p[0x06] = 1; /* family: other */
    p[0x07] = 2;
    st_le16(p + 0x14, 1000); /* MHz, as CPUID and the TSC have it */
    st_le16(p + 0x16, 1000);
    p[0x18] = 0x41; /* populated, enabled */
    p[0x19] = 1;
    st_le16(p + 0x1a, 0xffff); /* no cache handles */
    st_le16(p + 0x1c, 0xffff);
    st_le16(p + 0x1e, 0xffff);
    p[0x23] = p[0x24] = (uint8_t)vm_config_cores(c); /* there, enabled */
    p[0x25] = (uint8_t)(vm_config_cores(c) * MAX(c->threads, 1u));
    st_le16(p + 0x26, 0x0002); /* characteristics: unknown */
    st_le16(p + 0x28, 0x0001);
    smbios_add(s, 4, (uint16_t)(HANDLE_CPU + n), p, sizeof p, strings);
}

static void smbios_memory_array(struct smbios *s, uint64_t memory, unsigned dimms)
{
    uint8_t p[23] = {0};

    p[0x04] = 1;
    p[0x05] = 3; /* system memory */
    p[0x06] = 3; /* no error correction */
    st_le32(p + 0x07, (uint32_t)(memory / KiB));
    st_le16(p + 0x0b, 0xfffe);
    st_le16(p + 0x0d, (uint16_t)dimms);
    smbios_add(s, 16, HANDLE_MEMORY, p, sizeof p, NULL);
}

static void smbios_dimm(struct smbios *s, unsigned n, uint64_t size)
{
    char locator[16];
    const char *const strings[4] = {locator, "Candela"};
    uint8_t p[40] = {0};

    g_snprintf(locator, sizeof locator, "DIMM %u", n);
    st_le16(p + 0x04, HANDLE_MEMORY);
    st_le16(p + 0x06, 0xfffe);
    st_le16(p + 0x08, 0xffff);
    st_le16(p + 0x0a, 0xffff);
    /* MiB, or KiB with bit 15 */
    st_le16(p + 0x0c, (uint16_t)(size >= MiB ? size / MiB : 0x8000 | size / KiB));
    p[0x0e] = 0x09; /* DIMM */
    p[0x10] = 1;
    p[0x12] = 0x07; /* RAM */
    st_le16(p + 0x13, 0x0002);
    p[0x17] = 2;
    smbios_add(s, 17, (uint16_t)(HANDLE_DIMM + n), p, sizeof p, strings);
}

static void smbios_mapped(struct smbios *s, unsigned n, uint64_t base, uint64_t size)
{
    uint64_t last = base + size - 1;
    uint8_t p[31] = {0};

    if (last / KiB < 0xffffffff) {
        st_le32(p + 0x04, (uint32_t)(base / KiB));
        st_le32(p + 0x08, (uint32_t)(last / KiB));
    } else {
        st_le32(p + 0x04, 0xffffffff);
        st_le32(p + 0x08, 0xffffffff);
        st_le64(p + 0x0f, base);
        st_le64(p + 0x17, last);
    }
    st_le16(p + 0x0c, HANDLE_MEMORY);
    p[0x0e] = 1;
    smbios_add(s, 19, (uint16_t)(HANDLE_MAPPED + n), p, sizeof p, NULL);
}

static void smbios_all(struct smbios *s, const struct vm_config *c, uint64_t low,
                       const uint8_t uuid[16])
{
    unsigned dimms = (unsigned)((c->memory + DIMM_MAX - 1) / DIMM_MAX);
    uint8_t boot[11] = {0}, end[4];

    smbios_bios(s);
    smbios_system(s, uuid);
    smbios_chassis(s);
    for (unsigned i = 0; i < vm_config_packages(c); i++) {
        smbios_processor(s, c, i);
    }
    smbios_memory_array(s, c->memory, dimms);
    for (unsigned i = 0; i < dimms; i++) {
        smbios_dimm(s, i, MIN(DIMM_MAX, c->memory - i * DIMM_MAX));
    }
    smbios_mapped(s, 0, 0, low);
    if (c->memory > low) {
        smbios_mapped(s, 1, 4 * GiB, c->memory - low);
    }
    smbios_add(s, 32, HANDLE_BOOT, boot, sizeof boot, NULL);
    smbios_add(s, 127, HANDLE_END, end, sizeof end, NULL);
}

void smbios_add_tables(struct machine *m, struct device *fw_cfg, uint64_t low_memory,
                       const uint8_t uuid[16])
{
    struct smbios s = {g_byte_array_new(), 0, 0};
    uint8_t ep[31] = "_SM_";

    smbios_all(&s, &m->config, low_memory, uuid);
    ep[0x05] = sizeof ep;
    ep[0x06] = 2;
    ep[0x07] = 8;
    st_le16(ep + 0x08, (uint16_t)s.largest);
    memcpy(ep + 0x10, "_DMI_", 5);
    st_le16(ep + 0x16, (uint16_t)s.out->len);
    st_le16(ep + 0x1c, (uint16_t)s.count);
    ep[0x1e] = 0x28;
    fw_cfg_add_file_copy(fw_cfg, "etc/smbios/smbios-tables", s.out->data, s.out->len);
    fw_cfg_add_file_copy(fw_cfg, "etc/smbios/smbios-anchor", ep, sizeof ep);
    g_byte_array_unref(s.out);
}
