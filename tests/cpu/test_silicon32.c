/*
 * Integer instructions in 16- and 32-bit code against the host's own CPU in compatibility mode:
 * every row of the integer table that exists there, with random prefixes, operands and values.
 */
#include "tests/cpu/host_cpu.h"
#include "tests/cpu/silicon32.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { CASES = 120, MAX_REPORTS = 40, CODE_BYTES = 15 };

struct tally {
    unsigned rows, cases, faults, other_maker, wrong;
    GString *report;
};

static unsigned rnd(GRand *rng, unsigned n)
{
    return (unsigned)g_rand_int_range(rng, 0, (gint32)n);
}

/* ---- cases ---- */

static void put_prefixes(GRand *rng, const struct op_row *row, GByteArray *out)
{
    static const uint8_t segments[] = {0x26, 0x2e, 0x36, 0x3e};
    static const uint8_t mandatory[] = {
        [PFX_66] = 0x66, [PFX_66W] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2};
    uint8_t b;

    if (rnd(rng, 4) == 0) {
        b = 0x67;
        g_byte_array_append(out, &b, 1);
    }
    if (rnd(rng, 8) == 0) {
        g_byte_array_append(out, &segments[rnd(rng, ARRAY_LEN(segments))], 1);
    }
    if (row->enc & ENC_LOCK && rnd(rng, 8) == 0) {
        b = 0xf0;
        g_byte_array_append(out, &b, 1);
    }
    if (row->pfx == PFX_ANY && rnd(rng, 3) == 0) {
        b = 0x66;
        g_byte_array_append(out, &b, 1);
    }
    if (row->enc & ENC_REP && rnd(rng, 2)) {
        b = rnd(rng, 2) ? 0xf3 : 0xf2;
        g_byte_array_append(out, &b, 1);
    }
    if (row->pfx != PFX_ANY && row->pfx != PFX_NP) {
        g_byte_array_append(out, &mandatory[row->pfx], 1);
    }
}

static void put_opcode(GRand *rng, const struct op_row *row, GByteArray *out)
{
    static const uint8_t escape[] = {0x0f, 0x38, 0x3a};
    uint8_t op = row->op, modrm = (uint8_t)g_rand_int(rng);

    if (row->map != MAP_1) {
        g_byte_array_append(out, escape, 1);
        if (row->map != MAP_0F) {
            g_byte_array_append(out, &escape[row->map == MAP_0F38 ? 1 : 2], 1);
        }
    }
    g_byte_array_append(out, &op, 1);
    if (!(row->enc & ENC_MODRM)) {
        return;
    }
    if (row->ext >= 0) {
        modrm = (uint8_t)((modrm & 0xc7) | row->ext << 3);
    }
    modrm = row->mod == MOD_REG                    ? modrm | 0xc0
            : row->mod == MOD_MEM && modrm >= 0xc0 ? modrm & 0x7f
                                                   : modrm;
    g_byte_array_append(out, &modrm, 1);
}

/* Displacements and immediates: half of the time small, so that addresses stay in the data pages.
 */
static void put_tail(GRand *rng, GByteArray *out)
{
    bool small = rnd(rng, 2);

    while (out->len < CODE_BYTES) {
        uint32_t v = small ? rnd(rng, 0x600) : g_rand_int(rng);
        uint8_t b[4];

        st_le32(b, v);
        g_byte_array_append(out, b, 4);
    }
    g_byte_array_set_size(out, CODE_BYTES);
}

/* Pointers into the data pages (or offsets in 16-bit segments), small numbers, edges, anything. */
static uint32_t make_value(GRand *rng, unsigned code)
{
    static const uint32_t edges[] = {0,      1,      0x7f,       0x80,       0xff, 0x7fff,
                                     0x8000, 0xffff, 0x7fffffff, 0x80000000, ~0u};
    uint32_t base = code == MODE_CODE16 ? 0 : SILICON32_DATA;

    switch (rnd(rng, 8)) {
    case 0:
        return edges[rnd(rng, ARRAY_LEN(edges))];
    case 1:
        return g_rand_int(rng);
    case 2:
    case 3:
        return rnd(rng, 200);
    default:
        return base + 512 + rnd(rng, SILICON32_DATA_BYTES - 1024);
    }
}

