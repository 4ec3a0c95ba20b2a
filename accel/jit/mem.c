/*
 * Guest memory accesses in compiled code: the software TLB, looked up in line.
 *
 * One replaceable piece: a lowering says what it does with an operand (tr_body), this file how the
 * operand is found.  An access that misses goes through C (slow.c), which gives a host pointer, and
 * the same instruction is executed there.
 *
 * Not modelled: nothing left out.
 */
#include "accel/jit/jit_int.h"

/* ---- addresses ---- */

/* 64-bit code, or flat 32-bit code: an offset is a linear address but for FS and GS. */
static bool place_ok(const struct tr *t, const struct tr_insn *in)
{
    return INSN_ASIZE(&in->i) != 0 && in->d.code != MODE_CODE16 && !(in->d.row->enc & ENC_VSIB) &&
           tr_seg_is_free(t, in->i.seg);
}

static struct tr_place operand_of(const struct tr *t, const struct insn *i)
{
    struct tr_place p = {.base = i->base,
                         .index = i->index,
                         .scale = INSN_SCALE(i),
                         .seg =
                             tr_is_64(t) && (i->seg == SEG_FS || i->seg == SEG_GS) ? i->seg : 0xff,
                         .wide = INSN_ASIZE(i) == 2,
                         .disp = i->disp};

    if (i->base == R_BASE) {
        p.base = R_ZERO;
        p.disp += (int64_t)t->ip;
    }
    return p;
}

bool tr_place_of(const struct tr *t, const struct tr_insn *in, struct tr_place *p)
{
    if (!place_ok(t, in)) {
        return false;
    }
    *p = operand_of(t, &in->i);
    return true;
}

struct tr_place tr_stack_place(const struct tr *t, int32_t disp)
{
    return (struct tr_place){
        .base = R_RSP, .index = R_ZERO, .seg = 0xff, .wide = tr_is_64(t), .disp = disp};
}

/* Offset of the place at displacement disp into host register `to`; uses RCX, keeps flags. */
static void place_offset(struct tr *t, const struct tr_place *p, int64_t disp, unsigned to,
                         bool wide)
{
    unsigned base = H_NONE, index = H_NONE;

    if (p->base != R_ZERO) {
        base = tr_gpr_get(t, p->base, to);
    }
    if (p->index != R_ZERO) {
        index = tr_gpr_get(t, p->index, H_RCX);
    }
    if (base == H_NONE && index == H_NONE) {
        emit_mov_imm(&t->e, to, wide ? (uint64_t)disp : (uint32_t)disp);
    } else if (index == H_NONE && !disp) {
        if (base != to || !wide) {
            emit_mov_rr(&t->e, wide, to, base);
        }
    } else {
        emit_lea(&t->e, wide, to,
                 hmem_index(base, index, index == H_NONE ? 0 : p->scale, (int32_t)disp));
    }
}

/* RDX = its linear address. */
void tr_place_linear(struct tr *t, const struct tr_place *p, int64_t disp)
{
    t->rdx = -1;
    place_offset(t, p, disp, H_RDX, p->wide);
    if (p->seg != 0xff) {
        tr_seg_base(t, p->seg);
    }
}

void tr_address(struct tr *t, unsigned to, bool wide)
{
    struct tr_place p = operand_of(t, &t->in->i);

    t->rdx = -1;
    place_offset(t, &p, p.disp, to, wide);
    if (INSN_ASIZE(&t->in->i) == 0) {
        emit_op(&t->e, 0, O_0F | 0xb7, to, hreg(to));
    }
}

void tr_ea(struct tr *t, enum tr_access access, unsigned size)
{
    const struct insn *i = &t->in->i;

    tr_address(t, H_RDX, INSN_ASIZE(i) == 2);
    tr_seg(t, i->seg, access, size);
}

/* ---- apart ---- */

/*
 * A register of the host's and a displacement: the address can be in RAX alone while it is looked
 * up, and what is to be added in RDX then.
 */
