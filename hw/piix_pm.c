/*
 * Intel PIIX4 (82371AB) function 3: ACPI power management events, control, timer, general-purpose
 * events and the SMI command port.
 *
 * Follows the Intel 82371AB data sheet (order 290562), chapter 7, and ACPI 1.0b chapter 4.7 for the
 * fixed registers.
 *
 * The SMBus host controller, which has its configuration registers here, is hw/piix_smbus.c.
 *
 * The sleep button, for which the chip has no pin, is on GPI1#; the DSDT says so.
 *
 * Not modelled: system management interrupts (the SMI command port does what firmware's handler
 * would: ACPI on and off), sleep states but S5, idle timers and device traps, thermal and battery
 * inputs, the global lock's BIOS release.
 */
#include "hw/pci.h"
#include "hw/piix.h"
#include "hw/piix_pm.h"
#include "hw/piix_smbus.h"

enum {
    PMBA = 0x40,
    DEVACTB_APMC = 0x5b, /* bits 31..24 of DEVACTB; bit 1: writes to the APMC port make an SMI */
    PMREGMISC = 0x80,
    SMBBA = 0x90,
    SMBHSTCFG = 0xd2, /* bit 0: enabled; bits 3..1: the interrupt, 4 for IRQ 9 */
    PM_PORTS = 0x40,

    PMSTS = 0x00,
    PMEN = 0x02,
    PMCNTRL = 0x04,
    PMTMR = 0x08,
    GPSTS = 0x0c,
    GPEN = 0x0e,
    PCNTRL = 0x10,
    GLBSTS = 0x18,
    DEVSTS = 0x1c,
    GLBEN = 0x20,
    GLBCTL = 0x28,
    DEVCTL = 0x2c,
    GPOREG = 0x34,

    TMROF = BIT(0),
    GBL = BIT(5),
    PWRBTN = BIT(8),
    RTC = BIT(10),
    PMSTS_BITS = 0x8d31,
    PMEN_BITS = TMROF | GBL | PWRBTN | RTC,
    SCI_EN = BIT(0),
    SLP_EN = BIT(13),
    PMCNTRL_BITS = 0x1c07, /* without SLP_EN, which reads as zero */
    GP_BITS = 0x0f01,
};

#define PM_HZ    3579545ull
#define TMR_MASK 0xffffffull
#define TMR_HALF 0x800000ull /* the overflow status follows each change of bit 23 */

struct piix_pm {
    struct device dev;
    struct device *smbus; /* NULL: not on this board */
    struct port_claim *claim;
    uint16_t claim_at;
    struct piix_pm_state {
        struct line sci;
        struct timer overflow;
        uint64_t next_overflow; /* ticks since power-on of the next change of bit 23 not yet in
                                   TMROF_STS */
        uint32_t pcntrl, devsts, glbctl, devctl, gporeg;
        uint16_t pmsts, pmen, pmcntrl, gpsts, gpen, glbsts, glben;
        uint8_t apmc, apms;
        uint8_t hole[4];
    } s;
};

#define F(m, ...) STATE(struct piix_pm, s.m, __VA_ARGS__)
static const struct state_field piix_pm_state[] = {
    F(sci),           F(overflow),
    F(next_overflow), F(pcntrl),
    F(devsts),        F(glbctl),
    F(devctl),        F(gporeg, .reset = 0x7fffbfff),
    F(pmsts),         F(pmen),
    F(pmcntrl),       F(gpsts),
    F(gpen),          F(glbsts),
    F(glben),         F(apmc),
    F(apms),          STATE_HOLE(struct piix_pm, s.hole),
    STATE_END,
};
#undef F

struct line *piix_pm_sci(struct device *dev)
{
    return &((struct piix_pm *)dev)->s.sci;
}

static uint64_t piix_pm_ticks(struct piix_pm *p)
{
    return clock_ns_to_ticks(clock_now(p->dev.m), PM_HZ);
}

/* Bring TMROF_STS up to date. */
static void piix_pm_sync(struct piix_pm *p)
{
    uint64_t now = piix_pm_ticks(p);

    if (now >= p->s.next_overflow) {
        p->s.pmsts |= TMROF;
        p->s.next_overflow = (now & ~(TMR_HALF - 1)) + TMR_HALF;
    }
}

