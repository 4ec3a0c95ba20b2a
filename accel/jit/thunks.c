/*
 * The host code all translated blocks share: the ways in and out, calls into C.
 *
 * Registers at each, beside the guest's (tr.h):
 *   TH_ENTER_FIRST a handler: runs the code of its instruction (jit_first)
 *   TH_ENTER      a C function (c, code): runs `code`, ends as a handler ends
 *   TH_EXIT       all is in struct cpu, c->ip too: back to the run loop
 *   TH_LEAVE      RAX = guest IP to go on at: back to the run loop
 *   TH_TO_INTERP  RCX = jump-cache entry, RAX = guest IP: the interpreter goes on with its block
 *   TH_GO         (called, a struct jit_site behind the call) the interpreter goes on with that
 *                 instruction; c->fl is right
 *   TH_TAIL       RDX = instruction, RAX = its handler, which goes on; c->fl and R_BASE are right
 *   TH_DISPATCH   RAX = guest IP: go there, through the jump cache
 *   TH_COUNTED    the same after a count whose result nobody has looked at
 *   TH_FIND       RAX = guest IP: go there by the engine; what the jump cache knows is no good
 *   TH_POLL       RAX = guest IP: the quantum is used up, or there may be requests
 *   TH_POLL_RET   the same for a return, which goes on with RET
 *   TH_POLL_HERE  (called) the same in the midst of a block: comes back, or behind the jump that
 *                 stands there (POLL_JUMP) when the run loop is due
 *   TH_RETURNED   RAX = guest IP that a guest return went to, RDX = where to go if that cannot be
 *   TH_BASE       returned to by a guest return without a call under way; RAX = guest IP
 *   TH_EDGE       (called, a struct jit_edge behind the call) a jump or call in a page that is not
 *                 linked, or the quantum is used up, or there may be requests
 *   TH_LINK       (likewise) only not linked: of what has no polls, or may be a branch
 *   TH_STRAIGHT   (likewise, flags in the host's) a branch counted before is not linked
 *   TH_CROSS      (called, behind the call where in the cache it is that is behind a jump across
 *                 pages, CROSS_*) RAX = guest IP; that is not linked, or for other mappings; or as
 *                 TH_EDGE
 *   TH_CROSS_CALL the same of a call
 *   TH_MOVED      (called by the entry of a dropped block) go to what is in its place
 *   TH_HANDLER    (called) RDX = instruction and its successor slow_went_on
 *   TH_SYSTEM     RDX = instruction, of those that end a block: its handler, which goes on
 *   TH_LOAD, TH_WINDOW (called, a struct jit_site behind the call) RDX = linear address: goes back
 *                 to the site's hot code with RDX = host address
 *   TH_LOAD_APART (likewise) with RDX = what is to be added to have the host address
 *   TH_STORE, TH_RMW, TH_LOCK (likewise) RDX = where to do it; come back behind the site
 *   TH_*_AT       those with the linear address as a look at the TLB leaves it in RAX and RCX; of a
 *                 window: at the tag for reads, or (TH_WINDOW_AT_W) for writes
 *   TH_DONE       (called) after the operation: goes back to the site's hot code; keeps flags
 *   TH_VEC_STORE, TH_VEC_LOAD (called) vector registers between host and c->fpu.ymm; keep flags and
 *                 every other register
 *   TH_X87_LOAD   (called) the x87 registers into the host's; vector registers are stored
 *   TH_FAULT      (as if called, by a signal's handler) an instruction faulted in the host; keeps
 *                 all that it finds
 *   TH_SPARE      room for code that finds none in the cache (fault.c)
 *
 * Not modelled: unwinding information; exceptions leave by longjmp.
 */
#include "accel/jit/jit_int.h"
#include "cpu/fpu.h"

static void go(struct emit *e, const struct jit *j, enum thunk th)
{
    emit_jump(e, 0xe9, j->thunk[th]);
}

/* Call the C function at RAX; guest registers are stored, RBX is lost. */
static void call_rax(struct emit *e)
{
    emit_mov_rr(e, true, H_RBX, H_RSP);
    emit_alu_imm(e, true, 4, hreg(H_RSP), -16);
    emit_op(e, 0, 0xff, 2, hreg(H_RAX));
    emit_mov_rr(e, true, H_RSP, H_RBX);
}

static void call_c(struct emit *e, const void *fn)
{
    emit_mov_imm(e, H_RAX, (uint64_t)(uintptr_t)fn);
    call_rax(e);
}

static void store_regs(struct emit *e)
{
    for (unsigned g = 0; g < 16; g++) {
        if (tr_host(g) != H_NONE) {
            emit_store(e, true, tr_state_at(g * 8), tr_host(g));
        }
    }
}

