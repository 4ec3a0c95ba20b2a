/*
 * Model-specific registers.
 *
 * Follows: Intel SDM volume 4 and the Linux kernel's expectations of which may be read without a
 * probe.
 *
 * IA32_ARCH_CAPABILITIES says that no speculative side channel exists, which is true of a software
 * CPU: RDCL_NO (no page-table isolation), SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO,
 * TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO.  IBRS_ALL
 * makes guests set one bit in SPEC_CTRL once instead of compiling every indirect branch into a
 * retpoline, which would be the dearest mitigation here; BHI_CTRL does the same for the loop that
 * would else run at every system call (Linux 6.1 does not look at BHI_NO).
 *
 * Not modelled: machine-check banks (none), performance counters, last-branch records, thermal and
 * power registers, microcode updates (accepted and ignored), the effect of memory types.
 */
#include "cpu/model.h"
#include "cpu/sys.h"

enum {
    MSR_TSC = 0x10,
    MSR_PLATFORM_ID = 0x17,
    MSR_APIC_BASE = 0x1b,
    MSR_FEATURE_CONTROL = 0x3a,
    MSR_TSC_ADJUST = 0x3b,
    MSR_SPEC_CTRL = 0x48,
    MSR_PRED_CMD = 0x49,
    MSR_UCODE_WRITE = 0x79,
    MSR_UCODE_REV = 0x8b,
    MSR_PLATFORM_INFO = 0xce,
    MSR_MTRRCAP = 0xfe,
    MSR_ARCH_CAPABILITIES = 0x10a,
    MSR_FEATURE_ENABLES = 0x140,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP,
    MSR_SYSENTER_EIP,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_PERF_STATUS = 0x198,
    MSR_PERF_CTL = 0x199,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_DEBUGCTL = 0x1d9,
    MSR_MTRR_BASE0 = 0x200,
    MSR_MTRR_MASK7 = 0x20f,
    MSR_MTRR_FIX64K = 0x250,
    MSR_MTRR_FIX16K_0 = 0x258,
    MSR_MTRR_FIX16K_1 = 0x259,
    MSR_MTRR_FIX4K_0 = 0x268,
    MSR_MTRR_FIX4K_7 = 0x26f,
    MSR_PAT = 0x277,
    MSR_MTRR_DEF_TYPE = 0x2ff,
    MSR_UNC_PERF_GLOBAL_CTRL = 0x391,
    MSR_UNC_CBO_CONFIG = 0x396,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC_FIRST = 0x800,
    MSR_X2APIC_LAST = 0x8ff,
};
#define MSR_EFER      0xc0000080u
#define MSR_STAR      0xc0000081u
#define MSR_LSTAR     0xc0000082u
#define MSR_CSTAR     0xc0000083u
#define MSR_SFMASK    0xc0000084u
#define MSR_FS_BASE   0xc0000100u
#define MSR_GS_BASE   0xc0000101u
#define MSR_KERNEL_GS 0xc0000102u
#define MSR_TSC_AUX   0xc0000103u

enum { MTRR_VARIABLE = 8, MTRR_CAP = MTRR_VARIABLE | BIT(8) /* fixed */ | BIT(10) /* WC */ };
enum { MISC_ENABLE_FIXED = BIT(11) | BIT(12) /* no BTS, no PEBS */ };

#define ARCH_CAPABILITIES                                                                          \
    (BIT64(0) | BIT64(1) | BIT64(3) | BIT64(4) | BIT64(5) | BIT64(6) | BIT64(8) | BIT64(13) |      \
     BIT64(14) | BIT64(15) | BIT64(20) | BIT64(24) | BIT64(26) | BIT64(27) | BIT64(62))

/* ---- through the local APIC ---- */

static bool apic_base_get(struct cpu *c, uint64_t *val)
{
    if (!c->v->apic || !cpu_has(c, FEAT_APIC)) {
        return false;
    }
    cpu_outside(c, OUTSIDE_APIC);
    *val = c->v->apic->get_base(c->v->apic_dev);
    return true;
}

