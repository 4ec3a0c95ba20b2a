/*
 * The native mechanism: code memory, stub cache, decode-time preparation and the memory forms of
 * vector instructions.
 *
 * The code memory is one memfd mapped twice, writable and executable, never both at one address. It
 * is sparse and large enough for every canonical encoding there is (about 130,000, 12 MiB), so it
 * needs no eviction; an attempt to overfill it makes the instruction invalid.
 *
 * Not modelled: with an unmasked overflow or underflow, PE tells of the result scaled by the SDM's
 * factor; here it tells of the masked result.  DPPS and DPPD with an unmasked overflow or underflow
 * show the flags of all their steps.
 */
#include "cpu/fpu.h"
#include "cpu/native_mem.h"
#include <cpuid.h>

enum { CODE_BYTES = 24 << 20 };

/* ---- code memory and cache ---- */

static guint key_hash(gconstpointer key)
{
    return (uintptr_t)key * 0x9e3779b97f4a7c15ull >> 32;
}

bool native_init(struct cpu *c, GError **err)
{
    struct codemem code;

    if (!codemem_map(&code, "candela-stubs", "", CODE_BYTES, err)) {
        return false;
    }
    struct native *n = g_aligned_alloc0(1, sizeof *n, 64);
    n->code = code;
    n->stubs = g_hash_table_new(key_hash, g_direct_equal);
    n->host_mxcsr = MXCSR_DEFAULT;
    c->native = n;
    return true;
}

void native_free(struct cpu *c)
{
    struct native *n = c->native;

    if (n) {
        codemem_unmap(&n->code);
        g_hash_table_destroy(n->stubs);
        g_aligned_free(n);
        c->native = NULL;
    }
}

/* `aux` needs no place in the key: the row follows from opcode, prefix, form and extension. */
static uint64_t op_key(const struct native_op *o)
{
    return (uint64_t)o->map | o->pfx << 4 | o->w << 8 | o->l << 9 | o->mem << 10 |
           (o->imm >= 0) << 11 | o->op << 12 | o->reg << 20 | o->rm << 24 |
           (uint64_t)(o->imm & 0xff) << 28 | BIT64(40);
}

native_stub *native_get(struct cpu *c, const struct native_op *o, unsigned size)
{
    struct native *n = c->native;
    void *key = (void *)(uintptr_t)op_key(o);
    void *stub = n ? g_hash_table_lookup(n->stubs, key) : NULL;
    uint8_t code[NATIVE_STUB_MAX];
    struct native_info info = {
        .aux = o->aux, .size = size, .result = o->map >= MAP_VEX_0F ? 32 : 16};

    if (stub || !n || n->used > CODE_BYTES - sizeof info - NATIVE_STUB_MAX) {
        return (native_stub *)stub;
    }
    /* The guest's MXCSR may be live, and a growing hash table computes in floating point. */
    uint32_t mxcsr = __builtin_ia32_stmxcsr();
    unsigned len = native_emit(o, code);
    memcpy(n->code.rw + n->used, &info, sizeof info);
    memcpy(n->code.rw + n->used + sizeof info, code, len);
    stub = n->code.rx + n->used + sizeof info;
    n->used = align_up(n->used + sizeof info + len, 16);
    g_hash_table_insert(n->stubs, key, stub);
    __builtin_ia32_ldmxcsr(mxcsr);
    return (native_stub *)stub;
}

/* ---- the host ---- */

