/*
 * What the host's kernel has counted of a vCPU: the exits that it serves itself, and how long it
 * slept for the guest.
 *
 * The descriptor of these counts is taken when the vCPU is made, as asking for it waits while the
 * guest runs; reading from it never does.  Some kernels have the counts and leave them at 0.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst (KVM_GET_STATS_FD).
 *
 * Not modelled: histograms.
 */
#include "accel/kvm_int.h"
#include <unistd.h>

enum { COUNTS_MAX = 1024, NAME_MAX_BYTES = 256 };

static bool read_all(int fd, void *buf, size_t len, uint64_t at)
{
    return pread(fd, buf, len, (off_t)at) == (ssize_t)len;
}

/* Call `each` with every count that is one number, and where it is in the file. */
static void for_all(const struct kvm_vcpu *e, void (*each)(void *to, const char *name, uint64_t at),
                    void *to)
{
    struct kvm_stats_header head;

    if (e->stats < 0 || !read_all(e->stats, &head, sizeof head, 0) || head.num_desc > COUNTS_MAX ||
        !head.name_size || head.name_size > NAME_MAX_BYTES) {
        return;
    }
    size_t size = sizeof(struct kvm_stats_desc) + head.name_size;
    g_autofree char *all = g_malloc(size * head.num_desc);
    if (!read_all(e->stats, all, size * head.num_desc, head.desc_offset)) {
        return;
    }
    for (unsigned n = 0; n < head.num_desc; n++) {
        struct kvm_stats_desc *d = (struct kvm_stats_desc *)(void *)(all + n * size);

        d->name[head.name_size - 1] = 0;
        if (d->size == 1) {
            each(to, d->name, (uint64_t)head.data_offset + d->offset);
        }
    }
}

static void note_blocking(void *to, const char *name, uint64_t at)
{
    uint64_t *blocking = to;

    if (!strcmp(name, "blocking")) {
        *blocking = at;
    }
}

void kvm_stats_init(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;
    uint64_t blocking = 0;

    e->stats = kvm_capability(e->k->vm, KVM_CAP_BINARY_STATS_FD) > 0
                   ? kvm_call(e->fd, KVM_GET_STATS_FD, NULL)
                   : -1;
    for_all(e, note_blocking, &blocking);
    if (e->k->split && blocking) { /* a HLT does not leave the guest */
        v->idle_at = blocking;
        atomic_store(&v->idle_fd, e->stats);
    }
}

void kvm_stats_fini(struct vcpu *v)
{
    const struct kvm_vcpu *e = v->engine;

    atomic_store(&v->idle_fd, -1);
    if (e->stats >= 0) {
        close(e->stats);
    }
}

/* To whom counts are told. */
struct listener {
    const struct kvm_vcpu *e;
    void (*tell)(void *to, const char *name, uint64_t val);
    void *to;
};

static void tell_one(void *to, const char *name, uint64_t at)
{
    const struct listener *l = to;
    uint64_t val;

    if (read_all(l->e->stats, &val, sizeof val, at)) {
        l->tell(l->to, name, val);
    }
}

void kvm_stats_tell(struct vcpu *v, void (*tell)(void *to, const char *name, uint64_t val),
                    void *to)
{
    struct listener l = {v->engine, tell, to};

    if (l.e) {
        for_all(l.e, tell_one, &l);
    }
}
