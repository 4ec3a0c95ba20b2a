/*
 * Inside the translator: the code cache and what all compiled code shares.
 *
 * Not modelled: see jit.h.
 */
#ifndef ACCEL_JIT_JIT_INT_H
#define ACCEL_JIT_JIT_INT_H

#include "accel/jit/tr.h"
#include "cpu/codemem.h"

/* Pieces of host code that every block jumps to or calls; how registers are passed stands in
 * thunks.c. */
enum thunk {
    TH_ENTER_FIRST,
    TH_ENTER,
    TH_EXIT,
    TH_LEAVE,
    TH_TO_INTERP,
    TH_GO,
    TH_TAIL,
    TH_DISPATCH,
    TH_COUNTED,
    TH_FIND,
    TH_POLL,
    TH_POLL_RET,
    TH_POLL_HERE,
    TH_BASE,
    TH_RETURNED,
    TH_EDGE,
    TH_LINK,
    TH_STRAIGHT,
    TH_CROSS,
    TH_CROSS_CALL,
    TH_MOVED,
    TH_HANDLER,
    TH_SYSTEM,
    TH_LOAD,
    TH_LOAD_APART,
    TH_STORE,
    TH_RMW,
    TH_LOCK,
    TH_WINDOW,
    TH_LOAD_AT,
    TH_STORE_AT,
    TH_RMW_AT,
    TH_LOCK_AT,
    TH_WINDOW_AT,
    TH_WINDOW_AT_W,
    TH_DONE,
    TH_VEC_STORE,
    TH_VEC_LOAD,
    TH_X87_LOAD,
    TH_FAULT,
    TH_SPARE,
    TH_COUNT
};

/* The longest piece that fault.c makes. */
enum { JIT_SPARE_PIECE = 128 };

/* Guest calls whose return addresses are kept on the host's stack when a quantum begins. */
enum { HOST_CALLS = 4096 };

/* Bytes that save the flags (jit_save). */
enum { JIT_SAVE = 8 };
/* Before those, where another block stands before and goes on there with the flags saved: a NOP
 * where they are one too, else a jump over them. */
enum { JIT_OVER = 2 };
/* Bytes of the call of TH_MOVED that a dropped block begins with. */
enum { JIT_MOVED = 5 };
/* Where blocks' code may begin. */
enum { JIT_ALIGN_SHIFT = 3, JIT_ALIGN = 1 << JIT_ALIGN_SHIFT };

/*
 * A version of a block, in a table in the order of their code.  JIT_SAVE bytes stand before that:
 * who comes with the guest's flags in the host's enters there.  They are saved, or it is a NOP
 * where code does not want them (which jit_drop makes the other).
 */
struct jit_code {
    op_fn *first_fn; /* the interpreter's way in, as the first field of a struct insn */
    uint64_t ip;
    uint32_t at;         /* its code: how far from the cache's start */
    uint32_t sites;      /* of views: likewise, what view_put_sites wrote */
    uint32_t next;       /* of the same block: its number plus one; 0: none */
    uint32_t block : 24; /* its number (jit_block) */
    uint32_t over : 1;   /* there are JIT_OVER bytes before it */
    uint32_t hops : 7;   /* dropped blocks in a row before this one that lead here */
};
static_assert(sizeof(struct jit_code) == 32, "of many");
enum { CODES_MAX = 256 * 1024 };

/* An instruction of a slow path, decoded again. */
struct jit_seen {
    const struct jit_site *site;
    struct insn i;
};
enum { SEEN_BITS = 8 };

/* A fault under way: of the instruction at `at`, which meant to reach `to`, if that is known; whose
 * code that is, and its site. */
struct jit_fault {
    const uint8_t *at;
    uint64_t to;
    const struct jit_code *code;
    struct fault_site site;
    bool known, write;
};

/* Of a site that has faulted: where its way to the interpreter is (fault.c). */
struct jit_piece {
    const uint8_t *at, *piece;
    unsigned how;
};
enum { PIECES_BITS = 8 };

/* The slow access under way, from begin to done. */
struct jit_slow {
    const struct insn *i;
    const struct jit_site *site;
    uint64_t la;
    unsigned access;
    void *at;
    uint64_t window; /* what slow_window found */
    op_fn *fn;
};

