/*
 * The split interrupt controller: the local APICs are the kernel's, the 8259 pair and the I/O APIC
 * ours.  A guest that ends an interrupt, sends one to another processor or sets its timer does so
 * without leaving, and the kernel wakes a halted processor.
 *
 * The state goes as a whole, for all processors at once: the first that runs the guest takes it
 * from the devices (machine.apics_away), and it goes back when somebody looks at it, when another
 * engine is to go on with it, and while virtual time stands still, as the kernel's timers would run
 * on.  A reset only drops the kernel's.
 *
 * Messages of the I/O APIC and MSIs go in by KVM_SIGNAL_MSI: all our devices raise theirs from our
 * own threads, so an irqfd would be one more system call for the same.  The kernel's table of
 * routes only says which vectors' ends leave the guest (KVM_EXIT_IOAPIC_EOI).  What the 8259 asks
 * goes in by KVM_INTERRUPT when the guest can take it, as without an APIC.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst (KVM_CAP_SPLIT_IRQCHIP, KVM_SET_LAPIC,
 * KVM_SET_GSI_ROUTING, KVM_SET_MP_STATE).
 *
 * Not modelled: INIT for a processor that shut down (it waits for a reset); making up for late
 * ticks of the kernel's APIC timers; LINT0 as anything but an ExtINT and LINT1 as anything but an
 * NMI; TPR bits 3..0 on the way here.
 */
#include "accel/kvm_int.h"
#include <errno.h>
#include <sys/ioctl.h>

#define MSR_TSC_DEADLINE 0x6e0u
/* In the page of registers. */
enum { APIC_SVR = 0xf0, APIC_LINT1 = 0x360, APIC_INITIAL = 0x380, APIC_CURRENT = 0x390 };

static_assert(sizeof((struct apic_state *)0)->regs == KVM_APIC_REG_SIZE, "one page of registers");

/* ---- the choice ---- */

/* Before the first vCPU is made.  A host that cannot do it is no error: we have APICs. */
void kvm_irq_init(struct machine *m)
{
    struct kvm *k = m->accel_data;
    struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {APIC_ROUTES}};

    for (unsigned i = 0; i < m->ncpus; i++) {
        if (!m->vcpus[i]->apic) {
            return;
        }
    }
    k->split = !k->user_apic && kvm_capability(k->vm, KVM_CAP_SPLIT_IRQCHIP) > 0 &&
               kvm_capability(k->vm, KVM_CAP_TSC_DEADLINE_TIMER) > 0 &&
               kvm_capability(k->vm, KVM_CAP_SIGNAL_MSI) > 0 &&
               kvm_capability(k->vm, KVM_CAP_MP_STATE) > 0 &&
               kvm_call(k->vm, KVM_ENABLE_CAP, &split) >= 0;
}

/* ---- messages and routes ---- */

bool kvm_irq_message(struct machine *m, const struct apic_message *msg)
{
    const struct kvm *k = m->accel_data;
    struct kvm_msi msi = {.address_lo = (uint32_t)msg->addr, .data = msg->data};

    return kvm_call(k->vm, KVM_SIGNAL_MSI, &msi) > 0;
}

static void routes_tell(const struct kvm *k)
{
    g_autofree struct kvm_irq_routing *table =
        g_malloc0(sizeof *table + APIC_ROUTES * sizeof table->entries[0]);

    for (unsigned n = 0; n < k->nroutes; n++) {
        table->entries[n] = (struct kvm_irq_routing_entry){
            .gsi = n,
            .type = KVM_IRQ_ROUTING_MSI,
            .u.msi = {.address_lo = (uint32_t)k->routes[n].addr, .data = k->routes[n].data},
        };
    }
    table->nr = k->nroutes;
    if (kvm_call(k->vm, KVM_SET_GSI_ROUTING, table) < 0) {
        kvm_say("KVM_SET_GSI_ROUTING: %s", g_strerror(errno));
    }
}

/* A change of the kernel's table costs it a grace period: guests mask and unmask pins all the time,
 * which changes nothing here. */
void kvm_irq_routes(struct machine *m, const struct apic_message *list, unsigned n)
{
    struct kvm *k = m->accel_data;
    bool same = k->nroutes == n;

    for (unsigned i = 0; same && i < n; i++) {
        same = list[i].addr == k->routes[i].addr && list[i].data == k->routes[i].data;
    }
    if (!same) {
        memcpy(k->routes, list, n * sizeof *list);
        k->nroutes = n;
    }
    if (!same && k->split) {
        routes_tell(k);
    }
}

/* KVM_EXIT_IOAPIC_EOI */
void kvm_irq_exit_eoi(struct vcpu *v)
{
    const struct kvm_run *r = ((struct kvm_vcpu *)v->engine)->run;

    machine_lock(v->m);
    if (v->m->apic_eoi) {
        v->m->apic_eoi(v->m, r->eoi.vector);
    }
    clock_interrupt_taken(v->m);
    machine_unlock(v->m);
}

