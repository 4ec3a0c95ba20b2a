/*
 * The 16550A: identification, FIFO, interrupts and their priorities, time-out, modem lines,
 * loop-back, back-pressure.
 *
 * Not modelled: see hw/uart.c.
 */
#include "hw/uart.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

#define BASE 0x3f8
enum { DATA = BASE, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static struct device *uart;
static struct rig_pin irq;

/* The host's end of the line. */
static struct host {
    struct chr chr;
    GString *got;
    size_t room;       /* bytes write takes */
    const char *input; /* what there is to read */
    bool in_break;
} host;

static void host_feed(void)
{
    while (*host.input) {
        size_t n = host.chr.front->can_read(host.chr.opaque);
        n = MIN(n, strlen(host.input));
        if (!n) {
            return;
        }
        const char *at = host.input;
        host.input += n;
        host.chr.front->read(host.chr.opaque, (const uint8_t *)at, n);
    }
}

static size_t host_write(struct chr *c, const uint8_t *buf, size_t len)
{
    (void)c;
    len = MIN(len, host.room);
    g_string_append_len(host.got, (const char *)buf, len);
    host.room -= len;
    return len;
}

static void host_accept(struct chr *c)
{
    (void)c;
    host_feed();
}

static void host_break(struct chr *c, bool on)
{
    (void)c;
    host.in_break = on;
}

static const struct chr_ops host_ops = {
    .write = host_write, .accept_input = host_accept, .set_break = host_break};

static struct rig *begin(void)
{
    struct rig *r = rig_begin(NULL);
    host = (struct host){.chr = {.ops = &host_ops, .open = true},
                         .got = g_string_new(NULL),
                         .room = 1000,
                         .input = ""};
    r->m->serial[0] = &host.chr;
    uart = device_new(r->m, &uart_ops, "uart0");
    irq = (struct rig_pin){0};
    rig_connect(uart_irq(uart), &irq);
    rig_ready(r);
    rig_out8(r, MCR, 0x0b);
    return r;
}

static void finish(struct rig *r)
{
    r->m->serial[0] = NULL;
    rig_free(r);
    g_string_free(host.got, TRUE);
}

static void type(const char *text)
{
    host.input = text;
    host_feed();
}

Test(uart, looks_like_a_16550a_to_linux)
{
    struct rig *r = begin();
    rig_out8(r, IER, 0);
    cr_expect_eq(rig_in8(r, IER), 0);
    rig_out8(r, IER, 0xff);
    cr_expect_eq(rig_in8(r, IER), 0x0f);
    rig_out8(r, IER, 0);
    rig_out8(r, MCR, 0x1a); /* loop: RTS, OUT2 */
    cr_expect_eq(rig_in8(r, MSR) & 0xf0, 0x90);
    rig_out8(r, MCR, 0x0b);
    cr_expect_eq(rig_in8(r, IIR) >> 6, 0);
    rig_out8(r, IIR, 0x01);
    cr_expect_eq(rig_in8(r, IIR) >> 6, 3);
    rig_out8(r, IIR, 0x21);
    cr_expect_eq(rig_in8(r, IIR) & 0x20, 0, "no 64-byte FIFO");
    rig_out8(r, SCR, 0xa5);
    cr_expect_eq(rig_in8(r, SCR), 0xa5);
    rig_out8(r, LCR, 0x83);
    rig_out8(r, DATA, 0x34);
    rig_out8(r, IER, 0x12);
    cr_expect_eq(rig_in8(r, DATA), 0x34);
    cr_expect_eq(rig_in8(r, IER), 0x12);
    rig_out8(r, LCR, 0x03);
    cr_expect_eq(rig_in8(r, IER), 0);
    cr_expect_eq(rig_in8(r, LCR), 0x03);
    finish(r);
}

Test(uart, transmits_at_once_and_asks_for_more)
{
    struct rig *r = begin();
    rig_out8(r, IER, 2);
    cr_expect(irq.level, "enabling THRE with an empty transmitter asks");
    cr_expect_eq(rig_in8(r, IIR), 2);
    cr_expect_not(irq.level, "reading IIR ends it");
    cr_expect_eq(rig_in8(r, IIR), 1);
    rig_out8(r, DATA, 'x');
    cr_expect(irq.level);
    cr_expect_eq(rig_in8(r, LSR) & 0x60, 0x60);
    rig_out8(r, DATA, 'y');
    cr_expect_eq(irq.rises, 3, "each byte makes an edge: %u", irq.rises);
    cr_expect_str_eq(host.got->str, "xy");
    finish(r);
}

Test(uart, waits_when_the_host_end_is_full)
{
    struct rig *r = begin();
    host.room = 3;
    rig_out8(r, IIR, 1);
    rig_out8(r, IER, 2);
    rig_in8(r, IIR);
    for (unsigned i = 0; i < 16; i++) {
        rig_out8(r, DATA, 'a' + i);
    }
    cr_expect_eq(rig_in8(r, LSR) & 0x60, 0, "busy");
    cr_expect_not(irq.level);
    host.room = 5;
    host.chr.front->writable(host.chr.opaque);
    cr_expect_not(irq.level);
    host.room = 100;
    host.chr.front->writable(host.chr.opaque);
    cr_expect(irq.level);
    cr_expect_eq(rig_in8(r, LSR) & 0x60, 0x60);
    cr_expect_str_eq(host.got->str, "abcdefghijklmnop");
    host.room = 0;
    for (unsigned i = 0; i < 1000; i++) {
        rig_out8(r, DATA, 'z'); /* overruns nothing but itself */
    }
    finish(r);
}

Test(uart, receives_without_fifo_one_byte_at_a_time)
{
    struct rig *r = begin();
    rig_out8(r, IER, 1);
    type("abc");
    cr_expect(irq.level);
    cr_expect_eq(rig_in8(r, IIR), 4);
    cr_expect_eq(rig_in8(r, LSR), 0x61);
    cr_expect_eq(rig_in8(r, DATA), 'a');
    cr_expect_eq(rig_in8(r, DATA), 'b', "the next follows when there is room");
    cr_expect_eq(rig_in8(r, DATA), 'c');
    cr_expect_not(irq.level);
    cr_expect_eq(rig_in8(r, LSR), 0x60);
    cr_expect_eq(rig_in8(r, DATA), 'c', "an empty receiver shows the last byte");
    finish(r);
}

Test(uart, fifo_interrupts_at_the_trigger_level_and_on_time_out)
{
    static const unsigned level[4] = {1, 4, 8, 14};
    for (unsigned i = 1; i < 4; i++) {
        struct rig *r = begin();
        rig_out8(r, IIR, i << 6 | 1);
        rig_out8(r, IER, 1);
        char text[17] = "0123456789abcdef";
        text[level[i] - 1] = 0;
        type(text);
        cr_expect_not(irq.level, "level %u", level[i]);
        rig_step(r, 20 * NS_PER_MS);
        cr_expect(irq.level);
        cr_expect_eq(rig_in8(r, IIR), 0xcc, "time-out");
        type("!");
        cr_expect_eq(rig_in8(r, IIR), 0xc4, "trigger level");
        rig_in8(r, DATA);
        cr_expect_not(irq.level, "below the level, and the time-out starts again");
        rig_step(r, 20 * NS_PER_MS);
        cr_expect(irq.level);
        rig_out8(r, IIR, i << 6 | 3);
        cr_expect_not(irq.level, "FIFO cleared");
        cr_expect_not(rig_in8(r, LSR) & 1);
        finish(r);
    }
}

Test(uart, fifo_holds_16_and_leaves_the_rest_to_the_host)
{
    struct rig *r = begin();
    rig_out8(r, IIR, 1);
    type("0123456789abcdefghij");
    cr_expect_str_eq(host.input, "ghij");
    cr_expect_not(rig_in8(r, LSR) & 2, "no overrun");
    for (const char *p = "0123456789abcdefghij"; *p; p++) {
        cr_expect_eq(rig_in8(r, DATA), *p);
    }
    cr_expect_not(rig_in8(r, LSR) & 1);
    type("0123456789abcdef");
    host.chr.front->read(host.chr.opaque, (const uint8_t *)"xyz", 3); /* a host that does not ask */
    cr_expect(rig_in8(r, LSR) & 2, "overrun");
    cr_expect_not(rig_in8(r, LSR) & 2, "until read");
    finish(r);
}

Test(uart, priorities_of_interrupt_causes)
{
    struct rig *r = begin();
    rig_in8(r, MSR);
    host.chr.open = false;
    host.chr.front->connected(host.chr.opaque, false);
    host.chr.front->got_break(host.chr.opaque);
    rig_out8(r, IER, 0x0f);
    cr_expect_eq(rig_in8(r, IIR), 6, "line status first");
    cr_expect_eq(rig_in8(r, LSR), 0x71);
    cr_expect_eq(rig_in8(r, IIR), 4, "then data");
    rig_in8(r, DATA);
    cr_expect_eq(rig_in8(r, IIR), 2, "then the transmitter");
    cr_expect_eq(rig_in8(r, IIR), 0, "then the modem lines");
    cr_expect_eq(rig_in8(r, MSR), 0x0b);
    cr_expect_eq(rig_in8(r, IIR), 1);
    cr_expect_not(irq.level);
    finish(r);
}

Test(uart, out2_gates_the_interrupt)
{
    struct rig *r = begin();
    rig_out8(r, MCR, 0x03);
    rig_out8(r, IER, 2);
    cr_expect_not(irq.level);
    rig_out8(r, MCR, 0x0b);
    cr_expect(irq.level);
    finish(r);
}

Test(uart, loop_back_returns_bytes_breaks_and_modem_lines)
{
    struct rig *r = begin();
    rig_out8(r, IIR, 1);
    rig_out8(r, MCR, 0x1f);
    cr_expect_eq(rig_in8(r, MSR) & 0xf0, 0xf0);
    rig_out8(r, MCR, 0x10);
    cr_expect_eq(rig_in8(r, MSR), 0x0f, "all fell");
    rig_out8(r, DATA, 0x5a);
    cr_expect_eq(rig_in8(r, DATA), 0x5a);
    cr_expect_str_eq(host.got->str, "");
    rig_out8(r, LCR, 0x43);
    cr_expect_eq(rig_in8(r, LSR) & 0x91, 0x91);
    cr_expect_not(host.in_break);
    for (unsigned i = 0; i < 40; i++) {
        rig_out8(r, DATA, i);
    }
    cr_expect(rig_in8(r, LSR) & 2, "overrun");
    type("zz");
    cr_expect_str_eq(host.input, "zz", "the host waits");
    rig_out8(r, IIR, 3);
    rig_out8(r, MCR, 0x0b);
    cr_expect_eq(rig_in8(r, DATA), 'z');
    finish(r);
}

Test(uart, break_reaches_the_host)
{
    struct rig *r = begin();
    rig_out8(r, LCR, 0x43);
    cr_expect(host.in_break);
    rig_out8(r, LCR, 0x03);
    cr_expect_not(host.in_break);
    finish(r);
}

Test(uart, without_a_peer_output_vanishes_and_no_line_is_up)
{
    struct rig *r = rig_begin(NULL);
    uart = device_new(r->m, &uart_ops, "uart1");
    cr_assert(device_set(uart, "base", "0x2f8", NULL));
    cr_assert(device_set(uart, "index", "1", NULL));
    rig_ready(r);
    rig_out8(r, 0x2f8, 'x');
    cr_expect_eq(rig_in8(r, 0x2fd), 0x60);
    cr_expect_eq(rig_in8(r, 0x2fe), 0);
    cr_expect_eq(rig_in8(r, 0x3fd), 0xff, "nothing at the other base");
    rig_free(r);
}

/* PC16550D: once the time-out has occurred, only reading a byte ends it. */
Test(uart, time_out_stays_when_more_comes)
{
    struct rig *r = begin();
    rig_out8(r, IIR, 0xc1); /* 14 bytes */
    rig_out8(r, IER, 1);
    type("ab");
    rig_step(r, 20 * NS_PER_MS);
    cr_expect_eq(rig_in8(r, IIR), 0xcc);
    type("c");
    cr_expect_eq(rig_in8(r, IIR), 0xcc, "still");
    cr_expect(irq.level && irq.rises == 1 && irq.falls == 0);
    cr_expect_eq(rig_in8(r, DATA), 'a');
    cr_expect_eq(rig_in8(r, IIR), 0xc1);
    rig_step(r, 20 * NS_PER_MS);
    cr_expect_eq(rig_in8(r, IIR), 0xcc);
    finish(r);
}

/* An error shows when its byte is at the head, and until LSR is read; bit 7 tells of the others. */
Test(uart, errors_show_with_their_byte_until_lsr_is_read)
{
    struct rig *r = begin();
    rig_out8(r, IIR, 0xc1);
    rig_out8(r, IER, 4);
    type("a");
    host.chr.front->got_break(host.chr.opaque);
    type("b");
    cr_expect_not(irq.level);
    cr_expect_eq(rig_in8(r, LSR), 0xe1, "an error somewhere in the FIFO");
    cr_expect_eq(rig_in8(r, LSR), 0xe1, "and it stays there");
    cr_expect_eq(rig_in8(r, DATA), 'a');
    cr_expect(irq.level);
    cr_expect_eq(rig_in8(r, IIR), 0xc6);
    cr_expect_eq(rig_in8(r, DATA), 0, "the break's byte");
    cr_expect_eq(rig_in8(r, DATA), 'b');
    cr_expect(irq.level, "reading data does not clear it");
    cr_expect_eq(rig_in8(r, LSR), 0xf0);
    cr_expect_not(irq.level);
    cr_expect_eq(rig_in8(r, LSR), 0x60);
    host.chr.front->got_break(host.chr.opaque);
    rig_out8(r, IIR, 0xc3);
    cr_expect_eq(rig_in8(r, LSR), 0x60, "a cleared FIFO has no errors");
    rig_out8(r, IIR, 0);
    host.chr.front->got_break(host.chr.opaque);
    cr_expect_eq(rig_in8(r, LSR), 0x71, "a 16450 has no bit 7");
    finish(r);
}

Test(uart, a_16450_loses_the_older_byte)
{
    struct rig *r = begin();
    host.chr.front->read(host.chr.opaque, (const uint8_t *)"xy", 2);
    cr_expect_eq(rig_in8(r, LSR), 0x63);
    cr_expect_eq(rig_in8(r, DATA), 'y');
    cr_expect_eq(rig_in8(r, LSR), 0x60);
    finish(r);
}

Test(uart, modem_deltas_and_the_trailing_edge_of_the_ring)
{
    static const struct {
        uint8_t mcr, msr; /* in this order; reading MSR clears the deltas */
    } rows[] = {{0x10, 0x0b}, {0x11, 0x22}, {0x13, 0x31}, {0x1b, 0xb8}, {0x1b, 0xb0}, {0x1f, 0xf0},
                {0x1b, 0xb4}, {0x12, 0x1a}, {0x10, 0x01}, {0x14, 0x40}, {0x10, 0x04}};
    struct rig *r = begin();

    rig_in8(r, MSR);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        rig_out8(r, MCR, rows[i].mcr);
        cr_expect_eq(rig_in8(r, MSR), rows[i].msr, "row %u", i);
    }
    rig_out8(r, MCR, 0x0b);
    rig_in8(r, MSR);
    rig_out8(r, IER, 8);
    host.chr.open = false;
    host.chr.front->connected(host.chr.opaque, false);
    cr_expect(irq.level);
    cr_expect_eq(rig_in8(r, IIR), 0);
    cr_expect_eq(rig_in8(r, MSR), 0x0b, "the peer's lines fell");
    cr_expect_not(irq.level);
    finish(r);
}

