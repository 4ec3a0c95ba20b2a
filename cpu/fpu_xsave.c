/*
 * FXSAVE, XSAVE and their kin: the x87, SSE and AVX state in the formats of operating systems.
 *
 * Follows: Intel SDM volume 1, sections 10.5 and 13.
 *
 * Not modelled: the "modified" optimisation of XSAVEOPT (only the init optimisation),
 * XSAVES/XRSTORS and supervisor components.  XINUSE is exact: a component is in use unless it has
 * its initial value.
 */
#include "cpu/fpu.h"
#include "cpu/native_mem.h"

enum { XC_X87 = BIT(0), XC_SSE = BIT(1), XC_AVX = BIT(2), XC_ALL = 7 };
enum {
    LEGACY = 512,
    HEADER = 64,
    AVX_AT = LEGACY + HEADER,
    AREA = AVX_AT + 256,
    X87_END = 24,
    ST_AT = 32,
    XMM_AT = 160
};

static unsigned vector_count(const struct cpu *c)
{
    return cpu_is_64(c) ? 16 : 8;
}

/* ---- pieces ---- */

/* Bytes 0..23 and 32..159.  rex_w: 64-bit instruction and data pointers. */
static void put_x87(struct cpu *c, uint8_t *m, bool rex_w)
{
    fpu_x87_save(c);
    memcpy(m, c->fpu.fxsave, XMM_AT);
    st_le16(m + 2, fpu_fsw(c));
    m[5] = 0;
    st_le16(m + 6, c->fpu.fop & 0x7ff);
    st_le64(m + 8, c->fpu.fip);
    st_le64(m + 16, c->fpu.fdp);
    if (!rex_w) {
        st_le32(m + 12, c->fpu.fcs);
        st_le32(m + 20, c->fpu.fds);
    }
    for (unsigned k = 0; k < 8; k++) {
        memset(m + ST_AT + k * 16 + 10, 0, 6);
    }
}

static void put_mxcsr(const struct cpu *c, uint8_t *m)
{
    st_le32(m + 24, fpu_mxcsr(c));
    st_le32(m + 28, MXCSR_VALID);
}

static void put_xmm(const struct cpu *c, uint8_t *m)
{
    for (unsigned k = 0; k < vector_count(c); k++) {
        memcpy(m + XMM_AT + k * 16, c->fpu.ymm[k], 16);
    }
}

static void take_x87(struct cpu *c, const uint8_t *m, bool rex_w)
{
    fpu_x87_save(c);
    memcpy(c->fpu.fxsave, m, X87_END);
    memcpy(c->fpu.fxsave + ST_AT, m + ST_AT, XMM_AT - ST_AT);
    st_le16(c->fpu.fxsave, (ld_le16(m) & 0x1f3f) | 0x40);
    st_le16(c->fpu.fxsave + 2, ld_le16(m + 2) & 0x7f7f);
    c->fpu.fxsave[5] = 0;
    for (unsigned k = 0; k < 8; k++) {
        memset(c->fpu.fxsave + ST_AT + k * 16 + 10, 0, 6);
    }
    c->fpu.fop = ld_le16(m + 6) & 0x7ff;
    c->fpu.fip = rex_w ? ld_le64(m + 8) : ld_le32(m + 8);
    c->fpu.fdp = rex_w ? ld_le64(m + 16) : ld_le32(m + 16);
    c->fpu.fcs = rex_w ? 0 : ld_le16(m + 12);
    c->fpu.fds = rex_w ? 0 : ld_le16(m + 20);
    st_le16(c->fpu.fxsave + 6, c->fpu.fop);
    st_le64(c->fpu.fxsave + 8, c->fpu.fip);
    st_le64(c->fpu.fxsave + 16, c->fpu.fdp);
    c->fpu.ferr = false;
}

/* The initial configuration of the x87 component. */
static void init_x87(struct cpu *c)
{
    static const uint8_t initial[XMM_AT] = {0x7f, 0x03};

    take_x87(c, initial, true);
}

void fpu_get_x87(struct cpu *c, uint8_t *image)
{
    uint64_t mxcsr = ld_le64(image + 24);

    put_x87(c, image, true);
    st_le64(image + 24, mxcsr);
}

