/*
 * See decode_cs.h.
 *
 * Not modelled: see decode_cs.h.
 */
#include "tests/cpu/decode_cs.h"
#include "accel/interp.h"
#include <criterion/criterion.h>

/* ---- life ---- */

static const char *const low_names[16] = {"ax", "cx", "dx",  "bx",  "sp",  "bp",  "si",  "di",
                                          "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};

static bool number_after(const char *name, const char *prefix, unsigned *num)
{
    size_t len = strlen(prefix);

    if (strncmp(name, prefix, len) || !g_ascii_isdigit(name[len])) {
        return false;
    }
    *num = (unsigned)g_ascii_strtoull(name + len, NULL, 10);
    return true;
}

static struct cs_reg_info general_of(const char *name)
{
    static const char *const bytes[16] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
    static const char *const high[4] = {"ah", "ch", "dh", "bh"};

    for (uint8_t n = 0; n < 16; n++) {
        const char *low = low_names[n];
        size_t len = strlen(low);

        if (n < 8 && !strcmp(name, bytes[n])) {
            return (struct cs_reg_info){CREG_GPR, n, 1};
        }
        if (n < 4 && !strcmp(name, high[n])) {
            return (struct cs_reg_info){CREG_HIGH, n, 1};
        }
        if (n < 8 && !strcmp(name, low)) {
            return (struct cs_reg_info){CREG_GPR, n, 2};
        }
        if (n < 8 && (*name == 'e' || *name == 'r') && !strcmp(name + 1, low)) {
            return (struct cs_reg_info){CREG_GPR, n, *name == 'e' ? 4 : 8};
        }
        if (n >= 8 && !strncmp(name, low, len) && strlen(name) <= len + 1 &&
            !g_ascii_isdigit(name[len])) {
            return (struct cs_reg_info){CREG_GPR, n,
                                        name[len] == 'b'   ? 1
                                        : name[len] == 'w' ? 2
                                        : name[len]        ? 4
                                                           : 8};
        }
    }
    return (struct cs_reg_info){CREG_NONE, 0, 0};
}

static struct cs_reg_info register_of(const char *name)
{
    static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    struct cs_reg_info info = general_of(name);
    unsigned num;

    if (info.kind) {
        return info;
    }
    if (number_after(name, "xmm", &num) || number_after(name, "ymm", &num)) {
        return (struct cs_reg_info){CREG_VEC, (uint8_t)num, *name == 'x' ? 16 : 32};
    }
    if (number_after(name, "mm", &num)) {
        return (struct cs_reg_info){CREG_MMX, (uint8_t)num, 8};
    }
    for (uint8_t n = 0; n < ARRAY_LEN(segs); n++) {
        if (!strcmp(name, segs[n])) {
            return (struct cs_reg_info){CREG_SEG, n, 2};
        }
    }
    if (number_after(name, "cr", &num) || number_after(name, "dr", &num)) {
        return (struct cs_reg_info){CREG_OTHER, (uint8_t)num, 0};
    }
    return (struct cs_reg_info){!strcmp(name, "rip") || !strcmp(name, "eip") ? CREG_IP : CREG_OTHER,
                                0, 0};
}

static void rig_capstone(struct decode_rig *r)
{
    static const cs_mode modes[3] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};

    for (unsigned n = 0; n < 3; n++) {
        if (cs_open(CS_ARCH_X86, modes[n], &r->cs[n]) != CS_ERR_OK) {
            cr_assert_fail("Capstone does not open");
        }
        cs_option(r->cs[n], CS_OPT_DETAIL, CS_OPT_ON);
    }
    r->insn = cs_malloc(r->cs[0]);
    for (unsigned n = 1; n < X86_REG_ENDING; n++) {
        const char *name = cs_reg_name(r->cs[2], n);

        if (name && n != X86_REG_EIZ && n != X86_REG_RIZ) {
            r->regs[n] = register_of(name);
        }
    }
    r->names = g_malloc0((size_t)DECODE_MAX_ROWS * X86_INS_ENDING);
}

