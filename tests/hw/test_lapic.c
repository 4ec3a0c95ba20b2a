/*
 * Local APIC: priorities, timer, LINT pins, IPIs, destinations, x2APIC; and the I/O APIC in front
 * of it.
 *
 * Not modelled: see hw/lapic.c and hw/ioapic.c.
 */
#include "hw/i8259.h"
#include "hw/ioapic.h"
#include "hw/lapic.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

enum {
    ID = 0x20,
    VERSION = 0x30,
    TPR = 0x80,
    PPR = 0xa0,
    EOI = 0xb0,
    LDR = 0xd0,
    DFR = 0xe0,
    SVR = 0xf0,
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    ESR = 0x280,
    ICR = 0x300,
    ICR2 = 0x310,
    LVTT = 0x320,
    LINT0 = 0x350,
    LINT1 = 0x360,
    LVTERR = 0x370,
    INITIAL = 0x380,
    CURRENT = 0x390,
    DIVIDE = 0x3e0
};
#define MSR_DEADLINE 0x6e0

static struct device *apic[4], *io, *pic;

static struct rig *begin_cpus(unsigned cpus)
{
    struct vm_config c;
    vm_config_init(&c);
    c.cpus = cpus;
    struct rig *r = rig_begin(&c);
    vm_config_clear(&c);
    pic = device_new(r->m, &i8259_ops, "i8259");
    io = device_new(r->m, &ioapic_ops, "ioapic");
    for (unsigned i = 0; i < cpus; i++) {
        char name[16], id[4];
        g_snprintf(name, sizeof name, "lapic%u", i);
        g_snprintf(id, sizeof id, "%u", i);
        apic[i] = device_new(r->m, &lapic_ops, name);
        cr_assert(device_set(apic[i], "id", id, NULL));
    }
    line_connect(i8259_intr(pic), lapic_set_lint0, apic[0], 0);
    rig_ready(r);
    return r;
}

static uint32_t get(struct rig *r, uint32_t reg)
{
    return rig_mmio_read(r, LAPIC_DEFAULT_BASE + reg, 4);
}

static void set(struct rig *r, uint32_t reg, uint32_t val)
{
    rig_mmio_write(r, LAPIC_DEFAULT_BASE + reg, val, 4);
}

static struct rig *begin(void)
{
    struct rig *r = begin_cpus(1);
    set(r, SVR, 0x1ff);
    set(r, LINT0, 0x10000);
    return r;
}

static bool give(struct rig *r, uint8_t vector)
{
    return lapic_deliver(r->m, 0, false, LAPIC_FIXED, vector, false);
}

static bool pending(struct rig *r, unsigned cpu, uint32_t req)
{
    return vcpu_pending(r->m->vcpus[cpu]) & req;
}

Test(lapic, registers_after_reset)
{
    static const struct {
        uint32_t reg, want;
    } cases[] = {{ID, 0},           {VERSION, 0x1050014}, {TPR, 0},       {DFR, 0xffffffff},
                 {SVR, 0xff},       {LVTT, 0x10000},      {LINT0, 0x700}, {LINT1, 0x10000},
                 {LVTERR, 0x10000}, {INITIAL, 0},         {CURRENT, 0},   {ESR, 0}};
    struct rig *r = begin_cpus(1);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(get(r, cases[i].reg), cases[i].want, "%#x: %#x", cases[i].reg,
                     get(r, cases[i].reg));
    }
    cr_expect_eq(lapic_apic_ops.get_base(apic[0]), 0xfee00900);
    rig_free(r);
}

Test(lapic, delivers_by_priority_class_and_eoi_uncovers_the_next)
{
    struct rig *r = begin();
    cr_expect(give(r, 0x41));
    cr_expect(give(r, 0x55));
    cr_expect(give(r, 0x42));
    cr_expect(rig_irq_pin(r));
    cr_expect_eq(rig_ack(r), 0x55);
    cr_expect_not(rig_irq_pin(r));
    cr_expect_eq(get(r, PPR), 0x50);
    cr_expect_eq(get(r, ISR + 0x20), BIT(0x15));
    cr_expect_eq(get(r, IRR + 0x20), 6);
    give(r, 0x59);
    cr_expect_not(rig_irq_pin(r), "the same class waits");
    give(r, 0x61);
    cr_expect_eq(rig_ack(r), 0x61);
    set(r, EOI, 0);
    set(r, EOI, 0);
    cr_expect_eq(rig_ack(r), 0x59);
    set(r, EOI, 0);
    cr_expect_eq(rig_ack(r), 0x42);
    set(r, EOI, 0);
    cr_expect_eq(rig_ack(r), 0x41);
    set(r, EOI, 0);
    cr_expect_eq(rig_ack(r), -1);
    rig_free(r);
}

