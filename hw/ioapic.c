/*
 * Intel 82093AA I/O APIC with 24 inputs, with the EOI register of its successors (version 0x20).
 *
 * Follows the 82093AA data sheet (290566).  An edge on a masked pin is forgotten, as the data sheet
 * says.  Polarity is stored only: every sink of ours is active high, and guests program what the
 * ACPI tables say.
 *
 * Where an accelerator has local APICs of its own it is told which messages' ends are wanted
 * (accel_ops.apic_routes): those of level-triggered pins, and those of edge-triggered pins whose
 * device asks whether its last interrupt was taken (the timers that make up for lost time), which
 * go out marked as level for that.
 *
 * Not modelled: the arbitration id, delivery status (messages arrive at once), SMI.
 */
#include "hw/ioapic.h"
#include "hw/lapic.h"

enum { REG_ID = 0, REG_VERSION = 1, REG_ARB = 2, REG_REDIR = 0x10 };
enum { OFF_SELECT = 0x00, OFF_WINDOW = 0x10, OFF_EOI = 0x40 };
enum {
    REDIR_LOGICAL = BIT(11),
    REDIR_REMOTE_IRR = BIT(14),
    REDIR_LEVEL = BIT(15),
    REDIR_MASKED = BIT(16)
};
/* Delivery status and remote IRR are read-only. */
enum { REDIR_WRITABLE = 0x1afff };
#define IOAPIC_VERSION 0x20u

struct ioapic {
    struct device dev;
    struct ioapic_state {
        uint64_t redir[IOAPIC_PINS];
        uint32_t lines; /* levels of the inputs */
        uint8_t select, id, hole[2];
    } s;
    struct region region;
    /* Edge-triggered pins: whose device wants to know; whose last message has not been ended. */
    uint32_t watched, waiting;
};
static_assert(IOAPIC_PINS <= APIC_ROUTES, "a route each");

static const struct state_field ioapic_state[] = {
    STATE_ARRAY(struct ioapic, s.redir, .reset = REDIR_MASKED),
    STATE(struct ioapic, s.lines),
    STATE(struct ioapic, s.select),
    STATE(struct ioapic, s.id, .max = 15),
    STATE_HOLE(struct ioapic, s.hole),
    STATE_END,
};

static bool redir_is_fixed(uint64_t e)
{
    unsigned mode = e >> 8 & 7;

    return mode == LAPIC_FIXED || mode == LAPIC_LOWEST;
}

/* Whether the end of a pin's message is wanted. */
static bool ioapic_wants_eoi(const struct ioapic *io, unsigned pin)
{
    uint64_t e = io->s.redir[pin];

    return redir_is_fixed(e) && (e & REDIR_LEVEL || io->watched & BIT(pin));
}

static void ioapic_tell_routes(struct ioapic *io)
{
    const struct accel_ops *accel = io->dev.m->accel;
    struct apic_message list[IOAPIC_PINS];
    unsigned n = 0;

    if (!accel || !accel->apic_routes) {
        return;
    }
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t e = io->s.redir[pin];

        if (ioapic_wants_eoi(io, pin)) {
            list[n++] = lapic_message(e >> 56, e & REDIR_LOGICAL, e >> 8 & 7, e & 0xff, true);
        }
    }
    accel->apic_routes(io->dev.m, list, n);
}

/* Send the message of a pin's entry. */
static bool ioapic_send(struct ioapic *io, unsigned pin)
{
    bool away = atomic_load(&io->dev.m->apics_away);
    uint64_t e = io->s.redir[pin];
    bool watch = away && !(e & REDIR_LEVEL) && ioapic_wants_eoi(io, pin);

    trace(io, TR_IRQ, "pin %u sends %#x", pin, (unsigned)(e & 0xff));
    io->waiting = watch ? io->waiting | BIT(pin) : io->waiting & ~BIT(pin);
    return lapic_deliver(io->dev.m, e >> 56, e & REDIR_LOGICAL, e >> 8 & 7, e & 0xff,
                         watch || e & REDIR_LEVEL);
}

