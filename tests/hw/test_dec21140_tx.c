/*
 * DECchip 21140A: the transmit process, from a guest that means well and from one that does not.
 *
 * Not modelled: see hw/net/dec21140.c.
 */
#include "tests/hw/dec21140_rig.h"
#include <criterion/criterion.h>

enum { TD0_ES = BIT(15), TD0_TO = BIT(14), TD0_LO = BIT(11), TD0_NC = BIT(10), TD0_UF = BIT(1) };

static uint32_t status(struct dec_rig *x, unsigned n)
{
    return dec_get_desc(x, DEC_TX_LIST, n, 0);
}

static uint64_t dropped(struct dec_rig *x, enum net_drop why)
{
    return atomic_load(&x->net.stats.drops[why]);
}

/* An empty descriptor ends what goes before it. */
static void stop_at(struct dec_rig *x, unsigned n)
{
    dec_put_desc(x, DEC_TX_LIST, n, 0, 0, 0, 0);
}

static uint32_t ts(struct dec_rig *x)
{
    return dec_in(x, 5) >> 20 & 7;
}

/* A CRC-32 by the bit. */
static uint32_t fcs_of(const uint8_t *p, size_t len)
{
    uint32_t c = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        c ^= p[i];
        for (unsigned n = 0; n < 8; n++) {
            c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
        }
    }
    return ~c;
}

Test(dec21140_tx, sends_what_the_chip_owns_and_says_so)
{
    struct dec_rig *x = dec_begin();

    dec_put_frame(x, 0, 60, 0);
    dec_put_frame(x, 1, 1514, TD1_IC);
    stop_at(x, 2);
    dec_out(x, 7, CSR5_NIS | CSR5_TI);
    dec_start_tx(x, CSR6_PS);
    cr_assert_eq(ts(x), TS_FETCHING);
    cr_assert_eq(x->kicks_tx, 1);
    cr_assert(!dec_collect(x));
    cr_assert_eq(x->batch.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t len = i ? 1514 : 60;

        cr_assert_eq(x->batch.frame[i].len, len);
        cr_assert_arr_eq(x->batch.data + x->batch.frame[i].at,
                         rig_ram(x->r, DEC_TX_BUFFERS + i * DEC_BUFFER_STEP, len), len);
        cr_assert_eq(status(x, i), 0);
    }
    cr_assert(dec_irq(x));
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_NIS | CSR5_TI | CSR5_TU | TS_SUSPENDED << 20);
    dec_out(x, 5, CSR5_NIS | CSR5_TI | CSR5_TU);
    cr_assert(!dec_irq(x));
    cr_assert_eq(x->kicks_tx, 1, "none for what the carrier does itself");
    dec_end(x);
}

Test(dec21140_tx, poll_demand_goes_on_and_says_nothing_when_there_is_nothing)
{
    struct dec_rig *x = dec_begin();

    stop_at(x, 0);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_TU | TS_SUSPENDED << 20);
    dec_out(x, 5, CSR5_TU);
    dec_out(x, 1, 0);
    cr_assert_eq(x->kicks_tx, 2);
    cr_assert(!dec_collect(x));
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | TS_SUSPENDED << 20);
    dec_put_frame(x, 0, 60, TD1_IC);
    stop_at(x, 1);
    cr_assert(!dec_collect(x));
    cr_assert_eq(x->batch.count, 0, "nobody demanded it");
    dec_out(x, 1, 0);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 1);
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_TI | CSR5_TU | TS_SUSPENDED << 20);
    dec_end(x);
}

