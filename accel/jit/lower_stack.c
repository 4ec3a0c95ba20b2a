/*
 * PUSH, POP, PUSHF, PUSHA, POPA, ENTER and LEAVE, on any stack.
 *
 * Follows: Intel SDM volume 2.
 *
 * Not modelled: ENTER with a nesting level, PUSHF in V86 mode, PUSHA and POPA in the slow path:
 * their handlers run.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"
#include "cpu/ops_system.h"

/* ---- PUSH ---- */

/* What is pushed: a register (arg[0] = 1, arg[1] = number) or the immediate. */
static void push_body(struct tr *t, struct hrm m, const void *arg)
{
    const uint8_t *a = arg;

    if (a[0]) {
        emit_op(&t->e, tr_x_size(t), 0x89, tr_gpr_get(t, a[1], H_RAX), m);
    } else {
        emit_op(&t->e, tr_x_size(t), 0xc7, 0, m);
        if (t->in->d.size == 1) {
            emit16(&t->e, (unsigned)t->in->i.imm);
        } else {
            emit32(&t->e, (uint32_t)t->in->i.imm);
        }
    }
    tr_sp_set(t, R_RSP, -(int32_t)tr_bytes(t));
}

static bool push(struct tr *t, bool is_reg, unsigned reg)
{
    uint8_t arg[2] = {is_reg, (uint8_t)reg};

    tr_mem_stack(t, -(int32_t)tr_bytes(t), TR_STORE, push_body, arg, sizeof arg);
    return true;
}

static bool lower_push_z(struct tr *t)
{
    return push(t, true, t->in->i.r1);
}

static bool lower_push_i(struct tr *t)
{
    return push(t, false, 0);
}

/* The flags' image: as cpu_get_eflags, without VM and RF. */
static void push_flags_body(struct tr *t, struct hrm m, const void *arg)
{
    static_assert(FL_OF == 1, "where SETO puts it");
    (void)arg;
    emit_op(&t->e, 0, O_0F | 0xb7, H_RAX, tr_state(fl));
    emit_mov_rr(&t->e, false, H_RCX, H_RAX);
    emit_alu_imm(&t->e, false, 4, hreg(H_RCX), FL_OF);
    emit_op(&t->e, 0, 0xc1, 4, hreg(H_RCX)); /* shl: to OF's place */
    emit8(&t->e, 11);
    emit_op(&t->e, 0, 0xc1, 5, hreg(H_RAX)); /* shr */
    emit8(&t->e, 8);
    emit_alu_imm(&t->e, false, 4, hreg(H_RAX), 0xd5);
    emit_op(&t->e, 0, 0x0b, H_RAX, hreg(H_RCX));
    emit_op(&t->e, 0, 0x0b, H_RAX, tr_state(eflags));
    emit_alu_imm(&t->e, false, 1, hreg(H_RAX), FLAG_1);
    emit_alu_imm(&t->e, false, 4, hreg(H_RAX), ~(FLAG_VM | FLAG_RF));
    emit_op(&t->e, tr_x_size(t), 0x89, H_RAX, m);
    tr_sp_set(t, R_RSP, -(int32_t)tr_bytes(t));
}

static bool lower_pushf(struct tr *t)
{
    if (t->k->mode & MODE_V86) {
        return false;
    }
    tr_flags_clobber(t);
    tr_mem_stack(t, -(int32_t)tr_bytes(t), TR_STORE, push_flags_body, NULL, 0);
    return true;
}

/* From memory to memory: by way of c->ip, which is not in use inside blocks. */
static void load_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    emit_op(&t->e, tr_x_size(t), 0x8b, H_RAX, m);
    emit_store(&t->e, true, tr_state(ip), H_RAX);
}

static void push_ip_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    emit_load(&t->e, true, H_RAX, tr_state(ip));
    emit_op(&t->e, tr_x_size(t), 0x89, H_RAX, m);
    tr_sp_set(t, R_RSP, -(int32_t)tr_bytes(t));
}