static void load_regs(struct emit *e, bool all)
{
    static const uint16_t callee_saved =
        BIT(H_R12) | BIT(H_R13) | BIT(H_R14); /* RBX holds the stack pointer meanwhile */

    for (unsigned g = 0; g < 16; g++) {
        if (tr_host(g) != H_NONE && (all || !(callee_saved & BIT(tr_host(g))))) {
            emit_load(e, true, tr_host(g), tr_state_at(g * 8));
        }
    }
    if (all) {
        emit_load(e, true, H_R15, tr_state(r15));
    }
}

/* Everything into struct cpu.  Keeps RAX, RCX, RDX; destroys flags. */
static void store_state(struct emit *e, const struct jit *j)
{
    store_regs(e);
    emit_op(e, 0, 0x80, 7, tr_state(vec_live));
    emit8(e, 0);
    uint8_t *no = emit_jump(e, O_0F | 0x84, NULL);
    emit_jump(e, 0xe8, j->thunk[TH_VEC_STORE]);
    emit_patch(no, e->p);
}

static void lea_cpu(struct emit *e, unsigned reg)
{
    emit_lea(e, true, reg, hmem(H_RBP, -STATE_BIAS));
}

/* icount -= left; left = 0.  Uses RCX. */
static void settle(struct emit *e)
{
    emit_op(e, X_W, 0x63, H_RCX, tr_state(left));
    emit_op(e, X_W, 0x29, H_RCX, tr_state(icount));
    emit_op(e, 0, 0xc7, 0, tr_state(left));
    emit32(e, 0);
}

/* A new quantum.  Uses RCX and RDX. */
static void refill(struct emit *e)
{
    emit_op(e, X_W, 0x63, H_RCX, tr_state(left));
    emit_op(e, X_W, 0x63, H_RDX, tr_state(quantum));
    emit_store(e, false, tr_state(left), H_RDX);
    emit_op(e, X_W, 0x29, H_RCX, hreg(H_RDX));
    emit_op(e, X_W, 0x01, H_RDX, tr_state(icount));
}

static const uint8_t saved[] = {H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15};

/* Forget the guest calls under way: compiled code is left. */
static void frame_pop(struct emit *e)
{
    emit_op(e, 0, 0xc6, 0, tr_state(inside));
    emit8(e, false);
    emit_load(e, true, H_RSP, tr_state(host_base));
    for (unsigned n = ARRAY_LEN(saved); n-- > 0;) {
        emit_pop(e, saved[n]);
    }
}

/* TH_BASE's address stays below the frame. */
void emit_forget_calls(struct emit *e)
{
    emit_load(e, true, H_RSP, tr_state(host_base));
    emit_alu_imm(e, true, 5, hreg(H_RSP), 8);
}

/* As j->slow says. */
static void go_slow(struct emit *e, const struct jit *j)
{
    emit_mov_imm(e, H_RCX, (uint64_t)(uintptr_t)&j->slow);
    emit_load(e, true, H_RDX, hmem(H_RCX, offsetof(struct jit_slow, i)));
    emit_load(e, true, H_RAX, hmem(H_RCX, offsetof(struct jit_slow, fn)));
    emit_op(e, X_W, 0x85, H_RAX, hreg(H_RAX));
    emit_jump(e, O_0F | 0x84, j->thunk[TH_EXIT]);
    go(e, j, TH_TAIL);
}

/* A jump for when the stack pointer is not where a view can have it. */
static uint8_t *far_sp(struct emit *e, unsigned sp)
{
    emit_op(e, X_W, 0x3b, sp, tr_state(sp_max));
    return emit_jump(e, O_0F | 0x87, NULL);
}

