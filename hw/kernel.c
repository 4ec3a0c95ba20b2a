/*
 * Kernels given on the command line: Linux bzImages and Multiboot 1 images, checked here and handed
 * to the option ROMs of pc-bios/optionrom through fw_cfg (its README.md is the contract).  Without
 * one, the program that boots from the network (iPXE, a bzImage too) takes the same way.
 *
 * Follows the Linux x86 boot protocol (Documentation/arch/x86/boot.rst) 2.02 and later, the
 * Multiboot specification 0.6.96 and, for Multiboot, System V ELF32.
 *
 * Not modelled: zImages, 64-bit and EFI entry points, Multiboot video modes (a request is ignored)
 * and more than one module, Multiboot 2, loading below 1 MiB.
 */
#include "hw/firmware.h"
#include "hw/fw_cfg.h"

enum {
    SETUP_ADDR = 0x10000,
    CMDLINE_ADDR = 0x20000,
    CMDLINE_MAX = 0x10000,
    KERNEL_ADDR = 0x100000,
    SETUP_MAX = 0x10000,
    MBI_ADDR = 0x9000,
    MBI_BYTES = 88,
    MB_MODULE_BYTES = 16,
    FIRMWARE_SLACK = 0x100000, /* what the firmware may take from the end of RAM */
    VGA_NORMAL = 0xffff,
    VGA_EXTENDED = 0xfffe,
    VGA_ASK = 0xfffd,
};

struct kernel {
    struct machine *m;
    struct device *fw_cfg;
    const char *name, *append;
    char *from;    /* how messages call it: option and file */
    GBytes *bytes; /* the file */
    const uint8_t *data;
    size_t size;
    uint64_t low_memory;
};

static bool kernel_fail(GError **err, enum candela_error code, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);

static bool kernel_fail(GError **err, enum candela_error code, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error_literal(err, CANDELA_ERROR, (gint)code, text);
    g_free(text);
    return false;
}

/* Only this ROM is to be booted. */
static void kernel_boot_rom_only(struct kernel *k, const char *name)
{
    char *order = g_strdup_printf("/rom@%s\nHALT", name);

    fw_cfg_add_file_copy(k->fw_cfg, "bootorder", order, strlen(order) + 1);
    g_free(order);
}

/*
 * The ROM that starts it.  A kernel's is the only thing to be booted; the other one's place is that
 * of the network in the CMOS's boot order.
 */
static bool kernel_add_rom(struct kernel *k, GBytes *rom, const char *file, GError **err)
{
    char *name;
    gsize size = rom ? g_bytes_get_size(rom) : 0;

    if (!size || size % 512) {
        return kernel_fail(err, CANDELA_ERROR_CONFIG,
                           "%s: this build has no %s option ROM (pc-bios/optionrom)", k->from,
                           file);
    }
    name = g_strdup_printf("genroms/%s", file);
    fw_cfg_add_file(k->fw_cfg, name, rom);
    if (k->m->kernel) {
        kernel_boot_rom_only(k, name);
    }
    g_free(name);
    return true;
}

static void kernel_set_part(struct kernel *k, uint16_t key, const void *data, size_t len)
{
    GBytes *bytes = g_bytes_new(data, len);

    fw_cfg_set_bytes(k->fw_cfg, key, bytes);
    g_bytes_unref(bytes);
}

static bool kernel_no_room(struct kernel *k, uint64_t needed, GError **err)
{
    return kernel_fail(err, CANDELA_ERROR_CONFIG,
                       "%s: it needs at least %llu MiB of memory%s, the machine has %llu MiB",
                       k->from, (needed + MiB - 1) / MiB, k->m->initrd ? " with its initrd" : "",
                       k->low_memory / MiB);
}

/* Linux ---------------------------------------------------------------------------------------- */

static bool linux_is_bzimage(const struct kernel *k)
{
    return k->size >= 0x264 && ld_le16(k->data + 0x1fe) == 0xaa55 &&
           memcmp(k->data + 0x202, "HdrS", 4) == 0;
}

