/*
 * Sectors that say which write they came from: what the crash tests write and look for.
 *
 * A sector of version 0 was never written.  Version v of sector s holds both numbers, 32 times, so
 * a sector that is torn or somebody else's is recognised.
 *
 * Not modelled: writes that are no whole sectors.
 */
#ifndef TESTS_VHD_VERSIONS_H
#define TESTS_VHD_VERSIONS_H

#include "vhd/image.h"

/* What is known of each sector of a medium, by sector number. */
struct versions {
    uint32_t sectors;
    uint32_t next;     /* the next version to be given out */
    uint32_t *issued;  /* the newest version whose write has begun */
    uint32_t *done;    /* the newest version whose write was a success */
    uint32_t *flushed; /* the version that must survive */
    uint32_t *oldest;  /* what was there at the beginning: 0, or the parent's version */
};

/* Arrays of zeros, in memory that a forked child shares; `next` is the caller's in each process. */
void versions_init(struct versions *v, uint32_t sectors);
void versions_fini(struct versions *v);

/* Write sectors through the image's driver with a new version: 0 or errno. */
int versions_write(struct versions *v, struct image *img, uint32_t first, uint32_t count);
/* Count everything as flushed that was issued: the image was closed. */
void versions_settle(struct versions *v);
/* A random write of up to `most` sectors; now and then at a block's edge. */
int versions_scribble(struct versions *v, struct image *img, GRand *rand, uint32_t most);
/* Flush; what was done before is flushed after. */
int versions_flush(struct versions *v, struct image *img);

/*
 * Look at the whole medium after a crash.  A sector may have any version from the flushed to the
 * issued.  Returns how many sectors have lost a flushed write or hold what nobody wrote; `what`
 * describes the first (to free).  What is there becomes issued, done and flushed.
 */
uint32_t versions_check(struct versions *v, struct image *img, char **what);

#endif
