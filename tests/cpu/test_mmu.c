/*
 * Paging and the software TLB (cpu/mmu.c, mem.c).  Follows: Intel SDM volume 3, chapter 4.
 * Not modelled: several processors.
 */
#include "cpu/fpu.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define NX BIT64(63)
enum { LA = 0x50000 };

enum { ACC_READ, ACC_WRITE, ACC_FETCH };

/* One access at level cpl; the vector or -1. */
static int access(struct guest *g, uint64_t la, unsigned kind, unsigned cpl)
{
    struct cpu *c = g->c;

    c->cpl = cpl;
    cpu_update_mode(c);
    return GUEST_TRY(g, kind == ACC_READ    ? (void)mem_load_slow(c, NULL, la, 4)
                        : kind == ACC_WRITE ? mem_store_slow(c, NULL, la, 0x12345678, 4)
                                            : (void)mmu_fetch(c, la));
}

static void set_pte(struct guest *g, uint64_t la, uint64_t flags)
{
    guest_put64(g, guest_pte_at(la), (la & ~4095ull) | flags);
    mmu_flush(g->c, true);
}

Test(mmu, rights_and_error_codes)
{
    static const struct {
        uint64_t pte;
        uint8_t kind, cpl;
        uint32_t cr0, cr4;
        bool ac;
        int vector;
        uint32_t error;
    } cases[] = {
        {P | W | U, ACC_WRITE, 3, 0, 0, false, -1, 0},
        {0, ACC_READ, 0, 0, 0, false, 14, 0},
        {0, ACC_READ, 3, 0, 0, false, 14, 4},
        {0, ACC_WRITE, 3, 0, 0, false, 14, 6},
        {0, ACC_FETCH, 3, 0, 0, false, 14, 0x14},
        {P | W, ACC_READ, 3, 0, 0, false, 14, 5},
        {P | W, ACC_READ, 0, 0, 0, false, -1, 0},
        {P | U, ACC_WRITE, 3, 0, 0, false, 14, 7},
        {P | U, ACC_WRITE, 0, CR0_WP, 0, false, 14, 3},
        {P | U, ACC_WRITE, 0, 0, 0, false, -1, 0},
        {P, ACC_WRITE, 3, 0, 0, false, 14, 7},
        {P | W | U | NX, ACC_FETCH, 3, 0, 0, false, 14, 0x15},
        {P | W | U | NX, ACC_FETCH, 0, 0, 0, false, 14, 0x11},
        {P | W | U | NX, ACC_WRITE, 3, 0, 0, false, -1, 0},
        {P | W | U, ACC_FETCH, 0, 0, 0, false, -1, 0},
        {P | W | U, ACC_FETCH, 0, 0, CR4_SMEP, false, 14, 0x11},
        {P | W | U, ACC_FETCH, 3, 0, CR4_SMEP, false, -1, 0},
        {P | W, ACC_FETCH, 0, 0, CR4_SMEP, false, -1, 0},
        {P | W | U, ACC_READ, 0, 0, CR4_SMAP, false, 14, 1},
        {P | W | U, ACC_WRITE, 0, 0, CR4_SMAP, false, 14, 3},
        {P | W | U, ACC_READ, 0, 0, CR4_SMAP, true, -1, 0},
        {P | W | U, ACC_READ, 3, 0, CR4_SMAP, false, -1, 0},
        {P | W | U | BIT64(45), ACC_READ, 3, 0, 0, false, 14, 0xd},
    };
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        g.c->cr0 = (g.c->cr0 & ~(uint64_t)CR0_WP) | cases[k].cr0;
        g.c->cr4 = CR4_PAE | cases[k].cr4;
        g.c->eflags = cases[k].ac ? FLAG_AC : 0;
        set_pte(&g, LA, cases[k].pte);
        int v = access(&g, LA + 0x123, cases[k].kind, cases[k].cpl);
        cr_assert_eq(v, cases[k].vector, "case %u: vector %d", k, v);
        if (v == 14) {
            cr_assert_eq(g.c->excp.error, cases[k].error, "case %u: error %x", k, g.c->excp.error);
            cr_assert_eq(g.c->cr2, LA + 0x123);
        }
        /* A second access takes the TLB and must end the same way. */
        v = access(&g, LA + 0x123, cases[k].kind, cases[k].cpl);
        cr_assert_eq(v, cases[k].vector, "case %u again: vector %d", k, v);
    }
    guest_free(&g);
}

