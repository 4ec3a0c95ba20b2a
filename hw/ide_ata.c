/*
 * The IDE disk's commands, after ATA/ATAPI-5 (T13 1321D) and, for 48-bit addresses, ATA/ATAPI-6
 * (T13 1410D).
 *
 * Reads fetch up to 64 sectors at once from the block layer and hand them out block by block;
 * writes are gathered likewise, and the last interrupt of a write comes when the data has reached
 * the host.  FLUSH CACHE reaches the host's medium.
 *
 * Not modelled: DMA and SMART (issue 3), security, host protected area, power-up in standby, READ
 * VERIFY of the medium (only the range is checked), READ/WRITE BUFFER, LONG and FORMAT commands.
 */
#include "hw/ide_int.h"

enum { ATA_LBA48 = 1, ATA_MULTI = 2 }; /* flags of a command row */

struct ata_row {
    void (*fn)(struct ide_drive *d, unsigned flags);
    uint8_t flags;
};

static struct ide_channel_state *ata_channel(struct ide_drive *d)
{
    return &d->chan->s;
}

void ata_put_string(uint8_t *to, const char *text, unsigned len)
{
    memset(to, ' ', len);
    for (unsigned i = 0; i < len && text[i]; i++) {
        to[i ^ 1] = (uint8_t)text[i];
    }
}

/* 16 heads and 63 sectors are what BIOSes expect; smaller where the disk has not even one such
 * cylinder. */
static void ata_set_geometry(struct ide_drive *d)
{
    uint64_t total = d->blk->sectors;

    d->heads = total >= 16 * 63 ? 16 : 1;
    d->sectors = total >= 63 ? 63 : (uint8_t)MAX(total, 1);
    d->cylinders = (uint16_t)CLAMP(total / (d->heads * d->sectors), 1, 16383);
}

/* The serial number must not change from run to run: it is made from the image's path and the
 * place. */
void ata_attach(struct ide_drive *d)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    const char *path = d->blk && d->kind == IDE_DISK ? d->blk->path : NULL;

    for (const char *p = path ? path : ""; *p; p++) {
        hash = (hash ^ (uint8_t)*p) * 0x100000001b3;
    }
    hash = (hash ^ (d->chan->channel * 2 + d->unit)) * 0x100000001b3;
    g_snprintf(d->serial, sizeof d->serial, "CND%017" PRIX64, hash);
    if (d->kind == IDE_DISK) {
        ata_set_geometry(d);
    }
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
        ata_read_fill(d, MIN(d->s->left, IDE_BUF_SECTORS));
    }
}

static void ata_read_next(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    if (s->pos < s->filled) {
        uint32_t end = MIN(s->filled, s->pos + s->drq_sectors * SECTOR_BYTES);
        ide_data_phase(d, IDE_IN, IDE_AFTER_READ, s->pos, end, true);
    } else if (s->left) {
        ata_read_fill(d, MIN(s->left, IDE_BUF_SECTORS));
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
    default: /* flush */
        if (error) {
            ide_fail(d, IDE_ERR_ABRT);
        } else {
            ide_done(d);
        }
    }
}

/* Commands without transfer to the medium */

static void ata_verify(struct ide_drive *d, unsigned flags)
{
    if (ata_take_range(d, flags)) {
        d->s->lba += d->s->left;
        ata_put_result(d);
        ide_done(d);
    }
}

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

