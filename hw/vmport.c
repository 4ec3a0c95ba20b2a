/*
 * The VMware backdoor port, with the absolute pointer behind it.
 *
 * Follows what free drivers do with it: Linux's drivers/input/mouse/vmmouse.c and
 * arch/x86/kernel/cpu/vmware.c, X.org's xf86-input-vmmouse, VBADOS.  The guest reads port 0x5658
 * with a magic number in EAX and a command in CX; the answer comes in the general registers.  (Who
 * reads it without the magic number, gets what an unclaimed port gives.)
 *
 * A guest that asked for absolute places fetches packets of four words: flags and buttons, X, Y,
 * wheel.  It is told by a packet without motion from the PS/2 mouse.  Motion that has not been
 * fetched is brought up to date in its packet and never queued; presses and releases keep their
 * order and places, as far as there is room.
 *
 * Not modelled: the other commands (folders, clipboard, messages: port 0x5659 too), access from
 * CPL 3 whatever IOPL says, restricting it (command 86 is ignored).
 */
#include "hw/vmport.h"
#include "hw/lapic.h"
#include "hw/ps2.h"

#define VMPORT_MAGIC 0x564d5868u /* "VMXh" */
#define VMMOUSE_ID   0x3442554au
#define VMPORT_NONE  0xffffffffu

enum {
    CMD_GETVERSION = 10,
    CMD_GETHWVERSION = 17,
    CMD_GETMEMSIZE = 20,
    CMD_GETTIME = 23,
    CMD_ABSPOINTER_DATA = 39,
    CMD_ABSPOINTER_STATUS = 40,
    CMD_ABSPOINTER_COMMAND = 41,
    CMD_GETHZ = 45,
    CMD_GETTIMEFULL = 46,
    CMD_GETVCPU_INFO = 68,
};
enum { VERSION = 6, PRODUCT_WORKSTATION = 4, HW_VERSION = 7, VCPU_X2APIC = BIT(3) };
enum {
    POINTER_ENABLE = 0x45414552,
    POINTER_DISABLE = 0xf5,
    POINTER_RELATIVE = 0x4c455252,
    POINTER_ABSOLUTE = 0x53424152,
};
enum { FLAG_LEFT = 0x20, FLAG_RIGHT = 0x10, FLAG_MIDDLE = 0x08, FLAG_RELATIVE = 0x10000 };
#define STATUS_ERROR 0xffff0000u

enum { PACKETS = 16, WORDS = 4, MOTION_MAX = 0x7fff, WHEEL_MAX = 127 };

struct packet {
    uint32_t word[WORDS]; /* flags, X, Y, wheel */
    bool click;           /* its buttons are other than the packet's before */
    uint8_t hole[3];
};

struct vmport {
    struct device dev;
    struct vmport_state {
        struct packet q[PACKETS];
        uint8_t head, len;
        uint8_t taken; /* words of the head that the guest has */
        bool enabled, absolute;
        bool id_due;     /* the identifier stands in front of the packets */
        uint8_t buttons; /* INPUT_BUTTON_*, of the last packet */
        uint8_t hole;
    } s;
    struct device *ps2;
};

static const struct state_field packet_state[] = {
    STATE_ARRAY(struct packet, word),
    STATE(struct packet, click),
    STATE_HOLE(struct packet, hole),
    STATE_END,
};
#define F(m, ...) STATE(struct vmport, s.m, __VA_ARGS__)
static const struct state_field vmport_state[] = {
    STATE_STRUCTS(struct vmport, s.q, packet_state),
    F(head, .max = PACKETS - 1),
    F(len, .max = PACKETS),
    F(taken, .max = WORDS - 1),
    F(enabled),
    F(absolute),
    F(id_due),
    F(buttons, .max = 31),
    STATE_HOLE(struct vmport, s.hole),
    STATE_END,
};

/* The queue ------------------------------------------------------------------------------------ */

static struct packet *vmport_last(struct vmport *p)
{
    return &p->s.q[(p->s.head + p->s.len - 1) % PACKETS];
}

static void vmport_clear(struct vmport *p)
{
    p->s.len = p->s.taken = 0;
    p->s.id_due = false;
}

static unsigned vmport_words(const struct vmport *p)
{
    return p->s.id_due + WORDS * p->s.len - (p->s.len ? p->s.taken : 0);
}

static uint32_t vmport_take(struct vmport *p)
{
    uint32_t word;

    if (p->s.id_due) {
        p->s.id_due = false;
        return VMMOUSE_ID;
    }
    word = p->s.q[p->s.head].word[p->s.taken];
    p->s.taken = (p->s.taken + 1) % WORDS;
    if (!p->s.taken) {
        p->s.head = (p->s.head + 1) % PACKETS;
        p->s.len--;
    }
    return word;
}

