/*
 * Going from one engine to another: the vCPUs leave the old one, their state goes to struct cpu and
 * from there to the new one.
 *
 * Being out of guest code is not enough here: a vCPU that waits for the machine lock in the middle
 * of a device access has its engine's frames on the stack.  So all of them come back from vcpu_run
 * first.  The new engine is made whole before the old one goes, so that a failure changes nothing.
 *
 * Not modelled here: which engine it is to be, and whether it is available (accel/switch.c).
 */
#include "hw/core/machine.h"

/* What an engine has of a machine. */
struct parts {
    const struct accel_ops *ops;
    void *data;
    void **engines; /* by vCPU */
};

static bool all_outside(struct machine *m)
{
    bool out = true;

    for (unsigned i = 0; i < m->ncpus; i++) {
        vcpu_request(m->vcpus[i], VCPU_REQ_PARK);
        out &= !atomic_load(&m->vcpus[i]->inside);
    }
    return out;
}

/* Time stops with the last of them: an engine whose time stamp counters go on meanwhile is not
 * ahead of it. */
static void hold(struct machine *m)
{
    m->switching = true;
    while (!all_outside(m) || m->exclusive_depth) {
        machine_wait_parked(m);
    }
    clock_pause(m);
}

static void let_go(struct machine *m)
{
    m->switching = false;
    if (m->started && !m->stopped && !m->paused) {
        clock_start(m);
    }
    machine_let_in(m);
}

/* Put the parts where the engine looks for them. */
static void use(struct machine *m, const struct parts *p)
{
    m->accel = p->ops;
    m->accel_data = p->data;
    for (unsigned i = 0; i < m->ncpus; i++) {
        m->vcpus[i]->engine = p->engines[i];
    }
}

static void note(struct machine *m, struct parts *p)
{
    p->data = m->accel_data;
    for (unsigned i = 0; i < m->ncpus; i++) {
        p->engines[i] = m->vcpus[i]->engine;
    }
}

/* The newest state to where every engine finds it. */
static bool pull(struct machine *m, GError **err)
{
    const struct accel_ops *from = m->accel;

    for (unsigned i = 0; i < m->ncpus; i++) {
        if (from->state_pull && !from->state_pull(m->vcpus[i])) {
            g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                        "%s does not give its state away; the machine stays with it", from->name);
            return false;
        }
    }
    for (unsigned i = 0; from->dirty_pull && i < m->rams->len; i++) {
        from->dirty_pull(m, g_ptr_array_index(m->rams, i));
    }
    return true;
}

static void push(struct machine *m)
{
    for (unsigned i = 0; i < m->ncpus; i++) {
        struct vcpu *v = m->vcpus[i];

        if (m->accel->state_push) {
            m->accel->state_push(v);
        }
        /* Nothing of what the new engine remembers of memory is newer than this.  A halted vCPU
         * goes in to wait there: KVM's local APICs wake it nowhere else. */
        vcpu_request(v, VCPU_REQ_TLB | VCPU_REQ_CODE | VCPU_REQ_LOOK);
    }
    if (m->apic_tell) {
        m->apic_tell(m);
    }
}

/* The engine's parts in m, of which `n` vCPUs', go. */
static void drop(struct machine *m, unsigned n)
{
    while (n-- > 0) {
        m->accel->vcpu_detach(m->vcpus[n]);
    }
    if (m->accel->fini) {
        m->accel->fini(m);
    }
}

/* Make the new engine, whose ops are m's already; false: there is nothing of it. */
static bool make(struct machine *m, bool force, GError **err)
{
    const struct accel_ops *to = m->accel;

    if (to->init && !to->init(m, err)) {
        return false;
    }
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (!to->vcpu_attach(m->vcpus[i], force, err)) {
            drop(m, i);
            return false;
        }
    }
    return true;
}

static bool exchange(struct machine *m, const struct accel_ops *to, bool force, GError **err)
{
    g_autofree void **was = g_new0(void *, m->ncpus), **is = g_new0(void *, m->ncpus);
    struct parts old = {m->accel, NULL, was}, new = {to, NULL, is};

    note(m, &old);
    use(m, &new);
    if (!make(m, force, err)) {
        use(m, &old);
        push(m);
        return false;
    }
    note(m, &new);
    use(m, &old);
    drop(m, m->ncpus);
    use(m, &new);
    push(m);
    m->switches++;
    return true;
}

bool machine_switch(struct machine *m, const struct accel_ops *to, bool force, GError **err)
{
    const struct accel_ops *from = m->accel;

    machine_assert_locked(m);
    if (to == from) {
        return true;
    }
    if (!from || !m->accel_ready || !from->vcpu_attach || !to->vcpu_attach) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_ACCEL,
                    "a machine cannot change from %s to %s while it runs",
                    from ? from->name : "no engine", to->name);
        return false;
    }
    hold(m);
    bool good = pull(m, err) && exchange(m, to, force, err);
    if (good) { /* exits of two engines have no common mean */
        exits_reset(m);
    }
    let_go(m);
    return good;
}
