/*
 * A vCPU under KVM: its run loop, exits and requests.
 *
 * KVM_RUN leaves the guest for devices, MSRs that are ours, HLT, and when a signal comes: whoever
 * asks for something sets `immediate_exit`, which a KVM_RUN to come sees, and sends the signal,
 * which ends one that is under way.  An instruction that left for a device or an MSR is finished by
 * the next KVM_RUN; before the thread leaves the run loop that is done without entering the guest,
 * so that the state is always one between instructions.
 *
 * Interrupts come from the kernel's local APIC (kvm_irq.c), or from ours.  Then, and always where
 * the 8259 asks, they are injected when the guest can take them, with a "window" exit asked for
 * when it cannot.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst (KVM_RUN, struct kvm_run).
 *
 * Not modelled: see accel/kvm.c.
 */
#include "accel/kvm_int.h"
#include "accel/requests.h"
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- life ---- */

/* Code of the kind that the guest runs by now. */
static bool runs_code_of(const struct cpu *c, GError **err)
{
    g_autofree char *why = NULL;

    if (!cpu_is_long(c) || kvm_try(&why) == KVM_FIT_ALL) {
        return true;
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_ACCEL,
                "KVM: the guest runs 64-bit code by now, and %s", why);
    return false;
}

/* What the guest was shown of the CPU has to be here, and its TSC at the rate it has counted. */
static bool fits_guest(struct kvm_vcpu *e, const struct cpu *c, bool force, GError **err)
{
    uint32_t khz = c->tsc_khz;

    if (!force && !runs_code_of(c, err)) {
        return false;
    }
    if (!kvm_tsc_set_rate(e, khz)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                    "KVM: the host's time stamp counter has no known rate: %s", g_strerror(errno));
        return false;
    }
    if (!force && e->k->tsc_khz != khz) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_ACCEL,
                    "KVM: the guest knows its time stamp counter at %u kHz, and this host cannot "
                    "make its own, of %u kHz, count so; a machine started with --accel kvm has it "
                    "at the host's rate in every engine",
                    khz, e->k->tsc_khz);
        return false;
    }
    return force || kvm_cpuid_fits(e->k, c, err);
}

/* Make of c what the host can run; its TSC counts on from where it is. */
static void adapt(struct kvm_vcpu *e, struct cpu *c)
{
    uint64_t now = cpu_tsc(c);

    kvm_cpuid_limit(e->k, c);
    c->tsc_khz = e->k->tsc_khz;
    c->tsc_offset = now - cpu_tsc_ticks(c, clock_now(c->v->m));
}

bool kvm_vcpu_attach(struct vcpu *v, bool force, GError **err)
{
    struct kvm *k = v->m->accel_data;
    struct kvm_vcpu *e = g_new0(struct kvm_vcpu, 1);

    e->k = k;
    e->stats = -1;
    v->engine = e;
    if (!k->chosen) { /* the devices are there now, and no vCPU is yet */
        kvm_irq_init(v->m);
        k->chosen = kvm_msr_init(k, err);
        if (!k->chosen) {
            e->fd = -1;
            kvm_vcpu_detach(v);
            return false;
        }
    }
    e->fd = kvm_call(k->vm, KVM_CREATE_VCPU, (void *)(uintptr_t)v->id);
    e->run = e->fd < 0 ? MAP_FAILED
                       : mmap(NULL, k->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, e->fd, 0);
    if (e->run == MAP_FAILED) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "KVM: cannot make vCPU %u: %s", v->id,
                    g_strerror(errno));
    } else if (fits_guest(e, v->cpu, force, err)) {
        kvm_stats_init(v);
        kvm_posted_init(v->m, e->run);
        return true;
    }
    kvm_vcpu_detach(v);
    return false;
}

void kvm_vcpu_detach(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;

    kvm_posted_fini(v->m);
    kvm_stats_fini(v);
    if (e->run && e->run != MAP_FAILED) {
        munmap(e->run, e->k->run_bytes);
    }
    if (e->fd >= 0) {
        close(e->fd);
    }
    g_free(e);
    v->engine = NULL;
}

