/*
 * Compiled jumps and calls into other pages: linked while the mapping is the one they were linked
 * under (accel/jit, CROSS_*).
 *
 * Not modelled: jumps to an instruction that crosses pages (test_jit_engine.c).
 */
#include "accel/interp.h"
#include "accel/jit/jit_int.h"
#include "cpu/sys.h"
#include "tests/accel/jit_finds.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

enum {
    PAGE = 0x50000, /* the code that loops */
    OTHER = PAGE + 0x1000,
    ELSEWHERE = PAGE + 0x2000, /* what is mapped at OTHER at times */
    TABLES = 0x60000,          /* of the second address space */
};

/* 64-bit mode; PAGE begins with the code, OTHER and ELSEWHERE with these. */
static void begin(struct guest *g, const char *code, size_t len, const char *other,
                  const char *elsewhere, size_t other_len)
{
    g_setenv("CANDELA_TEST_ACCEL", "jit", true);
    guest_init_linked(g, "x86-64-v3");
    guest_long(g);
    memcpy(g->ram + PAGE, code, len);
    memcpy(g->ram + OTHER, other, other_len);
    memcpy(g->ram + ELSEWHERE, elsewhere, other_len);
    g->c->ip = PAGE;
    jit_finds_begin(g->c);
}
#define BEGIN(g, code, other, elsewhere)                                                           \
    begin(g, code, sizeof(code) - 1, other, elsewhere, sizeof(other) - 1)

static void run(struct guest *g, uint64_t rcx)
{
    g->c->halted = false;
    g->c->ip = PAGE;
    g->c->r[R_RCX] = rcx;
    cr_assert_eq(guest_run(g), VCPU_EXIT_HALT);
    cr_assert_eq(guest_vector(g), -1);
}

/* A call, a jump and a conditional one; OTHER is mapped elsewhere when ECX is ESI. */
Test(jit_cross, jumps_follow_what_is_mapped_there)
{
    enum { ROUNDS = 1000, THEN = 400 };
    struct guest g;

    BEGIN(&g,
          "\xe8\xfb\x0f\x00\x00"             /* again: call OTHER */
          "\xe9\x06\x10\x00\x00"             /* jmp OTHER + 0x10 */
          "\x39\xf1\x75\x10"                 /* back: cmp ecx,esi; jne go */
          "\x48\x89\x14\x25\x88\x32\x01\x00" /* mov [PTE],rdx */
          "\x0f\x01\x3c\x25\x00\x10\x05\x00" /* invlpg [OTHER] */
          "\xff\xc9\x75\xde\xf4",            /* go: dec ecx; jnz again; hlt */
          "\x83\xc3\x01\xc3\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90" /* add ebx,1; ret */
          "\x83\xc3\x10\x85\xc9"     /* add ebx,0x10; test ecx,ecx */
          "\x0f\x85\xef\xef\xff\xff" /* jnz back */
          "\xe9\xea\xef\xff\xff",    /* jmp back */
          "\x83\xc3\x02\xc3\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90"
          "\x83\xc3\x20\x85\xc9\x0f\x85\xef\xef\xff\xff\xe9\xea\xef\xff\xff");
    cr_assert_eq(guest_pte_at(OTHER), 0x13288);
    g.c->r[R_RSI] = THEN;
    g.c->r[R_RDX] = ELSEWHERE | 7;
    run(&g, ROUNDS);
    cr_assert_eq(g.c->r[R_RBX], 0x11 * (ROUNDS - THEN + 1) + 0x22 * (THEN - 1), "%#x",
                 (uint32_t)g.c->r[R_RBX]);
    cr_assert_lt(jit_finds(), 60, "%u", jit_finds());
    guest_free(&g);
}

