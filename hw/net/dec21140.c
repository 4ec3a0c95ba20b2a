/*
 * DECchip 21140A PCI Fast Ethernet controller on a card with a serial ROM and an MII transceiver:
 * configuration space, CSR0 to CSR15, interrupts and timers.  dec21140_ring.c has the descriptors
 * and frames.
 *
 * Follows the DECchip 21140A Hardware Reference Manual (EC-QN7NF).  CSR11's upper half, which the
 * 21140A reserves, is the interrupt mitigation control of its successor 21143, as drivers that
 * program it expect; left at zero, every interrupt comes at once.
 *
 * Frames are moved by the carrier behind the card's port (hw/core/net.h): a poll demand only wakes
 * it.  When nothing is connected the card does it by itself.
 *
 * Not modelled: the boot ROM, bus arbitration, burst lengths and cache alignment (kept, without
 * effect), sleep and snooze modes (likewise), the thresholds and the back-off algorithm of CSR6,
 * the SYM port's scrambler, the FIFO overflow counter (the FIFO never overflows), general-purpose
 * pins (nothing is connected to them).
 */
#include "hw/net/dec21140.h"
#include "hw/net/dec21140_int.h"
#include "hw/pci.h"

enum { CSR_STRIDE = 8, CSRS = 16, CSR_BYTES = CSR_STRIDE * CSRS };

enum {
    CSR0_KEPT = 0x01bffffe,
    CSR9_BR = BIT(12), /* boot ROM selected */
    CSR11_CON = BIT(16),
    CSR11_LONG_CYCLE = BIT(31), /* clear; set: sixteen times as fast */
    CSR11_MITIGATION = 0xfffe0000,
    CSR12_GPC = BIT(8), /* the low byte says which pins are outputs */
    CSR8_OVER = BIT(16),
    CFDD = 0x40,
    CFIT_MIN_GNT = 0x3e,
    TX_UNAVAILABLE_NS = 100000, /* most of a long frame's time on the wire */
    TX_WAITS_NS = 1000000,
    RX_RETRY_US = 100,
    RX_RETRY_MAX_US = 12800,
};

/* The registers that are plain storage: what can be written, and what reads as one. */
static const struct dec_register {
    uint32_t mask, ones, reset;
} dec_registers[CSRS] = {
    [0] = {CSR0_KEPT, 0xfe000000, 0},
    [1] = {0, 0xffffffff, 0},
    [2] = {0, 0xffffffff, 0},
    [3] = {0xfffffffc, 0, 0},
    [4] = {0xfffffffc, 0, 0},
    [5] = {0, 0xfc000000, 0}, /* CSR5_EVENTS are cleared by ones */
    [6] = {0x41edfeea, 0x32000000, DEC_CSR6_PR},
    [7] = {CSR5_EVENTS, 0xf3fe0000, 0},
    [8] = {0, 0xe0000000, 0},
    [9] = {0x0007fff7, 0xfff00000, 0x000483f7},
    [10] = {0x0003ffff, 0xfffc0000, 0},
    [11] = {0xffffffff, 0, 0},
    [12] = {0xff, 0xfffffe00, 0},
    [13] = {0, 0xffffffff, 0},
    [14] = {0, 0xffffffff, 0},
    [15] = {0x37, 0xfffffec8, 0},
};

#define F(m, ...) STATE(struct dec21140, s.m, __VA_ARGS__)
static const struct state_field dec21140_state[] = {
    F(gpt),
    F(unavailable),
    F(tap),
    F(rx_retry),
    F(rx_mitigate),
    F(tx_mitigate),
    F(idle),
    STATE_STRUCT(struct dec21140, s.srom, dec_srom_state),
    STATE_STRUCT(struct dec21140, s.filter, dec_filter_state),
    STATE_HOLE(struct dec21140, s.filter_hole),
    STATE_STRUCT(struct dec21140, s.mii, dec_mii_state),
    STATE_ARRAY(struct dec21140, s.csr),
    F(tx_idle_at, .max = INT64_MAX / 2),
    F(rx_at),
    F(tx_at),
    F(tx_len, .max = NET_FRAME_MAX),
    F(tx_control),
    F(rx_retry_us, .max = RX_RETRY_MAX_US),
    F(missed),
    F(rs, .max = RS_SUSPENDED),
    F(ts, .max = TS_SUSPENDED),
    F(eb, .max = 7),
    F(gp_outputs),
    F(rx_done, .max = 7),
    F(tx_done, .max = 7),
    F(missed_over),
    F(tx_open),
    F(tx_over),
    F(tx_told, .reset = true),
    F(tx_polled),
    F(tx_joined),
    F(tx_acked),
    F(rx_refused),
    STATE_HOLE(struct dec21140, s.hole),
    STATE_ARRAY(struct dec21140, s.tx_fifo, .keep = true),
    STATE_END,
};
#undef F

