/*
 * The interpreter in real mode against recordings of a Harris 80286 (tests/data/sst-80286): every
 * case sets registers and memory, runs to the HLT, and compares registers, flags and all of memory.
 *
 * Where a 386 or later differs from the 286 the case is left out or compares fewer flags: `rules`
 * below has every such difference with its reason, and the run prints how many cases each took.
 *
 * Not modelled: the coprocessor's answers (the recorder had none).
 */
#include "accel/interp.h"
#include "cpu/cpu.h"
#include "tests/cpu/cst.h"
#include "tests/rig.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { REACH = 0x110000, PAGES = REACH / PAGE_BYTES, MAX_REPORTS = 40 };

/* ---- what differs ---- */

enum what {
    LESS,     /* the flags and registers in the masks are not compared */
    IS_UD,    /* #UD instead, at the instruction */
    IS_SS,    /* vector 12 instead of 13 */
    LEFT_OUT, /* not run */
};

struct rule {
    const char *forms; /* space-separated; one that ends in '.' stands for all its extensions; "":
                          every form */
    enum what what;
    uint16_t flags, regs;
    bool (*applies)(const struct cst_case *k); /* NULL: always */
    const char *reason;
};

static bool form_is(const char *list, const char *form)
{
    size_t len;

    for (; *list; list += len + (list[len] == ' ')) {
        len = strcspn(list, " ");
        if (!strncmp(list, form, len) && (list[len - 1] == '.' || !form[len])) {
            return true;
        }
    }
    return false;
}

/* Number of prefix bytes. */
static unsigned prefixes(const struct cst_case *k)
{
    unsigned n = 0;

    while (n < k->len && memchr("\x26\x2e\x36\x3e\xf0\xf2\xf3", k->code[n], 7)) {
        n++;
    }
    return n;
}

static uint8_t modrm_of(const struct cst_case *k)
{
    return k->code[MIN(prefixes(k) + 1, k->len - 1u)];
}

static bool lock_is_not_allowed(const struct cst_case *k)
{
    static const char lockable[] =
        "00 01 08 09 10 11 18 19 20 21 28 29 30 31 80. 81. 82. 83. 86 87 F6.2 F6.3 F7.2 "
        "F7.3 FE.0 FE.1 FF.0 FF.1";
    bool compares = form_is("80.7 81.7 82.7 83.7", k->form);

    return memchr(k->code, 0xf0, prefixes(k)) &&
           (!form_is(lockable, k->form) || compares || modrm_of(k) >= 0xc0);
}

static bool is_too_long(const struct cst_case *k)
{
    return k->exception == EXCP_GP && k->len - 1 > 10;
}

/* The fault came from a stack operation or an operand in the stack segment. */
static bool faults_in_stack(const struct cst_case *k)
{
    unsigned n = prefixes(k);
    uint8_t modrm = modrm_of(k), segment = 0;

    if (k->exception != EXCP_GP) {
        return false;
    }
    if (form_is("07 17 1F 58 59 5A 5B 5C 5D 5E 5F 61 9D C2 C3 C9 CA CB CF", k->form)) {
        return true;
    }
    if (form_is("6D 6F A5 A7 AB AD AF", k->form)) {
        return false; /* no ModRM; none of the recorded has an SS prefix that matters */
    }
    while (n--) {
        if (!segment && memchr("\x26\x2e\x36\x3e", k->code[n], 4)) {
            segment = k->code[n]; /* the last one counts */
        }
    }
    bool by_bp = (modrm & 7) == 2 || (modrm & 7) == 3 || ((modrm & 7) == 6 && modrm >= 0x40);
    return segment ? segment == 0x36 : modrm < 0xc0 && by_bp;
}

static bool faults(const struct cst_case *k)
{
    return k->exception == EXCP_GP;
}

static unsigned shift_count(const struct cst_case *k)
{
    return (form_is("C0. C1.", k->form) ? k->code[k->len - 2] : k->before[CST_CX]) & 31;
}

static bool shifts_by_more_than_one(const struct cst_case *k)
{
    return form_is("C0. C1. D2. D3.", k->form) && shift_count(k) > 1;
}