Test(dec21140_tx, automatic_polling_finds_frames)
{
    struct dec_rig *x = dec_begin();

    stop_at(x, 0);
    dec_out(x, 0, 1 << 17); /* every 200 us */
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    x->kicks_tx = 0;
    rig_step(x->r, 10 * NS_PER_MS);
    cr_assert_eq(x->kicks_tx, 0);
    dec_put_frame(x, 0, 60, 0);
    stop_at(x, 1);
    rig_step(x->r, 199 * NS_PER_US);
    rig_step(x->r, NS_PER_US);
    cr_assert_eq(x->kicks_tx, 1);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 1);
    dec_out(x, 6, CSR6_PS);
    dec_put_frame(x, 1, 60, 0);
    rig_step(x->r, 10 * NS_PER_MS);
    cr_assert_eq(x->kicks_tx, 1, "stopped");
    dec_end(x);
}

Test(dec21140_tx, stopping_keeps_the_place)
{
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < 3; i++) {
        dec_put_frame(x, i, 60 + i, 0);
    }
    stop_at(x, 1);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    dec_out(x, 6, CSR6_PS);
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_TU | CSR5_TPS);
    dec_put_frame(x, 1, 61, 0);
    stop_at(x, 3);
    dec_out(x, 1, 0);
    cr_assert(!dec_collect(x));
    cr_assert_eq(x->batch.count, 1, "a poll demand does not start it");
    dec_out(x, 6, CSR6_PS | CSR6_ST);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 3);
    cr_assert_eq(x->batch.frame[2].len, 62);
    dec_out(x, 5, 0xffffffff);
    dec_out(x, 7, CSR5_TPS | CSR5_AIS);
    dec_out(x, 6, CSR6_PS);
    cr_assert(!dec_irq(x), "no interrupt for what the driver did itself");
    dec_end(x);
}

Test(dec21140_tx, frames_of_many_buffers_and_descriptors)
{
    struct dec_rig *x = dec_begin();
    uint8_t *p = rig_ram(x->r, DEC_TX_BUFFERS, 4096);

    for (unsigned i = 0; i < 4096; i++) {
        p[i] = (uint8_t)(i * 7 + i / 256);
    }
    dec_put_desc(x, DEC_TX_LIST, 0, DES0_OWN, TD1_FS | 3 << 11 | 101, DEC_TX_BUFFERS,
                 DEC_TX_BUFFERS + 101);
    dec_put_desc(x, DEC_TX_LIST, 1, DES0_OWN, 0, 0, 0); /* nothing at all */
    dec_put_desc(x, DEC_TX_LIST, 2, DES0_OWN, 1000 << 11, 0, DEC_TX_BUFFERS + 104);
    dec_put_desc(x, DEC_TX_LIST, 3, DES0_OWN, TD1_LS | TD1_IC | 9, DEC_TX_BUFFERS + 1104, 0);
    stop_at(x, 4);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 1);
    cr_assert_eq(x->batch.frame[0].len, 1113);
    cr_assert_arr_eq(x->batch.data, p, 1113);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(status(x, i), 0);
    }
    dec_end(x);
}

Test(dec21140_tx, rings_chains_and_skips)
{
    struct dec_rig *x = dec_begin();

    /* A ring of two with 8 bytes between descriptors, the second chained too: the ring wins. */
    dec_put_frame(x, 0, 60, 0);
    memcpy(rig_ram(x->r, DEC_TX_LIST + 24, 16), rig_ram(x->r, DEC_TX_LIST, 16), 16);
    st_le32(rig_ram(x->r, DEC_TX_LIST + 28, 4),
            TD1_FS | TD1_LS | DES1_END_OF_RING | DES1_CHAINED | 61);
    dec_out(x, 0, 2 << 2);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 2);
    cr_assert_eq(x->batch.frame[1].len, 61);
    cr_assert_eq(x->card->s.tx_at, DEC_TX_LIST);

    /* A chain: a second size does not count. */
    dec_out(x, 6, CSR6_PS);
    dec_put_desc(x, DEC_TX_LIST, 0, DES0_OWN, TD1_FS | DES1_CHAINED | 50 << 11 | 30, DEC_TX_BUFFERS,
                 DEC_TX_LIST + 0x800);
    dec_put_desc(x, DEC_TX_LIST + 0x800, 0, DES0_OWN, TD1_LS | DES1_CHAINED | 40, DEC_TX_BUFFERS,
                 DEC_TX_LIST);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 3);
    cr_assert_eq(x->batch.frame[2].len, 70);
    dec_end(x);
}

