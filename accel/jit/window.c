/*
 * Windows: one look-up of the software TLB for several accesses beside each other.
 *
 * Before the first of a group of accesses of one block with the same base (and index), the whole
 * range the group touches is looked up; what is to be added to a linear address to have the host's
 * is kept in struct cpu (a slot), and the others use it without a look.  A group's range is worked
 * out by looking ahead in the block; changes of the base by constants are followed.  When the range
 * is not on one page, or the page is not ready for what the group does, the interpreter goes on
 * from that instruction; a block that this happens to often is translated again without windows.
 *
 * With several processors stores have no part in it: in the middle of a block one may wait for the
 * machine's lock, and another processor claim the page for code or as clean meanwhile.
 *
 * A window lives until its base or index changes otherwise, or a handler is called: what a handler
 * does may change the translation.
 *
 * Not modelled: windows across blocks.
 */
#include "accel/jit/jit_int.h"
#include "accel/jit/simd.h"
#include "cpu/ops.h"
#include "cpu/ops_system.h"

enum { RANGE_MAX = 1024 };

/* ---- what an instruction does to the registers ---- */

static unsigned width_of(const struct tr *t)
{
    return 1u << tr_full_size(t);
}

static uint32_t reg_bit(unsigned reg, unsigned size)
{
    return BIT(size == 0 ? reg >> 3 : reg);
}

static void moves(struct effects *f, unsigned reg, int32_t by)
{
    f->moved = reg;
    f->by = by;
}

static bool is_push(const struct op_fns *fns)
{
    return fns == &fns_push_z || fns == &fns_push_i || fns == &fns_push_e || fns == &fns_pushf;
}

static void stack_effects(const struct tr *t, const struct tr_insn *in, struct effects *f)
{
    const struct op_fns *fns = in->d.row->fns;
    int32_t width = (int32_t)width_of(t);

    if (fns == &fns_leave) {
        f->written = BIT(R_RSP) | BIT(R_RBP);
    } else if (fns == &fns_pop_z || fns == &fns_pop_e) {
        unsigned reg = fns == &fns_pop_z ? in->i.r1 : in->i.r2;

        f->written = in->d.has_mem ? 0 : BIT(reg);
        moves(f, R_RSP, width);
    } else if (is_push(fns)) {
        moves(f, R_RSP, -width);
    } else {
        f->barrier = true;
    }
    /* A 16-bit stack pointer goes around: no constant then. */
    f->barrier |= in->d.size != tr_full_size(t) || tr_sp_bits(t) < 32;
}

static void lea_effects(const struct tr *t, const struct tr_insn *in, struct effects *f)
{
    if (in->d.size == tr_full_size(t) && in->i.base == in->i.r1 && in->i.index == R_ZERO &&
        INSN_ASIZE(&in->i) + 1u == in->d.size) {
        moves(f, in->i.r1, in->i.disp);
    } else {
        f->written = BIT(in->i.r1);
    }
}

/* ADD, SUB, INC and DEC of a whole register by a constant. */
static bool plain_moves(const struct tr *t, const struct tr_insn *in, struct effects *f)
{
    const struct op_fns *fns = in->d.row->fns;

    if (in->d.has_mem || in->d.size != tr_full_size(t)) {
        return false;
    }
    if (fns == &fns_add_ei || fns == &fns_add_ai) {
        moves(f, fns == &fns_add_ai ? R_RAX : in->i.r2, (int32_t)in->i.imm);
    } else if ((fns == &fns_sub_ei || fns == &fns_sub_ai) && (int32_t)in->i.imm != INT32_MIN) {
        moves(f, fns == &fns_sub_ai ? R_RAX : in->i.r2, -(int32_t)in->i.imm);
    } else if (fns == &fns_inc || fns == &fns_dec) {
        moves(f, in->i.r2, fns == &fns_inc ? 1 : -1);
    } else {
        return false;
    }
    return true;
}