/* What `vga=` on the command line asks the setup code for. */
static uint16_t linux_video_mode(const char *append)
{
    const char *vga = g_str_has_prefix(append, "vga=") ? append : strstr(append, " vga=");
    uint16_t mode = VGA_NORMAL;

    if (vga) {
        vga = strchr(vga, '=') + 1;
        mode = g_str_has_prefix(vga, "normal") ? VGA_NORMAL
               : g_str_has_prefix(vga, "ext")  ? VGA_EXTENDED
               : g_str_has_prefix(vga, "ask")  ? VGA_ASK
                                               : (uint16_t)g_ascii_strtoull(vga, NULL, 0);
    }
    return mode;
}

static bool linux_check(const struct kernel *k, size_t setup_size, GError **err)
{
    unsigned version = ld_le16(k->data + 0x206);
    uint64_t expected = setup_size + 16ull * ld_le32(k->data + 0x1f4);
    size_t cmdline_max = version >= 0x206 ? ld_le32(k->data + 0x238) : 255;

    if (version < 0x202) {
        return kernel_fail(err, CANDELA_ERROR_FORMAT,
                           "%s: Linux boot protocol %u.%02u is too old, 2.02 or later is needed",
                           k->from, version >> 8, version & 0xff);
    }
    if (!(k->data[0x211] & 1)) {
        return kernel_fail(err, CANDELA_ERROR_FORMAT,
                           "%s: a zImage (loads below 1 MiB), a bzImage is needed", k->from);
    }
    /* The header counts paragraphs, rounded up. */
    if (setup_size > SETUP_MAX || setup_size >= k->size || k->size + 15 < expected) {
        return kernel_fail(err, CANDELA_ERROR_FORMAT,
                           "%s: truncated: %zu bytes, its header promises %" G_GUINT64_FORMAT,
                           k->from, k->size, MAX(expected, setup_size + 1));
    }
    if (strlen(k->append) > MIN(cmdline_max, (size_t)CMDLINE_MAX - 1)) {
        return kernel_fail(err, CANDELA_ERROR_CONFIG,
                           "-append: %zu characters, this kernel takes at most %zu",
                           strlen(k->append), MIN(cmdline_max, (size_t)CMDLINE_MAX - 1));
    }
    return true;
}

/* The end of what the kernel uses before it looks at the memory map, for a guess at what fits. */
static uint64_t linux_end(const struct kernel *k, size_t setup_size)
{
    uint64_t end = KERNEL_ADDR + (k->size - setup_size);

    if (ld_le16(k->data + 0x206) >= 0x20a) {
        uint64_t preferred = ld_le64(k->data + 0x258), init_size = ld_le32(k->data + 0x260);

        if (preferred < 4 * GiB) {
            end = MAX(end, preferred + init_size);
        }
    }
    return end;
}

static bool linux_place_initrd(struct kernel *k, size_t setup_size, uint32_t *address, GError **err)
{
    uint64_t size = k->m->initrd ? g_bytes_get_size(k->m->initrd) : 0,
             end = linux_end(k, setup_size), top;
    uint64_t max = ld_le16(k->data + 0x206) >= 0x203 ? ld_le32(k->data + 0x22c) : 0x37ffffff;

    *address = 0;
    if (end + size + FIRMWARE_SLACK > k->low_memory) {
        return kernel_no_room(k, end + size + FIRMWARE_SLACK, err);
    }
    if (!size) {
        return true;
    }
    top = MIN(k->low_memory, max + 1);
    if (end + size > top) {
        return kernel_fail(err, CANDELA_ERROR_CONFIG,
                           "-initrd %s: %llu MiB do not fit below the address %#" G_GINT64_MODIFIER
                           "x that the kernel allows",
                           k->m->config.initrd ? k->m->config.initrd : "", size / MiB, max);
    }
    *address = (uint32_t)((top - size) & ~PAGE_OFFSET_MASK);
    return true;
}

