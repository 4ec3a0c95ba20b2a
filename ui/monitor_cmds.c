/*
 * The monitor's commands, in one table, and those of them that are short.
 *
 * Not here: snapshots, breakpoints, devices that come and go at run time.
 */
#include "accel/accel.h"
#include "cpu/cpu.h"
#include "hw/lapic.h"
#include "hw/piix_pm.h"
#include "ui/keys.h"
#include "ui/monitor_cmd.h"
#include <inttypes.h>

enum { HOLD_MS = 100, HOLD_MAX_MS = 60000, MOUSE_MAX = 32767 };

static bool cmd_info(struct call *c, GError **err)
{
    return monitor_help("info", c->out, err);
}

static bool cmd_help(struct call *c, GError **err)
{
    return monitor_help(c->arg[0].text, c->out, err);
}

/* on|off */
static bool cmd_editing(struct call *c, GError **err)
{
    (void)err;
    c->s->terminal_asked = true;
    c->s->terminal = c->arg[0].num == 0;
    return true;
}

/* Running ------------------------------------------------------------------------------------- */

static bool cmd_quit(struct call *c, GError **err)
{
    (void)err;
    machine_end(c->m, END_QUIT, 0);
    return true;
}

static bool cmd_stop(struct call *c, GError **err)
{
    (void)err;
    machine_pause(c->m);
    return true;
}

static bool cmd_cont(struct call *c, GError **err)
{
    (void)err;
    machine_resume(c->m);
    return true;
}

static bool cmd_reset(struct call *c, GError **err)
{
    (void)err;
    machine_request_reset(c->m);
    return true;
}

static bool press_button(struct call *c, bool (*press)(struct device *dev), const char *name,
                         GError **err)
{
    struct device *pm = device_find(c->m, "piix_pm");

    if (!pm) {
        return monitor_fail(err, MONITOR_ERROR_NOT_FOUND, "this machine has no %s button", name);
    }
    if (!press(pm)) {
        g_string_append_printf(c->out, "the guest does not listen to the %s button now\n", name);
    }
    return true;
}

static bool cmd_powerdown(struct call *c, GError **err)
{
    return press_button(c, piix_pm_press_power, "power", err);
}

static bool cmd_sleep(struct call *c, GError **err)
{
    return press_button(c, piix_pm_press_sleep, "sleep", err);
}

/* The NMI button: on a PC it goes to LINT1 of every local APIC, whose guest decides. */
static bool cmd_nmi(struct call *c, GError **err)
{
    bool found = false;

    (void)err;
    for (unsigned i = 0; i < c->m->devices->len; i++) {
        struct device *dev = g_ptr_array_index(c->m->devices, i);

        if (dev->ops == &lapic_ops) {
            lapic_set_lint1(dev, 0, true);
            lapic_set_lint1(dev, 0, false);
            found = true;
        }
    }
    for (unsigned i = 0; i < c->m->ncpus && !found; i++) {
        vcpu_nmi(c->m->vcpus[i]);
    }
    return true;
}

/* [N] */
static bool cmd_cpu(struct call *c, GError **err)
{
    if (c->arg[0].given && c->arg[0].num >= c->m->ncpus) {
        return monitor_fail(err, MONITOR_ERROR_NOT_FOUND,
                            "there is no CPU %" PRIu64 "; there are 0 to %u", c->arg[0].num,
                            c->m->ncpus - 1);
    }
    if (c->arg[0].given) {
        c->s->cpu = (unsigned)c->arg[0].num;
    } else {
        g_string_append_printf(c->out, "%u\n", c->s->cpu);
    }
    return true;
}

/* Numbers and ports --------------------------------------------------------------------------- */

/* [/F] EXPRESSION */
static bool cmd_print(struct call *c, GError **err)
{
    const struct arg_format *f = &c->arg[0].format;
    g_autoptr(GString) text = g_string_new(NULL);

    if (f->count || f->size || (f->format && !strchr("xduoc", f->format))) {
        return monitor_fail(err, MONITOR_ERROR_ARGUMENT,
                            "print: the format is one letter of x d u o c, such as /d");
    }
    if (!f->format || f->format == 'x' || f->format == 'o') {
        g_string_append_printf(c->out, f->format == 'o' ? "%#" PRIo64 "\n" : "%#" PRIx64 "\n",
                               c->arg[1].num);
        return true;
    }
    monitor_print_value(text, f->format, 8, c->arg[1].num);
    g_string_append_printf(c->out, "%s\n", g_strstrip(text->str));
    return true;
}

