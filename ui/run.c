/*
 * One run of a machine: check and open everything, build, run, wait for its end, write what was
 * asked for.
 *
 * Nothing on disk is created or changed before the machine is built.
 */
#include "ui/run.h"
#include "accel/accel.h"
#include "hw/pc.h"
#include "ui/audio.h"
#include "ui/chr_host.h"
#include "ui/disas.h"
#include "ui/library.h"
#include "ui/library_run.h"
#include "ui/media.h"
#include "ui/monitor.h"
#include "ui/net.h"
#include "ui/output.h"
#include "ui/preference.h"
#include "ui/screen.h"
#include "ui/script.h"
#include "ui/sdl.h"
#include "ui/window.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { HOSTS = VM_SERIALS + 2, HOST_DEBUGCON = VM_SERIALS, HOST_MONITOR };

struct run {
    const struct options *o;
    struct machine *m;
    struct chr_host *hosts[HOSTS]; /* COM1, COM2, debug console, monitor */
    struct monitor *monitor;
    struct nets *nets;
    struct audio *audio; /* NULL: none */
    struct script *script;
    struct window *window;       /* NULL: without */
    GError *lost[VM_MAX_DRIVES]; /* why a drive is empty that should not be */
    FILE *log;
    int64_t begun; /* host microseconds */
    int signal;    /* that ended the run, or 0 */
    bool timed_out;
};

void run_say(bool quiet, const char *fmt, ...)
{
    va_list args;

    if (quiet) {
        return;
    }
    va_start(args, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, args);
    va_end(args);
    fprintf(stderr, "candela: %s\n", text);
}

static void run_note(const char *text)
{
    run_say(false, "%s", text);
}

static void run_quiet(const char *text)
{
    (void)text;
}

int exit_code_of(const GError *err)
{
    if (err->domain != CANDELA_ERROR) {
        return EXIT_RUN;
    }
    switch (err->code) {
    case CANDELA_ERROR_CONFIG:
        return EXIT_USAGE;
    case CANDELA_ERROR_FILE:
    case CANDELA_ERROR_FORMAT:
    case CANDELA_ERROR_SNAPSHOT:
        return EXIT_CONFIG;
    case CANDELA_ERROR_ACCEL:
        return EXIT_ACCEL;
    default:
        return EXIT_RUN;
    }
}

int run_report(GError *err)
{
    int code = err ? exit_code_of(err) : EXIT_RUN;

    fprintf(stderr, "candela: %s\n", err ? err->message : "failed without saying why");
    g_clear_error(&err);
    return code;
}

/* Before the run ------------------------------------------------------------------------------- */

static bool run_check_outputs(const struct run *r, GError **err)
{
    const struct options *o = r->o;

    return (!o->audio || audio_check(o->audio, err)) &&
           (!o->screen || output_check("--screen", o->screen, err)) &&
           (!o->stats || output_check("--stats", o->stats, err)) &&
           (!o->vm.log_file || output_check("--log-file", o->vm.log_file, err));
}

static bool run_new_host(struct run *r, unsigned n, const char *spec, const char *what,
                         GError **err)
{
    GError *why = NULL;

    if (!spec) {
        return true;
    }
    r->hosts[n] = chr_host_new(spec, what, &why);
    if (why) {
        g_propagate_error(err, why);
        return false;
    }
    return !r->hosts[n] || chr_host_check_path(r->hosts[n], err);
}

static bool run_expects_serial(const struct options *o)
{
    for (unsigned i = 0; i < o->steps->len; i++) {
        if (g_array_index(o->steps, struct script_step, i).kind == STEP_EXPECT_SERIAL) {
            return true;
        }
    }
    return false;
}

