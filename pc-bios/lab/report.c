/*
 * Prints what was found: everything on COM1, a summary on the 80x25 screen. (screen.c draws the
 * panels.) Not modelled: paging; what does not fit on the screen is on COM1.
 */
#include "lab.h"

static const char *const e820_names[] = {"?", "usable", "reserved", "ACPI data", "ACPI NVS", "bad"};
static const char *const a20_names[] = {"was open", "opened by the BIOS", "opened by port 92h",
                                        "opened by the 8042", "SHUT"};

const char *report_a20(const struct lab *lab)
{
    return lab->boot->a20 < ARRAY_LEN(a20_names) ? a20_names[lab->boot->a20] : "?";
}

static void heading(const char *text)
{
    serial_print("\n== %s\n", text);
}

/* Feature names, broken into lines. */
static void show_feature(void *arg, const char *name)
{
    unsigned int *col = arg;
    unsigned int n = (unsigned int)text_len(name) + 1;

    if (*col + n > 78) {
        serial_print("\n           ");
        *col = 11;
    }
    serial_print(" %s", name);
    *col += n;
}

static void report_cpu(const struct cpu_info *cpu)
{
    unsigned int col = 11;

    heading("CPU");
    if (!cpu->has_cpuid) {
        serial_print("no CPUID instruction: a 486 or older\n");
        return;
    }
    serial_print("vendor     %s, highest leaves %x and %x\n", cpu->vendor, cpu->max_leaf,
                 cpu->max_ext);
    if (cpu->brand[0])
        serial_print("name       %s\n", cpu->brand);
    serial_print("family     %u, model %u, stepping %u\n", cpu->family, cpu->model, cpu->stepping);
    serial_print("addresses  %u bits physical, %u bits virtual\n", cpu->phys_bits, cpu->virt_bits);
    if (cpu->hypervisor[0])
        serial_print("hypervisor %s\n", cpu->hypervisor);
    serial_print("features  ");
    cpu_each_feature(cpu, false, show_feature, &col);
    serial_print("\n");
}

static void report_boot(const struct lab *lab)
{
    const struct boot_info *b = lab->boot;

    heading("Boot");
    serial_print("BIOS drive %02x, %s", b->drive,
                 b->lba_calls ? "packet calls (LBA)" : "CHS calls");
    if (!b->lba_calls)
        serial_print(", %u heads, %u sectors a track", b->heads, b->spt);
    serial_print("\n%u sectors loaded in %u ms, %u reads repeated\n", b->sectors, b->ticks * 55,
                 b->retries);
    serial_print("A20 gate   %s\n", report_a20(lab));
    serial_print("equipment  %04x (INT 11h)\n", b->equipment);
    serial_print("mode       %s\n",
                 sizeof(void *) == 8 ? "64-bit long mode" : "32-bit protected mode");
}

uint64_t report_usable(const struct boot_info *b, unsigned int *ranges)
{
    uint64_t sum = 0;

    *ranges = 0;
    for (unsigned int i = 0; i < b->e820_count && i < BI_E820_MAX; i++) {
        if (b->e820[i].type == 1) {
            sum += b->e820[i].size;
            (*ranges)++;
        }
    }
    return *ranges ? sum : ((uint64_t)b->base_kib + b->ext_kib) << 10;
}

static void report_memory(const struct boot_info *b)
{
    unsigned int ranges;
    char size[24];

    heading("Memory");
    serial_print("base %u KiB (INT 12h), extended %u KiB (INT 15h AH=88h)\n", b->base_kib,
                 b->ext_kib);
    for (unsigned int i = 0; i < b->e820_count && i < BI_E820_MAX; i++) {
        const struct e820 *e = &b->e820[i];

        serial_print("E820  %012llx - %012llx  %-9s  %s\n", (unsigned long long)e->base,
                     (unsigned long long)(e->base + e->size - 1), text_bytes(size, e->size),
                     e820_names[e->type < ARRAY_LEN(e820_names) ? e->type : 0]);
    }
    serial_print("usable     %s\n", text_bytes(size, report_usable(b, &ranges)));
}

static void report_pci(const struct pci_info *pci)
{
    heading("PCI");
    if (!pci->present)
        serial_print("no PCI\n");
    for (uint32_t i = 0; i < pci->count; i++) {
        const struct pci_fn *f = &pci->fn[i];

        serial_print("%02x:%02x.%x  %04x:%04x rev %02x  class %02x%02x%02x  %-12s %s\n", f->bus,
                     f->dev, f->fn, f->vendor, f->device, f->revision, f->class, f->subclass,
                     f->prog_if, pci_class_name(f), pci_device_name(f));
        if (f->irq_pin)
            serial_print("         INT%c, line %u\n", 'A' + ((f->irq_pin - 1) & 3), f->irq_line);
        for (int n = 0; n < 6; n++)
            if (f->bar[n])
                serial_print("         BAR%d %s %08x\n", n, f->bar[n] & 1 ? "port  " : "memory",
                             f->bar[n] & ~(f->bar[n] & 1 ? 3u : 15u));
    }
    if (pci->dropped)
        serial_print("and %u more\n", pci->dropped);
}

