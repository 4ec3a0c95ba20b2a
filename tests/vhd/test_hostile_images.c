/*
 * Damaged and malicious images: sound ones with bytes changed, a few seconds' worth of what the
 * fuzzer does (make fuzz).  And single faults by hand, with what is said about them.
 *
 * Not modelled: the guest.
 */
#include "tests/vhd/image_fuzz.h"
#include "tests/vhd/vhd_rig.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

enum { SIZE = 256 * 1024, BLOCK = 4096, TRIES = 1500 };

static uint8_t *seed_image(enum vhd_type type, gsize *len)
{
    char *folder = vhd_rig_folder();
    g_autofree char *base = vhd_rig_create(folder, "base.vhd", VHD_TYPE_FIXED, SIZE, 0, NULL);
    g_autofree char *path = vhd_rig_create(folder, "seed.vhd", type, SIZE, BLOCK,
                                           type == VHD_TYPE_DIFFERENCING ? base : NULL);
    g_autofree uint8_t *model = g_malloc0(SIZE);
    struct image *img = vhd_rig_open(path, false);
    char *data;

    vhd_rig_write(img, model, 5 * BLOCK, 3 * 512, 1);
    vhd_rig_write(img, model, 9 * BLOCK, 2 * BLOCK, 2);
    image_close(img);
    cr_assert(g_file_get_contents(path, &data, len, NULL));
    vhd_rig_remove(folder);
    return (uint8_t *)data;
}

static uint32_t interesting(GRand *rand)
{
    static const uint32_t values[] = {0,          1,          2,          3,          4,
                                      511,        512,        513,        4096,       0x7fffffff,
                                      0x80000000, 0xfffffffe, 0xffffffff, 0x00ff0000, 1u << 24};

    return g_rand_int_range(rand, 0, 2) ? values[g_rand_int_range(rand, 0, ARRAY_LEN(values))]
                                        : g_rand_int(rand);
}

static void change(uint8_t *data, size_t len, GRand *rand)
{
    for (int n = g_rand_int_range(rand, 0, 6); n > 0; n--) {
        /* Mostly where the structures are. */
        size_t limit = g_rand_int_range(rand, 0, 4) ? MIN(len, 2304) : len;
        size_t at = (size_t)g_rand_int_range(rand, 0, (int)limit - 8);

        if (g_rand_int_range(rand, 0, 4) == 0) {
            at = len - VHD_FOOTER_BYTES + at % 96;
        }
        if (g_rand_int_range(rand, 0, 2)) {
            st_be32(data + at / 4 * 4, interesting(rand));
        } else {
            data[at] ^= (uint8_t)(1 << g_rand_int_range(rand, 0, 8));
        }
    }
}

static void hostile(enum vhd_type type, uint32_t seed)
{
    GRand *rand = g_rand_new_with_seed(seed);
    gsize len;
    g_autofree uint8_t *image = seed_image(type, &len);
    g_autofree uint8_t *input = g_malloc(len + 1);

    for (unsigned i = 0; i < TRIES; i++) {
        size_t use =
            g_rand_int_range(rand, 0, 10) ? len : (size_t)g_rand_int_range(rand, 1, (int)len);

        memcpy(input + 1, image, len);
        change(input + 1, len, rand);
        input[0] = (uint8_t)(DRIVE_FORMAT_VHD | IMAGE_FUZZ_WRITE | IMAGE_FUZZ_PARENT |
                             (g_rand_int_range(rand, 0, 8) ? IMAGE_FUZZ_MEND : 0));
        image_fuzz_one(input, use + 1);
    }
    g_rand_free(rand);
}

Test(vhd_hostile, fixed)
{
    hostile(VHD_TYPE_FIXED, 1);
}

Test(vhd_hostile, dynamic)
{
    hostile(VHD_TYPE_DYNAMIC, 2);
}

Test(vhd_hostile, differencing)
{
    hostile(VHD_TYPE_DIFFERENCING, 3);
}

/* One thing wrong in a sound dynamic image. */
struct wrong {
    const char *words; /* NULL: it opens all the same */
    uint64_t header_offset, size, bat_offset;
    uint32_t entries, block_bytes;
    unsigned bat_index;
    uint32_t bat_value;
};

