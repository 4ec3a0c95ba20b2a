/*
 * What the parts of vhd/disk*.c share.
 *
 * Not modelled: anything of a terminal.
 */
#ifndef VHD_DISK_INT_H
#define VHD_DISK_INT_H

#include "vhd/disk.h"
#include "vhd/disk_file.h"
#include "vhd/image.h"
#include <time.h>

enum { DISK_PIECE = 2 * 1024 * 1024 }; /* bytes moved at a time; a tick for each */

/* An image seen from outside: its structures, without its parents, locked only if asked for. */
struct disk_view {
    char *path;        /* symbolic links followed */
    struct image img;  /* the file, and its size; no driver */
    struct vhd_disk d; /* VHD only; the cleared struct else */
    bool is_vhd;
    enum disk_kind kind;
    uint64_t size;       /* of the medium */
    uint64_t host_bytes; /* taken on the host's disk when opened */
};
enum disk_lock_how { DISK_UNLOCKED, DISK_SHARED, DISK_EXCLUSIVE /* opened for writing, too */ };
/*
 * Open and read the structures.  A damaged VHD is an error, unless `report` takes the findings:
 * then the view is there, with kind DISK_RAW and d cleared where a fatal one was among them.
 * The error leaves nothing to close.
 */
bool disk_view_open(struct disk_view *v, const char *path, enum drive_format format,
                    enum disk_lock_how lock, struct vhd_report *report, GError **err);
void disk_view_close(struct disk_view *v);

enum disk_kind disk_kind_of(const struct image *img);
/* Bytes a file takes on the host's disk now. */
uint64_t disk_host_bytes(int fd);

/* Tick; false: a CANCELLED error. */
bool disk_tick(const struct disk_watch *w, const char *path, uint64_t done, uint64_t total,
               GError **err);

/* Whether all bytes are zeros. */
bool is_zeros(const void *buf, size_t len);
/*
 * Write what of `buf` is not zeros, in pieces of whole 4096 bytes counted from its start, by
 * `write`: 0 or its errno value.
 */
int write_sparse(int (*write)(void *opaque, uint64_t off, const void *buf, size_t len),
                 void *opaque, uint64_t off, const uint8_t *buf, size_t len);

/* Everything `from` shows, into the empty image `to` of at least its size.  HOST, CANCELLED. */
bool disk_copy(struct image *from, struct image *to, const struct disk_watch *w, GError **err);

/*
 * The differencing disks in the folder of `path` (symbolic links followed), itself not among them,
 * whose parent has this identifier: paths, owned.  `but`: one not to count, or NULL.
 */
GPtrArray *disk_children(const char *path, const uint8_t uuid[VHD_UUID_BYTES], const char *but);
/* A FILE error if there are any: "... in order to VERB this one". */
bool disk_refuse_children(const char *path, const uint8_t uuid[VHD_UUID_BYTES], const char *but,
                          const char *verb, GError **err);

/*
 * What to leave out of a disk that is written anew: *yes for a block whose bitmap and data are
 * these.  0 or errno.
 */
typedef int disk_skip(struct image *img, uint32_t block, const uint8_t *bitmap, const uint8_t *data,
                      bool *yes);
/*
 * Write a dynamic or differencing disk anew into an empty file: the same identity, `size` bytes
 * large, without what `skip` (or NULL) leaves out.  HOST, CANCELLED.
 */
bool disk_rewrite(struct image *img, int to, uint64_t size, disk_skip *skip,
                  const struct disk_watch *w, GError **err);

/* Partitions, as far as tables in the disk tell. */
struct disk_parts {
    bool gpt;
    uint64_t end;    /* byte behind the last one; 0: none */
    unsigned number; /* of that one */
};
/* Whether the last sector of a medium of `size` bytes, not above its own, is a GUID partition
 * table's second header. */
bool disk_has_gpt_copy(struct image *img, uint64_t size);
/* 0 or errno. */
int disk_read_parts(struct image *img, struct disk_parts *p);

/* The file keeps its time of last change, if work on it changes nothing a guest can see. */
void disk_set_mtime(int fd, const struct timespec *mtime);

#endif
