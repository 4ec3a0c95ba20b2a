/*
 * Return addresses of guest calls under way on a stack of the host's (accel/jit/calls.c).
 *
 * Not modelled: nothing left out.
 */
#include "accel/interp_int.h"
#include "accel/jit/jit_int.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

static void begin(struct guest *g, const char *code, size_t len)
{
    g_setenv("CANDELA_TEST_ACCEL", "jit", true);
    guest_init_linked(g, "x86-64-v3");
    guest_long(g);
    guest_code(g, code, len);
    g->c->r[R_RSP] = 0x180000;
}
#define BEGIN(g, code) begin(g, code, sizeof(code) - 1)

/* As deep as it can be without being forgotten, and deeper; and the run loop looks in at calls and
 * at returns of any depth. */
Test(jit_calls, may_be_deep)
{
    struct guest g;

    BEGIN(&g, "\x89\xd9\xe8\x0c\x00\x00\x00"     /* again: mov ecx,ebx; call f */
              "\x83\xeb\x07"                     /* sub ebx,7 */
              "\x81\xfb\x04\x10\x00\x00\x73\xee" /* cmp ebx,4100; jae again */
              "\xf4"
              "\xff\xc9\x74\x05"     /* f: dec ecx; jz out */
              "\xe8\xf7\xff\xff\xff" /* call f */
              "\xc3");               /* out: ret */
    g.c->r[R_RBX] = 5600;
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RSP], 0x180000);
    cr_assert_eq(g.c->r[R_RBX], 4095, "%u", (uint32_t)g.c->r[R_RBX]);
    guest_free(&g);
}
