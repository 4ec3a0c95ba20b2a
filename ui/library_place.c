/*
 * Where the things of a machine are, and the lock that says who holds it.
 *
 * The lock is an open-file-description lock on $XDG_RUNTIME_DIR/candela/machines/NAME/lock: the
 * kernel gives it up when its holder ends, however it ends, so none is ever left over.  The file
 * says who holds it, for messages; it stays, as whoever removed it would open a gap for a second
 * holder.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "ui/library_int.h"
#include "ui/net_switch.h"
#include "ui/parse.h"
#include "ui/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 64, LOCK_WAIT_MS = 3000, LOCK_STEP_MS = 20, LOCK_TEXT = 8192 };

static void fail(GError **err, enum candela_error code, const char *fmt, va_list args)
{
    g_autofree char *text = g_strdup_vprintf(fmt, args);
    g_autofree char *clean = text_clean(text);

    g_set_error_literal(err, CANDELA_ERROR, (gint)code, clean);
}

bool library_fail(GError **err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fail(err, CANDELA_ERROR_FILE, fmt, args);
    va_end(args);
    return false;
}

bool library_fail_now(GError **err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fail(err, CANDELA_ERROR_HOST, fmt, args);
    va_end(args);
    return false;
}

bool library_make_folder(const char *path, GError **err)
{
    return !g_mkdir_with_parents(path, 0700) ||
           library_fail(err, "%s: cannot make this folder: %s", path, g_strerror(errno));
}

/* Names ---------------------------------------------------------------------------------------- */

static bool name_is_printable(const char *name)
{
    for (const char *p = name; *p; p = g_utf8_next_char(p)) {
        if (!g_unichar_isprint(g_utf8_get_char(p))) {
            return false;
        }
    }
    return true;
}

bool library_name_check(const char *name, GError **err)
{
    size_t len = strlen(name);
    const char *why = NULL;

    if (!len) {
        return parse_fail(err, "the name of the machine is empty");
    }
    if (len > NAME_BYTES) {
        why = "is too long: at most 64 bytes";
    } else if (!g_utf8_validate(name, -1, NULL) || !name_is_printable(name)) {
        why = "has characters in it that cannot be shown";
    } else if (*name == '.' || *name == '-') {
        why = "begins with a dot or a dash";
    } else if (strpbrk(name, "/,=")) {
        why = "has '/', ',' or '=' in it";
    } else if (*name == ' ' || name[len - 1] == ' ') {
        why = "begins or ends with a blank";
    } else if (g_str_has_suffix(name, ".cvm")) {
        why = "ends in .cvm, as files do";
    }
    if (why) {
        g_autofree char *clean = text_clean(name);
        return parse_fail(err, "'%s' can be no machine's name: it %s", clean, why);
    }
    return true;
}

char *library_folder(void)
{
    return g_build_filename(g_get_user_data_dir(), "candela", "machines", NULL);
}

static bool word_is_file(const char *what)
{
    return strchr(what, '/') || g_str_has_suffix(what, ".cvm");
}

/* Places --------------------------------------------------------------------------------------- */

static char *run_root(void)
{
    g_autofree char *ours = switch_folder();

    return g_build_filename(ours, "machines", NULL);
}

static void place_init_name(struct place *p, const char *name)
{
    g_autofree char *machines = library_folder(), *runs = run_root();
    g_autofree char *log = g_strconcat(name, ".log", NULL);

    p->named = true;
    p->name = g_strdup(name);
    p->what = g_strdup(name);
    p->folder = g_build_filename(machines, name, NULL);
    p->file = g_build_filename(p->folder, "machine.cvm", NULL);
    p->state = g_build_filename(p->folder, "machine.state", NULL);
    p->picture = g_build_filename(p->folder, "screen.png", NULL);
    p->log = g_build_filename(g_get_user_state_dir(), "candela", log, NULL);
    p->run = g_build_filename(runs, name, NULL);
}

/* A file may lie anywhere, so nothing is written beside it but its disks: the rest goes by a sum of
 * its path. */
