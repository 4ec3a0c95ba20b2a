/*
 * The IDE CD/DVD drive (hw/atapi.c, hw/atapi_cmds.c), after ATA/ATAPI-5, MMC-3 and SPC-2.
 *
 * Not modelled: the guest; packets are sent by hand.
 */
#include "tests/hw/disk_rig.h"

enum { DATA = 0x58, GOOD = 0x50, FAILED = 0x51 };

static void send_packet(struct disk_rig *r, const uint8_t *cdb, unsigned limit)
{
    out8(r, 0x1f6, 0xa0);
    out8(r, 0x1f1, 0);
    out8(r, 0x1f4, limit & 0xff);
    out8(r, 0x1f5, limit >> 8);
    out8(r, 0x1f7, 0xa0);
    cr_assert_eq(in8(r, 0x1f7), DATA);
    cr_assert_eq(in8(r, 0x1f2), 1, "the drive wants a command");
    write_bytes(r, cdb, 12);
}

/* Run a packet and collect its answer; gives its length, or -1 for CHECK CONDITION. */
static int packet(struct disk_rig *r, const uint8_t *cdb, unsigned limit, void *to, unsigned max)
{
    unsigned len = 0;
    uint8_t status;

    send_packet(r, cdb, limit);
    while ((status = settle(r)) == DATA) {
        unsigned n = in8(r, 0x1f4) | in8(r, 0x1f5) << 8;
        cr_assert_eq(in8(r, 0x1f2), 2, "data to the host");
        cr_assert(n && n <= limit && len + n <= max, "%u bytes after %u of %u", n, len, max);
        cr_assert(len % 2 == 0, "only the last part may be odd");
        uint8_t part[65536];
        read_bytes(r, part, (n + 1) & ~1u);
        memcpy((uint8_t *)to + len, part, n);
        len += n;
    }
    cr_assert_eq(in8(r, 0x1f2), 3, "completion");
    cr_assert_eq(status & 0x81, status == FAILED ? 1 : 0);
    return status == GOOD ? (int)len : -1;
}

/* Sense data as key << 16 | asc << 8 | ascq. */
static unsigned sense(struct disk_rig *r)
{
    static const uint8_t cdb[12] = {0x03, 0, 0, 0, 18};
    uint8_t b[18];

    cr_assert_eq(packet(r, cdb, 0xfffe, b, sizeof b), 18);
    return (unsigned)b[2] << 16 | (unsigned)b[12] << 8 | b[13];
}

static bool is_ready(struct disk_rig *r)
{
    static const uint8_t cdb[12] = {0};

    return packet(r, cdb, 0, NULL, 0) == 0;
}

static void atapi_begin(struct disk_rig *r, const char *kinds, uint64_t cd_sectors)
{
    disk_rig_init(r, kinds, cd_sectors * 4);
    cr_assert_not(is_ready(r), "the first command tells of the reset");
    cr_assert_eq(sense(r), 0x062900);
    r->pin.rises = 0;
}

Test(atapi, identify_packet_device_and_refusal_of_ata_commands)
{
    struct disk_rig r;
    uint16_t id[256];

    disk_rig_init(&r, "c-", 4000);
    out8(&r, 0x1f6, 0xa0);
    out8(&r, 0x1f7, 0xec);
    cr_assert_eq(settle(&r) & 0x89, 1);
    cr_assert_eq(in8(&r, 0x1f4), 0x14, "the signature says what it is");
    cr_assert_eq(in8(&r, 0x1f5), 0xeb);
    out8(&r, 0x1f7, 0xa1);
    cr_assert_eq(settle(&r), DATA);
    read_bytes(&r, id, 512);
    cr_assert_eq(id[0], 0x85c0);
    cr_assert_eq(id[27], 'C' << 8 | 'A');
    out8(&r, 0x1f7, 0x08);
    cr_assert_eq(in8(&r, 0x1f7), 0, "DEVICE RESET");
    cr_assert_eq(in8(&r, 0x1f4), 0x14);
    disk_rig_fini(&r);
}

