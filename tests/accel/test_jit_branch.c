/*
 * Near branches in compiled code in code segments with limits: into the last byte, across it,
 * behind it; and where the limit changes under compiled code.
 *
 * Follows: SDM volume 2; volume 3, 5.3: a target outside is the branch's own fault, nothing of it
 * is done; what lies across the limit is the fault of the instruction there.
 *
 * Not modelled: far branches (tests/cpu/test_seg.c).
 */
#include "tests/accel/seg_rig.h"
#include <criterion/criterion.h>

enum { END = 0x102, TARGET = 0x180 };

struct branch {
    const char *name, *op; /* relative ones: from END to TARGET */
    uint8_t len;
    bool not_taken, counts, pops;
};
static const struct branch branches[] = {
    {"jmp rel8", "\xeb\x7e", 2, false, false, false},
    {"jz, taken", "\x74\x7e", 2, false, false, false},
    {"jnz, not taken", "\x75\x7e", 2, true, false, false},
    {"loop", "\xe2\x7e", 2, false, true, false},
    {"loope", "\xe1\x7e", 2, false, true, false},
    {"loopne, not taken", "\xe0\x7e", 2, true, true, false},
    {"jcxz, not taken", "\xe3\x7e", 2, true, false, false},
    {"jmp reg", "\xff\xe3", 2, false, false, false},
    {"call reg", "\xff\xd3", 2, false, false, false},
    {"jmp mem", "\x67\xff\x26", 3, false, false, false},
    {"call mem", "\x67\xff\x16", 3, false, false, false},
    {"ret", "\xc3", 1, false, false, true},
    {"ret 8", "\xc2\x08\x00", 3, false, false, true},
};

/* How the limit lies to the two bytes at TARGET. */
enum { OUTSIDE = -1, ACROSS, INSIDE };

struct branch_case {
    unsigned bits, branch_len;
    const struct branch *b;
    int limit;
};

static void put(struct setup *s, bool p66, const char *op, unsigned len)
{
    if (p66) {
        s->code[s->len++] = 0x66;
    }
    memcpy(s->code + s->len, op, len);
    s->len += len;
}

static void put_branch(struct setup *s, const struct branch *b, bool p66, unsigned bits)
{
    bool mem = b->op[0] == '\x67';
    unsigned before = s->len;

    put(s, p66, b->op, b->len);
    if (mem) { /* [si] or [esi] = TARGET */
        s->code[before + p66] = (uint8_t)(bits == 32 ? 0x3e : 0x67);
        s->code[s->len - 1] = (uint8_t)((b->op[2] & 0x38) | 6);
    }
}

static bool make(unsigned n, struct setup *s, void *data)
{
    struct branch_case *c = data;

    c->b = &branches[n % ARRAY_LEN(branches)];
    n /= ARRAY_LEN(branches);
    bool p66 = n & 1;
    c->limit = (int)(n >> 1) - 1;
    if (c->limit > INSIDE) {
        return false;
    }
    seg_rig_flat(s, c->bits);
    s->seg[SEG_CS].base = G_CODE;
    s->seg[SEG_CS].limit = (uint32_t)(TARGET + c->limit);
    s->seg[SEG_DS].base = 0x40000;
    put(s, c->bits == 16, "\x53", 1); /* push ebx; mov [esi], ebx; xor eax, eax: ZF */
    put(s, c->bits == 16, c->bits == 16 ? "\x67\x89\x1e" : "\x89\x1e", c->bits == 16 ? 3 : 2);
    put(s, false, "\x31\xc0", 2);
    if (!c->b->pops) {
        put(s, c->bits == 16, "\x5f", 1); /* pop edi */
    }
    c->branch_len = s->len;
    put_branch(s, c->b, p66, c->bits);
    c->branch_len = s->len - c->branch_len;
    s->ip = END - s->len;
    s->also = TARGET;
    s->r[R_RBX] = TARGET;
    s->r[R_RSI] = 0x100;
    s->r[R_RCX] = 5;
    s->r[R_RSP] = 0x38000;
    return true;
}

