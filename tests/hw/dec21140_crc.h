/*
 * The Ethernet CRC computed another way than the device does: the register shifts left, most
 * significant bit first, as IEEE 802.3 draws it, and is mirrored at the end.
 *
 * Not modelled: anything else.
 */
#ifndef TESTS_HW_DEC21140_CRC_H
#define TESTS_HW_DEC21140_CRC_H

#include "hw/core/base.h"

static inline uint32_t wire_crc32(const uint8_t *data, size_t len)
{
    uint32_t crc = ~0u, mirrored = 0;

    for (size_t i = 0; i < 8 * len; i++) {
        unsigned in = data[i / 8] >> i % 8 & 1;
        unsigned out = crc >> 31;

        crc = crc << 1 ^ (in != out ? 0x04c11db7u : 0);
    }
    for (unsigned i = 0; i < 32; i++) {
        mirrored |= (crc >> i & 1) << (31 - i);
    }
    return mirrored;
}

#endif
