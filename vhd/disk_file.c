/*
 * New files that appear under their name only when they are complete.
 *
 * The file is made without a name where the file system can do that (O_TMPFILE): then nothing
 * remains even of a process that is killed.  Elsewhere it begins with a dot and ends in .tmp.  Its
 * contents are on the disk (fsync) before it gets its name, in one step that either refuses a name
 * in use (link) or takes it over (rename).
 *
 * Not modelled: access control lists and extended attributes of a file that is replaced.
 */
#define _GNU_SOURCE /* O_TMPFILE */
#include "vhd/disk_file.h"
#include "vhd/image.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool disk_error(GError **err, enum candela_error code, const char *path, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, args);
    va_end(args);
    g_set_error(err, CANDELA_ERROR, (int)code, "%s: %s", path, text);
    return false;
}

bool disk_io_error(GError **err, const char *path, const char *what, int error)
{
    const char *advice = "";

    if (error == ENOSPC || error == EDQUOT) {
        advice = "; make room, or choose another folder";
    } else if (error == EFBIG) {
        advice = "; see ulimit -f, and what the file system can hold";
    }
    return disk_error(err, CANDELA_ERROR_HOST, path, "%s: %s%s", what, g_strerror(error), advice);
}

bool disk_lock(int fd, const char *path, bool exclusive, GError **err)
{
    return image_lock_file(fd, path, exclusive, "; close that first", err);
}

char *disk_real_path(const char *path, GError **err)
{
    char *real = realpath(path, NULL); /* malloc's, as g_free's since glib 2.46 */

    if (real || errno != ENOENT) {
        if (!real) {
            disk_error(err, CANDELA_ERROR_FILE, path, "%s", g_strerror(errno));
        }
        return real;
    }
    g_autofree char *folder = g_path_get_dirname(path), *name = g_path_get_basename(path);
    struct stat st;
    if (!lstat(path, &st)) {
        disk_error(err, CANDELA_ERROR_FILE, path,
                   "is a symbolic link to nothing; remove it or mend it");
        return NULL;
    }
    g_autofree char *real_folder = realpath(folder, NULL);
    if (!real_folder) {
        if (errno == ENOENT || errno == ENOTDIR) {
            disk_error(err, CANDELA_ERROR_FILE, path, "there is no folder %s; create it first",
                       folder);
        } else {
            disk_error(err, CANDELA_ERROR_FILE, path, "%s", g_strerror(errno));
        }
        return NULL;
    }
    if (g_str_has_suffix(path, "/")) {
        disk_error(err, CANDELA_ERROR_FILE, path, "is the name of a folder");
        return NULL;
    }
    return g_build_filename(real_folder, name, NULL);
}

