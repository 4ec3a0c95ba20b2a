/*
 * The PC's timers, each measured against the others: the 8254 PIT, the MC146818 RTC, the ACPI
 * power-management timer, the local APIC's timer and the CPU's time-stamp counter.
 *
 * Method: the PIT interrupts 100 times a second. At one interrupt all counters are read, and 20
 * interrupts later again. The PIT made exactly 20 periods between the two, so "if the PIT is right"
 * every other counter's frequency follows; and if the machine has the PM timer, a second opinion
 * comes from that. Follows: Intel 8254 and Motorola MC146818A data sheets, ACPI 6 section 4.8.3.3.
 * Not modelled: PIT channel 1, HPET.
 */
#include "io.h"
#include "lab.h"

#define PIT_CH0       0x40
#define PIT_CMD       0x43
#define PIT_CH0_MODE2 0x34 /* channel 0, low then high byte, rate generator */
#define TICK_HZ       100
#define TICK_DIVISOR  (PIT_HZ / TICK_HZ)
#define TICKS         20

#define RTC_INDEX      0x70
#define RTC_DATA       0x71
#define RTC_A          0x0a
#define RTC_B          0x0b
#define RTC_C          0x0c
#define RTC_D          0x0d
#define RTC_A_1024HZ   0x26 /* 32,768 Hz crystal, divided to 1,024 Hz */
#define RTC_B_PERIODIC 0x40
#define RTC_B_BINARY   0x04
#define RTC_B_24H      0x02
#define RTC_TICKS      128 /* an eighth of a second */

struct moment {
    uint64_t tsc;
    uint32_t pm, lapic, rtc_irqs;
};

void pit_start(uint32_t divisor)
{
    outb(PIT_CMD, PIT_CH0_MODE2);
    outb(PIT_CH0, (uint8_t)divisor);
    outb(PIT_CH0, (uint8_t)(divisor >> 8));
}

uint16_t pit_latch(void)
{
    uint8_t low;

    outb(PIT_CMD, 0); /* latch channel 0 */
    low = inb(PIT_CH0);
    return (uint16_t)(low | inb(PIT_CH0) << 8);
}

uint8_t rtc_read(uint8_t reg)
{
    outb(RTC_INDEX, reg);
    return inb(RTC_DATA);
}

static void rtc_write(uint8_t reg, uint8_t v)
{
    outb(RTC_INDEX, reg);
    outb(RTC_DATA, v);
}

static uint8_t rtc_number(uint8_t v, uint8_t status_b)
{
    return status_b & RTC_B_BINARY ? v : (uint8_t)((v >> 4) * 10 + (v & 15));
}

/* The clock is read twice until both readings agree, so that an update in between does no harm. */
static void rtc_read_time(struct timer_info *t)
{
    static const uint8_t regs[7] = {0x32, 9, 8, 7, 4, 2, 0};
    uint8_t b = rtc_read(RTC_B), again[7];

    t->rtc_present = rtc_read(RTC_D) & 0x80 && rtc_read(RTC_A) != 0xff;
    if (!t->rtc_present)
        return;
    for (int tries = 0; tries < 10; tries++) {
        for (int i = 0; i < 7; i++)
            t->rtc_time[i] = rtc_read(regs[i]);
        for (int i = 0; i < 7; i++)
            again[i] = rtc_read(regs[i]);
        if (!memcmp(t->rtc_time, again, 7))
            break;
    }
    for (int i = 0; i < 7; i++) {
        bool pm = i == 4 && !(b & RTC_B_24H) && t->rtc_time[i] & 0x80;

        if (i == 4 && !(b & RTC_B_24H))
            t->rtc_time[i] &= 0x7f;
        t->rtc_time[i] = rtc_number(t->rtc_time[i], b);
        if (i == 4 && !(b & RTC_B_24H))
            t->rtc_time[i] = (uint8_t)(t->rtc_time[i] % 12 + (pm ? 12 : 0));
    }
}

/* The FADT names the port; without ACPI the PIIX4's own base register (PCI 00:01.3, offset 0x40)
 * does. */
static void pm_timer_find(struct lab *lab)
{
    struct timer_info *t = &lab->timers;

    if (lab->acpi.has_fadt && lab->acpi.pm_timer && lab->acpi.pm_timer < 0x10000)
        t->pm_port = (uint16_t)lab->acpi.pm_timer;
    else if (lab->pci.present && pci_read(0, 1, 3, 0) == 0x71138086)
        t->pm_port = (uint16_t)((pci_read(0, 1, 3, 0x40) & 0xffc0) + 8);
    t->row[TIMER_PM].present = t->pm_port > 8 && inl(t->pm_port) != 0xffffffff;
}

bool timers_wait_irqs(unsigned int vector, uint32_t n)
{
    uint32_t seen = irq_count(vector), end = seen + n;

    for (uint32_t i = 0; i < WAIT_LIMIT; i++) {
        uint32_t now = irq_count(vector);

        if ((int32_t)(now - end) >= 0)
            return true;
        if (now != seen) {
            seen = now;
            i = 0;
        }
        io_delay();
    }
    return false;
}

static void take_moment(const struct lab *lab, struct moment *m)
{
    m->tsc = lab->cpu.has_tsc ? rdtsc() : 0;
    m->pm = lab->timers.row[TIMER_PM].present ? inl(lab->timers.pm_port) : 0;
    m->lapic = lab->timers.lapic_base ? lapic_read(LAPIC_CURRENT) : 0;
    m->rtc_irqs = irq_count(VEC_PIC + 8);
}

