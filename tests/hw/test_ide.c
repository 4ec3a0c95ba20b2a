/*
 * The IDE channel and its disks (hw/ide.c, hw/ide_ata.c), after ATA/ATAPI-5 and -6.
 *
 * Not modelled: the guest; ports are poked by hand.
 */
#include "hw/ide_int.h"
#include "tests/hw/disk_rig.h"

enum { READY = 0x50, DATA = 0x58, FAILED = 0x51, BUSY = 0x80 };

static void expect_sector(struct disk_rig *r, uint64_t number)
{
    uint8_t buf[512];

    read_bytes(r, buf, sizeof buf);
    cr_assert_eq(ld_le64(buf), number, "sector %llu came as %llu", (unsigned long long)number,
                 (unsigned long long)ld_le64(buf));
    cr_assert_eq(ld_le64(buf + 504), number);
}

Test(ide, reset_leaves_the_signature_of_each_kind_of_drive)
{
    struct disk_rig r;

    disk_rig_init(&r, "dc", 100000);
    for (unsigned round = 0; round < 2; round++) {
        out8(&r, 0x1f6, 0xa0);
        cr_assert_eq(in8(&r, 0x1f7), READY);
        cr_assert_eq(in8(&r, 0x1f1), 1);
        cr_assert_eq(in8(&r, 0x1f2), 1);
        cr_assert_eq(in8(&r, 0x1f3), 1);
        cr_assert_eq(in16(&r, 0x1f4), 0);
        out8(&r, 0x1f6, 0xb0);
        cr_assert_eq(in8(&r, 0x1f7), 0);
        cr_assert_eq(in8(&r, 0x1f4), 0x14);
        cr_assert_eq(in8(&r, 0x1f5), 0xeb);
        out8(&r, 0x3f6, 4); /* and once more after a software reset */
        cr_assert_eq(in8(&r, 0x3f6) & BUSY, BUSY);
        out8(&r, 0x3f6, 0);
        cr_assert_eq(in8(&r, 0x1f6) & 0x10, 0, "the master is selected");
    }
    disk_rig_fini(&r);
}

Test(ide, empty_channel_floats_and_a_lone_master_answers_for_the_slave)
{
    struct disk_rig r;

    disk_rig_init(&r, "--", 0);
    out8(&r, 0x1f2, 0x55);
    cr_assert_eq(in8(&r, 0x1f2), 0x7f);
    cr_assert_eq(in8(&r, 0x1f7), 0x7f);
    cr_assert_eq(in8(&r, 0x3f6), 0x7f);
    disk_rig_fini(&r);

    disk_rig_init(&r, "d-", 1000);
    out8(&r, 0x1f6, 0xb0);
    out8(&r, 0x1f2, 0x55);
    cr_assert_eq(in8(&r, 0x1f2), 0x55);
    cr_assert_eq(in8(&r, 0x1f6), 0xb0);
    cr_assert_eq(in8(&r, 0x1f7), 0);
    out8(&r, 0x1f7, 0xec);
    cr_assert_eq(settle(&r), 0, "no slave takes the command");
    out8(&r, 0x1f6, 0xa0);
    cr_assert_eq(in8(&r, 0x1f7), READY, "nor does the master");
    cr_assert_eq(r.pin.rises, 0);
    disk_rig_fini(&r);

    disk_rig_init(&r, "-d", 1000);
    out8(&r, 0x1f6, 0xa0);
    cr_assert_eq(in8(&r, 0x1f7), 0x7f);
    out8(&r, 0x1f6, 0xb0);
    cr_assert_eq(in8(&r, 0x1f7), READY);
    disk_rig_fini(&r);
}

