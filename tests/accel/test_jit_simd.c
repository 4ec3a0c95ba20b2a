/*
 * The translator's SIMD, MMX and x87 instructions (accel/jit/lower_simd.c, lower_x87.c) against the
 * handlers, which test_native.c compares with the silicon: every row with random operands, alone
 * and in sequences, and with memory operands that miss, cross pages or fault.
 *
 * Compared is everything: registers, flags, MXCSR, the x87 state with its pointers, memory, the
 * exception with its error code and address, and where execution stopped.
 *
 * Not modelled: a host other than this one.
 */
#include "accel/jit/jit_int.h"
#include "cpu/sys.h"
#include "tests/cpu/native_rig.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

static struct rig_state start, interp, jit; /* large; one test process each */

struct tally {
    unsigned cases, skipped, raised, failed;
};

static unsigned float_type(const struct op_row *row, unsigned n)
{
    if (row->aux & NAT_X87) {
        return 10;
    }
    return n % 3 == 2 ? 0 : n % 3 ? 4 : 8;
}

static void unmask(struct native_rig *t, struct rig_state *s)
{
    uint16_t fcw = ld_le16(s->fx);

    st_le16(s->fx, fcw & ~(rig_random(t) & FCW_MASKS));
    st_le16(s->fx + 2, ld_le16(s->fx + 2) & 0x7f00);
    s->mxcsr = (s->mxcsr & ~0x3fu) & ~(rig_random(t) & MXCSR_MASKS);
}

static char *compare(unsigned iv, unsigned jv)
{
    const struct rig_state *a = &interp, *b = &jit;

    if (iv != jv || a->ip != b->ip || a->error != b->error || a->cr2 != b->cr2) {
        return g_strdup_printf("stopped: interp %#x at %#" PRIx64 " (%#x, %#" PRIx64
                               "), jit %#x at %#" PRIx64 " (%#x, %#" PRIx64 ")",
                               iv, a->ip, a->error, a->cr2, jv, b->ip, b->error, b->cr2);
    }
    if (a->fop != b->fop || a->fip != b->fip || a->fdp != b->fdp || a->fcs != b->fcs ||
        a->fds != b->fds) {
        return g_strdup_printf("x87 pointers: interp %#x %#x:%#" PRIx64 " %#x:%#" PRIx64
                               ", jit %#x %#x:%#" PRIx64 " %#x:%#" PRIx64,
                               a->fop, a->fcs, a->fip, a->fds, a->fdp, b->fop, b->fcs, b->fip,
                               b->fds, b->fdp);
    }
    return rig_compare(a, b, FLAGS_ARITH);
}

static void complain(const char *what, const uint8_t *code, unsigned len, const char *diff)
{
    fprintf(stderr, "jit: %s (", what);
    for (unsigned k = 0; k < len; k++) {
        fprintf(stderr, "%02x ", code[k]);
    }
    fprintf(stderr, "): %s (mxcsr %#x fcw %#x)\n", diff, start.mxcsr, ld_le16(start.fx));
}

/* `start` through the handlers, then compiled: with an empty TLB, and with what that filled. */
static void run_both(struct native_rig *t, const char *what, const uint8_t *code, unsigned len,
                     struct tally *sum)
{
    interp = start;
    t->jit = false;
    mmu_flush(t->c, true);
    unsigned iv = rig_run_guest(t, &interp, code, len);
    sum->raised += iv != 0xff;
    for (unsigned warm = 0; warm < 2; warm++) {
        jit = start;
        t->jit = true;
        if (!warm) {
            mmu_flush(t->c, true);
        }
        unsigned jv = rig_run_guest(t, &jit, code, len);
        g_autofree char *diff = compare(iv, jv);
        sum->cases++;
        if (diff && sum->failed++ < 40) {
            complain(what, code, len, diff);
        }
    }
}

static void report(const char *what, const struct tally *sum)
{
    fprintf(stderr, "jit %s: %u cases, %u rows skipped, %u raised, %u failed\n", what, sum->cases,
            sum->skipped, sum->raised, sum->failed);
    cr_expect_eq(sum->failed, 0);
    cr_expect_gt(sum->cases, 1000);
}

/* ---- one instruction ---- */

