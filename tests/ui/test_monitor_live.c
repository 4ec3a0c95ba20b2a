/*
 * The monitor of the program itself, at a unix socket, while a guest runs: a boot sector that shows
 * on the screen what is typed.
 *
 * The program is $CANDELA, or candela in the folder the tests run in; without it, or without
 * SeaBIOS, the tests are skipped.
 */
#include "config.h"
#include "hw/core/base.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENOUGH_US = 60 * G_USEC_PER_SEC };

struct live {
    char *folder, *socket;
    GPid pid;
    int fd;
    GString *got;
};

static const uint8_t boot_sector[] = {
    0xb4, 0x00,       /* 7c00: mov ah,0 */
    0xcd, 0x16,       /* 7c02: int 0x16: wait for a key */
    0xb4, 0x0e,       /* 7c04: mov ah,0xe */
    0xcd, 0x10,       /* 7c06: int 0x10: show it */
    0xeb, 0xf6, 0x90, /* 7c08: jmp 0x7c00 */
};

static char *file_new(const struct live *l, const char *name, const void *data, size_t len,
                      size_t size)
{
    char *path = g_build_filename(l->folder, name, NULL);
    g_autofree char *all = g_malloc0(size);

    memcpy(all, data, len);
    if (size >= 512 && len) {
        all[510] = 0x55;
        all[511] = (char)0xaa;
    }
    cr_assert(g_file_set_contents(path, all, (gssize)size, NULL));
    return path;
}

static bool live_connect(struct live *l)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int64_t until = g_get_monotonic_time() + ENOUGH_US;

    g_strlcpy(addr.sun_path, l->socket, sizeof addr.sun_path);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (connect(l->fd, (struct sockaddr *)&addr, sizeof addr)) {
        if (g_get_monotonic_time() > until) {
            return false;
        }
        g_usleep(5000);
    }
    return true;
}

/* What comes up to the next prompt. */
static const char *live_read(struct live *l)
{
    int64_t until = g_get_monotonic_time() + ENOUGH_US;

    g_string_truncate(l->got, 0);
    while (!g_str_has_suffix(l->got->str, "(candela) ") && g_get_monotonic_time() < until) {
        struct pollfd p = {.fd = l->fd, .events = POLLIN};
        char buf[4096];
        ssize_t n = poll(&p, 1, 100) > 0 ? read(l->fd, buf, sizeof buf) : -1;

        if (n == 0) {
            break;
        }
        g_string_append_len(l->got, buf, MAX(n, 0));
    }
    return l->got->str;
}

static const char *live_ask(struct live *l, const char *line)
{
    g_autofree char *text = g_strconcat(line, "\n", NULL);

    cr_assert_eq(write(l->fd, text, strlen(text)), (ssize_t)strlen(text));
    return live_read(l);
}

static void live_good(struct live *l, const char *line, const char *part)
{
    live_ask(l, line);
    cr_expect(!strstr(l->got->str, "error:") && strstr(l->got->str, part), "%s: no '%s' in: %s",
              line, part, l->got->str);
}

/* Ask again and again until the answer has it. */
static void live_wait(struct live *l, const char *line, const char *part)
{
    int64_t until = g_get_monotonic_time() + ENOUGH_US;

    while (!strstr(live_ask(l, line), part) && g_get_monotonic_time() < until) {
        g_usleep(10000);
    }
    cr_assert(strstr(l->got->str, part), "%s: no '%s' in: %s", line, part, l->got->str);
}

static void child_setup(gpointer data)
{
    (void)data;
    alarm(120);
}

static struct live *live_new(void)
{
    const char *program = g_getenv("CANDELA");
    struct live *l = g_new0(struct live, 1);
    g_autofree char *disk = NULL, *floppy = NULL, *monitor = NULL;

    program = program ? program : "./candela";
    if (access(program, X_OK) || access(CANDELA_BIOS_FILE, R_OK) ||
        access(CANDELA_VGABIOS_FILE, R_OK)) {
        cr_skip_test("no candela or no SeaBIOS here");
    }
    signal(SIGPIPE, SIG_IGN);
    l->got = g_string_new(NULL);
    l->folder = g_dir_make_tmp("candela-live-XXXXXX", NULL);
    l->socket = g_build_filename(l->folder, "monitor", NULL);
    disk = file_new(l, "disk.img", boot_sector, sizeof boot_sector, 1024 * 1024);
    floppy = file_new(l, "a.img", "", 0, 1440 * 1024);
    monitor = g_strconcat("unix:", l->socket, NULL);
    {
        const char *argv[] = {program,
                              "run",
                              "-q",
                              "-m",
                              "16",
                              "-hda",
                              disk,
                              "-fda",
                              floppy,
                              "-boot",
                              "c",
                              "-drive",
                              "media=cdrom,index=2",
                              "-monitor",
                              monitor,
                              "--max-time",
                              "100",
                              NULL};

        cr_assert(g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, child_setup,
                                NULL, &l->pid, NULL));
    }
    cr_assert(live_connect(l), "no monitor at %s", l->socket);
    cr_assert(strstr(live_read(l), "Candela monitor"));
    return l;
}

