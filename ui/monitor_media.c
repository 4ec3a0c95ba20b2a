/*
 * The monitor's commands for drives and pictures: change, eject, screendump, info block.
 *
 * Files are opened, written and closed on a thread of its own; only the change of the medium itself
 * happens under the lock.  The old medium is closed when its last request is done.
 *
 * Not here: hard disks, which stay in a machine; other media than files.
 */
#include "hw/fdc.h"
#include "hw/ide.h"
#include "ui/media.h"
#include "ui/monitor_cmd.h"
#include "ui/output.h"
#include "ui/screen.h"

/* Drives -------------------------------------------------------------------------------------- */

static bool drive_is_floppy(const struct drive_config *d)
{
    return d->interface == DRIVE_FLOPPY;
}

static bool drive_is_removable(const struct drive_config *d)
{
    return drive_is_floppy(d) || d->media == DRIVE_CDROM;
}

/* QEMU's names. */
char *drive_name(const struct machine *m, unsigned row)
{
    const struct drive_config *d = &m->config.drives[row];

    if (drive_is_floppy(d)) {
        return g_strdup_printf("floppy%u", d->index);
    }
    return g_strdup_printf("ide%u-%s%u", d->index / 2, d->media == DRIVE_CDROM ? "cd" : "hd",
                           d->index % 2);
}

/* "A:", "b", "fda"; "hda" to "hdd" as the options have it; "cdrom": the first one. */
static bool drive_has_alias(const struct drive_config *d, const char *name)
{
    size_t len = strlen(name);
    char letter = len ? g_ascii_tolower(name[len - 1]) : '\0';

    if (len == 2 && name[1] == ':') {
        letter = g_ascii_tolower(name[0]);
        len = 1;
    }
    if (drive_is_floppy(d)) {
        return (len == 1 || (len == 3 && g_str_has_prefix(name, "fd"))) &&
               letter == 'a' + (int)d->index;
    }
    return (len == 3 && g_str_has_prefix(name, "hd") && letter == 'a' + (int)d->index) ||
           (d->media == DRIVE_CDROM && !strcmp(name, "cdrom"));
}

int drive_find(const struct machine *m, const char *name)
{
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
            g_autofree char *own = drive_name(m, i);

            if (m->config.drives[i].used &&
                (pass ? drive_has_alias(&m->config.drives[i], name) : !strcmp(own, name))) {
                return (int)i;
            }
        }
    }
    return -1;
}

static struct device *drive_controller(struct machine *m, const struct drive_config *d)
{
    return device_find(m, drive_is_floppy(d) ? "fdc" : d->index / 2 ? "ide1" : "ide0");
}

static bool drive_check_removable(struct machine *m, unsigned row, GError **err)
{
    g_autofree char *name = drive_name(m, row);

    return drive_is_removable(&m->config.drives[row]) ||
           monitor_fail(err, MONITOR_ERROR_STATE,
                        "%s is a hard disk: only CDs and floppy disks can be changed", name);
}

/* The old medium ------------------------------------------------------------------------------ */

static bool old_is_idle(void *arg)
{
    return block_detach(arg);
}

static void old_close(void *arg)
{
    block_close(arg);
}

/* Nothing is lost by the end of the run: what was not detached is the machine's still. */
static void old_medium_later(struct call *c, struct block *old)
{
    if (old) {
        c->later =
            (struct later){.arg = old, .ready = old_is_idle, .work = old_close, .must_end = true};
    }
}

/* Change -------------------------------------------------------------------------------------- */

struct change {
    struct drive_config config; /* file and format as asked for */
    unsigned row;
    bool force;
    struct block *blk; /* opened, until it is in the drive */
    GError *err;
};

static void change_free(void *arg)
{
    struct change *ch = arg;

    if (ch->blk) {
        block_close(ch->blk);
    }
    g_clear_error(&ch->err);
    g_free(ch->config.file);
    g_free(ch);
}

static void change_work(void *arg)
{
    struct change *ch = arg;

    ch->blk = media_open_drive(&ch->config, &ch->err);
}

