/*
 * The decoded instruction, how handlers run, and how they end.
 *
 * Engine-neutral: a handler is `void op_x(struct cpu *c, const struct insn *i)`.  It does
 * everything that can fault before it writes any register or flag, and ends with one of NEXT(c, i)
 * the next instruction of the block (a tail call: handlers form one threaded chain),
 *   branch_direct(...)    a jump with a known target, linked by the engine,
 *   branch_indirect(c)    a jump to c->ip,
 *   LEAVE(c)              back to the run loop with c->ip set (after mode changes, STI, HLT and the
 * like). An engine that wants to run one handler alone gives it an instruction followed by one
 * whose fn just returns.
 *
 * Not modelled: 3DNow!, XOP, MPX, AVX-512 and VMX/SVM encodings; there is no place for EVEX in
 * struct decode.
 */
#ifndef CPU_INSN_H
#define CPU_INSN_H

#include "cpu/cpu.h"

/*
 * 32 bytes.  Register numbers index c->r[]; for 8-bit register operands r1/r2 are byte offsets into
 * c->r (so that AH is 1).  SIMD, x87, segment, control and debug register operands carry the plain
 * number.
 */
struct insn {
    op_fn *fn;
    uint8_t r1; /* ModRM.reg operand, or the register in the opcode, or the accumulator */
    uint8_t r2; /* ModRM.rm operand when a register */
    uint8_t base,
        index;    /* of the memory operand; R_ZERO: none; R_BASE: RIP-relative (disp adjusted) */
    uint8_t sib;  /* bits 1..0 scale; 3..2 address size (0: 16, 1: 32, 2: 64 bits); 6..4 spare */
    uint8_t seg;  /* segment of the memory operand */
    uint8_t len;  /* bytes of the instruction */
    uint8_t n;    /* instructions of the block up to and including this one */
    uint16_t ofs; /* of this instruction from the block's start, bytes */
    uint16_t row; /* index of its row in the table (for traces and statistics) */
    int32_t disp; /* displacement; direct branches: target - block start (int32) */
    union {
        uint64_t imm;            /* immediate, extended as the instruction wants it */
        const void *ptr;         /* what a `prepare` hook left (native stub) */
        const struct insn *link; /* direct branch: first instruction of the target, or NULL */
    };
};
static_assert(sizeof(struct insn) == 32, "two per cache line");

#define INSN_ASIZE(i) ((i)->sib >> 2 & 3)
#define INSN_SCALE(i) ((i)->sib & 3)

#define NEXT(c, i) return (i)[1].fn((c), (i) + 1)
#define LEAVE(c)   return

/* IP of instruction i, and of the one behind it. */
static inline uint64_t insn_ip(const struct cpu *c, const struct insn *i)
{
    return (c->r[R_BASE] + i->ofs) & cpu_ip_mask(c);
}
static inline uint64_t insn_next_ip(const struct cpu *c, const struct insn *i)
{
    return (c->r[R_BASE] + i->ofs + i->len) & cpu_ip_mask(c);
}

/* An instruction that ends the block without branching (after it the run loop decides): commit ip
 * and count. */
static inline void insn_commit(struct cpu *c, const struct insn *i)
{
    c->ip = insn_next_ip(c, i);
    c->icount += i->n;
    c->cur = NULL;
}

/* (The translator emits the same: accel/jit/thunks.c.) */
static inline unsigned jcache_index(uint64_t la)
{
    return (unsigned)(la ^ la >> 13) & (JCACHE_SIZE - 1);
}

static inline struct jcache_entry *jcache_slot(const struct cpu *c, uint64_t la)
{
    return &c->jcache[jcache_index(la)];
}

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* What jump-cache entries for a jump to `ip` hold as `at`.  (CS has a base where IP has at most 32
 * bits.) */
static ALWAYS_INLINE uint64_t jcache_at(const struct cpu *c, uint64_t ip)
{
    return ip + (c->cs_base << 32);
}

/* May the block of slot `e` be entered for a jump to `ip`: is it the one, and is no request there?
 */
static ALWAYS_INLINE bool jcache_hits(const struct cpu *c, const struct jcache_entry *e,
                                      uint64_t ip)
{
    return likely(e->at == jcache_at(c, ip) && (e->key == c->jkey || e->key == c->gkey)) &&
           likely(!atomic_load_explicit(&c->v->requests, memory_order_relaxed));
}

/* Jump to c->ip; the caller has counted (c->icount += i->n). */
static ALWAYS_INLINE void branch_indirect(struct cpu *c)
{
    uint64_t ip = c->ip;
    const struct jcache_entry *e = jcache_slot(c, ip + c->cs_base);

    if (jcache_hits(c, e, ip)) {
        c->r[R_BASE] = ip;
        return e->first->fn(c, e->first);
    }
    return c->lookup(c);
}

