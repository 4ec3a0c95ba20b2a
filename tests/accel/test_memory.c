/*
 * What a software engine may take beside the guest's RAM: at most 64 MiB in all, with its caches
 * full.  Measured as what is resident, by the kernel's count.
 *
 * Not modelled: several processors, which take it once each; stubs for SIMD instructions of every
 * kind (cpu/native.c); the program itself and its libraries (PROGRAM_BYTES is allowed for them).
 */
#include "accel/interp_int.h"
#include "accel/jit/jit.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define ALLOWED_BYTES (64 * MiB)
#define PROGRAM_BYTES (14 * MiB)

enum {
    COLD_AT = 0x100000, /* code that runs once a round */
    COLD_INSNS = 300000,
    HOT_AT = 0x400000, /* code that is translated */
    HOT_INSNS = 150000,
    INSN_BYTES = 2,
};

/* A field of /proc/self/status, in bytes. */
static uint64_t status_of(const char *field)
{
    g_autofree char *text = NULL;

    cr_assert(g_file_get_contents("/proc/self/status", &text, NULL, NULL));
    const char *at = strstr(text, field);
    cr_assert(at);
    return g_ascii_strtoull(at + strlen(field), NULL, 10) * KiB;
}

/* `count` times mov [rdi],eax, then hlt. */
static void put_code(struct guest *g, uint32_t at, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        guest_put16(g, at + n * INSN_BYTES, 0x0789);
    }
    g->ram[at + count * INSN_BYTES] = 0xf4;
}

/* From `at` to the hlt. */
static void run_from(struct guest *g, uint32_t at)
{
    g->c->halted = false;
    g->c->ip = at;
    g->c->r[R_RDI] = G_DATA;
    cr_assert_eq(guest_run(g), VCPU_EXIT_HALT);
    cr_assert_eq(guest_vector(g), -1);
}

Test(memory, full_caches_take_what_is_allowed)
{
    struct guest g;
    struct jit_stats jit;
    struct blocks_stats blocks;
    size_t code = 0, arena = 0;

    if (RIG_SANITIZED) {
        cr_skip_test("sanitizers take memory of their own");
    }
    uint64_t before = status_of("VmRSS:");
    g_setenv("CANDELA_TEST_ACCEL", "jit", TRUE);
    guest_init_linked(&g, "x86-64-v3");
    memset(g.ram + 0x100000, 0, RIG_RAM_BYTES - 0x100000);
    guest_long(&g);
    struct interp *e = g.v->engine;
    e->hot = 3;
    put_code(&g, COLD_AT, COLD_INSNS);
    put_code(&g, HOT_AT, HOT_INSNS);
    for (unsigned round = 0; round < 12; round++) {
        /* Other blocks each time: they begin elsewhere. */
        run_from(&g, COLD_AT + INSN_BYTES * (round % 2));
        for (unsigned times = 0; times < e->hot + 1; times++) {
            run_from(&g, HOT_AT + INSN_BYTES * round);
        }
        jit_get_stats(e->jit, &jit);
        blocks_get_stats(e->blocks, &blocks);
        code = MAX(code, jit.used);
        arena = MAX(arena, blocks.used);
    }
    uint64_t took = status_of("VmHWM:") - before - RIG_RAM_BYTES;
    printf("resident: %llu KiB with %zu KiB of code and %zu KiB of decoded blocks\n",
           (unsigned long long)(took / KiB), code >> 10, arena >> 10);
    cr_expect_gt(blocks.flushes, 1, "the caches were not full");
    cr_expect_gt(code, jit.size * 3 / 4);
    cr_expect_gt(arena, blocks.size * 3 / 4);
    cr_expect_leq(took + PROGRAM_BYTES, ALLOWED_BYTES, "%llu KiB",
                  (unsigned long long)(took / KiB));
    guest_free(&g);
}
