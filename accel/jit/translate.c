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

struct hrm tr_gpr(unsigned g)
{
    unsigned h = tr_host(g);

    return h == H_NONE ? tr_state_at(g * 8) : hreg(h);
}

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
    k->made = t->made;
    k->in = t->in;
    k->back = NULL;
    k->last = k->apart = k->lost = false;
    return k;
}

/* A call in the page not linked yet. */
static void cold_link(struct tr *t, struct cold *k)
{
    emit_mov_imm(&t->e, H_RAX, k->ip);
    emit_mov_imm(&t->e, H_RCX, (uint64_t)(k->from - t->j->rw));
    emit_jump(&t->e, 0xe8, t->j->thunk[TH_LINK]);
}

static bool is_flat(const struct tr *t)
{
    return t->k->mode & MODE_CS_FLAT;
}

/* Whatever maps this block maps the target: same page, and no page is left half-way.  (IP may wrap
 * around where the linear address does not.) */
static bool may_link(const struct tr *t, uint64_t ip)
{
    uint64_t at = ((uintptr_t)t->k->host & PAGE_OFFSET_MASK) + (ip - t->ip);

    return !t->k->host2 && at < PAGE_BYTES;
}

/* Are there requests?  With several processors at every branch: code that another one has changed
 * must not be run once a later store of it can have been seen. */
static void look(struct tr *t)
{
    emit_op(&t->e, 0, 0x80, 7, tr_state(look));
    emit8(&t->e, 0);
}

void tr_count(struct tr *t)
{
    emit_alu_imm(&t->e, false, 5, tr_state(left), t->in->i.n);
}

/* What a transfer looks at to see whether the run loop is due. */
enum polled { POLL_LEFT = BIT(0), POLL_LOOK = BIT(1), POLL_ALL = POLL_LEFT | POLL_LOOK };

/* With one processor code is changed by devices only: who sees that it has come has more to do than
 * jump in the page or return (calls and other jumps look). */
static unsigned polls_of(const struct tr *t)
{
    return tr_is_smp(t) || t->j->every_end ? POLL_ALL : POLL_LEFT;
}

/* What a jump in the page to ip has to look at.  One forward cannot be gone around with, and a page
 * has few instructions: so less than two quanta and a page come between two looks. */
static unsigned polls_to(const struct tr *t, uint64_t ip)
{
    unsigned polls = polls_of(t);

    return polls == POLL_LEFT && ip > tr_ip(t) ? 0 : polls;
}

/* Count, and see whether the run loop is due: then to a thunk. */
static void count_or_thunk(struct tr *t, unsigned which, enum thunk th)
{
    tr_count(t);
    emit_jump(&t->e, O_0F | 0x8e, t->j->thunk[th]);
    if (which & POLL_LOOK) {
        look(t);
        emit_jump(&t->e, O_0F | 0x85, t->j->thunk[th]);
    }
}

/*
 * Count, and see whether the run loop is due, by short jumps: to where short_polls comes later.
 */
struct polls {
    uint8_t *from[2]; /* or NULL */
};
static struct polls count_short(struct tr *t, unsigned which)
{
    struct polls p = {{NULL}};

    tr_count(t);
    if (which & POLL_LEFT) {
        p.from[0] = emit_jump_short(&t->e, 0x7e); /* jle */
    }
    if (which & POLL_LOOK) {
        look(t);
        p.from[1] = emit_jump_short(&t->e, 0x75); /* jne */
    }
    return p;
}

static void short_polls(struct tr *t, const struct polls *p)
{
    for (unsigned n = 0; n < ARRAY_LEN(p->from) && !t->e.full; n++) {
        if (p->from[n]) {
            emit_patch_short(p->from[n], t->e.p);
        }
    }
}

/*
 * A jump in the page: until it is linked it leads to what stands behind it, and so do the polls of
 * it.  Without polls it is the call of the thunk itself that becomes the jump.  To code that there
 * is already it leads from the first.
 */
static void edge(struct tr *t, uint64_t ip, const struct polls *polls)
{
    bool polled = polls && (polls->from[0] || polls->from[1]);
    const uint8_t *code = tr_code_at(t, ip);

    if (code || polled) {
        emit_jump(&t->e, 0xe9, code);
        t->j->stats.links += code ? 1 : 0;
    }
    if (code && !polled) {
        return;
    }
    if (polled) {
        short_polls(t, polls);
    }
    emit_jump(&t->e, 0xe8, t->j->thunk[polled ? TH_EDGE : TH_EDGE_ALONE]);
    emit16(&t->e, (unsigned)(ip - t->ip)); /* may_link: less than a page either way */
}

