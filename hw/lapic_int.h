/*
 * Shared by the files of the local APIC: lapic.c (vectors, messages, the device), lapic_regs.c
 * (registers in memory and as MSRs) and lapic_timer.c.
 *
 * Not modelled: see hw/lapic.c.
 */
#ifndef HW_LAPIC_INT_H
#define HW_LAPIC_INT_H

#include "hw/lapic.h"

enum {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_RRD = 0x0c,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32, /* timer, thermal, performance, LINT0, LINT1, error */
    REG_INITIAL = 0x38,
    REG_CURRENT = 0x39,
    REG_DIVIDE = 0x3e,
    REG_SELF_IPI = 0x3f,
};
enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };
enum {
    LVT_PENDING = BIT(12),
    LVT_REMOTE_IRR = BIT(14),
    LVT_LEVEL = BIT(15),
    LVT_MASKED = BIT(16),
    LVT_PERIODIC = BIT(17),
    LVT_DEADLINE = BIT(18),
};
enum { SVR_ENABLE = BIT(8), SVR_NO_BROADCAST = BIT(12) /* of EOIs */ };
enum { VERSION_NO_BROADCAST = BIT(24) /* the bit above exists */ };
/* Where devices write to send interrupts. */
#define MSI_BASE  0xfee00000u
#define MSI_BYTES 0x100000u
enum { ESR_SEND_ILLEGAL = BIT(5), ESR_RECEIVE_ILLEGAL = BIT(6), ESR_REGISTER = BIT(7) };
enum { ICR_LOGICAL = BIT(11), ICR_ASSERT = BIT(14), ICR_LEVEL = BIT(15), ICR_WRITABLE = 0xccfff };
enum { BASE_BSP = BIT(8), BASE_X2APIC = BIT(10), BASE_ENABLE = BIT(11) };
#define BASE_ADDRESS 0xffffffffff000ull /* bits 51..12 */

struct lapic {
    struct device dev;
    struct lapic_state {
        struct timer timer;
        uint64_t base; /* IA32_APIC_BASE */
        uint64_t icr;
        uint64_t tsc_deadline; /* 0: none */
        uint64_t count_start;  /* ns at which the initial count was loaded, less what ran at another
                                  divider */
        uint64_t fired;        /* periods whose interrupt has been given */
        uint32_t irr[8], isr[8], tmr[8];
        uint32_t lvt[LVTS];
        uint32_t ldr, dfr, svr, tpr;
        uint32_t esr, errors; /* as read; gathered since the last write */
        uint32_t initial, divide;
        bool lint[2];
        bool extint; /* an ExtINT message waits for its INTA cycle */
        bool counting;
        uint8_t hole[4];
    } s;
    struct region region, messages; /* APIC 0 only */
    struct vcpu *vcpu;
    uint64_t id; /* property */
    /* While the state is away: whether, and when, the 8259 got through last. */
    bool extint_taken;
    int64_t extint_at;
};

static inline bool lapic_is_x2(const struct lapic *l)
{
    return l->s.base & BASE_X2APIC;
}

static inline bool lapic_is_on(const struct lapic *l)
{
    return l->s.base & BASE_ENABLE;
}

/* lapic.c */
uint8_t lapic_ppr(const struct lapic *l);
/* The logical destination register: as written, or in x2APIC mode derived from the id. */
uint32_t lapic_ldr(const struct lapic *l);
/* Recompute the processor's interrupt pin. */
void lapic_update(struct lapic *l);
/* Take a fixed interrupt into IRR; false when the APIC is disabled or the vector illegal. */
bool lapic_accept(struct lapic *l, uint8_t vector, bool level);
/* An entry of the local vector table asks for an interrupt. */
void lapic_local(struct lapic *l, unsigned n);
/* Gather an error bit for ESR. */
void lapic_error(struct lapic *l, uint32_t bit);
void lapic_set_lint(struct lapic *l, unsigned n, bool level);
void lapic_eoi(struct lapic *l);
/* Put the register page where it belongs. */
void lapic_place(struct lapic *l);
/* Send what ICR says. */
void lapic_send(struct lapic *l);

/* lapic_regs.c */
extern const struct mmio_ops lapic_mmio, lapic_messages;
bool lapic_msr_read(struct device *dev, uint32_t msr, uint64_t *val);
bool lapic_msr_write(struct device *dev, uint32_t msr, uint64_t val);

/* What software reads; false: no such register. */
bool lapic_read_reg(struct lapic *l, unsigned reg, uint32_t *val);

/* lapic_away.c: apic_ops.save and load. */
void lapic_save(struct device *dev, struct apic_state *to);
void lapic_load(struct device *dev, const struct apic_state *from);

/* lapic_info.c: device_ops.info. */
void lapic_info(struct device *dev, GString *out);

/* lapic_timer.c */
void lapic_timer_fire(struct device *dev, unsigned n);
/* An interrupt that is due but still on its way comes now: before the timer's set-up is changed or
 * looked at.  Gives the time that was looked at. */
uint64_t lapic_timer_settle(struct lapic *l);
/* What the counter shows at `now`. */
uint32_t lapic_count_at(const struct lapic *l, uint64_t now);
uint32_t lapic_read_current(struct lapic *l);
void lapic_write_initial(struct lapic *l, uint32_t val);
void lapic_write_divide(struct lapic *l, uint32_t val);
void lapic_write_lvt_timer(struct lapic *l, uint32_t val);
void lapic_write_tsc_deadline(struct lapic *l, uint64_t val);
/* Go on from registers that are in place, with `current` left of the count. */
void lapic_timer_resume(struct lapic *l, uint32_t current);

#endif
