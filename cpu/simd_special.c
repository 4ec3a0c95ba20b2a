/*
 * SIMD instructions that access memory lane by lane or at an implicit address: masked moves and
 * gathers; and the clearing of registers.
 *
 * Follows: Intel SDM volume 2 (MASKMOVQ, MASKMOVDQU, VMASKMOV, VPMASKMOV, VGATHER*, VPGATHER*,
 * VZEROALL, VZEROUPPER).
 *
 * Lanes that the mask leaves out are not accessed and do not fault.
 *
 * Not modelled: MASKMOVQ's non-temporal hint; its change to MMX state survives a fault.
 */
#include "cpu/fpu.h"
#include "cpu/native_mem.h"
#include "cpu/simd.h"

/* Row flags say nothing about VEX.L at run time: prepare leaves it in imm (native.c). */
static inline unsigned vector_bytes(const struct insn *i)
{
    return i->imm & 1 ? 32 : 16;
}

static bool lane_on(const uint8_t *mask, unsigned lane, unsigned bytes)
{
    return mask[lane * bytes + bytes - 1] >> 7;
}

/* ---- MASKMOVQ, MASKMOVDQU ---- */

static void mask_store(struct cpu *c, const struct insn *i, const uint8_t *src, const uint8_t *mask,
                       unsigned n)
{
    uint64_t off = c->r[R_RDI];
    unsigned first = 0, last = n;

    while (first < n && !(mask[first] >> 7)) {
        first++;
    }
    if (first == n) {
        return;
    }
    while (!(mask[last - 1] >> 7)) {
        last--;
    }
    off = INSN_ASIZE(i) == 2 ? off : INSN_ASIZE(i) == 1 ? (uint32_t)off : (uint16_t)off;
    uint64_t la = seg_linear(c, i, i->seg, off, n, EA_WRITE);
    mem_probe_write(c, i, la + first, last - first);
    for (unsigned k = first; k < last; k++) {
        if (mask[k] >> 7) {
            mem_store8(c, i, la + k, src[k]);
        }
    }
}

static void op_maskmovdqu(struct cpu *c, const struct insn *i)
{
    mask_store(c, i, c->fpu.ymm[i->r1], c->fpu.ymm[i->r2], 16);
    NEXT(c, i);
}

static void maskmovq(struct cpu *c, const struct insn *i)
{
    uint8_t mm[8][8];

    if (c->mode & MODE_FPU_CHECK) {
        fpu_check_pending(c, i);
    }
    fpu_x87_need(c);
    asm volatile(
        "movq %%mm0, (%0)\n\tmovq %%mm1, 8(%0)\n\tmovq %%mm2, 16(%0)\n\tmovq %%mm3, 24(%0)\n\t"
        "movq %%mm4, 32(%0)\n\tmovq %%mm5, 40(%0)\n\tmovq %%mm6, 48(%0)\n\tmovq %%mm7, 56(%0)"
        :
        : "r"(mm)
        : "memory");
    mask_store(c, i, mm[i->r1 & 7], mm[i->r2 & 7], 8);
}

static void op_maskmovq(struct cpu *c, const struct insn *i)
{
    maskmovq(c, i);
    NEXT(c, i);
}

/* ---- VMASKMOV ---- */

static uint64_t lane_address(struct cpu *c, const struct insn *i, unsigned offset, unsigned size,
                             unsigned access)
{
    uint64_t off = ea_offset(c, i) + offset;

    off = INSN_ASIZE(i) == 2 ? off : INSN_ASIZE(i) == 1 ? (uint32_t)off : (uint16_t)off;
    return seg_linear(c, i, i->seg, off, size, access);
}

static void mask_load(struct cpu *c, const struct insn *i, unsigned size)
{
    const uint8_t *mask = c->fpu.ymm[i->r2];
    uint8_t out[32] = {0};

    for (unsigned k = 0; k < vector_bytes(i) / size; k++) {
        if (lane_on(mask, k, size)) {
            mem_load_bytes(c, i, lane_address(c, i, k * size, size, EA_READ), out + k * size, size);
        }
    }
    memcpy(c->fpu.ymm[i->r1], out, sizeof out);
}