static void look(unsigned n, const struct setup *s, const struct outcome *o, void *data)
{
    const struct branch_case *c = data;
    bool ok = c->limit == INSIDE || c->b->not_taken;
    uint64_t from = c->b->not_taken      ? END + 2
                    : c->limit == INSIDE ? TARGET + 2
                    : c->limit == ACROSS ? TARGET
                                         : END - c->branch_len;

    (void)s;
    cr_assert_eq(o->vector, ok ? SEG_RIG_END : EXCP_GP, "case %u: %s: vector %d", n, c->b->name,
                 o->vector);
    cr_assert_eq(o->from, from, "case %u: %s: from %lx", n, c->b->name, (unsigned long)o->from);
    if (c->b->counts) {
        bool done = c->limit != OUTSIDE || c->b->not_taken;

        cr_assert_eq(o->r[R_RCX], done ? 4 : 5, "case %u: %s", n, c->b->name);
    }
}

Test(jit_branch, targets_at_the_limit)
{
    struct branch_case c = {0};

    for (c.bits = 16; c.bits <= 32; c.bits += 16) {
        cr_assert_eq(seg_rig_series(RIG_PROTECTED, make, look, &c), 6 * ARRAY_LEN(branches));
    }
}

/* ---- the same code under another limit ---- */

/* Blocks that were compiled under a wider limit stay there. */
static int again(struct guest *g, struct setup *s, uint32_t limit, uint32_t *from)
{
    struct cpu *c = g->c;

    s->seg[SEG_CS].limit = limit;
    memcpy(c->seg, s->seg, sizeof s->seg);
    memcpy(c->r, s->r, sizeof s->r);
    c->halted = false;
    c->cpl = 3;
    c->ip = s->ip;
    cpu_update_mode(c);
    guest_run(g);
    *from = guest_get32(g, G_STACK - 20);
    return guest_vector(g);
}

Test(jit_branch, a_limit_that_shrinks_is_noticed)
{
    struct outcome o;
    struct guest g;
    struct setup s = {.ip = END - 2, .code = {0xeb, 0x7e}, .len = 2, .also = TARGET};
    uint32_t from;

    seg_rig_flat(&s, 16);
    s.seg[SEG_CS].base = G_CODE;
    s.seg[SEG_CS].limit = 0xffff;
    s.r[R_RSP] = 0x38000;
    seg_rig_begin(&g, true, RIG_PROTECTED);
    seg_rig_run(&g, RIG_PROTECTED, &s, &o);
    cr_assert_eq(o.vector, SEG_RIG_END);
    for (unsigned n = 0; n < 3; n++) { /* linked by now */
        cr_assert_eq(again(&g, &s, 0xffff, &from), SEG_RIG_END);
    }
    cr_assert_eq(again(&g, &s, TARGET + 1, &from), SEG_RIG_END);
    cr_assert_eq(again(&g, &s, TARGET, &from), EXCP_GP);
    cr_assert_eq(from, TARGET, "%x", from);
    cr_assert_eq(again(&g, &s, TARGET - 1, &from), EXCP_GP);
    cr_assert_eq(from, END - 2, "%x", from);
    cr_assert_eq(again(&g, &s, END - 2, &from), EXCP_GP);
    cr_assert_eq(from, END - 2, "%x", from);
    cr_assert_eq(again(&g, &s, END - 3, &from), EXCP_GP);
    guest_free(&g);
}

/* ---- IP wraps at 64 KiB, where the linear address does not ---- */

static bool make_wrap(unsigned n, struct setup *s, void *data)
{
    static const struct {
        uint8_t code[3];
        uint8_t len;
        uint16_t ip, target;
    } cases[] = {
        {{0xeb, 0x7e}, 2, 0xfff0, 0x70},         /* jmp forwards over the end */
        {{0xeb, 0x80}, 2, 0x10, 0xff92},         /* backwards */
        {{0xe9, 0x00, 0x80}, 3, 0x9000, 0x1003}, /* as far as can be */
    };

    (void)data;
    if (n >= ARRAY_LEN(cases)) {
        return false;
    }
    seg_rig_flat(s, 16);
    s->seg[SEG_CS].base = G_CODE;
    s->seg[SEG_CS].limit = 0xffff;
    memcpy(s->code, cases[n].code, 3);
    s->len = cases[n].len;
    s->ip = cases[n].ip;
    s->also = cases[n].target;
    s->r[R_RSP] = 0x48000;
    return true;
}

static void look_wrap(unsigned n, const struct setup *s, const struct outcome *o, void *data)
{
    (void)data;
    cr_assert_eq(o->vector, SEG_RIG_END, "case %u", n);
    cr_assert_eq(o->from, s->also + 2, "case %u: from %lx", n, (unsigned long)o->from);
}

Test(jit_branch, ip_wraps_at_64_kib)
{
    cr_assert_eq(seg_rig_series(RIG_PROTECTED, make_wrap, look_wrap, NULL), 3);
}
