/*
 * KVM in lock-step with the interpreter, as far as this host's /dev/kvm goes: a 32-bit program, and
 * a difference.  tests/nested has a boot of Linux on AMD-V.
 */
#include "accel/check.h"
#include "accel/kvm.h"
#include "tests/accel/smp_rig.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

/* Loads, stores, stack, strings, x87, flags that are left open, an exception that both raise. */
SMP_PROGRAM(mixed_32, ".code32\n"
                      "mov $0x200000, %ebx\n mov $500, %ecx\n fninit\n"
                      "1: add %ecx, %esi\n adc %esi, 8(%ebx)\n push %esi\n pop 16(%ebx)\n"
                      "imul %ecx, %esi\n shl $3, %esi\n bsf %esi, %edx\n bt $5, %esi\n"
                      "fildl 8(%ebx)\n fistpl 24(%ebx)\n"
                      "loop 1b\n"
                      "lea 0x100(%ebx), %edi\n mov %ebx, %esi\n mov $40, %ecx\n rep movsb\n"
                      "mov $0x80000001, %eax\n cpuid\n"
                      "mov $0x0badf00d, %eax\n"
                      "lock incl 0x7ff000\n 99: cli\n hlt\n jmp 99b\n .code64\n");

static void begin(struct smp_rig *r)
{
    smp_begin_on(r, &accel_check_kvm, 1, mixed_32_begin, mixed_32_end);
    smp_place_32(r);
}

Test(check_kvm, compares_a_program_instruction_by_instruction)
{
    struct check_stats stats;
    struct smp_rig r;

    smp_need_kvm();
    begin(&r);
    smp_run(&r);
    cr_expect_null(check_report(r.m->vcpus[0]), "%s", check_report(r.m->vcpus[0]));
    check_get_stats(r.m->vcpus[0], &stats);
    cr_expect_gt(stats.checked, 3000);
    cr_expect_eq(((struct cpu *)r.m->vcpus[0]->cpu)->r[R_RAX], 0x0badf00d);
    smp_free(&r);
}

/* The interpreter's CPUID gets a feature less than the kernel was told of. */
Test(check_kvm, finds_what_differs)
{
    struct smp_rig r;

    smp_need_kvm();
    begin(&r);
    struct vcpu *v = r.m->vcpus[0];
    struct cpu *c = v->cpu;
    cr_assert(cpu_has(c, FEAT_LAHF_LM));
    c->feat[FEAT_LAHF_LM / 64] ^= BIT64(FEAT_LAHF_LM % 64);
    smp_start(&r);
    cr_expect_eq(machine_wait(r.m, 60000), END_ERROR);
    machine_stop(r.m);
    cr_assert(check_report(v), "not found");
    cr_expect(strstr(check_report(v), "kvm differs from interp"), "%s", check_report(v));
    cr_expect(strstr(check_report(v), "r[1]"), "%s", check_report(v));
    cr_expect(strstr(check_report(v), "0f a2"), "%s", check_report(v));
    smp_free(&r);
}
