/*
 * Instruction decoder: prefixes, opcode maps, VEX, ModRM/SIB, immediates; then a search among the
 * rows of the opcode.
 *
 * Follows: Intel SDM volume 2, chapter 2 and appendix A.
 *
 * Not modelled: EVEX and XOP (invalid opcodes here), 3DNow!.
 */
#include "cpu/insn.h"

enum { OPCODES = MAP_COUNT * 256 };

/* What chooses among the rows of an opcode, side by side: the ModRM byte is in the low ones. */
enum {
    LOOK_MODRM_RM = 7,
    LOOK_MODRM_REG = 7 << 3,
    LOOK_REG = BIT(8), /* ModRM.mod is 3 */
    LOOK_64 = BIT(9),  /* 64-bit code */
    LOOK_VEX_L = BIT(10),
    LOOK_VEX_W = BIT(11),
    LOOK_PFX_SHIFT = 12, /* the mandatory prefix, enum pfx */
    LOOK_PFX = 7 << LOOK_PFX_SHIFT,
};

/* An opcode is a row's where `mask` of what is looked at is `want`.  The row is copied: so all that
 * is wanted of it is in one line of the cache. */
struct candidate {
    uint16_t mask, want;
    uint16_t index;
    bool byte1, byte2; /* r1, r2 are byte registers */
    uint32_t sizes;    /* the size index, two bits for each size_place */
    struct op_row row;
} __attribute__((aligned(64)));
static_assert(sizeof(struct candidate) == 64, "one line of the cache");

struct decoder {
    const struct op_row **rows;
    struct candidate *candidates; /* by opcode, those of one by weight */
    uint16_t first[OPCODES + 1];  /* of each opcode; the next opcode's are behind them */
    unsigned count;
};

static const struct op_table *const all_tables[] = {&ops_integer, &ops_system, &ops_x87, &ops_simd};

/* Rows with a mandatory prefix or more conditions are tried first. */
static unsigned row_weight(const struct op_row *r)
{
    return (r->pfx != PFX_ANY ? 8 : 0) + (r->rm >= 0 ? 4 : 0) + (r->ext >= 0 ? 2 : 0) +
           (r->mod != MOD_ANY ? 1 : 0);
}

static unsigned opcode_of(const struct op_row *r)
{
    return r->map * 256u + r->op;
}

/* Of candidate.sizes: by code size, REX and operand-size prefix. */
static unsigned size_place(unsigned code, unsigned rex, unsigned p66)
{
    return code << 3 | (rex & 8) >> 1 | p66 << 1;
}

static unsigned size_index(const struct op_row *r, unsigned code, bool w, bool p66)
{
    unsigned v = w                                                                          ? 3
                 : p66 != (code == MODE_CODE16) && r->pfx != PFX_66 && !(r->enc & ENC_NO66) ? 1
                 : r->pfx == PFX_66 && code == MODE_CODE16                                  ? 1
                                                                                            : 2;

    switch (r->size) {
    case SZ_B:
        return 0;
    case SZ_W:
        return 1;
    case SZ_D:
        return 2;
    case SZ_Q:
        return 3;
    case SZ_V:
        return v;
    case SZ_Y:
        return w ? 3 : 2;
    case SZ_V64:
        return code == MODE_CODE64 ? (p66 && !w ? 1 : 3) : v;
    case SZ_F64:
        return code == MODE_CODE64 ? 3 : v;
    case SZ_Z:
        return v == 3 ? 2 : v;
    default:
        return 0;
    }
}

static uint32_t sizes_of(const struct op_row *r)
{
    uint32_t sizes = 0;

    for (unsigned n = 0; n < 12; n++) {
        unsigned code = n >> 2;
        bool w = n & 2, p66 = n & 1;

        sizes |= size_index(r, code, w, p66) << size_place(code, w ? 8 : 0, p66);
    }
    return sizes;
}