static bool run_new_hosts(struct run *r, GError **err)
{
    const struct vm_config *c = &r->o->vm;

    if (!run_new_host(r, 0, c->serial[0], "COM1", err) ||
        !run_new_host(r, 1, c->serial[1], "COM2", err) ||
        !run_new_host(r, HOST_DEBUGCON, c->debugcon, "debug console", err) ||
        !run_new_host(r, HOST_MONITOR, r->o->monitor, "monitor", err)) {
        return false;
    }
    /* --expect-serial listens at COM1 also when nothing else does. */
    if (!r->hosts[0] && run_expects_serial(r->o)) {
        return run_new_host(r, 0, "null", "COM1", err);
    }
    return true;
}

/* Whether a person is at the window who can be asked and told.  A run that has a script or an end
 * of its own is a program's. */
static bool run_is_watched(const struct run *r)
{
    const struct options *o = r->o;

    return r->window && !o->demo && !o->steps->len && !o->max_time_ms && !o->vm.max_insns;
}

static void run_tell_lost(struct run *r)
{
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        if (r->lost[i]) {
            run_say(false, "%s", r->lost[i]->message);
            window_tell_lost(r->window, i, r->lost[i]->message);
        }
        g_clear_error(&r->lost[i]);
    }
}

static bool run_build(struct run *r, const struct accel_ops *accel, GError **err)
{
    struct machine *m = r->m = machine_new(&r->o->vm, accel);

    if (!media_open(m, r->o->quiet ? run_quiet : run_note, run_is_watched(r) ? r->lost : NULL,
                    err)) {
        return false;
    }
    for (unsigned i = 0; i < VM_SERIALS; i++) {
        m->serial[i] = chr_host_chr(r->hosts[i]);
    }
    m->debugcon = chr_host_chr(r->hosts[HOST_DEBUGCON]);
    m->disassemble = disas_insn;
    r->audio = audio_new(m,
                         r->o->audio ? r->o->audio
                         : r->window ? "sdl"
                                     : "none",
                         r->o->quiet ? NULL : run_note);
    r->nets = nets_new(m, r->o->quiet ? NULL : run_note);
    if (!machine_build(m, &pc_board, err)) {
        return false;
    }
    if (r->window) {
        window_attach(r->window, m);
        run_tell_lost(r);
    }
    return true;
}

/* The one that may wait for a peer first, the terminal last: a wait can still be interrupted. */
static bool run_open_hosts(struct run *r, GError **err)
{
    for (unsigned terminal = 0; terminal < 2; terminal++) {
        for (unsigned i = 0; i < HOSTS; i++) {
            struct chr_host *h = r->hosts[i];
            bool quiet;

            if (!h || chr_host_is_stdio(h) != (terminal == 1)) {
                continue;
            }
            quiet = r->o->quiet && !chr_host_is_pty(h);
            if (!chr_host_open(h, r->m, quiet ? NULL : run_note, err)) {
                return false;
            }
        }
    }
    return true;
}

static void run_start_monitor(struct run *r)
{
    struct chr_host *h = r->hosts[HOST_MONITOR];
    struct chr *c = h ? chr_host_chr(h) : NULL;

    for (unsigned i = 0; i <= HOST_DEBUGCON && !c; i++) {
        h = r->hosts[i];
        c = chr_host_monitor(h);
    }
    if (!c) {
        return;
    }
    r->monitor = monitor_new(r->m, c, chr_host_is_terminal(h));
    if (h == r->hosts[HOST_MONITOR]) {
        monitor_start(r->monitor);
    }
}

static bool run_open_log(struct run *r, GError **err)
{
    const char *path = r->o->vm.log_file;
    int fd;

    if (!path) {
        return true;
    }
    fd = output_open(path, false);
    if (fd >= 0) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        r->log = fdopen(fd, "w");
    }
    if (!r->log) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "--log-file %s: %s", path,
                    g_strerror(errno));
        return false;
    }
    r->m->log = r->log;
    return true;
}

/* From here on the world outside is changed. */
static bool run_start(struct run *r, GError **err)
{
    bool good;

    machine_lock(r->m);
    good = run_open_log(r, err) && run_open_hosts(r, err);
    if (good) {
        run_start_monitor(r);
        if (r->script) {
            script_start(r->script, r->m, r->m->serial[0]);
        }
    }
    good = good && (!r->o->run || library_run_start(r->o->run, r->m, err));
    machine_unlock(r->m);
    r->begun = g_get_monotonic_time();
    return good && nets_start(r->nets, err) && audio_start(r->audio, err) && machine_run(r->m, err);
}

