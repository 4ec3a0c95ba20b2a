/*
 * For the tests of the IDE channel: a machine with one channel and synthetic media.  A sector reads
 * as its own number, repeated, until it is written; any size costs nothing.  With disk_rig_pci the
 * PIIX4's function and its bus master stand before it.
 *
 * Not modelled: the board; the channel's interrupt line ends in a counter.
 */
#ifndef TESTS_HW_DISK_RIG_H
#define TESTS_HW_DISK_RIG_H

#include "hw/ide.h"
#include "hw/pci.h"
#include "hw/piix.h"
#include "tests/rig.h"
#include <criterion/criterion.h>
#include <errno.h>

struct medium {
    GHashTable *written; /* sector number -> 512 bytes */
    uint64_t bad;        /* sector that can be neither read nor written */
    int flush_error;     /* what a flush ends with */
    unsigned reads, flushes;
    GMutex *slow; /* every request waits for it */
};

struct disk_rig {
    struct rig *rig;
    struct machine *m;
    struct device *ide, *function;
    struct medium *medium[2];
    struct rig_pin pin; /* the channel's interrupt */
};

static inline void medium_wait(struct medium *d)
{
    if (d->slow) {
        g_mutex_lock(d->slow);
        g_mutex_unlock(d->slow);
    }
}

static inline int medium_read(void *img, uint64_t off, void *buf, size_t len)
{
    struct medium *d = img;

    medium_wait(d);
    d->reads++;
    for (uint64_t i = 0; i < len / SECTOR_BYTES; i++) {
        uint64_t sector = off / SECTOR_BYTES + i;
        uint8_t *to = (uint8_t *)buf + i * SECTOR_BYTES;
        const void *data = g_hash_table_lookup(d->written, &sector);
        if (sector == d->bad) {
            return EIO;
        }
        for (unsigned j = 0; j < SECTOR_BYTES; j += 8) {
            st_le64(to + j, sector);
        }
        if (data) {
            memcpy(to, data, SECTOR_BYTES);
        }
    }
    return 0;
}

static inline int medium_write(void *img, uint64_t off, const void *buf, size_t len)
{
    struct medium *d = img;

    medium_wait(d);
    for (uint64_t i = 0; i < len / SECTOR_BYTES; i++) {
        uint64_t sector = off / SECTOR_BYTES + i;
        if (sector == d->bad) {
            return EIO;
        }
        g_hash_table_replace(d->written, g_memdup2(&sector, sizeof sector),
                             g_memdup2((const uint8_t *)buf + i * SECTOR_BYTES, SECTOR_BYTES));
    }
    return 0;
}

static inline int medium_flush(void *img)
{
    struct medium *d = img;

    medium_wait(d);
    d->flushes++;
    return d->flush_error;
}

static inline void medium_close(void *img)
{
    g_hash_table_unref(((struct medium *)img)->written);
    g_free(img);
}

static inline struct block *medium_new(uint64_t sectors, bool readonly)
{
    static const struct block_ops ops = {
        .name = "test",
        .read_at = medium_read,
        .write_at = medium_write,
        .flush = medium_flush,
        .close = medium_close,
    };
    struct block *b = g_new0(struct block, 1);
    struct medium *d = g_new0(struct medium, 1);

    d->written = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    d->bad = UINT64_MAX;
    b->ops = &ops;
    b->img = d;
    b->path = g_strdup("/test/disk.img");
    b->sectors = sectors;
    b->readonly = readonly;
    return b;
}

static inline void disk_rig_config(struct disk_rig *r, unsigned reg, unsigned size, uint32_t val)
{
    rig_config_write(r->rig, PCI_DEVFN(1, 1), reg, val, size);
}

