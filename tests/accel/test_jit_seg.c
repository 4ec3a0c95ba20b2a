/*
 * Segments, stacks and branches in compiled 16- and 32-bit code, at their edges: the translator
 * must do what the interpreter does, and both what the SDM says.
 *
 * Follows: SDM volume 3, 5.3 (limits); volume 2.
 *
 * Not modelled: segment loads and far transfers (tests/cpu/test_seg.c).
 */
#include "tests/accel/seg_rig.h"
#include <criterion/criterion.h>

/* An instruction on memory at [EBX] or [BX]; the byte with the prefixes' place and ModRM are the
 * maker's. */
struct mem_form {
    const char *op; /* from the opcode on, without ModRM */
    uint8_t len, reg, size;
    bool write;
    uint8_t opsize; /* 2, 4: operand-size prefix by the code's size; 0: fixed */
    uint8_t pfx;    /* a mandatory one */
};
static const struct mem_form forms[] = {
    {"\x8a", 1, 1, 1, false, 0, 0},     /* mov cl, m */
    {"\x88", 1, 1, 1, true, 0, 0},      /* mov m, cl */
    {"\x00", 1, 1, 1, true, 0, 0},      /* add m, cl */
    {"\x8b", 1, 1, 2, false, 2, 0},     /* mov cx, m */
    {"\x89", 1, 1, 2, true, 2, 0},      /* mov m, cx */
    {"\x8b", 1, 1, 4, false, 4, 0},     /* mov ecx, m */
    {"\x89", 1, 1, 4, true, 4, 0},      /* mov m, ecx */
    {"\xff", 1, 0, 4, true, 4, 0},      /* inc dword m */
    {"\x3b", 1, 1, 4, false, 4, 0},     /* cmp ecx, m */
    {"\x87", 1, 1, 4, true, 4, 0},      /* xchg m, ecx */
    {"\x0f\xb1", 2, 1, 2, true, 2, 0},  /* cmpxchg m, cx */
    {"\x0f\xc1", 2, 1, 4, true, 4, 0},  /* xadd m, ecx */
    {"\x0f\xb6", 2, 5, 1, false, 4, 0}, /* movzx ebp, byte m */
    {"\x0f\xa3", 2, 1, 4, false, 4, 0}, /* bt m, ecx: a bit of the operand itself */
    {"\x0f\xc7", 2, 1, 8, true, 0, 0},  /* cmpxchg8b m */
    {"\x0f\x10", 2, 1, 16, false, 0, 0},  {"\x0f\x11", 2, 1, 16, true, 0, 0},
    {"\x0f\xd6", 2, 1, 8, true, 0, 0x66}, /* movq m, xmm1 */
    {"\xf7", 1, 4, 2, false, 2, 0},       /* mul word m */
    {"\xff", 1, 6, 4, false, 4, 0},       /* push dword m */
};

static const struct {
    uint32_t limit;
    uint16_t attr; /* 0: not present */
} shapes[] = {
    {0xfff, SEG_RIG_DATA},
    {0xffff, SEG_RIG_DATA},
    {0xfff, SEG_RIG_DATA & ~SEG_W},
    {0xfff, SEG_RIG_CODE},
    {0xfff, SEG_RIG_CODE & ~SEG_W},         /* execute-only */
    {0xfff, SEG_RIG_DATA | SEG_E},          /* expand-down, to ffff */
    {0xfff, SEG_RIG_DATA | SEG_E | SEG_DB}, /* and to 4 GiB */
    {~0u, SEG_RIG_DATA},
    {0xfffffffe, SEG_RIG_DATA},
    {3, SEG_RIG_DATA},
    {0xfff, 0},
};
enum { EDGES = 9, SEGS = 4 };
static const uint8_t prefix[SEGS] = {0x3e, 0x64, 0x36, 0x26};
static const uint8_t segment[SEGS] = {SEG_DS, SEG_FS, SEG_SS, SEG_ES};

struct data_case {
    const struct mem_form *f;
    unsigned shape, seg;
    uint32_t off;
    unsigned bits; /* of the code */
    bool a32;
};