static void emit_enter(struct emit *e, struct jit *j)
{
    thunk_begin(e, j, TH_ENTER_FIRST);
    /* A handler that compiled code called went elsewhere: back to it. */
    emit_op(e, 0, 0x80, 7, hmem(H_RDI, offsetof(struct cpu, inside)));
    emit8(e, false);
    uint8_t *called = emit_jump(e, O_0F | 0x85, NULL);
    static_assert(offsetof(struct jit_code, first_fn) == 0, "what jit_first gives");
    emit_load(e, false, H_RSI, hmem(H_RSI, offsetof(struct jit_code, at)));
    emit_mov_imm(e, H_RAX, (uint64_t)(uintptr_t)j->rx);
    emit_op(e, X_W, 0x03, H_RSI, hreg(H_RAX));
    thunk_begin(e, j, TH_ENTER);
    for (unsigned n = 0; n < ARRAY_LEN(saved); n++) {
        emit_push(e, saved[n]);
    }
    emit_lea(e, true, H_RBP, hmem(H_RDI, STATE_BIAS));
    emit_mov_rr(e, true, H_RAX, H_RSI);
    emit_op(e, 0, 0xc6, 0, tr_state(inside));
    emit8(e, true);
    emit_store(e, true, tr_state(host_base), H_RSP);
    emit_lea(e, true, H_RCX, hmem(H_RSP, -HOST_CALLS * 8));
    emit_store(e, true, tr_state(host_limit), H_RCX);
    emit_mov_imm(e, H_RCX, (uint64_t)(uintptr_t)(j->rx + (j->thunk[TH_BASE] - j->rw)));
    emit_push(e, H_RCX);
    refill(e);
    emit_op(e, 0, 0xc6, 0, tr_state(code_dropped));
    emit8(e, 0);
    load_regs(e, true);
    uint8_t *far = far_sp(e, tr_host(R_RSP));
    emit_op(e, 0, 0xff, 4, hreg(H_RAX));
    emit_patch(far, e->p);
    lea_cpu(e, H_RDI);
    emit_mov_rr(e, true, H_RSI, H_RAX);
    call_c(e, (const void *)(uintptr_t)slow_far_sp);
    load_regs(e, true);
    go_slow(e, j);
    emit_patch(called, e->p);
    emit_load(e, true, H_RAX, hmem(H_RDI, offsetof(struct cpu, r[R_BASE])));
    emit_store(e, true, hmem(H_RDI, offsetof(struct cpu, ip)), H_RAX);
    emit_ret(e);
}

/* A handler is called for the instruction at RDX.  Uses RAX and RCX. */
static void count_call(struct emit *e, const struct jit *j)
{
    static_assert(sizeof(struct jit_fallback) == 16, "shift by 4");
    emit_op(e, 0, O_0F | 0xb7, H_RCX, hmem(H_RDX, offsetof(struct insn, row)));
    emit_op(e, 0, 0xc1, 4, hreg(H_RCX));
    emit8(e, 4);
    emit_mov_imm(e, H_RAX, (uint64_t)(uintptr_t)&j->fallbacks[0].calls);
    emit_op(e, X_W, 0xff, 0, hmem_index(H_RAX, H_RCX, 0, 0));
}

static void emit_exits(struct emit *e, struct jit *j)
{
    thunk_begin(e, j, TH_EXIT);
    settle(e);
    frame_pop(e);
    emit_ret(e);

    thunk_begin(e, j, TH_LEAVE);
    emit_store(e, true, tr_state(ip), H_RAX);
    store_state(e, j);
    go(e, j, TH_EXIT);

    thunk_begin(e, j, TH_TO_INTERP);
    emit_load(e, true, H_RDX, hmem(H_RCX, offsetof(struct jcache_entry, first)));
    emit_store(e, true, tr_state(r[R_BASE]), H_RAX);
    emit_load(e, true, H_RAX, hmem(H_RDX, offsetof(struct insn, fn)));
    thunk_begin(e, j, TH_TAIL);
    store_state(e, j);
    emit_mov_rr(e, true, H_RSI, H_RDX);
    lea_cpu(e, H_RDI);
    settle(e);
    frame_pop(e);
    emit_op(e, 0, 0xff, 4, hreg(H_RAX));
}

/* Compare the key of the entry at RCX.  Uses RDX. */
static void compare_key(struct emit *e, bool global)
{
    emit_load(e, true, H_RDX, global ? tr_state(gkey) : tr_state(jkey));
    emit_op(e, X_W, 0x39, H_RDX, hmem(H_RCX, offsetof(struct jcache_entry, key)));
}

/* Is the entry at RCX that of the target in register `at`, under the key looked for? */
static void compare_entry(struct emit *e, unsigned at, bool global, uint8_t *miss[2])
{
    emit_op(e, X_W, 0x39, at, hmem(H_RCX, offsetof(struct jcache_entry, at)));
    miss[0] = emit_jump(e, O_0F | 0x85, NULL);
    compare_key(e, global);
    miss[1] = emit_jump(e, O_0F | 0x85, NULL);
}

void emit_lookup(struct emit *e, bool flat, bool global, uint8_t *miss[2])
{
    unsigned la = flat ? H_RAX : H_RDX;

    if (!flat) {
        emit_mov_rr(e, true, H_RDX, H_RAX);
        emit_op(e, X_W, 0x03, H_RDX, tr_state(cs_base));
    }
    emit_mov_rr(e, true, H_RCX, la); /* jcache_index */
    emit_op(e, X_W, 0xc1, 5, hreg(H_RCX));
    emit8(e, 13);
    emit_op(e, 0, 0x33, H_RCX, hreg(la));
    emit_alu_imm(e, false, 4, hreg(H_RCX), JCACHE_SIZE - 1);
    static_assert(sizeof(struct jcache_entry) == 32, "shift by 5");
    emit_op(e, 0, 0xc1, 4, hreg(H_RCX));
    emit8(e, 5);
    emit_op(e, X_W, 0x03, H_RCX, tr_state(jcache));
    if (!flat) { /* jcache_at */
        emit_load(e, true, H_RDX, tr_state(cs_base));
        emit_op(e, X_W, 0xc1, 4, hreg(H_RDX));
        emit8(e, 32);
        emit_op(e, X_W, 0x03, H_RDX, hreg(H_RAX));
    }
    compare_entry(e, la, global, miss);
}