static const struct prop dec21140_props[] = {
    PROP_DEF_UINT(struct dec21140, index, "nic", 0, VM_MAX_NICS - 1,
                  "which of the machine's network ports"),
    PROP_DEF_END,
};

/* Interrupts ----------------------------------------------------------------------------------- */

/* Whether the transmit list is at its end and the guest has not been told. */
static bool dec_tx_is_unavailable(const struct dec21140 *d)
{
    return d->s.ts == TS_SUSPENDED && !d->s.tx_told;
}

/* A guest that is interrupted for a frame need not be interrupted once more for having sent some.
 */
static void dec_tx_join(struct dec21140 *d)
{
    if (d->s.csr[7] & ~d->s.csr[5] & CSR5_RI && dec_tx_is_unavailable(d)) {
        d->s.tx_told = true;
        d->s.tx_joined = true;
        d->s.csr[5] |= CSR5_TU;
    }
}

void dec_raise(struct dec21140 *d, uint32_t events)
{
    if (events & CSR5_RI) {
        dec_tx_join(d);
    }
    d->s.csr[5] |= events;
}

/* Only events that are enabled count in the summaries. */
void dec_update_irq(struct dec21140 *d)
{
    uint32_t on = d->s.csr[5] & d->s.csr[7];
    bool level;

    d->s.csr[5] &= ~(uint32_t)(CSR5_NIS | CSR5_AIS);
    if (on & CSR5_NORMAL) {
        d->s.csr[5] |= CSR5_NIS;
    }
    if (on & CSR5_ABNORMAL) {
        d->s.csr[5] |= CSR5_AIS;
    }
    level = d->s.csr[5] & d->s.csr[7] & (CSR5_NIS | CSR5_AIS);
    if (level != pci_func(&d->dev)->s->irq) {
        d->counts.interrupts += level;
        trace(&d->dev, TR_IRQ, "CSR5 %#x, CSR7 %#x: %s", d->s.csr[5], d->s.csr[7],
              level ? "on" : "off");
        pci_set_irq(&d->dev, level);
    }
}

/* What the chip counts time in for CSR11, by port and speed. */
static int64_t dec_cycle_ns(const struct dec21140 *d)
{
    if (!(d->s.csr[6] & CSR6_PS)) {
        return 204800;
    }
    return d->s.csr[6] & CSR6_TTM ? 819200 : 81920;
}

/*
 * A frame is through.  The guest hears of it at once, or when `count` of them are, or when the
 * first has waited `cycles`, if these are not zero.
 */
static void dec_mitigate(struct dec21140 *d, uint32_t event, uint8_t *done, struct timer *timer,
                         unsigned count, unsigned cycles)
{
    int64_t cycle = dec_cycle_ns(d) / (d->s.csr[11] & CSR11_LONG_CYCLE ? 16 : 1);

    if ((count || cycles) && !(count && *done + 1u >= count)) {
        *done += count > 0;
        if (cycles && !timer->armed) {
            timer_at(timer, clock_now(d->dev.m) + cycles * cycle);
        }
        return;
    }
    *done = 0;
    timer_stop(timer);
    dec_raise(d, event);
}

void dec_frame_sent(struct dec21140 *d)
{
    uint32_t control = d->s.csr[11];

    dec_mitigate(d, CSR5_TI, &d->s.tx_done, &d->s.tx_mitigate, (unsigned)bits(control, 26, 24),
                 16 * (unsigned)bits(control, 30, 27));
}