static bool shifts(const struct cst_case *k)
{
    return form_is("D0. D1.", k->form) || shift_count(k) > 0;
}

enum {
    UNDEF_MUL = FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF,
    UNDEF_AAA = FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF,
    UNDEF_AAD = FLAG_OF | FLAG_AF | FLAG_CF,
    STRING_REGS = BIT(CST_CX) | BIT(CST_SI) | BIT(CST_DI),
};

static const struct rule rules[] = {
    {"", IS_UD, 0, 0, lock_is_not_allowed,
     "LOCK on what cannot be locked is #UD from the 386 on, ignored by the 286"},
    {"", LEFT_OUT, 0, 0, is_too_long,
     "more than 10 bytes are an exception on the 286; from the 386 on 15 are allowed"},
    {"", IS_SS, 0, 0, faults_in_stack,
     "words that wrap in the stack segment raise #SS from the 386 on, 13 on the 286"},
    {"6D 6F A5 A7 AB AD AF", LESS, 0, STRING_REGS, faults,
     "a string instruction that faults leaves CX, SI and DI as they were from the 386 on; the 286 "
     "has stepped them"},
    {"9D CF", LESS, FLAG_IOPL | FLAG_NT, 0, NULL,
     "POPF and IRET load IOPL and NT in real mode from the 386 on"},
    {"27 2F", LESS, FLAG_OF, 0, NULL, "DAA, DAS: OF is undefined"},
    {"37 3F", LESS, UNDEF_AAA, 0, NULL, "AAA, AAS: OF, SF, ZF and PF are undefined"},
    {"D5", LESS, UNDEF_AAD, 0, NULL, "AAD: OF, AF and CF are undefined"},
    {"69 6B F6.4 F6.5 F7.4 F7.5", LESS, UNDEF_MUL, 0, NULL,
     "MUL, IMUL: SF, ZF, AF and PF are undefined"},
    {"F6.6 F6.7 F7.6 F7.7", LESS, FLAGS_ARITH, 0, NULL,
     "DIV, IDIV: the arithmetic flags are undefined"},
    {"C0.0 C0.1 C0.2 C0.3 C0.4 C0.5 C0.6 C1.0 C1.1 C1.2 C1.3 C1.4 C1.5 C1.6 "
     "D2.0 D2.1 D2.2 D2.3 D2.4 D2.5 D2.6 D3.0 D3.1 D3.2 D3.3 D3.4 D3.5 D3.6",
     LESS, FLAG_OF, 0, shifts_by_more_than_one,
     "shifts and rotates by more than one: OF is undefined"},
    {"C0.4 C0.5 C0.6 C0.7 C1.4 C1.5 C1.6 C1.7 D0.4 D0.5 D0.6 D0.7 D1.4 D1.5 D1.6 D1.7 "
     "D2.4 D2.5 D2.6 D2.7 D3.4 D3.5 D3.6 D3.7",
     LESS, FLAG_AF, 0, shifts, "shifts: AF is undefined"},
};

static bool rule_applies(const struct rule *r, const struct cst_case *k)
{
    return (!*r->forms || form_is(r->forms, k->form)) && (!r->applies || r->applies(k));
}

/* ---- the guest ---- */

struct rig286 {
    struct rig *rig;
    struct vcpu *v;
    struct cpu *c;
    uint8_t *ram, *expect; /* expect: REACH bytes, what memory ought to hold */
    unsigned taken[ARRAY_LEN(rules)];
    unsigned forms, run, left_out, wrong;
    GString *report;
};

static void rig286_init(struct rig286 *g)
{
    struct vm_config cfg;
    GError *err = NULL;

    *g = (struct rig286){.report = g_string_new(NULL), .expect = g_malloc0(REACH)};
    vm_config_init(&cfg);
    cfg.max_insns = 1000;
    g->rig = rig_begin(&cfg);
    rig_ready(g->rig);
    vm_config_clear(&cfg);
    machine_unlock(g->rig->m);
    g->v = g->rig->m->vcpus[0];
    if (!rig_accel(g->rig->m)->vcpu_init(g->v, &err)) {
        cr_assert_fail("no CPU: %s", err->message);
    }
    g->c = g->v->cpu;
    g->ram = g->rig->ram->host;
    g->rig->ram->log_dirty = true; /* tells which pages a case wrote to */
    g->c->idtr = (struct dtable){.base = 0, .limit = 0x3ff};
    atomic_store(&g->v->requests, 0);
}