Test(dec21140_tx, both_byte_orders)
{
    struct dec_rig *x = dec_begin();
    uint8_t *p = rig_ram(x->r, DEC_TX_BUFFERS, 128), *desc = rig_ram(x->r, DEC_TX_LIST, 32);

    memset(desc, 0, 32);
    for (unsigned i = 0; i < 128; i++) {
        p[i] = (uint8_t)(i ^ 3);
    }
    st_be32(desc, DES0_OWN);
    st_be32(desc + 4, TD1_FS | TD1_LS | 30 << 11 | 33);
    st_be32(desc + 8, DEC_TX_BUFFERS + 2); /* not at a longword */
    st_be32(desc + 12, DEC_TX_BUFFERS + 35);
    dec_out(x, 0, CSR0_BLE | CSR0_DBO);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 1);
    cr_assert_eq(x->batch.frame[0].len, 63);
    for (unsigned i = 0; i < 63; i++) {
        cr_assert_eq(x->batch.data[i], i + 2, "byte %u is %u", i, x->batch.data[i]);
    }
    cr_assert_eq(ld_be32(desc), 0);
    dec_end(x);
}

Test(dec21140_tx, pads_and_takes_check_sequences_off)
{
    struct dec_rig *x = dec_begin();
    uint8_t *p;

    dec_put_frame(x, 0, 20, 0);
    memset(x->batch.data, 0xee, 256);
    dec_put_frame(x, 1, 20, TD1_DPD); /* a runt: lost */
    dec_put_frame(x, 2, 104, TD1_AC);
    p = rig_ram(x->r, DEC_TX_BUFFERS + 2 * DEC_BUFFER_STEP, 104);
    st_le32(p + 100, fcs_of(p, 100));
    dec_put_frame(x, 3, 104, TD1_AC); /* a wrong one: lost */
    dec_put_frame(x, 4, 3, TD1_AC | TD1_DPD);
    dec_put_frame(x, 5, 50, TD1_AC); /* padding replaces it */
    stop_at(x, 6);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 3);
    cr_assert_eq(x->batch.frame[0].len, 60);
    cr_assert_eq(x->batch.data[19], 19);
    for (unsigned i = 20; i < 60; i++) {
        cr_assert_eq(x->batch.data[i], 0, "nothing of the host leaks into padding");
    }
    cr_assert_eq(x->batch.frame[1].len, 100);
    cr_assert_eq(x->batch.frame[2].len, 60);
    cr_assert_eq(dropped(x, NET_DROP_MALFORMED), 3);
    dec_end(x);
}

Test(dec21140_tx, setup_frames_set_the_filter)
{
    struct dec_rig *x = dec_begin();
    uint8_t *p = rig_ram(x->r, DEC_TX_BUFFERS, DEC_SETUP_BYTES);

    memset(p, 0xff, DEC_SETUP_BYTES);
    p[0] = 2, p[1] = 0, p[4] = 0, p[5] = 0x12, p[8] = 0x34, p[9] = 0x56;
    dec_put_desc(x, DEC_TX_LIST, 0, DES0_OWN, TD1_SET | TD1_IC | 192, DEC_TX_BUFFERS, 0);
    dec_put_desc(x, DEC_TX_LIST, 1, DES0_OWN, TD1_SET | DEC_TDES1_FT1 | 191, DEC_TX_BUFFERS, 0);
    dec_put_desc(x, DEC_TX_LIST, 2, DES0_OWN, TD1_SET | DEC_TDES1_FT0 | 192, 0xf0000000, 0);
    dec_out(x, 6, CSR6_PS); /* no longer promiscuous */
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 0);
    cr_assert_eq(status(x, 0), 0x7fffffff);
    cr_assert_eq(status(x, 1), 0x7fffffff, "of a wrong length: nothing but closed");
    cr_assert_eq(dec_in(x, 6) & DEC_CSR6_FILTER_BITS, 0);
    cr_assert(dec_in(x, 5) & CSR5_TI);
    cr_assert(dec_in(x, 5) & CSR5_FBE, "the third one is nowhere");
    dec_end(x);
}

