/*
 * Memory for code that is made at run time: one memfd mapped twice, to write and to execute, so
 * that no page is both at one address.
 *
 * Not modelled: growing.
 */
#ifndef CPU_CODEMEM_H
#define CPU_CODEMEM_H

#include "hw/core/base.h"

struct codemem {
    uint8_t *rw, *rx; /* `bytes` each; NULL: not mapped */
    size_t bytes;
    int fd;
};

/* Map `bytes` of it.  name: of the memfd, as /proc shows it; use: what it is for, for the message.
 * False with a HOST error, and nothing is mapped. */
bool codemem_map(struct codemem *m, const char *name, const char *use, size_t bytes, GError **err);
/*
 * Have the code in [at, at + CODEMEM_LARGE), at a multiple of that, run from one large page, where
 * the host can do that: once something has been written there, as it takes the memory at once.
 */
#define CODEMEM_LARGE ((size_t)2 * MiB)
void codemem_make_large(const struct codemem *m, size_t at);
/* n bytes at `at` are about to be written, whole pages of the writable mapping or of other memory:
 * have them all at once, as a page fault takes several times as long as a page. */
void codemem_populate(void *at, size_t n);
/* What is there from `at` (of a page) on is not wanted any more: zeros take its place. */
void codemem_give_back(const struct codemem *m, size_t at);
/* Change n bytes of what has been written at `at`.  Pages of the writable mapping that are not
 * there are not wanted for it: a page fault takes longer than this. */
void codemem_poke(const struct codemem *m, size_t at, const void *bytes, size_t n);
/* And all zero: nothing is done. */
void codemem_unmap(struct codemem *m);

#endif
