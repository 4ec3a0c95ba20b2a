/*
 * Disk images: probing and opening.
 *
 * Not modelled: formats other than raw and VHD.
 */
#ifndef VHD_VHD_H
#define VHD_VHD_H

#include "hw/core/block.h"
#include "hw/core/config.h"

/*
 * Open the image at `path` as a disk, or as a CD/DVD (`cdrom`: always read-only, sectors of 2048
 * bytes in the file). `format` DRIVE_FORMAT_AUTO looks at the file.  The block's path is made
 * absolute.  A disk that is not `readonly` is locked against other writers (and other users while
 * it is written).  The file is not changed by opening it, but that a VHD whose footer a crash cut
 * off gets it back when it is opened for writing.  The parents of a differencing VHD are opened
 * read-only and locked against writers.
 *
 * Errors (NULL): FILE for a path that is missing, locked, not permitted, a folder or the like;
 * FORMAT for contents that are no such image.  The message starts with the path.  Any thread;
 * blocks on the file system.
 */
struct block *block_open(const char *path, enum drive_format format, bool readonly, bool cdrom,
                         GError **err);

/*
 * Open the image at `path` as a floppy disk: raw (.vfd, .img), of any size up to 2.88 MB.  The
 * medium is as large as the format it counts as (hw/core/floppy.h): behind the file's end it reads
 * as zeros, and a write there makes the file longer.  A file that may not be written is a
 * write-protected disk, as is one with `readonly`.  Locks and errors as with block_open; FORMAT
 * also for an image that is too large for any floppy disk, or a `format` other than raw.
 */
struct block *block_open_floppy(const char *path, enum drive_format format, bool readonly,
                                GError **err);

/*
 * Make a block that was opened `readonly` and has no machine yet writable without its image being
 * written: what is written lasts as long as the block.  FILE error.
 */
bool block_add_overlay(struct block *b, GError **err);

#endif
