/*
 * The MII transceiver of the 21140 card: management frames in the ways drivers clock them, the
 * registers of clause 22, and what becomes of the link.
 *
 * Not modelled: see hw/net/dec21140_mii.c.
 */
#include "hw/net/dec21140_mii.h"
#include <criterion/criterion.h>

enum {
    MDC = BIT(16),
    MDO = BIT(17),
    MII = BIT(18),
    MDI = BIT(19),
    BMCR = 0,
    BMSR = 1,
    ID1 = 2,
    ID2 = 3,
    ANAR = 4,
    ANLPAR = 5,
    ANER = 6,
    PAR = 25,
    LINK = 0x0004,
    DONE = 0x0020,
};

static struct dec_mii *begin(bool plugged)
{
    struct dec_mii *m = g_new(struct dec_mii, 1);

    memset(m, 0xff, sizeof *m);
    state_reset(dec_mii_state, m);
    dec_mii_set_link(m, plugged);
    return m;
}

static unsigned in(struct dec_mii *m)
{
    uint32_t val = dec_mii_read(m);

    cr_assert_eq(val & ~(uint32_t)MDI, 0, "%#x", val);
    return val / MDI;
}

static void send(struct dec_mii *m, uint64_t val, unsigned count)
{
    for (unsigned i = count; i-- > 0;) {
        uint32_t mdo = val >> i & 1 ? MDO : 0;

        dec_mii_write(m, mdo);
        dec_mii_write(m, mdo | MDC);
    }
}

/* As Linux's tulip: each bit is looked at before the clock rises; 19 of them. */
static unsigned read_linux(struct dec_mii *m, unsigned phy, unsigned reg)
{
    unsigned got = 0;

    send(m, ~0ull, 33);
    send(m, 0xd800 | phy << 5 | reg, 16);
    for (unsigned i = 0; i < 19; i++) {
        dec_mii_write(m, MII);
        got = got << 1 | in(m);
        dec_mii_write(m, MII | MDC);
    }
    return got >> 1 & 0xffff;
}

static void write_linux(struct dec_mii *m, unsigned phy, unsigned reg, unsigned val)
{
    send(m, ~0ull, 33);
    send(m, 0x50020000 | phy << 23 | reg << 18 | val, 32);
    for (unsigned i = 0; i < 2; i++) {
        dec_mii_write(m, MII);
        dec_mii_write(m, MII | MDC);
    }
}

/* As de4x5: each bit is looked at while the clock is high; one for the turnaround, and no clock
 * after the last one. */
static unsigned read_digital(struct dec_mii *m, unsigned phy, unsigned reg)
{
    unsigned got = 0;

    send(m, ~0ull, 34);
    send(m, 0x1800 | phy << 5 | reg, 14);
    for (unsigned i = 0; i < 17; i++) {
        dec_mii_write(m, MII);
        dec_mii_write(m, MII | MDC);
        got = got << 1 | in(m);
    }
    return got & 0xffff;
}

/* As the BSDs: the turnaround bit is checked; -1 when nobody pulls it low. */
static int read_bsd(struct dec_mii *m, unsigned phy, unsigned reg)
{
    int got = 0, nobody;

    send(m, ~0ull, 32);
    send(m, 0x1800 | phy << 5 | reg, 14);
    dec_mii_write(m, MII);
    dec_mii_write(m, MII | MDC);
    dec_mii_write(m, MII);
    nobody = (int)in(m);
    dec_mii_write(m, MII | MDC);
    dec_mii_write(m, MII);
    for (unsigned i = 0; i < 16; i++) {
        got = got << 1 | (int)in(m);
        dec_mii_write(m, MII | MDC);
        dec_mii_write(m, MII);
    }
    dec_mii_write(m, MII | MDC);
    dec_mii_write(m, MII);
    return nobody ? -1 : got;
}

