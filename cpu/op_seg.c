/*
 * Instructions on segment and descriptor-table registers, far branches, descriptor tests.
 *
 * Follows: Intel SDM volume 2.
 *
 * Not modelled: nothing left out.
 */
#include "cpu/op_stack.h"
#include "cpu/ops_system.h"

/* ---- segment registers ---- */

/* A segment register was loaded: SS has an interrupt shadow behind it. */
static void loaded(struct cpu *c, const struct insn *i, unsigned seg, uint64_t key)
{
    cpu_update_mode(c);
    if (seg == SEG_SS) {
        c->inhibit = true;
        c->ss_shadow = c->slow;
        if (unlikely(vcpu_pending(c->v))) {
            insn_commit(c, i);
            LEAVE(c);
        }
    }
    return sys_next(c, i, key);
}

static void load_and_next(struct cpu *c, const struct insn *i, unsigned seg, uint16_t sel)
{
    uint64_t key = c->jkey;

    c->cur = i;
    cpu_load_seg(c, seg, sel);
    return loaded(c, i, seg, key);
}

static void mov_sreg(struct cpu *c, const struct insn *i, uint16_t sel)
{
    if ((i->r1 & 7) == SEG_CS || (i->r1 & 7) > SEG_GS) {
        return op_ud(c, i);
    }
    return load_and_next(c, i, i->r1 & 7, sel);
}

static void op_mov_sreg_r(struct cpu *c, const struct insn *i)
{
    return mov_sreg(c, i, GET16(i->r2));
}

static void op_mov_sreg_m(struct cpu *c, const struct insn *i)
{
    if ((i->r1 & 7) == SEG_CS || (i->r1 & 7) > SEG_GS) {
        return op_ud(c, i);
    }
    return mov_sreg(c, i, mem_load16(c, i, EA(2, EA_READ)));
}

/* The selector, or #UD for what is no segment register. */
static uint16_t sreg_value(struct cpu *c, const struct insn *i)
{
    if ((i->r1 & 7) > SEG_GS) {
        op_ud(c, i);
    }
    return c->seg[i->r1 & 7].sel;
}

#define MOV_E_SREG(bits, T, sfx, ...)                                                              \
    static void op_mov_e_sreg_r##bits(struct cpu *c, const struct insn *i)                         \
    {                                                                                              \
        SET##bits(i->r2, sreg_value(c, i));                                                        \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(MOV_E_SREG, )

static void op_mov_e_sreg_m(struct cpu *c, const struct insn *i)
{
    uint16_t sel = sreg_value(c, i);

    mem_store16(c, i, EA(2, EA_WRITE), sel);
    NEXT(c, i);
}

/* Which register PUSH and POP mean stands in the opcode: bits 5..3; 0F A0..A9 FS, GS.  (imm: see
 * prepare_sreg) */
#define PUSH_POP_SREG(bits, T, sfx, ...)                                                           \
    static void op_push_sreg##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        stack_push##bits(c, i, c->seg[i->imm].sel);                                                \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_pop_sreg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        uint64_t sp, mask = stack_mask(c), key = c->jkey;                                          \
        uint16_t sel = (uint16_t)stack_top##bits(c, i, &sp);                                       \
        c->cur = i;                                                                                \
        cpu_load_seg(c, (unsigned)i->imm, sel);                                                    \
        c->r[R_RSP] = (c->r[R_RSP] & ~mask) | (sp & mask);                                         \
        return loaded(c, i, (unsigned)i->imm, key);                                                \
    }
FOR_WIDE(PUSH_POP_SREG, )

/* LES, LDS, LSS, LFS, LGS: register in imm as above.  LSS has no shadow: it needs none. */
#define LOAD_FAR(bits, T, sfx, ...)                                                                \
    static void op_load_far##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        uint64_t off = ea_offset(c, i), amask = INSN_ASIZE(i) == 2   ? ~0ull                       \
                                                : INSN_ASIZE(i) == 1 ? 0xffffffffull               \
                                                                     : 0xffffull;                  \
        T v = mem_load##bits(c, i, seg_linear(c, i, i->seg, off, bits / 8, EA_READ));              \
        uint16_t sel =                                                                             \
            mem_load16(c, i, seg_linear(c, i, i->seg, (off + bits / 8) & amask, 2, EA_READ));      \
        uint64_t key = c->jkey;                                                                    \
        c->cur = i;                                                                                \
        cpu_load_seg(c, (unsigned)i->imm, sel);                                                    \
        SET##bits(i->r1, v);                                                                       \
        cpu_update_mode(c);                                                                        \
        return sys_next(c, i, key);                                                                \
    }
