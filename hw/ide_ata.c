/*
 * The IDE disk's commands, after ATA/ATAPI-5 (T13 1321D), for 48-bit addresses ATA/ATAPI-6 (T13
 * 1410D), for forced unit access ATA/ATAPI-7 (T13 1532D).
 *
 * Reads fetch up to 1024 sectors at once from the block layer and hand them out block by block, or
 * to the bus master as a whole; writes are gathered likewise, and the last interrupt of a write
 * comes when the data has reached the host.  FLUSH CACHE reaches the host's medium, and so does
 * every write while the write cache is off or when the command forces unit access.
 *
 * SMART is ide_smart.c.
 *
 * Not modelled: security, host protected area, power-up in standby, standby timers (the
 * drive never falls asleep by itself, and any command wakes it), READ/WRITE BUFFER, LONG and FORMAT
 * commands.
 */
#include "hw/ide_int.h"

enum { ATA_LBA48 = 1, ATA_MULTI = 2, ATA_DMA = 4, ATA_FUA = 8 }; /* flags of a command row */

struct ata_row {
    void (*fn)(struct ide_drive *d, unsigned flags);
    uint8_t flags;
};

static struct ide_channel_state *ata_channel(struct ide_drive *d)
{
    return &d->chan->s;
}

void ata_reset(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    s->phase = IDE_IDLE;
    s->intrq = false;
    s->status = d->kind == IDE_NONE ? 0 : IDE_STAT_DRDY | IDE_STAT_DSC;
    s->cylinders = d->cylinders;
    s->heads = d->heads;
    s->sectors = d->sectors;
    s->power = 0xff;
    ide_set_signature(d);
}

/* Addresses */

static uint32_t ata_get_count(const struct ide_drive_state *s, unsigned flags)
{
    if (flags & ATA_LBA48) {
        uint32_t n = (uint32_t)s->hob_nsector << 8 | s->nsector;
        return n ? n : 65536;
    }
    return s->nsector ? s->nsector : 256;
}

/* The first sector of the command, or UINT64_MAX when the CHS address does not exist. */
static uint64_t ata_get_lba(struct ide_drive *d, unsigned flags)
{
    const struct ide_drive_state *s = d->s;
    uint8_t select = ata_channel(d)->select;

    if (flags & ATA_LBA48) {
        return (uint64_t)s->hob_lbah << 40 | (uint64_t)s->hob_lbam << 32 |
               (uint64_t)s->hob_lbal << 24 | (uint32_t)s->lbah << 16 | (uint32_t)s->lbam << 8 |
               s->lbal;
    }
    if (select & IDE_DEV_LBA) {
        return (uint64_t)(select & 15) << 24 | (uint32_t)s->lbah << 16 | (uint32_t)s->lbam << 8 |
               s->lbal;
    }
    uint32_t cylinder = (uint32_t)s->lbah << 8 | s->lbam;
    uint32_t head = select & 15;
    if (s->lbal == 0 || s->lbal > s->sectors || head >= s->heads) {
        return UINT64_MAX;
    }
    return ((uint64_t)cylinder * s->heads + head) * s->sectors + s->lbal - 1;
}

/* Put a sector's address into the task file, in the form the command used. */
static void ata_put_lba(struct ide_drive *d, uint64_t lba, unsigned flags)
{
    struct ide_drive_state *s = d->s;
    uint8_t *select = &ata_channel(d)->select;

    if (!(flags & ATA_LBA48) && !(*select & IDE_DEV_LBA)) {
        uint32_t per_cylinder = (uint32_t)s->heads * s->sectors;
        uint32_t in_cylinder = per_cylinder ? (uint32_t)(lba % per_cylinder) : 0;
        uint32_t cylinder = per_cylinder ? (uint32_t)(lba / per_cylinder) : 0;
        *select = (uint8_t)((*select & 0xf0) | (s->sectors ? in_cylinder / s->sectors : 0));
        s->lbal = (uint8_t)((s->sectors ? in_cylinder % s->sectors : 0) + 1);
        s->lbam = (uint8_t)cylinder;
        s->lbah = (uint8_t)(cylinder >> 8);
        return;
    }
    s->lbal = (uint8_t)lba;
    s->lbam = (uint8_t)(lba >> 8);
    s->lbah = (uint8_t)(lba >> 16);
    if (flags & ATA_LBA48) {
        s->hob_lbal = (uint8_t)(lba >> 24);
        s->hob_lbam = (uint8_t)(lba >> 32);
        s->hob_lbah = (uint8_t)(lba >> 40);
    } else {
        *select = (uint8_t)((*select & 0xf0) | ((lba >> 24) & 15));
    }
}

