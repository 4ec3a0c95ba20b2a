/*
 * Two engines in lock-step: what is the same passes, with every instruction done twice leaving no
 * trace; what differs is found, wherever it differs, and told.
 *
 * The second engine is the interpreter, sound or broken in one way.
 *
 * Not modelled: devices (boots run under --accel check:interp,interp, see boot.tbl).
 */
#include "cpu/fpu.h"
#include "tests/cpu/guest.h"
#include "ui/disas.h"
#include <criterion/criterion.h>

#define MODEL "x86-64-v3"

static void run_interp(struct cpu *c, struct interp *e, uint64_t until)
{
    (void)until;
    interp_run_blocks(c, e);
}

static const struct check_second sound = {.name = "sound", .run = run_interp};

/*
 * 64-bit code that touches most of what there is: stores, a call, string instructions, SSE and x87,
 * an accessed bit, a store to its own code; ends in HLT.
 */
// clang-format off
static const uint8_t program[] = {
    0xdb, 0xe3,                                     /* 00 fninit */
    0xb9, 10, 0, 0, 0,                              /* 02 mov $10, %ecx */
    0xbf, 0, 0, 4, 0,                               /* 07 mov $G_DATA, %edi */
    0xbe, 0, 0, 5, 0,                               /* 0c mov $G_DATA + 64K, %esi */
    0x48, 0x89, 0x0f,                               /* 11 mov %rcx, (%rdi) */
    0x01, 0x4e, 0x04,                               /* 14 add %ecx, 4(%rsi) */
    0xf0, 0xff, 0x07,                               /* 17 lock incl (%rdi) */
    0xe8, 0x12, 0, 0, 0,                            /* 1a call 31 */
    0xff, 0xc9,                                     /* 1f dec %ecx */
    0x75, 0xee,                                     /* 21 jnz 11 */
    0xb1, 100,                                      /* 23 mov $100, %cl */
    0xf3, 0xa4,                                     /* 25 rep movsb */
    0xc6, 0x05, 0, 0, 0, 0, 0xf4,                   /* 27 movb $0xf4, (%rip): the nop below */
    0x90, 0xeb, 0xfe,                               /* 2e nop; jmp to itself */
    0xd9, 0xe8,                                     /* 31 fld1 */
    0xdd, 0x5f, 0x10,                               /* 33 fstpl 16(%rdi) */
    0xf2, 0x0f, 0x10, 0x47, 0x10,                   /* 36 movsd 16(%rdi), %xmm0 */
    0xf2, 0x0f, 0x58, 0xc0,                         /* 3b addsd %xmm0, %xmm0 */
    0xf2, 0x0f, 0x11, 0x86, 0x00, 0x10, 0x00, 0x00, /* 3f movsd %xmm0, 4096(%rsi) */
    0xc3,                                           /* 47 ret */
};
// clang-format on

static void load_program(struct guest *g)
{
    guest_long(g);
    g->c->cr4 |= CR4_OSFXSR;
    cpu_update_mode(g->c);
    for (unsigned k = 0; k < 4096; k++) {
        g->ram[G_DATA + 0x10000 + k] = (uint8_t)(k * 7);
    }
    g->rig->m->disassemble = disas_insn;
    guest_code(g, program, sizeof program);
}

/* What the program leaves. */
static uint64_t sum_of(struct guest *g)
{
    uint64_t sum = 0;

    for (uint64_t at = 0; at < RIG_RAM_BYTES; at += 8) {
        sum = (sum ^ guest_get64(g, at)) * 0x9e3779b97f4a7c15ull;
        sum ^= sum >> 29;
    }
    for (unsigned k = 0; k < 16; k++) {
        sum = (sum ^ g->c->r[k]) * 0x9e3779b97f4a7c15ull;
    }
    return sum ^ g->c->ip ^ cpu_get_eflags(g->c) ^ (uint64_t)g->c->icount << 40;
}

Test(check, finds_nothing_and_changes_nothing)
{
    struct guest plain, checked;
    struct check_stats stats;

    guest_init(&plain, MODEL);
    load_program(&plain);
    cr_assert_eq(guest_run(&plain), VCPU_EXIT_HALT);
    guest_init_checked(&checked, MODEL, &sound);
    load_program(&checked);
    cr_assert_eq(guest_run(&checked), VCPU_EXIT_HALT, "%s", check_report(checked.v));
    cr_assert_eq(sum_of(&checked), sum_of(&plain));
    check_get_stats(checked.v, &stats);
    cr_assert_eq(stats.checked, checked.c->icount);
    cr_assert_eq(guest_vector(&checked), -1, "vector %d", guest_vector(&checked));
    cr_assert_gt(checked.c->icount, 100);
    guest_free(&plain);
    guest_free(&checked);
}