Test(lapic, tpr_and_cr8_hold_lower_classes_back)
{
    struct rig *r = begin();
    set(r, TPR, 0x5f);
    give(r, 0x55);
    cr_expect_not(rig_irq_pin(r));
    cr_expect_eq(lapic_apic_ops.get_tpr(apic[0]), 5);
    lapic_apic_ops.set_tpr(apic[0], 4);
    cr_expect(rig_irq_pin(r));
    cr_expect_eq(get(r, TPR), 0x40);
    lapic_apic_ops.set_tpr(apic[0], 15);
    cr_expect_not(rig_irq_pin(r));
    cr_expect_eq(rig_ack(r), -1);
    rig_free(r);
}

Test(lapic, ext_int_passes_after_reset_and_follows_the_lvt)
{
    struct rig *r = begin_cpus(1);
    rig_out8(r, 0x20, 0x11);
    rig_out8(r, 0x21, 0x08);
    rig_out8(r, 0x21, 4);
    rig_out8(r, 0x21, 1);
    rig_out8(r, 0x21, 0);
    i8259_set_irq(pic, 0, true);
    cr_expect(rig_irq_pin(r));
    cr_expect_eq(rig_ack(r), 0x08);
    rig_out8(r, 0x20, 0x20);
    set(r, SVR, 0x1ff);
    set(r, LINT0, 0x10700);
    i8259_set_irq(pic, 1, true);
    cr_expect_not(rig_irq_pin(r), "masked");
    set(r, LINT0, 0x8700);
    cr_expect(rig_irq_pin(r));
    cr_expect_eq(rig_ack(r), 0x09);
    cr_expect_not(rig_irq_pin(r));
    rig_out8(r, 0x20, 0x20);
    set(r, SVR, 0xff);
    cr_expect_eq(get(r, LINT0), 0x18700, "software-disable masks");
    set(r, LINT0, 0x700);
    cr_expect_eq(get(r, LINT0), 0x10700, "and keeps masked");
    i8259_set_irq(pic, 3, true);
    cr_expect_not(rig_irq_pin(r));
    cr_expect(lapic_apic_ops.set_base(apic[0], 0xfee00100));
    cr_expect(rig_irq_pin(r), "without the APIC the pin is INTR");
    cr_expect_eq(rig_ack(r), 0x0b);
    cr_expect_not(give(r, 0x50));
    rig_free(r);
}

Test(lapic, lint_pins_as_fixed_and_nmi)
{
    struct rig *r = begin();
    set(r, LINT1, 0x400);
    lapic_set_lint1(apic[0], 0, true);
    cr_expect(pending(r, 0, VCPU_REQ_NMI));
    set(r, LINT0, 0x8045); /* level */
    lapic_set_lint0(apic[0], 0, true);
    cr_expect_eq(get(r, LINT0), 0xc045, "remote IRR");
    cr_expect_eq(rig_ack(r), 0x45);
    set(r, EOI, 0);
    cr_expect_eq(rig_ack(r), 0x45, "still high");
    lapic_set_lint0(apic[0], 0, false);
    set(r, EOI, 0);
    cr_expect_eq(rig_ack(r), -1);
    cr_expect_eq(get(r, LINT0), 0x8045);
    rig_free(r);
}

Test(lapic, one_shot_timer_counts_down_once)
{
    struct rig *r = begin();
    set(r, DIVIDE, 3); /* by 16: 16 ns a tick */
    set(r, LVTT, 0x40);
    set(r, INITIAL, 1000);
    rig_step(r, 100 * 16 + 5);
    cr_expect_eq(get(r, CURRENT), 900);
    rig_step(r, 899 * 16);
    cr_expect_not(rig_irq_pin(r));
    rig_step(r, 16);
    cr_expect_eq(rig_ack(r), 0x40);
    cr_expect_eq(get(r, CURRENT), 0);
    set(r, EOI, 0);
    rig_step(r, NS_PER_SEC);
    cr_expect_eq(rig_ack(r), -1);
    set(r, LVTT, 0x10040);
    set(r, INITIAL, 1000);
    rig_step(r, NS_PER_SEC);
    set(r, LVTT, 0x40);
    rig_step(r, NS_PER_SEC);
    cr_expect_eq(rig_ack(r), -1, "expired while masked");
    rig_free(r);
}

