/*
 * The monitor's language: lines to calls, and help.  Both read the command tables.
 *
 * Words are separated by blanks; "..." holds blanks together, and the character behind a backslash
 * is taken as it is.
 */
#include "hw/core/net.h"
#include "ui/monitor_cmd.h"
#include "ui/parse.h"

enum { COUNT_MAX = 4096, USAGE_WIDTH = 34 };

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* The word at *at, which is moved behind it; NULL with an error for quotes without an end. */
static char *word_take(const char **at, const char *stop, GError **err)
{
    GString *word = g_string_new(NULL);
    bool quoted = false;
    const char *p = *at;

    for (; *p && (quoted || !strchr(stop, *p)); p++) {
        if (*p == '"') {
            quoted = !quoted;
        } else if (*p == '\\' && p[1]) {
            g_string_append_c(word, *++p);
        } else {
            g_string_append_c(word, *p);
        }
    }
    *at = p;
    if (quoted) {
        g_string_free(word, TRUE);
        monitor_fail(err, MONITOR_ERROR_ARGUMENT, "a quotation mark without its second");
        return NULL;
    }
    return g_string_free(word, FALSE);
}

/* Help ---------------------------------------------------------------------------------------- */

static void usage_append(const struct command *cmd, const char *before, GString *out)
{
    g_string_append_printf(out, "%s%s%s%s", before, cmd->name, cmd->also ? "|" : "",
                           cmd->also ? cmd->also : "");
    for (unsigned i = 0; i < ARGS_MAX && cmd->args[i].kind; i++) {
        const struct arg_desc *a = &cmd->args[i];
        g_autofree char *choice = a->words ? g_strjoinv("|", (char **)a->words) : NULL;
        bool optional = a->optional || a->kind == ARG_FLAG || a->kind == ARG_FORMAT;

        g_string_append_printf(out, " %s%s%s", optional ? "[" : "", choice ? choice : a->name,
                               optional ? "]" : "");
    }
}

const struct command *command_find(const struct command *table, const char *name)
{
    for (; table->name; table++) {
        if (!strcmp(table->name, name) || !g_strcmp0(table->also, name)) {
            return table;
        }
    }
    return NULL;
}

static void help_row(const struct command *cmd, const char *before, GString *out)
{
    g_autoptr(GString) usage = g_string_new(NULL);

    usage_append(cmd, before, usage);
    if (usage->len > USAGE_WIDTH) {
        g_string_append_printf(out, "%s\n%*s %s\n", usage->str, USAGE_WIDTH, "", cmd->help);
    } else {
        g_string_append_printf(out, "%-*s %s\n", USAGE_WIDTH, usage->str, cmd->help);
    }
}

/* `what`: "info", or empty. */
static bool unknown_command(const struct command *table, const char *what, const char *name,
                            GError **err)
{
    const char *blank = *what ? " " : "", *nearest;
    GPtrArray *names = g_ptr_array_new();

    for (const struct command *cmd = table; cmd->name; cmd++) {
        g_ptr_array_add(names, (gpointer)cmd->name);
    }
    g_ptr_array_add(names, NULL);
    nearest = parse_nearest(name, (const char *const *)names->pdata);
    monitor_fail(err, MONITOR_ERROR_COMMAND,
                 "unknown command '%s%s%.64s'%s%s; 'help%s%s' lists them", what, blank, name,
                 nearest ? ", nearest: " : "", nearest ? nearest : "", blank, what);
    g_ptr_array_unref(names);
    return false;
}

bool monitor_help(const char *name, GString *out, GError **err)
{
    g_auto(GStrv) words = g_strsplit(name ? name : "", " ", 2);
    const struct command *table = monitor_commands, *cmd = NULL;
    const char *what = "";

    for (char **word = words; *word; word++) {
        cmd = command_find(table, *word);
        if (!cmd) {
            return unknown_command(table, what, *word, err);
        }
        if (!cmd->sub) {
            break;
        }
        table = cmd->sub;
        what = cmd->name;
        cmd = NULL;
    }
    g_autofree char *before = g_strconcat(what, *what ? " " : "", NULL);
    if (cmd) {
        help_row(cmd, before, out);
        return true;
    }
    for (; table->name; table++) {
        help_row(table, before, out);
    }
    return true;
}

/* Arguments ----------------------------------------------------------------------------------- */

