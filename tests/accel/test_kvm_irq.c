/*
 * Interrupts under KVM, with the kernel's local APICs and with ours: timers, messages between
 * processors, what the state looks like on the way to the devices and back; and writes that wait in
 * the kernel's ring.  As far as this host's /dev/kvm goes; tests/nested boots systems.
 */
#include "accel/accel.h"
#include "accel/interp.h"
#include "accel/kvm_int.h"
#include "hw/lapic_int.h"
#include "tests/accel/smp_rig.h"
#include <criterion/criterion.h>

static const struct accel_ops *const engines[] = {&accel_kvm, &accel_kvm_user_apic};

/* APIC on, a timer that runs out once and is masked, a vector sent to itself with the flag of
 * interrupts clear: then look at what is there. */
SMP_PROGRAM(set_up, "movl $0x1ff, 0xf0(%rbp)\n"
                    "movl $0x20, 0x80(%rbp)\n"        /* TPR */
                    "movl $0x0b, 0x3e0(%rbp)\n"       /* by 1 */
                    "movl $0x10031, 0x320(%rbp)\n"    /* timer, masked */
                    "movl $0xf0000000, 0x380(%rbp)\n" /* 4 s */
                    "movl $0x44041, 0x300(%rbp)\n"    /* to itself: vector 0x41 */
                    "1: mov 0x220(%rbp), %eax\n test $2, %eax\n jz 1b\n"
                    "mov %eax, 64(%rbx)\n"
                    "mov 0x390(%rbp), %eax\n mov %eax, 72(%rbx)\n" SMP_END);

static struct lapic *lapic_of(const struct smp_rig *r, unsigned n)
{
    return (struct lapic *)r->apic[n];
}

static void check_set_up(const struct smp_rig *r)
{
    const struct lapic *l = lapic_of(r, 0);

    cr_expect_eq(l->s.svr, 0x1ff);
    cr_expect_eq(l->s.tpr, 0x20);
    cr_expect_eq(l->s.divide, 0x0b);
    cr_expect_eq(l->s.lvt[LVT_TIMER], 0x10031);
    cr_expect_eq(l->s.initial, 0xf0000000u);
    cr_expect_eq(l->s.irr[2], 2, "%#x", l->s.irr[2]);
    cr_expect(l->s.base & BASE_ENABLE);
}

Test(kvm_irq, the_state_is_the_devices_when_the_machine_has_stopped)
{
    smp_need_kvm();
    for (unsigned i = 0; i < ARRAY_LEN(engines); i++) {
        struct smp_rig r;

        smp_begin_on(&r, engines[i], 1, set_up_begin, set_up_end);
        smp_run(&r);
        machine_lock(r.m);
        engines[i]->state_pull(r.m->vcpus[0]);
        cr_expect_not(r.m->apics_away);
        check_set_up(&r);
        cr_expect_gt(smp_get32(&r, SMP_DATA + 72), 0u);
        machine_unlock(r.m);
        smp_free(&r);
    }
}

/* Into the kernel and out again, twice. */
Test(kvm_irq, the_state_goes_into_the_kernel_and_comes_back)
{
    struct apic_state before, after;
    struct smp_rig r;

    smp_need_kvm();
    smp_begin_on(&r, &accel_kvm, 1, set_up_begin, set_up_end);
    struct kvm *k = r.m->accel_data;
    if (!k->split) {
        smp_free(&r);
        cr_skip_test("this kernel has no split interrupt controller");
    }
    struct lapic *l = lapic_of(&r, 0);
    l->s.svr = 0x1ff;
    l->s.tpr = 0x35;
    l->s.ldr = 0x04000000;
    l->s.irr[3] = 0x80000001;
    l->s.isr[2] = 0x10;
    l->s.tmr[3] = 0x80000000;
    l->s.icr = 0x0000000000044041ull;
    l->s.lvt[LVT_ERROR] = 0x33;
    l->s.lvt[LVT_LINT1] = 0x400;
    l->s.divide = 11;
    l->s.initial = 1000000;
    l->s.lvt[LVT_TIMER] = 0x10040;
    machine_lock(r.m);
    lapic_save(&l->dev, &before);
    machine_unlock(r.m);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert(kvm_irq_push(r.m));
        cr_expect(r.m->apics_away);
        machine_lock(r.m);
        state_reset(lapic_ops.state, l); /* nothing left here */
        kvm_irq_pull(r.m);
        lapic_save(&l->dev, &after);
        machine_unlock(r.m);
        cr_expect_eq(after.base, before.base);
        for (unsigned reg = 0; reg < 0x40; reg++) {
            uint32_t is = ld_le32(after.regs + 16 * reg), was = ld_le32(before.regs + 16 * reg);

            if (reg != REG_CURRENT && reg != REG_VERSION && reg != 0x2f) {
                cr_expect_eq(is, was, "register %#x: %#x, was %#x", 16 * reg, is, was);
            }
        }
    }
    smp_free(&r);
}

