/*
 * Instructions that are translated to themselves: the guest's opcode on the host registers that
 * hold its operands, or on the memory operand that tr_mem found.
 *
 * One row of `plain` says which operands an instruction reads and writes and what it does with the
 * flags; the rest follows from the decoded instruction.
 *
 * Follows: Intel SDM volume 2.
 *
 * Not modelled: nothing left out; what has no row is translated elsewhere.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"

enum { P_R = 1, P_W = 2, P_RW = 3 };
/* The second operand. */
enum second {
    S_NONE, /* rm alone */
    S_REG,  /* ModRM.reg */
    S_IMM,  /* immediate as in the guest's instruction, ModRM.reg extends the opcode */
    S_ACC,  /* the accumulator's short form: rm is the accumulator, with an immediate */
    S_CL,   /* the count in CL */
    S_REG_CL,
};
enum {
    F_IN = BIT(0),       /* reads flags, or leaves some as they are, or undefined */
    F_OUT = BIT(1),      /* writes flags */
    F_REG_ONLY = BIT(2), /* the register form alone */
    F_MEM_ONLY = BIT(3), /* the memory form alone */
    F_RM8 = BIT(4),      /* rm is 8, 16 or 32 bits whatever the operand size */
    F_RM16 = BIT(5),
    F_RM32 = BIT(6),
    F_XOR = BIT(7),   /* what it leaves undefined is as after XOR (op_shift.c has the same) */
    F_SHIFT = BIT(8), /* by a count that is not 0 it makes all flags new (likewise) */
    F_CARRY = BIT(9), /* with F_IN: CF is all it reads or leaves */
};

struct plain {
    const struct op_fns *fns;
    uint8_t rm, reg; /* P_* */
    uint8_t second;
    uint16_t flags; /* F_* */
};