/* The run -------------------------------------------------------------------------------------- */

void run_signal_set(sigset_t *set)
{
    struct sigaction hangup;

    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    if (sigaction(SIGHUP, NULL, &hangup) || hangup.sa_handler != SIG_IGN) {
        sigaddset(set, SIGHUP);
    }
}

/* The signal for who waits for the others and is to wait no longer. */
static int run_wake(void)
{
    return SIGRTMIN;
}

static void run_signals(sigset_t *set, int how)
{
    run_signal_set(set);
    if (how == SIG_BLOCK) {
        sigaddset(set, run_wake()); /* for good */
    }
    pthread_sigmask(how, set, NULL);
}

struct run_listener {
    struct run *r;
    bool refused; /* there is only the window to end */
    pthread_t thread;
};

/*
 * A signal ends the run, or the window that tells why there is none.  It is waited for by sigwait:
 * who polls a signalfd is woken by each of the process's signals, and compiled code has thousands
 * of faults in a second.
 */
static void *run_on_signal(void *data)
{
    const struct run_listener *l = data;
    sigset_t set;
    int sig = 0;

    run_signal_set(&set);
    sigaddset(&set, run_wake());
    if (sigwait(&set, &sig) || sig == run_wake()) {
        return NULL;
    }
    if (l->refused) {
        window_end(l->r->window);
    } else {
        l->r->signal = sig;
        machine_end(l->r->m, END_QUIT, EXIT_RUN);
    }
    return NULL;
}

static bool run_listen(struct run_listener *l, GError **err)
{
    int failed = pthread_create(&l->thread, NULL, run_on_signal, l);

    if (failed) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "cannot wait for signals: %s",
                    g_strerror(failed));
    }
    return !failed;
}

static void run_listen_end(struct run_listener *l)
{
    pthread_kill(l->thread, run_wake());
    pthread_join(l->thread, NULL);
}

/* Until the machine ends or the time is up. */
static void run_wait(struct run *r)
{
    int64_t limit = r->o->max_time_ms, spent = (g_get_monotonic_time() - r->begun) / 1000;

    if (machine_wait(r->m, limit ? MAX(limit - spent, 0) : -1) == END_NONE) {
        r->timed_out = true;
        machine_end(r->m, END_QUIT, EXIT_BUDGET);
    }
}

static gpointer run_wait_beside(gpointer data)
{
    struct run *r = data;

    run_wait(r);
    window_end(r->window);
    return NULL;
}

/* The window has the main thread, as window systems want it. */
static void run_in_window(struct run *r)
{
    GThread *wait = g_thread_new("wait", run_wait_beside, r);

    window_run(r->window);
    g_thread_join(wait);
}

static bool run_until_end(struct run *r, GError **err)
{
    struct run_listener listener = {.r = r};
    sigset_t set;
    bool good = run_listen(&listener, err);

    if (good) {
        if (r->window) {
            run_in_window(r);
        } else {
            run_wait(r);
        }
        run_listen_end(&listener);
    }
    for (unsigned i = 0; i < HOSTS; i++) {
        chr_host_restore(r->hosts[i]);
    }
    run_signals(&set, SIG_UNBLOCK); /* should the machine not stop, a second Ctrl-C helps */
    nets_stop(r->nets);
    machine_stop(r->m);
    return good;
}

/* After the run -------------------------------------------------------------------------------- */