FOR_WIDE(LOAD_FAR, )

/* ---- far branches ---- */

#define FAR_BRANCHES(bits, T, sfx, ...)                                                            \
    static void op_jmp_ap##bits(struct cpu *c, const struct insn *i)                               \
    {                                                                                              \
        c->cur = i;                                                                                \
        cpu_far_jump(c, (uint16_t)i->disp, (T)i->imm, bits / 32);                                  \
        return sys_continue(c, i);                                                                 \
    }                                                                                              \
    static void op_call_ap##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        c->cur = i;                                                                                \
        cpu_far_call(c, (uint16_t)i->disp, (T)i->imm, bits / 32, insn_next_ip(c, i));              \
        return sys_continue(c, i);                                                                 \
    }                                                                                              \
    static T far_pointer##bits(struct cpu *c, const struct insn *i, uint16_t *sel)                 \
    {                                                                                              \
        uint64_t off = ea_offset(c, i), amask = INSN_ASIZE(i) == 2   ? ~0ull                       \
                                                : INSN_ASIZE(i) == 1 ? 0xffffffffull               \
                                                                     : 0xffffull;                  \
        T v = mem_load##bits(c, i, seg_linear(c, i, i->seg, off, bits / 8, EA_READ));              \
        *sel = mem_load16(c, i, seg_linear(c, i, i->seg, (off + bits / 8) & amask, 2, EA_READ));   \
        return v;                                                                                  \
    }                                                                                              \
    static __attribute__((noinline)) void jmp_far##bits(struct cpu *c, const struct insn *i)       \
    {                                                                                              \
        uint16_t sel;                                                                              \
        T off = far_pointer##bits(c, i, &sel);                                                     \
        c->cur = i;                                                                                \
        cpu_far_jump(c, sel, off, bits / 32);                                                      \
    }                                                                                              \
    static __attribute__((noinline)) void call_far##bits(struct cpu *c, const struct insn *i)      \
    {                                                                                              \
        uint16_t sel;                                                                              \
        T off = far_pointer##bits(c, i, &sel);                                                     \
        c->cur = i;                                                                                \
        cpu_far_call(c, sel, off, bits / 32, insn_next_ip(c, i));                                  \
    }                                                                                              \
    static void op_jmp_far##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        jmp_far##bits(c, i);                                                                       \
        return sys_continue(c, i);                                                                 \
    }                                                                                              \
    static void op_call_far##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        call_far##bits(c, i);                                                                      \
        return sys_continue(c, i);                                                                 \
    }                                                                                              \
    static void op_retf##bits(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        c->cur = i;                                                                                \
        cpu_far_return(c, bits / 32, (uint16_t)i->imm);                                            \
        return sys_continue(c, i);                                                                 \
    }
FOR_WIDE(FAR_BRANCHES, )

/* ---- descriptor tests ---- */

enum { LAR_TYPES = 0x1a3e, LAR_TYPES_LONG = 0x1a04, LSL_TYPES = 0x0a0e, LSL_TYPES_LONG = 0x0a04 };

static void set_zf(struct cpu *c, bool on)
{
    c->fl = on ? c->fl | FL_ZF : c->fl & ~FL_ZF;
}

/* Can CPL and RPL see this descriptor? */
static bool test_visible(struct cpu *c, uint16_t sel, struct desc *d)
{
    if (!(sel & 0xfffc) || !desc_read(c, sel, d)) {
        return false;
    }
    return (desc_is_code(d) && desc_is_conforming(d)) || desc_dpl(d) >= MAX(c->cpl, sel & 3);
}

