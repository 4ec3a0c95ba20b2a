/*
 * The list of accelerators and the choice among them.
 *
 * Not modelled: KVM and the translator are not written yet (issues 6 and 7); `auto` chooses the
 * interpreter.
 */
#include "accel/accel.h"
#include "accel/interp.h"

static const struct accel_ops *const accelerators[] = {&accel_interp};

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
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                "--accel %s: unknown accelerator; this version has auto and interp", name);
    return NULL;
}

void accel_help(GString *out)
{
    g_string_append(out, "auto      the fastest that works here\n");
    for (size_t n = 0; n < ARRAY_LEN(accelerators); n++) {
        g_string_append_printf(out, "%-9s %s\n", accelerators[n]->name, accelerators[n]->title);
    }
}
