/*
 * Disks, kernel, firmware: opened and read.
 */
#include "ui/media.h"
#include "config.h"
#include "ui/images.h"
#include "vhd/vhd.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KERNEL_MAX (256 * MiB)
#define INITRD_MAX (2 * GiB - 1)
#define BIOS_MAX   (16 * MiB)
#define VGA_MAX    (256 * KiB)
#define BIOS_UNIT  (64 * KiB)

static bool media_fail(GError **err, enum candela_error code, const char *option, const char *path,
                       const char *why)
{
    g_set_error(err, CANDELA_ERROR, (gint)code, "%s%s%s: %s", option, *option ? " " : "", path,
                why);
    return false;
}

/* Whether the open file can be read as a whole, and its size. */
static bool media_size(int fd, const char *option, const char *path, uint64_t max, uint64_t *size,
                       GError **err)
{
    struct stat st;

    if (fstat(fd, &st)) {
        return media_fail(err, CANDELA_ERROR_FILE, option, path, g_strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return media_fail(err, CANDELA_ERROR_FILE, option, path, "is a folder, not a file");
    }
    if (!S_ISREG(st.st_mode)) {
        return media_fail(err, CANDELA_ERROR_FILE, option, path, "is no regular file");
    }
    if (st.st_size <= 0) {
        return media_fail(err, CANDELA_ERROR_FORMAT, option, path, "is empty (0 bytes)");
    }
    if ((uint64_t)st.st_size > max) {
        g_autofree char *why = g_strdup_printf("is too large: %" G_GINT64_FORMAT
                                               " bytes; at most %" G_GUINT64_FORMAT " MiB",
                                               (gint64)st.st_size, align_up(max, MiB) >> 20);
        return media_fail(err, CANDELA_ERROR_FORMAT, option, path, why);
    }
    *size = (uint64_t)st.st_size;
    return true;
}

GBytes *media_read(const char *option, const char *path, uint64_t max, GError **err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    uint64_t size = 0, got = 0;
    uint8_t *data;

    if (fd < 0) {
        media_fail(err, CANDELA_ERROR_FILE, option, path,
                   errno == ENOENT ? "no such file; check the path" : g_strerror(errno));
        return NULL;
    }
    if (!media_size(fd, option, path, max, &size, err)) {
        close(fd);
        return NULL;
    }
    data = g_try_malloc(size);
    if (!data) {
        media_fail(err, CANDELA_ERROR_HOST, option, path, "not enough memory to read it");
        close(fd);
        return NULL;
    }
    while (got < size) {
        ssize_t n = read(fd, data + got, size - got);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            media_fail(err, CANDELA_ERROR_FILE, option, path,
                       n ? g_strerror(errno) : "became shorter while it was read");
            g_free(data);
            close(fd);
            return NULL;
        }
        got += (uint64_t)n;
    }
    close(fd);
    return g_bytes_new_take(data, size);
}

struct block *media_open_drive(const struct drive_config *d, GError **err)
{
    bool cdrom = d->media == DRIVE_CDROM, overlay = d->snapshot && !d->readonly && !cdrom;
    bool readonly = d->readonly || overlay;
    struct block *b = d->interface == DRIVE_FLOPPY
                          ? block_open_floppy(d->file, d->format, readonly, err)
                          : block_open(d->file, d->format, readonly, cdrom, err);

    if (b && overlay && !block_add_overlay(b, err)) {
        block_close(b);
        return NULL;
    }
    return b;
}

static bool media_open_drives(struct machine *m, GError **lost, GError **err)
{
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        const struct drive_config *d = &m->config.drives[i];
        bool may_be_empty = d->interface == DRIVE_FLOPPY || d->media == DRIVE_CDROM;

        if (!d->used || !d->file) {
            continue;
        }
        m->drives[i] = media_open_drive(d, lost && may_be_empty ? &lost[i] : err);
        if (!m->drives[i] && !(lost && may_be_empty)) {
            return false;
        }
    }
    return true;
}

