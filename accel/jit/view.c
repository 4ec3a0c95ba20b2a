/*
 * Guest memory accesses in compiled code by a view (cpu/view.h): the host's MMU checks them.
 *
 * What compiled code must see to is that no address leaves what is reserved for views.  High
 * addresses are reached by GS, low ones by R15, and before a register is used as a base it is
 * compared with the highest address of its kind, once until it changes; constants near it are
 * within the guard.  The stack pointer is compared where something other than a small constant
 * changes it, whenever compiled code is entered, and when a quantum is used up.  Which kind a base
 * is for is guessed from the registers as the block is translated; what turns out wrong often is
 * translated again, at last with looks at the TLB.
 *
 * Where an access may fault the guest's state stands in the block's sites (fault.c).
 *
 * In 32-bit code GS leads to where low addresses begin.
 *
 * Not modelled: x87 operands, 32-bit addresses in 64-bit code, segments with a base in 32-bit code.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"
#include "cpu/sys.h"

/* Displacements that go together with one comparison: two of them, and an operand, are less apart
 * than VIEW_GUARD. */
enum { REACH = 0x3f000000 };
/* An index that has been made of 32 bits needs no comparison of its own. */
static_assert(2ull * REACH + (8ull << 32) < VIEW_GUARD && 2 * VIEW_GUARD < VIEW_SLACK, "guarded");
/* Programs have nothing below: what is less is no address. */
enum { LOWEST = 0x10000 };
/* The stack pointer may be moved so far unnoticed by one instruction. */
enum { SP_STEP = 16 << 20 };

/* Where an address is: in no view, above, below, or to be found out as the code runs; or it has 32
 * bits. */
enum kind { KIND_NONE, KIND_HIGH, KIND_LOW, KIND_ANY, KIND_NARROW };

static bool is_stack(const struct tr_place *p)
{
    return p->base == R_RSP && p->index == R_ZERO && p->seg == 0xff;
}

/* Does it go by its base alone?  A small index is within the guard. */
static bool has_small_index(const struct tr *t, const struct tr_place *p)
{
    return p->index < 16 && p->index != p->base && t->small & BIT(p->index) && p->wide &&
           p->seg == 0xff && tr_is_64(t);
}

static bool is_constant(const struct tr_place *p)
{
    return p->base == R_ZERO && p->index == R_ZERO && p->seg == 0xff;
}

static unsigned key_of(const struct tr_place *p)
{
    return BLOCK_KEY(p->seg != 0xff ? (unsigned)R_ZERO : p->base != R_ZERO ? p->base : p->index);
}

static enum kind kind_of_constant(uint64_t la)
{
    return la >> 30 == 0                                    ? KIND_LOW
           : la >= VIEW_HIGH && la <= VIEW_HIGH_MAX - REACH ? KIND_HIGH
                                                            : KIND_NONE;
}

static enum kind kind_of(const struct tr *t, const struct tr_place *p)
{
    unsigned key = key_of(p);

    if (!tr_is_view(t) || t->no_view || t->k->soft_of & BIT(key)) {
        return KIND_NONE;
    }
    if (!tr_is_64(t)) {
        return p->seg == 0xff ? KIND_NARROW : KIND_NONE;
    }
    if (!p->wide) {
        return KIND_NONE;
    }
    if (is_constant(p)) {
        return kind_of_constant((uint64_t)p->disp);
    }
    if (p->disp < -REACH || p->disp > REACH) {
        return KIND_NONE;
    }
    return is_stack(p)                ? KIND_HIGH
           : p->seg != 0xff           ? KIND_ANY
           : t->k->high_of & BIT(key) ? KIND_HIGH
           : t->k->low_of & BIT(key)  ? KIND_LOW
                                      : KIND_ANY;
}

/* ---- what addresses will be ---- */

/* A displacement that is an address by itself: of a table in a program that is not moved. */
static bool is_table(const struct insn *i)
{
    return i->base != R_BASE && i->disp >= LOWEST && i->disp < REACH;
}

/* Registers as they will be when the block is run now, where that can be told. */
struct known {
    uint32_t regs; /* those that are known */
    uint64_t r[16];
};

