/*
 * Resets, INIT and start-up IPIs, and a processor's beginning and end, for all engines.
 *
 * Follows: Intel SDM volume 3, 9.1 (reset and INIT), 9.4.4 (the start of application processors).
 *
 * Not modelled: SMM.
 */
#include "accel/requests.h"
#include "hw/core/code.h"

void accel_reset_cpu(struct cpu *c, bool init)
{
    struct vcpu *v = c->v;

    cpu_reset(c, init);
    if (init && v->apic && v->apic->init) {
        machine_lock(v->m);
        v->apic->init(v->apic_dev);
        machine_unlock(v->m);
    }
    v->wait_sipi = v->id != 0;
}

void accel_take_sipi(struct cpu *c)
{
    struct vcpu *v = c->v;
    bool come = atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQ_SIPI) & VCPU_REQ_SIPI;

    if (come && v->wait_sipi) {
        v->wait_sipi = false;
        cpu_load_seg_real(c, SEG_CS, (uint16_t)(v->sipi_vector << 8));
        c->ip = 0;
        cpu_update_mode(c);
    }
}

/*
 * What came before a reset is gone already (machine_reset); an INIT or SIPI beside it is from the
 * first processor, which was faster than we.
 */
void accel_serve_reset(struct cpu *c)
{
    uint32_t req = vcpu_pending(c->v);

    if (req & VCPU_REQ_RESET) {
        vcpu_clear(c->v, VCPU_REQ_RESET);
        accel_reset_cpu(c, false);
    }
    if (req & VCPU_REQ_INIT) {
        vcpu_clear(c->v, VCPU_REQ_INIT);
        atomic_store(&c->v->nmis, 0);
        accel_reset_cpu(c, true);
    }
}

bool accel_new_cpu(struct vcpu *v, GError **err)
{
    v->cpu = cpu_new(v, v->m->config.cpu_model, err);
    if (v->cpu) {
        accel_reset_cpu(v->cpu, false);
    }
    return v->cpu;
}

bool accel_new_vcpu(struct vcpu *v, const struct accel_ops *ops, GError **err)
{
    if (!accel_new_cpu(v, err)) {
        return false;
    }
    if (!ops->vcpu_attach(v, true, err)) {
        accel_free_cpu(v);
        return false;
    }
    ops->state_push(v);
    return true;
}

void accel_free_cpu(struct vcpu *v)
{
    if (v->cpu) {
        cpu_show_requests(v->cpu, false);
        cpu_free(v->cpu);
    }
    v->cpu = NULL;
}

void accel_drop_notes(struct vcpu *v)
{
    bool all;

    vcpu_clear(v, VCPU_REQ_CODE);
    g_array_unref(code_take_notes(v, &all));
}
