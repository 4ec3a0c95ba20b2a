/*
 * Exit accounting under the engines: a guest's known accesses are counted exactly, by the software
 * engine of the tests (rig_accel_ops) and by KVM where there is one.
 *
 * Not modelled: tables and what is printed of them (tests/core/test_exits.c); real guests
 * (tests/nested).
 */
#include "accel/accel.h"
#include "accel/kvm.h"
#include "hw/lapic.h"
#include "tests/accel/smp_rig.h"
#include <criterion/criterion.h>

enum { PROBE_AT = 0xe00000 };

static uint64_t nothing_read(struct device *dev, uint64_t off, unsigned size)
{
    (void)dev;
    (void)off;
    (void)size;
    return 0;
}

static const struct mmio_ops registers = {.sizes = SIZE_4, .read = nothing_read};
static const struct port_range ports[] = {{.first = 0x300, .count = 4, .sizes = SIZE_1},
                                          {.count = 0}};

struct probe {
    struct device dev;
    struct region region;
};

static bool probe_attach(struct device *dev, GError **err)
{
    struct probe *p = (struct probe *)dev;

    (void)err;
    region_init_mmio(&p->region, "probe", dev, &registers, PAGE_BYTES);
    region_add(dev->m, &p->region, PROBE_AT, 1);
    return true;
}

static const struct device_ops probe_ops = {.name = "probe",
                                            .title = "probe",
                                            .size = sizeof(struct probe),
                                            .ports = ports,
                                            .attach = probe_attach};

static const struct exits_row *row_of(const struct exits_table *t, uint64_t addr)
{
    for (unsigned n = 0; t && n < EXITS_ROWS; n++) {
        if (t->row[n].tag == addr + 1) {
            return &t->row[n];
        }
    }
    cr_assert_fail("no row for %#llx", (unsigned long long)addr);
    return NULL;
}

static void expect_row(const struct exits_table *t, uint64_t addr, uint64_t reads, uint64_t writes)
{
    const struct exits_row *row = row_of(t, addr);

    cr_expect_eq(row->count[0], reads, "%#llx: %llu reads", (unsigned long long)addr,
                 (unsigned long long)row->count[0]);
    cr_expect_eq(row->count[1], writes, "%#llx: %llu writes", (unsigned long long)addr,
                 (unsigned long long)row->count[1]);
}

/* Twenty rounds, so that the translator has them too. */
SMP_PROGRAM(accesses, "mov $20, %r12d\n"
                      "1: mov $0x300, %edx\n out %al, %dx\n out %al, %dx\n"
                      "mov $0x301, %edx\n in %dx, %al\n"
                      "mov $0x40000, %edi\n mov $5, %ecx\n rep insb\n" /* 5 of 0x301 */
                      "mov $0xe00000, %ebx\n mov 0x10(%rbx), %eax\n mov %eax, 0x20(%rbx)\n"
                      "lock incl 0x30(%rbx)\n" /* one read, one write */
                      "xor %eax, %eax\n cpuid\n"
                      "mov $0x277, %ecx\n rdmsr\n wrmsr\n rdmsr\n"
                      "dec %r12d\n jnz 1b\n hlt\n");

static void begin(struct guest *g)
{
    guest_init_linked(g, "x86-64-v3");
    machine_lock(g->rig->m);
    cr_assert(device_attach(device_new(g->rig->m, &probe_ops, "probe"), NULL));
    machine_unlock(g->rig->m);
    vcpu_clear(g->v, ~0u);
    guest_long(g);
    memcpy(g->ram + G_CODE, accesses_begin, (size_t)(accesses_end - accesses_begin));
    g->c->ip = G_CODE;
}

