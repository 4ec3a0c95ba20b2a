/*
 * What the engine tells people: the instruction trace, and the report on a triple fault (registers,
 * the bytes and disassembly at RIP, the last exceptions).
 *
 * Not modelled: page walks and gate decoding of the fault chain (a later debugger's work).
 */
#include "accel/interp.h"
#include "cpu/cpu.h"
#include <inttypes.h>

/* One instruction of `bytes` at IP `ip` as text; its length, 0: none that could be told. */
static unsigned instruction_text(const struct cpu *c, const uint8_t *bytes, unsigned len,
                                 uint64_t ip, char *text, unsigned size)
{
    struct machine *m = c->v->m;
    int took =
        m->disassemble && len ? m->disassemble(bytes, len, ip, cpu_code_bits(c), text, size) : 0;

    if (took <= 0) {
        *text = '\0';
    }
    return took > 0 ? (unsigned)took : 0;
}

static void report_code(struct cpu *c, GString *out)
{
    uint8_t bytes[32];
    unsigned len = mmu_peek(c, c->ip + c->cs_base, bytes, sizeof bytes), at = 0;

    g_string_append(out, "code at CS:IP:");
    for (unsigned n = 0; n < len; n++) {
        g_string_append_printf(out, " %02x", bytes[n]);
    }
    g_string_append(out, len ? "\n" : " (not readable)\n");
    for (unsigned n = 0; n < 4; n++) {
        char text[128];
        unsigned took = instruction_text(c, bytes + at, len - at, c->ip + at, text, sizeof text);

        if (!took) {
            break;
        }
        g_string_append_printf(out, "  %016" PRIx64 "  %s\n", c->ip + at, text);
        at += took;
    }
}

void interp_trace_insn(struct cpu *c)
{
    char text[128];
    uint8_t bytes[15];
    unsigned len = mmu_peek(c, c->ip + c->cs_base, bytes, sizeof bytes);

    instruction_text(c, bytes, len, c->ip, text, sizeof text);
    trace_write(c->v->m, "cpu", TR_INSN, "%04x:%016" PRIx64 " %s", c->seg[SEG_CS].sel, c->ip, text);
}

static void report_recent(const struct cpu *c, GString *out)
{
    g_string_append(out, "last exceptions and interrupts, newest first:\n");
    for (unsigned n = 0; n < MIN(c->recent_at, ARRAY_LEN(c->recent)); n++) {
        unsigned at = (c->recent_at - 1 - n) % ARRAY_LEN(c->recent);

        g_string_append_printf(
            out, "  vector %02x error %08x at %04x:%016" PRIx64 " CR2 %016" PRIx64 "\n",
            c->recent[at].vector, c->recent[at].error, c->recent[at].cs, c->recent[at].ip,
            c->recent[at].cr2);
    }
}

void interp_fault_report(struct vcpu *v, GString *out)
{
    struct cpu *c = v->cpu;

    cpu_print(c, out);
    report_code(c, out);
    report_recent(c, out);
}
