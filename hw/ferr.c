/*
 * The floating-point error latch of a PC: FERR# of the processor to IRQ 13, cleared through port
 * 0xf0.
 *
 * Follows: IBM AT Technical Reference; Intel SDM volume 3, 22.18.6 (MS-DOS compatible handling of
 * x87 exceptions).
 *
 * Not modelled: IGNNE# holding back the processor: an x87 instruction that finds an exception
 * pending goes on, and the interrupt comes at the next boundary.
 */
#include "hw/ferr.h"

struct ferr {
    struct device dev;
    struct ferr_state {
        struct line irq;
    } s;
};

static const struct state_field ferr_state[] = {
    STATE(struct ferr, s.irq),
    STATE_END,
};

static void ferr_assert(struct device *dev)
{
    line_set(&((struct ferr *)dev)->s.irq, true);
}

/* Any write clears the latch: 0xf0 busy clear, 0xf1 coprocessor reset. */
static void ferr_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)off;
    (void)val;
    (void)size;
    line_set(&((struct ferr *)dev)->s.irq, false);
}

static bool ferr_attach(struct device *dev, GError **err)
{
    (void)err;
    if (dev->m->vcpus && dev->m->vcpus[0]) {
        dev->m->vcpus[0]->ferr = ferr_assert;
        dev->m->vcpus[0]->ferr_dev = dev;
    }
    return true;
}

struct line *ferr_irq(struct device *dev)
{
    return &((struct ferr *)dev)->s.irq;
}

static const struct port_range ferr_ports[] = {
    {.first = 0xf0, .count = 2, .sizes = SIZE_1, .write = ferr_write},
    {.count = 0},
};

const struct device_ops ferr_ops = {
    .name = "ferr",
    .title = "x87 error latch (IRQ 13, port 0xf0)",
    DEVICE_STATE(struct ferr),
    .state = ferr_state,
    .ports = ferr_ports,
    .attach = ferr_attach,
};
