/*
 * Exit accounting (hw/core/exits.h): tables of addresses, times by place and reason, and what is
 * printed of them.
 *
 * Not modelled: engines (tests/accel/test_exits.c).
 */
#include "tests/rig.h"
#include <criterion/criterion.h>
#include <json-glib/json-glib.h>

static uint64_t accesses(const struct exits_row *row)
{
    return row->count[0] + row->count[1];
}

/* The row of an address in a table, or NULL; without making one. */
static const struct exits_row *look_up(const struct exits_table *t, uint64_t addr)
{
    for (unsigned n = 0; n < EXITS_ROWS; n++) {
        if (t->row[n].tag == addr + 1) {
            return &t->row[n];
        }
    }
    return NULL;
}

static uint64_t sum(const struct exits_table *t)
{
    uint64_t all = accesses(&t->other);

    for (unsigned n = 0; n < EXITS_ROWS; n++) {
        all += accesses(&t->row[n]);
    }
    return all;
}

/* As a dispatcher does. */
static void touch(struct exits *x, struct exits_table **t, uint64_t addr, bool write)
{
    struct exits_row *row = exits_row(x, t, addr);
    uint64_t start = exits_begin(x, row);

    exits_end(x, row, EXITS_MMIO, write, start);
}

static void begin(struct exits *x)
{
    exits_init(x);
    exits_go(x, EXITS_GUEST);
}

Test(exits, each_address_has_a_row)
{
    struct exits_table *t = NULL;
    struct exits x;

    begin(&x);
    for (uint64_t n = 0; n < 16; n++) {
        for (uint64_t k = 0; k <= n; k++) {
            touch(&x, &t, 0xfee00000 + n * 16, k & 1);
        }
    }
    touch(&x, &t, UINT64_MAX - 1, false);
    touch(&x, &t, 0, true);
    for (uint64_t n = 0; n < 16; n++) {
        const struct exits_row *row = look_up(t, 0xfee00000 + n * 16);

        cr_assert(row, "address %u", (unsigned)n);
        cr_expect_eq(row->count[0], n / 2 + 1);
        cr_expect_eq(row->count[1], (n + 1) / 2);
        cr_expect_gt(row->ticks, 0);
    }
    cr_expect(look_up(t, UINT64_MAX - 1));
    cr_expect(look_up(t, 0));
    cr_expect_eq(t->late, 0);
    cr_expect_eq(accesses(&t->other), 0);
    cr_expect_eq(x.count[EXITS_MMIO], sum(t));
    g_free(t);
    exits_fini(&x);
}

Test(exits, a_flood_of_addresses_loses_no_count_and_no_busy_row)
{
    enum { FLOOD = 200000, BUSY = 8, TURNS = 50 };
    struct exits_table *t = NULL;
    struct exits x;

    begin(&x);
    for (unsigned n = 0; n < TURNS; n++) {
        for (unsigned k = 0; k < BUSY; k++) {
            touch(&x, &t, 0x1000 + k, false);
        }
    }
    for (uint64_t n = 0; n < FLOOD; n++) {
        touch(&x, &t, 0x100000 + n * 4, true);
    }
    for (unsigned k = 0; k < BUSY; k++) {
        const struct exits_row *row = look_up(t, 0x1000 + k);

        cr_assert(row);
        cr_expect_eq(row->count[0], TURNS);
        cr_expect_not(t->late >> (row - t->row) & 1, "row %u is said to be partial", k);
    }
    cr_expect_eq(sum(t), BUSY * TURNS + FLOOD);
    cr_expect_eq(x.count[EXITS_MMIO], BUSY * TURNS + FLOOD);
    cr_expect_geq(t->other.count[1], FLOOD - EXITS_ROWS);
    /* who comes back has a row again, and is said to have been away */
    touch(&x, &t, 0x100000, true);
    const struct exits_row *row = look_up(t, 0x100000);
    cr_assert(row);
    cr_expect_eq(row->count[1], 1);
    cr_expect(t->late >> (row - t->row) & 1);
    g_free(t);
    exits_fini(&x);
}

