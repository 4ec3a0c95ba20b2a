/*
 * Firmware images, kernels, and the board as a whole: memory map, CMOS, wires.
 *
 * Not modelled: the firmware's and the option ROMs' code (the boot tests run those).
 */
#include "hw/firmware.h"
#include "hw/fw_cfg.h"
#include "hw/pc.h"
#include "hw/pci.h"
#include "hw/piix.h"
#include "hw/piix_pm.h"
#include "hw/rtc.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

/* Kernels -------------------------------------------------------------------------------------- */

enum { SETUP_SECTS = 3, SETUP = (SETUP_SECTS + 1) * 512, SYS = 5000 };

/* A bzImage as far as its header goes, protocol 2.15. */
static uint8_t *bzimage(size_t *size)
{
    uint8_t *k = g_malloc0(SETUP + SYS);

    k[0x1f1] = SETUP_SECTS;
    st_le32(k + 0x1f4, SYS / 16 + 1); /* rounded up, as memtest86+ does */
    st_le16(k + 0x1fe, 0xaa55);
    memcpy(k + 0x202, "HdrS", 4);
    st_le16(k + 0x206, 0x20f);
    k[0x211] = 1;
    st_le32(k + 0x22c, 0x7fffffff);
    st_le32(k + 0x238, 255);
    st_le64(k + 0x258, 0x1000000);
    st_le32(k + 0x260, 0x100000);
    memset(k + SETUP, 0x5a, SYS);
    *size = SETUP + SYS;
    return k;
}

static GBytes *rom(void)
{
    static const uint8_t image[1024] = {0x55, 0xaa, 2};

    return g_bytes_new_static(image, sizeof image);
}

static struct device *cfg;

/* Hand a kernel to kernel_add in a machine with `memory` bytes; true, or the error's text in *text.
 */
static struct rig *add(const void *kernel, size_t size, const char *append, size_t initrd,
                       uint64_t memory, char **text)
{
    struct vm_config c;
    struct rig *r;
    GError *err = NULL;

    vm_config_init(&c);
    c.memory = memory;
    g_free(c.kernel);
    c.kernel = g_strdup("vmlinuz");
    c.append = g_strdup(append);
    r = rig_begin(&c);
    vm_config_clear(&c);
    cfg = device_new(r->m, &fw_cfg_ops, "fw_cfg");
    rig_ready(r);
    r->m->kernel = kernel ? g_bytes_new(kernel, size) : NULL;
    r->m->initrd = initrd ? g_bytes_new_take(g_malloc0(initrd), initrd) : NULL;
    r->m->linuxboot_rom = rom();
    r->m->multiboot_rom = rom();
    *text = NULL;
    if (!kernel_add(r->m, cfg, memory, &err)) {
        *text = g_strdup(err->message);
        g_clear_error(&err);
    }
    return r;
}

static uint32_t item32(uint16_t key)
{
    GBytes *b = fw_cfg_find_item(cfg, key);

    cr_assert(b && g_bytes_get_size(b) == 4, "item %#x", key);
    return ld_le32(g_bytes_get_data(b, NULL));
}

static const uint8_t *item(uint16_t key)
{
    GBytes *b = fw_cfg_find_item(cfg, key);

    cr_assert_not_null(b, "item %#x", key);
    return g_bytes_get_data(b, NULL);
}