Test(dec21140_mii, reads_as_drivers_read_it)
{
    struct dec_mii *m = begin(true);

    cr_assert_eq(read_linux(m, 1, ID1), 0x2000, "DP83840A");
    cr_assert_eq(read_linux(m, 1, ID2), 0x5c01);
    cr_assert_eq(read_digital(m, 1, ID1), 0x2000);
    cr_assert_eq(read_digital(m, 1, ID2), 0x5c01);
    cr_assert_eq(read_bsd(m, 1, ID1), 0x2000);
    cr_assert_eq(read_bsd(m, 1, ID2), 0x5c01);
    cr_assert_eq(read_linux(m, 1, ANAR), 0x01e1);
    g_free(m);
}

Test(dec21140_mii, takes_frames_without_a_preamble)
{
    struct dec_mii *m = begin(true);
    unsigned got = 0;

    read_linux(m, 1, ID1);
    send(m, 0x50020000 | 1 << 23 | ANAR << 18 | 0x0061, 32);
    send(m, 0x1800 | 1 << 5 | ANAR, 14);
    for (unsigned i = 0; i < 18; i++) {
        dec_mii_write(m, MII);
        got = got << 1 | in(m);
        dec_mii_write(m, MII | MDC);
    }
    cr_assert_eq(got, 0x20061, "high impedance, zero, data");
    g_free(m);
}

/* The line is pulled up while nobody drives it, whatever MDO says. */
Test(dec21140_mii, ignores_mdo_while_it_reads)
{
    struct dec_mii *m = begin(true);

    write_linux(m, 1, ANAR, 0x0061); /* ends with two clocks, MDO low */
    send(m, 1, 1);
    send(m, 0x50020000 | 1 << 23 | ANAR << 18 | 0x00a1, 32);
    cr_assert_eq(read_linux(m, 1, ANAR), 0x00a1);
    g_free(m);
}

/* Every way round, with the other transceiver addresses in between. */
Test(dec21140_mii, answers_to_its_address_only)
{
    struct dec_mii *m = begin(true);

    for (unsigned phy = 0; phy < 32; phy++) {
        write_linux(m, phy, ANAR, 0x0021 + (phy << 5 & 0x3c0));
        if (phy == 1) {
            continue;
        }
        for (unsigned reg = 0; reg < 32; reg++) {
            cr_assert_eq(read_linux(m, phy, reg), 0xffff, "%u.%u", phy, reg);
        }
        cr_assert_eq(read_digital(m, phy, ID1), 0xffff);
        cr_assert_eq(read_bsd(m, phy, ID1), -1);
    }
    cr_assert_eq(read_linux(m, 1, ANAR), 0x0021);
    g_free(m);
}

/* The condition by which Linux's tulip finds transceivers. */
Test(dec21140_mii, looks_like_a_transceiver_to_tulip)
{
    struct dec_mii *m = begin(true);
    unsigned found = 0;

    for (unsigned phy = 0; phy < 32; phy++) {
        unsigned status = read_linux(m, phy, BMSR);

        if ((status & 0x8301) == 0x8001 || (!(status & 0x8000) && status & 0x7800)) {
            found++;
            cr_assert_eq(phy, DEC_MII_ADDRESS);
            cr_assert_eq(status, 0x782d);
        }
    }
    cr_assert_eq(found, 1);
    g_free(m);
}

Test(dec21140_mii, starts_over_after_a_preamble)
{
    struct dec_mii *m = begin(true);

    for (unsigned cut = 1; cut < 32; cut++) { /* a frame that breaks off anywhere */
        send(m, 0x50020000ull >> (32 - cut), cut);
        cr_assert_eq(read_linux(m, 1, ID1), 0x2000, "after %u bits", cut);
        send(m, 0x18a4ull << 18 >> (32 - cut), cut);
        cr_assert_eq(read_linux(m, 1, ID1), 0x2000, "after %u bits", cut);
    }
    g_free(m);
}

Test(dec21140_mii, does_not_mistake_what_is_no_frame)
{
    struct dec_mii *m = begin(true);

    send(m, 0x4002ffff | 1 << 23 | ANAR << 18, 32); /* operation 00 */
    send(m, 0x7002ffff | 1 << 23 | ANAR << 18, 32); /* operation 11 */
    cr_assert_eq(read_linux(m, 1, ANAR), 0x01e1);
    cr_assert_eq(read_linux(m, 1, BMCR), 0x3100);
    send(m, 0, 64);
    cr_assert_eq(read_linux(m, 1, BMCR), 0x3100);
    g_free(m);
}

