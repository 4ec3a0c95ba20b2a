/*
 * Threads and exclusive sections with stand-in processors; HLT, reset, power-off, triple faults,
 * budgets.
 *
 * Not modelled: real processors; where threads matter, stand-ins run.
 */
#include "tests/rig.h"
#include <criterion/criterion.h>
#include <sys/resource.h>

enum act { ACT_SPIN, ACT_HALT, ACT_HALT_DEAF, ACT_FAULT, ACT_BUDGET, ACT_RESET };

/* Shared by the stand-in processors of one machine. */
struct stage {
    enum act act;
    struct region region;
    struct device *toggler;
    _Atomic unsigned inside; /* a section is under way: nobody may be in guest code */
    _Atomic unsigned broken; /* seen in guest code meanwhile */
    _Atomic unsigned runs[2], intr[2], resets[2], sections;
    _Atomic bool reset_thread_wrong;
    unsigned port_value;
};

static struct stage *stage_of(struct machine *m)
{
    return m->accel_data;
}

static void stage_guest_code(struct stage *s, struct vcpu *v, unsigned turn)
{
    if (atomic_load(&s->inside)) {
        atomic_fetch_add(&s->broken, 1);
    }
    atomic_fetch_add(&s->runs[v->id], 1);
    if (turn % 64 == 0) {
        port_write(v, 0x10, turn, 4); /* a device access */
    }
    if (turn % 1024 == v->id * 512) {
        port_write(v, 0x20, turn, 1); /* one that changes the memory map */
    }
    if (turn % 100 == 0) {
        aspace_write(v, 0x1000, turn, 4);
    }
}

static enum vcpu_exit stage_run(struct vcpu *v)
{
    struct stage *s = stage_of(v->m);

    if (v->wait_sipi && s->act != ACT_SPIN) {
        return VCPU_EXIT_HALT;
    }
    vcpu_clear(v, VCPU_REQ_TLB | VCPU_REQ_CODE);
    switch (s->act) {
    case ACT_SPIN:
        for (unsigned turn = 1;; turn++) {
            if (vcpu_pending(v) & (VCPU_REQ_PARK | VCPU_REQ_STOP | VCPU_REQ_RESET)) {
                for (unsigned i = 0; i < v->id * 20000; i++) {
                    stage_guest_code(s, v, 1); /* the second one is slow to notice */
                }
                return VCPU_EXIT_REQUEST;
            }
            stage_guest_code(s, v, turn);
        }
    case ACT_HALT:
        if (vcpu_pending(v) & VCPU_REQ_INTR) {
            machine_lock(v->m);
            vcpu_intr(v, false);
            machine_unlock(v->m);
            atomic_fetch_add(&s->intr[v->id], 1);
        }
        return VCPU_EXIT_HALT;
    case ACT_HALT_DEAF:
        atomic_fetch_add(&s->runs[v->id], 1);
        return VCPU_EXIT_HALT;
    case ACT_FAULT:
        atomic_fetch_add(&s->runs[v->id], 1);
        return VCPU_EXIT_SHUTDOWN;
    case ACT_BUDGET:
        return VCPU_EXIT_BUDGET;
    case ACT_RESET:
        if (atomic_fetch_add(&s->runs[v->id], 1) + 1 != atomic_load(&s->resets[v->id])) {
            atomic_fetch_add(&s->broken, 1); /* it ran on before the reset it asked for */
        }
        machine_lock(v->m);
        machine_request_reset(v->m);
        machine_unlock(v->m);
        if (!(vcpu_pending(v) & VCPU_REQ_PARK)) {
            atomic_fetch_add(&s->broken, 1); /* its next instruction would run */
        }
        return VCPU_EXIT_REQUEST;
    }
    return VCPU_EXIT_ERROR;
}

static void stage_reset(struct vcpu *v)
{
    struct stage *s = stage_of(v->m);

    atomic_fetch_add(&s->resets[v->id], 1);
    if (v->m->started && machine_current_vcpu(v->m) != v) {
        atomic_store(&s->reset_thread_wrong, true);
    }
}

static const struct accel_ops stage_accel = {
    .name = "stage", .vcpu_run = stage_run, .vcpu_reset = stage_reset};

/* A device whose port 0x20 moves its memory region: an exclusive section out of a device access. */
struct toggler {
    struct device dev;
    struct region region;
    bool busy;
    struct toggler_state {
        uint32_t value;
    } s;
};

static const struct state_field toggler_state[] = {STATE(struct toggler, s.value, .reset = 0x99),
                                                   STATE_END};