/* Whether it is a port and the format is only a size, of at most 4 bytes. */
static bool port_check(struct call *c, unsigned *size, GError **err)
{
    const struct arg_format *f = &c->arg[0].format;

    *size = f->size ? f->size : 1;
    if (f->count || f->format || *size > 4) {
        return monitor_fail(err, MONITOR_ERROR_ARGUMENT,
                            "%s: the format is a size: /b, /h or /w (1, 2, 4 bytes)", c->cmd->name);
    }
    return c->arg[1].num <= 0x10000 - *size ||
           monitor_fail(err, MONITOR_ERROR_ARGUMENT, "%s: %#" PRIx64 " is no port", c->cmd->name,
                        c->arg[1].num);
}

/* [/F] PORT */
static bool cmd_in(struct call *c, GError **err)
{
    unsigned size;

    if (!port_check(c, &size, err)) {
        return false;
    }
    uint16_t port = (uint16_t)c->arg[1].num;
    g_string_append_printf(c->out, "%04x: 0x%0*x\n", port, (int)(2 * size),
                           port_read_locked(c->m, port, size));
    return true;
}

/* [/F] PORT VALUE */
static bool cmd_out(struct call *c, GError **err)
{
    unsigned size;

    if (!port_check(c, &size, err)) {
        return false;
    }
    if (c->arg[2].num >> (8 * size)) {
        return monitor_fail(err, MONITOR_ERROR_ARGUMENT, "o: %#" PRIx64 " has more than %u bytes",
                            c->arg[2].num, size);
    }
    port_write_locked(c->m, (uint16_t)c->arg[1].num, (uint32_t)c->arg[2].num, size);
    return true;
}

/* Keyboard and mouse -------------------------------------------------------------------------- */

static void keys_release(struct session *s)
{
    while (s->held_count) {
        input_key(s->m, s->held[--s->held_count], false);
    }
}

static bool keys_on_time(void *arg)
{
    struct session *s = arg;

    keys_release(s);
    s->held_watch = 0;
    return false;
}

static bool check_input(struct call *c, GError **err)
{
    return c->m->input ||
           monitor_fail(err, MONITOR_ERROR_STATE, "this machine has no keyboard and no mouse");
}

/* KEYS [MS].  Keys held by an earlier one are let go first. */
static bool cmd_sendkey(struct call *c, GError **err)
{
    struct session *s = c->s;
    uint64_t ms = c->arg[1].given ? c->arg[1].num : HOLD_MS;
    uint8_t codes[KEYS_COMBO_MAX];
    GError *why = NULL;
    unsigned n = keys_parse_combo(c->arg[0].text, codes, &why);

    static_assert(sizeof codes == sizeof s->held, "all keys of a combination can be held");
    if (!n) {
        monitor_fail(err, MONITOR_ERROR_ARGUMENT, "sendkey: %s", why->message);
        g_error_free(why);
        return false;
    }
    if (!ms || ms > HOLD_MAX_MS) {
        return monitor_fail(err, MONITOR_ERROR_ARGUMENT,
                            "sendkey: keys are held 1 to %d milliseconds", HOLD_MAX_MS);
    }
    if (!check_input(c, err)) {
        return false;
    }
    keys_release(s);
    if (s->held_watch) {
        loop_unwatch(c->m, s->held_watch);
    }
    for (unsigned i = 0; i < n; i++) {
        s->held[s->held_count++] = codes[i];
        input_key(c->m, codes[i], true);
    }
    s->held_watch = loop_every(c->m, (unsigned)ms, keys_on_time, s);
    return true;
}

static bool is_motion(uint64_t v)
{
    return (int64_t)v >= -MOUSE_MAX && (int64_t)v <= MOUSE_MAX;
}

/* DX DY [DZ] */
static bool cmd_mouse_move(struct call *c, GError **err)
{
    if (!is_motion(c->arg[0].num) || !is_motion(c->arg[1].num) || !is_motion(c->arg[2].num)) {
        return monitor_fail(err, MONITOR_ERROR_ARGUMENT, "mouse_move: at most %d at once",
                            MOUSE_MAX);
    }
    if (!check_input(c, err)) {
        return false;
    }
    input_pointer(c->m, (int)c->arg[0].num, (int)c->arg[1].num, (int)c->arg[2].num, c->s->buttons);
    return true;
}

