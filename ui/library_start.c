/*
 * Machines that run in processes of their own: starting them, commanding and ending them.
 */
#define _GNU_SOURCE /* O_PATH */
#include "ui/library_control.h"
#include "ui/library_int.h"
#include "ui/run.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STEP_MS = 20,
    START_MS = 60 * 1000, /* a disk on a slow server takes its time */
    QUIT_MS = 5000,
    ANSWER_MAX = 64 << 20,
    LAST_WORDS = 2048,
};

static int64_t now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

/* Commands ------------------------------------------------------------------------------------- */

static bool not_running(const struct place *p, GError **err)
{
    return library_fail_now(err, "%s is not running; start it with: candela start %s", p->name,
                            p->what);
}

static int control_connect_once(const struct place *p)
{
    int folder = open(p->run, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    g_snprintf(addr.sun_path, sizeof addr.sun_path, "/proc/self/fd/%d/%s", folder, LIBRARY_SOCKET);
    if (folder < 0 || fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr)) {
        if (fd >= 0) {
            close(fd);
        }
        fd = -1;
    }
    if (folder >= 0) {
        close(folder);
    }
    return fd;
}

/* Others may be served just now, or the machine may only begin to run. */
static int control_connect(const struct place *p, int64_t until, GError **err)
{
    for (;;) {
        struct holder h;
        bool runs = library_place_holder(p, &h) && h.runs;
        int fd = runs ? control_connect_once(p) : -1;

        if (fd >= 0) {
            return fd;
        }
        if (!runs) {
            not_running(p, err);
            return -1;
        }
        if (now_ms() >= until) {
            library_fail_now(err, "%s (process %ld) does not take commands", p->name, (long)h.pid);
            return -1;
        }
        g_usleep(STEP_MS * 1000);
    }
}

/* Wait until the socket is ready; false: time is up. */
static bool control_wait(int fd, short events, int64_t until)
{
    struct pollfd p = {.fd = fd, .events = events};
    int64_t left = until - now_ms();

    return left > 0 && poll(&p, 1, (int)MIN(left, 1000)) >= 0;
}

static bool control_send(int fd, const char *text, size_t len, int64_t until)
{
    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == EINTR) && control_wait(fd, POLLOUT, until)) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* Whether the answer is whole: its parts. */
static bool answer_parse(const GString *in, bool *good, size_t *head, size_t *text, size_t *error)
{
    const char *end = memchr(in->str, '\n', in->len);
    char status[8] = "";

    if (!end || sscanf(in->str, "%7s %9zu %9zu", status, text, error) != 3) {
        return false;
    }
    *head = (size_t)(end - in->str) + 1;
    *good = !strcmp(status, "ok");
    return in->len >= *head + *text + *error;
}

static char *control_receive(const struct place *p, int fd, int64_t until, GError **err)
{
    g_autoptr(GString) in = g_string_new(NULL);
    size_t head = 0, text = 0, error = 0;
    bool good = false;

    while (!answer_parse(in, &good, &head, &text, &error)) {
        char buf[4096];
        ssize_t n = recv(fd, buf, sizeof buf, 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR) && control_wait(fd, POLLIN, until)) {
            continue;
        }
        if (n <= 0 || in->len > ANSWER_MAX) {
            library_fail_now(
                err, n < 0 ? "%s does not answer in time" : "%s ended before it answered", p->name);
            return NULL;
        }
        g_string_append_len(in, buf, n);
    }
    if (good) {
        return g_strndup(in->str + head, text);
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "%.*s%.*s", (int)text, in->str + head,
                (int)error, in->str + head + text);
    return NULL;
}

