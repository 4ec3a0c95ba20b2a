/*
 * The CPU's state: creation, power-on values, flags, the execution mode, the state table, text.
 *
 * Follows: Intel SDM volume 3, table 9-1 (state after power-up, reset and INIT).
 *
 * Not modelled: built-in self-test.
 */
#include "cpu/fpu.h"
#include "cpu/model.h"
#include "cpu/native.h"
#include "cpu/sys.h"
#include <stdlib.h>

#define DR6_RESET 0xffff0ff0ull
#define DR7_RESET 0x400ull

/* ---- state table ---- */

static const struct state_field seg_state[] = {
    STATE(struct seg, sel),
    STATE(struct seg, attr),
    STATE(struct seg, limit),
    STATE(struct seg, base),
    STATE_END,
};

static const struct state_field dtable_state[] = {
    STATE(struct dtable, base),
    STATE(struct dtable, limit, .reset = 0xffff),
    STATE_END,
};

#define S(m, ...) STATE(struct cpu, m, __VA_ARGS__)
#define BYTES(label, m, width)                                                                     \
    {                                                                                              \
        .name = label, .kind = STATE_KIND_UINT, .offset = offsetof(struct cpu, m), .size = width,  \
        .count = sizeof(((struct cpu *)0)->m) / (width)                                            \
    }
const struct state_field cpu_state[] = {
    {.name = "r",
     .kind = STATE_KIND_UINT,
     .offset = offsetof(struct cpu, r),
     .size = 8,
     .count = R_ZERO},
    S(ip, .reset = 0xfff0),
    S(fl, .reset = FL_1),
    S(eflags),
    STATE_STRUCTS(struct cpu, seg, seg_state),
    S(cpl, .max = 3),
    STATE_STRUCT(struct cpu, gdtr, dtable_state),
    STATE_STRUCT(struct cpu, idtr, dtable_state),
    S(cr0, .reset = CR0_CD | CR0_NW | CR0_ET),
    S(cr2),
    S(cr3),
    S(cr4),
    S(efer),
    STATE_ARRAY(struct cpu, dr),
    STATE_ARRAY(struct cpu, pdpte),
    S(inhibit),
    S(halted),
    S(shutdown),
    S(begun, .max = CPU_BEGUN_FAULT_ERROR),
    S(begun_vector),
    S(begun_error),
    S(nmi_masked),
    S(nmi_pending, .max = 2),
    S(pending_dr6),
    S(star),
    S(lstar),
    S(cstar),
    S(sfmask),
    S(kernel_gs_base),
    S(sysenter_cs),
    S(sysenter_esp),
    S(sysenter_eip),
    S(tsc_khz, .reset = CPU_TSC_KHZ),
    S(tsc_offset),
    S(tsc_adjust),
    S(tsc_aux),
    S(pat, .reset = 0x0007040600070406ull),
    S(misc_enable, .reset = 1),
    S(mtrr_def_type),
    STATE_ARRAY(struct cpu, mtrr_fix),
    STATE_ARRAY(struct cpu, mtrr_base),
    STATE_ARRAY(struct cpu, mtrr_mask),
    S(mcg_status),
    S(spec_ctrl),
    S(debugctl),
    BYTES("fpu.fxsave", fpu.fxsave, 8),
    BYTES("fpu.ymm", fpu.ymm, 8),
    S(fpu.mxcsr, .reset = MXCSR_DEFAULT),
    S(fpu.xcr0, .reset = 1),
    S(fpu.fop),
    S(fpu.fcs),
    S(fpu.fds),
    S(fpu.fip),
    S(fpu.fdp),
    S(fpu.ferr),
    STATE_END,
};
#undef S
#undef BYTES

/* ---- reset ---- */

static void reset_segments(struct cpu *c)
{
    for (unsigned k = 0; k < SEG_LDTR; k++) {
        c->seg[k] = (struct seg){.attr = SEG_P | SEG_S | SEG_W | SEG_A, .limit = 0xffff};
    }
    c->seg[SEG_CS].sel = 0xf000;
    c->seg[SEG_CS].base = 0xffff0000;
    c->seg[SEG_LDTR] = (struct seg){.attr = SEG_P | DESC_LDT, .limit = 0xffff};
    c->seg[SEG_TR] = (struct seg){.attr = SEG_P | DESC_TSS32_BUSY, .limit = 0xffff};
    c->gdtr = c->idtr = (struct dtable){.limit = 0xffff};
}

