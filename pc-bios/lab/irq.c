/*
 * Interrupts: the descriptor table, the two 8259 interrupt controllers, and one handler that
 * counts. Follows: Intel SDM volume 3 section 6.10 (IDT), Intel 8259A data sheet. Not modelled:
 * nesting, priorities other than the controllers' own. The local APIC and the I/O APIC are in
 * apic.c.
 */
#include "io.h"
#include "lab.h"

#define PIC1_CMD     0x20
#define PIC1_DATA    0x21
#define PIC2_CMD     0xa0
#define PIC2_DATA    0xa1
#define PIC_EOI      0x20
#define PIC_READ_ISR 0x0b
#define PIC_CASCADE  2

#define GATE_INTERRUPT 0x8e00 /* present, privilege 0, interrupts off in the handler */
#define RTC_IRQ        8
#define RTC_STATUS_C   0x0c

extern const char irq_stubs[]; /* start.S: 16 bytes each */

/* Counted by the handler, read by the tests. */
static volatile uint32_t counts[IRQ_VECTORS];

/* One gate is 8 bytes on a 32-bit CPU and 16 in long mode. */
static struct {
    uint32_t word[sizeof(void *) == 8 ? 4 : 2];
} idt[IRQ_VECTORS] __attribute__((aligned(16)));

static void idt_set(unsigned int vector)
{
    uintptr_t entry = (uintptr_t)irq_stubs + 16 * vector;
    uint32_t selector = sizeof(void *) == 8 ? SEL_CODE64 : SEL_CODE32;

    idt[vector].word[0] = selector << 16 | (entry & 0xffff);
    idt[vector].word[1] =
        (entry & 0xffff0000) | GATE_INTERRUPT; /* long mode: the upper half stays 0 */
}

static void idt_load(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uintptr_t base;
    } ptr = {sizeof(idt) - 1, (uintptr_t)idt};

    __asm__ volatile("lidt %0" : : "m"(ptr));
}

/* Moves the PICs to vectors 0x20 to 0x2F: where the BIOS has them, IRQ 0 looks like a double fault.
 */
static void pic_init(void)
{
    outb(PIC1_CMD, 0x11); /* ICW1: edge triggered, cascaded, ICW4 follows */
    io_delay();
    outb(PIC2_CMD, 0x11);
    io_delay();
    outb(PIC1_DATA, VEC_PIC); /* ICW2: vector base */
    io_delay();
    outb(PIC2_DATA, VEC_PIC + 8);
    io_delay();
    outb(PIC1_DATA, 1 << PIC_CASCADE); /* ICW3: the second PIC hangs on IRQ 2 */
    io_delay();
    outb(PIC2_DATA, PIC_CASCADE);
    io_delay();
    outb(PIC1_DATA, 0x01); /* ICW4: 8086 mode */
    io_delay();
    outb(PIC2_DATA, 0x01);
    io_delay();
    pic_allow(0);
}

void pic_allow(uint16_t mask)
{
    if (mask & 0xff00)
        mask |= 1 << PIC_CASCADE;
    outb(PIC1_DATA, (uint8_t)~mask);
    outb(PIC2_DATA, (uint8_t)(~mask >> 8));
}

void irq_init(void)
{
    for (unsigned int i = 0; i < IRQ_VECTORS; i++)
        idt_set(i);
    idt_load();
    pic_init();
}

/* A line that falls back too early makes a PIC answer 7 or 15 with nothing in service. */
static bool pic_is_spurious(unsigned int irq)
{
    uint16_t cmd = irq < 8 ? PIC1_CMD : PIC2_CMD;

    if ((irq & 7) != 7)
        return false;
    outb(cmd, PIC_READ_ISR);
    return !(inb(cmd) & 0x80);
}

static void pic_handle(unsigned int irq)
{
    bool spurious = pic_is_spurious(irq);

    if (!spurious)
        counts[VEC_PIC + irq]++;
    if (irq == RTC_IRQ)
        rtc_read(RTC_STATUS_C); /* without this read the RTC raises no further interrupt */
    if (irq >= 8 && !spurious)
        outb(PIC2_CMD, PIC_EOI);
    if (irq >= 8 || !spurious)
        outb(PIC1_CMD, PIC_EOI);
}

void irq_dispatch(struct irq_frame *f)
{
    if (f->vector < 32) {
        report_exception(f);
        for (;;)
            __asm__ volatile("cli; hlt");
    }
    if (f->vector < VEC_PIC + 16) {
        pic_handle((unsigned int)f->vector - VEC_PIC);
        return;
    }
    if (f->vector < IRQ_VECTORS)
        counts[f->vector]++;
    if (f->vector != VEC_SPURIOUS)
        apic_eoi();
}

uint32_t irq_count(unsigned int vector)
{
    return counts[vector];
}
