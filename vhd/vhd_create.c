/*
 * Making empty images.
 *
 * A dynamic disk is laid out as everybody does it: footer copy at 0, header at 512, BAT at 1536,
 * then (differencing disks) the two names of the parent with room for longer ones, then the footer.
 *
 * Not modelled: locators of other platforms than Windows', which all readers know.
 */
#include "vhd/image.h"
#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOCATOR_ROOM = 4096, BAT_PIECE = 64 * 1024 };

struct maker {
    struct file file;
    const struct image_layout *layout;
    uint64_t size;
    struct vhd_footer footer;
    struct vhd_header header;
    uint8_t *names[2]; /* UTF-16LE, relative and absolute */
    size_t name_bytes[2];
};

static bool maker_fail(const struct maker *k, enum candela_error code, const char *what,
                       GError **err)
{
    g_set_error(err, CANDELA_ERROR, (int)code, "%s: %s", k->layout->path, what);
    return false;
}

/* The path from a folder to a file, both absolute and canonical. */
static char *relative_path(const char *folder, const char *path)
{
    g_auto(GStrv) from = g_strsplit(folder, "/", -1);
    g_auto(GStrv) to = g_strsplit(path, "/", -1);
    g_autoptr(GString) out = g_string_new(NULL);
    unsigned same = 0;

    while (from[same] && to[same + 1] && !strcmp(from[same], to[same])) {
        same++;
    }
    for (unsigned i = same; from[i]; i++) {
        g_string_append(out, *from[i] ? "../" : ""); /* the root's name is empty */
    }
    if (!out->len) {
        g_string_append(out, "./");
    }
    for (unsigned i = same; to[i]; i++) {
        g_string_append_printf(out, "%s%s", i > same ? "/" : "", to[i]);
    }
    return g_strdup(out->str);
}

/* The parent's name in its three forms. */
static bool maker_name_parent(struct maker *k, const char *path, GError **err)
{
    g_autofree char *child = g_canonicalize_filename(k->layout->path, NULL);
    g_autofree char *folder = g_path_get_dirname(child);
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *base = g_path_get_basename(absolute);
    g_autofree char *relative = relative_path(folder, absolute);
    g_autofree uint8_t *name = NULL;
    size_t bytes;

    if (strchr(absolute, '\\') || !g_utf8_validate(absolute, -1, NULL) ||
        !g_utf8_validate(folder, -1, NULL)) {
        return maker_fail(k, CANDELA_ERROR_CONFIG,
                          "the parent's path has a backslash or is not UTF-8: a VHD cannot name it",
                          err);
    }
    name = vhd_text_write(base, true, &bytes);
    memcpy(k->header.parent_name, name, MIN(bytes, sizeof k->header.parent_name - 2));
    g_strdelimit(relative, "/", '\\');
    k->names[0] = vhd_text_write(relative, false, &k->name_bytes[0]);
    k->names[1] = vhd_text_write(absolute, false, &k->name_bytes[1]);
    return true;
}

static bool maker_take_parent(struct maker *k, GError **err)
{
    const char *path = k->layout->parent;
    struct image *parent =
        image_open(path, DRIVE_FORMAT_VHD, true, false, &host_file_ops, NULL, err);
    struct stat st;

    if (!parent) {
        return false;
    }
    if (k->size && k->size != parent->size) {
        image_close(parent);
        return maker_fail(k, CANDELA_ERROR_CONFIG,
                          "a differencing disk has the size of its parent; leave the size out",
                          err);
    }
    k->size = parent->size;
    memcpy(k->header.parent_uuid, parent->vhd->footer.uuid, sizeof k->header.parent_uuid);
    int error = fstat(parent->file.fd, &st) ? errno : 0;
    image_close(parent);
    if (error) {
        return maker_fail(k, CANDELA_ERROR_FILE, g_strerror(error), err);
    }
    k->header.parent_timestamp = vhd_timestamp(st.st_mtim.tv_sec);
    return maker_name_parent(k, path, err);
}

