/*
 * What a machine starts from: disks, kernel, firmware, option ROMs; opened and read before it is
 * built.
 */
#ifndef CANDELA_UI_MEDIA_H
#define CANDELA_UI_MEDIA_H

#include "hw/core/machine.h"

/*
 * Fill m->drives, kernel, initrd, netboot, bios_image, vga_bios_image and the option ROMs from
 * m->config.
 * Nothing is changed on disk.  FILE, FORMAT or CONFIG errors that start with the file or option.
 * `note`: a line for people, or NULL.  `lost` (NULL: none may be): VM_MAX_DRIVES of them, all NULL:
 * a CD or floppy disk that cannot be opened leaves its drive empty, and the reason in its row.
 */
bool media_open(struct machine *m, void (*note)(const char *text), GError **lost, GError **err);
/* The image of one drive, as its configuration says; FILE or FORMAT error that starts with the
 * path.  Any thread; blocks on the file system. */
struct block *media_open_drive(const struct drive_config *d, GError **err);
/* Whether the host can map that much memory; FILE error (exit code 3).*/
bool media_check_memory(uint64_t bytes, GError **err);
/* Read a whole file of at most `max` bytes; larger ones are refused unread. */
GBytes *media_read(const char *option, const char *path, uint64_t max, GError **err);

#endif
