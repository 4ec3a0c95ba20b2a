/*
 * The x87 error latch.
 */
#include "hw/ferr.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

Test(ferr, error_raises_the_line_until_port_f0_is_written)
{
    struct rig *r = rig_begin(NULL);
    struct device *dev = device_new(r->m, &ferr_ops, "ferr");
    struct rig_pin pin = {0};

    rig_connect(ferr_irq(dev), &pin);
    rig_ready(r);
    struct vcpu *v = r->m->vcpus[0];
    v->ferr(v->ferr_dev);
    v->ferr(v->ferr_dev);
    cr_expect(pin.level);
    cr_expect_eq(pin.rises, 1);
    rig_out8(r, 0xf0, 0);
    cr_expect_not(pin.level);
    v->ferr(v->ferr_dev);
    rig_out8(r, 0xf1, 0);
    cr_expect_not(pin.level);
    cr_expect_eq(pin.rises, 2);
    rig_free(r);
}
