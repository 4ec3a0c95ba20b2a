/*
 * Step 2, still real mode: ask the BIOS what only the BIOS knows (memory map, equipment), set the
 * text mode, open the A20 gate, and switch to 32-bit protected mode. After the switch the BIOS
 * cannot be called any more.
 * Follows: ACPI 6 section 15 (INT 15h E820), Intel SDM volume 3 section 9.9.1 (switching to
 * protected mode).
 * Not modelled: machines without A20 masking need no case of their own: the test sees the gate
 * open.
 */
#include "layout.h"

#define A20_WAS_ON  0                   /* enum a20_how in lab.h */
#define A20_BIOS    1
#define A20_PORT92  2
#define A20_8042    3
#define A20_FAILED  4

        .code16
        .section .entry, "ax"
        .globl  entry_start
entry_start:                            /* at 1000:0000, DS = ES = SS = 0 */
        mov     $0x0003, %ax            /* 80x25 colour text */
        int     $0x10
        int     $0x12
        mov     %ax, BI_BASE_KIB
        int     $0x11
        mov     %ax, BI_EQUIPMENT
        mov     $0x88, %ah
        int     $0x15
        jc      1f
        mov     %ax, BI_EXT_KIB
1:      call    read_e820
        call    open_a20
        jmp     enter_protected

read_e820:
        xor     %ebx, %ebx
        mov     $BI_E820, %di
1:      mov     $0xe820, %eax
        mov     $0x534d4150, %edx       /* 'SMAP' */
        mov     $20, %ecx
        int     $0x15
        jc      2f
        cmp     $0x534d4150, %eax
        jne     2f
        add     $BI_E820_SIZE, %di
        incw    BI_E820_COUNT
        cmpw    $BI_E820_MAX, BI_E820_COUNT
        jae     2f
        test    %ebx, %ebx              /* 0 = that was the last */
        jnz     1b
2:      ret

/* Each way to open the gate is tried until the test says it is open. */
open_a20:
        movb    $A20_WAS_ON, BI_A20
        call    a20_is_open
        jne     1f
        movb    $A20_BIOS, BI_A20
        mov     $0x2401, %ax
        int     $0x15
        call    a20_is_open
        jne     1f
        movb    $A20_PORT92, BI_A20
        in      $0x92, %al
        or      $2, %al
        and     $0xfe, %al              /* bit 0 would reset the machine */
        out     %al, $0x92
        call    a20_is_open
        jne     1f
        movb    $A20_8042, BI_A20
        call    wait_8042
        mov     $0xd1, %al
        out     %al, $0x64
        call    wait_8042
        mov     $0xdf, %al
        out     %al, $0x60
        call    wait_8042
        call    a20_is_open
        jne     1f
        movb    $A20_FAILED, BI_A20
1:      ret

/* Out: ZF clear = open. With the gate shut FFFF:0510 is the same byte as 0000:0500. */
a20_is_open:
        push    %es
        mov     $0xffff, %ax
        mov     %ax, %es
        mov     0x500, %al
        mov     %es:0x510, %ah
        push    %ax
        movb    $0x5a, 0x500
        movb    $0xa5, %es:0x510
        cmpb    $0xa5, 0x500
        pop     %ax
        mov     %ah, %es:0x510
        mov     %al, 0x500
        pop     %es
        ret

wait_8042:
        xor     %cx, %cx                /* at most 65,536 looks */
1:      in      $0x64, %al
        test    $2, %al
        jz      2f
        loop    1b
2:      ret

enter_protected:
        cli
        mov     $0xff, %al              /* no interrupt until the C program has its handlers */
        out     %al, $0x21
        out     %al, $0xa1
        lgdtl   %cs:(gdt_ptr - entry_start)
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $SEL_CODE32, $protected_start   /* long.S */

        .balign 8
gdt:
        .quad   0
        .quad   0x00cf9a000000ffff      /* SEL_CODE32: base 0, 4 GiB, 32-bit code */
        .quad   0x00cf92000000ffff      /* SEL_DATA */
        .quad   0x00af9a000000ffff      /* SEL_CODE64: the L bit */
gdt_ptr:
        .word   gdt_ptr - gdt - 1
        .long   gdt