/* What both RESET and INIT set. */
static void reset_common(struct cpu *c)
{
    memset(c->r, 0, sizeof c->r);
    c->r[R_RDX] = cpu_signature(c);
    c->ip = 0xfff0;
    c->fl = FL_1;
    c->eflags = 0;
    c->cr2 = c->cr3 = c->cr4 = c->efer = 0;
    memset(c->dr, 0, sizeof c->dr);
    c->dr[6] = DR6_RESET;
    c->dr[7] = DR7_RESET;
    c->cpl = 0;
    c->cur = NULL;
    c->inhibit = c->halted = c->shutdown = c->nmi_masked = false;
    c->nmi_pending = c->begun = c->begun_vector = 0;
    c->begun_error = 0;
    c->pending_dr6 = 0;
    c->delivering = -1;
    c->ext = c->step = c->ss_shadow = false;
    reset_segments(c);
}

static void reset_power_on(struct cpu *c)
{
    c->cr0 = CR0_CD | CR0_NW | CR0_ET;
    c->star = c->lstar = c->cstar = c->sfmask = c->kernel_gs_base = 0;
    c->sysenter_cs = 0;
    c->sysenter_esp = c->sysenter_eip = 0;
    c->tsc_offset = -cpu_tsc_ticks(c, c->v->m->reset_at); /* the same for all processors */
    c->tsc_adjust = c->tsc_aux = 0;
    c->pat = 0x0007040600070406ull;
    c->misc_enable = 1;
    c->mtrr_def_type = 0;
    memset(c->mtrr_fix, 0, sizeof c->mtrr_fix);
    memset(c->mtrr_base, 0, sizeof c->mtrr_base);
    memset(c->mtrr_mask, 0, sizeof c->mtrr_mask);
    c->mcg_status = c->spec_ctrl = c->debugctl = 0;
    memset(c->recent, 0, sizeof c->recent);
    c->recent_at = 0;
}

void cpu_reset(struct cpu *c, bool init)
{
    reset_common(c);
    if (init) {
        c->cr0 = (c->cr0 & (CR0_CD | CR0_NW)) | CR0_ET;
    } else {
        reset_power_on(c);
    }
    fpu_reset(c, init);
    mmu_flush(c, true);
    mmu_switch_pcid(c, false);
    cpu_update_mode(c);
}

struct cpu *cpu_new(struct vcpu *v, const char *model, GError **err)
{
    size_t size = (sizeof(struct cpu) + 63) & ~(size_t)63;
    struct cpu *c = aligned_alloc(64, size);

    if (!c) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "no memory for a CPU");
        return NULL;
    }
    memset(c, 0, size);
    c->v = v;
    c->jcache = g_new0(struct jcache_entry, JCACHE_SIZE);
    c->tsc_khz = CPU_TSC_KHZ;
    c->trace_excp = v->m->trace_mask & TR_EXCP;
    if (!cpu_model_set(c, model, err) || !native_init(c, err) || !mmu_init(c)) {
        cpu_free(c);
        return NULL;
    }
    c->decoder = decoder_new(c);
    cpu_reset(c, false);
    return c;
}

void cpu_show_requests(struct cpu *c, bool shown)
{
    for (unsigned n = 0; n < ARRAY_LEN(c->due); n++) {
        c->v->look[n] = shown ? &c->due[n].look : NULL;
    }
}

void cpu_free(struct cpu *c)
{
    if (c) {
        decoder_free((struct decoder *)c->decoder);
        native_free(c);
        view_free(c->view);
        mmu_fini(c);
        g_free(c->jcache);
        g_free(c->host);
        free(c);
    }
}

/* ---- flags ---- */

uint32_t cpu_get_eflags(const struct cpu *c)
{
    return c->eflags | (c->fl >> 8 & 0xd5) | FLAG_1 | (c->fl & FL_OF ? FLAG_OF : 0u);
}

