/*
 * Making machines and changing their options.
 */
#define _GNU_SOURCE /* renameat2 */
#include "ui/library_int.h"
#include "ui/parse.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Options -------------------------------------------------------------------------------------- */

static bool put_values(struct cvm *c, unsigned row, const struct library_option *options,
                       GError **err)
{
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);

    for (const struct library_option *o = options; o->name; o++) {
        if (o->value && options_find(o->name) == (int)row) {
            g_ptr_array_add(values, cvm_adopt(c, row, o->value));
        }
    }
    g_ptr_array_add(values, NULL);
    return cvm_put(c, row, (char *const *)values->pdata, err);
}

bool library_put_options(struct cvm *c, const struct library_option *options, GError **err)
{
    for (const struct library_option *o = options; o && o->name; o++) {
        int row = options_find(o->name);

        /* A key that nobody knows can still be taken out. */
        if (row < 0 && !o->value && cvm_remove(c, o->name)) {
            continue;
        }
        row = library_option_row(o->name, err);
        if (row < 0 || !put_values(c, (unsigned)row, options, err)) {
            return false;
        }
    }
    return true;
}

/* Whether a machine comes of it; what is wrong with it is the caller's, not the file's. */
static bool check_outcome(const struct cvm *c, GError **err)
{
    struct options o;
    GError *why = NULL;
    bool good;

    options_init(&o);
    good = cvm_check(c, &o, &why);
    options_clear(&o);
    if (!good) {
        parse_fail(err, "%s", why->message);
        g_error_free(why);
    }
    return good;
}

bool library_edit_held(const struct place *p, const struct library_option *options, GError **err)
{
    struct cvm *c = cvm_load(p->file, err);
    bool good =
        c && library_put_options(c, options, err) && check_outcome(c, err) && cvm_save(c, err);

    cvm_free(c);
    return good;
}

bool library_edit(const char *what, const struct library_option *options, GError **err)
{
    struct place p;
    bool good;
    int lock;

    if (!library_place_find(&p, what, err)) {
        return false;
    }
    lock = library_place_lock(&p, false, err);
    good = lock >= 0 && library_edit_held(&p, options, err);
    library_place_unlock(lock);
    library_place_clear(&p);
    return good;
}

/* Folders -------------------------------------------------------------------------------------- */

char *library_begin_folder(const struct place *p, GError **err)
{
    g_autofree char *machines = library_folder();
    char *work = g_build_filename(machines, ".new-XXXXXX", NULL);

    if (!library_make_folder(machines, err)) {
        g_free(work);
        return NULL;
    }
    if (!g_mkdtemp_full(work, 0700)) {
        library_fail(err, "%s: cannot make a folder in %s: %s", p->name, machines,
                     g_strerror(errno));
        g_free(work);
        return NULL;
    }
    return work;
}

bool library_end_folder(const struct place *p, const char *work, GError **err)
{
    struct stat st;

    if (!renameat2(AT_FDCWD, work, AT_FDCWD, p->folder, RENAME_NOREPLACE)) {
        return true;
    }
    /* Not every file system can refuse to replace: then a look beforehand must do. */
    if (errno == EINVAL && lstat(p->folder, &st) && errno == ENOENT && !rename(work, p->folder)) {
        return true;
    }
    return library_fail(err, "%s: cannot make %s: %s", p->name, p->folder, g_strerror(errno));
}

void library_drop_folder(const char *work)
{
    GDir *dir = g_dir_open(work, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(work, name, NULL);
        unlink(path);
    }
    g_clear_pointer(&dir, g_dir_close);
    rmdir(work);
}

/* Making --------------------------------------------------------------------------------------- */

static bool check_is_new(const struct place *p, GError **err)
{
    const char *path = p->named ? p->folder : p->file;
    struct stat st;

    if (lstat(path, &st)) {
        return errno == ENOENT || library_fail(err, "%s: %s", path, g_strerror(errno));
    }
    if (p->named && !library_place_check(p, NULL)) {
        return library_fail(err,
                            "%s: this folder is there, but no machine in it; remove it, or choose "
                            "another name than '%s'",
                            path, p->name);
    }
    return p->named
               ? library_fail(err,
                              "there is a machine '%s' already; choose another name, or remove "
                              "it first (candela delete %s)",
                              p->name, p->name)
               : library_fail(err, "%s is there already; choose another name", p->file);
}

/* The new disk of the machine, in the folder of its key file. */
static bool make_disk(const struct place *p, struct cvm *c, uint64_t bytes, GError **err)
{
    g_autofree char *name = g_strconcat(p->name, ".vhd", NULL);
    g_autofree char *path = g_build_filename(cvm_folder(c), name, NULL);
    const struct disk_create_args disk = {.path = path, .kind = DISK_DYNAMIC, .size = bytes};
    unsigned row = (unsigned)options_find("hda");
    g_auto(GStrv) had = cvm_get(c, row);
    char *const values[] = {name, NULL};

    if (*had) {
        return parse_fail(err,
                          "hda is given (%s), and a new disk wants the same place: leave one of "
                          "them out, or give hdb",
                          *had);
    }
    return cvm_put(c, row, values, err) && check_outcome(c, err) && disk_create(&disk, err);
}

/* What is in the key file of a new machine. */
static bool fill_new(const struct place *p, struct cvm *c, const struct library_create_args *a,
                     GError **err)
{
    g_autofree char *uuid = g_uuid_string_random();
    unsigned row = (unsigned)options_find("uuid");
    char *const values[] = {uuid, NULL};

    return cvm_put(c, row, values, err) && library_put_options(c, a->options, err) &&
           (a->disk_bytes ? make_disk(p, c, a->disk_bytes, err) : check_outcome(c, err)) &&
           cvm_save(c, err);
}

static bool create_named(const struct place *p, const struct library_create_args *a, GError **err)
{
    g_autofree char *work = library_begin_folder(p, err);
    g_autofree char *file = work ? g_build_filename(work, "machine.cvm", NULL) : NULL;
    struct cvm *c = work ? cvm_new(file) : NULL;
    bool good = c && fill_new(p, c, a, err) && library_end_folder(p, work, err);

    cvm_free(c);
    if (work && !good) {
        library_drop_folder(work);
    }
    return good;
}

static bool create_file(const struct place *p, const struct library_create_args *a, GError **err)
{
    struct cvm *c = cvm_new(p->file);
    bool good = fill_new(p, c, a, err);

    cvm_free(c);
    return good;
}

bool library_create(const struct library_create_args *a, GError **err)
{
    struct place p;
    bool good;
    int lock;

    if (!library_place_init(&p, a->what, err)) {
        return false;
    }
    if (!p.named && !g_str_has_suffix(p.file, ".cvm")) {
        parse_fail(err, "%s: the name of a machine's file ends in .cvm", a->what);
        library_place_clear(&p);
        return false;
    }
    lock = check_is_new(&p, err) ? library_place_lock(&p, false, err) : -1;
    good = lock >= 0 && check_is_new(&p, err) &&
           (p.named ? create_named(&p, a, err) : create_file(&p, a, err));
    library_place_end(&p, lock, good);
    library_place_clear(&p);
    return good;
}
