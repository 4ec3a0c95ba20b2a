/*
 * Fuzzer: the translator against the interpreter, in lock-step, on random programs in every mode
 * (tests/accel/lockstep.h).
 *
 * Input: seed of the program (8 bytes), number of states it is run from (1 byte).  The rest of an
 * input means nothing; what is new in a program shows in the code of both engines that it reaches.
 *
 * Not modelled: devices, interrupts, several processors.
 */
#include "tests/accel/lockstep.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lockstep *machine;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    machine = lockstep_new(&check_second_jit, NULL, NULL);
    return machine ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t seed;

    if (size < 9) {
        return -1;
    }
    memcpy(&seed, data, sizeof seed);
    char *report = lockstep_run(machine, seed, 1 + data[8] % 64);
    if (report) {
        fputs(report, stderr);
        abort();
    }
    return 0;
}