Test(ide, identify_tells_sizes_name_and_modes)
{
    const uint64_t sectors = 0x123456789;
    struct disk_rig r;
    uint16_t id[256];
    char name[9] = "";
    uint8_t sum = 0;

    disk_rig_init(&r, "d-", sectors);
    command(&r, 0, 0xec, 0, 0);
    cr_assert_eq(r.pin.level, true);
    cr_assert_eq(settle(&r), DATA);
    cr_assert_eq(r.pin.level, false, "reading status takes the interrupt away");
    read_bytes(&r, id, 512);
    cr_assert_eq(in8(&r, 0x1f7), READY);
    for (unsigned i = 0; i < 8; i++) {
        name[i] = (char)(id[27 + i / 2] >> (i & 1 ? 0 : 8));
    }
    cr_assert_str_eq(name, "CANDELA ");
    cr_assert_eq(memcmp(id + 10, "AL B0010", 8), 0, "the serial number, first character high");
    cr_assert_eq(id[1], 16383);
    cr_assert_eq(id[3], 16);
    cr_assert_eq(id[6], 63);
    cr_assert_eq(id[60] | (uint32_t)id[61] << 16, 0x0fffffff);
    cr_assert_eq(id[100] | (uint64_t)id[101] << 16 | (uint64_t)id[102] << 32, sectors);
    cr_assert_eq(id[47] & 0xff, 16);
    cr_assert_eq(id[49] & 0x0f00, 0x0f00, "LBA, DMA, IORDY");
    cr_assert_eq(id[53] & 7, 7);
    cr_assert_eq(id[63], 0x0007, "multiword DMA 0..2");
    cr_assert_eq(id[88], 0x043f, "UDMA 0..5, of which 2 is set");
    cr_assert_eq(id[84] & 0xc040, 0x4040, "forced unit access");
    for (unsigned i = 0; i < 256; i++) {
        sum = (uint8_t)(sum + id[i] + (id[i] >> 8));
    }
    cr_assert_eq(id[255] & 0xff, 0xa5);
    cr_assert_eq(sum, 0, "checksum");
    cr_assert_eq(id[83] & 0xc400, 0x4400, "48-bit addresses");
    cr_assert_eq(id[64], 3);
    disk_rig_fini(&r);
}

Test(ide, read_gives_one_interrupt_per_block_and_none_at_the_end)
{
    static const struct {
        uint8_t code, multi;
        unsigned count, interrupts;
    } rows[] = {
        {0x20, 16, 1, 1}, {0x20, 16, 3, 3},  {0x21, 16, 2, 2},   {0xc4, 16, 16, 1},
        {0xc4, 4, 9, 3},  {0xc4, 16, 70, 5}, {0x20, 16, 0, 256}, {0xc4, 8, 0, 32},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct disk_rig r;
        unsigned left = rows[i].count ? rows[i].count : 256;
        uint32_t lba = 0x1234567;

        disk_rig_init(&r, "d-", 0x10000000);
        command(&r, 0, 0xc6, 0, rows[i].multi);
        cr_assert_eq(settle(&r), READY);
        r.pin.rises = 0;
        command(&r, 0, rows[i].code, lba, rows[i].count);
        cr_assert_eq(in8(&r, 0x1f7) & BUSY, BUSY);
        while (left) {
            unsigned block = rows[i].code == 0xc4 ? MIN(left, rows[i].multi) : 1;
            cr_assert_eq(settle(&r), DATA, "row %u, %u left", i, left);
            for (; block; block--, left--) {
                expect_sector(&r, lba++);
            }
        }
        cr_assert_eq(settle(&r), READY);
        cr_assert_eq(r.pin.rises, rows[i].interrupts, "row %u: %u interrupts", i, r.pin.rises);
        cr_assert_eq(in8(&r, 0x1f3), (lba - 1) & 0xff, "the last sector's address");
        cr_assert_eq(in8(&r, 0x1f2), 0);
        disk_rig_fini(&r);
    }
}

Test(ide, all_ways_to_name_a_sector_lead_to_it)
{
    struct disk_rig r;
    uint8_t buf[512];

    disk_rig_init(&r, "d-", 0x200000000);
    out8(&r, 0x1f6, 0xa0 | 5); /* cylinder 300, head 5, sector 7 */
    out8(&r, 0x1f2, 1);
    out8(&r, 0x1f3, 7);
    out8(&r, 0x1f4, 300 & 0xff);
    out8(&r, 0x1f5, 300 >> 8);
    out8(&r, 0x1f7, 0x20);
    cr_assert_eq(settle(&r), DATA);
    expect_sector(&r, (300 * 16 + 5) * 63 + 6);

    out8(&r, 0x1f6, 0xe0); /* 48 bits: each register is written twice */
    for (unsigned i = 0; i < 2; i++) {
        out8(&r, 0x1f2, i ? 2 : 0);
        out8(&r, 0x1f3, i ? 0x44 : 0x11);
        out8(&r, 0x1f4, i ? 0x55 : 0x01);
        out8(&r, 0x1f5, i ? 0x66 : 0x00);
    }
    out8(&r, 0x1f7, 0x24);
    cr_assert_eq(settle(&r), DATA);
    expect_sector(&r, 0x111665544);
    cr_assert_eq(settle(&r), DATA);
    for (unsigned i = 0; i < 512; i += 4) { /* 32 bits at a time */
        st_le32(buf + i, port_read_locked(r.m, 0x1f0, 4));
    }
    cr_assert_eq(ld_le64(buf + 504), 0x111665545);
    out8(&r, 0x3f6, 0x80); /* the high order bytes */
    cr_assert_eq(in8(&r, 0x1f3), 0x11);
    cr_assert_eq(in8(&r, 0x1f4), 0x01);
    disk_rig_fini(&r);
}