Test(mmu, accessed_and_dirty_bits)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    set_pte(&g, LA, P | W | U);
    cr_assert_eq(access(&g, LA, ACC_READ, 0), -1);
    cr_assert_eq(guest_get64(&g, guest_pte_at(LA)), LA | P | W | U | A);
    cr_assert_eq(guest_get64(&g, G_TABLES) & A, A);
    cr_assert_eq(guest_get64(&g, G_TABLES + 0x2000) & (A | D), A);
    cr_assert_eq(access(&g, LA, ACC_WRITE, 0), -1);
    cr_assert_eq(guest_get64(&g, guest_pte_at(LA)), LA | P | W | U | A | D);
    /* A faulting write leaves no dirty bit. */
    set_pte(&g, LA, P | U);
    cr_assert_eq(access(&g, LA, ACC_WRITE, 3), 14);
    cr_assert_eq(guest_get64(&g, guest_pte_at(LA)) & D, 0);
    guest_free(&g);
}

Test(mmu, large_pages_and_invlpg)
{
    struct guest g;
    uint64_t pde = G_TABLES + 0x2000 + 8 * 4; /* 8..10 MiB */

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    guest_put64(&g, pde, 0x400000 | P | W | PS);
    guest_put32(&g, 0x412344, 0xcafe);
    guest_put32(&g, 0x612344, 0xbeef);
    cr_assert_eq(mem_sys_load(g.c, 0x812344, 4), 0xcafe);
    cr_assert_eq(mem_sys_load(g.c, 0x9ffff0, 4), 0);
    guest_put64(&g, pde, 0x600000 | P | W | PS);
    cr_assert_eq(mem_sys_load(g.c, 0x812344, 4), 0xcafe, "the TLB still holds it");
    mmu_invlpg(g.c, 0x9ff000); /* another 4 KiB of the same page */
    cr_assert_eq(mem_sys_load(g.c, 0x812344, 4), 0xbeef);
    guest_put64(&g, pde, 0x600000 | P | W | PS | BIT(13));
    mmu_flush(g.c, true);
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, 0x812344, 4)), 14);
    cr_assert_eq(g.c->excp.error, 9, "reserved bit");
    guest_put64(&g, G_TABLES + 0x1000 + 8, P | W | PS); /* 1 GiB page at 1 GiB */
    cr_assert_eq(mem_sys_load(g.c, 0x40612344, 4), 0xbeef);
    guest_put64(&g, G_TABLES + 0x1000 + 8, 0);
    mmu_invlpg(g.c, 0x7ffff000);
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, 0x40612344, 4)), 14);
    guest_free(&g);
}

/* A page that shares LA's place in the TLB, and two tables for such pages. */
enum { TWIN = LA + (TLB_SIZE << PAGE_SHIFT), TWINS = LA + (2 * TLB_SIZE << PAGE_SHIFT) };

static uint64_t twin_pte(uint64_t la)
{
    return G_TABLES + 0xb000 + 8 * (la >> PAGE_SHIFT & 511) + (la == TWINS ? 0x1000 : 0);
}

static void map_twin(struct guest *g, uint64_t la, uint64_t pte)
{
    guest_put64(g, G_TABLES + 0x2000 + 8 * (la >> 21), (twin_pte(la) & ~4095ull) | P | W | U);
    guest_put64(g, twin_pte(la), pte);
}

static uint64_t load_at(struct guest *g, uint64_t la)
{
    return mem_load_slow(g->c, NULL, la, 8);
}

/* Both stay in the TLB, which nobody has told of the change; and INVLPG finds them wherever they
 * are. */