/* X Y [DZ] */
static bool cmd_mouse_set(struct call *c, GError **err)
{
    if (c->arg[0].num > TABLET_MAX || c->arg[1].num > TABLET_MAX || !is_motion(c->arg[2].num)) {
        return monitor_fail(err, MONITOR_ERROR_ARGUMENT, "mouse_set: places are 0 to %d",
                            TABLET_MAX);
    }
    if (!input_has_tablet(c->m)) {
        return monitor_fail(err, MONITOR_ERROR_STATE,
                            "the guest takes no places: it has no driver for VMware's mouse "
                            "running; mouse_move moves its mouse");
    }
    input_tablet(c->m, (unsigned)c->arg[0].num, (unsigned)c->arg[1].num, (int)c->arg[2].num,
                 c->s->buttons);
    return true;
}

/* STATE, with QEMU's bits. */
static bool cmd_mouse_button(struct call *c, GError **err)
{
    uint64_t v = c->arg[0].num;

    if (v > 7) {
        return monitor_fail(err, MONITOR_ERROR_ARGUMENT,
                            "mouse_button: a sum of 1 (left), 2 (middle) and 4 (right)");
    }
    if (!check_input(c, err)) {
        return false;
    }
    c->s->buttons = (v & 1 ? INPUT_BUTTON_LEFT : 0u) | (v & 2 ? INPUT_BUTTON_MIDDLE : 0u) |
                    (v & 4 ? INPUT_BUTTON_RIGHT : 0u);
    input_pointer(c->m, 0, 0, 0, c->s->buttons);
    return true;
}

/* The table ----------------------------------------------------------------------------------- */

static const char *const on_off[] = {"on", "off", NULL};

#define NEEDS(n, kind)                                                                             \
    {                                                                                              \
        n, kind, false, NULL                                                                       \
    }
#define MAY(n, kind)                                                                               \
    {                                                                                              \
        n, kind, true, NULL                                                                        \
    }
#define MAY_BE(n, list)                                                                            \
    {                                                                                              \
        n, ARG_CHOICE, true, list                                                                  \
    }
#define FORMAT                                                                                     \
    {                                                                                              \
        "/FORMAT", ARG_FORMAT, true, NULL                                                          \
    }
#define FORCE                                                                                      \
    {                                                                                              \
        "-f", ARG_FLAG, true, NULL                                                                 \
    }

