/*
 * Guest calls and returns in compiled code, which are calls and returns of the host's (accel/jit,
 * jump.c): deep ones, and returns to elsewhere.
 *
 * Not modelled: calls whose code changes meanwhile (the fuzzer's programs do that).
 */
#include "accel/interp_int.h"
#include "accel/jit/jit_int.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

/* A guest of an engine in 64-bit mode. */
static void begin(struct guest *g, const char *engine)
{
    g_setenv("CANDELA_TEST_ACCEL", engine, true);
    guest_init_linked(g, "x86-64-v3");
    guest_long(g);
}

/* As deep as it can be without being forgotten, and deeper; and the run loop looks in at calls and
 * at returns of any depth. */
Test(jit_calls, may_be_deep)
{
    static const char code[] = "\x89\xd9\xe8\x0c\x00\x00\x00"     /* again: mov ecx,ebx; call f */
                               "\x83\xeb\x07"                     /* sub ebx,7 */
                               "\x81\xfb\x04\x10\x00\x00\x73\xee" /* cmp ebx,4100; jae again */
                               "\xf4"
                               "\xff\xc9\x74\x05"     /* f: dec ecx; jz out */
                               "\xe8\xf7\xff\xff\xff" /* call f */
                               "\xc3";                /* out: ret */
    struct guest g;

    begin(&g, "jit");
    guest_code(&g, code, sizeof code - 1);
    g.c->r[R_RSP] = 0x180000;
    g.c->r[R_RBX] = 5600;
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RSP], 0x180000);
    cr_assert_eq(g.c->r[R_RBX], 4095, "%u", (uint32_t)g.c->r[R_RBX]);
    guest_free(&g);
}

/* ---- random programs of calls, on both engines ---- */

enum {
    FUNCTIONS = 64,
    FUNCTION_BYTES = 128,
    FAR = 24, /* functions from here on are in other pages each */
    FAR_BYTES = 0x1000,
    FAR_AT = 0x100000,
    HALT_AT = G_CODE + FUNCTIONS * FUNCTION_BYTES,
    STACK_AT = 0xe00000,
    SKIPPED_MAX = 4096, /* words above that, which lead to the end */
    FUEL = 60000,       /* functions entered */
};

struct gen {
    GRand *rand;
    uint8_t *ram, *at;
    unsigned calls; /* per cent */
};

static unsigned chance(const struct gen *p, unsigned below)
{
    return (unsigned)g_rand_int_range(p->rand, 0, (gint32)below);
}

static void put(struct gen *p, const char *bytes, size_t len)
{
    memcpy(p->at, bytes, len);
    p->at += len;
}
#define PUT(p, bytes) put(p, bytes, sizeof(bytes) - 1)

static uint32_t function_at(unsigned n)
{
    return n < FAR ? G_CODE + n * FUNCTION_BYTES : FAR_AT + n * FAR_BYTES + n * 16;
}

/* The rel32 of a jump, call or LEA. */
static void put_rel(struct gen *p, uint32_t to)
{
    uint32_t rel = to - (uint32_t)(p->at + 4 - p->ram);

    memcpy(p->at, &rel, 4);
    p->at += 4;
}

static void put_call(struct gen *p)
{
    uint32_t to = function_at(chance(p, FUNCTIONS));

    if (chance(p, 4)) {
        PUT(p, "\xe8");
        put_rel(p, to);
    } else {
        PUT(p, "\x48\x8d\x15"); /* lea rdx,[to]; call rdx */
        put_rel(p, to);
        PUT(p, "\xff\xd2");
    }
}

