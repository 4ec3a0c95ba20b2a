/*
 * Machines that go from one engine to another while they run: nothing of what the guest does is
 * lost or done twice.  Real guests do it in tests/boot (switch-*) and tests/nested.
 */
#include "accel/accel.h"
#include "accel/check.h"
#include "accel/kvm_int.h"
#include "hw/lapic.h"
#include "tests/accel/smp_rig.h"
#include <criterion/criterion.h>

/* Switches until the programs have ended, which start behind the first four. */
static void switch_until_done(struct smp_rig *r, const struct accel_ops *const *to, unsigned n)
{
    int64_t until = g_get_monotonic_time() + 90 * G_USEC_PER_SEC;
    unsigned done = 0;

    machine_lock(r->m);
    machine_pause(r->m);
    machine_unlock(r->m);
    smp_start(r);
    while (smp_get32(r, SMP_DONE) < r->m->ncpus && g_get_monotonic_time() < until) {
        g_autoptr(GError) err = NULL;

        machine_lock(r->m);
        if (done == 4) {
            machine_resume(r->m);
        }
        bool good = machine_switch(r->m, to[done % n], false, &err);
        machine_unlock(r->m);
        cr_assert(good, "%s", err ? err->message : "");
        done++;
        g_usleep(done > 4 ? 2000 : 0);
    }
    machine_stop(r->m);
    cr_expect_geq(r->m->switches, 4);
}

/* Everything with a value of its own that is in use all the time: registers, flags, x87 and vector
 * registers, memory. */
SMP_PROGRAM(sums, "lea 8(%rbx,%rdi,8), %r15\n"
                  "mov 0x400(%rbx), %ecx\n"
                  "fninit\n fldz\n fld1\n"
                  "mov $1, %eax\n movd %eax, %xmm3\n pxor %xmm4, %xmm4\n"
                  "1: lock incq (%rbx)\n"
                  "incq (%r15)\n"
                  "fadd %st, %st(1)\n"
                  "paddq %xmm3, %xmm4\n"
                  "add %rcx, %r14\n adc $0, %r13\n"
                  "dec %ecx\n jnz 1b\n"
                  "fstp %st\n fistpll 0x100(%rbx,%rdi,8)\n"
                  "movq %xmm4, 0x200(%rbx,%rdi,8)\n"
                  "mov %r14, 0x300(%rbx,%rdi,8)\n" SMP_END);

static void begin_sums(struct smp_rig *r, unsigned cpus, uint32_t n)
{
    smp_begin_on(r, &accel_interp, cpus, sums_begin, sums_end);
    st_le32(r->ram->host + SMP_DATA + 0x400, n);
    for (unsigned i = 0; i < cpus; i++) {
        struct cpu *c = r->m->vcpus[i]->cpu;

        c->cr4 |= CR4_OSFXSR;
        cpu_update_mode(c);
    }
}

static void check_sums(const struct smp_rig *r)
{
    const uint64_t n = smp_get32(r, SMP_DATA + 0x400);

    cr_expect_eq(smp_get64(r, SMP_DATA), n * r->m->ncpus);
    for (unsigned i = 0; i < r->m->ncpus; i++) {
        cr_expect_eq(smp_get64(r, SMP_DATA + 8 + 8 * i), n, "in memory");
        cr_expect_eq(smp_get64(r, SMP_DATA + 0x100 + 8 * i), n, "x87");
        cr_expect_eq(smp_get64(r, SMP_DATA + 0x200 + 8 * i), n, "vector registers");
        cr_expect_eq(smp_get64(r, SMP_DATA + 0x300 + 8 * i), n * (n + 1) / 2, "general registers");
    }
}

Test(switch, between_interpreter_and_translator_nothing_is_lost)
{
    const struct accel_ops *const to[] = {&accel_jit, &accel_interp};
    struct smp_rig r;

    begin_sums(&r, 2, 800000);
    switch_until_done(&r, to, 2);
    check_sums(&r);
    smp_free(&r);
}

Test(switch, between_engines_in_lock_step)
{
    const struct accel_ops *const to[] = {&accel_check_jit, &accel_check_interp};
    struct smp_rig r;

    begin_sums(&r, 1, 400000);
    switch_until_done(&r, to, 2);
    check_sums(&r);
    smp_free(&r);
}

/* 32-bit code, which every KVM runs: EBX counts to ECX, and the stack has it too. */
SMP_PROGRAM(count_32, ".code32\n"
                      "1: inc %ebx\n push %ebx\n pop %edx\n add %edx, %esi\n adc $0, %edi\n"
                      "cmp %ecx, %ebx\n jne 1b\n"
                      "mov $0x200000, %eax\n mov %ebx, (%eax)\n mov %esi, 4(%eax)\n"
                      "mov %edi, 8(%eax)\n"
                      "lock incl 0x7ff000\n 99: cli\n hlt\n jmp 99b\n .code64\n");

