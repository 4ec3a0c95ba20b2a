/*
 * Debug registers: code, data and I/O breakpoints, single step; and alignment checks, which share
 * the checked TLB class.
 *
 * Follows: Intel SDM volume 3, chapter 17.2 and 17.3; 6.15 (vector 17).
 *
 * Not modelled: RTM, branch-trap flag, last-branch records, breakpoints on the processor's own
 * accesses.
 */
#include "cpu/sys.h"

enum { BP_EXEC, BP_WRITE, BP_IO, BP_ACCESS };
enum { DR6_BS = BIT(14) };

static unsigned bp_kind(uint64_t dr7, unsigned n)
{
    return dr7 >> (16 + 4 * n) & 3;
}

static unsigned bp_len(uint64_t dr7, unsigned n)
{
    static const uint8_t len[4] = {1, 2, 8, 4};

    return len[dr7 >> (18 + 4 * n) & 3];
}

static bool bp_enabled(uint64_t dr7, unsigned n)
{
    return dr7 >> (2 * n) & 3;
}

bool debug_is_armed(const struct cpu *c)
{
    uint64_t dr7 = c->dr[7];

    if (likely(!(dr7 & 0xff))) {
        return false;
    }
    for (unsigned n = 0; n < 4; n++) {
        if (bp_enabled(dr7, n) && bp_kind(dr7, n) & 1) {
            return true;
        }
    }
    return false;
}

/* DR6 bits of the breakpoints of the given kinds (a mask) that meet [at, at + size). */
static uint64_t bp_hits(const struct cpu *c, unsigned kinds, uint64_t at, unsigned size)
{
    uint64_t dr7 = c->dr[7], hits = 0;

    for (unsigned n = 0; n < 4; n++) {
        unsigned len = bp_len(dr7, n);
        uint64_t from = c->dr[n] & ~(uint64_t)(len - 1);

        if (bp_enabled(dr7, n) && kinds >> bp_kind(dr7, n) & 1 && from < at + size &&
            at < from + len) {
            hits |= BIT(n);
        }
    }
    return hits;
}

void debug_check_access(struct cpu *c, uint64_t la, unsigned size, bool write)
{
    if (c->cpl == 3 && c->cr0 & CR0_AM && c->eflags & FLAG_AC && size <= 8 && la & (size - 1)) {
        cpu_raise_error(c, EXCP_AC, 0);
    }
    if (c->dr[7] & 0xff) {
        c->pending_dr6 |= bp_hits(c, BIT(BP_ACCESS) | (write ? BIT(BP_WRITE) : 0), la, size);
    }
}

void debug_check_io(struct cpu *c, uint16_t port, unsigned size)
{
    if (unlikely(c->dr[7] & 0xff && c->cr4 & CR4_DE)) {
        c->pending_dr6 |= bp_hits(c, BIT(BP_IO), port, size);
    }
}

static bool want_db(struct cpu *c)
{
    c->excp.vector = EXCP_DB;
    c->excp.has_error = false;
    c->excp.error = 0;
    c->cur = NULL;
    return true;
}

bool cpu_debug_fetch(struct cpu *c)
{
    bool shadow = c->ss_shadow; /* no code breakpoint behind MOV SS (Intel) */

    c->ss_shadow = false;
    c->step = c->eflags & FLAG_TF;
    if (!(c->dr[7] & 0xff)) {
        return false;
    }
    if (c->eflags & FLAG_RF) {
        c->eflags &= ~(uint32_t)FLAG_RF; /* good for one instruction */
        return false;
    }
    uint64_t la = (c->ip & cpu_ip_mask(c)) + c->cs_base;
    uint64_t hits = shadow ? 0 : bp_hits(c, BIT(BP_EXEC), cpu_is_64(c) ? la : (uint32_t)la, 1);
    c->pending_dr6 |= hits;
    return hits && want_db(c);
}

bool cpu_debug_pending(struct cpu *c)
{
    if (c->ss_shadow) { /* what MOV SS met stays pending; its step is lost */
        c->step = false;
        return false;
    }
    if (c->step) {
        c->step = false;
        c->pending_dr6 |= DR6_BS;
    }
    return c->pending_dr6 && want_db(c);
}
