/*
 * x87 and SSE state: the control instructions against the host, pending exceptions, environments of
 * the old modes, mode changes.
 *
 * Not modelled: what depends on the operating system (CR0.TS is the decoder's).
 */
#include "tests/cpu/host_cpu.h"
#include "tests/cpu/native_rig.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { NONE = 0xff };

struct control {
    const char *name, *bytes;
    unsigned len;
    enum { PLAIN, ENV, FX, XS } operand; /* what the memory at rbx must hold to be valid */
};

#define CONTROL(name, bytes, operand)                                                              \
    {                                                                                              \
        name, bytes, sizeof bytes - 1, operand                                                     \
    }
static const struct control controls[] = {
    CONTROL("fninit", "\xdb\xe3", PLAIN),
    CONTROL("fnclex", "\xdb\xe2", PLAIN),
    CONTROL("fnop", "\xd9\xd0", PLAIN),
    CONTROL("fneni", "\xdb\xe0", PLAIN),
    CONTROL("fndisi", "\xdb\xe1", PLAIN),
    CONTROL("fnsetpm", "\xdb\xe4", PLAIN),
    CONTROL("fnstsw ax", "\xdf\xe0", PLAIN),
    CONTROL("fnstsw m", "\xdd\x3b", PLAIN),
    CONTROL("fldcw", "\xd9\x2b", PLAIN),
    CONTROL("fnstcw", "\xd9\x3b", PLAIN),
    CONTROL("fnstenv", "\xd9\x33", PLAIN),
    CONTROL("fnstenv 16", "\x66\xd9\x33", PLAIN),
    CONTROL("fldenv", "\xd9\x23", ENV),
    CONTROL("fldenv 16", "\x66\xd9\x23", ENV),
    CONTROL("fnsave", "\xdd\x33", PLAIN),
    CONTROL("fnsave 16", "\x66\xdd\x33", PLAIN),
    CONTROL("frstor", "\xdd\x23", ENV),
    CONTROL("frstor 16", "\x66\xdd\x23", ENV),
    CONTROL("emms", "\x0f\x77", PLAIN),
    CONTROL("fxsave", "\x0f\xae\x03", PLAIN),
    CONTROL("fxsave64", "\x48\x0f\xae\x03", PLAIN),
    CONTROL("fxrstor", "\x0f\xae\x0b", FX),
    CONTROL("fxrstor64", "\x48\x0f\xae\x0b", FX),
    CONTROL("stmxcsr", "\x0f\xae\x1b", PLAIN),
    CONTROL("ldmxcsr", "\x0f\xae\x13", FX),
    CONTROL("xsave", "\x0f\xae\x23", XS),
    CONTROL("xsave64", "\x48\x0f\xae\x23", XS),
    CONTROL("xrstor", "\x0f\xae\x2b", XS),
    CONTROL("xrstor64", "\x48\x0f\xae\x2b", XS),
    CONTROL("xsavec", "\x0f\xc7\x23", XS),
    CONTROL("vzeroupper", "\xc5\xf8\x77", PLAIN),
    CONTROL("vzeroall", "\xc5\xfc\x77", PLAIN),
    CONTROL("vstmxcsr", "\xc5\xf8\xae\x1b", PLAIN),
};

/* Make the memory operand one that the instruction accepts. */
static void fix_operand(struct native_rig *t, const struct control *k, struct rig_state *s)
{
    s->r[R_RBX] = (uintptr_t)t->page;
    st_le16(s->fx + 6, rig_random(t) & 0x7ff);
    st_le32(s->fx + 8, rig_random(t));
    st_le32(s->fx + 16, rig_random(t));
    if (k->operand == FX || k->operand == XS) {
        for (unsigned n = 0; n < 4096; n += 8) {
            st_le64(s->mem + n, rig_random(t));
        }
        st_le32(s->mem + 24, MXCSR_MASKS | (rig_random(t) & 0x603f));
        memset(s->mem + 12, 0, 4); /* FCS, FDS: the host may not have them */
        memset(s->mem + 20, 0, 4);
    }
    if (!strcmp(k->name, "ldmxcsr")) {
        st_le32(s->mem, MXCSR_MASKS | (rig_random(t) & 0xe07f));
    }
    if (k->operand == XS) {
        s->r[R_RAX] = 1 + rig_random(t) % 7;
        s->r[R_RDX] = 0;
        memset(s->mem + 512, 0, 64);
        s->mem[512] = rig_random(t) & 7;
        s->mxcsr = MXCSR_DEFAULT | 1;
        if (rig_random(t) & 1 && strncmp(k->name, "xsave", 5)) { /* compacted */
            s->mem[520] = 7;
            s->mem[527] = 0x80;
        }
    }
    if (k->operand == ENV) {
        unsigned wide = k->bytes[0] == 0x66 ? 2 : 4;
        memset(s->mem, 0, 28);
        for (unsigned n = 0; n < 3; n++) {
            st_le16(s->mem + n * wide, rig_random(t));
        }
    }
}

