/*
 * Host tool: sets the two checksums of an option ROM image, so that each sum of bytes is 0 modulo
 * 256: the Plug and Play expansion header's (offset 9 of the header that the word at 0x1A points
 * at) and the whole ROM's (its last byte). Follows: Plug and Play BIOS specification 1.0A
 * section 3.1. Use: romsum IN OUT
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ROM_MAX 0x10000

static uint8_t sum_bytes(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;

    while (n--)
        sum += *p++;
    return sum;
}

static int fix_image(uint8_t *rom, size_t size, const char *name)
{
    size_t pnp = rom[0x1a] | rom[0x1b] << 8;

    if (size < 512 || size % 512 || rom[0] != 0x55 || rom[1] != 0xaa || rom[2] * 512u != size) {
        fprintf(stderr, "romsum: %s: no option ROM image, or its size byte is wrong\n", name);
        return 1;
    }
    if (pnp + 32 > size || memcmp(rom + pnp, "$PnP", 4)) {
        fprintf(stderr, "romsum: %s: no $PnP header\n", name);
        return 1;
    }
    if (rom[size - 1]) {
        fprintf(stderr, "romsum: %s: no room for the checksum\n", name);
        return 1;
    }
    rom[pnp + 9] = 0;
    rom[pnp + 9] = -sum_bytes(rom + pnp, 32);
    rom[size - 1] = -sum_bytes(rom, size);
    return 0;
}

int main(int argc, char **argv)
{
    uint8_t rom[ROM_MAX + 1];
    size_t size;
    FILE *f;

    if (argc != 3) {
        fprintf(stderr, "use: romsum IN OUT\n");
        return 2;
    }
    memset(rom, 0, sizeof(rom));
    f = fopen(argv[1], "rb");
    if (!f) {
        perror(argv[1]);
        return 1;
    }
    size = fread(rom, 1, sizeof(rom), f);
    fclose(f);
    if (fix_image(rom, size, argv[1]))
        return 1;
    f = fopen(argv[2], "wb");
    if (!f || fwrite(rom, 1, size, f) != size || fclose(f)) {
        perror(argv[2]);
        return 1;
    }
    return 0;
}
