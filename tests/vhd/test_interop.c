/*
 * Images between us and others: qemu-img and qemu-io (Debian qemu-utils), libvhdi (libvhdi-utils).
 * Every one reads the same size and the same bytes, whoever made the image and whoever wrote it.
 *
 * libvhdi's contents are looked at where vhdimount works (it needs /dev/fuse and the right to
 * mount).
 *
 * Not modelled: differencing disks in QEMU, which takes them for dynamic ones.
 */
#include "tests/vhd/vhd_rig.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ODD = 5 * 1024 * 1024 + 512 * 7 }; /* no number of cylinders */

static void skip_without(const char *program)
{
    g_autofree char *path = g_find_program_in_path(program);

    if (!path) {
        cr_skip("%s is not installed", program);
    }
}

static uint64_t qemu_size(const char *path)
{
    g_autofree char *out = vhd_rig_shell("qemu-img info -f vpc --output=json %s | "
                                         "sed -n 's/.*\"virtual-size\": \\([0-9]*\\).*/\\1/p'",
                                         path);

    return g_ascii_strtoull(out, NULL, 10);
}

/* What QEMU reads is the model. */
static void expect_qemu(const char *folder, const char *path, const uint8_t *model, uint64_t size)
{
    g_autofree char *raw = g_build_filename(folder, "qemu.raw", NULL);
    g_autofree char *data = NULL;
    gsize len;

    g_free(vhd_rig_shell("qemu-img convert -f vpc -O raw %s %s", path, raw));
    cr_assert(g_file_get_contents(raw, &data, &len, NULL));
    cr_assert_eq(len, size, "%s: %llu bytes", path, (unsigned long long)len);
    cr_assert(!memcmp(data, model, size), "%s: QEMU reads something else", path);
    g_remove(raw);
}

static void expect_vhdiinfo(const char *path, const char *type, uint64_t size)
{
    g_autofree char *out = vhd_rig_shell("vhdiinfo %s", path);
    g_autofree char *bytes = g_strdup_printf("(%llu bytes)", (unsigned long long)size);

    cr_assert(strstr(out, type), "%s", out);
    /* Small ones are not given in two forms. */
    g_autofree char *plain = g_strdup_printf(": %llu bytes", (unsigned long long)size);
    cr_assert(strstr(out, bytes) || strstr(out, plain), "%s", out);
}

/* The last medium of the chain, as libvhdi reads it; where nothing can be mounted that is said. */
static void expect_vhdimount(const char *folder, const char *path, unsigned depth,
                             const uint8_t *model, uint64_t size)
{
    g_autofree char *out = vhd_rig_shell(
        "cd %s && mkdir -p mnt && if vhdimount %s mnt >/dev/null 2>&1; then "
        "for i in $(seq 50); do [ -e mnt/vhdi%u ] && break; sleep 0.2; done; "
        "cat mnt/vhdi%u >mounted.raw; umount mnt; rmdir mnt; echo yes; else rmdir mnt; fi",
        folder, path, depth, depth);
    g_autofree char *raw = g_build_filename(folder, "mounted.raw", NULL);
    g_autofree char *data = NULL;
    gsize len;

    if (!g_str_has_prefix(out, "yes")) {
        fprintf(stderr, "%s: not compared with libvhdi: vhdimount cannot mount here\n", path);
        return;
    }
    cr_assert(g_file_get_contents(raw, &data, &len, NULL));
    cr_assert_eq(len, size);
    for (uint64_t i = 0; i < size; i += 512) {
        cr_assert(!memcmp(data + i, model + i, 512), "%s: libvhdi reads sector %llu otherwise",
                  path, (unsigned long long)(i / 512));
    }
    g_remove(raw);
}

