/*
 * A PS/2 keyboard (101/104/105 keys) and a PS/2 wheel mouse (standard, IntelliMouse, IntelliMouse
 * Explorer).
 *
 * Follows the IBM PS/2 technical reference (keyboard, mouse) and Microsoft's description of the
 * wheel mice.
 *
 * Every queue is bounded and every write into one checks for room.  Replies to commands have a
 * queue of their own that goes first and is emptied by the next command.  A key stroke goes in
 * whole or not at all; makes leave room for the breaks of the keys that are down.  The key pressed
 * last repeats, as the guest set it, while the guest reads.  Pointer motion is summed up, not
 * queued: one packet waits at a time, and they come at the sampling rate, except that a change of
 * buttons gets a packet of its own while there is room.
 *
 * A count of input_pointer is one of the mouse's at its finest resolution (3, 200 to an inch, which
 * most systems set); coarser ones take several to a count.
 *
 * Not modelled: the power-on self-test codes (the firmware finds idle devices), the overrun code (a
 * make that finds no room is dropped).
 */
#include "hw/ps2.h"
#include "hw/i8042.h"

enum { QUEUE_BYTES = 64, REPLY_BYTES = 8, BREAK_BYTES = 4, SET3_CODES = 0x90 };
enum { MOD_CTRL = 1, MOD_ALT = 2, MOD_LEFT_SHIFT = 4, MOD_RIGHT_SHIFT = 8, MOD_NUM = 16 };
enum { OVERFLOW_X = 0x40, OVERFLOW_Y = 0x80, MOTION_MAX = 32767, FINEST = 3, RATE_MIN = 10 };
enum { HID_PAUSE = 0x48 };
enum { SENT_MOST = 2 }; /* a prefix and a code */
enum { ACK = 0xfa, RESEND = 0xfe, BAT_OK = 0xaa, ECHO = 0xee };

struct queue {
    uint8_t bytes[QUEUE_BYTES];
    uint8_t reply[REPLY_BYTES];
    uint8_t head, len;
    uint8_t reply_head, reply_len;
    uint8_t last; /* sent last, for RESEND */
    uint8_t sent; /* of `bytes` since the last reply, counted to SENT_MOST */
    uint8_t hole[2];
};

struct ps2 {
    struct device dev;
    struct ps2_state {
        struct queue q[PS2_PORTS];
        struct timer repeat, sample; /* sample armed: no packet of the mouse before */
        /* keyboard */
        uint8_t down[32]; /* keys held, by HID usage */
        uint8_t kbd_command, leds, typematic, set;
        uint8_t set3_all;             /* enum ps2_key_class + 1 of all keys, 0: their own */
        uint8_t set3_key[SET3_CODES]; /* likewise of single ones */
        uint8_t repeat_key;
        uint8_t minding, minding_mods; /* the key whose codes depend on MOD_*, as it was pressed */
        bool scanning;
        /* mouse */
        uint8_t mouse_command, rate, resolution, id, knock[3], buttons, sent_buttons;
        bool streaming, remote, wrap, double_scale;
        bool ping;           /* a packet is due, whether there is motion or not */
        uint8_t overflow;    /* OVERFLOW_*: motion was lost */
        uint32_t dx, dy, dz; /* summed motion, two's complement */
        uint8_t hole[4];
    } s;
    struct device *i8042;
};

