/*
 * The report on a triple fault: registers, the bytes and disassembly at RIP, the last exceptions.
 *
 * Not modelled: page walks and gate decoding of the fault chain (a later debugger's work).
 */
#include "accel/interp.h"
#include "cpu/cpu.h"
#include <inttypes.h>

static unsigned code_bits(const struct cpu *c)
{
    unsigned code = c->mode & MODE_CODE;

    return code == MODE_CODE64 ? 64 : code == MODE_CODE32 ? 32 : 16;
}

static unsigned read_code(struct cpu *c, uint8_t *bytes, unsigned max)
{
    unsigned n = 0;

    for (; n < max; n++) {
        uint64_t pa;

        if (!mmu_translate_debug(c, c->ip + c->cs_base + n, &pa)) {
            break;
        }
        bytes[n] = (uint8_t)aspace_read(c->v->m, pa, 1);
    }
    return n;
}

static void report_code(struct cpu *c, GString *out)
{
    uint8_t bytes[32];
    unsigned len = read_code(c, bytes, sizeof bytes), at = 0;

    g_string_append(out, "code at CS:IP:");
    for (unsigned n = 0; n < len; n++) {
        g_string_append_printf(out, " %02x", bytes[n]);
    }
    g_string_append(out, len ? "\n" : " (not readable)\n");
    for (unsigned n = 0; n < 4 && at < len && c->v->m->disassemble; n++) {
        char text[128];
        int took =
            c->v->m->disassemble(bytes + at, len - at, c->ip + at, code_bits(c), text, sizeof text);

        if (took <= 0) {
            break;
        }
        g_string_append_printf(out, "  %016" PRIx64 "  %s\n", c->ip + at, text);
        at += (unsigned)took;
    }
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