void dec_frame_received(struct dec21140 *d)
{
    uint32_t control = d->s.csr[11];

    dec_mitigate(d, CSR5_RI, &d->s.rx_done, &d->s.rx_mitigate, (unsigned)bits(control, 19, 17),
                 (unsigned)bits(control, 23, 20));
}

static void dec_mitigated(struct device *dev, unsigned event)
{
    struct dec21140 *d = (struct dec21140 *)dev;

    *(event == CSR5_TI ? &d->s.tx_done : &d->s.rx_done) = 0;
    dec_raise(d, event);
    dec_update_irq(d);
}

/* The general-purpose timer -------------------------------------------------------------------- */

static void dec_start_gpt(struct dec21140 *d)
{
    int64_t ns = (int64_t)bits(d->s.csr[11], 15, 0) * dec_cycle_ns(d);

    if (ns) {
        timer_at(&d->s.gpt, clock_now(d->dev.m) + ns);
    } else {
        timer_stop(&d->s.gpt);
    }
}

static void dec_gpt_expired(struct device *dev, unsigned n)
{
    struct dec21140 *d = (struct dec21140 *)dev;

    (void)n;
    if (d->s.csr[11] & CSR11_CON) {
        dec_start_gpt(d);
    }
    dec_raise(d, CSR5_GTE);
    dec_update_irq(d);
}

/* What is left of the time; the upper half is ones as long as nobody programs mitigation. */
static uint32_t dec_read_csr11(const struct dec21140 *d)
{
    uint32_t val = d->s.csr[11] & 0xffff0000, left = 0;

    if (d->s.gpt.armed) {
        int64_t cycle = dec_cycle_ns(d), ns = d->s.gpt.deadline - clock_now(d->dev.m);

        left = (uint32_t)CLAMP((ns + cycle - 1) / cycle, 0, 0xffff);
    }
    return (val & CSR11_MITIGATION ? val : val | CSR11_MITIGATION) | left;
}

/* The processes -------------------------------------------------------------------------------- */

static void dec_kick(struct dec21140 *d, unsigned kicks)
{
    if (d->net) {
        net_kick(d->net, kicks);
    } else if (kicks & NET_KICK_TX) {
        timer_at(&d->s.idle, clock_now(d->dev.m));
    }
}

/* Nothing is connected. */
static void dec_idle_transmit(struct device *dev, unsigned n)
{
    struct dec21140 *d = (struct dec21140 *)dev;

    (void)n;
    if (dec_front.transmit(dev, d->batch)) {
        timer_at(&d->s.idle, clock_now(dev->m) + PERIOD_MIN_NS);
    }
    d->batch->count = d->batch->used = 0;
}

/* How often CSR0 wants the transmit list looked at; 0: never. */
static int64_t dec_tap_ns(const struct dec21140 *d)
{
    static const uint32_t ns[8] = {0, 200000, 800000, 1600000, 12800, 25600, 51200, 102400};
    uint32_t interval = ns[bits(d->s.csr[0], 19, 17)];

    return interval ? MAX((int64_t)interval, PERIOD_MIN_NS) : 0;
}

static void dec_arm_tap(struct dec21140 *d)
{
    int64_t ns = dec_tap_ns(d);

    if (ns && d->s.ts == TS_SUSPENDED) {
        timer_at(&d->s.tap, clock_now(d->dev.m) + ns);
    } else {
        timer_stop(&d->s.tap);
    }
}

/*
 * The end of the list is told when the wire would be through with what is on its way: a driver that
 * keeps sending has added more by then, and needs no interrupt for each frame.  It may be told with
 * a received frame before, and one that was can wait longer for the next, which acknowledges.  Only
 * a driver that wants the interrupt needs a timer; others find the event when they look.
 *
 * A driver acknowledges what it found and looks again, until there is nothing: on the wire, no
 * frame is through so soon.  Here one may be, where registers are slow and another processor sends,
 * again and again; Linux's tulip then gives up on its interrupts.  So the first look after an
 * acknowledgement finds no new end.
 */
static int64_t dec_tx_unavailable_at(const struct dec21140 *d)
{
    bool waits = d->s.tx_joined || d->s.tx_acked;

    return (int64_t)d->s.tx_idle_at + (waits ? TX_WAITS_NS : TX_UNAVAILABLE_NS);
}

