/*
 * Pages of RAM that processors hold decoded code of: claims, notes about stores (see code.h).
 *
 * Not modelled: nothing; this is plumbing.
 */
#include "hw/core/code.h"
#include "hw/core/machine.h"

enum { NOTES_MAX = 256 };

static _Atomic uint8_t *flags_of(struct ram *ram, uint64_t page)
{
    return (_Atomic uint8_t *)&ram->page_flags[page];
}

/* Lock held.  A loop of stores is one note. */
static void note_add(struct vcpu *v, const struct code_note *n)
{
    struct code_note *last =
        v->notes->len ? &g_array_index(v->notes, struct code_note, v->notes->len - 1) : NULL;

    if (last && last->ram == n->ram && n->off <= last->off + last->len &&
        last->off <= n->off + n->len) {
        uint64_t end = MAX(last->off + last->len, n->off + n->len);

        last->off = MIN(last->off, n->off);
        last->len = end - last->off;
    } else if (v->notes->len < NOTES_MAX) {
        g_array_append_val(v->notes, *n);
    } else {
        v->notes_lost = true;
    }
}

static void note_all(struct ram *ram, uint64_t off, uint64_t len, const struct vcpu *from)
{
    struct machine *m = ram->m;
    struct code_note note = {ram, off, len};

    for (unsigned i = 0; i < m->ncpus; i++) {
        if (m->vcpus[i] != from) {
            note_add(m->vcpus[i], &note);
            vcpu_request(m->vcpus[i], VCPU_REQ_CODE);
        }
    }
}

uint8_t code_claim(struct ram *ram, uint64_t page)
{
    struct machine *m = ram->m;
    uint8_t old;

    g_mutex_lock(&m->code_lock);
    old = atomic_fetch_or(flags_of(ram, page), RAM_PAGE_CODE);
    g_mutex_unlock(&m->code_lock);
    return old;
}

/* The bit goes last: until then nobody may store past it without a note. */
static void release(struct ram *ram, uint64_t page, struct vcpu *from)
{
    struct machine *m = ram->m;

    g_mutex_lock(&m->code_lock);
    if (atomic_load(flags_of(ram, page)) & RAM_PAGE_CODE) {
        note_all(ram, page << PAGE_SHIFT, PAGE_BYTES, from);
        atomic_fetch_and(flags_of(ram, page), (uint8_t)~RAM_PAGE_CODE);
    }
    g_mutex_unlock(&m->code_lock);
}

void code_stored(struct ram *ram, uint64_t off, uint64_t len, struct vcpu *from)
{
    struct machine *m = ram->m;

    if (!from) {
        release(ram, off >> PAGE_SHIFT, NULL);
    } else if (m->ncpus > 1) {
        g_mutex_lock(&m->code_lock);
        note_all(ram, off, len, from);
        g_mutex_unlock(&m->code_lock);
    }
}

void code_release(struct ram *ram, uint64_t page, struct vcpu *from)
{
    release(ram, page, from);
}

void code_forget(struct vcpu *v)
{
    g_mutex_lock(&v->m->code_lock);
    v->notes_lost = true;
    g_mutex_unlock(&v->m->code_lock);
    vcpu_request(v, VCPU_REQ_CODE);
}

GArray *code_take_notes(struct vcpu *v, bool *all)
{
    struct machine *m = v->m;
    GArray *notes = g_array_new(FALSE, FALSE, sizeof(struct code_note));

    g_mutex_lock(&m->code_lock);
    GArray *taken = v->notes;
    v->notes = notes;
    *all = v->notes_lost;
    v->notes_lost = false;
    g_mutex_unlock(&m->code_lock);
    return taken;
}

void code_init(struct machine *m)
{
    g_mutex_init(&m->code_lock);
}

void code_fini(struct machine *m)
{
    g_mutex_clear(&m->code_lock);
}
