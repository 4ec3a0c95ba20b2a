/*
 * The KVM accelerator, as far as this host's /dev/kvm goes: the trial guest, the state's way into
 * the kernel and back, what a processor does to memory, ports and interrupts, and what people are
 * told where there is no KVM.  tests/nested has the whole of it on AMD-V.
 */
#include "accel/accel.h"
#include "accel/kvm_int.h"
#include "tests/accel/smp_rig.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>

extern const uint8_t kvm_trial[], kvm_trial_end[], kvm_trial_xcr0[], kvm_trial_xcr0_end[];

/* Run a trial's code on a software processor, from where KVM's guests begin. */
static void run_trial(struct guest *g, const uint8_t *begin, const uint8_t *end)
{
    guest_init(g, "x86-64-v3");
    memcpy(g->ram + 0x1000, begin, (size_t)(end - begin));
    cpu_load_seg_real(g->c, SEG_CS, 0);
    g->c->ip = 0x1000;
    cpu_update_mode(g->c);
    guest_run(g);
}

Test(kvm, the_trial_comes_through_all_its_steps_on_a_software_processor)
{
    struct guest g;

    run_trial(&g, kvm_trial, kvm_trial_end);
    cr_assert_eq(g.c->r[R_RBX], 5);
    cr_assert(cpu_is_64(g.c));
    guest_free(&g);
}

Test(kvm, the_trial_of_xsave_sets_xcr0_on_a_software_processor)
{
    struct guest g;

    run_trial(&g, kvm_trial_xcr0, kvm_trial_xcr0_end);
    cr_assert_eq(g.c->fpu.xcr0, 3);
    cr_assert_eq((uint16_t)g.c->r[R_RAX], 3);
    guest_free(&g);
}

SMP_PROGRAM(count_up, "mov $1000, %ecx\n 1: lock incq 64(%rbx)\n loop 1b\n" SMP_END);

