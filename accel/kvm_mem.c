/*
 * KVM's memory slots: what the guest's processor reaches without leaving.
 *
 * A slot is RAM that reads and writes alike reach (or reads only: then writes leave the guest, and
 * go where the machine's view for writes says).  While the A20 gate is closed, the second MiB shows
 * the first: all that a program in real mode can see of it.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst, KVM_SET_USER_MEMORY_REGION, KVM_GET_DIRTY_LOG.
 *
 * Not modelled: an A20 gate for addresses above 2 MiB, dirty rings, huge slots by guest_memfd.
 */
#include "accel/kvm_int.h"
#include <errno.h>

static bool slot_is_same(const struct kvm_slot *a, const struct kvm_slot *b)
{
    return a->pa == b->pa && a->size == b->size && a->host == b->host && a->flags == b->flags;
}

static bool slot_tell(struct kvm *k, const struct kvm_slot *s, bool there, GError **err)
{
    struct kvm_userspace_memory_region r = {
        .slot = s->id,
        .flags = there ? s->flags : 0,
        .guest_phys_addr = s->pa,
        .memory_size = there ? s->size : 0,
        .userspace_addr = (uintptr_t)s->host,
    };

    if (kvm_call(k->vm, KVM_SET_USER_MEMORY_REGION, &r) >= 0) {
        return true;
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                "KVM: memory at %#" G_GINT64_MODIFIER "x, %#" G_GINT64_MODIFIER "x bytes: %s",
                s->pa, s->size, g_strerror(errno));
    return false;
}

/* The piece of a view that holds pa; *end: where it, or the gap, ends. */
static const struct flat_range *view_at(const struct flat_range *v, unsigned len, uint64_t pa,
                                        uint64_t *end)
{
    for (unsigned i = 0; i < len; i++) {
        if (pa < v[i].base) {
            *end = MIN(*end, v[i].base);
            return NULL;
        }
        if (pa - v[i].base < v[i].size) {
            *end = MIN(*end, v[i].base + v[i].size);
            return &v[i];
        }
    }
    return NULL;
}

static void slot_add(GArray *to, uint64_t pa, uint64_t end, const struct flat_range *r,
                     uint64_t from, bool writable)
{
    uint64_t skip = align_up(pa, PAGE_BYTES) - pa;
    struct kvm_slot s = {
        .pa = pa + skip,
        .host = r->host + (from - r->base) + skip,
        .ram = r->region->ram,
        .flags = writable ? 0 : KVM_MEM_READONLY,
    };

    end &= ~PAGE_OFFSET_MASK;
    if (end <= s.pa || (uintptr_t)s.host & PAGE_OFFSET_MASK) {
        return;
    }
    s.size = end - s.pa;
    s.ram_offset = (uint64_t)(s.host - s.ram->host);
    s.flags |= s.ram->log_dirty && writable ? KVM_MEM_LOG_DIRTY_PAGES : 0;
    g_array_append_val(to, s);
}

/* The slots of [pa, end), which shows what the view has at pa + shift. */
static void slots_of_span(struct machine *m, GArray *to, uint64_t pa, uint64_t end, int64_t shift,
                          bool has_readonly)
{
    while (pa < end) {
        uint64_t at = pa + (uint64_t)shift, stop = end + (uint64_t)shift;
        const struct flat_range *r = view_at(m->view[0], m->view_len[0], at, &stop);
        const struct flat_range *w = view_at(m->view[1], m->view_len[1], at, &stop);

        if (r && r->host) {
            bool writable = w && w->host && w->host - w->base == r->host - r->base;

            if (writable || has_readonly) {
                slot_add(to, pa, stop - (uint64_t)shift, r, at, writable);
            }
        }
        pa = stop - (uint64_t)shift;
    }
}

static GArray *slots_wanted(struct machine *m, const struct kvm *k)
{
    GArray *to = g_array_new(FALSE, FALSE, sizeof(struct kvm_slot));
    bool closed = !(atomic_load(&m->a20_mask) & MiB);

    slots_of_span(m, to, 0, MiB, 0, k->has_readonly);
    slots_of_span(m, to, MiB, 2 * MiB, closed ? -(int64_t)MiB : 0, k->has_readonly);
    slots_of_span(m, to, 2 * MiB, BIT64(52), 0, k->has_readonly);
    return to;
}

static bool slot_is_in(const GArray *list, const struct kvm_slot *s, unsigned *id)
{
    for (unsigned i = 0; i < list->len; i++) {
        const struct kvm_slot *o = &g_array_index(list, struct kvm_slot, i);

        if (slot_is_same(o, s)) {
            *id = o->id;
            return true;
        }
    }
    return false;
}

static bool slot_find_id(struct kvm *k, struct kvm_slot *s, GError **err)
{
    for (unsigned id = 0; id < k->max_slots; id++) {
        if (!k->slot_used[id]) {
            k->slot_used[id] = 1;
            s->id = id;
            return true;
        }
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                "KVM: the memory map has more than %u pieces", k->max_slots);
    return false;
}

bool kvm_mem_update(struct machine *m, GError **err)
{
    struct kvm *k = m->accel_data;
    g_autoptr(GArray) old = k->slots;
    bool good = true;
    unsigned id;

    k->slots = slots_wanted(m, k);
    for (unsigned i = 0; good && i < old->len; i++) {
        const struct kvm_slot *s = &g_array_index(old, struct kvm_slot, i);

        if (!slot_is_in(k->slots, s, &id)) {
            if (s->flags & KVM_MEM_LOG_DIRTY_PAGES) {
                kvm_mem_pull_slot(m, s);
            }
            k->slot_used[s->id] = 0;
            good = slot_tell(k, s, false, err);
        }
    }
    for (unsigned i = 0; good && i < k->slots->len; i++) {
        struct kvm_slot *s = &g_array_index(k->slots, struct kvm_slot, i);

        if (!slot_is_in(old, s, &s->id)) {
            good = slot_find_id(k, s, err) && slot_tell(k, s, true, err);
        }
    }
    return good;
}

void kvm_mem_fini(struct kvm *k)
{
    g_clear_pointer(&k->slots, g_array_unref);
    g_free(k->slot_used);
}

/* ---- what was written ---- */

void kvm_mem_pull_slot(struct machine *m, const struct kvm_slot *s)
{
    struct kvm *k = m->accel_data;
    size_t words = (s->size / PAGE_BYTES + 63) / 64;
    g_autofree uint64_t *bits = g_new0(uint64_t, words);
    struct kvm_dirty_log log = {.slot = s->id, .dirty_bitmap = bits};

    if (kvm_call(k->vm, KVM_GET_DIRTY_LOG, &log) < 0) {
        memset(bits, 0xff, words * 8); /* better too much than too little */
    }
    for (size_t w = 0; w < words; w++) {
        for (uint64_t left = bits[w]; left; left &= left - 1) {
            uint64_t off =
                s->ram_offset + ((w * 64 + (unsigned)__builtin_ctzll(left)) << PAGE_SHIFT);

            ram_mark_written(s->ram, off, PAGE_BYTES, NULL);
        }
    }
}

void kvm_mem_pull_dirty(struct machine *m, struct ram *ram)
{
    struct kvm *k = m->accel_data;

    for (unsigned i = 0; i < k->slots->len; i++) {
        const struct kvm_slot *s = &g_array_index(k->slots, struct kvm_slot, i);

        if (s->ram == ram && s->flags & KVM_MEM_LOG_DIRTY_PAGES) {
            kvm_mem_pull_slot(m, s);
        }
    }
}
