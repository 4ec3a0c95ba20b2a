/*
 * Inside the translator: one block while it is translated, and what lowerings build on.
 *
 * A lowering is `bool lower_x(struct tr *t)`: it emits host code for the guest instruction
 * t->in and returns true, or emits nothing and returns false; then the handler is called.  It may
 * use RAX, RCX and RDX freely (tr_mem says more); all guest state is as tr_gpr_* and tr_flags_*
 * say.
 *
 * Registers while compiled code runs:
 *   RBP        the CPU state, biased (tr_state)
 *   RSP        host stack: return addresses of the guest calls under way (jump.c)
 *   RAX RCX RDX scratch within one guest instruction
 *   R15        c->r15: c->tlb, or with a view where low addresses begin; loaded again after every
 *              call of a handler
 *   GS         the base of high addresses, for views (view.c)
 *   others     guest registers (tr_host); those that have none live in c->r[], where memory
 *              operands reach them (cheap: processors rename them)
 * Guest flags are in c->fl, in the host's flags, or in both (enum tr_flags).
 *
 * Not modelled: see translate.c.
 */
#ifndef ACCEL_JIT_TR_H
#define ACCEL_JIT_TR_H

#include "accel/blocks.h"
#include "accel/jit/emit.h"
#include "accel/jit/jit.h"

/* So that what compiled code uses is within 128 bytes of RBP: from r[8] on. */
enum { STATE_BIAS = 188 };
/* The displacement of a field of struct cpu from RBP, and the field as host memory operand. */
#define TR_STATE_DISP(field) ((int32_t)offsetof(struct cpu, field) - STATE_BIAS)
#define tr_state(field)      hmem(H_RBP, TR_STATE_DISP(field))
static inline struct hrm tr_state_at(size_t offset)
{
    return hmem(H_RBP, (int32_t)offset - STATE_BIAS);
}

/* FL_LAZY: in neither; t->made gives them again. */
enum tr_flags { FL_MEM, FL_HOST, FL_BOTH, FL_LAZY };

/* One guest instruction. */
struct tr_insn {
    struct decode d;
    struct insn i; /* as in the block, but never one of a fused pair */
    enum decode_result result;
    const uint8_t *host; /* where its code begins */
};

/* A memory operand: base + index << scale + disp, and the base of FS or GS. */
struct tr_place {
    uint8_t base, index; /* guest registers; R_ZERO: none (then disp is all) */
    uint8_t scale;
    uint8_t seg; /* SEG_FS, SEG_GS, or 0xff: no base */
    bool wide;   /* 64-bit addresses */
    bool fixed;  /* the body changes the base before it accesses */
    bool write;
    uint16_t size; /* bytes */
    int64_t disp;
};

/* What an instruction does to the guest's registers. */
struct effects {
    bool barrier;     /* everything may change */
    uint32_t written; /* guest registers changed otherwise than by a constant */
    unsigned moved;   /* one changed by `by`; 0xff: none */
    int32_t by;
};

/* What is to be known of an instruction before it is its turn. */
struct tr_notes {
    uint8_t flags; /* FLAGS_* */
    bool faults;   /* accesses memory where that can fault */
    bool changes;  /* `effects` has some */
    bool placed;   /* `place` is its memory operand's */
    bool accesses; /* and is looked up by tr_access */
    struct effects effects;
    struct tr_place place;
};

/* See window.c. */
enum { WINDOWS = 4 };
struct window {
    struct tr_place key; /* but for disp, size and write */
    bool write;
    bool view;      /* the address can be one of a view */
    uint8_t slot;   /* of c->window[] */
    int64_t lo, hi; /* displacements it is good for, from the base as it is now */
};

struct tr;
struct cold;
typedef void cold_fn(struct tr *t, struct cold *k);

enum tr_access { TR_LOAD, TR_STORE, TR_RMW, TR_LOCK };

