/*
 * The monitor's commands about the engine that runs the guest: which one it is, and another.
 *
 * Not here: what the translator has to say of itself (monitor_info.c).
 */
#include "accel/accel.h"
#include "ui/monitor_cmd.h"

bool info_accel(struct call *c, GError **err)
{
    const struct machine *m = c->m;
    const struct accel_ops *accel = m->accel;

    (void)err;
    if (!accel) {
        g_string_append(c->out, "none\n");
        return true;
    }
    g_string_append_printf(c->out, "%s: %s", accel->name, accel->title);
    if (m->switches) {
        g_string_append_printf(c->out, "; engines changed %u times", m->switches);
    }
    g_string_append_c(c->out, '\n');
    return true;
}

/* [-f] [NAME] */
bool cmd_accel(struct call *c, GError **err)
{
    struct machine *m = c->m;
    const struct accel_ops *was = m->accel;

    if (!c->arg[1].given) {
        return c->arg[0].given ? monitor_fail(err, MONITOR_ERROR_ARGUMENT, "accel -f: to which?")
                               : info_accel(c, err);
    }
    if (!accel_switch(m, c->arg[1].text, c->arg[0].given, err)) {
        return false;
    }
    if (m->accel == was) {
        g_string_append_printf(c->out, "%s runs the guest already\n", was->name);
    }
    return true;
}
