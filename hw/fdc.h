/*
 * The floppy controller (hw/fdc.c), device "fdc": ports 0x3f2-0x3f5 and 0x3f7, IRQ 6, DMA channel 2
 * of "i8237".
 *
 *     pc_connect(pc, fdc_irq(device_new(m, &fdc_ops, "fdc")), 6);
 *
 * It takes its drives itself: every used row of m->config.drives with .interface DRIVE_FLOPPY and
 * .index 0 (A) or 1 (B), and for its medium the block m->drives[same row] (NULL: an empty drive).
 * The front end opens the image with block_open_floppy (vhd/vhd.h).  What kind of drive it is
 * follows from the medium that is in it at the start: 360 KB or 1.2 MB, else 1.44 or 2.88 MB; an
 * empty one takes 2.88 MB.
 *
 * Not modelled: see hw/fdc.c.
 */
#ifndef HW_FDC_H
#define HW_FDC_H

#include "hw/core/machine.h"

extern const struct device_ops fdc_ops;

/* The controller's interrupt output, to be connected by the board before attach or reset. */
struct line *fdc_irq(struct device *dev);

/* The type of drive 0 or 1 as CMOS byte 0x10 has it (0: no such drive), from the machine's
 * configuration alone. */
unsigned fdc_drive_type(const struct machine *m, unsigned drive);

/*
 * Give drive 0 or 1 another medium, which was opened with block_open_floppy and given to the
 * machine (block_attach), or none (NULL): the guest sees the change line.  *old becomes the medium
 * that was in it (or NULL), which the caller closes after a block_drain.  False, and nothing
 * changed, when there is no such drive or the medium is of the other width (5.25 for 3.5 inches),
 * of a density the drive has not, or too large for a floppy disk.  Lock held.
 */
bool fdc_change_medium(struct device *dev, unsigned drive, struct block *blk, struct block **old);

#endif
