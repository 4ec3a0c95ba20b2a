/*
 * The IDE bus master (hw/ide_dma.c, hw/piix_ide.c), after the PIIX4 data sheet: what Active,
 * Interrupt and Error say after transfers of every outcome.
 *
 * Not modelled: the guest; ports are poked by hand.
 */
#include "tests/hw/disk_rig.h"

enum { READY = 0x50, DATA = 0x58, FAILED = 0x51, BUSY = 0x80 };
enum { ACTIVE = 1, ERROR = 2, INTERRUPT = 4, OUTCOME = 7 };
enum { TABLE = 0x20000, DATA_AT = 0x100000, LAST = 0x80000000 };
enum { START = 1, TO_MEMORY = 8 };

static uint8_t outcome(struct disk_rig *r)
{
    return in8(r, BM_BASE + 2) & OUTCOME;
}

static void put_region(struct disk_rig *r, unsigned n, uint32_t addr, uint32_t len)
{
    uint8_t *to = rig_ram(r->rig, TABLE + 8 * n, 8);

    st_le32(to, addr);
    st_le32(to + 4, len);
}

/* Interrupt and Error cleared, the table's address, start. */
static void start(struct disk_rig *r, unsigned direction)
{
    out8(r, BM_BASE, 0);
    out8(r, BM_BASE + 2, ERROR | INTERRUPT);
    rig_out32(r->rig, BM_BASE + 4, TABLE);
    out8(r, BM_BASE, direction);
    out8(r, BM_BASE, direction | START);
}

static uint8_t *data(struct disk_rig *r, uint32_t off)
{
    return rig_ram(r->rig, DATA_AT + off, 512);
}

static void finish(struct disk_rig *r)
{
    rig_settle(r->rig);
}

Test(ide_dma, function_decodes_only_what_it_was_told_to)
{
    struct disk_rig r;

    disk_rig_make(&r, "d-", 1000, true);
    cr_assert_eq(in8(&r, 0x1f7), 0xff, "after a reset nothing answers");
    disk_rig_config(&r, PCI_COMMAND, 2, PCI_COMMAND_IO);
    cr_assert_eq(in8(&r, 0x1f7), READY, "IDETIM enables the channel unasked: OVMF never does");
    disk_rig_config(&r, 0x40, 2, 0);
    cr_assert_eq(in8(&r, 0x1f7), 0xff);
    disk_rig_config(&r, 0x40, 2, 0x8000);
    cr_assert_eq(in8(&r, 0x3f6), READY);
    cr_assert_eq(in8(&r, BM_BASE + 2), 0xff);
    disk_rig_config(&r, PCI_BAR0 + 16, 4, 0xffffffff);
    cr_assert_eq(rig_in32(r.rig, 0xcfc), 0xfffffff1, "sixteen ports");
    disk_rig_enable(&r);
    cr_assert_eq(in8(&r, BM_BASE + 2), 0);
    cr_assert_eq(in8(&r, BM_BASE + 8 + 2), 0, "a channel that is not there");
    disk_rig_config(&r, PCI_COMMAND, 2, 0);
    cr_assert_eq(in8(&r, 0x1f7), 0xff);
    cr_assert_eq(in8(&r, BM_BASE + 2), 0xff);
    disk_rig_fini(&r);
}

Test(ide_dma, registers_keep_what_the_data_sheet_says)
{
    struct disk_rig r;

    disk_rig_pci(&r, "d-", 1000);
    rig_out32(r.rig, BM_BASE + 4, 0x12345677);
    cr_assert_eq(rig_in32(r.rig, BM_BASE + 4), 0x12345674, "aligned to 4 bytes");
    rig_out16(r.rig, BM_BASE + 6, 0xabcd);
    cr_assert_eq(rig_in32(r.rig, BM_BASE + 4), 0xabcd5674);
    out8(&r, BM_BASE, 0xff);
    cr_assert_eq(in8(&r, BM_BASE), 9);
    cr_assert_eq(in8(&r, BM_BASE + 2), ACTIVE);
    out8(&r, BM_BASE, 0);
    cr_assert_eq(in8(&r, BM_BASE + 2), 0);
    out8(&r, BM_BASE + 2, 0xff);
    cr_assert_eq(in8(&r, BM_BASE + 2), 0x60, "DMA capable: both drives");
    cr_assert_eq(in8(&r, BM_BASE + 1), 0);
    command(&r, 0, 0xe7, 0, 0); /* a command without DMA interrupts as well */
    finish(&r);
    cr_assert_eq(in8(&r, BM_BASE + 2), 0x60 | INTERRUPT);
    out8(&r, BM_BASE + 2, 0);
    cr_assert_eq(in8(&r, BM_BASE + 2), INTERRUPT, "a zero leaves it");
    out8(&r, BM_BASE + 2, INTERRUPT);
    cr_assert_eq(in8(&r, BM_BASE + 2), 0);
    disk_rig_fini(&r);
}

