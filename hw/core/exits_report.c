/*
 * What exit accounting has found, as tables for people and as JSON.
 *
 * Ticks become time by what the clock and the counter have done since the machine was made.
 *
 * Not modelled: the counting (exits.c).
 */
#include "hw/core/exits.h"
#include "hw/core/json.h"
#include "hw/core/machine.h"
#include <inttypes.h>

enum { TOP_ROWS = 20, ALL_ROWS = G_MAXINT };

static const struct {
    const char *name, *title;
} reasons[EXITS_REASONS] = {
    [EXITS_PORT] = {"port", "IN, OUT: a device's port"},
    [EXITS_MMIO] = {"mmio", "load, store: a device's memory"},
    [EXITS_RDMSR] = {"rdmsr", "a model-specific register is read"},
    [EXITS_WRMSR] = {"wrmsr", "a model-specific register is written"},
    [EXITS_CPUID] = {"cpuid", "which processor is this?"},
    [EXITS_TPR] = {"tpr", "CR8: the priority of interrupts"},
    [EXITS_HALT] = {"halt", "HLT: nothing to do until an interrupt"},
    [EXITS_WINDOW] = {"window", "an interrupt waited until it can be taken"},
    [EXITS_EOI] = {"eoi", "the end of an interrupt, for the I/O APIC"},
    [EXITS_LOCK] = {"lock", "no exit: waits in them while another thread is in a device"},
    [EXITS_REQUEST] = {"request", "another thread wants something: an interrupt, a reset, a pause"},
    [EXITS_SHUTDOWN] = {"shutdown", "triple fault"},
};

/* Of the counts of the host's kernel, by their names in Linux, what people are shown. */
static const struct {
    const char *name, *title;
} kernel_names[] = {
    {"exits", "all exits, those that the kernel served among them"},
    {"io_exits", "IN, OUT"},
    {"mmio_exits", "load, store: a device's memory"},
    {"halt_exits", "HLT"},
    {"irq_exits", "an interrupt of the host"},
    {"irq_window_exits", "an interrupt waited until it can be taken"},
    {"signal_exits", "another thread wants something"},
    {"pf_fixed", "memory that the guest touched for the first time"},
    {"insn_emulation", "instructions that the kernel did for the guest"},
    {"hypercalls", "calls of the guest to its host"},
    {"irq_injections", "no exit: interrupts given to the guest"},
};
enum { KERNEL_NAMES = ARRAY_LEN(kernel_names) };

/* What one vCPU, or all of them, came to; times in nanoseconds. */
struct total {
    double place[EXITS_PLACES];
    double out[EXITS_REASONS];
    uint64_t count[EXITS_REASONS];
    uint64_t trips, exits;
    double shortest;
    uint64_t kernel[KERNEL_NAMES];
};

/* Who reads the kernel's counts of a vCPU. */
struct kernel_reader {
    const GArray *base; /* what they were when ours were 0 */
    unsigned n;         /* told so far */
    struct total *t;
    double halted; /* ns that it let the vCPU sleep */
    GString *json; /* gets all of them, or NULL */
};

/* One address, or the rest of a device's. */
struct exits_line {
    const char *kind;
    const struct device *dev; /* NULL: no device answers */
    uint64_t addr;
    bool rest, partial;
    uint64_t count[2];
    double ns;
};

double exits_ns_per_tick(const struct machine *m)
{
    uint64_t ticks = __builtin_ia32_rdtsc() - m->exits.ticks;
    int64_t ns = clock_host_now() - m->exits.ns;

    return ticks && ns > 0 ? (double)ns / (double)ticks : 1;
}

/* A whole copy of x's numbers, that which goes on just now included. */
static void copy_exits(const struct exits *x, struct exits *to)
{
    uint32_t version;

    do {
        version = atomic_load_explicit(&x->version, memory_order_acquire);
        memcpy(to, x, sizeof *to);
        atomic_thread_fence(memory_order_acquire);
    } while (version & 1 || version != atomic_load_explicit(&x->version, memory_order_relaxed));
    int64_t more = (int64_t)(__builtin_ia32_rdtsc() - to->since);
    to->ticks[to->place] += (uint64_t)MAX(more, 0);
}

