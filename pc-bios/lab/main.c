/*
 * The C program's order of work. start.S comes here; after this nothing runs.
 * The one struct lab is the only state besides the handler's counters (irq.c), the local APIC's
 * address (apic.c) and the serial port's state (console.c). There is no heap.
 */
#include "lab.h"

static struct lab the_lab;

void lab_main(const struct boot_info *boot);

static void step(const char *what)
{
    screen_status(ON_BLUE | WHITE, what);
}

void lab_main(const struct boot_info *boot)
{
    struct lab *lab = &the_lab;

    lab->boot = boot;
    lab->uart = console_init();
    screen_title();
    irq_init();
    step("asking the CPU ...");
    cpu_detect(&lab->cpu);
    step("walking PCI ...");
    pci_walk(&lab->pci);
    step("reading ACPI tables ...");
    acpi_find(&lab->acpi);
    step("comparing timers ...");
    apic_init(lab);
    timers_measure(lab);
    step("looking for disks ...");
    disk_probe(lab);
    step("timing accesses ...");
    bench_run(lab);
    report_all(lab);
    if (boot->power_mode == 0) {
        screen_status(ON_GREEN | WHITE,
                      "LAB: done    The full report is on COM1.    Press a key to power off.");
        power_wait_key(lab);
    } else {
        screen_status(ON_GREEN | WHITE, "LAB: done    The full report is on COM1.");
    }
    power_off(lab);
    screen_status(ON_BLUE | WHITE,
                  "LAB: done    This machine has no power switch that the lab knows.");
    serial_print("power off failed\n");
}
