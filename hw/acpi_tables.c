/*
 * The ACPI tables: RSDP, RSDT, FADT, FACS, MADT, HPET and a DSDT written here as AML, with the
 * commands that make the firmware place and link them.
 *
 * Follows ACPI 2.0 (FADT revision 3, MADT revision 1) and 1.0b (RSDP, RSDT), the IA-PC HPET
 * specification 1.0a (HPET), and QEMU's published
 * linker/loader format, which SeaBIOS executes (src/fw/romfile_loader.h documents it).
 *
 * Not modelled: XSDT (nothing lies above 4 GiB), SRAT, hot plug, sleep states but S5,
 * embedded controller.  The DSDT describes what is on the board: devices that do
 * not exist are left out.
 */
#include "hw/acpi_tables.h"
#include "hw/aml.h"
#include "hw/fw_cfg.h"
#include "hw/hpet.h"
#include "hw/ioapic.h"
#include "hw/lapic.h"
#include "hw/piix.h"

#define TABLES_FILE "etc/acpi/tables"
#define RSDP_FILE   "etc/acpi/rsdp"

#define ISA "\\_SB.PCI0.ISA"

enum {
    LOADER_BYTES = 128,
    LOADER_ALLOCATE = 1,
    LOADER_POINTER = 2,
    LOADER_CHECKSUM = 3,
    LOADER_NAME = 56,
    LOADER_HIGH = 1,
    LOADER_FSEG = 2,
    FACS_BYTES = 64,
    RSDP_BYTES = 20,
    FADT_BYTES = 244,
    FADT_WBINVD = BIT(0),
    FADT_C1 = BIT(2), /* on all processors */
    FADT_SLEEP_BUTTON_METHOD = BIT(5),
    FADT_RESET_REGISTER = BIT(10),
};

struct acpi_build {
    struct machine *m;
    uint32_t low_memory;
    bool has_apic;
    GByteArray *tables, *rsdp, *loader;
};

/* The linker's commands ------------------------------------------------------------------------ */

static void loader_command(struct acpi_build *b, const uint8_t command[LOADER_BYTES])
{
    g_byte_array_append(b->loader, command, LOADER_BYTES);
}

static void loader_allocate(struct acpi_build *b, const char *file, uint32_t align, uint8_t zone)
{
    uint8_t c[LOADER_BYTES] = {LOADER_ALLOCATE};

    g_strlcpy((char *)c + 4, file, LOADER_NAME);
    st_le32(c + 4 + LOADER_NAME, align);
    c[8 + LOADER_NAME] = zone;
    loader_command(b, c);
}

/* The 32-bit field at `offset` of `file` holds an offset into the tables file; make it an address.
 */
static void loader_pointer(struct acpi_build *b, const char *file, uint32_t offset, uint8_t size)
{
    uint8_t c[LOADER_BYTES] = {LOADER_POINTER};

    g_strlcpy((char *)c + 4, file, LOADER_NAME);
    g_strlcpy((char *)c + 4 + LOADER_NAME, TABLES_FILE, LOADER_NAME);
    st_le32(c + 4 + 2 * LOADER_NAME, offset);
    c[8 + 2 * LOADER_NAME] = size;
    loader_command(b, c);
}

static void loader_checksum(struct acpi_build *b, const char *file, uint32_t at, uint32_t start,
                            uint32_t len)
{
    uint8_t c[LOADER_BYTES] = {LOADER_CHECKSUM};

    g_strlcpy((char *)c + 4, file, LOADER_NAME);
    st_le32(c + 4 + LOADER_NAME, at);
    st_le32(c + 8 + LOADER_NAME, start);
    st_le32(c + 12 + LOADER_NAME, len);
    loader_command(b, c);
}

/* Tables --------------------------------------------------------------------------------------- */

