/*
 * Handler tables of the system instructions, defined in op_sys*.c, op_seg.c, op_flags.c, op_io.c;
 * rows: ops_system.c.
 *
 * Not modelled: see the files.
 */
#ifndef CPU_OPS_SYSTEM_H
#define CPU_OPS_SYSTEM_H

#include "cpu/sys.h"

/* op_seg.c */
extern const struct op_fns fns_mov_sreg_e, fns_mov_e_sreg, fns_push_sreg, fns_pop_sreg,
    fns_load_far;
extern const struct op_fns fns_jmp_ap, fns_call_ap, fns_jmp_far, fns_call_far, fns_retf;
extern const struct op_fns fns_lar, fns_lsl, fns_verr, fns_verw, fns_arpl;
extern const struct op_fns fns_sldt, fns_str, fns_lldt, fns_ltr, fns_sgdt, fns_sidt, fns_lgdt,
    fns_lidt;
/* op_flags.c */
extern const struct op_fns fns_pushf, fns_popf, fns_cli, fns_sti, fns_int3, fns_int, fns_into,
    fns_int1, fns_iret, fns_hlt;
/* op_io.c */
extern const struct op_fns fns_in8_i, fns_in_i, fns_out8_i, fns_out_i, fns_in8_dx, fns_in_dx,
    fns_out8_dx, fns_out_dx;
/* op_sys.c */
extern const struct op_fns fns_mov_r_cr, fns_mov_cr_r, fns_mov_r_dr, fns_mov_dr_r, fns_lmsw,
    fns_smsw, fns_clts;
extern const struct op_fns fns_invlpg, fns_invpcid, fns_invd, fns_clflush, fns_ud;
/* op_fast.c */
extern const struct op_fns fns_cpuid, fns_rdtsc, fns_rdtscp, fns_rdpmc, fns_rdpid, fns_rdmsr,
    fns_wrmsr;
extern const struct op_fns fns_syscall, fns_sysret, fns_sysenter, fns_sysexit, fns_swapgs;
extern const struct op_fns fns_rdfsbase, fns_rdgsbase, fns_wrfsbase, fns_wrgsbase, fns_stac,
    fns_clac, fns_rdrand;

static inline void need_cpl0(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    if (unlikely(c->cpl)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
}

/* SGDT, SIDT, SLDT, STR, SMSW outside ring 0. */
static inline void check_umip(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    if (unlikely(c->cpl && c->cr4 & CR4_UMIP)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
}

#endif