/* What a peer with hardware flow control does. */
Test(uart, input_waits_while_rts_says_so)
{
    struct rig *r = begin();
    rig_out8(r, IIR, 1);
    rig_out8(r, MCR, 0x09);
    type("abc");
    cr_expect_eq(rig_in8(r, LSR), 0x60);
    rig_out8(r, MCR, 0x0b);
    cr_expect_eq(rig_in8(r, DATA), 'a');
    rig_out8(r, MCR, 0x00);
    type("de");
    for (const char *p = "bcde"; *p; p++) {
        cr_expect_eq(rig_in8(r, DATA), *p, "without DTR there is no flow control");
    }
    finish(r);
}

/* 9600 baud, 8 bits and a stop bit: 1041.66 us. */
Test(uart, a_paced_line_sends_at_the_programmed_speed)
{
    struct rig *r = begin();
    host.chr.paced = true;
    rig_out8(r, LCR, 0x03);
    rig_out8(r, IIR, 1);
    rig_out8(r, IER, 2);
    rig_in8(r, IIR);
    rig_out8(r, DATA, 'a');
    cr_expect_eq(rig_in8(r, LSR), 0x20, "in the shift register");
    cr_expect(irq.level, "the FIFO is empty");
    cr_expect_eq(rig_in8(r, IIR), 0xc2);
    for (const char *p = "bcd"; *p; p++) {
        rig_out8(r, DATA, *p);
    }
    cr_expect_eq(rig_in8(r, LSR), 0);
    rig_step(r, 1041 * NS_PER_US);
    cr_expect_str_eq(host.got->str, "");
    rig_step(r, NS_PER_US);
    cr_expect_str_eq(host.got->str, "a");
    rig_step(r, 2 * 1042 * NS_PER_US);
    cr_expect_str_eq(host.got->str, "abc");
    cr_expect_eq(rig_in8(r, LSR), 0x20);
    cr_expect(irq.level);
    host.room = 0;
    rig_step(r, 10 * NS_PER_MS);
    cr_expect_eq(rig_in8(r, LSR), 0x20, "the host end is full");
    host.room = 100;
    host.chr.front->writable(host.chr.opaque);
    cr_expect_str_eq(host.got->str, "abcd");
    cr_expect_eq(rig_in8(r, LSR), 0x60);
    rig_out8(r, LCR, 0x80);
    rig_out8(r, DATA, 1);   /* 115200 */
    rig_out8(r, LCR, 0x1f); /* parity, two stop bits */
    rig_out8(r, DATA, 'e');
    rig_step(r, 104 * NS_PER_US);
    cr_expect_eq(host.got->len, 4);
    rig_step(r, NS_PER_US);
    cr_expect_eq(host.got->len, 5);
    finish(r);
}

