/*
 * The local APIC's registers for people: `info lapic`.
 *
 * Not modelled: nothing of the guest is.
 */
#include "hw/lapic_int.h"

/* The vectors of a 256-bit register, in ranges. */
static void info_vectors(const char *name, const uint32_t map[8], GString *out)
{
    bool any = false;

    g_string_append_printf(out, "  %s", name);
    for (unsigned v = 0; v < 256; v++) {
        unsigned from = v;

        if (!(map[v >> 5] >> (v & 31) & 1)) {
            continue;
        }
        while (v < 255 && map[(v + 1) >> 5] >> ((v + 1) & 31) & 1) {
            v++;
        }
        g_string_append_printf(out, v > from ? " %02x-%02x" : " %02x", from, v);
        any = true;
    }
    g_string_append(out, any ? "\n" : " none\n");
}

static void info_lvt(const struct lapic *l, unsigned n, GString *out)
{
    static const char *const names[LVTS] = {"timer", "thermal", "performance",
                                            "LINT0", "LINT1",   "error"};
    static const char *const modes[8] = {"fixed", "lowest", "SMI",    "mode 3",
                                         "NMI",   "INIT",   "mode 6", "ExtINT"};
    uint32_t v = l->s.lvt[n];

    g_string_append_printf(out, "  LVT %-11s %08x vector %02x", names[n], v, v & 0xff);
    if (n == LVT_TIMER) {
        g_string_append(out, v & LVT_DEADLINE   ? " TSC deadline"
                             : v & LVT_PERIODIC ? " periodic"
                                                : " one-shot");
    } else if (n != LVT_ERROR) {
        g_string_append_printf(out, " %s", modes[v >> 8 & 7]);
    }
    if (n == LVT_LINT0 || n == LVT_LINT1) {
        g_string_append_printf(out, " %s%s, pin %s", v & LVT_LEVEL ? "level" : "edge",
                               v & LVT_REMOTE_IRR ? " remote-IRR" : "",
                               l->s.lint[n - LVT_LINT0] ? "high" : "low");
    }
    g_string_append(out, v & LVT_MASKED ? " masked\n" : "\n");
}

void lapic_info(struct device *dev, GString *out)
{
    const struct lapic *l = (const struct lapic *)dev;

    if (atomic_load(&dev->m->apics_away)) {
        machine_exclusive_begin(dev->m);
        dev->m->accel->apics_pull(dev->m);
        machine_exclusive_end(dev->m);
    }
    g_string_append_printf(out, "%s: ID %u, base %" G_GINT64_MODIFIER "x, %s%s%s\n", dev->name,
                           (unsigned)l->id, (uint64_t)(l->s.base & BASE_ADDRESS),
                           !lapic_is_on(l)  ? "off"
                           : lapic_is_x2(l) ? "x2APIC"
                                            : "xAPIC",
                           l->s.svr & SVR_ENABLE ? "" : ", software-disabled",
                           l->s.base & BASE_BSP ? ", boot processor" : "");
    g_string_append_printf(out, "  TPR %02x PPR %02x LDR %08x DFR %08x SVR %08x ESR %08x\n",
                           l->s.tpr, lapic_ppr(l), lapic_ldr(l), l->s.dfr, l->s.svr, l->s.esr);
    g_string_append_printf(out, "  ICR %016" G_GINT64_MODIFIER "x\n", l->s.icr);
    for (unsigned n = 0; n < LVTS; n++) {
        info_lvt(l, n, out);
    }
    g_string_append_printf(out, "  timer: initial count %08x, divide %x, ", l->s.initial,
                           l->s.divide);
    if (l->s.timer.armed) {
        g_string_append_printf(out, "due in %" G_GINT64_FORMAT " ns\n",
                               l->s.timer.deadline - clock_now(dev->m));
    } else {
        g_string_append(out, "off\n");
    }
    info_vectors("IRR", l->s.irr, out);
    info_vectors("ISR", l->s.isr, out);
    info_vectors("TMR", l->s.tmr, out);
}
