/*
 * For the tests of the floppy controller: a machine with one, a DMA controller and disks in memory.
 *
 * Not modelled: the board; the interrupt line ends in a counter.
 */
#ifndef TESTS_HW_FDC_RIG_H
#define TESTS_HW_FDC_RIG_H

#include "hw/fdc.h"
#include "hw/i8237.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

enum { DOR = 0x3f2, TDR, MSR, FIFO, INPUT = 0x3f7 };
enum { BUFFER = 0x20000, RUN = 0x1c, MFM = 0x40, MT = 0x80, SK = 0x20 };

struct floppy {
    struct rig *rig;
    struct machine *m;
    struct device *fdc;
    struct rig_pin pin;
    uint8_t *data[2]; /* the media */
    int *fail[2];
    unsigned got;
    uint8_t result[16];
};

static inline void out(struct floppy *f, uint16_t port, unsigned val)
{
    rig_out8(f->rig, port, (uint8_t)val);
}

static inline uint8_t in(struct floppy *f, uint16_t port)
{
    return rig_in8(f->rig, port);
}

/* Until nothing more happens: timers and the disk in turns. */
static inline void settle(struct floppy *f)
{
    for (unsigned i = 0; i < 100; i++) {
        rig_step(f->rig, 2 * NS_PER_MS);
        rig_settle(f->rig);
    }
}

/* Drives A and B with media of so many sectors (0: empty; -1: no drive). */
static inline void make(struct floppy *f, int a, int b)
{
    const int size[2] = {a, b};
    struct block *blk[2] = {NULL};
    struct vm_config c;

    memset(f, 0, sizeof *f);
    vm_config_init(&c);
    for (unsigned i = 0; i < 2; i++) {
        if (size[i] >= 0) {
            c.drives[3 + i] =
                (struct drive_config){.used = true, .interface = DRIVE_FLOPPY, .index = i};
        }
        if (size[i] > 0) {
            blk[i] = rig_disk((unsigned)size[i], &f->data[i], &f->fail[i]);
            for (int n = 0; n < size[i] * SECTOR_BYTES; n++) {
                f->data[i][n] = (uint8_t)(n / SECTOR_BYTES * 7 + n % SECTOR_BYTES + (int)i);
            }
        }
    }
    f->rig = rig_begin(&c);
    vm_config_clear(&c);
    f->m = f->rig->m;
    f->m->drives[3] = blk[0];
    f->m->drives[4] = blk[1];
    device_new(f->m, &i8237_ops, "i8237");
    f->fdc = device_new(f->m, &fdc_ops, "fdc");
    rig_connect(fdc_irq(f->fdc), &f->pin);
    rig_ready(f->rig);
}

static inline void command(struct floppy *f, const uint8_t *bytes, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        cr_assert_eq(in(f, MSR) & 0xc0, 0x80, "byte %u of %02x: MSR %02x", i, bytes[0], in(f, MSR));
        out(f, FIFO, bytes[i]);
    }
}
#define COMMAND(f, ...)                                                                            \
    command(f, (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

static inline unsigned take_result(struct floppy *f)
{
    f->got = 0;
    memset(f->result, 0xee, sizeof f->result);
    while ((in(f, MSR) & 0xd0) == 0xd0) {
        cr_assert(f->got < sizeof f->result);
        f->result[f->got++] = in(f, FIFO);
    }
    cr_assert_eq(in(f, MSR) & 0xf0, 0x80);
    return f->got;
}

static inline void start(struct floppy *f)
{
    out(f, DOR, 0x0c);
    settle(f);
    for (unsigned i = 0; i < 4; i++) {
        COMMAND(f, 0x08);
        take_result(f);
    }
    COMMAND(f, 0x03, 0xdf, 0x02); /* DMA */
    out(f, INPUT, 0);             /* 500 kbit/s */
    out(f, DOR, RUN);
    out(f, 0xd4, 0); /* channel 4 */
    f->pin.rises = 0;
}

static inline void floppy_init(struct floppy *f, int a, int b)
{
    make(f, a, b);
    start(f);
}

static inline void floppy_fini(struct floppy *f)
{
    rig_free(f->rig);
}

/* Channel 2: `mode` 0x46 to memory, 0x4a from memory, 0x42 verify. */
static inline void set_dma(struct floppy *f, unsigned mode, unsigned bytes)
{
    out(f, 0x0a, 6);
    out(f, 0x0c, 0);
    out(f, 0x04, BUFFER & 0xff);
    out(f, 0x04, BUFFER >> 8 & 0xff);
    out(f, 0x81, BUFFER >> 16);
    out(f, 0x05, (bytes - 1) & 0xff);
    out(f, 0x05, (bytes - 1) >> 8);
    out(f, 0x0b, mode);
    out(f, 0x0a, 2);
}

/* A transfer; the interrupt must come, but not at once. */
static inline void transfer(struct floppy *f, unsigned code, unsigned unit, const uint8_t id[4],
                            unsigned eot, unsigned last)
{
    unsigned rises = f->pin.rises;

    COMMAND(f, (uint8_t)code, (uint8_t)(id[1] << 2 | unit), id[0], id[1], id[2], id[3],
            (uint8_t)eot, 0x1b, (uint8_t)last);
    cr_assert_eq(f->pin.rises, rises, "an interrupt inside the last write");
    cr_assert_eq(in(f, MSR), 0x10);
    settle(f);
    cr_assert_eq(f->pin.rises, rises + 1, "%u interrupts", f->pin.rises - rises);
    cr_assert(f->pin.level);
    cr_assert_eq(take_result(f), 7);
    cr_assert_not(f->pin.level, "reading the result takes the interrupt away");
}

static inline void expect_result(const struct floppy *f, unsigned st0, unsigned st1, unsigned st2,
                                 unsigned c, unsigned h, unsigned r)
{
    const uint8_t want[7] = {
        (uint8_t)st0, (uint8_t)st1, (uint8_t)st2, (uint8_t)c, (uint8_t)h, (uint8_t)r, 2};

    for (unsigned i = 0; i < 7; i++) {
        cr_expect_eq(f->result[i], want[i], "result byte %u is %02x, not %02x", i, f->result[i],
                     want[i]);
    }
}

static inline uint8_t *ram(struct floppy *f)
{
    return rig_ram(f->rig, BUFFER, 65536);
}

static inline void expect_data(struct floppy *f, unsigned drive, unsigned sector, unsigned bytes)
{
    cr_expect_eq(memcmp(ram(f), f->data[drive] + sector * SECTOR_BYTES, bytes), 0,
                 "%u bytes of sector %u", bytes, sector);
}

static inline void read_sectors(struct floppy *f, unsigned c, unsigned h, unsigned r,
                                unsigned count)
{
    set_dma(f, 0x46, count * SECTOR_BYTES);
    transfer(f, 0xe6, 0, (const uint8_t[]){(uint8_t)c, (uint8_t)h, (uint8_t)r, 2}, 18, 0xff);
}

static inline void seek(struct floppy *f, unsigned track)
{
    COMMAND(f, 0x0f, 0x00, (uint8_t)track);
    settle(f);
    COMMAND(f, 0x08);
    take_result(f);
}

#endif
