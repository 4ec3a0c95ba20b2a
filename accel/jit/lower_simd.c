/*
 * Translation of MMX, SSE, AVX and FMA instructions: the guest's own encoding with the guest's own
 * vector and MMX registers, which stand in the host's; general registers and memory operands are
 * re-pointed.
 *
 * Follows: Intel SDM volume 2; what an instruction has for operands says its row (cpu/native.h).
 *
 * The guest's MXCSR is the host's with all exceptions masked, so blocks for a guest that unmasks
 * some leave floating point to the handlers.  Non-temporal moves become plain ones, which are
 * ordered as everything else here.
 *
 * Not modelled: #AC of vector operands.  MASKMOVQ, MASKMOVDQU and the instructions that save and
 * restore state are left to their handlers.
 */
#include "accel/jit/simd.h"
#include "cpu/fpu.h"
#include "cpu/native.h"
#include <cpuid.h>

/* What is emitted, but for the rm operand. */
struct vec_op {
    uint16_t op; /* map << 8 | opcode, as emit.h has it */
    uint8_t pfx; /* enum pfx */
    uint8_t reg, v;
    uint8_t put; /* guest register that gets RAX afterwards, or H_NONE */
    int16_t imm; /* -1: none */
    bool vex, w, l;
    bool flags; /* sets the guest's flags */
    bool estr;  /* needs the guest's RAX and RDX in the host's */
    bool ecx;   /* sets the guest's ECX */
};

static void emit_vec_op(struct emit *e, const struct vec_op *o, struct hrm rm)
{
    static const uint8_t pp[] = {[PFX_NP] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3};
    static const uint8_t legacy[] = {
        [PFX_NP] = 0, [PFX_66] = X_66, [PFX_F3] = X_F3, [PFX_F2] = X_F2};

    if (o->vex) {
        emit_vex(e, o->op, pp[o->pfx], o->w, o->l, o->reg, o->v, rm);
    } else {
        emit_op(e, legacy[o->pfx] | x_w(o->w), o->op, o->reg, rm);
    }
    if (o->imm >= 0) {
        emit8(e, (unsigned)o->imm);
    }
}

/* Guest register g in exactly the host register `to`. */
static void copy_gpr(struct tr *t, unsigned to, unsigned g)
{
    emit_load(&t->e, true, to, tr_gpr(g));
}

/* The instruction and what it does to general registers and flags.  A memory operand uses RDX. */
static void vec_body(struct tr *t, struct hrm m, const void *arg)
{
    struct vec_op o;

    memcpy(&o, arg, sizeof o);
    if (o.estr) {
        if (m.mem) {
            m = emit_operand_at(&t->e, H_RCX, m);
        }
        copy_gpr(t, H_RAX, R_RAX);
        copy_gpr(t, H_RDX, R_RDX);
    }
    emit_vec_op(&t->e, &o, m);
    if (o.put != H_NONE) {
        tr_gpr_put(t, o.put, H_RAX);
    }
    if (o.ecx) {
        tr_gpr_put(t, R_RCX, H_RCX);
    }
    if (o.flags) {
        tr_flags_set(t);
    }
}

static bool has_mmx(const struct decode *d)
{
    uint64_t aux = d->row->aux;

    return (aux & 3) == NK_M || (!d->has_mem && (aux >> 6 & 3) == NK_M);
}

static bool has_vectors(const struct decode *d)
{
    uint64_t aux = d->row->aux;

    return (aux & 3) == NK_X || (aux >> 4 & 3) || (!d->has_mem && (aux >> 6 & 3) == NK_X) ||
           aux & (NAT_XMM0 | NAT_OUT_XMM0);
}

static bool host_has_sha(void)
{
    unsigned a, b = 0, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & BIT(29);
}

/* Can the instruction be run as itself? */
static bool runs(const struct tr_insn *in)
{
    const struct decode *d = &in->d;
    uint64_t aux = d->row->aux;

    if (aux & (NAT_CONTROL | NAT_GATHER | NAT_IMPLICIT)) {
        return false;
    }
    if (d->row->isa == FEAT_SHA && !host_has_sha()) {
        return false;
    }
    return !(aux & NAT_FP && d->mode & MODE_SSE_CHECK) && !(has_mmx(d) && d->mode & MODE_FPU_CHECK);
}

