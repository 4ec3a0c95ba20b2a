/*
 * guestbench: how long do small pieces of work take?  Runs natively and in guests; built for 64 and
 * 32 bits, statically, by tests/bench/bench_cpu.sh.
 *
 * usage: guestbench [--time MS] [--counts NAME=OPS,...] [--list] [NAME...]
 *        guestbench --program NAME RUNS COMMAND...
 *
 * Each kernel runs for MS milliseconds (100), in samples of about one millisecond: the best of them
 * is one that nobody else on a busy host has interrupted.  One line each: "gb64 NAME NANOSECONDS
 * CHECKSUM" (gb32 in the 32-bit build) with the best sample's time for one op; "-" in place of the
 * figures when the processor lacks what the kernel needs.  The
 * clock is CLOCK_MONOTONIC, which in an emulator should be the real time's.  Where it is not, ops
 * can be counted (--counts) and timed from outside, between "gbbegin NAME OPS" and "gbend NAME".
 * --program: the CPU time of a command, "gbprog NAME USER SYSTEM STATUS" in seconds, the best of
 * RUNS.
 *
 * Status 1: a kernel did not compute the same twice.  Not modelled: work that has to be warm; the
 * best sample is.
 */
#include "tests/bench/guest/guestbench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLE_NS = 1000000, SAMPLES_MIN = 5 };

struct options {
    uint64_t time_ns;
    const char *counts; /* NULL, or NAME=OPS,... */
    bool list, failed;
};

static uint64_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

bool has_feature(const char *name)
{
    /* The builtin wants literals; both look at XCR0, too. */
    if (!strcmp(name, "avx2"))
        return __builtin_cpu_supports("avx2");
    return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2");
}

uint64_t sum_memory(const void *mem, size_t bytes)
{
    uint64_t sum = 0, word;

    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        memcpy(&word, (const uint8_t *)mem + i, 8);
        sum = mix(sum, word);
    }
    return sum;
}

/* Nanoseconds of that many calls; false in *same when one of them gave another checksum. */
static uint64_t sample(const struct kernel *k, struct bench *b, uint64_t calls, uint64_t sum,
                       bool *same)
{
    uint64_t began = now();

    for (uint64_t i = 0; i < calls; i++)
        if (k->run(b) != sum)
            *same = false;
    return now() - began;
}

/* The best of some samples. */
static uint64_t best_of(const struct kernel *k, struct bench *b, uint64_t calls, unsigned samples,
                        uint64_t sum, bool *same)
{
    uint64_t best = UINT64_MAX;

    while (samples--) {
        uint64_t took = sample(k, b, calls, sum, same);

        best = took < best ? took : best;
    }
    return best;
}

/* How many calls make a sample. */
static uint64_t calibrate(const struct kernel *k, struct bench *b, uint64_t sum, bool *same)
{
    uint64_t calls = 1;

    for (;;) {
        uint64_t took = best_of(k, b, calls, 3, sum, same);

        if (took >= SAMPLE_NS - SAMPLE_NS / 8)
            return calls;
        calls = took < SAMPLE_NS / 16 ? calls * 8 : calls * SAMPLE_NS / took + 1;
    }
}

/* A row NAME=OPS of --counts: that many ops or a few more, in calls; 1 without a row. */
static uint64_t counted(const struct kernel *k, const char *counts)
{
    size_t length = strlen(k->name);

    for (const char *p = counts; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (!strncmp(p, k->name, length) && p[length] == '=')
            return strtoull(p + length + 1, NULL, 10) / k->ops + 1;
    }
    return 1;
}

/* A serial line that still sends would disturb what is timed next. */
static void flush(void)
{
    fflush(stdout);
    tcdrain(1);
}

/* Says that counted ops begin or end, and gives the host time to look at its clock. */
static void mark(const char *what, const char *name, uint64_t ops)
{
    printf("%s %s %llu\n", what, name, (unsigned long long)ops);
    flush();
    usleep(300000);
}

/* The best time of one op, in nanoseconds. */
static double time_kernel(const struct kernel *k, struct bench *b, const struct options *o,
                          uint64_t sum, bool *same)
{
    uint64_t began = now(), took, best = UINT64_MAX, calls;

    if (o->counts) {
        calls = counted(k, o->counts);
        mark("gbbegin", k->name, calls * k->ops);
        best = sample(k, b, calls, sum, same);
        mark("gbend", k->name, calls * k->ops);
    } else {
        calls = calibrate(k, b, sum, same);
        for (unsigned i = 0; i < SAMPLES_MIN || now() - began < o->time_ns; i++) {
            took = sample(k, b, calls, sum, same);
            best = took < best ? took : best;
        }
    }
    return (double)best / (double)calls / (double)k->ops;
}

static void run_kernel(const struct kernel *k, struct options *o)
{
    struct bench b = {.peer = -1};
    bool same = true;
    uint64_t sum, memory;
    double ns;

    if (k->feature && !has_feature(k->feature)) {
        printf("gb%zu %s - -\n", sizeof(void *) * 8, k->name);
        return;
    }
    b.mem = mmap(NULL, k->bytes + 1, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (b.mem == MAP_FAILED) {
        perror(k->name);
        exit(1);
    }
    if (k->setup)
        k->setup(&b);
    sum = k->run(&b);
    memory = k->sum ? k->sum(&b) : 0;
    ns = time_kernel(k, &b, o, sum, &same);
    if (k->sum && k->sum(&b) != memory)
        same = false;
    if (k->done)
        k->done(&b);
    munmap(b.mem, k->bytes + 1);
    printf("gb%zu %s %.4f %016llx\n", sizeof(void *) * 8, k->name, ns,
           (unsigned long long)mix(sum, memory));
    if (!same) {
        printf("guestbench: %s: not always the same checksum\n", k->name);
        o->failed = true;
    }
    flush();
}

static bool wanted(const char *name, int count, char **names)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return true;
    return !count;
}

static void run_list(const struct kernel *k, struct options *o, int count, char **names)
{
    for (; k->name; k++) {
        if (!wanted(k->name, count, names))
            continue;
        if (o->list)
            printf("%-10s %s\n", k->name, k->what);
        else
            run_kernel(k, o);
    }
}

int main(int argc, char **argv)
{
    struct options o = {.time_ns = 100000000};
    int i = 1;

    if (argc > 1 && !strcmp(argv[1], "--exit")) /* what forkexec runs */
        return 7;
    if (argc > 1 && !strcmp(argv[1], "--program"))
        return program_main(argc - 2, argv + 2);
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "--list"))
            o.list = true;
        else if (!strcmp(argv[i], "--time") && i + 1 < argc)
            o.time_ns = strtoull(argv[++i], NULL, 10) * 1000000;
        else if (!strcmp(argv[i], "--counts") && i + 1 < argc)
            o.counts = argv[++i];
        else
            return fprintf(stderr, "guestbench: what is %s?\n", argv[i]), 2;
    }
    run_list(kernels_int, &o, argc - i, argv + i);
    run_list(kernels_mem, &o, argc - i, argv + i);
    run_list(kernels_fp, &o, argc - i, argv + i);
    run_list(kernels_os, &o, argc - i, argv + i);
    return o.failed;
}
