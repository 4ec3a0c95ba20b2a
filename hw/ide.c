/*
 * An IDE channel of the PIIX4: task file, device selection, data port, interrupts and reset, after
 * ATA/ATAPI-5 (T13 1321D) with the 48-bit registers of ATA/ATAPI-6.  The drives' commands are in
 * ide_ata.c and atapi.c, the bus master is ide_dma.c.
 *
 * A channel with no drive floats: DD7 is pulled low, everything else high, so that registers read
 * as 0x7f.  A lone master answers for the missing slave: its registers can be read and written,
 * status reads as 0, commands are ignored.  A lone slave leaves the master floating.
 *
 * Not modelled: transfer timing, overlapped commands, CompactFlash, the
 * drive address register.
 */
#include "hw/ide_int.h"
#include "hw/ide.h"

enum { IDE_FLOATING = 0x7f };

static struct ide_channel *ide_channel(struct device *dev)
{
    return container_of(dev, struct ide_channel, dev);
}

static bool ide_is_empty(const struct ide_channel *c)
{
    return c->drive[0].kind == IDE_NONE && c->drive[1].kind == IDE_NONE;
}

static void ide_update_irq(struct ide_channel *c)
{
    bool level = ide_selected(c)->s->intrq && !(c->s.devctl & IDE_CTL_NIEN);

    if (level && !c->s.irq.level) {
        ide_dma_interrupt(c);
    }
    line_set(&c->s.irq, level);
}

/* Calls for the command sets */

void ide_raise(struct ide_drive *d)
{
    d->s->intrq = true;
    ide_update_irq(d->chan);
}

void ide_done(struct ide_drive *d)
{
    d->s->phase = IDE_IDLE;
    d->s->status = IDE_STAT_DRDY | IDE_STAT_DSC;
    d->s->error = 0;
    ide_raise(d);
}

void ide_fail(struct ide_drive *d, uint8_t error)
{
    trace(&d->chan->dev, TR_GUEST, "drive %u: command %02x fails, error %02x", d->unit,
          d->s->command, error);
    d->s->phase = IDE_IDLE;
    d->s->status = IDE_STAT_DRDY | IDE_STAT_DSC | IDE_STAT_ERR;
    d->s->error = error;
    ide_raise(d);
}

void ide_data_phase(struct ide_drive *d, enum ide_phase phase, enum ide_after after, uint32_t pos,
                    uint32_t end, bool irq)
{
    g_assert(pos < end && end <= IDE_BUF_BYTES);
    d->s->phase = phase;
    d->s->after = after;
    d->s->pos = pos;
    d->s->end = end;
    d->s->status = IDE_STAT_DRDY | IDE_STAT_DSC | IDE_STAT_DRQ;
    if (irq) {
        ide_raise(d);
    }
    if (phase == IDE_DMA_IN || phase == IDE_DMA_OUT) {
        ide_dma_run(d->chan);
    }
}

static void ide_finish_reset(struct ide_drive *d)
{
    if (d->kind == IDE_CD) {
        atapi_reset(d, false);
    } else {
        ata_reset(d);
    }
}

static void ide_io_done(struct block_req *req)
{
    struct ide_drive *d = req->opaque;

    if (d->s->phase == IDE_RESET && !(d->chan->s.devctl & IDE_CTL_SRST)) {
        ide_finish_reset(d);
    }
    if (d->s->phase != IDE_IO) {
        return; /* of before a reset */
    }
    if (d->kind == IDE_CD) {
        atapi_io_done(d, req->error);
    } else {
        ata_io_done(d, req->error);
    }
}

static void ide_prepare(struct ide_drive *d, enum ide_io io, uint64_t sector, uint32_t count,
                        uint32_t at)
{
    bool flush = io == IDE_IO_FLUSH || io == IDE_IO_WRITE_THROUGH;

    g_assert(!d->req.busy && at + count * SECTOR_BYTES <= IDE_BUF_BYTES);
    d->s->phase = IDE_IO;
    d->s->io = io;
    d->s->io_count = count;
    d->s->status = IDE_STAT_BSY | IDE_STAT_DSC;
    d->req.op = flush ? BLOCK_FLUSH : io == IDE_IO_WRITE ? BLOCK_WRITE : BLOCK_READ;
    d->req.sector = sector;
    d->req.count = count;
    d->req.buf = d->s->buf + at;
    d->req.done = ide_io_done;
    d->req.opaque = d;
}

void ide_submit(struct ide_drive *d, enum ide_io io, uint64_t sector, uint32_t count, uint32_t at)
{
    ide_prepare(d, io, sector, count, at);
    block_submit(d->blk, &d->req);
}