Test(kernel, linux_image_is_taken_apart)
{
    size_t size;
    uint8_t *k = bzimage(&size);
    char *text;
    struct rig *r = add(k, size, "console=ttyS0 vga=791", 3 * 4096 + 1, 512 * MiB, &text);
    const uint8_t *setup = item(FW_CFG_SETUP_DATA);

    cr_assert_null(text, "%s", text);
    cr_assert_eq(item32(FW_CFG_SETUP_SIZE), SETUP);
    cr_assert_eq(item32(FW_CFG_KERNEL_SIZE), SYS);
    cr_assert_eq(item32(FW_CFG_KERNEL_ADDR), 0x100000);
    cr_assert_eq(item(FW_CFG_KERNEL_DATA)[0], 0x5a);
    cr_assert_eq(item32(FW_CFG_INITRD_SIZE), 3 * 4096 + 1);
    cr_assert_eq(item32(FW_CFG_INITRD_ADDR), 512 * MiB - 4 * 4096);
    cr_assert_str_eq((const char *)item(FW_CFG_CMDLINE_DATA), "console=ttyS0 vga=791");
    cr_assert_eq(setup[0x210], 0xff);
    cr_assert_eq(setup[0x211], 0x81);
    cr_assert_eq(ld_le32(setup + 0x218), item32(FW_CFG_INITRD_ADDR));
    cr_assert_eq(ld_le32(setup + 0x21c), 3 * 4096 + 1);
    cr_assert_eq(ld_le32(setup + 0x228), item32(FW_CFG_CMDLINE_ADDR));
    cr_assert_eq(ld_le16(setup + 0x224), 0xfe00);
    cr_assert_eq(ld_le16(setup + 0x1fa), 791);
    cr_assert_not_null(fw_cfg_find_file(cfg, "genroms/linuxboot.bin"));
    cr_assert_str_eq(g_bytes_get_data(fw_cfg_find_file(cfg, "bootorder"), NULL),
                     "/rom@genroms/linuxboot.bin\nHALT");
    g_free(k);
    rig_free(r);
}

Test(kernel, network_boot_takes_its_place_in_the_order)
{
    size_t size;
    uint8_t *k = bzimage(&size);
    char *text;
    struct rig *r = add(NULL, 0, NULL, 0, 512 * MiB, &text);
    GError *err = NULL;

    cr_assert_null(text);
    cr_assert_null(fw_cfg_find_file(cfg, "genroms/netboot.bin"));
    r->m->netboot = g_bytes_new(k, size);
    cr_assert_not(kernel_add(r->m, cfg, 512 * MiB, &err));
    cr_assert(strstr(err->message, "-boot n: ") && strstr(err->message, "netboot.bin"), "%s",
              err->message);
    g_clear_error(&err);
    r->m->netboot_rom = rom();
    cr_assert(kernel_add(r->m, cfg, 512 * MiB, &err), "%s", err ? err->message : "");
    cr_assert_not_null(fw_cfg_find_file(cfg, "genroms/netboot.bin"));
    cr_assert_null(fw_cfg_find_file(cfg, "bootorder"), "the CMOS has it");
    cr_assert_eq(item32(FW_CFG_KERNEL_SIZE), SYS);
    cr_assert_eq(item32(FW_CFG_INITRD_SIZE), 0);
    g_free(k);
    rig_free(r);
}

Test(kernel, bad_network_boot_programs_are_refused)
{
    size_t size;
    uint8_t *k = bzimage(&size);

    for (unsigned i = 0; i < 3; i++) {
        static const char *const says[] = {"not a bzImage", "truncated", "the machine has 2 MiB"};
        char *text;
        struct rig *r = add(NULL, 0, NULL, 0, i == 2 ? 2 * MiB : 64 * MiB, &text);
        GError *err = NULL;

        r->m->netboot = g_bytes_new(k, i == 0 ? 100 : i == 1 ? SETUP + 100 : size);
        r->m->netboot_rom = rom();
        cr_assert_not(kernel_add(r->m, cfg, i == 2 ? 2 * MiB : 64 * MiB, &err));
        cr_assert(strstr(err->message, "-boot n: ") && strstr(err->message, says[i]), "%s",
                  err->message);
        g_clear_error(&err);
        rig_free(r);
    }
    g_free(k);
}

Test(kernel, linux_initrd_stays_below_the_kernels_limit)
{
    size_t size;
    uint8_t *k = bzimage(&size);
    char *text;
    struct rig *r;

    st_le32(k + 0x22c, 0x37ffffff);
    r = add(k, size, NULL, 4096, 2 * GiB, &text);
    cr_assert_null(text, "%s", text);
    cr_assert_eq(item32(FW_CFG_INITRD_ADDR), 0x38000000 - 4096);
    g_free(k);
    rig_free(r);
}

