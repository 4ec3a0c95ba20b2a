/*
 * The PCI function contract (PCI Local Bus Specification 2.1): configuration space, BARs, INTx.
 *
 * A PCI device is an ordinary device whose ops have `.pci`; the board places it with pci_place
 * before attach.
 *
 * Not modelled: bridges below the root bus, expansion ROM BARs, message-signalled interrupts, power
 * management.
 */
#ifndef HW_PCI_H
#define HW_PCI_H

#include "hw/core/machine.h"

enum pci_bar_kind { PCI_BAR_NONE = 0, PCI_BAR_IO, PCI_BAR_MEM, PCI_BAR_MEM_PREFETCH };

struct pci_bar_desc {
    enum pci_bar_kind kind;
    uint32_t size;                  /* power of two */
    const struct port_range *ports; /* IO: one range, offsets from the BAR; .first unused */
    const struct mmio_ops
        *mmio; /* MEM: registers; NULL: the device gives a region with pci_set_bar_ram */
};

struct pci_desc {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* base << 16 | sub << 8 | interface */
    uint8_t revision, header_type;
    uint8_t interrupt_pin; /* 0: none, 1: INTA# */
    struct pci_bar_desc bars[6];
    /* After the generic part took a write to configuration space (masks applied).  May be NULL. */
    void (*config_written)(struct device *dev, unsigned off, unsigned size);
};

enum { PCI_MAX_FUNCS = 64 }; /* on bus 0 */

/* Guest-visible state of one function; part of the bus device's state table. */
struct pci_state {
    uint8_t config[256];
    bool irq; /* the function's INTx output */
};

struct pci_func {
    struct device *dev, *bus;
    const struct pci_desc *desc;
    uint8_t devfn;
    struct pci_state *s;     /* in the bus device */
    uint8_t write_mask[256]; /* bits the guest can change */
    uint8_t w1c_mask[256];   /* bits it clears by writing one */
    struct port_claim *bar_claim[6];
    struct region bar_region[6];
    bool bar_has_region[6]; /* bar_region is filled in */
    uint32_t bar_size[6];   /* bytes: the description's, or what pci_set_bar_size said */
    uint32_t bar_at[6];     /* where it is mapped now; PCI_BAR_UNMAPPED: nowhere */
};
#define PCI_BAR_UNMAPPED          0xffffffffu
#define PCI_DEVFN(slot, function) ((slot) << 3 | (function))

/* Configuration space offsets (PCI 2.1 figure 6-1) that devices here use. */
enum {
    PCI_COMMAND = 0x04,
    PCI_COMMAND_IO = BIT(0),
    PCI_COMMAND_MEMORY = BIT(1),
    PCI_COMMAND_MASTER = BIT(2),
    PCI_STATUS = 0x06,
    PCI_BAR0 = 0x10,
    PCI_INTERRUPT_LINE = 0x3c,
};

extern const struct device_ops
    pci_ops; /* the host bus: ports 0xcf8-0xcff; the board creates one, named "pci" */

/*
 * The board: device `dev` is function devfn (slot << 3 | function) on bus 0 of its machine's device
 * "pci", which must exist already (reset hooks run in creation order: the bus fills in the ids and
 * BARs, then the function's own reset hook may write more into pci_func(dev)->s->config).  Before
 * attach.
 */
void pci_place(struct device *dev, unsigned devfn);
/* The four PIRQ outputs of the bus (swizzled INTx, active high); the board connects them to the
 * router. */
struct line *pci_pirq(struct device *bus, unsigned n);
/* Another size than the description's for a memory BAR, a power of two of at least 16.  From
 * attach, before pci_set_bar_ram. */
void pci_set_bar_size(struct device *dev, unsigned bar, uint32_t size);
/* The memory behind a BAR declared with no mmio, of the BAR's size.  From attach. */
void pci_set_bar_ram(struct device *dev, unsigned bar, struct ram *ram, uint64_t ram_offset);
/* The function of a placed device. */
static inline struct pci_func *pci_func(struct device *dev)
{
    return dev->pci;
}
/* Let the guest change the `mask` bits of the `len` bytes (1..4, little-endian) at `off`.  From
 * attach. */
void pci_allow_write(struct device *dev, unsigned off, unsigned len, uint32_t mask);
/* Drive the function's INTx pin.  Lock held. */
void pci_set_irq(struct device *dev, bool level);
/* Whether the guest enabled bus mastering (command register bit 2): device DMA must check it. */
bool pci_can_dma(struct device *dev);

#endif
