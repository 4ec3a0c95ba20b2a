/*
 * The PCI host bus: configuration mechanism #1 (ports 0xcf8, 0xcfc), configuration headers, BARs
 * and INTx.
 *
 * Follows the PCI Local Bus Specification 2.1, chapters 3.7.4 and 6, and the Intel 440FX and PIIX4
 * data sheets for how a PC swizzles INTA#-INTD# onto PIRQA#-PIRQD#.
 *
 * Not modelled: buses but bus 0, configuration mechanism #2, special cycles, parity and system
 * errors, expansion ROM BARs, 64-bit BARs, capabilities, INTx disable and interrupt status
 * (PCI 2.3).
 */
#include "hw/pci.h"

/* RAM decodes before PCI memory, so BARs lie below it. */
#define BAR_PRIORITY (-1)

#define ADDRESS_ENABLE BIT(31)
#define ADDRESS_MASK   0x80fffffcu

#define STATUS_W1C   0xf900u
#define COMMAND_MASK 0x0147u

struct pci_bus {
    struct device dev;
    struct pci_func func[PCI_MAX_FUNCS];
    unsigned nfuncs;
    uint8_t by_devfn[256]; /* index into func plus one; 0: nothing there */
    struct pci_bus_state {
        struct pci_state func[PCI_MAX_FUNCS];
        struct line pirq[4];
        uint32_t address;
        uint8_t hole[4];
    } s;
};

static const struct state_field pci_func_state[] = {
    STATE_ARRAY(struct pci_state, config),
    STATE(struct pci_state, irq),
    STATE_END,
};

#define F(m, ...) STATE(struct pci_bus, s.m, __VA_ARGS__)
static const struct state_field pci_state[] = {
    STATE_STRUCTS(struct pci_bus, s.func, pci_func_state),
    STATE_ARRAY(struct pci_bus, s.pirq),
    F(address),
    STATE_HOLE(struct pci_bus, s.hole),
    STATE_END,
};
#undef F

static struct pci_bus *pci_bus_of(struct machine *m)
{
    struct device *dev = device_find(m, "pci");

    g_assert(dev && dev->ops == &pci_ops);
    return (struct pci_bus *)dev;
}

/* BARs ----------------------------------------------------------------------------------------- */

static bool pci_bar_is_mem(const struct pci_bar_desc *bar)
{
    return bar->kind == PCI_BAR_MEM || bar->kind == PCI_BAR_MEM_PREFETCH;
}

static uint32_t pci_bar_flags(const struct pci_bar_desc *bar)
{
    switch (bar->kind) {
    case PCI_BAR_IO:
        return 1;
    case PCI_BAR_MEM_PREFETCH:
        return 8;
    default:
        return 0;
    }
}

/* Where the guest wants BAR n: PCI_BAR_UNMAPPED when decoding is off or the address makes no sense.
 */
static uint32_t pci_bar_wanted(const struct pci_func *f, unsigned n)
{
    const struct pci_bar_desc *bar = &f->desc->bars[n];
    uint16_t command = ld_le16(f->s->config + PCI_COMMAND);
    uint32_t base = ld_le32(f->s->config + PCI_BAR0 + 4 * n) & ~(f->bar_size[n] - 1);
    bool mem = pci_bar_is_mem(bar);
    uint64_t last = (uint64_t)base + f->bar_size[n] - 1;

    if (!(command & (mem ? PCI_COMMAND_MEMORY : PCI_COMMAND_IO)) || !base) {
        return PCI_BAR_UNMAPPED;
    }
    /* The top address is what a size probe leaves behind for a moment. */
    if (last >= (mem ? 0xffffffffu : 0xffffu)) {
        return PCI_BAR_UNMAPPED;
    }
    return base;
}

static void pci_bar_unmap(struct pci_func *f, unsigned n)
{
    struct machine *m = f->dev->m;

    if (f->bar_at[n] == PCI_BAR_UNMAPPED) {
        return;
    }
    if (pci_bar_is_mem(&f->desc->bars[n])) {
        region_remove(m, &f->bar_region[n]);
    } else {
        ports_release(m, f->bar_claim[n]);
        f->bar_claim[n] = NULL;
    }
    f->bar_at[n] = PCI_BAR_UNMAPPED;
}

