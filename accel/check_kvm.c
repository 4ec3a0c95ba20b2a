/*
 * KVM as the engine that is compared with the interpreter, one instruction at a time: the kernel's
 * vCPU single-steps what the interpreter has done, on the same memory, from the same state.
 *
 * The guest's state stands in struct cpu.  What of it the kernel has not already goes there before
 * a step, and everything comes back behind it.  The kernel's processor gets an empty IDT, so that
 * an exception, which nobody could stop from running its handler, ends in a shutdown: that both
 * raise is seen, which exception is not.  The guest goes on with what the kernel left, and by the
 * interpreter where they are not compared.
 *
 * What may differ stands in the table of rules and in forgive(), each with its reason.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst (KVM_SET_GUEST_DEBUG).
 *
 * Not modelled: several processors; stores of the kernel's to pages that the interpreter did not
 * store to.
 */
#include "accel/check_int.h"
#include "accel/interp_int.h"
#include "accel/kvm_int.h"
#include "cpu/fpu.h"
#include "cpu/sys.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

enum { REP_MAX = 2000 }; /* longer strings are not stepped through */

struct check_kvm {
    struct kvm_vcpu *e;
    bool valid;                /* the kernel has the state in `has` */
    struct cpu *has;           /* in our terms */
    struct cpu *now;           /* as the kernel tells it */
    struct seg raw[SEG_COUNT]; /* as it told the state in `has` */
    struct dtable raw_gdtr;
    uint64_t a20_mask;
    unsigned shared; /* KVM_PART_* that every KVM_RUN brings with it */
};

/* ---- what may differ ---- */

enum { ANY = -1, MEM = 8 /* reg of a memory operand */ };
#define FL_SZAP (FL_SF | FL_ZF | FL_AF | FL_PF)
#define FL_ALL  (FL_SZAP | FL_OF | FL_CF)

struct rule {
    uint8_t map, first, last;
    int8_t reg;         /* of the ModRM byte, + MEM: only with memory; ANY */
    uint16_t undefined; /* FL_*: the manuals leave them open; 0: the instruction is not compared */
};

/* Not compared are those that see that they are stepped or that the IDT is empty, that run on into
 * the next one, or that do not do the same twice. */
