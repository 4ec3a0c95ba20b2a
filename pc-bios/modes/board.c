/*
 * What is not video: bytes from the serial port (COM1, polled) and calls of the BIOS.
 *
 * Follows: National PC16550D data sheet.
 * Not here: what goes to COM1; the lab's console.c does that.
 */
#include "pc-bios/modes/modes.h"

enum { COM1 = 0x3f8, LSR_DATA = 1 };
enum { CALL_REGS = 0x5000 }; /* as in entry.S */

void bios_call_raw(unsigned vector);

bool has_byte(void)
{
    return inb(COM1 + 5) & LSR_DATA;
}

void wait_byte(void)
{
    while (!has_byte()) {
    }
    inb(COM1);
}

void bios_call(unsigned vector, struct bios_regs *r)
{
    volatile struct bios_regs *there = (volatile struct bios_regs *)at(CALL_REGS);

    *there = *r;
    bios_call_raw(vector);
    *r = *there;
}

uint16_t bios_video(uint32_t ax, uint32_t bx, uint32_t cx, uint32_t dx)
{
    struct bios_regs r = {.eax = ax, .ebx = bx, .ecx = cx, .edx = dx};

    bios_call(0x10, &r);
    return (uint16_t)r.eax;
}
