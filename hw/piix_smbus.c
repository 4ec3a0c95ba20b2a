/*
 * Intel PIIX4 (82371AB) SMBus host controller.
 *
 * Follows the Intel 82371AB data sheet (order 290562), sections 7.3 and 11.5.  Nothing hangs on the
 * bus: every transfer ends at once with "device error", which is what a missing acknowledge gives,
 * so that drivers and sensor programs find a controller and no chips.
 *
 * Not modelled: devices on the bus, the time a transfer takes, the slave and shadow ports (their
 * registers hold what is written; nobody else drives the bus), SMI# as the interrupt.
 */
#include "hw/piix_smbus.h"

enum {
    SMBHSTSTS = 0x0,
    SMBSLVSTS = 0x1,
    SMBHSTCNT = 0x2,
    SMBHSTCMD = 0x3,
    SMBHSTADD = 0x4,
    SMBHSTDAT0 = 0x5,
    SMBHSTDAT1 = 0x6,
    SMBBLKDAT = 0x7,
    SMBSLVCNT = 0x8,
    SMB_PORTS = 0x10,

    INTER = BIT(1),
    DEV_ERR = BIT(2),
    BUS_ERR = BIT(3),
    FAILED = BIT(4),
    HSTSTS_BITS = INTER | DEV_ERR | BUS_ERR | FAILED,

    INTEREN = BIT(0),
    KILL = BIT(1),
    START = BIT(6),
    HSTCNT_BITS = INTEREN | KILL | 0x1c, /* START reads as zero */

    BLOCK_BYTES = 32,
};

struct piix_smbus {
    struct device dev;
    struct port_claim *claim;
    uint16_t claim_at;
    bool irq_routed;
    struct piix_smbus_state {
        struct line irq;
        uint8_t hststs, hstcnt, hstcmd, hstadd, hstdat[2];
        uint8_t block_at; /* which byte SMBBLKDAT stands for */
        uint8_t slave[SMB_PORTS - SMBSLVCNT];
        uint8_t block[BLOCK_BYTES];
        uint8_t hole[1];
    } s;
};

#define F(m, ...) STATE(struct piix_smbus, s.m, __VA_ARGS__)
static const struct state_field piix_smbus_state[] = {
    F(irq),
    F(hststs, .max = HSTSTS_BITS),
    F(hstcnt, .max = HSTCNT_BITS),
    F(hstcmd),
    F(hstadd),
    STATE_ARRAY(struct piix_smbus, s.hstdat),
    F(block_at, .max = BLOCK_BYTES - 1),
    STATE_ARRAY(struct piix_smbus, s.slave),
    STATE_ARRAY(struct piix_smbus, s.block),
    STATE_HOLE(struct piix_smbus, s.hole),
    STATE_END,
};
#undef F

struct line *piix_smbus_irq(struct device *dev)
{
    return &((struct piix_smbus *)dev)->s.irq;
}

static void piix_smbus_update(struct piix_smbus *p)
{
    line_set(&p->s.irq, p->irq_routed && p->s.hstcnt & INTEREN && p->s.hststs & HSTSTS_BITS);
}

static uint32_t piix_smbus_read(struct device *dev, unsigned off, unsigned size)
{
    struct piix_smbus *p = (struct piix_smbus *)dev;
    uint8_t val;

    (void)size;
    switch (off) {
    case SMBHSTSTS:
        return p->s.hststs;
    case SMBSLVSTS:
        return 0;
    case SMBHSTCNT:
        p->s.block_at = 0; /* as the data sheet says of this register */
        return p->s.hstcnt;
    case SMBHSTCMD:
        return p->s.hstcmd;
    case SMBHSTADD:
        return p->s.hstadd;
    case SMBHSTDAT0:
    case SMBHSTDAT1:
        return p->s.hstdat[off - SMBHSTDAT0];
    case SMBBLKDAT:
        val = p->s.block[p->s.block_at];
        p->s.block_at = (p->s.block_at + 1) % BLOCK_BYTES;
        return val;
    default:
        return p->s.slave[off - SMBSLVCNT];
    }
}

static void piix_smbus_control(struct piix_smbus *p, uint8_t val)
{
    p->s.hstcnt = val & HSTCNT_BITS;
    if (val & KILL) {
        p->s.hststs |= FAILED;
    } else if (val & START) {
        trace(&p->dev, TR_DMA, "transfer with %02x: no acknowledge", p->s.hstadd >> 1);
        p->s.hststs |= DEV_ERR;
    }
}

static void piix_smbus_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct piix_smbus *p = (struct piix_smbus *)dev;

    (void)size;
    switch (off) {
    case SMBHSTSTS:
        p->s.hststs &= (uint8_t)~val;
        break;
    case SMBSLVSTS:
        break;
    case SMBHSTCNT:
        piix_smbus_control(p, (uint8_t)val);
        break;
    case SMBHSTCMD:
        p->s.hstcmd = (uint8_t)val;
        break;
    case SMBHSTADD:
        p->s.hstadd = (uint8_t)val;
        break;
    case SMBHSTDAT0:
    case SMBHSTDAT1:
        p->s.hstdat[off - SMBHSTDAT0] = (uint8_t)val;
        break;
    case SMBBLKDAT:
        p->s.block[p->s.block_at] = (uint8_t)val;
        p->s.block_at = (p->s.block_at + 1) % BLOCK_BYTES;
        break;
    default:
        p->s.slave[off - SMBSLVCNT] = (uint8_t)val;
    }
    piix_smbus_update(p);
}

static const struct port_range piix_smbus_range = {0, SMB_PORTS, SIZE_1, piix_smbus_read,
                                                   piix_smbus_write};

void piix_smbus_place(struct device *dev, uint16_t base, bool irq)
{
    struct piix_smbus *p = (struct piix_smbus *)dev;

    if (p->claim && p->claim_at != base) {
        ports_release(dev->m, p->claim);
        p->claim = NULL;
    }
    if (base && !p->claim) {
        p->claim = ports_claim(dev, &piix_smbus_range, base);
        p->claim_at = base;
    }
    p->irq_routed = irq;
    piix_smbus_update(p);
}

const struct device_ops piix_smbus_ops = {
    .name = "piix_smbus",
    .title = "Intel PIIX4 SMBus host controller",
    DEVICE_STATE(struct piix_smbus),
    .state = piix_smbus_state,
};
