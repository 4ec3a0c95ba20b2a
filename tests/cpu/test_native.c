/*
 * Every SIMD, MMX and x87 row of the decoder's tables, with random operands, against the host
 * executing the same bytes.
 *
 * Not modelled: hosts whose undefined results differ (RCPPS and the transcendentals are compared
 * with this very host).
 */
#include "tests/cpu/native_rig.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

enum { NO_VECTOR = 0xff };

/* Operand values that matter for a row: see rig_fill. */
static unsigned float_type(const struct op_row *row, unsigned n)
{
    if (row->aux & NAT_X87) {
        return 10;
    }
    if (!(row->aux & (NAT_FP | NAT_FLAGS_OUT | NAT_APPROX))) {
        return 0;
    }
    return n % 5 == 4 ? 0 : n % 2 ? 4 : 8;
}

static uint64_t checked_flags(const struct op_row *row)
{
    return row->aux & NAT_FLAGS_OUT || !(row->aux & NAT_X87) ? FLAGS_ARITH : 0;
}

/* Unmask something, in the unit the row belongs to; nothing pending before. */
static void unmask(struct native_rig *t, const struct op_row *row, struct rig_state *s)
{
    if (row->aux & NAT_X87) {
        uint16_t fcw = ld_le16(s->fx);

        st_le16(s->fx, fcw & ~(rig_random(t) & FCW_MASKS));
        st_le16(s->fx + 2, ld_le16(s->fx + 2) & 0x7f00);
    } else {
        s->mxcsr = (s->mxcsr & ~0x3fu) & ~(rig_random(t) & MXCSR_MASKS);
    }
}

struct tally {
    unsigned rows, skipped, cases, failed, raised;
};

/*
 * DPPS and DPPD compute in steps, and with an unmasked overflow or underflow they stop between
 * them; we look at the flags of the whole.
 */
static bool in_steps(const struct op_row *row)
{
    return (row->map == MAP_0F3A || row->map == MAP_VEX_0F3A) &&
           (row->op == 0x40 || row->op == 0x41);
}

static bool run_case(struct native_rig *t, const struct op_row *row, unsigned n, bool unmasked,
                     struct tally *sum)
{
    static struct rig_state start, host, guest; /* large; one test process each */
    uint8_t code[16];

    rig_fill(t, &start, float_type(row, n));
    if (unmasked) {
        unmask(t, row, &start);
    }
    unsigned len = rig_encode(t, row, &start, code);
    if (!len) {
        return false;
    }
    host = guest = start;
    unsigned hv = rig_run_host(t, &host, code, len);
    unsigned gv = rig_run_guest(t, &guest, code, len);
    if (hv == EXCP_XM &&
        host.mxcsr & (BIT(3) | BIT(4)) & ~(host.mxcsr >> 7)) { /* native.c, "Not modelled" */
        guest.mxcsr = (guest.mxcsr & ~BIT(5)) | (host.mxcsr & BIT(5));
    }
    char *diff = hv != gv ? g_strdup_printf("exception: host %#x guest %#x", hv, gv)
                          : rig_compare(&host, &guest, checked_flags(row));
    sum->cases++;
    sum->raised += hv != NO_VECTOR || ld_le16(host.fx + 2) & 0x80;
    if (diff) {
        if (sum->failed++ < 40) {
            g_autofree char *bytes = g_strdup("");
            for (unsigned k = 0; k < len; k++) {
                char *more = g_strdup_printf("%s%02x ", bytes, code[k]);
                g_free(bytes);
                bytes = more;
            }
            fprintf(stderr, "native: %s (%s): %s (mxcsr %#x fcw %#x)\n", row->name, bytes, diff,
                    start.mxcsr, ld_le16(start.fx));
        }
        g_free(diff);
    }
    return true;
}

static void run_table(const struct op_table *table, uint64_t want, enum rig_mode mode,
                      unsigned cases, bool unmasked, const char *what)
{
    const uint64_t without = NAT_CONTROL;
    struct native_rig t;
    struct tally sum = {0};

    cr_assert(native_rig_init(&t));
    t.mode = mode;
    for (unsigned k = 0; k < table->count; k++) {
        const struct op_row *row = &table->rows[k];

        if ((unmasked && in_steps(row)) || (want && !(row->aux & want)) || row->aux & without ||
            !cpu_has(t.c, row->isa)) {
            continue;
        }
        sum.rows++;
        for (unsigned n = 0; n < cases; n++) {
            if (!run_case(&t, row, n, unmasked, &sum)) {
                sum.skipped++;
                break;
            }
        }
    }
    fprintf(stderr,
            "native %s: %u rows (%u skipped: no SHA here, gathers in 32-bit code), %u cases, %u "
            "raised, %u failed\n",
            what, sum.rows, sum.skipped, sum.cases, sum.raised, sum.failed);
    cr_expect_eq(sum.failed, 0);
    cr_expect_gt(sum.cases, 1000);
    native_rig_free(&t);
}

