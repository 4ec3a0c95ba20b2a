/*
 * Hardware task switching (cpu/task.c).  Follows: Intel SDM volume 3, chapter 7.
 * Not modelled: tasks with paging of their own.
 */
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

enum { S_TASK_GATE = S_FREE, S_TSS16 = S_FREE + 8, ST2 = 0x34000 };

static void put_tss2(struct guest *g)
{
    memset(g->ram + G_TSS2, 0, 0x68);
    guest_put32(g, G_TSS2 + 0x20, G_DATA);
    guest_put32(g, G_TSS2 + 0x24, FLAG_1 | FLAG_CF);
    for (unsigned k = 0; k < 8; k++) {
        guest_put32(g, G_TSS2 + 0x28 + 4 * k, 0x1000 + k);
    }
    guest_put32(g, G_TSS2 + 0x28 + 16, ST2);
    for (unsigned k = 0; k < 6; k++) {
        guest_put16(g, G_TSS2 + 0x48 + 4 * k, k == SEG_CS ? S_CODE : S_DATA);
    }
}

Test(task, call_and_return)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    put_tss2(&g);
    g.c->r[R_RAX] = 0x77;
    guest_code(&g, "\x9a\x00\x00\x00\x00\x30\x00\xf4", 8);     /* lcall S_TSS2:0; hlt */
    memcpy(g.ram + G_DATA, "\x89\x1d\x00\x00\x05\x00\xcf", 7); /* mov [0x50000],ebx; iret */
    guest_run(&g);
    cr_assert_eq(g.c->ip, G_CODE + 8);
    cr_assert_eq(g.c->seg[SEG_TR].sel, S_TSS);
    cr_assert_eq(g.c->r[R_RAX], 0x77);
    cr_assert_eq(guest_get32(&g, 0x50000), 0x1003);
    cr_assert_eq(guest_get16(&g, G_TSS2), S_TSS, "back link");
    cr_assert_eq(guest_get32(&g, G_TSS2 + 0x20), G_DATA + 7);
    cr_assert_eq(guest_get32(&g, G_TSS2 + 0x24) & FLAG_NT, 0,
                 "IRET clears NT in the image it leaves");
    cr_assert_eq(g.ram[G_GDT + S_TSS2 + 5], 0x89, "not busy");
    cr_assert_eq(g.ram[G_GDT + S_TSS + 5], 0x8b, "busy");
    cr_assert(g.c->cr0 & CR0_TS);
    guest_free(&g);
}

/* A task that traps as it begins, and whose descriptor cannot be made busy, is what its trap leads
 * to: a processor would not get out of that either. */
Test(task, a_trap_into_the_task_that_traps_ends)
{
    enum { ROM_AT = 0x2000000 };
    struct region region;
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    struct machine *m = g.rig->m;
    machine_lock(m);
    struct ram *rom = ram_new(m, "rom", 0x1000, NULL);
    memcpy(rom->host, g.ram + G_GDT, 0x1000);
    rom->readonly = true;
    region_init_ram(&region, "rom", rom, 0, 0x1000);
    region_add(m, &region, ROM_AT, 0);
    machine_unlock(m);
    put_tss2(&g);
    g.ram[G_TSS2 + 0x64] = 1;
    guest_gate(&g, G_IDT + 8 * EXCP_DB, S_TSS2, 0, 0x85, 0);
    g.c->gdtr.base = ROM_AT;
    guest_code(&g, "\xf1\xf4", 2); /* int1; hlt */
    cr_assert_eq(guest_run(&g), VCPU_EXIT_SHUTDOWN);
    guest_free(&g);
}

Test(task, jump_leaves_the_old_task_free)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    put_tss2(&g);
    guest_gate(&g, G_GDT + S_TASK_GATE, S_TSS2, 0, 0x85, 0);
    guest_code(&g, "\xea\x00\x00\x00\x00\x60\x00", 7);
    g.ram[G_DATA] = 0xf4;
    guest_run(&g);
    cr_assert_eq(g.c->ip, G_DATA + 1);
    cr_assert_eq(g.c->r[R_RCX], 0x1001);
    cr_assert_eq(g.c->r[R_RSP], ST2);
    cr_assert_eq(g.c->seg[SEG_TR].sel, S_TSS2);
    cr_assert_eq(g.ram[G_GDT + S_TSS + 5], 0x89);
    cr_assert_eq(g.ram[G_GDT + S_TSS2 + 5], 0x8b);
    cr_assert_eq(guest_get32(&g, G_TSS + 0x20), G_CODE + 7);
    cr_assert_eq(cpu_get_eflags(g.c) & (FLAG_NT | FLAG_CF), FLAG_CF);
    guest_free(&g);
}

