/*
 * The I/O thread: posts, work, watches, timers on time; and disk requests through the workers.
 *
 * Not modelled: the CPU.
 */
#include "tests/rig.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

struct live {
    struct machine *m;
    GMutex lock;
    GCond cond;
    int count;
    GThread *main_thread, *seen;
    bool locked;
};

static bool build_nothing(G_GNUC_UNUSED struct machine *m, G_GNUC_UNUSED GError **err)
{
    return true;
}

static const struct board empty_board = {"empty", build_nothing};

/* A running machine without processors, on real time. */
static void live_start(struct live *l)
{
    struct vm_config c;
    GError *err = NULL;

    memset(l, 0, sizeof *l);
    vm_config_init(&c);
    l->m = machine_new(&c, NULL);
    vm_config_clear(&c);
    l->main_thread = g_thread_self();
    cr_assert(machine_build(l->m, &empty_board, &err));
    cr_assert(machine_run(l->m, &err));
}

static void live_bump(void *arg)
{
    struct live *l = arg;

    machine_assert_locked(l->m);
    l->seen = g_thread_self();
    g_mutex_lock(&l->lock);
    l->count++;
    g_cond_broadcast(&l->cond);
    g_mutex_unlock(&l->lock);
}

static bool live_wait(struct live *l, int count)
{
    int64_t until = g_get_monotonic_time() + 5 * G_TIME_SPAN_SECOND;
    bool good = true;

    g_mutex_lock(&l->lock);
    while (l->count < count && good) {
        good = g_cond_wait_until(&l->cond, &l->lock, until);
    }
    g_mutex_unlock(&l->lock);
    return good;
}

Test(loop, posts_run_in_the_io_thread_with_the_lock, .timeout = 20)
{
    struct live l;

    live_start(&l);
    for (unsigned i = 0; i < 1000; i++) {
        loop_post(l.m, live_bump, &l);
    }
    cr_assert(live_wait(&l, 1000));
    cr_assert_neq(l.seen, l.main_thread);
    machine_free(l.m);
}

static void live_work(void *arg)
{
    struct live *l = arg;

    l->locked = atomic_load(&l->m->lock_owner) == (void *)pthread_self();
}

Test(loop, work_runs_unlocked_on_a_worker_and_completes_in_the_io_thread, .timeout = 20)
{
    struct live l;

    live_start(&l);
    l.locked = true;
    loop_work(l.m, live_work, live_bump, &l);
    cr_assert(live_wait(&l, 1));
    cr_assert(!l.locked);
    cr_assert_neq(l.seen, l.main_thread);
    machine_free(l.m);
}

static void live_readable(void *arg, GIOCondition c)
{
    struct live *l = arg;
    char byte;

    cr_assert(c & G_IO_IN);
    /* The count is of bytes; more than asked for would show. */
    if (read(GPOINTER_TO_INT(l->seen), &byte, 1) == 1) {
        g_mutex_lock(&l->lock);
        l->count++;
        g_cond_broadcast(&l->cond);
        g_mutex_unlock(&l->lock);
    }
}

Test(loop, a_watch_calls_until_it_is_taken_off, .timeout = 20)
{
    struct live l;
    int fds[2];
    unsigned id;

    cr_assert_eq(pipe(fds), 0);
    live_start(&l);
    l.seen = GINT_TO_POINTER(fds[0]);
    id = loop_watch(l.m, fds[0], G_IO_IN, live_readable, &l);
    cr_assert_eq(write(fds[1], "abc", 3), 3);
    cr_assert(live_wait(&l, 3));
    machine_lock(l.m);
    loop_unwatch(l.m, id);
    loop_unwatch(l.m, 0);
    machine_unlock(l.m);
    cr_assert_eq(write(fds[1], "d", 1), 1);
    g_usleep(20000);
    cr_assert_eq(l.count, 3);
    machine_free(l.m);
    close(fds[0]);
    close(fds[1]);
}

static bool live_tick(void *arg)
{
    live_bump(arg);
    return ((struct live *)arg)->count < 3;
}

Test(loop, every_repeats_until_false, .timeout = 20)
{
    struct live l;

    live_start(&l);
    loop_every(l.m, 5, live_tick, &l);
    cr_assert(live_wait(&l, 3));
    g_usleep(30000);
    cr_assert_eq(l.count, 3);
    machine_free(l.m);
}

struct beat {
    struct device dev;
    struct timer timer;
    unsigned fired;
};