Test(ide, write_reaches_the_medium_before_its_last_interrupt)
{
    static const struct {
        uint8_t code;
        unsigned count, interrupts;
    } rows[] = {{0x30, 1, 1}, {0x30, 3, 3}, {0xc5, 20, 2}, {0xc5, 100, 7}, {0x30, 0, 256}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct disk_rig r;
        unsigned count = rows[i].count ? rows[i].count : 256, multi = rows[i].code == 0xc5 ? 16 : 1;
        uint8_t buf[512];

        disk_rig_init(&r, "d-", 100000);
        command(&r, 0, rows[i].code, 500, rows[i].count);
        cr_assert_eq(r.pin.rises, 0, "the first block is asked for without an interrupt");
        for (unsigned n = 0; n < count; n++) {
            if (n % multi == 0) {
                cr_assert_eq(settle(&r), DATA);
            }
            memset(buf, (int)(n ^ 0x5a), sizeof buf);
            write_bytes(&r, buf, sizeof buf);
        }
        cr_assert_eq(settle(&r), READY);
        cr_assert_eq(r.pin.rises, rows[i].interrupts, "row %u: %u interrupts", i, r.pin.rises);
        for (uint64_t n = 0; n < count; n++) {
            uint64_t sector = 500 + n;
            const uint8_t *data = g_hash_table_lookup(r.medium[0]->written, &sector);
            cr_assert_not_null(data);
            cr_assert_eq(data[511], (uint8_t)(n ^ 0x5a));
        }
        cr_assert_eq(g_hash_table_size(r.medium[0]->written), count);
        disk_rig_fini(&r);
    }
}

Test(ide, flush_reaches_the_host)
{
    struct disk_rig r;

    disk_rig_init(&r, "d-", 1000);
    command(&r, 0, 0xe7, 0, 0);
    cr_assert_eq(in8(&r, 0x3f6) & BUSY, BUSY);
    cr_assert_eq(settle(&r), READY);
    command(&r, 0, 0xea, 0, 0);
    cr_assert_eq(settle(&r), READY);
    cr_assert_eq(r.medium[0]->flushes, 2);
    cr_assert_eq(r.pin.rises, 2);
    disk_rig_fini(&r);
}

Test(ide, bad_requests_end_with_the_right_error)
{
    static const struct {
        const char *kinds;
        uint8_t code, count, feature;
        uint32_t lba;
        uint8_t error;
    } rows[] = {
        {"d-", 0x20, 1, 0, 1000, 0x10}, /* past the end */
        {"d-", 0x20, 2, 0, 999, 0x10},  {"d-", 0x30, 1, 0, 0xfffffff, 0x10},
        {"d-", 0x40, 0, 0, 900, 0x10},  {"d-", 0x70, 0, 0, 1000, 0x10},
        {"d-", 0xc6, 3, 0, 0, 0x04}, /* not a power of two */
        {"d-", 0xc6, 32, 0, 0, 0x04},   {"d-", 0x00, 0, 0, 0, 0x04},
        {"d-", 0xa0, 0, 0, 0, 0x04},    {"d-", 0xff, 0, 0, 0, 0x04},
        {"d-", 0xef, 0x46, 3, 0, 0x04}, /* modes there are not */
        {"d-", 0xef, 0x23, 3, 0, 0x04}, {"d-", 0xef, 0x10, 3, 0, 0x04},
        {"r-", 0x30, 1, 0, 0, 0x04},    {"r-", 0xca, 1, 0, 0, 0x04},
        {"d-", 0xc8, 2, 0, 999, 0x10},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct disk_rig r;

        disk_rig_init(&r, rows[i].kinds, 1000);
        out8(&r, 0x1f1, rows[i].feature);
        command(&r, 0, rows[i].code, rows[i].lba, rows[i].count);
        cr_assert_eq(settle(&r), FAILED, "row %u", i);
        cr_assert_eq(in8(&r, 0x1f1), rows[i].error, "row %u: %02x", i, in8(&r, 0x1f1));
        cr_assert_eq(r.pin.rises, 1);
        disk_rig_fini(&r);
    }
}

