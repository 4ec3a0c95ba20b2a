/*
 * DECchip 21140A: the receive process, from a guest that means well and from one that does not.
 *
 * Not modelled: see hw/net/dec21140.c.
 */
#include "tests/hw/dec21140_rig.h"
#include <criterion/criterion.h>

enum {
    RD0_FF = BIT(30),
    RD0_ES = BIT(15),
    RD0_DE = BIT(14),
    RD0_MF = BIT(10),
    RD0_TL = BIT(7),
    RD0_FT = BIT(5),
    RD0_RW = BIT(4),
    RD0_CE = BIT(1),
    RD0_WHOLE = RD0_FIRST | RD0_LAST | RD0_FT, /* of dec_offer's frames */
};

static uint32_t status(struct dec_rig *x, unsigned n)
{
    return dec_get_desc(x, DEC_RX_LIST, n, 0);
}

static uint64_t dropped(struct dec_rig *x, enum net_drop why)
{
    return atomic_load(&x->net.stats.drops[why]);
}

static uint32_t rs(struct dec_rig *x)
{
    return dec_in(x, 5) >> 17 & 7;
}

static uint32_t whole(unsigned len)
{
    return (len + 4) << 16 | RD0_WHOLE;
}

Test(dec21140_rx, stores_frames_with_their_check_sequence)
{
    struct dec_rig *x = dec_begin();

    dec_out(x, 7, CSR5_NIS | CSR5_RI);
    dec_start_rx(x, 2, 1536, CSR6_PS | DEC_CSR6_PR);
    cr_assert_eq(rs(x), RS_WAITING);
    memset(rig_ram(x->r, DEC_RX_BUFFERS, 1536), 0xee, 1536);
    cr_assert_eq(dec_offer(x, 100), NET_TAKEN);
    cr_assert_eq(status(x, 0), whole(100));
    cr_assert_eq(*rig_ram(x->r, DEC_RX_BUFFERS + 99, 1), 99);
    /* The rest of a CRC-32 over a frame and its own check sequence is always the same. */
    cr_assert_eq(dec_crc32(rig_ram(x->r, DEC_RX_BUFFERS, 104), 104), 0xdebb20e3);
    cr_assert_eq(*rig_ram(x->r, DEC_RX_BUFFERS + 104, 1), 0xee);
    cr_assert(dec_irq(x));
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_NIS | CSR5_RI | RS_WAITING << 17);
    dec_out(x, 5, CSR5_NIS | CSR5_RI);
    cr_assert(!dec_irq(x));
    cr_assert_eq(dec_offer(x, 1514), NET_TAKEN);
    cr_assert_eq(status(x, 1), whole(1514));
    cr_assert_eq(dec_crc32(rig_ram(x->r, DEC_RX_BUFFERS + DEC_BUFFER_STEP, 1518), 1518),
                 0xdebb20e3);
    cr_assert_eq(x->card->s.rx_at, DEC_RX_LIST, "the ring is through");
    cr_assert_eq(x->kicks_rx, 0);
    dec_end(x);
}

Test(dec21140_rx, short_frames_are_padded_as_on_the_wire)
{
    struct dec_rig *x = dec_begin();

    dec_start_rx(x, 1, 1536, CSR6_PS | DEC_CSR6_PR);
    memset(rig_ram(x->r, DEC_RX_BUFFERS, 64), 0xee, 64);
    dec_offer(x, 42);
    cr_assert_eq(status(x, 0), whole(60));
    for (unsigned i = 42; i < 60; i++) {
        cr_assert_eq(*rig_ram(x->r, DEC_RX_BUFFERS + i, 1), 0);
    }
    dec_end(x);
}

Test(dec21140_rx, frames_over_buffers_and_descriptors)
{
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < 4; i++) {
        dec_put_desc(x, DEC_RX_LIST, i, DES0_OWN, 64u << 11 | 32, DEC_RX_BUFFERS + 96 * i,
                     DEC_RX_BUFFERS + 96 * i + 32);
    }
    dec_out(x, 3, DEC_RX_LIST);
    dec_out(x, 6, CSR6_PS | DEC_CSR6_PR | CSR6_SR);
    dec_offer(x, 220);
    cr_assert_eq(status(x, 0), RD0_FIRST);
    cr_assert_eq(status(x, 1), 0);
    cr_assert_eq(status(x, 2), 224u << 16 | RD0_LAST | RD0_FT);
    cr_assert_eq(status(x, 3), DES0_OWN);
    for (unsigned i = NET_HEADER; i < 220; i++) {
        cr_assert_eq(*rig_ram(x->r, DEC_RX_BUFFERS + i, 1), i);
    }
    cr_assert_eq(dec_crc32(rig_ram(x->r, DEC_RX_BUFFERS, 224), 224), 0xdebb20e3);
    dec_end(x);
}