Test(exits, frequent_accesses_are_timed_now_and_then)
{
    enum { MANY = 3000000 };
    struct exits_table *t = NULL;
    struct exits x;

    begin(&x);
    for (unsigned n = 0; n < MANY; n++) {
        touch(&x, &t, 0x80, true);
    }
    const struct exits_row *row = look_up(t, 0x80);
    cr_expect_eq(row->count[1], MANY);
    cr_expect_geq(row->spent, 1024, "%u timed", (unsigned)row->spent);
    cr_expect_leq(row->spent, MANY / 10, "%u timed", (unsigned)row->spent);
    g_free(t);
    exits_fini(&x);
}

Test(exits, time_goes_to_places_and_reasons)
{
    struct exits_table *t = NULL;
    struct exits x;
    uint64_t sum = 0, whole;

    exits_init(&x);
    exits_go(&x, EXITS_OUT);
    uint64_t from = x.since;
    for (unsigned n = 0; n < 100; n++) {
        exits_trip(&x, exits_go(&x, EXITS_GUEST) + 7);
        exits_go(&x, EXITS_OUT);
        exits_note(&x, n & 1 ? EXITS_PORT : EXITS_WINDOW);
        if (n & 1) { /* part of an exit: no exit of its own */
            touch(&x, &t, 0x60, false);
            touch(&x, &t, 0x64, false);
        }
    }
    exits_go(&x, EXITS_HALTED);
    exits_go(&x, EXITS_OUT);
    whole = x.since - from;
    for (unsigned n = 0; n < EXITS_PLACES; n++) {
        sum += n == EXITS_HELD ? 0 : x.ticks[n];
        cr_expect_gt(x.ticks[n], 0, "place %u", n);
    }
    cr_expect_eq(sum, whole);
    cr_expect_eq(x.count[EXITS_PORT], 50);
    cr_expect_eq(x.count[EXITS_WINDOW], 50);
    cr_expect_eq(x.count[EXITS_MMIO], 0);
    cr_expect_eq(x.out[EXITS_PORT] + x.out[EXITS_WINDOW] + x.out[EXITS_REQUEST],
                 x.ticks[EXITS_OUT]);
    cr_expect_eq(x.trips, 100);
    cr_expect_geq(x.shortest, 7);
    /* the time is the last address's */
    cr_expect_eq(look_up(t, 0x60)->count[0], 50);
    cr_expect_eq(look_up(t, 0x60)->ticks, 0);
    cr_expect_eq(look_up(t, 0x64)->ticks, x.out[EXITS_PORT]);
    g_free(t);
    exits_fini(&x);
}

Test(exits, waits_for_the_lock_are_told_apart)
{
    struct exits x;

    exits_init(&x);
    exits_waited(&x, __builtin_ia32_rdtsc() - 1000); /* held: nobody's exit */
    cr_expect_eq(x.count[EXITS_LOCK], 0);
    exits_go(&x, EXITS_GUEST);
    exits_waited(&x, __builtin_ia32_rdtsc() - 1000);
    cr_expect_geq(x.inside[EXITS_LOCK], 1000);
    exits_go(&x, EXITS_OUT);
    x.since -= 5000;
    exits_note(&x, EXITS_PORT);
    exits_waited(&x, __builtin_ia32_rdtsc() - 1000);
    exits_go(&x, EXITS_GUEST);
    cr_expect_eq(x.count[EXITS_LOCK], 2);
    cr_expect_geq(x.out[EXITS_LOCK], 1000);
    cr_expect_geq(x.out[EXITS_PORT], 3000);
    cr_expect_eq(x.out[EXITS_LOCK] + x.out[EXITS_PORT], x.ticks[EXITS_OUT]);
    exits_fini(&x);
}

Test(exits, nothing_is_counted_when_it_is_off)
{
    struct exits_table *t = NULL;
    struct exits x;

    exits_init(&x);
    x.off = true;
    exits_go(&x, EXITS_GUEST);
    exits_note(&x, EXITS_HALT);
    touch(&x, &t, 0x80, true);
    cr_expect_null(t);
    for (unsigned n = 0; n < EXITS_REASONS; n++) {
        cr_expect_eq(x.count[n], 0);
    }
    cr_expect_eq(x.ticks[EXITS_GUEST] + x.ticks[EXITS_OUT], 0);
    exits_fini(&x);
}

/* ---- a machine's ---- */

static uint32_t probe_read(struct device *dev, unsigned off, unsigned size)
{
    (void)dev;
    return off + size;
}

static uint64_t probe_load(struct device *dev, uint64_t off, unsigned size)
{
    (void)dev;
    return off + size;
}