/*
 * AMD's processors save FOP, FIP and FDP only with an unmasked exception pending, and their
 * MXCSR_MASK has bit 17: in an FXSAVE area these are not compared.
 */
static void forget_other_maker(const struct control *ctl, struct rig_state *host,
                               struct rig_state *guest)
{
    bool saves = strstr(ctl->name, "save") && !strstr(ctl->name, "fnsave");

    if (saves && !host_is_intel()) {
        memcpy(host->mem + 6, guest->mem + 6, 18);
        memcpy(host->mem + 28, guest->mem + 28, 4);
    }
}

Test(fpu, control_instructions_agree_with_the_host)
{
    static struct rig_state start, host, guest;
    struct native_rig t;
    unsigned cases = 0;

    cr_assert(native_rig_init(&t));
    for (unsigned k = 0; k < ARRAY_LEN(controls); k++) {
        const struct control *ctl = &controls[k];
        const uint8_t *code = (const uint8_t *)ctl->bytes;

        for (unsigned n = 0; n < 100; n++) {
            rig_fill(&t, &start, 10);
            fix_operand(&t, ctl, &start);
            host = guest = start;
            unsigned hv = rig_run_host(&t, &host, code, ctl->len),
                     gv = rig_run_guest(&t, &guest, code, ctl->len);
            forget_other_maker(ctl, &host, &guest);
            char *diff = rig_compare(&host, &guest, FLAGS_ARITH);

            cr_expect_eq(hv, gv, "%s: vector %#x", ctl->name, gv);
            cr_expect(!diff, "%s: %s", ctl->name, diff);
            bool bad = diff;
            g_free(diff);
            cases++;
            if (bad) {
                break;
            }
        }
    }
    fprintf(stderr, "fpu: %u control instructions, %u cases\n", (unsigned)ARRAY_LEN(controls),
            cases);
    native_rig_free(&t);
}

/* ---- sequences on one state ---- */

#define STEP(t, bytes) rig_step_guest(t, (const uint8_t *)(bytes), sizeof(bytes) - 1)

static void fresh(struct native_rig *t, uint16_t fcw)
{
    struct cpu *c = t->c;

    fpu_reset(c, false);
    c->fpu.xcr0 = t->have_avx ? 7 : 3;
    c->mode = MODE_CODE64 | MODE_PE | MODE_FLAT | MODE_CS_FLAT | MODE_STACK32 | MODE_FPU_CHECK;
    c->r[R_RBX] = (uintptr_t)t->page;
    cr_assert_eq(STEP(t, "\xdb\xe3"), NONE);
    c->mode = MODE_CODE64 | MODE_PE | MODE_FLAT | MODE_CS_FLAT;
    st_le16(t->page, fcw);
    cr_assert_eq(STEP(t, "\xd9\x2b"), NONE);
    c->mode = MODE_CODE64 | MODE_PE | MODE_FLAT | MODE_CS_FLAT |
              (fpu_x87_unmasked(c) ? MODE_FPU_CHECK : 0);
}

Test(fpu, unmasked_exception_is_delivered_by_the_next_waiting_instruction)
{
    struct native_rig t;

    cr_assert(native_rig_init(&t));
    fresh(&t, 0x37b);                         /* ZM clear */
    cr_expect_eq(STEP(&t, "\xd9\xe8"), NONE); /* fld1 */
    cr_expect_eq(STEP(&t, "\xd9\xee"), NONE); /* fldz */
    t.c->r[R_BASE] = 0x1234;
    cr_expect_eq(STEP(&t, "\xde\xf9"), NONE); /* fdivp: sets ZE, changes nothing */
    cr_expect_eq(fpu_fsw(t.c) & 0xb884, 0x8000 | 6 << 11 | 0x84);
    cr_expect_eq(t.c->fpu.fip, 0x1234);
    cr_expect_eq(t.c->fpu.fop, 0x6f9);
    cr_expect_eq(STEP(&t, "\xdd\x3b"), NONE);        /* fnstsw: not waiting */
    cr_expect_eq(STEP(&t, "\xd9\xe8"), EXCP_MF);     /* fld1 */
    cr_expect_eq(STEP(&t, "\x9b"), EXCP_MF);         /* fwait */
    cr_expect_eq(STEP(&t, "\x0f\xfe\xca"), EXCP_MF); /* paddd mm1, mm2 */
    cr_expect_eq(STEP(&t, "\xdb\xe2"), NONE);        /* fnclex */
    cr_expect_eq(STEP(&t, "\x9b"), NONE);
    native_rig_free(&t);
}