Test(mmu, two_pages_in_one_place_of_the_tlb)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    map_twin(&g, TWIN, G_DATA | P | W | U);
    mmu_flush(g.c, true);
    guest_put64(&g, LA, 1);
    guest_put64(&g, G_DATA, 2);
    guest_put64(&g, G_DATA + 0x1000, 3);
    cr_assert_eq(load_at(&g, LA), 1);
    cr_assert_eq(load_at(&g, TWIN), 2);
    guest_put64(&g, guest_pte_at(LA), (G_DATA + 0x1000) | P | W | U);
    guest_put64(&g, twin_pte(TWIN), (G_DATA + 0x1000) | P | W | U);
    for (unsigned n = 0; n < 3; n++) {
        cr_assert_eq(load_at(&g, LA), 1, "walked again");
        cr_assert_eq(load_at(&g, TWIN), 2, "walked again");
    }
    mmu_invlpg(g.c, LA); /* which is in the other place */
    cr_assert_eq(load_at(&g, LA), 3);
    cr_assert_eq(load_at(&g, TWIN), 2);
    mmu_invlpg(g.c, TWIN); /* in its own */
    cr_assert_eq(load_at(&g, TWIN), 3);
    cr_assert_eq(load_at(&g, LA), 3);
    mmu_flush(g.c, false);
    guest_put64(&g, guest_pte_at(LA), LA | P | W | U);
    cr_assert_eq(load_at(&g, LA), 1);
    guest_free(&g);
}

/* Rights, and what keeps stores out, go with the page. */
Test(mmu, what_changes_places_in_the_tlb_keeps_its_rights)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    map_twin(&g, TWIN, G_DATA | P | U);
    map_twin(&g, TWINS, (G_DATA + 0x1000) | P | W | U);
    mmu_flush(g.c, true);
    for (unsigned n = 0; n < 4; n++) {
        cr_assert_eq(access(&g, LA, ACC_WRITE, 3), -1);
        cr_assert_eq(access(&g, TWIN, ACC_READ, 3), -1);
        cr_assert_eq(access(&g, TWIN, ACC_WRITE, 3), EXCP_PF);
        if (n & 1) {
            cr_assert_eq(access(&g, TWINS, ACC_READ, 3), -1);
            cr_assert_eq(access(&g, TWINS, ACC_WRITE, 3), -1);
        }
    }
    /* LA's write tag is in the other place when its page becomes code. */
    access(&g, LA, ACC_WRITE, 3);
    access(&g, TWIN, ACC_READ, 3);
    mmu_write_protect(g.c, g.ram + LA);
    for (unsigned slot = 0; slot < TLB_SLOTS; slot++) {
        cr_assert_neq(g.c->tlbs[TLB_USER].e[slot].tag_w, LA);
    }
    cr_assert_eq(access(&g, LA, ACC_WRITE, 3), -1);
    guest_free(&g);
}

Test(mmu, global_pages_survive_cr3)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    g.c->cr4 |= CR4_PGE;
    set_pte(&g, LA, P | W | G);
    set_pte(&g, LA + 0x1000, P | W);
    mem_sys_load(g.c, LA, 4);
    mem_sys_load(g.c, LA + 0x1000, 4);
    guest_put64(&g, guest_pte_at(LA), 0);
    guest_put64(&g, guest_pte_at(LA + 0x1000), 0);
    cpu_set_cr3(g.c, G_TABLES);
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, LA, 4)), -1);
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, LA + 0x1000, 4)), 14);
    cpu_set_cr4(g.c, g.c->cr4 & ~(uint64_t)CR4_PGE);
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, LA, 4)), 14);
    guest_free(&g);
}

