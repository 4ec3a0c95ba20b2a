/*
 * The firmware configuration port (fw_cfg): selector at 0x510, data at 0x511, DMA at 0x514.
 *
 * Follows QEMU's published register description (docs/specs/fw_cfg), which SeaBIOS expects to find
 * together with the 440FX host bridge.  The signature is therefore "QEMU".
 *
 * Not modelled: writing items (writes are dropped, a DMA write ends with the error bit), the MMIO
 * variant, items that change while the machine runs.
 */
#include "hw/fw_cfg.h"

enum {
    DMA_ERROR = BIT(0),
    DMA_READ = BIT(1),
    DMA_SKIP = BIT(2),
    DMA_SELECT = BIT(3),
    DMA_WRITE = BIT(4),
    ID_TRADITIONAL = BIT(0),
    ID_DMA = BIT(1),
    FILE_NAME_BYTES = 56,
    FILE_ENTRY_BYTES = 64,
    DMA_DESCRIPTOR_BYTES = 16,
    DMA_CHUNK = 64 * 1024,
};

/* What reading the DMA address register gives: "QEMU CFG". */
#define DMA_SIGNATURE 0x51454d5520434647ull

struct fw_cfg_file {
    char *name;
    uint16_t key;
};

struct fw_cfg {
    struct device dev;
    GHashTable *items; /* key -> GBytes */
    GArray *files;     /* struct fw_cfg_file, in order of adding */
    struct fw_cfg_state {
        uint64_t dma_address;
        uint64_t offset; /* of the next byte in the selected item */
        uint16_t key;
        uint8_t hole[6];
    } s;
};

#define F(m, ...) STATE(struct fw_cfg, s.m, __VA_ARGS__)
static const struct state_field fw_cfg_state[] = {
    F(dma_address), F(offset), F(key), STATE_HOLE(struct fw_cfg, s.hole), STATE_END,
};
#undef F

/* Items ---------------------------------------------------------------------------------------- */

void fw_cfg_set_bytes(struct device *dev, uint16_t key, GBytes *bytes)
{
    struct fw_cfg *f = (struct fw_cfg *)dev;

    g_hash_table_replace(f->items, GUINT_TO_POINTER((unsigned)key), g_bytes_ref(bytes));
}

static void fw_cfg_set_copy(struct device *dev, uint16_t key, const void *data, size_t len)
{
    GBytes *bytes = g_bytes_new(data, len);

    fw_cfg_set_bytes(dev, key, bytes);
    g_bytes_unref(bytes);
}

void fw_cfg_set_u16(struct device *dev, uint16_t key, uint16_t val)
{
    uint8_t le[2];

    st_le16(le, val);
    fw_cfg_set_copy(dev, key, le, sizeof le);
}

void fw_cfg_set_u32(struct device *dev, uint16_t key, uint32_t val)
{
    uint8_t le[4];

    st_le32(le, val);
    fw_cfg_set_copy(dev, key, le, sizeof le);
}

void fw_cfg_set_u64(struct device *dev, uint16_t key, uint64_t val)
{
    uint8_t le[8];

    st_le64(le, val);
    fw_cfg_set_copy(dev, key, le, sizeof le);
}

GBytes *fw_cfg_find_item(struct device *dev, uint16_t key)
{
    return g_hash_table_lookup(((struct fw_cfg *)dev)->items, GUINT_TO_POINTER((unsigned)key));
}

/* Directory: count, then entries of size, key, reserved (all big-endian) and name. */
static void fw_cfg_update_directory(struct fw_cfg *f)
{
    size_t len = 4 + (size_t)f->files->len * FILE_ENTRY_BYTES;
    uint8_t *dir = g_malloc0(len);
    GBytes *bytes;

    st_be32(dir, f->files->len);
    for (unsigned i = 0; i < f->files->len; i++) {
        const struct fw_cfg_file *file = &g_array_index(f->files, struct fw_cfg_file, i);
        uint8_t *entry = dir + 4 + (size_t)i * FILE_ENTRY_BYTES;

        st_be32(entry, (uint32_t)g_bytes_get_size(fw_cfg_find_item(&f->dev, file->key)));
        st_be16(entry + 4, file->key);
        g_strlcpy((char *)entry + 8, file->name, FILE_NAME_BYTES);
    }
    bytes = g_bytes_new_take(dir, len);
    fw_cfg_set_bytes(&f->dev, FW_CFG_FILE_DIR, bytes);
    g_bytes_unref(bytes);
}

