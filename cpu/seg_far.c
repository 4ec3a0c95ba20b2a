/*
 * Far jumps and calls: real mode, segments, call gates, tasks.
 *
 * Follows: Intel SDM volume 2, CALL and JMP; volume 3, 5.8.  A transfer checks and stores
 * everything it may fault on before it writes a register.
 *
 * Not modelled: nothing left out.
 */
#include "cpu/sys.h"

struct gate {
    uint16_t sel;
    uint64_t off;
    unsigned params, size; /* size: 0, 1, 2: 16-, 32-, 64-bit gate */
    struct desc code;
};

static void far_real(struct cpu *c, uint16_t sel, uint64_t off)
{
    if (off > c->seg[SEG_CS].limit) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    cpu_load_seg_real(c, SEG_CS, sel);
    c->ip = off;
    cpu_update_mode(c);
}

static void far_install(struct cpu *c, uint16_t sel, struct desc *d, unsigned cpl, uint64_t off)
{
    seg_set_cs(c, sel, d, cpl);
    c->ip = off;
    cpu_update_mode(c);
}

/* Direct transfer to a code segment at the same level. */
static void check_same_level(struct cpu *c, uint16_t sel, const struct desc *d)
{
    bool bad =
        desc_is_conforming(d) ? desc_dpl(d) > c->cpl : (sel & 3) > c->cpl || desc_dpl(d) != c->cpl;

    if (!desc_is_code(d) || bad || (desc_is_long_code(c, d) && d->hi & BIT(22))) {
        raise_sel(c, EXCP_GP, sel);
    }
    if (!desc_present(d)) {
        raise_sel(c, EXCP_NP, sel);
    }
}

