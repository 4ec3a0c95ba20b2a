/*
 * Exceptions, interrupts, IRET, debug (cpu/excp.c, debug.c, seg_ret.c, op_flags.c).
 * Follows: SDM volume 3, chapters 6, 17, 20.  Not modelled: the APIC.
 */
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

#define CODE(g, bytes) guest_code(g, bytes, sizeof(bytes) - 1)

Test(excp, real_mode_int_and_iret)
{
    struct guest g;

    guest_init(&g, "486");
    CODE(&g, "\xfb\xcd\x40\xf4");     /* sti; int 0x40; hlt */
    g.ram[G_HANDLERS + 0x400] = 0x9c; /* pushf; pop ax; iret */
    memcpy(g.ram + G_HANDLERS + 0x400, "\x9c\x58\xcf", 3);
    guest_run(&g);
    cr_assert_eq(g.c->ip, 4);
    cr_assert_eq(g.c->seg[SEG_CS].sel, G_CODE >> 4);
    cr_assert_eq(g.c->r[R_RSP], G_REAL_STACK);
    cr_assert_eq(g.c->r[R_RAX] & FLAG_IF, 0, "the handler ran with interrupts off");
    cr_assert(g.c->eflags & FLAG_IF);
    cr_assert_eq(guest_get16(&g, G_REAL_STACK - 6), 3);
    guest_free(&g);
}

Test(excp, real_mode_has_no_error_codes)
{
    struct guest g;

    guest_init(&g, "486");
    CODE(&g, "\x66\xa1\xfe\xff\xf4"); /* mov eax,[0xfffe]: #GP */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_GP);
    cr_assert_eq(g.c->r[R_RSP], G_REAL_STACK - 6);
    cr_assert_eq(guest_get16(&g, G_REAL_STACK - 6), 0);
    guest_free(&g);
}

Test(excp, protected_frames)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    CODE(&g, "\x0f\x0b"); /* ud2: same level, no error code */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_UD);
    cr_assert_eq(g.c->r[R_RSP], G_STACK - 12);
    cr_assert_eq(guest_get32(&g, G_STACK - 12), G_CODE);
    cr_assert_eq(guest_get32(&g, G_STACK - 8), S_CODE);
    cr_assert(guest_get32(&g, G_STACK - 4) & FLAG_RF, "faults push RF");

    guest_protected(&g);
    g.c->halted = false;
    guest_user(&g);
    CODE(&g, "\xf4"); /* hlt in ring 3: inner level, error code */
    guest_run(&g);
    static const uint32_t frame[] = {0, G_CODE, S_UCODE, 0, G_USER_STACK, S_UDATA};
    cr_assert_eq(guest_vector(&g), EXCP_GP);
    cr_assert_eq(g.c->cpl, 0);
    cr_assert_eq(g.c->r[R_RSP], G_STACK - 24);
    for (unsigned k = 0; k < 6; k++) {
        if (k != 3) {
            cr_assert_eq(guest_get32(&g, G_STACK - 24 + 4 * k), frame[k], "word %u", k);
        }
    }
    guest_free(&g);
}

/* One software interrupt through gate `attr` at CPL 3. */
static int soft_int(struct guest *g, uint8_t attr, uint16_t sel)
{
    guest_protected(g);
    guest_gate(g, G_IDT + 8 * 0x40, sel, G_HANDLERS + 0x400, attr, 0);
    guest_user(g);
    g->c->halted = false;
    CODE(g, "\xcd\x40");
    guest_run(g);
    return guest_vector(g);
}

