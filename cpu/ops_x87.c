/*
 * x87 instructions: table and handlers.
 *
 * Follows: Intel SDM volume 1 chapter 8, volume 2.
 *
 * All but the control instructions (fpu.c) run natively on the registers in the host's x87 unit.
 * While the guest's control word masks every exception nothing can be pending, so the fast handlers
 * look for nothing.  Otherwise (MODE_FPU_CHECK) an instruction runs under the guest's own control
 * word: the host's unit then leaves registers, status word and pending exception exactly as they
 * have to be, and does not trap before its next waiting instruction, which it does not get to see.
 *
 * struct insn: r1 = ModRM, r2 = low three opcode bits; together the FOP.
 *
 * Not modelled: the 8087's and 80287's differing answers (this is a 387 and later unit).
 */
#include "cpu/fpu.h"
#include "cpu/native_mem.h"

/* Instruction pointer and opcode of the last non-control instruction. */
static inline void note_insn(struct cpu *c, const struct insn *i)
{
    memcpy(&c->fpu.fop, &i->r1, sizeof c->fpu.fop);
    c->fpu.fip = c->r[R_BASE] + i->ofs;
    c->fpu.fcs = c->seg[SEG_CS].sel;
}

static inline void note_data(struct cpu *c, const struct insn *i, uint64_t off)
{
    c->fpu.fdp = off;
    c->fpu.fds = c->seg[i->seg].sel;
}

static void op_x87_reg(struct cpu *c, const struct insn *i)
{
    fpu_x87_need(c);
    note_insn(c, i);
    return ((native_stub *)i->ptr)(c, i, NULL);
}

/* Memory forms: a TLB miss or registers that are not in the host go to functions of their own. */
static __attribute__((noinline)) void load_slow(struct cpu *c, const struct insn *i, uint64_t la)
{
    void *p = native_read(c, i, la, native_info(i)->size);

    fpu_x87_need(c);
    note_insn(c, i);
    note_data(c, i, ea_offset(c, i));
    return ((native_stub *)i->ptr)(c, i, p);
}

static __attribute__((noinline)) void store_slow(struct cpu *c, const struct insn *i, uint64_t la)
{
    fpu_x87_need(c);
    native_store_slow(c, i, la, native_info(i)->size);
    note_insn(c, i);
    note_data(c, i, ea_offset(c, i));
    NEXT(c, i);
}

/* In the forms without segment base the linear address is the offset. */
#define OFFSET_MB  la
#define OFFSET_MX  la
#define OFFSET_M32 la
#define OFFSET_MG  ea_offset(c, i)