static bool apic_base_set(struct cpu *c, uint64_t val)
{
    bool ok = false;

    if (c->v->apic && cpu_has(c, FEAT_APIC) && !(val & ~(c->phys_mask | 0xfff)) &&
        (!(val & BIT(10)) || cpu_has(c, FEAT_X2APIC))) {
        cpu_outside(c, OUTSIDE_APIC);
        machine_lock(c->v->m);
        ok = c->v->apic->set_base(c->v->apic_dev, val);
        machine_unlock(c->v->m);
    }
    return ok;
}

static bool apic_msr(struct cpu *c, uint32_t msr, uint64_t *val, bool write)
{
    bool ok = false;

    if (c->v->apic && cpu_has(c, msr == MSR_TSC_DEADLINE ? FEAT_TSC_DEADLINE : FEAT_X2APIC)) {
        cpu_outside(c, OUTSIDE_APIC);
        machine_lock(c->v->m);
        ok = write ? c->v->apic->msr_write(c->v->apic_dev, msr, *val)
                   : c->v->apic->msr_read(c->v->apic_dev, msr, val);
        machine_unlock(c->v->m);
    }
    return ok;
}

/* The APIC keeps the deadline in virtual nanoseconds; the guest's TSC counts those from elsewhere.
 */
uint64_t cpu_deadline_to_tsc(const struct cpu *c, uint64_t ns)
{
    return ns ? cpu_tsc_ticks(c, (int64_t)ns) + c->tsc_offset : 0;
}

uint64_t cpu_deadline_to_ns(const struct cpu *c, uint64_t val)
{
    __int128 at = (__int128)val - (int64_t)c->tsc_offset;

    if (at > 0 && at <= INT64_MAX && c->tsc_khz != CPU_TSC_KHZ) {
        at = (at * CPU_TSC_KHZ + c->tsc_khz - 1) / c->tsc_khz; /* not before, see clock.h */
    }
    return !val ? 0 : at <= 0 ? 1 : at > INT64_MAX ? INT64_MAX : (uint64_t)at;
}

static bool tsc_deadline_get(struct cpu *c, uint64_t *val)
{
    if (!apic_msr(c, MSR_TSC_DEADLINE, val, false)) {
        return false;
    }
    *val = cpu_deadline_to_tsc(c, *val);
    return true;
}

static bool tsc_deadline_set(struct cpu *c, uint64_t val)
{
    uint64_t ns = cpu_deadline_to_ns(c, val);

    return apic_msr(c, MSR_TSC_DEADLINE, &ns, true);
}

/* ---- MTRR and PAT ---- */

static bool memory_types_valid(uint64_t val, uint32_t allowed)
{
    for (unsigned k = 0; k < 8; k++) {
        unsigned type = val >> 8 * k & 0xff;

        if (type > 7 || !(allowed >> type & 1)) {
            return false;
        }
    }
    return true;
}

enum { MTRR_TYPES = 0x73 /* UC WC WT WP WB */, PAT_TYPES = MTRR_TYPES | BIT(7) };

static int mtrr_fix_index(uint32_t msr)
{
    switch (msr) {
    case MSR_MTRR_FIX64K:
        return 0;
    case MSR_MTRR_FIX16K_0:
    case MSR_MTRR_FIX16K_1:
        return 1 + (int)(msr - MSR_MTRR_FIX16K_0);
    default:
        return msr >= MSR_MTRR_FIX4K_0 && msr <= MSR_MTRR_FIX4K_7
                   ? 3 + (int)(msr - MSR_MTRR_FIX4K_0)
                   : -1;
    }
}

