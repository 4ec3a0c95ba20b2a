/* See code_make.h.  Not modelled: programs that make sense. */
#include "tests/accel/code_make.h"
#include "tests/cpu/decode_make.h"

static unsigned rnd(struct code_maker *m, unsigned n)
{
    return (unsigned)hostile_below(m->r, n);
}

/* ---- which instruction ---- */

static const struct op_row *row_of(struct code_maker *m, const struct op_table *t)
{
    return &t->rows[rnd(m, t->count)];
}

static bool name_is(const struct op_row *row, const char *const *names)
{
    while (*names && strcmp(row->name, *names)) {
        names++;
    }
    return *names;
}

/* What mostly ends a program, or reaches out of it, so that it is not worth its place. */
static bool is_dull(const struct op_row *row)
{
    static const char *const names[] = {"hlt",     "int1",   "int3",     "int",     "ud0",  "ud1",
                                        "ud2",     "les",    "lds",      "lfs",     "lgs",  "lss",
                                        "callf",   "jmpf",   "retf",     "ins",     "outs", "in",
                                        "out",     "rdmsr",  "wrmsr",    "rdpmc",   "into", "bound",
                                        "sysexit", "sysret", "sysenter", "syscall", "iret", NULL};
    bool to_segment = row->map == MAP_1 && row->op == 0x8e;

    return to_segment || name_is(row, names);
}

static const struct op_row *choose_row(struct code_maker *m)
{
    static const char *const common[] = {"mov", "add", "sub", "cmp",  "test", "and",   "or",
                                         "xor", "lea", "inc", "dec",  "push", "pop",   "jmp",
                                         "adc", "sbb", "shl", "call", "ret",  "movzx", NULL};
    unsigned kind = rnd(m, 64);

    for (unsigned tries = 0; tries < 100; tries++) {
        const struct op_row *row = kind < 42   ? row_of(m, &ops_integer)
                                   : kind < 56 ? row_of(m, &ops_simd)
                                   : kind < 62 ? row_of(m, &ops_x87)
                                               : row_of(m, &ops_system);

        if ((is_dull(row) && rnd(m, 64)) || (kind < 20 && !name_is(row, common))) {
            continue;
        }
        return row;
    }
    return NULL;
}

/* ---- operands ---- */

/* A register number modulo 8: an address, or (mostly) not. */
static unsigned pointer_reg(struct code_maker *m)
{
    static const uint8_t regs[] = {3, 5, 6, 7};

    return rnd(m, 16) ? regs[rnd(m, ARRAY_LEN(regs))] : rnd(m, 8);
}

static unsigned number_reg(struct code_maker *m)
{
    return rnd(m, 12) ? rnd(m, 3) : rnd(m, 8);
}

static int displacement(struct code_maker *m)
{
    return rnd(m, 4) == 0 ? (int)rnd(m, 256) - 128 : ((int)rnd(m, 16) - 8) * 16;
}

static unsigned put_disp(uint8_t *to, int64_t v, unsigned bytes)
{
    memcpy(to, &v, bytes);
    return bytes;
}

/* ModRM, SIB and displacement in 16-bit addressing; gives the length. */
static unsigned put_mem16(struct code_maker *m, unsigned reg, uint8_t *to)
{
    unsigned mod = rnd(m, 3), rm = rnd(m, 8);
    bool absolute = mod == 0 && rm == 6;
    int64_t at =
        absolute ? (int64_t)(m->data + hostile_below(m->r, m->data_size)) : displacement(m);

    to[0] = (uint8_t)(mod << 6 | (reg & 7) << 3 | rm);
    return 1 + put_disp(to + 1, at, mod == 1 ? 1 : mod == 2 || absolute ? 2 : 0);
}

/*
 * The same in 32- and 64-bit addressing.  `next`: the IP behind the instruction if the operand had
 * four bytes of displacement.
 */
