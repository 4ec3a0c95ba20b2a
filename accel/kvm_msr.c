/*
 * Model-specific registers under KVM, and the time stamp counter.
 *
 * The kernel keeps those that the processor itself uses; every other access leaves the guest and is
 * answered by cpu/msr.c, so that the register file is the model's and not the host's.  Writes to
 * the TSC come here too: c->tsc_offset is always what counts.
 *
 * The TSC runs at the software CPU's rate where the host's processor can scale it, else at the
 * host's own; cpu_tsc and CPUID then follow.  All vCPUs get their offset from one look at both
 * clocks, so that their counters agree to the tick.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst (KVM_X86_SET_MSR_FILTER), devices/vcpu.rst
 * (KVM_VCPU_TSC_OFFSET).
 *
 * Not modelled: registers of the host that our models have not.
 */
#include "accel/kvm_int.h"
#include <errno.h>

/* ---- what the kernel keeps ---- */

struct kept {
    uint32_t first, count;
    bool read_only; /* writes come to us */
};
static const struct kept kept[] = {
    {0x10, 1, true},        /* TSC */
    {0x48, 2, false},       /* SPEC_CTRL, PRED_CMD */
    {0x174, 3, false},      /* SYSENTER */
    {0x277, 1, false},      /* PAT */
    {0xc0000080, 5, false}, /* EFER, STAR, LSTAR, CSTAR, SFMASK */
    {0xc0000100, 4, false}, /* FS, GS, KERNEL_GS_BASE, TSC_AUX */
};
/* Besides, with local APICs of the kernel's (x2APIC registers are then in any case). */
static const struct kept kept_split[] = {
    {0x1b, 1, false},  /* APIC_BASE */
    {0x6e0, 1, false}, /* TSC_DEADLINE */
};
static_assert(ARRAY_LEN(kept) + ARRAY_LEN(kept_split) <= KVM_MSR_FILTER_MAX_RANGES,
              "they are the kernel's");

bool kvm_msr_init(struct kvm *k, GError **err)
{
    uint8_t ones = 0xff;
    struct kvm_msr_filter filter = {.flags = KVM_MSR_FILTER_DEFAULT_DENY};
    struct kvm_enable_cap exits = {
        .cap = KVM_CAP_X86_USER_SPACE_MSR,
        .args = {KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
                 KVM_MSR_EXIT_REASON_FILTER},
    };

    for (unsigned n = 0; n < ARRAY_LEN(kept) + (k->split ? ARRAY_LEN(kept_split) : 0); n++) {
        const struct kept *r = n < ARRAY_LEN(kept) ? &kept[n] : &kept_split[n - ARRAY_LEN(kept)];

        filter.ranges[n] = (struct kvm_msr_filter_range){
            .flags = KVM_MSR_FILTER_READ | (r->read_only ? 0 : KVM_MSR_FILTER_WRITE),
            .base = r->first,
            .nmsrs = r->count,
            .bitmap = &ones,
        };
    }
    if (kvm_call(k->vm, KVM_ENABLE_CAP, &exits) >= 0 &&
        kvm_call(k->vm, KVM_X86_SET_MSR_FILTER, &filter) >= 0) {
        return true;
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "KVM: MSRs cannot be filtered: %s",
                g_strerror(errno));
    return false;
}

void kvm_msr_exit(struct vcpu *v, bool write)
{
    struct kvm_vcpu *e = v->engine;
    struct kvm_run *r = e->run;
    struct cpu *c = v->cpu;
    uint64_t val = r->msr.data, nominal = c->tsc_offset, actual;
    struct exits_row *row = exits_row(&v->exits, &v->exits.msrs, r->msr.index);

    /* Deadlines are counts of what the guest sees; what it makes of the offset, though, is a change
     * of the one that all vCPUs started with. */
    kvm_tsc_pull(v);
    actual = c->tsc_offset;
    if (write) {
        r->msr.error = !cpu_wrmsr(c, r->msr.index, val);
    } else {
        r->msr.error = !cpu_rdmsr(c, r->msr.index, &val);
        r->msr.data = val;
    }
    c->tsc_offset += nominal - actual;
    if (c->tsc_offset != nominal) {
        kvm_tsc_push(v);
    }
    exits_end(&v->exits, row, write ? EXITS_WRMSR : EXITS_RDMSR, write, 0);
}

/* ---- the time stamp counter ---- */

void kvm_tsc_init(struct kvm *k)
{
    k->tsc_scaled = kvm_capability(k->vm, KVM_CAP_TSC_CONTROL) > 0;
    k->tsc_khz = CPU_TSC_KHZ;
}

bool kvm_tsc_set_rate(struct kvm_vcpu *e, uint32_t wanted)
{
    struct kvm *k = e->k;
    int khz;

    if (k->tsc_scaled && kvm_call(e->fd, KVM_SET_TSC_KHZ, (void *)(uintptr_t)wanted) < 0) {
        k->tsc_scaled = false;
    }
    khz = kvm_call(e->fd, KVM_GET_TSC_KHZ, NULL);
    k->tsc_khz = khz > 0 ? (uint32_t)khz : wanted;
    return khz > 0;
}

