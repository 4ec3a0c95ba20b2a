/*
 * The rows of the system instructions.
 *
 * Follows: Intel SDM volume 2, appendix A.
 *
 * Not modelled: VMX, SMX, SGX, SVM, RSM, MONITOR/MWAIT (no row: #UD).
 */
#include "cpu/ops_system.h"

/* The segment register that PUSH, POP and Lxx name in their opcode goes to imm. */
static bool prepare_sreg(struct cpu *c, struct decode *d, struct insn *i)
{
    (void)c;
    i->imm = d->map == MAP_1 ? (d->op == 0xc4   ? SEG_ES
                                : d->op == 0xc5 ? SEG_DS
                                                : (uint64_t)(d->op >> 3 & 3))
             : d->op >= 0xb2 ? (d->op == 0xb2   ? SEG_SS
                                : d->op == 0xb4 ? SEG_FS
                                                : SEG_GS)
                             : 4 + (uint64_t)(d->op >> 3 & 1);
    return true;
}

/* name, map, op, pfx, mod, ext, rm, size, isa, enc, handlers, ... */
#define ROW(n, m, o, p, md, e, r, s, f, en, fn, ...)                                               \
    {                                                                                              \
        .name = n, .map = MAP_##m, .op = o, .pfx = PFX_##p, .mod = MOD_##md, .ext = e, .rm = r,    \
        .size = SZ_##s, .isa = FEAT_##f, .enc = en, .fns = &fns_##fn, ##__VA_ARGS__                \
    }
#define SREG  .prepare = prepare_sreg
#define M     ENC_MODRM
#define END   ENC_END
#define NO64  ENC_NO64
#define O64   ENC_ONLY64
#define PLAIN ENC_PLAINREG
#define PROT  ENC_NOREAL

