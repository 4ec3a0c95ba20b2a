/*
 * Making room among decoded blocks (accel/blocks.c): what is compiled stays and goes on without its
 * instructions, which are decoded again where C or the interpreter wants them; what is not
 * compiled is forgotten, but not how hot it was.
 *
 * Not modelled: full caches; test_memory.c fills them.
 */
#include "accel/interp_int.h"
#include "accel/jit/jit_int.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

#define CODE(g, bytes) guest_code(g, bytes, sizeof(bytes) - 1)
enum { NOT_MAPPED = 0x50000 };

static struct interp *begin(struct guest *g, unsigned hot)
{
    g_setenv("CANDELA_TEST_ACCEL", "jit", true);
    guest_init_linked(g, "x86-64-v3");
    guest_long(g);
    guest_put64(g, guest_pte_at(NOT_MAPPED), 0);
    struct interp *e = g->v->engine;
    e->hot = hot;
    return e;
}

static void sweep(struct guest *g)
{
    struct interp *e = g->v->engine;

    cr_assert(blocks_sweep(e->blocks, g->c));
}

static void run_again(struct guest *g)
{
    g->c->halted = false;
    g->c->ip = G_CODE;
    g->c->r[R_RSP] = G_STACK;
    cr_assert_eq(guest_run(g), VCPU_EXIT_HALT);
}

static uint64_t compiled(const struct interp *e)
{
    struct jit_stats s;

    jit_get_stats(e->jit, &s);
    return s.blocks;
}

static uint64_t built(const struct interp *e)
{
    struct blocks_stats s;

    blocks_get_stats(e->blocks, &s);
    return s.built;
}

/* Where a #PF was raised, by what the handler found on its stack. */
static uint64_t fault_ip(struct guest *g)
{
    cr_assert_eq(guest_vector(g), EXCP_PF);
    return guest_get64(g, g->c->r[R_RSP] + 8);
}

Test(sweep, compiled_code_stays)
{
    struct guest g;
    struct interp *e = begin(&g, 1);

    CODE(&g, "\xb9\x64\x00\x00\x00" /* mov ecx,100 */
             "\x31\xc0"             /* xor eax,eax */
             "\x01\xc8"             /* again: add eax,ecx */
             "\xff\xc9\x75\xfa"     /* dec ecx; jnz again */
             "\xf4");
    run_again(&g);
    cr_assert_eq(g.c->r[R_RAX], 5050);
    uint64_t blocks = compiled(e), decoded = built(e);
    cr_assert_gt(blocks, 0);
    for (unsigned n = 0; n < 3; n++) {
        sweep(&g);
        run_again(&g);
        cr_expect_eq(g.c->r[R_RAX], 5050);
    }
    cr_expect_eq(compiled(e), blocks, "nothing is compiled twice");
    cr_expect_eq(built(e), decoded, "nor built");
    guest_free(&g);
}

/* Of a window, a load and a store: the frame has the instruction's own address. */
Test(sweep, faults_of_swept_blocks_are_exact)
{
    static const struct {
        const char *code;
        unsigned len, at;
    } of[] = {
        {"\xff\xc0\x90\x8b\x0b\xf4", 6, 3},                  /* inc eax; nop; mov ecx,[rbx] */
        {"\xff\xc0\x90\x90\x89\x0b\xf4", 7, 4},              /* ... mov [rbx],ecx */
        {"\xff\xc0\x01\x0b\xf4", 5, 2},                      /* ... add [rbx],ecx */
        {"\xff\xc0\xf0\x01\x0b\xf4", 6, 2},                  /* ... lock add [rbx],ecx */
        {"\x90\x8b\x0b\x8b\x53\x08\x03\x4b\x10\xf4", 10, 1}, /* loads beside each other */
    };

    for (unsigned n = 0; n < ARRAY_LEN(of); n++) {
        struct guest g;
        struct interp *e = begin(&g, 1);

        guest_code(&g, of[n].code, of[n].len);
        g.c->r[R_RBX] = G_DATA;
        run_again(&g);
        cr_assert_eq(guest_vector(&g), -1);
        uint64_t blocks = compiled(e), insns = g.c->icount;
        run_again(&g);
        insns = g.c->icount - insns;
        sweep(&g);
        g.c->r[R_RBX] = NOT_MAPPED;
        uint64_t before = g.c->icount;
        run_again(&g);
        cr_expect_eq(fault_ip(&g), G_CODE + of[n].at, "%u", n);
        cr_expect_leq(g.c->icount - before, insns, "%u: counts what retired", n);
        cr_expect_geq(compiled(e), blocks, "%u", n);
        guest_free(&g);
    }
}