/* The SCI is the OR of the enabled events; a timer runs only while it can change the outcome. */
static void piix_pm_update(struct piix_pm *p)
{
    bool event;

    piix_pm_sync(p);
    event = (p->s.pmsts & p->s.pmen & PMEN_BITS) || (p->s.gpsts & p->s.gpen);
    line_set(&p->s.sci, event && (p->s.pmcntrl & SCI_EN));
    if ((p->s.pmen & TMROF) && !(p->s.pmsts & TMROF)) {
        timer_at(&p->s.overflow, clock_ticks_to_ns(p->s.next_overflow, PM_HZ));
    } else {
        timer_stop(&p->s.overflow);
    }
}

static void piix_pm_overflow(struct device *dev, unsigned n)
{
    (void)n;
    piix_pm_update((struct piix_pm *)dev);
}

bool piix_pm_press_power(struct device *dev)
{
    struct piix_pm *p = (struct piix_pm *)dev;

    p->s.pmsts |= PWRBTN;
    piix_pm_update(p);
    return (p->s.pmcntrl & SCI_EN) && (p->s.pmen & PWRBTN);
}

/* The chip has no pin of its own for it: the board has the button on GPI1#. */
bool piix_pm_press_sleep(struct device *dev)
{
    struct piix_pm *p = (struct piix_pm *)dev;

    p->s.gpsts |= BIT(PIIX_GPE_SLEEP);
    piix_pm_update(p);
    return (p->s.pmcntrl & SCI_EN) && (p->s.gpen & BIT(PIIX_GPE_SLEEP));
}

void piix_pm_rtc_alarm(struct device *dev)
{
    struct piix_pm *p = (struct piix_pm *)dev;

    p->s.pmsts |= RTC;
    piix_pm_update(p);
}

static void piix_pm_write_control(struct piix_pm *p, uint16_t val)
{
    p->s.pmcntrl = val & PMCNTRL_BITS;
    if (!(val & SLP_EN)) {
        return;
    }
    if (bits(val, 12, 10) == PIIX_SLP_TYP_S5) {
        trace(&p->dev, TR_STATE, "soft off");
        machine_power_off(p->dev.m);
    } else {
        guest_error(&p->dev, "sleep type %u is not there", (unsigned)bits(val, 12, 10));
    }
}

/* Registers are 16-bit halves, so that accesses of any size are put together from them. */
static uint16_t piix_pm_read16(struct piix_pm *p, unsigned reg)
{
    switch (reg) {
    case PMSTS:
        piix_pm_sync(p);
        return p->s.pmsts;
    case PMEN:
        return p->s.pmen;
    case PMCNTRL:
        return p->s.pmcntrl;
    case PMTMR:
        return (uint16_t)piix_pm_ticks(p);
    case PMTMR + 2:
        return (uint16_t)((piix_pm_ticks(p) & TMR_MASK) >> 16);
    case GPSTS:
        return p->s.gpsts;
    case GPEN:
        return p->s.gpen;
    case PCNTRL:
    case PCNTRL + 2:
        return (uint16_t)(p->s.pcntrl >> (8 * (reg - PCNTRL)));
    case GLBSTS:
        return p->s.glbsts;
    case DEVSTS:
    case DEVSTS + 2:
        return (uint16_t)(p->s.devsts >> (8 * (reg - DEVSTS)));
    case GLBEN:
        return p->s.glben;
    case GLBCTL:
    case GLBCTL + 2:
        return (uint16_t)(p->s.glbctl >> (8 * (reg - GLBCTL)));
    case DEVCTL:
    case DEVCTL + 2:
        return (uint16_t)(p->s.devctl >> (8 * (reg - DEVCTL)));
    case GPOREG:
    case GPOREG + 2:
        return (uint16_t)(p->s.gporeg >> (8 * (reg - GPOREG)));
    default:
        return 0;
    }
}

/* Replace the bits in `mask` of one 16-bit half of a 32-bit register. */
static void piix_pm_set_half(uint32_t *reg, unsigned half, uint16_t val, uint16_t mask)
{
    unsigned shift = half ? 16 : 0;

    *reg = (*reg & ~((uint32_t)mask << shift)) | (uint32_t)(val & mask) << shift;
}

