/*
 * Traces and guest errors, as lines of text in the log.
 *
 * Not modelled yet: the ring that a monitor prints and a crash handler dumps.
 */
#include "hw/core/machine.h"
#include <stdio.h>

/* Guest errors shown per device; the rest is only counted. */
#define GUEST_ERRORS_SHOWN 20

struct category {
    uint32_t mask;
    const char *name, *title;
};

static const struct category categories[] = {
    {TR_IO, "io", "port and MMIO accesses"},
    {TR_IRQ, "irq", "interrupt lines, vectors delivered"},
    {TR_DMA, "dma", "DMA transfers by devices"},
    {TR_TIMER, "timer", "timers armed and fired"},
    {TR_STATE, "state", "mode changes, resets"},
    {TR_GUEST, "guest", "what the guest did wrong"},
    {TR_BLOCK, "block", "disk requests"},
    {TR_EXCP, "excp", "CPU exceptions and interrupts"},
    {TR_INSN, "insn", "every instruction, disassembled"},
    {TR_JIT, "jit", "translated blocks, guest beside host code"},
    {TR_ALL, "all", "all of these"},
};

bool trace_parse(const char *list, uint32_t *mask, GError **err)
{
    g_auto(GStrv) words = g_strsplit(list, ",", -1);
    g_autoptr(GString) known = g_string_new(NULL);
    uint32_t found = 0;

    for (char **w = words; *w; w++) {
        unsigned i;

        for (i = 0; i < ARRAY_LEN(categories) && strcmp(*w, categories[i].name); i++) {
        }
        if (i < ARRAY_LEN(categories)) {
            found |= categories[i].mask;
            continue;
        }
        for (i = 0; i < ARRAY_LEN(categories); i++) {
            g_string_append_printf(known, "%s%s", i ? ", " : "", categories[i].name);
        }
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "unknown trace category '%s' (there are: %s)", *w, known->str);
        return false;
    }
    *mask = found;
    return true;
}

void trace_help(GString *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(categories); i++) {
        g_string_append_printf(out, "%-8s %s\n", categories[i].name, categories[i].title);
    }
}

const char *trace_name(uint32_t category)
{
    for (unsigned i = 0; i < ARRAY_LEN(categories); i++) {
        if (categories[i].mask == category) {
            return categories[i].name;
        }
    }
    return "?";
}

static void trace_vwrite(struct machine *m, const char *who, uint32_t category, const char *fmt,
                         va_list args)
{
    FILE *f = m->log ? m->log : stderr;
    int64_t now = clock_now(m);

    g_mutex_lock(&m->trace_lock);
    fprintf(f, "%lld.%09d %s %s: ", now / NS_PER_SEC, (int)(now % NS_PER_SEC), who,
            trace_name(category));
    vfprintf(f, fmt, args);
    fputc('\n', f);
    g_mutex_unlock(&m->trace_lock);
}

void trace_write(struct machine *m, const char *who, uint32_t category, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    trace_vwrite(m, who, category, fmt, args);
    va_end(args);
}

void guest_error(struct device *dev, const char *fmt, ...)
{
    va_list args;

    dev->guest_errors++;
    if (!(dev->trace_mask & TR_GUEST) || dev->guest_errors > GUEST_ERRORS_SHOWN) {
        return;
    }
    va_start(args, fmt);
    trace_vwrite(dev->m, dev->name, TR_GUEST, fmt, args);
    va_end(args);
    if (dev->guest_errors == GUEST_ERRORS_SHOWN) {
        trace_write(dev->m, dev->name, TR_GUEST, "further errors are only counted");
    }
}
