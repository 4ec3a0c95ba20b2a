/*
 * Handler tables of the integer instructions, defined in op_*.c and used by the rows in ops.inc.
 *
 * Not modelled: see the files.
 */
#ifndef CPU_OPS_H
#define CPU_OPS_H

#include "cpu/insn.h"
#include "cpu/op_cond.h"

#define ALU_TABLES(n)                                                                              \
    extern const struct op_fns fns_##n##_eg, fns_##n##_ge, fns_##n##_ei, fns_##n##_ai;
ALU_TABLES(add)
ALU_TABLES(or)
ALU_TABLES(adc)
ALU_TABLES(sbb)
ALU_TABLES(and)
ALU_TABLES(sub)
ALU_TABLES(xor)
ALU_TABLES(cmp)
ALU_TABLES(test)
#define CC_TABLES(cc) extern const struct op_fns fns_cmov##cc, fns_set##cc, fns_j##cc;
FOR_CONDITIONS(CC_TABLES)
#define SHIFT_TABLES(n) extern const struct op_fns fns_##n##_1, fns_##n##_i, fns_##n##_c;
bool op_shift_prepare(struct cpu *c, struct decode *d, struct insn *i);
SHIFT_TABLES(rol)
SHIFT_TABLES(ror)
SHIFT_TABLES(rcl)
SHIFT_TABLES(rcr)
SHIFT_TABLES(shl)
SHIFT_TABLES(shr)
SHIFT_TABLES(sar)
extern const struct op_fns fns_inc, fns_dec, fns_neg, fns_not, fns_inc_z, fns_dec_z;
extern const struct op_fns fns_mov_eg, fns_mov_ge, fns_mov_ei, fns_mov_zi, fns_mov_ao, fns_mov_oa;
extern const struct op_fns fns_movzx8, fns_movzx16, fns_movsx8, fns_movsx16, fns_movsxd, fns_lea;
extern const struct op_fns fns_xchg, fns_xchg_za, fns_bswap, fns_movbe_ge, fns_movbe_eg, fns_xlat,
    fns_cbw, fns_cwd;
extern const struct op_fns fns_nop, fns_pause, fns_mfence;
extern const struct op_fns fns_shld_i, fns_shld_c, fns_shrd_i, fns_shrd_c;
extern const struct op_fns fns_bt_g, fns_bts_g, fns_btr_g, fns_btc_g, fns_bt_i, fns_bts_i,
    fns_btr_i, fns_btc_i;
extern const struct op_fns fns_bsf, fns_bsr, fns_tzcnt, fns_lzcnt, fns_popcnt, fns_crc32_8,
    fns_crc32;
extern const struct op_fns fns_andn, fns_blsr, fns_blsmsk, fns_blsi, fns_bextr, fns_bzhi, fns_pdep,
    fns_pext, fns_mulx, fns_rorx, fns_sarx, fns_shlx, fns_shrx, fns_adcx, fns_adox;
extern const struct op_fns fns_mul, fns_imul, fns_div, fns_idiv, fns_imul_ge, fns_imul_gei;
extern const struct op_fns fns_daa, fns_das, fns_aaa, fns_aas, fns_aam, fns_aad;
extern const struct op_fns fns_cmpxchg, fns_xadd, fns_cmpxchg8b, fns_cmpxchg16b;
extern const struct op_fns fns_clc, fns_stc, fns_cmc, fns_cld, fns_std, fns_lahf, fns_sahf,
    fns_salc;
extern const struct op_fns fns_jmp_j, fns_jmp_e, fns_call_j, fns_call_e, fns_ret, fns_ret_i,
    fns_loop, fns_loope, fns_loopne, fns_jcxz;
extern const struct op_fns fns_push_z, fns_pop_z, fns_push_i, fns_push_e, fns_pop_e, fns_pusha,
    fns_popa, fns_enter, fns_leave, fns_bound;
extern const struct op_fns fns_movs, fns_stos, fns_lods, fns_cmps, fns_scas, fns_ins, fns_outs;

#endif