#define Q(m, ...) STATE(struct queue, m, __VA_ARGS__)
static const struct state_field queue_state[] = {
    STATE_ARRAY(struct queue, bytes),
    STATE_ARRAY(struct queue, reply),
    Q(head, .max = QUEUE_BYTES - 1),
    Q(len, .max = QUEUE_BYTES),
    Q(reply_head, .max = REPLY_BYTES - 1),
    Q(reply_len, .max = REPLY_BYTES),
    Q(last),
    Q(sent, .max = SENT_MOST),
    STATE_HOLE(struct queue, hole),
    STATE_END,
};
#define F(m, ...) STATE(struct ps2, s.m, __VA_ARGS__)
static const struct state_field ps2_state[] = {
    STATE_STRUCTS(struct ps2, s.q, queue_state),
    F(repeat),
    F(sample),
    STATE_ARRAY(struct ps2, s.down),
    F(kbd_command),
    F(leds, .max = 7),
    F(typematic, .reset = 0x2b),
    F(set, .reset = 2, .max = 3),
    F(set3_all, .max = PS2_KEY_ALL + 1),
    STATE_ARRAY(struct ps2, s.set3_key),
    F(repeat_key),
    F(minding),
    F(minding_mods, .max = 31),
    F(scanning, .reset = 1),
    F(mouse_command),
    F(rate, .reset = 100),
    F(resolution, .reset = 2, .max = 3),
    F(id, .max = 4),
    STATE_ARRAY(struct ps2, s.knock),
    F(buttons),
    F(sent_buttons),
    F(streaming),
    F(remote),
    F(wrap),
    F(double_scale),
    F(ping),
    F(overflow),
    F(dx),
    F(dy),
    F(dz),
    STATE_HOLE(struct ps2, s.hole),
    STATE_END,
};

/* ---- queues ---- */

static unsigned queue_room(const struct queue *q)
{
    return QUEUE_BYTES - q->len;
}

/* All of the bytes, or none: callers look at queue_room when they care. */
static bool queue_put(struct queue *q, const uint8_t *bytes, unsigned n)
{
    if (n > queue_room(q)) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        q->bytes[(q->head + q->len) % QUEUE_BYTES] = bytes[i];
        q->len++;
    }
    return true;
}

static void queue_reply(struct queue *q, uint8_t byte)
{
    if (q->reply_len < REPLY_BYTES) {
        q->reply[(q->reply_head + q->reply_len) % REPLY_BYTES] = byte;
        q->reply_len++;
    }
}

static void queue_clear(struct queue *q)
{
    q->len = q->reply_len = q->sent = 0;
}

static void ps2_notify(struct ps2 *p, unsigned port)
{
    if (p->i8042 && ps2_has_data(&p->dev, port)) {
        i8042_notify(p->i8042, port);
    }
}

/* A keyboard stops sending keys until it has the parameter of its command.  Firmware that sets the
 * lights depends on it: it throws away what comes in place of the acknowledgement. */
bool ps2_has_data(struct device *dev, unsigned port)
{
    const struct ps2 *p = (struct ps2 *)dev;
    const struct queue *q = &p->s.q[port & 1];

    return q->reply_len || (q->len && !(port == PS2_KEYBOARD && p->s.kbd_command));
}

/* ---- keyboard ---- */

static bool key_is_down(const struct ps2 *p, unsigned hid)
{
    return p->s.down[hid >> 3] & BIT(hid & 7);
}

/* In set 3 keys have types; in the others all repeat and tell that they are let go. */
static enum ps2_key_class key_class(const struct ps2 *p, unsigned hid)
{
    uint8_t code = ps2_key_set3(hid), own = code < SET3_CODES ? p->s.set3_key[code] : 0;

    if (p->s.set != 3) {
        return PS2_KEY_ALL;
    }
    if (own || p->s.set3_all) {
        return (enum ps2_key_class)((own ? own : p->s.set3_all) - 1);
    }
    return ps2_key_set3_class(hid);
}

static bool key_breaks(const struct ps2 *p, unsigned hid)
{
    enum ps2_key_class class = key_class(p, hid);

    return class == PS2_KEY_ALL || class == PS2_KEY_MAKE_BREAK;
}

static bool key_repeats(const struct ps2 *p, unsigned hid)
{
    enum ps2_key_class class = key_class(p, hid);

    return hid != HID_PAUSE && (class == PS2_KEY_ALL || class == PS2_KEY_TYPEMATIC);
}