Test(dec21140_rx, check_sequence_alone_in_a_descriptor)
{
    struct dec_rig *x = dec_begin();

    dec_start_rx(x, 2, 100, CSR6_PS | DEC_CSR6_PR);
    dec_offer(x, 100);
    cr_assert_eq(status(x, 0), RD0_FIRST);
    cr_assert_eq(status(x, 1), 104u << 16 | RD0_LAST | RD0_FT);
    dec_end(x);
}

Test(dec21140_rx, chains_do_not_use_the_second_size)
{
    struct dec_rig *x = dec_begin();

    dec_put_desc(x, DEC_RX_LIST, 0, DES0_OWN, DES1_CHAINED | 100u << 11 | 64, DEC_RX_BUFFERS,
                 DEC_RX_LIST + 0x103);
    dec_put_desc(x, DEC_RX_LIST + 0x100, 0, DES0_OWN, DES1_CHAINED | 64, DEC_RX_BUFFERS + 64,
                 DEC_RX_LIST);
    dec_out(x, 3, DEC_RX_LIST);
    dec_out(x, 6, CSR6_PS | DEC_CSR6_PR | CSR6_SR);
    dec_offer(x, 100);
    cr_assert_eq(status(x, 0), RD0_FIRST);
    cr_assert_eq(dec_get_desc(x, DEC_RX_LIST + 0x100, 0, 0), 104u << 16 | RD0_LAST | RD0_FT);
    cr_assert_eq(*rig_ram(x->r, DEC_RX_BUFFERS + 99, 1), 99);
    dec_end(x);
}

Test(dec21140_rx, both_byte_orders)
{
    struct dec_rig *x = dec_begin();
    uint8_t *desc = rig_ram(x->r, DEC_RX_LIST, 16), raw[104];

    st_be32(desc, DES0_OWN);
    st_be32(desc + 4, DES1_END_OF_RING | 64u << 11 | 64);
    st_be32(desc + 8, DEC_RX_BUFFERS);
    st_be32(desc + 12, DEC_RX_BUFFERS + 64);
    dec_out(x, 0, CSR0_BLE | CSR0_DBO);
    dec_out(x, 3, DEC_RX_LIST);
    dec_out(x, 6, CSR6_PS | DEC_CSR6_PR | CSR6_SR);
    dec_offer(x, 99);
    cr_assert_eq(ld_be32(desc), whole(99));
    for (unsigned i = 0; i < 103; i++) {
        raw[i] = *rig_ram(x->r, DEC_RX_BUFFERS + (i ^ 3), 1);
        cr_assert(i < NET_HEADER || i >= 99 || raw[i] == i, "byte %u", i);
    }
    cr_assert_eq(dec_crc32(raw, 103), 0xdebb20e3);
    dec_end(x);
}

Test(dec21140_rx, refuses_without_buffers_and_asks_again)
{
    struct dec_rig *x = dec_begin();

    dec_out(x, 7, CSR5_AIS | CSR5_RU);
    dec_start_rx(x, 1, 1536, CSR6_PS | DEC_CSR6_PR);
    dec_offer(x, 60);
    dec_out(x, 5, 0xffffffff);
    cr_assert_eq(dec_offer(x, 61), NET_FULL);
    cr_assert_eq(rs(x), RS_SUSPENDED);
    cr_assert(dec_irq(x));
    dec_out(x, 5, CSR5_RU | CSR5_AIS);
    cr_assert_eq(dec_offer(x, 61), NET_FULL);
    cr_assert(!dec_irq(x), "once for each time it runs out");
    dec_out(x, 2, 0);
    cr_assert_eq(x->kicks_rx, 0, "still nothing");
    st_le32(rig_ram(x->r, DEC_RX_LIST, 4), DES0_OWN);
    dec_out(x, 2, 0);
    cr_assert_eq(x->kicks_rx, 1);
    cr_assert_eq(dec_offer(x, 61), NET_TAKEN);
    cr_assert_eq(status(x, 0), whole(61));
    cr_assert_eq(rs(x), RS_WAITING);
    dec_end(x);
}

