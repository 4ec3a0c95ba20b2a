/*
 * What this host's KVM is and can do: open the device, look at its capabilities, and run some small
 * guests of our own.  Some hosts offer a /dev/kvm that cannot run every mode (a KVM without VT-x
 * or AMD-V below it may enter long mode and make no progress there), and only trying shows it.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst.
 *
 * Not modelled: nothing of a guest's; the machine is made in kvm.c.
 */
#define _GNU_SOURCE /* pthread_timedjoin_np */
#include "accel/kvm_int.h"
#include "accel/kvm_why.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int kvm_call(int fd, unsigned long request, void *arg)
{
    int n;

    do {
        n = ioctl(fd, request, arg);
    } while (n < 0 && errno == EINTR && request != KVM_RUN);
    return n;
}

int kvm_capability(int fd, int cap)
{
    return kvm_call(fd, KVM_CHECK_EXTENSION, (void *)(uintptr_t)cap);
}

/* Ends KVM_RUN by being there. */
static void on_kick(int signal)
{
    (void)signal;
}

bool kvm_catch_kicks(struct sigaction *old)
{
    struct sigaction kick = {.sa_handler = on_kick};

    return !sigaction(KVM_SIGNAL, &kick, old);
}

/* ---- the device ---- */

static const struct {
    int cap;
    const char *name;
} needed[] = {
    {KVM_CAP_USER_MEMORY, "memory slots"},
    {KVM_CAP_IMMEDIATE_EXIT, "immediate exits"},
    {KVM_CAP_X86_USER_SPACE_MSR, "MSR exits"},
    {KVM_CAP_X86_MSR_FILTER, "MSR filters"},
    {KVM_CAP_XSAVE, "XSAVE state"},
    {KVM_CAP_VCPU_EVENTS, "event state"},
    {KVM_CAP_EXT_CPUID, "CPUID"},
};

static bool check_capabilities(int dev, GError **err)
{
    int version = kvm_call(dev, KVM_GET_API_VERSION, NULL);

    if (version != KVM_API_VERSION) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                    "/dev/kvm: its interface has version %d, ours is %d", version, KVM_API_VERSION);
        return false;
    }
    for (unsigned i = 0; i < ARRAY_LEN(needed); i++) {
        if (kvm_capability(dev, needed[i].cap) <= 0) {
            g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                        "/dev/kvm: this kernel's KVM has no %s (Linux 5.10 or newer is needed)",
                        needed[i].name);
            return false;
        }
    }
    return true;
}

int kvm_open(GError **err)
{
    g_autofree char *why = NULL;
    int dev = kvm_open_device("", &why);

    if (dev < 0) {
        g_set_error_literal(err, CANDELA_ERROR, CANDELA_ERROR_HOST, why);
        return -1;
    }
    if (!check_capabilities(dev, err)) {
        close(dev);
        return -1;
    }
    return dev;
}

/* The leaves as the kernel gives them. */
static struct kvm_cpuid2 *leaves(int dev, GError **err)
{
    for (unsigned n = 128; n <= 1024; n *= 2) {
        struct kvm_cpuid2 *list = g_malloc0(sizeof *list + n * sizeof list->entries[0]);

        list->nent = n;
        if (kvm_call(dev, KVM_GET_SUPPORTED_CPUID, list) >= 0) {
            return list;
        }
        g_free(list);
        if (errno != E2BIG) {
            break;
        }
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "/dev/kvm: KVM_GET_SUPPORTED_CPUID: %s",
                g_strerror(errno));
    return NULL;
}

/* ---- the small guests ---- */

enum {
    TRY_BYTES = 64 * 1024,
    TRY_CODE = 0x1000,
    TRY_TABLES = 0x4000,
    TRY_MS = 3000,
    TRY_LOOPS = 1000,
    TRY_PORT = 0x7e
};

enum trial_kind { TRIAL_16, TRIAL_LONG, TRIAL_XCR0 };