void fpu_set_x87(struct cpu *c, const uint8_t *image)
{
    if (image) {
        take_x87(c, image, true);
    } else {
        init_x87(c);
    }
}

static void take_xmm(struct cpu *c, const uint8_t *m)
{
    for (unsigned k = 0; k < vector_count(c); k++) {
        if (m) {
            memcpy(c->fpu.ymm[k], m + XMM_AT + k * 16, 16);
        } else {
            memset(c->fpu.ymm[k], 0, 16);
        }
    }
}

static void take_avx(struct cpu *c, const uint8_t *m)
{
    for (unsigned k = 0; k < vector_count(c); k++) {
        if (m) {
            memcpy(c->fpu.ymm[k] + 16, m + AVX_AT + k * 16, 16);
        } else {
            memset(c->fpu.ymm[k] + 16, 0, 16);
        }
    }
}

/* Bytes from..to-1 of the area at la; directly when they are within one page of plain RAM. */
static void load_area(struct cpu *c, const struct insn *i, uint64_t la, uint8_t *m, unsigned from,
                      unsigned to)
{
    const struct tlb_entry *e = tlb_slot(c, la + from);

    if (likely(la + from - e->tag_r <= PAGE_BYTES - (to - from))) {
        memcpy(m + from, (const void *)(uintptr_t)(la + from + e->addend), to - from);
        return;
    }
    for (unsigned at = from; at < to; at += 64) {
        mem_load_bytes(c, i, la + at, m + at, MIN(64, to - at));
    }
}

static void store_area(struct cpu *c, const struct insn *i, uint64_t la, const uint8_t *m,
                       unsigned from, unsigned to)
{
    void *p = native_write(c, la + from, to - from);

    if (likely(p)) {
        memcpy(p, m + from, to - from);
        return;
    }
    for (unsigned at = from; at < to; at += 64) {
        mem_store_bytes(c, i, la + at, m + at, MIN(64, to - at));
    }
}

/* ---- FXSAVE, FXRSTOR ---- */

static void fxsave(struct cpu *c, const struct insn *i, bool rex_w)
{
    uint64_t la = ea_generic(c, i, LEGACY, EA_WRITE);
    uint8_t m[LEGACY] = {0};

    if (la & 15) {
        op_gp0(c, i);
    }
    mem_probe_write(c, i, la, LEGACY);
    put_x87(c, m, rex_w);
    put_mxcsr(c, m);
    put_xmm(c, m);
    store_area(c, i, la, m, 0, XMM_AT + vector_count(c) * 16);
}

static void fxrstor(struct cpu *c, const struct insn *i, bool rex_w)
{
    uint64_t la = ea_generic(c, i, LEGACY, EA_READ);
    uint8_t m[LEGACY];

    if (la & 15) {
        op_gp0(c, i);
    }
    load_area(c, i, la, m, 0, LEGACY);
    if (ld_le32(m + 24) & ~(uint32_t)MXCSR_VALID) {
        op_gp0(c, i);
    }
    take_x87(c, m, rex_w);
    fpu_set_mxcsr(c, ld_le32(m + 24));
    take_xmm(c, m);
}

#define SAVE_OP(name, ...)                                                                         \
    void fpu_op_##name(struct cpu *c, const struct insn *i)                                        \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
        NEXT(c, i);                                                                                \
    }
#define RESTORE_OP(name, ...)                                                                      \
    void fpu_op_##name(struct cpu *c, const struct insn *i)                                        \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
        if (fpu_mode_changed(c, i)) {                                                              \
            LEAVE(c);                                                                              \
        }                                                                                          \
        NEXT(c, i);                                                                                \
    }
SAVE_OP(fxsave, fxsave(c, i, false))
SAVE_OP(fxsave64, fxsave(c, i, true))
RESTORE_OP(fxrstor, fxrstor(c, i, false))
RESTORE_OP(fxrstor64, fxrstor(c, i, true))

/* ---- XSAVE and friends ---- */

