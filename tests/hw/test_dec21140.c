/*
 * DECchip 21140A: configuration space, registers, interrupts, timers.
 *
 * Not modelled: see hw/net/dec21140.c.
 */
#include "tests/hw/dec21140_rig.h"
#include <criterion/criterion.h>

enum { CYCLE_SRL = 204800, CYCLE_100 = 81920, CYCLE_10 = 819200 };

static uint32_t config_read(struct dec_rig *x, unsigned reg)
{
    rig_out32(x->r, 0xcf8, BIT(31) | DEC_DEVFN << 8 | reg);
    return rig_in32(x->r, 0xcfc);
}

Test(dec21140, configuration_space_says_21140a)
{
    struct dec_rig *x = dec_begin();

    cr_assert_eq(config_read(x, 0x00), 0x00091011);
    cr_assert_eq(config_read(x, 0x04) >> 16, 0x0280);
    cr_assert_eq(config_read(x, 0x08), 0x02000020);
    cr_assert_eq(config_read(x, 0x2c), 0x21140a00);
    cr_assert_eq(config_read(x, 0x3c), 0x28140100);
    rig_config_write(x->r, DEC_DEVFN, 0x0c, 0xff08, 2);
    cr_assert_eq(config_read(x, 0x0c), 0xff08, "cache line size and latency timer");
    rig_config_write(x->r, DEC_DEVFN, 0x40, 0xffffffff, 4);
    cr_assert_eq(config_read(x, 0x40), 0xc000ff00, "sleep, snooze and the driver's byte");
    cr_assert_eq(dec_in(x, 0), 0xfe000000, "a sleeping chip answers all the same");
    for (unsigned i = 0; i < 2; i++) {
        rig_config_write(x->r, DEC_DEVFN, PCI_BAR0 + 4 * i, 0xffffffff, 4);
        cr_assert_eq(config_read(x, PCI_BAR0 + 4 * i), i ? 0xffffff80 : 0xffffff81);
    }
    dec_end(x);
}

Test(dec21140, registers_reset_to_what_the_manual_says)
{
    static const uint32_t want[16] = {
        0xfe000000, 0xffffffff, 0xffffffff, 0,          0,          0xfc000000,
        0x32000040, 0xf3fe0000, 0xe0000000, 0xfff483ff, 0xfffc0000, 0xfffe0000,
        0xfffffeff, 0xffffffff, 0xffffffff, 0xfffffec8,
    };
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
        cr_expect_eq(dec_in(x, i), want[i], "CSR%u is %#x, not %#x", i, dec_in(x, i), want[i]);
        cr_expect_eq(rig_mmio_read(x->r, DEC_MEM + 8 * i, 4), want[i]);
        cr_expect_eq(rig_mmio_read(x->r, DEC_MEM + 8 * i + 4, 4), 0, "between registers");
    }
    cr_assert(!dec_irq(x));
    dec_end(x);
}

Test(dec21140, registers_keep_what_can_be_written)
{
    static const struct {
        unsigned csr;
        uint32_t want;
    } rows[] = {{0, 0xffbffffe},  {1, 0xffffffff},  {2, 0xffffffff},
                {7, 0xf3ffefef},  {8, 0xe0000000},  {10, 0xffffffff},
                {12, 0xfffffe00}, {13, 0xffffffff}, {15, 0xfffffeff}};
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        dec_out(x, rows[i].csr, rows[i].csr ? 0xffffffff : 0xfffffffe);
        cr_expect_eq(dec_in(x, rows[i].csr), rows[i].want, "CSR%u is %#x", rows[i].csr,
                     dec_in(x, rows[i].csr));
    }
    dec_out(x, 3, 0xffffffff);
    dec_out(x, 4, 0xffffffff);
    cr_assert_eq(dec_in(x, 3), 0xfffffffc);
    cr_assert_eq(dec_in(x, 4), 0xfffffffc);
    dec_out(x, 6, 0xffffffff & ~(uint32_t)(CSR6_SR | CSR6_ST));
    cr_assert_eq(dec_in(x, 6), 0x73eddee8, "HP, HO and IF are the last setup frame's");
    dec_end(x);
}

