/*
 * Several processors and their local APICs: interrupts that wake from HLT, broadcasts, NMI, INIT
 * and SIPI of a running processor; a reset, pauses and exclusive sections while all of them run.
 * Follows: SDM volume 3, 9.4 (MP initialisation) and 11.6 (interprocessor interrupts).
 * Not modelled: I/O APIC and devices.
 */
#include "accel/interp.h"
#include "tests/accel/smp_rig.h"
#include <criterion/criterion.h>

enum { VECTOR = 0x40, ROUNDS = 3000, TAKEN = SMP_DATA + 0x400, TRAMPOLINE = 0x7000 };

#define APIC_ON "movl $0x1ff, 0xf0(%rbp)\n"
/* Everybody is here. */
#define MEET "lock incl (%rbx)\n 90: cmp %esi, (%rbx)\n je 91f\n pause\n jmp 90b\n 91:\n"
/* The handler: counts for its processor, EOI. */
#define HANDLER(name)                                                                              \
#name "_isr: incl 0x400(%rbx,%rdi,8)\n movl $0, 0xb0(%rbp)\n iretq\n" #name                    \
          "_nmi: incl 0x400(%rbx,%rdi,8)\n iretq\n"
#define SET_HANDLER(r, name)                                                                       \
    do {                                                                                           \
        extern const uint8_t name##_isr[], name##_nmi[];                                           \
        put_gate(r, VECTOR, (uint32_t)(name##_isr - name##_begin));                                \
        put_gate(r, EXCP_NMI, (uint32_t)(name##_nmi - name##_begin));                              \
    } while (0)

static void put_gate(struct smp_rig *r, unsigned vector, uint32_t off)
{
    struct guest g = {.ram = r->ram->host};

    guest_gate(&g, G_IDT + 16 * vector, S_CODE64, SMP_CODE + off, 0x8e, 0);
}

static uint32_t taken(const struct smp_rig *r, unsigned cpu)
{
    return smp_get32(r, TAKEN + 8 * cpu);
}

/* One interrupt goes round; every processor sleeps until it comes. */
SMP_PROGRAM(ring, APIC_ON MEET "xor %r12d, %r12d\n"
                               "test %edi, %edi\n jz 3f\n"
                               "1: cli\n cmp %r12d, 0x400(%rbx,%rdi,8)\n ja 2f\n"
                               "sti\n hlt\n jmp 1b\n"
                               "2: sti\n inc %r12d\n"
                               "3: lea 1(%rdi), %eax\n cmp %esi, %eax\n jb 4f\n xor %eax, %eax\n"
                               "4: shl $24, %eax\n mov %eax, 0x310(%rbp)\n"
                               "movl $0x4040, 0x300(%rbp)\n"
                               "cmp $3000, %r12d\n jb 1b\n" SMP_END HANDLER(ring));

static void count_idle(void *arg)
{
    atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

/* Every processor ends in HLT. */
SMP_PROGRAM(only_ends, SMP_END);
Test(smp_apic, who_wants_to_know_is_told_of_halts)
{
    _Atomic unsigned idle = 0;
    struct smp_rig r;

    SMP_BEGIN(&r, 2, only_ends);
    r.m->on_idle = count_idle;
    r.m->on_idle_arg = &idle;
    smp_start(&r);
    smp_wait(&r, 2);
    while (!machine_is_idle(r.m)) {
        g_usleep(1000);
    }
    smp_free(&r);
    cr_assert_geq(atomic_load(&idle), 2);
}

Test(smp_apic, no_wake_up_is_lost_between_hlt_and_the_interrupt, .timeout = 200)
{
    struct smp_rig r;

    SMP_BEGIN(&r, 4, ring);
    SET_HANDLER(&r, ring);
    smp_run(&r);
    for (unsigned i = 0; i < 4; i++) {
        cr_expect_eq(taken(&r, i), ROUNDS, "%u: %u", i, taken(&r, i));
    }
    smp_free(&r);
}

/* Processor 0 interrupts all others and waits for their counts, as a TLB shoot-down does. */
SMP_PROGRAM(shoot, APIC_ON MEET
            "xor %r12d, %r12d\n test %edi, %edi\n jz 3f\n"
            "sti\n 1: pause\n cmpl $0, 0x40(%rbx)\n je 1b\n jmp 9f\n"
            "3: inc %r12d\n movl $0xc4040, 0x300(%rbp)\n"
            "mov $1, %ecx\n"
            "4: cmp %r12d, 0x400(%rbx,%rcx,8)\n je 5f\n pause\n jmp 4b\n"
            "5: inc %ecx\n cmp %esi, %ecx\n jb 4b\n"
            "cmp $3000, %r12d\n jb 3b\n movl $1, 0x40(%rbx)\n 9:\n" SMP_END HANDLER(shoot));

Test(smp_apic, broadcasts_reach_everybody_else_once, .timeout = 200)
{
    struct smp_rig r;

    SMP_BEGIN(&r, 4, shoot);
    SET_HANDLER(&r, shoot);
    smp_run(&r);
    cr_expect_eq(taken(&r, 0), 0);
    for (unsigned i = 1; i < 4; i++) {
        cr_expect_eq(taken(&r, i), ROUNDS, "%u: %u", i, taken(&r, i));
    }
    smp_free(&r);
}

/* The others have interrupts off: only an NMI gets through. */
SMP_PROGRAM(nmi, APIC_ON MEET
            "xor %r12d, %r12d\n test %edi, %edi\n jz 3f\n"
            "1: pause\n cmpl $0, 0x40(%rbx)\n je 1b\n jmp 9f\n"
            "3: inc %r12d\n movl $0xc4440, 0x300(%rbp)\n"
            "mov $1, %ecx\n"
            "4: cmp %r12d, 0x400(%rbx,%rcx,8)\n je 5f\n pause\n jmp 4b\n"
            "5: inc %ecx\n cmp %esi, %ecx\n jb 4b\n"
            "cmp $1000, %r12d\n jb 3b\n movl $1, 0x40(%rbx)\n 9:\n" SMP_END HANDLER(nmi));

Test(smp_apic, nmi_gets_through_with_interrupts_off, .timeout = 200)
{
    struct smp_rig r;

    SMP_BEGIN(&r, 3, nmi);
    SET_HANDLER(&r, nmi);
    smp_run(&r);
    cr_expect_eq(taken(&r, 1), 1000);
    cr_expect_eq(taken(&r, 2), 1000);
    smp_free(&r);
}

/*
 * Processor 0 stops the other by INIT, wherever it is, sends what it must ignore, and starts it by
 * two SIPIs at 0700:0000, where it counts at 0x7080 and halts or spins, by turns.
 */
SMP_PROGRAM(start,
            APIC_ON MEET "xor %r12d, %r12d\n test %edi, %edi\n jz 1f\n 0: jmp 0b\n"
                         "1: movl $0x01000000, 0x310(%rbp)\n"
                         "movl $0xc500, 0x300(%rbp)\n movl $0x8500, 0x300(%rbp)\n"
                         "movl $0x4040, 0x300(%rbp)\n movl $0x4440, 0x300(%rbp)\n" /* fixed, NMI */
                         "movl $0x4607, 0x300(%rbp)\n movl $0x4607, 0x300(%rbp)\n"
                         "inc %r12d\n"
                         "2: cmp %r12w, 0x7080\n je 3f\n pause\n jmp 2b\n"
                         "3: cmp $500, %r12d\n jb 1b\n" SMP_END HANDLER(start));

Test(smp_apic, init_and_sipi_start_a_running_processor_again, .timeout = 200)
{
    /* lock inc word cs:[0x80]; test byte cs:[0x80],1; jz $; hlt */
    static const uint8_t code[] = {0xf0, 0x2e, 0xff, 0x06, 0x80, 0x00, 0x2e, 0xf6,
                                   0x06, 0x80, 0x00, 0x01, 0x74, 0xfe, 0xf4};
    struct smp_rig r;

    SMP_BEGIN(&r, 2, start);
    memcpy(r.ram->host + TRAMPOLINE, code, sizeof code);
    smp_start(&r);
    smp_wait(&r, 1);
    machine_stop(r.m);
    const struct cpu *c = r.m->vcpus[1]->cpu;
    cr_expect_eq(smp_get32(&r, TRAMPOLINE + 0x80) & 0xffff, 500);
    cr_expect_eq(c->seg[SEG_CS].sel, TRAMPOLINE >> 4);
    cr_expect_eq(c->cr0 & (CR0_PE | (uint64_t)CR0_PG), 0);
    cr_expect_eq(c->efer, 0);
    cr_expect_eq(taken(&r, 1), 0, "took an interrupt");
    cr_expect_not(c->nmi_pending || c->nmi_masked);
    smp_free(&r);
}

/* Everybody counts. */
SMP_PROGRAM(spin, "1: incq 0x400(%rbx,%rdi,8)\n jmp 1b\n");

static void sample(const struct smp_rig *r, uint64_t *counts)
{
    for (unsigned i = 0; i < r->m->ncpus; i++) {
        counts[i] = smp_get64(r, TAKEN + 8 * i);
    }
}

/* Wait until every processor has counted on from `counts`. */
static void wait_progress(const struct smp_rig *r, const uint64_t *counts)
{
    int64_t until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    for (unsigned i = 0; i < r->m->ncpus; i++) {
        while (smp_get64(r, TAKEN + 8 * i) == counts[i]) {
            cr_assert(g_get_monotonic_time() < until, "vCPU %u stands still", i);
            g_usleep(1000);
        }
    }
}

Test(smp_apic, pauses_and_sections_hold_64_processors, .timeout = 300)
{
    uint64_t before[VM_MAX_CPUS], after[VM_MAX_CPUS];
    struct smp_rig r;

    SMP_BEGIN(&r, VM_MAX_CPUS, spin);
    smp_start(&r);
    for (unsigned round = 0; round < 5; round++) {
        sample(&r, before);
        wait_progress(&r, before);
        machine_lock(r.m);
        machine_exclusive_begin(r.m);
        sample(&r, before);
        g_usleep(2000);
        sample(&r, after);
        cr_expect_arr_eq(before, after, sizeof before, "inside a section");
        if (round & 1) {
            machine_pause(r.m);
        }
        machine_exclusive_end(r.m);
        machine_unlock(r.m);
        if (round & 1) {
            sample(&r, before);
            g_usleep(5000);
            sample(&r, after);
            cr_expect_arr_eq(before, after, sizeof before, "while paused");
            machine_lock(r.m);
            machine_resume(r.m);
            machine_unlock(r.m);
        }
    }
    smp_free(&r);
}

/* Processor 1 as its thread finds it when it was held up for long: several requests at once. */
static void run_late(struct smp_rig *r)
{
    struct vcpu *v = r->m->vcpus[1];

    r->ram->host[TRAMPOLINE] = 0xf4; /* hlt */
    cr_expect_eq(r->m->accel->vcpu_run(v), VCPU_EXIT_HALT);
    cr_expect_eq(vcpu_pending(v) & ~(uint32_t)VCPU_REQ_INTR, 0);
}

Test(smp_apic, a_processor_that_is_late_with_a_reset_starts_all_the_same)
{
    struct smp_rig r;

    SMP_BEGIN(&r, 2, spin);
    struct vcpu *v = r.m->vcpus[1];
    vcpu_request(v, VCPU_REQ_RESET);
    vcpu_init(v);
    vcpu_sipi(v, TRAMPOLINE >> 12);
    run_late(&r);
    cr_expect_not(v->wait_sipi, "INIT and SIPI are lost");
    cr_expect_eq(((const struct cpu *)v->cpu)->seg[SEG_CS].sel, TRAMPOLINE >> 4);
    smp_free(&r);
}

Test(smp_apic, a_sipi_before_an_init_does_not_start)
{
    struct smp_rig r;

    SMP_BEGIN(&r, 2, spin);
    struct vcpu *v = r.m->vcpus[1];
    vcpu_sipi(v, TRAMPOLINE >> 12);
    vcpu_init(v);
    run_late(&r);
    cr_expect(v->wait_sipi);
    vcpu_sipi(v, TRAMPOLINE >> 12);
    run_late(&r);
    cr_expect_not(v->wait_sipi);
    smp_free(&r);
}

Test(smp_apic, reset_stops_all_and_starts_the_first, .timeout = 200)
{
    uint64_t before[4], after[4];
    struct smp_rig r;

    SMP_BEGIN(&r, 4, spin);
    smp_start(&r);
    sample(&r, before);
    wait_progress(&r, before);
    g_usleep(20000); /* time has gone on: the TSCs have something to differ by */
    machine_lock(r.m);
    machine_request_reset(r.m);
    machine_unlock(r.m);
    for (uint64_t resets = 0; !resets;) {
        g_usleep(1000);
        machine_lock(r.m);
        resets = r.m->resets;
        machine_unlock(r.m);
    }
    for (unsigned i = 0; i < 4; i++) { /* on their own threads */
        while (vcpu_pending(r.m->vcpus[i]) & VCPU_REQ_RESET) {
            g_usleep(1000);
        }
    }
    sample(&r, before);
    g_usleep(5000);
    sample(&r, after);
    cr_expect_arr_eq(before, after, sizeof before, "the old program runs on");
    machine_stop(r.m);
    for (unsigned i = 1; i < 4; i++) {
        const struct cpu *c = r.m->vcpus[i]->cpu, *first = r.m->vcpus[0]->cpu;

        cr_expect(r.m->vcpus[i]->wait_sipi);
        cr_expect_eq(c->ip, 0xfff0);
        cr_expect_eq(c->tsc_offset, first->tsc_offset, "TSCs differ");
    }
    cr_expect_not(r.m->vcpus[0]->wait_sipi);
    smp_free(&r);
}

/* Processor 1 has no interrupt table. */
SMP_PROGRAM(fault, "test %edi, %edi\n jz 1f\n push $0\n push $0\n lidt (%rsp)\n ud2\n"
                   "1: incq 0x400(%rbx)\n jmp 1b\n");

Test(smp_apic, a_triple_fault_of_any_processor_resets_all, .timeout = 200)
{
    struct smp_rig r;

    SMP_BEGIN(&r, 3, fault);
    smp_start(&r);
    for (unsigned resets = 0; !resets;) {
        g_usleep(1000);
        machine_lock(r.m);
        resets = (unsigned)r.m->resets;
        machine_unlock(r.m);
    }
    while (vcpu_pending(r.m->vcpus[1]) & VCPU_REQ_RESET) { /* on its own thread */
        g_usleep(1000);
    }
    machine_stop(r.m);
    cr_expect(r.m->vcpus[1]->wait_sipi && r.m->vcpus[2]->wait_sipi);
    cr_expect_not(((struct cpu *)r.m->vcpus[1]->cpu)->shutdown);
    smp_free(&r);
}