static unsigned put_mem32(struct code_maker *m, unsigned reg, bool vsib, uint64_t next, uint8_t *to)
{
    unsigned mod = 1 + rnd(m, 2), base = pointer_reg(m), n = 1;
    bool sib = vsib || base == 4 || rnd(m, 4) == 0;

    if (!vsib && rnd(m, 8) == 0) { /* absolute, or relative to RIP */
        uint64_t at = m->data + hostile_below(m->r, m->data_size);

        to[0] = (uint8_t)((reg & 7) << 3 | 5);
        return 1 + put_disp(to + 1, (int64_t)(cpu_is_64(m->c) ? at - next : at), 4);
    }
    if (rnd(m, 4) == 0 && base != 5) {
        mod = 0;
    }
    to[0] = (uint8_t)(mod << 6 | (reg & 7) << 3 | (sib ? 4 : base));
    if (sib) {
        unsigned index = vsib ? rnd(m, 8) : rnd(m, 3) ? 4 : number_reg(m);

        to[n++] = (uint8_t)(rnd(m, 4) << 6 | index << 3 | base);
    }
    return n + put_disp(to + n, mod ? displacement(m) : 0, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

/* Length of ModRM with what belongs to it. */
static unsigned modrm_length(const struct decode *d, const uint8_t *bytes)
{
    unsigned mod = d->modrm >> 6, rm = d->modrm & 7;

    if (mod == 3) {
        return 1;
    }
    if (d->asize == 1) {
        return 1 + (mod == 1 ? 1u : mod == 2 || rm == 6 ? 2u : 0u);
    }
    unsigned base = rm == 4 ? bytes[d->modrm_at + 1] & 7 : rm;
    return 1 + (rm == 4) + (mod == 1 ? 1u : mod == 2 || base == 5 ? 4u : 0u);
}

/* ---- one instruction ---- */

static bool decode(struct code_maker *m, const uint8_t *bytes, struct insn *i, struct decode *d)
{
    bool end;

    *i = (struct insn){.n = 1};
    return cpu_decode(m->c, bytes, DECODE_BYTES, i, &end, d) == DECODE_OK;
}

/* Give an instruction operands that make it likely to get on; *d and *i are its decode. */
static void mend_operands(struct code_maker *m, uint8_t *bytes, struct insn *i, struct decode *d)
{
    uint8_t made[2 * DECODE_BYTES];
    unsigned old = modrm_length(d, bytes), tail = i->len - d->modrm_at - old, n;
    unsigned reg = d->row->ext >= 0 || d->row->enc & ENC_PLAINREG ? d->modrm >> 3 : number_reg(m);
    uint64_t next = m->ip + m->bytes + d->modrm_at + 5 + tail;

    memcpy(made, bytes, d->modrm_at);
    uint8_t *to = made + d->modrm_at;
    if (!d->has_mem) {
        unsigned rm = d->row->rm >= 0 || d->row->enc & ENC_PLAINREG ? d->modrm : number_reg(m);

        to[0] = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7));
        n = 1;
    } else {
        n = d->asize == 1 ? put_mem16(m, reg, to)
                          : put_mem32(m, reg, d->row->enc & ENC_VSIB, next, to);
    }
    if (d->modrm_at + n + tail > DECODE_BYTES) {
        return;
    }
    memcpy(to + n, bytes + d->modrm_at + old, tail);
    memset(to + n + tail, 0, DECODE_BYTES);
    memcpy(bytes, made, DECODE_BYTES);
}

/* Large immediate shift counts, ENTER levels and the like stay as they come. */
static unsigned make_one(struct code_maker *m, struct decode_maker *maker, uint8_t *bytes)
{
    struct insn i;
    struct decode d;

    for (unsigned tries = 0; tries < 50; tries++) {
        const struct op_row *row = choose_row(m);

        maker->seed = hostile_next(m->r);
        decode_make_row(maker, row, m->c->mode & MODE_CODE, bytes);
        if (!decode(m, bytes, &i, &d)) {
            if (rnd(m, 400) == 0) {
                return MIN(i.len ? i.len : 1u, (unsigned)DECODE_BYTES); /* #UD */
            }
            continue;
        }
        if (is_dull(d.row) && rnd(m, 32)) { /* VEX prefixes are LDS and LES elsewhere */
            continue;
        }
        if (d.has_modrm && !(d.row->enc & ENC_MODREG)) {
            mend_operands(m, bytes, &i, &d);
            if (!decode(m, bytes, &i, &d)) {
                continue;
            }
        }
        return i.len;
    }
    bytes[0] = 0x90;
    return 1;
}

/* ---- branches ---- */

/* Point the branch at instruction n to another one, if it is one. */
static void aim(struct code_maker *m, unsigned n)
{
    uint8_t *bytes = m->code + m->at[n], copy[DECODE_BYTES] = {0};
    struct insn i;
    struct decode d;

    memcpy(copy, bytes, MIN(DECODE_BYTES, m->size - m->at[n]));
    if (!decode(m, copy, &i, &d) || !(d.row->enc & (ENC_JB | ENC_JZ))) {
        return;
    }
    unsigned size = d.row->enc & ENC_JB ? 1 : d.size == 1 ? 2 : 4;
    unsigned near = size == 1 ? 12 : m->count;
    unsigned lo = n > near / 3 ? n - near / 3 : 0, hi = MIN(m->count, n + near);
    unsigned target = lo + rnd(m, hi - lo + 1);
    int64_t disp = (int64_t)m->at[MIN(target, m->count - 1)] - (m->at[n] + i.len);

    if (size > 1 || (disp >= -128 && disp <= 127)) {
        put_disp(bytes + i.len - size, disp, size);
    } else {
        bytes[i.len - 1] = 0;
    }
}

void code_make(struct code_maker *m, unsigned count)
{
    struct decode_maker maker = {.seed = 0};
    uint8_t bytes[DECODE_BYTES];

    m->count = m->bytes = 0;
    while (m->count < MIN(count, CODE_MAKE_MAX) && m->bytes + DECODE_BYTES < m->size) {
        unsigned len = make_one(m, &maker, bytes);

        memcpy(m->code + m->bytes, bytes, len);
        m->at[m->count++] = (uint16_t)m->bytes;
        m->bytes += len;
    }
    if (rnd(m, 4)) { /* round and round */
        unsigned size = m->c->mode & MODE_CODE ? 4 : 2;

        m->code[m->bytes] = 0xe9;
        put_disp(m->code + m->bytes + 1, -(int64_t)(m->bytes + 1 + size), size);
        m->bytes += 1 + size;
    }
    m->code[m->bytes++] = 0xf4;
    for (unsigned n = 0; n < m->count; n++) {
        aim(m, n);
    }
}
