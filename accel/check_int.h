/*
 * Inside the comparison of two engines (check.c): what it keeps to take instructions back
 * (check_memory.c) and to tell a difference (check_report.c).
 *
 * Not modelled: see accel/check.c.
 */
#ifndef ACCEL_CHECK_INT_H
#define ACCEL_CHECK_INT_H

#include "accel/check.h"

enum {
    CHECK_PAGES = 512, /* pages a stretch may write to */
    CHECK_PATH = 320,  /* blocks that are remembered for the report */
    CHECK_SLOTS = 4 * CHECK_PAGES,
};

/* A page that is written to, and its contents. */
struct check_page {
    struct ram *ram;
    uint64_t page;
    uint8_t *before, *after; /* `after`: by the first engine */
};

/* A TLB entry as it was. */
struct check_entry {
    void *at;
    size_t size;
    uint8_t old[sizeof(struct itlb_entry)];
};

struct check_block {
    uint64_t ip, la, icount;
    uint16_t mode;
};

/* How a run ended. */
enum check_end { CHECK_RAN, CHECK_RAISED, CHECK_OUTSIDE };

struct check {
    struct interp *first, *second_engine;
    const struct check_second *second;
    void *second_data; /* its own */
    bool give_up;      /* the second engine cannot do the stretch: by the interpreter alone */
    struct check_stats stats;
    uint64_t begun;           /* icount when the comparison began */
    bool open;                /* a stretch is under way: memory and TLB entries are remembered */
    enum cpu_outside outside; /* why the run ended with CHECK_OUTSIDE */
    uint64_t narrow;          /* icount up to which a difference is looked for block by block */
    bool doubtful;            /* it may be one of accessed bits alone */
    uint64_t again;           /* icount + 1 where a stretch was begun anew for that reason */
    GString *report;          /* of the difference; NULL: none yet */

    struct cpu *before, *after; /* `after`: by the engine that ran first */
    enum check_end end;         /* of that one */
    bool swapped;               /* the second engine's results stand in `after` */
    uint32_t requests;          /* as the stretch began */

    struct check_page pages[CHECK_PAGES];
    bool marked;                  /* a walk set accessed or dirty bits in the stretch */
    unsigned npages, first_pages; /* the first engine's are the first of them */
    uint16_t slots[CHECK_SLOTS];  /* hash of pages: index + 1 */
    uint8_t *copies;
    GArray *entries; /* struct check_entry */

    struct check_block path[CHECK_PATH];
    unsigned npath;
};

/* ---- check_memory.c ---- */

extern const struct cpu_watch check_watch;

bool check_memory_init(struct check *k, GError **err);
void check_memory_fini(struct check *k);
/* From now on stores and TLB entries are remembered.  Lock held, until check_memory_close. */
void check_memory_open(struct check *k, struct cpu *c);
void check_memory_close(struct check *k);
/* Everything as it was when the stretch began; what is remembered of pages stays. */
void check_memory_undo(struct check *k, struct cpu *c);
/* The first engine is done: keep what it wrote. */
void check_memory_keep(struct check *k);
/* Forget the pages. */
void check_memory_forget(struct check *k);
/* Whether the second engine wrote the same as the first. */
bool check_memory_equal(const struct check *k);

/* ---- check_report.c ---- */

/* Whether c is in the state in k->after; `end`: how its run ended. */
bool check_state_equal(const struct check *k, const struct cpu *c, enum check_end end);
/* Text about a difference; c is in the second engine's state, and in k->before when it returns. */
GString *check_tell(struct check *k, struct cpu *c, enum check_end end);

/* One line on what was compared. */
void check_sum_up(const struct check_stats *s, GString *out);

/* ---- check.c ---- */

/* The stretch is one block. */
static inline bool check_is_alone(const struct check *k)
{
    return k->npath == 1 || k->before->icount < k->narrow;
}

/* Back to the state in k->before, memory included. */
void check_undo(struct check *k, struct cpu *c);

#endif