static void place_32(struct smp_rig *r, uint32_t count)
{
    struct cpu *c = r->m->vcpus[0]->cpu;

    smp_place_32(r);
    c->r[R_RBX] = c->r[R_RSI] = c->r[R_RDI] = 0;
    c->r[R_RCX] = count;
}

Test(switch, between_kvm_and_software)
{
    const struct accel_ops *const to[] = {&accel_jit, &accel_kvm, &accel_interp, &accel_kvm};
    const uint32_t count = 40000000;
    struct smp_rig r;

    smp_need_kvm();
    smp_begin_on(&r, &accel_kvm, 1, count_32_begin, count_32_end);
    place_32(&r, count);
    switch_until_done(&r, to, 4);
    uint64_t sum = (uint64_t)count * (count + 1) / 2;
    cr_expect_eq(smp_get32(&r, SMP_DATA), count);
    cr_expect_eq(smp_get32(&r, SMP_DATA + 4), (uint32_t)sum);
    cr_expect_eq(smp_get32(&r, SMP_DATA + 8), (uint32_t)(sum >> 32));
    smp_free(&r);
}

/* Both look at their counters all the time, and none ever sees less than anyone before. */
SMP_PROGRAM(counters, "mov 0x400(%rbx), %ecx\n"
                      "1: mov 0x100(%rbx), %r8\n" /* the largest that anyone saw, before this */
                      "lfence\n rdtsc\n shl $32, %rdx\n or %rdx, %rax\n"
                      "cmp %r8, %rax\n jae 2f\n lock incl 0x200(%rbx)\n"
                      "mov %rax, 0x208(%rbx)\n mov %r8, 0x210(%rbx)\n"
                      "2: mov 0x100(%rbx), %r8\n cmp %r8, %rax\n jbe 3f\n"
                      "xchg %rax, %r9\n mov %r8, %rax\n lock cmpxchg %r9, 0x100(%rbx)\n"
                      "3: dec %ecx\n jnz 1b\n" SMP_END);

Test(switch, time_stamp_counters_go_forward_and_agree, .timeout = 120)
{
    const struct accel_ops *const to[] = {&accel_jit, &accel_kvm, &accel_interp, &accel_kvm};
    g_autofree char *why = NULL;
    struct smp_rig r;

    if (kvm_try(&why) != KVM_FIT_ALL) {
        cr_skip_test("%s", why); /* shows the host's counter, too */
    }
    smp_begin_on(&r, &accel_kvm, 2, counters_begin, counters_end);
    st_le32(r.ram->host + SMP_DATA + 0x400, 150000);
    switch_until_done(&r, to, 4);
    cr_expect_eq(smp_get32(&r, SMP_DATA + 0x200), 0u,
                 "%u looks went back, the last to %" G_GINT64_MODIFIER
                 "u behind %" G_GINT64_MODIFIER "u",
                 smp_get32(&r, SMP_DATA + 0x200), smp_get64(&r, SMP_DATA + 0x208),
                 smp_get64(&r, SMP_DATA + 0x210));
    cr_expect_eq(((struct cpu *)r.m->vcpus[0]->cpu)->tsc_offset,
                 ((struct cpu *)r.m->vcpus[1]->cpu)->tsc_offset);
    smp_free(&r);
}

/* Held and let go: neither back nor apart. */
Test(switch, time_stamp_counters_go_forward_when_the_machine_was_held, .timeout = 120)
{
    struct smp_rig r;

    smp_need_kvm();
    smp_begin_on(&r, &accel_kvm, 2, counters_begin, counters_end);
    st_le32(r.ram->host + SMP_DATA + 0x400, 150000);
    smp_start(&r);
    for (unsigned n = 0; n < 40 && smp_get32(&r, SMP_DONE) < 2; n++) {
        machine_lock(r.m);
        machine_pause(r.m);
        machine_unlock(r.m);
        g_usleep(2000);
        machine_lock(r.m);
        machine_resume(r.m);
        machine_unlock(r.m);
        g_usleep(2000);
    }
    smp_wait(&r, 2);
    machine_stop(r.m);
    cr_expect_eq(smp_get32(&r, SMP_DATA + 0x200), 0u, "%u looks went back",
                 smp_get32(&r, SMP_DATA + 0x200));
    cr_expect_eq(((struct cpu *)r.m->vcpus[0]->cpu)->tsc_offset,
                 ((struct cpu *)r.m->vcpus[1]->cpu)->tsc_offset);
    smp_free(&r);
}

/* An 8259 that has something to say most of the time, by two vectors in turn. */
static struct intr_source {
    struct device *apic;
    unsigned left;
    uint32_t given[2];
} source;