#define ALU(n)                                                                                     \
    {&fns_##n##_eg, P_RW, P_R, S_REG, F_OUT}, {&fns_##n##_ge, P_R, P_RW, S_REG, F_OUT},            \
        {&fns_##n##_ei, P_RW, 0, S_IMM, F_OUT},                                                    \
    {                                                                                              \
        &fns_##n##_ai, P_RW, 0, S_ACC, F_OUT                                                       \
    }
#define ALU_CARRY(n)                                                                               \
    {&fns_##n##_eg, P_RW, P_R, S_REG, F_IN | F_OUT | F_CARRY},                                     \
        {&fns_##n##_ge, P_R, P_RW, S_REG, F_IN | F_OUT | F_CARRY},                                 \
        {&fns_##n##_ei, P_RW, 0, S_IMM, F_IN | F_OUT | F_CARRY},                                   \
    {                                                                                              \
        &fns_##n##_ai, P_RW, 0, S_ACC, F_IN | F_OUT | F_CARRY                                      \
    }
#define COMPARE(n)                                                                                 \
    {&fns_##n##_eg, P_R, P_R, S_REG, F_OUT}, {&fns_##n##_ge, P_R, P_R, S_REG, F_OUT},              \
        {&fns_##n##_ei, P_R, 0, S_IMM, F_OUT},                                                     \
    {                                                                                              \
        &fns_##n##_ai, P_R, 0, S_ACC, F_OUT                                                        \
    }
/* F_* of the forms by one and by an immediate. */
#define SHIFT(n, one, imm)                                                                         \
    {&fns_##n##_1, P_RW, 0, S_NONE, one}, {&fns_##n##_i, P_RW, 0, S_IMM, imm},                     \
    {                                                                                              \
        &fns_##n##_c, P_RW, 0, S_CL, F_IN | F_OUT                                                  \
    }
#define CONDITION(cc) {&fns_cmov##cc, P_R, P_RW, S_REG, F_IN}, {&fns_set##cc, P_W, 0, S_NONE, F_IN},

static const struct plain plain[] = {
    ALU(add),
    ALU(or),
    ALU(and),
    ALU(sub),
    ALU(xor),
    ALU_CARRY(adc),
    ALU_CARRY(sbb),
    COMPARE(cmp),
    COMPARE(test),
    SHIFT(rol, F_IN | F_OUT, F_IN | F_OUT),
    SHIFT(ror, F_IN | F_OUT, F_IN | F_OUT),
    SHIFT(rcl, F_IN | F_OUT, F_IN | F_OUT),
    SHIFT(rcr, F_IN | F_OUT, F_IN | F_OUT),
    SHIFT(shl, F_OUT, F_IN | F_OUT | F_SHIFT),
    SHIFT(shr, F_OUT, F_IN | F_OUT | F_SHIFT),
    SHIFT(sar, F_OUT, F_IN | F_OUT | F_SHIFT),
    FOR_CONDITIONS(CONDITION){&fns_inc, P_RW, 0, S_NONE, F_IN | F_OUT | F_CARRY},
    {&fns_dec, P_RW, 0, S_NONE, F_IN | F_OUT | F_CARRY},
    {&fns_neg, P_RW, 0, S_NONE, F_OUT},
    {&fns_not, P_RW, 0, S_NONE, 0},
    {&fns_mov_eg, P_W, P_R, S_REG, 0},
    {&fns_mov_ge, P_R, P_W, S_REG, 0},
    {&fns_mov_ei, P_W, 0, S_IMM, 0},
    {&fns_movzx8, P_R, P_W, S_REG, F_RM8},
    {&fns_movzx16, P_R, P_W, S_REG, F_RM16},
    {&fns_movsx8, P_R, P_W, S_REG, F_RM8},
    {&fns_movsx16, P_R, P_W, S_REG, F_RM16},
    {&fns_movsxd, P_R, P_W, S_REG, F_RM32},
    {&fns_imul_ge, P_R, P_RW, S_REG, F_OUT | F_XOR},
    {&fns_imul_gei, P_R, P_W, S_REG, F_OUT | F_XOR},
    {&fns_shld_i, P_RW, P_R, S_REG, F_IN | F_OUT},
    {&fns_shrd_i, P_RW, P_R, S_REG, F_IN | F_OUT},
    {&fns_xadd, P_RW, P_RW, S_REG, F_OUT | F_MEM_ONLY},
    {&fns_bsf, P_R, P_RW, S_REG, F_IN | F_OUT},
    {&fns_bsr, P_R, P_RW, S_REG, F_IN | F_OUT},
    {&fns_tzcnt, P_R, P_W, S_REG, F_IN | F_OUT},
    {&fns_lzcnt, P_R, P_W, S_REG, F_IN | F_OUT},
    {&fns_popcnt, P_R, P_W, S_REG, F_OUT},
    {&fns_shld_c, P_RW, P_R, S_REG_CL, F_IN | F_OUT},
    {&fns_shrd_c, P_RW, P_R, S_REG_CL, F_IN | F_OUT},
    {&fns_adcx, P_R, P_RW, S_REG, F_IN | F_OUT},
    {&fns_adox, P_R, P_RW, S_REG, F_IN | F_OUT},
    {&fns_crc32_8, P_R, P_RW, S_REG, F_RM8},
    {&fns_crc32, P_R, P_RW, S_REG, 0},
    {&fns_movbe_ge, P_R, P_W, S_REG, 0},
    {&fns_movbe_eg, P_W, P_R, S_REG, 0},
    {&fns_bt_g, P_R, P_R, S_REG, F_IN | F_OUT | F_REG_ONLY},
    {&fns_bts_g, P_RW, P_R, S_REG, F_IN | F_OUT | F_REG_ONLY},
    {&fns_btr_g, P_RW, P_R, S_REG, F_IN | F_OUT | F_REG_ONLY},
    {&fns_btc_g, P_RW, P_R, S_REG, F_IN | F_OUT | F_REG_ONLY},
    {&fns_bt_i, P_R, 0, S_IMM, F_IN | F_OUT},
    {&fns_bts_i, P_RW, 0, S_IMM, F_IN | F_OUT},
    {&fns_btr_i, P_RW, 0, S_IMM, F_IN | F_OUT},
    {&fns_btc_i, P_RW, 0, S_IMM, F_IN | F_OUT},
};

const void *plain_of(const struct op_fns *fns)
{
    for (size_t n = 0; n < ARRAY_LEN(plain); n++) {
        if (plain[n].fns == fns) {
            return &plain[n];
        }
    }
    return NULL;
}

/* ---- operands ---- */

/* The instruction as it is to be emitted. */
struct shape {
    uint16_t op, x;       /* opcode with its map, X_* */
    uint8_t ext;          /* ModRM.reg where that is no register */
    uint8_t size, rmsize; /* size index of the operation and of rm */
    uint8_t rm, reg;      /* guest register numbers, or byte offsets at size 0 */
    uint8_t imm;          /* bytes of immediate */
    bool lock;
};

static uint16_t opcode_of(const struct decode *d)
{
    static const uint16_t maps[] = {
        [MAP_0F] = O_0F, [MAP_0F38] = O_0F38, [MAP_0F3A] = O_0F3A, [MAP_COUNT] = 0};
    uint8_t op = d->op == 0x82 && d->map == MAP_1 ? 0x80 : d->op; /* not in the host's mode */

    return op | maps[d->map];
}

static unsigned prefix_of(const struct op_row *row)
{
    return row->pfx == PFX_F3 ? X_F3 : row->pfx == PFX_F2 ? X_F2 : row->pfx == PFX_66 ? X_66 : 0;
}

static unsigned plain_rmsize(const struct plain *p, unsigned size)
{
    return !(p->flags & (F_RM8 | F_RM16 | F_RM32)) ? size
           : p->flags & F_RM8                      ? 0
           : p->flags & F_RM16                     ? 1
                                                   : 2;
}

static uint8_t imm_bytes(const struct op_row *row, unsigned size)
{
    if (row->enc & (ENC_IB | ENC_IBS)) {
        return 1;
    }
    return row->enc & ENC_IZ ? (size == 1 ? 2 : 4) : 0;
}

/* The accumulator's short forms: ALU group 04/05 and TEST A8/A9 as 80/81 and F6/F7. */
static void widen_acc(struct shape *f, const struct decode *d)
{
    bool byte = d->size == 0;

    if (d->op >= 0xa8) {
        f->op = byte ? 0xf6 : 0xf7;
        f->ext = 0;
    } else {
        f->op = byte ? 0x80 : 0x81;
        f->ext = d->op >> 3 & 7;
    }
    f->rm = R_RAX;
}

static void make_shape(const struct tr *t, const struct plain *p, struct shape *f)
{
    const struct decode *d = &t->in->d;
    const struct insn *i = &t->in->i;
    unsigned size = d->size, rmsize = plain_rmsize(p, size);
    unsigned x = (size == 3   ? X_W
                  : size == 1 ? X_66
                              : 0) |
                 (rmsize == 0 ? X_BRM : 0) | (size == 0 && p->reg ? X_BREG : 0);

    if (unlikely(d->row->pfx != PFX_ANY)) {
        x |= prefix_of(d->row);
    }
    *f = (struct shape){.op = opcode_of(d),
                        .x = (uint16_t)x,
                        .ext = d->modrm >> 3 & 7,
                        .size = (uint8_t)size,
                        .rmsize = (uint8_t)rmsize,
                        .rm = i->r2,
                        .reg = i->r1,
                        .imm = imm_bytes(d->row, size),
                        .lock = d->lock && tr_is_smp(t)};
    if (p->second == S_ACC) {
        widen_acc(f, d);
    }
}

/* Emit it: reg is a host register or, without second register, the opcode extension. */
static void emit_shape(struct tr *t, const struct shape *f, unsigned x, unsigned reg, struct hrm rm)
{
    emit_op(&t->e, x, f->op, reg, rm);
    if (f->imm == 1) {
        emit8(&t->e, (unsigned)t->in->i.imm);
    } else if (f->imm == 2) {
        emit16(&t->e, (unsigned)t->in->i.imm);
    } else if (f->imm == 4) {
        emit32(&t->e, (uint32_t)t->in->i.imm);
    }
}

static unsigned guest_of(unsigned n, unsigned size)
{
    return size == 0 ? n >> 3 : n;
}

static bool is_high(unsigned n, unsigned size)
{
    return size == 0 && (n & 1);
}

/* Does it read flags, or leave some? */
static bool reads_flags(const struct plain *p, const struct tr_insn *in)
{
    unsigned mask = in->d.size == 3 ? 63 : 31;

    return p->flags & F_IN && !(p->flags & F_SHIFT && in->d.size && in->i.imm & mask);
}

/* Flags before and after the instruction itself. */
static void before(struct tr *t, const struct plain *p)
{
    if (p->flags & F_CARRY) {
        tr_flags_need_carry(t);
    } else if (reads_flags(p, t->in)) {
        tr_flags_need(t);
    } else if (p->flags & F_OUT) {
        t->flags = FL_MEM; /* all are overwritten */
    }
    if (p->flags & F_XOR) {
        emit_op(&t->e, 0, 0x33, H_RAX, hreg(H_RAX));
    }
}

static void after(struct tr *t, const struct plain *p)
{
    if (p->flags & F_OUT) {
        tr_flags_set(t);
    }
}

unsigned plain_flags(const void *plain, const struct tr_insn *in)
{
    const struct plain *p = plain;

    return (p->flags & F_CARRY   ? FLAGS_CARRY
            : reads_flags(p, in) ? FLAGS_READ
                                 : 0) |
           (p->flags & F_OUT ? FLAGS_SET : 0);
}

/* CMP, TEST: changes nothing but the flags. */
static bool is_comparison(const struct plain *p)
{
    return p->flags == F_OUT && !((p->rm | p->reg) & P_W);
}

/* What clears a register leaves the same flags always. */
static bool is_clearing(const struct tr *t, const struct plain *p, const struct shape *f)
{
    unsigned op = f->op & ~2u & 0xff;

    return p->second == S_REG && !t->in->d.has_mem && f->op < 0x40 && (op == 0x31 || op == 0x29) &&
           f->rm == f->reg;
}

static void load_count(struct tr *t, const struct plain *p)
{
    if (p->second == S_CL || p->second == S_REG_CL) {
        emit_mov_rr(&t->e, false, H_RCX, tr_host(R_RCX));
    }
}

/* Does writing guest register n at this size need the whole register? */
static bool in_memory(unsigned n, unsigned size)
{
    return tr_host(guest_of(n, size)) == H_NONE;
}

/* ---- with a memory operand ---- */

struct plain_arg {
    const struct plain *p;
    struct shape f;
};

static void mem_body(struct tr *t, struct hrm m, const void *arg)
{
    struct plain_arg a;

    memcpy(&a, arg, sizeof a);
    const struct plain *p = a.p;
    const struct shape f = a.f;
    before(t, p);
    load_count(t, p);
    unsigned x = f.x | (f.lock ? X_LOCK : 0);
    if (!p->reg) {
        emit_shape(t, &f, x, f.ext, m);
        after(t, p);
        return;
    }
    unsigned g = guest_of(f.reg, f.size), reg = tr_host(g);
    bool high = is_high(f.reg, f.size);
    if (reg == H_NONE || high) {
        /* RCX may hold a count */
        reg = H_RAX;
        if (high && (m.index != H_NONE || m.reg > H_RDI)) { /* no REX goes with AH */
            m = emit_operand_at(&t->e, H_RDX, m);
            t->rdx = -1;
        }
        if (p->reg & P_R || f.size < 2) {
            emit_op(&t->e, X_W, 0x8b, reg, tr_gpr(g));
        }
        emit_shape(t, &f, high ? (x & ~(unsigned)X_BREG) | X_NOREX : x, high ? 4 : reg, m);
        if (p->reg & P_W) {
            tr_gpr_put(t, g, reg);
        }
    } else {
        emit_shape(t, &f, x, reg, m);
    }
    after(t, p);
}

static bool plain_mem(struct tr *t, const struct plain *p, const struct shape *f)
{
    enum tr_access access = f->lock        ? TR_LOCK
                            : p->rm == P_R ? TR_LOAD
                            : p->rm == P_W ? TR_STORE
                                           : TR_RMW;

    if (!tr_ea_ok(t) || p->flags & F_REG_ONLY) {
        return false;
    }
    if (tr_is_view(t) && p->flags & F_XOR) { /* destroys them before the access */
        tr_flags_put_off(t);
    }
    struct plain_arg a = {p, *f};
    tr_mem_shared(t, access, 1u << f->rmsize, mem_body, &a, sizeof a);
    return true;
}

/* ---- registers alone ---- */

/* Byte registers AH..BH: both operands in scratch registers that have such halves. */
static void plain_high(struct tr *t, const struct plain *p, const struct shape *f)
{
    unsigned grm = guest_of(f->rm, f->rmsize), greg = guest_of(f->reg, f->size);
    bool hrm = is_high(f->rm, f->rmsize), hrg = p->reg && is_high(f->reg, f->size);
    /* A host register number that means the high half: AH is 4, DH is 6. */
    unsigned rm = hrm ? H_RAX + 4 : H_RAX, reg = f->ext;

    t->rdx = -1;
    before(t, p);
    load_count(t, p);
    emit_op(&t->e, X_W, 0x8b, H_RAX, tr_gpr(grm));
    if (p->reg) {
        emit_op(&t->e, X_W, 0x8b, H_RDX, tr_gpr(greg));
        reg = hrg ? H_RDX + 4 : H_RDX;
        if (grm == greg && p->rm & P_W) {
            reg = hrg ? H_RAX + 4 : H_RAX; /* one register: AL and AH */
        } else if (grm == greg) {
            rm = hrm ? H_RDX + 4 : H_RDX;
        }
    }
    emit_shape(t, f, f->x | X_NOREX, reg, hreg(rm));
    if (p->rm & P_W) {
        tr_gpr_put(t, grm, H_RAX);
    }
    if (p->reg & P_W) {
        tr_gpr_put(t, greg, H_RDX);
    }
    after(t, p);
}

/* The rm operand where it may stay in c->r[]: not when a 32-bit result must clear the rest, nor for
 * bit tests by register, which would leave the operand in memory. */
static struct hrm reg_rm(struct tr *t, const struct plain *p, const struct shape *f)
{
    unsigned g = guest_of(f->rm, f->rmsize);

    bool bits = p->flags & F_REG_ONLY;

    if (in_memory(f->rm, f->rmsize) && (bits || (p->rm & P_W && f->rmsize == 2))) {
        if (p->rm & P_R) {
            emit_op(&t->e, X_W, 0x8b, H_RDX, tr_gpr(g));
        }
        t->rdx = -1;
        return hreg(H_RDX);
    }
    return tr_gpr(g);
}

/* The opcode with the operands the other way round, where there is one; 0: there is none. */
static unsigned other_way(unsigned op)
{
    return op == 0x85 ? op : op == 0x89 || (op < 0x40 && (op & 7) == 1) ? op | 2 : 0;
}

/* A source that is in c->r[] becomes the rm operand, when the other is in the host's registers. */
static bool plain_swapped(struct tr *t, const struct plain *p, const struct shape *f)
{
    unsigned to = tr_host(guest_of(f->rm, f->rmsize)), from = guest_of(f->reg, f->size);
    unsigned op = other_way(f->op);

    if (!p->reg || p->reg & P_W || f->size < 2 || !op || to == H_NONE || tr_host(from) != H_NONE) {
        return false;
    }
    struct shape swapped = *f;
    swapped.op = op;
    before(t, p);
    emit_shape(t, &swapped, f->x, to, tr_gpr(from));
    after(t, p);
    return true;
}

/* The flags of TEST of guest register g with itself, wherever that is. */
static void test_itself(struct tr *t, unsigned g, bool wide)
{
    if (tr_host(g) != H_NONE) {
        emit_op(&t->e, x_w(wide), 0x85, tr_host(g), tr_gpr(g));
    } else {
        emit_alu_imm(&t->e, wide, 7, tr_gpr(g), 0);
    }
}

/* A register in c->r[] that is cleared, or compared with zero. */
static bool plain_zero(struct tr *t, const struct plain *p, const struct shape *f)
{
    bool clear = is_clearing(t, p, f), test = f->op == 0x85 && f->rm == f->reg;

    if (f->size < 2 || !in_memory(f->rm, f->size) || !(clear || test)) {
        return false;
    }
    before(t, p);
    if (clear) {
        emit_op(&t->e, 0, 0x33, H_RAX, hreg(H_RAX));
        tr_gpr_put(t, f->rm, H_RAX);
    } else {
        test_itself(t, f->rm, f->size == 3);
    }
    after(t, p);
    t->fl_known = clear ? FL_ZF | FL_PF | FL_1 : 0;
    return true;
}

static void plain_regs(struct tr *t, const struct plain *p, const struct shape *f)
{
    if (plain_zero(t, p, f) || plain_swapped(t, p, f)) {
        return;
    }
    before(t, p);
    load_count(t, p);
    struct hrm rm = reg_rm(t, p, f);
    unsigned reg = f->ext, g = guest_of(f->reg, f->size);

    if (p->reg) {
        reg = tr_host(g);
        if (reg == H_NONE) {
            reg = H_RAX;
            if (p->reg & P_R || f->size < 2) {
                emit_op(&t->e, X_W, 0x8b, reg, tr_gpr(g));
            }
        }
    }
    emit_shape(t, f, f->x, reg, rm);
    if (p->rm & P_W && !rm.mem && rm.reg == H_RDX) {
        tr_gpr_put(t, guest_of(f->rm, f->rmsize), H_RDX);
    }
    if (p->reg & P_W && reg == H_RAX) {
        tr_gpr_put(t, g, H_RAX);
    }
    after(t, p);
    if (is_clearing(t, p, f)) {
        t->fl_known = FL_ZF | FL_PF | FL_1;
    }
}

/* Guest registers that the form without memory reads or writes. */
static uint32_t regs_of(const struct plain *p, const struct tr_insn *in)
{
    unsigned rmsize = p->flags & F_RM8 ? 0 : in->d.size;
    bool count = p->second == S_CL || p->second == S_REG_CL;

    return BIT(p->second == S_ACC ? R_RAX : guest_of(in->i.r2, rmsize)) |
           (p->reg ? BIT(guest_of(in->i.r1, in->d.size)) : 0) | (count ? BIT(R_RCX) : 0);
}

/* ---- the flags once more ---- */

/* Its number in the ALU group: add or adc sbb and sub xor cmp; more: TEST or something else. */
static unsigned alu_of(const struct shape *f)
{
    return f->op < 0x40 ? f->op >> 3 : f->op >= 0x80 && f->op <= 0x83 ? f->ext : 8;
}

/* Can the instruction, whose operands are registers, give its flags again from what it left? */
static bool gives_again(const struct plain *p, const struct shape *f)
{
    unsigned alu = alu_of(f);
    bool same = p->reg && f->rm == f->reg;

    return is_comparison(p) || (f->size >= 2 && (alu == 1 || alu == 4 || alu == 6 ||
                                                 ((alu == 0 || alu == 5) && !same)));
}

bool plain_gives_again(struct tr *t)
{
    const struct lowering *l = t->in->result == DECODE_OK ? tr_lowering(t) : NULL;
    struct shape f;

    if (!l || l->kind != LOWER_PLAIN || t->in->d.has_mem) {
        return false;
    }
    make_shape(t, l->arg, &f);
    return ((const struct plain *)l->arg)->flags & F_OUT && gives_again(l->arg, &f);
}

/* RAX = what the destination was; then the operation again. */
static void sum_again(struct tr *t, const struct plain *p, const struct shape *f, unsigned to)
{
    bool add = alu_of(f) == 0, wide = f->size == 3;
    unsigned from = to == f->rm ? f->reg : f->rm;

    emit_op(&t->e, x_w(wide), 0x8b, H_RAX, tr_gpr(to));
    for (unsigned n = 0; n < 2; n++, add = !add) {
        if (p->reg) {
            emit_op(&t->e, x_w(wide), add ? 0x2b : 0x03, H_RAX, tr_gpr(from));
        } else {
            emit_alu_imm(&t->e, wide, add ? 5 : 0, hreg(H_RAX), (int32_t)t->in->i.imm);
        }
    }
}

void plain_again(struct tr *t)
{
    const struct plain *p = tr_lowering(t)->arg;
    struct shape f;

    make_shape(t, p, &f);
    if (is_comparison(p)) {
        plain_regs(t, p, &f);
    } else {
        unsigned to = p->reg & P_W ? f.reg : f.rm, alu = alu_of(&f);

        if (alu == 0 || alu == 5) {
            sum_again(t, p, &f, to);
        } else {
            test_itself(t, to, f.size == 3);
        }
        tr_flags_set(t);
    }
    t->made = t->in;
}

bool plain_uses(const void *plain, const struct tr_insn *in, unsigned g)
{
    return in->d.has_mem || regs_of(plain, in) & BIT(g);
}

uint32_t plain_written(const void *plain, const struct tr_insn *in)
{
    const struct plain *p = plain;
    unsigned rmsize = p->flags & (F_RM8 | F_RM16 | F_RM32) ? 3 : in->d.size;
    uint32_t written = p->reg & P_W ? BIT(guest_of(in->i.r1, in->d.size)) : 0;

    if (p->second == S_ACC) {
        return p->rm & P_W ? BIT(R_RAX) : 0;
    }
    return p->rm & P_W && !in->d.has_mem ? written | BIT(guest_of(in->i.r2, rmsize)) : written;
}

bool plain_extends(const void *plain, const struct tr_insn *in)
{
    const struct plain *p = plain;
    const struct op_fns *fns = p->fns;

    /* Without a count or a bit found, manuals do not say so of all of them. */
    return p->second != S_CL && p->second != S_REG_CL &&
           !(p->second == S_IMM && !(in->i.imm & 31)) && fns != &fns_bsf && fns != &fns_bsr &&
           fns != &fns_shld_i && fns != &fns_shrd_i;
}

void plain_access(const void *plain, const struct tr_insn *in, struct tr_place *p)
{
    const struct plain *row = plain;

    p->size = (uint16_t)(1u << plain_rmsize(row, in->d.size));
    p->write = row->rm & P_W;
}

bool lower_plain(struct tr *t)
{
    const struct plain *p = tr_lowering(t)->arg;
    struct shape f;

    make_shape(t, p, &f);
    if (t->in->d.has_mem) {
        return plain_mem(t, p, &f);
    }
    if (p->flags & F_MEM_ONLY) {
        return false;
    }
    if (is_high(f.rm, f.rmsize) || (p->reg && is_high(f.reg, f.size))) {
        plain_high(t, p, &f);
    } else {
        plain_regs(t, p, &f);
        if (p->flags & F_OUT && gives_again(p, &f)) {
            t->made = t->in;
            t->made_of = regs_of(p, t->in);
        }
    }
    return true;
}