static uint8_t kbd_mods(const struct ps2 *p)
{
    return (key_is_down(p, 0xe0) || key_is_down(p, 0xe4) ? MOD_CTRL : 0) |
           (key_is_down(p, 0xe2) || key_is_down(p, 0xe6) ? MOD_ALT : 0) |
           (key_is_down(p, 0xe1) ? MOD_LEFT_SHIFT : 0) |
           (key_is_down(p, 0xe5) ? MOD_RIGHT_SHIFT : 0) | (p->s.leds & INPUT_LED_NUM ? MOD_NUM : 0);
}

/*
 * The codes of a key that goes down or up.  One whose codes depend on others goes up as it went
 * down, but that shifts which are up by now are not feigned to be down.
 */
static unsigned kbd_codes(struct ps2 *p, unsigned hid, bool down, uint8_t *codes)
{
    uint8_t mods = kbd_mods(p), shifts = MOD_LEFT_SHIFT | MOD_RIGHT_SHIFT;

    if (ps2_key_minds_mods(hid)) {
        if (down) {
            p->s.minding = (uint8_t)hid;
            p->s.minding_mods = mods;
        } else if (p->s.minding == hid) {
            mods = p->s.minding_mods & (mods | ~shifts);
        }
    }
    struct ps2_mods m = {
        .ctrl = mods & MOD_CTRL,
        .alt = mods & MOD_ALT,
        .left_shift = mods & MOD_LEFT_SHIFT,
        .right_shift = mods & MOD_RIGHT_SHIFT,
        .num = mods & MOD_NUM,
    };
    return ps2_key_codes(hid, p->s.set, down, m, codes);
}

/* Room that the breaks of the keys held, and of one more, may need. */
static unsigned kbd_reserve(const struct ps2 *p)
{
    unsigned held = 0;

    for (unsigned i = 0; i < sizeof p->s.down; i++) {
        held += (unsigned)__builtin_popcount(p->s.down[i]);
    }
    return BREAK_BYTES * held + PS2_KEY_MAX_CODES;
}

/* Until the key pressed last repeats for the first time (250 ms to 1 s), and from then on (33 to
 * 500 ms). */
static int64_t kbd_repeat_delay(const struct ps2 *p)
{
    return ((p->s.typematic >> 5 & 3) + 1) * 250 * NS_PER_MS;
}

static int64_t kbd_repeat_period(const struct ps2 *p)
{
    return ((8 + (p->s.typematic & 7)) << (p->s.typematic >> 3 & 3)) * NS_PER_SEC / 240;
}

static void kbd_repeat(struct device *dev, unsigned n)
{
    struct ps2 *p = (struct ps2 *)dev;
    struct queue *q = &p->s.q[PS2_KEYBOARD];
    uint8_t codes[PS2_KEY_MAX_CODES];
    unsigned hid = p->s.repeat_key;

    (void)n;
    if (!p->s.scanning || !key_is_down(p, hid) || !key_repeats(p, hid)) {
        return;
    }
    if (!q->len) { /* else the guest does not keep up */
        queue_put(q, codes, kbd_codes(p, hid, true, codes));
        ps2_notify(p, PS2_KEYBOARD);
    }
    timer_at(&p->s.repeat, clock_now(dev->m) + kbd_repeat_period(p));
}

static void ps2_key(struct device *dev, unsigned hid, bool down)
{
    struct ps2 *p = (struct ps2 *)dev;
    struct queue *q = &p->s.q[PS2_KEYBOARD];
    uint8_t codes[PS2_KEY_MAX_CODES];
    unsigned n;

    if (hid > 0xff || down == key_is_down(p, hid)) {
        return;
    }
    n = kbd_codes(p, hid, down, codes);
    if (down && p->s.scanning && n && queue_room(q) < n + kbd_reserve(p)) {
        trace(dev, TR_STATE, "key %#x dropped: the guest does not read", hid);
        return;
    }
    if (down) {
        p->s.down[hid >> 3] |= BIT(hid & 7);
        p->s.repeat_key = (uint8_t)hid;
        timer_at(&p->s.repeat, clock_now(dev->m) + kbd_repeat_delay(p));
    } else {
        p->s.down[hid >> 3] &= ~BIT(hid & 7);
        if (p->s.repeat_key == hid) {
            timer_stop(&p->s.repeat);
        }
    }
    if (!n || !p->s.scanning || (!down && !key_breaks(p, hid))) {
        return;
    }
    queue_put(q, codes, n);
    ps2_notify(p, PS2_KEYBOARD);
}

