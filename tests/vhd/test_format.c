/*
 * The on-disk structures of VHDs (vhd/vhd_format.c).
 *
 * Not modelled: files.
 */
#include "vhd/vhd_format.h"
#include <criterion/criterion.h>

/* By the specification's algorithm; the first four are what Windows, Virtual PC and QEMU wrote. */
Test(vhd_format, geometry_is_the_specifications)
{
    static const struct {
        uint64_t sectors;
        unsigned c, h, s;
    } rows[] = {
        {4194304 / 512, 0x78, 4, 0x11},
        {4212736 / 512, 0x79, 4, 0x11},
        {136365211648 / 512, 0xfefe, 16, 255},
        {1, 0, 4, 17},
        {17 * 4, 1, 4, 17},
        {1024 * 17 * 4, 140, 16, 31},
        {1024 * 17 * 4 + 17 * 5, 820, 5, 17},
        {1024 * 17 * 16 - 1, 1023, 16, 17},
        {1024 * 17 * 16, 561, 16, 31},
        {1024 * 31 * 16, 503, 16, 63},
        {65535ull * 16 * 63 - 1, 65534, 16, 63},
        {65535ull * 16 * 63, 16191, 16, 255},
        {65535ull * 16 * 255, 65535, 16, 255},
        {VHD_MAX_BYTES / 512, 65535, 16, 255},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint16_t c;
        uint8_t h, s;

        vhd_geometry(rows[i].sectors, &c, &h, &s);
        cr_expect(c == rows[i].c && h == rows[i].h && s == rows[i].s, "row %u: %u/%u/%u", i, c, h,
                  s);
    }
}

Test(vhd_format, footer_survives_being_built_and_parsed)
{
    struct vhd_footer f, g;
    uint8_t bytes[VHD_FOOTER_BYTES];

    vhd_footer_init(&f, VHD_TYPE_DYNAMIC, 10 * GiB, VHD_EPOCH + 5);
    f.saved_state = true;
    vhd_footer_build(&f, bytes);
    cr_assert_null(vhd_footer_parse(&g, bytes));
    f.features = 2;
    cr_expect(g.features == 2 && g.header_offset == 512 && g.timestamp == 5 &&
              g.original_size == 10 * GiB && g.current_size == 10 * GiB &&
              g.type == VHD_TYPE_DYNAMIC && g.saved_state);
    cr_expect(!memcmp(g.creator_app, "win ", 4) && !memcmp(g.uuid, f.uuid, 16));
    cr_expect_eq(g.cylinders, f.cylinders);
    for (unsigned i = 0; i < VHD_FOOTER_BYTES; i++) { /* no byte can change unnoticed */
        bytes[i] ^= 0x40;
        cr_expect_not_null(vhd_footer_parse(&g, bytes), "byte %u", i);
        bytes[i] ^= 0x40;
    }
}