Test(dec21140, software_reset_keeps_port_and_transceiver)
{
    struct dec_rig *x = dec_begin();

    dec_mii_set(&x->card->s.mii, 4, 0x0021);
    dec_start_tx(x, CSR6_PS);
    dec_out(x, 7, CSR5_EVENTS);
    dec_out(x, 11, 0x1000);
    dec_collect(x);
    cr_assert(dec_irq(x));
    dec_out(x, 0, CSR0_SWR);
    cr_assert(!dec_irq(x));
    cr_assert_eq(dec_in(x, 0), 0xfe000000);
    cr_assert_eq(dec_in(x, 5), 0xfc000000);
    cr_assert_eq(dec_in(x, 6), 0x32040040);
    cr_assert_eq(dec_in(x, 4), 0);
    cr_assert_eq(dec_mii_get(&x->card->s.mii, 4), 0x0021);
    cr_assert(dec_mii_can_carry(&x->card->s.mii));
    rig_step(x->r, NS_PER_SEC);
    cr_assert_eq(dec_in(x, 5), 0xfc000000, "no timer goes on");
    dec_end(x);
}

Test(dec21140, summaries_count_enabled_events_only)
{
    struct dec_rig *x = dec_begin();

    dec_raise(x->card, CSR5_TI | CSR5_RU);
    dec_out(x, 7, CSR5_NIS | CSR5_AIS);
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_TI | CSR5_RU);
    cr_assert(!dec_irq(x));
    dec_out(x, 7, CSR5_TI);
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_TI | CSR5_RU | CSR5_NIS);
    cr_assert(!dec_irq(x), "the summary is not enabled");
    dec_out(x, 7, CSR5_AIS | CSR5_RU);
    cr_assert(dec_irq(x));
    dec_out(x, 5, CSR5_AIS);
    cr_assert(dec_irq(x), "its cause is still there");
    dec_out(x, 5, CSR5_RU);
    cr_assert(!dec_irq(x));
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_TI);
    dec_out(x, 5, 0xffffffff);
    cr_assert_eq(dec_in(x, 5), 0xfc000000);
    dec_end(x);
}

/* What Linux's tulip waits for when it found too much to do in one interrupt: it lets the timer and
 * the abnormal summary through, and with them what was not pending. */
Test(dec21140, the_timer_ends_a_pause_of_tulips)
{
    struct dec_rig *x = dec_begin();
    uint32_t found = CSR5_NIS | CSR5_TU | CSR5_TI;

    dec_out(x, 6, CSR6_PS);
    dec_out(x, 7, (~found & 0x0001ebef) | CSR5_AIS | CSR5_GTE);
    dec_out(x, 11, 0x12);
    rig_step(x->r, 18 * CYCLE_100 - 1);
    cr_assert(!dec_irq(x));
    rig_step(x->r, 1);
    cr_assert(dec_irq(x));
    cr_assert_eq(dec_in(x, 5) & CSR5_EVENTS, CSR5_GTE | CSR5_NIS | CSR5_AIS);
    dec_end(x);
}

Test(dec21140, missed_frames_are_counted_until_read)
{
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < 3; i++) {
        x->net.front->missed(x->dev);
    }
    cr_assert_eq(dec_in(x, 8), 0xe0000003);
    cr_assert_eq(dec_in(x, 8), 0xe0000000);
    for (unsigned i = 0; i < 65537; i++) {
        x->net.front->missed(x->dev);
    }
    cr_assert_eq(dec_in(x, 8), 0xe0010001, "overflowed");
    cr_assert_eq(dec_in(x, 8), 0xe0000000);
    dec_end(x);
}

