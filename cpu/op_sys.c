/*
 * Control and debug registers, TLB and cache instructions.
 *
 * Follows: Intel SDM volume 2; volume 3, 2.5 (control registers), 4.10 (TLB), 17.2 (debug
 * registers).
 *
 * Not modelled: caches (INVD, WBINVD, CLFLUSH have no effect), CR4 bits of features that are not
 * there.
 */
#include "cpu/op.h"
#include "cpu/ops_system.h"

/* ---- control registers ---- */

static G_NORETURN void gp0(struct cpu *c)
{
    cpu_raise_error(c, EXCP_GP, 0);
}

/* Long mode goes on or off with paging (SDM vol. 3, 9.8.5); TR must not hold a 16-bit TSS then. */
static void switch_paging(struct cpu *c, bool on)
{
    if (on && c->efer & EFER_LME) {
        if (!(c->cr4 & CR4_PAE) || c->seg[SEG_CS].attr & SEG_L || !(c->seg[SEG_TR].attr & 8)) {
            gp0(c);
        }
        c->efer |= EFER_LMA;
    } else if (on && c->cr4 & CR4_PAE) {
        if (!mmu_load_pdptes(c, c->cr3)) {
            gp0(c);
        }
    } else if (!on) {
        if (cpu_is_64(c) || c->cr4 & CR4_PCIDE) {
            gp0(c);
        }
        c->efer &= ~(uint64_t)EFER_LMA;
    }
}

void cpu_set_cr0(struct cpu *c, uint64_t val)
{
    const uint64_t known = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM |
                           CR0_NW | CR0_CD | (uint64_t)CR0_PG;
    uint64_t old = c->cr0;

    if (val >> 32 || (val & CR0_PG && !(val & CR0_PE)) || (val & CR0_NW && !(val & CR0_CD))) {
        gp0(c);
    }
    val = (val & known) | CR0_ET;
    if ((val ^ old) & CR0_PG) {
        switch_paging(c, val & CR0_PG);
    } else if ((val ^ old) & (CR0_CD | CR0_NW) && val & CR0_PG && c->cr4 & CR4_PAE &&
               !cpu_is_long(c) && !mmu_load_pdptes(c, c->cr3)) {
        gp0(c);
    }
    c->cr0 = val;
    if ((val ^ old) & CR0_PE) {
        c->cpl = 0;
    }
    if ((val ^ old) & (CR0_PG | CR0_WP | CR0_PE)) {
        mmu_flush(c, true);
    }
    cpu_update_mode(c);
}

void cpu_set_cr3(struct cpu *c, uint64_t val)
{
    bool pcide = c->cr4 & CR4_PCIDE, keep = pcide && val >> 63;

    if (cpu_is_long(c)) {
        val &= pcide ? ~(1ull << 63) : ~0ull;
        if (val & ~(c->phys_mask | 0xfff)) {
            gp0(c);
        }
    } else {
        val = (uint32_t)val;
        if (c->cr4 & CR4_PAE && c->cr0 & CR0_PG && !mmu_load_pdptes(c, val)) {
            gp0(c);
        }
    }
    c->cr3 = val;
    if (pcide) {
        mmu_switch_pcid(c, keep);
    } else {
        mmu_flush(c, false);
    }
}

static uint64_t cr4_allowed(const struct cpu *c)
{
    static const struct {
        uint16_t feature;
        uint32_t bits;
    } table[] = {
        {FEAT_VME, CR4_VME | CR4_PVI}, {FEAT_TSC, CR4_TSD},       {FEAT_DE, CR4_DE},
        {FEAT_PSE, CR4_PSE},           {FEAT_PAE, CR4_PAE},       {FEAT_MCE, CR4_MCE},
        {FEAT_PGE, CR4_PGE},           {FEAT_MMX, CR4_PCE},       {FEAT_FXSR, CR4_OSFXSR},
        {FEAT_SSE, CR4_OSXMMEXCPT},    {FEAT_UMIP, CR4_UMIP},     {FEAT_FSGSBASE, CR4_FSGSBASE},
        {FEAT_PCID, CR4_PCIDE},        {FEAT_XSAVE, CR4_OSXSAVE}, {FEAT_SMEP, CR4_SMEP},
        {FEAT_SMAP, CR4_SMAP},
    };
    uint64_t bits = 0;

    for (unsigned k = 0; k < ARRAY_LEN(table); k++) {
        bits |= cpu_has(c, table[k].feature) ? table[k].bits : 0;
    }
    return bits;
}

