/*
 * The machine library's own: where a machine's things are, and who holds it.
 */
#ifndef CANDELA_UI_LIBRARY_INT_H
#define CANDELA_UI_LIBRARY_INT_H

#include "ui/cvm.h"
#include "ui/library.h"

/* Where things of a machine are, whether it exists or not; all absolute. */
struct place {
    char *name; /* of the library, or of the file without .cvm */
    char *what; /* what finds it again: the name, or the key file */
    bool named; /* of the library */
    char *folder, *file;
    char *state;   /* record of runs */
    char *picture; /* PNG of the last screen */
    char *log;     /* what a run in the background says */
    char *run;     /* folder with lock, status and socket */
};
/* CONFIG error: `what` can be no machine. */
bool library_place_init(struct place *p, const char *what, GError **err);
void library_place_clear(struct place *p);
/* Whether there is such a machine; FILE error, with the nearest there is. */
bool library_place_check(const struct place *p, GError **err);
/* Both; on failure nothing is left to clear. */
bool library_place_find(struct place *p, const char *what, GError **err);

/* The place of a machine of the library that is to be; an error: no such name can be, or it is
 * taken. On failure nothing is left to clear. */
bool library_place_new(struct place *p, const char *name, GError **err);

/* Who holds a machine. */
struct holder {
    pid_t pid; /* 0: not known */
    bool runs; /* else it is being changed */
};
/* False: nobody does. */
bool library_place_holder(const struct place *p, struct holder *h);
/* Off, or how its holder says it is; *pid is the holder's, 0: none, or not known. */
enum library_state library_place_state(const struct place *p, pid_t *pid);
/*
 * Take the machine for oneself: a descriptor for library_place_unlock, -1 with a FILE error that
 * says who has it. Waits a moment for one that changes it, not for one that runs it.
 */
int library_place_lock(const struct place *p, bool runs, GError **err);
/* -1 is none. */
void library_place_unlock(int fd);
/* Likewise; if the machine does not exist (any more, or after all), nothing is left of the lock. */
void library_place_end(const struct place *p, int fd, bool exists);
/* The folder of sockets and locks of all machines, made if need be; NULL with an error.  g_free. */
char *library_place_run_root(GError **err);

/* Names inside place.run. */
#define LIBRARY_SOCKET "control"
#define LIBRARY_STATUS "status"

/* A FILE error about a machine; always false. */
bool library_fail(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* A HOST error about one: it is as it should be, but not as it would have to be now. */
bool library_fail_now(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Make a folder and those above it, for this user alone; false with a FILE error. */
bool library_make_folder(const char *path, GError **err);
/*
 * A folder of machines comes to be as a whole: `work` is made beside the others under a name that
 * begins with a dot; its files get written; then it gets its name.  library_drop_folder removes it
 * with the files in it, none of which is a folder.
 */
char *library_begin_folder(const struct place *p, GError **err);
bool library_end_folder(const struct place *p, const char *work, GError **err);
void library_drop_folder(const char *work);
/* Put options, as library_edit has them, into a key file. */
bool library_put_options(struct cvm *c, const struct library_option *options, GError **err);
/* library_edit of a machine that the caller holds. */
bool library_edit_held(const struct place *p, const struct library_option *options, GError **err);
/*
 * The machines of the library, but `name`, that cannot be without one of these files (absolute,
 * real paths): as a disk, or as a parent of one.  True: there is none.  FILE error: who and why;
 * `what` ("deleted") must not be done.
 */
bool library_check_dependents(const char *name, char *const *files, const char *what, GError **err);
/* Each file that is a machine's disk or floppy and what they depend on, as far as it is a regular
 * file in the machine's folder; real paths, NULL-ended; g_strfreev. */
char **library_own_images(const struct place *p);

/* The row of an option by its name; -1 with a CONFIG error that has the nearest. */
int library_option_row(const char *name, GError **err);

#endif