static bool tsc_offset_call(struct kvm_vcpu *e, unsigned long request, uint64_t *offset)
{
    struct kvm_device_attr attr = {
        .group = KVM_VCPU_TSC_CTRL,
        .attr = KVM_VCPU_TSC_OFFSET,
        .addr = (uintptr_t)offset,
    };

    return kvm_call(e->fd, request, &attr) >= 0;
}

/* KVM_GET_MSRS or KVM_SET_MSRS of the TSC alone. */
static bool tsc_call(struct kvm_vcpu *e, unsigned long request, uint64_t *val)
{
    g_autofree struct kvm_msrs *list = g_malloc0(sizeof *list + sizeof list->entries[0]);
    bool good;

    list->nmsrs = 1;
    list->entries[0] = (struct kvm_msr_entry){.index = 0x10, .data = *val};
    good = kvm_call(e->fd, request, list) == 1;
    *val = list->entries[0].data;
    return good;
}

/*
 * What the kernel's offset is to be for a c->tsc_offset of 0: found once for all vCPUs while
 * virtual time runs on.  First the kernel's own arithmetic is asked what it makes of an offset of
 * 0.
 */
static bool tsc_find_base(struct vcpu *v, uint64_t *base)
{
    struct kvm_vcpu *e = v->engine;
    struct kvm *k = e->k;
    int64_t clock = atomic_load(&v->m->clock_offset);
    uint64_t offset = 0, now = 0, was;

    g_mutex_lock(&k->tsc_lock);
    bool good = k->tsc_known && k->tsc_clock == clock;
    if (!good && tsc_offset_call(e, KVM_GET_DEVICE_ATTR, &was) &&
        tsc_offset_call(e, KVM_SET_DEVICE_ATTR, &offset) && tsc_call(e, KVM_GET_MSRS, &now)) {
        k->tsc_base = cpu_tsc_ticks(v->cpu, clock_now(v->m)) - now;
        k->tsc_clock = clock;
        k->tsc_known = good = true;
    }
    *base = k->tsc_base;
    g_mutex_unlock(&k->tsc_lock);
    return good;
}

void kvm_tsc_push(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    struct cpu *c = v->cpu;
    uint64_t base, offset;

    e->tsc_clock = atomic_load(&v->m->clock_offset);
    e->tsc_set = true;
    if (tsc_find_base(v, &base)) {
        offset = base + c->tsc_offset;
        if (tsc_offset_call(e, KVM_SET_DEVICE_ATTR, &offset)) {
            e->tsc_offset = offset;
            return;
        }
    }
    offset = cpu_tsc(c);
    (void)tsc_call(e, KVM_SET_MSRS, &offset); /* older kernels: good to a microsecond */
    e->tsc_offset = 0;
}

enum { LOOKS = 3 };

/* What the guest's counter shows, and virtual time no later than that; of some looks the one that
 * took the shortest.  False: it cannot be had. */
static bool tsc_look(struct vcpu *v, uint64_t *count, int64_t *at)
{
    struct kvm_vcpu *e = v->engine;
    int64_t shortest = INT64_MAX;

    for (unsigned n = 0; n < LOOKS; n++) {
        int64_t start = clock_host_now(), before = clock_now(v->m);
        uint64_t now = 0;

        if (!e->k->tsc_scaled && e->tsc_offset) {
            now = __builtin_ia32_rdtsc() + e->tsc_offset;
        } else if (!tsc_call(e, KVM_GET_MSRS, &now)) {
            return false;
        }
        int64_t took = clock_host_now() - start;
        if (took < shortest) {
            shortest = took;
            *count = now;
            *at = before;
        }
    }
    return true;
}

/*
 * The host's clocks drift against each other: what the counter shows now, not what was set, is what
 * the guest goes by.
 */
void kvm_tsc_pull(struct vcpu *v)
{
    const struct kvm_vcpu *e = v->engine;
    struct cpu *c = v->cpu;
    uint64_t count = 0;
    int64_t at = 0;

    if (e->tsc_set && e->tsc_clock == atomic_load(&v->m->clock_offset) &&
        tsc_look(v, &count, &at)) {
        c->tsc_offset = count - cpu_tsc_ticks(c, at);
    }
}

/* All by one look, as they were set; also those that have not run since time went on, so that they
 * go on to agree. */
void kvm_tsc_settle(struct machine *m)
{
    struct kvm *k = m->accel_data;
    uint64_t drift = 0;

    for (unsigned i = 0; i < m->ncpus && !drift; i++) {
        struct cpu *c = m->vcpus[i]->cpu;
        uint64_t was = c->tsc_offset;

        kvm_tsc_pull(m->vcpus[i]);
        drift = c->tsc_offset - was;
        c->tsc_offset = was;
    }
    for (unsigned i = 0; i < m->ncpus; i++) {
        ((struct cpu *)m->vcpus[i]->cpu)->tsc_offset += drift;
        ((struct kvm_vcpu *)m->vcpus[i]->engine)->tsc_set = false;
    }
    k->tsc_known = false; /* no vCPU is there to look */
}
