/*
 * Fast system calls, MSR and time-stamp access, CPUID, segment bases, SMAP switches, random
 * numbers.
 *
 * Follows: Intel SDM volume 2 (SYSCALL and SYSRET as Intel has them: 64-bit code only).
 *
 * Not modelled: performance counters (RDPMC always raises #GP).
 */
#include "cpu/op.h"
#include "cpu/ops_system.h"
#include <sys/random.h>

/* ---- entering and leaving the kernel ---- */

enum {
    ATTR_CODE64 = SEG_P | SEG_S | SEG_CODE | SEG_W | SEG_A | SEG_L | SEG_G,
    ATTR_CODE32 = SEG_P | SEG_S | SEG_CODE | SEG_W | SEG_A | SEG_DB | SEG_G,
    ATTR_DATA = SEG_P | SEG_S | SEG_W | SEG_A | SEG_DB | SEG_G,
};

/* Flat CS and SS at level `cpl`, as all four instructions load them without looking at descriptors.
 */
static void set_flat(struct cpu *c, uint16_t cs, uint16_t ss, unsigned cpl, bool code64)
{
    c->seg[SEG_CS] = (struct seg){
        .sel = (uint16_t)((cs & 0xfffc) | cpl),
        .limit = 0xffffffff,
        .attr = (uint16_t)((code64 ? ATTR_CODE64 : ATTR_CODE32) | cpl << SEG_DPL_SHIFT)};
    c->seg[SEG_SS] = (struct seg){.sel = (uint16_t)((ss & 0xfffc) | cpl),
                                  .limit = 0xffffffff,
                                  .attr = (uint16_t)(ATTR_DATA | cpl << SEG_DPL_SHIFT)};
    c->cpl = cpl;
}

/* After set_flat from 64-bit to 64-bit code: only the level in the mode changes, and what the flags
 * ask for. */
static inline void level_changed(struct cpu *c)
{
    if (unlikely(c->slow || c->eflags & FLAG_TF)) {
        cpu_update_mode(c);
        return;
    }
    c->mode = (uint16_t)((c->mode & ~(MODE_USER | MODE_VIEW)) | (c->cpl == 3 ? MODE_USER : 0));
    mmu_update_class(c);
    view_update_mode(c);
    cpu_update_keys(c);
}

static void op_syscall(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    if (unlikely(!(c->efer & EFER_SCE) || !cpu_is_64(c))) {
        cpu_raise(c, EXCP_UD);
    }
    uint32_t flags = cpu_get_eflags(c);
    uint16_t cs = c->star >> 32 & 0xfffc;

    c->r[R_RCX] = insn_next_ip(c, i);
    c->r[R_R8 + 3] = flags & ~(uint32_t)FLAG_RF;
    c->ip = c->lstar;
    set_flat(c, cs, cs + 8, 0, true);
    flags &= ~((uint32_t)c->sfmask | FLAG_RF);
    c->fl = (uint16_t)((flags & 0xd5) << 8 | FL_1 | (flags & FLAG_OF ? FL_OF : 0));
    c->eflags = flags & ~(uint32_t)(FLAGS_ARITH | FLAG_1);
    c->step = c->step && c->eflags & FLAG_TF;
    level_changed(c);
    return sys_continue(c, i);
}

#define SYSRET_FLAGS 0x3c7fd7u

static inline void sysret_flags(struct cpu *c)
{
    uint32_t flags = (uint32_t)c->r[R_R8 + 3] & SYSRET_FLAGS;

    c->fl = (uint16_t)((flags & 0xd5) << 8 | FL_1 | (flags & FLAG_OF ? FL_OF : 0));
    c->eflags = flags & ~(uint32_t)(FLAGS_ARITH | FLAG_1);
}

static void sysret_check(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    if (unlikely(!(c->efer & EFER_SCE) || !cpu_is_64(c))) {
        cpu_raise(c, EXCP_UD);
    }
    need_cpl0(c, i);
}

static void op_sysret64(struct cpu *c, const struct insn *i)
{
    uint16_t base = (uint16_t)(c->star >> 48);

    sysret_check(c, i);
    if (unlikely(!cpu_is_canonical(c->r[R_RCX]))) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    c->ip = c->r[R_RCX];
    sysret_flags(c);
    set_flat(c, base + 16, base + 8, 3, true);
    level_changed(c);
    return sys_continue(c, i);
}

static void op_sysret32(struct cpu *c, const struct insn *i)
{
    uint16_t base = (uint16_t)(c->star >> 48);

    sysret_check(c, i);
    c->ip = (uint32_t)c->r[R_RCX];
    sysret_flags(c);
    set_flat(c, base, base + 8, 3, false);
    cpu_update_mode(c);
    return sys_continue(c, i);
}