/* On a clock that goes on by itself: a count may run out while the write that starts it is at work.
 */
Test(lapic, a_count_shorter_than_the_write_that_starts_it_still_interrupts)
{
    struct rig *r = begin();

    r->m->clock_stepped = false;
    clock_start(r->m);
    set(r, DIVIDE, 11); /* 1 ns a tick */
    set(r, LVTT, 0x40);
    for (unsigned i = 0; i < 100; i++) {
        set(r, INITIAL, 1);
        g_usleep(1);
        clock_run_due(r->m);
        cr_assert_eq(rig_ack(r), 0x40, "count %u", i);
        set(r, EOI, 0);
    }
    set(r, INITIAL, 1);
    g_usleep(1);
    set(r, INITIAL, 1u << 31); /* the one before is due and comes first */
    cr_expect_eq(rig_ack(r), 0x40);
    clock_set_stepped(r->m);
    rig_free(r);
}

/* Of a timer that has run out, and that nobody has looked at since. */
Test(lapic, the_state_that_goes_away_has_the_interrupt_or_the_time_that_is_left)
{
    struct rig *r = begin();
    struct apic_state s;

    r->m->clock_stepped = false;
    clock_start(r->m);
    set(r, DIVIDE, 11);
    for (unsigned deadline = 0; deadline < 2; deadline++) {
        set(r, LVTT, deadline ? 0x40040 : 0x40);
        if (deadline) {
            lapic_apic_ops.msr_write(apic[0], MSR_DEADLINE, (uint64_t)clock_now(r->m) + 20000);
        } else {
            set(r, INITIAL, 20000);
        }
        g_usleep(100);
        lapic_apic_ops.save(apic[0], &s);
        cr_expect(ld_le32(s.regs + IRR + 0x20) & 1 || s.tsc_deadline || ld_le32(s.regs + CURRENT),
                  "deadline mode: %u", deadline);
        lapic_apic_ops.load(apic[0], &s);
        clock_run_due(r->m);
        cr_expect_eq(rig_ack(r), 0x40);
        set(r, EOI, 0);
    }
    clock_set_stepped(r->m);
    rig_free(r);
}

Test(lapic, divider_codes)
{
    static const struct {
        uint32_t code, by;
    } cases[] = {{0, 2}, {1, 4}, {2, 8}, {3, 16}, {8, 32}, {9, 64}, {10, 128}, {11, 1}};
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = begin();
        set(r, DIVIDE, cases[i].code);
        set(r, INITIAL, 100000);
        rig_step(r, 128 * 1000);
        cr_expect_eq(100000 - get(r, CURRENT), MIN(128000 / cases[i].by, 100000), "code %u",
                     cases[i].code);
        rig_free(r);
    }
}

Test(lapic, periodic_timer_does_not_drift_and_is_bounded)
{
    struct rig *r = begin();
    unsigned n = 0;
    set(r, DIVIDE, 11);
    set(r, LVTT, 0x20040);
    set(r, INITIAL, 1000000); /* 1 ms */
    for (unsigned i = 0; i < 1000; i++) {
        rig_step(r, NS_PER_MS);
        if (rig_ack(r) == 0x40) {
            n++;
            set(r, EOI, 0);
        }
    }
    cr_expect_eq(n, 1000);
    rig_step(r, NS_PER_MS / 4);
    cr_expect_eq(get(r, CURRENT), 750000);
    set(r, INITIAL, 1); /* 1 ns */
    rig_step(r, NS_PER_SEC / 100);
    cr_expect_eq(rig_ack(r), 0x40);
    set(r, INITIAL, 0);
    set(r, EOI, 0);
    rig_step(r, NS_PER_SEC);
    cr_expect_eq(rig_ack(r), -1, "a count of 0 stops it");
    rig_free(r);
}

/* Acknowledge and end the timer's interrupts for `ns`, every 50 us; how many there were. */
static unsigned take_ticks(struct rig *r, int64_t ns)
{
    unsigned n = 0;
    for (; ns > 0; ns -= 50 * NS_PER_US) {
        rig_step(r, 50 * NS_PER_US);
        if (rig_irq_pin(r)) {
            cr_assert_eq(rig_ack(r), 0x40);
            set(r, EOI, 0);
            n++;
        }
    }
    return n;
}

