/*
 * What an image is, its chain, and the tree around it: read from outside, so that it works on
 * images in use and on broken chains.
 *
 * Not modelled: children in other folders; they cannot be found.
 */
#define _GNU_SOURCE /* F_OFD_GETLK */
#include "vhd/disk_int.h"
#include <fcntl.h>
#include <sys/stat.h>

/* QEMU locks single bytes: this one while it may write. */
enum { QEMU_WRITE_BYTE = 101 };
enum { TREE_MAX = 1024 }; /* nodes */

static enum disk_use use_of(int fd)
{
    struct flock any = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct flock qemu = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = QEMU_WRITE_BYTE, .l_len = 1};

    if (fcntl(fd, F_OFD_GETLK, &any) || any.l_type == F_UNLCK) {
        return DISK_FREE;
    }
    if (any.l_type == F_WRLCK) {
        return DISK_WRITTEN;
    }
    return !fcntl(fd, F_OFD_GETLK, &qemu) && qemu.l_type != F_UNLCK && qemu.l_len == 1
               ? DISK_WRITTEN
               : DISK_READ;
}

/* Four bytes of text as a file gives them. */
static void creator_text(const uint8_t from[4], char to[5])
{
    for (unsigned i = 0; i < 4; i++) {
        to[i] = (char)(g_ascii_isprint((char)from[i]) ? from[i] : from[i] ? '?' : ' ');
    }
    to[4] = '\0';
    g_strchomp(to);
}

/* The parent -----------------------------------------------------------------------------------*/

/*
 * Find the parent of a differencing disk.  True: *parent is open and is the right one; *problem is
 * then NULL, or says what is doubtful.  False: *problem says why there is none.
 */
static bool find_parent(struct disk_view *v, struct disk_view *parent, char **problem)
{
    v->img.vhd = &v->d;
    g_autoptr(GPtrArray) paths = vhd_parent_candidates(&v->img);
    bool others = false;

    v->img.vhd = NULL;
    *problem = NULL;
    for (unsigned i = 0; i < paths->len; i++) {
        const char *path = g_ptr_array_index(paths, i);

        if (!disk_view_open(parent, path, DRIVE_FORMAT_VHD, DISK_UNLOCKED, NULL, NULL)) {
            others |= g_file_test(path, G_FILE_TEST_EXISTS);
            continue;
        }
        if (!memcmp(parent->d.footer.uuid, v->d.header.parent_uuid, VHD_UUID_BYTES)) {
            if (!vhd_parent_is_unchanged(&v->d.header, parent->img.file.fd)) {
                *problem = g_strdup("the parent was changed after this disk was made over it");
            }
            return true;
        }
        others = true;
        disk_view_close(parent);
    }
    *problem = g_strdup(others ? "the file of the parent's name is another disk"
                               : "the parent is missing");
    return false;
}

/* The name of the parent as the image gives it: the header's, for people. */
static char *parent_name(const struct vhd_header *h)
{
    return vhd_text_read(h->parent_name, sizeof h->parent_name, true);
}

static void info_take_parents(struct disk_info *info, struct disk_view *v)
{
    struct disk_view at, up;
    char *problem;
    bool found = find_parent(v, &at, &info->parent.problem);

    info->parent.name = parent_name(&v->d.header);
    vhd_uuid_print(v->d.header.parent_uuid, info->parent.uuid);
    info->parent.time =
        v->d.header.parent_timestamp ? vhd_unix_time(v->d.header.parent_timestamp) : 0;
    info->parent.path = found ? g_strdup(at.path) : NULL;
    info->chain = g_ptr_array_new_with_free_func(g_free);
    while (found) {
        g_ptr_array_add(info->chain, g_strdup(at.path));
        found = at.kind == DISK_DIFFERENCING && info->chain->len < VHD_CHAIN_MAX &&
                find_parent(&at, &up, &problem);
        if (at.kind == DISK_DIFFERENCING && info->chain->len < VHD_CHAIN_MAX) {
            if (problem && !info->note) {
                info->note = g_strdup_printf("%s: %s", at.path, problem);
            }
            g_free(problem);
        }
        disk_view_close(&at);
        at = up;
    }
}

/* Info -----------------------------------------------------------------------------------------*/

