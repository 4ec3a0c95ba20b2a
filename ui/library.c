/*
 * The machine library: what machines there are and how they are.
 */
#include "ui/library.h"
#include "ui/library_int.h"
#include "ui/parse.h"
#include "ui/text.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

const char *library_state_name(enum library_state state)
{
    static const char *const names[] = {"off", "starting", "running", "paused", "broken"};

    return names[state];
}

void library_machine_free(struct library_machine *m)
{
    if (m) {
        g_free(m->name);
        g_free(m->what);
        g_free(m->folder);
        g_free(m->file);
        g_free(m->problem);
        g_free(m->picture);
        g_free(m->ending);
        g_ptr_array_unref(m->disks);
        g_free(m);
    }
}

/* One machine ---------------------------------------------------------------------------------- */

/* What the process that runs it says: place.run/status. */
static enum library_state state_of_run(const struct place *p)
{
    g_autofree char *path = g_build_filename(p->run, LIBRARY_STATUS, NULL), *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return LIBRARY_STARTING;
    }
    g_strchomp(text);
    for (enum library_state s = LIBRARY_RUNNING; s <= LIBRARY_PAUSED; s++) {
        if (!strcmp(text, library_state_name(s))) {
            return s;
        }
    }
    return LIBRARY_STARTING;
}

enum library_state library_place_state(const struct place *p, pid_t *pid)
{
    struct holder h;
    bool held = library_place_holder(p, &h);

    *pid = held ? h.pid : 0;
    return !held ? LIBRARY_OFF : h.runs ? state_of_run(p) : LIBRARY_STARTING;
}

static void look_disk(struct library_machine *m, const struct drive_config *d)
{
    struct stat st;

    g_ptr_array_add(m->disks, g_strdup(d->file));
    if (!stat(d->file, &st) && S_ISREG(st.st_mode)) {
        m->disk_bytes += (uint64_t)st.st_blocks * 512;
    }
}

static void look_options(struct library_machine *m, const struct options *o)
{
    m->memory = o->vm.memory;
    m->cpus = o->vm.cpus;
    for (unsigned place = 0; place < VM_MAX_DRIVES; place++) {
        for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
            const struct drive_config *d = &o->vm.drives[i];

            if (d->used && d->file && d->interface == DRIVE_IDE && d->media == DRIVE_DISK &&
                d->index == place) {
                look_disk(m, d);
            }
        }
    }
}

static void look_file(struct library_machine *m, const struct place *p)
{
    GError *why = NULL;
    struct options o;

    if (cvm_read(p->file, &o, &why)) {
        look_options(m, &o);
    }
    options_clear(&o);
    if (why) {
        m->problem = g_strdup(why->message);
        m->state = m->state == LIBRARY_OFF ? LIBRARY_BROKEN : m->state;
        g_error_free(why);
    }
}

static int64_t time_of_key(GKeyFile *keys, const char *key)
{
    g_autofree char *text = g_key_file_get_string(keys, "run", key, NULL);
    g_autoptr(GDateTime) t = text ? g_date_time_new_from_iso8601(text, NULL) : NULL;

    return t ? MAX(g_date_time_to_unix(t), 0) : 0;
}

/* The record of runs, which ui/library_run.c writes. */
static void look_runs(struct library_machine *m, const struct place *p)
{
    g_autoptr(GKeyFile) keys = g_key_file_new();
    bool up = m->state >= LIBRARY_STARTING && m->state <= LIBRARY_PAUSED;
    struct stat st;

    m->exit_code = -1;
    if (stat(p->state, &st) || !S_ISREG(st.st_mode) || st.st_size > 64 * 1024 ||
        !g_key_file_load_from_file(keys, p->state, G_KEY_FILE_NONE, NULL)) {
        return;
    }
    m->begun = time_of_key(keys, "begun");
    m->ended = time_of_key(keys, "ended");
    g_autofree char *ending = g_key_file_get_string(keys, "run", "ending", NULL);
    if (ending) {
        m->ending = text_clean(ending);
        m->exit_code = g_key_file_get_integer(keys, "run", "exit-code", NULL);
    } else if (m->begun && !up) {
        m->ending = g_strdup("killed, or the host went down");
    }
}

