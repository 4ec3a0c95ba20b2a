/*
 * How far a long piece of work is, on a terminal; and the signals that end it early.
 */
#ifndef CANDELA_UI_DISK_PROGRESS_H
#define CANDELA_UI_DISK_PROGRESS_H

#include "vhd/disk.h"

struct progress {
    struct disk_watch watch; /* what the library is given */
    const char *what;        /* "convert" */
    bool show;               /* standard error is a terminal, and nobody asked for quiet */
    bool drawn;              /* there is a bar to wipe */
    int64_t start, last;     /* microseconds, of the start and of the last drawing */
    int signal_fd;           /* -1: signals act as they do elsewhere */
    int signal;              /* that ended the work, or 0 */
};

/* From here on SIGINT, SIGTERM and SIGHUP only make the next tick say no.  Main thread. */
void progress_begin(struct progress *p, const char *what, bool quiet);
/* Wipe the bar and let signals act again. */
void progress_end(struct progress *p);
/* The bar's line for `done` of `total` bytes after `us` microseconds, without the wiping. */
char *progress_line(const char *what, uint64_t done, uint64_t total, int64_t us);

/* "4.0 MiB"; g_free. */
char *size_text(uint64_t bytes);

#endif
