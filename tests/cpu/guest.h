/*
 * A bare guest for tests of the CPU's system part: RAM, one CPU run by the interpreter, tables at
 * fixed places, and an exception handler per vector that just halts.
 *
 *     struct guest g;
 *     guest_init(&g, "x86-64-v3");
 *     guest_protected(&g);                      or guest_long, or neither: real mode
 *     guest_code(&g, "\xcd\x20\xf4", 3);        int 0x20; hlt
 *     guest_run(&g);
 *     guest_vector(&g) == 0x20
 *     guest_free(&g);
 */
#ifndef TESTS_CPU_GUEST_H
#define TESTS_CPU_GUEST_H

#include "accel/check.h"
#include "cpu/sys.h"
#include "tests/rig.h"

enum {
    G_GDT = 0x1000,
    G_IDT = 0x2000,
    G_TSS = 0x3000,
    G_TSS2 = 0x3400,
    G_LDT = 0x3800,
    G_REAL_STACK = 0x7000,
    G_HANDLERS = 0x8000, /* 16 bytes per vector, the first is hlt */
    G_TABLES = 0x10000,  /* page tables of guest_long */
    G_CODE = 0x20000,
    G_STACK = 0x30000,
    G_USER_STACK = 0x38000,
    G_IST = 0x3c000,
    G_DATA = 0x40000,
};
/* Selectors. */
enum {
    S_CODE = 0x08,
    S_DATA = 0x10,
    S_UCODE = 0x1b,
    S_UDATA = 0x23,
    S_TSS = 0x28,
    S_TSS2 = 0x30,
    S_CODE64 = 0x38,
    S_UCODE64 = 0x43,
    S_CODE16 = 0x48,
    S_DATA16 = 0x50,
    S_LDT = 0x58,
    S_FREE = 0x60, /* from here on: the test's */
};

struct guest {
    struct rig *rig;
    struct vcpu *v;
    struct cpu *c;
    uint8_t *ram;
    void (*fini)(struct vcpu *v);
};

void guest_init(struct guest *g, const char *model);
/* Without a limit of instructions, which would keep the engine from linking blocks: the guest must
 * halt by itself. */
void guest_init_linked(struct guest *g, const char *model);
/* Under the comparison of `second` with the interpreter. */
void guest_init_checked(struct guest *g, const char *model, const struct check_second *second);
void guest_free(struct guest *g);
/* Write a descriptor: attr as in struct seg (type, S, DPL, P, L, D, G). */
void guest_desc(struct guest *g, uint16_t sel, uint32_t base, uint32_t limit, uint16_t attr);
/* A call, interrupt, trap or task gate. */
void guest_gate(struct guest *g, uint32_t at, uint16_t sel, uint32_t off, uint8_t attr,
                uint8_t params);
void guest_put16(struct guest *g, uint64_t pa, uint16_t v);
void guest_put32(struct guest *g, uint64_t pa, uint32_t v);
void guest_put64(struct guest *g, uint64_t pa, uint64_t v);
uint16_t guest_get16(struct guest *g, uint64_t pa);
uint32_t guest_get32(struct guest *g, uint64_t pa);
uint64_t guest_get64(struct guest *g, uint64_t pa);
/* Flat 32-bit protected mode at CPL 0, interrupt gates for all vectors (DPL 3), TSS with an inner
 * stack. */
void guest_protected(struct guest *g);
/* 64-bit mode, the first 16 MiB mapped 1:1 by 4 KiB pages for everyone. */
void guest_long(struct guest *g);
/* Go on at CPL 3 (protected or long mode). */
void guest_user(struct guest *g);
/* V86 mode at CS:0 = G_CODE, stack at SS = 0x3000. */
void guest_v86(struct guest *g, unsigned iopl);
/* Put code at G_CODE and point IP there. */
void guest_code(struct guest *g, const void *bytes, size_t len);
/* Run until halt, shutdown or 10000 instructions. */
enum vcpu_exit guest_run(struct guest *g);
/* The vector whose handler the guest halted in, -1: elsewhere. */
int guest_vector(struct guest *g);
/* Page-table entry of guest_long for la. */
uint64_t guest_pte_at(uint64_t la);

/* GUEST_TRY changes no variable between setjmp and longjmp; gcc cannot see that. */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wclobbered"
#endif
/* Evaluate, catching a raise: -1, or the vector, with the error code in c->excp.error. */
#define GUEST_TRY(g, expr)                                                                         \
    __extension__({                                                                                \
        volatile int vector_ = -1;                                                                 \
        (g)->c->cur = NULL;                                                                        \
        if (setjmp((g)->c->jmp)) {                                                                 \
            vector_ = (int)(g)->c->excp.vector;                                                    \
        } else {                                                                                   \
            expr;                                                                                  \
        }                                                                                          \
        (int)vector_;                                                                              \
    })

#endif
