/*
 * The accelerator contract: who executes the guest's instructions.
 *
 * `struct cpu` (cpu/cpu.h) is the one format of CPU state, whichever engine runs.  Nothing outside
 * accel/ asks which accelerator is in use.
 *
 * Not modelled here: how a machine goes from one engine to another (switch.c).
 */
#ifndef HW_CORE_ACCEL_H
#define HW_CORE_ACCEL_H

#include "hw/core/base.h"

struct machine;
struct vcpu;
struct ram;

/* A bus master's write that is an interrupt: address 0xfeexxxxx. */
struct apic_message {
    uint64_t addr;
    uint32_t data;
};
/* An I/O APIC's inputs: how many messages apic_routes takes at most. */
#define APIC_ROUTES 24

/* Why vcpu_run returned. */
enum vcpu_exit {
    VCPU_EXIT_REQUEST,  /* a request bit the engine does not serve itself is pending (PARK, STOP) */
    VCPU_EXIT_HALT,     /* HLT (or MWAIT) with nothing deliverable pending */
    VCPU_EXIT_SHUTDOWN, /* triple fault */
    VCPU_EXIT_BUDGET,   /* --max-insns is used up */
    VCPU_EXIT_ERROR,    /* the engine failed (message already logged) */
};

struct accel_ops {
    const char *name; /* "interp", "jit", "kvm" */
    const char *title;
    /* Whether this host can do it; HOST error with the reason (may be NULL: any can). */
    bool (*available)(GError **err);
    bool (*init)(struct machine *m, GError **err);
    void (*fini)(struct machine *m);
    bool (*vcpu_init)(struct vcpu *v, GError **err); /* creates v->cpu and v->engine */
    void (*vcpu_fini)(struct vcpu *v);
    /*
     * Create v->engine alone, for the v->cpu of a guest that has run already (`force`: also where
     * it would notice), and the way back.  What both engines use in v->cpu is left alone by either
     * and taken by state_push.  NULL: the machine cannot change to this engine.
     */
    bool (*vcpu_attach)(struct vcpu *v, bool force, GError **err);
    void (*vcpu_detach)(struct vcpu *v);
    /* Without the lock, on the vCPU's thread, until something needs attention.  INTR, NMI, INIT,
       SIPI, TLB, CODE and RESET requests are served inside; PARK and STOP return. */
    enum vcpu_exit (*vcpu_run)(struct vcpu *v);
    /* Make a running vcpu_run notice its requests (may be NULL: it polls them). */
    void (*vcpu_kick)(struct vcpu *v);
    void (*vcpu_reset)(struct vcpu *v); /* power-on state; vCPU not running */
    /* engine -> v->cpu (may be NULL: it lives there); false: it cannot be had (message told). */
    bool (*state_pull)(struct vcpu *v);
    void (*state_push)(struct vcpu *v); /* v->cpu is what counts now */
    /* A general register (VCPU_*) of a vCPU that waits for a port access to be answered; see
       vcpu_get_reg.  On its thread, with the lock. */
    uint32_t (*reg_get)(struct vcpu *v, unsigned reg);
    void (*reg_set)(struct vcpu *v, unsigned reg, uint32_t val);
    void (*map_changed)(struct machine *m); /* inside an aspace commit (may be NULL) */
    /* Note in a block's page flags what the guest wrote where the engine itself keeps record (may
     * be NULL: it notes it at once).  Lock held. */
    void (*dirty_pull)(struct machine *m, struct ram *ram);
    /*
     * Of an engine with local APICs of its own (else NULL), which takes the devices' state when it
     * runs the guest, and machine.apics_away with it.  Lock held.
     *
     * apic_message: deliver one; apics_away is set.  apic_routes: the level-triggered messages that
     * machine.apic_eoi is wanted for, all of them; any time.  apics_pull: the devices have the
     * state again; vCPUs out of guest code.
     */
    bool (*apic_message)(struct machine *m, const struct apic_message *msg);
    void (*apic_routes)(struct machine *m, const struct apic_message *list, unsigned n);
    void (*apics_pull)(struct machine *m);
    /* What an engine that translates has to say of itself: lines for people, and members for the
       vCPU's JSON object, each with ", " before it.  vCPU not running (may be NULL). */
    void (*print_info)(struct vcpu *v, GString *out);
    void (*stats_json)(struct vcpu *v, GString *out);
    /* What the host's kernel counted of a vCPU (exits that do not come to us among it), each by the
       name it has there.  Lock held (may be NULL: nothing is hidden). */
    void (*kernel_counts)(struct vcpu *v, void (*tell)(void *to, const char *name, uint64_t val),
                          void *to);
};

#endif
