/*
 * A small writer of ACPI Machine Language.
 *
 * Follows the ACPI specification 6.3, chapter 20 (AML grammar) and 6.4 (resource descriptors).
 *
 * Not modelled: reading AML; operators and descriptors that the tables here do not need.
 */
#include "hw/aml.h"

enum {
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_STRING = 0x0d,
    OP_QWORD = 0x0e,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_METHOD = 0x14,
    OP_EXT = 0x5b,
    EXT_OP_REGION = 0x80,
    EXT_FIELD = 0x81,
    EXT_DEVICE = 0x82,
    EXT_PROCESSOR = 0x83,
    OP_CREATE_DWORD_FIELD = 0x8a,
    OP_IF = 0xa0,
    OP_ELSE = 0xa1,
    PREFIX_DUAL = 0x2e,
    PREFIX_MULTI = 0x2f,
    SPACE_PCI_CONFIG = 2,
};

static void aml_byte(GByteArray *a, unsigned val)
{
    uint8_t byte = (uint8_t)val;

    g_byte_array_append(a, &byte, 1);
}

static void aml_le(GByteArray *a, uint64_t val, unsigned len)
{
    uint8_t le[8];

    st_le64(le, val);
    g_byte_array_append(a, le, len);
}

void aml_op(GByteArray *a, enum aml_op op)
{
    aml_byte(a, op);
}

static void aml_segment(GByteArray *a, const char *text, size_t len)
{
    uint8_t seg[4] = {'_', '_', '_', '_'};

    g_assert(len >= 1 && len <= 4);
    memcpy(seg, text, len);
    g_byte_array_append(a, seg, 4);
}

void aml_path(GByteArray *a, const char *path)
{
    unsigned segments = 1;

    while (*path == '\\' || *path == '^') {
        aml_byte(a, (uint8_t)*path++);
    }
    if (!*path) {
        aml_byte(a, 0);
        return;
    }
    for (const char *p = path; *p; p++) {
        segments += *p == '.';
    }
    if (segments == 2) {
        aml_byte(a, PREFIX_DUAL);
    } else if (segments > 2) {
        aml_byte(a, PREFIX_MULTI);
        aml_byte(a, segments);
    }
    for (;;) {
        const char *dot = strchr(path, '.');

        aml_segment(a, path, dot ? (size_t)(dot - path) : strlen(path));
        if (!dot) {
            return;
        }
        path = dot + 1;
    }
}

void aml_int(GByteArray *a, uint64_t val)
{
    if (val <= 1) {
        aml_byte(a, (unsigned)val);
    } else if (val <= 0xff) {
        aml_byte(a, OP_BYTE);
        aml_le(a, val, 1);
    } else if (val <= 0xffff) {
        aml_byte(a, OP_WORD);
        aml_le(a, val, 2);
    } else if (val <= 0xffffffff) {
        aml_byte(a, OP_DWORD);
        aml_le(a, val, 4);
    } else {
        aml_byte(a, OP_QWORD);
        aml_le(a, val, 8);
    }
}

void aml_string(GByteArray *a, const char *text)
{
    aml_byte(a, OP_STRING);
    g_byte_array_append(a, (const uint8_t *)text, (guint)strlen(text) + 1);
}

/* Three letters of five bits, four hexadecimal digits; the bytes are in big-endian order. */
void aml_eisaid(GByteArray *a, const char *id)
{
    uint32_t val;

    g_assert(strlen(id) == 7);
    val = (uint32_t)(id[0] - 0x40) << 26 | (uint32_t)(id[1] - 0x40) << 21 |
          (uint32_t)(id[2] - 0x40) << 16;
    val |= (uint32_t)g_ascii_strtoull(id + 3, NULL, 16);
    aml_byte(a, OP_DWORD);
    aml_le(a, GUINT32_SWAP_LE_BE(val), 4);
}

/* Blocks: the length in front covers itself, so it is put in when the block is complete. */

static unsigned aml_begin(GByteArray *a, unsigned op)
{
    aml_byte(a, op);
    return a->len;
}

void aml_end(GByteArray *a, unsigned block)
{
    uint32_t len = a->len - block;
    uint8_t prefix[4];
    unsigned n = len + 1 < 0x40 ? 1 : len + 2 < 0x1000 ? 2 : 3;

    len += n;
    if (n == 1) {
        prefix[0] = (uint8_t)len;
    } else {
        prefix[0] = (uint8_t)((n - 1) << 6 | (len & 15));
        prefix[1] = (uint8_t)(len >> 4);
        prefix[2] = (uint8_t)(len >> 12);
    }
    g_byte_array_set_size(a, a->len + n);
    memmove(a->data + block + n, a->data + block, a->len - n - block);
    memcpy(a->data + block, prefix, n);
}

unsigned aml_scope(GByteArray *a, const char *path)
{
    unsigned block = aml_begin(a, OP_SCOPE);

    aml_path(a, path);
    return block;
}

unsigned aml_device(GByteArray *a, const char *name)
{
    unsigned block;

    aml_byte(a, OP_EXT);
    block = aml_begin(a, EXT_DEVICE);
    aml_path(a, name);
    return block;
}

unsigned aml_method(GByteArray *a, const char *name, unsigned args, bool serialized)
{
    unsigned block = aml_begin(a, OP_METHOD);

    aml_path(a, name);
    aml_byte(a, args | (serialized ? 8 : 0));
    return block;
}

unsigned aml_if(GByteArray *a)
{
    return aml_begin(a, OP_IF);
}