Test(kernel, bad_linux_images_are_refused_with_reasons)
{
    static const struct {
        unsigned at, width; /* poke `val` there */
        uint32_t val;
        size_t cut; /* keep only so many bytes */
        const char *says;
    } cases[] = {
        {0x202, 1, 'X', 0, "not a Linux bzImage (no 'HdrS' at 0x202) or Multiboot 1 image"},
        {0, 0, 0, 100, "not a Linux bzImage"},
        {0, 0, 0, SETUP + 100, "truncated"},
        {0, 0, 0, SETUP - 1, "truncated"},
        {0x1f1, 1, 200, 0, "truncated"},
        {0x206, 2, 0x0200, 0, "2.00 is too old"},
        {0x211, 1, 0, 0, "zImage"},
        {0x260, 4, 0x40000000, 0, "MiB of memory"},
        {0x238, 4, 3, 0, "-append: 4 characters"},
        {0x22c, 4, 0x00ffffff, 0, "do not fit below"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        size_t size;
        uint8_t *k = bzimage(&size);
        char *text;
        struct rig *r;

        for (unsigned b = 0; b < cases[i].width; b++) {
            k[cases[i].at + b] = (uint8_t)(cases[i].val >> (8 * b));
        }
        r = add(k, cases[i].cut ? cases[i].cut : size, "quux", 8192, 256 * MiB, &text);
        cr_assert(text && strstr(text, cases[i].says), "case %u: %s", i, text ? text : "taken");
        g_free(text);
        g_free(k);
        rig_free(r);
    }
}

Test(kernel, empty_or_missing_kernel)
{
    char *text;
    struct rig *r = add("", 0, NULL, 0, 64 * MiB, &text);

    cr_assert(text && strstr(text, "vmlinuz") && strstr(text, "empty"), "%s", text);
    g_free(text);
    rig_free(r);
    r = add(NULL, 0, NULL, 4096, 64 * MiB, &text);
    cr_assert_str_eq(text, "-initrd needs -kernel FILE");
    g_free(text);
    rig_free(r);
    r = add(NULL, 0, NULL, 0, 64 * MiB, &text);
    cr_assert_null(text);
    cr_assert_null(fw_cfg_find_file(cfg, "bootorder"));
    rig_free(r);
}

enum { ELF = 0x1000 };

/* An ELF32 with a Multiboot header: one segment at 2 MiB, virtual at 3 GiB + 2 MiB, with some bss.
 */
static uint8_t *multiboot_elf(void)
{
    uint8_t *k = g_malloc0(ELF);

    memcpy(k, "\177ELF\1\1\1", 7);
    st_le16(k + 16, 2);
    st_le16(k + 18, 3);
    st_le32(k + 24, 0xc0200010); /* entry, virtual */
    st_le32(k + 28, 52);
    st_le16(k + 42, 32);
    st_le16(k + 44, 1);
    st_le32(k + 52, 1);
    st_le32(k + 56, 0x200);
    st_le32(k + 60, 0xc0200000);
    st_le32(k + 64, 0x200000);
    st_le32(k + 68, 0x300);
    st_le32(k + 72, 0x2000);
    st_le32(k + 0x100, 0x1badb002);
    st_le32(k + 0x104, 3);
    st_le32(k + 0x108, 0u - 0x1badb002 - 3);
    memset(k + 0x200, 0x99, 0x300);
    return k;
}

Test(kernel, multiboot_elf_becomes_a_memory_image)
{
    uint8_t *k = multiboot_elf();
    char *text;
    struct rig *r = add(k, ELF, "one two", 5000, 64 * MiB, &text);
    const uint8_t *image, *mbi;
    uint32_t base = 0x200000, module;

    cr_assert_null(text, "%s", text);
    cr_assert_eq(item32(FW_CFG_KERNEL_ADDR), base);
    cr_assert_eq(item32(FW_CFG_KERNEL_ENTRY), 0x200010);
    image = item(FW_CFG_KERNEL_DATA);
    cr_assert(image[0] == 0x99 && image[0x2ff] == 0x99 && image[0x300] == 0 && image[0x1fff] == 0);
    mbi = item(FW_CFG_INITRD_DATA);
    cr_assert_eq(item32(FW_CFG_INITRD_ADDR), 0x9000);
    cr_assert_eq(ld_le32(mbi), 0x20c);
    cr_assert_str_eq((const char *)image + ld_le32(mbi + 16) - base, "vmlinuz one two");
    cr_assert_eq(ld_le32(mbi + 20), 1);
    cr_assert_eq(ld_le32(mbi + 24), 0x9000 + 88);
    module = ld_le32(mbi + 88);
    cr_assert_eq(module, base + 0x2000);
    cr_assert_eq(ld_le32(mbi + 92) - module, 5000);
    cr_assert_lt(ld_le32(mbi + 96) - base, item32(FW_CFG_KERNEL_SIZE));
    cr_assert_str_eq((const char *)image + ld_le32(mbi + 64) - base, "Candela");
    cr_assert_not_null(fw_cfg_find_file(cfg, "genroms/multiboot.bin"));
    g_free(k);
    rig_free(r);
}

Test(kernel, multiboot_addresses_in_the_header)
{
    uint8_t k[0x400] = {0};
    char *text;
    struct rig *r;

    st_le32(k + 0x40, 0x1badb002);
    st_le32(k + 0x44, 0x10003);
    st_le32(k + 0x48, 0u - 0x1badb002 - 0x10003);
    st_le32(k + 0x4c, 0x100020); /* the header */
    st_le32(k + 0x50, 0x100000); /* so the text begins at file offset 0x20 */
    st_le32(k + 0x54, 0);        /* to the end of the file */
    st_le32(k + 0x58, 0x101000);
    st_le32(k + 0x5c, 0x100080);
    k[0x20] = 0x77;
    r = add(k, sizeof k, NULL, 0, 64 * MiB, &text);
    cr_assert_null(text, "%s", text);
    cr_assert_eq(item32(FW_CFG_KERNEL_ADDR), 0x100000);
    cr_assert_eq(item32(FW_CFG_KERNEL_ENTRY), 0x100080);
    cr_assert_eq(item(FW_CFG_KERNEL_DATA)[0], 0x77);
    cr_assert_eq(ld_le32(item(FW_CFG_INITRD_DATA)), 0x204, "no modules");
    rig_free(r);
}

Test(kernel, bad_multiboot_images_are_refused)
{
    static const struct {
        unsigned at;
        uint32_t val;
        const char *says;
    } cases[] = {
        {52 + 16, 0x3000, "segment lies outside"}, /* p_filesz > p_memsz */
        {52 + 4, 0xffffff00, "segment lies outside"},
        {52 + 12, 0x8000, "at 1 MiB or above"},
        {52 + 12, 0x7fffff00, "MiB of memory"},
        {52 + 20, 0xfffffff0, "MiB of memory"},
        {52, 2, "no program segment"},
        {28, 0xfffffff0, "no program segment"},
        {4, 2, "32-bit x86 ELF"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t *k = multiboot_elf();
        char *text;
        struct rig *r;

        st_le32(k + cases[i].at, cases[i].val);
        r = add(k, ELF, NULL, 0, 64 * MiB, &text);
        cr_assert(text && strstr(text, cases[i].says), "case %u: %s", i, text ? text : "taken");
        g_free(text);
        g_free(k);
        rig_free(r);
    }
}

/* Random damage in the headers: refused or taken, never a crash (the sanitizers watch). */
Test(kernel, damaged_images_do_no_harm)
{
    uint32_t seed = 7;

    for (unsigned i = 0; i < 400; i++) {
        size_t size = ELF;
        uint8_t *k = i & 1 ? bzimage(&size) : multiboot_elf();
        char *text;
        struct rig *r;

        for (unsigned n = 0; n < 3; n++) {
            seed = seed * 1664525u + 1013904223u;
            k[i & 1 ? 0x1f1 + (seed >> 8) % 0x73 : (seed >> 8) % 0x70] = (uint8_t)(seed >> 24);
        }
        r = add(k, size, "x", 100, 16 * MiB, &text);
        g_free(text);
        g_free(k);
        rig_free(r);
    }
}

/* The board ------------------------------------------------------------------------------------ */

static uint8_t bios[256 * 1024];

static void prepare(struct machine *m)
{
    bios[sizeof bios - 16] = 0xea;
    m->bios_image = g_bytes_new_static(bios, sizeof bios);
}

static struct rig *board(uint64_t memory, const char *cpu, unsigned cpus, GError **err)
{
    struct vm_config c;
    struct rig *r;

    vm_config_init(&c);
    c.memory = memory;
    c.cpus = cpus;
    if (cpu) {
        g_free(c.cpu_model);
        c.cpu_model = g_strdup(cpu);
    }
    r = rig_new_board(&c, &pc_board, prepare, err);
    vm_config_clear(&c);
    return r;
}

Test(pc, memory_map_has_the_split_and_the_firmware)
{
    static const struct {
        uint64_t memory, low, high;
    } cases[] = {{MiB, MiB, 0},
                 {512 * MiB, 512 * MiB, 0},
                 {3 * GiB, 3 * GiB, 0},
                 {64 * GiB, 3 * GiB, 61 * GiB}};

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        GError *err = NULL;
        struct rig *r = board(cases[i].memory, NULL, 1, &err);
        uint64_t ram[] = {0,
                          0x9fffc,
                          cases[i].low > MiB ? MiB : 0,
                          cases[i].low > MiB ? cases[i].low - 4 : 0,
                          cases[i].high ? 4 * GiB : 0,
                          cases[i].high ? 4 * GiB + cases[i].high - 4 : 0};

        cr_assert_not_null(r, "%s", err ? err->message : "");
        for (unsigned k = 0; k < ARRAY_LEN(ram); k++) {
            rig_mmio_write(r, ram[k], 0x1000 + k, 4);
            cr_assert_eq(rig_mmio_read(r, ram[k], 4), 0x1000 + k, "RAM at %#llx",
                         (unsigned long long)ram[k]);
        }
        cr_assert_eq(rig_mmio_read(r, 4 * GiB + cases[i].high, 4), 0xffffffff);
        cr_assert_eq(rig_mmio_read(r, 0xfffffff0, 1), 0xea);
        cr_assert_eq(rig_mmio_read(r, 0xffff0, 1), 0xea);
        rig_mmio_write(r, 0xfffffff0, 0, 1);
        rig_mmio_write(r, 0xffff0, 0, 1);
        cr_assert_eq(rig_mmio_read(r, 0xffff0, 1), 0xea, "ROM");
        rig_free(r);
    }
}

Test(pc, cmos_tells_the_memory)
{
    static const struct {
        uint64_t memory;
        unsigned ext, above16, above4g;
    } cases[] = {{MiB, 0, 0, 0},
                 {8 * MiB, 7 * 1024, 0, 0},
                 {512 * MiB, 0xfc00, 496 * 16, 0},
                 {5 * GiB, 0xfc00, (3072 - 16) * 16, 2 * 1024 * 16}};

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        GError *err = NULL;
        struct rig *r = board(cases[i].memory, NULL, 1, &err);
        struct device *rtc = device_find(r->m, "rtc");
        unsigned c[0x60];

        for (unsigned k = 0x10; k < 0x60; k++) {
            c[k] = rtc_get_cmos(rtc, k);
        }
        cr_assert_eq(c[0x30] | c[0x31] << 8, cases[i].ext);
        cr_assert_eq(c[0x34] | c[0x35] << 8, cases[i].above16);
        cr_assert_eq(c[0x5b] | c[0x5c] << 8 | c[0x5d] << 16, cases[i].above4g);
        cr_assert_eq(c[0x3d], 0x32, "disk, then CD");
        cr_assert_eq(c[0x38], 0x10, "then floppy");
        rig_free(r);
    }
}