Test(excp, gate_checks)
{
    static const struct {
        uint8_t attr;
        uint16_t sel;
        int vector;
        uint32_t error;
    } cases[] = {
        {0xee, S_CODE, 0x40, 0},        {0xef, S_CODE, 0x40, 0},
        {0xe6, S_CODE, 0x40, 0},        {0x8e, S_CODE, EXCP_GP, 0x202}, /* DPL 0 */
        {0x6e, S_CODE, EXCP_NP, 0x202}, {0xec, S_CODE, EXCP_GP, 0x202}, /* a call gate */
        {0xee, 0, EXCP_GP, 0},          {0xee, S_DATA, EXCP_GP, S_DATA},
        {0xee, 0x208, EXCP_GP, 0x208},
    };
    struct guest g;

    guest_init(&g, "x86-64-v3");
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        int v = soft_int(&g, cases[k].attr, cases[k].sel);
        cr_assert_eq(v, cases[k].vector, "case %u: %d", k, v);
        if (v < 0x20) {
            cr_assert_eq(guest_get32(&g, g.c->r[R_RSP]), cases[k].error, "case %u: %x", k,
                         guest_get32(&g, g.c->r[R_RSP]));
        }
    }
    guest_free(&g);
}

Test(excp, bad_inner_stack_is_ts)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    guest_put16(&g, G_TSS + 8, S_UDATA); /* wrong level */
    guest_user(&g);
    CODE(&g, "\xf4");
    /* #GP -> #TS (contributory twice) -> #DF -> #TS again: triple fault */
    cr_assert_eq(guest_run(&g), VCPU_EXIT_SHUTDOWN);
    cr_assert_eq(g.c->recent[2].vector, 0);
    cr_assert_eq(g.c->recent[0].vector, EXCP_GP);
    cr_assert_eq(g.c->recent[1].vector, EXCP_DF);
    guest_free(&g);
}

Test(excp, nested_faults_make_double_and_triple_faults)
{
    static const struct {
        uint8_t vector, error_gate; /* first exception; its gate is absent */
        char code[4];
        int result;
    } cases[] = {
        {EXCP_UD, 0, "\x0f\x0b", EXCP_NP},         /* benign, then #NP: served */
        {EXCP_GP, 0, "\xcd\x40", EXCP_DF},         /* #GP for the gate, #NP for #GP's: double */
        {EXCP_DE, 0, "\x31\xc9\xf7\xf1", EXCP_DF}, /* xor ecx,ecx; div ecx */
    };
    struct guest g;

    guest_init(&g, "x86-64-v3");
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        guest_protected(&g);
        g.c->halted = false;
        guest_gate(&g, G_IDT + 8 * cases[k].vector, S_CODE, G_HANDLERS, 0x6e, 0);
        guest_gate(&g, G_IDT + 8 * 0x40, S_CODE, G_HANDLERS, 0xec, 0);
        guest_code(&g, cases[k].code, 4);
        guest_run(&g);
        cr_assert_eq(guest_vector(&g), cases[k].result, "case %u: %d", k, guest_vector(&g));
        if (cases[k].result == EXCP_NP) {
            cr_assert_eq(guest_get32(&g, g.c->r[R_RSP]), cases[k].vector * 8 + 3, "EXT and IDT");
        } else {
            cr_assert_eq(guest_get32(&g, g.c->r[R_RSP]), 0);
        }
    }
    guest_protected(&g);
    g.c->halted = false;
    g.c->idtr.limit = 0;
    CODE(&g, "\x0f\x0b");
    cr_assert_eq(guest_run(&g), VCPU_EXIT_SHUTDOWN);
    cr_assert(g.c->shutdown);
    guest_free(&g);
}

Test(excp, page_fault_in_delivery_doubles)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    guest_put64(&g, guest_pte_at(0x900000), 0);
    guest_put64(&g, guest_pte_at(G_STACK - 0x1000), 0);
    g.ram[G_IDT + 16 * EXCP_DF + 4] = 1; /* IST 1 */
    guest_user(&g);
    CODE(&g, "\xa1\x00\x00\x90\x00\x00\x00\x00\x00"); /* mov eax,[0x900000] */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_DF);
    cr_assert_eq(g.c->cr2, G_STACK - 8, "of the second fault");
    cr_assert_eq(g.c->r[R_RSP], G_IST - 48);
    cr_assert_eq(guest_get64(&g, G_IST - 40), G_CODE);
    guest_free(&g);
}

Test(excp, long_mode_frame_is_aligned)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    g.c->r[R_RSP] = G_STACK - 5;
    CODE(&g, "\xcd\x40");
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), 0x40);
    cr_assert_eq(g.c->r[R_RSP], G_STACK - 16 - 40);
    cr_assert_eq(guest_get64(&g, G_STACK - 16 - 16), G_STACK - 5);
    cr_assert_eq(guest_get64(&g, G_STACK - 16 - 40), G_CODE + 2);
    guest_free(&g);
}