static uint32_t table_begin(struct acpi_build *b, const char *signature, uint8_t revision)
{
    uint32_t start = b->tables->len;
    uint8_t h[36] = {0};

    memcpy(h, signature, 4);
    h[8] = revision;
    memcpy(h + 10, "CANDEL", 6);
    memcpy(h + 16, "CANDELA ", 8);
    st_le32(h + 24, 1);
    memcpy(h + 28, "CNDL", 4);
    st_le32(h + 32, 1);
    g_byte_array_append(b->tables, h, sizeof h);
    return start;
}

static void table_end(struct acpi_build *b, uint32_t start)
{
    uint32_t len = b->tables->len - start;

    st_le32(b->tables->data + start + 4, len);
    loader_checksum(b, TABLES_FILE, start + 9, start, len);
}

static void acpi_facs(struct acpi_build *b)
{
    uint8_t t[FACS_BYTES] = "FACS";

    st_le32(t + 4, FACS_BYTES);
    g_byte_array_append(b->tables, t, sizeof t);
}

static void acpi_gas(uint8_t *p, unsigned width, uint32_t address)
{
    p[0] = 1; /* system I/O */
    p[1] = (uint8_t)width;
    st_le64(p + 4, address);
}

static uint32_t acpi_fadt(struct acpi_build *b, uint32_t facs, uint32_t dsdt)
{
    uint32_t start = table_begin(b, "FACP", 3);
    uint8_t *t;

    g_byte_array_set_size(b->tables, start + FADT_BYTES);
    t = b->tables->data + start;
    memset(t + 36, 0, FADT_BYTES - 36);
    st_le32(t + 36, facs);
    st_le32(t + 40, dsdt);
    st_le16(t + 46, PIIX_SCI_IRQ);
    st_le32(t + 48, PIIX_SMI_CMD);
    t[52] = PIIX_ACPI_ENABLE;
    t[53] = PIIX_ACPI_DISABLE;
    st_le32(t + 56, PIIX_PM_BASE + PIIX_PM_EVT);
    st_le32(t + 64, PIIX_PM_BASE + PIIX_PM_CNT);
    st_le32(t + 76, PIIX_PM_BASE + PIIX_PM_TMR);
    st_le32(t + 80, PIIX_PM_BASE + PIIX_PM_GPE0);
    t[88] = 4;              /* PM1_EVT_LEN */
    t[89] = 2;              /* PM1_CNT_LEN */
    t[91] = 4;              /* PM_TMR_LEN */
    t[92] = 4;              /* GPE0_BLK_LEN */
    st_le16(t + 96, 0xfff); /* no C2 */
    st_le16(t + 98, 0xfff); /* no C3 */
    t[108] = 0x32;          /* CMOS index of the century */
    st_le16(t + 109, 0x03); /* legacy devices, 8042 */
    /* The power button is a fixed one (bit 4 clear). */
    st_le32(t + 112, FADT_WBINVD | FADT_C1 | FADT_SLEEP_BUTTON_METHOD | FADT_RESET_REGISTER);
    acpi_gas(t + 116, 8, PIIX_RESET_PORT);
    t[128] = PIIX_RESET_VALUE;
    acpi_gas(t + 148, 32, PIIX_PM_BASE + PIIX_PM_EVT);
    acpi_gas(t + 172, 16, PIIX_PM_BASE + PIIX_PM_CNT);
    acpi_gas(t + 208, 32, PIIX_PM_BASE + PIIX_PM_TMR);
    acpi_gas(t + 220, 32, PIIX_PM_BASE + PIIX_PM_GPE0);
    loader_pointer(b, TABLES_FILE, start + 36, 4);
    loader_pointer(b, TABLES_FILE, start + 40, 4);
    table_end(b, start);
    return start;
}

static void madt_override(GByteArray *t, uint8_t irq, uint8_t gsi, uint16_t flags)
{
    uint8_t e[10] = {2, 10, 0, irq, gsi};

    st_le16(e + 8, flags);
    g_byte_array_append(t, e, sizeof e);
}

