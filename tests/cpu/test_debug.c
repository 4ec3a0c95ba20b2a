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