static void make_wrong(const char *path, const struct wrong *w)
{
    uint8_t footer_bytes[VHD_FOOTER_BYTES], header_bytes[VHD_HEADER_BYTES], entry[4];
    struct vhd_footer footer;
    struct vhd_header header;
    struct file f = {.ops = &host_file_ops};
    struct image *img = vhd_rig_open(path, false);
    uint64_t end = img->file_size - VHD_FOOTER_BYTES;

    footer = img->vhd->footer;
    header = img->vhd->header;
    image_close(img);
    f.fd = g_open(path, O_RDWR, 0);
    uint64_t header_at = w->header_offset ? w->header_offset : footer.header_offset;
    footer.header_offset = header_at;
    footer.current_size = w->size ? w->size : footer.current_size;
    header.bat_offset = w->bat_offset ? w->bat_offset : header.bat_offset;
    header.entries = w->entries ? w->entries : header.entries;
    header.block_bytes = w->block_bytes ? w->block_bytes : header.block_bytes;
    st_be32(entry, w->bat_value);
    vhd_header_build(&header, header_bytes);
    vhd_footer_build(&footer, footer_bytes);
    file_write_at(&f, entry, w->bat_value ? 4 : 0, 1536 + 4 * w->bat_index);
    file_write_at(&f, header_bytes, sizeof header_bytes, 512);
    file_write_at(&f, footer_bytes, sizeof footer_bytes, 0);
    file_write_at(&f, footer_bytes, sizeof footer_bytes, end);
    close(f.fd);
}

Test(vhd_hostile, single_faults_are_named)
{
    static const struct wrong rows[] = {
        {.words = NULL},
        {.words = "too small", .size = SIZE + 512},
        {.words = NULL, .size = SIZE - 512},
        {.words = "2040 GiB", .size = VHD_MAX_BYTES + 512},
        {.words = "header cannot be read", .header_offset = 1ull << 40},
        {.words = "no header", .header_offset = 1024},
        {.words = "behind the file's end", .bat_offset = 1ull << 40},
        {.words = "damaged VHD", .bat_offset = 512},
        {.words = "damaged VHD", .bat_offset = 1024},
        {.words = "16 Mi", .entries = 0xffffffff},
        {.words = "behind the file's end", .entries = VHD_MAX_ENTRIES},
        {.words = "too small", .entries = 1},
        {.words = "power of two", .block_bytes = 12345},
        {.words = "256 MiB", .block_bytes = 1u << 31},
        {.words = "behind the file's end", .bat_index = 3, .bat_value = 0xfffffffe},
        {.words = "behind the file's end", .bat_index = 3, .bat_value = 1u << 20},
        {.words = "overlaps the header", .bat_index = 3, .bat_value = 2},
        {.words = "overlaps the block allocation table", .bat_index = 3, .bat_value = 3},
        {.words = "overlap at", .bat_index = 3, .bat_value = 8},
    };
    char *folder = vhd_rig_folder();

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        g_autofree char *path =
            vhd_rig_create(folder, "disk.vhd", VHD_TYPE_DYNAMIC, SIZE, BLOCK, NULL);
        g_autofree uint8_t *model = g_malloc0(SIZE);
        struct image *img = vhd_rig_open(path, false);

        vhd_rig_write(img, model, 0, 5 * BLOCK, 1);
        cr_assert_leq(vhd_block_offset(img->vhd, 0), 8 * 512);
        image_close(img);
        make_wrong(path, &rows[i]);
        if (rows[i].words) {
            vhd_rig_refuse(path, true, rows[i].words);
            vhd_rig_refuse(path, false, rows[i].words);
        } else {
            image_close(vhd_rig_open(path, false));
        }
    }
    vhd_rig_remove(folder);
}

static void damage(const char *path, uint64_t off, size_t len)
{
    struct file f = {.ops = &host_file_ops, .fd = g_open(path, O_RDWR, 0)};
    g_autofree uint8_t *junk = g_malloc(len);

    memset(junk, 0xd6, len);
    cr_assert_eq(file_write_at(&f, junk, len, off), 0);
    close(f.fd);
}

/* Either footer may be gone; opening for writing brings it back, opening for reading does not. */
Test(vhd_hostile, lost_footers_are_mended)
{
    char *folder = vhd_rig_folder();
    g_autofree uint8_t *model = g_malloc0(SIZE);
    g_autofree char *path = vhd_rig_create(folder, "disk.vhd", VHD_TYPE_DYNAMIC, SIZE, BLOCK, NULL);
    struct image *img = vhd_rig_open(path, false);

    vhd_rig_write(img, model, 3000 * 0, 20 * BLOCK, 1);
    uint64_t end = img->file_size;
    image_close(img);
    for (unsigned i = 0; i < 6; i++) {
        bool torn = i & 1;

        switch (i / 2) {
        case 0: /* the one at the end torn, or cut off */
            if (torn) {
                damage(path, end - 300, 300);
            } else {
                cr_assert_eq(truncate(path, (off_t)end - 400), 0);
            }
            break;
        case 1: /* the one at the front */
            damage(path, torn ? 100 : 0, 8);
            break;
        case 2: /* the file's end is of zeros, or of something else */
            damage(path, end, torn ? 4096 : 100);
            break;
        }
        img = vhd_rig_open(path, true);
        vhd_rig_expect(img, model);
        cr_expect_neq(img->vhd->end_footer, i / 2 != 1);
        image_close(img);
        image_close(vhd_rig_open(path, false));
        img = vhd_rig_open(path, false);
        cr_expect(img->vhd->end_footer && img->vhd->front_footer, "case %u", i);
        vhd_rig_write(img, model, (30 + i) * BLOCK, 512, i);
        vhd_rig_expect(img, model);
        end = img->file_size;
        image_close(img);
    }
    damage(path, 100, 8);
    damage(path, end - 300, 8);
    vhd_rig_refuse(path, false, "checksum");
    vhd_rig_remove(folder);
}