/* Flags: polarity in bits 1-0 (1: high), trigger in bits 3-2 (3: level). */
static uint32_t acpi_madt(struct acpi_build *b)
{
    static const uint8_t pci_irqs[] = {5, PIIX_SCI_IRQ, 10, 11};
    static const uint8_t nmi[6] = {4, 6, 0xff, 0, 0, 1}; /* LINT1 of every processor */
    uint32_t start = table_begin(b, "APIC", 1);
    uint8_t head[8], ioapic[12] = {1, 12};

    st_le32(head, LAPIC_DEFAULT_BASE);
    st_le32(head + 4, 1); /* 8259s are there too */
    g_byte_array_append(b->tables, head, sizeof head);
    for (unsigned i = 0; i < b->m->config.cpus; i++) {
        uint8_t cpu[8] = {0, 8, (uint8_t)i, (uint8_t)i, 1};
        g_byte_array_append(b->tables, cpu, sizeof cpu);
    }
    st_le32(ioapic + 4, IOAPIC_BASE);
    g_byte_array_append(b->tables, ioapic, sizeof ioapic);
    madt_override(b->tables, 0, 2, 0);
    for (unsigned i = 0; i < ARRAY_LEN(pci_irqs); i++) {
        madt_override(b->tables, pci_irqs[i], pci_irqs[i], 0x0d);
    }
    g_byte_array_append(b->tables, nmi, sizeof nmi);
    table_end(b, start);
    return start;
}

static uint32_t acpi_hpet(struct acpi_build *b)
{
    uint32_t start = table_begin(b, "HPET", 1);
    uint8_t body[20] = {0};

    st_le32(body, HPET_BLOCK_ID);
    body[5] = 64; /* generic address: memory, 64 bits wide */
    st_le64(body + 8, HPET_BASE);
    st_le16(body + 17, PERIOD_MIN_NS / HPET_TICK_NS); /* periods shorter than this lose ticks */
    g_byte_array_append(b->tables, body, sizeof body);
    table_end(b, start);
    return start;
}

/* DSDT ----------------------------------------------------------------------------------------- */

static void dsdt_sleep_states(GByteArray *a)
{
    unsigned package;

    aml_name(a, "_S5");
    package = aml_package(a, 4);
    for (unsigned i = 0; i < 4; i++) {
        aml_int(a, i < 2 ? PIIX_SLP_TYP_S5 : 0);
    }
    aml_end(a, package);
}

/* Interrupt routing: slot and pin to a link, as the bus swizzles them (pci_pirq_of in hw/pci.c). */
static void dsdt_prt(GByteArray *a)
{
    unsigned prt, entry;

    aml_name(a, "_PRT");
    prt = aml_package(a, 31 * 4);
    for (unsigned i = 4; i < 32 * 4; i++) {
        unsigned slot = i / 4, pin = i % 4;
        char link[] = "\\_SB.LNKA";

        link[sizeof link - 2] = (char)('A' + ((slot + 3 + pin) & 3));
        if (slot == 1 && pin == 0) {
            link[sizeof link - 2] = 'S'; /* the power management function: SCI, hardwired */
        }
        entry = aml_package(a, 4);
        aml_int(a, slot << 16 | 0xffff);
        aml_int(a, pin);
        aml_path(a, link);
        aml_int(a, 0);
        aml_end(a, entry);
    }
    aml_end(a, prt);
}

static void dsdt_root_crs(struct acpi_build *b, GByteArray *a)
{
    unsigned res;

    aml_name(a, "_CRS");
    res = aml_resources(a);
    aml_res_word_bus(a, 0, 0xff);
    aml_res_io(a, 0xcf8, 8);
    aml_res_word_io(a, 0, 0xcf7);
    aml_res_word_io(a, 0xd00, 0xffff);
    aml_res_dword_memory(a, 0xa0000, 0xbffff, true);
    aml_res_dword_memory(a, MAX(b->low_memory, 0x100000u), IOAPIC_BASE - 1, false);
    aml_resources_end(a, res);
}

