/*
 * The floppy controller's transfers (hw/fdc_cmds.c), after the Intel 82077AA data sheet.
 *
 * Not modelled: the guest; ports are poked by hand, the DMA controller is the real one.
 */
#include "tests/hw/fdc_rig.h"
#include <errno.h>

Test(fdc, every_format_reads_at_its_rate_and_no_other)
{
    static const struct {
        unsigned sectors, rates;
        uint8_t c, h, r;
        unsigned lba;
    } rows[] = {{320, 6, 39, 0, 8, 319},   {360, 6, 39, 0, 9, 359},    {640, 6, 39, 1, 8, 639},
                {720, 6, 10, 1, 9, 197},   {1440, 4, 79, 1, 9, 1439},  {2400, 1, 79, 1, 15, 2399},
                {2880, 1, 0, 0, 1, 0},     {2880, 1, 79, 1, 18, 2879}, {3360, 1, 79, 1, 21, 3359},
                {5760, 8, 79, 1, 36, 5759}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct floppy f;

        floppy_init(&f, -1, (int)rows[i].sectors);
        for (unsigned rate = 0; rate < 4; rate++) {
            bool good = rows[i].rates >> rate & 1;

            out(&f, INPUT, rate);
            set_dma(&f, 0x46, SECTOR_BYTES);
            transfer(&f, 0x46, 1, (const uint8_t[]){rows[i].c, rows[i].h, rows[i].r, 2}, rows[i].r,
                     0xff);
            cr_assert_eq(f.result[0] & 0xc0, good ? 0 : 0x40, "row %u, rate %u", i, rate);
            cr_assert_eq(f.result[1], good ? 0 : 0x01);
            if (good) {
                expect_data(&f, 1, rows[i].lba, SECTOR_BYTES);
            }
        }
        floppy_fini(&f);
    }
}

Test(fdc, reads_end_as_the_data_sheet_says)
{
    static const struct {
        uint8_t code, id[4], eot;
        unsigned bytes, st1, c, h, r, lba;
    } rows[] = {
        {0x46, {5, 0, 3, 2}, 18, 512, 0, 5, 0, 4, 182},
        {0x46, {5, 0, 1, 2}, 18, 18 * 512, 0, 6, 0, 1, 180},
        {0x46, {5, 1, 18, 2}, 18, 512, 0, 6, 1, 1, 215},
        {0xc6, {5, 0, 18, 2}, 18, 512, 0, 5, 1, 1, 197},
        {0xc6, {5, 1, 18, 2}, 18, 512, 0, 6, 0, 1, 215},
        {0xe6, {7, 0, 1, 2}, 18, 36 * 512, 0, 8, 0, 1, 252},   /* both sides */
        {0xe6, {7, 0, 10, 2}, 27, 18 * 512, 0, 7, 1, 10, 261}, /* EOT behind the track's end */
        {0x46, {2, 0, 5, 2}, 18, 700, 0, 2, 0, 7, 76},         /* ends inside a sector */
        {0x46, {2, 0, 17, 2}, 18, 4096, 0x80, 2, 0, 18, 88},   /* no terminal count */
        {0xc6, {2, 1, 17, 2}, 18, 4096, 0x80, 2, 1, 18, 106},
        {0x46, {2, 0, 17, 2}, 30, 4096, 0x04, 2, 0, 19, 88}, /* no sector 19 */
        {0x46, {2, 0, 19, 2}, 30, 512, 0x04, 2, 0, 19, 0},
        {0x46, {2, 0, 0, 2}, 18, 512, 0x04, 2, 0, 0, 0},
        {0x46, {2, 0, 1, 3}, 18, 512, 0x04, 2, 0, 1, 0},     /* 1024 bytes */
        {0x06, {2, 0, 1, 2}, 18, 512, 0x01, 2, 0, 1, 0},     /* single density */
        {0x46, {80, 0, 1, 2}, 18, 512, 0x01, 80, 0, 1, 0},   /* no such track */
        {0x42, {3, 0, 1, 2}, 18, 18 * 512, 0, 4, 0, 1, 108}, /* READ TRACK */
        {0x42, {3, 0, 4, 2}, 5, 5 * 512, 0x04, 4, 0, 1, 108},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        bool fails = rows[i].st1 && (rows[i].code & 0x1f) != 2;
        unsigned moved = MIN(rows[i].bytes, fails && (rows[i].st1 & 0x84) ? 1024 : rows[i].bytes);
        struct floppy f;

        floppy_init(&f, 2880, -1);
        set_dma(&f, 0x46, rows[i].bytes);
        transfer(&f, rows[i].code, 0, rows[i].id, rows[i].eot, 0xff);
        cr_expect_eq(f.result[0] & 0xc3, fails ? 0x40 : 0, "row %u: ST0 %02x", i, f.result[0]);
        cr_expect_eq(f.result[1], rows[i].st1, "row %u: ST1 %02x", i, f.result[1]);
        cr_expect(f.result[3] == rows[i].c && f.result[4] == rows[i].h && f.result[5] == rows[i].r,
                  "row %u: %u/%u/%u", i, f.result[3], f.result[4], f.result[5]);
        if (rows[i].lba) {
            expect_data(&f, 0, rows[i].lba, moved);
        }
        floppy_fini(&f);
    }
}