static const struct ata_row *ata_find(uint8_t command);

/* Flags of the command under way. */
static unsigned ata_flags(struct ide_drive *d)
{
    const struct ata_row *row = ata_find(d->s->command);

    return row ? row->flags : 0;
}

/* Take lba and count from the task file; false, and the command failed, when the disk is not that
 * large. */
static bool ata_take_range(struct ide_drive *d, unsigned flags)
{
    struct ide_drive_state *s = d->s;
    uint64_t lba = ata_get_lba(d, flags);
    uint32_t count = ata_get_count(s, flags);

    s->power = 0xff;
    if (lba >= d->blk->sectors || count > d->blk->sectors - lba) {
        ide_fail(d, IDE_ERR_IDNF);
        return false;
    }
    s->lba = lba;
    s->left = count;
    return true;
}

/* The command is through: address of the last sector, no sector left. */
static void ata_put_result(struct ide_drive *d)
{
    d->s->nsector = 0;
    d->s->hob_nsector = 0;
    ata_put_lba(d, d->s->lba - 1, ata_flags(d));
}

static void ata_fail_at(struct ide_drive *d, uint8_t error)
{
    d->s->nsector = (uint8_t)d->s->left;
    d->s->hob_nsector = (uint8_t)(d->s->left >> 8);
    ata_put_lba(d, d->s->lba, ata_flags(d));
    ide_fail(d, error);
    smart_log_error(d);
}

/* Data transfer */

static bool ata_start_transfer(struct ide_drive *d, unsigned flags)
{
    if ((flags & ATA_MULTI) && !d->s->multi) {
        ide_fail(d, IDE_ERR_ABRT);
        return false;
    }
    d->s->drq_sectors = flags & ATA_MULTI ? d->s->multi : 1;
    d->s->pos = d->s->end = d->s->filled = 0;
    return ata_take_range(d, flags);
}

static void ata_read_fill(struct ide_drive *d, uint32_t count)
{
    ide_submit(d, IDE_IO_READ, d->s->lba, count, 0);
}

static void ata_read(struct ide_drive *d, unsigned flags)
{
    if (ata_start_transfer(d, flags)) {
        ide_submit_first(d, IDE_IO_READ, d->s->lba, MIN(d->s->left, IDE_BUF_SECTORS), 0);
    }
}

static void ata_read_next(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    bool dma = ata_flags(d) & ATA_DMA;

    if (s->pos < s->filled && dma) {
        ide_data_phase(d, IDE_DMA_IN, IDE_AFTER_READ, s->pos, s->filled, false);
    } else if (s->pos < s->filled) {
        uint32_t end = MIN(s->filled, s->pos + s->drq_sectors * SECTOR_BYTES);
        ide_data_phase(d, IDE_IN, IDE_AFTER_READ, s->pos, end, true);
    } else if (s->left) {
        ata_read_fill(d, MIN(s->left, IDE_BUF_SECTORS));
    } else if (dma) {
        ata_put_result(d);
        ide_done(d);
    } else { /* no interrupt after the last block of a read */
        s->phase = IDE_IDLE;
        s->status = IDE_STAT_DRDY | IDE_STAT_DSC;
        ata_put_result(d);
    }
}

