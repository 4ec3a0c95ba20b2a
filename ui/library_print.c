/*
 * What candela list and candela show print: for people, and as JSON.
 */
#include "ui/command_library.h"
#include "hw/core/net.h"
#include "ui/disk_progress.h"
#include "ui/library_int.h"
#include "ui/nic.h"
#include "ui/text.h"
#include <sys/stat.h>

/* For people ----------------------------------------------------------------------------------- */

enum { COLUMNS = 6 };

/* Columns of a terminal that the text takes. */
static size_t text_width(const char *text)
{
    size_t n = 0;

    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        n += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    }
    return n;
}

static char *last_run_text(const struct library_machine *m)
{
    int64_t time = m->ended ? m->ended : m->begun;
    g_autoptr(GDateTime) t = time ? g_date_time_new_from_unix_local(time) : NULL;
    g_autofree char *when = t ? g_date_time_format(t, "%Y-%m-%d %H:%M") : NULL;

    if (!when) {
        return g_strdup("never");
    }
    return m->ending ? g_strdup_printf("%s, %s", when, m->ending)
                     : g_strdup_printf("since %s", when);
}

/* "512 MiB", and of none "-". */
static char *short_size(uint64_t bytes)
{
    return !bytes        ? g_strdup("-")
           : bytes % GiB ? g_strdup_printf("%u MiB", (unsigned)(bytes / MiB))
                         : g_strdup_printf("%u GiB", (unsigned)(bytes / GiB));
}

static char **list_row(const struct library_machine *m)
{
    char **row = g_new0(char *, COLUMNS + 1);
    g_autofree char *size = size_text(m->disk_bytes);

    row[0] = g_strdup(m->name);
    row[1] = g_strdup(library_state_name(m->state));
    row[2] = short_size(m->memory);
    row[3] = m->cpus ? g_strdup_printf("%u", m->cpus) : g_strdup("-");
    row[4] = m->disks->len ? g_strdup_printf("%u, %s", m->disks->len, size) : g_strdup("-");
    row[5] = last_run_text(m);
    return row;
}

char *library_list_text(const GPtrArray *machines)
{
    static const char *const heads[COLUMNS] = {"NAME", "STATE", "MEMORY",
                                               "CPUS", "DISKS", "LAST RUN"};
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    GString *out = g_string_new(NULL);
    size_t width[COLUMNS];

    if (machines->len) {
        g_ptr_array_add(rows,
                        g_strdupv((char **)(const char *[]){heads[0], heads[1], heads[2], heads[3],
                                                            heads[4], heads[5], NULL}));
    }
    for (unsigned i = 0; i < machines->len; i++) {
        g_ptr_array_add(rows, list_row(g_ptr_array_index(machines, i)));
    }
    for (unsigned c = 0; c < COLUMNS; c++) {
        width[c] = 0;
        for (unsigned i = 0; i < rows->len; i++) {
            char **row = g_ptr_array_index(rows, i);
            width[c] = MAX(width[c], text_width(row[c]));
        }
    }
    for (unsigned i = 0; i < rows->len; i++) {
        char **row = g_ptr_array_index(rows, i);

        for (unsigned c = 0; c + 1 < COLUMNS; c++) {
            g_string_append_printf(out, "%s%*s", row[c], (int)(width[c] + 2 - text_width(row[c])),
                                   "");
        }
        g_string_append_printf(out, "%s\n", row[COLUMNS - 1]);
    }
    return g_string_free(out, FALSE);
}

static void line(GString *out, const char *what, const char *text)
{
    g_autofree char *clean = text_clean(text);

    g_string_append_printf(out, "%-12s %s\n", what, clean);
}

/* Call `each` for each option of the key file with all its values. */
static bool show_options(const struct library_machine *m,
                         void (*each)(void *opaque, const struct option_info *info, char **values),
                         void *opaque, GError **err)
{
    struct cvm *c = cvm_load(m->file, err);
    struct option_info info;

    for (unsigned row = 0; c && options_info(row, &info); row++) {
        g_auto(GStrv) values = cvm_get(c, row);

        if (*values) {
            each(opaque, &info, values);
        }
    }
    cvm_free(c);
    return c != NULL;
}

static void option_line(void *opaque, const struct option_info *info, char **values)
{
    for (char **v = values; *v; v++) {
        g_autofree char *clean = text_clean(*v);
        g_string_append_printf(opaque, "  %s=%s\n", info->name, clean);
    }
}

