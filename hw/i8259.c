/*
 * Two Intel 8259A interrupt controllers in cascade, with the PIIX's edge/level registers (ELCR).
 *
 * Follows the Intel 8259A data sheet (231468) and, for ELCR, the 82371AB data sheet (290562).  An
 * edge is latched until it is acknowledged, also when the input falls before (the real chip would
 * answer such an early fall with a spurious interrupt 7; a late guest must not lose timer ticks by
 * that).  Spurious interrupts come from level-triggered inputs and masks that change between INTR
 * and INTA.
 *
 * Not modelled: 8080 mode (ICW4 bit 0), buffered mode, LTIM (ELCR replaces it), cascades other than
 * the PC's on input 2.
 */
#include "hw/i8259.h"

enum { CASCADE = 2 };

struct chip {
    uint8_t irr, imr, isr;
    uint8_t lines; /* levels of the inputs now */
    uint8_t first; /* input of the highest priority: rotation */
    uint8_t base;  /* ICW2: vector of input 0 */
    uint8_t step;  /* ICW expected next: 0 none, 2, 3 or 4 */
    uint8_t elcr;  /* level-triggered inputs */
    bool want_icw4, single;
    bool auto_eoi, rotate_auto, nested, special_mask;
    bool read_isr, poll;
};

struct i8259 {
    struct device dev;
    struct i8259_state {
        struct chip chip[2]; /* master, slave */
        struct line intr;
    } s;
};

#define C(m, ...) STATE(struct chip, m, __VA_ARGS__)
static const struct state_field chip_state[] = {
    C(irr),
    C(imr),
    C(isr),
    C(lines),
    C(first, .max = 7),
    C(base),
    C(step, .max = 4),
    C(elcr),
    C(want_icw4),
    C(single),
    C(auto_eoi),
    C(rotate_auto),
    C(nested),
    C(special_mask),
    C(read_isr),
    C(poll),
    STATE_END,
};
static const struct state_field i8259_state[] = {
    STATE_STRUCTS(struct i8259, s.chip, chip_state),
    STATE(struct i8259, s.intr),
    STATE_END,
};

static const uint8_t elcr_mask[2] = {0xf8, 0xde};

/* The place of the best-placed set bit in priority order: 0 first, 8 none. */
static unsigned chip_priority(const struct chip *c, uint8_t set)
{
    unsigned p;
    for (p = 0; p < 8; p++) {
        if (set & BIT((c->first + p) & 7)) {
            break;
        }
    }
    return p;
}

/* The input that would be acknowledged now, or -1. */
static int chip_pending(const struct chip *c, bool master)
{
    uint8_t busy = c->isr;
    if (c->special_mask) {
        busy &= ~c->imr;
    }
    if (c->nested && master) {
        busy &= ~BIT(CASCADE); /* the slave sorts its own levels */
    }
    unsigned p = chip_priority(c, c->irr & ~c->imr);
    if (p == 8 || p >= chip_priority(c, busy)) {
        return -1;
    }
    return (c->first + p) & 7;
}

static void chip_set_input(struct chip *c, unsigned n, bool level)
{
    uint8_t bit = BIT(n);
    if (c->elcr & bit) {
        c->irr = level ? c->irr | bit : c->irr & ~bit;
    } else if (level && !(c->lines & bit)) {
        c->irr |= bit;
    }
    c->lines = level ? c->lines | bit : c->lines & ~bit;
}

static void chip_ack(struct chip *c, unsigned n)
{
    if (!(c->elcr & BIT(n))) {
        c->irr &= ~BIT(n);
    }
    if (!c->auto_eoi) {
        c->isr |= BIT(n);
    } else if (c->rotate_auto) {
        c->first = (n + 1) & 7;
    }
}

/* Bring the cascade and INTR up to date after any change. */
static void i8259_update(struct i8259 *pic)
{
    struct chip *c = pic->s.chip;
    chip_set_input(&c[0], CASCADE, chip_pending(&c[1], false) >= 0);
    line_set(&pic->s.intr, chip_pending(&c[0], true) >= 0);
}

/* The slave's INT output drops during its INTA cycle, so that a second request makes an edge at the
 * master. */
static void i8259_ack_slave(struct i8259 *pic, unsigned n)
{
    chip_ack(&pic->s.chip[1], n);
    chip_set_input(&pic->s.chip[0], CASCADE, false);
}

