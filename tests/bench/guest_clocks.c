/*
 * A guest that compares the clocks of a PC with each other while it computes: the interrupts of the
 * 8254, the RTC, the local APIC's timer and the HPET, and the counters of the RTC, the PM timer,
 * the HPET and the local APIC, all against the time-stamp counter.  Started as a Multiboot kernel
 * by tests/bench/clocks.sh; the command line says for how many seconds.
 *
 * Prints a line on COM1 every ten seconds, with deviations in parts per million, and at the end
 * "CLOCKS: worst N ppm"; then powers off.
 *
 * Follows: Multiboot 0.6.96, the data sheets named in hw/.  Not modelled: other machines than
 * Candela's, where the ports and addresses below are known (PM timer 0x608, I/O APIC 0xfec00000,
 * HPET 0xfed00000, 1 GHz TSC, 100 MHz APIC bus: CPUID 0x15).
 */
#include <stdbool.h>
#include <stdint.h>

#define TSC_HZ   1e9
#define PIT_HZ   1193182.0
#define PM_HZ    3579545.0
#define LAPIC_HZ 1e8
#define HPET_HZ  1e8
#define PIT_DIV  1193
#define RTC_RATE 1024.0
#define PERIOD   100000 /* ticks of LAPIC and HPET: 1 ms */

enum { PIT = 0x20, RTC = 0x28, LAPIC = 0x40, HPET = 0x50 };
enum { COM1 = 0x3f8, PM_CONTROL = 0x604, PM_TIMER = 0x608 };
#define LAPIC_REG(off)  (*(volatile uint32_t *)(0xfee00000u + (off)))
#define IOAPIC_REG(off) (*(volatile uint32_t *)(0xfec00000u + (off)))
#define HPET_REG(off)   (*(volatile uint32_t *)(0xfed00000u + (off)))

struct gate {
    uint16_t low, selector;
    uint16_t type, high;
};
struct frame;

static struct gate idt[256] __attribute__((aligned(8)));
static volatile uint32_t count_pit, count_rtc, count_lapic, count_hpet;
__attribute__((used)) static uint64_t stack[2048];

/* Started in 32-bit protected mode, paging off, EBX: the Multiboot information. */
__asm__(".text\n"
        ".align 4\n"
        ".long 0x1badb002, 0, -0x1badb002\n"
        ".globl _start\n"
        "_start: mov $stack + 16384, %esp\n"
        "fninit\n"
        "push %ebx\n"
        "call guest_main\n"
        "1: hlt\n"
        "jmp 1b\n");

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t v;

    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline uint64_t rdtsc(void)
{
    uint64_t v;

    __asm__ volatile("rdtsc" : "=A"(v));
    return v;
}

/* The handler of the RTC's interrupt sets the index too. */
static uint8_t rtc_get(uint8_t reg)
{
    uint32_t flags;
    uint8_t v;

    __asm__ volatile("pushf; pop %0; cli" : "=r"(flags));
    outb(0x70, reg);
    v = inb(0x71);
    __asm__ volatile("push %0; popf" : : "r"(flags) : "cc");
    return v;
}

static void rtc_set(uint8_t reg, uint8_t v)
{
    outb(0x70, reg);
    outb(0x71, v);
}

/* Interrupts ---------------------------------------------------------------------------------- */

#define HANDLER __attribute__((interrupt, target("general-regs-only")))

HANDLER static void on_pit(struct frame *f)
{
    (void)f;
    count_pit++;
    outb(0x20, 0x20);
}

HANDLER static void on_rtc(struct frame *f)
{
    (void)f;
    count_rtc++;
    rtc_get(0x0c);
    outb(0xa0, 0x20);
    outb(0x20, 0x20);
}

HANDLER static void on_lapic(struct frame *f)
{
    (void)f;
    count_lapic++;
    LAPIC_REG(0xb0) = 0;
}