/*
 * Emits the instruction proper on a memory operand, and everything it does to guest state.  It is
 * called twice, for the fast and the slow path; both times it must leave the same flags state.  RAX
 * and RCX are free, the operand uses RDX.
 */
typedef void tr_body(struct tr *t, struct hrm m, const void *arg);

/* Jumps to the handler in one instruction. */
enum { TR_BAILS_MAX = 6 };

/* Code that stands after the block, jumped to from `from`. */
struct cold {
    cold_fn *fn;
    uint8_t *from;       /* rel32 to patch */
    const uint8_t *host; /* where it begins, once it has been emitted; and ends */
    const uint8_t *end;
    const uint8_t *back; /* where the hot path goes on */
    enum tr_flags flags; /* as they are at `from` */
    uint8_t charged;     /* the same */
    const struct tr_insn *made;
    const struct tr_insn *in;
    enum tr_access access; /* memory accesses: */
    unsigned size;
    tr_body *body;
    uint8_t arg[24];
    uint64_t ip;                  /* edges: target */
    uint8_t *place_of;            /* and where their rel32 stands */
    uint8_t op;                   /* across pages: jump or call */
    enum tr_flags after;          /* cold handlers: flags at `back` */
    void (*commit)(struct tr *t); /* indirect branches */
    struct tr_place place;        /* `apart`; windows: the access that opens it */
    struct window window;
    bool apart; /* accesses: the linear address is not in RDX yet, nor is the host's wanted there */
    bool lost;  /* RAX and RCX are not as the look left them */
    bool last;  /* of a branch: the block is not gone on with whatever a store did */
    uint8_t *more[TR_BAILS_MAX - 1]; /* as from, or NULL */
};

enum { TR_COLD_MAX = 8 * BLOCK_MAX };

/* Where an access by a view may fault in the host, and the state there (view.c). */
struct fault_site {
    uint16_t off;  /* where its code begins, from the block's */
    uint8_t at;    /* number of the instruction */
    uint8_t key;   /* BLOCK_KEY */
    uint8_t flags; /* enum tr_flags */
    uint8_t made;  /* number of t->made (FL_LAZY) */
    uint8_t charged;
    int8_t sp; /* t->sp_pending / 8 */
};
enum { TR_SITES_MAX = 4 * BLOCK_MAX };
static_assert(TR_SITES_MAX < 256, "counted in a byte");

struct tr {
    struct emit e;
    struct jit *j;
    struct cpu *c;
    struct code_block *k;
    uint64_t ip;              /* of the block's first instruction */
    const uint8_t *start;     /* of its code */
    unsigned at, n;           /* number of the present instruction, and of all */
    const struct tr_insn *in; /* the present instruction */
    enum tr_flags flags;
    const struct tr_insn *made; /* what set the flags, when it can give them again; or NULL */
    uint32_t made_of;           /* the guest registers it needs for that */
    uint8_t charged;            /* guest instructions of the block counted on the way here */
    uint16_t fl_known;          /* what they are, as in c->fl, where that is known; else 0 */
    bool global;                /* the block's page is a global one */
    bool save_unwanted;         /* there is a NOP before the code */
    bool base_set;              /* c->r[R_BASE] was set on the way here */
    const uint8_t *hot_end;     /* where the cold pieces begin */
    struct code_block *behind;  /* to be compiled right behind, for IP behind_ip; or NULL */
    uint64_t behind_ip;
    bool saves_behind; /* it is gone to with the guest's flags in the host's */
    bool ended;        /* the last instruction emitted went elsewhere */
    bool vec;          /* the block entry makes vec_live true */
    bool x87;          /* the block entry makes fpu.x87_live true */
    unsigned nbails;
    uint8_t *bails[TR_BAILS_MAX]; /* of the present instruction */
    unsigned next_window;
    int rdx;            /* the slot whose value is in RDX; -1: none */
    int32_t sp_pending; /* RSP is so much more than its host register (see tr_sp_settle) */
    bool sp_may_wait;   /* the present instruction's body may let it wait */
    struct window window[WINDOWS];
    unsigned open;  /* bit n: window n is */
    uint32_t small; /* guest registers known to hold 32 bits, extended (view.c) */
    bool no_view;   /* the present access is not to be by a view */
    unsigned nsites;
    struct fault_site sites[TR_SITES_MAX];
    unsigned ncold;
    struct cold cold[TR_COLD_MAX];
    struct tr_insn insn[BLOCK_MAX];
    struct tr_notes notes[BLOCK_MAX];
};