Test(mmu, code_in_global_pages_keeps_its_key_until_it_is_invalidated)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    cpu_set_cr4(g.c, g.c->cr4 | CR4_PGE);
    set_pte(&g, LA, P | W | G);
    set_pte(&g, LA + 0x1000, P | W);
    cr_assert(mmu_fetch(g.c, LA)->global);
    uint64_t global = g.c->gkey, other = g.c->jkey;
    cpu_set_cr3(g.c, G_TABLES);
    cr_assert_eq(g.c->gkey, global);
    cr_assert_neq(g.c->jkey, other);

    other = g.c->jkey;
    cr_assert(!mmu_fetch(g.c, LA + 0x1000)->global);
    mmu_invlpg(g.c, LA + 0x2000);
    cr_assert(g.c->gkey == global && g.c->jkey == other, "nothing was fetched there");
    mmu_invlpg(g.c, LA + 0x1000);
    cr_assert(g.c->gkey == global && g.c->jkey != other);
    mmu_invlpg(g.c, LA);
    cr_assert_neq(g.c->gkey, global);

    cpu_set_cr4(g.c, g.c->cr4 | CR4_PCIDE);
    mmu_fetch(g.c, LA);
    global = g.c->gkey;
    cpu_set_cr3(g.c, G_TABLES | 5);
    cr_assert_eq(g.c->gkey, global);
    mmu_invlpg(g.c, LA); /* fetched in the other context */
    cr_assert_neq(g.c->gkey, global);
    global = g.c->gkey;
    mmu_invpcid(g.c, 3, 0, 0);
    cr_assert_eq(g.c->gkey, global);
    mmu_invpcid(g.c, 2, 0, 0);
    cr_assert_neq(g.c->gkey, global);
    global = g.c->gkey;
    mmu_flush(g.c, true);
    cr_assert_neq(g.c->gkey, global);
    guest_free(&g);
}

/* SDM vol. 3, 4.10.4.1: of the page, also for others than who faulted, and also the code's. */
Test(mmu, a_page_fault_leaves_no_translation)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    set_pte(&g, LA, P | W | U);
    set_pte(&g, LA + 0x1000, P | W | U);
    cr_assert_eq(access(&g, LA, ACC_READ, 0), -1);
    uint64_t key = g.c->jkey;
    guest_put64(&g, guest_pte_at(LA), 0);
    cr_assert_eq(access(&g, LA, ACC_READ, 0), -1, "the TLB still holds it");
    cr_assert_eq(access(&g, LA, ACC_READ, 3), 14);
    cr_assert_eq(access(&g, LA, ACC_READ, 0), 14);
    cr_assert_eq(g.c->jkey, key, "no code was fetched there");
    cr_assert_eq(access(&g, LA + 0x1000, ACC_FETCH, 0), -1);
    guest_put64(&g, guest_pte_at(LA + 0x1000), 0);
    cr_assert_eq(access(&g, LA + 0x1000, ACC_FETCH, 0), -1);
    cr_assert_eq(access(&g, LA + 0x1000, ACC_WRITE, 3), 14);
    cr_assert_neq(g.c->jkey, key);
    cr_assert_eq(access(&g, LA + 0x1000, ACC_FETCH, 0), 14);
    /* What was fetched before the jump cache began anew is only in the TLB of code. */
    set_pte(&g, LA + 0x1000, P | W | U);
    set_pte(&g, LA + 0x2000, P | W | U);
    cr_assert_eq(access(&g, LA + 0x1000, ACC_FETCH, 0), -1);
    cr_assert_eq(access(&g, LA + 0x2000, ACC_FETCH, 0), -1);
    mmu_invlpg(g.c, LA + 0x2000);
    guest_put64(&g, guest_pte_at(LA + 0x1000), 0);
    cr_assert_eq(access(&g, LA + 0x1000, ACC_WRITE, 3), 14);
    cr_assert_eq(access(&g, LA + 0x1000, ACC_FETCH, 0), 14);
    guest_free(&g);
}

