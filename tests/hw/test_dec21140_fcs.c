/*
 * The 21140's frame check sequence against one computed bit by bit, with and without the host's
 * carry-less multiplication.
 *
 * Not here: where the sequence stands in memory (test_dec21140_rx.c).
 */
#include "hw/net/dec21140_fcs.h"
#include "tests/hw/dec21140_crc.h"
#include <criterion/criterion.h>

enum { LENGTH_MAX = 600 };

/* Every length and place in memory; the bytes behind are noise that must not count. */
static void check_all(const struct dec_fcs *f)
{
    uint8_t noise[LENGTH_MAX + 64];
    GRand *rand = g_rand_new_with_seed(21140);

    for (unsigned i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)g_rand_int(rand);
    }
    for (unsigned len = 0; len <= LENGTH_MAX; len++) {
        const uint8_t *at = noise + g_rand_int_range(rand, 0, 16);

        cr_assert_eq(dec_fcs_of(f, at, len), (uint32_t)~wire_crc32(at, len), "%u bytes", len);
    }
    g_rand_free(rand);
}

Test(dec21140_fcs, tables)
{
    struct dec_fcs f;

    dec_fcs_init(&f);
    f.multiplies = false;
    check_all(&f);
}

Test(dec21140_fcs, folded_where_the_host_can)
{
    struct dec_fcs f;

    dec_fcs_init(&f);
    cr_assert_eq(f.multiplies, __builtin_cpu_supports("pclmul") != 0);
    check_all(&f);
}

/* "123456789", as every description of this CRC says. */
Test(dec21140_fcs, known_value)
{
    struct dec_fcs f;

    dec_fcs_init(&f);
    cr_assert_eq(dec_fcs_of(&f, (const uint8_t *)"123456789", 9), 0xcbf43926);
}