static void misc_effects(const struct tr_insn *in, struct effects *f)
{
    const struct op_fns *fns = in->d.row->fns;
    unsigned size = in->d.size;

    if (fns == &fns_mov_zi || fns == &fns_bswap || fns == &fns_inc_z || fns == &fns_dec_z) {
        f->written = reg_bit(in->i.r1, size);
    } else if (fns == &fns_mov_ao || fns == &fns_cbw) {
        f->written = BIT(R_RAX);
    } else if (fns == &fns_cwd) {
        f->written = BIT(R_RDX);
    } else if (fns == &fns_mul || fns == &fns_imul) {
        f->written = BIT(R_RAX) | BIT(R_RDX);
    } else if (fns == &fns_xchg_za) {
        f->written = BIT(R_RAX) | BIT(in->i.r1);
    } else if (fns == &fns_xchg) {
        f->written = reg_bit(in->i.r1, size) | (in->d.has_mem ? 0 : reg_bit(in->i.r2, size));
    } else if (fns == &fns_cmpxchg) {
        f->written = BIT(R_RAX);
        f->barrier = !in->d.has_mem;
    } else if (fns != &fns_nop && fns != &fns_mov_oa && fns != &fns_clc && fns != &fns_stc &&
               fns != &fns_cmc && fns != &fns_cld && fns != &fns_std && fns != &fns_mfence) {
        f->barrier = true;
    }
}

static void find_effects(const struct tr *t, const struct tr_insn *in, struct effects *f)
{
    *f = (struct effects){.moved = 0xff};
    if (in->result != DECODE_OK) {
        f->barrier = true;
        return;
    }
    const struct lowering *l = &t->j->lower[in->i.row];
    if (!l->fn || in->d.row->enc & ENC_END) {
        f->barrier = true;
    } else if (l->kind == LOWER_PLAIN) {
        if (!plain_moves(t, in, f)) {
            f->written = plain_written(l->arg, in);
        }
    } else if (l->kind == LOWER_LEA) {
        lea_effects(t, in, f);
    } else if (l->kind == LOWER_SIMD) {
        f->barrier = !simd_effects(in, &f->written);
    } else if (l->kind == LOWER_STACK) {
        stack_effects(t, in, f);
    } else if (l->kind != LOWER_JCC) {
        misc_effects(in, f);
    }
}

/* ---- what an instruction accesses ---- */

static bool find_stack_access(const struct tr *t, const struct tr_insn *in, struct tr_place *p)
{
    const struct op_fns *fns = in->d.row->fns;
    bool push = is_push(fns), pop = fns == &fns_pop_z || fns == &fns_pop_e;

    *p = tr_stack_place(t, push ? -(int32_t)width_of(t) : 0);
    p->size = width_of(t);
    p->write = push;
    return (push || pop) && in->d.size == tr_full_size(t);
}

/* Its operand, x->place; true: that is looked up by tr_access. */
static bool find_access(const struct tr *t, const struct tr_insn *in, struct tr_notes *x)
{
    const struct op_row *row = in->d.row;
    struct tr_place *p = &x->place;
    const struct lowering *l = &t->j->lower[in->i.row];

    x->placed = false;
    if (in->result != DECODE_OK || !l->fn) {
        return false;
    }
    if (l->kind == LOWER_STACK && !in->d.has_mem) {
        return find_stack_access(t, in, p);
    }
    if (!in->d.has_mem || row->enc & ENC_MEM_RAW || !tr_place_of(t, in, p)) {
        return false;
    }
    x->placed = true;
    if (l->kind == LOWER_PLAIN) {
        plain_access(l->arg, in, p);
        return true;
    }
    if (l->kind == LOWER_SIMD) {
        return simd_access(in, p);
    }
    p->size = 1u << in->d.size;
    p->write = row->fns == &fns_xchg;
    return row->fns == &fns_xchg || row->fns == &fns_mul || row->fns == &fns_imul;
}

void tr_make_notes(struct tr *t)
{
    for (unsigned n = 0; n < t->n; n++) {
        struct tr_notes *x = &t->notes[n];

        tr_note_flags(t, n);
        find_effects(t, &t->insn[n], &x->effects);
        x->changes = x->effects.barrier || x->effects.written || x->effects.moved < 16;
        x->accesses = find_access(t, &t->insn[n], x);
    }
}

static bool same_key(const struct tr_place *a, const struct tr_place *b)
{
    return a->base == b->base && a->index == b->index && a->scale == b->scale && a->seg == b->seg &&
           a->wide == b->wide;
}