bool native_host_has(enum feature f)
{
    static const struct {
        uint8_t feat;
        uint32_t leaf;
        uint8_t reg, bit;
        bool avx;
    } needs[] = {
        {FEAT_SSE3, 1, 2, 0, false},
        {FEAT_PCLMULQDQ, 1, 2, 1, false},
        {FEAT_SSSE3, 1, 2, 9, false},
        {FEAT_FMA, 1, 2, 12, true},
        {FEAT_SSE41, 1, 2, 19, false},
        {FEAT_SSE42, 1, 2, 20, false},
        {FEAT_AES, 1, 2, 25, false},
        {FEAT_AVX, 1, 2, 28, true},
        {FEAT_F16C, 1, 2, 29, true},
        {FEAT_AVX2, 7, 1, 5, true},
        /* These the integer handlers (op_bit.c) execute, or the translator does. */
        {FEAT_MOVBE, 1, 2, 22, false},
        {FEAT_CX16, 1, 2, 13, false},
        {FEAT_POPCNT, 1, 2, 23, false},
        {FEAT_BMI1, 7, 1, 3, false},
        {FEAT_BMI2, 7, 1, 8, false},
        {FEAT_ADX, 7, 1, 19, false},
        {FEAT_ABM, 0x80000001, 2, 5, false},
    };

    for (unsigned k = 0; k < ARRAY_LEN(needs); k++) {
        if (needs[k].feat == f) {
            unsigned r[4] = {0}, one[4] = {0}, lo = 0, hi;

            __get_cpuid(1, &one[0], &one[1], &one[2], &one[3]);
            __get_cpuid_count(needs[k].leaf, 0, &r[0], &r[1], &r[2], &r[3]);
            if (needs[k].avx && one[2] & BIT(27)) {
                asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
            }
            return (r[needs[k].reg] >> needs[k].bit & 1) && (!needs[k].avx || (lo & 6) == 6);
        }
    }
    return true;
}

/* ---- running a stub alone ---- */

static void op_return(struct cpu *c, const struct insn *i)
{
    (void)c;
    (void)i;
}

void native_run(struct cpu *c, const struct insn *i, void *p)
{
    struct insn pair[2] = {*i, {.fn = op_return}};

    ((native_stub *)i->ptr)(c, pair, p);
}

__attribute__((noinline)) void *native_read_slow(struct cpu *c, const struct insn *i, uint64_t la,
                                                 unsigned size)
{
    struct native *n = c->native;

    mem_load_bytes(c, i, la, n->scratch, size);
    return n->scratch;
}

__attribute__((noinline)) void native_store_slow(struct cpu *c, const struct insn *i, uint64_t la,
                                                 unsigned size)
{
    struct native *n = c->native;

    mem_probe_operand(c, i, la, size);
    native_run(c, i, n->scratch);
    mem_store_bytes(c, i, la, n->scratch, size);
}

/* ---- memory forms ---- */

/* Loads: name_FORM(c, i) finds the operand, does `pre` and goes to the stub. */
#define LOAD_FORM(name, form, size, align, pre)                                                    \
    static void name##_##form(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        uint64_t la = NATIVE_EA_##form(size, EA_READ);                                             \
        if ((align) && unlikely(la & ((size)-1))) {                                                \
            return op_gp0(c, i);                                                                   \
        }                                                                                          \
        void *p = native_read(c, i, la, size);                                                     \
        pre;                                                                                       \
        return ((native_stub *)i->ptr)(c, i, p);                                                   \
    }
#define STORE_FORM(name, form, size, pre)                                                          \
    static void name##_##form(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        uint64_t la = NATIVE_EA_##form(size, EA_WRITE);                                            \
        pre;                                                                                       \
        void *p = native_write(c, la, size);                                                       \
        if (likely(p)) {                                                                           \
            return ((native_stub *)i->ptr)(c, i, p);                                               \
        }                                                                                          \
        native_store_slow(c, i, la, size);                                                         \
        NEXT(c, i);                                                                                \
    }
#define LOADS(name, size, align, pre)                                                              \
    LOAD_FORM(name, MB, size, align, pre)                                                          \
    LOAD_FORM(name, MX, size, align, pre)                                                          \
    LOAD_FORM(name, M32, size, align, pre)                                                         \
    LOAD_FORM(name, MG, size, align, pre)
#define STORES(name, size, pre)                                                                    \
    STORE_FORM(name, MB, size, pre)                                                                \
    STORE_FORM(name, MX, size, pre)                                                                \
    STORE_FORM(name, M32, size, pre)                                                               \
    STORE_FORM(name, MG, size, pre)
#define FORMS(name)                                                                                \
    {                                                                                              \
        NULL, name##_MB, name##_MX, name##_M32, name##_MG                                          \
    }

