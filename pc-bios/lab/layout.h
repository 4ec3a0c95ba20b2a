/*
 * Where everything lies in memory while the lab runs, shared by the assembly files, the C files and
 * the linker scripts. All of it is below 640 KiB: that is the memory every PC has, and the
 * real-mode code can reach it.
 *
 *   0x06000  boot information (struct boot_info)      0x20000  the C program built for 64 bits
 *   0x07C00  boot sector, put there by the BIOS       0x50000  variables (.bss) of whichever C
 * program runs 0x10000  entry.S, long.S                          0x6FFF0  stack, grows down 0x12000
 * the C program built for 32 bits          0x70000  page tables for long mode
 */
#ifndef LAB_LAYOUT_H
#define LAB_LAYOUT_H

#define LAB_LOAD     0x10000
#define LAB_LOAD_SEG 0x1000
#define LAB32_BASE   0x12000
#define LAB64_BASE   0x20000
#define LAB_END      0x50000 /* code must stay below; variables start here */
#define LAB_BSS      0x50000
#define LAB_BSS_END  0x68000
#define LAB_STACK    0x6fff0
#define LAB_PAGES    0x70000

#define BOOT_SECTOR 0x7c00
#define BOOT_MAGIC  0x0c /* offset in the boot sector: "LAB1" */
#define BOOT_POWER_MODE                                                                            \
    0x10 /* offset in the boot sector: what to do after the report (README.md) */

/* struct boot_info, filled in by boot.S and entry.S. Offsets from BOOT_INFO; lab.h has the C view
 * of the same bytes. */
#define BOOT_INFO      0x6000
#define BOOT_INFO_SIZE 0x0620
#define BI_DRIVE       (BOOT_INFO + 0x00) /* u8: BIOS drive number */
#define BI_METHOD      (BOOT_INFO + 0x01) /* u8: 0 = CHS, 1 = LBA packet calls */
#define BI_A20         (BOOT_INFO + 0x02) /* u8: see enum in lab.h */
#define BI_POWER_MODE  (BOOT_INFO + 0x03) /* u8: copy of the boot sector's byte */
#define BI_SECTORS     (BOOT_INFO + 0x04) /* u16: sectors loaded */
#define BI_RETRIES     (BOOT_INFO + 0x06) /* u16: reads that had to be repeated */
#define BI_TICKS       (BOOT_INFO + 0x08) /* u16: BIOS timer ticks (55 ms) that loading took */
#define BI_SPT         (BOOT_INFO + 0x0a) /* u16: sectors per track (CHS) */
#define BI_HEADS       (BOOT_INFO + 0x0c) /* u16 */
#define BI_BASE_KIB    (BOOT_INFO + 0x0e) /* u16: INT 12h */
#define BI_EXT_KIB     (BOOT_INFO + 0x10) /* u16: INT 15h AH=88h */
#define BI_EQUIPMENT   (BOOT_INFO + 0x12) /* u16: INT 11h */
#define BI_E820_COUNT  (BOOT_INFO + 0x14) /* u16 */
#define BI_E820        (BOOT_INFO + 0x18) /* 64 entries of 24 bytes */
#define BI_E820_MAX    64
#define BI_E820_SIZE   24

#define SEL_CODE32 0x08
#define SEL_DATA   0x10
#define SEL_CODE64 0x18

#endif