bool kvm_vcpu_init(struct vcpu *v, GError **err)
{
    return accel_new_vcpu(v, &accel_kvm, err);
}

void kvm_vcpu_fini(struct vcpu *v)
{
    kvm_vcpu_detach(v);
    accel_free_cpu(v);
}

/* Have struct cpu be up to date. */
static bool pull(struct vcpu *v)
{
    const struct kvm_vcpu *e = v->engine;
    g_autoptr(GError) err = NULL;

    if (e->loaded && !kvm_state_pull(v, &err)) {
        kvm_say("%s", err->message);
        return false;
    }
    return true;
}

/* struct cpu becomes the place of the newest state. */
static void take_over(struct vcpu *v)
{
    const struct kvm_vcpu *e = v->engine;

    if (e->given && e->k->split) { /* or it would come after a reset */
        machine_lock(v->m);
        kvm_irq_settle(v);
        machine_unlock(v->m);
        __atomic_store_n(&e->run->immediate_exit, 1,
                         __ATOMIC_SEQ_CST); /* it may have eaten a kick */
    }
    if (pull(v)) {
        kvm_vcpu_push(v);
    }
}

bool kvm_vcpu_pull(struct vcpu *v)
{
    if (v->m->switching) { /* not for those who only look */
        kvm_tsc_settle(v->m);
    }
    kvm_irq_pull(v->m);
    return pull(v);
}

void kvm_vcpu_push(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    struct cpu *c = v->cpu;

    e->loaded = false; /* KVM gets it when it runs next */
    if (!e->adapted) {
        c->watch = NULL;
        cpu_show_requests(c, false);
        adapt(e, c);
        e->adapted = true;
    }
}

void kvm_vcpu_reset(struct vcpu *v)
{
    take_over(v);
    accel_reset_cpu(v->cpu, false);
}

void kvm_vcpu_kick(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;

    __atomic_store_n(&e->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    pthread_kill(v->thread, KVM_SIGNAL);
}

/* ---- exits ---- */

static void exit_port(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    const struct kvm_run *r = e->run;
    uint8_t *data = (uint8_t *)e->run + r->io.data_offset;

    for (uint32_t n = 0; n < r->io.count; n++, data += r->io.size) {
        uint32_t val = 0;

        if (r->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&val, data, r->io.size);
            port_write(v, r->io.port, val, r->io.size);
        } else {
            val = port_read(v, r->io.port, r->io.size);
            memcpy(data, &val, r->io.size);
        }
    }
}

static __u64 *reg_of(struct kvm_regs *r, unsigned reg)
{
    __u64 *const at[] = {
        [VCPU_EAX] = &r->rax, [VCPU_ECX] = &r->rcx, [VCPU_EDX] = &r->rdx, [VCPU_EBX] = &r->rbx,
        [VCPU_ESP] = &r->rsp, [VCPU_EBP] = &r->rbp, [VCPU_ESI] = &r->rsi, [VCPU_EDI] = &r->rdi,
    };

    return at[reg & 7];
}

uint32_t kvm_vcpu_reg_get(struct vcpu *v, unsigned reg)
{
    struct kvm_regs r = {0};

    (void)kvm_call(((struct kvm_vcpu *)v->engine)->fd, KVM_GET_REGS, &r);
    return (uint32_t)*reg_of(&r, reg);
}

void kvm_vcpu_reg_set(struct vcpu *v, unsigned reg, uint32_t val)
{
    int fd = ((struct kvm_vcpu *)v->engine)->fd;
    struct kvm_regs r;

    if (kvm_call(fd, KVM_GET_REGS, &r) >= 0) {
        *reg_of(&r, reg) = (*reg_of(&r, reg) & ~0xffffffffull) | val;
        (void)kvm_call(fd, KVM_SET_REGS, &r);
    }
}