Test(fpu, without_ne_the_ferr_output_is_asserted)
{
    struct native_rig t;

    cr_assert(native_rig_init(&t));
    fresh(&t, 0x37e); /* IM clear */
    t.c->cr0 &= ~(uint64_t)CR0_NE;
    cr_expect_eq(STEP(&t, "\xd9\xc0"), NONE); /* fld st0 of an empty stack */
    cr_expect(!t.c->fpu.ferr);
    cr_expect_eq(STEP(&t, "\x9b"), NONE);
    cr_expect(t.c->fpu.ferr);
    cr_expect_eq(STEP(&t, "\xd9\xe8"), NONE,
                 "instructions go on as with IGNNE#, and do not trap the host");
    cr_expect_eq(STEP(&t, "\xdb\xe2"), NONE);
    cr_expect(!t.c->fpu.ferr);
    native_rig_free(&t);
}

Test(fpu, fwait_heeds_mp_and_ts)
{
    struct native_rig t;

    cr_assert(native_rig_init(&t));
    fresh(&t, 0x37f);
    t.c->cr0 |= CR0_TS;
    cr_expect_eq(STEP(&t, "\x9b"), NONE);
    t.c->cr0 |= CR0_MP;
    cr_expect_eq(STEP(&t, "\x9b"), EXCP_NM);
    native_rig_free(&t);
}

Test(fpu, environment_formats_of_real_and_protected_mode)
{
    static const struct {
        uint16_t mode;
        bool p66;
        unsigned fip_at, high_at;
        uint32_t fip, high;
    } cases[] = {
        {MODE_CODE16, false, 6, 8, 0x5678, 0x1000 | 0x5c3},      /* real, 16-bit */
        {MODE_CODE16, true, 12, 16, 0xffff5678, 0x1000 | 0x5c3}, /* real, 32-bit */
        {MODE_CODE16 | MODE_PE, false, 6, 8, 0x4678, 0x1100},    /* protected, 16-bit */
        {MODE_CODE32 | MODE_PE | MODE_FLAT, false, 12, 16, 0x4678,
         0x5c31100}, /* protected, 32-bit */
    };
    struct native_rig t;

    cr_assert(native_rig_init(&t));
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        struct cpu *c = t.c;
        bool wide = cases[k].fip_at == 12;

        fresh(&t, 0x37f);
        c->fpu.fip = 0x4678;
        c->fpu.fcs = 0x1100;
        c->fpu.fop = 0x5c3;
        c->mode = cases[k].mode;
        /* DS:[bx] or [ebx] reaches the page through the segment base */
        c->seg[SEG_DS].base = (cases[k].mode & MODE_CODE) == MODE_CODE32 ? 0 : (uintptr_t)t.page;
        c->r[R_RBX] = (cases[k].mode & MODE_CODE) == MODE_CODE32 ? (uintptr_t)t.page : 0;
        unsigned v = (cases[k].mode & MODE_CODE) == MODE_CODE32 ? STEP(&t, "\xd9\x33")
                     : cases[k].p66                             ? STEP(&t, "\x66\xd9\x37")
                                                                : STEP(&t, "\xd9\x37");
        cr_expect_eq(v, NONE, "case %u", k);
        cr_expect_eq(wide ? ld_le32(t.page + 12) : ld_le16(t.page + 6), cases[k].fip, "case %u", k);
        cr_expect_eq(wide ? ld_le32(t.page + 16) : ld_le16(t.page + 8), cases[k].high, "case %u",
                     k);
    }
    native_rig_free(&t);
}

Test(fpu, unmasking_ends_the_block_and_changes_the_mode)
{
    struct native_rig t;
    struct cpu *c;

    cr_assert(native_rig_init(&t));
    c = t.c;
    fresh(&t, 0x37f);
    st_le32(t.page, 0x1f00); /* IM clear */
    c->r[R_BASE] = 0x4000;
    c->ip = 0;
    cr_expect_eq(STEP(&t, "\x0f\xae\x13"), NONE); /* ldmxcsr */
    cr_expect_eq(c->ip, 0x4003);
    cr_expect(c->mode & MODE_SSE_CHECK);
    cr_expect(!(c->mode & MODE_FPU_CHECK));
    native_rig_free(&t);
}