/* Registers a place hangs on. */
static uint32_t regs_of(const struct tr_place *p)
{
    return (p->base < 16 ? BIT(p->base) : 0) | (p->index < 16 ? BIT(p->index) : 0);
}

/* How far an address with the key of p goes when the registers change by f. */
static int64_t shift_by(const struct tr_place *p, const struct effects *f)
{
    int64_t by = f->by;

    return f->moved >= 16
               ? 0
               : (p->base == f->moved ? by : 0) + (p->index == f->moved ? by * (1 << p->scale) : 0);
}

/* ---- the windows of a block ---- */

void windows_after(struct tr *t)
{
    const struct effects *f = &t->notes[t->at].effects;

    for (unsigned left = t->open; left; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctz(left);
        struct window *w = &t->window[n];

        if (f->barrier || f->written & regs_of(&w->key)) {
            t->open &= ~BIT(n);
        } else {
            int64_t by = shift_by(&w->key, f);

            w->lo -= by;
            w->hi -= by;
            t->rdx = w->view && by && t->rdx == w->slot ? -1 : t->rdx;
        }
    }
}

void windows_close(struct tr *t)
{
    t->open = 0;
}

struct window *window_find(struct tr *t, const struct tr_place *p)
{
    for (unsigned left = t->open; left; left &= left - 1) {
        struct window *w = &t->window[__builtin_ctz(left)];

        if (!w->view && same_key(&w->key, p) && p->disp >= w->lo && p->disp + p->size <= w->hi &&
            (w->write || !p->write)) {
            return w;
        }
    }
    return NULL;
}

/* The range that accesses from here on with the key of p touch, as long as they may share. */
static unsigned look_ahead(struct tr *t, const struct tr_place *p, struct window *w)
{
    int64_t shift = 0, lo = p->disp, hi = lo + p->size;
    unsigned count = 1;
    bool write = p->write;

    for (unsigned n = t->at; n < t->n; n++) {
        const struct tr_notes *x = &t->notes[n];
        const struct tr_place *q = &x->place;

        if (n > t->at && x->accesses && same_key(p, q) && !(q->write && tr_is_smp(t))) {
            int64_t from = MIN(lo, q->disp + shift), to = MAX(hi, q->disp + shift + q->size);

            if (to - from <= RANGE_MAX) {
                lo = from;
                hi = to;
                write |= q->write;
                count++;
            }
        }
        if (x->effects.barrier || x->effects.written & regs_of(p)) {
            break;
        }
        shift += shift_by(p, &x->effects);
    }
    if (regs_of(p) && (lo != (int32_t)lo || hi != (int32_t)hi)) {
        return 1;
    }
    w->lo = lo;
    w->hi = hi;
    w->write = write;
    return count;
}

bool window_is_shared(struct tr *t, const struct tr_place *p)
{
    struct window plan;

    return look_ahead(t, p, &plan) > 1;
}

struct window *window_take(struct tr *t, const struct window *plan)
{
    unsigned n = 0;

    while (n < WINDOWS && t->open & BIT(n)) {
        n++;
    }
    n = n < WINDOWS ? n : t->next_window++ % WINDOWS;
    t->open |= BIT(n);
    t->window[n] = *plan;
    t->window[n].slot = n;
    t->rdx = t->rdx == (int)n ? -1 : t->rdx;
    return &t->window[n];
}

struct window *window_find_view(struct tr *t, const struct tr_place *p)
{
    for (unsigned left = t->open; left; left &= left - 1) {
        struct window *w = &t->window[__builtin_ctz(left)];

        if (w->view && same_key(&w->key, p) && p->disp >= w->lo && p->disp < w->hi) {
            return w;
        }
    }
    return NULL;
}

struct window *window_plan(struct tr *t, const struct tr_place *p)
{
    struct window plan = {.key = *p};

    if (t->k->no_window_of & BIT(BLOCK_KEY(p->base)) || (p->write && tr_is_smp(t)) ||
        (!p->wide && (p->seg != 0xff || tr_full_size(t) == 3)) || look_ahead(t, p, &plan) < 2) {
        return NULL;
    }
    return window_take(t, &plan);
}
