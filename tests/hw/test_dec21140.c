/*
 * DECchip 21140A: configuration space, registers, interrupts, timers.
 *
 * Not modelled: see hw/net/dec21140.c.
 */
#include "tests/hw/dec21140_rig.h"
#include <criterion/criterion.h>

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
    }
    cr_assert(!dec_irq(x));
    dec_end(x);
}

Test(dec21140, a_frame_each_way)
{
    struct dec_rig *x = dec_begin();

    dec_put_frame(x, 0, 100, TD1_IC);
    dec_put_desc(x, DEC_TX_LIST, 1, 0, 0, 0, 0);
    dec_out(x, 7, CSR5_NIS | CSR5_TI | CSR5_RI);
    dec_start_tx(x, CSR6_PS);
    cr_assert_eq(x->kicks_tx, 1);
    cr_assert(!dec_collect(x));
    cr_assert_eq(x->batch.count, 1);
    cr_assert_eq(x->batch.frame[0].len, 100);
    cr_assert_arr_eq(x->batch.data, rig_ram(x->r, DEC_TX_BUFFERS, 100), 100);
    cr_assert_eq(dec_get_desc(x, DEC_TX_LIST, 0, 0), 0);
    cr_assert(dec_irq(x));
    cr_assert_eq(dec_in(x, 5), 0xfc000000 | CSR5_NIS | CSR5_TI | CSR5_TU | TS_SUSPENDED << 20);
    dec_out(x, 5, CSR5_NIS | CSR5_TI | CSR5_TU);
    cr_assert(!dec_irq(x));

    dec_start_rx(x, 4, 1536, CSR6_PS | CSR6_ST | DEC_CSR6_PR);
    cr_assert_eq(dec_offer(x, 100), NET_TAKEN);
    cr_assert_eq(dec_get_desc(x, DEC_RX_LIST, 0, 0), 104u << 16 | RD0_FIRST | RD0_LAST | BIT(5));
    cr_assert_eq(*rig_ram(x->r, DEC_RX_BUFFERS + 99, 1), 99);
    cr_assert(dec_irq(x));
    dec_end(x);
}
