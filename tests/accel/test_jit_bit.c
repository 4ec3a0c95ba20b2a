/*
 * Bit tests far from their operand, and instructions of every sort at the edge of a page that is
 * not there: under the interpreter and the translator, in 16-, 32- and 64-bit code.
 *
 * Follows: SDM volume 2 (BT: bit offsets are signed, the operand's size is the unit).
 *
 * Not modelled: what the instructions compute (tests/cpu/test_silicon.c).
 */
#include "tests/accel/seg_rig.h"
#include <criterion/criterion.h>

/* ---- bit offsets ---- */

enum { OPERAND = 0x50000 };

struct bit_case {
    unsigned bits; /* of the code */
    unsigned kind; /* 0: bt, 1: bts, 2: btr, 3: btc */
    int64_t n;
};

/* Operand sizes of 16, 32, 64 bits (64 in 64-bit code). */
static unsigned bit_sizes(unsigned bits)
{
    return bits == 64 ? 3 : 2;
}

/* bt [ebx], ecx; setc al; mov dl, [esi]: the byte that has the bit */
static bool make_bit(unsigned n, struct setup *s, void *data)
{
    static const int32_t numbers[] = {0,    7,     15,    16,     31,    32,     63,     64,
                                      -1,   -8,    -16,   -17,    -32,   -33,    -64,    -65,
                                      1000, -1000, 16384, -16384, 32767, -32768, 100000, -100000};
    static const uint8_t ops[] = {0xa3, 0xab, 0xb3, 0xbb};
    struct bit_case *c = data;

    c->kind = n % 4;
    n /= 4;
    bool lock = n & 1 && c->kind;
    n /= 2;
    unsigned size = 1 + n % bit_sizes(c->bits);
    n /= bit_sizes(c->bits);
    if (n >= ARRAY_LEN(numbers)) {
        return false;
    }
    c->n = size == 1 ? (int16_t)numbers[n] : numbers[n];
    seg_rig_flat(s, c->bits);
    if (lock) {
        s->code[s->len++] = 0xf0;
    }
    if (size != 3 && (size == 1) != (c->bits == 16)) {
        s->code[s->len++] = 0x66;
    }
    if (c->bits == 16) {
        s->code[s->len++] = 0x67;
    }
    if (size == 3) {
        s->code[s->len++] = 0x48;
    }
    const uint8_t rest[] = {0x0f, ops[c->kind], 0x0b, 0x0f, 0x92, 0xc0};
    memcpy(s->code + s->len, rest, sizeof rest);
    s->len += sizeof rest;
    if (c->bits == 16) {
        s->code[s->len++] = 0x67;
    }
    s->code[s->len++] = 0x8a;
    s->code[s->len++] = 0x16;
    s->ip = c->bits == 16 ? 0x100 : G_CODE;
    s->seg[SEG_CS].base = c->bits == 16 ? G_CODE : 0;
    s->seg[SEG_DS].base = c->bits == 16 ? 0x10000 : 0;
    uint32_t base = (uint32_t)s->seg[SEG_DS].base;
    s->r[R_RBX] = OPERAND - base;
    s->r[R_RSI] = (uint64_t)(OPERAND - base + (c->n >> 3));
    s->r[R_RCX] = (uint64_t)c->n;
    if (size == 1) {
        s->r[R_RCX] |= 0x12340000; /* no part of it */
    }
    if (c->bits != 64) {
        s->r[R_RCX] = (uint32_t)s->r[R_RCX];
    }
    s->r[R_RSP] = 0x38000;
    return true;
}

static void look_at_bit(unsigned n, const struct setup *s, const struct outcome *o, void *data)
{
    const struct bit_case *c = data;
    bool old = o->r[R_RAX] & 1, now = o->r[R_RDX] >> (c->n & 7) & 1;
    bool want = c->kind == 0 ? old : c->kind == 1 ? true : c->kind == 2 ? false : !old;

    (void)s;
    cr_assert_eq(o->vector, SEG_RIG_END, "case %u: vector %d", n, o->vector);
    cr_assert_eq(now, want, "case %u: bit %ld", n, (long)c->n);
}

Test(jit_bit, offsets_reach_far)
{
    struct bit_case c = {0};

    for (c.bits = 16; c.bits <= 64; c.bits *= 2) {
        cr_assert_gt(
            seg_rig_series(c.bits == 64 ? RIG_LONG : RIG_PROTECTED, make_bit, look_at_bit, &c),
            300);
    }
}

/* ---- the edge of a page ---- */

enum { HOLE = 0x41000, NO64 = 1, ONLY64 = 2 };

