/*
 * guestbench's kernels of the operating system: calls of it, page faults, switches between
 * processes, new processes.
 *
 * Not modelled: devices and files; threads.
 */
#define _GNU_SOURCE
#include "tests/bench/guest/guestbench.h"
#include <sched.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Two processes on one processor: waking another one would be timed in place of the switch. */
static void use_one_cpu(struct bench *b)
{
    cpu_set_t one;
    int cpu = sched_getcpu();

    (void)b;
    CPU_ZERO(&one);
    CPU_SET(cpu < 0 ? 0 : cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
}

static void use_all_cpus(struct bench *b)
{
    cpu_set_t all;

    (void)b;
    memset(&all, 0xff, sizeof(all));
    sched_setaffinity(0, sizeof(all), &all);
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- syscall */

enum { CALLS = 1000 };

static uint64_t run_syscall(struct bench *b)
{
    long parent = getppid(), same = 0;

    (void)b;
    for (unsigned i = 0; i < CALLS; i++)
        same += syscall(SYS_getppid) == parent;
    return (uint64_t)same;
}

/* ---- pagefault */

enum { PAGES = 256, PAGE = 4096 };

static uint64_t run_page_fault(struct bench *b)
{
    uint8_t *mem =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t sum = 0;

    (void)b;
    if (mem == MAP_FAILED)
        fail("mmap");
    for (unsigned i = 0; i < PAGES; i++) {
        mem[i * PAGE + 8 * (i & 15)]++;
        sum += mem[i * PAGE + 8 * (i & 15)];
    }
    munmap(mem, PAGES * PAGE);
    return sum;
}

/* ---- ctxswitch: a byte there and back through two pipes */

enum { TRIPS = 100 };

static void setup_peer(struct bench *b)
{
    int there[2], back[2];
    uint8_t byte;

    use_one_cpu(b);
    if (pipe(there) || pipe(back))
        fail("pipe");
    b->peer = fork();
    if (b->peer < 0)
        fail("fork");
    if (!b->peer) {
        close(there[1]);
        close(back[0]);
        while (read(there[0], &byte, 1) == 1) {
            byte ^= 0xa5;
            if (write(back[1], &byte, 1) != 1)
                break;
        }
        _exit(0);
    }
    close(there[0]);
    close(back[1]);
    b->to_peer = there[1];
    b->to_self = back[0];
}

static uint64_t run_switch(struct bench *b)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < TRIPS; i++) {
        uint8_t byte = (uint8_t)i;

        if (write(b->to_peer, &byte, 1) != 1 || read(b->to_self, &byte, 1) != 1)
            fail("pipe");
        sum = mix(sum, byte);
    }
    return sum;
}

static void end_peer(struct bench *b)
{
    close(b->to_peer);
    close(b->to_self);
    waitpid(b->peer, NULL, 0);
    use_all_cpus(b);
}

/* ---- fork: with 4 MiB of memory, of which the child writes a part */

enum { FORK_BYTES = 4 << 20, FORK_WRITES = 32 };

static uint64_t wait_for(pid_t pid)
{
    int status = 0;

    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        fail("fork");
    return (uint64_t)status;
}

static void touch_all(struct bench *b)
{
    use_one_cpu(b);
    for (unsigned i = 0; i < FORK_BYTES; i += PAGE)
        b->mem[i] = 1;
}

static uint64_t run_fork(struct bench *b)
{
    pid_t pid = fork();

    if (!pid) {
        unsigned sum = 0;

        for (unsigned i = 0; i < FORK_WRITES; i++)
            sum += b->mem[i * PAGE]++;
        _exit((int)sum);
    }
    return wait_for(pid);
}

/* ---- forkexec: this very program, which leaves at once */

static uint64_t run_fork_exec(struct bench *b)
{
    static const char *const argv[] = {"guestbench", "--exit", NULL};
    static const char *const envp[] = {NULL};
    pid_t pid = vfork();

    (void)b;
    if (!pid) {
        execve("/proc/self/exe", (char *const *)argv, (char *const *)envp);
        _exit(1);
    }
    return wait_for(pid);
}

const struct kernel kernels_os[] = {
    {"syscall", "getppid()", CALLS, 0, NULL, NULL, run_syscall, NULL, NULL},
    {"pagefault", "first write to a page", PAGES, 0, NULL, NULL, run_page_fault, NULL, NULL},
    {"ctxswitch", "a byte to another process and back", TRIPS, 0, NULL, setup_peer, run_switch,
     NULL, end_peer},
    {"fork", "fork, 32 pages written, exit, wait", 1, FORK_BYTES, NULL, touch_all, run_fork, NULL,
     use_all_cpus},
    {"forkexec", "vfork, execve, exit, wait", 1, 0, NULL, use_one_cpu, run_fork_exec, NULL,
     use_all_cpus},
    {0},
};
