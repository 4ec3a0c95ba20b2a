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

void kvm_stats_init(struct kvm_vcpu *e)
{
    e->stats = kvm_capability(e->k->vm, KVM_CAP_BINARY_STATS_FD) > 0
                   ? kvm_call(e->fd, KVM_GET_STATS_FD, NULL)
                   : -1;
}

void kvm_stats_fini(struct kvm_vcpu *e)
{
    if (e->stats >= 0) {
        close(e->stats);
    }
}

static bool read_all(int fd, void *buf, size_t len, uint64_t at)
{
    return pread(fd, buf, len, (off_t)at) == (ssize_t)len;
}

void kvm_stats_tell(struct vcpu *v, void (*tell)(void *to, const char *name, uint64_t val),
                    void *to)
{
    const struct kvm_vcpu *e = v->engine;
    struct kvm_stats_header head;
    uint64_t val;

    if (!e || e->stats < 0 || !read_all(e->stats, &head, sizeof head, 0) ||
        head.num_desc > COUNTS_MAX || !head.name_size || head.name_size > NAME_MAX_BYTES) {
        return;
    }
    size_t each = sizeof(struct kvm_stats_desc) + head.name_size;
    g_autofree char *all = g_malloc(each * head.num_desc);
    if (!read_all(e->stats, all, each * head.num_desc, head.desc_offset)) {
        return;
    }
    for (unsigned n = 0; n < head.num_desc; n++) {
        struct kvm_stats_desc *d = (struct kvm_stats_desc *)(void *)(all + n * each);

        d->name[head.name_size - 1] = 0;
        if (d->size == 1 &&
            read_all(e->stats, &val, sizeof val, (uint64_t)head.data_offset + d->offset)) {
            tell(to, d->name, val);
        }
    }
}