/* By opcode, those of one by weight; else as they stand in the tables. */
static gint compare_candidates(gconstpointer a, gconstpointer b)
{
    const struct candidate *x = a, *y = b;
    int by_op = (int)opcode_of(&x->row) - (int)opcode_of(&y->row),
        by_weight = (int)row_weight(&y->row) - (int)row_weight(&x->row);

    return by_op ? by_op : by_weight ? by_weight : x->index - y->index;
}

static void look_for(struct candidate *k, unsigned mask, unsigned want)
{
    k->mask |= (uint16_t)mask;
    k->want |= (uint16_t)(want & mask);
}

static void look_for_bit(struct candidate *k, unsigned bit, bool set)
{
    look_for(k, bit, set ? bit : 0);
}

static void look_for_modrm(struct candidate *k, const struct op_row *r)
{
    if (r->ext >= 0) {
        look_for(k, LOOK_MODRM_REG, (unsigned)r->ext << 3);
    }
    if (r->rm >= 0) {
        look_for(k, LOOK_MODRM_RM, (unsigned)r->rm);
    }
    if (r->mod != MOD_ANY) {
        look_for_bit(k, LOOK_REG, r->mod == MOD_REG);
    }
}

static struct candidate candidate_of(const struct op_row *r, unsigned index)
{
    struct candidate k = {.index = (uint16_t)index, .sizes = sizes_of(r), .row = *r};
    bool vex = r->map >= MAP_VEX_0F, general = !(r->enc & ENC_PLAINREG);

    k.byte1 = general && (r->size == SZ_B || r->enc & ENC_REG8);
    k.byte2 = general && r->enc & ENC_MODRM && (r->size == SZ_B || r->enc & ENC_RM8);

    look_for_modrm(&k, r);
    if (r->pfx != PFX_ANY) {
        look_for(&k, LOOK_PFX, (r->pfx == PFX_66W ? PFX_66 : r->pfx) << LOOK_PFX_SHIFT);
    }
    if (vex && r->vex_l != 2) {
        look_for_bit(&k, LOOK_VEX_L, r->vex_l);
    }
    if (vex && r->vex_w != 2) {
        look_for_bit(&k, LOOK_VEX_W, r->vex_w);
    }
    if (r->enc & (ENC_NO64 | ENC_ONLY64)) {
        look_for_bit(&k, LOOK_64, r->enc & ENC_ONLY64);
    }
    return k;
}

static void index_candidates(struct decoder *d)
{
    qsort(d->candidates, d->count, sizeof d->candidates[0], compare_candidates);
    for (unsigned op = 0, n = 0; op <= OPCODES; op++) {
        while (n < d->count && opcode_of(&d->candidates[n].row) < op) {
            n++;
        }
        d->first[op] = (uint16_t)n;
    }
}

struct decoder *decoder_new(const struct cpu *c)
{
    struct decoder *d = g_new0(struct decoder, 1);
    unsigned total = 0;

    for (unsigned t = 0; t < ARRAY_LEN(all_tables); t++) {
        total += all_tables[t]->count;
    }
    d->rows = g_new0(const struct op_row *, total);
    d->candidates = g_aligned_alloc0(total, sizeof *d->candidates, 64);
    for (unsigned t = 0; t < ARRAY_LEN(all_tables); t++) {
        for (unsigned k = 0; k < all_tables[t]->count; k++) {
            const struct op_row *r = &all_tables[t]->rows[k];

            if (cpu_has(c, r->isa)) {
                d->candidates[d->count] = candidate_of(r, d->count);
                d->rows[d->count++] = r;
            }
        }
    }
    index_candidates(d);
    return d;
}

void decoder_free(struct decoder *d)
{
    if (d) {
        g_free(d->rows);
        g_aligned_free(d->candidates);
        g_free(d);
    }
}

const struct op_row *decoder_row(const struct decoder *d, unsigned row)
{
    return row < d->count ? d->rows[row] : NULL;
}

