/*
 * Windows of compiled code (accel/jit/window.c): what becomes of a block whose windows lie across
 * two pages.
 *
 * Not modelled: what windows do otherwise; the fuzzers and test_sweep.c look at that.
 */
#include "accel/interp_int.h"
#include "accel/jit/jit.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

enum { PLACE = 0x50100, ACROSS = 0x50ff8, ROUNDS = 1 << 18, OWN = 3, OTHER = 5 };

/*
 * ROUNDS loops of 7 instructions over two numbers beside each other, at PLACE, or ACROSS where the
 * count has none of `mask`.  How many blocks were dropped.
 */
static uint64_t dropped(uint32_t mask)
{
    static const char code[] = "\xb9\x00\x00\x04\x00"  /* mov ecx,ROUNDS */
                               "\x48\x89\xf3"          /* again: mov rbx,rsi */
                               "\x85\xd1"              /* test ecx,edx */
                               "\x48\x0f\x44\xdf"      /* cmovz rbx,rdi */
                               "\x48\x03\x03"          /* add rax,[rbx] */
                               "\x48\x03\x43\x08"      /* add rax,[rbx+8] */
                               "\xff\xc9\x75\xec\xf4"; /* dec ecx; jnz again; hlt */
    struct guest g;
    struct jit_stats s;

    g_setenv("CANDELA_TEST_ACCEL", "jit", true);
    guest_init_linked(&g, "x86-64-v3");
    guest_long(&g);
    guest_code(&g, code, sizeof code - 1);
    guest_put64(&g, PLACE, OWN);
    guest_put64(&g, PLACE + 8, OWN);
    guest_put64(&g, ACROSS, OTHER);
    guest_put64(&g, ACROSS + 8, OTHER);
    g.c->r[R_RSI] = PLACE;
    g.c->r[R_RDI] = ACROSS;
    g.c->r[R_RDX] = mask;
    guest_run(&g);
    cr_expect_eq(guest_vector(&g), -1);
    cr_expect_eq(g.c->r[R_RCX], 0);
    uint64_t others = ROUNDS / (mask + 1);
    cr_expect_eq(g.c->r[R_RAX], 2 * OWN * (ROUNDS - others) + 2 * OTHER * others);
    jit_get_stats(((struct interp *)g.v->engine)->jit, &s);
    guest_free(&g);
    return s.dropped;
}

Test(jit_window, what_lies_across_pages_now_and_then_stays_in_its_window)
{
    cr_expect_eq(dropped(0xfff), 0);
}

/* The block is translated again once. */
Test(jit_window, what_often_does_has_none)
{
    cr_expect_eq(dropped(0xf), 1);
}
