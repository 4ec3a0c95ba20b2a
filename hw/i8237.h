/*
 * The two 8237A DMA controllers with their page registers (hw/i8237.c), device "i8237".
 *
 * Ports 0x00-0x0f, 0xc0-0xdf, 0x81-0x8f (0x80 and the unused neighbours are plain scratch
 * registers; the POST code port 0x80 is claimed by port80, so create port80 after i8237).
 *
 * Not modelled: see hw/i8237.c.
 */
#ifndef HW_I8237_H
#define HW_I8237_H

#include "hw/core/machine.h"

extern const struct device_ops i8237_ops;

/*
 * Move up to `len` bytes between `buf` and memory over channel 0..3 (8 bit) or 5..7 (16 bit: len
 * counts bytes and is rounded down to pairs).  `to_memory`: the device writes memory.  Returns the
 * bytes moved: fewer than len when the channel is masked, disabled, programmed for the other
 * direction (0) or reaches terminal count, which `*tc` (may be NULL) reports.  Verify transfers
 * move nothing but count.  Lock held.
 */
size_t i8237_transfer(struct device *dev, unsigned channel, uint8_t *buf, size_t len,
                      bool to_memory, bool *tc);
/* Whether the channel would move anything now (enabled and unmasked). */
bool i8237_ready(struct device *dev, unsigned channel);
/* The DREQ input as the status register shows it. */
void i8237_set_dreq(struct device *dev, unsigned channel, bool level);

#endif