/* Across pages, where CS is flat. */
static void jump_cross(struct tr *t, uint64_t ip, const struct polls *polls)
{
    struct cross x = emit_cross(&t->e, 0xe9);

    if (polls) {
        short_polls(t, polls);
    }
    emit_cross_miss(&t->e, t->j, &x, 0xe9, ip);
}

void tr_goto(struct tr *t, uint64_t ip)
{
    tr_flags_clobber(t);
    if (t->j->unlinked) {
        tr_count(t);
        emit_mov_imm(&t->e, H_RAX, ip);
        emit_jump(&t->e, 0xe9, t->j->thunk[TH_LEAVE]);
    } else if (may_link(t, ip)) {
        struct polls polls = count_short(t, polls_to(t, ip));

        edge(t, ip, &polls);
    } else if (is_flat(t)) {
        struct polls polls = count_short(t, POLL_ALL);

        jump_cross(t, ip, &polls);
    } else {
        uint8_t *miss[2];

        emit_mov_imm(&t->e, H_RAX, ip);
        count_or_thunk(t, POLL_ALL, TH_POLL);
        emit_lookup(&t->e, false, t->global, miss);
        emit_jump_entry(&t->e, 4);
        if (!t->e.full) {
            emit_patch(miss[0], t->j->thunk[TH_FIND]);
            emit_patch(miss[1], t->j->thunk[TH_DISPATCH]);
        }
    }
    t->ended = true;
}

static void cold_goto(struct tr *t, struct cold *k)
{
    tr_flags_clobber(t);
    tr_check_target(t, k->ip);
    tr_goto(t, k->ip);
}

