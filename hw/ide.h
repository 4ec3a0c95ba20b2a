/*
 * The IDE channels as the board sees them (hw/ide.c).
 *
 * Not modelled: see hw/ide.c.
 *
 * The board makes two devices, sets the property "channel" and connects the interrupt line:
 *
 *     struct device *ide1 = device_new(m, &ide_ops, "ide1");
 *     device_set(ide1, "channel", "1", err);
 *     line_connect(ide_irq(ide1), ..., 15);
 *
 * Channel 0 answers at 0x1f0-0x1f7 and 0x3f6 (IRQ 14), channel 1 at 0x170-0x177 and 0x376 (IRQ 15)
 * from attach on, unless ide_set_decode says otherwise.  A channel takes its drives itself: every
 * used row of m->config.drives with .interface DRIVE_IDE, .index 2 * channel or 2 * channel + 1,
 * and for its medium the block m->drives[same row] (NULL: an empty CD drive; a disk without a block
 * is an attach error).
 */
#ifndef HW_IDE_H
#define HW_IDE_H

#include "hw/core/machine.h"

extern const struct device_ops ide_ops;

/* The channel's interrupt output, to be connected by the board before attach or reset. */
struct line *ide_irq(struct device *dev);

/* The PCI function decides whether the legacy ports are answered, and whether the bus master may
 * use the bus (it waits while it may not). */
void ide_set_decode(struct device *dev, bool on);
void ide_set_master(struct device *dev, bool on);
/* Move what waited for ide_set_master; the guest's doing only, never a snapshot's. */
void ide_bm_go_on(struct device *dev);
/* The bus master's eight registers: BMIC, -, BMIS, -, BMIDTP (4 bytes); `size` bytes from `off`. */
uint32_t ide_bm_read(struct device *dev, unsigned off, unsigned size);
void ide_bm_write(struct device *dev, unsigned off, uint32_t val, unsigned size);

/*
 * Give the CD drive `unit` (0 master, 1 slave) of channel `dev` another medium, or none (NULL): the
 * guest sees the tray open and close; m->drives follows.  `*old` gets the medium that was in it (or
 * NULL), which the caller closes after a block_drain.  False, and nothing changed, when there is no
 * CD drive or the guest locked the tray and `force` is off; the guest then hears that somebody
 * wishes for the medium, and may eject it.  Lock held.
 */
bool ide_change_medium(struct device *dev, unsigned unit, struct block *blk, bool force,
                       struct block **old);
/* How the tray of CD drive `unit` stands; false: it is no CD drive.  Lock held. */
bool ide_tray(struct device *dev, unsigned unit, bool *open, bool *locked);

#endif
