/*
 * The 8259 pair: priorities, end of interrupt, rotation, masks, edges and levels, polling, the
 * cascade.
 *
 * Not modelled: see hw/i8259.c.
 */
#include "hw/i8259.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

static struct device *pic;
static struct rig_pin intr;

static void init_chip(struct rig *r, uint16_t port, uint8_t base, uint8_t icw3, uint8_t icw4)
{
    rig_out8(r, port, 0x11);
    rig_out8(r, port + 1, base);
    rig_out8(r, port + 1, icw3);
    rig_out8(r, port + 1, icw4);
    rig_out8(r, port + 1, 0);
}

static struct rig *begin(uint8_t icw4)
{
    struct rig *r = rig_begin(NULL);
    pic = device_new(r->m, &i8259_ops, "i8259");
    intr = (struct rig_pin){0};
    rig_connect(i8259_intr(pic), &intr);
    rig_ready(r);
    init_chip(r, 0x20, 0x08, 4, icw4);
    init_chip(r, 0xa0, 0x70, 2, icw4);
    return r;
}

static uint8_t isr(struct rig *r, uint16_t port)
{
    rig_out8(r, port, 0x0b);
    return rig_in8(r, port);
}

static uint8_t irr(struct rig *r, uint16_t port)
{
    rig_out8(r, port, 0x0a);
    return rig_in8(r, port);
}

Test(i8259, delivers_by_priority_and_blocks_lower_levels_until_eoi)
{
    struct rig *r = begin(1);
    i8259_set_irq(pic, 4, true);
    i8259_set_irq(pic, 1, true);
    cr_expect(intr.level);
    cr_expect_eq(i8259_ack(pic), 0x09);
    cr_expect_not(intr.level, "level 4 is below level 1 in service");
    cr_expect_eq(isr(r, 0x20), 0x02);
    i8259_set_irq(pic, 0, true);
    cr_expect_eq(i8259_ack(pic), 0x08);
    rig_out8(r, 0x20, 0x20);
    cr_expect_eq(isr(r, 0x20), 0x02, "the non-specific EOI ends the highest");
    rig_out8(r, 0x20, 0x20);
    cr_expect(intr.level);
    cr_expect_eq(i8259_ack(pic), 0x0c);
    rig_free(r);
}

Test(i8259, edge_is_latched_once_and_again_after_a_new_edge)
{
    struct rig *r = begin(3);
    i8259_set_irq(pic, 3, true);
    i8259_set_irq(pic, 3, false);
    cr_expect_eq(irr(r, 0x20), 8, "latched");
    cr_expect_eq(i8259_ack(pic), 0x0b);
    i8259_set_irq(pic, 3, true);
    cr_expect_eq(i8259_ack(pic), 0x0b);
    i8259_set_irq(pic, 3, true);
    cr_expect_not(intr.level, "no edge");
    rig_free(r);
}

Test(i8259, level_input_asks_while_high_and_leaves_a_spurious_7_when_it_falls)
{
    struct rig *r = begin(1);
    rig_out8(r, 0x4d0, 0xff);
    cr_expect_eq(rig_in8(r, 0x4d0), 0xf8, "0, 1 and 2 are always edges");
    rig_out8(r, 0x4d1, 0xff);
    cr_expect_eq(rig_in8(r, 0x4d1), 0xde, "8 and 13 are always edges");
    cr_expect_eq(i8259_elcr(pic), 0xdef8);
    i8259_set_irq(pic, 5, true);
    cr_expect_eq(i8259_ack(pic), 0x0d);
    rig_out8(r, 0x20, 0x20);
    cr_expect(intr.level, "still high");
    i8259_set_irq(pic, 5, false);
    cr_expect_not(intr.level);
    cr_expect_eq(i8259_ack(pic), 0x0f, "spurious");
    cr_expect_eq(isr(r, 0x20), 0, "a spurious 7 is not in service");
    rig_free(r);
}

Test(i8259, spurious_15_leaves_only_the_cascade_in_service)
{
    struct rig *r = begin(1);
    rig_out8(r, 0x4d1, 0x02);
    i8259_set_irq(pic, 9, true);
    i8259_set_irq(pic, 9, false);
    cr_expect_eq(i8259_ack(pic), 0x77);
    cr_expect_eq(isr(r, 0xa0), 0);
    cr_expect_eq(isr(r, 0x20), 4);
    rig_free(r);
}

Test(i8259, slave_goes_through_the_cascade_and_needs_two_eois)
{
    struct rig *r = begin(1);
    i8259_set_irq(pic, 12, true);
    i8259_set_irq(pic, 14, true);
    cr_expect_eq(i8259_ack(pic), 0x74);
    cr_expect_eq(isr(r, 0x20), 4);
    cr_expect_eq(isr(r, 0xa0), 0x10);
    i8259_set_irq(pic, 2, true); /* the cascade has no pin */
    rig_out8(r, 0xa0, 0x20);
    cr_expect_not(intr.level);
    rig_out8(r, 0x20, 0x20);
    cr_expect(intr.level);
    cr_expect_eq(i8259_ack(pic), 0x76);
    rig_free(r);
}