static const struct port_range probe_ports[] = {
    {.first = 0x300, .count = 8, .sizes = SIZE_1, .read = probe_read}, {.count = 0}};
static const struct mmio_ops registers = {.sizes = SIZE_4, .read = probe_load};
static const struct mmio_ops memory = {.sizes = SIZE_ANY, .passive = true, .read = probe_load};

struct probe {
    struct device dev;
    struct region registers, memory;
};

static const struct device_ops probe_ops = {
    .name = "probe", .title = "probe", .size = sizeof(struct probe), .ports = probe_ports};

static bool build(struct machine *m, GError **err)
{
    struct probe *p = (struct probe *)device_new(m, &probe_ops, "probe \"1\"");

    (void)err;
    region_init_mmio(&p->registers, "registers", &p->dev, &registers, 0x1000);
    region_init_mmio(&p->memory, "memory", &p->dev, &memory, 0x10000);
    region_add(m, &p->registers, 0xfe000000, 0);
    region_add(m, &p->memory, 0xfd000000, 0);
    return true;
}

/* Accesses by a vCPU, whose thread this plays.  Lock not held. */
static void access_all(struct vcpu *v)
{
    port_read(v, 0x302, 1);
    port_read(v, 0x302, 4); /* one access, however it is split */
    port_write(v, 0x303, 1, 1);
    port_write(v, 0x999, 1, 1);
    aspace_read(v, 0xfe000010, 4);
    aspace_write(v, 0xfe000010, 1, 8);
    aspace_read(v, 0xfd001004, 8); /* pages only */
    aspace_read(v, 0xfd001ff0, 8);
    aspace_write(v, 0xfd002000, 1, 1);
    aspace_read(v, 0xf0000004, 4); /* nobody there */
    aspace_read(v, 0x1000, 4);     /* RAM is no device */
    port_read_locked(v->m, 0x302, 1);
}

static struct rig *machine_with_accesses(void)
{
    struct rig *r = rig_new(build);
    struct vcpu *v = r->m->vcpus[0];

    machine_unlock(r->m);
    exits_go(&v->exits, EXITS_GUEST);
    access_all(v);
    exits_note(&v->exits, EXITS_HALT);
    exits_go(&v->exits, EXITS_OUT);
    machine_lock(r->m);
    return r;
}

/* "exits" of the machine's JSON. */
static JsonObject *parsed(struct machine *m, JsonParser *parser)
{
    g_autoptr(GString) out = g_string_new(NULL);
    GError *err = NULL;

    machine_stats_json(m, out);
    cr_assert(json_parser_load_from_data(parser, out->str, -1, &err), "%s: %s",
              err ? err->message : "", out->str);
    return json_object_get_object_member(json_node_get_object(json_parser_get_root(parser)),
                                         "exits");
}

static void expect_access(JsonArray *all, const char *kind, const char *dev, int64_t addr,
                          int64_t offset, int64_t reads, int64_t writes)
{
    for (unsigned n = 0; n < json_array_get_length(all); n++) {
        JsonObject *o = json_array_get_object_element(all, n);

        if (json_object_get_int_member(o, "address") != addr ||
            strcmp(json_object_get_string_member(o, "kind"), kind)) {
            continue;
        }
        cr_expect_eq(json_object_get_null_member(o, "device"), !dev);
        cr_expect(!dev || !strcmp(json_object_get_string_member(o, "device"), dev));
        cr_expect_eq(json_object_has_member(o, "offset"), offset >= 0);
        cr_expect(offset < 0 || json_object_get_int_member(o, "offset") == offset);
        cr_expect_eq(json_object_get_int_member(o, "reads"), reads);
        cr_expect_eq(json_object_get_int_member(o, "writes"), writes);
        cr_expect_not(json_object_get_boolean_member(o, "partial"));
        cr_expect_geq(json_object_get_int_member(o, "ns"), 0);
        return;
    }
    cr_assert_fail("no %s at %#x", kind, (unsigned)addr);
}

