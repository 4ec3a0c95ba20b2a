/*
 * Deleting and renaming machines, and who depends on whom.
 *
 * A machine's own are its key file, its record of runs, its picture, and the disks and floppies of
 * its key file that are regular files in its folder, with the parents that they have there.
 * Everything else in the folder is somebody's: CDs, captures, notes.  It stays.
 */
#define _GNU_SOURCE /* renameat2, canonical paths */
#include "ui/library_int.h"
#include "ui/parse.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Images --------------------------------------------------------------------------------------- */

/* Add a path if it is a regular file in the (real) folder, under its own name. */
static void images_add(GPtrArray *images, const char *folder, const char *path)
{
    g_autofree char *real = realpath(path, NULL); /* malloc's, as g_free's since glib 2.46 */
    size_t len = strlen(folder);
    struct stat st;

    if (real && !strncmp(real, folder, len) && real[len] == '/' && !lstat(real, &st) &&
        S_ISREG(st.st_mode) && !g_ptr_array_find_with_equal_func(images, real, g_str_equal, NULL)) {
        g_ptr_array_add(images, g_steal_pointer(&real));
    }
}

/* The image and, as far as they are found, its parents: call `each`. */
static void image_chain(const char *path, enum drive_format format,
                        void (*each)(void *opaque, const char *path), void *opaque)
{
    struct disk_info *info = disk_info_new(path, format, NULL);

    each(opaque, path);
    for (unsigned i = 0; info && info->chain && i < info->chain->len; i++) {
        each(opaque, g_ptr_array_index(info->chain, i));
    }
    disk_info_free(info);
}

struct own {
    GPtrArray *images;
    char *folder;
};

static void own_add(void *opaque, const char *path)
{
    struct own *own = opaque;

    images_add(own->images, own->folder, path);
}

/* Call `each` for the images of all drives of a machine but CDs. */
static void machine_images(const char *file, void (*each)(void *opaque, const char *path),
                           void *opaque)
{
    struct options o;

    if (cvm_read(file, &o, NULL)) {
        for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
            const struct drive_config *d = &o.vm.drives[i];

            if (d->used && d->file && d->media == DRIVE_DISK) {
                image_chain(d->file, d->format, each, opaque);
            }
        }
    }
    options_clear(&o);
}

char **library_own_images(const struct place *p)
{
    struct own own = {.images = g_ptr_array_new(), .folder = realpath(p->folder, NULL)};

    if (own.folder) {
        machine_images(p->file, own_add, &own);
    }
    g_free(own.folder);
    g_ptr_array_add(own.images, NULL);
    return (char **)g_ptr_array_free(own.images, FALSE);
}

/* Dependents ----------------------------------------------------------------------------------- */

struct needs {
    char *const *files;
    char *found; /* one that is needed */
};

static void needs_look(void *opaque, const char *path)
{
    struct needs *needs = opaque;
    g_autofree char *real = realpath(path, NULL);

    if (real && !needs->found && g_strv_contains((const gchar *const *)needs->files, real)) {
        needs->found = g_steal_pointer(&real);
    }
}

bool library_check_dependents(const char *name, char *const *files, const char *what, GError **err)
{
    g_autoptr(GPtrArray) all = library_list();

    for (unsigned i = 0; *files && i < all->len; i++) {
        const struct library_machine *m = g_ptr_array_index(all, i);
        struct needs needs = {.files = files};

        if (!strcmp(m->name, name)) {
            continue;
        }
        machine_images(m->file, needs_look, &needs);
        if (needs.found) {
            library_fail(
                err,
                "%s must not be %s: machine %s depends on its disk %s; delete that machine "
                "first, or give it a disk of its own (candela disk convert)",
                name, what, m->name, needs.found);
            g_free(needs.found);
            return false;
        }
    }
    return true;
}

/* Deleting ------------------------------------------------------------------------------------- */