Test(fdc, image_that_is_shorter_than_its_format_reads_as_zeros)
{
    struct floppy f;

    floppy_init(&f, 2532, -1); /* 1.44 MB: ends inside cylinder 70 */
    read_sectors(&f, 70, 0, 9, 8);
    expect_result(&f, 0, 0, 0, 70, 0, 17);
    expect_data(&f, 0, 2528, 4 * SECTOR_BYTES);
    cr_assert_eq(ram(&f)[4 * SECTOR_BYTES], 0);
    read_sectors(&f, 79, 1, 18, 1);
    expect_result(&f, 4, 0, 0, 80, 0, 1);
    cr_assert_eq(ram(&f)[511], 0);
    floppy_fini(&f);
}

Test(fdc, writes_reach_the_disk)
{
    struct floppy f;

    floppy_init(&f, 2880, -1);
    for (unsigned i = 0; i < 65536; i++) {
        ram(&f)[i] = (uint8_t)(i * 3 ^ i >> 8);
    }
    set_dma(&f, 0x4a, 20 * SECTOR_BYTES);
    transfer(&f, 0xc5, 0, (const uint8_t[]){9, 0, 5, 2}, 18, 0xff);
    expect_result(&f, 4, 0, 0, 9, 1, 7);
    expect_data(&f, 0, 9 * 36 + 4, 20 * SECTOR_BYTES);
    cr_assert_eq(f.data[0][(9 * 36 + 24) * SECTOR_BYTES], (uint8_t)((9 * 36 + 24) * 7), "the next");
    set_dma(&f, 0x4a, 100); /* a short last sector is filled up with zeros */
    transfer(&f, 0x49, 0, (const uint8_t[]){0, 0, 1, 2}, 18, 0xff);
    expect_result(&f, 0, 0, 0, 0, 0, 2);
    expect_data(&f, 0, 0, 100);
    cr_assert_eq(f.data[0][100], 0);
    cr_assert_eq(f.data[0][511], 0);
    cr_assert_eq(f.data[0][512], 7);
    floppy_fini(&f);
}

Test(fdc, errors_are_told)
{
    struct floppy f;

    floppy_init(&f, 2880, 0);
    f.m->drives[3]->readonly = true;
    set_dma(&f, 0x4a, 512);
    transfer(&f, 0xc5, 0, (const uint8_t[]){0, 0, 1, 2}, 18, 0xff);
    expect_result(&f, 0x40, 0x02, 0, 0, 0, 1); /* write-protected */
    cr_assert_eq(f.data[0][0], 0);
    f.m->drives[3]->readonly = false;
    set_dma(&f, 0x46, 512);
    transfer(&f, 0xe6, 1, (const uint8_t[]){0, 0, 1, 2}, 18, 0xff);
    expect_result(&f, 0x41, 0x01, 0, 0, 0, 1); /* empty */
    set_dma(&f, 0x46, 512);
    transfer(&f, 0xe6, 3, (const uint8_t[]){0, 0, 1, 2}, 18, 0xff);
    expect_result(&f, 0x43, 0x01, 0, 0, 0, 1); /* no drive */
    set_dma(&f, 0x4a, 512);
    transfer(&f, 0xe6, 0, (const uint8_t[]){0, 0, 1, 2}, 18, 0xff);
    expect_result(&f, 0x40, 0x10, 0, 0, 0, 1); /* the DMA channel goes the other way: overrun */
    *f.fail[0] = EIO;
    read_sectors(&f, 0, 0, 1, 1);
    expect_result(&f, 0x40, 0x20, 0x20, 0, 0, 1); /* the host cannot read it */
    set_dma(&f, 0x4a, 512);
    transfer(&f, 0xc5, 0, (const uint8_t[]){0, 0, 1, 2}, 18, 0xff);
    expect_result(&f, 0x40, 0x20, 0x20, 0, 0, 1);
    *f.fail[0] = 0;
    set_dma(&f, 0x46, 512);
    transfer(&f, 0x4c, 0, (const uint8_t[]){0, 0, 1, 2}, 18, 0xff); /* READ DELETED DATA */
    expect_result(&f, 0, 0, 0x40, 0, 0, 2);
    floppy_fini(&f);
}