static bool mtrr_access(struct cpu *c, uint32_t msr, uint64_t *val, bool write)
{
    int fix = mtrr_fix_index(msr);
    uint64_t *reg, bad;

    if (!cpu_has(c, FEAT_MTRR)) {
        return false;
    }
    if (fix >= 0) {
        reg = &c->mtrr_fix[fix];
        bad = write && !memory_types_valid(*val, MTRR_TYPES);
    } else if (msr == MSR_MTRR_DEF_TYPE) {
        reg = &c->mtrr_def_type;
        bad = (*val & ~0xcffull) || !memory_types_valid(*val & 0xff, MTRR_TYPES);
    } else if (msr & 1) {
        reg = &c->mtrr_mask[(msr - MSR_MTRR_BASE0) >> 1];
        bad = *val & ~((c->phys_mask & ~0xfffull) | BIT(11));
    } else {
        reg = &c->mtrr_base[(msr - MSR_MTRR_BASE0) >> 1];
        bad = (*val & ~((c->phys_mask & ~0xfffull) | 0xff)) ||
              !memory_types_valid(*val & 0xff, MTRR_TYPES);
    }
    if (!write) {
        *val = *reg;
        return true;
    }
    if (!bad) {
        *reg = *val;
    }
    return !bad;
}

/* ---- reads ---- */

static bool rdmsr_long(struct cpu *c, uint32_t msr, uint64_t *val)
{
    if (msr == MSR_TSC_AUX) {
        *val = c->tsc_aux;
        return cpu_has(c, FEAT_RDTSCP) || cpu_has(c, FEAT_RDPID);
    }
    if (msr == MSR_EFER) {
        *val = c->efer;
        return cpu_has(c, FEAT_LM) || cpu_has(c, FEAT_NX) || cpu_has(c, FEAT_SYSCALL);
    }
    switch (msr) {
    case MSR_STAR:
        *val = c->star;
        break;
    case MSR_LSTAR:
        *val = c->lstar;
        break;
    case MSR_CSTAR:
        *val = c->cstar;
        break;
    case MSR_SFMASK:
        *val = c->sfmask;
        break;
    case MSR_FS_BASE:
        *val = c->seg[SEG_FS].base;
        break;
    case MSR_GS_BASE:
        *val = c->seg[SEG_GS].base;
        break;
    case MSR_KERNEL_GS:
        *val = c->kernel_gs_base;
        break;
    default:
        return false;
    }
    return cpu_has(c, FEAT_LM);
}

/*
 * The uncore's counters, which a client processor has whatever CPUID says: Linux programs them
 * wherever the signature is a Haswell's and no hypervisor shows.  Here they count nothing.
 */
static bool is_uncore(const struct cpu *c, uint32_t msr)
{
    return c->model->signature >> 4 == 0x306c && msr >= MSR_UNC_PERF_GLOBAL_CTRL &&
           msr <= MSR_UNC_CBO_CONFIG;
}

/* Registers that read as constants, with the features they hang on. */
static bool rdmsr_constant(const struct cpu *c, uint32_t msr, uint64_t *val)
{
    switch (msr) {
    case MSR_PLATFORM_ID:
    case MSR_FEATURE_ENABLES:
    case MSR_PERF_CTL:
        *val = 0;
        return c->model->max_leaf >= 2;
    case MSR_PERF_STATUS:
        *val = 10ull << 8;
        return c->model->max_leaf >= 4;
    case MSR_UCODE_REV:
        *val = 0x100ull << 32;
        return c->model->max_leaf >= 2;
    case MSR_FEATURE_CONTROL:
        *val = 1; /* locked: no VMX */
        return c->model->max_leaf >= 4;
    case MSR_PLATFORM_INFO:
        *val = 10ull << 8; /* ratio 10 of the 100 MHz bus */
        return c->model->max_leaf >= 4;
    case MSR_MTRRCAP:
        *val = MTRR_CAP;
        return cpu_has(c, FEAT_MTRR);
    case MSR_MCG_CAP:
        *val = 0; /* no banks */
        return cpu_has(c, FEAT_MCA);
    case MSR_ARCH_CAPABILITIES:
        *val = ARCH_CAPABILITIES;
        return cpu_has(c, FEAT_ARCH_CAPABILITIES);
    case 0: /* P5_MC_ADDR, P5_MC_TYPE */
    case 1:
        *val = 0;
        return cpu_has(c, FEAT_MCE);
    default:
        *val = 0;
        return is_uncore(c, msr);
    }
}

