/*
 * x87 and SSE control: where the registers stand, and the instructions that set control and status
 * words.
 *
 * Follows: Intel SDM volume 1 chapters 8 and 10, volume 2.  See fpu.h for who holds what.
 *
 * Not modelled: IGNNE#; with CR0.NE clear a pending exception asserts FERR# (c->fpu.ferr) and the
 * instruction goes on as if IGNNE# were asserted.
 */
#include "cpu/fpu.h"
#include "cpu/native_mem.h"

#define XMM_CLOBBERS                                                                               \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory"

/* Offsets in the FXSAVE64 image. */
enum {
    FX_FCW = 0,
    FX_FSW = 2,
    FX_FTW = 4,
    FX_FOP = 6,
    FX_FIP = 8,
    FX_FDP = 16,
    FX_MXCSR = 24,
    FX_ST = 32,
    FX_XMM = 160
};

/* ---- where the registers stand ---- */

static void host_fxrstor(uint8_t *image)
{
    asm volatile("stmxcsr 24(%0)\n\tfxrstor64 (%0)" : : "r"(image) : XMM_CLOBBERS);
}

/* Take the registers out of the host and leave it a clean x87 unit. */
static void host_fxsave(struct cpu *c)
{
    uint8_t *m = c->fpu.fxsave;

    asm volatile("fxsave64 (%0)\n\tfninit" : : "r"(m) : "memory");
    st_le16(m + FX_FOP, c->fpu.fop);
    st_le64(m + FX_FIP, c->fpu.fip);
    st_le64(m + FX_FDP, c->fpu.fdp);
    st_le32(m + FX_MXCSR, MXCSR_DEFAULT);
    st_le32(m + FX_MXCSR + 4, MXCSR_VALID);
    memset(m + FX_XMM, 0, sizeof c->fpu.fxsave - FX_XMM);
}

__attribute__((noinline)) void fpu_x87_load(struct cpu *c)
{
    uint8_t *m = c->fpu.fxsave;
    uint16_t fcw = ld_le16(m + FX_FCW);

    if (!c->fpu.x87_live) {
        st_le16(m + FX_FCW, fcw | FCW_MASKS);
        st_le16(m + FX_FSW, ld_le16(m + FX_FSW) & ~(FSW_ES | FSW_B));
        host_fxrstor(m);
        st_le16(m + FX_FCW, fcw);
        c->fpu.x87_live = true;
    }
}

__attribute__((noinline)) void fpu_x87_save(struct cpu *c)
{
    if (c->fpu.x87_live) {
        uint16_t fcw = ld_le16(c->fpu.fxsave + FX_FCW);

        host_fxsave(c);
        st_le16(c->fpu.fxsave + FX_FCW, fcw);
        c->fpu.x87_live = false;
    }
}

static uint32_t host_mxcsr(void)
{
    uint32_t v;

    asm volatile("stmxcsr %0" : "=m"(v));
    return v;
}

static void host_set_mxcsr(uint32_t v)
{
    asm volatile("ldmxcsr %0" : : "m"(v));
}

uint32_t fpu_mxcsr(const struct cpu *c)
{
    return c->fpu.sse_live ? (c->fpu.mxcsr & ~(uint32_t)MXCSR_FLAGS) | (host_mxcsr() & MXCSR_FLAGS)
                           : c->fpu.mxcsr;
}

void fpu_set_mxcsr(struct cpu *c, uint32_t val)
{
    c->fpu.mxcsr = val & MXCSR_VALID;
    if (c->fpu.sse_live) {
        host_set_mxcsr(c->fpu.mxcsr | MXCSR_MASKS);
    }
}

void fpu_enter(struct cpu *c)
{
    struct native *n = c->native;

    if (!c->fpu.sse_live) {
        n->host_mxcsr = host_mxcsr();
        c->fpu.sse_live = true;
        host_set_mxcsr((c->fpu.mxcsr & MXCSR_VALID) | MXCSR_MASKS);
    }
}

