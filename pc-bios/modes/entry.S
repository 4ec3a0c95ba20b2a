/*
 * From the boot sector (real mode) to the C program (32-bit protected mode, flat, without paging
 * or interrupts), and back for the time of a BIOS call.
 * Follows: Intel SDM volume 3, section 9.9 (mode switching).
 * Not here: exceptions (there is no descriptor table: one resets the machine).
 */
#define LOAD_SEG  0x1000                /* where the lab's boot sector puts us */
#define REAL_SP   0x7000
#define STACK     0x7fff0

#define CALL_REGS 0x5000                /* struct bios_regs (modes.h); far pointer behind it */
#define CALL_AT   0x5030

#define SEL_CODE32 0x08
#define SEL_DATA   0x10
#define SEL_CODE16 0x18                 /* base LOAD_SEG * 16, 64 KiB */
#define SEL_DATA16 0x20

#define OFF(label) (label - entry_start)

        .macro  load_data selector
        mov     $\selector, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %fs
        mov     %ax, %gs
        mov     %ax, %ss
        .endm

        .code16
        .section .entry, "ax"
        .globl  entry_start
entry_start:                            /* at 1000:0000, DS = ES = SS = 0 */
        mov     $0x2401, %ax            /* open the A20 gate */
        int     $0x15
        in      $0x92, %al
        or      $2, %al
        and     $0xfe, %al
        out     %al, $0x92
        cli
        lgdtl   %cs:OFF(gdt_ptr)
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $SEL_CODE32, $start32

        .code32
start32:
        load_data SEL_DATA
        mov     $STACK, %esp
        mov     $bss_begin, %edi
        mov     $bss_end, %ecx
        sub     %edi, %ecx
        xor     %eax, %eax
        cld
        rep stosb
        call    modes_main
1:      hlt
        jmp     1b

/* void bios_call_raw(unsigned vector): registers in and out at CALL_REGS. */
        .globl  bios_call_raw
bios_call_raw:
        push    %ebp
        push    %ebx
        push    %esi
        push    %edi
        mov     20(%esp), %eax
        mov     (,%eax,4), %eax         /* the vector in the BIOS's table */
        mov     %eax, CALL_AT
        mov     %esp, saved_esp
        ljmp    $SEL_CODE16, $OFF(to_real)

        .code16
to_real:
        load_data SEL_DATA16            /* real mode wants limits of 64 KiB */
        mov     %cr0, %eax
        and     $0xfe, %al
        mov     %eax, %cr0
        ljmp    $LOAD_SEG, $OFF(1f)
1:      xor     %ax, %ax
        mov     %ax, %ss
        mov     $REAL_SP, %sp
        mov     %ax, %ds
        mov     %ax, %fs
        mov     %ax, %gs
        mov     CALL_REGS + 0, %eax
        mov     CALL_REGS + 4, %ebx
        mov     CALL_REGS + 8, %ecx
        mov     CALL_REGS + 12, %edx
        mov     CALL_REGS + 16, %esi
        mov     CALL_REGS + 20, %edi
        mov     CALL_REGS + 24, %ebp
        mov     CALL_REGS + 30, %es
        mov     CALL_REGS + 28, %ds
        sti
        pushfw
        cli
        lcallw  *%ss:CALL_AT
        cli
        pushfw
        push    %ds
        push    %ax
        xor     %ax, %ax
        mov     %ax, %ds
        pop     %ax
        mov     %eax, CALL_REGS + 0
        pop     %ax
        mov     %ax, CALL_REGS + 28
        pop     %ax
        mov     %ax, CALL_REGS + 32
        mov     %es, CALL_REGS + 30
        mov     %ebx, CALL_REGS + 4
        mov     %ecx, CALL_REGS + 8
        mov     %edx, CALL_REGS + 12
        mov     %esi, CALL_REGS + 16
        mov     %edi, CALL_REGS + 20
        mov     %ebp, CALL_REGS + 24
        lgdtl   %cs:OFF(gdt_ptr)        /* the BIOS may have had its own */
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $SEL_CODE32, $back32

        .code32
back32:
        load_data SEL_DATA
        mov     saved_esp, %esp
        cld
        pop     %edi
        pop     %esi
        pop     %ebx
        pop     %ebp
        ret

        .balign 8
gdt:
        .quad   0
        .quad   0x00cf9a000000ffff      /* SEL_CODE32: base 0, 4 GiB */
        .quad   0x00cf92000000ffff      /* SEL_DATA */
        .quad   0x00009a010000ffff      /* SEL_CODE16: base 0x10000, 64 KiB */
        .quad   0x000092000000ffff      /* SEL_DATA16: base 0 */
gdt_ptr:
        .word   gdt_ptr - gdt - 1
        .long   gdt
saved_esp:
        .long   0

        .section .note.GNU-stack, "", @progbits