int i8259_ack(struct device *dev)
{
    struct i8259 *pic = (struct i8259 *)dev;
    struct chip *c = pic->s.chip;
    int n = chip_pending(&c[0], true), vector;

    if (n < 0) {
        vector = c[0].base + 7;
    } else if (n == CASCADE && !c[0].single) {
        chip_ack(&c[0], n);
        int k = chip_pending(&c[1], false);
        if (k >= 0) {
            i8259_ack_slave(pic, k);
        } else {
            k = 7;
        }
        vector = c[1].base + k;
    } else {
        chip_ack(&c[0], n);
        vector = c[0].base + n;
    }
    trace(dev, TR_IRQ, "vector %#x", vector);
    i8259_update(pic);
    return vector;
}

int i8259_intack(struct machine *m)
{
    for (unsigned i = 0; i < m->devices->len; i++) {
        struct device *dev = g_ptr_array_index(m->devices, i);
        if (dev->ops == &i8259_ops) {
            return i8259_ack(dev);
        }
    }
    return -1;
}

void i8259_set_irq(void *opaque, int n, bool level)
{
    struct i8259 *pic = opaque;
    if (n < 0 || n > 15 || n == CASCADE) {
        return;
    }
    chip_set_input(&pic->s.chip[n >> 3], n & 7, level);
    i8259_update(pic);
}

struct line *i8259_intr(struct device *dev)
{
    return &((struct i8259 *)dev)->s.intr;
}

bool i8259_is_waiting(struct device *dev, unsigned n)
{
    const struct chip *c = &((struct i8259 *)dev)->s.chip[n >> 3 & 1];
    return c->irr & ~c->imr & BIT(n & 7);
}

uint16_t i8259_elcr(struct device *dev)
{
    struct i8259 *pic = (struct i8259 *)dev;
    return pic->s.chip[0].elcr | pic->s.chip[1].elcr << 8;
}

static void chip_write_icw1(struct chip *c, uint8_t val)
{
    c->irr &= c->elcr; /* the edge latches are cleared */
    c->imr = c->isr = c->first = 0;
    c->special_mask = c->read_isr = c->poll = false;
    c->auto_eoi = c->rotate_auto = c->nested = false;
    c->single = val & 2;
    c->want_icw4 = val & 1;
    c->step = 2;
}

static void chip_eoi(struct chip *c, bool specific, bool rotate, unsigned n)
{
    if (!specific) {
        /* In special mask mode a masked level is not ended by a non-specific EOI. */
        uint8_t busy = c->special_mask ? c->isr & ~c->imr : c->isr;
        unsigned p = chip_priority(c, busy);
        if (p == 8) {
            return;
        }
        n = (c->first + p) & 7;
    }
    c->isr &= ~BIT(n);
    if (rotate) {
        c->first = (n + 1) & 7;
    }
}

static void chip_write_ocw2(struct chip *c, uint8_t val)
{
    unsigned n = val & 7;
    switch (val >> 5) {
    case 0:
    case 4:
        c->rotate_auto = val >> 7;
        break;
    case 1:
    case 5:
        chip_eoi(c, false, val >> 7, 0);
        break;
    case 3:
    case 7:
        chip_eoi(c, true, val >> 7, n);
        break;
    case 6:
        c->first = (n + 1) & 7;
        break;
    default: /* 2: no operation */
        break;
    }
}

static void chip_write_ocw3(struct chip *c, uint8_t val)
{
    if (val & 0x40) {
        c->special_mask = val & 0x20;
    }
    if (val & 2) {
        c->read_isr = val & 1;
    }
    c->poll = val & 4;
}

static void chip_write_data(struct chip *c, uint8_t val)
{
    switch (c->step) {
    case 2:
        c->base = val & 0xf8;
        c->step = c->single ? (c->want_icw4 ? 4 : 0) : 3;
        break;
    case 3: /* where the slave sits is wiring on a PC */
        c->step = c->want_icw4 ? 4 : 0;
        break;
    case 4:
        c->auto_eoi = val & 2;
        c->nested = val & 0x10;
        c->step = 0;
        break;
    default:
        c->imr = val;
        break;
    }
}

static void i8259_write(struct i8259 *pic, unsigned which, unsigned off, uint32_t val)
{
    struct chip *c = &pic->s.chip[which];
    if (off & 1) {
        chip_write_data(c, val);
    } else if (val & 0x10) {
        chip_write_icw1(c, val);
        /* The latch of the cascade is cleared too; a request that still stands is seen as new. */
        chip_set_input(&pic->s.chip[0], CASCADE, false);
        pic->s.chip[0].irr &= ~BIT(CASCADE);
    } else if (val & 8) {
        chip_write_ocw3(c, val);
    } else {
        chip_write_ocw2(c, val);
    }
    i8259_update(pic);
}

