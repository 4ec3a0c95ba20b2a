/*
 * The 64 K I/O port map.  A range states the access sizes it takes; larger accesses are split into
 * consecutive ports, low first; unclaimed reads give ones.  Every access is counted and can be
 * traced without code in devices.
 *
 * Not modelled: wait states, and bus errors for unclaimed ports.
 */
#ifndef HW_CORE_PORTS_H
#define HW_CORE_PORTS_H

#include "hw/core/base.h"
#include "hw/core/device.h"

struct vcpu;

/* A claimed range: kept by the machine until ports_release. */
struct port_claim {
    struct port_range range;
    struct device *dev;
    uint64_t reads, writes; /* accesses since start, for --stats */
};

/*
 * Claim `range` for `dev` at `first` (range->first is ignored).  The newest claim of a port wins;
 * releasing it brings the older one back.  The machine owns the result.  Lock held.  Ports past
 * 0xffff are cut off.
 */
struct port_claim *ports_claim(struct device *dev, const struct port_range *range, uint16_t first);
void ports_release(struct machine *m, struct port_claim *claim);

/* machine.c */
void ports_init(struct machine *m);
void ports_fini(struct machine *m);

/*
 * Splitting: the claim of the first port takes the whole access when it takes that size and the
 * port is aligned to it; else the largest aligned part it takes.  A port whose range takes only
 * wider accesses than is left answers nothing.
 */
/* A vCPU's access of 1, 2 or 4 bytes, on its thread and counted as its exit; takes the lock.  Reads
 * are zero-extended. */
uint32_t port_read(struct vcpu *v, uint16_t port, unsigned size);
void port_write(struct vcpu *v, uint16_t port, uint32_t val, unsigned size);
/* The same with the lock already held (tests, monitor). */
uint32_t port_read_locked(struct machine *m, uint16_t port, unsigned size);
void port_write_locked(struct machine *m, uint16_t port, uint32_t val, unsigned size);

#endif
