/*
 * Intel PIIX4 (82371AB) function 0: ISA bridge with PIRQ routing and the reset control register.
 *
 * Follows the Intel 82371AB data sheet (order 290562), chapter 4.  The edge/level registers (ELCR,
 * 0x4d0) sit with the interrupt controllers in hw/i8259.c; function 1 is hw/piix_ide.c, function 3
 * hw/piix_pm.c.
 *
 * Not modelled: X-bus chip selects, positive decode ranges, distributed DMA, serial interrupts, USB
 * (function 2), the CPU-only variant of the reset (both reset all).
 */
#include "hw/pci.h"
#include "hw/piix.h"

enum {
    PIRQRC = 0x60, /* A..D */
    PIRQRC_OFF = BIT(7),
    RCR_SRST = BIT(1),
    RCR_RCPU = BIT(2),
};

struct piix {
    struct device dev;
    struct piix_state {
        struct line irq[16];
        uint8_t pirq; /* levels of PIRQA#..D# (bit set: asserted) */
        uint8_t rcr;
        uint8_t hole[6];
    } s;
};

#define F(m, ...) STATE(struct piix, s.m, __VA_ARGS__)
static const struct state_field piix_state[] = {
    STATE_ARRAY(struct piix, s.irq), F(pirq, .max = 15), F(rcr),
    STATE_HOLE(struct piix, s.hole), STATE_END,
};
#undef F

struct line *piix_isa_irq(struct device *dev, unsigned irq)
{
    return &((struct piix *)dev)->s.irq[irq & 15];
}

/* The ISA interrupts a PIRQ can be routed to (data sheet 4.1.10): 3-7, 9-12, 14, 15. */
static bool piix_is_routable(unsigned irq)
{
    return (0xdef8u >> irq) & 1;
}

static void piix_update_irqs(struct piix *p)
{
    const uint8_t *route = pci_func(&p->dev)->s->config + PIRQRC;
    unsigned levels = 0;

    for (unsigned n = 0; n < 4; n++) {
        if ((p->s.pirq & BIT(n)) && !(route[n] & PIRQRC_OFF) && piix_is_routable(route[n] & 15)) {
            levels |= BIT(route[n] & 15);
        }
    }
    for (unsigned irq = 0; irq < 16; irq++) {
        line_set(&p->s.irq[irq], levels & BIT(irq));
    }
}

void piix_pirq_sink(void *opaque, int n, bool level)
{
    struct piix *p = opaque;

    p->s.pirq = (uint8_t)(level ? p->s.pirq | BIT(n) : p->s.pirq & ~BIT(n));
    piix_update_irqs(p);
}

static void piix_config_written(struct device *dev, unsigned off, unsigned size)
{
    if (off < PIRQRC + 4 && off + size > PIRQRC) {
        piix_update_irqs((struct piix *)dev);
    }
}

static uint32_t piix_rcr_read(struct device *dev, unsigned off, unsigned size)
{
    (void)off;
    (void)size;
    return ((struct piix *)dev)->s.rcr;
}

/* The reset comes with the 0 to 1 edge of RCPU; SRST was set up before or comes with it. */
static void piix_rcr_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct piix *p = (struct piix *)dev;
    bool edge = (val & RCR_RCPU) && !(p->s.rcr & RCR_RCPU);

    (void)off;
    (void)size;
    p->s.rcr = val & (RCR_SRST | RCR_RCPU);
    if (edge) {
        trace(dev, TR_STATE, "reset by port 0xcf9 (%#x)", val);
        machine_request_reset(dev->m);
    }
}

/* Inside the PCI address register, which takes 32-bit accesses only. */
static const struct port_range piix_ports[] = {
    {PIIX_RESET_PORT, 1, SIZE_1, piix_rcr_read, piix_rcr_write},
    {.count = 0},
};

static bool piix_attach(struct device *dev, GError **err)
{
    (void)err;
    pci_allow_write(dev, 0x4c, 1, 0xff);   /* IORT: ISA recovery times */
    pci_allow_write(dev, 0x4e, 2, 0x07ff); /* XBCS */
    pci_allow_write(dev, PIRQRC, 4, 0x8f8f8f8f);
    pci_allow_write(dev, 0x64, 1, 0xd0);       /* SERIRQC */
    pci_allow_write(dev, 0x69, 1, 0xfe);       /* TOM */
    pci_allow_write(dev, 0x6a, 2, 0x8097);     /* MSTAT */
    pci_allow_write(dev, 0x76, 2, 0x8f8f);     /* MBDMA */
    pci_allow_write(dev, 0x80, 1, 0x7f);       /* APICBASE: fixed by the board */
    pci_allow_write(dev, 0x82, 1, 0x0f);       /* DLC */
    pci_allow_write(dev, 0xb0, 4, 0xffffffff); /* GENCFG */
    pci_allow_write(dev, 0xcb, 1, 0x3f);       /* RTCCFG */
    return true;
}

static void piix_reset(struct device *dev)
{
    uint8_t *config = pci_func(dev)->s->config;

    st_le16(config + PCI_COMMAND, 0x0007);
    st_le16(config + PCI_STATUS, 0x0280);
    config[0x4c] = 0x4d;
    config[0x4e] = 0x03;
    memset(config + PIRQRC, PIRQRC_OFF, 4);
    config[0x64] = 0x10;
    config[0x69] = 0x02;
    config[0x76] = config[0x77] = 0x04;
    config[0xcb] = 0x21;
}

static const struct pci_desc piix_pci = {
    .vendor = 0x8086,
    .device = 0x7110,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x060100,
    .revision = 2,
    .header_type = 0x80, /* more functions follow */
    .config_written = piix_config_written,
};

const struct device_ops piix_ops = {
    .name = "piix",
    .title = "Intel PIIX4 ISA bridge: PIRQ routing, reset control",
    DEVICE_STATE(struct piix),
    .state = piix_state,
    .ports = piix_ports,
    .pci = &piix_pci,
    .attach = piix_attach,
    .reset = piix_reset,
};
