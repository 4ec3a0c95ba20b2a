/*
 * The summary on the screen: 80x25 cells, a title, six panels in two columns, a status line.
 *
 *   row 0        title
 *   rows 2-6     CPU          | rows 2-8    timers
 *   rows 7-9     memory       | rows 9-22   access times
 *   rows 10-17   PCI          |
 *   rows 18-19   ACPI         |
 *   rows 20-22   disks        |
 *   row 24       status
 */
#include "lab.h"

#define LEFT   1
#define RIGHT  41
#define WIDTH  38
#define TEXT   GREY
#define STRONG WHITE
#define HEAD   LIGHT_CYAN
#define GOOD   LIGHT_GREEN
#define BAD    LIGHT_RED
#define LINE   0xc4 /* code page 437: horizontal line */

static void panel(unsigned int row, unsigned int col, const char *name)
{
    screen_fill(row, col, WIDTH, LINE, DARK);
    screen_print(row, col, WIDTH, HEAD, "%s ", name);
}

void screen_title(void)
{
    screen_clear(TEXT);
    screen_fill(0, 0, SCREEN_COLS, ' ', ON_BLUE | WHITE);
    screen_print(0, 1, 40, ON_BLUE | YELLOW, "CANDELA LAB");
    screen_print(0, 14, 40, ON_BLUE | WHITE, "what this PC is made of");
    screen_print(0, 53, 27, ON_BLUE | WHITE, "%26s",
                 sizeof(void *) == 8 ? "64-bit long mode" : "32-bit protected mode");
}

void screen_status(uint8_t attr, const char *text)
{
    screen_fill(24, 0, SCREEN_COLS, ' ', attr);
    screen_print(24, 1, 78, attr, "%s", text);
}

struct feature_place {
    unsigned int row, col;
};

static void show_feature(void *arg, const char *name)
{
    struct feature_place *p = arg;
    unsigned int n = (unsigned int)text_len(name);

    if (p->col + n > LEFT + WIDTH) {
        p->row++;
        p->col = LEFT;
    }
    if (p->row > 6)
        return;
    screen_print(p->row, p->col, n, TEXT, "%s", name);
    p->col += n + 1;
}

static void screen_cpu(const struct lab *lab)
{
    const struct cpu_info *cpu = &lab->cpu;
    struct feature_place place = {5, LEFT};
    char hz[24] = "";

    panel(2, LEFT, "CPU");
    if (!cpu->has_cpuid) {
        screen_print(3, LEFT, WIDTH, STRONG, "486 class, no CPUID");
        return;
    }
    if (lab->timers.tsc_hz)
        text_format(hz, sizeof(hz), "%u MHz",
                    (unsigned int)div64(lab->timers.tsc_hz, 1000000, NULL));
    screen_print(3, LEFT, WIDTH, STRONG, "%s", cpu->brand[0] ? cpu->brand : cpu->vendor);
    screen_print(4, LEFT, WIDTH, TEXT, "%s %u/%u/%u  %s", cpu->brand[0] ? cpu->vendor : "family",
                 cpu->family, cpu->model, cpu->stepping, hz);
    cpu_each_feature(cpu, true, show_feature, &place);
}

static void screen_memory(const struct lab *lab)
{
    unsigned int ranges;
    char size[24];

    panel(7, LEFT, "MEMORY");
    text_bytes(size, report_usable(lab->boot, &ranges));
    screen_print(8, LEFT, WIDTH, STRONG, "%s usable", size);
    screen_print(8, LEFT + 18, WIDTH - 18, TEXT, "E820: %u ranges", lab->boot->e820_count);
    screen_print(9, LEFT, WIDTH, lab->boot->a20 == A20_FAILED ? BAD : TEXT, "base %u KiB, A20 %s",
                 lab->boot->base_kib, report_a20(lab));
}

