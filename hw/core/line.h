/*
 * A wire from one output to one sink (an interrupt request, a gate, a reset pin).
 *
 * The level is part of the driver's state, so that loading a snapshot makes no false edge.  Fan-in
 * (shared PCI interrupts) is the sink's business.
 *
 * Not modelled: voltages: a line is low or high, and changes at once.
 */
#ifndef HW_CORE_LINE_H
#define HW_CORE_LINE_H

#include <stdbool.h>

struct line {
    bool level;
    void (*fn)(void *opaque, int n, bool level);
    void *opaque;
    int n;
};

/* Connect once, by the board; an unconnected line may be driven and goes nowhere. */
static inline void line_connect(struct line *l, void (*fn)(void *, int, bool), void *opaque, int n)
{
    l->fn = fn;
    l->opaque = opaque;
    l->n = n;
}

/* Drive the wire; the sink is called only on a change.  Lock held. */
static inline void line_set(struct line *l, bool level)
{
    if (l->level == level) {
        return;
    }
    l->level = level;
    if (l->fn) {
        l->fn(l->opaque, l->n, level);
    }
}

/* A short pulse: high, then low. */
static inline void line_pulse(struct line *l)
{
    line_set(l, true);
    line_set(l, false);
}

#endif
