/*
 * The host CPU as oracle: one instruction run natively in a sandboxed page, and the same one in the
 * interpreter.
 *
 * Both sides use the same linear addresses below 2 GiB (code, data and stack), 64-bit code, so that
 * registers that hold addresses compare equal.
 *
 * Not modelled: privileged instructions, 16- and 32-bit code.
 */
#ifndef TESTS_CPU_SILICON_H
#define TESTS_CPU_SILICON_H

#include "cpu/cpu.h"
#include "tests/rig.h"

#define SILICON_DATA       0x200000u /* two pages */
#define SILICON_DATA_BYTES 8192u
#define SILICON_CODE       0x300000u /* one page */
#define SILICON_STATE      0x410000u
enum { SILICON_SKIP = 32 }; /* a taken branch lands this far behind the instruction's end */

/* Registers before and after; at a fixed address on the native side (the trampoline knows the
 * offsets). */
struct silicon_state {
    uint64_t r[16];                                   /* 0 */
    uint64_t rflags;                                  /* 128 */
    uint64_t code;                                    /* 136 */
    uint64_t host_rsp;                                /* 144 */
    uint64_t exit_next, exit_taken;                   /* 152, 160: where the two exits go */
    uint64_t taken;                                   /* 168 */
    uint8_t fx[512] __attribute__((aligned(64)));     /* 192 */
    uint8_t ymm[16][32] __attribute__((aligned(64))); /* 704 */
};

/* What happened. */
struct silicon_result {
    struct silicon_state s;
    int vector; /* exception, or -1; natively a class: 0 #DE/#MF/#XM (SIGFPE), 6 #UD, 13 any memory
                   fault, 3 trap */
    uint8_t data[SILICON_DATA_BYTES];
};

struct silicon {
    struct silicon_state *native; /* at SILICON_STATE */
    struct rig *rig;
    struct vcpu *v;
    struct cpu *c;
};

/* NULL when the low addresses cannot be had here. */
struct silicon *silicon_new(const char *model);
void silicon_free(struct silicon *s);
/* Run `code` (len bytes) from `in` with `data` in the data pages. */
void silicon_run_native(struct silicon *s, const uint8_t *code, unsigned len,
                        const struct silicon_state *in, const uint8_t *data,
                        struct silicon_result *out);
void silicon_run_guest(struct silicon *s, const uint8_t *code, unsigned len,
                       const struct silicon_state *in, const uint8_t *data,
                       struct silicon_result *out);
/* The class of a guest exception in the native terms above. */
int silicon_class(int vector);

#endif
