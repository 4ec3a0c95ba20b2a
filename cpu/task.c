/*
 * Hardware task switching, and what else is read from the TSS: inner stacks, the I/O permission
 * map.
 *
 * Follows: Intel SDM volume 3, chapter 7 (7.3: the order of a switch), volume 1, 18.5.2.
 *
 * Not modelled: RF in the image saved for a fault that enters a task gate.
 */
#include "cpu/sys.h"

enum { /* 32-bit TSS */
       TSS_ESP0 = 0x04,
       TSS_CR3 = 0x1c,
       TSS_EIP = 0x20,
       TSS_EFLAGS = 0x24,
       TSS_EAX = 0x28,
       TSS_ES = 0x48,
       TSS_LDT = 0x60,
       TSS_T = 0x64,
       TSS_IOMAP = 0x66,
       TSS_LAST = 0x67,
       /* 16-bit TSS */
       TSS16_SP0 = 0x02,
       TSS16_IP = 0x0e,
       TSS16_FLAGS = 0x10,
       TSS16_AX = 0x12,
       TSS16_ES = 0x22,
       TSS16_LDT = 0x2a,
       TSS16_LAST = 0x2b,
       /* 64-bit TSS */
       TSS64_RSP0 = 0x04,
       TSS64_IST1 = 0x24,
};
enum { DR6_BT = BIT(15) };

struct tss_image {
    uint32_t cr3, ip, flags, r[8];
    uint16_t seg[6], ldt; /* ES CS SS DS FS GS */
    bool trap;
};

static bool tr_is_32(const struct cpu *c)
{
    return c->seg[SEG_TR].attr & 8;
}

void tss_inner_stack(struct cpu *c, unsigned level, uint16_t *ss, uint64_t *sp)
{
    const struct seg *tr = &c->seg[SEG_TR];
    bool is32 = tr_is_32(c);
    unsigned off = is32 ? TSS_ESP0 + level * 8 : TSS16_SP0 + level * 4, bytes = is32 ? 8 : 4;

    if (off + bytes - 1 > tr->limit) {
        raise_sel(c, EXCP_TS, tr->sel);
    }
    *sp = mem_sys_load(c, tr->base + off, bytes / 2);
    *ss = (uint16_t)mem_sys_load(c, tr->base + off + bytes / 2, 2);
}

uint64_t tss_long_stack(struct cpu *c, unsigned n)
{
    const struct seg *tr = &c->seg[SEG_TR];
    unsigned off = n < 4 ? TSS64_RSP0 + 8 * n : TSS64_IST1 + 8 * (n - 4);

    if (off + 7 > tr->limit) {
        raise_sel(c, EXCP_TS, tr->sel);
    }
    uint64_t sp = mem_sys_load(c, tr->base + off, 8);
    if (!cpu_is_canonical(sp)) {
        cpu_raise_error(c, EXCP_SS, 0);
    }
    return sp;
}

void cpu_check_io(struct cpu *c, uint16_t port, unsigned size)
{
    const struct seg *tr = &c->seg[SEG_TR];

    if (!(c->mode & MODE_PE) || (!(c->mode & MODE_V86) && c->cpl <= cpu_iopl(c))) {
        return;
    }
    if (tr->attr & SEG_P && tr_is_32(c) && tr->limit >= TSS_LAST) {
        uint32_t map = (uint32_t)mem_sys_load(c, tr->base + TSS_IOMAP, 2);
        uint32_t at = map + port / 8;

        if (at + 1 <= tr->limit) {
            uint32_t denied = (uint32_t)mem_sys_load(c, tr->base + at, 2) >> (port & 7);

            if (!(denied & (BIT(size) - 1))) {
                return;
            }
        }
    }
    cpu_raise_error(c, EXCP_GP, 0);
}

/* ---- the switch ---- */

/* The descriptor of the task to go to, checked. */
static void task_check(struct cpu *c, uint16_t sel, enum task_cause cause, struct desc *d)
{
    unsigned vec = cause == TASK_IRET ? EXCP_TS : EXCP_GP;

    if (!(sel & 0xfffc) || sel & 4 || !desc_read(c, sel, d)) {
        raise_sel(c, vec, sel);
    }
    unsigned type = desc_type(d), busy = cause == TASK_IRET ? 2 : 0;
    if (type != (DESC_TSS16 | busy) && type != (DESC_TSS32 | busy)) {
        raise_sel(c, vec, sel);
    }
    if (!desc_present(d)) {
        raise_sel(c, EXCP_NP, sel);
    }
    if (desc_limit(d) < (type & 8 ? TSS_LAST : TSS16_LAST)) {
        raise_sel(c, EXCP_TS, sel);
    }
}