Test(exits, json_has_every_access_once)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    struct rig *r = machine_with_accesses();
    JsonObject *exits = parsed(r->m, parser);
    JsonArray *all = json_object_get_array_member(exits, "accesses");
    JsonObject *cpu =
        json_array_get_object_element(json_object_get_array_member(exits, "vcpus"), 0);
    JsonObject *reasons = json_object_get_object_member(cpu, "reasons");
    const char *dev = "probe \"1\"";

    expect_access(all, "port", dev, 0x302, -1, 2, 0);
    expect_access(all, "port", dev, 0x303, -1, 0, 1);
    expect_access(all, "port", NULL, 0x999, -1, 0, 1);
    expect_access(all, "mmio", dev, 0xfe000010, 0x10, 1, 1);
    expect_access(all, "mmio", dev, 0xfd001000, 0x1000, 2, 0);
    expect_access(all, "mmio", dev, 0xfd002000, 0x2000, 0, 1);
    expect_access(all, "mmio", NULL, 0xf0000000, -1, 1, 0);
    cr_expect_eq(json_array_get_length(all), 7);
    static const struct {
        const char *name;
        int64_t count;
    } counts[] = {{"port", 4}, {"mmio", 6}, {"halt", 1}, {"cpuid", 0}, {"lock", 0}};
    for (unsigned n = 0; n < ARRAY_LEN(counts); n++) {
        cr_expect_eq(json_object_get_int_member(
                         json_object_get_object_member(reasons, counts[n].name), "count"),
                     counts[n].count, "%s", counts[n].name);
    }
    cr_expect_gt(json_object_get_int_member(cpu, "guest_ns"), 0);
    cr_expect_gt(json_object_get_int_member(cpu, "out_ns"), 0);
    rig_free(r);
}

Test(exits, tables_are_for_people)
{
    g_autoptr(GString) out = g_string_new(NULL);
    struct rig *r = machine_with_accesses();

    exits_print(r->m, true, out);
    cr_expect(strstr(out->str, "\nport               4 "), "%s", out->str);
    cr_expect(strstr(out->str, "\nmmio               6 "), "%s", out->str);
    cr_expect(strstr(out->str, "\nhalt               1 "), "%s", out->str);
    cr_expect_not(strstr(out->str, "\ncpuid"), "%s", out->str);
    cr_expect(strstr(out->str, "\nprobe \"1\"    port 0302                      2          0 "),
              "%s", out->str);
    cr_expect(strstr(out->str, "\nprobe \"1\"    mmio fe000010 (+10)            1          1 "),
              "%s", out->str);
    cr_expect(strstr(out->str, "\nnobody       port 0999                      0          1 "), "%s",
              out->str);
    cr_expect(strstr(out->str, "its exits took"), "%s", out->str);
    cr_expect_not(strstr(out->str, "shortest trip"), "%s", out->str);
    rig_free(r);
}

Test(exits, a_reset_begins_anew)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    struct rig *r = machine_with_accesses();
    struct exits *x = &r->m->vcpus[0]->exits;

    exits_reset(r->m);
    JsonObject *exits = parsed(r->m, parser);
    cr_expect_eq(json_array_get_length(json_object_get_array_member(exits, "accesses")), 0);
    cr_expect_eq(x->count[EXITS_PORT] + x->count[EXITS_HALT], 0);
    cr_expect_eq(x->ticks[EXITS_GUEST], 0);
    machine_unlock(r->m);
    exits_go(x, EXITS_GUEST);
    access_all(r->m->vcpus[0]);
    machine_lock(r->m);
    cr_expect_eq(x->count[EXITS_PORT], 4);
    cr_expect_eq(look_up(device_find(r->m, "probe \"1\"")->exits[0], 0x302)->count[0], 2);
    rig_free(r);
}

/* Busy addresses first, and the rest only when they are asked for. */
Test(exits, the_top_comes_first)
{
    g_autoptr(GString) out = g_string_new(NULL);
    struct rig *r = rig_new(build);
    struct vcpu *v = r->m->vcpus[0];

    machine_unlock(r->m);
    exits_go(&v->exits, EXITS_GUEST);
    for (unsigned n = 0; n < 0x10000; n += 2) {
        port_read(v, (uint16_t)n, 1);
    }
    machine_lock(r->m);
    exits_print(r->m, false, out);
    cr_expect(strstr(out->str, "addresses more: info exits -a\n"), "%s", out->str);
    cr_expect(strstr(out->str, "nobody       port elsewhere "), "%s", out->str);
    cr_expect(strstr(out->str, "\n*: "), "%s", out->str);
    rig_free(r);
}