static struct library_machine *look(const struct place *p)
{
    struct library_machine *m = g_new0(struct library_machine, 1);
    struct stat st;

    m->name = g_strdup(p->name);
    m->what = g_strdup(p->what);
    m->folder = g_strdup(p->folder);
    m->file = g_strdup(p->file);
    m->named = p->named;
    m->disks = g_ptr_array_new_with_free_func(g_free);
    m->state = library_place_state(p, &m->pid);
    look_file(m, p);
    look_runs(m, p);
    if (!stat(p->picture, &st) && S_ISREG(st.st_mode)) {
        m->picture = g_strdup(p->picture);
        m->pictured = st.st_mtime;
    }
    return m;
}

struct library_machine *library_look(const char *what, GError **err)
{
    struct library_machine *m;
    struct place p;

    if (!library_place_find(&p, what, err)) {
        return NULL;
    }
    m = look(&p);
    library_place_clear(&p);
    return m;
}

/* All of them ---------------------------------------------------------------------------------- */

static gint compare_machines(gconstpointer a, gconstpointer b)
{
    const struct library_machine *const *ma = a, *const *mb = b;
    g_autofree char *ka = g_utf8_collate_key_for_filename((*ma)->name, -1);
    g_autofree char *kb = g_utf8_collate_key_for_filename((*mb)->name, -1);

    return strcmp(ka, kb);
}

GPtrArray *library_list(void)
{
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)library_machine_free);
    g_autofree char *folder = library_folder();
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        struct library_machine *m =
            library_name_check(name, NULL) ? library_look(name, NULL) : NULL;

        if (m) {
            g_ptr_array_add(all, m);
        }
    }
    g_clear_pointer(&dir, g_dir_close);
    g_ptr_array_sort(all, compare_machines);
    return all;
}

/* The folder, if it is there, and the folders in it. */
static void watch_add(GPtrArray *all, const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    if (!dir) {
        return;
    }
    g_ptr_array_add(all, g_strdup(folder));
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
            g_ptr_array_add(all, g_steal_pointer(&path));
        }
    }
    g_dir_close(dir);
}

char **library_watch_folders(void)
{
    GPtrArray *all = g_ptr_array_new();
    g_autofree char *machines = library_folder(), *runs = library_place_run_root(NULL);

    library_make_folder(machines, NULL);
    watch_add(all, machines);
    if (runs) {
        watch_add(all, runs);
    }
    g_ptr_array_add(all, NULL);
    return (char **)g_ptr_array_free(all, FALSE);
}

char *library_new_name(const char *like)
{
    g_autofree char *folder = library_folder();

    for (unsigned n = 1;; n++) {
        g_autofree char *name = n == 1 ? g_strdup(like) : g_strdup_printf("%s %u", like, n);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat st;

        if (lstat(path, &st)) {
            return g_steal_pointer(&name);
        }
    }
}

/* Options -------------------------------------------------------------------------------------- */

int library_option_row(const char *name, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    int row = options_find(name);
    const char *nearest;

    if (row >= 0) {
        return row;
    }
    for (unsigned i = 0; options_name(i); i++) {
        g_ptr_array_add(names, (char *)options_name(i));
    }
    g_ptr_array_add(names, NULL);
    nearest = parse_nearest(name, (const char *const *)names->pdata);
    parse_fail(err, "unknown option '%s'%s%s (candela run --help lists all)", name,
               nearest ? "; nearest: " : "", nearest ? nearest : "");
    return -1;
}

char **library_get(const char *what, const char *option, GError **err)
{
    int row = library_option_row(option, err);
    char **values = NULL;
    struct place p;

    if (row >= 0 && library_place_find(&p, what, err)) {
        struct cvm *c = cvm_load(p.file, err);

        values = c ? cvm_get(c, (unsigned)row) : NULL;
        cvm_free(c);
        library_place_clear(&p);
    }
    return values;
}
