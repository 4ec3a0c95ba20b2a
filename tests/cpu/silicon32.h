/*
 * The host CPU as oracle for 16- and 32-bit code: one instruction in compatibility mode, entered by
 * IRETQ and left by the trap flag, and the same one in the interpreter in 32-bit protected mode
 * with paging, at CPL 3.
 *
 * 32-bit code runs in flat segments.  16-bit code has a code segment at SILICON32_CODE and data and
 * stack segments (of the local descriptor table natively) at SILICON32_DATA, 64 KiB each, with a
 * 32-bit stack pointer.  FS and GS are null.  Only the code and data pages are mapped.
 *
 * Not modelled: system calls, segment loads, vector and x87 state.
 */
#ifndef TESTS_CPU_SILICON32_H
#define TESTS_CPU_SILICON32_H

#include "tests/cpu/guest.h"

#define SILICON32_DATA       0x200000u /* two pages */
#define SILICON32_DATA_BYTES 8192u
#define SILICON32_CODE       0x300000u /* one page */
enum { SILICON32_IP = 0x100 };         /* where the instruction stands in the code page */

struct silicon32_state {
    uint32_t r[8]; /* numbered as in instructions */
    uint32_t eip;  /* offset from SILICON32_CODE */
    uint32_t eflags;
    int vector; /* result, a class: 3 ran to the trap, 0 #DE, 6 #UD, 13 any other fault */
    uint8_t data[SILICON32_DATA_BYTES];
};

/* Native side; false: not to be had on this host. */
bool silicon32_native_begin(unsigned code);
void silicon32_native_end(void);
void silicon32_native_run(unsigned code, const uint8_t *bytes, unsigned len,
                          const struct silicon32_state *in, struct silicon32_state *out);

void silicon32_guest_begin(struct guest *g);
void silicon32_guest_end(struct guest *g);
void silicon32_guest_run(struct guest *g, unsigned code, const uint8_t *bytes, unsigned len,
                         const struct silicon32_state *in, struct silicon32_state *out);

#endif
