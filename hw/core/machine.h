/*
 * struct machine: everything one virtual PC owns.  Two machines in one process share nothing.
 *
 * Threads: main (options, window), one I/O thread, one thread per vCPU, workers; see
 * docs/architecture.md section 4.
 *
 * Not modelled: several boards, hot plug, NUMA.
 */
#ifndef HW_CORE_MACHINE_H
#define HW_CORE_MACHINE_H

#include "hw/core/accel.h"
#include "hw/core/aspace.h"
#include "hw/core/base.h"
#include "hw/core/block.h"
#include "hw/core/chr.h"
#include "hw/core/clock.h"
#include "hw/core/config.h"
#include "hw/core/device.h"
#include "hw/core/display.h"
#include "hw/core/exits.h"
#include "hw/core/input.h"
#include "hw/core/line.h"
#include "hw/core/loop.h"
#include "hw/core/net.h"
#include "hw/core/ports.h"
#include "hw/core/sound.h"
#include "hw/core/state.h"
#include "hw/core/trace.h"
#include "hw/core/vcpu.h"

/* A board builds the devices of a machine and wires them; hw/pc.c has the only one. */
struct board {
    const char *name;
    /* Create RAM, devices and wires from m->config; lock held. */
    bool (*build)(struct machine *m, GError **err);
};

/* Why the machine ended (machine_wait). */
enum machine_end {
    END_NONE,         /* still running */
    END_POWER_OFF,    /* the guest powered itself off: exit 0 */
    END_RESET,        /* a reset with --no-reboot: exit 0 */
    END_TRIPLE_FAULT, /* under the exit policy: exit 5 */
    END_DEBUG_EXIT,   /* debug-exit port: exit code in end_code */
    END_BUDGET,       /* --max-insns: exit 6 */
    END_QUIT,  /* asked from outside (expectation met, time budget, monitor, signal); end_code */
    END_ERROR, /* engine failure: exit 1 */
};

struct machine {
    struct vm_config config;
    GMutex lock;
    _Atomic(void *) lock_owner; /* pthread_t of the holder: machine_assert_locked */
    pthread_key_t vcpu_key;     /* a vCPU thread's own struct vcpu */
    bool have_vcpu_key;

    /* devices, in board order */
    GPtrArray *devices;

    /* memory (aspace.c) */
    GPtrArray *rams;            /* struct ram * */
    GPtrArray *regions;         /* struct region *, in order of adding */
    struct flat_range *view[2]; /* [0] reads, [1] writes; sorted by base */
    unsigned view_len[2];
    _Atomic uint32_t view_hit[2]; /* where the last look-up found something: tried first */
    uint64_t dma_errors;          /* DMA to where nothing answers */
    int aspace_depth;
    bool aspace_changed;
    _Atomic uint64_t a20_mask; /* ANDed onto physical addresses by the CPU */
    GMutex code_lock;          /* leaf lock of code.c: claims of code pages, notes about stores */

    /* ports (ports.c) */
    struct port_claim **port_map; /* 65536 entries, NULL: unclaimed */
    GPtrArray *port_claims;
    uint64_t port_unclaimed;

    struct exits_clock exits;

    /* time (clock.c) */
    GSequence *timers;
    unsigned timer_retries; /* armed by timer_retry_at */
    bool clock_stepped;
    int64_t clock_stepped_real;        /* stepped: what clock_real is ahead of virtual time */
    _Atomic bool clock_running;        /* never in stepped mode */
    _Atomic int64_t clock_offset;      /* running: virtual = host monotonic + offset */
    _Atomic int64_t clock_stepped_now; /* not running: virtual */

    /* I/O thread (loop.c) */
    void *loop;

    /* processors */
    unsigned ncpus;
    struct vcpu **vcpus; /* ncpus of them, there from machine_new on */
    /* NULL: a machine without processors' threads (tests).  Changed by machine_switch. */
    const struct accel_ops *_Atomic accel;
    void *accel_data;
    bool accel_ready; /* accel->init succeeded: fini is due */
    /* Without a local APIC: acknowledge at the 8259 pair; returns the vector or -1.  Set by the
     * board. */
    int (*intack)(struct machine *m);
    GCond parked_cond; /* a vCPU parked or left the machine lock; see machine_exclusive_begin */
    /* The local APICs' state is the accelerator's, and what the devices have is old.  Written with
     * the lock held. */
    _Atomic bool apics_away;
    /* An APIC of the accelerator's ended a level-triggered vector; set by the I/O APIC.  Lock held.
     */
    void (*apic_eoi)(struct machine *m, uint8_t vector);
    /* Another engine runs the machine: call its apic_routes.  Set by the I/O APIC; lock held. */
    void (*apic_tell)(struct machine *m);
    /* The accelerator's: do the writes that the guest made and that wait still; called for whoever
     * gets the lock, before it goes on.  NULL: there are none. */
    void (*posted)(struct machine *m);
    unsigned exclusive_depth; /* sections begun (waiting or inside) and not ended */
    bool paused;              /* machine_pause: vCPUs stay parked, time stands still */
    bool switching;           /* the same for as long as machine_switch lasts */
    unsigned switches;        /* of engines, so far */
    bool fault_shown;         /* a triple fault was reported already */

    GPtrArray *blocks; /* struct block *, all that block_attach gave us */

