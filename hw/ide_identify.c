/*
 * What an IDE drive says of itself: IDENTIFY DEVICE and IDENTIFY PACKET DEVICE (ATA/ATAPI-7, T13
 * 1532D, 6.17 and 6.18), serial number and default translation.
 *
 * The drives offer UDMA modes 0 to 5 (CD drives 0 to 2); the PIIX4 drives them at up to 2.
 *
 * Not modelled: what would be offered here and is not: see hw/ide_ata.c and hw/atapi.c.
 */
#include "hw/ide_int.h"

/* Text into a string field: bytes swapped within words, padded with blanks. */
static void ata_put_string(uint8_t *to, const char *text, unsigned len)
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

/* The serial number must not change from run to run: it is the user's, or made from the image's
 * path and the place. */
static void ata_set_serial(struct ide_drive *d)
{
    const char *given = d->chan->dev.m->config.drives[d->row].serial;
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    const char *path = d->blk && d->kind == IDE_DISK ? d->blk->path : NULL;

    for (const char *p = path ? path : ""; *p; p++) {
        hash = (hash ^ (uint8_t)*p) * 0x100000001b3;
    }
    hash = (hash ^ (d->chan->channel * 2 + d->unit)) * 0x100000001b3;
    if (given) {
        g_strlcpy(d->serial, given, sizeof d->serial);
    } else {
        g_snprintf(d->serial, sizeof d->serial, "CND%017" PRIX64, hash);
    }
}

void ata_attach(struct ide_drive *d)
{
    ata_set_serial(d);
    if (d->kind == IDE_DISK) {
        d->s->smart_on = true;
        ata_set_geometry(d);
    }
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

/* Which modes of a kind (0x20: multiword DMA, 0x40: UDMA) there are, and in bits 15..8 which one is
 * in use. */
static unsigned ata_modes(const struct ide_drive *d, unsigned kind, unsigned offered)
{
    unsigned mode = d->s->dma_mode;

    return offered | ((mode & 0xf8) == kind ? BIT(8 + (mode & 7)) : 0);
}

/* Words that both kinds of drive share: names and transfer modes. */
static void ata_fill_common(struct ide_drive *d, uint8_t *id, const char *model)
{
    ata_put_string(id + 10 * 2, d->serial, 20);
    ata_put_string(id + 23 * 2, "0.1", 8);
    ata_put_string(id + 27 * 2, model, 40);
    ata_put16(id, 48, 1);      /* 32-bit accesses of the data port work */
    ata_put16(id, 51, 0x0200); /* PIO mode 2, for old software */
    ata_put16(id, 52, 0x0200); /* and DMA mode 2 */
    ata_put16(id, 63, ata_modes(d, 0x20, 0x07));
    ata_put16(id, 64, 0x0003); /* PIO modes 3 and 4 */
    for (unsigned word = 65; word <= 68; word++) {
        ata_put16(id, word, 120); /* cycle times, ns */
    }
    ata_put16(id, 88, ata_modes(d, 0x40, d->kind == IDE_CD ? 0x07 : 0x3f));
}

/* Word 255: a signature, and a byte with which all 512 add up to 0. */
static void ata_put_checksum(uint8_t *id)
{
    uint8_t sum = 0;

    id[510] = 0xa5;
    for (unsigned i = 0; i < 511; i++) {
        sum += id[i];
    }
    id[511] = (uint8_t)-sum;
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
    ata_put16(id, 49, 0x0f00); /* LBA, DMA, IORDY */
    ata_put16(id, 50, 0x4000);
    ata_put16(id, 53, 0x0007); /* words 54..58, 64..70 and 88 are valid */
    ata_put16(id, 54, s->cylinders);
    ata_put16(id, 55, s->heads);
    ata_put16(id, 56, s->sectors);
    ata_put32(id, 57, chs);
    ata_put16(id, 59, s->multi ? 0x0100u | s->multi : 0);
    ata_put32(id, 60, MIN(total, 0x0fffffff));
    ata_put16(id, 80, 0x00f0); /* ATA/ATAPI-4 to -7 */
    ata_put16(id, 82, 0x4069); /* NOP, look-ahead, write cache, power management, SMART */
    ata_put16(id, 83, 0x7400); /* FLUSH CACHE (EXT), 48-bit addresses */
    ata_put16(id, 84, 0x4043); /* forced unit access, SMART self-tests and error log */
    ata_put16(id, 85,
              0x4008u | (s->look_ahead ? 0x40 : 0) | (s->write_cache ? 0x20 : 0) | s->smart_on);
    ata_put16(id, 86, 0x3400);
    ata_put16(id, 87, 0x4043);
    ata_put16(id, 93,
              d->unit ? 0x6b00 : 0x600b); /* hardware reset passed, device number by jumper */
    ata_put32(id, 100, total);
    ata_put32(id, 102, total >> 32);
    ata_put_checksum(id);
}

static void ata_fill_identify_packet(struct ide_drive *d, uint8_t *id)
{
    memset(id, 0, SECTOR_BYTES);
    ata_fill_common(d, id, "CANDELA CD/DVD-ROM");
    ata_put16(id, 0, 0x85c0); /* ATAPI CD, removable, DRQ within 50 us of PACKET, 12-byte packets */
    ata_put16(id, 49, 0x0f00); /* LBA, DMA, IORDY */
    ata_put16(id, 53, 0x0006);
    ata_put16(id, 80, 0x0070); /* ATA/ATAPI-4 to -6 */
    ata_put16(id, 82, 0x4210); /* NOP, DEVICE RESET, PACKET */
    ata_put16(id, 83, 0x4000);
    ata_put16(id, 84, 0x4000);
    ata_put16(id, 85, 0x4210);
    ata_put16(id, 87, 0x4000);
    ata_put16(id, 93, d->unit ? 0x6b00 : 0x600b);
}

void ata_identify(struct ide_drive *d)
{
    if (d->kind == IDE_CD) {
        ata_fill_identify_packet(d, d->s->buf);
    } else {
        ata_fill_identify(d, d->s->buf);
    }
    ide_data_phase(d, IDE_IN, IDE_AFTER_NOTHING, 0, SECTOR_BYTES, true);
}