static bool check_folder(const struct place *p, const char *what, GError **err)
{
    struct stat st;

    if (!p->named) {
        return parse_fail(err,
                          "%s: only machines of the library can be %s here; this one is a file of "
                          "yours",
                          p->file, what);
    }
    if (lstat(p->folder, &st)) {
        return library_fail(err, "%s: %s", p->folder, g_strerror(errno));
    }
    return S_ISDIR(st.st_mode) ||
           library_fail(err, "%s: %s is a link to another folder: see to both yourself", p->name,
                        p->folder);
}

static char **delete_list(const struct place *p, GError **err)
{
    g_auto(GStrv) images = library_own_images(p);
    const char *const others[] = {p->state, p->picture, p->file};
    GPtrArray *list;
    struct stat st;

    if (!library_check_dependents(p->name, images, "deleted", err)) {
        return NULL;
    }
    list = g_ptr_array_new();
    for (char **i = images; *i; i++) {
        g_ptr_array_add(list, g_strdup(*i));
    }
    for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
        if (!lstat(others[i], &st)) {
            g_ptr_array_add(list, g_strdup(others[i]));
        }
    }
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_free(list, FALSE);
}

char **library_delete_list(const char *name, GError **err)
{
    char **list = NULL;
    struct place p;

    if (library_place_find(&p, name, err)) {
        list = check_folder(&p, "deleted", err) ? delete_list(&p, err) : NULL;
        library_place_clear(&p);
    }
    return list;
}

/* What is in a folder, for a message. */
static char *folder_text(const char *folder)
{
    GString *out = g_string_new(NULL);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_string_append_printf(out, "%s%s", out->len ? ", " : "", name);
    }
    g_clear_pointer(&dir, g_dir_close);
    return g_string_free(out, FALSE);
}

static bool delete_files(const struct place *p, char **list, char **note, GError **err)
{
    for (char **file = list; *file; file++) {
        if (unlink(*file) && errno != ENOENT) {
            return library_fail(err, "%s: cannot remove %s: %s", p->name, *file, g_strerror(errno));
        }
    }
    unlink(p->log);
    if (rmdir(p->folder) && note) {
        g_autofree char *rest = folder_text(p->folder);

        *note = g_strdup_printf("%s stays, as there is more in it: %s", p->folder, rest);
    }
    return true;
}

bool library_delete(const char *name, char **note, GError **err)
{
    g_auto(GStrv) list = NULL;
    struct place p;
    int lock = -1;

    if (note) {
        *note = NULL;
    }
    if (!library_place_find(&p, name, err)) {
        return false;
    }
    if (check_folder(&p, "deleted", err) && (lock = library_place_lock(&p, false, err)) >= 0) {
        list = delete_list(&p, err);
    }
    bool good = list && delete_files(&p, list, note, err);
    library_place_end(&p, lock, !good);
    library_place_clear(&p);
    return good;
}

/* Renaming ------------------------------------------------------------------------------------- */

static bool rename_locked(const struct place *from, const struct place *to, GError **err)
{
    g_auto(GStrv) images = library_own_images(from);

    if (!library_check_dependents(from->name, images, "renamed", err)) {
        return false;
    }
    rename(from->log, to->log);
    return library_end_folder(to, from->folder, err);
}

bool library_rename(const char *name, const char *to, GError **err)
{
    struct place old, new;
    int lock = -1, new_lock = -1;
    bool good = false;

    if (!library_place_find(&old, name, err)) {
        return false;
    }
    if (!library_place_new(&new, to, err)) {
        library_place_clear(&old);
        return false;
    }
    if (check_folder(&old, "renamed", err) && (lock = library_place_lock(&old, false, err)) >= 0 &&
        (new_lock = library_place_lock(&new, false, err)) >= 0) {
        good = rename_locked(&old, &new, err);
    }
    library_place_end(&old, lock, !good);
    library_place_end(&new, new_lock, good);
    library_place_clear(&old);
    library_place_clear(&new);
    return good;
}
