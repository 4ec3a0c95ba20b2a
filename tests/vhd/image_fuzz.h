/*
 * Images with any contents: what is opened can be read, written, flushed and opened again, and what
 * was written is there.  Used by the fuzzer (tests/fuzz/fuzz_image.c) and by the tests.
 *
 * Not modelled: files that change while they are open.
 */
#ifndef TESTS_VHD_IMAGE_FUZZ_H
#define TESTS_VHD_IMAGE_FUZZ_H

#include "vhd/image.h"

/* The first byte of the input. */
enum {
    IMAGE_FUZZ_FORMAT = 3,  /* enum drive_format */
    IMAGE_FUZZ_CDROM = 4,   /* a CD or DVD */
    IMAGE_FUZZ_FLOPPY = 8,  /* a floppy disk */
    IMAGE_FUZZ_MEND = 16,   /* give footers and header their cookies and checksums */
    IMAGE_FUZZ_PARENT = 32, /* give a differencing disk a parent that is there */
    IMAGE_FUZZ_WRITE = 64,  /* open for writing */
};

/* The first byte says how to open, the rest is the file.  Ends the process where a promise of
 * vhd/vhd.h or vhd/image.h is broken. */
void image_fuzz_one(const uint8_t *data, size_t size);

#endif
