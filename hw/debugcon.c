/*
 * Debug console on port 0xe9 (a read gives 0xe9, by which guests find it; the firmware's log on
 * port 0x402 joins it when a console is configured) and the debug-exit port, which ends the run
 * with a code the guest chooses.
 *
 * Output that the host end cannot take at once waits in a buffer; what does not fit there is
 * dropped.
 *
 * Not modelled: input.
 */
#include "hw/debugcon.h"

enum { DEBUGCON_ID = 0xe9, DEBUGCON_BUFFER = 64 * 1024, FIRMWARE_PORT = 0x402 };

struct debugcon {
    struct device dev;
    struct debugcon_state {
        uint8_t last; /* byte written last */
    } s;
    GByteArray *waiting; /* for the host end: not state, it has left the guest */
};

static const struct state_field debugcon_state[] = {
    STATE(struct debugcon, s.last),
    STATE_END,
};

static void debugcon_flush(void *opaque)
{
    struct debugcon *d = opaque;
    while (d->waiting->len) {
        size_t n = chr_write(d->dev.m->debugcon, d->waiting->data, d->waiting->len);
        if (!n) {
            return;
        }
        g_byte_array_remove_range(d->waiting, 0, MIN(n, d->waiting->len));
    }
}

static size_t debugcon_can_read(void *opaque)
{
    (void)opaque;
    return 0;
}

static const struct chr_front debugcon_front = {
    .can_read = debugcon_can_read,
    .writable = debugcon_flush,
};

static uint32_t debugcon_read(struct device *dev, unsigned off, unsigned size)
{
    (void)dev;
    (void)off;
    (void)size;
    return DEBUGCON_ID;
}

static void debugcon_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct debugcon *d = (struct debugcon *)dev;
    uint8_t byte = val;
    (void)off;
    (void)size;
    d->s.last = byte;
    if (!d->waiting->len && chr_write(dev->m->debugcon, &byte, 1)) {
        return;
    }
    if (d->waiting->len < DEBUGCON_BUFFER) {
        g_byte_array_append(d->waiting, &byte, 1);
    }
}

/* A guest may write 1, 2 or 4 bytes: the lowest byte counts, the rest of a wider port is taken and
 * ignored. */
static void debugexit_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    int code = dev->m->config.debug_exit_qemu ? (int)((val << 1 | 1) & 0xff) : 64 + (int)(val & 63);
    (void)size;
    if (off == 0) {
        machine_end(dev->m, END_DEBUG_EXIT, code);
    }
}

static const struct port_range console_range = {
    .count = 1, .sizes = SIZE_1, .read = debugcon_read, .write = debugcon_write};
static const struct port_range exit_range = {
    .count = 4, .sizes = SIZE_1 | SIZE_2 | SIZE_4, .write = debugexit_write};

/* Where the user says, but not over another device's ports: neither would work. */
static bool debugexit_claim(struct device *dev, GError **err)
{
    struct machine *m = dev->m;
    struct port_range range = exit_range;
    uint16_t first = (uint16_t)m->config.debug_exit_port;
    const struct port_claim *other = m->port_map[first];

    if (other) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "-debug-exit %#x: the port belongs to %s; choose a free one, such as 0xf4",
                    first, other->dev->name);
        return false;
    }
    for (range.count = 1; range.count < exit_range.count; range.count++) {
        if (first + range.count > 0xffff || m->port_map[first + range.count]) {
            break;
        }
    }
    ports_claim(dev, &range, first);
    return true;
}

static bool debugcon_attach(struct device *dev, GError **err)
{
    struct debugcon *d = (struct debugcon *)dev;
    struct machine *m = dev->m;
    ports_claim(dev, &console_range, DEBUGCON_ID);
    if (m->debugcon) {
        ports_claim(dev, &console_range, FIRMWARE_PORT);
    }
    if (m->config.debug_exit_port >= 0 && !debugexit_claim(dev, err)) {
        return false;
    }
    d->waiting = g_byte_array_new();
    if (m->debugcon) {
        m->debugcon->front = &debugcon_front;
        m->debugcon->opaque = d;
    }
    return true;
}

static void debugcon_detach(struct device *dev)
{
    struct debugcon *d = (struct debugcon *)dev;
    if (dev->m->debugcon && dev->m->debugcon->opaque == d) {
        dev->m->debugcon->front = NULL;
        dev->m->debugcon->opaque = NULL;
    }
    if (d->waiting) {
        g_byte_array_free(d->waiting, TRUE);
        d->waiting = NULL;
    }
}

const struct device_ops debugcon_ops = {
    .name = "debugcon",
    .title = "Debug console (port 0xe9) and debug-exit port",
    DEVICE_STATE(struct debugcon),
    .state = debugcon_state,
    .attach = debugcon_attach,
    .detach = debugcon_detach,
};
