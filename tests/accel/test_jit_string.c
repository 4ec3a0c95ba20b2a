/*
 * STOS and MOVS in compiled code (accel/jit/lower_string.c): the same as in the interpreter
 * wherever the bytes lie, and without its handler where both sides are in one page.
 *
 * Follows: SDM volume 2, MOVS, STOS, REP.
 *
 * Not modelled: segments with a base (tests/accel/test_jit_seg.c), 16-bit code.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>
#include <inttypes.h>

enum { PAGES = 4, BYTES = PAGES * PAGE_BYTES, READ_ONLY = 2, CASES = 1500 };

struct string_case {
    bool is_long, stos, rep, down;
    unsigned size; /* log2 */
    uint64_t src, dst, count;
};

static unsigned pick(GRand *r, unsigned n)
{
    return (unsigned)g_rand_int_range(r, 0, (gint32)n);
}

/* Within the data, often beside the end of a page. */
static uint64_t place(GRand *r)
{
    uint64_t at = pick(r, 3) ? pick(r, BYTES) : (pick(r, PAGES) + 1) * PAGE_BYTES - pick(r, 40);

    return G_DATA + MIN(at, BYTES - 1);
}

static struct string_case make_case(GRand *r)
{
    static const uint16_t counts[] = {0, 1, 2, 3, 8, 17, 64, 511, 512, 513, 4095, 4096, 4097};
    struct string_case k = {.is_long = pick(r, 3),
                            .stos = pick(r, 2),
                            .rep = pick(r, 4),
                            .down = !pick(r, 8),
                            .size = pick(r, 4),
                            .src = place(r),
                            .dst = place(r),
                            .count = counts[pick(r, ARRAY_LEN(counts))]};

    k.size = k.is_long ? k.size : k.size % 3;
    if (!pick(r, 3)) { /* overlapping */
        k.src = k.dst + pick(r, 33) - 16;
    }
    if (!k.is_long && !pick(r, 4)) { /* upper halves mean nothing */
        k.count |= 5ull << 32;
        k.dst |= 1ull << 32;
        k.src |= pick(r, 2) ? 1ull << 32 : 0;
    }
    return k;
}

static void begin(struct guest *g, const char *engine, bool is_long)
{
    g_setenv("CANDELA_TEST_ACCEL", engine, true);
    guest_init_linked(g, "x86-64-v3");
    if (is_long) {
        guest_long(g);
        guest_put64(g, guest_pte_at(G_DATA + READ_ONLY * PAGE_BYTES),
                    (G_DATA + READ_ONLY * PAGE_BYTES) | 5);
    } else {
        guest_protected(g);
    }
}

static void run(struct guest *g, const struct string_case *k)
{
    uint8_t code[8], *p = code;

    if (k->size == 1) {
        *p++ = 0x66;
    }
    if (k->rep) {
        *p++ = 0xf3;
    }
    if (k->size == 3) {
        *p++ = 0x48;
    }
    *p++ = (uint8_t)((k->stos ? 0xaa : 0xa4) | (k->size > 0));
    *p++ = 0xf4;
    for (unsigned n = 0; n < BYTES; n++) {
        g->ram[G_DATA + n] = (uint8_t)(n * 7 + (n >> 8));
    }
    g->c->r[R_RAX] = 0x1122334455667788;
    g->c->r[R_RCX] = k->count;
    g->c->r[R_RSI] = k->src;
    g->c->r[R_RDI] = k->dst;
    g->c->r[R_RSP] = G_STACK;
    g->c->halted = false;
    cpu_set_eflags(g->c, k->down ? FLAG_DF : 0, FLAG_DF);
    guest_code(g, code, (size_t)(p - code));
    guest_run(g);
}

/* The second time the page tables need no look. */
static void run_twice(struct guest *g, const struct string_case *k)
{
    for (unsigned n = 0; n < 2; n++) {
        run(g, k);
    }
}

