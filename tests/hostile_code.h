/*
 * Random bytes that look like what a hostile guest has in memory: instruction streams for 16, 32 or
 * 64-bit code, and data that passes for descriptors, page tables and DMA requests.
 *
 * Not modelled: programs that make sense.
 */
#ifndef TESTS_HOSTILE_CODE_H
#define TESTS_HOSTILE_CODE_H

#include "hw/core/base.h"

/* A generator of its own, so that a seed means the same everywhere (splitmix64). */
struct hostile_rand {
    uint64_t s;
};

enum { HOSTILE_IDE_MASTER = 0xc000 }; /* where the IDE bus masters' ports are */

void hostile_seed(struct hostile_rand *r, uint64_t seed, unsigned stream);
uint64_t hostile_next(struct hostile_rand *r);
uint64_t hostile_below(struct hostile_rand *r, uint64_t n);
/* A number likely to matter: small, a power of two or next to it, an address of RAM or of a device,
 * non-canonical, or anything. */
uint64_t hostile_value(struct hostile_rand *r);
/* Fill with instructions. */
void hostile_code(struct hostile_rand *r, uint8_t *buf, size_t len, unsigned bits);
/* Fill with data, some of which points into [code, code + code_len). */
void hostile_noise(struct hostile_rand *r, uint8_t *buf, size_t len, uint32_t code,
                   uint32_t code_len);

#endif