static void pci_bar_map(struct pci_func *f, unsigned n, uint32_t base)
{
    const struct pci_bar_desc *bar = &f->desc->bars[n];

    if (pci_bar_is_mem(bar)) {
        if (!f->bar_has_region[n]) {
            return;
        }
        region_add(f->dev->m, &f->bar_region[n], base, BAR_PRIORITY);
    } else {
        f->bar_claim[n] = ports_claim(f->dev, bar->ports, (uint16_t)base);
    }
    f->bar_at[n] = base;
    trace(f->dev, TR_STATE, "BAR %u at %#x", n, base);
}

static void pci_update_bars(struct pci_func *f)
{
    struct machine *m = f->dev->m;
    bool changed = false;

    for (unsigned n = 0; n < ARRAY_LEN(f->desc->bars); n++) {
        uint32_t wanted;

        if (f->desc->bars[n].kind == PCI_BAR_NONE) {
            continue;
        }
        wanted = pci_bar_wanted(f, n);
        if (wanted == f->bar_at[n]) {
            continue;
        }
        if (!changed) {
            aspace_begin(m);
            changed = true;
        }
        pci_bar_unmap(f, n);
        if (wanted != PCI_BAR_UNMAPPED) {
            pci_bar_map(f, n, wanted);
        }
    }
    if (changed) {
        aspace_commit(m);
    }
}

/* Functions ------------------------------------------------------------------------------------ */

static void pci_bar_set_size(struct pci_func *f, unsigned n, uint32_t size)
{
    g_assert(size >= (f->desc->bars[n].kind == PCI_BAR_IO ? 4u : 16u) && !(size & (size - 1)));
    f->bar_size[n] = size;
    st_le32(f->write_mask + PCI_BAR0 + 4 * n, ~(size - 1));
}

static void pci_func_masks(struct pci_func *f)
{
    st_le16(f->write_mask + PCI_COMMAND, COMMAND_MASK);
    st_le16(f->w1c_mask + PCI_STATUS, STATUS_W1C);
    f->write_mask[0x0c] = 0xff; /* cache line size */
    f->write_mask[0x0d] = 0xf8; /* latency timer */
    f->write_mask[PCI_INTERRUPT_LINE] = 0xff;
    for (unsigned n = 0; n < ARRAY_LEN(f->desc->bars); n++) {
        const struct pci_bar_desc *bar = &f->desc->bars[n];

        f->bar_at[n] = PCI_BAR_UNMAPPED;
        if (bar->kind == PCI_BAR_NONE) {
            continue;
        }
        pci_bar_set_size(f, n, bar->size);
        if (pci_bar_is_mem(bar) && bar->mmio) {
            region_init_mmio(&f->bar_region[n], f->dev->name, f->dev, bar->mmio, bar->size);
            f->bar_has_region[n] = true;
        }
    }
}

void pci_place(struct device *dev, unsigned devfn)
{
    struct pci_bus *bus = pci_bus_of(dev->m);
    struct pci_func *f;

    g_assert(dev->ops->pci && devfn < 256 && !bus->by_devfn[devfn] && bus->nfuncs < PCI_MAX_FUNCS);
    f = &bus->func[bus->nfuncs];
    f->dev = dev;
    f->bus = &bus->dev;
    f->desc = dev->ops->pci;
    f->devfn = (uint8_t)devfn;
    f->s = &bus->s.func[bus->nfuncs];
    bus->by_devfn[devfn] = (uint8_t)++bus->nfuncs;
    dev->pci = f;
    pci_func_masks(f);
}

void pci_allow_write(struct device *dev, unsigned off, unsigned len, uint32_t mask)
{
    struct pci_func *f = pci_func(dev);

    g_assert(len >= 1 && len <= 4 && off + len <= 256);
    for (unsigned i = 0; i < len; i++) {
        f->write_mask[off + i] = (uint8_t)(mask >> (8 * i));
    }
}

void pci_set_bar_size(struct device *dev, unsigned bar, uint32_t size)
{
    struct pci_func *f = pci_func(dev);

    g_assert(bar < ARRAY_LEN(f->desc->bars) && pci_bar_is_mem(&f->desc->bars[bar]) &&
             !f->bar_has_region[bar]);
    pci_bar_set_size(f, bar, size);
}

void pci_set_bar_ram(struct device *dev, unsigned bar, struct ram *ram, uint64_t ram_offset)
{
    struct pci_func *f = pci_func(dev);

    g_assert(bar < ARRAY_LEN(f->desc->bars) && pci_bar_is_mem(&f->desc->bars[bar]) &&
             !f->bar_has_region[bar]);
    region_init_ram(&f->bar_region[bar], dev->name, ram, ram_offset, f->bar_size[bar]);
    f->bar_has_region[bar] = true;
}