/* Lengths of 3, 5, 6 and 7 come of accesses that cross pages. */
static void exit_mmio(struct vcpu *v)
{
    struct kvm_run *r = ((struct kvm_vcpu *)v->engine)->run;
    unsigned len = MIN(r->mmio.len, 8u);

    for (unsigned at = 0, size; at < len; at += size) {
        uint64_t val = 0;

        size = len - at >= 8 ? 8 : len - at >= 4 ? 4 : len - at >= 2 ? 2 : 1;
        if (r->mmio.is_write) {
            memcpy(&val, r->mmio.data + at, size);
            aspace_write(v, r->mmio.phys_addr + at, val, size);
        } else {
            val = aspace_read(v, r->mmio.phys_addr + at, size);
            memcpy(r->mmio.data + at, &val, size);
        }
    }
}

static bool exit_unknown(struct vcpu *v)
{
    const struct kvm_vcpu *e = v->engine;
    const struct kvm_run *r = e->run;
    g_autoptr(GString) text = g_string_new(NULL);

    if (r->exit_reason == KVM_EXIT_INTERNAL_ERROR) {
        g_string_append_printf(text, "internal error %u", r->internal.suberror);
    } else if (r->exit_reason == KVM_EXIT_FAIL_ENTRY) {
        g_string_append_printf(text, "the processor refused to enter the guest (%#llx)",
                               r->fail_entry.hardware_entry_failure_reason);
    } else {
        g_string_append_printf(text, "exit %u, which is unknown here", r->exit_reason);
    }
    g_string_append_printf(text, "; the guest was here:\n");
    (void)pull(v);
    cpu_print(v->cpu, text);
    kvm_say("KVM, vCPU %u: %s", v->id, text->str);
    return false;
}

static void sync_tpr(struct vcpu *v)
{
    const struct kvm_run *r = ((struct kvm_vcpu *)v->engine)->run;

    if (!v->apic || ((struct kvm_vcpu *)v->engine)->k->split) {
        return;
    }
    machine_lock(v->m);
    v->apic->set_tpr(v->apic_dev, (uint8_t)r->cr8);
    machine_unlock(v->m);
}

/* After KVM_RUN; false: the thread leaves the run loop with *exit. */
static bool handle_exit(struct vcpu *v, enum vcpu_exit *exit)
{
    struct kvm_vcpu *e = v->engine;
    bool is_write;

    e->unfinished = false;
    /* These two come before the guest is entered, too. */
    e->given &= e->run->exit_reason == KVM_EXIT_INTR || e->run->exit_reason == KVM_EXIT_IOAPIC_EOI;
    switch (e->run->exit_reason) {
    case KVM_EXIT_IO:
        exits_note(&v->exits, EXITS_PORT);
        e->unfinished = true;
        exit_port(v);
        break;
    case KVM_EXIT_MMIO:
        exits_note(&v->exits, EXITS_MMIO);
        e->unfinished = true;
        exit_mmio(v);
        break;
    case KVM_EXIT_X86_RDMSR:
    case KVM_EXIT_X86_WRMSR:
        is_write = e->run->exit_reason == KVM_EXIT_X86_WRMSR;
        exits_note(&v->exits, is_write ? EXITS_WRMSR : EXITS_RDMSR);
        e->unfinished = true;
        kvm_msr_exit(v, is_write);
        break;
    case KVM_EXIT_HLT:
        exits_note(&v->exits, EXITS_HALT);
        ((struct cpu *)v->cpu)->halted = true;
        break;
    case KVM_EXIT_IOAPIC_EOI:
        exits_note(&v->exits, EXITS_EOI);
        kvm_irq_exit_eoi(v);
        break;
    case KVM_EXIT_INTR:
        exits_note(&v->exits, EXITS_REQUEST);
        break;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        exits_note(&v->exits, EXITS_WINDOW);
        break;
    case KVM_EXIT_SET_TPR:
        exits_note(&v->exits, EXITS_TPR);
        break;
    case KVM_EXIT_SHUTDOWN:
        exits_note(&v->exits, EXITS_SHUTDOWN);
        take_over(v);
        ((struct cpu *)v->cpu)->shutdown = true;
        *exit = VCPU_EXIT_SHUTDOWN;
        return false;
    default:
        *exit = VCPU_EXIT_ERROR;
        return exit_unknown(v);
    }
    return true;
}