/* Put `blk` (NULL: nothing) into the drive; the call then closes what was in it. */
static bool drive_insert(struct call *c, unsigned row, struct block *blk, bool force, GError **err)
{
    const struct drive_config *d = &c->m->config.drives[row];
    struct device *dev = drive_controller(c->m, d);
    g_autofree char *name = drive_name(c->m, row);
    struct block *old = NULL;
    bool good;

    if (drive_is_floppy(d)) {
        good = dev && fdc_change_medium(dev, d->index, blk, &old);
    } else {
        good = dev && ide_change_medium(dev, d->index % 2, blk, force, &old);
    }
    if (good) {
        old_medium_later(c, old);
    } else if (!drive_is_floppy(d)) {
        monitor_fail(err, MONITOR_ERROR_STATE,
                     "%s: the guest has locked the tray; let it eject the disc, or use -f", name);
    } else {
        monitor_fail(err, MONITOR_ERROR_STATE, "%s: the disk does not fit into this drive", name);
    }
    return good;
}

static bool change_done(struct call *c, void *arg, GError **err)
{
    struct change *ch = arg;
    struct drive_config *d = &c->m->config.drives[ch->row];

    if (!ch->blk) {
        g_autofree char *path = g_canonicalize_filename(ch->config.file, NULL);
        const struct block *old = c->m->drives[ch->row];

        g_propagate_error(err, g_steal_pointer(&ch->err));
        if (old && !g_strcmp0(old->path, path)) {
            g_prefix_error(err, "it is in the drive now (eject it first): ");
        }
        return false;
    }
    block_attach(ch->blk, c->m);
    if (!drive_insert(c, ch->row, ch->blk, ch->force, err)) {
        block_detach(ch->blk); /* no request was made of it */
        return false;
    }
    ch->blk = NULL;
    g_free(d->file);
    *d = ch->config;
    ch->config.file = NULL;
    return true;
}

const char *const change_formats[] = {"auto", "raw", "vhd", NULL};
const char *const change_modes[] = {"retain", "read-only", "read-write", NULL};
enum { MODE_RETAIN, MODE_READONLY };

/* change [-f] DRIVE FILE [FORMAT] [MODE] */
bool cmd_change(struct call *c, GError **err)
{
    static const enum drive_format formats[] = {DRIVE_FORMAT_AUTO, DRIVE_FORMAT_RAW,
                                                DRIVE_FORMAT_VHD};
    unsigned row = (unsigned)c->arg[1].num;
    const struct drive_config *d = &c->m->config.drives[row];
    struct change *ch;

    if (!drive_check_removable(c->m, row, err)) {
        return false;
    }
    if (!*c->arg[2].text) {
        return monitor_fail(err, MONITOR_ERROR_ARGUMENT, "change: the name of the file is empty");
    }
    ch = g_new0(struct change, 1);
    ch->row = row;
    ch->force = c->arg[0].given;
    ch->config = *d;
    ch->config.file = g_strdup(c->arg[2].text);
    ch->config.format = DRIVE_FORMAT_AUTO;
    if (c->arg[3].given) {
        ch->config.format = formats[c->arg[3].num];
    }
    if (c->arg[4].given && c->arg[4].num != MODE_RETAIN) {
        ch->config.readonly = c->arg[4].num == MODE_READONLY;
    }
    c->later =
        (struct later){.arg = ch, .work = change_work, .done = change_done, .free = change_free};
    return true;
}

/* eject [-f] DRIVE */
bool cmd_eject(struct call *c, GError **err)
{
    unsigned row = (unsigned)c->arg[1].num;
    g_autofree char *name = drive_name(c->m, row);

    if (!drive_check_removable(c->m, row, err)) {
        return false;
    }
    if (!c->m->drives[row]) {
        g_string_append_printf(c->out, "%s is empty\n", name);
        return true;
    }
    if (!drive_insert(c, row, NULL, c->arg[0].given, err)) {
        return false;
    }
    g_clear_pointer(&c->m->config.drives[row].file, g_free);
    return true;
}

