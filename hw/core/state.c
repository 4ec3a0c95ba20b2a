/*
 * What a state table can do: reset, print, and prove that it covers its struct.
 *
 * Not modelled: saving and loading (snapshot.c reads the same tables).
 */
#include "hw/core/state.h"

/* Values printed per array before it is cut off. */
#define PRINT_MAX 32

static uint64_t state_get(const struct state_field *f, const uint8_t *p)
{
    uint64_t v = 0;

    if (f->kind == STATE_KIND_BOOL) {
        return *(const bool *)p;
    }
    memcpy(&v, p, MIN(f->size, sizeof v)); /* the host is little-endian */
    return v;
}

static void state_reset_field(const struct state_field *f, uint8_t *p)
{
    switch (f->kind) {
    case STATE_KIND_BOOL:
        *(bool *)p = f->reset != 0;
        break;
    case STATE_KIND_UINT:
        memcpy(p, &f->reset, MIN(f->size, sizeof f->reset));
        break;
    case STATE_KIND_TIMER: {
        struct timer *t = (struct timer *)p;

        timer_stop(t);
        t->deadline = 0;
        break;
    }
    case STATE_KIND_LINE:
        line_set((struct line *)p, false);
        break;
    case STATE_KIND_STRUCTS:
        state_reset(f->sub, p);
        break;
    case STATE_KIND_HOLE:
        memset(p, 0, f->size);
        break;
    case STATE_KIND_GONE:
    case STATE_KIND_END:
        break;
    }
}

void state_reset(const struct state_field *table, void *base)
{
    for (const struct state_field *f = table; f->kind != STATE_KIND_END; f++) {
        if (f->keep || f->kind == STATE_KIND_GONE) {
            continue;
        }
        for (uint32_t i = 0; i < f->count; i++) {
            state_reset_field(f, (uint8_t *)base + f->offset + (size_t)i * f->size);
        }
    }
}

static void state_print_value(const struct state_field *f, const uint8_t *p, GString *out)
{
    const struct timer *t = (const struct timer *)p;

    switch (f->kind) {
    case STATE_KIND_TIMER:
        if (t->armed) {
            g_string_append_printf(out, "at %" G_GINT64_FORMAT " ns", t->deadline);
        } else {
            g_string_append(out, "off");
        }
        break;
    case STATE_KIND_LINE:
        g_string_append(out, ((const struct line *)p)->level ? "1" : "0");
        break;
    case STATE_KIND_BOOL:
        g_string_append(out, state_get(f, p) ? "1" : "0");
        break;
    default:
        g_string_append_printf(out, "%0*" G_GINT64_MODIFIER "x", (int)(2 * f->size),
                               state_get(f, p));
        if (f->words && state_get(f, p) <= f->max) {
            g_string_append_printf(out, " (%s)", f->words[state_get(f, p)]);
        }
        break;
    }
}

static bool state_is_zero(const uint8_t *p, size_t len)
{
    while (len && !*p) {
        p++;
        len--;
    }
    return !len;
}

static void state_print_structs(const struct state_field *f, const char *name, const uint8_t *p,
                                int indent, GString *out)
{
    for (uint32_t i = 0, zeros; i < f->count; i++) {
        if (f->count == 1) {
            g_string_append_printf(out, "%*s%s:\n", indent, "", name);
        } else {
            for (zeros = 0;
                 i + zeros < f->count && state_is_zero(p + (size_t)(i + zeros) * f->size, f->size);
                 zeros++) {
            }
            if (zeros > 1) {
                g_string_append_printf(out, "%*s%s[%u..%u]: zero\n", indent, "", name, i,
                                       i + zeros - 1);
                i += zeros - 1;
                continue;
            }
            g_string_append_printf(out, "%*s%s[%u]:\n", indent, "", name, i);
        }
        state_print(f->sub, p + (size_t)i * f->size, indent + 2, out);
    }
}

void state_print(const struct state_field *table, const void *base, int indent, GString *out)
{
    for (const struct state_field *f = table; f->kind != STATE_KIND_END; f++) {
        const uint8_t *p = (const uint8_t *)base + f->offset;
        const char *name = f->name;
        uint32_t shown = MIN(f->count, PRINT_MAX);

        if (f->kind == STATE_KIND_HOLE || f->kind == STATE_KIND_GONE) {
            continue;
        }
        if (g_str_has_prefix(name, "s.")) {
            name += 2;
        }
        if (f->kind == STATE_KIND_STRUCTS) {
            state_print_structs(f, name, p, indent, out);
            continue;
        }
        g_string_append_printf(out, "%*s%s=", indent, "", name);
        for (uint32_t i = 0; i < shown; i++) {
            if (i) {
                g_string_append_c(out, ' ');
            }
            state_print_value(f, p + (size_t)i * f->size, out);
        }
        if (shown < f->count) {
            g_string_append_printf(out, " ... (%u in all)", f->count);
        }
        g_string_append_c(out, '\n');
    }
}

bool state_cover(const struct state_field *table, size_t at, uint8_t *covered, size_t len)
{
    bool good = true;

    for (const struct state_field *f = table; f->kind != STATE_KIND_END; f++) {
        size_t start = at + f->offset, bytes = (size_t)f->size * f->count;

        if (f->kind == STATE_KIND_GONE) {
            continue;
        }
        if (start > len || bytes > len - start) {
            good = false;
            continue;
        }
        if (f->kind == STATE_KIND_STRUCTS) {
            for (uint32_t i = 0; i < f->count; i++) {
                good &= state_cover(f->sub, start + (size_t)i * f->size, covered,
                                    start + (i + 1) * f->size);
            }
            continue;
        }
        for (size_t i = 0; i < bytes; i++) {
            good &= !covered[start + i];
            covered[start + i] = 1;
        }
    }
    return good;
}