/* ---- broken engines ---- */

/* Instruction 60 of the program, in the middle of a stretch. */
static bool is_due(const struct cpu *c, uint64_t before)
{
    return before <= 60 && c->icount > 60;
}

#define BROKEN(name, how)                                                                          \
    static void run_##name(struct cpu *c, struct interp *e, uint64_t until)                        \
    {                                                                                              \
        uint64_t before = c->icount;                                                               \
                                                                                                   \
        (void)until;                                                                               \
        interp_run_blocks(c, e);                                                                   \
        if (is_due(c, before)) {                                                                   \
            how;                                                                                   \
        }                                                                                          \
    }

BROKEN(register, c->r[R_RBX]++)
BROKEN(flag, c->fl ^= FL_AF)
BROKEN(direction, c->eflags ^= FLAG_DF)
BROKEN(ip, c->ip += 2)
BROKEN(segment, c->seg[SEG_GS].base++)
BROKEN(xmm, c->fpu.ymm[0][7] ^= 0x80)
BROKEN(ymm, c->fpu.ymm[15][31] ^= 1)
BROKEN(mxcsr, fpu_set_mxcsr(c, fpu_mxcsr(c) ^ 1))
BROKEN(x87, fpu_x87_save(c); c->fpu.fxsave[32] ^= 1)
BROKEN(count, c->icount++)
BROKEN(mode, c->mode ^= MODE_FPU_NM)
BROKEN(store, mem_store_slow(c, NULL, G_DATA + 8, 0, 1); mem_store_slow(c, NULL, G_DATA + 8, 5, 1))
BROKEN(far_store, mem_store_slow(c, NULL, 0x700123, 0x55, 1))
BROKEN(raise, c->cur = NULL; cpu_raise_error(c, EXCP_GP, 0))
BROKEN(stop, c->halted = true)

/* Where the interpreter does not. */
static void run_outside(struct cpu *c, struct interp *e, uint64_t until)
{
    (void)until;
    if (c->icount > 60) {
        cpu_tsc(c);
    }
    interp_run_blocks(c, e);
}

/* Does nothing at all from then on. */
static void run_stuck(struct cpu *c, struct interp *e, uint64_t until)
{
    (void)until;
    if (c->icount <= 60) {
        interp_run_blocks(c, e);
    }
}

static const struct {
    struct check_second second;
    const char *told;
} broken[] = {
    {{.name = "b", .stretch = 256, .run = run_register}, "r[3]"},
    {{.name = "b", .stretch = 1, .run = run_flag}, "fl[0]"},
    {{.name = "b", .stretch = 1, .run = run_direction}, "eflags[0]"},
    {{.name = "b", .stretch = 1, .run = run_ip}, "ip[0]"},
    {{.name = "b", .stretch = 1, .run = run_segment}, "seg[5]"},
    {{.name = "b", .stretch = 1, .run = run_xmm}, "fpu.ymm[0]"},
    {{.name = "b", .stretch = 1, .run = run_ymm}, "fpu.ymm[63]"},
    {{.name = "b", .stretch = 1, .run = run_mxcsr}, "fpu.mxcsr[0]"},
    {{.name = "b", .stretch = 1, .run = run_x87}, "fpu.st[0]"},
    {{.name = "b", .stretch = 1, .run = run_count},
     "b ran to 0038:000000000002001f, instruction 7"},
    {{.name = "b", .stretch = 1, .run = run_mode}, "mode[0]"},
    {{.name = "b", .stretch = 1, .run = run_store}, "ram+40008"},
    {{.name = "b", .stretch = 1, .run = run_far_store}, "ram+700123"},
    {{.name = "b", .stretch = 1, .run = run_raise}, "b raised vector 0d"},
    {{.name = "b", .stretch = 1, .run = run_outside}, "b reached what"},
    {{.name = "b", .stretch = 1, .run = run_stop}, "halted[0]"},
    {{.name = "b", .stretch = 1, .run = run_stuck}, "icount[0]"},
};

