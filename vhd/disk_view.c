/*
 * An image seen from outside: its structures without a driver and without its parents, so that it
 * can be looked at while it is in use, damaged or an orphan.  And what depends on it.
 *
 * Not modelled: children in other folders; they cannot be found.
 */
#define _GNU_SOURCE
#include "vhd/disk_int.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

const char *disk_kind_name(enum disk_kind kind)
{
    static const char *const names[] = {"raw", "fixed", "dynamic", "differencing"};

    return names[kind];
}

static enum disk_kind kind_of_type(enum vhd_type type)
{
    return type == VHD_TYPE_FIXED     ? DISK_FIXED
           : type == VHD_TYPE_DYNAMIC ? DISK_DYNAMIC
                                      : DISK_DIFFERENCING;
}

enum disk_kind disk_kind_of(const struct image *img)
{
    return img->vhd ? kind_of_type(img->vhd->footer.type) : DISK_RAW;
}

uint64_t disk_host_bytes(int fd)
{
    struct stat st;

    return fstat(fd, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

bool disk_tick(const struct disk_watch *w, const char *path, uint64_t done, uint64_t total,
               GError **err)
{
    return !w || w->tick(w->opaque, MIN(done, total), total) ||
           disk_error(err, CANDELA_ERROR_CANCELLED, path, "ended before it was finished");
}

/* Opening ------------------------------------------------------------------------------------- */

static bool view_open_file(struct disk_view *v, const char *path, enum disk_lock_how lock,
                           GError **err)
{
    bool write = lock == DISK_EXCLUSIVE;
    struct stat st;

    v->img.file.fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (v->img.file.fd < 0) {
        return disk_error(err, CANDELA_ERROR_FILE, path, "%s",
                          errno == ENOENT   ? "no such file; check the path"
                          : errno == EISDIR ? "is a folder, not an image file"
                                            : g_strerror(errno));
    }
    if (fstat(v->img.file.fd, &st) || !S_ISREG(st.st_mode)) {
        return disk_error(err, CANDELA_ERROR_FILE, path,
                          S_ISDIR(st.st_mode) ? "is a folder, not an image file"
                                              : "is no regular file");
    }
    v->img.file_size = v->img.size = (uint64_t)st.st_size;
    v->host_bytes = (uint64_t)st.st_blocks * 512;
    v->path = disk_real_path(path, err);
    return v->path && (lock == DISK_UNLOCKED || disk_lock(v->img.file.fd, path, write, err));
}

/* Keeps the first fatal finding, and passes all on. */
struct view_report {
    struct vhd_report report;
    struct vhd_report *to;
    char *fatal;
};

static void view_found(struct vhd_report *r, enum vhd_fault fault, const char *what)
{
    struct view_report *v = container_of(r, struct view_report, report);

    if (fault == VHD_FAULT_FATAL && !v->fatal) {
        v->fatal = g_strdup(what);
    }
    if (v->to) {
        v->to->found(v->to, fault, what);
    }
}

static bool view_read(struct disk_view *v, const char *path, enum drive_format format,
                      struct vhd_report *to, GError **err)
{
    struct view_report r = {.report = {.found = view_found}, .to = to};
    bool wanted =
        format == DRIVE_FORMAT_VHD || (format == DRIVE_FORMAT_AUTO && image_has_vhd_name(path));
    bool good = vhd_load(&v->img, &v->d, &r.report, &v->is_vhd);
    g_autofree char *fatal = r.fatal;

    v->kind = DISK_RAW;
    v->size = v->img.file_size;
    if (!wanted) {
        vhd_load_clear(&v->d);
        memset(&v->d, 0, sizeof v->d);
        return v->size >= SECTOR_BYTES ||
               disk_error(err, CANDELA_ERROR_FORMAT, path,
                          "is shorter than one sector of 512 bytes: it is no disk image");
    }
    if (good) {
        v->kind = kind_of_type(v->d.footer.type);
        v->size = v->d.footer.current_size;
        return true;
    }
    if (!v->is_vhd) {
        return disk_error(err, CANDELA_ERROR_FORMAT, path,
                          "has no VHD footer: it is no VHD image (--format raw takes it as it is)");
    }
    return to || disk_error(err, CANDELA_ERROR_FORMAT, path, "is a damaged VHD: %s",
                            fatal ? fatal : "it cannot be read");
}

bool disk_view_open(struct disk_view *v, const char *path, enum drive_format format,
                    enum disk_lock_how lock, struct vhd_report *report, GError **err)
{
    memset(v, 0, sizeof *v);
    v->img.file = (struct file){.ops = &host_file_ops, .fd = -1};
    v->img.readonly = lock != DISK_EXCLUSIVE;
    if (view_open_file(v, path, lock, err)) {
        v->img.path = v->path;
        if (view_read(v, path, format, report, err)) {
            return true;
        }
    }
    disk_view_close(v);
    return false;
}

void disk_view_close(struct disk_view *v)
{
    if (v->img.file.fd >= 0) {
        close(v->img.file.fd);
    }
    vhd_load_clear(&v->d);
    g_free(v->path);
    memset(v, 0, sizeof *v);
    v->img.file.fd = -1;
}

/* Children ------------------------------------------------------------------------------------ */

/* Whether the file is a differencing disk of the parent; reads little, as folders may be full. */
static bool is_child(const char *path, const uint8_t uuid[VHD_UUID_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct file f = {.ops = &host_file_ops, .fd = fd};
    uint8_t bytes[VHD_HEADER_BYTES];
    struct vhd_footer footer;
    struct vhd_header header;
    struct stat st;
    bool yes = false;

    if (fd < 0) {
        return false;
    }
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && !file_read_at(&f, bytes, VHD_FOOTER_BYTES, 0) &&
        !vhd_footer_parse(&footer, bytes) && footer.type == VHD_TYPE_DIFFERENCING &&
        footer.header_offset <= (uint64_t)st.st_size &&
        !file_read_at(&f, bytes, VHD_HEADER_BYTES, footer.header_offset)) {
        vhd_header_parse(&header, bytes); /* the identifier counts, even of a damaged one */
        yes = !memcmp(header.parent_uuid, uuid, VHD_UUID_BYTES);
    }
    close(fd);
    return yes;
}

static gint compare_paths(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

GPtrArray *disk_children(const char *path, const uint8_t uuid[VHD_UUID_BYTES], const char *but)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *folder = g_path_get_dirname(path);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *other = g_build_filename(folder, name, NULL);
        g_autofree char *real = is_child(other, uuid) ? disk_real_path(other, NULL) : NULL;

        if (real && strcmp(real, path) != 0 && (!but || strcmp(real, but) != 0)) {
            g_ptr_array_add(list, g_steal_pointer(&other));
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    g_ptr_array_sort(list, compare_paths);
    return list;
}

bool disk_refuse_children(const char *path, const uint8_t uuid[VHD_UUID_BYTES], const char *but,
                          const char *verb, GError **err)
{
    g_autoptr(GPtrArray) list = disk_children(path, uuid, but);

    if (!list->len) {
        return true;
    }
    g_autofree char *first = g_path_get_basename(g_ptr_array_index(list, 0));
    if (list->len == 1) {
        return disk_error(err, CANDELA_ERROR_FILE, path,
                          "%s depends on it and could not be used any more; merge or remove that "
                          "first, in order to %s this one",
                          first, verb);
    }
    return disk_error(err, CANDELA_ERROR_FILE, path,
                      "%s and %u more depend on it and could not be used any more; merge or "
                      "remove them first, in order to %s this one",
                      first, list->len - 1, verb);
}

void disk_set_mtime(int fd, const struct timespec *mtime)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *mtime};

    futimens(fd, times); /* not ours? then it has the new time */
}
