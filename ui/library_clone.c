/*
 * Cloning machines.
 *
 * A full clone gets copies of all disks and floppies.  A linked one gets differencing disks over
 * the old machine's.  A disk that others are built on must not change any more, so the old machine
 * goes on in new differencing disks, too; where its own holds nothing yet, the clone is built on
 * that one's parent, so that a class of clones does not make a tower.
 *
 * CDs, kernels, firmware, and disks that are only read or whose changes are forgotten are shared.
 */
#include "ui/library_int.h"
#include "ui/drive.h"
#include "ui/parse.h"
#include <sys/stat.h>
#include <unistd.h>

struct clone {
    const struct library_clone_args *a;
    struct place from, to;
    struct cvm *old, *new;
    const char *work; /* the new folder until it is ready */
    bool is_disk;     /* of the value under way: it gets an image of its own */
    bool is_floppy;
    enum drive_format format;
    char *replaced; /* path in the old machine's value that changes, and what to */
    char *replacement;
    bool moved;      /* such a value is in the option under way */
    GPtrArray *made; /* images made for the old machine, which it does not know of yet */
    bool old_changed;
    GError *err;
};

/* Values --------------------------------------------------------------------------------------- */

/* What the value of option `name` is about: a disk or floppy of the machine's own, or not. */
static void clone_judge(struct clone *c, const char *name, const char *value)
{
    c->format = DRIVE_FORMAT_AUTO;
    c->is_floppy = g_str_has_prefix(name, "fd");
    c->is_disk = c->is_floppy || (g_str_has_prefix(name, "hd") && strlen(name) == 3);
    if (!strcmp(name, "drive")) {
        struct drive_request *r = drive_parse(name, value, NULL);

        c->is_disk = r && r->config.file && r->config.media == DRIVE_DISK && !r->config.readonly &&
                     !r->config.snapshot;
        c->is_floppy = c->is_disk && r->config.interface == DRIVE_FLOPPY;
        c->format = r ? r->config.format : DRIVE_FORMAT_AUTO;
        drive_request_free(r);
    }
}

/* A name that is free in a folder: `stem`, or with a number. */
static char *free_name(const char *folder, const char *stem, const char *ending, unsigned from)
{
    for (unsigned n = from;; n++) {
        g_autofree char *name =
            n < 2 ? g_strconcat(stem, ending, NULL) : g_strdup_printf("%s-%u%s", stem, n, ending);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat st;

        if (lstat(path, &st)) {
            return g_steal_pointer(&path);
        }
    }
}

/* The path of the clone's image: called as the old one's, with the machine's name changed. */
static char *clone_image_path(const struct clone *c, const char *path, const char *ending)
{
    g_autofree char *base = g_path_get_basename(path);
    char *dot = strrchr(base, '.');
    g_autofree char *own = g_strdup(dot && dot != base ? dot : "");
    g_autofree char *stem = NULL;

    if (*own) {
        *dot = '\0';
    }
    stem = g_str_has_prefix(base, c->from.name)
               ? g_strconcat(c->to.name, base + strlen(c->from.name), NULL)
               : g_strdup(base);
    return free_name(c->work, stem, ending ? ending : own, 1);
}

/* Images --------------------------------------------------------------------------------------- */

static bool clone_copy(struct clone *c, const char *path, char **to)
{
    struct disk_info *info = disk_info_new(path, c->format, &c->err);
    struct disk_convert_args args = {.source = path, .source_format = c->format};
    bool good = false;

    if (info) {
        args.kind = info->kind == DISK_DIFFERENCING ? DISK_DYNAMIC : info->kind;
        args.target = *to = clone_image_path(c, path, NULL);
        good = disk_convert(&args, c->a->watch, &c->err);
    }
    disk_info_free(info);
    return good;
}

