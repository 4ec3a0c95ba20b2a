/*
 * Calls from handlers into the slow memory paths that keep every register.
 *
 * A handler's fast path should save nothing, but a C call on its slow path makes the compiler build
 * a frame for both. So the slow paths are reached through these thunks by inline assembly (mem.h):
 * they save all caller-saved general registers, align the stack and call the C function.  Callers
 * are compiled without a red zone (Makefile.in).
 *
 * Not modelled: nothing; this is plumbing.
 */
#include "cpu/mem.h"

#define THUNK(name)                                                                                \
    __asm__(".text\n"                                                                              \
            ".p2align 4\n"                                                                         \
            ".hidden " #name "_thunk\n"                                                            \
            ".globl " #name "_thunk\n"                                                             \
            ".type " #name "_thunk, @function\n" #name "_thunk:\n"                                 \
            "    push %rbp\n"                                                                      \
            "    mov %rsp, %rbp\n"                                                                 \
            "    push %rdi\n"                                                                      \
            "    push %rsi\n"                                                                      \
            "    push %rdx\n"                                                                      \
            "    push %rcx\n"                                                                      \
            "    push %r8\n"                                                                       \
            "    push %r9\n"                                                                       \
            "    push %r10\n"                                                                      \
            "    push %r11\n"                                                                      \
            "    and $-16, %rsp\n"                                                                 \
            "    call " #name "\n"                                                                 \
            "    mov -8(%rbp), %rdi\n"                                                             \
            "    mov -16(%rbp), %rsi\n"                                                            \
            "    mov -24(%rbp), %rdx\n"                                                            \
            "    mov -32(%rbp), %rcx\n"                                                            \
            "    mov -40(%rbp), %r8\n"                                                             \
            "    mov -48(%rbp), %r9\n"                                                             \
            "    mov -56(%rbp), %r10\n"                                                            \
            "    mov -64(%rbp), %r11\n"                                                            \
            "    leave\n"                                                                          \
            "    ret\n"                                                                            \
            ".size " #name "_thunk, . - " #name "_thunk\n")

THUNK(mem_load_slow);
THUNK(mem_store_slow);
THUNK(mem_rmw_slow);
THUNK(mem_rmw_flush);
THUNK(mem_lock_slow);
THUNK(mem_lock_flush);