static bool is_clear(const struct decode *d)
{
    return d->map == MAP_VEX_0F && d->op == 0x77;
}

static bool is_emms(const struct decode *d)
{
    return d->map == MAP_0F && d->op == 0x77 && !(d->mode & MODE_FPU_CHECK);
}

static uint16_t opcode(const struct op_row *row)
{
    static const uint16_t map[MAP_COUNT] = {
        [MAP_0F] = O_0F,     [MAP_0F38] = O_0F38,     [MAP_0F3A] = O_0F3A,
        [MAP_VEX_0F] = O_0F, [MAP_VEX_0F38] = O_0F38, [MAP_VEX_0F3A] = O_0F3A};

    return (uint16_t)(map[row->map] | row->op);
}

/*
 * Moves that are aligned or non-temporal become plain unaligned ones in their memory forms: the
 * guest's alignment has been checked, and a buffer in place of guest memory may be aligned less.
 */
static void make_plain(struct vec_op *o)
{
    static const struct {
        uint16_t op, to;
        uint8_t pfx, to_pfx;
    } moves[] = {
        {O_0F | 0x28, O_0F | 0x10, PFX_NP, PFX_NP},   {O_0F | 0x28, O_0F | 0x10, PFX_66, PFX_66},
        {O_0F | 0x29, O_0F | 0x11, PFX_NP, PFX_NP},   {O_0F | 0x29, O_0F | 0x11, PFX_66, PFX_66},
        {O_0F | 0x2b, O_0F | 0x11, PFX_NP, PFX_NP},   {O_0F | 0x2b, O_0F | 0x11, PFX_66, PFX_66},
        {O_0F | 0x6f, O_0F | 0x6f, PFX_66, PFX_F3},   {O_0F | 0x7f, O_0F | 0x7f, PFX_66, PFX_F3},
        {O_0F | 0xe7, O_0F | 0x7f, PFX_66, PFX_F3},   {O_0F | 0xe7, O_0F | 0x7f, PFX_NP, PFX_NP},
        {O_0F38 | 0x2a, O_0F | 0x6f, PFX_66, PFX_F3},
    };

    for (unsigned n = 0; n < ARRAY_LEN(moves); n++) {
        if (moves[n].op == o->op && moves[n].pfx == o->pfx) {
            o->op = moves[n].to;
            o->pfx = moves[n].to_pfx;
            return;
        }
    }
}

/* Host register for a general register that is written: its own, or RAX and a copy afterwards. */
static uint8_t written_gpr(struct vec_op *o, unsigned g)
{
    unsigned host = tr_host(g);

    if (host == H_NONE) {
        o->put = (uint8_t)g;
        host = H_RAX;
    }
    return (uint8_t)host;
}

static uint8_t reg_operand(const struct decode *d, struct vec_op *o)
{
    switch (d->row->aux & 3) {
    case NK_X:
        return d->reg;
    case NK_M:
        return d->reg & 7;
    case NK_G:
        return written_gpr(o, d->reg);
    default:
        return (uint8_t)MAX(d->row->ext, 0);
    }
}

static struct hrm rm_operand(const struct decode *d, struct vec_op *o)
{
    uint64_t aux = d->row->aux;

    switch (aux >> 6 & 3) {
    case NK_M:
        return hreg(d->rm & 7);
    case NK_G:
        return aux >> 8 & NA_W ? hreg(written_gpr(o, d->rm)) : tr_gpr(d->rm);
    default:
        return hreg(d->rm);
    }
}

static int immediate(const struct decode *d)
{
    const struct op_row *row = d->row;
    unsigned imm = d->bytes[d->len - 1];

    if (!(row->enc & ENC_IB)) {
        return -1;
    }
    return (int)(row->aux & NAT_IS4 && d->code != MODE_CODE64 ? imm & 0x7f : imm);
}