static void task_read(struct cpu *c, uint64_t base, bool is32, struct tss_image *t)
{
    memset(t, 0, sizeof *t);
    if (is32) {
        t->cr3 = (uint32_t)mem_sys_load(c, base + TSS_CR3, 4);
        t->ip = (uint32_t)mem_sys_load(c, base + TSS_EIP, 4);
        t->flags = (uint32_t)mem_sys_load(c, base + TSS_EFLAGS, 4);
        t->ldt = (uint16_t)mem_sys_load(c, base + TSS_LDT, 2);
        t->trap = mem_sys_load(c, base + TSS_T, 2) & 1;
    } else {
        t->ip = (uint32_t)mem_sys_load(c, base + TSS16_IP, 2);
        t->flags = (uint32_t)mem_sys_load(c, base + TSS16_FLAGS, 2);
        t->ldt = (uint16_t)mem_sys_load(c, base + TSS16_LDT, 2);
    }
    for (unsigned k = 0; k < 8; k++) {
        t->r[k] = is32 ? (uint32_t)mem_sys_load(c, base + TSS_EAX + 4 * k, 4)
                       : 0xffff0000 | (uint32_t)mem_sys_load(c, base + TSS16_AX + 2 * k, 2);
    }
    for (unsigned k = 0; k < (is32 ? 6 : 4); k++) {
        t->seg[k] = (uint16_t)mem_sys_load(c, base + (is32 ? TSS_ES + 4 * k : TSS16_ES + 2 * k), 2);
    }
}

static void task_save(struct cpu *c, uint64_t next_ip, uint32_t flags)
{
    uint64_t base = c->seg[SEG_TR].base;
    bool is32 = tr_is_32(c);
    unsigned w = is32 ? 4 : 2;

    mem_sys_store(c, base + (is32 ? TSS_EIP : TSS16_IP), next_ip, w);
    mem_sys_store(c, base + (is32 ? TSS_EFLAGS : TSS16_FLAGS), flags, w);
    for (unsigned k = 0; k < 8; k++) {
        mem_sys_store(c, base + (is32 ? TSS_EAX : TSS16_AX) + w * k, c->r[k], w);
    }
    for (unsigned k = 0; k < (is32 ? 6 : 4); k++) {
        mem_sys_store(c, base + (is32 ? TSS_ES : TSS16_ES) + w * k, c->seg[k].sel, 2);
    }
}

/* Set or clear the busy bit of a TSS descriptor in the GDT. */
static void task_set_busy(struct cpu *c, uint16_t sel, bool busy)
{
    mem_sys_change(c, c->gdtr.base + (sel & 0xfff8) + 5, busy ? 2 : 0, busy ? 0 : 2);
}

static void task_load_ldt(struct cpu *c, uint16_t sel)
{
    struct desc d;

    seg_set_null(c, SEG_LDTR, sel);
    if (!(sel & 0xfffc)) {
        return;
    }
    if (sel & 4 || !desc_read(c, sel, &d) || desc_type(&d) != DESC_LDT || !desc_present(&d)) {
        raise_sel(c, EXCP_TS, sel);
    }
    c->seg[SEG_LDTR] = (struct seg){
        .sel = sel, .attr = desc_attr(&d), .limit = desc_limit(&d), .base = desc_base(&d)};
}

static void task_load_data(struct cpu *c, unsigned seg, uint16_t sel)
{
    struct desc d;

    if (!(sel & 0xfffc)) {
        seg_set_null(c, seg, sel);
        return;
    }
    if (!desc_read(c, sel, &d) || !(d.hi & BIT(12)) || (d.hi & BIT(11) && !(d.hi & BIT(9))) ||
        (!(d.hi & BIT(11) && desc_is_conforming(&d)) && desc_dpl(&d) < MAX(c->cpl, sel & 3))) {
        raise_sel(c, EXCP_TS, sel);
    }
    if (!desc_present(&d)) {
        raise_sel(c, EXCP_NP, sel);
    }
    seg_set(c, seg, sel, &d);
}