void ide_submit_first(struct ide_drive *d, enum ide_io io, uint64_t sector, uint32_t count,
                      uint32_t at)
{
    ide_prepare(d, io, sector, count, at);
    if (count <= IDE_NOW_SECTORS && block_read_now(d->blk, &d->req)) {
        ide_io_done(&d->req);
    } else {
        block_submit(d->blk, &d->req);
    }
}

void ide_set_signature(struct ide_drive *d)
{
    d->s->error = 1;
    d->s->nsector = 1;
    d->s->lbal = 1;
    d->s->lbam = d->kind == IDE_CD ? 0x14 : 0;
    d->s->lbah = d->kind == IDE_CD ? 0xeb : 0;
}

/* The data port.  The guest's REP INSW and REP OUTSW live here: the common case first, and short.
 */

void ide_data_end(struct ide_drive *d)
{
    if (d->kind == IDE_CD) {
        atapi_data_end(d);
    } else {
        ata_data_end(d);
    }
}

static uint32_t ide_data_read(struct device *dev, unsigned off, unsigned size)
{
    struct ide_channel *c = ide_channel(dev);
    struct ide_drive *d = ide_selected(c);
    struct ide_drive_state *s = d->s;
    uint32_t val = 0;

    (void)off;
    if (unlikely(s->phase != IDE_IN)) {
        return ide_is_empty(c) ? 0xffffff7f : 0;
    }
    memcpy(&val, s->buf + s->pos, MIN(size, s->end - s->pos));
    s->pos += size;
    if (unlikely(s->pos >= s->end)) {
        s->pos = s->end;
        ide_data_end(d);
    }
    return GUINT32_FROM_LE(val);
}

static void ide_data_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct ide_drive *d = ide_selected(ide_channel(dev));
    struct ide_drive_state *s = d->s;

    (void)off;
    if (unlikely(s->phase != IDE_OUT)) {
        return;
    }
    val = GUINT32_TO_LE(val);
    memcpy(s->buf + s->pos, &val, MIN(size, s->end - s->pos));
    s->pos += size;
    if (unlikely(s->pos >= s->end)) {
        s->pos = s->end;
        ide_data_end(d);
    }
}

/* The other registers: offset 1..7 of the command block */

static void ide_execute(struct ide_channel *c, uint8_t command)
{
    struct ide_drive *d = ide_selected(c);

    if (command ==
        0x90) { /* EXECUTE DEVICE DIAGNOSTIC is for both drives, answered by the master */
        c->s.select &= (uint8_t) ~(IDE_DEV_DEV1 | 0x0f);
        for (unsigned i = 0; i < 2; i++) {
            if (c->drive[i].kind != IDE_NONE && c->drive[i].s->phase == IDE_IDLE) {
                c->drive[i].s->command = command;
                ide_set_signature(&c->drive[i]);
                c->drive[i].s->status =
                    c->drive[i].kind == IDE_CD ? 0 : IDE_STAT_DRDY | IDE_STAT_DSC;
            }
        }
        if (c->drive[0].kind != IDE_NONE) {
            ide_raise(&c->drive[0]);
        }
        return;
    }
    if (d->kind == IDE_NONE) {
        return;
    }
    bool is_device_reset = command == 0x08 && d->kind == IDE_CD;
    if ((d->s->status & (IDE_STAT_BSY | IDE_STAT_DRQ)) && !is_device_reset) {
        guest_error(&c->dev, "command %02x while status is %02x", command, d->s->status);
        return;
    }
    trace(&c->dev, TR_STATE,
          "drive %u: command %02x feature %02x count %02x lba %02x:%02x:%02x dev %02x", d->unit,
          command, d->s->feature, d->s->nsector, d->s->lbah, d->s->lbam, d->s->lbal, c->s.select);
    d->s->intrq = false;
    ide_update_irq(c);
    d->s->command = command;
    d->s->error = 0;
    if (d->kind == IDE_CD) {
        atapi_command(d, command);
    } else {
        ata_command(d, command);
    }
}

/* Writes reach both drives, as on the cable; the old value moves to the "high order byte" of 48-bit
 * commands. */