/* The checks they share; returns the linear address of the area. */
static uint64_t xsave_area(struct cpu *c, const struct insn *i, unsigned access)
{
    if (!(c->cr4 & CR4_OSXSAVE)) {
        op_ud(c, i);
    }
    if (c->cr0 & CR0_TS) {
        op_nm(c, i);
    }
    uint64_t la = ea_generic(c, i, AVX_AT, access);
    if (la & 63) {
        op_gp0(c, i);
    }
    return la;
}

static uint64_t requested(const struct cpu *c)
{
    return ((uint64_t)(uint32_t)c->r[R_RDX] << 32 | (uint32_t)c->r[R_RAX]) & c->fpu.xcr0;
}

/* n: a multiple of 8. */
static bool any_set(const uint8_t *p, unsigned n)
{
    uint64_t or = 0;

    for (unsigned k = 0; k < n; k += 8) {
        or |= ld_le64(p + k);
    }
    return or ;
}

/* XINUSE: components that differ from their initial configuration. */
static uint64_t in_use(struct cpu *c)
{
    const uint8_t *m = c->fpu.fxsave;
    uint64_t mask = 0;

    fpu_x87_save(c);
    if (ld_le16(m) != 0x37f || ld_le16(m + 2) || m[4] || c->fpu.fop || c->fpu.fip || c->fpu.fdp ||
        c->fpu.fcs || c->fpu.fds || any_set(m + ST_AT, XMM_AT - ST_AT)) {
        mask |= XC_X87;
    }
    for (unsigned k = 0; k < vector_count(c); k++) {
        mask |= any_set(c->fpu.ymm[k], 16) ? XC_SSE : 0;
        mask |= any_set(c->fpu.ymm[k] + 16, 16) ? XC_AVX : 0;
    }
    return mask;
}

/* Write the components in `mask`. */
static void store_components(struct cpu *c, const struct insn *i, uint64_t la, uint64_t mask,
                             bool mxcsr, bool rex_w)
{
    uint8_t m[AREA];

    if (mask & XC_X87) {
        put_x87(c, m, rex_w);
        store_area(c, i, la, m, 0, X87_END);
        store_area(c, i, la, m, ST_AT, XMM_AT);
    }
    if (mxcsr) {
        put_mxcsr(c, m);
        store_area(c, i, la, m, 24, 32);
    }
    if (mask & XC_SSE) {
        put_xmm(c, m);
        store_area(c, i, la, m, XMM_AT, XMM_AT + vector_count(c) * 16);
    }
    if (mask & XC_AVX) {
        for (unsigned k = 0; k < vector_count(c); k++) {
            memcpy(m + AVX_AT + k * 16, c->fpu.ymm[k] + 16, 16);
        }
        store_area(c, i, la, m, AVX_AT, AVX_AT + vector_count(c) * 16);
    }
}

static void xsave(struct cpu *c, const struct insn *i, bool optimise, bool rex_w)
{
    uint64_t la = xsave_area(c, i, EA_WRITE);
    uint64_t rfbm = requested(c), used = in_use(c);

    mem_probe_write(c, i, la, rfbm & XC_AVX ? AVX_AT + vector_count(c) * 16 : AVX_AT);
    uint64_t bv = mem_load64(c, i, la + LEGACY);
    store_components(c, i, la, optimise ? rfbm & used : rfbm, rfbm & (XC_SSE | XC_AVX), rex_w);
    mem_store64(c, i, la + LEGACY, (bv & ~rfbm) | (rfbm & used));
}

static void xsavec(struct cpu *c, const struct insn *i, bool rex_w)
{
    uint64_t la = xsave_area(c, i, EA_WRITE);
    uint64_t rfbm = requested(c), used = in_use(c);

    if (fpu_mxcsr(c) != MXCSR_DEFAULT) {
        used |= XC_SSE;
    }
    mem_probe_write(c, i, la, rfbm & XC_AVX ? AVX_AT + vector_count(c) * 16 : AVX_AT);
    store_components(c, i, la, rfbm & used, rfbm & used & XC_SSE, rex_w);
    mem_store64(c, i, la + LEGACY, rfbm & used);
    mem_store64(c, i, la + LEGACY + 8, BIT64(63) | rfbm);
}