static void info_take_vhd(struct disk_info *info, const struct vhd_disk *d)
{
    const struct vhd_footer *f = &d->footer;

    info->cylinders = f->cylinders;
    info->heads = f->heads;
    info->sectors = f->sectors;
    creator_text(f->creator_app, info->creator);
    creator_text(f->creator_os, info->creator_os);
    info->creator_major = (uint16_t)(f->creator_version >> 16);
    info->creator_minor = (uint16_t)f->creator_version;
    vhd_uuid_print(f->uuid, info->uuid);
    info->time = vhd_unix_time(f->timestamp);
    info->saved_state = f->saved_state;
    if (info->kind != DISK_FIXED) {
        info->block_bytes = d->header.block_bytes;
        info->blocks = (uint32_t)(align_up(info->size, info->block_bytes) / info->block_bytes);
        for (uint32_t i = 0; i < info->blocks; i++) {
            info->blocks_used += vhd_block_offset(d, i) != 0;
        }
    }
}

struct disk_info *disk_info_new(const char *path, enum drive_format format, GError **err)
{
    struct disk_view v;

    if (!disk_view_open(&v, path, format, DISK_UNLOCKED, NULL, err)) {
        return NULL;
    }
    struct disk_info *info = g_new0(struct disk_info, 1);
    info->path = g_strdup(v.path);
    info->kind = v.kind;
    info->size = align_up(v.size, SECTOR_BYTES);
    info->file_bytes = v.img.file_size;
    info->host_bytes = v.host_bytes;
    info->use = use_of(v.img.file.fd);
    if (v.kind != DISK_RAW) {
        info_take_vhd(info, &v.d);
    } else if (v.is_vhd) {
        info->note = g_strdup("it looks like a VHD inside, but has no such name: --format vhd "
                              "takes it as one");
    }
    if (v.kind == DISK_DIFFERENCING) {
        info_take_parents(info, &v);
    }
    if (v.kind != DISK_RAW && !v.d.end_footer && !info->note) {
        info->note = g_strdup("the footer at its end is missing or damaged; candela disk check "
                              "--repair mends it");
    }
    disk_view_close(&v);
    return info;
}

void disk_info_free(struct disk_info *info)
{
    if (info) {
        g_free(info->path);
        g_free(info->parent.name);
        g_free(info->parent.path);
        g_free(info->parent.problem);
        g_free(info->note);
        if (info->chain) {
            g_ptr_array_unref(info->chain);
        }
        g_free(info);
    }
}

/* The tree -------------------------------------------------------------------------------------*/

static struct disk_node *node_new(const struct disk_view *v)
{
    struct disk_node *n = g_new0(struct disk_node, 1);

    n->path = g_strdup(v->path);
    n->kind = v->kind;
    n->size = align_up(v->size, SECTOR_BYTES);
    n->children = g_ptr_array_new_with_free_func((GDestroyNotify)disk_node_free);
    return n;
}

void disk_node_free(struct disk_node *n)
{
    if (n) {
        g_free(n->path);
        g_free(n->problem);
        g_free(n->missing);
        g_ptr_array_unref(n->children);
        g_free(n);
    }
}

/* Children, their children, ...: so deep and so many that files which claim to be each other's
 * children come to an end. */
static void node_add_children(struct disk_node *n, struct disk_view *v, unsigned depth,
                              unsigned *budget)
{
    g_autoptr(GPtrArray) paths =
        v->kind == DISK_RAW ? g_ptr_array_new() : disk_children(v->path, v->d.footer.uuid, NULL);

    for (unsigned i = 0; i < paths->len && depth < VHD_CHAIN_MAX && *budget; i++, --*budget) {
        struct disk_view child, parent;

        if (!disk_view_open(&child, g_ptr_array_index(paths, i), DRIVE_FORMAT_VHD, DISK_UNLOCKED,
                            NULL, NULL)) {
            continue;
        }
        struct disk_node *c = node_new(&child);
        if (find_parent(&child, &parent, &c->problem)) {
            disk_view_close(&parent);
        }
        node_add_children(c, &child, depth + 1, budget);
        g_ptr_array_add(n->children, c);
        disk_view_close(&child);
    }
}

struct disk_node *disk_tree_new(const char *path, GError **err)
{
    unsigned budget = TREE_MAX;
    struct disk_view v, up;

    if (!disk_view_open(&v, path, DRIVE_FORMAT_AUTO, DISK_UNLOCKED, NULL, err)) {
        return NULL;
    }
    struct disk_node *n = node_new(&v);
    n->here = true;
    node_add_children(n, &v, 0, &budget);
    for (unsigned depth = 0; v.kind == DISK_DIFFERENCING && depth < VHD_CHAIN_MAX; depth++) {
        if (!find_parent(&v, &up, &n->problem)) {
            n->missing = parent_name(&v.d.header);
            n->missing = n->missing ? n->missing : g_strdup("(no name)");
            break;
        }
        struct disk_node *parent = node_new(&up);
        g_ptr_array_add(parent->children, n);
        n = parent;
        disk_view_close(&v);
        v = up;
    }
    disk_view_close(&v);
    return n;
}