/* ---- requests and interrupts ---- */

/* Takes the lock: the gate is the memory map's here. */
static void follow_a20(struct vcpu *v)
{
    struct machine *m = v->m;
    struct cpu *c = v->cpu;
    uint64_t mask = atomic_load(&m->a20_mask);

    if (mask == c->a20_mask) {
        return;
    }
    c->a20_mask = mask;
    machine_lock(m);
    machine_exclusive_begin(m);
    m->accel->map_changed(m);
    machine_exclusive_end(m);
    machine_unlock(m);
}

/* One that waits for its SIPI ignores them. */
static void inject_nmis(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    struct cpu *c = v->cpu;
    unsigned come = atomic_exchange(&v->nmis, 0), pin = atomic_exchange(&v->lint1, 0);

    come += pin && kvm_irq_lint1_is_nmi(v) ? pin : 0;
    come = v->wait_sipi ? 0 : MIN(come, 2u);
    c->halted = c->halted && !come;
    if (!e->loaded) {
        c->nmi_pending = (uint8_t)MIN(c->nmi_pending + come, 2u);
        return;
    }
    for (; come; come--) {
        if (kvm_call(e->fd, KVM_NMI, NULL) < 0) {
            kvm_say("KVM, vCPU %u: KVM_NMI: %s", v->id, g_strerror(errno));
        }
    }
}

/* False: for the caller of the run loop. */
static bool serve(struct vcpu *v)
{
    uint32_t req = vcpu_pending(v);

    if (req & (VCPU_REQ_PARK | VCPU_REQ_STOP)) {
        return false;
    }
    if (req & (VCPU_REQ_RESET | VCPU_REQ_INIT)) {
        take_over(v);
        accel_serve_reset(v->cpu);
    }
    if (req & VCPU_REQ_NMI) {
        vcpu_clear(v, VCPU_REQ_NMI);
        inject_nmis(v);
    }
    if (req & VCPU_REQ_SIPI) {
        take_over(v);
        accel_take_sipi(v->cpu);
    }
    if (req & VCPU_REQ_CODE) {
        accel_drop_notes(v); /* no code of ours to go stale */
    }
    if (req & VCPU_REQ_TLB) {
        vcpu_clear(v, VCPU_REQ_TLB);
        follow_a20(v);
    }
    return true;
}

static bool can_interrupt(struct vcpu *v)
{
    const struct kvm_vcpu *e = v->engine;
    const struct cpu *c = v->cpu;

    return vcpu_pending(v) & VCPU_REQ_INTR &&
           (e->loaded ? e->run->if_flag : !!(c->eflags & FLAG_IF));
}

/*
 * Give the guest what waits for it, or ask to be told when it can take it.  One at a time: a vector
 * that was given counts as taken once the guest was entered, and before that nobody acknowledges
 * another, for which there would be no place.
 */
static bool inject_interrupt(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    struct kvm_interrupt irq;
    int vector;

    e->run->request_interrupt_window = 0;
    if (!(vcpu_pending(v) & VCPU_REQ_INTR)) {
        return true;
    }
    if (!e->run->ready_for_interrupt_injection || !e->run->if_flag || e->unfinished || e->given) {
        e->run->request_interrupt_window = 1;
        return true;
    }
    vector = vcpu_ack_intr(v);
    if (vector < 0) {
        return true;
    }
    ((struct cpu *)v->cpu)->halted = false;
    e->run->ready_for_interrupt_injection = 0;
    irq.irq = (uint32_t)vector;
    if (kvm_call(e->fd, KVM_INTERRUPT, &irq) < 0) {
        kvm_say("KVM, vCPU %u: KVM_INTERRUPT: %s", v->id, g_strerror(errno));
        return false;
    }
    e->given = true;
    if (vcpu_pending(v) & VCPU_REQ_INTR) {
        e->run->request_interrupt_window = 1;
    }
    return true;
}

