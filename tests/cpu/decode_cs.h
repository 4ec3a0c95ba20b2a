/*
 * One byte string through cpu_decode and through Capstone, and where the two disagree.
 *
 * Compared: validity, length, mnemonic (as a family: MOVS stands for MOVSB and the rest), the
 * memory operand (base, index, scale, displacement, segment override), registers in ModRM and
 * opcode, immediates and branch targets.
 *
 * Not modelled: immediates of SIMD instructions (a prepared instruction keeps a stub in their
 * place).
 */
#ifndef TESTS_CPU_DECODE_CS_H
#define TESTS_CPU_DECODE_CS_H

#include "tests/cpu/decode_make.h"
#include "tests/rig.h"
#include <capstone/capstone.h>

enum disagreement {
    AGREE,
    ONLY_HERE,     /* valid here, invalid in Capstone */
    ONLY_CAPSTONE, /* the other way round */
    DIFF_LENGTH,
    DIFF_NAME,
    DIFF_MEMORY,
    DIFF_REGISTER,
    DIFF_IMMEDIATE,
    DISAGREEMENTS,
};

enum { DECODE_MAX_ROWS = 2048, DECODE_MAX_REGS = X86_REG_ENDING };

/* A register of Capstone's in terms of struct insn. */
struct cs_reg_info {
    enum {
        CREG_NONE,
        CREG_GPR,
        CREG_HIGH /* AH.. */,
        CREG_IP,
        CREG_VEC,
        CREG_MMX,
        CREG_SEG,
        CREG_OTHER
    } kind;
    uint8_t num, size;
};

struct decode_rig {
    struct rig *rig;
    struct cpu *c;
    csh cs[3]; /* by code size: 16, 32, 64 */
    cs_insn *insn;
    struct cs_reg_info regs[DECODE_MAX_REGS];
    uint8_t *names; /* [row][Capstone id]: 0 not looked at, 1 same, 2 different */
};

/* What came of one string. */
struct decoded {
    const uint8_t *bytes;
    uint8_t code; /* MODE_CODE16.. */
    enum decode_result result;
    struct insn insn;
    struct decode d;
    bool cs_ok;
    const cs_insn *cs;
    const char *cs_name; /* "" when invalid */
};

void decode_rig_init(struct decode_rig *r);
void decode_rig_fini(struct decode_rig *r);
enum disagreement decode_compare(struct decode_rig *r, const uint8_t *bytes, unsigned code,
                                 struct decoded *out);

#endif