static bool address_of(const struct tr *t, const struct known *w, const struct insn *i,
                       uint64_t *la)
{
    *la = (uint64_t)(int64_t)i->disp + (i->base == R_BASE ? t->ip : 0);
    if (i->base < 16) {
        *la += w->r[i->base];
    }
    if (i->index < 16) {
        *la += w->r[i->index] << INSN_SCALE(i);
    }
    return !(i->base < 16 && !(w->regs & BIT(i->base))) &&
           !(i->index < 16 && !(w->regs & BIT(i->index))) && i->seg != SEG_FS && i->seg != SEG_GS;
}

/* The same without the index: it is rarely what makes the kind. */
static bool base_of(const struct tr *t, const struct known *w, const struct insn *i, uint64_t *la)
{
    struct insn base = *i;

    base.index = R_ZERO;
    return i->base < 16 && address_of(t, w, &base, la);
}

/* What stands at la. */
static bool peek(struct cpu *c, uint64_t la, uint64_t *v)
{
    const struct tlb_entry *e = &c->tlb[tlb_own(la)];
    const void *at = (const void *)(uintptr_t)(la + e->addend);
    unsigned in_page = la & PAGE_OFFSET_MASK;
    struct view_entry seen;

    if (in_page > PAGE_BYTES - 8) {
        return false;
    }
    if (la - e->tag_r > PAGE_BYTES - 8) { /* who has a view fills no TLB */
        if (!mmu_view_peek(c, la - in_page, false, &seen)) {
            return false;
        }
        at = seen.ram->host + (seen.ram_page << PAGE_SHIFT) + in_page;
    }
    memcpy(v, at, 8);
    return true;
}

static void set(struct known *w, unsigned g, bool good, uint64_t v)
{
    w->regs = good ? w->regs | BIT(g) : w->regs & ~BIT(g);
    w->r[g] = v;
}

static void follow(struct tr *t, struct known *w, unsigned n)
{
    const struct tr_insn *in = &t->insn[n];
    const struct op_fns *fns = in->result == DECODE_OK ? in->d.row->fns : NULL;
    const struct effects *f = &t->notes[n].effects;
    const struct insn *i = &in->i;
    uint64_t la, v = 0;

    if (fns == &fns_mov_ge && in->d.size == 3 && in->d.has_mem) {
        bool good = address_of(t, w, i, &la) && peek(t->c, la, &v);

        set(w, i->r1, good, v);
    } else if ((fns == &fns_mov_ge || fns == &fns_mov_eg) && in->d.size == 3 && !in->d.has_mem) {
        unsigned to = fns == &fns_mov_ge ? i->r1 : i->r2, from = fns == &fns_mov_ge ? i->r2 : i->r1;

        set(w, to, w->regs & BIT(from), w->r[from]);
    } else if (t->j->lower[i->row].kind == LOWER_LEA && in->d.size == 3 && fns) {
        bool good = address_of(t, w, i, &la);

        set(w, i->r1, good, la);
    } else if (fns == &fns_pop_z && in->d.size == 3) {
        bool good = w->regs & BIT(R_RSP) && peek(t->c, w->r[R_RSP], &v);

        set(w, i->r1, good, v);
        w->r[R_RSP] += i->r1 == R_RSP ? 0 : 8;
    } else if (f->barrier) {
        w->regs = 0;
    } else {
        w->regs &= ~f->written;
        if (f->moved < 16) {
            w->r[f->moved] += (uint64_t)(int64_t)f->by;
        }
    }
}

static void guess_key(struct code_block *k, unsigned key, uint64_t la)
{
    if ((k->high_of | k->low_of) & BIT(key)) {
        return; /* the first counts */
    }
    if (la >= LOWEST && la < VIEW_LOW_END) {
        k->low_of |= (uint16_t)BIT(key);
    } else if (la >= VIEW_HIGH && la <= VIEW_HIGH_MAX) {
        k->high_of |= (uint16_t)BIT(key);
    }
}

