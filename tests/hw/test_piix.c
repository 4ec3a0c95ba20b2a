/*
 * PIIX4: PIRQ routing, reset control, ACPI power management.
 *
 * Not modelled: see hw/piix.c and hw/piix_pm.c.
 */
#include "hw/pci.h"
#include "hw/piix.h"
#include "hw/piix_pm.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

#define PM_HZ 3579545ull
#define PM    0x600

static struct device *isa, *pm;
static struct rig_pin irq[16], sci;

static struct rig *begin(void)
{
    struct rig *r = rig_begin(NULL);
    struct device *bus = device_new(r->m, &pci_ops, "pci");

    isa = device_new(r->m, &piix_ops, "piix");
    pci_place(isa, PCI_DEVFN(1, 0));
    pci_place(device_new(r->m, &piix_ide_ops, "piix_ide"), PCI_DEVFN(1, 1));
    pm = device_new(r->m, &piix_pm_ops, "piix_pm");
    pci_place(pm, PCI_DEVFN(1, 3));
    for (int i = 0; i < 4; i++) {
        line_connect(pci_pirq(bus, (unsigned)i), piix_pirq_sink, isa, i);
    }
    for (unsigned i = 0; i < 16; i++) {
        rig_connect(piix_isa_irq(isa, i), &irq[i]);
    }
    rig_connect(piix_pm_sci(pm), &sci);
    rig_ready(r);
    return r;
}

static uint32_t config_read(struct rig *r, unsigned devfn, unsigned reg)
{
    rig_out32(r, 0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc));
    return rig_in32(r, 0xcfc);
}

/* As firmware sets the power management function up. */
static struct rig *begin_pm(void)
{
    struct rig *r = begin();

    rig_config_write(r, PCI_DEVFN(1, 3), 0x40, PM | 1, 4);
    rig_config_write(r, PCI_DEVFN(1, 3), 0x80, 1, 1);
    return r;
}

Test(piix, functions_identify_themselves)
{
    static const struct {
        unsigned function;
        uint32_t id, class;
    } expect[] = {{0, 0x71108086, 0x060100}, {1, 0x71118086, 0x010180}, {3, 0x71138086, 0x068000}};
    struct rig *r = begin();

    for (unsigned i = 0; i < ARRAY_LEN(expect); i++) {
        unsigned at = PCI_DEVFN(1, expect[i].function);

        cr_assert_eq(config_read(r, at, 0), expect[i].id);
        cr_assert_eq(config_read(r, at, 8) >> 8, expect[i].class);
    }
    cr_assert_eq(config_read(r, 8, 0x0c) >> 16 & 0xff, 0x80, "a multi-function device");
    cr_assert_eq(config_read(r, 9, 0x20), 1, "ports of the bus masters");
    /* The firmware's enable bits, which drivers look at. */
    rig_config_write(r, 9, 0x40, 0x80008000, 4);
    cr_assert_eq(config_read(r, 9, 0x40), 0x80008000);
    rig_free(r);
}

Test(piix, pirqs_reach_the_routed_interrupt)
{
    struct rig *r = begin();

    piix_pirq_sink(isa, 0, true);
    for (unsigned i = 0; i < 16; i++) {
        cr_assert_not(irq[i].level, "routing is off after reset");
    }
    for (unsigned to = 0; to < 16; to++) {
        bool allowed = (0xdef8 >> to) & 1;

        rig_config_write(r, 8, 0x60, to, 1);
        for (unsigned i = 0; i < 16; i++) {
            cr_assert_eq(irq[i].level, allowed && i == to, "routed to %u, IRQ %u", to, i);
        }
    }
    /* A and B on 11: a wired OR. */
    rig_config_write(r, 8, 0x60, 0x0b0b, 2);
    piix_pirq_sink(isa, 1, true);
    piix_pirq_sink(isa, 0, false);
    cr_assert(irq[11].level);
    rig_config_write(r, 8, 0x61, 0x8b, 1);
    cr_assert_not(irq[11].level, "bit 7 turns routing off");
    rig_config_write(r, 8, 0x61, 0x0a, 1);
    cr_assert(irq[10].level);
    rig_reset(r);
    cr_assert_not(irq[10].level);
    cr_assert_eq(config_read(r, 8, 0x60), 0x80808080);
    rig_free(r);
}