/* The interpreter goes on in a block of which only compiled code was left. */
Test(sweep, what_has_no_translation_gets_its_instruction_again)
{
    struct guest g;

    begin(&g, 1);
    CODE(&g, "\xff\xc3" /* inc ebx */
             "\xcd\x30\xf4" /* int 0x30; hlt */);
    run_again(&g);
    cr_assert_eq(guest_vector(&g), 0x30);
    sweep(&g);
    run_again(&g);
    cr_expect_eq(guest_vector(&g), 0x30);
    cr_expect_eq(guest_get64(&g, g.c->r[R_RSP]), G_CODE + 4, "behind it");
    cr_expect_eq(g.c->r[R_RBX], 2);
    guest_free(&g);
}

/* Loads across two pages, which a shared look cannot have. */
Test(sweep, a_look_that_cannot_be_shared_is_left_to_the_interpreter)
{
    struct guest g;

    begin(&g, 1);
    CODE(&g, "\x90\x8b\x0b\x8b\x53\x08\x03\x4b\x10\xf4");
    g.c->r[R_RBX] = G_DATA;
    run_again(&g);
    for (unsigned n = 0; n < 40; n++) { /* until it is translated without */
        guest_put32(&g, G_DATA + 0xff8, 5);
        guest_put32(&g, G_DATA + 0x1000, n);
        guest_put32(&g, G_DATA + 0x1008, 100);
        g.c->r[R_RBX] = G_DATA + 0xff8;
        sweep(&g);
        run_again(&g);
        cr_assert_eq(g.c->r[R_RCX], 105);
        cr_assert_eq(g.c->r[R_RDX], n);
    }
    guest_free(&g);
}

Test(sweep, a_store_drops_a_swept_block)
{
    struct guest g;
    struct interp *e = begin(&g, 1);

    CODE(&g, "\xb8\x05\x00\x00\x00\xf4"); /* mov eax,5 */
    run_again(&g);
    sweep(&g);
    g.ram[G_CODE + 1] = 7;
    blocks_drop(e->blocks, g.rig->ram, G_CODE + 1, 1);
    run_again(&g);
    cr_expect_eq(g.c->r[R_RAX], 7);
    guest_free(&g);
}

/* What compiled code was made from stands there no more, and nobody has said so yet. */
Test(sweep, other_code_in_the_place_gets_no_old_body)
{
    struct guest g;
    struct interp *e = begin(&g, 1);

    CODE(&g, "\xb8\x05\x00\x00\x00\xff\xc3\xf4"); /* mov eax,5; inc ebx; hlt */
    run_again(&g);
    struct code_block *k = blocks_get(e->blocks, g.c, (g.c->ip = G_CODE));
    cr_assert(k && k->body && k->jit);
    sweep(&g);
    cr_assert_eq(blocks_get(e->blocks, g.c, G_CODE), k);
    cr_assert_null(k->body);
    memset(g.ram + G_CODE, 0x90, 7);
    cr_expect_null(blocks_body(e->blocks, g.c, k));
    struct code_block *now = blocks_whole(e->blocks, g.c, k, G_CODE);
    cr_assert(now && now != k);
    cr_expect_eq(now->n, 8);
    cr_expect(k->stale);
    run_again(&g);
    cr_expect_eq(g.c->r[R_RBX], 1, "the old code is not run again");
    guest_free(&g);
}

Test(sweep, heat_is_remembered)
{
    struct guest g;
    struct interp *e = begin(&g, 4);

    CODE(&g, "\xff\xc0\xf4");
    for (unsigned n = 0; n < 3; n++) {
        run_again(&g);
        sweep(&g);
        cr_assert_eq(compiled(e), 0);
    }
    run_again(&g);
    cr_expect_eq(compiled(e), 1);
    guest_free(&g);
}