static bool can_be_apart(const struct tr *t, const struct tr_place *p)
{
    return !tr_is_view(t) && p->wide && p->seg == 0xff && p->index == R_ZERO && p->base != R_ZERO &&
           !p->fixed && tr_host(p->base) != H_NONE;
}

static void base_plus(struct tr *t, const struct tr_place *p, int64_t disp, unsigned to)
{
    unsigned base = tr_host(p->base);

    if (disp) {
        emit_lea(&t->e, true, to, hmem(base, (int32_t)disp));
    } else {
        emit_mov_rr(&t->e, true, to, base);
    }
}

/* ---- accesses ---- */

/* Thunks for the linear address in RDX; for an access that is apart, likewise, and for what its
 * look at the TLB has left. */
struct slow_thunks {
    uint8_t linear, apart, looked;
};
static const struct slow_thunks slow_accesses[] = {
    [TR_LOAD] = {TH_LOAD, TH_LOAD_APART, TH_LOAD_AT},
    [TR_STORE] = {TH_STORE, TH_STORE, TH_STORE_AT},
    [TR_RMW] = {TH_RMW, TH_RMW, TH_RMW_AT},
    [TR_LOCK] = {TH_LOCK, TH_LOCK, TH_LOCK_AT},
};
/* By whether it is for writes. */
static const struct slow_thunks slow_windows[] = {{TH_WINDOW, TH_WINDOW, TH_WINDOW_AT},
                                                  {TH_WINDOW, TH_WINDOW, TH_WINDOW_AT_W}};

/* Flags are in memory after this, and the thunk finds the address, of `disp` from the base. */
static enum thunk begin_slow(struct tr *t, const struct cold *k, int64_t disp,
                             const struct slow_thunks *th)
{
    bool looked = !k->lost && (t->flags == FL_MEM || t->flags == FL_BOTH);

    tr_flags_clobber(t);
    if (!k->apart) {
        return th->linear;
    }
    if (looked) {
        return th->looked;
    }
    base_plus(t, &k->place, disp, H_RDX);
    return th->apart;
}

uint8_t *tr_call_site(struct tr *t, enum thunk th, unsigned size, unsigned flags,
                      const uint8_t *back)
{
    g_assert(size <= SITE_SIZE_MAX);
    emit_jump(&t->e, 0xe8, t->j->thunk[th]);
    uint8_t *to = t->e.p;
    emit32(&t->e, 0);
    emit8(&t->e, t->at | flags << SITE_FLAGS_SHIFT);
    emit16(&t->e, t->in->i.ofs | size << SITE_SIZE_SHIFT);
    emit8(&t->e, t->charged);
    if (!t->e.full) { /* in the same place as the block's hot code, whichever view */
        emit_patch(to, back);
    }
    return to + 4;
}

static uint8_t *call_site(struct tr *t, struct cold *k, enum thunk th)
{
    return tr_call_site(t, th, k->size, (t->vec ? SITE_VEC : 0) | (k->last ? SITE_LAST : 0),
                        k->back);
}

/* The thunk comes back to what is done with RDX; stores are done twice, since they end in C. */
static void mem_cold(struct tr *t, struct cold *k)
{
    enum thunk th = begin_slow(t, k, k->place.disp, &slow_accesses[k->access]);
    uint8_t *flags = call_site(t, k, th);

    if (k->access != TR_LOAD) {
        k->body(t, hmem(H_RDX, 0), k->arg);
        emit_jump(&t->e, 0xe8, t->j->thunk[TH_DONE]);
        if (t->flags == FL_HOST && !t->e.full) {
            *flags |= SITE_FL << SITE_FLAGS_SHIFT;
        }
    }
}

/* RAX against the last offset in a page where `size` bytes fit. */
static void compare_fit(struct emit *e, unsigned size)
{
    if (size <= 8 && !(size & (size - 1))) { /* shorter than a constant */
        unsigned n = (unsigned)__builtin_ctz(size);

        emit_op(e, X_W, 0x3b, H_RAX, tr_state_at(offsetof(struct cpu, page_fit[n])));
    } else {
        emit_alu_imm(e, true, 7, hreg(H_RAX), (int32_t)(PAGE_BYTES - size));
    }
}