/* `mask` has ones where the access has bytes; write-one-to-clear registers see zeroes elsewhere. */
static void piix_pm_write16(struct piix_pm *p, unsigned reg, uint16_t val, uint16_t mask)
{
    uint16_t merged = (uint16_t)((piix_pm_read16(p, reg) & ~mask) | (val & mask));

    switch (reg) {
    case PMSTS:
        p->s.pmsts &= (uint16_t) ~(val & mask & PMSTS_BITS);
        break;
    case PMEN:
        p->s.pmen = merged & PMEN_BITS;
        break;
    case PMCNTRL:
        piix_pm_write_control(p, merged);
        break;
    case GPSTS:
        p->s.gpsts &= (uint16_t) ~(val & mask & GP_BITS);
        break;
    case GPEN:
        p->s.gpen = merged & GP_BITS;
        break;
    case PCNTRL:
    case PCNTRL + 2:
        piix_pm_set_half(&p->s.pcntrl, reg & 2, val, mask);
        break;
    case GLBSTS:
        p->s.glbsts &= (uint16_t) ~(val & mask);
        break;
    case DEVSTS + 2:
        p->s.devsts &= ~((uint32_t)(val & mask) << 16);
        break;
    case GLBEN:
        p->s.glben = merged;
        break;
    case GLBCTL:
    case GLBCTL + 2:
        piix_pm_set_half(&p->s.glbctl, reg & 2, val, mask);
        break;
    case DEVCTL:
    case DEVCTL + 2:
        piix_pm_set_half(&p->s.devctl, reg & 2, val, mask);
        break;
    case GPOREG:
    case GPOREG + 2:
        piix_pm_set_half(&p->s.gporeg, reg & 2, val, mask);
        break;
    default:
        break;
    }
}

/*
 * Split an (aligned) access of 1, 2 or 4 bytes into 16-bit halves.  The timer is read in one go, so
 * that its halves belong together.
 */
static uint32_t piix_pm_port_read(struct device *dev, unsigned off, unsigned size)
{
    struct piix_pm *p = (struct piix_pm *)dev;
    uint32_t val;

    if (off >= PMTMR && off < PMTMR + 4) {
        return (uint32_t)((piix_pm_ticks(p) & TMR_MASK) >> (8 * (off - PMTMR)));
    }
    val = piix_pm_read16(p, off & ~1u);
    if (size > 2) {
        val |= (uint32_t)piix_pm_read16(p, off + 2) << 16;
    }
    return val >> (8 * (off & 1));
}

static void piix_pm_port_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct piix_pm *p = (struct piix_pm *)dev;
    uint64_t mask = (BIT64(8 * size) - 1) << (8 * (off & 1)),
             bits64 = (uint64_t)val << (8 * (off & 1));

    for (unsigned reg = off & ~1u; mask; reg += 2, mask >>= 16, bits64 >>= 16) {
        piix_pm_write16(p, reg, (uint16_t)bits64, (uint16_t)mask);
    }
    piix_pm_update(p);
}

static const struct port_range piix_pm_range = {
    0, PM_PORTS, SIZE_1 | SIZE_2 | SIZE_4, piix_pm_port_read, piix_pm_port_write,
};

/* The SMI command port and its status scratch byte --------------------------------------------- */

static uint32_t piix_apm_read(struct device *dev, unsigned off, unsigned size)
{
    struct piix_pm *p = (struct piix_pm *)dev;

    (void)size;
    return off ? p->s.apms : p->s.apmc;
}

static void piix_apm_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct piix_pm *p = (struct piix_pm *)dev;

    (void)size;
    if (off) {
        p->s.apms = (uint8_t)val;
        return;
    }
    p->s.apmc = (uint8_t)val;
    if (val == PIIX_ACPI_ENABLE) {
        p->s.pmcntrl |= SCI_EN;
    } else if (val == PIIX_ACPI_DISABLE) {
        p->s.pmcntrl &= (uint16_t)~SCI_EN;
    }
    piix_pm_update(p);
}

