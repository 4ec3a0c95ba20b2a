/*
 * The state of a processor between struct cpu and the kernel's vCPU: everything either way, so that
 * another engine can go on where KVM stopped.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst (KVM_GET_REGS and its like); Intel SDM volume 1,
 * 13.4 (the XSAVE area).
 *
 * What KVM has begun to deliver (an interrupt that was queued) belongs to its state: kvm_vcpu.c
 * finishes it before the state is taken away for good.
 *
 * Not modelled: state that our CPU models have not (AVX-512, PKRU, SMM, nested guests).
 */
#include "accel/kvm_int.h"
#include "cpu/fpu.h"
#include "cpu/sys.h"
#include <errno.h>
#include <stddef.h>

/* ---- general registers ---- */

/* In the order of struct cpu.r. */
static const size_t reg_offset[16] = {
#define R(n) offsetof(struct kvm_regs, n)
    R(rax), R(rcx), R(rdx), R(rbx), R(rsp), R(rbp), R(rsi), R(rdi),
    R(r8),  R(r9),  R(r10), R(r11), R(r12), R(r13), R(r14), R(r15),
#undef R
};

static __u64 *reg_at(struct kvm_regs *r, unsigned n)
{
    return (__u64 *)((char *)r + reg_offset[n]);
}

static void regs_take(struct cpu *c, struct kvm_regs *r)
{
    for (unsigned n = 0; n < 16; n++) {
        c->r[n] = *reg_at(r, n);
    }
    c->ip = r->rip;
    cpu_set_eflags(c, (uint32_t)r->rflags, UINT32_MAX);
}

static bool regs_move(struct kvm_vcpu *e, struct cpu *c, bool push)
{
    struct kvm_regs r = {0};

    if (push) {
        for (unsigned n = 0; n < 16; n++) {
            *reg_at(&r, n) = c->r[n];
        }
        r.rip = c->ip;
        r.rflags = cpu_get_eflags(c);
        return kvm_call(e->fd, KVM_SET_REGS, &r) >= 0;
    }
    if (kvm_call(e->fd, KVM_GET_REGS, &r) < 0) {
        return false;
    }
    regs_take(c, &r);
    return true;
}

/* ---- segments and control registers ---- */

static const size_t seg_offset[SEG_COUNT] = {
#define S(n) offsetof(struct kvm_sregs, n)
    S(es), S(cs), S(ss), S(ds), S(fs), S(gs), S(ldt), S(tr),
#undef S
};

static struct kvm_segment *seg_at(struct kvm_sregs *s, unsigned n)
{
    return (struct kvm_segment *)((char *)s + seg_offset[n]);
}

static void seg_push(const struct cpu *c, unsigned n, struct kvm_segment *to)
{
    const struct seg *s = &c->seg[n];
    bool v86 = c->eflags & FLAG_VM;

    *to = (struct kvm_segment){
        .base = s->base,
        .limit = s->limit,
        .selector = s->sel,
        .type = s->attr & SEG_TYPE,
        .s = !!(s->attr & SEG_S),
        .dpl = (s->attr & SEG_DPL) >> SEG_DPL_SHIFT,
        .present = !!(s->attr & SEG_P),
        .avl = !!(s->attr & SEG_AVL),
        .l = !!(s->attr & SEG_L),
        .db = !!(s->attr & SEG_DB),
        .g = !!(s->attr & SEG_G),
        .unusable = !(s->attr & SEG_P),
    };
    if (v86 && n < SEG_LDTR) { /* what the processor makes of them in this mode */
        to->type = 3;
        to->dpl = 3;
    }
    if (n == SEG_SS) { /* where the kernel finds the CPL */
        to->dpl = c->cpl;
    }
    if (n == SEG_TR) { /* is busy in a processor */
        to->type |= 2;
    }
}

static void seg_pull(struct cpu *c, unsigned n, const struct kvm_segment *from)
{
    bool null = from->unusable || !from->present;

    c->seg[n] = (struct seg){
        .sel = from->selector,
        .base = from->base,
        .limit = from->limit,
        .attr = (uint16_t)(from->type | (from->s ? SEG_S : 0) | from->dpl << SEG_DPL_SHIFT |
                           (null ? 0 : SEG_P) | (from->avl ? SEG_AVL : 0) | (from->l ? SEG_L : 0) |
                           (from->db ? SEG_DB : 0) | (from->g ? SEG_G : 0)),
    };
}

static struct kvm_dtable dtable_push(const struct dtable *t)
{
    return (struct kvm_dtable){.base = t->base, .limit = t->limit};
}