/* Reads of many shapes of table; the guest may start the bus master before or after the command. */
Test(ide_dma, read_fills_the_regions)
{
    static const struct {
        unsigned count;
        uint32_t lens[4];
    } rows[] = {
        {1, {512 | LAST}},         {1, {2, 508, 2 | LAST}},
        {128, {0 | LAST}}, /* 0: 64 KiB */
        {200, {0, 0x9000 | LAST}}, {0, {0, 0xfffe, 2 | LAST}},
        {2, {1025 | LAST}}, /* bit 0 does not exist */
    };

    for (unsigned i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        unsigned row = i / 2, count = rows[row].count ? rows[row].count : 256;
        struct disk_rig r;
        uint32_t at = DATA_AT;

        disk_rig_pci(&r, "d-", 0x10000000);
        for (unsigned n = 0; !n || !(rows[row].lens[n - 1] & LAST); n++) {
            uint32_t len = rows[row].lens[n] & 0xfffe;
            put_region(&r, n, at | (i & 1), rows[row].lens[n]);
            at += len ? len : 0x10000;
        }
        if (i & 1) {
            start(&r, TO_MEMORY);
            cr_assert_eq(outcome(&r), ACTIVE);
            command(&r, 0, 0xc8, 0x1234567, count);
            finish(&r);
        } else {
            command(&r, 0, 0xc8, 0x1234567, count);
            finish(&r);
            cr_assert_eq(in8(&r, 0x3f6), DATA, "waits for the bus master");
            cr_assert_eq(r.pin.rises, 0);
            start(&r, TO_MEMORY);
            finish(&r);
        }
        cr_assert_eq(outcome(&r), INTERRUPT, "row %u: %u", row, outcome(&r));
        cr_assert(r.pin.level);
        cr_assert_eq(in8(&r, 0x1f7), READY);
        for (unsigned n = 0; n < count; n++) {
            cr_assert_eq(ld_le64(data(&r, n * 512)), 0x1234567 + n);
            cr_assert_eq(ld_le64(data(&r, n * 512) + 504), 0x1234567 + n);
        }
        cr_assert_eq(ld_le64(data(&r, count * 512)), 0, "nothing behind it");
        cr_assert_eq(in8(&r, 0x1f3), (0x1234567 + count - 1) & 0xff);
        cr_assert_eq(r.pin.rises, 1);
        disk_rig_fini(&r);
    }
}