Test(exits_engine, accesses_are_counted_exactly)
{
    struct guest g;

    begin(&g);
    const struct exits *x = &g.v->exits;
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT);
    const struct device *dev = device_find(g.rig->m, "probe");
    expect_row(dev->exits[0], 0x300, 0, 40);
    expect_row(dev->exits[0], 0x301, 120, 0);
    expect_row(dev->exits[1], PROBE_AT + 0x10, 20, 0);
    expect_row(dev->exits[1], PROBE_AT + 0x20, 0, 20);
    expect_row(dev->exits[1], PROBE_AT + 0x30, 20, 20);
    expect_row(x->msrs, 0x277, 40, 20);
    cr_expect_eq(x->count[EXITS_PORT], 160);
    cr_expect_eq(x->count[EXITS_MMIO], 80);
    cr_expect_eq(x->count[EXITS_CPUID], 20);
    cr_expect_eq(x->count[EXITS_RDMSR], 40);
    cr_expect_eq(x->count[EXITS_WRMSR], 20);
    cr_expect_eq(x->count[EXITS_HALT], 1);
    cr_expect_eq(x->count[EXITS_REQUEST], 0);
    cr_expect_gt(x->ticks[EXITS_GUEST], 0);
    cr_expect_gt(x->inside[EXITS_PORT], 0);
    cr_expect_gt(row_of(dev->exits[0], 0x300)->ticks, 0);
    cr_expect_eq(x->trips, 0);
    guest_free(&g);
}

/* ---- several processors, each with its thread ---- */

enum { TURNS = 1000 };

SMP_PROGRAM(many, "mov $1000, %ecx\n 1: mov 0x30(%rbp), %eax\n" /* the APIC's version */
                  "out %al, $0x99\n loop 1b\n" SMP_END);

static void expect_many(const struct smp_rig *r, uint64_t at_least)
{
    uint64_t all = 0;

    for (unsigned n = 0; n < r->m->ncpus; n++) {
        const struct exits *x = &r->m->vcpus[n]->exits;

        cr_expect_eq(x->count[EXITS_PORT], TURNS, "vCPU %u: %llu", n,
                     (unsigned long long)x->count[EXITS_PORT]);
        cr_expect_geq(x->count[EXITS_MMIO], at_least);
        cr_expect_geq(x->count[EXITS_HALT] + x->count[EXITS_REQUEST], 1);
        cr_expect_gt(x->ticks[EXITS_GUEST], 0);
        all += TURNS;
    }
    expect_row(r->m->exits.nobody[0], 0x99, 0, all);
}

Test(exits_engine, processors_lose_no_count_of_each_other, .timeout = 120)
{
    struct smp_rig r;
    uint64_t mmio = 0;

    SMP_BEGIN(&r, 3, many);
    smp_run(&r);
    expect_many(&r, TURNS);
    for (unsigned n = 0; n < 3; n++) {
        const struct exits_table *t = r.apic[n]->exits[1];

        mmio += t ? row_of(t, LAPIC_DEFAULT_BASE + 0x30)->count[0] : 0;
    }
    cr_expect_eq(mmio, 3 * TURNS);
    smp_free(&r);
}

Test(exits_engine, another_engine_begins_anew, .timeout = 120)
{
    g_autoptr(GError) err = NULL;
    struct smp_rig r;

    smp_begin_on(&r, &accel_interp, 1, many_begin, many_end);
    struct exits *x = &r.m->vcpus[0]->exits;
    machine_lock(r.m);
    machine_pause(r.m);
    machine_unlock(r.m);
    smp_start(&r);
    machine_lock(r.m);
    x->count[EXITS_PORT] = x->ticks[EXITS_GUEST] = 5;
    cr_assert(machine_switch(r.m, &accel_jit, false, &err), "%s", err ? err->message : "");
    cr_expect_eq(x->count[EXITS_PORT], 0);
    cr_expect_eq(x->ticks[EXITS_GUEST], 0);
    machine_resume(r.m);
    machine_unlock(r.m);
    smp_wait(&r, 1);
    machine_stop(r.m);
    expect_many(&r, TURNS);
    smp_free(&r);
}

Test(exits_engine, kvm_counts_its_exits, .timeout = 120)
{
    struct smp_rig r;

    smp_need_kvm();
    smp_begin_on(&r, &accel_kvm, 2, many_begin, many_end);
    smp_run(&r);
    expect_many(&r, 0);
    for (unsigned n = 0; n < 2; n++) {
        const struct exits *x = &r.m->vcpus[n]->exits;
        uint64_t exits = 0;

        for (unsigned k = 0; k < EXITS_KINDS; k++) {
            exits += x->count[k];
        }
        cr_expect_geq(x->trips, TURNS);
        cr_expect_leq(x->trips, exits);
        cr_expect_gt(x->shortest, 0);
        cr_expect_gt(x->out[EXITS_PORT], 0);
        cr_expect_eq(x->inside[EXITS_PORT], 0);
    }
    cr_expect_gt(row_of(r.m->exits.nobody[0], 0x99)->ticks, 0);
    smp_free(&r);
}
