/*
 * One virtual PC: building, running, resetting and ending it, and its lock.
 *
 * The lock and exclusive sections.  A vCPU thread is either in guest code (v->parked false: it may
 * hold pointers into guest RAM or the flat views, without the lock) or out of it (v->parked true).
 * The rule:
 *
 *   - machine_lock marks a vCPU thread as out before it waits for the lock, so a thread that waits
 * counts as parked.
 *   - A thread gets back into guest code only with the lock held (machine_unlock, vcpu_enter),
 * never from elsewhere.
 *   - machine_exclusive_begin, with the lock held, asks the others out (VCPU_REQ_PARK) and waits on
 * parked_cond until all of them are.  Until the section ends everybody else who gets the lock waits
 * inside machine_lock, so the devices the caller is in the middle of do not change, and two
 * sections never wait for each other.  Inside the section the lock is held throughout: nobody can
 * get into guest code.
 *   - A thread in a device access holds no pointer that a section could make stale: whoever looked
 * something up without the lock looks again once it has the lock.
 *
 * So a section may be begun by any holder of the lock, also by a vCPU in the middle of its own
 * device access, and may be nested by the same thread.  After a change of the memory map every vCPU
 * gets VCPU_REQ_TLB before it gets on.
 *
 * Not modelled: more than one board per machine, hot plug.
 */
#include "hw/core/machine.h"
#include <unistd.h>

/* The lock ---------------------------------------------------------------------------------- */

struct vcpu *machine_current_vcpu(struct machine *m)
{
    return likely(m->have_vcpu_key) ? pthread_getspecific(m->vcpu_key) : NULL;
}

static void *machine_self(void)
{
    return (void *)pthread_self(); /* unlike g_thread_self, no look-up */
}

void machine_wait_parked(struct machine *m)
{
    atomic_store_explicit(&m->lock_owner, NULL, memory_order_relaxed);
    g_cond_wait(&m->parked_cond, &m->lock);
    atomic_store_explicit(&m->lock_owner, machine_self(), memory_order_relaxed);
}

/* v: the vCPU whose thread this is, or NULL. */
static inline void lock_as(struct machine *m, struct vcpu *v)
{
    uint64_t start = 0; /* of a wait */

    if (v) {
        atomic_store_explicit(&v->parked, true, memory_order_release);
    }
    if (unlikely(!g_mutex_trylock(&m->lock))) {
        start = __builtin_ia32_rdtsc();
        g_mutex_lock(&m->lock);
    }
    if (unlikely(m->exclusive_depth)) {
        start = start ? start : __builtin_ia32_rdtsc();
        if (v) {
            g_cond_broadcast(&m->parked_cond);
        }
        while (m->exclusive_depth) {
            machine_wait_parked(m);
        }
    }
    atomic_store_explicit(&m->lock_owner, machine_self(), memory_order_relaxed);
    if (unlikely(start) && v) {
        exits_waited(&v->exits, start);
    }
    if (unlikely(m->posted)) {
        m->posted(m);
    }
}

void machine_lock(struct machine *m)
{
    lock_as(m, machine_current_vcpu(m));
}

/* A test that calls an engine itself is no vCPU's thread. */
static struct vcpu *with_thread(struct vcpu *v)
{
    return likely(v->running) ? v : NULL;
}

void machine_lock_vcpu(struct vcpu *v)
{
    lock_as(v->m, with_thread(v));
}

bool machine_trylock(struct machine *m)
{
    g_assert(!machine_current_vcpu(m));
    if (!g_mutex_trylock(&m->lock)) {
        return false;
    }
    if (m->exclusive_depth) {
        g_mutex_unlock(&m->lock);
        return false;
    }
    atomic_store_explicit(&m->lock_owner, machine_self(), memory_order_relaxed);
    if (unlikely(m->posted)) {
        m->posted(m);
    }
    return true;
}

static inline void unlock_as(struct machine *m, struct vcpu *v)
{
    atomic_store_explicit(&m->lock_owner, NULL, memory_order_relaxed);
    if (v) {
        atomic_store_explicit(&v->parked, false,
                              memory_order_relaxed); /* the unlock publishes it */
    }
    g_mutex_unlock(&m->lock);
}

