/*
 * See seg_rig.h.
 *
 * Not modelled: see seg_rig.h.
 */
#include "tests/accel/seg_rig.h"
#include <criterion/criterion.h>
#include <stdio.h>

/* A page that is not there, for RIG_LONG. */
enum { HOLE = 0x41000 };

void seg_rig_flat(struct setup *s, unsigned bits)
{
    uint16_t db = bits == 16 ? 0 : SEG_DB;

    for (unsigned k = 0; k <= SEG_GS; k++) {
        s->seg[k] =
            (struct seg){.sel = S_UDATA, .attr = SEG_RIG_DATA | SEG_DB | SEG_G, .limit = ~0u};
    }
    s->seg[SEG_CS] = (struct seg){.sel = S_UCODE, .attr = SEG_RIG_CODE | SEG_G | db, .limit = ~0u};
    if (bits == 64) {
        s->seg[SEG_CS].attr = SEG_RIG_CODE | SEG_G | SEG_L;
    }
}

void seg_rig_begin(struct guest *g, bool jit, enum seg_rig_mode mode)
{
    g_setenv("CANDELA_TEST_ACCEL", jit ? "jit" : "interp", true);
    guest_init_linked(g, "x86-64-v3");
    if (mode == RIG_LONG) {
        guest_long(g);
        guest_put64(g, guest_pte_at(HOLE), 0);
    } else if (mode == RIG_PROTECTED) {
        guest_protected(g);
    }
    g->c->cr4 |= CR4_OSFXSR;
}

static void fill(struct guest *g)
{
    uint64_t v = 1;

    for (unsigned at = 0; at < AREA_BYTES; at += 8) {
        guest_put64(g, AREA + at, v >> 3);
        v *= 0x9e3779b97f4a7c15ull;
    }
    g->c->code_written(g->c, g->rig->ram, AREA, AREA_BYTES);
}

static uint64_t sum(struct guest *g)
{
    uint64_t v = 0;

    for (unsigned at = 0; at < AREA_BYTES; at += 8) {
        v = (v ^ guest_get64(g, AREA + at)) * 0x100000001b3ull;
    }
    return v;
}

static void enter(struct guest *g, enum seg_rig_mode mode, const struct setup *s)
{
    struct cpu *c = g->c;

    c->halted = c->shutdown = false;
    c->cpl = mode == RIG_REAL ? 0 : 3;
    c->eflags = 0;
    c->fl = FL_1;
    c->cr2 = 0;
    memcpy(c->r, s->r, sizeof s->r);
    memcpy(c->seg, s->seg, sizeof s->seg);
    c->ip = s->ip;
    cpu_update_mode(c);
}

void seg_rig_run(struct guest *g, enum seg_rig_mode mode, const struct setup *s,
                 struct outcome *out)
{
    struct cpu *c = g->c;
    uint64_t count = c->icount;
    uint8_t *code = g->ram + (uint32_t)(s->seg[SEG_CS].base + s->ip);

    fill(g);
    memcpy(code, s->code, s->len);
    memcpy(code + s->len, mode == RIG_REAL ? "\xf4" : "\xcd\x20", mode == RIG_REAL ? 1 : 2);
    if (s->also) {
        memcpy(code + (s->also - s->ip), "\xcd\x20", 2);
    }
    enter(g, mode, s);
    guest_run(g);
    *out = (struct outcome){.ip = c->ip,
                            .memory = sum(g),
                            .cr2 = c->cr2,
                            .from = mode == RIG_LONG ? guest_get64(g, G_STACK - 40)
                                                     : guest_get32(g, G_STACK - 20),
                            .icount = c->icount - count,
                            .eflags = cpu_get_eflags(c),
                            .vector = guest_vector(g)};
    memcpy(out->r, c->r, sizeof out->r);
}

/* ---- series ---- */

static const char *hex(const struct setup *s, char *out)
{
    for (unsigned n = 0; n < s->len; n++) {
        sprintf(out + 3 * n, "%02x ", s->code[n]);
    }
    return out;
}

static void compare(unsigned n, const struct setup *s, const struct outcome *a,
                    const struct outcome *b)
{
    char text[80];

    hex(s, text);
    cr_assert_eq(b->vector, a->vector, "case %u: %s: vector %d, not %d", n, text, b->vector,
                 a->vector);
    for (unsigned k = 0; k < 16; k++) {
        cr_assert_eq(b->r[k], a->r[k], "case %u: %s: register %u: %lx, not %lx", n, text, k,
                     (unsigned long)b->r[k], (unsigned long)a->r[k]);
    }
    cr_assert_eq(b->eflags, a->eflags, "case %u: %s: flags %x, not %x", n, text, b->eflags,
                 a->eflags);
    cr_assert_eq(b->memory, a->memory, "case %u: %s: memory", n, text);
    cr_assert(b->ip == a->ip && b->cr2 == a->cr2, "case %u: %s", n, text);
    cr_assert_eq(b->icount, a->icount, "case %u: %s: %u instructions, not %u", n, text,
                 (unsigned)b->icount, (unsigned)a->icount);
}

unsigned seg_rig_series(enum seg_rig_mode mode, seg_rig_make *make, seg_rig_look *look, void *data)
{
    g_autoptr(GArray) all = g_array_new(false, false, sizeof(struct outcome));
    struct outcome o;
    struct guest g;

    for (unsigned jit = 0; jit < 2; jit++) {
        seg_rig_begin(&g, jit, mode);
        for (unsigned n = 0;; n++) {
            struct setup s = {0};

            if (!make(n, &s, data)) {
                break;
            }
            seg_rig_run(&g, mode, &s, &o);
            if (jit) {
                compare(n, &s, &g_array_index(all, struct outcome, n), &o);
                continue;
            }
            g_array_append_val(all, o);
            if (look) {
                look(n, &s, &o, data);
            }
        }
        guest_free(&g);
    }
    return all->len;
}