void emit_jump_entry(struct emit *e, unsigned op)
{
    emit_op(e, 0, 0xff, op, hmem(H_RCX, offsetof(struct jcache_entry, code)));
}

struct cross emit_cross(struct emit *e, unsigned op)
{
    struct cross x = {.op = op};

    static_assert(sizeof(struct cpu_due) == 8 && offsetof(struct cpu_due, gen) == 0, "at one go");
    emit_op(e, X_W, 0x81, 7, tr_state(due[0]));
    emit32(e, (uint32_t)CROSS_NO_GEN);
    x.miss = emit_jump(e, O_0F | 0x85, NULL);
    emit_jump(e, op, NULL);
    x.behind = e->p;
    return x;
}

void emit_cross_miss(struct emit *e, const struct jit *j, const struct cross *x, uint64_t ip)
{
    emit_mov_imm(e, H_RAX, ip);
    emit_jump(e, 0xe8, j->thunk[x->op == 0xe8 ? TH_CROSS_CALL : TH_CROSS]);
    emit32(e, (uint32_t)(x->behind - j->rw));
}

/* RAX = code to go to, or NULL. */
static void go_to_found(struct emit *e, const struct jit *j)
{
    emit_op(e, X_W, 0x85, H_RAX, hreg(H_RAX));
    emit_jump(e, O_0F | 0x84, j->thunk[TH_EXIT]);
    load_regs(e, true);
    emit_op(e, 0, 0xff, 4, hreg(H_RAX));
}

/* Guest calls that are too deep are forgotten. */
static void check_depth(struct emit *e)
{
    emit_op(e, X_W, 0x3b, H_RSP, tr_state(host_limit));
    uint8_t *good = emit_jump_short(e, 0x73); /* jae */
    emit_forget_calls(e);
    emit_patch_short(good, e->p);
}

/* The quantum is used up: to leave[] when somebody wants something, else begin a new one.  Uses
 * RCX. */
static void poll(struct emit *e, uint8_t *leave[3])
{
    emit_op(e, 0, 0x80, 7, tr_state(due[0].look)); /* mostly none: a lock takes its time */
    emit8(e, 0);
    uint8_t *none = emit_jump_short(e, 0x74);
    emit_op(e, 0, 0xc6, 0, tr_state(due[1].look));
    emit8(e, 0);
    emit_op(e, X_LOCK, 0x80, 4, tr_state(due[0].look)); /* and 0: before requests are looked at */
    emit8(e, 0);
    emit_patch_short(none, e->p);
    emit_load(e, true, H_RCX, tr_state(v));
    emit_op(e, 0, 0x83, 7, hmem(H_RCX, offsetof(struct vcpu, requests)));
    emit8(e, 0);
    leave[0] = emit_jump(e, O_0F | 0x85, NULL);
    emit_op(e, 0, 0x81, 7, tr_state(quantum)); /* less: its instructions are counted (check.c) */
    emit32(e, JIT_QUANTUM);
    leave[1] = emit_jump(e, O_0F | 0x82, NULL);
    leave[2] = far_sp(e, tr_host(R_RSP));
    check_depth(e);
}

/* For RAX.  Uses RDX too. */
static void poll_for_rax(struct emit *e, const struct jit *j)
{
    uint8_t *leave[3];

    poll(e, leave);
    refill(e);
    for (unsigned n = 0; n < ARRAY_LEN(leave); n++) {
        emit_patch(leave[n], j->thunk[TH_LEAVE]);
    }
}

/* Jumps for when the run loop is due: the quantum is used up, or there may be requests. */
static void if_due(struct emit *e, uint8_t *due[2])
{
    emit_op(e, 0, 0x83, 7, tr_state(left));
    emit8(e, 0);
    due[0] = emit_jump(e, O_0F | 0x8e, NULL);
    emit_op(e, 0, 0x80, 7, tr_state(due[0].look));
    emit8(e, 0);
    due[1] = emit_jump(e, O_0F | 0x85, NULL);
}