static uint64_t fallbacks(const struct native_rig *t, const struct op_row *row)
{
    unsigned n = 0;

    while (decoder_row(t->c->decoder, n) != row) {
        n++;
    }
    return jit_fallbacks(jit_of(t->c))[n].sites;
}

/* What need never call its handler, not even in a slow path. */
static bool is_translated(const struct op_row *row)
{
    return !(row->aux & (NAT_GATHER | NAT_IMPLICIT | NAT_CONTROL | NAT_MASKED | NAT_ALIGNED)) &&
           row->isa != FEAT_SHA;
}

static void run_rows(struct native_rig *t, const struct op_table *table, unsigned cases,
                     bool unmasked, struct tally *sum)
{
    for (unsigned k = 0; k < table->count; k++) {
        const struct op_row *row = &table->rows[k];

        if (!cpu_has(t->c, row->isa)) {
            sum->skipped++;
            continue;
        }
        for (unsigned n = 0; n < cases; n++) {
            uint8_t code[16];

            rig_fill(t, &start, float_type(row, n));
            if (unmasked) {
                unmask(t, &start);
            }
            t->rip = t->mode == RIG_64 && n % 4 == 3;
            unsigned len = rig_encode(t, row, &start, code);
            if (!len) {
                sum->skipped++;
                break;
            }
            run_both(t, row->name, code, len, sum);
        }
        if (t->mode == RIG_64 && !unmasked && is_translated(row)) {
            cr_expect_eq(fallbacks(t, row), 0, "%s calls its handler", row->name);
        }
    }
}

static void run_tables(enum rig_mode mode, unsigned cases, bool unmasked, const char *what)
{
    struct native_rig t;
    struct tally sum = {0};

    cr_assert(native_rig_init_jit(&t));
    t.mode = mode;
    run_rows(&t, &ops_simd, cases, unmasked, &sum);
    run_rows(&t, &ops_x87, cases, unmasked, &sum);
    report(what, &sum);
    native_rig_free(&t);
}

Test(jit_simd, rows_agree_with_the_handlers)
{
    run_tables(RIG_64, 40, false, "64-bit");
}

Test(jit_simd, rows_agree_when_exceptions_are_unmasked)
{
    run_tables(RIG_64, 20, true, "64-bit, unmasked");
}

Test(jit_simd, rows_agree_in_32_bit_code)
{
    run_tables(RIG_32_FLAT, 20, false, "32-bit flat");
    run_tables(RIG_32_SEGMENTED, 5, false, "32-bit segmented");
}

/* ---- operands that fault ---- */

static const uint64_t second_page[] = {7, 5, 0, 0x8000000000000007};

/* The operand lies on the border of two pages, or at odd addresses near it; or on the second one,
 * and behind it, where there is no memory. */
static void run_faults(struct native_rig *t, const struct op_table *table, struct tally *sum)
{
    for (unsigned k = 0; k < table->count; k++) {
        const struct op_row *row = &table->rows[k];

        if (!cpu_has(t->c, row->isa) || row->mod == MOD_REG || !(row->aux >> 10 & 15)) {
            continue;
        }
        for (unsigned n = 0; n < 24; n++) {
            uint8_t code[16];

            rig_fill(t, &start, float_type(row, n));
            t->at = n % 4 == 3 ? RIG_MEM - (int)(rig_random(t) % 64)
                               : (int)PAGE_BYTES + 4 - (int)(rig_random(t) % 40);
            t->rip = n % 8 == 5;
            unsigned len = rig_encode(t, row, &start, code);
            if (!len) {
                break;
            }
            uint64_t bits = second_page[n % ARRAY_LEN(second_page)];
            t->ptes[1] = bits ? (t->ptes[0] + PAGE_BYTES) | bits : 0;
            t->ptes[1] = bits == 5 ? t->ptes[1] & ~2ull : t->ptes[1];
            run_both(t, row->name, code, len, sum);
        }
    }
}

Test(jit_simd, memory_operands_fault_as_in_the_handlers)
{
    struct native_rig t;
    struct tally sum = {0};

    cr_assert(native_rig_init_jit(&t));
    native_rig_paged(&t);
    run_faults(&t, &ops_simd, &sum);
    run_faults(&t, &ops_x87, &sum);
    report("faults", &sum);
    cr_expect_gt(sum.raised, 1000);
    native_rig_free(&t);
}

/* ---- sequences ---- */

