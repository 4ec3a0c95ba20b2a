/*
 * See cst.h.
 *
 * Not modelled: see cst.h.
 */
#include "tests/cpu/cst.h"
#include <gio/gio.h>

static bool unpack(const char *packed, size_t len, GByteArray *out, GError **err)
{
    GZlibDecompressor *z = g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP);
    GInputStream *in = g_memory_input_stream_new_from_data(packed, (gssize)len, NULL);
    GInputStream *plain = g_converter_input_stream_new(in, G_CONVERTER(z));
    uint8_t buf[65536];
    gssize got;

    while ((got = g_input_stream_read(plain, buf, sizeof buf, NULL, err)) > 0) {
        g_byte_array_append(out, buf, (guint)got);
    }
    g_object_unref(plain);
    g_object_unref(in);
    g_object_unref(z);
    return got == 0;
}

static unsigned take(struct cst_file *f, unsigned bytes)
{
    unsigned v = 0;

    if (f->len - f->at < bytes) {
        f->bad = true;
        f->at = f->len;
        return 0;
    }
    for (unsigned n = 0; n < bytes; n++) {
        v |= (unsigned)f->bytes[f->at++] << 8 * n;
    }
    return v;
}

static const uint8_t *take_bytes(struct cst_file *f, unsigned len)
{
    const uint8_t *p = f->bytes + f->at;

    f->bad = f->bad || f->len - f->at < len;
    f->at = f->bad ? f->len : f->at + len;
    return f->bad ? f->bytes : p;
}

struct cst_file *cst_open(const char *path, GError **err)
{
    struct cst_file *f = NULL;
    GByteArray *plain = g_byte_array_new();
    char *packed;
    size_t len;

    if (g_file_get_contents(path, &packed, &len, err)) {
        if (unpack(packed, len, plain, err)) {
            f = g_new0(struct cst_file, 1);
            f->len = plain->len;
            f->bytes = g_byte_array_free(g_steal_pointer(&plain), FALSE);
            f->bad = take(f, 4) != 0x31545343;
            f->forms = take(f, 2);
            f->now.memory[0] = g_array_new(FALSE, FALSE, sizeof(struct cst_byte));
            f->now.memory[1] = g_array_new(FALSE, FALSE, sizeof(struct cst_byte));
        }
        g_free(packed);
    }
    if (plain) {
        g_byte_array_unref(plain);
    }
    return f;
}

void cst_close(struct cst_file *f)
{
    if (f) {
        g_array_unref(f->now.memory[0]);
        g_array_unref(f->now.memory[1]);
        g_free(f->bytes);
        g_free(f);
    }
}

static void take_form(struct cst_file *f)
{
    unsigned len = take(f, 1);
    const uint8_t *name = take_bytes(f, len);

    f->bad = f->bad || len >= sizeof f->now.form;
    if (!f->bad) {
        memcpy(f->now.form, name, len);
        f->now.form[len] = 0;
    }
    f->cases_left = take(f, 2);
    f->forms_read++;
}

static void take_memory(struct cst_file *f, GArray *list)
{
    unsigned count = take(f, 2);

    g_array_set_size(list, 0);
    while (count-- && !f->bad) {
        struct cst_byte b = {.pa = take(f, 4)};

        b.val = (uint8_t)take(f, 1);
        g_array_append_val(list, b);
    }
}

const struct cst_case *cst_next(struct cst_file *f)
{
    struct cst_case *k = &f->now;

    while (!f->cases_left) {
        if (f->bad || f->forms_read == f->forms) {
            return NULL;
        }
        take_form(f);
    }
    f->cases_left--;
    k->exception = (uint8_t)take(f, 1);
    k->flags_at = take(f, 4);
    k->len = (uint8_t)take(f, 1);
    k->code = take_bytes(f, k->len);
    for (unsigned n = 0; n < CST_REGS; n++) {
        k->before[n] = (uint16_t)take(f, 2);
    }
    unsigned changed = take(f, 2);
    for (unsigned n = 0; n < CST_REGS; n++) {
        k->after[n] = changed >> n & 1 ? (uint16_t)take(f, 2) : k->before[n];
    }
    take_memory(f, k->memory[0]);
    take_memory(f, k->memory[1]);
    return f->bad ? NULL : k;
}