void cpu_set_cr4(struct cpu *c, uint64_t val)
{
    const uint64_t paging = CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP;
    uint64_t change = val ^ c->cr4;

    if (val & ~cr4_allowed(c) || (cpu_is_long(c) && !(val & CR4_PAE)) ||
        (change & val & CR4_PCIDE && (!cpu_is_long(c) || c->cr3 & 0xfff))) {
        gp0(c);
    }
    if (change & (paging & ~(uint64_t)CR4_PCIDE) && val & CR4_PAE && c->cr0 & CR0_PG &&
        !cpu_is_long(c) && !mmu_load_pdptes(c, c->cr3)) {
        gp0(c);
    }
    c->cr4 = val;
    if (change & paging) {
        mmu_flush(c, true);
        if (change & CR4_PCIDE) {
            mmu_switch_pcid(c, false);
        }
    }
    cpu_update_mode(c);
}

static uint64_t cr8_get(struct cpu *c)
{
    uint64_t v = 0;

    if (c->v->apic) {
        cpu_outside(c, OUTSIDE_APIC);
        exits_note(&c->v->exits, EXITS_TPR);
        machine_lock(c->v->m);
        v = c->v->apic->get_tpr(c->v->apic_dev);
        machine_unlock(c->v->m);
    }
    return v;
}

static void cr8_set(struct cpu *c, uint64_t val)
{
    if (val > 15) {
        gp0(c);
    }
    if (c->v->apic) {
        cpu_outside(c, OUTSIDE_APIC);
        exits_note(&c->v->exits, EXITS_TPR);
        machine_lock(c->v->m);
        c->v->apic->set_tpr(c->v->apic_dev, (uint8_t)val);
        machine_unlock(c->v->m);
    }
}

/* CR numbers 0, 2, 3, 4, and 8 in 64-bit code. */
static bool cr_exists(const struct cpu *c, unsigned n)
{
    return n == 0 || (n >= 2 && n <= 4) || (n == 8 && cpu_is_64(c));
}

static void op_mov_r_cr(struct cpu *c, const struct insn *i)
{
    if (!cr_exists(c, i->r1)) {
        return op_ud(c, i);
    }
    need_cpl0(c, i);
    uint64_t v = i->r1 == 0   ? c->cr0
                 : i->r1 == 2 ? c->cr2
                 : i->r1 == 3 ? c->cr3
                 : i->r1 == 4 ? c->cr4
                              : cr8_get(c);
    c->r[i->r2] = cpu_is_64(c) ? v : (uint32_t)v;
    NEXT(c, i);
}

static void op_mov_cr_r(struct cpu *c, const struct insn *i)
{
    if (!cr_exists(c, i->r1)) {
        return op_ud(c, i);
    }
    need_cpl0(c, i);
    uint64_t val = cpu_is_64(c) ? c->r[i->r2] : (uint32_t)c->r[i->r2];
    uint64_t next = insn_next_ip(c, i);
    switch (i->r1) {
    case 0:
        cpu_set_cr0(c, val);
        break;
    case 2:
        c->cr2 = val;
        break;
    case 3:
        cpu_set_cr3(c, val);
        break;
    case 4:
        cpu_set_cr4(c, val);
        break;
    default:
        cr8_set(c, val);
        break;
    }
    sys_serialise();
    c->ip = next;
    return sys_continue(c, i);
}

static void op_lmsw(struct cpu *c, const struct insn *i, uint16_t val)
{
    uint64_t next = insn_next_ip(c, i);

    c->cur = i;
    cpu_set_cr0(c, (c->cr0 & ~(uint64_t)(CR0_MP | CR0_EM | CR0_TS)) |
                       (val & (CR0_PE | CR0_MP | CR0_EM | CR0_TS)));
    c->ip = next;
    return sys_continue(c, i);
}

static void op_lmsw_r(struct cpu *c, const struct insn *i)
{
    need_cpl0(c, i);
    return op_lmsw(c, i, GET16(i->r2));
}

static void op_lmsw_m(struct cpu *c, const struct insn *i)
{
    need_cpl0(c, i);
    return op_lmsw(c, i, mem_load16(c, i, EA(2, EA_READ)));
}