static unsigned ps2_keys_queued(struct device *dev)
{
    return ((struct ps2 *)dev)->s.q[PS2_KEYBOARD].len;
}

static unsigned ps2_leds(struct device *dev)
{
    return ((struct ps2 *)dev)->s.leds; /* INPUT_LED_* are the keyboard's bits */
}

static void kbd_defaults(struct ps2 *p)
{
    p->s.q[PS2_KEYBOARD].len = 0;
    p->s.typematic = 0x2b;
    p->s.set = 2;
    p->s.set3_all = 0;
    memset(p->s.set3_key, 0, sizeof p->s.set3_key);
    p->s.kbd_command = 0;
}

/* The parameter of the command before.  False: it is a new command after all. */
static bool kbd_parameter(struct ps2 *p, uint8_t val)
{
    static const uint8_t classes[] = {PS2_KEY_TYPEMATIC, PS2_KEY_MAKE_BREAK, PS2_KEY_MAKE_ONLY};
    struct queue *q = &p->s.q[PS2_KEYBOARD];
    uint8_t command = p->s.kbd_command;

    p->s.kbd_command = 0;
    if (!command || (val & 0x80 && command < 0xfb)) {
        return false;
    }
    queue_reply(q, ACK);
    switch (command) {
    case 0xed:
        p->s.leds = val & 7;
        trace(p, TR_STATE, "LEDs %u", p->s.leds);
        break;
    case 0xf0:
        if (val == 0) {
            queue_reply(q, p->s.set);
        } else if (val <= 3) {
            p->s.set = val;
            trace(p, TR_STATE, "scan code set %u", p->s.set);
        }
        break;
    case 0xf3:
        p->s.typematic = val & 0x7f;
        break;
    default: /* 0xfb-0xfd: a list of keys that ends with a command */
        p->s.kbd_command = command;
        if (val < SET3_CODES) {
            p->s.set3_key[val] = classes[command - 0xfb] + 1;
        }
        break;
    }
    return true;
}

static void kbd_write(struct ps2 *p, uint8_t val)
{
    static const uint8_t all_classes[] = {PS2_KEY_TYPEMATIC, PS2_KEY_MAKE_BREAK, PS2_KEY_MAKE_ONLY,
                                          PS2_KEY_ALL};
    struct queue *q = &p->s.q[PS2_KEYBOARD];

    q->reply_len = q->sent = 0;
    if ((p->s.kbd_command < 0xfb || val < 0xed) && kbd_parameter(p, val)) {
        return;
    }
    p->s.kbd_command = 0;
    switch (val) {
    case 0xee:
        queue_reply(q, ECHO);
        return;
    case RESEND:
        queue_reply(q, q->last);
        return;
    case 0xed:
    case 0xf0:
    case 0xf3:
    case 0xfb ... 0xfd:
        queue_reply(q, ACK);
        p->s.kbd_command = val;
        return;
    case 0xf2:
        queue_reply(q, ACK);
        queue_reply(q, 0xab);
        queue_reply(q, 0x83);
        return;
    case 0xf4:
        q->len = 0;
        p->s.scanning = true;
        break;
    case 0xf5:
        kbd_defaults(p);
        p->s.scanning = false;
        break;
    case 0xf6:
        kbd_defaults(p);
        p->s.scanning = true;
        break;
    case 0xf7 ... 0xfa:
        p->s.set3_all = all_classes[val - 0xf7] + 1;
        memset(p->s.set3_key, 0, sizeof p->s.set3_key);
        break;
    case 0xff:
        kbd_defaults(p);
        p->s.scanning = true;
        p->s.leds = 0;
        queue_reply(q, ACK);
        queue_reply(q, BAT_OK);
        return;
    default:
        queue_reply(q, RESEND);
        return;
    }
    queue_reply(q, ACK);
}