Test(i8259, special_fully_nested_master_lets_a_higher_slave_level_through)
{
    struct rig *r = begin(0x11);
    i8259_set_irq(pic, 14, true);
    cr_expect_eq(i8259_ack(pic), 0x76);
    i8259_set_irq(pic, 8, true);
    cr_expect(intr.level);
    cr_expect_eq(i8259_ack(pic), 0x70);
    i8259_set_irq(pic, 15, true);
    cr_expect_not(intr.level);
    rig_free(r);
}

Test(i8259, auto_eoi_leaves_nothing_in_service_even_through_the_cascade)
{
    struct rig *r = begin(3);
    i8259_set_irq(pic, 9, true);
    i8259_set_irq(pic, 10, true);
    cr_expect_eq(i8259_ack(pic), 0x71);
    cr_expect_eq(isr(r, 0x20) | isr(r, 0xa0), 0);
    cr_expect_eq(i8259_ack(pic), 0x72, "the second slave request made a new edge");
    cr_expect_not(intr.level);
    rig_free(r);
}

Test(i8259, rotation_moves_the_served_level_to_the_bottom)
{
    struct rig *r = begin(1);
    i8259_set_irq(pic, 3, true);
    cr_expect_eq(i8259_ack(pic), 0x0b);
    rig_out8(r, 0x20, 0xa0); /* rotate on non-specific EOI: 4 is first now */
    i8259_set_irq(pic, 1, true);
    i8259_set_irq(pic, 6, true);
    cr_expect_eq(i8259_ack(pic), 0x0e);
    rig_out8(r, 0x20, 0x66); /* specific EOI of 6 */
    rig_out8(r, 0x20, 0xc7); /* 7 is last: the usual order again */
    i8259_set_irq(pic, 6, false);
    i8259_set_irq(pic, 6, true);
    cr_expect_eq(i8259_ack(pic), 0x09);
    rig_out8(r, 0x20, 0xe1); /* rotate on specific EOI of 1: 2 is first */
    i8259_set_irq(pic, 0, true);
    cr_expect_eq(i8259_ack(pic), 0x0e);
    rig_free(r);
}

Test(i8259, rotation_in_auto_eoi_mode)
{
    struct rig *r = begin(3);
    rig_out8(r, 0x20, 0x80);
    i8259_set_irq(pic, 1, true);
    cr_expect_eq(i8259_ack(pic), 0x09);
    i8259_set_irq(pic, 0, true);
    i8259_set_irq(pic, 5, true);
    cr_expect_eq(i8259_ack(pic), 0x0d, "5 comes before 0 after 1 was served");
    rig_free(r);
}

Test(i8259, mask_holds_a_request_back)
{
    struct rig *r = begin(1);
    rig_out8(r, 0x21, 0x10);
    cr_expect_eq(rig_in8(r, 0x21), 0x10);
    i8259_set_irq(pic, 4, true);
    cr_expect_not(intr.level);
    rig_out8(r, 0x21, 0);
    cr_expect(intr.level);
    cr_expect_eq(i8259_ack(pic), 0x0c);
    rig_free(r);
}

Test(i8259, special_mask_mode_lets_lower_levels_interrupt)
{
    struct rig *r = begin(1);
    i8259_set_irq(pic, 1, true);
    cr_expect_eq(i8259_ack(pic), 0x09);
    rig_out8(r, 0x21, 0x02);
    rig_out8(r, 0x20, 0x68);
    i8259_set_irq(pic, 6, true);
    cr_expect_eq(i8259_ack(pic), 0x0e);
    rig_out8(r, 0x20, 0x20); /* does not end the masked level */
    cr_expect_eq(isr(r, 0x20), 0x02);
    rig_out8(r, 0x20, 0x48); /* out of the mode: level 1 blocks again */
    i8259_set_irq(pic, 5, true);
    cr_expect_not(intr.level);
    rig_free(r);
}

Test(i8259, poll_reads_the_level_and_acknowledges)
{
    struct rig *r = begin(1);
    rig_out8(r, 0x20, 0x0c);
    cr_expect_eq(rig_in8(r, 0x20), 0, "nothing there");
    i8259_set_irq(pic, 5, true);
    rig_out8(r, 0x20, 0x0c);
    cr_expect_eq(rig_in8(r, 0x20), 0x85);
    cr_expect_eq(isr(r, 0x20), 0x20);
    cr_expect_not(intr.level);
    rig_free(r);
}

Test(i8259, single_mode_and_icw1_without_icw4)
{
    struct rig *r = begin(3);
    i8259_set_irq(pic, 6, true);
    rig_out8(r, 0x20, 0x12); /* single, no ICW4 */
    rig_out8(r, 0x21, 0x43);
    cr_expect_eq(irr(r, 0x20), 0, "the edge is forgotten");
    rig_out8(r, 0x21, 0xfb); /* a mask already */
    cr_expect_eq(rig_in8(r, 0x21), 0xfb);
    i8259_set_irq(pic, 6, false);
    i8259_set_irq(pic, 6, true);
    rig_out8(r, 0x21, 0);
    cr_expect_eq(i8259_ack(pic), 0x46);
    cr_expect_eq(isr(r, 0x20), 0x40, "no auto-EOI any more");
    rig_free(r);
}

Test(i8259, machine_acknowledges_through_intack)
{
    struct rig *r = begin(1);
    i8259_set_irq(pic, 8, true);
    cr_assert(r->m->intack);
    cr_expect_eq(r->m->intack(r->m), 0x70);
    i8259_set_irq(pic, -1, true);
    i8259_set_irq(pic, 16, true);
    rig_free(r);
}