static bool sregs_push(struct kvm_vcpu *e, struct cpu *c)
{
    struct kvm_sregs s = {0};

    for (unsigned n = 0; n < SEG_COUNT; n++) {
        seg_push(c, n, seg_at(&s, n));
    }
    s.gdt = dtable_push(&c->gdtr);
    s.idt = dtable_push(&c->idtr);
    s.idt.limit = e->no_idt ? 0 : s.idt.limit;
    s.cr0 = c->cr0;
    s.cr2 = c->cr2;
    s.cr3 = c->cr3;
    s.cr4 = c->cr4;
    s.efer = c->efer;
    kvm_irq_fill_sregs(c->v, &s);
    return kvm_call(e->fd, KVM_SET_SREGS, &s) >= 0;
}

static void sregs_take(struct cpu *c, struct kvm_sregs *s)
{
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        seg_pull(c, n, seg_at(s, n));
    }
    c->gdtr = (struct dtable){.base = s->gdt.base, .limit = s->gdt.limit};
    c->idtr = (struct dtable){.base = s->idt.base, .limit = s->idt.limit};
    c->cr0 = s->cr0;
    c->cr2 = s->cr2;
    c->cr3 = s->cr3;
    c->cr4 = s->cr4;
    c->efer = s->efer;
    c->cpl = s->cr0 & CR0_PE ? s->ss.dpl : 0;
}

static bool sregs_pull(struct kvm_vcpu *e, struct cpu *c)
{
    struct kvm_sregs s;

    if (kvm_call(e->fd, KVM_GET_SREGS, &s) < 0) {
        return false;
    }
    sregs_take(c, &s);
    return true;
}

/* ---- x87 and SIMD ---- */

enum { XSAVE_BYTES = 4096, XSAVE_XMM = 160, XSAVE_MXCSR = 24, XSAVE_BV = 512, XSAVE_YMM = 576 };

static bool fpu_push(struct kvm_vcpu *e, struct cpu *c)
{
    g_autofree uint8_t *area = g_malloc0(XSAVE_BYTES);
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = c->fpu.xcr0}}};

    fpu_get_x87(c, area);
    st_le32(area + XSAVE_MXCSR, c->fpu.mxcsr);
    st_le32(area + XSAVE_MXCSR + 4, MXCSR_VALID);
    for (unsigned n = 0; n < 16; n++) {
        memcpy(area + XSAVE_XMM + 16 * n, c->fpu.ymm[n], 16);
        memcpy(area + XSAVE_YMM + 16 * n, c->fpu.ymm[n] + 16, 16);
    }
    st_le64(area + XSAVE_BV, cpu_has(c, FEAT_AVX) ? 7 : 3);
    return kvm_call(e->fd, KVM_SET_XSAVE, area) >= 0 &&
           (!cpu_has(c, FEAT_XSAVE) || kvm_call(e->fd, KVM_SET_XCRS, &xcrs) >= 0);
}

/* A part that the area's header says is in its initial state is not in the area. */
static bool fpu_pull(struct kvm_vcpu *e, struct cpu *c)
{
    g_autofree uint8_t *area = g_malloc0(XSAVE_BYTES);
    struct kvm_xcrs xcrs = {0};
    uint64_t parts;

    if (kvm_call(e->fd, KVM_GET_XSAVE, area) < 0 ||
        (cpu_has(c, FEAT_XSAVE) && kvm_call(e->fd, KVM_GET_XCRS, &xcrs) < 0)) {
        return false;
    }
    parts = ld_le64(area + XSAVE_BV);
    fpu_set_x87(c, parts & 1 ? area : NULL);
    c->fpu.mxcsr = ld_le32(area + XSAVE_MXCSR);
    for (unsigned n = 0; n < 16; n++) {
        memset(c->fpu.ymm[n], 0, 32);
        if (parts & 2) {
            memcpy(c->fpu.ymm[n], area + XSAVE_XMM + 16 * n, 16);
        }
        if (parts & 4) {
            memcpy(c->fpu.ymm[n] + 16, area + XSAVE_YMM + 16 * n, 16);
        }
    }
    if (xcrs.nr_xcrs) {
        c->fpu.xcr0 = xcrs.xcrs[0].value;
    }
    return true;
}

/* ---- debug registers and events ---- */

