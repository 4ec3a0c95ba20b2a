/*
 * CLI and STI at CPL 0.
 *
 * Follows: Intel SDM volume 2; cpu/op_flags.c for the shadow behind STI.
 *
 * Not modelled: other levels, VIF, STI with requests pending: the handlers run.
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

lower_fn *sys_of(const struct op_fns *fns)
{
    return fns == &fns_cli ? lower_cli : fns == &fns_sti ? lower_sti : NULL;
}