static bool lower_push_e(struct tr *t)
{
    unsigned bytes = tr_bytes(t);

    if (!t->in->d.has_mem) {
        return push(t, true, t->in->i.r2);
    }
    tr_flags_clobber(t);
    tr_sp(t, R_RSP, -(int32_t)bytes); /* first: nothing is read twice */
    tr_seg_check(t, SEG_SS, TR_STORE, bytes);
    tr_mem(t, TR_LOAD, bytes, load_body, NULL, 0);
    tr_sp(t, R_RSP, -(int32_t)bytes);
    tr_seg_base(t, SEG_SS);
    tr_mem_at(t, TR_STORE, bytes, push_ip_body, NULL, 0);
    return true;
}

/* ---- POP ---- */

/* The pointer first: POP SP keeps the other half of what it has become. */
static void pop_body(struct tr *t, struct hrm m, const void *arg)
{
    unsigned g = *(const uint8_t *)arg, h = tr_host(g), size = t->in->d.size;

    if (tr_is_view(t)) { /* the load may fault */
        unsigned to = h == H_NONE || g == R_RSP ? H_RAX : h;

        emit_op(&t->e, tr_x_size(t), 0x8b, to, m);
        tr_sp_set(t, R_RSP, (int32_t)tr_bytes(t));
        if (to == H_RAX) {
            tr_gpr_put_sized(t, g, H_RAX, size);
        }
        return;
    }
    tr_sp_set(t, R_RSP, (int32_t)tr_bytes(t));
    emit_op(&t->e, tr_x_size(t), 0x8b, h == H_NONE ? H_RAX : h, m);
    if (h == H_NONE) {
        tr_gpr_put_sized(t, g, H_RAX, size);
    }
}

static bool pop(struct tr *t, uint8_t g)
{
    tr_mem_stack(t, 0, TR_LOAD, pop_body, &g, sizeof g);
    return true;
}

static bool lower_pop_z(struct tr *t)
{
    return pop(t, t->in->i.r1);
}

/* RDX = offset of POP's destination, which uses the pointer's value after the pop. */
static void pop_address(struct tr *t)
{
    const struct tr_insn *in = t->in;
    struct tr_insn shifted = *in;

    shifted.i.disp += in->i.base == R_RSP ? (int32_t)tr_bytes(t) : 0;
    t->in = &shifted;
    tr_address(t, H_RDX, INSN_ASIZE(&in->i) == 2);
    t->in = in;
}

static void pop_ip_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    emit_load(&t->e, true, H_RAX, tr_state(ip));
    emit_op(&t->e, tr_x_size(t), 0x89, H_RAX, m);
    tr_sp_set(t, R_RSP, (int32_t)tr_bytes(t));
}

static bool lower_pop_e(struct tr *t)
{
    unsigned bytes = tr_bytes(t), seg = t->in->i.seg;

    if (!t->in->d.has_mem) {
        return pop(t, t->in->i.r2);
    }
    if (t->in->i.base == R_RSP && t->in->i.disp > INT32_MAX - (int32_t)bytes) {
        return false;
    }
    tr_flags_clobber(t);
    pop_address(t);
    tr_seg_check(t, seg, TR_STORE, bytes);
    tr_sp(t, R_RSP, 0);
    tr_seg(t, SEG_SS, TR_LOAD, bytes);
    tr_mem_at(t, TR_LOAD, bytes, load_body, NULL, 0);
    pop_address(t);
    tr_seg_base(t, seg);
    tr_mem_at(t, TR_STORE, bytes, pop_ip_body, NULL, 0);
    return true;
}

/* ---- all registers ---- */

/* RDX = host address of the frame of eight registers that begins `disp` from the stack pointer. */
static void frame_of_eight(struct tr *t, enum tr_access access, int32_t disp)
{
    unsigned bytes = 8 * tr_bytes(t);

    tr_flags_clobber(t);
    tr_sp(t, R_RSP, disp);
    if (tr_sp_bits(t) == 16) { /* it may go around */
        emit_alu_imm(&t->e, false, 7, hreg(H_RDX), (int32_t)(0x10000 - bytes));
        tr_bail(t, 7);
    }
    tr_seg(t, SEG_SS, access, bytes);
    tr_mem_or_handler(t, access, bytes);
}

