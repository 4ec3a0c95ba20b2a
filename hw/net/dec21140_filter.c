/*
 * The address filter of the DECchip 21140A.
 *
 * Follows the 21140A Hardware Reference Manual (DEC EC-QN7NF), section 4.2.3 for setup frames and
 * the description of CSR6 for what goes past the filter.
 *
 * A setup frame is 48 longwords of which the low halves count.  Perfect and inverse: 16 addresses
 * of three longwords each, first bytes first and low.  Hash: longwords 0 to 31 hold 512 bits, bit n
 * being bit n % 16 of longword n / 16, and longwords 39 to 41 one physical address.  The hash of an
 * address is the low 9 bits of its CRC-32 as the receiver computes it: bits in the order they come
 * from the wire, least significant first, not inverted at the end.
 *
 * The broadcast address is an address like all others: a driver that wants broadcasts enters it,
 * or sets its bit (255) in the table, which all known drivers do.  It passes PM as a multicast.
 *
 * Not modelled: the state of the filter before the first setup frame, which is undefined (here it
 * passes address zero only).
 */
#include "hw/net/dec21140_filter.h"

enum {
    SETUP_LONGWORD = 4,
    SETUP_PHYSICAL = 39, /* the longword where it starts, hash modes */
};

const struct state_field dec_filter_state[] = {
    STATE(struct dec_filter, mode, .max = DEC_FILTER_HASH_ONLY),
    STATE_ARRAY(struct dec_filter, address),
    STATE_HOLE(struct dec_filter, hole),
    STATE_ARRAY(struct dec_filter, hash),
    STATE_END,
};

uint32_t dec_crc32(const uint8_t *data, size_t len)
{
    uint32_t crc = ~0u;

    for (size_t i = 0; i < len; i++) {
        crc = dec_crc32_byte(crc, data[i]);
    }
    return crc;
}

unsigned dec_filter_hash(const uint8_t address[6])
{
    return dec_crc32(address, 6) & 511;
}

static void dec_filter_take(uint8_t address[6], const uint8_t *longwords)
{
    for (unsigned i = 0; i < 3; i++) {
        memcpy(address + 2 * i, longwords + SETUP_LONGWORD * i, 2);
    }
}

void dec_filter_load(struct dec_filter *f, enum dec_filter_mode mode,
                     const uint8_t frame[DEC_SETUP_BYTES])
{
    memset(f, 0, sizeof *f);
    f->mode = mode;
    if (mode == DEC_FILTER_PERFECT || mode == DEC_FILTER_INVERSE) {
        for (unsigned i = 0; i < DEC_FILTER_ADDRESSES; i++) {
            dec_filter_take(f->address + 6 * i, frame + 3 * SETUP_LONGWORD * i);
        }
        return;
    }
    for (unsigned i = 0; i < DEC_FILTER_HASH_WORDS; i++) {
        f->hash[i] = ld_le16(frame + SETUP_LONGWORD * i);
    }
    if (mode == DEC_FILTER_HASH) {
        dec_filter_take(f->address, frame + SETUP_LONGWORD * SETUP_PHYSICAL);
    }
}

uint32_t dec_filter_csr6(const struct dec_filter *f)
{
    switch (f->mode) {
    case DEC_FILTER_HASH:
        return DEC_CSR6_HP;
    case DEC_FILTER_INVERSE:
        return DEC_CSR6_IF;
    case DEC_FILTER_HASH_ONLY:
        return DEC_CSR6_HP | DEC_CSR6_HO;
    default:
        return 0;
    }
}

static bool dec_filter_lists(const struct dec_filter *f, const uint8_t destination[6])
{
    for (unsigned i = 0; i < DEC_FILTER_ADDRESSES; i++) {
        if (!memcmp(f->address + 6 * i, destination, 6)) {
            return true;
        }
    }
    return false;
}

static bool dec_filter_recognises(const struct dec_filter *f, const uint8_t destination[6])
{
    unsigned hash;

    switch (f->mode) {
    case DEC_FILTER_PERFECT:
        return dec_filter_lists(f, destination);
    case DEC_FILTER_INVERSE:
        return !dec_filter_lists(f, destination);
    case DEC_FILTER_HASH:
        if (!(destination[0] & 1)) {
            return !memcmp(f->address, destination, 6);
        }
        break;
    default: /* DEC_FILTER_HASH_ONLY */
        break;
    }
    hash = dec_filter_hash(destination);
    return f->hash[hash / 16] >> hash % 16 & 1;
}

enum dec_filter_verdict dec_filter_check(const struct dec_filter *f, uint32_t csr6,
                                         const uint8_t destination[6])
{
    if (csr6 & DEC_CSR6_PR || (csr6 & DEC_CSR6_PM && destination[0] & 1) ||
        dec_filter_recognises(f, destination)) {
        return DEC_FILTER_PASS;
    }
    return csr6 & DEC_CSR6_RA ? DEC_FILTER_FAILED : DEC_FILTER_REJECT;
}