/* ---- mouse ---- */

/* 2:1 scaling: small movements smaller, large ones doubled. */
static int mouse_scale(const struct ps2 *p, int v)
{
    static const uint8_t small[6] = {0, 1, 1, 3, 6, 9};
    int size = ABS(v);
    if (!p->s.double_scale || p->s.remote) {
        return v;
    }
    size = size < 6 ? small[size] : 2 * size;
    return v < 0 ? -size : size;
}

/* How many counts of input_pointer are one of the mouse's. */
static int mouse_unit(const struct ps2 *p)
{
    return 1 << (FINEST - p->s.resolution);
}

static bool mouse_moved(const struct ps2 *p)
{
    int unit = mouse_unit(p);

    return p->s.ping || (int32_t)p->s.dx / unit || (int32_t)p->s.dy / unit ||
           (p->s.dz && p->s.id) || p->s.buttons != p->s.sent_buttons;
}

/* Take up to 255 counts (127 before doubling) from a sum. */
static int mouse_take(const struct ps2 *p, uint32_t *sum)
{
    int limit = p->s.double_scale ? 127 : 255, unit = mouse_unit(p);
    int v = CLAMP((int32_t)*sum / unit, -limit, limit);
    *sum -= (uint32_t)(v * unit);
    return mouse_scale(p, v);
}

static unsigned mouse_packet(struct ps2 *p, uint8_t *out)
{
    int dx = mouse_take(p, &p->s.dx), dy = mouse_take(p, &p->s.dy);
    int dz = CLAMP((int32_t)p->s.dz, -8, 7);

    p->s.dz -= (uint32_t)dz;
    p->s.sent_buttons = p->s.buttons;
    p->s.ping = false;
    out[0] = 8 | (p->s.buttons & 7) | (dx < 0) << 4 | (dy < 0) << 5 | p->s.overflow;
    p->s.overflow = 0;
    out[1] = dx;
    out[2] = dy;
    if (!p->s.id) {
        p->s.dz = 0;
        return 3;
    }
    out[3] = p->s.id == 4 ? (dz & 15) | (p->s.buttons >> 3 & 3) << 4 : dz;
    return 4;
}

/* Whether packets go out by themselves. */
static bool mouse_streams(const struct ps2 *p)
{
    return p->s.streaming && !p->s.remote && !p->s.wrap;
}

/* Make packets of what has been summed up: when none waits and it is time, or for a click while
 * there is room.  Not while a parameter is due, as with keys. */
static void mouse_stream(struct ps2 *p)
{
    struct queue *q = &p->s.q[PS2_MOUSE];
    uint8_t packet[4];
    bool click = p->s.buttons != p->s.sent_buttons;

    if (!mouse_streams(p) || p->s.mouse_command || !mouse_moved(p)) {
        return;
    }
    if ((q->len || p->s.sample.armed) && !(click && queue_room(q) >= sizeof packet)) {
        return;
    }
    timer_at(&p->s.sample, clock_now(p->dev.m) + NS_PER_SEC / MAX(p->s.rate, RATE_MIN));
    queue_put(q, packet, mouse_packet(p, packet));
    ps2_notify(p, PS2_MOUSE);
}

void ps2_mouse_ping(struct device *dev)
{
    struct ps2 *p = (struct ps2 *)dev;

    if (mouse_streams(p)) {
        p->s.ping = true;
        mouse_stream(p);
    }
}

static void mouse_sample_due(struct device *dev, unsigned n)
{
    (void)n;
    mouse_stream((struct ps2 *)dev);
}

