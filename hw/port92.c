/*
 * Port 0x92, system control port A: fast A20 (bit 1) and fast reset (bit 0).
 *
 * Follows the Intel 82371AB data sheet (290562), section 4.2.5.2.
 *
 * Not modelled: the lock and disk-light bits of the PS/2.
 */
#include "hw/port92.h"
#include "hw/i8042.h"

enum { PORT92_RESET = BIT(0), PORT92_A20 = BIT(1) };

struct port92 {
    struct device dev;
    struct port92_state {
        uint8_t control;
    } s;
};

static const struct state_field port92_state[] = {
    STATE(struct port92, s.control, .max = 3),
    STATE_END,
};

void port92_update_a20(struct machine *m)
{
    bool open = false;
    for (unsigned i = 0; i < m->devices->len; i++) {
        struct device *dev = g_ptr_array_index(m->devices, i);
        if (dev->ops == &port92_ops) {
            open |= (((struct port92 *)dev)->s.control & PORT92_A20) != 0;
        } else if (dev->ops == &i8042_ops) {
            open |= i8042_a20(dev);
        }
    }
    machine_set_a20(m, open);
}

static uint32_t port92_read(struct device *dev, unsigned off, unsigned size)
{
    (void)off;
    (void)size;
    return ((struct port92 *)dev)->s.control;
}

static void port92_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct port92 *p = (struct port92 *)dev;
    uint8_t rising = val & ~p->s.control;
    (void)off;
    (void)size;
    p->s.control = val & (PORT92_RESET | PORT92_A20);
    port92_update_a20(dev->m);
    if (rising & PORT92_RESET) {
        trace(dev, TR_STATE, "fast reset");
        machine_request_reset(dev->m);
    }
}

static void port92_reset(struct device *dev)
{
    port92_update_a20(dev->m);
}

static const struct port_range port92_ports[] = {
    {.first = 0x92, .count = 1, .sizes = SIZE_1, .read = port92_read, .write = port92_write},
    {.count = 0},
};

const struct device_ops port92_ops = {
    .name = "port92",
    .title = "System control port A: fast A20 and reset",
    DEVICE_STATE(struct port92),
    .state = port92_state,
    .ports = port92_ports,
    .reset = port92_reset,
};
