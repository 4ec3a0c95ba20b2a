/*
 * Segmentation: linear addresses, descriptors, loads of segment registers, stacks of far transfers.
 *
 * Follows: Intel SDM volume 3, chapters 3 and 5; volume 2, MOV, LDS.
 *
 * Not modelled: nothing left out.  A segment with a limit of 4 GiB - 1 lets accesses wrap, as the
 * SDM allows.
 */
#include "cpu/sys.h"

static G_NORETURN void seg_fault(struct cpu *c, const struct insn *i, unsigned seg)
{
    c->cur = i;
    cpu_raise_error(c, seg == SEG_SS ? EXCP_SS : EXCP_GP, 0);
}

/* Limit check for size bytes at off (SDM vol. 3, 5.3). */
static bool limit_allows(uint32_t limit, uint16_t attr, uint64_t off, unsigned size)
{
    if ((attr & (SEG_S | SEG_CODE | SEG_E)) == (SEG_S | SEG_E)) { /* expand-down */
        uint64_t top = attr & SEG_DB ? 0xffffffffull : 0xffffull;

        return off > limit && off + size - 1 <= top;
    }
    return limit == 0xffffffff || off + size - 1 <= limit;
}

static bool type_allows(uint16_t attr, unsigned write)
{
    if (attr & SEG_CODE) {
        return !write && attr & SEG_W;
    }
    return !write || attr & SEG_W;
}

uint64_t seg_linear(struct cpu *c, const struct insn *i, unsigned seg, uint64_t off, unsigned size,
                    unsigned write)
{
    const struct seg *s = &c->seg[seg];

    if (cpu_is_64(c)) {
        uint64_t la = seg == SEG_FS || seg == SEG_GS ? s->base + off : off;

        if (unlikely(!cpu_is_canonical(la) || !cpu_is_canonical(la + size - 1))) {
            seg_fault(c, i, seg);
        }
        return la;
    }
    if (unlikely(!(s->attr & SEG_P) || !limit_allows(s->limit, s->attr, off, size) ||
                 (cpu_is_protected(c) && !type_allows(s->attr, write)))) {
        seg_fault(c, i, seg);
    }
    return (uint32_t)(s->base + off);
}

uint64_t ea_generic(struct cpu *c, const struct insn *i, unsigned size, unsigned write)
{
    return seg_linear(c, i, i->seg, ea_offset(c, i), size, write);
}

/* ---- descriptors ---- */

uint32_t desc_limit(const struct desc *d)
{
    uint32_t limit = (d->lo & 0xffff) | (d->hi & 0xf0000);

    return d->hi & BIT(23) ? limit << 12 | 0xfff : limit;
}

uint64_t desc_base(const struct desc *d)
{
    return (d->lo >> 16) | (d->hi & 0xff) << 16 | (d->hi & 0xff000000) | (uint64_t)d->hi2 << 32;
}

G_NORETURN void raise_sel(struct cpu *c, unsigned vec, uint16_t sel)
{
    cpu_raise_error(c, vec, sel & 0xfffc);
}

/* Linear address of byte `at` of selector's table entry; false: `at` lies outside the table. */
static bool desc_address(const struct cpu *c, uint16_t sel, unsigned last, uint64_t *addr)
{
    uint64_t base = c->gdtr.base;
    uint32_t limit = c->gdtr.limit;

    if (sel & 4) {
        if (!(c->seg[SEG_LDTR].attr & SEG_P)) {
            return false;
        }
        base = c->seg[SEG_LDTR].base;
        limit = c->seg[SEG_LDTR].limit;
    }
    *addr = base + (sel & 0xfff8);
    return (uint32_t)(sel & 0xfff8) + last <= limit;
}

bool desc_read(struct cpu *c, uint16_t sel, struct desc *d)
{
    if (!desc_address(c, sel, 7, &d->addr)) {
        return false;
    }
    uint64_t v = mem_sys_load(c, d->addr, 8);
    d->lo = (uint32_t)v;
    d->hi = (uint32_t)(v >> 32);
    d->hi2 = 0;
    return true;
}

