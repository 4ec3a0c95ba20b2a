/*
 * The MII transceiver of a DECchip 21140A card: a National Semiconductor DP83840A at address 1.
 *
 * Follows IEEE 802.3 clause 22 (22.2.4: registers and management frames) and clause 28
 * (auto-negotiation), the DP83840A data sheet for its ids and registers above 16, and the 21140A
 * Hardware Reference Manual (CSR9) for the lines.
 *
 * Management frames may come with or without a preamble; one of 32 ones also ends whatever frame
 * broke off before it.  MDIO changes on the rising edge of MDC and is pulled up: nobody answers
 * for other addresses, not even for 0, and what is read then is all ones.
 *
 * The other end of the cable is a switch that can do 10 and 100 Mb/s, half and full duplex, and
 * negotiates; it comes at once, and it follows when negotiation is turned off.
 *
 * Not modelled: the time negotiation and reset take, next pages, remote faults, jabber, the error
 * counters (always zero), what the configuration registers 23, 24 and 28 do (they keep their bits).
 */
#include "hw/net/dec21140_mii.h"

enum {
    BMCR = 0,
    BMCR_RESET = BIT(15),
    BMCR_LOOPBACK = BIT(14),
    BMCR_SPEED_100 = BIT(13),
    BMCR_AN_ENABLE = BIT(12),
    BMCR_POWER_DOWN = BIT(11),
    BMCR_ISOLATE = BIT(10),
    BMCR_AN_RESTART = BIT(9),
    BMCR_FULL_DUPLEX = BIT(8),
    BMCR_COLLISION_TEST = BIT(7),
    BMCR_KEPT = BMCR_LOOPBACK | BMCR_SPEED_100 | BMCR_AN_ENABLE | BMCR_POWER_DOWN | BMCR_ISOLATE |
                BMCR_FULL_DUPLEX | BMCR_COLLISION_TEST,
    BMCR_DEFAULT = BMCR_SPEED_100 | BMCR_AN_ENABLE | BMCR_FULL_DUPLEX,

    BMSR = 1,
    BMSR_ABILITIES = 0x7809, /* 100TX and 10T, full and half; negotiates; has registers above 1 */
    BMSR_AN_COMPLETE = BIT(5),
    BMSR_LINK = BIT(2),

    PHYIDR1 = 2,
    PHYIDR2 = 3,
    ID1 = 0x2000,
    ID2 = 0x5c01,

    ANAR = 4,
    ANLPAR = 5,
    ABILITY_100_FULL = BIT(8),
    ABILITY_100_HALF = BIT(7),
    ABILITY_10_FULL = BIT(6),
    ABILITY_10_HALF = BIT(5),
    ABILITIES = ABILITY_100_FULL | ABILITY_100_HALF | ABILITY_10_FULL | ABILITY_10_HALF,
    SELECTOR_802_3 = 1,
    ANAR_DEFAULT = ABILITIES | SELECTOR_802_3,
    ANAR_KEPT = 0x2fff & ~BIT(11) & ~BIT(10), /* remote fault, abilities, selector */
    ANLPAR_ACKNOWLEDGE = BIT(14),

    ANER = 6,
    ANER_PAGE_RX = BIT(1),
    ANER_PARTNER_NEGOTIATES = BIT(0),

    PCR = 0x17,
    PCR_DEFAULT = 0x8020, /* NRZI; no carrier integrity monitor: a node, not a repeater */
    LBREMR = 0x18,
    PAR = 0x19,
    PAR_AN_ENABLED = BIT(10),
    PAR_FULL_DUPLEX = BIT(7),
    PAR_10 = BIT(6),
    TBTCR = 0x1c,

    /* A management frame: 01, operation, address, register, turnaround, data. */
    FRAME_HEADER = 14,
    FRAME_TURNED = 16,
    FRAME_BITS = 32,
    OP_WRITE = 1,
    OP_READ = 2,
};