bool pci_can_dma(struct device *dev)
{
    return ld_le16(pci_func(dev)->s->config + PCI_COMMAND) & PCI_COMMAND_MASTER;
}

static void pci_func_reset(struct pci_func *f)
{
    const struct pci_desc *d = f->desc;
    uint8_t *c = f->s->config;

    st_le16(c + 0x00, d->vendor);
    st_le16(c + 0x02, d->device);
    c[0x08] = d->revision;
    c[0x09] = (uint8_t)d->class_code;
    st_le16(c + 0x0a, (uint16_t)(d->class_code >> 8));
    c[0x0e] = d->header_type;
    st_le16(c + 0x2c, d->subsystem_vendor);
    st_le16(c + 0x2e, d->subsystem);
    c[0x3d] = d->interrupt_pin;
    for (unsigned n = 0; n < ARRAY_LEN(d->bars); n++) {
        c[PCI_BAR0 + 4 * n] = (uint8_t)pci_bar_flags(&d->bars[n]);
    }
}

/* INTx ----------------------------------------------------------------------------------------- */

/* Each slot turns the four pins by one, so that INTA# of neighbours lands on different PIRQs (slot
 * 1 INTA# on PIRQA#). */
static unsigned pci_pirq_of(const struct pci_func *f)
{
    return ((f->devfn >> 3) + 3u + f->desc->interrupt_pin - 1u) & 3;
}

void pci_set_irq(struct device *dev, bool level)
{
    struct pci_func *f = pci_func(dev);
    struct pci_bus *bus = (struct pci_bus *)f->bus;
    unsigned pirq = pci_pirq_of(f);
    bool any = false;

    if (!f->desc->interrupt_pin || f->s->irq == level) {
        return;
    }
    f->s->irq = level;
    for (unsigned i = 0; i < bus->nfuncs && !any; i++) {
        any = bus->func[i].s->irq && pci_pirq_of(&bus->func[i]) == pirq;
    }
    line_set(&bus->s.pirq[pirq], any);
}

struct line *pci_pirq(struct device *dev, unsigned n)
{
    return &((struct pci_bus *)dev)->s.pirq[n & 3];
}

/* Configuration mechanism #1 ------------------------------------------------------------------- */

static struct pci_func *pci_selected(struct pci_bus *bus)
{
    unsigned devfn = bits(bus->s.address, 15, 8);

    if (!(bus->s.address & ADDRESS_ENABLE) || bits(bus->s.address, 23, 16) ||
        !bus->by_devfn[devfn]) {
        return NULL;
    }
    return &bus->func[bus->by_devfn[devfn] - 1];
}

/* Only 32-bit accesses reach the register (3.7.4.1); bytes inside it belong to others (0xcf9, say).
 */
static uint32_t pci_address_read(struct device *dev, unsigned off, unsigned size)
{
    return off == 0 && size == 4 ? ((struct pci_bus *)dev)->s.address : UINT32_MAX;
}

static void pci_address_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    if (off == 0 && size == 4) {
        ((struct pci_bus *)dev)->s.address = val & ADDRESS_MASK;
    }
}

static uint32_t pci_data_read(struct device *dev, unsigned off, unsigned size)
{
    struct pci_bus *bus = (struct pci_bus *)dev;
    struct pci_func *f = pci_selected(bus);
    unsigned reg = (bus->s.address & 0xfc) + off;
    uint32_t val = 0;

    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = f && reg + i < 256 ? f->s->config[reg + i] : 0xff;
        val |= (uint32_t)byte << (8 * i);
    }
    return val;
}

static void pci_data_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct pci_bus *bus = (struct pci_bus *)dev;
    struct pci_func *f = pci_selected(bus);
    unsigned reg = (bus->s.address & 0xfc) + off;

    if (!f) {
        return;
    }
    for (unsigned i = 0; i < size && reg + i < 256; i++) {
        uint8_t byte = (uint8_t)(val >> (8 * i)), *c = &f->s->config[reg + i];
        uint8_t mask = f->write_mask[reg + i];

        *c = (uint8_t)(((*c & ~mask) | (byte & mask)) & ~(byte & f->w1c_mask[reg + i]));
    }
    trace(f->dev, TR_STATE, "config %02x.%u <- %#x", reg, size, val);
    pci_update_bars(f);
    if (f->desc->config_written) {
        f->desc->config_written(f->dev, reg, size);
    }
}

