/*
 * A view: one guest address space as the host's MMU sees it, so that compiled code of CPL 3 reaches
 * memory without a look at the software TLB.
 *
 * Pages of the guest's RAM are mapped once more, at guest address + VIEW_HIGH_BY (addresses from
 * VIEW_HIGH on) or view.low + guest address (below VIEW_LOW_END), with the rights that a
 * translation in a TLB would give.  A view is to the guest one more TLB: what flushes those
 * flushes it.  What is not mapped faults in the host, and accel/jit/fault.c asks here.
 *
 * Nothing but views may ever stand where compiled code can reach: that is [0, VIEW_HOST_END) and
 * what surrounds `low`; all of it is reserved first, and where that cannot be had there is no view.
 *
 * Not modelled: several processors (each would need such a range of its own), 16-bit code, ring 0.
 */
#ifndef CPU_VIEW_H
#define CPU_VIEW_H

#include "hw/core/base.h"

struct cpu;
struct mmu_ctx;
struct ram;

/* Of guest addresses. */
#define VIEW_LOW_END  0x10000000000ull
#define VIEW_HIGH     0x2c0000010000ull
#define VIEW_HIGH_MAX 0x7fffffffffffull
/* 32-bit addresses end here; the page is in no view, as what lies across would reach it. */
#define VIEW_NARROW_END (1ull << 32)
/* Host address = guest address + this, modulo 2^64. */
#define VIEW_HIGH_BY (0ull - 0x2c0000000000ull)
/* The guest's stack pointer may be this far above the last address unnoticed (accel/jit). */
#define VIEW_SLACK    0x8000000000ull
#define VIEW_HOST_END (VIEW_HIGH_MAX + 1 + VIEW_HIGH_BY + VIEW_SLACK)
#define VIEW_HOST_LO  0x10000ull
/* How far from an address that was looked at compiled code may go: by constants, and an index of 32
 * bits. */
#define VIEW_GUARD 0x1000000000ull

/* Pieces of the address space, and what leads nowhere from any address in them. */
enum { VIEW_SLOT_SHIFT = 40, VIEW_SLOTS = 128 };
#define VIEW_NOWHERE 0x4000000000000000ull

struct view_stats {
    uint64_t pages;          /* mapped */
    uint64_t fills, denied;  /* faults for which some were; for which there were too many */
    uint64_t taken, refused; /* by a context; given up for one */
    uint64_t drops, flushes; /* of all pages; looks at all pages */
};

struct view;

/* For c, into c->view; NULL: there can be none, c->no_view says why. */
struct view *view_new(struct cpu *c);
void view_free(struct view *v);
/* The host address of guest address 0 below VIEW_LOW_END. */
uint64_t view_low(const struct view *v);
/* On the vCPU's thread, before compiled code is run there: the host's GS. */
void view_use_thread(const struct view *v);

/* c->mode is new but for MODE_VIEW, and the TLB's class too: is a view in force (CPL 3, 64-bit
 * code or flat 32-bit code, the view's context)?  cpu_update_keys is the caller's. */
void view_update_mode(struct cpu *c);
/* An interrupt came while context x ran at CPL 3. */
void view_sample(struct cpu *c);
/* A block could not be run, as the stack pointer is not near what a view can have. */
void view_far_sp(struct cpu *c);
/*
 * Compiled code could not reach host address `at`, of a view: map the page there, as the guest's
 * tables are now.  False: it cannot be mapped, or not for this; whoever does the access finds out
 * why.
 */
bool view_fill(struct cpu *c, uint64_t at, bool write);

/* Is host address `at` one of a page that a view may have? */
bool view_has(const struct view *v, uint64_t at);

/* What TLBs are told (mmu_ctx.c): context x loses the page; some of its translations, a region of
 * 1 << shift bytes, or all; has become another's. */
void view_drop_page(struct cpu *c, const struct mmu_ctx *x, uint64_t la);
void view_flush(struct cpu *c, const struct mmu_ctx *x);
void view_forget(struct cpu *c, const struct mmu_ctx *x);
/* Stores to the page at `host` are to be told again. */
void view_write_protect(struct cpu *c, const uint8_t *host);
/* The same for all pages (check.c). */
void view_write_protect_all(struct cpu *c);

void view_get_stats(const struct view *v, struct view_stats *out);

#endif
