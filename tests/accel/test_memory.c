/*
 * What a software engine may take beside the guest's RAM: at most 64 MiB, with every one of its
 * caches full.  Measured as what is resident, by the kernel's count.
 *
 * Not modelled: several processors, which take it once each; stubs for SIMD instructions of every
 * kind (cpu/native.c); what the program's text, its libraries and its devices take
 * (OTHERS_BYTES is allowed for the devices).
 */
#include "accel/interp_int.h"
#include "accel/jit/jit.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define ALLOWED_BYTES (64 * MiB)
#define OTHERS_BYTES  (4 * MiB)

enum {
    CODE_AT = 0x100000,
    CHUNK_BYTES = 0x4000, /* straight code up to a hlt */
    CHUNKS = 900,
    SHORT_CHUNK = 800, /* from here on blocks are of one instruction */
    CALLS = 3,         /* after which it is hot */
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

/* mov eax,[rax]: much code, of both kinds; a jump behind itself: a block of its own */
static void put_chunks(struct guest *g)
{
    for (unsigned n = 0; n < CHUNKS; n++) {
        uint8_t *at = g->ram + CODE_AT + n * CHUNK_BYTES;

        for (unsigned k = 0; k < CHUNK_BYTES; k += 2) {
            memcpy(at + k, n < SHORT_CHUNK ? "\x8b\x00" : "\xeb\x00", 2);
        }
        at[CHUNK_BYTES - 2] = 0xf4;
    }
}

/* What the caches hold, and held at most. */
struct fill {
    struct guest *g;
    struct interp *e;
    unsigned chunk; /* the next that has not been run */
    struct jit_stats jit;
    struct blocks_stats blocks;
    size_t code, arena;
};

/* Run a chunk that has not been run yet so often. */
static void run_chunk(struct fill *f, unsigned times)
{
    cr_assert_lt(f->chunk, CHUNKS, "the caches do not fill");
    for (unsigned n = 0; n < times; n++) {
        f->g->c->halted = false;
        f->g->c->ip = CODE_AT + f->chunk * CHUNK_BYTES;
        cr_assert_eq(guest_run(f->g), VCPU_EXIT_HALT);
        cr_assert_eq(guest_vector(f->g), -1);
    }
    f->chunk++;
    jit_get_stats(f->e->jit, &f->jit);
    blocks_get_stats(f->e->blocks, &f->blocks);
    f->code = MAX(f->code, f->jit.used);
    f->arena = MAX(f->arena, f->blocks.used);
}

Test(memory, full_caches_take_what_is_allowed)
{
    struct guest g;
    struct fill f = {.g = &g};

    if (RIG_SANITIZED) {
        cr_skip_test("sanitizers take memory of their own");
    }
    uint64_t before = status_of("VmRSS:");
    g_setenv("CANDELA_TEST_ACCEL", "jit", TRUE);
    guest_init_linked(&g, "x86-64-v3");
    memset(g.ram + 0x100000, 0, RIG_RAM_BYTES - 0x100000);
    guest_long(&g);
    f.e = g.v->engine;
    f.e->hot = CALLS;
    guest_put64(&g, G_DATA, G_DATA); /* what it points to */
    g.c->r[R_RAX] = G_DATA;
    put_chunks(&g);
    do {
        run_chunk(&f, CALLS + 1);
    } while (f.jit.used < f.jit.size / 2);
    while (f.blocks.used < f.blocks.size * 7 / 8) {
        run_chunk(&f, 1);
    }
    do {
        run_chunk(&f, CALLS + 1);
    } while (!f.blocks.flushes);
    uint64_t flushes = f.blocks.flushes;
    f.chunk = SHORT_CHUNK;
    while (f.blocks.flushes == flushes) { /* now the table of blocks is full */
        run_chunk(&f, CALLS + 1);
    }
    uint64_t took = status_of("VmHWM:") - before - RIG_RAM_BYTES;
    printf("resident: %llu KiB with %zu KiB of code and %zu KiB of decoded blocks\n",
           (unsigned long long)(took / KiB), f.code >> 10, f.arena >> 10);
    cr_expect_geq(f.code, f.jit.size / 2); /* one part of it may be full before the other */
    cr_expect_geq(f.arena, f.blocks.size * 7 / 8);
    cr_expect_geq(f.chunk - SHORT_CHUNK, 12, "%u: something else was full", f.chunk);
    cr_expect_leq(took + OTHERS_BYTES, ALLOWED_BYTES, "%llu KiB", (unsigned long long)(took / KiB));
    guest_free(&g);
}
