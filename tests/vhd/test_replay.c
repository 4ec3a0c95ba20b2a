/*
 * Power failures: the writes and syncs that the driver gave to the host are recorded, and images
 * made of what may have reached the disk at each point.  Each must open, with all in it that was
 * flushed.
 *
 * What a disk may hold after a failure: all that was written before the last sync that came to its
 * end; of what was written since, for each sector of 512 bytes any of the contents it was given, or
 * none; and any of the lengths the file had.  (A whole prefix, as after the end of the process, is
 * one of these cases; it is tried at each point, too, with the last write torn.)
 *
 * Not modelled: disks that lie about syncs or tear sectors.
 */
#include "tests/vhd/versions.h"
#include "tests/vhd/vhd_rig.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* One call to the host: a write, or (no data) a sync. */
struct step {
    uint64_t off;
    size_t len;
    uint8_t *data;
};

/* A moment of the guest's: at host step `at`, what was issued and flushed. */
struct moment {
    unsigned at;
    uint32_t *issued, *flushed;
};

struct recorder {
    GArray *steps;   /* struct step */
    GArray *moments; /* struct moment */
};

static int recorder_read(struct file *f, void *buf, size_t len, uint64_t off)
{
    return host_file_ops.read(f, buf, len, off);
}

static int recorder_write(struct file *f, const void *buf, size_t len, uint64_t off)
{
    struct recorder *r = f->opaque;
    struct step step = {off, len, g_memdup2(buf, len)};

    g_array_append_val(r->steps, step);
    return host_file_ops.write(f, buf, len, off);
}

static int recorder_sync(struct file *f)
{
    struct recorder *r = f->opaque;
    struct step step = {0};

    g_array_append_val(r->steps, step);
    return 0;
}

static const struct file_ops recorder_ops = {
    .read = recorder_read,
    .write = recorder_write,
    .sync = recorder_sync,
};

static void recorder_note(struct recorder *r, const struct versions *v)
{
    size_t bytes = v->sectors * sizeof(uint32_t);
    struct moment m = {r->steps->len, g_memdup2(v->issued, bytes), g_memdup2(v->flushed, bytes)};

    g_array_append_val(r->moments, m);
}

static void recorder_fini(struct recorder *r)
{
    for (guint i = 0; i < r->steps->len; i++) {
        g_free(g_array_index(r->steps, struct step, i).data);
    }
    for (guint i = 0; i < r->moments->len; i++) {
        g_free(g_array_index(r->moments, struct moment, i).issued);
        g_free(g_array_index(r->moments, struct moment, i).flushed);
    }
    g_array_unref(r->steps);
    g_array_unref(r->moments);
}

struct replay {
    const char *path; /* the image, rebuilt again and again */
    GByteArray *base; /* what is certainly on the disk */
    struct recorder *r;
    struct versions v;
    GRand *rand;
    unsigned points, images, lost;
};

static void bytes_put(GByteArray *to, uint64_t off, const uint8_t *data, size_t len)
{
    if (to->len < off + len) {
        guint was = to->len;
        g_byte_array_set_size(to, (guint)(off + len));
        memset(to->data + was, 0, to->len - was);
    }
    memcpy(to->data + off, data, len);
}

