/*
 * The bus master of an IDE channel: registers BMIC, BMIS and BMIDTP, and the walk over the table of
 * physical regions.
 *
 * Follows the Intel 82371AB (PIIX4) data sheet (order 290562), chapters 5.2 and 11 (bus master
 * function), and SFF-8038i.
 *
 * A drive whose DMA command has data to move stands in phase IDE_DMA_IN or IDE_DMA_OUT; the bus
 * master moves the bytes pos..end of its buffer when it is started, in either order.  The buffer
 * bounds what one step moves, and nothing reaches guest memory behind the back of a guest that
 * stopped the bus master: what a disk still delivers then stays in the buffer.
 *
 * How a transfer ends is told by Active and Interrupt together: regions used up and the drive's
 * interrupt: 0, 1; regions larger than the transfer: 1, 1; regions too small: 0, 0, and the drive
 * goes on waiting; memory that does not answer: 0, 0 and Error.
 *
 * Not modelled: timing and FIFOs; a region that crosses a 64 KiB boundary (forbidden) goes on
 * behind it; a wrong direction in BMIC moves nothing.
 */
#include "hw/ide_int.h"

enum { BMIC = 0, BMIS = 2, BMIDTP = 4 };
enum {
    BMIC_START = BIT(0),
    BMIC_TO_MEMORY = BIT(3),
    BMIS_ACTIVE = BIT(0),
    BMIS_ERROR = BIT(1),
    BMIS_INTERRUPT = BIT(2),
    BMIS_CAPABLE = BIT(5) | BIT(6), /* a note of the guest's to itself, for each drive */
    REGION_BYTES = 8,
};
#define REGION_LAST BIT(31)

static void dma_stop(struct ide_channel *c, uint8_t error)
{
    c->s.bmis = (uint8_t)((c->s.bmis & ~BMIS_ACTIVE) | error);
    c->s.bm_left = 0;
}

/*
 * Read the next region's description; false: there is none, and the bus master stops.  Tables do
 * not cross a 64 KiB boundary, so that their length is bounded: one that does ends there.
 */
static bool dma_next_region(struct ide_channel *c)
{
    struct ide_channel_state *s = &c->s;
    uint8_t region[REGION_BYTES];

    if (s->bm_last || (s->bm_next & 0xffff) > 0x10000 - REGION_BYTES) {
        trace(&c->dev, TR_DMA, "the table is at its end, the transfer is not");
        dma_stop(c, 0);
        return false;
    }
    if (!dma_read(c->dev.m, s->bm_next, region, sizeof region)) {
        guest_error(&c->dev, "bus master: no memory at %#x, for its table", s->bm_next);
        dma_stop(c, BMIS_ERROR);
        return false;
    }
    s->bm_next += REGION_BYTES;
    s->bm_addr = ld_le32(region) & ~1u;
    s->bm_left = ld_le32(region + 4) & 0xfffe;
    if (!s->bm_left) {
        s->bm_left = 0x10000;
    }
    s->bm_last = (ld_le32(region + 4) & REGION_LAST) || !(s->bm_next & 0xffff);
    return true;
}

/* Whether anything can move now. */
static bool dma_is_ready(struct ide_channel *c, const struct ide_drive_state *d)
{
    bool to_memory = d->phase == IDE_DMA_IN;

    if (!c->may_master || !(c->s.bmis & BMIS_ACTIVE) || (!to_memory && d->phase != IDE_DMA_OUT)) {
        return false;
    }
    if (to_memory != ((c->s.bmic & BMIC_TO_MEMORY) != 0)) {
        guest_error(&c->dev, "bus master: started in the wrong direction");
        return false;
    }
    return true;
}

