/*
 * SIMD, MMX and x87 instructions are run, not modelled: a row says which operands an instruction
 * has, and one mechanism builds a host stub that executes the guest's own encoding with its
 * operands re-pointed at struct cpu.
 *
 * A stub is an op_fn with a third argument: the host address of the memory operand, in the memory
 * forms.  It loads the operands it reads (register numbers from struct insn: r1 = ModRM.reg; r2 =
 * ModRM.rm; VEX.vvvv is in r2 of a memory form and in base of a register form), executes the
 * instruction, stores what it writes and goes on to the next instruction.  The register form of a
 * vector instruction is the stub itself; memory forms go through a C handler that finds the host
 * address.  MMX and x87 stubs work in the host's own x87 registers (fpu.h), with the guest's
 * numbers.
 *
 * Not modelled: 3DNow!, AVX-512, alignment checking (#AC) of SIMD operands.
 */
#ifndef CPU_NATIVE_H
#define CPU_NATIVE_H

#include "cpu/codemem.h"
#include "cpu/insn.h"

/*
 * op_row.aux of the rows in ops_simd and ops_x87.  Read it with native_describe.
 */
enum native_kind { NK_NONE, NK_X /* XMM or YMM */, NK_M /* MMX */, NK_G /* general register */ };
enum native_access { NA_NONE, NA_R, NA_W, NA_RW };
/* Size of the memory operand; VL: 16, or 32 with VEX.L; Y: 4, or 8 with W; ODD: the handler knows
 * (FXSAVE and such). */
enum native_mem {
    NM_NONE,
    NM_1,
    NM_2,
    NM_4,
    NM_8,
    NM_16,
    NM_32,
    NM_10,
    NM_VL,
    NM_VL2,
    NM_VL4,
    NM_VL8,
    NM_Y,
    NM_ODD,
};
enum native_tiny { NT_NONE, NT_F32, NT_F64, NT_F16 };

#define NAT_REG(kind, acc) ((uint64_t)(kind) | (uint64_t)(acc) << 2)
#define NAT_V(acc)         ((uint64_t)(acc) << 4)
#define NAT_RM(kind, acc)  ((uint64_t)(kind) << 6 | (uint64_t)(acc) << 8)
#define NAT_MEM(size)      ((uint64_t)(size) << 10)
#define NAT_TINY(type)     ((uint64_t)(type) << 20)
#define NAT_ALIGNED                                                                                \
    ((uint64_t)1 << 14) /* #GP(0) unless the memory operand is aligned to its size */
#define NAT_FLAGS_OUT ((uint64_t)1 << 15) /* writes all arithmetic flags */
#define NAT_FP        ((uint64_t)1 << 16) /* sets MXCSR flags, may raise #XM */
#define NAT_SCALAR    ((uint64_t)1 << 17) /* works on the lowest element; VEX.L is ignored */
#define NAT_XMM0      ((uint64_t)1 << 18) /* also reads XMM0 */
#define NAT_IS4       ((uint64_t)1 << 19) /* imm8 bits 7..4 name a fourth vector register */
#define NAT_FLAGS_IN  ((uint64_t)1 << 22) /* reads flags */
#define NAT_ESTR      ((uint64_t)1 << 23) /* also reads rAX and rDX */
#define NAT_OUT_ECX   ((uint64_t)1 << 24) /* also writes ECX */
#define NAT_OUT_XMM0  ((uint64_t)1 << 25) /* also writes XMM0 */
#define NAT_X87       ((uint64_t)1 << 26) /* x87: may change any x87 register */
#define NAT_CONTROL                                                                                \
    ((uint64_t)1 << 27)                  /* x87 and SIMD state management; not for random operands \
                                          */
#define NAT_IMPLICIT ((uint64_t)1 << 28) /* memory operand at DS:rDI (MASKMOVQ, MASKMOVDQU) */
#define NAT_GATHER                                                                                 \
    ((uint64_t)1 << 29) /* VSIB memory operand; the vvvv register is a mask and is cleared */
#define NAT_MASKED                                                                                 \
    ((uint64_t)1 << 30) /* lanes of the memory operand are accessed by the mask in vvvv */
#define NAT_APPROX                                                                                 \
    ((uint64_t)1 << 31) /* result may differ between processor models (RCPPS, FSIN, ...) */

/*
 * A row in words, for tests and traces.  vex_l: 0 or 1; size: size index of the decode (3: 64-bit
 * operands). The register form exists unless row->mod is MOD_MEM; the memory form exists when
 * mem_bytes is not 0 and row->mod is not MOD_REG; its access is rm_access.  An imm8 exists when
 * row->enc has ENC_IB.
 */
struct native_desc {
    enum native_kind reg, rm;
    enum native_access reg_access, v_access, rm_access;
    unsigned mem_bytes;
    bool aligned;
};
void native_describe(const struct op_row *row, unsigned vex_l, unsigned size,
                     struct native_desc *out);

/* Per-CPU stub cache; HOST error when no executable memory can be had.  Needed before the first
 * decode. */
bool native_init(struct cpu *c, GError **err);
void native_free(struct cpu *c);
/*
 * Can instructions of this feature be run here?  True for features that do not depend on the host.
 * The CPU model must drop the features for which this is false.
 */
bool native_host_has(enum feature f);

/* `prepare` of the rows in ops_simd (native.c) and ops_x87 (ops_x87.c). */
bool native_prepare(struct cpu *c, struct decode *d, struct insn *i);
bool x87_prepare(struct cpu *c, struct decode *d, struct insn *i);

/* ---- inside the mechanism ---- */

typedef void native_stub(struct cpu *c, const struct insn *i, void *p);

/* One canonical encoding.  reg and rm: what ModRM holds where it is no vector or general register
 * operand. */
struct native_op {
    uint64_t aux;
    uint8_t map, pfx, op; /* enum opmap, enum pfx */
    bool w, l, mem;
    uint8_t reg, rm;
    int16_t imm; /* -1: none */
};
/* Stands right before each stub. */
struct native_info {
    uint64_t aux;
    uint8_t size;   /* of the memory operand, 0 in a register form */
    uint8_t result; /* bytes of a vector result register that are written */
    uint8_t spare[6];
};
enum { NATIVE_STUB_MAX = 192 };
/* Write the code of a stub (at most NATIVE_STUB_MAX bytes); returns its length. */
unsigned native_emit(const struct native_op *o, uint8_t *buf);

struct native {
    uint8_t scratch[64] __attribute__((aligned(64))); /* memory operand that is not in plain RAM */
    struct codemem code;
    size_t used;
    GHashTable *stubs; /* key -> native_stub */
    uint32_t host_mxcsr;
};

/* The stub of an encoding, built at need; size: of the memory operand.  NULL: no code memory left.
 */
native_stub *native_get(struct cpu *c, const struct native_op *o, unsigned size);

/* Copy the memory operand to the scratch buffer and give its address.  Raises. */
void *native_read_slow(struct cpu *c, const struct insn *i, uint64_t la, unsigned size);
/* Run the stub of a store into the scratch buffer and store that; does not go on to the next
 * instruction.  Raises. */
void native_store_slow(struct cpu *c, const struct insn *i, uint64_t la, unsigned size);
/* Run the stub of i alone. */
void native_run(struct cpu *c, const struct insn *i, void *p);
/* Which of the memory forms serves this decode. */
enum form native_mem_form(const struct decode *d, const struct insn *i);

static inline const struct native_info *native_info(const struct insn *i)
{
    return (const struct native_info *)i->ptr - 1;
}

#endif