Test(lapic, periods_wait_for_a_guest_that_is_late_within_bounds)
{
    struct rig *r = begin();
    set(r, DIVIDE, 11);
    set(r, LVTT, 0x20040);
    set(r, INITIAL, 1000000); /* 1 ms */
    rig_step(r, 20 * NS_PER_MS);
    unsigned n = take_ticks(r, 40 * NS_PER_MS);
    cr_expect(n >= 59 && n <= 60, "%u ticks in 60 ms", n);
    rig_step(r, 20 * NS_PER_SEC);
    n = take_ticks(r, 5 * NS_PER_SEC);
    cr_expect(n >= 9900 && n <= 10100, "twenty seconds are not made up for, five are: %u", n);
    rig_free(r);
}

Test(lapic, periods_that_passed_while_masked_are_not_made_up_for)
{
    struct rig *r = begin();
    unsigned n = 0;
    set(r, DIVIDE, 11);
    set(r, LVTT, 0x30040);
    set(r, INITIAL, 1000000); /* 1 ms */
    rig_step(r, NS_PER_SEC + NS_PER_MS / 2);
    set(r, LVTT, 0x20040);
    for (unsigned i = 0; i < 1000; i++) {
        rig_step(r, 10 * NS_PER_US);
        if (rig_ack(r) == 0x40) {
            n++;
            set(r, EOI, 0);
        }
    }
    cr_expect_eq(n, 10, "%u", n);
    rig_free(r);
}

Test(lapic, change_of_divider_keeps_what_is_left)
{
    struct rig *r = begin();
    set(r, DIVIDE, 11);
    set(r, LVTT, 0x40);
    set(r, INITIAL, 1000);
    rig_step(r, 400);
    cr_expect_eq(get(r, CURRENT), 600);
    set(r, DIVIDE, 0);
    cr_expect_eq(get(r, CURRENT), 600);
    rig_step(r, 600 * 2 - 1);
    cr_expect_not(rig_irq_pin(r));
    rig_step(r, 2);
    cr_expect(rig_irq_pin(r));
    rig_free(r);
}

Test(lapic, tsc_deadline)
{
    struct rig *r = begin();
    uint64_t v;
    cr_expect(lapic_apic_ops.msr_write(apic[0], MSR_DEADLINE, 5000));
    rig_step(r, 10000);
    cr_expect_not(rig_irq_pin(r), "not in this mode");
    set(r, LVTT, 0x40040);
    uint64_t at = clock_now(r->m) + 5000;
    cr_expect(lapic_apic_ops.msr_write(apic[0], MSR_DEADLINE, at));
    cr_expect(lapic_apic_ops.msr_read(apic[0], MSR_DEADLINE, &v));
    cr_expect_eq(v, at);
    rig_step(r, 4999);
    cr_expect_not(rig_irq_pin(r));
    rig_step(r, 1);
    cr_expect_eq(rig_ack(r), 0x40);
    set(r, EOI, 0);
    lapic_apic_ops.msr_read(apic[0], MSR_DEADLINE, &v);
    cr_expect_eq(v, 0);
    lapic_apic_ops.msr_write(apic[0], MSR_DEADLINE, 1);
    cr_expect_eq(rig_ack(r), 0x40, "a deadline in the past fires at once");
    set(r, EOI, 0);
    lapic_apic_ops.msr_write(apic[0], MSR_DEADLINE, at + 100000);
    lapic_apic_ops.msr_write(apic[0], MSR_DEADLINE, 0);
    lapic_apic_ops.msr_write(apic[0], MSR_DEADLINE, UINT64_MAX);
    rig_step(r, NS_PER_SEC);
    cr_expect_eq(rig_ack(r), -1, "disarmed, far away");
    rig_free(r);
}

Test(lapic, errors_show_after_a_write_to_esr)
{
    struct rig *r = begin();
    set(r, LVTERR, 0x60);
    cr_expect_not(give(r, 15));
    cr_expect_eq(rig_ack(r), 0x60);
    set(r, EOI, 0);
    cr_expect_eq(get(r, ESR), 0);
    set(r, ESR, 0);
    cr_expect_eq(get(r, ESR), 0x40);
    set(r, ESR, 0);
    cr_expect_eq(get(r, ESR), 0);
    set(r, ICR, 0x4003); /* illegal vector sent */
    get(r, 0x3f0);       /* illegal register */
    set(r, ESR, 0);
    cr_expect_eq(get(r, ESR), 0xa0);
    set(r, LVTERR, 0x05);
    give(r, 3);
    set(r, ESR, 0);
    cr_expect_eq(get(r, ESR), 0x40, "an illegal vector in the error entry does not run away");
    rig_free(r);
}

