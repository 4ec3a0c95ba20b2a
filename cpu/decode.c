/*
 * Instruction decoder: prefixes, opcode maps, VEX, ModRM/SIB, immediates; then a search among the
 * rows of the opcode.
 *
 * Follows: Intel SDM volume 2, chapter 2 and appendix A.
 *
 * Not modelled: EVEX and XOP (invalid opcodes here), 3DNow!.
 */
#include "cpu/insn.h"

enum { NO_ROW = 0xffff, OPCODES = MAP_COUNT * 256 };

struct decoder {
    const struct op_row **rows;
    uint16_t *next; /* chain of rows with the same map and opcode */
    uint16_t first[OPCODES];
    unsigned count;
};

static const struct op_table *const all_tables[] = {&ops_integer, &ops_system, &ops_x87, &ops_simd};

/* Rows with a mandatory prefix or more conditions are tried first. */
static unsigned row_weight(const struct op_row *r)
{
    return (r->pfx != PFX_ANY ? 8 : 0) + (r->rm >= 0 ? 4 : 0) + (r->ext >= 0 ? 2 : 0) +
           (r->mod != MOD_ANY ? 1 : 0);
}

static void decoder_insert(struct decoder *d, uint16_t n)
{
    const struct op_row *r = d->rows[n];
    uint16_t *at = &d->first[r->map * 256 + r->op];

    while (*at != NO_ROW && row_weight(d->rows[*at]) >= row_weight(r)) {
        at = &d->next[*at];
    }
    d->next[n] = *at;
    *at = n;
}

struct decoder *decoder_new(const struct cpu *c)
{
    struct decoder *d = g_new0(struct decoder, 1);
    unsigned total = 0;

    for (unsigned t = 0; t < ARRAY_LEN(all_tables); t++) {
        total += all_tables[t]->count;
    }
    d->rows = g_new0(const struct op_row *, total);
    d->next = g_new0(uint16_t, total);
    for (unsigned k = 0; k < OPCODES; k++) {
        d->first[k] = NO_ROW;
    }
    for (unsigned t = 0; t < ARRAY_LEN(all_tables); t++) {
        for (unsigned k = 0; k < all_tables[t]->count; k++) {
            const struct op_row *r = &all_tables[t]->rows[k];

            if (cpu_has(c, r->isa)) {
                d->rows[d->count] = r;
                decoder_insert(d, d->count++);
            }
        }
    }
    return d;
}

