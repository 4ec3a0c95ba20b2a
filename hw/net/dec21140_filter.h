/*
 * The address filter of the DECchip 21140A, loaded by setup frames (hw/net/dec21140_filter.c).
 *
 *     dec_filter_load(&s->filter, DEC_FILTER_MODE(tdes1), frame);    192 bytes of guest memory
 *     csr6 = s->csr6 & ~DEC_CSR6_FILTER_BITS | dec_filter_csr6(&s->filter);    for reads of CSR6
 *     switch (dec_filter_check(&s->filter, s->csr6, destination)) ...
 *
 * Not modelled: see hw/net/dec21140_filter.c.
 */
#ifndef HW_NET_DEC21140_FILTER_H
#define HW_NET_DEC21140_FILTER_H

#include "hw/core/state.h"

enum {
    DEC_SETUP_BYTES = 192, /* a setup frame, exactly */
    DEC_FILTER_ADDRESSES = 16,
    DEC_FILTER_HASH_WORDS = 32, /* of 16 bits */

    DEC_TDES1_FT0 = BIT(22),
    DEC_TDES1_FT1 = BIT(28),

    /* CSR6: these three say what the last setup frame set, and cannot be written. */
    DEC_CSR6_HP = BIT(0),
    DEC_CSR6_HO = BIT(2),
    DEC_CSR6_IF = BIT(4),
    DEC_CSR6_FILTER_BITS = DEC_CSR6_HP | DEC_CSR6_HO | DEC_CSR6_IF,
    /* and these are the driver's */
    DEC_CSR6_PR = BIT(6),
    DEC_CSR6_PM = BIT(7),
    DEC_CSR6_RA = BIT(30),
};

/* TDES1's FT1:FT0 of a setup frame. */
enum dec_filter_mode {
    DEC_FILTER_PERFECT,   /* 16 addresses */
    DEC_FILTER_HASH,      /* one physical address; multicast by hash */
    DEC_FILTER_INVERSE,   /* all but 16 addresses */
    DEC_FILTER_HASH_ONLY, /* physical and multicast by hash */
};
#define DEC_FILTER_MODE(tdes1)                                                                     \
    ((enum dec_filter_mode)(((tdes1)&DEC_TDES1_FT1 ? 2 : 0) | ((tdes1)&DEC_TDES1_FT0 ? 1 : 0)))

/* Guest-visible state; all zeroes at reset (the chip leaves it undefined until a setup frame). */
struct dec_filter {
    uint8_t mode;                              /* enum dec_filter_mode */
    uint8_t address[DEC_FILTER_ADDRESSES * 6]; /* hash modes: the first one counts */
    uint8_t hole[1];
    uint16_t hash[DEC_FILTER_HASH_WORDS];
};
extern const struct state_field dec_filter_state[];

/* Take in a setup frame, as it lies in memory (longwords little-endian, the buffer's byte order
 * setting does not matter to setup frames). */
void dec_filter_load(struct dec_filter *f, enum dec_filter_mode mode,
                     const uint8_t frame[DEC_SETUP_BYTES]);
/* HP, HO and IF as CSR6 reads. */
uint32_t dec_filter_csr6(const struct dec_filter *f);

enum dec_filter_verdict {
    DEC_FILTER_REJECT,
    DEC_FILTER_PASS,
    DEC_FILTER_FAILED, /* received all the same, because of CSR6 RA: RDES0 FF is set */
};
/* What becomes of a frame to this address.  Of csr6 only PR, PM and RA count. */
enum dec_filter_verdict dec_filter_check(const struct dec_filter *f, uint32_t csr6,
                                         const uint8_t destination[6]);

/* The chip's hash of an address: 0..511. */
unsigned dec_filter_hash(const uint8_t address[6]);
/* One byte more in a CRC-32 of Ethernet. */
static inline uint32_t dec_crc32_byte(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    for (unsigned bit = 0; bit < 8; bit++) {
        crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return crc;
}
/* The CRC-32 of Ethernet, not inverted at the end. */
uint32_t dec_crc32(const uint8_t *data, size_t len);

#endif