Test(dec21140_tx, without_link_frames_come_back_with_errors)
{
    struct dec_rig *x = dec_begin();

    net_set_link(&x->net, false);
    dec_put_frame(x, 0, 60, TD1_IC);
    stop_at(x, 1);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 0);
    cr_assert_eq(status(x, 0), (uint32_t)(TD0_ES | TD0_LO | TD0_NC));
    cr_assert_eq(dropped(x, NET_DROP_LINK), 1);
    cr_assert(dec_in(x, 5) & CSR5_TI);
    dec_end(x);
}

Test(dec21140_tx, a_card_without_carrier_serves_itself)
{
    struct dec_rig *x = dec_begin_unconnected();

    dec_put_frame(x, 0, 60, TD1_IC);
    dec_put_desc(x, DEC_TX_LIST, 1, DES0_OWN, TD1_SET | 192, DEC_TX_BUFFERS, 0);
    stop_at(x, 2);
    dec_start_tx(x, CSR6_PS);
    rig_step(x->r, NS_PER_MS);
    cr_assert_eq(status(x, 0), (uint32_t)(TD0_ES | TD0_LO | TD0_NC));
    cr_assert_eq(status(x, 1), 0x7fffffff);
    dec_end(x);
}

Test(dec21140_tx, interrupts_can_be_held_back)
{
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < 4; i++) {
        dec_put_frame(x, i, 60, TD1_IC);
    }
    stop_at(x, 4);
    dec_out(x, 6, CSR6_PS);
    dec_out(x, 11, BIT(31) | 2u << 27 | 3u << 24); /* three frames, or 32 cycles of 5.12 us */
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert(dec_in(x, 5) & CSR5_TI, "three are through");
    dec_out(x, 5, CSR5_TI);
    rig_step(x->r, 32 * 5120 - 100 * NS_PER_US - 1);
    cr_assert(!(dec_in(x, 5) & CSR5_TI));
    rig_step(x->r, 1);
    cr_assert(dec_in(x, 5) & CSR5_TI, "the fourth waited long enough");
    cr_assert_eq(dec_in(x, 11), BIT(31) | 2u << 27 | 3u << 24);
    dec_end(x);
}

Test(dec21140_tx, loopback_comes_back)
{
    static const uint32_t types[3] = {0, 1 << 12, 2 << 12};
    struct dec_rig *x = dec_begin();

    for (unsigned om = 1; om < 3; om++) {
        dec_out(x, 6, CSR6_PS);
        dec_put_frame(x, 0, 100, 0);
        stop_at(x, 1);
        dec_start_rx(x, 2, 1536, CSR6_PS | DEC_CSR6_PR | om << 10);
        cr_assert_eq(dec_offer(x, 60), NET_LOST);
        cr_assert_eq(dropped(x, NET_DROP_STOPPED), om, "the wire is not heard");
        dec_start_tx(x, CSR6_PS | CSR6_SR | DEC_CSR6_PR | om << 10);
        dec_collect(x);
        cr_assert_eq(x->batch.count, 0);
        cr_assert_eq(dec_get_desc(x, DEC_RX_LIST, 0, 0) & 0x3fff3300,
                     104u << 16 | RD0_FIRST | RD0_LAST | types[om]);
        cr_assert_arr_eq(rig_ram(x->r, DEC_RX_BUFFERS, 100), rig_ram(x->r, DEC_TX_BUFFERS, 100),
                         100);
    }
    dec_mii_set(&x->card->s.mii, 0, BIT(14)); /* the transceiver's own */
    dec_out(x, 6, CSR6_PS);
    dec_put_frame(x, 0, 100, 0);
    dec_start_rx(x, 2, 1536, CSR6_PS | DEC_CSR6_PR);
    dec_start_tx(x, CSR6_PS | CSR6_SR | DEC_CSR6_PR);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 0);
    cr_assert_eq(dec_get_desc(x, DEC_RX_LIST, 0, 0) & 0x3fff3300,
                 104u << 16 | RD0_FIRST | RD0_LAST);
    dec_end(x);
}

