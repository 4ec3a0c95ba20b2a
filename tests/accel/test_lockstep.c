/*
 * Random programs in every mode, the engines in lock-step (lockstep.h).
 *
 * CANDELA_LOCKSTEP=FIRST:COUNT in the environment runs other programs, or more, and prints every
 * difference; FIRST:COUNT:SECONDS stops when the time is up.
 *
 * Not modelled: devices, interrupts, several processors.
 */
#include "accel/interp_int.h"
#include "accel/jit/jit.h"
#include "tests/accel/lockstep.h"
#include "tests/rig.h"
#include "ui/disas.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROGRAMS = RIG_SANITIZED ? 150 : 600, STEPS = 30, TOLD = 20 };

struct runs {
    uint64_t first, count;
    int64_t until; /* monotonic, us */
    bool tell;
};

static struct runs runs_of(void)
{
    const char *text = getenv("CANDELA_LOCKSTEP");
    struct runs r = {1, PROGRAMS, INT64_MAX, text};
    char *end;

    if (text) {
        r.first = strtoull(text, &end, 0);
        r.count = *end == ':' ? strtoull(end + 1, &end, 0) : 1;
        if (*end == ':') {
            r.until = g_get_monotonic_time() + strtoll(end + 1, NULL, 0) * G_USEC_PER_SEC;
        }
    }
    return r;
}

static struct lockstep *begin(const struct check_second *second)
{
    GError *err = NULL;
    struct lockstep *l = lockstep_new(second, disas_insn, &err);

    cr_assert(l, "no machine: %s", err ? err->message : "?");
    return l;
}

static void tell_counts(struct lockstep *l)
{
    struct lockstep_counts n;

    lockstep_get_counts(l, &n);
    fprintf(stderr,
            "%" PRIu64 " programs, %" PRIu64 " steps, %" PRIu64 " instructions compared in %" PRIu64
            " stretches, %" PRIu64 " not, %" PRIu64 " one by one; %" PRIu64
            " differed by their own tables\n",
            n.programs, n.steps, n.check.checked, n.check.windows, n.check.unchecked,
            n.check.singles, n.remaps);
}

/* Run them all; the number of differences. */
static unsigned run_programs(struct lockstep *l)
{
    struct runs r = runs_of();
    unsigned bad = 0;

    for (uint64_t seed = r.first; seed < r.first + r.count && bad < TOLD; seed++) {
        char *report = lockstep_run(l, seed, STEPS);

        if (report) {
            bad++;
            fprintf(stderr, "%s\n", report);
            g_free(report);
        }
        if (g_get_monotonic_time() > r.until) {
            break;
        }
    }
    if (r.tell) {
        tell_counts(l);
    }
    return bad;
}

static unsigned run_all(const struct check_second *second)
{
    struct lockstep *l = begin(second);
    unsigned bad = run_programs(l);

    lockstep_free(l);
    return bad;
}

static void run_interp(struct cpu *c, struct interp *e, uint64_t until)
{
    (void)until;
    interp_run_blocks(c, e);
}

Test(lockstep, interpreter_against_itself)
{
    static const struct check_second sound = {.name = "interp", .run = run_interp};

    cr_assert_eq(run_all(&sound), 0);
}

Test(lockstep, translator_against_interpreter)
{
    cr_assert_eq(run_all(&check_second_jit), 0);
}

/*
 * The translator as it is where nothing is compared: blocks end where others begin, stand behind
 * each other, and leave at loops, calls and returns only.  Blocks are entered some times before, so
 * that there are others.
 */
static bool init_as_it_runs(struct cpu *c, struct interp *e, GError **err)
{
    struct interp *other = e->other;

    e->unlinked = false;
    e->other = NULL;
    bool good = interp_start_jit(c, e, err);
    e->other = other;
    e->hot = 3;
    return good;
}

Test(lockstep, translator_as_it_runs_against_interpreter)
{
    struct check_second second = check_second_jit;
    struct jit_stats stats;

    second.init = init_as_it_runs;
    struct lockstep *l = begin(&second);
    cr_expect_eq(run_programs(l), 0);
    jit_get_stats(((struct interp *)lockstep_vcpu(l)->engine)->other->jit, &stats);
    cr_expect_gt(stats.behind, 100, "%" PRIu64, stats.behind);
    lockstep_free(l);
}

static void run_seeds(const struct check_second *second, const uint64_t *seeds, unsigned n)
{
    struct lockstep *l = begin(second);

    for (unsigned k = 0; k < n; k++) {
        char *report = lockstep_run(l, seeds[k], STEPS);

        cr_expect_null(report, "%s", report);
        g_free(report);
    }
    lockstep_free(l);
}

/* Compiled code leaves a block that a store has made stale, so its later blocks end elsewhere than
 * the interpreter's, and reach outside behind its place. */
Test(lockstep, programs_that_reach_outside_behind_the_other_engine)
{
    static const uint64_t seeds[] = {902860, 2065268, 2106547, 2106548};

    run_seeds(&check_second_jit, seeds, ARRAY_LEN(seeds));
}

/* A page is run, is gone without INVLPG, and faults: it must not be run any more. */
Test(lockstep, pages_that_fault_are_forgotten)
{
    static const uint64_t seeds[] = {31400300};

    run_seeds(&check_second_jit, seeds, ARRAY_LEN(seeds));
}

/* A page is run by one engine's jump cache while the other fetches there, and faults: a flush for
 * one alone. */
Test(lockstep, faults_that_flush_for_one_engine)
{
    static const uint64_t seeds[] = {101720263};
    struct check_second second = check_second_jit;

    second.init = init_as_it_runs;
    run_seeds(&second, seeds, ARRAY_LEN(seeds));
}

/* ---- the search for a block ---- */

/* Whether a PUSH of a register stands in the straight code from c->ip on, before `end`. */
static bool has_push(struct cpu *c, const uint8_t *bytes, unsigned len)
{
    for (unsigned at = 0; at + 15 < len;) {
        struct insn i = {.n = 1};
        struct decode d;
        bool end;

        if (cpu_decode(c, bytes + at, 15, &i, &end, &d) != DECODE_OK || end) {
            return false;
        }
        if (i.len == 1 && (bytes[at] & 0xf8) == 0x50) {
            return true;
        }
        at += i.len;
    }
    return false;
}

/* Sets a bit too many in blocks with a PUSH of a register among the first instructions. */
static void run_broken(struct cpu *c, struct interp *e, uint64_t until)
{
    uint8_t bytes[48];
    unsigned len = mmu_peek(c, c->ip + c->cs_base, bytes, sizeof bytes);
    bool push = has_push(c, bytes, len);

    (void)until;
    interp_run_blocks(c, e);
    if (push) {
        c->eflags ^= FLAG_ID;
    }
}

Test(lockstep, finds_and_shrinks)
{
    static const struct check_second broken = {.name = "broken", .run = run_broken};
    struct lockstep *l = begin(&broken);
    unsigned found = 0, shrunk = 0;

    for (uint64_t seed = 1; seed <= 400; seed++) {
        char *report = lockstep_run(l, seed, STEPS);
        const char *left = report ? strstr(report, "what is left of the code:\n") : NULL;

        found += report != NULL;
        shrunk += left && strstr(left, "  push ");
        g_free(report);
    }
    cr_assert_gt(found, 10);
    cr_assert_gt(shrunk, found / 2, "%u of %u", shrunk, found);
    lockstep_free(l);
}
