/*
 * The monitor's "info": what there is to look at, in one table.
 *
 * Not here: disks (monitor_media.c), network cards (monitor_net.c), page tables (monitor_pages.c);
 * what a device says of itself is the device's (device_ops.info).
 */
#include "cpu/cpu.h"
#include "hw/i8259.h"
#include "hw/ioapic.h"
#include "hw/lapic.h"
#include "hw/pc.h"
#include "hw/pci.h"
#include "ui/monitor_cmd.h"
#include <inttypes.h>

/* Processors ---------------------------------------------------------------------------------- */

static void print_registers(struct machine *m, unsigned n, GString *out)
{
    struct vcpu *v = m->vcpus[n];

    if (m->accel && m->accel->state_pull) {
        m->accel->state_pull(v);
    }
    g_string_append_printf(out, "CPU %u%s\n", n, v->halted ? " (halted)" : "");
    if (v->cpu) {
        cpu_print(v->cpu, out);
    }
}

/* [-a] */
static bool info_registers(struct call *c, GError **err)
{
    (void)err;
    for (unsigned i = 0; i < c->m->ncpus; i++) {
        if (c->arg[0].given || i == c->s->cpu) {
            print_registers(c->m, i, c->out);
        }
    }
    return true;
}

static bool info_cpus(struct call *c, GError **err)
{
    (void)err;
    for (unsigned i = 0; i < c->m->ncpus; i++) {
        const struct vcpu *v = c->m->vcpus[i];
        const struct cpu *cpu = v->cpu;

        g_string_append_printf(c->out, "%c CPU %u: %s", i == c->s->cpu ? '*' : ' ', i,
                               v->wait_sipi ? "not started"
                               : v->halted  ? "halted"
                                            : "running");
        if (cpu) {
            g_string_append_printf(c->out,
                                   ", pc %#" PRIx64 ", %" PRIu64 " instructions, %" PRIu64
                                   " halts, %" PRIu64 " interrupts, %" PRIu64 " exceptions",
                                   cpu_ip(cpu) + cpu->cs_base, atomic_load(&v->insns),
                                   atomic_load(&v->halts), cpu->intr_taken, cpu->excp_taken);
        }
        g_string_append_c(c->out, '\n');
    }
    return true;
}

/* Devices ------------------------------------------------------------------------------------- */

static bool info_devices(struct call *c, GError **err)
{
    (void)err;
    for (unsigned i = 0; i < c->m->devices->len; i++) {
        const struct device *dev = g_ptr_array_index(c->m->devices, i);

        g_string_append_printf(c->out, "%-12s %s\n", dev->name, dev->ops->title);
    }
    return true;
}

/* DEVICE */
static bool info_device(struct call *c, GError **err)
{
    struct device *dev = g_ptr_array_index(c->m->devices, c->arg[0].num);

    (void)err;
    g_string_append_printf(c->out, "%s: %s\n", dev->name, dev->ops->title);
    if (dev->guest_errors) {
        g_string_append_printf(c->out, "  %" PRIu64 " errors of the guest\n", dev->guest_errors);
    }
    if (dev->ops->info) {
        dev->ops->info(dev, c->out);
    }
    if (dev->ops->state) {
        state_print(dev->ops->state, dev, 2, c->out);
    }
    return true;
}

/* What the devices of a model say of themselves; `only`: the one of this name, NULL: all. */
static bool info_model(struct call *c, const struct device_ops *ops, const char *only, GError **err)
{
    bool found = false;

    for (unsigned i = 0; i < c->m->devices->len; i++) {
        struct device *dev = g_ptr_array_index(c->m->devices, i);

        if (dev->ops == ops && (!only || !strcmp(dev->name, only))) {
            ops->info(dev, c->out);
            found = true;
        }
    }
    return found || monitor_fail(err, MONITOR_ERROR_NOT_FOUND, "this machine has no %s",
                                 only ? only : ops->name);
}

static bool info_pic(struct call *c, GError **err)
{
    return info_model(c, &i8259_ops, NULL, err);
}

static bool info_ioapic(struct call *c, GError **err)
{
    return info_model(c, &ioapic_ops, NULL, err);
}