Test(vhd_interop, ours_are_read_by_others)
{
    static const struct {
        enum vhd_type type;
        const char *name;
        uint64_t size;
        uint32_t block;
    } rows[] = {
        {VHD_TYPE_FIXED, "Fixed", ODD, 0},
        {VHD_TYPE_DYNAMIC, "Dynamic", ODD, 0},
        {VHD_TYPE_DYNAMIC, "Dynamic", ODD, 512 * 1024},
        {VHD_TYPE_DYNAMIC, "Dynamic", 4096, 0},
        {VHD_TYPE_DYNAMIC, "Dynamic", 17 * 4 * 512 * 40, 4096},
    };
    skip_without("qemu-img");
    skip_without("vhdiinfo");
    char *folder = vhd_rig_folder();
    GRand *rand = g_rand_new_with_seed(3);

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t size = rows[i].size;
        g_autofree char *path =
            vhd_rig_create(folder, "ours.vhd", rows[i].type, size, rows[i].block, NULL);
        g_autofree uint8_t *model = g_malloc0(size);

        for (unsigned round = 0; round < 2; round++) { /* empty, then written */
            cr_expect_eq(qemu_size(path), size, "row %u", i);
            expect_qemu(folder, path, model, size);
            expect_vhdiinfo(path, rows[i].name, size);
            struct image *img = vhd_rig_open(path, false);
            vhd_rig_scribble(img, model, rand, 10, 300 * 1024);
            image_close(img);
        }
        expect_qemu(folder, path, model, size);
        expect_vhdimount(folder, path, 1, model, size);
    }
    g_rand_free(rand);
    vhd_rig_remove(folder);
}

Test(vhd_interop, largest_disks_have_one_size)
{
    static const uint64_t sizes[] = {65535ull * 16 * 255 * 512, 65535ull * 16 * 255 * 512 + 512,
                                     1000 * GiB, VHD_MAX_BYTES};
    skip_without("qemu-img");
    skip_without("vhdiinfo");
    char *folder = vhd_rig_folder();

    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        g_autofree char *path =
            vhd_rig_create(folder, "big.vhd", VHD_TYPE_DYNAMIC, sizes[i], 0, NULL);
        uint8_t sector[512], back[512];

        memset(sector, 0x77, sizeof sector);
        cr_expect_eq(qemu_size(path), sizes[i]);
        expect_vhdiinfo(path, "Dynamic", sizes[i]);
        struct image *img = vhd_rig_open(path, false);
        cr_expect_eq(img->size, sizes[i]);
        cr_expect_eq(img->ops->write_at(img, img->size - 512, sector, 512), 0);
        image_close(img);
        img = vhd_rig_open(path, true);
        cr_expect_eq(img->ops->read_at(img, img->size - 512, back, 512), 0);
        cr_expect(!memcmp(sector, back, 512));
        image_close(img);
        g_free(vhd_rig_shell("qemu-io -f vpc -r -c 'read -P 0x77 %llu 512' %s | grep -v differ",
                             (unsigned long long)sizes[i] - 512, path));
    }
    vhd_rig_remove(folder);
}

/* libvhdi finds the parents that we name, and reads the chain as we do. */
Test(vhd_interop, our_chains_are_read_by_libvhdi)
{
    skip_without("vhdiinfo");
    char *folder = vhd_rig_folder();
    g_autofree char *base = vhd_rig_create(folder, "base.vhd", VHD_TYPE_DYNAMIC, ODD, 0, NULL);
    g_autofree uint8_t *model = g_malloc0(ODD);
    GRand *rand = g_rand_new_with_seed(4);
    struct image *img = vhd_rig_open(base, false);

    vhd_rig_scribble(img, model, rand, 10, MiB);
    image_close(img);
    g_autofree char *child = vhd_rig_create(folder, "child.vhd", VHD_TYPE_DIFFERENCING, 0, 0, base);
    expect_vhdiinfo(child, "Differential", ODD);
    g_autofree char *out = vhd_rig_shell("vhdiinfo %s", child);
    cr_expect(strstr(out, "base.vhd"), "%s", out);
    expect_vhdimount(folder, child, 2, model, ODD);
    img = vhd_rig_open(child, false);
    /* Whole bytes of the bitmap: libvhdi 20210425 misreads others (tests/data/vhd-samples). */
    vhd_rig_write(img, model, 64 * 512, 128 * 512, 9);
    vhd_rig_write(img, model, 3 * MiB, MiB, 10);
    image_close(img);
    expect_vhdimount(folder, child, 2, model, ODD);
    g_rand_free(rand);
    vhd_rig_remove(folder);
}

