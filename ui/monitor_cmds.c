/*
 * The monitor's commands, in one table.
 *
 * Not here yet: snapshots, media change, memory dumps, breakpoints (issue 3).
 */
#include "accel/accel.h"
#include "cpu/cpu.h"
#include "ui/monitor.h"
#include "ui/parse.h"
#include "ui/screen.h"
#include "ui/script.h"

struct command {
    const char *name, *args, *help;
    /* `arg`: the rest of the line, without blanks at its ends; may be empty. */
    void (*run)(struct machine *m, const char *arg, GString *out);
};

static void run_command(const struct command *table, unsigned count, const char *what,
                        struct machine *m, const char *line, GString *out);

/* info ---------------------------------------------------------------------------------------- */

static void info_registers(struct machine *m, const char *arg, GString *out)
{
    (void)arg;
    machine_exclusive_begin(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        struct vcpu *v = m->vcpus[i];

        if (m->accel && m->accel->state_pull) {
            m->accel->state_pull(v);
        }
        g_string_append_printf(out, "vCPU %u%s\n", i, v->halted ? " (halted)" : "");
        if (v->cpu) {
            cpu_print(v->cpu, out);
        }
    }
    machine_exclusive_end(m);
}

static void info_mtree(struct machine *m, const char *arg, GString *out)
{
    (void)arg;
    aspace_print(m, out);
}

static void info_devices(struct machine *m, const char *arg, GString *out)
{
    (void)arg;
    for (unsigned i = 0; i < m->devices->len; i++) {
        const struct device *dev = g_ptr_array_index(m->devices, i);

        g_string_append_printf(out, "%-12s %s\n", dev->name, dev->ops->title);
    }
}

static void info_device(struct machine *m, const char *arg, GString *out)
{
    struct device *dev = device_find(m, arg);

    if (!dev) {
        g_string_append_printf(out, "no device '%s'; 'info devices' lists them\n", arg);
        return;
    }
    g_string_append_printf(out, "%s: %s\n", dev->name, dev->ops->title);
    if (dev->ops->state) {
        state_print(dev->ops->state, dev, 2, out);
    }
    if (dev->ops->info) {
        dev->ops->info(dev, out);
    }
}

static void info_block(struct machine *m, const char *arg, GString *out)
{
    (void)arg;
    for (unsigned i = 0; i < m->blocks->len; i++) {
        const struct block *b = g_ptr_array_index(m->blocks, i);

        g_string_append_printf(out,
                               "%s: %s, %" G_GUINT64_FORMAT " sectors%s, %" G_GUINT64_FORMAT
                               " reads, %" G_GUINT64_FORMAT " writes\n",
                               b->path, b->ops->name, b->sectors, b->readonly ? ", read-only" : "",
                               b->read_reqs, b->write_reqs);
    }
}

static void info_status(struct machine *m, const char *arg, GString *out)
{
    (void)arg;
    g_string_append_printf(out, "%s, %.3f s of guest time, %" G_GUINT64_FORMAT " resets\n",
                           m->paused ? "held" : "running", (double)clock_now(m) / NS_PER_SEC,
                           m->resets);
}

static void info_stats(struct machine *m, const char *arg, GString *out)
{
    (void)arg;
    machine_stats_json(m, out);
}

static void info_screen(struct machine *m, const char *arg, GString *out)
{
    (void)arg;
    if (!display_text_utf8(m, out)) {
        g_string_append(out, "the screen is in a graphics mode\n");
    }
}

static const struct command infos[] = {
    {"block", "", "disks, and requests so far", info_block},
    {"device", "NAME", "the registers of one device", info_device},
    {"devices", "", "the devices of the machine", info_devices},
    {"mtree", "", "the memory map", info_mtree},
    {"registers", "", "the processors' registers", info_registers},
    {"screen", "", "the text on the screen", info_screen},
    {"stats", "", "counters, as JSON", info_stats},
    {"status", "", "whether the machine runs", info_status},
};

static void cmd_info(struct machine *m, const char *arg, GString *out)
{
    run_command(infos, ARRAY_LEN(infos), "info", m, *arg ? arg : "help", out);
}

/* Commands ------------------------------------------------------------------------------------ */

static void cmd_quit(struct machine *m, const char *arg, GString *out)
{
    (void)arg;
    (void)out;
    machine_end(m, END_QUIT, 0);
}

static void cmd_stop(struct machine *m, const char *arg, GString *out)
{
    (void)arg;
    (void)out;
    machine_pause(m);
}

