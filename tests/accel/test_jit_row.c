/*
 * Compiled blocks that stand behind another one, which goes on there without a jump (accel/jit,
 * make_row): the flags on the way, and what is done when the one behind is dropped or cannot be.
 *
 * Not modelled: traps of such a block (test_view.c).
 */
#include "accel/interp_int.h"
#include "accel/jit/jit_int.h"
#include "tests/accel/jit_finds.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

static void begin(struct guest *g, const char *code, size_t len)
{
    g_setenv("CANDELA_TEST_ACCEL", "jit", true);
    guest_init_linked(g, "x86-64-v3");
    guest_long(g);
    guest_code(g, code, len);
    ((struct interp *)g->v->engine)->hot = 20; /* what is behind has been entered before */
    g->c->r[R_RCX] = 1000;
}
#define BEGIN(g, code) begin(g, code, sizeof(code) - 1)

static struct jit_stats run(struct guest *g)
{
    struct jit_stats stats;

    cr_assert_eq(guest_run(g), VCPU_EXIT_HALT);
    cr_assert_eq(guest_vector(g), -1);
    cr_assert_eq(g->c->r[R_RCX], 0);
    jit_get_stats(jit_of(g->c), &stats);
    return stats;
}

/* Of what a return, or a branch, comes back to: there, CF is added. */
#define CALLS                                                                                      \
    "\xf6\xc1\x01\x75\x05" /* again: test cl,1; jnz back */                                        \
    "\xe8\x08\x00\x00\x00" /* call f */                                                            \
    "\x83\xd3\x00"         /* back: adc ebx,0 */                                                   \
    "\xff\xc9\x75\xef\xf4" /* dec ecx; jnz again; hlt */                                           \
    "\xf9\xc3"             /* f: stc; ret */

Test(jit_row, a_return_goes_on_behind_the_call)
{
    struct guest g;

    BEGIN(&g, CALLS);
    cr_assert_geq(run(&g).behind, 1);
    cr_assert_eq(g.c->r[R_RBX], 500, "%u", (uint32_t)g.c->r[R_RBX]);
    cr_assert_eq(g.c->icount, 500 * 5 + 500 * 8 + 1, "%" G_GUINT64_FORMAT, g.c->icount);
    guest_free(&g);
}

/* In the host's, where a branch stands before what another jump leads to.  When half is done, that
 * is changed. */
Test(jit_row, flags_go_on_with_it)
{
    struct guest g;

    BEGIN(&g, "\x81\xf9\xf4\x01\x00\x00\x75\x07" /* again: cmp ecx,500; jne over */
              "\xc6\x05\x0e\x00\x00\x00\x10"     /* mov byte [back + 2],0x10 */
              "\xf6\xc1\x03\x75\x03\xf9\xff\xe0" /* over: test cl,3; jnz a; stc; jmp rax */
              "\x39\xca\x70\x07"                 /* a: cmp edx,ecx; jo end */
              "\x83\xd3\x00"                     /* back: adc ebx,0 */
              "\xff\xc9\x75\xde\xf4");           /* dec ecx; jnz again; end: hlt */
    g.c->r[R_RAX] = G_CODE + 27;
    g.c->r[R_RDX] = 500;
    struct jit_stats stats = run(&g);
    cr_assert_geq(stats.behind, 1);
    cr_assert_geq(stats.dropped, 1);
    cr_assert_eq(g.c->r[R_RBX], 250 + 375 + 0x10 * 500, "%u", (uint32_t)g.c->r[R_RBX]);
    guest_free(&g);
}

/* When half is done, the code that is come back to is changed: it had no use for the flags. */
Test(jit_row, a_block_behind_may_be_dropped)
{
    struct guest g;

    BEGIN(&g, "\x81\xf9\x90\x01\x00\x00\x74\x10" /* again: cmp ecx,400; je change */
              "\xe8\x08\x00\x00\x00"             /* here: call f */
              "\x83\xc3\x00"                     /* back: add ebx,0; then adc */
              "\xff\xc9\x75\xec\xf4"             /* dec ecx; jnz again; hlt */
              "\x39\xca\xc3"                     /* f: cmp edx,ecx; ret */
              "\xc6\x05\xef\xff\xff\xff\xd3"     /* change: mov byte [back + 1],0xd3 */
              "\xeb\xe7");                       /* jmp here */
    g.c->r[R_RDX] = 200;
    struct jit_stats stats = run(&g);
    cr_assert_geq(stats.behind, 1);
    cr_assert_geq(stats.dropped, 1);
    cr_assert_eq(g.c->r[R_RBX], 200, "%u", (uint32_t)g.c->r[R_RBX]);
    guest_free(&g);
}

/* There is room for one block only: the jump that ends it is there nevertheless. */
Test(jit_row, what_cannot_be_behind_is_jumped_to)
{
    struct guest g;

    BEGIN(&g, "\xf6\xc1\x01\x75\x02\xeb\x05" /* again: test cl,1; jnz a; jmp back */
              "\xf9\xeb\x02\xf4\xf4"         /* a: stc; jmp back */
              "\x83\xd3\x00"                 /* back: adc ebx,0 */
              "\xff\xc9\x75\xed\xf4");       /* dec ecx; jnz again; hlt */
    g.c->r[R_RCX] = 1001;                    /* even when the block is hot */
    jit_of(g.c)->ncodes = CODES_MAX - 1;
    jit_finds_begin(g.c);
    struct jit_stats stats = run(&g);
    cr_assert_eq(stats.flushes, 1);
    cr_assert_geq(stats.behind, 1);
    cr_assert_geq(jit_finds(), 1);
    cr_assert_eq(g.c->r[R_RBX], 501, "%u", (uint32_t)g.c->r[R_RBX]);
    guest_free(&g);
}