/* A header that XRSTOR refuses. */
static bool bad_header(const struct cpu *c, const uint8_t *h)
{
    uint64_t bv = ld_le64(h), comp = ld_le64(h + 8);

    if (!(comp >> 63)) {
        return (bv & ~c->fpu.xcr0) || any_set(h + 8, 16);
    }
    comp &= ~BIT64(63);
    return !cpu_has(c, FEAT_XSAVEC) || (comp & ~c->fpu.xcr0) || (bv & ~comp) || any_set(h + 16, 48);
}

static void xrstor(struct cpu *c, const struct insn *i, bool rex_w)
{
    uint64_t la = xsave_area(c, i, EA_READ), rfbm = requested(c);
    uint8_t m[AREA];
    uint32_t mxcsr = MXCSR_DEFAULT;

    load_area(c, i, la, m, 0, AVX_AT);
    uint64_t bv = ld_le64(m + LEGACY);
    bool compact = ld_le64(m + LEGACY + 8) >> 63;
    if (bad_header(c, m + LEGACY)) {
        op_gp0(c, i);
    }
    bool set_mxcsr = compact ? rfbm & XC_SSE : rfbm & (XC_SSE | XC_AVX);
    if (set_mxcsr && (!compact || bv & XC_SSE)) {
        mxcsr = ld_le32(m + 24);
    }
    if (mxcsr & ~(uint32_t)MXCSR_VALID) {
        op_gp0(c, i);
    }
    if (rfbm & bv & XC_AVX) {
        load_area(c, i, la, m, AVX_AT, AVX_AT + vector_count(c) * 16);
    }
    if (rfbm & XC_X87) {
        if (bv & XC_X87) {
            take_x87(c, m, rex_w);
        } else {
            init_x87(c);
        }
    }
    if (set_mxcsr) {
        fpu_set_mxcsr(c, mxcsr);
    }
    if (rfbm & XC_SSE) {
        take_xmm(c, bv & XC_SSE ? m : NULL);
    }
    if (rfbm & XC_AVX) {
        take_avx(c, bv & XC_AVX ? m : NULL);
    }
}

SAVE_OP(xsave, xsave(c, i, false, false))
SAVE_OP(xsave64, xsave(c, i, false, true))
SAVE_OP(xsaveopt, xsave(c, i, true, false))
SAVE_OP(xsaveopt64, xsave(c, i, true, true))
SAVE_OP(xsavec, xsavec(c, i, false))
SAVE_OP(xsavec64, xsavec(c, i, true))
RESTORE_OP(xrstor, xrstor(c, i, false))
RESTORE_OP(xrstor64, xrstor(c, i, true))

/* ---- XCR0 ---- */

void fpu_op_xgetbv(struct cpu *c, const struct insn *i)
{
    uint32_t n = c->r[R_RCX];

    if (!(c->cr4 & CR4_OSXSAVE)) {
        return op_ud(c, i);
    }
    if (n > 1 || (n == 1 && !cpu_has(c, FEAT_XGETBV1))) {
        return op_gp0(c, i);
    }
    uint64_t v =
        n ? c->fpu.xcr0 & (in_use(c) | (fpu_mxcsr(c) != MXCSR_DEFAULT ? XC_SSE : 0)) : c->fpu.xcr0;
    c->r[R_RAX] = (uint32_t)v;
    c->r[R_RDX] = v >> 32;
    NEXT(c, i);
}

void fpu_op_xsetbv(struct cpu *c, const struct insn *i)
{
    uint64_t v = (uint64_t)(uint32_t)c->r[R_RDX] << 32 | (uint32_t)c->r[R_RAX];
    uint64_t known = cpu_has(c, FEAT_AVX) ? XC_ALL : XC_X87 | XC_SSE;

    if (!(c->cr4 & CR4_OSXSAVE)) {
        return op_ud(c, i);
    }
    if (c->cpl || (uint32_t)c->r[R_RCX] || !(v & XC_X87) || v & ~known ||
        (v & XC_AVX && !(v & XC_SSE))) {
        return op_gp0(c, i);
    }
    c->fpu.xcr0 = v;
    cpu_update_mode(c);
    insn_commit(c, i);
    LEAVE(c);
}
