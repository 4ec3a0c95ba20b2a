/*
 * What people do with disk images: make them, look at them, check, convert, compact, merge, resize.
 *
 * The operations of `candela disk` as plain calls.  They know nothing of a terminal; the command
 * line, the machine library and windows call them alike.  All block on the file system; any thread,
 * never under a machine's lock.
 *
 * Common to all that write: the image is locked against other users from the first look to the end.
 * A new file has no name, or one that begins with a dot, until it is complete and on the disk, then
 * it gets its name in one step.  A failure, a cancel or a kill leaves what was there before.  The
 * two exceptions change their image in place, in an order that leaves it sound at every moment:
 * disk_merge without `into` writes the parent (the child stays as it is, so that the merge can be
 * done again), and disk_resize moves the end of raw images and of fixed ones.
 *
 * Errors: CONFIG for what was asked for and makes no sense; FILE for a file that is missing,
 * locked, there already, not permitted; FORMAT for contents that are not what they must be; HOST
 * for failed reads and writes (a full disk); CANCELLED.  A message names the file and says what to
 * do.
 *
 * Not modelled: images that are not local files, formats other than raw and VHD.
 */
#ifndef VHD_DISK_H
#define VHD_DISK_H

#include "hw/core/base.h"
#include "hw/core/config.h"

enum disk_kind { DISK_RAW, DISK_FIXED, DISK_DYNAMIC, DISK_DIFFERENCING };
/* "raw", "fixed", "dynamic", "differencing". */
const char *disk_kind_name(enum disk_kind kind);

/* Whom to tell how far the work is, and to ask whether it is still wanted. */
struct disk_watch {
    /* Called in the caller's thread, at least once for every few MiB; units are bytes, `done` never
     * goes back.  False ends the work with a CANCELLED error. */
    bool (*tick)(void *opaque, uint64_t done, uint64_t total);
    void *opaque;
};

/* Making ---------------------------------------------------------------------------------------*/

struct disk_create_args {
    const char *path;
    enum disk_kind kind;
    uint64_t size;      /* bytes, a multiple of 512; 0 for a differencing disk: its parent's */
    const char *parent; /* of a differencing disk, else NULL */
    bool force;         /* take the place of a file that is there */
};
bool disk_create(const struct disk_create_args *a, GError **err);

struct disk_convert_args {
    const char *source, *target;
    enum drive_format source_format; /* DRIVE_FORMAT_AUTO: by name and contents */
    enum disk_kind kind;             /* the target's; not DISK_DIFFERENCING */
    bool force;
};
/* Write what a guest sees of the source (through its whole chain) as a new image of its own. */
bool disk_convert(const struct disk_convert_args *a, const struct disk_watch *w, GError **err);

/* Looking --------------------------------------------------------------------------------------*/

enum disk_use { DISK_FREE, DISK_READ, DISK_WRITTEN }; /* by others, now */

struct disk_parent {
    char *name; /* as the image gives it, or NULL; UTF-8 */
    char *path; /* the file it was found in, or NULL */
    char uuid[37];
    int64_t time;  /* of its last change as the image recorded it; seconds since 1970, 0: not */
    char *problem; /* why it cannot be used (missing, another disk, changed), or NULL */
};

struct disk_info {
    char *path; /* absolute */
    enum disk_kind kind;
    uint64_t size;       /* bytes of the medium */
    uint64_t file_bytes; /* the file's length */
    uint64_t host_bytes; /* what it takes on the host's disk */
    enum disk_use use;
    /* VHD only */
    uint16_t cylinders;
    uint8_t heads, sectors; /* per track */
    char creator[5], creator_os[5];
    uint16_t creator_major, creator_minor;
    char uuid[37];
    int64_t time; /* of creation; seconds since 1970 */
    bool saved_state;
    /* dynamic and differencing only */
    uint32_t block_bytes, blocks, blocks_used;
    struct disk_parent parent; /* differencing only */
    GPtrArray *chain;          /* char *: the parent, its parent, ...; as far as they were found */
    char *note;                /* anything a person should know, or NULL */
};
/*
 * Works on images in use, on chains with a parent missing, and changes nothing.
 */
struct disk_info *disk_info_new(const char *path, enum drive_format format, GError **err);
void disk_info_free(struct disk_info *info);

/* A differencing disk's base, its child, ... down to the file and what was found to depend on it.
 */
struct disk_node {
    char *path;
    enum disk_kind kind;
    uint64_t size;
    bool here;     /* the file asked for */
    char *problem; /* with its parent, or NULL */
    char *missing; /* the parent that was not found, by name, or NULL: then this is the base */
    GPtrArray *children; /* struct disk_node */
};
struct disk_node *disk_tree_new(const char *path, GError **err);
void disk_node_free(struct disk_node *n);

enum disk_severity { DISK_NOTE, DISK_DAMAGE };
struct disk_finding {
    enum disk_severity severity;
    const char *code; /* a word for programs, such as "footer-missing" */
    char *text;       /* one line for people */
    bool repairable, repaired;
};
struct disk_report {
    char *path;
    bool vhd;            /* it is one, however damaged */
    enum disk_kind kind; /* DISK_RAW also for a VHD that is too damaged to tell */
    GArray *findings;    /* struct disk_finding */
    unsigned damages;    /* that are not repaired */
    uint32_t blocks, blocks_used;
    uint64_t orphaned_bytes; /* in the file and of no use */
};
/*
 * Check the image's own structures, and that its parent is there and is the right one.  With
 * `repair` what can be repaired without guessing is.  NULL and the error only when it cannot be
 * checked at all; damage is in the report.
 */
struct disk_report *disk_check(const char *path, enum drive_format format, bool repair,
                               const struct disk_watch *w, GError **err);
void disk_report_free(struct disk_report *r);

/* Changing -------------------------------------------------------------------------------------*/

/* What an operation has to say besides success. */
struct disk_result {
    uint64_t before, after; /* bytes on the host's disk */
    char *note;             /* or NULL */
};
void disk_result_clear(struct disk_result *r);

/*
 * Give back the host's space of what a guest reads as zeros (or, in a differencing disk, does not
 * need).  Refused while other images in the same folder depend on the file.
 */
bool disk_compact(const char *path, enum drive_format format, const struct disk_watch *w,
                  struct disk_result *r, GError **err);

/*
 * Make the medium `size` bytes large.  Smaller only if the part cut off holds no data, or with
 * `lose_data`.  Refused for differencing disks, and while other images depend on the file.
 */
bool disk_resize(const char *path, enum drive_format format, uint64_t size, bool lose_data,
                 const struct disk_watch *w, struct disk_result *r, GError **err);

struct disk_merge_args {
    const char *child;
    const char *into;    /* NULL: into the parent */
    enum disk_kind kind; /* of `into` */
    bool remove;         /* the child, once the parent has everything */
    bool force;          /* `into` may take the place of a file */
};
/*
 * Write what the child has into its parent, or the whole chain into a new image.  Refused while
 * other images depend on the child, or besides the child on the parent it is merged into.
 */
bool disk_merge(const struct disk_merge_args *a, const struct disk_watch *w, struct disk_result *r,
                GError **err);

#endif