static bool format_parse(const char *text, struct arg_format *f, GError **err)
{
    static const char formats[] = "xduocis", sizes[] = "bhwg";
    const char *p = text + 1;
    bool good = true;

    for (; g_ascii_isdigit(*p); p++) {
        f->count = MIN(f->count * 10 + (unsigned)(*p - '0'), COUNT_MAX + 1);
        good = f->count != 0;
    }
    for (; *p && good; p++) {
        const char *size = strchr(sizes, *p);

        if (size && !f->size) {
            f->size = 1u << (size - sizes);
        } else if (strchr(formats, *p) && !f->format) {
            f->format = *p;
        } else {
            good = false;
        }
    }
    if (!good || f->count > COUNT_MAX) {
        return monitor_fail(err, MONITOR_ERROR_ARGUMENT,
                            "'%.32s' is no format; it is /NFS: a number up to %d, a letter of x d "
                            "u o c i s and a size of b h w g (1, 2, 4, 8 bytes), such as /16xb",
                            text, COUNT_MAX);
    }
    return true;
}

static bool choice_parse(const struct arg_desc *a, bool last, struct arg_val *v, GError **err)
{
    g_autofree char *known = NULL;

    for (unsigned i = 0; a->words[i]; i++) {
        if (!strcmp(v->text, a->words[i])) {
            v->num = i;
            return true;
        }
    }
    if (a->optional && !last) {
        v->given = false;
        return true;
    }
    known = g_strjoinv(", ", (char **)a->words);
    return monitor_fail(err, MONITOR_ERROR_ARGUMENT, "unknown %s '%.64s'; there are %s", a->name,
                        v->text, known);
}

static bool device_parse(struct machine *m, struct arg_val *v, GError **err)
{
    guint n;

    if (!g_ptr_array_find(m->devices, device_find(m, v->text), &n)) {
        return monitor_fail(err, MONITOR_ERROR_NOT_FOUND,
                            "no device '%.64s'; 'info devices' lists them", v->text);
    }
    v->num = n;
    return true;
}

static bool drive_parse_name(struct machine *m, struct arg_val *v, GError **err)
{
    int row = drive_find(m, v->text);

    if (row < 0) {
        return monitor_fail(err, MONITOR_ERROR_NOT_FOUND,
                            "no drive '%.64s'; 'info block' lists them", v->text);
    }
    v->num = (unsigned)row;
    return true;
}

static bool nic_parse_id(struct machine *m, const struct arg_desc *a, bool last, struct arg_val *v,
                         GError **err)
{
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        if (m->nics[i] && !strcmp(m->nics[i]->id, v->text)) {
            v->num = i;
            return true;
        }
    }
    if (a->optional && !last && strchr(v->text, ':')) {
        v->given = false;
        return true;
    }
    return monitor_fail(err, MONITOR_ERROR_NOT_FOUND,
                        "no network card '%.64s'; 'info network' lists them", v->text);
}

/* An argument that is one word, which stands in v->text. */
static bool word_parse(struct session *s, const struct arg_desc *a, bool last, struct arg_val *v,
                       GError **err)
{
    switch (a->kind) {
    case ARG_CHOICE:
        return choice_parse(a, last, v, err);
    case ARG_DEVICE:
        return device_parse(s->m, v, err);
    case ARG_DRIVE:
        return drive_parse_name(s->m, v, err);
    case ARG_NIC:
        return nic_parse_id(s->m, a, last, v, err);
    case ARG_FILE:
        if (s->folder && !g_path_is_absolute(v->text)) {
            char *path = g_build_filename(s->folder, v->text, NULL);

            g_free(v->text);
            v->text = path;
        }
        return true;
    default:
        return true;
    }
}

/* One argument at *at, which is moved behind it, or left where that is not there. */
static bool arg_parse(struct session *s, const struct arg_desc *a, bool last, const char **at,
                      struct arg_val *v, GError **err)
{
    const char *begin = skip_blanks(*at), *end = begin;
    bool is_format = *begin == '/';

