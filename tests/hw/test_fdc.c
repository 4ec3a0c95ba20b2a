/*
 * The floppy controller (hw/fdc.c): registers, seeks, hostile guests, and how it stands on the
 * board.  After the Intel 82077AA data sheet.
 *
 * Not modelled: the guest; ports are poked by hand, the DMA controller is the real one.
 */
#include "hw/core/floppy.h"
#include "hw/pc.h"
#include "hw/rtc.h"
#include "hw/fdc_int.h"
#include "tests/hw/fdc_rig.h"

/* Registers and small commands */

Test(fdc, reset_gives_one_interrupt_and_four_statuses)
{
    struct floppy f;

    make(&f, 2880, -1);
    cr_assert_eq(in(&f, DOR), 0);
    cr_assert_eq(in(&f, MSR), 0, "held in reset");
    out(&f, FIFO, 0x10);
    for (unsigned round = 0; round < 3; round++) {
        f.pin.rises = 0;
        if (round < 2) {
            out(&f, DOR, 0);
            out(&f, DOR, 0x0c);
        } else {
            out(&f, MSR, 0x80); /* the same by the DSR */
        }
        cr_assert_eq(in(&f, MSR), 0);
        cr_assert_eq(f.pin.rises, 0);
        settle(&f);
        cr_assert_eq(f.pin.rises, 1);
        cr_assert_eq(in(&f, MSR), 0x80);
        for (unsigned i = 0; i < 4; i++) {
            COMMAND(&f, 0x08);
            cr_assert_not(f.pin.level);
            cr_assert_eq(take_result(&f), 2);
            cr_assert_eq(f.result[0], 0xc0 | i);
            cr_assert_eq(f.result[1], 0);
        }
        COMMAND(&f, 0x08);
        cr_assert_eq(take_result(&f), 1);
        cr_assert_eq(f.result[0], 0x80, "nothing more to sense");
    }
    floppy_fini(&f);
}

Test(fdc, the_gate_of_the_dor_holds_interrupts_back)
{
    struct floppy f;

    make(&f, 2880, -1);
    out(&f, DOR, 0x04);
    settle(&f);
    cr_assert_not(f.pin.level);
    out(&f, DOR, 0x0c);
    cr_assert(f.pin.level);
    floppy_fini(&f);
}

Test(fdc, commands_without_execution_answer_at_once)
{
    static const struct {
        uint8_t bytes[4], len, results, first;
    } rows[] = {
        {{0x10}, 1, 1, 0x90},                /* VERSION */
        {{0x18}, 1, 1, 0x80},                /* PART ID is of later chips */
        {{0x8e}, 1, 1, 0x80},                /* so is DRIVE SPECIFICATION */
        {{0x00}, 1, 1, 0x80},                /* no command */
        {{0x94}, 1, 1, 0x10},                /* LOCK */
        {{0x14}, 1, 1, 0x00},                /* unlock */
        {{0x04, 0x00}, 2, 1, 0x38},          /* SENSE DRIVE STATUS: track 0 */
        {{0x04, 0x05}, 2, 1, 0x7d},          /* drive B, side 1, empty */
        {{0x04, 0x02}, 2, 1, 0x2a},          /* no drive */
        {{0x13, 0x00, 0x57, 0x01}, 4, 0, 0}, /* CONFIGURE */
        {{0x03, 0xdf, 0x02}, 3, 0, 0},       /* SPECIFY */
        {{0x12, 0x84}, 2, 0, 0},             /* PERPENDICULAR MODE */
    };
    static const uint8_t dump[10] = {0, 0, 0, 0, 0xdf, 0x02, 0, 0x04, 0x57, 0x01};
    struct floppy f;

    floppy_init(&f, 2880, 0);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        command(&f, rows[i].bytes, rows[i].len);
        cr_assert_eq(take_result(&f), rows[i].results, "row %u", i);
        cr_assert(!f.got || f.result[0] == rows[i].first, "row %u: %02x", i, f.result[0]);
    }
    COMMAND(&f, 0x0e);
    cr_assert_eq(take_result(&f), 10);
    cr_assert_arr_eq(f.result, dump, 10);
    cr_assert_eq(f.pin.rises, 0);
    floppy_fini(&f);
}

