/*
 * The translator's one pass over a decoded block.
 *
 * Follows: docs/architecture.md, "The translator".
 *
 * Each guest instruction is lowered to host code that does exactly what it does, with the guest
 * state kept where tr.h says; so at every point that can fault or leave, the state is that of the
 * instruction's start.  What has no lowering calls its handler.
 *
 * Not modelled: optimisation across blocks.
 */
#include "accel/jit/jit_int.h"

/* ---- registers ---- */

unsigned tr_gpr_get(struct tr *t, unsigned g, unsigned scratch)
{
    unsigned h = tr_host(g);

    if (h != H_NONE) {
        return h;
    }
    emit_load(&t->e, true, scratch, tr_state_at(g * 8));
    return scratch;
}

void tr_gpr_put(struct tr *t, unsigned g, unsigned from)
{
    if (tr_host(g) != from) {
        emit_op(&t->e, X_W, 0x89, from, tr_gpr(g));
    }
}

/* ---- addresses of code ---- */

static uint64_t cut_ip(const struct tr *t, uint64_t ip)
{
    unsigned code = t->k->mode & MODE_CODE;

    return code == MODE_CODE64 ? ip : code == MODE_CODE32 ? (uint32_t)ip : (uint16_t)ip;
}

uint64_t tr_ip(const struct tr *t)
{
    return cut_ip(t, t->ip + t->in->i.ofs);
}

uint64_t tr_next_ip(const struct tr *t)
{
    return cut_ip(t, t->ip + t->in->i.ofs + t->in->i.len);
}

uint64_t tr_target(const struct tr *t)
{
    uint64_t ip = t->ip + (uint64_t)(int64_t)t->in->i.disp;

    return t->in->d.size == 3 ? ip : t->in->d.size == 2 ? (uint32_t)ip : (uint16_t)ip;
}

void tr_set_base(struct tr *t)
{
    if (!t->base_set) {
        if (emit_fits(t->ip)) {
            emit_op(&t->e, X_W, 0xc7, 0, tr_state(r[R_BASE]));
            emit32(&t->e, (uint32_t)t->ip);
        } else {
            emit_mov_imm(&t->e, H_RCX, t->ip);
            emit_store(&t->e, true, tr_state(r[R_BASE]), H_RCX);
        }
        t->base_set = true;
    }
}

/* ---- leaving ---- */

struct cold *tr_cold(struct tr *t, cold_fn *fn, uint8_t *from)
{
    if (t->ncold == TR_COLD_MAX) {
        t->e.full = true;
        t->ncold = 0;
    }
    struct cold *k = &t->cold[t->ncold++];

    k->fn = fn; /* the rest is for those that have it */
    k->from = from;
    k->more[0] = NULL;
    k->flags = t->flags;
    k->charged = t->charged;
    k->made = t->made;
    k->in = t->in;
    k->back = NULL;
    k->last = k->apart = k->lost = false;
    return k;
}

/* The interpreter goes on with the present instruction (GO_*). */
void tr_go_to(struct tr *t, unsigned how)
{
    tr_flags_clobber(t);
    tr_call_site(t, TH_GO, how, 0, t->start);
    t->ended = true;
}

static void end_in_handler(struct tr *t)
{
    tr_go_to(t, t->in->result == DECODE_OK ? GO_HANDLER : GO_REFUSED);
}

/* ---- handlers ---- */

/* A copy of the instruction and the mark behind it, in the code cache beside the code. */
static void emit_pair(struct tr *t, uint8_t **at)
{
    struct insn pair[2] = {t->in->i, {.fn = slow_went_on}};

    pair[0].n = (uint8_t)(pair[0].n - t->charged); /* what it counts is the rest */

    while ((uintptr_t)t->e.p & 31 && !t->e.full) {
        emit8(&t->e, 0xcc);
    }
    *at = t->e.p;
    emit_bytes(&t->e, pair, sizeof pair);
}

static void cold_pair(struct tr *t, struct cold *k)
{
    uint8_t *at;

    emit_pair(t, &at);
    if (!t->e.full) {
        emit_patch(k->from, at);
    }
}

bool cold_is_data(const struct cold *k)
{
    return k->fn == cold_pair;
}

/* To TH_HANDLER or TH_SYSTEM. */
static void to_handler(struct tr *t, unsigned op, enum thunk th)
{
    tr_flags_clobber(t);
    tr_set_base(t);
    emit_lea_rip(&t->e, H_RDX, t->e.p); /* the pair's place comes later */
    tr_cold(t, cold_pair, t->e.p - 4);
    emit_jump(&t->e, op, t->j->thunk[th]);
}

static void call_handler(struct tr *t)
{
    to_handler(t, 0xe8, TH_HANDLER);
    tr_want_registers(t);
}

/* The end of a block: the handler goes elsewhere by itself. */
static void end_in_system(struct tr *t)
{
    to_handler(t, 0xe9, TH_SYSTEM);
    t->ended = true;
}

