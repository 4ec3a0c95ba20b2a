/*
 * Far returns and IRET, to the same and to outer levels, to V86 mode, to another task.
 *
 * Follows: Intel SDM volume 2, RET and IRET; volume 3, 20.3 (IRET in V86 mode with VME).
 *
 * Not modelled: shadow stacks.
 */
#include "cpu/sys.h"

/* What a return found on the stack, checked. */
struct far_ret {
    uint16_t cs, ss;
    uint64_t ip, sp;
    uint32_t flags;
    bool outer, stack; /* stack: SS:SP were popped */
    bool null_ss;
    struct desc code, ssd;
};

/* Code segment to return to (the same checks for RET and IRET). */
static void check_return_cs(struct cpu *c, struct far_ret *r)
{
    unsigned rpl = r->cs & 3;

    if (!(r->cs & 0xfffc)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    if (!desc_read(c, r->cs, &r->code) || !desc_is_code(&r->code) || rpl < c->cpl ||
        (desc_is_conforming(&r->code) ? desc_dpl(&r->code) > rpl : desc_dpl(&r->code) != rpl) ||
        (desc_is_long_code(c, &r->code) && r->code.hi & BIT(22))) {
        raise_sel(c, EXCP_GP, r->cs);
    }
    if (!desc_present(&r->code)) {
        raise_sel(c, EXCP_NP, r->cs);
    }
    r->outer = rpl > c->cpl;
}

static void check_return_ss(struct cpu *c, struct far_ret *r)
{
    unsigned rpl = r->cs & 3;

    r->null_ss = !(r->ss & 0xfffc);
    if (!r->null_ss) {
        seg_check_ss(c, r->ss, rpl, EXCP_GP, &r->ssd);
    } else if (!desc_is_long_code(c, &r->code) || rpl == 3 || (r->ss & 3) != rpl) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
}

/* Everything is checked: write the registers.  `s` is the stack popped from, `release` goes off the
 * new stack. */
static void return_install(struct cpu *c, struct far_ret *r, struct xstack *s, uint16_t release)
{
    unsigned rpl = r->cs & 3;

    desc_touch(c, &r->code);
    if (r->stack && !r->null_ss) {
        desc_touch(c, &r->ssd);
    }
    if (!r->stack) {
        s->sp += release;
        xstack_commit(c, s);
        seg_set_cs(c, r->cs, &r->code, rpl);
    } else {
        struct xstack new;

        seg_set_cs(c, r->cs, &r->code, rpl);
        if (r->null_ss) {
            seg_set_null(c, SEG_SS, r->ss);
            c->seg[SEG_SS].attr = rpl << SEG_DPL_SHIFT;
        } else {
            seg_set(c, SEG_SS, r->ss, &r->ssd);
        }
        if (desc_is_long_code(c, &r->code)) {
            xstack_init64(&new, r->sp + release, rpl);
        } else {
            xstack_init_desc(c, &new, &r->ssd, r->ss, r->sp + release, rpl);
        }
        xstack_commit(c, &new);
    }
    c->ip = r->ip;
    if (r->outer) {
        seg_drop_inner(c);
    }
}

void cpu_far_return(struct cpu *c, unsigned opsize, uint16_t pop_bytes)
{
    struct far_ret r = {0};
    struct xstack s;

    xstack_init(c, &s);
    r.ip = xstack_pop(c, &s, opsize);
    r.cs = (uint16_t)xstack_pop(c, &s, opsize);
    if (!cpu_is_protected(c)) {
        if (r.ip > c->seg[SEG_CS].limit) {
            cpu_raise_error(c, EXCP_GP, 0);
        }
        s.sp += pop_bytes;
        xstack_commit(c, &s);
        cpu_load_seg_real(c, SEG_CS, r.cs);
        c->ip = r.ip;
        cpu_update_mode(c);
        return;
    }
    check_return_cs(c, &r);
    if (r.outer) {
        s.sp = (s.sp + pop_bytes) & s.mask;
        r.sp = xstack_pop(c, &s, opsize);
        r.ss = (uint16_t)xstack_pop(c, &s, opsize);
        r.stack = true;
        check_return_ss(c, &r);
    }
    seg_check_ip(c, &r.code, r.ip);
    return_install(c, &r, &s, pop_bytes);
    cpu_update_mode(c);
}

/* ---- IRET ---- */

enum { IRET_FLAGS16 = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT };

/* RF is kept only where it can matter: with breakpoints armed. */
static uint32_t rf_mask(const struct cpu *c)
{
    return c->dr[7] & 0xff ? FLAG_RF : 0;
}

static void iret_real(struct cpu *c, unsigned opsize)
{
    uint32_t mask =
        IRET_FLAGS16 | FLAG_IF | FLAG_IOPL | (opsize ? FLAG_AC | FLAG_ID | rf_mask(c) : 0);
    struct xstack s;

    xstack_init(c, &s);
    uint64_t ip = xstack_pop(c, &s, opsize);
    uint16_t cs = (uint16_t)xstack_pop(c, &s, opsize);
    uint32_t flags = (uint32_t)xstack_pop(c, &s, opsize);
    if (ip > c->seg[SEG_CS].limit) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    xstack_commit(c, &s);
    cpu_load_seg_real(c, SEG_CS, cs);
    c->ip = ip;
    cpu_set_eflags(c, flags, mask);
}

static void iret_v86(struct cpu *c, unsigned opsize)
{
    uint32_t mask = IRET_FLAGS16 | (opsize ? FLAG_AC | FLAG_ID | rf_mask(c) : 0);
    bool vme = cpu_iopl(c) < 3;
    struct xstack s;

    if (vme && (!(c->cr4 & CR4_VME) || opsize)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    xstack_init(c, &s);
    uint64_t ip = xstack_pop(c, &s, opsize);
    uint16_t cs = (uint16_t)xstack_pop(c, &s, opsize);
    uint32_t flags = (uint32_t)xstack_pop(c, &s, opsize);
    if (vme && (flags & FLAG_TF || (flags & FLAG_IF && c->eflags & FLAG_VIP))) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    if (ip > 0xffff) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    xstack_commit(c, &s);
    cpu_load_seg_real(c, SEG_CS, cs);
    c->ip = ip;
    if (vme) {
        c->eflags = (c->eflags & ~FLAG_VIF) | (flags & FLAG_IF ? FLAG_VIF : 0);
    } else {
        mask |= FLAG_IF;
    }
    cpu_set_eflags(c, flags, mask);
}

/* Ring 0 returns to V86 mode: six more doublewords. */
static void iret_to_v86(struct cpu *c, struct xstack *s, const struct far_ret *r)
{
    static const uint8_t order[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint16_t sel[4];

    uint64_t sp = xstack_pop(c, s, 1);
    uint16_t ss = (uint16_t)xstack_pop(c, s, 1);
    for (unsigned k = 0; k < 4; k++) {
        sel[k] = (uint16_t)xstack_pop(c, s, 1);
    }
    if (r->ip > 0xffff) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    c->eflags |= FLAG_VM;
    c->cpl = 3;
    for (unsigned k = 0; k < 4; k++) {
        cpu_load_seg_real(c, order[k], sel[k]);
    }
    cpu_load_seg_real(c, SEG_SS, ss);
    cpu_load_seg_real(c, SEG_CS, r->cs);
    c->r[R_RSP] = (uint32_t)sp;
    c->ip = r->ip;
    cpu_set_eflags(c, r->flags,
                   IRET_FLAGS16 | FLAG_IF | FLAG_IOPL | FLAG_AC | FLAG_ID | FLAG_VIF | FLAG_VIP |
                       FLAG_VM | rf_mask(c));
}

/* Flags that IRET at CPL `cpl` may write. */
static uint32_t iret_mask(const struct cpu *c, unsigned cpl, unsigned opsize)
{
    uint32_t mask = IRET_FLAGS16 | (opsize ? FLAG_AC | FLAG_ID | rf_mask(c) : 0);

    if (cpl <= cpu_iopl(c)) {
        mask |= FLAG_IF;
    }
    if (cpl == 0) {
        mask |= FLAG_IOPL | (opsize ? FLAG_VIF | FLAG_VIP : 0);
    }
    return mask;
}

static void iret_protected(struct cpu *c, unsigned opsize)
{
    struct far_ret r = {0};
    struct xstack s;
    uint32_t mask = iret_mask(c, c->cpl, opsize);

    xstack_init(c, &s);
    r.ip = xstack_pop(c, &s, opsize);
    r.cs = (uint16_t)xstack_pop(c, &s, opsize);
    r.flags = (uint32_t)xstack_pop(c, &s, opsize);
    if (!cpu_is_long(c) && opsize && r.flags & FLAG_VM && c->cpl == 0) {
        iret_to_v86(c, &s, &r);
        return;
    }
    check_return_cs(c, &r);
    if (r.outer || cpu_is_64(c)) {
        r.sp = xstack_pop(c, &s, opsize);
        r.ss = (uint16_t)xstack_pop(c, &s, opsize);
        r.stack = true;
        check_return_ss(c, &r);
    }
    seg_check_ip(c, &r.code, r.ip);
    return_install(c, &r, &s, 0);
    cpu_set_eflags(c, r.flags, mask);
}

void cpu_iret(struct cpu *c, unsigned opsize)
{
    c->nmi_masked = false;
    if (!(c->mode & MODE_PE)) {
        iret_real(c, opsize);
    } else if (c->mode & MODE_V86) {
        iret_v86(c, opsize);
    } else if (c->eflags & FLAG_NT) {
        if (cpu_is_long(c)) {
            cpu_raise_error(c, EXCP_GP, 0);
        }
        uint16_t link = (uint16_t)mem_sys_load(c, c->seg[SEG_TR].base, 2);
        cpu_task_switch(c, link, TASK_IRET, c->cur ? insn_next_ip(c, c->cur) : c->ip, false, 0);
    } else {
        iret_protected(c, opsize);
    }
    cpu_update_mode(c);
}