/* What firmware does: the legacy ports on, the bus master at BM_BASE. */
enum { BM_BASE = 0xc000 };
static inline void disk_rig_enable(struct disk_rig *r)
{
    disk_rig_config(r, 0x40, 2, 0x8000);
    disk_rig_config(r, PCI_BAR0 + 4 * 4, 4, BM_BASE);
    disk_rig_config(r, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
}

/* `kinds`: one letter per place, d disk, r read-only disk, c CD, e empty CD drive, - nothing. */
static inline void disk_rig_make(struct disk_rig *r, const char *kinds, uint64_t sectors, bool pci)
{
    struct vm_config config;
    struct block *blk[2] = {NULL, NULL};

    memset(r, 0, sizeof *r);
    vm_config_init(&config);
    for (unsigned i = 0; i < 2; i++) {
        config.drives[i].used = kinds[i] != '-';
        config.drives[i].index = i;
        config.drives[i].serial = i ? NULL : g_strdup("LAB 0001");
        config.drives[i].media = strchr("ce", kinds[i]) ? DRIVE_CDROM : DRIVE_DISK;
        if (strchr("drc", kinds[i])) {
            blk[i] = medium_new(sectors, kinds[i] != 'd');
            r->medium[i] = blk[i]->img;
        }
    }
    r->rig = rig_begin(&config);
    vm_config_clear(&config);
    r->m = r->rig->m;
    r->m->drives[0] = blk[0];
    r->m->drives[1] = blk[1];
    if (pci) {
        device_new(r->m, &pci_ops, "pci");
        r->function = device_new(r->m, &piix_ide_ops, "piix_ide");
        pci_place(r->function, PCI_DEVFN(1, 1));
    }
    r->ide = device_new(r->m, &ide_ops, "ide0");
    if (pci) {
        piix_ide_connect(r->function, 0, r->ide);
    }
    rig_connect(ide_irq(r->ide), &r->pin);
    rig_ready(r->rig);
}

static inline void disk_rig_init(struct disk_rig *r, const char *kinds, uint64_t sectors)
{
    disk_rig_make(r, kinds, sectors, false);
}

static inline void disk_rig_pci(struct disk_rig *r, const char *kinds, uint64_t sectors)
{
    disk_rig_make(r, kinds, sectors, true);
    disk_rig_enable(r);
}

static inline void disk_rig_fini(struct disk_rig *r)
{
    rig_free(r->rig);
}

static inline void out8(struct disk_rig *r, uint16_t port, unsigned val)
{
    rig_out8(r->rig, port, (uint8_t)val);
}

static inline uint8_t in8(struct disk_rig *r, uint16_t port)
{
    return rig_in8(r->rig, port);
}

static inline uint16_t in16(struct disk_rig *r, uint16_t port)
{
    return rig_in16(r->rig, port);
}

/* Let the disk finish; gives the status, which takes the interrupt away. */
static inline uint8_t settle(struct disk_rig *r)
{
    block_drain(r->m);
    return in8(r, 0x1f7);
}

/* An LBA28 command to `unit`. */
static inline void command(struct disk_rig *r, unsigned unit, unsigned code, uint32_t lba,
                           unsigned count)
{
    out8(r, 0x1f6, 0xe0 | unit << 4 | (lba >> 24 & 15));
    out8(r, 0x1f2, count & 0xff);
    out8(r, 0x1f3, lba & 0xff);
    out8(r, 0x1f4, lba >> 8 & 0xff);
    out8(r, 0x1f5, lba >> 16 & 0xff);
    out8(r, 0x1f7, code);
}

static inline void read_bytes(struct disk_rig *r, void *to, unsigned len)
{
    for (unsigned i = 0; i < len; i += 2) {
        st_le16((uint8_t *)to + i, in16(r, 0x1f0));
    }
}

static inline void write_bytes(struct disk_rig *r, const void *from, unsigned len)
{
    for (unsigned i = 0; i < len; i += 2) {
        rig_out16(r->rig, 0x1f0, ld_le16((const uint8_t *)from + i));
    }
}

#endif