static void dec_tx_arm_unavailable(struct dec21140 *d)
{
    int64_t at = dec_tx_unavailable_at(d);

    /* One that fires too early only looks again. */
    if (d->s.csr[7] & CSR5_TU && dec_tx_is_unavailable(d) &&
        (!d->s.unavailable.armed || d->s.unavailable.deadline > at)) {
        timer_at(&d->s.unavailable, at);
    }
}

/* Raise the event if it is due. */
static void dec_tx_tell_unavailable(struct dec21140 *d)
{
    if (dec_tx_is_unavailable(d) && clock_now(d->dev.m) >= dec_tx_unavailable_at(d)) {
        d->s.tx_told = true;
        d->s.tx_joined = d->s.tx_acked = false;
        dec_raise(d, CSR5_TU);
    }
}

/* The driver looks at CSR5, or does something that may end what the event is about. */
static void dec_tx_look(struct dec21140 *d, bool at_events)
{
    if (!d->s.tx_acked) {
        dec_tx_tell_unavailable(d);
    } else if (at_events) {
        d->s.tx_acked = false;
        dec_tx_arm_unavailable(d);
    }
}

static void dec_tx_unavailable(struct device *dev, unsigned n)
{
    struct dec21140 *d = (struct dec21140 *)dev;

    (void)n;
    dec_tx_tell_unavailable(d);
    dec_tx_arm_unavailable(d); /* more was sent meanwhile */
    dec_update_irq(d);
}

/* A poll demand says nothing when it finds nothing (3.2.2.2). */
void dec_tx_suspend(struct dec21140 *d)
{
    d->s.ts = TS_SUSPENDED;
    if (!d->s.tx_polled) {
        d->s.tx_told = false;
        d->s.tx_idle_at = (uint64_t)clock_now(d->dev.m);
    }
    dec_tx_arm_unavailable(d);
    d->s.tx_polled = false;
    dec_arm_tap(d);
}

static void dec_tx_poll(struct dec21140 *d)
{
    if (d->s.ts == TS_SUSPENDED) {
        d->s.ts = TS_FETCHING;
        d->s.tx_polled = true;
        timer_stop(&d->s.tap);
    }
    if (d->s.ts == TS_FETCHING) {
        dec_kick(d, NET_KICK_TX);
    }
}

static void dec_tap_expired(struct device *dev, unsigned n)
{
    struct dec21140 *d = (struct dec21140 *)dev;

    (void)n;
    if (d->s.ts == TS_SUSPENDED && dec_owns(d, d->s.tx_at)) {
        dec_tx_poll(d);
    } else {
        dec_arm_tap(d);
    }
}

/*
 * A driver may hand out buffers without a poll demand, as hardware looks for them when the next
 * frame comes.  Here that frame waits in the carrier, so the card looks, rarer and rarer.
 */
void dec_rx_refuse(struct dec21140 *d)
{
    d->s.rx_refused = true;
    d->s.rx_retry_us = RX_RETRY_US;
    timer_at(&d->s.rx_retry, clock_now(d->dev.m) + d->s.rx_retry_us * NS_PER_US);
}

static void dec_rx_poll(struct dec21140 *d)
{
    if (d->s.rx_refused && (d->s.rs == RS_STOPPED || dec_owns(d, d->s.rx_at))) {
        d->s.rx_refused = false;
        timer_stop(&d->s.rx_retry);
        dec_kick(d, NET_KICK_RX);
    }
}

static void dec_rx_retry(struct device *dev, unsigned n)
{
    struct dec21140 *d = (struct dec21140 *)dev;

    (void)n;
    dec_rx_poll(d);
    if (d->s.rx_refused) {
        d->s.rx_retry_us = MIN(2 * d->s.rx_retry_us, RX_RETRY_MAX_US);
        timer_at(&d->s.rx_retry, clock_now(dev->m) + d->s.rx_retry_us * NS_PER_US);
    }
}

/* A process stopped as it was told.  Drivers wait for the event or the state; as an interrupt it
 * makes Linux's tulip start both processes again, in the middle of stopping them. */
static void dec_raise_stopped(struct dec21140 *d, uint32_t event)
{
    if (!(d->s.csr[7] & event)) {
        dec_raise(d, event);
    }
}