Test(ide_dma, write_takes_the_regions_and_interrupts_when_it_is_written)
{
    static const uint8_t codes[] = {0xca, 0x35, 0x3d};

    for (unsigned i = 0; i < ARRAY_LEN(codes); i++) {
        struct disk_rig r;
        unsigned count = i ? 2100 : 200;

        disk_rig_pci(&r, "-d", 0x200000000);
        for (uint32_t n = 0; n < count * 512; n++) {
            *rig_ram(r.rig, DATA_AT + n, 1) = (uint8_t)(n / 512 * 7 + n);
        }
        for (unsigned n = 0; n < 17; n++) {
            put_region(&r, n, DATA_AT + n * 0x10000, n == 16 ? LAST : 0);
        }
        out8(&r, 0x1f6, 0xf0);
        for (unsigned n = 0; n < 2 && i; n++) { /* 48-bit address 0x111223344 */
            out8(&r, 0x1f2, n ? count & 0xff : count >> 8);
            out8(&r, 0x1f3, n ? 0x44 : 0x11);
            out8(&r, 0x1f4, n ? 0x33 : 0x01);
            out8(&r, 0x1f5, n ? 0x22 : 0x00);
        }
        if (i) {
            out8(&r, 0x1f7, codes[i]);
        } else {
            command(&r, 1, codes[i], 0x1223344, count);
        }
        cr_assert_eq(in8(&r, 0x3f6), DATA);
        start(&r, 0);
        cr_assert_eq(in8(&r, 0x3f6) & BUSY, BUSY);
        cr_assert_eq(outcome(&r), ACTIVE);
        finish(&r);
        cr_assert_eq(outcome(&r), ACTIVE | INTERRUPT, "the regions are larger");
        cr_assert_eq(in8(&r, 0x1f7), READY);
        cr_assert_eq(g_hash_table_size(r.medium[1]->written), count);
        for (unsigned n = 0; n < count; n++) {
            uint64_t sector = (i ? 0x111223344 : 0x1223344) + n;
            const uint8_t *got = g_hash_table_lookup(r.medium[1]->written, &sector);
            cr_assert_not_null(got);
            cr_assert_eq(memcmp(got, data(&r, n * 512), 512), 0, "sector %u", n);
        }
        cr_assert_eq(r.medium[1]->flushes, codes[i] == 0x3d, "forced unit access");
        disk_rig_fini(&r);
    }
}

Test(ide_dma, regions_too_small_stop_the_bus_master_and_the_drive_waits)
{
    struct disk_rig r;

    disk_rig_pci(&r, "d-", 1000);
    put_region(&r, 0, DATA_AT, 512 | LAST);
    command(&r, 0, 0xc8, 7, 2);
    start(&r, TO_MEMORY);
    finish(&r);
    cr_assert_eq(outcome(&r), 0, "neither Active nor Interrupt: %u", outcome(&r));
    cr_assert_eq(in8(&r, 0x1f7), DATA);
    cr_assert_eq(ld_le64(data(&r, 0)), 7);
    cr_assert_eq(r.pin.rises, 0);
    out8(&r, 0x1f7, 0xec);
    cr_assert_eq(in8(&r, 0x1f7), DATA, "it takes no other command");
    out8(&r, 0x3f6, 4);
    out8(&r, 0x3f6, 0);
    cr_assert_eq(in8(&r, 0x1f7), READY, "but a reset");
    command(&r, 0, 0xc8, 9, 1);
    start(&r, TO_MEMORY);
    finish(&r);
    cr_assert_eq(outcome(&r), INTERRUPT);
    cr_assert_eq(ld_le64(data(&r, 0)), 9);
    disk_rig_fini(&r);
}

Test(ide_dma, memory_that_is_not_there_is_an_error)
{
    for (unsigned i = 0; i < 4; i++) {
        struct disk_rig r;

        disk_rig_pci(&r, "d-", 1000);
        put_region(&r, 0, DATA_AT, 512);
        put_region(&r, 1, i & 1 ? 0xf0000000 : DATA_AT + 512, 512 | LAST);
        command(&r, 0, i & 2 ? 0xca : 0xc8, 7, 2);
        out8(&r, BM_BASE + 2, ERROR | INTERRUPT);
        rig_out32(r.rig, BM_BASE + 4, i & 1 ? TABLE : 0xf0000000);
        out8(&r, BM_BASE, (i & 2 ? 0 : TO_MEMORY) | START);
        finish(&r);
        cr_assert_eq(outcome(&r), ERROR, "row %u: %u", i, outcome(&r));
        cr_assert_eq(g_hash_table_size(r.medium[0]->written), 0, "half a transfer is not written");
        out8(&r, BM_BASE + 2, ERROR);
        cr_assert_eq(outcome(&r), 0);
        disk_rig_fini(&r);
    }
}

