/*
 * The networks of a machine: a port per card, what each is connected to, and the thread that
 * carries frames between them.
 *
 *     nets = nets_new(m, note, &err);     before machine_build: makes m->nics, opens the peers
 *     nets_start(nets, &err);             when the machine is to run
 *     nets_stop(nets);                    before machine_stop; nothing moves any more
 *     nets_free(nets);                    after machine_free
 */
#ifndef CANDELA_UI_NET_H
#define CANDELA_UI_NET_H

#include "hw/core/machine.h"

struct nets;

/*
 * Open what m->config.nics asks for, and fill m->nics.  `note`: lines for people, from any thread;
 * or NULL.  NULL with a FILE or CONFIG error that starts with the option or the interface.
 */
struct nets *nets_new(struct machine *m, void (*note)(const char *text), GError **err);
/* Begin to carry frames; false when there can be no thread. */
bool nets_start(struct nets *s, GError **err);
/* End the thread.  Not with the machine lock held.  NULL is fine, as is twice. */
void nets_stop(struct nets *s);
void nets_free(struct nets *s);

/* Describe every port, its peer and its counters: `info network`.  Machine lock held. */
void nets_info(struct machine *m, GString *out);

#endif
