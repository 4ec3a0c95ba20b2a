/*
 * The vCPU handle: what devices and the machine may ask of a processor, and what the processor asks
 * of its local APIC.
 *
 * Any request only sets a bit and kicks; the vCPU thread acts at its next instruction boundary.
 *
 * Not modelled: SMM (VCPU_REQ_SMI is reserved), and hot plug.
 */
#ifndef HW_CORE_VCPU_H
#define HW_CORE_VCPU_H

#include "hw/core/base.h"
#include "hw/core/exits.h"
#include <pthread.h>
#include <stdatomic.h>

struct machine;
struct device;
struct region;
struct mmio_ops;

enum {
    VCPU_REQ_INTR = BIT(0), /* the interrupt pin is high (level: the bit follows the pin) */
    VCPU_REQ_NMI = BIT(1),
    VCPU_REQ_SMI = BIT(2), /* reserved: no SMM */
    VCPU_REQ_INIT = BIT(3),
    VCPU_REQ_SIPI = BIT(4),  /* vector in sipi_vector */
    VCPU_REQ_TLB = BIT(5),   /* the memory map or A20 changed: empty every TLB */
    VCPU_REQ_CODE = BIT(6),  /* code was written, or may have been: see the notes (code.h) */
    VCPU_REQ_PARK = BIT(7),  /* an exclusive section wants this vCPU out of guest code */
    VCPU_REQ_STOP = BIT(8),  /* the machine stops */
    VCPU_REQ_RESET = BIT(9), /* reset the CPU to its power-on state */
    VCPU_REQ_LOOK =
        BIT(10), /* another engine has the vCPU: what it waits for may come there only */
};

/*
 * The state of a local APIC as software sees it, on its way to an engine that has APICs of its own,
 * and back.
 */
struct apic_state {
    uint64_t base;         /* IA32_APIC_BASE */
    uint64_t tsc_deadline; /* ns of virtual time; 0: none */
    /* The page of registers: 4 bytes at every 16; the APIC id in bits 31..24 in both modes; of the
     * timer's count what is left. */
    uint8_t regs[0x400];
};

/*
 * What the CPU asks of its local APIC.  `dev` is the APIC.  All are called with the lock held;
 * while machine.apics_away only ack and update are.
 */
struct apic_ops {
    /* The vector to deliver now, acknowledged (INTA cycle, ISR set; ExtINT asks the 8259); -1:
     * nothing after all. */
    int (*ack)(struct device *dev);
    uint64_t (*get_base)(struct device *dev); /* IA32_APIC_BASE; its own CPU needs no lock */
    bool (*set_base)(struct device *dev, uint64_t val); /* false: #GP */
    uint8_t (*get_tpr)(struct device *dev);             /* CR8: TPR bits 7..4, as 0..15 */
    void (*set_tpr)(struct device *dev, uint8_t cr8);
    bool (*msr_read)(struct device *dev, uint32_t msr,
                     uint64_t *val); /* x2APIC 0x800..0x83f, TSC deadline */
    bool (*msr_write)(struct device *dev, uint32_t msr, uint64_t val); /* false: #GP */
    void (*init)(struct device *dev); /* INIT: back to power-on state but for ID and base */
    /* Give the state away: the device's timer stops.  Take it back.  The caller sets
     * machine.apics_away, which is for all APICs of a machine. */
    void (*save)(struct device *dev, struct apic_state *to);
    void (*load)(struct device *dev, const struct apic_state *from);
    void (*update)(struct device *dev); /* the interrupt pin, after a change of apics_away */
};

/* The general registers, in the order of their encoding. */
enum { VCPU_EAX, VCPU_ECX, VCPU_EDX, VCPU_EBX, VCPU_ESP, VCPU_EBP, VCPU_ESI, VCPU_EDI };