static void report_acpi(const struct acpi_info *acpi)
{
    heading("ACPI");
    if (!acpi->rsdp) {
        serial_print("no ACPI tables\n");
        return;
    }
    serial_print("RSDP at %05x, revision %u\n", acpi->rsdp, acpi->revision);
    for (uint32_t i = 0; i < acpi->count; i++) {
        const struct acpi_table *t = &acpi->table[i];

        serial_print("%s  at %08x  %6u bytes  revision %u  by %s%s\n", t->sig, t->addr, t->size,
                     t->revision, t->oem, t->sum_ok ? "" : "  BAD CHECKSUM");
    }
    if (acpi->has_fadt)
        serial_print("PM1a control port %x, PM timer port %x (%u bits)\n", acpi->pm1a_cnt,
                     acpi->pm_timer, acpi->pm_timer_32 ? 32 : 24);
    if (acpi->has_s5)
        serial_print("_S5 (soft off) sleep type %u\n", acpi->s5_a);
    if (acpi->cpus)
        serial_print("MADT: %u CPUs, local APIC %08x, I/O APIC %08x, IRQ 0 at input %u\n",
                     acpi->cpus, acpi->lapic, acpi->ioapic, acpi->gsi_of_irq0);
}

static void report_timers(const struct timer_info *t)
{
    char a[24], b[24];

    heading("Timers");
    if (t->rtc_present)
        serial_print("RTC says   %02u%02u-%02u-%02u %02u:%02u:%02u\n", t->rtc_time[0],
                     t->rtc_time[1], t->rtc_time[2], t->rtc_time[3], t->rtc_time[4], t->rtc_time[5],
                     t->rtc_time[6]);
    serial_print("%-9s %-8s %-14s %18s %18s\n", "timer", "ticks", "interrupts", "if PIT is right",
                 "if PM is right");
    for (int i = 0; i < TIMER_COUNT; i++) {
        const struct timer_row *r = &t->row[i];
        char irqs[24] = "-";

        if (!r->present) {
            serial_print("%-9s absent\n", r->name);
            continue;
        }
        if (r->irqs_wanted)
            text_format(irqs, sizeof(irqs), "%u of %u", r->irqs, r->irqs_wanted);
        serial_print("%-9s %-8s %-14s %18s %18s\n", r->name, r->ticks ? "yes" : "NO", irqs,
                     r->by_pit ? text_hz(a, r->by_pit) : "-",
                     r->by_pm ? text_hz(b, r->by_pm) : "-");
    }
    if (t->lapic_base)
        serial_print("local APIC at %08x, id %u, version %02x\n", t->lapic_base, t->lapic_id,
                     t->lapic_version & 0xff);
    else
        serial_print("no local APIC\n");
    if (!t->ioapic_base) {
        serial_print("no I/O APIC\n");
        return;
    }
    serial_print("I/O APIC at %08x, version %02x, %u inputs; ", t->ioapic_base, t->ioapic_version,
                 t->ioapic_pins);
    if (t->ioapic_tried)
        serial_print("PIT through it: %u interrupts\n", t->ioapic_irqs);
    else
        serial_print("not tried\n");
}

static void report_disk(const struct disk_info *disk)
{
    char size[24];

    heading("Disks");
    for (unsigned int i = 0; i < DRIVES; i++) {
        const struct drive *d = &disk->drive[i];

        serial_print("%-17s ", disk_position(i));
        if (d->kind == DRIVE_NONE) {
            serial_print("%s\n",
                         disk->channel[i / 2] ? "none" : "none (nothing answers on this channel)");
        } else if (d->kind == DRIVE_BROKEN) {
            serial_print("a drive that %s\n", d->trouble);
        } else {
            serial_print("%s  %s  serial %s  firmware %s\n", d->kind == DRIVE_ATA ? "ATA" : "ATAPI",
                         d->model, d->serial, d->firmware);
            if (d->kind == DRIVE_ATA)
                serial_print("%-17s %s, %llu sectors; sector 0 %s", "",
                             text_bytes(size, d->sectors * 512), (unsigned long long)d->sectors,
                             d->read_ok ? "read" : d->trouble);
            if (d->read_ns)
                serial_print(" in %llu us", (unsigned long long)div64(d->read_ns, 1000, NULL));
            if (d->read_ok)
                serial_print(", %s%s", d->signature ? "has a boot signature" : "no boot signature",
                             d->is_boot_disk ? ", is this lab's" : "");
            if (d->kind == DRIVE_ATA)
                serial_print("\n");
        }
    }
}

static void report_bench(const struct bench_info *b)
{
    heading("Access times");
    serial_print("measured with the %s, %u accesses each\n", b->by_tsc ? "TSC" : "PIT (batches)",
                 b->samples);
    serial_print("%-18s %10s %10s\n", "access", "min", "median");
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->row[i].done)
            serial_print("%-18s %7u ns %7u ns\n", b->row[i].name, b->row[i].min_ns,
                         b->row[i].median_ns);
        else
            serial_print("%-18s %10s %10s\n", b->row[i].name, "-", "-");
    }
}

void report_all(const struct lab *lab)
{
    serial_print("\nCandela lab: what this PC is made of\n");
    report_boot(lab);
    report_cpu(&lab->cpu);
    report_memory(lab->boot);
    report_pci(&lab->pci);
    report_acpi(&lab->acpi);
    report_timers(&lab->timers);
    report_disk(&lab->disk);
    report_bench(&lab->bench);
    screen_summary(lab);
    serial_print("\nLAB: done\n");
}

void report_exception(const struct irq_frame *f)
{
    serial_print("\nLAB: failed: exception %u, error %llx, at %llx\n", (unsigned int)f->vector,
                 (unsigned long long)f->error, (unsigned long long)f->ip);
    screen_fill(24, 0, SCREEN_COLS, ' ', ON_RED | WHITE);
    screen_print(24, 1, 78, ON_RED | WHITE, "LAB: failed: exception %u, error %llx, at %llx",
                 (unsigned int)f->vector, (unsigned long long)f->error, (unsigned long long)f->ip);
}
