/*
 * The disk contract: 512-byte sectors behind an asynchronous request.
 *
 * The device embeds a request, fills it in and submits; `done` comes later, on whatever thread,
 * under the lock, never inside block_submit.  Backends (vhd/) implement struct block_ops with plain
 * synchronous calls on worker threads.
 *
 * Not modelled: discard, write-zeroes, several queues, sectors of other sizes.
 */
#ifndef HW_CORE_BLOCK_H
#define HW_CORE_BLOCK_H

#include "hw/core/base.h"

struct machine;
struct block;
struct device;

#define SECTOR_BYTES 512

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

struct block_req {
    enum block_op op;
    uint64_t sector; /* first 512-byte sector */
    uint32_t count;  /* sectors */
    uint8_t *buf;    /* count * 512 bytes, owned by the submitter until done */
    void (*done)(struct block_req *req);
    void *opaque; /* the submitter's */
    int error;    /* 0, or an errno value, when done is called */
    bool busy;    /* between submit and done */
    struct block *blk;
    uint64_t epoch; /* used by block.c: requests from before a reset are completed silently */
};

/* A format driver's calls; synchronous, on a worker thread, one at a time per block unless
 * `parallel`. */
struct block_ops {
    const char *name; /* "raw", "vhd" */
    bool parallel;
    int (*read_at)(void *img, uint64_t off, void *buf, size_t len);        /* 0 or errno */
    int (*write_at)(void *img, uint64_t off, const void *buf, size_t len); /* 0 or errno */
    int (*flush)(void *img);
    void (*close)(void *img);
    /* As read_at, but EAGAIN instead of waiting for the host's disk; on any thread, beside other
     * calls.  Or NULL. */
    int (*read_now)(void *img, uint64_t off, void *buf, size_t len);
};

struct block {
    const struct block_ops *ops;
    void *img;
    struct machine *m; /* set by block_attach */
    char *path;
    uint64_t sectors; /* size of the medium */
    bool readonly;
    uint64_t read_reqs, write_reqs, flush_reqs, read_bytes, write_bytes; /* for --stats */
    GMutex serial;      /* serialises calls of drivers that are not parallel */
    unsigned in_flight; /* requests submitted and not done; machine lock */
};

/* Give the block to a machine, which closes it at the end (machine_build does it for
 * machine.drives). */
void block_attach(struct block *b, struct machine *m);
/* Submit; lock held; req->busy until done.  Out-of-range requests complete with EINVAL, writes to a
   read-only medium with EROFS. */
void block_submit(struct block *b, struct block_req *req);
/*
 * The same for a read whose data the host has in memory anyway: true when it is done, without
 * error; `done` is not called.  False: nothing happened, submit it.  It takes as long as copying
 * does, with the lock held: not for one chunk after the other.
 */
bool block_read_now(struct block *b, struct block_req *req);
/* Wait for every request of the machine and run the completions (silently for requests from before
   a reset: busy goes false, done is not called).  Lock held; tests, stop, save, reset. */
void block_drain(struct machine *m);
/* Take a block from its machine again, to be closed elsewhere; false: requests are under way.  Lock
 * held. */
bool block_detach(struct block *b);
/* Wait for its requests, close the image and free the block.  Lock held once the block has a
 * machine. */
void block_close(struct block *b);

#endif
