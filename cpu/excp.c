/*
 * Exceptions and interrupts: raising, entry through the real-mode table, 16-, 32- and 64-bit gates
 * and task gates, double and triple faults.
 *
 * Follows: Intel SDM volume 3, chapter 6 (table 6-5: double faults), 20.2 and 20.3 (V86 mode);
 * volume 2, INT n.
 *
 * Not modelled: machine checks, FRED, user interrupts.
 */
#include "cpu/sys.h"

/* ---- raising ---- */

static G_NORETURN void raise_now(struct cpu *c, unsigned vector, bool has_error, uint32_t error)
{
    c->excp.vector = vector;
    c->excp.has_error = has_error;
    c->excp.error = error;
    longjmp(c->jmp, 1);
}

void cpu_raise(struct cpu *c, unsigned vector)
{
    raise_now(c, vector, false, 0);
}

void cpu_raise_error(struct cpu *c, unsigned vector, uint32_t error)
{
    if (c->ext && vector >= EXCP_TS && vector <= EXCP_GP) {
        error |= 1;
    }
    raise_now(c, vector, true, error);
}

void cpu_raise_pf(struct cpu *c, uint64_t la, uint32_t error)
{
    mmu_faulted(c, la);
    c->cr2 = la;
    raise_now(c, EXCP_PF, true, error);
}

/* ---- entry ---- */

static uint32_t idt_error(const struct event *ev)
{
    return ev->vector * 8 + 2;
}

/* INT n, INT3 and INTO are subject to the gate's DPL. */
static bool event_is_soft(const struct event *ev)
{
    return ev->kind == EVENT_INTN || ev->kind == EVENT_INT3;
}

/*
 * EFLAGS as pushed: faults set RF so that the instruction can be restarted past a code breakpoint.
 * The code breakpoint's own #DB does not (SDM vol. 3, 17.3.1.1): it counts as a trap here.
 */
static uint32_t event_flags(const struct cpu *c, const struct event *ev)
{
    return cpu_get_eflags(c) | (ev->kind == EVENT_FAULT && ev->vector != EXCP_DF ? FLAG_RF : 0);
}

void excp_enter_real(struct cpu *c, const struct event *ev)
{
    struct xstack s;

    if (ev->vector * 4 + 3 > c->idtr.limit) {
        cpu_raise_error(c, EXCP_GP, idt_error(ev));
    }
    uint32_t target = (uint32_t)mem_sys_load(c, c->idtr.base + ev->vector * 4, 4);
    xstack_init(c, &s);
    xstack_push(c, &s, cpu_get_eflags(c), 0);
    xstack_push(c, &s, c->seg[SEG_CS].sel, 0);
    xstack_push(c, &s, ev->ip, 0);
    xstack_commit(c, &s);
    cpu_load_seg_real(c, SEG_CS, target >> 16);
    c->ip = target & 0xffff;
    c->eflags &= ~(uint32_t)(FLAG_IF | FLAG_TF | FLAG_RF | FLAG_AC);
    cpu_update_mode(c);
}

/* Flags and mode once CS:IP and the stack are those of the handler. */
static void enter_finish(struct cpu *c, uint64_t ip, bool interrupt_gate)
{
    c->ip = ip;
    c->eflags &=
        ~(uint32_t)(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (interrupt_gate ? FLAG_IF : 0));
    cpu_update_mode(c);
}

static void push_return(struct cpu *c, struct xstack *s, const struct event *ev, unsigned size)
{
    xstack_push(c, s, event_flags(c, ev), size);
    xstack_push(c, s, c->seg[SEG_CS].sel, size);
    xstack_push(c, s, ev->ip, size);
    if (ev->has_error) {
        xstack_push(c, s, ev->error, size);
    }
}

/* To a more privileged level, or out of V86 mode. */
static void enter_inner(struct cpu *c, const struct event *ev, uint16_t sel, struct desc *code,
                        uint64_t off, unsigned type)
{
    static const uint8_t data[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};
    bool v86 = c->mode & MODE_V86;
    unsigned dpl = desc_dpl(code), size = type >> 3;
    struct xstack s;
    struct desc ssd;
    uint64_t sp;
    uint16_t ss;

    if (v86 && dpl) {
        raise_sel(c, EXCP_GP, sel);
    }
    tss_inner_stack(c, dpl, &ss, &sp);
    seg_check_ss(c, ss, dpl, EXCP_TS, &ssd);
    xstack_init_desc(c, &s, &ssd, ss, sp, dpl);
    seg_check_ip(c, code, off);
    for (unsigned k = 0; v86 && k < 4; k++) {
        xstack_push(c, &s, c->seg[data[k]].sel, size);
    }
    xstack_push(c, &s, c->seg[SEG_SS].sel, size);
    xstack_push(c, &s, c->r[R_RSP], size);
    push_return(c, &s, ev, size);
    desc_touch(c, code);
    desc_touch(c, &ssd);
    for (unsigned k = 0; v86 && k < 4; k++) {
        seg_set_null(c, data[k], 0);
    }
    seg_set(c, SEG_SS, ss, &ssd);
    seg_set_cs(c, sel, code, dpl);
    xstack_commit(c, &s);
    enter_finish(c, off, !(type & 1));
}