Test(vhd_interop, qemus_are_read_and_written)
{
    static const char *const options[] = {
        "subformat=fixed",
        "subformat=fixed,force_size=on",
        "subformat=dynamic",
        "subformat=dynamic,force_size=on",
    };
    skip_without("qemu-img");
    char *folder = vhd_rig_folder();
    g_autofree char *path = g_build_filename(folder, "qemu.vhd", NULL);
    g_autofree char *raw = g_build_filename(folder, "source.raw", NULL);
    g_autofree uint8_t *source = g_malloc0(ODD);
    GRand *rand = g_rand_new_with_seed(6);

    memset(source + 100000, 0xab, 200000);
    memset(source + ODD - 600, 0xcd, 600);
    cr_assert(g_file_set_contents(raw, (char *)source, ODD, NULL));
    for (unsigned i = 0; i < ARRAY_LEN(options); i++) {
        for (unsigned full = 0; full < 2; full++) {
            g_free(
                full ? vhd_rig_shell("qemu-img convert -f raw -O vpc -o %s %s %s", options[i], raw,
                                     path)
                     : vhd_rig_shell("qemu-img create -f vpc -o %s %s %d", options[i], path, ODD));
            uint64_t size = qemu_size(path);
            struct image *img = vhd_rig_open(path, false);
            cr_assert_eq(img->size, size, "%s", options[i]);
            cr_assert_geq(size, ODD);
            g_autofree uint8_t *model = g_malloc0(size);
            memcpy(model, source, full ? ODD : 0);
            vhd_rig_expect(img, model);
            vhd_rig_scribble(img, model, rand, 12, 400 * 1024);
            vhd_rig_expect(img, model);
            image_close(img);
            expect_qemu(folder, path, model, size);
            memset(model + 512 * 1000, 0x5a, 100 * 1024);
            g_free(vhd_rig_shell("qemu-io -f vpc -c 'write -P 0x5a 500k 100k' %s", path));
            img = vhd_rig_open(path, true);
            vhd_rig_expect(img, model);
            image_close(img);
        }
    }
    g_rand_free(rand);
    vhd_rig_remove(folder);
}

/* Taking turns on one of ours; and never at once. */
Test(vhd_interop, qemu_writes_ours_but_not_while_we_do)
{
    skip_without("qemu-img");
    char *folder = vhd_rig_folder();
    g_autofree char *path = vhd_rig_create(folder, "ours.vhd", VHD_TYPE_DYNAMIC, ODD, 0, NULL);
    g_autofree uint8_t *model = g_malloc0(ODD);
    GRand *rand = g_rand_new_with_seed(8);

    for (unsigned i = 0; i < 6; i++) {
        struct image *img = vhd_rig_open(path, false);
        vhd_rig_expect(img, model);
        vhd_rig_scribble(img, model, rand, 3, 100 * 1024);
        g_free(vhd_rig_shell("! qemu-io -f vpc -c 'write 0 512' %s 2>/dev/null", path));
        image_close(img);
        memset(model + i * 900 * 1024, (int)i + 1, 70 * 1024);
        g_free(vhd_rig_shell("qemu-io -f vpc -c 'write -P %u %uk 70k' %s", i + 1, i * 900, path));
    }
    expect_qemu(folder, path, model, ODD);
    g_rand_free(rand);
    vhd_rig_remove(folder);
}