static void ide_write_task_file(struct ide_channel *c, unsigned off, uint8_t val)
{
    c->s.devctl &= (uint8_t)~IDE_CTL_HOB;
    if (ide_selected(c)->s->status & (IDE_STAT_BSY | IDE_STAT_DRQ)) {
        return;
    }
    if (off == 6) {
        c->s.select = val;
        ide_update_irq(c);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive_state *s = c->drive[i].s;
        uint8_t *reg[] = {NULL, &s->feature, &s->nsector, &s->lbal, &s->lbam, &s->lbah};
        uint8_t *hob[] = {NULL,         &s->hob_feature, &s->hob_nsector,
                          &s->hob_lbal, &s->hob_lbam,    &s->hob_lbah};
        if (!(s->status & (IDE_STAT_BSY | IDE_STAT_DRQ))) {
            *hob[off] = *reg[off];
            *reg[off] = val;
        }
    }
}

static void ide_reg_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct ide_channel *c = ide_channel(dev);

    (void)size;
    if (off + 1 == 7) {
        ide_execute(c, (uint8_t)val);
    } else {
        ide_write_task_file(c, off + 1, (uint8_t)val);
    }
}

/* Status as the guest sees it, or -1: the bus floats. */
static int ide_status(struct ide_channel *c)
{
    struct ide_drive *d = ide_selected(c);

    if (d->kind != IDE_NONE) {
        return d->s->status;
    }
    return d->unit == 1 && c->drive[0].kind != IDE_NONE ? 0 : -1;
}

static uint32_t ide_reg_read(struct device *dev, unsigned off, unsigned size)
{
    struct ide_channel *c = ide_channel(dev);
    int status = ide_status(c);

    (void)size;
    if (status < 0) {
        return IDE_FLOATING;
    }
    /* A master answers for the slave it does not have. */
    struct ide_drive *d = ide_selected(c)->kind == IDE_NONE ? &c->drive[0] : ide_selected(c);
    struct ide_drive_state *s = d->s;
    bool hob = c->s.devctl & IDE_CTL_HOB;

    if (off + 1 == 7) {
        ide_selected(c)->s->intrq = false;
        ide_update_irq(c);
        return (uint32_t)status;
    }
    if (status & IDE_STAT_BSY) {
        return (uint32_t)status;
    }
    switch (off + 1) {
    case 1:
        return hob ? s->hob_feature : s->error;
    case 2:
        return hob ? s->hob_nsector : s->nsector;
    case 3:
        return hob ? s->hob_lbal : s->lbal;
    case 4:
        return hob ? s->hob_lbam : s->lbam;
    case 5:
        return hob ? s->hob_lbah : s->lbah;
    default:
        return c->s.select;
    }
}

/* The control block: alternate status and device control */

static uint32_t ide_ctl_read(struct device *dev, unsigned off, unsigned size)
{
    int status = ide_status(ide_channel(dev));

    (void)off, (void)size;
    return status < 0 ? IDE_FLOATING : (uint32_t)status;
}

static void ide_start_srst(struct ide_channel *c)
{
    for (unsigned i = 0; i < 2; i++) {
        if (c->drive[i].kind != IDE_NONE) {
            c->drive[i].s->phase = IDE_RESET;
            c->drive[i].s->status = IDE_STAT_BSY | IDE_STAT_DSC;
            c->drive[i].s->intrq = false;
        }
    }
}

/* A drive whose last request is not back from the host stays busy: its buffer is still in use. */
static void ide_end_srst(struct ide_channel *c)
{
    c->s.select = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (c->drive[i].kind != IDE_NONE && !c->drive[i].req.busy) {
            ide_finish_reset(&c->drive[i]);
        } else {
            ide_set_signature(&c->drive[i]);
        }
    }
}

static void ide_ctl_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct ide_channel *c = ide_channel(dev);
    uint8_t old = c->s.devctl;

    (void)off, (void)size;
    c->s.devctl = (uint8_t)val;
    if (val & ~old & IDE_CTL_SRST) {
        trace(dev, TR_STATE, "software reset");
        ide_start_srst(c);
    } else if (old & ~val & IDE_CTL_SRST) {
        ide_end_srst(c);
    }
    ide_update_irq(c);
}

/* The device */

static bool ide_attach_drive(struct ide_channel *c, unsigned row, GError **err)
{
    const struct drive_config *config = &c->dev.m->config.drives[row];
    struct block *blk = c->dev.m->drives[row];
    struct ide_drive *d = &c->drive[config->index & 1];

    if (d->kind != IDE_NONE) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "%s: IDE place %u is taken twice; give each drive its own index",
                    config->file ? config->file : "CD drive", config->index);
        return false;
    }
    if (config->media == DRIVE_DISK && !blk) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "IDE place %u: a disk needs an image file", config->index);
        return false;
    }
    d->kind = config->media == DRIVE_DISK ? IDE_DISK : IDE_CD;
    d->row = row;
    d->blk = blk;
    ata_attach(d);
    return true;
}

