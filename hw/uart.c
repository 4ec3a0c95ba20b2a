/*
 * National Semiconductor PC16550D serial port, as a 16550A.
 *
 * Follows the PC16550D data sheet (1995).  The line runs at the speed of the host: a byte leaves as
 * soon as it is written, and bytes arrive as fast as the guest reads them, except that the receive
 * time-out counts character times of the programmed speed.  On a paced stream (chr->paced) every
 * byte takes its time on the line, both ways.  When the host end is full the transmitter stays busy
 * until it has room again.
 *
 * The host's end holds its bytes back where a peer with hardware flow control would (DTR is on, RTS
 * off), and also where a real one would overrun the receiver: no byte is lost on the line.
 *
 * Not modelled: parity and framing errors, the effect of the line format on the data, stick parity,
 * the DMA mode pins, the delay of the first THRE interrupt by a character time.
 */
#include "hw/uart.h"

enum { FIFO_BYTES = 16 };
#define UART_CLOCK_HZ   115200 /* 1.8432 MHz / 16 */
#define LINE_LATE_CHARS 16     /* what a paced line makes up for, at least this time */
#define LINE_LATE_NS    (20 * NS_PER_MS)
#define TIMEOUT_MIN_NS  (100 * NS_PER_US)
#define TIMEOUT_MAX_NS  (20 * NS_PER_MS)

enum { IER_RDA = 1, IER_THRE = 2, IER_RLS = 4, IER_MSI = 8 };
enum {
    IIR_NONE = 1,
    IIR_MSI = 0,
    IIR_THRE = 2,
    IIR_RDA = 4,
    IIR_RLS = 6,
    IIR_TIMEOUT = 12,
    IIR_FIFOS = 0xc0
};
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4 };
enum { LCR_BITS = 3, LCR_STOP = 4, LCR_PARITY = 8, LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16 };
enum {
    LSR_DR = 1,
    LSR_OE = 2,
    LSR_PE = 4,
    LSR_FE = 8,
    LSR_BI = 16,
    LSR_THRE = 32,
    LSR_TEMT = 64,
    LSR_FIFO_ERR = 128
};
enum { LSR_ERRORS = LSR_OE | LSR_PE | LSR_FE | LSR_BI };
enum { MSR_DELTAS = 0x0f, MSR_TERI = 4, MSR_CTS = 16, MSR_DSR = 32, MSR_RI = 64, MSR_DCD = 128 };

struct uart {
    struct device dev;
    struct uart_state {
        struct timer timeout; /* character time-out of the receive FIFO */
        struct timer sent;    /* paced: the shift register is empty again */
        struct timer arrive;  /* paced: the next byte may come in */
        struct line irq;
        uint64_t rx_next; /* paced: when that is */
        uint8_t rx[FIFO_BYTES], rx_err[FIFO_BYTES], tx[FIFO_BYTES];
        uint16_t divisor;
        uint8_t rx_head, rx_len, tx_len;
        uint8_t ier, fcr, lcr, mcr, scr;
        uint8_t rbr;    /* what an empty receiver shows */
        uint8_t errors; /* LSR_ERRORS since LSR was read: an overrun, or of bytes that came first */
        uint8_t msr;    /* deltas in the low half */
        uint8_t tsr;    /* the byte on the line */
        bool thre_pending, timed_out, tsr_full;
        uint8_t hole[7];
    } s;
    struct chr *chr;
    uint64_t base, index; /* properties */
};

#define F(m, ...) STATE(struct uart, s.m, __VA_ARGS__)
static const struct state_field uart_state[] = {
    F(timeout),
    F(sent),
    F(arrive),
    F(irq),
    F(rx_next, .max = INT64_MAX / 2),
    STATE_ARRAY(struct uart, s.rx),
    STATE_ARRAY(struct uart, s.rx_err),
    STATE_ARRAY(struct uart, s.tx),
    F(divisor, .reset = 12),
    F(rx_head, .max = FIFO_BYTES - 1),
    F(rx_len, .max = FIFO_BYTES),
    F(tx_len, .max = FIFO_BYTES),
    F(ier, .max = 15),
    F(fcr),
    F(lcr),
    F(mcr, .max = 31),
    F(scr),
    F(rbr),
    F(errors, .max = LSR_ERRORS),
    F(msr),
    F(tsr),
    F(thre_pending),
    F(timed_out),
    F(tsr_full),
    STATE_HOLE(struct uart, s.hole),
    STATE_END,
};

