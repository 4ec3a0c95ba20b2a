/*
 * Repeated CMPS and SCAS (cpu/op_string.c): where they stop, in every width, wherever the elements
 * lie.  Follows: Intel SDM volume 2, REP, CMPS, SCAS.
 * Not modelled: faults (test_silicon.c), DF.
 */
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

enum { COUNT = 20, FIRST = G_DATA + 0xff0, SECOND = G_DATA + 0x8000 };

/* Run REP `op` over COUNT elements, of which number `at` is another than those before. */
static void run(struct guest *g, unsigned size, uint8_t rep, bool scas, unsigned at)
{
    bool until_equal = rep == 0xf2;
    uint8_t code[5] = {rep}, *p = code + 1;

    if (size == 2) {
        *p++ = 0x66;
    } else if (size == 8) {
        *p++ = 0x48;
    }
    *p++ = (uint8_t)((scas ? 0xae : 0xa6) | (size > 1));
    *p++ = 0xf4;
    for (unsigned n = 0; n < COUNT; n++) {
        uint64_t first = (n == at) == until_equal ? 0x7766554433221180 : 0x0102030405060708;
        uint64_t second = 0x7766554433221180;

        memcpy(g->ram + (scas ? SECOND : FIRST) + n * size, &first, size);
        if (!scas) {
            memcpy(g->ram + SECOND + n * size, &second, size);
        }
    }
    g->c->r[R_RAX] = 0x7766554433221180;
    g->c->r[R_RCX] = COUNT;
    g->c->r[R_RSI] = FIRST;
    g->c->r[R_RDI] = SECOND;
    g->c->halted = false;
    guest_code(g, code, (size_t)(p - code));
    guest_run(g);
}

static void check(struct guest *g, unsigned size, uint8_t rep, bool scas, unsigned at)
{
    unsigned done = MIN(at + 1, COUNT);
    bool equal = (at < COUNT) == (rep == 0xf2);

    run(g, size, rep, scas, at);
    cr_assert_eq(guest_vector(g), -1);
    cr_assert_eq(g->c->r[R_RCX], COUNT - done, "size %u, rep %x, scas %d, at %u: %u left", size,
                 rep, scas, at, (unsigned)g->c->r[R_RCX]);
    cr_assert_eq(g->c->r[R_RDI], SECOND + done * size);
    cr_assert_eq(g->c->r[R_RSI], FIRST + (scas ? 0 : done * size));
    cr_assert_eq(!!(g->c->fl & FL_ZF), equal, "size %u, rep %x, scas %d, at %u", size, rep, scas,
                 at);
    /* CMPS compares the smaller with the larger, SCAS the larger with the smaller. */
    bool below = !equal && !scas;
    cr_assert_eq(!!(g->c->fl & FL_CF), below, "size %u, rep %x, scas %d, at %u", size, rep, scas,
                 at);
}

Test(string, repeated_comparisons_stop_where_they_should)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_long(&g);
    for (unsigned size = 1; size <= 8; size *= 2) {
        for (unsigned at = 0; at <= COUNT; at++) {
            for (unsigned kind = 0; kind < 4; kind++) {
                check(&g, size, kind & 1 ? 0xf2 : 0xf3, kind & 2, at);
            }
        }
    }
    guest_free(&g);
}