/* branch_direct without a link: #GP at the branch where the target lies outside the code segment,
 * else the engine's c->link. */
void branch_unlinked(struct cpu *c, const struct insn *i, uint64_t ip);

/*
 * Jump to the target `ip` of a direct branch, which may be linked.  (A link to another page than
 * the branch's is the engine's: it leads to an instruction that looks the target up.)
 */
static ALWAYS_INLINE void branch_direct(struct cpu *c, const struct insn *i, uint64_t ip)
{
    const struct insn *t = i->link;

    c->icount += i->n;
    if (likely(t) && likely(!atomic_load_explicit(&c->v->requests, memory_order_relaxed))) {
        c->r[R_BASE] = ip;
        return t->fn(c, t);
    }
    return branch_unlinked(c, i, ip);
}

/* ---- decoding (cpu/decode.c) ---- */

enum opmap { MAP_1, MAP_0F, MAP_0F38, MAP_0F3A, MAP_VEX_0F, MAP_VEX_0F38, MAP_VEX_0F3A, MAP_COUNT };
enum pfx {
    PFX_ANY, /* 66 is operand size; F2/F3 ignored or REP */
    PFX_NP,
    PFX_66,
    PFX_F3,
    PFX_F2,
    PFX_66W, /* 66 must be there, and is operand size all the same */
};
enum mod { MOD_ANY, MOD_REG, MOD_MEM };

/* Size rule: which operand size index (0: 8, 1: 16, 2: 32, 3: 64 bits) selects the handler. */
enum size_rule {
    SZ_NONE, /* one handler: index 0 */
    SZ_B,    /* byte */
    SZ_V,    /* 16/32/64 by operand size */
    SZ_W,    /* always 16 */
    SZ_D,    /* always 32 */
    SZ_Q,    /* always 64 */
    SZ_Y,    /* 32, or 64 with REX.W/VEX.W */
    SZ_V64,  /* as V, but 64 in 64-bit code unless 66 (push, pop, near branches) */
    SZ_F64,  /* as V, but always 64 in 64-bit code (near jumps and calls, Intel) */
    SZ_Z,    /* 16/32: as V with 64 -> 32 */
};

/* Operand encoding: what follows the opcode and what goes to r1 and imm. */
enum {
    ENC_MODRM = BIT(0), /* r1 = reg (with REX.R), r2 or memory = rm */
    ENC_OPREG = BIT(1), /* r1 = low three opcode bits (with REX.B) */
    ENC_ACC = BIT(2),   /* r1 = accumulator */
    ENC_RM8 = BIT(
        3), /* the register form of rm is a byte register although the size rule says otherwise */
    ENC_REG8 = BIT(4),   /* likewise r1 */
    ENC_IB = BIT(5),     /* imm8, zero-extended */
    ENC_IBS = BIT(6),    /* imm8, sign-extended */
    ENC_IW = BIT(7),     /* imm16 */
    ENC_IZ = BIT(8),     /* imm16/32, sign-extended to 64 */
    ENC_IV = BIT(9),     /* imm16/32/64 (mov reg, imm) */
    ENC_JB = BIT(10),    /* rel8 -> disp */
    ENC_JZ = BIT(11),    /* rel16/32 -> disp */
    ENC_MOFFS = BIT(12), /* moffs: address-size displacement in imm, memory operand without ModRM */
    ENC_AP = BIT(13),    /* far pointer: offset in imm, selector in disp */
    ENC_IB2 = BIT(14),   /* a second imm8 -> disp (enter) */
    ENC_PLAINREG =
        BIT(15),       /* reg/rm are not general registers: no byte offsets (SIMD, sreg, cr, x87) */
    ENC_END = BIT(16), /* ends the block (branches, mode changes) */
    ENC_LOCK = BIT(17),    /* LOCK is allowed with a memory operand */
    ENC_NO64 = BIT(18),    /* #UD in 64-bit code */
    ENC_ONLY64 = BIT(19),  /* #UD outside */
    ENC_REP = BIT(20),     /* F2/F3 are repeat prefixes: rep in insn.disp (0, 0xf3, 0xf2) */
    ENC_NOREAL = BIT(21),  /* #UD in real and V86 mode */
    ENC_FPU = BIT(22),     /* x87: #NM by MODE_FPU_NM */
    ENC_SSE = BIT(23),     /* legacy SSE state: #UD/#NM by MODE_SSE_* */
    ENC_MMX = BIT(24),     /* MMX registers: CR0.EM -> #UD, TS -> #NM */
    ENC_AVX = BIT(25),     /* VEX: #UD by MODE_AVX_UD, #NM by TS */
    ENC_VEX_GPR = BIT(26), /* VEX without vector state (BMI): #UD only in real/V86 mode; vvvv in
                              insn.imm low byte */
    ENC_NO66 = BIT(27),    /* 66 does not change the size (used with PFX_ANY) */
    ENC_MEM_RAW = BIT(28), /* memory operand is an address only (lea, nop, prefetch): no access */
    ENC_VSIB = BIT(29),    /* SIB index is a vector register (gathers) */
    ENC_MODREG = BIT(30),  /* ModRM.mod is ignored, rm is a register (mov cr, mov dr) */
};

