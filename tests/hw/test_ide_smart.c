/*
 * SMART of the IDE disk (hw/ide_smart.c), after ATA/ATAPI-5.
 *
 * Not modelled: the guest; ports are poked by hand.
 */
#include "tests/hw/disk_rig.h"

enum { READY = 0x50, DATA = 0x58, FAILED = 0x51 };

/* Gives the status at the end. */
static uint8_t smart(struct disk_rig *r, unsigned feature, unsigned low)
{
    out8(r, 0x1f1, feature);
    command(r, 0, 0xb0, 0xc24f00 | low, 1);
    rig_settle(r->rig);
    return in8(r, 0x1f7);
}

/* The 512 bytes of an answer, whose sum is 0 if it has a checksum. */
static void answer(struct disk_rig *r, unsigned feature, unsigned low, uint8_t *b)
{
    uint8_t sum = 0;

    cr_assert_eq(smart(r, feature, low), DATA, "feature %02x, log %u", feature, low);
    read_bytes(r, b, 512);
    for (unsigned i = 0; i < 512; i++) {
        sum += b[i];
    }
    cr_assert_eq(in8(r, 0x1f7), READY);
    cr_assert(sum == 0 || (feature == 0xd5 && low == 0), "checksum");
}

static const uint8_t *attribute(const uint8_t *b, uint8_t id)
{
    for (unsigned i = 0; i < 30; i++) {
        if (b[2 + 12 * i] == id) {
            return b + 2 + 12 * i;
        }
    }
    cr_assert_fail("no attribute %u", id);
    return NULL;
}

Test(ide_smart, is_switched_and_asks_for_its_signature)
{
    struct disk_rig r;
    uint8_t id[512];

    disk_rig_init(&r, "d-", 1000);
    cr_assert_eq(smart(&r, 0xda, 0), READY);
    cr_assert_eq(in8(&r, 0x1f4) | in8(&r, 0x1f5) << 8, 0xc24f, "the disk is good");
    cr_assert_eq(smart(&r, 0xd9, 0), READY);
    cr_assert_eq(smart(&r, 0xda, 0), FAILED, "switched off");
    command(&r, 0, 0xec, 0, 0);
    cr_assert_eq(settle(&r), DATA);
    read_bytes(&r, id, 512);
    cr_assert_eq(id[82 * 2] & 1, 1);
    cr_assert_eq(id[85 * 2] & 1, 0);
    cr_assert_eq(smart(&r, 0xd8, 0), READY);
    cr_assert_eq(smart(&r, 0xda, 0), READY);
    out8(&r, 0x1f1, 0xda);
    command(&r, 0, 0xb0, 0, 1);
    cr_assert_eq(settle(&r), FAILED, "without the signature");
    cr_assert_eq(smart(&r, 0xe0, 0), FAILED);
    cr_assert_eq(smart(&r, 0xd5, 9), FAILED, "no such log");
    cr_assert_eq(in8(&r, 0x1f1), 0x10);
    disk_rig_fini(&r);
}

Test(ide_smart, attributes_and_thresholds_belong_together)
{
    struct disk_rig r;
    uint8_t b[512], t[512];

    disk_rig_init(&r, "d-", 1000);
    rig_step(r.rig, 3 * 3600 * NS_PER_SEC);
    answer(&r, 0xd0, 0, b);
    answer(&r, 0xd1, 0, t);
    for (unsigned i = 0; i < 30; i++) {
        cr_assert_eq(b[2 + 12 * i], t[2 + 12 * i]);
        cr_assert(b[2 + 12 * i] == 0 || b[5 + 12 * i] > t[3 + 12 * i]);
    }
    cr_assert_eq(ld_le32(attribute(b, 9) + 5), 3, "hours");
    cr_assert_eq(ld_le32(attribute(b, 1) + 5), 0);
    answer(&r, 0xd5, 0, b);
    cr_assert_eq(b[2], 1);
    cr_assert_eq(b[12], 1);
    disk_rig_fini(&r);
}

