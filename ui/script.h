/*
 * What drives a run without a person: --expect, --expect-serial and --type, done in the order
 * given.
 */
#ifndef CANDELA_UI_SCRIPT_H
#define CANDELA_UI_SCRIPT_H

#include "hw/core/machine.h"
#include "ui/options.h"

struct script;

/* Whether the text of --type can be typed; CONFIG error. */
bool script_check_keys(const char *text, GError **err);
/* How to write keys in --type. */
void script_keys_help(GString *out);

/*
 * A script of the steps (struct script_step), NULL when there are none.  `end_when_met`: the
 * machine ends with END_QUIT and code 0 when the last step is an expectation and holds.
 */
struct script *script_new(const GArray *steps, bool end_when_met);
void script_free(struct script *s);
/* Begin: after machine_build, lock held.  COM1's bytes come by `serial`'s tap (may be NULL). */
void script_start(struct script *s, struct machine *m, struct chr *serial);
/*
 * A look after the machine ended, at what came last; lock held.  Whether all steps are done and the
 * last is an expectation of those that end a run.
 */
bool script_last_look(struct script *s);
/* Whether every expectation held (also without any).  Lock held while the machine runs. */
bool script_is_met(const struct script *s);
/* The first expectation that did not hold, as on the command line, or NULL.  The caller frees it.
 */
char *script_missing(const struct script *s);

/* For tests, lock held: COM1 said this; one round of the ticker. */
void script_serial(struct script *s, const uint8_t *buf, size_t len);
void script_tick(struct script *s);

#endif