/* Linux's tulip never writes CSR2: hardware looks when the next frame comes. */
Test(dec21140_rx, finds_buffers_that_nobody_told_of)
{
    struct dec_rig *x = dec_begin();

    dec_start_rx(x, 1, 1536, CSR6_PS | DEC_CSR6_PR);
    dec_offer(x, 60);
    cr_assert_eq(dec_offer(x, 61), NET_FULL);
    rig_step(x->r, NS_PER_SEC);
    cr_assert_eq(x->kicks_rx, 0);
    st_le32(rig_ram(x->r, DEC_RX_LIST, 4), DES0_OWN);
    rig_step(x->r, 20 * NS_PER_MS);
    cr_assert_eq(x->kicks_rx, 1, "in its own time");
    cr_assert_eq(dec_offer(x, 61), NET_TAKEN);
    cr_assert_eq(dec_offer(x, 62), NET_FULL);
    st_le32(rig_ram(x->r, DEC_RX_LIST, 4), DES0_OWN);
    dec_out(x, 5, CSR5_RI);
    cr_assert_eq(x->kicks_rx, 2, "or when the driver acknowledges");
    cr_assert_eq(dec_offer(x, 62), NET_TAKEN);
    cr_assert_eq(dec_offer(x, 63), NET_FULL);
    dec_out(x, 6, CSR6_PS);
    cr_assert_eq(x->kicks_rx, 3, "or is stopped");
    cr_assert_eq(dec_offer(x, 63), NET_LOST);
    cr_assert_eq(dropped(x, NET_DROP_STOPPED), 1);
    rig_step(x->r, NS_PER_SEC);
    cr_assert_eq(x->kicks_rx, 3);
    dec_end(x);
}

Test(dec21140_rx, starting_without_buffers_is_told)
{
    struct dec_rig *x = dec_begin();

    dec_put_desc(x, DEC_RX_LIST, 0, 0, 0, 0, 0);
    dec_out(x, 3, DEC_RX_LIST);
    dec_out(x, 6, CSR6_PS | DEC_CSR6_PR | CSR6_SR);
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_RU | RS_SUSPENDED << 17);
    dec_out(x, 6, CSR6_PS);
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_RU | CSR5_RPS);
    dec_end(x);
}

Test(dec21140_rx, frames_without_enough_descriptors_are_truncated)
{
    struct dec_rig *x = dec_begin();

    dec_start_rx(x, 2, 64, CSR6_PS | DEC_CSR6_PR);
    dec_offer(x, 500);
    cr_assert_eq(status(x, 0), RD0_FIRST);
    cr_assert_eq(status(x, 1) & (RD0_ES | RD0_DE | RD0_LAST),
                 (uint32_t)(RD0_ES | RD0_DE | RD0_LAST));
    cr_assert_eq(status(x, 1) >> 16, 128);
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_RI | CSR5_RU | RS_SUSPENDED << 17);
    dec_end(x);
}

Test(dec21140_rx, long_frames_are_marked_and_very_long_ones_cut)
{
    struct dec_rig *x = dec_begin();

    dec_start_rx(x, 8, 1536, CSR6_PS | DEC_CSR6_PR);
    dec_offer(x, 1515);
    cr_assert_eq(status(x, 0), whole(1515) | RD0_TL | RD0_ES);
    dec_offer(x, 2556);
    cr_assert_eq(status(x, 2), 2560u << 16 | RD0_LAST | RD0_FT | RD0_TL | RD0_ES);
    cr_assert(!(dec_in(x, 5) & CSR5_RWT));
    dec_offer(x, 2557);
    cr_assert_eq(status(x, 4), 2560u << 16 | RD0_LAST | RD0_FT | RD0_TL | RD0_ES | RD0_RW | RD0_CE);
    cr_assert(dec_in(x, 5) & CSR5_RWT);
    dec_out(x, 5, 0xffffffff);
    dec_out(x, 15, CSR15_RWD); /* no watchdog */
    dec_offer(x, 4600);
    cr_assert_eq(status(x, 5), RD0_FIRST);
    cr_assert_eq(status(x, 7), 4604u << 16 | RD0_LAST | RD0_FT | RD0_TL | RD0_ES);
    cr_assert(!(dec_in(x, 5) & CSR5_RWT));
    dec_end(x);
}

