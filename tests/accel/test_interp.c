/*
 * The interpreter of blocks under code that is meant to bring it down: stacks that grow, branches
 * of no block, bytes that change while they are decoded.
 *
 * Not modelled: instructions (tests/cpu).
 */
#include "cpu/insn.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#define CODE(g, bytes) guest_code(g, bytes, sizeof(bytes) - 1)

static void init(struct guest *g, const char *engine)
{
    g_setenv("CANDELA_TEST_ACCEL", engine, true);
    guest_init_linked(g, "x86-64-v3");
}

/* Handlers go on by jumps: the host's stack has room for a hundred thousand calls. */
Test(interp, handlers_with_variables_do_not_pile_up)
{
    struct guest g;

    init(&g, "interp");
    guest_long(&g);
    CODE(&g, "\xb9\x02\x01\x00\xc0\x0f\x30"   /* again: mov ecx,KERNEL_GS_BASE; wrmsr */
             "\x0f\x32\xff\xce\x75\xf3\xf4"); /* rdmsr; dec esi; jnz again; hlt */
    g.c->r[R_RSI] = 400000;
    g.c->r[R_RDX] = 0;
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RSI], 0);
    guest_free(&g);
}

/* jmp near, of which two bytes lie where there is no memory (and read as ones), to its own page. */
static void jump_from_the_end(const char *engine)
{
    struct guest g;

    init(&g, engine);
    guest_protected(&g);
    memcpy(g.ram + RIG_RAM_BYTES - 3, "\xe9\xfe\xf7", 3);
    memcpy(g.ram + RIG_RAM_BYTES - 0x800, "\x49\x75\xfd\xf4", 4); /* dec ecx; jnz -3; hlt */
    g.c->r[R_RCX] = 100;
    g.c->ip = RIG_RAM_BYTES - 3;
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->ip, RIG_RAM_BYTES - 0x800 + 4);
    cr_assert_eq(g.c->r[R_RCX], 0);
    guest_free(&g);
}

Test(interp, a_branch_of_no_block_is_not_linked)
{
    jump_from_the_end("interp");
    jump_from_the_end("jit");
}

/* POP to memory goes by the stack pointer behind it, which no displacement can say. */
static void pop_far(const char *engine)
{
    struct guest g;

    init(&g, engine);
    guest_long(&g);
    CODE(&g, "\x8f\x84\x24\xff\xff\xff\x7f\xf4"); /* pop qword [rsp+0x7fffffff] */
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT);
    cr_assert_eq(guest_vector(&g), EXCP_PF);
    cr_assert_eq(g.c->cr2, G_STACK + 0x80000007ull, "%#" G_GINT64_MODIFIER "x", g.c->cr2);
    guest_free(&g);
}

Test(interp, a_pop_through_the_stack_pointer_does_not_wrap)
{
    pop_far("interp");
    pop_far("jit");
}

/* ---- bytes that change ---- */

struct writer {
    uint8_t *at, with[2];
    atomic_bool stop;
};

static void *write_by_turns(void *to)
{
    struct writer *w = to;

    for (unsigned n = 0; !atomic_load_explicit(&w->stop, memory_order_relaxed); n++) {
        __atomic_store_n(w->at, w->with[n & 1], __ATOMIC_RELAXED);
    }
    return NULL;
}

/* What the row was chosen for is what the rest of the instruction is made for. */
Test(interp, an_instruction_is_decoded_from_bytes_of_one_time)
{
    uint8_t code[32] = {0xdd, 0x00}; /* fld m64 and fnsave */
    struct writer w = {.at = code + 1, .with = {0x00, 0x30}};
    struct guest g;
    pthread_t thread;

    init(&g, "interp");
    guest_long(&g);
    cr_assert_eq(pthread_create(&thread, NULL, write_by_turns, &w), 0);
    for (unsigned n = 0; n < 2000000; n++) {
        struct insn i = {.n = 1};
        struct decode d;
        bool end;

        cr_assert_eq(cpu_decode(g.c, code, sizeof code, &i, &end, &d), DECODE_OK);
        cr_assert_eq(d.row->ext, d.modrm >> 3 & 7, "%u", n);
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    guest_free(&g);
}