/* The same to TH_POLL. */
static void poll_if_due(struct emit *e, const struct jit *j)
{
    uint8_t *due[2];

    if_due(e, due);
    emit_patch(due[0], j->thunk[TH_POLL]);
    emit_patch(due[1], j->thunk[TH_POLL]);
}

/* fn(c, RDX): what stands behind the call that led here. */
static void ask_behind(struct emit *e, const struct jit *j, const void *fn)
{
    store_state(e, j);
    lea_cpu(e, H_RDI);
    emit_mov_rr(e, true, H_RSI, H_RDX);
    call_c(e, fn);
}

/* Go to the code that it gives, if it gives any. */
static void go_where(struct emit *e, const struct jit *j, const void *fn)
{
    ask_behind(e, j, fn);
    go_to_found(e, j);
}

/* RDX = the place in the cache that stands at RDX, and `by`.  Uses RCX. */
static void place_at(struct emit *e, const struct jit *j, int by)
{
    emit_load(e, false, H_RDX, hmem(H_RDX, 0));
    emit_mov_imm(e, H_RCX, (uint64_t)(uintptr_t)j->rx + (uint64_t)(int64_t)by);
    emit_op(e, X_W, 0x03, H_RDX, hreg(H_RCX));
}

/* Who is due goes to the jump or call itself.  (That of one which was on its way already is done
 * twice: it takes a return address too many.) */
static void emit_edge(struct emit *e, struct jit *j)
{
    uint8_t *due[2], *leave[3];

    thunk_begin(e, j, TH_EDGE);
    emit_pop(e, H_RDX);
    if_due(e, due);
    go_where(e, j, (const void *)(uintptr_t)slow_edge);
    emit_patch(due[0], e->p);
    emit_patch(due[1], e->p);
    poll(e, leave);
    static_assert(offsetof(struct jit_edge, place) == 0, "read first");
    place_at(e, j, -1);
    emit_push(e, H_RDX);
    refill(e);
    emit_ret(e);
    for (unsigned n = 0; n < ARRAY_LEN(leave); n++) {
        emit_patch(leave[n], e->p);
    }
    ask_behind(e, j, (const void *)(uintptr_t)slow_edge_ip);
    go(e, j, TH_EXIT);
}

static void emit_poll_here(struct emit *e, struct jit *j)
{
    uint8_t *leave[3];

    thunk_begin(e, j, TH_POLL_HERE);
    emit_pop(e, H_RAX);
    poll(e, leave);
    refill(e);
    emit_op(e, 0, 0xff, 4, hreg(H_RAX));
    for (unsigned n = 0; n < ARRAY_LEN(leave); n++) {
        emit_patch(leave[n], e->p);
    }
    emit_alu_imm(e, true, 0, hreg(H_RAX), POLL_JUMP);
    emit_op(e, 0, 0xff, 4, hreg(H_RAX));
}

/* Jump unless the entry at RCX leads to the interpreter; keeps RAX. */
static uint8_t *jump_unless_interp(struct emit *e, const struct jit *j)
{
    emit_push(e, H_RAX);
    emit_lea_rip(e, H_RAX, j->thunk[TH_TO_INTERP]);
    emit_op(e, X_W, 0x3b, H_RAX, hmem(H_RCX, offsetof(struct jcache_entry, code)));
    emit_pop(e, H_RAX);
    return emit_jump(e, O_0F | 0x85, NULL);
}

/* What the jump cache knows is good enough but for jumps that can be linked now, and for one in
 * many. */
static void emit_to_cross(struct emit *e, struct jit *j)
{
    uint8_t *miss[2], *ask[2];

    thunk_begin(e, j, TH_CROSS_CALL);
    emit_pop(e, H_RDX);
    place_at(e, j, 0);
    emit_push(e, H_RDX);
    uint8_t *both = emit_jump(e, 0xe9, NULL);
    thunk_begin(e, j, TH_CROSS);
    emit_pop(e, H_RDX);
    place_at(e, j, 0);
    emit_patch(both, e->p);
    poll_if_due(e, j);
    emit_push(e, H_RDX);
    emit_lookup(e, true, false, miss);
    const uint8_t *found = e->p;
    emit_pop(e, H_RDX);
    emit_op(e, 0, 0x83, 7, hmem(H_RDX, CROSS_GEN));
    emit8(e, (uint8_t)CROSS_NO_GEN);
    uint8_t *linked = emit_jump(e, O_0F | 0x85, NULL);
    ask[0] = jump_unless_interp(e, j);
    emit_jump_entry(e, 4);
    emit_patch(linked, e->p);
    emit_alu_imm(e, false, 5, tr_state(relink), 1);
    ask[1] = emit_jump(e, O_0F | 0x88, NULL);
    emit_jump_entry(e, 4);

    emit_patch(miss[1], e->p);
    compare_key(e, true);
    emit_jump(e, O_0F | 0x84, found);
    emit_patch(miss[0], e->p);
    emit_pop(e, H_RDX);
    emit_patch(ask[0], e->p);
    emit_patch(ask[1], e->p);
    emit_store(e, true, tr_state(ip), H_RAX);
    go_where(e, j, (const void *)(uintptr_t)slow_cross);
}

