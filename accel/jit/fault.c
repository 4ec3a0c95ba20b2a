/*
 * Faults of the host in compiled code: accesses by a view to pages that are not in it, or not for
 * this, and addresses that no view has (a trap, or one that is not canonical in the host).
 *
 * The signal's handler only lets the code go on as if it had called TH_FAULT.  Mostly the page is
 * mapped then and the access made again.  Else the interpreter does the instruction, and raises
 * what there is to raise: for that a piece of code is made that has the guest's state as the
 * block's sites say it is.
 *
 * Not modelled: blocks whose bytes change while one of their instructions faults, by a device or by
 * the accessed bit of a page-table entry among them: what stands before that one is done again.
 */
#define _GNU_SOURCE /* REG_RIP */
#include "accel/jit/jit_int.h"
#include "cpu/sys.h"
#include <signal.h>
#include <ucontext.h>

/* A signal's handler has nothing but these to know by: whose code runs on this thread, and what was
 * done with the signal before (globals.allow). */
static _Thread_local struct cpu *running;
static struct sigaction before;

/* The code was changed under way by a device: the block is begun anew. */
static void leave(struct tr *t)
{
    tr_flags_clobber(t);
    tr_uncharge(t);
    emit_mov_imm(&t->e, H_RAX, t->ip);
    emit_jump(&t->e, 0xe9, t->j->thunk[TH_LEAVE]);
}

/* Is the block what the site is of, as far as it matters here?  Its bytes may have been changed. */
static bool is_same(struct tr *t, const struct fault_site *s)
{
    if (!tr_decode_block(t, false) || s->at >= t->n || s->made >= t->n) {
        return false;
    }
    t->in = &t->insn[s->made];
    return s->flags != FL_LAZY || plain_gives_again(t);
}

static void emit_piece(struct tr *t, const struct fault_site *s, unsigned how)
{
    bool same = is_same(t, s);

    t->sp_pending = s->sp * 8;
    t->charged = s->charged;
    t->at = same ? s->at : 0;
    t->in = &t->insn[t->at];
    t->flags = same || s->flags != FL_LAZY ? s->flags : FL_MEM;
    t->made = same ? &t->insn[s->made] : NULL;
    tr_sp_settle(t);
    if (same) {
        tr_go_to(t, how);
    } else {
        leave(t);
    }
}

/* Made in the cold part, or where that is full in a place kept for it. */
static const uint8_t *make_piece(struct jit *j, const struct jit_code *code,
                                 const struct fault_site *s, unsigned how)
{
    struct tr *t = j->tr;

    jit_make_cold_room(j);
    bool room = j->cold_end - j->cold >= JIT_SPARE_PIECE;
    uint8_t *piece = room ? j->rw + j->cold : j->thunk[TH_SPARE];
    t->e = (struct emit){.p = piece, .end = piece + JIT_SPARE_PIECE};
    tr_reset(t, j, jit_block(j, code), code->ip, j->rw + code->at);
    emit_piece(t, s, how);
    g_assert(!t->e.full);
    if (room) {
        j->cold = (size_t)(t->e.p - j->rw);
    }
    return jit_rx(j, piece);
}

static const uint8_t *piece_for(struct jit *j, const uint8_t *at, unsigned how,
                                const struct jit_code *code, const struct fault_site *s)
{
    struct jit_piece *p = &j->pieces[((uintptr_t)at ^ how) & ((1u << PIECES_BITS) - 1)];

    if (p->at != at || p->how != how || p->piece == jit_rx(j, j->thunk[TH_SPARE])) {
        *p = (struct jit_piece){.at = at, .how = how, .piece = make_piece(j, code, s, how)};
    }
    return p->piece;
}

/* To map a page its entry in the page table may have been changed, which may stand in the block's
 * own bytes: where that begins is a call now. */
static bool is_overwritten(const struct jit *j, const struct jit_code *code, const uint8_t *at)
{
    return jit_block(j, code)->stale && (size_t)(at - jit_begin(j, code)) < JIT_MOVED;
}

const void *slow_fault(struct cpu *c)
{
    struct jit *j = jit_of(c);
    const struct jit_fault f = j->fault;

    if (f.known && view_fill(c, f.to, f.write) && !is_overwritten(j, f.code, f.at)) {
        return f.at;
    }
    bool other_kind = !f.known || !view_has(c->view, f.to);
    unsigned how = (other_kind ? GO_KIND : GO_FAULT) + f.site.key;
    j->stats.faults++;
    return piece_for(j, f.at, how, f.code, &f.site);
}

/* As if the instruction at RIP were a call of the thunk.  False: the fault is none of ours. */
static bool divert(struct cpu *c, const siginfo_t *info, ucontext_t *u)
{
    greg_t *r = u->uc_mcontext.gregs;
    const uint8_t *at = (const uint8_t *)(uintptr_t)r[REG_RIP];
    struct jit *j = c && c->view ? jit_of(c) : NULL;
    struct fault_site site = {0};
    const struct jit_code *code = j ? view_find_site(j, at, &site) : NULL;

    if (!code) {
        return false;
    }
    j->fault = (struct jit_fault){
        .at = at,
        .to = (uint64_t)(uintptr_t)info->si_addr,
        .known = info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR,
        .write = r[REG_ERR] & 2,
        .code = code,
        .site = site,
    };
    r[REG_RSP] -= 8;
    memcpy((void *)(uintptr_t)r[REG_RSP], &at, sizeof at);
    r[REG_RIP] = (greg_t)(uintptr_t)jit_rx(j, j->thunk[TH_FAULT]);
    return true;
}

static void on_segv(int sig, siginfo_t *info, void *context)
{
    if (!divert(running, info, context)) {
        sigaction(sig, &before, NULL); /* it comes again, and is somebody else's */
        if (info->si_code <= 0) {      /* somebody sent it */
            raise(sig);
        }
    }
}

void fault_attach(struct cpu *c)
{
    struct sigaction action = {.sa_sigaction = on_segv,
                               .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK},
                     now;

    if (c) {
        view_use_thread(c->view); /* another thread may have set the mode meanwhile */
    }
    if (running == c) {
        return;
    }
    running = c;
    if (!c) {
        return;
    }
    if (!sigaction(SIGSEGV, NULL, &now) && now.sa_sigaction != on_segv) {
        before = now;
        sigaction(SIGSEGV, &action, NULL);
    }
}