static void read_kernel(void *to, const char *name, uint64_t val)
{
    struct kernel_reader *k = to;
    uint64_t base = k->n < k->base->len ? g_array_index(k->base, uint64_t, k->n) : 0;

    k->n++;
    val -= MIN(base, val);
    for (unsigned n = 0; n < KERNEL_NAMES; n++) {
        k->t->kernel[n] += strcmp(name, kernel_names[n].name) ? 0 : val;
    }
    if (!strcmp(name, "halt_wait_ns") || !strcmp(name, "halt_poll_success_ns") ||
        !strcmp(name, "halt_poll_fail_ns")) {
        k->halted += (double)val;
    }
    if (k->json) {
        json_count(k->json, name, val);
    }
}

/* The kernel's counts; with its own local APIC it lets a halted vCPU sleep in what is the guest's
 * time for us. */
static void add_kernel(struct vcpu *v, struct total *t, GString *json)
{
    const struct accel_ops *accel = v->m->accel;
    struct kernel_reader k = {.base = v->exits.kernel, .t = t, .json = json};

    if (!accel || !accel->kernel_counts || !v->engine) {
        return;
    }
    accel->kernel_counts(v, read_kernel, &k);
    double slept = MIN(k.halted, t->place[EXITS_GUEST]);
    t->place[EXITS_GUEST] -= slept;
    t->place[EXITS_HALTED] += slept;
}

static void add_vcpu(struct vcpu *v, double scale, struct total *t)
{
    struct exits x;
    double inside = 0;

    copy_exits(&v->exits, &x);
    for (unsigned n = 0; n < EXITS_REASONS; n++) {
        inside += (double)x.inside[n];
    }
    /* They are estimates: no more than there was. */
    double fit = inside > (double)x.ticks[EXITS_GUEST] ? (double)x.ticks[EXITS_GUEST] / inside : 1;
    for (unsigned n = 0; n < EXITS_PLACES; n++) {
        double moved = n == EXITS_GUEST ? -inside : n == EXITS_OUT ? inside : 0;

        t->place[n] += ((double)x.ticks[n] + moved * fit) * scale;
    }
    for (unsigned n = 0; n < EXITS_REASONS; n++) {
        t->out[n] += ((double)x.out[n] + (double)x.inside[n] * fit) * scale;
        t->count[n] += x.count[n];
        t->exits += n < EXITS_KINDS ? x.count[n] : 0;
    }
    t->trips += x.trips;
    if (x.shortest && (!t->shortest || (double)x.shortest * scale < t->shortest)) {
        t->shortest = (double)x.shortest * scale;
    }
    add_kernel(v, t, NULL);
}

/* For how long it was not held. */
static double total_time(const struct total *t)
{
    return t->place[EXITS_GUEST] + t->place[EXITS_OUT] + t->place[EXITS_HALTED];
}

/* All vCPUs; *ran: for how long the one that was held the least was not. */
static void total_all(struct machine *m, double scale, struct total *t, double *ran)
{
    *ran = 1;
    for (unsigned i = 0; i < m->ncpus; i++) {
        double before = total_time(t);

        add_vcpu(m->vcpus[i], scale, t);
        *ran = MAX(*ran, total_time(t) - before);
    }
}

/* ---- addresses ---- */

static void add_line(GArray *lines, const struct exits_line *l)
{
    if (l->count[0] || l->count[1]) {
        g_array_append_val(lines, *l);
    }
}

static void add_table(GArray *lines, const char *kind, const struct device *dev,
                      const struct exits_table *t, double scale)
{
    for (unsigned i = 0; t && i <= EXITS_ROWS; i++) {
        const struct exits_row *row = i < EXITS_ROWS ? &t->row[i] : &t->other;
        struct exits_line l = {
            .kind = kind,
            .dev = dev,
            .addr = __atomic_load_n(&row->tag, __ATOMIC_RELAXED) - 1,
            .rest = i == EXITS_ROWS,
            .partial = i < EXITS_ROWS && t->late >> i & 1,
            .count = {__atomic_load_n(&row->count[0], __ATOMIC_RELAXED),
                      __atomic_load_n(&row->count[1], __ATOMIC_RELAXED)},
            .ns = (double)__atomic_load_n(&row->ticks, __ATOMIC_RELAXED) * scale,
        };

        add_line(lines, &l);
    }
}