static uint32_t edge(unsigned k, uint32_t limit, unsigned size)
{
    const uint32_t at[EDGES] = {0,   limit + 1 - size, limit + 2 - size, limit,         limit + 1,
                                ~0u, 0u - size,        1u - size,        0x10000 - size};

    return at[k];
}

/* Case n: everything with everything; bits and a32 stand in `c`. */
static bool data_case(unsigned n, struct data_case *c)
{
    c->f = &forms[n % ARRAY_LEN(forms)];
    n /= ARRAY_LEN(forms);
    c->shape = n % ARRAY_LEN(shapes);
    n /= ARRAY_LEN(shapes);
    c->seg = n % SEGS;
    n /= SEGS;
    if (n >= EDGES) {
        return false;
    }
    c->off = edge(n, shapes[c->shape].limit, c->f->size);
    if (!c->a32) {
        c->off &= 0xffff;
    }
    return true;
}

static void put_form(struct setup *s, const struct data_case *c)
{
    const struct mem_form *f = c->f;

    s->code[s->len++] = prefix[c->seg];
    if ((c->bits == 32) != c->a32) {
        s->code[s->len++] = 0x67;
    }
    if (f->opsize && (f->opsize == 4) != (c->bits == 32)) {
        s->code[s->len++] = 0x66;
    }
    if (f->pfx) {
        s->code[s->len++] = f->pfx;
    }
    memcpy(s->code + s->len, f->op, f->len);
    s->len += f->len;
    s->code[s->len++] = (uint8_t)(f->reg << 3 | (c->a32 ? 3 : 7));
}

static bool make_data(unsigned n, struct setup *s, void *data)
{
    struct data_case *c = data;

    if (!data_case(n, c)) {
        return false;
    }
    seg_rig_flat(s, c->bits);
    s->seg[segment[c->seg]] = (struct seg){.sel = S_UDATA,
                                           .attr = shapes[c->shape].attr,
                                           .limit = shapes[c->shape].limit,
                                           .base = 0x40004 - c->off};
    put_form(s, c);
    s->ip = c->bits == 32 ? G_CODE : 0x100;
    s->seg[SEG_CS].base = c->bits == 32 ? 0 : G_CODE;
    s->r[R_RBX] = c->off | (c->a32 ? 0 : 0x770000);
    s->r[R_RCX] = 9;
    s->r[R_RSP] = 0x38000;
    return true;
}

/* SDM volume 3, 5.3, in other words than cpu/seg.c. */
static bool allowed(const struct data_case *c)
{
    uint16_t attr = shapes[c->shape].attr;
    uint64_t first = c->off, last = first + c->f->size - 1, limit = shapes[c->shape].limit;

    if (!(attr & SEG_P)) {
        return false;
    }
    if (attr & SEG_CODE && (c->f->write || !(attr & SEG_W))) {
        return false;
    }
    if (!(attr & SEG_CODE) && c->f->write && !(attr & SEG_W)) {
        return false;
    }
    if (!(attr & SEG_CODE) && attr & SEG_E) {
        return first > limit && last <= (attr & SEG_DB ? 0xffffffff : 0xffff);
    }
    return limit == 0xffffffff || last <= limit;
}

static void look_at_data(unsigned n, const struct setup *s, const struct outcome *o, void *data)
{
    const struct data_case *c = data;
    bool ss = segment[c->seg] == SEG_SS, push = c->f->op[0] == '\xff' && c->f->reg == 6;
    int want = allowed(c) ? SEG_RIG_END : ss ? EXCP_SS : EXCP_GP;

    if (ss && push) {
        return; /* two accesses */
    }
    cr_assert_eq(o->vector, want, "case %u: vector %d, not %d", n, o->vector, want);
    cr_assert_eq(o->from, s->ip + (want == SEG_RIG_END ? s->len + 2 : 0), "case %u", n);
}

Test(jit_seg, limits_and_types_at_their_edges)
{
    struct data_case c = {0};

    for (unsigned bits = 16; bits <= 32; bits += 16) {
        for (unsigned a32 = 0; a32 < 2; a32++) {
            c.bits = bits;
            c.a32 = a32;
            cr_assert_gt(seg_rig_series(RIG_PROTECTED, make_data, look_at_data, &c), 5000);
        }
    }
}

