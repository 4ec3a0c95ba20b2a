/*
 * See decode_silicon.h.
 *
 * Not modelled: see decode_silicon.h.
 */
#define _GNU_SOURCE /* REG_RIP and its like */
#include "tests/cpu/decode_silicon.h"
#include "tests/cpu/sandbox.h"
#include <sys/mman.h>
#include <ucontext.h>

#define PAGE_AT 0x10000000ul

/* A signal handler has no argument of ours.  The assembly knows the first three by name. */
uint64_t decode_silicon_rsp, decode_silicon_rip, decode_silicon_cs;
static volatile bool inside; /* a try is under way */
static volatile int got_signal;
static volatile uint64_t got_address, got_rip;

void decode_silicon_enter(void);
void decode_silicon_exit(void);

/*
 * In by IRETQ with TF set and all registers 0; out through the handler, which sends RIP and RSP
 * here.  (LDMXCSR and FLDCW can read the page itself, through CS.)
 */
__asm__(".text\n"
        "decode_silicon_enter:\n"
        "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp, decode_silicon_rsp(%rip)\n"
        "mov %ss, %eax\npush %rax\npush $0\npush $0x302\n"
        "push decode_silicon_cs(%rip)\npush decode_silicon_rip(%rip)\n"
        "xor %eax, %eax\nxor %ecx, %ecx\nxor %edx, %edx\nxor %ebx, %ebx\nxor %ebp, %ebp\n"
        "xor %esi, %esi\nxor %edi, %edi\nxor %r8d, %r8d\nxor %r9d, %r9d\nxor %r10d, %r10d\n"
        "xor %r11d, %r11d\nxor %r12d, %r12d\nxor %r13d, %r13d\nxor %r14d, %r14d\nxor %r15d, %r15d\n"
        "iretq\n"
        "decode_silicon_exit:\n"
        "fninit\nmovl $0x1f80, -8(%rsp)\nldmxcsr -8(%rsp)\nvzeroupper\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n");

/* Thread-local storage is not there before the first line is done. */
__attribute__((no_stack_protector)) static void on_signal(int sig, siginfo_t *info, void *context)
{
    sandbox_set_fs(sandbox_fs);
    if (!inside) { /* a fault of the test itself */
        signal(sig, SIG_DFL);
        return;
    }

    inside = false;
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    got_signal = sig;
    got_address = g[REG_TRAPNO] == EXCP_PF ? (uint64_t)(uintptr_t)info->si_addr : 0;
    got_rip = (uint64_t)g[REG_RIP];
    g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffll) | USER_CS64;
    g[REG_RIP] = (greg_t)(uintptr_t)decode_silicon_exit;
    g[REG_RSP] = (greg_t)decode_silicon_rsp;
    g[REG_EFL] = 0x202;
}

bool decode_silicon_begin(unsigned code)
{
    void *p = mmap((void *)PAGE_AT, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (p != (void *)PAGE_AT || (code == MODE_CODE16 && !sandbox_set_ldt(LDT_CS16, PAGE_AT))) {
        return false;
    }
    mprotect((uint8_t *)p + PAGE_BYTES, PAGE_BYTES, PROT_NONE);
    sandbox_begin(on_signal);
    return true;
}

void decode_silicon_end(void)
{
    sandbox_end();
    munmap((void *)PAGE_AT, 2 * PAGE_BYTES);
}

enum silicon_verdict decode_silicon_try(unsigned code, const uint8_t *bytes, unsigned len)
{
    uint64_t end = PAGE_AT + PAGE_BYTES, at = end - len;

    memcpy((void *)(uintptr_t)at, bytes, len);
    decode_silicon_rip = code == MODE_CODE16 ? at - PAGE_AT : at;
    decode_silicon_cs = code == MODE_CODE16   ? LDT_CS16
                        : code == MODE_CODE32 ? USER_CS32
                                              : USER_CS64;
    inside = true;
    sandbox_set_fs(0);
    decode_silicon_enter();
    if (got_signal == SIGSEGV && got_address == end && got_rip == decode_silicon_rip) {
        return SILICON_LONGER;
    }
    return got_signal == SIGILL ? SILICON_INVALID : SILICON_VALID;
}
