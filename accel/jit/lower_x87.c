/*
 * Translation of x87 instructions: the guest's own encoding on the host's registers, which hold the
 * guest's (cpu/fpu.h).
 *
 * Follows: Intel SDM volume 1 chapter 8, volume 2.
 *
 * The instruction and data pointers of the last non-control instruction are only seen by what comes
 * after a run of x87 instructions, or when one of the run faults.  So the last one of a run notes
 * them, and the slow paths of memory operands do.
 *
 * While the guest's control word unmasks an exception (MODE_FPU_CHECK) the handlers run.
 *
 * Not modelled: FNINIT, and the instructions that save and load environments, are left to their
 * handlers.
 */
#include "accel/jit/simd.h"
#include "cpu/fpu.h"
#include "cpu/native.h"

static struct hrm fpu_field(size_t offset)
{
    return tr_state_at(offsetof(struct cpu, fpu) + offset);
}
#define FPU_FIELD(field) fpu_field(offsetof(struct fpu, field))

/* ---- who was last ---- */

/*
 * An instruction that is re-emitted and need not note its pointers when another follows.  (Where a
 * segment's limit is looked at the handler may take over, and nobody notes for those before it.)
 */
static bool in_run(struct tr *t, unsigned n)
{
    const struct tr_insn *in = &t->insn[n], *now = t->in;

    if (n >= t->n || in->result != DECODE_OK || in->d.row->prepare != x87_prepare ||
        in->d.row->fns || in->d.mode & MODE_FPU_CHECK) {
        return false;
    }
    t->in = in;
    bool ok = !in->d.has_mem || tr_ea_flat(t);
    t->in = now;
    return ok;
}

static void store_selector(struct tr *t, unsigned seg, struct hrm to)
{
    emit_op(&t->e, 0, O_0F | 0xb7, H_RAX, tr_state_at(offsetof(struct cpu, seg[seg].sel)));
    emit_op(&t->e, X_66, 0x89, H_RAX, to);
}

static void note_insn(struct tr *t, const struct tr_insn *in)
{
    uint64_t fip = t->ip + in->i.ofs;

    emit_op(&t->e, X_66, 0xc7, 0, FPU_FIELD(fop));
    emit16(&t->e, in->i.r1 | (unsigned)in->i.r2 << 8);
    if (emit_fits(fip)) {
        emit_op(&t->e, X_W, 0xc7, 0, FPU_FIELD(fip));
        emit32(&t->e, (uint32_t)fip);
    } else {
        emit_mov_imm(&t->e, H_RAX, fip);
        emit_store(&t->e, true, FPU_FIELD(fip), H_RAX);
    }
    store_selector(t, SEG_CS, FPU_FIELD(fcs));
}

static void note_data(struct tr *t, const struct tr_insn *in)
{
    const struct tr_insn *now = t->in;

    t->in = in;
    tr_address(t, H_RAX, INSN_ASIZE(&in->i) == 2);
    t->in = now;
    emit_store(&t->e, true, FPU_FIELD(fdp), H_RAX);
    store_selector(t, in->i.seg, FPU_FIELD(fds));
}

/* The pointers as they are after instruction n of a run.  Uses RAX and RCX, keeps flags. */
static void note_upto(struct tr *t, unsigned n)
{
    unsigned m = n;

    note_insn(t, &t->insn[n]);
    while (!t->insn[m].d.has_mem && m && in_run(t, m - 1)) {
        m--;
    }
    if (t->insn[m].d.has_mem) {
        note_data(t, &t->insn[m]);
    }
}

/* ---- memory operands ---- */

struct x87_op {
    uint8_t op, ext;
    uint8_t n;   /* number in the block */
    bool note;   /* the last of its run, or in the slow path */
    cold_fn *fn; /* mem.c's */
};

static void x87_body(struct tr *t, struct hrm m, const void *arg)
{
    struct x87_op o;

    memcpy(&o, arg, sizeof o);
    if (o.note) {
        note_upto(t, o.n);
    }
    emit_op(&t->e, 0, o.op, o.ext, m);
}

/* The slow path may fault: then the instruction before is the last one. */
static void x87_cold(struct tr *t, struct cold *k)
{
    struct x87_op o;

    memcpy(&o, k->arg, sizeof o);
    if (o.n && in_run(t, o.n - 1u)) {
        note_upto(t, o.n - 1u);
        k->lost = true;
    }
    o.fn(t, k);
}

static void lower_memory(struct tr *t, unsigned n)
{
    const struct decode *d = &t->in->d;
    struct native_desc desc;
    bool alone = !in_run(t, n) || !in_run(t, n + 1);
    struct x87_op o = {d->op, d->reg & 7, (uint8_t)n, alone, NULL};

    native_describe(d->row, 0, 0, &desc);
    unsigned slow = t->ncold;
    t->no_view = true;
    tr_mem_shared(t, desc.rm_access & NA_W ? TR_STORE : TR_LOAD, desc.mem_bytes, x87_body, &o,
                  sizeof o);
    t->no_view = false;
    if (t->ncold > slow) {
        struct cold *k = &t->cold[slow];
        o.note = true;
        o.fn = k->fn;
        k->fn = x87_cold;
        memcpy(k->arg, &o, sizeof o);
    }
}