struct page_form {
    const char *op;
    uint8_t len, where; /* NO64, ONLY64 */
};
/* Memory at [EBX], stacks at ESP; RDI is 70 bits of offset away. */
static const struct page_form page_forms[] = {
    {"\x8b\x0b", 2, 0},                  /* mov ecx, m */
    {"\x89\x0b", 2, 0},                  /* mov m, ecx */
    {"\x66\x01\x0b", 3, 0},              /* add m, cx */
    {"\x11\x0b", 2, 0},                  /* adc m, ecx */
    {"\x87\x0b", 2, 0},                  /* xchg */
    {"\x0f\xb1\x0b", 3, 0},              /* cmpxchg */
    {"\x0f\xc1\x0b", 3, 0},              /* xadd */
    {"\x0f\xc7\x0b", 3, 0},              /* cmpxchg8b */
    {"\xf0\x48\x0f\xc7\x0b", 5, ONLY64}, /* cmpxchg16b */
    {"\x0f\xab\x3b", 3, 0},              /* bts m, edi */
    {"\x0f\xa3\x3b", 3, 0},              /* bt m, edi */
    {"\x0f\x38\xf0\x0b", 4, 0},          /* movbe ecx, m */
    {"\x0f\x38\xf1\x0b", 4, 0},          /* movbe m, ecx */
    {"\xf2\x0f\x38\xf1\x0b", 5, 0},      /* crc32 ecx, m */
    {"\xc4\xe2\x72\xf2\x03", 5, 0},      /* andn eax, ecx, m */
    {"\xc4\xe2\x73\xf6\x03", 5, 0},      /* mulx eax, ecx, m */
    {"\xc4\xe3\x7b\xf0\x03\x05", 6, 0},  /* rorx eax, m, 5 */
    {"\xf7\x23", 2, 0},                  /* mul m */
    {"\x66\xf7\x33", 3, 0},              /* div word m */
    {"\xd7", 1, 0},                      /* xlat, al = 0 */
    {"\x50", 1, 0},                      /* push eax */
    {"\x66\x50", 2, 0},                  /* push ax */
    {"\x58", 1, 0},                      /* pop eax */
    {"\x66\x58", 2, 0},                  /* pop ax */
    {"\xff\x33", 2, 0},                  /* push m */
    {"\x8f\x03", 2, 0},                  /* pop m */
    {"\x8f\x04\x24", 3, 0},              /* pop [esp] */
    {"\x60", 1, NO64},                   /* pusha */
    {"\x61", 1, NO64},                   /* popa */
    {"\xc8\x10\x00\x00", 4, 0},          /* enter 16, 0 */
    {"\xc8\x00\x01\x00", 4, 0},          /* enter 256, 0 */
    {"\xc9", 1, 0},                      /* leave */
    {"\xe8\x00\x00\x00\x00", 5, 0},      /* call: to what is behind */
    {"\xff\x13", 2, 0},                  /* call m: only where that faults */
    {"\x64\x8b\x0b", 3, 0},              /* mov ecx, fs:m */
    {"\x67\x8b\x0b", 3, ONLY64},         /* 32-bit address */
};

struct page_case {
    unsigned bits;
    const struct page_form *f;
    bool flat;
    unsigned faults;
};

static bool make_page(unsigned n, struct setup *s, void *data)
{
    static const int16_t at[] = {-64, -33, -32, -31, -17, -16, -9, -8, -7, -5,
                                 -4,  -3,  -2,  -1,  0,   1,   8,  16, 32, 260};
    struct page_case *c = data;

    c->f = &page_forms[n % ARRAY_LEN(page_forms)];
    n /= ARRAY_LEN(page_forms);
    unsigned edge = n & 1;
    n /= 2;
    if (n >= 2 * ARRAY_LEN(at)) {
        return false;
    }
    bool stack = n >= ARRAY_LEN(at); /* the edge is the stack's, or EBX's */
    uint64_t la = HOLE + (edge ? PAGE_BYTES : 0) + (uint64_t)at[n % ARRAY_LEN(at)];

    seg_rig_flat(s, c->bits);
    memcpy(s->code, c->f->op, c->f->len);
    s->len = c->f->len;
    if (c->f->where == (c->bits == 64 ? NO64 : ONLY64)) {
        memset(s->code, 0x90, s->len);
    }
    s->ip = G_CODE;
    if (c->bits == 32 && !c->flat) {
        for (unsigned k = 0; k <= SEG_GS; k++) {
            if (k != SEG_CS) {
                s->seg[k].base = 0x1000;
            }
        }
        la -= 0x1000;
    }
    for (unsigned k = 0; k < 16; k++) {
        s->r[k] = 0x01010101 * (k + 3);
    }
    s->r[R_RAX] &= ~0xffull;
    s->r[R_RDX] = 0;
    s->r[R_RDI] = 70;
    s->r[R_RSP] = stack ? la : 0x38008;
    s->r[R_RBP] = stack ? la : 0x38100;
    s->r[R_RBX] = stack ? 0x40800 : la;
    return true;
}

/* A fault leaves all registers alone. */
static void look_at_page(unsigned n, const struct setup *s, const struct outcome *o, void *data)
{
    struct page_case *c = data;

    if (o->vector == EXCP_PF && o->from == s->ip) {
        c->faults++;
        cr_assert(o->cr2 >= HOLE && o->cr2 < HOLE + PAGE_BYTES, "case %u: cr2 %lx", n,
                  (unsigned long)o->cr2);
        for (unsigned k = 0; k < 16; k++) {
            cr_assert(k == R_RSP || o->r[k] == s->r[k], "case %u: register %u", n, k);
        }
    }
}

Test(jit_bit, a_page_that_is_not_there)
{
    struct page_case c = {.bits = 64};

    seg_rig_series(RIG_LONG, make_page, look_at_page, &c);
    c.bits = 32;
    seg_rig_series(RIG_LONG, make_page, look_at_page, &c);
    c.flat = true;
    seg_rig_series(RIG_LONG, make_page, look_at_page, &c);
    cr_assert_gt(c.faults, 1000, "%u", c.faults);
}