Test(ide_smart, failed_reads_stand_in_the_error_log)
{
    struct disk_rig r;
    uint8_t b[512];

    disk_rig_init(&r, "d-", 1000);
    r.medium[0]->bad = 0x123;
    for (unsigned i = 1; i <= 90; i++) {
        command(&r, 0, 0x40, 0x120, 8);
        rig_settle(r.rig);
        cr_assert_eq(in8(&r, 0x1f7), FAILED);
        if (i == 7) {
            answer(&r, 0xd5, 1, b);
            cr_assert_eq(b[1], 2, "five entries, used in turn");
            cr_assert_eq(ld_le16(b + 452), 7);
            const uint8_t *entry = b + 2 + 90;
            cr_assert_eq(entry[48 + 7], 0x40, "the command");
            cr_assert_eq(entry[60 + 1], 0x40, "uncorrectable");
            cr_assert_eq(entry[60 + 3] | entry[60 + 4] << 8, 0x123);
            cr_assert_eq(entry[60 + 7], 0x51);
        }
    }
    answer(&r, 0xd0, 0, b);
    cr_assert_eq(ld_le32(attribute(b, 1) + 5), 90);
    cr_assert_eq(attribute(b, 1)[3], 10);
    cr_assert_eq(smart(&r, 0xda, 0), READY);
    cr_assert_eq(in8(&r, 0x1f4) | in8(&r, 0x1f5) << 8, 0x2cf4, "below its threshold");
    rig_reset(r.rig);
    answer(&r, 0xd5, 1, b);
    cr_assert_eq(ld_le16(b + 452), 90, "a reset forgets nothing");
    disk_rig_fini(&r);
}

Test(ide_smart, self_tests_read_the_medium)
{
    static const struct {
        uint8_t test;
        uint64_t bad;
        uint8_t status, outcome;
    } rows[] = {
        {1, UINT64_MAX, READY, 0}, {2, UINT64_MAX, READY, 0}, {0x81, UINT64_MAX, READY, 0},
        {1, 99999, READY, 7},      {2, 7, READY, 7},          {0x82, 50, FAILED, 7},
        {1, 50000, READY, 7},      {1, 20000, READY, 0}, /* not where the short one looks */
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct disk_rig r;
        uint8_t b[512];

        disk_rig_init(&r, "d-", 100000);
        r.medium[0]->bad = rows[i].bad;
        out8(&r, 0x1f1, 0xd4);
        command(&r, 0, 0xb0, 0xc24f00 | rows[i].test, 0);
        for (unsigned n = 0; n < 100; n++) {
            rig_settle(r.rig);
        }
        cr_assert_eq(in8(&r, 0x1f7), rows[i].status, "row %u", i);
        if (rows[i].test & 0x80) {
            cr_assert_eq(in8(&r, 0x1f4), rows[i].outcome ? 0xf4 : 0x4f);
        }
        cr_assert_geq(r.medium[0]->reads, rows[i].outcome ? 1 : rows[i].test & 1 ? 3 : 64);
        answer(&r, 0xd5, 6, b);
        cr_assert_eq(b[508], 1, "the newest entry");
        cr_assert_eq(b[2], rows[i].test);
        cr_assert_eq(b[3] >> 4, rows[i].outcome, "row %u", i);
        cr_assert_eq(ld_le32(b + 2 + 5), rows[i].outcome ? rows[i].bad : UINT32_MAX, "row %u", i);
        answer(&r, 0xd0, 0, b);
        cr_assert_eq(b[363] >> 4, rows[i].outcome);
        cr_assert_eq(ld_le32(attribute(b, 0xc5) + 5), rows[i].outcome != 0);
        cr_assert_eq(smart(&r, 0xd4, 0x7f), READY, "nothing to abort");
        cr_assert_eq(smart(&r, 0xd4, 3), FAILED, "no conveyance test");
        disk_rig_fini(&r);
    }
}
