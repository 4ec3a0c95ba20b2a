/*
 * Option ROM that starts a Multiboot 1 kernel which the emulator put into fw_cfg as a flat memory
 * image.
 * Follows: Multiboot specification 0.6.96, sections 3.2 (machine state) and 3.3 (boot
 * information). Contract: README.md.
 * Not modelled: APM table, VBE fields, drive list (their MBI flags stay as the emulator gave
 * them).
 */
#define ROM_TITLE "Multiboot kernel given to Candela"
#define ROM_NAME  "multiboot: "
#include "common.inc"

#define ENTRY        (PRIVATE + 0x00)
#define MBI          (PRIVATE + 0x04)
#define MMAP_START   (PRIVATE + 0x08)
#define MMAP_NEXT    (PRIVATE + 0x0c)
#define MEM_UPPER    (PRIVATE + 0x10)

#define MBI_FLAGS        0x00
#define MBI_MEM_LOWER    0x04
#define MBI_MEM_UPPER    0x08
#define MBI_MMAP_LENGTH  0x2c
#define MBI_MMAP_ADDR    0x30
#define MBI_FLAG_MEM     0x01
#define MBI_FLAG_MMAP    0x40
#define MBI_MIN_SIZE     88
#define MBI_MAX_SIZE     0x4000

rom_boot:
        ROM_SETUP
        mov     $FW_KERNEL_ENTRY, %ax
        call    fw_int
        mov     %eax, ENTRY
        mov     $FW_KERNEL_ADDR, %ax
        call    fw_int
        mov     %eax, %edi
        mov     $FW_KERNEL_SIZE, %ax
        call    fw_int
        test    %eax, %eax
        jz      bad_keys
        mov     %eax, %ecx
        mov     $FW_KERNEL_DATA, %ax
        call    fw_load
        call    load_mbi
        call    fill_mmap
        call    fill_mbi
        jmp     start_kernel

bad_keys:
        mov     $msg_keys, %si
        jmp     rom_fail

load_mbi:
        mov     $FW_INITRD_ADDR, %ax
        call    fw_int
        cmp     $0x8000, %eax
        jb      bad_keys
        cmp     $0x90000, %eax
        jae     bad_keys
        mov     %eax, MBI
        mov     %eax, %edi
        mov     $FW_INITRD_SIZE, %ax
        call    fw_int
        cmp     $MBI_MIN_SIZE, %eax
        jb      bad_keys
        cmp     $MBI_MAX_SIZE, %eax
        ja      bad_keys
        mov     %eax, %ecx
        add     %edi, %eax
        add     $7, %eax
        and     $0xfffffff8, %eax
        mov     %eax, MMAP_START
        mov     %eax, MMAP_NEXT
        mov     $FW_INITRD_DATA, %ax
        jmp     fw_load

/*
 * The E820 ranges as Multiboot entries: a size word that does not count itself, then the 20 bytes
 * as the BIOS gave them.
 */
fill_mmap:
        movl    $0, MEM_UPPER
        call    e820_start
1:      call    e820_step
        jc      2f
        mov     MMAP_NEXT, %ebx
        addl    $24, MMAP_NEXT
        mov     %bx, %di
        and     $15, %di
        shr     $4, %ebx
        push    %es
        mov     %bx, %es
        mov     $20, %eax
        stosl
        mov     $E820_BUF, %si
        mov     $5, %cx
        rep movsl
        pop     %es
        call    note_upper
        jmp     1b
2:      ret

/* mem_upper counts KiB from 1 MiB to the first hole. */
note_upper:
        cmpl    $1, E820_BUF + 16
        jne     1f
        mov     E820_BUF, %eax          /* EDX:EAX = end of the range */
        mov     E820_BUF + 4, %edx
        test    %edx, %edx
        jnz     1f
        cmp     $0x100000, %eax
        ja      1f
        add     E820_BUF + 8, %eax
        adc     E820_BUF + 12, %edx
        sub     $0x100000, %eax
        sbb     $0, %edx
        jb      1f
        shrd    $10, %edx, %eax
        mov     %eax, MEM_UPPER
1:      ret

fill_mbi:
        mov     MBI, %ebx
        mov     %bx, %di
        and     $15, %di
        shr     $4, %ebx
        push    %es
        mov     %bx, %es
        int     $0x12                   /* AX = KiB of base memory */
        movzwl  %ax, %eax
        mov     %eax, %es:MBI_MEM_LOWER(%di)
        mov     MEM_UPPER, %eax
        mov     %eax, %es:MBI_MEM_UPPER(%di)
        mov     MMAP_START, %ecx
        mov     %ecx, %es:MBI_MMAP_ADDR(%di)
        mov     MMAP_NEXT, %eax
        sub     %ecx, %eax
        mov     %eax, %es:MBI_MMAP_LENGTH(%di)
        orl     $(MBI_FLAG_MEM | MBI_FLAG_MMAP), %es:MBI_FLAGS(%di)
        pop     %es
        ret

start_kernel:
        cli
        call    gdt_load
        mov     %cs, %cx
        movzwl  %cx, %ecx
        shl     $4, %ecx
        add     $start_flat, %ecx       /* linear address: the new code segment starts at 0 */
        mov     MBI, %ebx
        mov     ENTRY, %esi
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        pushl   $0x08
        pushl   %ecx
        lretl

        .code32
start_flat:
        mov     $0x10, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        mov     %eax, %ss
        mov     $STACK_TOP, %esp
        xor     %ecx, %ecx
        xor     %edx, %edx
        xor     %edi, %edi
        xor     %ebp, %ebp
        cld
        mov     $0x2badb002, %eax
        jmp     *%esi

        .code16
msg_keys:
        .asciz  "no kernel in fw_cfg, or the boot information has a bad place"