const struct state_field dec_mii_state[] = {
    STATE(struct dec_mii, shift),
    STATE(struct dec_mii, data),
    STATE(struct dec_mii, count, .max = FRAME_BITS - 1),
    STATE_HOLE(struct dec_mii, hole),
    STATE(struct dec_mii, mdc),
    STATE(struct dec_mii, mdo),
    STATE(struct dec_mii, released),
    STATE(struct dec_mii, driven),
    STATE(struct dec_mii, level),
    STATE(struct dec_mii, plugged),
    STATE(struct dec_mii, link_lost),
    STATE(struct dec_mii, page_rx),
    STATE(struct dec_mii, bmcr, .reset = BMCR_DEFAULT),
    STATE(struct dec_mii, anar, .reset = ANAR_DEFAULT),
    STATE(struct dec_mii, agreed),
    STATE(struct dec_mii, pcr, .reset = PCR_DEFAULT),
    STATE(struct dec_mii, lbremr),
    STATE(struct dec_mii, tbtcr),
    STATE_END,
};

/* Registers. */

static bool dec_mii_negotiates(const struct dec_mii *m)
{
    return m->bmcr & BMCR_AN_ENABLE;
}

bool dec_mii_has_link(const struct dec_mii *m, unsigned *mbits, bool *full)
{
    bool fast = m->bmcr & BMCR_SPEED_100;

    *full = m->bmcr & BMCR_FULL_DUPLEX;
    if (dec_mii_negotiates(m)) { /* the best that both can do (802.3 annex 28B.3) */
        fast = m->agreed & (ABILITY_100_FULL | ABILITY_100_HALF);
        *full = m->agreed & (fast ? ABILITY_100_FULL : ABILITY_10_FULL);
    }
    *mbits = fast ? 100 : 10;
    return m->plugged && !(m->bmcr & BMCR_POWER_DOWN) && (!dec_mii_negotiates(m) || m->agreed);
}

static bool dec_mii_is_up(const struct dec_mii *m)
{
    unsigned mbits;
    bool full;

    return dec_mii_has_link(m, &mbits, &full);
}

bool dec_mii_can_carry(const struct dec_mii *m)
{
    return dec_mii_is_up(m) && !(m->bmcr & (BMCR_ISOLATE | BMCR_LOOPBACK));
}

bool dec_mii_is_loopback(const struct dec_mii *m)
{
    return (m->bmcr & (BMCR_LOOPBACK | BMCR_ISOLATE | BMCR_POWER_DOWN)) == BMCR_LOOPBACK;
}

/* Exchange abilities with the partner, if there is one to talk to. */
static void dec_mii_negotiate(struct dec_mii *m)
{
    m->agreed = 0;
    if (m->plugged && dec_mii_negotiates(m) && !(m->bmcr & BMCR_POWER_DOWN)) {
        m->agreed = m->anar & ABILITIES;
        m->page_rx = true;
    }
}

/* What may have lost the link has happened. */
static void dec_mii_note_link(struct dec_mii *m)
{
    if (!dec_mii_is_up(m)) {
        m->link_lost = true;
    }
}

void dec_mii_set_link(struct dec_mii *m, bool plugged)
{
    if (m->plugged != plugged) {
        m->plugged = plugged;
        dec_mii_negotiate(m);
    }
    dec_mii_note_link(m);
}

static uint16_t dec_mii_get_bmsr(struct dec_mii *m)
{
    uint16_t val = BMSR_ABILITIES;
    bool up = dec_mii_is_up(m);

    if (up && dec_mii_negotiates(m)) {
        val |= BMSR_AN_COMPLETE;
    }
    if (up && !m->link_lost) {
        val |= BMSR_LINK;
    }
    m->link_lost = !up;
    return val;
}

static uint16_t dec_mii_get_par(const struct dec_mii *m)
{
    unsigned mbits;
    bool full;

    dec_mii_has_link(m, &mbits, &full);
    return (uint16_t)(DEC_MII_ADDRESS | (dec_mii_negotiates(m) ? PAR_AN_ENABLED : 0) |
                      (full ? PAR_FULL_DUPLEX : 0) | (mbits == 10 ? PAR_10 : 0));
}

uint16_t dec_mii_get(struct dec_mii *m, unsigned reg)
{
    bool partner = dec_mii_negotiates(m) && dec_mii_is_up(m);
    uint16_t val;

    switch (reg) {
    case BMCR:
        return m->bmcr;
    case BMSR:
        return dec_mii_get_bmsr(m);
    case PHYIDR1:
        return ID1;
    case PHYIDR2:
        return ID2;
    case ANAR:
        return m->anar;
    case ANLPAR:
        return partner ? ANLPAR_ACKNOWLEDGE | ABILITIES | SELECTOR_802_3 : 0;
    case ANER:
        val = (uint16_t)((partner ? ANER_PARTNER_NEGOTIATES : 0) | (m->page_rx ? ANER_PAGE_RX : 0));
        m->page_rx = false;
        return val;
    case PCR:
        return m->pcr;
    case LBREMR:
        return m->lbremr;
    case PAR:
        return dec_mii_get_par(m);
    case TBTCR:
        return m->tbtcr;
    default:
        return 0;
    }
}

