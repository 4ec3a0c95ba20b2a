/*
 * The IDE CD/DVD drive: the PACKET protocol (ATA/ATAPI-5, T13 1321D, 9.8) and the packet commands
 * of a read-only drive after MMC-3 (T10 1363D) and SPC-2 (T10 1236D).  The answers to the commands
 * are in atapi_cmds.c.
 *
 * Not modelled: overlap, DMADIR, audio play (a drive with a data disc: refused as such),
 * writing, changers, region codes and keys, error-correction bytes and subchannels of raw sectors.
 */
#include "hw/atapi.h"

enum {
    CD_REASON_COMMAND = 1,
    CD_REASON_TO_HOST = 2
}; /* interrupt reason, in the sector count register */

bool atapi_has_medium(const struct ide_drive *d)
{
    return d->blk && !d->s->tray_open;
}

uint32_t atapi_sectors(const struct ide_drive *d)
{
    return atapi_has_medium(d) ? (uint32_t)MIN(d->blk->sectors / 4, UINT32_MAX) : 0;
}

bool atapi_is_dvd(const struct ide_drive *d)
{
    return atapi_sectors(d) > CD_LARGEST;
}

void atapi_ok(struct ide_drive *d)
{
    d->s->nsector = CD_REASON_COMMAND | CD_REASON_TO_HOST;
    d->s->sense_key = d->s->asc = d->s->ascq = 0;
    ide_done(d);
}

void atapi_check(struct ide_drive *d, uint8_t key, uint16_t code)
{
    d->s->sense_key = key;
    d->s->asc = code >> 8;
    d->s->ascq = (uint8_t)code;
    d->s->nsector = CD_REASON_COMMAND | CD_REASON_TO_HOST;
    ide_fail(d, (uint8_t)(key << 4 | IDE_ERR_ABRT));
}

/* Transfer of data: the host's byte count limit cuts it into phases; all but the last have even
 * length.  By DMA it is one phase. */

static void atapi_data(struct ide_drive *d, enum ide_phase phase, enum ide_after after)
{
    struct ide_drive_state *s = d->s;
    uint32_t n = MIN(s->filled - s->pos, s->byte_limit);

    if (s->packet_dma) {
        s->nsector = phase == IDE_IN ? CD_REASON_TO_HOST : 0;
        ide_data_phase(d, phase == IDE_IN ? IDE_DMA_IN : IDE_DMA_OUT, after, s->pos, s->filled,
                       false);
        return;
    }
    if (n < s->filled - s->pos) {
        n &= ~1u;
    }
    s->lbam = (uint8_t)n;
    s->lbah = (uint8_t)(n >> 8);
    s->nsector = phase == IDE_IN ? CD_REASON_TO_HOST : 0;
    ide_data_phase(d, phase, after, s->pos, s->pos + n, true);
}

/* Sectors are read to the end of the buffer, so that atapi_expand has room to make raw sectors in
 * front. */
static void atapi_fill(struct ide_drive *d)
{
    uint32_t n = MIN(d->s->left, CD_BUF_SECTORS);

    if (d->s->attention & CD_UA_MEDIUM) { /* changed by hand under way */
        d->s->attention &= (uint8_t)~CD_UA_MEDIUM;
        atapi_check(d, CD_UNIT_ATTENTION, CD_MEDIUM_CHANGED);
        return;
    }
    if (!atapi_has_medium(d)) {
        atapi_check(d, CD_NOT_READY, CD_NO_MEDIUM);
        return;
    }
    ide_submit(d, IDE_IO_CD_READ, d->s->lba * 4, n * 4, IDE_BUF_BYTES - n * CD_SECTOR);
}

static void atapi_next(struct ide_drive *d)
{
    if (d->s->pos < d->s->filled) {
        atapi_data(d, IDE_IN, IDE_AFTER_CD_DATA);
    } else if (d->s->left) {
        atapi_fill(d);
    } else {
        atapi_ok(d);
    }
}

void atapi_reply(struct ide_drive *d, uint32_t len, uint32_t allocated)
{
    d->s->left = 0;
    d->s->pos = 0;
    d->s->filled = MIN(len, allocated);
    atapi_next(d);
}