static void op_sysenter(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    if (!(c->mode & MODE_PE) || !(c->sysenter_cs & 0xfffc)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    bool is_long = cpu_is_long(c);
    uint16_t cs = c->sysenter_cs & 0xfffc;

    c->eflags &= ~(uint32_t)(FLAG_VM | FLAG_IF | FLAG_RF);
    c->r[R_RSP] = is_long ? c->sysenter_esp : (uint32_t)c->sysenter_esp;
    c->ip = is_long ? c->sysenter_eip : (uint32_t)c->sysenter_eip;
    set_flat(c, cs, cs + 8, 0, is_long);
    cpu_update_mode(c);
    return sys_continue(c, i);
}

static void sysexit(struct cpu *c, const struct insn *i, bool to64)
{
    c->cur = i;
    if (!(c->mode & MODE_PE) || c->cpl || !(c->sysenter_cs & 0xfffc)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    uint16_t cs = c->sysenter_cs & 0xfffc;

    if (to64) {
        if (!cpu_is_canonical(c->r[R_RDX]) || !cpu_is_canonical(c->r[R_RCX])) {
            cpu_raise_error(c, EXCP_GP, 0);
        }
        c->ip = c->r[R_RDX];
        c->r[R_RSP] = c->r[R_RCX];
        set_flat(c, cs + 32, cs + 40, 3, true);
    } else {
        c->ip = (uint32_t)c->r[R_RDX];
        c->r[R_RSP] = (uint32_t)c->r[R_RCX];
        set_flat(c, cs + 16, cs + 24, 3, false);
    }
    cpu_update_mode(c);
}

static void op_sysexit32(struct cpu *c, const struct insn *i)
{
    sysexit(c, i, false);
    return sys_continue(c, i);
}

static void op_sysexit64(struct cpu *c, const struct insn *i)
{
    sysexit(c, i, true);
    return sys_continue(c, i);
}

static void op_swapgs(struct cpu *c, const struct insn *i)
{
    need_cpl0(c, i);
    uint64_t base = c->seg[SEG_GS].base;

    c->seg[SEG_GS].base = c->kernel_gs_base;
    c->kernel_gs_base = base;
    NEXT(c, i);
}

/* ---- segment bases ---- */

static void check_fsgsbase(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    if (!(c->cr4 & CR4_FSGSBASE)) {
        cpu_raise(c, EXCP_UD);
    }
}

#define SEG_BASE(name, SEG, bits)                                                                  \
    static void op_rd##name##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        check_fsgsbase(c, i);                                                                      \
        SET##bits(i->r2, c->seg[SEG].base);                                                        \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_wr##name##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        check_fsgsbase(c, i);                                                                      \
        if (!cpu_is_canonical(GET##bits(i->r2))) {                                                 \
            cpu_raise_error(c, EXCP_GP, 0);                                                        \
        }                                                                                          \
        c->seg[SEG].base = GET##bits(i->r2);                                                       \
        NEXT(c, i);                                                                                \
    }
SEG_BASE(fsbase, SEG_FS, 32)
SEG_BASE(fsbase, SEG_FS, 64)
SEG_BASE(gsbase, SEG_GS, 32)
SEG_BASE(gsbase, SEG_GS, 64)

/* ---- SMAP ---- */

#define SET_AC(name, change)                                                                       \
    static void op_##name(struct cpu *c, const struct insn *i)                                     \
    {                                                                                              \
        if (c->cpl) {                                                                              \
            return op_ud(c, i);                                                                    \
        }                                                                                          \
        c->eflags change;                                                                          \
        mmu_update_class(c);                                                                       \
        NEXT(c, i);                                                                                \
    }
SET_AC(stac, |= FLAG_AC)
SET_AC(clac, &= ~(uint32_t)FLAG_AC)

/* ---- CPUID, TSC, MSRs ---- */

static __attribute__((noinline)) void do_cpuid(struct cpu *c)
{
    uint32_t out[4];

    exits_note(&c->v->exits, EXITS_CPUID);
    cpu_cpuid(c, (uint32_t)c->r[R_RAX], (uint32_t)c->r[R_RCX], out);
    c->r[R_RAX] = out[0];
    c->r[R_RBX] = out[1];
    c->r[R_RCX] = out[2];
    c->r[R_RDX] = out[3];
}

static void op_cpuid(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    do_cpuid(c);
    return sys_next_serial(c, i);
}

static void rdtsc(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    if (unlikely(c->cpl && c->cr4 & CR4_TSD)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    uint64_t t = cpu_tsc(c);
    c->r[R_RAX] = (uint32_t)t;
    c->r[R_RDX] = t >> 32;
}

static void op_rdtsc(struct cpu *c, const struct insn *i)
{
    rdtsc(c, i);
    NEXT(c, i);
}

static void op_rdtscp(struct cpu *c, const struct insn *i)
{
    rdtsc(c, i);
    c->r[R_RCX] = (uint32_t)c->tsc_aux;
    NEXT(c, i);
}

static void op_rdpid(struct cpu *c, const struct insn *i)
{
    c->r[i->r2] = (uint32_t)c->tsc_aux;
    NEXT(c, i);
}

/* The access to *val, counted; #GP when there is no such register. */
static void access_msr(struct cpu *c, bool write, uint64_t *val)
{
    struct exits *x = &c->v->exits;
    uint32_t msr = (uint32_t)c->r[R_RCX];
    struct exits_row *row = exits_row(x, &x->msrs, msr);
    uint64_t start = exits_begin(x, row);
    bool good = write ? cpu_wrmsr(c, msr, *val) : cpu_rdmsr(c, msr, val);

    exits_end(x, row, write ? EXITS_WRMSR : EXITS_RDMSR, write, start);
    if (!good) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
}

static __attribute__((noinline)) void rdmsr(struct cpu *c, const struct insn *i)
{
    uint64_t v;

    need_cpl0(c, i);
    access_msr(c, false, &v);
    c->r[R_RAX] = (uint32_t)v;
    c->r[R_RDX] = v >> 32;
}

static void op_rdmsr(struct cpu *c, const struct insn *i)
{
    rdmsr(c, i);
    NEXT(c, i);
}

/* Apart from the handler, which could not go on by a jump with `v` on its stack. */
static __attribute__((noinline)) void wrmsr(struct cpu *c, const struct insn *i)
{
    uint64_t v = c->r[R_RDX] << 32 | (uint32_t)c->r[R_RAX];

    need_cpl0(c, i);
    access_msr(c, true, &v);
}

static void op_wrmsr(struct cpu *c, const struct insn *i)
{
    uint64_t key = c->jkey;

    wrmsr(c, i);
    return sys_next_remapped(c, i, key); /* the APIC may have been written to, too */
}

/* ---- random numbers ---- */

static __attribute__((noinline)) uint64_t random_bytes(struct cpu *c, unsigned n)
{
    uint64_t v = 0;

    if (c->random_left < n) {
        cpu_outside(c, OUTSIDE_RANDOM);
        ssize_t got = getrandom(c->random, sizeof c->random, 0);
        c->random_left = got > 0 ? (unsigned)got : 0;
    }
    if (c->random_left >= n) {
        memcpy(&v, c->random + c->random_left - n, n);
        c->fl = FL_1 | FL_CF;
        c->random_left -= n;
    } else {
        c->fl = FL_1; /* none to be had: the guest tries again */
    }
    return v;
}

#define RANDOM(bits, T, sfx, ...)                                                                  \
    static void op_rdrand##bits(struct cpu *c, const struct insn *i)                               \
    {                                                                                              \
        c->cur = i;                                                                                \
        SET##bits(i->r2, random_bytes(c, bits / 8));                                               \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(RANDOM, )

#define ONE(f)                                                                                     \
    {                                                                                              \
        .fn = { [FORM_R] = {f, f, f, f} }                                                          \
    }
#define Y_FORM(f)                                                                                  \
    {                                                                                              \
        .fn = { [FORM_R] = {NULL, NULL, f##32, f##64} }                                            \
    }

const struct op_fns fns_cpuid = ONE(op_cpuid);
const struct op_fns fns_rdtsc = ONE(op_rdtsc);
const struct op_fns fns_rdtscp = ONE(op_rdtscp);
const struct op_fns fns_rdpmc = ONE(op_gp0);
const struct op_fns fns_rdpid = ONE(op_rdpid);
const struct op_fns fns_rdmsr = ONE(op_rdmsr);
const struct op_fns fns_wrmsr = ONE(op_wrmsr);
const struct op_fns fns_syscall = ONE(op_syscall);
const struct op_fns fns_sysret = Y_FORM(op_sysret);
const struct op_fns fns_sysenter = ONE(op_sysenter);
const struct op_fns fns_sysexit = Y_FORM(op_sysexit);
const struct op_fns fns_swapgs = ONE(op_swapgs);
const struct op_fns fns_rdfsbase = Y_FORM(op_rdfsbase);
const struct op_fns fns_rdgsbase = Y_FORM(op_rdgsbase);
const struct op_fns fns_wrfsbase = Y_FORM(op_wrfsbase);
const struct op_fns fns_wrgsbase = Y_FORM(op_wrgsbase);
const struct op_fns fns_stac = ONE(op_stac);
const struct op_fns fns_clac = ONE(op_clac);
const struct op_fns fns_rdrand = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_rdrand)}};