Test(dec21140, general_purpose_timer_counts_by_port)
{
    static const struct {
        uint32_t csr6;
        int64_t ns;
    } rows[] = {{0, CYCLE_SRL}, {CSR6_PS, CYCLE_100}, {CSR6_PS | CSR6_TTM, CYCLE_10}};
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        dec_out(x, 6, rows[i].csr6);
        dec_out(x, 11, 10);
        cr_assert_eq(dec_in(x, 11), 0xfffe000a);
        rig_step(x->r, 4 * rows[i].ns + 1);
        cr_assert_eq(dec_in(x, 11), 0xfffe0006);
        rig_step(x->r, 6 * rows[i].ns - 2);
        cr_assert_eq(dec_in(x, 5), 0xfc000000);
        rig_step(x->r, 1);
        cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_GTE);
        dec_out(x, 5, CSR5_GTE);
        rig_step(x->r, NS_PER_SEC);
        cr_assert_eq(dec_in(x, 5), 0xfc000000, "one shot");
    }
    dec_out(x, 11, BIT(16) | 10); /* and again and again */
    for (unsigned i = 0; i < 5; i++) {
        rig_step(x->r, 10 * CYCLE_10);
        cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_GTE);
        dec_out(x, 5, CSR5_GTE);
    }
    dec_out(x, 11, 0);
    rig_step(x->r, NS_PER_SEC);
    cr_assert_eq(dec_in(x, 5), 0xfc000000, "stopped");
    dec_out(x, 7, CSR5_NIS | CSR5_GTE);
    dec_out(x, 11, 1);
    rig_step(x->r, CYCLE_10);
    cr_assert(dec_irq(x));
    dec_end(x);
}

Test(dec21140, general_purpose_port_has_outputs)
{
    struct dec_rig *x = dec_begin();

    dec_out(x, 12, 0x10f);
    cr_assert_eq(dec_in(x, 12), 0xfffffef0, "outputs are low, inputs pulled up");
    dec_out(x, 12, 0x5);
    cr_assert_eq(dec_in(x, 12), 0xfffffef5);
    dec_out(x, 12, 0x100);
    cr_assert_eq(dec_in(x, 12), 0xfffffeff);
    dec_end(x);
}

Test(dec21140, rom_and_transceiver_answer_through_csr9)
{
    static const uint32_t read_mac[] = {1, 1, 0, 0, 0, 1, 0, 1, 0}; /* word 10 */
    struct dec_rig *x = dec_begin();
    uint32_t word = 0;

    dec_out(x, 9, 0x4800);
    dec_out(x, 9, 0x4801);
    for (unsigned i = 0; i < ARRAY_LEN(read_mac); i++) {
        dec_out(x, 9, 0x4801 | read_mac[i] << 2);
        dec_out(x, 9, 0x4803 | read_mac[i] << 2);
    }
    for (unsigned i = 0; i < 16; i++) {
        dec_out(x, 9, 0x4801);
        dec_out(x, 9, 0x4803);
        word = word << 1 | (dec_in(x, 9) >> 3 & 1);
    }
    cr_assert_eq(word, 0x0002, "%#x: the address begins with 02:00", word);
    cr_assert_eq(dec_in(x, 9) & 0xfff00000, 0xfff00000);
    dec_end(x);
}

Test(dec21140, link_follows_the_cable)
{
    struct dec_rig *x = dec_begin();

    dec_mii_get(&x->card->s.mii, 1);
    cr_assert(dec_mii_get(&x->card->s.mii, 1) & BIT(2));
    net_set_link(&x->net, false);
    cr_assert(!(dec_mii_get(&x->card->s.mii, 1) & BIT(2)));
    net_set_link(&x->net, true);
    dec_mii_get(&x->card->s.mii, 1);
    cr_assert(dec_mii_get(&x->card->s.mii, 1) & BIT(2));
    rig_reset(x->r);
    cr_assert(dec_mii_can_carry(&x->card->s.mii), "a reset does not pull it");
    dec_end(x);
}

Test(dec21140, info_tells_registers_and_counters)
{
    struct dec_rig *x = dec_begin();
    g_autoptr(GString) out = g_string_new(NULL);

    x->net.front->missed(x->dev);
    x->dev->ops->info(x->dev, out);
    cr_assert(strstr(out->str, "address 02:00:00:12:34:56, nic0\n"), "%s", out->str);
    cr_assert(strstr(out->str, "link up, 100 Mb/s, full duplex\n"), "%s", out->str);
    cr_assert(strstr(out->str, "CSR6  32000040"), "%s", out->str);
    cr_assert(strstr(out->str, "1 missed\n"), "%s", out->str);
    cr_assert_eq(dec_in(x, 8), 0xe0000001, "looking does not clear");
    dec_end(x);
}