Test(pc, firmware_and_options_are_checked)
{
    static const struct {
        size_t size;
        const char *says;
    } cases[] = {{0, "no firmware image"},
                 {1000, "no firmware image"},
                 {17 * 1024 * 1024, "no firmware image"}};
    struct rig *r = rig_begin(NULL);

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct firmware fw;
        GError *err = NULL;

        r->m->bios_image = g_bytes_new_take(g_malloc0(cases[i].size + 1), cases[i].size);
        cr_assert_not(firmware_map(r->m, &fw, &err));
        cr_assert(strstr(err->message, cases[i].says) || strstr(err->message, "no firmware"), "%s",
                  err->message);
        g_clear_error(&err);
        g_clear_pointer(&r->m->bios_image, g_bytes_unref);
    }
    machine_unlock(r->m);
    machine_lock(r->m);
    rig_free(r);

    for (unsigned i = 0; i < 3; i++) {
        static const uint64_t memory[] = {0, 65 * GiB, 512 * MiB};
        GError *err = NULL;
        struct vm_config c;

        vm_config_init(&c);
        c.memory = memory[i];
        if (i == 2) {
            c.boot_order = g_strdup("cx");
        }
        cr_assert_null(rig_new_board(&c, &pc_board, prepare, &err));
        cr_assert(err && strstr(err->message, i == 2 ? "-boot cx: 'x'" : "memory of"), "%s",
                  err ? err->message : "built");
        g_clear_error(&err);
        vm_config_clear(&c);
    }
}