static int source_ack(struct machine *m)
{
    (void)m;
    if (!source.left) {
        return -1;
    }
    source.left--;
    lapic_set_lint0(source.apic, 0, source.left > 0);
    source.given[source.left & 1]++;
    return 0x30 + (int)(source.left & 1);
}

enum { TAKEN_CODE = 0x6000, TAKEN_AT = 0x7000 };

/* In real mode, where every KVM takes interrupts: it waits, and INC WORD [TAKEN_AT + 2 * n]; IRET
 * by vector 0x30 + n. */
static void place_taken(struct smp_rig *r)
{
    struct cpu *c = r->m->vcpus[0]->cpu;
    uint8_t *ram = r->ram->host;

    memcpy(ram + TAKEN_CODE, "\xfb\xf4\xeb\xfd", 4); /* STI; HLT; JMP to it */
    for (unsigned n = 0; n < 2; n++) {
        uint8_t *at = ram + TAKEN_CODE + 16 * (n + 1);

        memcpy(at, "\xff\x06\0\0\xcf", 5);
        st_le16(at + 2, TAKEN_AT + 2 * n);
        st_le32(ram + 4 * (0x30 + n), TAKEN_CODE + 16 * (n + 1));
    }
    cpu_reset(c, false);
    cpu_load_seg_real(c, SEG_CS, 0);
    c->ip = TAKEN_CODE;
    c->r[R_RSP] = TAKEN_CODE;
    cpu_update_mode(c);
    r->m->vcpus[0]->wait_sipi = false;
    r->m->accel->state_push(r->m->vcpus[0]);
}

static bool all_taken(const struct smp_rig *r)
{
    bool all;

    machine_lock(r->m); /* whose holders acknowledge */
    all = !source.left;
    for (unsigned n = 0; n < 2; n++) {
        all &= ld_le16(r->ram->host + TAKEN_AT + 2 * n) >= source.given[n];
    }
    machine_unlock(r->m);
    return all;
}

Test(switch, every_interrupt_that_was_acknowledged_is_taken_once, .timeout = 120)
{
    const struct accel_ops *const to[] = {&accel_interp, &accel_kvm, &accel_kvm_user_apic,
                                          &accel_kvm};
    struct smp_rig r;

    smp_need_kvm();
    smp_begin_on(&r, &accel_kvm, 1, count_32_begin, count_32_end);
    place_taken(&r);
    source = (struct intr_source){.apic = r.apic[0]};
    r.m->intack = source_ack;
    smp_start(&r);
    for (unsigned n = 0; n < 400; n++) {
        g_autoptr(GError) err = NULL;

        machine_lock(r.m);
        source.left += 1 + n % 3;
        lapic_set_lint0(source.apic, 0, true);
        machine_exclusive_begin(r.m); /* everybody comes out */
        source.left += n % 2;
        machine_exclusive_end(r.m);
        bool good = n % 4 != 3 || machine_switch(r.m, to[n / 4 % 4], false, &err);
        machine_unlock(r.m);
        cr_assert(good, "%s", err ? err->message : "");
        g_usleep(n % 5 * 100);
    }
    for (unsigned n = 0; n < 60000 && !all_taken(&r); n++) {
        g_usleep(1000);
    }
    g_usleep(20000); /* none too many */
    machine_stop(r.m);
    cr_expect_eq(source.left, 0u);
    for (unsigned n = 0; n < 2; n++) {
        unsigned taken = ld_le16(r.ram->host + TAKEN_AT + 2 * n);

        cr_expect_eq(taken, source.given[n], "vector %#x: %u, acknowledged %u", 0x30 + n, taken,
                     source.given[n]);
    }
    smp_free(&r);
}

/* The guest is kept from being entered behind each vector it is given, and leaves KVM with the
 * second. */
static int ack_and_keep_out(struct machine *m)
{
    struct vcpu *v = m->vcpus[0];
    int vector = source_ack(m);

    ((struct kvm_vcpu *)v->engine)->run->immediate_exit = 1;
    if (!source.left) {
        vcpu_request(v, VCPU_REQ_PARK);
    }
    return vector;
}

Test(switch, two_interrupts_acknowledged_close_together_are_both_taken)
{
    g_autoptr(GError) err = NULL;
    struct smp_rig r;

    smp_need_kvm();
    smp_begin_on(&r, &accel_kvm, 1, count_32_begin, count_32_end);
    place_taken(&r);
    source = (struct intr_source){.apic = r.apic[0], .left = 2};
    r.m->intack = ack_and_keep_out;
    machine_lock(r.m);
    lapic_set_lint0(source.apic, 0, true);
    machine_unlock(r.m);
    cr_assert_eq(r.m->accel->vcpu_run(r.m->vcpus[0]), VCPU_EXIT_REQUEST);
    machine_lock(r.m);
    cr_assert(machine_switch(r.m, &accel_interp, false, &err), "%s", err ? err->message : "");
    machine_unlock(r.m);
    vcpu_clear(r.m->vcpus[0], VCPU_REQ_PARK);
    cr_assert_eq(r.m->accel->vcpu_run(r.m->vcpus[0]), VCPU_EXIT_HALT);
    cr_expect_eq(ld_le16(r.ram->host + TAKEN_AT), 1);
    cr_expect_eq(ld_le16(r.ram->host + TAKEN_AT + 2), 1);
    smp_free(&r);
}