    /* contracts filled by devices at attach */
    const struct display_ops *display;
    struct device *display_dev;
    const struct input_ops *input;
    struct device *input_dev;
    const struct tablet_ops *tablet;
    struct device *tablet_dev;
    struct block *
        drives[VM_MAX_DRIVES]; /* opened by the front end before build; index as in config.drives */
    struct net *nics[VM_MAX_NICS];  /* likewise, not owned; NULL: no such card */
    struct chr *serial[VM_SERIALS]; /* likewise */
    struct chr *debugcon;
    struct sound *sound;     /* likewise; NULL: nobody listens */
    GBytes *kernel, *initrd; /* contents, read by the front end; unreferenced by machine_free */
    GBytes *bios_image, *vga_bios_image; /* firmware contents, likewise */
    GBytes *linuxboot_rom,
        *multiboot_rom;  /* pc-bios/optionrom, given by the front end; needed with `kernel` */
    GBytes *netboot;     /* what `n` in the boot order starts, a bzImage; NULL: nothing */
    GBytes *netboot_rom; /* pc-bios/optionrom, needed with `netboot` */

    /* ending */
    GMutex end_lock;
    GCond end_cond;
    _Atomic int end; /* enum machine_end */
    int end_code;
    bool started, stopped;
    bool reset_pending;
    uint64_t resets;
    int64_t reset_at; /* virtual time of the last reset: where every TSC starts */

    /* blocks (block.c) */
    unsigned blocks_in_flight;
    uint64_t block_epoch;

    /* traces */
    uint32_t trace_mask;
    void *log; /* FILE *, or NULL: stderr */
    GMutex trace_lock;

    /* Text shown with a triple fault; filled by the engine (Capstone lives in ui).  On the vCPU's
     * thread, no lock. */
    void (*fault_report)(struct vcpu *v, GString *out);
    /* Called when a vCPU goes to sleep in HLT, on its thread without the lock; NULL: nobody wants
     * to know.  Set before they start.  An accelerator whose HLT is the host's business does not.
     */
    void (*on_idle)(void *arg);
    void *on_idle_arg;
    /* Disassemble one instruction for traces; set by ui: writes text, returns length. */
    int (*disassemble)(const uint8_t *bytes, size_t len, uint64_t ip, unsigned bits, char *text,
                       size_t max);
};

/* New machine with a copy of the configuration; the accelerator is chosen by the caller; nothing
 * runs yet. */
struct machine *machine_new(const struct vm_config *config, const struct accel_ops *accel);
/* Build the board, attach every device, create the vCPUs, reset.  On failure the machine can only
 * be freed. */
bool machine_build(struct machine *m, const struct board *board, GError **err);
/* Start the I/O thread, the clock and the vCPU threads. */
bool machine_run(struct machine *m, GError **err);
/* Wait until the machine ended or `timeout_ms` passed (-1: for ever). */
enum machine_end machine_wait(struct machine *m, int64_t timeout_ms);
/* End the machine from any thread: first caller wins. */
void machine_end(struct machine *m, enum machine_end end, int code);
/* Stop the vCPUs, drain the disks, stop time.  Not on a vCPU or the I/O thread. */
void machine_stop(struct machine *m);
void machine_free(struct machine *m);

/* The guest's reset (port 0xcf9, keyboard controller, triple fault): happens soon, in the I/O
 * thread; until then no vCPU runs on.  Lock held. */
void machine_request_reset(struct machine *m);
/* Power-off: ends the machine with END_POWER_OFF unless --no-shutdown.  Lock held. */
void machine_power_off(struct machine *m);
/* All devices' state tables and reset hooks, then the vCPUs.  Lock held, vCPUs parked or not yet
 * started. */
void machine_reset(struct machine *m);

/* Hold the guest (vCPUs parked soon, time stands still) and let it go on.  Lock held. */
void machine_pause(struct machine *m);
void machine_resume(struct machine *m);
/* switch.c: let go of the lock until a vCPU has parked or another thread let it go; let those in
 * that are held, if nothing else holds them. */
void machine_wait_parked(struct machine *m);
void machine_let_in(struct machine *m);
/* vcpu.c: whether vCPUs have to stay out of guest code (a pause, a reset to come, a
 * change of engines).  Lock held. */
bool machine_holds_vcpus(const struct machine *m);
/* Whether every vCPU is in HLT just now.  Any thread. */
bool machine_is_idle(const struct machine *m);
/*
 * Go on with another engine, whether the machine runs or is held; all of the guest's state goes
 * over, and its time stands still meanwhile.  `force`: also where the guest would notice.  False:
 * nothing has changed.  Lock held, and let go of until every vCPU is out of its engine; not on a
 * vCPU's thread and not in an exclusive section.
 */
bool machine_switch(struct machine *m, const struct accel_ops *to, bool force, GError **err);
/* The vCPU whose thread this is, or NULL. */
struct vcpu *machine_current_vcpu(struct machine *m);

/* The lock: taken by dispatchers and loop callbacks only. */
void machine_lock(struct machine *m);
/* Take it if nobody has it, else false at once.  Not on a vCPU's thread. */
bool machine_trylock(struct machine *m);
void machine_unlock(struct machine *m);
/* The same on the thread of v, which spares asking whose it is. */
void machine_lock_vcpu(struct vcpu *v);
void machine_unlock_vcpu(struct vcpu *v);
void machine_assert_locked(struct machine *m);

/*
 * Exclusive section: every other vCPU is out of guest code (waiting for the lock, halted or
 * parked).  Lock held, any thread; nests.  It lets go of the lock while it waits, but no other
 * thread gets through machine_lock before machine_exclusive_end, so the caller's devices do not
 * change under it.
 */
void machine_exclusive_begin(struct machine *m);
void machine_exclusive_end(struct machine *m);

/* A20: gate open (true) lets address bit 20 through.  Lock held; empties the TLBs on a change. */
void machine_set_a20(struct machine *m, bool on);

/* JSON object text of the counters: accesses by device and range, instructions, halts, disks.  Lock
 * held. */
void machine_stats_json(struct machine *m, GString *out);

#endif
