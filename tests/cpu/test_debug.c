/*
 * Debug exceptions: DR6, RF, shadows, repeated instructions (cpu/debug.c, excp.c).
 * Follows: SDM volume 3, 6.8.3 and 17.2 to 17.3; where it is silent, what Intel processors do.
 * Not modelled: see cpu/debug.c.
 */
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

#define CODE(g, bytes) guest_code(g, bytes, sizeof(bytes) - 1)

enum { BP_EXEC, BP_WRITE, BP_IO };

/* A 32-bit guest whose #DB handler counts in EBX, keeps DR6 in EBP and the first frame's EFLAGS in
 * EDI, and returns with RF set when `resume`. */
static void begin(struct guest *g, bool resume)
{
    guest_init(g, "x86-64-v3");
    guest_protected(g);
    /* inc ebx; mov ebp,dr6; cmp ebx,1; jne 1f; mov edi,[esp+8]; 1: or dword [esp+8],RF; iret */
    static const uint8_t handler[] = {0x43, 0x0f, 0x21, 0xf5, 0x83, 0xfb, 0x01, 0x75,
                                      0x04, 0x8b, 0x7c, 0x24, 0x08, 0x81, 0x4c, 0x24,
                                      0x08, 0x00, 0x00, 0x01, 0x00, 0xcf};
    memcpy(g->ram + G_DATA + 0x800, handler, sizeof handler);
    if (!resume) {
        g->ram[G_DATA + 0x800 + 19] = 0;
    }
    guest_gate(g, G_IDT + 8 * EXCP_DB, S_CODE, G_DATA + 0x800, 0x8e, 0);
    g->c->cr4 |= CR4_DE;
}

/* Arm breakpoint n. */
static void arm(struct guest *g, unsigned n, uint64_t at, unsigned kind, unsigned len)
{
    g->c->dr[n] = at;
    g->c->dr[7] |= 0x400 | BIT(2 * n + 1) | (uint64_t)(kind | (len - 1) << 2) << (16 + 4 * n);
    cpu_update_mode(g->c);
}

Test(debug, a_code_breakpoint_pushes_no_rf)
{
    struct guest g;

    begin(&g, true);
    arm(&g, 0, G_CODE + 1, BP_EXEC, 1);
    CODE(&g, "\x90\x41\xf4"); /* nop; inc ecx; hlt */
    guest_run(&g);
    cr_assert_eq(g.c->r[R_RBX], 1);
    cr_assert_eq(g.c->r[R_RCX], 1);
    cr_assert_eq(g.c->r[R_RDI] & FLAG_RF, 0, "the handler decides whether to resume");
    guest_free(&g);
}

Test(debug, hits_in_dr6_are_of_the_last_exception)
{
    struct guest g;

    begin(&g, true);
    g.c->dr[6] = 0xffff0ff0 | BIT(14) | BIT(1);
    arm(&g, 2, G_CODE + 1, BP_EXEC, 1);
    CODE(&g, "\x90\x90\xf4");
    guest_run(&g);
    cr_assert_eq(g.c->r[R_RBX], 1);
    cr_assert_eq(g.c->r[R_RBP], 0xffff0ff0 | BIT(14) | BIT(2), "DR6 %x", (uint32_t)g.c->r[R_RBP]);
    guest_free(&g);
}

/* RF must last until the repetition ends, or each element would meet the breakpoint again. */
Test(debug, a_code_breakpoint_on_rep_hits_once)
{
    struct guest g;

    begin(&g, true);
    arm(&g, 0, G_CODE, BP_EXEC, 1);
    g.c->r[R_RCX] = 5;
    g.c->r[R_RSI] = g.c->r[R_RDI] = G_DATA;
    CODE(&g, "\xf3\xa4\x90\xf4"); /* rep movsb; nop; hlt */
    guest_run(&g);
    cr_assert_eq(g.c->r[R_RCX], 0);
    cr_assert_eq(g.c->r[R_RBX], 1, "%u hits", (unsigned)g.c->r[R_RBX]);
    cr_assert_eq(g.c->eflags & FLAG_RF, 0);
    guest_free(&g);
}

Test(debug, a_trap_within_rep_pushes_rf)
{
    struct guest g;

    begin(&g, false);
    arm(&g, 0, G_DATA + 1, BP_WRITE, 1);
    g.c->r[R_RCX] = 5;
    g.c->r[R_RSI] = G_DATA + 0x100;
    g.c->r[R_RDI] = G_DATA;
    CODE(&g, "\xf3\xa4\xf4"); /* rep movsb; hlt */
    g.ram[G_DATA + 0x800 + 21] = 0xf4;
    guest_run(&g);
    cr_assert_eq(g.c->r[R_RCX], 3);
    cr_assert_eq(guest_get32(&g, g.c->r[R_RSP]), G_CODE);
    cr_assert(g.c->r[R_RDI] & FLAG_RF);
    guest_free(&g);
}

Test(debug, no_code_breakpoint_behind_mov_ss)
{
    struct guest g;

    begin(&g, true);
    arm(&g, 0, G_CODE + 2, BP_EXEC, 1);
    g.c->r[R_RAX] = S_DATA;
    CODE(&g, "\x8e\xd0\x41\x90\xf4"); /* mov ss,ax; inc ecx; nop; hlt */
    guest_run(&g);
    cr_assert_eq(g.c->r[R_RBX], 0);
    cr_assert_eq(g.c->r[R_RCX], 1);
    guest_free(&g);
}

Test(debug, lss_has_no_shadow)
{
    struct guest g;

    begin(&g, true);
    g.c->eflags |= FLAG_TF;
    cpu_update_mode(g.c);
    guest_put32(&g, G_DATA, G_STACK - 64);
    guest_put16(&g, G_DATA + 4, S_DATA);
    CODE(&g, "\x0f\xb2\x25\x00\x00\x04\x00\x90\xf4"); /* lss esp,[G_DATA]; nop; hlt */
    g.ram[G_DATA + 0x800 + 21] = 0xf4;
    guest_run(&g);
    cr_assert_eq(guest_get32(&g, g.c->r[R_RSP]), G_CODE + 7);
    guest_free(&g);
}

/* A data breakpoint met by MOV SS waits; INT1 reports it and its own #DB in one. */
Test(debug, int1_takes_what_mov_ss_met)
{
    struct guest g;

    begin(&g, true);
    arm(&g, 1, G_DATA, 3, 2);
    guest_put16(&g, G_DATA, S_DATA);
    CODE(&g, "\x8e\x15\x00\x00\x04\x00\xf1\x90\xf4"); /* mov ss,[G_DATA]; int1; nop; hlt */
    guest_run(&g);
    cr_assert_eq(g.c->r[R_RBX], 1, "%u exceptions", (unsigned)g.c->r[R_RBX]);
    cr_assert_eq(g.c->r[R_RBP] & 0xf, 2);
    guest_free(&g);
}

Test(debug, io_breakpoints_meet_string_instructions)
{
    struct guest g;

    begin(&g, true);
    arm(&g, 3, 0x80, BP_IO, 1);
    g.c->r[R_RDX] = 0x80;
    g.c->r[R_RSI] = g.c->r[R_RDI] = G_DATA;
    CODE(&g, "\x6e\x6c\xe6\x81\xe6\x80\xf4"); /* outsb; insb; out 0x81,al; out 0x80,al; hlt */
    guest_run(&g);
    cr_assert_eq(g.c->r[R_RBX], 3, "%u exceptions", (unsigned)g.c->r[R_RBX]);
    cr_assert_eq(g.c->r[R_RBP] & 0xf, 8);
    guest_free(&g);
}
