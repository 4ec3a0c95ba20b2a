/*
 * Reader of recorded single-step cases: the `.cst.gz` files of tests/data (format: README.md
 * there).
 *
 * Not modelled: cycle traces; the files have none.
 */
#ifndef TESTS_CPU_CST_H
#define TESTS_CPU_CST_H

#include "hw/core/machine.h"

/* Registers in the file's order. */
enum {
    CST_AX,
    CST_BX,
    CST_CX,
    CST_DX,
    CST_CS,
    CST_SS,
    CST_DS,
    CST_ES,
    CST_SP,
    CST_BP,
    CST_SI,
    CST_DI,
    CST_IP,
    CST_FLAGS,
    CST_REGS
};
enum { CST_NO_EXCEPTION = 255 };

struct cst_byte {
    uint32_t pa;
    uint8_t val;
};

struct cst_case {
    char form[16];     /* "F7.6": opcode F7 /6 */
    uint8_t exception; /* vector, or CST_NO_EXCEPTION */
    uint32_t flags_at; /* where an exception pushed the flags, bit 0 cleared */
    uint8_t len;       /* bytes of code, the HLT behind the instruction included */
    const uint8_t *code;
    uint16_t before[CST_REGS], after[CST_REGS];
    GArray *memory[2]; /* struct cst_byte: before; changed or checked after */
};

struct cst_file {
    uint8_t *bytes;
    size_t len, at;
    unsigned forms; /* in all */
    unsigned forms_read, cases_left;
    struct cst_case now;
    bool bad; /* the file ended early or makes no sense */
};

/* Unpack a file; NULL and the error when it cannot be read. */
struct cst_file *cst_open(const char *path, GError **err);
void cst_close(struct cst_file *f);
/* The next case, valid until the next call; NULL at the end (or f->bad). */
const struct cst_case *cst_next(struct cst_file *f);

#endif
