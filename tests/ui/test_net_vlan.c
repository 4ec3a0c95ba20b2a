/*
 * 802.1Q on behalf of a card: what each kind of port tags, strips, passes and refuses.
 */
#include "ui/net_int.h"
#include <criterion/criterion.h>

enum { ROOM = NET_FRAME_MAX + 4 };

struct bench {
    struct nic_config config;
    uint8_t frame[ROOM], to[ROOM + 16];
    const uint8_t *out;
    size_t len;
};

static struct bench *bench_new(enum nic_vlan mode, unsigned vlan)
{
    struct bench *b = g_new0(struct bench, 1);

    b->config.vlan_mode = mode;
    b->config.vlan = (uint16_t)vlan;
    for (unsigned i = 0; i < sizeof b->frame; i++) {
        b->frame[i] = (uint8_t)(i * 7 + 1);
    }
    memset(b->to, 0xee, sizeof b->to);
    st_be16(b->frame + 12, 0x0800);
    return b;
}

static void list(struct bench *b, unsigned vlan)
{
    b->config.trunk[vlan / 8] |= (uint8_t)BIT(vlan % 8);
}

static void tag(struct bench *b, unsigned type, unsigned tci)
{
    st_be16(b->frame + 12, (uint16_t)type);
    st_be16(b->frame + 14, (uint16_t)tci);
}

static void to_wire(struct bench *b, size_t len)
{
    b->len = net_vlan_to_wire(&b->config, b->frame, len, b->to, &b->out);
}

static void to_card(struct bench *b, size_t len)
{
    b->len = net_vlan_to_card(&b->config, b->frame, len, b->to, &b->out);
}

/* Nothing is written behind the room that was promised, and nothing at all for what passes. */
static void expect_bounds(struct bench *b)
{
    if (b->out != b->to) {
        cr_expect_eq(b->to[0], 0xee);
    }
    for (unsigned i = ROOM; i < sizeof b->to; i++) {
        cr_expect_eq(b->to[i], 0xee);
    }
}

static void expect_unchanged(struct bench *b, size_t len)
{
    cr_expect_eq(b->len, len, "%zu", b->len);
    cr_expect_eq(b->out, b->frame);
    expect_bounds(b);
}

Test(net_vlan, a_frame_is_of_the_vlan_of_its_outer_tag)
{
    struct bench *b = bench_new(NIC_VLAN_ALL, 0);

    cr_expect_eq(net_vlan_of(b->frame, 60), 0);
    tag(b, 0x8100, 0xe123);
    cr_expect_eq(net_vlan_of(b->frame, 60), 0x123);
    cr_expect_eq(net_vlan_of(b->frame, 18), 0x123);
    for (size_t len = NET_HEADER; len < 18; len++) {
        cr_expect_eq(net_vlan_of(b->frame, len), 0, "cut off at %zu", len);
    }
    tag(b, 0x8100, 0xe000);
    cr_expect_eq(net_vlan_of(b->frame, 60), 0);
    tag(b, 0x88a8, 5);
    cr_expect_eq(net_vlan_of(b->frame, 60), 0);
    g_free(b);
}

Test(net_vlan, all_passes_everything)
{
    struct bench *b = bench_new(NIC_VLAN_ALL, 0);
    static const unsigned types[] = {0x0800, 0x8100, 0x88a8};

    for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
        for (size_t len = NET_HEADER; len < 70; len++) {
            tag(b, types[i], 77);
            to_wire(b, len);
            expect_unchanged(b, len);
            to_card(b, len);
            expect_unchanged(b, len);
        }
    }
    g_free(b);
}

Test(net_vlan, access_tags_what_the_card_sends_and_strips_what_it_gets)
{
    static const size_t sizes[] = {NET_HEADER, 15, 59, 60, 1514, NET_FRAME_MAX};
    struct bench *b = bench_new(NIC_VLAN_ACCESS, 4094);

    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t len = sizes[i];
        struct bench *back = bench_new(NIC_VLAN_ACCESS, 4094);

        to_wire(b, len);
        cr_assert_eq(b->len, len + 4);
        cr_assert_eq(b->out, b->to);
        cr_expect_eq(memcmp(b->out, b->frame, 12), 0);
        cr_expect_eq(ld_be16(b->out + 12), 0x8100);
        cr_expect_eq(ld_be16(b->out + 14), 4094);
        cr_expect_eq(memcmp(b->out + 16, b->frame + 12, len - 12), 0);
        expect_bounds(b);

        memcpy(back->frame, b->out, b->len);
        to_card(back, b->len);
        cr_assert_eq(back->len, MAX(len, NET_FRAME_MIN));
        cr_expect_eq(back->out, back->to);
        cr_expect_eq(memcmp(back->out, b->frame, len), 0);
        for (size_t at = len; at < back->len; at++) {
            cr_expect_eq(back->out[at], 0, "the padding is zeros");
        }
        expect_bounds(back);
        g_free(back);
    }
    g_free(b);
}

