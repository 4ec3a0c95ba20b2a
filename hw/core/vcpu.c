/*
 * vCPU handles and threads: requests, HLT, and what happens when the engine returns.
 *
 * `parked` says that the thread is out of guest code; see the head of machine.c for the rule.
 *
 * Not modelled: the processor (cpu/, accel/); SMM.
 */
#define _GNU_SOURCE /* pthread_setname_np */
#include "hw/core/code.h"
#include "hw/core/machine.h"
#include <signal.h>
#include <stdio.h>

/* A wait that ended within SHORT_NS makes the next one spin for up to SPIN_NS before it sleeps. */
#define SPIN_NS  25000
#define SHORT_NS 60000
/* Wake-ups in a row by an interrupt the engine cannot take, after which the pin is only looked at
 * now and then. */
#define IDLE_MAX 4
#define IDLE_US  5000

#define WAKE_ALWAYS (VCPU_REQ_STOP | VCPU_REQ_RESET | VCPU_REQ_INIT | VCPU_REQ_LOOK)

struct vcpu *vcpu_new(struct machine *m, unsigned id)
{
    struct vcpu *v = g_aligned_alloc0(1, align_up(sizeof *v, 64), 64);

    v->m = m;
    v->id = id;
    v->wait_sipi = id != 0;
    atomic_store(&v->idle_fd, -1);
    v->notes = g_array_new(FALSE, FALSE, sizeof(struct code_note));
    atomic_store(&v->parked, true);
    exits_init(&v->exits);
    g_mutex_init(&v->wake_lock);
    g_cond_init(&v->wake);
    return v;
}

void vcpu_free(struct vcpu *v)
{
    g_mutex_clear(&v->wake_lock);
    g_cond_clear(&v->wake);
    g_array_unref(v->notes);
    exits_fini(&v->exits);
    g_aligned_free(v);
}

/* Requests ---------------------------------------------------------------------------------- */

/* `wake_lock` keeps the engine from being exchanged meanwhile. */
static void vcpu_kick(struct vcpu *v)
{
    const struct accel_ops *accel = v->m->accel;

    if (!accel->vcpu_kick || machine_current_vcpu(v->m) == v) {
        return;
    }
    g_mutex_lock(&v->wake_lock);
    accel = v->m->accel;
    if (v->inside && accel->vcpu_kick) {
        accel->vcpu_kick(v);
    }
    g_mutex_unlock(&v->wake_lock);
}

void vcpu_request(struct vcpu *v, uint32_t req)
{
    uint32_t old = atomic_fetch_or(&v->requests, req);

    for (unsigned n = ARRAY_LEN(v->look); n-- > 0;) { /* who sees the first one takes back both */
        if (v->look[n]) { /* also when it is there: who set it may not have come as far as this */
            atomic_store(v->look[n], true);
        }
    }
    if ((old & req) == req) {
        return; /* whoever set it kicked */
    }
    if (req & ~(uint32_t)(VCPU_REQ_PARK | VCPU_REQ_TLB | VCPU_REQ_CODE)) {
        g_mutex_lock(&v->wake_lock);
        if (v->halted) {
            g_cond_signal(&v->wake);
        }
        g_mutex_unlock(&v->wake_lock);
    }
    if (v->running) {
        vcpu_kick(v);
    }
}

void vcpu_intr(struct vcpu *v, bool level)
{
    if (level) {
        vcpu_request(v, VCPU_REQ_INTR);
    } else {
        vcpu_clear(v, VCPU_REQ_INTR);
    }
}

bool vcpu_get_reg(struct machine *m, unsigned reg, uint32_t *val)
{
    struct vcpu *v = machine_current_vcpu(m);

    machine_assert_locked(m);
    if (!v || !m->accel || !m->accel->reg_get) {
        return false;
    }
    *val = m->accel->reg_get(v, reg);
    return true;
}

bool vcpu_set_reg(struct machine *m, unsigned reg, uint32_t val)
{
    struct vcpu *v = machine_current_vcpu(m);

    machine_assert_locked(m);
    if (!v || !m->accel || !m->accel->reg_set) {
        return false;
    }
    m->accel->reg_set(v, reg, val);
    return true;
}

void vcpu_nmi(struct vcpu *v)
{
    atomic_fetch_add(&v->nmis, 1);
    vcpu_request(v, VCPU_REQ_NMI);
}

void vcpu_init(struct vcpu *v)
{
    vcpu_clear(v, VCPU_REQ_SIPI); /* one that came before does not start what comes of the INIT */
    vcpu_request(v, VCPU_REQ_INIT);
}

