/*
 * Instruction decoding against Capstone on random byte strings, in 16-, 32- and 64-bit code.
 */
#include "tests/cpu/decode_cs.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { STRINGS = 500000 /* for each code size */, MAX_REPORTS = 40 };

/* ---- judgement ---- */

static const char *const kinds[DISAGREEMENTS] = {
    "agree", "only here", "only Capstone", "length", "name", "memory", "register", "immediate"};

static bool name_in(const char *name, const char *const *list)
{
    for (; *list; list++) {
        if (!strcmp(name, *list)) {
            return true;
        }
    }
    return false;
}

static const char *row_name(const struct decoded *o)
{
    return o->d.row ? o->d.row->name : "";
}

static bool is_prefix(const struct decoded *o, uint8_t b)
{
    return memchr("\x66\x67\xf2\xf3\xf0\x26\x2e\x36\x3e\x64\x65", b, 11) ||
           (o->code == MODE_CODE64 && (b & 0xf0) == 0x40);
}

/* The last prefix byte but REX; 0: none. */
static uint8_t last_prefix(const struct decoded *o)
{
    uint8_t last = 0;

    for (unsigned n = 0; n < DECODE_BYTES && is_prefix(o, o->bytes[n]); n++) {
        last = (o->bytes[n] & 0xf0) == 0x40 && o->code == MODE_CODE64 ? last : o->bytes[n];
    }
    return last;
}

static bool has_66_and_rep(const struct decoded *o)
{
    return o->d.p66 && o->d.rep;
}

static bool needs_prefix(const struct decoded *o)
{
    return o->d.row && !o->d.vex && o->d.row->pfx != PFX_ANY && o->d.row->pfx != PFX_NP;
}

static bool is_16_with_prefix(const struct decoded *o)
{
    return o->code == MODE_CODE16 &&
           (needs_prefix(o) || (!o->d.row && o->d.p66 && o->d.map != MAP_1));
}

static bool prefix_is_apart(const struct decoded *o)
{
    static const uint8_t bytes[] = {
        [PFX_66] = 0x66, [PFX_66W] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2};

    return needs_prefix(o) && last_prefix(o) != bytes[o->d.row->pfx];
}

static bool is_hint(const struct decoded *o)
{
    static const char *const names[] = {"nop", "prefetch", "prefetchw", NULL};

    return name_in(row_name(o), names);
}

static bool is_reserved_sreg(const struct decoded *o)
{
    return o->d.map == MAP_1 && (o->d.op == 0x8c || o->d.op == 0x8e) &&
           ((o->d.modrm >> 3 & 7) >= 6 || o->d.rex & 4);
}

static bool is_fence(const struct decoded *o)
{
    static const char *const names[] = {"lfence", "mfence", "sfence", NULL};

    return name_in(row_name(o), names) && o->d.modrm & 7;
}

static bool is_ud(const struct decoded *o)
{
    return o->d.map == MAP_0F && (o->d.op == 0xff || o->d.op == 0xb9);
}

static bool is_new_name(const struct decoded *o)
{
    static const char *const names[] = {"rdpid", "clwb", "clflushopt", "vbroadcasti128", NULL};

    return name_in(row_name(o), names);
}

static bool lacks_prefix_form(const struct decoded *o)
{
    return !o->d.row && !o->d.vex && o->d.map != MAP_1 && (o->d.rep || o->d.p66);
}

static bool is_vex(const struct decoded *o)
{
    return o->d.vex;
}

static bool is_locked(const struct decoded *o)
{
    return o->d.lock;
}

static bool is_movsxd(const struct decoded *o)
{
    return !strcmp(row_name(o), "movsxd");
}

static bool is_near_branch_66(const struct decoded *o)
{
    return o->code == MODE_CODE64 && o->d.p66 && o->d.row && o->d.row->size == SZ_F64;
}

static bool is_branch_67(const struct decoded *o)
{
    return o->d.p67 && o->d.row && o->d.row->enc & ENC_JZ;
}

static bool has_67_and_w(const struct decoded *o)
{
    return o->code == MODE_CODE64 && o->d.p67 && o->d.rex & 8;
}

static bool is_wide_push(const struct decoded *o)
{
    return o->code == MODE_CODE64 && o->d.map == MAP_1 && o->d.op == 0x68 && o->d.rex & 8;
}

/* By Capstone's name: it knows more instructions than the CPU models here have. */
static bool is_other_extension(const struct decoded *o)
{
    static const char *const names[] = {
        "vmcall",  "vmlaunch", "vmresume", "vmxoff",  "vmfunc",   "vmptrld", "vmptrst",
        "vmclear", "vmxon",    "vmread",   "vmwrite", "invept",   "invvpid", "vmmcall",
        "vmrun",   "vmload",   "vmsave",   "stgi",    "clgi",     "skinit",  "invlpga",
        "monitor", "mwait",    "rsm",      "getsec",  "encls",    "enclu",   "xbegin",
        "xend",    "xabort",   "xtest",    "xsaves",  "xsaves64", "xrstors", "xrstors64",
        "femms",   "insertq",  "extrq",    "montmul", "xstore",   "pcommit", NULL};
    const cs_detail *d = o->cs->detail;

    if (o->d.row || !o->cs_ok) {
        return false;
    }
    for (unsigned n = 0; n < d->groups_count; n++) {
        unsigned g = d->groups[n];

        if (g == X86_GRP_3DNOW || g == X86_GRP_XOP || g == X86_GRP_FMA4 || g == X86_GRP_TBM ||
            g == X86_GRP_AVX512) {
            return true;
        }
    }
    return name_in(o->cs_name, names);
}

