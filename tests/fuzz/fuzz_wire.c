/*
 * Fuzzer: what comes from the wire, from guests and from other processes (tests/ui/wire_fuzz.h).
 *
 * Not modelled: see there.
 */
#include "tests/ui/wire_fuzz.h"
#include <glib/gstdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wire_fuzz *wire;
static char folder[] = "/tmp/fuzz-wire-XXXXXX";

static void end(void)
{
    char *inner = g_build_filename(folder, "candela", NULL);

    wire_fuzz_free(wire);
    g_rmdir(inner);
    g_rmdir(folder);
    g_free(inner);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (!g_mkdtemp(folder)) {
        return 1;
    }
    wire = wire_fuzz_new(folder, NULL);
    return wire ? atexit(end) : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_fuzz_run(wire, data, size);
    return 0;
}
