/*
 * Table of the MMX, SSE and AVX instructions: what the shorthands of ops_simd.inc mean.
 *
 * Follows: Intel SDM volume 2.
 *
 * Operand words: upper case = ModRM.reg, v = VEX.vvvv, e = ModRM.rm; X vector, M MMX, G general
 * register; r read, w written.  e operands name the access to memory as well.
 *
 * Not modelled: 3DNow!, SSE4a, XOP, FMA4, AVX-512.
 */
#include "cpu/fpu.h"
#include "cpu/native.h"
#include "cpu/simd.h"

#define XR   NAT_REG(NK_X, NA_R)
#define XW   NAT_REG(NK_X, NA_W)
#define XRW  NAT_REG(NK_X, NA_RW)
#define MR   NAT_REG(NK_M, NA_R)
#define MW   NAT_REG(NK_M, NA_W)
#define MRW  NAT_REG(NK_M, NA_RW)
#define GW   NAT_REG(NK_G, NA_W)
#define VR   NAT_V(NA_R)
#define VW   NAT_V(NA_W)
#define VRW  NAT_V(NA_RW)
#define ex   NAT_RM(NK_X, NA_R)
#define exw  NAT_RM(NK_X, NA_W)
#define exrw NAT_RM(NK_X, NA_RW)
#define em   NAT_RM(NK_M, NA_R)
#define emw  NAT_RM(NK_M, NA_W)
#define emrw NAT_RM(NK_M, NA_RW)
#define eg   NAT_RM(NK_G, NA_R)
#define egw  NAT_RM(NK_G, NA_W)
#define M1   NAT_MEM(NM_1)
#define M2   NAT_MEM(NM_2)
#define M4   NAT_MEM(NM_4)
#define M8   NAT_MEM(NM_8)
#define M16  NAT_MEM(NM_16)
#define M32  NAT_MEM(NM_32)
#define MY   NAT_MEM(NM_Y)
#define MVL  NAT_MEM(NM_VL)
#define MVL2 NAT_MEM(NM_VL2)
#define MVL4 NAT_MEM(NM_VL4)
#define MVL8 NAT_MEM(NM_VL8)
#define AL   NAT_ALIGNED
#define FL   NAT_FLAGS_OUT
#define FP   NAT_FP
#define SC   NAT_SCALAR

/* In the `enc` argument only: W chooses between 32 and 64 bits although no operand word says so. */
#define SIZE_Y             BIT(30)
#define ENC_NO_MODRM       BIT(31)
#define SIZE_NONE          0 /* W is ignored */
#define ROW_SIZE(enc, aux) ((enc)&SIZE_Y || ((aux) >> 10 & 15) == NM_Y ? SZ_Y : SZ_NONE)
#define ROW_ENC(e)                                                                                 \
    ((((e) & ~(SIZE_Y | ENC_NO_MODRM)) | ENC_PLAINREG) | ((e)&ENC_NO_MODRM ? 0 : ENC_MODRM))

#define ROW(mnemonic, m, o, p, md, e, r, l, w, feature, en, f, a)                                  \
    {.name = mnemonic,                                                                             \
     .map = MAP_##m,                                                                               \
     .op = (o),                                                                                    \
     .pfx = PFX_##p,                                                                               \
     .mod = MOD_##md,                                                                              \
     .ext = (e),                                                                                   \
     .rm = (r),                                                                                    \
     .size = ROW_SIZE(en, a),                                                                      \
     .vex_l = (l),                                                                                 \
     .vex_w = (w),                                                                                 \
     .isa = FEAT_##feature,                                                                        \
     .enc = ROW_ENC(en),                                                                           \
     .fns = (f),                                                                                   \
     .prepare = native_prepare,                                                                    \
     .aux = (a)},