Test(dec21140_mii, reads_back_the_line_when_it_drives_it)
{
    struct dec_mii *m = begin(true);

    dec_mii_write(m, MII);
    cr_assert_eq(in(m), 1, "pulled up");
    dec_mii_write(m, 0);
    cr_assert_eq(in(m), 0);
    dec_mii_write(m, MDO);
    cr_assert_eq(in(m), 1);
    g_free(m);
}

Test(dec21140_mii, latches_a_lost_link)
{
    struct dec_mii *m = begin(true);

    cr_assert_eq(read_linux(m, 1, BMSR), 0x782d, "up, negotiated");
    dec_mii_set_link(m, false);
    dec_mii_set_link(m, true);
    cr_assert_eq(read_linux(m, 1, BMSR), 0x7829, "it was down in between");
    cr_assert_eq(read_linux(m, 1, BMSR), 0x782d);
    dec_mii_set_link(m, false);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(read_linux(m, 1, BMSR), 0x7809);
    }
    cr_assert_eq(read_linux(m, 1, ANLPAR), 0);
    dec_mii_set_link(m, true);
    cr_assert_eq(read_linux(m, 1, BMSR), 0x7829);
    cr_assert_eq(read_linux(m, 1, BMSR), 0x782d);
    cr_assert_eq(read_linux(m, 1, ANLPAR), 0x41e1);
    g_free(m);

    m = begin(false);
    cr_assert_eq(read_linux(m, 1, BMSR), 0x7809);
    dec_mii_set_link(m, false);
    cr_assert_eq(read_linux(m, 1, BMSR), 0x7809);
    cr_assert(!dec_mii_can_carry(m));
    g_free(m);
}

Test(dec21140_mii, reports_a_received_page_once)
{
    struct dec_mii *m = begin(true);

    cr_assert_eq(read_linux(m, 1, ANER), 3);
    cr_assert_eq(read_linux(m, 1, ANER), 1);
    write_linux(m, 1, BMCR, 0x1200);
    cr_assert_eq(read_linux(m, 1, BMCR), 0x1000, "restart clears itself");
    cr_assert_eq(read_linux(m, 1, ANER), 3);
    dec_mii_set_link(m, false);
    cr_assert_eq(read_linux(m, 1, ANER), 0);
    g_free(m);
}

Test(dec21140_mii, resets_itself)
{
    struct dec_mii *m = begin(true);

    for (unsigned reg = 0; reg < 32; reg++) {
        if (reg != BMCR) {
            write_linux(m, 1, reg, 0xa5a5);
        }
    }
    cr_assert_eq(read_linux(m, 1, ID1), 0x2000);
    cr_assert_eq(read_linux(m, 1, ANAR), 0xa5a5 & 0x23ff);
    cr_assert_eq(read_linux(m, 1, 23), 0xa5a5);
    write_linux(m, 1, BMCR, 0x0c00);
    write_linux(m, 1, BMCR, 0x8c00);
    cr_assert_eq(read_linux(m, 1, BMCR), 0x3100, "done already, and nothing else of it is kept");
    cr_assert_eq(read_linux(m, 1, ANAR), 0x01e1);
    cr_assert_eq(read_linux(m, 1, 23), 0x8020);
    cr_assert_eq(read_linux(m, 1, 24), 0);
    read_linux(m, 1, BMSR);
    cr_assert_eq(read_linux(m, 1, BMSR), 0x782d);
    g_free(m);
}

struct mode {
    unsigned anar, bmcr; /* bmcr without negotiation; anar 0: that */
    unsigned mbits;
    bool full;
};