static void rig286_fini(struct rig286 *g)
{
    rig_accel(g->rig->m)->vcpu_fini(g->v);
    machine_lock(g->rig->m);
    rig_free(g->rig);
    g_string_free(g->report, TRUE);
    g_free(g->expect);
}

static void poke(struct rig286 *g, uint32_t pa, uint8_t val)
{
    g->expect[pa] = g->ram[pa] = val;
    g->c->code_written(g->c, g->rig->ram, pa, 1);
}

static void set_registers(struct rig286 *g, const uint16_t *r)
{
    static const struct {
        uint8_t file, cpu;
    } general[] = {{CST_AX, R_RAX}, {CST_BX, R_RBX}, {CST_CX, R_RCX}, {CST_DX, R_RDX},
                   {CST_SP, R_RSP}, {CST_BP, R_RBP}, {CST_SI, R_RSI}, {CST_DI, R_RDI}};
    struct cpu *c = g->c;

    for (unsigned n = 0; n < ARRAY_LEN(general); n++) {
        c->r[general[n].cpu] = r[general[n].file];
    }
    cpu_load_seg_real(c, SEG_CS, r[CST_CS]);
    cpu_load_seg_real(c, SEG_SS, r[CST_SS]);
    cpu_load_seg_real(c, SEG_DS, r[CST_DS]);
    cpu_load_seg_real(c, SEG_ES, r[CST_ES]);
    cpu_set_eflags(c, r[CST_FLAGS] & 0xfff, 0xffff); /* the 286 holds the top four at 0 */
    c->ip = r[CST_IP];
    c->halted = c->inhibit = c->shutdown = false;
    c->icount = 0;
    c->cur = NULL;
    st_le32(c->fpu.fxsave, 0x37f); /* exceptions masked, none pending */
    mmu_flush(c, true);
    cpu_update_mode(c);
}

static void get_registers(const struct rig286 *g, uint16_t *r)
{
    static const uint8_t general[] = {
        [CST_AX] = R_RAX, [CST_BX] = R_RBX, [CST_CX] = R_RCX, [CST_DX] = R_RDX,
        [CST_SP] = R_RSP, [CST_BP] = R_RBP, [CST_SI] = R_RSI, [CST_DI] = R_RDI};
    const struct cpu *c = g->c;

    for (unsigned n = 0; n < ARRAY_LEN(general); n++) {
        r[n] = (uint16_t)c->r[general[n]];
    }
    r[CST_CS] = c->seg[SEG_CS].sel;
    r[CST_SS] = c->seg[SEG_SS].sel;
    r[CST_DS] = c->seg[SEG_DS].sel;
    r[CST_ES] = c->seg[SEG_ES].sel;
    r[CST_IP] = (uint16_t)c->ip;
    r[CST_FLAGS] = (uint16_t)cpu_get_eflags(c);
}

/* ---- a case ---- */

/* The first byte of memory that is not as expected, or -1; written pages are made as expected on
 * the way. */
static int64_t check_memory(struct rig286 *g)
{
    struct ram *ram = g->rig->ram;
    int64_t at = -1;

    for (unsigned page = 0; page < PAGES; page++) {
        uint8_t *p = g->ram + page * PAGE_BYTES;
        const uint8_t *want = g->expect + page * PAGE_BYTES;

        if (!(ram->page_flags[page] & RAM_PAGE_DIRTY)) {
            continue;
        }
        ram->page_flags[page] &= (uint8_t)~RAM_PAGE_DIRTY;
        for (unsigned n = 0; at < 0 && n < PAGE_BYTES; n++) {
            if (p[n] != want[n]) {
                at = page * (int64_t)PAGE_BYTES + n;
            }
        }
        memcpy(p, want, PAGE_BYTES);
        g->c->code_written(g->c, ram, page * PAGE_BYTES, PAGE_BYTES);
    }
    return at;
}