static const struct rule rules[] = {
    {MAP_1, 0x9c, 0x9c, ANY, 0}, /* PUSHF pushes TF, which steps */
    {MAP_1, 0xcc, 0xce, ANY, 0}, /* INT3, INT n, INTO go through the IDT */
    {MAP_1, 0xf1, 0xf1, ANY, 0}, /* INT1 */
    {MAP_1, 0x17, 0x17, ANY, 0}, /* POP SS, MOV SS, LSS: no trap before the next instruction */
    {MAP_1, 0x8e, 0x8e, 2, 0},
    {MAP_0F, 0xb2, 0xb2, ANY, 0},
    {MAP_1, 0xf4, 0xf4, ANY, 0}, /* HLT waits */
    {MAP_1, 0xfb, 0xfb, ANY,
     0}, /* STI: QEMU's processor takes that trap behind the next one, too */
    {MAP_1, 0x90, 0x90, ANY, 0},  /* PAUSE: QEMU's processor forgets the trap */
    {MAP_0F, 0x05, 0x05, ANY, 0}, /* SYSCALL keeps the flags, TF too; SYSRET takes them back */
    {MAP_0F, 0x07, 0x07, ANY, 0},
    {MAP_0F, 0x21, 0x21, ANY, 0}, /* MOV to and from debug registers: single-step has them */
    {MAP_0F, 0x23, 0x23, ANY, 0},
    {MAP_0F, 0x01, 0x01, 1 + MEM, 0}, /* SIDT, LIDT: the table is empty */
    {MAP_0F, 0x01, 0x01, 3 + MEM, 0},
    {MAP_1, 0xd9, 0xd9, 6 + MEM,
     0}, /* FNSTENV, FNSAVE, FXSAVE, XSAVE...: processors differ in when */
    {MAP_1, 0xdd, 0xdd, 6 + MEM, 0}, /* they keep the x87 pointers */
    {MAP_0F, 0xae, 0xae, 0 + MEM, 0},
    {MAP_0F, 0xae, 0xae, 4 + MEM, 0},
    {MAP_0F, 0xae, 0xae, 6 + MEM, 0},
    {MAP_0F, 0xc7, 0xc7, 4 + MEM, 0},
    {MAP_0F, 0xc7, 0xc7, 6, 0}, /* RDRAND, RDSEED */
    {MAP_0F, 0xc7, 0xc7, 7, 0},
    {MAP_0F, 0x31, 0x31, ANY, 0},    /* RDTSC */
    {MAP_1, 0x08, 0x0d, ANY, FL_AF}, /* OR, AND, XOR, TEST */
    {MAP_1, 0x20, 0x25, ANY, FL_AF},
    {MAP_1, 0x30, 0x35, ANY, FL_AF},
    {MAP_1, 0x84, 0x85, ANY, FL_AF},
    {MAP_1, 0xa8, 0xa9, ANY, FL_AF},
    {MAP_1, 0x80, 0x83, 1, FL_AF},
    {MAP_1, 0x80, 0x83, 4, FL_AF},
    {MAP_1, 0x80, 0x83, 6, FL_AF},
    {MAP_1, 0xf6, 0xf7, 0, FL_AF},
    {MAP_1, 0xf6, 0xf7, 1, FL_AF},
    {MAP_1, 0xf6, 0xf7, 4, FL_SZAP}, /* MUL, IMUL */
    {MAP_1, 0xf6, 0xf7, 5, FL_SZAP},
    {MAP_1, 0x69, 0x69, ANY, FL_SZAP},
    {MAP_1, 0x6b, 0x6b, ANY, FL_SZAP},
    {MAP_0F, 0xaf, 0xaf, ANY, FL_SZAP},
    {MAP_1, 0xf6, 0xf7, 6, FL_ALL}, /* DIV, IDIV */
    {MAP_1, 0xf6, 0xf7, 7, FL_ALL},
    {MAP_1, 0xc0, 0xc1, ANY, FL_AF | FL_OF | FL_CF}, /* shifts and rotates */
    {MAP_1, 0xd0, 0xd1, ANY, FL_AF},
    {MAP_1, 0xd2, 0xd3, ANY, FL_AF | FL_OF | FL_CF},
    {MAP_0F, 0xa4, 0xa5, ANY, FL_ALL}, /* SHLD, SHRD */
    {MAP_0F, 0xac, 0xad, ANY, FL_ALL},
    {MAP_0F, 0xa3, 0xa3, ANY, FL_OF | FL_SF | FL_AF | FL_PF}, /* BT, BTS, BTR, BTC */
    {MAP_0F, 0xab, 0xab, ANY, FL_OF | FL_SF | FL_AF | FL_PF},
    {MAP_0F, 0xb3, 0xb3, ANY, FL_OF | FL_SF | FL_AF | FL_PF},
    {MAP_0F, 0xba, 0xbb, ANY, FL_OF | FL_SF | FL_AF | FL_PF},
    {MAP_0F, 0xbc, 0xbd, ANY, FL_ALL & ~FL_ZF}, /* BSF, BSR; TZCNT and LZCNT but for CF */
    {MAP_1, 0x27, 0x27, ANY, FL_OF},            /* DAA, DAS, AAA, AAS, AAM, AAD */
    {MAP_1, 0x2f, 0x2f, ANY, FL_OF},
    {MAP_1, 0x37, 0x37, ANY, FL_OF | FL_SF | FL_ZF | FL_PF},
    {MAP_1, 0x3f, 0x3f, ANY, FL_OF | FL_SF | FL_ZF | FL_PF},
    {MAP_1, 0xd4, 0xd5, ANY, FL_OF | FL_AF | FL_CF},
    {MAP_VEX_0F38, 0xf2, 0xf7, ANY,
     FL_AF | FL_PF | FL_SF | FL_OF | FL_CF}, /* ANDN, BLSR..., BZHI, BEXTR */
};

static const struct rule *rule_of(const struct decode *d)
{
    for (unsigned n = 0; n < ARRAY_LEN(rules); n++) {
        const struct rule *r = &rules[n];
        bool needs_mem = r->reg >= MEM;

        if (d->map == r->map && d->op >= r->first && d->op <= r->last &&
            (r->reg == ANY ||
             (d->has_modrm && (d->modrm >> 3 & 7) == (r->reg & 7) && (!needs_mem || d->has_mem)))) {
            return r;
        }
    }
    return NULL;
}

