/*
 * A hostile guest and a hostile wire around the network card: random steps and situations, a few
 * seconds' worth of what the fuzzer does (make fuzz-fuzz_net).
 *
 * CANDELA_NIC_HOSTILE=FIRST:COUNT in the environment runs other inputs, or more, and names each
 * before it begins.
 *
 * Not modelled: see nic_fuzz.h.
 */
#include "tests/hw/nic_fuzz.h"
#include "tests/rig.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUTS = RIG_SANITIZED ? 1500 : 6000, BYTES = 600 };

/* A card with a carrier, and one with nothing at the other end. */
struct cards {
    struct nic_fuzz *card[2];
};

static struct cards begin(void)
{
    struct cards c;
    GError *err = NULL;

    for (unsigned i = 0; i < 2; i++) {
        c.card[i] = nic_fuzz_new(!i, &err);
        cr_assert(c.card[i], "no machine: %s", err ? err->message : "?");
    }
    return c;
}

static void run(struct cards *c, const uint8_t *input, size_t size)
{
    nic_fuzz_run(c->card[!!(input[0] & NIC_FUZZ_NO_END)], input, size);
}

static void end(struct cards *c)
{
    nic_fuzz_free(c->card[0]);
    nic_fuzz_free(c->card[1]);
}

/* Every situation, with every kind of step after it. */
Test(nic_hostile, every_scene_and_every_step, .timeout = 240)
{
    struct cards c = begin();
    GRand *rand = g_rand_new_with_seed(1);
    uint8_t input[160];

    for (unsigned n = 0; n < 24 * NIC_SCENES * NIC_STEPS; n++) {
        for (unsigned i = 0; i < sizeof input; i++) {
            input[i] = (uint8_t)g_rand_int_range(rand, 0, 256);
        }
        input[0] &= n % 8 ? NIC_FUZZ_NO_END : 0xff;
        input[1] = NIC_STEP_SCENE;
        input[2] = (uint8_t)(n % NIC_SCENES);
        input[6] = NIC_STEP_PULL;
        input[8] = (uint8_t)(n / NIC_SCENES % NIC_STEPS);
        run(&c, input, sizeof input);
    }
    g_rand_free(rand);
    end(&c);
}

static void random_input(struct cards *c, uint32_t seed)
{
    GRand *rand = g_rand_new_with_seed(seed);
    uint8_t input[BYTES];

    for (unsigned i = 0; i < sizeof input; i++) {
        input[i] = (uint8_t)g_rand_int_range(rand, 0, 256);
    }
    if (g_rand_int_range(rand, 0, 4)) {
        input[0] = 0;
    }
    run(c, input, (size_t)g_rand_int_range(rand, 1, BYTES));
    g_rand_free(rand);
}

Test(nic_hostile, random_inputs, .timeout = 240)
{
    const char *text = getenv("CANDELA_NIC_HOSTILE");
    struct cards c = begin();
    unsigned long first = 1, count = INPUTS;

    if (text) {
        char *rest;

        first = strtoul(text, &rest, 0);
        count = *rest == ':' ? strtoul(rest + 1, NULL, 0) : 1;
    }
    for (unsigned long seed = first; seed < first + count; seed++) {
        if (text) {
            fprintf(stderr, "nic_hostile: seed %lu\n", seed);
        }
        random_input(&c, (uint32_t)seed);
    }
    end(&c);
}