void decode_rig_init(struct decode_rig *r)
{
    struct vm_config cfg;
    GError *err = NULL;

    *r = (struct decode_rig){0};
    vm_config_init(&cfg);
    g_free(cfg.cpu_model);
    cfg.cpu_model = g_strdup("x86-64-v3");
    r->rig = rig_begin(&cfg);
    rig_ready(r->rig);
    vm_config_clear(&cfg);
    machine_unlock(r->rig->m);
    if (!rig_accel(r->rig->m)->vcpu_init(r->rig->m->vcpus[0], &err)) {
        cr_assert_fail("no CPU: %s", err->message);
    }
    r->c = r->rig->m->vcpus[0]->cpu;
    cr_assert_leq(decoder_row_count(r->c->decoder), DECODE_MAX_ROWS);
    rig_capstone(r);
}

void decode_rig_fini(struct decode_rig *r)
{
    cs_free(r->insn, 1);
    for (unsigned n = 0; n < 3; n++) {
        cs_close(&r->cs[n]);
    }
    g_free(r->names);
    rig_accel(r->rig->m)->vcpu_fini(r->rig->m->vcpus[0]);
    machine_lock(r->rig->m);
    rig_free(r->rig);
}

/* ---- names ---- */

/* Other names of the same instruction: ours, then Capstone's. */
static const char *const aliases[][12] = {
    {"cbw", "cwde", "cdqe"},
    {"cwd", "cdq", "cqo"},
    {"shl", "sal"},
    {"mov", "movabs"},
    {"jmpf", "ljmp"},
    {"callf", "lcall"},
    {"retf", "retfq"},
    {"iret", "iretd", "iretq"},
    {"fwait", "wait"},
    {"xlat", "xlatb"},
    {"xchg", "nop"},          /* 90 */
    {"pause", "nop", "xchg"}, /* F3 90; with REX.B Capstone shows an XCHG */
    {"pusha", "pushaw", "pushal"},
    {"popa", "popaw", "popal"},
    {"pushf", "pushfd", "pushfq"},
    {"popf", "popfd", "popfq"},
    {"jcxz", "jecxz", "jrcxz"},
    {"prefetch", "prefetchnta", "prefetcht0", "prefetcht1", "prefetcht2", "nop"},
    {"prefetchw", "prefetch", "nop"},
    {"ud1", "ud2b"},
    {"fstp1", "fstpnce"},
    {"fxch4", "fxch"},
    {"fxch7", "fxch"},
    {"fstp8", "fstp"},
    {"fstp9", "fstp"},
    {"fcom2", "fcom"},
    {"fcomp3", "fcomp"},
    {"fcomp5", "fcomp"},
    {"fndisi", "fdisi8087_nop"},
    {"fneni", "feni8087_nop"},
    {"fnsetpm", "fsetpm"},
    {"movd", "movq"},
    {"movq", "movd"}, /* MMX with REX.W */
    {"vmovd", "vmovq"},
    {"pinsrd", "pinsrq"},
    {"pextrd", "pextrq"},
    {"vpinsrd", "vpinsrq"},
    {"vpextrd", "vpextrq"},
    {"vcvtpd2dq", "vcvtpd2dqx"},
    {"vcvttpd2dq", "vcvttpd2dqx"},
    {"vcvtpd2ps", "vcvtpd2psx"},
    {"cmpxchg8b", "cmpxchg16b"},
    {"xsave", "xsave64"},
    {"xsavec", "xsavec64"},
    {"xsaveopt", "xsaveopt64"},
    {"xrstor", "xrstor64"},
    {"fxsave", "fxsave64"},
    {"fxrstor", "fxrstor64"},
};

/* CMPccPS for CMPPS and so on: the immediate is in Capstone's name. */
static bool same_compare(const char *ours, const char *theirs)
{
    size_t len = strlen(ours);

    if (*ours == 'v') {
        return *theirs == 'v' && same_compare(ours + 1, theirs + 1);
    }
    return len == 5 && !strncmp(ours, "cmp", 3) && !strncmp(theirs, "cmp", 3) &&
           g_str_has_suffix(theirs, ours + 3);
}

static bool same_name(const char *ours, const char *theirs)
{
    size_t len = strlen(ours);

    if (!strcmp(ours, theirs)) {
        return true;
    }
    if (!strncmp(ours, theirs, len) && strlen(theirs) == len + 1 && strchr("bwdq", theirs[len])) {
        static const char *const sized[] = {"movs", "stos", "lods", "cmps", "scas", "ins", "outs"};

        for (unsigned n = 0; n < ARRAY_LEN(sized); n++) {
            if (!strcmp(ours, sized[n])) {
                return true;
            }
        }
    }
    if (same_compare(ours, theirs)) {
        return true;
    }
    for (unsigned n = 0; n < ARRAY_LEN(aliases); n++) {
        if (!strcmp(ours, aliases[n][0])) {
            for (unsigned k = 1; k < ARRAY_LEN(aliases[n]) && aliases[n][k]; k++) {
                if (!strcmp(theirs, aliases[n][k])) {
                    return true;
                }
            }
        }
    }
    return false;
}

