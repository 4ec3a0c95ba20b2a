/*
 * What two engines' runs are compared by, and the report on a difference: the registers before, the
 * instructions, and each field and byte of memory that is not the same.
 *
 * Not modelled: which instruction of a block it was.
 */
#include "accel/check_int.h"
#include "cpu/fpu.h"
#include <inttypes.h>

/* Called for each field of the state table that differs; `size`: of one of `count` elements. */
typedef void differ_fn(void *arg, const char *name, unsigned index, const void *before,
                       const void *first, const void *second, unsigned size);

struct compared {
    const uint8_t *before, *first, *second; /* `before` only for the report */
    differ_fn *differ;
    void *arg;
    bool equal;
};

static void compare_values(struct compared *p, const char *name, unsigned offset, unsigned size,
                           unsigned count)
{
    if (!memcmp(p->first + offset, p->second + offset, (size_t)size * count)) {
        return;
    }
    p->equal = false;
    for (unsigned n = 0; p->differ && n < count; n++) {
        unsigned at = offset + n * size;

        if (memcmp(p->first + at, p->second + at, size)) {
            p->differ(p->arg, name, n, p->before + at, p->first + at, p->second + at, size);
        }
    }
}

/*
 * The x87 image: what stands elsewhere in struct cpu (opcode and pointers) or means nothing there
 * (MXCSR, ES and B of the status word) is as the last one left it who used the image.
 */
static void compare_x87(struct compared *p, const struct state_field *f)
{
    enum { FSW = 2, FTW = 4, ST = 32, ST_BYTES = 128 };
    uint16_t status[2];

    compare_values(p, "fpu.fcw", f->offset, 2, 1);
    memcpy(&status[0], p->first + f->offset + FSW, 2);
    memcpy(&status[1], p->second + f->offset + FSW, 2);
    if ((status[0] ^ status[1]) & ~(FSW_ES | FSW_B)) {
        compare_values(p, "fpu.fsw", f->offset + FSW, 2, 1);
    }
    compare_values(p, "fpu.ftw", f->offset + FTW, 1, 1);
    compare_values(p, "fpu.st", f->offset + ST, 8, ST_BYTES / 8);
}
static_assert(offsetof(struct cpu, fpu.fxsave) > sizeof(struct seg) + sizeof(struct dtable),
              "an offset that the tables of parts do not have");

static void compare_table(struct compared *p, const struct state_field *f);

static void compare_structs(struct compared *p, const struct state_field *f)
{
    for (unsigned n = 0; n < f->count; n++) {
        struct compared sub = *p;
        unsigned at = f->offset + n * f->size;

        sub.before += at;
        sub.first += at;
        sub.second += at;
        sub.equal = true;
        compare_table(&sub, f->sub);
        if (!sub.equal && p->differ) {
            p->differ(p->arg, f->name, n, NULL, NULL, NULL, 0);
        }
        p->equal &= sub.equal;
    }
}

static void compare_table(struct compared *p, const struct state_field *f)
{
    for (; f->kind != STATE_KIND_END; f++) {
        if (f->kind == STATE_KIND_STRUCTS) {
            compare_structs(p, f);
        } else if (f->offset == offsetof(struct cpu, fpu.fxsave)) { /* in no other table */
            compare_x87(p, f);
        } else {
            compare_values(p, f->name, f->offset, f->size, f->count);
        }
    }
}

