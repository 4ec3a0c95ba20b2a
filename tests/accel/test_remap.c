/*
 * Code that is running while the page it lies in is mapped elsewhere: what comes next is what lies
 * there now, and no jump of the old page is left leading to the new one.
 *
 * Follows: SDM volume 3, 4.10.4: behind INVLPG and MOV CR3 the new mapping counts; without them
 * either may be used, but only until then; 9.3: both are serialising.
 *
 * Not modelled: pages that are changed by another processor.
 */
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

/* Page LA is mapped to itself or to OTHER, ALIAS always to the first; FAR and FAR2 take LA's place
 * in the ITLB. */
enum { LA = 0x50000, OTHER = 0x51000, ALIAS = 0x60000, FAR = 0x150000, FAR2 = 0x250000 };

#define MAP_RSI "\x48\x89\x34\x25\x80\x32\x01\x00" /* mov [PTE of LA],rsi */
#define INVLPG  "\x0f\x01\x3c\x25\x00\x00\x05\x00" /* invlpg [LA] */
/* Map LA by RBX; call it. */
static const char stub[] = "\x48\x89\x1c\x25\x80\x32\x01\x00" INVLPG "\xb8\x00\x00\x05\x00"
                           "\xff\xd0\xf4"; /* mov [PTE],rbx; invlpg; mov eax,LA; call rax; hlt */

static void put_code(struct guest *g, uint64_t pa, const void *bytes, size_t len)
{
    memcpy(g->ram + pa, bytes, len);
}

/* mov eax,n; ret */
static void put_answer(struct guest *g, uint64_t pa, uint8_t n)
{
    const uint8_t code[] = {0xb8, n, 0, 0, 0, 0xc3};

    put_code(g, pa, code, sizeof code);
}

static void begin(struct guest *g, const char *engine)
{
    g_setenv("CANDELA_TEST_ACCEL", engine, true);
    guest_init_linked(g, "x86-64-v3");
    guest_long(g);
    cr_assert_eq(guest_pte_at(LA), 0x13280);
    guest_put64(g, guest_pte_at(ALIAS), LA | 7);
    guest_code(g, stub, sizeof stub - 1);
}

/* What the code at LA answers when that is `page` at first and then, where the code maps it by RSI,
 * `next`. */
static uint64_t answer(struct guest *g, uint64_t page, uint64_t next)
{
    g->c->r[R_RBX] = page | 7;
    g->c->r[R_RSI] = next | 7;
    g->c->r[R_RDX] = FAR;
    g->c->r[R_R8] = 2;
    g->c->r[R_RSP] = G_STACK;
    g->c->ip = G_CODE;
    g->c->halted = false;
    guest_run(g);
    cr_assert_eq(guest_vector(g), -1);
    return g->c->r[R_RAX];
}

/* ---- and the change is told ---- */

enum { THEN = 0x10, A_TO = 0x40, B_TO = 0x60 };

struct way {
    const char *name, *change; /* THEN bytes */
    const char *then;          /* 6 bytes, to A_TO */
    unsigned disp;             /* where in them the displacement is */
};
#define NOP5       "\x90\x90\x90\x90\x90"
#define BY_INVLPG  MAP_RSI INVLPG
#define BY_INVPCID MAP_RSI "\x66\x0f\x38\x82\x39\x90\x90\x90" /* invpcid rdi,[rcx] */
#define BY_CR3     MAP_RSI "\x0f\x20\xd8\x0f\x22\xd8\x90\x90" /* mov rax,cr3; mov cr3,rax */
#define BY_CALL    "\x41\xff\xd1" NOP5 NOP5 "\x90\x90\x90"    /* call r9 */
#define JMP        "\xeb\x2e\x90\x90\x90\x90"
#define JCC        "\x39\xc0\x74\x2c\x90\x90" /* cmp eax,eax; je */
#define CALL       "\xe8\x2b\x00\x00\x00\xc3"
static const struct way ways[] = {
    {"invlpg, jmp", BY_INVLPG, JMP, 1},   {"invlpg, jcc", BY_INVLPG, JCC, 3},
    {"invlpg, call", BY_INVLPG, CALL, 1}, {"invpcid, jmp", BY_INVPCID, JMP, 1},
    {"cr3, jmp", BY_CR3, JMP, 1},         {"cr3, call", BY_CR3, CALL, 1},
    {"in a call, jmp", BY_CALL, JMP, 1},  {"in a call, call", BY_CALL, CALL, 1},
};

static void put_way(struct guest *g, const struct way *w)
{
    for (unsigned n = 0; n < 2; n++) {
        uint64_t at = n ? OTHER : LA;

        put_code(g, at, w->change, THEN);
        put_code(g, at + THEN, w->then, 6);
        g->ram[at + THEN + w->disp] += n ? B_TO - A_TO : 0;
        put_answer(g, at + A_TO, n ? 0xb2 : 0x0a);
        put_answer(g, at + B_TO, n ? 0x0b : 0xa2);
    }
    put_code(g, FAR, MAP_RSI INVLPG "\xc3", 17);
    g->c->r[R_R8 + 1] = FAR;
    g->c->r[R_RCX] = G_DATA; /* of zeros but for the address */
    guest_put64(g, G_DATA + 8, LA);
}

