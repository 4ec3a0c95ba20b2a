/*
 * Flag instructions (CLC STC CMC CLD STD LAHF SAHF SALC) and decimal adjusts (DAA DAS AAA AAS AAM
 * AAD).
 *
 * Follows: Intel SDM volume 2.  The decimal instructions do not exist in 64-bit code, so the host
 * cannot run them; flags the manual leaves undefined follow the result (SF, ZF, PF) or are cleared.
 *
 * Not modelled: undefined flags of the decimal instructions as particular silicon gives them.
 */
#include "cpu/op.h"
#include "cpu/ops.h"

#define FLAG_OP(name, expr)                                                                        \
    static void op_##name(struct cpu *c, const struct insn *i)                                     \
    {                                                                                              \
        expr;                                                                                      \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    const struct op_fns fns_##name = {.fn = {[FORM_R] = {op_##name}}};
FLAG_OP(clc, c->fl &= (uint16_t)~FL_CF)
FLAG_OP(stc, c->fl |= FL_CF)
FLAG_OP(cmc, c->fl ^= FL_CF)
FLAG_OP(cld, c->eflags &= ~(uint32_t)FLAG_DF)
FLAG_OP(std, c->eflags |= FLAG_DF)
FLAG_OP(lahf, SET8(1, c->fl >> 8 | 2))
FLAG_OP(sahf, c->fl = (uint16_t)((GET8(1) & 0xd5) << 8 | FL_1 | (c->fl & FL_OF)))
FLAG_OP(salc, SET8(0, c->fl &FL_CF ? 0xff : 0))

/* SF, ZF and PF of a byte, with the given CF and AF; OF clear. */
static uint16_t byte_flags(uint8_t v, bool cf, bool af)
{
    uint16_t f = FL_1;

    f |= v & 0x80 ? FL_SF : 0;
    f |= v == 0 ? FL_ZF : 0;
    f |= __builtin_parity(v) ? 0 : FL_PF;
    f |= cf ? FL_CF : 0;
    f |= af ? FL_AF : 0;
    return f;
}

static void op_daa(struct cpu *c, const struct insn *i)
{
    uint8_t al = GET8(0), old = al;
    bool cf = c->fl & FL_CF, af = (al & 15) > 9 || (c->fl & FL_AF);

    if (af) {
        al += 6;
    }
    bool carry = old > 0x99 || cf;
    if (carry) {
        al += 0x60;
    }
    SET8(0, al);
    c->fl = byte_flags(al, carry, af);
    NEXT(c, i);
}

static void op_das(struct cpu *c, const struct insn *i)
{
    uint8_t al = GET8(0), old = al;
    bool cf = c->fl & FL_CF, af = (al & 15) > 9 || (c->fl & FL_AF), carry = false;

    if (af) {
        carry = cf || al < 6;
        al -= 6;
    }
    if (old > 0x99 || cf) {
        al -= 0x60;
        carry = true;
    }
    SET8(0, al);
    c->fl = byte_flags(al, carry, af);
    NEXT(c, i);
}

static void op_aaa(struct cpu *c, const struct insn *i)
{
    bool adjust = (GET8(0) & 15) > 9 || (c->fl & FL_AF);

    if (adjust) {
        SET16(R_RAX, GET16(R_RAX) + 0x106);
    }
    SET8(0, GET8(0) & 15);
    c->fl = byte_flags(GET8(0), adjust, adjust);
    NEXT(c, i);
}

static void op_aas(struct cpu *c, const struct insn *i)
{
    bool adjust = (GET8(0) & 15) > 9 || (c->fl & FL_AF);

    if (adjust) {
        SET16(R_RAX, GET16(R_RAX) - 0x106);
    }
    SET8(0, GET8(0) & 15);
    c->fl = byte_flags(GET8(0), adjust, adjust);
    NEXT(c, i);
}

static void op_aam(struct cpu *c, const struct insn *i)
{
    uint8_t al = GET8(0), base = (uint8_t)i->imm;

    if (!base) {
        c->cur = i;
        cpu_raise(c, EXCP_DE);
    }
    SET8(1, al / base);
    SET8(0, al % base);
    c->fl = byte_flags(al % base, false, false);
    NEXT(c, i);
}

static void op_aad(struct cpu *c, const struct insn *i)
{
    uint8_t al = (uint8_t)(GET8(0) + GET8(1) * i->imm);

    SET16(R_RAX, al);
    c->fl = byte_flags(al, false, false);
    NEXT(c, i);
}
const struct op_fns fns_daa = {.fn = {[FORM_R] = {op_daa}}};
const struct op_fns fns_das = {.fn = {[FORM_R] = {op_das}}};
const struct op_fns fns_aaa = {.fn = {[FORM_R] = {op_aaa}}};
const struct op_fns fns_aas = {.fn = {[FORM_R] = {op_aas}}};
const struct op_fns fns_aam = {.fn = {[FORM_R] = {op_aam}}};
const struct op_fns fns_aad = {.fn = {[FORM_R] = {op_aad}}};