static void cmd_cont(struct machine *m, const char *arg, GString *out)
{
    (void)arg;
    (void)out;
    machine_resume(m);
}

static void cmd_reset(struct machine *m, const char *arg, GString *out)
{
    (void)arg;
    (void)out;
    machine_request_reset(m);
}

static void cmd_sendkey(struct machine *m, const char *arg, GString *out)
{
    g_autofree char *keys = g_strdup_printf("\\{%s}", arg);
    GError *err = NULL;

    if (!*arg || !strcmp(arg, "help")) {
        script_keys_help(out);
    } else if (!script_press_keys(m, keys, &err)) {
        g_string_append_printf(out, "%s\n", err->message);
        g_error_free(err);
    }
}

static void cmd_screendump(struct machine *m, const char *arg, GString *out)
{
    GError *err = NULL;

    if (!g_str_has_suffix(arg, ".png") && !g_str_has_suffix(arg, ".txt")) {
        g_string_append(out, "screendump FILE: the name must end in .png or .txt\n");
    } else if (!screen_write(m, arg, &err)) {
        g_string_append_printf(out, "%s\n", err->message);
        g_error_free(err);
    }
}

/* xp ADDRESS [BYTES] */
static void cmd_xp(struct machine *m, const char *arg, GString *out)
{
    g_auto(GStrv) words = g_strsplit(arg, " ", 2);
    uint64_t at = 0, len = 16;

    if (!words[0] || !parse_number(words[0], UINT64_MAX, &at, NULL) ||
        (words[1] && !parse_number(words[1], 4096, &len, NULL))) {
        g_string_append(out, "xp ADDRESS [BYTES]: physical memory, at most 4096 bytes\n");
        return;
    }
    for (uint64_t i = 0; i < len; i++) {
        const struct flat_range *f = aspace_find(m, at + i, ACCESS_READ);

        if (i % 16 == 0) {
            g_string_append_printf(out, "%s%012" G_GINT64_MODIFIER "x:", i ? "\n" : "", at + i);
        }
        if (f && f->host) { /* device registers are not touched: reading could change them */
            g_string_append_printf(out, " %02x", f->host[at + i - f->base]);
        } else {
            g_string_append(out, " --");
        }
    }
    g_string_append_c(out, '\n');
}

static const struct command commands[] = {
    {"cont", "", "let a held machine go on", cmd_cont},
    {"info", "WHAT", "look at the machine; 'info help' lists what", cmd_info},
    {"quit", "", "end the run", cmd_quit},
    {"screendump", "FILE", "write the screen: .png or .txt", cmd_screendump},
    {"sendkey", "KEYS", "press keys together: sendkey ctrl-alt-delete", cmd_sendkey},
    {"stop", "", "hold the machine", cmd_stop},
    {"system_reset", "", "press the reset button", cmd_reset},
    {"xp", "ADDRESS [BYTES]", "physical memory, in hexadecimal", cmd_xp},
};

static void print_help(const struct command *table, unsigned count, const char *what, GString *out)
{
    for (unsigned i = 0; i < count; i++) {
        g_autofree char *left =
            g_strdup_printf("%s%s%s %s", what, *what ? " " : "", table[i].name, table[i].args);
        g_string_append_printf(out, "%-24s %s\n", left, table[i].help);
    }
}

static void run_command(const struct command *table, unsigned count, const char *what,
                        struct machine *m, const char *line, GString *out)
{
    g_auto(GStrv) words = g_strsplit_set(line, " \t", 2);
    const char *names[16] = {"help"};
    const char *nearest;

    g_assert(count < ARRAY_LEN(names) - 1);
    if (!strcmp(words[0], "help") || !strcmp(words[0], "?")) {
        print_help(table, count, what, out);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        names[i + 1] = table[i].name;
        if (!strcmp(words[0], table[i].name)) {
            table[i].run(m, words[1] ? g_strstrip(words[1]) : "", out);
            return;
        }
    }
    nearest = parse_nearest(words[0], names);
    g_string_append_printf(out, "unknown command '%s%s%s'%s%s; '%s%shelp' lists them\n", what,
                           *what ? " " : "", words[0], nearest ? ", nearest: " : "",
                           nearest ? nearest : "", what, *what ? " " : "");
}

void monitor_execute(struct machine *m, const char *line, GString *out)
{
    g_autofree char *text = g_strstrip(g_strdup(line));

    machine_assert_locked(m);
    if (*text) {
        run_command(commands, ARRAY_LEN(commands), "", m, text, out);
    }
}
