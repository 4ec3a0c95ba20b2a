/*
 * Exit accounting: see exits.h.
 *
 * Not modelled: what is printed (exits_report.c).
 */
#include "hw/core/exits.h"
#include "hw/core/machine.h"

enum {
    EXITS_APART = 200000, /* ticks between timings of an address: 0.05 % of the time */
    EXITS_FIRST = 1024,
    EXITS_UNUSUAL = 64, /* times the mean */
    EXITS_COMING = 64,  /* of so many addresses that come to a full table one is timed */
};

static void exits_clear(struct exits *x)
{
    memset(x->ticks, 0, sizeof x->ticks);
    memset(x->out, 0, sizeof x->out);
    memset(x->inside, 0, sizeof x->inside);
    memset(x->count, 0, sizeof x->count);
    x->trips = x->shortest = 0;
    x->since = __builtin_ia32_rdtsc();
}

void exits_init(struct exits *x)
{
    *x = (struct exits){.place = EXITS_HELD, .reason = EXITS_REQUEST};
    x->msrs = g_new0(struct exits_table, 1);
    x->kernel = g_array_new(FALSE, TRUE, sizeof(uint64_t));
    exits_clear(x);
}

void exits_fini(struct exits *x)
{
    g_clear_pointer(&x->msrs, g_free);
    g_clear_pointer(&x->kernel, g_array_unref);
}

void exits_clock_init(struct exits_clock *c)
{
    c->ns = clock_host_now();
    c->ticks = __builtin_ia32_rdtsc();
}

void exits_clock_fini(struct exits_clock *c)
{
    g_clear_pointer(&c->nobody[0], g_free);
    g_clear_pointer(&c->nobody[1], g_free);
}

/* Another thread may read it meanwhile. */
static void add(uint64_t *to, uint64_t n)
{
    __atomic_store_n(to, *to + n, __ATOMIC_RELAXED);
}

/* The counters of two host processors may be a little apart. */
static uint64_t ticks_since(uint64_t start, uint64_t now)
{
    return (int64_t)(now - start) > 0 ? now - start : 0;
}

/* The end of an exit, or of a part of it. */
static void leave_out(struct exits *x, uint64_t ticks)
{
    uint64_t waited = MIN(x->waiting, ticks);

    add(&x->out[EXITS_LOCK], waited);
    add(&x->out[x->reason], ticks - waited);
    if (x->row) { /* by now without the lock that guards it */
        __atomic_fetch_add(&x->row->ticks, ticks - waited, __ATOMIC_RELAXED);
        x->row = NULL;
    }
    x->waiting = 0;
}