/* ---- guest registers ---- */

/* The host register of guest register g, or H_NONE.  (Of those that have a prefix, R13 is the
 * shorter one to have a displacement from.) */
static inline unsigned tr_host(unsigned g)
{
    static const uint8_t map[16] = {
        [R_RAX] = H_R8,  [R_RCX] = H_R9,  [R_RDX] = H_R10, [R_RBX] = H_RBX,
        [R_RSP] = H_R13, [R_RBP] = H_R12, [R_RSI] = H_RSI, [R_RDI] = H_RDI,
        [8] = H_R11,     [9] = H_NONE,    [10] = H_NONE,   [11] = H_NONE,
        [12] = H_NONE,   [13] = H_R14,    [14] = H_NONE,   [15] = H_NONE};

    return map[g & 15];
}
/* Guest register g as an operand: a register, or its place in c->r[]. */
static inline struct hrm tr_gpr(unsigned g)
{
    unsigned h = tr_host(g);

    return h == H_NONE ? tr_state_at(g * 8) : hreg(h);
}
/* A host register with the whole of guest register g: its own, or `scratch`, loaded. */
unsigned tr_gpr_get(struct tr *t, unsigned g, unsigned scratch);
/* Guest register g = host register (64 bits). */
void tr_gpr_put(struct tr *t, unsigned g, unsigned from);
/* The same as an operand of size index `size` is written: 8 and 16 bits keep the rest, 32 clear it
 * (in `from` too). */
void tr_gpr_put_sized(struct tr *t, unsigned g, unsigned from, unsigned size);
/* Byte register n (a byte offset in c->r, so that AH..BH are odd) from and to a scratch register,
 * zero-extended.  `scratch` is another one, lost when n is odd.  Flags are kept. */
void tr_byte_get(struct tr *t, unsigned n, unsigned to);
void tr_byte_put(struct tr *t, unsigned n, unsigned from, unsigned scratch);
/* A scratch register = an operand of size index `size`, zero-extended; flags are kept. */
void tr_load_sized(struct tr *t, unsigned size, unsigned to, struct hrm from);
/* A guest register by the operand size, as byte registers are above: n is what struct insn has for
 * it. */
void tr_sized_get(struct tr *t, unsigned n, unsigned size, unsigned to);
void tr_sized_put(struct tr *t, unsigned n, unsigned size, unsigned from, unsigned scratch);

/* ---- sizes ---- */

/* Is the block 64-bit code? */
static inline bool tr_is_64(const struct tr *t)
{
    return (t->k->mode & MODE_CODE) == MODE_CODE64;
}
/* Size index of the code's whole registers outside 16-bit code. */
static inline unsigned tr_full_size(const struct tr *t)
{
    return tr_is_64(t) ? 3 : 2;
}

/* Is memory reached by a view? */
static inline bool tr_is_view(const struct tr *t)
{
    return t->k->mode & MODE_VIEW;
}

/* Bytes of the operand size of the present instruction. */
static inline unsigned tr_bytes(const struct tr *t)
{
    return 1u << t->in->d.size;
}
/* The prefix that means it, X_*. */
static inline unsigned tr_x_size(const struct tr *t)
{
    return t->in->d.size == 3 ? X_W : t->in->d.size == 1 ? X_66 : 0;
}
/* Does LOCK matter? */
static inline bool tr_is_smp(const struct tr *t)
{
    return t->c->v->m->ncpus > 1;
}

/* ---- flags (flags.c) ---- */

