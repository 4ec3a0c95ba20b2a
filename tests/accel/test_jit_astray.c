/*
 * Code that is meant to lead compiled code astray (accel/jit): to memory beyond what was looked at,
 * into the midst of an instruction of the host's, to what a block is not any more.
 *
 * Not modelled: returns (test_jit_calls.c).
 */
#include "accel/jit/jit_int.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

enum {
    PAGE_AT = 0x50000, /* of code, and a page table */
    TABLE_AT = 0x60000,
    VALUE_AT = 0x70800,
    VALUE = 0x12345678,
    PTE = 7,
};
/* What that table maps. */
#define LOW  0x40000000ull
#define HIGH 0x7f0000000000ull

static void begin(struct guest *g)
{
    g_setenv("CANDELA_TEST_ACCEL", "jit", true);
    guest_init_linked(g, "x86-64-v3");
    guest_long(g);
}

/* Again, when it is compiled: what memory operands are like may have been guessed at first. */
static void run(struct guest *g, uint64_t ip, int vector)
{
    g->c->halted = false;
    g->c->ip = ip;
    cr_assert_eq(guest_run(g), VCPU_EXIT_HALT);
    cr_assert_eq(guest_vector(g), vector, "%d", guest_vector(g));
}

/* The second is 4 GiB beyond the first. */
Test(jit_astray, a_base_moves_up_by_what_cannot_be_negated)
{
    struct guest g;

    begin(&g);
    guest_code(&g,
               "\x48\x8b\x48\xf0"             /* mov rcx,[rax-16] */
               "\x48\x2d\x00\x00\x00\x80"     /* sub rax,-0x80000000 */
               "\x48\x8b\x88\xf0\xff\xff\x7f" /* mov rcx,[rax+0x7ffffff0] */
               "\xf4",
               18);
    for (unsigned n = 0; n < 4; n++) {
        g.c->r[R_RAX] = G_DATA + 0x100;
        run(&g, G_CODE, EXCP_PF);
        cr_assert_eq(g.c->cr2, G_DATA + 0x100 - 16 + (1ull << 32));
        guest_long(&g);
    }
    guest_free(&g);
}

/* PAGE_AT is the page table of what begins at LOW and at HIGH; its first entry is of a stack. */
static void map_by_code(struct guest *g)
{
    guest_put64(g, (guest_get64(g, g->c->cr3) & ~0xfffull) + 8, TABLE_AT | PTE);
    guest_put64(g, g->c->cr3 + (HIGH >> 39) * 8, (TABLE_AT + 0x1000) | PTE);
    guest_put64(g, TABLE_AT + 0x1000, TABLE_AT | PTE);
    guest_put64(g, TABLE_AT, PAGE_AT | PTE);
    guest_put64(g, PAGE_AT, (G_USER_STACK - 0x1000) | PTE);
}

static void user_at(struct guest *g, uint64_t sp)
{
    guest_user(g);
    g->c->r[R_RSP] = sp;
}

/* The accessed bit of the stack's page is in the code that reads there: at the second instruction
 * of the host's in its block. */
Test(jit_astray, a_page_is_mapped_by_an_entry_in_the_code_that_wants_it)
{
    enum { AT = PAGE_AT + 0x101, ENTRY = AT + 7 };
    struct guest g;

    begin(&g);
    map_by_code(&g);
    memcpy(g.ram + AT, "\x89\xc8\x8b\x1c\x24\x48\xb8",
           7); /* mov eax,ecx; mov ebx,[rsp]; mov rax, */
    guest_put64(&g, ENTRY, (VALUE_AT & ~0xfffull) | PTE);
    g.ram[ENTRY + 8] = 0xf4;
    guest_put64(&g, VALUE_AT, VALUE);
    for (unsigned n = 0; n < 3; n++) {
        user_at(&g, HIGH + 0xfc0);
        run(&g, AT, EXCP_GP);
    }
    user_at(&g, HIGH + (ENTRY & 0xfff) / 8 * 0x1000 + (VALUE_AT & 0xfff));
    run(&g, AT, EXCP_GP);
    cr_assert_eq(g.c->r[R_RBX], VALUE, "%#" G_GINT64_MODIFIER "x", g.c->r[R_RBX]);
    cr_assert_eq(g.c->r[R_RAX] & ~0x20ull, (VALUE_AT & ~0xfffull) | PTE);
    guest_free(&g);
}

/* The same of a page that is no memory, and the bit makes two other instructions of those that gave
 * the flags, of which none does. */
Test(jit_astray, flags_are_not_made_by_what_did_not_make_them)
{
    enum { AT = PAGE_AT + 0x200 };
    struct guest g;

    begin(&g);
    map_by_code(&g);
    memcpy(g.ram + AT,
           "\x85\xc0\xf3\x5b\xb9\x00\x00\x00\x00" /* test eax,eax; rep pop rbx; mov ecx,0 */
           "\x48\x8b\x0e\x39\xd1\xf4",            /* mov rcx,[rsi]; cmp ecx,edx */
           15);
    g.c->r[R_RAX] = 1;
    for (unsigned n = 0; n < 3; n++) {
        user_at(&g, HIGH + 0xfc0);
        g.c->r[R_RSI] = G_DATA;
        run(&g, AT, EXCP_GP);
    }
    user_at(&g, HIGH + 0xfc0);
    g.c->r[R_RSI] = LOW + (AT & 0xfff) / 8 * 0x1000;
    g.c->halted = false;
    g.c->ip = AT;
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT); /* whatever it has come to */
    guest_free(&g);
}
