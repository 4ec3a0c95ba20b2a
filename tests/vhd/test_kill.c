/*
 * The end of the process at any point: a child writes and flushes an image and is killed; the image
 * must open, be sound, and hold all that was flushed.
 *
 * CANDELA_KILLS in the environment says how often, for each kind of disk (make check-crash).
 *
 * Not modelled: the end of the host (test_replay.c).
 */
#include "tests/vhd/versions.h"
#include "tests/vhd/vhd_rig.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECTORS = 6000, DEFAULT_KILLS = 100, KILLS_AN_IMAGE = 60, MAX_MICROSECONDS = 4000 };

struct kill_rig {
    char *folder, *base, *path;
    enum vhd_type type;
    uint32_t block_bytes;
    struct versions v;
    GRand *rand;
    unsigned points, images, lost, in_use; /* in_use: killed after the image was opened */
    volatile uint32_t *opened;
};

static unsigned kills_wanted(void)
{
    const char *text = g_getenv("CANDELA_KILLS");

    return text ? (unsigned)g_ascii_strtoull(text, NULL, 10) : DEFAULT_KILLS;
}

/* In the child: until it is killed. */
static void child_run(struct kill_rig *k, uint32_t seed)
{
    GRand *rand = g_rand_new_with_seed(seed);
    GError *err = NULL;
    struct image *img =
        image_open(k->path, DRIVE_FORMAT_VHD, false, false, &host_file_ops, NULL, &err);

    while (img) {
        *k->opened = 1;
        for (unsigned n = (unsigned)g_rand_int_range(rand, 1, 12); n; n--) {
            if (versions_scribble(&k->v, img, rand, 300)) {
                _exit(3);
            }
        }
        if (versions_flush(&k->v, img)) {
            _exit(4);
        }
        if (g_rand_int_range(rand, 0, 10) == 0) {
            image_close(img);
            img = image_open(k->path, DRIVE_FORMAT_VHD, false, false, &host_file_ops, NULL, &err);
        }
    }
    _exit(5);
}

static void new_image(struct kill_rig *k)
{
    if (k->path) {
        g_remove(k->path);
        g_free(k->path);
    }
    memset(k->v.issued, 0, SECTORS * sizeof(uint32_t));
    if (k->base) {
        memcpy(k->v.issued, k->v.oldest, SECTORS * sizeof(uint32_t));
    }
    versions_settle(&k->v);
    k->path = vhd_rig_create(k->folder, "disk.vhd", k->type, (uint64_t)SECTORS * SECTOR_BYTES,
                             k->block_bytes, k->base);
}

static void kill_once(struct kill_rig *k)
{
    uint32_t seed = g_rand_int(k->rand);
    g_autofree char *what = NULL;
    int status;

    *k->opened = 0;
    fflush(NULL);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (!pid) {
        child_run(k, seed);
    }
    /* Some at once; the others from when the image is open, however slow the host is today. */
    for (unsigned i = 0; k->points % 4 && !*k->opened && i < 20000; i++) {
        g_usleep(100);
    }
    g_usleep((gulong)g_rand_int_range(k->rand, 0, MAX_MICROSECONDS));
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status), "the writer ended by itself: %d", WEXITSTATUS(status));
    k->points++;
    k->in_use += *k->opened;
    struct image *img = vhd_rig_open(k->path, false); /* sound, or it would be refused */
    k->images++;
    k->lost += versions_check(&k->v, img, &what);
    image_close(img);
    cr_assert_null(what, "%s", what);
    for (uint32_t i = 0; i < SECTORS; i++) { /* as the child's are not seen here */
        k->v.next = MAX(k->v.next, k->v.issued[i] + 1);
    }
}

static void kill_disk(enum vhd_type type, uint32_t block_bytes, uint32_t seed)
{
    struct kill_rig k = {
        .folder = vhd_rig_folder(),
        .type = type,
        .block_bytes = block_bytes,
        .rand = g_rand_new_with_seed(seed),
    };
    struct versions flag;

    versions_init(&k.v, SECTORS);
    versions_init(&flag, 1);
    k.opened = flag.issued;
    if (type == VHD_TYPE_DIFFERENCING) {
        k.base = vhd_rig_create(k.folder, "base.vhd", VHD_TYPE_DYNAMIC,
                                (uint64_t)SECTORS * SECTOR_BYTES, 0, NULL);
        struct image *img = vhd_rig_open(k.base, false);
        versions_write(&k.v, img, 0, SECTORS / 2);
        image_close(img);
        memcpy(k.v.oldest, k.v.issued, SECTORS * sizeof(uint32_t));
    }
    for (unsigned i = 0, n = kills_wanted(); i < n; i++) {
        if (i % KILLS_AN_IMAGE == 0) {
            new_image(&k);
        }
        kill_once(&k);
    }
    fprintf(stderr,
            "kill: %u points (%u with the image open), %u images checked, %u flushed "
            "writes lost\n",
            k.points, k.in_use, k.images, k.lost);
    cr_assert_gt(k.in_use, k.points / 4, "hardly anything was interrupted");
    versions_fini(&flag);
    versions_fini(&k.v);
    g_rand_free(k.rand);
    g_free(k.base);
    g_free(k.path);
    vhd_rig_remove(k.folder);
}

Test(vhd_kill, dynamic)
{
    kill_disk(VHD_TYPE_DYNAMIC, 0, 11);
}

Test(vhd_kill, dynamic_small_blocks)
{
    kill_disk(VHD_TYPE_DYNAMIC, 16 * 1024, 12);
}

Test(vhd_kill, differencing)
{
    kill_disk(VHD_TYPE_DIFFERENCING, 0, 13);
}

Test(vhd_kill, differencing_small_blocks)
{
    kill_disk(VHD_TYPE_DIFFERENCING, 16 * 1024, 14);
}
