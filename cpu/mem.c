/*
 * The slow paths of guest memory accesses: TLB misses, accesses across pages, device memory, code
 * pages, checked accesses (alignment, data breakpoints).
 *
 * Follows: Intel SDM volume 3, chapters 4 and 6 (vector 17), 17.
 *
 * Accesses that hardware makes in one piece are one host access here too.
 *
 * Not modelled: nothing left out.
 */
#include "cpu/sys.h"

/* 64-bit code reached this address without a segment check: #SS for stack references, else #GP. */
static void check_canonical(struct cpu *c, const struct insn *i, uint64_t la, unsigned size)
{
    if (unlikely(!cpu_is_canonical(la) || !cpu_is_canonical(la + size - 1))) {
        cpu_raise_error(c, i && i->seg == SEG_SS ? EXCP_SS : EXCP_GP, 0);
    }
}

/* Linear address `n` bytes on: wraps at 4 GiB outside 64-bit code. */
static uint64_t la_add(const struct cpu *c, uint64_t la, unsigned n)
{
    uint64_t next = la + n;

    return !cpu_is_64(c) && la <= 0xffffffff ? (uint32_t)next : next;
}

static unsigned page_left(uint64_t la)
{
    return (unsigned)(PAGE_BYTES - (la & PAGE_OFFSET_MASK));
}

static uint64_t ref_load(struct cpu *c, const struct mmu_ref *r, unsigned size)
{
    uint64_t v = 0;

    if (likely(r->host)) {
        switch (size) {
        case 1:
            return *r->host;
        case 2:
            return ld_le16(r->host);
        case 4:
            return ld_le32(r->host);
        case 8:
            return ld_le64(r->host);
        default:
            memcpy(&v, r->host, size);
            return v;
        }
    }
    if (size == 1 || size == 2 || size == 4 || size == 8) {
        return mmu_phys_load(c, r->pa, size);
    }
    for (unsigned k = 0; k < size; k++) {
        v |= mmu_phys_load(c, r->pa + k, 1) << 8 * k;
    }
    return v;
}

static void ref_store(struct cpu *c, const struct mmu_ref *r, uint64_t val, unsigned size)
{
    if (likely(r->host)) {
        switch (size) {
        case 1:
            *r->host = (uint8_t)val;
            break;
        case 2:
            st_le16(r->host, (uint16_t)val);
            break;
        case 4:
            st_le32(r->host, (uint32_t)val);
            break;
        case 8:
            st_le64(r->host, val);
            break;
        default:
            memcpy(r->host, &val, size);
        }
    } else if (size == 1 || size == 2 || size == 4 || size == 8) {
        mmu_phys_store(c, r->pa, val, size);
    } else {
        for (unsigned k = 0; k < size; k++) {
            mmu_phys_store(c, r->pa + k, val >> 8 * k & 0xff, 1);
        }
    }
}

/* Host address of the bytes at la when the TLB has them for class cls, else NULL. */
static inline uint8_t *find_host(const struct cpu *c, uint64_t la, unsigned size, unsigned cls,
                                 bool write)
{
    const struct tlb_entry *e = &c->tlbs[cls].e[tlb_own(la)];

    return likely(la - (write ? e->tag_w : e->tag_r) <= PAGE_BYTES - size)
               ? (uint8_t *)(uintptr_t)(la + e->addend)
               : NULL;
}

static uint64_t load_class(struct cpu *c, uint64_t la, unsigned size, unsigned cls)
{
    const uint8_t *host = size == 8 ? find_host(c, la, 8, cls, false) : NULL;
    unsigned left = page_left(la);

    if (host) {
        return ld_le64(host);
    }
    if (likely(left >= size)) {
        struct mmu_ref r = mmu_ref(c, la, cls, false);

        return ref_load(c, &r, size);
    }
    struct mmu_ref a = mmu_ref(c, la, cls, false);
    struct mmu_ref b = mmu_ref(c, la_add(c, la, left), cls, false);
    uint64_t lo = ref_load(c, &a, left);

    return lo | ref_load(c, &b, size - left) << 8 * left;
}