static void beat_fire(struct device *dev, G_GNUC_UNUSED unsigned n)
{
    struct beat *b = (struct beat *)dev;

    b->fired++;
    timer_at(&b->timer, b->timer.deadline + NS_PER_MS);
}

static bool beat_attach(struct device *dev, G_GNUC_UNUSED GError **err)
{
    timer_init(&((struct beat *)dev)->timer, dev, beat_fire, 0);
    timer_at(&((struct beat *)dev)->timer, NS_PER_MS);
    return true;
}

static const struct device_ops beat_ops = {
    .name = "beat", .size = sizeof(struct beat), .attach = beat_attach};

static bool build_beat(struct machine *m, G_GNUC_UNUSED GError **err)
{
    device_new(m, &beat_ops, "beat");
    return true;
}

Test(loop, a_thousand_hertz_timer_keeps_up, .timeout = 20)
{
    static const struct board board = {"beat", build_beat};
    struct vm_config c;
    struct machine *m;
    struct beat *b;
    int64_t now = 0;
    unsigned fired = 0;

    vm_config_init(&c);
    m = machine_new(&c, NULL);
    vm_config_clear(&c);
    cr_assert(machine_build(m, &board, NULL) && machine_run(m, NULL));
    b = (struct beat *)device_find(m, "beat");
    /* Ticks are never lost, only late: sooner or later there is one for every millisecond. */
    for (unsigned i = 0; i < 1000 && (fired < 200 || fired < now / NS_PER_MS); i++) {
        g_usleep(10000);
        machine_lock(m);
        now = clock_now(m);
        fired = b->fired;
        machine_unlock(m);
        cr_assert(fired <= now / NS_PER_MS, "%u ticks in %lld ns", fired, (long long)now);
    }
    cr_assert(fired >= 200 && fired + 1 >= now / NS_PER_MS, "%u ticks in %lld ns", fired,
              (long long)now);
    machine_free(m);
}

/* What a guest gets by writing all ones to the TSC deadline. */
Test(loop, a_timer_at_the_end_of_time_costs_nothing, .timeout = 20)
{
    static const struct board board = {"beat", build_beat};
    struct vm_config c;
    struct machine *m;
    struct beat *b;
    struct rusage before, after;
    int64_t us;

    vm_config_init(&c);
    m = machine_new(&c, NULL);
    vm_config_clear(&c);
    cr_assert(machine_build(m, &board, NULL) && machine_run(m, NULL));
    machine_lock(m);
    b = (struct beat *)device_find(m, "beat");
    timer_at(&b->timer, INT64_MAX);
    b->fired = 0;
    machine_unlock(m);
    g_usleep(20000);
    getrusage(RUSAGE_SELF, &before);
    g_usleep(200000);
    getrusage(RUSAGE_SELF, &after);
    us = (after.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_utime.tv_sec -
          before.ru_stime.tv_sec) *
             1000000 +
         after.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_utime.tv_usec -
         before.ru_stime.tv_usec;
    cr_expect(us < 20000, "%lld us of processor time in 200 ms", (long long)us);
    cr_expect_eq(b->fired, 0);
    machine_free(m);
}

/* Disks ------------------------------------------------------------------------------------- */

struct io {
    struct block_req req;
    unsigned done;
    uint8_t buf[4 * SECTOR_BYTES];
};

static void io_done(struct block_req *req)
{
    struct io *io = req->opaque;

    cr_assert(!req->busy);
    machine_assert_locked(req->blk->m);
    io->done++;
}

static void io_submit(struct block *b, struct io *io, enum block_op op, uint64_t sector,
                      uint32_t count)
{
    io->req.op = op;
    io->req.sector = sector;
    io->req.count = count;
    io->req.buf = io->buf;
    io->req.done = io_done;
    io->req.opaque = io;
    block_submit(b, &io->req);
    cr_assert(io->req.busy, "never done inside submit");
}

