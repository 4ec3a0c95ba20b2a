/*
 * The PCI bus: configuration mechanism, BARs, INTx.  With a function of its own.
 *
 * Not modelled: see hw/pci.c.
 */
#include "hw/pci.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

struct probe {
    struct device dev;
    struct probe_state {
        uint32_t reg;
        uint32_t written;
    } s;
};

static const struct state_field probe_state[] = {
    STATE(struct probe, s.reg),
    STATE(struct probe, s.written),
    STATE_END,
};

static uint32_t probe_port_read(struct device *dev, unsigned off, unsigned size)
{
    (void)size;
    return ((struct probe *)dev)->s.reg >> (8 * off);
}

static void probe_port_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)off;
    (void)size;
    ((struct probe *)dev)->s.reg = val;
}

static const struct port_range probe_range = {0, 8, SIZE_4, probe_port_read, probe_port_write};

static uint64_t probe_mmio_read(struct device *dev, uint64_t off, unsigned size)
{
    (void)dev;
    (void)size;
    return 0x1000 + off;
}

static const struct mmio_ops probe_mmio = {.sizes = SIZE_4, .read = probe_mmio_read};

static void probe_config_written(struct device *dev, unsigned off, unsigned size)
{
    ((struct probe *)dev)->s.written = off << 8 | size;
}

static const struct pci_desc probe_pci = {
    .vendor = 0x1234,
    .device = 0x5678,
    .subsystem_vendor = 0x1111,
    .subsystem = 0x2222,
    .class_code = 0x020304,
    .revision = 9,
    .interrupt_pin = 1,
    .bars = {{PCI_BAR_IO, 8, &probe_range, NULL}, {PCI_BAR_MEM, 0x1000, NULL, &probe_mmio}},
    .config_written = probe_config_written,
};

static bool probe_attach(struct device *dev, GError **err)
{
    (void)err;
    pci_allow_write(dev, 0x40, 2, 0x0ff0);
    return true;
}

static const struct device_ops probe_ops = {
    .name = "probe",
    DEVICE_STATE(struct probe),
    .state = probe_state,
    .pci = &probe_pci,
    .attach = probe_attach,
};

static struct device *bus;

static struct device *place(struct rig *r, const char *name, unsigned devfn)
{
    struct device *dev = device_new(r->m, &probe_ops, name);

    pci_place(dev, devfn);
    return dev;
}

static struct rig *begin(void)
{
    struct rig *r = rig_begin(NULL);

    bus = device_new(r->m, &pci_ops, "pci");
    return r;
}

static uint32_t config_read(struct rig *r, unsigned devfn, unsigned reg)
{
    rig_out32(r, 0xcf8, 0x80000000u | devfn << 8 | reg);
    return rig_in32(r, 0xcfc);
}

static void config_write(struct rig *r, unsigned devfn, unsigned reg, uint32_t val)
{
    rig_out32(r, 0xcf8, 0x80000000u | devfn << 8 | reg);
    rig_out32(r, 0xcfc, val);
}

Test(pci, header_shows_what_the_description_says)
{
    struct rig *r = begin();
    unsigned at = PCI_DEVFN(5, 2);

    place(r, "a", at);
    rig_ready(r);
    cr_assert_eq(config_read(r, at, 0x00), 0x56781234);
    cr_assert_eq(config_read(r, at, 0x04), 0);
    cr_assert_eq(config_read(r, at, 0x08), 0x02030409);
    cr_assert_eq(config_read(r, at, 0x2c), 0x22221111);
    cr_assert_eq(config_read(r, at, 0x3c), 0x00000100);
    config_write(r, at, 0x00, 0xffffffff);
    config_write(r, at, 0x08, 0xffffffff);
    cr_assert_eq(config_read(r, at, 0x00), 0x56781234, "ids cannot be written");
    cr_assert_eq(config_read(r, at, 0x08), 0x02030409, "the class cannot be written");
    rig_free(r);
}

