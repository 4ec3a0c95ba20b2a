/*
 * Translation of the gathers: lane by lane through the software TLB.
 *
 * Follows: Intel SDM volume 2 (VGATHER*, VPGATHER*).
 *
 * All elements are loaded before a register is written.  When one misses the TLB, or the mask
 * leaves out lanes, the handler does the instruction from its start.
 *
 * Not modelled: 16-bit addresses and segments with limits (the handlers run).
 */
#include "accel/jit/simd.h"
#include "cpu/native.h"

enum { INDEX_AT = 0, DATA_AT = 32 }; /* in c->bounce */

struct gather {
    unsigned index_size, data_size, lanes;
};

static struct hrm buffer(unsigned at)
{
    return tr_state_at(offsetof(struct cpu, bounce) + at);
}

static struct gather describe(const struct decode *d)
{
    struct gather g = {.index_size = d->op & 1 ? 8 : 4, .data_size = d->vex_w ? 8 : 4};

    g.lanes = (d->vex_l ? 32u : 16u) / MAX(g.index_size, g.data_size);
    return g;
}

bool gather_runs(const struct tr_insn *in)
{
    const struct decode *d = &in->d;
    const struct insn *i = &in->i;
    bool flat = d->code == MODE_CODE64 || (d->code == MODE_CODE32 && d->mode & MODE_FLAT &&
                                           i->seg != SEG_CS && i->seg < SEG_FS);

    return d->row->aux & NAT_GATHER && flat && INSN_ASIZE(i) != 0 && i->r1 != i->r2 &&
           i->r1 != i->index && i->r2 != i->index; /* (otherwise #UD) */
}

/* RDX = linear address of element k. */
static void emit_address(struct tr *t, const struct gather *g, unsigned k)
{
    const struct insn *i = &t->in->i;
    struct emit *e = &t->e;
    struct hrm index = buffer(INDEX_AT + k * g->index_size);
    unsigned base = i->base == R_ZERO ? H_NONE : tr_gpr_get(t, i->base, H_RCX);

    emit_op(e, X_W, g->index_size == 4 ? 0x63 : 0x8b, H_RDX, index); /* movsxd, mov */
    emit_lea(e, INSN_ASIZE(i) == 2, H_RDX, hmem_index(base, H_RDX, INSN_SCALE(i), i->disp));
    tr_seg_base(t, i->seg);
}

struct element {
    uint8_t size, at;
};

static void load_element(struct tr *t, struct hrm m, const void *arg)
{
    const struct element *x = arg;

    emit_load(&t->e, x->size == 8, H_RAX, m);
    emit_store(&t->e, x->size == 8, buffer(x->at), H_RAX);
}

/* A jump to the handler unless the mask selects all lanes. */
static uint8_t *check_mask(struct tr *t, const struct gather *g)
{
    struct emit *e = &t->e;
    unsigned all = BIT(g->lanes) - 1;

    emit_vex(e, O_0F | 0x50, g->data_size == 8, false, g->lanes * g->data_size == 32, H_RAX, 0,
             hreg(t->in->i.r2)); /* vmovmskps, vmovmskpd */
    emit_alu_imm(e, false, 4, hreg(H_RAX), (int32_t)all);
    emit_alu_imm(e, false, 7, hreg(H_RAX), (int32_t)all);
    return emit_jump(e, O_0F | 0x85, NULL);
}

/* The result from the buffer, the rest of its register and the mask 0. */
static void put_result(struct tr *t, const struct gather *g)
{
    const struct insn *i = &t->in->i;
    unsigned bytes = g->lanes * g->data_size;

    if (bytes == 8) { /* vmovq, else vmovups */
        emit_vex(&t->e, O_0F | 0x7e, 2, false, false, i->r1, 0, buffer(DATA_AT));
    } else {
        emit_vex(&t->e, O_0F | 0x10, 0, false, bytes == 32, i->r1, 0, buffer(DATA_AT));
    }
    emit_vex(&t->e, O_0F | 0xef, 1, false, false, i->r2, i->r2, hreg(i->r2)); /* vpxor */
}

bool lower_gather(struct tr *t)
{
    struct emit *e = &t->e;
    struct gather g = describe(&t->in->d);
    uint8_t *bad[9], *skip;
    unsigned n = 0;

    if (!gather_runs(t->in)) {
        return false;
    }
    tr_flags_clobber(t);
    bad[n++] = check_mask(t, &g);
    emit_vex(e, O_0F | 0x11, 0, false, g.lanes * g.index_size == 32, t->in->i.index, 0,
             buffer(INDEX_AT)); /* vmovups */
    for (unsigned k = 0; k < g.lanes; k++) {
        struct element x = {(uint8_t)g.data_size, (uint8_t)(DATA_AT + k * g.data_size)};

        emit_address(t, &g, k);
        tr_mem_at(t, TR_LOAD, g.data_size, load_element, &x, sizeof x);
        bad[n++] = tr_miss_to_handler(t);
    }
    put_result(t, &g);
    skip = emit_jump(e, 0xe9, NULL);
    uint8_t *miss = e->p, *to = emit_jump(e, 0xe9, NULL);
    if (!e->full) {
        for (unsigned k = 0; k < n; k++) {
            emit_patch(bad[k], miss);
        }
        emit_patch(skip, e->p);
    }
    tr_cold_handler(t, to);
    return true;
}
