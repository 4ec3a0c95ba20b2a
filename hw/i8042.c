/*
 * The 8042 keyboard controller of a PC/AT with an auxiliary (mouse) port.
 *
 * Follows the IBM Personal System/2 technical reference (keyboard and auxiliary device controller)
 * and the 8042 sections of the AT technical reference.  The output buffer holds one byte.  Bytes
 * from the devices come after a short delay, so that a byte is visible only after the one before
 * was read; the controller's own replies come at once.  Nothing is queued here but one reply: what
 * a device wants to send stays in the device.
 *
 * Not modelled: the password commands, the controller's ROM (port 1/2 bits, manufacturing mode),
 * active multiplexing (four AUX ports), input buffer full (commands are taken at once), parity and
 * time-out errors.
 */
#include "hw/i8042.h"
#include "hw/port92.h"
#include "hw/ps2.h"

/* Time between two bytes from a device; a real cable takes a millisecond. */
#define BYTE_NS (50 * NS_PER_US)

enum { PORTS = 2, KBD = 0, AUX = 1 };

enum { ST_OBF = 0x01, ST_SYS = 0x04, ST_CMD = 0x08, ST_UNLOCKED = 0x10, ST_AUX = 0x20 };
enum {
    CTR_KBD_INT = 0x01,
    CTR_AUX_INT = 0x02,
    CTR_SYS = 0x04,
    CTR_KBD_OFF = 0x10,
    CTR_AUX_OFF = 0x20,
    CTR_TRANSLATE = 0x40,
};
enum { OUT_NO_RESET = 0x01, OUT_A20 = 0x02, OUT_KBD_FULL = 0x10, OUT_AUX_FULL = 0x20 };

/* Commands; those with a parameter keep it pending in `command`. */
enum {
    CMD_READ_RAM = 0x20,
    CMD_READ_RAM_END = 0x3f,
    CMD_WRITE_RAM = 0x60,
    CMD_WRITE_RAM_END = 0x7f,
    CMD_PASSWORD_TEST = 0xa4,
    CMD_AUX_DISABLE = 0xa7,
    CMD_AUX_ENABLE = 0xa8,
    CMD_AUX_TEST = 0xa9,
    CMD_SELF_TEST = 0xaa,
    CMD_KBD_TEST = 0xab,
    CMD_KBD_DISABLE = 0xad,
    CMD_KBD_ENABLE = 0xae,
    CMD_READ_INPUT = 0xc0,
    CMD_READ_OUTPUT = 0xd0,
    CMD_WRITE_OUTPUT = 0xd1,
    CMD_WRITE_KBD_BUFFER = 0xd2,
    CMD_WRITE_AUX_BUFFER = 0xd3,
    CMD_WRITE_AUX = 0xd4,
    CMD_A20_OFF = 0xdd,
    CMD_A20_ON = 0xdf,
    CMD_READ_TEST = 0xe0,
    CMD_PULSE = 0xf0,
};

struct i8042 {
    struct device dev;
    struct i8042_state {
        struct timer delay; /* until the next byte from a device may come */
        struct line irq[PORTS];
        uint8_t ram[32]; /* [0]: the command byte */
        uint8_t command; /* waiting for its parameter, or 0 */
        uint8_t data;    /* output buffer */
        uint8_t output;  /* output port */
        uint8_t reply;   /* of the controller, for when the buffer is free */
        bool full, from_aux, reply_full, reply_aux;
        bool last_was_command;
        bool break_prefix; /* translation swallowed 0xf0 */
        uint8_t taken;     /* bytes of the keyboard's in the output buffer, with that prefix */
        uint8_t hole[5];
    } s;
    struct device *ps2;
};