/* Remapped at first in run `first`: when jumps are not linked, are, lead to compiled code. */
static void try_way(const char *engine, const struct way *w, unsigned first)
{
    struct guest g;

    begin(&g, engine);
    put_way(&g, w);
    for (unsigned n = 0; n < 150; n++) {
        bool remap = n == first || (n > first && n % 3 == 0);
        uint64_t got = answer(&g, LA, remap ? OTHER : LA);

        cr_assert_eq(got, remap ? 0x0b : 0x0a, "%s, %s, first %u, run %u: %#x", engine, w->name,
                     first, n, (unsigned)got);
    }
    guest_free(&g);
}

static void try_ways(const char *engine)
{
    static const unsigned firsts[] = {0, 1, 20, 39, 40, 41, 60, 100};

    for (unsigned n = 0; n < ARRAY_LEN(ways); n++) {
        for (unsigned k = 0; k < ARRAY_LEN(firsts); k++) {
            try_way(engine, &ways[n], firsts[k]);
        }
    }
}

Test(remap, code_goes_on_in_the_page_mapped_now_interp)
{
    try_ways("interp");
}

Test(remap, code_goes_on_in_the_page_mapped_now_jit)
{
    try_ways("jit");
}

/* ---- and it is not, while the ITLB forgets ---- */

enum { TAKEN = BIT(0), WRITTEN = BIT(1), BY_RET = BIT(2), HOWS = BIT(3) };

/* There and back twice; the second time the page is mapped otherwise.  The way back finds the
 * page's code by the jump cache or the host's stack; the jump then is to what is mapped now. */
static void put_forgetful(struct guest *g, unsigned how)
{
    char code[] = "\xff\xe2"                     /* again: jmp rdx or call rdx */
                  "\x48\x81\xc2\x00\x00\x10\x00" /* add rdx,FAR2 - FAR */
                  "\x41\xff\xc8"                 /* dec r8d */
                  "\x75\xf2"                     /* jnz again */
                  "\x85\xc9"                     /* test ecx,ecx */
                  "\x75\x2e"                     /* jnz A_TO */
                  "\x31\xc0\xc3";                /* xor eax,eax; ret */
    const char *back = how & BY_RET ? "\xc3\x90\x90" : "\x41\xff\xe2"; /* ret or jmp r10 */

    code[1] = how & BY_RET ? '\xd2' : code[1];
    put_code(g, LA, code, sizeof code - 1);
    put_code(g, OTHER, code, sizeof code - 1);
    put_answer(g, LA + A_TO, 0x0a);
    put_answer(g, OTHER + A_TO, 0x0b);
    put_code(g, FAR, back, 3);
    put_code(g, FAR2, MAP_RSI "\x41\xc6\x01\x1a", 12); /* ...; mov byte [r9],0x1a */
    put_code(g, FAR2 + 12, back, 3);
    g->c->r[R_R8 + 2] = LA + 2;
}

/*
 * After `warm` runs, in which the jump is not taken or is, one with the page changed half-way, and
 * maybe its target written to, so that what the jump is linked to is dropped.
 */
static void try_forgetful(const char *engine, unsigned warm, unsigned how)
{
    uint64_t want = how & WRITTEN ? 0x1a : 0x0a;
    struct guest g;

    begin(&g, engine);
    put_forgetful(&g, how);
    g.c->r[R_R8 + 1] = G_DATA;
    g.c->r[R_RCX] = 1;
    for (unsigned n = 0; n < 100; n++) { /* there is code to lead to */
        cr_assert_eq(answer(&g, OTHER, OTHER), 0x0b);
    }
    g.c->r[R_RCX] = how & TAKEN;
    for (unsigned n = 0; n < warm; n++) {
        cr_assert_eq(answer(&g, LA, LA), how & TAKEN ? 0x0a : 0);
    }
    g.c->r[R_RCX] = 1;
    g.c->r[R_R8 + 1] = how & WRITTEN ? ALIAS + A_TO + 1 : G_DATA;
    uint64_t got = answer(&g, LA, OTHER); /* either is right */
    cr_assert(got == 0x0b || got == want, "%#x", (unsigned)got);
    g.c->r[R_R8 + 1] = G_DATA;
    for (unsigned n = 0; n < 100; n++) {
        got = answer(&g, LA, LA);
        cr_assert_eq(got, want, "%s, %u runs, how %u, run %u: %#x", engine, warm, how, n,
                     (unsigned)got);
    }
    guest_free(&g);
}

static void try_all_forgetful(const char *engine)
{
    static const unsigned warms[] = {0, 1, 30, 100};

    for (unsigned n = 0; n < ARRAY_LEN(warms); n++) {
        for (unsigned k = 0; k < HOWS; k++) {
            try_forgetful(engine, warms[n], k);
        }
    }
}

Test(remap, jumps_are_not_linked_from_page_to_page_interp)
{
    try_all_forgetful("interp");
}

Test(remap, jumps_are_not_linked_from_page_to_page_jit)
{
    try_all_forgetful("jit");
}