char *library_show_text(const struct library_machine *m, GError **err)
{
    GString *out = g_string_new(NULL);
    g_autofree char *memory = short_size(m->memory), *run = last_run_text(m);
    g_autofree char *state =
        m->pid ? g_strdup_printf("%s (process %ld)", library_state_name(m->state), (long)m->pid)
               : g_strdup(library_state_name(m->state));

    line(out, "name", m->name);
    line(out, "state", state);
    if (m->problem) {
        line(out, "", m->problem);
    }
    line(out, "file", m->file);
    if (m->memory) {
        g_autofree char *cpus = g_strdup_printf("%u", m->cpus);

        line(out, "memory", memory);
        line(out, "processors", cpus);
    }
    for (unsigned i = 0; i < m->disks->len; i++) {
        line(out, i ? "" : "disks", g_ptr_array_index(m->disks, i));
    }
    line(out, "last run", run);
    if (m->picture) {
        line(out, "picture", m->picture);
    }
    g_string_append(out, "options\n");
    if (!show_options(m, option_line, out, m->problem ? NULL : err) && !m->problem) {
        g_string_free(out, TRUE);
        return NULL;
    }
    return g_string_free(out, FALSE);
}

/* JSON ----------------------------------------------------------------------------------------- */

static void put_disks(JsonBuilder *b, const struct library_machine *m)
{
    json_builder_set_member_name(b, "disks");
    json_builder_begin_array(b);
    for (unsigned i = 0; i < m->disks->len; i++) {
        const char *path = g_ptr_array_index(m->disks, i);
        struct stat st;

        json_builder_begin_object(b);
        json_put_text(b, "path", path);
        json_put_bool(b, "exists", !stat(path, &st));
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    json_put_number(b, "disk_bytes", m->disk_bytes);
}

static void put_last_run(JsonBuilder *b, const struct library_machine *m)
{
    json_builder_set_member_name(b, "last_run");
    if (!m->begun) {
        json_builder_add_null_value(b);
        return;
    }
    json_builder_begin_object(b);
    json_put_time(b, "begun", m->begun);
    json_put_time(b, "ended", m->ended);
    json_put_text(b, "ending", m->ending);
    json_builder_set_member_name(b, "exit_code");
    if (m->exit_code >= 0) {
        json_builder_add_int_value(b, m->exit_code);
    } else {
        json_builder_add_null_value(b);
    }
    json_builder_end_object(b);
}

static void put_machine(JsonBuilder *b, const struct library_machine *m)
{
    json_put_text(b, "name", m->name);
    json_put_text(b, "state", library_state_name(m->state));
    json_builder_set_member_name(b, "pid");
    if (m->pid) {
        json_builder_add_int_value(b, m->pid);
    } else {
        json_builder_add_null_value(b);
    }
    json_put_text(b, "problem", m->problem);
    json_put_text(b, "folder", m->folder);
    json_put_text(b, "file", m->file);
    json_put_text(b, "picture", m->picture);
    json_put_number(b, "memory", m->memory);
    json_put_number(b, "cpus", m->cpus);
    put_disks(b, m);
    put_last_run(b, m);
}

char *library_list_json(const GPtrArray *machines)
{
    JsonBuilder *b = json_start();

    json_builder_set_member_name(b, "machines");
    json_builder_begin_array(b);
    for (unsigned i = 0; i < machines->len; i++) {
        json_builder_begin_object(b);
        put_machine(b, g_ptr_array_index(machines, i));
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    return json_finish(b);
}

static void put_option(void *opaque, const struct option_info *info, char **values)
{
    JsonBuilder *b = opaque;

    if (info->store != STORE_LIST) {
        json_put_text(b, info->name, values[0]);
        return;
    }
    json_builder_set_member_name(b, info->name);
    json_builder_begin_array(b);
    for (char **v = values; *v; v++) {
        json_add_text(b, *v);
    }
    json_builder_end_array(b);
}

/* The addresses of the cards it will have. */
static void put_macs(JsonBuilder *b, const struct library_machine *m)
{
    struct options o;

    json_builder_set_member_name(b, "mac_addresses");
    json_builder_begin_array(b);
    if (cvm_read(m->file, &o, NULL)) {
        if (!o.vm.name && m->named) {
            o.vm.name = g_strdup(m->name);
        }
        nic_give_macs(&o.vm);
        for (unsigned i = 0; i < VM_MAX_NICS; i++) {
            const struct nic_config *n = &o.vm.nics[i];

            if (n->used) {
                g_autofree char *mac = g_strdup_printf(NET_MAC_FORMAT, NET_MAC_ARGS(n->mac));
                json_add_text(b, mac);
            }
        }
    }
    json_builder_end_array(b);
    options_clear(&o);
}

char *library_show_json(const struct library_machine *m, GError **err)
{
    JsonBuilder *b = json_start();

    put_machine(b, m);
    put_macs(b, m);
    json_builder_set_member_name(b, "options");
    json_builder_begin_object(b);
    if (!show_options(m, put_option, b, m->problem ? NULL : err) && !m->problem) {
        g_object_unref(b);
        return NULL;
    }
    json_builder_end_object(b);
    return json_finish(b);
}