static void make_registers(GRand *rng, unsigned code, struct silicon32_state *s)
{
    for (unsigned n = 0; n < 8; n++) {
        s->r[n] = make_value(rng, code);
    }
    s->r[R_RSP] = (code == MODE_CODE16 ? 0 : SILICON32_DATA) + 4096 + rnd(rng, 256) - 128;
    s->eflags = g_rand_int(rng) & (FLAGS_ARITH | (rnd(rng, 4) ? 0 : FLAG_DF));
}

static void make_data(GRand *rng, unsigned code, struct silicon32_state *s)
{
    for (unsigned n = 0; n < SILICON32_DATA_BYTES; n += 4) {
        st_le32(s->data + n, rnd(rng, 4) ? make_value(rng, code) : g_rand_int(rng));
    }
}

/* ---- comparison ---- */

/* What both manuals leave undefined where the host cannot run the instruction for us (and see
 * test_silicon.c). */
static uint32_t undefined_flags(const struct op_row *row)
{
    static const struct {
        const char *name;
        uint32_t flags;
    } table[] = {
        {"daa", FLAG_OF},
        {"das", FLAG_OF},
        {"aaa", FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF},
        {"aas", FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF},
        {"aad", FLAG_OF | FLAG_AF | FLAG_CF},
        {"aam", FLAG_OF | FLAG_AF | FLAG_CF},
        {"rol", FLAG_OF},
        {"ror", FLAG_OF},
    };

    for (unsigned n = 0; n < ARRAY_LEN(table); n++) {
        if (!strcmp(table[n].name, row->name)) {
            return n < 6 || row->enc & ENC_IB ? table[n].flags : 0;
        }
    }
    return 0;
}

/*
 * After a fault memory is not compared: hardware may have done a part of a PUSHA, say.  Nor are the
 * arithmetic flags of a repeated CMPS or SCAS that goes on: hardware writes them at the end.
 */
static const char *difference(const struct silicon32_state *n, const struct silicon32_state *g,
                              uint32_t undefined)
{
    if (n->vector != g->vector) {
        return "exception";
    }
    if (memcmp(n->r, g->r, sizeof n->r)) {
        return "registers";
    }
    if (n->eip != g->eip) {
        return "EIP";
    }
    bool goes_on = n->vector == 3 && n->eip == SILICON32_IP;
    uint32_t compared = n->vector != 3 || goes_on ? 0 : (FLAGS_ARITH | FLAG_DF) & ~undefined;
    if ((n->eflags ^ g->eflags) & (compared | FLAG_RF)) {
        return "flags";
    }
    return n->vector == 3 && memcmp(n->data, g->data, sizeof n->data) ? "memory" : NULL;
}

/*
 * Where makers differ.  AMD's processors: the register form of PREFETCHW raises #UD; a repeated INS
 * or OUTS asks for the right to the port even when it has nothing to do.
 */
static bool is_other_maker(const struct op_row *row, const struct silicon32_state *n,
                           const struct silicon32_state *g)
{
    bool prefetch = !strcmp(row->name, "prefetchw") && n->vector == EXCP_UD;
    bool port = (!strcmp(row->name, "ins") || !strcmp(row->name, "outs")) && n->vector == EXCP_GP;

    return !host_is_intel() && g->vector == EXCP_BP && (prefetch || port);
}

/*
 * A near branch past the limit of a 16-bit segment: the manuals have #GP at the branch, which is
 * what we do; under the trap flag some processors are seen to stop at the target instead.
 */
static bool is_past_limit(unsigned code, const struct silicon32_state *n,
                          const struct silicon32_state *g)
{
    return code == MODE_CODE16 && g->vector == EXCP_GP && g->eip == SILICON32_IP && n->eip > 0xffff;
}