static void ata_set_features(struct ide_drive *d, unsigned flags)
{
    struct ide_drive_state *s = d->s;
    bool ok = true;

    (void)flags;
    switch (s->feature) {
    case 0x02:
    case 0x82:
        s->write_cache = s->feature == 0x02;
        break;
    case 0xaa:
    case 0x55:
        s->look_ahead = s->feature == 0xaa;
        break;
    case 0x03: /* transfer mode: PIO default, default without IORDY, flow control modes 0..4 */
        ok = s->nsector <= 1 || (s->nsector >= 8 && s->nsector <= 12);
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

static void ata_standby(struct ide_drive *d, unsigned flags)
{
    (void)flags;
    d->s->power = 0;
    ide_done(d);
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

/* IDENTIFY DEVICE */

static void ata_put16(uint8_t *id, unsigned word, uint64_t val)
{
    st_le16(id + word * 2, (uint16_t)val);
}

static void ata_put32(uint8_t *id, unsigned word, uint64_t val)
{
    st_le32(id + word * 2, (uint32_t)val);
}

/* Words that both kinds of drive share: names and PIO timing. */
static void ata_fill_common(struct ide_drive *d, uint8_t *id, const char *model)
{
    ata_put_string(id + 10 * 2, d->serial, 20);
    ata_put_string(id + 23 * 2, "0.1", 8);
    ata_put_string(id + 27 * 2, model, 40);
    ata_put16(id, 48, 1);      /* 32-bit accesses of the data port work */
    ata_put16(id, 51, 0x0200); /* PIO mode 2, for old software */
    ata_put16(id, 64, 0x0003); /* PIO modes 3 and 4 */
    for (unsigned word = 65; word <= 68; word++) {
        ata_put16(id, word, 120); /* cycle times, ns */
    }
}

static void ata_fill_identify(struct ide_drive *d, uint8_t *id)
{
    const struct ide_drive_state *s = d->s;
    uint64_t total = d->blk->sectors;
    uint32_t chs = (uint32_t)s->cylinders * s->heads * s->sectors;

    memset(id, 0, SECTOR_BYTES);
    ata_fill_common(d, id, "CANDELA HARDDISK");
    ata_put16(id, 0, 0x0040); /* ATA, fixed */
    ata_put16(id, 1, d->cylinders);
    ata_put16(id, 3, d->heads);
    ata_put16(id, 6, d->sectors);
    ata_put16(id, 47, 0x8000 | IDE_MAX_MULTI);
    ata_put16(id, 49, 0x0e00); /* LBA, IORDY */
    ata_put16(id, 50, 0x4000);
    ata_put16(id, 53, 0x0003); /* words 54..58 and 64..70 are valid */
    ata_put16(id, 54, s->cylinders);
    ata_put16(id, 55, s->heads);
    ata_put16(id, 56, s->sectors);
    ata_put32(id, 57, chs);
    ata_put16(id, 59, s->multi ? 0x0100u | s->multi : 0);
    ata_put32(id, 60, MIN(total, 0x0fffffff));
    ata_put16(id, 80, 0x0070); /* ATA/ATAPI-4 to -6 */
    ata_put16(id, 82, 0x4060); /* NOP, look-ahead, write cache */
    ata_put16(id, 83, 0x7400); /* FLUSH CACHE (EXT), 48-bit addresses */
    ata_put16(id, 84, 0x4000);
    ata_put16(id, 85, 0x4000u | (s->look_ahead ? 0x40 : 0) | (s->write_cache ? 0x20 : 0));
    ata_put16(id, 86, 0x3400);
    ata_put16(id, 87, 0x4000);
    ata_put16(id, 93,
              d->unit ? 0x6b00 : 0x600b); /* hardware reset passed, device number by jumper */
    ata_put32(id, 100, total);
    ata_put32(id, 102, total >> 32);
}

static void ata_fill_identify_packet(struct ide_drive *d, uint8_t *id)
{
    memset(id, 0, SECTOR_BYTES);
    ata_fill_common(d, id, "CANDELA CD/DVD-ROM");
    ata_put16(id, 0, 0x85c0); /* ATAPI CD, removable, DRQ within 50 us of PACKET, 12-byte packets */
    ata_put16(id, 49, 0x0e00); /* LBA, IORDY */
    ata_put16(id, 53, 0x0002);
    ata_put16(id, 80, 0x0070);
    ata_put16(id, 82, 0x4210); /* NOP, DEVICE RESET, PACKET */
    ata_put16(id, 83, 0x4000);
    ata_put16(id, 84, 0x4000);
    ata_put16(id, 85, 0x4210);
    ata_put16(id, 87, 0x4000);
    ata_put16(id, 93, d->unit ? 0x6b00 : 0x600b);
}

static void ata_identify(struct ide_drive *d, unsigned flags)
{
    (void)flags;
    if (d->kind == IDE_CD) {
        ata_fill_identify_packet(d, d->s->buf);
    } else {
        ata_fill_identify(d, d->s->buf);
    }
    ide_data_phase(d, IDE_IN, IDE_AFTER_NOTHING, 0, SECTOR_BYTES, true);
}

void ata_identify_packet(struct ide_drive *d)
{
    ata_identify(d, 0);
}

/* The command table */

static const struct ata_row *ata_find(uint8_t command)
{
    static const struct ata_row rows[256] = {
        [0x10 ... 0x1f] = {ata_recalibrate, 0},
        [0x20] = {ata_read, 0},
        [0x21] = {ata_read, 0},
        [0x24] = {ata_read, ATA_LBA48},
        [0x27] = {ata_read_native_max, ATA_LBA48},
        [0x29] = {ata_read, ATA_LBA48 | ATA_MULTI},
        [0x30] = {ata_write, 0},
        [0x31] = {ata_write, 0},
        [0x34] = {ata_write, ATA_LBA48},
        [0x39] = {ata_write, ATA_LBA48 | ATA_MULTI},
        [0x3c] = {ata_write, 0}, /* WRITE VERIFY */
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
        [0xc4] = {ata_read, ATA_MULTI},
        [0xc5] = {ata_write, ATA_MULTI},
        [0xc6] = {ata_set_multiple, 0},
        [0xe0] = {ata_standby, 0},
        [0xe1] = {ata_idle, 0},
        [0xe2] = {ata_standby, 0},
        [0xe3] = {ata_idle, 0},
        [0xe5] = {ata_check_power, 0},
        [0xe6] = {ata_standby, 0}, /* SLEEP */
        [0xe7] = {ata_flush, 0},
        [0xea] = {ata_flush, ATA_LBA48},
        [0xec] = {ata_identify, 0},
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