static struct vec_op describe(const struct decode *d)
{
    const struct op_row *row = d->row;
    uint64_t aux = row->aux;
    struct vec_op o = {
        .op = opcode(row),
        .pfx = row->pfx,
        .put = H_NONE,
        .imm = (int16_t)immediate(d),
        .v = aux >> 4 & 3 ? decode_vvvv(d) : 0,
        .vex = d->vex,
        .w = row->size == SZ_Y ? d->size == 3 : d->vex && row->vex_w == 1,
        .l = d->vex && d->vex_l && !(aux & NAT_SCALAR),
        .flags = aux & NAT_FLAGS_OUT,
        .estr = aux & NAT_ESTR,
        .ecx = aux & NAT_OUT_ECX,
    };

    o.reg = reg_operand(d, &o);
    return o;
}

/* Relative to RIP, and aligned: no look is needed. */
static bool is_aligned(const struct tr *t, unsigned align)
{
    const struct insn *i = &t->in->i;

    return i->base == R_BASE && i->seg != SEG_FS && i->seg != SEG_GS &&
           !((t->ip + (uint64_t)(int64_t)i->disp) & (align - 1));
}

/* The operand must be aligned; otherwise the handler runs and raises. */
static uint8_t *check_aligned(struct tr *t, enum tr_access access, unsigned align)
{
    tr_flags_clobber(t);
    tr_ea(t, access, align);
    emit_op(&t->e, 0, 0xf6, 0, hreg(H_RDX)); /* test dl */
    emit8(&t->e, align - 1);
    return emit_jump(&t->e, O_0F | 0x85, NULL);
}

uint8_t *tr_miss_to_handler(struct tr *t)
{
    return t->cold[--t->ncold].from;
}

static void lower_memory(struct tr *t, struct vec_op *o)
{
    const struct decode *d = &t->in->d;
    struct native_desc desc;
    uint8_t *misaligned = NULL;

    native_describe(d->row, o->l, d->size, &desc);
    make_plain(o);
    enum tr_access access = desc.rm_access & NA_W ? TR_STORE : TR_LOAD;
    if (d->row->aux & NAT_MASKED) { /* it may not touch all of its operand */
        tr_flags_clobber(t);
        tr_ea(t, access, desc.mem_bytes);
        tr_mem_at(t, access, desc.mem_bytes, vec_body, o, sizeof *o);
        tr_cold_handler(t, tr_miss_to_handler(t));
        return;
    }
    if (desc.aligned && !is_aligned(t, desc.mem_bytes)) {
        misaligned = check_aligned(t, access, desc.mem_bytes);
    }
    tr_mem_shared(t, access, desc.mem_bytes, vec_body, o, sizeof *o);
    if (misaligned) {
        tr_cold_handler(t, misaligned);
    }
}

/* VZEROUPPER, VZEROALL.  Outside 64-bit code they leave half of the registers alone. */
static void lower_clear(struct tr *t)
{
    const struct decode *d = &t->in->d;
    struct emit *e = &t->e;

    if (d->code == MODE_CODE64) {
        emit8(e, 0xc5);
        emit8(e, d->vex_l ? 0xfc : 0xf8);
        emit8(e, 0x77);
        return;
    }
    for (unsigned n = 0; n < 8; n++) { /* VXORPS, VMOVAPS */
        emit_vex(e, O_0F | (d->vex_l ? 0x57 : 0x28), 0, false, false, n, d->vex_l ? n : 0, hreg(n));
    }
}

/* ---- MXCSR: with all exceptions masked the host's is the guest's ---- */

/* Other masks change the mode, other bits raise: the handler. */
static void ldmxcsr_body(struct tr *t, struct hrm m, const void *arg)
{
    struct emit *e = &t->e;

    (void)arg;
    emit_load(e, false, H_RAX, m);
    emit_mov_rr(e, false, H_RCX, H_RAX);
    emit_alu_imm(e, false, 4, hreg(H_RCX), (int32_t)(MXCSR_MASKS | ~(uint32_t)MXCSR_VALID));
    emit_alu_imm(e, false, 7, hreg(H_RCX), MXCSR_MASKS);
    uint8_t *other = emit_jump(e, O_0F | 0x85, NULL);
    emit_store(e, false, tr_state(fpu.mxcsr), H_RAX);
    emit_op(e, 0, O_0F | 0xae, 2, tr_state(fpu.mxcsr));
    tr_cold_handler(t, other);
}