void machine_unlock(struct machine *m)
{
    unlock_as(m, machine_current_vcpu(m));
}

void machine_unlock_vcpu(struct vcpu *v)
{
    unlock_as(v->m, with_thread(v));
}

void machine_assert_locked(struct machine *m)
{
    g_assert(atomic_load_explicit(&m->lock_owner, memory_order_relaxed) == machine_self());
}

/* Ask everybody but `self` out of guest code; whether they all are out already. */
static bool machine_ask_out(struct machine *m, const struct vcpu *self)
{
    bool out = true;

    for (unsigned i = 0; i < m->ncpus; i++) {
        struct vcpu *v = m->vcpus[i];

        if (v != self) {
            vcpu_request(v, VCPU_REQ_PARK);
            out &= atomic_load(&v->parked);
        }
    }
    return out;
}

void machine_let_in(struct machine *m)
{
    if (m->exclusive_depth) {
        return;
    }
    for (unsigned i = 0; i < m->ncpus && !machine_holds_vcpus(m); i++) {
        vcpu_clear(m->vcpus[i], VCPU_REQ_PARK);
    }
    g_cond_broadcast(&m->parked_cond);
}

void machine_exclusive_begin(struct machine *m)
{
    const struct vcpu *self = machine_current_vcpu(m);

    machine_assert_locked(m);
    m->exclusive_depth++;
    while (!machine_ask_out(m, self)) {
        machine_wait_parked(m);
    }
}

void machine_exclusive_end(struct machine *m)
{
    machine_assert_locked(m);
    m->exclusive_depth--;
    machine_let_in(m);
}

bool machine_holds_vcpus(const struct machine *m)
{
    return m->paused || m->reset_pending || m->switching;
}

bool machine_is_idle(const struct machine *m)
{
    for (unsigned i = 0; i < m->ncpus; i++) {
        const struct vcpu *v = m->vcpus[i];
        int fd = atomic_load_explicit(&v->idle_fd, memory_order_relaxed);
        uint64_t waits = 0;

        if (!atomic_load_explicit(&v->idle, memory_order_relaxed) &&
            (fd < 0 || pread(fd, &waits, sizeof waits, (off_t)v->idle_at) != sizeof waits ||
             !waits)) {
            return false;
        }
    }
    return true;
}

void machine_pause(struct machine *m)
{
    machine_assert_locked(m);
    m->paused = true;
    clock_pause(m);
    machine_ask_out(m, NULL);
}

void machine_resume(struct machine *m)
{
    machine_assert_locked(m);
    if (m->paused) {
        m->paused = false;
        if (!m->switching) {
            clock_start(m);
        }
        machine_let_in(m);
    }
}

/* Building ---------------------------------------------------------------------------------- */

struct machine *machine_new(const struct vm_config *config, const struct accel_ops *accel)
{
    struct machine *m = g_new0(struct machine, 1);

    vm_config_copy(&m->config, config);
    m->accel = accel;
    m->trace_mask = config->trace_mask;
    g_mutex_init(&m->lock);
    g_mutex_init(&m->end_lock);
    g_mutex_init(&m->trace_lock);
    g_cond_init(&m->parked_cond);
    g_cond_init(&m->end_cond);
    m->have_vcpu_key = !pthread_key_create(&m->vcpu_key, NULL);
    m->devices = g_ptr_array_new();
    m->blocks = g_ptr_array_new();
    aspace_init(m);
    ports_init(m);
    clock_init(m);
    exits_clock_init(&m->exits);
    m->ncpus = CLAMP(config->cpus, 1, VM_MAX_CPUS);
    m->vcpus = g_new0(struct vcpu *, m->ncpus);
    for (unsigned i = 0; i < m->ncpus; i++) {
        m->vcpus[i] = vcpu_new(m, i);
    }
    return m;
}

static bool machine_attach_all(struct machine *m, GError **err)
{
    for (unsigned i = 0; i < m->devices->len; i++) {
        if (!device_attach(g_ptr_array_index(m->devices, i), err)) {
            return false;
        }
    }
    return true;
}

