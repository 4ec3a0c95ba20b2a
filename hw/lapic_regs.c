/*
 * The local APIC's registers, in memory (xAPIC) and as MSRs (x2APIC).  One number serves both:
 * offset / 16, which is MSR - 0x800.
 *
 * Follows the Intel SDM volume 3A, chapter 11.
 *
 * Not modelled: see hw/lapic.c.
 */
#include "hw/lapic_int.h"

#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC       0x800

enum { SVR_WRITABLE = 0x1ff | SVR_NO_BROADCAST };

bool lapic_read_reg(struct lapic *l, unsigned reg, uint32_t *val)
{
    switch (reg) {
    case REG_ID:
        *val = lapic_is_x2(l) ? (uint32_t)l->id : (uint32_t)l->id << 24;
        break;
    case REG_VERSION:
        *val = VERSION_NO_BROADCAST | (LVTS - 1) << 16 | 0x14;
        break;
    case REG_TPR:
        *val = l->s.tpr;
        break;
    case REG_APR:
    case REG_PPR:
        *val = lapic_ppr(l);
        break;
    case REG_EOI:
    case REG_RRD:
        *val = 0;
        break;
    case REG_LDR:
        *val = lapic_ldr(l);
        break;
    case REG_DFR:
        *val = l->s.dfr;
        break;
    case REG_SVR:
        *val = l->s.svr;
        break;
    case REG_ISR ... REG_ISR + 7:
        *val = l->s.isr[reg - REG_ISR];
        break;
    case REG_TMR ... REG_TMR + 7:
        *val = l->s.tmr[reg - REG_TMR];
        break;
    case REG_IRR ... REG_IRR + 7:
        *val = l->s.irr[reg - REG_IRR];
        break;
    case REG_ESR:
        *val = l->s.esr;
        break;
    case REG_ICR:
        *val = (uint32_t)l->s.icr;
        break;
    case REG_ICR_HIGH:
        *val = (uint32_t)(l->s.icr >> 32);
        break;
    case REG_LVT ... REG_LVT + LVTS - 1:
        *val = l->s.lvt[reg - REG_LVT];
        break;
    case REG_INITIAL:
        *val = l->s.initial;
        break;
    case REG_CURRENT:
        *val = lapic_read_current(l);
        break;
    case REG_DIVIDE:
        *val = l->s.divide;
        break;
    default:
        return false;
    }
    return true;
}