struct jit {
    struct cpu *c;
    struct codemem code;
    uint8_t *rw, *rx; /* its two mappings */
    size_t used, start;
    /* What is rarely run stands apart from what is often: from `cold` to cold_end; and all of it
     * above cold_low. */
    size_t cold, cold_end, cold_low;
    size_t shed;            /* bytes in use when the writable view was given back last */
    size_t fresh;           /* from here to `used` it is there */
    struct jit_code *codes; /* CODES_MAX, of which ncodes are in use */
    unsigned ncodes, codes_there;
    uint64_t *starts;         /* bit n: code of one begins at n * JIT_ALIGN */
    uint32_t *before;         /* by words of those: how many begin before */
    size_t large;             /* up to here code is in large pages */
    uint8_t *thunk[TH_COUNT]; /* in rw */
    struct jit_hooks hooks;
    struct code_block *blocks;      /* all that can be compiled (blocks_array) */
    struct jit_stats stats;         /* but for what jit_get_stats finds */
    uint64_t ticks;                 /* of the TSC, in translation */
    struct jit_fallback *fallbacks; /* by row */
    struct tr *tr;
    struct lowering *lower; /* by row */
    unsigned row;           /* of blocks made at once: how many before this one */
    bool has_bmi2, has_avx;
    bool unlinked;  /* every jump comes back to the run loop */
    bool every_end; /* may have to come back at every end of a block */
    struct jit_slow slow;
    struct jit_seen seen[1 << SEEN_BITS]; /* by site */
    struct jit_fault fault;
    struct jit_piece pieces[1 << PIECES_BITS];
};

static_assert(offsetof(struct cpu, page_fit[3]) < STATE_BIAS + 128 &&
                  offsetof(struct cpu, r[8]) >= STATE_BIAS - 128,
              "short displacements");

struct jit *jit_of(const struct cpu *c); /* accel/interp.c */
static inline struct code_block *jit_block(const struct jit *j, const struct jit_code *code)
{
    return j->blocks + code->block;
}

/* Whose hot code a place is in, from where that begins on. */
struct jit_code *jit_code_around(const struct jit *j, const void *place);
static inline const uint8_t *jit_begin(const struct jit *j, const struct jit_code *code)
{
    return j->rx + code->at;
}
/* A place in the writable mapping, in the other. */
const uint8_t *jit_rx(const struct jit *j, const uint8_t *rw);
/* c->fl = the guest's flags, which are in the host's.  Uses RAX. */
extern const uint8_t jit_save[JIT_SAVE];
/* Change what has been made: bytes, a rel32, a jump or call (op); places are in rx. */
void jit_poke(const struct jit *j, const void *at, const void *bytes, size_t n);
void jit_poke_rel(const struct jit *j, const uint8_t *at, const uint8_t *to);
void jit_poke_branch(const struct jit *j, const uint8_t *at, unsigned op, const uint8_t *to);

/* The block at ip, of t's page, if it is to be compiled right behind that one; or NULL. */
struct code_block *jit_follower(const struct tr *t, uint64_t ip);

/* Have room for the cold part of a block, unless the cache is full. */
void jit_make_cold_room(struct jit *j);

void thunks_emit(struct jit *j);
void thunks_emit_vec(struct emit *e, struct jit *j);
static inline void thunk_begin(struct emit *e, struct jit *j, enum thunk th)
{
    while ((uintptr_t)e->p & 15) {
        emit8(e, 0x90); /* some pieces go on into the next */
    }
    j->thunk[th] = e->p;
}
/* Emit a jump-cache look-up of the IP in RAX; RCX is the entry then, or one of the two jumps at
 * miss[] is taken (RAX is kept).  `flat`: CS has no base.  `global`: which of the two keys is
 * looked for; TH_DISPATCH knows both. */
void emit_lookup(struct emit *e, bool flat, bool global, uint8_t *miss[2]);
/*
 * A jump (op 0xe9) or call (0xe8) across pages.  It is taken as linked while there are no requests
 * and the mapping is that for which it was: what is compared, and the target, are put in by
 * slow_cross (CROSS_*).  Else `miss`, a rel32, is to lead to what emit_cross_miss emits: the same
 * by TH_CROSS, to the constant ip; RAX and RDX are lost.
 */
struct cross {
    uint8_t *miss;
    const uint8_t *behind;
    unsigned op;
};
struct cross emit_cross(struct emit *e, unsigned op);
void emit_cross_miss(struct emit *e, const struct jit *j, const struct cross *x, uint64_t ip);
/* Compare whether RAX can be an address: it cannot when it is above (unsigned).  Uses RCX. */
void emit_compare_canonical(struct emit *e);
/* Forget the guest calls under way (RSP). */
void emit_forget_calls(struct emit *e);
/* The jump (op 4) or call (op 2) to what an entry holds. */
void emit_jump_entry(struct emit *e, unsigned op);

/* ---- called from compiled code (slow.c); all registers are in struct cpu ---- */