/* `met`: the last expectation holds, if only now that all is over. */
static int run_exit_code(struct run *r, bool met)
{
    g_autofree char *missing = script_missing(r->script);

    switch ((enum machine_end)r->m->end) {
    case END_POWER_OFF:
    case END_RESET:
    case END_BUDGET:
        break;
    case END_TRIPLE_FAULT:
        run_note("the guest triple-faulted");
        return EXIT_TRIPLE_FAULT;
    case END_DEBUG_EXIT:
        return r->m->end_code;
    case END_QUIT:
        if (r->signal) {
            fprintf(stderr, "candela: ended by %s\n", strsignal(r->signal));
            return EXIT_RUN;
        }
        break;
    default:
        run_note("the engine failed");
        return EXIT_RUN;
    }
    if (met) {
        return EXIT_GOOD;
    }
    if (r->m->end == END_BUDGET) {
        run_note("the guest used up its instructions (--max-insns)");
    }
    if (r->timed_out) {
        fprintf(stderr, "candela: time is up after %.1f s (--max-time)\n",
                (double)r->o->max_time_ms / 1000);
    }
    if (missing && !r->o->demo) {
        fprintf(stderr, "candela: %s did not come\n", missing);
        return EXIT_EXPECT;
    }
    return r->m->end_code;
}

static int64_t timeval_ns(const struct timeval *t)
{
    return t->tv_sec * NS_PER_SEC + t->tv_usec * NS_PER_US;
}

/* The machine's counters, with the host's times and the end in front. */
static bool run_write_stats(struct run *r, int code, GError **err)
{
    static const char *const ends[] = {"none",       "power-off", "reset", "triple-fault",
                                       "debug-exit", "budget",    "quit",  "error"};
    g_autoptr(GString) machine = g_string_new(NULL), out = g_string_new(NULL),
                       window = g_string_new(NULL);
    struct rusage use;
    unsigned end = MIN((unsigned)r->m->end, ARRAY_LEN(ends) - 1);

    getrusage(RUSAGE_SELF, &use);
    machine_stats_json(r->m, machine);
    if (r->window) {
        g_string_append(window, " ");
        window_stats_json(r->window, window);
        g_string_append(window, ",\n");
    }
    g_string_append_printf(out,
                           "{\"exit_code\": %d, \"end\": \"%s\", \"wall_ns\": %" G_GINT64_FORMAT
                           ", \"user_ns\": %" G_GINT64_FORMAT ", \"system_ns\": %" G_GINT64_FORMAT
                           ", \"max_resident_kib\": %ld,\n%s %s",
                           code, ends[end], (g_get_monotonic_time() - r->begun) * 1000,
                           timeval_ns(&use.ru_utime), timeval_ns(&use.ru_stime), use.ru_maxrss,
                           window->str, machine->str + 1);
    return output_write("--stats", r->o->stats, out->str, out->len, err);
}

static bool run_check_log(const struct run *r, GError **err)
{
    if (!r->log || (!fflush(r->log) && !ferror(r->log))) {
        return true;
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE,
                "--log-file %s: could not be written whole: %s", r->o->vm.log_file,
                g_strerror(errno ? errno : EIO));
    return false;
}

/* One output that fails does not keep the others from being written; the first is told. */
static int run_finish(struct run *r)
{
    GError *err = NULL;
    bool good;
    int code;

    machine_lock(r->m);
    code = run_exit_code(r, script_last_look(r->script));
    good = !r->o->screen || screen_write(r->m, r->o->screen, &err);
    good &= !r->o->stats || run_write_stats(r, code, err ? NULL : &err);
    good &= run_check_log(r, err ? NULL : &err);
    if (r->o->run) {
        library_run_end(r->o->run, code);
    }
    machine_unlock(r->m);
    good &= audio_finish(r->audio, err ? NULL : &err);
    return good ? code : run_report(err);
}

static void run_clear(struct run *r)
{
    nets_stop(r->nets);
    if (r->m) {
        machine_stop(r->m);
    }
    for (unsigned i = 0; i < HOSTS; i++) {
        chr_host_close(r->hosts[i]);
    }
    library_run_stop(r->o->run);
    monitor_free(r->monitor);
    window_free(r->window);
    audio_free(r->audio);
    machine_free(r->m);
    nets_free(r->nets);
    for (unsigned i = 0; i < HOSTS; i++) {
        chr_host_free(r->hosts[i]);
    }
    script_free(r->script);
    if (r->log) {
        fclose(r->log);
    }
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        g_clear_error(&r->lost[i]);
    }
}

