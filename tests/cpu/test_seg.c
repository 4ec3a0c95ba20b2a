/*
 * Segmentation and far transfers (cpu/seg*.c, op_seg.c).  Follows: SDM volume 3, chapters 3, 5.
 * Not modelled: 16-bit gates but for one.
 */
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

#define CODE(g, bytes) guest_code(g, bytes, sizeof(bytes) - 1)

enum { S_TEST = S_FREE, S_GATE = S_FREE + 8, S_TARGET = S_FREE + 16 };
enum { BEYOND = 0x208 };

static int load(struct guest *g, unsigned seg, uint16_t sel)
{
    cpu_update_mode(g->c);
    return GUEST_TRY(g, cpu_load_seg(g->c, seg, sel));
}

Test(seg, loads_are_checked)
{
    static const struct {
        uint16_t attr;
        uint8_t seg, cpl, rpl;
        int vector;
    } cases[] = {
        {0x93, SEG_DS, 0, 0, -1},      {0x91, SEG_DS, 0, 0, -1}, /* read-only data */
        {0x9b, SEG_DS, 0, 0, -1},                                /* readable code */
        {0x99, SEG_DS, 0, 0, EXCP_GP},                           /* execute-only */
        {0x13, SEG_DS, 0, 0, EXCP_NP}, {0x13, SEG_SS, 0, 0, EXCP_SS},
        {0x93, SEG_DS, 3, 3, EXCP_GP}, /* DPL 0 seen from 3 */
        {0x93, SEG_DS, 0, 3, EXCP_GP}, /* RPL weakens */
        {0xf3, SEG_DS, 3, 3, -1},      {0xf3, SEG_DS, 0, 3, -1},
        {0x9f, SEG_DS, 3, 3, -1},      /* conforming code: no level check */
        {0x82, SEG_DS, 0, 0, EXCP_GP}, /* a system descriptor */
        {0x91, SEG_SS, 0, 0, EXCP_GP}, /* not writable */
        {0x93, SEG_SS, 0, 3, EXCP_GP}, {0xf3, SEG_SS, 0, 0, EXCP_GP},
        {0xf3, SEG_SS, 3, 3, -1},      {0x9b, SEG_SS, 0, 0, EXCP_GP},
    };
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        uint16_t sel = S_TEST | cases[k].rpl;

        guest_desc(&g, S_TEST, 0x12345, 0xfff, cases[k].attr);
        g.c->cpl = cases[k].cpl;
        int v = load(&g, cases[k].seg, sel);
        cr_assert_eq(v, cases[k].vector, "case %u: %d", k, v);
        if (v >= 0) {
            cr_assert_eq(g.c->excp.error, S_TEST, "case %u: error %x", k, g.c->excp.error);
        } else {
            cr_assert_eq(g.c->seg[cases[k].seg].base, 0x12345);
            cr_assert_eq(g.c->seg[cases[k].seg].limit, 0xfff);
        }
    }
    cr_assert_eq(load(&g, SEG_DS, BEYOND), EXCP_GP);
    cr_assert_eq(g.c->excp.error, BEYOND);
    cr_assert_eq(load(&g, SEG_DS, 4 | 8), EXCP_GP,
                 "no LDT loaded holds entry 1... beyond its limit or null");
    cr_assert_eq(load(&g, SEG_ES, 3), -1, "null");
    cr_assert_eq(g.c->seg[SEG_ES].attr & SEG_P, 0);
    cr_assert_eq(load(&g, SEG_SS, 0), EXCP_GP);
    cr_assert_eq(g.c->excp.error, 0);
    guest_free(&g);
}

Test(seg, accessed_bit_is_set_once)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    guest_desc(&g, S_TEST, 0, 0xfff, 0x92);
    cr_assert_eq(load(&g, SEG_DS, S_TEST), -1);
    cr_assert_eq(g.ram[G_GDT + S_TEST + 5], 0x93);
    guest_free(&g);
}

