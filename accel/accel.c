/*
 * The list of accelerators and the choice among them.
 *
 * Not modelled: KVM and the translator are not written yet (issues 6 and 7); `auto` chooses the
 * interpreter.
 */
#include "accel/accel.h"
#include "accel/check.h"
#include "accel/interp.h"

static const struct accel_ops *const accelerators[] = {&accel_jit, &accel_interp, &accel_check_jit,
                                                       &accel_check_interp};

const struct accel_ops *accel_choose(const char *name, const char **why, GError **err)
{
    if (!name || !strcmp(name, "auto")) {
        *why = "interp: the interpreter is the only engine of this version";
        return accelerators[0];
    }
    for (size_t n = 0; n < ARRAY_LEN(accelerators); n++) {
        if (!strcmp(name, accelerators[n]->name)) {
            *why = "as asked";
            return accelerators[n];
        }
    }
    g_autoptr(GString) names = g_string_new("auto");
    for (size_t n = 0; n < ARRAY_LEN(accelerators); n++) {
        g_string_append_printf(names, "%s%s", n + 1 < ARRAY_LEN(accelerators) ? ", " : " and ",
                               accelerators[n]->name);
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                "--accel %s: unknown accelerator; this version has %s", name, names->str);
    return NULL;
}

void accel_help(GString *out)
{
    g_string_append_printf(out, "%-19s %s\n", "auto", "the fastest that works here");
    for (size_t n = 0; n < ARRAY_LEN(accelerators); n++) {
        g_string_append_printf(out, "%-19s %s\n", accelerators[n]->name, accelerators[n]->title);
    }
}