/* ---- the state, one APIC ---- */

static bool deadline_call(struct kvm_vcpu *e, unsigned long request, uint64_t *val)
{
    g_autofree struct kvm_msrs *list = g_malloc0(sizeof *list + sizeof list->entries[0]);
    bool good;

    list->nmsrs = 1;
    list->entries[0] = (struct kvm_msr_entry){.index = MSR_TSC_DEADLINE, .data = *val};
    good = kvm_call(e->fd, request, list) == 1;
    *val = list->entries[0].data;
    return good;
}

static bool base_push(struct kvm_vcpu *e, uint64_t base)
{
    struct kvm_sregs s;

    if (kvm_call(e->fd, KVM_GET_SREGS, &s) < 0) {
        return false;
    }
    s.apic_base = base;
    return kvm_call(e->fd, KVM_SET_SREGS, &s) >= 0;
}

/* The TSC and the timer's mode come before the deadline: they are what the kernel goes by. */
static bool apic_push(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    struct kvm_lapic_state page;
    struct apic_state s;
    uint64_t deadline;

    v->apic->save(v->apic_dev, &s);
    memcpy(page.regs, s.regs, sizeof page.regs);
    if (!base_push(e, s.base) || kvm_call(e->fd, KVM_SET_LAPIC, &page) < 0) {
        return false;
    }
    kvm_tsc_push(v);
    deadline = cpu_deadline_to_tsc(v->cpu, s.tsc_deadline);
    return deadline_call(e, KVM_SET_MSRS, &deadline);
}

/*
 * Let the kernel do what it does on the way into the guest, and no instruction: a timer that has
 * run out becomes a request of its vector, and what KVM_INTERRUPT gave an event under way.  It
 * looks at `immediate_exit` before that, and at signals after it.  Twice, as one that was halted
 * wakes first.
 */
void kvm_irq_settle(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    union {
        struct kvm_signal_mask head;
        uint8_t bytes[sizeof(struct kvm_signal_mask) + 8]; /* sigset_t behind it: none is blocked */
    } open = {.bytes = {0}};
    sigset_t kick, old;
    int got;

    if (e->unfinished) {
        return;
    }
    open.head.len = 8;
    sigemptyset(&kick);
    sigaddset(&kick, KVM_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &kick, &old);
    pthread_kill(pthread_self(), KVM_SIGNAL);
    e->run->immediate_exit = 0;
    if (kvm_call(e->fd, KVM_SET_SIGNAL_MASK, &open) >= 0) {
        for (unsigned n = 0, stopped = 0; n < 8 && stopped < 2; n++) {
            if (ioctl(e->fd, KVM_RUN, NULL) < 0) {
                stopped++;
            } else if (e->run->exit_reason == KVM_EXIT_IOAPIC_EOI && v->m->apic_eoi) {
                v->m->apic_eoi(v->m, e->run->eoi.vector);
            }
        }
        (void)kvm_call(e->fd, KVM_SET_SIGNAL_MASK, NULL);
    }
    sigwait(&kick, &got);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* A count that ran out since the processor was settled is in no register yet. */
static bool page_pull(struct vcpu *v, struct kvm_lapic_state *page)
{
    const struct kvm_vcpu *e = v->engine;

    if (kvm_call(e->fd, KVM_GET_LAPIC, page) < 0) {
        return false;
    }
    if (ld_le32(page->regs + APIC_INITIAL) && !ld_le32(page->regs + APIC_CURRENT)) {
        kvm_irq_settle(v);
        return kvm_call(e->fd, KVM_GET_LAPIC, page) >= 0;
    }
    return true;
}

static bool apic_pull(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    struct cpu *c = v->cpu;
    uint64_t nominal = c->tsc_offset, deadline = 0;
    struct kvm_lapic_state page;
    struct kvm_sregs sregs;
    struct apic_state s;

    if (kvm_call(e->fd, KVM_GET_SREGS, &sregs) < 0 || !page_pull(v, &page) ||
        !deadline_call(e, KVM_GET_MSRS, &deadline)) {
        return false;
    }
    kvm_tsc_pull(v); /* the deadline is in counts of what the guest sees */
    s.base = sregs.apic_base;
    s.tsc_deadline = cpu_deadline_to_ns(c, deadline);
    c->tsc_offset = nominal;
    memcpy(s.regs, page.regs, sizeof s.regs);
    v->apic->load(v->apic_dev, &s);
    return true;
}

/* ---- the state, all of them ---- */

void kvm_irq_pull(struct machine *m)
{
    if (!atomic_load(&m->apics_away)) {
        return;
    }
    for (unsigned i = 0; i < m->ncpus; i++) { /* all: an end may make a message to another */
        kvm_irq_settle(m->vcpus[i]);
    }
    atomic_store(&m->apics_away, false);
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (!apic_pull(m->vcpus[i])) {
            kvm_say("KVM, vCPU %u: its local APIC cannot be read: %s", i, g_strerror(errno));
        }
    }
}