static const struct {
    uint8_t len, bytes[8];
} integer[] = {
    {2, {0x01, 0xf2}},             /* add edx, esi */
    {1, {0xf9}},                   /* stc */
    {1, {0xf8}},                   /* clc */
    {3, {0x48, 0x19, 0xd2}},       /* sbb rdx, rdx */
    {3, {0x49, 0xff, 0xc1}},       /* inc r9 */
    {3, {0x4d, 0x31, 0xe4}},       /* xor r12, r12 */
    {4, {0x48, 0x89, 0x43, 0x08}}, /* mov [rbx + 8], rax */
    {4, {0x4c, 0x03, 0x4b, 0x10}}, /* add r9, [rbx + 16] */
    {2, {0x0f, 0xa2}},             /* cpuid: a handler */
    {3, {0x0f, 0x9f, 0xc0}},       /* setg al */
    {3, {0x8c, 0x43, 0x20}},       /* mov [rbx + 32], es: a handler */
    {3, {0x8c, 0xd8, 0x90}},       /* mov eax, ds; nop */
};

/* Rows that would end a sequence for sure, or whose operands must be chosen with care. */
static bool fits(struct native_rig *t, const struct op_row *row)
{
    return cpu_has(t->c, row->isa) && !(row->aux & (NAT_GATHER | NAT_IMPLICIT)) &&
           !(row->enc & ENC_END);
}

static unsigned add_one(struct native_rig *t, uint8_t *at, unsigned kind)
{
    const struct op_table *table = kind & 1 ? &ops_simd : &ops_x87;
    const struct op_row *row = &table->rows[rig_random(t) % table->count];

    if (kind == 2 && t->mode == RIG_64) {
        unsigned n = rig_random(t) % ARRAY_LEN(integer);

        memcpy(at, integer[n].bytes, integer[n].len);
        return integer[n].len;
    }
    /* What loads state from random bytes faults nearly always. */
    if (!fits(t, row) || (row->aux & NAT_CONTROL && rig_random(t) % 4)) {
        return 0;
    }
    return rig_encode(t, row, &start, at);
}

static unsigned make_sequence(struct native_rig *t, uint8_t *code)
{
    static const uint8_t mixes[][4] = {{0, 0, 0, 2}, {1, 1, 1, 2}, {0, 1, 2, 1}, {0, 0, 0, 0}};
    const uint8_t *mix = mixes[rig_random(t) % ARRAY_LEN(mixes)];
    unsigned len = 0;

    for (unsigned n = 2 + rig_random(t) % 8; n-- > 0;) {
        len += add_one(t, code + len, mix[rig_random(t) % 4]);
    }
    return len;
}

static void run_sequences(enum rig_mode mode, unsigned count, const char *what)
{
    struct native_rig t;
    struct tally sum = {0};

    cr_assert(native_rig_init_jit(&t));
    native_rig_paged(&t);
    t.mode = mode;
    t.sequence = true;
    for (unsigned n = 0; n < count; n++) {
        uint8_t code[256];

        rig_fill(&t, &start, n % 4 == 3 ? 10 : n % 4 * 4);
        unsigned len = make_sequence(&t, code);
        for (unsigned k = 0; n % 5 == 4 && k < 16; k++) { /* a guest without AVX */
            memset(start.ymm[k] + 16, 0, 16);
        }
        start.r[R_RBX] = (uintptr_t)t.page + 512;
        start.r[R_RDI] = (uintptr_t)t.page + 1024;
        if (n % 8 == 7) { /* the operands of most lie around a page's border */
            start.r[R_RBX] += PAGE_BYTES - 576;
            t.ptes[1] = (t.ptes[0] + PAGE_BYTES) & (n & 8 ? ~2ull : ~1ull);
        } else {
            t.ptes[1] = t.ptes[0] + PAGE_BYTES;
        }
        if (len) {
            run_both(&t, "sequence", code, len, &sum);
        }
    }
    report(what, &sum);
    native_rig_free(&t);
}

Test(jit_simd, sequences_agree_with_the_handlers)
{
    run_sequences(RIG_64, 20000, "sequences");
    run_sequences(RIG_32_FLAT, 5000, "32-bit sequences");
    run_sequences(RIG_32_SEGMENTED, 5000, "32-bit segmented sequences");
}