Test(seg, limits_and_types)
{
    static const struct {
        uint16_t attr;
        uint32_t limit;
        uint64_t off;
        uint8_t size, write;
        bool ok;
    } cases[] = {
        {0x93, 0xfff, 0xffc, 4, 1, true},
        {0x93, 0xfff, 0xffd, 4, 1, false},
        {0x93, 0xfff, 0xfff, 1, 0, true},
        {0x93, 0xfff, 0x1000, 1, 0, false},
        {0x91, 0xfff, 0, 4, 1, false},
        {0x91, 0xfff, 0, 4, 0, true},
        {0x97, 0xfff, 0xfff, 1, 0, false}, /* expand-down: above the limit */
        {0x97, 0xfff, 0x1000, 4, 1, true},
        {0x97, 0xfff, 0xfffd, 4, 1, false}, /* 16-bit: up to ffff */
        {0x97 | SEG_DB, 0xfff, 0xfffd, 4, 1, true},
        {0x97 | SEG_DB, 0xfff, 0xfffffffd, 4, 1, false},
        {0x9b, 0xfff, 0, 4, 0, true},
        {0x9b, 0xfff, 0, 4, 1, false},
        {0x93 | SEG_G | SEG_DB, 0xffffffff, 0xfffffffe, 4, 1, true}, /* 4 GiB: wraps */
        {0x93, 0xffff, 0xffffffff, 4, 1, false},
    };
    struct guest g;
    struct insn i = {.seg = SEG_DS};

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        guest_desc(&g, S_TEST, 0x1000, cases[k].limit, cases[k].attr);
        cr_assert_eq(load(&g, SEG_DS, S_TEST), -1);
        uint64_t la = 0;
        int v = GUEST_TRY(
            &g, la = seg_linear(g.c, &i, SEG_DS, cases[k].off, cases[k].size, cases[k].write));
        cr_assert_eq(v, cases[k].ok ? -1 : EXCP_GP, "case %u: %d", k, v);
        if (cases[k].ok) {
            cr_assert_eq(la, (uint32_t)(cases[k].off + 0x1000));
        }
    }
    seg_set_null(g.c, SEG_DS, 0);
    cr_assert_eq(GUEST_TRY(&g, seg_linear(g.c, &i, SEG_DS, 0, 1, 0)), EXCP_GP);
    g.c->seg[SEG_SS].limit = 0xf;
    cr_assert_eq(GUEST_TRY(&g, seg_linear(g.c, &i, SEG_SS, 0xf, 2, 0)), EXCP_SS);
    guest_free(&g);
}

Test(seg, real_mode_limit_is_64k)
{
    struct guest g;
    struct insn i = {.seg = SEG_DS};

    guest_init(&g, "486");
    cpu_load_seg(g.c, SEG_DS, 0x1234);
    cr_assert_eq(seg_linear(g.c, &i, SEG_DS, 0xffff, 1, 0), 0x2233f);
    cr_assert_eq(GUEST_TRY(&g, seg_linear(g.c, &i, SEG_DS, 0xffff, 2, 0)), EXCP_GP);
    cr_assert_eq(GUEST_TRY(&g, seg_linear(g.c, &i, SEG_SS, 0xffff, 2, 0)), EXCP_SS);
    guest_free(&g);
}

Test(seg, noncanonical_linear_addresses)
{
    struct guest g;
    struct insn i = {.seg = SEG_DS};

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    g.c->seg[SEG_FS].base = 0x1000;
    g.c->seg[SEG_DS].base = 0x5000; /* ignored */
    cr_assert_eq(seg_linear(g.c, &i, SEG_FS, 0x10, 4, 0), 0x1010);
    cr_assert_eq(seg_linear(g.c, &i, SEG_DS, 0x10, 4, 0), 0x10);
    cr_assert_eq(GUEST_TRY(&g, seg_linear(g.c, &i, SEG_DS, 0x7fffffffffffull, 2, 0)), EXCP_GP);
    cr_assert_eq(GUEST_TRY(&g, seg_linear(g.c, &i, SEG_SS, 0x8000000000000000ull, 2, 0)), EXCP_SS);
    guest_free(&g);
}

