/*
 * Firmware images in the memory map.
 *
 * Follows the Intel 440FX and PIIX4 data sheets: a BIOS ROM answers at the top of the first 4 GiB,
 * and its last 128 KiB again at 0xe0000 wherever shadow RAM is not turned on there.
 *
 * Not modelled: flash programming (the ROM never changes), the ROM's write enable and its extended
 * ranges.
 */
#include "hw/firmware.h"
#include "hw/i440fx.h"

enum { ROM_UNIT = 64 * 1024, ROM_MAX = 16 * 1024 * 1024, ROM_LOW = 128 * 1024 };

static const char *firmware_name(struct machine *m)
{
    return m->config.bios ? m->config.bios : "firmware";
}

bool firmware_map(struct machine *m, struct firmware *fw, GError **err)
{
    size_t size = 0, low;
    const void *data = m->bios_image ? g_bytes_get_data(m->bios_image, &size) : NULL;

    if (!data) {
        g_set_error(
            err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
            "no firmware: install SeaBIOS (Debian package seabios) or give one with -bios FILE");
        return false;
    }
    if (!size || size % ROM_UNIT || size > ROM_MAX) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FORMAT,
                    "%s: %zu bytes is no firmware image: its size must be a multiple of 64 KiB, at "
                    "most 16 MiB",
                    firmware_name(m), size);
        return false;
    }
    fw->rom = ram_new(m, "bios", size, err);
    if (!fw->rom) {
        return false;
    }
    memcpy(fw->rom->host, data, size);
    fw->rom->readonly = true;
    low = MIN(size, (size_t)ROM_LOW);
    aspace_begin(m);
    region_init_ram(&fw->high, "bios", fw->rom, 0, size);
    region_add(m, &fw->high, 4 * GiB - size, 0);
    region_set_access(m, &fw->high, ACCESS_READ);
    region_init_ram(&fw->low, "bios-low", fw->rom, size - low, low);
    region_add(m, &fw->low, MiB - low, I440FX_PAM_PRIORITY - 1);
    region_set_access(m, &fw->low, ACCESS_READ);
    aspace_commit(m);
    return true;
}