Test(net_vlan, access_keeps_the_priority_of_a_priority_tag)
{
    struct bench *b = bench_new(NIC_VLAN_ACCESS, 10);

    tag(b, 0x8100, 0xb000);
    to_wire(b, 60);
    cr_assert_eq(b->len, 60);
    cr_assert_eq(b->out, b->to);
    cr_expect_eq(ld_be16(b->out + 14), 0xb00a);
    cr_expect_eq(memcmp(b->out + 16, b->frame + 16, 44), 0);
    g_free(b);
}

Test(net_vlan, access_refuses_other_vlans)
{
    struct bench *b = bench_new(NIC_VLAN_ACCESS, 10);
    static const unsigned others[] = {1, 9, 11, 4094, 4095, 10 | 0x800};

    for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
        tag(b, 0x8100, others[i]);
        to_wire(b, 60);
        cr_expect_eq(b->len, 0, "VLAN %u goes out", others[i]);
        to_card(b, 60);
        cr_expect_eq(b->len, 0, "VLAN %u comes in", others[i]);
    }
    tag(b, 0x8100, 0x6000 | 10);
    to_wire(b, 60);
    expect_unchanged(b, 60);

    tag(b, 0x0800, 0);
    to_card(b, 60);
    cr_expect_eq(b->len, 0, "an untagged frame comes in");
    tag(b, 0x8100, 0xe000);
    to_card(b, 60);
    cr_expect_eq(b->len, 0, "a priority-tagged frame comes in");
    g_free(b);
}

Test(net_vlan, a_service_tag_is_payload)
{
    struct bench *b = bench_new(NIC_VLAN_ACCESS, 10);

    tag(b, 0x88a8, 20);
    to_wire(b, 60);
    cr_expect_eq(b->len, 64);
    cr_expect_eq(ld_be16(b->out + 16), 0x88a8);
    to_card(b, 60);
    cr_expect_eq(b->len, 0);
    b->config.vlan_mode = NIC_VLAN_TRUNK;
    list(b, 20);
    to_wire(b, 60);
    cr_expect_eq(b->len, 0);
    g_free(b);
}

Test(net_vlan, only_the_outer_tag_is_stripped)
{
    struct bench *b = bench_new(NIC_VLAN_ACCESS, 10);

    tag(b, 0x8100, 10);
    st_be16(b->frame + 16, 0x8100);
    st_be16(b->frame + 18, 30);
    to_card(b, 64);
    cr_assert_eq(b->len, 60);
    cr_expect_eq(net_vlan_of(b->out, b->len), 30);
    g_free(b);
}

Test(net_vlan, trunk_passes_listed_tags_only)
{
    struct bench *b = bench_new(NIC_VLAN_TRUNK, 0);
    static const struct {
        unsigned type, tci;
        bool passes;
    } rows[] = {
        {0x0800, 0, false},    {0x8100, 1, true},    {0x8100, 0xe001, true},
        {0x8100, 2, false},    {0x8100, 4094, true}, {0x8100, 4093, false},
        {0x8100, 4095, false}, {0x8100, 0, false},   {0x8100, 0xe000, false},
    };

    list(b, 1);
    list(b, 4094);
    b->config.trunk[0] |= 1; /* nobody is a member of these two, whatever the list says */
    b->config.trunk[sizeof b->config.trunk - 1] |= 0x80;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        tag(b, rows[i].type, rows[i].tci);
        to_wire(b, 60);
        cr_expect_eq(b->len, rows[i].passes ? 60 : 0, "out, row %u", i);
        to_card(b, 60);
        cr_expect_eq(b->len, rows[i].passes ? 60 : 0, "in, row %u", i);
        expect_bounds(b);
    }
    g_free(b);
}

Test(net_vlan, tags_that_are_cut_off_and_odd_lengths_are_refused)
{
    struct bench *b = bench_new(NIC_VLAN_ACCESS, 10);

    list(b, 10);
    for (unsigned mode = NIC_VLAN_ACCESS; mode <= NIC_VLAN_TRUNK; mode++) {
        b->config.vlan_mode = mode;
        for (unsigned vid = 0; vid <= 10; vid += 10) {
            tag(b, 0x8100, vid);
            for (size_t len = 0; len < 18; len++) {
                to_wire(b, len);
                cr_expect_eq(b->len, 0, "mode %u, out, %zu bytes", mode, len);
                to_card(b, len);
                cr_expect_eq(b->len, 0, "mode %u, in, %zu bytes", mode, len);
            }
        }
    }
    tag(b, 0x0800, 0);
    b->config.vlan_mode = NIC_VLAN_ACCESS;
    to_wire(b, NET_FRAME_MAX + 1);
    cr_expect_eq(b->len, 0);
    tag(b, 0x8100, 10);
    to_card(b, NET_FRAME_MAX + 5);
    cr_expect_eq(b->len, 0);
    g_free(b);
}