/* CPU 0 starts a count that runs out and waits for it with interrupts off, by IRR. */
SMP_PROGRAM(timer, "movl $0x1ff, 0xf0(%rbp)\n movl $0x0b, 0x3e0(%rbp)\n"
                   "movl $0x31, 0x320(%rbp)\n movl $2000000, 0x380(%rbp)\n"
                   "1: mov 0x210(%rbp), %eax\n test $0x20000, %eax\n jz 1b\n"
                   "incl 64(%rbx)\n" SMP_END);

Test(kvm_irq, the_timer_runs_out)
{
    smp_need_kvm();
    for (unsigned i = 0; i < ARRAY_LEN(engines); i++) {
        struct smp_rig r;

        smp_begin_on(&r, engines[i], 1, timer_begin, timer_end);
        smp_run(&r);
        cr_expect_eq(smp_get32(&r, SMP_DATA + 64), 1u, "%s", engines[i]->name);
        smp_free(&r);
    }
}

/* Time stands still while the machine is held: a count that is far from its end is still. */
SMP_PROGRAM(wait_held, "movl $0x1ff, 0xf0(%rbp)\n movl $0x0b, 0x3e0(%rbp)\n"
                       "movl $0x31, 0x320(%rbp)\n movl $0xf0000000, 0x380(%rbp)\n"
                       "1: mov 0x390(%rbp), %eax\n mov %eax, 64(%rbx)\n cmpl $0, 68(%rbx)\n"
                       "jz 1b\n" SMP_END);

Test(kvm_irq, counts_stand_still_while_the_machine_is_held)
{
    smp_need_kvm();
    for (unsigned i = 0; i < ARRAY_LEN(engines); i++) {
        struct smp_rig r;
        uint32_t before, after;

        smp_begin_on(&r, engines[i], 1, wait_held_begin, wait_held_end);
        smp_start(&r);
        while (!smp_get32(&r, SMP_DATA + 64)) {
            g_usleep(1000);
        }
        machine_lock(r.m);
        machine_pause(r.m);
        machine_exclusive_begin(r.m);
        engines[i]->state_pull(r.m->vcpus[0]);
        before = lapic_read_current(lapic_of(&r, 0));
        machine_exclusive_end(r.m);
        machine_unlock(r.m);
        g_usleep(300000);
        machine_lock(r.m);
        after = lapic_read_current(lapic_of(&r, 0));
        cr_expect_eq(after, before, "%s: %u, was %u", engines[i]->name, after, before);
        machine_resume(r.m);
        machine_unlock(r.m);
        for (unsigned n = 0; n < 30000 && smp_get32(&r, SMP_DATA + 64) >= before; n++) {
            g_usleep(1000);
        }
        cr_expect_lt(smp_get32(&r, SMP_DATA + 64), before, "it goes on from there");
        st_le32(r.ram->host + SMP_DATA + 68, 1);
        smp_wait(&r, 1);
        machine_stop(r.m);
        smp_free(&r);
    }
}

/* Holds interrupts back, waits for the test, and looks whether it still does. */
SMP_PROGRAM(hold_back, "movl $0x1ff, 0xf0(%rbp)\n movl $0x30, 0x80(%rbp)\n"
                       "movl $1, 64(%rbx)\n 1: cmpl $0, 68(%rbx)\n je 1b\n"
                       "mov 0x80(%rbp), %eax\n mov %eax, 72(%rbx)\n" SMP_END);

Test(kvm_irq, the_task_priority_goes_from_engine_to_engine)
{
    smp_need_kvm();
    for (unsigned i = 0; i < ARRAY_LEN(engines); i++) {
        g_autoptr(GError) err = NULL;
        struct smp_rig r;

        smp_begin_on(&r, &accel_interp, 1, hold_back_begin, hold_back_end);
        smp_start(&r);
        while (!smp_get32(&r, SMP_DATA + 64)) {
            g_usleep(1000);
        }
        machine_lock(r.m);
        cr_assert(machine_switch(r.m, engines[i], true, &err), "%s", err ? err->message : "");
        machine_unlock(r.m);
        g_usleep(20000);
        st_le32(r.ram->host + SMP_DATA + 68, 1);
        smp_wait(&r, 1);
        machine_stop(r.m);
        cr_expect_eq(smp_get32(&r, SMP_DATA + 72), 0x30u, "%s", engines[i]->name);
        smp_free(&r);
    }
}