#define MEM_FORM(size, form, name, access, tag)                                                    \
    static void op_##name##size##_##form(struct cpu *c, const struct insn *i)                      \
    {                                                                                              \
        uint64_t la = NATIVE_EA_##form(size, access);                                              \
        const struct tlb_entry *e = tlb_slot(c, la);                                               \
        if (unlikely(la - e->tag > PAGE_BYTES - (size)) || unlikely(!c->fpu.x87_live)) {           \
            return name##_slow(c, i, la);                                                          \
        }                                                                                          \
        note_insn(c, i);                                                                           \
        note_data(c, i, OFFSET_##form);                                                            \
        return ((native_stub *)i->ptr)(c, i, (void *)(uintptr_t)(la + e->addend));                 \
    }
#define LOAD_FORM(size, form)  MEM_FORM(size, form, load, EA_READ, tag_r)
#define STORE_FORM(size, form) MEM_FORM(size, form, store, EA_WRITE, tag_w)
#define FORMS(X, size)         X(size, MB) X(size, MX) X(size, M32) X(size, MG)
FORMS(LOAD_FORM, 2)
FORMS(LOAD_FORM, 4)
FORMS(LOAD_FORM, 8)
FORMS(LOAD_FORM, 10)
FORMS(STORE_FORM, 2)
FORMS(STORE_FORM, 4)
FORMS(STORE_FORM, 8)
FORMS(STORE_FORM, 10)

#define ROW_OF(name)                                                                               \
    {                                                                                              \
        NULL, name##_MB, name##_MX, name##_M32, name##_MG                                          \
    }
static const struct {
    uint8_t size;
    op_fn *load[FORM_COUNT], *store[FORM_COUNT];
} handlers[] = {
    {2, ROW_OF(op_load2), ROW_OF(op_store2)},
    {4, ROW_OF(op_load4), ROW_OF(op_store4)},
    {8, ROW_OF(op_load8), ROW_OF(op_store8)},
    {10, ROW_OF(op_load10), ROW_OF(op_store10)},
};

/* ---- checked path ---- */

/* An unmasked exception of this kind leaves the memory operand of a store alone. */
enum { FSW_NO_STORE = 0x1f };

static void checked(struct cpu *c, const struct insn *i)
{
    const struct native_info *info = native_info(i);
    struct native *n = c->native;
    bool ignored = fpu_check_pending(c, i), store = info->size && (info->aux >> 8 & NA_W);
    uint64_t la = 0;

    if (info->size) {
        la = ea_generic(c, i, info->size, store ? EA_WRITE : EA_READ);
        if (store) {
            mem_probe_operand(c, i, la, info->size);
        } else {
            mem_load_bytes(c, i, la, n->scratch, info->size);
        }
    }
    note_insn(c, i);
    if (info->size) {
        note_data(c, i, ea_offset(c, i));
    }
    if (ignored) { /* would trap at once: run it masked */
        fpu_x87_need(c);
        native_run(c, i, n->scratch);
    } else {
        fpu_run_unmasked(c, i, n->scratch);
    }
    uint16_t pending = ignored ? 0 : fpu_fsw(c) & ~fpu_fcw(c) & FCW_MASKS;
    if (store && !(pending & FSW_NO_STORE)) {
        mem_store_bytes(c, i, la, n->scratch, info->size);
    }
}

static void op_x87_checked(struct cpu *c, const struct insn *i)
{
    checked(c, i);
    NEXT(c, i);
}

/* ---- decode ---- */

bool x87_prepare(struct cpu *c, struct decode *d, struct insn *i)
{
    uint64_t aux = d->row->aux;
    struct native_desc desc;

    if (d->row->fns) {
        return i->fn;
    }
    native_describe(d->row, 0, 0, &desc);
    struct native_op o = {
        .aux = aux,
        .map = MAP_1,
        .op = d->op,
        .mem = d->has_mem,
        .reg = d->modrm >> 3 & 7,
        .imm = -1,
        .rm = d->has_mem ? 0 : d->modrm & 7,
    };
    i->ptr = (const void *)(uintptr_t)native_get(c, &o, d->has_mem ? desc.mem_bytes : 0);
    i->r1 = d->modrm;
    i->r2 = d->op & 7;
    if (!i->ptr) {
        return false;
    }
    i->fn = d->mode & MODE_FPU_CHECK ? op_x87_checked : op_x87_reg;
    if (!d->has_mem || d->mode & MODE_FPU_CHECK) {
        return true;
    }
    i->fn = NULL;
    for (unsigned k = 0; k < ARRAY_LEN(handlers); k++) {
        if (handlers[k].size == desc.mem_bytes) {
            i->fn = (desc.rm_access & NA_W ? handlers[k].store
                                           : handlers[k].load)[native_mem_form(d, i)];
        }
    }
    return i->fn;
}

/* ---- table ---- */

#define ENV_FNS(name)                                                                              \
    {                                                                                              \
        .fn[FORM_MG] = { NULL, fpu_op_##name##16, fpu_op_##name##32, fpu_op_##name##32 }           \
    }
#define REG_FNS(name)                                                                              \
    {                                                                                              \
        .fn[FORM_R] = { fpu_op_##name, fpu_op_##name, fpu_op_##name, fpu_op_##name }               \
    }
static const struct op_fns fpu_fns_fldenv = ENV_FNS(fldenv), fpu_fns_fnstenv = ENV_FNS(fnstenv),
                           fpu_fns_frstor = ENV_FNS(frstor), fpu_fns_fnsave = ENV_FNS(fnsave),
                           fpu_fns_nop = REG_FNS(nop), fpu_fns_fnclex = REG_FNS(fnclex),
                           fpu_fns_fninit = REG_FNS(fninit), fpu_fns_fnstsw_ax = REG_FNS(fnstsw_ax),
                           fpu_fns_fwait = REG_FNS(fwait);

#define ROW_X87(mnemonic, opcode, m, e, r, feature, f, a)                                          \
    {                                                                                              \
        .name = #mnemonic, .map = MAP_1, .op = (opcode), .pfx = PFX_ANY, .mod = (m), .ext = (e),   \
        .rm = (r), .size = SZ_Z, .isa = FEAT_##feature, .enc = ENC_MODRM | ENC_PLAINREG | ENC_FPU, \
        .fns = (f), .prepare = x87_prepare, .aux = NAT_X87 | (a)                                   \
    }
#define ARITH_MEM(name, op, ext, size)                                                             \
    ROW_X87(name, op, MOD_MEM, ext, -1, FPU, NULL, NAT_RM(NK_NONE, NA_R) | NAT_MEM(size)),
#define LOAD_MEM(name, op, ext, size) ARITH_MEM(name, op, ext, size)
#define STORE_MEM(name, op, ext, size, feature)                                                    \
    ROW_X87(name, op, MOD_MEM, ext, -1, feature, NULL, NAT_RM(NK_NONE, NA_W) | NAT_MEM(size)),
#define REG(name, op, ext, feature, aux) ROW_X87(name, op, MOD_REG, ext, -1, feature, NULL, aux),
#define ONE(name, op, modrm, aux)                                                                  \
    ROW_X87(name, op, MOD_REG, (modrm) >> 3 & 7, (modrm)&7, FPU, NULL, aux),
#define CTL_MEM(name, op, ext, f)                                                                  \
    ROW_X87(name, op, MOD_MEM, ext, -1, FPU, &fpu_fns_##f, NAT_CONTROL | NAT_MEM(NM_ODD)),
#define CTL_ONE(name, op, modrm, f)                                                                \
    ROW_X87(name, op, MOD_REG, (modrm) >> 3 & 7, (modrm)&7, FPU, &fpu_fns_##f, NAT_CONTROL),

static const struct op_row rows[] = {
#include "cpu/ops_x87.inc"
    {.name = "fwait",
     .map = MAP_1,
     .op = 0x9b,
     .pfx = PFX_ANY,
     .ext = -1,
     .rm = -1,
     .size = SZ_NONE,
     .isa = FEAT_NONE,
     .fns = &fpu_fns_fwait,
     .aux = NAT_X87 | NAT_CONTROL},
};

const struct op_table ops_x87 = {rows, ARRAY_LEN(rows)};
