/*
 * Step 3, protected mode: where the CPU knows 64-bit long mode, build page tables and switch to
 * it; either way, jump to the C program built for that width (start.S). Both are in the image,
 * made from the same C files.
 * Follows: Intel SDM volume 3 section 9.8.5 (initializing IA-32e mode). Not modelled: 5-level
 * paging.
 */
#include "layout.h"

#define CPUID_PAE       (1 << 6)        /* leaf 1 EDX */
#define CPUID_LM        (1 << 29)       /* leaf 80000001h EDX */
#define EFLAGS_ID       (1 << 21)
#define CR4_PAE         (1 << 5)
#define CR0_PG          (1 << 31)
#define MSR_EFER        0xc0000080
#define EFER_LME        (1 << 8)
#define PAGE_TABLE      0x003           /* present, writable */
#define PAGE_2M         0x083           /* present, writable, 2 MiB */
#define PAGE_UNCACHED   0x018           /* for the devices near the top */
#define DEVICES_START   0xf0000000

        .code32
        .section .entry, "ax"
        .globl  protected_start
protected_start:
        mov     $SEL_DATA, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        mov     %eax, %ss
        mov     $LAB_STACK, %esp
        call    has_long_mode
        jz      1f
        call    build_pages
        mov     %cr4, %eax
        or      $CR4_PAE, %eax
        mov     %eax, %cr4
        mov     $LAB_PAGES, %eax
        mov     %eax, %cr3
        mov     $MSR_EFER, %ecx
        rdmsr
        or      $EFER_LME, %eax
        wrmsr
        mov     %cr0, %eax
        or      $CR0_PG, %eax
        /* long mode is on, in its compatibility form, until CS has the L bit */
        mov     %eax, %cr0
        ljmpl   $SEL_CODE64, $LAB64_BASE
1:      ljmpl   $SEL_CODE32, $LAB32_BASE

/* Out: ZF clear = yes. CPUID exists if EFLAGS bit 21 can be changed. */
has_long_mode:
        pushfl
        pop     %eax
        mov     %eax, %edx
        xor     $EFLAGS_ID, %eax
        push    %eax
        popfl
        pushfl
        pop     %eax
        xor     %edx, %eax
        test    $EFLAGS_ID, %eax
        jz      1f
        xor     %eax, %eax
        cpuid
        test    %eax, %eax
        jz      1f
        mov     $1, %eax
        cpuid
        test    $CPUID_PAE, %edx
        jz      1f
        mov     $0x80000000, %eax
        cpuid
        mov     %eax, %ecx
        shr     $16, %ecx
        cmp     $0x8000, %ecx           /* a CPU without these leaves answers with something else */
        jne     2f
        cmp     $0x80000001, %eax
        jb      2f
        mov     $0x80000001, %eax
        cpuid
        test    $CPUID_LM, %edx
1:      ret
2:      xor     %eax, %eax              /* ZF set = no */
        ret

/*
 * One PML4 entry, four PDPT entries, 4 x 512 pages of 2 MiB: the first 4 GiB, each address mapped
 * to itself.
 */
build_pages:
        mov     $LAB_PAGES, %edi
        xor     %eax, %eax
        mov     $(6 * 4096 / 4), %ecx
        rep stosl
        movl    $(LAB_PAGES + 0x1000 + PAGE_TABLE), LAB_PAGES
        mov     $(LAB_PAGES + 0x1000), %edi
        mov     $(LAB_PAGES + 0x2000 + PAGE_TABLE), %eax
        mov     $4, %ecx
1:      mov     %eax, (%edi)
        add     $4096, %eax
        add     $8, %edi
        loop    1b
        mov     $(LAB_PAGES + 0x2000), %edi
        mov     $PAGE_2M, %eax
        mov     $2048, %ecx
2:      cmp     $DEVICES_START, %eax
        jb      3f
        or      $PAGE_UNCACHED, %eax
3:      mov     %eax, (%edi)
        add     $0x200000, %eax
        add     $8, %edi
        loop    2b
        ret

/* The two C programs, at the addresses that they were linked for. */
        .section .lab32, "a"
        .incbin "lab32.bin"
        .section .lab64, "a"
        .incbin "lab64.bin"