void vcpu_sipi(struct vcpu *v, uint8_t vector)
{
    v->sipi_vector = vector;
    vcpu_request(v, VCPU_REQ_SIPI);
}

int vcpu_ack_intr(struct vcpu *v)
{
    struct machine *m = v->m;
    int vector = -1;

    machine_lock(m);
    if (v->apic) {
        vector = v->apic->ack(v->apic_dev);
    } else if (m->intack) {
        vector = m->intack(m);
    }
    clock_interrupt_taken(m);
    machine_unlock(m);
    return vector;
}

/* In and out of guest code ------------------------------------------------------------------ */

/* While it is inside the engine is not exchanged. */
static void vcpu_set_inside(struct vcpu *v, bool inside)
{
    g_mutex_lock(&v->wake_lock);
    atomic_store(&v->inside, inside);
    g_mutex_unlock(&v->wake_lock);
}

static void vcpu_leave(struct vcpu *v)
{
    struct machine *m = v->m;

    vcpu_set_inside(v, false);
    /* Either we see PARK here, or machine_exclusive_begin sees `parked` (machine_switch: `inside`):
     * both sides store, then load. */
    atomic_store(&v->parked, true);
    if (vcpu_pending(v) & VCPU_REQ_PARK) {
        g_mutex_lock(&m->lock);
        g_cond_broadcast(&m->parked_cond);
        g_mutex_unlock(&m->lock);
    }
}

/* Wait while the machine is paused, a reset is due or an exclusive section goes on; false: the
 * thread is to end. */
static bool vcpu_enter(struct vcpu *v)
{
    struct machine *m = v->m;
    bool stop;

    machine_lock(m);
    if (machine_holds_vcpus(m)) {
        exits_go(&v->exits, EXITS_HELD);
    }
    while (machine_holds_vcpus(m) && !(vcpu_pending(v) & VCPU_REQ_STOP)) {
        atomic_store_explicit(&m->lock_owner, NULL, memory_order_relaxed);
        g_cond_wait(&m->parked_cond, &m->lock);
        g_mutex_unlock(&m->lock);
        machine_lock(m); /* an exclusive section may have begun */
    }
    stop = vcpu_pending(v) & VCPU_REQ_STOP;
    exits_go(&v->exits, stop ? EXITS_HELD : EXITS_OUT);
    if (!stop) {
        vcpu_set_inside(v, true); /* with the machine lock: machine_switch looks */
    }
    machine_unlock(m);
    if (stop) {
        vcpu_leave(v);
    }
    return !stop;
}

/* HLT --------------------------------------------------------------------------------------- */

static bool vcpu_spin(struct vcpu *v, uint32_t mask, int64_t until)
{
    do {
        for (unsigned i = 0; i < 32; i++) {
            if (vcpu_pending(v) & mask) {
                return true;
            }
            __builtin_ia32_pause();
        }
    } while (clock_host_now() < until);
    return false;
}

/* `limit_us`: how long at most; 0: no limit. */
static void vcpu_sleep(struct vcpu *v, uint32_t mask, int64_t limit_us)
{
    int64_t end = g_get_monotonic_time() + limit_us;

    g_mutex_lock(&v->wake_lock);
    v->halted = true;
    while (!(vcpu_pending(v) & mask)) {
        if (!limit_us) {
            g_cond_wait(&v->wake, &v->wake_lock);
        } else if (!g_cond_wait_until(&v->wake, &v->wake_lock, end)) {
            break;
        }
    }
    v->halted = false;
    g_mutex_unlock(&v->wake_lock);
}

static void vcpu_wait_limited(struct vcpu *v, uint32_t mask, int64_t limit_us)
{
    int64_t start;

    mask |= VCPU_REQ_STOP;
    atomic_fetch_add_explicit(&v->halts, 1, memory_order_relaxed);
    if (vcpu_pending(v) & mask) {
        return;
    }
    exits_go(&v->exits, EXITS_HALTED);
    vcpu_leave(v);
    start = clock_host_now();
    atomic_store(&v->idle, true);
    if (v->m->on_idle) {
        v->m->on_idle(v->m->on_idle_arg);
    }
    if (!v->short_wait || !vcpu_spin(v, mask, start + SPIN_NS)) {
        vcpu_sleep(v, mask, limit_us);
    }
    atomic_store(&v->idle, false);
    v->short_wait = clock_host_now() - start < SHORT_NS;
    machine_lock(v->m); /* not past an exclusive section */
    exits_go(&v->exits, EXITS_OUT);
    machine_unlock(v->m);
}

void vcpu_wait(struct vcpu *v, uint32_t mask)
{
    vcpu_wait_limited(v, mask, 0);
}

/* The engine says nothing can be delivered.  `idle` counts returns in a row with the interrupt pin
 * high all the same. */
