/*
 * The x87 unit's and SSE's control state, and where the guest's x87 registers stand.
 *
 * c->fpu.fxsave is the x87 state (FXSAVE64 layout) while c->fpu.x87_live is false.  While it is
 * true the registers, tags and status word stand in the host's x87 unit, under the guest's control
 * word with all exceptions masked.  The guest's control word is always the one in the image.  ES
 * and B of the status word are made from flags and masks when somebody looks.  The XMM part of the
 * image is not used (c->fpu.ymm is).
 *
 * c->fpu.mxcsr: control bits are always right; while sse_live the sticky flags are in the host's
 * MXCSR.
 *
 * So code that runs in between must use neither long double nor anything that depends on rounding.
 *
 * Not modelled: see cpu/fpu.c.
 */
#ifndef CPU_FPU_H
#define CPU_FPU_H

#include "cpu/insn.h"

enum { FCW_MASKS = 0x3f, FSW_ES = 0x80, FSW_B = 0x8000, FSW_TOP_SHIFT = 11 };
enum { MXCSR_DEFAULT = 0x1f80, MXCSR_MASKS = 0x1f80, MXCSR_FLAGS = 0x3f, MXCSR_VALID = 0xffff };
enum { MXCSR_UE = BIT(4), MXCSR_UM = BIT(11), MXCSR_FZ = BIT(15) };

/* On entry to and exit from the run loop, on the vCPU's thread.  Outside, c->fpu is complete.  May
 * be repeated. */
void fpu_enter(struct cpu *c);
void fpu_leave(struct cpu *c);
/* Power-on state; init: INIT# leaves all of it alone. */
void fpu_reset(struct cpu *c, bool init);

/* Put the x87 registers into the host's / back into the image (no effect when they are there). */
void fpu_x87_load(struct cpu *c);
void fpu_x87_save(struct cpu *c);
static inline void fpu_x87_need(struct cpu *c)
{
    if (unlikely(!c->fpu.x87_live)) {
        fpu_x87_load(c);
    }
}

static inline uint16_t fpu_fcw(const struct cpu *c)
{
    uint16_t v;

    memcpy(&v, c->fpu.fxsave, sizeof v);
    return v;
}
/* The x87 registers in the first 160 bytes of an FXSAVE64 image, outside the run loop (bytes 24..31
 * are left alone), and from one; NULL: as FNINIT leaves them. */
void fpu_get_x87(struct cpu *c, uint8_t *image);
void fpu_set_x87(struct cpu *c, const uint8_t *image);
/* Status word as FNSTSW gives it. */
uint16_t fpu_fsw(struct cpu *c);
/* An unmasked exception is pending: raise #MF, or assert FERR# with CR0.NE clear and return true.
 * False: none. */
bool fpu_check_pending(struct cpu *c, const struct insn *i);

/* MXCSR as STMXCSR gives it; set it (valid bits only), without cpu_update_mode. */
uint32_t fpu_mxcsr(const struct cpu *c);
void fpu_set_mxcsr(struct cpu *c, uint32_t val);

/* For cpu_update_mode. */
static inline bool fpu_x87_unmasked(const struct cpu *c)
{
    return (fpu_fcw(c) & FCW_MASKS) != FCW_MASKS;
}
static inline bool fpu_sse_unmasked(const struct cpu *c)
{
    return (c->fpu.mxcsr & MXCSR_MASKS) != MXCSR_MASKS;
}

/* Run the native stub of an x87 instruction under the guest's own control word, exceptions unmasked
 * as it says. */
void fpu_run_unmasked(struct cpu *c, const struct insn *i, void *p);

op_fn fpu_op_fninit, fpu_op_fnclex, fpu_op_fwait, fpu_op_nop, fpu_op_fnstsw_ax;
extern const struct op_fns fpu_fns_fldcw, fpu_fns_fnstcw, fpu_fns_fnstsw;
op_fn fpu_op_fnstenv16, fpu_op_fnstenv32, fpu_op_fldenv16, fpu_op_fldenv32;
op_fn fpu_op_fnsave16, fpu_op_fnsave32, fpu_op_frstor16, fpu_op_frstor32;
op_fn fpu_op_fxsave, fpu_op_fxsave64, fpu_op_fxrstor, fpu_op_fxrstor64;
op_fn fpu_op_xsave, fpu_op_xsave64, fpu_op_xsaveopt, fpu_op_xsaveopt64, fpu_op_xsavec,
    fpu_op_xsavec64;
op_fn fpu_op_xrstor, fpu_op_xrstor64, fpu_op_xgetbv, fpu_op_xsetbv, fpu_op_ldmxcsr, fpu_op_stmxcsr,
    fpu_op_emms;

/*
 * New control words are in: a block decoded for other masks must be left.  True when it is (the
 * instruction is committed then).
 */
bool fpu_mode_changed(struct cpu *c, const struct insn *i);

#endif
