/*
 * The host's own instruction decoder as oracle: is a byte string an instruction, and how long is
 * it?
 *
 * The bytes stand at the very end of a page with nothing mapped behind it, and run with all
 * registers 0 and the trap flag set, in 64-bit, 32-bit or 16-bit code (a segment of the local
 * descriptor table).  A page fault for the byte behind the page says that the instruction is longer
 * than what is there; SIGILL that there is none; anything else that there is one.  One instruction
 * runs at most, and nearly every access to memory faults.
 *
 * The caller keeps away what would leave the sandbox: SYSCALL, SYSENTER, INT.
 *
 * Not modelled: system calls, and what an instruction does.
 */
#ifndef TESTS_CPU_DECODE_SILICON_H
#define TESTS_CPU_DECODE_SILICON_H

#include "cpu/cpu.h"

enum silicon_verdict {
    SILICON_VALID,
    SILICON_INVALID, /* #UD */
    SILICON_LONGER,  /* more bytes are needed */
};

/* Ready to try strings in code of size `code` (MODE_CODE16..64); false: not to be had on this host.
 */
bool decode_silicon_begin(unsigned code);
void decode_silicon_end(void);
enum silicon_verdict decode_silicon_try(unsigned code, const uint8_t *bytes, unsigned len);

#endif