void fw_cfg_add_file(struct device *dev, const char *name, GBytes *bytes)
{
    struct fw_cfg *f = (struct fw_cfg *)dev;
    struct fw_cfg_file file = {NULL, (uint16_t)(FW_CFG_FILE_FIRST + f->files->len)};

    g_assert(strlen(name) < FILE_NAME_BYTES && !fw_cfg_find_file(dev, name));
    file.name = g_strdup(name);
    g_array_append_val(f->files, file);
    fw_cfg_set_bytes(dev, file.key, bytes);
    fw_cfg_update_directory(f);
}

void fw_cfg_add_file_copy(struct device *dev, const char *name, const void *data, size_t len)
{
    GBytes *bytes = g_bytes_new(data, len);

    fw_cfg_add_file(dev, name, bytes);
    g_bytes_unref(bytes);
}

GBytes *fw_cfg_find_file(struct device *dev, const char *name)
{
    struct fw_cfg *f = (struct fw_cfg *)dev;

    for (unsigned i = 0; i < f->files->len; i++) {
        const struct fw_cfg_file *file = &g_array_index(f->files, struct fw_cfg_file, i);

        if (strcmp(file->name, name) == 0) {
            return fw_cfg_find_item(dev, file->key);
        }
    }
    return NULL;
}

/* Registers ------------------------------------------------------------------------------------ */

static void fw_cfg_select(struct fw_cfg *f, uint16_t key)
{
    f->s.key = key;
    f->s.offset = 0;
}

/* The unread rest of the selected item. */
static const uint8_t *fw_cfg_rest(struct fw_cfg *f, size_t *len)
{
    GBytes *bytes = fw_cfg_find_item(&f->dev, f->s.key);
    size_t size = 0;
    const uint8_t *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;

    if (f->s.offset >= size) {
        *len = 0;
        return NULL;
    }
    *len = size - (size_t)f->s.offset;
    return data + f->s.offset;
}

/*
 * Port 0x510 is a 16-bit selector, and its upper byte is at the same address as the data port, as
 * in the original.  So one range takes both.
 */
static uint32_t fw_cfg_port_read(struct device *dev, unsigned off, unsigned size)
{
    struct fw_cfg *f = (struct fw_cfg *)dev;
    const uint8_t *rest;
    uint8_t val;
    size_t len;

    if (off == 0) {
        return size == 2 ? f->s.key : f->s.key & 0xff;
    }
    rest = fw_cfg_rest(f, &len);
    val = len ? *rest : 0;
    f->s.offset++;
    return val;
}

static void fw_cfg_port_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    if (off == 0 && size == 2) {
        fw_cfg_select((struct fw_cfg *)dev, (uint16_t)val);
    }
}

/* Copy `len` bytes of the item to guest memory; bytes past its end read as zeroes. */
static bool fw_cfg_dma_copy(struct fw_cfg *f, uint64_t address, uint32_t len)
{
    static const uint8_t zeroes[4096];

    while (len) {
        size_t have;
        const uint8_t *rest = fw_cfg_rest(f, &have);
        uint32_t n = MIN(len, have ? (uint32_t)MIN(have, DMA_CHUNK) : (uint32_t)sizeof zeroes);

        if (!dma_write(f->dev.m, address, have ? rest : zeroes, n)) {
            return false;
        }
        f->s.offset += n;
        address += n;
        len -= n;
    }
    return true;
}