static bool maker_check(struct maker *k, GError **err)
{
    const struct image_layout *l = k->layout;
    uint32_t block = l->block_bytes;

    if (!k->size || k->size % SECTOR_BYTES) {
        return maker_fail(k, CANDELA_ERROR_CONFIG,
                          "a disk has one sector of 512 bytes at least, and whole ones", err);
    }
    if (l->format != DRIVE_FORMAT_VHD) {
        return true;
    }
    if (k->size > VHD_MAX_BYTES) {
        return maker_fail(k, CANDELA_ERROR_CONFIG,
                          "a VHD has 2040 GiB at most (format=raw has no such limit)", err);
    }
    if (block && (block < VHD_BLOCK_MIN_BYTES || block > VHD_BLOCK_MAX_BYTES ||
                  (block & (block - 1)) || k->size / block >= VHD_MAX_ENTRIES)) {
        return maker_fail(k, CANDELA_ERROR_CONFIG,
                          "the block size must be a power of two from 512 bytes to 256 MiB, and "
                          "large enough that 16 Mi blocks hold the disk",
                          err);
    }
    return true;
}

static int maker_write_bat(struct maker *k)
{
    uint64_t bytes = vhd_bat_bytes(k->header.entries);
    g_autofree uint8_t *none = g_malloc(BAT_PIECE);
    int error = 0;

    memset(none, 0xff, BAT_PIECE);
    for (uint64_t at = 0; at < bytes && !error; at += BAT_PIECE) {
        error =
            file_write_at(&k->file, none, MIN(BAT_PIECE, bytes - at), k->header.bat_offset + at);
    }
    return error;
}

/* The names of the parent; *end is moved behind them. */
static int maker_write_names(struct maker *k, uint64_t *end)
{
    static const char *const platforms[2] = {VHD_PLATFORM_REL, VHD_PLATFORM_ABS};
    int error = 0;

    for (unsigned i = 0; i < ARRAY_LEN(platforms) && !error; i++) {
        struct vhd_locator *l = &k->header.locators[i];

        memcpy(l->platform, platforms[i], sizeof l->platform);
        l->length = (uint32_t)k->name_bytes[i];
        l->space = (uint32_t)align_up(MAX(l->length, LOCATOR_ROOM), SECTOR_BYTES);
        l->offset = *end;
        *end += l->space;
        error = file_write_at(&k->file, k->names[i], l->length, l->offset);
    }
    return error;
}

static int maker_write_vhd(struct maker *k)
{
    const struct image_layout *l = k->layout;
    uint8_t footer[VHD_FOOTER_BYTES], header[VHD_HEADER_BYTES];
    uint64_t end = k->size;
    int error = 0;

    vhd_footer_init(&k->footer, l->type, k->size, time(NULL));
    vhd_footer_build(&k->footer, footer);
    if (l->type != VHD_TYPE_FIXED) {
        struct vhd_header names = k->header;

        vhd_header_init(&k->header, k->size, l->block_bytes ? l->block_bytes : VHD_BLOCK_BYTES);
        memcpy(k->header.parent_uuid, names.parent_uuid, sizeof names.parent_uuid);
        memcpy(k->header.parent_name, names.parent_name, sizeof names.parent_name);
        k->header.parent_timestamp = names.parent_timestamp;
        end = k->header.bat_offset + vhd_bat_bytes(k->header.entries);
        error = maker_write_bat(k);
        if (!error && l->type == VHD_TYPE_DIFFERENCING) {
            error = maker_write_names(k, &end);
        }
        vhd_header_build(&k->header, header);
        if (!error) {
            error = file_write_at(&k->file, header, sizeof header, k->footer.header_offset);
        }
        if (!error) {
            error = file_write_at(&k->file, footer, sizeof footer, 0);
        }
    }
    return error ? error : file_write_at(&k->file, footer, sizeof footer, end);
}

bool image_create(int fd, const struct image_layout *layout, GError **err)
{
    struct maker k = {
        .file = {.ops = &host_file_ops, .fd = fd},
        .layout = layout,
        .size = layout->size,
    };
    bool is_vhd = layout->format == DRIVE_FORMAT_VHD;
    bool ok = !(is_vhd && layout->type == VHD_TYPE_DIFFERENCING) || maker_take_parent(&k, err);

    ok = ok && maker_check(&k, err);
    if (ok) {
        int error = is_vhd ? maker_write_vhd(&k) : ftruncate(fd, (off_t)k.size) ? errno : 0;
        ok = !error || maker_fail(&k, CANDELA_ERROR_HOST, g_strerror(error), err);
    }
    g_free(k.names[0]);
    g_free(k.names[1]);
    return ok;
}