static void toggler_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct toggler *t = (struct toggler *)dev;
    struct stage *s = stage_of(dev->m);

    if (t->busy) { /* somebody came in while another was waiting in the middle of its access */
        atomic_fetch_add(&s->broken, 1);
    }
    t->s.value = val + off;
    if (size == 1) {
        t->busy = true;
        region_set_base(dev->m, &t->region, t->region.base ^ 0x1000);
        t->busy = false;
        machine_exclusive_begin(dev->m);
        atomic_store(&s->inside, 1);
        atomic_fetch_add(&s->sections, 1);
        for (volatile unsigned i = 0; i < 200; i++) {
        }
        atomic_store(&s->inside, 0);
        machine_exclusive_end(dev->m);
    }
}

static uint64_t toggler_mmio_read(G_GNUC_UNUSED struct device *dev, G_GNUC_UNUSED uint64_t off,
                                  G_GNUC_UNUSED unsigned size)
{
    return 0;
}

static bool toggler_attach(struct device *dev, GError **err)
{
    static const struct mmio_ops mmio = {.sizes = SIZE_4, .read = toggler_mmio_read};
    struct toggler *t = (struct toggler *)dev;
    struct ram *ram = ram_new(dev->m, "ram", MiB, err);

    region_init_mmio(&t->region, "toggler", dev, &mmio, 0x1000);
    region_add(dev->m, &t->region, 0x100000, 0);
    region_init_ram(&stage_of(dev->m)->region, "ram", ram, 0, MiB);
    region_add(dev->m, &stage_of(dev->m)->region, 0, 0);
    return ram;
}

static const struct port_range toggler_ports[] = {
    {.first = 0x10, .count = 4, .sizes = SIZE_4, .write = toggler_write},
    {.first = 0x20, .count = 1, .sizes = SIZE_1, .write = toggler_write},
    {.count = 0},
};
static const struct device_ops toggler_ops = {
    .name = "toggler",
    DEVICE_STATE(struct toggler),
    .state = toggler_state,
    .ports = toggler_ports,
    .attach = toggler_attach,
};

static bool stage_build(struct machine *m, G_GNUC_UNUSED GError **err)
{
    stage_of(m)->toggler = device_new(m, &toggler_ops, "toggler");
    return true;
}

static struct machine *stage_start(struct stage *s, enum act act, unsigned cpus,
                                   void (*tweak)(struct vm_config *c))
{
    static const struct board board = {"stage", stage_build};
    struct vm_config c;
    struct machine *m;
    GError *err = NULL;

    memset(s, 0, sizeof *s);
    s->act = act;
    vm_config_init(&c);
    c.cpus = cpus;
    if (tweak) {
        tweak(&c);
    }
    m = machine_new(&c, &stage_accel);
    vm_config_clear(&c);
    m->accel_data = s;
    cr_assert(machine_build(m, &board, &err));
    cr_assert(machine_run(m, &err));
    return m;
}

static void wait_for(_Atomic unsigned *what, unsigned least)
{
    for (unsigned i = 0; i < 5000 && atomic_load(what) < least; i++) {
        g_usleep(1000);
    }
    cr_assert(atomic_load(what) >= least, "waited for %u, have %u", least, atomic_load(what));
}

Test(machine, nobody_is_in_guest_code_during_an_exclusive_section, .timeout = 60)
{
    struct stage s;
    struct machine *m = stage_start(&s, ACT_SPIN, 2, NULL);

    wait_for(&s.runs[0], 1000);
    wait_for(&s.runs[1], 1000);
    for (unsigned i = 0; i < 200; i++) {
        unsigned before[2];

        machine_lock(m);
        machine_exclusive_begin(m);
        machine_exclusive_begin(m); /* nests */
        atomic_store(&s.inside, 1);
        for (unsigned n = 0; n < 2; n++) {
            before[n] = atomic_load(&s.runs[n]);
        }
        g_usleep(50);
        for (unsigned n = 0; n < 2; n++) {
            cr_assert_eq(before[n], atomic_load(&s.runs[n]), "vCPU %u ran on", n);
        }
        atomic_store(&s.inside, 0);
        machine_exclusive_end(m);
        machine_exclusive_end(m);
        machine_unlock(m);
        g_usleep(100);
    }
    wait_for(&s.sections, 4); /* the vCPUs' own */
    machine_stop(m);
    cr_assert_eq(atomic_load(&s.broken), 0);
    cr_log_info("%u + %u turns, %u sections by vCPUs", s.runs[0], s.runs[1], s.sections);
    machine_free(m);
}