static void store_class(struct cpu *c, uint64_t la, uint64_t val, unsigned size, unsigned cls)
{
    uint8_t *host = size == 8 ? find_host(c, la, 8, cls, true) : NULL;
    unsigned left = page_left(la);

    if (host) {
        st_le64(host, val);
        return;
    }
    if (likely(left >= size)) {
        struct mmu_ref r = mmu_ref(c, la, cls, true);

        ref_store(c, &r, val, size);
        return;
    }
    struct mmu_ref a = mmu_ref(c, la, cls, true);
    struct mmu_ref b = mmu_ref(c, la_add(c, la, left), cls, true);

    ref_store(c, &a, val, left);
    if (unlikely(!a.host)) { /* the page may have been claimed for code meanwhile */
        b.host = NULL;
    }
    ref_store(c, &b, val >> 8 * left, size - left);
}

/* What every access of a handler goes through before it is done. */
static void access_begin(struct cpu *c, const struct insn *i, uint64_t la, unsigned size,
                         bool write)
{
    c->cur = i;
    check_canonical(c, i, la, size);
    if (unlikely(c->tlb_class == TLB_CHECKED)) {
        debug_check_access(c, la, size, write);
    }
}

uint64_t mem_load_slow(struct cpu *c, const struct insn *i, uint64_t la, unsigned size)
{
    access_begin(c, i, la, size, false);
    return load_class(c, la, size, mmu_class(c, c->cpl));
}

void mem_store_slow(struct cpu *c, const struct insn *i, uint64_t la, uint64_t val, unsigned size)
{
    access_begin(c, i, la, size, true);
    store_class(c, la, val, size, mmu_class(c, c->cpl));
}

void *mem_rmw_slow(struct cpu *c, const struct insn *i, uint64_t la, unsigned size)
{
    unsigned cls = mmu_class(c, c->cpl), left = page_left(la);

    access_begin(c, i, la, size, true);
    struct mmu_ref a = mmu_ref(c, la, cls, true);
    if (likely(left >= size)) {
        if (a.host) {
            return a.host;
        }
        c->bounce[0] = ref_load(c, &a, size);
        return c->bounce;
    }
    mmu_ref(c, la_add(c, la, left), cls, true);
    c->bounce[0] = load_class(c, la, size, cls);
    return c->bounce;
}

void mem_rmw_flush(struct cpu *c, const struct insn *i, uint64_t la, unsigned size)
{
    c->cur = i;
    store_class(c, la, c->bounce[0], size, mmu_class(c, c->cpl));
}

/* Copy between a guest page and a buffer, within the page. */
static void ref_copy(struct cpu *c, const struct mmu_ref *r, uint8_t *buf, unsigned len, bool write)
{
    if (likely(r->host)) {
        mem_move(write ? r->host : buf, write ? buf : r->host, len);
        return;
    }
    if (write && mmu_phys_write(c, r->pa, buf, len)) {
        return;
    }
    for (unsigned at = 0; at < len;) {
        unsigned n = len - at >= 8 ? 8 : len - at >= 4 ? 4 : len - at >= 2 ? 2 : 1;
        struct mmu_ref piece = {.pa = r->pa + at};
        uint64_t v = 0;

        if (write) {
            memcpy(&v, buf + at, n);
            ref_store(c, &piece, v, n);
        } else {
            v = ref_load(c, &piece, n);
            memcpy(buf + at, &v, n);
        }
        at += n;
    }
}

/* The locked operation's piece of one page or two, in `bounce`. */
static void bus_copy(struct cpu *c, unsigned first, unsigned size, bool write)
{
    uint8_t *at = (uint8_t *)c->bounce;

    for (unsigned k = 0, done = 0; done < size; k++) {
        struct mmu_ref r = {.pa = c->bus_pa[k]};
        unsigned len = k ? size - done : MIN(first, size);

        ref_copy(c, &r, at + done, len, write);
        done += len;
    }
}

void *mem_lock_slow(struct cpu *c, const struct insn *i, uint64_t la, unsigned size)
{
    unsigned cls = mmu_class(c, c->cpl), left = page_left(la);

    access_begin(c, i, la, size, true);
    struct mmu_ref a = mmu_ref(c, la, cls, true);
    if (likely(left >= size && a.host)) {
        return a.host;
    }
    c->bus_pa[0] = a.pa;
    if (left < size) {
        c->bus_pa[1] = mmu_ref(c, la_add(c, la, left), cls, true).pa;
    }
    mem_bus_lock(c);
    bus_copy(c, left, size, false);
    return c->bounce;
}

void mem_lock_flush(struct cpu *c, const struct insn *i, uint64_t la, unsigned size)
{
    c->cur = i;
    bus_copy(c, page_left(la), size, true);
    mem_bus_unlock(c);
}

