/*
 * Progress on a terminal, and Ctrl-C.
 *
 * The bar is drawn on standard error, over itself, only if that is a terminal: a pipe or a file
 * gets nothing.  Signals are blocked and asked for at every tick, so that the work ends at a place
 * where it can put things in order; a second one ends the process at once.
 */
#define _GNU_SOURCE /* signalfd */
#include "ui/disk_progress.h"
#include "ui/run.h"
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { BAR_CELLS = 24, FIRST_MS = 300, EVERY_MS = 100 };

char *size_text(uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    double n = (double)bytes;

    while (n >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        n /= 1024;
        unit++;
    }
    return unit ? g_strdup_printf("%.1f %s", n, units[unit])
                : g_strdup_printf("%" G_GUINT64_FORMAT " bytes", bytes);
}

char *progress_line(const char *what, uint64_t done, uint64_t total, int64_t us)
{
    double part = total ? MIN((double)done / (double)total, 1.0) : 1.0;
    unsigned full = (unsigned)(part * BAR_CELLS);
    g_autofree char *all = size_text(total);
    g_autofree char *left = NULL;
    char bar[BAR_CELLS + 1] = {0};

    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', full);
    if (us > 1000000 && part > 0.01 && part < 1) {
        int64_t s = (int64_t)((double)us / 1e6 * (1 - part) / part + 0.5);

        left = g_strdup_printf(", %d:%02d left", (int)(s / 60), (int)(s % 60));
    }
    return g_strdup_printf("%s [%s] %3.0f%% of %s%s", what, bar, part * 100, all, left ? left : "");
}

static void progress_draw(struct progress *p, uint64_t done, uint64_t total)
{
    int64_t now = g_get_monotonic_time();

    if (now - p->start < FIRST_MS * 1000 || (p->drawn && now - p->last < EVERY_MS * 1000)) {
        return;
    }
    g_autofree char *line = progress_line(p->what, done, total, now - p->start);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
    p->drawn = true;
    p->last = now;
}

static bool progress_tick(void *opaque, uint64_t done, uint64_t total)
{
    struct progress *p = opaque;
    struct signalfd_siginfo info;

    if (p->signal) {
        return false;
    }
    if (p->signal_fd >= 0 && read(p->signal_fd, &info, sizeof info) == sizeof info) {
        sigset_t set;

        p->signal = (int)info.ssi_signo;
        run_signal_set(&set);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        return false;
    }
    if (p->show) {
        progress_draw(p, done, total);
    }
    return true;
}

void progress_begin(struct progress *p, const char *what, bool quiet)
{
    sigset_t set;

    *p = (struct progress){.watch = {.tick = progress_tick, .opaque = p},
                           .what = what,
                           .show = !quiet && isatty(STDERR_FILENO),
                           .start = g_get_monotonic_time()};
    run_signal_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (p->signal_fd < 0) {
        pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* then they end the process as they always do */
    }
}

void progress_end(struct progress *p)
{
    sigset_t set;

    if (p->drawn) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
    }
    if (p->signal_fd >= 0) {
        close(p->signal_fd); /* one that came too late acts now */
        run_signal_set(&set);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
}
