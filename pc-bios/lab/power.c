/*
 * The end: wait for a key if the boot parameter says so, then switch the machine off.
 * Follows: ACPI 6 section 4.8.3.2.1 (PM1 control), Intel 82371AB (PIIX4) data sheet section 7.2,
 * IBM PC/AT keyboard port. Not modelled: APM, other chipsets without ACPI tables.
 */
#include "io.h"
#include "lab.h"

#define KBD_DATA   0x60
#define KBD_STATUS 0x64
#define KBD_FULL   0x01
#define KBD_AUX    0x20 /* the byte is the mouse's */
#define COM1_DATA  0x3f8
#define COM1_LSR   0x3fd
#define LSR_READY  0x01

#define PM1_SCI_EN 0x0001
#define PM1_SLP_EN 0x2000
#define PM1_KEEP   0x03fb /* bits that are not about sleeping */
#define PIIX4_PM   0x71138086u

/* Out: a key went down. Scan codes with bit 7 are releases; 0xFA and 0xFE are answers of the
 * keyboard. */
static bool keyboard_pressed(void)
{
    uint8_t status = inb(KBD_STATUS), code;

    if (status == 0xff || !(status & KBD_FULL))
        return false;
    code = inb(KBD_DATA);
    return !(status & KBD_AUX) && code && code < 0x80;
}

static bool serial_pressed(const struct lab *lab)
{
    if (!lab->uart || !(inb(COM1_LSR) & LSR_READY))
        return false;
    inb(COM1_DATA);
    return true;
}

/* Sleeps between looks if the PIT is known to wake us, so that a waiting lab costs the host next to
 * nothing. */
void power_wait_key(const struct lab *lab)
{
    bool can_sleep = lab->timers.row[TIMER_PIT].ticks;

    for (int i = 0; i < 64; i++) { /* what was typed before does not count */
        keyboard_pressed();
        serial_pressed(lab);
    }
    if (can_sleep) {
        pit_start(PIT_HZ / 20);
        pic_allow(0x001);
    }
    while (!keyboard_pressed() && !serial_pressed(lab)) {
        if (can_sleep)
            irq_wait();
        else
            __asm__ volatile("pause");
    }
    pic_allow(0);
}

static void enter_sleep(uint16_t port, uint8_t type)
{
    uint16_t v = inw(port) & PM1_KEEP;

    outw(port, (uint16_t)(v | type << 10));
    outw(port, (uint16_t)(v | type << 10 | PM1_SLP_EN));
}

/* The chipset may still be in legacy mode, where a BIOS would hear about the power switch first. */
static void enable_acpi(const struct acpi_info *acpi)
{
    if (!acpi->smi_cmd || acpi->smi_cmd > 0xffff || !acpi->acpi_enable ||
        inw((uint16_t)acpi->pm1a_cnt) & PM1_SCI_EN)
        return;
    outb((uint16_t)acpi->smi_cmd, acpi->acpi_enable);
    for (uint32_t i = 0; i < WAIT_LIMIT / 100 && !(inw((uint16_t)acpi->pm1a_cnt) & PM1_SCI_EN); i++)
        io_delay();
}

void power_off(const struct lab *lab)
{
    const struct acpi_info *acpi = &lab->acpi;

    irq_disable();
    if (acpi->has_fadt && acpi->has_s5 && acpi->pm1a_cnt && acpi->pm1a_cnt < 0x10000) {
        enable_acpi(acpi);
        enter_sleep((uint16_t)acpi->pm1a_cnt, acpi->s5_a);
        if (acpi->pm1b_cnt && acpi->pm1b_cnt < 0x10000)
            enter_sleep((uint16_t)acpi->pm1b_cnt, acpi->s5_b);
    }
    if (lab->pci.present && pci_read(0, 1, 3, 0) == PIIX4_PM) {
        uint16_t base = (uint16_t)(pci_read(0, 1, 3, 0x40) & 0xffc0);

        if (base)
            enter_sleep((uint16_t)(base + 4), 0); /* the PIIX4's "soft off" type is 0 */
    }
    for (int i = 0; i < 100000; i++) /* the switch may take a moment */
        io_delay();
}