void cpu_set_eflags(struct cpu *c, uint32_t val, uint32_t mask)
{
    const uint32_t known = FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM |
                           FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID;
    uint32_t all = (cpu_get_eflags(c) & ~mask) | (val & mask), old = c->eflags;

    c->fl = (uint16_t)((all & 0xd5) << 8 | FL_1 | (all & FLAG_OF ? FL_OF : 0));
    c->eflags = all & known;
    if ((old ^ c->eflags) & (FLAG_VM | FLAG_AC | FLAG_TF)) {
        cpu_update_mode(c);
    }
}

/* ---- mode ---- */

static bool seg_is_flat_data(const struct seg *s)
{
    return s->base == 0 && s->limit == 0xffffffff &&
           (s->attr & (SEG_P | SEG_CODE | SEG_E | SEG_W)) == (SEG_P | SEG_W);
}

static unsigned mode_of_segments(const struct cpu *c)
{
    const struct seg *cs = &c->seg[SEG_CS];
    unsigned mode = cs->attr & SEG_DB ? MODE_CODE32 : MODE_CODE16;

    if (c->seg[SEG_SS].attr & SEG_DB) {
        mode |= MODE_STACK32;
    }
    if (seg_is_flat_data(&c->seg[SEG_DS]) && seg_is_flat_data(&c->seg[SEG_ES]) &&
        seg_is_flat_data(&c->seg[SEG_SS])) {
        mode |= MODE_FLAT;
    }
    if (cs->base == 0 && cs->limit == 0xffffffff) {
        mode |= MODE_CS_FLAT;
    }
    if (c->cr0 & CR0_PE) {
        mode |= MODE_PE | (c->eflags & FLAG_VM ? MODE_V86 : 0);
    }
    return mode;
}

/* Which SIMD and x87 instructions trap. */
static unsigned mode_of_fpu(const struct cpu *c, unsigned mode)
{
    unsigned bits = 0;

    if (c->cr0 & (CR0_EM | CR0_TS)) {
        bits |= MODE_FPU_NM;
    }
    if (c->cr0 & CR0_EM || !(c->cr4 & CR4_OSFXSR)) {
        bits |= MODE_SSE_UD;
    }
    if (c->cr0 & CR0_TS) {
        bits |= MODE_SSE_NM;
    }
    if (!(c->cr4 & CR4_OSXSAVE) || (c->fpu.xcr0 & 6) != 6 ||
        (mode & (MODE_PE | MODE_V86)) != MODE_PE) {
        bits |= MODE_AVX_UD;
    }
    return bits | (fpu_sse_unmasked(c) ? MODE_SSE_CHECK : 0) |
           (fpu_x87_unmasked(c) ? MODE_FPU_CHECK : 0);
}

/* 0 also for expand-down segments, whose offsets are another sort. */
static uint64_t span_of(const struct seg *s, bool checked, bool write)
{
    bool is_data = !(s->attr & SEG_CODE);

    if (!(s->attr & SEG_P) || (is_data && s->attr & SEG_E) ||
        (checked && !(s->attr & SEG_W) && (write || !is_data)) || (checked && write && !is_data)) {
        return 0;
    }
    return s->limit == 0xffffffff ? UINT64_MAX : (uint64_t)s->limit + 1;
}

static void update_spans(struct cpu *c)
{
    for (unsigned k = 0; k <= SEG_GS; k++) {
        c->span[k][0] = span_of(&c->seg[k], cpu_is_protected(c), false);
        c->span[k][1] = span_of(&c->seg[k], cpu_is_protected(c), true);
    }
}

void cpu_update_mode(struct cpu *c)
{
    unsigned mode;

    if (c->efer & EFER_LMA && c->seg[SEG_CS].attr & SEG_L) {
        mode = MODE_CODE64 | MODE_FLAT | MODE_CS_FLAT | MODE_PE;
        c->cs_base = 0;
    } else {
        mode = mode_of_segments(c);
        c->cs_base = c->seg[SEG_CS].base;
    }
    mode |= mode_of_fpu(c, mode) | (c->cpl == 3 ? MODE_USER : 0);
    c->mode = (uint16_t)mode;
    if (!cpu_is_64(c)) {
        update_spans(c);
    }
    c->slow = c->eflags & FLAG_TF || c->dr[7] & 0xff || c->v->m->trace_mask & TR_INSN;
    mmu_update_class(c);
    view_update_mode(c);
    cpu_update_keys(c);
}