#define F(m, ...) STATE(struct i8042, s.m, __VA_ARGS__)
static const struct state_field i8042_state[] = {
    F(delay),
    STATE_ARRAY(struct i8042, s.irq),
    STATE_ARRAY(struct i8042, s.ram),
    F(command),
    F(data),
    F(output, .reset = 0xcf), /* no reset, A20 open, lines idle */
    F(reply),
    F(full),
    F(from_aux),
    F(reply_full),
    F(reply_aux),
    F(last_was_command),
    F(break_prefix),
    F(taken, .max = 2),
    STATE_HOLE(struct i8042, s.hole),
    STATE_END,
};

static void i8042_update_irq(struct i8042 *k)
{
    uint8_t ctr = k->s.ram[0];
    line_set(&k->s.irq[KBD], k->s.full && !k->s.from_aux && (ctr & CTR_KBD_INT));
    line_set(&k->s.irq[AUX], k->s.full && k->s.from_aux && (ctr & CTR_AUX_INT));
}

static void i8042_fill(struct i8042 *k, uint8_t data, bool aux)
{
    k->s.data = data;
    k->s.from_aux = aux;
    k->s.full = true;
    i8042_update_irq(k);
}

static bool i8042_port_ready(struct i8042 *k, unsigned port)
{
    uint8_t off = port == KBD ? CTR_KBD_OFF : CTR_AUX_OFF;
    return k->ps2 && !(k->s.ram[0] & off) && ps2_has_data(k->ps2, port);
}

/* A byte from the keyboard, translated to set 1 when asked.  False: it was a prefix and is
 * swallowed. */
static bool i8042_translate(struct i8042 *k, uint8_t *data)
{
    if (!(k->s.ram[0] & CTR_TRANSLATE)) {
        k->s.break_prefix = false;
        return true;
    }
    if (*data == 0xf0) {
        k->s.break_prefix = true;
        return false;
    }
    *data = ps2_translate(*data);
    if (k->s.break_prefix) {
        k->s.break_prefix = false;
        *data |= 0x80;
    }
    return true;
}

/* Fill the output buffer if it is free and somebody has a byte. */
static void i8042_pump(struct i8042 *k)
{
    while (!k->s.full) {
        if (k->s.reply_full) {
            k->s.reply_full = false;
            i8042_fill(k, k->s.reply, k->s.reply_aux);
            return;
        }
        if (k->s.delay.armed) {
            return;
        }
        if (i8042_port_ready(k, KBD)) {
            uint8_t data = ps2_take(k->ps2, KBD);
            k->s.taken++;
            if (i8042_translate(k, &data)) {
                i8042_fill(k, data, false);
            }
        } else if (i8042_port_ready(k, AUX)) {
            i8042_fill(k, ps2_take(k->ps2, AUX), true);
        } else {
            return;
        }
    }
}

/* Look for the devices' bytes after the time a byte takes. */
static void i8042_schedule(struct i8042 *k)
{
    if (!k->s.full && !k->s.delay.armed && (i8042_port_ready(k, KBD) || i8042_port_ready(k, AUX))) {
        timer_at(&k->s.delay, clock_now(k->dev.m) + BYTE_NS);
    }
}

static void i8042_delay_over(struct device *dev, unsigned n)
{
    (void)n;
    i8042_pump((struct i8042 *)dev);
}

void i8042_notify(struct device *dev, unsigned port)
{
    (void)port;
    i8042_schedule((struct i8042 *)dev);
}

/* The controller answers; a newer answer replaces one not yet taken, as in the chip. */
static void i8042_reply(struct i8042 *k, uint8_t data, bool aux)
{
    k->s.reply = data;
    k->s.reply_aux = aux;
    k->s.reply_full = true;
    i8042_pump(k);
}

static void i8042_write_ctr(struct i8042 *k, uint8_t ctr)
{
    k->s.ram[0] = ctr;
    i8042_update_irq(k);
    i8042_schedule(k);
}

static void i8042_write_output(struct i8042 *k, uint8_t val)
{
    k->s.output = val;
    port92_update_a20(k->dev.m);
    if (!(val & OUT_NO_RESET)) {
        trace(k, TR_STATE, "reset by the output port");
        machine_request_reset(k->dev.m);
    }
}

