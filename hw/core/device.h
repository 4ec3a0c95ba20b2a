/*
 * The device contract: one flat description per model (no inheritance), see docs/architecture.md
 * section 3 and 10.
 *
 * All hooks run under the machine lock.  Device code never locks, blocks or touches a file, socket
 * or window.
 *
 * Not modelled: inheritance, hot plug, a device that creates others.
 */
#ifndef HW_CORE_DEVICE_H
#define HW_CORE_DEVICE_H

#include "hw/core/base.h"
#include "hw/core/state.h"

struct machine;
struct device;
struct pci_desc;
struct exits_table;

/* Access sizes a range takes, as a mask; the dispatcher splits larger accesses, low address first.
 */
enum { SIZE_1 = 1, SIZE_2 = 2, SIZE_4 = 4, SIZE_8 = 8, SIZE_ANY = 15 };
/* Beside the sizes of ports: writes may come late, in order, for whoever gets the machine lock: no
 * line, no timer and no change of the map is behind them. */
enum { SIZE_POSTED = 128 };

/*
 * A range of I/O ports.  `off` handed to the functions counts from `first`.  A NULL read gives all
 * ones, a NULL write is ignored (both are counted and traced as for any other access).
 */
struct port_range {
    uint16_t first, count;
    uint8_t sizes; /* SIZE_1 | SIZE_2 | SIZE_4, and perhaps SIZE_POSTED */
    uint32_t (*read)(struct device *dev, unsigned off, unsigned size);
    void (*write)(struct device *dev, unsigned off, uint32_t val, unsigned size);
};

/* Memory-mapped registers; `off` counts from the region's start. */
struct mmio_ops {
    uint8_t sizes; /* SIZE_1 .. SIZE_8 */
    bool passive;  /* plain memory behind it (no line, timer, DMA): DMA may reach it, and writes
                    * may come late, in order */
    uint64_t (*read)(struct device *dev, uint64_t off, unsigned size);
    void (*write)(struct device *dev, uint64_t off, uint64_t val, unsigned size);
    /* Instead of `write` for an aligned 32-bit DMA store to physical address pa, which needs not be
     * passive: a message-signalled interrupt. */
    void (*message)(struct device *dev, uint64_t pa, uint32_t data);
};

enum prop_kind { PROP_END = 0, PROP_BOOL, PROP_UINT, PROP_STRING };

/* What the user (or the board) configures.  Strings are owned by the device and freed with it. */
struct prop {
    const char *name, *help;
    enum prop_kind kind;
    uint32_t offset; /* of a bool, uint64_t or char* in the device struct */
    uint64_t def, max;
};
#define PROP_DEF_BOOL(T, m, n, d, h)                                                               \
    {                                                                                              \
        .name = n, .help = h, .kind = PROP_BOOL, .offset = offsetof(T, m), .def = d                \
    }
#define PROP_DEF_UINT(T, m, n, d, mx, h)                                                           \
    {                                                                                              \
        .name = n, .help = h, .kind = PROP_UINT, .offset = offsetof(T, m), .def = d, .max = mx     \
    }
#define PROP_DEF_STRING(T, m, n, h)                                                                \
    {                                                                                              \
        .name = n, .help = h, .kind = PROP_STRING, .offset = offsetof(T, m)                        \
    }
#define PROP_DEF_END                                                                               \
    {                                                                                              \
        .kind = PROP_END                                                                           \
    }

struct device_ops {
    const char *name;          /* model: "i8254" */
    const char *title;         /* one line for help: "Intel 8254 interval timer" */
    size_t size;               /* of the device struct, which starts with struct device */
    uint32_t s_offset, s_size; /* where its state member `s` lies: DEVICE_STATE(T) */
    const struct state_field *state;
    const struct prop *props;
    const struct port_range *ports; /* claimed at attach; ends with .count = 0; NULL: none */
    const struct pci_desc *pci;     /* a PCI function (hw/pci.h), or NULL */
    /* Claim what the tables cannot say (MMIO regions, timers, contracts); may fail for host
     * reasons. */
    bool (*attach)(struct device *dev, GError **err);
    /* After the table's reset values are in: lines, derived data. */
    void (*reset)(struct device *dev);
    /* After a snapshot's values are in: recompute derived data only; no side effects outside the
     * device. */
    void (*loaded)(struct device *dev);
    /* Release what attach took (also called after a failed attach of a later device). */
    void (*detach)(struct device *dev);
    /* Extra lines for `info NAME`, or NULL. */
    void (*info)(struct device *dev, GString *out);
};
#define DEVICE_STATE(T) .size = sizeof(T), .s_offset = offsetof(T, s), .s_size = sizeof(((T *)0)->s)

struct device {
    const struct device_ops *ops;
    struct machine *m;
    char *name; /* instance: "uart0" */
    uint32_t trace_mask;
    uint64_t guest_errors;
    bool attached;                /* device_attach succeeded: detach is due at the end */
    void *pci;                    /* struct pci_func of a PCI function, owned by hw/pci.c */
    struct exits_table *exits[2]; /* accesses to its ports, to its memory; NULL: none yet */
};

/*
 * Create an instance with its property defaults, not yet attached; the machine owns it.  Board
 * order is creation order.  Never fails (allocation failure aborts in glib; sizes are static).
 */
struct device *device_new(struct machine *m, const struct device_ops *ops, const char *name);
/* Set a property from text; false with CONFIG error naming device, property and the values it
 * takes. */
bool device_set(struct device *dev, const char *prop, const char *value, GError **err);
/* Claim the fixed ports and call attach.  machine_attach_all does this for every device in order.
 */
bool device_attach(struct device *dev, GError **err);
/* By instance name, or NULL. */
struct device *device_find(struct machine *m, const char *name);
/* machine.c: call detach if it was attached, free the properties' strings and the device. */
void device_free(struct device *dev);

/*
 * How a dispatcher splits an access of `left` bytes at `at` over registers that take `sizes`: the
 * largest naturally aligned part to do next, or 0 when even one byte is narrower than any register
 * here.
 */
static inline unsigned device_access_part(unsigned sizes, uint64_t at, unsigned left)
{
    for (unsigned part = 8; part; part >>= 1) {
        if ((sizes & part) && part <= left && !(at & (part - 1))) {
            return part;
        }
    }
    return 0;
}

#endif
