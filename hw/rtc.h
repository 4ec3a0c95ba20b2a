/*
 * The MC146818 clock with 256 bytes of CMOS (hw/rtc.c), device "rtc": ports 0x70-0x73.
 *
 *     line_connect(rtc_irq(rtc), isa_irq_sink, board, 8);
 *     rtc_set_cmos(rtc, 0x34, above_16m & 0xff);    after device_new, before machine_reset
 *
 * Not modelled: see hw/rtc.c.
 */
#ifndef HW_RTC_H
#define HW_RTC_H

#include "hw/core/machine.h"

extern const struct device_ops rtc_ops;

struct line *rtc_irq(struct device *dev);
/* Set a CMOS byte (index 0x0e..0xff; clock registers are ignored).  It survives reset.  Lock held.
 */
void rtc_set_cmos(struct device *dev, unsigned index, uint8_t value);
uint8_t rtc_get_cmos(struct device *dev, unsigned index);
/* The standard checksum over 0x10..0x2d into 0x2e/0x2f, once the bytes are in. */
void rtc_set_cmos_checksum(struct device *dev);
/* Bit 7 of port 0x70: non-maskable interrupts are held back.  For whoever drives NMI sources. */
bool rtc_nmi_masked(struct device *dev);

#endif