Test(ide_dma, table_ends_at_a_64k_boundary)
{
    struct disk_rig r;

    disk_rig_pci(&r, "d-", 100000);
    for (unsigned n = 0; n < 0x4000; n++) { /* twice 64 KiB of regions of 2 bytes */
        put_region(&r, n, DATA_AT + 2 * n, 2);
    }
    command(&r, 0, 0xc8, 0, 64);
    start(&r, TO_MEMORY);
    finish(&r);
    cr_assert_eq(outcome(&r), 0);
    cr_assert_eq(ld_le64(data(&r, 31 * 512)), 31);
    cr_assert_eq(ld_le64(data(&r, 32 * 512)), 0, "8192 regions are a table's most");
    disk_rig_fini(&r);
}

Test(ide_dma, start_cleared_in_mid_transfer_keeps_memory_untouched)
{
    struct disk_rig r;

    disk_rig_pci(&r, "d-", 1000);
    put_region(&r, 0, DATA_AT, 0 | LAST);
    command(&r, 0, 0xc8, 7, 8);
    start(&r, TO_MEMORY);
    cr_assert_eq(outcome(&r), ACTIVE);
    out8(&r, BM_BASE, TO_MEMORY);
    cr_assert_eq(outcome(&r), 0);
    finish(&r);
    cr_assert_eq(ld_le64(data(&r, 0)), 0);
    cr_assert_eq(in8(&r, 0x1f7), DATA, "the drive has it, and waits");
    start(&r, TO_MEMORY);
    cr_assert_eq(outcome(&r), ACTIVE | INTERRUPT);
    cr_assert_eq(ld_le64(data(&r, 7 * 512)), 14);
    disk_rig_fini(&r);
}