/* RAX = how far into the page that the TLB has in its place the linear address in `la` lies; RCX =
 * that place. */
static void look(struct tr *t, unsigned la, bool write)
{
    struct emit *e = &t->e;

    static_assert(sizeof(struct tlb_entry) == 32 && PAGE_SHIFT == 12, "shift by 7");
    if (t->j->has_bmi2) {
        emit_vex(e, O_0F3A | 0xf0, 3, false, false, H_RCX, 0, hreg(la)); /* rorx */
        emit8(e, 7);
    } else {
        emit_mov_rr(e, false, H_RCX, la);
        emit_op(e, 0, 0xc1, 5, hreg(H_RCX));
        emit8(e, 7);
    }
    emit_op(e, 0, 0x23, H_RCX, tr_state(tlb_mask));
    if (tr_is_view(t)) {
        emit_op(e, X_W, 0x03, H_RCX, tr_state(tlb));
    }
    if (la != H_RAX) {
        emit_mov_rr(e, true, H_RAX, la);
    }
    emit_op(e, X_W, 0x2b, H_RAX, tr_tlb_tag(tr_is_view(t), write));
}

/* What is to be added to a linear address, of the place RCX. */
static struct hrm addend(const struct tr *t)
{
    return tr_tlb_field(tr_is_view(t), offsetof(struct tlb_entry, addend));
}

/* A linear address in RAX or RDX: to the slow path unless the TLB has it; RCX = the entry's offset.
 */
static uint8_t *look_at(struct tr *t, unsigned la, unsigned size, bool write)
{
    look(t, la, write);
    compare_fit(&t->e, size);
    return emit_jump(&t->e, O_0F | 0x87, NULL);
}

/* The same, and RDX = host address. */
static uint8_t *check(struct tr *t, unsigned size, bool write)
{
    uint8_t *miss = look_at(t, H_RDX, size, write);

    emit_op(&t->e, X_W, 0x03, H_RDX, addend(t));
    return miss;
}

void tr_mem_run(struct tr *t, enum tr_access access, unsigned la)
{
    look(t, la, access != TR_LOAD);
    emit_op(&t->e, X_W, 0x3b, H_RAX, hreg(H_RDX));
    tr_bail(t, 7);
    emit_load(&t->e, true, H_RAX, addend(t));
}

static struct cold *mem_cold_for(struct tr *t, uint8_t *miss, enum tr_access access, unsigned size,
                                 tr_body *body, const void *arg, unsigned arg_len)
{
    struct cold *k = tr_cold(t, mem_cold, miss);

    k->access = access;
    k->size = size;
    k->body = body;
    if (arg_len) {
        memcpy(k->arg, arg, MIN(arg_len, sizeof k->arg));
    }
    return k;
}

static void do_at(struct tr *t, struct cold *k, struct hrm m)
{
    k->back = t->e.p;
    k->body(t, m, k->arg);
    if (k->access != TR_LOAD) {
        k->back = t->e.p;
    }
}

void tr_mem_at(struct tr *t, enum tr_access access, unsigned size, tr_body *body, const void *arg,
               unsigned arg_len)
{
    uint8_t *miss = check(t, size, access != TR_LOAD);

    do_at(t, mem_cold_for(t, miss, access, size, body, arg, arg_len), hmem(H_RDX, 0));
}

void tr_mem_or_handler(struct tr *t, enum tr_access access, unsigned size)
{
    tr_bail_from(t, check(t, size, access != TR_LOAD));
}

void tr_mem(struct tr *t, enum tr_access access, unsigned size, tr_body *body, const void *arg,
            unsigned arg_len)
{
    tr_flags_clobber(t);
    tr_ea(t, access, size);
    tr_mem_at(t, access, size, body, arg, arg_len);
}

/* ---- shared looks ---- */

static bool is_constant(const struct tr_place *p)
{
    return p->base == R_ZERO && p->index == R_ZERO;
}