Test(dec21140_mii, takes_the_best_common_mode)
{
    static const struct mode modes[] = {
        {0x01e1, 0, 100, true}, {0x00e1, 0, 100, false}, {0x00a1, 0, 100, false},
        {0x0061, 0, 10, true},  {0x0021, 0, 10, false},  {0x0181, 0, 100, true},
        {0, 0x2100, 100, true}, {0, 0x2000, 100, false}, {0, 0x0100, 10, true},
        {0, 0x0000, 10, false},
    };

    for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
        const struct mode *want = &modes[i];
        struct dec_mii *m = begin(true);
        unsigned mbits, par;
        bool full;

        if (want->anar) {
            write_linux(m, 1, ANAR, want->anar);
            cr_assert(dec_mii_has_link(m, &mbits, &full));
            cr_assert(mbits == 100 && full, "the new one counts from the next negotiation on");
            write_linux(m, 1, BMCR, 0x1200);
        } else {
            write_linux(m, 1, BMCR, want->bmcr);
        }
        cr_assert(dec_mii_has_link(m, &mbits, &full), "mode %u", i);
        cr_assert_eq(mbits, want->mbits, "mode %u", i);
        cr_assert_eq(full, want->full, "mode %u", i);
        par = read_linux(m, 1, PAR);
        cr_assert_eq(par & 0xdf, 1 | (full ? 0x80 : 0) | (mbits == 10 ? 0x40 : 0), "mode %u", i);
        cr_assert_eq(read_linux(m, 1, BMSR) & (LINK | DONE), want->anar ? LINK | DONE : LINK);
        cr_assert_eq(read_linux(m, 1, ANLPAR), want->anar ? 0x41e1 : 0);
        g_free(m);
    }
}

Test(dec21140_mii, has_no_link_without_a_common_mode)
{
    struct dec_mii *m = begin(true);

    write_linux(m, 1, ANAR, 0x0201); /* 100BASE-T4, which nobody here has */
    write_linux(m, 1, BMCR, 0x1200);
    cr_assert_eq(read_linux(m, 1, BMSR) & (LINK | DONE), 0);
    cr_assert_eq(read_linux(m, 1, BMSR) & (LINK | DONE), 0);
    cr_assert(!dec_mii_can_carry(m));
    write_linux(m, 1, ANAR, 0x01e1);
    write_linux(m, 1, BMCR, 0x1200);
    cr_assert_eq(read_linux(m, 1, BMSR) & (LINK | DONE), DONE);
    cr_assert_eq(read_linux(m, 1, BMSR) & (LINK | DONE), LINK | DONE);
    cr_assert(dec_mii_can_carry(m));
    g_free(m);
}

Test(dec21140_mii, isolates_loops_back_and_sleeps)
{
    struct dec_mii *m = begin(true);

    cr_assert(dec_mii_can_carry(m));
    cr_assert(!dec_mii_is_loopback(m));
    write_linux(m, 1, BMCR, 0x1400); /* isolate */
    cr_assert(!dec_mii_can_carry(m));
    cr_assert(!dec_mii_is_loopback(m));
    cr_assert_eq(read_linux(m, 1, BMSR) & LINK, LINK, "the wire is as it was");
    write_linux(m, 1, BMCR, 0x5000); /* loopback */
    cr_assert(!dec_mii_can_carry(m));
    cr_assert(dec_mii_is_loopback(m));
    write_linux(m, 1, BMCR, 0x1800); /* power down */
    cr_assert(!dec_mii_can_carry(m));
    cr_assert(!dec_mii_is_loopback(m));
    cr_assert_eq(read_linux(m, 1, BMSR) & (LINK | DONE), 0);
    cr_assert_eq(read_linux(m, 1, ID1), 0x2000, "management goes on");
    write_linux(m, 1, BMCR, 0x1000);
    cr_assert_eq(read_linux(m, 1, BMSR) & (LINK | DONE), DONE);
    cr_assert_eq(read_linux(m, 1, BMSR) & (LINK | DONE), LINK | DONE);
    cr_assert(dec_mii_can_carry(m));
    g_free(m);
}

Test(dec21140_mii, state_is_listed)
{
    uint8_t covered[sizeof(struct dec_mii)] = {0};

    cr_assert(state_cover(dec_mii_state, 0, covered, sizeof covered));
    for (size_t i = 0; i < sizeof covered; i++) {
        cr_assert(covered[i], "byte %zu", i);
    }
}
