/*
 * Intel PIIX4 (82371AB) function 1: the IDE controller's configuration space and the way to the bus
 * masters' registers.
 *
 * Follows the Intel 82371AB data sheet (order 290562), chapter 5.  The channels, bus masters
 * included, are hw/ide.c and hw/ide_dma.c; they answer at the legacy ports while the command
 * register's I/O bit and the channel's IDETIM bit 15 say so.  BAR 4 holds eight bus-master
 * registers per channel.
 *
 * Not modelled: transfer timing (IDETIM, SIDETIM, UDMACTL and UDMATIM only keep what is written).
 */
#include "hw/ide.h"
#include "hw/pci.h"
#include "hw/piix.h"

enum { IDETIM = 0x40, IDETIM_ENABLE = BIT(15), BM_CHANNEL_PORTS = 8 };

struct piix_ide {
    struct device dev;
    struct device *channel[2]; /* NULL: not connected */
    struct piix_ide_state {
        uint8_t hole[8]; /* all of it is configuration space, which the bus keeps */
    } s;
};

static const struct state_field piix_ide_state[] = {
    STATE_HOLE(struct piix_ide, s.hole),
    STATE_END,
};

void piix_ide_connect(struct device *dev, unsigned n, struct device *channel)
{
    ((struct piix_ide *)dev)->channel[n & 1] = channel;
}

/* Tell the channels what the configuration space lets them do. */
static void piix_ide_update(struct device *dev)
{
    struct piix_ide *p = (struct piix_ide *)dev;
    const uint8_t *config = pci_func(dev)->s->config;
    bool io = ld_le16(config + PCI_COMMAND) & PCI_COMMAND_IO;

    for (unsigned n = 0; n < 2; n++) {
        if (p->channel[n]) {
            ide_set_decode(p->channel[n], io && (ld_le16(config + IDETIM + 2 * n) & IDETIM_ENABLE));
            ide_set_master(p->channel[n], pci_can_dma(dev));
        }
    }
}

static void piix_ide_config_written(struct device *dev, unsigned off, unsigned size)
{
    struct piix_ide *p = (struct piix_ide *)dev;

    (void)off, (void)size;
    piix_ide_update(dev);
    for (unsigned n = 0; n < 2; n++) {
        if (p->channel[n]) {
            ide_bm_go_on(p->channel[n]);
        }
    }
}

static uint32_t piix_ide_bm_read(struct device *dev, unsigned off, unsigned size)
{
    struct device *channel = ((struct piix_ide *)dev)->channel[off / BM_CHANNEL_PORTS];

    return channel ? ide_bm_read(channel, off % BM_CHANNEL_PORTS, size) : 0;
}

static void piix_ide_bm_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct device *channel = ((struct piix_ide *)dev)->channel[off / BM_CHANNEL_PORTS];

    if (channel) {
        ide_bm_write(channel, off % BM_CHANNEL_PORTS, val, size);
    }
}

static bool piix_ide_attach(struct device *dev, GError **err)
{
    (void)err;
    pci_allow_write(dev, IDETIM, 4, 0xffffffff); /* both channels; bit 15 enables decoding */
    pci_allow_write(dev, 0x44, 1, 0xff);         /* SIDETIM */
    pci_allow_write(dev, 0x48, 1, 0x0f);         /* UDMACTL */
    pci_allow_write(dev, 0x4a, 2, 0x3333);       /* UDMATIM */
    return true;
}

static void piix_ide_reset(struct device *dev)
{
    uint8_t *config = pci_func(dev)->s->config;

    st_le16(config + PCI_STATUS, 0x0280);
    /* Not as the data sheet has it: firmware written for QEMU (OVMF) enables nothing, and waits for
     * drives on ports that float. */
    st_le16(config + IDETIM, IDETIM_ENABLE);
    st_le16(config + IDETIM + 2, IDETIM_ENABLE);
    piix_ide_update(dev);
}

static const struct port_range piix_ide_bm = {
    .count = 2 * BM_CHANNEL_PORTS,
    .sizes = SIZE_1 | SIZE_2 | SIZE_4,
    .read = piix_ide_bm_read,
    .write = piix_ide_bm_write,
};

/* Both channels in compatibility mode, bus masters behind BAR 4. */
static const struct pci_desc piix_ide_pci = {
    .vendor = 0x8086,
    .device = 0x7111,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x010180,
    .revision = 1,
    .bars[4] = {.kind = PCI_BAR_IO, .size = 2 * BM_CHANNEL_PORTS, .ports = &piix_ide_bm},
    .config_written = piix_ide_config_written,
};

const struct device_ops piix_ide_ops = {
    .name = "piix_ide",
    .title = "Intel PIIX4 IDE controller: PCI function",
    DEVICE_STATE(struct piix_ide),
    .state = piix_ide_state,
    .pci = &piix_ide_pci,
    .attach = piix_ide_attach,
    .reset = piix_ide_reset,
    .loaded = piix_ide_update,
};
