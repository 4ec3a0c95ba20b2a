/*
 * Runs one SIMD or x87 instruction twice: natively, on the host's own registers, and through
 * decoder and handlers, from the same state; then compares everything.  Guest linear addresses are
 * host addresses, so one encoding serves both.
 */
#ifndef TESTS_CPU_NATIVE_RIG_H
#define TESTS_CPU_NATIVE_RIG_H

#include "cpu/fpu.h"
#include "cpu/native.h"
#include "tests/rig.h"

enum { RIG_MEM = 8192 };

/* Everything an instruction of ours can see. */
struct rig_state {
    uint64_t r[16];
    uint64_t flags; /* EFLAGS */
    uint8_t ymm[16][32];
    uint8_t fx[512] __attribute__((aligned(64))); /* x87 part only */
    uint32_t mxcsr;
    uint8_t mem[RIG_MEM];
    /* Of the guest's run: where it stopped or what raised, and the x87 pointers. */
    uint64_t ip;
    uint32_t error;
    uint64_t cr2;
    uint16_t fop, fcs, fds;
    uint64_t fip, fdp;
};

struct native_rig {
    struct cpu *c;
    struct rig *rig;
    struct ram ram;
    struct region region;
    uint8_t page_flags[RIG_MEM / PAGE_BYTES];
    uint8_t *page; /* RIG_MEM bytes the instruction may touch, at their own address */
    uint8_t *code; /* the native runner */
    uint64_t rng;
    enum rig_mode {
        RIG_64,
        RIG_32_FLAT,
        RIG_32_SEGMENTED
    } mode; /* of the guest's run; the host's is always 64-bit */
    bool have_avx, have_sha;
    unsigned vector; /* exception of the last run, 0xff: none */
    bool has_jit;
    bool jit;       /* run the guest's code through the translator */
    bool sequence;  /* operands for instructions that run one after the other: base RBX, no index */
    bool rip;       /* the memory operand is RIP-relative: not for rig_run_host, nor sequences */
    int at;         /* offset in `page` of the memory operand; -1: random */
    uint64_t *ptes; /* native_rig_paged: of the two pages */
    uint8_t *bytes; /* what the translator translates */
};

bool native_rig_init(struct native_rig *t);
/* The same with a CPU that has a translator. */
bool native_rig_init_jit(struct native_rig *t);
/* Turn paging on; t->ptes then holds the two entries of `page`: change them, then mmu_flush. */
void native_rig_paged(struct native_rig *t);
void native_rig_free(struct native_rig *t);
uint64_t rig_random(struct native_rig *t);
/* Random registers and memory; floats: operand values that matter for that type (0: any, 4, 8, 10
 * bytes). */
void rig_fill(struct native_rig *t, struct rig_state *s, unsigned floats);
/* Write a random encoding of the row; returns its length, 0: the row cannot be run natively.
 * Adjusts s to it. */
unsigned rig_encode(struct native_rig *t, const struct op_row *row, struct rig_state *s,
                    uint8_t *code);
/* Run natively; unmasked SIMD exceptions are caught: returns the vector, 0xff: none. */
unsigned rig_run_host(struct native_rig *t, struct rig_state *s, const uint8_t *code, unsigned len);
/* Run through decoder and handlers; returns the vector of the exception, 0xff: none, 0xfe: not
 * decoded. */
unsigned rig_run_guest(struct native_rig *t, struct rig_state *s, const uint8_t *code,
                       unsigned len);
/* Decode and run the instructions on t->c as it stands; same results. */
unsigned rig_step_guest(struct native_rig *t, const uint8_t *code, unsigned len);
/* The first difference as text, or NULL: registers, memory, MXCSR, x87, and the flags in
 * flags_mask.  g_free. */
char *rig_compare(const struct rig_state *host, const struct rig_state *guest, uint64_t flags_mask);

#endif
