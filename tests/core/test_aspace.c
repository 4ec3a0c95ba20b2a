/*
 * The memory map: priorities, reads and writes apart, splitting of accesses, DMA rules, dirty and
 * code bits.
 *
 * Not modelled: the CPU.
 */
#include "hw/core/code.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

#define MMIO_BASE 0xf0000000ull

struct probe {
    struct device dev;
    struct region region;
    const struct mmio_ops *ops;
    uint8_t mem[64];
    unsigned log_len;
    struct {
        bool write;
        uint64_t off, val;
        unsigned size;
    } log[16];
};

static void probe_note(struct probe *p, bool write, uint64_t off, uint64_t val, unsigned size)
{
    if (p->log_len < ARRAY_LEN(p->log)) {
        p->log[p->log_len].write = write;
        p->log[p->log_len].off = off;
        p->log[p->log_len].val = val;
        p->log[p->log_len++].size = size;
    }
}

static uint64_t probe_read(struct device *dev, uint64_t off, unsigned size)
{
    struct probe *p = (struct probe *)dev;
    uint64_t val = 0;

    memcpy(&val, p->mem + off, size);
    probe_note(p, false, off, val, size);
    return val;
}

static void probe_write(struct device *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct probe *p = (struct probe *)dev;

    memcpy(p->mem + off, &val, size);
    probe_note(p, true, off, val, size);
}

static const struct mmio_ops words_ops = {
    .sizes = SIZE_4, .read = probe_read, .write = probe_write};
static const struct mmio_ops bytes_ops = {
    .sizes = SIZE_1 | SIZE_2, .read = probe_read, .write = probe_write};
static const struct mmio_ops passive_ops = {
    .sizes = SIZE_1, .passive = true, .read = probe_read, .write = probe_write};

static const struct device_ops probe_ops = {.name = "probe", .size = sizeof(struct probe)};

static struct probe *probe_new(struct rig *r, const struct mmio_ops *ops)
{
    struct probe *p = (struct probe *)device_new(r->m, &probe_ops, "probe");

    for (unsigned i = 0; i < sizeof p->mem; i++) {
        p->mem[i] = (uint8_t)(0x10 + i);
    }
    region_init_mmio(&p->region, "probe", &p->dev, ops, sizeof p->mem);
    region_add(r->m, &p->region, MMIO_BASE, 0);
    return p;
}

Test(aspace, higher_priority_covers_and_equal_priority_goes_to_the_newer)
{
    struct rig *r = rig_new(NULL);
    struct region over[3];
    struct ram *ram = ram_new(r->m, "over", 3 * 0x3000, NULL);
    static const struct {
        uint64_t base;
        int priority;
    } at[3] = {{0x10000, 1}, {0x11000, 2}, {0x12000, 2}};
    static const struct {
        uint64_t pa;
        int who; /* -1: the RAM beneath */
    } expect[] = {{0xffff, -1}, {0x10000, 0}, {0x10fff, 0}, {0x11000, 1},
                  {0x11fff, 1}, {0x12000, 2}, {0x14fff, 2}, {0x15000, -1}};

    for (unsigned i = 0; i < 3; i++) {
        region_init_ram(&over[i], "over", ram, i * 0x3000, 0x3000);
        region_add(r->m, &over[i], at[i].base, at[i].priority);
    }
    for (unsigned i = 0; i < ARRAY_LEN(expect); i++) {
        const struct flat_range *fr = aspace_find(r->m, expect[i].pa, ACCESS_READ);
        const struct region *want = expect[i].who < 0 ? &r->region : &over[expect[i].who];

        cr_assert(fr && fr->region == want, "at %#llx", (unsigned long long)expect[i].pa);
        cr_assert_eq(fr->host + (expect[i].pa - fr->base),
                     want->ram->host + want->ram_offset + (expect[i].pa - want->base));
    }
    /* Taking the middle one away uncovers the first. */
    region_remove(r->m, &over[1]);
    cr_assert_eq(aspace_find(r->m, 0x11800, ACCESS_READ)->region, &over[0]);
    region_set_base(r->m, &over[0], 0x100000);
    cr_assert_eq(aspace_find(r->m, 0x11800, ACCESS_READ)->region, &r->region);
    rig_free(r);
}