static void mem_copy(struct cpu *c, const struct insn *i, uint64_t la, uint8_t *buf, unsigned len,
                     bool write)
{
    unsigned cls = mmu_class(c, c->cpl), left = MIN(page_left(la), len);

    access_begin(c, i, la, len, write);
    struct mmu_ref a = mmu_ref(c, la, cls, write);
    struct mmu_ref b = {0};
    if (left < len) {
        b = mmu_ref(c, la_add(c, la, left), cls, write);
    }
    ref_copy(c, &a, buf, left, write);
    if (left < len) {
        b.host = a.host ? b.host : NULL; /* claimed for code meanwhile? */
        ref_copy(c, &b, buf + left, len - left, write);
    }
}

void mem_load_bytes(struct cpu *c, const struct insn *i, uint64_t la, void *buf, unsigned len)
{
    const struct tlb_entry *e = tlb_slot(c, la);

    if (likely(la - e->tag_r <= PAGE_BYTES - len)) {
        mem_move(buf, (const void *)(uintptr_t)(la + e->addend), len);
        return;
    }
    mem_copy(c, i, la, buf, len, false);
}

void mem_store_bytes(struct cpu *c, const struct insn *i, uint64_t la, const void *buf,
                     unsigned len)
{
    const struct tlb_entry *e = tlb_slot(c, la);

    if (likely(la - e->tag_w <= PAGE_BYTES - len)) {
        mem_move((void *)(uintptr_t)(la + e->addend), buf, len);
        return;
    }
    uint8_t copy[64];
    memcpy(copy, buf, MIN(len, sizeof copy));
    mem_copy(c, i, la, copy, MIN(len, sizeof copy), true);
}

void mem_probe_write(struct cpu *c, const struct insn *i, uint64_t la, unsigned len)
{
    c->cur = i;
    if (!len) {
        return;
    }
    check_canonical(c, i, la, len);
    for (unsigned at = 0; at < len;) {
        uint64_t here = la_add(c, la, at);

        mmu_ref(c, here, mmu_class(c, c->cpl), true);
        at += page_left(here);
    }
}

void mem_probe_operand(struct cpu *c, const struct insn *i, uint64_t la, unsigned size)
{
    access_begin(c, i, la, size, true);
    mem_probe_write(c, i, la, size);
}

/* Implicit supervisor accesses are subject to SMAP whatever EFLAGS.AC is. */
static unsigned sys_class(const struct cpu *c)
{
    return c->cr4 & CR4_SMAP ? TLB_KERNEL : TLB_KERNEL_AC;
}

uint64_t mem_sys_load(struct cpu *c, uint64_t la, unsigned size)
{
    return load_class(c, la, size, sys_class(c));
}

void mem_sys_store(struct cpu *c, uint64_t la, uint64_t val, unsigned size)
{
    store_class(c, la, val, size, sys_class(c));
}

uint8_t mem_sys_change(struct cpu *c, uint64_t la, uint8_t set, uint8_t clear)
{
    struct mmu_ref r = mmu_ref(c, la, sys_class(c), true);
    uint8_t old;

    if (r.host) {
        old = clear ? __atomic_fetch_and(r.host, (uint8_t)~clear, __ATOMIC_SEQ_CST) : 0;
        return set ? __atomic_fetch_or(r.host, set, __ATOMIC_SEQ_CST) : old;
    }
    mem_bus_lock(c);
    old = (uint8_t)mmu_phys_load(c, r.pa, 1);
    mmu_phys_store(c, r.pa, (old & ~clear) | set, 1);
    mem_bus_unlock(c);
    return old;
}

void mem_sys_probe(struct cpu *c, uint64_t la, unsigned len)
{
    mmu_ref(c, la, sys_class(c), true);
    mmu_ref(c, la_add(c, la, len - 1), sys_class(c), true);
}

uint64_t mem_cpl_load(struct cpu *c, uint64_t la, unsigned size, unsigned cpl)
{
    return load_class(c, la, size, mmu_class(c, cpl));
}

void mem_cpl_store(struct cpu *c, uint64_t la, uint64_t val, unsigned size, unsigned cpl)
{
    store_class(c, la, val, size, mmu_class(c, cpl));
}

void *mem_span(struct cpu *c, const struct insn *i, uint64_t la, bool write, unsigned *len)
{
    c->cur = i;
    check_canonical(c, i, la, 1);
    if (c->tlb_class == TLB_CHECKED) {
        return NULL;
    }
    struct mmu_ref r = mmu_ref(c, la, mmu_class(c, c->cpl), write);
    *len = page_left(la);
    return r.host;
}
