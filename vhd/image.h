/*
 * What the parts of vhd/ share: an image file, opened, checked and locked, with its parents; the
 * format drivers; and what the disk tools (vhd/disk*.c) build on: creating images, finding what is
 * allocated in them, and checking them.
 *
 * An image is used by one thread at a time (see block_ops.parallel for the exception).
 *
 * Not modelled: anything of the guest.
 */
#ifndef VHD_IMAGE_H
#define VHD_IMAGE_H

#include "vhd/vhd.h"
#include "vhd/vhd_format.h"
#include <sys/stat.h>

/*
 * A host file, or what a test puts in its place.  Every call does all it is asked for, whatever
 * signals interrupt it, and gives 0 or an errno value.
 */
struct file {
    const struct file_ops *ops;
    int fd;
    void *opaque; /* of the ops */
};

struct file_ops {
    int (*read)(struct file *f, void *buf, size_t len, uint64_t off);
    int (*write)(struct file *f, const void *buf, size_t len, uint64_t off);
    int (*sync)(struct file *f); /* what was written before is on the disk after */
    /* As read, but EAGAIN instead of waiting for the disk, and at the file's end; or NULL. */
    int (*read_now)(struct file *f, void *buf, size_t len, uint64_t off);
};

extern const struct file_ops host_file_ops;

/* What lies behind the file's end reads as zeros. */
int file_read_at(struct file *f, void *buf, size_t len, uint64_t off);
int file_write_at(struct file *f, const void *buf, size_t len, uint64_t off);
int file_sync(struct file *f);
int file_read_now(struct file *f, void *buf, size_t len, uint64_t off);

/*
 * Lock an open file as the image at `path` until it is closed: against everybody else, or against
 * writers.  FILE error where it is in use (`advice` ends that message), or where `path` has become
 * another file meanwhile.
 */
bool image_lock_file(int fd, const char *path, bool exclusive, const char *advice, GError **err);

static inline bool stat_is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

struct image {
    struct file file;
    char *path;
    const struct block_ops *ops; /* the format's driver; its `img` is this image */
    uint64_t file_size;          /* bytes when opened, or as the driver last knew */
    uint64_t size;               /* bytes of the medium the guest sees */
    bool readonly;
    struct vhd_disk *vhd;      /* NULL: raw */
    const struct image *child; /* while opened as a parent: the one below it */
};

/* A VHD as it was found.  For fixed disks only `footer` and `end_footer` have a meaning. */
struct vhd_disk {
    struct vhd_footer footer; /* the one at the end, or else the copy at the front */
    struct vhd_header header;
    uint8_t footer_bytes[VHD_FOOTER_BYTES];
    uint8_t *bat;            /* as in the file, whole sectors; header.entries entries */
    uint32_t bitmap_bytes;   /* of the sector bitmap in front of each block */
    uint64_t end;            /* where the next block may be: where the last footer is now */
    bool end_footer;         /* there is a sound footer at the end */
    bool front_footer;       /* and one at the front that is the same */
    struct image *parent;    /* differencing: read-only, owned */
    struct vhd_cache *cache; /* the driver's (vhd_disk.c) */
};

extern const struct block_ops raw_ops; /* the file is the medium, from its first byte on */
extern const struct block_ops
    fixed_vhd_ops; /* the same with a footer behind, which stays out of reach */
extern const struct block_ops dynamic_vhd_ops, differencing_vhd_ops;

/*
 * Open `path` as block_open does, with the parents of a differencing disk; file operations go to
 * `ops` (host_file_ops but in tests), with `opaque` in the file.  NULL and the error.
 *
 * image_close flushes, gives up the locks and frees it all; who must know whether the flush went
 * well flushes before (img->ops->flush).
 */
struct image *image_open(const char *path, enum drive_format format, bool readonly, bool cdrom,
                         const struct file_ops *ops, void *opaque, GError **err);
void image_close(struct image *img);
/*
 * Use an open file, which is taken over (also on failure), as image: nothing is locked.  `path` is
 * what messages and a differencing disk's parent search go by: the name that the file has or will
 * have.  This is how a new image is filled before it appears under its name.
 */
struct image *image_open_fd(int fd, const char *path, enum drive_format format, bool readonly,
                            GError **err);