Test(pc, timer_interrupt_reaches_the_processor)
{
    static const char *const models[] = {"x86-64-v3", "486"};

    for (unsigned i = 0; i < ARRAY_LEN(models); i++) {
        GError *err = NULL;
        struct rig *r = board(16 * MiB, models[i], 1, &err);

        cr_assert_not_null(r, "%s", err ? err->message : "");
        cr_assert_eq(device_find(r->m, "lapic0") != NULL, i == 0);
        /* The timer first: setting its mode is an edge. */
        rig_out8(r, 0x43, 0x34);
        rig_out8(r, 0x40, 0);
        rig_out8(r, 0x40, 0x10);
        rig_out8(r, 0x20, 0x11);
        rig_out8(r, 0x21, 0x08);
        rig_out8(r, 0x21, 0x04);
        rig_out8(r, 0x21, 0x01);
        rig_out8(r, 0x21, 0xfe);
        if (i == 0) {
            /* LINT0 as ExtINT, APIC on. */
            rig_mmio_write(r, 0xfee000f0, 0x1ff, 4);
            rig_mmio_write(r, 0xfee00350, 0x700, 4);
        }
        cr_assert_not(rig_irq_pin(r));
        rig_step(r, 10 * NS_PER_MS);
        cr_assert(rig_irq_pin(r), "%s", models[i]);
        cr_assert_eq(rig_ack(r), 8);
        rig_free(r);
    }
}