static uint8_t i8042_output_port(const struct i8042 *k)
{
    uint8_t v = k->s.output & ~(OUT_KBD_FULL | OUT_AUX_FULL);
    if (k->s.full) {
        v |= k->s.from_aux ? OUT_AUX_FULL : OUT_KBD_FULL;
    }
    return v;
}

bool i8042_a20(struct device *dev)
{
    return ((struct i8042 *)dev)->s.output & OUT_A20;
}

static void i8042_command(struct i8042 *k, uint8_t cmd)
{
    uint8_t ctr = k->s.ram[0];

    k->s.command = 0;
    switch (cmd) {
    case CMD_READ_RAM ... CMD_READ_RAM_END:
        i8042_reply(k, k->s.ram[cmd & 31], false);
        break;
    case CMD_WRITE_RAM ... CMD_WRITE_RAM_END:
    case CMD_WRITE_OUTPUT:
    case CMD_WRITE_KBD_BUFFER:
    case CMD_WRITE_AUX_BUFFER:
    case CMD_WRITE_AUX:
        k->s.command = cmd;
        break;
    case CMD_PASSWORD_TEST:
        i8042_reply(k, 0xf1, false); /* none is set */
        break;
    case CMD_AUX_DISABLE:
        i8042_write_ctr(k, ctr | CTR_AUX_OFF);
        break;
    case CMD_AUX_ENABLE:
        i8042_write_ctr(k, ctr & ~CTR_AUX_OFF);
        break;
    case CMD_KBD_DISABLE:
        i8042_write_ctr(k, ctr | CTR_KBD_OFF);
        break;
    case CMD_KBD_ENABLE:
        i8042_write_ctr(k, ctr & ~CTR_KBD_OFF);
        break;
    case CMD_SELF_TEST:
        k->s.ram[0] |= CTR_SYS;
        i8042_reply(k, 0x55, false);
        break;
    case CMD_AUX_TEST:
    case CMD_KBD_TEST:
        i8042_reply(k, 0x00, false); /* no fault found */
        break;
    case CMD_READ_INPUT:
        i8042_reply(k, 0x80, false); /* not locked */
        break;
    case CMD_READ_OUTPUT:
        i8042_reply(k, i8042_output_port(k), false);
        break;
    case CMD_READ_TEST:
        i8042_reply(k, 0x00, false);
        break;
    case CMD_A20_OFF:
        i8042_write_output(k, k->s.output & ~OUT_A20);
        break;
    case CMD_A20_ON:
        i8042_write_output(k, k->s.output | OUT_A20);
        break;
    case CMD_PULSE ... 0xff: /* the output lines whose bit is clear go low for 6 us */
        if (!(cmd & OUT_NO_RESET)) {
            trace(k, TR_STATE, "reset by command %#x", cmd);
            machine_request_reset(k->dev.m);
        }
        break;
    default:
        guest_error(&k->dev, "unknown command %#x", cmd);
        break;
    }
}

/*
 * A command to the keyboard cuts off the code that it is sending, which comes again after the
 * reply. Here a byte is in the buffer sooner than on the wire, so one that nobody was told of by an
 * interrupt still counts as being sent: firmware sets the lights without interrupts and throws away
 * what comes before the acknowledgement.
 */
static void i8042_cut_off(struct i8042 *k)
{
    if (k->s.taken && !(k->s.ram[0] & CTR_KBD_INT) && ps2_take_back(k->ps2, KBD, k->s.taken)) {
        k->s.full = false;
        k->s.taken = 0;
    }
}

/* A byte for a device re-enables its interface: the controller needs the clock to send. */
static void i8042_send(struct i8042 *k, unsigned port, uint8_t val)
{
    if (port == KBD) {
        i8042_cut_off(k);
    }
    k->s.ram[0] &= ~(port == KBD ? CTR_KBD_OFF : CTR_AUX_OFF);
    if (k->ps2) {
        ps2_write(k->ps2, port, val);
    }
    i8042_schedule(k);
}