static void mask_store_lanes(struct cpu *c, const struct insn *i, unsigned size)
{
    const uint8_t *mask = c->fpu.ymm[i->r2], *src = c->fpu.ymm[i->r1];

    for (unsigned k = 0; k < vector_bytes(i) / size; k++) {
        if (lane_on(mask, k, size)) {
            mem_probe_write(c, i, lane_address(c, i, k * size, size, EA_WRITE), size);
        }
    }
    for (unsigned k = 0; k < vector_bytes(i) / size; k++) {
        if (lane_on(mask, k, size)) {
            mem_store_bytes(c, i, lane_address(c, i, k * size, size, EA_WRITE), src + k * size,
                            size);
        }
    }
}

/* ---- gathers ---- */

/*
 * index_size and data_size in bytes.  A fault leaves the lanes done so far done, with their mask
 * bits cleared, so that the instruction can be started again.
 */
static void gather(struct cpu *c, const struct insn *i, unsigned index_size, unsigned data_size)
{
    unsigned lanes = vector_bytes(i) / MAX(index_size, data_size);
    uint8_t *dst = c->fpu.ymm[i->r1], *mask = c->fpu.ymm[i->r2];
    const uint8_t *index = c->fpu.ymm[i->index];

    if (i->r1 == i->r2 || i->r1 == i->index || i->r2 == i->index) {
        op_ud(c, i);
    }
    for (unsigned k = 0; k < lanes; k++) { /* the whole lane becomes its sign */
        memset(mask + k * data_size, lane_on(mask, k, data_size) ? 0xff : 0, data_size);
    }
    for (unsigned k = 0; k < lanes; k++) {
        if (lane_on(mask, k, data_size)) {
            int64_t n =
                index_size == 4 ? (int32_t)ld_le32(index + k * 4) : (int64_t)ld_le64(index + k * 8);
            uint64_t off =
                c->r[i->base] + ((uint64_t)n << INSN_SCALE(i)) + (uint64_t)(int64_t)i->disp;

            off = INSN_ASIZE(i) == 2 ? off : (uint32_t)off;
            mem_load_bytes(c, i, seg_linear(c, i, i->seg, off, data_size, EA_READ),
                           dst + k * data_size, data_size);
            memset(mask + k * data_size, 0, data_size);
        }
    }
    memset(mask, 0, 32);
    memset(dst + lanes * data_size, 0, 32 - lanes * data_size);
}

#define OP(name, call)                                                                             \
    static void op_##name(struct cpu *c, const struct insn *i)                                     \
    {                                                                                              \
        call;                                                                                      \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    const struct op_fns simd_fns_##name = {.fn[FORM_MG] = {op_##name}};
OP(maskload4, mask_load(c, i, 4))
OP(maskload8, mask_load(c, i, 8))
OP(maskstore4, mask_store_lanes(c, i, 4))
OP(maskstore8, mask_store_lanes(c, i, 8))
OP(gather44, gather(c, i, 4, 4))
OP(gather48, gather(c, i, 4, 8))
OP(gather84, gather(c, i, 8, 4))
OP(gather88, gather(c, i, 8, 8))

/* ---- clearing ---- */

static void op_vzeroupper(struct cpu *c, const struct insn *i)
{
    unsigned n = cpu_is_64(c) ? 16 : 8;

    for (unsigned k = 0; k < n; k++) {
        memset(c->fpu.ymm[k] + 16, 0, 16);
    }
    NEXT(c, i);
}

static void op_vzeroall(struct cpu *c, const struct insn *i)
{
    memset(c->fpu.ymm, 0, cpu_is_64(c) ? sizeof c->fpu.ymm : sizeof c->fpu.ymm / 2);
    NEXT(c, i);
}

const struct op_fns simd_fns_maskmovq = {.fn[FORM_R] = {op_maskmovq}};
const struct op_fns simd_fns_maskmovdqu = {.fn[FORM_R] = {op_maskmovdqu}};
const struct op_fns simd_fns_vzeroupper = {.fn[FORM_R] = {op_vzeroupper}};
const struct op_fns simd_fns_vzeroall = {.fn[FORM_R] = {op_vzeroall}};