static bool linux_add(struct kernel *k, GBytes *rom, const char *rom_file, GError **err)
{
    size_t setup_size = (k->data[0x1f1] ? k->data[0x1f1] + 1u : 5u) * 512;
    uint32_t initrd_addr, initrd_size;
    GBytes *rest;
    uint8_t *setup;

    if (!linux_check(k, setup_size, err) || !linux_place_initrd(k, setup_size, &initrd_addr, err) ||
        !kernel_add_rom(k, rom, rom_file, err)) {
        return false;
    }
    initrd_size = k->m->initrd ? (uint32_t)g_bytes_get_size(k->m->initrd) : 0;
    setup = g_memdup2(k->data, setup_size);
    st_le16(setup + 0x1fa, linux_video_mode(k->append));
    setup[0x210] = 0xff; /* a loader without a number */
    setup[0x211] |= 0x80;
    st_le32(setup + 0x218, initrd_addr);
    st_le32(setup + 0x21c, initrd_size);
    st_le16(setup + 0x224, CMDLINE_ADDR - SETUP_ADDR - 0x200);
    st_le32(setup + 0x228, CMDLINE_ADDR);

    fw_cfg_set_u32(k->fw_cfg, FW_CFG_SETUP_ADDR, SETUP_ADDR);
    fw_cfg_set_u32(k->fw_cfg, FW_CFG_SETUP_SIZE, (uint32_t)setup_size);
    kernel_set_part(k, FW_CFG_SETUP_DATA, setup, setup_size);
    g_free(setup);
    fw_cfg_set_u32(k->fw_cfg, FW_CFG_CMDLINE_ADDR, CMDLINE_ADDR);
    fw_cfg_set_u32(k->fw_cfg, FW_CFG_CMDLINE_SIZE, (uint32_t)strlen(k->append) + 1);
    kernel_set_part(k, FW_CFG_CMDLINE_DATA, k->append, strlen(k->append) + 1);
    rest = g_bytes_new_from_bytes(k->bytes, setup_size, k->size - setup_size);
    fw_cfg_set_u32(k->fw_cfg, FW_CFG_KERNEL_ADDR, KERNEL_ADDR);
    fw_cfg_set_u32(k->fw_cfg, FW_CFG_KERNEL_SIZE, (uint32_t)g_bytes_get_size(rest));
    fw_cfg_set_bytes(k->fw_cfg, FW_CFG_KERNEL_DATA, rest);
    g_bytes_unref(rest);
    fw_cfg_set_u32(k->fw_cfg, FW_CFG_INITRD_ADDR, initrd_addr);
    fw_cfg_set_u32(k->fw_cfg, FW_CFG_INITRD_SIZE, initrd_size);
    if (initrd_size) {
        fw_cfg_set_bytes(k->fw_cfg, FW_CFG_INITRD_DATA, k->m->initrd);
    }
    return true;
}

/* Multiboot 1 ---------------------------------------------------------------------------------- */

enum {
    MB_MAGIC = 0x1badb002,
    MB_SEARCH = 8192,
    MB_HAS_ADDRESSES = BIT(16),
    MB_UNDERSTOOD = 0x0007, /* of the bits that a loader must understand */
    MBI_CMDLINE = BIT(2),
    MBI_MODS = BIT(3),
    MBI_NAME = BIT(9),
    ELF_LOAD = 1,
};

/* The loaded program: its place, contents and entry. */
struct multiboot {
    size_t header;
    uint64_t base, end;
    uint32_t entry;
    uint8_t *image;
};

static bool multiboot_find(const struct kernel *k, size_t *header)
{
    for (size_t at = 0; at + 12 <= MIN(k->size, (size_t)MB_SEARCH); at += 4) {
        const uint8_t *h = k->data + at;

        if (ld_le32(h) == MB_MAGIC && ld_le32(h) + ld_le32(h + 4) + ld_le32(h + 8) == 0) {
            *header = at;
            return true;
        }
    }
    return false;
}