static bool make_child(const char *parent, const char *path, GError **err)
{
    const struct disk_create_args args = {
        .path = path, .kind = DISK_DIFFERENCING, .parent = parent};

    return disk_create(&args, err);
}

/* The old machine goes on in a new disk over its own. */
static bool clone_move_on(struct clone *c, const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path), *base = g_path_get_basename(path);
    char *dot = strrchr(base, '.');

    if (dot && dot != base) {
        *dot = '\0';
    }
    c->replaced = g_strdup(path);
    c->replacement = free_name(folder, base, ".vhd", 2);
    if (!make_child(path, c->replacement, &c->err)) {
        return false;
    }
    g_ptr_array_add(c->made, g_strdup(c->replacement));
    return true;
}

static bool clone_link(struct clone *c, const char *path, char **to)
{
    struct disk_info *info = disk_info_new(path, c->format, &c->err);
    const char *base = path;
    bool good = info != NULL;

    if (good && info->kind == DISK_RAW) {
        good = parse_fail(&c->err,
                          "%s: %s is a raw image, over which no differencing disk can be: make a "
                          "VHD of it first (candela disk convert), or clone without --linked",
                          c->from.name, path);
    } else if (good && info->use == DISK_WRITTEN) {
        good =
            library_fail(&c->err, "%s: %s is in use; close what uses it first", c->from.name, path);
    } else if (good && info->kind == DISK_DIFFERENCING && !info->blocks_used && info->parent.path &&
               !info->parent.problem) {
        base = info->parent.path;
    } else if (good) {
        good = clone_move_on(c, path);
    }
    *to = good ? clone_image_path(c, path, ".vhd") : NULL;
    good = good && make_child(base, *to, &c->err);
    disk_info_free(info);
    return good;
}

/* What the clone has in place of an (absolute) path; NULL with c->err. */
static char *clone_path(const char *path, void *opaque)
{
    struct clone *c = opaque;
    g_autofree char *to = NULL;
    bool good;

    if (c->err || !c->is_disk) {
        return g_strdup(path);
    }
    good = c->a->linked && !c->is_floppy ? clone_link(c, path, &to) : clone_copy(c, path, &to);
    return good ? g_path_get_basename(to) : g_strdup(path);
}

static char *clone_replace(const char *path, void *opaque)
{
    struct clone *c = opaque;
    g_autofree char *absolute =
        g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(c->from.folder, path, NULL);

    return g_strdup(!strcmp(absolute, c->replaced) ? c->replacement : path);
}

/* The old machine's value where its disk was replaced. */
static char *clone_old_value(struct clone *c, unsigned row, const char *value)
{
    g_autofree char *changed =
        c->replaced ? cvm_map_paths(row, value, clone_replace, c) : g_strdup(value);

    if (c->replaced) {
        c->moved = c->old_changed = true;
        g_clear_pointer(&c->replaced, g_free);
        g_clear_pointer(&c->replacement, g_free);
        return cvm_adopt(c->old, row, changed);
    }
    return g_steal_pointer(&changed);
}

/* Options -------------------------------------------------------------------------------------- */

/* A card's value without its address. */
static char *clone_nic(const char *value)
{
    g_auto(GStrv) words = parse_commas(value);
    GString *out = g_string_new(NULL);

    for (char **w = words; *w; w++) {
        g_autofree char *escaped = parse_comma_word(*w);

        if (!g_str_has_prefix(*w, "mac=") && !g_str_has_prefix(*w, "macaddr=")) {
            g_string_append_printf(out, "%s%s", out->len ? "," : "", escaped);
        }
    }
    return g_string_free(out, FALSE);
}

/* Files that are read are shared, others are the clone's own. */
static bool is_shared(const char *name)
{
    static const char *const shared[] = {"cdrom", "kernel", "initrd", "bios", "drive", NULL};

    return g_strv_contains(shared, name);
}