/* The bus device ------------------------------------------------------------------------------- */

static void pci_reset(struct device *dev)
{
    struct pci_bus *bus = (struct pci_bus *)dev;

    for (unsigned i = 0; i < bus->nfuncs; i++) {
        pci_func_reset(&bus->func[i]);
        pci_update_bars(&bus->func[i]);
    }
}

static void pci_loaded(struct device *dev)
{
    struct pci_bus *bus = (struct pci_bus *)dev;

    for (unsigned i = 0; i < bus->nfuncs; i++) {
        pci_update_bars(&bus->func[i]);
    }
}

/* What the classes of a PC's functions are called (PCI 2.1, appendix D). */
static const char *pci_class_name(uint32_t class_code)
{
    static const struct {
        uint16_t class;
        const char *name;
    } names[] = {
        {0x0100, "SCSI controller"}, {0x0101, "IDE interface"}, {0x0200, "Ethernet controller"},
        {0x0300, "VGA controller"},  {0x0401, "audio device"},  {0x0600, "host bridge"},
        {0x0601, "ISA bridge"},      {0x0604, "PCI bridge"},    {0x0680, "bridge"},
        {0x0c03, "USB controller"},  {0x0c05, "SMBus"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].class == class_code >> 8) {
            return names[i].name;
        }
    }
    return "device";
}

static void pci_info_bar(const struct pci_func *f, unsigned n, GString *out)
{
    const struct pci_bar_desc *bar = &f->desc->bars[n];

    g_string_append_printf(out, "    BAR %u: %s", n,
                           bar->kind == PCI_BAR_IO    ? "I/O ports"
                           : bar->kind == PCI_BAR_MEM ? "memory"
                                                      : "prefetchable memory");
    if (f->bar_at[n] == PCI_BAR_UNMAPPED) {
        g_string_append_printf(out, ", %#x bytes, not mapped (register: %08x)\n", f->bar_size[n],
                               ld_le32(f->s->config + PCI_BAR0 + 4 * n));
    } else {
        g_string_append_printf(out, " %x-%x\n", f->bar_at[n], f->bar_at[n] + f->bar_size[n] - 1);
    }
}

static void pci_info(struct device *dev, GString *out)
{
    struct pci_bus *bus = (struct pci_bus *)dev;

    for (unsigned i = 0; i < bus->nfuncs; i++) {
        const struct pci_func *f = &bus->func[i];
        const uint8_t *c = f->s->config;
        uint16_t command = ld_le16(c + PCI_COMMAND);

        g_string_append_printf(out, "00:%02x.%x %s: %04x:%04x (rev %02x) class %06x %s\n",
                               f->devfn >> 3, f->devfn & 7, f->dev->name, ld_le16(c),
                               ld_le16(c + 2), c[8], f->desc->class_code,
                               pci_class_name(f->desc->class_code));
        g_string_append_printf(out, "    command %04x: I/O%c memory%c bus master%c, status %04x\n",
                               command, command & PCI_COMMAND_IO ? '+' : '-',
                               command & PCI_COMMAND_MEMORY ? '+' : '-',
                               command & PCI_COMMAND_MASTER ? '+' : '-', ld_le16(c + PCI_STATUS));
        if (f->desc->interrupt_pin) {
            g_string_append_printf(out, "    INT%c# on PIRQ%c#, IRQ %u, %s\n",
                                   'A' + f->desc->interrupt_pin - 1, 'A' + (int)pci_pirq_of(f),
                                   c[PCI_INTERRUPT_LINE], f->s->irq ? "asserted" : "not asserted");
        }
        for (unsigned n = 0; n < ARRAY_LEN(f->bar_at); n++) {
            if (f->desc->bars[n].kind != PCI_BAR_NONE) {
                pci_info_bar(f, n, out);
            }
        }
    }
}

static const struct port_range pci_ports[] = {
    {0xcf8, 4, SIZE_1 | SIZE_2 | SIZE_4, pci_address_read, pci_address_write},
    {0xcfc, 4, SIZE_1 | SIZE_2 | SIZE_4, pci_data_read, pci_data_write},
    {.count = 0},
};

const struct device_ops pci_ops = {
    .name = "pci",
    .title = "PCI host bus, configuration mechanism #1",
    DEVICE_STATE(struct pci_bus),
    .state = pci_state,
    .ports = pci_ports,
    .reset = pci_reset,
    .loaded = pci_loaded,
    .info = pci_info,
};