unsigned decoder_row_count(const struct decoder *d)
{
    return d->count;
}

/* Next byte of the instruction; past the end they are 0, which is noticed once, at the end, by len
 * > avail. */
static uint8_t take(struct decode *d)
{
    return d->bytes[d->len++];
}

static uint16_t take16(struct decode *d)
{
    uint16_t v;

    memcpy(&v, d->bytes + d->len, sizeof v);
    d->len += sizeof v;
    return v;
}

static uint32_t take32(struct decode *d)
{
    uint32_t v;

    memcpy(&v, d->bytes + d->len, sizeof v);
    d->len += sizeof v;
    return v;
}

static uint64_t take64(struct decode *d)
{
    uint64_t v;

    memcpy(&v, d->bytes + d->len, sizeof v);
    d->len += sizeof v;
    return v;
}

/* What is a prefix (P_REX: in 64-bit code). */
enum { P_NONE, P_REX, P_SEGMENT, P_FS_GS, P_66, P_67, P_LOCK, P_REP };
static const uint8_t prefixes[256] = {
    [0x26] = P_SEGMENT,      [0x2e] = P_SEGMENT, [0x36] = P_SEGMENT, [0x3e] = P_SEGMENT,
    [0x40 ... 0x4f] = P_REX, [0x64] = P_FS_GS,   [0x65] = P_FS_GS,   [0x66] = P_66,
    [0x67] = P_67,           [0xf0] = P_LOCK,    [0xf2] = P_REP,     [0xf3] = P_REP};

static void take_legacy_prefix(struct decode *d, uint8_t b)
{
    switch (prefixes[b]) {
    case P_SEGMENT:
        if (d->code != MODE_CODE64) {
            d->seg_override = b >> 3 & 3;
        }
        break;
    case P_FS_GS:
        d->seg_override = b & 7;
        break;
    case P_66:
        d->p66 = true;
        break;
    case P_67:
        d->p67 = true;
        break;
    case P_LOCK:
        d->lock = true;
        break;
    default:
        d->rep = b;
        break;
    }
}

/* Legacy and REX prefixes; leaves d->op the first opcode byte. */
static void take_prefixes(struct decode *d)
{
    uint8_t b = take(d);

    while (prefixes[b] && d->len <= 15) {
        if (prefixes[b] != P_REX) {
            take_legacy_prefix(d, b);
            d->rex = 0; /* REX counts only right before the opcode */
        } else if (d->code == MODE_CODE64) {
            d->rex = b;
        } else {
            break;
        }
        b = take(d);
    }
    d->op = b;
}

/* C4/C5 as VEX; false: it is LES/LDS. */
static bool take_vex(struct decode *d)
{
    uint8_t b1 = d->bytes[d->len];

    if (d->op != 0xc4 && d->op != 0xc5) {
        return false;
    }
    if (d->code != MODE_CODE64 && (b1 < 0xc0 || !(d->mode & MODE_PE) || (d->mode & MODE_V86))) {
        return false;
    }
    d->vex = true;
    take(d);
    uint8_t rxb = 0, last = b1;
    if (d->op == 0xc5) {
        rxb = b1 & 0x80 ? 0 : 4;
        d->vex_map = 1;
        d->vex_w = 0;
    } else {
        rxb = (b1 >> 5 ^ 7) & 7;
        d->vex_map = b1 & 0x1f;
        last = take(d);
        d->vex_w = last >> 7;
    }
    d->vvvv = (last >> 3 ^ 15) & 15;
    d->vex_l = last >> 2 & 1;
    d->vex_pp = last & 3;
    if (d->code == MODE_CODE64) {
        d->rex = 0x40 | rxb | (d->vex_w ? 8 : 0);
    }
    d->op = take(d);
    return true;
}

