/*
 * Running the monitor's commands: sessions, calls, and what is done on threads of their own.
 *
 * A thread of its own, not one of the machine's workers: a file on a server that does not answer
 * must keep neither the disks nor the end of the run waiting.  So whoever ends first, session or
 * thread, leaves a job to the other.
 */
#include "ui/monitor_cmd.h"

enum { READY_MS = 5 };

struct job {
    gint refs; /* atomic: the session, the thread, the post */
    GMutex lock;
    struct machine *m; /* NULL: the session is gone.  Under `lock` */
    bool posted;       /* under `lock` */
    struct session *s; /* from here on: machine lock */
    struct call *call; /* NULL: given up */
    struct later later;
    GThread *thread; /* NULL: not begun */
    unsigned watch;
};

GQuark monitor_error_quark(void)
{
    return g_quark_from_static_string("monitor-error-quark");
}

bool monitor_fail(GError **err, enum monitor_error code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, args);
    va_end(args);
    g_set_error_literal(err, MONITOR_ERROR, (gint)code, text);
    return false;
}

/* Jobs ---------------------------------------------------------------------------------------- */

static void job_unref(struct job *job)
{
    if (!g_atomic_int_dec_and_test(&job->refs)) {
        return;
    }
    if (job->later.free) {
        job->later.free(job->later.arg);
    }
    g_mutex_clear(&job->lock);
    g_free(job);
}

static void call_end(struct call *c, const GError *err)
{
    c->s->call = NULL;
    c->answer(c->opaque, c->out->str, err);
    call_free(c);
}

static bool call_go_on(struct call *c, GError **err);

/* The call's present part is over. */
static void call_part_done(struct call *c, bool good, GError *err)
{
    if (!good || !c->later.work || !call_go_on(c, &err)) {
        call_end(c, err);
    }
    g_clear_error(&err);
}

static void job_forget(struct job *job)
{
    job->s->jobs = g_list_remove(job->s->jobs, job);
    job->s = NULL;
    if (job->thread) {
        g_thread_unref(job->thread);
    }
    job_unref(job);
}

/* In the I/O thread, when the work is done. */
static void job_done(void *arg)
{
    struct job *job = arg;
    struct call *c = job->call;

    if (c) {
        GError *err = NULL;
        bool good;

        memset(&c->later, 0, sizeof c->later);
        good = !job->later.done || job->later.done(c, job->later.arg, &err);
        job_forget(job);
        call_part_done(c, good, err);
    } else if (job->s) {
        job_forget(job);
    }
    job_unref(job);
}

static gpointer job_thread(gpointer data)
{
    struct job *job = data;

    job->later.work(job->later.arg);
    g_mutex_lock(&job->lock);
    if (job->m) {
        job->posted = true;
        g_atomic_int_inc(&job->refs);
        loop_post(job->m, job_done, job);
    }
    g_mutex_unlock(&job->lock);
    job_unref(job);
    return NULL;
}

static bool job_start(struct job *job, GError **err)
{
    GError *why = NULL;

    g_atomic_int_inc(&job->refs);
    job->thread = g_thread_try_new("monitor", job_thread, job, &why);
    if (!job->thread) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "cannot start a thread: %s",
                    why->message);
        g_error_free(why);
        job_unref(job);
        return false;
    }
    return true;
}

static bool job_on_tick(void *arg)
{
    struct job *job = arg;
    struct call *c = job->call;
    GError *err = NULL;

    if (!job->later.ready(job->later.arg)) {
        return true;
    }
    job->watch = 0;
    if (!job_start(job, &err)) {
        job_forget(job);
        if (c) {
            call_part_done(c, false, err);
        } else {
            g_clear_error(&err);
        }
    }
    return false;
}

static bool call_go_on(struct call *c, GError **err)
{
    struct job *job = g_new0(struct job, 1);

    job->refs = 1;
    g_mutex_init(&job->lock);
    job->m = c->m;
    job->s = c->s;
    job->call = c;
    job->later = c->later;
    memset(&c->later, 0, sizeof c->later);
    c->s->jobs = g_list_prepend(c->s->jobs, job);
    if (job->later.ready && !job->later.ready(job->later.arg)) {
        job->watch = loop_every(c->m, READY_MS, job_on_tick, job);
        return true;
    }
    if (!job_start(job, err)) {
        job_forget(job);
        return false;
    }
    return true;
}

/* The session ends: the job is its thread's alone, or over. */
static void job_leave(struct job *job)
{
    bool posted;

    if (job->watch) {
        loop_unwatch(job->s->m, job->watch);
    }
    if (job->thread && job->later.must_end) {
        g_thread_join(g_thread_ref(job->thread));
    }
    g_mutex_lock(&job->lock);
    job->m = NULL;
    posted = job->posted;
    g_mutex_unlock(&job->lock);
    if (posted) {
        job_unref(job); /* the post, which never runs any more */
    }
    job_forget(job);
}

/* Sessions ------------------------------------------------------------------------------------ */

void session_init(struct session *s, struct machine *m)
{
    memset(s, 0, sizeof *s);
    s->m = m;
}

void session_fini(struct session *s)
{
    while (s->jobs) {
        job_leave(s->jobs->data);
    }
    if (s->held_watch) {
        loop_unwatch(s->m, s->held_watch);
    }
    if (s->call) {
        call_free(s->call);
    }
    memset(s, 0, sizeof *s);
}

bool session_is_busy(const struct session *s)
{
    return s->call != NULL;
}

void session_give_up(struct session *s)
{
    struct call *c = s->call;
    GError *err = NULL;

    if (!c) {
        return;
    }
    for (GList *at = s->jobs; at; at = at->next) {
        struct job *job = at->data;

        job->call = job->call == c ? NULL : job->call;
    }
    monitor_fail(&err, MONITOR_ERROR_STATE, "%s: given up", c->cmd->name);
    call_end(c, err);
    g_clear_error(&err);
}

void session_call(struct session *s, struct call *c, answer_fn *answer, void *opaque)
{
    GError *err = NULL;
    bool good;

    c->s = s;
    c->m = s->m;
    c->answer = answer;
    c->opaque = opaque;
    c->out = c->out ? c->out : g_string_new(NULL);
    s->call = c;
    if (c->cmd->still) {
        machine_exclusive_begin(s->m);
    }
    good = c->cmd->run(c, &err);
    if (c->cmd->still) {
        machine_exclusive_end(s->m);
    }
    call_part_done(c, good, err);
}

void session_run(struct session *s, const char *line, answer_fn *answer, void *opaque)
{
    GError *err = NULL;
    struct call *c = NULL;

    machine_assert_locked(s->m);
    if (g_list_length(s->jobs) >= SESSION_JOBS) {
        monitor_fail(&err, MONITOR_ERROR_STATE,
                     "%d commands that were given up still wait for their files", SESSION_JOBS);
    } else {
        c = call_parse(s, line, &err);
    }
    if (c) {
        session_call(s, c, answer, opaque);
    } else {
        answer(opaque, "", err);
        g_clear_error(&err);
    }
}