/* False: there was more than the sum holds. */
static bool mouse_add(uint32_t *sum, int v)
{
    int64_t total = (int64_t)(int32_t)*sum + v;
    *sum = (uint32_t)(int32_t)CLAMP(total, -MOTION_MAX, MOTION_MAX);
    return ABS(total) <= MOTION_MAX;
}

static void ps2_pointer(struct device *dev, int dx, int dy, int wheel, unsigned buttons)
{
    struct ps2 *p = (struct ps2 *)dev;
    /* On the wire up is positive and turning the wheel towards the user is positive. */
    p->s.overflow |= mouse_add(&p->s.dx, dx) ? 0 : OVERFLOW_X;
    p->s.overflow |= mouse_add(&p->s.dy, -CLAMP(dy, -MOTION_MAX, MOTION_MAX)) ? 0 : OVERFLOW_Y;
    mouse_add(&p->s.dz, -CLAMP(wheel, -MOTION_MAX, MOTION_MAX));
    p->s.buttons = buttons & 31;
    mouse_stream(p);
}

static void ps2_release(struct device *dev)
{
    struct ps2 *p = (struct ps2 *)dev;

    for (unsigned hid = 0; hid < 8 * sizeof p->s.down; hid++) {
        if (key_is_down(p, hid)) {
            ps2_key(dev, hid, false);
        }
    }
    if (p->s.buttons) {
        ps2_pointer(dev, 0, 0, 0, 0);
    }
}

static void mouse_defaults(struct ps2 *p)
{
    p->s.rate = 100;
    p->s.resolution = 2;
    p->s.streaming = p->s.remote = p->s.double_scale = p->s.wrap = false;
    p->s.dx = p->s.dy = p->s.dz = 0;
    p->s.ping = false;
    p->s.overflow = 0;
}

/* The rates 200, 100, 80 turn a mouse into an IntelliMouse, then 200, 200, 80 into an Explorer. */
static void mouse_set_rate(struct ps2 *p, uint8_t rate)
{
    uint8_t *k = p->s.knock;
    p->s.rate = rate;
    k[0] = k[1];
    k[1] = k[2];
    k[2] = rate;
    if (k[0] == 200 && k[1] == 100 && k[2] == 80) {
        p->s.id = MAX(p->s.id, 3);
    } else if (k[0] == 200 && k[1] == 200 && k[2] == 80 && p->s.id >= 3) {
        p->s.id = 4;
    }
}

static void mouse_status(struct ps2 *p)
{
    struct queue *q = &p->s.q[PS2_MOUSE];
    uint8_t b = p->s.buttons;
    queue_reply(q, p->s.remote << 6 | p->s.streaming << 5 | p->s.double_scale << 4 | (b & 1) << 2 |
                       (b & 4) >> 1 | (b & 2) >> 1);
    queue_reply(q, p->s.resolution);
    queue_reply(q, p->s.rate);
}

static void mouse_command(struct ps2 *p, uint8_t val)
{
    struct queue *q = &p->s.q[PS2_MOUSE];
    uint8_t packet[4];

    queue_reply(q, ACK);
    switch (val) {
    case 0xe6:
    case 0xe7:
        p->s.double_scale = val & 1;
        break;
    case 0xe8:
    case 0xf3:
        p->s.mouse_command = val;
        break;
    case 0xe9:
        mouse_status(p);
        break;
    case 0xea:
        p->s.remote = false;
        break;
    case 0xeb:
        for (unsigned i = 0, n = mouse_packet(p, packet); i < n; i++) {
            queue_reply(q, packet[i]);
        }
        break;
    case 0xec:
        p->s.wrap = false;
        break;
    case 0xee:
        p->s.wrap = true;
        break;
    case 0xf0:
        p->s.remote = true;
        break;
    case 0xf2:
        queue_reply(q, p->s.id);
        break;
    case 0xf4:
        p->s.streaming = true;
        p->s.dx = p->s.dy = p->s.dz = 0;
        p->s.sent_buttons = p->s.buttons;
        break;
    case 0xf5:
        p->s.streaming = false;
        break;
    case 0xf6:
        mouse_defaults(p);
        break;
    case 0xff:
        mouse_defaults(p);
        p->s.id = 0;
        memset(p->s.knock, 0, sizeof p->s.knock);
        queue_reply(q, BAT_OK);
        queue_reply(q, 0x00);
        break;
    default:
        q->reply_len = 0;
        queue_reply(q, RESEND);
        break;
    }
}