Test(task, exception_through_a_task_gate)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    put_tss2(&g);
    guest_gate(&g, G_IDT + 8 * EXCP_GP, S_TSS2, 0, 0x85, 0);
    guest_code(&g, "\xb8\x08\x02\x00\x00\x8e\xd8\xf4",
               8); /* mov eax,0x208; mov ds,ax: #GP(0x208) */
    g.ram[G_DATA] = 0xf4;
    guest_run(&g);
    cr_assert_eq(g.c->ip, G_DATA + 1);
    cr_assert_eq(g.c->r[R_RSP], ST2 - 4);
    cr_assert_eq(guest_get32(&g, ST2 - 4), 0x208);
    cr_assert_eq(guest_get32(&g, G_TSS + 0x20), G_CODE + 5, "restarts at the fault");
    cr_assert(g.c->eflags & FLAG_NT);
    guest_free(&g);
}

Test(task, checks)
{
    static const struct {
        uint16_t attr, limit, sel;
        int vector;
        uint32_t error;
    } cases[] = {
        {0x8b, 0x67, S_TSS2, EXCP_GP, S_TSS2}, /* busy */
        {0x09, 0x67, S_TSS2, EXCP_NP, S_TSS2},
        {0x89, 0x66, S_TSS2, EXCP_TS, S_TSS2}, /* short */
        {0x89, 0x67, S_TSS2 | 3, -1, 0},
    };
    struct guest g;

    guest_init(&g, "x86-64-v3");
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        guest_protected(&g);
        put_tss2(&g);
        guest_desc(&g, S_TSS2, G_TSS2, cases[k].limit,
                   cases[k].attr | (cases[k].sel & 3 ? 0x60 : 0));
        int v = GUEST_TRY(&g, cpu_far_jump(g.c, cases[k].sel, 0, 1));
        cr_assert_eq(v, cases[k].vector, "case %u: %d", k, v);
        if (v >= 0) {
            cr_assert_eq(g.c->excp.error, cases[k].error);
            cr_assert_eq(g.c->seg[SEG_TR].sel, S_TSS);
        }
    }
    guest_free(&g);
}

Test(task, faults_of_the_new_task_belong_to_it)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    put_tss2(&g);
    guest_put16(&g, G_TSS2 + 0x48 + 4 * SEG_DS, S_CODE64 + 0x200);
    guest_code(&g, "\xea\x00\x00\x00\x00\x30\x00", 7);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_TS);
    cr_assert_eq(g.c->seg[SEG_TR].sel, S_TSS2);
    cr_assert_eq(guest_get32(&g, ST2 - 16), S_CODE64 + 0x200);
    cr_assert_eq(guest_get32(&g, ST2 - 12), G_DATA);
    guest_free(&g);
}

Test(task, sixteen_bit_tss)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    guest_desc(&g, S_TSS16, G_TSS2, 0x2b, 0x81);
    memset(g.ram + G_TSS2, 0, 0x68);
    guest_desc(&g, S_CODE16, G_DATA, 0xffff, 0x9b);
    guest_put16(&g, G_TSS2 + 0x0e, 4);
    guest_put16(&g, G_TSS2 + 0x12 + 2 * R_RBX, 0xabcd);
    guest_put16(&g, G_TSS2 + 0x12 + 2 * R_RSP, 0x8000);
    guest_put16(&g, G_TSS2 + 0x22 + 2 * SEG_CS, S_CODE16);
    guest_put16(&g, G_TSS2 + 0x22 + 2 * SEG_SS, S_DATA16);
    guest_code(&g, "\xea\x00\x00\x00\x00\x68\x00", 7);
    g.ram[G_DATA + 4] = 0xf4;
    guest_run(&g);
    cr_assert_eq(g.c->ip, 5);
    cr_assert_eq(g.c->r[R_RBX] & 0xffff, 0xabcd);
    cr_assert_eq(g.c->seg[SEG_TR].attr & 0x1f, 3);
    guest_free(&g);
}

/* State is saved before it is loaded (7.3): a task that is its own predecessor goes on. */
Test(task, iret_to_oneself)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    guest_put16(&g, G_TSS, S_TSS);
    for (unsigned k = 0; k < 6; k++) {
        g.c->seg[k].sel = k == SEG_CS ? S_CODE : S_DATA;
    }
    g.c->eflags |= FLAG_NT;
    g.c->r[R_RBX] = 0x1234;
    guest_code(&g, "\xcf\x43\xf4", 3); /* iret; inc ebx; hlt */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->ip, G_CODE + 3);
    cr_assert_eq(g.c->r[R_RBX], 0x1235);
    cr_assert_eq(g.c->eflags & FLAG_NT, 0);
    guest_free(&g);
}

/* As after IRET: without breakpoints nothing would ever clear it. */
Test(task, rf_of_a_new_task_does_not_stay)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    put_tss2(&g);
    guest_put32(&g, G_TSS2 + 0x24, FLAG_1 | FLAG_RF);
    guest_code(&g, "\xea\x00\x00\x00\x00\x30\x00", 7);
    memcpy(g.ram + G_DATA, "\x90\xcd\x40", 3); /* nop; int 0x40 */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), 0x40);
    cr_assert_eq(guest_get32(&g, ST2 - 4) & FLAG_RF, 0);
    guest_free(&g);
}
