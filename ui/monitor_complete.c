/*
 * Completion in the monitor: which words can stand at the end of a line, by the tables.
 *
 * Names of files are looked up on a thread of its own, as folders may be on servers that do not
 * answer.
 *
 * Not here: words with quotation marks.
 */
#include "hw/core/net.h"
#include "ui/monitor_cmd.h"
#include "ui/keys.h"

enum { WORDS_MAX = 500 };

struct completion {
    const char *begun; /* the word so far, in the line */
    GString *out;
    unsigned count;
};

static void offer(struct completion *c, const char *before, const char *word, const char *after)
{
    g_autofree char *whole = g_strconcat(before, word, after, NULL);

    if (g_str_has_prefix(whole, c->begun) && c->count < WORDS_MAX) {
        c->count++;
        g_string_append_printf(c->out, "%s\n", whole);
    }
}

static void offer_commands(struct completion *c, const struct command *table)
{
    for (; table->name; table++) {
        offer(c, "", table->name, " ");
    }
}

/* `besides`: names that were offered already; NULL: none. */
static void offer_devices(struct completion *c, struct machine *m, const struct command *besides)
{
    for (unsigned i = 0; i < m->devices->len; i++) {
        const struct device *dev = g_ptr_array_index(m->devices, i);

        if (!besides || !command_find(besides, dev->name)) {
            offer(c, "", dev->name, " ");
        }
    }
}

static void offer_drives(struct completion *c, struct machine *m)
{
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        if (m->config.drives[i].used) {
            g_autofree char *name = drive_name(m, i);

            offer(c, "", name, " ");
        }
    }
}

static void offer_nics(struct completion *c, struct machine *m)
{
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        if (m->nics[i]) {
            offer(c, "", m->nics[i]->id, " ");
        }
    }
}

/* The key behind the last dash. */
static void offer_keys(struct completion *c)
{
    const char *dash = strrchr(c->begun, '-');
    g_autofree char *before = g_strndup(c->begun, dash ? (gsize)(dash + 1 - c->begun) : 0);

    for (unsigned i = 0; key_name(i); i++) {
        offer(c, before, key_name(i), "");
    }
}

/* The register behind the last dollar sign. */
static void offer_registers(struct completion *c)
{
    const char *dollar = strrchr(c->begun, '$');

    if (dollar) {
        g_autofree char *before = g_strndup(c->begun, (gsize)(dollar + 1 - c->begun));

        for (unsigned i = 0; expr_register_name(i); i++) {
            offer(c, before, expr_register_name(i), "");
        }
    }
}

static void offer_rule(void *opaque, const char *rule)
{
    offer(opaque, "", rule, " ");
}

/* Files ---------------------------------------------------------------------------------------- */

struct listing {
    char *begun; /* as typed */
    GString *found;
};

/* As it is typed. */
static char *name_quote(const char *name)
{
    GString *out = g_string_new(NULL);

    for (; *name; name++) {
        if (strchr(" \\\"", *name)) {
            g_string_append_c(out, '\\');
        }
        g_string_append_c(out, *name);
    }
    return g_string_free(out, FALSE);
}

static char *name_unquote(const char *typed)
{
    GString *out = g_string_new(NULL);

    for (; *typed; typed++) {
        if (*typed == '\\' && typed[1]) {
            typed++;
        }
        g_string_append_c(out, *typed);
    }
    return g_string_free(out, FALSE);
}

static gint names_compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool name_is_plain(const char *name)
{
    for (; *name; name++) {
        if (g_ascii_iscntrl(*name)) {
            return false;
        }
    }
    return true;
}