static bool debug_move(struct kvm_vcpu *e, struct cpu *c, bool push)
{
    struct kvm_debugregs d = {.dr6 = c->dr[6], .dr7 = c->dr[7]};

    if (push) {
        for (unsigned n = 0; n < 4; n++) {
            d.db[n] = c->dr[n];
        }
        return kvm_call(e->fd, KVM_SET_DEBUGREGS, &d) >= 0;
    }
    if (kvm_call(e->fd, KVM_GET_DEBUGREGS, &d) < 0) {
        return false;
    }
    for (unsigned n = 0; n < 4; n++) {
        c->dr[n] = d.db[n];
    }
    c->dr[6] = d.dr6;
    c->dr[7] = d.dr7;
    return true;
}

static bool events_push(struct kvm_vcpu *e, const struct cpu *c)
{
    struct kvm_vcpu_events ev = {
        .interrupt.shadow = c->inhibit ? KVM_X86_SHADOW_INT_STI | KVM_X86_SHADOW_INT_MOV_SS : 0,
        .nmi.pending = c->nmi_pending,
        .nmi.masked = c->nmi_masked,
        .interrupt.injected = c->begun == CPU_BEGUN_INTERRUPT,
        .interrupt.nr = c->begun_vector,
        .exception.injected = c->begun >= CPU_BEGUN_FAULT,
        .exception.nr = c->begun_vector,
        .exception.has_error_code = c->begun == CPU_BEGUN_FAULT_ERROR,
        .exception.error_code = c->begun_error,
        .flags = KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_NMI_PENDING,
    };

    return kvm_call(e->fd, KVM_SET_VCPU_EVENTS, &ev) >= 0;
}

/* What was to be delivered when the processor next enters the guest.  An instruction that raises an
 * interrupt or a breakpoint has not been left yet, and does so again. */
static void begun_pull(const struct kvm_vcpu_events *ev, struct cpu *c)
{
    c->begun = CPU_BEGUN_NOTHING;
    c->begun_vector = 0;
    c->begun_error = 0;
    if (ev->exception.injected) {
        c->begun = ev->exception.has_error_code ? CPU_BEGUN_FAULT_ERROR : CPU_BEGUN_FAULT;
        c->begun_vector = ev->exception.nr;
        c->begun_error = ev->exception.has_error_code ? ev->exception.error_code : 0;
    } else if (ev->interrupt.injected && !ev->interrupt.soft) {
        c->begun = CPU_BEGUN_INTERRUPT;
        c->begun_vector = ev->interrupt.nr;
    }
}

static void events_take(struct cpu *c, const struct kvm_vcpu_events *ev)
{
    c->inhibit = ev->interrupt.shadow;
    c->nmi_pending = ev->nmi.pending;
    c->nmi_masked = ev->nmi.masked;
    if (ev->nmi.injected) { /* not there yet */
        c->nmi_masked = false;
        c->nmi_pending = (uint8_t)MIN(c->nmi_pending + 1, 2);
    }
    begun_pull(ev, c);
}

static bool events_pull(const struct kvm_vcpu *e, struct cpu *c)
{
    struct kvm_vcpu_events ev = {0};

    if (kvm_call(e->fd, KVM_GET_VCPU_EVENTS, &ev) < 0) {
        return false;
    }
    events_take(c, &ev);
    return true;
}

/* ---- model-specific registers ---- */

static uint64_t *msr_field(struct cpu *c, unsigned n, uint32_t *msr, enum feature *needs)
{
    const struct {
        uint32_t msr;
        uint64_t *at;
        enum feature needs;
    } rows[] = {
        {0x175, &c->sysenter_esp, FEAT_SEP},
        {0x176, &c->sysenter_eip, FEAT_SEP},
        {0xc0000081, &c->star, FEAT_SYSCALL},
        {0xc0000082, &c->lstar, FEAT_LM},
        {0xc0000083, &c->cstar, FEAT_LM},
        {0xc0000084, &c->sfmask, FEAT_LM},
        {0xc0000102, &c->kernel_gs_base, FEAT_LM},
        {0xc0000103, &c->tsc_aux, FEAT_RDTSCP},
        {0x277, &c->pat, FEAT_PAT},
        {0x48, &c->spec_ctrl, FEAT_SPEC_CTRL},
    };

    if (n >= ARRAY_LEN(rows)) {
        return NULL;
    }
    *msr = rows[n].msr;
    *needs = rows[n].needs;
    return rows[n].at;
}

enum { MSRS_MAX = 16 };