/* ---- real mode: 64 KiB ---- */

static bool make_real(unsigned n, struct setup *s, void *data)
{
    static const uint16_t offs[] = {0, 0xfff0, 0xfffc, 0xfffd, 0xfffe, 0xffff};
    struct data_case *c = data;

    c->f = &forms[n % ARRAY_LEN(forms)];
    n /= ARRAY_LEN(forms);
    c->seg = n % SEGS;
    n /= SEGS;
    if (n >= ARRAY_LEN(offs)) {
        return false;
    }
    c->off = offs[n];
    for (unsigned k = 0; k <= SEG_GS; k++) {
        s->seg[k] = (struct seg){.sel = k == SEG_CS ? 0x2000 : 0x4000,
                                 .attr = SEG_RIG_DATA,
                                 .limit = 0xffff,
                                 .base = k == SEG_CS ? 0x20000 : 0x40000};
    }
    put_form(s, c);
    s->ip = 0x100;
    s->r[R_RBX] = c->off;
    s->r[R_RSP] = 0x8000;
    return true;
}

static void look_at_real(unsigned n, const struct setup *s, const struct outcome *o, void *data)
{
    const struct data_case *c = data;
    bool ok = c->off + c->f->size <= 0x10000;

    (void)s;
    cr_assert_eq(o->vector, ok ? -1 : segment[c->seg] == SEG_SS ? EXCP_SS : EXCP_GP, "case %u", n);
}

Test(jit_seg, real_mode_ends_at_64_kib)
{
    struct data_case c = {.bits = 16};

    seg_rig_series(RIG_REAL, make_real, look_at_real, &c);
}

/* ---- stacks ---- */

struct stack_op {
    const char *op;
    uint8_t len;
};
static const struct stack_op stack_ops[] = {
    {"\x50", 1},                 /* push eax */
    {"\x54", 1},                 /* push esp */
    {"\x58", 1},                 /* pop eax */
    {"\x5c", 1},                 /* pop esp */
    {"\x6a\xf0", 2},             /* push -16 */
    {"\x60", 1},                 /* pusha */
    {"\x61", 1},                 /* popa */
    {"\xc9", 1},                 /* leave */
    {"\xc8\x20\x00\x00", 4},     /* enter 32, 0 */
    {"\xc8\x02\x00\x02", 4},     /* enter 2, 2 */
    {"\xc8\x00\xf0\x00", 4},     /* enter f000, 0 */
    {"\x67\xff\x33", 3},         /* push [bx] in 32-bit code, [ebx] else */
    {"\x67\x8f\x03", 3},         /* pop */
    {"\x67\xff\xd3", 3},         /* call ebx */
    {"\xff\xe3", 2},             /* jmp ebx */
    {"\x67\x8f\x44\x24\x04", 5}, /* pop [esp + 4] in 16-bit code */
    {"\xc3", 1},                 /* ret */
    {"\xc2\x06\x00", 3},         /* ret 6 */
    {"\x16", 1},                 /* push ss */
    {"\x9c", 1},                 /* pushf */
};
static const uint32_t stack_pointers[] = {
    0,      1,      2,      3,      4,      6,      8,       0xe,     0x10,    0x1e,
    0x20,   0x22,   0xff0,  0xffc,  0xffe,  0xfff,  0x1000,  0x1001,  0x1002,  0x1004,
    0x1020, 0xffe0, 0xfff0, 0xfffc, 0xfffe, 0xffff, 0x10000, 0x10001, 0x10002, 0x10010,
};
static const struct {
    uint32_t limit, base;
    uint16_t attr;
} stacks[] = {
    {~0u, 0, SEG_RIG_DATA},
    {~0u, 0x40000, SEG_RIG_DATA},
    {0xffff, 0x40000, SEG_RIG_DATA},
    {0xfff, 0x40000, SEG_RIG_DATA},
    {0xfff, 0x40000, SEG_RIG_DATA | SEG_E},
};