static uint32_t vmport_flags(unsigned buttons)
{
    return (buttons & INPUT_BUTTON_LEFT ? FLAG_LEFT : 0u) |
           (buttons & INPUT_BUTTON_RIGHT ? FLAG_RIGHT : 0u) |
           (buttons & INPUT_BUTTON_MIDDLE ? FLAG_MIDDLE : 0u);
}

static uint32_t add_clamped(uint32_t sum, int v, int limit)
{
    return (uint32_t)CLAMP((int64_t)(int32_t)sum + v, -limit, limit);
}

/*
 * The packet for what just happened: the last one, where that waits whole and says nothing that
 * must be seen by itself, or a new one.  When there is no room for that, the last is given away: it
 * is more out of date than what comes.
 */
static struct packet *vmport_packet(struct vmport *p, uint32_t flags, unsigned buttons)
{
    bool click = buttons != p->s.buttons;
    struct packet *last = p->s.len ? vmport_last(p) : NULL;
    bool whole = last && !(p->s.len == 1 && p->s.taken);

    p->s.buttons = (uint8_t)buttons;
    if (whole && !click && !last->click && !((last->word[0] ^ flags) & FLAG_RELATIVE)) {
        return last;
    }
    if (p->s.len < PACKETS) {
        p->s.len++;
        last = vmport_last(p);
    } else {
        trace(p, TR_STATE, "packet lost: the guest does not read");
    }
    *last = (struct packet){.word = {flags | vmport_flags(buttons)}, .click = click};
    return last;
}

/* Input ---------------------------------------------------------------------------------------- */

static bool vmport_is_on(struct device *dev)
{
    return ((struct vmport *)dev)->s.absolute;
}

static void vmport_tell(struct vmport *p)
{
    if (p->ps2) {
        ps2_mouse_ping(p->ps2);
    }
}

static void vmport_move(struct device *dev, unsigned x, unsigned y, int wheel, unsigned buttons)
{
    struct vmport *p = (struct vmport *)dev;
    struct packet *k = vmport_packet(p, 0, buttons & 31);

    k->word[1] = x;
    k->word[2] = y;
    k->word[3] = add_clamped(k->word[3], -CLAMP(wheel, -WHEEL_MAX, WHEEL_MAX), WHEEL_MAX);
    vmport_tell(p);
}

static void vmport_motion(struct device *dev, int dx, int dy, int wheel, unsigned buttons)
{
    struct vmport *p = (struct vmport *)dev;
    struct packet *k = vmport_packet(p, FLAG_RELATIVE, buttons & 31);

    k->word[1] = add_clamped(k->word[1], CLAMP(dx, -MOTION_MAX, MOTION_MAX), MOTION_MAX);
    k->word[2] = add_clamped(k->word[2], -CLAMP(dy, -MOTION_MAX, MOTION_MAX), MOTION_MAX);
    k->word[3] = add_clamped(k->word[3], -CLAMP(wheel, -WHEEL_MAX, WHEEL_MAX), WHEEL_MAX);
    vmport_tell(p);
}

static void vmport_release(struct device *dev)
{
    struct vmport *p = (struct vmport *)dev;

    if (p->s.absolute && p->s.buttons) {
        vmport_motion(dev, 0, 0, 0, 0);
    }
}

static const struct tablet_ops vmport_tablet = {
    .is_on = vmport_is_on,
    .move = vmport_move,
    .motion = vmport_motion,
    .release = vmport_release,
};

/* Commands ------------------------------------------------------------------------------------- */

static void vmport_pointer_command(struct vmport *p, uint32_t command)
{
    switch (command) {
    case POINTER_ENABLE:
        vmport_clear(p);
        p->s.enabled = p->s.id_due = true;
        break;
    case POINTER_DISABLE:
        vmport_clear(p);
        p->s.enabled = p->s.absolute = false;
        break;
    case POINTER_RELATIVE: /* the PS/2 mouse does that */
    case POINTER_ABSOLUTE:
        vmport_clear(p);
        p->s.buttons = 0;
        p->s.absolute = p->s.enabled && command == POINTER_ABSOLUTE;
        break;
    default:
        guest_error(&p->dev, "unknown pointer command %#x", command);
        break;
    }
    trace(p, TR_STATE, "pointer %s", p->s.absolute ? "absolute" : "relative");
}