static bool machine_init_vcpus(struct machine *m, GError **err)
{
    for (unsigned i = 0; m->accel && i < m->ncpus; i++) {
        struct vcpu *v = m->vcpus[i];

        if (m->accel->vcpu_init && !m->accel->vcpu_init(v, err)) {
            return false;
        }
        v->ready = true;
    }
    return true;
}

static void machine_attach_blocks(struct machine *m)
{
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        if (m->drives[i]) {
            block_attach(m->drives[i], m);
        }
    }
}

static bool machine_build_locked(struct machine *m, const struct board *board, GError **err)
{
    if (!m->have_vcpu_key) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "too many machines in one process");
        return false;
    }
    if (!m->loop && !loop_init(m, err)) {
        return false;
    }
    machine_attach_blocks(m);
    if (m->accel) {
        if (m->accel->init && !m->accel->init(m, err)) {
            return false;
        }
        m->accel_ready = true;
    }
    if (!board->build(m, err) || !machine_attach_all(m, err) || !machine_init_vcpus(m, err)) {
        return false;
    }
    machine_reset(m);
    return true;
}

bool machine_build(struct machine *m, const struct board *board, GError **err)
{
    bool good;

    machine_lock(m);
    good = machine_build_locked(m, board, err);
    machine_unlock(m);
    return good;
}

void machine_free(struct machine *m)
{
    if (!m) {
        return;
    }
    machine_stop(m);
    machine_lock(m);
    machine_attach_blocks(m); /* a machine that was never built closes its disks too */
    while (m->blocks->len) {
        block_close(g_ptr_array_index(m->blocks, m->blocks->len - 1));
    }
    for (unsigned i = m->ncpus; i-- > 0;) {
        if (m->vcpus[i]->ready && m->accel->vcpu_fini) {
            m->accel->vcpu_fini(m->vcpus[i]);
        }
    }
    for (unsigned i = m->devices->len; i-- > 0;) {
        device_free(g_ptr_array_index(m->devices, i));
    }
    if (m->accel_ready && m->accel->fini) {
        m->accel->fini(m);
    }
    machine_unlock(m);
    loop_fini(m);
    clock_fini(m);
    ports_fini(m);
    exits_clock_fini(&m->exits);
    aspace_fini(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        vcpu_free(m->vcpus[i]);
    }
    g_free(m->vcpus);
    g_ptr_array_unref(m->devices);
    g_ptr_array_unref(m->blocks);
    g_clear_pointer(&m->kernel, g_bytes_unref);
    g_clear_pointer(&m->initrd, g_bytes_unref);
    g_clear_pointer(&m->bios_image, g_bytes_unref);
    g_clear_pointer(&m->vga_bios_image, g_bytes_unref);
    g_clear_pointer(&m->linuxboot_rom, g_bytes_unref);
    g_clear_pointer(&m->multiboot_rom, g_bytes_unref);
    g_clear_pointer(&m->netboot, g_bytes_unref);
    g_clear_pointer(&m->netboot_rom, g_bytes_unref);
    vm_config_clear(&m->config);
    if (m->have_vcpu_key) {
        pthread_key_delete(m->vcpu_key);
    }
    g_mutex_clear(&m->lock);
    g_mutex_clear(&m->end_lock);
    g_mutex_clear(&m->trace_lock);
    g_cond_clear(&m->parked_cond);
    g_cond_clear(&m->end_cond);
    g_free(m);
}

/* Running ----------------------------------------------------------------------------------- */

bool machine_run(struct machine *m, GError **err)
{
    bool good;

    machine_lock(m);
    m->started = true;
    m->stopped = false;
    good = loop_start(m, err);
    for (unsigned i = 0; good && m->accel && i < m->ncpus; i++) {
        good = vcpu_start(m->vcpus[i], err);
    }
    if (good) {
        clock_start(m);
    }
    machine_unlock(m);
    if (!good) {
        machine_stop(m);
    }
    return good;
}

enum machine_end machine_wait(struct machine *m, int64_t timeout_ms)
{
    int64_t until = g_get_monotonic_time() + timeout_ms * 1000;

    g_mutex_lock(&m->end_lock);
    while (atomic_load(&m->end) == END_NONE) {
        if (timeout_ms < 0) {
            g_cond_wait(&m->end_cond, &m->end_lock);
        } else if (!g_cond_wait_until(&m->end_cond, &m->end_lock, until)) {
            break;
        }
    }
    g_mutex_unlock(&m->end_lock);
    return (enum machine_end)atomic_load(&m->end);
}