char *library_control(const char *what, const char *command, int timeout_ms, GError **err)
{
    g_autofree char *here = g_get_current_dir(), *request = NULL, *answer = NULL;
    int64_t until = now_ms() + timeout_ms;
    struct place p;
    int fd;

    if (strlen(command) > CONTROL_PART_MAX) {
        library_fail_now(err, "the command is too long: at most %d bytes", CONTROL_PART_MAX);
        return NULL;
    }
    if (!library_place_find(&p, what, err)) {
        return NULL;
    }
    request = g_strdup_printf("%zu %zu\n%s%s", strlen(here), strlen(command), here, command);
    fd = control_connect(&p, until, err);
    if (fd >= 0) {
        if (control_send(fd, request, strlen(request), until)) {
            answer = control_receive(&p, fd, until, err);
        } else {
            library_fail_now(err, "%s does not take commands", p.name);
        }
        close(fd);
    }
    library_place_clear(&p);
    return g_steal_pointer(&answer);
}

/* Ending --------------------------------------------------------------------------------------- */

static bool place_wait_off(const struct place *p, int timeout_ms)
{
    int64_t until = now_ms() + timeout_ms;

    for (;;) {
        struct holder h;
        bool runs = library_place_holder(p, &h) && h.runs;

        if (!runs || now_ms() >= until) {
            return !runs;
        }
        g_usleep(STEP_MS * 1000);
    }
}

bool library_wait_off(const char *what, int timeout_ms)
{
    struct place p;
    bool off = true;

    if (library_place_find(&p, what, NULL)) {
        off = place_wait_off(&p, timeout_ms);
        library_place_clear(&p);
    }
    return off;
}

/* Only while the lock is held is the process that of the machine. */
static void signal_holder(const struct place *p, int signal)
{
    struct holder h;

    if (library_place_holder(p, &h) && h.runs && h.pid > 1) {
        kill(h.pid, signal);
    }
}

static bool kill_place(const struct place *p, GError **err)
{
    if (place_wait_off(p, 0)) {
        return not_running(p, err);
    }
    /* Whether it was heard shows in what comes of it. */
    g_free(library_control(p->what, "quit", QUIT_MS, NULL));
    if (place_wait_off(p, QUIT_MS)) {
        return true;
    }
    signal_holder(p, SIGTERM);
    if (place_wait_off(p, QUIT_MS)) {
        return true;
    }
    signal_holder(p, SIGKILL);
    return place_wait_off(p, QUIT_MS) ||
           library_fail_now(err, "%s does not end, not even by SIGKILL", p->name);
}

bool library_kill(const char *what, GError **err)
{
    struct place p;
    bool good;

    if (!library_place_find(&p, what, err)) {
        return false;
    }
    good = kill_place(&p, err);
    library_place_clear(&p);
    return good;
}

/* Starting ------------------------------------------------------------------------------------- */

/* In the new process: not of this terminal. */
static void start_apart(gpointer data)
{
    sigset_t none;

    (void)data;
    setsid();
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static char *own_program(void)
{
    g_autofree char *path = g_file_read_link("/proc/self/exe", NULL);

    return path ? g_steal_pointer(&path) : g_strdup("candela");
}

/* A process that is somebody's child must be waited for, however long it runs. */
static gpointer reap(gpointer data)
{
    pid_t pid = GPOINTER_TO_INT(data);
    int status;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return NULL;
}

static void reap_later(GPid pid)
{
    g_thread_unref(g_thread_new("reap", reap, GINT_TO_POINTER(pid)));
}

bool library_spawn(const char *const *words, GError **err)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *program = own_program();
    g_auto(GStrv) env = g_environ_unsetenv(g_get_environ(), LIBRARY_STARTED);
    GError *why = NULL;
    GPid pid;

    g_ptr_array_add(argv, program);
    for (const char *const *w = words; *w; w++) {
        g_ptr_array_add(argv, (char *)*w);
    }
    g_ptr_array_add(argv, NULL);
    if (!g_spawn_async(NULL, (char **)argv->pdata, env,
                       G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
                           G_SPAWN_STDERR_TO_DEV_NULL,
                       start_apart, NULL, &pid, &why)) {
        library_fail_now(err, "%s", why->message);
        g_error_free(why);
        return false;
    }
    reap_later(pid);
    return true;
}