/* ---- the run loop ---- */

static bool load(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    struct cpu *c = v->cpu;
    g_autoptr(GError) err = NULL;

    if (v->apic && !e->k->split) {
        machine_lock(v->m);
        e->run->cr8 = v->apic->get_tpr(v->apic_dev);
        machine_unlock(v->m);
    }
    /* Once, and not before: what it says of the APIC is under the lock. */
    if ((!e->has_cpuid && !kvm_cpuid_set(e, c, &err)) || !kvm_state_push(v, &err)) {
        kvm_say("%s", err->message);
        return false;
    }
    e->has_cpuid = true;
    e->run->if_flag = !!(c->eflags & FLAG_IF);
    e->run->ready_for_interrupt_injection = 0;
    /* KVM_RUN says whether it is ready; one that is halted would sleep with what waits for it. */
    __atomic_store_n(&e->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    return true;
}

/* What has to be as the kernel's before the guest is entered. */
static bool prepare(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;

    if (!kvm_irq_push(v->m) || (!e->loaded && !load(v))) {
        return false;
    }
    if (!e->tsc_set || e->tsc_clock != atomic_load(&v->m->clock_offset)) {
        kvm_tsc_push(v); /* virtual time has stood still */
    }
    return inject_interrupt(v);
}

/* KVM_RUN; false: it failed, and not by a signal. */
static bool enter(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    uint64_t tpr = e->run->cr8;

    exits_go(&v->exits, EXITS_GUEST);
    int n = ioctl(e->fd, KVM_RUN, NULL), error = errno;
    uint64_t ticks = exits_go(&v->exits, EXITS_OUT);
    if (n < 0 && error != EINTR && error != EAGAIN) {
        kvm_say("KVM, vCPU %u: KVM_RUN: %s", v->id, g_strerror(error));
        return false;
    }
    if (n < 0) {
        e->run->exit_reason = KVM_EXIT_INTR;
    } else {
        exits_trip(&v->exits, ticks);
    }
    if (e->run->cr8 != tpr) {
        sync_tpr(v);
    }
    return true;
}

/* Let the last exit's instruction come to its end, and no further. */
static bool finish(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    enum vcpu_exit exit;

    while (e->unfinished) {
        __atomic_store_n(&e->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        if (!enter(v) || !handle_exit(v, &exit)) {
            return false;
        }
    }
    return true;
}

/* Whether there is nothing to do for a halted processor. */
static bool is_idle(struct vcpu *v)
{
    struct cpu *c = v->cpu;

    if (((struct kvm_vcpu *)v->engine)->k->split) {
        return false; /* the kernel waits */
    }
    if (c->halted && (can_interrupt(v) || vcpu_pending(v) & VCPU_REQ_NMI)) {
        c->halted = false;
    }
    return c->halted || v->wait_sipi;
}

static enum vcpu_exit run_loop(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    enum vcpu_exit exit;

    for (;;) {
        /* Cleared before the requests are read, and set after they are written: none is missed. */
        __atomic_store_n(&e->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        if (unlikely(vcpu_pending(v)) && !serve(v)) {
            return VCPU_EXIT_REQUEST;
        }
        if (((struct cpu *)v->cpu)->shutdown) {
            return VCPU_EXIT_SHUTDOWN;
        }
        if (is_idle(v)) {
            return VCPU_EXIT_HALT;
        }
        if (!prepare(v) || !enter(v)) {
            return VCPU_EXIT_ERROR;
        }
        if (!handle_exit(v, &exit)) {
            return exit;
        }
    }
}

enum vcpu_exit kvm_vcpu_run(struct vcpu *v)
{
    enum vcpu_exit exit;

    kvm_irq_begin(v);
    exit = run_loop(v);
    exit = exit == VCPU_EXIT_ERROR || finish(v) ? exit : VCPU_EXIT_ERROR;
    kvm_irq_end(v);
    return exit;
}
