/* See sandbox.h.  Not modelled: see there. */
#define _GNU_SOURCE /* syscall */
#include "tests/cpu/sandbox.h"
#include <asm/ldt.h>
#include <glib.h>
#include <unistd.h>

enum { STACK_BYTES = 1 << 16 };

static const int signals[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV};
static struct sigaction old_actions[G_N_ELEMENTS(signals)];
static stack_t old_stack, own_stack;
unsigned long sandbox_fs;

void sandbox_begin(void (*handler)(int sig, siginfo_t *info, void *context))
{
    struct sigaction now = {.sa_sigaction = handler,
                            .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    syscall(SYS_arch_prctl, ARCH_GET_FS, &sandbox_fs);
    own_stack = (stack_t){.ss_sp = g_malloc(STACK_BYTES), .ss_size = STACK_BYTES};
    sigaltstack(&own_stack, &old_stack);
    for (unsigned n = 0; n < G_N_ELEMENTS(signals); n++) {
        sigaction(signals[n], &now, &old_actions[n]);
    }
}

void sandbox_end(void)
{
    for (unsigned n = 0; n < G_N_ELEMENTS(signals); n++) {
        sigaction(signals[n], &old_actions[n], NULL);
    }
    sigaltstack(&old_stack, NULL);
    g_free(own_stack.ss_sp);
}

bool sandbox_set_ldt(unsigned selector, uint32_t base)
{
    bool is_code = selector == LDT_CS16;
    struct user_desc d = {.entry_number = selector >> 3,
                          .base_addr = base,
                          .limit = 0xffff,
                          .seg_32bit = !is_code,
                          .contents = is_code ? 2 : 0,
                          .useable = 1};

    return !syscall(SYS_modify_ldt, 0x11, &d, sizeof d);
}

int sandbox_class(int sig)
{
    return sig == SIGTRAP ? 3 : sig == SIGFPE ? 0 : sig == SIGILL ? 6 : 13;
}
