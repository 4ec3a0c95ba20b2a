/*
 * DECchip 21140A: when a driver is told that the transmit list is at its end.
 *
 * Not modelled: see hw/net/dec21140.c.
 */
#include "tests/hw/dec21140_rig.h"
#include <criterion/criterion.h>

/* An empty descriptor ends what goes before it. */
static void stop_at(struct dec_rig *x, unsigned n)
{
    dec_put_desc(x, DEC_TX_LIST, n, 0, 0, 0, 0);
}

Test(dec21140_end, the_end_of_the_list_is_not_told_while_more_comes)
{
    struct dec_rig *x = dec_begin();

    for (unsigned i = 0; i < 20; i++) {
        dec_put_frame(x, i, 60, 0);
        stop_at(x, i + 1);
        if (i) {
            dec_out(x, 1, 0);
        } else {
            dec_start_tx(x, CSR6_PS);
        }
        cr_assert(!x->net.front->transmit(x->dev, &x->batch));
        cr_assert_eq(x->card->s.ts, TS_SUSPENDED);
        rig_step(x->r, 99 * NS_PER_US);
        cr_assert(!(dec_in(x, 5) & CSR5_TU), "after frame %u", i);
    }
    rig_step(x->r, NS_PER_US);
    cr_assert(dec_in(x, 5) & CSR5_TU);
    dec_out(x, 5, CSR5_TU);
    rig_step(x->r, NS_PER_SEC);
    cr_assert(!(dec_in(x, 5) & CSR5_TU), "once");
    dec_end(x);
}

/* Transmit frame `n` and let `ns` pass; whether the end of the list was told. */
static bool told_after(struct dec_rig *x, unsigned n, int64_t ns)
{
    dec_put_frame(x, n, 60, 0);
    stop_at(x, n + 1);
    dec_out(x, 1, 0);
    cr_assert(!x->net.front->transmit(x->dev, &x->batch));
    rig_step(x->r, ns);
    return x->card->s.csr[5] & CSR5_TU; /* without looking */
}

/* As drivers do: until there is nothing. */
static void acknowledge(struct dec_rig *x)
{
    dec_out(x, 5, CSR5_EVENTS);
    cr_assert(!(dec_in(x, 5) & CSR5_EVENTS));
    cr_assert(!dec_irq(x));
}

Test(dec21140_end, the_end_of_the_list_needs_no_interrupt_beside_that_of_a_frame)
{
    struct dec_rig *x = dec_begin();

    dec_start_rx(x, 8, 1536, CSR6_PS | DEC_CSR6_PR);
    dec_start_tx(x, CSR6_PS | DEC_CSR6_PR | CSR6_SR);
    dec_out(x, 7, CSR5_NIS | CSR5_RI | CSR5_TU);
    dec_collect(x);
    acknowledge(x);
    cr_assert(!told_after(x, 0, NS_PER_US));
    cr_assert_eq(dec_offer(x, 60), NET_TAKEN);
    cr_assert_eq(x->card->s.csr[5] & (CSR5_RI | CSR5_TU), CSR5_RI | CSR5_TU);
    acknowledge(x);
    cr_assert(!told_after(x, 1, 999 * NS_PER_US), "the next frame may tell it, too");
    cr_assert_eq(dec_offer(x, 60), NET_TAKEN);
    acknowledge(x);
    cr_assert(!told_after(x, 2, 999 * NS_PER_US));
    rig_step(x->r, NS_PER_US);
    cr_assert(dec_irq(x), "none came");
    acknowledge(x);
    cr_assert(told_after(x, 3, 100 * NS_PER_US), "none is waited for");
    acknowledge(x);
    dec_end(x);
}

/* While a driver polls, a frame is no interrupt, and must not become one by this. */
Test(dec21140_end, the_end_of_the_list_is_not_told_by_a_frame_that_is_not)
{
    struct dec_rig *x = dec_begin();

    dec_start_rx(x, 8, 1536, CSR6_PS | DEC_CSR6_PR);
    dec_start_tx(x, CSR6_PS | DEC_CSR6_PR | CSR6_SR);
    dec_out(x, 7, CSR5_NIS | CSR5_TU);
    dec_collect(x);
    acknowledge(x);
    cr_assert(!told_after(x, 0, NS_PER_US));
    cr_assert_eq(dec_offer(x, 60), NET_TAKEN);
    cr_assert(!dec_irq(x));
    rig_step(x->r, 99 * NS_PER_US);
    cr_assert(dec_irq(x));
    dec_end(x);
}