Test(seg, far_call_and_return_at_one_level)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    /* call S_CODE:G_DATA; hlt   and there   retf */
    guest_code(&g, "\x9a\x00\x00\x04\x00\x08\x00\xf4", 8);
    g.ram[G_DATA] = 0xcb;
    guest_run(&g);
    cr_assert_eq(g.c->ip, G_CODE + 8);
    cr_assert_eq(g.c->r[R_RSP], G_STACK);
    cr_assert_eq(guest_get32(&g, G_STACK - 4), S_CODE);
    cr_assert_eq(guest_get32(&g, G_STACK - 8), G_CODE + 7);
    guest_free(&g);
}

Test(seg, call_gate_to_ring_0_copies_parameters)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    guest_gate(&g, G_GDT + S_GATE, S_CODE, G_DATA, 0xec, 2);
    guest_user(&g);
    guest_put32(&g, G_USER_STACK - 8, 0x1111);
    guest_put32(&g, G_USER_STACK - 4, 0x2222);
    g.c->r[R_RSP] -= 8;
    /* lcall gate; (ring 0: retf 8); hlt -> #GP in ring 3 */
    guest_code(&g, "\x9a\x00\x00\x00\x00\x68\x00\xf4", 8);
    memcpy(g.ram + G_DATA, "\xca\x08\x00", 3);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_GP);
    uint32_t sp = G_STACK - 24;
    cr_assert_eq(guest_get32(&g, sp + 20), S_UDATA);
    cr_assert_eq(guest_get32(&g, sp + 16), G_USER_STACK,
                 "the #GP frame says that RET released the parameters");
    /* The frame of the call lay at the same place: its parameters are below. */
    cr_assert_eq(guest_get32(&g, sp + 4), G_CODE + 7);
    cr_assert_eq(guest_get32(&g, sp + 8), S_UCODE);
    guest_free(&g);
}

Test(seg, call_gate_frame)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    guest_gate(&g, G_GDT + S_GATE, S_CODE, G_DATA, 0xec, 2);
    guest_user(&g);
    guest_put32(&g, G_USER_STACK - 8, 0x1111);
    guest_put32(&g, G_USER_STACK - 4, 0x2222);
    g.c->r[R_RSP] -= 8;
    guest_code(&g, "\x9a\x00\x00\x00\x00\x68\x00", 7);
    g.ram[G_DATA] = 0xf4;
    guest_run(&g);
    cr_assert_eq(g.c->ip, G_DATA + 1);
    cr_assert_eq(g.c->cpl, 0);
    cr_assert_eq(g.c->r[R_RSP], G_STACK - 24);
    static const uint32_t frame[] = {G_CODE + 7, S_UCODE,          0x1111,
                                     0x2222,     G_USER_STACK - 8, S_UDATA};
    for (unsigned k = 0; k < 6; k++) {
        cr_assert_eq(guest_get32(&g, G_STACK - 24 + 4 * k), frame[k], "word %u", k);
    }
    guest_free(&g);
}

