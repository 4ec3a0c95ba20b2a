/*
 * Guest code that is part of the program (ui/images.S takes it in).  Each image goes from its name
 * up to, not including, its _end; constant, never freed (g_bytes_new_static fits).
 */
#ifndef CANDELA_UI_IMAGES_H
#define CANDELA_UI_IMAGES_H

#include <stdint.h>

extern const uint8_t image_lab[], image_lab_end[];             /* 1.44 MB floppy image */
extern const uint8_t image_linuxboot[], image_linuxboot_end[]; /* option ROM, Linux bzImage */
extern const uint8_t image_multiboot[], image_multiboot_end[]; /* option ROM, Multiboot 1 */
extern const uint8_t image_netboot[], image_netboot_end[];     /* option ROM, iPXE */

#endif