/* The MSRs of all vCPUs in one table, which may overflow as theirs. */
static void add_msrs(struct machine *m, GArray *lines, double scale)
{
    g_autofree struct exits_table *all = g_new0(struct exits_table, 1);

    for (unsigned v = 0; v < m->ncpus; v++) {
        const struct exits_table *t = m->vcpus[v]->exits.msrs;

        for (unsigned i = 0; i <= EXITS_ROWS; i++) {
            const struct exits_row *row = i < EXITS_ROWS ? &t->row[i] : &t->other;
            uint64_t tag = __atomic_load_n(&row->tag, __ATOMIC_RELAXED);
            struct exits_row *to = tag ? exits_find(&all, tag - 1) : &all->other;

            to->count[0] += __atomic_load_n(&row->count[0], __ATOMIC_RELAXED);
            to->count[1] += __atomic_load_n(&row->count[1], __ATOMIC_RELAXED);
            to->ticks += __atomic_load_n(&row->ticks, __ATOMIC_RELAXED);
        }
    }
    add_table(lines, "msr", NULL, all, scale);
}

static int line_compare(gconstpointer a, gconstpointer b)
{
    const struct exits_line *x = a, *y = b;
    uint64_t nx = x->count[0] + x->count[1], ny = y->count[0] + y->count[1];

    return x->ns != y->ns ? (x->ns < y->ns) - (x->ns > y->ns) : (nx < ny) - (nx > ny);
}

/* All of them, what took longest first. */
static GArray *collect(struct machine *m, double scale)
{
    GArray *lines = g_array_new(FALSE, FALSE, sizeof(struct exits_line));

    for (unsigned i = 0; i < m->devices->len; i++) {
        const struct device *dev = g_ptr_array_index(m->devices, i);

        add_table(lines, "port", dev, dev->exits[0], scale);
        add_table(lines, "mmio", dev, dev->exits[1], scale);
    }
    add_table(lines, "port", NULL, m->exits.nobody[0], scale);
    add_table(lines, "mmio", NULL, m->exits.nobody[1], scale);
    add_msrs(m, lines, scale);
    g_array_sort(lines, line_compare);
    return lines;
}

static const char *line_device(const struct exits_line *l)
{
    return l->dev ? l->dev->name : !strcmp(l->kind, "msr") ? "cpu" : "nobody";
}

/* Where in its region a device's memory is; false: it is not there any more. */
static bool line_offset(struct machine *m, const struct exits_line *l, uint64_t *off)
{
    const struct flat_range *fr = l->dev && !l->rest && !strcmp(l->kind, "mmio")
                                      ? aspace_find(m, l->addr, ACCESS_READ)
                                      : NULL;

    if (!fr || fr->region->dev != l->dev) {
        return false;
    }
    *off = l->addr - fr->region->base;
    return true;
}

/* ---- for people ---- */

/* Three digits and a unit, 9 columns wide. */
static void print_time(GString *out, double ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s "};
    unsigned n = 0;

    for (; n + 1 < ARRAY_LEN(units) && ns >= 999.5; n++) {
        ns /= 1000;
    }
    g_string_append_printf(out, " %6.*f %s",
                           ns >= 99.95 || !n ? 0
                           : ns >= 9.995     ? 1
                                             : 2,
                           ns, units[n]);
}