/* The opcode map; false: no such map. */
static bool take_map(struct decode *d)
{
    bool had_rex = d->rex;

    if (take_vex(d)) {
        d->map = d->vex_map == 1 ? MAP_VEX_0F : d->vex_map == 2 ? MAP_VEX_0F38 : MAP_VEX_0F3A;
        return d->vex_map >= 1 && d->vex_map <= 3 && !d->p66 && !d->rep && !d->lock && !had_rex;
    }
    d->map = MAP_1;
    if (d->op == 0x0f) {
        d->op = take(d);
        d->map = MAP_0F;
        if (d->op == 0x38 || d->op == 0x3a) {
            d->map = d->op == 0x38 ? MAP_0F38 : MAP_0F3A;
            d->op = take(d);
        }
    }
    return true;
}

static unsigned mandatory_prefix(const struct decode *d)
{
    if (d->vex) {
        static const uint8_t vex_pfx[4] = {PFX_NP, PFX_66, PFX_F3, PFX_F2};

        return vex_pfx[d->vex_pp];
    }
    if (d->rep) {
        return d->rep == 0xf3 ? PFX_F3 : PFX_F2;
    }
    return d->p66 ? PFX_66 : PFX_NP;
}

/* LOOK_* of the instruction, whose ModRM byte is the next, if it has one. */
static unsigned looks(const struct decode *d)
{
    uint8_t modrm = d->bytes[d->len];
    unsigned has = modrm | (modrm >= 0xc0 ? LOOK_REG : 0u) |
                   (d->code == MODE_CODE64 ? LOOK_64 : 0u) | mandatory_prefix(d) << LOOK_PFX_SHIFT;

    if (d->vex) {
        has |= (d->vex_l ? LOOK_VEX_L : 0u) | (d->vex_w ? LOOK_VEX_W : 0u);
    }
    return has;
}

static const struct candidate *find_row(const struct decoder *dec, struct decode *d)
{
    unsigned op = d->map * 256u + d->op, has = looks(d);
    const struct candidate *k = &dec->candidates[dec->first[op]],
                           *end = &dec->candidates[dec->first[op + 1]];

    if (k == end) {
        return NULL;
    }
    for (; k < end; k++) {
        if ((has & k->mask) == k->want) {
            return k;
        }
    }
    if (d->len >= d->avail) {
        d->len++; /* the ModRM byte decides, and it lies beyond what there is: truncated */
    }
    return NULL;
}

/* 16-bit addressing forms (SDM vol. 2, table 2-1). */
static void take_memory16(struct decode *d, struct insn *i)
{
    static const uint8_t base[8] = {R_RBX, R_RBX, R_RBP, R_RBP, R_RSI, R_RDI, R_RBP, R_RBX};
    static const uint8_t index[8] = {R_RSI, R_RDI, R_RSI, R_RDI, R_ZERO, R_ZERO, R_ZERO, R_ZERO};
    unsigned rm = d->modrm & 7;

    i->base = base[rm];
    i->index = index[rm];
    i->seg = i->base == R_RBP ? SEG_SS : SEG_DS;
    if (d->mod == 0 && rm == 6) {
        i->base = R_ZERO;
        i->seg = SEG_DS;
        i->disp = (int16_t)take16(d);
    } else if (d->mod == 1) {
        i->disp = (int8_t)take(d);
    } else if (d->mod == 2) {
        i->disp = (int16_t)take16(d);
    }
}

static void take_sib(struct decode *d, struct insn *i)
{
    uint8_t sib = take(d);
    unsigned index = (sib >> 3 & 7) | (d->rex & 2 ? 8 : 0);

    i->sib = sib >> 6;
    i->index = index == R_RSP && !(d->row->enc & ENC_VSIB) ? R_ZERO : index;
    i->base = (sib & 7) | (d->rex & 1 ? 8 : 0);
    if ((sib & 7) == 5 && d->mod == 0) {
        i->base = R_ZERO;
        i->disp = (int32_t)take32(d);
    }
}