Test(excp, long_mode_iretq_to_user_and_back)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    g.c->r[R_RSP] = G_STACK - 40;
    static const uint64_t frame[] = {G_DATA, S_UCODE64, FLAG_IF | FLAG_CF, G_USER_STACK, S_UDATA};
    for (unsigned k = 0; k < 5; k++) {
        guest_put64(&g, G_STACK - 40 + 8 * k, frame[k]);
    }
    CODE(&g, "\x48\xcf");
    memcpy(g.ram + G_DATA, "\xcd\x41", 2);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), 0x41);
    for (unsigned k = 1; k < 5; k++) {
        cr_assert_eq(guest_get64(&g, G_STACK - 40 + 8 * k) & ~2ull, frame[k] & ~2ull,
                     "word %u: %" G_GINT64_MODIFIER "x", k, guest_get64(&g, G_STACK - 40 + 8 * k));
    }
    cr_assert_eq(g.c->seg[SEG_SS].sel, 0, "a null SS at ring 0");
    guest_free(&g);
}

Test(excp, syscall_and_sysret)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    guest_desc(&g, 0x68, 0, ~0u,
               0xfb | SEG_G | SEG_DB); /* STAR base: 32-bit code, data, 64-bit code */
    g.c->star = (uint64_t)0x6b << 48 | (uint64_t)S_CODE64 << 32;
    g.c->lstar = G_DATA;
    g.c->sfmask = FLAG_IF | FLAG_CF;
    guest_user(&g);
    g.c->eflags |= FLAG_IF;
    CODE(&g, "\xf9\x0f\x05\xcd\x42");                  /* stc; syscall; int 0x42 */
    memcpy(g.ram + G_DATA, "\x9c\x58\x48\x0f\x07", 5); /* pushf; pop rax; sysretq */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), 0x42);
    cr_assert_eq(g.c->r[R_RCX], G_CODE + 3);
    cr_assert_eq(g.c->r[R_RAX] & (FLAG_IF | FLAG_CF), 0);
    cr_assert_eq(g.c->r[11] & (FLAG_IF | FLAG_CF), FLAG_IF | FLAG_CF);
    cr_assert_eq(guest_get64(&g, G_STACK - 32), 0x7b, "CS of the second SYSCALL user");
    cr_assert_eq(guest_get64(&g, G_STACK - 8), 0x73);
    guest_free(&g);
}

Test(excp, external_interrupts_wait_for_the_shadow)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    CODE(&g, "\xf4");
    cr_assert(cpu_deliver_interrupt(g.c, 0x50));
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), 0x50);
    cr_assert_eq(guest_get32(&g, g.c->r[R_RSP]), G_CODE);
    cr_assert_eq(guest_get32(&g, g.c->r[R_RSP] + 8) & FLAG_RF, 0);
    /* STI with something pending comes back to the run loop with the shadow on. */
    guest_protected(&g);
    g.c->halted = false;
    CODE(&g, "\xfb\x40\xf4"); /* sti; inc eax; hlt */
    atomic_store(&g.v->requests, 0);
    vcpu_nmi(g.v);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_NMI);
    cr_assert(g.c->nmi_masked);
    cpu_deliver_nmi(g.c);
    guest_free(&g);
}

Test(excp, nmi_is_masked_until_iret)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    memcpy(g.ram + G_HANDLERS + 0x20, "\xcf", 1);
    CODE(&g, "\xf4");
    cr_assert(cpu_deliver_nmi(g.c));
    cr_assert(g.c->nmi_masked);
    guest_run(&g);
    cr_assert_not(g.c->nmi_masked);
    cr_assert_eq(g.c->ip, G_CODE + 1);
    guest_free(&g);
}

