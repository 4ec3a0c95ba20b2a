/*
 * Ethernet's CRC-32 over whole frames: every received frame gets one, so it is what the net thread
 * does longest.
 *
 * Where the host multiplies without carry, 64 bytes at a time are folded into the next 64: bits
 * that stand n places ahead weigh as much as their product with x^n modulo the polynomial, which
 * is 32 bits long wherever they stand.  What is left, and everything on other hosts, goes through
 * tables, eight bytes a step.
 *
 * Not modelled: damaged sequences.
 */
#include "hw/net/dec21140_fcs.h"
#include "hw/net/dec21140_filter.h"
#include <immintrin.h>

enum { LANE = 16, LANES = 4, BLOCK = LANE * LANES };

/* x^n (n divides by 8) modulo the polynomial, mirrored as the sequence is; a product of mirrored
 * numbers comes out one bit too low, which is made up for here. */
static uint64_t fcs_power(unsigned n)
{
    uint32_t c = BIT(31);

    for (; n >= 8; n -= 8) {
        c = dec_crc32_byte(c, 0);
    }
    return (uint64_t)c << 1;
}

void dec_fcs_init(struct dec_fcs *f)
{
    for (unsigned i = 0; i < 256; i++) {
        f->table[0][i] = dec_crc32_byte(0, (uint8_t)i);
    }
    for (unsigned i = 0; i < 256; i++) {
        for (unsigned n = 1; n < 8; n++) {
            uint32_t c = f->table[n - 1][i];

            f->table[n][i] = c >> 8 ^ f->table[0][c & 0xff];
        }
    }
    /* The low half of a lane comes first on the wire, 64 bits ahead of the high one. */
    f->fold[0] = fcs_power(8 * BLOCK + 32);
    f->fold[1] = fcs_power(8 * BLOCK - 32);
    f->fold[2] = fcs_power(8 * LANE + 32);
    f->fold[3] = fcs_power(8 * LANE - 32);
    f->multiplies = __builtin_cpu_supports("pclmul");
}

/* Go on from `c`. */
static uint32_t fcs_by_table(const struct dec_fcs *f, uint32_t c, const uint8_t *p, size_t len)
{
    const uint32_t(*t)[256] = f->table;

    for (; len >= 8; p += 8, len -= 8) {
        uint32_t a = c ^ ld_le32(p), b = ld_le32(p + 4);

        c = t[7][a & 0xff] ^ t[6][a >> 8 & 0xff] ^ t[5][a >> 16 & 0xff] ^ t[4][a >> 24] ^
            t[3][b & 0xff] ^ t[2][b >> 8 & 0xff] ^ t[1][b >> 16 & 0xff] ^ t[0][b >> 24];
    }
    for (; len; p++, len--) {
        c = c >> 8 ^ t[0][(c ^ *p) & 0xff];
    }
    return c;
}

__attribute__((target("pclmul"))) static inline __m128i fcs_fold(__m128i lane, __m128i by,
                                                                 __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(lane, by, 0x00);
    __m128i high = _mm_clmulepi64_si128(lane, by, 0x11);

    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

static inline __m128i fcs_load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* A sequence of at least one block, from its beginning. */
__attribute__((target("pclmul"))) static uint32_t fcs_by_folding(const struct dec_fcs *f,
                                                                 const uint8_t *p, size_t len)
{
    __m128i by = fcs_load((const uint8_t *)&f->fold[0]), lane[LANES];
    uint8_t rest[LANE];

    for (unsigned i = 0; i < LANES; i++) {
        lane[i] = fcs_load(p + LANE * i);
    }
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi32_si128(-1));
    for (p += BLOCK, len -= BLOCK; len >= BLOCK; p += BLOCK, len -= BLOCK) {
        for (unsigned i = 0; i < LANES; i++) {
            lane[i] = fcs_fold(lane[i], by, fcs_load(p + LANE * i));
        }
    }
    by = fcs_load((const uint8_t *)&f->fold[2]);
    for (unsigned i = 1; i < LANES; i++) {
        lane[0] = fcs_fold(lane[0], by, lane[i]);
    }
    for (; len >= LANE; p += LANE, len -= LANE) {
        lane[0] = fcs_fold(lane[0], by, fcs_load(p));
    }
    _mm_storeu_si128((__m128i *)(void *)rest, lane[0]);
    return fcs_by_table(f, fcs_by_table(f, 0, rest, sizeof rest), p, len);
}

uint32_t dec_fcs_of(const struct dec_fcs *f, const uint8_t *data, size_t len)
{
    if (f->multiplies && len >= BLOCK) {
        return ~fcs_by_folding(f, data, len);
    }
    return ~fcs_by_table(f, UINT32_MAX, data, len);
}
