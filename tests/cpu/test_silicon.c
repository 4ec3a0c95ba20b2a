/*
 * Every row of the decoder's tables against the host's own CPU: registers, flags, vector and x87
 * state, memory and the class of exception, for random operands.  What is not run is listed with
 * its reason.
 */
#include "tests/cpu/forms.h"
#include "tests/cpu/host_cpu.h"
#include "cpu/native.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { CASES = 40, PAIR_CASES = 8, MAX_REPORTS = 40 };

struct tally {
    unsigned forms, cases, excluded, other_maker, wrong, faults;
    GString *report;
};

static uint64_t interesting(GRand *rng)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      0x7f,
                                      0x80,
                                      0xff,
                                      0x7fff,
                                      0x8000,
                                      0xffff,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x7fffffffffffffff,
                                      0x8000000000000000,
                                      ~0ull,
                                      0x100000000};
    unsigned pick = (unsigned)g_rand_int_range(rng, 0, 4);
    uint64_t v = (uint64_t)g_rand_int(rng) << 32 | g_rand_int(rng);

    return pick == 0 ? values[(unsigned)v % ARRAY_LEN(values)] : pick == 1 ? v & 0xff : v;
}

/* Floating-point material: zeros, denormals, infinities, NaNs, ordinary numbers, as 32- and 64-bit
 * lanes. */
static void fill_vector(GRand *rng, uint8_t *p, unsigned len)
{
    static const uint32_t f32[] = {0,          0x80000000, 1,          0x7f800000, 0xff800000,
                                   0x7fc00001, 0x7f800001, 0x3f800000, 0xbf800000, 0x40490fdb,
                                   0x00800000, 0x7f7fffff, 0x4f000000, 0x3f7fffff};
    static const uint64_t f64[] = {0,
                                   1ull << 63,
                                   1,
                                   0x7ff0000000000000,
                                   0xfff0000000000000,
                                   0x7ff8000000000001,
                                   0x7ff0000000000001,
                                   0x3ff0000000000000,
                                   0xbff0000000000000,
                                   0x400921fb54442d18,
                                   0x0010000000000000,
                                   0x7fefffffffffffff,
                                   0x41e0000000000000,
                                   0x43e0000000000000};
    unsigned kind = (unsigned)g_rand_int_range(rng, 0, 4);

    for (unsigned n = 0; n < len; n += 8) {
        uint64_t v = (uint64_t)g_rand_int(rng) << 32 | g_rand_int(rng);

        if (kind == 0) {
            v = f64[(unsigned)v % ARRAY_LEN(f64)];
        } else if (kind == 1) {
            v = (uint64_t)f32[(unsigned)v % ARRAY_LEN(f32)] << 32 |
                f32[(unsigned)(v >> 40) % ARRAY_LEN(f32)];
        } else if (kind == 2) {
            double d = (double)(int32_t)v / 65536.0;

            memcpy(&v, &d, sizeof v);
        }
        memcpy(p + n, &v, 8);
    }
}

static void fill_x87(GRand *rng, uint8_t *fx)
{
    static const uint16_t exponents[] = {0,      1,      0x3ffe, 0x3fff, 0x4000,
                                         0x403e, 0x7ffe, 0x7fff, 0xbfff, 0xffff};

    memset(fx, 0, 512);
    st_le16(fx, 0x7f | (unsigned)g_rand_int_range(rng, 0, 16) << 8);
    if ((ld_le16(fx) >> 8 & 3) == 1) {
        st_le16(fx, 0x37f);
    }
    st_le16(fx + 2, (unsigned)g_rand_int_range(rng, 0, 8) << 11 | (g_rand_int(rng) & 0x4700));
    fx[4] = g_rand_int_range(rng, 0, 3) ? 0xff : (uint8_t)g_rand_int(rng);
    st_le32(fx + 24, 0x1f80 | (unsigned)g_rand_int_range(rng, 0, 4) << 13);
    st_le32(fx + 28, 0xffff);
    for (unsigned n = 0; n < 8; n++) {
        uint64_t mantissa = (uint64_t)g_rand_int(rng) << 32 | g_rand_int(rng) | 1ull << 63;
        uint16_t exponent =
            exponents[(unsigned)g_rand_int_range(rng, 0, (gint32)ARRAY_LEN(exponents))];

        if (exponent == 0 || (exponent == 0x7fff && g_rand_boolean(rng))) {
            mantissa = exponent ? 1ull << 63 : 0;
        }
        st_le64(fx + 32 + n * 16, mantissa);
        st_le16(fx + 40 + n * 16, exponent);
    }
}