Test(aspace, a_shadowed_rom_is_read_while_writes_reach_ram)
{
    struct rig *r = rig_new(NULL);
    struct ram *rom = ram_new(r->m, "rom", 0x10000, NULL);
    struct region region;

    memset(rom->host, 0x5a, rom->size);
    rom->readonly = true;
    region_init_ram(&region, "rom", rom, 0, rom->size);
    region_add(r->m, &region, 0xf0000, 1);
    /* A ROM in both views: stores vanish. */
    rig_mmio_write(r, 0xf0010, 0x11223344, 4);
    cr_assert_eq(rig_mmio_read(r, 0xf0010, 4), 0x5a5a5a5a);
    cr_assert_eq(ld_le32(r->ram->host + 0xf0010), 0);
    cr_assert(!dma_write(r->m, 0xf0010, "abc", 3));
    cr_assert_null(aspace_find(r->m, 0xf0010, ACCESS_WRITE)->host);
    /* Read ROM, write RAM. */
    region_set_access(r->m, &region, ACCESS_READ);
    rig_mmio_write(r, 0xf0010, 0x11223344, 4);
    cr_assert_eq(rig_mmio_read(r, 0xf0010, 4), 0x5a5a5a5a);
    cr_assert_eq(ld_le32(r->ram->host + 0xf0010), 0x11223344);
    /* RAM only. */
    region_set_enabled(r->m, &region, false);
    cr_assert_eq(rig_mmio_read(r, 0xf0010, 4), 0x11223344);
    rig_free(r);
}

Test(aspace, changes_between_begin_and_commit_come_together_and_empty_the_tlbs)
{
    struct rig *r = rig_new(NULL);
    struct probe *p = probe_new(r, &words_ops);
    struct vcpu *v = r->m->vcpus[0];

    vcpu_clear(v, VCPU_REQ_TLB);
    aspace_begin(r->m);
    aspace_begin(r->m);
    region_set_base(r->m, &p->region, MMIO_BASE + 0x1000);
    aspace_commit(r->m);
    cr_assert(aspace_find(r->m, MMIO_BASE, ACCESS_READ), "not before the outer commit");
    cr_assert(!(vcpu_pending(v) & VCPU_REQ_TLB));
    aspace_commit(r->m);
    cr_assert_null(aspace_find(r->m, MMIO_BASE, ACCESS_READ));
    cr_assert(vcpu_pending(v) & VCPU_REQ_TLB);
    vcpu_clear(v, VCPU_REQ_TLB);
    region_set_enabled(r->m, &p->region, true);
    cr_assert(!(vcpu_pending(v) & VCPU_REQ_TLB), "no change, no flush");
    rig_free(r);
}

Test(aspace, mmio_accesses_are_split_low_first)
{
    struct rig *r = rig_new(NULL);
    struct probe *p = probe_new(r, &bytes_ops);

    cr_assert_eq(rig_mmio_read(r, MMIO_BASE + 1, 4), 0x14131211);
    cr_assert_eq(p->log_len, 3);
    cr_assert(p->log[0].off == 1 && p->log[0].size == 1);
    cr_assert(p->log[1].off == 2 && p->log[1].size == 2);
    cr_assert(p->log[2].off == 4 && p->log[2].size == 1);
    p->log_len = 0;
    rig_mmio_write(r, MMIO_BASE + 8, 0x8877665544332211, 8);
    cr_assert_eq(p->log_len, 4);
    cr_assert(p->log[0].write && p->log[0].val == 0x2211 && p->log[3].off == 14 &&
              p->log[3].val == 0x8877);
    cr_assert_eq(p->region.reads, 3);
    cr_assert_eq(p->region.writes, 4);
    rig_free(r);
}

Test(aspace, reads_narrower_than_a_register_take_its_bytes)
{
    struct rig *r = rig_new(NULL);
    struct probe *p = probe_new(r, &words_ops);

    cr_assert_eq(rig_mmio_read(r, MMIO_BASE + 6, 1), 0x16);
    cr_assert_eq(p->log[0].off, 4);
    cr_assert_eq(rig_mmio_read(r, MMIO_BASE + 2, 4), 0x15141312);
    rig_mmio_write(r, MMIO_BASE + 5, 0, 1);
    cr_assert_eq(p->mem[5], 0x15);
    cr_assert_eq(p->dev.guest_errors, 1);
    rig_free(r);
}