/* An ISA device: up to three port ranges, an interrupt and a DMA channel (0: none). */
struct isa_device {
    const char *name, *hid;
    const char *needs; /* instance that must exist, or NULL */
    int uid;           /* -1: none */
    struct {
        uint16_t base;
        uint8_t len;
    } io[8];
    int irq, irq2, dma; /* -1: none */
};

static const struct isa_device isa_devices[] = {
    {"PIC", "PNP0000", "i8259", -1, {{0x20, 2}, {0xa0, 2}, {0x4d0, 2}}, 2, -1, -1},
    {"TIMR", "PNP0100", "i8254", -1, {{0x40, 4}}, 0, -1, -1},
    {"DMAC", "PNP0200", "i8237", -1, {{0x00, 16}, {0x81, 15}, {0xc0, 32}}, -1, -1, 4},
    {"RTC", "PNP0B00", "rtc", -1, {{0x70, 2}}, 8, -1, -1},
    {"SPKR", "PNP0800", "i8254", -1, {{0x61, 1}}, -1, -1, -1},
    {"KBD", "PNP0303", "i8042", -1, {{0x60, 1}, {0x64, 1}}, 1, -1, -1},
    {"MOU", "PNP0F13", "i8042", -1, {{0, 0}}, 12, -1, -1},
    {"FDC0", "PNP0700", "fdc", -1, {{0x3f2, 4}, {0x3f7, 1}}, 6, -1, 2},
    {"COM1", "PNP0501", "uart0", 1, {{0x3f8, 8}}, 4, -1, -1},
    {"COM2", "PNP0501", "uart1", 2, {{0x2f8, 8}}, 3, -1, -1},
    /* Ports that no driver owns but that must not be given away. */
    {"SYSR",
     "PNP0C02",
     NULL,
     -1,
     {{0x80, 1}, {0x92, 1}, {PIIX_SMI_CMD, 2}, {0x510, 12}, {PIIX_PM_BASE, 64}},
     -1,
     -1,
     -1},
};

static void dsdt_isa_device(GByteArray *a, const struct isa_device *d)
{
    unsigned dev = aml_device(a, d->name), res;

    aml_name_eisaid(a, "_HID", d->hid);
    if (d->uid >= 0) {
        aml_name_int(a, "_UID", (uint64_t)d->uid);
    }
    aml_name(a, "_CRS");
    res = aml_resources(a);
    for (unsigned i = 0; i < ARRAY_LEN(d->io) && d->io[i].len; i++) {
        aml_res_io(a, d->io[i].base, d->io[i].len);
    }
    if (d->irq >= 0) {
        aml_res_irq(a, (unsigned)d->irq);
    }
    if (d->dma >= 0) {
        aml_res_dma(a, (unsigned)d->dma);
    }
    aml_resources_end(a, res);
    aml_end(a, dev);
}

static void dsdt_isa(struct acpi_build *b, GByteArray *a)
{
    unsigned isa = aml_device(a, "ISA");

    aml_name_int(a, "_ADR", 0x00010000);
    aml_pci_config_fields(a, "PIRQ", 0x60, "PRQ", 4);
    for (unsigned i = 0; i < ARRAY_LEN(isa_devices); i++) {
        if (!isa_devices[i].needs || device_find(b->m, isa_devices[i].needs)) {
            dsdt_isa_device(a, &isa_devices[i]);
        }
    }
    aml_end(a, isa);
}

static void dsdt_link_head(GByteArray *a, unsigned uid, const uint32_t *irqs, uint8_t count)
{
    unsigned res;

    aml_name_eisaid(a, "_HID", "PNP0C0F");
    aml_name_int(a, "_UID", uid);
    aml_name(a, "_PRS");
    res = aml_resources(a);
    aml_res_interrupts(a, irqs, count);
    aml_resources_end(a, res);
}