static void enter_same(struct cpu *c, const struct event *ev, uint16_t sel, struct desc *code,
                       uint64_t off, unsigned type)
{
    struct xstack s;

    if (c->mode & MODE_V86) {
        raise_sel(c, EXCP_GP, sel);
    }
    xstack_init(c, &s);
    seg_check_ip(c, code, off);
    push_return(c, &s, ev, type >> 3);
    desc_touch(c, code);
    seg_set_cs(c, sel, code, c->cpl);
    xstack_commit(c, &s);
    enter_finish(c, off, !(type & 1));
}

/* Descriptor of the handler's code segment, with the checks that all gates share. */
static void read_target(struct cpu *c, uint16_t sel, struct desc *code)
{
    if (!(sel & 0xfffc)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    if (!desc_read(c, sel, code) || !desc_is_code(code) || desc_dpl(code) > c->cpl) {
        raise_sel(c, EXCP_GP, sel);
    }
    if (cpu_is_long(c) && (code->hi & (BIT(21) | BIT(22))) != BIT(21)) {
        raise_sel(c, EXCP_GP, sel);
    }
    if (!desc_present(code)) {
        raise_sel(c, EXCP_NP, sel);
    }
}

/* Checks on the gate itself, the same in all modes. */
static void check_gate(struct cpu *c, const struct event *ev, const struct desc *g, uint32_t types)
{
    if (!(types >> desc_type(g) & 1) || (event_is_soft(ev) && desc_dpl(g) < c->cpl)) {
        cpu_raise_error(c, EXCP_GP, idt_error(ev));
    }
    if (!desc_present(g)) {
        cpu_raise_error(c, EXCP_NP, idt_error(ev));
    }
}

static void enter_protected(struct cpu *c, const struct event *ev)
{
    const uint32_t types = BIT(DESC_TASK_GATE) | BIT(DESC_INT16) | BIT(DESC_TRAP16) |
                           BIT(DESC_INT32) | BIT(DESC_TRAP32);
    struct desc g = {0}, code;

    if (ev->vector * 8 + 7 > c->idtr.limit) {
        cpu_raise_error(c, EXCP_GP, idt_error(ev));
    }
    uint64_t raw = mem_sys_load(c, c->idtr.base + ev->vector * 8, 8);
    g.lo = (uint32_t)raw;
    g.hi = (uint32_t)(raw >> 32);
    check_gate(c, ev, &g, types);
    unsigned type = desc_type(&g);
    uint16_t sel = g.lo >> 16;
    if (type == DESC_TASK_GATE) {
        cpu_task_switch(c, sel, TASK_INT, ev->ip, ev->has_error, ev->error);
        return;
    }
    uint64_t off = (g.lo & 0xffff) | (type & 8 ? g.hi & 0xffff0000 : 0);
    read_target(c, sel, &code);
    if (!desc_is_conforming(&code) && desc_dpl(&code) < c->cpl) {
        enter_inner(c, ev, sel, &code, off, type);
    } else {
        enter_same(c, ev, sel, &code, off, type);
    }
}

static void enter_long(struct cpu *c, const struct event *ev)
{
    struct desc g = {0}, code;
    struct xstack s;

    if (ev->vector * 16 + 15 > c->idtr.limit) {
        cpu_raise_error(c, EXCP_GP, idt_error(ev));
    }
    uint64_t raw = mem_sys_load(c, c->idtr.base + ev->vector * 16, 8);
    g.lo = (uint32_t)raw;
    g.hi = (uint32_t)(raw >> 32);
    check_gate(c, ev, &g, BIT(DESC_INT32) | BIT(DESC_TRAP32));
    uint64_t off = (g.lo & 0xffff) | (g.hi & 0xffff0000) |
                   mem_sys_load(c, c->idtr.base + ev->vector * 16 + 8, 4) << 32;
    uint16_t sel = g.lo >> 16;
    read_target(c, sel, &code);

    bool inner = !desc_is_conforming(&code) && desc_dpl(&code) < c->cpl;
    unsigned cpl = inner ? desc_dpl(&code) : c->cpl, ist = g.hi & 7;
    uint64_t sp = ist            ? tss_long_stack(c, ist + 3)
                  : inner        ? tss_long_stack(c, cpl)
                  : cpu_is_64(c) ? c->r[R_RSP]
                                 : (uint32_t)c->r[R_RSP];
    xstack_init64(&s, sp & ~15ull, cpl);
    seg_check_ip(c, &code, off);
    xstack_push(c, &s, c->seg[SEG_SS].sel, 2);
    xstack_push(c, &s, c->r[R_RSP], 2);
    push_return(c, &s, ev, 2);
    desc_touch(c, &code);
    if (inner) {
        seg_set_null(c, SEG_SS, cpl);
        c->seg[SEG_SS].attr = cpl << SEG_DPL_SHIFT;
    }
    seg_set_cs(c, sel, &code, cpl);
    xstack_commit(c, &s);
    enter_finish(c, off, !(desc_type(&g) & 1));
}

void excp_enter(struct cpu *c, const struct event *ev)
{
    if (ev->kind == EVENT_EXT && c->cpl == 3 && c->view) {
        view_sample(c);
    }
    if (cpu_is_long(c)) {
        enter_long(c, ev);
    } else if (c->mode & MODE_PE) {
        enter_protected(c, ev);
    } else {
        excp_enter_real(c, ev);
    }
}

bool excp_v86_int(struct cpu *c, const struct event *ev)
{
    const struct seg *tr = &c->seg[SEG_TR];
    bool iopl3 = cpu_iopl(c) == 3;

    if (c->cr4 & CR4_VME) {
        uint32_t map = (uint32_t)mem_sys_load(c, tr->base + 0x66, 2) - 32 + ev->vector / 8;

        if (map > tr->limit) {
            cpu_raise_error(c, EXCP_GP, 0);
        }
        if (!(mem_sys_load(c, tr->base + map, 1) >> (ev->vector & 7) & 1)) {
            uint32_t target = (uint32_t)mem_cpl_load(c, ev->vector * 4, 4, 3);
            uint32_t flags = cpu_get_eflags(c);
            struct xstack s;

            if (!iopl3) {
                flags = (flags & ~(uint32_t)FLAG_IF) | FLAG_IOPL | (flags & FLAG_VIF ? FLAG_IF : 0);
            }
            xstack_init(c, &s);
            xstack_push(c, &s, flags, 0);
            xstack_push(c, &s, c->seg[SEG_CS].sel, 0);
            xstack_push(c, &s, ev->ip, 0);
            xstack_commit(c, &s);
            cpu_load_seg_real(c, SEG_CS, target >> 16);
            c->ip = target & 0xffff;
            c->eflags &= ~(uint32_t)(FLAG_TF | FLAG_NT | (iopl3 ? FLAG_IF : FLAG_VIF));
            cpu_update_mode(c);
            return true;
        }
    }
    if (!iopl3) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    return false;
}

/* A #DB is about to be delivered: what was met goes to DR6.  B0..B3 are of this one alone; the
 * other bits are cleared by software only. */
static void debug_report(struct cpu *c)
{
    c->dr[6] = (c->dr[6] & ~15ull) | c->pending_dr6;
    c->pending_dr6 = 0;
}

void cpu_soft_interrupt(struct cpu *c, unsigned vector, uint64_t next_ip, bool int_n)
{
    struct event ev = {.vector = vector,
                       .ip = next_ip,
                       .kind = int_n               ? EVENT_INTN
                               : vector == EXCP_DB ? EVENT_INT1
                                                   : EVENT_INT3};

    c->ext = ev.kind == EVENT_INT1;
    if (c->ext && c->pending_dr6) { /* held since MOV SS: reported by the one #DB */
        debug_report(c);
    }
    if (!(int_n && c->mode & MODE_V86 && excp_v86_int(c, &ev))) {
        excp_enter(c, &ev);
    }
    c->ext = false;
    c->step = false;
}

/* ---- delivery from the run loop ---- */

enum excp_class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE_FAULT };

