/*
 * STAC, CLAC, SWAPGS and selectors that are read, in compiled code (accel/jit/lower_sys.c): as in
 * the interpreter at every level, and mostly without it.
 *
 * Follows: SDM volume 2.
 *
 * Not modelled: other system instructions (tests/cpu).
 */
#include "accel/jit/jit_int.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>
#include <inttypes.h>

enum { SMAP = BIT(0), AC = BIT(1), USER = BIT(2), WATCHED = BIT(3), HOWS = BIT(4) };

struct code {
    const char *name, *bytes;
    unsigned len;
};
#define CODE(name, bytes)                                                                          \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1                                                             \
    }
#define READ "\x8b\x06" /* mov eax,[rsi] */
static const struct code codes[] = {
    CODE("stac", "\x0f\x01\xcb\x9c\x5b" READ "\xf4"), /* ...; pushf; pop rbx; ... */
    CODE("clac", "\x0f\x01\xca\x9c\x5b" READ "\xf4"),
    CODE("stac and clac", "\x0f\x01\xcb" READ "\x0f\x01\xca\x9c\x5b" READ "\xf4"),
    CODE("stac twice", "\x0f\x01\xcb\x0f\x01\xcb" READ "\x9c\x5b\xf4"),
    CODE("swapgs", "\x0f\x01\xf8\xf4"),
    CODE("swapgs and gs", "\x0f\x01\xf8\x65\x48\x8b\x04\x25\x08\x00\x00\x00\xf4"),
    CODE("mov eax,ss", "\x8c\xd0\xf4"),
    CODE("mov ax,fs", "\x66\x8c\xe0\xf4"),
    CODE("mov r9,cs", "\x49\x8c\xc9\xf4"),
    CODE("mov [rsi],gs", "\x8c\x2e\xf4"),
    CODE("no such segment", "\x8c\xf0\xf4"),
    CODE("mov r9,cs by REX.R", "\x4d\x8c\xc9\xf4"),
};

static void set_up(struct guest *g, const char *engine, unsigned how)
{
    g_setenv("CANDELA_TEST_ACCEL", engine, true);
    guest_init_linked(g, "x86-64-v3");
    cr_assert(cpu_has(g->c, FEAT_SMAP));
    guest_long(g);
    cpu_set_cr4(g->c, g->c->cr4 | (how & SMAP ? CR4_SMAP : 0));
    guest_put64(g, G_DATA, 0x1234);
    /* everything but the data is the kernel's */
    for (uint64_t la = 0; how & SMAP && !(how & USER) && la < G_DATA; la += PAGE_BYTES) {
        guest_put64(g, guest_pte_at(la), la | 3);
    }
    if (how & USER) {
        guest_user(g);
    }
}

static void run(struct guest *g, const struct code *code, unsigned how)
{
    struct cpu *c = g->c;

    for (unsigned r = 0; r < 16; r++) {
        c->r[r] = 0x0123456789abcdef * (r + 1);
    }
    c->r[R_RSI] = G_DATA;
    c->r[R_RSP] = how & USER ? G_USER_STACK : G_STACK;
    c->seg[SEG_GS].base = G_DATA + 0x100;
    c->kernel_gs_base = G_DATA - 8;
    c->dr[0] = G_DATA + 0x800;
    c->dr[7] = how & WATCHED ? 0x30001 : 0x400;
    c->halted = false;
    cpu_set_eflags(c, how & AC ? FLAG_AC : 0, FLAG_AC);
    cpu_update_mode(c);
    guest_code(g, code->bytes, code->len);
    guest_run(g);
}

static uint64_t calls(const struct guest *g)
{
    const struct jit_fallback *f = jit_fallbacks(jit_of(g->c));
    uint64_t sum = 0;

    for (unsigned n = 0; n < decoder_row_count(g->c->decoder); n++) {
        sum += strcmp(decoder_row(g->c->decoder, n)->name, "hlt") ? f[n].calls : 0;
    }
    return sum;
}

static void compare(const struct code *code, unsigned how)
{
    struct guest a, b;

    set_up(&a, "interp", how);
    set_up(&b, "jit", how);
    run(&a, code, how);
    run(&b, code, how);
    int vector = guest_vector(&a);
    cr_assert_eq(guest_vector(&b), vector, "%s, %x: vector %d, %d", code->name, how,
                 guest_vector(&b), vector);
    for (unsigned r = 0; r < 16; r++) {
        cr_assert_eq(b.c->r[r], a.c->r[r], "%s, %x: r[%u] %" PRIx64 ", %" PRIx64, code->name, how,
                     r, b.c->r[r], a.c->r[r]);
    }
    cr_assert_eq(b.c->eflags, a.c->eflags, "%s, %x", code->name, how);
    cr_assert_eq(b.c->tlb_class, a.c->tlb_class, "%s, %x", code->name, how);
    cr_assert_eq(b.c->tlb, b.c->tlb_class == TLB_CHECKED ? b.c->tlb : b.c->tlbs[b.c->tlb_class].e);
    cr_assert_eq(b.c->seg[SEG_GS].base, a.c->seg[SEG_GS].base);
    cr_assert_eq(b.c->kernel_gs_base, a.c->kernel_gs_base);
    cr_assert(!memcmp(a.ram + G_DATA, b.ram + G_DATA, PAGE_BYTES), "%s, %x", code->name, how);
    guest_free(&a);
    guest_free(&b);
}

Test(jit_sys, the_same_as_in_the_interpreter)
{
    for (unsigned n = 0; n < ARRAY_LEN(codes); n++) {
        for (unsigned how = 0; how < HOWS; how++) {
            compare(&codes[n], how);
        }
    }
}

Test(jit_sys, no_handler_in_a_kernel_with_smap)
{
    static const uint8_t in_line[] = {2, 4, 6, 7, 8, 9};

    for (unsigned n = 0; n < ARRAY_LEN(in_line); n++) {
        struct guest g;

        set_up(&g, "jit", SMAP);
        run(&g, &codes[in_line[n]], SMAP);
        cr_assert_eq(calls(&g), 0, "%s: %u calls", codes[in_line[n]].name, (unsigned)calls(&g));
        guest_free(&g);
    }
}