static void stmxcsr_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    emit_op(&t->e, 0, O_0F | 0xae, 3, m);
}

static bool lower_mxcsr(struct tr *t)
{
    const struct decode *d = &t->in->d;
    bool store = (d->reg & 7) == 3;

    if (d->mode & MODE_SSE_CHECK || !tr_ea_ok(t)) {
        return false;
    }
    tr_flags_clobber(t);
    tr_mem_shared(t, store ? TR_STORE : TR_LOAD, 4, store ? stmxcsr_body : ldmxcsr_body, NULL, 0);
    return true;
}

static bool is_mxcsr(const struct decode *d)
{
    return (d->map == MAP_0F || d->map == MAP_VEX_0F) && d->op == 0xae && d->has_mem &&
           ((d->reg & 7) == 2 || (d->reg & 7) == 3) && d->row->pfx == PFX_NP;
}

/* ---- the lowering ---- */

static bool lower_simd(struct tr *t)
{
    const struct decode *d = &t->in->d;

    if (t->in->result != DECODE_OK) {
        return false;
    }
    if (is_clear(d)) {
        lower_clear(t);
        return true;
    }
    if (is_emms(d)) {
        emit8(&t->e, 0x0f);
        emit8(&t->e, 0x77);
        return true;
    }
    if (is_mxcsr(d)) {
        return lower_mxcsr(t);
    }
    if (d->row->aux & NAT_GATHER) {
        return lower_gather(t);
    }
    if (!runs(t->in) || (d->has_mem && !tr_ea_ok(t)) || t->k->host2) {
        return false;
    }
    struct vec_op o = describe(d);
    if (d->has_mem) {
        lower_memory(t, &o);
    } else {
        struct hrm rm = rm_operand(d, &o);
        vec_body(t, rm, &o);
    }
    return true;
}

lower_fn *simd_of(const struct op_row *row)
{
    return row->prepare == native_prepare            ? lower_simd
           : row->map == MAP_1 && row->aux & NAT_X87 ? lower_x87
                                                     : NULL;
}

bool simd_effects(const struct tr_insn *in, uint32_t *written)
{
    const struct decode *d = &in->d;
    struct native_desc desc;

    *written = 0;
    if (simd_of(d->row) == lower_x87) {
        return x87_effects(d, written);
    }
    if (is_clear(d) || is_emms(d) || is_mxcsr(d)) {
        return !is_mxcsr(d) || !(d->mode & MODE_SSE_CHECK);
    }
    native_describe(d->row, d->vex_l, d->size, &desc);
    if (desc.reg == NK_G && desc.reg_access & NA_W) {
        *written |= BIT(d->reg);
    }
    if (desc.rm == NK_G && !d->has_mem && desc.rm_access & NA_W) {
        *written |= BIT(d->rm);
    }
    if (d->row->aux & NAT_OUT_ECX) {
        *written |= BIT(R_RCX);
    }
    return runs(in) && !(d->row->aux & NAT_MASKED);
}

bool simd_access(const struct tr_insn *in, struct tr_place *p)
{
    const struct decode *d = &in->d;
    struct native_desc desc;

    if (simd_of(d->row) == lower_x87) {
        return x87_access(d, p);
    }
    if (is_mxcsr(d)) {
        p->size = 4;
        p->write = (d->reg & 7) == 3;
        return !(d->mode & MODE_SSE_CHECK);
    }
    native_describe(d->row, d->vex_l, d->size, &desc);
    p->size = (uint16_t)desc.mem_bytes;
    p->write = desc.rm_access & NA_W;
    return desc.mem_bytes && runs(in) && !(d->row->aux & NAT_MASKED);
}

void simd_needs(const struct tr_insn *in, bool *vec, bool *x87)
{
    const struct decode *d = &in->d;
    lower_fn *fn = in->result == DECODE_OK ? simd_of(d->row) : NULL;

    if (fn == lower_x87) {
        *x87 |= x87_needed(d);
    } else if (fn == lower_simd) {
        *vec |= is_clear(d) || gather_runs(in) || (runs(in) && has_vectors(d));
        *x87 |= is_emms(d) || (runs(in) && has_mmx(d));
    }
}