/* Check that [base, end) is a place for a program and make its memory image, `extra` bytes longer.
 */
static bool multiboot_alloc(struct kernel *k, struct multiboot *mb, uint64_t extra, GError **err)
{
    uint64_t size;

    if (mb->base < KERNEL_ADDR || mb->end <= mb->base) {
        return kernel_fail(err, CANDELA_ERROR_FORMAT,
                           "%s: a Multiboot image must load at 1 MiB or above, this one "
                           "wants %#" G_GINT64_MODIFIER "x",
                           k->from, mb->base);
    }
    size = align_up(mb->end - mb->base, PAGE_BYTES) + extra;
    if (mb->base + size + FIRMWARE_SLACK > k->low_memory) {
        return kernel_no_room(k, mb->base + size + FIRMWARE_SLACK, err);
    }
    mb->image = g_try_malloc0(size);
    if (!mb->image) {
        return kernel_fail(err, CANDELA_ERROR_HOST, "%s: no memory for its image", k->from);
    }
    return true;
}

static bool multiboot_bad(struct kernel *k, const char *what, GError **err)
{
    return kernel_fail(err, CANDELA_ERROR_FORMAT, "%s: damaged Multiboot image: %s", k->from, what);
}

/* Addresses in the header itself ("a.out kludge"). */
static bool multiboot_load_flat(struct kernel *k, struct multiboot *mb, uint64_t extra,
                                GError **err)
{
    const uint8_t *h = k->data + mb->header;
    uint32_t header_addr, load, load_end, bss_end;
    uint64_t offset, len;

    if (mb->header + 32 > k->size) {
        return multiboot_bad(k, "its header is cut off", err);
    }
    header_addr = ld_le32(h + 12);
    load = ld_le32(h + 16);
    load_end = ld_le32(h + 20);
    bss_end = ld_le32(h + 24);
    if (header_addr < load || header_addr - load > mb->header) {
        return multiboot_bad(k, "its load address lies behind the header's", err);
    }
    offset = mb->header - (header_addr - load);
    len = load_end ? (uint64_t)load_end - load : k->size - offset;
    if ((load_end && load_end < load) || offset + len > k->size ||
        (bss_end && bss_end < load + len)) {
        return multiboot_bad(k, "its load addresses do not match the file's size", err);
    }
    mb->base = load;
    mb->end = bss_end ? bss_end : load + len;
    mb->entry = ld_le32(h + 28);
    if (!multiboot_alloc(k, mb, extra, err)) {
        return false;
    }
    memcpy(mb->image, k->data + offset, len);
    return true;
}

/* Program header n, or NULL when it lies outside the file or is not loaded. */
static const uint8_t *elf_segment(const struct kernel *k, unsigned n)
{
    uint64_t at = (uint64_t)ld_le32(k->data + 28) + (uint64_t)n * ld_le16(k->data + 42);
    const uint8_t *p;

    if (at + 32 > k->size) {
        return NULL;
    }
    p = k->data + at;
    return ld_le32(p) == ELF_LOAD && ld_le32(p + 20) ? p : NULL;
}