void ide_dma_run(struct ide_channel *c)
{
    struct ide_channel_state *s = &c->s;
    struct ide_drive *d = ide_selected(c);
    struct ide_drive_state *ds = d->s;

    if (!dma_is_ready(c, ds)) {
        return;
    }
    trace(&c->dev, TR_DMA, "drive %u: %u bytes %s", d->unit, ds->end - ds->pos,
          ds->phase == IDE_DMA_IN ? "to memory" : "from memory");
    while (ds->pos < ds->end) {
        if (!s->bm_left && !dma_next_region(c)) {
            return;
        }
        uint32_t n = MIN(s->bm_left, ds->end - ds->pos);
        bool good = ds->phase == IDE_DMA_IN ? dma_write(c->dev.m, s->bm_addr, ds->buf + ds->pos, n)
                                            : dma_read(c->dev.m, s->bm_addr, ds->buf + ds->pos, n);
        if (!good) {
            guest_error(&c->dev, "bus master: no memory at %#x, for %u bytes", s->bm_addr, n);
            dma_stop(c, BMIS_ERROR);
            return;
        }
        ds->pos += n;
        n += n & 1; /* the bus moves words: a last odd byte takes one */
        s->bm_addr += n;
        s->bm_left -= MIN(n, s->bm_left);
        if (!s->bm_left && s->bm_last) {
            dma_stop(c, 0);
        }
    }
    ide_data_end(d);
}

void ide_dma_interrupt(struct ide_channel *c)
{
    c->s.bmis |= BMIS_INTERRUPT;
}

void ide_set_master(struct device *dev, bool on)
{
    ((struct ide_channel *)dev)->may_master = on;
}

void ide_bm_go_on(struct device *dev)
{
    ide_dma_run((struct ide_channel *)dev);
}

/* Registers ------------------------------------------------------------------------------------ */

static uint8_t dma_read_byte(const struct ide_channel *c, unsigned off)
{
    switch (off) {
    case BMIC:
        return c->s.bmic;
    case BMIS:
        return c->s.bmis;
    case BMIDTP:
    case BMIDTP + 1:
    case BMIDTP + 2:
    case BMIDTP + 3:
        return (uint8_t)(c->s.bmidtp >> 8 * (off - BMIDTP));
    default:
        return 0;
    }
}

/* Start takes the table's address over; to stop early forgets how far it got. */
static void dma_write_control(struct ide_channel *c, uint8_t val)
{
    struct ide_channel_state *s = &c->s;
    bool was_started = s->bmic & BMIC_START, is_started = val & BMIC_START;

    s->bmic = val & (BMIC_START | BMIC_TO_MEMORY);
    if (is_started && !was_started) {
        trace(&c->dev, TR_DMA, "started %s, table at %#x",
              s->bmic & BMIC_TO_MEMORY ? "to memory" : "from memory", s->bmidtp);
        s->bm_next = s->bmidtp;
        s->bm_left = 0;
        s->bm_last = false;
        s->bmis |= BMIS_ACTIVE;
        ide_dma_run(c);
    } else if (!is_started && was_started) {
        dma_stop(c, 0);
    }
}

static void dma_write_byte(struct ide_channel *c, unsigned off, uint8_t val)
{
    struct ide_channel_state *s = &c->s;
    unsigned shift = 8 * (off - BMIDTP);

    switch (off) {
    case BMIC:
        dma_write_control(c, val);
        break;
    case BMIS: /* Error and Interrupt are cleared by ones */
        s->bmis =
            (uint8_t)((s->bmis & BMIS_ACTIVE) | (s->bmis & (BMIS_ERROR | BMIS_INTERRUPT) & ~val) |
                      (val & BMIS_CAPABLE));
        break;
    case BMIDTP:
    case BMIDTP + 1:
    case BMIDTP + 2:
    case BMIDTP + 3:
        s->bmidtp = (s->bmidtp & ~(0xffu << shift)) | (uint32_t)val << shift;
        s->bmidtp &= ~3u;
        break;
    default:
        break;
    }
}

uint32_t ide_bm_read(struct device *dev, unsigned off, unsigned size)
{
    const struct ide_channel *c = (const struct ide_channel *)dev;
    uint32_t val = 0;

    for (unsigned i = 0; i < size; i++) {
        val |= (uint32_t)dma_read_byte(c, off + i) << 8 * i;
    }
    return val;
}

void ide_bm_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct ide_channel *c = (struct ide_channel *)dev;

    for (unsigned i = 0; i < size; i++) {
        dma_write_byte(c, off + i, (uint8_t)(val >> 8 * i));
    }
}

void ide_dma_info(const struct ide_channel *c, GString *out)
{
    g_string_append_printf(
        out, "bus master: %s%s%s, table at %#x\n", c->s.bmis & BMIS_ACTIVE ? "active" : "stopped",
        c->s.bmis & BMIS_ERROR ? ", error" : "", c->may_master ? "" : ", not enabled", c->s.bmidtp);
}
