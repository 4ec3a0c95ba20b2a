/*
 * The monitor's memory dumps: x (linear addresses, through the chosen processor's paging) and xp
 * (physical).  Both only look: no device is asked, no accessed bit set, no right checked.
 *
 * Not here: symbols, the size of x/i's code other than as CS says, writing.
 */
#include "cpu/cpu.h"
#include "ui/disas.h"
#include "ui/monitor_cmd.h"
#include <inttypes.h>

enum {
    LINE_BYTES = 16,
    INSN_BYTES = 15,
    INSNS_MAX = 512,
    STRING_MAX = 256, /* bytes of one string that are shown */
    TEXT_MAX = 256 * 1024,
};

struct dump {
    struct call *c;
    struct cpu *cpu; /* NULL: physical addresses */
    struct arg_format f;
    uint64_t at;
};

static size_t dump_peek(const struct dump *d, uint64_t at, void *buf, size_t len)
{
    return d->cpu ? mmu_peek(d->cpu, at, buf, (unsigned)len) : aspace_peek(d->c->m, at, buf, len);
}

/* How wide addresses are written. */
static int dump_digits(const struct dump *d)
{
    return d->cpu && cpu_is_long(d->cpu) ? 16 : d->cpu || d->at < 4 * GiB ? 8 : 16;
}

static void dump_address(const struct dump *d, uint64_t at)
{
    if (d->cpu && !cpu_is_long(d->cpu)) {
        at = (uint32_t)at;
    }
    g_string_append_printf(d->c->out, "%0*" PRIx64 ":", dump_digits(d), at);
}

/* Why nothing can be read at `at`. */
static bool dump_fail(const struct dump *d, uint64_t at, GError **err)
{
    const struct flat_range *f = d->cpu ? NULL : aspace_find(d->c->m, at, ACCESS_READ);

    if (f) {
        return monitor_fail(err, MONITOR_ERROR_NOT_FOUND,
                            "%" PRIx64 ": belongs to %s, which is not read: that could change it",
                            at, f->region->name);
    }
    return monitor_fail(err, MONITOR_ERROR_NOT_FOUND, "%" PRIx64 ": %s", at,
                        d->cpu ? "no memory is mapped there" : "there is no memory");
}

/* Numbers and characters ---------------------------------------------------------------------- */

static int64_t sign_extend(uint64_t v, unsigned size)
{
    unsigned shift = 64 - 8 * size;

    return (int64_t)(v << shift) >> shift;
}

static void print_char(GString *out, uint8_t ch)
{
    static const char from[] = "\n\r\t\\'\"", to[] = "nrt\\'\"";
    const char *found = ch ? strchr(from, ch) : NULL;

    if (found) {
        g_string_append_printf(out, "\\%c", to[found - from]);
    } else if (ch >= 0x20 && ch < 0x7f) {
        g_string_append_c(out, (char)ch);
    } else {
        g_string_append_printf(out, "\\x%02x", ch);
    }
}

void monitor_print_value(GString *out, char format, unsigned size, uint64_t v)
{
    static const int signed_digits[] = {[1] = 4, [2] = 6, [4] = 11, [8] = 20};
    static const int octal_digits[] = {[1] = 3, [2] = 6, [4] = 11, [8] = 22};

    switch (format) {
    case 'd':
        g_string_append_printf(out, "%*" PRId64, signed_digits[size], sign_extend(v, size));
        break;
    case 'u':
        g_string_append_printf(out, "%*" PRIu64, signed_digits[size], v);
        break;
    case 'o':
        g_string_append_printf(out, "%#0*" PRIo64, octal_digits[size] + 1, v);
        break;
    case 'c':
        g_string_append_c(out, '\'');
        print_char(out, (uint8_t)v);
        g_string_append_c(out, '\'');
        break;
    default:
        g_string_append_printf(out, "0x%0*" PRIx64, (int)(2 * size), v);
        break;
    }
}