Test(dec21140_tx, loopback_shows_runts_to_those_who_want_them)
{
    struct dec_rig *x = dec_begin();

    for (unsigned pb = 0; pb < 2; pb++) {
        uint32_t csr6 = CSR6_PS | DEC_CSR6_PR | 1 << 10 | (pb ? CSR6_PB : 0);

        dec_out(x, 6, CSR6_PS);
        dec_put_frame(x, 0, 40, TD1_DPD);
        stop_at(x, 1);
        dec_start_rx(x, 2, 1536, csr6);
        dec_start_tx(x, csr6 | CSR6_SR);
        dec_collect(x);
        cr_assert_eq(dec_get_desc(x, DEC_RX_LIST, 0, 0) & 0x3fff8b00,
                     pb ? 44u << 16 | BIT(15) | BIT(11) | RD0_FIRST | RD0_LAST : 0);
    }
    dec_end(x);
}

/* A guest that means harm ---------------------------------------------------------------------- */

/* CVE-2020-11102: QEMU's tulip copied buffers of a frame without looking at their sum. */
Test(dec21140_tx, frames_longer_than_any_end_in_an_error)
{
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < 12; i++) {
        dec_put_desc(x, DEC_TX_LIST, i, DES0_OWN,
                     (i ? 0 : TD1_FS) | (i == 11 ? TD1_LS : 0) | 2047u << 11 | 2047, DEC_TX_BUFFERS,
                     DEC_TX_BUFFERS);
    }
    dec_put_frame(x, 12, 60, 0);
    stop_at(x, 13);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 0);
    cr_assert_eq(status(x, 11), (uint32_t)(TD0_ES | TD0_UF));
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_UNF | TS_SUSPENDED << 20);
    cr_assert_eq(dropped(x, NET_DROP_MALFORMED), 1);
    dec_out(x, 1, 0);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 1, "the next one is fine");
    dec_end(x);
}

Test(dec21140_tx, the_longest_frame_passes)
{
    struct dec_rig *x = dec_begin();
    unsigned left = NET_FRAME_MAX, n = 0;

    while (left) {
        unsigned now = MIN(left, 2047);

        dec_put_desc(x, DEC_TX_LIST, n, DES0_OWN,
                     (n ? 0 : TD1_FS) | (now == left ? TD1_LS : 0) | now, DEC_TX_BUFFERS, 0);
        left -= now;
        n++;
    }
    stop_at(x, n);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 1);
    cr_assert_eq(x->batch.frame[0].len, NET_FRAME_MAX);
    dec_end(x);
}

Test(dec21140_tx, jabber_timer_by_bytes)
{
    struct dec_rig *x = dec_begin();

    for (unsigned jbd = 0; jbd < 2; jbd++) {
        dec_out(x, 6, CSR6_PS);
        dec_out(x, 15, CSR15_JCK | (jbd ? CSR15_JBD : 0));
        dec_put_desc(x, DEC_TX_LIST, 0, DES0_OWN, TD1_FS | TD1_LS | 1000u << 11 | 1561,
                     DEC_TX_BUFFERS, DEC_TX_BUFFERS);
        stop_at(x, 1);
        dec_start_tx(x, CSR6_PS);
        dec_collect(x);
        cr_assert_eq(x->batch.count, jbd);
        cr_assert_eq(status(x, 0), jbd ? 0 : (uint32_t)(TD0_ES | TD0_TO));
        cr_assert_eq(dec_in(x, 5) & (CSR5_TJT | 7u << 20),
                     jbd ? (uint32_t)TS_SUSPENDED << 20 : CSR5_TJT);
        dec_out(x, 5, 0xffffffff);
    }
    dec_end(x);
}