Test(atapi, inquiry_runs_in_spite_of_unit_attention)
{
    static const uint8_t cdb[12] = {0x12, 0, 0, 0, 36};
    struct disk_rig r;
    uint8_t b[36];

    disk_rig_init(&r, "c-", 4000);
    cr_assert_eq(packet(&r, cdb, 0xfffe, b, sizeof b), 36);
    cr_assert_eq(b[0], 5);
    cr_assert_eq(b[1], 0x80);
    cr_assert_arr_eq(b + 8, "CANDELA ", 8);
    cr_assert_not(is_ready(&r));
    cr_assert_eq(sense(&r), 0x062900);
    cr_assert(is_ready(&r));
    disk_rig_fini(&r);
}

Test(atapi, read_is_cut_by_the_byte_count_limit)
{
    static const struct {
        uint8_t cdb[12];
        unsigned limit, lba, count, parts;
    } rows[] = {
        {{0x28, 0, 0, 0, 0, 7, 0, 0, 1}, 2048, 7, 1, 1},
        {{0x28, 0, 0, 0, 0, 7, 0, 0, 4}, 2048, 7, 4, 4},
        {{0x28, 0, 0, 0, 0, 7, 0, 0, 4}, 0xffff, 7, 4, 1},
        {{0x28, 0, 0, 0, 0, 7, 0, 0, 2}, 1025, 7, 2, 4},
        {{0xa8, 0, 0, 0, 1, 0, 0, 0, 0, 40}, 0x8000, 256, 40, 3},
        {{0xbe, 0, 0, 0, 0, 9, 0, 0, 2, 0x10}, 0x8000, 9, 2, 1},
        {{0xb9, 0, 0, 0, 2, 9, 0, 2, 11, 0x10}, 0x8000, 9, 2, 1},
        {{0x28}, 2048, 0, 0, 0},
    };
    static uint8_t b[65536 * 2];

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct disk_rig r;

        atapi_begin(&r, "c-", 4000);
        cr_assert_eq(packet(&r, rows[i].cdb, rows[i].limit, b, sizeof b), (int)rows[i].count * 2048,
                     "row %u", i);
        for (unsigned n = 0; n < rows[i].count * 4; n++) {
            cr_assert_eq(ld_le64(b + n * 512 + 8), rows[i].lba * 4 + n);
        }
        cr_assert_eq(r.pin.rises, rows[i].parts + 1, "row %u: %u interrupts", i, r.pin.rises);
        disk_rig_fini(&r);
    }
}

Test(atapi, raw_sectors_have_sync_and_header)
{
    static const uint8_t cdb[12] = {0xbe, 0, 0, 0, 0x0f, 0xa0, 0, 0, 20, 0xf8};
    static uint8_t b[20 * 2352];
    struct disk_rig r;

    atapi_begin(&r, "c-", 5000);
    cr_assert_eq(packet(&r, cdb, 0xfffe, b, sizeof b), 20 * 2352);
    for (unsigned i = 0; i < 20; i++) {
        const uint8_t *p = b + i * 2352;
        unsigned at = 4000 + i + 150;
        cr_assert_eq(p[0], 0);
        cr_assert_eq(p[1], 0xff);
        cr_assert_eq(p[11], 0);
        cr_assert_eq(p[12], 0);
        cr_assert_eq((p[13] >> 4) * 10 + (p[13] & 15), at / 75);
        cr_assert_eq((p[14] >> 4) * 10 + (p[14] & 15), at % 75);
        cr_assert_eq(p[15], 1);
        cr_assert_eq(ld_le64(p + 16), (4000 + i) * 4);
        cr_assert_eq(ld_le64(p + 16 + 2040), (4000 + i) * 4 + 3);
        cr_assert_eq(p[2351], 0);
    }
    disk_rig_fini(&r);
}