/* Open the image made of `bytes` at step `at`, and look. */
static void replay_look(struct replay *p, const GByteArray *bytes, unsigned at, const char *how)
{
    const struct moment *known = NULL, *begun = NULL;
    size_t size = p->v.sectors * sizeof(uint32_t);
    g_autofree char *what = NULL;
    GError *err = NULL;
    FILE *file = fopen(p->path, "wb");

    cr_assert(file && fwrite(bytes->data, 1, bytes->len, file) == bytes->len);
    fclose(file);
    /* Flushed is what was noted up to here; issued may be what was begun just behind. */
    for (guint i = 0; i < p->r->moments->len; i++) {
        begun = &g_array_index(p->r->moments, struct moment, i);
        if (begun->at > at) {
            break;
        }
        known = begun;
    }
    memcpy(p->v.flushed, known->flushed, size);
    memcpy(p->v.issued, begun->issued, size);
    memcpy(p->v.done, begun->issued, size);
    for (uint32_t i = 0; i < p->v.sectors; i++) {
        p->v.next = MAX(p->v.next, p->v.issued[i] + 1);
    }
    p->images++;
    struct image *img =
        image_open(p->path, DRIVE_FORMAT_VHD, false, false, &host_file_ops, NULL, &err);
    cr_assert_not_null(img, "step %u, %s: %s", at, how, err ? err->message : "");
    p->lost += versions_check(&p->v, img, &what);
    cr_assert_null(what, "step %u, %s: %s", at, how, what);
    /* And go on with it. */
    if (p->images % 8 == 0) {
        for (unsigned i = 0; i < 10; i++) {
            cr_assert_eq(versions_scribble(&p->v, img, p->rand, 50), 0);
        }
        cr_assert_eq(versions_flush(&p->v, img), 0);
        image_close(img);
        img = vhd_rig_open(p->path, true);
        p->lost += versions_check(&p->v, img, &what);
        cr_assert_null(what, "step %u, %s, used again: %s", at, how, what);
    }
    image_close(img);
}

/* All steps from the base to `at`; of the last only `part` bytes. */
static void replay_prefix(struct replay *p, unsigned from, unsigned at, size_t part)
{
    GByteArray *bytes = g_byte_array_sized_new(p->base->len);

    g_byte_array_append(bytes, p->base->data, p->base->len);
    for (unsigned i = from; i < at; i++) {
        const struct step *s = &g_array_index(p->r->steps, struct step, i);
        size_t len = i == at - 1 ? MIN(part, s->len) : s->len;

        if (len) {
            bytes_put(bytes, s->off, s->data, len);
        }
    }
    replay_look(p, bytes, at, part == SIZE_MAX ? "all written" : "the last torn");
    g_byte_array_unref(bytes);
}