Test(ide, unreadable_sector_is_named_and_those_before_it_are_delivered)
{
    struct disk_rig r;

    disk_rig_init(&r, "d-", 1000);
    r.medium[0]->bad = 105;
    command(&r, 0, 0x20, 100, 20);
    for (unsigned i = 100; i < 105; i++) {
        cr_assert_eq(settle(&r), DATA);
        expect_sector(&r, i);
    }
    cr_assert_eq(settle(&r), FAILED);
    cr_assert_eq(in8(&r, 0x1f1), 0x40);
    cr_assert_eq(in8(&r, 0x1f3), 105);
    cr_assert_eq(in8(&r, 0x1f2), 15, "sectors not transferred");
    disk_rig_fini(&r);
}

Test(ide, interrupt_follows_selection_and_nien)
{
    struct disk_rig r;

    disk_rig_init(&r, "dd", 1000);
    command(&r, 0, 0xe7, 0, 0);
    block_drain(r.m);
    cr_assert(r.pin.level);
    out8(&r, 0x3f6, 2);
    cr_assert_not(r.pin.level);
    out8(&r, 0x3f6, 0);
    cr_assert(r.pin.level);
    in8(&r, 0x3f6);
    cr_assert(r.pin.level, "the alternate status leaves it");
    out8(&r, 0x1f6, 0xf0);
    cr_assert_not(r.pin.level, "the other drive drives the line");
    out8(&r, 0x1f6, 0xe0);
    cr_assert(r.pin.level);
    in8(&r, 0x1f7);
    cr_assert_not(r.pin.level);
    disk_rig_fini(&r);
}

Test(ide, software_reset_waits_for_the_request_under_way)
{
    struct disk_rig r;

    disk_rig_init(&r, "d-", 1000);
    command(&r, 0, 0x20, 7, 1);
    out8(&r, 0x3f6, 4);
    out8(&r, 0x3f6, 0);
    cr_assert_eq(in8(&r, 0x3f6) & BUSY, BUSY, "its buffer is still in use");
    cr_assert_eq(settle(&r), READY);
    cr_assert_eq(in8(&r, 0x1f1), 1);
    cr_assert_eq(r.pin.rises, 0);
    command(&r, 0, 0x20, 9, 1);
    cr_assert_eq(settle(&r), DATA);
    expect_sector(&r, 9);
    disk_rig_fini(&r);
}

Test(ide, machine_reset_drops_the_request_under_way)
{
    struct disk_rig r;

    disk_rig_init(&r, "d-", 1000);
    command(&r, 0, 0x20, 7, 4);
    rig_reset(r.rig);
    cr_assert_eq(settle(&r), READY);
    cr_assert_not(r.pin.level);
    command(&r, 0, 0x20, 9, 1);
    cr_assert_eq(settle(&r), DATA);
    expect_sector(&r, 9);
    disk_rig_fini(&r);
}

Test(ide, translation_can_be_changed_and_power_asked)
{
    struct disk_rig r;

    disk_rig_init(&r, "d-", 100000);
    out8(&r, 0x1f2, 17); /* 8 heads, 17 sectors */
    out8(&r, 0x1f6, 0xa7);
    out8(&r, 0x1f7, 0x91);
    cr_assert_eq(settle(&r), READY);
    out8(&r, 0x1f2, 1);
    out8(&r, 0x1f3, 17);
    out8(&r, 0x1f4, 2);
    out8(&r, 0x1f5, 0);
    out8(&r, 0x1f6, 0xa7);
    out8(&r, 0x1f7, 0x20);
    cr_assert_eq(settle(&r), DATA);
    expect_sector(&r, (2 * 8 + 7) * 17 + 16);
    out8(&r, 0x1f3, 18);
    out8(&r, 0x1f7, 0x20);
    cr_assert_eq(settle(&r), FAILED, "no such sector on a track");
    command(&r, 0, 0xe0, 0, 0);
    cr_assert_eq(settle(&r), READY);
    command(&r, 0, 0xe5, 0, 0);
    cr_assert_eq(settle(&r), READY);
    cr_assert_eq(in8(&r, 0x1f2), 0, "standby");
    disk_rig_fini(&r);
}

