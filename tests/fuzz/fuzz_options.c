/*
 * Fuzzer: the options of `candela run`.  Any words give options or one error of one line.
 *
 * Input: words, with a line feed between them.
 *
 * Not modelled: what the options do.
 */
#include "ui/options.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = g_strndup((const char *)data, size);
    char **words = g_strsplit(text, "\n", 64);
    struct options o;
    GError *err = NULL;

    options_init(&o);
    bool good = options_parse(&o, (int)g_strv_length(words), words, &err);
    if (good != !err || (err && err->code != CANDELA_ERROR_CONFIG)) {
        abort();
    }
    if (good && !o.answer->len && (o.vm.memory < VM_MIN_MEMORY || o.vm.memory > VM_MAX_MEMORY)) {
        abort();
    }
    g_clear_error(&err);
    options_clear(&o);
    g_strfreev(words);
    g_free(text);
    return 0;
}