/* Have the guest's flags in the host's.  Uses RAX when they are not. */
void tr_flags_need(struct tr *t);
/* The same of CF alone, for what makes all other flags new. */
void tr_flags_need_carry(struct tr *t);
/* The host's flags are about to be destroyed (or something may fault or leave): c->fl is right
 * after this.  Uses RAX when it was not. */
void tr_flags_spill(struct tr *t);
/* As tr_flags_spill, and what is emitted now does destroy them. */
static inline void tr_flags_clobber(struct tr *t)
{
    tr_flags_spill(t);
    t->flags = FL_MEM;
}
/* Before an access whose slow path begins with tr_flags_spill: as tr_flags_clobber, but c->fl may
 * be right only there (FL_LAZY). */
void tr_flags_put_off(struct tr *t);
/* The present instruction was emitted: what it changed. */
void tr_flags_after(struct tr *t);
/* So many instructions are counted.  Destroys the host's flags. */
void tr_charge(struct tr *t, unsigned count);
/* What was counted already is not: destroys the host's flags. */
void tr_uncharge(struct tr *t);
/* Does the present instruction make flags and want none in the host's before it? */
bool tr_flags_are_made(const struct tr *t);
/* Are the flags that the block begins with overwritten before anybody can see them? */
bool tr_flags_unwanted(struct tr *t);
/* Instruction n of the block: notes.flags and notes.faults. */
void tr_note_flags(struct tr *t, unsigned n);
/* An instruction just emitted has set the guest's flags (those it does not set were there by
 * tr_flags_need, or all are set). */
static inline void tr_flags_set(struct tr *t)
{
    t->flags = FL_HOST;
    t->made = NULL;
    t->fl_known = 0;
}

/* ---- memory ---- */

/* Can tr_mem and tr_ea do the memory operand of t->in?  (Not: vectors of addresses.) */
bool tr_ea_ok(const struct tr *t);
/* The same, and without a look at a segment's limit. */
bool tr_ea_flat(const struct tr *t);
/* Offset of the memory operand of t->in into host register `to`, 64 or 32 bits of it, cut to 16
 * where addresses have that; uses RCX, keeps flags. */
void tr_address(struct tr *t, unsigned to, bool wide);
/*
 * RDX = linear address of the memory operand of t->in, for an access of `size` bytes.  Uses RAX and
 * RCX; flags are spilled by the caller (tr_flags_clobber).  Where the segment forbids the access
 * the handler runs instead of the whole instruction, and raises.
 */
void tr_ea(struct tr *t, enum tr_access access, unsigned size);
/* No limit, no base (but FS and GS have one in 64-bit code). */
bool tr_seg_is_free(const struct tr *t, unsigned seg);
/* The same for RDX = an offset in segment seg (outside 64-bit code: 32 bits, zero-extended).  In
 * two steps: the look at limit and type, and the base.  All are nothing where there is neither. */
void tr_seg(struct tr *t, unsigned seg, enum tr_access access, unsigned size);
void tr_seg_check(struct tr *t, unsigned seg, enum tr_access access, unsigned size);
void tr_seg_base(struct tr *t, unsigned seg);
/* Stack addresses: RDX = guest register g + disp, as many bits of it as SS and the code size say;
 * keeps flags. */
void tr_sp(struct tr *t, unsigned g, int32_t disp);
/* RSP = guest register g + disp, likewise.  Where flags are in memory only; uses RCX for g other
 * than RSP. */
void tr_sp_set(struct tr *t, unsigned g, int32_t disp);
/* In a run of pushes and pops of 64 bits, which share a window, the stack pointer is moved once:
 * what is not moved yet, now.  Flags are kept. */