struct hrm tr_wide_operand(struct tr *t, const struct tr_place *p)
{
    unsigned base = p->base == R_ZERO ? H_NONE : tr_host(p->base);
    unsigned index = p->index == R_ZERO ? H_NONE : tr_host(p->index);

    if (p->base != R_ZERO && (base == H_NONE || p->index != R_ZERO)) {
        t->rdx = -1;
        base = tr_gpr_get(t, p->base, H_RCX);
        emit_lea(&t->e, true, H_RDX, hmem_index(H_RDX, base, 0, 0));
        base = H_NONE;
    }
    if (p->index != R_ZERO && index == H_NONE) {
        t->rdx = -1;
        index = tr_gpr_get(t, p->index, H_RCX);
        emit_lea(&t->e, true, H_RDX, hmem_index(H_RDX, index, p->scale, 0));
        index = H_NONE;
    }
    if (p->index != R_ZERO && index != H_NONE) {
        return hmem_index(H_RDX, index, p->scale, (int32_t)p->disp);
    }
    return base == H_NONE ? hmem(H_RDX, (int32_t)p->disp)
                          : hmem_index(H_RDX, base, 0, (int32_t)p->disp);
}

/* Place p, which has 32-bit addresses: they wrap at 4 GiB. */
static struct hrm narrow_operand(struct tr *t, const struct tr_place *p, struct hrm slot)
{
    t->rdx = -1;
    place_offset(t, p, p->disp, H_RDX, false);
    emit_load(&t->e, true, H_RCX, slot);
    emit_lea(&t->e, true, H_RDX, hmem_index(H_RDX, H_RCX, 0, 0));
    return hmem(H_RDX, 0);
}

struct hrm tr_window_slot(const struct window *w)
{
    return tr_state_at(offsetof(struct cpu, window[w->slot]));
}

void tr_load_slot(struct tr *t, const struct window *w)
{
    if (t->rdx != w->slot) {
        emit_load(&t->e, true, H_RDX, tr_window_slot(w));
        t->rdx = w->slot;
    }
}

/* Place p through window w.  Flags are kept. */
static struct hrm window_operand(struct tr *t, const struct window *w, const struct tr_place *p)
{
    struct hrm m;

    if (!is_constant(p) && !p->wide) {
        m = narrow_operand(t, p, tr_window_slot(w));
    } else {
        tr_load_slot(t, w);
        m = is_constant(p) ? hmem(H_RDX, (int32_t)(p->disp - w->lo)) : tr_wide_operand(t, p);
    }
    if (p->fixed && !t->sp_may_wait) {
        m = emit_operand_at(&t->e, H_RDX, m);
        t->rdx = -1;
    }
    return m;
}

static void window_cold(struct tr *t, struct cold *k)
{
    const struct window *w = &k->window;
    struct jit_window_site site = {.base = w->key.base,
                                   .len = (uint16_t)(w->hi - w->lo),
                                   .at = (uint16_t)(k->place.disp - w->lo),
                                   .host = is_constant(&w->key),
                                   .write = (k->access != TR_LOAD) | (unsigned)w->write << 1};

    call_site(t, k, begin_slow(t, k, w->lo, &slow_windows[w->write]));
    for (const uint8_t *b = &site.base; b < (const uint8_t *)(&site + 1); b++) {
        emit8(&t->e, *b);
    }
}

/*
 * The window is good; the TLB's entry is at RCX, the linear address of the window's start in RDX
 * where that is needed.  To the slot goes what is to be added to base, index and displacement (with
 * 32-bit addresses: to their sum), whatever the base is by then; without any, the host's address.
 * slow_window gives the same.
 */
static void window_fill(struct tr *t, const struct window *w, struct cold *k)
{
    emit_op(&t->e, X_W, is_constant(&w->key) ? 0x03 : 0x8b, H_RDX, addend(t)); /* add, mov */
    k->back = t->e.p;
    if (!is_constant(&w->key) && w->key.seg != 0xff) {
        tr_seg_base(t, w->key.seg);
    }
    emit_store(&t->e, true, tr_window_slot(w), H_RDX);
}

