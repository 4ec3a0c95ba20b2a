/*
 * The ACPI tables of the whole board: against ACPICA's compiler, and against what is wired.
 *
 * Not modelled: an AML interpreter; `iasl` (Debian's acpica-tools) reads the DSDT here, Linux does
 * in the boot tests.
 */
#include "hw/hpet.h"
#include "hw/pc.h"
#include "hw/pci.h"
#include "tests/hw/acpi_rig.h"
#include <glib/gstdio.h>

static void prepare(struct machine *m)
{
    static const uint8_t image[65536] = {0xf4};

    m->bios_image = g_bytes_new_static(image, sizeof image);
    m->vga_bios_image = g_bytes_new_static(image, 32768);
}

static struct rig *board(unsigned cpus, const char *model, struct loaded *l)
{
    struct vm_config c;
    struct rig *r;

    vm_config_init(&c);
    c.memory = 64 * MiB;
    c.cpus = cpus;
    g_free(c.cpu_model);
    c.cpu_model = g_strdup(model);
    r = rig_new_board(&c, &pc_board, prepare, NULL);
    cr_assert_not_null(r);
    vm_config_clear(&c);
    load_tables(device_find(r->m, "fw_cfg"), l);
    return r;
}

/* The compiler ----------------------------------------------------------------------------------
 */

/* Run iasl in `folder`; all it says. */
static char *iasl(const char *folder, const char *const argv[])
{
    char *out = NULL, *messages = NULL, *both;
    GError *err = NULL;

    if (!g_spawn_sync(folder, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &messages,
                      NULL, &err)) {
        cr_assert_fail("iasl: %s", err->message);
    }
    both = g_strconcat(out, messages, NULL);
    g_free(out);
    g_free(messages);
    return both;
}

/* Take a table apart and translate it again: there is nothing to complain about.  (3168: Processor
 * is an old word, which is why old systems know it.) */
static void check_with_iasl(const char *folder, const uint8_t *table)
{
    static const char *const apart[] = {"iasl", "-d", "table.aml", NULL};
    static const char *const again[] = {"iasl", "-vw", "3168", "-p", "again", "table.dsl", NULL};
    g_autofree char *path = g_build_filename(folder, "table.aml", NULL), *said = NULL;

    cr_assert(g_file_set_contents(path, (const char *)table, (gssize)ld_le32(table + 4), NULL));
    g_free(iasl(folder, apart));
    said = iasl(folder, again);
    cr_assert(strstr(said, "0 Errors, 0 Warnings, 0 Remarks"), "%.4s:\n%s", (const char *)table,
              said);
}

static void remove_folder(const char *folder)
{
    static const char *const files[] = {"table.aml", "table.dsl", "again.aml"};

    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        g_autofree char *path = g_build_filename(folder, files[i], NULL);

        g_unlink(path);
    }
    g_rmdir(folder);
}

Test(acpi_board, a_compiler_finds_nothing_wrong)
{
    static const struct {
        unsigned cpus;
        const char *model;
        bool apic;
    } cases[] = {{1, NULL, true}, {4, NULL, true}, {1, "486", false}};
    g_autofree char *program = g_find_program_in_path("iasl");

    if (!program) {
        fprintf(stderr, "iasl (acpica-tools) is not there: the tables are not checked with it\n");
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        g_autofree char *folder = g_dir_make_tmp("candela-acpi-XXXXXX", NULL);
        struct loaded l;
        struct rig *r = board(cases[i].cpus, cases[i].model, &l);

        cr_assert_not_null(folder);
        check_with_iasl(folder, table_dsdt(&l));
        check_with_iasl(folder, table_find(&l, "FACP"));
        cr_assert_eq(table_find(&l, "APIC") != NULL, cases[i].apic);
        cr_assert_eq(table_find(&l, "HPET") != NULL, cases[i].apic);
        if (cases[i].apic) {
            check_with_iasl(folder, table_find(&l, "APIC"));
            check_with_iasl(folder, table_find(&l, "HPET"));
        }
        remove_folder(folder);
        free_tables(&l);
        rig_free(r);
    }
}

/* What the tables say and what is there ----------------------------------------------------------
 */

Test(acpi_board, the_hpet_is_where_its_table_says)
{
    struct loaded l;
    struct rig *r = board(1, NULL, &l);
    const uint8_t *t = table_find(&l, "HPET");
    uint64_t at = ld_le64(t + 44);

    cr_assert_eq(ld_le32(t + 4), 56);
    cr_assert_eq(t[40], 0, "memory");
    cr_assert_eq(rig_mmio_read(r, at, 4), ld_le32(t + 36), "the block's id");
    cr_assert_eq(t[52], 0, "the first block");
    cr_assert_leq(ld_le16(t + 53) * (rig_mmio_read(r, at + 4, 4) / 1000000), NS_PER_MS,
                  "a tick of 1 kHz is long enough");
    free_tables(&l);
    rig_free(r);
}