/* Segments that cannot be used hold what is left from earlier: Intel's processors clear what a null
 * selector is loaded into, AMD's leave it.  The accessed bit is kept set by processors.  SS.DPL is
 * where the kernel keeps the CPL. */
static void forgive_seg(struct seg *s, const struct seg *after, unsigned n, bool is_protected)
{
    uint16_t soft = SEG_A | (n == SEG_SS ? SEG_DPL : 0);
    bool same =
        s->base == after->base && s->limit == after->limit && !((s->attr ^ after->attr) & ~soft);
    bool unusable = !(s->attr & SEG_P) && !(after->attr & SEG_P);
    bool null = is_protected && n != SEG_CS && !(s->sel & ~3) && s->base == after->base;

    if (s->sel == after->sel && (same || unusable || null)) {
        *s = *after;
    }
}

/* SYSCALL's bit shows in 64-bit mode only; the kernel's table of leaves knows no modes. */
static void forgive_cpuid(struct cpu *c, const struct cpu *after, uint32_t leaf)
{
    if (leaf == 0x80000001) {
        c->r[R_RDX] = (c->r[R_RDX] & ~BIT64(11)) | (after->r[R_RDX] & BIT64(11));
    }
}

/* What may differ becomes as the interpreter left it. */
static void forgive(struct cpu *c, const struct cpu *after, const struct rule *r)
{
    uint16_t undefined = r ? r->undefined : 0;

    c->fl = (uint16_t)((c->fl & ~undefined) | (after->fl & undefined));
    /* RF is for code breakpoints, which are not armed here. */
    c->eflags = (c->eflags & ~(uint32_t)FLAG_RF) | (after->eflags & FLAG_RF);
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        forgive_seg(&c->seg[n], &after->seg[n], n, cpu_is_protected(after));
    }
    /* Processors keep the x87 pointers at different times, or not at all. */
    c->fpu.fop = after->fpu.fop;
    c->fpu.fcs = after->fpu.fcs;
    c->fpu.fds = after->fpu.fds;
    c->fpu.fip = after->fpu.fip;
    c->fpu.fdp = after->fpu.fdp;
    c->fpu.ferr = after->fpu.ferr;
    /* How many instructions a repeated string counts as is the engine's own affair. */
    c->icount = after->icount;
}

/* ---- the state ---- */

static bool same_dtable(const struct dtable *a, const struct dtable *b)
{
    return a->base == b->base && a->limit == b->limit;
}

/* KVM_PART_* that the kernel has not as they are in c. */
static unsigned parts_changed(const struct cpu *c, const struct cpu *has)
{
    bool regs = memcmp(c->r, has->r, 16 * sizeof c->r[0]) || c->ip != has->ip ||
                cpu_get_eflags(c) != cpu_get_eflags(has);
    bool sregs = memcmp(c->seg, has->seg, sizeof c->seg) || !same_dtable(&c->gdtr, &has->gdtr) ||
                 !same_dtable(&c->idtr, &has->idtr) || c->cr0 != has->cr0 || c->cr2 != has->cr2 ||
                 c->cr3 != has->cr3 || c->cr4 != has->cr4 || c->efer != has->efer ||
                 c->cpl != has->cpl || (c->eflags ^ has->eflags) & FLAG_VM;
    bool fpu = memcmp(c->fpu.fxsave, has->fpu.fxsave, sizeof c->fpu.fxsave) ||
               memcmp(c->fpu.ymm, has->fpu.ymm, sizeof c->fpu.ymm) ||
               c->fpu.mxcsr != has->fpu.mxcsr || c->fpu.xcr0 != has->fpu.xcr0;
    bool msrs = c->star != has->star || c->lstar != has->lstar || c->cstar != has->cstar ||
                c->sfmask != has->sfmask || c->kernel_gs_base != has->kernel_gs_base ||
                c->sysenter_cs != has->sysenter_cs || c->sysenter_esp != has->sysenter_esp ||
                c->sysenter_eip != has->sysenter_eip || c->tsc_aux != has->tsc_aux ||
                c->pat != has->pat || c->spec_ctrl != has->spec_ctrl;

    return (regs ? KVM_PART_REGS : 0u) | (sregs ? KVM_PART_SREGS : 0u) | (fpu ? KVM_PART_FPU : 0u) |
           (msrs ? KVM_PART_MSRS : 0u) |
           (memcmp(c->dr, has->dr, sizeof c->dr) ? KVM_PART_DEBUG : 0u) |
           (c->inhibit != has->inhibit || c->nmi_masked != has->nmi_masked ? KVM_PART_EVENTS : 0u);
}