/* `n` words of the queue, in EAX, EBX, ECX, EDX, ESI and EDI. */
static uint32_t vmport_pointer_data(struct vmport *p, uint32_t n)
{
    static const uint8_t to[] = {VCPU_EBX, VCPU_ECX, VCPU_EDX, VCPU_ESI, VCPU_EDI};
    uint32_t first;

    if (!p->s.enabled || !n || n > 1 + ARRAY_LEN(to) || n > vmport_words(p)) {
        guest_error(&p->dev, "asked for %u words of %u", n, vmport_words(p));
        return STATUS_ERROR;
    }
    first = vmport_take(p);
    for (unsigned i = 0; i + 1 < n; i++) {
        vcpu_set_reg(p->dev.m, to[i], vmport_take(p));
    }
    return first;
}

/* The time of day; `full`: with all bits of the seconds, and the magic number in EAX. */
static uint32_t vmport_time(struct vmport *p, bool full)
{
    struct machine *m = p->dev.m;
    uint64_t us = (uint64_t)clock_real(m) / NS_PER_US, seconds = us / 1000000;

    vcpu_set_reg(m, VCPU_EBX, (uint32_t)(us % 1000000));
    vcpu_set_reg(m, VCPU_ECX, 1000000); /* microseconds a guest may be behind before it cares */
    vcpu_set_reg(m, VCPU_EDX, full ? (uint32_t)seconds : 0);
    if (full) {
        vcpu_set_reg(m, VCPU_ESI, (uint32_t)(seconds >> 32));
        return VMPORT_MAGIC;
    }
    return (uint32_t)seconds;
}

static uint32_t vmport_command(struct vmport *p, unsigned command, uint32_t ebx)
{
    struct machine *m = p->dev.m;

    switch (command) {
    case CMD_GETVERSION:
        vcpu_set_reg(m, VCPU_EBX, VMPORT_MAGIC);
        vcpu_set_reg(m, VCPU_ECX, PRODUCT_WORKSTATION);
        return VERSION;
    case CMD_GETHWVERSION:
        return HW_VERSION;
    case CMD_GETMEMSIZE: /* MiB */
        vcpu_set_reg(m, VCPU_EBX, VMPORT_MAGIC);
        return (uint32_t)(m->config.memory / MiB);
    case CMD_GETTIME:
        return vmport_time(p, false);
    case CMD_GETTIMEFULL:
        return vmport_time(p, true);
    case CMD_ABSPOINTER_DATA:
        return vmport_pointer_data(p, ebx);
    case CMD_ABSPOINTER_STATUS:
        return p->s.enabled ? vmport_words(p) : STATUS_ERROR;
    case CMD_ABSPOINTER_COMMAND:
        vmport_pointer_command(p, ebx);
        return VMPORT_MAGIC;
    case CMD_GETHZ: /* of the TSC, and of the local APICs' timers */
        vcpu_set_reg(m, VCPU_EBX, 0);
        vcpu_set_reg(m, VCPU_ECX, LAPIC_BUS_HZ);
        return (uint32_t)NS_PER_SEC;
    case CMD_GETVCPU_INFO:
        return VCPU_X2APIC;
    default:
        trace(p, TR_STATE, "command %u is not there", command);
        return VMPORT_NONE;
    }
}

static uint32_t vmport_read(struct device *dev, unsigned off, unsigned size)
{
    struct vmport *p = (struct vmport *)dev;
    uint32_t eax, ebx, ecx;

    (void)off;
    (void)size;
    if (!vcpu_get_reg(dev->m, VCPU_EAX, &eax) || eax != VMPORT_MAGIC ||
        !vcpu_get_reg(dev->m, VCPU_ECX, &ecx) || !vcpu_get_reg(dev->m, VCPU_EBX, &ebx)) {
        return VMPORT_NONE;
    }
    return vmport_command(p, ecx & 0xffff, ebx);
}

void vmport_connect(struct device *dev, struct device *ps2)
{
    ((struct vmport *)dev)->ps2 = ps2;
}

static bool vmport_attach(struct device *dev, GError **err)
{
    (void)err;
    dev->m->tablet = &vmport_tablet;
    dev->m->tablet_dev = dev;
    return true;
}

static void vmport_info(struct device *dev, GString *out)
{
    const struct vmport *p = (struct vmport *)dev;

    g_string_append_printf(out, "pointer: %s, %u words to be fetched\n",
                           p->s.absolute  ? "absolute, by the guest's driver"
                           : p->s.enabled ? "enabled, relative"
                                          : "no driver, so the PS/2 mouse",
                           vmport_words(p));
}

static const struct port_range vmport_ports[] = {
    {.first = 0x5658, .count = 4, .sizes = SIZE_4, .read = vmport_read},
    {.count = 0},
};

const struct device_ops vmport_ops = {
    .name = "vmport",
    .title = "VMware backdoor port with an absolute pointer",
    DEVICE_STATE(struct vmport),
    .state = vmport_state,
    .ports = vmport_ports,
    .attach = vmport_attach,
    .info = vmport_info,
};
