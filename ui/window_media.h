/*
 * Which drive an image file is for, and which images were used last.
 */
#ifndef CANDELA_UI_WINDOW_MEDIA_H
#define CANDELA_UI_WINDOW_MEDIA_H

#include "hw/core/config.h"

enum media_kind { MEDIA_UNKNOWN, MEDIA_CD, MEDIA_FLOPPY, MEDIA_DISK, MEDIA_KINDS };

/* What a file is, by its name, its size and, where these leave it open, what stands in it (an ISO
 * 9660 volume).  Blocks on the file system. */
enum media_kind media_kind_of(const char *path);
/* What a drive takes. */
enum media_kind media_kind_of_drive(const struct drive_config *d);
/* "hard disk", ... */
const char *media_kind_name(enum media_kind kind);
/* For a file chooser; NULL for a kind that is not changed. */
const char *media_patterns(enum media_kind kind);
/* The rows of config.drives that take this kind; how many. */
unsigned media_drives(const struct vm_config *c, enum media_kind kind,
                      unsigned rows[VM_MAX_DRIVES]);
/* "CD drive (secondary master)", "Floppy drive A". */
char *media_drive_title(const struct drive_config *d);

enum { RECENT_MAX = 8 };
/* The images of this kind that were used last, newest first, of those that are still there;
 * g_strfreev. */
char **media_recent(enum media_kind kind);
/* `path` was used.  What cannot be written is not kept: no error. */
void media_remember(enum media_kind kind, const char *path);

#endif