static void dec_start_stop_tx(struct dec21140 *d, bool start)
{
    if (start) {
        d->s.ts = TS_FETCHING;
        d->s.tx_polled = false;
        dec_kick(d, NET_KICK_TX);
    } else {
        if (d->s.ts != TS_STOPPED) {
            dec_raise_stopped(d, CSR5_TPS);
        }
        d->s.ts = TS_STOPPED;
        d->s.tx_told = true;
        timer_stop(&d->s.tap);
    }
    trace(&d->dev, TR_STATE, "transmitter %s", start ? "on" : "off");
}

static void dec_start_stop_rx(struct dec21140 *d, bool start)
{
    if (start) {
        d->s.rs = RS_WAITING;
        if (!dec_owns(d, d->s.rx_at)) {
            d->s.rs = RS_SUSPENDED;
            dec_raise(d, CSR5_RU);
        }
    } else {
        if (d->s.rs != RS_STOPPED) {
            dec_raise_stopped(d, CSR5_RPS);
        }
        d->s.rs = RS_STOPPED;
    }
    dec_rx_poll(d);
    trace(&d->dev, TR_STATE, "receiver %s", start ? "on" : "off");
}

static void dec_write_csr6(struct dec21140 *d, uint32_t was)
{
    uint32_t changed = was ^ d->s.csr[6];

    if (changed & CSR6_SR) {
        dec_start_stop_rx(d, d->s.csr[6] & CSR6_SR);
    }
    if (changed & CSR6_ST) {
        dec_start_stop_tx(d, d->s.csr[6] & CSR6_ST);
    }
}

/* Registers ------------------------------------------------------------------------------------ */

static void dec_power_on(struct dec21140 *d)
{
    for (unsigned i = 0; i < CSRS; i++) {
        d->s.csr[i] = dec_registers[i].reset;
    }
    dec_update_irq(d);
}

/* The transceiver and the serial ROM are chips of their own, and the port stays selected. */
static void dec_software_reset(struct dec21140 *d)
{
    struct dec_mii mii = d->s.mii;
    struct dec_srom srom = d->s.srom;
    uint32_t port = d->s.csr[6] & CSR6_PS;
    bool refused = d->s.rx_refused;

    trace(&d->dev, TR_STATE, "software reset");
    state_reset(dec21140_state, d);
    d->s.mii = mii;
    d->s.srom = srom;
    dec_power_on(d);
    d->s.csr[6] |= port;
    if (refused) {
        dec_kick(d, NET_KICK_RX);
    }
}

static void dec_write_csr0(struct dec21140 *d, uint32_t val)
{
    if (val & CSR0_SWR) {
        dec_software_reset(d);
        return;
    }
    dec_arm_tap(d);
}

static void dec_write_csr5(struct dec21140 *d, uint32_t val)
{
    d->s.tx_acked |= (val & d->s.csr[5] & CSR5_TU) != 0;
    d->s.csr[5] &= ~(val & CSR5_EVENTS);
    if (val & CSR5_FBE) {
        d->s.eb = 0;
    }
    if (val & (CSR5_RI | CSR5_RU)) {
        dec_rx_poll(d);
    }
}

static void dec_write_csr(struct dec21140 *d, unsigned n, uint32_t val)
{
    const struct dec_register *reg = &dec_registers[n];
    uint32_t was = d->s.csr[n];

    dec_tx_look(d, false);
    d->s.csr[n] = (was & ~reg->mask) | (val & reg->mask);
    switch (n) {
    case 0:
        dec_write_csr0(d, val);
        break;
    case 1:
        dec_tx_poll(d);
        break;
    case 2:
        dec_rx_poll(d);
        break;
    case 3:
        d->s.rx_at = d->s.csr[3];
        dec_rx_poll(d);
        break;
    case 4:
        d->s.tx_at = d->s.csr[4];
        d->s.tx_open = false;
        break;
    case 5:
        dec_write_csr5(d, val);
        break;
    case 6:
        dec_write_csr6(d, was);
        break;
    case 7: /* the end of a driver's poll */
        dec_rx_poll(d);
        dec_tx_arm_unavailable(d);
        break;
    case 9:
        dec_srom_write(&d->s.srom, d->rom, val);
        dec_mii_write(&d->s.mii, val);
        break;
    case 11:
        dec_start_gpt(d);
        break;
    case 12:
        if (val & CSR12_GPC) {
            d->s.gp_outputs = (uint8_t)val;
            d->s.csr[12] = was;
        }
        break;
    default:
        break;
    }
    dec_update_irq(d);
}

