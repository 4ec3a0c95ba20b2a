/*
 * Fuzzer: a network card with any guest before it and any wire behind it (tests/hw/nic_fuzz.h).
 *
 * Not modelled: see there.
 */
#include "tests/hw/nic_fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct nic_fuzz *cards[2];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    cards[0] = nic_fuzz_new(true, NULL);
    cards[1] = nic_fuzz_new(false, NULL);
    return cards[0] && cards[1] ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nic_fuzz_run(cards[size && data[0] & NIC_FUZZ_NO_END], data, size);
    return 0;
}