#define MMX(name, map, op, pfx, mod, isa, enc, aux)                                                \
    ROW(#name, map, op, pfx, mod, -1, -1, 0, 0, isa, ENC_MMX | (enc), NULL, aux)
#define MMX_FN(name, map, op, pfx, mod, isa, enc, fn, aux)                                         \
    ROW(#name, map, op, pfx, mod, -1, -1, 0, 0, isa, ENC_MMX | (enc), &simd_fns_##fn, aux)
#define SSE(name, map, op, pfx, mod, isa, enc, aux)                                                \
    ROW(#name, map, op, pfx, mod, -1, -1, 0, 0, isa, ENC_SSE | (enc), NULL, aux)
#define SSE_FN(name, map, op, pfx, mod, isa, enc, fn, aux)                                         \
    ROW(#name, map, op, pfx, mod, -1, -1, 0, 0, isa, ENC_SSE | (enc), &simd_fns_##fn, aux)
#define AVX(name, map, op, pfx, mod, l, w, isa, enc, aux)                                          \
    ROW(#name, VEX_##map, op, pfx, mod, -1, -1, l, w, isa, ENC_AVX | (enc), NULL, aux)
#define AVX_FN(name, map, op, pfx, mod, l, w, isa, enc, fn, aux)                                   \
    ROW(#name, VEX_##map, op, pfx, mod, -1, -1, l, w, isa, ENC_AVX | (enc), &simd_fns_##fn, aux)

/* Both vector lengths; the long one came with AVX2. */
#define AVX_2(name, map, op, pfx, mod, enc, aux)                                                   \
    AVX(name, map, op, pfx, mod, 0, 2, AVX, enc, aux)                                              \
    AVX(name, map, op, pfx, mod, 1, 2, AVX2, enc, aux)
#define AVX_MOVE(name, map, op, pfx, mod, isa256, dir, align, aux)                                 \
    AVX_FN(name, map, op, pfx, mod, 0, 2, AVX, 0, v##dir##16##align, aux)                          \
    AVX_FN(name, map, op, pfx, mod, 1, 2, isa256, 0, v##dir##32##align, aux)

#define PACKED_MEM(name, op, isa, mm_mem)                                                          \
    MMX(name, 0F, op, NP, ANY, isa, 0, MRW | em | mm_mem)                                          \
    SSE(name, 0F, op, 66, ANY, SSE2, 0, XRW | ex | M16 | AL)                                       \
    AVX_2(v##name, 0F, op, 66, ANY, 0, XW | VR | ex | MVL)
#define PACKED(name, op, isa) PACKED_MEM(name, op, isa, M8)
#define PACKED_LOW(name, op)  PACKED_MEM(name, op, MMX, M4)
#define PACKED38(name, op)                                                                         \
    MMX(name, 0F38, op, NP, ANY, SSSE3, 0, MRW | em | M8)                                          \
    SSE(name, 0F38, op, 66, ANY, SSSE3, 0, XRW | ex | M16 | AL)                                    \
    AVX_2(v##name, 0F38, op, 66, ANY, 0, XW | VR | ex | MVL)
#define PABS(name, op)                                                                             \
    MMX(name, 0F38, op, NP, ANY, SSSE3, 0, MW | em | M8)                                           \
    SSE(name, 0F38, op, 66, ANY, SSSE3, 0, XW | ex | M16 | AL)                                     \
    AVX_2(v##name, 0F38, op, 66, ANY, 0, XW | ex | MVL)
#define VEC(name, map, op, isa)                                                                    \
    SSE(name, map, op, 66, ANY, isa, 0, XRW | ex | M16 | AL)                                       \
    AVX_2(v##name, map, op, 66, ANY, 0, XW | VR | ex | MVL)
#define VECI(name, map, op, isa)                                                                   \
    SSE(name, map, op, 66, ANY, isa, ENC_IB, XRW | ex | M16 | AL)                                  \
    AVX_2(v##name, map, op, 66, ANY, ENC_IB, XW | VR | ex | MVL)
#define VEC2(name, op, sse_mem, avx_mem)                                                           \
    SSE(name, 0F38, op, 66, ANY, SSE41, 0, XW | ex | sse_mem)                                      \
    AVX_2(v##name, 0F38, op, 66, ANY, 0, XW | ex | avx_mem)
#define BLENDI(name, op)                                                                           \
    SSE(name, 0F3A, op, 66, ANY, SSE41, ENC_IB, XRW | ex | M16 | AL)                               \
    AVX(v##name, 0F3A, op, 66, ANY, 2, 2, AVX, ENC_IB, XW | VR | ex | MVL)
#define PCMPSTR(name, op, extra)                                                                   \
    SSE(name, 0F3A, op, 66, ANY, SSE42, ENC_IB | SIZE_Y, XR | ex | M16 | FL | (extra))             \
    AVX(v##name, 0F3A, op, 66, ANY, 0, 2, AVX, ENC_IB | SIZE_Y, XR | ex | M16 | FL | (extra))
#define AES(name, op)                                                                              \
    SSE(name, 0F38, op, 66, ANY, AES, 0, XRW | ex | M16 | AL)                                      \
    AVX(v##name, 0F38, op, 66, ANY, 0, 2, AES, 0, XW | VR | ex | M16)

/* The count of a shift is 128 bits in every form. */
#define SHIFT(name, op, isa)                                                                       \
    MMX(name, 0F, op, NP, ANY, isa, 0, MRW | em | M8)                                              \
    SSE(name, 0F, op, 66, ANY, SSE2, 0, XRW | ex | M16 | AL)                                       \
    AVX_2(v##name, 0F, op, 66, ANY, 0, XW | VR | ex | M16)
#define NO_SHIFTI(name, op, ext)
#define MMX_SHIFTI(name, op, ext)                                                                  \
    ROW(#name, 0F, op, NP, REG, ext, -1, 0, 0, MMX, ENC_MMX | ENC_IB, NULL, emrw)
#define SHIFTI(name, op, ext, mmx)                                                                 \
    mmx(name, op, ext) ROW(#name, 0F, op, 66, REG, ext, -1, 0, 0, SSE2, ENC_SSE | ENC_IB, NULL,    \
                           exrw) ROW("v" #name, VEX_0F, op, 66, REG, ext, -1, 0, 2, AVX,           \
                                     ENC_AVX | ENC_IB, NULL, VW | ex)                              \
        ROW("v" #name, VEX_0F, op, 66, REG, ext, -1, 1, 2, AVX2, ENC_AVX | ENC_IB, NULL, VW | ex)

/* PS, PD, SS, SD; `n` operands in VEX packed forms (scalar ones always have three); t: NT_F32 or
 * NT_NONE. */
#define TINY64(t)    NAT_TINY((t) == NT_F32 ? NT_F64 : NT_NONE)
#define PACKED_DST_2 XW
#define PACKED_DST_3 XRW
#define PACKED_V_2   0
#define PACKED_V_3   VR
#define FP4(name, op, fp, t, n)                                                                    \
    SSE(name##ps, 0F, op, NP, ANY, SSE, 0, PACKED_DST_##n | ex | M16 | AL | fp | NAT_TINY(t))      \
    SSE(name##pd, 0F, op, 66, ANY, SSE2, 0, PACKED_DST_##n | ex | M16 | AL | fp | TINY64(t))       \
    SSE(name##ss, 0F, op, F3, ANY, SSE, 0, XRW | ex | M4 | SC | fp | NAT_TINY(t))                  \
    SSE(name##sd, 0F, op, F2, ANY, SSE2, 0, XRW | ex | M8 | SC | fp | TINY64(t))                   \
    AVX(v##name##ps, 0F, op, NP, ANY, 2, 2, AVX, 0,                                                \
        XW | PACKED_V_##n | ex | MVL | fp | NAT_TINY(t))                                           \
    AVX(v##name##pd, 0F, op, 66, ANY, 2, 2, AVX, 0, XW | PACKED_V_##n | ex | MVL | fp | TINY64(t)) \
    AVX(v##name##ss, 0F, op, F3, ANY, 2, 2, AVX, 0, XW | VR | ex | M4 | SC | fp | NAT_TINY(t))     \
    AVX(v##name##sd, 0F, op, F2, ANY, 2, 2, AVX, 0, XW | VR | ex | M8 | SC | fp | TINY64(t))
#define LOGIC(name, op)                                                                            \
    SSE(name##ps, 0F, op, NP, ANY, SSE, 0, XRW | ex | M16 | AL)                                    \
    SSE(name##pd, 0F, op, 66, ANY, SSE2, 0, XRW | ex | M16 | AL)                                   \
    AVX(v##name##ps, 0F, op, NP, ANY, 2, 2, AVX, 0, XW | VR | ex | MVL)                            \
    AVX(v##name##pd, 0F, op, 66, ANY, 2, 2, AVX, 0, XW | VR | ex | MVL)
#define HADD(name, op)                                                                             \
    SSE(name##d, 0F, op, 66, ANY, SSE3, 0, XRW | ex | M16 | AL | FP | NAT_TINY(NT_F64))            \
    SSE(name##s, 0F, op, F2, ANY, SSE3, 0, XRW | ex | M16 | AL | FP | NAT_TINY(NT_F32))            \
    AVX(v##name##d, 0F, op, 66, ANY, 2, 2, AVX, 0, XW | VR | ex | MVL | FP | NAT_TINY(NT_F64))     \
    AVX(v##name##s, 0F, op, F2, ANY, 2, 2, AVX, 0, XW | VR | ex | MVL | FP | NAT_TINY(NT_F32))
#define ROUND(name, ops, opd)                                                                      \
    SSE(name##s, 0F3A, ops, 66, ANY, SSE41, ENC_IB, XW | ex | M16 | AL | FP)                       \
    SSE(name##d, 0F3A, opd, 66, ANY, SSE41, ENC_IB, XW | ex | M16 | AL | FP)                       \
    AVX(v##name##s, 0F3A, ops, 66, ANY, 2, 2, AVX, ENC_IB, XW | ex | MVL | FP)                     \
    AVX(v##name##d, 0F3A, opd, 66, ANY, 2, 2, AVX, ENC_IB, XW | ex | MVL | FP)
#define FMA_PACKED(name, op)                                                                       \
    AVX(name##s, 0F38, op, 66, ANY, 2, 0, FMA, 0, XRW | VR | ex | MVL | FP | NAT_TINY(NT_F32))     \
    AVX(name##d, 0F38, op, 66, ANY, 2, 1, FMA, 0, XRW | VR | ex | MVL | FP | NAT_TINY(NT_F64))
#define FMA_BOTH(name, op)                                                                         \
    FMA_PACKED(name##p, op)                                                                        \
    AVX(name##ss, 0F38, (op) + 1, 66, ANY, 2, 0, FMA, 0,                                           \
        XRW | VR | ex | M4 | SC | FP | NAT_TINY(NT_F32))                                           \
    AVX(name##sd, 0F38, (op) + 1, 66, ANY, 2, 1, FMA, 0,                                           \
        XRW | VR | ex | M8 | SC | FP | NAT_TINY(NT_F64))
#define GATHER(name, op, w, fn)                                                                    \
    AVX_FN(name, 0F38, op, 66, MEM, 2, w, AVX2, ENC_VSIB, fn,                                      \
           XRW | VRW | ex | NAT_MEM(NM_ODD) | NAT_GATHER)

#define CTRL(name, op, extension, isa, enc, fn)                                                    \
    ROW(#name, 0F, op, NP, MEM, extension, -1, 0, 0, isa, SIZE_Y | (enc), &fns_##fn,               \
        NAT_CONTROL | NAT_MEM(NM_ODD))

#define MEM_FNS(f)                                                                                 \
    {                                                                                              \
        .fn[FORM_MG] = { NULL, NULL, fpu_op_##f, fpu_op_##f }                                      \
    }
#define MEM_FNS64(f)                                                                               \
    {                                                                                              \
        .fn[FORM_MG] = { NULL, NULL, fpu_op_##f, fpu_op_##f##64 }                                  \
    }
static const struct op_fns fns_fxsave = MEM_FNS64(fxsave), fns_fxrstor = MEM_FNS64(fxrstor),
                           fns_xsave = MEM_FNS64(xsave), fns_xsaveopt = MEM_FNS64(xsaveopt),
                           fns_xsavec = MEM_FNS64(xsavec), fns_xrstor = MEM_FNS64(xrstor),
                           fns_ldmxcsr = MEM_FNS(ldmxcsr), fns_stmxcsr = MEM_FNS(stmxcsr),
                           fns_xgetbv = {.fn[FORM_R] = {fpu_op_xgetbv}},
                           fns_xsetbv = {.fn[FORM_R] = {fpu_op_xsetbv}},
                           simd_fns_emms = {.fn[FORM_R] = {fpu_op_emms}};

static const struct op_row rows[] = {
#include "cpu/ops_simd.inc"
    ROW("vldmxcsr", VEX_0F, 0xae, NP, MEM, 2, -1, 0, 2, AVX, ENC_AVX | SIZE_Y, &fns_ldmxcsr,
        NAT_CONTROL | NAT_MEM(NM_ODD)) ROW("vstmxcsr", VEX_0F, 0xae, NP, MEM, 3, -1, 0, 2, AVX,
                                           ENC_AVX | SIZE_Y, &fns_stmxcsr,
                                           NAT_CONTROL | NAT_MEM(NM_ODD))
        ROW("xgetbv", 0F, 0x01, NP, REG, 2, 0, 0, 0, XSAVE, 0, &fns_xgetbv, NAT_CONTROL)
            ROW("xsetbv", 0F, 0x01, NP, REG, 2, 1, 0, 0, XSAVE, ENC_END, &fns_xsetbv, NAT_CONTROL)};

const struct op_table ops_simd = {rows, ARRAY_LEN(rows)};