/* [-a] */
static bool info_lapic(struct call *c, GError **err)
{
    g_autofree char *name = g_strdup_printf("lapic%u", c->s->cpu);

    return info_model(c, &lapic_ops, c->arg[0].given ? NULL : name, err);
}

static bool info_pci(struct call *c, GError **err)
{
    return info_model(c, &pci_ops, NULL, err);
}

static bool info_irq(struct call *c, GError **err)
{
    return info_model(c, &pc_ops, NULL, err);
}

/* Memory and ports ----------------------------------------------------------------------------- */

static bool info_mtree(struct call *c, GError **err)
{
    (void)err;
    aspace_print(c->m, c->out);
    return true;
}

/* Where a block of memory is read, neighbours in one. */
static void print_places(struct machine *m, const struct ram *ram, GString *out)
{
    const char *before = "at ";

    for (unsigned k = 0, next; k < m->view_len[0]; k = next) {
        const struct flat_range *f = &m->view[0][k], *end = f;

        next = k + 1;
        if (f->region->kind != REGION_RAM || f->region->ram != ram) {
            continue;
        }
        while (next < m->view_len[0] && m->view[0][next].host == end->host + end->size &&
               m->view[0][next].base == end->base + end->size) {
            end = &m->view[0][next++];
        }
        g_string_append_printf(out, "%s%" PRIx64 "-%" PRIx64, before, f->base,
                               end->base + end->size - 1);
        before = ", ";
    }
    g_string_append_c(out, '\n');
}

static bool info_roms(struct call *c, GError **err)
{
    (void)err;
    for (unsigned i = 0; i < c->m->rams->len; i++) {
        const struct ram *ram = g_ptr_array_index(c->m->rams, i);

        g_string_append_printf(c->out, "%-10s %9" PRIu64 " KiB %s ", ram->name, ram->size >> 10,
                               ram->readonly ? "rom" : "ram");
        print_places(c->m, ram, c->out);
    }
    return true;
}

static gint claims_compare(gconstpointer a, gconstpointer b)
{
    const struct port_claim *x = *(struct port_claim *const *)a,
                            *y = *(struct port_claim *const *)b;

    return x->range.first - y->range.first;
}

static bool info_ports(struct call *c, GError **err)
{
    g_autoptr(GPtrArray) claims = g_ptr_array_new();

    (void)err;
    for (unsigned i = 0; i < c->m->port_claims->len; i++) {
        g_ptr_array_add(claims, g_ptr_array_index(c->m->port_claims, i));
    }
    g_ptr_array_sort(claims, claims_compare);
    for (unsigned i = 0; i < claims->len; i++) {
        const struct port_claim *p = g_ptr_array_index(claims, i);

        g_string_append_printf(c->out, "%04x-%04x %-12s %" PRIu64 " reads, %" PRIu64 " writes\n",
                               p->range.first, p->range.first + p->range.count - 1, p->dev->name,
                               p->reads, p->writes);
    }
    g_string_append_printf(c->out, "%" PRIu64 " accesses to ports that nobody has\n",
                           c->m->port_unclaimed);
    return true;
}

/* The machine ---------------------------------------------------------------------------------- */

static bool info_status(struct call *c, GError **err)
{
    (void)err;
    g_string_append_printf(c->out, "%s, %.3f s of guest time, %" PRIu64 " resets\n",
                           c->m->paused ? "held" : "running", (double)clock_now(c->m) / NS_PER_SEC,
                           c->m->resets);
    return true;
}

static bool info_jit(struct call *c, GError **err)
{
    const struct accel_ops *accel = c->m->accel;

    if (!accel || !accel->print_info) {
        return monitor_fail(err, MONITOR_ERROR_STATE, "%s translates nothing: --accel jit does",
                            accel ? accel->name : "no engine");
    }
    for (unsigned i = 0; i < c->m->ncpus; i++) {
        g_string_append_printf(c->out, "CPU %u: ", i);
        accel->print_info(c->m->vcpus[i], c->out);
    }
    return true;
}

