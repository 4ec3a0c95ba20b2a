/*
 * The engine of the tests and the fuzzers, by the environment.
 *
 * Not here: anything of Criterion, which fuzzers do not link.
 */
#include "accel/interp.h"
#include "accel/kvm.h"
#include "tests/rig.h"

const struct accel_ops *rig_accel_ops(void)
{
    const char *name = g_getenv("CANDELA_TEST_ACCEL");

    return !g_strcmp0(name, "kvm")   ? &accel_kvm
           : !g_strcmp0(name, "jit") ? &accel_jit
                                     : &accel_interp;
}

const struct accel_ops *rig_accel(struct machine *m)
{
    m->config.jit_hot = 1;
    return rig_accel_ops();
}