/*
 * The host crashed while the file grew, and the file ends in a block: what looks like a footer
 * there is what a guest wrote, to be taken for the child of some file of the host's.
 */
Test(vhd_hostile, guest_cannot_make_footers)
{
    char *folder = vhd_rig_folder();
    g_autofree uint8_t *model = g_malloc0(SIZE);
    g_autofree char *path = vhd_rig_create(folder, "disk.vhd", VHD_TYPE_DYNAMIC, SIZE, BLOCK, NULL);
    struct image *img = vhd_rig_open(path, false);
    struct vhd_footer forged;
    uint8_t bytes[VHD_FOOTER_BYTES];

    vhd_rig_write(img, model, 0, 5 * BLOCK, 1);
    forged = img->vhd->footer;
    struct file f = {.ops = &host_file_ops, .fd = g_open(path, O_RDWR, 0)};
    uint64_t end = img->file_size - VHD_FOOTER_BYTES;
    image_close(img);
    for (unsigned i = 0; i < 2; i++) {
        forged.type = i ? VHD_TYPE_DIFFERENCING : VHD_TYPE_DYNAMIC;
        forged.header_offset = i ? forged.header_offset : 8 * SECTOR_BYTES;
        vhd_footer_build(&forged, bytes);
        cr_assert_eq(file_write_at(&f, bytes, sizeof bytes, end), 0);
        img = vhd_rig_open(path, true);
        cr_expect_eq(img->ops, &dynamic_vhd_ops);
        vhd_rig_expect(img, model);
        image_close(img);
    }
    close(f.fd);
    vhd_rig_remove(folder);
}

/* Virtual PC before 2004 left out the footer's last byte. */
Test(vhd_hostile, short_footers_are_taken)
{
    char *folder = vhd_rig_folder();
    g_autofree uint8_t *model = g_malloc0(SIZE);
    g_autofree char *path = vhd_rig_create(folder, "disk.vhd", VHD_TYPE_DYNAMIC, SIZE, BLOCK, NULL);
    struct image *img = vhd_rig_open(path, false);
    uint64_t end = img->file_size;

    image_close(img);
    cr_assert_eq(truncate(path, (off_t)end - 1), 0);
    for (unsigned i = 0; i < 3; i++) {
        img = vhd_rig_open(path, false);
        cr_expect(img->vhd->end_footer && img->vhd->front_footer);
        vhd_rig_expect(img, model);
        vhd_rig_write(img, model, i * 5 * BLOCK, 3 * 512, i);
        image_close(img);
    }
    vhd_rig_remove(folder);
}

/* Large tables and long chains have limits, and stay within them cheaply. */
Test(vhd_hostile, chains_end)
{
    char *folder = vhd_rig_folder();
    char *last = vhd_rig_create(folder, "0.vhd", VHD_TYPE_FIXED, SIZE, 0, NULL);

    for (unsigned i = 1; i < VHD_CHAIN_MAX; i++) {
        g_autofree char *name = g_strdup_printf("%u.vhd", i);
        char *next = vhd_rig_create(folder, name, VHD_TYPE_DIFFERENCING, 0, BLOCK, last);

        g_free(last);
        last = next;
    }
    struct image *img = vhd_rig_open(last, true);
    uint8_t sector[512];
    cr_expect_eq(img->ops->read_at(img, 0, sector, sizeof sector), 0);
    image_close(img);
    g_autofree char *over = g_build_filename(folder, "over.vhd", NULL);
    GError *err = NULL;
    struct image_layout layout = {
        .format = DRIVE_FORMAT_VHD, .type = VHD_TYPE_DIFFERENCING, .path = over, .parent = last};
    int fd = g_open(over, O_RDWR | O_CREAT, 0600);
    cr_assert(image_create(fd, &layout, &err), "%s", err ? err->message : "");
    close(fd);
    vhd_rig_refuse(over, true, "63 images above");
    g_free(last);
    vhd_rig_remove(folder);
}