Test(block, requests_are_checked_and_done, .timeout = 20)
{
    static const struct {
        enum block_op op;
        uint64_t sector;
        uint32_t count;
        bool readonly;
        int fail, error;
    } cases[] = {
        {BLOCK_READ, 0, 4, false, 0, 0},       {BLOCK_READ, 96, 4, false, 0, 0},
        {BLOCK_READ, 97, 4, false, 0, EINVAL}, {BLOCK_READ, ~0ull, 4, false, 0, EINVAL},
        {BLOCK_READ, 100, 0, false, 0, 0},     {BLOCK_WRITE, 10, 1, false, 0, 0},
        {BLOCK_WRITE, 10, 1, true, 0, EROFS},  {BLOCK_WRITE, 100, 1, false, 0, EINVAL},
        {BLOCK_FLUSH, 0, 0, false, 0, 0},      {BLOCK_READ, 1, 1, false, EIO, EIO},
    };
    struct rig *r = rig_new(NULL);
    uint8_t *data;
    int *fail;
    struct block *b = rig_disk(100, &data, &fail);

    block_attach(b, r->m);
    data[96 * 512] = 0x77;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct io io = {.buf = {0x55}};

        b->readonly = cases[i].readonly;
        *fail = cases[i].fail;
        io_submit(b, &io, cases[i].op, cases[i].sector, cases[i].count);
        cr_assert_eq(io.done, 0);
        block_drain(r->m);
        cr_assert_eq(io.done, 1, "case %u", i);
        cr_assert_eq(io.req.error, cases[i].error, "case %u: %d", i, io.req.error);
        cr_assert(i != 1 || io.buf[0] == 0x77);
    }
    cr_assert_eq(data[10 * 512], 0x55);
    cr_assert(b->read_reqs == 4 && b->write_reqs == 1 && b->flush_reqs == 1);
    rig_free(r);
}

Test(block, a_reset_ends_requests_silently, .timeout = 20)
{
    struct rig *r = rig_new(NULL);
    uint8_t *data;
    struct block *b = rig_disk(100, &data, NULL);
    struct io io = {.buf = {0x66}};

    block_attach(b, r->m);
    io_submit(b, &io, BLOCK_WRITE, 3, 1);
    rig_reset(r);
    cr_assert(io.done == 0 && !io.req.busy);
    cr_assert_eq(data[3 * 512], 0x66, "what was written is written");
    io_submit(b, &io, BLOCK_READ, 3, 1);
    rig_settle(r);
    cr_assert_eq(io.done, 1);
    rig_free(r);
}

static void io_chain(struct block_req *req)
{
    struct io *io = req->opaque;

    if (++io->done < 5) {
        block_submit(req->blk, req);
    }
}

Test(block, a_completion_may_submit_again_and_drain_waits_for_it, .timeout = 20)
{
    struct rig *r = rig_new(NULL);
    struct block *b = rig_disk(100, NULL, NULL);
    struct io io = {0};

    block_attach(b, r->m);
    io_submit(b, &io, BLOCK_READ, 0, 1);
    io.req.done = io_chain;
    block_drain(r->m);
    cr_assert_eq(io.done, 5);
    rig_free(r);
}

enum { STRESS_REQS = 16, STRESS_ROUNDS = 400 };

/* Under the lock: whatever is not under way goes out again. */
static void stress_submit(struct block *b, struct io *io, unsigned round)
{
    for (unsigned i = 0; i < STRESS_REQS; i++) {
        if (!io[i].req.busy) {
            io_submit(b, &io[i], (round + i) % 3 ? BLOCK_READ : BLOCK_WRITE, (round + 4 * i) % 96,
                      4);
        }
    }
}

static gpointer stress_reset(gpointer arg)
{
    struct machine *m = arg;

    for (unsigned i = 0; i < STRESS_ROUNDS; i++) {
        machine_lock(m);
        if (i % 4) {
            block_drain(m);
        } else {
            machine_reset(m);
        }
        machine_unlock(m);
        g_usleep(50);
    }
    return NULL;
}

Test(block, resets_and_drains_beside_completions_lose_no_request, .timeout = 100)
{
    static struct io io[STRESS_REQS];
    struct live l;

    live_start(&l);
    struct block *b = rig_disk(100, NULL, NULL);
    machine_lock(l.m);
    block_attach(b, l.m);
    machine_unlock(l.m);
    GThread *other = g_thread_new("reset", stress_reset, l.m);
    for (unsigned round = 0; round < STRESS_ROUNDS; round++) {
        machine_lock(l.m);
        stress_submit(b, io, round);
        cr_assert(!block_detach(b), "requests are under way");
        machine_unlock(l.m);
        g_usleep(30);
    }
    g_thread_join(other);
    machine_lock(l.m);
    block_drain(l.m);
    cr_assert_eq(b->in_flight + l.m->blocks_in_flight, 0);
    for (unsigned i = 0; i < STRESS_REQS; i++) {
        cr_assert(!io[i].req.busy && io[i].done, "request %u", i);
    }
    stress_submit(b, io, 0); /* and the end of the run finds some under way */
    machine_unlock(l.m);
    machine_free(l.m);
}
