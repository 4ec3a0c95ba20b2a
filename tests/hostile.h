/*
 * A guest that does anything at all: the whole board with memory full of instruction streams that
 * lean towards what may hurt (port and register accesses, DMA, descriptor tables, page tables,
 * model-specific registers), begun in every mode of the processor.
 *
 * Everything follows from a number, the seed, and the mode, whatever ran before; but how long an
 * endless loop turns before it is stopped depends on the host.  Used by tests/test_hostile.c and
 * tests/fuzz/fuzz_guest.c, so there is no Criterion here.
 *
 * Not modelled: several processors.
 */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include "hw/core/machine.h"

enum hostile_mode {
    HOSTILE_REAL,
    HOSTILE_UNREAL, /* real mode with 4 GiB segments */
    HOSTILE_V86,
    HOSTILE_PROT16,
    HOSTILE_PROT32,
    HOSTILE_PAGED32, /* two-level paging */
    HOSTILE_PAE32,
    HOSTILE_COMPAT,
    HOSTILE_LONG,
    HOSTILE_MODES
};

enum hostile_kind {
    HOSTILE_COUNTED, /* HOSTILE_BUDGET instructions a program; every branch comes back to be counted
                      */
    HOSTILE_FREE,    /* as fast as it goes, until a watchdog says stop */
    HOSTILE_LIVE,    /* with time and all threads, as `candela run` has them */
};
#define HOSTILE_BUDGET 20000

struct hostile;

/* A machine with everything on it; all but the live kind have stepped time and no threads.  NULL
 * and the error when it cannot be built. */
struct hostile *hostile_new(enum hostile_kind kind, GError **err);
void hostile_free(struct hostile *h);
struct machine *hostile_machine(struct hostile *h);

/*
 * One program in one mode, for at most `limit_ms` of the host's time.  `code`, if not NULL, is what
 * the processor begins with (fuzz_guest); the rest is random all the same.  False when the
 * processor did not stop within `grace_ms` after it was told to.  Not for the live kind.
 */
bool hostile_run(struct hostile *h, uint64_t seed, enum hostile_mode mode, unsigned limit_ms,
                 unsigned grace_ms, const void *code, size_t len);

/* The live kind, once per machine: run for `limit_ms`, then stop; likewise. */
bool hostile_run_live(struct hostile *h, uint64_t seed, unsigned limit_ms, unsigned grace_ms);

#endif