bool cpu_rdmsr(struct cpu *c, uint32_t msr, uint64_t *val)
{
    *val = 0;
    if (msr >= 0xc0000000) {
        return rdmsr_long(c, msr, val);
    }
    if ((msr >= MSR_MTRR_BASE0 && msr <= MSR_MTRR_MASK7) || mtrr_fix_index(msr) >= 0 ||
        msr == MSR_MTRR_DEF_TYPE) {
        return mtrr_access(c, msr, val, false);
    }
    if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST) {
        return apic_msr(c, msr, val, false);
    }
    switch (msr) {
    case MSR_TSC:
        *val = cpu_tsc(c);
        return cpu_has(c, FEAT_TSC);
    case MSR_APIC_BASE:
        return apic_base_get(c, val);
    case MSR_TSC_ADJUST:
        *val = c->tsc_adjust;
        return cpu_has(c, FEAT_TSC_ADJUST);
    case MSR_TSC_DEADLINE:
        return tsc_deadline_get(c, val);
    case MSR_SPEC_CTRL:
        *val = c->spec_ctrl;
        return cpu_has(c, FEAT_SPEC_CTRL);
    case MSR_SYSENTER_CS:
        *val = c->sysenter_cs;
        return cpu_has(c, FEAT_SEP);
    case MSR_SYSENTER_ESP:
        *val = c->sysenter_esp;
        return cpu_has(c, FEAT_SEP);
    case MSR_SYSENTER_EIP:
        *val = c->sysenter_eip;
        return cpu_has(c, FEAT_SEP);
    case MSR_MCG_STATUS:
        *val = c->mcg_status;
        return cpu_has(c, FEAT_MCA);
    case MSR_MISC_ENABLE:
        *val = c->misc_enable | MISC_ENABLE_FIXED;
        return c->model->max_leaf >= 4;
    case MSR_DEBUGCTL:
        *val = c->debugctl;
        return c->model->max_leaf >= 2;
    case MSR_PAT:
        *val = c->pat;
        return cpu_has(c, FEAT_PAT);
    default:
        return rdmsr_constant(c, msr, val);
    }
}

/* ---- writes ---- */

static bool efer_set(struct cpu *c, uint64_t val)
{
    uint64_t allowed = EFER_LMA | (cpu_has(c, FEAT_SYSCALL) ? EFER_SCE : 0) |
                       (cpu_has(c, FEAT_LM) ? EFER_LME : 0) | (cpu_has(c, FEAT_NX) ? EFER_NXE : 0);

    if (val & ~allowed || ((val ^ c->efer) & EFER_LME && c->cr0 & CR0_PG)) {
        return false;
    }
    uint64_t old = c->efer;
    c->efer = (val & ~(uint64_t)EFER_LMA) | (old & EFER_LMA);
    if ((old ^ c->efer) & EFER_NXE) {
        mmu_flush(c, true);
    }
    return true;
}

static bool wrmsr_long(struct cpu *c, uint32_t msr, uint64_t val)
{
    if (msr == MSR_TSC_AUX) {
        if (val >> 32 || !(cpu_has(c, FEAT_RDTSCP) || cpu_has(c, FEAT_RDPID))) {
            return false;
        }
        c->tsc_aux = val;
        return true;
    }
    if (msr == MSR_EFER) {
        return (cpu_has(c, FEAT_LM) || cpu_has(c, FEAT_NX)) && efer_set(c, val);
    }
    if (!cpu_has(c, FEAT_LM) || (msr != MSR_STAR && msr != MSR_SFMASK && !cpu_is_canonical(val))) {
        return false;
    }
    switch (msr) {
    case MSR_STAR:
        c->star = val;
        return true;
    case MSR_LSTAR:
        c->lstar = val;
        return true;
    case MSR_CSTAR:
        c->cstar = val;
        return true;
    case MSR_SFMASK:
        c->sfmask = val >> 32 ? c->sfmask : val;
        return !(val >> 32);
    case MSR_FS_BASE:
        c->seg[SEG_FS].base = val;
        return true;
    case MSR_GS_BASE:
        c->seg[SEG_GS].base = val;
        return true;
    case MSR_KERNEL_GS:
        c->kernel_gs_base = val;
        return true;
    default:
        return false;
    }
}