bool desc_read_high(struct cpu *c, uint16_t sel, struct desc *d)
{
    uint64_t addr;

    if (!desc_address(c, sel, 15, &addr)) {
        return false;
    }
    d->hi2 = (uint32_t)mem_sys_load(c, addr + 8, 4);
    return !(mem_sys_load(c, addr + 12, 4) &
             0x1f00); /* the type field of the upper half must be zero */
}

void desc_touch(struct cpu *c, struct desc *d)
{
    if (!(d->hi & BIT(8))) {
        d->hi |= BIT(8);
        mem_sys_change(c, d->addr + 5, 1, 0);
    }
}

static void seg_fill(struct cpu *c, unsigned seg, uint16_t sel, const struct desc *d)
{
    c->seg[seg] = (struct seg){
        .sel = sel, .attr = desc_attr(d), .limit = desc_limit(d), .base = desc_base(d)};
}

void seg_set(struct cpu *c, unsigned seg, uint16_t sel, struct desc *d)
{
    desc_touch(c, d);
    seg_fill(c, seg, sel, d);
}

void seg_set_null(struct cpu *c, unsigned seg, uint16_t sel)
{
    c->seg[seg] = (struct seg){.sel = sel};
}

void seg_set_cs(struct cpu *c, uint16_t sel, struct desc *d, unsigned cpl)
{
    desc_touch(c, d);
    c->cpl = cpl;
    seg_fill(c, SEG_CS, (sel & 0xfffc) | cpl, d);
}

void seg_check_ip(struct cpu *c, const struct desc *d, uint64_t off)
{
    if (desc_is_long_code(c, d) ? !cpu_is_canonical(off) : off > desc_limit(d)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
}

void seg_check_ss(struct cpu *c, uint16_t sel, unsigned cpl, unsigned vec, struct desc *d)
{
    if (!(sel & 0xfffc)) {
        cpu_raise_error(c, vec, 0);
    }
    if (!desc_read(c, sel, d)) {
        raise_sel(c, vec, sel);
    }
    if ((sel & 3) != cpl || desc_dpl(d) != cpl ||
        (d->hi & (BIT(12) | BIT(11) | BIT(9))) != (BIT(12) | BIT(9))) {
        raise_sel(c, vec, sel);
    }
    if (!desc_present(d)) {
        raise_sel(c, EXCP_SS, sel);
    }
}

static void load_ss(struct cpu *c, uint16_t sel)
{
    struct desc d;

    if (!(sel & 0xfffc)) {
        if (!cpu_is_64(c) || c->cpl == 3 || (sel & 3) != c->cpl) {
            cpu_raise_error(c, EXCP_GP, 0);
        }
        seg_set_null(c, SEG_SS, sel);
        c->seg[SEG_SS].attr = c->cpl << SEG_DPL_SHIFT;
        return;
    }
    seg_check_ss(c, sel, c->cpl, EXCP_GP, &d);
    seg_set(c, SEG_SS, sel, &d);
}

void cpu_load_seg(struct cpu *c, unsigned seg, uint16_t sel)
{
    struct desc d;

    if (!cpu_is_protected(c)) {
        cpu_load_seg_real(c, seg, sel);
        return;
    }
    if (seg == SEG_SS) {
        load_ss(c, sel);
        return;
    }
    if (!(sel & 0xfffc)) {
        seg_set_null(c, seg, sel);
        return;
    }
    if (!desc_read(c, sel, &d)) {
        raise_sel(c, EXCP_GP, sel);
    }
    bool code = d.hi & BIT(11);
    if (!(d.hi & BIT(12)) || (code && !(d.hi & BIT(9)))) { /* system, or execute-only */
        raise_sel(c, EXCP_GP, sel);
    }
    if (!(code && desc_is_conforming(&d)) && desc_dpl(&d) < MAX(c->cpl, sel & 3)) {
        raise_sel(c, EXCP_GP, sel);
    }
    if (!desc_present(&d)) {
        raise_sel(c, EXCP_NP, sel);
    }
    seg_set(c, seg, sel, &d);
}

void cpu_load_seg_real(struct cpu *c, unsigned seg, uint16_t sel)
{
    struct seg *s = &c->seg[seg];

    s->sel = sel;
    s->base = (uint64_t)sel << 4;
    if (c->eflags & FLAG_VM) {
        s->limit = 0xffff;
        s->attr = SEG_P | SEG_DPL | SEG_S | SEG_W | SEG_A;
    } else {
        s->attr |= SEG_P; /* limit and type stay: "unreal" mode */
    }
}

void seg_drop_inner(struct cpu *c)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

    for (unsigned k = 0; k < ARRAY_LEN(data); k++) {
        const struct seg *s = &c->seg[data[k]];
        bool conforming = (s->attr & (SEG_CODE | SEG_E)) == (SEG_CODE | SEG_E);

        if ((s->attr & SEG_P && !conforming && (s->attr & SEG_DPL) >> SEG_DPL_SHIFT < c->cpl) ||
            (!(s->attr & SEG_P) && !(s->sel & 0xfffc) && s->sel)) {
            uint64_t base = s->base;

            seg_set_null(c, data[k], 0);
            if (cpu_is_64(c)) {
                c->seg[data[k]].base = base;
            }
        }
    }
}

