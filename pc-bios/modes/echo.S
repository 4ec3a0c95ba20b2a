/*
 * A boot sector that says on COM1 what it gets: "KEY xxxx" (INT 16h: scan code, character) and
 * "PLACE xxxx yyyy bb" (VMware's absolute pointer: 0..ffff, buttons), hexadecimal.  It shows
 * keys on the screen too, and sleeps between timer ticks.
 *
 * Follows: the command interface of VMware's pointer (port 0x5658: 39 data, 40 status, 41 command).
 */
#define COM1   0x3f8
#define MAGIC  0x564d5868
#define VMPORT 0x5658

        .code16
        .section .boot, "ax"
        .globl  boot_start
boot_start:
        ljmp    $0, $1f
1:      xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %ss
        mov     $0x7c00, %sp
        sti
        cld
        mov     $0x01, %ah              /* no cursor: it blinks, and a screen without it is idle */
        mov     $0x2000, %cx
        int     $0x10
        mov     $0x45414552, %ebx       /* enable, then absolute places */
        call    command
        mov     $1, %ebx
        mov     $39, %cx
        call    backdoor                /* the identity that enabling queued */
        mov     $0x53424152, %ebx
        call    command
        mov     $ready, %si
        call    puts

loop:   hlt
keys:   mov     $1, %ah
        int     $0x16
        jz      places
        xor     %ah, %ah
        int     $0x16
        push    %ax
        mov     $0x0e, %ah
        mov     $7, %bx
        int     $0x10
        mov     $key, %si
        call    puts
        pop     %ax
        call    hex4
        call    newline
        jmp     keys
places: xor     %ebx, %ebx
        mov     $40, %cx
        call    backdoor
        cmp     $4, %ax
        jb      loop
        mov     $4, %ebx
        mov     $39, %cx
        call    backdoor
        push    %ax
        push    %cx
        push    %bx
        mov     $place, %si
        call    puts
        pop     %ax
        call    hex4
        call    blank
        pop     %ax
        call    hex4
        call    blank
        pop     %ax
        call    hex2
        call    newline
        jmp     places

command:
        mov     $41, %cx
backdoor:                               /* EBX, CX: argument, command; EAX to EDX come back */
        movzwl  %cx, %ecx
        mov     $MAGIC, %eax
        mov     $VMPORT, %edx
        inl     %dx, %eax
        ret

hex4:   push    %ax
        mov     %ah, %al
        call    hex2
        pop     %ax
hex2:   push    %ax
        shr     $4, %al
        call    hex1
        pop     %ax
hex1:   and     $15, %al
        cmp     $10, %al
        sbb     $0x69, %al
        das
        jmp     putc
newline:
        mov     $10, %al
        jmp     putc
blank:  mov     $' ', %al
putc:   push    %ax
        mov     $COM1 + 5, %dx
1:      in      %dx, %al
        test    $0x20, %al
        jz      1b
        pop     %ax
        mov     $COM1, %dx
        out     %al, %dx
        ret
puts:   lodsb
        test    %al, %al
        jz      1f
        call    putc
        jmp     puts
1:      ret

ready:  .asciz  "READY\n"
key:    .asciz  "KEY "
place:  .asciz  "PLACE "
        .org    0x1fe
        .word   0xaa55

        .section .note.GNU-stack, "", @progbits