Test(piix, reset_control_acts_on_the_rising_edge)
{
    struct rig *r = begin();

    rig_out32(r, 0xcf8, 0x80000800);
    rig_out8(r, 0xcf9, 0x02);
    cr_assert_not(r->m->reset_pending);
    cr_assert_eq(rig_in8(r, 0xcf9), 0x02);
    cr_assert_eq(rig_in32(r, 0xcf8), 0x80000800, "the address register is another");
    rig_out8(r, 0xcf9, 0x06);
    cr_assert(r->m->reset_pending);
    rig_free(r);
}

Test(piix_pm, io_block_goes_where_it_is_put)
{
    struct rig *r = begin();
    unsigned at = PCI_DEVFN(1, 3);

    rig_config_write(r, at, 0x40, PM | 1, 4);
    cr_assert_eq(rig_in16(r, PM), 0xffff, "not enabled");
    rig_config_write(r, at, 0x80, 1, 1);
    cr_assert_eq(rig_in16(r, PM), 0);
    rig_config_write(r, at, 0x40, 0xb03f, 4);
    cr_assert_eq(config_read(r, at, 0x40), 0xb001);
    cr_assert_eq(rig_in16(r, PM), 0xffff);
    cr_assert_eq(rig_in16(r, 0xb000), 0);
    rig_reset(r);
    cr_assert_eq(rig_in16(r, 0xb000), 0xffff);
    cr_assert_eq(config_read(r, at, 0x58) >> 25 & 1, 1, "SMM counts as set up");
    rig_free(r);
}

Test(piix_pm, timer_counts_24_bits)
{
    struct rig *r = begin_pm();
    uint32_t first = rig_in32(r, PM + 8);

    rig_step(r, NS_PER_SEC);
    cr_assert_eq((rig_in32(r, PM + 8) - first) & 0xffffff, PM_HZ & 0xffffff);
    for (unsigned i = 0; i < 40; i++) {
        uint32_t whole = rig_in32(r, PM + 8);

        cr_assert_eq(whole >> 24, 0);
        cr_assert_eq(rig_in16(r, PM + 8) | (uint32_t)rig_in16(r, PM + 10) << 16, whole);
        cr_assert_eq(rig_in8(r, PM + 9), whole >> 8 & 0xff);
        rig_step(r, 123456789);
    }
    rig_out32(r, PM + 8, 0);
    cr_assert_neq(rig_in32(r, PM + 8), 0, "the timer cannot be written");
    rig_free(r);
}

Test(piix_pm, timer_overflow_raises_sci)
{
    struct rig *r = begin_pm();
    int64_t half = clock_ticks_to_ns(1 << 23, PM_HZ);

    rig_out16(r, PM + 4, 1);
    rig_step(r, half - clock_now(r->m) - 1000);
    cr_assert_eq(rig_in16(r, PM) & 1, 0);
    rig_step(r, 1000);
    cr_assert_eq(rig_in16(r, PM) & 1, 1, "status comes without being enabled");
    cr_assert_not(sci.level);
    rig_out16(r, PM + 2, 1);
    cr_assert(sci.level);
    rig_out16(r, PM, 1);
    cr_assert_not(sci.level);
    cr_assert_eq(rig_in16(r, PM) & 1, 0);
    rig_step(r, half);
    cr_assert(sci.level, "and again by itself");
    rig_out16(r, PM, 1);
    cr_assert_not(sci.level);
    rig_step(r, half - 1000000);
    cr_assert_not(sci.level);
    rig_step(r, 1000000);
    cr_assert(sci.level);
    rig_free(r);
}