void view_guess(struct tr *t)
{
    struct code_block *k = t->k;
    const struct cpu *c = t->c;
    struct known w = {.regs = 0xffff};

    if (k->guessed || !tr_is_64(t)) {
        return;
    }
    k->guessed = true;
    memcpy(w.r, c->r, sizeof w.r);
    for (unsigned n = 0; n < t->n; n++) {
        const struct tr_insn *in = &t->insn[n];
        unsigned key = BLOCK_KEY(in->i.base < 16 ? in->i.base : in->i.index);
        uint64_t la;

        if (in->result != DECODE_OK || !in->d.has_mem) {
            /* no address */
        } else if (address_of(t, &w, &in->i, &la)) {
            guess_key(k, key, la);
        } else if (is_table(&in->i)) {
            guess_key(k, key, (uint64_t)in->i.disp);
        } else if (base_of(t, &w, &in->i, &la)) {
            guess_key(k, key, la);
        }
        follow(t, &w, n);
    }
}

void view_missed(struct cpu *c, struct code_block *k, unsigned key, bool fault)
{
    bool wrong = !fault && (k->low_of | k->high_of) & BIT(key);

    if (k->stale || (!wrong && !slow_fails_often(c, k))) {
        return;
    }
    k->window_fails = 0;
    if (wrong) {
        k->low_of &= (uint16_t)~BIT(key);
        k->high_of &= (uint16_t)~BIT(key);
    } else {
        k->soft_of |= (uint16_t)BIT(key);
    }
    jit_drop(jit_of(c), k);
}

/* ---- accesses ---- */

/* The state here; `off` is the caller's. */
static struct fault_site site_here(const struct tr *t, unsigned key)
{
    return (struct fault_site){
        .at = (uint8_t)t->at,
        .key = (uint8_t)key,
        .flags = (uint8_t)t->flags,
        .made = t->flags == FL_LAZY ? (uint8_t)(t->made - t->insn) : 0,
        .charged = t->charged,
        .sp = (int8_t)(t->sp_pending / 8),
    };
}

static void add_site(struct tr *t, struct fault_site s, const uint8_t *at)
{
    if (t->nsites == TR_SITES_MAX) {
        t->e.full = true;
        return;
    }
    s.off = (uint16_t)(at - t->start);
    t->sites[t->nsites++] = s;
}

/*
 * What a comparison that fails leads to faults, and stands in the comparison itself: the last byte
 * of that, by which it has the limit's place in struct cpu, is an instruction that only an
 * operating system may execute.  So there is one for each comparison, to be told from others by
 * where it is.
 */
enum { TRAP_BACK = -3, TRAP_HLT = 0xf4, TRAP_IN = 0xe4, TRAP_IN_DX = 0xec };
#define LIMIT_BYTE(field) ((offsetof(struct cpu, field) - STATE_BIAS) & 0xff)
static_assert(LIMIT_BYTE(high_max) == TRAP_HLT && LIMIT_BYTE(low_max) == TRAP_IN_DX &&
                  LIMIT_BYTE(slot_max) == TRAP_IN,
              "instructions");

/* Compare a register with a limit, a field of struct cpu: to a trap when it is above. */
static void trap_if_above(struct tr *t, unsigned reg, struct hrm limit, unsigned key)
{
    emit_op(&t->e, X_W, 0x3b, reg, limit);
    add_site(t, site_here(t, key), t->e.p - 1);
    emit8(&t->e, 0x77); /* ja */
    emit8(&t->e, (uint8_t)TRAP_BACK);
}

static struct hrm by_gs(struct hrm m)
{
    m.gs = true;
    return m;
}

/* KIND_ANY: `to` (RCX, RDX) = what is to be added to an address, of the piece that the one in
 * `reg` lies in. */
static void find_slot(struct tr *t, unsigned reg, unsigned to, unsigned key)
{
    struct emit *e = &t->e;

    emit_mov_rr(e, true, to, reg);
    emit_op(e, X_W, 0xc1, 5, hreg(to)); /* shr */
    emit8(e, VIEW_SLOT_SHIFT);
    trap_if_above(t, to, tr_state(slot_max), key);
    emit_load(e, true, to,
              hmem_index(H_RBP, to, 3, (int)offsetof(struct cpu, view_slots) - STATE_BIAS));
}

/* A window of all that is within reach. */
static const struct window *take_window(struct tr *t, const struct tr_place *p)
{
    const struct window all = {.key = *p, .view = true, .lo = -REACH, .hi = REACH};

    return window_take(t, &all);
}

