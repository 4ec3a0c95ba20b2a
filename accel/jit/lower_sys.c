/*
 * CLI, STI, STAC, CLAC and SWAPGS at CPL 0; selectors that are read.
 *
 * Follows: Intel SDM volume 2; cpu/op_flags.c for the shadow behind STI.
 *
 * Not modelled: other levels, VIF, STI with requests pending, STAC and CLAC where the TLB class is
 * not what it mostly is then: the handlers run.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops_system.h"

static void bail_unless_cpl0(struct tr *t)
{
    tr_flags_clobber(t);
    emit_op(&t->e, 0, 0x80, 7, tr_state(cpl));
    emit8(&t->e, 0);
    tr_bail(t, 5);
}

static bool lower_cli(struct tr *t)
{
    bail_unless_cpl0(t);
    emit_op(&t->e, 0, 0x81, 4, tr_state(eflags));
    emit32(&t->e, ~(uint32_t)FLAG_IF);
    return true;
}

static bool lower_sti(struct tr *t)
{
    bail_unless_cpl0(t);
    emit_load(&t->e, true, H_RCX, tr_state(v));
    emit_op(&t->e, 0, 0x83, 7, hmem(H_RCX, offsetof(struct vcpu, requests)));
    emit8(&t->e, 0);
    tr_bail(t, 5);
    emit_op(&t->e, 0, 0xf6, 0, tr_state_at(offsetof(struct cpu, eflags) + 1));
    emit8(&t->e, FLAG_IF >> 8);
    uint8_t *on = emit_jump(&t->e, O_0F | 0x85, NULL);
    emit_op(&t->e, 0, 0x81, 1, tr_state(eflags));
    emit32(&t->e, FLAG_IF);
    emit_op(&t->e, 0, 0xc6, 0, tr_state(inhibit));
    emit8(&t->e, 1);
    if (!t->e.full) {
        emit_patch(on, t->e.p);
    }
    return true;
}

/* Compare the TLB class in force. */
static void compare_class(struct tr *t, enum tlb_class cls)
{
    emit_op(&t->e, 0, 0x80, 7, tr_state(tlb_class));
    emit8(&t->e, cls);
}

static void set_class(struct tr *t, enum tlb_class from, enum tlb_class to)
{
    emit_op(&t->e, 0, 0xc6, 0, tr_state(tlb_class));
    emit8(&t->e, to);
    emit_alu_imm(&t->e, true, 0, hreg(H_R15), ((int)to - (int)from) * (int)sizeof(struct tlb));
    emit_store(&t->e, true, tr_state(tlb), H_R15);
    emit_store(&t->e, true, tr_state(r15), H_R15);
}

/* Class TLB_KERNEL: there is SMAP, and AC is clear. */
static bool lower_stac(struct tr *t)
{
    bail_unless_cpl0(t);
    compare_class(t, TLB_KERNEL);
    tr_bail(t, 5);
    set_class(t, TLB_KERNEL, TLB_KERNEL_AC);
    emit_op(&t->e, 0, 0x81, 1, tr_state(eflags));
    emit32(&t->e, FLAG_AC);
    return true;
}

static bool lower_clac(struct tr *t)
{
    bail_unless_cpl0(t);
    compare_class(t, TLB_KERNEL);
    uint8_t *clear = emit_jump_short(&t->e, 0x74);
    compare_class(t, TLB_KERNEL_AC);
    tr_bail(t, 5);
    emit_op(&t->e, 0, 0xf7, 0, tr_state(cr4)); /* test */
    emit32(&t->e, CR4_SMAP);
    tr_bail(t, 4);
    set_class(t, TLB_KERNEL_AC, TLB_KERNEL);
    emit_op(&t->e, 0, 0x81, 4, tr_state(eflags));
    emit32(&t->e, ~(uint32_t)FLAG_AC);
    if (!t->e.full) {
        emit_patch_short(clear, t->e.p);
    }
    return true;
}

static bool lower_swapgs(struct tr *t)
{
    bail_unless_cpl0(t);
    emit_load(&t->e, true, H_RAX, tr_state(seg[SEG_GS].base));
    emit_load(&t->e, true, H_RCX, tr_state(kernel_gs_base));
    emit_store(&t->e, true, tr_state(seg[SEG_GS].base), H_RCX);
    emit_store(&t->e, true, tr_state(kernel_gs_base), H_RAX);
    return true;
}

static void store_selector(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    emit_op(&t->e, 0, O_0F | 0xb7, H_RAX, tr_state(seg[t->in->i.r1].sel)); /* movzx */
    emit_op(&t->e, X_66, 0x89, H_RAX, m);
}

/* To a register as its size says, to memory 16 bits. */
static bool lower_mov_e_sreg(struct tr *t)
{
    const struct insn *i = &t->in->i;

    if (i->r1 > SEG_GS || (t->in->d.has_mem && !tr_ea_ok(t))) {
        return false;
    }
    if (t->in->d.has_mem) {
        tr_mem_shared(t, TR_STORE, 2, store_selector, NULL, 0);
    } else {
        emit_op(&t->e, 0, O_0F | 0xb7, H_RAX, tr_state(seg[i->r1].sel));
        tr_gpr_put_sized(t, i->r2, H_RAX, t->in->d.size);
    }
    return true;
}

lower_fn *sys_of(const struct op_fns *fns)
{
    return fns == &fns_cli          ? lower_cli
           : fns == &fns_sti        ? lower_sti
           : fns == &fns_stac       ? lower_stac
           : fns == &fns_clac       ? lower_clac
           : fns == &fns_swapgs     ? lower_swapgs
           : fns == &fns_mov_e_sreg ? lower_mov_e_sreg
                                    : NULL;
}