uint64_t cpu_tsc(struct cpu *c)
{
    cpu_outside(c, OUTSIDE_TIME);
    return cpu_tsc_ticks(c, clock_now(c->v->m)) + c->tsc_offset;
}

uint64_t cpu_tsc_ticks(const struct cpu *c, int64_t ns)
{
    return likely(c->tsc_khz == CPU_TSC_KHZ) ? (uint64_t)ns
                                             : clock_ns_to_ticks(ns, c->tsc_khz * 1000ull);
}

uint64_t cpu_ip(const struct cpu *c)
{
    return c->cur ? insn_ip(c, c->cur) : c->ip;
}

/* ---- text ---- */

static void print_seg(const struct cpu *c, unsigned n, const char *name, GString *out)
{
    const struct seg *s = &c->seg[n];

    g_string_append_printf(out, "%-4s %04x base=%016" G_GINT64_MODIFIER "x limit=%08x attr=%04x\n",
                           name, s->sel, s->base, s->limit, s->attr);
}

void cpu_print(const struct cpu *c, GString *out)
{
    static const char *const reg[16] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                        "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
    static const char *const seg[SEG_COUNT] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"};
    uint32_t f = cpu_get_eflags(c);

    for (unsigned k = 0; k < 16; k++) {
        g_string_append_printf(out, "%s=%016" G_GINT64_MODIFIER "x%c", reg[k], c->r[k],
                               k % 4 == 3 ? '\n' : ' ');
    }
    g_string_append_printf(
        out, "RIP=%016" G_GINT64_MODIFIER "x RFL=%08x [%c%c%c%c%c%c%c%c%c] CPL=%d %s%s\n",
        cpu_ip(c), f, f & FLAG_OF ? 'O' : '-', f & FLAG_DF ? 'D' : '-', f & FLAG_IF ? 'I' : '-',
        f & FLAG_TF ? 'T' : '-', f & FLAG_SF ? 'S' : '-', f & FLAG_ZF ? 'Z' : '-',
        f & FLAG_AF ? 'A' : '-', f & FLAG_PF ? 'P' : '-', f & FLAG_CF ? 'C' : '-', c->cpl,
        c->mode & MODE_V86       ? "v86"
        : !(c->mode & MODE_PE)   ? "real"
        : cpu_is_64(c)           ? "64-bit"
        : cpu_code_bits(c) == 32 ? "32-bit"
                                 : "16-bit",
        c->halted ? " halted" : "");
    for (unsigned k = 0; k < SEG_COUNT; k++) {
        print_seg(c, k, seg[k], out);
    }
    g_string_append_printf(out, "GDT  base=%016" G_GINT64_MODIFIER "x limit=%04x\n", c->gdtr.base,
                           c->gdtr.limit);
    g_string_append_printf(out, "IDT  base=%016" G_GINT64_MODIFIER "x limit=%04x\n", c->idtr.base,
                           c->idtr.limit);
    g_string_append_printf(out,
                           "CR0=%08x CR2=%016" G_GINT64_MODIFIER "x CR3=%016" G_GINT64_MODIFIER
                           "x CR4=%08x EFER=%04x\n",
                           (uint32_t)c->cr0, c->cr2, c->cr3, (uint32_t)c->cr4, (uint32_t)c->efer);
    g_string_append_printf(
        out,
        "DR0=%08" G_GINT64_MODIFIER "x DR1=%08" G_GINT64_MODIFIER "x DR2=%08" G_GINT64_MODIFIER
        "x DR3=%08" G_GINT64_MODIFIER "x DR6=%08x DR7=%08x\n",
        c->dr[0], c->dr[1], c->dr[2], c->dr[3], (uint32_t)c->dr[6], (uint32_t)c->dr[7]);
}