/* The exit code. */
static int live_end(struct live *l)
{
    int status = 0;
    GDir *dir;
    const char *name;

    close(l->fd);
    cr_assert_eq(waitpid(l->pid, &status, 0), l->pid);
    cr_expect(access(l->socket, F_OK), "the socket is left");
    dir = g_dir_open(l->folder, 0, NULL);
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(l->folder, name, NULL);

        g_remove(path);
    }
    g_dir_close(dir);
    g_rmdir(l->folder);
    g_string_free(l->got, TRUE);
    g_free(l->folder);
    g_free(l->socket);
    g_free(l);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static double guest_time(struct live *l)
{
    const char *at = strstr(live_ask(l, "info status"), ", ");

    return at ? g_ascii_strtod(at + 2, NULL) : -1;
}

Test(monitor_live, a_running_guest_is_looked_at_and_handled, .timeout = 120)
{
    struct live *l = live_new();
    g_autofree char *dump = g_strdup_printf("screendump %s/s.txt", l->folder);
    g_autofree char *text = g_build_filename(l->folder, "s.txt", NULL), *screen = NULL;
    double held;

    live_good(l, "xp /5xb 0xfffffff0", "fffffff0: 0xea 0x5b 0xe0 0x00 0xf0\n");
    live_wait(l, "xp /2xw 0x7c00", "00007c00: 0x16cd00b4 0x10cd0eb4\n");
    live_wait(l, "x /2c 0x7dfe", "00007dfe: 'U' '\\xaa'\n");
    live_wait(l, "sendkey x", "(candela) ");
    live_wait(l, "info screen", "x\n");
    live_good(l, "sendkey shift-a", "");
    live_wait(l, "info screen", "xA\n");
    live_wait(l, "x /5i 0x7c00", "00007c08: eb f6                         jmp 0x7c00\n");
    cr_expect(strstr(l->got->str, "00007c02: cd 16                         int 0x16\n"), "%s",
              l->got->str);
    live_good(l, dump, "");
    cr_assert(g_file_get_contents(text, &screen, NULL, NULL));
    cr_expect(strstr(screen, "xA\n"), "%s", screen);

    live_good(l, "stop", "");
    held = guest_time(l);
    g_usleep(50000);
    cr_expect(strstr(live_ask(l, "info status"), "held"));
    cr_expect_eq(guest_time(l), held, "time goes on");
    live_good(l, "print $pc", "0x");
    live_good(l, "cont", "");
    g_usleep(50000);
    cr_expect(guest_time(l) > held, "time stands still");
    cr_expect(strstr(live_ask(l, "info irq"), "IRQ  1: ") && !strstr(l->got->str, "IRQ  1: 0 "));
    live_good(l, "quit", "");
    cr_expect_eq(live_end(l), 0);
}

/* As nc and socat do: everything is sent, then the answers are read. */
Test(monitor_live, answers_come_after_the_last_word, .timeout = 120)
{
    static const char lines[] = "print 1\nprint 2\ninfo stats\nstop\ninfo status\nprint 3\nquit\n";
    struct live *l = live_new();

    cr_assert_eq(write(l->fd, lines, sizeof lines - 1), (ssize_t)sizeof lines - 1);
    cr_assert_eq(shutdown(l->fd, SHUT_WR), 0);
    for (char buf[4096];;) {
        ssize_t n = read(l->fd, buf, sizeof buf);

        if (n <= 0) {
            break;
        }
        g_string_append_len(l->got, buf, n);
    }
    cr_expect(strstr(l->got->str, "0x1\n") && strstr(l->got->str, "0x2\n"), "%s", l->got->str);
    cr_expect(strstr(l->got->str, "held") && strstr(l->got->str, "0x3\n"), "%s", l->got->str);
    cr_expect_eq(live_end(l), 0);
}

Test(monitor_live, media_are_changed_under_a_running_guest, .timeout = 120)
{
    struct live *l = live_new();
    g_autofree char *iso = file_new(l, "disc.iso", "disc", 4, 2048 * 64), *line = NULL;

    live_wait(l, "x /2c 0x7dfe", "00007dfe: 'U' '\\xaa'\n");
    line = g_strdup_printf("change ide1-cd0 %s", iso);
    live_good(l, line, "");
    live_good(l, "info block", "disc.iso (raw)");
    live_good(l, "eject ide1-cd0", "");
    live_good(l, "eject floppy0", "");
    live_good(l, "info block", "floppy0: empty");
    g_free(line);
    line = g_strdup_printf("change A: %s/a.img raw read-only", l->folder);
    live_good(l, line, "");
    live_good(l, "info block", "2880 sectors, read-only");
    live_good(l, "system_reset", "");
    live_wait(l, "info status", " 1 resets");
    live_good(l, "q", "");
    cr_expect_eq(live_end(l), 0);
}

Test(monitor_live, peers_come_one_after_the_other, .timeout = 120)
{
    struct live *l = live_new();
    g_autofree char *junk = g_malloc(256 * 1024);

    for (unsigned i = 0; i < 256 * 1024; i++) {
        junk[i] = (char)(i * 2654435761u >> 24);
    }
    for (unsigned i = 0; i < 8; i++) {
        fcntl(l->fd, F_SETFL, O_NONBLOCK);
        for (size_t sent = 0; sent < 256 * 1024;) { /* and go without reading a byte */
            ssize_t n = write(l->fd, junk + sent, 256 * 1024 - sent);

            if (n <= 0) {
                break;
            }
            sent += (size_t)n;
        }
        close(l->fd);
        cr_assert(live_connect(l));
        cr_assert(strstr(live_read(l), "Candela monitor"), "peer %u: %s", i, l->got->str);
        live_good(l, "print 1", "0x1\n");
    }
    live_good(l, "quit", "");
    cr_expect_eq(live_end(l), 0);
}
