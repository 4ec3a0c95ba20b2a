/*
 * Drives on the command line.
 *
 * Places with a fixed index are given first; the others take the first free one: disks from the
 * primary master on, CDs from the secondary master on, as people expect from a PC.
 *
 * Not here yet: if=scsi (there is no SCSI controller).
 */
#include "ui/drive.h"
#include "ui/parse.h"

enum { IDE_PLACES = 4, FLOPPY_PLACES = 2 };

const char *drive_ide_place(unsigned index)
{
    static const char *const places[IDE_PLACES] = {"primary master", "primary slave",
                                                   "secondary master", "secondary slave"};

    return places[index % IDE_PLACES];
}

void drive_request_free(struct drive_request *r)
{
    if (r) {
        g_free(r->config.file);
        g_free(r->config.serial);
        g_free(r->from);
        g_free(r);
    }
}

struct drive_request *drive_request_new(const char *option, const char *file,
                                        enum drive_if interface, enum drive_media media)
{
    struct drive_request *r = g_new0(struct drive_request, 1);

    r->from = file ? g_strdup_printf("%s %s", option, file) : g_strdup(option);
    r->config.used = true;
    r->config.file = g_strdup(file);
    r->config.interface = interface;
    r->config.media = media;
    return r;
}

static bool key_file(struct drive_request *r, const char *val, GError **err)
{
    if (!*val) {
        return parse_fail(err, "file= is empty");
    }
    g_free(r->config.file);
    r->config.file = g_strdup(val);
    return true;
}

static bool key_if(struct drive_request *r, const char *val, GError **err)
{
    static const char *const words[] = {"ide", "floppy", NULL};
    int n = parse_choice("interface", val, words, err);

    r->config.interface = n == 1 ? DRIVE_FLOPPY : DRIVE_IDE;
    return n >= 0;
}

static bool key_index(struct drive_request *r, const char *val, GError **err)
{
    uint64_t n;

    if (!parse_number(val, IDE_PLACES - 1, &n, err)) {
        g_prefix_error(err, "index=");
        return false;
    }
    r->config.index = (unsigned)n;
    r->has_index = true;
    return true;
}

static bool key_media(struct drive_request *r, const char *val, GError **err)
{
    static const char *const words[] = {"disk", "cdrom", NULL};
    int n = parse_choice("medium", val, words, err);

    r->config.media = n == 1 ? DRIVE_CDROM : DRIVE_DISK;
    return n >= 0;
}

static bool key_format(struct drive_request *r, const char *val, GError **err)
{
    static const char *const words[] = {"raw", "vhd", NULL};
    int n = parse_choice("format", val, words, err);

    r->config.format = n == 1 ? DRIVE_FORMAT_VHD : DRIVE_FORMAT_RAW;
    return n >= 0;
}

/* As ATA strings may have them. */
static bool is_printable(const char *text)
{
    while (*text >= ' ' && *text <= '~') {
        text++;
    }
    return !*text;
}

static bool key_serial(struct drive_request *r, const char *val, GError **err)
{
    size_t len = strlen(val);

    if (!len || len > DRIVE_SERIAL_MAX || !is_printable(val)) {
        return parse_fail(err, "serial=%s: it has 1 to %d printable ASCII characters", val,
                          DRIVE_SERIAL_MAX);
    }
    g_free(r->config.serial);
    r->config.serial = g_strdup(val);
    return true;
}

static bool key_readonly(struct drive_request *r, const char *val, GError **err)
{
    return parse_switch(val, &r->config.readonly, err);
}

static bool key_snapshot(struct drive_request *r, const char *val, GError **err)
{
    r->has_snapshot = true;
    return parse_switch(val, &r->config.snapshot, err);
}

static const struct drive_key {
    const char *name, *values, *help;
    bool (*set)(struct drive_request *r, const char *val, GError **err);
} drive_keys[] = {
    {"file", "FILE", "the image; a comma in its name is written twice", key_file},
    {"if", "ide|floppy", "the controller; ide by default", key_if},
    {"index", "N", "ide: 0..3 from primary master to secondary slave; floppy: 0, 1", key_index},
    {"media", "disk|cdrom", "disk by default; a CD may have no file: an empty drive", key_media},
    {"format", "raw|vhd", "by default the file is looked at", key_format},
    {"serial", "TEXT", "the serial number of an IDE drive; by default made from the file's path",
     key_serial},
    {"readonly", "on|off", "off by default; the guest cannot write", key_readonly},
    {"snapshot", "on|off", "off by default; what the guest writes is forgotten", key_snapshot},
};

void drive_help(GString *out)
{
    g_string_append(out, "-drive KEY=VALUE,...\n");
    for (unsigned i = 0; i < ARRAY_LEN(drive_keys); i++) {
        g_autofree char *left = g_strdup_printf("%s=%s", drive_keys[i].name, drive_keys[i].values);
        g_string_append_printf(out, "  %-20s %s\n", left, drive_keys[i].help);
    }
}

static bool drive_set_key(struct drive_request *r, const char *name, const char *val, GError **err)
{
    const char *names[ARRAY_LEN(drive_keys) + 1] = {NULL};
    const char *nearest;

    for (unsigned i = 0; i < ARRAY_LEN(drive_keys); i++) {
        names[i] = drive_keys[i].name;
        if (!strcmp(name, names[i])) {
            return drive_keys[i].set(r, val, err);
        }
    }
    nearest = parse_nearest(name, names);
    return parse_fail(err, "unknown key '%s'%s%s (-drive help lists them)", name,
                      nearest ? "; nearest: " : "", nearest ? nearest : "");
}