Test(atapi, failures_report_their_sense)
{
    static const struct {
        const char *kinds;
        uint8_t cdb[12];
        unsigned sense;
    } rows[] = {
        {"c-", {0x28, 0, 0, 0, 0x0f, 0xa0, 0, 0, 1}, 0x052100}, /* sector 4000 of 4000 */
        {"c-", {0x28, 0, 0, 0, 0x0f, 0x9f, 0, 0, 2}, 0x052100},
        {"c-", {0xa8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0x052100},
        {"c-", {0x2b, 0, 0, 0, 0x0f, 0xa0}, 0x052100},
        {"c-", {0xff}, 0x052000},
        {"c-", {0x2a, 0, 0, 0, 0, 0, 0, 0, 1}, 0x052000}, /* writing */
        {"c-", {0x45, 0, 0, 0, 0, 0, 0, 0, 1}, 0x056400}, /* audio */
        {"c-", {0xbe, 4, 0, 0, 0, 0, 0, 0, 1, 0x10}, 0x056400},
        {"c-", {0x4b}, 0x052c00},
        {"c-", {0x5a, 0, 0x08, 0, 0, 0, 0, 0, 64}, 0x052400},
        {"c-", {0x5a, 0, 0xea, 0, 0, 0, 0, 0, 64}, 0x053900},
        {"c-", {0x12, 1, 0x80, 0, 36}, 0x052400},
        {"c-", {0x43, 0, 5, 0, 0, 0, 0, 0, 64}, 0x052400},
        {"c-", {0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8}, 0x052400},
        {"c-", {0xad, 0, 0, 0, 0, 0, 0, 0, 8, 0}, 0x053002}, /* a CD has no DVD structure */
        {"e-", {0x00}, 0x023a01},
        {"e-", {0x28, 0, 0, 0, 0, 0, 0, 0, 1}, 0x023a01},
        {"e-", {0x25}, 0x023a01},
    };
    uint8_t b[4096];

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct disk_rig r;

        atapi_begin(&r, rows[i].kinds, 4000);
        cr_assert_eq(packet(&r, rows[i].cdb, 0xfffe, b, sizeof b), -1, "row %u", i);
        cr_assert_eq(in8(&r, 0x1f1) >> 4, rows[i].sense >> 16);
        unsigned got = sense(&r);
        cr_assert_eq(got, rows[i].sense, "row %u: %06x", i, got);
        cr_assert_eq(sense(&r), 0, "told once");
        disk_rig_fini(&r);
    }
}

Test(atapi, unreadable_sector_is_a_medium_error)
{
    static const uint8_t cdb[12] = {0x28, 0, 0, 0, 0, 5, 0, 0, 2};
    struct disk_rig r;
    uint8_t b[4096];

    atapi_begin(&r, "c-", 4000);
    r.medium[0]->bad = 22;
    cr_assert_eq(packet(&r, cdb, 0xfffe, b, sizeof b), -1);
    cr_assert_eq(sense(&r), 0x031100);
    disk_rig_fini(&r);
}

Test(atapi, limit_of_zero_is_refused_when_there_is_data)
{
    static const uint8_t inquiry[12] = {0x12, 0, 0, 0, 36};
    struct disk_rig r;

    atapi_begin(&r, "c-", 4000);
    send_packet(&r, inquiry, 0);
    cr_assert_eq(settle(&r), FAILED);
    cr_assert_eq(in8(&r, 0x1f1), 4);
    cr_assert(is_ready(&r), "without data it does not matter");
    disk_rig_fini(&r);
}