/* Stands behind the call of a thunk for an access that missed, and for what goes to a handler. */
struct jit_site {
    int32_t back; /* where the hot code goes on, or any place in it, from behind this field */
    uint8_t at : 5, flags : 3;  /* number of the instruction in its block */
    uint16_t ofs : 9, size : 7; /* of the instruction from the block's start; bytes of the access */
    uint8_t charged;            /* t->charged */
} __attribute__((packed));
static_assert(sizeof(struct jit_site) == 8, "what tr_call_site writes");
static_assert(BLOCK_MAX <= 32 && BLOCK_MAX * 15 < 512, "bits for it");
enum {
    SITE_VEC = BIT(0),  /* the block has its vector registers in the host's */
    SITE_FL = BIT(1),   /* the guest's flags are in the host's behind the access */
    SITE_LAST = BIT(2), /* of a branch: the block is not left behind it */
};
enum { SITE_FLAGS_SHIFT = 5, SITE_SIZE_SHIFT = 9, SITE_SIZE_MAX = 127 };
/* Behind a call of TH_EDGE, TH_LINK or TH_STRAIGHT: where in the cache the rel32 stands of the
 * jump, call or branch, and its target, from the block's IP. */
struct jit_edge {
    uint32_t place;
    int16_t by;
} __attribute__((packed));
/* Such a call: of the rel32 at `place`, in rw. */
void emit_edge_call(struct emit *e, const struct jit *j, enum thunk th, const uint8_t *place,
                    uint64_t by);
/* Of TH_POLL_HERE: the length of the jump behind its call. */
enum { POLL_JUMP = 5 };
/* Of a jump or call across pages, from the place behind it: the displacement of what it compares,
 * what with (a generation; CROSS_NO_GEN: it is not linked), and its own rel32. */
enum { CROSS_PLACE = -16, CROSS_GEN = -15, CROSS_REL = -4, CROSS_NO_GEN = -1 };
/* Of TH_GO, in the place of the size. */
enum { GO_HANDLER, GO_REFUSED, GO_GP0, GO_KIND = 32, GO_FAULT = 64 };
/* Of a window: also its length, where in it the access is, whether the host's address is wanted or
 * what is to be added to a linear one, and its base register. */
struct jit_window_site {
    struct jit_site s;
    uint8_t base;
    uint16_t len;
    uint16_t at : 13, host : 1, write : 2; /* write: 1 that access, 2 the window */
} __attribute__((packed));

/* The access of a site at la: where the operation is to be done. */
void *slow_load(struct cpu *c, uint64_t la, const struct jit_site *s);
uint64_t slow_load_apart(struct cpu *c, uint64_t la, const struct jit_site *s); /* less la */
void *slow_store(struct cpu *c, uint64_t la, const struct jit_site *s);
void *slow_rmw(struct cpu *c, uint64_t la, const struct jit_site *s);
void *slow_lock(struct cpu *c, uint64_t la, const struct jit_site *s);
/*
 * Open a window at la: jit->slow.window is the host's address of la, or how far from la that is (as
 * the site says), after the access in it was looked at (and raised what it has to).  NULL: cannot
 * be; jit->slow.i is to be interpreted by jit->slow.fn.
 */
void *slow_window(struct cpu *c, uint64_t la, const struct jit_site *s);
/* The interpreter goes on with a site's instruction: jit->slow.i by jit->slow.fn, or, when that is
 * NULL, from the run loop. */
void slow_go(struct cpu *c, uint64_t unused, const struct jit_site *s);
/* The stack pointer is too far for compiled code of a view: the interpreter does the block. */
void slow_far_sp(struct cpu *c, const void *code);
/* After the operation on what slow_store, slow_rmw or slow_lock gave.  True: blocks were dropped,
 * leave (c->ip, c->left and c->fl, of the host's `flags`, are right). */
uint64_t slow_done(struct cpu *c, uint64_t flags);
const void *slow_find(struct cpu *c);
/* A jump in the page is taken that has not been linked: a struct jit_edge is at `behind`.  And only
 * c->ip = its target. */
const void *slow_edge(struct cpu *c, const uint8_t *behind);
void slow_edge_ip(struct cpu *c, const uint8_t *behind);
/* The same of a branch counted before. */
const void *slow_straight(struct cpu *c, const uint8_t *behind);
/* A jump across pages to c->ip does not know its target; `behind` it as of CROSS_*. */
const void *slow_cross(struct cpu *c, const uint8_t *behind);
/* The block was dropped whose first instruction, a call now, ends at `piece`. */
const void *slow_moved(struct cpu *c, const uint8_t *piece);
/* Blocks were dropped under the handler of i: leave behind it. */
void slow_after(struct cpu *c, const struct insn *i);
/* jit->fault: where to go on (fault.c). */
const void *slow_fault(struct cpu *c);
op_fn slow_went_on;

/* The tag that a look at the TLB is made against, of the entry RCX; with a view RCX is its address.
 */
static inline struct hrm tr_tlb_field(bool view, unsigned field)
{
    return view ? hmem(H_RCX, (int32_t)field) : hmem_index(H_R15, H_RCX, 0, (int32_t)field);
}
static inline struct hrm tr_tlb_tag(bool view, bool write)
{
    return tr_tlb_field(view, write ? offsetof(struct tlb_entry, tag_w)
                                    : offsetof(struct tlb_entry, tag_r));
}