/* The time to tell the end of the list has come while a poll demand waited that finds nothing. */
static struct dec_rig *begin_with_a_poll_for_nothing(void)
{
    struct dec_rig *x = dec_begin();

    stop_at(x, 0);
    dec_start_tx(x, CSR6_PS);
    dec_out(x, 7, CSR5_NIS | CSR5_TU);
    dec_collect(x);
    acknowledge(x);
    cr_assert(!told_after(x, 0, 50 * NS_PER_US));
    dec_out(x, 1, 0);
    rig_step(x->r, 60 * NS_PER_US);
    cr_assert(!dec_irq(x), "the carrier has not looked yet");
    cr_assert(!x->net.front->transmit(x->dev, &x->batch));
    return x;
}

/* A poll demand that finds nothing is no event, but does not take back the one before. */
Test(dec21140_end, the_end_of_the_list_is_told_after_a_poll_for_nothing)
{
    struct dec_rig *x = begin_with_a_poll_for_nothing();

    rig_step(x->r, 0);
    cr_assert(dec_irq(x));
    cr_assert_eq(dec_in(x, 5) & (CSR5_NIS | CSR5_TU), CSR5_NIS | CSR5_TU);
    dec_end(x);
}

/* Also where reading comes before the timer. */
Test(dec21140_end, what_reading_finds_is_an_interrupt_when_it_is_wanted)
{
    struct dec_rig *x = begin_with_a_poll_for_nothing();

    cr_assert_eq(dec_in(x, 5) & (CSR5_NIS | CSR5_TU), CSR5_NIS | CSR5_TU);
    cr_assert(dec_irq(x));
    dec_end(x);
}

Test(dec21140_end, a_driver_that_wants_no_interrupt_finds_the_end_of_the_list)
{
    struct dec_rig *x = dec_begin();

    stop_at(x, 0);
    dec_start_tx(x, CSR6_PS);
    dec_collect(x);
    acknowledge(x);
    cr_assert(!told_after(x, 0, NS_PER_SEC), "no timer");
    cr_assert_eq(dec_in(x, 5) & CSR5_TU, CSR5_TU);
    acknowledge(x);
    cr_assert(!told_after(x, 1, 50 * NS_PER_US));
    dec_out(x, 7, CSR5_NIS | CSR5_TU);
    rig_step(x->r, 49 * NS_PER_US);
    cr_assert(!dec_irq(x));
    rig_step(x->r, NS_PER_US);
    cr_assert(dec_irq(x), "it changed its mind");
    dec_end(x);
}

/* Where each access takes longer than the wire, and another processor goes on sending. */
Test(dec21140_end, a_slow_driver_comes_to_the_end_of_its_interrupt)
{
    struct dec_rig *x = dec_begin();
    unsigned turns = 0;

    stop_at(x, 0);
    dec_start_tx(x, CSR6_PS);
    dec_out(x, 7, CSR5_NIS | CSR5_TU);
    dec_collect(x);
    acknowledge(x);
    cr_assert(told_after(x, 0, 100 * NS_PER_US));
    while (dec_in(x, 5) & CSR5_TU && turns < 20) {
        turns++;
        dec_out(x, 5, CSR5_EVENTS);
        cr_assert(!told_after(x, turns, 400 * NS_PER_US));
    }
    cr_assert_eq(turns, 1);
    rig_step(x->r, 0);
    cr_assert(dec_irq(x), "it is told at once, in an interrupt of its own");
    dec_end(x);
}

/* A driver that does not look again is told later, not never. */
Test(dec21140_end, the_end_of_the_list_is_told_to_who_only_acknowledges)
{
    struct dec_rig *x = dec_begin();

    stop_at(x, 0);
    dec_start_tx(x, CSR6_PS);
    dec_out(x, 7, CSR5_NIS | CSR5_TU);
    dec_collect(x);
    for (unsigned i = 0; i < 3; i++) {
        dec_out(x, 5, CSR5_EVENTS);
        cr_assert(!told_after(x, i, 999 * NS_PER_US));
        rig_step(x->r, NS_PER_US);
        cr_assert(dec_irq(x));
    }
    dec_end(x);
}