static void lower_register(struct tr *t, unsigned n)
{
    const struct decode *d = &t->in->d;

    if (!in_run(t, n + 1)) {
        note_upto(t, n);
    }
    if (d->row->aux & NAT_FLAGS_IN) {
        tr_flags_need(t);
    }
    emit8(&t->e, d->op);
    emit8(&t->e, d->modrm);
    if (d->row->aux & NAT_FLAGS_OUT) {
        tr_flags_set(t);
    }
}

/* ---- control instructions ---- */

enum control { C_NONE, C_NOTHING, C_FLDCW, C_FNSTCW, C_FNSTSW, C_FNSTSW_AX, C_FNCLEX };

static enum control control_of(const struct decode *d)
{
    static const struct {
        uint8_t op, from, to; /* ModRM, with mod 0 for all memory forms */
        uint8_t what;
    } table[] = {
        {0xd9, 0x28, 0x2f, C_FLDCW},   {0xd9, 0x38, 0x3f, C_FNSTCW},
        {0xdd, 0x38, 0x3f, C_FNSTSW},  {0xdf, 0xe0, 0xe0, C_FNSTSW_AX},
        {0xdb, 0xe2, 0xe2, C_FNCLEX},  {0xdb, 0xe0, 0xe1, C_NOTHING},
        {0xdb, 0xe4, 0xe4, C_NOTHING},
    };
    unsigned modrm = d->modrm < 0xc0 ? d->modrm & 0x3f : d->modrm;

    if (d->op == 0x9b) { /* FWAIT; CR0.TS clear */
        return d->mode & MODE_FPU_NM ? C_NONE : C_NOTHING;
    }
    for (unsigned n = 0; n < ARRAY_LEN(table); n++) {
        if (table[n].op == d->op && modrm >= table[n].from && modrm <= table[n].to) {
            return table[n].what;
        }
    }
    return C_NONE;
}

/* A control word that masks everything; others change the mode. */
static void fldcw_body(struct tr *t, struct hrm m, const void *arg)
{
    struct emit *e = &t->e;

    (void)arg;
    emit_op(e, 0, O_0F | 0xb7, H_RAX, m);
    emit_mov_rr(e, false, H_RCX, H_RAX);
    emit_op(e, 0, 0xf7, 2, hreg(H_RCX)); /* not */
    emit_op(e, 0, 0xf6, 0, hreg(H_RCX)); /* test cl */
    emit8(e, FCW_MASKS);
    uint8_t *other = emit_jump(e, O_0F | 0x85, NULL);
    emit_alu_imm(e, false, 4, hreg(H_RAX), 0x1f3f);
    emit_alu_imm(e, false, 1, hreg(H_RAX), 0x40);
    emit_op(e, X_66, 0x89, H_RAX, FPU_FIELD(fxsave));
    emit_op(e, 0, 0xd9, 5, FPU_FIELD(fxsave));
    tr_cold_handler(t, other);
}

/* With all exceptions masked the host's words are the guest's. */
static void store_word_body(struct tr *t, struct hrm m, const void *arg)
{
    emit_op(&t->e, 0, *(const uint8_t *)arg, 7, m);
}

static bool lower_control(struct tr *t)
{
    const struct decode *d = &t->in->d;

    switch (control_of(d)) {
    case C_NOTHING:
        return true;
    case C_FLDCW:
        tr_flags_clobber(t);
        tr_mem_shared(t, TR_LOAD, 2, fldcw_body, NULL, 0);
        return true;
    case C_FNSTCW:
    case C_FNSTSW:
        tr_mem_shared(t, TR_STORE, 2, store_word_body, &d->op, 1);
        return true;
    case C_FNSTSW_AX:
        emit8(&t->e, 0xdf);
        emit8(&t->e, 0xe0);
        emit_op(&t->e, X_66, 0x89, H_RAX, tr_gpr(R_RAX));
        return true;
    case C_FNCLEX:
        emit8(&t->e, 0xdb);
        emit8(&t->e, 0xe2);
        emit_op(&t->e, 0, 0xc6, 0, FPU_FIELD(ferr));
        emit8(&t->e, 0);
        return true;
    default:
        return false;
    }
}

bool x87_needed(const struct decode *d)
{
    return !(d->mode & MODE_FPU_CHECK) &&
           (!(d->row->aux & NAT_CONTROL) || control_of(d) > C_NOTHING);
}

bool x87_effects(const struct decode *d, uint32_t *written)
{
    enum control what = d->row->aux & NAT_CONTROL ? control_of(d) : C_NOTHING;

    *written = what == C_FNSTSW_AX ? BIT(R_RAX) : 0;
    return !(d->mode & MODE_FPU_CHECK) && what != C_NONE;
}

bool x87_access(const struct decode *d, struct tr_place *p)
{
    enum control what = d->row->aux & NAT_CONTROL ? control_of(d) : C_NONE;
    struct native_desc desc;

    native_describe(d->row, 0, 0, &desc);
    p->size = what ? 2 : (uint16_t)desc.mem_bytes;
    p->write = what ? what != C_FLDCW : desc.rm_access & NA_W;
    return !(d->mode & MODE_FPU_CHECK) && p->size;
}

bool lower_x87(struct tr *t)
{
    const struct decode *d = &t->in->d;
    unsigned n = (unsigned)(t->in - t->insn);

    if (d->mode & MODE_FPU_CHECK || (d->has_mem && !tr_ea_ok(t))) {
        return false;
    }
    if (d->row->aux & NAT_CONTROL) {
        return lower_control(t);
    }
    if (d->has_mem) {
        lower_memory(t, n);
    } else {
        lower_register(t, n);
    }
    return true;
}
