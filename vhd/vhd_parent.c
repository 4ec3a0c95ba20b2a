/*
 * The parent of a differencing disk: where it is looked for, and whether it is the right one.
 *
 * A child names its parent by a path relative to its own folder, an absolute one, and its file name
 * alone.  Windows paths are read as host paths: a drive's or a share's folder means nothing here,
 * so such a file is looked for beside the child.
 *
 * The right parent has the identifier the child recorded.  Whether it was changed since is told by
 * the time of the file's last change, which the child recorded too (Windows' tools of today write
 * 0: nothing is recorded, nothing compared).  One second earlier is let pass, as FAT rounds down.
 *
 * Not modelled: folders that Windows would know (drive letters, shares, volume names).
 */
#include "vhd/image.h"
#include <errno.h>
#include <sys/stat.h>

static void add_path(GPtrArray *paths, const char *folder, const char *name)
{
    g_autofree char *path = NULL;

    if (!*name) {
        return;
    }
    path = g_path_is_absolute(name) ? g_strdup(name) : g_build_filename(folder, name, NULL);
    if (!g_ptr_array_find_with_equal_func(paths, path, g_str_equal, NULL)) {
        g_ptr_array_add(paths, g_steal_pointer(&path));
    }
}

/* What is behind the last '/' of a path. */
static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool has_drive(const char *path)
{
    return g_ascii_isalpha(path[0]) && path[1] == ':';
}

static void add_name(GPtrArray *paths, const char *folder, char *name)
{
    g_strdelimit(name, "\\", '/');
    if (g_str_has_prefix(name, "./")) {
        name += 2;
    }
    if (!has_drive(name) && !g_str_has_prefix(name, "//")) {
        add_path(paths, folder, name);
    }
    add_path(paths, folder, last_part(name));
}

/* A locator's text, or NULL. */
static char *read_locator(struct image *img, const struct vhd_locator *l, const char *platform)
{
    bool is_url = !strcmp(platform, VHD_PLATFORM_MAC);

    if (memcmp(l->platform, platform, sizeof l->platform) != 0 || !l->length ||
        l->length > VHD_LOCATOR_MAX_BYTES || l->offset > img->file_size ||
        l->length > img->file_size - l->offset) {
        return NULL;
    }
    g_autofree uint8_t *bytes = g_malloc0(l->length + 1u);
    if (file_read_at(&img->file, bytes, l->length, l->offset)) {
        return NULL;
    }
    if (!is_url) {
        return vhd_text_read(bytes, l->length, false);
    }
    const char *text = (const char *)bytes;
    text += g_str_has_prefix(text, "file://localhost/") ? strlen("file://localhost")
            : g_str_has_prefix(text, "file://")         ? strlen("file://")
                                                        : 0;
    return g_uri_unescape_string(text, "/");
}

static char *child_folder(const struct image *img)
{
    g_autofree char *path = g_canonicalize_filename(img->path, NULL);

    return g_path_get_dirname(path);
}

GPtrArray *vhd_parent_candidates(struct image *img)
{
    static const char *const platforms[] = {VHD_PLATFORM_REL, VHD_PLATFORM_ABS, VHD_PLATFORM_MAC};
    const struct vhd_header *h = &img->vhd->header;
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *folder = child_folder(img);
    g_autofree char *name = vhd_text_read(h->parent_name, sizeof h->parent_name, true);

    for (unsigned p = 0; p < ARRAY_LEN(platforms); p++) {
        for (unsigned i = 0; i < VHD_LOCATORS; i++) {
            g_autofree char *text = read_locator(img, &h->locators[i], platforms[p]);

            if (text) {
                add_name(paths, folder, text);
            }
        }
    }
    if (name) {
        add_name(paths, folder, name);
    }
    return paths;
}

bool vhd_parent_is_unchanged(const struct vhd_header *h, int parent_fd)
{
    struct stat st;

    if (!h->parent_timestamp || fstat(parent_fd, &st)) {
        return true;
    }
    uint32_t now = vhd_timestamp(st.st_mtim.tv_sec);
    return now == h->parent_timestamp || now + 1 == h->parent_timestamp;
}

/* NULL: it is the parent.  Else what is wrong with it and what to do; the caller frees. */
static char *check_parent(const struct image *img, const struct image *parent)
{
    const struct vhd_header *h = &img->vhd->header;
    char is[37], must[37];

    if (memcmp(parent->vhd->footer.uuid, h->parent_uuid, sizeof h->parent_uuid) != 0) {
        vhd_uuid_print(parent->vhd->footer.uuid, is);
        vhd_uuid_print(h->parent_uuid, must);
        return g_strdup_printf("is another image: its identifier is %s, the parent's is %s; put "
                               "the parent there",
                               is, must);
    }
    if (vhd_parent_is_unchanged(h, parent->file.fd)) {
        return NULL;
    }
    return g_strdup_printf(
        "was changed after the child was made from it, so the child does not fit any more; bring "
        "back the parent as it was (if only its date is another, as after copying: touch -d @%lld)",
        (long long)vhd_unix_time(h->parent_timestamp));
}

static void set_parent_error(const struct image *img, const char *path, const char *what,
                             GError **err)
{
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FORMAT, "%s: its parent %s %s", img->path, path,
                what);
}

static bool no_parent(struct image *img, const GPtrArray *paths, GError **err)
{
    g_autoptr(GString) all = g_string_new(NULL);

    for (guint i = 0; i < paths->len; i++) {
        g_string_append_printf(all, "%s%s", i ? ", " : "", (char *)paths->pdata[i]);
    }
    if (paths->len) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE,
                    "%s: its parent is missing: there is no %s; put the parent there", img->path,
                    all->str);
    } else {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FORMAT,
                    "%s: it is a differencing VHD, but does not name its parent", img->path);
    }
    return false;
}

/* 1 the parent, 0 no file at this path, -1 there is one, but it is not right: the error is set. */
static int try_parent(struct image *img, const char *path, GError **err)
{
    g_autofree char *wrong = NULL;
    struct stat st;

    if (stat(path, &st) && (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)) {
        return 0;
    }
    struct image *parent = image_open_parent(path, img, err);
    if (!parent) {
        g_prefix_error(err, "%s: its parent ", img->path);
        return -1;
    }
    wrong = check_parent(img, parent);
    if (wrong) {
        set_parent_error(img, path, wrong, err);
        image_close(parent);
        return -1;
    }
    img->vhd->parent = parent;
    return 1;
}

bool vhd_open_parent(struct image *img, GError **err)
{
    g_autoptr(GPtrArray) paths = vhd_parent_candidates(img);
    g_autoptr(GError) first = NULL;

    for (guint i = 0; i < paths->len; i++) {
        g_autoptr(GError) error = NULL;
        int found = try_parent(img, paths->pdata[i], &error);

        if (found > 0) {
            return true;
        }
        if (found < 0 && !first) {
            first = g_steal_pointer(&error);
        }
    }
    if (first) {
        g_propagate_error(err, g_steal_pointer(&first));
        return false;
    }
    return no_parent(img, paths, err);
}
