/*
 * The translator's place in the engine (accel/jit, accel/interp.c): ways in and out of compiled
 * code, its versions, what is seen when.
 * Not modelled: instructions; test_jit_simd.c and the fuzzers look at those.
 */
#include "accel/interp.h"
#include "accel/jit/jit_int.h"
#include "tests/accel/jit_finds.h"
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

/* Nor where a quantum is just used up at each of them, of which no jump forward takes notice. */
Test(jit_engine, mode_changes_at_the_end_of_a_quantum_do_not_pile_up)
{
    struct guest g;

    init_jit(&g);
    guest_protected(&g);
    guest_desc(&g, S_FREE, 0, 0xfffff, 0x93 | SEG_DB);
    CODE(&g,
         "\x90\xeb\x00"                           /* again: nop; jmp first */
         "\x8e\xd8\xb9\xff\x07\x00\x00"           /* first: mov ds,ax; mov ecx,2047 */
         "\x49\x75\xfd\xeb\x00"                   /* dec ecx; jnz there; jmp second */
         "\x8e\xdb\xb9\xfd\x07\x00\x00"           /* second: mov ds,bx; mov ecx,2045 */
         "\x49\x75\xfd\x4a\x74\x02\xeb\xe2\xf4"); /* the same; dec edx; jz out; jmp again; hlt */
    g.c->r[R_RAX] = S_DATA;
    g.c->r[R_RBX] = S_FREE;
    g.c->r[R_RDX] = 60000;
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RDX], 0);
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

static void init_long(struct guest *g)
{
    init_jit(g);
    guest_long(g);
    /* handlers on a stack of their own */
    guest_gate(g, G_IDT + 16 * EXCP_SS, S_CODE64, G_HANDLERS + 16 * EXCP_SS, 0xee, 1);
    guest_gate(g, G_IDT + 16 * EXCP_GP, S_CODE64, G_HANDLERS + 16 * EXCP_GP, 0xee, 1);
}

/* Whatever segment their operand has. */
Test(jit_engine, pushes_to_a_stack_that_cannot_be_are_stack_faults)
{
    static const char *const code[] = {"\xff\x33\xf4", "\xff\x13\xf4", "\x53\xf4\xf4",
                                       "\xff\xd3\xf4"};

    for (unsigned n = 0; n < ARRAY_LEN(code);
         n++) { /* push [rbx]; call [rbx]; push rbx; call rbx */
        struct guest g;

        init_long(&g);
        guest_code(&g, code[n], 3);
        g.c->r[R_RBX] = G_DATA;
        g.c->r[R_RSP] = 0x8000000000000000;
        guest_run(&g);
        cr_expect_eq(guest_vector(&g), EXCP_SS, "%u: vector %d", n, guest_vector(&g));
        guest_free(&g);
    }
}

/* The last bytes of what is read cannot be. */
Test(jit_engine, pops_across_the_end_of_a_half_are_stack_faults)
{
    static const char *const code[] = {"\x8f\x03\xf4", "\x5b\xf4\xf4"}; /* pop [rbx]; pop rbx */

    for (unsigned n = 0; n < ARRAY_LEN(code); n++) {
        struct guest g;

        init_long(&g);
        guest_code(&g, code[n], 3);
        g.c->r[R_RBX] = G_DATA;
        g.c->r[R_RSP] = 0x7ffffffffffc;
        guest_run(&g);
        cr_expect_eq(guest_vector(&g), EXCP_SS, "%u: vector %d", n, guest_vector(&g));
        guest_free(&g);
    }
}

/* Which is what the CALL stores to. */
Test(jit_engine, a_call_to_an_address_that_cannot_be_faults_by_what_it_read)
{
    struct guest g;

    init_long(&g);
    CODE(&g, "\xff\x54\x24\xf8\xf4"); /* call [rsp - 8]; hlt */
    guest_put64(&g, G_STACK - 8, 0x8000000000000000);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_GP);
    cr_assert_eq(guest_get64(&g, G_IST - 16), G_STACK, "RSP moved");
    guest_free(&g);
}