static bool test_lar(struct cpu *c, uint16_t sel, uint32_t *val)
{
    struct desc d;
    uint32_t types = cpu_is_long(c) ? LAR_TYPES_LONG : LAR_TYPES;

    if (!test_visible(c, sel, &d) || (!(d.hi & BIT(12)) && !(types >> desc_type(&d) & 1))) {
        return false;
    }
    *val = d.hi & 0x00ffff00;
    return true;
}

static bool test_lsl(struct cpu *c, uint16_t sel, uint32_t *val)
{
    struct desc d;
    uint32_t types = cpu_is_long(c) ? LSL_TYPES_LONG : LSL_TYPES;

    if (!test_visible(c, sel, &d) || (!(d.hi & BIT(12)) && !(types >> desc_type(&d) & 1))) {
        return false;
    }
    *val = desc_limit(&d);
    return true;
}

static bool test_ver(struct cpu *c, uint16_t sel, bool write)
{
    struct desc d;

    if (!test_visible(c, sel, &d) || !(d.hi & BIT(12))) {
        return false;
    }
    bool code = d.hi & BIT(11), rw = d.hi & BIT(9);
    return write ? !code && rw : !code || rw;
}

static uint16_t operand16(struct cpu *c, const struct insn *i, bool mem)
{
    return mem ? mem_load16(c, i, EA(2, EA_READ)) : GET16(i->r2);
}

#define LAR_LSL(bits, T, sfx, name, mem, suffix)                                                   \
    static __attribute__((noinline)) void do_##name##suffix##bits(struct cpu *c,                   \
                                                                  const struct insn *i)            \
    {                                                                                              \
        uint32_t v = 0;                                                                            \
        uint16_t sel = operand16(c, i, mem);                                                       \
        c->cur = i;                                                                                \
        bool ok = test_##name(c, sel, &v);                                                         \
        set_zf(c, ok);                                                                             \
        if (ok) {                                                                                  \
            SET##bits(i->r1, v);                                                                   \
        }                                                                                          \
    }                                                                                              \
    static void op_##name##suffix##bits(struct cpu *c, const struct insn *i)                       \
    {                                                                                              \
        do_##name##suffix##bits(c, i);                                                             \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(LAR_LSL, lar, false, _r)
FOR_WIDE(LAR_LSL, lar, true, _m)
FOR_WIDE(LAR_LSL, lsl, false, _r)
FOR_WIDE(LAR_LSL, lsl, true, _m)

#define VER(name, mem, write)                                                                      \
    static void op_##name(struct cpu *c, const struct insn *i)                                     \
    {                                                                                              \
        uint16_t sel = operand16(c, i, mem);                                                       \
        c->cur = i;                                                                                \
        set_zf(c, test_ver(c, sel, write));                                                        \
        NEXT(c, i);                                                                                \
    }
VER(verr_r, false, false)
VER(verr_m, true, false)
VER(verw_r, false, true)
VER(verw_m, true, true)

static void op_arpl_r(struct cpu *c, const struct insn *i)
{
    uint16_t dst = GET16(i->r2), src = GET16(i->r1);
    bool raise_it = (dst & 3) < (src & 3);

    if (raise_it) {
        SET16(i->r2, (dst & ~3) | (src & 3));
    }
    set_zf(c, raise_it);
    NEXT(c, i);
}

/* Where nothing changes nothing is written: read-only memory is good enough then. */
static void op_arpl_m(struct cpu *c, const struct insn *i)
{
    uint16_t dst = mem_load16(c, i, EA(2, EA_READ)), src = GET16(i->r1);
    bool raise_it = (dst & 3) < (src & 3);

    if (raise_it) {
        uint64_t la = EA(2, EA_WRITE);
        u16_alias *p = mem_rmw16(c, i, la);
        *p = (uint16_t)((*p & ~3) | (src & 3));
        mem_rmw_done16(c, i, la, p);
    }
    set_zf(c, raise_it);
    NEXT(c, i);
}

/* ---- LDTR, TR ---- */

#define STORE_SEL(name, bits)                                                                      \
    static void op_##name##_r##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        check_umip(c, i);                                                                          \
        SET##bits(i->r2, c->seg[name##_seg].sel);                                                  \
        NEXT(c, i);                                                                                \
    }
