/*
 * Inside the KVM accelerator: what its files share.  kvm.c has the machine's part and the hooks,
 * kvm_mem.c the memory slots, kvm_vcpu.c a vCPU and its run loop, kvm_state.c the way between
 * struct cpu and the kernel, kvm_msr.c model-specific registers and the TSC, kvm_cpuid.c the CPU
 * model, kvm_irq.c the kernel's local APICs, kvm_posted.c writes that may wait, kvm_host.c what
 * this host's KVM can do.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst.
 *
 * Not modelled: see accel/kvm.c.
 */
#ifndef ACCEL_KVM_INT_H
#define ACCEL_KVM_INT_H

#include "accel/kvm.h"
#include "cpu/cpu.h"
#include <linux/kvm.h>
#include <signal.h>

/* Ends KVM_RUN (kvm_catch_kicks). */
#define KVM_SIGNAL (SIGRTMIN + 7)

/* One slot as the kernel has it. */
struct kvm_slot {
    uint64_t pa, size;
    uint8_t *host;
    struct ram *ram;
    uint64_t ram_offset;
    uint32_t flags; /* KVM_MEM_* */
    unsigned id;
};

/* machine.accel_data */
struct kvm {
    int dev, vm;
    size_t run_bytes; /* of struct kvm_run and what stands behind it */
    unsigned max_slots;
    GArray *slots;      /* struct kvm_slot */
    uint8_t *slot_used; /* by id */
    uint32_t tsc_khz;   /* of the guest's TSC */
    bool tsc_scaled;    /* not the host's own rate */
    bool has_readonly;
    struct kvm_coalesced_mmio_ring *ring; /* the kernel's, or NULL */
    GArray *zones;                        /* struct kvm_coalesced_mmio_zone that it knows */
    bool user_apic;                       /* the kernel's local APICs are not wanted */
    bool chosen;                          /* whether there is `split`: with the first vCPU */
    bool split;                           /* the local APICs are the kernel's (kvm_irq.c) */
    /* Under the machine lock: vCPUs in kvm_vcpu_run; what the I/O APIC wants to know the end of. */
    unsigned inside, nroutes;
    struct apic_message routes[APIC_ROUTES];
    struct kvm_cpuid2 *supported;
    /* The guest's TSC at virtual time 0 and offset 0, less the host's (scaled); the same for all
     * vCPUs, and new when virtual time has stood still.  Under tsc_lock. */
    GMutex tsc_lock;
    bool tsc_known;
    int64_t tsc_clock; /* machine.clock_offset that tsc_base is for */
    uint64_t tsc_base;
};

/* vcpu.engine */
struct kvm_vcpu {
    struct kvm *k;
    int fd;
    struct kvm_run *run;
    bool adapted; /* struct cpu is what this host can run */
    bool has_cpuid;
    bool loaded;         /* the newest state is the kernel's; else it is in struct cpu */
    bool given;          /* a vector of the 8259's, and the guest was perhaps not entered since */
    bool unfinished;     /* the last exit's instruction ends with the next KVM_RUN */
    bool tsc_set;        /* its TSC is what c->tsc_offset said */
    int64_t tsc_clock;   /* machine.clock_offset that it was set for */
    uint64_t tsc_offset; /* the kernel's, where it can be set; else 0 */
    int stats;           /* descriptor of the kernel's counts, or -1 */
    bool no_idt;         /* the guest's exceptions end in a shutdown (check_kvm.c) */
};