/* 32- and 64-bit addressing forms (tables 2-2 and 2-3). */
static void take_memory(struct decode *d, struct insn *i)
{
    unsigned rm = d->modrm & 7;

    i->index = R_ZERO;
    if (rm == 4) {
        take_sib(d, i);
    } else if (rm == 5 && d->mod == 0) {
        i->base = d->code == MODE_CODE64 ? R_BASE : R_ZERO;
        i->disp = (int32_t)take32(d);
    } else {
        i->base = rm | (d->rex & 1 ? 8 : 0);
    }
    i->seg = i->base == R_RSP || i->base == R_RBP ? SEG_SS : SEG_DS;
    if (d->mod == 1) {
        i->disp = (int8_t)take(d);
    } else if (d->mod == 2) {
        i->disp = (int32_t)take32(d);
    }
}

static void take_modrm(struct decode *d, struct insn *i)
{
    d->has_modrm = true;
    d->modrm_at = d->len;
    d->modrm = take(d);
    d->mod = d->modrm >> 6;
    d->reg = (d->modrm >> 3 & 7) | (d->rex & 4 ? 8 : 0);
    d->rm = (d->modrm & 7) | (d->rex & 1 ? 8 : 0);
    if (d->mod == 3 || d->row->enc & ENC_MODREG) {
        return;
    }
    d->has_mem = true;
    if (d->asize == 1) {
        take_memory16(d, i);
    } else {
        take_memory(d, i);
    }
    if (d->seg_override >= 0) {
        i->seg = d->seg_override;
    }
}

/* Number of a byte register as an offset into c->r. */
static uint8_t byte_reg(const struct decode *d, unsigned n)
{
    return !d->rex && n >= 4 && n < 8 ? (n - 4) * 8 + 1 : n * 8;
}

static void set_registers(const struct decode *d, const struct candidate *k, struct insn *i)
{
    uint32_t enc = k->row.enc;

    if (enc & ENC_MODRM) {
        i->r1 = d->reg;
        i->r2 = d->rm;
    } else if (enc & ENC_OPREG) {
        i->r1 = (d->op & 7) | (d->rex & 1 ? 8 : 0);
    } else {
        i->r1 = R_RAX;
    }
    if (k->byte1) {
        i->r1 = enc & (ENC_MODRM | ENC_OPREG) ? byte_reg(d, i->r1) : 0;
    }
    if (k->byte2) {
        i->r2 = byte_reg(d, i->r2);
    }
}

enum {
    ENC_IMMEDIATES = ENC_IB | ENC_IBS | ENC_IW | ENC_IZ | ENC_IV | ENC_JB | ENC_JZ | ENC_MOFFS |
                     ENC_AP | ENC_IB2 | ENC_REP | ENC_VEX_GPR,
    ENC_TRAPS = ENC_NOREAL | ENC_FPU | ENC_MMX | ENC_SSE | ENC_AVX,
};

static void take_immediates(struct decode *d, struct insn *i)
{
    uint32_t enc = d->row->enc;

    if (!(enc & ENC_IMMEDIATES)) {
        return;
    }
    if (enc & ENC_IB) {
        i->imm = take(d);
    } else if (enc & ENC_IBS) {
        i->imm = (uint64_t)(int64_t)(int8_t)take(d);
    } else if (enc & ENC_IW) {
        i->imm = take16(d);
    } else if (enc & ENC_IZ) {
        i->imm = d->size == 1 ? (uint64_t)(int64_t)(int16_t)take16(d)
                              : (uint64_t)(int64_t)(int32_t)take32(d);
    } else if (enc & ENC_IV) {
        i->imm = d->size == 3   ? take64(d)
                 : d->size == 2 ? take32(d)
                 : d->size == 1 ? take16(d)
                                : take(d);
    } else if (enc & ENC_JB) {
        i->disp = (int8_t)take(d);
    } else if (enc & ENC_JZ) {
        i->disp = d->size == 1 ? (int16_t)take16(d) : (int32_t)take32(d);
    } else if (enc & ENC_MOFFS) {
        i->imm = d->asize == 3 ? take64(d) : d->asize == 2 ? take32(d) : take16(d);
    } else if (enc & ENC_AP) {
        i->imm = d->size == 1 ? take16(d) : take32(d);
        i->disp = (int32_t)take16(d);
    }
    if (enc & ENC_IB2) {
        i->disp = take(d);
    }
    if (enc & ENC_REP) {
        i->disp = d->rep;
    }
    if (enc & ENC_VEX_GPR && !(enc & ENC_IB)) {
        i->imm = decode_vvvv(d);
    }
}