void tr_jcc(struct tr *t, unsigned cc, uint64_t ip)
{
    if (may_link(t, ip) && ip <= tr_ip(t) && !t->j->unlinked) { /* a loop: in line */
        enum tr_flags flags = t->flags;
        uint8_t *over = emit_jump_short(&t->e, 0x70u | (cc ^ 1));

        tr_goto(t, ip);
        if (!t->e.full) {
            emit_patch_short(over, t->e.p);
        }
        t->flags = flags;
        t->ended = false;
        return;
    }
    tr_cold(t, cold_goto, emit_jump(&t->e, O_0F | 0x80u | cc, NULL))->ip = ip;
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

/* Without the handler, which would read its operand again: a CALL may have stored there. */
static void cold_fault(struct tr *t, struct cold *k)
{
    (void)k;
    tr_go_to(t, GO_GP0);
}

/* An address in RAX that cannot be is the branch's own fault.  Uses RCX. */
static void check_canonical(struct tr *t)
{
    if (tr_is_64(t)) {
        emit_compare_canonical(&t->e);
        tr_cold(t, cold_fault, emit_jump(&t->e, O_0F | 0x87, NULL));
    }
}

/* Not in the jump cache. */
static void cold_miss(struct tr *t, struct cold *k)
{
    check_canonical(t);
    if (k->commit) {
        k->commit(t);
    }
    tr_count(t);
    if (k->back) { /* a call */
        emit_jump(&t->e, 0xe8, t->j->thunk[TH_COUNTED]);
        emit_jump(&t->e, 0xe9, k->back);
    } else {
        emit_jump(&t->e, 0xe9, t->j->thunk[TH_COUNTED]);
    }
}

void tr_goto_rax(struct tr *t, void (*commit)(struct tr *t))
{
    uint8_t *miss[2];

    emit_lookup(&t->e, is_flat(t), t->global, miss);
    for (unsigned n = 0; n < ARRAY_LEN(miss); n++) {
        tr_cold(t, cold_miss, miss[n])->commit = commit;
    }
    if (commit) {
        commit(t);
    }
    if (t->j->unlinked) {
        tr_count(t);
        emit_jump(&t->e, 0xe9, t->j->thunk[TH_LEAVE]);
    } else {
        count_or_thunk(t, POLL_ALL, TH_POLL);
        emit_jump_entry(&t->e, 4);
    }
    t->ended = true;
}

/* ---- calls and returns ---- */

/*
 * Guest calls are host calls, so that the host's predictor of returns works for the guest: the code
 * behind the call, at `back`, compares where the guest returns to with where it should.  Nothing
 * hangs on the host's stack being right: what does not fit goes through the jump cache, and whoever
 * leaves compiled code forgets all calls under way.  So do polls where they are many; there cannot
 * be more calls than instructions between two polls.
 */

/* RAX = where the guest returned to; the host is behind the call. */
static void after_call(struct tr *t)
{
    uint64_t next = tr_next_ip(t);
    bool wide = tr_is_64(t);

    if (!wide || emit_fits(next)) {
        emit_alu_imm(&t->e, wide, 7, hreg(H_RAX), (int32_t)next);
    } else {
        emit_mov_imm(&t->e, H_RCX, next);
        emit_op(&t->e, X_W, 0x3b, H_RAX, hreg(H_RCX));
    }
    emit_jump(&t->e, O_0F | 0x85, t->j->thunk[TH_RETURNED]);
    if (may_link(t, next)) {
        edge(t, next, NULL);
    } else {
        jump_cross(t, next, NULL);
    }
    t->ended = true;
}

/* The polls of a call to RAX that is made before `back`. */
static void poll_call(struct tr *t, const uint8_t *back)
{
    emit_jump(&t->e, 0xe8, t->j->thunk[TH_POLL]);
    emit_jump(&t->e, 0xe9, back);
}

static void call_near(struct tr *t, uint64_t ip, const struct polls *polls)
{
    uint8_t *to = emit_jump(&t->e, 0xe8, NULL);
    const uint8_t *back = t->e.p;

    tr_cold(t, cold_link, to)->ip = ip;
    after_call(t);
    short_polls(t, polls);
    emit_mov_imm(&t->e, H_RAX, ip);
    poll_call(t, back);
}

static void call_cross(struct tr *t, uint64_t ip, const struct polls *polls)
{
    struct cross x = emit_cross(&t->e, 0xe8);

    after_call(t);
    short_polls(t, polls);
    emit_cross_miss(&t->e, t->j, &x, 0xe8, ip);
    emit_jump(&t->e, 0xe9, x.behind);
}

void tr_call(struct tr *t, uint64_t ip)
{
    if (t->j->unlinked || !is_flat(t)) {
        tr_goto(t, ip);
        return;
    }
    struct polls polls = count_short(t, POLL_ALL);
    if (may_link(t, ip)) {
        call_near(t, ip, &polls);
    } else {
        call_cross(t, ip, &polls);
    }
}

void tr_call_rax(struct tr *t, void (*commit)(struct tr *t))
{
    uint8_t *miss[2];

    if (t->j->unlinked || !is_flat(t)) {
        tr_goto_rax(t, commit);
        return;
    }
    emit_lookup(&t->e, true, t->global, miss);
    struct cold *cold[] = {tr_cold(t, cold_miss, miss[0]), tr_cold(t, cold_miss, miss[1])};
    commit(t);
    struct polls polls = count_short(t, POLL_ALL);
    emit_jump_entry(&t->e, 2);
    const uint8_t *back = t->e.p;
    for (unsigned n = 0; n < ARRAY_LEN(cold); n++) {
        cold[n]->commit = commit;
        cold[n]->back = back;
    }
    after_call(t);
    short_polls(t, &polls);
    poll_call(t, back);
}

/* A return went where nothing can be: as if it had not been made. */
static void cold_not_returned(struct tr *t, struct cold *k)
{
    tr_sp_set(t, R_RSP, -(int32_t)k->size);
    emit_alu_imm(&t->e, false, 0, tr_state(left), t->in->i.n);
    tr_go_to(t, GO_GP0);
}

/* Most return addresses are what they should be, so whether this one can be is for those who find
 * that it is not: they go to RDX. */
static void return_to_rax(struct tr *t, unsigned release)
{
    if (tr_is_64(t)) {
        emit_lea_rip(&t->e, H_RDX, t->e.p);
        tr_cold(t, cold_not_returned, t->e.p - 4)->size = release;
    }
    count_or_thunk(t, polls_of(t), TH_POLL_RET);
    emit8(&t->e, 0xc3);
}

void tr_ret(struct tr *t, void (*commit)(struct tr *t), unsigned release)
{
    if (!is_flat(t) || t->j->unlinked) {
        tr_goto_rax(t, commit);
        return;
    }
    commit(t);
    return_to_rax(t, release);
    t->ended = true;
}

/* ---- handlers ---- */

/* A copy of the instruction and the mark behind it, in the code cache beside the code. */
static void emit_pair(struct tr *t, uint8_t **at)
{
    struct insn pair[2] = {t->in->i, {.fn = slow_went_on}};

    while ((uintptr_t)t->e.p & 31 && !t->e.full) {
        emit8(&t->e, 0xcc);
    }
    *at = t->e.p;
    for (unsigned n = 0; n < sizeof pair / 8; n++) {
        uint64_t v;

        memcpy(&v, (const uint8_t *)pair + n * 8, 8);
        emit64(&t->e, v);
    }
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

static void cold_handler(struct tr *t, struct cold *k)
{
    call_handler(t);
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
static void forget_rdx(struct tr *t, const struct lowering *l)
{
    if (t->rdx >= 0 &&
        !(l && (l->kind == LOWER_PLAIN || tr_is_jcc(t->in) || tr_sp_can_wait(t->in)))) {
        t->rdx = -1;
    }
}

/* Does it leave the stack pointer alone, or know that that was not moved yet? */
static bool minds_sp(const struct tr *t, const struct lowering *l)
{
    return l &&
           (tr_sp_can_wait(t->in) || (l->kind == LOWER_PLAIN && !plain_uses(l->arg, t->in, R_RSP)));
}

static void lower_by_handler(struct tr *t)
{
    tr_sp_settle(t);
    tr_handler(t);
    windows_close(t);
    t->rdx = -1;
}

static void lower_all(struct tr *t)
{
    t->ended = false;
    for (unsigned n = 0; n < t->n && !t->ended && !t->e.full; n++) {
        t->at = n;
        t->in = &t->insn[n];
        t->insn[n].host = t->e.p;
        const struct lowering *l = t->in->result == DECODE_OK ? tr_lowering(t) : NULL;

        if (t->sp_pending && !minds_sp(t, l)) {
            tr_sp_settle(t);
        }
        forget_rdx(t, l);
        if (!l || !l->fn || !l->fn(t)) {
            lower_by_handler(t);
        }
        forget_rdx(t, l);
        place_bails(t);
        windows_after(t);
        view_note_small(t);
        tr_flags_after(t);
        view_check_sp(t);
    }
    tr_sp_settle(t);
    if (!t->ended) {
        tr_goto(t, tr_next_ip(t));
    }
    t->hot_end = t->e.p;
}

/* What is run as often as the block itself: the ways to other blocks. */
static bool is_warm(const struct cold *k)
{
    return k->fn == cold_goto;
}

/* Those that are warm, or the others, behind the code made so far.  They may add more. */
static void emit_cold(struct tr *t, bool warm)
{
    for (unsigned n = 0; n < t->ncold && !t->e.full; n++) {
        struct cold *k = &t->cold[n];

        if (is_warm(k) != warm) {
            continue;
        }
        if (k->from && k->fn != cold_pair) {
            emit_patch(k->from, t->e.p);
        }
        for (unsigned m = 0; m < ARRAY_LEN(k->more) && k->more[m]; m++) {
            emit_patch(k->more[m], t->e.p);
        }
        t->flags = k->flags;
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
    t->made = NULL;
    t->fl_known = 0;
    t->rdx = -1;
    t->sp_pending = 0;
    t->small = 0;
    t->base_set = t->vec = t->x87 = false;
    t->ncold = t->nbails = t->nsites = t->ntraps = 0;
    windows_close(t);
}

struct jit_code *translate(struct jit *j, struct code_block *k, uint64_t ip)
{
    struct tr *t = j->tr;
    struct jit_code *code = (struct jit_code *)(void *)(j->rw + j->used);

    jit_make_cold_room(j);
    t->e = (struct emit){.p = code->code, .end = j->rw + j->cold_low};
    tr_reset(t, j, k, ip, code->code);
    t->global = is_global(j->c, ip + j->c->cs_base);
    /* Every end: it is to be one of the interpreter's blocks too. */
    bool tails = !k->host2 && !j->unlinked && !j->every_end;
    if (!k->n || !tr_decode_block(t, tails)) {
        return NULL;
    }
    if (tr_is_view(t)) {
        view_guess(t);
    }
    t->in = &t->insn[0];
    tr_check_entry(t);
    tr_begin(t);
    lower_all(t);
    emit_cold(t, true);
    view_put_traps(t);
    if (t->e.full) {
        return NULL;
    }
    uint8_t *hot_end = t->e.p;
    t->e = (struct emit){.p = j->rw + j->cold, .end = j->rw + j->cold_end};
    emit_cold(t, false);
    view_put_sites(t, code);
    if (t->e.full) {
        return NULL;
    }
    code->ip = ip;
    code->n = (uint16_t)t->n;
    code->hops = 0;
    if (unlikely(j->c->v->m->trace_mask & TR_JIT)) {
        jit_trace_block(t, code, (size_t)(hot_end - code->code + t->e.p - (j->rw + j->cold)));
    }
    j->used = align_up((size_t)(hot_end - j->rw), 16);
    j->cold = (size_t)(t->e.p - j->rw);
    return code;
}