static void dsdt_link_methods(GByteArray *a, const char *reg)
{
    unsigned method = aml_method(a, "_STA", 0, false), block, res;
    static const uint32_t none = 0;

    /* If (reg & 0x80) { Return (0x09) }  Return (0x0b) */
    block = aml_if(a);
    aml_op(a, AML_AND);
    aml_path(a, reg);
    aml_int(a, 0x80);
    aml_op(a, AML_NULL);
    aml_op(a, AML_RETURN);
    aml_int(a, 0x09);
    aml_end(a, block);
    aml_op(a, AML_RETURN);
    aml_int(a, 0x0b);
    aml_end(a, method);

    /* reg |= 0x80 */
    method = aml_method(a, "_DIS", 0, false);
    aml_op(a, AML_OR);
    aml_path(a, reg);
    aml_int(a, 0x80);
    aml_path(a, reg);
    aml_end(a, method);

    /* A template with the interrupt, or 0 while routing is off. */
    method = aml_method(a, "_CRS", 0, true);
    aml_name(a, "RTMP");
    res = aml_resources(a);
    aml_res_interrupts(a, &none, 1);
    aml_resources_end(a, res);
    aml_create_dword_field(a, "RTMP", 5, "IRQW");
    block = aml_if(a);
    aml_op(a, AML_AND);
    aml_path(a, reg);
    aml_int(a, 0x80);
    aml_op(a, AML_NULL);
    aml_op(a, AML_STORE);
    aml_int(a, 0);
    aml_path(a, "IRQW");
    aml_end(a, block);
    block = aml_else(a);
    aml_op(a, AML_STORE);
    aml_path(a, reg);
    aml_path(a, "IRQW");
    aml_end(a, block);
    aml_op(a, AML_RETURN);
    aml_path(a, "RTMP");
    aml_end(a, method);

    method = aml_method(a, "_SRS", 1, true);
    aml_create_dword_field(a, NULL, 5, "IRQW");
    aml_op(a, AML_STORE);
    aml_path(a, "IRQW");
    aml_path(a, reg);
    aml_end(a, method);
}

static void dsdt_links(GByteArray *a)
{
    static const uint32_t pci_irqs[] = {5, 10, 11}, sci[] = {PIIX_SCI_IRQ};
    unsigned dev, method, res;

    for (unsigned i = 0; i < 4; i++) {
        char name[] = "LNKA", reg[] = ISA ".PRQ0";

        name[3] = (char)('A' + i);
        reg[sizeof reg - 2] = (char)('0' + i);
        dev = aml_device(a, name);
        dsdt_link_head(a, i, pci_irqs, ARRAY_LEN(pci_irqs));
        dsdt_link_methods(a, reg);
        aml_end(a, dev);
    }
    dev = aml_device(a, "LNKS");
    dsdt_link_head(a, 4, sci, ARRAY_LEN(sci));
    aml_name_int(a, "_STA", 0x0b);
    aml_name(a, "_CRS");
    res = aml_resources(a);
    aml_res_interrupts(a, sci, ARRAY_LEN(sci));
    aml_resources_end(a, res);
    method = aml_method(a, "_DIS", 0, false);
    aml_end(a, method);
    method = aml_method(a, "_SRS", 1, false);
    aml_end(a, method);
    aml_end(a, dev);
}

/* The sleep button: a pin that makes a general-purpose event, and a method that tells whose it is.
 */
static void dsdt_sleep_button(GByteArray *a)
{
    unsigned dev = aml_device(a, "SLPB");

    aml_name_eisaid(a, "_HID", "PNP0C0E");
    aml_end(a, dev);
}

static void dsdt_hpet(GByteArray *a)
{
    unsigned dev = aml_device(a, "HPET"), res;

    aml_name_eisaid(a, "_HID", "PNP0103");
    aml_name_int(a, "_UID", 0);
    aml_name(a, "_CRS");
    res = aml_resources(a);
    aml_res_memory(a, HPET_BASE, HPET_BYTES);
    aml_resources_end(a, res);
    aml_end(a, dev);
}

static void dsdt_events(GByteArray *a)
{
    char name[5];
    unsigned gpe = aml_scope(a, "\\_GPE"), method;

    g_snprintf(name, sizeof name, "_E%02X", PIIX_GPE_SLEEP & 0xff); /* E: cleared before it runs */
    method = aml_method(a, name, 0, false);
    aml_op(a, AML_NOTIFY);
    aml_path(a, "\\_SB.SLPB");
    aml_int(a, 0x80); /* pressed */
    aml_end(a, method);
    aml_end(a, gpe);
}