const struct command monitor_commands[] = {
    {"accel",
     NULL,
     {FORCE, MAY_BE("NAME", accel_names)},
     "which engine runs the guest; NAME: another from now on (-f: also if the guest notices)",
     cmd_accel,
     NULL,
     false},
    {"change",
     NULL,
     {FORCE, NEEDS("DRIVE", ARG_DRIVE), NEEDS("FILE", ARG_FILE), MAY_BE("FORMAT", change_formats),
      MAY_BE("MODE", change_modes)},
     "put another medium into a drive (-f: also if the tray is locked)",
     cmd_change,
     NULL,
     false},
    {"cont", "c", {MAY(NULL, ARG_NONE)}, "let a held machine go on", cmd_cont, NULL, false},
    {"cpu", NULL, {MAY("N", ARG_NUMBER)}, "choose the processor to look at", cmd_cpu, NULL, false},
    {"editing",
     NULL,
     {{"on|off", ARG_CHOICE, false, on_off}},
     "echo, history and completion here: for terminals in raw mode",
     cmd_editing,
     NULL,
     false},
    {"eject",
     NULL,
     {FORCE, NEEDS("DRIVE", ARG_DRIVE)},
     "take the medium out of a drive (-f: also if the tray is locked)",
     cmd_eject,
     NULL,
     false},
    {"help",
     "?",
     {MAY("COMMAND", ARG_COMMAND)},
     "what the commands take and do",
     cmd_help,
     NULL,
     false},
    {"hostfwd_add",
     NULL,
     {MAY("NIC", ARG_NIC), NEEDS("RULE", ARG_RULE)},
     "lead a port of the host to the guest: hostfwd_add tcp::2222-:22",
     cmd_hostfwd_add,
     NULL,
     false},
    {"hostfwd_remove",
     NULL,
     {MAY("NIC", ARG_NIC), NEEDS("RULE", ARG_FORWARD)},
     "no longer: hostfwd_remove tcp::2222",
     cmd_hostfwd_remove,
     NULL,
     false},
    {"i",
     NULL,
     {FORMAT, NEEDS("PORT", ARG_NUMBER)},
     "read an I/O port (/b, /h, /w: its size), as the guest would",
     cmd_in,
     NULL,
     false},
    {"info",
     NULL,
     {MAY(NULL, ARG_NONE)},
     "look at the machine; 'help info' lists what",
     cmd_info,
     monitor_topics,
     false},
    {"link",
     NULL,
     {NEEDS("NIC", ARG_NIC), {"up|down", ARG_CHOICE, false, link_words}},
     "plug in or pull out a network card's cable",
     cmd_link,
     NULL,
     false},
    {"mouse_button",
     NULL,
     {NEEDS("STATE", ARG_NUMBER)},
     "hold mouse buttons: 1 left, 2 middle, 4 right, added up",
     cmd_mouse_button,
     NULL,
     false},
    {"mouse_move",
     NULL,
     {NEEDS("DX", ARG_NUMBER), NEEDS("DY", ARG_NUMBER), MAY("DZ", ARG_NUMBER)},
     "move the mouse (DZ: its wheel)",
     cmd_mouse_move,
     NULL,
     false},
    {"mouse_set",
     NULL,
     {NEEDS("X", ARG_NUMBER), NEEDS("Y", ARG_NUMBER), MAY("DZ", ARG_NUMBER)},
     "put the pointer at a place, 0 to 65535 each, of a guest that takes places",
     cmd_mouse_set,
     NULL,
     false},
    {"nmi", NULL, {MAY(NULL, ARG_NONE)}, "press the NMI button", cmd_nmi, NULL, false},
    {"o",
     NULL,
     {FORMAT, NEEDS("PORT", ARG_NUMBER), NEEDS("VALUE", ARG_NUMBER)},
     "write an I/O port, as the guest would",
     cmd_out,
     NULL,
     false},
    {"print",
     "p",
     {FORMAT, NEEDS("EXPRESSION", ARG_NUMBER)},
     "compute: print /d $rsp + 0x10 (/x, /d, /u, /o, /c)",
     cmd_print,
     NULL,
     false},
    {"quit", "q", {MAY(NULL, ARG_NONE)}, "end the run", cmd_quit, NULL, false},
    {"screendump",
     NULL,
     {NEEDS("FILE", ARG_FILE)},
     "write the screen: .png, .ppm or .txt",
     cmd_screendump,
     NULL,
     false},
    {"sendkey",
     NULL,
     {NEEDS("KEYS", ARG_KEYS), MAY("MS", ARG_NUMBER)},
     "press keys together, for 100 ms or MS: sendkey ctrl-alt-delete",
     cmd_sendkey,
     NULL,
     false},
    {"set_link",
     NULL,
     {NEEDS("NIC", ARG_NIC), {"on|off", ARG_CHOICE, false, on_off}},
     "the same as link",
     cmd_link,
     NULL,
     false},
    {"stop", "s", {MAY(NULL, ARG_NONE)}, "hold the machine", cmd_stop, NULL, false},
    {"system_powerdown",
     NULL,
     {MAY(NULL, ARG_NONE)},
     "press the power button",
     cmd_powerdown,
     NULL,
     false},
    {"system_reset", NULL, {MAY(NULL, ARG_NONE)}, "press the reset button", cmd_reset, NULL, false},
    {"system_sleep", NULL, {MAY(NULL, ARG_NONE)}, "press the sleep button", cmd_sleep, NULL, false},
    {"x",
     NULL,
     {FORMAT, NEEDS("ADDRESS", ARG_NUMBER)},
     "memory at a linear address: x /16xb $rsp, x /8i $pc",
     cmd_x,
     NULL,
     true},
    {"xp",
     NULL,
     {FORMAT, NEEDS("ADDRESS", ARG_NUMBER)},
     "memory at a physical address",
     cmd_xp,
     NULL,
     true},
    {NULL, NULL, {MAY(NULL, ARG_NONE)}, NULL, NULL, NULL, false},
};