#define STORE_SEL_M(name)                                                                          \
    static void op_##name##_m(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        check_umip(c, i);                                                                          \
        mem_store16(c, i, EA(2, EA_WRITE), c->seg[name##_seg].sel);                                \
        NEXT(c, i);                                                                                \
    }
enum { sldt_seg = SEG_LDTR, str_seg = SEG_TR };
STORE_SEL(sldt, 16)
STORE_SEL(sldt, 32)
STORE_SEL(sldt, 64)
STORE_SEL_M(sldt)
STORE_SEL(str, 16)
STORE_SEL(str, 32)
STORE_SEL(str, 64)
STORE_SEL_M(str)

/* System descriptor for LLDT and LTR: one of `types`, present, whole. */
static void read_system(struct cpu *c, uint16_t sel, uint32_t types, struct desc *d)
{
    if (sel & 4 || !desc_read(c, sel, d) || d->hi & BIT(12) || !(types >> desc_type(d) & 1)) {
        raise_sel(c, EXCP_GP, sel);
    }
    if (!desc_present(d)) {
        raise_sel(c, EXCP_NP, sel);
    }
    if (cpu_is_long(c) && (!desc_read_high(c, sel, d) || !cpu_is_canonical(desc_base(d)))) {
        raise_sel(c, EXCP_GP, sel);
    }
}

static void set_system(struct cpu *c, unsigned seg, uint16_t sel, const struct desc *d)
{
    c->seg[seg] = (struct seg){
        .sel = sel, .attr = desc_attr(d), .limit = desc_limit(d), .base = desc_base(d)};
}

static void lldt(struct cpu *c, const struct insn *i, bool mem)
{
    struct desc d;

    need_cpl0(c, i);
    uint16_t sel = operand16(c, i, mem);
    c->cur = i;
    if (!(sel & 0xfffc)) {
        seg_set_null(c, SEG_LDTR, sel);
        return;
    }
    read_system(c, sel, BIT(DESC_LDT), &d);
    set_system(c, SEG_LDTR, sel, &d);
}

static void ltr(struct cpu *c, const struct insn *i, bool mem)
{
    struct desc d;

    need_cpl0(c, i);
    uint16_t sel = operand16(c, i, mem);
    c->cur = i;
    if (!(sel & 0xfffc)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    read_system(c, sel, BIT(DESC_TSS32) | (cpu_is_long(c) ? 0 : BIT(DESC_TSS16)), &d);
    if (mem_sys_change(c, d.addr + 5, 2, 0) & 2) { /* another processor was faster */
        raise_sel(c, EXCP_GP, sel);
    }
    d.hi |= BIT(9); /* busy */
    set_system(c, SEG_TR, sel, &d);
}

#define LOAD_SEL(name)                                                                             \
    static void op_##name##_r(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        name(c, i, false);                                                                         \
        return sys_next_serial(c, i);                                                              \
    }                                                                                              \
    static void op_##name##_m(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        name(c, i, true);                                                                          \
        return sys_next_serial(c, i);                                                              \
    }
LOAD_SEL(lldt)
LOAD_SEL(ltr)

/* ---- GDTR, IDTR ---- */

static void store_table(struct cpu *c, const struct insn *i, const struct dtable *t)
{
    uint8_t buf[10];
    unsigned len = cpu_is_64(c) ? 10 : 6;

    check_umip(c, i);
    st_le16(buf, t->limit);
    st_le64(buf + 2, t->base);
    mem_store_bytes(c, i, EA(len, EA_WRITE), buf, len);
}

static void load_table(struct cpu *c, const struct insn *i, struct dtable *t, unsigned bits)
{
    uint8_t buf[10] = {0};
    unsigned len = cpu_is_64(c) ? 10 : 6;

    need_cpl0(c, i);
    mem_load_bytes(c, i, EA(len, EA_READ), buf, len);
    uint64_t base = ld_le64(buf + 2);
    c->cur = i;
    if (cpu_is_64(c)) {
        if (!cpu_is_canonical(base)) {
            cpu_raise_error(c, EXCP_GP, 0);
        }
    } else {
        base &= bits == 16 ? 0xffffff : 0xffffffff;
    }
    *t = (struct dtable){.limit = ld_le16(buf), .base = base};
}