Test(fdc, lock_keeps_the_configuration_over_a_reset)
{
    for (unsigned locked = 0; locked < 2; locked++) {
        struct floppy f;

        floppy_init(&f, 2880, -1);
        COMMAND(&f, 0x13, 0, 0x57, 5);
        COMMAND(&f, locked ? 0x94 : 0x14);
        take_result(&f);
        out(&f, MSR, 0x80);
        settle(&f);
        COMMAND(&f, 0x0e);
        cr_assert_eq(take_result(&f), 10);
        cr_assert_eq(f.result[8], locked ? 0x07 : 0x20, "%02x", f.result[8]);
        cr_assert_eq(f.result[9], locked ? 5 : 0);
        floppy_fini(&f);
    }
}

/* Heads and the change line */

Test(fdc, seeks_take_time_overlap_and_are_sensed)
{
    struct floppy f;

    floppy_init(&f, 2880, 2880);
    COMMAND(&f, 0x0f, 0x00, 40);
    cr_assert_eq(in(&f, MSR), 0x81, "busy with drive 0, ready for more");
    COMMAND(&f, 0x0f, 0x05, 20);
    cr_assert_eq(in(&f, MSR), 0x83);
    cr_assert_eq(f.pin.rises, 0);
    settle(&f);
    cr_assert_eq(in(&f, MSR), 0x80);
    cr_assert_eq(f.pin.rises, 1);
    COMMAND(&f, 0x08);
    take_result(&f);
    cr_assert_eq(f.result[0], 0x25, "the shorter one ended first");
    cr_assert_eq(f.result[1], 20);
    cr_assert(f.pin.level && f.pin.rises == 2, "the second end is told when the first is sensed");
    COMMAND(&f, 0x08);
    take_result(&f);
    cr_assert_eq(f.result[0], 0x20);
    cr_assert_eq(f.result[1], 40);
    cr_assert_not(f.pin.level);
    COMMAND(&f, 0xcf, 0x01, 3); /* RELATIVE SEEK inwards */
    settle(&f);
    COMMAND(&f, 0x08);
    take_result(&f);
    cr_assert_eq(f.result[1], 23);
    COMMAND(&f, 0x07, 0x01);
    settle(&f);
    COMMAND(&f, 0x08);
    take_result(&f);
    cr_assert_eq(f.result[0], 0x21);
    cr_assert_eq(f.result[1], 0);
    COMMAND(&f, 0x07, 0x02);
    settle(&f);
    COMMAND(&f, 0x08);
    take_result(&f);
    cr_assert_eq(f.result[0], 0x72, "no drive 2: equipment check");
    floppy_fini(&f);
}

Test(fdc, change_line_stays_until_a_step_with_a_medium)
{
    struct block *old, *blk;
    struct floppy f;
    uint8_t *data;

    floppy_init(&f, 2880, -1);
    cr_assert_eq(in(&f, INPUT) & 0x80, 0x80, "after power-on");
    seek(&f, 0);
    cr_assert_eq(in(&f, INPUT) & 0x80, 0x80, "no step, no news");
    seek(&f, 1);
    cr_assert_eq(in(&f, INPUT) & 0x80, 0);
    cr_assert(fdc_change_medium(f.fdc, 0, NULL, &old));
    cr_assert_not_null(old);
    block_drain(f.m);
    block_close(old);
    cr_assert_eq(in(&f, INPUT) & 0x80, 0x80);
    seek(&f, 3);
    cr_assert_eq(in(&f, INPUT) & 0x80, 0x80, "empty");
    blk = rig_disk(1440, &data, NULL);
    blk->readonly = true;
    block_attach(blk, f.m);
    memset(data + 18 * SECTOR_BYTES, 0x99, SECTOR_BYTES);
    cr_assert(fdc_change_medium(f.fdc, 0, blk, &old));
    cr_assert_null(old);
    seek(&f, 2);
    cr_assert_eq(in(&f, INPUT) & 0x80, 0);
    out(&f, INPUT, 2);
    read_sectors(&f, 1, 0, 1, 1);
    expect_result(&f, 0, 0, 0, 1, 0, 2);
    cr_assert_eq(ram(&f)[0], 0x99, "720 K: other places");
    out(&f, DOR, RUN | 1);
    cr_assert_eq(in(&f, INPUT) & 0x80, 0, "no drive B");
    cr_assert_not(fdc_change_medium(f.fdc, 1, NULL, &old));
    floppy_fini(&f);
}

Test(fdc, medium_of_the_other_width_or_too_large_does_not_go_in)
{
    static const unsigned sizes[] = {2400, 720, 5760, 5761, 100000};
    struct floppy f;

    floppy_init(&f, 2880, -1);
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        struct block *old = NULL, *blk = rig_disk(sizes[i], NULL, NULL);

        cr_assert_not(fdc_change_medium(f.fdc, 0, blk, &old));
        block_close(blk);
    }
    read_sectors(&f, 0, 0, 1, 1);
    expect_result(&f, 0, 0, 0, 0, 0, 2);
    floppy_fini(&f);
}