Test(aspace, accesses_across_the_end_of_a_range_are_put_together)
{
    struct rig *r = rig_new(NULL);

    r->ram->host[RIG_RAM_BYTES - 1] = 0x42;
    cr_assert_eq(rig_mmio_read(r, RIG_RAM_BYTES - 1, 4), 0xffffff42);
    cr_assert_eq(rig_mmio_read(r, RIG_RAM_BYTES, 8), ~0ull);
    cr_assert_eq(rig_mmio_read(r, ~0ull - 2, 8) >> 24 & 0xff, 0, "wraps to address 0");
    rig_mmio_write(r, RIG_RAM_BYTES - 1, 0x1122, 2);
    cr_assert_eq(r->ram->host[RIG_RAM_BYTES - 1], 0x22);
    rig_free(r);
}

Test(aspace, dma_reaches_memory_and_passive_mmio_only)
{
    struct rig *r = rig_new(NULL);
    struct probe *active = probe_new(r, &words_ops);
    struct probe *passive = probe_new(r, &passive_ops);
    uint8_t buf[64];

    region_set_base(r->m, &passive->region, MMIO_BASE + 0x1000);
    memset(buf, 0, sizeof buf);
    cr_assert(!dma_read(r->m, MMIO_BASE, buf, 4));
    cr_assert(buf[0] == 0xff && buf[3] == 0xff && active->log_len == 0);
    cr_assert(!dma_write(r->m, MMIO_BASE, "abcd", 4) && active->log_len == 0);
    cr_assert(dma_read(r->m, MMIO_BASE + 0x1003, buf, 7));
    cr_assert(buf[0] == 0x13 && buf[6] == 0x19);
    cr_assert(dma_write(r->m, MMIO_BASE + 0x1001, "\1\2\3\4\5\6\7\10\11\12", 10));
    cr_assert(passive->mem[1] == 1 && passive->mem[10] == 10);
    cr_assert(dma_write(r->m, 0x1ffe, "wxyz", 4) && !memcmp(r->ram->host + 0x1ffe, "wxyz", 4));
    /* Half in RAM, half nowhere; and far away, to the end of the address space. */
    cr_assert(!dma_read(r->m, RIG_RAM_BYTES - 2, buf, 4));
    cr_assert(buf[0] == 0 && buf[2] == 0xff);
    cr_assert(!dma_write(r->m, ~0ull - 1, "wxyz", 4));
    cr_assert(!memcmp(r->ram->host, "yz", 2), "the address wraps");
    cr_assert_eq(r->m->dma_errors, 5);
    rig_free(r);
}

Test(aspace, peeking_reads_memory_and_asks_no_device)
{
    struct rig *r = rig_new(NULL);
    struct probe *active = probe_new(r, &words_ops);
    struct probe *passive = probe_new(r, &passive_ops);
    uint8_t buf[8] = {0};

    region_set_base(r->m, &passive->region, MMIO_BASE + 0x1000);
    dma_write(r->m, RIG_RAM_BYTES - 4, "wxyz", 4);
    cr_assert_eq(aspace_peek(r->m, RIG_RAM_BYTES - 4, buf, 4), 4);
    cr_assert(!memcmp(buf, "wxyz", 4));
    cr_assert_eq(aspace_peek(r->m, RIG_RAM_BYTES - 2, buf, 4), 2, "the rest is not there");
    cr_assert_eq(aspace_peek(r->m, MMIO_BASE, buf, 4), 0);
    cr_assert_eq(aspace_peek(r->m, MMIO_BASE + 0x1000, buf, 4), 0);
    cr_assert_eq(aspace_peek(r->m, ~0ull - 1, buf, 4), 0);
    cr_assert(active->log_len == 0 && passive->log_len == 0 && r->m->dma_errors == 0);
    rig_free(r);
}

