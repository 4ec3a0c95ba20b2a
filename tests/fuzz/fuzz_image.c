/*
 * Fuzzer: disk, CD and floppy images with any contents (tests/vhd/image_fuzz.h).
 *
 * Not modelled: files that change while they are open.
 */
#include "tests/vhd/image_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    image_fuzz_one(data, size);
    return 0;
}