static void report(struct tally *t, const char *name, unsigned code, const uint8_t *bytes,
                   const char *what, const struct silicon32_state *in,
                   const struct silicon32_state *n, const struct silicon32_state *g)
{
    if (t->wrong++ >= MAX_REPORTS) {
        return;
    }
    g_string_append_printf(t->report, "%s, %u-bit: %s differ; bytes", name, 16u << code, what);
    for (unsigned k = 0; k < CODE_BYTES; k++) {
        g_string_append_printf(t->report, " %02x", bytes[k]);
    }
    g_string_append_printf(t->report,
                           "; class silicon %d here %d; EIP %x %x; flags in %x silicon %x here %x",
                           n->vector, g->vector, n->eip, g->eip, in->eflags, n->eflags, g->eflags);
    for (unsigned k = 0; k < 8; k++) {
        if (n->r[k] != g->r[k]) {
            g_string_append_printf(t->report, "; r%u in %x silicon %x here %x", k, in->r[k],
                                   n->r[k], g->r[k]);
        }
    }
    for (unsigned k = 0; k < sizeof n->data; k++) {
        if (n->data[k] != g->data[k]) {
            g_string_append_printf(t->report, "; first byte of memory %x: silicon %02x here %02x",
                                   k, n->data[k], g->data[k]);
            break;
        }
    }
    g_string_append_c(t->report, '\n');
}

static void run_row(struct guest *g, const struct op_row *row, unsigned code, GRand *rng,
                    struct tally *t)
{
    static const char *const counted[] = {"movs", "stos",  "lods",   "cmps", "scas",
                                          "loop", "loope", "loopne", "jcxz"};
    struct silicon32_state *s = g_new0(struct silicon32_state, 3);
    GByteArray *bytes = g_byte_array_new();
    unsigned wrong = 0;

    make_data(rng, code, &s[0]);
    for (unsigned k = 0; k < CASES && wrong < 2; k++) {
        g_byte_array_set_size(bytes, 0);
        put_prefixes(rng, row, bytes);
        put_opcode(rng, row, bytes);
        put_tail(rng, bytes);
        make_registers(rng, code, &s[0]);
        for (unsigned n = 0; n < ARRAY_LEN(counted); n++) {
            if (!strcmp(row->name, counted[n])) {
                s[0].r[R_RCX] = rnd(rng, 4);
            }
        }
        silicon32_native_run(code, bytes->data, CODE_BYTES, &s[0], &s[1]);
        silicon32_guest_run(g, code, bytes->data, CODE_BYTES, &s[0], &s[2]);
        const char *what = difference(&s[1], &s[2], undefined_flags(row) | host_other_flags(row));
        t->cases++;
        t->faults += s[1].vector != 3;
        if (what && (is_other_maker(row, &s[1], &s[2]) || is_past_limit(code, &s[1], &s[2]))) {
            t->other_maker++;
        } else if (what) {
            report(t, row->name, code, bytes->data, what, &s[0], &s[1], &s[2]);
            wrong++;
        }
    }
    t->rows++;
    g_byte_array_unref(bytes);
    g_free(s);
}

static void run_code(unsigned code)
{
    struct tally t = {0};
    struct guest g;
    GRand *rng;

    /* Its shadow memory lies below 4 GiB: stray accesses would not fault, and hit it. */
    if (RIG_SANITIZED && code == MODE_CODE32) {
        fprintf(stderr, "silicon 32-bit: not run under the address sanitizer\n");
        return;
    }
    if (!silicon32_native_begin(code)) {
        fprintf(stderr, "silicon %u-bit: not run: the host gives no such code segment\n",
                16u << code);
        return;
    }
    t.report = g_string_new(NULL);
    rng = g_rand_new_with_seed(20261121 + code);
    silicon32_guest_begin(&g);
    for (unsigned k = 0; k < ops_integer.count; k++) {
        const struct op_row *row = &ops_integer.rows[k];

        if (row->map < MAP_VEX_0F && !(row->enc & ENC_ONLY64) && cpu_has(g.c, row->isa)) {
            run_row(&g, row, code, rng, &t);
        }
    }
    fprintf(stderr,
            "silicon %u-bit: %u rows, %u cases (%u faulting, %u as another maker has it), "
            "%u differences\n",
            16u << code, t.rows, t.cases, t.faults, t.other_maker, t.wrong);
    cr_expect_eq(t.wrong, 0, "%s", t.report->str);
    g_string_free(t.report, TRUE);
    g_rand_free(rng);
    silicon32_guest_end(&g);
    silicon32_native_end();
}

Test(silicon, integer_instructions_in_32_bit_code, .timeout = 240)
{
    run_code(MODE_CODE32);
}

Test(silicon, integer_instructions_in_16_bit_code, .timeout = 240)
{
    run_code(MODE_CODE16);
}