static uint32_t dec_read_csr8(struct dec21140 *d)
{
    uint32_t val = d->s.missed | (d->s.missed_over ? CSR8_OVER : 0);

    d->s.missed = 0;
    d->s.missed_over = false;
    return val;
}

static uint32_t dec_read_csr(struct dec21140 *d, unsigned n)
{
    uint32_t val = d->s.csr[n] | dec_registers[n].ones;

    switch (n) {
    case 5:
        return val | (uint32_t)d->s.rs << CSR5_RS_SHIFT | (uint32_t)d->s.ts << CSR5_TS_SHIFT |
               (uint32_t)d->s.eb << CSR5_EB_SHIFT;
    case 6:
        return val | dec_filter_csr6(&d->s.filter);
    case 8:
        return val | dec_read_csr8(d);
    case 9:
        return val | dec_srom_read(&d->s.srom) | dec_mii_read(&d->s.mii) |
               (d->s.csr[9] & CSR9_BR ? 0xff : 0);
    case 11:
        return dec_read_csr11(d);
    case 12: /* inputs are pulled up */
        return val | (uint8_t)~d->s.gp_outputs;
    default:
        return val;
    }
}

static uint32_t dec_port_read(struct device *dev, unsigned off, unsigned size)
{
    struct dec21140 *d = (struct dec21140 *)dev;

    (void)size;
    if (off == 5 * CSR_STRIDE && (dec_tx_is_unavailable(d) || d->s.tx_acked)) {
        dec_tx_look(d, true);
        dec_update_irq(d);
    }
    return off % CSR_STRIDE ? 0 : dec_read_csr(d, off / CSR_STRIDE);
}

static void dec_port_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)size;
    if (!(off % CSR_STRIDE)) {
        dec_write_csr((struct dec21140 *)dev, off / CSR_STRIDE, val);
    }
}

static uint64_t dec_mmio_read(struct device *dev, uint64_t off, unsigned size)
{
    return dec_port_read(dev, (unsigned)off, size);
}

static void dec_mmio_write(struct device *dev, uint64_t off, uint64_t val, unsigned size)
{
    dec_port_write(dev, (unsigned)off, (uint32_t)val, size);
}

/* The device ----------------------------------------------------------------------------------- */

static bool dec21140_attach(struct device *dev, GError **err)
{
    struct dec21140 *d = (struct dec21140 *)dev;

    (void)err;
    timer_init(&d->s.gpt, dev, dec_gpt_expired, 0);
    timer_init(&d->s.unavailable, dev, dec_tx_unavailable, 0);
    timer_init(&d->s.tap, dev, dec_tap_expired, 0);
    timer_init(&d->s.rx_retry, dev, dec_rx_retry, 0);
    timer_init(&d->s.rx_mitigate, dev, dec_mitigated, CSR5_RI);
    timer_init(&d->s.tx_mitigate, dev, dec_mitigated, CSR5_TI);
    timer_init(&d->s.idle, dev, dec_idle_transmit, 0);
    pci_allow_write(dev, 0x0d, 1, 0xff); /* all of the latency timer */
    pci_allow_write(dev, CFDD, 4, 0xc000ff00);
    dec_fcs_init(&d->fcs);
    d->net = dev->m->nics[d->index];
    if (d->net) {
        memcpy(d->mac, d->net->mac, sizeof d->mac);
        d->net->front = &dec_front;
        d->net->dev = dev;
    } else {
        memcpy(d->mac, dev->m->config.nics[d->index].mac, sizeof d->mac);
        d->batch = g_new0(struct net_batch, 1);
    }
    dec_srom_fill(d->rom, d->mac);
    return true;
}