static const struct prop uart_props[] = {
    PROP_DEF_UINT(struct uart, base, "base", 0x3f8, 0xfff8, "first I/O port"),
    PROP_DEF_UINT(struct uart, index, "index", 0, VM_SERIALS - 1,
                  "which of the machine's serial endpoints"),
    PROP_DEF_END,
};

/* ---- state ---- */

static unsigned uart_capacity(const struct uart *u)
{
    return u->s.fcr & FCR_ENABLE ? FIFO_BYTES : 1;
}

static unsigned uart_trigger(const struct uart *u)
{
    static const uint8_t level[4] = {1, 4, 8, 14};
    return u->s.fcr & FCR_ENABLE ? level[u->s.fcr >> 6] : 1;
}

static bool uart_is_paced(const struct uart *u)
{
    return u->chr && u->chr->paced;
}

/* How long a byte is on the line. */
static int64_t uart_char_ns(const struct uart *u)
{
    unsigned bits = 1 + 5 + (u->s.lcr & LCR_BITS) + (u->s.lcr & LCR_PARITY ? 1 : 0) +
                    (u->s.lcr & LCR_STOP ? 2 : 1);

    return (int64_t)bits * MAX(u->s.divisor, 1) * NS_PER_SEC / UART_CLOCK_HZ;
}

/* The most lateness of the host that a paced line makes up for. */
static int64_t uart_late_ns(const struct uart *u)
{
    return MAX(LINE_LATE_CHARS * uart_char_ns(u), LINE_LATE_NS);
}

static uint8_t uart_lsr(const struct uart *u)
{
    uint8_t v = u->s.errors;
    if (u->s.fcr & FCR_ENABLE) {
        bool bad = u->s.errors & ~LSR_OE;
        for (unsigned i = 0; i < u->s.rx_len; i++) {
            bad |= u->s.rx_err[(u->s.rx_head + i) % FIFO_BYTES];
        }
        v |= bad ? LSR_FIFO_ERR : 0;
    }
    if (u->s.rx_len) {
        v |= LSR_DR;
    }
    if (!u->s.tx_len) {
        v |= LSR_THRE | (u->s.tsr_full ? 0 : LSR_TEMT);
    }
    return v;
}

/* The cause of the highest priority. */
static uint8_t uart_iir(const struct uart *u)
{
    if ((u->s.ier & IER_RLS) && (uart_lsr(u) & LSR_ERRORS)) {
        return IIR_RLS;
    }
    if ((u->s.ier & IER_RDA) && u->s.rx_len >= uart_trigger(u)) {
        return IIR_RDA;
    }
    if ((u->s.ier & IER_RDA) && u->s.timed_out && u->s.rx_len) {
        return IIR_TIMEOUT;
    }
    if ((u->s.ier & IER_THRE) && u->s.thre_pending) {
        return IIR_THRE;
    }
    if ((u->s.ier & IER_MSI) && (u->s.msr & MSR_DELTAS)) {
        return IIR_MSI;
    }
    return IIR_NONE;
}