void atapi_read_sectors(struct ide_drive *d, uint64_t lba, uint64_t count, unsigned unit)
{
    uint32_t total = atapi_sectors(d);

    if (lba > total || count > total - lba) {
        atapi_check(d, CD_ILLEGAL_REQUEST, CD_LBA_OUT_OF_RANGE);
        return;
    }
    d->s->lba = lba;
    d->s->left = (uint32_t)count;
    d->s->cd_unit = (uint16_t)unit;
    d->s->pos = d->s->filled = 0;
    atapi_next(d);
}

void atapi_take_params(struct ide_drive *d, uint32_t len)
{
    if (len > CD_MAX_PARAMS) {
        atapi_check(d, CD_ILLEGAL_REQUEST, CD_INVALID_FIELD);
        return;
    }
    d->s->pos = 0;
    d->s->filled = len;
    atapi_data(d, IDE_OUT, IDE_AFTER_CD_PARAM);
}

/* Make raw sectors (sync, header, data, zeros for the correction codes) of the data at the buffer's
 * end. */
static void atapi_expand(struct ide_drive *d, uint32_t n)
{
    uint8_t *from = d->s->buf + IDE_BUF_BYTES - n * CD_SECTOR;

    for (uint32_t i = 0; i < n; i++) {
        uint8_t *to = d->s->buf + i * CD_RAW_SECTOR;
        memmove(to + 16, from + i * CD_SECTOR, CD_SECTOR);
        to[0] = to[11] = 0;
        memset(to + 1, 0xff, 10);
        atapi_put_msf(to + 12, (uint32_t)(d->s->lba + i) + CD_MSF_OFFSET);
        to[12] = to_bcd(to[12]);
        to[13] = to_bcd(to[13]);
        to[14] = to_bcd(to[14]);
        to[15] = 1; /* mode 1 */
        memset(to + 16 + CD_SECTOR, 0, CD_RAW_SECTOR - 16 - CD_SECTOR);
    }
}

void atapi_io_done(struct ide_drive *d, int error)
{
    struct ide_drive_state *s = d->s;
    uint32_t n = s->io_count / 4;

    if (error) {
        atapi_check(d, CD_MEDIUM_ERROR, CD_UNRECOVERED_READ);
        return;
    }
    if (s->cd_unit == CD_RAW_SECTOR) {
        atapi_expand(d, n);
        s->pos = 0;
        s->filled = n * CD_RAW_SECTOR;
    } else {
        s->pos = IDE_BUF_BYTES - n * CD_SECTOR;
        s->filled = IDE_BUF_BYTES;
    }
    s->lba += n;
    s->left -= n;
    atapi_next(d);
}

/* A complete packet */

static void atapi_packet(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    memcpy(s->cdb, s->buf, sizeof s->cdb);
    trace(&d->chan->dev, TR_STATE, "drive %u: packet %02x %02x %02x%02x%02x%02x %02x%02x%02x%02x",
          d->unit, s->cdb[0], s->cdb[1], s->cdb[2], s->cdb[3], s->cdb[4], s->cdb[5], s->cdb[6],
          s->cdb[7], s->cdb[8], s->cdb[9]);
    s->left = s->pos = s->filled = 0;
    const struct atapi_row *row = atapi_find(s->cdb[0]);
    if (!row) {
        atapi_check(d, CD_ILLEGAL_REQUEST, CD_INVALID_COMMAND);
    } else if (s->attention && !(row->flags & CD_WITH_ATTENTION)) {
        uint16_t code = s->attention & CD_UA_RESET ? CD_WAS_RESET : CD_MEDIUM_CHANGED;
        s->attention &= (uint8_t) ~(s->attention & CD_UA_RESET ? CD_UA_RESET : CD_UA_MEDIUM);
        atapi_check(d, CD_UNIT_ATTENTION, code);
    } else if ((row->flags & CD_NEEDS_MEDIUM) && !atapi_has_medium(d)) {
        atapi_check(d, CD_NOT_READY, s->tray_open ? CD_TRAY_OPEN : CD_NO_MEDIUM);
    } else if (!s->byte_limit && !s->packet_dma && !(row->flags & CD_NO_DATA)) {
        s->nsector = CD_REASON_COMMAND | CD_REASON_TO_HOST;
        ide_fail(d, IDE_ERR_ABRT); /* a limit of 0 is an error when there is data to move */
    } else {
        row->fn(d);
    }
}

