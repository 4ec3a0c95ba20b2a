/*
 * The four IDE positions: is there a drive, what does it call itself, can its first sector be read?
 * By programmed I/O, without interrupts. Follows: ATA/ATAPI-6 sections 8.15 (IDENTIFY DEVICE), 8.16
 * (IDENTIFY PACKET DEVICE), 9.12 (device signature). Not modelled: DMA, packet commands beyond
 * IDENTIFY, addresses above 28 bits. Nothing is ever written to a drive.
 */
#include "io.h"
#include "lab.h"

#define ATA_DATA            0
#define ATA_COUNT           2
#define ATA_LBA_LOW         3
#define ATA_LBA_MID         4
#define ATA_LBA_HIGH        5
#define ATA_DEVICE          6
#define ATA_STATUS          7
#define ATA_COMMAND         7
#define ST_BSY              0x80
#define ST_DF               0x20
#define ST_DRQ              0x08
#define ST_ERR              0x01
#define CMD_READ            0x20
#define CMD_IDENTIFY_PACKET 0xa1
#define CMD_IDENTIFY        0xec
#define CTL_NIEN            0x02 /* no interrupts */

struct channel {
    uint16_t base, control;
};

static const struct channel channels[2] = {{0x1f0, 0x3f6}, {0x170, 0x376}};

const char *disk_position(unsigned int index)
{
    static const char *const names[DRIVES] = {"primary master", "primary slave", "secondary master",
                                              "secondary slave"};

    return index < DRIVES ? names[index] : "?";
}

/* 400 ns after a selection or command the status is valid; the alternate status does not
 * acknowledge anything. */
static void ata_settle(const struct channel *c)
{
    for (int i = 0; i < 4; i++)
        inb(c->control);
}

/* Waits for BSY to go. Out: the status, or 0xff if it never went. */
static uint8_t ata_wait(const struct channel *c)
{
    ata_settle(c);
    for (uint32_t i = 0; i < WAIT_LIMIT; i++) {
        uint8_t status = inb(c->base + ATA_STATUS);

        if (!(status & ST_BSY))
            return status;
        if (status == 0xff) /* nobody drives the bus */
            return 0xff;
    }
    return 0xff;
}

/* Sends a command that gives one sector of data. Out: NULL, or what went wrong; "" = there is no
 * drive. */
static const char *ata_read_block(const struct channel *c, uint8_t command, uint8_t buf[512])
{
    uint8_t status;

    outb(c->base + ATA_COMMAND, command);
    ata_settle(c);
    if (inb(c->base + ATA_STATUS) == 0)
        return "";
    status = ata_wait(c);
    if (status == 0xff)
        return "stays busy";
    if (status & (ST_ERR | ST_DF))
        return "reports an error";
    for (uint32_t i = 0; !(status & ST_DRQ); i++) {
        if (i == WAIT_LIMIT || status & (ST_ERR | ST_DF))
            return "gives no data";
        status = inb(c->base + ATA_STATUS);
    }
    for (int i = 0; i < 512; i += 2) {
        uint16_t w = inw(c->base + ATA_DATA);

        buf[i] = (uint8_t)w;
        buf[i + 1] = (uint8_t)(w >> 8);
    }
    return NULL;
}

/* Identify strings have their bytes swapped in each word, and blanks at the end. */
static void identify_text(char *to, const uint8_t *id, unsigned int word, unsigned int words)
{
    unsigned int n = 2 * words;

    for (unsigned int i = 0; i < n; i++) {
        uint8_t c = id[(2 * word + i) ^ 1];

        to[i] = c < ' ' || c > '~' ? ' ' : (char)c;
    }
    while (n && to[n - 1] == ' ')
        n--;
    to[n] = 0;
}

static void read_identify(struct drive *d, const uint8_t *id)
{
    identify_text(d->serial, id, 10, 10);
    identify_text(d->firmware, id, 23, 4);
    identify_text(d->model, id, 27, 20);
    if (d->kind == DRIVE_ATA)
        for (int i = 3; i >= 0; i--)
            d->sectors = d->sectors << 8 | id[120 + i];
    if (d->kind == DRIVE_ATA && id[167] & 4) /* 48-bit addresses */
        for (int i = 7, n = 0; i >= 0; i--)
            d->sectors = (n++ ? d->sectors << 8 : 0) | id[200 + i];
}

static void ata_select(const struct channel *c, unsigned int unit, uint8_t bits)
{
    outb(c->base + ATA_DEVICE, (uint8_t)(bits | unit << 4));
    ata_settle(c);
    ata_wait(c);
}

static void read_first_sector(struct lab *lab, const struct channel *c, unsigned int unit,
                              struct drive *d)
{
    uint8_t buf[512];
    uint64_t t;

    ata_select(c, unit, 0xe0); /* LBA addressing */
    outb(c->base + ATA_COUNT, 1);
    outb(c->base + ATA_LBA_LOW, 0);
    outb(c->base + ATA_LBA_MID, 0);
    outb(c->base + ATA_LBA_HIGH, 0);
    t = lab->timers.tsc_hz ? rdtsc() : 0;
    d->trouble = ata_read_block(c, CMD_READ, buf);
    if (d->trouble) {
        d->trouble = "cannot be read";
        return;
    }
    if (lab->timers.tsc_hz)
        d->read_ns = div64((rdtsc() - t) * 1000000, div64(lab->timers.tsc_hz, 1000, NULL), NULL);
    d->read_ok = true;
    d->signature = buf[510] == 0x55 && buf[511] == 0xaa;
    d->is_boot_disk = !memcmp(buf, (const void *)BOOT_SECTOR, 512);
}

static void probe_drive(struct lab *lab, const struct channel *c, unsigned int unit,
                        struct drive *d)
{
    uint8_t id[512];
    const char *trouble;

    ata_select(c, unit, 0xa0);
    outb(c->base + ATA_COUNT, 0x55); /* registers hold what is written, if there is a drive */
    outb(c->base + ATA_LBA_LOW, 0xaa);
    if (inb(c->base + ATA_COUNT) != 0x55 || inb(c->base + ATA_LBA_LOW) != 0xaa)
        return;
    d->kind = DRIVE_ATA;
    trouble = ata_read_block(c, CMD_IDENTIFY, id);
    if (trouble && inb(c->base + ATA_LBA_MID) == 0x14 && inb(c->base + ATA_LBA_HIGH) == 0xeb) {
        d->kind = DRIVE_ATAPI; /* a packet device refuses IDENTIFY and shows this signature */
        trouble = ata_read_block(c, CMD_IDENTIFY_PACKET, id);
    }
    if (trouble) {
        d->kind = *trouble ? DRIVE_BROKEN : DRIVE_NONE;
        d->trouble = *trouble ? trouble : NULL;
        return;
    }
    read_identify(d, id);
    if (d->kind == DRIVE_ATA)
        read_first_sector(lab, c, unit, d);
}

void disk_probe(struct lab *lab)
{
    for (unsigned int ch = 0; ch < 2; ch++) {
        const struct channel *c = &channels[ch];

        if (inb(c->base + ATA_STATUS) == 0xff && inb(c->control) == 0xff)
            continue; /* pulled-up bus: no controller or no drive at all */
        lab->disk.channel[ch] = true;
        outb(c->control, CTL_NIEN);
        for (unsigned int unit = 0; unit < 2; unit++)
            probe_drive(lab, c, unit, &lab->disk.drive[2 * ch + unit]);
        ata_select(c, 0, 0xa0);
    }
}