static void i8042_write_data(struct i8042 *k, uint8_t val)
{
    uint8_t cmd = k->s.command;

    k->s.command = 0;
    switch (cmd) {
    case 0:
        i8042_send(k, KBD, val);
        break;
    case CMD_WRITE_RAM:
        i8042_write_ctr(k, val);
        break;
    case CMD_WRITE_OUTPUT:
        i8042_write_output(k, val);
        break;
    case CMD_WRITE_KBD_BUFFER:
        i8042_reply(k, val, false);
        break;
    case CMD_WRITE_AUX_BUFFER:
        i8042_reply(k, val, true);
        break;
    case CMD_WRITE_AUX:
        i8042_send(k, AUX, val);
        break;
    default: /* the rest of the RAM */
        k->s.ram[cmd & 31] = val;
        break;
    }
}

static uint8_t i8042_read_data(struct i8042 *k)
{
    uint8_t data = k->s.data;
    if (k->s.full) {
        k->s.full = false;
        k->s.taken = 0;
        i8042_update_irq(k);
        if (k->s.reply_full) {
            i8042_pump(k);
        } else {
            i8042_schedule(k);
        }
    }
    return data;
}

static uint8_t i8042_status(const struct i8042 *k)
{
    uint8_t v = ST_UNLOCKED;
    v |= k->s.full ? ST_OBF : 0;
    v |= k->s.full && k->s.from_aux ? ST_AUX : 0;
    v |= k->s.ram[0] & CTR_SYS ? ST_SYS : 0;
    v |= k->s.last_was_command ? ST_CMD : 0;
    return v;
}

static uint32_t i8042_read(struct device *dev, unsigned off, unsigned size)
{
    struct i8042 *k = (struct i8042 *)dev;
    (void)size;
    (void)off;
    return i8042_read_data(k);
}

static void i8042_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct i8042 *k = (struct i8042 *)dev;
    (void)size;
    (void)off;
    k->s.last_was_command = false;
    i8042_write_data(k, val);
}

static uint32_t i8042_read_status(struct device *dev, unsigned off, unsigned size)
{
    (void)off;
    (void)size;
    return i8042_status((struct i8042 *)dev);
}

static void i8042_write_command(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct i8042 *k = (struct i8042 *)dev;
    (void)off;
    (void)size;
    k->s.last_was_command = true;
    i8042_command(k, val);
}

struct line *i8042_irq(struct device *dev, unsigned port)
{
    return &((struct i8042 *)dev)->s.irq[port == KBD ? KBD : AUX];
}

void i8042_connect(struct device *dev, struct device *ps2)
{
    ((struct i8042 *)dev)->ps2 = ps2;
    ps2_set_controller(ps2, dev);
}

static bool i8042_attach(struct device *dev, GError **err)
{
    (void)err;
    timer_init(&((struct i8042 *)dev)->s.delay, dev, i8042_delay_over, 0);
    return true;
}

/* As after the power-on self-test of a PC: translation on, interrupts off. */
static void i8042_reset(struct device *dev)
{
    struct i8042 *k = (struct i8042 *)dev;
    k->s.ram[0] = CTR_TRANSLATE;
    port92_update_a20(dev->m);
}

static const struct port_range i8042_ports[] = {
    {.first = 0x60, .count = 1, .sizes = SIZE_1, .read = i8042_read, .write = i8042_write},
    {.first = 0x64,
     .count = 1,
     .sizes = SIZE_1,
     .read = i8042_read_status,
     .write = i8042_write_command},
    {.count = 0},
};

const struct device_ops i8042_ops = {
    .name = "i8042",
    .title = "8042 keyboard controller",
    DEVICE_STATE(struct i8042),
    .state = i8042_state,
    .ports = i8042_ports,
    .attach = i8042_attach,
    .reset = i8042_reset,
};