static void screen_pci(const struct pci_info *pci)
{
    enum { ROWS = 7 };

    panel(10, LEFT, "PCI");
    if (!pci->present) {
        screen_print(11, LEFT, WIDTH, TEXT, "no PCI");
        return;
    }
    for (uint32_t i = 0; i < pci->count && i < ROWS; i++) {
        const struct pci_fn *f = &pci->fn[i];

        if (i == ROWS - 1 && pci->count > ROWS) {
            screen_print(11 + i, LEFT, WIDTH, TEXT, "and %u more (see COM1)",
                         pci->count + pci->dropped - i);
            break;
        }
        screen_print(11 + i, LEFT, WIDTH, TEXT, "%02x:%02x.%x", f->bus, f->dev, f->fn);
        screen_print(11 + i, LEFT + 8, WIDTH - 8, STRONG, "%s", pci_device_name(f));
    }
}

static void screen_acpi(const struct acpi_info *acpi)
{
    unsigned int col = LEFT;

    panel(18, LEFT, "ACPI");
    if (!acpi->rsdp)
        screen_print(19, LEFT, WIDTH, TEXT, "no tables");
    for (uint32_t i = 0; i < acpi->count && col + 4 <= LEFT + WIDTH; i++, col += 5)
        screen_print(19, col, 4, acpi->table[i].sum_ok ? TEXT : BAD, "%s", acpi->table[i].sig);
}

static void screen_disks(const struct disk_info *disk)
{
    unsigned int row = 21;
    char size[24];

    panel(20, LEFT, "DISKS");
    for (unsigned int i = 0; i < DRIVES; i++) {
        const struct drive *d = &disk->drive[i];

        if (d->kind == DRIVE_NONE || row > 22)
            continue;
        screen_print(row, LEFT, WIDTH, STRONG, "%s", d->kind == DRIVE_BROKEN ? "?" : d->model);
        screen_print(row, LEFT + 23, 15, d->trouble ? BAD : TEXT, "%15s",
                     d->trouble               ? d->trouble
                     : d->kind == DRIVE_ATAPI ? "CD, ATAPI"
                                              : text_bytes(size, d->sectors * 512));
        row++;
    }
    if (row == 21)
        screen_print(21, LEFT, WIDTH, TEXT, "no IDE drives");
}

static void screen_timers(const struct timer_info *t)
{
    unsigned int row = 3;
    char hz[24];

    panel(2, RIGHT, "TIMERS");
    for (int i = 0; i < TIMER_COUNT; i++, row++) {
        const struct timer_row *r = &t->row[i];

        screen_print(row, RIGHT, 8, STRONG, "%s", r->name);
        if (!r->present) {
            screen_print(row, RIGHT + 9, 20, DARK, "absent");
            continue;
        }
        screen_print(row, RIGHT + 8, 15, r->ticks ? TEXT : BAD, "%15s",
                     !r->ticks ? "does not tick" : text_hz(hz, r->by_pit ? r->by_pit : r->by_pm));
        if (r->irqs_wanted)
            screen_print(row, RIGHT + 25, 13, r->irqs ? GOOD : BAD, "%4u of %u", r->irqs,
                         r->irqs_wanted);
    }
    if (t->ioapic_tried)
        screen_print(row, RIGHT, WIDTH, t->ioapic_irqs ? TEXT : BAD,
                     "I/O APIC %u inputs: PIT came %u times", t->ioapic_pins, t->ioapic_irqs);
    else
        screen_print(row, RIGHT, WIDTH, DARK,
                     t->ioapic_base ? "I/O APIC not tried" : "no I/O APIC");
}

static void screen_bench(const struct bench_info *b)
{
    panel(9, RIGHT, "ACCESS TIMES");
    screen_print(9, RIGHT + 20, 18, HEAD, " min ns  median ns");
    for (uint32_t i = 0; i < b->count && i < 13; i++) {
        const struct bench_row *r = &b->row[i];

        screen_print(10 + i, RIGHT, 18, TEXT, "%s", r->name);
        if (r->done)
            screen_print(10 + i, RIGHT + 18, 20, STRONG, "%9u  %9u", r->min_ns, r->median_ns);
        else
            screen_print(10 + i, RIGHT + 18, 20, DARK, "%9s  %9s", "-", "-");
    }
}

void screen_summary(const struct lab *lab)
{
    screen_title();
    screen_cpu(lab);
    screen_memory(lab);
    screen_pci(&lab->pci);
    screen_acpi(&lab->acpi);
    screen_disks(&lab->disk);
    screen_timers(&lab->timers);
    screen_bench(&lab->bench);
}
