/*
 * Port 0x80: the POST code display.
 *
 * Not modelled: the DMA page register that shares the port on old boards.
 */
#include "hw/port80.h"

struct port80 {
    struct device dev;
    struct port80_state {
        uint8_t last;
    } s;
};

static const struct state_field port80_state[] = {
    STATE(struct port80, s.last),
    STATE_END,
};

uint8_t port80_last(struct device *dev)
{
    return ((struct port80 *)dev)->s.last;
}

static uint32_t port80_read(struct device *dev, unsigned off, unsigned size)
{
    (void)off;
    (void)size;
    return port80_last(dev);
}

static void port80_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)off;
    (void)size;
    ((struct port80 *)dev)->s.last = val;
}

static const struct port_range port80_ports[] = {
    {.first = 0x80, .count = 1, .sizes = SIZE_1, .read = port80_read, .write = port80_write},
    {.count = 0},
};

const struct device_ops port80_ops = {
    .name = "port80",
    .title = "POST code port 0x80",
    DEVICE_STATE(struct port80),
    .state = port80_state,
    .ports = port80_ports,
};