#define TABLES(bits, T, sfx, ...)                                                                  \
    static void op_lgdt##bits(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        load_table(c, i, &c->gdtr, bits);                                                          \
        return sys_next_serial(c, i);                                                              \
    }                                                                                              \
    static void op_lidt##bits(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        load_table(c, i, &c->idtr, bits);                                                          \
        return sys_next_serial(c, i);                                                              \
    }
FOR_WIDE(TABLES, )

static void op_sgdt(struct cpu *c, const struct insn *i)
{
    store_table(c, i, &c->gdtr);
    NEXT(c, i);
}

static void op_sidt(struct cpu *c, const struct insn *i)
{
    store_table(c, i, &c->idtr);
    NEXT(c, i);
}

/* ---- tables ---- */

#define SAME(f)                                                                                    \
    {                                                                                              \
        f, f, f, f                                                                                 \
    }
#define WIDE_R(p)                                                                                  \
    {                                                                                              \
        .fn = { [FORM_R] = FNS_WIDE_ROW(p) }                                                       \
    }
#define WIDE_M(p)                                                                                  \
    {                                                                                              \
        .fn = { [FORM_MG] = FNS_WIDE_ROW(p) }                                                      \
    }

const struct op_fns fns_mov_sreg_e = {
    .fn = {[FORM_R] = SAME(op_mov_sreg_r), [FORM_MG] = SAME(op_mov_sreg_m)}};
const struct op_fns fns_mov_e_sreg = {
    .fn = {[FORM_R] = FNS_WIDE_ROW(op_mov_e_sreg_r), [FORM_MG] = SAME(op_mov_e_sreg_m)}};
const struct op_fns fns_push_sreg = WIDE_R(op_push_sreg);
const struct op_fns fns_pop_sreg = WIDE_R(op_pop_sreg);
const struct op_fns fns_load_far = WIDE_M(op_load_far);
const struct op_fns fns_jmp_ap = WIDE_R(op_jmp_ap);
const struct op_fns fns_call_ap = WIDE_R(op_call_ap);
const struct op_fns fns_jmp_far = WIDE_M(op_jmp_far);
const struct op_fns fns_call_far = WIDE_M(op_call_far);
const struct op_fns fns_retf = WIDE_R(op_retf);
const struct op_fns fns_lar = {
    .fn = {[FORM_R] = FNS_WIDE_ROW(op_lar_r), [FORM_MG] = FNS_WIDE_ROW(op_lar_m)}};
const struct op_fns fns_lsl = {
    .fn = {[FORM_R] = FNS_WIDE_ROW(op_lsl_r), [FORM_MG] = FNS_WIDE_ROW(op_lsl_m)}};
const struct op_fns fns_verr = {.fn = {[FORM_R] = SAME(op_verr_r), [FORM_MG] = SAME(op_verr_m)}};
const struct op_fns fns_verw = {.fn = {[FORM_R] = SAME(op_verw_r), [FORM_MG] = SAME(op_verw_m)}};
const struct op_fns fns_arpl = {.fn = {[FORM_R] = SAME(op_arpl_r), [FORM_MG] = SAME(op_arpl_m)}};
const struct op_fns fns_sldt = {
    .fn = {[FORM_R] = FNS_WIDE_ROW(op_sldt_r), [FORM_MG] = SAME(op_sldt_m)}};
const struct op_fns fns_str = {
    .fn = {[FORM_R] = FNS_WIDE_ROW(op_str_r), [FORM_MG] = SAME(op_str_m)}};
const struct op_fns fns_lldt = {.fn = {[FORM_R] = SAME(op_lldt_r), [FORM_MG] = SAME(op_lldt_m)}};
const struct op_fns fns_ltr = {.fn = {[FORM_R] = SAME(op_ltr_r), [FORM_MG] = SAME(op_ltr_m)}};
const struct op_fns fns_sgdt = {.fn = {[FORM_MG] = SAME(op_sgdt)}};
const struct op_fns fns_sidt = {.fn = {[FORM_MG] = SAME(op_sidt)}};
const struct op_fns fns_lgdt = WIDE_M(op_lgdt);
const struct op_fns fns_lidt = WIDE_M(op_lidt);
