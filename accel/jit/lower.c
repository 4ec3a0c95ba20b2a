/*
 * Which row of the instruction tables is translated by what.
 *
 * A row is known by its table of handlers (struct op_fns).
 *
 * Not modelled: rows that are found nowhere here call their handlers.
 */
#include "accel/jit/jit_int.h"
#include "accel/jit/simd.h"
#include "cpu/ops.h"

static bool is_jcc(const struct op_row *row)
{
    return (row->map == MAP_1 && (row->op & 0xf0) == 0x70) ||
           (row->map == MAP_0F && (row->op & 0xf0) == 0x80);
}

static enum lower_kind kind_of(const struct op_row *row, lower_fn *fn)
{
    return fn == lower_plain          ? LOWER_PLAIN
           : row->fns == &fns_lea     ? LOWER_LEA
           : is_jcc(row)              ? LOWER_JCC
           : fn && stack_of(row->fns) ? LOWER_STACK
                                      : LOWER_OTHER;
}

static struct lowering lowering_of(const struct op_row *row)
{
    const struct op_fns *fns = row->fns;
    struct lowering l = {.fn = simd_of(row), .kind = LOWER_SIMD, .flags = FLAGS_UNKNOWN};

    if (l.fn || !fns) {
        return l;
    }
    l.arg = plain_of(fns);
    l.fn = bit_of(fns);
    l.fn = l.fn ? l.fn : l.arg ? lower_plain : branch_of(fns);
    l.fn = l.fn ? l.fn : stack_of(fns);
    l.fn = l.fn ? l.fn : misc_of(fns);
    l.fn = l.fn ? l.fn : string_of(fns);
    l.fn = l.fn ? l.fn : sys_of(fns);
    l.kind = kind_of(row, l.fn);
    l.flags = (uint8_t)flags_of_row(row, &l);
    return l;
}

struct lowering *lowerings_new(const struct cpu *c)
{
    unsigned count = decoder_row_count(c->decoder);
    struct lowering *l = g_new0(struct lowering, count);

    for (unsigned n = 0; n < count; n++) {
        l[n] = lowering_of(decoder_row(c->decoder, n));
    }
    return l;
}

static void cold_call(struct tr *t, struct cold *k)
{
    emit_jump(&t->e, 0xe8, t->j->thunk[k->size]);
    emit_jump(&t->e, 0xe9, k->back);
}

/* The registers that `live` tells of into the host's, unless they are there. */
static void want(struct tr *t, size_t live, enum thunk load)
{
    emit_op(&t->e, 0, 0x80, 7, tr_state_at(live));
    emit8(&t->e, 0);
    struct cold *k = tr_cold(t, cold_call, emit_jump(&t->e, O_0F | 0x84, NULL));
    k->size = load;
    k->back = t->e.p;
}

void tr_want_registers(struct tr *t)
{
    if (t->x87) { /* first: that stores the vector registers */
        want(t, offsetof(struct cpu, fpu.x87_live), TH_X87_LOAD);
    }
    if (t->vec) {
        want(t, offsetof(struct cpu, vec_live), TH_VEC_LOAD);
    }
}

void tr_begin(struct tr *t)
{
    for (unsigned n = 0; n < t->n; n++) {
        if (t->j->lower[t->insn[n].i.row].kind == LOWER_SIMD) {
            simd_needs(&t->insn[n], &t->vec, &t->x87);
        }
    }
    t->in = &t->insn[0];
    tr_want_registers(t);
}