void tr_sp_settle(struct tr *t);
/* Is that for its body?  A PUSH or POP that has nothing else to do with the pointer. */
bool tr_sp_can_wait(const struct tr_insn *in);
/* Bits of the stack pointer: 16, 32, 64. */
unsigned tr_sp_bits(const struct tr *t);
/*
 * The memory operand of t->in, `size` bytes (1..64): find it, then `body`.  arg: up to 24 bytes at
 * `arg` (size arg_len) are kept for the second call.  Spills flags; raises exactly.
 * tr_mem_at: the linear address is in RDX already (flags spilled by the caller).
 */
void tr_mem(struct tr *t, enum tr_access access, unsigned size, tr_body *body, const void *arg,
            unsigned arg_len);
void tr_mem_at(struct tr *t, enum tr_access access, unsigned size, tr_body *body, const void *arg,
               unsigned arg_len);
/* For what is rare or has several accesses: RDX = linear address to RDX = host address; where the
 * TLB has no such page the handler runs instead of the whole instruction.  Uses RAX and RCX. */
void tr_mem_or_handler(struct tr *t, enum tr_access access, unsigned size);
/* A run of bytes from the linear address in host register `la` (RSI, RDI) on, which fits when it
 * begins at offset RDX of a page or before: RAX = what is to be added to have the host address.
 * Else the handler runs.  Uses RCX. */
void tr_mem_run(struct tr *t, enum tr_access access, unsigned la);
/*
 * As tr_mem, for a place; looks that are shared with other accesses of the block (window.c).  Flags
 * are as they were where no look is needed: spill or clobber them when the body relies on it.  The
 * slow path where `body` stands again, or NULL.  p->write is set here, from `access`.
 */
struct cold *tr_access(struct tr *t, struct tr_place *p, enum tr_access access, tr_body *body,
                       const void *arg, unsigned arg_len);
/* The memory operand of an instruction (disp only: size and write are the caller's); false: not
 * tr_ea_ok. */
bool tr_place_of(const struct tr *t, const struct tr_insn *in, struct tr_place *p);
/* The operand of the present instruction disp bytes from the guest's stack pointer. */
struct cold *tr_mem_stack(struct tr *t, int32_t disp, enum tr_access access, tr_body *body,
                          const void *arg, unsigned arg_len);
/* disp bytes from the guest's stack pointer. */
struct tr_place tr_stack_place(const struct tr *t, int32_t disp);
/* tr_access on the memory operand of t->in. */
void tr_mem_shared(struct tr *t, enum tr_access access, unsigned size, tr_body *body,
                   const void *arg, unsigned arg_len);

/* ---- leaving ---- */

/* A place after the block; the caller fills in the rest.  Call it when `from` is known. */
struct cold *tr_cold(struct tr *t, cold_fn *fn, uint8_t *from);
/* Count the block's instructions up to and including the present one; flags are spilled. */
void tr_count(struct tr *t);
/* A jump with condition cc to guest address ip (a constant), counting up to and including the
 * present instruction.  Flags: as t->flags says. */
void tr_jcc(struct tr *t, unsigned cc, uint64_t ip);
/* Go to the constant guest address ip now.  (It has been checked: tr_check_target.) */
void tr_goto(struct tr *t, uint64_t ip);
/* The same as the last of the block's hot code. */
void tr_go_on(struct tr *t, uint64_t ip);
/*
 * The end of an indirect near branch, to the guest address in RAX; flags are spilled.  `commit`
 * (may be NULL) does what the branch does to guest state beside; it keeps RAX and RCX.  An address
 * that cannot be is the branch's own fault: the handler raises it, with the state from before.
 */
void tr_goto_rax(struct tr *t, void (*commit)(struct tr *t));
/*
 * If condition cc holds the handler runs instead of the whole present instruction, of which nothing
 * may have been done so far that cannot be done again.  Flags are in memory only.
 */
void tr_bail(struct tr *t, unsigned cc);
/* The same for the jump whose rel32 stands at `from`. */
void tr_bail_from(struct tr *t, uint8_t *from);
/* Bail when the branch target `ip`, a constant, or the one in EAX, lies outside CS. */
void tr_check_target(struct tr *t, uint64_t ip);
void tr_check_target_rax(struct tr *t);
/*
 * As tr_goto and tr_goto_rax for calls, whose return address the caller has stored on the guest's
 * stack: to the constant ip, or to RAX; and for returns, to RAX, where `commit` takes `release`
 * bytes off it.
 */
