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

/* A fragment of a datagram of UDP, with `size` bytes at `from`. */
static const uint8_t *fragment(struct net_frags *s, unsigned from, unsigned size, bool more,
                               size_t *len, bool *bad)
{
    uint8_t frame[NET_HEADER + 20 + 64] = {0}, *ip = frame + NET_HEADER;

    st_be16(frame + 12, 0x0800);
    ip[0] = 0x45;
    st_be16(ip + 2, (uint16_t)(20 + size));
    st_be16(ip + 6, (uint16_t)((more ? 0x2000 : 0) | from / 8));
    ip[9] = GUARD_UDP;
    st_be16(ip + 10, net_guard_sum_end(net_guard_sum(ip, 20, 0)));
    return net_frags_add(s, frame, len, bad);
}

/* As many bytes as the datagram has, but some of them lie behind its end: the others would be
 * whatever was in memory. */
Test(net_hostile, fragments_behind_the_last_one)
{
    struct net_frags *s = net_frags_new();
    size_t len;
    bool bad;

    cr_assert_null(fragment(s, 64, 8, true, &len, &bad));
    cr_assert(!bad);
    cr_assert_null(fragment(s, 8, 8, false, &len, &bad));
    cr_assert(bad);
    cr_assert_null(fragment(s, 0, 8, true, &len, &bad), "it was given up");
    cr_assert_not_null(fragment(s, 8, 8, false, &len, &bad));
    cr_assert_eq(len, NET_HEADER + 20 + 16);
    net_frags_free(s);
}