void fpu_leave(struct cpu *c)
{
    struct native *n = c->native;

    if (c->fpu.sse_live) {
        c->fpu.mxcsr = fpu_mxcsr(c);
        c->fpu.sse_live = false;
        host_set_mxcsr(n->host_mxcsr);
    }
    fpu_x87_save(c);
}

/* Set the status word in the image; its registers are in stack order, so a new TOP moves them. */
static void set_image_fsw(uint8_t *m, uint16_t fsw)
{
    unsigned by = ((fsw >> FSW_TOP_SHIFT) - (ld_le16(m + FX_FSW) >> FSW_TOP_SHIFT)) & 7;
    uint8_t old[128];

    memcpy(old, m + FX_ST, sizeof old);
    for (unsigned k = 0; by && k < 8; k++) {
        memcpy(m + FX_ST + k * 16, old + ((k + by) & 7) * 16, 16);
    }
    st_le16(m + FX_FSW, fsw);
}

/* What FNINIT sets, in the image. */
static void x87_init(struct cpu *c)
{
    uint8_t *m = c->fpu.fxsave;

    st_le16(m + FX_FCW, 0x37f);
    set_image_fsw(m, 0);
    m[FX_FTW] = 0;
    memset(m + FX_FOP, 0, FX_MXCSR - FX_FOP);
    c->fpu.fop = c->fpu.fcs = c->fpu.fds = 0;
    c->fpu.fip = c->fpu.fdp = 0;
    c->fpu.ferr = false;
}

void fpu_reset(struct cpu *c, bool init)
{
    if (init) {
        return;
    }
    memset(&c->fpu, 0, sizeof c->fpu);
    x87_init(c);
    st_le16(c->fpu.fxsave + FX_FCW, 0x40);
    c->fpu.fxsave[FX_FTW] = 0xff;
    c->fpu.mxcsr = MXCSR_DEFAULT;
    c->fpu.xcr0 = 1;
}

/* ---- status and pending exceptions ---- */

static uint16_t raw_fsw(struct cpu *c)
{
    uint16_t v;

    if (!c->fpu.x87_live) {
        return ld_le16(c->fpu.fxsave + FX_FSW);
    }
    asm volatile("fnstsw %0" : "=a"(v));
    return v;
}

uint16_t fpu_fsw(struct cpu *c)
{
    uint16_t v = raw_fsw(c) & ~(FSW_ES | FSW_B);

    return v & ~fpu_fcw(c) & FCW_MASKS ? v | FSW_ES | FSW_B : v;
}

bool fpu_check_pending(struct cpu *c, const struct insn *i)
{
    if (!(fpu_fsw(c) & FSW_ES)) {
        return false;
    }
    c->cur = i;
    if (c->cr0 & CR0_NE) {
        cpu_raise(c, EXCP_MF);
    }
    if (!c->fpu.ferr && c->v->ferr) {
        cpu_outside(c, OUTSIDE_FERR);
        machine_lock(c->v->m);
        c->v->ferr(c->v->ferr_dev);
        machine_unlock(c->v->m);
    }
    c->fpu.ferr = true;
    return true;
}

void fpu_run_unmasked(struct cpu *c, const struct insn *i, void *p)
{
    fpu_x87_save(c);
    host_fxrstor(c->fpu.fxsave);
    native_run(c, i, p);
    host_fxsave(c);
}

bool fpu_mode_changed(struct cpu *c, const struct insn *i)
{
    if (!!(c->mode & MODE_FPU_CHECK) == fpu_x87_unmasked(c) &&
        !!(c->mode & MODE_SSE_CHECK) == fpu_sse_unmasked(c)) {
        return false;
    }
    cpu_update_mode(c);
    insn_commit(c, i);
    return true;
}

#define NEXT_OR_LEAVE(c, i)                                                                        \
    do {                                                                                           \
        if (unlikely(fpu_mode_changed(c, i))) {                                                    \
            LEAVE(c);                                                                              \
        }                                                                                          \
        NEXT(c, i);                                                                                \
    } while (0)

