/*
 * Intel 440FX host bridge (82441FX PMC): identification, memory shadowing (PAM) and the SMRAM
 * window.
 *
 * Follows the Intel 440FX PCIset data sheet (order 290549), sections 3.2.18 (PAM) and 3.2.22
 * (SMRAM).  The subsystem ids are what firmware for virtual PCs looks for.
 *
 * Not modelled: DRAM timing and row boundary registers beyond storing them, the fixed memory hole
 * (FDHC), parity, bus arbitration, system management mode (SMRAM can be opened, never entered),
 * AGP.
 */
#include "hw/i440fx.h"
#include "hw/pci.h"

enum {
    PMCCFG = 0x50,
    DRAMC = 0x57,
    DRAMT = 0x58,
    PAM0 = 0x59,
    DRB0 = 0x60,
    FDHC = 0x68,
    SMRAM = 0x72,
    SMRAM_D_OPEN = BIT(6),
    SMRAM_D_CLS = BIT(5),
    SMRAM_D_LCK = BIT(4),
    SMRAM_G_SMRAME = BIT(3),
    PAM_RE = BIT(0),
    PAM_WE = BIT(1),
    PAM_SEGMENTS = 13, /* 0xc0000 in twelve steps of 16 KiB, then 0xf0000 of 64 KiB */
};

struct i440fx {
    struct device dev;
    struct ram *ram;
    struct region pam[PAM_SEGMENTS];
    struct region smram;
    struct i440fx_state {
        bool smram_locked; /* D_LCK is set until reset */
    } s;
};

static const struct state_field i440fx_state[] = {
    STATE(struct i440fx, s.smram_locked),
    STATE_END,
};

void i440fx_set_ram(struct device *dev, struct ram *ram)
{
    ((struct i440fx *)dev)->ram = ram;
}

/* PAM0 has the BIOS segment in its upper half; PAM1-6 have two 16 KiB segments each, low half
 * first. */
static unsigned i440fx_pam_bits(const uint8_t *config, unsigned segment)
{
    if (segment == PAM_SEGMENTS - 1) {
        return (config[PAM0] >> 4) & (PAM_RE | PAM_WE);
    }
    return (config[PAM0 + 1 + segment / 2] >> (segment & 1 ? 4 : 0)) & (PAM_RE | PAM_WE);
}

/* Put RAM over the bus where the registers say so, in either view. */
static void i440fx_update(struct i440fx *b)
{
    const uint8_t *config = pci_func(&b->dev)->s->config;
    struct machine *m = b->dev.m;
    uint8_t smram = config[SMRAM];

    aspace_begin(m);
    for (unsigned i = 0; i < PAM_SEGMENTS; i++) {
        unsigned pam = i440fx_pam_bits(config, i);

        if (pam) {
            region_set_access(m, &b->pam[i],
                              (pam & PAM_RE ? ACCESS_READ : 0) | (pam & PAM_WE ? ACCESS_WRITE : 0));
        }
        region_set_enabled(m, &b->pam[i], pam != 0);
    }
    region_set_enabled(m, &b->smram, (smram & SMRAM_D_OPEN) && (smram & SMRAM_G_SMRAME));
    aspace_commit(m);
}

static void i440fx_config_written(struct device *dev, unsigned off, unsigned size)
{
    struct i440fx *b = (struct i440fx *)dev;
    uint8_t *smram = &pci_func(dev)->s->config[SMRAM];

    if (off <= SMRAM && off + size > SMRAM) {
        if (b->s.smram_locked) {
            *smram = (uint8_t)((*smram & ~SMRAM_D_OPEN) | SMRAM_D_LCK);
        } else if (*smram & SMRAM_D_LCK) {
            b->s.smram_locked = true;
            *smram &= (uint8_t)~SMRAM_D_OPEN;
        }
    }
    if (off < SMRAM + 1 && off + size > PAM0) {
        i440fx_update(b);
    }
}

static bool i440fx_attach(struct device *dev, GError **err)
{
    struct i440fx *b = (struct i440fx *)dev;
    struct machine *m = dev->m;

    if (!b->ram) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG, "%s: no memory given", dev->name);
        return false;
    }
    for (unsigned i = 0; i < PAM_SEGMENTS; i++) {
        uint64_t base = 0xc0000 + i * 0x4000ull;

        region_init_ram(&b->pam[i], "pam", b->ram, base, i == PAM_SEGMENTS - 1 ? 0x10000 : 0x4000);
        region_add(m, &b->pam[i], base, I440FX_PAM_PRIORITY);
        region_set_enabled(m, &b->pam[i], false);
    }
    region_init_ram(&b->smram, "smram", b->ram, 0xa0000, 0x20000);
    region_add(m, &b->smram, 0xa0000, I440FX_SMRAM_PRIORITY);
    region_set_enabled(m, &b->smram, false);

    pci_allow_write(dev, PMCCFG, 4, 0xffffffff);
    pci_allow_write(dev, DRAMC, 2, 0xffff);
    pci_allow_write(dev, PAM0, 1, 0x30);
    for (unsigned i = 1; i <= 6; i++) {
        pci_allow_write(dev, PAM0 + i, 1, 0x33);
    }
    pci_allow_write(dev, DRB0, 4, 0xffffffff);
    pci_allow_write(dev, DRB0 + 4, 4, 0xffffffff);
    pci_allow_write(dev, FDHC, 1, 0xc0);
    pci_allow_write(dev, SMRAM, 1, 0x78);
    return true;
}

static void i440fx_reset(struct device *dev)
{
    uint8_t *config = pci_func(dev)->s->config;

    st_le16(config + PCI_COMMAND, 0x0006);
    st_le16(config + PCI_STATUS, 0x0280);
    config[DRAMC] = 0x01;
    config[SMRAM] = 0x02; /* the segment is always 0xa0000 */
    i440fx_update((struct i440fx *)dev);
}

static void i440fx_loaded(struct device *dev)
{
    i440fx_update((struct i440fx *)dev);
}

static const struct pci_desc i440fx_pci = {
    .vendor = 0x8086,
    .device = 0x1237,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x060000,
    .revision = 2,
    .config_written = i440fx_config_written,
};

const struct device_ops i440fx_ops = {
    .name = "i440fx",
    .title = "Intel 440FX host bridge",
    DEVICE_STATE(struct i440fx),
    .state = i440fx_state,
    .pci = &i440fx_pci,
    .attach = i440fx_attach,
    .reset = i440fx_reset,
    .loaded = i440fx_loaded,
};