#define SMSW(bits, T, sfx, ...)                                                                    \
    static void op_smsw_r##bits(struct cpu *c, const struct insn *i)                               \
    {                                                                                              \
        check_umip(c, i);                                                                          \
        SET##bits(i->r2, c->cr0);                                                                  \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(SMSW, )

static void op_smsw_m(struct cpu *c, const struct insn *i)
{
    check_umip(c, i);
    mem_store16(c, i, EA(2, EA_WRITE), (uint16_t)c->cr0);
    NEXT(c, i);
}

static void op_clts(struct cpu *c, const struct insn *i)
{
    uint64_t key = c->jkey;

    need_cpl0(c, i);
    c->cr0 &= ~(uint64_t)CR0_TS;
    cpu_update_mode(c);
    return sys_next(c, i, key);
}

/* ---- debug registers ---- */

enum { DR6_BD = BIT(13), DR7_GD = BIT(13) };

/* Checks that MOV to and from DR share; gives the register's number. */
static unsigned dr_number(struct cpu *c, const struct insn *i)
{
    unsigned n = i->r1;

    if (n > 7 || ((n == 4 || n == 5) && c->cr4 & CR4_DE)) {
        op_ud(c, i);
    }
    need_cpl0(c, i);
    if (c->dr[7] & DR7_GD) {
        c->dr[6] |= DR6_BD;
        cpu_raise(c, EXCP_DB);
    }
    return n == 4 || n == 5 ? n + 2 : n;
}

static void op_mov_r_dr(struct cpu *c, const struct insn *i)
{
    unsigned n = dr_number(c, i);

    c->r[i->r2] = cpu_is_64(c) ? c->dr[n] : (uint32_t)c->dr[n];
    NEXT(c, i);
}

static void op_mov_dr_r(struct cpu *c, const struct insn *i)
{
    unsigned n = dr_number(c, i);
    uint64_t val = cpu_is_64(c) ? c->r[i->r2] : (uint32_t)c->r[i->r2], next = insn_next_ip(c, i);

    if (n >= 6 && val >> 32) {
        gp0(c);
    }
    c->dr[n] = n == 6 ? (val & 0xe00f) | 0xffff0ff0 : n == 7 ? (val & 0xffff23ff) | 0x400 : val;
    cpu_update_mode(c);
    sys_serialise();
    c->ip = next;
    return sys_continue(c, i);
}

/* ---- TLB and caches ---- */

/* The address only: no limit check, no access. */
static uint64_t raw_linear(const struct cpu *c, const struct insn *i)
{
    uint64_t off = ea_offset(c, i);

    if (cpu_is_64(c)) {
        return i->seg == SEG_FS || i->seg == SEG_GS ? c->seg[i->seg].base + off : off;
    }
    return (uint32_t)(c->seg[i->seg].base + off);
}

static void op_invlpg(struct cpu *c, const struct insn *i)
{
    uint64_t key = c->jkey;

    need_cpl0(c, i);
    mmu_invlpg(c, raw_linear(c, i));
    return sys_next_remapped(c, i, key);
}

static void invpcid(struct cpu *c, const struct insn *i)
{
    uint8_t buf[16];
    uint64_t type = cpu_is_64(c) ? c->r[i->r1] : (uint32_t)c->r[i->r1];

    need_cpl0(c, i);
    mem_load_bytes(c, i, EA(16, EA_READ), buf, 16);
    uint64_t pcid = ld_le64(buf), la = ld_le64(buf + 8);
    c->cur = i;
    if (type > 3 || pcid >> 12 || (type < 2 && pcid && !(c->cr4 & CR4_PCIDE)) ||
        (type == 0 && !cpu_is_canonical(la))) {
        gp0(c);
    }
    mmu_invpcid(c, (unsigned)type, (uint16_t)pcid, la);
}

static void op_invpcid(struct cpu *c, const struct insn *i)
{
    uint64_t key = c->jkey;

    invpcid(c, i);
    return sys_next_remapped(c, i, key);
}

static void op_invd(struct cpu *c, const struct insn *i)
{
    need_cpl0(c, i);
    return sys_next_serial(c, i);
}

/* Faults as a load does. */
static void op_clflush(struct cpu *c, const struct insn *i)
{
    mem_load8(c, i, EA(1, EA_READ));
    NEXT(c, i);
}

#define ONE(f)                                                                                     \
    {                                                                                              \
        .fn = { [FORM_R] = {f, f, f, f} }                                                          \
    }
#define ONE_M(f)                                                                                   \
    {                                                                                              \
        .fn = { [FORM_MG] = {f, f, f, f} }                                                         \
    }
#define BOTH(p)                                                                                    \
    {                                                                                              \
        .fn = {                                                                                    \
            [FORM_R] = {p##_r, p##_r, p##_r, p##_r},                                               \
            [FORM_MG] = {p##_m, p##_m, p##_m, p##_m}                                               \
        }                                                                                          \
    }

const struct op_fns fns_mov_r_cr = ONE(op_mov_r_cr);
const struct op_fns fns_mov_cr_r = ONE(op_mov_cr_r);
const struct op_fns fns_mov_r_dr = ONE(op_mov_r_dr);
const struct op_fns fns_mov_dr_r = ONE(op_mov_dr_r);
const struct op_fns fns_lmsw = BOTH(op_lmsw);
const struct op_fns fns_smsw = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_smsw_r),
                                       [FORM_MG] = {op_smsw_m, op_smsw_m, op_smsw_m, op_smsw_m}}};
const struct op_fns fns_clts = ONE(op_clts);
const struct op_fns fns_invlpg = ONE_M(op_invlpg);
const struct op_fns fns_invpcid = ONE_M(op_invpcid);
const struct op_fns fns_invd = ONE(op_invd);
const struct op_fns fns_clflush = ONE_M(op_clflush);
const struct op_fns fns_ud = {
    .fn = {[FORM_R] = {op_ud, op_ud, op_ud, op_ud}, [FORM_MG] = {op_ud, op_ud, op_ud, op_ud}}};