unsigned aml_else(GByteArray *a)
{
    return aml_begin(a, OP_ELSE);
}

unsigned aml_package(GByteArray *a, uint8_t elements)
{
    unsigned block = aml_begin(a, OP_PACKAGE);

    aml_byte(a, elements);
    return block;
}

void aml_processor(GByteArray *a, const char *name, uint8_t id)
{
    unsigned block;

    aml_byte(a, OP_EXT);
    block = aml_begin(a, EXT_PROCESSOR);
    aml_path(a, name);
    aml_byte(a, id);
    aml_le(a, 0, 5); /* no P_BLK */
    aml_end(a, block);
}

void aml_name(GByteArray *a, const char *name)
{
    aml_byte(a, OP_NAME);
    aml_path(a, name);
}

void aml_name_int(GByteArray *a, const char *name, uint64_t val)
{
    aml_name(a, name);
    aml_int(a, val);
}

void aml_name_eisaid(GByteArray *a, const char *name, const char *id)
{
    aml_name(a, name);
    aml_eisaid(a, id);
}

void aml_pci_config_fields(GByteArray *a, const char *region, uint8_t offset, const char *first,
                           unsigned count)
{
    unsigned block;

    aml_byte(a, OP_EXT);
    aml_byte(a, EXT_OP_REGION);
    aml_path(a, region);
    aml_byte(a, SPACE_PCI_CONFIG);
    aml_int(a, offset);
    aml_int(a, count);

    aml_byte(a, OP_EXT);
    block = aml_begin(a, EXT_FIELD);
    aml_path(a, region);
    aml_byte(a, 1); /* byte access, no lock, preserve */
    for (unsigned i = 0; i < count; i++) {
        char name[5];

        g_snprintf(name, sizeof name, "%.3s%u", first, i % 10);
        aml_segment(a, name, strlen(name));
        aml_byte(a, 8);
    }
    aml_end(a, block);
}

void aml_create_dword_field(GByteArray *a, const char *source, uint8_t offset, const char *name)
{
    aml_byte(a, OP_CREATE_DWORD_FIELD);
    if (source) {
        aml_path(a, source);
    } else {
        aml_byte(a, AML_ARG0);
    }
    aml_int(a, offset);
    aml_path(a, name);
}

/* Resources: a buffer whose size is put in, with the block's length, at the end. */

unsigned aml_resources(GByteArray *a)
{
    return aml_begin(a, OP_BUFFER);
}

void aml_resources_end(GByteArray *a, unsigned block)
{
    uint8_t size[3] = {OP_WORD};

    aml_byte(a, 0x79); /* end tag; checksum 0: not used */
    aml_byte(a, 0);
    st_le16(size + 1, (uint16_t)(a->len - block));
    g_byte_array_set_size(a, a->len + sizeof size);
    memmove(a->data + block + sizeof size, a->data + block, a->len - sizeof size - block);
    memcpy(a->data + block, size, sizeof size);
    aml_end(a, block);
}

void aml_res_io(GByteArray *a, uint16_t base, uint8_t len)
{
    aml_byte(a, 0x47);
    aml_byte(a, 1); /* 16-bit decode */
    aml_le(a, base, 2);
    aml_le(a, base, 2);
    aml_byte(a, 1);
    aml_byte(a, len);
}

void aml_res_irq(GByteArray *a, unsigned irq)
{
    aml_byte(a, 0x22); /* edge, active high, not shared */
    aml_le(a, BIT(irq), 2);
}

void aml_res_dma(GByteArray *a, unsigned channel)
{
    aml_byte(a, 0x2a);
    aml_byte(a, BIT(channel));
    aml_byte(a, 0); /* compatibility timing, 8 bits */
}

void aml_res_interrupts(GByteArray *a, const uint32_t *irqs, uint8_t count)
{
    aml_byte(a, 0x89);
    aml_le(a, 2 + 4u * count, 2);
    aml_byte(a, 0x09); /* consumer, level, active high, shared */
    aml_byte(a, count);
    for (unsigned i = 0; i < count; i++) {
        aml_le(a, irqs[i], 4);
    }
}

void aml_res_memory(GByteArray *a, uint32_t base, uint32_t len)
{
    aml_byte(a, 0x86);
    aml_le(a, 9, 2);
    aml_byte(a, 0); /* read-only */
    aml_le(a, base, 4);
    aml_le(a, len, 4);
}

/* Address space descriptors: producer, fixed minimum and maximum, positive decode. */
static void aml_res_window(GByteArray *a, unsigned tag, unsigned type, unsigned flags,
                           uint64_t first, uint64_t last, unsigned width)
{
    aml_byte(a, tag);
    aml_le(a, 3 + 5 * width, 2);
    aml_byte(a, type);
    aml_byte(a, 0x0c);
    aml_byte(a, flags);
    aml_le(a, 0, width);
    aml_le(a, first, width);
    aml_le(a, last, width);
    aml_le(a, 0, width);
    aml_le(a, last - first + 1, width);
}

void aml_res_word_bus(GByteArray *a, uint16_t first, uint16_t last)
{
    aml_res_window(a, 0x88, 2, 0, first, last, 2);
}

void aml_res_word_io(GByteArray *a, uint16_t first, uint16_t last)
{
    aml_res_window(a, 0x88, 1, 3, first, last, 2);
}

void aml_res_dword_memory(GByteArray *a, uint32_t first, uint32_t last, bool cacheable)
{
    aml_res_window(a, 0x87, 0, 1 | (cacheable ? 2 : 0), first, last, 4);
}
