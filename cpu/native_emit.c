/*
 * Code of native stubs (see native.h).
 *
 * On entry rdi = struct cpu, rsi = struct insn, rdx = host address of the memory operand.  Inside:
 * r8, r10, r11 hold the register numbers (vectors: times 32) of ModRM.reg, VEX.vvvv and ModRM.rm;
 * the instruction itself uses vector registers 0 (reg; 4 when XMM0 is an implicit operand), 1
 * (vvvv), 2 (rm), 3 (imm8 bits 7..4), or general registers rax (reg) and rcx (rm).
 *
 * Follows: Intel SDM volume 2, chapter 2 (encodings).
 *
 * Not modelled: EVEX; general register operands of 8 and 16 bits (no row has them).
 */
#include "cpu/native.h"

enum { HOST_REG = 0, HOST_V = 1, HOST_RM = 2, HOST_IS4 = 3, HOST_REG_XMM0 = 4 };
enum {
    HOST_GREG = 0 /* rax */,
    HOST_GRM = 1 /* rcx */,
    HOST_BASE = 2 /* rdx */,
    HOST_BASE_ESTR = 9
};
enum { IDX_REG = 8, IDX_V = 10, IDX_RM = 11 };

struct code {
    uint8_t *at;
};

static void put(struct code *e, uint8_t b)
{
    *e->at++ = b;
}

static void put32(struct code *e, uint32_t v)
{
    memcpy(e->at, &v, sizeof v);
    e->at += sizeof v;
}

static void put_bytes(struct code *e, const char *bytes, unsigned n)
{
    memcpy(e->at, bytes, n);
    e->at += n;
}

static bool is_vex(const struct native_op *o)
{
    return o->map >= MAP_VEX_0F;
}

static unsigned kind_reg(const struct native_op *o)
{
    return o->aux & 3;
}

/* A ModRM.rm operand in a register; NK_NONE in the memory form. */
static unsigned kind_rm(const struct native_op *o)
{
    return o->mem ? NK_NONE : o->aux >> 6 & 3;
}

static unsigned access_reg(const struct native_op *o)
{
    return o->aux >> 2 & 3;
}

static unsigned access_v(const struct native_op *o)
{
    return o->aux >> 4 & 3;
}

static unsigned access_rm(const struct native_op *o)
{
    return o->aux >> 8 & 3;
}

/* idx = register number read from a byte of struct insn; vectors: times 32. */
static void put_index(struct code *e, unsigned idx, unsigned field, bool vector)
{
    put_bytes(e, "\x44\x0f\xb6", 3); /* movzx idx, byte [rsi + field] */
    put(e, 0x46 | (idx & 7) << 3);
    put(e, field);
    if (vector) {
        put_bytes(e, "\x41\xc1", 2); /* shl idx, 5 */
        put(e, 0xe0 | (idx & 7));
        put(e, 5);
    }
}

/* Vector register x <-> [rdi + disp + index]; index 0: none.  VEX forms move 32 bytes when `wide`.
 */
static void put_vector(struct code *e, const struct native_op *o, bool store, bool wide, unsigned x,
                       unsigned index, uint32_t disp)
{
    if (is_vex(o)) {
        put(e, 0xc4);
        put(e, 0x80 | (index ? 0 : 0x40) | 0x20 | 1);
        put(e, 0x78 | (wide ? 4 : 0));
    } else {
        if (index) {
            put(e, 0x42);
        }
        put(e, 0x0f);
    }
    put(e, store ? 0x11 : 0x10);
    put(e, 0x80 | x << 3 | (index ? 4 : 7));
    if (index) {
        put(e, (index & 7) << 3 | 7);
    }
    put32(e, disp);
}

/* Host register r (rax..rdi) <-> c->r[index]. */
static void put_gpr(struct code *e, bool store, unsigned r, unsigned index)
{
    put(e, 0x4a);
    put(e, store ? 0x89 : 0x8b);
    put(e, 0x84 | r << 3);
    put(e, 0xc7 | (index & 7) << 3);
    put32(e, offsetof(struct cpu, r));
}

/* The same for a fixed guest register. */
static void put_gpr_fixed(struct code *e, bool store, unsigned r, unsigned guest)
{
    put(e, 0x48);
    put(e, store ? 0x89 : 0x8b);
    put(e, 0x87 | r << 3);
    put32(e, offsetof(struct cpu, r) + guest * 8);
}

/* The guest's instruction with host operands. */
static void put_instruction(struct code *e, const struct native_op *o, unsigned reg, unsigned v,
                            unsigned rm, int imm)
{
    static const uint8_t vex_pp[] = {[PFX_NP] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3};
    static const uint8_t legacy[] = {[PFX_66] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2};
    uint8_t rex = (o->w ? 8 : 0) | (reg & 8) >> 1 | (rm & 8) >> 3;

    if (is_vex(o)) {
        put(e, 0xc4);
        put(e, (reg & 8 ? 0 : 0x80) | 0x40 | (rm & 8 ? 0 : 0x20) | (o->map - MAP_VEX_0F + 1));
        put(e, (o->w ? 0x80 : 0) | (~v & 15) << 3 | (o->l ? 4 : 0) | vex_pp[o->pfx]);
    } else {
        if (o->pfx >= PFX_66) {
            put(e, legacy[o->pfx]);
        }
        if (rex) {
            put(e, 0x40 | rex);
        }
        if (o->map != MAP_1) {
            put(e, 0x0f);
        }
        if (o->map >= MAP_0F38) {
            put(e, o->map == MAP_0F38 ? 0x38 : 0x3a);
        }
    }
    put(e, o->op);
    put(e, (o->mem ? 0 : 0xc0) | (reg & 7) << 3 | (rm & 7));
    if (imm >= 0) {
        put(e, imm);
    }
}