Test(mmu, pcids_keep_their_translations)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    cpu_set_cr4(g.c, g.c->cr4 | CR4_PCIDE);
    uint64_t gen = g.c->map_gen;
    cpu_set_cr3(g.c, G_TABLES | 5);
    cr_assert_neq(g.c->map_gen, gen);
    mem_sys_load(g.c, LA, 4);
    uint64_t gen5 = g.c->map_gen;
    guest_put64(&g, guest_pte_at(LA), 0);
    cpu_set_cr3(g.c, G_TABLES | 6 | BIT64(63));
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, LA, 4)), 14, "6 has nothing cached");
    cpu_set_cr3(g.c, G_TABLES | 5 | BIT64(63));
    cr_assert_eq(g.c->map_gen, gen5);
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, LA, 4)), -1, "5 still has it");
    cpu_set_cr3(g.c, G_TABLES | 5);
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, LA, 4)), 14);
    /* INVPCID of a context that is not current. */
    set_pte(&g, LA, P | W);
    mem_sys_load(g.c, LA, 4);
    guest_put64(&g, guest_pte_at(LA), 0);
    cpu_set_cr3(g.c, G_TABLES | 7);
    mmu_invpcid(g.c, 0, 5, LA);
    cpu_set_cr3(g.c, G_TABLES | 5 | BIT64(63));
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, LA, 4)), 14);
    /* More PCIDs than contexts. */
    for (unsigned k = 1; k < 40; k++) {
        cpu_set_cr3(g.c, G_TABLES | k | BIT64(63));
        cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, LA + 0x2000, 4)), -1);
    }
    guest_free(&g);
}

Test(mmu, two_level_and_pae_tables)
{
    struct guest g;

    guest_init(&g, "pentium3");
    guest_protected(&g);
    guest_put32(&g, 0x100000, 0x101000 | P | W | U);
    for (unsigned k = 0; k < 1024; k++) {
        guest_put32(&g, 0x101000 + 4 * k, k << 12 | P | W | U);
    }
    guest_put32(&g, 0x100004, 0x800000 | P | W | PS); /* 4 MiB page */
    guest_put32(&g, 0x801230, 0x1234);
    g.c->cr3 = 0x100000;
    cpu_set_cr4(g.c, CR4_PSE);
    cpu_set_cr0(g.c, g.c->cr0 | CR0_PG);
    cr_assert_eq(mem_sys_load(g.c, 0x401230, 4), 0x1234);
    cr_assert_eq(guest_get32(&g, 0x101000 + 4 * (G_CODE >> 12)) & A, 0);
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, 0xc0000000, 4)), 14);
    guest_put32(&g, 0x100008, 0x800000 | P | W | PS | BIT(21));
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, 0x800000, 4)), 14);
    cr_assert_eq(g.c->excp.error, 9);
    /* PSE-36: 36 bits of address in this model, and the four above are reserved. */
    guest_put32(&g, 0x100008, 0x800000 | P | W | PS | BIT(16));
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, 0x800000, 4)), -1);
    guest_put32(&g, 0x10000c, 0x800000 | P | W | PS | BIT(17));
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, 0xc00000, 4)), 14);
    cr_assert_eq(g.c->excp.error, 9);

    cpu_set_cr0(g.c, g.c->cr0 & ~(uint64_t)CR0_PG);
    guest_put64(&g, 0x102000, 0x103000 | P);
    guest_put64(&g, 0x103000, P | W | PS);
    guest_put64(&g, 0x103008, 0x800000 | P | W | PS);
    guest_put64(&g, 0x102008, BIT64(62) | P);
    g.c->cr3 = 0x102000;
    cpu_set_cr4(g.c, CR4_PAE);
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, g.c->cr0 | CR0_PG)), 13, "reserved bit in a PDPTE");
    guest_put64(&g, 0x102008, 0);
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, g.c->cr0 | CR0_PG)), -1);
    cr_assert_eq(mem_sys_load(g.c, 0x201230, 4), 0x1234);
    cr_assert_eq(GUEST_TRY(&g, mem_sys_load(g.c, 0x40000000, 4)), 14);
    guest_free(&g);
}

