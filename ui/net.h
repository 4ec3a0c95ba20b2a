/*
 * The networks of a machine: a port per card, what each is connected to, and the thread that
 * carries frames between them.
 *
 *     nets = nets_new(m, note);           before machine_build: makes m->nics
 *     nets_start(nets, &err);             when the machine is to run: opens the peers
 *     nets_stop(nets);                    before machine_stop; nothing moves any more
 *     nets_free(nets);                    after machine_free
 */
#ifndef CANDELA_UI_NET_H
#define CANDELA_UI_NET_H

#include "hw/core/machine.h"

struct nets;

/* Make the ports that m->config.nics asks for, and fill m->nics; nothing outside is touched.
 * `note`: takes lines for people, from any thread; or NULL. */
struct nets *nets_new(struct machine *m, void (*note)(const char *text));
/*
 * Open the peers and capture files, and begin to carry frames.  FILE, CONFIG or HOST error that
 * starts with the option, file or interface.  Machine lock not held.
 */
bool nets_start(struct nets *s, GError **err);
/* End the thread.  Not with the machine lock held.  NULL is fine, as is twice. */
void nets_stop(struct nets *s);
void nets_free(struct nets *s);

/* Describe every port, its peer and its counters: `info network`.  Machine lock held. */
void nets_info(struct machine *m, GString *out);

#endif