void ide_set_decode(struct device *dev, bool on)
{
    static const struct port_range data = {
        .count = 1,
        .sizes = SIZE_1 | SIZE_2 | SIZE_4,
        .read = ide_data_read,
        .write = ide_data_write,
    };
    static const struct port_range regs = {
        .count = 7,
        .sizes = SIZE_1,
        .read = ide_reg_read,
        .write = ide_reg_write,
    };
    static const struct port_range ctl = {
        .count = 1,
        .sizes = SIZE_1,
        .read = ide_ctl_read,
        .write = ide_ctl_write,
    };
    struct ide_channel *c = ide_channel(dev);
    uint16_t base = c->channel ? 0x170 : 0x1f0;

    if (on == (c->claim[0] != NULL)) {
        return;
    }
    if (on) {
        c->claim[0] = ports_claim(dev, &data, base);
        c->claim[1] = ports_claim(dev, &regs, base + 1);
        c->claim[2] = ports_claim(dev, &ctl, base + 0x206);
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(c->claim); i++) {
        ports_release(dev->m, c->claim[i]);
        c->claim[i] = NULL;
    }
}

static bool ide_attach(struct device *dev, GError **err)
{
    struct ide_channel *c = ide_channel(dev);
    struct machine *m = dev->m;

    for (unsigned i = 0; i < 2; i++) {
        c->drive[i].unit = i;
        c->drive[i].chan = c;
        c->drive[i].s = &c->s.drive[i];
    }
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        const struct drive_config *config = &m->config.drives[i];
        if (config->used && config->interface == DRIVE_IDE && config->index / 2 == c->channel &&
            !ide_attach_drive(c, i, err)) {
            return false;
        }
    }
    ide_set_decode(dev, true);
    return true;
}

static void ide_reset(struct device *dev)
{
    struct ide_channel *c = ide_channel(dev);

    for (unsigned i = 0; i < 2; i++) {
        if (c->drive[i].kind == IDE_CD) {
            atapi_reset(&c->drive[i], true);
        } else {
            ata_reset(&c->drive[i]);
        }
    }
}

/* Whether a data phase can be gone on with as it was loaded. */
static bool ide_is_sane(const struct ide_drive *d)
{
    const struct ide_drive_state *s = d->s;
    bool is_cut = s->after == IDE_AFTER_CD_DATA || s->after == IDE_AFTER_CD_PARAM;

    if (d->kind == IDE_NONE || s->pos >= s->end || !s->drq_sectors) {
        return false;
    }
    if (s->after == IDE_AFTER_WRITE) { /* whole sectors, and no more than the command has */
        return s->left && s->end % SECTOR_BYTES == 0 && s->end / SECTOR_BYTES <= s->left;
    }
    return (!is_cut || s->packet_dma || s->byte_limit >= 2) &&
           (s->cd_unit == CD_SECTOR || s->cd_unit == CD_RAW_SECTOR);
}

/* A snapshot is hostile input: a phase that cannot be continued becomes a failed command. */
static void ide_loaded(struct device *dev)
{
    struct ide_channel *c = ide_channel(dev);

    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive_state *s = c->drive[i].s;
        bool is_data = s->phase != IDE_IDLE && s->phase != IDE_IO && s->phase != IDE_RESET;
        if (s->phase == IDE_IO || (is_data && !ide_is_sane(&c->drive[i]))) {
            s->phase = IDE_IDLE;
            s->status = IDE_STAT_DRDY | IDE_STAT_ERR;
            s->error = IDE_ERR_ABRT;
        }
    }
}

static void ide_info_drive(const struct ide_drive *d, GString *out)
{
    const struct ide_drive_state *s = d->s;

    g_string_append_printf(out, "%s: ", d->unit ? "slave" : "master");
    if (d->kind == IDE_NONE) {
        g_string_append(out, "none\n");
        return;
    }
    g_string_append_printf(out, "%s%s%s", d->kind == IDE_DISK ? "disk" : "CD drive",
                           d->blk && d->blk->path ? " " : "",
                           d->blk && d->blk->path ? d->blk->path : "");
    if (d->blk) {
        g_string_append_printf(out, ", %" PRIu64 " sectors of 512 bytes", d->blk->sectors);
    }
    if (d->kind == IDE_CD) {
        g_string_append_printf(out, "%s%s%s", d->blk ? "" : ", empty",
                               s->tray_open ? ", tray open" : "", s->locked ? ", locked" : "");
    } else {
        g_string_append_printf(out, ", write cache %s", s->write_cache ? "on" : "off");
    }
    g_string_append_printf(out, ", %s DMA mode %u\n", s->dma_mode & 0x40 ? "ultra" : "multiword",
                           s->dma_mode & 7);
}