/* *data: the bits of the code. */
static bool make_stack(unsigned n, struct setup *s, void *data)
{
    unsigned bits = *(unsigned *)data;
    const struct stack_op *op = &stack_ops[n % ARRAY_LEN(stack_ops)];

    n /= ARRAY_LEN(stack_ops);
    bool p66 = n & 1, db = n & 2;
    n /= 4;
    unsigned shape = n % ARRAY_LEN(stacks);
    n /= ARRAY_LEN(stacks);
    if (n >= ARRAY_LEN(stack_pointers)) {
        return false;
    }
    seg_rig_flat(s, bits);
    s->seg[SEG_SS] = (struct seg){.sel = S_UDATA,
                                  .attr = stacks[shape].attr | (db ? SEG_DB : 0),
                                  .limit = stacks[shape].limit,
                                  .base = stacks[shape].base};
    if (p66) {
        s->code[s->len++] = 0x66;
    }
    memcpy(s->code + s->len, op->op, op->len);
    s->len += op->len;
    s->ip = 0x100;
    s->seg[SEG_CS].base = G_CODE;
    s->seg[SEG_CS].limit = 0xffff;
    for (unsigned k = 0; k < 8; k++) {
        s->r[k] = 0x11112222 * (k + 1);
    }
    s->r[R_RBX] = 0x48;
    s->r[R_RSP] = stack_pointers[n] + (stacks[shape].base ? 0 : 0x40000);
    s->r[R_RBP] = s->r[R_RSP] ^ 0x100;
    return true;
}

Test(jit_seg, stacks_of_every_width)
{
    for (unsigned bits = 16; bits <= 32; bits += 16) {
        cr_assert_gt(seg_rig_series(RIG_PROTECTED, make_stack, NULL, &bits), 10000);
    }
}

/* The interpreter is no witness against itself: some results by hand. */
Test(jit_seg, sixteen_bit_stacks_wrap)
{
    static const struct {
        const char *op;
        uint32_t sp, after;
        int vector;
    } cases[] = {
        {"\x50", 0x50000, 0x5fffe, SEG_RIG_END}, /* push ax at 0 */
        {"\x50", 0x50001, 0x50001, EXCP_SS},     /* across the end */
        {"\x58", 0x5fffe, 0x50000, SEG_RIG_END}, /* pop ax */
        {"\x58", 0x5ffff, 0x5ffff, EXCP_SS},
        {"\x5c", 0x50010, 0x50000 | 0x0201, SEG_RIG_END}, /* pop sp */
        {"\x60", 0x5000e, 0x5fffe, SEG_RIG_END},          /* pusha, at both ends */
        {"\x60", 0x5000f, 0x5000f, EXCP_SS},              /* and a word across */
        {"\x60", 0x50010, 0x50000, SEG_RIG_END},
    };
    struct outcome o;
    struct guest g;

    for (unsigned n = 0; n < 2 * ARRAY_LEN(cases); n++) {
        unsigned k = n / 2;
        struct setup s = {.ip = 0x100};

        seg_rig_flat(&s, 16);
        s.seg[SEG_CS].base = G_CODE;
        s.seg[SEG_SS] =
            (struct seg){.sel = S_UDATA, .attr = SEG_RIG_DATA, .limit = 0xffff, .base = 0x40000};
        s.r[R_RSP] = cases[k].sp;
        s.code[0] = (uint8_t)cases[k].op[0];
        s.code[1] = 0x89; /* mov ax, sp: seen after the switch of stacks */
        s.code[2] = 0xe0;
        s.len = 3;
        seg_rig_begin(&g, n & 1, RIG_PROTECTED);
        guest_put16(&g, 0x40010, 0x0201);
        seg_rig_run(&g, RIG_PROTECTED, &s, &o);
        cr_assert_eq(o.vector, cases[k].vector, "case %u: vector %d", n, o.vector);
        uint32_t sp = guest_get32(&g, G_STACK - 8); /* the frame's */
        cr_assert_eq(sp >> 16, 5, "case %u: sp %x", n, sp);
        if (cases[k].op[0] != '\x5c') {
            cr_assert_eq(sp, cases[k].after, "case %u: sp %x", n, sp);
        }
        guest_free(&g);
    }
}
