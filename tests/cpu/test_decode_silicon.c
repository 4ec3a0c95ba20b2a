/*
 * Instruction decoding against the host's own decoder: which random strings are instructions, and
 * how long they are, in 16-, 32- and 64-bit code.
 */
#include "accel/interp.h"
#include "tests/cpu/decode_make.h"
#include "tests/cpu/decode_silicon.h"
#include "tests/cpu/host_cpu.h"
#include "tests/rig.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { STRINGS = 40000, MAX_REPORTS = 40 };

struct trial {
    const uint8_t *bytes;
    unsigned code;
    enum decode_result result;
    struct insn insn;
    struct decode d;
};

static const char *row_name(const struct trial *t)
{
    return t->d.row ? t->d.row->name : "";
}

static bool name_in(const char *name, const char *const *list)
{
    for (; *list; list++) {
        if (!strcmp(name, *list)) {
            return true;
        }
    }
    return false;
}

/* What must not run, whatever it is here. */
static bool is_dangerous(const struct trial *t)
{
    static const char *const names[] = {"syscall", "sysenter", "int", NULL};

    return name_in(row_name(t), names);
}

/* ---- valid here, #UD on silicon ---- */

static bool is_privileged_ud(const struct trial *t)
{
    static const char *const names[] = {"ud0", "ud1", "ud2", "clac", "stac", NULL};

    return name_in(row_name(t), names);
}

static bool is_missing_on_host(const struct trial *t)
{
    return !host_has((enum feature)t->d.row->isa);
}

static bool is_checked_when_run(const struct trial *t)
{
    bool control = t->d.map == MAP_0F && t->d.op >= 0x20 && t->d.op <= 0x23;
    bool segment = t->d.map == MAP_1 && (t->d.op == 0x8c || t->d.op == 0x8e);

    bool sysret = t->code != MODE_CODE64 && t->d.map == MAP_0F && t->d.op == 0x07;

    return control || segment || sysret || t->d.row->enc & ENC_VSIB;
}

/* ---- invalid here, an instruction on silicon ---- */

/* Opcodes with forms of extensions that no CPU model has; hosts newer than this test may have more.
 */
static bool is_extension(const struct trial *t)
{
    static const struct {
        uint8_t map, op;
    } places[] = {
        {MAP_1, 0x62},                          /* EVEX */
        {MAP_1, 0x8f},                          /* XOP */
        {MAP_1, 0xc6},                          /* XABORT */
        {MAP_1, 0xc7},                          /* XBEGIN */
        {MAP_1, 0xd5},                          /* REX2 */
        {MAP_0F, 0x01},                         /* VMX, SGX, TSX, PKU, ... */
        {MAP_0F, 0xae},                         /* WAITPKG, CET, PTWRITE */
        {MAP_0F, 0xc7},                         /* VMX, XSAVES, user interrupts */
        {MAP_0F38, 0xf5},                       /* CET */
        {MAP_0F38, 0xf6},     {MAP_0F38, 0xdc}, /* Key Locker */
        {MAP_0F38, 0xdd},     {MAP_0F38, 0xde},
        {MAP_0F38, 0xdf},     {MAP_VEX_0F38, 0xdc}, /* VAES, VPCLMULQDQ */
        {MAP_VEX_0F38, 0xdd}, {MAP_VEX_0F38, 0xde},
        {MAP_VEX_0F38, 0xdf}, {MAP_VEX_0F3A, 0x44},
    };

    for (unsigned n = 0; n < ARRAY_LEN(places); n++) {
        if (t->d.map == places[n].map && t->d.op == places[n].op) {
            return true;
        }
    }
    return false;
}

static bool is_unknown_opcode(const struct decoder *dec, const struct trial *t)
{
    for (unsigned n = 0; n < decoder_row_count(dec); n++) {
        const struct op_row *r = decoder_row(dec, n);

        if (r->map == t->d.map && r->op == t->d.op) {
            return false;
        }
    }
    return true;
}

/* ---- another maker's silicon ---- */

/*
 * AMD's processors, seen on Zen 5: 66 before a near branch makes its displacement 16 bits wide in
 * 64-bit code too, the register form of PREFETCHW raises #UD, LOCK before MOV to and from CR0 means
 * CR8, LOCK VERW goes unnoticed until the operand is read, MOVNTSS and MOVNTSD are SSE4A, VPERMQ
 * and VPERMPD do not look at W, and VPEXTRD and VPINSRD with W are for 64-bit code only.
 */
static bool is_other_maker(const struct trial *t)
{
    static const struct {
        uint8_t map, op, op_mask;
    } places[] = {
        {MAP_1, 0xe8, 0xfe},        {MAP_0F, 0x80, 0xf0},       {MAP_0F, 0x0d, 0xff},
        {MAP_0F, 0x20, 0xfd},       {MAP_0F, 0x00, 0xff},       {MAP_0F, 0x2b, 0xff},
        {MAP_VEX_0F3A, 0x00, 0xfe}, {MAP_VEX_0F3A, 0x16, 0xff}, {MAP_VEX_0F3A, 0x22, 0xff},
    };

    for (unsigned n = 0; n < ARRAY_LEN(places) && !host_is_intel(); n++) {
        if (t->d.map == places[n].map && (t->d.op & places[n].op_mask) == places[n].op) {
            return true;
        }
    }
    return false;
}