/* ---- stacks of far transfers ---- */

void xstack_init(struct cpu *c, struct xstack *s)
{
    const struct seg *ss = &c->seg[SEG_SS];
    bool flat64 = cpu_is_64(c);

    *s = (struct xstack){.base = flat64 ? 0 : ss->base,
                         .limit = ss->limit,
                         .attr = ss->attr,
                         .flat64 = flat64,
                         .cpl = c->cpl};
    s->mask = flat64 ? ~0ull : ss->attr & SEG_DB ? 0xffffffffull : 0xffffull;
    s->sp = c->r[R_RSP] & s->mask;
}

void xstack_init_desc(struct cpu *c, struct xstack *s, const struct desc *d, uint16_t sel,
                      uint64_t sp, unsigned cpl)
{
    (void)c;
    *s = (struct xstack){.base = desc_base(d),
                         .limit = desc_limit(d),
                         .attr = desc_attr(d),
                         .cpl = cpl,
                         .error = sel & 0xfffc};
    s->mask = s->attr & SEG_DB ? 0xffffffffull : 0xffffull;
    s->sp = sp & s->mask;
}

void xstack_init64(struct xstack *s, uint64_t sp, unsigned cpl)
{
    *s = (struct xstack){.sp = sp, .mask = ~0ull, .flat64 = true, .cpl = cpl};
}

static uint64_t xstack_linear(struct cpu *c, const struct xstack *s, unsigned bytes)
{
    if (s->flat64) {
        if (unlikely(!cpu_is_canonical(s->sp) || !cpu_is_canonical(s->sp + bytes - 1))) {
            cpu_raise_error(c, EXCP_SS, s->error);
        }
        return s->sp;
    }
    if (!(s->attr & SEG_P) || !limit_allows(s->limit, s->attr, s->sp, bytes)) {
        cpu_raise_error(c, EXCP_SS, s->error);
    }
    return (uint32_t)(s->base + s->sp);
}

void xstack_push(struct cpu *c, struct xstack *s, uint64_t val, unsigned size)
{
    unsigned bytes = 2u << size;

    s->sp = (s->sp - bytes) & s->mask;
    mem_cpl_store(c, xstack_linear(c, s, bytes), val, bytes, s->cpl);
}

uint64_t xstack_pop(struct cpu *c, struct xstack *s, unsigned size)
{
    unsigned bytes = 2u << size;
    uint64_t v = mem_cpl_load(c, xstack_linear(c, s, bytes), bytes, s->cpl);

    s->sp = (s->sp + bytes) & s->mask;
    return v;
}

void xstack_commit(struct cpu *c, const struct xstack *s)
{
    if (s->mask == 0xffff) {
        c->r[R_RSP] = (c->r[R_RSP] & ~0xffffull) | (s->sp & 0xffff);
    } else {
        c->r[R_RSP] = s->sp & s->mask;
    }
}
