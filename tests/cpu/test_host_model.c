/*
 * The CPU model "host": the host's name under KVM, the largest model in software.
 */
#include "accel/kvm.h"
#include "cpu/model.h"
#include "tests/accel/smp_rig.h"
#include <cpuid.h>
#include <criterion/criterion.h>

static void begin(struct smp_rig *r, const struct accel_ops *accel)
{
    static const uint8_t hlt = 0xf4;

    smp_begin_model(r, accel, 1, "host", &hlt, &hlt + 1);
}

Test(host_model, is_the_largest_in_software)
{
    struct smp_rig r;
    uint32_t out[4];

    begin(&r, &accel_interp);
    struct cpu *c = r.m->vcpus[0]->cpu;
    cpu_cpuid(c, 0, 0, out);
    cr_expect_eq(out[1], 0x756e6547, "GenuineIntel");
    cpu_cpuid(c, 1, 0, out);
    cr_expect_eq(out[0], 0x306c4);
    cr_expect(cpu_has(c, FEAT_SMEP));
    cr_expect_not(cpu_host_has_more(c));
    smp_free(&r);
}

Test(host_model, has_the_hosts_name_under_kvm)
{
    struct smp_rig r;
    uint32_t out[4], want[4];

    smp_need_kvm();
    begin(&r, &accel_kvm);
    struct cpu *c = r.m->vcpus[0]->cpu;
    __cpuid(0, want[0], want[1], want[2], want[3]);
    cpu_cpuid(c, 0, 0, out);
    cr_expect_arr_eq(out + 1, want + 1, 12);
    __cpuid(1, want[0], want[1], want[2], want[3]);
    cpu_cpuid(c, 1, 0, out);
    cr_expect_eq(out[0], want[0]);
    for (uint32_t leaf = 0x80000002; leaf <= 0x80000004; leaf++) {
        __cpuid(leaf, want[0], want[1], want[2], want[3]);
        cpu_cpuid(c, leaf, 0, out);
        cr_expect_arr_eq(out, want, 16);
    }
    smp_free(&r);
}