/* A change of CR0.WP makes the kernel build its translations anew. */
static bool flush_tlb(struct vcpu *v, struct cpu *c)
{
    c->cr0 ^= CR0_WP;
    bool good = kvm_parts_push(v, KVM_PART_SREGS);
    c->cr0 ^= CR0_WP;
    return good;
}

/* The kernel's own picture of the segments that it was given. */
static bool take_raw(struct check_kvm *s, struct vcpu *v, struct cpu *c)
{
    memcpy(s->now, c, sizeof *c);
    v->cpu = s->now;
    bool good = kvm_parts_pull(v, KVM_PART_SREGS);
    v->cpu = c;
    memcpy(s->raw, s->now->seg, sizeof s->raw);
    s->raw_gdtr = s->now->gdtr;
    return good;
}

static bool push(struct check_kvm *s, struct vcpu *v, struct cpu *c, bool flush)
{
    unsigned parts = s->valid ? parts_changed(c, s->has) : KVM_PARTS_ALL;

    if (flush || !s->valid || c->map_gen != s->has->map_gen ||
        c->global_gen != s->has->global_gen) {
        parts |= KVM_PART_SREGS;
        if (!flush_tlb(v, c)) {
            return false;
        }
    }
    s->valid = false;
    return kvm_parts_push(v, parts) && (!(parts & KVM_PART_SREGS) || take_raw(s, v, c));
}

static void merge_segs(struct check_kvm *s, struct cpu *c)
{
    const struct cpu *now = s->now;

    for (unsigned n = 0; n < SEG_COUNT; n++) {
        if (memcmp(&now->seg[n], &s->raw[n], sizeof s->raw[n])) {
            c->seg[n] = s->raw[n] = now->seg[n];
        }
    }
    if (!same_dtable(&now->gdtr, &s->raw_gdtr)) {
        c->gdtr = s->raw_gdtr = now->gdtr;
    }
}

/* KVM_PART_* that an instruction can change, by and large: every call into the kernel costs as much
 * as the step. */
static unsigned parts_of(const struct decode *d)
{
    unsigned parts = KVM_PART_REGS | KVM_PART_SREGS | KVM_PART_EVENTS;
    bool x87 = d->map == MAP_1 && (d->op >= 0xd8 || d->op == 0x9b) && d->op <= 0xdf;
    bool plain = d->map == MAP_1 || (d->map == MAP_0F && ((d->op >= 0x80 && d->op <= 0xad) ||
                                                          (d->op >= 0xb0 && d->op <= 0xc1) ||
                                                          (d->op >= 0x40 && d->op <= 0x4f)));

    if (x87 || !plain) {
        parts |= KVM_PART_FPU;
    }
    return d->map == MAP_0F && (d->op <= 0x0f || (d->op >= 0x20 && d->op <= 0x23) ||
                                (d->op >= 0x30 && d->op <= 0x3f))
               ? KVM_PARTS_ALL
               : parts;
}

/* What the kernel left becomes the state in c. */
static bool pull(struct check_kvm *s, struct vcpu *v, struct cpu *c, unsigned parts)
{
    struct cpu *now = s->now;

    memcpy(now, c, sizeof *c);
    v->cpu = now;
    bool good = kvm_parts_pull(v, parts & ~s->shared);
    if (s->shared) {
        kvm_shared_pull(v);
    }
    v->cpu = c;
    s->valid = good;
    memcpy(c->r, now->r, 16 * sizeof c->r[0]);
    c->ip = now->ip;
    c->fl = now->fl;
    c->eflags = now->eflags;
    merge_segs(s, c);
    c->cr0 = now->cr0;
    c->cr2 = now->cr2;
    c->cr3 = now->cr3;
    c->cr4 = now->cr4;
    c->efer = now->efer;
    c->cpl = now->cpl;
    memcpy(c->dr, now->dr, 4 * sizeof c->dr[0]);
    c->dr[7] = now->dr[7];
    c->star = now->star;
    c->lstar = now->lstar;
    c->cstar = now->cstar;
    c->sfmask = now->sfmask;
    c->kernel_gs_base = now->kernel_gs_base;
    c->sysenter_cs = now->sysenter_cs;
    c->sysenter_esp = now->sysenter_esp;
    c->sysenter_eip = now->sysenter_eip;
    c->tsc_aux = now->tsc_aux;
    c->pat = now->pat;
    c->spec_ctrl = now->spec_ctrl;
    c->inhibit = now->inhibit;
    c->nmi_masked = now->nmi_masked;
    c->fpu = now->fpu;
    fpu_set_mxcsr(c, c->fpu.mxcsr);
    return good;
}