static bool is_swapgs(const struct decoded *o)
{
    return o->code != MODE_CODE64 && !strcmp(o->cs_name, "swapgs");
}

struct rule {
    uint16_t kinds; /* BIT(enum disagreement) */
    bool (*applies)(const struct decoded *o);
    const char *reason;
};

enum { ALL = BIT(DISAGREEMENTS) - 2 };

/*
 * Why the two may disagree.  The first rule that fits counts.  "Silicon" is an Intel processor:
 * decode_silicon.h asks the one at hand, where the tests below find no case that is decoded
 * otherwise.
 */
static const struct rule rules[] = {
    {ALL, has_66_and_rep,
     "66 with F2 or F3: Capstone goes by one of them; silicon takes the form from F2 or F3 and the "
     "operand size from 66"},
    {ALL, is_16_with_prefix,
     "Capstone takes 66 in 16-bit code for an operand size only and misses SSE forms"},
    {ALL, prefix_is_apart, "Capstone forgets a mandatory prefix when another prefix follows"},
    {ALL, has_67_and_w, "Capstone takes 67 for 66 when REX.W follows"},
    {BIT(ONLY_HERE) | BIT(DIFF_NAME), is_new_name,
     "not known to Capstone 4, or by its old meaning"},
    {BIT(ONLY_HERE), is_hint, "hint NOPs and prefetches: Capstone lacks some of their forms"},
    {BIT(ONLY_HERE), is_reserved_sreg,
     "segment registers 6 and 7 raise #UD when MOV runs, and REX.R is ignored there"},
    {BIT(ONLY_HERE), is_fence, "fences ignore ModRM.rm; Capstone wants 0"},
    {BIT(ONLY_HERE) | BIT(DIFF_LENGTH), is_ud,
     "UD0 and UD1 have a ModRM byte on Intel; Capstone knows none"},
    {BIT(ONLY_CAPSTONE), lacks_prefix_form,
     "an SSE opcode without a form for 66, F2 or F3: #UD; Capstone drops the prefix"},
    {BIT(ONLY_CAPSTONE), is_other_extension,
     "instructions of extensions that no CPU model has: #UD"},
    {BIT(ONLY_CAPSTONE), is_swapgs, "SWAPGS outside 64-bit code: #UD; Capstone shows it"},
    {BIT(ONLY_CAPSTONE), is_vex,
     "VEX after 66, F2, F3, LOCK or REX, or with reserved W, L or vvvv: #UD; Capstone does "
     "not look"},
    {BIT(ONLY_CAPSTONE), is_locked,
     "LOCK that is not allowed: #UD; Capstone lets it pass with F2 or F3"},
    {BIT(DIFF_REGISTER), is_movsxd,
     "MOVSXD has the operand size of its prefixes; Capstone shows 64 bits"},
    {BIT(DIFF_IMMEDIATE), is_wide_push,
     "PUSH imm32 with 66 and REX.W: Capstone does not extend the sign"},
    {BIT(DIFF_LENGTH) | BIT(DIFF_IMMEDIATE), is_near_branch_66,
     "66 does nothing to near branches in 64-bit code on Intel; Capstone does as AMD"},
    {BIT(DIFF_IMMEDIATE), is_branch_67, "Capstone cuts branch targets to the address size"},
};

struct tally {
    unsigned strings, agree, explained[ARRAY_LEN(rules)], wrong;
    GString *report;
};

static void report(struct tally *t, const struct decoded *o, enum disagreement w)
{
    if (t->wrong++ >= MAX_REPORTS) {
        return;
    }
    g_string_append_printf(t->report, "%s, %u-bit:", kinds[w], 16u << o->code);
    for (unsigned n = 0; n < DECODE_BYTES; n++) {
        g_string_append_printf(t->report, " %02x", o->bytes[n]);
    }
    g_string_append_printf(t->report, "; here %s %s length %u",
                           o->result == DECODE_OK ? "valid" : "invalid", row_name(o), o->insn.len);
    if (o->cs_ok) {
        g_string_append_printf(t->report, "; Capstone %s %s length %u", o->cs->mnemonic,
                               o->cs->op_str, o->cs->size);
    }
    g_string_append_c(t->report, '\n');
}

static void judge(struct tally *t, const struct decoded *o, enum disagreement w)
{
    t->strings++;
    if (w == AGREE) {
        t->agree++;
        return;
    }
    for (unsigned n = 0; n < ARRAY_LEN(rules); n++) {
        if (rules[n].kinds & BIT(w) && rules[n].applies(o)) {
            t->explained[n]++;
            return;
        }
    }
    report(t, o, w);
}

Test(decode, random_strings_decode_as_in_capstone, .timeout = 240)
{
    struct decode_rig r;
    struct decode_maker m = {.seed = 20261121};
    struct tally t = {.report = g_string_new(NULL)};

    decode_rig_init(&r);
    for (unsigned code = MODE_CODE16; code <= MODE_CODE64; code++) {
        for (unsigned n = 0; n < STRINGS; n++) {
            uint8_t bytes[DECODE_BYTES];
            struct decoded o;

            decode_make(&m, r.c->decoder, code, bytes);
            judge(&t, &o, decode_compare(&r, bytes, code, &o));
        }
    }
    for (unsigned n = 0; n < ARRAY_LEN(rules); n++) {
        fprintf(stderr, "decode: %6u explained: %s\n", t.explained[n], rules[n].reason);
    }
    fprintf(stderr, "decode: %u strings, %u agree, %u unexplained\n", t.strings, t.agree, t.wrong);
    cr_expect_eq(t.wrong, 0, "%s", t.report->str);
    g_string_free(t.report, TRUE);
    decode_rig_fini(&r);
}
