/*
 * PIIX4 SMBus host controller: placement by the power management function, transfers without an
 * answer, the interrupt.
 *
 * Not modelled: see hw/piix_smbus.c.
 */
#include "hw/pci.h"
#include "hw/piix.h"
#include "hw/piix_pm.h"
#include "hw/piix_smbus.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

enum {
    PM_FUNCTION = PCI_DEVFN(1, 3),
    SMB = 0x700,
    SMBHSTSTS = SMB,
    SMBHSTCNT = SMB + 2,
    SMBHSTADD = SMB + 4,
    SMBBLKDAT = SMB + 7
};

static struct rig_pin irq9;

static struct rig *begin(void)
{
    struct rig *r = rig_begin(NULL);
    struct device *pm, *smbus;

    device_new(r->m, &pci_ops, "pci");
    pm = device_new(r->m, &piix_pm_ops, "piix_pm");
    pci_place(pm, PM_FUNCTION);
    smbus = device_new(r->m, &piix_smbus_ops, "piix_smbus");
    rig_connect(piix_smbus_irq(smbus), &irq9);
    rig_ready(r);
    return r;
}

/* As SeaBIOS does. */
static struct rig *begin_placed(void)
{
    struct rig *r = begin();

    rig_config_write(r, PM_FUNCTION, 0x90, SMB | 1, 4);
    rig_config_write(r, PM_FUNCTION, 0xd2, 0x09, 1);
    rig_config_write(r, PM_FUNCTION, PCI_COMMAND, PCI_COMMAND_IO, 2);
    return r;
}

Test(piix_smbus, answers_where_and_when_it_is_enabled)
{
    struct rig *r = begin();

    cr_assert_eq(rig_in8(r, SMBHSTSTS), 0xff);
    rig_config_write(r, PM_FUNCTION, 0x90, SMB | 1, 4);
    cr_assert_eq(rig_in8(r, SMBHSTSTS), 0xff);
    rig_config_write(r, PM_FUNCTION, 0xd2, 0x09, 1);
    cr_assert_eq(rig_in8(r, SMBHSTSTS), 0xff, "the command register says no");
    rig_config_write(r, PM_FUNCTION, PCI_COMMAND, PCI_COMMAND_IO, 2);
    cr_assert_eq(rig_in8(r, SMBHSTSTS), 0);
    rig_config_write(r, PM_FUNCTION, 0x90, 0xb100, 4);
    cr_assert_eq(rig_in8(r, SMBHSTSTS), 0xff);
    cr_assert_eq(rig_in8(r, 0xb100), 0);
    rig_free(r);
}

Test(piix_smbus, nobody_acknowledges_a_transfer)
{
    struct rig *r = begin_placed();

    rig_out8(r, SMBHSTADD, 0x50 << 1 | 1);
    rig_out8(r, SMBHSTCNT, BIT(6) | 2 << 2);
    cr_assert_eq(rig_in8(r, SMBHSTCNT), 2 << 2, "START reads as zero");
    cr_assert_eq(rig_in8(r, SMBHSTSTS), BIT(2), "DEV_ERR, not busy");
    cr_assert_eq(irq9.level, 0);
    rig_out8(r, SMBHSTSTS, BIT(2));
    cr_assert_eq(rig_in8(r, SMBHSTSTS), 0);
    rig_out8(r, SMBHSTCNT, BIT(1));
    cr_assert_eq(rig_in8(r, SMBHSTSTS), BIT(4), "KILL gives FAILED");
    rig_free(r);
}

Test(piix_smbus, interrupts_on_irq_9_when_asked)
{
    struct rig *r = begin_placed();

    rig_out8(r, SMBHSTCNT, BIT(6) | BIT(0));
    cr_assert_eq(irq9.level, 1);
    rig_out8(r, SMBHSTSTS, 0x1e);
    cr_assert_eq(irq9.level, 0);
    rig_config_write(r, PM_FUNCTION, 0xd2, 0x01, 1); /* SMI#, which nobody serves */
    rig_out8(r, SMBHSTCNT, BIT(6) | BIT(0));
    cr_assert_eq(irq9.level, 0);
    rig_free(r);
}

Test(piix_smbus, block_buffer_wraps_and_begins_anew)
{
    struct rig *r = begin_placed();

    rig_in8(r, SMBHSTCNT);
    for (unsigned i = 0; i < 33; i++) {
        rig_out8(r, SMBBLKDAT, (uint8_t)(0x40 + i));
    }
    rig_in8(r, SMBHSTCNT);
    cr_assert_eq(rig_in8(r, SMBBLKDAT), 0x60, "the 33rd byte went over the first");
    cr_assert_eq(rig_in8(r, SMBBLKDAT), 0x41);
    rig_free(r);
}