LOADS(ld1, 1, false, )
LOADS(ld2, 2, false, )
LOADS(ld4, 4, false, )
LOADS(ld8, 8, false, )
LOADS(ld16, 16, false, )
LOADS(ld16a, 16, true, )
LOADS(ld32, 32, false, )
STORES(st1, 1, )
STORES(st2, 2, )
STORES(st4, 4, )
STORES(st8, 8, )
STORES(st16, 16, )
/* With an MMX operand the x87 registers have to be the guest's. */
LOADS(mld2, 2, false, fpu_x87_need(c))
LOADS(mld4, 4, false, fpu_x87_need(c))
LOADS(mld8, 8, false, fpu_x87_need(c))
LOADS(mld16a, 16, true, fpu_x87_need(c))
STORES(mst4, 4, fpu_x87_need(c))
STORES(mst8, 8, fpu_x87_need(c))

struct mem_handler {
    uint8_t size;
    bool store, aligned, mmx;
    op_fn *fn[FORM_COUNT];
};
static const struct mem_handler mem_handlers[] = {
    {1, false, false, false, FORMS(ld1)},   {2, false, false, false, FORMS(ld2)},
    {4, false, false, false, FORMS(ld4)},   {8, false, false, false, FORMS(ld8)},
    {16, false, false, false, FORMS(ld16)}, {16, false, true, false, FORMS(ld16a)},
    {32, false, false, false, FORMS(ld32)}, {1, true, false, false, FORMS(st1)},
    {2, true, false, false, FORMS(st2)},    {4, true, false, false, FORMS(st4)},
    {8, true, false, false, FORMS(st8)},    {16, true, false, false, FORMS(st16)},
    {2, false, false, true, FORMS(mld2)},   {4, false, false, true, FORMS(mld4)},
    {8, false, false, true, FORMS(mld8)},   {16, false, true, true, FORMS(mld16a)},
    {4, true, false, true, FORMS(mst4)},    {8, true, false, true, FORMS(mst8)},
};

/* MMX instruction without memory operand. */
static void op_mmx_reg(struct cpu *c, const struct insn *i)
{
    fpu_x87_need(c);
    return ((native_stub *)i->ptr)(c, i, NULL);
}

/* ---- checked paths: an exception is unmasked ---- */

/* Is a lane of the result denormal?  An unmasked underflow is raised for those even when they are
 * exact. */
static bool has_tiny(const uint8_t *result, unsigned bytes, enum native_tiny type, bool scalar)
{
    unsigned step = type == NT_F64 ? 8 : type == NT_F32 ? 4 : 2;
    unsigned frac = type == NT_F64 ? 52 : type == NT_F32 ? 23 : 10;

    for (unsigned k = 0; k < (scalar ? step : bytes); k += step) {
        uint64_t v = 0;

        memcpy(&v, result + k, step);
        v &= BIT64(step * 8 - 1) - 1;
        if (v && v < BIT64(frac)) {
            return true;
        }
    }
    return false;
}

/*
 * After a run with all exceptions masked that set `flags`: which become visible, and whether #XM
 * follows.  With an unmasked invalid, denormal or divide-by-zero in any lane nothing is computed,
 * so the others do not show.
 */
static bool sse_unmasked(uint32_t mxcsr, uint32_t *flags)
{
    uint32_t unmasked = *flags & ~(mxcsr >> 7) & MXCSR_FLAGS;

    if (unmasked & 7) {
        *flags &= 7;
    }
    return unmasked;
}

static bool info_has_mmx(const struct native_info *info)
{
    return (info->aux & 3) == NK_M || (info->aux >> 6 & 3) == NK_M;
}

/* The instruction of i on a copy of what it changes; p: memory operand or store buffer.  Raises #XM
 * or #UD. */