/* Operand forms: the register form and four ways to compute a memory address, fastest first. */
enum form {
    FORM_R,   /* rm is a register */
    FORM_MB,  /* 64-bit code, no segment base: base + disp */
    FORM_MX,  /* 64-bit code, no segment base: base + index * scale + disp */
    FORM_M32, /* flat 32-bit code: (uint32_t)(base + index * scale + disp) */
    FORM_MG,  /* anything: ea_generic() */
    FORM_COUNT
};

struct op_fns {
    op_fn *fn[FORM_COUNT]
             [4];   /* [form][size index]; NULL in an M form: use FORM_MG; NULL there: #UD */
    op_fn *lock[4]; /* with LOCK prefix, memory operand (any address form: ea_generic) */
};

struct decode;
struct op_row {
    const char *name;
    uint8_t map, op, pfx, mod;
    int8_t ext, rm; /* -1: any */
    uint8_t size;
    uint8_t vex_l, vex_w; /* VEX rows: 0, 1 or 2 (either) */
    uint16_t isa;         /* enum feature */
    uint32_t enc;
    const struct op_fns *fns;
    /* Called at decode time when not NULL; may set fn, imm/ptr and other fields.  false: #UD. */
    bool (*prepare)(struct cpu *c, struct decode *d, struct insn *i);
    uint64_t aux; /* for prepare: e.g. the SIMD operand description */
};

/* One instruction while it is decoded. */
struct decode {
    /* `avail` of them (at most 15), as they were when they were first looked at; then zeros, for
     * what is taken beyond: as much as could follow 15 prefixes. */
    uint8_t bytes[40];
    uint8_t avail, len; /* len: bytes taken */
    uint16_t mode;      /* MODE_* */
    uint8_t code;       /* 0: 16, 1: 32, 2: 64-bit code */
    bool p66, p67, lock;
    uint8_t rep;         /* 0, 0xf2 or 0xf3 (the last one) */
    int8_t seg_override; /* -1: none */
    uint8_t rex;         /* 0 or 0x40..0x4f */
    bool vex;
    uint8_t vex_map, vex_pp, vex_l, vex_w, vvvv;
    uint8_t map, op;
    bool has_modrm, has_mem;
    uint8_t modrm, mod, reg, rm; /* reg and rm with REX bits */
    uint8_t osize, asize;        /* size index: 1, 2, 3 (16, 32, 64) */
    uint8_t size;                /* index chosen by the size rule */
    uint8_t modrm_at;            /* offset of the ModRM byte in bytes */
    const struct op_row *row;    /* equal to the table's, but the decoder's own */
};

/* The register in VEX.vvvv.  Its highest bit means nothing outside 64-bit code; a field without use
 * must be 0 all the same. */
static inline uint8_t decode_vvvv(const struct decode *d)
{
    return d->code == MODE_CODE64 ? d->vvvv : d->vvvv & 7;
}

/* Result of cpu_decode when not OK. */
enum decode_result {
    DECODE_OK,
    DECODE_UD,        /* invalid: #UD when executed */
    DECODE_GP,        /* longer than 15 bytes: #GP(0) */
    DECODE_TRUNCATED, /* needs more bytes than `avail`, or has to be a block's first */
};

/* Row tables the decoder is built from. */
struct op_table {
    const struct op_row *rows;
    unsigned count;
};
extern const struct op_table ops_integer, ops_system, ops_x87, ops_simd;

/* Index over all rows that the features allow; owned by the caller (decoder_free). */
struct decoder *decoder_new(const struct cpu *c);
void decoder_free(struct decoder *d);
/*
 * Decode one instruction into *out: fn, operands, len; the caller sets n and (before the call) ofs
 * and n.  *end tells whether it ends a block. On DECODE_UD / DECODE_GP *out is a raising
 * instruction of the length seen so far and *end is set.
 */
enum decode_result cpu_decode(struct cpu *c, const uint8_t *bytes, unsigned avail, struct insn *out,
                              bool *end, struct decode *d);
const struct op_row *decoder_row(const struct decoder *d, unsigned row);
unsigned decoder_row_count(const struct decoder *d);

/* Two neighbours of a block being built: run them as one where there is a handler for the pair
 * (cpu/op_fused.c). */
void op_fuse(struct insn *first, struct insn *second);

/* Raising handlers. */
op_fn op_ud, op_gp0, op_nm, op_mmx_trap;

#endif
