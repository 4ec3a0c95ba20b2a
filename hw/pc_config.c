/*
 * What the board tells the firmware: CMOS bytes, the memory map, the boot order, tables and images
 * in fw_cfg.
 *
 * Follows SeaBIOS (src/fw/paravirt.c, src/boot.c, src/hw/rtc.h) for the meanings of items, files
 * and CMOS bytes, and the IBM AT's CMOS layout for the classic ones.
 *
 * Not modelled: NUMA, CPU hot plug.
 */
#include "hw/acpi_tables.h"
#include "hw/fdc.h"
#include "hw/firmware.h"
#include "hw/fw_cfg.h"
#include "hw/pc.h"
#include "hw/rtc.h"
#include "hw/smbios.h"

enum { E820_RAM = 1, E820_ENTRY_BYTES = 20, MENU_WAIT_MS = 3000 };

static void pc_cmos16(struct device *rtc, unsigned index, unsigned val)
{
    rtc_set_cmos(rtc, index, (uint8_t)val);
    rtc_set_cmos(rtc, index + 1, (uint8_t)(val >> 8));
}

/* Sizes in KiB up to 64 MiB, in 64 KiB above 16 MiB, and above 4 GiB. */
static void pc_cmos_memory(struct device *rtc, const struct vm_config *c)
{
    uint64_t low = pc_low_memory(c), high = c->memory - low;
    unsigned extended = (unsigned)MIN((low - MiB) / KiB, 0xfc00u);

    pc_cmos16(rtc, 0x15, 640);
    pc_cmos16(rtc, 0x17, extended);
    pc_cmos16(rtc, 0x30, extended);
    pc_cmos16(rtc, 0x34,
              low > 16 * MiB ? (unsigned)MIN((low - 16 * MiB) / (64 * KiB), 0xffffu) : 0);
    pc_cmos16(rtc, 0x5b, (unsigned)(high / (64 * KiB)));
    rtc_set_cmos(rtc, 0x5d, (uint8_t)(high / (64 * KiB) >> 16));
}

/*
 * Type 47 with a geometry for the first two disks, and for every disk whether the firmware
 * translates it: LBA from 1024 cylinders of 16 heads and 63 sectors on.
 */
static void pc_cmos_disks(struct machine *m, struct device *rtc)
{
    unsigned types = 0, translation = 0;

    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        const struct drive_config *d = &m->config.drives[i];
        uint64_t cylinders;
        unsigned at;

        if (!d->used || d->interface != DRIVE_IDE || d->media != DRIVE_DISK || d->index > 3 ||
            !m->drives[i]) {
            continue;
        }
        cylinders = m->drives[i]->sectors / (16 * 63);
        translation |= (cylinders > 1024 ? 1u : 0u) << (2 * d->index);
        if (d->index > 1) {
            continue;
        }
        types |= d->index ? 0x0f : 0xf0;
        rtc_set_cmos(rtc, 0x19 + d->index, 47);
        at = d->index ? 0x24 : 0x1b;
        pc_cmos16(rtc, at, (unsigned)MIN(cylinders, 16383u));
        rtc_set_cmos(rtc, at + 2, 16);
        pc_cmos16(rtc, at + 3, 0xffff);  /* no write precompensation */
        rtc_set_cmos(rtc, at + 5, 0xc8); /* more than eight heads */
        pc_cmos16(rtc, at + 6, (unsigned)MIN(cylinders, 16383u));
        rtc_set_cmos(rtc, at + 8, 63);
    }
    rtc_set_cmos(rtc, 0x12, (uint8_t)types);
    rtc_set_cmos(rtc, 0x39, (uint8_t)translation);
}

/* Drive types, and in the equipment byte how many there are (with coprocessor and PS/2 mouse). */
static void pc_cmos_floppies(struct machine *m, struct device *rtc)
{
    unsigned a = fdc_drive_type(m, 0), b = fdc_drive_type(m, 1), equipment = 0x06;

    if (a || b) {
        equipment |= 0x01 | (a && b ? 0x40 : 0);
    }
    rtc_set_cmos(rtc, 0x10, (uint8_t)(a << 4 | b));
    rtc_set_cmos(rtc, 0x14, (uint8_t)equipment);
}

/* Letters to SeaBIOS's device numbers, three of them in two bytes. */
static bool pc_cmos_boot_order(struct machine *m, struct device *rtc, GError **err)
{
    static const char letters[] = "acdn";
    const char *order = m->config.boot_order ? m->config.boot_order : "cda";
    unsigned boot[3] = {0}, n = 0;

    for (const char *p = order; *p; p++) {
        const char *known = strchr(letters, *p);

        if (!known || strchr(p + 1, *p)) {
            g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                        "-boot %s: '%c' %s; use each of a (floppy), c (disk), d (CD), n (network) "
                        "once at most",
                        order, *p, known ? "stands twice" : "is no device");
            return false;
        }
        if (n < ARRAY_LEN(boot)) {
            boot[n++] = (unsigned)(known - letters) + 1;
        }
    }
    rtc_set_cmos(rtc, 0x3d, (uint8_t)(boot[1] << 4 | boot[0]));
    rtc_set_cmos(rtc, 0x38, (uint8_t)(boot[2] << 4));
    return true;
}