/* Out of a function that has been returned from often, RET and RET 8. */
Test(jit_engine, a_return_to_an_address_that_cannot_be_is_the_returns_fault)
{
    static const char *const ret[] = {"\xc3\x90\x90", "\xc2\x08\x00"};

    for (unsigned n = 0; n < ARRAY_LEN(ret); n++) {
        struct guest g;

        init_long(&g);
        CODE(&g, "\x6a\x05"             /* again: push 5 */
                 "\xe8\x0d\x00\x00\x00" /* call there */
                 "\x48\x8d\x64\x24\x08" /* lea rsp,[rsp + 8] */
                 "\x48\x89\xdc"         /* mov rsp,rbx */
                 "\xff\xc9\x75\xed\xf4" /* dec ecx; jnz again; hlt */
                 "\x39\xf1\x75\x04"     /* there: cmp ecx,esi; jne out */
                 "\x48\x89\x04\x24"     /* mov [rsp],rax; out: */
        );
        memcpy(g.ram + G_CODE + 0x1c, ret[n], 3);
        g.c->r[R_RAX] = 0x8000000000000000;
        g.c->r[R_RBX] = G_STACK;
        g.c->r[R_RCX] = 1000;
        g.c->r[R_RSI] = 400;
        guest_run(&g);
        cr_expect_eq(guest_vector(&g), EXCP_GP, "%u: vector %d", n, guest_vector(&g));
        cr_expect_eq(g.c->r[R_RCX], 400);
        cr_expect_eq(guest_get64(&g, G_IST - 40), G_CODE + 0x1c, "RIP");
        cr_expect_eq(guest_get64(&g, G_IST - 16), G_STACK - 16, "RSP moved");
        cr_expect_eq(g.c->icount, 600 * 9 + 5 + 1, "%" G_GUINT64_FORMAT, g.c->icount);
        guest_free(&g);
    }
}

/* #AC before the page fault, as in the interpreter. */
Test(jit_engine, alignment_is_checked_first)
{
    struct guest g;

    init_jit(&g);
    guest_long(&g);
    guest_put64(&g, guest_pte_at(0x50000), 0);
    guest_user(&g);
    g.c->cr0 |= CR0_AM;
    g.c->eflags |= FLAG_AC;
    cpu_update_mode(g.c);
    CODE(&g, "\x89\x04\x25\x01\x00\x05\x00"); /* mov [0x50001],eax */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_AC, "vector %d", guest_vector(&g));
    guest_free(&g);
}

/*
 * 32-bit code on a 16-bit stack: the pointer goes around, so a push may move it up, by 64 KiB.
 * (Here: beyond the end of RAM, where nothing is.)
 */
Test(jit_engine, a_shared_look_does_not_follow_a_stack_pointer_around)
{
    struct guest g;

    init_jit(&g);
    guest_protected(&g);
    guest_desc(&g, S_FREE, 0, ~0u, 0x93 | SEG_G);
    CODE(&g, "\x8e\xd0\x90"                 /* mov ss,ax; nop */
             "\x8b\x84\x24\xfc\x03\x00\x00" /* mov eax,[esp + 0x3fc] */
             "\x51"                         /* push ecx */
             "\x8b\x9c\x24\x00\x04\x00\x00" /* mov ebx,[esp + 0x400] */
             "\xf4");
    g.c->r[R_RAX] = S_FREE;
    g.c->r[R_RCX] = 0x12345678;
    g.c->r[R_RSP] = RIG_RAM_BYTES - 0x10000;
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RSP], RIG_RAM_BYTES - 4);
    cr_assert_eq(guest_get32(&g, 0xfffc), 0x12345678);
    cr_assert_eq(g.c->r[R_RBX], 0xffffffff, "%#x", (uint32_t)g.c->r[R_RBX]);
    guest_free(&g);
}