static enum excp_class vector_class(unsigned vector)
{
    return vector == EXCP_PF                                               ? CLASS_PAGE_FAULT
           : vector == EXCP_DF                                             ? CLASS_DOUBLE_FAULT
           : vector == EXCP_DE || (vector >= EXCP_TS && vector <= EXCP_GP) ? CLASS_CONTRIBUTORY
                                                                           : CLASS_BENIGN;
}

/* #DB for a breakpoint or step (general detect is a fault). */
static bool is_debug_trap(const struct cpu *c)
{
    return c->excp.vector == EXCP_DB && c->pending_dr6;
}

/* Delivery of *ev raised c->excp: what to deliver now.  False: shutdown. */
static bool excp_combine(const struct cpu *c, struct event *ev)
{
    enum excp_class first = ev->kind == EVENT_FAULT ? vector_class(ev->vector) : CLASS_BENIGN;
    enum excp_class second = vector_class(c->excp.vector);

    if (first == CLASS_DOUBLE_FAULT && second != CLASS_BENIGN) {
        return false;
    }
    bool doubled =
        second != CLASS_BENIGN && (first == CLASS_PAGE_FAULT ||
                                   (first == CLASS_CONTRIBUTORY && second == CLASS_CONTRIBUTORY));
    *ev = (struct event){.vector = doubled ? EXCP_DF : c->excp.vector,
                         .kind = is_debug_trap(c) ? EVENT_TRAP : EVENT_FAULT,
                         .ip = c->ip,
                         .has_error = doubled || c->excp.has_error,
                         .error = doubled ? 0 : c->excp.error};
    return true;
}

