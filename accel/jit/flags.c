/*
 * Where the guest's flags are while a block is translated.
 *
 * They are needed where an instruction reads them, and as they are in memory wherever something may
 * fault or leave.  Most are never looked at: between a comparison and the next one stand accesses
 * to memory, whose looks at the TLB need the host's flags.  So where the flags' instruction can
 * give them once more they are not saved before such an access (FL_LAZY): who needs them has it
 * executed again, in slow paths for the most part.
 *
 * Not modelled: flags that are dead beyond the block.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"

static_assert(TR_STATE_DISP(fl) == (int8_t)TR_STATE_DISP(fl), "in a byte");
const uint8_t jit_save[JIT_SAVE] = {
    0x9f,                                         /* lahf */
    0x0f, 0x90, 0xc0,                             /* seto al */
    0x66, 0x89, 0x45, (uint8_t)TR_STATE_DISP(fl), /* mov [fl],ax */
};

static void load_flags(struct tr *t)
{
    emit_op(&t->e, 0, O_0F | 0xb7, H_RAX, tr_state(fl)); /* movzx */
    emit8(&t->e, 0x04);                                  /* add al, 127: OF */
    emit8(&t->e, 127);
    emit8(&t->e, 0x9e); /* sahf */
    t->flags = FL_BOTH;
}

static void make_again(struct tr *t)
{
    const struct tr_insn *in = t->in;

    t->in = t->made;
    plain_again(t);
    t->in = in;
}

void tr_flags_need(struct tr *t)
{
    if (t->flags == FL_MEM) {
        load_flags(t);
    } else if (t->flags == FL_LAZY) {
        make_again(t);
    }
}

void tr_flags_need_carry(struct tr *t)
{
    if (t->flags == FL_MEM) {
        emit_op(&t->e, X_66, O_0F | 0xba, 4, tr_state(fl)); /* bt */
        emit8(&t->e, (unsigned)__builtin_ctz(FL_CF));
    } else {
        tr_flags_need(t);
    }
}

void tr_flags_spill(struct tr *t)
{
    if (t->flags == FL_LAZY) {
        make_again(t);
    }
    if (t->flags == FL_HOST && t->fl_known) {
        emit_op(&t->e, X_66, 0xc7, 0, tr_state(fl));
        emit16(&t->e, t->fl_known);
        t->flags = FL_BOTH;
    } else if (t->flags == FL_HOST) {
        emit_bytes(&t->e, jit_save, sizeof jit_save);
        t->flags = FL_BOTH;
    }
}

/* ---- what comes later in the block ---- */

unsigned flags_of_row(const struct op_row *row, const struct lowering *l)
{
    const struct op_fns *fns = row->fns;

    if (!l->fn) {
        return FLAGS_UNKNOWN;
    }
    if (l->kind == LOWER_JCC) {
        return FLAGS_READ;
    }
    if (row->enc & ENC_END) {
        return FLAGS_UNKNOWN;
    }
    if (fns == &fns_inc_z || fns == &fns_dec_z) {
        return FLAGS_CARRY | FLAGS_SET;
    }
    return l->kind == LOWER_LEA || fns == &fns_nop || fns == &fns_mov_zi || fns == &fns_push_z ||
                   fns == &fns_push_i || fns == &fns_pop_z || fns == &fns_cbw || fns == &fns_cwd
               ? 0
               : FLAGS_UNKNOWN;
}

/* FLAGS_* of an instruction; those not known here may do anything, and leave. */
static unsigned flags_of(const struct tr *t, const struct tr_insn *in)
{
    const struct lowering *l = &t->j->lower[in->i.row];

    return in->result != DECODE_OK  ? FLAGS_UNKNOWN
           : l->kind == LOWER_PLAIN ? plain_flags(l->arg, in)
                                    : l->flags;
}

void tr_note_flags(struct tr *t, unsigned n)
{
    const struct tr_insn *in = &t->insn[n];

    t->notes[n].flags = (uint8_t)flags_of(t, in);
    t->notes[n].faults = (in->d.has_mem && !(in->d.row->enc & ENC_MEM_RAW)) ||
                         t->j->lower[in->i.row].kind == LOWER_STACK;
}

static bool overwrites(struct tr *t, unsigned n, uint32_t regs)
{
    const struct effects *f = &t->notes[n].effects;

    return f->barrier || (f->written | (f->moved < 16 ? BIT(f->moved) : 0)) & regs;
}

/*
 * Whether the flags, which t->made gives, need not be saved before an access of the present
 * instruction: either they are overwritten before anybody can want them, or they can be had again
 * for the first who does.
 */
static bool can_wait(struct tr *t)
{
    bool again = true;

    for (unsigned n = t->at; n < t->n; n++) {
        unsigned flags = t->notes[n].flags;

        if (flags & FLAGS_UNKNOWN || (!again && (flags & FLAGS_READ || t->notes[n].faults))) {
            return false;
        }
        if (flags) {
            return true;
        }
        again = again && !overwrites(t, n, t->made_of);
    }
    return false;
}

bool tr_flags_are_made(const struct tr *t)
{
    unsigned flags = t->notes[t->at].flags;

    return flags == FLAGS_SET ||
           (flags == (FLAGS_CARRY | FLAGS_SET) && (t->flags == FL_MEM || t->flags == FL_BOTH));
}

bool tr_flags_unwanted(struct tr *t)
{
    for (unsigned n = 0; n < t->n; n++) {
        unsigned flags = t->notes[n].flags;

        if (flags & (FLAGS_UNKNOWN | FLAGS_READ) || t->notes[n].faults) {
            return false;
        }
        if (flags) {
            return true;
        }
    }
    return false;
}

void tr_flags_put_off(struct tr *t)
{
    if (t->flags == FL_HOST && t->made && !t->fl_known && can_wait(t)) {
        t->flags = FL_LAZY;
    } else if (t->flags != FL_LAZY) {
        tr_flags_clobber(t);
    }
}

void tr_flags_after(struct tr *t)
{
    if (t->made && t->made != t->in && overwrites(t, t->at, t->made_of)) {
        t->made = NULL;
        t->flags = t->flags == FL_LAZY ? FL_MEM : t->flags; /* dead: can_wait */
    }
}