static void sse_checked(struct cpu *c, const struct insn *i, void *p)
{
    const struct native_info *info = native_info(i);
    bool to_rm = info->aux >> 8 & NA_W, to_mem = info->size && to_rm, mmx = info_has_mmx(info);
    unsigned type = info->aux >> 20 & 3;
    uint8_t *dst = c->fpu.ymm[(to_rm && !to_mem ? i->r2 : i->r1) & 15], old[32];
    uint64_t old_r = c->r[i->r1 & 15];
    uint16_t old_fl = c->fl;
    uint32_t before = fpu_mxcsr(c), flags;

    memcpy(old, dst, sizeof old);
    if (mmx) {
        fpu_x87_save(c);
        fpu_x87_load(c);
    }
    /* Flush-to-zero works with a masked underflow only. */
    fpu_set_mxcsr(c, before & ~(uint32_t)MXCSR_FLAGS &
                         (before & MXCSR_UM ? ~0u : ~(uint32_t)MXCSR_FZ));
    native_run(c, i, p);
    flags = fpu_mxcsr(c) & MXCSR_FLAGS;
    if (type && !(before & MXCSR_UM) && !(flags & ~(before >> 7) & 7) &&
        has_tiny(to_mem ? p : dst, to_mem ? info->size : info->result, type,
                 info->aux & NAT_SCALAR)) {
        flags |= MXCSR_UE;
    }
    bool raise = sse_unmasked(before, &flags);
    fpu_set_mxcsr(c, before | flags);
    if (!raise) {
        return;
    }
    memcpy(dst, old, sizeof old);
    c->r[i->r1 & 15] = old_r;
    c->fl = old_fl;
    if (mmx) { /* the image still has the old registers */
        asm volatile("fninit");
        c->fpu.x87_live = false;
    }
    c->cur = i;
    cpu_raise(c, c->cr4 & CR4_OSXMMEXCPT ? EXCP_XM : EXCP_UD);
}

static void op_sse_checked_reg(struct cpu *c, const struct insn *i)
{
    if (info_has_mmx(native_info(i))) {
        fpu_check_pending(c, i);
    }
    sse_checked(c, i, NULL);
    NEXT(c, i);
}

static void sse_checked_mem(struct cpu *c, const struct insn *i)
{
    const struct native_info *info = native_info(i);
    struct native *n = c->native;
    bool store = info->aux >> 8 & NA_W;
    uint64_t la = ea_generic(c, i, info->size, store ? EA_WRITE : EA_READ);

    if (info->aux & NAT_ALIGNED && la & (info->size - 1)) {
        op_gp0(c, i);
    }
    if (info_has_mmx(info)) {
        fpu_check_pending(c, i);
    }
    if (!store) {
        mem_load_bytes(c, i, la, n->scratch, info->size);
        sse_checked(c, i, n->scratch);
        return;
    }
    mem_probe_operand(c, i, la, info->size);
    sse_checked(c, i, n->scratch);
    mem_store_bytes(c, i, la, n->scratch, info->size);
}

static void op_sse_checked_mem(struct cpu *c, const struct insn *i)
{
    sse_checked_mem(c, i);
    NEXT(c, i);
}

/* MMX while the x87 control word unmasks something: a pending exception comes first. */
static void mmx_checked(struct cpu *c, const struct insn *i)
{
    const struct native_info *info = native_info(i);
    struct native *n = c->native;
    void *p = NULL;

    fpu_check_pending(c, i);
    if (info->size) {
        bool store = info->aux >> 8 & NA_W;
        uint64_t la = ea_generic(c, i, info->size, store ? EA_WRITE : EA_READ);

        if (info->aux & NAT_ALIGNED && la & (info->size - 1)) {
            op_gp0(c, i);
        }
        fpu_x87_need(c);
        if (store) {
            native_store_slow(c, i, la, info->size);
            return;
        }
        p = n->scratch;
        mem_load_bytes(c, i, la, p, info->size);
    }
    fpu_x87_need(c);
    native_run(c, i, p);
}

static void op_mmx_checked(struct cpu *c, const struct insn *i)
{
    mmx_checked(c, i);
    NEXT(c, i);
}

/* ---- decode ---- */

enum form native_mem_form(const struct decode *d, const struct insn *i)
{
    if (d->code == MODE_CODE64 && d->asize == 3 && i->seg != SEG_FS && i->seg != SEG_GS) {
        return i->index == R_ZERO ? FORM_MB : FORM_MX;
    }
    return d->code == MODE_CODE32 && d->mode & MODE_FLAT && d->asize == 2 && i->seg != SEG_CS &&
                   i->seg < SEG_FS
               ? FORM_M32
               : FORM_MG;
}