static void vcpu_halt(struct vcpu *v, unsigned *idle)
{
    uint32_t mask = WAKE_ALWAYS | VCPU_REQ_SMI | VCPU_REQ_NMI | VCPU_REQ_INTR;

    if (v->wait_sipi) {
        vcpu_wait(v, WAKE_ALWAYS | VCPU_REQ_SIPI);
        return;
    }
    *idle = vcpu_pending(v) & VCPU_REQ_INTR ? *idle + 1 : 0;
    if (*idle > IDLE_MAX) {
        /* HLT with interrupts off: the pin may stay high for ever. */
        vcpu_wait_limited(v, mask & ~(uint32_t)VCPU_REQ_INTR, IDLE_US);
    } else {
        vcpu_wait(v, mask);
    }
}

/* The thread -------------------------------------------------------------------------------- */

static void vcpu_show_fault(struct vcpu *v)
{
    struct machine *m = v->m;
    g_autoptr(GString) text = g_string_new(NULL);
    bool show;

    machine_lock(m);
    show = !m->fault_shown;
    m->fault_shown = true;
    machine_unlock(m);
    if (!show) {
        return;
    }
    g_string_append_printf(text, "triple fault on vCPU %u\n", v->id);
    if (m->fault_report) {
        m->fault_report(v, text);
    }
    fputs(text->str, stderr);
    if (m->log) {
        fputs(text->str, m->log);
    }
}

/* Triple fault: the policy, then sleep until something brings the processor out of shutdown. */
static void vcpu_shutdown(struct vcpu *v)
{
    struct machine *m = v->m;

    vcpu_show_fault(v);
    switch (m->config.on_triple_fault) {
    case TRIPLE_FAULT_RESET:
        machine_lock(m);
        machine_request_reset(m);
        machine_unlock(m);
        break;
    case TRIPLE_FAULT_PAUSE:
        machine_lock(m);
        machine_pause(m);
        machine_unlock(m);
        break;
    case TRIPLE_FAULT_EXIT:
        machine_end(m, END_TRIPLE_FAULT, 5);
        break;
    }
    vcpu_wait(v, WAKE_ALWAYS);
}

/* Act on what vcpu_run returned; the thread is in guest code, as far as parking goes, before and
 * after. */
static void vcpu_handle(struct vcpu *v, enum vcpu_exit exit, unsigned *idle)
{
    switch (exit) {
    case VCPU_EXIT_REQUEST:
        break;
    case VCPU_EXIT_HALT:
        vcpu_halt(v, idle);
        break;
    case VCPU_EXIT_SHUTDOWN:
        vcpu_shutdown(v);
        break;
    case VCPU_EXIT_BUDGET:
        machine_end(v->m, END_BUDGET, 6);
        vcpu_wait(v, VCPU_REQ_STOP);
        break;
    case VCPU_EXIT_ERROR:
        machine_end(v->m, END_ERROR, 1);
        vcpu_wait(v, VCPU_REQ_STOP);
        break;
    }
}

static enum vcpu_exit vcpu_run(struct vcpu *v)
{
    const struct accel_ops *accel = v->m->accel;

    vcpu_clear(v, VCPU_REQ_LOOK);
    if (vcpu_pending(v) & VCPU_REQ_RESET) {
        vcpu_clear(v, VCPU_REQ_RESET);
        accel->vcpu_reset(v);
    }
    return accel->vcpu_run(v);
}

static void *vcpu_main(void *arg)
{
    struct vcpu *v = arg;
    unsigned idle = 0;

    pthread_setspecific(v->m->vcpu_key, v);
    while (vcpu_enter(v)) {
        vcpu_handle(v, vcpu_run(v), &idle);
        vcpu_leave(v);
    }
    return NULL;
}

bool vcpu_start(struct vcpu *v, GError **err)
{
    sigset_t block, old;
    char name[16];
    int error;

    /* Signals to the process are the main thread's. */
    sigemptyset(&block);
    sigaddset(&block, SIGINT);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGHUP);
    sigaddset(&block, SIGCHLD);
    sigaddset(&block, SIGWINCH);
    pthread_sigmask(SIG_BLOCK, &block, &old);
    error = pthread_create(&v->thread, NULL, vcpu_main, v);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                    "cannot start the thread of vCPU %u: %s", v->id, g_strerror(error));
        return false;
    }
    g_snprintf(name, sizeof name, "vcpu%u", v->id);
    pthread_setname_np(v->thread, name);
    v->running = true;
    return true;
}

void vcpu_join(struct vcpu *v)
{
    if (v->running) {
        pthread_join(v->thread, NULL);
        v->running = false;
    }
}