/* A guest that does not run for a while gets the ticks afterwards, by the 8259 and by the I/O APIC.
 */
Test(pc, no_tick_is_lost_in_an_interrupt_controllers_latch)
{
    for (unsigned way = 0; way < 2; way++) {
        GError *err = NULL;
        struct rig *r = board(16 * MiB, NULL, 1, &err);
        unsigned ticks = 0;

        rig_out8(r, 0x43, 0x34);
        rig_out8(r, 0x40, 0xa9);
        rig_out8(r, 0x40, 0x04); /* 1 kHz */
        rig_out8(r, 0x20, 0x11);
        rig_out8(r, 0x21, 0x08);
        rig_out8(r, 0x21, 0x04);
        rig_out8(r, 0x21, 0x01);
        rig_out8(r, 0x21, 0xfe); /* with way 1 it asks in vain: LINT0 is masked */
        rig_mmio_write(r, 0xfee000f0, 0x1ff, 4);
        rig_mmio_write(r, 0xfee00350, way ? 0x10000 : 0x700, 4);
        rig_mmio_write(r, 0xfec00000, 0x14, 4);
        rig_mmio_write(r, 0xfec00010, way ? 0x40 : 0x10040, 4);
        for (unsigned ms = 0; ms < 60; ms++) {
            for (unsigned i = 0; i < 20; i++) {
                rig_step(r, 50 * NS_PER_US);
                if (ms >= 20 && rig_irq_pin(r)) {
                    cr_assert_eq(rig_ack(r), way ? 0x40 : 8);
                    rig_out8(r, 0x20, 0x20);
                    rig_mmio_write(r, 0xfee000b0, 0, 4);
                    ticks++;
                }
            }
        }
        cr_expect(ticks >= 59 && ticks <= 61, "way %u: %u ticks in 60 ms", way, ticks);
        rig_free(r);
    }
}

