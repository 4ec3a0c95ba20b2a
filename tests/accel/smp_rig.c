/* See smp_rig.h.  Not modelled: devices but the local APICs. */
#include "tests/accel/smp_rig.h"
#include "accel/kvm.h"
#include "hw/lapic.h"
#include <criterion/criterion.h>
#include <stdio.h>

static bool build(struct machine *m, GError **err)
{
    struct smp_rig *r = (struct smp_rig *)m->display_dev; /* lent by smp_begin_on */

    m->display_dev = NULL;
    r->ram = ram_new(m, "ram", 16 * MiB, err);
    if (!r->ram) {
        return false;
    }
    region_init_ram(&r->region, "ram", r->ram, 0, 16 * MiB);
    region_add(m, &r->region, 0, 0);
    for (unsigned i = 0; i < m->ncpus; i++) {
        char name[16], id[4];

        g_snprintf(name, sizeof name, "lapic%u", i);
        g_snprintf(id, sizeof id, "%u", i);
        r->apic[i] = device_new(m, &lapic_ops, name);
        if (!device_set(r->apic[i], "id", id, err)) {
            return false;
        }
    }
    return true;
}

static void place(struct smp_rig *r, unsigned n)
{
    struct vcpu *v = r->m->vcpus[n];
    struct cpu *c = v->cpu;
    struct guest g = {.v = v, .c = c, .ram = r->ram->host};

    guest_long(&g);
    c->r[R_RDI] = n;
    c->r[R_RSI] = r->m->ncpus;
    c->r[R_RBX] = SMP_DATA;
    c->r[R_RBP] = SMP_APIC;
    c->r[R_RSP] = SMP_STACKS + 0x1000 * (n + 1);
    c->ip = SMP_CODE;
    v->wait_sipi = false;
}

void smp_begin(struct smp_rig *r, unsigned cpus, const uint8_t *begin, const uint8_t *end)
{
    smp_begin_on(r, rig_accel_ops(), cpus, begin, end);
}

void smp_begin_on(struct smp_rig *r, const struct accel_ops *accel, unsigned cpus,
                  const uint8_t *begin, const uint8_t *end)
{
    smp_begin_model(r, accel, cpus, NULL, begin, end);
}

void smp_begin_model(struct smp_rig *r, const struct accel_ops *accel, unsigned cpus,
                     const char *model, const uint8_t *begin, const uint8_t *end)
{
    static const struct board board = {"smp", build};
    struct vm_config cfg;
    GError *err = NULL;

    *r = (struct smp_rig){0};
    vm_config_init(&cfg);
    cfg.cpus = cpus;
    cfg.jit_hot = 1;
    if (model) {
        g_free(cfg.cpu_model);
        cfg.cpu_model = g_strdup(model);
    }
    r->m = machine_new(&cfg, accel);
    vm_config_clear(&cfg);
    r->m->display_dev = (struct device *)r;
    if (!machine_build(r->m, &board, &err)) {
        cr_assert_fail("no machine: %s", err->message);
    }
    for (unsigned i = 0; i < cpus; i++) {
        place(r, i);
    }
    st_le64(r->ram->host + guest_pte_at(SMP_APIC), LAPIC_DEFAULT_BASE | 7);
    memcpy(r->ram->host + SMP_CODE, begin, (size_t)(end - begin));
}

void smp_place_32(struct smp_rig *r)
{
    struct vcpu *v = r->m->vcpus[0];
    struct cpu *c = v->cpu;
    struct guest g = {.v = v, .c = c, .ram = r->ram->host};

    cpu_reset(c, false); /* out of 64-bit mode */
    guest_protected(&g);
    c->r[R_RSP] = SMP_STACKS + 0x1000;
    c->ip = SMP_CODE;
    v->wait_sipi = false;
    r->m->accel->state_push(v);
}

void smp_need_kvm(void)
{
    g_autofree char *why = NULL;

    if (kvm_try(&why) == KVM_FIT_NONE) {
        cr_skip_test("%s", why);
    }
}

void smp_start(struct smp_rig *r)
{
    GError *err = NULL;

    if (!machine_run(r->m, &err)) {
        cr_assert_fail("no threads: %s", err->message);
    }
}

void smp_wait(struct smp_rig *r, unsigned count)
{
    int64_t until = g_get_monotonic_time() + 90 * G_USEC_PER_SEC;

    while (smp_get32(r, SMP_DONE) < count) {
        if (g_get_monotonic_time() > until) {
            machine_stop(r->m);
            for (unsigned i = 0; i < r->m->ncpus; i++) {
                const struct cpu *c = r->m->vcpus[i]->cpu;

                fprintf(stderr, "vCPU %u: rip %#llx rcx %#llx, requests %#x\n", i,
                        (unsigned long long)c->ip, (unsigned long long)c->r[R_RCX],
                        vcpu_pending(r->m->vcpus[i]));
            }
            cr_assert_fail("%u of %u programs ended", smp_get32(r, SMP_DONE), count);
        }
        g_usleep(1000);
    }
}

void smp_free(struct smp_rig *r)
{
    machine_free(r->m);
}

void smp_run(struct smp_rig *r)
{
    smp_start(r);
    smp_wait(r, r->m->ncpus);
    machine_stop(r->m);
}

uint32_t smp_get32(const struct smp_rig *r, uint64_t pa)
{
    return __atomic_load_n((const uint32_t *)(const void *)(r->ram->host + pa), __ATOMIC_ACQUIRE);
}

uint64_t smp_get64(const struct smp_rig *r, uint64_t pa)
{
    return ld_le64(r->ram->host + pa);
}