/* A level-triggered pin: send while the line is high and the last message was ended. */
static void ioapic_service(struct ioapic *io, unsigned pin)
{
    uint64_t *e = &io->s.redir[pin];
    if (!(io->s.lines & BIT(pin)) || (*e & (REDIR_MASKED | REDIR_REMOTE_IRR)) ||
        !(*e & REDIR_LEVEL)) {
        return;
    }
    /* Set first: an EOI may come while the message is delivered. */
    unsigned mode = *e >> 8 & 7;
    if (mode == LAPIC_FIXED || mode == LAPIC_LOWEST) {
        *e |= REDIR_REMOTE_IRR;
    }
    if (!ioapic_send(io, pin)) {
        *e &= ~(uint64_t)REDIR_REMOTE_IRR;
    }
}

void ioapic_set_irq(void *dev, int pin, bool level)
{
    struct ioapic *io = dev;
    if (pin < 0 || pin >= IOAPIC_PINS) {
        return;
    }
    bool rise = level && !(io->s.lines & BIT(pin));
    io->s.lines = level ? io->s.lines | BIT(pin) : io->s.lines & ~BIT(pin);
    if (io->s.redir[pin] & REDIR_LEVEL) {
        ioapic_service(io, pin);
    } else if (rise && !(io->s.redir[pin] & REDIR_MASKED)) {
        ioapic_send(io, pin);
    }
}

bool ioapic_is_waiting(struct device *dev, int pin)
{
    struct ioapic *io = (struct ioapic *)dev;
    uint64_t e = io->s.redir[pin];

    if (e & (REDIR_MASKED | REDIR_LEVEL) || !redir_is_fixed(e)) {
        return false;
    }
    if (atomic_load(&dev->m->apics_away)) {
        if (!(io->watched & BIT(pin))) {
            io->watched |= BIT(pin);
            ioapic_tell_routes(io);
        }
        return io->waiting & BIT(pin);
    }
    return lapic_is_waiting(dev->m, e >> 56, e & REDIR_LOGICAL, e & 0xff);
}

static void ioapic_end(struct ioapic *io, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t *e = &io->s.redir[pin];
        if ((*e & 0xff) != vector) {
            continue;
        }
        io->waiting &= ~BIT(pin);
        if (*e & REDIR_REMOTE_IRR) {
            *e &= ~(uint64_t)REDIR_REMOTE_IRR;
            ioapic_service(io, pin);
        }
    }
}

void ioapic_eoi(struct machine *m, uint8_t vector)
{
    for (unsigned i = 0; i < m->devices->len; i++) {
        struct device *dev = g_ptr_array_index(m->devices, i);
        if (dev->ops == &ioapic_ops) {
            ioapic_end((struct ioapic *)dev, vector);
        }
    }
}

static void ioapic_tell(struct machine *m)
{
    for (unsigned i = 0; i < m->devices->len; i++) {
        struct device *dev = g_ptr_array_index(m->devices, i);
        if (dev->ops == &ioapic_ops) {
            ioapic_tell_routes((struct ioapic *)dev);
        }
    }
}