static bool media_read_kernel(struct machine *m, GError **err)
{
    const struct vm_config *c = &m->config;

    if (c->kernel) {
        m->kernel = media_read("-kernel", c->kernel, KERNEL_MAX, err);
        if (!m->kernel) {
            return false;
        }
        m->linuxboot_rom =
            g_bytes_new_static(image_linuxboot, (gsize)(image_linuxboot_end - image_linuxboot));
        m->multiboot_rom =
            g_bytes_new_static(image_multiboot, (gsize)(image_multiboot_end - image_multiboot));
    }
    if (c->initrd) {
        m->initrd = media_read("-initrd", c->initrd, INITRD_MAX, err);
        return m->initrd != NULL;
    }
    return true;
}

/* iPXE, for a boot order with the network in it; a kernel leaves no other choice. */
static bool media_read_netboot(struct machine *m, GError **err)
{
    const struct vm_config *c = &m->config;
    const char *path = CANDELA_IPXE_FILE;

    if (c->kernel || !c->boot_order || !strchr(c->boot_order, 'n')) {
        return true;
    }
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        return media_fail(err, CANDELA_ERROR_FILE, "-boot n:", path,
                          "is not there: install the Debian package ipxe, or leave n (network) out "
                          "of the order");
    }
    m->netboot = media_read("-boot n:", path, KERNEL_MAX, err);
    m->netboot_rom = g_bytes_new_static(image_netboot, (gsize)(image_netboot_end - image_netboot));
    return m->netboot != NULL;
}

static bool media_read_bios(struct machine *m, GError **err)
{
    const char *path = m->config.bios ? m->config.bios : CANDELA_BIOS_FILE;
    gsize size;

    if (!m->config.bios && !g_file_test(path, G_FILE_TEST_EXISTS)) {
        return media_fail(err, CANDELA_ERROR_FILE, "firmware", path,
                          "is not there: install the Debian package seabios, or give an image with "
                          "-bios FILE");
    }
    m->bios_image = media_read(m->config.bios ? "-bios" : "firmware", path, BIOS_MAX, err);
    if (!m->bios_image) {
        return false;
    }
    size = g_bytes_get_size(m->bios_image);
    if (size % BIOS_UNIT) {
        g_autofree char *why = g_strdup_printf(
            "%zu bytes is no firmware image: its size must be a multiple of 64 KiB", size);
        return media_fail(err, CANDELA_ERROR_FORMAT, m->config.bios ? "-bios" : "firmware", path,
                          why);
    }
    return true;
}

static bool media_read_vga_bios(struct machine *m, void (*note)(const char *text), GError **err)
{
    const char *path = m->config.vga_bios ? m->config.vga_bios : CANDELA_VGABIOS_FILE;

    if (!m->config.vga_bios && !g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_autofree char *text =
            g_strdup_printf("video BIOS %s is not there (Debian package seabios): the screen will "
                            "stay dark",
                            path);
        if (note) {
            note(text);
        }
        return true;
    }
    m->vga_bios_image = media_read("video BIOS", path, VGA_MAX, err);
    return m->vga_bios_image != NULL;
}

bool media_check_memory(uint64_t bytes, GError **err)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (p == MAP_FAILED) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE,
                    "-m: this host cannot map %" G_GUINT64_FORMAT
                    " MiB of memory: %s; give the guest less, or raise the limit (ulimit -v, "
                    "vm.overcommit_memory)",
                    bytes >> 20, g_strerror(errno));
        return false;
    }
    munmap(p, bytes);
    return true;
}

bool media_open(struct machine *m, void (*note)(const char *text), GError **lost, GError **err)
{
    return media_check_memory(m->config.memory, err) && media_open_drives(m, lost, err) &&
           media_read_kernel(m, err) && media_read_netboot(m, err) && media_read_bios(m, err) &&
           media_read_vga_bios(m, note, err);
}
