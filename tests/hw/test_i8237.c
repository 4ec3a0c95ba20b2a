/*
 * The DMA controllers: registers, transfers in every direction, terminal count, addresses.
 *
 * Not modelled: see hw/i8237.c.
 */
#include "hw/i8237.h"
#include "hw/port80.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

static struct device *dma, *post;

static struct rig *begin(void)
{
    struct rig *r = rig_begin(NULL);
    dma = device_new(r->m, &i8237_ops, "i8237");
    post = device_new(r->m, &port80_ops, "port80");
    rig_ready(r);
    rig_out8(r, 0xd6, 0xc0); /* channel 4: cascade */
    rig_out8(r, 0xd4, 0x00);
    return r;
}

static void setup2(struct rig *r, uint8_t mode, uint8_t page, uint16_t addr, uint16_t count)
{
    rig_out8(r, 0x0a, 6);
    rig_out8(r, 0x0c, 0);
    rig_out8(r, 0x0b, mode | 2);
    rig_out8(r, 0x04, addr & 0xff);
    rig_out8(r, 0x04, addr >> 8);
    rig_out8(r, 0x05, count & 0xff);
    rig_out8(r, 0x05, count >> 8);
    rig_out8(r, 0x81, page);
    rig_out8(r, 0x0a, 2);
}

static uint16_t word(struct rig *r, uint16_t port)
{
    rig_out8(r, 0x0c, 0);
    uint8_t low = rig_in8(r, port);
    return low | rig_in8(r, port) << 8;
}

Test(i8237, writes_memory_and_stops_at_terminal_count)
{
    struct rig *r = begin();
    uint8_t buf[600];
    bool tc = true;
    memset(buf, 0x5a, sizeof buf);
    setup2(r, 0x44, 0x12, 0x3400, 511);
    cr_expect_eq(i8237_transfer(dma, 2, buf, 100, true, &tc), 100);
    cr_expect_not(tc);
    cr_expect_eq(word(r, 0x04), 0x3464);
    cr_expect_eq(word(r, 0x05), 411);
    cr_expect_eq(i8237_transfer(dma, 2, buf, sizeof buf, true, &tc), 412);
    cr_expect(tc);
    uint8_t *ram = rig_ram(r, 0x123400, 513);
    cr_expect_eq(ram[0], 0x5a);
    cr_expect_eq(ram[511], 0x5a);
    cr_expect_eq(ram[512], 0);
    cr_expect_eq(word(r, 0x05), 0xffff);
    cr_expect_eq(rig_in8(r, 0x08), 0x04);
    cr_expect_eq(rig_in8(r, 0x08), 0, "reading the status clears it");
    cr_expect_not(i8237_ready(dma, 2), "masked at terminal count");
    cr_expect_eq(i8237_transfer(dma, 2, buf, 10, true, &tc), 0);
    rig_free(r);
}

Test(i8237, auto_init_starts_over)
{
    struct rig *r = begin();
    uint8_t buf[64];
    bool tc;
    memcpy(rig_ram(r, 0x20000, 16), "0123456789abcdef", 16);
    setup2(r, 0x58, 2, 0, 15);
    cr_expect_eq(i8237_transfer(dma, 2, buf, 64, false, &tc), 16);
    cr_expect(tc);
    cr_expect_eq(memcmp(buf, "0123456789abcdef", 16), 0);
    cr_expect(i8237_ready(dma, 2));
    cr_expect_eq(word(r, 0x05), 15);
    cr_expect_eq(i8237_transfer(dma, 2, buf, 4, false, &tc), 4);
    cr_expect_eq(buf[3], '3');
    rig_free(r);
}

