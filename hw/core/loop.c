/*
 * The I/O thread: a GMainContext of its own whose callbacks take the machine lock, timers by a
 * timerfd (poll's milliseconds are too coarse for a 1000 Hz tick), posts from other threads, and
 * workers for blocking file operations.
 *
 * The queues work without the thread as well: loop_run_posts runs what is due in the calling
 * thread.
 *
 * Not modelled: anything of the guest.
 */
#include "hw/core/eventfd.h"
#include "hw/core/machine.h"
#include <errno.h>
#include <glib-unix.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define WORKERS 4

struct call {
    void (*fn)(void *arg);
    void *arg;
};

struct job {
    struct machine *m;
    void (*work)(void *arg);
    struct call done;
};

struct watch {
    struct machine *m;
    void (*fn)(void *arg, GIOCondition c);
    bool (*tick)(void *arg);
    void *arg;
};

struct io_loop {
    GMainContext *context;
    GThread *thread;
    _Atomic bool quit;
    _Atomic bool live; /* the thread runs: completions need not wait for a drain */
    int wake_fd, timer_fd;
    int64_t timer_armed; /* host ns the timerfd is set to; INT64_MAX: not set.  Machine lock */
    bool firing;         /* in clock_run_due: the timerfd is set once, afterwards */
    GThreadPool *workers;
    GMutex lock;        /* leaf: the two queues */
    GCond finished;     /* something came to `done` */
    GQueue posts, done; /* struct call */
};

static struct io_loop *loop_of(struct machine *m)
{
    return m->loop;
}

/* Posts and work ---------------------------------------------------------------------------- */

static void loop_queue(struct io_loop *io, GQueue *q, struct call call)
{
    g_mutex_lock(&io->lock);
    g_queue_push_tail(q, g_memdup2(&call, sizeof call));
    if (q == &io->done) {
        g_cond_broadcast(&io->finished);
    }
    g_mutex_unlock(&io->lock);
}

void loop_post(struct machine *m, void (*fn)(void *arg), void *arg)
{
    struct io_loop *io = loop_of(m);

    loop_queue(io, &io->posts, (struct call){fn, arg});
    fd_signal(io->wake_fd);
}

/* Run what stands in the queue now; what it queues itself waits for the next round. */
static void loop_run_queue(struct io_loop *io, GQueue *q)
{
    unsigned n;

    g_mutex_lock(&io->lock);
    n = g_queue_get_length(q);
    g_mutex_unlock(&io->lock);
    while (n--) {
        struct call *call;

        g_mutex_lock(&io->lock);
        call = g_queue_pop_head(q);
        g_mutex_unlock(&io->lock);
        if (!call) {
            break;
        }
        call->fn(call->arg);
        g_free(call);
    }
}

static void loop_worker(gpointer data, gpointer user)
{
    struct job *job = data;
    struct io_loop *io = user;

    job->work(job->done.arg);
    loop_queue(io, &io->done, job->done);
    /* While the lock is free we may as well run it here: to wake the I/O thread costs more than
     * many a disk request. */
    if (atomic_load(&io->live) && machine_trylock(job->m)) {
        loop_run_queue(io, &io->done);
        machine_unlock(job->m);
    } else {
        fd_signal(io->wake_fd);
    }
    g_free(job);
}

void loop_work(struct machine *m, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    struct io_loop *io = loop_of(m);
    struct job job = {m, work, {done, arg}};

    if (work) {
        g_thread_pool_push(io->workers, g_memdup2(&job, sizeof job), NULL);
    } else {
        loop_queue(io, &io->done, job.done);
        fd_signal(io->wake_fd);
    }
}

void loop_run_posts(struct machine *m)
{
    struct io_loop *io = loop_of(m);

    machine_assert_locked(m);
    loop_run_queue(io, &io->done);
    loop_run_queue(io, &io->posts);
}

void loop_wait_work(struct machine *m)
{
    struct io_loop *io = loop_of(m);

    machine_assert_locked(m);
    g_mutex_lock(&io->lock);
    while (!g_queue_get_length(&io->done)) {
        g_cond_wait(&io->finished, &io->lock);
    }
    g_mutex_unlock(&io->lock);
    loop_run_queue(io, &io->done);
}

/* Timers ------------------------------------------------------------------------------------ */