Test(lapic, self_ipi_and_nmi_init_sipi_by_icr)
{
    struct rig *r = begin_cpus(2);
    set(r, SVR, 0x1ff);
    lapic_mmio_write(apic[1], SVR, 0x1ff);
    set(r, ICR, 0x40051);
    cr_expect_eq(rig_ack(r), 0x51);
    set(r, EOI, 0);
    set(r, ICR2, 1u << 24);
    set(r, ICR, 0x4500);
    cr_expect(pending(r, 1, VCPU_REQ_INIT));
    cr_expect_not(pending(r, 0, VCPU_REQ_INIT));
    vcpu_clear(r->m->vcpus[1], VCPU_REQ_INIT);
    set(r, ICR, 0x8500);
    cr_expect_not(pending(r, 1, VCPU_REQ_INIT), "INIT level de-assert");
    set(r, ICR, 0x4699);
    cr_expect(pending(r, 1, VCPU_REQ_SIPI));
    cr_expect_eq(r->m->vcpus[1]->sipi_vector, 0x99);
    set(r, ICR, 0xc4400); /* NMI to all but self */
    cr_expect(pending(r, 1, VCPU_REQ_NMI));
    cr_expect_not(pending(r, 0, VCPU_REQ_NMI));
    set(r, ICR, 0x84052); /* all with self */
    cr_expect(pending(r, 0, VCPU_REQ_INTR));
    cr_expect(pending(r, 1, VCPU_REQ_INTR));
    cr_expect_not(get(r, ICR) & 0x1000, "delivered");
    rig_free(r);
}

Test(lapic, destinations_physical_flat_and_cluster)
{
    static const struct {
        uint32_t dfr, ldr[4];
        uint8_t dest;
        bool logical;
        unsigned takers; /* a bit per CPU */
    } cases[] = {
        {0xffffffff, {1, 2, 4, 8}, 2, false, 4},
        {0xffffffff, {1, 2, 4, 8}, 0xff, false, 15},
        {0xffffffff, {1, 2, 4, 8}, 0x0a, true, 10},
        {0xffffffff, {1, 2, 4, 8}, 9, false, 0},
        {0x0fffffff, {0x11, 0x12, 0x21, 0x22}, 0x13, true, 3},
        {0x0fffffff, {0x11, 0x12, 0x21, 0x22}, 0x22, true, 8},
        {0x0fffffff, {0x11, 0x12, 0x21, 0x22}, 0x31, true, 0},
        {0x0fffffff, {0x11, 0x12, 0x21, 0x22}, 0xff, true, 15},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = begin_cpus(4);
        unsigned takers = 0;
        for (unsigned n = 0; n < 4; n++) {
            lapic_mmio_write(apic[n], SVR, 0x1ff);
            lapic_mmio_write(apic[n], DFR, cases[i].dfr);
            lapic_mmio_write(apic[n], LDR, cases[i].ldr[n] << 24);
        }
        lapic_deliver(r->m, cases[i].dest, cases[i].logical, LAPIC_FIXED, 0x40, false);
        for (unsigned n = 0; n < 4; n++) {
            takers |= pending(r, n, VCPU_REQ_INTR) << n;
        }
        cr_expect_eq(takers, cases[i].takers, "case %u: %#x", i, takers);
        rig_free(r);
    }
}

Test(lapic, lowest_priority_goes_to_one_that_is_idle)
{
    struct rig *r = begin_cpus(2);
    for (unsigned n = 0; n < 2; n++) {
        lapic_mmio_write(apic[n], SVR, 0x1ff);
        lapic_mmio_write(apic[n], LDR, BIT(24 + n));
    }
    lapic_mmio_write(apic[0], TPR, 0x20);
    cr_expect(lapic_deliver(r->m, 3, true, LAPIC_LOWEST, 0x50, false));
    cr_expect_not(pending(r, 0, VCPU_REQ_INTR));
    cr_expect(pending(r, 1, VCPU_REQ_INTR));
    cr_expect(lapic_deliver_msi(r->m, 0xfee00000, 0x61));
    cr_expect(pending(r, 0, VCPU_REQ_INTR), "an MSI");
    rig_free(r);
}

Test(lapic, base_msr_rules)
{
    static const struct {
        uint64_t from, to;
        bool good;
    } cases[] = {
        {0xfee00900, 0xfee00d00, true},  {0xfee00900, 0xfee00500, false},
        {0xfee00900, 0xfee00901, false}, {0xfee00d00, 0xfee00900, false},
        {0xfee00d00, 0xfee00100, true},  {0xfee00100, 0xfee00d00, false},
        {0xfee00100, 0xfee00900, true},  {0xfee00900, 1ull << 52 | 0xfee00900, false},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = begin();
        if (cases[i].from != 0xfee00900) {
            cr_assert(lapic_apic_ops.set_base(apic[0], cases[i].from));
        }
        cr_expect_eq(lapic_apic_ops.set_base(apic[0], cases[i].to), cases[i].good, "case %u", i);
        rig_free(r);
    }
}