/* The same is kept for the accesses that come with the same base and index, if there are any; gives
 * the window's number, or -1. */
static int keep_slot(struct tr *t, const struct tr_place *p, unsigned reg)
{
    if (!window_is_shared(t, p) && !t->small) { /* small: another index may come */
        return -1;
    }
    const struct window *w = take_window(t, p);
    emit_store(&t->e, true, tr_window_slot(w), reg);
    return w->slot;
}

static struct hrm based(enum kind kind, unsigned reg, int32_t disp)
{
    struct hrm m = kind == KIND_LOW ? hmem_index(H_R15, reg, 0, disp) : by_gs(hmem(reg, disp));

    m.narrow = kind == KIND_NARROW;
    return m;
}

static struct hrm constant(struct tr *t, enum kind kind, uint64_t la)
{
    if (kind == KIND_LOW) {
        return hmem(H_R15, (int32_t)la);
    }
    t->rdx = -1;
    emit_mov_imm(&t->e, H_RDX, la);
    return by_gs(hmem(H_RDX, 0));
}

static unsigned host_or_none(unsigned g)
{
    return g == R_ZERO ? (unsigned)H_NONE : tr_host(g);
}

/* RDX = the base, of window n. */
static void load_base(struct tr *t, const struct tr_place *p, int slot)
{
    if (t->rdx < 0 || t->rdx != slot) {
        emit_load(&t->e, true, H_RDX, tr_gpr(p->base));
        t->rdx = slot;
    }
}

/* An address that was compared already. */
static struct hrm compared(struct tr *t, enum kind kind, const struct window *w,
                           const struct tr_place *p)
{
    unsigned base = host_or_none(p->base), index = host_or_none(p->index);
    int32_t disp = (int32_t)p->disp;

    if (kind == KIND_ANY) {
        tr_load_slot(t, w);
        return tr_wide_operand(t, p);
    }
    if (p->index == R_ZERO) {
        if (base == H_NONE) {
            load_base(t, p, w->slot);
            base = H_RDX;
        }
        return based(kind, base, disp);
    }
    if (kind == KIND_HIGH && index != H_NONE && (p->base == R_ZERO || base != H_NONE)) {
        return by_gs(hmem_index(base, index, p->scale, disp));
    }
    tr_place_linear(t, p, p->disp);
    return based(kind, H_RDX, 0);
}

static void compare(struct tr *t, enum kind kind, unsigned reg, unsigned key)
{
    trap_if_above(t, reg, kind == KIND_LOW ? tr_state(low_max) : tr_state(high_max), key);
}

static struct hrm first_any(struct tr *t, const struct tr_place *p)
{
    unsigned base = host_or_none(p->base), key = key_of(p);

    if (p->index == R_ZERO && base != H_NONE && p->seg == 0xff) {
        t->rdx = -1;
        find_slot(t, base, H_RDX, key);
        t->rdx = keep_slot(t, p, H_RDX);
        return tr_wide_operand(t, p);
    }
    tr_place_linear(t, p, p->disp);
    find_slot(t, H_RDX, H_RCX, key);
    if (p->seg == 0xff) {
        keep_slot(t, p, H_RCX);
    }
    emit_op(&t->e, X_W, 0x03, H_RDX, hreg(H_RCX));
    return hmem(H_RDX, 0);
}

/* The first access with a base (and index): compare it. */
static struct hrm first_compared(struct tr *t, enum kind kind, const struct tr_place *p)
{
    unsigned key = key_of(p), base = host_or_none(p->base);

    tr_sp_settle(t);
    tr_flags_put_off(t);
    if (kind == KIND_ANY) {
        return first_any(t, p);
    }
    const struct window *w = take_window(t, p);
    if (p->index != R_ZERO) {
        tr_place_linear(t, p, p->disp);
        compare(t, kind, H_RDX, key);
        return based(kind, H_RDX, 0);
    }
    if (base == H_NONE) {
        load_base(t, p, w->slot);
        base = H_RDX;
    }
    compare(t, kind, base, key);
    return based(kind, base, (int32_t)p->disp);
}

/*
 * The host wraps at 4 GiB as the guest does, so nothing needs to be compared, and the flags stay.
 * Leaves RCX alone when it is done, as bodies use it.
 */
