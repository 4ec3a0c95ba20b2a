/*
 * For tests of images: a folder of their own, images made and opened in it, a model of the medium.
 *
 * Not modelled: the guest.
 */
#ifndef TESTS_VHD_VHD_RIG_H
#define TESTS_VHD_VHD_RIG_H

#include "vhd/image.h"

/* A new folder; vhd_rig_remove takes it away with all in it (one level). */
char *vhd_rig_folder(void);
void vhd_rig_remove(char *folder);

/* Make an image; `parent` NULL or a path.  The path, which the caller frees. */
char *vhd_rig_create(const char *folder, const char *name, enum vhd_type type, uint64_t size,
                     uint32_t block_bytes, const char *parent);
/* Open, or fail the test. */
struct image *vhd_rig_open(const char *path, bool readonly);
/* Open, and expect to be refused with words in the message. */
void vhd_rig_refuse(const char *path, bool readonly, const char *words);

/* Write `count` bytes of a pattern that `seed` decides to the image and to the model. */
void vhd_rig_write(struct image *img, uint8_t *model, uint64_t off, size_t count, uint32_t seed);
/* Random writes, `count` of them, anywhere and of up to `most` bytes. */
void vhd_rig_scribble(struct image *img, uint8_t *model, GRand *rand, unsigned count, size_t most);
/* The medium is what the model says. */
void vhd_rig_expect(struct image *img, const uint8_t *model);

/* Run a shell command; the test fails unless it exits with 0.  What it wrote, to free. */
char *vhd_rig_shell(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* Unpack a sample of tests/data/vhd-samples into the folder: its path. */
char *vhd_rig_sample(const char *folder, const char *name);
/* MD5 of the medium, through the image's driver. */
char *vhd_rig_md5(struct image *img);

#endif