static bool push_all(struct machine *m)
{
    g_autoptr(GError) err = NULL;

    for (unsigned i = 0; i < m->ncpus; i++) {
        struct vcpu *v = m->vcpus[i];
        struct kvm_vcpu *e = v->engine;

        if (!e->has_cpuid && !kvm_cpuid_set(e, v->cpu, &err)) {
            kvm_say("%s", err->message);
            return false;
        }
        e->has_cpuid = true;
        if (!apic_push(v)) {
            kvm_say("KVM, vCPU %u: its local APIC cannot be set: %s", i, g_strerror(errno));
            return false;
        }
    }
    atomic_store(&m->apics_away, true);
    for (unsigned i = 0; i < m->ncpus; i++) {
        m->vcpus[i]->apic->update(m->vcpus[i]->apic_dev);
    }
    return true;
}

bool kvm_irq_push(struct machine *m)
{
    const struct kvm *k = m->accel_data;
    bool good = true;

    if (!k->split || atomic_load(&m->apics_away)) {
        return true;
    }
    machine_lock(m);
    if (!atomic_load(&m->apics_away)) {
        good = push_all(m);
    }
    machine_unlock(m);
    return good;
}

void kvm_irq_begin(struct vcpu *v)
{
    struct kvm *k = v->m->accel_data;

    machine_lock(v->m);
    k->inside++;
    machine_unlock(v->m);
}

/* The last one out stops the kernel's timers, if time stands still. */
void kvm_irq_end(struct vcpu *v)
{
    struct kvm *k = v->m->accel_data;

    machine_lock(v->m);
    k->inside--;
    if (!k->inside && !atomic_load(&v->m->clock_running)) {
        kvm_tsc_settle(v->m);
        kvm_irq_pull(v->m);
    }
    machine_unlock(v->m);
}

bool kvm_irq_lint1_is_nmi(struct vcpu *v)
{
    const struct kvm_vcpu *e = v->engine;
    struct kvm_lapic_state page;
    struct kvm_sregs s = {0};

    kvm_irq_fill_sregs(v, &s);
    if (!(s.apic_base & BIT(11))) {
        return true; /* without an APIC the pin is NMI */
    }
    return kvm_call(e->fd, KVM_GET_LAPIC, &page) >= 0 && ld_le32(page.regs + APIC_SVR) & BIT(8) &&
           (ld_le32(page.regs + APIC_LINT1) & 0x10700) == 0x400;
}

/* ---- halted, running, not started ---- */

bool kvm_irq_push_mp(struct vcpu *v)
{
    const struct kvm_vcpu *e = v->engine;
    struct cpu *c = v->cpu;
    struct kvm_mp_state s = {.mp_state = v->wait_sipi ? KVM_MP_STATE_INIT_RECEIVED
                                         : c->halted  ? KVM_MP_STATE_HALTED
                                                      : KVM_MP_STATE_RUNNABLE};

    if (!e->k->split) {
        return true;
    }
    v->wait_sipi = c->halted = false; /* the kernel's business from here on */
    return kvm_call(e->fd, KVM_SET_MP_STATE, &s) >= 0;
}

/* Before the registers are read: the kernel may take an INIT on the occasion. */
bool kvm_irq_pull_mp(struct vcpu *v)
{
    const struct kvm_vcpu *e = v->engine;
    struct cpu *c = v->cpu;
    struct kvm_mp_state s;

    if (!e->k->split) {
        return true;
    }
    if (kvm_call(e->fd, KVM_GET_MP_STATE, &s) < 0) {
        return false;
    }
    v->wait_sipi =
        s.mp_state == KVM_MP_STATE_INIT_RECEIVED || s.mp_state == KVM_MP_STATE_UNINITIALIZED;
    c->halted = s.mp_state == KVM_MP_STATE_HALTED;
    return true;
}

void kvm_irq_fill_sregs(struct vcpu *v, struct kvm_sregs *to)
{
    const struct kvm_vcpu *e = v->engine;
    struct kvm_sregs s;

    to->apic_base = 0xfee00900;
    to->cr8 = e->run->cr8;
    if (v->apic && atomic_load(&v->m->apics_away) && kvm_call(e->fd, KVM_GET_SREGS, &s) >= 0) {
        to->apic_base = s.apic_base;
        to->cr8 = s.cr8;
    } else if (v->apic) {
        to->apic_base = v->apic->get_base(v->apic_dev);
    }
}