/* With links and jump cache in use nothing else would look for it before the next request. */
Test(excp, iret_lets_in_the_nmi_that_waited)
{
    struct guest g;

    guest_init_linked(&g, "x86-64-v3");
    guest_protected(&g);
    /* NMI: inc ebx; cmp ebx,2; jae 1f; iret; 1: hlt */
    memcpy(g.ram + G_HANDLERS + 0x20, "\x43\x83\xfb\x02\x73\x01\xcf\xf4", 8);
    CODE(&g, "\x90\x41\x83\xf9\x64\x75\xfa\xf4"); /* nop; 1: inc ecx; cmp ecx,100; jne 1b; hlt */
    cr_assert(cpu_deliver_nmi(g.c));
    g.c->nmi_pending = true;
    guest_run(&g);
    cr_assert_eq(g.c->r[R_RBX], 2);
    cr_assert_eq(g.c->r[R_RCX], 0, "the second NMI came %u rounds late", (unsigned)g.c->r[R_RCX]);
    cr_assert_eq(guest_get32(&g, g.c->r[R_RSP]), G_CODE, "before the interrupted code went on");
    guest_free(&g);
}

Test(excp, single_step)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    memcpy(g.ram + G_HANDLERS + 0x10, "\x43\xcf", 2); /* #DB: inc ebx; iret */
    /* pushf; or word [esp],0x100; popf; nop; nop; nop; pushf; and word [esp],0xfeff; popf; nop; hlt
     */
    CODE(&g,
         "\x9c\x66\x81\x0c\x24\x00\x01\x9d\x90\x90\x90\x9c\x66\x81\x24\x24\xff\xfe\x9d\x90\xf4");
    guest_run(&g);
    cr_assert_eq(g.c->ip, G_CODE + 21);
    cr_assert_eq(g.c->r[R_RBX], 6, "%u steps: nop nop nop pushf and popf", (unsigned)g.c->r[R_RBX]);
    cr_assert(g.c->dr[6] & BIT(14));
    guest_free(&g);
}

Test(excp, mov_ss_hides_the_step)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    /* #DB: inc ebx; cmp ebx,2; je 1f; iret; 1: hlt */
    memcpy(g.ram + G_HANDLERS + 0x10, "\x43\x83\xfb\x02\x74\x01\xcf\xf4", 8);
    g.c->r[R_RAX] = S_DATA;
    g.c->eflags |= FLAG_TF;
    cpu_update_mode(g.c);
    CODE(&g, "\x8e\xd0\x90\x90\xf4"); /* mov ss,ax; nop; nop; hlt */
    guest_run(&g);
    cr_assert_eq(guest_get32(&g, g.c->r[R_RSP]), G_CODE + 4,
                 "the second step ends behind the second nop");
    guest_free(&g);
}

Test(excp, breakpoints)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    /* #DB: mov ebp,dr6; inc ebx; or dword [esp+8],RF; iret */
    memcpy(g.ram + G_HANDLERS + 0x10, "\x0f\x21\xf5\x43\x81\x4c\x24\x08\0\0\1\0\xcf", 13);
    /* nop; nop; mov [G_DATA],eax; inc ecx; hlt */
    CODE(&g, "\x90\x90\xa3\x00\x00\x04\x00\x41\xf4");
    g.c->dr[0] = G_CODE + 1; /* execution */
    g.c->dr[1] = G_DATA + 2; /* 2-byte write */
    g.c->dr[7] = 0x400 | BIT(1) | BIT(3) | 5u << 20;
    cpu_update_mode(g.c);
    guest_run(&g);
    cr_assert_eq(g.c->ip, G_CODE + 9);
    cr_assert_eq(g.c->r[R_RBX], 2);
    cr_assert_eq(g.c->dr[6] & 0xf, 2);
    cr_assert_eq(g.c->r[R_RCX], 1);
    /* The data breakpoint is a trap: the frame names the next instruction. */
    cr_assert_eq(guest_get32(&g, G_STACK - 12), G_CODE + 7);
    /* General detect. */
    guest_protected(&g);
    g.c->halted = false;
    g.ram[G_HANDLERS + 0x10] = 0xf4;
    g.c->dr[7] = 0x400 | BIT(13);
    CODE(&g, "\x0f\x23\xc0");
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_DB);
    cr_assert_eq(guest_get32(&g, G_STACK - 12), G_CODE);
    cr_assert(g.c->dr[6] & BIT(13));
    cr_assert_eq(g.c->dr[7] & BIT(13), 0);
    guest_free(&g);
}

