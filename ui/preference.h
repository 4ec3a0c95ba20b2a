/*
 * What this user chose in windows for all machines whose key file says nothing of it:
 * $XDG_CONFIG_HOME/candela/candela.conf, a key file with a group [window] whose keys are long names
 * of `candela run`'s options: host-key, scale, theme.
 *
 * The file may hold anything: what cannot be used is told on stderr and counts as not there.
 */
#ifndef CANDELA_UI_PREFERENCE_H
#define CANDELA_UI_PREFERENCE_H

#include "ui/options.h"

/* Set them, but for what the command line gave; before a machine's key file, which goes before
 * them.
 */
void preference_apply(struct options *o);
/* Keep one; FILE error. */
bool preference_keep(const char *option, const char *value, GError **err);

#endif
