/*
 * Guest code that is part of the program: the lab floppy (`candela demo`) and the option ROMs that
 * load kernels.  The build makes them from pc-bios/ first; see ui/images.h for the names.
 */
    .section .rodata
    .balign 16

    .macro image name file
    .globl \name, \name\()_end
    .type \name, %object
\name:
    .incbin "\file"
\name\()_end:
    .size \name, . - \name
    .byte 0
    .balign 16
    .endm

    image image_lab, "pc-bios/lab/lab.img"
    image image_linuxboot, "pc-bios/optionrom/linuxboot.bin"
    image image_multiboot, "pc-bios/optionrom/multiboot.bin"
    image image_netboot, "pc-bios/optionrom/netboot.bin"