Test(native, simd_rows_agree_with_the_host)
{
    run_table(&ops_simd, 0, RIG_64, 60, false, "simd");
}

Test(native, simd_rows_raise_as_the_host_when_unmasked)
{
    run_table(&ops_simd, NAT_FP, RIG_64, 400, true, "simd unmasked");
}

Test(native, x87_rows_agree_with_the_host)
{
    run_table(&ops_x87, 0, RIG_64, 300, false, "x87");
}

Test(native, x87_rows_fault_as_the_host_when_unmasked)
{
    run_table(&ops_x87, 0, RIG_64, 300, true, "x87 unmasked");
}

Test(native, rows_agree_in_32_bit_code)
{
    run_table(&ops_simd, 0, RIG_32_FLAT, 20, false, "simd, 32-bit flat");
    run_table(&ops_x87, 0, RIG_32_FLAT, 50, false, "x87, 32-bit flat");
}

Test(native, rows_agree_behind_a_segment_base)
{
    run_table(&ops_simd, 0, RIG_32_SEGMENTED, 20, false, "simd, 32-bit with segment base");
    run_table(&ops_x87, 0, RIG_32_SEGMENTED, 50, false, "x87, 32-bit with segment base");
    run_table(&ops_x87, 0, RIG_32_SEGMENTED, 50, true, "x87 unmasked, 32-bit with segment base");
}

Test(native, legacy_vectors_in_memory_must_be_aligned)
{
    static const struct {
        const char *bytes;
        unsigned len, vector;
    } cases[] = {
        {"\x0f\x28\x03", 3, EXCP_GP},               /* movaps xmm0, [rbx] */
        {"\x0f\x29\x03", 3, EXCP_GP},               /* movaps [rbx], xmm0 */
        {"\x66\x0f\xef\x03", 4, EXCP_GP},           /* pxor xmm0, [rbx] */
        {"\x66\x0f\x3a\x63\x03\x00", 6, NO_VECTOR}, /* pcmpistri */
        {"\x0f\x10\x03", 3, NO_VECTOR},             /* movups */
        {"\xf2\x0f\x58\x03", 4, NO_VECTOR},         /* addsd */
    };
    struct native_rig t;
    struct rig_state s;

    cr_assert(native_rig_init(&t));
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        rig_fill(&t, &s, 0);
        s.r[R_RBX] = (uintptr_t)t.page + 8;
        cr_expect_eq(rig_run_guest(&t, &s, (const uint8_t *)cases[k].bytes, cases[k].len),
                     cases[k].vector, "case %u", k);
    }
    native_rig_free(&t);
}

Test(native, vex_fields_that_must_be_ones_are_checked)
{
    static const uint8_t vvvv[] = {0xc5, 0xf0, 0x28, 0xc1};       /* vmovaps with vvvv = 1 */
    static const uint8_t w1[] = {0xc4, 0xe2, 0xfd, 0x0c, 0xc1};   /* vpermilps with W = 1 */
    static const uint8_t fine[] = {0xc4, 0xe2, 0x7d, 0x0c, 0xc1}; /* and as it should be */
    struct native_rig t;
    struct rig_state s;

    cr_assert(native_rig_init(&t));
    rig_fill(&t, &s, 0);
    if (t.have_avx) {
        cr_expect_eq(rig_run_guest(&t, &s, vvvv, sizeof vvvv), 0xfe);
        cr_expect_eq(rig_run_guest(&t, &s, w1, sizeof w1), 0xfe);
        cr_expect_eq(rig_run_guest(&t, &s, fine, sizeof fine), NO_VECTOR);
    }
    native_rig_free(&t);
}

/* FIPS 180-4 test vectors, through the instructions (the host here may have none to compare with).
 */
static void sha_insn(struct native_rig *t, struct rig_state *s, unsigned map, unsigned op,
                     unsigned d, unsigned src, int imm)
{
    uint8_t code[] = {0x0f, map, op, 0xc0 | d << 3 | src, imm};

    cr_assert_eq(rig_run_guest(t, s, code, imm >= 0 ? 5 : 4), NO_VECTOR);
}

static void set_words(uint8_t *p, uint32_t w3, uint32_t w2, uint32_t w1, uint32_t w0)
{
    st_le32(p, w0);
    st_le32(p + 4, w1);
    st_le32(p + 8, w2);
    st_le32(p + 12, w3);
}