/* Writes that move the TSC; TSC_ADJUST follows it, and a deadline stays the count that it was. */
static bool tsc_set(struct cpu *c, uint64_t delta)
{
    uint64_t deadline = 0;
    bool armed = tsc_deadline_get(c, &deadline) && deadline;

    c->tsc_offset += delta;
    c->tsc_adjust += delta;
    if (armed) {
        tsc_deadline_set(c, deadline);
    }
    return true;
}

static bool sysenter_set(struct cpu *c, uint32_t msr, uint64_t val)
{
    if (!cpu_has(c, FEAT_SEP) ||
        (msr != MSR_SYSENTER_CS && cpu_has(c, FEAT_LM) && !cpu_is_canonical(val))) {
        return false;
    }
    if (msr == MSR_SYSENTER_CS) {
        c->sysenter_cs = (uint32_t)val;
    } else if (msr == MSR_SYSENTER_ESP) {
        c->sysenter_esp = cpu_has(c, FEAT_LM) ? val : (uint32_t)val;
    } else {
        c->sysenter_eip = cpu_has(c, FEAT_LM) ? val : (uint32_t)val;
    }
    return true;
}

/* IBRS, STIBP and SSBD may be set and do nothing; PRED_CMD takes IBPB. */
static bool speculation_set(struct cpu *c, uint32_t msr, uint64_t val)
{
    uint64_t allowed = msr != MSR_SPEC_CTRL ? 1 : 7 | (cpu_has(c, FEAT_BHI_CTRL) ? BIT(10) : 0);

    if (!cpu_has(c, FEAT_SPEC_CTRL) || val & ~allowed) {
        return false;
    }
    if (msr == MSR_SPEC_CTRL) {
        c->spec_ctrl = val;
    }
    return true;
}

bool cpu_wrmsr(struct cpu *c, uint32_t msr, uint64_t val)
{
    if (msr >= 0xc0000000) {
        return wrmsr_long(c, msr, val);
    }
    if ((msr >= MSR_MTRR_BASE0 && msr <= MSR_MTRR_MASK7) || mtrr_fix_index(msr) >= 0 ||
        msr == MSR_MTRR_DEF_TYPE) {
        return mtrr_access(c, msr, &val, true);
    }
    if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST) {
        return apic_msr(c, msr, &val, true);
    }
    switch (msr) {
    case MSR_TSC:
        return cpu_has(c, FEAT_TSC) && tsc_set(c, val - cpu_tsc(c));
    case MSR_APIC_BASE:
        return apic_base_set(c, val);
    case MSR_TSC_ADJUST:
        return cpu_has(c, FEAT_TSC_ADJUST) && tsc_set(c, val - c->tsc_adjust);
    case MSR_TSC_DEADLINE:
        return tsc_deadline_set(c, val);
    case MSR_SPEC_CTRL:
    case MSR_PRED_CMD:
        return speculation_set(c, msr, val);
    case MSR_UCODE_WRITE:
    case MSR_UCODE_REV:
    case MSR_PERF_CTL:
    case MSR_FEATURE_ENABLES:
        return c->model->max_leaf >= 2;
    case 0:
    case 1:
        return cpu_has(c, FEAT_MCE);
    case MSR_SYSENTER_CS:
    case MSR_SYSENTER_ESP:
    case MSR_SYSENTER_EIP:
        return sysenter_set(c, msr, val);
    case MSR_MCG_STATUS: /* may be cleared only */
        c->mcg_status = val ? c->mcg_status : 0;
        return cpu_has(c, FEAT_MCA) && !val;
    case MSR_MISC_ENABLE:
        c->misc_enable = val & ~(BIT64(34) | MISC_ENABLE_FIXED); /* NX cannot be hidden */
        return c->model->max_leaf >= 4;
    case MSR_DEBUGCTL:
        c->debugctl = 0; /* no branch records, no branch trap */
        return c->model->max_leaf >= 2 && !(val & ~0xffffull);
    case MSR_PAT:
        if (!cpu_has(c, FEAT_PAT) || !memory_types_valid(val, PAT_TYPES)) {
            return false;
        }
        c->pat = val;
        return true;
    default:
        return is_uncore(c, msr) && msr != MSR_UNC_CBO_CONFIG;
    }
}