HANDLER static void on_hpet(struct frame *f)
{
    (void)f;
    count_hpet++;
    LAPIC_REG(0xb0) = 0;
}

static void set_gate(unsigned vector, void (*handler)(struct frame *))
{
    uint32_t at = (uint32_t)handler;
    uint16_t cs;

    __asm__("mov %%cs, %0" : "=r"(cs));
    idt[vector] = (struct gate){(uint16_t)at, cs, 0x8e00, (uint16_t)(at >> 16)};
}

static void start_pics(void)
{
    static const uint8_t words[2][4] = {{0x11, PIT, 4, 1}, {0x11, RTC, 2, 1}};

    for (unsigned chip = 0; chip < 2; chip++) {
        uint16_t port = chip ? 0xa0 : 0x20;

        outb(port, words[chip][0]);
        for (unsigned i = 1; i < 4; i++) {
            outb(port + 1, words[chip][i]);
        }
    }
    outb(0x21, (uint8_t)~0x05); /* the timer, and the second controller's */
    outb(0xa1, (uint8_t)~0x01); /* clock */
}

static void start_timers(void)
{
    outb(0x43, 0x34);
    outb(0x40, PIT_DIV & 0xff);
    outb(0x40, PIT_DIV >> 8);
    rtc_set(0x0a, 0x26);
    rtc_set(0x0b, (uint8_t)(rtc_get(0x0b) | 0x40));
    rtc_get(0x0c);

    LAPIC_REG(0xf0) = 0x1ff;
    LAPIC_REG(0x350) = 0x700; /* the 8259s, through LINT0 */
    LAPIC_REG(0x3e0) = 0x0b;  /* the bus clock as it is */
    LAPIC_REG(0x320) = 0x20000 | LAPIC;
    LAPIC_REG(0x380) = PERIOD;

    IOAPIC_REG(0) = 0x10 + 2 * 20;
    IOAPIC_REG(0x10) = HPET;
    HPET_REG(0x10) = 0;
    HPET_REG(0xf0) = HPET_REG(0xf4) = 0;
    HPET_REG(0x100) = 20 << 9 | 0x100 | 0x40 | 0x08 | 0x04; /* pin 20, 32 bits, periodic, an edge */
    HPET_REG(0x108) = PERIOD;
    HPET_REG(0x10) = 1;
}

/* Text ---------------------------------------------------------------------------------------- */

static void put(char ch)
{
    while (!(inb(COM1 + 5) & 0x20)) {
    }
    outb(COM1, (uint8_t)ch);
}

static void puts(const char *text)
{
    while (*text) {
        put(*text++);
    }
}

static void put_number(int32_t v)
{
    char digits[12];
    unsigned n = 0;

    if (v < 0) {
        put('-');
        v = -v;
    }
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    while (n) {
        put(digits[--n]);
    }
}

/* Clocks -------------------------------------------------------------------------------------- */

enum { CLOCKS = 7 };
static const char *const names[CLOCKS] = {"pit", "rtc",        "lapic", "hpet",
                                          "pm",  "hpet-count", "date"};
static const double rates[CLOCKS] = {
    PIT_HZ / PIT_DIV, RTC_RATE, LAPIC_HZ / PERIOD, HPET_HZ / PERIOD, PM_HZ, HPET_HZ, 1};
static uint64_t pm_ticks, hpet_ticks;
static uint32_t pm_last, hpet_last, date_first;

/* Counters that come round are followed. */
static void follow(void)
{
    uint32_t pm = inl(PM_TIMER), hpet = HPET_REG(0xf0);

    pm_ticks += (pm - pm_last) & 0xffffff;
    hpet_ticks += hpet - hpet_last;
    pm_last = pm;
    hpet_last = hpet;
}

