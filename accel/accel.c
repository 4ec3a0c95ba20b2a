/*
 * The list of accelerators and the choice among them: KVM where it runs guests of every kind, else
 * the translator, else the interpreter.
 *
 * Not modelled: other hosts' interfaces to VT-x and AMD-V.
 */
#include "accel/accel.h"
#include "accel/check.h"
#include "accel/interp.h"
#include "accel/kvm.h"

static const struct accel_ops *const accelerators[] = {
    &accel_kvm,       &accel_kvm_user_apic, &accel_jit,         &accel_interp,
    &accel_check_jit, &accel_check_kvm,     &accel_check_interp};

const char *const accel_names[] = {"auto",
                                   "kvm",
                                   "kvm-user-apic",
                                   "jit",
                                   "interp",
                                   "check:jit,interp",
                                   "check:kvm,interp",
                                   "check:interp,interp",
                                   NULL};

static const struct accel_ops *find(const char *name)
{
    for (size_t n = 0; n < ARRAY_LEN(accelerators); n++) {
        if (!strcmp(name, accelerators[n]->name)) {
            return accelerators[n];
        }
    }
    return NULL;
}

static bool is_auto(const char *name)
{
    return !name || !strcmp(name, "auto");
}

bool accel_known(const char *name, GError **err)
{
    if (is_auto(name) || find(name)) {
        return true;
    }
    g_autoptr(GString) names = g_string_new("auto");
    for (size_t n = 0; n < ARRAY_LEN(accelerators); n++) {
        g_string_append_printf(names, "%s%s", n + 1 < ARRAY_LEN(accelerators) ? ", " : " and ",
                               accelerators[n]->name);
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                "--accel %s: unknown accelerator; this version has %s", name, names->str);
    return false;
}

static bool is_available(const struct accel_ops *a, GError **err)
{
    return !a->available || a->available(err);
}

static const struct accel_ops *choose_fastest(bool by_software, const char **why)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *no = NULL, *text = NULL;
    const struct accel_ops *a = &accel_kvm;

    if (by_software) {
        no = g_strdup("KVM neither counts nor traces instructions");
    }
    if (!by_software && kvm_try(&no) == KVM_FIT_ALL) {
        text = g_strdup("kvm: the host's processor runs the guest");
    } else if (is_available(&accel_jit, &err)) {
        a = &accel_jit;
        text = g_strdup_printf("jit: hot guest code is translated to the host's (%s)", no);
    } else {
        a = &accel_interp;
        text = g_strdup_printf("interp: %s (%s)", err->message, no);
    }
    *why = g_intern_string(text);
    return a;
}

const struct accel_ops *accel_choose(const char *name, bool by_software, const char **why,
                                     GError **err)
{
    g_autoptr(GError) no = NULL;

    if (is_auto(name)) {
        return choose_fastest(by_software, why);
    }
    if (!accel_known(name, err)) {
        return NULL;
    }
    const struct accel_ops *a = find(name);
    if (!is_available(a, &no)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_ACCEL, "--accel %s: %s; --accel %s", name,
                    no->message,
                    a == &accel_kvm || a == &accel_kvm_user_apic
                        ? "auto takes the best there is"
                        : "interp runs without the translator");
        return NULL;
    }
    *why = "as asked";
    return a;
}

bool accel_switch(struct machine *m, const char *name, bool force, GError **err)
{
    const char *why;
    const struct accel_ops *to =
        accel_choose(name, m->config.max_insns || m->trace_mask & TR_INSN, &why, err);

    return to && machine_switch(m, to, force, err);
}

void accel_help(GString *out)
{
    g_string_append_printf(out, "%-20s %s\n", "auto", "the fastest that works here");
    for (size_t n = 0; n < ARRAY_LEN(accelerators); n++) {
        g_string_append_printf(out, "%-20s %s\n", accelerators[n]->name, accelerators[n]->title);
    }
}