void emit_compare_canonical(struct emit *e)
{
    emit_mov_rr(e, true, H_RCX, H_RAX);
    emit_op(e, X_W, 0xc1, 7, hreg(H_RCX)); /* sar: 0 or -1 */
    emit8(e, 47);
    emit_alu_imm(e, false, 0, hreg(H_RCX), 1);
    emit_alu_imm(e, false, 7, hreg(H_RCX), 1);
}

/* To RDX unless RAX can be an address; 32 bits of it can always.  Uses RCX. */
static void check_returned(struct emit *e)
{
    emit_compare_canonical(e);
    uint8_t *good = emit_jump_short(e, 0x76); /* jbe */
    emit_op(e, 0, 0xff, 4, hreg(H_RDX));
    emit_patch_short(good, e->p);
}

/* Jumps in a page that are not linked. */
static void emit_links(struct emit *e, struct jit *j)
{
    emit_edge(e, j);

    thunk_begin(e, j, TH_LINK);
    emit_pop(e, H_RDX);
    go_where(e, j, (const void *)(uintptr_t)slow_edge);

    thunk_begin(e, j, TH_STRAIGHT);
    emit_bytes(e, jit_save, sizeof jit_save);
    emit_pop(e, H_RDX);
    go_where(e, j, (const void *)(uintptr_t)slow_straight);

    thunk_begin(e, j, TH_MOVED);
    emit_pop(e, H_RDX);
    go_where(e, j, (const void *)(uintptr_t)slow_moved);
}

static void emit_finds(struct emit *e, struct jit *j)
{
    thunk_begin(e, j, TH_FIND);
    emit_store(e, true, tr_state(ip), H_RAX);
    store_state(e, j);
    lea_cpu(e, H_RDI);
    call_c(e, (const void *)(uintptr_t)slow_find);
    go_to_found(e, j);

    emit_links(e, j);

    thunk_begin(e, j, TH_POLL);
    poll_for_rax(e, j);
    thunk_begin(e, j, TH_DISPATCH);
    uint8_t *miss[2];
    emit_lookup(e, false, false, miss);
    emit_jump_entry(e, 4);
    emit_patch(miss[0], j->thunk[TH_FIND]);
    emit_patch(miss[1], e->p);
    compare_key(e, true);
    emit_jump(e, O_0F | 0x85, j->thunk[TH_FIND]);
    emit_jump_entry(e, 4);

    thunk_begin(e, j, TH_COUNTED);
    poll_if_due(e, j);
    go(e, j, TH_DISPATCH);

    thunk_begin(e, j, TH_POLL_RET);
    check_returned(e); /* so RDX will not be asked for, and nothing is on the stack for poll */
    poll_for_rax(e, j);
    emit_ret(e);

    emit_poll_here(e, j);
    emit_to_cross(e, j);

    /* The return address below all others. */
    thunk_begin(e, j, TH_BASE);
    emit_mov_imm(e, H_RCX, (uint64_t)(uintptr_t)(j->rx + (j->thunk[TH_BASE] - j->rw)));
    emit_push(e, H_RCX);
    thunk_begin(e, j, TH_RETURNED);
    check_returned(e);
    go(e, j, TH_DISPATCH);
}

