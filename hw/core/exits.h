/*
 * Exit accounting: where the time of a vCPU goes, why its guest was left, and for which device.
 *
 * An exit is a moment in which the guest's next instruction waits for us.  Under KVM that is a
 * return of KVM_RUN; under a software engine an access to a device, a CPUID, an MSR, and a return
 * of vcpu_run.  Kept are
 *   - per vCPU the time in the guest, out of it, halted and held, and exits by their reason: struct
 *     exits, written by the vCPU's thread alone;
 *   - per device the accesses to each port and physical address: struct exits_table, written under
 *     the machine lock, which a dispatcher holds anyway;
 *   - per vCPU the accesses to each MSR, written by its thread.
 *
 * Counts are exact, but a table has room for EXITS_ROWS addresses.  A new one takes the place of
 * the least used of some, whose counts go to "other": sums stay exact, and addresses in heavy use
 * are not lost for many that are used once.
 *
 * Times are in ticks of the host's TSC.  That of an exit of KVM lasts until the guest is entered
 * again, and goes to the last address accessed in it.  Under a software engine accesses are timed,
 * each of an address that has few for the time that passes; of others one in up to EXITS_SPARSE, at
 * random distances, which stands for those before it.  One that takes unusually long (the host did
 * something else) then stands for itself alone, so that it does not count a thousand times.
 *
 * Exits that KVM serves in the kernel are not seen here; it has counts of its own, which are shown
 * beside (accel_ops.kernel_counts).
 *
 * Not modelled: how long each exit takes on the way between guest and host.
 */
#ifndef HW_CORE_EXITS_H
#define HW_CORE_EXITS_H

#include "hw/core/base.h"
#include <stdatomic.h>

struct machine;

enum exits_reason {
    EXITS_PORT,
    EXITS_MMIO,
    EXITS_RDMSR,
    EXITS_WRMSR,
    EXITS_CPUID,
    EXITS_TPR,
    EXITS_HALT,
    EXITS_WINDOW,
    EXITS_EOI,
    EXITS_REQUEST,
    EXITS_SHUTDOWN,
    EXITS_KINDS,
    EXITS_LOCK = EXITS_KINDS, /* no exit: a wait in one, for the machine lock */
    EXITS_REASONS
};

/* Where a vCPU's thread is. */
enum exits_place {
    EXITS_OUT,    /* works for the guest: devices, interrupts, requests */
    EXITS_GUEST,  /* runs the guest's instructions */
    EXITS_HALTED, /* sleeps, as the guest has nothing to do */
    EXITS_HELD,   /* the machine is held, or has not begun or has ended */
    EXITS_PLACES
};

enum {
    EXITS_ROWS = 64,     /* a power of two */
    EXITS_PROBES = 16,   /* places that are tried for an address */
    EXITS_SPARSE = 1024, /* see above */
};

struct exits_row {
    uint64_t tag;      /* the address + 1; 0: nobody's yet */
    uint64_t count[2]; /* reads, writes */
    uint64_t ticks;    /* what they took together, see above */
    uint64_t timed_at; /* ticks when one was timed last */
    uint32_t left;     /* accesses until the next that is timed, with that one */
    uint32_t gap;      /* how many of them there were: those it stands for */
    uint64_t spent;    /* timings that were made too early, see exits_timed */
};

struct exits_table {
    struct exits_row row[EXITS_ROWS];
    struct exits_row other; /* of addresses that lost their row */
    uint64_t late;          /* by row: its address may stand in `other` too */
    uint32_t random;
};
static_assert(EXITS_ROWS == 64, "a bit each");