Test(native, sha1_of_abc)
{
    static const uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    struct native_rig t;
    struct rig_state s;
    uint8_t w[20][16] = {{0}};

    cr_assert(native_rig_init(&t));
    rig_fill(&t, &s, 0);
    set_words(w[0], 0x61626380, 0, 0, 0);
    set_words(w[3], 0, 0, 0, 24);
    for (unsigned g = 4; g < 20; g++) { /* the message schedule */
        memcpy(s.ymm[1], w[g - 4], 16);
        memcpy(s.ymm[2], w[g - 3], 16);
        sha_insn(&t, &s, 0x38, 0xc9, 1, 2, -1);
        for (unsigned k = 0; k < 16; k++) {
            s.ymm[1][k] ^= w[g - 2][k];
        }
        memcpy(s.ymm[2], w[g - 1], 16);
        sha_insn(&t, &s, 0x38, 0xca, 1, 2, -1);
        memcpy(w[g], s.ymm[1], 16);
    }
    set_words(s.ymm[3], h[0], h[1], h[2], h[3]);
    set_words(s.ymm[4], h[4], 0, 0, 0);
    for (unsigned g = 0; g < 20; g++) {
        uint8_t abcd[16];

        memcpy(s.ymm[5], w[g], 16);
        if (g == 0) {
            st_le32(s.ymm[5] + 12, ld_le32(w[0] + 12) + h[4]);
        } else {
            sha_insn(&t, &s, 0x38, 0xc8, 4, 5, -1);
            memcpy(s.ymm[5], s.ymm[4], 16);
        }
        memcpy(abcd, s.ymm[3], 16);
        sha_insn(&t, &s, 0x3a, 0xcc, 3, 5, g / 5);
        memcpy(s.ymm[4], abcd, 16);
    }
    cr_expect_eq(ld_le32(s.ymm[3] + 12) + h[0], 0xa9993e36);
    cr_expect_eq(ld_le32(s.ymm[3] + 8) + h[1], 0x4706816a);
    cr_expect_eq(ld_le32(s.ymm[3] + 4) + h[2], 0xba3e2571);
    cr_expect_eq(ld_le32(s.ymm[3]) + h[3], 0x7850c26c);
    native_rig_free(&t);
}

/* The first bits of the fractional parts of cube roots of primes: computed, as the standard defines
 * them. */
static uint32_t sha256_constant(unsigned n)
{
    unsigned p = 1, found = 0;

    while (found <= n) {
        bool prime = ++p > 1;

        for (unsigned k = 2; k * k <= p; k++) {
            prime = prime && p % k;
        }
        found += prime;
    }
    unsigned __int128 lo = 0, hi = (unsigned __int128)16 << 32;
    while (hi - lo > 1) { /* largest x with x^3 <= p << 96 */
        unsigned __int128 x = (lo + hi) / 2, limit = (unsigned __int128)p << 96;

        if (x * x <= limit / x) {
            lo = x;
        } else {
            hi = x;
        }
    }
    return (uint32_t)lo;
}

Test(native, sha256_of_abc)
{
    struct native_rig t;
    struct rig_state s;
    uint8_t w[16][16] = {{0}};

    cr_assert(native_rig_init(&t));
    rig_fill(&t, &s, 0);
    set_words(w[0], 0, 0, 0, 0x61626380);
    set_words(w[3], 24, 0, 0, 0);
    for (unsigned g = 4; g < 16; g++) {
        memcpy(s.ymm[1], w[g - 4], 16);
        memcpy(s.ymm[2], w[g - 3], 16);
        sha_insn(&t, &s, 0x38, 0xcc, 1, 2, -1);
        for (unsigned k = 0; k < 4; k++) { /* plus W[t - 7] */
            unsigned at = g * 4 + k - 7;
            st_le32(s.ymm[1] + k * 4, ld_le32(s.ymm[1] + k * 4) + ld_le32(w[at / 4] + at % 4 * 4));
        }
        memcpy(s.ymm[2], w[g - 1], 16);
        sha_insn(&t, &s, 0x38, 0xcd, 1, 2, -1);
        memcpy(w[g], s.ymm[1], 16);
    }
    set_words(s.ymm[1], 0x6a09e667, 0xbb67ae85, 0x510e527f, 0x9b05688c); /* A B E F */
    set_words(s.ymm[2], 0x3c6ef372, 0xa54ff53a, 0x1f83d9ab, 0x5be0cd19); /* C D G H */
    for (unsigned r = 0; r < 64; r += 2) {
        uint8_t old[16];

        for (unsigned k = 0; k < 2; k++) {
            st_le32(s.ymm[0] + k * 4,
                    sha256_constant(r + k) + ld_le32(w[(r + k) / 4] + (r + k) % 4 * 4));
        }
        memcpy(old, s.ymm[1], 16);
        sha_insn(&t, &s, 0x38, 0xcb, 2, 1, -1);
        memcpy(s.ymm[1], s.ymm[2], 16);
        memcpy(s.ymm[2], old, 16);
    }
    cr_expect_eq(ld_le32(s.ymm[1] + 12) + 0x6a09e667, 0xba7816bf);
    cr_expect_eq(ld_le32(s.ymm[1] + 8) + 0xbb67ae85, 0x8f01cfea);
    cr_expect_eq(ld_le32(s.ymm[2] + 12) + 0x3c6ef372, 0x414140de);
    cr_expect_eq(ld_le32(s.ymm[1] + 4) + 0x510e527f, 0xb00361a3);
    native_rig_free(&t);
}
