/*
 * The physical memory map: regions with priorities, resolved to flat, sorted views, and DMA.
 *
 * Reads and writes are resolved apart, so that a chipset can read ROM while writes go to the RAM
 * beneath (PAM shadowing).  A region's `access` says which of the two views it takes part in.
 *
 * Not modelled: bus masters with views of their own (no IOMMU).
 */
#ifndef HW_CORE_ASPACE_H
#define HW_CORE_ASPACE_H

#include "hw/core/base.h"
#include "hw/core/device.h"

struct vcpu;

#define PAGE_SHIFT       12
#define PAGE_BYTES       4096ull
#define PAGE_OFFSET_MASK 4095ull

/* Per-page flags of a RAM block; accessed with C11 atomics from any thread. */
enum {
    RAM_PAGE_CODE = BIT(0),  /* decoded blocks exist: stores must take the slow path */
    RAM_PAGE_DIRTY = BIT(1), /* written since ram_test_clear_dirty (only kept while logging) */
    /* With several vCPUs: whose TLBs may let stores straight through, by id modulo 6; see code.h.
     */
    RAM_PAGE_WRITER0 = BIT(2),
    RAM_PAGE_WRITER_BITS = 6,
    RAM_PAGE_WRITERS = 0xfc,
};

struct ram {
    char *name;
    uint8_t *host; /* mmap'd without reservation: untouched pages cost nothing */
    uint64_t size; /* multiple of 4 KiB */
    int fd;        /* of the same memory, where it can be mapped once more; -1: it cannot */
    uint8_t *page_flags;
    bool log_dirty; /* keep RAM_PAGE_DIRTY: stores to clean pages take the slow path once */
    bool readonly;  /* firmware image */
    struct machine *m;
};

enum region_kind { REGION_RAM, REGION_MMIO };
enum { ACCESS_READ = 1, ACCESS_WRITE = 2, ACCESS_RW = 3 };

/* Embedded in its owner (a device or the board); fields are changed only through the calls below.
 */
struct region {
    const char *name;
    enum region_kind kind;
    uint8_t access; /* ACCESS_*: which views it stands in */
    bool enabled;
    int priority; /* the higher covers the lower; equal: the one added later covers */
    uint64_t base, size;
    struct ram *ram;            /* REGION_RAM */
    uint64_t ram_offset;        /* where in ram the region starts */
    const struct mmio_ops *ops; /* REGION_MMIO */
    struct device *dev;
    uint64_t reads, writes; /* MMIO accesses since start, for --stats */
};

/* One piece of a flat view. */
struct flat_range {
    uint64_t base, size;
    struct region *region; /* never NULL */
    uint8_t *host; /* REGION_RAM: host address of `base`; NULL: MMIO, or read-only RAM in the view
                      for writes */
};

/* Allocate guest RAM (`size` bytes, rounded up to pages; zero-filled, sparse).  HOST error when
 * mmap refuses. */
struct ram *ram_new(struct machine *m, const char *name, uint64_t size, GError **err);
/* Clear and return whether page `page` was dirty; with log_dirty off, always true. */
bool ram_test_clear_dirty(struct ram *ram, uint64_t page);
/*
 * The same for pages [first, first + n): bit i of `map` (whole words) becomes whether page first +
 * i was dirty.  True: some page was.  The processors are asked once to come through the slow path
 * again.  A page that one of them may store to until it has heard that is dirty again then, so
 * nothing stored is missed.
 */
bool ram_take_dirty(struct ram *ram, uint64_t first, uint64_t n, uint64_t *map);
/* Start or stop dirty logging of a block (all pages begin dirty); empties TLBs as an aspace commit
 * does. */
void ram_set_log_dirty(struct ram *ram, bool on);
/*
 * A store hit `len` bytes at ram offset `off` other than through a CPU's fast path: sets dirty
 * bits; where a page holds decoded code, tells every vCPU to drop it (code_stored).  `from` is the
 * vCPU that stores, or NULL for DMA.
 */
void ram_mark_written(struct ram *ram, uint64_t off, uint64_t len, struct vcpu *from);

/*
 * Fill in a region (not yet in the map).  MMIO accesses are split to the sizes the ops take,
 * naturally aligned, low first; a read narrower than any register gives bytes of the register, such
 * a write is a guest error.
 */
void region_init_ram(struct region *r, const char *name, struct ram *ram, uint64_t ram_offset,
                     uint64_t size);
void region_init_mmio(struct region *r, const char *name, struct device *dev,
                      const struct mmio_ops *ops, uint64_t size);
/* Put it in the map at `base` with `priority`, enabled.  ACCESS_RW unless changed by
 * region_set_access. */
void region_add(struct machine *m, struct region *r, uint64_t base, int priority);
void region_remove(struct machine *m, struct region *r);
/* Move, enable or disable, change which views it stands in.  Takes effect at the commit. */
void region_set_base(struct machine *m, struct region *r, uint64_t base);
void region_set_enabled(struct machine *m, struct region *r, bool enabled);
void region_set_access(struct machine *m, struct region *r, uint8_t access);
/*
 * Changes between begin and commit take effect together (calls nest; a change outside a pair
 * commits by itself). The commit rebuilds the views as an exclusive section and makes every vCPU
 * empty its TLB.  Lock held.
 */
void aspace_begin(struct machine *m);
void aspace_commit(struct machine *m);

/*
 * The piece of the view for `access` (ACCESS_READ or ACCESS_WRITE) that holds physical address
 * `pa`, or NULL when nothing answers there (reads give ones, writes vanish).  The result stays
 * valid until the next commit: vCPU threads keep no copy across a device access.
 */
const struct flat_range *aspace_find(struct machine *m, uint64_t pa, unsigned access);

/*
 * Slow-path accesses of a vCPU (1, 2, 4 or 8 bytes, any alignment, may cross ranges), on its
 * thread: RAM directly, MMIO under the lock and counted as its exit, nothing there: ones / ignored.
 * Call without the lock.  The _held ones: between mem_bus_lock and mem_bus_unlock, with the lock.
 */
uint64_t aspace_read(struct vcpu *v, uint64_t pa, unsigned size);
void aspace_write(struct vcpu *v, uint64_t pa, uint64_t val, unsigned size);
uint64_t aspace_read_held(struct vcpu *v, uint64_t pa, unsigned size);
void aspace_write_held(struct vcpu *v, uint64_t pa, uint64_t val, unsigned size);

/* The same with the lock already held (tests, monitor). */
uint64_t aspace_read_locked(struct machine *m, uint64_t pa, unsigned size);
void aspace_write_locked(struct machine *m, uint64_t pa, uint64_t val, unsigned size,
                         struct vcpu *from);

/*
 * What stands in memory, for debuggers: RAM and ROM only, no device is asked and nothing changes.
 * Gives how many of `len` bytes from pa on are there.  On a vCPU's thread, or with the lock.
 */
size_t aspace_peek(struct machine *m, uint64_t pa, void *buf, size_t len);

/*
 * DMA by devices (lock held).  Reaches RAM, ROM (reads) and passive MMIO; anything else is a guest
 * error: reads give ones, writes vanish, and the result is false.
 */
bool dma_read(struct machine *m, uint64_t pa, void *buf, size_t len);
bool dma_write(struct machine *m, uint64_t pa, const void *buf, size_t len);

/* Text of the map for `info mtree`. */
void aspace_print(struct machine *m, GString *out);

/* machine.c: all RAM blocks and views go. */
void aspace_init(struct machine *m);
void aspace_fini(struct machine *m);

#endif