static struct hrm narrow(struct tr *t, const struct tr_place *p)
{
    unsigned base = host_or_none(p->base), index = host_or_none(p->index);

    if ((p->base != R_ZERO && base == H_NONE) || (p->index != R_ZERO && index == H_NONE)) {
        tr_place_linear(t, p, p->disp);
        return based(KIND_NARROW, H_RDX, 0);
    }
    struct hrm m = based(KIND_NARROW, base, (int32_t)p->disp);
    m.index = (uint8_t)index;
    m.scale = index == H_NONE ? 0 : p->scale;
    return m;
}

/* Operand m of what p is but for its index, with that.  Uses RCX. */
static struct hrm with_index(struct tr *t, struct hrm m, const struct tr_place *p)
{
    unsigned index = tr_gpr_get(t, p->index, H_RCX);

    if (m.index != H_NONE && m.reg == H_RDX) {
        emit_lea(&t->e, true, H_RDX, hmem_index(H_RDX, m.index, 0, 0));
        m.index = H_NONE;
        t->rdx = -1;
    }
    if (m.index == H_NONE && index != H_RCX) {
        m.index = (uint8_t)index;
        m.scale = p->scale;
        return m;
    }
    uint8_t *with = m.index == H_NONE ? &m.reg : &m.index; /* else R15 stands before it */
    emit_lea(&t->e, true, H_RDX, hmem_index(*with, index, p->scale, 0));
    *with = H_RDX;
    t->rdx = -1;
    return m;
}

bool view_access(struct tr *t, const struct tr_place *at, tr_body *body, const void *arg)
{
    bool small = has_small_index(t, at);
    struct tr_place base;
    const struct tr_place *p = at;

    if (small) {
        base = *at;
        base.index = R_ZERO;
        base.scale = 0;
        p = &base;
    }
    enum kind kind = kind_of(t, p);
    struct hrm m;

    if (small && kind == KIND_NONE) { /* an index that is the address, or looked up */
        p = at;
        small = false;
        kind = kind_of(t, p);
    }

    if (kind == KIND_NONE) {
        return false;
    }
    if (is_constant(p) && kind != KIND_NARROW) {
        m = constant(t, kind, (uint64_t)p->disp);
    } else if (is_stack(p) && !small) {
        t->sp_may_wait = tr_sp_can_wait(t->in) && t->sp_pending > -512 && t->sp_pending < 512;
        if (!t->sp_may_wait) {
            tr_sp_settle(t);
        }
        m = based(kind, tr_host(R_RSP), (int32_t)p->disp + t->sp_pending);
    } else {
        if (p->base == R_RSP || p->index == R_RSP) {
            tr_sp_settle(t);
        }
        const struct window *w = kind == KIND_NARROW ? NULL : window_find_view(t, p);
        m = kind == KIND_NARROW ? narrow(t, p)
            : w                 ? compared(t, kind, w, p)
                                : first_compared(t, kind, p);
    }
    m = small ? with_index(t, m, at) : m;
    add_site(t, site_here(t, key_of(p)), t->e.p);
    body(t, m, arg);
    t->sp_may_wait = false;
    return true;
}

/* ---- indices ---- */

/* 64 bits made of what has fewer. */
static bool extends(const struct tr *t, const struct tr_insn *in)
{
    const struct op_fns *fns = in->d.row->fns;
    const struct insn *i = &in->i;

    return fns == &fns_movzx8 || fns == &fns_movzx16 || fns == &fns_movsx8 || fns == &fns_movsx16 ||
           fns == &fns_movsxd || fns == &fns_cbw ||
           ((fns == &fns_and_ei || fns == &fns_and_ai || fns == &fns_mov_zi) &&
            i->imm <= INT32_MAX) ||
           (fns == &fns_mov_ge && !in->d.has_mem && t->small & BIT(i->r2)) ||
           (fns == &fns_mov_eg && t->small & BIT(i->r1));
}

/* Is what it writes to registers small then? */
static bool makes_small(const struct tr *t, const struct tr_insn *in)
{
    const struct lowering *l = &t->j->lower[in->i.row];

    return in->d.size == 3   ? extends(t, in)
           : in->d.size == 2 ? l->kind == LOWER_LEA || in->d.row->fns == &fns_mov_zi ||
                                   (l->kind == LOWER_PLAIN && plain_extends(l->arg, in))
                             : false;
}