Test(piix_pm, smi_command_turns_acpi_on_and_off)
{
    struct rig *r = begin_pm();

    cr_assert_eq(rig_in16(r, PM + 4) & 1, 0);
    rig_out8(r, PIIX_SMI_CMD, PIIX_ACPI_ENABLE);
    cr_assert_eq(rig_in16(r, PM + 4) & 1, 1);
    rig_out8(r, PIIX_SMI_CMD, 0x55);
    cr_assert_eq(rig_in8(r, PIIX_SMI_CMD), 0x55);
    rig_out8(r, PIIX_SMI_CMD, PIIX_ACPI_DISABLE);
    cr_assert_eq(rig_in16(r, PM + 4) & 1, 0);
    rig_out8(r, PIIX_SMI_CMD + 1, 0x33);
    cr_assert_eq(rig_in8(r, PIIX_SMI_CMD + 1), 0x33);
    rig_free(r);
}

Test(piix_pm, buttons_are_events)
{
    static const struct {
        bool (*press)(struct device *dev);
        uint16_t sts, en, bit;
    } buttons[] = {{piix_pm_press_power, PM, PM + 2, BIT(8)},
                   {piix_pm_press_sleep, PM + 0x0c, PM + 0x0e, BIT(9)}};

    for (unsigned i = 0; i < ARRAY_LEN(buttons); i++) {
        struct rig *r = begin_pm();
        uint16_t sts = buttons[i].sts, en = buttons[i].en, bit = buttons[i].bit;

        cr_assert_not(buttons[i].press(pm), "nobody listens");
        cr_assert_eq(rig_in16(r, sts), bit);
        rig_out16(r, en, bit);
        cr_assert_not(sci.level, "not in ACPI mode");
        rig_out8(r, PIIX_SMI_CMD, PIIX_ACPI_ENABLE);
        cr_assert(sci.level);
        rig_out8(r, sts + 1, (uint8_t)(bit >> 8));
        cr_assert_not(sci.level, "cleared by a byte write of one");
        cr_assert_eq(rig_in16(r, sts), 0);
        cr_assert(buttons[i].press(pm));
        cr_assert(sci.level);
        rig_out16(r, en, 0);
        cr_assert_not(sci.level);
        cr_assert_not(buttons[i].press(pm));
        rig_free(r);
    }
}

Test(piix_pm, registers_keep_only_their_bits)
{
    struct rig *r = begin_pm();

    rig_out32(r, PM, 0xffff0000);
    cr_assert_eq(rig_in16(r, PM + 2), 0x0521);
    rig_out16(r, PM + 4, 0xc000);
    cr_assert_eq(rig_in16(r, PM + 4), 0);
    rig_out32(r, PM + 0x28, 0x12345678);
    cr_assert_eq(rig_in32(r, PM + 0x28), 0x12345678);
    rig_out8(r, PM + 0x2a, 0xff);
    cr_assert_eq(rig_in32(r, PM + 0x28), 0x12ff5678);
    for (unsigned off = 0; off < 0x40; off++) {
        rig_out8(r, (uint16_t)(PM + off), off == 5 ? 0 : 0xff);
        (void)rig_in8(r, (uint16_t)(PM + off));
    }
    rig_free(r);
}

Test(piix_pm, soft_off_ends_the_machine)
{
    struct rig *r = begin_pm();

    rig_out16(r, PM + 4, 0x0401 | 1 << 13); /* SLP_TYP 1: not there */
    cr_assert_eq(r->m->end, END_NONE);
    rig_out16(r, PM + 4, 0x0001);
    cr_assert_eq(r->m->end, END_NONE);
    rig_out16(r, PM + 4, 0x2001);
    cr_assert_eq(r->m->end, END_POWER_OFF);
    rig_free(r);
}