static int64_t cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000ll + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

Test(machine, a_halted_processor_wakes_for_interrupts_and_costs_nothing, .timeout = 30)
{
    struct stage s;
    struct machine *m = stage_start(&s, ACT_HALT, 2, NULL);
    int64_t before, used;

    for (unsigned i = 1; i <= 20; i++) {
        machine_lock(m);
        vcpu_intr(m->vcpus[0], true);
        machine_unlock(m);
        wait_for(&s.intr[0], i);
    }
    before = cpu_us();
    g_usleep(300000);
    used = cpu_us() - before;
    cr_log_info("%lld us of processor time in 300 ms of idling", (long long)used);
    cr_assert(used < 15000, "%lld us", (long long)used);
    cr_assert_eq(s.intr[1], 0, "the second one waits for its SIPI");
    machine_free(m);
}

Test(machine, hlt_with_a_stuck_interrupt_pin_does_not_spin, .timeout = 30)
{
    struct stage s;
    struct machine *m = stage_start(&s, ACT_HALT_DEAF, 1, NULL);
    int64_t begun;
    unsigned runs;

    machine_lock(m);
    vcpu_intr(m->vcpus[0], true);
    machine_unlock(m);
    g_usleep(50000);
    begun = g_get_monotonic_time();
    runs = atomic_load(&s.runs[0]);
    g_usleep(200000);
    runs = atomic_load(&s.runs[0]) - runs;
    /* a sleep may take longer */
    cr_assert(runs < (g_get_monotonic_time() - begun) / 2000, "%u runs", runs);
    machine_free(m);
}

Test(machine, a_requested_reset_reaches_devices_and_processors, .timeout = 30)
{
    struct stage s;
    struct machine *m = stage_start(&s, ACT_SPIN, 2, NULL);

    wait_for(&s.runs[1], 1000);
    cr_assert(s.resets[0] == 1 && s.resets[1] == 1, "the power-on reset");
    machine_lock(m);
    machine_set_a20(m, false);
    cr_assert_eq(atomic_load(&m->a20_mask), ~(1ull << 20));
    machine_request_reset(m);
    machine_request_reset(m); /* the same one */
    machine_unlock(m);
    wait_for(&s.resets[0], 2);
    wait_for(&s.resets[1], 2);
    machine_stop(m);
    cr_assert(!s.reset_thread_wrong);
    cr_assert_eq(m->resets, 1);
    cr_assert_eq(m->a20_mask, ~0ull);
    cr_assert(!m->vcpus[0]->wait_sipi && m->vcpus[1]->wait_sipi);
    machine_free(m);
}

static void set_no_reboot(struct vm_config *c)
{
    c->no_reboot = true;
}

static void set_no_shutdown(struct vm_config *c)
{
    c->no_shutdown = true;
}

static void set_fault_exit(struct vm_config *c)
{
    c->on_triple_fault = TRIPLE_FAULT_EXIT;
}

static void set_fault_pause(struct vm_config *c)
{
    c->on_triple_fault = TRIPLE_FAULT_PAUSE;
}

Test(machine, a_processor_that_asks_for_a_reset_does_not_run_on, .timeout = 30)
{
    struct stage s;
    struct machine *m = stage_start(&s, ACT_RESET, 1, NULL);

    wait_for(&s.resets[0], 50);
    machine_stop(m);
    cr_assert_eq(s.broken, 0, "%u of %u times", s.broken, s.runs[0]);
    machine_free(m);

    m = stage_start(&s, ACT_RESET, 1, set_no_reboot);
    cr_assert_eq(machine_wait(m, 5000), END_RESET);
    g_usleep(10000);
    cr_assert_eq(s.runs[0], 1);
    machine_free(m);
}

Test(machine, ends_say_why, .timeout = 30)
{
    struct stage s;
    struct machine *m = stage_start(&s, ACT_SPIN, 1, set_no_reboot);

    cr_assert_eq(machine_wait(m, 5), END_NONE);
    machine_lock(m);
    machine_request_reset(m);
    machine_unlock(m);
    cr_assert_eq(machine_wait(m, 5000), END_RESET);
    machine_free(m);

    m = stage_start(&s, ACT_SPIN, 1, NULL);
    machine_lock(m);
    machine_power_off(m);
    machine_unlock(m);
    cr_assert_eq(machine_wait(m, -1), END_POWER_OFF);
    machine_end(m, END_QUIT, 9);
    cr_assert(machine_wait(m, 0) == END_POWER_OFF && m->end_code == 0, "the first end stands");
    machine_free(m);

    m = stage_start(&s, ACT_BUDGET, 1, NULL);
    cr_assert_eq(machine_wait(m, 5000), END_BUDGET);
    cr_assert_eq(m->end_code, 6);
    machine_free(m);

    m = stage_start(&s, ACT_FAULT, 1, set_fault_exit);
    cr_assert_eq(machine_wait(m, 5000), END_TRIPLE_FAULT);
    machine_free(m);
}

