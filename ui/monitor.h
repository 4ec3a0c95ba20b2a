/*
 * The monitor: commands typed at a machine while it runs.
 */
#ifndef CANDELA_UI_MONITOR_H
#define CANDELA_UI_MONITOR_H

#include "hw/core/machine.h"

struct monitor;

/* A monitor at the stream `c` (it becomes its front end).  `terminal`: a person types there without
 * a terminal's line editing. */
struct monitor *monitor_new(struct machine *m, struct chr *c, bool terminal);
/* Print the greeting and the prompt when a peer is there.  Lock held. */
void monitor_start(struct monitor *mon);
/* After machine_stop, before machine_free. */
void monitor_free(struct monitor *mon);

#endif