void view_note_small(struct tr *t)
{
    const struct effects *f = &t->notes[t->at].effects;
    uint32_t changed = f->written | (f->moved < 16 ? BIT(f->moved) : 0);

    if (f->barrier) {
        t->small = 0;
    } else if (!changed || !tr_is_view(t)) {
        return;
    } else if (makes_small(t, t->in)) {
        t->small |= f->written;
    } else {
        t->small &= ~changed;
    }
}

/* ---- the stack pointer ---- */

static void cold_far_sp(struct tr *t, struct cold *k)
{
    (void)k;
    tr_count(t);
    emit_mov_imm(&t->e, H_RAX, tr_next_ip(t));
    emit_jump(&t->e, 0xe9, t->j->thunk[TH_LEAVE]);
}

/* May the stack pointer be anywhere after that? */
static bool may_go_far(const struct effects *f)
{
    return f->barrier || f->written & BIT(R_RSP) ||
           (f->moved == R_RSP && (f->by > SP_STEP || f->by < -SP_STEP));
}

void view_check_sp(struct tr *t)
{
    if (!tr_is_view(t) || !tr_is_64(t) || t->ended || !may_go_far(&t->notes[t->at].effects)) {
        return;
    }
    tr_sp_settle(t);
    tr_flags_clobber(t);
    emit_op(&t->e, X_W, 0x3b, tr_host(R_RSP), tr_state(sp_max));
    tr_cold(t, cold_far_sp, emit_jump(&t->e, O_0F | 0x87, NULL));
}

/* ---- sites ---- */

/* Bytes of a site: how far from the one before, 255 for each 255 bytes and the rest; SITE_* and the
 * instruction's number; key; and with SITE_MORE, made, sp and charged. */
enum { SITE_AT = 31, SITE_MORE = 32, SITE_FLAGS_AT = 6 };

static void put_site(struct emit *e, unsigned by, const struct fault_site *s)
{
    bool more = s->flags == FL_LAZY || s->sp || s->charged;

    for (; by >= 255; by -= 255) {
        emit8(e, 255);
    }
    emit8(e, by);
    emit8(e, s->at | (more ? SITE_MORE : 0u) | (unsigned)s->flags << SITE_FLAGS_AT);
    emit8(e, s->key);
    if (more) {
        emit8(e, s->made);
        emit8(e, (uint8_t)s->sp);
        emit8(e, s->charged);
    }
}

static const uint8_t *get_site(const uint8_t *p, struct fault_site *s)
{
    for (; *p == 255; p++) {
        s->off += 255;
    }
    s->off += *p++;
    s->at = *p & SITE_AT;
    s->flags = *p >> SITE_FLAGS_AT;
    bool more = *p++ & SITE_MORE;
    s->key = *p++;
    s->made = more ? *p++ : 0;
    s->sp = more ? (int8_t)*p++ : 0;
    s->charged = more ? *p++ : 0;
    return p;
}

void view_put_sites(struct tr *t, struct jit_code *code)
{
    unsigned off = 0;

    code->sites = t->nsites ? (uint32_t)(t->e.p - t->j->rw) : 0;
    if (t->nsites) {
        emit8(&t->e, t->nsites);
    }
    for (unsigned n = 0; n < t->nsites; n++) {
        put_site(&t->e, t->sites[n].off - off, &t->sites[n]);
        off = t->sites[n].off;
    }
}

const struct jit_code *view_find_site(const struct jit *j, const uint8_t *at, struct fault_site *s)
{
    bool hot = at >= j->rx + j->start && at < j->rx + j->used;
    const struct jit_code *code = hot ? jit_code_around(j, at) : NULL;
    size_t off = code ? (size_t)(at - jit_begin(j, code)) : 0;
    const uint8_t *p = code ? j->rx + code->sites : NULL;
    struct fault_site next = {0};
    bool found = false;

    for (unsigned left = code && code->sites ? *p++ : 0; left; left--) {
        p = get_site(p, &next);
        if (next.off > off) {
            break;
        }
        *s = next;
        found = true;
    }
    return found ? code : NULL;
}