/* The NMI pin, while the APICs are the kernel's. */
Test(switch, an_nmi_at_the_pin_passes_as_the_apic_says)
{
    static const uint32_t lvt[] = {0x10400, 0x400}; /* masked, and not */

    smp_need_kvm();
    for (unsigned n = 0; n < ARRAY_LEN(lvt); n++) {
        struct smp_rig r;

        smp_begin_on(&r, &accel_kvm, 1, count_32_begin, count_32_end);
        place_taken(&r);
        memcpy(r.ram->host + 4 * EXCP_NMI, r.ram->host + 4 * 0x30, 4);
        machine_lock(r.m);
        aspace_write_locked(r.m, LAPIC_DEFAULT_BASE + 0xf0, 0x1ff, 4, NULL);
        aspace_write_locked(r.m, LAPIC_DEFAULT_BASE + 0x360, lvt[n], 4, NULL);
        machine_unlock(r.m);
        smp_start(&r);
        while (!((struct kvm *)r.m->accel_data)->inside) {
            g_usleep(1000);
        }
        g_usleep(20000);
        machine_lock(r.m);
        lapic_set_lint1(r.apic[0], 0, true);
        lapic_set_lint1(r.apic[0], 0, false);
        machine_unlock(r.m);
        for (unsigned k = 0; k < (n ? 5000 : 50) && !ld_le16(r.ram->host + TAKEN_AT); k++) {
            g_usleep(1000);
        }
        machine_stop(r.m);
        cr_expect_eq(ld_le16(r.ram->host + TAKEN_AT), n, "LVT %#x", lvt[n]);
        smp_free(&r);
    }
}

/* A guest that was shown a CPU that KVM here has not stays where it is, and as it is. */
Test(switch, kvm_refuses_what_the_guest_would_notice)
{
    g_autoptr(GError) err = NULL;
    struct smp_rig r;

    smp_need_kvm();
    smp_begin_on(&r, &accel_interp, 1, count_32_begin, count_32_end);
    place_32(&r, 1000);
    ((struct cpu *)r.m->vcpus[0]->cpu)->tsc_khz = 12345; /* nobody's */
    machine_lock(r.m);
    bool good = machine_switch(r.m, &accel_kvm, false, &err);
    machine_unlock(r.m);
    if (!good) {
        cr_expect(strstr(err->message, "KVM: "), "%s", err->message);
        cr_expect_eq(r.m->accel, &accel_interp);
        cr_expect_eq(r.m->switches, 0);
    }
    smp_start(&r);
    smp_wait(&r, 1);
    machine_stop(r.m);
    cr_expect_eq(smp_get32(&r, SMP_DATA), 1000);
    smp_free(&r);
}

Test(switch, kvm_refuses_64_bit_code_that_it_cannot_run)
{
    g_autofree char *why = NULL;
    g_autoptr(GError) err = NULL;
    struct smp_rig r;

    if (kvm_try(&why) != KVM_FIT_SMALL) {
        cr_skip_test("KVM runs all code here, or none");
    }
    smp_begin_on(&r, &accel_interp, 1, sums_begin, sums_end);
    machine_lock(r.m);
    cr_expect_not(machine_switch(r.m, &accel_kvm, false, &err));
    machine_unlock(r.m);
    cr_expect(strstr(err->message, "runs 64-bit code by now, and /dev/kvm"), "%s", err->message);
    cr_expect_eq(r.m->accel, &accel_interp);
    smp_free(&r);
}

Test(switch, an_engine_that_cannot_says_so)
{
    static const struct accel_ops fixed = {.name = "fixed"};
    g_autoptr(GError) err = NULL;
    struct smp_rig r;

    smp_begin_on(&r, &accel_interp, 1, sums_begin, sums_end);
    machine_lock(r.m);
    cr_expect_not(machine_switch(r.m, &fixed, false, &err));
    cr_expect_str_eq(err->message, "a machine cannot change from interp to fixed while it runs");
    g_clear_error(&err);
    cr_expect_not(accel_switch(r.m, "none", false, &err));
    cr_expect(strstr(err->message, "unknown accelerator"), "%s", err->message);
    machine_unlock(r.m);
    smp_free(&r);
}