static double share(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void print_places(const struct total *t, double ran, GString *out)
{
    static const enum exits_place shown[] = {EXITS_GUEST, EXITS_OUT, EXITS_HALTED};
    double whole = total_time(t);

    for (unsigned n = 0; n < ARRAY_LEN(shown); n++) {
        print_time(out, t->place[shown[n]]);
        g_string_append_printf(out, " %5.1f %%", share(t->place[shown[n]], whole));
    }
    g_string_append_printf(out, " %11" PRIu64 " %9.0f\n", t->exits, (double)t->exits * 1e9 / ran);
}

static void print_vcpus(struct machine *m, double scale, double ran, const struct total *all,
                        GString *out)
{
    g_string_append(out, "CPU          in the guest          out of it"
                         "             halted       exits     per s\n");
    for (unsigned i = 0; i < m->ncpus; i++) {
        struct total t = {0};

        add_vcpu(m->vcpus[i], scale, &t);
        g_string_append_printf(out, "%3u  ", i);
        print_places(&t, ran, out);
    }
    if (m->ncpus > 1) {
        g_string_append(out, "all  ");
        print_places(all, ran, out);
    }
}

static void print_reasons(const struct total *t, double ran, GString *out)
{
    g_string_append(out, "\nwhy            exits     per s      time      mean\n");
    for (unsigned n = 0; n < EXITS_REASONS; n++) {
        if (!t->count[n]) {
            continue;
        }
        g_string_append_printf(out, "%-8s %11" PRIu64 " %9.0f", reasons[n].name, t->count[n],
                               (double)t->count[n] * 1e9 / ran);
        print_time(out, t->out[n]);
        print_time(out, t->out[n] / (double)t->count[n]);
        g_string_append_printf(out, "  %s\n", reasons[n].title);
    }
}

static void print_kernel(const struct total *t, double ran, GString *out)
{
    for (unsigned n = 0, rows = 0; n < KERNEL_NAMES; n++) {
        if (t->kernel[n]) {
            g_string_append_printf(out, "%s%-17s %11" PRIu64 " %9.0f  %s\n",
                                   rows++ ? "" : "\nkernel                  count     per s\n",
                                   kernel_names[n].name, t->kernel[n],
                                   (double)t->kernel[n] * 1e9 / ran, kernel_names[n].title);
        }
    }
}

static void print_line(struct machine *m, const struct exits_line *l, double ran, GString *out)
{
    uint64_t off, count = l->count[0] + l->count[1];
    const char *star = l->partial ? " *" : "";
    char where[40];

    if (l->rest) {
        g_snprintf(where, sizeof where, "elsewhere");
    } else if (line_offset(m, l, &off) && off != l->addr) {
        g_snprintf(where, sizeof where, "%" PRIx64 " (+%" PRIx64 ")%s", l->addr, off, star);
    } else {
        g_snprintf(where, sizeof where, "%0*" PRIx64 "%s", strcmp(l->kind, "port") ? 1 : 4, l->addr,
                   star);
    }
    g_string_append_printf(out, "%-12s %-4s %-16s %10" PRIu64 " %10" PRIu64 " %9.0f",
                           line_device(l), l->kind, where, l->count[0], l->count[1],
                           (double)count * 1e9 / ran);
    print_time(out, l->ns);
    print_time(out, l->ns / (double)count);
    g_string_append_c(out, '\n');
}

static void print_lines(struct machine *m, double scale, double ran, unsigned most, GString *out)
{
    g_autoptr(GArray) lines = collect(m, scale);
    bool partial = false;

    g_string_append(out, "\ndevice       at                         reads     writes     per s"
                         "      time      mean\n");
    for (unsigned i = 0; i < MIN(lines->len, most); i++) {
        const struct exits_line *l = &g_array_index(lines, struct exits_line, i);

        print_line(m, l, ran, out);
        partial |= l->partial;
    }
    if (partial) {
        g_string_append(out, "*: and perhaps some of the device's accesses elsewhere\n");
    }
    if (lines->len > most) {
        g_string_append_printf(out, "and %u addresses more: info exits -a\n", lines->len - most);
    }
}

/* What it all costs, in words. */
static void print_tax(const struct machine *m, const struct total *t, GString *out)
{
    double busy = t->place[EXITS_GUEST] + t->place[EXITS_OUT];
    uint64_t insns = 0;

    for (unsigned i = 0; i < m->ncpus; i++) {
        insns += atomic_load(&m->vcpus[i]->insns);
    }
    g_string_append(out, "\nOf the time that the guest was busy,");
    print_time(out, busy);
    g_string_append(out, ", its exits took");
    print_time(out, t->place[EXITS_OUT]);
    g_string_append_printf(out, ": %.2f %%", share(t->place[EXITS_OUT], busy));
    if (t->exits) {
        g_string_append(out, ", on average");
        print_time(out, t->place[EXITS_OUT] / (double)t->exits);
    }
    g_string_append(out, ".\n");
    if (t->trips) {
        double way = t->shortest * (double)t->trips;

        g_string_append_printf(out,
                               "%" PRIu64 " times the processor was let into the guest and came"
                               " back;",
                               t->trips);
        g_string_append(out, " the shortest trip took");
        print_time(out, t->shortest);
        g_string_append_printf(out,
                               ".\nIf that is the price of the way, %.2f %% of the time in the"
                               " guest went to the ways.\n",
                               share(MIN(way, t->place[EXITS_GUEST]), t->place[EXITS_GUEST]));
    }
    if (insns) {
        g_string_append_printf(out, "In the guest %s ran %.1f million instructions.\n",
                               m->accel->name, (double)insns / 1e6);
    }
}

void exits_print(struct machine *m, bool all, GString *out)
{
    double scale = exits_ns_per_tick(m), ran;
    struct total t = {0};

    machine_assert_locked(m);
    total_all(m, scale, &t, &ran);
    print_vcpus(m, scale, ran, &t, out);
    print_reasons(&t, ran, out);
    print_kernel(&t, ran, out);
    print_lines(m, scale, ran, all ? ALL_ROWS : TOP_ROWS, out);
    print_tax(m, &t, out);
}

/* ---- JSON ---- */

static void json_ns(GString *out, const char *name, double ns)
{
    json_count(out, name, ns > 0 ? (uint64_t)ns : 0);
}

static void json_total(const struct total *t, GString *out)
{
    json_ns(out, "guest_ns", t->place[EXITS_GUEST]);
    json_ns(out, "out_ns", t->place[EXITS_OUT]);
    json_ns(out, "halted_ns", t->place[EXITS_HALTED]);
    json_ns(out, "held_ns", t->place[EXITS_HELD]);
    json_count(out, "trips", t->trips);
    json_ns(out, "shortest_trip_ns", t->shortest);
    g_string_append(out, ", \"reasons\": {");
    for (unsigned n = 0; n < EXITS_REASONS; n++) {
        g_string_append_printf(out, "%s\"%s\": {", n ? ", " : "", reasons[n].name);
        json_count(out, "count", t->count[n]);
        json_ns(out, "ns", t->out[n]);
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, '}');
}

static void json_kernel(struct vcpu *v, GString *out)
{
    g_autoptr(GString) counts = g_string_new("{");
    struct total t = {0};

    add_kernel(v, &t, counts);
    if (counts->len > 1) {
        g_string_append_printf(out, ", \"kernel\": %s}", counts->str);
    }
}

static void json_line(struct machine *m, const struct exits_line *l, GString *out)
{
    uint64_t off;

    json_name(out, "kind", l->kind);
    if (l->dev) {
        json_name(out, "device", l->dev->name);
    } else {
        g_string_append(out, ", \"device\": null");
    }
    if (l->rest) {
        g_string_append(out, ", \"address\": null");
    } else {
        json_count(out, "address", l->addr);
    }
    if (line_offset(m, l, &off)) {
        json_count(out, "offset", off);
    }
    g_string_append_printf(out, ", \"partial\": %s", l->partial ? "true" : "false");
    json_count(out, "reads", l->count[0]);
    json_count(out, "writes", l->count[1]);
    json_ns(out, "ns", l->ns);
}

void exits_json(struct machine *m, GString *out)
{
    double scale = exits_ns_per_tick(m), ran;
    g_autoptr(GArray) lines = collect(m, scale);
    struct total all = {0};
    bool first = true;

    total_all(m, scale, &all, &ran);
    g_string_append(out, ",\n  \"exits\": {");
    json_ns(out, "ns", ran);
    json_open(out, "vcpus");
    for (unsigned i = 0; i < m->ncpus; i++) {
        struct total t = {0};

        json_row(out, &first);
        json_count(out, "id", i);
        add_vcpu(m->vcpus[i], scale, &t);
        json_total(&t, out);
        json_kernel(m->vcpus[i], out);
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ']');
    json_open(out, "accesses");
    first = true;
    for (unsigned i = 0; i < lines->len; i++) {
        json_row(out, &first);
        json_line(m, &g_array_index(lines, struct exits_line, i), out);
        g_string_append_c(out, '}');
    }
    g_string_append(out, "]}");
}