static void put_memory(struct rig286 *g, const GArray *list, bool clear)
{
    for (guint n = 0; n < list->len; n++) {
        const struct cst_byte *b = &g_array_index(list, struct cst_byte, n);

        if (b->pa < REACH) {
            poke(g, b->pa, clear ? 0 : b->val);
        }
    }
}

/*
 * The flags an exception pushed: those that are not compared become what they are.  (k->flags_at
 * has bit 0 cleared, an address on the 286's bus; the stack pointer says where they are when it is
 * odd.)
 */
static void forgive_pushed_flags(struct rig286 *g, const struct cst_case *k, uint16_t flags)
{
    uint32_t first = ((uint32_t)k->before[CST_SS] << 4) + (uint16_t)(k->before[CST_SP] - 2),
             at[2] = {first, first + 1};

    for (unsigned n = 0; n < 2 && k->exception != CST_NO_EXCEPTION; n++) {
        uint8_t mask = (uint8_t)(flags >> 8 * n);

        if (at[n] < REACH) {
            g->expect[at[n]] = (g->expect[at[n]] & ~mask) | (g->ram[at[n]] & mask);
        }
    }
}

static void report_case(struct rig286 *g, const struct cst_case *k, const uint16_t *got,
                        const char *what, int64_t at)
{
    static const char *const names[] = {"ax", "bx", "cx", "dx", "cs", "ss", "ds",
                                        "es", "sp", "bp", "si", "di", "ip", "flags"};

    if (g->wrong++ >= MAX_REPORTS) {
        return;
    }
    g_string_append_printf(g->report, "%s exception %d bytes", k->form, k->exception);
    for (unsigned n = 0; n < k->len; n++) {
        g_string_append_printf(g->report, " %02x", k->code[n]);
    }
    g_string_append_printf(g->report, ": %s", what);
    for (unsigned n = 0; n < CST_REGS; n++) {
        if (got[n] != k->after[n]) {
            g_string_append_printf(g->report, "; %s was %04x is %04x recorded %04x", names[n],
                                   k->before[n], got[n], k->after[n]);
        }
    }
    if (at >= 0) {
        g_string_append_printf(g->report, "; memory at %05x, recorded %02x", (unsigned)at,
                               g->expect[at]);
    }
    g_string_append_c(g->report, '\n');
}

/* What is wrong, or NULL. */
static const char *compare(const struct cst_case *k, const uint16_t *got, uint16_t flags,
                           uint16_t regs)
{
    for (unsigned n = 0; n < CST_FLAGS; n++) {
        if (got[n] != k->after[n] && !(regs >> n & 1)) {
            return "registers";
        }
    }
    return (got[CST_FLAGS] ^ k->after[CST_FLAGS]) & ~flags ? "flags" : NULL;
}

static void run_case(struct rig286 *g, const struct cst_case *k, uint16_t flags, uint16_t regs)
{
    uint16_t got[CST_REGS];

    put_memory(g, k->memory[0], false);
    set_registers(g, k->before);
    enum vcpu_exit exit = rig_accel(g->rig->m)->vcpu_run(g->v);
    get_registers(g, got);
    for (guint n = 0; n < k->memory[1]->len; n++) {
        const struct cst_byte *b = &g_array_index(k->memory[1], struct cst_byte, n);

        if (b->pa < REACH) {
            g->expect[b->pa] = b->val;
        }
    }
    forgive_pushed_flags(g, k, flags);
    int64_t at = check_memory(g);
    const char *what = exit != VCPU_EXIT_HALT ? "no HLT reached" : compare(k, got, flags, regs);
    if (what || at >= 0) {
        report_case(g, k, got, what ? what : "memory", at);
    }
    put_memory(g, k->memory[0], true);
    put_memory(g, k->memory[1], true);
    g->run++;
}

/* ---- other expectations ---- */

static void add_word(GArray *list, uint32_t pa, uint16_t val)
{
    struct cst_byte b[2] = {{pa, (uint8_t)val}, {pa + 1, (uint8_t)(val >> 8)}};

    g_array_append_vals(list, b, 2);
}