void decoder_free(struct decoder *d)
{
    if (d) {
        g_free(d->rows);
        g_free(d->next);
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

/* Next byte of the instruction; past the end gives 0 and is noticed once, at the end, by len >
 * avail. */
static uint8_t take(struct decode *d)
{
    unsigned at = d->len++;

    return at < d->avail ? d->bytes[at] : 0;
}

static uint32_t take16(struct decode *d)
{
    uint32_t lo = take(d);

    return lo | (uint32_t)take(d) << 8;
}

static uint32_t take32(struct decode *d)
{
    uint32_t lo = take16(d);

    return lo | take16(d) << 16;
}

static uint64_t take64(struct decode *d)
{
    uint64_t lo = take32(d);

    return lo | (uint64_t)take32(d) << 32;
}

/* Legacy and REX prefixes; leaves d->op the first opcode byte. */
static void take_prefixes(struct decode *d)
{
    while (d->len < 15) {
        uint8_t b = take(d);

        switch (b) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            if (d->code != MODE_CODE64) {
                d->seg_override = b >> 3 & 3;
            }
            break;
        case 0x64:
        case 0x65:
            d->seg_override = b & 7;
            break;
        case 0x66:
            d->p66 = true;
            break;
        case 0x67:
            d->p67 = true;
            break;
        case 0xf0:
            d->lock = true;
            break;
        case 0xf2:
        case 0xf3:
            d->rep = b;
            break;
        default:
            if (d->code == MODE_CODE64 && (b & 0xf0) == 0x40) {
                d->rex = b;
                continue;
            }
            d->op = b;
            return;
        }
        d->rex = 0; /* REX counts only right before the opcode */
    }
    d->op = take(d);
}

/* C4/C5 as VEX; false: it is LES/LDS. */
static bool take_vex(struct decode *d)
{
    uint8_t b1 = d->len < d->avail ? d->bytes[d->len] : 0;

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
    return d->rep == 0xf3 ? PFX_F3 : d->rep == 0xf2 ? PFX_F2 : d->p66 ? PFX_66 : PFX_NP;
}

static bool row_matches(const struct decode *d, const struct op_row *r, unsigned pfx, uint8_t modrm)
{
    if (r->pfx != PFX_ANY && r->pfx != pfx && !(r->pfx == PFX_66W && pfx == PFX_66)) {
        return false;
    }
    if ((r->ext >= 0 && r->ext != (modrm >> 3 & 7)) || (r->rm >= 0 && r->rm != (modrm & 7))) {
        return false;
    }
    if ((r->mod == MOD_REG && modrm < 0xc0) || (r->mod == MOD_MEM && modrm >= 0xc0)) {
        return false;
    }
    if (d->vex &&
        ((r->vex_l != 2 && r->vex_l != d->vex_l) || (r->vex_w != 2 && r->vex_w != d->vex_w))) {
        return false;
    }
    return !(r->enc & (d->code == MODE_CODE64 ? ENC_NO64 : ENC_ONLY64));
}

static const struct op_row *find_row(const struct decoder *dec, struct decode *d, unsigned *index)
{
    unsigned pfx = mandatory_prefix(d);
    uint8_t modrm = d->len < d->avail ? d->bytes[d->len] : 0;

    for (unsigned n = dec->first[d->map * 256 + d->op]; n != NO_ROW; n = dec->next[n]) {
        if (row_matches(d, dec->rows[n], pfx, modrm)) {
            *index = n;
            return dec->rows[n];
        }
    }
    if (dec->first[d->map * 256 + d->op] != NO_ROW && d->len >= d->avail) {
        d->len++; /* the ModRM byte decides, and it lies beyond what there is: truncated */
    }
    return NULL;
}

static unsigned size_index(const struct decode *d, const struct op_row *r)
{
    unsigned v = d->rex & 8 ? 3
                 : d->p66 != (d->code == MODE_CODE16) && r->pfx != PFX_66 && !(r->enc & ENC_NO66)
                     ? 1
                 : r->pfx == PFX_66 && d->code == MODE_CODE16 ? 1
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
        return (d->rex & 8) || (d->vex && d->vex_w && d->code == MODE_CODE64) ? 3 : 2;
    case SZ_V64:
        return d->code == MODE_CODE64 ? (d->p66 && !(d->rex & 8) ? 1 : 3) : v;
    case SZ_F64:
        return d->code == MODE_CODE64 ? 3 : v;
    case SZ_Z:
        return v == 3 ? 2 : v;
    default:
        return 0;
    }
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

static void set_registers(struct decode *d, struct insn *i)
{
    uint32_t enc = d->row->enc;
    bool b8 = d->size == 0 && d->row->size == SZ_B;

    if (enc & ENC_MODRM) {
        i->r1 = d->reg;
        i->r2 = d->rm;
    } else if (enc & ENC_OPREG) {
        i->r1 = (d->op & 7) | (d->rex & 1 ? 8 : 0);
    } else {
        i->r1 = R_RAX;
    }
    if (enc & ENC_PLAINREG) {
        return;
    }
    if (b8 || (enc & ENC_REG8)) {
        i->r1 = enc & (ENC_MODRM | ENC_OPREG) ? byte_reg(d, i->r1) : 0;
    }
    if (enc & ENC_MODRM && (b8 || (enc & ENC_RM8))) {
        i->r2 = byte_reg(d, i->r2);
    }
}

static void take_immediates(struct decode *d, struct insn *i)
{
    uint32_t enc = d->row->enc;

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
    unsigned index = 0;

    take_prefixes(d);
    if (!take_map(d)) {
        return DECODE_UD;
    }
    d->row = find_row(c->decoder, d, &index);
    if (!d->row) {
        d->len += d->len == d->avail; /* the row may hang on a ModRM byte not fetched yet */
        return DECODE_UD;
    }
    out->row = index;
    d->asize = d->code == MODE_CODE64               ? (d->p67 ? 2 : 3)
               : d->p67 != (d->code == MODE_CODE32) ? 2
                                                    : 1;
    d->size = size_index(d, d->row);
    d->osize = d->size;
    bool stack = d->row->size == SZ_V64 || d->row->size == SZ_F64;
    out->seg = d->seg_override >= 0 && !stack ? d->seg_override : stack ? SEG_SS : SEG_DS;
    if (d->row->enc & ENC_MODRM) {
        take_modrm(d, out);
    }
    out->sib |= (d->asize - 1) << 2;
    set_registers(d, out);
    take_immediates(d, out);
    if (d->lock && (!(d->row->enc & ENC_LOCK) || !d->has_mem)) {
        return DECODE_UD;
    }
    if (d->row->enc & ENC_VEX_GPR && d->row->enc & ENC_IB && d->vvvv) {
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
    if (likely(avail >= sizeof d->bytes)) {
        memcpy(d->bytes, bytes, sizeof d->bytes);
    } else {
        memcpy(d->bytes, bytes, avail);
    }
    d->avail = MIN(avail, 15);
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