Test(lapic, register_page_moves_with_the_base)
{
    struct rig *r = begin();
    cr_expect(lapic_apic_ops.set_base(apic[0], 0xfed00900));
    cr_expect_eq(rig_mmio_read(r, 0xfed00000 + VERSION, 4), 0x1050014);
    cr_expect_eq(get(r, VERSION), 0xffffffff);
    rig_reset(r);
    cr_expect_eq(get(r, VERSION), 0x1050014);
    rig_free(r);
}

Test(lapic, x2apic_registers_are_msrs)
{
    const struct apic_ops *a = &lapic_apic_ops;
    struct rig *r = begin_cpus(2);
    uint64_t v;
    cr_expect_not(a->msr_read(apic[1], 0x803, &v), "not in xAPIC mode");
    cr_expect(a->set_base(apic[0], 0xfee00d00));
    cr_expect(a->set_base(apic[1], 0xfee00c00));
    cr_expect_eq(get(r, VERSION), 0xffffffff, "the page is gone");
    cr_expect(a->msr_read(apic[1], 0x802, &v));
    cr_expect_eq(v, 1);
    cr_expect(a->msr_read(apic[1], 0x80d, &v));
    cr_expect_eq(v, 2, "logical id");
    cr_expect(a->msr_write(apic[0], 0x80f, 0x1ff));
    cr_expect(a->msr_write(apic[1], 0x80f, 0x1ff));
    cr_expect(a->msr_write(apic[0], 0x830, 1ull << 32 | 0x44));
    cr_expect(pending(r, 1, VCPU_REQ_INTR));
    cr_expect_eq(a->ack(apic[1]), 0x44);
    cr_expect_not(a->msr_write(apic[1], 0x80b, 1), "EOI takes 0 only");
    cr_expect(a->msr_write(apic[1], 0x80b, 0));
    cr_expect(a->msr_write(apic[0], 0x830, 2ull << 32 | 0x845), "logical");
    cr_expect_eq(a->ack(apic[1]), 0x45);
    cr_expect(a->msr_write(apic[0], 0x83f, 0x77));
    cr_expect_eq(a->ack(apic[0]), 0x77);
    static const uint32_t bad_read[] = {0x80b, 0x80e, 0x82f, 0x831, 0x83f, 0x840, 0x7ff};
    for (unsigned i = 0; i < ARRAY_LEN(bad_read); i++) {
        cr_expect_not(a->msr_read(apic[0], bad_read[i], &v), "read %#x", bad_read[i]);
    }
    static const struct {
        uint32_t msr;
        uint64_t val;
    } bad_write[] = {{0x802, 1},     {0x803, 0},          {0x80d, 1}, {0x80e, 0},
                     {0x808, 0x100}, {0x80f, 1ull << 32}, {0x810, 0}, {0x828, 1},
                     {0x831, 0},     {0x832, 1 << 20},    {0x839, 0}, {0x83e, 4}};
    for (unsigned i = 0; i < ARRAY_LEN(bad_write); i++) {
        cr_expect_not(a->msr_write(apic[0], bad_write[i].msr, bad_write[i].val), "write %#x",
                      bad_write[i].msr);
    }
    rig_free(r);
}

Test(lapic, the_register_page_stays_for_those_who_use_it)
{
    struct rig *r = begin_cpus(2);
    /* The boot processor goes first; the other still reads its registers in memory. */
    cr_expect(lapic_apic_ops.set_base(apic[0], 0xfee00d00));
    cr_expect_eq(lapic_mmio_read(apic[1], ID), 1u << 24);
    const struct flat_range *page = aspace_find(r->m, LAPIC_DEFAULT_BASE, ACCESS_READ);
    cr_assert(page);
    cr_expect_str_eq(page->region->name, "lapic");
    cr_expect_eq(get(r, VERSION), 0xffffffff, "not for the boot processor");
    cr_expect(lapic_apic_ops.set_base(apic[1], 0xfee00c00));
    page = aspace_find(r->m, LAPIC_DEFAULT_BASE, ACCESS_READ);
    cr_expect(!page || strcmp(page->region->name, "lapic"));
    rig_reset(r);
    cr_expect_eq(get(r, VERSION), 0x1050014);
    rig_free(r);
}