Test(atapi, structure_of_the_disc)
{
    static const uint8_t capacity[12] = {0x25};
    static const uint8_t toc[12] = {0x43, 0, 0, 0, 0, 0, 0, 0, 64};
    static const uint8_t toc_msf[12] = {0x43, 2, 0, 0, 0, 0, 0xaa, 0, 64};
    static const uint8_t full[12] = {0x43, 0, 2, 0, 0, 0, 0, 0, 64};
    struct disk_rig r;
    uint8_t b[64];

    atapi_begin(&r, "c-", 4500);
    cr_assert_eq(packet(&r, capacity, 0xfffe, b, 64), 8);
    cr_assert_eq(ld_be32(b), 4499);
    cr_assert_eq(ld_be32(b + 4), 2048);
    cr_assert_eq(packet(&r, toc, 0xfffe, b, 64), 20);
    cr_assert_eq(ld_be16(b), 18);
    cr_assert_eq(b[4 + 1], 0x14);
    cr_assert_eq(ld_be32(b + 4 + 4), 0);
    cr_assert_eq(b[12 + 2], 0xaa);
    cr_assert_eq(ld_be32(b + 12 + 4), 4500);
    cr_assert_eq(packet(&r, toc_msf, 0xfffe, b, 64), 12);
    cr_assert_eq(b[4 + 5], 1); /* 4650 frames: 1 minute, 2 seconds */
    cr_assert_eq(b[4 + 6], 2);
    cr_assert_eq(b[4 + 7], 0);
    cr_assert_eq(packet(&r, full, 0xfffe, b, 64), 4 + 4 * 11);
    cr_assert_eq(b[4 + 3], 0xa0);
    cr_assert_eq(b[4 + 2 * 11 + 3], 0xa2);
    disk_rig_fini(&r);
}

Test(atapi, profile_follows_the_size_of_the_medium)
{
    static const struct {
        const char *kinds;
        uint64_t sectors;
        unsigned profile;
    } rows[] = {{"c-", 4000, 8}, {"c-", 2295104, 0x10}, {"e-", 0, 0}};
    static const uint8_t cdb[12] = {0x46, 0, 0, 0, 0, 0, 0, 0, 255};
    uint8_t b[256];

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct disk_rig r;

        atapi_begin(&r, rows[i].kinds, rows[i].sectors);
        int len = packet(&r, cdb, 0xfffe, b, sizeof b);
        cr_assert_eq((int)ld_be32(b), len - 4);
        cr_assert_eq(ld_be16(b + 6), rows[i].profile, "row %u: profile %x", i, ld_be16(b + 6));
        for (int at = 8; at < len; at += 4 + b[at + 3]) {
            cr_assert_leq(at + 4 + b[at + 3], len, "features fill the answer exactly");
        }
        disk_rig_fini(&r);
    }
}

Test(atapi, mode_pages_are_sensed_and_selected)
{
    static const uint8_t sense10[12] = {0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 255};
    static const uint8_t sense6[12] = {0x1a, 0, 0x3f, 0, 255};
    static const uint8_t select10[12] = {0x55, 0x10, 0, 0, 0, 0, 0, 0, 16};
    uint8_t b[256], list[16] = {[8] = 0x01, [9] = 6};
    struct disk_rig r;

    atapi_begin(&r, "c-", 4000);
    cr_assert_eq(packet(&r, sense10, 0xfffe, b, sizeof b), 28);
    cr_assert_eq(ld_be16(b), 26);
    cr_assert_eq(b[8], 0x2a);
    cr_assert_eq(b[9], 18);
    cr_assert_eq(packet(&r, sense6, 0xfffe, b, sizeof b), 4 + 8 + 16 + 20);
    cr_assert_eq(b[0], 47);

    for (unsigned round = 0; round < 2; round++) {
        list[8] = round ? 0x33 : 0x01; /* a page that does not exist */
        send_packet(&r, select10, 10);
        for (unsigned left = 16; left;) {
            cr_assert_eq(settle(&r), DATA);
            cr_assert_eq(in8(&r, 0x1f2), 0, "data to the drive");
            unsigned n = in8(&r, 0x1f4);
            cr_assert_eq(n, MIN(left, 10));
            write_bytes(&r, list + 16 - left, n);
            left -= n;
        }
        cr_assert_eq(settle(&r), round ? FAILED : GOOD);
        cr_assert_eq(sense(&r), round ? 0x052600 : 0);
    }
    disk_rig_fini(&r);
}

