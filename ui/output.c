/*
 * Files the run writes.
 */
#include "ui/output.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool output_fail(const char *what, const char *path, const char *why, GError **err)
{
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "%s %s: %s", what, path, why);
    return false;
}

/* Whether it is, under another name, where our messages or COM1 go: it must not be cut. */
static bool output_is_standard(const struct stat *st)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        struct stat ours;

        if (!fstat(fd, &ours) && ours.st_dev == st->st_dev && ours.st_ino == st->st_ino) {
            return true;
        }
    }
    return false;
}

/* Whether it is a file that a new one may take the place of. */
static bool output_is_replaced(const char *path)
{
    struct stat st;

    return lstat(path, &st) || (S_ISREG(st.st_mode) && !output_is_standard(&st));
}

static int output_open_how(const char *path, int flags)
{
    struct stat st;

    if (!(flags & O_APPEND)) {
        flags |= !stat(path, &st) && output_is_standard(&st) ? O_APPEND : O_TRUNC;
    }
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | flags, 0666);
}

int output_open(const char *path, bool append)
{
    return output_open_how(path, O_NONBLOCK | (append ? O_APPEND : 0));
}

bool output_check(const char *what, const char *path, GError **err)
{
    g_autofree char *folder = g_path_get_dirname(path);
    struct stat st;

    if (!*path) {
        return output_fail(what, "''", "the name is empty", err);
    }
    if (!stat(path, &st)) {
        if (S_ISDIR(st.st_mode)) {
            return output_fail(what, path, "is a folder; give the name of a file", err);
        }
        if (access(path, W_OK)) {
            return output_fail(what, path, g_strerror(errno), err);
        }
        /* It is written anew beside the old one and renamed. */
        return !output_is_replaced(path) || !access(folder, W_OK | X_OK) ||
               output_fail(what, path, "its folder cannot be written", err);
    }
    if (errno != ENOENT) {
        return output_fail(what, path, g_strerror(errno), err);
    }
    if (stat(folder, &st)) {
        g_autofree char *why = g_strdup_printf("there is no folder %s; create it first", folder);
        return output_fail(what, path, why, err);
    }
    if (g_str_has_suffix(path, "/")) {
        return output_fail(what, path, "is the name of a folder", err);
    }
    if (access(folder, W_OK | X_OK)) {
        g_autofree char *why = g_strdup_printf("folder %s: %s", folder, g_strerror(errno));
        return output_fail(what, path, why, err);
    }
    return true;
}

/* Pipes, devices, links: what is there is written to. */
static bool output_write_through(const char *what, const char *path, const void *data, size_t len,
                                 GError **err)
{
    int fd = output_open_how(path, 0);
    const char *p = data;

    if (fd < 0) {
        return output_fail(what, path, g_strerror(errno), err);
    }
    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno != EINTR) {
            output_fail(what, path, g_strerror(errno), err);
            close(fd);
            return false;
        }
        p += MAX(n, 0);
        len -= (size_t)MAX(n, 0);
    }
    close(fd);
    return true;
}

bool output_write(const char *what, const char *path, const void *data, size_t len, GError **err)
{
    GError *why = NULL;

    if (!output_is_replaced(path)) {
        return output_write_through(what, path, data, len, err);
    }
    if (!g_file_set_contents(path, data, (gssize)len, &why)) {
        output_fail(what, path, why->message, err);
        g_error_free(why);
        return false;
    }
    return true;
}