static uint64_t calls(const struct guest *g)
{
    const struct jit_fallback *f = jit_fallbacks(jit_of(g->c));
    uint64_t sum = 0;

    for (unsigned n = 0; n < decoder_row_count(g->c->decoder); n++) {
        const struct op_fns *fns = decoder_row(g->c->decoder, n)->fns;

        sum += fns == &fns_movs || fns == &fns_stos ? f[n].calls : 0;
    }
    return sum;
}

static uint64_t length(const struct string_case *k)
{
    return (k->rep ? k->count : 1) << k->size;
}

/* Is it done without the handler, as soon as the TLB has the pages? */
static bool is_in_line(const struct string_case *k)
{
    uint64_t len = length(k);
    bool fits = (k->dst & PAGE_OFFSET_MASK) + len <= PAGE_BYTES &&
                (k->stos || (k->src & PAGE_OFFSET_MASK) + len <= PAGE_BYTES);

    return fits && !k->down && !(k->dst >> 32) && (k->stos || !(k->src >> 32));
}

static void try_case(unsigned n, const struct string_case *k)
{
    struct guest a, b;

    begin(&a, "interp", k->is_long);
    run_twice(&a, k);
    begin(&b, "jit", k->is_long);
    run_twice(&b, k);
    int vector = guest_vector(&a);
    cr_assert_eq(guest_vector(&b), vector, "case %u: vector %d, %d", n, guest_vector(&b), vector);
    for (unsigned r = 0; r < 16; r++) {
        cr_assert_eq(b.c->r[r], a.c->r[r], "case %u: r[%u] %" PRIx64 ", %" PRIx64, n, r, b.c->r[r],
                     a.c->r[r]);
    }
    cr_assert_eq(b.c->icount, a.c->icount, "case %u", n);
    cr_assert(!memcmp(a.ram + G_DATA, b.ram + G_DATA, BYTES), "case %u: memory", n);
    guest_free(&a);
    guest_free(&b);
}

Test(jit_string, the_same_as_in_the_interpreter, .timeout = 60)
{
    g_autoptr(GRand) r = g_rand_new_with_seed(7);

    for (unsigned n = 0; n < CASES; n++) {
        struct string_case k = make_case(r);

        try_case(n, &k);
    }
}

Test(jit_string, no_handler_within_a_page)
{
    g_autoptr(GRand) r = g_rand_new_with_seed(9);
    unsigned in_line = 0;

    for (unsigned n = 0; n < 300; n++) {
        struct string_case k = make_case(r);
        struct guest g;

        begin(&g, "jit", k.is_long);
        run_twice(&g, &k);
        uint64_t before = calls(&g);
        run(&g, &k);
        if (length(&k)) { /* else the TLB may never have them */
            bool inside = is_in_line(&k) && guest_vector(&g) < 0;

            cr_assert_eq(calls(&g), before + !inside, "case %u", n);
            in_line += inside;
        }
        guest_free(&g);
    }
    cr_assert_gt(in_line, 100, "%u", in_line);
}

/* rep stosb over the instruction behind it, which has run before. */
Test(jit_string, stores_to_code_count)
{
    struct guest g;

    begin(&g, "jit", true);
    guest_code(&g,
               "\xf3\xaa"             /* rep stosb */
               "\x90\x90\x90\xff\xc3" /* nop, ...; inc ebx */
               "\x4d\x85\xc0\x74\x0d" /* test r8,r8; jz end */
               "\x45\x31\xc0"         /* xor r8d,r8d */
               "\xb9\x02\x00\x00\x00" /* mov ecx,2 */
               "\x4c\x89\xcf\xeb\xe7" /* mov rdi,r9; jmp rep */
               "\xf4",
               26);
    g.c->r[R_RAX] = 0x90;
    g.c->r[R_RDI] = G_DATA;
    g.c->r[R_RCX] = 8;
    g.c->r[R_R8] = 1;
    g.c->r[R_R8 + 1] = G_CODE + 5; /* inc ebx becomes nops */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RBX], 1, "%u", (unsigned)g.c->r[R_RBX]);
    guest_free(&g);
}