/* On a thread of its own. */
static void listing_work(void *arg)
{
    struct listing *l = arg;
    struct completion c = {.begun = l->begun, .out = l->found};
    g_autofree char *path = name_unquote(l->begun), *base = NULL;
    const char *slash = strrchr(path, '/'), *name;
    g_autofree char *folder = g_strndup(path, slash ? (gsize)(slash + 1 - path) : 0);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(*folder ? folder : ".", 0, NULL);

    base = g_strdup(slash ? slash + 1 : path);
    while (dir && (name = g_dir_read_name(dir))) {
        if (g_str_has_prefix(name, base) && (*base || *name != '.') && name_is_plain(name) &&
            names->len < WORDS_MAX) {
            g_ptr_array_add(names, g_strconcat(folder, name, NULL));
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    g_ptr_array_sort(names, names_compare);
    for (unsigned i = 0; i < names->len; i++) {
        const char *found = g_ptr_array_index(names, i);
        g_autofree char *typed = name_quote(found);

        offer(&c, "", typed, g_file_test(found, G_FILE_TEST_IS_DIR) ? "/" : " ");
    }
}

static bool listing_done(struct call *c, void *arg, GError **err)
{
    (void)err;
    g_string_append(c->out, ((struct listing *)arg)->found->str);
    return true;
}

static void listing_free(void *arg)
{
    struct listing *l = arg;

    g_free(l->begun);
    g_string_free(l->found, TRUE);
    g_free(l);
}

static void list_later(struct call *c, const char *begun)
{
    struct listing *l = g_new0(struct listing, 1);

    l->begun = g_strdup(begun);
    l->found = g_string_new(NULL);
    c->later =
        (struct later){.arg = l, .work = listing_work, .done = listing_done, .free = listing_free};
}

/* Places in a line ----------------------------------------------------------------------------- */

static void complete_argument(struct call *call, struct completion *c, const struct arg_desc *a)
{
    switch (a->kind) {
    case ARG_NUMBER:
        offer_registers(c);
        break;
    case ARG_FLAG:
        offer(c, "", a->name, " ");
        break;
    case ARG_CHOICE:
        for (unsigned i = 0; a->words[i]; i++) {
            offer(c, "", a->words[i], " ");
        }
        break;
    case ARG_KEYS:
        offer_keys(c);
        break;
    case ARG_FILE:
        list_later(call, c->begun);
        break;
    case ARG_DEVICE:
        offer_devices(c, call->m, NULL);
        break;
    case ARG_DRIVE:
        offer_drives(c, call->m);
        break;
    case ARG_NIC:
        offer_nics(c, call->m);
        break;
    case ARG_FORWARD:
        hostfwd_list(call->m, offer_rule, c);
        break;
    case ARG_COMMAND:
        offer_commands(c, monitor_commands);
        break;
    default:
        break;
    }
}

/* Whether the word could be the argument, so that the next one is for the next. */
static bool takes_word(const struct arg_desc *a, const char *word)
{
    switch (a->kind) {
    case ARG_FORMAT:
        return *word == '/';
    case ARG_FLAG:
        return !strcmp(word, a->name);
    case ARG_NIC:
        return !a->optional || !strchr(word, ':');
    default:
        return true;
    }
}

/* `words`: those before, from the command's own on; NULL-ended. */
static void complete_in(struct call *call, struct completion *c, char **words)
{
    const struct command *table = monitor_commands, *cmd = NULL;
    unsigned at = 0;

    for (; *words && table; words++) {
        g_auto(GStrv) name = g_strsplit(*words, "/", 2); /* "x/4xb" */

        cmd = command_find(table, name[0] ? name[0] : "");
        table = cmd ? cmd->sub : NULL;
    }
    if (table) {
        offer_commands(c, table);
        if (cmd) { /* "info uart0" */
            offer_devices(c, call->m, table);
        }
        return;
    }
    if (!cmd) {
        return;
    }
    if (*words && cmd->args[0].kind == ARG_COMMAND) { /* "help info" */
        if (!strcmp(*words, "info") && !words[1]) {
            offer_commands(c, monitor_topics);
        }
        return;
    }
    for (; *words && at < ARGS_MAX && cmd->args[at].kind; at++) {
        words += takes_word(&cmd->args[at], *words);
    }
    while (!*words && at < ARGS_MAX && cmd->args[at].kind) {
        complete_argument(call, c, &cmd->args[at]);
        if (cmd->args[at].kind != ARG_FLAG && cmd->args[at].kind != ARG_FORMAT &&
            (cmd->args[at].kind != ARG_NIC || !cmd->args[at].optional)) {
            break;
        }
        at++;
    }
}

const char *session_last_word(const char *line)
{
    const char *begin = line;

    for (const char *p = line; *p; p++) {
        if (*p == '\\' && p[1]) {
            p++;
        } else if (*p == ' ') {
            begin = p + 1;
        }
    }
    return begin;
}

static bool complete_run(struct call *call, GError **err)
{
    const char *line = call->arg[0].text, *begun = session_last_word(line);
    struct completion c = {.begun = begun, .out = call->out};
    g_autofree char *before = g_strndup(line, (gsize)(begun - line));
    g_auto(GStrv) all = g_strsplit(before, " ", -1);
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    (void)err;
    for (char **word = all; *word; word++) {
        if (**word) {
            g_ptr_array_add(words, *word);
        }
    }
    g_ptr_array_add(words, NULL);
    complete_in(call, &c, (char **)words->pdata);
    return true;
}

void session_complete(struct session *s, const char *line, answer_fn *answer, void *opaque)
{
    static const struct command completion = {.name = "completion", .run = complete_run};
    struct call *c;

    machine_assert_locked(s->m);
    if (strchr(line, '"') || g_list_length(s->jobs) >= SESSION_JOBS) {
        answer(opaque, "", NULL);
        return;
    }
    c = g_new0(struct call, 1);
    c->cmd = &completion;
    c->arg[0].text = g_strdup(line);
    session_call(s, c, answer, opaque);
}
