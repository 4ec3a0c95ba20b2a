/*
 * Hostile guests: whatever a guest does, the process neither crashes nor hangs, and stops when told
 * to.  Crashes speak for themselves; `make check-asan` sees more of them.
 *
 * CANDELA_HOSTILE=FIRST:COUNT in the environment runs other programs, or more, and names each
 * before it begins: the last one named is the one to look at.
 *
 * Not modelled: several processors.
 */
#include "tests/hostile.h"
#include "tests/rig.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    COUNTED = RIG_SANITIZED ? 25 : 80, /* programs in each mode */
    FREE = RIG_SANITIZED ? 8 : 20,
    LIVE = 6,
    COUNTED_MS = 50, /* long string instructions */
    FREE_MS = 10,
    LIVE_MS = 150,
    GRACE_MS = 20000,
};

struct runs {
    unsigned long first, count;
    bool tell;
};

static struct runs runs_of(unsigned count)
{
    const char *text = getenv("CANDELA_HOSTILE");
    struct runs r = {1, count, false};

    if (text) {
        char *end;

        r.first = strtoul(text, &end, 0);
        r.count = *end == ':' ? strtoul(end + 1, NULL, 0) : 1;
        r.tell = true;
    }
    return r;
}

static struct hostile *new_machine(enum hostile_kind kind)
{
    GError *err = NULL;
    struct hostile *h = hostile_new(kind, &err);

    cr_assert(h, "no machine: %s", err ? err->message : "?");
    return h;
}

static void run_programs(enum hostile_kind kind, unsigned limit_ms, struct runs runs)
{
    struct hostile *h = new_machine(kind);

    for (unsigned long seed = runs.first; seed < runs.first + runs.count; seed++) {
        for (unsigned mode = 0; mode < HOSTILE_MODES; mode++) {
            if (runs.tell) {
                fprintf(stderr, "hostile: seed %lu, mode %u\n", seed, mode);
            }
            cr_assert(hostile_run(h, seed, (enum hostile_mode)mode, limit_ms, GRACE_MS, NULL, 0),
                      "seed %lu, mode %u: the processor did not stop", seed, mode);
        }
    }
    hostile_free(h);
}

Test(hostile, counted_programs_in_every_mode, .timeout = 240)
{
    run_programs(HOSTILE_COUNTED, COUNTED_MS, runs_of(COUNTED));
}

Test(hostile, endless_programs_stop_when_told, .timeout = 240)
{
    run_programs(HOSTILE_FREE, FREE_MS, runs_of(FREE));
}

Test(hostile, with_threads_and_real_time, .timeout = 240)
{
    struct runs runs = runs_of(LIVE);

    for (unsigned long seed = runs.first; seed < runs.first + runs.count; seed++) {
        struct hostile *h = new_machine(HOSTILE_LIVE);

        if (runs.tell) {
            fprintf(stderr, "hostile: live, seed %lu\n", seed);
        }
        cr_assert(hostile_run_live(h, seed, LIVE_MS, GRACE_MS), "seed %lu: did not stop", seed);
        hostile_free(h);
    }
}