/* A 1.2 MB drive makes two steps from one track of a 360 KB disk to the next. */
Test(fdc, an_80_track_drive_steps_twice_on_a_40_track_disk)
{
    struct block *old, *blk;
    struct floppy f;
    uint8_t *data;

    floppy_init(&f, 2400, -1);
    blk = rig_disk(720, &data, NULL);
    block_attach(blk, f.m);
    memset(data + 13 * 18 * SECTOR_BYTES, 0x77, SECTOR_BYTES);
    cr_assert(fdc_change_medium(f.fdc, 0, blk, &old));
    block_drain(f.m);
    block_close(old);
    out(&f, INPUT, 1); /* 300 kbit/s */
    seek(&f, 26);
    cr_assert_eq(in(&f, INPUT) & 0x80, 0);
    COMMAND(&f, 0x4a, 0x00);
    settle(&f);
    cr_assert_eq(take_result(&f), 7);
    cr_expect_eq(f.result[0], 0);
    cr_expect_eq(f.result[3], 13);
    read_sectors(&f, 13, 0, 1, 1);
    expect_result(&f, 0, 0, 0, 13, 0, 2);
    cr_expect_eq(ram(&f)[0], 0x77);
    COMMAND(&f, 0x0e);
    cr_assert_eq(take_result(&f), 10);
    cr_expect_eq(f.result[0], 26, "the head stays there");
    for (unsigned i = 0; i < 9; i++) {
        memcpy(ram(&f) + 4 * i, (const uint8_t[]){13, 0, (uint8_t)(i + 1), 2}, 4);
    }
    set_dma(&f, 0x4a, 36);
    COMMAND(&f, 0x4d, 0x00, 2, 9, 0x50, 0xe5);
    settle(&f);
    cr_assert_eq(take_result(&f), 7);
    cr_expect_eq(f.result[0], 0);
    cr_expect_eq(data[13 * 18 * SECTOR_BYTES], 0xe5);
    read_sectors(&f, 40, 0, 1, 1);
    expect_result(&f, 0x40, 0x01, 0, 40, 0, 1);
    floppy_fini(&f);
}

Test(fdc, a_drive_takes_lower_densities)
{
    static const struct {
        int drive;
        unsigned takes, not ;
    } rows[] = {{720, 320, 2400}, {2400, 720, 1440}, {1440, 2880, 5760}, {0, 5760, 2400}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct block *old, *blk = rig_disk(rows[i].takes, NULL, NULL);
        struct floppy f;

        floppy_init(&f, rows[i].drive, -1);
        block_attach(blk, f.m);
        cr_expect(fdc_change_medium(f.fdc, 0, blk, &old), "row %u", i);
        block_drain(f.m);
        if (old) {
            block_close(old);
        }
        blk = rig_disk(rows[i].not, NULL, NULL);
        cr_expect_not(fdc_change_medium(f.fdc, 0, blk, &old), "row %u", i);
        block_close(blk);
        floppy_fini(&f);
    }
}

Test(fdc, powered_down_it_is_deaf_until_a_reset)
{
    struct floppy f;

    floppy_init(&f, 2880, -1);
    COMMAND(&f, 0x0f, 0x00, 40);
    out(&f, MSR, 0x40);
    cr_expect_eq(in(&f, MSR), 0);
    for (unsigned i = 0; i < 100; i++) {
        out(&f, FIFO, 0x10);
    }
    cr_expect_eq(in(&f, FIFO), 0);
    settle(&f);
    cr_expect_eq(in(&f, MSR), 0);
    out(&f, DOR, 0);
    start(&f);
    read_sectors(&f, 3, 0, 1, 1);
    expect_result(&f, 0, 0, 0, 3, 0, 2);
    out(&f, MSR, 0xc0); /* both at once: the reset wins */
    settle(&f);
    cr_expect_eq(in(&f, MSR), 0x80);
    floppy_fini(&f);
}

