/*
 * Step 4, built twice: the first instructions of the C program in its width, and the interrupt
 * entries. Linked first, so that it lies at LAB32_BASE or LAB64_BASE where long.S jumps to.
 * Follows: Intel SDM volume 3 sections 6.12 and 6.14 (interrupt stack frames). Not modelled: stack
 * switching (there is one privilege level and no TSS).
 */
#include "layout.h"

        .section .start, "ax"
        .globl  start
start:
        mov     $SEL_DATA, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     $LAB_STACK, %esp        /* in 64-bit mode this clears the upper half of RSP too */
        cld
        mov     $bss_start, %edi
        mov     $bss_end, %ecx
        sub     %edi, %ecx
        xor     %eax, %eax
        rep stosb
#ifdef __x86_64__
        mov     $BOOT_INFO, %edi
#else
        push    %eax                    /* keeps the stack 16-byte aligned at the call */
        push    %eax
        push    %eax
        push    $BOOT_INFO
#endif
        call    lab_main
1:      cli
        hlt
        jmp     1b

/*
 * irq_stubs: one entry of 16 bytes per vector. Some exceptions push an error code; the others push
 * a 0 here, so that the handler always finds: registers, vector, error code, then what the CPU
 * pushed.
 */
        .text
        .balign 16
        .globl  irq_stubs
irq_stubs:
        vector = 0
        .rept   80                      /* IRQ_VECTORS in lab.h */
        .balign 16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
        push    $0
        .endif
        push    $vector
        jmp     irq_common
        vector = vector + 1
        .endr
        .balign 16

#ifdef __x86_64__
irq_common:
        push    %rax
        push    %rcx
        push    %rdx
        push    %rsi
        push    %rdi
        push    %r8
        push    %r9
        push    %r10
        push    %r11
        push    %rbx                    /* two that C preserves: RBX, and RBP to keep our RSP in */
        push    %rbp
        mov     %rsp, %rbp
        lea     88(%rsp), %rdi          /* struct irq_frame */
        and     $-16, %rsp
        cld
        call    irq_dispatch
        mov     %rbp, %rsp
        pop     %rbp
        pop     %rbx
        pop     %r11
        pop     %r10
        pop     %r9
        pop     %r8
        pop     %rdi
        pop     %rsi
        pop     %rdx
        pop     %rcx
        pop     %rax
        add     $16, %rsp
        iretq
#else
irq_common:
        push    %eax
        push    %ecx
        push    %edx
        push    %ebp
        mov     %esp, %ebp
        lea     16(%esp), %eax          /* struct irq_frame */
        and     $-16, %esp
        sub     $12, %esp
        push    %eax
        cld
        call    irq_dispatch
        mov     %ebp, %esp
        pop     %ebp
        pop     %edx
        pop     %ecx
        pop     %eax
        add     $8, %esp
        iretl
#endif
        .section .note.GNU-stack, "", @progbits