Test(excp, v86_interrupts)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    guest_v86(&g, 3);
    CODE(&g, "\xcd\x40");
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), 0x40);
    static const uint32_t frame[] = {2,      G_CODE >> 4, 0,      0x8000, 0x3000,
                                     0x3000, 0x3000,      0x3000, 0x3000};
    for (unsigned k = 0; k < 9; k++) {
        if (k != 2) {
            cr_assert_eq(guest_get32(&g, G_STACK - 36 + 4 * k), frame[k], "word %u", k);
        }
    }
    cr_assert(guest_get32(&g, G_STACK - 28) & FLAG_VM);
    cr_assert_eq(g.c->seg[SEG_DS].attr & SEG_P, 0);
    cr_assert_not(g.c->eflags & FLAG_VM);

    /* IOPL < 3: INT n, CLI, PUSHF raise #GP(0). */
    static const char *const codes[] = {"\xcd\x40", "\xfa", "\x9c", "\x9d", "\xcf", "\xfb"};
    for (unsigned k = 0; k < ARRAY_LEN(codes); k++) {
        guest_protected(&g);
        g.c->halted = false;
        guest_v86(&g, 0);
        guest_code(&g, codes[k], 2);
        guest_run(&g);
        cr_assert_eq(guest_vector(&g), EXCP_GP, "code %u: %d", k, guest_vector(&g));
        cr_assert_eq(guest_get32(&g, g.c->r[R_RSP]), 0);
    }
    guest_free(&g);
}

Test(excp, vme_redirects_and_virtualises_if)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    g.c->cr4 |= CR4_VME;
    guest_v86(&g, 0);
    /* cli; int 0x40 (redirected: pushf; pop ax; iret); sti; int 0x41 (not redirected) */
    g.ram[G_TSS + 0x68 + 8] = 2; /* vector 0x41 goes through the IDT */
    CODE(&g, "\xfa\xfb\xcd\x40\xcd\x41");
    memcpy(g.ram + G_HANDLERS + 0x400, "\x9c\x58\xcf", 3);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_GP, "INT n through the IDT wants IOPL 3");
    cr_assert_eq(guest_get32(&g, G_STACK - 36), 4, "at INT 0x41");
    cr_assert_eq(g.c->r[R_RAX] & (FLAG_IF | FLAG_IOPL), FLAG_IOPL, "VIF was off in the handler");
    cr_assert(guest_get32(&g, G_STACK - 36 + 8) & FLAG_VIF, "and came back by IRET");
    guest_free(&g);
}

/* TF may go, though it may not come. */
Test(excp, popf_under_vme_clears_tf)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    g.c->cr4 |= CR4_VME;
    guest_v86(&g, 0);
    g.c->eflags |= FLAG_TF;
    cpu_update_mode(g.c);
    guest_put16(&g, 0x38000, 0);
    /* #DB: or bh,1; iret */
    memcpy(g.ram + G_HANDLERS + 0x10, "\x80\xcf\x01\xcf", 4);
    CODE(&g, "\x9d\x90\x90\xcd\x41"); /* popf; nop; nop; int 0x41 */
    g.ram[G_TSS + 0x68 + 8] = 2;
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_GP);
    cr_assert_eq(g.c->r[R_RBX], 0x100, "the step of POPF itself");
    cr_assert_eq(guest_get32(&g, G_STACK - 36 + 8) & FLAG_TF, 0);
    guest_free(&g);
}

Test(excp, iret_to_v86_and_to_outer_level)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    static const uint32_t frame[] = {
        0, G_CODE >> 4, FLAG_VM | FLAG_1, 0x8000, 0x3000, 0x11, 0x22, 0x33, 0x44};
    for (unsigned k = 0; k < 9; k++) {
        guest_put32(&g, G_STACK - 36 + 4 * k, frame[k]);
    }
    g.c->r[R_RSP] = G_STACK - 36;
    guest_put16(&g, G_CODE, 0x40cd);
    g.ram[G_DATA] = 0xcf;
    g.c->ip = G_DATA;
    g.c->dr[7] = 0x400;
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_GP, "INT in V86 with IOPL 0");
    for (unsigned k = 5; k < 9; k++) {
        cr_assert_eq(guest_get32(&g, G_STACK - 36 + 4 * k), frame[k]);
    }
    guest_free(&g);
}