static void place_init_file(struct place *p, const char *path)
{
    char *real = realpath(path, NULL);
    g_autofree char *sum = NULL, *run = NULL, *runs = run_root(), *base = NULL;

    p->file = real ? g_strdup(real) : g_canonicalize_filename(path, NULL);
    free(real);
    sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, p->file, -1);
    sum[16] = '\0';
    run = g_strconcat(".file-", sum, NULL);
    base = g_path_get_basename(p->file);
    if (g_str_has_suffix(base, ".cvm")) {
        base[strlen(base) - 4] = '\0';
    }
    p->name = text_clean(base);
    p->what = g_strdup(p->file);
    p->folder = g_path_get_dirname(p->file);
    p->state =
        g_build_filename(g_get_user_state_dir(), "candela", "files", sum, "machine.state", NULL);
    p->picture =
        g_build_filename(g_get_user_state_dir(), "candela", "files", sum, "screen.png", NULL);
    p->log = g_build_filename(g_get_user_state_dir(), "candela", "files", sum, "run.log", NULL);
    p->run = g_build_filename(runs, run, NULL);
}

bool library_place_init(struct place *p, const char *what, GError **err)
{
    memset(p, 0, sizeof *p);
    if (word_is_file(what)) {
        place_init_file(p, what);
        return true;
    }
    if (!library_name_check(what, err)) {
        return false;
    }
    place_init_name(p, what);
    return true;
}

void library_place_clear(struct place *p)
{
    g_free(p->name);
    g_free(p->what);
    g_free(p->folder);
    g_free(p->file);
    g_free(p->state);
    g_free(p->picture);
    g_free(p->log);
    g_free(p->run);
    memset(p, 0, sizeof *p);
}

/* The machine whose name is nearest, or NULL; g_free. */
static char *name_nearest(const char *name)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *folder = library_folder();
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *entry;

    while (dir && (entry = g_dir_read_name(dir))) {
        if (library_name_check(entry, NULL)) {
            g_ptr_array_add(names, g_strdup(entry));
        }
    }
    g_clear_pointer(&dir, g_dir_close);
    g_ptr_array_add(names, NULL);
    return g_strdup(parse_nearest(name, (const char *const *)names->pdata));
}

bool library_place_check(const struct place *p, GError **err)
{
    struct stat st;

    if (!lstat(p->file, &st)) {
        return true;
    }
    if (errno != ENOENT && errno != ENOTDIR) {
        return library_fail(err, "%s: %s", p->file, g_strerror(errno));
    }
    if (!p->named) {
        return library_fail(err, "%s: no such file; check the path", p->file);
    }
    g_autofree char *nearest = name_nearest(p->name);
    return library_fail(err, "there is no machine '%s'%s%s; candela list shows what there is",
                        p->name, nearest ? "; nearest: " : "", nearest ? nearest : "");
}

bool library_place_find(struct place *p, const char *what, GError **err)
{
    if (!library_place_init(p, what, err)) {
        return false;
    }
    if (!library_place_check(p, err)) {
        library_place_clear(p);
        return false;
    }
    return true;
}

bool library_place_new(struct place *p, const char *name, GError **err)
{
    struct stat st;

    if (!library_name_check(name, err) || !library_place_init(p, name, err)) {
        return false;
    }
    if (!lstat(p->folder, &st)) {
        library_place_clear(p);
        return library_fail(err, "there is a machine '%s' already; choose another name", name);
    }
    return true;
}

/* The lock ------------------------------------------------------------------------------------- */

static bool folder_make_private(const char *path, GError **err)
{
    bool made = !mkdir(path, 0700) || errno == EEXIST;
    const char *why = made ? switch_folder_check(path) : g_strerror(errno);

    return !why || library_fail(err, "%s: %s", path, why);
}

char *library_place_run_root(GError **err)
{
    g_autofree char *ours = switch_folder();
    char *root = run_root();

    if (folder_make_private(ours, err) && folder_make_private(root, err)) {
        return root;
    }
    g_free(root);
    return NULL;
}

