/*
 * The two 8237A DMA controllers of a PC/AT and their page registers.
 *
 * Follows the Intel 8237A data sheet (231466) and the AT technical reference (page registers,
 * 16-bit channels). Nothing runs by itself: a device that has data calls i8237_transfer, which
 * moves as much as the channel allows.
 *
 * Not modelled: memory-to-memory transfers, software requests, priorities and compressed timing
 * (stored only), cascade of external bus masters, the EISA high page registers; block and demand
 * mode do not differ from single.
 */
#include "hw/i8237.h"

enum { CHANNELS = 4, CASCADE = 4 };
enum { MODE_TYPE = 0x0c, MODE_VERIFY = 0x00, MODE_WRITE = 0x04, MODE_READ = 0x08 };
enum { MODE_AUTO_INIT = 0x10, MODE_DOWN = 0x20, MODE_SELECT = 0xc0, MODE_CASCADE = 0xc0 };
enum { COMMAND_DISABLE = 0x04 };
enum {
    REG_STATUS = 8,
    REG_REQUEST,
    REG_MASK,
    REG_MODE,
    REG_FLIPFLOP,
    REG_CLEAR,
    REG_UNMASK,
    REG_MASK_ALL
};

struct dma_channel {
    uint16_t base_addr, base_count;
    uint16_t addr, count;
    uint8_t mode, hole;
};

struct dma_chip {
    struct dma_channel ch[CHANNELS];
    uint8_t command, mask;
    uint8_t tc;   /* terminal counts reached since the status was read */
    uint8_t dreq; /* requests as the status shows them */
    bool high;    /* the byte flip-flop */
    uint8_t hole;
};

struct i8237 {
    struct device dev;
    struct i8237_state {
        struct dma_chip chip[2];
        uint8_t page[16]; /* ports 0x80-0x8f */
    } s;
};

#define C(m) STATE(struct dma_channel, m)
static const struct state_field dma_channel_state[] = {
    C(base_addr), C(base_count), C(addr), C(count), C(mode), STATE_HOLE(struct dma_channel, hole),
    STATE_END,
};
static const struct state_field dma_chip_state[] = {
    STATE_STRUCTS(struct dma_chip, ch, dma_channel_state),
    STATE(struct dma_chip, command),
    STATE(struct dma_chip, mask, .reset = 15, .max = 15),
    STATE(struct dma_chip, tc, .max = 15),
    STATE(struct dma_chip, dreq, .max = 15),
    STATE(struct dma_chip, high),
    STATE_HOLE(struct dma_chip, hole),
    STATE_END,
};
static const struct state_field i8237_state[] = {
    STATE_STRUCTS(struct i8237, s.chip, dma_chip_state),
    STATE_ARRAY(struct i8237, s.page),
    STATE_END,
};

/* Where channel n's page register lies among ports 0x80-0x8f. */
static const uint8_t page_of[8] = {7, 3, 1, 2, 15, 11, 9, 10};

/* ---- transfers ---- */

bool i8237_ready(struct device *dev, unsigned channel)
{
    struct i8237 *d = (struct i8237 *)dev;
    if (channel > 7 || channel == CASCADE) {
        return false;
    }
    const struct dma_chip *second = &d->s.chip[1], *c = &d->s.chip[channel / CHANNELS];
    if (channel < CHANNELS && ((second->mask & 1) || (second->command & COMMAND_DISABLE))) {
        return false; /* the first controller works through channel 4 */
    }
    return !(c->command & COMMAND_DISABLE) && !(c->mask & BIT(channel & 3)) &&
           (c->ch[channel & 3].mode & MODE_SELECT) != MODE_CASCADE;
}

/* The physical address of the channel's next unit. */
static uint64_t i8237_address(const struct i8237 *d, unsigned channel)
{
    const struct dma_channel *ch = &d->s.chip[channel / CHANNELS].ch[channel & 3];
    uint32_t page = d->s.page[page_of[channel]];
    return channel < CHANNELS ? page << 16 | ch->addr
                              : (page & 0xfe) << 16 | (uint32_t)ch->addr << 1;
}

static void i8237_move(struct i8237 *d, uint64_t addr, uint8_t *buf, size_t len, bool to_memory)
{
    if (to_memory) {
        dma_write(d->dev.m, addr, buf, len);
    } else {
        dma_read(d->dev.m, addr, buf, len);
    }
}

/* Terminal count: start over or mask the channel. */
static void i8237_finish(struct dma_chip *c, unsigned n)
{
    struct dma_channel *ch = &c->ch[n];
    c->tc |= BIT(n);
    if (ch->mode & MODE_AUTO_INIT) {
        ch->addr = ch->base_addr;
        ch->count = ch->base_count;
    } else {
        c->mask |= BIT(n);
    }
}