static bool multiboot_load_elf(struct kernel *k, struct multiboot *mb, uint64_t extra, GError **err)
{
    unsigned count;

    if (k->size < 52 || memcmp(k->data, "\177ELF", 4) != 0 || k->data[4] != 1 ||
        ld_le16(k->data + 18) != 3) {
        return kernel_fail(err, CANDELA_ERROR_FORMAT,
                           "%s: a Multiboot image must be a 32-bit x86 ELF file or give "
                           "its addresses in the "
                           "header",
                           k->from);
    }
    count = ld_le16(k->data + 44);
    mb->base = UINT64_MAX;
    mb->end = 0;
    mb->entry = ld_le32(k->data + 24);
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *p = elf_segment(k, i);

        if (!p) {
            continue;
        }
        if ((uint64_t)ld_le32(p + 4) + ld_le32(p + 16) > k->size ||
            ld_le32(p + 16) > ld_le32(p + 20)) {
            return multiboot_bad(k, "a program segment lies outside the file", err);
        }
        mb->base = MIN(mb->base, ld_le32(p + 12));
        mb->end = MAX(mb->end, (uint64_t)ld_le32(p + 12) + ld_le32(p + 20));
    }
    if (!mb->end) {
        return multiboot_bad(k, "it has no program segment", err);
    }
    if (!multiboot_alloc(k, mb, extra, err)) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *p = elf_segment(k, i);
        uint32_t entry = ld_le32(k->data + 24);

        if (!p) {
            continue;
        }
        memcpy(mb->image + (ld_le32(p + 12) - mb->base), k->data + ld_le32(p + 4), ld_le32(p + 16));
        /* The entry is where the program will be, not where it believes to be. */
        if (entry - ld_le32(p + 8) < ld_le32(p + 20)) {
            mb->entry = entry - ld_le32(p + 8) + ld_le32(p + 12);
        }
    }
    return true;
}

/* The information structure: command line, module, loader's name; strings lie behind the modules in
 * the image. */
static void multiboot_info(struct kernel *k, const struct multiboot *mb, uint64_t module,
                           uint64_t strings, const char *cmdline, const char *module_name)
{
    uint8_t info[MBI_BYTES + MB_MODULE_BYTES] = {0};
    uint32_t name_at = (uint32_t)(strings + strlen(cmdline) + 1);
    static const char loader[] = "Candela";
    uint8_t *text = mb->image + (strings - mb->base);

    memcpy(text, cmdline, strlen(cmdline) + 1);
    memcpy(text + (name_at - strings), loader, sizeof loader);
    memcpy(text + (name_at - strings) + sizeof loader, module_name, strlen(module_name) + 1);
    st_le32(info, MBI_CMDLINE | MBI_NAME | (k->m->initrd ? MBI_MODS : 0));
    st_le32(info + 16, (uint32_t)strings);
    st_le32(info + 64, name_at);
    if (k->m->initrd) {
        gsize size;
        const void *data = g_bytes_get_data(k->m->initrd, &size);

        memcpy(mb->image + (module - mb->base), data, size);
        st_le32(info + 20, 1);
        st_le32(info + 24, MBI_ADDR + MBI_BYTES);
        st_le32(info + MBI_BYTES, (uint32_t)module);
        st_le32(info + MBI_BYTES + 4, (uint32_t)(module + size));
        st_le32(info + MBI_BYTES + 8, (uint32_t)(name_at + sizeof loader));
    }
    fw_cfg_set_u32(k->fw_cfg, FW_CFG_INITRD_ADDR, MBI_ADDR);
    fw_cfg_set_u32(k->fw_cfg, FW_CFG_INITRD_SIZE, sizeof info);
    kernel_set_part(k, FW_CFG_INITRD_DATA, info, sizeof info);
}

