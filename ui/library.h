/*
 * The machine library: machines on disk, by name.
 *
 * A machine is a folder $XDG_DATA_HOME/candela/machines/NAME with a key file machine.cvm in it, or
 * a single file FILE.cvm anywhere.  `what` below is either: a word with a '/' in it or with the
 * ending .cvm is a file, any other the name of a machine of the library.  Beside the key file stand
 * the machine's disks, its picture (screen.png) and its record of runs (machine.state).
 *
 * While a machine runs, its process holds a lock in $XDG_RUNTIME_DIR/candela/machines/NAME and
 * listens there for commands.  Whoever changes a machine holds the same lock meanwhile.
 *
 * All calls may block on the file system for a while (clone: for long), so a window makes them on a
 * thread of its own; they share nothing, any thread.  Errors: CONFIG for what was asked for and
 * makes no sense, FILE and FORMAT for what is missing, in use or damaged, HOST, CANCELLED; the
 * message names the machine, says why and what to do.
 *
 * Not here: the command line (ui/command_library.c), what a key file says (ui/cvm.h).
 */
#ifndef CANDELA_UI_LIBRARY_H
#define CANDELA_UI_LIBRARY_H

#include "hw/core/base.h"
#include "vhd/disk.h"
#include <sys/types.h>

/* Looking --------------------------------------------------------------------------------------*/

enum library_state {
    LIBRARY_OFF,
    LIBRARY_STARTING, /* its process is there, the guest does not run yet; or another command holds
                         the machine */
    LIBRARY_RUNNING,
    LIBRARY_PAUSED,
    LIBRARY_BROKEN, /* its key file cannot be used: see `problem` */
};
/* "off", "starting", "running", "paused", "broken". */
const char *library_state_name(enum library_state state);

/* What is known of one machine at one moment. */
struct library_machine {
    char *name;   /* of the library, or of the file without .cvm; clean text */
    char *what;   /* what all calls here take: the name, or the file's absolute path */
    char *folder; /* absolute; relative paths in the key file start here */
    char *file;   /* the key file, absolute */
    bool named;   /* of the library */
    enum library_state state;
    pid_t pid;     /* of the run, or of whoever holds the machine; 0: none, or not known */
    char *problem; /* BROKEN: why, one line; else NULL */
    char *picture; /* a PNG of the last screen, at most LIBRARY_PICTURE pixels wide; NULL: none */
    int64_t pictured; /* when it was written; seconds since 1970 */
    uint64_t memory;  /* bytes */
    unsigned cpus;
    GPtrArray *disks;     /* char *: absolute paths of hard disk images, in the order of places */
    uint64_t disk_bytes;  /* what they take on the host, together */
    int64_t begun, ended; /* the last run; seconds since 1970, 0: never, not yet */
    char *ending;  /* how it ended, for people ("powered off"); NULL: never ran, or runs now */
    int exit_code; /* of the last run; -1: none */
};
enum { LIBRARY_PICTURE = 320 };

/* All machines of the library by name (broken ones too): struct library_machine; never NULL.  Ones
 * that cannot even be looked at are left out. */
GPtrArray *library_list(void);
/* One machine; NULL with a FILE error: there is none of that name (with the nearest that is). */
struct library_machine *library_look(const char *what, GError **err);
void library_machine_free(struct library_machine *m);
/* Folders whose changes (inotify: created, moved, deleted, written) may change what library_list
 * says: those of the library, of each machine, and of what runs.  They exist.  NULL-ended;
 * g_strfreev. Ask again after a change. */
char **library_watch_folders(void);
/* The folder that holds the machines; g_free. */
char *library_folder(void);
/* Whether a machine can be called so; CONFIG error. */
bool library_name_check(const char *name, GError **err);
/* A name that is free and like the one wished for ("Debian", "Debian 2"); g_free. */
char *library_new_name(const char *like);

/* Options --------------------------------------------------------------------------------------*/