Test(seg, far_transfer_faults)
{
    static const struct {
        uint16_t target_attr;
        uint8_t gate_attr, cpl;
        bool jump, direct;
        uint16_t rpl;
        int vector;
        uint32_t error;
    } cases[] = {
        {0x9b, 0x8c, 3, false, false, 0, EXCP_GP, S_GATE},   /* gate DPL 0 from ring 3 */
        {0x9b, 0x6c, 3, false, false, 0, EXCP_NP, S_GATE},   /* gate not present */
        {0x93, 0xec, 3, false, false, 0, EXCP_GP, S_TARGET}, /* target is data */
        {0x1b, 0xec, 3, false, false, 0, EXCP_NP, S_TARGET},
        {0x9b, 0xec, 3, true, false, 0, EXCP_GP, S_TARGET},  /* JMP cannot raise the level */
        {0x9f, 0xec, 3, true, false, 0, -1, 0},              /* conforming */
        {0xfb, 0xec, 0, false, false, 0, EXCP_GP, S_TARGET}, /* outward */
        {0x9b, 0, 3, true, true, 0, EXCP_GP, S_TARGET},
        {0x9f, 0, 3, true, true, 0, -1, 0},
        {0xfb, 0, 0, true, true, 0, EXCP_GP, S_TARGET},
        {0x9b, 0, 0, true, true, 3, EXCP_GP, S_TARGET}, /* RPL above CPL */
        {0x9b, 0, 0, true, true, 0, -1, 0},
        {0x1b, 0, 0, true, true, 0, EXCP_NP, S_TARGET},
    };
    struct guest g;

    guest_init(&g, "x86-64-v3");
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        guest_protected(&g);
        guest_desc(&g, S_TARGET, 0, 0xfffff, cases[k].target_attr | SEG_DB);
        guest_gate(&g, G_GDT + S_GATE, S_TARGET, G_DATA, cases[k].gate_attr, 0);
        if (cases[k].cpl == 3) {
            guest_user(&g);
        }
        uint16_t sel = (cases[k].direct ? S_TARGET : S_GATE) | cases[k].rpl;
        int v = GUEST_TRY(&g, cases[k].jump ? cpu_far_jump(g.c, sel, G_DATA, 1)
                                            : cpu_far_call(g.c, sel, G_DATA, 1, 0x77));
        cr_assert_eq(v, cases[k].vector, "case %u: %d", k, v);
        if (v >= 0) {
            cr_assert_eq(g.c->excp.error, cases[k].error, "case %u: %x", k, g.c->excp.error);
        }
    }
    guest_protected(&g);
    guest_desc(&g, S_TARGET, 0, 0xfff, 0x9b | SEG_DB);
    cr_assert_eq(GUEST_TRY(&g, cpu_far_jump(g.c, S_TARGET, 0x1000, 1)), EXCP_GP,
                 "beyond the limit");
    cr_assert_eq(g.c->excp.error, 0);
    cr_assert_eq(GUEST_TRY(&g, cpu_far_jump(g.c, 0, 0, 1)), EXCP_GP);
    cr_assert_eq(g.c->excp.error, 0);
    guest_free(&g);
}

Test(seg, long_mode_call_gate_and_return)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    guest_gate(&g, G_GDT + S_GATE, S_CODE64, G_DATA, 0xec, 0);
    guest_put64(&g, G_GDT + S_GATE + 8, 0);
    guest_user(&g);
    guest_put32(&g, G_DATA + 0x100, 0);
    guest_put16(&g, G_DATA + 0x104, S_GATE);
    /* lcall [G_DATA + 0x100]; hlt    there: rex.w retf */
    guest_code(&g, "\xff\x1c\x25\x00\x01\x04\x00\xf4", 8);
    memcpy(g.ram + G_DATA, "\x48\xcb", 2);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_GP, "hlt back in ring 3");
    cr_assert_eq(guest_get64(&g, G_STACK - 48 + 8), G_CODE + 7);
    cr_assert_eq(guest_get64(&g, G_STACK - 48 + 16), S_UCODE64);
    cr_assert_eq(guest_get64(&g, G_STACK - 48 + 32), G_USER_STACK);
    guest_free(&g);
}

