/*
 * The value of -smp: how many processors, and how they are put together.
 *
 * Not modelled: processors that are plugged in later (maxcpus), dies and clusters.
 */
#ifndef CANDELA_UI_SMP_H
#define CANDELA_UI_SMP_H

#include "hw/core/config.h"

/*
 * Take "N" or "cpus=N", with sockets=, cores= and threads= as wanted, into `vm`.  What is left out
 * follows: the number from the product, cores before sockets, one thread a core.  False: a CONFIG
 * error, `vm` as it was.
 */
bool smp_parse(struct vm_config *vm, const char *opt, const char *val, GError **err);
/* What `-smp help` answers. */
void smp_help(GString *out);

#endif