/* ---- the test ---- */

enum outcome {
    SAME,
    KNOWN,
    EXTENSION,
    OTHER_MAKER,
    NOT_RUN,
    WRONG_VALID,
    WRONG_INVALID,
    WRONG_LENGTH,
    OUTCOMES
};

struct tally {
    unsigned count[OUTCOMES], wrong;
    GString *report;
};

static enum outcome compare_valid(const struct trial *t)
{
    unsigned len = t->insn.len;
    enum silicon_verdict v = decode_silicon_try(t->code, t->bytes, len);

    if (v == SILICON_INVALID) {
        bool known = is_privileged_ud(t) || is_missing_on_host(t) || is_checked_when_run(t);

        return known ? KNOWN : WRONG_VALID;
    }
    if (v == SILICON_LONGER) {
        /* CS: may reach the end of the page as data; one byte more tells. */
        return decode_silicon_try(t->code, t->bytes, DECODE_BYTES) == SILICON_LONGER ? SAME
                                                                                     : WRONG_LENGTH;
    }
    return len == 1 || decode_silicon_try(t->code, t->bytes, len - 1) == SILICON_LONGER
               ? SAME
               : WRONG_LENGTH;
}

static enum outcome compare(const struct decoder *dec, const struct trial *t)
{
    if (t->result == DECODE_GP || is_dangerous(t)) {
        return NOT_RUN;
    }
    if (t->result == DECODE_OK) {
        return compare_valid(t);
    }
    if (decode_silicon_try(t->code, t->bytes, DECODE_BYTES) == SILICON_INVALID) {
        return SAME;
    }
    return is_extension(t) || is_unknown_opcode(dec, t) ? EXTENSION : WRONG_INVALID;
}

static void note(struct tally *y, const struct trial *t, enum outcome what)
{
    static const char *const texts[OUTCOMES] = {[WRONG_VALID] = "silicon: #UD",
                                                [WRONG_INVALID] = "silicon: valid",
                                                [WRONG_LENGTH] = "silicon: another length"};

    if (what >= WRONG_VALID && is_other_maker(t)) {
        what = OTHER_MAKER;
    }
    y->count[what]++;
    if (what < WRONG_VALID || y->wrong++ >= MAX_REPORTS) {
        return;
    }
    g_string_append_printf(y->report, "%u-bit:", 16u << t->code);
    for (unsigned n = 0; n < DECODE_BYTES; n++) {
        g_string_append_printf(y->report, " %02x", t->bytes[n]);
    }
    g_string_append_printf(y->report, "; here %s %s, length %u; %s\n",
                           t->result == DECODE_OK ? "valid" : "#UD", row_name(t), t->insn.len,
                           texts[what]);
}

static void run_code(struct cpu *c, unsigned code, struct tally *y)
{
    struct decode_maker m = {.seed = 20261121 + code};
    bool end;

    c->mode = (uint16_t)(MODE_PE | code);
    for (unsigned n = 0; n < STRINGS; n++) {
        uint8_t bytes[DECODE_BYTES];
        struct trial t = {.bytes = bytes, .code = code, .insn.n = 1};

        decode_make(&m, c->decoder, code, bytes);
        t.result = cpu_decode(c, bytes, DECODE_BYTES, &t.insn, &end, &t.d);
        note(y, &t, compare(c->decoder, &t));
    }
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* The sanitizer keeps its maps low. */
static const char *reason_not_to_run(void)
{
    return SANITIZED ? "the address sanitizer is in" : NULL;
}

Test(decode, random_strings_decode_as_on_silicon, .timeout = 240)
{
    struct tally y = {.report = g_string_new(NULL)};
    const char *why = reason_not_to_run();
    struct rig *rig = rig_begin(NULL);
    GError *err = NULL;

    rig_ready(rig);
    machine_unlock(rig->m);
    struct vcpu *v = rig->m->vcpus[0];
    if (!rig_accel(rig->m)->vcpu_init(v, &err)) {
        cr_assert_fail("no CPU: %s", err->message);
    }
    for (unsigned code = MODE_CODE16; code <= MODE_CODE64; code++) {
        bool can = !why && decode_silicon_begin(code);

        if (!can) {
            fprintf(stderr, "decode: %u-bit code not run on silicon: %s\n", 16u << code,
                    why ? why : "not to be had here");
            continue;
        }
        run_code(v->cpu, code, &y);
        decode_silicon_end();
    }
    fprintf(stderr,
            "decode on silicon: %u strings as here, %u raise #UD when run, %u of other extensions, "
            "%u as another maker has it, %u not run, %u wrong\n",
            y.count[SAME], y.count[KNOWN], y.count[EXTENSION], y.count[OTHER_MAKER],
            y.count[NOT_RUN], y.wrong);
    cr_expect_eq(y.wrong, 0, "%s", y.report->str);
    g_string_free(y.report, TRUE);
    rig_accel(rig->m)->vcpu_fini(v);
    machine_lock(rig->m);
    rig_free(rig);
}