static void random_state(GRand *rng, struct silicon_state *s, uint8_t *data)
{
    memset(s, 0, sizeof *s);
    for (unsigned n = 0; n < 16; n++) {
        s->r[n] = interesting(rng);
        fill_vector(rng, s->ymm[n], 32);
    }
    s->r[R_RSP] = SILICON_DATA + 4096;
    s->rflags =
        0x202 | (g_rand_int(rng) & FLAGS_ARITH) | (g_rand_int_range(rng, 0, 4) ? 0 : FLAG_DF);
    fill_x87(rng, s->fx);
    for (unsigned n = 0; n < SILICON_DATA_BYTES; n += 64) {
        fill_vector(rng, data + n, 64);
    }
}

/* FIP, FDP, FOP and reserved bytes are not compared: FXSAVE64 on the host gives them only after
   unmasked exceptions on some models. */
static bool x87_equal(const uint8_t *a, const uint8_t *b)
{
    if (memcmp(a, b, 5)) {
        return false;
    }
    for (unsigned n = 0; n < 8; n++) {
        if (memcmp(a + 32 + n * 16, b + 32 + n * 16, 10)) {
            return false;
        }
    }
    return true;
}

/*
 * Flags compared: all, the undefined ones too, since the handlers run on the host.  But OF after
 * ROL and ROR by an immediate other than 1 is undefined and differs between the immediate and the
 * CL form on the host itself; the handlers use the CL form.
 */
static uint32_t flags_mask(const struct op_row *row)
{
    bool rotate = !strcmp(row->name, "rol") || !strcmp(row->name, "ror");

    return (FLAGS_ARITH | FLAG_DF) & ~(rotate && row->enc & ENC_IB ? FLAG_OF : 0u) &
           ~host_other_flags(row);
}

static const char *difference(const struct silicon_result *n, const struct silicon_result *g,
                              const struct op_row *row)
{
    bool native_row = row->map >= MAP_VEX_0F || row->enc & (ENC_SSE | ENC_AVX);

    if (silicon_class(g->vector) != n->vector) {
        return "exception";
    }
    if (n->vector >= 0) {
        return NULL; /* the native side keeps no state at a fault */
    }
    if (memcmp(n->s.r, g->s.r, sizeof n->s.r)) {
        return "registers";
    }
    if ((n->s.rflags ^ g->s.rflags) & flags_mask(row)) {
        return "flags";
    }
    if (n->s.taken != g->s.taken) {
        return "branch";
    }
    if (memcmp(n->data, g->data, sizeof n->data)) {
        return "memory";
    }
    if (memcmp(n->s.ymm, g->s.ymm, sizeof n->s.ymm)) {
        return "vector registers";
    }
    if (native_row && ld_le32(n->s.fx + 24) != ld_le32(g->s.fx + 24)) {
        return "MXCSR";
    }
    return x87_equal(n->s.fx, g->s.fx) ? NULL : "x87 state";
}

/* AMD's processors: the register form of PREFETCHW raises #UD, SHA takes operands in memory at any
 * address. */
static bool is_other_maker(const struct form_spec *f, const struct silicon_result *n,
                           const struct silicon_result *g)
{
    bool prefetch = !strcmp(f->row->name, "prefetchw") && !f->memory && n->vector == EXCP_UD;
    bool unaligned = f->row->isa == FEAT_SHA && f->memory && n->vector < 0 && g->vector == EXCP_GP;

    return !host_is_intel() && (prefetch || unaligned);
}

static void report(struct tally *t, const struct form_spec *f, const uint8_t *code, unsigned len,
                   const char *what, const struct silicon_state *in, const struct silicon_result *n,
                   const struct silicon_result *g)
{
    if (t->wrong++ >= MAX_REPORTS) {
        return;
    }
    g_string_append_printf(t->report, "%s%s size %u: %s differ; bytes", f->row->name,
                           f->memory ? " (memory)" : "", f->size, what);
    for (unsigned k = 0; k < len; k++) {
        g_string_append_printf(t->report, " %02x", code[k]);
    }
    g_string_append_printf(t->report, "; MXCSR in %x silicon %x here %x", ld_le32(in->fx + 24),
                           ld_le32(n->s.fx + 24), ld_le32(g->s.fx + 24));
    g_string_append_printf(t->report, "; vectors %d %d flags in %04x silicon %04x here %04x",
                           n->vector, g->vector, (unsigned)in->rflags, (unsigned)n->s.rflags,
                           (unsigned)g->s.rflags);
    for (unsigned k = 0; k < 16; k++) {
        if (n->s.r[k] != g->s.r[k]) {
            g_string_append_printf(t->report, " r%u in %lx silicon %lx here %lx", k, in->r[k],
                                   n->s.r[k], g->s.r[k]);
        }
    }
    g_string_append_c(t->report, '\n');
}

/* `cc` -1: the form alone; else a Jcc of that condition behind it, since such pairs have handlers
 * of their own. */