static void ide_info(struct device *dev, GString *out)
{
    struct ide_channel *c = ide_channel(dev);

    for (unsigned i = 0; i < 2; i++) {
        ide_info_drive(&c->drive[i], out);
    }
    ide_dma_info(c, out);
}

struct line *ide_irq(struct device *dev)
{
    return &ide_channel(dev)->s.irq;
}

bool ide_change_medium(struct device *dev, unsigned unit, struct block *blk, bool force,
                       struct block **old)
{
    struct ide_drive *d = &ide_channel(dev)->drive[unit & 1];

    if (d->kind != IDE_CD || !atapi_change_medium(d, blk, force, old)) {
        return false;
    }
    dev->m->drives[d->row] = blk;
    return true;
}

bool ide_tray(struct device *dev, unsigned unit, bool *open, bool *locked)
{
    const struct ide_drive *d = &ide_channel(dev)->drive[unit & 1];

    *open = d->s->tray_open;
    *locked = d->s->locked;
    return d->kind == IDE_CD;
}

#define D(m, ...) STATE(struct ide_drive_state, m, __VA_ARGS__)
static const struct state_field ide_drive_fields[] = {
    D(lba),
    D(left),
    D(pos, .max = IDE_BUF_BYTES),
    D(end, .max = IDE_BUF_BYTES),
    D(filled, .max = IDE_BUF_BYTES),
    D(io_count, .max = IDE_BUF_SECTORS),
    D(cylinders),
    D(byte_limit, .reset = 2),
    D(cd_unit, .max = CD_RAW_SECTOR, .reset = CD_SECTOR),
    D(heads),
    D(sectors),
    D(error),
    D(feature),
    D(nsector),
    D(lbal),
    D(lbam),
    D(lbah),
    D(status),
    D(command),
    D(hob_feature),
    D(hob_nsector),
    D(hob_lbal),
    D(hob_lbam),
    D(hob_lbah),
    D(phase, .max = IDE_PHASE_MAX),
    D(after, .max = IDE_AFTER_MAX),
    D(io, .max = IDE_IO_MAX),
    D(intrq),
    D(multi, .max = IDE_MAX_MULTI, .reset = IDE_MAX_MULTI),
    D(drq_sectors, .max = IDE_MAX_MULTI, .reset = 1),
    D(dma_mode, .reset = IDE_UDMA2),
    D(power, .reset = 0xff),
    D(write_cache, .reset = true),
    D(look_ahead, .reset = true),
    D(smart_on, .keep = true),
    D(smart_test),
    D(smart_status),
    D(smart_pending, .keep = true),
    D(sense_key),
    D(asc),
    D(ascq),
    D(attention),
    D(media_event),
    D(locked),
    D(tray_open, .keep = true),
    D(packet_dma),
    STATE_ARRAY(struct ide_drive_state, cdb),
    STATE_HOLE(struct ide_drive_state, hole),
    STATE_ARRAY(struct ide_drive_state, smart_errors, .keep = true),
    STATE_ARRAY(struct ide_drive_state, smart_tests, .keep = true),
    STATE_ARRAY(struct ide_drive_state, buf, .keep = true),
    STATE_END,
};

#define C(m, ...) STATE(struct ide_channel, s.m, __VA_ARGS__)
static const struct state_field ide_state[] = {
    C(irq),
    C(bmidtp),
    C(bm_next),
    C(bm_addr),
    C(bm_left, .max = 0x10000),
    C(bm_last),
    C(bmic),
    C(bmis),
    C(select),
    C(devctl),
    STATE_HOLE(struct ide_channel, s.hole),
    STATE_STRUCTS(struct ide_channel, s.drive, ide_drive_fields),
    STATE_END,
};
#undef C
#undef D

static const struct prop ide_props[] = {
    PROP_DEF_UINT(struct ide_channel, channel, "channel", 0, 1, "0: primary, 1: secondary"),
    PROP_DEF_END,
};

const struct device_ops ide_ops = {
    .name = "ide",
    .title = "IDE channel with two drives",
    DEVICE_STATE(struct ide_channel),
    .state = ide_state,
    .props = ide_props,
    .attach = ide_attach,
    .reset = ide_reset,
    .loaded = ide_loaded,
    .info = ide_info,
};