Test(ide, state_table_covers_the_state)
{
    g_autofree uint8_t *covered = g_malloc0(ide_ops.size);

    cr_assert(state_cover(ide_ops.state, 0, covered, ide_ops.size));
    for (unsigned i = ide_ops.s_offset; i < ide_ops.s_offset + ide_ops.s_size; i++) {
        cr_assert(covered[i], "byte %u of s is in no field", i - ide_ops.s_offset);
    }
}

/* A guest that does anything: no crash, no hang, and the channel works after a reset. */
Test(ide, survives_random_accesses)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    struct disk_rig r;

    disk_rig_init(&r, "dc", 5000);
    for (unsigned i = 0; i < 300000; i++) {
        uint16_t port =
            (uint16_t)(g_rand_int_range(rand, 0, 20) ? 0x1f0 + g_rand_int_range(rand, 0, 8)
                                                     : 0x3f6);
        unsigned size = 1u << g_rand_int_range(rand, 0, 3);
        if (g_rand_boolean(rand)) {
            port_write_locked(r.m, port, g_rand_int(rand), size);
        } else {
            port_read_locked(r.m, port, size);
        }
        if (i % 64 == 0) {
            block_drain(r.m);
        }
        if (i % 4096 == 0) {
            out8(&r, 0x3f6, 4);
            out8(&r, 0x3f6, 0);
        }
    }
    rig_reset(r.rig);
    command(&r, 0, 0x20, 9, 1);
    cr_assert_eq(settle(&r), DATA);
    disk_rig_fini(&r);
}

/* Whatever a snapshot says, within the table's ranges: no crash, and the channel works after a
 * reset. */
Test(ide, survives_any_state_that_is_loaded)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    struct disk_rig r;

    disk_rig_init(&r, "dc", 5000);
    struct ide_channel *c = (struct ide_channel *)r.ide;
    for (unsigned i = 0; i < 20000; i++) {
        struct ide_drive_state *s = c->drive[i & 1].s;
        bool full = g_rand_boolean(rand);

        s->phase = (uint8_t)g_rand_int_range(rand, 0, IDE_PHASE_MAX + 1);
        s->after = (uint8_t)g_rand_int_range(rand, 0, IDE_AFTER_MAX + 1);
        s->end = (uint32_t)(full ? IDE_BUF_BYTES - g_rand_int_range(rand, 0, 1024)
                                 : g_rand_int_range(rand, 0, 1024));
        s->pos = s->end - MIN(s->end, (uint32_t)g_rand_int_range(rand, 0, 8));
        s->filled = (uint32_t)g_rand_int_range(rand, 0, IDE_BUF_BYTES + 1);
        s->left = (uint32_t)g_rand_int_range(rand, 0, full ? 3000 : 3);
        s->lba = (uint64_t)g_rand_int_range(rand, 0, 6000);
        s->drq_sectors = (uint8_t)g_rand_int_range(rand, 0, IDE_MAX_MULTI + 1);
        s->byte_limit = (uint16_t)g_rand_int_range(rand, 0, 4);
        s->cd_unit = (uint16_t)(g_rand_boolean(rand) ? CD_SECTOR : g_rand_int_range(rand, 0, 2353));
        s->packet_dma = g_rand_boolean(rand);
        s->command = (uint8_t)(full ? 0x35 : g_rand_int_range(rand, 0, 256));
        ide_ops.loaded(r.ide);
        out8(&r, 0x1f6, 0xe0 | (i & 1) << 4);
        for (unsigned k = 0; k < 20; k++) {
            rig_out16(r.rig, 0x1f0, 0);
            in16(&r, 0x1f0);
        }
        rig_settle(r.rig);
        rig_reset(r.rig);
    }
    command(&r, 0, 0x20, 9, 1);
    cr_assert_eq(settle(&r), DATA);
    disk_rig_fini(&r);
}

/* A drive may have had a byte count limit of 0 before: it does not matter to what it sends now. */
Test(ide, loaded_phase_goes_on)
{
    struct disk_rig r;
    uint8_t id[512];

    disk_rig_init(&r, "c-", 5000);
    ((struct ide_channel *)r.ide)->drive[0].s->byte_limit = 0;
    command(&r, 0, 0xa1, 0, 0);
    ide_ops.loaded(r.ide);
    cr_assert_eq(in8(&r, 0x1f7), DATA);
    read_bytes(&r, id, sizeof id);
    cr_assert_eq(ld_le16(id), 0x85c0);
    disk_rig_fini(&r);
}