void atapi_data_end(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    switch (s->after) {
    case IDE_AFTER_CDB:
        atapi_packet(d);
        break;
    case IDE_AFTER_CD_DATA:
        atapi_next(d);
        break;
    case IDE_AFTER_CD_PARAM:
        if (s->pos < s->filled) {
            atapi_data(d, IDE_OUT, IDE_AFTER_CD_PARAM);
        } else {
            atapi_params_done(d);
        }
        break;
    default: /* IDENTIFY PACKET DEVICE */
        s->phase = IDE_IDLE;
        s->status = IDE_STAT_DRDY | IDE_STAT_DSC;
    }
}

/* ATA commands of a packet device */

void atapi_reset(struct ide_drive *d, bool hard)
{
    d->s->phase = IDE_IDLE;
    d->s->intrq = false;
    d->s->status =
        0; /* DRDY comes with the first command: how hosts tell the kinds of drive apart */
    d->s->power = 0xff;
    d->s->sense_key = d->s->asc = d->s->ascq = 0;
    if (hard) {
        d->s->attention = CD_UA_RESET;
        d->s->locked = false;
    }
    ide_set_signature(d);
}

static void atapi_start_packet(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint32_t limit = (uint32_t)s->lbah << 8 | s->lbam;

    if (s->feature & 2) { /* overlap, which IDENTIFY does not offer */
        ide_fail(d, IDE_ERR_ABRT);
        return;
    }
    s->power = 0xff;
    s->packet_dma = s->feature & 1;
    /* An odd limit is rounded down where it matters (atapi_data); 1 could move nothing at all. */
    s->byte_limit = (uint16_t)(limit == 0xffff ? 0xfffe : limit == 1 ? 2 : limit);
    s->nsector = CD_REASON_COMMAND;
    ide_data_phase(d, IDE_OUT, IDE_AFTER_CDB, 0, sizeof s->cdb, false);
}

void atapi_command(struct ide_drive *d, uint8_t command)
{
    switch (command) {
    case 0x08: /* DEVICE RESET */
        d->s->intrq = false;
        d->s->phase = IDE_RESET;
        d->s->status = IDE_STAT_BSY;
        if (!d->req.busy) {
            atapi_reset(d, false);
        }
        break;
    case 0xa0:
        atapi_start_packet(d);
        break;
    case 0xa1:
        ata_identify(d);
        break;
    case 0xe0: /* STANDBY IMMEDIATE, IDLE IMMEDIATE, SLEEP */
    case 0xe1:
    case 0xe6:
        d->s->power = command == 0xe1 ? 0x80 : 0;
        ide_done(d);
        break;
    case 0xe5: /* CHECK POWER MODE */
        d->s->nsector = d->s->power;
        ide_done(d);
        break;
    case 0xef: /* SET FEATURES: transfer modes */
        if (d->s->feature == 3 && ata_set_transfer_mode(d, d->s->nsector)) {
            ide_done(d);
        } else {
            ide_fail(d, IDE_ERR_ABRT);
        }
        break;
    case 0x20: /* READ SECTORS and IDENTIFY DEVICE tell that this is a packet device */
    case 0xec:
        ide_set_signature(d);
        ide_fail(d, IDE_ERR_ABRT);
        break;
    default:
        ide_fail(d, IDE_ERR_ABRT);
    }
}

bool atapi_change_medium(struct ide_drive *d, struct block *blk, bool force, struct block **old)
{
    if (d->s->locked && !force) { /* as with the button: the guest may let the disc go */
        d->s->media_event = CD_EVENT_EJECT;
        return false;
    }
    *old = d->blk;
    d->blk = blk;
    d->s->locked = false;
    d->s->tray_open = false;
    d->s->media_event = blk ? CD_EVENT_NEW : CD_EVENT_REMOVED;
    d->s->attention |= CD_UA_MEDIUM;
    return true;
}