/* Fields that cannot be, with the right checksum. */
Test(vhd_format, impossible_fields_are_refused)
{
    struct vhd_footer f, g;
    struct vhd_header h, k;
    uint8_t bytes[VHD_HEADER_BYTES];

#define REFUSE_FOOTER(change)                                                                      \
    vhd_footer_init(&f, VHD_TYPE_DYNAMIC, 1 * MiB, VHD_EPOCH);                                     \
    change;                                                                                        \
    vhd_footer_build(&f, bytes);                                                                   \
    cr_expect_not_null(vhd_footer_parse(&g, bytes), #change)
    REFUSE_FOOTER(f.current_size = 0);
    REFUSE_FOOTER(f.current_size = 513);
    REFUSE_FOOTER(f.current_size = VHD_MAX_BYTES + 512);
    REFUSE_FOOTER(f.type = (enum vhd_type)5);
    REFUSE_FOOTER(f.header_offset = 0);
    REFUSE_FOOTER(f.header_offset = 1000);

#define REFUSE_HEADER(change)                                                                      \
    vhd_header_init(&h, 1 * MiB, VHD_BLOCK_BYTES);                                                 \
    change;                                                                                        \
    vhd_header_build(&h, bytes);                                                                   \
    cr_expect_not_null(vhd_header_parse(&k, bytes), #change)
    REFUSE_HEADER(h.block_bytes = 0);
    REFUSE_HEADER(h.block_bytes = 256);
    REFUSE_HEADER(h.block_bytes = 3 * 512);
    REFUSE_HEADER(h.block_bytes = 1u << 31);
    REFUSE_HEADER(h.entries = 0);
    REFUSE_HEADER(h.entries = VHD_MAX_ENTRIES + 1);
    REFUSE_HEADER(h.bat_offset = 0);
    REFUSE_HEADER(h.bat_offset = 1537);
    REFUSE_HEADER(h.bat_offset = 1ull << 63);
    vhd_header_init(&h, 1 * MiB, VHD_BLOCK_BYTES);
    vhd_header_build(&h, bytes);
    cr_expect_null(vhd_header_parse(&k, bytes));
}

Test(vhd_format, header_survives_being_built_and_parsed)
{
    struct vhd_header h, k;
    uint8_t bytes[VHD_HEADER_BYTES];

    vhd_header_init(&h, 5 * MiB, VHD_BLOCK_BYTES);
    h.parent_timestamp = 77;
    memset(h.parent_uuid, 0xa5, sizeof h.parent_uuid);
    memcpy(h.parent_name, "\0p\0q", 4);
    memcpy(h.locators[7].platform, "W2ru", 4);
    h.locators[7].space = 4096;
    h.locators[7].length = 12;
    h.locators[7].offset = 1ull << 40;
    vhd_header_build(&h, bytes);
    cr_assert_null(vhd_header_parse(&k, bytes));
    cr_expect(k.entries == 3 && k.bat_offset == 1536 && k.block_bytes == VHD_BLOCK_BYTES &&
              k.parent_timestamp == 77);
    cr_expect(!memcmp(k.parent_uuid, h.parent_uuid, sizeof k.parent_uuid));
    cr_expect(!memcmp(k.parent_name, h.parent_name, sizeof k.parent_name));
    cr_expect(k.locators[7].space == 4096 && k.locators[7].length == 12 &&
              k.locators[7].offset == 1ull << 40);
    for (unsigned i = 0; i < VHD_HEADER_BYTES; i++) {
        bytes[i] ^= 0x40;
        cr_expect_not_null(vhd_header_parse(&k, bytes), "byte %u", i);
        bytes[i] ^= 0x40;
    }
}

Test(vhd_format, times_and_texts)
{
    size_t bytes;
    g_autofree uint8_t *little = vhd_text_write("a\u00e4\U0001f600", false, &bytes);
    g_autofree char *back = vhd_text_read(little, bytes, false);
    g_autofree char *cut = vhd_text_read((const uint8_t *)"\0a\0\0\0b", 6, true);
    char text[37];

    cr_expect_eq(bytes, 8);
    cr_expect(!memcmp(little, "a\0\xe4\0\x3d\xd8\x00\xde", 8));
    cr_expect_str_eq(back, "a\u00e4\U0001f600");
    cr_expect_str_eq(cut, "a");
    cr_expect_null(vhd_text_read((const uint8_t *)"\xd8\x00", 2, true), "half a pair");
    cr_expect_null(vhd_text_write("\xff", true, &bytes));
    cr_expect_eq(vhd_timestamp(0), 0);
    cr_expect_eq(vhd_timestamp(VHD_EPOCH + 9), 9);
    cr_expect_eq(vhd_timestamp(INT64_MAX), UINT32_MAX);
    cr_expect_eq(vhd_unix_time(9), 946684809);
    vhd_uuid_print(
        (const uint8_t *)"\x5f\xa2\x1a\x55\xf3\x94\xaa\x4d\x99\x58\x19\x51\xa6\x7d\x55\x40", text);
    cr_expect_str_eq(text, "5fa21a55-f394-aa4d-9958-1951a67d5540");
    cr_expect_eq(vhd_bitmap_bytes(512), 512);
    cr_expect_eq(vhd_bitmap_bytes(VHD_BLOCK_BYTES), 512);
    cr_expect_eq(vhd_bitmap_bytes(4 * MiB), 1024);
    cr_expect_eq(vhd_bat_bytes(1), 512);
    cr_expect_eq(vhd_bat_bytes(129), 1024);
}
