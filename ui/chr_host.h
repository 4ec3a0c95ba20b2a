/*
 * Host ends of byte streams: what -serial, -debugcon and -monitor name.
 *
 * Made in two steps, so that a wrong configuration changes nothing: chr_host_new only looks at the
 * text, chr_host_open creates files, sockets and terminals and starts them.
 */
#ifndef CANDELA_UI_CHR_HOST_H
#define CANDELA_UI_CHR_HOST_H

#include "hw/core/machine.h"

struct chr_host;

/* Whether the text names an endpoint; CONFIG error that says what is wrong with it. */
bool chr_host_check(const char *spec, GError **err);
/* The endpoints there are, for `-serial help`. */
void chr_host_help(GString *out);

/*
 * An endpoint, not open yet; `what` ("COM1") is for messages.  NULL without an error for "none".
 * The caller frees it after the machine.
 */
struct chr_host *chr_host_new(const char *spec, const char *what, GError **err);
/* The stream for the device. */
struct chr *chr_host_chr(struct chr_host *h);
/* The second stream of "mon:stdio", for the monitor; NULL for all others. */
struct chr *chr_host_monitor(struct chr_host *h);
/* Whether it is this process's standard input and output. */
bool chr_host_is_stdio(const struct chr_host *h);
/* Whether it has a name that only opening it tells. */
bool chr_host_is_pty(const struct chr_host *h);
/* Whether a person types at it: no line editing by a terminal in between (raw mode). */
bool chr_host_is_terminal(const struct chr_host *h);
/* Whether a file named by it could be written; FILE error.  Nothing is created. */
bool chr_host_check_path(struct chr_host *h, GError **err);
/*
 * Open, and start when the machine runs; lock held, before machine_run.  A server without nowait
 * waits here for its peer.  `note`: a line for people (where the pty is), or NULL to be silent.
 * FILE or HOST error.
 */
bool chr_host_open(struct chr_host *h, struct machine *m, void (*note)(const char *text),
                   GError **err);
/* Put the terminal back as it was; harmless when it is not one, may be called twice.  Any thread,
 * no lock. */
void chr_host_restore(struct chr_host *h);
/* Write out what waits (two seconds at most) and close; after machine_stop.  The struct stays until
 * chr_host_free. */
void chr_host_close(struct chr_host *h);
void chr_host_free(struct chr_host *h);

#endif
