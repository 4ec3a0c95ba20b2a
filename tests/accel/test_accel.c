/*
 * The choice of an accelerator.
 */
#include "accel/accel.h"
#include "accel/interp.h"
#include "accel/kvm.h"
#include <criterion/criterion.h>
#include <sys/resource.h>

static const struct accel_ops *choose_by(const char *name, bool by_software, const char *want_why)
{
    const char *why = NULL;
    GError *err = NULL;
    const struct accel_ops *a = accel_choose(name, by_software, &why, &err);

    cr_assert(a, "%s", err ? err->message : "no reason");
    cr_expect(g_str_has_prefix(why, want_why), "'%s' does not begin with '%s'", why, want_why);
    return a;
}

static const struct accel_ops *choose(const char *name, const char *want_why)
{
    return choose_by(name, false, want_why);
}

static void refuse(const char *name, enum candela_error code, const char *words)
{
    const char *why = NULL;
    GError *err = NULL;

    cr_expect_null(accel_choose(name, false, &why, &err));
    cr_assert(g_error_matches(err, CANDELA_ERROR, (int)code));
    cr_expect(strstr(err->message, words), "'%s' does not say '%s'", err->message, words);
    g_error_free(err);
}

Test(accel, auto_is_kvm_where_it_runs_everything_else_the_translator)
{
    g_autofree char *no = NULL;
    bool kvm = kvm_try(&no) == KVM_FIT_ALL;

    cr_expect_eq(!no, kvm);
    cr_expect_eq(choose("auto", kvm ? "kvm: " : "jit: "), kvm ? &accel_kvm : &accel_jit);
    cr_expect_eq(choose(NULL, kvm ? "kvm: " : "jit: "), kvm ? &accel_kvm : &accel_jit);
    cr_expect_eq(choose_by("auto", true, "jit: "), &accel_jit);
    cr_expect_eq(choose("interp", "as asked"), &accel_interp);
    cr_expect_eq(choose("jit", "as asked"), &accel_jit);
    refuse("warp", CANDELA_ERROR_CONFIG, "auto, kvm, kvm-user-apic, jit, interp");
}

/* No more files may be opened: no memory can be had that is mapped twice. */
Test(accel, without_executable_memory_auto_is_the_interpreter)
{
    struct rlimit none = {0, 0}, before;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    cr_expect_eq(choose("auto", "interp: no executable memory for the translator: "),
                 &accel_interp);
    cr_expect_eq(choose("interp", "as asked"), &accel_interp);
    refuse("jit", CANDELA_ERROR_ACCEL, "--accel jit: no executable memory");
    cr_expect(accel_known("jit", NULL), "an option that is right, whatever the host can do");
    setrlimit(RLIMIT_NOFILE, &before);
}