static void excp_note(struct cpu *c, const struct event *ev)
{
    unsigned at = c->recent_at++ % ARRAY_LEN(c->recent);

    c->recent[at].ip = ev->ip;
    c->recent[at].cr2 = c->cr2;
    c->recent[at].error = ev->error;
    c->recent[at].cs = c->seg[SEG_CS].sel;
    c->recent[at].vector = (uint8_t)ev->vector;
    if (unlikely(c->trace_excp)) {
        trace_write(c->v->m, "cpu", TR_EXCP,
                    "vector=%02x error=%x kind=%d cs:ip=%04x:%" G_GINT64_MODIFIER
                    "x cr2=%" G_GINT64_MODIFIER "x cpl=%d",
                    ev->vector, ev->error, ev->kind, c->seg[SEG_CS].sel, ev->ip, c->cr2, c->cpl);
    }
}

/* Deliveries that raise something to be delivered instead, one after the other.  Most kinds end in
 * a shutdown soon; but a task that is switched to and traps on that, to itself, never does. */
enum { ROUNDS_MAX = 16 };

/* Deliver *ev, catching what the delivery raises. */
static bool excp_run(struct cpu *c, struct event *ev)
{
    jmp_buf outer;
    volatile bool alive = true;
    volatile unsigned rounds = 0;

    c->halted = false;
    c->inhibit = false;
    c->step = false;
    memcpy(&outer, &c->jmp, sizeof outer);
    if (setjmp(c->jmp)) {
        alive = ++rounds < ROUNDS_MAX && excp_combine(c, ev);
    }
    if (alive) {
        excp_note(c, ev);
        c->delivering = (int)ev->vector;
        c->ext = true;
        if (ev->vector == EXCP_DB && ev->kind != EVENT_EXT) {
            debug_report(c);
            c->dr[7] &= ~(uint64_t)BIT(13); /* GD: the handler may use the debug registers */
        }
        c->pending_dr6 = 0;
        excp_enter(c, ev);
    } else {
        c->shutdown = true;
    }
    c->delivering = -1;
    c->ext = false;
    memcpy(&c->jmp, &outer, sizeof outer);
    return alive;
}

bool cpu_deliver_exception(struct cpu *c)
{
    if (c->cur) {
        c->ip = insn_ip(c, c->cur);
        c->cur = NULL;
    }
    c->excp_taken++;
    c->ext = false;
    bool trap = is_debug_trap(c);
    if (!trap) {
        c->pending_dr6 = 0;
    }
    struct event ev = {.vector = c->excp.vector,
                       .kind = trap ? EVENT_TRAP : EVENT_FAULT,
                       .ip = c->ip,
                       .has_error = c->excp.has_error,
                       .error = c->excp.error};
    return excp_run(c, &ev);
}

bool cpu_deliver_interrupt(struct cpu *c, unsigned vector)
{
    struct event ev = {.vector = vector, .kind = EVENT_EXT, .ip = c->ip};

    c->intr_taken++;
    c->cur = NULL;
    return excp_run(c, &ev);
}

bool cpu_deliver_nmi(struct cpu *c)
{
    c->nmi_masked = true;
    return cpu_deliver_interrupt(c, EXCP_NMI);
}

bool cpu_deliver_begun(struct cpu *c)
{
    enum cpu_begun begun = c->begun;

    c->begun = CPU_BEGUN_NOTHING;
    c->halted = false;
    if (begun == CPU_BEGUN_INTERRUPT) {
        return cpu_deliver_interrupt(c, c->begun_vector);
    }
    c->excp.vector = c->begun_vector;
    c->excp.has_error = begun == CPU_BEGUN_FAULT_ERROR;
    c->excp.error = c->begun_error;
    return begun == CPU_BEGUN_NOTHING || cpu_deliver_exception(c);
}