static void emit_handler(struct emit *e, struct jit *j)
{
    thunk_begin(e, j, TH_HANDLER);
    emit_op(e, 0, 0xff, 6, tr_state(jkey)); /* push */
    emit_push(e, H_RDX);
    count_call(e, j);
    store_state(e, j);
    emit_mov_rr(e, true, H_RSI, H_RDX);
    lea_cpu(e, H_RDI);
    emit_load(e, true, H_RAX, hmem(H_RSI, offsetof(struct insn, fn)));
    call_rax(e);
    emit_pop(e, H_RSI);
    emit_op(e, 0, 0x80, 7, tr_state(went_on));
    emit8(e, 0);
    emit_jump(e, O_0F | 0x84, j->thunk[TH_EXIT]);
    emit_op(e, 0, 0xc6, 0, tr_state(went_on));
    emit8(e, 0);
    emit_op(e, 0, 0x80, 7, tr_state(code_dropped));
    emit8(e, 0);
    uint8_t *dropped = emit_jump(e, O_0F | 0x85, NULL);
    emit_load(e, true, H_RAX, tr_state_at(R_RSP * 8));
    uint8_t *far = far_sp(e, H_RAX);
    emit_load(e, false, H_RCX, hmem(H_RSP, 0)); /* of the key, the mode */
    emit_op(e, 0, 0x33, H_RCX, tr_state(jkey));
    emit_op(e, X_66, 0x85, H_RCX, hreg(H_RCX));
    uint8_t *mode = emit_jump(e, O_0F | 0x85, NULL);
    load_regs(e, true);
    emit_pop(e, H_RCX);
    emit_op(e, X_W, 0x3b, H_RCX, tr_state(jkey));
    uint8_t *changed = emit_jump(e, O_0F | 0x85, NULL);
    emit_ret(e);
    /* Callers may be mapped otherwise now: their calls are forgotten. */
    emit_patch(changed, e->p);
    emit_pop(e, H_RCX);
    emit_forget_calls(e);
    emit_op(e, 0, 0xff, 4, hreg(H_RCX));
    emit_patch(dropped, e->p);
    emit_patch(far, e->p);
    emit_patch(mode, e->p);
    lea_cpu(e, H_RDI);
    call_c(e, (const void *)(uintptr_t)slow_after);
    go(e, j, TH_EXIT);
}

static void emit_system(struct emit *e, struct jit *j)
{
    thunk_begin(e, j, TH_SYSTEM);
    count_call(e, j);
    emit_load(e, true, H_RAX, hmem(H_RDX, offsetof(struct insn, fn)));
    go(e, j, TH_TAIL);
}

/* RCX = the site (struct jit_site) whose call this is, or has been for TH_DONE: vector registers as
 * its block has them.  Flags are lost. */
static void vec_as_site(struct emit *e, const struct jit *j)
{
    emit_op(e, 0, 0xf6, 0, hmem(H_RCX, sizeof(int32_t))); /* test at:flags */
    emit8(e, SITE_VEC << SITE_FLAGS_SHIFT);
    uint8_t *no = emit_jump(e, O_0F | 0x84, NULL);
    emit_jump(e, 0xe8, j->thunk[TH_VEC_LOAD]);
    emit_patch(no, e->p);
}

/* Back into the hot code of the site at RCX, instead of behind the call; keeps flags and RDX. */
static void go_back(struct emit *e)
{
    static_assert(offsetof(struct jit_site, back) == 0 && sizeof(int32_t) == 4, "rel32");
    emit_op(e, X_W, 0x63, H_RAX, hmem(H_RCX, 0)); /* movsxd */
    emit_lea(e, true, H_RCX, hmem_index(H_RCX, H_RAX, 0, 4));
    emit_lea(e, true, H_RSP, hmem(H_RSP, 8));
    emit_op(e, 0, 0xff, 4, hreg(H_RCX));
}

/* RDX = what fn makes of the linear address there; RCX is the site again. */
static void ask_site(struct emit *e, struct jit *j, enum thunk th, const void *fn)
{
    thunk_begin(e, j, th);
    emit_load(e, true, H_RCX, hmem(H_RSP, 0));
    store_state(e, j);
    emit_mov_rr(e, true, H_RSI, H_RDX);
    emit_mov_rr(e, true, H_RDX, H_RCX);
    lea_cpu(e, H_RDI);
    call_c(e, fn);
    emit_mov_rr(e, true, H_RDX, H_RAX);
    load_regs(e, false);
    emit_load(e, true, H_RCX, hmem(H_RSP, 0));
}

static void emit_slow(struct emit *e, struct jit *j, enum thunk th, const void *fn)
{
    ask_site(e, j, th, fn);
    vec_as_site(e, j);
    if (th == TH_LOAD || th == TH_LOAD_APART) {
        go_back(e);
    } else { /* over the site */
        emit_alu_imm(e, true, 0, hmem(H_RSP, 0), sizeof(struct jit_site));
        emit_ret(e);
    }
}

/* RAX is how far from the tag of the TLB's entry at RCX. */
static void emit_at(struct emit *e, struct jit *j, enum thunk th, enum thunk as, bool write)
{
    thunk_begin(e, j, th);
    emit_mov_rr(e, true, H_RDX, H_RAX);
    emit_op(e, X_W, 0x03, H_RDX, tr_tlb_tag(false, write)); /* add */
    go(e, j, as);
}

static void emit_all_at(struct emit *e, struct jit *j)
{
    emit_at(e, j, TH_LOAD_AT, TH_LOAD_APART, false);
    emit_at(e, j, TH_STORE_AT, TH_STORE, true);
    emit_at(e, j, TH_RMW_AT, TH_RMW, true);
    emit_at(e, j, TH_LOCK_AT, TH_LOCK, true);
    emit_at(e, j, TH_WINDOW_AT, TH_WINDOW, false);
    emit_at(e, j, TH_WINDOW_AT_W, TH_WINDOW, true);
}