static void put_item(struct gen *p)
{
    if (chance(p, 100) < p->calls) {
        put_call(p);
        return;
    }
    switch (chance(p, 7)) {
    case 0:
        PUT(p, "\x01\xd8\xd1\xc0"); /* add eax,ebx; rol eax,1 */
        break;
    case 1:
        PUT(p, "\x11\xeb\x31\xc3"); /* adc ebx,ebp; xor ebx,eax */
        break;
    case 2:
        PUT(p, "\xb1");
        *p->at++ = (uint8_t)(1 + chance(p, 60));
        PUT(p, "\x0f\xb6\xc9\x01\xc8\xff\xc9\x75\xfa"); /* movzx ecx,cl; there: add eax,ecx; loop */
        break;
    case 3:
        PUT(p, "\xa8\x04\x74\x02\xff\xc3"); /* test al,4; jz over; inc ebx */
        break;
    case 4:
        PUT(p, "\xf6\xc3\x10\x74\x01\xc3"); /* test bl,16; jz over; ret */
        break;
    case 5:
        PUT(p, "\x53\x58\x01\xc3"); /* push rbx; pop rax; add ebx,eax */
        break;
    default:
        memset(p->at, 0x90, 5);
        p->at += chance(p, 6);
    }
}

static void put_end(struct gen *p)
{
    switch (chance(p, 12)) {
    case 0:
        PUT(p, "\x5a\x52\xc3"); /* pop rdx; push rdx; ret */
        break;
    case 1:
        PUT(p, "\x5a\xff\xe2"); /* pop rdx; jmp rdx */
        break;
    case 2:
        PUT(p, "\xe9");
        put_rel(p, function_at(chance(p, FUNCTIONS)));
        break;
    case 3:
        PUT(p, "\x84\xc0\x78\x04\x48\x83\xc4\x08\xc3"); /* test al,al; js over; add rsp,8; ret */
        break;
    case 4:
        PUT(p, "\x5a\x52\x52\xc2\x08\x00"); /* pop rdx; push rdx; push rdx; ret 8 */
        break;
    default:
        PUT(p, "\xc3");
    }
}

static void put_function(struct gen *p, unsigned n)
{
    p->at = p->ram + function_at(n);
    PUT(p, "\xff\xcd\x0f\x84"); /* dec ebp; jz halt */
    put_rel(p, HALT_AT);
    for (unsigned left = 1 + chance(p, 6); left; left--) {
        put_item(p);
    }
    put_end(p);
}

static void put_program(struct guest *g, uint32_t seed)
{
    struct gen p = {.rand = g_rand_new_with_seed(seed), .ram = g->ram};

    p.calls = 10 + chance(&p, 50);
    for (unsigned n = 0; n < FUNCTIONS; n++) {
        put_function(&p, n);
    }
    g->ram[HALT_AT] = 0xf4;
    for (unsigned n = 0; n < SKIPPED_MAX; n++) {
        guest_put64(g, STACK_AT + n * 8, HALT_AT);
    }
    g_rand_free(p.rand);
}

struct end {
    uint64_t r[16], icount;
};

static void run_program(uint32_t seed, const char *engine, struct end *end)
{
    struct guest g;

    begin(&g, engine);
    put_program(&g, seed);
    guest_user(&g);
    g.c->ip = G_CODE;
    g.c->r[R_RBP] = FUEL;
    g.c->r[R_RSP] = STACK_AT;
    if (!strcmp(engine, "jit")) {
        ((struct interp *)g.v->engine)->hot = 1 + seed % 4;
    }
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT);
    memcpy(end->r, g.c->r, sizeof end->r);
    end->icount = g.c->icount;
    guest_free(&g);
}

Test(jit_calls, random_programs_end_as_interpreted)
{
    uint64_t insns = 0;

    for (uint32_t seed = 1; seed <= 40; seed++) {
        struct end jit, interp;

        run_program(seed, "jit", &jit);
        run_program(seed, "interp", &interp);
        for (unsigned n = 0; n < 16; n++) {
            cr_expect_eq(jit.r[n], interp.r[n], "program %u: register %u", seed, n);
        }
        cr_expect_eq(jit.icount, interp.icount, "program %u", seed);
        insns += jit.icount;
    }
    cr_expect_gt(insns, 1000000, "%" G_GUINT64_FORMAT, insns);
}