Test(dec21140_tx, lists_that_lead_nowhere_are_bus_errors)
{
    static const struct {
        uint32_t list, buffer;
    } rows[] = {
        {0xf0000000, 0},        /* nothing there */
        {0xfffffffc, 0},        /* over the end */
        {DEC_MEM, 0},           /* its own registers */
        {RIG_RAM_BYTES - 8, 0}, /* half of it in RAM */
        {DEC_TX_LIST, 0xf0000000},
        {DEC_TX_LIST, 0xfffffff0},
        {DEC_TX_LIST, DEC_MEM},
        {DEC_TX_LIST, RIG_RAM_BYTES - 30},
    };
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        dec_put_frame(x, 0, 60, 0);
        if (rows[i].buffer) {
            dec_put_desc(x, DEC_TX_LIST, 0, DES0_OWN, TD1_FS | TD1_LS | 60, rows[i].buffer, 0);
        }
        stop_at(x, 1);
        dec_out(x, 7, CSR5_FBE | CSR5_AIS);
        dec_out(x, 4, rows[i].list);
        dec_out(x, 6, CSR6_PS | CSR6_ST);
        cr_expect(!dec_collect(x));
        cr_expect_eq(dec_in(x, 5), 0xfc000000 | CSR5_FBE | CSR5_AIS | 1u << 23, "row %u: %#x", i,
                     dec_in(x, 5));
        cr_expect(dec_irq(x));
        dec_out(x, 5, CSR5_FBE);
        cr_expect_eq(dec_in(x, 5), 0xfc000000);
        dec_out(x, 6, CSR6_PS);
    }
    cr_assert_eq(x->batch.count, 0);
    dec_put_frame(x, 0, 60, 0);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 1, "it works again");
    dec_end(x);
}

Test(dec21140_tx, nothing_goes_over_the_bus_without_mastering)
{
    struct dec_rig *x = dec_begin();

    dec_put_frame(x, 0, 60, 0);
    rig_config_write(x->r, DEC_DEVFN, PCI_COMMAND, PCI_COMMAND_IO, 2);
    dec_start_tx(x, CSR6_PS);
    cr_assert(!dec_collect(x));
    cr_assert_eq(x->batch.count, 0);
    cr_assert(dec_in(x, 5) & CSR5_FBE);
    cr_assert_eq(status(x, 0), DES0_OWN);
    dec_end(x);
}

Test(dec21140_tx, endless_lists_do_not_hold_the_carrier)
{
    struct dec_rig *x = dec_begin();
    unsigned calls = 0;

    /* Its own status is what its buffer leads to, so that the chip never gets to its end... */
    dec_put_desc(x, DEC_TX_LIST, 0, DES0_OWN, TD1_FS | DES1_CHAINED, 0, DEC_TX_LIST);
    dec_start_tx(x, CSR6_PS);
    cr_assert(!dec_collect(x), "a chain to itself ends where it is closed");
    cr_assert_eq(ts(x), TS_SUSPENDED);

    /* ...and one of 64 Ki descriptors with nothing in them takes many calls. */
    dec_out(x, 6, CSR6_PS);
    for (unsigned i = 0; i < 65536; i++) {
        dec_put_desc(x, 0x400000, i, DES0_OWN, i ? 0 : TD1_FS, 0, 0);
    }
    dec_out(x, 4, 0x400000);
    dec_out(x, 6, CSR6_PS | CSR6_ST);
    while (dec_collect(x)) {
        calls++;
    }
    cr_assert(calls >= 65536 / 1024, "%u calls", calls);
    cr_assert_eq(x->batch.count, 0);
    dec_end(x);
}