static GPtrArray *start_words(const struct place *p, const struct library_start_args *a)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(words, a->program ? g_strdup(a->program) : own_program());
    g_ptr_array_add(words, g_strdup("run"));
    g_ptr_array_add(words, g_strdup(p->what));
    if (a->headless) {
        g_ptr_array_add(words, g_strdup("--display=none"));
    }
    for (char *const *o = a->options; o && *o; o++) {
        g_ptr_array_add(words, g_strdup(*o));
    }
    g_ptr_array_add(words, NULL);
    return words;
}

static GPid start_process(const struct place *p, const struct library_start_args *a, int log,
                          GError **err)
{
    g_autoptr(GPtrArray) words = start_words(p, a);
    g_auto(GStrv) env = g_environ_setenv(g_get_environ(), LIBRARY_STARTED, "1", TRUE);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    GError *why = NULL;
    GPid pid = 0;

    if (!g_spawn_async_with_fds(NULL, (char **)words->pdata, env,
                                G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CLOEXEC_PIPES, start_apart,
                                NULL, &pid, nothing, log, log, &why)) {
        library_fail(err, "%s: cannot start it: %s", p->name, why->message);
        g_error_free(why);
        pid = 0;
    }
    if (nothing >= 0) {
        close(nothing);
    }
    return pid;
}

/* The end of what the process said, without "candela: " in front of its last line. */
static char *last_words(const char *log)
{
    g_autofree char *text = NULL;
    gsize len = 0;
    char *line;

    if (!g_file_get_contents(log, &text, &len, NULL)) {
        return g_strdup("it did not say why");
    }
    g_strchomp(text);
    line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    line += g_str_has_prefix(line, "candela: ") ? strlen("candela: ") : 0;
    return *line ? g_strndup(line, LAST_WORDS) : g_strdup("it did not say why");
}

/* Until the machine runs or its process ended. */
static bool start_wait(const struct place *p, pid_t pid, int *exit_code, GError **err)
{
    int64_t until = now_ms() + START_MS;

    for (;;) {
        pid_t holder;
        enum library_state state = library_place_state(p, &holder);
        bool up = holder == pid && (state == LIBRARY_RUNNING || state == LIBRARY_PAUSED);
        int status = 0;

        if (waitpid(pid, &status, WNOHANG) == pid) {
            g_autofree char *words = last_words(p->log);

            *exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_RUN;
            /* A guest that is done at once did run. */
            return *exit_code == EXIT_GOOD || library_fail(err, "%s", words);
        }
        if (up || now_ms() >= until) {
            reap_later(pid);
            return up ||
                   library_fail(err, "%s (process %ld) still does not run; it goes on trying (%s)",
                                p->name, (long)pid, p->log);
        }
        g_usleep(STEP_MS * 1000);
    }
}

/* Look first: a message about the machine is better than one in a log. */
static bool start_check(const struct place *p, int *exit_code, GError **err)
{
    int lock = library_place_lock(p, false, err);
    struct cvm *c = lock >= 0 ? cvm_load(p->file, err) : NULL;

    *exit_code = EXIT_CONFIG;
    cvm_free(c);
    library_place_unlock(lock);
    return c != NULL;
}

static bool start_place(const struct place *p, const struct library_start_args *a, int *exit_code,
                        GError **err)
{
    g_autofree char *folder = g_path_get_dirname(p->log);
    bool good = false;
    GPid pid;
    int log;

    if (!start_check(p, exit_code, err) || !library_make_folder(folder, err)) {
        return false;
    }
    log = open(p->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log < 0) {
        return library_fail(err, "%s: %s: %s", p->name, p->log, g_strerror(errno));
    }
    pid = start_process(p, a, log, err);
    close(log);
    *exit_code = EXIT_RUN;
    if (pid) {
        *exit_code = EXIT_GOOD;
        good = start_wait(p, pid, exit_code, err);
    }
    return good;
}

bool library_start(const struct library_start_args *a, int *exit_code, GError **err)
{
    struct place p;
    bool good;
    int code;

    exit_code = exit_code ? exit_code : &code;
    *exit_code = EXIT_CONFIG;
    if (!library_place_find(&p, a->what, err)) {
        return false;
    }
    good = start_place(&p, a, exit_code, err);
    library_place_clear(&p);
    return good;
}
