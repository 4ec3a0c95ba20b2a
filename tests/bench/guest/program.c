/*
 * guestbench --program NAME RUNS COMMAND...: the CPU time of a command and of what it starts, the
 * best of several runs (see guestbench.c).
 *
 * The kernel's own count of the time in user and in kernel mode; its sum is exact to the
 * microsecond, its parts are as fine as the kernel's ticks.  Not modelled: time that nobody
 * accounts to the process (interrupts, other processes).
 */
#include "tests/bench/guest/guestbench.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int run_once(char **argv, struct rusage *use)
{
    int status = 0;
    pid_t pid = fork();

    if (!pid) {
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, use) != pid) {
        perror("guestbench");
        exit(1);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int program_main(int argc, char **argv)
{
    double user = 0, system = 1e9;
    int runs = argc > 1 ? atoi(argv[1]) : 0, status = 0;

    if (argc < 3 || runs < 1) {
        fprintf(stderr, "usage: guestbench --program NAME RUNS COMMAND...\n");
        return 2;
    }
    for (int i = 0; i < runs && !status; i++) {
        struct rusage use;

        status = run_once(argv + 2, &use);
        if (seconds(use.ru_utime) + seconds(use.ru_stime) < user + system) {
            user = seconds(use.ru_utime);
            system = seconds(use.ru_stime);
        }
    }
    /* The command's own output is none of ours: the figures go to the error output. */
    fprintf(stderr, "gbprog %s %.4f %.4f %d\n", argv[0], user, system, status);
    return status;
}