struct trial {
    int dev, vm, vcpu;
    uint8_t *memory;
    struct kvm_run *run;
    size_t run_bytes;
    enum trial_kind kind;
    _Atomic bool passed;
};

static void trial_close(struct trial *t)
{
    if (t->run && t->run != MAP_FAILED) {
        munmap(t->run, t->run_bytes);
    }
    if (t->memory && t->memory != MAP_FAILED) {
        munmap(t->memory, TRY_BYTES);
    }
    if (t->vcpu >= 0) {
        close(t->vcpu);
    }
    if (t->vm >= 0) {
        close(t->vm);
    }
}

static bool trial_open(struct trial *t)
{
    struct kvm_userspace_memory_region slot = {.memory_size = TRY_BYTES};
    g_autofree struct kvm_cpuid2 *cpuid = NULL;
    int size = kvm_call(t->dev, KVM_GET_VCPU_MMAP_SIZE, NULL);

    t->vcpu = t->vm = -1;
    t->memory = mmap(NULL, TRY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    t->vm = kvm_call(t->dev, KVM_CREATE_VM, NULL);
    if (t->memory == MAP_FAILED || t->vm < 0 || size <= 0) {
        return false;
    }
    slot.userspace_addr = (uintptr_t)t->memory;
    t->vcpu = kvm_call(t->vm, KVM_CREATE_VCPU, NULL);
    if (t->vcpu < 0 || kvm_call(t->vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0) {
        return false;
    }
    cpuid = leaves(t->dev, NULL); /* without, EFER.LME cannot be set */
    if (!cpuid || kvm_call(t->vcpu, KVM_SET_CPUID2, cpuid) < 0) {
        return false;
    }
    t->run_bytes = (size_t)size;
    t->run = mmap(NULL, t->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, t->vcpu, 0);
    return t->run != MAP_FAILED;
}

/* Add 0x1234, TRY_LOOPS times, in a loop that stores; then tell a port. */
static const uint8_t trial_code_16[] = {
    0xb9, 0xe8,     0x03, /* mov cx, TRY_LOOPS */
    0x05, 0x34,     0x12, /* add ax, 0x1234 */
    0xa3, 0x00,     0x20, /* mov [0x2000], ax */
    0xe2, 0xf8,           /* loop */
    0xe7, TRY_PORT,       /* out TRY_PORT, ax */
    0xf4,
};
/* kvm_trial.S: the steps that the one counts, what the other sets XCR0 to */
extern const uint8_t kvm_trial[], kvm_trial_end[], kvm_trial_xcr0[], kvm_trial_xcr0_end[];
enum { TRIAL_STEPS = 5, TRIAL_XCR0_VALUE = 3 };

static bool trial_start(struct trial *t)
{
    const struct {
        const uint8_t *at;
        size_t len;
    } code[] = {
        [TRIAL_16] = {trial_code_16, sizeof trial_code_16},
        [TRIAL_LONG] = {kvm_trial, (size_t)(kvm_trial_end - kvm_trial)},
        [TRIAL_XCR0] = {kvm_trial_xcr0, (size_t)(kvm_trial_xcr0_end - kvm_trial_xcr0)},
    };
    struct kvm_regs r = {.rip = TRY_CODE, .rflags = FLAG_1, .rsp = 0x3000};
    struct kvm_sregs s;

    if (kvm_call(t->vcpu, KVM_GET_SREGS, &s) < 0) {
        return false;
    }
    s.cs.selector = 0;
    s.cs.base = 0;
    memcpy(t->memory + TRY_CODE, code[t->kind].at, code[t->kind].len);
    return kvm_call(t->vcpu, KVM_SET_SREGS, &s) >= 0 && kvm_call(t->vcpu, KVM_SET_REGS, &r) >= 0;
}

static bool trial_answered(const struct trial *t)
{
    static const struct {
        uint32_t size, val;
    } want[] = {
        [TRIAL_16] = {2, (uint16_t)(TRY_LOOPS * 0x1234u)},
        [TRIAL_LONG] = {4, TRIAL_STEPS},
        [TRIAL_XCR0] = {2, TRIAL_XCR0_VALUE},
    };
    const struct kvm_run *r = t->run;
    struct kvm_xcrs xcrs = {0};
    uint32_t val = 0;

    if (r->exit_reason != KVM_EXIT_IO || r->io.port != TRY_PORT || r->io.count != 1 ||
        r->io.size != want[t->kind].size) {
        return false;
    }
    memcpy(&val, (const uint8_t *)r + r->io.data_offset, r->io.size);
    return val == want[t->kind].val &&
           (t->kind != TRIAL_XCR0 || (kvm_call(t->vcpu, KVM_GET_XCRS, &xcrs) >= 0 && xcrs.nr_xcrs &&
                                      xcrs.xcrs[0].value == TRIAL_XCR0_VALUE));
}

static void *trial_thread(void *arg)
{
    struct trial *t = arg;

    if (kvm_call(t->vcpu, KVM_RUN, NULL) >= 0) {
        atomic_store(&t->passed, trial_answered(t));
    }
    return NULL;
}

/* Run it on a thread of its own, so that one that makes no progress can be given up. */
static bool trial_run(struct trial *t)
{
    struct sigaction old;
    struct timespec until;
    pthread_t thread;

    if (!kvm_catch_kicks(&old) || pthread_create(&thread, NULL, trial_thread, t)) {
        return false;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TRY_MS * 1000000l;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (pthread_timedjoin_np(thread, NULL, &until) == ETIMEDOUT) {
        t->run->immediate_exit = 1;
        pthread_kill(thread, KVM_SIGNAL);
        until.tv_nsec = (until.tv_nsec + 10000000) % 1000000000;
        until.tv_sec += until.tv_nsec < 10000000;
    }
    sigaction(KVM_SIGNAL, &old, NULL);
    return atomic_load(&t->passed);
}

/* *error: of the machine that could not be made, or 0. */
static bool trial_passes(int dev, enum trial_kind kind, int *error)
{
    struct trial t = {.dev = dev, .kind = kind};
    bool passed = trial_open(&t);

    *error = passed ? 0 : errno;
    passed = passed && trial_start(&t) && trial_run(&t);
    trial_close(&t);
    return passed;
}

/*
 * Without XSAVE where KVM does not see what a guest sets XCR0 to (QEMU 7.2's AMD-V does not leave
 * the guest for XSETBV): the guest would be told wrong sizes, and its XCR0 be lost on the way to
 * another engine.
 */
struct kvm_cpuid2 *kvm_supported_cpuid(int dev, GError **err)
{
    struct kvm_cpuid2 *list = leaves(dev, err);
    int error;

    for (unsigned n = 0; list && n < list->nent; n++) {
        struct kvm_cpuid_entry2 *l = &list->entries[n];

        if (l->function == 1 && l->ecx & BIT(26) && !trial_passes(dev, TRIAL_XCR0, &error)) {
            l->ecx &= ~BIT(26);
        }
    }
    return list;
}

enum kvm_fit kvm_try(char **why)
{
    g_autoptr(GError) err = NULL;
    int dev = kvm_open(&err);
    enum kvm_fit fit;
    int error;

    *why = NULL;
    if (dev < 0) {
        *why = g_strdup(err->message);
        return KVM_FIT_NONE;
    }
    fit = !trial_passes(dev, TRIAL_16, &error)     ? KVM_FIT_NONE
          : !trial_passes(dev, TRIAL_LONG, &error) ? KVM_FIT_SMALL
                                                   : KVM_FIT_ALL;
    close(dev);
    if (fit == KVM_FIT_NONE && error == EBUSY) {
        *why = kvm_facts_explain(NULL, error);
    } else if (fit == KVM_FIT_NONE) {
        *why = g_strdup("/dev/kvm is there, but a small guest made no progress on it");
    } else if (fit == KVM_FIT_SMALL) {
        *why = g_strdup("/dev/kvm does not run 64-bit code as a processor does (no VT-x or "
                        "AMD-V is below it); real mode and 32-bit guests run");
    }
    return fit;
}