/* What has the name now: nothing, or a file that may be replaced. */
static bool new_file_take_old(struct new_file *n, const char *path, GError **err)
{
    struct stat st;

    if (stat(n->path, &st)) {
        return errno == ENOENT ||
               disk_error(err, CANDELA_ERROR_FILE, path, "%s", g_strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return disk_error(err, CANDELA_ERROR_FILE, path, "is a folder; give the name of a file");
    }
    if (!S_ISREG(st.st_mode)) {
        return disk_error(err, CANDELA_ERROR_FILE, path,
                          "is no regular file; only those are written");
    }
    if (!n->replace) {
        return disk_error(err, CANDELA_ERROR_FILE, path,
                          "is there already; choose another name, or replace it with --force");
    }
    n->old_fd = open(n->path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (n->old_fd < 0) {
        return disk_error(err, CANDELA_ERROR_FILE, path, "cannot be replaced: %s",
                          g_strerror(errno));
    }
    return disk_lock(n->old_fd, n->path, true, err);
}

static bool new_file_open(struct new_file *n, const char *path, GError **err)
{
    g_autofree char *folder = g_path_get_dirname(n->path), *name = g_path_get_basename(n->path);

    n->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (n->fd >= 0) {
        return true;
    }
    if (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL) {
        n->temp = g_strdup_printf("%s/.%.200s.%08x.tmp", folder, name, g_random_int());
        n->fd = open(n->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (n->fd >= 0) {
            return true;
        }
        int error = errno;
        g_clear_pointer(&n->temp, g_free);
        errno = error;
    }
    return disk_error(err, CANDELA_ERROR_FILE, path, "cannot be created in folder %s: %s", folder,
                      g_strerror(errno));
}

bool new_file_begin(struct new_file *n, const char *path, bool replace, GError **err)
{
    *n = (struct new_file){.fd = -1, .old_fd = -1, .replace = replace};
    if (!*path) {
        return disk_error(err, CANDELA_ERROR_FILE, "''", "the name is empty");
    }
    n->path = disk_real_path(path, err);
    if (n->path && new_file_take_old(n, path, err) && new_file_open(n, path, err)) {
        return true;
    }
    new_file_drop(n);
    return false;
}

bool new_file_begin_for(struct new_file *n, const char *path, int fd, GError **err)
{
    struct stat st;

    *n = (struct new_file){.fd = -1, .old_fd = -1, .replace = true};
    n->path = disk_real_path(path, err);
    if (!n->path || !new_file_open(n, path, err)) {
        new_file_drop(n);
        return false;
    }
    if (!fstat(fd, &st)) {
        /* Only root can give files away: the group at least, then. */
        if (fchown(n->fd, st.st_uid, st.st_gid) && fchown(n->fd, (uid_t)-1, st.st_gid)) {
            st.st_mode &= ~(mode_t)(S_ISUID | S_ISGID | S_IRWXG);
        }
        if (fchmod(n->fd, st.st_mode & 07777)) {
            disk_io_error(err, path, "cannot set the permissions of its successor", errno);
            new_file_drop(n);
            return false;
        }
    }
    return true;
}

/* A name for a file that has none: 0 or errno. */
static int file_link(int fd, const char *path)
{
    char self[32];

    g_snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) ? errno : 0;
}

/* 0 or errno. */
static int new_file_name(struct new_file *n)
{
    int error = 0;

    if (!n->replace) {
        error = n->temp ? (link(n->temp, n->path) ? errno : 0) : file_link(n->fd, n->path);
        if (n->temp && (error == EPERM || error == EOPNOTSUPP)) { /* no hard links here: FAT */
            error = access(n->path, F_OK) ? 0 : EEXIST;
        } else {
            return error;
        }
    } else if (!n->temp) {
        g_autofree char *folder = g_path_get_dirname(n->path);

        n->temp = g_strdup_printf("%s/.%08x%08x.tmp", folder, g_random_int(), g_random_int());
        error = file_link(n->fd, n->temp);
    }
    if (!error && rename(n->temp, n->path)) {
        error = errno;
    }
    if (!error) {
        g_clear_pointer(&n->temp, g_free);
    }
    return error;
}

/* The name itself is on the disk only when the folder is; where that cannot be done, so be it. */
static void folder_sync(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

bool new_file_finish(struct new_file *n, GError **err)
{
    int error = fsync(n->fd) ? errno : 0;
    const char *what = "cannot be written to the disk";

    if (!error) {
        what = "cannot be given its name";
        error = new_file_name(n);
    }
    if (error == EEXIST) {
        disk_error(err, CANDELA_ERROR_FILE, n->path,
                   "appeared meanwhile; nothing of it was changed");
    } else if (error) {
        disk_io_error(err, n->path, what, error);
    } else {
        folder_sync(n->path);
    }
    new_file_drop(n);
    return !error;
}

void new_file_drop(struct new_file *n)
{
    if (n->temp) {
        unlink(n->temp);
    }
    if (n->fd >= 0) {
        close(n->fd);
    }
    if (n->old_fd >= 0) {
        close(n->old_fd);
    }
    g_free(n->path);
    g_free(n->temp);
    *n = (struct new_file){.fd = -1, .old_fd = -1};
}