Test(ide_dma, waits_while_bus_mastering_is_off_and_moves_nothing_the_wrong_way)
{
    struct disk_rig r;

    disk_rig_pci(&r, "d-", 1000);
    disk_rig_config(&r, PCI_COMMAND, 2, PCI_COMMAND_IO);
    put_region(&r, 0, DATA_AT, 512 | LAST);
    command(&r, 0, 0xc8, 7, 1);
    start(&r, TO_MEMORY);
    finish(&r);
    cr_assert_eq(outcome(&r), ACTIVE);
    disk_rig_config(&r, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    cr_assert_eq(outcome(&r), INTERRUPT);
    cr_assert_eq(in8(&r, 0x1f7), READY);
    command(&r, 0, 0xc8, 8, 1);
    start(&r, 0);
    finish(&r);
    cr_assert_eq(outcome(&r), ACTIVE);
    cr_assert_eq(ld_le64(data(&r, 0)), 7);
    disk_rig_fini(&r);
}

Test(ide_dma, resets_under_way_leave_memory_alone)
{
    for (unsigned i = 0; i < 2; i++) {
        struct disk_rig r;

        disk_rig_pci(&r, "d-", 1000);
        put_region(&r, 0, DATA_AT, 0 | LAST);
        command(&r, 0, 0xc8, 7, 8);
        start(&r, TO_MEMORY);
        if (i) {
            rig_reset(r.rig);
            disk_rig_enable(&r);
        } else {
            out8(&r, 0x3f6, 4);
            out8(&r, 0x3f6, 0);
        }
        finish(&r);
        cr_assert_eq(in8(&r, 0x1f7), READY);
        cr_assert_eq(outcome(&r), i ? 0 : ACTIVE);
        cr_assert_eq(r.pin.rises, 0);
        cr_assert_eq(ld_le64(data(&r, 0)), 0);
        command(&r, 0, 0xc8, 7, 8);
        start(&r, TO_MEMORY);
        finish(&r);
        cr_assert_eq(outcome(&r), INTERRUPT | ACTIVE);
        cr_assert_eq(ld_le64(data(&r, 0)), 7);
        disk_rig_fini(&r);
    }
}

Test(ide_dma, bad_sector_is_named_and_those_before_it_arrive)
{
    struct disk_rig r;

    disk_rig_pci(&r, "d-", 10000);
    r.medium[0]->bad = 505;
    put_region(&r, 0, DATA_AT, 0);
    put_region(&r, 1, DATA_AT + 0x10000, 0 | LAST);
    command(&r, 0, 0xc8, 500, 20);
    start(&r, TO_MEMORY);
    finish(&r);
    cr_assert_eq(outcome(&r), ACTIVE | INTERRUPT);
    cr_assert_eq(in8(&r, 0x1f7), FAILED);
    cr_assert_eq(in8(&r, 0x1f1), 0x40, "uncorrectable");
    cr_assert_eq(in8(&r, 0x1f3) | in8(&r, 0x1f4) << 8, 505);
    cr_assert_eq(in8(&r, 0x1f2), 15, "sectors not transferred");
    cr_assert_eq(ld_le64(data(&r, 4 * 512)), 504);
    out8(&r, BM_BASE, 0);
    command(&r, 0, 0xca, 500, 20);
    start(&r, 0);
    finish(&r);
    cr_assert_eq(in8(&r, 0x1f7), FAILED, "a write error");
    cr_assert_eq(outcome(&r), ACTIVE | INTERRUPT);
    out8(&r, BM_BASE, 0);
    command(&r, 0, 0x40, 400, 200);
    finish(&r);
    cr_assert_eq(in8(&r, 0x1f7), FAILED, "READ VERIFY finds it too");
    cr_assert_eq(in8(&r, 0x1f1), 0x40);
    cr_assert_eq(in8(&r, 0x1f3) | in8(&r, 0x1f4) << 8, 505);
    command(&r, 0, 0x40, 506, 255);
    finish(&r);
    cr_assert_eq(in8(&r, 0x1f7), READY);
    disk_rig_fini(&r);
}

Test(ide_dma, without_a_write_cache_writes_reach_the_medium)
{
    struct disk_rig r;

    disk_rig_pci(&r, "d-", 1000);
    put_region(&r, 0, DATA_AT, 512 | LAST);
    for (unsigned i = 0; i < 3; i++) {
        if (i) {
            out8(&r, 0x1f1, i == 1 ? 0x82 : 0x02);
            command(&r, 0, 0xef, 0, 0);
            finish(&r);
            cr_assert_eq(in8(&r, 0x1f7), READY);
            cr_assert_eq(r.medium[0]->flushes, i, "switching it off flushes");
        }
        command(&r, 0, 0xca, 7, 1);
        start(&r, 0);
        finish(&r);
        cr_assert_eq(outcome(&r), INTERRUPT);
        cr_assert_eq(r.medium[0]->flushes, i ? 2 : 0);
    }
    out8(&r, 0x1f1, 0x82);
    command(&r, 0, 0xef, 0, 0);
    finish(&r);
    r.medium[0]->flush_error = EIO;
    command(&r, 0, 0xca, 7, 1);
    start(&r, 0);
    finish(&r);
    cr_assert_eq(in8(&r, 0x1f7), FAILED, "what is not on the medium is not written");
    command(&r, 0, 0xe7, 0, 0);
    finish(&r);
    cr_assert_eq(in8(&r, 0x1f7), FAILED);
    cr_assert_eq(in8(&r, 0x1f1), 4);
    disk_rig_fini(&r);
}

/* A host disk that does not answer: time goes on, the other ports answer, a reset is taken. */
Test(ide_dma, slow_disk_stops_nobody)
{
    struct disk_rig r;
    GMutex gate;

    g_mutex_init(&gate);
    disk_rig_pci(&r, "d-", 1000);
    r.medium[0]->slow = &gate;
    g_mutex_lock(&gate);
    put_region(&r, 0, DATA_AT, 512 | LAST);
    command(&r, 0, 0xc8, 7, 1);
    start(&r, TO_MEMORY);
    for (unsigned i = 0; i < 100; i++) {
        int64_t before = clock_now(r.m);
        rig_step(r.rig, 10 * NS_PER_MS);
        loop_run_posts(r.m);
        cr_assert_eq(clock_now(r.m), before + 10 * NS_PER_MS);
        cr_assert_eq(in8(&r, 0x3f6) & BUSY, BUSY);
        cr_assert_eq(outcome(&r), ACTIVE);
    }
    out8(&r, 0x3f6, 4);
    out8(&r, 0x3f6, 0);
    cr_assert_eq(in8(&r, 0x3f6) & BUSY, BUSY, "the reset ends when the host's disk answers");
    g_mutex_unlock(&gate);
    finish(&r);
    cr_assert_eq(in8(&r, 0x1f7), READY);
    cr_assert_eq(ld_le64(data(&r, 0)), 0);
    disk_rig_fini(&r);
    g_mutex_clear(&gate);
}

/* A packet command of 12 bytes whose data go by DMA. */
static void packet(struct disk_rig *r, const uint8_t *cdb)
{
    out8(r, 0x1f6, 0xa0);
    out8(r, 0x1f1, 1);
    out8(r, 0x1f4, 0);
    out8(r, 0x1f5, 0);
    out8(r, 0x1f7, 0xa0);
    cr_assert_eq(in8(r, 0x1f7), DATA, "asks for the packet");
    write_bytes(r, cdb, 12);
}

Test(ide_dma, packets_move_their_data_too)
{
    static const uint8_t sense[12] = {3, 0, 0, 0, 18}, odd[12] = {0x12, 0, 0, 0, 5};
    static const uint8_t read[12] = {0x28, 0, 0, 0, 1, 0, 0, 0, 100};
    static const uint8_t select[12] = {0x55, 0, 0, 0, 0, 0, 0, 0, 16};
    static const uint8_t page[16] = {[8] = 1, 6, 0, 5};
    struct disk_rig r;

    disk_rig_pci(&r, "c-", 100000);
    put_region(&r, 0, DATA_AT, 18 | LAST);
    packet(&r, sense);
    cr_assert_eq(in8(&r, 0x1f7), DATA);
    start(&r, TO_MEMORY);
    cr_assert_eq(outcome(&r), INTERRUPT);
    cr_assert_eq(in8(&r, 0x1f7), READY);
    cr_assert_eq(data(&r, 0)[12], 0x29, "was reset");
    put_region(&r, 0, DATA_AT, 6 | LAST);
    packet(&r, odd);
    start(&r, TO_MEMORY);
    cr_assert_eq(outcome(&r), INTERRUPT);
    cr_assert_eq(data(&r, 0)[4], 31);

    put_region(&r, 0, DATA_AT, 0);
    put_region(&r, 1, DATA_AT + 0x10000, 0);
    put_region(&r, 2, DATA_AT + 0x20000, 0);
    put_region(&r, 3, DATA_AT + 0x30000, (100 * 2048 - 3 * 0x10000) | LAST);
    start(&r, TO_MEMORY);
    packet(&r, read);
    cr_assert_eq(outcome(&r), ACTIVE);
    finish(&r);
    cr_assert_eq(outcome(&r), INTERRUPT);
    cr_assert_eq(in8(&r, 0x1f7), READY);
    cr_assert_eq(in8(&r, 0x1f2) & 7, 3);
    for (unsigned n = 0; n < 400; n++) {
        cr_assert_eq(ld_le64(data(&r, n * 512)), 1024 + n);
    }

    memcpy(data(&r, 0), page, sizeof page);
    put_region(&r, 0, DATA_AT, 16 | LAST);
    packet(&r, select);
    cr_assert_eq(in8(&r, 0x1f7), DATA);
    start(&r, 0);
    cr_assert_eq(outcome(&r), INTERRUPT);
    cr_assert_eq(in8(&r, 0x1f7), READY);
    disk_rig_fini(&r);
}

/* A guest that does anything, table and all. */
Test(ide_dma, survives_random_accesses)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    struct disk_rig r;

    disk_rig_pci(&r, "dc", 5000);
    for (unsigned i = 0; i < 0x2000; i++) {
        put_region(&r, i, g_rand_int(rand) & 0x1ffffff, g_rand_int(rand));
    }
    for (unsigned i = 0; i < 100000; i++) {
        static const uint8_t codes[] = {0xc8, 0xca, 0x25, 0x35, 0xa0, 0xec, 0x3d, 0x20};
        uint16_t port = (uint16_t)(g_rand_boolean(rand) ? 0x1f0 + g_rand_int_range(rand, 0, 8)
                                                        : BM_BASE + g_rand_int_range(rand, 0, 8));
        uint32_t val = g_rand_int(rand);
        if (port == BM_BASE + 4) {
            val = TABLE + (val & 0x1ffff);
        } else if (port == 0x1f7) {
            val = codes[val % ARRAY_LEN(codes)];
        }
        port_write_locked(r.m, port, val, port == BM_BASE + 4 ? 4 : 1);
        in8(&r, port);
        if (i % 16 == 0) {
            block_drain(r.m);
        }
        if (i % 512 == 0) {
            out8(&r, 0x3f6, 4);
            out8(&r, 0x3f6, 0);
        }
    }
    rig_reset(r.rig);
    disk_rig_enable(&r);
    command(&r, 0, 0x20, 9, 1);
    cr_assert_eq(settle(&r), DATA);
    disk_rig_fini(&r);
}

