/*
 * What the lab finds out, one struct per part, and who finds it. main.c calls the parts in order;
 * report.c prints.
 */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct lab;

/* Every loop that waits for hardware gives up after this many looks: an absent device is reported,
 * never a hang. */
#define WAIT_LIMIT 2000000u

/* ---- what the real-mode part left at BOOT_INFO (layout.h) ---- */

enum a20_how { A20_WAS_ON, A20_BIOS, A20_PORT92, A20_8042, A20_FAILED };

struct e820 {
    uint64_t base, size;
    uint32_t type, unused;
};

struct boot_info {
    uint8_t drive, lba_calls, a20, power_mode;
    uint16_t sectors, retries, ticks, spt, heads, base_kib, ext_kib, equipment;
    uint16_t e820_count, unused;
    struct e820 e820[BI_E820_MAX];
};

_Static_assert(offsetof(struct boot_info, e820_count) == BI_E820_COUNT - BOOT_INFO, "layout.h");
_Static_assert(offsetof(struct boot_info, e820) == BI_E820 - BOOT_INFO, "layout.h");
_Static_assert(sizeof(struct e820) == BI_E820_SIZE, "layout.h");
_Static_assert(sizeof(struct boot_info) <= BOOT_INFO_SIZE, "layout.h");

/* ---- cpu.c ---- */

struct cpu_info {
    bool has_cpuid, has_tsc, has_apic, has_msr;
    char vendor[13], brand[49], hypervisor[13];
    uint32_t max_leaf, max_ext;
    uint32_t family, model, stepping;
    uint32_t phys_bits, virt_bits;
    uint32_t words[8]; /* feature words, in the order of cpu.c's enum */
};

void cpu_detect(struct cpu_info *cpu);
/* Calls show for each feature the CPU has; notable: only the ones worth a place on the screen. */
void cpu_each_feature(const struct cpu_info *cpu, bool notable,
                      void (*show)(void *arg, const char *name), void *arg);

/* ---- pci.c ---- */

#define PCI_MAX 48

struct pci_fn {
    uint8_t bus, dev, fn, header;
    uint16_t vendor, device;
    uint8_t class, subclass, prog_if, revision;
    uint8_t irq_line, irq_pin;
    uint32_t bar[6];
};

struct pci_info {
    bool present;
    uint32_t count, dropped; /* dropped: found, but no room in fn[] */
    struct pci_fn fn[PCI_MAX];
};

uint32_t pci_read(uint8_t bus, uint8_t dev, uint8_t fn, uint8_t reg);
void pci_walk(struct pci_info *pci);
const char *pci_class_name(const struct pci_fn *f);
const char *pci_device_name(const struct pci_fn *f);

/* ---- acpi.c ---- */

#define ACPI_TABLES 24

struct acpi_table {
    char sig[5], oem[7];
    uint32_t addr, size;
    uint8_t revision;
    bool sum_ok;
};

struct acpi_info {
    uint32_t rsdp, revision; /* rsdp: address, 0 = none found */
    uint32_t count;
    struct acpi_table table[ACPI_TABLES];
    bool has_fadt, has_s5;
    uint32_t smi_cmd, pm1a_cnt, pm1b_cnt, pm_timer, dsdt;
    uint8_t acpi_enable, s5_a, s5_b;
    bool pm_timer_32;
    uint32_t lapic, ioapic, ioapic_gsi, cpus; /* ioapic: address, 0 = none */
    uint32_t gsi_of_irq0;
};

void acpi_find(struct acpi_info *acpi);

/* ---- irq.c ---- */

#define IRQ_VECTORS  80
#define VEC_PIC      0x20 /* 16 vectors */
#define VEC_LAPIC    0x40
#define VEC_IOAPIC   0x41
#define VEC_SPURIOUS 0x4f /* old local APICs fix the low four bits to ones */

struct irq_frame {
    uintptr_t vector, error, ip, cs, flags;
};

void irq_init(void);
void irq_dispatch(struct irq_frame *f);
uint32_t irq_count(unsigned int vector);
/* mask: bit n set = IRQ n of the PICs may interrupt. */
void pic_allow(uint16_t mask);

/* ---- timers.c, apic.c ---- */

enum timer_id { TIMER_PIT, TIMER_RTC, TIMER_PM, TIMER_LAPIC, TIMER_TSC, TIMER_COUNT };

struct timer_row {
    const char *name;
    bool present, ticks;
    uint32_t irqs,
        irqs_wanted; /* interrupts taken in the test, and how many were due; 0 due = none tried */
    uint64_t by_pit, by_pm; /* measured frequency in Hz if that other timer is right; 0 = unknown */
};

struct timer_info {
    struct timer_row row[TIMER_COUNT];
    uint32_t lapic_base, lapic_id, lapic_version;
    uint32_t ioapic_base, ioapic_version, ioapic_pins, ioapic_irqs;
    bool ioapic_tried; /* needs a local APIC to deliver to, and a PIT that ticks */
    uint64_t tsc_hz;   /* 0 = no TSC or nothing to measure it with */
    uint16_t pm_port;
    uint8_t rtc_time[7]; /* century, year, month, day, hour, minute, second */
    bool rtc_present;
};