static bool pc_fill_cmos(struct machine *m, GError **err)
{
    struct device *rtc = device_find(m, "rtc");

    pc_cmos_memory(rtc, &m->config);
    pc_cmos_disks(m, rtc);
    pc_cmos_floppies(m, rtc);
    rtc_set_cmos(rtc, 0x5f, (uint8_t)(m->config.cpus - 1));
    if (!pc_cmos_boot_order(m, rtc, err)) {
        return false;
    }
    rtc_set_cmos_checksum(rtc);
    return true;
}

static void pc_add_e820(struct machine *m, struct device *fw_cfg)
{
    uint64_t low = pc_low_memory(&m->config), high = m->config.memory - low;
    uint8_t map[2 * E820_ENTRY_BYTES] = {0};

    st_le64(map + 8, low);
    st_le32(map + 16, E820_RAM);
    st_le64(map + 20, 4 * GiB);
    st_le64(map + 28, high);
    st_le32(map + 36, E820_RAM);
    fw_cfg_add_file_copy(fw_cfg, "etc/e820", map, high ? sizeof map : E820_ENTRY_BYTES);
}

/* The bytes of a UUID's text; false: it is none. */
static bool pc_parse_uuid(const char *text, uint8_t uuid[16])
{
    unsigned n = 0;

    if (!text || !g_uuid_string_is_valid(text)) {
        return false;
    }
    for (const char *p = text; *p; p += 2) {
        p += *p == '-';
        uuid[n++] = (uint8_t)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
    }
    return true;
}

/* The same machine has the same UUID at every start (version 8, from its name, if it was given
 * none); in network byte order. */
static void pc_uuid(const struct vm_config *c, uint8_t uuid[16])
{
    GChecksum *sum;
    uint8_t digest[32];
    gsize len = sizeof digest;

    if (pc_parse_uuid(c->uuid, uuid)) {
        return;
    }
    sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, (const guchar *)"candela machine ", -1);
    g_checksum_update(sum, (const guchar *)(c->name ? c->name : ""), -1);
    g_checksum_get_digest(sum, digest, &len);
    g_checksum_free(sum);
    memcpy(uuid, digest, 16);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static void pc_add_identity(struct machine *m, struct device *fw_cfg)
{
    uint8_t uuid[16], smbios[16];
    GBytes *bytes;

    pc_uuid(&m->config, uuid);
    bytes = g_bytes_new(uuid, sizeof uuid);
    fw_cfg_set_bytes(fw_cfg, FW_CFG_UUID, bytes);
    g_bytes_unref(bytes);
    /* SMBIOS has the first three fields little-endian. */
    memcpy(smbios, uuid, sizeof smbios);
    st_le32(smbios, ld_be32(uuid));
    st_le16(smbios + 4, ld_be16(uuid + 4));
    st_le16(smbios + 6, ld_be16(uuid + 6));
    smbios_add_tables(m, fw_cfg, pc_low_memory(&m->config), smbios);
}

static void pc_add_integer(struct device *fw_cfg, const char *name, uint32_t val)
{
    uint8_t le[4];

    st_le32(le, val);
    fw_cfg_add_file_copy(fw_cfg, name, le, sizeof le);
}

bool pc_configure(struct machine *m, GError **err)
{
    struct device *fw_cfg = device_find(m, "fw_cfg");
    uint64_t low = pc_low_memory(&m->config);

    if (!pc_fill_cmos(m, err)) {
        return false;
    }
    fw_cfg_set_u64(fw_cfg, FW_CFG_RAM_SIZE, m->config.memory);
    fw_cfg_set_u16(fw_cfg, FW_CFG_NB_CPUS, (uint16_t)m->config.cpus);
    fw_cfg_set_u16(fw_cfg, FW_CFG_MAX_CPUS, (uint16_t)m->config.cpus);
    fw_cfg_set_u16(fw_cfg, FW_CFG_BOOT_MENU, m->config.boot_menu);
    fw_cfg_set_u32(fw_cfg, FW_CFG_IRQ0_OVERRIDE, 1); /* the timer is on pin 2 of the I/O APIC */
    pc_add_integer(fw_cfg, "etc/boot-fail-wait",
                   UINT32_MAX); /* say that nothing boots, do not retry for ever */
    if (m->config.boot_menu) {
        pc_add_integer(fw_cfg, "etc/boot-menu-wait", MENU_WAIT_MS);
    }
    pc_add_e820(m, fw_cfg);
    pc_add_identity(m, fw_cfg);
    acpi_add_tables(m, fw_cfg, low, pc_has_apic(&m->config));
    if (m->vga_bios_image) { /* by this name it runs as the ROM of the card's PCI function */
        fw_cfg_add_file(fw_cfg, "pci1234,1111.rom", m->vga_bios_image);
    }
    return kernel_add(m, fw_cfg, low, err);
}