Test(seg, descriptor_tests)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    guest_desc(&g, S_TEST, 0, 0x1fff, 0x93 | SEG_G);
    g.c->r[R_RCX] = S_TEST;
    g.c->r[R_RBX] = BEYOND;
    /* lar eax,cx; lsl edx,cx; verw cx; setz [data]; lsl esi,bx; setz [data+1]; hlt */
    guest_code(&g,
               "\x0f\x02\xc1\x0f\x03\xd1\x0f\x00\xe9\x0f\x94\x05\x00\x00\x04\x00\x0f\x03\xf3\x0f"
               "\x94\x05\x01\x00"
               "\x04\x00\xf4",
               27);
    g.c->r[R_RSI] = 7;
    guest_run(&g);
    cr_assert_eq(g.c->ip, G_CODE + 27);
    cr_assert_eq(g.c->r[R_RAX], 0x00809300);
    cr_assert_eq(g.c->r[R_RDX], 0x1fff);
    cr_assert_eq(g.ram[G_DATA], 1);
    cr_assert_eq(g.ram[G_DATA + 1], 0);
    cr_assert_eq(g.c->r[R_RSI], 7);
    guest_free(&g);
}

Test(seg, table_registers_and_ltr)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    g.c->r[R_RAX] = S_LDT;
    g.c->r[R_RCX] = S_TSS2;
    /* lldt ax; ltr cx; sgdt [data]; sldt ebx; str edx; ltr cx -> #GP: busy */
    guest_code(&g,
               "\x0f\x00\xd0\x0f\x00\xd9\x0f\x01\x05\x00\x00\x04\x00\x0f\x00\xc3\x0f\x00\xca\x0f"
               "\x00\xd9\xf4",
               23);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_GP);
    cr_assert_eq(guest_get32(&g, g.c->r[R_RSP]), S_TSS2);
    cr_assert_eq(g.c->r[R_RBX], S_LDT);
    cr_assert_eq(g.c->r[R_RDX], S_TSS2);
    cr_assert_eq(guest_get16(&g, G_DATA), 0x1ff);
    cr_assert_eq(guest_get32(&g, G_DATA + 2), G_GDT);
    cr_assert_eq(g.ram[G_GDT + S_TSS2 + 5], 0x8b);
    guest_free(&g);
}

/* A near branch to a place outside CS is at fault itself, before it changed anything. */
Test(seg, near_branches_out_of_the_code_segment)
{
    static const struct {
        const char *code;
        uint8_t len;
    } cases[] = {
        {"\xe9\x00\x00\x10\x00", 5},     /* jmp */
        {"\xe8\x00\x00\x10\x00", 5},     /* call */
        {"\x0f\x84\x00\x00\x10\x00", 6}, /* je */
        {"\xff\xe0", 2},                 /* jmp eax */
        {"\xff\xd0", 2},                 /* call eax */
        {"\xff\x25\x00\x00\x04\x00", 6}, /* jmp [G_DATA] */
        {"\xff\x15\x00\x00\x04\x00", 6}, /* call [G_DATA] */
        {"\xc3", 1},                     /* ret */
        {"\xc2\x08\x00", 3},             /* ret 8 */
        {"\x64\x67\xff\xd0", 4},         /* call eax, odd prefixes */
        {"\x66\xe9\x00\x00", 4},         /* jmp to IP 4: inside */
    };
    struct guest g;

    guest_init(&g, "x86-64-v3");
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        bool inside = k == ARRAY_LEN(cases) - 1;

        guest_protected(&g);
        g.c->halted = false;
        g.c->seg[SEG_CS].limit = 0x5ffff;
        cpu_update_mode(g.c);
        g.c->fl = FL_ZF;
        g.c->r[R_RAX] = 0x60000;
        g.c->r[R_RCX] = 7;
        g.c->r[R_RSP] = G_STACK - 16;
        guest_put32(&g, G_DATA, 0x60000);
        guest_put32(&g, G_STACK - 16, 0x60000);
        memcpy(g.ram + 4, "\xf4", 1);
        guest_code(&g, cases[k].code, cases[k].len);
        guest_run(&g);
        if (inside) {
            cr_assert_eq(g.c->ip, 5);
            break;
        }
        cr_assert_eq(guest_vector(&g), EXCP_GP, "case %u: vector %d", k, guest_vector(&g));
        cr_assert_eq(guest_get32(&g, g.c->r[R_RSP]), 0);
        cr_assert_eq(guest_get32(&g, g.c->r[R_RSP] + 4), G_CODE, "case %u: at %x", k,
                     guest_get32(&g, g.c->r[R_RSP] + 4));
        cr_assert_eq(g.c->r[R_RSP], G_STACK - 16 - 16, "case %u", k);
    }
    guest_free(&g);
}

