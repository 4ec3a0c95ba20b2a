/*
 * guestbench: small pieces of work to time, natively and inside of emulators (see guestbench.c).
 *
 * A kernel is one piece.  It always does the same work and gives the same checksum, in every engine
 * and however often it is repeated: the checksum tells whether an engine computes what the others
 * do.  Not modelled: kernels that need more than one processor.
 */
#ifndef TESTS_BENCH_GUEST_GUESTBENCH_H
#define TESTS_BENCH_GUEST_GUESTBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a kernel works on: its memory, fresh and zero before setup, and what setup leaves there. */
struct bench {
    uint8_t *mem;         /* kernel.bytes, at a page */
    int to_peer, to_self; /* ctxswitch: ends of pipes */
    int peer;             /* ctxswitch: the other process */
};

struct kernel {
    const char *name, *what; /* what: one op, for --list */
    uint64_t ops;            /* how many ops one call of run does */
    size_t bytes;            /* memory wanted */
    const char *feature;     /* what CPUID must have ("avx2", "fma"); NULL: nothing */
    void (*setup)(struct bench *b);
    uint64_t (*run)(struct bench *b); /* a checksum, cheap: the same at every call */
    uint64_t (*sum)(struct bench *b); /* NULL, or one of the memory that run leaves, not timed */
    void (*done)(struct bench *b);
};

/* Each list ends with a row without a name. */
extern const struct kernel kernels_int[], kernels_mem[], kernels_fp[], kernels_os[];

/* Does the processor have it, and the operating system its registers? */
bool has_feature(const char *name);

/* guestbench --program NAME RUNS COMMAND...: the command's CPU time; the exit status. */
int program_main(int argc, char **argv);

/* One step of a checksum over words (FNV-1a's, 8 bytes at once). */
static inline uint64_t mix(uint64_t sum, uint64_t v)
{
    sum = (sum ^ v) * 0x100000001b3ull;
    return sum ^ sum >> 29;
}

/* The next of a row of numbers that look random; 32 bits of it. */
static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*state >> 32);
}

/* A checksum of memory; bytes is a multiple of 8. */
uint64_t sum_memory(const void *mem, size_t bytes);

/* The compiler must not know the value, or what memory holds. */
#define OPAQUE(v) __asm__ volatile("" : "+r"(v))
#define BARRIER() __asm__ volatile("" : : : "memory")

#endif