Test(pc, pci_interrupts_and_sci_share_the_isa_wires)
{
    GError *err = NULL;
    struct rig *r = board(16 * MiB, NULL, 1, &err);
    struct device *piix = device_find(r->m, "piix"), *pm = device_find(r->m, "piix_pm");

    rig_out32(r, 0xcf8, 0x80000860);
    rig_out32(r, 0xcfc, 0x0b0b0a09); /* PIRQA to 9, which is also the SCI's */
    rig_out32(r, 0xcf8, 0x80000b40);
    rig_out32(r, 0xcfc, 0x601);
    rig_out32(r, 0xcf8, 0x80000b80);
    rig_out8(r, 0xcfc, 1);
    /* Slave request register: IRQ 9 is bit 1, level triggered. */
    rig_out8(r, 0x4d1, 0x02);
    rig_out8(r, 0xa0, 0x0a);
    cr_assert_eq(rig_in8(r, 0xa0) & 2, 0);
    piix_pirq_sink(piix, 0, true);
    cr_assert_eq(rig_in8(r, 0xa0) & 2, 2);
    rig_out16(r, 0x602, 0x100);
    rig_out8(r, 0xb2, PIIX_ACPI_ENABLE);
    piix_pm_press_power(pm);
    piix_pirq_sink(piix, 0, false);
    cr_assert_eq(rig_in8(r, 0xa0) & 2, 2, "the SCI still holds it");
    rig_out16(r, 0x600, 0x100);
    cr_assert_eq(rig_in8(r, 0xa0) & 2, 0);
    rig_free(r);
}

Test(pc, the_clocks_interrupt_is_a_power_management_event)
{
    GError *err = NULL;
    struct rig *r = board(16 * MiB, NULL, 1, &err);
    const struct line *sci = piix_pm_sci(device_find(r->m, "piix_pm"));

    rig_out32(r, 0xcf8, 0x80000b40);
    rig_out32(r, 0xcfc, 0x601);
    rig_out32(r, 0xcf8, 0x80000b80);
    rig_out8(r, 0xcfc, 1);
    rig_out8(r, 0xb2, PIIX_ACPI_ENABLE);
    rig_out16(r, 0x602, 0x400);
    rig_out8(r, 0xa0, 0x0a);
    rig_out8(r, 0x70, 0x0b);
    rig_out8(r, 0x71, 0x12); /* update-ended interrupts */
    cr_assert_eq(rig_in16(r, 0x600) & 0x400, 0);
    rig_step(r, NS_PER_SEC);
    cr_assert_eq(rig_in8(r, 0xa0) & 1, 1);
    cr_assert_eq(rig_in16(r, 0x600) & 0x400, 0x400);
    cr_assert(rig_level(sci));
    rig_out16(r, 0x600, 0x400);
    cr_assert_eq(rig_in16(r, 0x600) & 0x400, 0, "the interrupt still stands, its edge is past");
    cr_assert_not(rig_level(sci));
    rig_free(r);
}

Test(pc, sixty_four_processors_build)
{
    GError *err = NULL;
    struct rig *r = board(64 * MiB, NULL, 64, &err);

    cr_assert_not_null(r, "%s", err ? err->message : "");
    cr_assert_not_null(device_find(r->m, "lapic63"));
    rig_reset(r);
    rig_free(r);
}
