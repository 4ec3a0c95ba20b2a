/*
 * Posted writes: stores to the VGA's window and registers that the kernel keeps in a ring instead
 * of leaving the guest for each (coalesced MMIO and PIO).  Drawing in 16 colours and clearing a
 * screen are tens of thousands of them in a row, and all that matters is their order.
 *
 * Whoever gets the machine lock finds them done (machine.posted): so nothing else of the guest's,
 * no frame and no look of the monitor's comes before them, and they wait for no longer than that.
 * Writes may come late where the device says so: MMIO that is plain memory (mmio_ops.passive),
 * ports marked SIZE_POSTED.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst (KVM_REGISTER_COALESCED_MMIO).
 *
 * Not modelled: nothing of a guest's.
 */
#include "accel/kvm_int.h"
#include <errno.h>

/* KVM_COALESCED_MMIO_MAX, whose page is not defined here. */
#define RING_SIZE                                                                                  \
    ((uint32_t)((PAGE_BYTES - sizeof(struct kvm_coalesced_mmio_ring)) /                            \
                sizeof(struct kvm_coalesced_mmio)))

static void take_one(struct machine *m, const struct kvm_coalesced_mmio *w)
{
    uint64_t val = 0;
    unsigned len = MIN(w->len, 8u);

    memcpy(&val, w->data, len);
    if (w->pio) {
        port_write_locked(m, (uint16_t)w->phys_addr, (uint32_t)val, len);
        return;
    }
    for (unsigned at = 0, size; at < len; at += size) {
        size = len - at >= 8 ? 8 : len - at >= 4 ? 4 : len - at >= 2 ? 2 : 1;
        aspace_write_locked(m, w->phys_addr + at, val >> 8 * at, size, NULL);
    }
}

/* What comes meanwhile is for the next time: a guest cannot keep us here. */
static void posted_take(struct machine *m)
{
    struct kvm *k = m->accel_data;
    struct kvm_coalesced_mmio_ring *r = k->ring;
    uint32_t first = r->first, last = __atomic_load_n(&r->last, __ATOMIC_ACQUIRE);

    if (likely(first == last) || last >= RING_SIZE) {
        return;
    }
    while (first != last) {
        struct kvm_coalesced_mmio w = r->coalesced_mmio[first % RING_SIZE];

        first = (first + 1) % RING_SIZE;
        __atomic_store_n(&r->first, first, __ATOMIC_RELEASE);
        take_one(m, &w);
    }
}

/* The first vCPU's memory has the ring, of which a machine has one. */
void kvm_posted_init(struct machine *m, struct kvm_run *run)
{
    struct kvm *k = m->accel_data;
    int page = kvm_capability(k->vm, KVM_CAP_COALESCED_MMIO);

    if (m->accel->vcpu_run != kvm_vcpu_run) {
        return; /* KVM beside another engine, which wants to see every one */
    }
    if (!k->ring && page > 0 && k->run_bytes >= ((size_t)page + 1) * PAGE_BYTES) {
        k->ring = (struct kvm_coalesced_mmio_ring *)((char *)run + (size_t)page * PAGE_BYTES);
        m->posted = posted_take;
        kvm_posted_update(m);
    }
}

void kvm_posted_fini(struct machine *m)
{
    struct kvm *k = m->accel_data;

    m->posted = NULL;
    k->ring = NULL;
    g_clear_pointer(&k->zones, g_array_unref);
}

static bool zone_tell(struct kvm *k, const struct kvm_coalesced_mmio_zone *z, bool there)
{
    struct kvm_coalesced_mmio_zone zone = *z;

    return kvm_call(k->vm, there ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO,
                    &zone) >= 0;
}

static bool zone_is_in(const GArray *list, const struct kvm_coalesced_mmio_zone *z)
{
    for (unsigned i = 0; i < list->len; i++) {
        const struct kvm_coalesced_mmio_zone *o =
            &g_array_index(list, struct kvm_coalesced_mmio_zone, i);

        if (o->addr == z->addr && o->size == z->size && o->pio == z->pio) {
            return true;
        }
    }
    return false;
}

static void zones_of_memory(struct machine *m, GArray *to)
{
    for (unsigned i = 0; i < m->view_len[1]; i++) {
        const struct flat_range *r = &m->view[1][i];

        if (!r->host && r->region->kind == REGION_MMIO && r->region->ops->passive &&
            r->size <= UINT32_MAX) {
            struct kvm_coalesced_mmio_zone z = {.addr = r->base, .size = (uint32_t)r->size};

            g_array_append_val(to, z);
        }
    }
}

static void zones_of_ports(struct machine *m, GArray *to)
{
    for (unsigned i = 0; i < m->port_claims->len; i++) {
        const struct port_claim *c = g_ptr_array_index(m->port_claims, i);

        if (c->range.sizes & SIZE_POSTED && m->port_map[c->range.first] == c) {
            struct kvm_coalesced_mmio_zone z = {
                .addr = c->range.first, .size = c->range.count, .pio = 1};

            g_array_append_val(to, z);
        }
    }
}

/* Have the kernel's zones be those of the map; what it refuses only costs exits. */
void kvm_posted_update(struct machine *m)
{
    struct kvm *k = m->accel_data;
    g_autoptr(GArray) old = k->zones;

    if (!k->ring) {
        return;
    }
    k->zones = g_array_new(FALSE, FALSE, sizeof(struct kvm_coalesced_mmio_zone));
    zones_of_memory(m, k->zones);
    if (kvm_capability(k->vm, KVM_CAP_COALESCED_PIO) > 0) {
        zones_of_ports(m, k->zones);
    }
    for (unsigned i = 0; old && i < old->len; i++) {
        const struct kvm_coalesced_mmio_zone *z =
            &g_array_index(old, struct kvm_coalesced_mmio_zone, i);

        if (!zone_is_in(k->zones, z)) {
            (void)zone_tell(k, z, false);
        }
    }
    for (unsigned i = 0; i < k->zones->len; i++) {
        const struct kvm_coalesced_mmio_zone *z =
            &g_array_index(k->zones, struct kvm_coalesced_mmio_zone, i);

        if (!old || !zone_is_in(old, z)) {
            (void)zone_tell(k, z, true);
        }
    }
}
