/*
 * Option ROM that starts the program which boots from the network (iPXE's ipxe.lkrn, a bzImage):
 * linuxboot.S under the name that the boot menu is to show.
 * Follows, contract, not modelled: there.
 */
#define ROM_TITLE "Network (iPXE)"
#define ROM_NAME  "netboot: "
#include "linuxboot.S"