/* Faults from here on belong to the new task. */
static void task_load_segments(struct cpu *c, const struct tss_image *t)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    struct desc d;

    task_load_ldt(c, t->ldt);
    if (c->eflags & FLAG_VM) {
        for (unsigned k = 0; k < 6; k++) {
            cpu_load_seg_real(c, k, t->seg[k]);
        }
        cpu_update_mode(c);
        return;
    }
    uint16_t cs = t->seg[SEG_CS];
    if (!(cs & 0xfffc) || !desc_read(c, cs, &d) || !desc_is_code(&d) ||
        (desc_is_conforming(&d) ? desc_dpl(&d) > c->cpl : desc_dpl(&d) != c->cpl)) {
        raise_sel(c, EXCP_TS, cs);
    }
    if (!desc_present(&d)) {
        raise_sel(c, EXCP_NP, cs);
    }
    seg_set_cs(c, cs, &d, c->cpl);
    seg_check_ss(c, t->seg[SEG_SS], c->cpl, EXCP_TS, &d);
    seg_set(c, SEG_SS, t->seg[SEG_SS], &d);
    for (unsigned k = 0; k < ARRAY_LEN(data); k++) {
        task_load_data(c, data[k], t->seg[data[k]]);
    }
    cpu_update_mode(c);
    if (c->ip > c->seg[SEG_CS].limit) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
}

/* Registers of the new task; segments hold selectors only. */
static void task_load_registers(struct cpu *c, const struct tss_image *t, bool is32)
{
    if (is32 && c->cr0 & CR0_PG) {
        c->cr3 = t->cr3;
        if (c->cr4 & CR4_PAE && !mmu_load_pdptes(c, c->cr3)) {
            raise_sel(c, EXCP_TS, c->seg[SEG_TR].sel);
        }
        mmu_flush(c, false);
    }
    for (unsigned k = 0; k < 8; k++) {
        c->r[k] = is32 ? t->r[k] : (c->r[k] & 0xffff0000) | (uint16_t)t->r[k];
    }
    for (unsigned k = 0; k < 6; k++) {
        seg_set_null(c, k, t->seg[k]);
    }
    seg_set_null(c, SEG_LDTR, t->ldt);
    c->ip = t->ip;
    c->cpl = t->flags & FLAG_VM ? 3 : t->seg[SEG_CS] & 3;
    /* RF only where it can matter, as with IRET: nobody clears it else. */
    cpu_set_eflags(c, t->flags, c->dr[7] & 0xff ? ~0u : ~(uint32_t)FLAG_RF);
    cpu_update_mode(c);
}

void cpu_task_switch(struct cpu *c, uint16_t tss_sel, enum task_cause cause, uint64_t next_ip,
                     bool has_error, uint32_t error)
{
    struct desc d;
    struct tss_image t;
    uint16_t old_sel = c->seg[SEG_TR].sel;
    uint32_t flags = cpu_get_eflags(c) & ~(cause == TASK_IRET ? FLAG_NT : 0u);

    task_check(c, tss_sel, cause, &d);
    bool is32 = desc_type(&d) & 8, nested = cause == TASK_CALL || cause == TASK_INT;
    task_read(c, desc_base(&d), is32, &t);
    mem_sys_probe(c, c->seg[SEG_TR].base, tr_is_32(c) ? TSS_T : TSS16_LDT);
    mem_sys_probe(c, d.addr, 8);
    mem_sys_probe(c, c->gdtr.base + (old_sel & 0xfff8), 8);
    if (nested) {
        mem_sys_store(c, desc_base(&d), old_sel, 2);
    }
    task_save(c, next_ip, flags);
    task_read(c, desc_base(&d), is32, &t); /* again: it may be the old task itself */
    t.flags |= nested ? FLAG_NT : 0;
    if (!nested) {
        task_set_busy(c, old_sel, false);
    }
    if (cause != TASK_IRET) {
        task_set_busy(c, tss_sel, true);
    }
    c->cr0 |= CR0_TS;
    c->seg[SEG_TR] = (struct seg){
        .sel = tss_sel, .attr = desc_attr(&d) | 2, .limit = desc_limit(&d), .base = desc_base(&d)};
    c->dr[7] &= ~0x155ull; /* local breakpoints */
    c->cur = NULL;
    task_load_registers(c, &t, is32);
    task_load_segments(c, &t);
    if (has_error) {
        struct xstack s;

        xstack_init(c, &s);
        xstack_push(c, &s, error, is32);
        xstack_commit(c, &s);
    }
    if (t.trap) {
        c->pending_dr6 |= DR6_BT;
        cpu_raise(c, EXCP_DB);
    }
}