#define PIT_HZ 1193182u
#define PM_HZ  3579545u

void timers_measure(struct lab *lab);
void pit_start(uint32_t divisor); /* channel 0, mode 2; 65536 is the slowest */
uint16_t pit_latch(void);
uint8_t rtc_read(uint8_t reg);
/* Spins until *irq_count(vector)* has risen by n; false if WAIT_LIMIT looks passed without one. */
bool timers_wait_irqs(unsigned int vector, uint32_t n);

void apic_init(struct lab *lab);
void apic_test_timer(struct lab *lab);
void apic_test_ioapic(struct lab *lab);
void apic_eoi(void);
#define LAPIC_VERSION 0x030
#define LAPIC_CURRENT 0x390
uint32_t lapic_read(uint32_t reg);

/* ---- disk.c ---- */

#define DRIVES 4

enum drive_kind { DRIVE_NONE, DRIVE_ATA, DRIVE_ATAPI, DRIVE_BROKEN };

struct drive {
    enum drive_kind kind;
    char model[41], serial[21], firmware[9];
    uint64_t sectors;
    const char *trouble; /* what went wrong, or NULL */
    bool read_ok, is_boot_disk, signature;
    uint64_t read_ns; /* one sector: command to last byte; 0 = not measured */
};

struct disk_info {
    bool channel[2];            /* something answers there */
    struct drive drive[DRIVES]; /* 2 * channel + unit */
};

void disk_probe(struct lab *lab);
const char *disk_position(unsigned int index);

/* ---- bench.c ---- */

enum { BENCH_MAX = 16 };

struct bench_row {
    const char *name;
    bool done;
    uint32_t min_ns, median_ns;
};

struct bench_info {
    bool by_tsc;
    uint32_t samples, count;
    struct bench_row row[BENCH_MAX];
};

void bench_run(struct lab *lab);

/* ---- console.c ---- */

#define SCREEN_COLS 80
#define SCREEN_ROWS 25

enum colour {
    BLUE = 1,
    GREEN,
    CYAN,
    RED,
    MAGENTA,
    BROWN,
    GREY,
    DARK,
    LIGHT_BLUE,
    LIGHT_GREEN,
    LIGHT_CYAN,
    LIGHT_RED,
    PINK,
    YELLOW,
    WHITE,
};
#define ON_BLUE  (BLUE << 4)
#define ON_GREEN (GREEN << 4)
#define ON_RED   (RED << 4)

bool console_init(void); /* true: a UART answers at COM1 */
void screen_clear(uint8_t attr);
void screen_fill(unsigned int row, unsigned int col, unsigned int n, uint8_t ch, uint8_t attr);
/* Prints at a place, cut off at width. */
__attribute__((format(printf, 5, 6))) void screen_print(unsigned int row, unsigned int col,
                                                        unsigned int width, uint8_t attr,
                                                        const char *fmt, ...);
/* Prints to COM1; "\n" becomes CR LF. */
__attribute__((format(printf, 1, 2))) void serial_print(const char *fmt, ...);

/* ---- text.c ---- */

/* As snprintf: d u x c s, widths, '-' and '0', ll. No floating point. Always ends with NUL. Gives
 * the length. */
size_t text_vformat(char *buf, size_t size, const char *fmt, va_list ap);
__attribute__((format(printf, 3, 4))) size_t text_format(char *buf, size_t size, const char *fmt,
                                                         ...);
/* A frequency with its unit: "3.579545 MHz". */
const char *text_hz(char buf[24], uint64_t hz);
/* A size with its unit: "512 MiB". */
const char *text_bytes(char buf[24], uint64_t n);
/* n / d without the compiler's run-time library; *rem may be NULL. d = 0 gives 0. */
uint64_t div64(uint64_t n, uint64_t d, uint64_t *rem);
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t text_len(const char *s);

/* ---- report.c: all of it, on COM1 ---- */

void report_all(const struct lab *lab);
void report_exception(const struct irq_frame *f);
const char *report_a20(const struct lab *lab);
/* Bytes of usable RAM, and in how many E820 ranges (0: the BIOS has no E820, the sum is an old
 * call's). */
uint64_t report_usable(const struct boot_info *b, unsigned int *ranges);

/* ---- screen.c: the summary ---- */

void screen_title(void);
void screen_status(uint8_t attr, const char *text);
void screen_summary(const struct lab *lab);

/* ---- power.c ---- */

void power_wait_key(const struct lab *lab);
void power_off(const struct lab *lab); /* returns if the machine has no power switch we know */

/* ---- everything ---- */

struct lab {
    const struct boot_info *boot;
    bool uart;
    struct cpu_info cpu;
    struct pci_info pci;
    struct acpi_info acpi;
    struct timer_info timers;
    struct disk_info disk;
    struct bench_info bench;
};

#endif