/* The call gate in `d`: its own checks and those of its target. */
static void read_call_gate(struct cpu *c, uint16_t sel, struct desc *d, struct gate *g)
{
    bool is_long = cpu_is_long(c);

    if (desc_dpl(d) < MAX(c->cpl, sel & 3)) {
        raise_sel(c, EXCP_GP, sel);
    }
    if (!desc_present(d)) {
        raise_sel(c, EXCP_NP, sel);
    }
    if (is_long && !desc_read_high(c, sel, d)) {
        raise_sel(c, EXCP_GP, sel);
    }
    g->size = is_long ? 2 : desc_type(d) == DESC_CALL32;
    g->sel = d->lo >> 16;
    g->off = (d->lo & 0xffff) | (g->size ? d->hi & 0xffff0000 : 0) | (uint64_t)d->hi2 << 32;
    g->params = is_long ? 0 : d->hi & 31;
    if (!(g->sel & 0xfffc)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    if (!desc_read(c, g->sel, &g->code) || !desc_is_code(&g->code) || desc_dpl(&g->code) > c->cpl ||
        (is_long && (g->code.hi & (BIT(21) | BIT(22))) != BIT(21))) {
        raise_sel(c, EXCP_GP, g->sel);
    }
    if (!desc_present(&g->code)) {
        raise_sel(c, EXCP_NP, g->sel);
    }
}

/* TSS or task gate. */
static void far_task(struct cpu *c, uint16_t sel, const struct desc *d, enum task_cause cause,
                     uint64_t next_ip)
{
    if (desc_dpl(d) < MAX(c->cpl, sel & 3)) {
        raise_sel(c, EXCP_GP, sel);
    }
    if (!desc_present(d)) {
        raise_sel(c, EXCP_NP, sel);
    }
    cpu_task_switch(c, desc_type(d) == DESC_TASK_GATE ? d->lo >> 16 : sel, cause, next_ip, false,
                    0);
}

/* What a far jump or call to a system descriptor means; true: it was a task switch, which is done.
 */
static bool far_system(struct cpu *c, uint16_t sel, struct desc *d, enum task_cause cause,
                       uint64_t next_ip, struct gate *g)
{
    unsigned type = desc_type(d);

    if (type == DESC_CALL32 || (type == DESC_CALL16 && !cpu_is_long(c))) {
        read_call_gate(c, sel, d, g);
        return false;
    }
    if (cpu_is_long(c) || (type != DESC_TSS16 && type != DESC_TSS32 && type != DESC_TASK_GATE)) {
        raise_sel(c, EXCP_GP, sel);
    }
    far_task(c, sel, d, cause, next_ip);
    return true;
}

static void far_read(struct cpu *c, uint16_t sel, struct desc *d)
{
    if (!(sel & 0xfffc)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    if (!desc_read(c, sel, d)) {
        raise_sel(c, EXCP_GP, sel);
    }
}

void cpu_far_jump(struct cpu *c, uint16_t sel, uint64_t off, unsigned opsize)
{
    struct desc d;
    struct gate g;

    (void)opsize;
    if (!cpu_is_protected(c)) {
        far_real(c, sel, off);
        return;
    }
    far_read(c, sel, &d);
    if (d.hi & BIT(12)) {
        check_same_level(c, sel, &d);
        seg_check_ip(c, &d, off);
        far_install(c, sel, &d, c->cpl, off);
        return;
    }
    if (far_system(c, sel, &d, TASK_JUMP, c->cur ? insn_next_ip(c, c->cur) : c->ip, &g)) {
        return;
    }
    if (!desc_is_conforming(&g.code) && desc_dpl(&g.code) != c->cpl) {
        raise_sel(c, EXCP_GP, g.sel);
    }
    seg_check_ip(c, &g.code, g.off);
    far_install(c, g.sel, &g.code, c->cpl, g.off);
}

/* Push CS:IP on the present stack and go. */
static void call_same_level(struct cpu *c, uint16_t sel, struct desc *d, uint64_t off,
                            unsigned size, uint64_t next_ip)
{
    struct xstack s;

    xstack_init(c, &s);
    seg_check_ip(c, d, off);
    xstack_push(c, &s, c->seg[SEG_CS].sel, size);
    xstack_push(c, &s, next_ip, size);
    desc_touch(c, d);
    xstack_commit(c, &s);
    far_install(c, sel, d, c->cpl, off);
}

/* Through a call gate to a more privileged level, 16- and 32-bit gates: stack of the TSS,
 * parameters copied. */
static void call_inner(struct cpu *c, struct gate *g, uint64_t next_ip)
{
    unsigned dpl = desc_dpl(&g->code);
    struct xstack old, new;
    struct desc ssd;
    uint64_t param[32], sp;
    uint16_t ss;

    tss_inner_stack(c, dpl, &ss, &sp);
    seg_check_ss(c, ss, dpl, EXCP_TS, &ssd);
    xstack_init(c, &old);
    xstack_init_desc(c, &new, &ssd, ss, sp, dpl);
    seg_check_ip(c, &g->code, g->off);
    for (unsigned k = 0; k < g->params; k++) {
        param[k] = xstack_pop(c, &old, g->size);
    }
    xstack_push(c, &new, c->seg[SEG_SS].sel, g->size);
    xstack_push(c, &new, c->r[R_RSP], g->size);
    for (unsigned k = g->params; k > 0; k--) {
        xstack_push(c, &new, param[k - 1], g->size);
    }
    xstack_push(c, &new, c->seg[SEG_CS].sel, g->size);
    xstack_push(c, &new, next_ip, g->size);
    desc_touch(c, &ssd);
    desc_touch(c, &g->code);
    seg_set(c, SEG_SS, ss, &ssd);
    xstack_commit(c, &new);
    far_install(c, g->sel, &g->code, dpl, g->off);
}

/* The same through a 64-bit gate: RSPn of the TSS, a null SS. */
static void call_inner64(struct cpu *c, struct gate *g, uint64_t next_ip)
{
    unsigned dpl = desc_dpl(&g->code);
    struct xstack s;

    xstack_init64(&s, tss_long_stack(c, dpl), dpl);
    seg_check_ip(c, &g->code, g->off);
    xstack_push(c, &s, c->seg[SEG_SS].sel, 2);
    xstack_push(c, &s, c->r[R_RSP], 2);
    xstack_push(c, &s, c->seg[SEG_CS].sel, 2);
    xstack_push(c, &s, next_ip, 2);
    desc_touch(c, &g->code);
    seg_set_null(c, SEG_SS, dpl);
    c->seg[SEG_SS].attr = dpl << SEG_DPL_SHIFT;
    xstack_commit(c, &s);
    far_install(c, g->sel, &g->code, dpl, g->off);
}

void cpu_far_call(struct cpu *c, uint16_t sel, uint64_t off, unsigned opsize, uint64_t next_ip)
{
    struct desc d;
    struct gate g;

    if (!cpu_is_protected(c)) {
        struct xstack s;

        xstack_init(c, &s);
        if (off > c->seg[SEG_CS].limit) {
            cpu_raise_error(c, EXCP_GP, 0);
        }
        xstack_push(c, &s, c->seg[SEG_CS].sel, opsize);
        xstack_push(c, &s, next_ip, opsize);
        xstack_commit(c, &s);
        far_real(c, sel, off);
        return;
    }
    far_read(c, sel, &d);
    if (d.hi & BIT(12)) {
        check_same_level(c, sel, &d);
        call_same_level(c, sel, &d, off, opsize, next_ip);
        return;
    }
    if (far_system(c, sel, &d, TASK_CALL, next_ip, &g)) {
        return;
    }
    if (desc_is_conforming(&g.code) || desc_dpl(&g.code) == c->cpl) {
        if (g.size == 2) { /* 8-byte pushes also out of compatibility mode */
            struct xstack s;

            xstack_init64(&s, cpu_is_64(c) ? c->r[R_RSP] : (uint32_t)c->r[R_RSP], c->cpl);
            seg_check_ip(c, &g.code, g.off);
            xstack_push(c, &s, c->seg[SEG_CS].sel, 2);
            xstack_push(c, &s, next_ip, 2);
            desc_touch(c, &g.code);
            xstack_commit(c, &s);
            far_install(c, g.sel, &g.code, c->cpl, g.off);
            return;
        }
        call_same_level(c, g.sel, &g.code, g.off, g.size, next_ip);
    } else if (g.size == 2) {
        call_inner64(c, &g, next_ip);
    } else {
        call_inner(c, &g, next_ip);
    }
}