/* Seconds of the hour and day on the RTC, while no update is near. */
static uint32_t date_seconds(void)
{
    static const uint8_t regs[3] = {4, 2, 0};
    uint32_t s = 0;

    while (rtc_get(0x0a) & 0x80) {
    }
    for (unsigned i = 0; i < 3; i++) {
        uint8_t v = rtc_get(regs[i]);

        s = s * 60 + (v >> 4) * 10u + (v & 15);
    }
    return s;
}

/* The RTC can only be told to the second: wait for the next one. */
static void wait_for_second(void)
{
    uint8_t first = rtc_get(0);

    while (rtc_get(0) == first) {
    }
}

static void read_clocks(uint64_t now[CLOCKS], uint64_t *tsc)
{
    uint32_t date;

    follow();
    wait_for_second();
    date = date_seconds();
    __asm__ volatile("cli");
    *tsc = rdtsc();
    follow();
    now[0] = count_pit;
    now[1] = count_rtc;
    now[2] = count_lapic;
    now[3] = count_hpet;
    __asm__ volatile("sti");
    now[4] = pm_ticks;
    now[5] = hpet_ticks;
    now[6] = (date + 86400 - date_first) % 86400;
}

/* Parts per million by which each clock differs; the largest of them. */
static int32_t report(const uint64_t first[CLOCKS], uint64_t tsc_first)
{
    uint64_t now[CLOCKS], tsc;
    int32_t worst = 0;
    double seconds;

    read_clocks(now, &tsc);
    seconds = (double)(int64_t)(tsc - tsc_first) / TSC_HZ;
    put_number((int32_t)(seconds * 1000));
    puts(" ms, ppm:");
    for (unsigned i = 0; i < CLOCKS; i++) {
        double expect = seconds * rates[i];
        int32_t ppm = (int32_t)(((double)(int64_t)(now[i] - first[i]) - expect) / expect * 1e6);

        put(' ');
        puts(names[i]);
        put('=');
        put_number(ppm);
        ppm = ppm < 0 ? -ppm : ppm;
        worst = ppm > worst ? ppm : worst;
    }
    puts("\r\n");
    return worst;
}

/* The load: what a busy guest does between interrupts. */
static void compute(uint64_t until)
{
    volatile uint32_t x = 1;

    while (rdtsc() < until) {
        for (unsigned i = 0; i < 20000; i++) {
            x = x * 1664525u + 1013904223u;
        }
        follow();
    }
}

static uint32_t seconds_wanted(const uint32_t *info)
{
    const char *p = info[0] & 4 ? (const char *)info[4] : "";
    uint32_t n = 0;

    while (*p && *p != ' ') {
        p++; /* the file's name */
    }
    for (; *p; p++) {
        if (*p >= '0' && *p <= '9') {
            n = n * 10 + (uint32_t)(*p - '0');
        }
    }
    return n ? n : 600;
}

__attribute__((used)) void guest_main(const uint32_t *info)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint32_t base;
    } idtr = {sizeof idt - 1, (uint32_t)idt};
    uint64_t first[CLOCKS], tsc_first, end;
    int32_t worst = 0;

    set_gate(PIT, on_pit);
    set_gate(RTC, on_rtc);
    set_gate(LAPIC, on_lapic);
    set_gate(HPET, on_hpet);
    __asm__ volatile("lidt %0" : : "m"(idtr));
    start_pics();
    start_timers();
    pm_last = inl(PM_TIMER);
    hpet_last = HPET_REG(0xf0);
    __asm__ volatile("sti");
    wait_for_second();
    date_first = date_seconds();
    read_clocks(first, &tsc_first);
    end = tsc_first + (uint64_t)seconds_wanted(info) * 1000000000u;
    for (uint64_t next = tsc_first + 10000000000u; next <= end; next += 10000000000u) {
        compute(next - 1500000000u);
        worst = report(first, tsc_first);
    }
    puts("CLOCKS: worst ");
    put_number(worst);
    puts(" ppm\r\n");
    outw(PM_CONTROL, 0x2000);
}