static void run_form(struct silicon *s, const struct form_spec *f, int cc, GRand *rng,
                     struct tally *t)
{
    struct silicon_result *n = g_new0(struct silicon_result, 1),
                          *g = g_new0(struct silicon_result, 1);
    struct silicon_state *in = NULL;
    uint8_t *data = g_malloc(SILICON_DATA_BYTES), code[32];
    unsigned wrong = 0;

    if (posix_memalign((void **)&in, 64, sizeof *in)) {
        return;
    }
    for (unsigned k = 0; k < (cc < 0 ? CASES : PAIR_CASES) && wrong < 2; k++) {
        random_state(rng, in, data);
        unsigned len = form_encode(f, rng, in, code);

        if (cc >= 0) {
            code[len++] = (uint8_t)(0x70 + cc);
            code[len++] = SILICON_SKIP;
        }

        silicon_run_native(s, code, len, in, data, n);
        silicon_run_guest(s, code, len, in, data, g);
        const char *what = difference(n, g, f->row);
        t->cases++;
        t->faults += n->vector >= 0;
        if (what && is_other_maker(f, n, g)) {
            t->other_maker++;
        } else if (what) {
            report(t, f, code, len, what, in, n, g);
            wrong++;
        }
    }
    t->forms++;
    free(in);
    g_free(n);
    g_free(g);
    g_free(data);
}

static void run_table(const struct op_table *table, const char *name)
{
    struct silicon *s = silicon_new("x86-64-v3");
    struct tally t = {.report = g_string_new(NULL)};
    GRand *rng = g_rand_new_with_seed(20261121);
    GHashTable *reasons = g_hash_table_new(g_str_hash, g_str_equal);

    cr_assert_not_null(s, "low addresses are not to be had");
    for (unsigned k = 0; k < table->count; k++) {
        const struct op_row *row = &table->rows[k];
        const char *why = !cpu_has(s->c, row->isa) ? "the model lacks the feature"
                          : row->isa == FEAT_SHA && !host_has(FEAT_SHA)
                              ? "the host has no SHA to compare with"
                              : form_excluded(row);
        struct form_spec forms[16];

        if (why) {
            t.excluded++;
            if (g_hash_table_add(reasons, (gpointer)why)) {
                fprintf(stderr, "silicon %s: not run, e.g. %s: %s\n", name, row->name, why);
            }
            continue;
        }
        unsigned count = form_list(row, forms, ARRAY_LEN(forms));
        for (unsigned f = 0; f < count; f++) {
            run_form(s, &forms[f], -1, rng, &t);
        }
    }
    fprintf(stderr,
            "silicon %s: %u forms, %u cases (%u faulting, %u as another maker has it), %u rows not "
            "run, %u differences\n",
            name, t.forms, t.cases, t.faults, t.other_maker, t.excluded, t.wrong);
    cr_expect_eq(t.wrong, 0, "%s", t.report->str);
    g_string_free(t.report, TRUE);
    g_hash_table_destroy(reasons);
    g_rand_free(rng);
    silicon_free(s);
}

static bool may_be_fused(const struct op_row *row)
{
    static const char *const names[] = {"cmp", "test", "add", "sub", "and", "or", "inc", "dec"};

    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        if (!strcmp(row->name, names[n])) {
            return !form_excluded(row);
        }
    }
    return false;
}

Test(silicon, pairs_of_arithmetic_and_branch_give_what_the_host_gives, .timeout = 240)
{
    struct silicon *s = silicon_new("x86-64-v3");
    struct tally t = {.report = g_string_new(NULL)};
    GRand *rng = g_rand_new_with_seed(7);

    cr_assert_not_null(s, "low addresses are not to be had");
    for (unsigned k = 0; k < ops_integer.count; k++) {
        struct form_spec forms[16];
        unsigned count = may_be_fused(&ops_integer.rows[k])
                             ? form_list(&ops_integer.rows[k], forms, ARRAY_LEN(forms))
                             : 0;

        for (unsigned f = 0; f < count * 16; f++) {
            run_form(s, &forms[f / 16], (int)(f % 16), rng, &t);
        }
    }
    fprintf(stderr, "silicon pairs: %u pairs, %u cases, %u differences\n", t.forms, t.cases,
            t.wrong);
    cr_expect_gt(t.forms, 1000);
    cr_expect_eq(t.wrong, 0, "%s", t.report->str);
    g_string_free(t.report, TRUE);
    g_rand_free(rng);
    silicon_free(s);
}

Test(silicon, integer_instructions_give_what_the_host_gives, .timeout = 240)
{
    run_table(&ops_integer, "integer");
}

Test(silicon, simd_instructions_give_what_the_host_gives, .timeout = 240)
{
    run_table(&ops_simd, "simd");
}

Test(silicon, x87_instructions_give_what_the_host_gives, .timeout = 240)
{
    run_table(&ops_x87, "x87");
}