static unsigned mem_bytes(uint64_t aux, unsigned vex_l, unsigned size)
{
    static const uint8_t fixed[] = {
        [NM_1] = 1, [NM_2] = 2, [NM_4] = 4, [NM_8] = 8, [NM_16] = 16, [NM_32] = 32, [NM_10] = 10};
    unsigned code = aux >> 10 & 15, vl = vex_l && !(aux & NAT_SCALAR) ? 32 : 16;

    switch (code) {
    case NM_VL:
        return vl;
    case NM_VL2:
        return vl / 2;
    case NM_VL4:
        return vl / 4;
    case NM_VL8:
        return vl / 8;
    case NM_Y:
        return size == 3 ? 8 : 4;
    default:
        return code < ARRAY_LEN(fixed) ? fixed[code] : 0;
    }
}

void native_describe(const struct op_row *row, unsigned vex_l, unsigned size,
                     struct native_desc *out)
{
    uint64_t a = row->aux;

    *out = (struct native_desc){
        .reg = a & 3,
        .reg_access = a >> 2 & 3,
        .v_access = a >> 4 & 3,
        .rm = a >> 6 & 3,
        .rm_access = a >> 8 & 3,
        .mem_bytes = mem_bytes(a, vex_l, size),
        .aligned = a & NAT_ALIGNED,
    };
}

static bool has_mmx(const struct decode *d, uint64_t aux)
{
    return (aux & 3) == NK_M || (!d->has_mem && (aux >> 6 & 3) == NK_M);
}

/* Handler of an instruction whose stub stands in i->ptr; NULL: no such form. */
static op_fn *choose_handler(const struct decode *d, const struct insn *i, unsigned size)
{
    uint64_t aux = d->row->aux;
    bool mmx = has_mmx(d, aux), store = aux >> 8 & NA_W;

    if (aux & NAT_FP && d->mode & MODE_SSE_CHECK) {
        return d->has_mem ? op_sse_checked_mem : op_sse_checked_reg;
    }
    if (mmx && d->mode & MODE_FPU_CHECK) {
        return op_mmx_checked;
    }
    if (!d->has_mem) {
        return mmx ? op_mmx_reg : (op_fn *)(uintptr_t)i->ptr;
    }
    for (unsigned k = 0; k < ARRAY_LEN(mem_handlers); k++) {
        const struct mem_handler *h = &mem_handlers[k];

        if (h->size == size && h->store == store && h->mmx == mmx &&
            h->aligned == !!(aux & NAT_ALIGNED)) {
            return h->fn[native_mem_form(d, i)];
        }
    }
    return NULL;
}

bool native_prepare(struct cpu *c, struct decode *d, struct insn *i)
{
    uint64_t aux = d->row->aux;
    const struct op_row *row = d->row;

    if (d->vex) {
        if (!(aux >> 4 & 3)) {
            if (d->vvvv) {
                return false;
            }
        } else if (d->has_mem) {
            i->r2 = decode_vvvv(d);
        } else {
            i->base = decode_vvvv(d);
        }
    }
    if (row->fns) {
        if (aux & (NAT_MASKED | NAT_GATHER)) {
            i->imm = d->vex_l;
        }
        return i->fn && !(aux & NAT_GATHER && ((d->modrm & 7) != 4 || d->asize < 2));
    }
    struct native_op o = {
        .aux = aux,
        .map = row->map,
        .pfx = row->pfx,
        .op = row->op,
        .w = row->size == SZ_Y ? d->size == 3 : d->vex && row->vex_w == 1,
        .l = d->vex && d->vex_l && !(aux & NAT_SCALAR),
        .mem = d->has_mem,
        .imm = row->enc & ENC_IB ? (int)(i->imm & 0xff) : -1,
    };
    if (o.imm >= 0 && aux & NAT_IS4 && d->code != MODE_CODE64) {
        o.imm &= 0x7f;
    }
    o.reg = (aux & 3) == NK_NONE ? MAX(row->ext, 0) : (aux & 3) == NK_M ? d->reg & 7 : 0;
    o.rm = !d->has_mem && (aux >> 6 & 3) == NK_M ? d->rm & 7 : 0;
    unsigned size = d->has_mem ? mem_bytes(aux, o.l, d->size) : 0;
    i->ptr = (const void *)(uintptr_t)native_get(c, &o, size);
    if (!i->ptr || (d->has_mem && !size)) {
        return false;
    }
    i->fn = choose_handler(d, i, size);
    return i->fn;
}
