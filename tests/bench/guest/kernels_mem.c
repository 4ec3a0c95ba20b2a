/*
 * guestbench's kernels of memory: chains of pointers, copies and fills, a locked instruction.
 *
 * Not modelled: caches are those of the host; a guest's pages may lie elsewhere in them.
 */
#include "tests/bench/guest/guestbench.h"
#include <emmintrin.h>

/* ---- chase8M, chaseL1: each load's address comes from the one before */

enum { LINE = 64, BIG = 8 << 20, SMALL = 16 << 10, BIG_STEPS = BIG / LINE, SMALL_STEPS = 1 << 14 };

/* One ring through all lines, in an order that no prefetcher guesses. */
static void make_ring(uint8_t *mem, uint32_t lines)
{
    uint64_t state = 3;

    /* Sattolo's shuffle: a permutation that is a single cycle. */
    for (uint32_t i = 0; i < lines; i++)
        *(uint32_t *)(mem + i * LINE + 8) = i;
    for (uint32_t i = lines - 1; i > 0; i--) {
        uint32_t j = next_random(&state) % i;
        uint32_t *a = (uint32_t *)(mem + i * LINE + 8), *b = (uint32_t *)(mem + j * LINE + 8);
        uint32_t t = *a;

        *a = *b;
        *b = t;
    }
    for (uint32_t i = 0; i < lines; i++)
        *(void **)(mem + i * LINE) = mem + *(uint32_t *)(mem + i * LINE + 8) * LINE;
}

static void setup_big(struct bench *b)
{
    make_ring(b->mem, BIG / LINE);
}

static void setup_small(struct bench *b)
{
    make_ring(b->mem, SMALL / LINE);
}

static uint64_t chase(struct bench *b, uint32_t steps)
{
    void **p = (void **)b->mem;

    do {
        p = *p;
        OPAQUE(p);
    } while (--steps);
    return (uint64_t)((uint8_t *)p - b->mem);
}

/* A step short of the whole ring, which would end where it began. */
static uint64_t run_big(struct bench *b)
{
    return chase(b, BIG_STEPS - 1);
}

static uint64_t run_small(struct bench *b)
{
    return chase(b, SMALL_STEPS - 1);
}

/* ---- copies and fills of 1 MiB: from the first to the second MiB */

enum { MIB = 1 << 20 };

static void setup_copy(struct bench *b)
{
    uint64_t state = 5;

    for (unsigned i = 0; i < MIB; i += 4)
        *(uint32_t *)(b->mem + i) = next_random(&state);
}

static uint64_t sum_copy(struct bench *b)
{
    return sum_memory(b->mem + MIB, MIB);
}

static uint64_t run_sse_copy(struct bench *b)
{
    const __m128i *from = (const __m128i *)b->mem, *end = from + MIB / 16;
    __m128i *to = (__m128i *)(b->mem + MIB);

    for (; from < end; from += 4, to += 4) {
        __m128i v0 = _mm_loadu_si128(from), v1 = _mm_loadu_si128(from + 1);
        __m128i v2 = _mm_loadu_si128(from + 2), v3 = _mm_loadu_si128(from + 3);

        _mm_storeu_si128(to, v0);
        _mm_storeu_si128(to + 1, v1);
        _mm_storeu_si128(to + 2, v2);
        _mm_storeu_si128(to + 3, v3);
        BARRIER();
    }
    return 0;
}

static uint64_t run_rep_stosb(struct bench *b)
{
    void *to = b->mem + MIB;
    size_t count = MIB;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0x5a) : "memory");
    return 0;
}

static uint64_t run_rep_movsb(struct bench *b)
{
    void *to = b->mem + MIB, *from = b->mem;
    size_t count = MIB;

    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return 0;
}

static uint64_t run_word_copy(struct bench *b)
{
    const unsigned long *from = (const unsigned long *)b->mem;
    unsigned long *to = (unsigned long *)(b->mem + MIB);

    for (size_t i = 0; i < MIB / sizeof(long); i++) {
        to[i] = from[i];
        BARRIER(); /* the compiler knows memcpy */
    }
    return 0;
}

/* ---- lockxadd */

enum { ADDS = 10000 };

static uint64_t run_lock_xadd(struct bench *b)
{
    uint32_t *counter = (uint32_t *)b->mem, sum = 0;

    *counter = 0;
    for (uint32_t n = ADDS; n; n--) {
        uint32_t v = n;

        __asm__ volatile("lock xaddl %0, %1" : "+r"(v), "+m"(*counter) : : "memory", "cc");
        sum += v;
    }
    return (uint64_t)sum << 32 | *counter;
}

const struct kernel kernels_mem[] = {
    {"chase8M", "a load of a chain through 8 MiB", BIG_STEPS - 1, BIG, NULL, setup_big, run_big,
     NULL, NULL},
    {"chaseL1", "a load of a chain through 16 KiB", SMALL_STEPS - 1, SMALL, NULL, setup_small,
     run_small, NULL, NULL},
    {"memcpy1M", "1 MiB copied by a loop of 16-byte moves", 1, 2 * MIB, NULL, setup_copy,
     run_sse_copy, sum_copy, NULL},
    {"memset1M", "1 MiB filled by REP STOSB", 1, 2 * MIB, NULL, NULL, run_rep_stosb, sum_copy,
     NULL},
    {"repmovsb", "1 MiB copied by REP MOVSB", 1, 2 * MIB, NULL, setup_copy, run_rep_movsb, sum_copy,
     NULL},
    {"wcopy1M", "1 MiB copied by a loop of words", 1, 2 * MIB, NULL, setup_copy, run_word_copy,
     sum_copy, NULL},
    {"lockxadd", "LOCK XADD on one word", ADDS, 64, NULL, NULL, run_lock_xadd, NULL, NULL},
    {0},
};
