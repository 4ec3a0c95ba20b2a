/*
 * The firmware configuration port: items, files, DMA.
 *
 * Not modelled: see hw/fw_cfg.c.
 */
#include "hw/fw_cfg.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

static struct device *cfg;

static struct rig *begin(void)
{
    struct rig *r = rig_begin(NULL);

    cfg = device_new(r->m, &fw_cfg_ops, "fw_cfg");
    rig_ready(r);
    return r;
}

static void take(struct rig *r, uint16_t key, void *buf, size_t len)
{
    rig_out16(r, 0x510, key);
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)buf)[i] = rig_in8(r, 0x511);
    }
}

/* Run a DMA command whose descriptor lies at 0x1000; its control word afterwards. */
static uint32_t dma(struct rig *r, uint32_t control, uint32_t len, uint64_t address)
{
    uint8_t *desc = rig_ram(r, 0x1000, 16);

    st_be32(desc, control);
    st_be32(desc + 4, len);
    st_be64(desc + 8, address);
    rig_out32(r, 0x514, 0);
    rig_out32(r, 0x518, GUINT32_SWAP_LE_BE(0x1000));
    return ld_be32(desc);
}

Test(fw_cfg, presents_signature_and_features)
{
    struct rig *r = begin();
    uint8_t buf[8];

    take(r, 0, buf, 6);
    cr_assert_arr_eq(buf, "QEMU\0\0", 6, "bytes past the end read as zeroes");
    take(r, 1, buf, 4);
    cr_assert_eq(ld_le32(buf), 3, "traditional interface and DMA");
    take(r, 0x1234, buf, 2);
    cr_assert_eq(ld_le16(buf), 0, "an absent item");
    for (unsigned i = 0; i < 8; i++) {
        cr_assert_eq(rig_in8(r, (uint16_t)(0x514 + i)), "QEMU CFG"[i]);
    }
    rig_free(r);
}

Test(fw_cfg, integers_are_little_endian)
{
    struct rig *r = begin();
    uint8_t buf[8];

    fw_cfg_set_u16(cfg, FW_CFG_NB_CPUS, 0x1234);
    fw_cfg_set_u32(cfg, FW_CFG_KERNEL_SIZE, 0x12345678);
    fw_cfg_set_u64(cfg, FW_CFG_RAM_SIZE, 0x123456789abcdef0);
    take(r, FW_CFG_NB_CPUS, buf, 2);
    cr_assert_eq(ld_le16(buf), 0x1234);
    take(r, FW_CFG_KERNEL_SIZE, buf, 4);
    cr_assert_eq(ld_le32(buf), 0x12345678);
    take(r, FW_CFG_RAM_SIZE, buf, 8);
    cr_assert_eq(ld_le64(buf), 0x123456789abcdef0);
    rig_free(r);
}

Test(fw_cfg, directory_leads_to_files)
{
    struct rig *r = begin();
    uint8_t dir[4 + 2 * 64], buf[8];

    fw_cfg_add_file_copy(cfg, "etc/one", "first", 5);
    fw_cfg_add_file_copy(cfg, "etc/two", "second", 6);
    take(r, FW_CFG_FILE_DIR, dir, sizeof dir);
    cr_assert_eq(ld_be32(dir), 2);
    cr_assert_str_eq((char *)dir + 4 + 8, "etc/one");
    cr_assert_str_eq((char *)dir + 68 + 8, "etc/two");
    cr_assert_eq(ld_be32(dir + 68), 6);
    take(r, ld_be16(dir + 4 + 4), buf, 5);
    cr_assert_arr_eq(buf, "first", 5);
    take(r, ld_be16(dir + 68 + 4), buf, 6);
    cr_assert_arr_eq(buf, "second", 6);
    cr_assert_not_null(fw_cfg_find_file(cfg, "etc/two"));
    cr_assert_null(fw_cfg_find_file(cfg, "etc/three"));
    rig_free(r);
}

Test(fw_cfg, dma_selects_reads_and_skips)
{
    struct rig *r = begin();
    uint8_t *to = rig_ram(r, 0x2000, 64);

    fw_cfg_add_file_copy(cfg, "f", "0123456789", 10);
    memset(to, 0xee, 64);
    cr_assert_eq(dma(r, 0x20 << 16 | 8 | 2, 4, 0x2000), 0);
    cr_assert_arr_eq(to, "0123\xee", 5);
    cr_assert_eq(dma(r, 4, 3, 0), 0);
    cr_assert_eq(dma(r, 2, 6, 0x2000), 0);
    cr_assert_arr_eq(to, "789\0\0\0\xee", 7, "zeroes past the end");
    /* The data port goes on where DMA stopped. */
    cr_assert_eq(dma(r, 0x20 << 16 | 8, 0, 0), 0);
    cr_assert_eq(rig_in8(r, 0x511), '0');
    rig_free(r);
}

Test(fw_cfg, bad_dma_ends_with_the_error_bit)
{
    struct rig *r = begin();

    fw_cfg_add_file_copy(cfg, "f", "0123456789", 10);
    cr_assert_eq(dma(r, 0x20 << 16 | 8 | 2, 4, 0xd0000000), 1, "no memory there");
    cr_assert_eq(dma(r, 0x20 << 16 | 8 | 2, 0xffffffff, 0x2000), 1, "runs out of memory");
    cr_assert_eq(dma(r, 0x20 << 16 | 8 | 2, 0xffffffff, UINT64_MAX - 2), 1);
    cr_assert_eq(dma(r, 0x20 << 16 | 8 | 16, 4, 0x2000), 1, "writes are refused");
    /* A descriptor in nowhere: nothing happens. */
    rig_out32(r, 0x514, 0xffffffff);
    rig_out32(r, 0x518, 0xffffffff);
    rig_out32(r, 0x518, 0xd0000000);
    cr_assert_eq(dma(r, 0x20 << 16 | 8 | 2, 4, 0x2000), 0, "still alive");
    rig_free(r);
}

Test(fw_cfg, large_item_arrives_whole)
{
    struct rig *r = begin();
    size_t size = 1000003;
    uint8_t *data = g_malloc(size);

    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)(i * 31 >> 3);
    }
    fw_cfg_add_file_copy(cfg, "big", data, size);
    cr_assert_eq(dma(r, 0x20 << 16 | 8 | 2, (uint32_t)size, 0x100001), 0);
    cr_assert_eq(memcmp(rig_ram(r, 0x100001, size), data, size), 0);
    g_free(data);
    rig_free(r);
}