static bool has_eyes(const struct options *o)
{
    return o->nographic || o->serials || o->monitor || o->vm.debugcon || o->screen || o->demo ||
           o->steps->len;
}

/* What a person should know once it is clear that the machine will run; true. */
static bool run_tell(const struct run *r, const char *why)
{
    const struct options *o = r->o;

    if (!o->quiet && !strcmp(o->vm.accel, "auto")) {
        run_note(why);
    }
    if (!o->quiet && !r->window && !has_eyes(o)) {
        run_note("there is no window: -nographic shows COM1 and a monitor here, --screen FILE "
                 "writes the screen at the end");
    }
    return true;
}

/* What is chosen in the window's menus: the machine's own from then on, or this user's. */
static bool run_keep(void *of, const char *option, const char *value, GError **err)
{
    const struct run *r = of;

    return r->o->run ? library_run_keep(r->o->run, option, value, err)
                     : preference_keep(option, value, err);
}

/* A window, if one is wanted and can be had. */
static bool run_open_window(struct run *r, const struct accel_ops *accel, const char *why,
                            GError **err)
{
    const struct options *o = r->o;
    struct window_setup setup = {.name = o->vm.name,
                                 .fullscreen = o->fullscreen,
                                 .scaling = o->scaling,
                                 .theme = o->theme,
                                 .host = o->host_key,
                                 .engine = accel->name,
                                 .engine_why = why,
                                 .keep = run_keep,
                                 .of = r,
                                 .has_file = o->run != NULL};
    GError *failed = NULL;

    if (o->display == DISPLAY_NONE ||
        (o->display == DISPLAY_AUTO && (o->nographic || o->demo || !sdl_has_display()))) {
        return true;
    }
    r->window = window_new(&setup, &failed);
    if (!r->window && o->display == DISPLAY_SDL) {
        g_propagate_prefixed_error(err, failed, "-display sdl: ");
        return false;
    }
    if (!r->window) {
        fprintf(stderr, "candela: %s; going on without (-display none says so)\n", failed->message);
        g_error_free(failed);
    }
    return true;
}

/* Whoever started it by the library is told by that (library_start). */
static void run_show_refusal(struct run *r, const char *why)
{
    struct run_listener listener = {.r = r, .refused = true};

    if (!run_is_watched(r) || g_getenv(LIBRARY_STARTED)) {
        return;
    }
    if (run_listen(&listener, NULL)) {
        window_refuse(r->window, why);
        run_listen_end(&listener);
    }
}

/* It does not come to a run. */
static int run_fail(struct run *r, GError *err)
{
    g_autofree char *why = g_strdup(err ? err->message : "failed without saying why");
    int code = run_report(err);

    run_show_refusal(r, why);
    run_clear(r);
    return code;
}

int run_machine(const struct options *o)
{
    struct run r = {.o = o};
    const struct accel_ops *accel;
    const char *why = NULL;
    GError *err = NULL;
    sigset_t set;
    int code;

    accel = accel_choose(o->vm.accel, o->vm.max_insns || o->vm.trace_mask & TR_INSN, &why, &err);
    if (!accel || !run_check_outputs(&r, &err) || !run_new_hosts(&r, &err)) {
        run_clear(&r);
        return run_report(err);
    }
    r.script = script_new(o->steps, !o->demo);
    run_signals(&set, SIG_BLOCK); /* every thread made from here on has them blocked */
    if (run_open_window(&r, accel, why, &err) && run_build(&r, accel, &err) && run_tell(&r, why) &&
        run_start(&r, &err) && run_until_end(&r, &err)) {
        code = run_finish(&r);
        if (o->demo && code == EXIT_GOOD &&
            !(r.m->end == END_POWER_OFF && script_is_met(r.script))) {
            run_note("the lab did not finish its report");
            code = EXIT_RUN;
        }
        run_clear(&r);
        return code;
    }
    return run_fail(&r, err);
}
