/*
 * How long each basic device access takes. With a time-stamp counter every access is timed alone,
 * many times, and the cost of the timing itself is taken off; without one, batches are timed with
 * the PIT (838 ns a step). Follows: Intel SDM volume 3 section 17.17 (time-stamp counter). Not
 * modelled: a cold cache, interrupts (they are off).
 */
#include "io.h"
#include "lab.h"

#define SAMPLES     101
#define PIT_SAMPLES 9
#define PIT_BATCH   256
#define WARM_UP     4
#define PIT_PS      838095u /* one PIT step in picoseconds */

struct bench {
    const char *name;
    void (*op)(const struct lab *lab);
    bool (*possible)(const struct lab *lab);
};

static void op_nothing(const struct lab *lab)
{
    (void)lab;
}

static void op_port80(const struct lab *lab)
{
    (void)lab;
    outb(0x80, 0);
}

static void op_port61(const struct lab *lab)
{
    (void)lab;
    inb(0x61);
}

static void op_pit(const struct lab *lab)
{
    (void)lab;
    pit_latch();
}

static void op_pic(const struct lab *lab)
{
    (void)lab;
    inb(0x21);
}

static void op_rtc(const struct lab *lab)
{
    (void)lab;
    rtc_read(0x0a);
}

static void op_pci(const struct lab *lab)
{
    (void)lab;
    pci_read(0, 0, 0, 0);
}

static void op_uart(const struct lab *lab)
{
    (void)lab;
    inb(0x3fd);
}

static void op_ata(const struct lab *lab)
{
    (void)lab;
    inb(0x3f6);
}

static void op_vga(const struct lab *lab)
{
    (void)lab;
    *(volatile uint16_t *)(0xb8000 + 2 * 80 * 25) = 0x0720; /* just behind what is shown */
}

static void op_pm(const struct lab *lab)
{
    inl(lab->timers.pm_port);
}

static void op_lapic(const struct lab *lab)
{
    (void)lab;
    lapic_read(LAPIC_VERSION);
}

static void op_cpuid(const struct lab *lab)
{
    uint32_t r[4];

    (void)lab;
    cpuid(0, 0, r);
}

static bool has_pci(const struct lab *lab)
{
    return lab->pci.present;
}

static bool has_uart(const struct lab *lab)
{
    return lab->uart;
}

static bool has_rtc(const struct lab *lab)
{
    return lab->timers.rtc_present;
}

static bool has_ata(const struct lab *lab)
{
    return lab->disk.channel[0];
}

static bool has_pm(const struct lab *lab)
{
    return lab->timers.row[TIMER_PM].present;
}

static bool has_lapic(const struct lab *lab)
{
    return lab->timers.lapic_base;
}

static bool has_cpuid(const struct lab *lab)
{
    return lab->cpu.has_cpuid;
}

static const struct bench benches[] = {
    {"CPUID", op_cpuid, has_cpuid},       {"port 80h write", op_port80, NULL},
    {"port 61h read", op_port61, NULL},   {"PIC mask read", op_pic, NULL},
    {"PIT latch, read", op_pit, NULL},    {"RTC index, read", op_rtc, has_rtc},
    {"PCI config read", op_pci, has_pci}, {"UART LSR read", op_uart, has_uart},
    {"ATA status read", op_ata, has_ata}, {"ACPI PM timer", op_pm, has_pm},
    {"LAPIC read", op_lapic, has_lapic},  {"VGA text write", op_vga, NULL},
};

_Static_assert(ARRAY_LEN(benches) <= BENCH_MAX, "struct bench_info");

static void sort(uint32_t *v, unsigned int n)
{
    for (unsigned int i = 1; i < n; i++) {
        uint32_t x = v[i];
        unsigned int j = i;

        for (; j && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

static void sample_tsc(const struct lab *lab, const struct bench *b, uint32_t *sample)
{
    for (int i = -WARM_UP; i < SAMPLES; i++) {
        uint64_t t = rdtsc();

        b->op(lab);
        t = rdtsc() - t;
        if (i >= 0)
            sample[i] = t >> 32 ? 0xffffffff : (uint32_t)t;
    }
    sort(sample, SAMPLES);
}

/* PIT steps for PIT_BATCH accesses; a batch longer than 55 ms would be counted short. */
static void sample_pit(const struct lab *lab, const struct bench *b, uint32_t *sample)
{
    for (int i = -1; i < PIT_SAMPLES; i++) {
        uint16_t t = pit_latch();

        for (int n = 0; n < PIT_BATCH; n++)
            b->op(lab);
        t = (uint16_t)(t - pit_latch());
        if (i >= 0)
            sample[i] = t;
    }
    sort(sample, PIT_SAMPLES);
}

static uint32_t to_ns(const struct lab *lab, uint32_t units, uint32_t overhead)
{
    uint64_t n = units > overhead ? units - overhead : 0;

    if (lab->bench.by_tsc)
        return (uint32_t)div64(n * 1000000, div64(lab->timers.tsc_hz, 1000, NULL), NULL);
    return (uint32_t)div64(n * PIT_PS, PIT_BATCH * 1000, NULL);
}

void bench_run(struct lab *lab)
{
    static const struct bench nothing = {"", op_nothing, NULL};
    uint32_t sample[SAMPLES], nothing_cost;
    struct bench_info *info = &lab->bench;

    info->by_tsc = lab->timers.tsc_hz >= 1000000;
    info->samples = info->by_tsc ? SAMPLES : PIT_SAMPLES * PIT_BATCH;
    pit_start(65536);
    if (info->by_tsc)
        sample_tsc(lab, &nothing, sample);
    else
        sample_pit(lab, &nothing, sample);
    nothing_cost = sample[0];
    for (size_t i = 0; i < ARRAY_LEN(benches); i++) {
        struct bench_row *row = &info->row[info->count++];

        row->name = benches[i].name;
        row->done = (info->by_tsc || lab->timers.row[TIMER_PIT].present) &&
                    (!benches[i].possible || benches[i].possible(lab));
        if (!row->done)
            continue;
        if (info->by_tsc)
            sample_tsc(lab, &benches[i], sample);
        else
            sample_pit(lab, &benches[i], sample);
        row->min_ns = to_ns(lab, sample[0], nothing_cost);
        row->median_ns =
            to_ns(lab, sample[(info->by_tsc ? SAMPLES : PIT_SAMPLES) / 2], nothing_cost);
    }
}