Test(lapic, only_all_ones_is_everybody)
{
    const struct apic_ops *a = &lapic_apic_ops;
    struct rig *r = begin_cpus(3);

    for (unsigned n = 0; n < 3; n++) {
        cr_assert(a->set_base(apic[n], n ? 0xfee00c00 : 0xfee00d00));
        cr_assert(a->msr_write(apic[n], 0x80f, 0x1ff));
    }
    cr_expect(a->msr_write(apic[0], 0x830, 0xffull << 32 | 0x44));
    cr_expect_not(pending(r, 1, VCPU_REQ_INTR), "the processor with id 255");
    cr_expect(a->msr_write(apic[0], 0x830, 0xffffffffull << 32 | 0x45));
    for (unsigned n = 0; n < 3; n++) {
        cr_expect_eq(a->ack(apic[n]), 0x45, "%u", n);
    }
    /* An I/O APIC's destination has eight bits. */
    cr_expect(lapic_deliver(r->m, 0xff, false, LAPIC_FIXED, 0x66, false));
    cr_expect(pending(r, 1, VCPU_REQ_INTR));
    rig_free(r);
}

Test(lapic, dma_to_the_message_range_is_an_msi)
{
    struct rig *r = begin_cpus(2);
    uint8_t data[8];

    lapic_mmio_write(apic[0], SVR, 0x1ff);
    lapic_mmio_write(apic[1], SVR, 0x1ff);
    st_le32(data, 0x41);
    st_le32(data + 4, 0x42);
    cr_expect(dma_write(r->m, 0xfee01000, data, 4), "to APIC 1");
    cr_expect_eq(lapic_apic_ops.ack(apic[1]), 0x41);
    cr_expect(dma_write(r->m, 0xfee00000, data + 4, 4), "to APIC 0, not into its registers");
    cr_expect_eq(lapic_apic_ops.ack(apic[0]), 0x42);
    cr_expect_eq(get(r, ID), 0);
    cr_expect_not(dma_write(r->m, 0xfee01000, data, 2), "two bytes are no message");
    cr_expect_not(dma_write(r->m, 0xfee01002, data, 4), "nor are four that are not aligned");
    rig_mmio_write(r, 0xfee01000, 0x43, 4);
    cr_expect_not(pending(r, 1, VCPU_REQ_INTR), "a processor's store is none");
    rig_free(r);
}

Test(lapic, init_keeps_base_and_id)
{
    struct rig *r = begin_cpus(2);
    lapic_mmio_write(apic[1], SVR, 0x1ff);
    lapic_mmio_write(apic[1], TPR, 0x10);
    lapic_deliver(r->m, 1, false, LAPIC_FIXED, 0x50, false);
    lapic_apic_ops.init(apic[1]);
    cr_expect_not(pending(r, 1, VCPU_REQ_INTR));
    cr_expect_eq(lapic_mmio_read(apic[1], ID), 1u << 24);
    cr_expect_eq(lapic_mmio_read(apic[1], SVR), 0xff);
    cr_expect_eq(lapic_mmio_read(apic[1], TPR), 0);
    cr_expect_eq(lapic_mmio_read(apic[1], LINT0), 0x10000);
    cr_expect_eq(lapic_apic_ops.get_base(apic[1]), 0xfee00800);
    rig_free(r);
}

/* ---- I/O APIC ---- */

static uint32_t io_get(struct rig *r, unsigned reg)
{
    rig_mmio_write(r, IOAPIC_BASE, reg, 4);
    return rig_mmio_read(r, IOAPIC_BASE + 0x10, 4);
}

static void io_set(struct rig *r, unsigned reg, uint32_t val)
{
    rig_mmio_write(r, IOAPIC_BASE, reg, 4);
    rig_mmio_write(r, IOAPIC_BASE + 0x10, val, 4);
}

Test(ioapic, identifies_and_starts_masked)
{
    struct rig *r = begin();
    cr_expect_eq(io_get(r, 1), 0x170020);
    io_set(r, 0, 0x0b000000);
    cr_expect_eq(io_get(r, 0), 0x0b000000);
    for (unsigned pin = 0; pin < 24; pin++) {
        cr_expect_eq(io_get(r, 0x10 + 2 * pin), 0x10000);
    }
    io_set(r, 0x10 + 48, 0xffffffff);
    cr_expect_eq(io_get(r, 0x10 + 48), 0);
    io_set(r, 0x10, 0xffffffff);
    cr_expect_eq(io_get(r, 0x10), 0x1afff, "delivery status and remote IRR are read-only");
    rig_free(r);
}