static bool dump_values(struct dump *d, GError **err)
{
    unsigned size = d->f.size, per_line = d->f.format == 'c' ? 8 : LINE_BYTES / size;
    size_t len = (size_t)d->f.count * size, got;
    g_autofree uint8_t *buf = g_malloc0(len);

    got = dump_peek(d, d->at, buf, len) / size;
    for (unsigned i = 0; i < got; i++) {
        uint64_t v = 0;

        if (i % per_line == 0) {
            g_string_append(d->c->out, i ? "\n" : "");
            dump_address(d, d->at + (uint64_t)i * size);
        }
        memcpy(&v, buf + (size_t)i * size, size);
        g_string_append_c(d->c->out, ' ');
        monitor_print_value(d->c->out, d->f.format, size, v);
    }
    g_string_append(d->c->out, got ? "\n" : "");
    return got == d->f.count || dump_fail(d, d->at + got * size, err);
}

/* Strings and instructions --------------------------------------------------------------------- */

static bool dump_strings(struct dump *d, GError **err)
{
    for (unsigned i = 0; i < d->f.count && d->c->out->len < TEXT_MAX; i++) {
        uint8_t buf[STRING_MAX];
        size_t got = dump_peek(d, d->at, buf, sizeof buf), n = 0;

        if (!got) {
            return dump_fail(d, d->at, err);
        }
        dump_address(d, d->at);
        g_string_append(d->c->out, " \"");
        while (n < got && buf[n]) {
            print_char(d->c->out, buf[n++]);
        }
        g_string_append(d->c->out, n < got ? "\"\n" : "\"...\n");
        d->at += n + (n < got);
    }
    return true;
}

static bool dump_insns(struct dump *d, GError **err)
{
    struct cpu *cpu = d->cpu ? d->cpu : session_cpu(d->c->s, NULL);
    uint64_t base = d->cpu ? d->cpu->cs_base : 0; /* targets of branches are offsets in CS */
    unsigned bits = cpu ? cpu_code_bits(cpu) : 32;

    for (unsigned i = 0; i < MIN(d->f.count, INSNS_MAX); i++) {
        uint8_t buf[INSN_BYTES];
        char text[128];
        size_t got = dump_peek(d, d->at, buf, sizeof buf);
        int len = got ? disas_insn(buf, got, d->at - base, bits, text, sizeof text) : 0;

        if (!got) {
            return dump_fail(d, d->at, err);
        }
        dump_address(d, d->at);
        if (len <= 0) {
            len = 1;
            g_strlcpy(text, got < INSN_BYTES ? "(cut off)" : "(no instruction)", sizeof text);
        }
        for (int k = 0; k < len; k++) {
            g_string_append_printf(d->c->out, " %02x", buf[k]);
        }
        g_string_append_printf(d->c->out, "%*s %s\n", MAX(0, 3 * (10 - len)), "", text);
        d->at += (unsigned)len;
    }
    if (d->f.count > INSNS_MAX) {
        g_string_append_printf(d->c->out, "(%d at once)\n", INSNS_MAX);
    }
    return true;
}

/* x and xp: [/NFS] ADDRESS */
static bool dump_run(struct call *c, struct cpu *cpu, GError **err)
{
    struct dump d = {.c = c, .cpu = cpu, .f = c->arg[0].format, .at = c->arg[1].num};

    d.f.count = d.f.count ? d.f.count : 1;
    d.f.format = d.f.format ? d.f.format : 'x';
    d.f.size = d.f.size ? d.f.size : d.f.format == 'c' ? 1 : 4;
    switch (d.f.format) {
    case 'i':
        return dump_insns(&d, err);
    case 's':
        return dump_strings(&d, err);
    default:
        return dump_values(&d, err);
    }
}

bool cmd_x(struct call *c, GError **err)
{
    struct cpu *cpu = session_cpu(c->s, err);

    return cpu && dump_run(c, cpu, err);
}

bool cmd_xp(struct call *c, GError **err)
{
    return dump_run(c, NULL, err);
}