    if (a->kind == ARG_FORMAT && !is_format) {
        return true;
    }
    v->given = *begin != '\0';
    if (!v->given) {
        return true;
    }
    if (a->kind == ARG_NUMBER) {
        *at = begin;
        return expr_parse(s, at, last, &v->num, err);
    }
    v->text = word_take(&end, " \t", err);
    if (!v->text) {
        return false;
    }
    if (a->kind == ARG_FLAG && strcmp(v->text, a->name) != 0) {
        v->given = false;
        return true;
    }
    if (a->kind == ARG_COMMAND && *skip_blanks(end)) { /* "info block" */
        g_autofree char *first = v->text;

        end = skip_blanks(end);
        v->text = word_take(&end, " \t", err);
        if (!v->text) {
            return false;
        }
        g_autofree char *second = v->text;
        v->text = g_strconcat(first, " ", second, NULL);
    }
    if (a->kind == ARG_FORMAT ? !format_parse(v->text, &v->format, err)
                              : !word_parse(s, a, last, v, err)) {
        return false;
    }
    *at = v->given ? end : *at;
    return true;
}

static bool args_parse(struct call *c, const char *at, GError **err)
{
    const struct arg_desc *a = c->cmd->args;
    g_autoptr(GString) usage = g_string_new(NULL);

    for (unsigned i = 0; i < ARGS_MAX && a[i].kind; i++) {
        bool last = i + 1 == ARGS_MAX || !a[i + 1].kind;

        if (!arg_parse(c->s, &a[i], last, &at, &c->arg[i], err)) {
            g_prefix_error(err, "%s: ", c->cmd->name);
            return false;
        }
        if (!c->arg[i].given && !a[i].optional && a[i].kind != ARG_FLAG &&
            a[i].kind != ARG_FORMAT) {
            usage_append(c->cmd, "", usage);
            return monitor_fail(err, MONITOR_ERROR_ARGUMENT, "%s: %s is missing: %s", c->cmd->name,
                                a[i].name, usage->str);
        }
    }
    at = skip_blanks(at);
    if (*at) {
        usage_append(c->cmd, "", usage);
        return monitor_fail(err, MONITOR_ERROR_ARGUMENT, "%s: '%.64s' is too much: %s",
                            c->cmd->name, at, usage->str);
    }
    return true;
}

/* Lines --------------------------------------------------------------------------------------- */

/* "info uart0" is "info device uart0". */
static const struct command *topic_find(struct session *s, const struct command *table,
                                        const char *name, bool *is_device)
{
    const struct command *cmd = command_find(table, name);

    *is_device = !cmd && device_find(s->m, name);
    return *is_device ? command_find(table, "device") : cmd;
}

/* The command at *at, which is moved behind its name; NULL with an error, or at an empty line. */
static const struct command *line_command(struct session *s, const char **at, GError **err)
{
    const struct command *cmd;
    const char *end = *at = skip_blanks(*at), *second;
    g_autofree char *name = word_take(&end, " \t/", err), *topic = NULL;
    bool is_device;

    if (!name || end == *at) {
        if (name && *end) { /* a slash */
            unknown_command(monitor_commands, "", *at, err);
        }
        return NULL;
    }
    cmd = command_find(monitor_commands, strcmp(name, "?") ? name : "help");
    if (!cmd) {
        unknown_command(monitor_commands, "", name, err);
        return NULL;
    }
    *at = end;
    second = end = skip_blanks(end);
    if (!cmd->sub || !*second) {
        return cmd;
    }
    topic = word_take(&end, " \t/", err);
    if (!topic) {
        return NULL;
    }
    const struct command *table = cmd->sub;
    cmd = topic_find(s, table, topic, &is_device);
    if (!cmd) {
        unknown_command(table, "info", topic, err);
        return NULL;
    }
    *at = is_device ? second : end;
    return cmd;
}

struct call *call_parse(struct session *s, const char *line, GError **err)
{
    const struct command *cmd = line_command(s, &line, err);
    struct call *c;

    if (!cmd) {
        return NULL;
    }
    c = g_new0(struct call, 1);
    c->s = s;
    c->m = s->m;
    c->cmd = cmd;
    c->out = g_string_new(NULL);
    if (!args_parse(c, line, err)) {
        call_free(c);
        return NULL;
    }
    return c;
}

void call_free(struct call *c)
{
    for (unsigned i = 0; i < ARGS_MAX; i++) {
        g_free(c->arg[i].text);
    }
    g_string_free(c->out, TRUE);
    g_free(c);
}

char *monitor_quoted(const char *text)
{
    GString *out = g_string_new("\"");

    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') {
            g_string_append_c(out, '\\');
        }
        g_string_append_c(out, *p);
    }
    g_string_append_c(out, '"');
    return g_string_free(out, FALSE);
}