/* A read after the poll command is an INTA cycle: bit 7 and the level. */
static uint8_t i8259_poll(struct i8259 *pic, unsigned which)
{
    struct chip *c = &pic->s.chip[which];
    int n = chip_pending(c, which == 0);

    c->poll = false;
    if (n < 0) {
        return 0;
    }
    if (which == 0) {
        chip_ack(c, n);
    } else {
        i8259_ack_slave(pic, n);
    }
    i8259_update(pic);
    return 0x80 | n;
}

static uint32_t i8259_read(struct i8259 *pic, unsigned which, unsigned off)
{
    struct chip *c = &pic->s.chip[which];
    if (c->poll) {
        return i8259_poll(pic, which);
    }
    if (off & 1) {
        return c->imr;
    }
    return c->read_isr ? c->isr : c->irr;
}

static uint32_t master_read(struct device *dev, unsigned off, unsigned size)
{
    (void)size;
    return i8259_read((struct i8259 *)dev, 0, off);
}

static void master_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)size;
    i8259_write((struct i8259 *)dev, 0, off, val);
}

static uint32_t slave_read(struct device *dev, unsigned off, unsigned size)
{
    (void)size;
    return i8259_read((struct i8259 *)dev, 1, off);
}

static void slave_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)size;
    i8259_write((struct i8259 *)dev, 1, off, val);
}

static uint32_t elcr_read(struct device *dev, unsigned off, unsigned size)
{
    (void)size;
    return ((struct i8259 *)dev)->s.chip[off].elcr;
}

static void elcr_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct i8259 *pic = (struct i8259 *)dev;
    struct chip *c = &pic->s.chip[off];
    (void)size;
    c->elcr = val & elcr_mask[off];
    c->irr = (c->irr & ~c->elcr) | (c->lines & c->elcr);
    i8259_update(pic);
}

static const struct port_range i8259_ports[] = {
    {.first = 0x20, .count = 2, .sizes = SIZE_1, .read = master_read, .write = master_write},
    {.first = 0xa0, .count = 2, .sizes = SIZE_1, .read = slave_read, .write = slave_write},
    {.first = 0x4d0, .count = 2, .sizes = SIZE_1, .read = elcr_read, .write = elcr_write},
    {.count = 0},
};

/* Bits 7..0 of a register, highest first: the inputs' numbers, or dots. */
static void info_bits(const char *name, uint8_t v, unsigned first, GString *out)
{
    g_string_append_printf(out, "  %s %02x", name, v);
    for (unsigned i = 0; i < 8; i++) {
        if (v & BIT(i)) {
            g_string_append_printf(out, " %u", first + i);
        }
    }
    g_string_append_c(out, '\n');
}

static void i8259_info(struct device *dev, GString *out)
{
    const struct i8259 *pic = (struct i8259 *)dev;

    for (unsigned i = 0; i < 2; i++) {
        const struct chip *c = &pic->s.chip[i];

        g_string_append_printf(
            out, "%s: vectors %02x-%02x%s%s%s%s, IRQ %u comes first\n", i ? "slave" : "master",
            c->base, c->base + 7, c->auto_eoi ? ", automatic EOI" : "",
            c->nested ? ", special fully nested" : "", c->special_mask ? ", special mask" : "",
            c->step ? ", being initialized" : "", 8 * i + c->first);
        info_bits("IRR ", c->irr, 8 * i, out);
        info_bits("ISR ", c->isr, 8 * i, out);
        info_bits("IMR ", c->imr, 8 * i, out);
        info_bits("ELCR", c->elcr, 8 * i, out);
    }
    g_string_append_printf(out, "INTR %s\n", pic->s.intr.level ? "high" : "low");
}

static bool i8259_attach(struct device *dev, GError **err)
{
    (void)err;
    if (!dev->m->intack) {
        dev->m->intack = i8259_intack;
    }
    return true;
}

const struct device_ops i8259_ops = {
    .name = "i8259",
    .title = "Intel 8259A interrupt controllers (a pair)",
    DEVICE_STATE(struct i8259),
    .state = i8259_state,
    .ports = i8259_ports,
    .attach = i8259_attach,
    .info = i8259_info,
};
