/*
 * The translator's place in the engine (accel/jit, accel/interp.c): ways in and out of compiled
 * code, its versions, what is seen when.
 * Not modelled: instructions; test_jit_simd.c and the fuzzers look at those.
 */
#include "accel/interp.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

#define CODE(g, bytes) guest_code(g, bytes, sizeof(bytes) - 1)

static void init_jit(struct guest *g)
{
    g_setenv("CANDELA_TEST_ACCEL", "jit", true);
    guest_init_linked(g, "x86-64-v3");
}

/* Each change of the mode goes on elsewhere: not deeper and deeper into the host's stack. */
Test(jit_engine, mode_changes_in_handlers_do_not_pile_up)
{
    struct guest g;

    init_jit(&g);
    guest_protected(&g);
    guest_desc(&g, S_FREE, 0, 0xfffff, 0x93 | SEG_DB);
    CODE(&g, "\x8e\xd8\x8e\xdb\x49\x75\xf9\xf4"); /* again: mov ds,ax; mov ds,bx; dec ecx; jnz */
    g.c->r[R_RAX] = S_DATA;
    g.c->r[R_RBX] = S_FREE;
    g.c->r[R_RCX] = 1000000;
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RCX], 0);
    cr_assert_eq(g.c->icount, 4000001);
    guest_free(&g);
}

/*
 * 2000:0100 and 1ff0:0200 are one place.  There: 40 NOPs, which are two blocks; call $+3; pop ax;
 * retf.
 */
Test(jit_engine, one_place_under_two_code_segments_has_two_ips)
{
    struct guest g;

    init_jit(&g);
    CODE(&g, "\xb9\x05\x00"         /* mov cx,5 */
             "\x9a\x00\x01\x00\x20" /* again: callf 2000:0100 */
             "\xe2\xf9"             /* loop again */
             "\x89\xc3"             /* mov bx,ax */
             "\x9a\x00\x02\xf0\x1f" /* callf 1ff0:0200 */
             "\xf4");
    memset(g.ram + G_CODE + 0x100, 0x90, 40);
    memcpy(g.ram + G_CODE + 0x128, "\xe8\x00\x00\x58\xcb", 5);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RBX], 0x12b);
    cr_assert_eq(g.c->r[R_RAX], 0x22b);
    guest_free(&g);
}