/* Tell people why the engine fails: a line on stderr. */
void kvm_say(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* ioctl that goes on after a signal; -1 with errno, or what it gave. */
int kvm_call(int fd, unsigned long request, void *arg);

/* What the device or the machine `fd` says of a capability (KVM_CAP_*): 0, or what it is worth. */
int kvm_capability(int fd, int cap);
/* Have KVM_SIGNAL end KVM_RUN and do nothing else; *old, which may be NULL, is how it was before.
 */
bool kvm_catch_kicks(struct sigaction *old);

/* kvm_host.c: /dev/kvm opened and its version and capabilities looked at; -1 with an error that
 * says what to do. */
int kvm_open(GError **err);
/* The set of CPUID leaves that KVM can show here and make true; NULL with a HOST error.  g_free. */
struct kvm_cpuid2 *kvm_supported_cpuid(int dev, GError **err);

/* kvm_mem.c: make the kernel's slots those of the machine's view.  vCPUs parked, lock held. */
bool kvm_mem_update(struct machine *m, GError **err);
void kvm_mem_fini(struct kvm *k);
/* Note in the page flags what the guest wrote since the last time to a logged slot, to all of a
 * block. */
void kvm_mem_pull_slot(struct machine *m, const struct kvm_slot *s);
void kvm_mem_pull_dirty(struct machine *m, struct ram *ram);

/* kvm_posted.c: begin, with a vCPU's memory; follow the memory map; end.  Lock held. */
void kvm_posted_init(struct machine *m, struct kvm_run *run);
void kvm_posted_update(struct machine *m);
void kvm_posted_fini(struct machine *m);

/* kvm_cpuid.c: take from c's model what the host has not; an ACCEL error that names it, if there is
 * any; tell the kernel what the guest sees. */
void kvm_cpuid_limit(struct kvm *k, struct cpu *c);
bool kvm_cpuid_fits(struct kvm *k, const struct cpu *c, GError **err);
bool kvm_cpuid_set(struct kvm_vcpu *e, struct cpu *c, GError **err);

/* kvm_msr.c */
bool kvm_msr_init(struct kvm *k, GError **err);
/* A read or write that the kernel leaves to us. */
void kvm_msr_exit(struct vcpu *v, bool write);
/* The TSC's rate (k->tsc_khz): the wanted one where the host can scale, else the host's own. */
void kvm_tsc_init(struct kvm *k);
bool kvm_tsc_set_rate(struct kvm_vcpu *e, uint32_t khz);
/* Make the kernel's TSC count what c->tsc_offset says; and the way back, of one, to see what it is
 * now; of all, for good: lock held, vCPUs out of guest code, time stands still. */
void kvm_tsc_push(struct vcpu *v);
void kvm_tsc_pull(struct vcpu *v);
void kvm_tsc_settle(struct machine *m);

/*
 * kvm_irq.c.  The choice, before the first vCPU is made; then accel_ops.apic_message, apic_routes
 * and apics_pull, and the way there: every vCPU calls kvm_irq_push before it enters the guest
 * (false: it failed, and was said), and kvm_irq_begin and kvm_irq_end around its run loop.  Without
 * lock: push, begin, end, exit_eoi.
 */
void kvm_irq_init(struct machine *m);
bool kvm_irq_message(struct machine *m, const struct apic_message *msg);
void kvm_irq_routes(struct machine *m, const struct apic_message *list, unsigned n);
void kvm_irq_pull(struct machine *m);
bool kvm_irq_push(struct machine *m);
void kvm_irq_begin(struct vcpu *v);
void kvm_irq_end(struct vcpu *v);
void kvm_irq_exit_eoi(struct vcpu *v);
/* Have what the kernel was given be in the state that it tells.  Lock held, vCPU out of guest code;
 * a kick may be lost meanwhile. */
void kvm_irq_settle(struct vcpu *v);
/* Whether the kernel's APIC lets an NMI in from its pin.  On the vCPU's thread. */
bool kvm_irq_lint1_is_nmi(struct vcpu *v);
/* The part of a vCPU's own state: cpu.halted and vcpu.wait_sipi; false with errno. */
bool kvm_irq_push_mp(struct vcpu *v);
bool kvm_irq_pull_mp(struct vcpu *v);
/* What of them is the local APIC's, whosever that is now: IA32_APIC_BASE and CR8. */
void kvm_irq_fill_sregs(struct vcpu *v, struct kvm_sregs *to);

/* kvm_state.c: parts of struct cpu to the kernel and back, and nothing but that; false with errno.
 */
enum {
    KVM_PART_REGS = 1,
    KVM_PART_SREGS = 2,
    KVM_PART_FPU = 4,
    KVM_PART_DEBUG = 8,
    KVM_PART_MSRS = 16,
    KVM_PART_EVENTS = 32,
    KVM_PARTS_ALL = 63
};
bool kvm_parts_push(struct vcpu *v, unsigned parts);
bool kvm_parts_pull(struct vcpu *v, unsigned parts);
/* Have KVM_RUN leave parts in the shared page; gives which it can (perhaps none).  Take them from
 * there. */
unsigned kvm_shared_parts(struct kvm_vcpu *e);
void kvm_shared_pull(struct vcpu *v);
/* All of it, with the TSC; false with errno's text in *err. */
bool kvm_state_push(struct vcpu *v, GError **err);
bool kvm_state_pull(struct vcpu *v, GError **err);

/* kvm_stats.c */
void kvm_stats_init(struct vcpu *v);
void kvm_stats_fini(struct vcpu *v);
void kvm_stats_tell(struct vcpu *v, void (*tell)(void *to, const char *name, uint64_t val),
                    void *to);
/* kvm.c: for engines that use KVM beside another (check_kvm.c): m->accel_data, without the kernel's
 * APICs; its end; the hook for changes of the memory map. */
bool kvm_machine_init(struct machine *m, GError **err);
void kvm_machine_fini(struct machine *m);
void kvm_map_changed(struct machine *m);
bool kvm_available(GError **err);

/* kvm_vcpu.c: the accelerator's hooks. */
bool kvm_vcpu_init(struct vcpu *v, GError **err);
void kvm_vcpu_fini(struct vcpu *v);
bool kvm_vcpu_attach(struct vcpu *v, bool force, GError **err);
void kvm_vcpu_detach(struct vcpu *v);
enum vcpu_exit kvm_vcpu_run(struct vcpu *v);
void kvm_vcpu_kick(struct vcpu *v);
void kvm_vcpu_reset(struct vcpu *v);
bool kvm_vcpu_pull(struct vcpu *v);
void kvm_vcpu_push(struct vcpu *v);
uint32_t kvm_vcpu_reg_get(struct vcpu *v, unsigned reg);
void kvm_vcpu_reg_set(struct vcpu *v, unsigned reg, uint32_t val);

#endif