struct vcpu {
    _Atomic uint32_t requests; /* VCPU_REQ_*; the engine tests it at block ends: keep first */
    _Atomic bool *look[2];     /* the engine's, set with every request; or NULL */
    unsigned id;               /* 0 .. n-1; also the APIC id */
    struct machine *m;
    const struct apic_ops *apic;
    struct device *apic_dev;
    /* Without a local APIC (486 models, tests): who acknowledges, with the lock held; see
     * machine.intack. */
    uint8_t sipi_vector;
    _Atomic unsigned nmis;  /* come since the vCPU looked last: those close together do not merge */
    _Atomic unsigned lint1; /* edges at LINT1 of an APIC that is away: the accelerator lets them
                               through as its LVT says, with VCPU_REQ_NMI */
    bool halted;            /* in HLT; written by the vCPU thread under `wake_lock` */
    _Atomic bool idle;      /* in HLT, spinning or asleep */
    /* Of an engine that waits in HLT itself: a descriptor, and the place in it of 8 bytes that are
     * 0 while the vCPU does not wait; else -1.  It may be closed at any time. */
    _Atomic int idle_fd;
    uint64_t idle_at;
    _Atomic bool parked; /* out of guest code: see the head of machine.c */
    _Atomic bool inside; /* in accel->vcpu_run, whatever it waits for; written under `wake_lock` */
    bool wait_sipi;      /* an application processor before its SIPI */
    pthread_t thread;
    GMutex wake_lock;
    GCond wake;
    _Atomic uint64_t
        insns; /* guest instructions retired (software engines), updated at block-loop exits */
    _Atomic uint64_t halts; /* HLTs entered; counted by vcpu_wait */
    bool short_wait;        /* the last HLT ended soon: worth spinning in the next */
    bool ready;             /* accel->vcpu_init succeeded: vcpu_fini is due */
    _Atomic bool running;   /* its thread was made and not joined yet */
    /* FERR#: an x87 exception is pending with CR0.NE clear.  Called with the lock held; NULL: not
     * connected. */
    void (*ferr)(struct device *dev);
    struct device *ferr_dev;
    GArray *notes; /* struct code_note: stores to code that this vCPU may hold blocks of; code.c */
    bool notes_lost; /* too many: all code is stale */
    struct exits exits;
    void *engine; /* the accelerator's own data */
    void *cpu;    /* struct cpu of the software CPU and of state_pull/push */
};

/* The interrupt pin.  Any thread with the lock. */
void vcpu_intr(struct vcpu *v, bool level);
void vcpu_nmi(struct vcpu *v);
void vcpu_init(struct vcpu *v);
void vcpu_sipi(struct vcpu *v, uint8_t vector);
/*
 * Ports that take and give values in general registers (backdoors of hypervisors): from within the
 * read or write function of a port, a register of the processor that waits for it.  False, and
 * nothing done: it is no processor that asks (the monitor, a test).  Setting clears a register's
 * upper half.  What a read gives goes to EAX afterwards, so that setting that one does nothing.
 */
bool vcpu_get_reg(struct machine *m, unsigned reg, uint32_t *val);
bool vcpu_set_reg(struct machine *m, unsigned reg, uint32_t val);
/* Set a request bit and make the vCPU look at it soon, also out of HLT.  Any thread. */
void vcpu_request(struct vcpu *v, uint32_t req);
/* Clear request bits (by the vCPU thread once it acted). */
static inline void vcpu_clear(struct vcpu *v, uint32_t req)
{
    atomic_fetch_and_explicit(&v->requests, ~req, memory_order_acq_rel);
}
static inline uint32_t vcpu_pending(struct vcpu *v)
{
    return atomic_load_explicit(&v->requests, memory_order_acquire);
}
/*
 * Sleep in HLT until any bit of `mask` is pending.  Called by the vCPU thread without the lock.
 * Spins for a few tens of microseconds first: a cross-CPU wake-up costs about 80 us on virtualised
 * hosts.
 */
void vcpu_wait(struct vcpu *v, uint32_t mask);
/* Used by machine.c: a handle (no thread, no engine); its thread, which runs until VCPU_REQ_STOP;
 * wait for its end. */
struct vcpu *vcpu_new(struct machine *m, unsigned id);
bool vcpu_start(struct vcpu *v,
                GError **err); /* lock held: the thread waits for it before it runs guest code */
void vcpu_join(struct vcpu *v);
void vcpu_free(struct vcpu *v);
/* The interrupt vector to deliver, or -1; takes the lock.  Called by the engine at an open
 * boundary. */
int vcpu_ack_intr(struct vcpu *v);

#endif