/* Which counts its instruction, as what stands at `back` has done if it is charged. */
static void cold_handler(struct tr *t, struct cold *k)
{
    uint8_t charged = t->charged;

    tr_flags_clobber(t);
    tr_uncharge(t);
    call_handler(t);
    if (charged) {
        tr_charge(t, charged);
        t->charged = charged;
    }
    if (k->after != FL_MEM) {
        tr_flags_need(t);
    }
    emit_jump(&t->e, 0xe9, k->back);
}

void tr_cold_handler(struct tr *t, uint8_t *from)
{
    struct cold *k = tr_cold(t, cold_handler, from);

    k->flags = FL_MEM;
    k->after = t->flags;
    k->back = t->e.p;
}

/* What branches may not come back. */
static bool may_branch(const struct tr_insn *in)
{
    return in->result != DECODE_OK || in->d.row->enc & (ENC_END | ENC_JB | ENC_JZ);
}

void tr_handler(struct tr *t)
{
    if (t->in->result == DECODE_OK) {
        t->j->fallbacks[t->in->i.row].sites++;
    }
    if (t->in->result == DECODE_OK && t->in->d.row->enc & ENC_END &&
        !(t->in->d.row->enc & (ENC_JB | ENC_JZ))) { /* not one that its handler may link */
        end_in_system(t);
    } else if (may_branch(t->in)) {
        end_in_handler(t);
    } else {
        call_handler(t);
    }
}

/* ---- bailing out ---- */

void tr_bail_from(struct tr *t, uint8_t *from)
{
    g_assert(t->nbails < TR_BAILS_MAX && t->flags != FL_LAZY);
    t->bails[t->nbails++] = from;
}

void tr_bail(struct tr *t, unsigned cc)
{
    tr_bail_from(t, emit_jump(&t->e, O_0F | 0x80u | cc, NULL));
}

static void cold_end_in_handler(struct tr *t, struct cold *k)
{
    (void)k;
    end_in_handler(t);
}

/* The bails of the instruction that ends here. */
static void place_bails(struct tr *t)
{
    if (t->nbails) {
        bool branch = may_branch(t->in);
        struct cold *k = tr_cold(t, branch ? cold_end_in_handler : cold_handler, t->bails[0]);

        memcpy(k->more, t->bails + 1, (t->nbails - 1) * sizeof t->bails[0]);
        if (t->nbails <= ARRAY_LEN(k->more)) {
            k->more[t->nbails - 1] = NULL;
        }
        k->flags = FL_MEM;
        k->after = t->flags;
        k->back = t->e.p;
        t->nbails = 0;
    }
}

/* ---- the pass ---- */

/* Unless the present instruction knows of what is in RDX. */
static inline void forget_rdx(struct tr *t, const struct lowering *l)
{
    if (t->rdx >= 0 &&
        !(l && (l->kind == LOWER_PLAIN || l->kind == LOWER_JCC || tr_sp_can_wait(t->in)))) {
        t->rdx = -1;
    }
}

/* What the present instruction did to registers. */
static void note_changes(struct tr *t)
{
    windows_after(t);
    view_note_small(t);
    tr_flags_after(t);
    view_check_sp(t);
}

/* Does it leave the stack pointer alone, or know that that was not moved yet? */
static bool minds_sp(const struct tr *t, const struct lowering *l)
{
    return l &&
           (tr_sp_can_wait(t->in) || (l->kind == LOWER_PLAIN && !plain_uses(l->arg, t->in, R_RSP)));
}

static void lower_by_handler(struct tr *t)
{
    if (t->charged >= t->in->i.n) { /* it is not what it seemed */
        tr_flags_clobber(t);
        tr_uncharge(t);
    }
    tr_sp_settle(t);
    tr_handler(t);
    windows_close(t);
    t->rdx = -1;
}

/* The way to the block behind: through the bytes that save flags, or to JIT_OVER bytes before
 * those.
 */
static void emit_way_behind(struct tr *t)
{
    unsigned over = t->saves_behind ? 0 : JIT_OVER;

    while (((uintptr_t)t->e.p + over) & (JIT_ALIGN - 1) && !t->e.full) {
        emit8(&t->e, 0x90);
    }
    emit_bytes(&t->e, "\x66\x90", over);
}

static void lower_all(struct tr *t)
{
    t->ended = false;
    for (unsigned n = 0; n < t->n && !t->ended && !t->e.full; n++) {
        struct tr_insn *in = &t->insn[n];

        t->at = n;
        t->in = in;
        in->host = t->e.p;
        const struct lowering *l = t->in->result == DECODE_OK ? tr_lowering(t) : NULL;

        if (t->sp_pending && !minds_sp(t, l)) {
            tr_sp_settle(t);
        }
        forget_rdx(t, l);
        if (n + 1 < t->n && tr_is_jcc(t, in + 1)) {
            jump_charge(t, l);
        }
        if (!l || !l->fn || !l->fn(t)) {
            lower_by_handler(t);
        }
        forget_rdx(t, l);
        place_bails(t);
        if (t->notes[n].changes) {
            note_changes(t);
        }
    }
    tr_sp_settle(t);
    if (!t->ended) {
        tr_go_on(t, tr_next_ip(t));
    }
    if (t->behind) {
        emit_way_behind(t);
    }
    t->hot_end = t->e.p;
}