/* count happened while the reference made ref_count periods at ref_hz. */
static uint64_t frequency(uint64_t count, uint64_t ref_hz, uint64_t ref_count)
{
    return div64(count * ref_hz + ref_count / 2, ref_count, NULL);
}

static void timer_result(struct timer_row *row, uint64_t count, uint64_t pit_count,
                         uint64_t pm_count)
{
    row->ticks = count != 0;
    row->by_pit = count && pit_count ? frequency(count, PIT_HZ, pit_count) : 0;
    row->by_pm = count && pm_count ? frequency(count, PM_HZ, pm_count) : 0;
}

static void rtc_interrupts(bool on)
{
    rtc_write(RTC_A, RTC_A_1024HZ);
    rtc_write(RTC_B, (uint8_t)((rtc_read(RTC_B) & ~0x70) | (on ? RTC_B_PERIODIC : 0)));
    rtc_read(RTC_C);
}

static void compare_counters(struct lab *lab)
{
    struct timer_info *t = &lab->timers;
    uint32_t pm_mask = lab->acpi.pm_timer_32 ? 0xffffffff : 0xffffff, ticks_before;
    uint64_t pit_count = 0, pm_count;
    struct moment a, b;

    pit_start(TICK_DIVISOR);
    pic_allow(1 << 0);
    irq_enable();
    timers_wait_irqs(VEC_PIC, 1);
    take_moment(lab, &a);
    ticks_before = irq_count(VEC_PIC);
    if (timers_wait_irqs(VEC_PIC, TICKS))
        pit_count = (uint64_t)(irq_count(VEC_PIC) - ticks_before) * TICK_DIVISOR;
    take_moment(lab, &b);
    irq_disable();
    pic_allow(0);

    pm_count = (b.pm - a.pm) & pm_mask;
    t->row[TIMER_PIT].irqs = irq_count(VEC_PIC) - ticks_before;
    t->row[TIMER_PIT].irqs_wanted = TICKS;
    timer_result(&t->row[TIMER_PIT], pit_count, pit_count, pm_count);
    timer_result(&t->row[TIMER_PM], pm_count, pit_count, pm_count);
    timer_result(&t->row[TIMER_LAPIC], (uint32_t)(a.lapic - b.lapic), pit_count, pm_count);
    timer_result(&t->row[TIMER_TSC], b.tsc - a.tsc, pit_count, pm_count);
}

/* The RTC can only be heard, not read: time a number of its interrupts with a counter that is known
 * by now. */
static void measure_rtc(struct lab *lab)
{
    struct timer_info *t = &lab->timers;
    struct timer_row *row = &t->row[TIMER_RTC];
    uint32_t pm_mask = lab->acpi.pm_timer_32 ? 0xffffffff : 0xffffff;
    uint64_t tsc, pm;
    struct moment a, b;

    if (!t->rtc_present)
        return;
    rtc_interrupts(true);
    pic_allow(1 << 8);
    irq_enable();
    timers_wait_irqs(VEC_PIC + 8, 1);
    take_moment(lab, &a);
    timers_wait_irqs(VEC_PIC + 8, RTC_TICKS);
    take_moment(lab, &b);
    irq_disable();
    pic_allow(0);
    rtc_interrupts(false);

    row->irqs = b.rtc_irqs - a.rtc_irqs;
    row->irqs_wanted = RTC_TICKS;
    row->ticks = row->irqs != 0;
    tsc = b.tsc - a.tsc;
    pm = (b.pm - a.pm) & pm_mask;
    if (tsc) {
        row->by_pit = frequency(row->irqs, t->row[TIMER_TSC].by_pit, tsc);
        row->by_pm = frequency(row->irqs, t->row[TIMER_TSC].by_pm, tsc);
    } else if (pm) {
        row->by_pit = frequency(row->irqs, t->row[TIMER_PM].by_pit, pm);
        row->by_pm = frequency(row->irqs, PM_HZ, pm);
    }
}

void timers_measure(struct lab *lab)
{
    struct timer_info *t = &lab->timers;
    uint16_t first;

    t->row[TIMER_PIT].name = "PIT";
    t->row[TIMER_RTC].name = "RTC";
    t->row[TIMER_PM].name = "ACPI PM";
    t->row[TIMER_LAPIC].name = "LAPIC";
    t->row[TIMER_TSC].name = "TSC";
    rtc_read_time(t);
    pm_timer_find(lab);
    pit_start(65536);
    first = pit_latch();
    for (int i = 0; i < 1000 && pit_latch() == first; i++)
        io_delay();
    t->row[TIMER_PIT].present = pit_latch() != first;
    t->row[TIMER_RTC].present = t->rtc_present;
    t->row[TIMER_LAPIC].present = t->lapic_base != 0;
    t->row[TIMER_TSC].present = lab->cpu.has_tsc;
    compare_counters(lab);
    measure_rtc(lab);
    apic_test_timer(lab);
    if (t->row[TIMER_PIT].ticks)
        apic_test_ioapic(lab);
    pit_start(65536);
    t->tsc_hz = t->row[TIMER_TSC].by_pit ? t->row[TIMER_TSC].by_pit : t->row[TIMER_TSC].by_pm;
}
