/*
 * New files that appear under their name only when they are complete.
 *
 * Not modelled: targets that are not regular files.
 */
#ifndef VHD_DISK_FILE_H
#define VHD_DISK_FILE_H

#include "hw/core/base.h"

struct new_file {
    int fd;       /* -1: none; open for reading and writing */
    char *path;   /* the name it is to get, symbolic links followed */
    char *temp;   /* the name it has until then; NULL: none */
    int old_fd;   /* what it takes the place of, locked; -1: nothing */
    bool replace; /* it may take the place of a file */
};

/*
 * Begin a new file for `path`.  With `replace` a file of that name may be there: it must be a
 * regular one that nobody uses, and is locked from here on.  Errors FILE, HOST; end with
 * new_file_finish or new_file_drop, which both take NULL-initialised ones, too.
 */
bool new_file_begin(struct new_file *n, const char *path, bool replace, GError **err);
/*
 * The same for a file that is to be replaced by its own successor: `fd` is the open and locked
 * image, whose permissions and owner the new one gets, as far as we may.
 */
bool new_file_begin_for(struct new_file *n, const char *path, int fd, GError **err);
/* Write it to the disk and give it its name.  A failure drops it. */
bool new_file_finish(struct new_file *n, GError **err);
/* Forget it; nothing remains. */
void new_file_drop(struct new_file *n);

/* Set a HOST error "PATH: WHAT: (errno's text)", with advice where there is some; always false. */
bool disk_io_error(GError **err, const char *path, const char *what, int error);
/* Set an error of that code, "PATH: ..."; always false. */
bool disk_error(GError **err, enum candela_error code, const char *path, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);

/*
 * An open file description lock over the whole file: exclusive to write, else shared.  False with a
 * FILE error when somebody else's is in the way, or when the file lost its name meanwhile.
 */
bool disk_lock(int fd, const char *path, bool exclusive, GError **err);

/* The path with symbolic links followed, also of a file that is not there yet; NULL when its folder
 * is not.  g_free. */
char *disk_real_path(const char *path, GError **err);

#endif