static void dec_mii_reset(struct dec_mii *m)
{
    m->bmcr = BMCR_DEFAULT;
    m->anar = ANAR_DEFAULT;
    m->pcr = PCR_DEFAULT;
    m->lbremr = 0;
    m->tbtcr = 0;
    m->page_rx = false;
    dec_mii_negotiate(m);
}

static void dec_mii_set_bmcr(struct dec_mii *m, uint16_t val)
{
    uint16_t changed = m->bmcr ^ val;

    if (val & BMCR_RESET) {
        dec_mii_reset(m);
        return;
    }
    m->bmcr = val & BMCR_KEPT;
    if (changed & (BMCR_AN_ENABLE | BMCR_POWER_DOWN) || val & BMCR_AN_RESTART) {
        dec_mii_negotiate(m);
    }
    dec_mii_note_link(m);
}

void dec_mii_set(struct dec_mii *m, unsigned reg, uint16_t val)
{
    switch (reg) {
    case BMCR:
        dec_mii_set_bmcr(m, val);
        break;
    case ANAR: /* counts from the next negotiation on */
        m->anar = val & ANAR_KEPT;
        break;
    case PCR:
        m->pcr = val;
        break;
    case LBREMR:
        m->lbremr = val;
        break;
    case TBTCR:
        m->tbtcr = val;
        break;
    default: /* read only, or nothing there */
        break;
    }
}

/* Management frames. */

static void dec_mii_drive(struct dec_mii *m, bool level)
{
    m->driven = true;
    m->level = level;
}

static void dec_mii_idle(struct dec_mii *m)
{
    m->count = 0;
    m->driven = false;
}

/* The header of a frame is in: 01, operation, address, register. */
static void dec_mii_header(struct dec_mii *m)
{
    unsigned op = (unsigned)bits(m->shift, 11, 10);
    unsigned address = (unsigned)bits(m->shift, 9, 5);

    if (op != OP_READ && op != OP_WRITE) {
        dec_mii_idle(m);
    } else if (op == OP_READ && address == DEC_MII_ADDRESS) {
        m->data = dec_mii_get(m, m->shift & 31);
        dec_mii_drive(m, true); /* as good as not driving; from the next clock on it counts */
    }
}

static void dec_mii_frame_bit(struct dec_mii *m, bool bit)
{
    m->shift = m->shift << 1 | bit;
    m->count++;
    if (m->count == FRAME_HEADER) {
        dec_mii_header(m);
    } else if (m->count == FRAME_BITS) {
        if (bits(m->shift, 29, 28) == OP_WRITE && bits(m->shift, 27, 23) == DEC_MII_ADDRESS) {
            dec_mii_set(m, (unsigned)bits(m->shift, 22, 18), (uint16_t)m->shift);
        }
        dec_mii_idle(m);
    } else if (m->driven && m->count < FRAME_TURNED) {
        dec_mii_drive(m, false); /* the second bit of the turnaround */
    } else if (m->driven) {
        dec_mii_drive(m, m->data >> (FRAME_BITS - 1 - m->count) & 1);
    }
}

/* MDC rose. */
static void dec_mii_clock(struct dec_mii *m)
{
    bool bit = m->released || m->mdo;

    if (m->count > 1) {
        dec_mii_frame_bit(m, bit);
    } else if (!bit) { /* the first bit of a start, perhaps once more */
        m->count = 1;
    } else if (m->count == 1) {
        m->shift = 1;
        m->count = 2;
    }
}

void dec_mii_write(struct dec_mii *m, uint32_t csr9)
{
    bool rises = csr9 & DEC_CSR9_MDC && !m->mdc;

    m->mdc = csr9 & DEC_CSR9_MDC;
    m->mdo = csr9 & DEC_CSR9_MDO;
    m->released = csr9 & DEC_CSR9_MII;
    if (rises) {
        dec_mii_clock(m);
    }
}

uint32_t dec_mii_read(const struct dec_mii *m)
{
    bool level = m->released ? !m->driven || m->level : m->mdo;

    return level ? DEC_CSR9_MDI : 0;
}