/* [-a] [reset] */
static bool info_exits(struct call *c, GError **err)
{
    (void)err;
    if (c->arg[1].given) {
        exits_reset(c->m);
        g_string_append(c->out, "counted from now on\n");
    } else {
        exits_print(c->m, c->arg[0].given, c->out);
    }
    return true;
}

static bool info_stats(struct call *c, GError **err)
{
    (void)err;
    machine_stats_json(c->m, c->out);
    return true;
}

static bool info_screen(struct call *c, GError **err)
{
    return display_text_utf8(c->m, c->out) ||
           monitor_fail(err, MONITOR_ERROR_STATE,
                        "there is no text on the screen: it is in a graphics mode");
}

#define NO_ARGS                                                                                    \
    {                                                                                              \
        {                                                                                          \
            NULL, ARG_NONE, false, NULL                                                            \
        }                                                                                          \
    }
#define ALL                                                                                        \
    {                                                                                              \
        {                                                                                          \
            "-a", ARG_FLAG, true, NULL                                                             \
        }                                                                                          \
    }
#define FROM                                                                                       \
    {                                                                                              \
        {                                                                                          \
            "FROM", ARG_NUMBER, true, NULL                                                         \
        }                                                                                          \
    }
#define THING(n, kind)                                                                             \
    {                                                                                              \
        {                                                                                          \
            n, kind, false, NULL                                                                   \
        }                                                                                          \
    }

const struct command monitor_topics[] = {
    {"accel", NULL, NO_ARGS, "which engine runs the guest", info_accel, NULL, false},
    {"block", NULL, NO_ARGS, "drives, what is in them, requests so far", info_block, NULL, false},
    {"cpus", NULL, NO_ARGS, "the processors; * is the chosen one", info_cpus, NULL, true},
    {"device", NULL, THING("DEVICE", ARG_DEVICE), "all registers of one device; also: info DEVICE",
     info_device, NULL, false},
    {"devices", NULL, NO_ARGS, "the devices of the machine", info_devices, NULL, false},
    {"exits",
     NULL,
     {{"-a", ARG_FLAG, true, NULL}, {"reset", ARG_FLAG, true, NULL}},
     "why guest code was left, for what, and how long (-a: every address; reset: begin anew)",
     info_exits,
     NULL,
     false},
    {"ioapic", NULL, NO_ARGS, "the I/O APIC's pins and what they send", info_ioapic, NULL, false},
    {"irq", NULL, NO_ARGS, "interrupt lines: level, and how often each rose", info_irq, NULL,
     false},
    {"jit", NULL, NO_ARGS, "what the translator has done, and what it leaves to the interpreter",
     info_jit, NULL, true},
    {"lapic", NULL, ALL, "the local APIC of the chosen processor (-a: of all)", info_lapic, NULL,
     false},
    {"mem", NULL, FROM, "mapped linear addresses and their rights", info_mem, NULL, true},
    {"mtree", NULL, NO_ARGS, "the physical memory map", info_mtree, NULL, false},
    {"network", NULL, NO_ARGS, "network cards, what they are connected to, frames so far",
     info_network, NULL, false},
    {"pci", NULL, NO_ARGS, "PCI functions and where they answer", info_pci, NULL, false},
    {"pic", NULL, NO_ARGS, "the 8259 interrupt controllers", info_pic, NULL, false},
    {"ports", NULL, NO_ARGS, "I/O ports, whose they are, accesses so far", info_ports, NULL, false},
    {"registers", NULL, ALL, "the chosen processor's registers (-a: of all)", info_registers, NULL,
     true},
    {"roms", NULL, NO_ARGS, "blocks of memory and firmware, and where they can be read", info_roms,
     NULL, false},
    {"screen", NULL, NO_ARGS, "the text on the screen", info_screen, NULL, false},
    {"stats", NULL, NO_ARGS, "counters, as JSON", info_stats, NULL, true},
    {"status", NULL, NO_ARGS, "whether the machine runs", info_status, NULL, false},
    {"tlb", NULL, FROM, "linear pages and the physical ones behind them", info_tlb, NULL, true},
    {"usernet", NULL, NO_ARGS, "connections and forwards of user networks", info_usernet, NULL,
     false},
    {NULL, NULL, NO_ARGS, NULL, NULL, NULL, false},
};
