/*
 * The ways from block to block in compiled code: jumps and calls, linked or looked up, what they
 * count and when they see whether the run loop is due; and branches that lead straight to their
 * targets.
 *
 * Follows: docs/architecture.md, "The translator".
 *
 * Not modelled: see translate.c.
 */
#include "accel/jit/jit_int.h"

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
    emit_op(&t->e, 0, 0x80, 7, tr_state(due[0].look));
    emit8(&t->e, 0);
}

/* c->left, by ADD or SUB (emit_alu_imm's op) of a few. */
static void change_left(struct tr *t, unsigned op, unsigned by)
{
    static_assert(TR_STATE_DISP(left) == (int8_t)TR_STATE_DISP(left), "in a byte");
    uint8_t bytes[] = {0x83, (uint8_t)(0x45 | op << 3), (uint8_t)TR_STATE_DISP(left), (uint8_t)by};

    emit_bytes(&t->e, bytes, sizeof bytes);
}

void tr_charge(struct tr *t, unsigned count)
{
    change_left(t, 5, count);
}

void tr_count(struct tr *t)
{
    tr_charge(t, t->in->i.n - t->charged);
}

void tr_uncharge(struct tr *t)
{
    if (t->charged) {
        change_left(t, 0, t->charged);
        t->charged = 0;
    }
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

/* Behind a count: jumps for when the run loop is due. */
struct polls {
    uint8_t *from[2]; /* or NULL */
};
static struct polls poll(struct tr *t, unsigned which)
{
    struct polls p = {{NULL}};

    if (which & POLL_LEFT) {
        p.from[0] = emit_jump(&t->e, O_0F | 0x8e, NULL); /* jle */
    }
    if (which & POLL_LOOK) {
        look(t);
        p.from[1] = emit_jump(&t->e, O_0F | 0x85, NULL);
    }
    return p;
}

static struct polls count(struct tr *t, unsigned which)
{
    tr_count(t);
    return poll(t, which);
}

/* Count, and see whether the run loop is due: then to a thunk. */
static void count_or_thunk(struct tr *t, unsigned which, enum thunk th)
{
    struct polls p = count(t, which);

    for (unsigned n = 0; n < ARRAY_LEN(p.from) && !t->e.full; n++) {
        if (p.from[n]) {
            emit_patch(p.from[n], t->j->thunk[th]);
        }
    }
}

static void take_polls(struct cold *k, const struct polls *p)
{
    unsigned more = 0;

    for (unsigned n = 0; p && n < ARRAY_LEN(p->from); n++) {
        if (p->from[n]) {
            k->more[more++] = p->from[n];
        }
    }
    k->more[more] = NULL;
}

void emit_edge_call(struct emit *e, const struct jit *j, enum thunk th, const uint8_t *place,
                    uint64_t by)
{
    struct jit_edge s = {.place = (uint32_t)(place - j->rw), .by = (int16_t)by};

    emit_jump(e, 0xe8, j->thunk[th]);
    emit_bytes(e, &s, sizeof s);
}

static void edge_behind(struct tr *t, const struct cold *k, enum thunk th)
{
    emit_edge_call(&t->e, t->j, th, k->place_of, k->ip - t->ip); /* may_link: less than a page */
}

static void cold_edge(struct tr *t, struct cold *k)
{
    edge_behind(t, k, k->more[0] ? TH_EDGE : TH_LINK);
}

static void cold_straight(struct tr *t, struct cold *k)
{
    edge_behind(t, k, TH_STRAIGHT);
}

/* The jump, call or branch in the page whose rel32 is at `at`: until it is linked it leads to
 * TH_LINK or TH_STRAIGHT, or to TH_EDGE with its polls.  To code that there is already it leads
 * from the first. */
static void edge(struct tr *t, cold_fn *fn, uint8_t *at, uint64_t ip, const struct polls *polls)
{
    bool straight = fn == cold_straight, polled = polls && (polls->from[0] || polls->from[1]);
    const uint8_t *code = ip == t->ip && straight ? t->start : tr_code_at(t, ip);

    if (code && !t->e.full) {
        emit_patch(at, code - (straight ? JIT_SAVE : 0));
        t->j->stats.links++;
    }
    if (!code || polled) {
        struct cold *k = tr_cold(t, fn, code ? NULL : at);

        k->place_of = at;
        k->ip = ip;
        take_polls(k, polls);
    }
}

static void cold_cross(struct tr *t, struct cold *k)
{
    struct cross x = {.op = k->op, .behind = k->back};

    emit_cross_miss(&t->e, t->j, &x, k->ip);
}

/* A jump or call (op) across pages, where CS is flat. */
static void cross(struct tr *t, unsigned op, uint64_t ip, const struct polls *polls)
{
    struct cross x = emit_cross(&t->e, op);
    struct cold *k = tr_cold(t, cold_cross, x.miss);

    k->op = (uint8_t)op;
    k->back = x.behind;
    k->ip = ip;
    take_polls(k, polls);
}

/* Is all counted on the way to ip, in the page, and nothing to be looked at? */
static bool is_straight(const struct tr *t, uint64_t ip)
{
    return t->charged == t->in->i.n && !polls_to(t, ip);
}

/* The flags where they are at a jump that needs none of the host's; true: in those. */
static bool flags_stay(struct tr *t)
{
    if (t->flags == FL_LAZY) {
        tr_flags_need(t);
    }
    return t->flags == FL_HOST;
}

static void go_straight(struct tr *t, uint64_t ip)
{
    cold_fn *fn = flags_stay(t) ? cold_straight : cold_edge;

    edge(t, fn, emit_jump(&t->e, 0xe9, NULL), ip, NULL);
    t->ended = true;
}

void tr_goto(struct tr *t, uint64_t ip)
{
    if (!t->j->unlinked && may_link(t, ip) && is_straight(t, ip)) {
        go_straight(t, ip);
        return;
    }
    tr_flags_clobber(t);
    if (t->j->unlinked) {
        tr_count(t);
        emit_mov_imm(&t->e, H_RAX, ip);
        emit_jump(&t->e, 0xe9, t->j->thunk[TH_LEAVE]);
    } else if (may_link(t, ip)) {
        struct polls polls = count(t, polls_to(t, ip));

        edge(t, cold_edge, emit_jump(&t->e, 0xe9, NULL), ip, &polls);
    } else if (is_flat(t)) {
        struct polls polls = count(t, POLL_LEFT);

        cross(t, 0xe9, ip, &polls);
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

/* ---- what stands right behind a block ---- */

/* Whether the block at ip, in the page, is to be compiled right behind this one, which then goes on
 * there without a jump: processors remember fewer jumps than large programs have.  (Of what is warm
 * there is nothing then that had to stand between.) */
static bool falls(struct tr *t, uint64_t ip)
{
    if (t->j->every_end || t->j->unlinked || !may_link(t, ip) || ip == t->ip) {
        return false;
    }
    for (unsigned n = 0; n < t->ncold; n++) {
        if (jump_is_warm(&t->cold[n])) {
            return false;
        }
    }
    t->behind = jit_follower(t, ip);
    t->behind_ip = ip;
    return t->behind;
}

/* The run loop is due before the block that stands behind. */
static void cold_poll_behind(struct tr *t, struct cold *k)
{
    emit_jump(&t->e, 0xe8, t->j->thunk[TH_POLL_HERE]);
    emit_jump(&t->e, 0xe9, k->back);
    emit_mov_imm(&t->e, H_RAX, k->ip);
    emit_jump(&t->e, 0xe9, t->j->thunk[TH_LEAVE]);
}

void tr_go_on(struct tr *t, uint64_t ip)
{
    if (!falls(t, ip)) {
        tr_goto(t, ip);
        return;
    }
    t->ended = true;
    if (is_straight(t, ip)) {
        t->saves_behind = flags_stay(t);
        return;
    }
    tr_flags_clobber(t);
    struct polls polls = count(t, polls_to(t, ip));
    if (polls.from[0] || polls.from[1]) {
        struct cold *k = tr_cold(t, cold_poll_behind, NULL);

        take_polls(k, &polls);
        k->back = t->e.p;
        k->ip = ip;
    }
}

static void cold_goto(struct tr *t, struct cold *k)
{
    tr_flags_clobber(t);
    tr_check_target(t, k->ip);
    tr_goto(t, k->ip);
}

void tr_jcc(struct tr *t, unsigned cc, uint64_t ip)
{
    if (t->charged == t->in->i.n) {
        edge(t, cold_straight, emit_jump(&t->e, O_0F | 0x80u | cc, NULL), ip, NULL);
        return;
    }
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
    if (falls(t, next)) {
        emit_jump(&t->e, O_0F | 0x85, t->j->thunk[TH_RETURNED]);
    } else if (may_link(t, next)) {
        edge(t, cold_edge, emit_jump(&t->e, O_0F | 0x84, NULL), next, NULL);
        emit_jump(&t->e, 0xe9, t->j->thunk[TH_RETURNED]);
    } else {
        emit_jump(&t->e, O_0F | 0x85, t->j->thunk[TH_RETURNED]);
        cross(t, 0xe9, next, NULL);
    }
    t->ended = true;
}

/* The run loop is due before a call to RAX. */
static void cold_poll_call(struct tr *t, struct cold *k)
{
    emit_jump(&t->e, 0xe8, t->j->thunk[TH_POLL]);
    emit_jump(&t->e, 0xe9, k->back);
}

void tr_call(struct tr *t, uint64_t ip)
{
    if (t->j->unlinked || !is_flat(t)) {
        tr_goto(t, ip);
        return;
    }
    if (may_link(t, ip)) {
        struct polls polls = count(t, POLL_ALL);

        edge(t, cold_edge, emit_jump(&t->e, 0xe8, NULL), ip, &polls);
    } else {
        struct polls polls = count(t, POLL_LEFT);

        cross(t, 0xe8, ip, &polls);
    }
    after_call(t);
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
    struct polls polls = count(t, POLL_ALL);
    emit_jump_entry(&t->e, 2);
    const uint8_t *back = t->e.p;
    struct cold *due = tr_cold(t, cold_poll_call, NULL);
    due->back = back;
    take_polls(due, &polls);
    for (unsigned n = 0; n < ARRAY_LEN(cold); n++) {
        cold[n]->commit = commit;
        cold[n]->back = back;
    }
    after_call(t);
}

/* A return went where nothing can be: as if it had not been made. */
static void cold_not_returned(struct tr *t, struct cold *k)
{
    tr_sp_set(t, R_RSP, -(int32_t)k->size);
    change_left(t, 0, t->in->i.n - t->charged);
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

/* ---- counting ahead ---- */

/* The branch behind the present instruction, if that can lead straight to its target; and what is
 * to be looked at before. */
static const struct tr_insn *straight_behind(struct tr *t, unsigned *polls)
{
    const struct tr_insn *in = t->in, *jcc = in + 1;
    bool good = false;

    if (t->at + 1 < t->n && jcc->result == DECODE_OK && tr_is_jcc(t, jcc) && is_flat(t) &&
        !t->j->unlinked) {
        t->in = jcc;
        *polls = polls_to(t, tr_target(t));
        good = may_link(t, tr_target(t)) && !(*polls && t->notes[t->at].faults);
        t->in = in;
    }
    return good ? jcc : NULL;
}

/* The run loop may be due before an instruction that makes flags.  Those before it are not saved:
 * the interpreter goes on with that very instruction. */
static void cold_poll(struct tr *t, struct cold *k)
{
    emit_jump(&t->e, 0xe8, t->j->thunk[TH_POLL_HERE]);
    emit_jump(&t->e, 0xe9, k->back);
    tr_go_to(t, GO_REFUSED);
}

/* Behind the count. */
static void poll_before(struct tr *t, unsigned polls)
{
    struct polls p = poll(t, polls);
    struct cold *k = tr_cold(t, cold_poll, NULL);

    take_polls(k, &p);
    k->back = t->e.p;
    t->rdx = -1; /* is lost there */
}

/*
 * A branch behind what makes the flags: both are counted before, where the host's flags are not
 * needed, so that the branch itself can be the jump to the target, and need not save them.
 */
void jump_charge(struct tr *t, const struct lowering *l)
{
    bool makes = l && tr_flags_are_made(t);
    unsigned polls;
    const struct tr_insn *jcc = makes ? straight_behind(t, &polls) : NULL;

    if (!jcc) {
        return;
    }
    if (t->notes[t->at].faults) {
        tr_flags_put_off(t);
    }
    if (polls) {
        tr_sp_settle(t);
    }
    t->flags = t->flags == FL_LAZY ? FL_LAZY : FL_MEM;
    tr_charge(t, jcc->i.n - t->charged);
    t->charged = jcc->i.n;
    if (polls) {
        poll_before(t, polls);
    }
}

/* What is run as often as the block itself: the ways to other blocks. */
bool jump_is_warm(const struct cold *k)
{
    return k->fn == cold_goto;
}