static bool names_agree(struct decode_rig *r, const struct decoded *o)
{
    uint8_t *known = &r->names[(size_t)o->insn.row * X86_INS_ENDING + o->cs->id % X86_INS_ENDING];

    if (!*known) {
        *known = same_name(o->d.row->name, o->cs_name) ? 1 : 2;
    }
    return *known == 1;
}

/* ---- operands ---- */

static const cs_x86_op *find_operand(const cs_insn *cs, x86_op_type type)
{
    for (unsigned n = 0; n < cs->detail->x86.op_count; n++) {
        if (cs->detail->x86.operands[n].type == type) {
            return &cs->detail->x86.operands[n];
        }
    }
    return NULL;
}

static unsigned address_register(const struct decode_rig *r, unsigned reg)
{
    const struct cs_reg_info *info = &r->regs[reg];

    return info->kind == CREG_IP ? R_BASE : info->kind == CREG_NONE ? R_ZERO : info->num;
}

/* In 64-bit code only FS and GS count, and Capstone shows the last prefix. */
static bool segment_agrees(const struct decode_rig *r, const struct decoded *o, const cs_x86_op *op,
                           unsigned base)
{
    unsigned seg = op->mem.segment                  ? r->regs[op->mem.segment].num
                   : base == R_RSP || base == R_RBP ? SEG_SS
                                                    : SEG_DS;

    if (o->code == MODE_CODE64 && seg < SEG_FS) {
        return op->mem.segment || o->insn.seg < SEG_FS;
    }
    return seg == o->insn.seg;
}

static bool memory_agrees(const struct decode_rig *r, const struct decoded *o)
{
    const cs_x86_op *op = find_operand(o->cs, X86_OP_MEM);
    const struct insn *i = &o->insn;
    uint64_t mask = o->d.asize == 1 ? 0xffff : o->d.asize == 2 ? 0xffffffff : ~0ull;
    int64_t disp = i->disp;

    if (o->d.row->enc & ENC_MOFFS) {
        return op && (((uint64_t)op->mem.disp ^ i->imm) & mask) == 0;
    }
    if (!o->d.has_mem) {
        return true;
    }
    if (!op) {
        return false;
    }
    if (i->base == R_BASE) {
        disp -= o->d.len; /* counted from the block's start */
    }
    unsigned base = address_register(r, op->mem.base), index = address_register(r, op->mem.index);
    unsigned scale = index == R_ZERO ? 1 : 1u << INSN_SCALE(i);
    return base == i->base && index == i->index &&
           (index == R_ZERO || (unsigned)op->mem.scale == scale) &&
           (((uint64_t)op->mem.disp ^ (uint64_t)disp) & mask) == 0 &&
           segment_agrees(r, o, op, base);
}

/* Whether Capstone names register n (for byte registers an offset into c->r) among its operands. */
static bool has_register(const struct decode_rig *r, const struct decoded *o, unsigned n,
                         unsigned size, bool byte)
{
    const cs_x86 *x = &o->cs->detail->x86;

    for (unsigned k = 0; k < x->op_count; k++) {
        const struct cs_reg_info *info =
            &r->regs[x->operands[k].type == X86_OP_REG ? x->operands[k].reg : 0];

        if (info->kind == CREG_NONE) {
            continue;
        }
        if (info->kind == CREG_SEG || info->kind == CREG_MMX) { /* REX does not reach them */
            if (info->num == (n & 7)) {
                return true;
            }
            continue;
        }
        unsigned num = !byte                     ? info->num
                       : info->kind == CREG_HIGH ? info->num * 8u + 1
                                                 : info->num * 8u;
        if (num == n && (!size || info->size == size) &&
            (byte ? info->size == 1 : info->kind != CREG_HIGH)) {
            return true;
        }
    }
    return false;
}

/* ModRM.reg or rm without a meaning although the row does not say so. */
static bool is_without_registers(const struct op_row *row)
{
    static const char *const names[] = {"lfence", "mfence", "sfence"};

    for (unsigned n = 0; n < ARRAY_LEN(names); n++) {
        if (!strcmp(row->name, names[n])) {
            return true;
        }
    }
    return false;
}