/* info block ---------------------------------------------------------------------------------- */

static void print_bytes(GString *out, uint64_t bytes)
{
    g_autofree char *text = g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);

    g_string_append(out, text);
}

static void print_medium(const struct block *b, GString *out)
{
    g_string_append_printf(out, "%s (%s)\n    ", b->path ? b->path : "", b->ops->name);
    print_bytes(out, b->sectors * SECTOR_BYTES);
    g_string_append_printf(out, ", %" G_GUINT64_FORMAT " sectors%s\n", b->sectors,
                           b->readonly ? ", read-only" : "");
    g_string_append_printf(out, "    %" G_GUINT64_FORMAT " reads (", b->read_reqs);
    print_bytes(out, b->read_bytes);
    g_string_append_printf(out, "), %" G_GUINT64_FORMAT " writes (", b->write_reqs);
    print_bytes(out, b->write_bytes);
    g_string_append_printf(out, "), %" G_GUINT64_FORMAT " flushes, %u under way\n", b->flush_reqs,
                           b->in_flight);
}

bool info_block(struct call *c, GError **err)
{
    (void)err;
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        const struct drive_config *d = &c->m->config.drives[i];
        g_autofree char *name = drive_name(c->m, i);
        bool open = false, locked = false;

        if (!d->used) {
            continue;
        }
        g_string_append_printf(c->out, "%s: ", name);
        if (c->m->drives[i]) {
            print_medium(c->m->drives[i], c->out);
        } else {
            g_string_append(c->out, "empty\n");
        }
        if (d->snapshot && !d->readonly && d->media == DRIVE_DISK) {
            g_string_append(c->out, "    snapshot: what is written is thrown away\n");
        }
        if (drive_is_floppy(d)) {
            g_string_append(c->out, "    removable\n");
        } else if (drive_is_removable(d) && drive_controller(c->m, d) &&
                   ide_tray(drive_controller(c->m, d), d->index % 2, &open, &locked)) {
            g_string_append_printf(c->out, "    removable, tray %s%s\n", open ? "open" : "closed",
                                   locked ? ", locked by the guest" : "");
        }
    }
    return true;
}

/* screendump ---------------------------------------------------------------------------------- */

struct dump {
    struct screen_shot *shot;
    char *path;
    bool good;
    GError *err;
};

static void dump_work(void *arg)
{
    struct dump *d = arg;

    d->good = output_check("screendump", d->path, &d->err) &&
              screen_shot_write(d->shot, "screendump", d->path, &d->err);
}

static bool dump_done(struct call *c, void *arg, GError **err)
{
    struct dump *d = arg;

    (void)c;
    if (!d->good) {
        g_propagate_error(err, g_steal_pointer(&d->err));
    }
    return d->good;
}

static void dump_free(void *arg)
{
    struct dump *d = arg;

    screen_shot_free(d->shot);
    g_clear_error(&d->err);
    g_free(d->path);
    g_free(d);
}

/* screendump FILE */
bool cmd_screendump(struct call *c, GError **err)
{
    const char *path = c->arg[0].text;
    struct dump *d;

    if (!screen_knows_ending(path)) {
        return monitor_fail(err, MONITOR_ERROR_ARGUMENT,
                            "screendump: %s: the name must end in .png, .ppm or .txt", path);
    }
    if (!c->m->display) {
        return monitor_fail(err, MONITOR_ERROR_STATE, "this machine has no display");
    }
    d = g_new0(struct dump, 1);
    d->path = g_strdup(path);
    d->shot = screen_take(c->m);
    if (g_str_has_suffix(path, ".txt") && !screen_shot_has_text(d->shot)) {
        dump_free(d);
        return monitor_fail(err, MONITOR_ERROR_STATE,
                            "screendump: the screen is in a graphics mode: no text (a .png shows "
                            "it)");
    }
    c->later = (struct later){.arg = d, .work = dump_work, .done = dump_done, .free = dump_free};
    return true;
}