static const struct op_row rows[] = {
    /* segment registers */
    ROW("mov", 1, 0x8c, ANY, ANY, -1, -1, V, NONE, M, mov_e_sreg),
    ROW("mov", 1, 0x8e, ANY, ANY, -1, -1, W, NONE, M, mov_sreg_e),
    ROW("push", 1, 0x06, ANY, ANY, -1, -1, V64, NONE, NO64, push_sreg, SREG),
    ROW("push", 1, 0x0e, ANY, ANY, -1, -1, V64, NONE, NO64, push_sreg, SREG),
    ROW("push", 1, 0x16, ANY, ANY, -1, -1, V64, NONE, NO64, push_sreg, SREG),
    ROW("push", 1, 0x1e, ANY, ANY, -1, -1, V64, NONE, NO64, push_sreg, SREG),
    ROW("push", 0F, 0xa0, ANY, ANY, -1, -1, V64, NONE, 0, push_sreg, SREG),
    ROW("push", 0F, 0xa8, ANY, ANY, -1, -1, V64, NONE, 0, push_sreg, SREG),
    ROW("pop", 1, 0x07, ANY, ANY, -1, -1, V64, NONE, NO64, pop_sreg, SREG),
    ROW("pop", 1, 0x17, ANY, ANY, -1, -1, V64, NONE, NO64, pop_sreg, SREG),
    ROW("pop", 1, 0x1f, ANY, ANY, -1, -1, V64, NONE, NO64, pop_sreg, SREG),
    ROW("pop", 0F, 0xa1, ANY, ANY, -1, -1, V64, NONE, 0, pop_sreg, SREG),
    ROW("pop", 0F, 0xa9, ANY, ANY, -1, -1, V64, NONE, 0, pop_sreg, SREG),
    ROW("les", 1, 0xc4, ANY, MEM, -1, -1, V, NONE, M | NO64, load_far, SREG),
    ROW("lds", 1, 0xc5, ANY, MEM, -1, -1, V, NONE, M | NO64, load_far, SREG),
    ROW("lss", 0F, 0xb2, ANY, MEM, -1, -1, V, NONE, M, load_far, SREG),
    ROW("lfs", 0F, 0xb4, ANY, MEM, -1, -1, V, NONE, M, load_far, SREG),
    ROW("lgs", 0F, 0xb5, ANY, MEM, -1, -1, V, NONE, M, load_far, SREG),

    /* far branches, interrupts, flags */
    ROW("callf", 1, 0x9a, ANY, ANY, -1, -1, V, NONE, ENC_AP | NO64 | END, call_ap),
    ROW("jmpf", 1, 0xea, ANY, ANY, -1, -1, V, NONE, ENC_AP | NO64 | END, jmp_ap),
    ROW("callf", 1, 0xff, ANY, MEM, 3, -1, V, NONE, M | END, call_far),
    ROW("jmpf", 1, 0xff, ANY, MEM, 5, -1, V, NONE, M | END, jmp_far),
    ROW("retf", 1, 0xca, ANY, ANY, -1, -1, V, NONE, ENC_IW | END, retf),
    ROW("retf", 1, 0xcb, ANY, ANY, -1, -1, V, NONE, END, retf),
    ROW("int3", 1, 0xcc, ANY, ANY, -1, -1, NONE, NONE, END, int3),
    ROW("int", 1, 0xcd, ANY, ANY, -1, -1, NONE, NONE, ENC_IB | END, int),
    ROW("into", 1, 0xce, ANY, ANY, -1, -1, NONE, NONE, NO64, into),
    ROW("iret", 1, 0xcf, ANY, ANY, -1, -1, V, NONE, END, iret),
    ROW("int1", 1, 0xf1, ANY, ANY, -1, -1, NONE, NONE, END, int1),
    ROW("pushf", 1, 0x9c, ANY, ANY, -1, -1, V64, NONE, 0, pushf),
    ROW("popf", 1, 0x9d, ANY, ANY, -1, -1, V64, NONE, 0, popf),
    ROW("hlt", 1, 0xf4, ANY, ANY, -1, -1, NONE, NONE, END, hlt),
    ROW("cli", 1, 0xfa, ANY, ANY, -1, -1, NONE, NONE, 0, cli),
    ROW("sti", 1, 0xfb, ANY, ANY, -1, -1, NONE, NONE, 0, sti),

    /* ports */
    ROW("in", 1, 0xe4, ANY, ANY, -1, -1, B, NONE, ENC_IB | ENC_ACC, in8_i),
    ROW("in", 1, 0xe5, ANY, ANY, -1, -1, Z, NONE, ENC_IB | ENC_ACC, in_i),
    ROW("out", 1, 0xe6, ANY, ANY, -1, -1, B, NONE, ENC_IB | ENC_ACC, out8_i),
    ROW("out", 1, 0xe7, ANY, ANY, -1, -1, Z, NONE, ENC_IB | ENC_ACC, out_i),
    ROW("in", 1, 0xec, ANY, ANY, -1, -1, B, NONE, ENC_ACC, in8_dx),
    ROW("in", 1, 0xed, ANY, ANY, -1, -1, Z, NONE, ENC_ACC, in_dx),
    ROW("out", 1, 0xee, ANY, ANY, -1, -1, B, NONE, ENC_ACC, out8_dx),
    ROW("out", 1, 0xef, ANY, ANY, -1, -1, Z, NONE, ENC_ACC, out_dx),

    /* descriptors */
    ROW("arpl", 1, 0x63, ANY, ANY, -1, -1, W, NONE, M | NO64 | PROT, arpl),
    ROW("sldt", 0F, 0x00, ANY, ANY, 0, -1, V, NONE, M | PROT, sldt),
    ROW("str", 0F, 0x00, ANY, ANY, 1, -1, V, NONE, M | PROT, str),
    ROW("lldt", 0F, 0x00, ANY, ANY, 2, -1, W, NONE, M | PROT, lldt),
    ROW("ltr", 0F, 0x00, ANY, ANY, 3, -1, W, NONE, M | PROT, ltr),
    ROW("verr", 0F, 0x00, ANY, ANY, 4, -1, W, NONE, M | PROT, verr),
    ROW("verw", 0F, 0x00, ANY, ANY, 5, -1, W, NONE, M | PROT, verw),
    ROW("lar", 0F, 0x02, ANY, ANY, -1, -1, V, NONE, M | PROT, lar),
    ROW("lsl", 0F, 0x03, ANY, ANY, -1, -1, V, NONE, M | PROT, lsl),
    ROW("sgdt", 0F, 0x01, ANY, MEM, 0, -1, V, NONE, M, sgdt),
    ROW("sidt", 0F, 0x01, ANY, MEM, 1, -1, V, NONE, M, sidt),
    ROW("lgdt", 0F, 0x01, ANY, MEM, 2, -1, V, NONE, M, lgdt),
    ROW("lidt", 0F, 0x01, ANY, MEM, 3, -1, V, NONE, M, lidt),

    /* control and debug registers */
    ROW("smsw", 0F, 0x01, ANY, ANY, 4, -1, V, NONE, M, smsw),
    ROW("lmsw", 0F, 0x01, ANY, ANY, 6, -1, W, NONE, M | END, lmsw),
    ROW("clts", 0F, 0x06, ANY, ANY, -1, -1, NONE, NONE, 0, clts),
    ROW("mov", 0F, 0x20, ANY, ANY, -1, -1, NONE, NONE, M | PLAIN | ENC_MODREG, mov_r_cr),
    ROW("mov", 0F, 0x21, ANY, ANY, -1, -1, NONE, NONE, M | PLAIN | ENC_MODREG, mov_r_dr),
    ROW("mov", 0F, 0x22, ANY, ANY, -1, -1, NONE, NONE, M | PLAIN | ENC_MODREG | END, mov_cr_r),
    ROW("mov", 0F, 0x23, ANY, ANY, -1, -1, NONE, NONE, M | PLAIN | ENC_MODREG | END, mov_dr_r),

    /* TLB and caches */
    ROW("invlpg", 0F, 0x01, ANY, MEM, 7, -1, NONE, I486, M | PLAIN | ENC_MEM_RAW, invlpg),
    ROW("invpcid", 0F38, 0x82, 66, MEM, -1, -1, NONE, INVPCID, M | PLAIN | PROT, invpcid),
    ROW("invd", 0F, 0x08, ANY, ANY, -1, -1, NONE, I486, 0, invd),
    ROW("wbinvd", 0F, 0x09, ANY, ANY, -1, -1, NONE, I486, 0, invd),
    ROW("clflush", 0F, 0xae, NP, MEM, 7, -1, NONE, CLFLUSH, M | PLAIN, clflush),
    ROW("clflushopt", 0F, 0xae, 66, MEM, 7, -1, NONE, CLFLUSHOPT, M | PLAIN, clflush),
    ROW("clwb", 0F, 0xae, 66, MEM, 6, -1, NONE, CLWB, M | PLAIN, clflush),

    /* system calls, MSRs, time, identity */
    ROW("syscall", 0F, 0x05, ANY, ANY, -1, -1, NONE, SYSCALL, END, syscall),
    ROW("sysret", 0F, 0x07, ANY, ANY, -1, -1, Y, SYSCALL, END, sysret),
    ROW("sysenter", 0F, 0x34, ANY, ANY, -1, -1, NONE, SEP, END, sysenter),
    ROW("sysexit", 0F, 0x35, ANY, ANY, -1, -1, Y, SEP, END, sysexit),
    ROW("swapgs", 0F, 0x01, ANY, REG, 7, 0, NONE, LM, M | PLAIN | O64, swapgs),
    ROW("rdtscp", 0F, 0x01, ANY, REG, 7, 1, NONE, RDTSCP, M | PLAIN, rdtscp),
    ROW("clac", 0F, 0x01, NP, REG, 1, 2, NONE, SMAP, M | PLAIN, clac),
    ROW("stac", 0F, 0x01, NP, REG, 1, 3, NONE, SMAP, M | PLAIN, stac),
    ROW("wrmsr", 0F, 0x30, ANY, ANY, -1, -1, NONE, MSR, 0, wrmsr),
    ROW("rdtsc", 0F, 0x31, ANY, ANY, -1, -1, NONE, TSC, 0, rdtsc),
    ROW("rdmsr", 0F, 0x32, ANY, ANY, -1, -1, NONE, MSR, 0, rdmsr),
    ROW("rdpmc", 0F, 0x33, ANY, ANY, -1, -1, NONE, MMX, END, rdpmc),
    ROW("cpuid", 0F, 0xa2, ANY, ANY, -1, -1, NONE, CPUID, 0, cpuid),
    ROW("rdfsbase", 0F, 0xae, F3, REG, 0, -1, Y, FSGSBASE, M | O64, rdfsbase),
    ROW("rdgsbase", 0F, 0xae, F3, REG, 1, -1, Y, FSGSBASE, M | O64, rdgsbase),
    ROW("wrfsbase", 0F, 0xae, F3, REG, 2, -1, Y, FSGSBASE, M | O64, wrfsbase),
    ROW("wrgsbase", 0F, 0xae, F3, REG, 3, -1, Y, FSGSBASE, M | O64, wrgsbase),
    ROW("rdrand", 0F, 0xc7, NP, REG, 6, -1, V, RDRAND, M, rdrand),
    ROW("rdrand", 0F, 0xc7, 66W, REG, 6, -1, V, RDRAND, M, rdrand),
    ROW("rdseed", 0F, 0xc7, NP, REG, 7, -1, V, RDSEED, M, rdrand),
    ROW("rdseed", 0F, 0xc7, 66W, REG, 7, -1, V, RDSEED, M, rdrand),
    ROW("rdpid", 0F, 0xc7, F3, REG, 7, -1, NONE, RDPID, M | PLAIN, rdpid),

    /* architecturally undefined */
    ROW("ud2", 0F, 0x0b, ANY, ANY, -1, -1, NONE, NONE, END, ud),
    ROW("ud1", 0F, 0xb9, ANY, ANY, -1, -1, NONE, NONE, M | PLAIN | ENC_MEM_RAW | END, ud),
    ROW("ud0", 0F, 0xff, ANY, ANY, -1, -1, NONE, NONE, M | PLAIN | ENC_MEM_RAW | END, ud),
};

const struct op_table ops_system = {rows, ARRAY_LEN(rows)};