/* On a PC the OUT2 pin gates the interrupt; loop-back mode takes the pin away. */
static void uart_update_irq(struct uart *u)
{
    bool gate = (u->s.mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
    line_set(&u->s.irq, gate && uart_iir(u) != IIR_NONE);
}

/* Start the character time-out anew: four character times after the last byte came or was read. */
static void uart_restart_timeout(struct uart *u)
{
    if (!u->s.rx_len || !(u->s.fcr & FCR_ENABLE)) {
        u->s.timed_out = false;
        timer_stop(&u->s.timeout);
        return;
    }
    if (!u->s.timed_out) {
        int64_t ns = CLAMP(4 * uart_char_ns(u), TIMEOUT_MIN_NS,
                           uart_is_paced(u) ? INT64_MAX : TIMEOUT_MAX_NS);
        timer_at(&u->s.timeout, clock_now(u->dev.m) + ns);
    }
}

static void uart_timeout(struct device *dev, unsigned n)
{
    struct uart *u = (struct uart *)dev;
    (void)n;
    u->s.timed_out = true; /* until a byte is read; others that come do not end it */
    uart_update_irq(u);
}

/* A byte came to the head of the FIFO: its errors show, and stay until LSR is read. */
static void uart_show_errors(struct uart *u)
{
    if (u->s.rx_len) {
        u->s.errors |= u->s.rx_err[u->s.rx_head];
        u->s.rx_err[u->s.rx_head] = 0;
    }
}

static void uart_receive(struct uart *u, uint8_t byte, uint8_t err)
{
    if (u->s.rx_len >= uart_capacity(u)) {
        u->s.errors |= LSR_OE;
        if (u->s.fcr & FCR_ENABLE) {
            return; /* the FIFO is kept, the byte is lost */
        }
        u->s.rx_len = 0; /* without FIFO the old byte is */
    }
    unsigned at = (u->s.rx_head + u->s.rx_len) % FIFO_BYTES;
    u->s.rx[at] = byte;
    u->s.rx_err[at] = err;
    if (!u->s.rx_len++) {
        uart_show_errors(u);
    }
}

static void uart_clear_rx(struct uart *u)
{
    u->s.rx_len = u->s.rx_head = 0;
    u->s.errors &= LSR_OE;
    uart_restart_timeout(u);
}

static uint8_t uart_read_rbr(struct uart *u)
{
    if (!u->s.rx_len) {
        return u->s.rbr;
    }
    u->s.rbr = u->s.rx[u->s.rx_head];
    u->s.rx_head = (u->s.rx_head + 1) % FIFO_BYTES;
    u->s.rx_len--;
    uart_show_errors(u);
    u->s.timed_out = false;
    uart_restart_timeout(u);
    uart_update_irq(u);
    uint8_t v = u->s.rbr;
    if (!u->s.rx_len) {           /* sooner would wake the host's end for every single byte */
        chr_accept_input(u->chr); /* may come straight back with more bytes: last */
    }
    return v;
}

/* ---- transmitter ---- */

/* The first `n` bytes leave the FIFO. */
static void uart_take_tx(struct uart *u, size_t n)
{
    n = MIN(n, u->s.tx_len);
    u->s.tx_len -= n;
    memmove(u->s.tx, u->s.tx + n, u->s.tx_len);
    if (!u->s.tx_len) {
        u->s.thre_pending = true;
    }
}

/* Paced: the next byte goes onto the line at `at`, if the line is free. */
static void uart_shift(struct uart *u, int64_t at)
{
    if (u->s.tx_len && !u->s.tsr_full) {
        u->s.tsr = u->s.tx[0];
        u->s.tsr_full = true;
        uart_take_tx(u, 1);
        timer_at(&u->s.sent, at + uart_char_ns(u));
    }
}

/* Paced: the byte on the line is through, unless the host end is full. */
static void uart_end_byte(struct uart *u)
{
    if (!u->s.tsr_full || u->s.sent.armed) {
        return;
    }
    if (u->s.mcr & MCR_LOOP) {
        uart_receive(u, u->s.tsr, 0);
        uart_restart_timeout(u);
    } else if (!chr_write(u->chr, &u->s.tsr, 1)) {
        return;
    }
    int64_t now = clock_now(u->dev.m);
    u->s.tsr_full = false;
    uart_shift(u, MAX(u->s.sent.deadline, now - uart_late_ns(u)));
}

/* Hand waiting bytes to the host end; the transmitter is empty when all are gone. */
static void uart_flush(struct uart *u)
{
    uart_end_byte(u);
    if (u->s.tx_len && !uart_is_paced(u)) {
        uart_take_tx(u, chr_write(u->chr, u->s.tx, u->s.tx_len));
    }
}

static void uart_sent(struct device *dev, unsigned n)
{
    (void)n;
    uart_end_byte((struct uart *)dev);
    uart_update_irq((struct uart *)dev);
}

static void uart_write_thr(struct uart *u, uint8_t byte)
{
    u->s.thre_pending = false;
    uart_update_irq(u); /* the request drops before the next one rises */
    if ((u->s.mcr & MCR_LOOP) && !uart_is_paced(u)) {
        uart_receive(u, byte, 0);
        uart_restart_timeout(u);
        u->s.thre_pending = true;
    } else {
        if (u->s.tx_len >= uart_capacity(u)) {
            u->s.tx_len--; /* written over */
        }
        u->s.tx[u->s.tx_len++] = byte;
        if (uart_is_paced(u)) {
            uart_shift(u, clock_now(u->dev.m));
        } else {
            uart_flush(u);
        }
    }
    uart_update_irq(u);
}

/* ---- modem lines ---- */

/* The levels of the modem inputs: the peer's, or in loop-back mode our own outputs. */
static uint8_t uart_modem_inputs(const struct uart *u)
{
    if (u->s.mcr & MCR_LOOP) {
        return (u->s.mcr & MCR_RTS ? MSR_CTS : 0) | (u->s.mcr & MCR_DTR ? MSR_DSR : 0) |
               (u->s.mcr & MCR_OUT1 ? MSR_RI : 0) | (u->s.mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    return u->chr && u->chr->open ? MSR_CTS | MSR_DSR | MSR_DCD : 0;
}

static void uart_update_modem(struct uart *u)
{
    uint8_t now = uart_modem_inputs(u), changed = (u->s.msr ^ now) & 0xf0;
    uint8_t deltas = changed >> 4;
    if (now & MSR_RI) {
        deltas &= ~MSR_TERI; /* the trailing edge of the ring only */
    }
    u->s.msr = now | (u->s.msr & MSR_DELTAS) | deltas;
    uart_update_irq(u);
}

/* ---- registers ---- */

static void uart_write_fcr(struct uart *u, uint8_t val)
{
    if ((val ^ u->s.fcr) & FCR_ENABLE) {
        val |= FCR_CLEAR_RX | FCR_CLEAR_TX;
    }
    u->s.fcr = val & (FCR_ENABLE | 0xc8);
    if (!(val & FCR_ENABLE)) {
        u->s.fcr = 0;
    }
    if (val & FCR_CLEAR_RX) {
        uart_clear_rx(u);
    }
    if ((val & FCR_CLEAR_TX) && u->s.tx_len) {
        u->s.tx_len = 0;
        u->s.thre_pending = true;
    }
    uart_update_irq(u);
    chr_accept_input(u->chr);
}

static void uart_write_lcr(struct uart *u, uint8_t val)
{
    bool was = u->s.lcr & LCR_BREAK, now = val & LCR_BREAK;
    u->s.lcr = val;
    if (was == now) {
        return;
    }
    if (u->s.mcr & MCR_LOOP) {
        if (now) {
            uart_receive(u, 0, LSR_BI);
            uart_restart_timeout(u);
            uart_update_irq(u);
        }
    } else if (u->chr && u->chr->ops && u->chr->ops->set_break) {
        u->chr->ops->set_break(u->chr, now);
    }
}

static void uart_write_ier(struct uart *u, uint8_t val)
{
    uint8_t rising = val & ~u->s.ier;
    u->s.ier = val & 15;
    if ((rising & IER_THRE) && !u->s.tx_len) {
        u->s.thre_pending = true; /* enabling it with an empty transmitter requests at once */
    }
    uart_update_irq(u);
}

/* Whether the line brings nothing: loop-back mode, or the peer is told to wait.  With DTR off too
 * there is no flow control: firmware that never touched the lines wants its input. */
static bool uart_holds_line(const struct uart *u)
{
    return (u->s.mcr & MCR_LOOP) || (u->s.mcr & (MCR_DTR | MCR_RTS)) == MCR_DTR;
}

static void uart_write_mcr(struct uart *u, uint8_t val)
{
    bool held = uart_holds_line(u);
    u->s.mcr = val & 31;
    uart_update_modem(u);
    if (held && !uart_holds_line(u)) {
        chr_accept_input(u->chr);
    }
}

static void uart_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct uart *u = (struct uart *)dev;
    (void)size;
    switch (off) {
    case 0:
        if (u->s.lcr & LCR_DLAB) {
            u->s.divisor = (u->s.divisor & 0xff00) | val;
        } else {
            uart_write_thr(u, val);
        }
        break;
    case 1:
        if (u->s.lcr & LCR_DLAB) {
            u->s.divisor = (u->s.divisor & 0x00ff) | val << 8;
        } else {
            uart_write_ier(u, val);
        }
        break;
    case 2:
        uart_write_fcr(u, val);
        break;
    case 3:
        uart_write_lcr(u, val);
        break;
    case 4:
        uart_write_mcr(u, val);
        break;
    case 7:
        u->s.scr = val;
        break;
    default: /* LSR and MSR are read-only */
        break;
    }
}

static uint8_t uart_read_iir(struct uart *u)
{
    uint8_t v = uart_iir(u);
    if (v == IIR_THRE) {
        u->s.thre_pending = false;
        uart_update_irq(u);
    }
    return v | (u->s.fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t uart_read_lsr(struct uart *u)
{
    uint8_t v = uart_lsr(u);
    u->s.errors = 0;
    uart_update_irq(u);
    return v;
}

static uint32_t uart_read(struct device *dev, unsigned off, unsigned size)
{
    struct uart *u = (struct uart *)dev;
    (void)size;
    switch (off) {
    case 0:
        return u->s.lcr & LCR_DLAB ? u->s.divisor & 0xff : uart_read_rbr(u);
    case 1:
        return u->s.lcr & LCR_DLAB ? u->s.divisor >> 8 : u->s.ier;
    case 2:
        return uart_read_iir(u);
    case 3:
        return u->s.lcr;
    case 4:
        return u->s.mcr;
    case 5:
        return uart_read_lsr(u);
    case 6: {
        uint8_t v = u->s.msr;
        u->s.msr &= ~MSR_DELTAS;
        uart_update_irq(u);
        return v;
    }
    default:
        return u->s.scr;
    }
}

/* ---- the host end ---- */

static size_t uart_can_read(void *opaque)
{
    struct uart *u = opaque;
    size_t room = uart_capacity(u) - MIN(u->s.rx_len, uart_capacity(u));

    if (uart_holds_line(u)) {
        return 0;
    }
    return uart_is_paced(u) ? MIN(room, (int64_t)u->s.rx_next <= clock_now(u->dev.m)) : room;
}

static void uart_host_read(void *opaque, const uint8_t *buf, size_t len)
{
    struct uart *u = opaque;
    if ((u->s.mcr & MCR_LOOP) || !len) {
        return; /* the receiver is off the line */
    }
    for (size_t i = 0; i < len; i++) {
        uart_receive(u, buf[i], 0);
    }
    if (uart_is_paced(u)) {
        int64_t now = clock_now(u->dev.m), ns = uart_char_ns(u), at = (int64_t)u->s.rx_next;

        at = now - at > uart_late_ns(u) ? now : MIN(at, now); /* else it was idle, not late */
        u->s.rx_next = (uint64_t)at + len * (uint64_t)ns;
        timer_at(&u->s.arrive, (int64_t)u->s.rx_next);
    }
    uart_restart_timeout(u);
    uart_update_irq(u);
}

static void uart_arrive(struct device *dev, unsigned n)
{
    (void)n;
    chr_accept_input(((struct uart *)dev)->chr);
}

static void uart_host_writable(void *opaque)
{
    struct uart *u = opaque;
    uart_flush(u);
    uart_update_irq(u);
}

static void uart_host_connected(void *opaque, bool on)
{
    (void)on; /* chr->open says so */
    uart_update_modem(opaque);
}

static void uart_host_break(void *opaque)
{
    struct uart *u = opaque;
    if (!(u->s.mcr & MCR_LOOP)) {
        uart_receive(u, 0, LSR_BI);
        uart_restart_timeout(u);
        uart_update_irq(u);
    }
}

static const struct chr_front uart_front = {
    .can_read = uart_can_read,
    .read = uart_host_read,
    .writable = uart_host_writable,
    .connected = uart_host_connected,
    .got_break = uart_host_break,
};

/* ---- device ---- */

struct line *uart_irq(struct device *dev)
{
    return &((struct uart *)dev)->s.irq;
}

static const struct port_range uart_range = {
    .count = 8, .sizes = SIZE_1, .read = uart_read, .write = uart_write};

static bool uart_attach(struct device *dev, GError **err)
{
    struct uart *u = (struct uart *)dev;
    (void)err;
    timer_init(&u->s.timeout, dev, uart_timeout, 0);
    timer_init(&u->s.sent, dev, uart_sent, 0);
    timer_init(&u->s.arrive, dev, uart_arrive, 0);
    u->chr = dev->m->serial[MIN(u->index, VM_SERIALS - 1)];
    if (u->chr) {
        u->chr->front = &uart_front;
        u->chr->opaque = u;
    }
    ports_claim(dev, &uart_range, u->base);
    return true;
}

static void uart_reset(struct device *dev)
{
    struct uart *u = (struct uart *)dev;
    u->s.msr = uart_modem_inputs(u); /* no deltas */
    chr_accept_input(u->chr);
}

static void uart_detach(struct device *dev)
{
    struct uart *u = (struct uart *)dev;
    if (u->chr && u->chr->opaque == u) {
        u->chr->front = NULL;
        u->chr->opaque = NULL;
    }
    u->chr = NULL;
}

const struct device_ops uart_ops = {
    .name = "uart",
    .title = "16550A serial port",
    DEVICE_STATE(struct uart),
    .state = uart_state,
    .props = uart_props,
    .attach = uart_attach,
    .reset = uart_reset,
    .detach = uart_detach,
};