Test(pci, nothing_answers_with_ones)
{
    static const uint32_t nowhere[] = {
        0x80000000u | PCI_DEVFN(6, 0) << 8, /* no such slot */
        0x80000000u | PCI_DEVFN(5, 3) << 8, /* no such function */
        0x80010000u | PCI_DEVFN(5, 2) << 8, /* another bus */
        PCI_DEVFN(5, 2) << 8,               /* configuration cycles off */
    };
    struct rig *r = begin();

    place(r, "a", PCI_DEVFN(5, 2));
    rig_ready(r);
    for (unsigned i = 0; i < ARRAY_LEN(nowhere); i++) {
        rig_out32(r, 0xcf8, nowhere[i]);
        rig_out32(r, 0xcfc, 0);
        cr_assert_eq(rig_in32(r, 0xcfc), 0xffffffff, "address %#x", nowhere[i]);
    }
    rig_free(r);
}

Test(pci, data_port_takes_every_size_and_the_address_port_one)
{
    struct rig *r = begin();
    unsigned at = PCI_DEVFN(3, 0);

    place(r, "a", at);
    rig_ready(r);
    rig_out32(r, 0xcf8, 0x80000000u | at << 8);
    cr_assert_eq(rig_in8(r, 0xcfd), 0x12);
    cr_assert_eq(rig_in16(r, 0xcfe), 0x5678);
    rig_out8(r, 0xcf8, 0x7f);
    rig_out16(r, 0xcfa, 0);
    cr_assert_eq(rig_in32(r, 0xcf8), 0x80000000u | at << 8);
    cr_assert_eq(rig_in8(r, 0xcf8), 0xff);
    rig_out32(r, 0xcf8, 0xffffffff);
    cr_assert_eq(rig_in32(r, 0xcf8), 0x80fffffcu, "reserved bits read as zero");
    rig_free(r);
}

Test(pci, write_masks_and_hook)
{
    struct rig *r = begin();
    unsigned at = PCI_DEVFN(3, 0);
    struct device *dev = place(r, "a", at);

    rig_ready(r);
    config_write(r, at, 0x40, 0xffffffff);
    cr_assert_eq(config_read(r, at, 0x40), 0x0ff0);
    cr_assert_eq(((struct probe *)dev)->s.written, 0x4004);
    rig_out8(r, 0xcfd, 0x05);
    cr_assert_eq(config_read(r, at, 0x40), 0x05f0);
    cr_assert_eq(((struct probe *)dev)->s.written, 0x4101);
    /* Status bits go away by writing ones. */
    st_le16(pci_func(dev)->s->config + PCI_STATUS, 0xf980);
    config_write(r, at, PCI_COMMAND, 0x81000000);
    cr_assert_eq(config_read(r, at, PCI_COMMAND) >> 16, 0x7880);
    rig_reset(r);
    cr_assert_eq(config_read(r, at, 0x40), 0);
    cr_assert_eq(config_read(r, at, 0x00), 0x56781234);
    rig_free(r);
}

Test(pci, bars_tell_their_size)
{
    struct rig *r = begin();

    place(r, "a", 8);
    rig_ready(r);
    for (unsigned i = 0; i < 3; i++) {
        static const uint32_t expect[] = {0xfffffff9, 0xfffff000, 0};

        config_write(r, 8, PCI_BAR0 + 4 * i, 0xffffffff);
        cr_assert_eq(config_read(r, 8, PCI_BAR0 + 4 * i), expect[i], "BAR %u", i);
    }
    config_write(r, 8, PCI_COMMAND, 3);
    cr_assert_eq(rig_mmio_read(r, 0xfffff000, 4), 0xffffffff, "a size probe maps nothing");
    rig_free(r);
}

Test(pci, io_bar_follows_address_and_command)
{
    struct rig *r = begin();
    struct device *dev = place(r, "a", 8);

    rig_ready(r);
    ((struct probe *)dev)->s.reg = 0x11223344;
    config_write(r, 8, PCI_BAR0, 0xc000);
    cr_assert_eq(rig_in32(r, 0xc000), 0xffffffff, "decoding is off");
    config_write(r, 8, PCI_COMMAND, PCI_COMMAND_IO);
    cr_assert_eq(rig_in32(r, 0xc000), 0x11223344);
    config_write(r, 8, PCI_BAR0, 0xd000);
    cr_assert_eq(rig_in32(r, 0xc000), 0xffffffff);
    rig_out32(r, 0xd000, 5);
    cr_assert_eq(rig_in32(r, 0xd000), 5);
    config_write(r, 8, PCI_BAR0, 0x1d000);
    cr_assert_eq(rig_in32(r, 0xd000), 0xffffffff, "beyond the 64 K ports");
    config_write(r, 8, PCI_BAR0, 0xd000);
    rig_reset(r);
    cr_assert_eq(rig_in32(r, 0xd000), 0xffffffff);
    cr_assert_eq(config_read(r, 8, PCI_BAR0), 1);
    rig_free(r);
}