static const struct port_range piix_pm_ports[] = {
    {PIIX_SMI_CMD, 2, SIZE_1, piix_apm_read, piix_apm_write},
    {.count = 0},
};

/* Placement ------------------------------------------------------------------------------------ */

/* The I/O block is decoded by its own enable bit, whatever the command register says. */
static void piix_pm_place(struct piix_pm *p)
{
    const uint8_t *config = pci_func(&p->dev)->s->config;
    uint16_t base = config[PMREGMISC] & 1 ? ld_le16(config + PMBA) & 0xffc0 : 0;

    if (p->claim && p->claim_at != base) {
        ports_release(p->dev.m, p->claim);
        p->claim = NULL;
    }
    if (base && !p->claim) {
        p->claim = ports_claim(&p->dev, &piix_pm_range, base);
        p->claim_at = base;
    }
}

static void piix_smbus_configure(struct piix_pm *p)
{
    const uint8_t *config = pci_func(&p->dev)->s->config;
    bool on = config[SMBHSTCFG] & 1 && config[PCI_COMMAND] & PCI_COMMAND_IO;

    if (p->smbus) {
        piix_smbus_place(p->smbus, on ? ld_le16(config + SMBBA) & 0xfff0 : 0,
                         (config[SMBHSTCFG] & 0xe) == 4 << 1);
    }
}

static void piix_pm_config_written(struct device *dev, unsigned off, unsigned size)
{
    (void)off;
    (void)size;
    piix_pm_place((struct piix_pm *)dev);
    piix_smbus_configure((struct piix_pm *)dev);
}

static bool piix_pm_attach(struct device *dev, GError **err)
{
    struct piix_pm *p = (struct piix_pm *)dev;

    (void)err;
    timer_init(&p->s.overflow, dev, piix_pm_overflow, 0);
    pci_allow_write(dev, PMBA, 4, 0xffc0);
    pci_allow_write(dev, 0x44, 4, 0xffffffff); /* CNTA */
    pci_allow_write(dev, 0x48, 4, 0xffffffff); /* CNTB */
    pci_allow_write(dev, 0x4c, 4, 0xffffffff); /* GPICTL */
    pci_allow_write(dev, 0x54, 4, 0xffffffff); /* DEVACTA */
    pci_allow_write(dev, 0x58, 4, 0xffffffff); /* DEVACTB */
    pci_allow_write(dev, PMREGMISC, 1, 1);
    pci_allow_write(dev, SMBBA, 4, 0xfff0);
    pci_allow_write(dev, SMBHSTCFG, 4, 0xffffff0f); /* and SMBSLVC, SMBSHDW1, SMBSHDW2 */
    p->smbus = device_find(dev->m, "piix_smbus");
    return true;
}

static void piix_pm_reset(struct device *dev)
{
    struct piix_pm *p = (struct piix_pm *)dev;
    uint8_t *config = pci_func(dev)->s->config;

    st_le16(config + PCI_STATUS, 0x0280);
    config[PMBA] = 1;
    config[SMBBA] = 1;
    /* Firmware takes this as "SMM is set up already" and leaves it alone; there is none. */
    config[DEVACTB_APMC] = 0x02;
    p->s.next_overflow = (piix_pm_ticks(p) & ~(TMR_HALF - 1)) + TMR_HALF;
    piix_pm_place(p);
    piix_smbus_configure(p);
}

static void piix_pm_loaded(struct device *dev)
{
    piix_pm_place((struct piix_pm *)dev);
    piix_smbus_configure((struct piix_pm *)dev);
}

static const struct pci_desc piix_pm_pci = {
    .vendor = 0x8086,
    .device = 0x7113,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x068000,
    .revision = 3,
    .interrupt_pin = 1,
    .config_written = piix_pm_config_written,
};

const struct device_ops piix_pm_ops = {
    .name = "piix_pm",
    .title = "Intel PIIX4 power management: ACPI events, PM timer",
    DEVICE_STATE(struct piix_pm),
    .state = piix_pm_state,
    .ports = piix_pm_ports,
    .pci = &piix_pm_pci,
    .attach = piix_pm_attach,
    .reset = piix_pm_reset,
    .loaded = piix_pm_loaded,
};