Test(machine, a_triple_fault_resets_again_and_again_by_default, .timeout = 30)
{
    struct stage s;
    struct machine *m = stage_start(&s, ACT_FAULT, 1, NULL);

    wait_for(&s.resets[0], 5);
    machine_free(m);
}

static void wait_for_pause(struct machine *m)
{
    bool paused = false;

    for (unsigned i = 0; i < 20000 && !paused; i++) {
        g_usleep(1000);
        machine_lock(m);
        paused = m->paused;
        machine_unlock(m);
    }
    cr_assert(paused);
}

static unsigned runs_of_both(struct stage *s)
{
    return atomic_load(&s->runs[0]) + atomic_load(&s->runs[1]);
}

/* Once they make no more: on a busy host they may hear late of a pause. */
static unsigned runs_at_rest(struct stage *s)
{
    unsigned before, now = 0;

    do {
        before = now;
        g_usleep(20000);
        now = runs_of_both(s);
    } while (now != before);
    return now;
}

Test(machine, a_pause_holds_processors_and_time, .timeout = 30)
{
    struct stage s;
    struct machine *m = stage_start(&s, ACT_FAULT, 1, set_fault_pause);
    int64_t now;
    unsigned runs;

    wait_for(&s.runs[0], 1);
    wait_for_pause(m);
    now = clock_now(m);
    g_usleep(20000);
    cr_assert_eq(clock_now(m), now);
    cr_assert_eq(atomic_load(&s.runs[0]), 1);
    machine_free(m); /* also out of a pause */

    m = stage_start(&s, ACT_SPIN, 2, set_no_shutdown);
    wait_for(&s.runs[0], 1000);
    machine_lock(m);
    machine_power_off(m);
    machine_unlock(m);
    runs = runs_at_rest(&s);
    g_usleep(20000);
    cr_assert_eq(runs_of_both(&s), runs);
    machine_lock(m);
    machine_exclusive_begin(m); /* a section ends without letting go of the paused */
    machine_exclusive_end(m);
    machine_unlock(m);
    g_usleep(5000);
    cr_assert_eq(runs_of_both(&s), runs);
    machine_lock(m);
    machine_resume(m);
    machine_unlock(m);
    wait_for(&s.runs[0], runs + 1000);
    cr_assert_eq(machine_wait(m, 0), END_NONE);
    machine_free(m);
}

Test(machine, counters_come_as_json, .timeout = 20)
{
    struct stage s;
    struct machine *m = stage_start(&s, ACT_HALT, 1, NULL);
    struct net nic = {.id = (char *)"lan", .mac = {0x52, 0x54, 0, 0, 0, 1}, .link = true};
    g_autoptr(GString) out = g_string_new(NULL);

    machine_lock(m);
    port_write_locked(m, 0x10, 5, 4);
    port_read_locked(m, 0x4000, 2);
    m->nics[1] = &nic;
    net_drop(&nic, NET_DROP_VLAN);
    net_count(&nic.stats.rx_bytes, 60);
    machine_stats_json(m, out);
    m->nics[1] = NULL;
    machine_unlock(m);
    cr_assert(
        strstr(
            out->str,
            "{\"device\": \"toggler\", \"first\": 16, \"count\": 4, \"reads\": 0, \"writes\": 1}"),
        "%s", out->str);
    cr_assert(strstr(out->str, "\"unclaimed_ports\": 2"));
    cr_assert(strstr(out->str, "\"accelerator\": \"stage\""));
    cr_assert(strstr(out->str, "\"id\": \"lan\", \"mac\": \"52:54:00:00:00:01\", "
                               "\"link\": \"up\", \"tx_frames\": 0, "),
              "%s", out->str);
    cr_assert(strstr(out->str, "\"rx_bytes\": 60, "));
    cr_assert(strstr(out->str, "\"dropped\": {\"link down\": 0, \"other VLAN\": 1, "));
    machine_free(m);
}