/* Of the steps since the base each sector with a chance of `percent`, in any order. */
static void replay_some(struct replay *p, unsigned from, unsigned at, int percent)
{
    GByteArray *bytes = g_byte_array_sized_new(p->base->len);
    unsigned count = at - from;
    g_autofree unsigned *order = g_new0(unsigned, count + 1);
    uint64_t length = p->base->len;

    g_byte_array_append(bytes, p->base->data, p->base->len);
    for (unsigned i = 0; i < count; i++) {
        unsigned other = (unsigned)g_rand_int_range(p->rand, 0, (int)i + 1);
        const struct step *s = &g_array_index(p->r->steps, struct step, from + i);

        order[i] = order[other];
        order[other] = from + i;
        /* The file grew at each of the writes; any of the lengths may be the one on the disk. */
        if (s->off + s->len > length && g_rand_int_range(p->rand, 0, 100) < percent) {
            length = s->off + s->len;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        const struct step *s = &g_array_index(p->r->steps, struct step, order[i]);

        for (size_t k = 0; k < s->len; k += SECTOR_BYTES) {
            if (g_rand_int_range(p->rand, 0, 100) < percent) {
                bytes_put(bytes, s->off + k, s->data + k, MIN(SECTOR_BYTES, s->len - k));
            }
        }
    }
    if (bytes->len < length) {
        bytes_put(bytes, length - 1, (const uint8_t *)"", 1);
    }
    g_byte_array_set_size(bytes, (guint)length);
    replay_look(p, bytes, at, "some written");
    g_byte_array_unref(bytes);
}

static void replay_all(struct replay *p, unsigned samples)
{
    static const int chances[] = {0, 10, 50, 90, 98};
    unsigned from = 0;

    for (unsigned at = 0; at <= p->r->steps->len; at++) {
        const struct step *s = at ? &g_array_index(p->r->steps, struct step, at - 1) : NULL;

        if (s && !s->data) { /* a sync: all before is certain now */
            for (unsigned i = from; i < at; i++) {
                const struct step *w = &g_array_index(p->r->steps, struct step, i);
                if (w->len) {
                    bytes_put(p->base, w->off, w->data, w->len);
                }
            }
            from = at;
        }
        p->points++;
        replay_prefix(p, from, at, SIZE_MAX);
        if (s && s->len > SECTOR_BYTES) {
            int sectors = (int)(s->len / SECTOR_BYTES);
            replay_prefix(p, from, at,
                          (size_t)g_rand_int_range(p->rand, 1, sectors) * SECTOR_BYTES);
        }
        for (unsigned i = 0; i < samples; i++) {
            replay_some(p, from, at, chances[(at + i) % ARRAY_LEN(chances)]);
        }
    }
}

/* Let a guest write, flush and sometimes close and open again. */
static void record(struct recorder *r, const char *path, struct versions *v, GRand *rand,
                   unsigned writes)
{
    struct image *img = NULL;
    GError *err = NULL;

    for (unsigned i = 0; i < writes; i++) {
        if (!img) {
            img = image_open(path, DRIVE_FORMAT_VHD, false, false, &recorder_ops, r, &err);
            cr_assert_not_null(img, "%s", err ? err->message : "");
        }
        if (g_rand_int_range(rand, 0, 5) == 0) {
            cr_assert_eq(versions_flush(v, img), 0);
        } else {
            cr_assert_eq(versions_scribble(v, img, rand, 40), 0);
        }
        recorder_note(r, v);
        if (g_rand_int_range(rand, 0, 30) == 0) {
            image_close(img);
            img = NULL;
            versions_settle(v);
            recorder_note(r, v);
        }
    }
    if (img) {
        image_close(img);
    }
    versions_settle(v);
    recorder_note(r, v);
}

static void replay_disk(enum vhd_type type, uint32_t sectors, uint32_t block_bytes, unsigned writes,
                        unsigned samples, unsigned seed)
{
    char *folder = vhd_rig_folder();
    struct recorder r = {g_array_new(FALSE, FALSE, sizeof(struct step)),
                         g_array_new(FALSE, FALSE, sizeof(struct moment))};
    struct replay p = {.r = &r, .rand = g_rand_new_with_seed(seed)};
    g_autofree char *base = NULL, *path = NULL, *contents = NULL;
    uint64_t size = (uint64_t)sectors * SECTOR_BYTES;
    gsize len;

    versions_init(&p.v, sectors);
    if (type == VHD_TYPE_DIFFERENCING) {
        base = vhd_rig_create(folder, "base.vhd", VHD_TYPE_DYNAMIC, size, 0, NULL);
        struct image *img = vhd_rig_open(base, false);
        versions_write(&p.v, img, 0, sectors / 2);
        image_close(img);
        memcpy(p.v.oldest, p.v.issued, sectors * sizeof(uint32_t));
        versions_settle(&p.v);
    }
    path = vhd_rig_create(folder, "disk.vhd", type, size, block_bytes, base);
    cr_assert(g_file_get_contents(path, &contents, &len, NULL));
    p.base = g_byte_array_new();
    g_byte_array_append(p.base, (uint8_t *)contents, (guint)len);
    recorder_note(&r, &p.v);
    record(&r, path, &p.v, p.rand, writes);
    p.path = path;
    replay_all(&p, samples);
    fprintf(stderr, "replay: %u points, %u images checked, %u flushed writes lost\n", p.points,
            p.images, p.lost);
    cr_assert_gt(p.points, writes);
    g_rand_free(p.rand);
    g_byte_array_unref(p.base);
    versions_fini(&p.v);
    recorder_fini(&r);
    vhd_rig_remove(folder);
}

Test(vhd_replay, dynamic_small_blocks)
{
    replay_disk(VHD_TYPE_DYNAMIC, 1500, 4096, 100, 3, 1);
}

Test(vhd_replay, dynamic_large_blocks)
{
    replay_disk(VHD_TYPE_DYNAMIC, 4000, 512 * 1024, 100, 3, 2);
}

Test(vhd_replay, differencing_small_blocks)
{
    replay_disk(VHD_TYPE_DIFFERENCING, 1500, 4096, 100, 3, 3);
}

Test(vhd_replay, differencing_large_blocks)
{
    replay_disk(VHD_TYPE_DIFFERENCING, 3000, 64 * 1024, 100, 3, 4);
}

/* Bitmaps of more than one sector. */
Test(vhd_replay, differencing_with_long_bitmaps)
{
    replay_disk(VHD_TYPE_DIFFERENCING, 8200, 4 * 1024 * 1024, 60, 1, 5);
}