/* Whether the name is one under which a VHD is recognised unasked: .vhd, .avhd (Hyper-V's
 * snapshots), .vud (Virtual PC's undo disks). */
bool image_has_vhd_name(const char *path);
/* A block, with no machine yet, that owns the image. */
struct block *image_to_block(struct image *img, bool cdrom);

/*
 * The first bytes at or behind `off` that may be something else than zeros: from *start to before
 * *end, *start == size where there are none.  Whole sectors for VHDs.  With `chain` the parents'
 * are found too; else what is in this file alone, for a differencing disk what it has instead of
 * its parent (zeros among it).  0 or an errno value.  After writes, image_next_data may find more
 * than is written in the file yet, never less.
 */
int image_next_data(struct image *img, uint64_t off, bool chain, uint64_t *start, uint64_t *end);

/* What a new image is to be. */
struct image_layout {
    enum drive_format format; /* RAW or VHD */
    enum vhd_type type;       /* VHD */
    uint64_t size;            /* bytes, whole sectors; VHD: at most VHD_MAX_BYTES.  A differencing
                                 disk: 0, or the parent's */
    uint32_t block_bytes;     /* dynamic, differencing: a power of two; 0: 2 MiB */
    const char *path;         /* the name it will have: the parent's relative name goes by it */
    const char *parent;       /* differencing: the file, which must exist and be a VHD */
};
/*
 * Make an empty image in an empty file that is open for writing, which stays the caller's.  It is
 * sparse: raw and fixed disks are holes (VHD_TYPE_FIXED has its footer behind).  A differencing
 * disk gets the parent's identifier and time, its name, and its path relative to the folder of
 * `path` and absolute.  Nothing is synced.  Errors: CONFIG for sizes that cannot be, FILE, FORMAT
 * for the parent, HOST for writes that fail; on failure the file's contents are undefined.
 */
bool image_create(int fd, const struct image_layout *layout, GError **err);

/* How bad a finding is. */
enum vhd_fault {
    VHD_FAULT_MENDED, /* the image can be used; opening it for writing mends this */
    VHD_FAULT_WASTE,  /* the image can be used; space in the file is lost */
    VHD_FAULT_FATAL,  /* it is not opened */
};
/* Takes one finding: a sentence's end, as "its footer has a wrong checksum". */
struct vhd_report {
    void (*found)(struct vhd_report *r, enum vhd_fault fault, const char *what);
};
/*
 * Read and check a VHD's structures into *d (parents are not looked for).  Every finding goes to
 * `r`.  False: a fatal one was among them, *d is cleared.  *is_vhd tells whether there is a sign of
 * a VHD at all.  vhd_load_clear frees what is in *d, but for the cache.
 */
bool vhd_load(struct image *img, struct vhd_disk *d, struct vhd_report *r, bool *is_vhd);
void vhd_load_clear(struct vhd_disk *d);

/* The block's place in the file, or 0 for none; `block` is below header.entries. */
uint64_t vhd_block_offset(const struct vhd_disk *d, uint32_t block);

/* The first sectors from `off` on and before `end`, inside one block that is in the file, that
 * count instead of what is below: *from == end where there are none.  0 or an errno value. */
int vhd_next_sectors(struct image *img, uint64_t off, uint64_t end, uint64_t *from, uint64_t *to);

/* What the drivers of dynamic and differencing disks do first: mends what may be.  0 or errno. */
int vhd_disk_start(struct image *img);
/* Close the file and free everything; image_close does more. */
void image_free(struct image *img);

/*
 * Find, open and check the parent of a differencing disk.  False and the error, which names the
 * parent.
 */
bool vhd_open_parent(struct image *img, GError **err);
/* Whether a file was last changed when the child recorded that it was, as far as it did. */
bool vhd_parent_is_unchanged(const struct vhd_header *h, int parent_fd);
/* As image_open, for the parent of `child` (which is being opened). */
struct image *image_open_parent(const char *path, const struct image *child, GError **err);
/*
 * The paths at which the parent of a disk is looked for, in order, owned strings.  Host paths: '\\'
 * has become '/', and a Windows drive's file is looked for beside the child.
 */
GPtrArray *vhd_parent_candidates(struct image *img);

enum { VHD_CHAIN_MAX = 64 }; /* images on top of one another */

#endif
