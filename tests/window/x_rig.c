/* See x_rig.h.  Not modelled: the sound. */
#include "tests/window/x_rig.h"
#include "config.h"
#include "hw/core/base.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENOUGH_US = 60 * G_USEC_PER_SEC, XWD_HEADER_WORDS = 25, XWD_COLOR_BYTES = 12 };

static const char *xrig_program(void)
{
    const char *path = g_getenv("CANDELA");

    return path ? path : "./candela";
}

bool xrig_can_run(void)
{
    static const char *const tools[] = {"Xvfb", "openbox", "xdotool"};

    for (unsigned i = 0; i < ARRAY_LEN(tools); i++) {
        g_autofree char *path = g_find_program_in_path(tools[i]);

        if (!path) {
            cr_skip_test("%s is not installed", tools[i]);
            return false;
        }
    }
    if (!g_file_test(xrig_program(), G_FILE_TEST_IS_EXECUTABLE) ||
        !g_file_test(CANDELA_BIOS_FILE, G_FILE_TEST_EXISTS)) {
        cr_skip_test("candela or SeaBIOS is not here");
        return false;
    }
    return true;
}

/* Processes ------------------------------------------------------------------------------------ */

static GPid xrig_spawn(struct xrig *x, char **argv, const char *log)
{
    g_autofree char *path = g_build_filename(x->folder, log, NULL);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    g_autofree char *program = g_find_program_in_path(argv[0]);
    GPid test = getpid(), pid = fork();

    if (pid == 0) {
        /* A test that fails or is ended by its time limit frees nothing. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != test) {
            _exit(127);
        }
        dup2(fd, 1);
        dup2(fd, 2);
        fd = open("/dev/null", O_RDONLY);
        dup2(fd, 0);
        execve(program, argv, x->env);
        _exit(127);
    }
    close(fd);
    cr_assert(pid > 0, "%s: no process", argv[0]);
    return pid;
}

static void xrig_end(GPid pid)
{
    if (pid > 0) {
        kill(pid, SIGTERM);
        for (unsigned i = 0; i < 500; i++) {
            if (waitpid(pid, NULL, WNOHANG) == pid) {
                return;
            }
            g_usleep(10000);
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

bool xrig_until(struct xrig *x, bool (*done)(struct xrig *x, void *of), void *of)
{
    int64_t until = g_get_monotonic_time() + ENOUGH_US;

    while (!done(x, of)) {
        if (g_get_monotonic_time() > until) {
            return false;
        }
        g_usleep(20000);
    }
    return true;
}

/* The server ----------------------------------------------------------------------------------- */

/* Xvfb chooses a free number and writes it into the pipe.  Without -noreset it begins anew when its
 * last client leaves, and refuses those that come just then.  No key repeats (-r), however late
 * xdotool lets go of it. */
static void xrig_start_server(struct xrig *x)
{
    char number[16] = "", fd[16];
    g_autofree char *size = g_strdup_printf("%dx%dx24", XRIG_SCREEN_W, XRIG_SCREEN_H);
    g_autofree char *display = NULL, *path = g_build_filename(x->folder, "Xvfb_screen0", NULL);
    char *argv[] = {"Xvfb",   "-displayfd", fd,          "-screen", "0",        size, "-r",
                    "-fbdir", x->folder,    "-nolisten", "tcp",     "-noreset", NULL};
    int pipes[2], screen;
    struct stat st;

    cr_assert_eq(pipe(pipes), 0);
    g_snprintf(fd, sizeof fd, "%d", pipes[1]);
    x->server = xrig_spawn(x, argv, "server.log");
    close(pipes[1]);
    for (size_t n = 0; n < sizeof number - 1 && !strchr(number, '\n'); n++) {
        cr_assert_eq(read(pipes[0], number + n, 1), 1, "Xvfb does not start");
    }
    close(pipes[0]);
    display = g_strdup_printf(":%d", atoi(number));
    x->env = g_environ_setenv(x->env, "DISPLAY", display, TRUE);
    screen = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(screen >= 0 && fstat(screen, &st) == 0, "%s", path);
    x->screen_bytes = (size_t)st.st_size;
    x->screen = mmap(NULL, x->screen_bytes, PROT_READ, MAP_SHARED, screen, 0);
    close(screen);
    cr_assert(x->screen != MAP_FAILED);
}

static uint32_t xwd_word(const struct xrig *x, unsigned n)
{
    const uint8_t *p = x->screen + 4 * n; /* big-endian */

    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The XWD file format, version 7: header, colours, lines of 32-bit little-endian pixels. */
uint32_t xrig_pixel(struct xrig *x, int px, int py)
{
    size_t at = xwd_word(x, 0) + (size_t)xwd_word(x, 19) * XWD_COLOR_BYTES +
                (size_t)py * xwd_word(x, 12) + (size_t)px * 4;

    cr_assert(px >= 0 && py >= 0 && at + 4 <= x->screen_bytes, "pixel %d,%d", px, py);
    return ld_le32(x->screen + at) & 0xffffff;
}

void xrig_keep(struct xrig *x, const char *name)
{
    g_autofree char *path = g_strdup_printf("check-out/window/%s.ppm", name);
    FILE *f = g_mkdir_with_parents("check-out/window", 0777) ? NULL : fopen(path, "w");

    if (!f) {
        return;
    }
    fprintf(f, "P6\n%d %d\n255\n", XRIG_SCREEN_W, XRIG_SCREEN_H);
    for (int y = 0; y < XRIG_SCREEN_H; y++) {
        for (int px = 0; px < XRIG_SCREEN_W; px++) {
            uint32_t p = xrig_pixel(x, px, y);

            fputc((int)(p >> 16), f);
            fputc((int)(p >> 8 & 0xff), f);
            fputc((int)(p & 0xff), f);
        }
    }
    fclose(f);
}

/* xdotool -------------------------------------------------------------------------------------- */

static bool xrig_tool(struct xrig *x, const char *args, char **out)
{
    g_autofree char *line = g_strdup_printf("xdotool %s", args);
    g_auto(GStrv) argv = NULL;
    int status = -1;

    cr_assert(g_shell_parse_argv(line, NULL, &argv, NULL), "%s", line);
    g_spawn_sync(NULL, argv, x->env, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                 out, NULL, &status, NULL);
    return status == 0;
}

void xrig_do(struct xrig *x, const char *fmt, ...)
{
    g_autofree char *args = NULL, *out = NULL;
    va_list list;

    va_start(list, fmt);
    args = g_strdup_vprintf(fmt, list);
    va_end(list);
    cr_assert(xrig_tool(x, args, &out), "xdotool %s", args);
}

char *xrig_get(struct xrig *x, const char *fmt, ...)
{
    g_autofree char *args = NULL;
    char *out = NULL;
    va_list list;

    va_start(list, fmt);
    args = g_strdup_vprintf(fmt, list);
    va_end(list);
    if (!xrig_tool(x, args, &out)) {
        g_free(out);
        return NULL;
    }
    return g_strchomp(out);
}

static struct xrig_place place_of(struct xrig *x, const char *which)
{
    g_autofree char *text = xrig_get(x, "%s", which);
    struct xrig_place p = {0};

    cr_assert(text && sscanf(text, "WINDOW=%*u X=%d Y=%d WIDTH=%d HEIGHT=%d", &p.x, &p.y, &p.w,
                             &p.h) == 4,
              "no window: %s", text ? text : "");
    return p;
}

struct xrig_place xrig_place(struct xrig *x)
{
    g_autofree char *which = g_strconcat("getwindowgeometry --shell ", x->window, NULL);

    return place_of(x, which);
}

/* Seeing --------------------------------------------------------------------------------------- */

enum { MIDDLE_W = 240, MIDDLE_H = 120, MIDDLE = MIDDLE_W * MIDDLE_H, REST_TICKS = 15 };

/* The middle of a window, and what was to be seen there. */
struct middle {
    struct xrig_place window;
    unsigned still; /* ticks without a change */
    uint32_t seen[MIDDLE];
};

/* How many of its pixels are others than before. */
static unsigned middle_differs(struct xrig *x, struct middle *m, bool keep)
{
    unsigned n = 0;

    for (int i = 0; i < MIDDLE; i++) {
        int px = m->window.x + (m->window.w - MIDDLE_W) / 2 + i % MIDDLE_W;
        int py = m->window.y + (m->window.h - MIDDLE_H) / 2 + i / MIDDLE_W;
        uint32_t now = xrig_pixel(x, px, py);

        n += now != m->seen[i];
        m->seen[i] = keep ? now : m->seen[i];
    }
    return n;
}

static bool middle_has_changed(struct xrig *x, void *of)
{
    return middle_differs(x, of, false) > MIDDLE / 50;
}

static bool middle_rests(struct xrig *x, void *of)
{
    struct middle *m = of;

    m->still = middle_differs(x, m, true) ? 0 : m->still + 1;
    return m->still > REST_TICKS;
}

static void middle_wait(struct xrig *x, struct middle *m)
{
    m->still = 0;
    cr_assert(xrig_until(x, middle_rests, m), "the window does not come to rest");
}

void xrig_do_seen(struct xrig *x, const char *fmt, ...)
{
    g_autofree struct middle *m = g_new0(struct middle, 1);
    g_autofree char *args = NULL;
    va_list list;

    va_start(list, fmt);
    args = g_strdup_vprintf(fmt, list);
    va_end(list);
    m->window = place_of(x, "getwindowfocus getwindowgeometry --shell");
    middle_wait(x, m);
    xrig_do(x, "%s", args);
    if (!xrig_until(x, middle_has_changed, m)) {
        xrig_keep(x, "unseen");
        cr_assert_fail("xdotool %s: nothing is to be seen of it", args);
    }
    middle_wait(x, m);
}

struct title_want {
    const char *part;
    bool has;
};

static bool title_is(struct xrig *x, void *of)
{
    const struct title_want *want = of;
    g_autofree char *title = xrig_get(x, "getwindowname %s", x->window);

    return title && (strstr(title, want->part) != NULL) == want->has;
}

void xrig_title(struct xrig *x, const char *part, bool has)
{
    struct title_want want = {part, has};

    if (!xrig_until(x, title_is, &want)) {
        g_autofree char *title = xrig_get(x, "getwindowname %s", x->window);

        cr_assert_fail("the title is '%s', %s '%s'", title, has ? "without" : "with", part);
    }
}

/* Only a window manager says how many desktops there are. */
static bool manager_is_there(struct xrig *x, void *of)
{
    g_autofree char *desktops = xrig_get(x, "get_num_desktops");

    (void)of;
    return desktops != NULL;
}

/* Windows without frames: xdotool is wrong about the place of what is in a frame. */
static void xrig_start_manager(struct xrig *x)
{
    static const char settings[] =
        "<?xml version=\"1.0\"?><openbox_config xmlns=\"http://openbox.org/3.4/rc\">"
        "<keyboard><keybind key=\"A-F4\"><action name=\"Close\"/></keybind></keyboard>"
        "<theme><keepBorder>no</keepBorder></theme>"
        "<applications><application class=\"*\"><decor>no</decor></application></applications>"
        "</openbox_config>";
    g_autofree char *path = g_build_filename(x->folder, "rc.xml", NULL);
    char *argv[] = {"openbox", "--config-file", path, NULL};

    cr_assert(g_file_set_contents(path, settings, -1, NULL));
    x->manager = xrig_spawn(x, argv, "manager.log");
    cr_assert(xrig_until(x, manager_is_there, NULL), "openbox does not start");
    /* Over no window: where it stands is told the guest as soon as that asks. */
    xrig_do(x, "mousemove 0 0");
}

/* Candela -------------------------------------------------------------------------------------- */

static bool window_is_there(struct xrig *x, void *of)
{
    (void)of;
    cr_assert_eq(waitpid(x->candela, &x->status, WNOHANG), 0, "candela ended: see its log in %s",
                 x->folder);
    g_free(x->window);
    x->window = xrig_get(x, "search --onlyvisible --class candela");
    if (x->window) {
        g_strdelimit(x->window, "\n", 0);
    }
    return x->window && *x->window;
}

static bool focus_is(struct xrig *x, void *of)
{
    const bool *has = of;
    g_autofree char *focus = xrig_get(x, "getwindowfocus");

    return (focus && !strcmp(focus, x->window)) == *has;
}

void xrig_focus(struct xrig *x, bool has)
{
    cr_assert(xrig_until(x, focus_is, &has), "the window %s", has ? "gets no keys" : "keeps them");
}

static bool monitor_is_there(struct xrig *x, void *of)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    g_autofree char *path = g_build_filename(x->folder, "mon", NULL);

    (void)of;
    g_strlcpy(addr.sun_path, path, sizeof addr.sun_path);
    return connect(x->monitor, (struct sockaddr *)&addr, sizeof addr) == 0;
}

static const char *monitor_read(struct xrig *x)
{
    int64_t until = g_get_monotonic_time() + ENOUGH_US;

    g_string_truncate(x->text, 0);
    while (!g_str_has_suffix(x->text->str, "(candela) ")) {
        struct pollfd p = {.fd = x->monitor, .events = POLLIN};
        char buf[4096];
        ssize_t n = poll(&p, 1, 1000) > 0 ? read(x->monitor, buf, sizeof buf) : 0;

        g_string_append_len(x->text, buf, MAX(n, 0));
        cr_assert(g_get_monotonic_time() < until, "the monitor does not answer: %s", x->text->str);
    }
    return x->text->str;
}

const char *xrig_ask(struct xrig *x, const char *line)
{
    g_autofree char *text = g_strconcat(line, "\n", NULL);

    cr_assert_eq(write(x->monitor, text, strlen(text)), (ssize_t)strlen(text));
    return monitor_read(x);
}

bool xrig_block_has(struct xrig *x, void *of)
{
    return strstr(xrig_ask(x, "info block"), of) != NULL;
}

struct xrig *xrig_new(void)
{
    struct xrig *x = g_new0(struct xrig, 1);
    g_autofree char *run = NULL;

    x->folder = g_dir_make_tmp("candela-window-XXXXXX", NULL);
    run = g_build_filename(x->folder, "run", NULL);
    cr_assert_eq(g_mkdir(run, 0700), 0);
    x->text = g_string_new(NULL);
    x->env = g_get_environ();
    x->env = g_environ_setenv(x->env, "SDL_AUDIODRIVER", "dummy", TRUE);
    x->env = g_environ_setenv(x->env, "XDG_DATA_HOME", x->folder, TRUE);
    x->env = g_environ_setenv(x->env, "XDG_STATE_HOME", x->folder, TRUE);
    x->env = g_environ_setenv(x->env, "XDG_CONFIG_HOME", x->folder, TRUE);
    x->env = g_environ_setenv(x->env, "XDG_RUNTIME_DIR", run, TRUE);
    x->env = g_environ_unsetenv(x->env, "WAYLAND_DISPLAY");
    xrig_start_server(x);
    xrig_start_manager(x);
    x->monitor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return x;
}

static void xrig_start(struct xrig *x, char **argv)
{
    x->candela = xrig_spawn(x, argv, "candela.log");
    x->running = true;
    cr_assert(xrig_until(x, window_is_there, NULL), "no window");
}

/* Words of a command line; %s: the folder. */
static char **xrig_words(struct xrig *x, const char *args)
{
    g_auto(GStrv) parts = g_strsplit(args, "%s", -1);
    g_autofree char *given = g_strjoinv(x->folder, parts);
    g_autofree char *line = g_strdup_printf("%s %s", xrig_program(), given);
    char **argv = NULL;

    cr_assert(g_shell_parse_argv(line, NULL, &argv, NULL), "%s", line);
    return argv;
}

static char **xrig_run_words(struct xrig *x, const char *args)
{
    g_autofree char *line = g_strconcat("run -display sdl -monitor unix:%s/mon ", args, NULL);

    return xrig_words(x, line);
}

static void xrig_meet(struct xrig *x)
{
    cr_assert(xrig_until(x, monitor_is_there, NULL), "no monitor");
    monitor_read(x);
    xrig_focus(x, true);
}

struct xrig *xrig_begin(const char *args)
{
    struct xrig *x = xrig_new();
    g_auto(GStrv) argv = xrig_run_words(x, args);

    xrig_start(x, argv);
    xrig_meet(x);
    return x;
}

static bool weston_is_there(struct xrig *x, void *of)
{
    g_free(x->window);
    x->window = xrig_get(x, "search --onlyvisible --class weston");
    return x->window && *x->window && g_file_test(of, G_FILE_TEST_EXISTS);
}

static void xrig_start_weston(struct xrig *x)
{
    g_autofree char *socket = g_build_filename(x->folder, "run", "candela-test", NULL);
    g_autofree char *width = g_strdup_printf("--width=%d", XRIG_SCREEN_W / XRIG_SCALE);
    g_autofree char *height = g_strdup_printf("--height=%d", XRIG_SCREEN_H / XRIG_SCALE);
    g_autofree char *scale = g_strdup_printf("--scale=%d", XRIG_SCALE);
    char *argv[] = {"weston",
                    "--backend=x11-backend.so",
                    "--use-pixman",
                    "--shell=kiosk-shell.so",
                    "--socket=candela-test",
                    "--idle-time=0",
                    "--no-config",
                    width,
                    height,
                    scale,
                    NULL};

    x->weston = xrig_spawn(x, argv, "weston.log");
    cr_assert(xrig_until(x, weston_is_there, socket), "weston does not start");
    x->env = g_environ_setenv(x->env, "WAYLAND_DISPLAY", "candela-test", TRUE);
    x->env = g_environ_setenv(x->env, "SDL_VIDEODRIVER", "wayland", TRUE);
}

struct xrig *xrig_begin_wayland(const char *args)
{
    g_autofree char *weston = g_find_program_in_path("weston");
    g_auto(GStrv) argv = NULL;
    struct xrig *x;

    if (!weston) {
        cr_skip_test("weston is not installed");
        return NULL;
    }
    x = xrig_new();
    xrig_start_weston(x);
    argv = xrig_run_words(x, args);
    x->candela = xrig_spawn(x, argv, "candela.log");
    x->running = true;
    xrig_meet(x);
    return x;
}

void xrig_run(struct xrig *x, const char *args)
{
    g_auto(GStrv) argv = xrig_words(x, args);

    xrig_start(x, argv);
    xrig_focus(x, true);
}

struct xrig *xrig_begin_library(void)
{
    struct xrig *x = xrig_new();

    xrig_run(x, "");
    return x;
}

static int xrig_spawn_sync(struct xrig *x, const char *args, char **out)
{
    g_auto(GStrv) argv = xrig_words(x, args);
    int status = -1;

    g_spawn_sync(NULL, argv, x->env, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, out, NULL, &status,
                 NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int xrig_status(struct xrig *x, const char *args)
{
    g_autofree char *out = NULL;

    return xrig_spawn_sync(x, args, &out);
}

char *xrig_candela(struct xrig *x, const char *args)
{
    char *out = NULL;

    cr_assert_eq(xrig_spawn_sync(x, args, &out), 0, "candela %s", args);
    return out;
}

char *xrig_list(struct xrig *x)
{
    return xrig_candela(x, "list --json");
}

static bool candela_has_ended(struct xrig *x, void *of)
{
    (void)of;
    if (x->running && waitpid(x->candela, &x->status, WNOHANG) == x->candela) {
        x->running = false;
    }
    return !x->running;
}

int xrig_wait(struct xrig *x)
{
    cr_assert(xrig_until(x, candela_has_ended, NULL), "candela does not end");
    return WIFEXITED(x->status) ? WEXITSTATUS(x->status) : -1;
}

void xrig_free(struct xrig *x)
{
    g_autofree char *remove = g_strdup_printf("rm -rf '%s'", x->folder);

    if (x->running) {
        xrig_end(x->candela);
    }
    xrig_end(x->weston);
    xrig_end(x->manager);
    munmap((void *)x->screen, x->screen_bytes);
    xrig_end(x->server);
    close(x->monitor);
    g_string_free(x->text, TRUE);
    g_strfreev(x->env);
    g_free(x->window);
    cr_expect_eq(system(remove), 0);
    g_free(x->folder);
    g_free(x);
}

/* The guest ------------------------------------------------------------------------------------ */

char *xrig_file(struct xrig *x, const char *name)
{
    g_autofree char *path = g_build_filename(x->folder, name, NULL);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

struct com1_want {
    GRegex *regex;
    char *match;
};

static bool com1_has(struct xrig *x, void *of)
{
    struct com1_want *want = of;
    g_autofree char *text = xrig_file(x, "com1");
    g_autoptr(GMatchInfo) info = NULL;

    if (text && g_regex_match(want->regex, text, 0, &info)) {
        want->match = g_match_info_fetch(info, 0);
        return true;
    }
    return false;
}

bool xrig_com1_has(struct xrig *x, const char *regex)
{
    struct com1_want want = {g_regex_new(regex, G_REGEX_MULTILINE, 0, NULL), NULL};
    bool has = com1_has(x, &want);

    g_regex_unref(want.regex);
    g_free(want.match);
    return has;
}

char *xrig_com1(struct xrig *x, const char *regex)
{
    struct com1_want want = {g_regex_new(regex, G_REGEX_MULTILINE, 0, NULL), NULL};

    if (!xrig_until(x, com1_has, &want)) {
        g_autofree char *text = xrig_file(x, "com1");

        xrig_keep(x, "com1");
        cr_assert_fail("COM1 has no '%s': %s", regex, text ? text : "");
    }
    g_regex_unref(want.regex);
    return want.match;
}

void xrig_dump(struct xrig *x, struct surface *to)
{
    g_autofree char *line = g_strdup_printf("screendump \"%s/dump.ppm\"", x->folder);
    g_autofree char *path = g_build_filename(x->folder, "dump.ppm", NULL);
    g_autofree char *bytes = NULL;
    gsize len = 0;
    unsigned w, h;

    xrig_ask(x, line);
    cr_assert(g_file_get_contents(path, &bytes, &len, NULL), "%s", x->text->str);
    cr_assert_eq(sscanf(bytes, "P6 %u %u", &w, &h), 2);
    cr_assert(len > (gsize)w * h * 3);
    surface_resize(to, w, h);
    for (unsigned i = 0; i < w * h; i++) {
        const uint8_t *p = (const uint8_t *)bytes + len - ((gsize)w * h - i) * 3;

        to->pixels[i / w * to->stride / 4 + i % w] = (uint32_t)p[0] << 16 | p[1] << 8 | p[2];
    }
}
