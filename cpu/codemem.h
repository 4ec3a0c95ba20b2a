/*
 * Memory for code that is made at run time: one memfd mapped twice, to write and to execute, so
 * that no page is both at one address.
 *
 * Not modelled: growing.
 */
#ifndef CPU_CODEMEM_H
#define CPU_CODEMEM_H

#include "hw/core/base.h"

/*
 * Map `bytes` of it at *rw and *rx.  name: of the memfd, as /proc shows it; use: what it is for,
 * for the message.  False with a HOST error, and nothing is mapped.
 */
bool codemem_map(const char *name, const char *use, size_t bytes, uint8_t **rw, uint8_t **rx,
                 GError **err);
/*
 * Have the code in [at, at + CODEMEM_LARGE), at a multiple of that, run from one large page, where
 * the host can do that: once something has been written there, as it takes the memory at once.
 */
#define CODEMEM_LARGE ((size_t)2 * MiB)
void codemem_make_large(uint8_t *rx, size_t at);
/* NULL: not mapped. */
void codemem_unmap(uint8_t *rw, uint8_t *rx, size_t bytes);

#endif
