/*
 * The frame check sequence that the 21140A puts behind a frame: Ethernet's CRC-32, quickly.
 *
 * Not modelled: damaged sequences.  Not here: the address filter's hash (dec21140_filter.h).
 */
#ifndef HW_NET_DEC21140_FCS_H
#define HW_NET_DEC21140_FCS_H

#include "hw/core/base.h"

struct dec_fcs {
    uint32_t table[8][256]; /* what a byte does to the sequence 0 to 7 bytes later */
    uint64_t fold[4];       /* powers of x, for carry-less multiplication */
    bool multiplies;        /* this host has that */
};

void dec_fcs_init(struct dec_fcs *f);
/* As it stands behind the `len` bytes, first byte in the low bits.  Any thread. */
uint32_t dec_fcs_of(const struct dec_fcs *f, const uint8_t *data, size_t len);

#endif