static bool multiboot_add(struct kernel *k, size_t header, GError **err)
{
    struct multiboot mb = {.header = header};
    uint32_t flags = ld_le32(k->data + header + 4);
    const char *module_name = k->m->config.initrd ? k->m->config.initrd : "initrd";
    size_t module_size = k->m->initrd ? g_bytes_get_size(k->m->initrd) : 0;
    char *cmdline;
    uint64_t extra, module, strings, end;
    GBytes *image;
    bool ok;

    if (flags & 0xffff & ~MB_UNDERSTOOD) {
        return kernel_fail(err, CANDELA_ERROR_FORMAT,
                           "%s: it demands Multiboot features that are not there (flags %#x)",
                           k->from, flags & 0xffff & ~MB_UNDERSTOOD);
    }
    cmdline = *k->append ? g_strdup_printf("%s %s", k->name, k->append) : g_strdup(k->name);
    extra = align_up(module_size, PAGE_BYTES) + strlen(cmdline) + strlen(module_name) + 16;
    ok = (flags & MB_HAS_ADDRESSES ? multiboot_load_flat(k, &mb, extra, err)
                                   : multiboot_load_elf(k, &mb, extra, err)) &&
         kernel_add_rom(k, k->m->multiboot_rom, "multiboot.bin", err);
    if (ok) {
        module = mb.base + align_up(mb.end - mb.base, PAGE_BYTES);
        strings = module + align_up(module_size, PAGE_BYTES);
        end = mb.base + align_up(mb.end - mb.base, PAGE_BYTES) + extra;
        multiboot_info(k, &mb, module, strings, cmdline, module_name);
        fw_cfg_set_u32(k->fw_cfg, FW_CFG_KERNEL_ADDR, (uint32_t)mb.base);
        fw_cfg_set_u32(k->fw_cfg, FW_CFG_KERNEL_SIZE, (uint32_t)(end - mb.base));
        fw_cfg_set_u32(k->fw_cfg, FW_CFG_KERNEL_ENTRY, mb.entry);
        image = g_bytes_new_take(g_steal_pointer(&mb.image), end - mb.base);
        fw_cfg_set_bytes(k->fw_cfg, FW_CFG_KERNEL_DATA, image);
        g_bytes_unref(image);
    }
    g_free(mb.image);
    g_free(cmdline);
    return ok;
}

/* What `n` in the boot order starts. */
static bool netboot_add(struct kernel *k, GError **err)
{
    bool ok;

    k->bytes = k->m->netboot;
    k->data = g_bytes_get_data(k->bytes, &k->size);
    k->append = "";
    k->from = g_strdup("-boot n: the network boot program");
    ok = linux_is_bzimage(k) ? linux_add(k, k->m->netboot_rom, "netboot.bin", err)
                             : kernel_fail(err, CANDELA_ERROR_FORMAT,
                                           "%s: not a bzImage (no 'HdrS' at 0x202)", k->from);
    g_free(k->from);
    return ok;
}

static bool kernel_add_given(struct kernel *k, GError **err)
{
    size_t header;

    if (k->m->initrd && g_bytes_get_size(k->m->initrd) >= k->low_memory) {
        return kernel_no_room(k, g_bytes_get_size(k->m->initrd) + KERNEL_ADDR, err);
    }
    if (k->size && linux_is_bzimage(k)) {
        return linux_add(k, k->m->linuxboot_rom, "linuxboot.bin", err);
    }
    if (k->size && multiboot_find(k, &header)) {
        return multiboot_add(k, header, err);
    }
    return kernel_fail(err, CANDELA_ERROR_FORMAT,
                       "%s: %s (no 'HdrS' at 0x202) or Multiboot 1 image", k->from,
                       k->size ? "not a Linux bzImage" : "the file is empty, not a Linux bzImage");
}

bool kernel_add(struct machine *m, struct device *fw_cfg, uint64_t low_memory, GError **err)
{
    struct kernel k = {.m = m, .fw_cfg = fw_cfg, .low_memory = low_memory};
    bool ok;

    if (!m->kernel) {
        if (m->initrd || m->config.append) {
            return kernel_fail(err, CANDELA_ERROR_CONFIG, "%s needs -kernel FILE",
                               m->initrd ? "-initrd" : "-append");
        }
        return !m->netboot || netboot_add(&k, err);
    }
    k.bytes = m->kernel;
    k.data = g_bytes_get_data(k.bytes, &k.size);
    k.name = m->config.kernel ? m->config.kernel : "kernel";
    k.append = m->config.append ? m->config.append : "";
    k.from = g_strdup_printf("-kernel %s", k.name);
    ok = kernel_add_given(&k, err);
    g_free(k.from);
    return ok;
}