Test(i8237, address_wraps_within_the_page)
{
    struct rig *r = begin();
    uint8_t buf[32];
    memset(buf, 0x77, sizeof buf);
    setup2(r, 0x44, 3, 0xfff0, 31);
    cr_expect_eq(i8237_transfer(dma, 2, buf, 32, true, NULL), 32);
    cr_expect_eq(*rig_ram(r, 0x3ffff, 1), 0x77);
    cr_expect_eq(*rig_ram(r, 0x3000f, 1), 0x77);
    cr_expect_eq(*rig_ram(r, 0x40000, 1), 0);
    rig_free(r);
}

Test(i8237, counts_down_and_verifies)
{
    struct rig *r = begin();
    uint8_t buf[4] = {1, 2, 3, 4};
    bool tc;
    setup2(r, 0x64, 0, 0x8003, 3);
    cr_expect_eq(i8237_transfer(dma, 2, buf, 4, true, &tc), 4);
    cr_expect(tc);
    cr_expect_eq(memcmp(rig_ram(r, 0x8000, 4), "\4\3\2\1", 4), 0);
    setup2(r, 0x40, 0, 0x8000, 3);
    cr_expect_eq(i8237_transfer(dma, 2, buf, 4, true, &tc), 4);
    cr_expect(tc);
    cr_expect_eq(*rig_ram(r, 0x8000, 1), 4, "verify moves nothing");
    rig_free(r);
}

Test(i8237, sixteen_bit_channels_count_words)
{
    struct rig *r = begin();
    uint8_t buf[9];
    bool tc;
    memset(buf, 0x11, sizeof buf);
    rig_out8(r, 0xd4, 5);
    rig_out8(r, 0xd8, 0);
    rig_out8(r, 0xd6, 0x45);
    rig_out8(r, 0xc4, 0x00);
    rig_out8(r, 0xc4, 0x80); /* word address 0x8000: byte 0x10000 */
    rig_out8(r, 0xc6, 7);
    rig_out8(r, 0xc6, 0);
    rig_out8(r, 0x8b, 0x05); /* bit 0 of the page is not used */
    rig_out8(r, 0xd4, 1);
    cr_expect_eq(i8237_transfer(dma, 5, buf, 9, true, &tc), 8, "whole words only");
    cr_expect_eq(*rig_ram(r, 0x50007, 1), 0x11);
    cr_expect_eq(*rig_ram(r, 0x50008, 1), 0);
    cr_expect_not(tc);
    rig_free(r);
}

Test(i8237, refuses_what_is_not_set_up)
{
    struct rig *r = begin();
    uint8_t buf[4] = {0};
    cr_expect_eq(i8237_transfer(dma, 2, buf, 4, true, NULL), 0, "masked after reset");
    setup2(r, 0x44, 0, 0x8000, 3);
    cr_expect_eq(i8237_transfer(dma, 2, buf, 4, false, NULL), 0, "other direction");
    rig_out8(r, 0x08, 0x04);
    cr_expect_eq(i8237_transfer(dma, 2, buf, 4, true, NULL), 0, "controller disabled");
    rig_out8(r, 0x08, 0x00);
    rig_out8(r, 0xd4, 0x04);
    cr_expect_eq(i8237_transfer(dma, 2, buf, 4, true, NULL), 0, "the cascade is masked");
    cr_expect_eq(i8237_transfer(dma, 4, buf, 4, true, NULL), 0);
    cr_expect_eq(i8237_transfer(dma, 8, buf, 4, true, NULL), 0);
    rig_out8(r, 0x0d, 0);
    cr_expect_eq(rig_in8(r, 0x0f) & 15, 15, "master clear masks all");
    rig_free(r);
}

Test(i8237, page_registers_and_the_post_code_port)
{
    struct rig *r = begin();
    for (unsigned p = 0x80; p < 0x90; p++) {
        rig_out8(r, p, p ^ 0x55);
    }
    for (unsigned p = 0x80; p < 0x90; p++) {
        cr_expect_eq(rig_in8(r, p), p ^ 0x55);
    }
    cr_expect_eq(port80_last(post), 0xd5);
    rig_free(r);
}