Test(excp, io_permission_map)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    g.ram[G_TSS + 0x88 + 0x10] = 0x02; /* port 0x81 denied */
    guest_user(&g);
    CODE(&g, "\xe4\x80\xe4\x82\xe5\x80"); /* in al,0x80; in al,0x82; in eax,0x80 */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_GP);
    cr_assert_eq(guest_get32(&g, G_STACK - 20), G_CODE + 4);
    guest_free(&g);
}

Test(excp, debug_trap_stack_overflow_in_real_mode_shuts_down)
{
    struct guest g;

    guest_init(&g, "486");
    g.c->idtr.limit = 7;
    CODE(&g, "\xcd\x40");
    cr_assert_eq(guest_run(&g), VCPU_EXIT_SHUTDOWN);
    guest_free(&g);
}

/* The decoder sees 14 bytes at first, and what it lacks could make the instruction too long. */
Test(excp, prefixes_up_to_a_page_end_are_not_too_long_yet)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    memset(g.ram + G_CODE + 0xff2, 0x64, 14);
    g.ram[G_CODE + 0x1000] = 0x90;
    g.ram[G_CODE + 0x1001] = 0xf4;
    g.c->ip = G_CODE + 0xff2;
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->ip, G_CODE + 0x1002);

    guest_protected(&g);
    g.c->halted = false;
    g.c->ip = G_CODE + 0xff1;
    g.ram[G_CODE + 0xff1] = 0x64;
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_GP);
    guest_free(&g);
}

/* SDM volume 2, REP: the flags of CMPS and SCAS at a fault are those before the instruction. */
Test(excp, a_fault_in_repeated_scas_keeps_the_flags)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    guest_put64(&g, guest_pte_at(G_DATA + 0x1000), 0);
    memset(g.ram + G_DATA, 1, 0x1000);
    g.c->r[R_RAX] = 2;
    g.c->r[R_RCX] = 0x2000;
    g.c->r[R_RDI] = G_DATA;
    g.c->fl = FL_1 | FL_ZF | FL_CF;
    CODE(&g, "\xf2\xae\xf4"); /* repne scasb; hlt */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_PF);
    cr_assert_eq(g.c->r[R_RCX], 0x1000);
    cr_assert_eq(g.c->r[R_RDI], G_DATA + 0x1000);
    cr_assert_eq(guest_get64(&g, g.c->r[R_RSP] + 24) & FLAGS_ARITH, FLAG_ZF | FLAG_CF);
    guest_free(&g);
}

Test(excp, cli_and_sti_by_level)
{
    static const struct {
        bool user;
        uint32_t iopl;
        int vector;
    } cases[] = {{false, 0, -1}, {true, 0, EXCP_GP}, {true, 3, EXCP_GP /* of HLT */}};

    for (unsigned n = 0; n < ARRAY_LEN(cases); n++) {
        struct guest g;

        guest_init(&g, "x86-64-v3");
        guest_long(&g);
        if (cases[n].user) {
            guest_user(&g);
        }
        cpu_set_eflags(g.c, cases[n].iopl << 12, FLAG_IOPL);
        /* sti; nop; pushf; pop rax; sti; cli; pushf; pop rbx; hlt */
        CODE(&g, "\xfb\x90\x9c\x58\xfb\xfa\x9c\x5b\xf4");
        guest_run(&g);
        cr_assert_eq(guest_vector(&g), cases[n].vector, "case %u", n);
        bool ran = n != 1;
        cr_assert_eq(!!(g.c->r[R_RAX] & FLAG_IF), ran, "case %u", n);
        cr_assert_eq(!!(g.c->r[R_RBX] & FLAG_1), ran, "case %u", n);
        cr_assert(!(g.c->r[R_RBX] & FLAG_IF), "case %u", n);
        guest_free(&g);
    }
}