static char *clone_value(struct clone *c, unsigned row, const char *name, const char *value)
{
    clone_judge(c, name, value);
    if (!strcmp(name, "nic")) {
        return clone_nic(value);
    }
    if (!c->is_disk && !is_shared(name)) {
        return g_strdup(value);
    }
    g_autofree char *absolute = cvm_resolve(c->old, row, value);
    return cvm_map_paths(row, absolute, clone_path, c);
}

static bool clone_option(struct clone *c, unsigned row, const char *name)
{
    g_auto(GStrv) values = cvm_get(c->old, row);
    g_autoptr(GPtrArray) mine = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) olds = g_ptr_array_new_with_free_func(g_free);

    c->moved = false;
    for (char **v = values; *v && !c->err; v++) {
        g_ptr_array_add(mine, clone_value(c, row, name, *v));
        g_ptr_array_add(olds, clone_old_value(c, row, *v));
    }
    g_ptr_array_add(mine, NULL);
    g_ptr_array_add(olds, NULL);
    return !c->err && (!*values || cvm_put(c->new, row, (char *const *)mine->pdata, &c->err)) &&
           (!c->moved || cvm_put(c->old, row, (char *const *)olds->pdata, &c->err));
}

static bool clone_options(struct clone *c)
{
    g_autofree char *uuid = g_uuid_string_random();
    char *const values[] = {uuid, NULL};
    struct option_info info;

    for (unsigned row = 0; options_info(row, &info); row++) {
        if (info.store != STORE_NOT && strcmp(info.name, "name") && strcmp(info.name, "uuid") &&
            !clone_option(c, row, info.name)) {
            return false;
        }
    }
    return cvm_put(c->new, (unsigned)options_find("uuid"), values, &c->err);
}

/* A key file that is no machine must not be half cloned. */
static bool clone_check_old(struct clone *c)
{
    struct options o;
    bool good;

    options_init(&o);
    c->old = cvm_load(c->from.file, &c->err);
    good = c->old && cvm_check(c->old, &o, &c->err);
    options_clear(&o);
    return good;
}

static bool clone_make(struct clone *c)
{
    g_autofree char *work = clone_check_old(c) ? library_begin_folder(&c->to, &c->err) : NULL;
    g_autofree char *file = work ? g_build_filename(work, "machine.cvm", NULL) : NULL;
    bool good;

    if (!work) {
        return false;
    }
    c->work = work;
    c->new = cvm_new(file);
    /* The old one first: it must not write any more to what the clone is built on. */
    good = clone_options(c) && cvm_save(c->new, &c->err) &&
           (!c->old_changed || cvm_save(c->old, &c->err));
    if (good) {
        g_ptr_array_set_size(c->made, 0);
        good = library_end_folder(&c->to, work, &c->err);
    }
    if (!good) {
        library_drop_folder(work);
    }
    for (unsigned i = 0; i < c->made->len; i++) {
        unlink(g_ptr_array_index(c->made, i));
    }
    return good;
}

static bool clone_init(struct clone *c)
{
    return library_place_find(&c->from, c->a->from, &c->err) &&
           library_place_new(&c->to, c->a->to, &c->err);
}

bool library_clone(const struct library_clone_args *a, GError **err)
{
    struct clone c = {.a = a, .made = g_ptr_array_new_with_free_func(g_free)};
    int lock = -1, new_lock = -1;
    bool good = clone_init(&c) && (lock = library_place_lock(&c.from, false, &c.err)) >= 0 &&
                (new_lock = library_place_lock(&c.to, false, &c.err)) >= 0 && clone_make(&c);

    library_place_end(&c.to, new_lock, good);
    library_place_unlock(lock);
    cvm_free(c.old);
    cvm_free(c.new);
    library_place_clear(&c.from);
    library_place_clear(&c.to);
    g_free(c.replaced);
    g_free(c.replacement);
    g_ptr_array_unref(c.made);
    if (c.err) {
        g_propagate_error(err, c.err);
    }
    return good;
}
