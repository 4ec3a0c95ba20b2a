/*
 * Fuzzer: a guest on the whole board.  The input is the code it begins with; everything else in its
 * memory follows from the seed (tests/hostile.h).
 *
 * Input: mode, seed (1 byte each), then code.
 *
 * Not modelled: several processors.
 */
#include "tests/hostile.h"
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hostile *machine;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    machine = hostile_new(HOSTILE_COUNTED, NULL);
    return machine ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return -1;
    }
    if (!hostile_run(machine, data[1], (enum hostile_mode)(data[0] % HOSTILE_MODES), 100, 20000,
                     data + 2, size - 2)) {
        abort();
    }
    return 0;
}