/* Waiting instructions of this file. */
static inline void wait_pending(struct cpu *c, const struct insn *i)
{
    if (unlikely(c->mode & MODE_FPU_CHECK)) {
        fpu_check_pending(c, i);
    }
}

/* ---- instructions ---- */

void fpu_op_fninit(struct cpu *c, const struct insn *i)
{
    x87_init(c);
    if (c->fpu.x87_live) {
        asm volatile("fninit");
    }
    NEXT_OR_LEAVE(c, i);
}

void fpu_op_fnclex(struct cpu *c, const struct insn *i)
{
    if (c->fpu.x87_live) {
        asm volatile("fnclex");
    } else {
        uint8_t *m = c->fpu.fxsave;
        st_le16(m + FX_FSW, ld_le16(m + FX_FSW) & 0x7f00);
    }
    c->fpu.ferr = false;
    NEXT(c, i);
}

/* FNENI, FNDISI, FNSETPM: without effect since the 387. */
void fpu_op_nop(struct cpu *c, const struct insn *i)
{
    NEXT(c, i);
}

void fpu_op_fwait(struct cpu *c, const struct insn *i)
{
    if (unlikely((c->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))) {
        return op_nm(c, i);
    }
    wait_pending(c, i);
    NEXT(c, i);
}

static void set_fcw(struct cpu *c, uint16_t val)
{
    st_le16(c->fpu.fxsave + FX_FCW, (val & 0x1f3f) | 0x40);
    if (c->fpu.x87_live) {
        uint16_t host = (val & 0x1f3f) | 0x40 | FCW_MASKS;
        asm volatile("fldcw %0" : : "m"(host));
    }
}