/* What no single key can see. */
static bool drive_check(const struct drive_request *r, GError **err)
{
    const struct drive_config *c = &r->config;

    if (!c->file && c->media != DRIVE_CDROM && c->interface != DRIVE_FLOPPY) {
        return parse_fail(err, "file=FILE is missing");
    }
    if (c->interface == DRIVE_FLOPPY && c->media == DRIVE_CDROM) {
        return parse_fail(err, "a CD does not go into a floppy drive; use if=ide");
    }
    if (c->interface == DRIVE_FLOPPY && c->serial) {
        return parse_fail(err, "serial=%s: a floppy drive has no serial number; leave it out",
                          c->serial);
    }
    if (c->interface == DRIVE_FLOPPY && r->has_index && c->index >= FLOPPY_PLACES) {
        return parse_fail(err, "index=%u: there are two floppy drives, 0 and 1", c->index);
    }
    return true;
}

struct drive_request *drive_parse(const char *option, const char *text, GError **err)
{
    g_auto(GStrv) words = parse_commas(text);
    struct drive_request *r = drive_request_new(option, NULL, DRIVE_IDE, DRIVE_DISK);
    bool good = true;

    g_free(r->from);
    r->from = g_strdup_printf("%s %s", option, text);
    for (char **w = words; good && *w; w++) {
        char *eq = strchr(*w, '=');

        if (!eq) {
            good = parse_fail(err, "'%s' is not KEY=VALUE (-drive help lists the keys)", *w);
            break;
        }
        *eq = '\0';
        good = drive_set_key(r, *w, eq + 1, err);
    }
    if (!good || !drive_check(r, err)) {
        g_prefix_error(err, "%s: ", r->from);
        drive_request_free(r);
        return NULL;
    }
    return r;
}

/* Which drive stands at a place, or NULL. */
static const struct drive_request *drive_at(const struct options *o,
                                            const struct drive_request *but,
                                            enum drive_if interface, unsigned index)
{
    for (unsigned i = 0; i < o->drives->len; i++) {
        const struct drive_request *r = g_ptr_array_index(o->drives, i);

        if (r != but && r->has_index && r->config.interface == interface &&
            r->config.index == index) {
            return r;
        }
    }
    return NULL;
}

int drive_free_place(enum drive_if interface, enum drive_media media, unsigned taken)
{
    static const uint8_t disk_order[IDE_PLACES] = {0, 1, 2, 3}, cd_order[IDE_PLACES] = {2, 3, 1, 0};
    const uint8_t *order = media == DRIVE_CDROM ? cd_order : disk_order;
    unsigned places = interface == DRIVE_FLOPPY ? FLOPPY_PLACES : IDE_PLACES;

    for (unsigned i = 0; i < places; i++) {
        if (!(taken >> order[i] & 1)) {
            return order[i];
        }
    }
    return -1;
}

static bool drive_find_place(const struct options *o, struct drive_request *r, GError **err)
{
    unsigned taken = 0;
    int place;

    for (unsigned i = 0; i < IDE_PLACES; i++) {
        taken |= drive_at(o, r, r->config.interface, i) ? BIT(i) : 0;
    }
    place = drive_free_place(r->config.interface, r->config.media, taken);
    if (place < 0) {
        return parse_fail(err, "%s: no place left: there are %u %s drives", r->from,
                          r->config.interface == DRIVE_FLOPPY ? FLOPPY_PLACES : IDE_PLACES,
                          r->config.interface == DRIVE_FLOPPY ? "floppy" : "IDE");
    }
    r->config.index = (unsigned)place;
    r->has_index = true;
    return true;
}

static bool drive_check_place(const struct options *o, const struct drive_request *r, GError **err)
{
    const struct drive_config *c = &r->config;
    const struct drive_request *other = drive_at(o, r, c->interface, c->index);

    if (!other) {
        return true;
    }
    if (c->interface == DRIVE_FLOPPY) {
        return parse_fail(err, "%s and %s: both want floppy drive %c", other->from, r->from,
                          'A' + (int)c->index);
    }
    return parse_fail(err, "%s and %s: both want the place of IDE %s (index=%u)", other->from,
                      r->from, drive_ide_place(c->index), c->index);
}

/* What the key file has in a place that the command line fills is not there. */
static void drive_drop_weak(struct options *o)
{
    for (unsigned i = 0; i < o->drives->len;) {
        const struct drive_request *r = g_ptr_array_index(o->drives, i);
        const struct drive_request *other =
            r->weak && r->has_index ? drive_at(o, r, r->config.interface, r->config.index) : NULL;

        if (other && !other->weak) {
            g_ptr_array_remove_index(o->drives, i);
        } else {
            i++;
        }
    }
}

bool drive_place_all(struct options *o, GError **err)
{
    drive_drop_weak(o);
    for (unsigned i = 0; i < o->drives->len; i++) {
        const struct drive_request *r = g_ptr_array_index(o->drives, i);

        if (r->has_index && !drive_check_place(o, r, err)) {
            return false;
        }
    }
    for (unsigned i = 0; i < o->drives->len; i++) {
        struct drive_request *r = g_ptr_array_index(o->drives, i);

        if (!r->has_index && !drive_find_place(o, r, err)) {
            return false;
        }
    }
    /* Four IDE and two floppy places: they fit into VM_MAX_DRIVES. */
    for (unsigned i = 0; i < MIN(o->drives->len, VM_MAX_DRIVES); i++) {
        struct drive_request *r = g_ptr_array_index(o->drives, i);

        o->vm.drives[i] = r->config;
        o->vm.drives[i].file = g_strdup(r->config.file);
        o->vm.drives[i].serial = g_strdup(r->config.serial);
        o->vm.drives[i].snapshot |= o->snapshot && !r->has_snapshot;
    }
    return true;
}
