/*
 * Step 1, real mode: the boot sector. The BIOS loads these 512 bytes to 0000:7C00 and jumps there
 * with the drive number in DL. They load the rest of the image behind them and jump to it
 * (entry.S).
 *
 * The same sector boots from a floppy, from a hard disk, and from a CD that pretends to be a
 * floppy: where the BIOS offers packet calls (INT 13h AH=42h) sectors are counted from 0;
 * otherwise the drive's geometry turns the count into cylinder, head and sector. Follows: BIOS
 * Boot Specification 1.01, Enhanced Disk Drive specification 1.1 (INT 13h).
 * Not modelled: a file system, partitions (the table's place is zero), drives whose sectors are
 * not 512 bytes.
 */
#include "layout.h"

#define TRIES     5
/* sectors in one call: 32 KiB pieces never cross 64 KiB (floppy DMA cannot) */
#define CHUNK     64

        .code16
        .section .boot, "ax"
        .globl  boot_start
boot_start:
        jmp     1f
        nop
        .ascii  "CANDELA "
        .org    BOOT_MAGIC
        /* lets a program that patches the next byte know what it has before it */
        .ascii  "LAB1"
        .org    BOOT_POWER_MODE
        /* 0 = wait for a key, then power off; 1 = power off at once */
        .byte   0

1:      cli
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $BOOT_SECTOR, %sp
        sti
        cld
        ljmp    $0, $2f                 /* some BIOSes come in as 07C0:0000 */
2:      mov     $BOOT_INFO, %di
        mov     $(BOOT_INFO_SIZE / 2), %cx
        rep stosw
        mov     %dl, BI_DRIVE
        mov     BOOT_SECTOR + BOOT_POWER_MODE, %al
        mov     %al, BI_POWER_MODE
        mov     0x46c, %ax              /* the BIOS counts timer ticks here */
        mov     %ax, BI_TICKS
        mov     $msg_loading, %si
        call    puts
        call    probe_drive
        mov     $LAB_LOAD_SEG, %ax      /* from here on ES = where to, SI = next sector */
        mov     %ax, %es
        mov     $1, %si
3:      call    read_some
        cmp     $lab_sectors, %si
        jbe     3b
        dec     %si
        mov     %si, BI_SECTORS
        mov     0x46c, %ax
        sub     BI_TICKS, %ax
        mov     %ax, BI_TICKS
        push    %ds
        pop     %es
        ljmp    $LAB_LOAD_SEG, $0       /* entry.S */

/* Packet calls, or else the geometry. */
probe_drive:
        mov     $0x41, %ah
        mov     $0x55aa, %bx
        call    bios_disk
        jc      1f
        cmp     $0xaa55, %bx
        jne     1f
        and     $1, %cl
        mov     %cl, BI_METHOD
        jnz     2f
1:      movb    $18, BI_SPT             /* a 1.44 MB floppy, if the BIOS does not say */
        movb    $2, BI_HEADS
        mov     $0x08, %ah
        call    bios_disk               /* moves ES:DI, which nobody needs yet */
        jc      2f
        and     $0x3f, %cl
        jz      2f
        mov     %cl, BI_SPT
        shr     $8, %dx
        inc     %dx
        mov     %dx, BI_HEADS
2:      ret

bios_disk:
        mov     BI_DRIVE, %dl
        int     $0x13
        ret

/*
 * Reads as many sectors as one call may (CHS: not past the end of a track), with retries. Moves SI
 * and ES on.
 */
read_some:
        mov     %si, %ax
        dec     %ax
        not     %ax
        and     $(CHUNK - 1), %ax
        inc     %ax                     /* to the end of this piece */
        mov     $lab_sectors + 1, %di
        sub     %si, %di                /* to the end of the image */
        call    min_di
        cmpb    $0, BI_METHOD
        jne     1f
        mov     %si, %ax
        xor     %dx, %dx
        divw    BI_SPT                  /* DX = sector in its track */
        mov     BI_SPT, %ax
        sub     %dx, %ax
        call    min_di
1:      mov     $TRIES, %bp
2:      call    read_once
        jnc     3f
        incw    BI_RETRIES
        dec     %bp
        jz      fail
        xor     %ah, %ah                /* reset the drive before the next try */
        call    bios_disk
        jmp     2b
3:      add     %di, %si
        shl     $5, %di                 /* 32 paragraphs a sector */
        mov     %es, %ax
        add     %di, %ax
        mov     %ax, %es
        ret

min_di:
        cmp     %ax, %di
        jbe     1f
        mov     %ax, %di
1:      ret

/* DI sectors from sector SI to ES:0. Out: CF set on an error. */
read_once:
        cmpb    $0, BI_METHOD
        je      1f
        push    %si
        xor     %ax, %ax                /* the packet, built on the stack from its end */
        push    %ax
        push    %ax
        push    %ax
        push    %si                     /* sector number, 64 bits */
        push    %es
        push    %ax                     /* buffer */
        push    %di                     /* how many */
        push    $0x10                   /* size of the packet */
        mov     %sp, %si
        mov     $0x42, %ah
        call    bios_disk
        lea     16(%si), %sp            /* LEA keeps CF */
        pop     %si
        ret
1:      mov     %si, %ax
        xor     %dx, %dx
        divw    BI_SPT
        mov     %dl, %cl
        inc     %cx                     /* sectors count from 1 */
        xor     %dx, %dx
        /* AX = cylinder (below 256: the image is small), DX = head */
        divw    BI_HEADS
        mov     %al, %ch
        mov     %dl, %dh
        xor     %bx, %bx
        mov     %di, %ax
        mov     $0x02, %ah
        jmp     bios_disk

fail:
        mov     $msg_error, %si
        call    puts
        int     $0x18                   /* let the BIOS try another device */
1:      hlt
        jmp     1b

puts:
        lodsb
        test    %al, %al
        jz      1f
        mov     $0x0e, %ah
        mov     $0x0007, %bx
        int     $0x10
        jmp     puts
1:      ret

msg_loading:
        .asciz  "Candela lab: loading\r\n"
msg_error:
        .asciz  "Disk read error\r\n"

        .org    0x1be                   /* four empty partition entries */
        .org    0x1fe
        .word   0xaa55
