/*
 * Option ROM that starts a Linux bzImage which the emulator put into fw_cfg.
 * Follows: Linux Documentation/arch/x86/boot.rst (boot protocol 2.02 and later). Contract:
 * README.md.
 * Not modelled: kernels loaded low (zImage), the 32- and 64-bit entry points, setup_data.
 */
#ifndef ROM_TITLE
#define ROM_TITLE "Linux kernel given to Candela"
#define ROM_NAME  "linuxboot: "
#endif
#include "common.inc"

#define SETUP_ADDR   (PRIVATE + 0x00)
#define KERNEL_END   (PRIVATE + 0x04)
#define INITRD_ADDR  (PRIVATE + 0x08)
#define INITRD_SIZE  (PRIVATE + 0x0c)
#define INITRD_END   (PRIVATE + 0x10)   /* end of the place the emulator asked for */
#define INITRD_BEST  (PRIVATE + 0x14)
#define CMDLINE_ADDR (PRIVATE + 0x18)

#define HDR_RAMDISK_IMAGE 0x218         /* in the setup header */

rom_boot:
        ROM_SETUP
        call    load_low
        call    load_kernel
        call    load_initrd
        jmp     start_linux

/* Setup sectors and command line. */
load_low:
        mov     $FW_CMDLINE_ADDR, %ax
        call    fw_int
        mov     %eax, CMDLINE_ADDR
        mov     %eax, %edi
        mov     $FW_CMDLINE_SIZE, %ax
        call    fw_int
        mov     %eax, %ecx
        mov     $FW_CMDLINE_DATA, %ax
        call    fw_load

        mov     $FW_SETUP_ADDR, %ax
        call    fw_int
        mov     %eax, SETUP_ADDR
        cmp     $0x8000, %eax           /* would overwrite the stack, or is absent (0) */
        jb      1f
        cmp     $0x90000, %eax
        jae     1f
        mov     %eax, %edi
        mov     $FW_SETUP_SIZE, %ax
        call    fw_int
        mov     %eax, %ecx
        mov     $FW_SETUP_DATA, %ax
        jmp     fw_load
1:      mov     $msg_setup, %si
        jmp     rom_fail

load_kernel:
        mov     $FW_KERNEL_ADDR, %ax
        call    fw_int
        mov     %eax, %edi
        mov     $FW_KERNEL_SIZE, %ax
        call    fw_int
        mov     %eax, %ecx
        add     %edi, %eax
        mov     %eax, KERNEL_END
        mov     $FW_KERNEL_DATA, %ax
        jmp     fw_load

load_initrd:
        mov     $FW_INITRD_SIZE, %ax
        call    fw_int
        mov     %eax, INITRD_SIZE
        test    %eax, %eax
        jz      1f
        mov     $FW_INITRD_ADDR, %ax
        call    fw_int
        mov     %eax, INITRD_ADDR
        call    place_initrd
        mov     INITRD_ADDR, %edi
        mov     INITRD_SIZE, %ecx
        mov     $FW_INITRD_DATA, %ax
        jmp     fw_load
1:      ret

/*
 * The firmware put its ACPI tables and more at the top of RAM, and only E820 says how much. Take
 * the highest place that lies in one usable range and ends no later than the place the emulator
 * asked for.
 */
place_initrd:
        mov     INITRD_ADDR, %eax
        add     INITRD_SIZE, %eax
        jc      place_fail
        mov     %eax, INITRD_END
        movl    $0, INITRD_BEST
        call    e820_start
1:      call    e820_step
        jc      2f
        call    place_in_range
        jmp     1b
2:      mov     INITRD_BEST, %eax
        test    %eax, %eax
        jz      place_fail
        cmp     INITRD_ADDR, %eax
        je      3f
        mov     %eax, INITRD_ADDR
        mov     SETUP_ADDR, %ebx
        shr     $4, %ebx
        push    %es
        mov     %bx, %es
        mov     %eax, %es:HDR_RAMDISK_IMAGE
        pop     %es
3:      ret
place_fail:
        mov     $msg_initrd, %si
        jmp     rom_fail

/* Raises INITRD_BEST if the range in E820_BUF can hold the initrd. */
place_in_range:
        cmpl    $1, E820_BUF + 16       /* usable RAM? */
        jne     1f
        cmpl    $0, E820_BUF + 4        /* starts above 4 GiB? */
        jne     1f
        mov     E820_BUF, %ebx          /* EBX = start, EAX = end, at most INITRD_END */
        mov     INITRD_END, %eax
        mov     E820_BUF + 8, %edx
        cmpl    $0, E820_BUF + 12
        jne     2f
        add     %ebx, %edx
        jc      2f
        cmp     %eax, %edx
        jae     2f
        mov     %edx, %eax
2:      sub     INITRD_SIZE, %eax
        jb      1f
        and     $0xfffff000, %eax
        cmp     %ebx, %eax
        jb      1f
        cmp     KERNEL_END, %eax
        jb      1f
        cmp     INITRD_BEST, %eax
        jbe     1f
        mov     %eax, INITRD_BEST
1:      ret

start_linux:
        /* stack: just below the command line, or the segment's end */
        mov     $0xfff0, %ecx
        mov     CMDLINE_ADDR, %eax
        mov     SETUP_ADDR, %ebx
        sub     %ebx, %eax
        jbe     1f
        cmp     $0x10000, %eax
        jae     1f
        lea     -16(%eax), %cx
        and     $0xfffc, %cx
1:      shr     $4, %ebx
        cli
        mov     %bx, %ss
        mov     %cx, %sp
        mov     %bx, %ds
        mov     %bx, %es
        mov     %bx, %fs
        mov     %bx, %gs
        add     $0x20, %bx
        push    %bx
        push    $0
        xor     %eax, %eax
        xor     %ebx, %ebx
        xor     %ecx, %ecx
        xor     %edx, %edx
        xor     %esi, %esi
        xor     %edi, %edi
        xor     %ebp, %ebp
        cld
        lretw

msg_setup:
        .asciz  "no kernel in fw_cfg, or its setup code has a bad address"
msg_initrd:
        .asciz  "the initrd does not fit into this machine's memory"
