/*
 * The address filter of the 21140: setup frames built as drivers build them, checked against sets
 * of addresses and an independent hash.
 *
 * Not modelled: see hw/net/dec21140_filter.c.
 */
#include "hw/net/dec21140_filter.h"
#include "tests/hw/dec21140_crc.h"
#include <criterion/criterion.h>

enum { PR = BIT(6), PM = BIT(7), RA = BIT(30), TRIES = 20000 };

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t own[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static const uint8_t group[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x01};
static const uint8_t other[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x57};
static const uint8_t zero[6];

/* A setup frame being built.  What does not count is filled with noise. */
struct setup {
    uint8_t bytes[DEC_SETUP_BYTES];
};

static void begin(struct setup *s, GRand *rand)
{
    for (unsigned i = 0; i < DEC_SETUP_BYTES; i++) {
        s->bytes[i] = (uint8_t)(i % 4 < 2 ? 0 : g_rand_int_range(rand, 0, 256));
    }
}

/* The address whose first bytes stand in longword `at`, as Linux's tulip stores 16-bit words. */
static void put(struct setup *s, unsigned at, const uint8_t address[6])
{
    for (unsigned i = 0; i < 3; i++) {
        uint16_t word = (uint16_t)(address[2 * i] | address[2 * i + 1] << 8);

        s->bytes[4 * (at + i)] = (uint8_t)word;
        s->bytes[4 * (at + i) + 1] = (uint8_t)(word >> 8);
    }
}

/* Bit by bit in bytes of a table of 64 bytes, of which each two make a longword's low half. */
static void put_hash(struct setup *s, const uint8_t address[6])
{
    unsigned hash = wire_crc32(address, 6) % 512;
    unsigned byte = hash / 8;

    s->bytes[byte / 2 * 4 + byte % 2] |= (uint8_t)(1 << hash % 8);
}

static void load(struct dec_filter *f, uint32_t tdes1, const struct setup *s)
{
    memset(f, 0xff, sizeof *f);
    state_reset(dec_filter_state, f);
    dec_filter_load(f, DEC_FILTER_MODE(tdes1), s->bytes);
}

static void random_address(GRand *rand, uint8_t address[6])
{
    for (unsigned i = 0; i < 6; i++) {
        address[i] = (uint8_t)g_rand_int_range(rand, 0, 256);
    }
}

static bool passes(const struct dec_filter *f, const uint8_t address[6])
{
    enum dec_filter_verdict verdict = dec_filter_check(f, 0, address);

    cr_assert_neq(verdict, DEC_FILTER_FAILED);
    cr_assert_eq(dec_filter_check(f, RA, address),
                 verdict == DEC_FILTER_PASS ? DEC_FILTER_PASS : DEC_FILTER_FAILED);
    return verdict == DEC_FILTER_PASS;
}

Test(dec21140_filter, takes_the_mode_from_the_descriptor)
{
    cr_assert_eq(DEC_FILTER_MODE(0), DEC_FILTER_PERFECT);
    cr_assert_eq(DEC_FILTER_MODE(0x00400000), DEC_FILTER_HASH);
    cr_assert_eq(DEC_FILTER_MODE(0x10000000), DEC_FILTER_INVERSE);
    cr_assert_eq(DEC_FILTER_MODE(0x10400000), DEC_FILTER_HASH_ONLY);
    cr_assert_eq(DEC_FILTER_MODE(0xefbfffff), DEC_FILTER_PERFECT);
}

Test(dec21140_filter, hashes_as_the_wire_does)
{
    GRand *rand = g_rand_new_with_seed(1);
    uint8_t address[6];

    cr_assert_eq(dec_filter_hash(broadcast), 255, "where all drivers put it");
    cr_assert_eq(dec_filter_hash(group), 510, "computed with zlib");
    cr_assert_eq(dec_filter_hash(own), 131);
    for (unsigned i = 0; i < TRIES; i++) {
        random_address(rand, address);
        cr_assert_eq(dec_filter_hash(address), wire_crc32(address, 6) % 512);
    }
    g_rand_free(rand);
}

static void check_sixteen(uint32_t tdes1, bool inverse)
{
    GRand *rand = g_rand_new_with_seed(2);
    struct setup s;
    struct dec_filter f;
    uint8_t listed[16][6], address[6];

    begin(&s, rand);
    for (unsigned i = 0; i < 16; i++) {
        random_address(rand, listed[i]);
        put(&s, 3 * i, listed[i]);
    }
    load(&f, tdes1, &s);
    cr_assert_eq(dec_filter_csr6(&f), inverse ? BIT(4) : 0);
    for (unsigned i = 0; i < 16; i++) {
        cr_assert_neq(passes(&f, listed[i]), inverse, "address %u", i);
        for (unsigned bit = 0; bit < 48; bit++) {
            memcpy(address, listed[i], 6);
            address[bit / 8] ^= (uint8_t)(1 << bit % 8);
            cr_assert_eq(passes(&f, address), inverse, "address %u, bit %u", i, bit);
        }
    }
    cr_assert_eq(passes(&f, zero), inverse);
    cr_assert_eq(passes(&f, broadcast), inverse, "it is not listed");
    g_rand_free(rand);
}

Test(dec21140_filter, perfect_passes_sixteen_addresses)
{
    check_sixteen(0, false);
}

Test(dec21140_filter, inverse_passes_all_but_sixteen)
{
    check_sixteen(BIT(28), true);
}

/* As Linux's tulip, FreeBSD's dc and others: own address, broadcast, the rest filled up. */
Test(dec21140_filter, perfect_passes_broadcast_when_listed)
{
    GRand *rand = g_rand_new_with_seed(3);
    struct setup s;
    struct dec_filter f;

    begin(&s, rand);
    for (unsigned i = 0; i < 15; i++) {
        put(&s, 3 * i, broadcast);
    }
    put(&s, 45, own);
    load(&f, 0, &s);
    cr_assert(passes(&f, own));
    cr_assert(passes(&f, broadcast));
    cr_assert(!passes(&f, group));
    cr_assert(!passes(&f, other));
    g_rand_free(rand);
}

/* Every address against a table with some bits set. */
static void check_hash(uint32_t tdes1, bool only)
{
    GRand *rand = g_rand_new_with_seed(4);
    struct setup s;
    struct dec_filter f;
    bool set[512] = {false};
    uint8_t address[6];
    unsigned passed = 0;

    begin(&s, rand);
    for (unsigned i = 0; i < 100; i++) {
        random_address(rand, address);
        put_hash(&s, address);
        set[wire_crc32(address, 6) % 512] = true;
    }
    put(&s, 39, own);
    load(&f, tdes1, &s);
    cr_assert_eq(dec_filter_csr6(&f), only ? BIT(0) | BIT(2) : BIT(0));
    for (unsigned i = 0; i < TRIES; i++) {
        bool want;

        random_address(rand, address);
        want = (only || address[0] & 1) && set[wire_crc32(address, 6) % 512];
        cr_assert_eq(passes(&f, address), want);
        passed += want;
    }
    cr_assert(passed > 0 && passed < TRIES);
    cr_assert_eq(passes(&f, own), !only || set[wire_crc32(own, 6) % 512]);
    cr_assert(!passes(&f, other));
    g_rand_free(rand);
}

Test(dec21140_filter, hash_passes_multicasts_and_one_address)
{
    check_hash(BIT(22), false);
}

Test(dec21140_filter, hash_only_passes_both_kinds_by_hash)
{
    check_hash(BIT(22) | BIT(28), true);
}

Test(dec21140_filter, hash_passes_broadcast_by_its_bit)
{
    GRand *rand = g_rand_new_with_seed(5);
    struct setup s;
    struct dec_filter f;

    begin(&s, rand);
    put(&s, 39, own);
    load(&f, BIT(22), &s);
    cr_assert(!passes(&f, broadcast));
    s.bytes[61] |= 0x80; /* as de4x5 does: byte 61 of the frame */
    load(&f, BIT(22), &s);
    cr_assert(passes(&f, broadcast));
    cr_assert(passes(&f, own));
    g_rand_free(rand);
}

Test(dec21140_filter, csr6_lets_more_through)
{
    GRand *rand = g_rand_new_with_seed(6);
    struct setup s;
    struct dec_filter f;

    begin(&s, rand);
    put(&s, 0, own);
    for (unsigned mode = 0; mode < 4; mode++) {
        load(&f, (mode & 1 ? BIT(22) : 0) | (mode & 2 ? BIT(28) : 0), &s);
        cr_assert_eq(dec_filter_check(&f, PR, other), DEC_FILTER_PASS);
        cr_assert_eq(dec_filter_check(&f, PR, own), DEC_FILTER_PASS);
        cr_assert_eq(dec_filter_check(&f, PM, group), DEC_FILTER_PASS);
        cr_assert_eq(dec_filter_check(&f, PM, broadcast), DEC_FILTER_PASS);
        cr_assert_eq(dec_filter_check(&f, PM, other), dec_filter_check(&f, 0, other));
        cr_assert_eq(dec_filter_check(&f, ~(uint32_t)(PR | PM | RA), other),
                     dec_filter_check(&f, 0, other), "no other bit counts");
    }
    load(&f, 0, &s);
    cr_assert_eq(dec_filter_check(&f, RA, other), DEC_FILTER_FAILED);
    cr_assert_eq(dec_filter_check(&f, RA | PR, other), DEC_FILTER_PASS);
    cr_assert_eq(dec_filter_check(&f, RA, own), DEC_FILTER_PASS);
    g_rand_free(rand);
}

/* A later frame replaces everything of the one before. */
Test(dec21140_filter, forgets_the_last_setup_frame)
{
    GRand *rand = g_rand_new_with_seed(7);
    struct setup s;
    struct dec_filter f, fresh;

    begin(&s, rand);
    put_hash(&s, group);
    put(&s, 39, own);
    load(&f, BIT(22), &s);
    begin(&s, rand);
    put(&s, 0, other);
    dec_filter_load(&f, DEC_FILTER_PERFECT, s.bytes);
    load(&fresh, 0, &s);
    cr_assert_eq(memcmp(&f, &fresh, sizeof f), 0);
    cr_assert(!passes(&f, own));
    cr_assert(!passes(&f, group));
    cr_assert(passes(&f, other));
    begin(&s, rand);
    dec_filter_load(&f, DEC_FILTER_HASH, s.bytes);
    cr_assert(!passes(&f, group));
    cr_assert(!passes(&f, other));
    g_rand_free(rand);
}

Test(dec21140_filter, state_is_listed)
{
    uint8_t covered[sizeof(struct dec_filter)] = {0};

    cr_assert(state_cover(dec_filter_state, 0, covered, sizeof covered));
    for (size_t i = 0; i < sizeof covered; i++) {
        cr_assert(covered[i], "byte %zu", i);
    }
}
