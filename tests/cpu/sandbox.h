/*
 * What running a foreign instruction natively needs around it: signal handlers on a stack of their
 * own, code segments of the local descriptor table, FS taken away and given back.
 *
 * Not modelled: more than one sandbox at a time.
 */
#ifndef TESTS_CPU_SANDBOX_H
#define TESTS_CPU_SANDBOX_H

#include <asm/prctl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

/* Linux's selectors for user code and data, and entries of ours in the local descriptor table. */
enum { USER_CS32 = 0x23, USER_CS64 = 0x33, USER_DS = 0x2b };
enum { LDT_CS16 = 1 << 3 | 7, LDT_DS16 = 2 << 3 | 7 };

/* `handler` for every signal that an instruction can bring about; it may nest.  Remembers FS. */
void sandbox_begin(void (*handler)(int sig, siginfo_t *info, void *context));
void sandbox_end(void);
/* A segment of 64 KiB, 16-bit code or data, for one of the selectors above; false: not allowed. */
bool sandbox_set_ldt(unsigned selector, uint32_t base);
/* The exception behind a signal, as a class: 0 #DE, #MF, #XM; 3 #DB; 6 #UD; 13 any other fault. */
int sandbox_class(int sig);

extern unsigned long sandbox_fs; /* as sandbox_begin found it */

/* Inline and without a stack protector: there is no thread-local storage while FS is 0. */
static inline __attribute__((always_inline)) void sandbox_set_fs(unsigned long base)
{
    long r;

    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "a"(SYS_arch_prctl), "D"(ARCH_SET_FS), "S"(base)
                     : "rcx", "r11", "memory");
}

#endif