Test(aspace, stores_to_code_pages_are_told_once)
{
    struct rig *r = rig_new(NULL);
    struct vcpu *v = r->m->vcpus[0];

    r->ram->page_flags[5] = RAM_PAGE_CODE;
    dma_write(r->m, 0x4000, "x", 1);
    cr_assert(!(vcpu_pending(v) & VCPU_REQ_CODE));
    dma_write(r->m, 0x4fff, "xy", 2);
    cr_assert(vcpu_pending(v) & VCPU_REQ_CODE);
    cr_assert_eq(v->notes->len, 1);
    cr_assert_eq(g_array_index(v->notes, struct code_note, 0).off, 0x5000);
    cr_assert_eq(g_array_index(v->notes, struct code_note, 0).len, PAGE_BYTES);
    cr_assert_eq(r->ram->page_flags[5], 0);
    dma_write(r->m, 0x5000, "xy", 2);
    cr_assert_eq(v->notes->len, 1);
    /* The only vCPU drops its own blocks by itself, and the bit with them. */
    vcpu_clear(v, VCPU_REQ_CODE);
    r->ram->page_flags[6] = RAM_PAGE_CODE;
    aspace_write_locked(r->m, 0x6000, 1, 4, v);
    cr_assert_eq(v->notes->len, 1);
    cr_assert_eq(r->ram->page_flags[6], RAM_PAGE_CODE);
    cr_assert(!(vcpu_pending(v) & VCPU_REQ_CODE));
    rig_free(r);
}

Test(aspace, dirty_pages_are_found_once)
{
    struct rig *r = rig_new(NULL);

    cr_assert(ram_test_clear_dirty(r->ram, 3) && ram_test_clear_dirty(r->ram, 3),
              "always, while not logging");
    ram_set_log_dirty(r->ram, true);
    cr_assert(ram_test_clear_dirty(r->ram, 3));
    cr_assert(!ram_test_clear_dirty(r->ram, 3));
    rig_mmio_write(r, 0x3ffe, 0x12345678, 4);
    cr_assert(ram_test_clear_dirty(r->ram, 3));
    cr_assert(!ram_test_clear_dirty(r->ram, 3));
    cr_assert(ram_test_clear_dirty(r->ram, 4));
    cr_assert(!ram_test_clear_dirty(r->ram, 1ull << 40), "no such page");
    rig_free(r);
}

Test(aspace, large_memory_is_sparse_and_impossible_memory_an_error)
{
    struct rig *r = rig_new(NULL);
    GError *err = NULL;
    struct ram *ram = ram_new(r->m, "big", 64 * GiB, &err);

    cr_assert(ram, "%s", err ? err->message : "");
    ram->host[64 * GiB - 1] = 1;
    cr_assert_null(ram_new(r->m, "none", 0, &err));
    cr_assert_eq(err->code, CANDELA_ERROR_HOST);
    g_clear_error(&err);
    cr_assert_null(ram_new(r->m, "all", ~0ull, &err));
    g_clear_error(&err);
    cr_assert_null(ram_new(r->m, "too much", 1ull << 50, &err));
    cr_assert(strstr(err->message, "too much"));
    g_clear_error(&err);
    rig_free(r);
}

Test(aspace, a_random_map_answers_as_a_search_of_all_regions_does)
{
    struct rig *r = rig_new(NULL);
    struct ram *ram = ram_new(r->m, "pool", 0x10000, NULL);
    struct region *regions = g_new0(struct region, 24);
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    GPtrArray *order = r->m->regions;

    for (unsigned round = 0; round < 60; round++) {
        struct region *change = &regions[round % 24];

        region_remove(r->m, change);
        region_init_ram(change, "x", ram, 0, (uint64_t)g_rand_int_range(rand, 0, 16) * 0x100);
        region_set_access(r->m, change, (uint8_t)g_rand_int_range(rand, 0, 4));
        region_add(r->m, change, (uint64_t)g_rand_int_range(rand, 0, 64) * 0x80,
                   g_rand_int_range(rand, -2, 3));
        for (uint64_t pa = 0; pa < 0x4000; pa += 0x40) {
            for (unsigned access = ACCESS_READ; access <= ACCESS_WRITE; access++) {
                const struct flat_range *fr = aspace_find(r->m, pa, access);
                const struct region *top = NULL;

                for (unsigned i = 0; i < order->len; i++) {
                    const struct region *c = g_ptr_array_index(order, i);

                    if ((c->access & access) && pa >= c->base && pa - c->base < c->size &&
                        (!top || c->priority >= top->priority)) {
                        top = c;
                    }
                }
                cr_assert_eq(fr ? fr->region : NULL, top, "round %u at %#llx", round,
                             (unsigned long long)pa);
            }
        }
    }
    rig_free(r);
    g_free(regions);
}