Test(acpi_board, the_fadt_names_registers_that_work)
{
    struct loaded l;
    struct rig *r = board(1, NULL, &l);
    const uint8_t *t = table_find(&l, "FACP");
    uint16_t smi = ld_le16(t + 48), cnt = ld_le16(t + 64), tmr = ld_le16(t + 76);

    /* As firmware places the block. */
    rig_out32(r, 0xcf8, 0x80000b40);
    rig_out32(r, 0xcfc, (ld_le32(t + 56) & 0xffc0) | 1);
    rig_out32(r, 0xcf8, 0x80000b80);
    rig_out8(r, 0xcfc, 1);
    rig_out8(r, smi, t[52]);
    cr_assert_eq(rig_in16(r, cnt) & 1, 1, "ACPI mode on");
    rig_out8(r, smi, t[53]);
    cr_assert_eq(rig_in16(r, cnt) & 1, 0, "and off");
    rig_step(r, NS_PER_SEC);
    cr_assert_eq(rig_in32(r, tmr), clock_ns_to_ticks(clock_now(r->m), 3579545) & 0xffffff);
    /* The extended addresses are the same registers. */
    cr_assert_eq(ld_le64(t + 152), ld_le32(t + 56));
    cr_assert_eq(ld_le64(t + 176), cnt);
    cr_assert_eq(ld_le64(t + 212), tmr);
    cr_assert_eq(ld_le64(t + 224), ld_le32(t + 80));
    cr_assert_not(r->m->reset_pending);
    rig_out8(r, ld_le16(t + 120), t[128]);
    cr_assert(r->m->reset_pending, "the reset register resets");
    free_tables(&l);
    rig_free(r);
}

/* The _PRT package: "slot << 16 | 0xffff, pin, \_SB.LNKx, 0" for every slot and pin. */

struct routing {
    char link[32][4];
};

static void read_prt(const uint8_t *dsdt, struct routing *prt)
{
    const uint8_t *p = dsdt + 36, *end = dsdt + ld_le32(dsdt + 4);

    memset(prt, 0, sizeof *prt);
    for (; p + 26 <= end; p++) {
        const uint8_t *q = p + 1;
        unsigned slot, pin;

        /* Dword (0x0c), then the pin: zero, one or a byte (0x0a). */
        if (p[0] != 0x0c || ld_le16(p + 1) != 0xffff || p[4] || p[3] > 31) {
            continue;
        }
        slot = p[3];
        q = p + 5;
        pin = *q == 0x0a ? q[1] : *q;
        q += *q == 0x0a ? 2 : 1;
        if (pin > 3 || memcmp(q, "\\\x2e_SB_LNK", 9)) {
            continue;
        }
        cr_assert_eq(prt->link[slot][pin], 0, "slot %u pin %u stands twice", slot, pin);
        prt->link[slot][pin] = (char)q[9];
    }
}

static const struct state_field probe_state[] = {STATE_END};
static const struct pci_desc probe_pci[4] = {
    {.vendor = 0x1234, .device = 1, .interrupt_pin = 1},
    {.vendor = 0x1234, .device = 2, .interrupt_pin = 2},
    {.vendor = 0x1234, .device = 3, .interrupt_pin = 3},
    {.vendor = 0x1234, .device = 4, .interrupt_pin = 4},
};
#define PROBE(n)                                                                                   \
    {                                                                                              \
        .name = "probe", .size = sizeof(struct device), .s_offset = sizeof(struct device),         \
        .state = probe_state, .pci = &probe_pci[n]                                                 \
    }
static const struct device_ops probe_ops[4] = {PROBE(0), PROBE(1), PROBE(2), PROBE(3)};

/* The letter of the PIRQ that a function's pin ends at. */
static char wired_to(unsigned slot, unsigned pin)
{
    struct rig *r = rig_begin(NULL);
    struct device *bus = device_new(r->m, &pci_ops, "pci"),
                  *probe = device_new(r->m, &probe_ops[pin], "probe");
    struct rig_pin pirq[4] = {{false, 0, 0}};
    char letter = 0;

    pci_place(probe, PCI_DEVFN(slot, 0));
    for (unsigned i = 0; i < 4; i++) {
        rig_connect(pci_pirq(bus, i), &pirq[i]);
    }
    rig_ready(r);
    pci_set_irq(probe, true);
    for (unsigned i = 0; i < 4; i++) {
        letter = pirq[i].level ? (char)('A' + i) : letter;
    }
    rig_free(r);
    return letter;
}

Test(acpi_board, interrupt_routing_is_as_wired)
{
    struct routing prt;
    struct loaded l;
    struct rig *r = board(1, NULL, &l);

    read_prt(table_dsdt(&l), &prt);
    for (unsigned slot = 1; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            /* The power management function's pin is the SCI itself. */
            char want = slot == 1 && pin == 0 ? 'S' : wired_to(slot, pin);

            cr_assert_eq(prt.link[slot][pin], want, "slot %u pin %u: %c, not %c", slot, pin,
                         prt.link[slot][pin], want);
        }
    }
    free_tables(&l);
    rig_free(r);
}
