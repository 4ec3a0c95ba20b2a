/*
 * guestbench: how long do small pieces of work take?  Runs natively and in guests; built for 64 and
 * 32 bits, statically, by tests/bench/bench_cpu.sh.
 *
 * usage: guestbench [--time MS] [--samples N] [--counts NAME=OPS,...] [--list] [NAME...]
 *        guestbench --program NAME RUNS COMMAND...
 *
 * Each kernel repeats until a sample takes MS milliseconds (50), then N samples are taken (5).  One
 * line each: "gb64 NAME NANOSECONDS CHECKSUM" (gb32 in the 32-bit build) with the best sample's
 * time for one op; "-" in place of the time when the processor lacks what the kernel needs.  The
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

struct options {
    uint64_t time_ns;
    unsigned samples;
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

/* How many calls take the wanted time. */
static uint64_t calibrate(const struct kernel *k, struct bench *b, uint64_t want, uint64_t sum,
                          bool *same)
{
    uint64_t calls = 1;

    for (;;) {
        uint64_t took = sample(k, b, calls, sum, same);

        if (took >= want - want / 8)
            return calls;
        calls = took < want / 16 ? calls * 8 : calls * want / took + 1;
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

/* The best time of one op, in nanoseconds. */
static double time_kernel(const struct kernel *k, struct bench *b, const struct options *o,
                          uint64_t sum, bool *same)
{
    uint64_t took, best = UINT64_MAX, calls = 0;
    unsigned samples = o->samples;

    if (o->counts) {
        calls = counted(k, o->counts);
        samples = 1;
        printf("gbbegin %s %llu\n", k->name, (unsigned long long)(calls * k->ops));
        flush();
    } else {
        calls = calibrate(k, b, o->time_ns, sum, same);
    }
    for (unsigned i = 0; i < samples; i++) {
        took = sample(k, b, calls, sum, same);
        best = took < best ? took : best;
    }
    if (o->counts) {
        printf("gbend %s\n", k->name);
        flush();
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
    struct options o = {.time_ns = 50000000, .samples = 5};
    int i = 1;

    if (argc > 1 && !strcmp(argv[1], "--exit")) /* what forkexec runs */
        return 7;
    if (argc > 1 && !strcmp(argv[1], "--program"))
        return program_main(argc - 2, argv + 2);
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "--list"))
            o.list = true;
        else if (!strcmp(argv[i], "--time") && i + 1 < argc)
            o.time_ns = strtoull(argv[++i], NULL, 10) * 1000000 + 1;
        else if (!strcmp(argv[i], "--counts") && i + 1 < argc)
            o.counts = argv[++i];
        else if (!strcmp(argv[i], "--samples") && i + 1 < argc)
            o.samples = (unsigned)strtoul(argv[++i], NULL, 10);
        else
            return fprintf(stderr, "guestbench: what is %s?\n", argv[i]), 2;
    }
    run_list(kernels_int, &o, argc - i, argv + i);
    run_list(kernels_mem, &o, argc - i, argv + i);
    run_list(kernels_fp, &o, argc - i, argv + i);
    run_list(kernels_os, &o, argc - i, argv + i);
    return o.failed;
}