Test(fdc, medium_taken_out_in_the_middle_fails_the_command)
{
    struct block *old;
    struct floppy f;

    floppy_init(&f, 2880, -1);
    set_dma(&f, 0x46, 18 * SECTOR_BYTES);
    COMMAND(&f, 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_step(f.rig, 150 * NS_PER_US); /* the request is on its way */
    cr_assert(fdc_change_medium(f.fdc, 0, NULL, &old));
    block_drain(f.m);
    block_close(old);
    settle(&f);
    take_result(&f);
    expect_result(&f, 0x40, 0x01, 0, 0, 0, 1);
    floppy_fini(&f);
}

/* Hostile guests */

/* CVE-2015-3456: bytes without end in every phase.  The sanitizers would see an index that passes
 * its array. */
Test(fdc, venom_bytes_without_end_stay_inside)
{
    for (unsigned code = 0; code < 256; code++) {
        struct floppy f;

        floppy_init(&f, 2880, -1);
        set_dma(&f, 0x46, 512);
        out(&f, FIFO, code);
        for (unsigned i = 0; i < 3000; i++) {
            out(&f, FIFO, code == 0x8e ? 0x42 : code);
        }
        rig_step(f.rig, 5 * NS_PER_MS);
        for (unsigned i = 0; i < 3000; i++) {
            in(&f, FIFO);
        }
        rig_settle(f.rig);
        for (unsigned i = 0; i < 3000; i++) {
            out(&f, FIFO, i);
        }
        out(&f, DOR, 0);
        start(&f);
        read_sectors(&f, 0, 1, 1, 1);
        cr_assert_eq(f.result[0], 4, "after %02x", code);
        expect_data(&f, 0, 18, SECTOR_BYTES);
        floppy_fini(&f);
    }
}

/* A scan whose data end before they begin, as no guest but a snapshot can have it. */
Test(fdc, loaded_scan_stays_inside_its_buffer)
{
    struct floppy f;

    floppy_init(&f, 2880, 0);
    struct fdc_state *s = &((struct fdc *)f.fdc)->s;
    s->phase = FDC_EXEC;
    s->step = FDC_STEP_PIO;
    s->op = FDC_OP_SCAN_LOW;
    s->hlt_nd = SPECIFY_ND;
    s->pos = 0;
    s->end = 4;
    fdc_ops.loaded(f.fdc);
    for (unsigned i = 0; i < 4; i++) {
        out(&f, FIFO, i);
    }
    settle(&f);
    cr_assert_eq(take_result(&f), 7);
    floppy_fini(&f);
}

/* Random accesses with a bias to whole commands, and media that come and go. */
Test(fdc, random_guests_do_no_harm)
{
    static const uint8_t codes[] = {0xe6, 0xc5, 0x46, 0x4d, 0x51, 0x56, 0x4a, 0x07,
                                    0x0f, 0x42, 0x08, 0x0e, 0x8f, 0x4c, 0x13, 0x03};
    static const int sizes[] = {2880, 5760, 320, 2532, 0};

    for (unsigned round = 0; round < ARRAY_LEN(sizes); round++) {
        GRand *rand = g_rand_new_with_seed(20240 + round);
        struct floppy f;

        floppy_init(&f, sizes[round], 1440);
        for (unsigned i = 0; i < 20000; i++) {
            uint32_t v = g_rand_int(rand);
            bool small = v & 0x40000000;

            switch (v >> 8 & 15) {
            case 0:
                out(&f, DOR, v & 3 ? 0x0c | (v & 1) : v);
                break;
            case 1:
                out(&f, v & 0x8000 ? MSR : INPUT, v & 0x3f);
                break;
            case 2:
                set_dma(&f, v & 0x8000 ? 0x46 : 0x4a, 1 + (v >> 16 & 0x3fff));
                break;
            case 3:
                rig_step(f.rig, v >> 16 & 0xffff);
                break;
            case 4:
                rig_settle(f.rig);
                break;
            case 5:
                for (unsigned n = 0; n < (v >> 20); n++) {
                    in(&f, FIFO);
                }
                break;
            case 6:
                out(&f, FIFO, codes[v % ARRAY_LEN(codes)]);
                for (unsigned n = 0; n < 8; n++) {
                    uint32_t p = g_rand_int(rand);
                    out(&f, FIFO, small ? p % 20 : p);
                }
                rig_step(f.rig, NS_PER_MS);
                rig_settle(f.rig);
                break;
            case 7:
                in(&f, (uint16_t)(DOR + v % 6));
                break;
            case 8:
                if (!(v & 0xf00000)) {
                    struct block *old = NULL, *blk = rig_disk(v & 0x8000 ? 1440 : 2880, NULL, NULL);

                    block_attach(blk, f.m);
                    if (!fdc_change_medium(f.fdc, 1, blk, &old)) {
                        old = blk;
                    }
                    block_drain(f.m);
                    block_close(old);
                }
                break;
            default:
                out(&f, FIFO, v);
                break;
            }
        }
        out(&f, DOR, 0);
        settle(&f);
        start(&f);
        COMMAND(&f, 0x10);
        cr_assert_eq(take_result(&f), 1);
        cr_assert_eq(f.result[0], 0x90);
        g_rand_free(rand);
        floppy_fini(&f);
    }
}

/* The board */

Test(fdc, geometry_follows_the_size_of_the_image)
{
    static const struct {
        unsigned sectors, holds, drive;
    } rows[] = {{320, 320, 1},   {640, 640, 1},   {720, 720, 1},   {1, 320, 1},
                {721, 1440, 3},  {1440, 1440, 3}, {2400, 2400, 2}, {2532, 2880, 4},
                {2880, 2880, 4}, {3360, 3360, 4}, {3359, 5760, 5}, {5760, 5760, 5}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        const struct floppy_geometry *g = floppy_geometry_for(rows[i].sectors);

        cr_assert_not_null(g);
        cr_expect_eq(floppy_geometry_sectors(g), rows[i].holds, "%u sectors", rows[i].sectors);
        cr_expect_eq(g->drive, rows[i].drive);
    }
    cr_assert_null(floppy_geometry_for(0));
    cr_assert_null(floppy_geometry_for(5761));
}

static void board_prepare(struct machine *m)
{
    static const uint8_t image[65536] = {0xf4};

    m->bios_image = g_bytes_new_static(image, sizeof image);
    for (unsigned i = 0; i < 2; i++) {
        if (m->config.drives[i].used && m->config.drives[i].file) {
            m->drives[i] = rig_disk((uint64_t)g_ascii_strtoull(m->config.drives[i].file, NULL, 10),
                                    NULL, NULL);
        }
    }
}

static struct rig *board(const char *a, const char *b, unsigned second, GError **err)
{
    struct vm_config c;
    struct rig *r;

    vm_config_init(&c);
    c.memory = 16 * MiB;
    if (a) {
        c.drives[0] = (struct drive_config){
            .used = true, .file = g_strdup(*a ? a : NULL), .interface = DRIVE_FLOPPY};
    }
    if (b) {
        c.drives[1] = (struct drive_config){
            .used = true, .file = g_strdup(b), .interface = DRIVE_FLOPPY, .index = second};
    }
    r = rig_new_board(&c, &pc_board, board_prepare, err);
    vm_config_clear(&c);
    return r;
}

Test(fdc, cmos_tells_the_drives)
{
    static const struct {
        const char *a, *b;
        unsigned types, equipment;
    } rows[] = {{NULL, NULL, 0, 0x06},
                {"2880", NULL, 0x40, 0x07},
                {NULL, "2400", 0x02, 0x07},
                {"720", "5760", 0x15, 0x47},
                {"", "1440", 0x54, 0x47}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        GError *err = NULL;
        struct rig *r = board(rows[i].a, rows[i].b, 1, &err);
        struct device *rtc;

        cr_assert_not_null(r, "row %u: %s", i, err ? err->message : "?");
        rtc = device_find(r->m, "rtc");
        cr_expect_eq(rtc_get_cmos(rtc, 0x10), rows[i].types, "row %u", i);
        cr_expect_eq(rtc_get_cmos(rtc, 0x14), rows[i].equipment, "row %u", i);
        rig_free(r);
    }
}

Test(fdc, wrong_drives_are_refused)
{
    static const struct {
        const char *a, *b;
        unsigned second;
        const char *says;
    } rows[] = {{"5761", NULL, 0, "5761 sectors"},
                {"2880", "2880", 0, "taken twice"},
                {"2880", "2880", 2, "no floppy drive 2"}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        GError *err = NULL;
        struct rig *r = board(rows[i].a, rows[i].b, rows[i].second, &err);

        cr_assert_null(r);
        cr_expect(strstr(err->message, rows[i].says), "row %u: %s", i, err->message);
        g_error_free(err);
    }
}

/* The way to the processor: IRQ 6 of the board. */
Test(fdc, interrupt_arrives_at_the_board)
{
    struct rig *r = board("2880", NULL, 0, NULL);

    cr_assert_not_null(r);
    rig_out8(r, 0x20, 0x11);
    rig_out8(r, 0x21, 0x08);
    rig_out8(r, 0x21, 0x04);
    rig_out8(r, 0x21, 0x01);
    rig_out8(r, 0x21, 0xff);
    rig_out8(r, DOR, 0x0c);
    rig_step(r, NS_PER_MS);
    rig_out8(r, 0x20, 0x0a);
    cr_assert_eq(rig_in8(r, 0x20), 0x40, "IRQ 6 and no other is requested");
    rig_free(r);
}