static void ata_read_done(struct ide_drive *d, int error)
{
    struct ide_drive_state *s = d->s;
    uint32_t count = s->io_count;

    if (error && count > s->drq_sectors) {
        ata_read_fill(d, s->drq_sectors); /* sectors before the bad one are still good */
        return;
    }
    if (error) {
        ata_fail_at(d, IDE_ERR_UNC);
        return;
    }
    s->lba += count;
    s->left -= count;
    s->pos = 0;
    s->filled = count * SECTOR_BYTES;
    ata_read_next(d);
}

static void ata_write_next(struct ide_drive *d, bool irq)
{
    struct ide_drive_state *s = d->s;
    uint32_t room = s->left - s->filled / SECTOR_BYTES;
    uint32_t n = MIN(room, s->drq_sectors);

    if (ata_flags(d) & ATA_DMA) {
        n = MIN(s->left, IDE_BUF_SECTORS);
        ide_data_phase(d, IDE_DMA_OUT, IDE_AFTER_WRITE, 0, n * SECTOR_BYTES, false);
        return;
    }
    ide_data_phase(d, IDE_OUT, IDE_AFTER_WRITE, s->filled, s->filled + n * SECTOR_BYTES, irq);
}

static void ata_write(struct ide_drive *d, unsigned flags)
{
    if (d->blk->readonly) {
        ide_fail(d, IDE_ERR_ABRT);
        return;
    }
    if (ata_start_transfer(d, flags)) {
        ata_write_next(d, false); /* the first block is asked for without an interrupt */
    }
}

/* One block came in: ask for the next, or write what was gathered. */
static void ata_write_block(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint32_t gathered = s->end / SECTOR_BYTES;

    s->filled = s->end;
    if (gathered == s->left || gathered + s->drq_sectors > IDE_BUF_SECTORS) {
        ide_submit(d, IDE_IO_WRITE, s->lba, gathered, 0);
    } else {
        ata_write_next(d, true);
    }
}

static void ata_write_done(struct ide_drive *d, int error)
{
    struct ide_drive_state *s = d->s;

    if (error) {
        ata_fail_at(d, IDE_ERR_IDNF);
        return;
    }
    s->lba += s->io_count;
    s->left -= s->io_count;
    s->filled = 0;
    if (s->left) {
        ata_write_next(d, true);
    } else if (!s->write_cache || (ata_flags(d) & ATA_FUA)) {
        ide_submit(d, IDE_IO_WRITE_THROUGH, 0, 0, 0);
    } else {
        ata_put_result(d);
        ide_done(d);
    }
}

/* READ VERIFY: the data is read, and goes nowhere. */
static void ata_verify_fill(struct ide_drive *d, uint32_t count)
{
    ide_submit(d, IDE_IO_VERIFY, d->s->lba, count, 0);
}

static void ata_verify(struct ide_drive *d, unsigned flags)
{
    if (ata_take_range(d, flags)) {
        ata_verify_fill(d, MIN(d->s->left, IDE_BUF_SECTORS));
    }
}

static void ata_verify_done(struct ide_drive *d, int error)
{
    struct ide_drive_state *s = d->s;

    if (error && s->io_count > 1) {
        ata_verify_fill(d, 1); /* which sector is it? */
        return;
    }
    if (error) {
        ata_fail_at(d, IDE_ERR_UNC);
        return;
    }
    s->lba += s->io_count;
    s->left -= s->io_count;
    if (s->left) {
        ata_verify_fill(d, MIN(s->left, IDE_BUF_SECTORS));
    } else {
        ata_put_result(d);
        ide_done(d);
    }
}

static void ata_write_through_done(struct ide_drive *d, int error)
{
    if (error) {
        ide_fail(d, IDE_ERR_ABRT);
    } else {
        ata_put_result(d);
        ide_done(d);
    }
}