static bool lock_is_held(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/* What the holder wrote: PID, "run" or "change", key file.  The last or NULL; g_free. */
static char *lock_read(int fd, struct holder *h)
{
    char text[LOCK_TEXT];
    ssize_t len = pread(fd, text, sizeof text - 1, 0);

    text[MAX(len, 0)] = '\0';
    g_auto(GStrv) lines = g_strsplit(text, "\n", 3);
    *h = (struct holder){0};
    if (g_strv_length(lines) == 3) {
        h->pid = (pid_t)g_ascii_strtoll(lines[0], NULL, 10);
        h->runs = !strcmp(lines[1], "run");
        return g_strdup(lines[2]);
    }
    return NULL;
}

static void lock_write(int fd, const struct place *p, bool runs)
{
    g_autofree char *text =
        g_strdup_printf("%ld\n%s\n%s", (long)getpid(), runs ? "run" : "change", p->file);

    /* It is only for messages: a full disk must not keep the machine from running. */
    if (ftruncate(fd, 0) || pwrite(fd, text, strlen(text), 0) < 0) {
        return;
    }
}

bool library_place_holder(const struct place *p, struct holder *h)
{
    g_autofree char *path = g_build_filename(p->run, "lock", NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool held = fd >= 0 && lock_is_held(fd);

    *h = (struct holder){0};
    g_autofree char *file = held ? lock_read(fd, h) : NULL;
    if (fd >= 0) {
        close(fd);
    }
    /* One of the same name may be of another data folder. */
    return held && (!file || !strcmp(file, p->file));
}

/* Whether the open file is still the one at that path. */
static bool lock_is_current(int fd, const char *path)
{
    struct stat ours, there;

    return !fstat(fd, &ours) && !stat(path, &there) && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

static bool lock_refused(const struct place *p, const struct holder *h, const char *file,
                         GError **err)
{
    g_autofree char *by =
        h->pid ? g_strdup_printf("process %ld", (long)h->pid) : g_strdup("another process");

    if (file && strcmp(file, p->file)) {
        return library_fail(err, "%s: a machine of the same name runs from %s (%s)", p->name, file,
                            by);
    }
    if (h->runs) {
        return library_fail(err, "%s is running (%s): stop it first (candela stop %s)", p->name, by,
                            p->what);
    }
    return library_fail(err, "%s is just being changed (%s); try again when that is done", p->name,
                        by);
}

/* One attempt: the descriptor; -1: somebody has it, *h, for *file (g_free); -2: `err`. */
static int lock_try(const struct place *p, const char *path, struct holder *h, char **file,
                    GError **err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        library_fail(err, "%s: cannot lock the machine: %s: %s", p->name, path, g_strerror(errno));
        return -2;
    }
    if (!fcntl(fd, F_OFD_SETLK, &lock)) {
        if (lock_is_current(fd, path)) {
            return fd;
        }
        *h = (struct holder){0}; /* it was removed: the next attempt finds the new one */
    } else if (errno == EAGAIN || errno == EACCES) {
        *file = lock_read(fd, h);
    } else {
        library_fail(err, "%s: cannot lock the machine: %s: %s", p->name, path, g_strerror(errno));
        close(fd);
        return -2;
    }
    close(fd);
    return -1;
}

int library_place_lock(const struct place *p, bool runs, GError **err)
{
    g_autofree char *root = library_place_run_root(err),
                    *path = g_build_filename(p->run, "lock", NULL);

    for (int waited = 0; root; waited += LOCK_STEP_MS) {
        struct holder h = {0};
        g_autofree char *file = NULL;
        int fd = folder_make_private(p->run, err) ? lock_try(p, path, &h, &file, err) : -2;

        if (fd >= 0) {
            lock_write(fd, p, runs);
            return fd;
        }
        if (fd == -1 && (h.runs || waited >= LOCK_WAIT_MS)) {
            lock_refused(p, &h, file, err);
            fd = -2;
        }
        if (fd == -2) {
            break;
        }
        g_usleep(LOCK_STEP_MS * 1000);
    }
    return -1;
}

void library_place_unlock(int fd)
{
    if (fd >= 0 && ftruncate(fd, 0)) {
        close(fd); /* only that the next holder may be taken for this one, for a moment */
    } else if (fd >= 0) {
        close(fd);
    }
}

void library_place_end(const struct place *p, int fd, bool exists)
{
    static const char *const names[] = {LIBRARY_SOCKET, LIBRARY_STATUS, "lock"};

    if (fd < 0 || exists) {
        library_place_unlock(fd);
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        g_autofree char *path = g_build_filename(p->run, names[i], NULL);
        unlink(path);
    }
    rmdir(p->run);
    close(fd);
}
