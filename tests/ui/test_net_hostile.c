/*
 * Frames and messages of any kind: a few seconds' worth of what the fuzzer does (make
 * fuzz-fuzz_wire), and what it or reading found, by hand.
 *
 * CANDELA_WIRE_HOSTILE=FIRST:COUNT in the environment runs other inputs, or more.
 *
 * Not modelled: see wire_fuzz.h.
 */
#include "tests/rig.h"
#include "tests/ui/wire_fuzz.h"
#include "ui/net_guard.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <stdlib.h>

enum { INPUTS = RIG_SANITIZED ? 1500 : 5000, BYTES = 500 };

static void random_input(struct wire_fuzz *w, uint32_t seed)
{
    GRand *rand = g_rand_new_with_seed(seed);
    uint8_t input[BYTES];

    for (unsigned i = 0; i < sizeof input; i++) {
        int kind = g_rand_int_range(rand, 0, 4);

        input[i] = (uint8_t)g_rand_int_range(rand, 0, kind ? 256 : 32);
    }
    wire_fuzz_run(w, input, (size_t)g_rand_int_range(rand, 1, BYTES));
    g_rand_free(rand);
}

Test(net_hostile, random_inputs, .timeout = 240)
{
    const char *text = getenv("CANDELA_WIRE_HOSTILE");
    g_autofree char *folder = g_dir_make_tmp("wire-XXXXXX", NULL), *inner = NULL;
    unsigned long first = 1, count = INPUTS;
    GError *err = NULL;
    struct wire_fuzz *w = wire_fuzz_new(folder, &err);

    cr_assert(w, "no switch: %s", err ? err->message : "?");
    if (text) {
        char *rest;

        first = strtoul(text, &rest, 0);
        count = *rest == ':' ? strtoul(rest + 1, NULL, 0) : 1;
    }
    for (unsigned long seed = first; seed < first + count; seed++) {
        random_input(w, (uint32_t)seed);
    }
    wire_fuzz_free(w);
    inner = g_build_filename(folder, "candela", NULL);
    g_rmdir(inner);
    cr_assert_eq(g_rmdir(folder), 0, "something is left behind in %s", folder);
}