Test(mmu, accesses_across_pages)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    set_pte(&g, LA, 0x60000 | P | W | U);
    guest_put64(&g, guest_pte_at(LA), 0x60000 | P | W | U);
    guest_put64(&g, guest_pte_at(LA + 0x1000), 0x70000 | P | U);
    mmu_flush(g.c, true);
    guest_put32(&g, 0x60ffc, 0x44332211);
    guest_put32(&g, 0x70000, 0x88776655);
    cr_assert_eq(mem_load_slow(g.c, NULL, LA + 0xffd, 8), 0x0088776655443322ull);
    g.c->cpl = 3;
    cpu_update_mode(g.c);
    cr_assert_eq(GUEST_TRY(&g, mem_store_slow(g.c, NULL, LA + 0xffe, ~0ull, 8)), 14);
    cr_assert_eq(g.c->cr2, LA + 0x1000);
    cr_assert_eq(g.c->excp.error, 7);
    cr_assert_eq(guest_get32(&g, 0x60ffc), 0x44332211, "nothing was written");
    guest_put64(&g, guest_pte_at(LA + 0x1000), 0x70000 | P | W | U);
    mmu_flush(g.c, true);
    uint8_t buf[32], back[32];
    for (unsigned k = 0; k < 32; k++) {
        buf[k] = (uint8_t)k;
    }
    mem_store_bytes(g.c, NULL, LA + 0xff5, buf, 32);
    mem_load_bytes(g.c, NULL, LA + 0xff5, back, 32);
    cr_assert_arr_eq(buf, back, 32);
    cr_assert_eq(g.ram[0x60fff], 10);
    cr_assert_eq(g.ram[0x70000], 11);
    void *p = mem_rmw_slow(g.c, NULL, LA + 0xffe, 4);
    cr_assert_eq(p, (void *)g.c->bounce);
    g.c->bounce[0] = 0xaabbccdd;
    mem_rmw_flush(g.c, NULL, LA + 0xffe, 4);
    cr_assert_eq(guest_get16(&g, 0x60ffe), 0xccdd);
    cr_assert_eq(guest_get16(&g, 0x70000), 0xaabb);
    guest_free(&g);
}

Test(mmu, noncanonical_addresses)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    struct insn i = {.seg = SEG_DS}, ss = {.seg = SEG_SS};
    cr_assert_eq(GUEST_TRY(&g, mem_load_slow(g.c, &i, 0x800000000000ull, 1)), EXCP_GP);
    cr_assert_eq(GUEST_TRY(&g, mem_load_slow(g.c, &ss, 0x7ffffffffffeull, 4)), EXCP_SS);
    cr_assert_eq(g.c->excp.error, 0);
    cr_assert_eq(GUEST_TRY(&g, mmu_fetch(g.c, 0x800000000000ull)), EXCP_GP);
    guest_free(&g);
}

static void note_write(struct cpu *c, struct ram *ram, uint64_t off, uint64_t len)
{
    c->r[R_R15] = off + len;
    ram->page_flags[off >> PAGE_SHIFT] &= ~RAM_PAGE_CODE;
}

Test(mmu, code_pages_take_the_slow_path)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    g.c->code_written = note_write;
    struct tlb_entry *e = tlb_slot(g.c, LA);
    mem_store_slow(g.c, NULL, LA, 1, 4);
    cr_assert_eq(e->tag_w, LA);
    g.rig->ram->page_flags[LA >> PAGE_SHIFT] |= RAM_PAGE_CODE;
    mmu_write_protect(g.c, g.rig->ram->host + LA);
    cr_assert_neq(e->tag_w, LA);
    cr_assert_eq(e->tag_r, LA);
    mem_store_slow(g.c, NULL, LA + 8, 2, 4);
    cr_assert_eq(g.c->r[R_R15], LA + 12);
    cr_assert_eq(guest_get32(&g, LA + 8), 2);
    mem_store_slow(g.c, NULL, LA + 8, 3, 4);
    cr_assert_eq(e->tag_w, LA, "fast again");
    guest_free(&g);
}

Test(mmu, a_store_between_the_clearing_of_dirty_and_the_flush_is_seen)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    struct ram *ram = g.rig->ram;
    machine_lock(g.rig->m);
    ram_set_log_dirty(ram, true);
    machine_unlock(g.rig->m);
    mmu_flush(g.c, true);
    mem_store_slow(g.c, NULL, LA, 1, 4);
    cr_assert(ram_test_clear_dirty(ram, LA >> PAGE_SHIFT));
    mem_store32(g.c, NULL, LA, 2); /* through the write tag */
    cr_assert_not(ram->page_flags[LA >> PAGE_SHIFT] & RAM_PAGE_DIRTY);
    guest_code(&g, "\xf4", 1);
    guest_run(&g); /* serves VCPU_REQ_TLB */
    cr_assert(ram_test_clear_dirty(ram, LA >> PAGE_SHIFT));
    guest_run(&g);
    cr_assert_not(ram_test_clear_dirty(ram, LA >> PAGE_SHIFT), "and only once");
    guest_free(&g);
}