Test(dec21140_rx, the_longest_frame_passes)
{
    struct dec_rig *x = dec_begin();

    dec_start_rx(x, 10, 2044, CSR6_PS | DEC_CSR6_PR);
    dec_out(x, 15, CSR15_RWD);
    cr_assert_eq(dec_offer(x, NET_FRAME_MAX), NET_TAKEN);
    cr_assert_eq(status(x, 8) >> 16, NET_FRAME_MAX + 4);
    cr_assert_eq(dec_offer(x, NET_FRAME_MAX + 1), NET_LOST);
    cr_assert_eq(dropped(x, NET_DROP_MALFORMED), 1);
    dec_end(x);
}

Test(dec21140_rx, only_what_the_filter_passes)
{
    static const uint8_t group[60] = {1, 0, 0x5e, 1, 2, 3}, other[60] = {2, 0, 0, 0, 0, 9};
    struct dec_rig *x = dec_begin();

    dec_start_rx(x, 8, 1536, CSR6_PS); /* the filter has sixteen times the address 0 */
    x->net.front->receive(x->dev, group, sizeof group);
    x->net.front->receive(x->dev, other, sizeof other);
    cr_assert_eq(dropped(x, NET_DROP_FILTERED), 2);
    dec_out(x, 6, CSR6_PS | CSR6_SR | DEC_CSR6_PM);
    x->net.front->receive(x->dev, group, sizeof group);
    cr_assert_eq(status(x, 0), 64u << 16 | RD0_FIRST | RD0_LAST | RD0_MF);
    x->net.front->receive(x->dev, other, sizeof other);
    cr_assert_eq(dropped(x, NET_DROP_FILTERED), 3);
    dec_out(x, 6, CSR6_PS | CSR6_SR | DEC_CSR6_RA);
    x->net.front->receive(x->dev, other, sizeof other);
    cr_assert_eq(status(x, 1), RD0_FF | 64u << 16 | RD0_FIRST | RD0_LAST);
    dec_end(x);
}

Test(dec21140_rx, without_link_nothing_comes)
{
    struct dec_rig *x = dec_begin();

    dec_start_rx(x, 2, 1536, CSR6_PS | DEC_CSR6_PR);
    net_set_link(&x->net, false);
    cr_assert_eq(dec_offer(x, 60), NET_LOST);
    cr_assert_eq(dropped(x, NET_DROP_LINK), 1);
    cr_assert_eq(status(x, 0), DES0_OWN);
    net_set_link(&x->net, true);
    dec_offer(x, 60);
    cr_assert_eq(status(x, 0), whole(60));
    dec_end(x);
}

Test(dec21140_rx, interrupts_can_be_held_back)
{
    struct dec_rig *x = dec_begin();

    dec_start_rx(x, 8, 1536, CSR6_PS | DEC_CSR6_PR);
    dec_out(x, 11, 4u << 20 | 3u << 17); /* three frames, or 4 cycles of 81.92 us */
    dec_offer(x, 60);
    rig_step(x->r, 2 * 81920);
    dec_offer(x, 60);
    cr_assert(!(dec_in(x, 5) & CSR5_RI));
    rig_step(x->r, 2 * 81920 - 1);
    cr_assert(!(dec_in(x, 5) & CSR5_RI));
    rig_step(x->r, 1);
    cr_assert(dec_in(x, 5) & CSR5_RI, "since the first");
    dec_out(x, 5, CSR5_RI);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(!(dec_in(x, 5) & CSR5_RI));
        dec_offer(x, 60);
    }
    cr_assert(dec_in(x, 5) & CSR5_RI);
    dec_out(x, 5, CSR5_RI);
    rig_step(x->r, NS_PER_SEC);
    cr_assert(!(dec_in(x, 5) & CSR5_RI), "nothing is left over");
    dec_end(x);
}

/* A guest that means harm ---------------------------------------------------------------------- */

