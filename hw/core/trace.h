/*
 * Traces and guest errors.
 *
 * A trace costs one test of a per-device mask when off.  Bus accesses, lines and timers are traced
 * by the core. Output goes to the log file (or stderr) as one line each: time, device, category,
 * text.
 *
 * Not modelled: binary traces and tracepoints that are compiled out.
 */
#ifndef HW_CORE_TRACE_H
#define HW_CORE_TRACE_H

#include "hw/core/base.h"
#include "hw/core/device.h"

enum trace_category {
    TR_IO = BIT(0),  /* port and MMIO accesses (by the core) */
    TR_IRQ = BIT(1), /* interrupt lines, vectors delivered */
    TR_DMA = BIT(2),
    TR_TIMER = BIT(3),
    TR_STATE = BIT(4), /* mode changes, resets */
    TR_GUEST = BIT(5), /* what the guest did wrong */
    TR_BLOCK = BIT(6), /* disk requests */
    TR_EXCP = BIT(7),  /* CPU exceptions and interrupts */
    TR_INSN = BIT(8),  /* every instruction, disassembled */
    TR_JIT = BIT(9),   /* every block as it is translated, guest beside host code */
    TR_ALL = 0x3ff,
};

/* "io,irq" -> mask; CONFIG error lists the names. */
bool trace_parse(const char *list, uint32_t *mask, GError **err);
/* Names and meanings, for `--trace help`. */
void trace_help(GString *out);
const char *trace_name(uint32_t category);

void trace_write(struct machine *m, const char *who, uint32_t category, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);

#define trace(dev, category, ...)                                                                  \
    do {                                                                                           \
        struct device *trace_dev_ = (struct device *)(dev);                                        \
        if (unlikely(trace_dev_->trace_mask & (category))) {                                       \
            trace_write(trace_dev_->m, trace_dev_->name, (category), __VA_ARGS__);                 \
        }                                                                                          \
    } while (0)

/* What the guest did wrong: counted, traced under TR_GUEST, the first 20 per device only.  Lock
 * held. */
void guest_error(struct device *dev, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

#endif
