/*
 * The local APIC with its timer, and the I/O APIC.
 * Follows: Intel SDM volume 3 chapter 10 (APIC), Intel 82093AA data sheet (I/O APIC). Not modelled:
 * x2APIC, other CPUs, the TSC-deadline mode, more than one I/O APIC.
 */
#include "io.h"
#include "lab.h"

#define MSR_APIC_BASE    0x1b
#define APIC_BASE_ENABLE 0x800
#define APIC_BASE_X2     0x400

#define LAPIC_ID        0x020
#define LAPIC_EOI       0x0b0
#define LAPIC_SPURIOUS  0x0f0
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_INITIAL   0x380
#define LAPIC_DIVIDE    0x3e0
#define LVT_MASKED      0x10000
#define LVT_PERIODIC    0x20000
#define LVT_EXTINT      0x700
#define LVT_NMI         0x400
#define DIVIDE_BY_1     0x0b
#define SPURIOUS_ENABLE 0x100

#define IOAPIC_SELECT   0x00
#define IOAPIC_WINDOW   0x10
#define IOAPIC_VERSION  0x01
#define IOAPIC_REDIRECT 0x10 /* two registers per pin */

#define TEST_HZ   200u
#define TEST_IRQS 10u

/* 0 = no local APIC. The interrupt handler needs it, so it is not in struct lab alone. */
static uintptr_t lapic;

uint32_t lapic_read(uint32_t reg)
{
    return mmio_read(lapic + reg);
}

static void lapic_write(uint32_t reg, uint32_t v)
{
    mmio_write(lapic + reg, v);
}

void apic_eoi(void)
{
    if (lapic)
        lapic_write(LAPIC_EOI, 0);
}

static void apic_find_local(struct lab *lab)
{
    uint64_t base = 0xfee00000 | APIC_BASE_ENABLE;
    uint32_t version;

    if (!lab->cpu.has_apic)
        return;
    if (lab->cpu.has_msr && lab->cpu.family >= 6)
        base = rdmsr(MSR_APIC_BASE);
    if (!(base & APIC_BASE_ENABLE) || (base & APIC_BASE_X2) || base >> 32)
        return;
    version = mmio_read((uintptr_t)(base & 0xfffff000) + LAPIC_VERSION);
    if (version == 0xffffffff || version == 0)
        return;
    lapic = (uintptr_t)(base & 0xfffff000);
    lab->timers.lapic_base = (uint32_t)lapic;
    lab->timers.lapic_id = lapic_read(LAPIC_ID) >> 24;
    lab->timers.lapic_version = version;
}

static uint32_t ioapic_read(const struct timer_info *t, uint32_t reg)
{
    mmio_write(t->ioapic_base + IOAPIC_SELECT, reg);
    return mmio_read(t->ioapic_base + IOAPIC_WINDOW);
}

static void ioapic_write(const struct timer_info *t, uint32_t reg, uint32_t v)
{
    mmio_write(t->ioapic_base + IOAPIC_SELECT, reg);
    mmio_write(t->ioapic_base + IOAPIC_WINDOW, v);
}

static void apic_find_io(struct lab *lab)
{
    struct timer_info *t = &lab->timers;
    uint32_t version;

    if (lab->acpi.ioapic < 0xc0000000) /* also: the MADT names none */
        return;
    t->ioapic_base = lab->acpi.ioapic & ~0xffu;
    version = ioapic_read(t, IOAPIC_VERSION);
    if (version == 0xffffffff || version == 0) {
        t->ioapic_base = 0;
        return;
    }
    t->ioapic_version = version & 0xff;
    t->ioapic_pins = (version >> 16 & 0xff) + 1;
}

void apic_init(struct lab *lab)
{
    apic_find_local(lab);
    apic_find_io(lab);
    if (!lapic)
        return;
    lapic_write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | VEC_SPURIOUS);
    lapic_write(LAPIC_LVT_LINT0,
                LVT_EXTINT); /* "virtual wire": the PICs' interrupts pass through */
    lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VEC_LAPIC);
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_INITIAL, 0xffffffff); /* counts down from here; timers.c compares */
}

void apic_test_timer(struct lab *lab)
{
    struct timer_row *row = &lab->timers.row[TIMER_LAPIC];
    uint64_t hz = row->by_pit ? row->by_pit : row->by_pm;
    uint32_t before = irq_count(VEC_LAPIC);

    if (!lapic || !hz)
        return;
    row->irqs_wanted = TEST_IRQS;
    lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | VEC_LAPIC);
    lapic_write(LAPIC_INITIAL, (uint32_t)div64(hz, TEST_HZ, NULL));
    irq_enable();
    timers_wait_irqs(VEC_LAPIC, TEST_IRQS);
    irq_disable();
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VEC_LAPIC);
    row->irqs = irq_count(VEC_LAPIC) - before;
    lapic_write(LAPIC_INITIAL, 0xffffffff);
}

/* The same PIT interrupt, but by way of the I/O APIC: the MADT says at which pin IRQ 0 arrives
 * (usually 2). */
void apic_test_ioapic(struct lab *lab)
{
    struct timer_info *t = &lab->timers;
    uint32_t pin = lab->acpi.gsi_of_irq0 - lab->acpi.ioapic_gsi;
    uint32_t before = irq_count(VEC_IOAPIC);

    if (!lapic || !t->ioapic_base || pin >= t->ioapic_pins)
        return;
    t->ioapic_tried = true;
    pic_allow(0);
    ioapic_write(t, IOAPIC_REDIRECT + 2 * pin + 1, t->lapic_id << 24);
    ioapic_write(t, IOAPIC_REDIRECT + 2 * pin,
                 VEC_IOAPIC); /* fixed delivery, edge, high, not masked */
    pit_start(PIT_HZ / 100);
    irq_enable();
    timers_wait_irqs(VEC_IOAPIC, TEST_IRQS);
    irq_disable();
    ioapic_write(t, IOAPIC_REDIRECT + 2 * pin, LVT_MASKED | VEC_IOAPIC);
    t->ioapic_irqs = irq_count(VEC_IOAPIC) - before;
}
