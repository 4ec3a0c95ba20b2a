/*
 * C handlers of SIMD instructions: the moves that are hot everywhere (simd_move.c), those with more
 * than one memory access or an implicit one (simd_special.c), and SHA (sha.c).
 *
 * Not modelled: see the files.
 */
#ifndef CPU_SIMD_H
#define CPU_SIMD_H

#include "cpu/insn.h"

// clang-format off
#define SIMD_FNS(X)                                                                                \
    X(mov16u) X(mov16a) X(sto16u) X(sto16a) X(vmov16u) X(vmov16a) X(vsto16u) X(vsto16a)            \
    X(vmov32u) X(vmov32a) X(vsto32u) X(vsto32a) X(movss) X(movq) X(vmovss) X(vmovq) X(movlps)      \
    X(movhps) X(sto4) X(sto8) X(sto8h) X(stoq) X(vstoq) X(movd) X(vmovd) X(stod) X(maskmovq)       \
    X(maskmovdqu) X(vzeroupper) X(vzeroall) X(maskload4) X(maskload8) X(maskstore4)                \
    X(maskstore8) X(gather44) X(gather48) X(gather84) X(gather88) X(sha1rnds4) X(sha1nexte)        \
    X(sha1msg1) X(sha1msg2) X(sha256rnds2) X(sha256msg1) X(sha256msg2)
// clang-format on

#define SIMD_DECLARE(name) extern const struct op_fns simd_fns_##name;
SIMD_FNS(SIMD_DECLARE)
#undef SIMD_DECLARE

#endif