static void dec21140_reset(struct device *dev)
{
    struct dec21140 *d = (struct dec21140 *)dev;
    uint8_t *config = pci_func(dev)->s->config;

    st_le16(config + PCI_STATUS, 0x0280);
    config[CFIT_MIN_GNT] = 0x14;
    config[CFIT_MIN_GNT + 1] = 0x28;
    dec_power_on(d);
    dec_mii_set_link(&d->s.mii, d->net && d->net->link);
    dec_kick(d, NET_KICK_RX);
}

static void dec21140_detach(struct device *dev)
{
    struct dec21140 *d = (struct dec21140 *)dev;

    if (d->net && d->net->dev == dev) {
        d->net->front = NULL;
        d->net->dev = NULL;
    }
    d->net = NULL;
    g_clear_pointer(&d->batch, g_free);
}

static void dec21140_info(struct device *dev, GString *out)
{
    static const char *const rs[] = {"stopped", "?", "?", "waiting", "suspended"};
    static const char *const ts[] = {"stopped", "fetching", "?", "?", "?", "?", "suspended"};
    struct dec21140 *d = (struct dec21140 *)dev;
    const struct dec_counts *c = &d->counts;
    unsigned mbits = 0;
    bool full = false;

    g_string_append_printf(out, "address " NET_MAC_FORMAT ", %s\n", NET_MAC_ARGS(d->mac),
                           d->net ? d->net->id : "not connected");
    if (dec_mii_has_link(&d->s.mii, &mbits, &full)) {
        g_string_append_printf(out, "link up, %u Mb/s, %s duplex\n", mbits, full ? "full" : "half");
    } else {
        g_string_append(out, "link down\n");
    }
    for (unsigned i = 0; i < CSRS; i++) {
        if (i != 8) { /* which reading clears */
            g_string_append_printf(out, "CSR%-2u %08x%s", i, dec_read_csr(d, i),
                                   i % 4 == 3 ? "\n" : "  ");
        }
    }
    g_string_append_printf(out, "receiver %s at %08x, transmitter %s at %08x\n", rs[d->s.rs],
                           d->s.rx_at, ts[d->s.ts], d->s.tx_at);
    g_string_append_printf(out,
                           "sent %" G_GUINT64_FORMAT " frames, %" G_GUINT64_FORMAT
                           " setup frames, %" G_GUINT64_FORMAT " looped back, %" G_GUINT64_FORMAT
                           " errors\n",
                           c->tx_frames, c->tx_setups, c->tx_looped, c->tx_errors);
    g_string_append_printf(out,
                           "received %" G_GUINT64_FORMAT " frames, %" G_GUINT64_FORMAT
                           " truncated, %" G_GUINT64_FORMAT " cut off, %" G_GUINT64_FORMAT
                           " missed\n",
                           c->rx_frames, c->rx_truncated, c->rx_watchdog, c->rx_missed);
    g_string_append_printf(out,
                           "%" G_GUINT64_FORMAT " interrupts, %" G_GUINT64_FORMAT " bus errors\n",
                           c->interrupts, c->bus_errors);
}

static const struct port_range dec_ports = {
    .count = CSR_BYTES, .sizes = SIZE_4, .read = dec_port_read, .write = dec_port_write};

static const struct mmio_ops dec_mmio = {
    .sizes = SIZE_4, .read = dec_mmio_read, .write = dec_mmio_write};

static const struct pci_desc dec21140_pci = {
    .vendor = 0x1011,
    .device = 0x0009,
    .subsystem_vendor = DEC_SUBSYSTEM_VENDOR,
    .subsystem = DEC_SUBSYSTEM,
    .class_code = 0x020000,
    .revision = 0x20, /* with the ids of the subsystem, what Windows goes by */
    .interrupt_pin = 1,
    .bars[0] = {.kind = PCI_BAR_IO, .size = CSR_BYTES, .ports = &dec_ports},
    .bars[1] = {.kind = PCI_BAR_MEM, .size = CSR_BYTES, .mmio = &dec_mmio},
};

const struct device_ops dec21140_ops = {
    .name = "dec21140",
    .title = "DECchip 21140A Fast Ethernet card",
    DEVICE_STATE(struct dec21140),
    .state = dec21140_state,
    .props = dec21140_props,
    .pci = &dec21140_pci,
    .attach = dec21140_attach,
    .reset = dec21140_reset,
    .detach = dec21140_detach,
    .info = dec21140_info,
};