/* The architectural state as text, but for what only stands for time. */
static char *state_text(const struct cpu *c)
{
    g_autoptr(GString) all = g_string_new(NULL), out = g_string_new(NULL);
    g_auto(GStrv) lines = NULL;

    state_print(cpu_state, c, 0, all);
    lines = g_strsplit(all->str, "\n", -1);
    for (unsigned n = 0; lines[n]; n++) {
        if (!strstr(lines[n], "tsc_offset")) {
            g_string_append_printf(out, "%s\n", lines[n]);
        }
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static void assert_same_lines(const char *is, const char *was)
{
    g_auto(GStrv) a = g_strsplit(is, "\n", -1), b = g_strsplit(was, "\n", -1);

    for (unsigned n = 0; a[n] && b[n]; n++) {
        cr_expect_str_eq(a[n], b[n], "%s, was %s", a[n], b[n]);
    }
}

/* Values that every place of the state can hold. */
static void fill_state(struct cpu *c)
{
    static const uint8_t st[10] = {0, 0, 0, 0, 0, 0, 0, 0xc9, 0xfd, 0x3f};

    for (unsigned n = 0; n < 16; n++) {
        c->r[n] = 0x1111222233334440ull + n;
        for (unsigned k = 0; k < (cpu_has(c, FEAT_AVX) ? 32 : 16); k++) {
            c->fpu.ymm[n][k] = (uint8_t)(n * 32 + k + 1);
        }
    }
    for (unsigned n = 0; n < 8; n++) {
        memcpy(c->fpu.fxsave + 32 + 16 * n, st, sizeof st);
        c->fpu.fxsave[32 + 16 * n] = (uint8_t)(n + 1);
    }
    c->fpu.fxsave[4] = 0xff;
    c->fpu.xcr0 = cpu_has(c, FEAT_AVX) ? 7 : c->fpu.xcr0;
    c->fpu.mxcsr = 0x1fa0;
    cpu_set_eflags(c, FLAG_CF | FLAG_ZF | FLAG_DF | FLAG_AC, UINT32_MAX);
    c->cr2 = 0xfffffedcba987000ull;
    c->cr4 |= CR4_OSFXSR | (cpu_has(c, FEAT_XSAVE) ? CR4_OSXSAVE : 0);
    c->star = 0x0023001000000000ull;
    c->lstar = 0xffffffff81234567ull;
    c->sfmask = 0x47700;
    c->kernel_gs_base = 0xffff888000001000ull;
    c->sysenter_cs = 0x10;
    c->sysenter_esp = 0xfffffe0000003000ull;
    c->sysenter_eip = 0xffffffff81000000ull;
    c->pat = 0x0407050600070106ull;
    c->dr[0] = 0x1234;
    c->dr[3] = 0xffff888000002000ull;
    c->nmi_masked = true;
    cpu_update_mode(c);
}

Test(kvm, state_goes_into_the_kernel_and_comes_back)
{
    struct smp_rig r;
    g_autoptr(GError) err = NULL;

    smp_need_kvm();
    smp_begin_on(&r, &accel_kvm, 1, count_up_begin, count_up_end);
    struct vcpu *v = r.m->vcpus[0];
    struct cpu *c = v->cpu;
    struct kvm_vcpu *e = v->engine;

    cr_assert(kvm_cpuid_set(e, c, &err), "%s", err ? err->message : "");
    fill_state(c);
    g_autofree char *before = state_text(c);
    cr_assert(kvm_state_push(v, &err), "%s", err ? err->message : "");
    accel_kvm.vcpu_reset(v); /* pulls first, then changes everything */
    e->loaded = true;
    cr_assert(kvm_state_pull(v, &err), "%s", err ? err->message : "");
    g_autofree char *after = state_text(c);
    assert_same_lines(after, before);
    smp_free(&r);
}

Test(kvm, two_processors_count_in_one_place)
{
    struct smp_rig r;

    smp_need_kvm();
    smp_begin_on(&r, &accel_kvm, 2, count_up_begin, count_up_end);
    smp_run(&r);
    cr_assert_eq(smp_get64(&r, SMP_DATA + 64), 2000);
    smp_free(&r);
}

Test(kvm, a_host_without_a_device_is_told_so)
{
    g_autofree char *text = NULL, *err = NULL;
    const char *argv[] = {"unshare",
                          "-m",
                          "sh",
                          "-c",
                          "mount -t tmpfs none /dev && mknod /dev/null c 1 3 && exec ./candela run "
                          "--accel kvm -display none "
                          "-nic none -cdrom tests/none.iso",
                          NULL};
    int status = 0;

    if (geteuid() != 0) {
        cr_skip_test("only root can take /dev away");
    }
    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &text, &err,
                      &status, NULL)) {
        cr_skip_test("no unshare");
    }
    if (strstr(err, "unshare") || strstr(err, "mount:") || strstr(err, "mknod:")) {
        cr_skip_test("%s", err);
    }
    cr_assert(strstr(err, "--accel kvm: no /dev/kvm: "), "%s", err);
    cr_assert_eq(WEXITSTATUS(status), 4);
}

Test(kvm, a_user_outside_the_group_is_told_which)
{
    g_autofree char *text = NULL, *err = NULL;
    const char *argv[] = {"setpriv", "--reuid", "65534",  "--clear-groups", "./candela",
                          "run",     "--accel", "kvm",    "-display",       "none",
                          "-nic",    "none",    "-cdrom", "tests/none.iso", NULL};
    int status = 0;

    if (geteuid() != 0 || access("/dev/kvm", F_OK)) {
        cr_skip_test("needs root, and a /dev/kvm");
    }
    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &text, &err,
                      &status, NULL)) {
        cr_skip_test("no setpriv");
    }
    if (!strstr(err, "--accel kvm")) {
        cr_skip_test("%s", err); /* /dev/kvm is for everybody here, or the program out of reach */
    }
    struct stat s;
    cr_assert_eq(stat("/dev/kvm", &s), 0);
    cr_assert(strstr(err, (s.st_mode & 060) == 060 ? "permission denied: you are not in group "
                                                   : "permission denied, to its group as well"),
              "%s", err);
    cr_assert_eq(WEXITSTATUS(status), 4);
}

Test(kvm, it_neither_counts_nor_traces_instructions)
{
    g_autofree char *text = NULL, *err = NULL;
    int status = 0;

    smp_need_kvm();
    cr_assert(g_spawn_command_line_sync("./candela run --accel kvm -display none -nic none -boot n "
                                        "--max-insns 5",
                                        &text, &err, &status, NULL));
    cr_expect(strstr(err, "--accel kvm: the host's processor does not count"), "%s", err);
    cr_expect_eq(WEXITSTATUS(status), 2);
}