static int medium_read_now(void *img, uint64_t off, void *buf, size_t len)
{
    return off / SECTOR_BYTES < 500 ? medium_read(img, off, buf, len) : EAGAIN;
}

/* What the host has in memory comes without a worker, but no long command holds the lock so. */
Test(ide_dma, cached_data_come_at_once)
{
    struct block_ops ops;
    struct disk_rig r;

    disk_rig_pci(&r, "d-", 1000);
    ops = *r.m->drives[0]->ops;
    ops.read_now = medium_read_now;
    r.m->drives[0]->ops = &ops;
    for (unsigned n = 0; n < 4; n++) {
        put_region(&r, n, DATA_AT + n * 0x10000, n == 3 ? LAST : 0);
    }
    command(&r, 0, 0xc8, 7, 2);
    start(&r, TO_MEMORY);
    cr_assert_eq(outcome(&r), ACTIVE | INTERRUPT);
    cr_assert_eq(ld_le64(data(&r, 512)), 8);
    out8(&r, BM_BASE, 0);
    command(&r, 0, 0xc8, 500, 2);
    start(&r, TO_MEMORY);
    cr_assert_eq(outcome(&r), ACTIVE, "not in memory: later");
    finish(&r);
    cr_assert_eq(outcome(&r), ACTIVE | INTERRUPT);
    cr_assert_eq(ld_le64(data(&r, 512)), 501);

    out8(&r, BM_BASE, 0);              /* else the data would follow the last command's at once */
    for (unsigned i = 0; i < 2; i++) { /* 300 sectors by READ DMA EXT */
        out8(&r, 0x1f2, i ? 300 & 0xff : 300 >> 8);
        out8(&r, 0x1f3, i ? 10 : 0);
        out8(&r, 0x1f4, 0);
        out8(&r, 0x1f5, 0);
    }
    out8(&r, 0x1f7, 0x25);
    start(&r, TO_MEMORY);
    cr_assert_eq(outcome(&r), ACTIVE);
    cr_assert_neq(ld_le64(data(&r, 0)), 10);
    finish(&r);
    cr_assert_eq(outcome(&r), ACTIVE | INTERRUPT);
    cr_assert_eq(ld_le64(data(&r, 299 * 512)), 309);
    out8(&r, BM_BASE, 0);
    r.medium[0]->bad = 20; /* an error is found by the ordinary way */
    command(&r, 0, 0xc8, 15, 10);
    start(&r, TO_MEMORY);
    finish(&r);
    cr_assert_eq(in8(&r, 0x1f7), FAILED);
    cr_assert_eq(in8(&r, 0x1f3), 20);
    disk_rig_fini(&r);
}

/* Loading recomputes what may be done, and does nothing: the drive may not be looked over yet, nor
 * memory be there. */
Test(ide_dma, loading_moves_nothing)
{
    struct disk_rig r;

    disk_rig_pci(&r, "d-", 1000);
    disk_rig_config(&r, PCI_COMMAND, 2, PCI_COMMAND_IO);
    put_region(&r, 0, DATA_AT, 512 | LAST);
    start(&r, TO_MEMORY);
    command(&r, 0, 0xc8, 7, 1);
    finish(&r);
    st_le16(pci_func(r.function)->s->config + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    piix_ide_ops.loaded(r.function);
    cr_assert_eq(outcome(&r), ACTIVE);
    cr_assert_eq(data(&r, 0)[0], 0);
    disk_rig_config(&r, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    cr_assert_eq(outcome(&r), INTERRUPT);
    cr_assert_eq(data(&r, 0)[0], 7);
    disk_rig_fini(&r);
}