/* CVE-2020-11869 and its like: sizes that the frame, or the buffer, does not have. */
Test(dec21140_rx, no_byte_goes_beyond_a_buffer)
{
    static const unsigned sizes[] = {0, 1, 3, 4, 5, 60, 63, 64, 100, 1023, 2047};
    struct dec_rig *x = dec_begin();

    for (unsigned a = 0; a < ARRAY_LEN(sizes); a++) {
        for (unsigned b = 0; b < ARRAY_LEN(sizes); b++) {
            uint8_t *p = rig_ram(x->r, DEC_RX_BUFFERS, 0x4000);

            memset(p, 0xee, 0x4000);
            dec_out(x, 6, CSR6_PS);
            dec_put_desc(x, DEC_RX_LIST, 0, DES0_OWN, sizes[b] << 11 | sizes[a],
                         DEC_RX_BUFFERS + 0x1000, DEC_RX_BUFFERS + 0x2000);
            dec_put_desc(x, DEC_RX_LIST, 1, 0, 0, 0, 0);
            dec_out(x, 3, DEC_RX_LIST);
            dec_out(x, 6, CSR6_PS | DEC_CSR6_PR | CSR6_SR);
            dec_offer(x, 1500);
            cr_assert_eq(p[0xfff], 0xee);
            cr_assert_eq(p[0x1000 + (sizes[a] & ~3u)], 0xee, "%u, %u", sizes[a], sizes[b]);
            cr_assert_eq(p[0x2000 + (sizes[b] & ~3u)], 0xee, "%u, %u", sizes[a], sizes[b]);
            cr_assert_eq(status(x, 0) & DES0_OWN, 0);
        }
    }
    dec_end(x);
}

Test(dec21140_rx, lists_that_lead_nowhere_are_bus_errors)
{
    static const struct {
        uint32_t list, buffer;
    } rows[] = {
        {0xf0000000, 0},
        {0xfffffffc, 0},
        {DEC_MEM, 0},
        {RIG_RAM_BYTES - 8, 0},
        {DEC_RX_LIST, 0xf0000000},
        {DEC_RX_LIST, 0xffffffc0},
        {DEC_RX_LIST, DEC_MEM},
        {DEC_RX_LIST, RIG_RAM_BYTES - 32},
    };
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        dec_out(x, 6, CSR6_PS);
        dec_out(x, 5, 0xffffffff);
        dec_put_desc(x, DEC_RX_LIST, 0, DES0_OWN, 1536, rows[i].buffer, 0);
        dec_out(x, 7, CSR5_FBE | CSR5_AIS);
        dec_out(x, 3, rows[i].list);
        dec_out(x, 6, CSR6_PS | DEC_CSR6_PR | CSR6_SR);
        cr_expect_eq(dec_offer(x, 100), NET_LOST);
        cr_expect_eq(dec_in(x, 5) & ~(uint32_t)CSR5_RU, 0xfc000000 | CSR5_FBE | CSR5_AIS | 1u << 23,
                     "row %u: %#x", i, dec_in(x, 5));
        cr_expect(dec_irq(x));
        dec_offer(x, 100);
        cr_expect_eq(dropped(x, NET_DROP_STOPPED), 2 * i + 2);
    }
    dec_end(x);
}

Test(dec21140_rx, lists_without_room_end)
{
    struct dec_rig *x = dec_begin();

    /* Descriptors whose buffers make the next one the chip's again. */
    for (unsigned i = 0; i < 2; i++) {
        dec_put_desc(x, DEC_RX_LIST, i, DES0_OWN, DES1_CHAINED | 4, DEC_RX_LIST + 16 * !i,
                     DEC_RX_LIST + 16 * !i);
    }
    dec_out(x, 3, DEC_RX_LIST);
    dec_out(x, 15, CSR15_RWD);
    dec_out(x, 6, CSR6_PS | DEC_CSR6_PR | CSR6_SR);
    {
        uint8_t frame[8192];

        memset(frame, 0xff, sizeof frame);
        cr_assert_eq(x->net.front->receive(x->dev, frame, sizeof frame), NET_TAKEN);
    }

    /* 64 Ki of them without any room. */
    dec_out(x, 6, CSR6_PS);
    for (unsigned i = 0; i < 65536; i++) {
        dec_put_desc(x, 0x400000, i, DES0_OWN, 0, 0, 0);
    }
    dec_out(x, 3, 0x400000);
    dec_out(x, 6, CSR6_PS | DEC_CSR6_PR | CSR6_SR);
    dec_out(x, 5, 0xffffffff);
    cr_assert_eq(dec_offer(x, 100), NET_TAKEN);
    cr_assert(x->card->s.rx_at < 0x400000 + 16 * 16384, "%#x", x->card->s.rx_at);
    cr_assert(dec_get_desc(x, x->card->s.rx_at - 16, 0, 0) & RD0_DE);
    dec_end(x);
}