static void mouse_write(struct ps2 *p, uint8_t val)
{
    struct queue *q = &p->s.q[PS2_MOUSE];
    uint8_t command = p->s.mouse_command;

    if (val == RESEND) {
        q->reply_len = 0;
        queue_reply(q, q->last);
        return;
    }
    queue_clear(q); /* what was about to be sent is out of date */
    p->s.mouse_command = 0;
    if (p->s.wrap && val != 0xec && val != 0xff) {
        queue_reply(q, val);
    } else if (command == 0xf3) {
        mouse_set_rate(p, val);
        queue_reply(q, ACK);
    } else if (command == 0xe8) {
        p->s.resolution = val & 3;
        queue_reply(q, ACK);
    } else {
        mouse_command(p, val);
    }
}

/* ---- the wire to the 8042 ---- */

void ps2_write(struct device *dev, unsigned port, uint8_t value)
{
    struct ps2 *p = (struct ps2 *)dev;
    trace(dev, TR_IO, "%s command %#x", port == PS2_KEYBOARD ? "keyboard" : "mouse", value);
    if (port == PS2_KEYBOARD) {
        kbd_write(p, value);
    } else {
        mouse_write(p, value);
    }
    ps2_notify(p, port);
}

uint8_t ps2_take(struct device *dev, unsigned port)
{
    struct ps2 *p = (struct ps2 *)dev;
    struct queue *q = &p->s.q[port & 1];
    uint8_t v;

    if (q->reply_len) {
        v = q->reply[q->reply_head];
        q->reply_head = (q->reply_head + 1) % REPLY_BYTES;
        q->reply_len--;
        q->sent = 0;
    } else if (q->len) {
        v = q->bytes[q->head];
        q->head = (q->head + 1) % QUEUE_BYTES;
        q->len--;
        q->sent = MIN(q->sent + 1, SENT_MOST);
    } else {
        return 0;
    }
    if (v != RESEND) {
        q->last = v;
    }
    if (port == PS2_MOUSE && !q->len && !q->reply_len) {
        mouse_stream(p);
    }
    return v;
}

bool ps2_take_back(struct device *dev, unsigned port, unsigned n)
{
    struct queue *q = &((struct ps2 *)dev)->s.q[port & 1];

    /* What was sent still stands before the head: it has been overwritten only if there is no room.
     */
    if (n > q->sent || n > queue_room(q)) {
        return false;
    }
    q->head = (q->head + QUEUE_BYTES - n) % QUEUE_BYTES;
    q->len += n;
    q->sent = 0;
    return true;
}

void ps2_set_controller(struct device *dev, struct device *i8042)
{
    ((struct ps2 *)dev)->i8042 = i8042;
}

static const struct input_ops ps2_input = {
    .key = ps2_key,
    .pointer = ps2_pointer,
    .keys_queued = ps2_keys_queued,
    .leds = ps2_leds,
    .release = ps2_release,
};

static bool ps2_attach(struct device *dev, GError **err)
{
    struct ps2 *p = (struct ps2 *)dev;

    (void)err;
    timer_init(&p->s.repeat, dev, kbd_repeat, 0);
    timer_init(&p->s.sample, dev, mouse_sample_due, 0);
    dev->m->input = &ps2_input;
    dev->m->input_dev = dev;
    return true;
}

const struct device_ops ps2_ops = {
    .name = "ps2",
    .title = "PS/2 keyboard and wheel mouse",
    DEVICE_STATE(struct ps2),
    .state = ps2_state,
    .attach = ps2_attach,
};
