/*
 * What is not video: the serial port (COM1, 115200 baud, polled) and calls of the BIOS.
 *
 * Follows: National PC16550D data sheet.
 */
#include "pc-bios/modes/modes.h"

enum { COM1 = 0x3f8, LSR_DATA = 1, LSR_EMPTY = 0x20 };
enum { CALL_REGS = 0x5000 }; /* as in entry.S */

void bios_call_raw(unsigned vector);

void serial_start(void)
{
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x80);
    outb(COM1 + 0, 1);
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);
    outb(COM1 + 2, 7);
    outb(COM1 + 4, 3);
}

static void put(char c)
{
    while (!(inb(COM1 + 5) & LSR_EMPTY)) {
    }
    outb(COM1, (uint8_t)c);
}

void say(const char *text)
{
    while (*text) {
        put(*text++);
    }
}

void say_end(void)
{
    say("\r\n");
}

void say_number(const char *what, uint32_t n)
{
    char digits[11];
    unsigned i = sizeof digits;

    digits[--i] = 0;
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    say(" ");
    say(what);
    say("=");
    say(digits + i);
}

void wait_byte(void)
{
    while (!(inb(COM1 + 5) & LSR_DATA)) {
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

/* gcc calls this for copies of structs. */
void *memcpy(void *to, const void *from, size_t len);
void *memcpy(void *to, const void *from, size_t len)
{
    void *start = to;

    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
    return start;
}

void *memset(void *to, int value, size_t len);
void *memset(void *to, int value, size_t len)
{
    void *start = to;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(value) : "memory");
    return start;
}