/* Those that are warm, or the others, behind the code made so far.  They may add more. */
static void emit_cold(struct tr *t, bool warm)
{
    for (unsigned n = 0; n < t->ncold && !t->e.full; n++) {
        struct cold *k = &t->cold[n];

        if (jump_is_warm(k) != warm) {
            continue;
        }
        if (k->from && k->fn != cold_pair) {
            emit_patch(k->from, t->e.p);
        }
        for (unsigned m = 0; m < ARRAY_LEN(k->more) && k->more[m]; m++) {
            emit_patch(k->more[m], t->e.p);
        }
        t->flags = k->flags;
        t->charged = k->charged;
        t->made = k->made;
        t->fl_known = 0;
        t->in = k->in;
        t->at = (unsigned)(k->in - t->insn);
        t->base_set = false;
        k->host = t->e.p;
        k->fn(t, k);
        place_bails(t);
        k->end = t->e.p;
    }
}

/* Which key the jumps of the block look for first: most lead to code that is mapped alike. */
static bool is_global(const struct cpu *c, uint64_t la)
{
    const struct itlb_entry *it = &c->itlb[la >> PAGE_SHIFT & (ITLB_SIZE - 1)];

    return it->tag & 1 && !((it->tag ^ la) & ~PAGE_OFFSET_MASK) && it->global;
}

void tr_reset(struct tr *t, struct jit *j, struct code_block *k, uint64_t ip, const uint8_t *start)
{
    t->j = j;
    t->c = j->c;
    t->k = k;
    t->ip = ip;
    t->start = start;
    t->flags = FL_MEM;
    t->charged = 0;
    t->made = NULL;
    t->fl_known = 0;
    t->rdx = -1;
    t->sp_pending = 0;
    t->small = 0;
    t->base_set = t->vec = t->x87 = false;
    t->behind = NULL;
    t->saves_behind = false;
    t->ncold = t->nbails = t->nsites = 0;
    windows_close(t);
}

/* See struct jit_code.  (Where anything stands before the first instruction, it may look.) */
static void put_save(uint8_t *save, bool unwanted)
{
    static const uint8_t nop[JIT_SAVE] = {0x0f, 0x1f, 0x84, 0};

    memcpy(save, unwanted ? nop : jit_save, JIT_SAVE);
}

bool translate(struct jit *j, struct code_block *k, uint64_t ip, struct jit_code *code)
{
    struct tr *t = j->tr;
    uint8_t *save = j->rw + j->used, *start = save + JIT_SAVE;

    jit_make_cold_room(j);
    t->e = (struct emit){.p = start, .end = j->rw + j->cold_low};
    tr_reset(t, j, k, ip, start);
    t->global = is_global(j->c, ip + j->c->cs_base);
    /* Every end: it is to be one of the interpreter's blocks too. */
    bool tails = !k->host2 && !j->unlinked && !j->every_end;
    if (!k->n || !tr_decode_block(t, tails)) {
        return false;
    }
    t->in = &t->insn[t->n - 1];
    if (t->in->result == DECODE_OK && t->in->d.row->enc & (ENC_JB | ENC_JZ)) {
        j->hooks.expect(j->c, k->host + (tr_target(t) - ip));
        j->hooks.expect(j->c, k->host + (tr_next_ip(t) - ip));
    }
    if (tr_is_view(t)) {
        view_guess(t);
    }
    t->in = &t->insn[0];
    tr_check_entry(t);
    tr_begin(t);
    t->save_unwanted = t->e.p == start && tr_flags_unwanted(t);
    put_save(save, t->save_unwanted);
    lower_all(t);
    if (!t->behind) {
        emit_cold(t, true);
    }
    if (t->e.full) {
        return false;
    }
    uint8_t *hot_end = t->e.p;
    t->e = (struct emit){.p = j->rw + j->cold, .end = j->rw + j->cold_end};
    emit_cold(t, false);
    *code = (struct jit_code){.ip = ip, .at = (uint32_t)(start - j->rw)};
    view_put_sites(t, code);
    if (t->e.full) {
        return false;
    }
    if (unlikely(j->c->v->m->trace_mask & TR_JIT)) {
        jit_trace_block(t, (size_t)(hot_end - start + t->e.p - (j->rw + j->cold)));
    }
    j->used = align_up((size_t)(hot_end - j->rw), JIT_ALIGN);
    j->cold = (size_t)(t->e.p - j->rw);
    return true;
}