struct exits {
    bool off;       /* nothing is counted or timed: to measure what that costs.  Set out of the
                       guest */
    uint8_t reason; /* of the exit under way */
    uint8_t place;  /* enum exits_place */
    uint32_t random;
    struct exits_row *row;    /* that the time of the exit under way goes to, or NULL */
    uint64_t waiting;         /* ticks of it in waits for the lock */
    _Atomic uint32_t version; /* odd: `place` and what follows is being changed */
    uint64_t since;           /* ticks when it came to `place` */
    uint64_t ticks[EXITS_PLACES];
    uint64_t out[EXITS_REASONS];    /* ticks[EXITS_OUT], by reason */
    uint64_t inside[EXITS_REASONS]; /* the part of ticks[EXITS_GUEST] that devices had */
    uint64_t count[EXITS_REASONS];
    uint64_t trips;    /* of KVM: exits that came out of the guest */
    uint64_t shortest; /* ticks between entering and one of them, at the least; 0: none came */
    struct exits_table *msrs;
    GArray *kernel; /* uint64_t: what accel_ops.kernel_counts told when the counts were 0 */
};

/* machine.exits */
struct exits_clock {
    uint64_t ticks; /* these were one moment */
    int64_t ns;
    struct exits_table *nobody[2]; /* accesses that no device answers: ports, memory */
};

/* vcpu.c */
void exits_init(struct exits *x);
void exits_fini(struct exits *x);
/* machine.c */
void exits_clock_init(struct exits_clock *c);
void exits_clock_fini(struct exits_clock *c);

/* What follows is for the vCPU's thread. */

/* It goes to `place`; gives the ticks since it came to where it was. */
uint64_t exits_go(struct exits *x, enum exits_place place);
/* The exit that has begun is of this kind. */
void exits_note(struct exits *x, enum exits_reason reason);
/* It came out of the guest `ticks` after it had been let in. */
void exits_trip(struct exits *x, uint64_t ticks);
/* It has waited for the machine lock since `start`. */
void exits_waited(struct exits *x, uint64_t start);

void exits_timed(struct exits *x, struct exits_row *row, enum exits_reason reason, uint64_t start);
struct exits_row *exits_find(struct exits_table **table, uint64_t addr);

/* By this factor the addresses of a PC's devices go to places of their own. */
static inline unsigned exits_slot(uint64_t addr)
{
    return (unsigned)(addr * 0x5e25e8a0429ea21full >> 58) & (EXITS_ROWS - 1);
}

/* The row of an address in a table, which is made when there is none; lasts as long as that.  NULL:
 * nothing is to be counted. */
static inline struct exits_row *exits_row(const struct exits *x, struct exits_table **table,
                                          uint64_t addr)
{
    if (unlikely(x->off)) {
        return NULL;
    }
    if (likely(*table)) {
        struct exits_row *row = &(*table)->row[exits_slot(addr)];

        if (likely(row->tag == addr + 1)) {
            return row;
        }
    }
    return exits_find(table, addr);
}

/* Before an access: what exits_end wants.  One that comes right out of the guest's code is an exit,
 * others are part of one. */
static inline uint64_t exits_begin(const struct exits *x, struct exits_row *row)
{
    return likely(!row || x->place != EXITS_GUEST || --row->left) ? 0 : __builtin_ia32_rdtsc();
}

static inline void exits_end(struct exits *x, struct exits_row *row, enum exits_reason reason,
                             bool write, uint64_t start)
{
    if (unlikely(!row)) {
        return;
    }
    row->count[write]++;
    if (x->place != EXITS_GUEST) {
        x->row = row;
        return;
    }
    x->count[reason]++;
    if (unlikely(start)) {
        exits_timed(x, row, reason, start);
    }
}

/* For everybody, with the machine lock. */

/* Begin anew, with nothing counted. */
void exits_reset(struct machine *m);
/* Tables for people (`all`: every address), and the "exits" member of the machine's JSON. */
void exits_print(struct machine *m, bool all, GString *out);
void exits_json(struct machine *m, GString *out);

/* For everybody: nanoseconds to a tick of the host's TSC, which all is counted in, as it went since
 * the machine was made. */
double exits_ns_per_tick(const struct machine *m);

#endif