static uint32_t ioapic_read_reg(const struct ioapic *io)
{
    unsigned reg = io->s.select, pin = (reg - REG_REDIR) / 2;
    switch (reg) {
    case REG_ID:
    case REG_ARB:
        return (uint32_t)io->s.id << 24;
    case REG_VERSION:
        return (IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION;
    default:
        if (reg < REG_REDIR || pin >= IOAPIC_PINS) {
            return 0;
        }
        return reg & 1 ? io->s.redir[pin] >> 32 : io->s.redir[pin];
    }
}

static void ioapic_write_reg(struct ioapic *io, uint32_t val)
{
    unsigned reg = io->s.select, pin = (reg - REG_REDIR) / 2;
    if (reg == REG_ID) {
        io->s.id = val >> 24 & 15;
        return;
    }
    if (reg < REG_REDIR || pin >= IOAPIC_PINS) {
        return;
    }
    uint64_t *e = &io->s.redir[pin];
    io->waiting &= ~BIT(pin);
    if (reg & 1) {
        *e = (*e & 0xffffffff) | (uint64_t)(val & 0xff000000) << 32;
        ioapic_tell_routes(io);
        return;
    }
    *e = (*e & ~(uint64_t)REDIR_WRITABLE) | (val & REDIR_WRITABLE);
    if (!(*e & REDIR_LEVEL)) {
        *e &= ~(uint64_t)REDIR_REMOTE_IRR; /* a turn to edge and back is how old drivers reset it */
    }
    ioapic_tell_routes(io);
    ioapic_service(io, pin);
}

static uint64_t ioapic_read(struct device *dev, uint64_t off, unsigned size)
{
    struct ioapic *io = (struct ioapic *)dev;
    (void)size;
    switch (off & 0xff) {
    case OFF_SELECT:
        return io->s.select;
    case OFF_WINDOW:
        return ioapic_read_reg(io);
    default:
        return 0;
    }
}

static void ioapic_write(struct device *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct ioapic *io = (struct ioapic *)dev;
    (void)size;
    switch (off & 0xff) {
    case OFF_SELECT:
        io->s.select = val;
        break;
    case OFF_WINDOW:
        ioapic_write_reg(io, val);
        break;
    case OFF_EOI:
        ioapic_end(io, val);
        break;
    default:
        break;
    }
}

static const struct mmio_ops ioapic_mmio = {
    .sizes = SIZE_1 | SIZE_2 | SIZE_4,
    .read = ioapic_read,
    .write = ioapic_write,
};

static void ioapic_info(struct device *dev, GString *out)
{
    static const char *const modes[8] = {"fixed", "lowest", "SMI",    "mode 3",
                                         "NMI",   "INIT",   "mode 6", "ExtINT"};
    const struct ioapic *io = (struct ioapic *)dev;

    g_string_append_printf(out, "ID %u, version %02x, IOREGSEL %02x\n", io->s.id, IOAPIC_VERSION,
                           io->s.select);
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t e = io->s.redir[pin];

        g_string_append_printf(out,
                               "pin %2u %016" G_GINT64_MODIFIER "x vector %02x %-6s %s %02x %s "
                               "active %s%s%s%s\n",
                               pin, e, (unsigned)(e & 0xff), modes[e >> 8 & 7],
                               e & REDIR_LOGICAL ? "to set" : "to CPU", (unsigned)(e >> 56),
                               e & REDIR_LEVEL ? "level" : "edge ", e & BIT(13) ? "low " : "high",
                               e & REDIR_MASKED ? " masked" : "",
                               e & REDIR_REMOTE_IRR ? " remote-IRR" : "",
                               io->s.lines & BIT(pin) ? " (high now)" : "");
    }
}

static bool ioapic_attach(struct device *dev, GError **err)
{
    struct ioapic *io = (struct ioapic *)dev;
    (void)err;
    region_init_mmio(&io->region, "ioapic", dev, &ioapic_mmio, PAGE_BYTES);
    region_add(dev->m, &io->region, IOAPIC_BASE, IOAPIC_PRIORITY);
    dev->m->apic_eoi = ioapic_eoi;
    dev->m->apic_tell = ioapic_tell;
    return true;
}

static void ioapic_reset(struct device *dev)
{
    struct ioapic *io = (struct ioapic *)dev;

    io->watched = io->waiting = 0;
    ioapic_tell_routes(io);
}

static void ioapic_loaded(struct device *dev)
{
    ioapic_tell_routes((struct ioapic *)dev);
}

const struct device_ops ioapic_ops = {
    .name = "ioapic",
    .title = "Intel 82093AA I/O APIC",
    DEVICE_STATE(struct ioapic),
    .state = ioapic_state,
    .attach = ioapic_attach,
    .reset = ioapic_reset,
    .loaded = ioapic_loaded,
    .info = ioapic_info,
};