/* ---- a step ---- */

enum step { STEP_DONE, STEP_SHUTDOWN, STEP_ELSEWHERE };

/* An exit that is not the trap behind the instruction: have the kernel end it, whatever comes of
 * it.
 */
static void end_exit(struct kvm_vcpu *e)
{
    for (unsigned n = 0; n < 8; n++) {
        e->run->immediate_exit = 1;
        if (ioctl(e->fd, KVM_RUN, NULL) < 0) {
            break;
        }
    }
}

static enum step step_once(struct kvm_vcpu *e)
{
    struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP};
    int n;

    /* Each time: the kernel only puts TF where RIP was when it was asked. */
    if (kvm_call(e->fd, KVM_SET_GUEST_DEBUG, &debug) < 0) {
        return STEP_ELSEWHERE;
    }
    do {
        e->run->immediate_exit = 0;
        n = ioctl(e->fd, KVM_RUN, NULL);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n < 0) {
        return STEP_ELSEWHERE;
    }
    switch (e->run->exit_reason) {
    case KVM_EXIT_DEBUG:
        return STEP_DONE;
    case KVM_EXIT_SHUTDOWN:
        return STEP_SHUTDOWN;
    default:
        end_exit(e);
        return STEP_ELSEWHERE;
    }
}

static bool is_string(const struct decode *d)
{
    return d->map == MAP_1 && d->rep &&
           ((d->op >= 0xa4 && d->op <= 0xa7) || (d->op >= 0xaa && d->op <= 0xaf));
}

/* A repeated string traps behind each element: as many as the interpreter took. */
static enum step step_string(struct kvm_vcpu *e, const struct cpu *after)
{
    struct kvm_regs r = {0};
    enum step step;

    for (unsigned n = 0; n < REP_MAX + 2; n++) {
        step = step_once(e);
        if (step != STEP_DONE || kvm_call(e->fd, KVM_GET_REGS, &r) < 0 || r.rip == after->ip ||
            r.rcx == after->r[R_RCX]) {
            break;
        }
    }
    if (step == STEP_DONE && r.rip != after->ip) { /* none is left, and it was not seen yet */
        step = step_once(e);
    }
    return step;
}

static bool is_too_long(const struct cpu *c, const struct check *k)
{
    return c->r[R_RCX] - k->after->r[R_RCX] > REP_MAX;
}

static bool follow_map(struct check_kvm *s, struct machine *m)
{
    uint64_t mask = atomic_load(&m->a20_mask);
    g_autoptr(GError) err = NULL;

    if (mask != s->a20_mask && !kvm_mem_update(m, &err)) {
        kvm_say("%s", err->message);
        return false;
    }
    s->a20_mask = mask;
    return true;
}

static enum step step(struct check *k, struct cpu *c, const struct decode *d)
{
    struct check_kvm *s = k->second_data;
    struct vcpu *v = c->v;
    void *engine = v->engine;
    enum step done = STEP_ELSEWHERE;

    v->engine = s->e;
    if (follow_map(s, v->m) && push(s, v, c, k->again == k->before->icount + 1)) {
        done = is_string(d) ? step_string(s->e, k->after) : step_once(s->e);
        if (done == STEP_DONE && !pull(s, v, c, parts_of(d))) {
            done = STEP_ELSEWHERE;
        }
    }
    v->engine = engine;
    return done;
}

static G_NORETURN void leave_to_interp(struct check *k, struct cpu *c, enum cpu_outside why)
{
    k->give_up = true;
    c->cur = NULL;
    cpu_outside(c, why);
    g_assert_not_reached();
}