static void emit_window(struct emit *e, struct jit *j)
{
    ask_site(e, j, TH_WINDOW, (const void *)(uintptr_t)slow_window);
    emit_op(e, X_W, 0x85, H_RDX, hreg(H_RDX));
    uint8_t *failed = emit_jump(e, O_0F | 0x84, NULL);
    emit_mov_imm(e, H_RDX, (uint64_t)(uintptr_t)&j->slow.window);
    emit_load(e, true, H_RDX, hmem(H_RDX, 0));
    vec_as_site(e, j);
    go_back(e);
    emit_patch(failed, e->p);
    go_slow(e, j);
    ask_site(e, j, TH_GO, (const void *)(uintptr_t)slow_go);
    go_slow(e, j);
}

static void emit_done(struct emit *e, struct jit *j)
{
    thunk_begin(e, j, TH_DONE);
    emit8(e, 0x9c); /* pushfq */
    store_state(e, j);
    lea_cpu(e, H_RDI);
    emit_load(e, true, H_RSI, hmem(H_RSP, 0));
    call_c(e, (const void *)(uintptr_t)slow_done);
    emit_op(e, X_W, 0x85, H_RAX, hreg(H_RAX));
    emit_jump(e, O_0F | 0x85, j->thunk[TH_EXIT]);
    load_regs(e, false);
    emit_mov_imm(e, H_RCX, (uint64_t)(uintptr_t)&j->slow.site);
    emit_load(e, true, H_RCX, hmem(H_RCX, 0));
    vec_as_site(e, j);
    emit8(e, 0x9d); /* popfq */
    go_back(e);
}

static void emit_fault(struct emit *e, struct jit *j)
{
    static const uint8_t scratch[] = {H_RAX, H_RCX, H_RDX};

    thunk_begin(e, j, TH_FAULT);
    emit8(e, 0x9c); /* pushfq */
    for (unsigned n = 0; n < ARRAY_LEN(scratch); n++) {
        emit_push(e, scratch[n]);
    }
    emit_op(e, 0, O_0F | 0xb6, H_RAX, tr_state(vec_live));
    emit_push(e, H_RAX);
    store_state(e, j);
    lea_cpu(e, H_RDI);
    call_c(e, (const void *)(uintptr_t)slow_fault);
    load_regs(e, false);
    emit_store(e, true, hmem(H_RSP, 8 * (2 + (int)ARRAY_LEN(scratch))), H_RAX);
    emit_pop(e, H_RAX);
    emit_op(e, 0, 0x85, H_RAX, hreg(H_RAX));
    uint8_t *no = emit_jump(e, O_0F | 0x84, NULL);
    emit_jump(e, 0xe8, j->thunk[TH_VEC_LOAD]);
    emit_patch(no, e->p);
    for (unsigned n = ARRAY_LEN(scratch); n-- > 0;) {
        emit_pop(e, scratch[n]);
    }
    emit8(e, 0x9d); /* popfq */
    emit_ret(e);
}

static void emit_x87(struct emit *e, struct jit *j)
{
    thunk_begin(e, j, TH_X87_LOAD);
    store_state(e, j);
    lea_cpu(e, H_RDI);
    call_c(e, (const void *)(uintptr_t)fpu_x87_load);
    load_regs(e, false);
    emit_ret(e);
}

void thunks_emit(struct jit *j)
{
    struct emit e = {.p = j->rw, .end = j->rw + 8192};

    thunks_emit_vec(&e, j);
    emit_exits(&e, j);
    emit_finds(&e, j);
    emit_enter(&e, j);
    emit_handler(&e, j);
    emit_system(&e, j);
    emit_slow(&e, j, TH_LOAD, (const void *)(uintptr_t)slow_load);
    emit_slow(&e, j, TH_LOAD_APART, (const void *)(uintptr_t)slow_load_apart);
    emit_slow(&e, j, TH_STORE, (const void *)(uintptr_t)slow_store);
    emit_slow(&e, j, TH_RMW, (const void *)(uintptr_t)slow_rmw);
    emit_slow(&e, j, TH_LOCK, (const void *)(uintptr_t)slow_lock);
    emit_window(&e, j);
    emit_all_at(&e, j);
    emit_done(&e, j);
    emit_x87(&e, j);
    emit_fault(&e, j);
    thunk_begin(&e, j, TH_SPARE);
    e.p += JIT_SPARE_PIECE;
    g_assert(!e.full);
    j->used = j->start = align_up((size_t)(e.p - j->rw), 64);
}