/* #UD at the instruction, with a handler of ours that halts. */
static void run_ud(struct rig286 *g, const struct cst_case *k)
{
    enum { HANDLER = 0x600, HLT = 0xf4 };
    struct cst_case alt = *k;
    uint32_t stack = (uint32_t)k->before[CST_SS] << 4;
    uint16_t sp = k->before[CST_SP], flags = k->before[CST_FLAGS] & 0xfff;

    alt.memory[0] = g_array_copy(k->memory[0]);
    alt.memory[1] = g_array_new(FALSE, FALSE, sizeof(struct cst_byte));
    add_word(alt.memory[0], 4 * EXCP_UD, HANDLER);
    add_word(alt.memory[0], 4 * EXCP_UD + 2, 0);
    add_word(alt.memory[0], HANDLER, HLT);
    memcpy(alt.after, k->before, sizeof alt.after);
    alt.after[CST_CS] = 0;
    alt.after[CST_IP] = HANDLER + 1;
    alt.after[CST_SP] = sp - 6;
    alt.after[CST_FLAGS] = flags & ~(FLAG_IF | FLAG_TF);
    add_word(alt.memory[1], stack + (uint16_t)(sp - 2), flags);
    add_word(alt.memory[1], stack + (uint16_t)(sp - 4), k->before[CST_CS]);
    add_word(alt.memory[1], stack + (uint16_t)(sp - 6), k->before[CST_IP]);
    run_case(g, &alt, 0, 0);
    g_array_unref(alt.memory[0]);
    g_array_unref(alt.memory[1]);
}

/* The recorded handler of vector 13 at vector 12. */
static void run_ss(struct rig286 *g, const struct cst_case *k, uint16_t flags)
{
    struct cst_case alt = *k;

    alt.memory[0] = g_array_copy(k->memory[0]);
    for (guint n = 0; n < k->memory[0]->len; n++) {
        struct cst_byte b = g_array_index(k->memory[0], struct cst_byte, n);

        if (b.pa / 4 == EXCP_GP) {
            b.pa -= 4 * (EXCP_GP - EXCP_SS);
            g_array_append_val(alt.memory[0], b);
        }
    }
    run_case(g, &alt, flags, 0);
    g_array_unref(alt.memory[0]);
}

static void judge_case(struct rig286 *g, const struct cst_case *k)
{
    uint16_t flags = 0, regs = 0;
    enum what what = LESS;

    for (unsigned n = 0; n < ARRAY_LEN(rules); n++) {
        if (!rule_applies(&rules[n], k)) {
            continue;
        }
        g->taken[n]++;
        flags |= rules[n].flags;
        regs |= rules[n].regs;
        what = rules[n].what == LESS ? what : rules[n].what;
        if (what == IS_UD || what == LEFT_OUT) {
            break;
        }
    }
    if (what == IS_UD) {
        run_ud(g, k);
    } else if (what == IS_SS) {
        run_ss(g, k, flags);
    } else if (what == LESS) {
        run_case(g, k, flags, regs);
    } else {
        g->left_out++;
    }
}

Test(i286, real_mode_gives_what_an_80286_gave, .timeout = 120)
{
    char *path = g_build_filename(TESTS_DIR, "data", "sst-80286", "real-mode-100.cst.gz", NULL);
    GError *err = NULL;
    struct cst_file *f = cst_open(path, &err);
    const struct cst_case *k;
    struct rig286 g;

    cr_assert_not_null(f, "%s", err ? err->message : path);
    rig286_init(&g);
    while ((k = cst_next(f))) {
        judge_case(&g, k);
    }
    cr_expect_not(f->bad, "%s is damaged", path);
    for (unsigned n = 0; n < ARRAY_LEN(rules); n++) {
        fprintf(stderr, "286: %u cases: %s%s\n", g.taken[n],
                rules[n].what == LEFT_OUT ? "left out: "
                : rules[n].what == LESS   ? "compared in part: "
                                          : "other exception: ",
                rules[n].reason);
        cr_expect_gt(g.taken[n], 0, "no case needs the rule: %s", rules[n].reason);
    }
    fprintf(stderr, "286: %u forms, %u cases run, %u left out, %u differences\n", f->forms_read,
            g.run, g.left_out, g.wrong);
    cr_expect_eq(g.wrong, 0, "%s", g.report->str);
    rig286_fini(&g);
    cst_close(f);
    g_free(path);
}
