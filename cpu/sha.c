/*
 * SHA extensions in plain C, because hosts without them are common.
 *
 * Follows: Intel SDM volume 2 (SHA1RNDS4 ... SHA256MSG2), FIPS 180-4.
 *
 * A vector is four words, w[0] the lowest.
 *
 * Not modelled: SHA-512 instructions.
 */
#include "cpu/native_mem.h"
#include "cpu/simd.h"

static uint32_t rol(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static uint32_t ror(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

static uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (~x & z);
}

static uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (x & z) ^ (y & z);
}

static void sha1rnds4(uint32_t *d, const uint32_t *s, const uint32_t *xmm0, unsigned imm)
{
    static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t a = d[3], b = d[2], cc = d[1], dd = d[0], e = 0;

    (void)xmm0;
    for (unsigned n = 0; n < 4; n++) {
        uint32_t f = (imm & 3) == 0   ? choose(b, cc, dd)
                     : (imm & 3) == 2 ? majority(b, cc, dd)
                                      : b ^ cc ^ dd;
        uint32_t t = f + rol(a, 5) + s[3 - n] + e + k[imm & 3];

        e = dd;
        dd = cc;
        cc = rol(b, 30);
        b = a;
        a = t;
    }
    d[3] = a;
    d[2] = b;
    d[1] = cc;
    d[0] = dd;
}

static void sha1nexte(uint32_t *d, const uint32_t *s, const uint32_t *xmm0, unsigned imm)
{
    (void)xmm0;
    (void)imm;
    d[3] = s[3] + rol(d[3], 30);
    memcpy(d, s, 12);
}

static void sha1msg1(uint32_t *d, const uint32_t *s, const uint32_t *xmm0, unsigned imm)
{
    (void)xmm0;
    (void)imm;
    uint32_t w[6] = {d[3], d[2], d[1], d[0], s[3], s[2]};
    for (unsigned n = 0; n < 4; n++) {
        d[3 - n] = w[n + 2] ^ w[n];
    }
}

static void sha1msg2(uint32_t *d, const uint32_t *s, const uint32_t *xmm0, unsigned imm)
{
    (void)xmm0;
    (void)imm;
    uint32_t w16 = rol(d[3] ^ s[2], 1), w17 = rol(d[2] ^ s[1], 1), w18 = rol(d[1] ^ s[0], 1);
    d[0] = rol(d[0] ^ w16, 1);
    d[1] = w18;
    d[2] = w17;
    d[3] = w16;
}

static void sha256rnds2(uint32_t *d, const uint32_t *s, const uint32_t *xmm0, unsigned imm)
{
    uint32_t a = s[3], b = s[2], cc = d[3], dd = d[2], e = s[1], f = s[0], g = d[1], h = d[0];

    (void)imm;
    for (unsigned n = 0; n < 2; n++) {
        uint32_t t = h + choose(e, f, g) + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + xmm0[n];
        uint32_t u = majority(a, b, cc) + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22));

        h = g;
        g = f;
        f = e;
        e = dd + t;
        dd = cc;
        cc = b;
        b = a;
        a = t + u;
    }
    d[3] = a;
    d[2] = b;
    d[1] = e;
    d[0] = f;
}

static uint32_t sigma0(uint32_t v)
{
    return ror(v, 7) ^ ror(v, 18) ^ v >> 3;
}

static uint32_t sigma1(uint32_t v)
{
    return ror(v, 17) ^ ror(v, 19) ^ v >> 10;
}

static void sha256msg1(uint32_t *d, const uint32_t *s, const uint32_t *xmm0, unsigned imm)
{
    (void)xmm0;
    (void)imm;
    for (unsigned n = 0; n < 3; n++) {
        d[n] += sigma0(d[n + 1]);
    }
    d[3] += sigma0(s[0]);
}

static void sha256msg2(uint32_t *d, const uint32_t *s, const uint32_t *xmm0, unsigned imm)
{
    (void)xmm0;
    (void)imm;
    d[0] += sigma1(s[2]);
    d[1] += sigma1(s[3]);
    d[2] += sigma1(d[0]);
    d[3] += sigma1(d[1]);
}

typedef void sha_fn(uint32_t *d, const uint32_t *s, const uint32_t *xmm0, unsigned imm);

/* XMM0 and the source are copied: either may be the destination. */
static void run(struct cpu *c, const struct insn *i, const void *src, sha_fn *fn)
{
    uint32_t d[4], s[4], x[4];

    memcpy(d, c->fpu.ymm[i->r1], sizeof d);
    memcpy(s, src, sizeof s);
    memcpy(x, c->fpu.ymm[0], sizeof x);
    fn(d, s, x, i->imm);
    memcpy(c->fpu.ymm[i->r1], d, sizeof d);
}

static void run_mem(struct cpu *c, const struct insn *i, sha_fn *fn)
{
    uint64_t la = ea_generic(c, i, 16, EA_READ);

    if (la & 15) {
        op_gp0(c, i);
    }
    run(c, i, native_read(c, i, la, 16), fn);
}

#define SHA_OP(name)                                                                               \
    static void op_##name##_r(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        run(c, i, c->fpu.ymm[i->r2], name);                                                        \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_m(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        run_mem(c, i, name);                                                                       \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    const struct op_fns simd_fns_##name = {                                                        \
        .fn = {[FORM_R] = {op_##name##_r}, [FORM_MG] = {op_##name##_m}}};
SHA_OP(sha1rnds4)
SHA_OP(sha1nexte)
SHA_OP(sha1msg1)
SHA_OP(sha1msg2)
SHA_OP(sha256rnds2)
SHA_OP(sha256msg1)
SHA_OP(sha256msg2)