Test(fdc, dma_channel_may_come_late_but_not_never)
{
    struct floppy f;

    floppy_init(&f, 2880, -1);
    out(&f, 0x0a, 6);
    COMMAND(&f, 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_step(f.rig, NS_PER_MS);
    rig_settle(f.rig);
    rig_step(f.rig, 20 * NS_PER_MS);
    cr_assert_eq(in(&f, MSR), 0x10);
    set_dma(&f, 0x46, 1024);
    settle(&f);
    cr_assert_eq(take_result(&f), 7);
    expect_result(&f, 0, 0, 0, 0, 0, 3);
    out(&f, 0x0a, 6);
    COMMAND(&f, 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    settle(&f);
    settle(&f);
    cr_assert_eq(take_result(&f), 7);
    expect_result(&f, 0x40, 0x10, 0, 0, 0, 1);
    floppy_fini(&f);
}

Test(fdc, read_id_verify_and_scan)
{
    static const struct {
        uint8_t code, id[4], eot, last;
        unsigned add; /* to the guest's first byte */
        unsigned st0, st1, st2, r;
    } rows[] = {
        {0x56, {1, 0, 1, 2}, 18, 0xff, 0, 0, 0, 0, 1},     /* VERIFY to the end of the track */
        {0xd6, {1, 0, 9, 2}, 18, 0xff, 0, 4, 0, 0, 1},     /* of both sides */
        {0x56, {1, 0, 9, 2}, 40, 0xff, 0, 0x40, 4, 0, 19}, /* of more than there is */
        {0x51, {1, 0, 2, 2}, 18, 1, 0, 0, 0, 0x08, 2},     /* SCAN: equal */
        {0x51, {1, 0, 2, 2}, 2, 1, 1, 0, 0, 0x04, 1},
        {0x59, {1, 0, 2, 2}, 18, 1, 1, 0, 0, 0, 2}, /* low or equal: the disk's is less */
        {0x5d, {1, 0, 2, 2}, 2, 1, 1, 0, 0, 0x04, 1},
        {0x5d, {1, 0, 2, 2}, 2, 1, 255, 0, 0, 0, 2},
    };
    struct floppy f;

    floppy_init(&f, 2880, -1);
    memset(f.data[0] + 37 * SECTOR_BYTES, 0x21, SECTOR_BYTES);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        memset(ram(&f), 0x21, 4096);
        ram(&f)[0] = (uint8_t)(0x21 + rows[i].add);
        set_dma(&f, 0x4a, 4096);
        transfer(&f, rows[i].code, 0, rows[i].id, rows[i].eot, rows[i].last);
        cr_expect(f.result[0] == rows[i].st0 && f.result[1] == rows[i].st1 &&
                      f.result[2] == rows[i].st2 && f.result[5] == rows[i].r,
                  "row %u: %02x %02x %02x, sector %u", i, f.result[0], f.result[1], f.result[2],
                  f.result[5]);
    }
    COMMAND(&f, 0xd6, 0x80, 1, 0, 17, 2, 18, 0x1b, 5); /* VERIFY of five sectors */
    settle(&f);
    take_result(&f);
    expect_result(&f, 4, 0, 0, 1, 1, 4);
    seek(&f, 11);
    COMMAND(&f, 0x4a, 0x04);
    settle(&f);
    cr_assert_eq(take_result(&f), 7);
    cr_assert_eq(f.result[0], 4);
    cr_assert(f.result[3] == 11 && f.result[4] == 1 && f.result[5] >= 1 && f.result[5] <= 18);
    floppy_fini(&f);
}

Test(fdc, format_fills_a_track_and_nothing_else)
{
    struct floppy f;
    uint8_t *track;

    floppy_init(&f, 2880, -1);
    track = f.data[0] + (36 * 4 + 18) * SECTOR_BYTES;
    for (unsigned round = 0; round < 3; round++) {
        memset(track - 1, 0x11, 18 * SECTOR_BYTES + 2);
        for (unsigned i = 0; i < 18; i++) { /* interleaved by 7; the last round asks for too much */
            const uint8_t id[4] = {4, 1, (uint8_t)(i * 7 % 18 + 1 + (round == 2)), 2};

            memcpy(ram(&f) + 4 * i, id, 4);
        }
        f.m->drives[3]->readonly = round == 1;
        set_dma(&f, 0x4a, 18 * 4);
        COMMAND(&f, 0x4d, 0x04, 2, 18, 0x50, 0xf6);
        settle(&f);
        cr_assert_eq(take_result(&f), 7);
        cr_assert_eq(f.result[0] & 0xc0, round ? 0x40 : 0, "round %u: %02x", round, f.result[0]);
        cr_assert_eq(f.result[1], round == 1 ? 0x02 : round ? 0x04 : 0);
        for (unsigned i = 0; i < 18 * SECTOR_BYTES; i++) {
            cr_assert_eq(track[i], round ? 0x11 : 0xf6, "byte %u", i);
        }
        cr_assert(track[-1] == 0x11 && track[18 * SECTOR_BYTES] == 0x11);
    }
    floppy_fini(&f);
}

Test(fdc, without_dma_the_guest_moves_the_bytes)
{
    struct floppy f;

    floppy_init(&f, 2880, -1);
    COMMAND(&f, 0x03, 0xdf, 0x03);
    COMMAND(&f, 0x46, 0x00, 3, 0, 17, 2, 18, 0x1b, 0xff);
    for (unsigned n = 0; n < 2; n++) {
        settle(&f);
        cr_assert(f.pin.level);
        for (unsigned i = 0; i < SECTOR_BYTES; i++) {
            cr_assert_eq(in(&f, MSR), 0xf0, "byte %u: MSR %02x", i, in(&f, MSR));
            cr_assert_eq(in(&f, FIFO), f.data[0][(108 + 16 + n) * SECTOR_BYTES + i]);
        }
        cr_assert_eq(in(&f, MSR), 0x30, "still executing between the sectors and at the end");
    }
    settle(&f);
    cr_assert_eq(take_result(&f), 7);
    expect_result(&f, 0x40, 0x80, 0, 3, 0, 18); /* no terminal count: end of cylinder */

    COMMAND(&f, 0x45, 0x00, 3, 0, 18, 2, 18, 0x1b, 0xff);
    settle(&f);
    for (unsigned i = 0; i < SECTOR_BYTES; i++) {
        cr_assert_eq(in(&f, MSR), 0xb0);
        out(&f, FIFO, i ^ 0x5a);
    }
    settle(&f);
    cr_assert_eq(take_result(&f), 7);
    for (unsigned i = 0; i < SECTOR_BYTES; i++) {
        cr_assert_eq(f.data[0][(108 + 17) * SECTOR_BYTES + i], (uint8_t)(i ^ 0x5a));
    }
    floppy_fini(&f);
}

/* How Linux ends a transfer in non-DMA mode: it moves no more bytes. */
Test(fdc, without_dma_a_guest_that_stops_is_an_overrun)
{
    struct floppy f;

    floppy_init(&f, 2880, -1);
    COMMAND(&f, 0x03, 0xdf, 0x03);
    COMMAND(&f, 0x45, 0x00, 3, 0, 5, 2, 18, 0x1b, 0xff);
    rig_step(f.rig, 2 * NS_PER_MS);
    for (unsigned i = 0; i < SECTOR_BYTES; i++) {
        cr_assert_eq(in(&f, MSR), 0xb0);
        out(&f, FIFO, 0x3c);
        if (i % 100 == 0) { /* slow, but going on */
            rig_step(f.rig, 150 * NS_PER_MS);
        }
    }
    for (unsigned i = 0; i < 10; i++) {
        rig_settle(f.rig);
        rig_step(f.rig, 2 * NS_PER_MS);
    }
    cr_expect_eq(in(&f, MSR), 0xb0, "it wants the next sector");
    f.pin.rises = 0;
    rig_step(f.rig, 210 * NS_PER_MS);
    rig_step(f.rig, NS_PER_MS);
    cr_expect_eq(f.pin.rises, 1);
    cr_assert_eq(take_result(&f), 7);
    expect_result(&f, 0x40, 0x10, 0, 3, 0, 6);
    cr_expect_eq(f.data[0][(108 + 4) * SECTOR_BYTES + 511], 0x3c);
    cr_expect_eq(f.data[0][(108 + 5) * SECTOR_BYTES], (uint8_t)((108 + 5) * 7));
    floppy_fini(&f);
}

Test(fdc, reset_in_the_middle_of_anything_leaves_a_working_controller)
{
    for (unsigned when = 0; when < 12; when++) {
        struct floppy f;

        floppy_init(&f, 2880, -1);
        set_dma(&f, 0x46, 18 * SECTOR_BYTES);
        if (when < 9) { /* after so many bytes of the command */
            for (unsigned i = 0; i < when; i++) {
                out(&f, FIFO, (unsigned)((const uint8_t[]){0xe6, 0, 0, 0, 1, 2, 18, 27}[i]));
            }
        } else {
            COMMAND(&f, 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
            rig_step(f.rig, (when - 9) * 80 * NS_PER_US); /* not begun, begun, under way */
        }
        if (when == 5) {
            rig_reset(f.rig);
        }
        out(&f, DOR, 0);
        start(&f);
        read_sectors(&f, 1, 1, 1, 18);
        expect_result(&f, 4, 0, 0, 2, 0, 1);
        expect_data(&f, 0, 54, 18 * SECTOR_BYTES);
        floppy_fini(&f);
    }
}