void tr_call(struct tr *t, uint64_t ip);
void tr_call_rax(struct tr *t, void (*commit)(struct tr *t));
void tr_ret(struct tr *t, void (*commit)(struct tr *t), unsigned release);
/* What TH_HANDLER's way takes in the cold part: the handler instead of what was emitted between
 * `from` and here; the flags end where they are now. */
void tr_cold_handler(struct tr *t, uint8_t *from);
/* Call the handler of t->in and go on; or, with ENC_END, go there for good. */
void tr_handler(struct tr *t);
/* Set c->r[R_BASE] (uses RCX). */
void tr_set_base(struct tr *t);
/* IP of the present instruction and the one behind, cut to the code size. */
uint64_t tr_ip(const struct tr *t);
uint64_t tr_next_ip(const struct tr *t);
/* Target of the direct branch t->in, cut to the operand size. */
uint64_t tr_target(const struct tr *t);

/* Code at the block's entry: back to the run loop when it does not lie within CS. */
void tr_check_entry(struct tr *t);
/* Code at the block's entry (lower.c): registers that its instructions want in the host's. */
void tr_begin(struct tr *t);
/* The same after a handler; destroys flags. */
void tr_want_registers(struct tr *t);

/* ---- lowerings ---- */

typedef bool lower_fn(struct tr *t);
/* What a row of the instruction tables is translated by; NULL: nothing.  `arg` is for the lowering
 * (struct plain of lower_plain.c, or NULL). */
enum lower_kind { LOWER_OTHER, LOWER_PLAIN, LOWER_SIMD, LOWER_STACK, LOWER_LEA, LOWER_JCC };
struct lowering {
    lower_fn *fn;
    const void *arg;
    enum lower_kind kind;
    uint8_t flags; /* FLAGS_*; of LOWER_PLAIN plain_flags has them */
};
/* flags.c: lowering.flags of a row. */
unsigned flags_of_row(const struct op_row *row, const struct lowering *l);

bool lower_plain(struct tr *t); /* lower_plain.c: the guest's instruction with other registers */
const void *plain_of(const struct op_fns *fns);
/* Guest registers an instruction with row `plain` writes; its memory access (size, write). */
uint32_t plain_written(const void *plain, const struct tr_insn *in);
/* Does one of 32 bits extend what it writes with zeros? */
bool plain_extends(const void *plain, const struct tr_insn *in);
void plain_access(const void *plain, const struct tr_insn *in, struct tr_place *p);
/* What an instruction with row `plain` does with the flags. */
enum {
    FLAGS_READ = BIT(0),
    FLAGS_SET = BIT(1),
    FLAGS_UNKNOWN = BIT(2),
    FLAGS_CARRY = FLAGS_READ | BIT(3), /* reads, or leaves, only CF */
};
unsigned plain_flags(const void *plain, const struct tr_insn *in);
/* Emit what sets the flags as t->in, a `made`, did; uses RAX.  And whether t->in can be one. */
void plain_again(struct tr *t);
bool plain_gives_again(struct tr *t);
/* May it use guest register g? */
bool plain_uses(const void *plain, const struct tr_insn *in, unsigned g);
lower_fn *branch_of(const struct op_fns *fns); /* lower_branch.c */
lower_fn *misc_of(const struct op_fns *fns);   /* lower_misc.c */
lower_fn *sys_of(const struct op_fns *fns);    /* lower_sys.c */
lower_fn *stack_of(const struct op_fns *fns);  /* lower_stack.c */
lower_fn *bit_of(const struct op_fns *fns);    /* lower_bit.c */
lower_fn *string_of(const struct op_fns *fns); /* lower_string.c */

#endif
