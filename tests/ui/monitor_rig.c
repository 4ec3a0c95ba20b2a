/* See monitor_rig.h.  Not modelled: the I/O thread. */
#include "tests/ui/monitor_rig.h"
#include "hw/pc.h"
#include "tests/rig.h"
#include "ui/media.h"
#include "ui/net.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <unistd.h>

enum { BIOS_BYTES = 64 * 1024, ENOUGH_US = 20 * G_USEC_PER_SEC };

const uint8_t mon_reset_vector[MON_RESET_VECTOR_BYTES] = {
    0xea, 0x5b, 0xe0, 0x00, 0xf0, '0', '6', '/', '2', '3', '/', '9', '9', 0x00, 0xfc, 0x00};

char *mon_path(struct mon *b, const char *name)
{
    return g_build_filename(b->folder, name, NULL);
}

char *mon_file(struct mon *b, const char *name, size_t bytes)
{
    char *path = mon_path(b, name);
    g_autofree char *zeros = g_malloc0(bytes);

    cr_assert(g_file_set_contents(path, zeros, (gssize)bytes, NULL), "%s", path);
    return path;
}

static void add_drive(struct mon *b, unsigned row, enum drive_if interface, enum drive_media media,
                      unsigned index, char *file)
{
    struct drive_config *d = &b->m->config.drives[row];
    GError *err = NULL;

    *d = (struct drive_config){
        .used = true, .interface = interface, .media = media, .index = index, .file = file};
    if (file) {
        b->m->drives[row] = media_open_drive(d, &err);
        cr_assert(b->m->drives[row], "%s", err ? err->message : "");
    }
}

static void add_nic(struct mon *b, unsigned row, const char *id)
{
    b->m->config.nics[row] =
        (struct nic_config){.used = true,
                            .id = g_strdup(id),
                            .mac = {0x52, 0x54, 0, 0, 0, (uint8_t)(0x10 + row)},
                            .has_mac = true};
}

struct mon *mon_new(void)
{
    struct mon *b = g_new0(struct mon, 1);
    uint8_t *bios = g_malloc0(BIOS_BYTES);
    struct vm_config config;
    GError *err = NULL;

    b->folder = g_dir_make_tmp("candela-mon-XXXXXX", NULL);
    vm_config_init(&config);
    config.memory = MON_RAM;
    config.jit_hot = 1;
    b->m = machine_new(&config, rig_accel_ops());
    vm_config_clear(&config);
    clock_set_stepped(b->m);
    memcpy(bios + BIOS_BYTES - MON_RESET_VECTOR_BYTES, mon_reset_vector, MON_RESET_VECTOR_BYTES);
    b->m->bios_image = g_bytes_new_take(bios, BIOS_BYTES);
    add_drive(b, 0, DRIVE_IDE, DRIVE_DISK, 0, mon_file(b, "disk.img", 1024 * 1024));
    add_drive(b, 1, DRIVE_IDE, DRIVE_CDROM, 2, NULL);
    add_drive(b, 2, DRIVE_FLOPPY, DRIVE_DISK, 0, mon_file(b, "a.img", 1440 * 1024));
    add_nic(b, 0, "wan");
    add_nic(b, 1, "nic1");
    b->nets = nets_new(b->m, NULL);
    cr_assert(machine_build(b->m, &pc_board, &err), "%s", err ? err->message : "");
    machine_lock(b->m);
    b->c = b->m->vcpus[0]->cpu;
    session_init(&b->s, b->m);
    return b;
}

static void remove_folder(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        g_remove(path);
    }
    if (dir) {
        g_dir_close(dir);
    }
    g_rmdir(folder);
}

void mon_free(struct mon *b)
{
    session_fini(&b->s);
    machine_unlock(b->m);
    machine_free(b->m);
    nets_free(b->nets);
    remove_folder(b->folder);
    g_free(b->folder);
    g_free(b->text);
    g_clear_error(&b->err);
    g_free(b);
}

static void on_answer(void *opaque, const char *text, const GError *err)
{
    struct mon *b = opaque;

    cr_expect(!b->answered, "two answers");
    b->answered = true;
    b->text = g_strdup(text);
    b->err = err ? g_error_copy(err) : NULL;
}

void mon_settle(struct mon *b, unsigned ms)
{
    int64_t until = g_get_monotonic_time() + ms * 1000ll;

    do {
        machine_unlock(b->m);
        g_usleep(200);
        machine_lock(b->m);
        loop_run_posts(b->m);
    } while (g_get_monotonic_time() < until);
}

const char *mon_run(struct mon *b, const char *line)
{
    int64_t until = g_get_monotonic_time() + ENOUGH_US;

    g_clear_pointer(&b->text, g_free);
    g_clear_error(&b->err);
    b->answered = false;
    session_run(&b->s, line, on_answer, b);
    while (!b->answered && g_get_monotonic_time() < until) {
        mon_settle(b, 0);
    }
    cr_assert(b->answered, "no answer to: %s", line);
    cr_expect(!session_is_busy(&b->s));
    return b->text;
}

const char *mon_run_file(struct mon *b, const char *line, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(line, "%s", 2);
    g_autofree char *whole = g_strjoinv(path, parts);

    return mon_run(b, whole);
}

void mon_good(struct mon *b, const char *line, const char *part)
{
    mon_run(b, line);
    cr_expect(!b->err, "%s: %s", line, b->err ? b->err->message : "");
    cr_expect(strstr(b->text, part), "%s: no '%s' in: %s", line, part, b->text);
}

void mon_bad(struct mon *b, const char *line, enum monitor_error code, const char *part)
{
    mon_run(b, line);
    cr_assert(b->err, "%s: no error but: %s", line, b->text);
    cr_expect(g_error_matches(b->err, MONITOR_ERROR, (gint)code), "%s: %d: %s", line, b->err->code,
              b->err->message);
    cr_expect(strstr(b->err->message, part), "%s: no '%s' in: %s", line, part, b->err->message);
}

uint8_t *mon_ram(struct mon *b, uint64_t pa)
{
    const struct flat_range *f = aspace_find(b->m, pa, ACCESS_WRITE);

    cr_assert(f && f->host, "no RAM");
    return f->host + (pa - f->base);
}