/* Nothing can fault or leave between here and the next access, if that is in the window too. */
static void in_window(struct tr *t, const struct window *w, struct tr_place *p, tr_body *body,
                      const void *arg)
{
    t->sp_may_wait = tr_sp_can_wait(t->in);
    p->disp += p->base == R_RSP ? t->sp_pending : 0;
    body(t, window_operand(t, w, p), arg);
    t->sp_may_wait = false;
}

static struct cold *access_apart(struct tr *t, const struct tr_place *p, enum tr_access access,
                                 tr_body *body, const void *arg, unsigned arg_len)
{
    t->rdx = -1;
    base_plus(t, p, p->disp, H_RAX);
    struct cold *k = mem_cold_for(t, look_at(t, H_RAX, p->size, access != TR_LOAD), access, p->size,
                                  body, arg, arg_len);
    k->apart = true;
    k->place = *p;
    emit_load(&t->e, true, H_RDX, addend(t));
    do_at(t, k, hmem_index(H_RDX, tr_host(p->base), 0, (int32_t)p->disp));
    return k;
}

struct cold *tr_access(struct tr *t, struct tr_place *p, enum tr_access access, tr_body *body,
                       const void *arg, unsigned arg_len)
{
    struct window *w;

    p->write = access != TR_LOAD;
    if (view_access(t, p, body, arg)) {
        return NULL;
    }
    w = window_find(t, p);
    if (w) {
        in_window(t, w, p, body, arg);
        return NULL;
    }
    tr_sp_settle(t);
    tr_flags_put_off(t);
    w = window_plan(t, p);
    bool apart = can_be_apart(t, p);
    if (!w && apart) {
        return access_apart(t, p, access, body, arg, arg_len);
    }
    if (!w) {
        tr_place_linear(t, p, p->disp);
        tr_mem_at(t, access, p->size, body, arg, arg_len);
        return &t->cold[t->ncold - 1];
    }
    if (apart) {
        base_plus(t, p, w->lo, H_RAX);
    } else {
        tr_place_linear(t, p, w->lo);
    }
    uint8_t *miss = look_at(t, apart ? H_RAX : H_RDX, (unsigned)(w->hi - w->lo), w->write);
    struct cold *k = tr_cold(t, window_cold, miss);
    k->apart = apart;
    k->access = access;
    k->size = p->size;
    k->place = *p;
    k->window = *w;
    window_fill(t, w, k);
    t->rdx = w->slot;
    in_window(t, w, p, body, arg);
    return NULL;
}

void tr_mem_shared(struct tr *t, enum tr_access access, unsigned size, tr_body *body,
                   const void *arg, unsigned arg_len)
{
    struct tr_place p = t->notes[t->at].place;

    if (!t->notes[t->at].placed) {
        tr_mem(t, access, size, body, arg, arg_len);
        return;
    }
    p.size = (uint16_t)size;
    tr_access(t, &p, access, body, arg, arg_len);
}

/* The stack is as wide as the code, without segment. */
static bool is_flat_stack(const struct tr *t)
{
    unsigned need = MODE_FLAT | MODE_STACK32, code = t->k->mode & MODE_CODE;

    return code == MODE_CODE64
               ? t->in->d.size == 3
               : code == MODE_CODE32 && t->in->d.size == 2 && (t->k->mode & need) == need;
}

struct cold *tr_mem_stack(struct tr *t, int32_t disp, enum tr_access access, tr_body *body,
                          const void *arg, unsigned arg_len)
{
    if (is_flat_stack(t)) {
        struct tr_place p = tr_stack_place(t, disp);

        p.size = (uint16_t)tr_bytes(t);
        p.fixed = access == TR_LOAD; /* POP moves the pointer first */
        return tr_access(t, &p, access, body, arg, arg_len);
    }
    tr_flags_clobber(t);
    tr_sp(t, R_RSP, disp);
    tr_seg(t, SEG_SS, access, tr_bytes(t));
    tr_mem_at(t, access, tr_bytes(t), body, arg, arg_len);
    return &t->cold[t->ncold - 1];
}