Test(fpu, reserved_bits_and_alignment_fault)
{
    struct native_rig t;
    struct cpu *c;

    cr_assert(native_rig_init(&t));
    c = t.c;
    fresh(&t, 0x37f);
    memset(t.page, 0, 1024);
    st_le32(t.page, 0x10000);
    cr_expect_eq(STEP(&t, "\x0f\xae\x13"), EXCP_GP); /* ldmxcsr */
    st_le32(t.page + 24, 0x10000);
    cr_expect_eq(STEP(&t, "\x0f\xae\x0b"), EXCP_GP); /* fxrstor */
    st_le32(t.page + 24, MXCSR_DEFAULT);
    c->r[R_RAX] = 7;
    c->r[R_RDX] = 0;
    t.page[512] = 8;                                 /* XSTATE_BV beyond XCR0 */
    cr_expect_eq(STEP(&t, "\x0f\xae\x2b"), EXCP_GP); /* xrstor */
    t.page[512] = 1;
    st_le16(t.page, 0x37f);
    cr_expect_eq(STEP(&t, "\x0f\xae\x2b"), NONE);
    c->r[R_RBX] += 8;
    cr_expect_eq(STEP(&t, "\x0f\xae\x03"), EXCP_GP); /* fxsave */
    cr_expect_eq(STEP(&t, "\x0f\xae\x23"), EXCP_GP); /* xsave */
    c->cr4 &= ~(uint32_t)CR4_OSXSAVE;
    cr_expect_eq(STEP(&t, "\x0f\xae\x23"), EXCP_UD);
    native_rig_free(&t);
}

Test(fpu, xsaveopt_and_xsavec_leave_out_what_is_in_its_initial_state)
{
    struct native_rig t;
    struct cpu *c;

    cr_assert(native_rig_init(&t));
    c = t.c;
    fresh(&t, 0x37f);
    c->fpu.ymm[3][5] = 1;
    memset(t.page, 0xee, 1024);
    memset(t.page + 512, 0, 64);
    c->r[R_RAX] = 7;
    c->r[R_RDX] = 0;
    cr_expect_eq(STEP(&t, "\x0f\xae\x33"), NONE); /* xsaveopt */
    cr_expect_eq(ld_le64(t.page + 512), 2);
    cr_expect_eq(t.page[0], 0xee, "x87 is not written");
    cr_expect_eq(t.page[160 + 3 * 16 + 5], 1);
    cr_expect_eq(t.page[576], 0xee);
    cr_expect_eq(STEP(&t, "\x0f\xc7\x23"), NONE); /* xsavec */
    cr_expect_eq(ld_le64(t.page + 512), 2);
    cr_expect_eq(ld_le64(t.page + 520), BIT64(63) | c->fpu.xcr0);
    c->r[R_RCX] = 1;
    cr_expect_eq(STEP(&t, "\x0f\x01\xd0"), NONE); /* xgetbv: XINUSE */
    cr_expect_eq(c->r[R_RAX], 2);
    native_rig_free(&t);
}

Test(fpu, operands_across_pages_and_in_code_pages)
{
    struct native_rig t;
    struct cpu *c;
    uint64_t v = 0;

    cr_assert(native_rig_init(&t));
    c = t.c;
    fresh(&t, 0x37f);
    for (unsigned k = 0; k < 32; k++) {
        c->fpu.ymm[1][k] = k;
    }
    c->r[R_RBX] = (uintptr_t)t.page + PAGE_BYTES - 5;
    cr_expect_eq(STEP(&t, "\x0f\x11\x0b"), NONE); /* movups [rbx], xmm1 */
    cr_expect_eq(memcmp(t.page + PAGE_BYTES - 5, c->fpu.ymm[1], 16), 0);
    cr_expect_eq(STEP(&t, "\xd9\xe8"), NONE); /* fld1 */
    cr_expect_eq(STEP(&t, "\xdd\x1b"), NONE); /* fstp qword [rbx] */
    memcpy(&v, t.page + PAGE_BYTES - 5, 8);
    cr_expect_eq(v, 0x3ff0000000000000);
    cr_expect_eq(STEP(&t, "\x66\x0f\x16\x13"), NONE); /* movhpd xmm2, [rbx] */
    cr_expect_eq(ld_le64(c->fpu.ymm[2] + 8), v);
    cr_expect_eq(STEP(&t, "\xf2\x0f\x58\x13"), NONE); /* addsd xmm2, [rbx] */
    cr_expect_eq(ld_le64(c->fpu.ymm[2]), v);
    native_rig_free(&t);
}