#define COMPARE(p, m)                                                                              \
    compare_values(p, #m, offsetof(struct cpu, m), sizeof(((struct cpu *)0)->m), 1)

/* The state table, and what follows from it or is the engines' own promise. */
static void compare(struct compared *p, bool raised)
{
    compare_table(p, cpu_state);
    COMPARE(p, icount);
    COMPARE(p, mode);
    COMPARE(p, jkey);
    COMPARE(p, gkey);
    COMPARE(p, cs_base);
    COMPARE(p, tlb_class);
    COMPARE(p, slow);
    COMPARE(p, ss_shadow);
    COMPARE(p, r[R_ZERO]);
    if (raised) {
        COMPARE(p, excp.vector);
        COMPARE(p, excp.error);
        COMPARE(p, excp.has_error);
    }
}

bool check_state_equal(const struct check *k, const struct cpu *c, enum check_end end)
{
    struct compared p = {
        .first = (const uint8_t *)k->after, .second = (const uint8_t *)c, .equal = true};

    compare(&p, end == CHECK_RAISED);
    return p.equal && end == k->end;
}

/* ---- text ---- */

static void put_value(GString *out, const void *at, unsigned size)
{
    uint64_t v = 0;

    memcpy(&v, at, MIN(size, sizeof v));
    g_string_append_printf(out, "  %0*" PRIx64, (int)(2 * MIN(size, sizeof v)), v);
}

static void tell_field(void *arg, const char *name, unsigned index, const void *before,
                       const void *first, const void *second, unsigned size)
{
    GString *out = arg;
    g_autofree char *full = g_strdup_printf("%s[%u]", name, index);

    g_string_append_printf(out, "  %-18s", full);
    if (size) {
        put_value(out, before, size);
        put_value(out, first, size);
        put_value(out, second, size);
    } else {
        g_string_append(out, "  (the fields above)");
    }
    g_string_append_c(out, '\n');
}

static void tell_end(const struct check *k, const struct cpu *c, enum check_end end, GString *out)
{
    switch (end) {
    case CHECK_RAN:
        g_string_append_printf(out, "ran to %04x:%016" PRIx64 ", instruction %" PRIu64 "\n",
                               c->seg[SEG_CS].sel, c->ip, c->icount - k->before->icount);
        break;
    case CHECK_RAISED:
        g_string_append_printf(
            out, "raised vector %02x error %x at %04x:%016" PRIx64 ", instruction %" PRIu64 "\n",
            c->excp.vector, c->excp.error, c->seg[SEG_CS].sel, c->ip,
            c->icount - k->before->icount);
        break;
    case CHECK_OUTSIDE:
        g_string_append(out, "reached what cannot be taken back (a device, time, a TLB flush)\n");
        break;
    }
}

static void tell_page(const struct check_page *p, const uint8_t *first, GString *out)
{
    const uint8_t *second = p->ram->host + (p->page << PAGE_SHIFT);
    unsigned told = 0;

    for (unsigned at = 0; at < PAGE_BYTES && told < 16; at++) {
        if (first[at] != second[at]) {
            g_string_append_printf(out, "  %s+%" PRIx64 "  %02x  %02x  %02x\n", p->ram->name,
                                   (p->page << PAGE_SHIFT) + at, p->before[at], first[at],
                                   second[at]);
            told++;
        }
    }
}

/* Up to `count` instructions at la. */
static void tell_block(struct cpu *c, const struct check_block *b, uint64_t count, GString *out)
{
    uint64_t at = 0;

    g_string_append_printf(out, "  block at %016" PRIx64 ":\n", b->ip);
    for (uint64_t n = 0; n < count; n++) {
        uint8_t bytes[16];
        char text[128] = "?";
        unsigned got = mmu_peek(c, b->la + at, bytes, 15);
        int len = got && c->v->m->disassemble
                      ? c->v->m->disassemble(bytes, got, b->ip + at, 16u << (b->mode & MODE_CODE),
                                             text, sizeof text)
                      : 0;

        g_string_append_printf(out, "    %016" PRIx64 " ", b->ip + at);
        for (unsigned j = 0; j < (len > 0 ? (unsigned)len : MIN(got, 15u)); j++) {
            g_string_append_printf(out, " %02x", bytes[j]);
        }
        g_string_append_printf(out, "  %s\n", len > 0 ? text : "(no disassembly)");
        if (len <= 0) {
            break;
        }
        at += (unsigned)len;
    }
}

static void tell_code(const struct check *k, struct cpu *c, GString *out)
{
    g_string_append(out, "instructions, as interp took them:\n");
    for (unsigned n = 0; n < k->npath; n++) {
        uint64_t end =
            n + 1 < k->npath ? k->path[n + 1].icount : k->after->icount + (k->end == CHECK_RAISED);

        tell_block(c, &k->path[n], end - k->path[n].icount, out);
    }
}

void check_sum_up(const struct check_stats *s, GString *out)
{
    static const char *const words[OUTSIDE_COUNT] = {[OUTSIDE_DEVICE] = "device memory",
                                                     [OUTSIDE_PORT] = "ports",
                                                     [OUTSIDE_APIC] = "APIC",
                                                     [OUTSIDE_TIME] = "time",
                                                     [OUTSIDE_RANDOM] = "random numbers",
                                                     [OUTSIDE_FERR] = "FERR#",
                                                     [OUTSIDE_TLB] = "TLB flushes",
                                                     [OUTSIDE_FAULT] = "faults that flush",
                                                     [OUTSIDE_FETCH] = "odd fetches",
                                                     [OUTSIDE_RAISED] = "exceptions",
                                                     [OUTSIDE_KVM] = "not for KVM",
                                                     [OUTSIDE_PAGES] = "many pages"};

    g_string_append_printf(out,
                           "check: %" PRIu64 " instructions, %.2f %% of them compared, in %" PRIu64
                           " stretches; blocks that were not:",
                           s->all, s->all ? 100.0 * (double)s->checked / (double)s->all : 100.0,
                           s->windows);
    for (unsigned n = 0; n < OUTSIDE_COUNT; n++) {
        if (s->outside[n]) {
            g_string_append_printf(out, " %s %" PRIu64 ",", words[n], s->outside[n]);
        }
    }
    g_string_append_printf(out,
                           " disturbed %" PRIu64 "; begun anew %" PRIu64 "; one by one: %" PRIu64
                           " instructions\n",
                           s->disturbed, s->again, s->singles);
}

GString *check_tell(struct check *k, struct cpu *c, enum check_end end)
{
    GString *out = g_string_new(NULL), *code = g_string_new(NULL);
    const char *one = k->swapped ? k->second->name : "interp";
    const char *other = k->swapped ? "interp" : k->second->name;
    struct compared p = {.before = (const uint8_t *)k->before,
                         .first = (const uint8_t *)k->after,
                         .second = (const uint8_t *)c,
                         .differ = tell_field,
                         .arg = out,
                         .equal = true};

    g_string_append_printf(out, "check: %s differs from interp in ", k->second->name);
    if (check_is_alone(k)) {
        g_string_append(out, "the block");
    } else {
        g_string_append_printf(out, "%u blocks together, not in each of them,", k->npath);
    }
    g_string_append_printf(out, " after instruction %" PRIu64 "\n", k->before->icount);
    g_string_append_printf(out, "%s ", one);
    tell_end(k, k->after, k->end, out);
    g_string_append_printf(out, "%s ", other);
    tell_end(k, c, end, out);
    g_string_append_printf(out, "what differs: before, %s, %s\n", one, other);
    compare(&p, end == CHECK_RAISED && k->end == CHECK_RAISED);
    for (unsigned n = 0; n < k->npages; n++) {
        const struct check_page *page = &k->pages[n];

        tell_page(page, n < k->first_pages ? page->after : page->before, out);
    }
    check_undo(k, c);
    g_string_append(out, "before:\n");
    cpu_print(c, out);
    tell_code(k, c, code);
    g_string_append(out, code->str);
    g_string_free(code, TRUE);
    return out;
}