Test(dec21140_tx, looped_frames_over_many_descriptors_take_many_calls)
{
    struct dec_rig *x = dec_begin();
    unsigned calls = 1;

    for (unsigned i = 0; i < 65536; i++) {
        dec_put_desc(x, 0x400000, i, DES0_OWN, 4, DEC_RX_BUFFERS, 0);
    }
    for (unsigned i = 0; i < 40; i++) {
        dec_put_frame(x, i, 1500, 0);
    }
    stop_at(x, 40);
    dec_out(x, 3, 0x400000);
    dec_out(x, 6, CSR6_PS | CSR6_SR | DEC_CSR6_PR | 1 << 10);
    dec_start_tx(x, CSR6_PS | CSR6_SR | DEC_CSR6_PR | 1 << 10);
    while (dec_collect(x)) {
        calls++;
    }
    cr_assert(calls >= 20, "%u calls", calls); /* two frames are more than a call's budget */
    cr_assert_eq(x->card->counts.tx_looped, 40);
    cr_assert_eq(x->card->counts.rx_frames, 40);
    dec_end(x);
}

Test(dec21140_tx, a_full_batch_is_continued)
{
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < 100; i++) {
        dec_put_frame(x, i, 60 + i, 0);
    }
    stop_at(x, 100);
    dec_start_tx(x, CSR6_PS);
    cr_assert(dec_collect(x));
    cr_assert_eq(x->batch.count, NET_BATCH_FRAMES);
    cr_assert(dec_collect(x), "still full");
    x->batch.count = x->batch.used = 0;
    cr_assert(!dec_collect(x));
    cr_assert_eq(x->batch.count, 36);
    cr_assert_eq(x->batch.frame[35].len, 159);
    dec_end(x);
}

Test(dec21140_tx, half_a_frame_waits_for_the_rest)
{
    struct dec_rig *x = dec_begin();

    dec_put_frame(x, 0, 100, 0);
    dec_put_desc(x, DEC_TX_LIST, 0, DES0_OWN, TD1_FS | 50, DEC_TX_BUFFERS, 0);
    dec_put_desc(x, DEC_TX_LIST, 1, 0, TD1_LS | 50, DEC_TX_BUFFERS + 50, 0);
    stop_at(x, 2);
    dec_start_tx(x, CSR6_PS);
    cr_assert(!dec_collect(x));
    memset(&x->batch, 0xee, sizeof x->batch); /* the carrier's memory is the carrier's */
    x->batch.count = x->batch.used = 0;
    cr_assert_eq(status(x, 0), 0);
    st_le32(rig_ram(x->r, DEC_TX_LIST + 16, 4), DES0_OWN);
    dec_out(x, 1, 0);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 1);
    cr_assert_eq(x->batch.frame[0].len, 100);
    cr_assert_arr_eq(x->batch.data, rig_ram(x->r, DEC_TX_BUFFERS, 100), 100);
    dec_end(x);
}

Test(dec21140_tx, beginnings_and_ends_that_do_not_match)
{
    struct dec_rig *x = dec_begin();

    dec_put_frame(x, 0, 60, 0);
    dec_put_desc(x, DEC_TX_LIST, 0, DES0_OWN, TD1_LS | 60, DEC_TX_BUFFERS, 0);  /* no beginning */
    dec_put_desc(x, DEC_TX_LIST, 1, DES0_OWN, TD1_FS | 200, DEC_TX_BUFFERS, 0); /* no end */
    dec_put_frame(x, 2, 61, 0);
    dec_put_desc(x, DEC_TX_LIST, 3, DES0_OWN, 0, 0, 0); /* nothing: fine */
    stop_at(x, 4);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    cr_assert_eq(x->batch.count, 1);
    cr_assert_eq(x->batch.frame[0].len, 61);
    cr_assert_eq(x->dev->guest_errors, 2);
    cr_assert_eq(status(x, 3), 0);
    dec_end(x);
}
