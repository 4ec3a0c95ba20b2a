/*
 * The second guest that kvm_host.c tries: goes from real mode to 64-bit code the way kernels do,
 * and does there what kernels do: runs at the top of the address space, takes exceptions, reloads
 * CR3, goes to user mode and comes back by SYSCALL.  In the end it tells a port how many of these
 * steps it came through.
 *
 * Loaded at 0x1000 with interrupts off.  Its memory: TSS 0x2000, IDT 0x3000, page tables from
 * 0x4000 (filled here), stacks below 0xc000 and 0xd000.
 *
 * Not modelled: interrupts, SSE, more than one processor.
 */
    .set    BASE, 0x1000
    .set    HIGH, 0xffffffff80000000
    .set    TSS, 0x2000
    .set    IDT, 0x3000
    .set    TABLES, 0x4000
    .set    PORT, 0x7e

    .section .rodata
    .globl  kvm_trial, kvm_trial_end
kvm_trial:
    .code16
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %ss
    movw    $0xc000, %sp
    lgdtl   (gdtr - kvm_trial + BASE)
    movl    %cr0, %eax
    orl     $1, %eax
    movl    %eax, %cr0
    ljmpl   $0x08, $(protected - kvm_trial + BASE)

    .code32
protected:
    movw    $0x10, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    /* Level 4: the first entry and the last; both lead to 2 MiB at 0, the last as HIGH. */
    movl    $(TABLES + 0x1007), TABLES
    movl    $(TABLES + 0x2007), TABLES + 511 * 8
    movl    $(TABLES + 0x3007), TABLES + 0x1000
    movl    $(TABLES + 0x3007), TABLES + 0x2000 + 510 * 8
    movl    $0x87, TABLES + 0x3000
    movl    $TABLES, %eax
    movl    %eax, %cr3
    movl    %cr4, %eax
    orl     $0xa0, %eax                  /* PAE, PGE */
    movl    %eax, %cr4
    movl    $0xc0000080, %ecx            /* EFER: LME, SCE */
    rdmsr
    orl     $0x101, %eax
    wrmsr
    movl    %cr0, %eax
    orl     $0x80010000, %eax            /* PG, WP */
    movl    %eax, %cr0
    ljmp    $0x18, $(long - kvm_trial + BASE)

    .code64
long:
    movabsq $(high - kvm_trial + BASE + HIGH), %rax
    jmp     *%rax
high:
    movabsq $(HIGH + 0xc000), %rsp
    xorl    %ebx, %ebx                   /* steps done */
    /* #UD and #PF */
    leaq    undefined(%rip), %rax
    movl    $(IDT + 6 * 16), %edi
    call    gate
    leaq    fault(%rip), %rax
    movl    $(IDT + 14 * 16), %edi
    call    gate
    lidt    idtr(%rip)
    movabsq $(HIGH + 0xd000), %rax
    movq    %rax, TSS + 4
    movl    $0x28, %eax
    ltr     %ax
    ud2
    movabsq $0x12345678000, %rax
    movq    (%rax), %rcx                 /* #PF, which goes on behind it */
    movq    %cr3, %rax
    movq    %rax, %cr3
    incl    %ebx
    /* To user mode by IRETQ, back by SYSCALL. */
    movl    $0xc0000081, %ecx            /* STAR */
    xorl    %eax, %eax
    movl    $0x00100018, %edx
    wrmsr
    movl    $0xc0000082, %ecx            /* LSTAR */
    leaq    entry(%rip), %rax
    movq    %rax, %rdx
    shrq    $32, %rdx
    wrmsr
    movl    $0xc0000084, %ecx            /* SFMASK */
    xorl    %eax, %eax
    xorl    %edx, %edx
    wrmsr
    pushq   $0x3b
    pushq   $0xb000
    pushq   $2
    pushq   $0x43
    pushq   $(user - kvm_trial + BASE)
    iretq
user:
    incl    %ebx
    syscall
entry:
    movl    %cs, %eax
    cmpl    $0x18, %eax
    jne     told
    incl    %ebx
told:
    movl    %ebx, %eax
    out     %eax, $PORT
    hlt

/* The gate at rdi leads to rax. */
gate:
    movw    %ax, (%rdi)
    movw    $0x18, 2(%rdi)
    movw    $0x8e00, 4(%rdi)
    shrq    $16, %rax
    movw    %ax, 6(%rdi)
    shrq    $16, %rax
    movl    %eax, 8(%rdi)
    ret
undefined:
    incl    %ebx
    addq    $2, (%rsp)
    iretq
fault:
    incl    %ebx
    addq    $8, %rsp
    addq    $3, (%rsp)
    iretq

    .balign 8
gdt:
    .quad   0
    .quad   0x00cf9b000000ffff           /* 08: 32-bit code */
    .quad   0x00cf93000000ffff           /* 10: data */
    .quad   0x00af9b000000ffff           /* 18: 64-bit code */
    .quad   0x00cf93000000ffff           /* 20: SYSCALL's SS */
    .quad   0x0000890020000067           /* 28: TSS at 0x2000 */
    .quad   0
    .quad   0x00cff3000000ffff           /* 38: user data */
    .quad   0x00affb000000ffff           /* 40: user code */
gdtr:
    .word   gdtr - gdt - 1
    .long   gdt - kvm_trial + BASE
    .balign 8
idtr:
    .word   15 * 16 - 1
    .quad   IDT + HIGH
kvm_trial_end:

/* The third, in real mode: sets XCR0, and tells the port to what. */
    .globl  kvm_trial_xcr0, kvm_trial_xcr0_end
kvm_trial_xcr0:
    .code16
    movl    %cr4, %eax
    orl     $0x40000, %eax               /* OSXSAVE */
    movl    %eax, %cr4
    xorl    %ecx, %ecx
    xorl    %edx, %edx
    movl    $3, %eax                     /* x87, SSE */
    xsetbv
    outw    %ax, $PORT
    hlt
kvm_trial_xcr0_end:
    .section .note.GNU-stack, "", @progbits
