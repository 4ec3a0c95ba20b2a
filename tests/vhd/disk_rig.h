/*
 * What the tests of disk tools share: a folder, images with known contents, programs to run.
 *
 * Not modelled: the guest.
 */
#ifndef TESTS_VHD_DISK_RIG_H
#define TESTS_VHD_DISK_RIG_H

#include "vhd/image.h"

struct disk_dir {
    char *path;
};

void disk_dir_init(struct disk_dir *d);
/* Remove it with all that is in it. */
void disk_dir_fini(struct disk_dir *d);
/* A path in it; g_free. */
char *disk_dir_file(const struct disk_dir *d, const char *name);
/* How many files are in it. */
unsigned disk_dir_count(const struct disk_dir *d);

/* A raw image with pieces of data and holes, which follow from `seed`. */
void disk_make_raw(const char *path, uint64_t size, unsigned seed);
/* Write `len` bytes of value `fill` at `off` of the medium, as a guest would. */
void disk_poke(const char *path, uint64_t off, size_t len, uint8_t fill);
/* The MD5 sum of what a guest sees; g_free.  A sound chain is asserted. */
char *disk_sum(const char *path);
/* The MD5 sum of the file as it is; g_free. */
char *disk_file_sum(const char *path);
/* Unpack one of the samples (its name without .gz or .bz2) to `path`. */
void disk_unpack_sample(const char *name, const char *path);

/* Whether a program is installed. */
bool disk_has_program(const char *name);

struct disk_ran {
    int status; /* exit code; -1: killed */
    char *out, *err;
};
/* Run a program with words up to NULL; at most `file_bytes` can be written to a file (0: no limit).
 */
struct disk_ran disk_run(uint64_t file_bytes, const char *word, ...) G_GNUC_NULL_TERMINATED;
void disk_ran_clear(struct disk_ran *r);
/* Run, assert that it ends with that code, and forget what it says. */
#define disk_expect(code, ...)                                                                     \
    do {                                                                                           \
        struct disk_ran ran_ = disk_run(0, __VA_ARGS__, NULL);                                     \
        cr_assert_eq(ran_.status, code, "%d: %s%s", ran_.status, ran_.out, ran_.err);              \
        disk_ran_clear(&ran_);                                                                     \
    } while (0)

/* The candela program; the test is skipped without it. */
const char *disk_program(void);

#endif
