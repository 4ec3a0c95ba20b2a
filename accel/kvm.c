/*
 * The KVM accelerator: the machine's part, and the hooks.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst.
 *
 * Everything but the instructions is ours: interrupt controllers, timers, CPUID's contents and the
 * model-specific registers that the processor does not itself use.  So a machine is the same
 * machine whoever runs it, and its state can go from one engine to another.  The local APICs are
 * the kernel's while the guest runs (kvm_irq.c), where the host has them and they are not declined.
 *
 * Not modelled: nested guests, SMM, single-step and breakpoints of ours.
 */
#include "accel/kvm_int.h"
#include "accel/interp.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void kvm_say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, args);
    va_end(args);

    fprintf(stderr, "candela: %s\n", text);
}

bool kvm_available(GError **err)
{
    g_autofree char *why = NULL;

    if (kvm_try(&why) == KVM_FIT_NONE) {
        g_set_error_literal(err, CANDELA_ERROR, CANDELA_ERROR_HOST, why);
        return false;
    }
    return true;
}

void kvm_machine_fini(struct machine *m)
{
    struct kvm *k = m->accel_data;

    m->accel_data = NULL;
    kvm_mem_fini(k);
    if (k->vm >= 0) {
        close(k->vm);
    }
    if (k->dev >= 0) {
        close(k->dev);
    }
    g_mutex_clear(&k->tsc_lock);
    g_free(k->supported);
    g_free(k);
}

static bool kvm_create(struct kvm *k, GError **err)
{
    /* Intel processors need a page or two of the guest's for real mode: below the BIOS. */
    uint64_t identity = 0xfeffc000;
    int size;

    if (!kvm_catch_kicks(NULL)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "KVM: no signal to be had: %s",
                    g_strerror(errno));
        return false;
    }
    k->dev = kvm_open(err);
    k->supported = k->dev >= 0 ? kvm_supported_cpuid(k->dev, err) : NULL;
    if (!k->supported) {
        return false;
    }
    k->vm = kvm_call(k->dev, KVM_CREATE_VM, NULL);
    size = kvm_call(k->dev, KVM_GET_VCPU_MMAP_SIZE, NULL);
    if (k->vm < 0 || size < (int)sizeof(struct kvm_run)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "/dev/kvm: cannot make a machine: %s",
                    g_strerror(errno));
        return false;
    }
    k->run_bytes = (size_t)size;
    k->max_slots = (unsigned)CLAMP(kvm_capability(k->vm, KVM_CAP_NR_MEMSLOTS), 32, 4096);
    k->slot_used = g_malloc0(k->max_slots);
    k->has_readonly = kvm_capability(k->vm, KVM_CAP_READONLY_MEM) > 0;
    kvm_tsc_init(k);
    /* Where they are refused the processor does not need them. */
    (void)kvm_call(k->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
    (void)kvm_call(k->vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)(identity + 0x1000));
    return true;
}

static bool kvm_init_with(struct machine *m, bool user_apic, GError **err)
{
    struct kvm *k = g_new0(struct kvm, 1);

    k->dev = k->vm = -1;
    k->user_apic = user_apic;
    g_mutex_init(&k->tsc_lock);
    k->slots = g_array_new(FALSE, FALSE, sizeof(struct kvm_slot));
    m->accel_data = k;
    m->fault_report = interp_fault_report;
    if (kvm_create(k, err) && kvm_mem_update(m, err)) {
        return true;
    }
    kvm_machine_fini(m);
    return false;
}

bool kvm_machine_init(struct machine *m, GError **err)
{
    return kvm_init_with(m, true, err);
}

static bool counts_nothing(const struct machine *m, GError **err)
{
    if (m->config.max_insns || m->trace_mask & TR_INSN) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "--accel kvm: the host's processor does not count or trace instructions; "
                    "--accel jit does");
        return false;
    }
    return true;
}

static bool kvm_init(struct machine *m, GError **err)
{
    return counts_nothing(m, err) && kvm_init_with(m, false, err);
}

static bool kvm_init_user_apic(struct machine *m, GError **err)
{
    return counts_nothing(m, err) && kvm_machine_init(m, err);
}

void kvm_map_changed(struct machine *m)
{
    g_autoptr(GError) err = NULL;

    kvm_posted_update(m);
    if (!kvm_mem_update(m, &err)) {
        kvm_say("%s", err->message);
        machine_end(m, END_ERROR, 1);
    }
}

#define KVM_OPS                                                                                    \
    .available = kvm_available, .fini = kvm_machine_fini, .vcpu_init = kvm_vcpu_init,              \
    .vcpu_attach = kvm_vcpu_attach, .vcpu_detach = kvm_vcpu_detach, .vcpu_fini = kvm_vcpu_fini,    \
    .vcpu_run = kvm_vcpu_run, .vcpu_kick = kvm_vcpu_kick, .vcpu_reset = kvm_vcpu_reset,            \
    .state_pull = kvm_vcpu_pull, .state_push = kvm_vcpu_push, .reg_get = kvm_vcpu_reg_get,         \
    .reg_set = kvm_vcpu_reg_set, .map_changed = kvm_map_changed, .dirty_pull = kvm_mem_pull_dirty, \
    .apic_message = kvm_irq_message, .apic_routes = kvm_irq_routes, .apics_pull = kvm_irq_pull,    \
    .kernel_counts = kvm_stats_tell

const struct accel_ops accel_kvm = {
    .name = "kvm",
    .title = "the host's processor (VT-x or AMD-V) through /dev/kvm",
    .init = kvm_init,
    KVM_OPS,
};

const struct accel_ops accel_kvm_user_apic = {
    .name = "kvm-user-apic",
    .title = "the same, but for the local APICs, which are emulated",
    .init = kvm_init_user_apic,
    KVM_OPS,
};