/* Which of the five address computations serves this instruction (for stack operations: which
 * stack). */
static enum form choose_form(const struct decode *d, const struct insn *i)
{
    bool flat32 = d->code == MODE_CODE32 && (d->mode & MODE_FLAT) && d->asize == 2;

    if (!d->has_modrm) {
        return d->code == MODE_CODE64               ? FORM_MB
               : flat32 && (d->mode & MODE_STACK32) ? FORM_M32
                                                    : FORM_MG;
    }
    if (!d->has_mem) {
        return FORM_R;
    }
    if (d->code == MODE_CODE64 && d->asize == 3 && i->seg != SEG_FS && i->seg != SEG_GS) {
        return i->index == R_ZERO ? FORM_MB : FORM_MX;
    }
    return flat32 && (i->seg == SEG_DS || i->seg == SEG_SS || i->seg == SEG_ES) ? FORM_M32
                                                                                : FORM_MG;
}

static op_fn *choose_fn(const struct cpu *c, const struct decode *d, const struct insn *i)
{
    const struct op_fns *f = d->row->fns;
    enum form form = choose_form(d, i);

    if (!f) {
        return NULL;
    }
    if (d->lock && c->v->m->ncpus > 1) {
        return f->lock[d->size];
    }
    if (f->fn[form][d->size]) {
        return f->fn[form][d->size];
    }
    if (form == FORM_R) {
        return NULL;
    }
    return f->fn[FORM_MG][d->size] ? f->fn[FORM_MG][d->size]
           : d->has_mem            ? NULL
                                   : f->fn[FORM_R][d->size];
}

/* Handlers that raise because of CR0, CR4 and XCR0 settings, or NULL. */
static op_fn *mode_trap(const struct decode *d)
{
    uint32_t enc = d->row->enc;

    if (!(enc & ENC_TRAPS)) {
        return NULL;
    }
    if (enc & ENC_NOREAL && ((d->mode & MODE_V86) || !(d->mode & MODE_PE))) {
        return op_ud;
    }
    if (enc & ENC_FPU && d->mode & MODE_FPU_NM) {
        return op_nm;
    }
    if (enc & ENC_MMX && d->mode & MODE_FPU_NM) {
        return op_mmx_trap;
    }
    if (enc & (ENC_SSE | ENC_AVX) && d->mode & (enc & ENC_AVX ? MODE_AVX_UD : MODE_SSE_UD)) {
        return op_ud;
    }
    return enc & (ENC_SSE | ENC_AVX) && d->mode & MODE_SSE_NM ? op_nm : NULL;
}

/* RIP-relative operands and branch targets count from the block's start.  False: that is too far.
 * (Outside 64-bit code IP wraps, and so may the sum.) */
static bool rebase(const struct decode *d, struct insn *i)
{
    if (d->row->enc & (ENC_JB | ENC_JZ) || (d->has_mem && i->base == R_BASE)) {
        int64_t disp = (int64_t)i->disp + i->ofs + d->len;

        i->disp = (int32_t)disp;
        return disp == i->disp || d->code != MODE_CODE64;
    }
    return true;
}