/* Paging structures at TABLES that are as those of guest_long but for OTHER. */
static void make_second(struct guest *g)
{
    memcpy(g->ram + TABLES, g->ram + G_TABLES, 0x4000);
    for (unsigned n = 0; n < 3; n++) {
        uint64_t at = TABLES + n * 0x1000;

        guest_put64(g, at, guest_get64(g, at) + TABLES - G_TABLES);
    }
    guest_put64(g, TABLES + 0x3000 + 8 * (OTHER >> PAGE_SHIFT), ELSEWHERE | 7);
}

/* Two address spaces take turns; each has its own page at OTHER. */
static void take_turns(struct guest *g, uint64_t cr3_bits, uint64_t other_bits)
{
    make_second(g);
    g->c->r[R_RAX] = TABLES | other_bits;
    g->c->r[R_RDI] = G_TABLES | cr3_bits;
    run(g, 1000);
    cr_assert_eq(g->c->r[R_RBX], 500 * 1 + 500 * 2, "%u", (uint32_t)g->c->r[R_RBX]);
}
#define TURNS                                                                                      \
    "\xe8\xfb\x0f\x00\x00" /* again: call OTHER */                                                 \
    "\x0f\x22\xd8\x48\x97" /* mov cr3,rax; xchg rax,rdi */                                         \
    "\xff\xc9\x75\xf2\xf4" /* dec ecx; jnz again; hlt */

Test(jit_cross, address_spaces_do_not_share_what_is_mapped_otherwise)
{
    struct guest g;

    BEGIN(&g, TURNS, "\x83\xc3\x01\xc3", "\x83\xc3\x02\xc3");
    take_turns(&g, 0, 0);
    guest_free(&g);
}

/* With PCIDs what each has found stays; and not at every turn is the call linked anew. */
Test(jit_cross, address_spaces_that_are_kept_take_turns)
{
    struct jit_stats stats;
    struct guest g;

    BEGIN(&g, TURNS, "\x83\xc3\x01\xc3", "\x83\xc3\x02\xc3");
    cpu_set_cr4(g.c, g.c->cr4 | CR4_PCIDE);
    take_turns(&g, BIT64(63), 1 | BIT64(63));
    jit_get_stats(jit_of(g.c), &stats);
    cr_assert_lt(stats.links, 200, "%" G_GUINT64_FORMAT, stats.links);
    guest_free(&g);
}

/* Of a generation 31 bits are compared. */
Test(jit_cross, generations_that_look_alike_are_told_apart)
{
    struct guest g;

    BEGIN(&g, "\xe8\xfb\x0f\x00\x00\xff\xc9\x75\xf7\xf4", /* again: call OTHER; dec ecx; jnz */
          "\x83\xc3\x01\xc3", "\x83\xc3\x02\xc3");
    run(&g, 100);
    cr_assert_eq(g.c->r[R_RBX], 100);

    uint32_t linked = g.c->due[0].gen;
    guest_put64(&g, guest_pte_at(OTHER), ELSEWHERE | 7);
    g.c->mmu->gen = CPU_DUE_GEN;
    mmu_flush(g.c, true);
    for (unsigned n = 0; g.c->due[0].gen != linked; n++) {
        cr_assert_lt(n, 1000, "generation %#x", g.c->due[0].gen);
        mmu_flush(g.c, false);
    }
    run(&g, 100);
    cr_assert_eq(g.c->r[R_RBX], 300, "%u", (uint32_t)g.c->r[R_RBX]);
    guest_free(&g);
}

/* What is not linked goes by no generation, the first one either. */
Test(jit_cross, a_generation_of_0_links_nothing)
{
    struct guest g;

    BEGIN(&g, "\xe8\xfb\x0f\x00\x00\xff\xc9\x75\xf7\xf4", /* again: call OTHER; dec ecx; jnz */
          "\x83\xc3\x01\xc3", "\x83\xc3\x02\xc3");
    g.c->map_gen = g.c->global_gen = 0;
    cpu_update_keys(g.c);
    run(&g, 100);
    cr_assert_eq(g.c->due[0].gen, 0);
    cr_assert_eq(g.c->r[R_RBX], 100, "%u", (uint32_t)g.c->r[R_RBX]);
    guest_free(&g);
}