Test(ioapic, edges_are_sent_once_and_forgotten_while_masked)
{
    struct rig *r = begin();
    io_set(r, 0x10 + 8, 0x10045);
    ioapic_set_irq(io, 4, true);
    io_set(r, 0x10 + 8, 0x45);
    cr_expect_not(rig_irq_pin(r), "came while masked");
    ioapic_set_irq(io, 4, false);
    ioapic_set_irq(io, 4, true);
    cr_expect_eq(rig_ack(r), 0x45);
    set(r, EOI, 0);
    ioapic_set_irq(io, 4, true);
    cr_expect_not(rig_irq_pin(r));
    ioapic_set_irq(io, 24, true);
    ioapic_set_irq(io, -1, true);
    rig_free(r);
}

Test(ioapic, level_pins_wait_for_eoi_and_ask_again_while_high)
{
    struct rig *r = begin();
    io_set(r, 0x10 + 32, 0x8050);
    ioapic_set_irq(io, 16, true);
    cr_expect_eq(io_get(r, 0x10 + 32), 0xc050, "remote IRR");
    cr_expect_eq(get(r, TMR + 0x20), BIT(16), "level in TMR");
    cr_expect_eq(rig_ack(r), 0x50);
    ioapic_set_irq(io, 16, false);
    ioapic_set_irq(io, 16, true);
    cr_expect_not(rig_irq_pin(r), "not before the EOI");
    set(r, EOI, 0);
    cr_expect_eq(rig_ack(r), 0x50);
    ioapic_set_irq(io, 16, false);
    set(r, EOI, 0);
    cr_expect_eq(io_get(r, 0x10 + 32), 0x8050);
    cr_expect_eq(rig_ack(r), -1);
    ioapic_set_irq(io, 16, true);
    rig_ack(r);
    rig_mmio_write(r, IOAPIC_BASE + 0x40, 0x50, 4);
    cr_expect(rig_mmio_read(r, LAPIC_DEFAULT_BASE + IRR + 0x20, 4) & BIT(16),
              "the EOI register does the same");
    io_set(r, 0x10 + 32, 0x10050);
    cr_expect_eq(io_get(r, 0x10 + 32), 0x10050, "a turn to edge drops remote IRR");
    rig_free(r);
}

Test(ioapic, an_eoi_that_is_not_broadcast_waits_for_the_eoi_register)
{
    struct rig *r = begin();

    set(r, SVR, 0x11ff);
    cr_expect_eq(get(r, SVR), 0x11ff);
    io_set(r, 0x10 + 2 * 9 + 1, 0);
    io_set(r, 0x10 + 2 * 9, 0x8051);
    ioapic_set_irq(io, 9, true);
    cr_expect_eq(lapic_apic_ops.ack(apic[0]), 0x51);
    set(r, EOI, 0);
    cr_expect_eq(io_get(r, 0x10 + 2 * 9) & 0x4000, 0x4000, "remote IRR stays");
    cr_expect_not(pending(r, 0, VCPU_REQ_INTR));
    rig_mmio_write(r, IOAPIC_BASE + 0x40, 0x51, 4);
    cr_expect(pending(r, 0, VCPU_REQ_INTR), "still high: asks again");
    rig_free(r);
}

Test(ioapic, unmasking_a_high_level_pin_asks_and_a_deaf_apic_loses_nothing)
{
    struct rig *r = begin();
    ioapic_set_irq(io, 17, true);
    io_set(r, 0x10 + 34, 0x8051);
    cr_expect_eq(rig_ack(r), 0x51);
    set(r, EOI, 0);
    io_set(r, 0x11 + 34, 0x09000000); /* nobody has this id */
    set(r, EOI, 0);
    io_set(r, 0x10 + 34, 0x8051);
    rig_free(r);
}

Test(ioapic, nmi_and_logical_destinations)
{
    struct rig *r = begin_cpus(2);
    lapic_mmio_write(apic[1], SVR, 0x1ff);
    lapic_mmio_write(apic[1], LDR, 0x02000000);
    io_set(r, 0x11 + 2, 0x02000000);
    io_set(r, 0x10 + 2, 0x0866);
    ioapic_set_irq(io, 1, true);
    cr_expect_eq(lapic_apic_ops.ack(apic[1]), 0x66);
    io_set(r, 0x11 + 4, 0x01000000);
    io_set(r, 0x10 + 4, 0x0400);
    ioapic_set_irq(io, 2, true);
    cr_expect(pending(r, 1, VCPU_REQ_NMI));
    rig_free(r);
}