static void fw_cfg_dma(struct fw_cfg *f)
{
    uint8_t desc[DMA_DESCRIPTOR_BYTES], status[4];
    uint64_t at = f->s.dma_address, address;
    uint32_t control, len;
    bool ok = true;

    f->s.dma_address = 0;
    if (!dma_read(f->dev.m, at, desc, sizeof desc)) {
        /* The reference model reports this in the descriptor too, if that can be written at all. */
        st_be32(status, DMA_ERROR);
        dma_write(f->dev.m, at, status, sizeof status);
        return;
    }
    control = ld_be32(desc);
    len = ld_be32(desc + 4);
    address = ld_be64(desc + 8);
    if (control & DMA_SELECT) {
        fw_cfg_select(f, (uint16_t)(control >> 16));
    }
    trace(&f->dev, TR_DMA, "key %#x control %#x %u bytes at %#" G_GINT64_MODIFIER "x", f->s.key,
          control & 0xffff, len, address);
    if (control & DMA_READ) {
        ok = fw_cfg_dma_copy(f, address, len);
    } else if (control & DMA_WRITE) {
        guest_error(&f->dev, "DMA write to item %#x", f->s.key);
        ok = false;
    } else if (control & DMA_SKIP) {
        f->s.offset += len;
    }
    st_be32(status, ok ? 0 : DMA_ERROR);
    dma_write(f->dev.m, at, status, sizeof status);
}

/* The address register is big-endian: the high half at 0x514, the low half at 0x518 starts the
 * transfer. */
static uint32_t fw_cfg_dma_read(struct device *dev, unsigned off, unsigned size)
{
    uint8_t be[8];

    (void)dev;
    st_be64(be, DMA_SIGNATURE);
    return size == 4 && off <= 4 ? ld_le32(be + off) : size == 1 && off < 8 ? be[off] : 0;
}

static void fw_cfg_dma_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct fw_cfg *f = (struct fw_cfg *)dev;

    if (size != 4) {
        return;
    }
    val = GUINT32_SWAP_LE_BE(val);
    if (off == 0) {
        f->s.dma_address = (uint64_t)val << 32;
    } else if (off == 4) {
        f->s.dma_address |= val;
        fw_cfg_dma(f);
    }
}

/* The device ----------------------------------------------------------------------------------- */

static bool fw_cfg_attach(struct device *dev, GError **err)
{
    struct fw_cfg *f = (struct fw_cfg *)dev;

    (void)err;
    f->items = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_bytes_unref);
    f->files = g_array_new(false, true, sizeof(struct fw_cfg_file));
    fw_cfg_set_copy(dev, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_set_u32(dev, FW_CFG_ID, ID_TRADITIONAL | ID_DMA);
    fw_cfg_update_directory(f);
    return true;
}

static void fw_cfg_detach(struct device *dev)
{
    struct fw_cfg *f = (struct fw_cfg *)dev;

    for (unsigned i = 0; i < f->files->len; i++) {
        g_free(g_array_index(f->files, struct fw_cfg_file, i).name);
    }
    g_clear_pointer(&f->items, g_hash_table_unref);
    g_array_free(g_steal_pointer(&f->files), true);
}

static void fw_cfg_info(struct device *dev, GString *out)
{
    struct fw_cfg *f = (struct fw_cfg *)dev;

    for (unsigned i = 0; i < f->files->len; i++) {
        const struct fw_cfg_file *file = &g_array_index(f->files, struct fw_cfg_file, i);

        g_string_append_printf(out, "%04x %8zu %s\n", file->key,
                               g_bytes_get_size(fw_cfg_find_item(dev, file->key)), file->name);
    }
}

static const struct port_range fw_cfg_ports[] = {
    {0x510, 2, SIZE_1 | SIZE_2, fw_cfg_port_read, fw_cfg_port_write},
    {0x514, 8, SIZE_1 | SIZE_2 | SIZE_4, fw_cfg_dma_read, fw_cfg_dma_write},
    {.count = 0},
};

const struct device_ops fw_cfg_ops = {
    .name = "fw_cfg",
    .title = "Firmware configuration port",
    DEVICE_STATE(struct fw_cfg),
    .state = fw_cfg_state,
    .ports = fw_cfg_ports,
    .attach = fw_cfg_attach,
    .detach = fw_cfg_detach,
    .info = fw_cfg_info,
};