uint64_t exits_go(struct exits *x, enum exits_place place)
{
    uint64_t now = __builtin_ia32_rdtsc(), ticks = ticks_since(x->since, now);
    uint32_t version = atomic_load_explicit(&x->version, memory_order_relaxed);

    if (x->off) {
        return 0;
    }
    atomic_store_explicit(&x->version, version + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    add(&x->ticks[x->place], ticks);
    if (x->place == EXITS_OUT) {
        leave_out(x, ticks);
    }
    __atomic_store_n(&x->place, (uint8_t)place, __ATOMIC_RELAXED);
    __atomic_store_n(&x->since, now, __ATOMIC_RELAXED);
    atomic_store_explicit(&x->version, version + 2, memory_order_release);
    return ticks;
}

void exits_note(struct exits *x, enum exits_reason reason)
{
    if (!x->off) {
        x->reason = reason;
        add(&x->count[reason], 1);
    }
}

void exits_trip(struct exits *x, uint64_t ticks)
{
    add(&x->trips, 1);
    if (ticks < x->shortest || !x->shortest) {
        __atomic_store_n(&x->shortest, MAX(ticks, 1), __ATOMIC_RELAXED);
    }
}

void exits_waited(struct exits *x, uint64_t start)
{
    uint64_t ticks = ticks_since(start, __builtin_ia32_rdtsc());

    if (x->off || (x->place != EXITS_GUEST && x->place != EXITS_OUT)) {
        return;
    }
    add(&x->count[EXITS_LOCK], 1);
    if (x->place == EXITS_GUEST) {
        add(&x->inside[EXITS_LOCK], ticks);
    } else {
        x->waiting += ticks;
    }
}

/* 1 .. 2n - 1, n on average, which is less than 32768. */
static uint32_t random_about(uint32_t *state, uint64_t n)
{
    *state = *state * 1664525 + 1013904223;
    return 1 + (uint32_t)((*state >> 16) * (2 * n - 1) >> 16);
}

/* How far apart accesses are to be timed, from what the last ones were.  One in EXITS_APART ticks
 * is always good, and EXITS_FIRST more. */
static uint64_t row_gap(struct exits_row *row, uint64_t now)
{
    uint64_t passed = ticks_since(row->timed_at, now);

    row->spent -= MIN(row->spent, passed / EXITS_APART);
    if (row->spent++ < EXITS_FIRST) {
        return 1;
    }
    return CLAMP(EXITS_APART * (uint64_t)row->gap / (passed + 1), 1, EXITS_SPARSE);
}

void exits_timed(struct exits *x, struct exits_row *row, enum exits_reason reason, uint64_t start)
{
    uint64_t now = __builtin_ia32_rdtsc(), ticks = ticks_since(start, now);

    if (!row->gap) { /* a reset came between */
        return;
    }
    uint64_t mean = row->ticks / (row->count[0] + row->count[1]);

    if (row->gap <= EXITS_UNUSUAL || ticks / EXITS_UNUSUAL <= mean) {
        ticks *= row->gap;
    }
    add(&row->ticks, ticks);
    add(&x->inside[reason], ticks);
    row->left = random_about(&x->random, row_gap(row, now));
    row->gap = row->left;
    row->timed_at = now;
}

/* Whose place in the table it is to be: a free row, or that with the fewest accesses. */
static unsigned row_to_use(const struct exits_table *t, unsigned slot)
{
    unsigned least = slot;

    for (unsigned i = 0; i < EXITS_PROBES; i++) {
        unsigned n = (slot + i) & (EXITS_ROWS - 1);
        const struct exits_row *row = &t->row[n], *best = &t->row[least];

        if (!row->tag) {
            return n;
        }
        if (row->count[0] + row->count[1] < best->count[0] + best->count[1]) {
            least = n;
        }
    }
    return least;
}

struct exits_row *exits_find(struct exits_table **table, uint64_t addr)
{
    unsigned slot = exits_slot(addr);

    if (!*table) {
        *table = g_new0(struct exits_table, 1);
    }
    struct exits_table *t = *table;
    for (unsigned i = 0; i < EXITS_PROBES; i++) {
        struct exits_row *row = &t->row[(slot + i) & (EXITS_ROWS - 1)];

        if (row->tag == addr + 1) {
            return row;
        }
    }
    unsigned n = row_to_use(t, slot);
    struct exits_row *row = &t->row[n];
    bool full = row->tag;
    if (full) {
        add(&t->other.count[0], row->count[0]);
        add(&t->other.count[1], row->count[1]);
        add(&t->other.ticks, row->ticks);
    }
    if (full || t->other.count[0] || t->other.count[1]) {
        t->late |= BIT64(n);
    }
    *row = (struct exits_row){.tag = addr + 1, .left = 1, .gap = 1};
    if (full) { /* rows may come and go with every access: not each is timed */
        row->gap = EXITS_COMING;
        row->left = random_about(&t->random, EXITS_COMING / 2) > 1 ? EXITS_COMING : 1;
    }
    return row;
}

static void table_clear(struct exits_table *t)
{
    if (t) {
        memset(t, 0, sizeof *t);
    }
}

static void note_kernel(void *to, const char *name, uint64_t val)
{
    (void)name;
    g_array_append_val((GArray *)to, val);
}

/* A thread that is in an access keeps its row and ends there what it began; so no table goes. */
void exits_reset(struct machine *m)
{
    machine_assert_locked(m);
    machine_exclusive_begin(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        struct exits *x = &m->vcpus[i]->exits;

        exits_clear(x);
        table_clear(x->msrs);
        g_array_set_size(x->kernel, 0);
        if (m->accel && m->accel->kernel_counts) {
            m->accel->kernel_counts(m->vcpus[i], note_kernel, x->kernel);
        }
    }
    for (unsigned i = 0; i < m->devices->len; i++) {
        const struct device *dev = g_ptr_array_index(m->devices, i);

        table_clear(dev->exits[0]);
        table_clear(dev->exits[1]);
    }
    table_clear(m->exits.nobody[0]);
    table_clear(m->exits.nobody[1]);
    machine_exclusive_end(m);
}