static bool msrs_move(struct kvm_vcpu *e, struct cpu *c, bool push)
{
    g_autofree struct kvm_msrs *list = g_malloc0(sizeof *list + MSRS_MAX * sizeof list->entries[0]);
    uint64_t *at[MSRS_MAX], sysenter_cs = c->sysenter_cs;
    enum feature needs;
    uint32_t msr;

    for (unsigned n = 0; (at[list->nmsrs] = msr_field(c, n, &msr, &needs)); n++) {
        if (cpu_has(c, needs)) {
            list->entries[list->nmsrs] =
                (struct kvm_msr_entry){.index = msr, .data = *at[list->nmsrs]};
            list->nmsrs++;
        }
    }
    if (cpu_has(c, FEAT_SEP)) {
        at[list->nmsrs] = &sysenter_cs;
        list->entries[list->nmsrs++] =
            (struct kvm_msr_entry){.index = 0x174, .data = c->sysenter_cs};
    }
    if (kvm_call(e->fd, push ? KVM_SET_MSRS : KVM_GET_MSRS, list) < (int)list->nmsrs) {
        return false;
    }
    for (unsigned n = 0; !push && n < list->nmsrs; n++) {
        *at[n] = list->entries[n].data;
    }
    c->sysenter_cs = (uint32_t)sysenter_cs;
    return true;
}

/* ---- everything ---- */

static bool state_failed(struct vcpu *v, const char *what, GError **err)
{
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "KVM: vCPU %u: %s: %s", v->id, what,
                g_strerror(errno));
    return false;
}

bool kvm_parts_push(struct vcpu *v, unsigned parts)
{
    struct kvm_vcpu *e = v->engine;
    struct cpu *c = v->cpu;

    return (!(parts & KVM_PART_REGS) || regs_move(e, c, true)) &&
           (!(parts & KVM_PART_SREGS) || sregs_push(e, c)) &&
           (!(parts & KVM_PART_FPU) || fpu_push(e, c)) &&
           (!(parts & KVM_PART_DEBUG) || debug_move(e, c, true)) &&
           (!(parts & KVM_PART_MSRS) || msrs_move(e, c, true)) &&
           (!(parts & KVM_PART_EVENTS) || events_push(e, c));
}

bool kvm_parts_pull(struct vcpu *v, unsigned parts)
{
    struct kvm_vcpu *e = v->engine;
    struct cpu *c = v->cpu;

    /* Asked for events, the kernel puts a page fault's address into CR2 and so on. */
    return (!(parts & KVM_PART_EVENTS) || events_pull(e, c)) &&
           (!(parts & KVM_PART_SREGS) || sregs_pull(e, c)) &&
           (!(parts & KVM_PART_REGS) || regs_move(e, c, false)) &&
           (!(parts & KVM_PART_FPU) || fpu_pull(e, c)) &&
           (!(parts & KVM_PART_DEBUG) || debug_move(e, c, false)) &&
           (!(parts & KVM_PART_MSRS) || msrs_move(e, c, false));
}

unsigned kvm_shared_parts(struct kvm_vcpu *e)
{
    const unsigned all = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;

    if ((unsigned)MAX(kvm_capability(e->k->vm, KVM_CAP_SYNC_REGS), 0) < all) {
        return 0;
    }
    e->run->kvm_valid_regs = all;
    return KVM_PART_REGS | KVM_PART_SREGS | KVM_PART_EVENTS;
}

void kvm_shared_pull(struct vcpu *v)
{
    struct kvm_vcpu *e = v->engine;

    sregs_take(v->cpu, &e->run->s.regs.sregs);
    regs_take(v->cpu, &e->run->s.regs.regs);
    events_take(v->cpu, &e->run->s.regs.events);
}

bool kvm_state_push(struct vcpu *v, GError **err)
{
    struct kvm_vcpu *e = v->engine;

    if (!kvm_parts_push(v, KVM_PARTS_ALL) || !kvm_irq_push_mp(v)) {
        return state_failed(v, "its state cannot be set", err);
    }
    kvm_tsc_push(v);
    e->loaded = true;
    return true;
}

bool kvm_state_pull(struct vcpu *v, GError **err)
{
    struct cpu *c = v->cpu;

    if (!kvm_irq_pull_mp(v) || !kvm_parts_pull(v, KVM_PARTS_ALL)) {
        return state_failed(v, "its state cannot be read", err);
    }
    if (c->cr0 & CR0_PG && c->cr4 & CR4_PAE && !(c->efer & EFER_LMA)) {
        mmu_load_pdptes(c, c->cr3);
    }
    c->cur = NULL;
    mmu_flush(c, true);
    cpu_update_mode(c);
    return true;
}