Test(atapi, eject_lock_and_change_of_medium_are_reported)
{
    static const uint8_t lock[12] = {0x1e, 0, 0, 0, 1}, unlock[12] = {0x1e};
    static const uint8_t eject[12] = {0x1b, 0, 0, 0, 2}, load[12] = {0x1b, 0, 0, 0, 3};
    static const uint8_t event[12] = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8};
    struct block *old = NULL, *other;
    struct disk_rig r;
    uint8_t b[8];

    atapi_begin(&r, "c-", 4000);
    cr_assert_eq(packet(&r, lock, 0, b, 0), 0);
    cr_assert_eq(packet(&r, eject, 0, b, 0), -1);
    cr_assert_eq(sense(&r), 0x055302);
    cr_assert_not(ide_change_medium(r.ide, 0, NULL, false, &old), "locked");
    cr_assert_eq(packet(&r, event, 0xfffe, b, 8), 8);
    cr_assert_eq(b[4], 1, "somebody wants it out");
    cr_assert_eq(b[5], 2, "it is still in");
    cr_assert_eq(packet(&r, unlock, 0, b, 0), 0);
    cr_assert_eq(packet(&r, eject, 0, b, 0), 0);
    cr_assert_not(is_ready(&r));
    cr_assert_eq(sense(&r), 0x023a02);
    cr_assert_eq(packet(&r, event, 0xfffe, b, 8), 8);
    cr_assert_eq(b[4], 3);
    cr_assert_eq(b[5], 1, "tray open, no medium");
    cr_assert_eq(packet(&r, load, 0, b, 0), 0);
    cr_assert_not(is_ready(&r));
    cr_assert_eq(sense(&r), 0x062800);
    cr_assert(is_ready(&r));

    other = medium_new(8000, true);
    block_attach(other, r.m);
    cr_assert(ide_change_medium(r.ide, 0, other, false, &old));
    cr_assert_not_null(old);
    block_close(old);
    cr_assert_eq(packet(&r, event, 0xfffe, b, 8), 8);
    cr_assert_eq(b[4], 2, "new medium");
    cr_assert_eq(b[5], 2);
    cr_assert_not(is_ready(&r));
    cr_assert_eq(sense(&r), 0x062800);
    cr_assert(is_ready(&r));
    cr_assert_not(ide_change_medium(r.ide, 1, NULL, true, &old), "no drive there");
    disk_rig_fini(&r);
}

Test(atapi, survives_random_packets)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    struct block *old = NULL;
    struct disk_rig r;

    disk_rig_init(&r, "c-", 2000);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t cdb[12];
        for (unsigned j = 0; j < 12; j++) {
            cdb[j] = (uint8_t)(g_rand_int(rand) & (g_rand_int_range(rand, 0, 3) ? 3u : 0xffu));
        }
        cdb[0] = (uint8_t)(g_rand_boolean(rand)
                               ? g_rand_int(rand)
                               : (const uint8_t[]){0x28, 0xbe, 0x43, 0x55, 0x5a}[i % 5]);
        out8(&r, 0x1f6, 0xa0);
        out8(&r, 0x1f4, g_rand_int(rand) & 0xff);
        out8(&r, 0x1f5, g_rand_int_range(rand, 0, 5));
        out8(&r, 0x1f7, 0xa0);
        write_bytes(&r, cdb, 12);
        if (i % 50 == 0) { /* in the middle of things */
            struct block *blk = i % 100 ? medium_new(4000, true) : NULL;
            if (blk) {
                block_attach(blk, r.m);
            }
            cr_assert(ide_change_medium(r.ide, 0, blk, true, &old));
            block_drain(r.m);
            if (old) {
                block_close(old);
            }
        }
        for (unsigned n = 0; n < 50 && settle(&r) & 8; n++) {
            for (unsigned j = 0; j < 600; j++) {
                if (in8(&r, 0x1f2) & 2) {
                    rig_in32(r.rig, 0x1f0);
                } else {
                    rig_out32(r.rig, 0x1f0, 0x01010101);
                }
            }
        }
        if (in8(&r, 0x1f7) & 0x88) {
            out8(&r, 0x1f7, 0x08);
            block_drain(r.m);
        }
    }
    out8(&r, 0x1f7, 0x08);
    cr_assert_eq(settle(&r), 0);
    disk_rig_fini(&r);
}
