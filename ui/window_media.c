/*
 * Which drive an image file is for, and which images were used last: lines of a kind and a path in
 * $XDG_STATE_HOME/candela/recent-media.
 */
#include "ui/window_media.h"
#include "ui/drive.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FLOPPY_MAX = 2880 * 1024,
    ISO_VOLUME = 16 * 2048 + 1, /* "CD001" */
    RECENT_BYTES = 64 * 1024,   /* of the file: more is somebody else's */
};

static const struct {
    const char *name, *word, *endings; /* endings that leave no doubt */
    const char *patterns;
} kinds[MEDIA_KINDS] = {
    [MEDIA_UNKNOWN] = {"unknown image", "", "", NULL},
    [MEDIA_CD] = {"CD or DVD", "cd", ".iso .cdr .toast ", "*.iso;*.cdr;*.toast;*.img"},
    [MEDIA_FLOPPY] = {"floppy disk", "floppy", ".vfd .flp .ima ",
                      "*.vfd;*.img;*.ima;*.flp;*.dsk;*.bin"},
    [MEDIA_DISK] = {"hard disk", "disk", ".vhd .avhd .vhdx .vmdk .qcow2 .vdi ", NULL},
};

const char *media_kind_name(enum media_kind kind)
{
    return kind < MEDIA_KINDS ? kinds[kind].name : kinds[MEDIA_UNKNOWN].name;
}

const char *media_patterns(enum media_kind kind)
{
    return kind < MEDIA_KINDS ? kinds[kind].patterns : NULL;
}

static bool file_is_iso(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char id[5] = {0};
    bool is = fd >= 0 && pread(fd, id, sizeof id, ISO_VOLUME) == sizeof id &&
              !memcmp(id, "CD001", sizeof id);

    if (fd >= 0) {
        close(fd);
    }
    return is;
}

enum media_kind media_kind_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    g_autofree char *ending = g_ascii_strdown(dot ? dot : "", -1);
    g_autofree char *word = g_strconcat(ending, " ", NULL);
    struct stat st;

    if (stat(path, &st) || !S_ISREG(st.st_mode)) {
        return MEDIA_UNKNOWN;
    }
    for (unsigned k = MEDIA_CD; *ending && k < MEDIA_KINDS; k++) {
        if (strstr(kinds[k].endings, word)) {
            return (enum media_kind)k;
        }
    }
    if (file_is_iso(path)) {
        return MEDIA_CD;
    }
    if (st.st_size && st.st_size % 512 == 0) {
        return st.st_size <= FLOPPY_MAX ? MEDIA_FLOPPY : MEDIA_DISK;
    }
    return MEDIA_UNKNOWN;
}

enum media_kind media_kind_of_drive(const struct drive_config *d)
{
    if (d->interface == DRIVE_FLOPPY) {
        return MEDIA_FLOPPY;
    }
    return d->media == DRIVE_CDROM ? MEDIA_CD : MEDIA_DISK;
}

unsigned media_drives(const struct vm_config *c, enum media_kind kind, unsigned rows[VM_MAX_DRIVES])
{
    unsigned n = 0;

    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        if (c->drives[i].used && media_kind_of_drive(&c->drives[i]) == kind) {
            rows[n++] = i;
        }
    }
    return n;
}

char *media_drive_title(const struct drive_config *d)
{
    if (d->interface == DRIVE_FLOPPY) {
        return g_strdup_printf("Floppy drive %c", 'A' + (int)d->index);
    }
    return g_strdup_printf("%s, %s", d->media == DRIVE_CDROM ? "CD drive" : "Hard disk",
                           drive_ide_place(d->index));
}

/* Recent images ------------------------------------------------------------------------------- */

static char *recent_path(void)
{
    return g_build_filename(g_get_user_state_dir(), "candela", "recent-media", NULL);
}

/* The lines of the file, newest first. */
static char **recent_lines(void)
{
    g_autofree char *path = recent_path();
    g_autofree char *text = NULL;
    gsize len = 0;

    if (!g_file_get_contents(path, &text, &len, NULL) || len > RECENT_BYTES) {
        return g_new0(char *, 1);
    }
    return g_strsplit(text, "\n", -1);
}

/* The path of a line of this kind, or NULL. */
static const char *recent_is(const char *line, enum media_kind kind)
{
    size_t len = strlen(kinds[kind].word);

    return len && !strncmp(line, kinds[kind].word, len) && line[len] == '\t' ? line + len + 1
                                                                             : NULL;
}

char **media_recent(enum media_kind kind)
{
    g_auto(GStrv) lines = recent_lines();
    GPtrArray *paths = g_ptr_array_new();

    for (char **l = lines; kind < MEDIA_KINDS && *l && paths->len < RECENT_MAX; l++) {
        const char *path = recent_is(*l, kind);

        if (path && *path == '/' && !access(path, R_OK)) {
            g_ptr_array_add(paths, g_strdup(path));
        }
    }
    g_ptr_array_add(paths, NULL);
    return (char **)g_ptr_array_free(paths, FALSE);
}

void media_remember(enum media_kind kind, const char *path)
{
    g_autofree char *whole = g_canonicalize_filename(path, NULL);
    g_autofree char *file = recent_path();
    g_autofree char *folder = g_path_get_dirname(file);
    g_auto(GStrv) lines = recent_lines();
    g_autoptr(GString) out = g_string_new(NULL);
    unsigned count[MEDIA_KINDS] = {0};

    if (kind >= MEDIA_KINDS || !*kinds[kind].word || strchr(whole, '\n')) {
        return;
    }
    g_string_append_printf(out, "%s\t%s\n", kinds[kind].word, whole);
    count[kind]++;
    for (char **l = lines; *l; l++) {
        for (unsigned k = MEDIA_CD; k < MEDIA_KINDS; k++) {
            const char *old = recent_is(*l, (enum media_kind)k);

            if (old && !(k == kind && !strcmp(old, whole)) && count[k]++ < RECENT_MAX) {
                g_string_append_printf(out, "%s\n", *l);
            }
        }
    }
    if (!g_mkdir_with_parents(folder, 0700)) {
        g_file_set_contents_full(file, out->str, (gssize)out->len, G_FILE_SET_CONTENTS_CONSISTENT,
                                 0600, NULL);
    }
}