void loop_wake(struct machine *m)
{
    struct io_loop *io = loop_of(m);
    struct itimerspec when = {0};
    int64_t deadline = clock_next_deadline(m), host;

    /* A timerfd that fires too early only looks again: no need to put it off. */
    if (!io || io->firing || deadline < 0 || !m->clock_running) {
        return;
    }
    /* A guest's deadline may lie behind the end of the host's clock. */
    if (__builtin_sub_overflow(deadline, atomic_load(&m->clock_offset), &host)) {
        host = INT64_MAX;
    }
    host = MAX(host, 1);
    if (host >= io->timer_armed) {
        return;
    }
    io->timer_armed = host;
    when.it_value.tv_sec = host / NS_PER_SEC;
    when.it_value.tv_nsec = host % NS_PER_SEC;
    timerfd_settime(io->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static gboolean loop_on_timer(gint fd, G_GNUC_UNUSED GIOCondition c, gpointer data)
{
    struct machine *m = data;
    struct io_loop *io = loop_of(m);

    machine_lock(m);
    fd_clear(fd);
    io->timer_armed = INT64_MAX;
    io->firing = true;
    clock_run_due(m);
    io->firing = false;
    loop_wake(m);
    machine_unlock(m);
    return G_SOURCE_CONTINUE;
}

static gboolean loop_on_wake(gint fd, G_GNUC_UNUSED GIOCondition c, gpointer data)
{
    struct machine *m = data;

    fd_clear(fd);
    machine_lock(m);
    loop_run_posts(m);
    machine_unlock(m);
    return G_SOURCE_CONTINUE;
}

/* Watches ----------------------------------------------------------------------------------- */

static unsigned loop_add(struct io_loop *io, GSource *source, GSourceFunc fn, const struct watch *w)
{
    unsigned id;

    g_source_set_callback(source, fn, g_memdup2(w, sizeof *w), g_free);
    g_source_set_can_recurse(source, TRUE); /* as in loop_add_fd */
    id = g_source_attach(source, io->context);
    g_source_unref(source);
    return id;
}

static gboolean loop_on_fd(G_GNUC_UNUSED gint fd, GIOCondition c, gpointer data)
{
    struct watch *w = data;

    machine_lock(w->m);
    /* It may have been unwatched while we waited for the lock. */
    if (!g_source_is_destroyed(g_main_current_source())) {
        w->fn(w->arg, c);
    }
    machine_unlock(w->m);
    return G_SOURCE_CONTINUE;
}

unsigned loop_watch(struct machine *m, int fd, GIOCondition condition,
                    void (*fn)(void *arg, GIOCondition c), void *arg)
{
    struct watch w = {.m = m, .fn = fn, .arg = arg};

    return loop_add(loop_of(m), g_unix_fd_source_new(fd, condition), G_SOURCE_FUNC(loop_on_fd), &w);
}

static gboolean loop_on_tick(gpointer data)
{
    struct watch *w = data;
    bool again = false;

    machine_lock(w->m);
    if (!g_source_is_destroyed(g_main_current_source())) {
        again = w->tick(w->arg);
    }
    machine_unlock(w->m);
    return again;
}

unsigned loop_every(struct machine *m, unsigned ms, bool (*fn)(void *arg), void *arg)
{
    struct watch w = {.m = m, .tick = fn, .arg = arg};

    return loop_add(loop_of(m), g_timeout_source_new(ms), loop_on_tick, &w);
}

void loop_unwatch(struct machine *m, unsigned id)
{
    GSource *source = id ? g_main_context_find_source_by_id(loop_of(m)->context, id) : NULL;

    if (source) {
        g_source_destroy(source);
    }
}

/* The thread -------------------------------------------------------------------------------- */

static gpointer loop_main(gpointer data)
{
    struct io_loop *io = loop_of(data);

    while (!atomic_load(&io->quit)) {
        g_main_context_iteration(io->context, TRUE);
    }
    return NULL;
}

bool loop_start(struct machine *m, GError **err)
{
    struct io_loop *io = loop_of(m);
    GError *why = NULL;

    atomic_store(&io->quit, false);
    io->thread = g_thread_try_new("io", loop_main, m, &why);
    if (!io->thread) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "cannot start the I/O thread: %s",
                    why->message);
        g_error_free(why);
        return false;
    }
    atomic_store(&io->live, true);
    return true;
}

void loop_stop(struct machine *m)
{
    struct io_loop *io = loop_of(m);

    if (!io->thread) {
        return;
    }
    atomic_store(&io->live, false);
    atomic_store(&io->quit, true);
    g_main_context_wakeup(io->context);
    g_thread_join(io->thread);
    io->thread = NULL;
}

static void loop_add_fd(struct io_loop *io, int fd, GUnixFDSourceFunc fn, struct machine *m,
                        int priority)
{
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN);

    g_source_set_callback(source, G_SOURCE_FUNC(fn), m, NULL);
    g_source_set_priority(source, priority);
    /* It does not; but keeping it from it costs two more wake-ups of the thread each time. */
    g_source_set_can_recurse(source, TRUE);
    g_source_attach(source, io->context);
    g_source_unref(source);
}

bool loop_init(struct machine *m, GError **err)
{
    struct io_loop *io = g_new0(struct io_loop, 1);

    io->timer_armed = INT64_MAX;
    io->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    io->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    io->context = g_main_context_new();
    g_mutex_init(&io->lock);
    g_cond_init(&io->finished);
    g_queue_init(&io->posts);
    g_queue_init(&io->done);
    io->workers = g_thread_pool_new(loop_worker, io, WORKERS, FALSE, NULL);
    m->loop = io;
    if (io->wake_fd < 0 || io->timer_fd < 0) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                    "cannot make the I/O thread's descriptors: %s", g_strerror(errno));
        return false;
    }
    loop_add_fd(io, io->timer_fd, loop_on_timer, m, G_PRIORITY_HIGH);
    loop_add_fd(io, io->wake_fd, loop_on_wake, m, G_PRIORITY_DEFAULT);
    return true;
}

void loop_fini(struct machine *m)
{
    struct io_loop *io = loop_of(m);

    if (!io) {
        return;
    }
    loop_stop(m);
    g_thread_pool_free(io->workers, FALSE, TRUE);
    g_queue_clear_full(&io->posts, g_free);
    g_queue_clear_full(&io->done, g_free);
    g_main_context_unref(io->context);
    if (io->wake_fd >= 0) {
        close(io->wake_fd);
    }
    if (io->timer_fd >= 0) {
        close(io->timer_fd);
    }
    g_cond_clear(&io->finished);
    g_mutex_clear(&io->lock);
    g_free(io);
    m->loop = NULL;
}