static void dsdt_processors(struct acpi_build *b, GByteArray *a)
{
    for (unsigned i = 0; i < b->m->config.cpus; i++) {
        char name[5];

        g_snprintf(name, sizeof name, "C%03X", i & 0xfff);
        aml_processor(a, name, (uint8_t)i);
    }
}

static uint32_t acpi_dsdt(struct acpi_build *b)
{
    uint32_t start = table_begin(b, "DSDT", 1);
    GByteArray *a = b->tables;
    unsigned sb, pci;

    dsdt_sleep_states(a);
    sb = aml_scope(a, "\\_SB");
    pci = aml_device(a, "PCI0");
    aml_name_eisaid(a, "_HID", "PNP0A03");
    aml_name_int(a, "_BBN", 0);
    aml_name_int(a, "_UID", 0);
    dsdt_root_crs(b, a);
    dsdt_prt(a);
    dsdt_isa(b, a);
    aml_end(a, pci);
    dsdt_links(a);
    dsdt_sleep_button(a);
    if (device_find(b->m, "hpet")) {
        dsdt_hpet(a);
    }
    dsdt_processors(b, a);
    aml_end(a, sb);
    dsdt_events(a);
    table_end(b, start);
    return start;
}

/* Roots ---------------------------------------------------------------------------------------- */

static uint32_t acpi_rsdt(struct acpi_build *b, const uint32_t *tables, unsigned count)
{
    uint32_t start = table_begin(b, "RSDT", 1);

    for (unsigned i = 0; i < count; i++) {
        uint8_t entry[4];

        st_le32(entry, tables[i]);
        loader_pointer(b, TABLES_FILE, b->tables->len, 4);
        g_byte_array_append(b->tables, entry, sizeof entry);
    }
    table_end(b, start);
    return start;
}

static void acpi_rsdp(struct acpi_build *b, uint32_t rsdt)
{
    uint8_t r[RSDP_BYTES] = "RSD PTR ";

    memcpy(r + 9, "CANDEL", 6);
    st_le32(r + 16, rsdt);
    g_byte_array_append(b->rsdp, r, sizeof r);
    loader_pointer(b, RSDP_FILE, 16, 4);
    loader_checksum(b, RSDP_FILE, 8, 0, RSDP_BYTES);
}

void acpi_add_tables(struct machine *m, struct device *fw_cfg, uint64_t low_memory, bool has_apic)
{
    struct acpi_build b = {m,
                           (uint32_t)low_memory,
                           has_apic,
                           g_byte_array_new(),
                           g_byte_array_new(),
                           g_byte_array_new()};
    uint32_t tables[3], count = 0, dsdt;

    loader_allocate(&b, RSDP_FILE, 16, LOADER_FSEG);
    loader_allocate(&b, TABLES_FILE, 64, LOADER_HIGH);
    acpi_facs(&b); /* first: it wants 64-byte alignment */
    dsdt = acpi_dsdt(&b);
    tables[count++] = acpi_fadt(&b, 0, dsdt);
    if (has_apic) {
        tables[count++] = acpi_madt(&b);
    }
    if (device_find(m, "hpet")) {
        tables[count++] = acpi_hpet(&b);
    }
    acpi_rsdp(&b, acpi_rsdt(&b, tables, count));

    fw_cfg_add_file_copy(fw_cfg, TABLES_FILE, b.tables->data, b.tables->len);
    fw_cfg_add_file_copy(fw_cfg, RSDP_FILE, b.rsdp->data, b.rsdp->len);
    fw_cfg_add_file_copy(fw_cfg, "etc/table-loader", b.loader->data, b.loader->len);
    g_byte_array_unref(b.tables);
    g_byte_array_unref(b.rsdp);
    g_byte_array_unref(b.loader);
}
