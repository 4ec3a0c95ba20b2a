/*
 * IN and OUT (INS and OUTS: op_string.c).
 *
 * Follows: Intel SDM volume 2; volume 1, chapter 18.
 *
 * A device may change the memory map or raise an interrupt in answer, so requests are looked at
 * right behind.
 *
 * Not modelled: nothing left out.
 */
#include "cpu/op.h"
#include "cpu/ops_system.h"

static uint32_t io_in(struct cpu *c, const struct insn *i, uint16_t port, unsigned size)
{
    c->cur = i;
    cpu_check_io(c, port, size);
    debug_check_io(c, port, size);
    cpu_outside(c, OUTSIDE_PORT);
    return port_read(c->v, port, size);
}

static void io_out(struct cpu *c, const struct insn *i, uint16_t port, uint32_t val, unsigned size)
{
    c->cur = i;
    cpu_check_io(c, port, size);
    debug_check_io(c, port, size);
    cpu_outside(c, OUTSIDE_PORT);
    port_write(c->v, port, val, size);
}

#define IN_OUT(bits, T, name, port)                                                                \
    static void op_in_##name##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        uint32_t v = io_in(c, i, (uint16_t)(port), bits / 8);                                      \
        SET##bits(R_RAX, v);                                                                       \
        return sys_next_open(c, i);                                                                \
    }                                                                                              \
    static void op_out_##name##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        io_out(c, i, (uint16_t)(port), GET##bits(R_RAX), bits / 8);                                \
        return sys_next_open(c, i);                                                                \
    }
IN_OUT(8, uint8_t, imm, i->imm)
IN_OUT(16, uint16_t, imm, i->imm)
IN_OUT(32, uint32_t, imm, i->imm)
IN_OUT(8, uint8_t, dx, c->r[R_RDX])
IN_OUT(16, uint16_t, dx, c->r[R_RDX])
IN_OUT(32, uint32_t, dx, c->r[R_RDX])

#define BYTE_FORM(f)                                                                               \
    {                                                                                              \
        .fn = { [FORM_R] = {f##8, NULL, NULL, NULL} }                                              \
    }
#define WIDE_FORM(f)                                                                               \
    {                                                                                              \
        .fn = { [FORM_R] = {NULL, f##16, f##32, NULL} }                                            \
    }

const struct op_fns fns_in8_i = BYTE_FORM(op_in_imm);
const struct op_fns fns_in_i = WIDE_FORM(op_in_imm);
const struct op_fns fns_out8_i = BYTE_FORM(op_out_imm);
const struct op_fns fns_out_i = WIDE_FORM(op_out_imm);
const struct op_fns fns_in8_dx = BYTE_FORM(op_in_dx);
const struct op_fns fns_in_dx = WIDE_FORM(op_in_dx);
const struct op_fns fns_out8_dx = BYTE_FORM(op_out_dx);
const struct op_fns fns_out_dx = WIDE_FORM(op_out_dx);