Test(mmu, holes_and_rom)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    cr_assert_eq(mem_load_slow(g.c, NULL, 0x2000000, 4), 0xffffffff);
    mem_store_slow(g.c, NULL, 0x2000000, 5, 4);
    cr_assert_eq(mem_load_slow(g.c, NULL, 0xfffffff0, 8), ~0ull);
    machine_lock(g.rig->m);
    g.rig->ram->readonly = true;
    region_set_enabled(g.rig->m, &g.rig->region, false);
    region_set_enabled(g.rig->m, &g.rig->region, true);
    machine_unlock(g.rig->m);
    mmu_flush(g.c, true);
    guest_put32(&g, LA, 0x77);
    mem_store_slow(g.c, NULL, LA, 5, 4);
    cr_assert_eq(guest_get32(&g, LA), 0x77);
    guest_free(&g);
}

/* Page tables in shadow memory that is read from ROM and written to RAM: the accessed bit set does
 * not show, as on hardware, and nobody waits for it. */
Test(mmu, tables_that_do_not_read_back_what_is_written, .timeout = 20)
{
    static struct region shadow;
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    uint64_t at = guest_pte_at(LA), table = at & ~PAGE_OFFSET_MASK;
    struct machine *m = g.rig->m;
    struct ram *rom = ram_new(m, "shadow", PAGE_BYTES, NULL);

    set_pte(&g, LA, P | W);
    memcpy(rom->host, g.ram + table, PAGE_BYTES);
    region_init_ram(&shadow, "shadow", rom, 0, PAGE_BYTES);
    machine_lock(m);
    region_add(m, &shadow, table, 1);
    region_set_access(m, &shadow, ACCESS_READ);
    machine_unlock(m);
    guest_put64(&g, at, 0);
    mmu_flush(g.c, true);
    cr_expect_eq(access(&g, LA, ACC_WRITE, 0), -1);
    cr_expect_eq(ld_le64(rom->host + (at & PAGE_OFFSET_MASK)), LA | P | W);
    cr_expect_eq(guest_get64(&g, at), LA | P | W | A | D);
    guest_free(&g);
}

Test(mmu, a20_gate)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_put32(&g, 0x100010, 0x11);
    guest_put32(&g, 0x10, 0x22);
    cr_assert_eq(mem_load_slow(g.c, NULL, 0x100010, 4), 0x11);
    atomic_store(&g.rig->m->a20_mask, ~(uint64_t)BIT(20));
    mmu_flush(g.c, true);
    cr_assert_eq(mem_load_slow(g.c, NULL, 0x100010, 4), 0x22);
    guest_free(&g);
}

Test(mmu, alignment_check)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    g.c->cr0 |= CR0_AM;
    g.c->eflags |= FLAG_AC;
    cr_assert_eq(access(&g, LA + 1, ACC_READ, 0), -1);
    cr_assert_eq(access(&g, LA + 1, ACC_READ, 3), EXCP_AC);
    cr_assert_eq(access(&g, LA + 4, ACC_READ, 3), -1);
    cr_assert_eq(tlb_slot(g.c, LA)->tag_r, TLB_NO_TAG(LA >> 12 & (TLB_SIZE - 1)),
                 "the checked class stays empty");
    guest_free(&g);
}

/* An x87 store that pops: nothing has been popped where it raises. */
Test(mmu, alignment_is_checked_before_anything_changes)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    guest_user(&g);
    g.c->cr0 |= CR0_AM;
    g.c->eflags |= FLAG_AC;
    g.c->r[R_RBX] = G_DATA + 1;
    cpu_update_mode(g.c);
    guest_code(&g, "\xdb\xe3\xd9\xe8\xdf\x3b", 6); /* fninit; fld1; fistp qword [rbx] */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_AC);
    cr_assert_eq(fpu_fsw(g.c), 7 << FSW_TOP_SHIFT);
    guest_free(&g);
}