/* These three are common in compiled code of 32-bit guests: one handler per address form. */
#define CONTROL_FORM(form)                                                                         \
    static void fldcw_##form(struct cpu *c, const struct insn *i)                                  \
    {                                                                                              \
        wait_pending(c, i);                                                                        \
        set_fcw(c, mem_load16(c, i, NATIVE_EA_##form(2, EA_READ)));                                \
        NEXT_OR_LEAVE(c, i);                                                                       \
    }                                                                                              \
    static void fnstcw_##form(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        mem_store16(c, i, NATIVE_EA_##form(2, EA_WRITE), fpu_fcw(c));                              \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void fnstsw_##form(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        mem_store16(c, i, NATIVE_EA_##form(2, EA_WRITE), fpu_fsw(c));                              \
        NEXT(c, i);                                                                                \
    }
CONTROL_FORM(MB)
CONTROL_FORM(MX)
CONTROL_FORM(M32)
CONTROL_FORM(MG)

/* The same for every operand size. */
#define FOUR(fn)                                                                                   \
    {                                                                                              \
        fn, fn, fn, fn                                                                             \
    }
#define CONTROL_FNS(name)                                                                          \
    const struct op_fns fpu_fns_##name = {.fn = {[FORM_MB] = FOUR(name##_MB),                      \
                                                 [FORM_MX] = FOUR(name##_MX),                      \
                                                 [FORM_M32] = FOUR(name##_M32),                    \
                                                 [FORM_MG] = FOUR(name##_MG)}};
CONTROL_FNS(fldcw)
CONTROL_FNS(fnstcw)
CONTROL_FNS(fnstsw)

void fpu_op_fnstsw_ax(struct cpu *c, const struct insn *i)
{
    c->r[R_RAX] = (c->r[R_RAX] & ~0xffffull) | fpu_fsw(c);
    NEXT(c, i);
}

void fpu_op_emms(struct cpu *c, const struct insn *i)
{
    wait_pending(c, i);
    if (c->fpu.x87_live) {
        asm volatile("emms");
    } else {
        c->fpu.fxsave[FX_FTW] = 0;
        set_image_fsw(c->fpu.fxsave, ld_le16(c->fpu.fxsave + FX_FSW) & 0xc7ff);
    }
    NEXT(c, i);
}

void fpu_op_ldmxcsr(struct cpu *c, const struct insn *i)
{
    uint32_t v = mem_load32(c, i, ea_generic(c, i, 4, EA_READ));

    if (v & ~(uint32_t)MXCSR_VALID) {
        return op_gp0(c, i);
    }
    fpu_set_mxcsr(c, v);
    NEXT_OR_LEAVE(c, i);
}

void fpu_op_stmxcsr(struct cpu *c, const struct insn *i)
{
    mem_store32(c, i, ea_generic(c, i, 4, EA_WRITE), fpu_mxcsr(c));
    NEXT(c, i);
}

/* ---- environments ---- */

/* The full tag word from the abridged one and the registers' contents. */
static uint16_t full_tags(const uint8_t *m)
{
    unsigned top = ld_le16(m + FX_FSW) >> FSW_TOP_SHIFT & 7;
    uint16_t tags = 0;

    for (unsigned k = 0; k < 8; k++) {
        const uint8_t *st = m + FX_ST + ((k - top) & 7) * 16;
        uint64_t frac = ld_le64(st);
        unsigned exp = ld_le16(st + 8) & 0x7fff, tag = 2;

        if (!(m[FX_FTW] >> k & 1)) {
            tag = 3;
        } else if (exp == 0 && frac == 0) {
            tag = 1;
        } else if (exp != 0 && exp != 0x7fff && frac >> 63) {
            tag = 0;
        }
        tags |= tag << k * 2;
    }
    return tags;
}

static uint8_t abridged_tags(uint16_t tags)
{
    uint8_t out = 0;

    for (unsigned k = 0; k < 8; k++) {
        out |= (tags >> k * 2 & 3) != 3 ? BIT(k) : 0;
    }
    return out;
}

/* Environment as FNSTENV stores it; returns its length.  The registers must be in the image. */
static unsigned make_env(struct cpu *c, uint8_t *e, bool wide)
{
    bool prot = cpu_is_protected(c);
    uint64_t fip = prot ? c->fpu.fip : c->fpu.fip + ((uint32_t)c->fpu.fcs << 4);
    uint64_t fdp = prot ? c->fpu.fdp : c->fpu.fdp + ((uint32_t)c->fpu.fds << 4);
    uint16_t fop = c->fpu.fop & 0x7ff;
    uint16_t w[3] = {fpu_fcw(c), fpu_fsw(c), full_tags(c->fpu.fxsave)};

    if (!wide) {
        for (unsigned k = 0; k < 3; k++) {
            st_le16(e + k * 2, w[k]);
        }
        st_le16(e + 6, fip);
        st_le16(e + 8, prot ? c->fpu.fcs : (fip >> 16 & 15) << 12 | fop);
        st_le16(e + 10, fdp);
        st_le16(e + 12, prot ? c->fpu.fds : (fdp >> 16 & 15) << 12);
        return 14;
    }
    for (unsigned k = 0; k < 3; k++) {
        st_le32(e + k * 4, w[k] | 0xffff0000);
    }
    if (prot) {
        st_le32(e + 12, fip);
        st_le32(e + 16, c->fpu.fcs | (uint32_t)fop << 16);
        st_le32(e + 20, fdp);
        st_le32(e + 24, c->fpu.fds | 0xffff0000);
    } else {
        st_le32(e + 12, (fip & 0xffff) | 0xffff0000);
        st_le32(e + 16, (fip >> 16 & 0xffff) << 12 | fop);
        st_le32(e + 20, (fdp & 0xffff) | 0xffff0000);
        st_le32(e + 24, (fdp >> 16 & 0xffff) << 12);
    }
    return 28;
}

static void take_pointers(struct cpu *c, const uint8_t *e, bool wide, bool prot)
{
    struct fpu *f = &c->fpu;

    if (prot) {
        f->fip = wide ? ld_le32(e + 12) : ld_le16(e + 6);
        f->fcs = ld_le16(wide ? e + 16 : e + 8);
        f->fop = wide ? ld_le16(e + 18) & 0x7ff : 0;
        f->fdp = wide ? ld_le32(e + 20) : ld_le16(e + 10);
        f->fds = ld_le16(wide ? e + 24 : e + 12);
        return;
    }
    uint32_t hi = wide ? ld_le32(e + 16) : ld_le16(e + 8),
             dhi = wide ? ld_le32(e + 24) : ld_le16(e + 12);
    f->fip = ld_le16(wide ? e + 12 : e + 6) | (uint64_t)(hi >> 12 & 0xffff) << 16;
    f->fdp = ld_le16(wide ? e + 20 : e + 10) | (uint64_t)(dhi >> 12 & 0xffff) << 16;
    f->fop = hi & 0x7ff;
    f->fcs = f->fds = 0;
}

/* The reverse of make_env; the registers are in the image. */
static void take_env(struct cpu *c, const uint8_t *e, bool wide)
{
    uint8_t *m = c->fpu.fxsave;
    unsigned step = wide ? 4 : 2;

    st_le16(m + FX_FCW, (ld_le16(e) & 0x1f3f) | 0x40);
    set_image_fsw(m, ld_le16(e + step) & 0x7f7f);
    m[FX_FTW] = abridged_tags(ld_le16(e + 2 * step));
    take_pointers(c, e, wide, cpu_is_protected(c));
    c->fpu.ferr = false;
}

static void store_env(struct cpu *c, const struct insn *i, bool wide)
{
    uint8_t e[28];

    fpu_x87_save(c);
    unsigned len = make_env(c, e, wide);
    mem_store_bytes(c, i, ea_generic(c, i, len, EA_WRITE), e, len);
    st_le16(c->fpu.fxsave + FX_FCW, fpu_fcw(c) | FCW_MASKS);
}

static void load_env(struct cpu *c, const struct insn *i, bool wide)
{
    uint8_t e[28];
    unsigned len = wide ? 28 : 14;

    wait_pending(c, i);
    mem_load_bytes(c, i, ea_generic(c, i, len, EA_READ), e, len);
    fpu_x87_save(c);
    take_env(c, e, wide);
}

static void store_all(struct cpu *c, const struct insn *i, bool wide)
{
    uint8_t e[128];
    unsigned len = wide ? 28 : 14;
    uint64_t la = ea_generic(c, i, len + 80, EA_WRITE);

    mem_probe_write(c, i, la, len + 80);
    fpu_x87_save(c);
    make_env(c, e, wide);
    for (unsigned k = 0; k < 8; k++) {
        memcpy(e + len + k * 10, c->fpu.fxsave + FX_ST + k * 16, 10);
    }
    mem_store_bytes(c, i, la, e, 54);
    mem_store_bytes(c, i, la + 54, e + 54, len + 80 - 54);
    x87_init(c);
}

static void load_all(struct cpu *c, const struct insn *i, bool wide)
{
    uint8_t e[128];
    unsigned len = wide ? 28 : 14;
    uint64_t la = ea_generic(c, i, len + 80, EA_READ);

    wait_pending(c, i);
    mem_load_bytes(c, i, la, e, 54);
    mem_load_bytes(c, i, la + 54, e + 54, len + 80 - 54);
    fpu_x87_save(c);
    take_env(c, e, wide);
    for (unsigned k = 0; k < 8; k++) {
        memcpy(c->fpu.fxsave + FX_ST + k * 16, e + len + k * 10, 10);
    }
}

#define ENV_OP(name, fn, wide)                                                                     \
    void fpu_op_##name(struct cpu *c, const struct insn *i)                                        \
    {                                                                                              \
        fn(c, i, wide);                                                                            \
        NEXT_OR_LEAVE(c, i);                                                                       \
    }
ENV_OP(fnstenv16, store_env, false)
ENV_OP(fnstenv32, store_env, true)
ENV_OP(fldenv16, load_env, false)
ENV_OP(fldenv32, load_env, true)
ENV_OP(fnsave16, store_all, false)
ENV_OP(fnsave32, store_all, true)
ENV_OP(frstor16, load_all, false)
ENV_OP(frstor32, load_all, true)