Test(seg, near_branches_to_no_canonical_address)
{
    static const struct {
        const char *code;
        uint8_t len;
    } cases[] = {
        {"\xff\xe0", 2},                     /* jmp rax */
        {"\xff\xd0", 2},                     /* call rax */
        {"\xff\x24\x25\x00\x00\x04\x00", 7}, /* jmp [G_DATA] */
        {"\xff\x14\x25\x00\x00\x04\x00", 7}, /* call [G_DATA] */
        {"\xff\x14\x0d\x00\x00\x04\x00", 7}, /* call [rcx+G_DATA] */
        {"\xc3", 1},                         /* ret */
        {"\xc2\x08\x00", 3},                 /* ret 8 */
    };
    struct guest g;

    guest_init_linked(&g, "x86-64-v3");
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        guest_long(&g);
        g.c->halted = false;
        g.c->r[R_RAX] = 0xaaaaaaaaaaaaaaaa;
        g.c->r[R_RCX] = 0;
        g.c->r[R_RSP] = G_STACK - 16;
        guest_put64(&g, G_DATA, 0xaaaaaaaaaaaaaaaa);
        guest_put64(&g, G_STACK - 16, 0x800000000000);
        guest_code(&g, cases[k].code, cases[k].len);
        guest_run(&g);
        cr_assert_eq(guest_vector(&g), EXCP_GP, "case %u: vector %d", k, guest_vector(&g));
        cr_assert_eq(guest_get64(&g, g.c->r[R_RSP]), 0);
        cr_assert_eq(guest_get64(&g, g.c->r[R_RSP] + 8), G_CODE, "case %u", k);
        cr_assert_eq(guest_get64(&g, g.c->r[R_RSP] + 32), G_STACK - 16, "case %u", k);
    }
    guest_free(&g);
}

Test(seg, arpl_writes_only_what_changes)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    for (unsigned k = 0; k < 2; k++) {
        guest_protected(&g);
        g.c->halted = false;
        g.c->seg[SEG_DS].attr &= ~SEG_W;
        cpu_update_mode(g.c);
        guest_put16(&g, G_DATA, 2);
        g.c->r[R_RBX] = 2 + k;
        CODE(&g, "\x63\x1d\x00\x00\x04\x00\xf4"); /* arpl [G_DATA],bx; hlt */
        guest_run(&g);
        cr_assert_eq(guest_vector(&g), k ? EXCP_GP : -1);
        cr_assert_eq(guest_get16(&g, G_DATA), 2);
    }
    guest_free(&g);
}

/* As Zen 5 and the 386 have it: EBP is ESP with the upper half that the stack does not use. */
Test(seg, enter_with_32_bit_operands_on_a_16_bit_stack)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    g.c->seg[SEG_SS].attr &= ~SEG_DB;
    cpu_update_mode(g.c);
    g.c->r[R_RBP] = 0x5ffec;
    g.c->r[R_RSP] = 0x10004;
    CODE(&g, "\xc8\x08\x00\x00\xf4"); /* enter 8,0; hlt */
    guest_run(&g);
    cr_assert_eq(g.c->r[R_RBP], 0x10000, "%x", (uint32_t)g.c->r[R_RBP]);
    cr_assert_eq(g.c->r[R_RSP], 0x1fff8, "%x", (uint32_t)g.c->r[R_RSP]);
    cr_assert_eq(guest_get32(&g, 0), 0x5ffec);
    guest_free(&g);
}