static enum decode_result decode_body(struct cpu *c, struct decode *d, struct insn *out)
{
    take_prefixes(d);
    if (!take_map(d)) {
        return DECODE_UD;
    }
    const struct candidate *r = find_row(c->decoder, d);
    if (!r) {
        d->len += d->len == d->avail; /* the row may hang on a ModRM byte not fetched yet */
        return DECODE_UD;
    }
    d->row = &r->row;
    out->row = r->index;
    d->asize = d->code == MODE_CODE64               ? (d->p67 ? 2 : 3)
               : d->p67 != (d->code == MODE_CODE32) ? 2
                                                    : 1;
    d->size = r->sizes >> size_place(d->code, d->rex, d->p66) & 3;
    d->osize = d->size;
    bool stack = d->row->size == SZ_V64 || d->row->size == SZ_F64;
    out->seg = d->seg_override >= 0 && !stack ? d->seg_override : stack ? SEG_SS : SEG_DS;
    if (d->row->enc & ENC_MODRM) {
        take_modrm(d, out);
    }
    out->sib |= (d->asize - 1) << 2;
    set_registers(d, r, out);
    take_immediates(d, out);
    if (d->lock && (!(d->row->enc & ENC_LOCK) || !d->has_mem)) {
        return DECODE_UD;
    }
    if (d->vvvv && d->row->enc & ENC_VEX_GPR && d->row->enc & ENC_IB) {
        return DECODE_UD; /* RORX has no third register */
    }
    out->fn = mode_trap(d);
    if (out->fn) {
        return DECODE_UD;
    }
    out->fn = choose_fn(c, d, out);
    bool fits = rebase(d, out);
    out->len = d->len;
    if (d->row->prepare && !d->row->prepare(c, d, out)) {
        return DECODE_UD;
    }
    if (!fits && out->ofs) {
        return DECODE_TRUNCATED; /* it has to be a block's first */
    }
    return out->fn && fits ? DECODE_OK : DECODE_UD;
}

/* Another processor, or a device, may change what is in memory meanwhile: all of a decoding goes by
 * one copy. */
static void copy_bytes(struct decode *d, const uint8_t *bytes, unsigned avail)
{
    if (likely(avail >= 16)) {
        memcpy(d->bytes, bytes, 16); /* is quicker than 15 */
        d->bytes[15] = 0;
        d->avail = 15;
    } else {
        memcpy(d->bytes, bytes, avail);
        d->avail = (uint8_t)avail;
    }
}

enum decode_result cpu_decode(struct cpu *c, const uint8_t *bytes, unsigned avail, struct insn *out,
                              bool *end, struct decode *d)
{
    *d = (struct decode){.mode = c->mode, .code = c->mode & MODE_CODE, .seg_override = -1};
    copy_bytes(d, bytes, avail);
    *out =
        (struct insn){.ofs = out->ofs, .n = out->n, .base = R_ZERO, .index = R_ZERO, .seg = SEG_DS};

    enum decode_result r = decode_body(c, d, out);

    if (r == DECODE_TRUNCATED || (d->len > d->avail && d->avail < 15)) {
        return DECODE_TRUNCATED;
    }
    if (d->len > 15) {
        r = DECODE_GP;
        out->fn = op_gp0;
    } else if (r == DECODE_UD && (!d->row || (out->fn != op_nm && out->fn != op_mmx_trap))) {
        out->fn = op_ud;
    }
    out->len = MIN(d->len, 15);
    *end = r != DECODE_OK || (d->row->enc & ENC_END);
    return r;
}

void op_ud(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    cpu_raise(c, EXCP_UD);
}

void op_gp0(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    cpu_raise_error(c, EXCP_GP, 0);
}

void op_nm(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    cpu_raise(c, EXCP_NM);
}

/* MMX with CR0.EM or TS. */
void op_mmx_trap(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    cpu_raise(c, c->cr0 & CR0_EM ? EXCP_UD : EXCP_NM);
}