static bool lower_pusha(struct tr *t)
{
    int32_t bytes = (int32_t)tr_bytes(t);

    frame_of_eight(t, TR_STORE, -8 * bytes);
    for (int32_t g = 0; g < 8; g++) {
        emit_op(&t->e, tr_x_size(t), 0x89, tr_host((unsigned)g), hmem(H_RDX, (7 - g) * bytes));
    }
    tr_sp_set(t, R_RSP, -8 * bytes);
    return true;
}

static bool lower_popa(struct tr *t)
{
    int32_t bytes = (int32_t)tr_bytes(t);

    frame_of_eight(t, TR_LOAD, 0);
    for (int32_t g = 0; g < 8; g++) {
        if (g != R_RSP) {
            emit_op(&t->e, tr_x_size(t), 0x8b, tr_host((unsigned)g), hmem(H_RDX, (7 - g) * bytes));
        }
    }
    tr_sp_set(t, R_RSP, 8 * bytes);
    return true;
}

/* ---- ENTER, LEAVE ---- */

static void enter_body(struct tr *t, struct hrm m, const void *arg)
{
    unsigned rsp = tr_host(R_RSP), rbp = tr_host(R_RBP), size = t->in->d.size;
    int32_t bytes = (int32_t)tr_bytes(t);

    (void)arg;
    emit_op(&t->e, tr_x_size(t), 0x89, rbp, m);
    tr_sp_set(t, R_RSP, -bytes);
    tr_gpr_put_sized(t, R_RBP, rsp, size);
    tr_sp_set(t, R_RSP, -(int32_t)t->in->i.imm);
}

/* Where the frame's far end cannot be written, nothing is done. */
static bool lower_enter(struct tr *t)
{
    int32_t bytes = (int32_t)tr_bytes(t);

    if (t->in->i.disp & 31) {
        return false;
    }
    tr_flags_clobber(t);
    tr_sp(t, R_RSP, -bytes - (int32_t)t->in->i.imm);
    tr_seg(t, SEG_SS, TR_STORE, (unsigned)bytes);
    tr_mem_or_handler(t, TR_STORE, 1);
    tr_sp(t, R_RSP, -bytes);
    tr_seg(t, SEG_SS, TR_STORE, (unsigned)bytes);
    tr_mem_at(t, TR_STORE, (unsigned)bytes, enter_body, NULL, 0);
    return true;
}

static void leave_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    emit_op(&t->e, tr_x_size(t), 0x8b, H_RAX, m);
    tr_sp_set(t, R_RBP, (int32_t)tr_bytes(t));
    tr_gpr_put_sized(t, R_RBP, H_RAX, t->in->d.size);
}

static bool lower_leave(struct tr *t)
{
    tr_flags_clobber(t);
    tr_sp(t, R_RBP, 0);
    tr_seg(t, SEG_SS, TR_LOAD, tr_bytes(t));
    tr_mem_at(t, TR_LOAD, tr_bytes(t), leave_body, NULL, 0);
    return true;
}

bool tr_sp_can_wait(const struct tr_insn *in)
{
    const struct op_fns *fns = in->d.row->fns;

    return in->d.size == 3 &&
           (fns == &fns_push_i || ((fns == &fns_push_z || fns == &fns_pop_z) && in->i.r1 != R_RSP));
}

lower_fn *stack_of(const struct op_fns *fns)
{
    return fns == &fns_push_z   ? lower_push_z
           : fns == &fns_push_i ? lower_push_i
           : fns == &fns_push_e ? lower_push_e
           : fns == &fns_pop_z  ? lower_pop_z
           : fns == &fns_pop_e  ? lower_pop_e
           : fns == &fns_pushf  ? lower_pushf
           : fns == &fns_pusha  ? lower_pusha
           : fns == &fns_popa   ? lower_popa
           : fns == &fns_enter  ? lower_enter
           : fns == &fns_leave  ? lower_leave
                                : NULL;
}