static uint32_t ymm_offset(unsigned n)
{
    return offsetof(struct cpu, fpu.ymm) + n * 32;
}

/* Where ModRM.reg's vector operand goes: implicit XMM0 needs register 0 for itself. */
static unsigned host_reg(const struct native_op *o)
{
    return o->aux & (NAT_XMM0 | NAT_OUT_XMM0) ? HOST_REG_XMM0 : HOST_REG;
}

static void put_loads(struct code *e, const struct native_op *o)
{
    unsigned v_field = o->mem ? offsetof(struct insn, r2) : offsetof(struct insn, base);

    if (kind_reg(o) == NK_X || kind_reg(o) == NK_G) {
        put_index(e, IDX_REG, offsetof(struct insn, r1), kind_reg(o) == NK_X);
    }
    if (access_v(o)) {
        put_index(e, IDX_V, v_field, true);
    }
    if (kind_rm(o) == NK_X || kind_rm(o) == NK_G) {
        put_index(e, IDX_RM, offsetof(struct insn, r2), kind_rm(o) == NK_X);
    }
    if (access_reg(o) & NA_R && kind_reg(o) == NK_X) {
        put_vector(e, o, false, o->l, host_reg(o), IDX_REG, ymm_offset(0));
    }
    if (access_reg(o) & NA_R && kind_reg(o) == NK_G) {
        put_gpr(e, false, HOST_GREG, IDX_REG);
    }
    if (access_v(o) & NA_R) {
        put_vector(e, o, false, o->l, HOST_V, IDX_V, ymm_offset(0));
    }
    if (access_rm(o) & NA_R && kind_rm(o) == NK_X) {
        put_vector(e, o, false, o->l, HOST_RM, IDX_RM, ymm_offset(0));
    }
    if (access_rm(o) & NA_R && kind_rm(o) == NK_G) {
        put_gpr(e, false, HOST_GRM, IDX_RM);
    }
    if (o->aux & NAT_XMM0) {
        put_vector(e, o, false, false, 0, 0, ymm_offset(0));
    }
    if (o->aux & NAT_IS4) {
        put_vector(e, o, false, o->l, HOST_IS4, 0, ymm_offset(o->imm >> 4 & 15));
    }
    if (o->aux & NAT_ESTR) {
        put_bytes(e, "\x49\x89\xd1", 3); /* mov r9, rdx */
        put_gpr_fixed(e, false, R_RAX, R_RAX);
        put_gpr_fixed(e, false, R_RDX, R_RDX);
    }
    if (o->aux & NAT_FLAGS_IN) {
        put_bytes(e, "\x0f\xb7\x87", 3); /* movzx eax, word [rdi + fl] */
        put32(e, offsetof(struct cpu, fl));
        put(e, 0x9e); /* sahf */
    }
}

static void put_stores(struct code *e, const struct native_op *o)
{
    if (o->aux & NAT_FLAGS_OUT) {
        put_bytes(e, "\x9f\x0f\x90\xc0\x66\x89\x87", 7); /* lahf; seto al; mov [rdi + fl], ax */
        put32(e, offsetof(struct cpu, fl));
    }
    if (o->aux & NAT_OUT_ECX) {
        put_gpr_fixed(e, true, R_RCX, R_RCX);
    }
    if (o->aux & NAT_OUT_XMM0) {
        put_vector(e, o, true, true, 0, 0, ymm_offset(0));
    }
    if (access_reg(o) & NA_W && kind_reg(o) == NK_X) {
        put_vector(e, o, true, true, host_reg(o), IDX_REG, ymm_offset(0));
    }
    if (access_reg(o) & NA_W && kind_reg(o) == NK_G) {
        put_gpr(e, true, HOST_GREG, IDX_REG);
    }
    if (access_v(o) & NA_W) {
        put_vector(e, o, true, true, HOST_V, IDX_V, ymm_offset(0));
    }
    if (access_rm(o) & NA_W && kind_rm(o) == NK_X) {
        put_vector(e, o, true, true, HOST_RM, IDX_RM, ymm_offset(0));
    }
    if (access_rm(o) & NA_W && kind_rm(o) == NK_G) {
        put_gpr(e, true, HOST_GRM, IDX_RM);
    }
    if (is_vex(o) && o->l) {
        put_bytes(e, "\xc5\xf8\x77", 3); /* vzeroupper: our own code is plain SSE2 */
    }
}

unsigned native_emit(const struct native_op *o, uint8_t *buf)
{
    struct code e = {buf};
    unsigned reg = kind_reg(o) == NK_X ? host_reg(o) : kind_reg(o) == NK_G ? HOST_GREG : o->reg;
    unsigned rm = o->mem               ? (o->aux & NAT_ESTR ? HOST_BASE_ESTR : HOST_BASE)
                  : kind_rm(o) == NK_X ? HOST_RM
                  : kind_rm(o) == NK_G ? HOST_GRM
                                       : o->rm;
    int imm = o->aux & NAT_IS4 ? (o->imm & 15) | HOST_IS4 << 4 : o->imm;

    put_loads(&e, o);
    put_instruction(&e, o, reg, access_v(o) ? HOST_V : 0, rm, imm);
    put_stores(&e, o);
    put_bytes(&e, "\x48\x83\xc6\x20\xff\x26", 6); /* add rsi, 32; jmp [rsi] */
    return e.at - buf;
}