static bool registers_agree(const struct decode_rig *r, const struct decoded *o)
{
    const struct op_row *row = o->d.row;
    uint32_t enc = row->enc;
    bool byte = row->size == SZ_B,
         reg_operand = enc & ENC_OPREG || (enc & ENC_MODRM && row->ext < 0 && row->rm < 0);
    bool set = !strncmp(row->name, "set", 3);
    bool sized = !(enc & ENC_PLAINREG) && (row->size == SZ_V || row->size == SZ_B);

    if ((enc & ENC_PLAINREG && row->map == MAP_1) || is_without_registers(row) ||
        !strcmp(o->cs_name, "nop")) {
        return true; /* x87, fences, 90 */
    }
    if (reg_operand && !set && !(enc & ENC_MEM_RAW) &&
        !has_register(r, o, o->insn.r1, sized && !(enc & ENC_REG8) ? 1u << o->d.size : 0,
                      byte || enc & ENC_REG8)) {
        return false;
    }
    if (enc & ENC_MODRM && !o->d.has_mem && row->rm < 0 && !(enc & ENC_MEM_RAW)) {
        return has_register(r, o, o->insn.r2, 0, byte || enc & ENC_RM8);
    }
    return true;
}

static bool target_agrees(const struct decoded *o, const cs_x86_op *op)
{
    uint64_t mask = o->code == MODE_CODE16 || o->d.size == 1 ? 0xffff
                    : o->code == MODE_CODE32                 ? 0xffffffff
                                                             : ~0ull;

    return op && (((uint64_t)op->imm ^ (uint64_t)(int64_t)o->insn.disp) & mask) == 0;
}

static bool immediate_agrees(const struct decoded *o)
{
    static const uint64_t masks[] = {0xff, 0xffff, 0xffffffff, ~0ull};
    const cs_x86_op *op = find_operand(o->cs, X86_OP_IMM);
    uint32_t enc = o->d.row->enc;

    if (enc & (ENC_JB | ENC_JZ)) {
        return target_agrees(o, op);
    }
    if (o->d.row->prepare || !(enc & (ENC_IB | ENC_IBS | ENC_IW | ENC_IZ | ENC_IV | ENC_AP))) {
        return true;
    }
    if (!op) { /* AAM and AAD with the usual 10 */
        return enc & ENC_IB && o->insn.imm == 10;
    }
    if (enc & ENC_AP) { /* selector, offset */
        const cs_x86_op *off = op + 1;

        return (uint16_t)op->imm == (uint16_t)o->insn.disp &&
               (((uint64_t)off->imm ^ o->insn.imm) & masks[o->d.size]) == 0;
    }
    uint64_t mask = enc & ENC_IB ? 0xff : enc & ENC_IW ? 0xffff : masks[o->d.size];
    return (((uint64_t)op->imm ^ o->insn.imm) & mask) == 0;
}

/* ---- both ---- */

enum disagreement decode_compare(struct decode_rig *r, const uint8_t *bytes, unsigned code,
                                 struct decoded *o)
{
    const uint8_t *at = bytes;
    size_t left = DECODE_BYTES;
    uint64_t address = 0;
    bool end;

    *o = (struct decoded){.bytes = bytes, .code = (uint8_t)code, .cs = r->insn, .cs_name = ""};
    r->c->mode = (uint16_t)(MODE_PE | code);
    o->insn.n = 1;
    o->result = cpu_decode(r->c, bytes, DECODE_BYTES, &o->insn, &end, &o->d);
    o->cs_ok = cs_disasm_iter(r->cs[code], &at, &left, &address, r->insn);
    if (o->cs_ok) {
        o->cs_name = cs_insn_name(r->cs[code], r->insn->id);
    }
    if (o->result != DECODE_OK || !o->cs_ok) {
        return o->cs_ok ? ONLY_CAPSTONE : o->result == DECODE_OK ? ONLY_HERE : AGREE;
    }
    if (o->insn.len != o->cs->size) {
        return DIFF_LENGTH;
    }
    if (!names_agree(r, o)) {
        return DIFF_NAME;
    }
    if (!memory_agrees(r, o)) {
        return DIFF_MEMORY;
    }
    if (!registers_agree(r, o)) {
        return DIFF_REGISTER;
    }
    return immediate_agrees(o) ? AGREE : DIFF_IMMEDIATE;
}