static bool decode_at(struct cpu *c, struct decode *d)
{
    uint8_t bytes[16] = {0};
    unsigned got = mmu_peek(c, c->ip + c->cs_base, bytes, 15);
    struct insn i = {.n = 1};
    bool end;

    return cpu_decode(c, bytes, got, &i, &end, d) == DECODE_OK;
}

static void kvm_as_second(struct cpu *c, struct interp *e, uint64_t until)
{
    struct check *k = e->check;
    struct decode d = {0};
    bool decoded = decode_at(c, &d);
    const struct rule *r = decoded ? rule_of(&d) : NULL;

    (void)until;
    c->cur = NULL;
    if ((r && !r->undefined) || c->nmi_pending || (decoded && is_string(&d) && is_too_long(c, k))) {
        leave_to_interp(k, c, OUTSIDE_KVM);
    }
    switch (step(k, c, &d)) {
    case STEP_DONE:
        forgive(c, k->after, r);
        if (d.map == MAP_0F && d.op == 0xa2) {
            forgive_cpuid(c, k->after, (uint32_t)k->before->r[R_RAX]);
        }
        cpu_update_mode(c);
        memcpy(((struct check_kvm *)k->second_data)->has, c, sizeof *c);
        break;
    case STEP_SHUTDOWN:
        if (k->end == CHECK_RAISED) {
            leave_to_interp(k, c, OUTSIDE_RAISED);
        }
        c->excp.vector = 0xff; /* which one it was the kernel does not tell */
        c->excp.has_error = false;
        longjmp(c->jmp, 1);
    case STEP_ELSEWHERE:
        leave_to_interp(k, c, OUTSIDE_KVM);
    }
}

/* ---- life ---- */

static void kvm_second_fini(struct cpu *c, struct interp *e)
{
    struct check *k = e->check;
    struct check_kvm *s = k->second_data;
    void *engine = c->v->engine;

    if (s) {
        if (s->e) {
            c->v->engine = s->e;
            kvm_vcpu_detach(c->v);
            c->v->engine = engine;
        }
        free(s->has);
        free(s->now);
        g_free(s);
    }
    k->second_data = NULL;
}

static bool kvm_second_init(struct cpu *c, struct interp *e, GError **err)
{
    struct check *k = e->check;
    struct check_kvm *s = g_new0(struct check_kvm, 1);
    void *engine = c->v->engine;

    k->second_data = s;
    s->has = aligned_alloc(64, sizeof *s->has);
    s->now = aligned_alloc(64, sizeof *s->now);
    s->a20_mask = atomic_load(&c->v->m->a20_mask);
    bool good = kvm_vcpu_attach(c->v, true, err);
    if (good) {
        s->e = c->v->engine;
        s->e->no_idt = true;
        s->shared = kvm_shared_parts(s->e);
        kvm_vcpu_push(c->v); /* the model is what the host has */
        good = kvm_cpuid_set(s->e, c, err);
    }
    c->v->engine = engine;
    if (!good) {
        kvm_second_fini(c, e);
    }
    return good;
}

static const struct check_second second_kvm = {.name = "kvm",
                                               .init = kvm_second_init,
                                               .fini = kvm_second_fini,
                                               .run = kvm_as_second,
                                               .stretch = 1,
                                               .single = true};

static bool check_kvm_machine_init(struct machine *m, GError **err)
{
    return interp_init(m, err) && kvm_machine_init(m, err);
}

static bool check_kvm_init(struct vcpu *v, GError **err)
{
    return check_vcpu_init(v, &second_kvm, err);
}

static bool check_kvm_attach(struct vcpu *v, bool force, GError **err)
{
    (void)force;
    return check_vcpu_attach(v, &second_kvm, err);
}

const struct accel_ops accel_check_kvm = {
    .name = "check:kvm,interp",
    .title = "KVM against the interpreter, instruction by instruction",
    .available = kvm_available,
    .init = check_kvm_machine_init,
    .fini = kvm_machine_fini,
    .vcpu_init = check_kvm_init,
    .vcpu_fini = check_vcpu_fini,
    .vcpu_attach = check_kvm_attach,
    .vcpu_detach = check_vcpu_detach,
    .state_push = check_state_push,
    .vcpu_run = check_vcpu_run,
    .vcpu_reset = interp_vcpu_reset,
    .reg_get = interp_reg_get,
    .reg_set = interp_reg_set,
    .map_changed = kvm_map_changed,
};