Test(pci, memory_bar_lies_below_ram)
{
    struct rig *r = begin();

    place(r, "a", 8);
    rig_ready(r);
    config_write(r, 8, PCI_COMMAND, PCI_COMMAND_MEMORY);
    config_write(r, 8, PCI_BAR0 + 4, 0xe0000000);
    cr_assert_eq(rig_mmio_read(r, 0xe0000010, 4), 0x1010);
    config_write(r, 8, PCI_BAR0 + 4, 0x00100000);
    cr_assert_eq(rig_mmio_read(r, 0xe0000010, 4), 0xffffffff);
    cr_assert_eq(rig_mmio_read(r, 0x00100010, 4), 0, "RAM is not hidden");
    config_write(r, 8, PCI_BAR0 + 4, 0xfffff000);
    cr_assert_eq(rig_mmio_read(r, 0xfffff010, 4), 0xffffffff, "the last page cannot be had");
    rig_free(r);
}

/* A memory BAR whose size is known only when the machine is made. */
static const struct pci_desc wide_pci = {
    .vendor = 0x1234, .device = 0x9abc, .bars = {{PCI_BAR_MEM, 0x1000, NULL, NULL}}};

static bool wide_attach(struct device *dev, GError **err)
{
    (void)err;
    pci_set_bar_size(dev, 0, 0x4000);
    return true;
}

static const struct device_ops wide_ops = {
    .name = "wide",
    DEVICE_STATE(struct probe),
    .state = probe_state,
    .pci = &wide_pci,
    .attach = wide_attach,
};

Test(pci, a_bar_that_is_not_mapped_is_told_with_its_own_size)
{
    struct rig *r = begin();
    g_autoptr(GString) out = g_string_new(NULL);

    pci_place(device_new(r->m, &wide_ops, "w"), 8);
    rig_ready(r);
    bus->ops->info(bus, out);
    cr_expect(strstr(out->str, "BAR 0: memory, 0x4000 bytes, not mapped"), "%s", out->str);
    rig_free(r);
}

Test(pci, interrupt_pins_are_swizzled_and_shared)
{
    struct rig *r = begin();
    struct device *dev[5];
    struct rig_pin pin[4] = {0};

    for (unsigned i = 0; i < 5; i++) {
        char name[2] = {(char)('a' + i), 0};

        dev[i] = place(r, name, PCI_DEVFN(i + 1, 0));
    }
    for (unsigned i = 0; i < 4; i++) {
        rig_connect(pci_pirq(bus, i), &pin[i]);
    }
    rig_ready(r);
    for (unsigned i = 0; i < 4; i++) {
        pci_set_irq(dev[i], true);
        for (unsigned j = 0; j < 4; j++) {
            cr_assert_eq(pin[j].level, i == j, "slot %u INTA#, PIRQ %u", i + 1, j);
        }
        pci_set_irq(dev[i], false);
    }
    /* Slots 1 and 5 share PIRQA. */
    pin[0].rises = pin[0].falls = 0;
    pci_set_irq(dev[0], true);
    pci_set_irq(dev[4], true);
    pci_set_irq(dev[0], false);
    cr_assert(pin[0].level && pin[0].rises == 1 && pin[0].falls == 0);
    pci_set_irq(dev[4], false);
    cr_assert(!pin[0].level && pin[0].falls == 1);
    pci_set_irq(dev[2], true);
    rig_reset(r);
    cr_assert_not(pin[2].level, "reset lets go of the line");
    rig_free(r);
}

Test(pci, hostile_configuration_writes_do_no_harm)
{
    struct rig *r = begin();
    uint32_t seed = 1;

    place(r, "a", 8);
    place(r, "b", 16);
    rig_ready(r);
    for (unsigned i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        rig_out32(r, 0xcf8, 0x80000000u | (seed >> 8 & 0x1ffc));
        if (seed & 1) {
            rig_out32(r, 0xcfc, seed * 2654435761u);
        } else {
            rig_out16(r, 0xcfc + (seed >> 30 & 2), (uint16_t)(seed >> 13));
        }
    }
    cr_assert_eq(config_read(r, 8, 0), 0x56781234);
    rig_free(r);
}