/* Bits of each LVT entry that software may set. */
static const uint32_t lvt_writable[LVTS] = {
    [LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff,
    [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,   [LVT_ERROR] = 0x100ff,
};

static void lapic_write_lvt(struct lapic *l, unsigned n, uint32_t val)
{
    val &= lvt_writable[n];
    if (!(l->s.svr & SVR_ENABLE)) {
        val |= LVT_MASKED; /* while software-disabled the masks cannot be cleared */
    }
    if (n == LVT_TIMER) {
        lapic_write_lvt_timer(l, val);
        return;
    }
    l->s.lvt[n] = val | ((val & LVT_LEVEL) ? l->s.lvt[n] & LVT_REMOTE_IRR : 0);
    if (n == LVT_LINT0 && l->s.lint[0] && (val & LVT_LEVEL)) {
        lapic_set_lint(l, 0, true);
    }
    lapic_update(l);
}

static void lapic_write_svr(struct lapic *l, uint32_t val)
{
    bool was = l->s.svr & SVR_ENABLE;
    l->s.svr = val & SVR_WRITABLE;
    if (was && !(val & SVR_ENABLE)) {
        for (unsigned n = 0; n < LVTS; n++) {
            lapic_write_lvt(l, n, l->s.lvt[n]);
        }
    }
    lapic_update(l);
}

static bool lapic_write_reg(struct lapic *l, unsigned reg, uint32_t val)
{
    switch (reg) {
    case REG_ID: /* fixed, as on every processor since the Pentium 4 */
    case REG_VERSION:
    case REG_APR:
    case REG_PPR:
    case REG_RRD:
    case REG_ISR ... REG_ISR + 7:
    case REG_TMR ... REG_TMR + 7:
    case REG_IRR ... REG_IRR + 7:
    case REG_CURRENT:
        break; /* read-only */
    case REG_TPR:
        l->s.tpr = val & 0xff;
        lapic_update(l);
        break;
    case REG_EOI:
        lapic_eoi(l);
        break;
    case REG_LDR:
        l->s.ldr = val & 0xff000000;
        break;
    case REG_DFR:
        l->s.dfr = val | 0x0fffffff;
        break;
    case REG_SVR:
        lapic_write_svr(l, val);
        break;
    case REG_ESR: /* a write brings up what was gathered since the last one */
        l->s.esr = l->s.errors;
        l->s.errors = 0;
        break;
    case REG_ICR:
        l->s.icr = (l->s.icr & ~0xffffffffull) | (val & ICR_WRITABLE);
        lapic_send(l);
        break;
    case REG_ICR_HIGH:
        l->s.icr = (l->s.icr & 0xffffffff) | (uint64_t)(val & 0xff000000) << 32;
        break;
    case REG_LVT ... REG_LVT + LVTS - 1:
        lapic_write_lvt(l, reg - REG_LVT, val);
        break;
    case REG_INITIAL:
        lapic_write_initial(l, val);
        break;
    case REG_DIVIDE:
        lapic_write_divide(l, val);
        break;
    default:
        return false;
    }
    return true;
}

uint32_t lapic_mmio_read(struct device *dev, uint32_t off)
{
    struct lapic *l = (struct lapic *)dev;
    uint32_t val = 0;

    if (!lapic_is_on(l) || lapic_is_x2(l)) {
        return UINT32_MAX;
    }
    if (!lapic_read_reg(l, off >> 4 & 0xff, &val)) {
        lapic_error(l, ESR_REGISTER);
    }
    return val;
}

void lapic_mmio_write(struct device *dev, uint32_t off, uint32_t val)
{
    struct lapic *l = (struct lapic *)dev;

    if (!lapic_is_on(l) || lapic_is_x2(l)) {
        return;
    }
    if (!lapic_write_reg(l, off >> 4 & 0xff, val)) {
        lapic_error(l, ESR_REGISTER);
    }
}

/* The page belongs to whichever processor looks at it; without one (tests, monitor) it is APIC 0's.
 */
static struct device *lapic_of_accessor(struct device *dev)
{
    struct vcpu *v = machine_current_vcpu(dev->m);
    return v && v->apic_dev ? v->apic_dev : dev;
}

/* Registers are the first four bytes of every sixteen. */
static uint64_t lapic_region_read(struct device *dev, uint64_t off, unsigned size)
{
    (void)size;
    unsigned in = off & 15;
    return in < 4 ? lapic_mmio_read(lapic_of_accessor(dev), off & ~15u) >> 8 * in : 0;
}

static void lapic_region_write(struct device *dev, uint64_t off, uint64_t val, unsigned size)
{
    (void)size;
    if (!(off & 15)) {
        lapic_mmio_write(lapic_of_accessor(dev), off, val);
    }
}

/* A bus master's write.  To it the page of registers is not there. */
static void lapic_take_message(struct device *dev, uint64_t pa, uint32_t data)
{
    lapic_deliver_msi(dev->m, pa, data);
}

const struct mmio_ops lapic_mmio = {
    .sizes = SIZE_1 | SIZE_2 | SIZE_4,
    .read = lapic_region_read,
    .write = lapic_region_write,
    .message = lapic_take_message,
};

/* A processor's stores to the rest of the range go nowhere. */
const struct mmio_ops lapic_messages = {
    .sizes = SIZE_ANY,
    .message = lapic_take_message,
};

bool lapic_msr_read(struct device *dev, uint32_t msr, uint64_t *val)
{
    struct lapic *l = (struct lapic *)dev;
    unsigned reg = msr - MSR_X2APIC;
    uint32_t low;

    if (msr == MSR_TSC_DEADLINE) {
        lapic_timer_settle(l);
        *val = l->s.tsc_deadline;
        return true;
    }
    if (!lapic_is_x2(l) || reg > REG_SELF_IPI || reg == REG_APR || reg == REG_EOI ||
        reg == REG_RRD || reg == REG_DFR || reg == REG_ICR_HIGH || !lapic_read_reg(l, reg, &low)) {
        return false;
    }
    *val = reg == REG_ICR ? l->s.icr : low;
    return true;
}

/* The bits of x2APIC register `reg` that may be written; 0: none, the write faults. */
static uint64_t lapic_msr_mask(unsigned reg)
{
    switch (reg) {
    case REG_TPR:
    case REG_SELF_IPI:
        return 0xff;
    case REG_SVR:
        return SVR_WRITABLE;
    case REG_ICR:
        return 0xffffffff000ccfffull;
    case REG_LVT ... REG_LVT + LVTS - 1:
        return lvt_writable[reg - REG_LVT] | LVT_PENDING | LVT_REMOTE_IRR;
    case REG_INITIAL:
        return 0xffffffff;
    case REG_DIVIDE:
        return 11;
    default:
        return 0;
    }
}

bool lapic_msr_write(struct device *dev, uint32_t msr, uint64_t val)
{
    struct lapic *l = (struct lapic *)dev;
    unsigned reg = msr - MSR_X2APIC;

    if (msr == MSR_TSC_DEADLINE) {
        lapic_write_tsc_deadline(l, val);
        return true;
    }
    if (!lapic_is_x2(l) || reg > REG_SELF_IPI) {
        return false;
    }
    if (reg == REG_EOI || reg == REG_ESR) {
        return !val && lapic_write_reg(l, reg, 0);
    }
    uint64_t mask = lapic_msr_mask(reg);
    if (!mask || (val & ~mask)) {
        return false;
    }
    if (reg == REG_SELF_IPI) {
        if (val < 16) {
            lapic_error(l, ESR_SEND_ILLEGAL);
        } else {
            lapic_accept(l, val, false);
        }
        return true;
    }
    if (reg == REG_ICR) {
        l->s.icr = val;
        lapic_send(l);
        return true;
    }
    return lapic_write_reg(l, reg, (uint32_t)val);
}