size_t i8237_transfer(struct device *dev, unsigned channel, uint8_t *buf, size_t len,
                      bool to_memory, bool *tc)
{
    struct i8237 *d = (struct i8237 *)dev;
    bool done = false;
    size_t moved = 0;

    if (tc) {
        *tc = false;
    }
    if (!i8237_ready(dev, channel)) {
        return 0;
    }
    struct dma_chip *c = &d->s.chip[channel / CHANNELS];
    struct dma_channel *ch = &c->ch[channel & 3];
    unsigned unit = channel < CHANNELS ? 1 : 2, type = ch->mode & MODE_TYPE;
    if (type != MODE_VERIFY && type != (to_memory ? MODE_WRITE : MODE_READ)) {
        guest_error(dev, "channel %u is set up for the other direction", channel);
        return 0;
    }
    while (!done && len - moved >= unit) {
        /* In one piece up to the terminal count or the wrap of the address; downwards unit by unit.
         */
        size_t units = MIN((size_t)ch->count + 1, (len - moved) / unit);
        bool down = ch->mode & MODE_DOWN;
        units = down ? 1 : MIN(units, (size_t)(0x10000 - ch->addr));
        if (type != MODE_VERIFY) {
            i8237_move(d, i8237_address(d, channel), buf + moved, units * unit, to_memory);
        }
        moved += units * unit;
        ch->addr += down ? -1 : (int)units;
        done = units == (size_t)ch->count + 1;
        ch->count -= units;
    }
    trace(dev, TR_DMA, "channel %u: %zu bytes %s memory%s", channel, moved,
          to_memory ? "to" : "from", done ? ", terminal count" : "");
    if (done) {
        i8237_finish(c, channel & 3);
    }
    if (tc) {
        *tc = done;
    }
    return moved;
}

void i8237_set_dreq(struct device *dev, unsigned channel, bool level)
{
    struct i8237 *d = (struct i8237 *)dev;
    if (channel > 7) {
        return;
    }
    struct dma_chip *c = &d->s.chip[channel / CHANNELS];
    c->dreq = level ? c->dreq | BIT(channel & 3) : c->dreq & ~BIT(channel & 3);
}

/* ---- registers ---- */

static uint32_t chip_read(struct dma_chip *c, unsigned reg)
{
    if (reg < REG_STATUS) {
        const struct dma_channel *ch = &c->ch[reg >> 1];
        uint16_t v = reg & 1 ? ch->count : ch->addr;
        v = c->high ? v >> 8 : v & 0xff;
        c->high = !c->high;
        return v;
    }
    switch (reg) {
    case REG_STATUS: {
        uint8_t v = c->dreq << 4 | c->tc;
        c->tc = 0;
        return v;
    }
    case REG_CLEAR: /* the temporary register of memory-to-memory transfers */
        return 0;
    case REG_MASK_ALL:
        return 0xf0 | c->mask;
    default:
        return 0xff;
    }
}

static void chip_write_channel(struct dma_chip *c, unsigned reg, uint8_t val)
{
    struct dma_channel *ch = &c->ch[reg >> 1];
    uint16_t *base = reg & 1 ? &ch->base_count : &ch->base_addr;
    uint16_t *now = reg & 1 ? &ch->count : &ch->addr;
    *base = c->high ? (*base & 0x00ff) | val << 8 : (*base & 0xff00) | val;
    *now = c->high ? (*now & 0x00ff) | val << 8 : (*now & 0xff00) | val;
    c->high = !c->high;
}

static void chip_write(struct dma_chip *c, unsigned reg, uint8_t val)
{
    unsigned n = val & 3;

    if (reg < REG_STATUS) {
        chip_write_channel(c, reg, val);
        return;
    }
    switch (reg) {
    case REG_STATUS:
        c->command = val;
        break;
    case REG_MASK:
        c->mask = val & 4 ? c->mask | BIT(n) : c->mask & ~BIT(n);
        break;
    case REG_MODE:
        c->ch[n].mode = val & 0xfc;
        break;
    case REG_FLIPFLOP:
        c->high = false;
        break;
    case REG_CLEAR:
        c->command = c->tc = 0;
        c->mask = 15;
        c->high = false;
        break;
    case REG_UNMASK:
        c->mask = 0;
        break;
    case REG_MASK_ALL:
        c->mask = val & 15;
        break;
    default: /* REG_REQUEST: software requests serve memory-to-memory transfers */
        break;
    }
}

static uint32_t first_read(struct device *dev, unsigned off, unsigned size)
{
    (void)size;
    return chip_read(&((struct i8237 *)dev)->s.chip[0], off);
}

static void first_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)size;
    chip_write(&((struct i8237 *)dev)->s.chip[0], off, val);
}

/* The second controller's address lines are shifted by one: each register answers at two ports. */
static uint32_t second_read(struct device *dev, unsigned off, unsigned size)
{
    (void)size;
    return chip_read(&((struct i8237 *)dev)->s.chip[1], off >> 1);
}

static void second_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)size;
    chip_write(&((struct i8237 *)dev)->s.chip[1], off >> 1, val);
}

static uint32_t page_read(struct device *dev, unsigned off, unsigned size)
{
    (void)size;
    return ((struct i8237 *)dev)->s.page[off + 1];
}

static void page_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)size;
    ((struct i8237 *)dev)->s.page[off + 1] = val;
}

static const struct port_range i8237_ports[] = {
    {.first = 0x00, .count = 16, .sizes = SIZE_1, .read = first_read, .write = first_write},
    {.first = 0xc0, .count = 32, .sizes = SIZE_1, .read = second_read, .write = second_write},
    {.first = 0x81, .count = 15, .sizes = SIZE_1, .read = page_read, .write = page_write},
    {.count = 0},
};

const struct device_ops i8237_ops = {
    .name = "i8237",
    .title = "Two Intel 8237A DMA controllers and page registers",
    DEVICE_STATE(struct i8237),
    .state = i8237_state,
    .ports = i8237_ports,
};
