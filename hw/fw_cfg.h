/*
 * The firmware configuration port: what the board hands to the firmware (hw/fw_cfg.c).
 *
 * Not modelled: see hw/fw_cfg.c.
 *
 * Items are added by the board after this device was attached (it is created first) and before the
 * machine runs; they do not change afterwards.
 */
#ifndef HW_FW_CFG_H
#define HW_FW_CFG_H

#include "hw/core/machine.h"

extern const struct device_ops fw_cfg_ops;

/* Item numbers that firmware and option ROMs know (16 bits); files get theirs from 0x20 on. */
enum fw_cfg_key {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NB_CPUS = 0x05,
    FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_INITRD_ADDR = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_KERNEL_ENTRY = 0x10,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDR = 0x13,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
    FW_CFG_FILE_DIR = 0x19,
    FW_CFG_FILE_FIRST = 0x20,
    FW_CFG_IRQ0_OVERRIDE = 0x8002,
};

/* Give an item its contents (replacing what it had).  The bytes are referenced, not copied. */
void fw_cfg_set_bytes(struct device *dev, uint16_t key, GBytes *bytes);
void fw_cfg_set_u16(struct device *dev, uint16_t key, uint16_t val);
void fw_cfg_set_u32(struct device *dev, uint16_t key, uint32_t val);
void fw_cfg_set_u64(struct device *dev, uint16_t key, uint64_t val);
/* Add a file; names are at most 55 bytes and unique.  The bytes are referenced. */
void fw_cfg_add_file(struct device *dev, const char *name, GBytes *bytes);
/* The same with a copy of `len` bytes. */
void fw_cfg_add_file_copy(struct device *dev, const char *name, const void *data, size_t len);
/* The contents of a file, or NULL; owned by the device.  For tests and the monitor. */
GBytes *fw_cfg_find_file(struct device *dev, const char *name);
/* The contents of an item, or NULL; owned by the device. */
GBytes *fw_cfg_find_item(struct device *dev, uint16_t key);

#endif