/* ---- view.c ---- */

/* An access to place p by a view; false: it is not for that, nothing was emitted. */
bool view_access(struct tr *t, const struct tr_place *p, tr_body *body, const void *arg);
/* The instruction just emitted may have put anything into the stack pointer. */
void view_check_sp(struct tr *t);
/* The instruction just emitted may have put something small into a register. */
void view_note_small(struct tr *t);
/* What is in a block's registers now says of what kind addresses are. */
void view_guess(struct tr *t);
/* In the cold part: the block's sites. */
void view_put_sites(struct tr *t, struct jit_code *code);
/* The site of an instruction at `at` that faulted, and whose code that is; NULL: there is none. */
const struct jit_code *view_find_site(const struct jit *j, const uint8_t *at, struct fault_site *s);
/* Addresses by the key (a bit of low_of) were of another kind. */
void view_missed(struct cpu *c, struct code_block *k, unsigned key, bool fault);

/* mem.c: RDX = the linear address of the place at displacement disp.  Uses RCX. */
void tr_place_linear(struct tr *t, const struct tr_place *p, int64_t disp);
/* The place in struct cpu where a window's addend is kept; RDX = that; and the operand of place p,
 * which has 64-bit addresses, with it.  Flags are kept. */
struct hrm tr_window_slot(const struct window *w);
void tr_load_slot(struct tr *t, const struct window *w);
struct hrm tr_wide_operand(struct tr *t, const struct tr_place *p);
/* slow.c: whether to translate again what this happens to. */
bool slow_fails_often(struct cpu *c, struct code_block *k);
/* mem.c: call thunk th, with a struct jit_site behind the call; gives where its `at` and flags are.
 */
uint8_t *tr_call_site(struct tr *t, enum thunk th, unsigned size, unsigned flags,
                      const uint8_t *back);

/* ---- window.c ---- */

/* An open window that has place p, or NULL. */
struct window *window_find(struct tr *t, const struct tr_place *p);
/* One to be opened for p and what follows; NULL: nothing would share it. */
struct window *window_plan(struct tr *t, const struct tr_place *p);
/* Will other accesses share a look at p? */
bool window_is_shared(struct tr *t, const struct tr_place *p);
/* A place for a window that is known already. */
struct window *window_take(struct tr *t, const struct window *plan);
/* The same as window_find for views. */
struct window *window_find_view(struct tr *t, const struct tr_place *p);
/* t->in was emitted: what it changed. */
void windows_after(struct tr *t);
void windows_close(struct tr *t);
/* Work out t->notes: what each instruction of the block accesses and changes. */
void tr_make_notes(struct tr *t);
static inline const struct lowering *tr_lowering(const struct tr *t)
{
    return &t->j->lower[t->in->i.row];
}
static inline bool tr_is_jcc(const struct tr *t, const struct tr_insn *in)
{
    return t->j->lower[in->i.row].kind == LOWER_JCC;
}

/* lower.c: the table of lowerings for the CPU's rows (g_free). */
struct lowering *lowerings_new(const struct cpu *c);

/* ---- jump.c ---- */

/* The present instruction, of lowering l (or NULL), is about to be emitted: what is counted before
 * it for the branch behind it. */
void jump_charge(struct tr *t, const struct lowering *l);
/* Is it run as often as the block itself?  The ways to other blocks. */
bool jump_is_warm(const struct cold *k);

/* report.c: the block just translated, to so many bytes, into the trace (TR_JIT). */
void jit_trace_block(const struct tr *t, size_t bytes);
/* translate.c: whether a cold piece is data for another one. */
bool cold_is_data(const struct cold *k);

/* Begin with block k at IP `ip`, whose code stands at `start` (in rw); the emitter is the caller's.
 */
void tr_reset(struct tr *t, struct jit *j, struct code_block *k, uint64_t ip, const uint8_t *start);
/* decode.c: the block's bytes again; false: not what was decoded then (or cannot have been).
 * `tails`: only up to where there is code already. */
bool tr_decode_block(struct tr *t, bool tails);
/* What is there of the block at ip, in the page of t's; or NULL. */
const struct code_block *tr_block_at(const struct tr *t, uint64_t ip);
/* Its code, where jumps of t's may lead for good; or NULL. */
const uint8_t *tr_code_at(const struct tr *t, uint64_t ip);
/* The interpreter goes on with the present instruction (GO_*). */
void tr_go_to(struct tr *t, unsigned how);
/* translate.c: emit block k for IP `ip` at the cache's end and say so in *code; false: no room. */
bool translate(struct jit *j, struct code_block *k, uint64_t ip, struct jit_code *code);

#endif