Test(uart, a_paced_line_receives_at_the_programmed_speed)
{
    struct rig *r = begin();
    host.chr.paced = true;
    rig_out8(r, LCR, 0x03);
    rig_out8(r, IIR, 0xc1);
    rig_out8(r, IER, 1);
    rig_step(r, NS_PER_SEC);
    type("0123456789abcdef0123456789");
    cr_expect_eq(strlen(host.input), 25);
    rig_step(r, 3 * 1042 * NS_PER_US);
    cr_expect_eq(strlen(host.input), 22);
    rig_step(r, 9 * 1042 * NS_PER_US);
    cr_expect_not(irq.level);
    rig_step(r, 1042 * NS_PER_US);
    cr_expect(irq.level, "14 bytes");
    cr_expect_eq(rig_in8(r, IIR), 0xc4);
    rig_step(r, NS_PER_SEC);
    cr_expect_str_eq(host.input, "0123456789", "what finds no room waits");
    cr_expect_not(rig_in8(r, LSR) & 2);
    rig_out8(r, MCR, 0x1b); /* loop-back takes its time too */
    rig_out8(r, IIR, 3);
    rig_out8(r, DATA, 'l');
    cr_expect_not(rig_in8(r, LSR) & 1);
    rig_step(r, 1042 * NS_PER_US);
    cr_expect_eq(rig_in8(r, DATA), 'l');
    finish(r);
}