static void machine_ask_stop(struct machine *m)
{
    for (unsigned i = 0; i < m->ncpus; i++) {
        vcpu_request(m->vcpus[i], VCPU_REQ_STOP);
    }
}

void machine_end(struct machine *m, enum machine_end end, int code)
{
    g_mutex_lock(&m->end_lock);
    if (atomic_load(&m->end) == END_NONE) {
        m->end_code = code;
        atomic_store(&m->end, end);
        g_cond_broadcast(&m->end_cond);
    }
    g_mutex_unlock(&m->end_lock);
    /* The guest does not run on while the front end collects what is left. */
    machine_ask_stop(m);
}

void machine_stop(struct machine *m)
{
    if (!m->started || m->stopped) {
        return;
    }
    machine_ask_stop(m);
    machine_lock(m);
    g_cond_broadcast(&m->parked_cond); /* those held by a pause */
    machine_unlock(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        vcpu_join(m->vcpus[i]);
    }
    machine_lock(m);
    block_drain(m);
    clock_pause(m);
    machine_unlock(m);
    loop_stop(m);
    machine_lock(m);
    loop_run_posts(m); /* what the thread left */
    block_drain(m);
    m->stopped = true;
    machine_unlock(m);
}

/* Reset, power, A20 ------------------------------------------------------------------------- */

void machine_set_a20(struct machine *m, bool on)
{
    uint64_t mask = on ? ~0ull : ~BIT64(20);

    if (atomic_exchange(&m->a20_mask, mask) != mask) {
        for (unsigned i = 0; i < m->ncpus; i++) {
            vcpu_request(m->vcpus[i], VCPU_REQ_TLB);
        }
    }
}

static void machine_reset_vcpu(struct machine *m, struct vcpu *v)
{
    vcpu_clear(v, VCPU_REQ_NMI | VCPU_REQ_SMI | VCPU_REQ_INIT | VCPU_REQ_SIPI);
    atomic_store(&v->nmis, 0);
    v->wait_sipi = v->id != 0;
    if (v->running) {
        vcpu_request(v, VCPU_REQ_RESET); /* on its own thread */
    } else if (v->ready && m->accel->vcpu_reset) {
        m->accel->vcpu_reset(v);
    }
}

void machine_reset(struct machine *m)
{
    machine_assert_locked(m);
    m->reset_at = clock_now(m);
    atomic_store(&m->apics_away, false); /* an accelerator's are of no use any more */
    m->block_epoch++;                    /* what is under way ends without a word to the devices */
    block_drain(m);
    aspace_begin(m);
    for (unsigned i = 0; i < m->devices->len; i++) {
        struct device *dev = g_ptr_array_index(m->devices, i);

        if (dev->ops->state) {
            state_reset(dev->ops->state, dev);
        }
    }
    for (unsigned i = 0; i < m->devices->len; i++) {
        struct device *dev = g_ptr_array_index(m->devices, i);

        if (dev->ops->reset) {
            dev->ops->reset(dev);
        }
    }
    aspace_commit(m);
    machine_set_a20(m, true);
    for (unsigned i = 0; i < m->ncpus; i++) {
        machine_reset_vcpu(m, m->vcpus[i]);
    }
}

static void machine_reset_now(void *arg)
{
    struct machine *m = arg;

    if (m->config.no_reboot) {
        machine_end(m, END_RESET, 0);
        return;
    }
    machine_exclusive_begin(m);
    m->reset_pending = false;
    m->resets++;
    machine_reset(m);
    machine_exclusive_end(m);
}

void machine_request_reset(struct machine *m)
{
    machine_assert_locked(m);
    if (!m->reset_pending) {
        m->reset_pending = true;
        /* What follows the instruction that asked is not run any more, as on hardware. */
        machine_ask_out(m, NULL);
        loop_post(m, machine_reset_now, m);
    }
}

void machine_power_off(struct machine *m)
{
    machine_assert_locked(m);
    if (m->config.no_shutdown) {
        machine_pause(m);
    } else {
        machine_end(m, END_POWER_OFF, 0);
    }
}