void ata_data_end(struct ide_drive *d)
{
    switch (d->s->after) {
    case IDE_AFTER_READ:
        ata_read_next(d);
        break;
    case IDE_AFTER_WRITE:
        ata_write_block(d);
        break;
    default:
        d->s->phase = IDE_IDLE;
        d->s->status = IDE_STAT_DRDY | IDE_STAT_DSC;
    }
}

void ata_io_done(struct ide_drive *d, int error)
{
    switch (d->s->io) {
    case IDE_IO_READ:
        ata_read_done(d, error);
        break;
    case IDE_IO_WRITE:
        ata_write_done(d, error);
        break;
    case IDE_IO_WRITE_THROUGH:
        ata_write_through_done(d, error);
        break;
    case IDE_IO_SELF_TEST:
        smart_io_done(d, error);
        break;
    case IDE_IO_VERIFY:
        ata_verify_done(d, error);
        break;
    default: /* flush */
        if (error) {
            ide_fail(d, IDE_ERR_ABRT);
        } else {
            ide_done(d);
        }
    }
}

/* Commands without data for the guest */

static void ata_seek(struct ide_drive *d, unsigned flags)
{
    if (ata_get_lba(d, flags) >= d->blk->sectors) {
        ide_fail(d, IDE_ERR_IDNF);
    } else {
        ide_done(d);
    }
}

static void ata_recalibrate(struct ide_drive *d, unsigned flags)
{
    (void)flags;
    d->s->lbam = d->s->lbah = 0;
    ide_done(d);
}

static void ata_flush(struct ide_drive *d, unsigned flags)
{
    (void)flags;
    ide_submit(d, IDE_IO_FLUSH, 0, 0, 0);
}

static void ata_init_params(struct ide_drive *d, unsigned flags)
{
    struct ide_drive_state *s = d->s;
    uint8_t heads = (ata_channel(d)->select & 15) + 1;

    (void)flags;
    if (!s->nsector) {
        ide_fail(d, IDE_ERR_ABRT);
        return;
    }
    s->heads = heads;
    s->sectors = s->nsector;
    s->cylinders = (uint16_t)MIN(d->blk->sectors / ((uint32_t)heads * s->sectors), 65535);
    ide_done(d);
}

static void ata_set_multiple(struct ide_drive *d, unsigned flags)
{
    uint8_t n = d->s->nsector;

    (void)flags;
    if (n > IDE_MAX_MULTI || (n & (n - 1))) {
        ide_fail(d, IDE_ERR_ABRT);
        return;
    }
    d->s->multi = n; /* 0 disables the MULTIPLE commands */
    ide_done(d);
}

/* PIO modes need no note; of the DMA modes the last one set is the one in use. */
bool ata_set_transfer_mode(struct ide_drive *d, uint8_t mode)
{
    uint8_t last_udma = d->kind == IDE_CD ? 0x42 : 0x45;

    if ((mode >= 0x20 && mode <= 0x22) || (mode >= 0x40 && mode <= last_udma)) {
        d->s->dma_mode = mode;
        return true;
    }
    return mode <= 1 || (mode >= 8 && mode <= 12); /* default; flow control modes 0..4 */
}

static void ata_set_features(struct ide_drive *d, unsigned flags)
{
    struct ide_drive_state *s = d->s;
    bool ok = true;

    switch (s->feature) {
    case 0x02:
        s->write_cache = true;
        break;
    case 0x82: /* what the cache holds goes to the medium first */
        s->write_cache = false;
        ata_flush(d, flags);
        return;
    case 0xaa:
    case 0x55:
        s->look_ahead = s->feature == 0xaa;
        break;
    case 0x03:
        ok = ata_set_transfer_mode(d, s->nsector);
        break;
    case 0x66: /* keep or revert settings at a software reset: they are kept */
    case 0xcc:
        break;
    default:
        ok = false;
    }
    if (ok) {
        ide_done(d);
    } else {
        ide_fail(d, IDE_ERR_ABRT);
    }
}

/* The heads are parked when everything is on the medium. */
static void ata_standby(struct ide_drive *d, unsigned flags)
{
    d->s->power = 0;
    ata_flush(d, flags);
}