/*
 * Options are those of `candela run` by their long names without dashes ("memory", "cdrom"); values
 * are as typed there.  Flags (such as "snapshot") are "on" or not there.  Paths come and go as the
 * key file has them: relative to the machine's folder, or absolute.
 */
struct library_option {
    const char *name;  /* NULL: in library_edit, ends the array */
    const char *value; /* NULL: take it out */
};
/* The values of an option, one but for those that can be repeated ("nic", "drive", "serial");
 * NULL-ended, empty when it is not there.  NULL with an error.  g_strfreev. */
char **library_get(const char *what, const char *option, GError **err);
/*
 * Change options, all or none.  An option named several times gets all those values; what it had is
 * gone.  Paths may be absolute; such as lie in the machine's folder are written relative to it.
 * Refused when the outcome is no machine (CONFIG) or while it runs (FILE).
 */
bool library_edit(const char *what, const struct library_option *options, GError **err);

/* Making and unmaking --------------------------------------------------------------------------*/

struct library_create_args {
    const char *what;                     /* a new name, or a new FILE.cvm */
    const struct library_option *options; /* as in library_edit; NULL: none */
    uint64_t disk_bytes; /* make NAME.vhd, dynamic, of that size beside it as hda; 0: none */
};
/* Make a machine.  Nothing is left of one that failed. */
bool library_create(const struct library_create_args *a, GError **err);

struct library_clone_args {
    const char *from, *to;
    bool linked; /* differencing disks over the old one's, which itself goes on in new ones too */
    const struct disk_watch *watch; /* for each disk; or NULL */
};
/* A copy with an identity (UUID, MAC addresses) and disks of its own.  CDs, and disks that are only
 * read, are shared. */
bool library_clone(const struct library_clone_args *a, GError **err);
/* Give a machine of the library another name; it stays the same machine (UUID, MAC addresses). */
bool library_rename(const char *name, const char *to, GError **err);
/* The files that library_delete would remove, absolute, key file last; NULL with an error when it
 * may not be deleted.  g_strfreev. */
char **library_delete_list(const char *name, GError **err);
/*
 * Remove a machine of the library for good: the files listed above, then its folder, which stays
 * (with a line in *note, if not NULL) when there is anything else in it.  Refused while it runs,
 * and while another machine's disk depends on one of its own.
 */
bool library_delete(const char *name, char **note, GError **err);

/* Running --------------------------------------------------------------------------------------*/

/* Run this program with these words (NULL-ended) in a process that goes on when this one ends, and
 * is not waited for; HOST error. */
bool library_spawn(const char *const *words, GError **err);

struct library_start_args {
    const char *what;
    char *const *options; /* words for `candela run` behind the name, NULL-ended; or NULL */
    bool headless;        /* no window */
    const char *program;  /* NULL: this one */
};
/* In the environment of that process: whoever started it tells its user why it does not run. */
#define LIBRARY_STARTED "CANDELA_STARTED"
/*
 * Run a machine in a process of its own, which goes on when this one ends; waits until the guest
 * runs.  What the process says goes to the log ($XDG_STATE_HOME/candela/NAME.log), and when it does
 * not come to run, its last words are the error; *exit_code (if not NULL) its exit code, else 0.
 */
bool library_start(const struct library_start_args *a, int *exit_code, GError **err);
/*
 * A command of the monitor for a running machine ("stop", "cont", "system_powerdown", "quit",
 * "change ide1-cd0 \"/a b.iso\""): what it answers, g_free; NULL with a
 * HOST error: the command's own, or that the machine does not run.  Waits up to `timeout_ms`.
 */
char *library_control(const char *what, const char *command, int timeout_ms, GError **err);
/* End a running machine's process: by "quit", and where that is not heard by signals.  Waits. */
bool library_kill(const char *what, GError **err);
/* Wait until the machine does not run any more; false: it still does. */
bool library_wait_off(const char *what, int timeout_ms);

#endif
