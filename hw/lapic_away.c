/*
 * The local APIC's state on its way to an accelerator that has APICs of its own, and back.
 *
 * Follows the Intel SDM volume 3A, chapter 11, for the page of registers.
 *
 * Not modelled: errors that were gathered and not yet shown by ESR; what such an accelerator's
 * APICs do otherwise than ours.
 */
#include "hw/lapic_int.h"

#define ID_SHIFT 24

static uint32_t page_get(const struct apic_state *s, unsigned reg)
{
    return ld_le32(s->regs + 16 * reg);
}

static void page_get_bits(const struct apic_state *s, unsigned reg, uint32_t map[8])
{
    for (unsigned n = 0; n < 8; n++) {
        map[n] = page_get(s, reg + n);
    }
}

void lapic_save(struct device *dev, struct apic_state *to)
{
    struct lapic *l = (struct lapic *)dev;
    uint32_t val;

    /* One look at the clock: a timer that ran out between two would be in neither register. */
    uint64_t now = lapic_timer_settle(l);
    timer_stop(&l->s.timer);
    memset(to, 0, sizeof *to);
    for (unsigned reg = 0; reg < sizeof to->regs / 16; reg++) {
        if (lapic_read_reg(l, reg, &val)) {
            st_le32(to->regs + 16 * reg, val);
        }
    }
    st_le32(to->regs + 16 * REG_CURRENT, lapic_count_at(l, now));
    st_le32(to->regs + 16 * REG_ID, (uint32_t)l->id << ID_SHIFT);
    to->base = l->s.base;
    to->tsc_deadline = l->s.tsc_deadline;
    l->extint_taken = true; /* until it shows that it does not */
    l->extint_at = clock_now(dev->m);
}

void lapic_load(struct device *dev, const struct apic_state *from)
{
    struct lapic *l = (struct lapic *)dev;

    l->s.base = from->base;
    l->s.tpr = page_get(from, REG_TPR) & 0xff;
    l->s.ldr = lapic_is_x2(l) ? l->s.ldr : page_get(from, REG_LDR) & 0xff000000;
    l->s.dfr = page_get(from, REG_DFR) | 0x0fffffff;
    l->s.svr = page_get(from, REG_SVR) & (0xff | SVR_ENABLE | SVR_NO_BROADCAST);
    l->s.esr = page_get(from, REG_ESR);
    l->s.errors = 0;
    l->s.icr = page_get(from, REG_ICR) | (uint64_t)page_get(from, REG_ICR_HIGH) << 32;
    page_get_bits(from, REG_ISR, l->s.isr);
    page_get_bits(from, REG_TMR, l->s.tmr);
    page_get_bits(from, REG_IRR, l->s.irr);
    for (unsigned n = 0; n < LVTS; n++) {
        l->s.lvt[n] = page_get(from, REG_LVT + n) & ~(uint32_t)LVT_PENDING;
    }
    l->s.initial = page_get(from, REG_INITIAL);
    l->s.divide = page_get(from, REG_DIVIDE) & 11;
    l->s.tsc_deadline = from->tsc_deadline;
    lapic_timer_resume(l, page_get(from, REG_CURRENT));
    lapic_place(l);
    lapic_update(l);
    for (unsigned n = l->vcpu ? atomic_exchange(&l->vcpu->lint1, 0) : 0; n; n--) {
        lapic_local(l, LVT_LINT1);
    }
}
