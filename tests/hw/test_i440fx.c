/*
 * The host bridge: identification, shadowing in split views, SMRAM.
 *
 * Not modelled: see hw/i440fx.c.
 */
#include "hw/i440fx.h"
#include "hw/pci.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

enum { ROM_BYTE = 0xb5, VGA_BYTE = 0x77 };

static struct region below, rom_region, vga_region;

static uint64_t vga_read(struct device *dev, uint64_t off, unsigned size)
{
    (void)dev;
    (void)off;
    (void)size;
    return VGA_BYTE;
}

static const struct mmio_ops vga_ops = {.sizes = SIZE_1, .passive = true, .read = vga_read};

/* RAM below 640 KiB, a VGA window, "firmware" in the last 128 KiB of the first MiB, nothing
 * between. */
static struct rig *begin(void)
{
    struct rig *r = rig_begin(NULL);
    struct ram *rom = ram_new(r->m, "rom", 0x20000, NULL);
    struct device *dev;

    memset(rom->host, ROM_BYTE, rom->size);
    rom->readonly = true;
    region_remove(r->m, &r->region);
    region_init_ram(&below, "below", r->ram, 0, 0xa0000);
    region_add(r->m, &below, 0, 0);
    region_init_ram(&rom_region, "rom", rom, 0, 0x20000);
    region_add(r->m, &rom_region, 0xe0000, I440FX_PAM_PRIORITY - 1);
    region_set_access(r->m, &rom_region, ACCESS_READ);
    device_new(r->m, &pci_ops, "pci");
    dev = device_new(r->m, &i440fx_ops, "i440fx");
    i440fx_set_ram(dev, r->ram);
    pci_place(dev, 0);
    region_init_mmio(&vga_region, "vga", dev, &vga_ops, 0x20000);
    region_add(r->m, &vga_region, 0xa0000, 10);
    rig_ready(r);
    return r;
}

static void config8(struct rig *r, unsigned reg, uint8_t val)
{
    rig_out32(r, 0xcf8, 0x80000000u | (reg & 0xfc));
    rig_out8(r, 0xcfc + (reg & 3), val);
}

static uint8_t config8_read(struct rig *r, unsigned reg)
{
    rig_out32(r, 0xcf8, 0x80000000u | (reg & 0xfc));
    return rig_in8(r, 0xcfc + (reg & 3));
}

Test(i440fx, is_what_firmware_looks_for)
{
    struct rig *r = begin();

    rig_out32(r, 0xcf8, 0x80000000u);
    cr_assert_eq(rig_in32(r, 0xcfc), 0x12378086);
    rig_out32(r, 0xcf8, 0x8000002cu);
    cr_assert_eq(rig_in32(r, 0xcfc), 0x11001af4);
    rig_free(r);
}

Test(i440fx, pam_switches_reads_and_writes_apart)
{
    static const struct {
        uint32_t base, size;
        uint8_t reg, shift;
    } segment[] = {
        {0xf0000, 0x10000, 0x59, 4}, {0xc0000, 0x4000, 0x5a, 0}, {0xc4000, 0x4000, 0x5a, 4},
        {0xc8000, 0x4000, 0x5b, 0},  {0xcc000, 0x4000, 0x5b, 4}, {0xd0000, 0x4000, 0x5c, 0},
        {0xd4000, 0x4000, 0x5c, 4},  {0xd8000, 0x4000, 0x5d, 0}, {0xdc000, 0x4000, 0x5d, 4},
        {0xe0000, 0x4000, 0x5e, 0},  {0xe4000, 0x4000, 0x5e, 4}, {0xe8000, 0x4000, 0x5f, 0},
        {0xec000, 0x4000, 0x5f, 4},
    };
    struct rig *r = begin();

    for (unsigned i = 0; i < ARRAY_LEN(segment); i++) {
        uint32_t base = segment[i].base, at[2] = {base, base + segment[i].size - 1};
        uint8_t bus = base >= 0xe0000 ? ROM_BYTE : 0xff;

        for (unsigned bits = 0; bits < 4; bits++) {
            bool readable = bits & 1, writable = bits & 2;

            config8(r, segment[i].reg, (uint8_t)(bits << segment[i].shift));
            for (unsigned k = 0; k < 2; k++) {
                r->ram->host[at[k]] = 1;
                rig_mmio_write(r, at[k], 2, 1);
                cr_assert_eq(r->ram->host[at[k]], writable ? 2 : 1, "write at %#x bits %u", at[k],
                             bits);
                cr_assert_eq(rig_mmio_read(r, at[k], 1), readable ? r->ram->host[at[k]] : bus,
                             "read at %#x bits %u", at[k], bits);
            }
            /* Neighbours are left alone. */
            cr_assert_eq(rig_mmio_read(r, base - 1, 1), base == 0xc0000  ? VGA_BYTE
                                                        : base > 0xe0000 ? ROM_BYTE
                                                                         : 0xff);
        }
        config8(r, segment[i].reg, 0);
    }
    rig_free(r);
}

Test(i440fx, shadowing_as_firmware_does_it)
{
    struct rig *r = begin();

    config8(r, 0x59, 0x30);
    for (uint32_t at = 0xf0000; at < 0x100000; at += 0x1000) {
        rig_mmio_write(r, at, at >> 8, 4);
    }
    config8(r, 0x59, 0x10);
    rig_mmio_write(r, 0xf1000, 0xdead, 4);
    cr_assert_eq(rig_mmio_read(r, 0xf1000, 4), 0xf10, "write protected now");
    rig_reset(r);
    cr_assert_eq(rig_mmio_read(r, 0xf1000, 1), ROM_BYTE, "after a reset the ROM is back");
    cr_assert_eq(config8_read(r, 0x59), 0);
    rig_free(r);
}

Test(i440fx, undefined_pam_bits_do_not_stick)
{
    struct rig *r = begin();

    for (unsigned reg = 0x59; reg <= 0x5f; reg++) {
        config8(r, reg, 0xff);
        cr_assert_eq(config8_read(r, reg), reg == 0x59 ? 0x30 : 0x33);
    }
    rig_free(r);
}

Test(i440fx, smram_opens_and_locks)
{
    struct rig *r = begin();

    r->ram->host[0xa1234] = 0x42;
    cr_assert_eq(rig_mmio_read(r, 0xa1234, 1), VGA_BYTE);
    config8(r, 0x72, 0x40);
    cr_assert_eq(rig_mmio_read(r, 0xa1234, 1), VGA_BYTE, "only with G_SMRAME");
    config8(r, 0x72, 0x48);
    cr_assert_eq(rig_mmio_read(r, 0xa1234, 1), 0x42);
    config8(r, 0x72, 0x58);
    cr_assert_eq(config8_read(r, 0x72), 0x1a, "locking closes it");
    cr_assert_eq(rig_mmio_read(r, 0xa1234, 1), VGA_BYTE);
    config8(r, 0x72, 0x48);
    cr_assert_eq(rig_mmio_read(r, 0xa1234, 1), VGA_BYTE, "and it stays closed");
    rig_reset(r);
    config8(r, 0x72, 0x48);
    cr_assert_eq(rig_mmio_read(r, 0xa1234, 1), 0x42);
    rig_free(r);
}