static void ata_idle(struct ide_drive *d, unsigned flags)
{
    (void)flags;
    d->s->power = 0x80;
    ide_done(d);
}

static void ata_check_power(struct ide_drive *d, unsigned flags)
{
    (void)flags;
    d->s->nsector = d->s->power;
    ide_done(d);
}

static void ata_read_native_max(struct ide_drive *d, unsigned flags)
{
    uint64_t last = d->blk->sectors - 1;

    ata_put_lba(d, flags & ATA_LBA48 ? last : MIN(last, 0x0fffffff), flags);
    ide_done(d);
}

static void ata_smart(struct ide_drive *d, unsigned flags)
{
    (void)flags;
    smart_command(d);
}

static void ata_identify_disk(struct ide_drive *d, unsigned flags)
{
    (void)flags;
    ata_identify(d);
}

/* The command table */

static const struct ata_row *ata_find(uint8_t command)
{
    static const struct ata_row rows[256] = {
        [0x10 ... 0x1f] = {ata_recalibrate, 0},
        [0x20] = {ata_read, 0},
        [0x21] = {ata_read, 0},
        [0x24] = {ata_read, ATA_LBA48},
        [0x25] = {ata_read, ATA_LBA48 | ATA_DMA},
        [0x27] = {ata_read_native_max, ATA_LBA48},
        [0x29] = {ata_read, ATA_LBA48 | ATA_MULTI},
        [0x30] = {ata_write, 0},
        [0x31] = {ata_write, 0},
        [0x34] = {ata_write, ATA_LBA48},
        [0x35] = {ata_write, ATA_LBA48 | ATA_DMA},
        [0x39] = {ata_write, ATA_LBA48 | ATA_MULTI},
        [0x3c] = {ata_write, 0}, /* WRITE VERIFY */
        [0x3d] = {ata_write, ATA_LBA48 | ATA_DMA | ATA_FUA},
        [0x40] = {ata_verify, 0},
        [0x41] = {ata_verify, 0},
        [0x42] = {ata_verify, ATA_LBA48},
        [0x70 ... 0x7f] = {ata_seek, 0},
        [0x91] = {ata_init_params, 0},
        [0x94] = {ata_standby, 0},
        [0x95] = {ata_idle, 0},
        [0x96] = {ata_standby, 0},
        [0x97] = {ata_idle, 0},
        [0x98] = {ata_check_power, 0},
        [0x99] = {ata_standby, 0}, /* SLEEP */
        [0xb0] = {ata_smart, 0},
        [0xc4] = {ata_read, ATA_MULTI},
        [0xc5] = {ata_write, ATA_MULTI},
        [0xc6] = {ata_set_multiple, 0},
        [0xc8] = {ata_read, ATA_DMA},
        [0xc9] = {ata_read, ATA_DMA},
        [0xca] = {ata_write, ATA_DMA},
        [0xcb] = {ata_write, ATA_DMA},
        [0xce] = {ata_write, ATA_LBA48 | ATA_MULTI | ATA_FUA},
        [0xe0] = {ata_standby, 0},
        [0xe1] = {ata_idle, 0},
        [0xe2] = {ata_standby, 0},
        [0xe3] = {ata_idle, 0},
        [0xe5] = {ata_check_power, 0},
        [0xe6] = {ata_standby, 0}, /* SLEEP */
        [0xe7] = {ata_flush, 0},
        [0xea] = {ata_flush, ATA_LBA48},
        [0xec] = {ata_identify_disk, 0},
        [0xef] = {ata_set_features, 0},
        [0xf8] = {ata_read_native_max, 0},
    };

    return rows[command].fn ? &rows[command] : NULL;
}

void ata_command(struct ide_drive *d, uint8_t command)
{
    const struct ata_row *row = ata_find(command);

    if (row) {
        row->fn(d, row->flags);
    } else {
        ide_fail(d, IDE_ERR_ABRT); /* NOP among them */
    }
}