/* CPU 0 sends the others NMI-free messages: vector 0x51 to each of them, which look for it. */
SMP_PROGRAM(messages, "movl $0x1ff, 0xf0(%rbp)\n"
                      "lock incl 64(%rbx)\n 1: cmp %esi, 64(%rbx)\n jne 1b\n"
                      "test %edi, %edi\n jnz 2f\n"
                      "movl $0xc4051, 0x300(%rbp)\n jmp 3f\n" /* all but itself */
                      "2: mov 0x220(%rbp), %eax\n test $0x20000, %eax\n jz 2b\n"
                      "lock incl 72(%rbx)\n"
                      "3:\n" SMP_END);

Test(kvm_irq, processors_send_each_other_interrupts)
{
    smp_need_kvm();
    for (unsigned i = 0; i < ARRAY_LEN(engines); i++) {
        struct smp_rig r;

        smp_begin_on(&r, engines[i], 2, messages_begin, messages_end);
        smp_run(&r);
        cr_expect_eq(smp_get32(&r, SMP_DATA + 72), 1u, "%s", engines[i]->name);
        smp_free(&r);
    }
}

Test(kvm_irq, a_processor_that_waits_in_the_kernel_is_seen_to)
{
    struct smp_rig r;
    bool idle = false;

    smp_need_kvm();
    smp_begin_on(&r, &accel_kvm, 2, messages_begin, messages_end);
    if (r.m->vcpus[0]->idle_fd < 0) {
        smp_free(&r);
        cr_skip_test("this kernel does not say");
    }
    smp_start(&r);
    cr_expect_not(machine_is_idle(r.m) && smp_get32(&r, SMP_DONE) == 0);
    smp_wait(&r, 2);
    for (unsigned n = 0; n < 30000 && !idle; n++) { /* both halt for good */
        g_usleep(1000);
        idle = machine_is_idle(r.m);
    }
    cr_expect(idle);
    machine_stop(r.m);
    smp_free(&r);
}

/* ---- posted writes ---- */

struct plate {
    struct device dev;
    struct plate_state {
        uint32_t at;
        uint8_t seen[256], hole[4];
    } s;
    struct region region;
};

static void plate_write(struct device *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct plate *p = (struct plate *)dev;

    (void)off;
    (void)size;
    p->s.seen[p->s.at++ & 255] = (uint8_t)val;
}

static uint64_t plate_read(struct device *dev, uint64_t off, unsigned size)
{
    (void)off;
    (void)size;
    return ((struct plate *)dev)->s.at;
}

static const struct mmio_ops plate_mmio = {
    .sizes = SIZE_ANY, .passive = true, .read = plate_read, .write = plate_write};
static const struct state_field plate_fields[] = {
    STATE(struct plate, s.at),
    STATE_ARRAY(struct plate, s.seen),
    STATE_HOLE(struct plate, s.hole),
    STATE_END,
};
static const struct device_ops plate_ops = {
    .name = "plate", DEVICE_STATE(struct plate), .state = plate_fields};

/* 200 stores to it, then a load: all of them come first, and in order. */
SMP_PROGRAM(posts, "mov $0x300000, %rdx\n xor %eax, %eax\n"
                   "1: mov %eax, (%rdx)\n inc %eax\n cmp $200, %eax\n jne 1b\n"
                   "mov (%rdx), %eax\n mov %eax, 64(%rbx)\n mov %eax, (%rdx)\n" SMP_END);

Test(kvm_irq, stores_that_wait_come_in_order_and_before_everything_else)
{
    struct smp_rig r;

    smp_need_kvm();
    smp_begin_on(&r, &accel_kvm, 1, posts_begin, posts_end);
    machine_lock(r.m);
    struct plate *p = (struct plate *)device_new(r.m, &plate_ops, "plate");
    region_init_mmio(&p->region, "plate", &p->dev, &plate_mmio, PAGE_BYTES);
    region_add(r.m, &p->region, 0x300000, 10);
    machine_unlock(r.m);
    smp_run(&r);
    cr_expect_eq(smp_get32(&r, SMP_DATA + 64), 200u);
    for (unsigned i = 0; i < 200; i++) {
        cr_assert_eq(p->s.seen[i], i);
    }
    machine_lock(r.m); /* whoever looks sees the last one too */
    cr_expect_eq(p->s.at, 201u);
    machine_unlock(r.m);
    const struct kvm *k = r.m->accel_data;
    uint64_t exits = r.m->vcpus[0]->exits.count[EXITS_MMIO];
    cr_expect(!k->ring || exits < 20, "%u exits", (unsigned)exits);
    smp_free(&r);
}