Test(check, finds_what_differs)
{
    for (unsigned k = 0; k < ARRAY_LEN(broken); k++) {
        struct guest g;

        guest_init_checked(&g, MODEL, &broken[k].second);
        load_program(&g);
        cr_assert_eq(guest_run(&g), VCPU_EXIT_ERROR, "%s: not found", broken[k].told);
        cr_assert(strstr(check_report(g.v), broken[k].told), "no %s in:\n%s", broken[k].told,
                  check_report(g.v));
        cr_assert(strstr(check_report(g.v), "in the block after"), "block not found:\n%s",
                  check_report(g.v));
        guest_free(&g);
    }
}

/* Only where blocks follow on each other without coming back. */
static void run_far(struct cpu *c, struct interp *e, uint64_t until)
{
    uint64_t before = c->icount;

    interp_run_blocks(c, e);
    if (is_due(c, before) && until > before + 6) {
        c->r[R_R15]++;
    }
}

Test(check, tells_of_blocks_that_only_differ_together)
{
    static const struct check_second second = {.name = "far", .stretch = 256, .run = run_far};
    struct guest g;

    guest_init_checked(&g, MODEL, &second);
    load_program(&g);
    cr_assert_eq(guest_run(&g), VCPU_EXIT_ERROR);
    cr_assert(strstr(check_report(g.v), "r[15]"), "%s", check_report(g.v));
    cr_assert(strstr(check_report(g.v), "blocks together"), "%s", check_report(g.v));
    guest_free(&g);
}

/* ---- exceptions ---- */

/* A raise in the middle of a block: mov %eax, (%rbx) behind two instructions. */
static const uint8_t faulting[] = {0xff, 0xc0, 0xff, 0xc2, 0x89, 0x03, 0xf4};

static void load_faulting(struct guest *g)
{
    guest_long(g);
    guest_put64(g, guest_pte_at(0x800000), 0);
    g->c->r[R_RBX] = 0x800ffe; /* the first bytes too */
    mmu_flush(g->c, true);
    guest_code(g, faulting, sizeof faulting);
}

Test(check, compares_exceptions)
{
    struct guest g;
    struct check_stats stats;

    guest_init_checked(&g, MODEL, &sound);
    load_faulting(&g);
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT, "%s", check_report(g.v));
    cr_assert_eq(guest_vector(&g), EXCP_PF);
    cr_assert_eq(g.c->cr2, 0x800ffe);
    check_get_stats(g.v, &stats);
    cr_assert_eq(stats.checked, 3, "two before it, and the HLT of the handler");
    guest_free(&g);
}

/* Faults with another error code. */
static void run_wrong_error(struct cpu *c, struct interp *e, uint64_t until)
{
    (void)e;
    (void)until;
    c->r[R_BASE] = c->ip;
    c->r[R_RAX]++;
    c->r[R_RDX]++;
    c->icount += 2;
    c->ip += 4;
    cpu_raise_pf(c, 0x800ffe, 0);
}

Test(check, finds_another_error_code)
{
    static const struct check_second second = {.name = "wrong", .run = run_wrong_error};
    struct guest g;

    guest_init_checked(&g, MODEL, &second);
    load_faulting(&g);
    cr_assert_eq(guest_run(&g), VCPU_EXIT_ERROR);
    cr_assert(strstr(check_report(g.v), "excp.error"), "%s", check_report(g.v));
    guest_free(&g);
}

/* ---- what is not compared ---- */

/* rdtsc; in $0x80, %al; hlt: a block, left to the interpreter; then the HLT of its own. */
Test(check, leaves_out_what_cannot_be_taken_back)
{
    struct guest g;
    struct check_stats stats;

    guest_init_checked(&g, MODEL, &sound);
    guest_long(&g);
    guest_code(&g, "\x40\xeb\x00\x0f\x31\xeb\x00\xe4\x80\xeb\x00\xf4", 12);
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT, "%s", check_report(g.v));
    check_get_stats(g.v, &stats);
    cr_assert_eq(stats.outside[OUTSIDE_TIME], 1);
    cr_assert_eq(stats.outside[OUTSIDE_PORT], 1);
    cr_assert_eq(stats.unchecked, 4);
    cr_assert_eq(stats.checked, 2, "the jump before and the HLT behind: %" G_GUINT64_FORMAT,
                 stats.checked);
    guest_free(&g);
}

Test(check, refuses_several_processors)
{
    struct vm_config config;
    GError *err = NULL;

    vm_config_init(&config);
    config.cpus = 2;
    struct machine *m = machine_new(&config, NULL);
    cr_assert_not(check_vcpu_init(m->vcpus[0], &sound, &err));
    cr_assert(strstr(err->message, "-smp 2"), "%s", err->message);
    g_error_free(err);
    machine_free(m);
    vm_config_clear(&config);
}