/* Code that was changed is looked up by whoever is linked to it once, not every time. */
Test(jit_engine, links_to_a_dropped_block_lead_to_the_one_in_its_place)
{
    struct guest g;

    init_long(&g);
    CODE(&g, "\xb9\x40\x42\x0f\x00"         /* mov ecx,1000000 */
             "\xe9\x1a\x00\x00\x00"         /* again: jmp there */
             "\xff\xc9"                     /* back: dec ecx */
             "\x81\xf9\x00\x35\x0c\x00"     /* cmp ecx,800000 */
             "\x75\x07"                     /* jne over */
             "\xc6\x05\x0a\x00\x00\x00\x07" /* mov byte [there + 1],7 */
             "\x85\xc9"                     /* over: test ecx,ecx */
             "\x75\xe6"                     /* jnz again */
             "\xf4\x90\x90\x90\x90"
             "\xb8\x05\x00\x00\x00" /* there: mov eax,5 */
             "\xeb\xdf");           /* jmp back */
    jit_finds_begin(g.c);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RCX], 0);
    cr_assert_eq(g.c->r[R_RAX], 7);
    cr_assert_lt(jit_finds(), 1000, "%u", jit_finds());
    guest_free(&g);
}

/* The instruction that is jumped to crosses into another page; that one is mapped elsewhere when
 * ECX is ESI. */
Test(jit_engine, a_jump_to_an_instruction_that_crosses_pages_is_looked_up_once)
{
    enum { PAGE = 0x50000, ROUNDS = 1000, THEN = 400 };
    struct guest g;

    init_long(&g);
    cr_assert_eq(guest_pte_at(PAGE + 0x1000), 0x13288);
    memcpy(g.ram + PAGE + 0xf80,
           "\xff\xc9\x74\x16"                 /* again: dec ecx; jz end */
           "\x39\xf1\x75\x10"                 /* cmp ecx,esi; jne go */
           "\x48\x89\x14\x25\x88\x32\x01\x00" /* mov [PTE],rdx */
           "\x0f\x01\x3c\x25\x00\x10\x05\x00" /* invlpg [PAGE + 0x1000] */
           "\xeb\x64\xf4",                    /* go: jmp there; end: hlt */
           27);
    memcpy(g.ram + PAGE + 0xffe, "\xb8\x05\x00\x00\x00", 5);          /* there: mov eax,5 */
    memcpy(g.ram + PAGE + 0x1003, "\x01\xc3\xe9\x76\xff\xff\xff", 7); /* add ebx,eax; jmp again */
    memcpy(g.ram + PAGE + 0x2000, g.ram + PAGE + 0x1000, 16);
    g.ram[PAGE + 0x2000] = 1; /* mov eax,0x105 */
    g.c->ip = PAGE + 0xf80;
    g.c->r[R_RCX] = ROUNDS;
    g.c->r[R_RSI] = THEN;
    g.c->r[R_RDX] = (PAGE + 0x2000) | 7;
    jit_finds_begin(g.c);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RBX], 5 * (ROUNDS - 1) + 0x100 * THEN, "%#x", (uint32_t)g.c->r[R_RBX]);
    cr_assert_lt(jit_finds(), 20, "%u", jit_finds());
    guest_free(&g);
}

static gpointer stop_soon(gpointer vcpu)
{
    g_usleep(50000);
    vcpu_request(vcpu, VCPU_REQ_STOP);
    return NULL;
}

/*
 * Two indirect jumps, each to where the other is, of which one lies in a global page: neither finds
 * the other's code by its own key.
 */
Test(jit_engine, jumps_between_global_and_other_pages_look_for_requests, .timeout = 20)
{
    struct guest g;

    init_long(&g);
    guest_put64(&g, G_TABLES + 0x3000 + 8 * (G_DATA >> PAGE_SHIFT), G_DATA | BIT(8) | 7);
    cpu_set_cr4(g.c, g.c->cr4 | CR4_PGE);
    CODE(&g, "\xff\xe0");                  /* jmp rax */
    memcpy(g.ram + G_DATA, "\xff\xe3", 2); /* jmp rbx */
    g.c->r[R_RAX] = G_DATA;
    g.c->r[R_RBX] = G_CODE;
    GThread *stop = g_thread_new("stop", stop_soon, g.v);
    cr_expect_eq(guest_run(&g), VCPU_EXIT_REQUEST);
    g_thread_join(stop);
    guest_free(&g);
}
