/*
 * Expressions in the monitor: 64-bit unsigned numbers, C's operators and precedence, registers of
 * the chosen processor.
 *
 *     0x10 + 4*2      $rsp + 8      $cs:$ip      (0xf000 : 0xfff0)      ~0xfff & $cr3
 *
 * $pc is the linear address of the next instruction.  A colon makes a linear address: behind a
 * segment register with the base that is loaded, behind a number as in real mode.
 *
 * Not here: comparisons, memory, floating point, symbols.
 */
#include "cpu/cpu.h"
#include "ui/monitor_cmd.h"

enum { DEPTH_MAX = 32 };

struct expr {
    struct session *s;
    const char *at;
    bool blanks;
    unsigned depth;
    int segment; /* the last register read was this segment's, -1: none */
    GError **err;
};

static const char *const reg_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const seg_names[SEG_COUNT] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};

/* The other registers: where they are in struct cpu, and how many bytes count. */
static const struct {
    const char *name;
    size_t offset;
    unsigned size;
} others[] = {
    {"cr0", offsetof(struct cpu, cr0), 8},
    {"cr2", offsetof(struct cpu, cr2), 8},
    {"cr3", offsetof(struct cpu, cr3), 8},
    {"cr4", offsetof(struct cpu, cr4), 8},
    {"dr0", offsetof(struct cpu, dr[0]), 8},
    {"dr1", offsetof(struct cpu, dr[1]), 8},
    {"dr2", offsetof(struct cpu, dr[2]), 8},
    {"dr3", offsetof(struct cpu, dr[3]), 8},
    {"dr6", offsetof(struct cpu, dr[6]), 8},
    {"dr7", offsetof(struct cpu, dr[7]), 8},
    {"efer", offsetof(struct cpu, efer), 8},
    {"gdtr", offsetof(struct cpu, gdtr.base), 8},
    {"idtr", offsetof(struct cpu, idtr.base), 8},
    {"cs_base", offsetof(struct cpu, seg[SEG_CS].base), 8},
    {"ds_base", offsetof(struct cpu, seg[SEG_DS].base), 8},
    {"es_base", offsetof(struct cpu, seg[SEG_ES].base), 8},
    {"fs_base", offsetof(struct cpu, seg[SEG_FS].base), 8},
    {"gs_base", offsetof(struct cpu, seg[SEG_GS].base), 8},
    {"ss_base", offsetof(struct cpu, seg[SEG_SS].base), 8},
    {"kernel_gs_base", offsetof(struct cpu, kernel_gs_base), 8},
};
static const char *const ip_names[] = {"pc", "rip", "eip", "ip", "rflags", "eflags"};

const char *expr_register_name(unsigned n)
{
    if (n < ARRAY_LEN(reg_names)) {
        return reg_names[n];
    }
    n -= ARRAY_LEN(reg_names);
    if (n < ARRAY_LEN(seg_names)) {
        return seg_names[n];
    }
    n -= ARRAY_LEN(seg_names);
    if (n < ARRAY_LEN(ip_names)) {
        return ip_names[n];
    }
    n -= ARRAY_LEN(ip_names);
    return n < ARRAY_LEN(others) ? others[n].name : NULL;
}

struct cpu *session_cpu(struct session *s, GError **err)
{
    struct vcpu *v = s->m->vcpus[MIN(s->cpu, s->m->ncpus - 1)];

    if (!v->cpu) {
        monitor_fail(err, MONITOR_ERROR_STATE, "this machine has no processor to look at");
        return NULL;
    }
    if (s->m->accel && s->m->accel->state_pull) {
        s->m->accel->state_pull(v);
    }
    return v->cpu;
}

static bool expr_fail(struct expr *e, const char *why)
{
    return monitor_fail(e->err, MONITOR_ERROR_ARGUMENT, "%s%s%.32s%s", why, *e->at ? " at '" : "",
                        e->at, *e->at ? "'" : "");
}

/* Registers ----------------------------------------------------------------------------------- */

/* "eax", "ax", "al", "ah", "r8d", "r8w", "r8b" and the like. */
static bool reg_part(const struct cpu *c, const char *name, uint64_t *val)
{
    static const char *const bytes[8] = {"al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"};
    size_t len = strlen(name);

    for (unsigned i = 0; i < 16; i++) {
        const char *whole = reg_names[i];
        size_t n = strlen(whole);

        if (!strcmp(name, whole)) {
            *val = c->r[i];
        } else if (i < 8 && !strcmp(name, whole + 1)) {
            *val = (uint16_t)c->r[i];
        } else if (i < 8 && *name == 'e' && !strcmp(name + 1, whole + 1)) {
            *val = (uint32_t)c->r[i];
        } else if (i < 8 && !strcmp(name, bytes[i])) {
            *val = (uint8_t)(c->r[i & 3] >> (i < 4 ? 0 : 8));
        } else if (i >= 8 && len == n + 1 && !strncmp(name, whole, n) && strchr("dwb", name[n])) {
            *val = c->r[i] & (name[n] == 'd' ? 0xffffffff : name[n] == 'w' ? 0xffff : 0xff);
        } else {
            continue;
        }
        return true;
    }
    return false;
}

static bool reg_value(const struct cpu *c, const char *name, uint64_t *val, int *segment)
{
    if (reg_part(c, name, val)) {
        return true;
    }
    for (int i = 0; i < SEG_COUNT; i++) {
        if (!strcmp(name, seg_names[i])) {
            *val = c->seg[i].sel;
            *segment = i;
            return true;
        }
    }
    for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
        if (!strcmp(name, others[i].name)) {
            memcpy(val, (const char *)c + others[i].offset, others[i].size);
            return true;
        }
    }
    if (!strcmp(name, "pc")) {
        *val = cpu_ip(c) + c->cs_base;
    } else if (!strcmp(name, "rip") || !strcmp(name, "eip") || !strcmp(name, "ip")) {
        *val = cpu_ip(c);
    } else if (!strcmp(name, "rflags") || !strcmp(name, "eflags")) {
        *val = cpu_get_eflags(c);
    } else {
        return false;
    }
    return true;
}

static bool expr_register(struct expr *e, uint64_t *val)
{
    const char *begin = e->at;
    size_t len = strspn(begin + 1, "abcdefghijklmnopqrstuvwxyz_0123456789");
    g_autofree char *name = g_strndup(begin + 1, len);
    struct cpu *c;
    bool good;

    machine_exclusive_begin(e->s->m);
    c = session_cpu(e->s, e->err);
    good = c && reg_value(c, name, val, &e->segment);
    machine_exclusive_end(e->s->m);
    if (good) {
        e->at += 1 + len;
    } else if (c) {
        expr_fail(e, "unknown register");
    }
    return good;
}

/* Numbers and operators ----------------------------------------------------------------------- */

static void expr_skip(struct expr *e)
{
    while (e->blanks && (*e->at == ' ' || *e->at == '\t')) {
        e->at++;
    }
}

static bool expr_number(struct expr *e, uint64_t *val)
{
    bool hex = e->at[0] == '0' && (e->at[1] == 'x' || e->at[1] == 'X');
    const char *p = e->at + (hex ? 2 : 0), *begin = p;
    unsigned base = hex ? 16 : 10;

    *val = 0;
    for (; hex ? g_ascii_isxdigit(*p) : g_ascii_isdigit(*p); p++) {
        if (__builtin_mul_overflow(*val, (uint64_t)base, val) ||
            __builtin_add_overflow(*val, (uint64_t)g_ascii_xdigit_value(*p), val)) {
            return expr_fail(e, "a number has more than 64 bits");
        }
    }
    if (p == begin || g_ascii_isalnum(*p) || *p == '_') {
        return expr_fail(e, "there must be a number (hexadecimal with 0x), a $register or ( )");
    }
    e->at = p;
    return true;
}

static bool expr_binary(struct expr *e, unsigned level, uint64_t *val);

static bool expr_unary(struct expr *e, uint64_t *val)
{
    bool good;
    char op;

    expr_skip(e);
    op = *e->at;
    e->segment = -1;
    if (op == '$') {
        return expr_register(e, val);
    }
    if (!op || !strchr("-+~(", op)) {
        return expr_number(e, val);
    }
    if (++e->depth > DEPTH_MAX) {
        return expr_fail(e, "too deep");
    }
    e->at++;
    good = op == '(' ? expr_binary(e, 0, val) : expr_unary(e, val);
    e->segment = -1;
    e->depth--;
    if (!good || op == '(') {
        expr_skip(e);
        if (good && *e->at != ')') {
            return expr_fail(e, "')' is missing");
        }
        e->at += good;
        return good;
    }
    *val = op == '-' ? -*val : op == '~' ? ~*val : *val;
    return true;
}

enum expr_op {
    OP_SEG,
    OP_OR,
    OP_XOR,
    OP_AND,
    OP_SHL,
    OP_SHR,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD
};

static const struct {
    const char *text;
    enum expr_op op;
    unsigned level; /* higher binds more tightly */
} ops[] = {
    {":", OP_SEG, 0},  {"|", OP_OR, 1},   {"^", OP_XOR, 2}, {"&", OP_AND, 3},
    {"<<", OP_SHL, 4}, {">>", OP_SHR, 4}, {"+", OP_ADD, 5}, {"-", OP_SUB, 5},
    {"*", OP_MUL, 6},  {"/", OP_DIV, 6},  {"%", OP_MOD, 6},
};
enum { LEVELS = 7 };

/* The address of an offset behind what may have been a segment register. */
static bool expr_linear(struct expr *e, int segment, uint64_t *val, uint64_t offset)
{
    struct cpu *c;

    if (segment < 0) {
        if (*val > 0xffff) {
            return expr_fail(e, "a segment in real mode has 16 bits");
        }
        *val = (*val << 4) + offset;
        return true;
    }
    c = session_cpu(e->s, e->err);
    *val = c ? c->seg[segment].base + offset : 0;
    return c != NULL;
}

static bool expr_apply(struct expr *e, enum expr_op op, uint64_t *a, uint64_t b, int segment)
{
    if ((op == OP_DIV || op == OP_MOD) && !b) {
        return expr_fail(e, "division by zero");
    }
    switch (op) {
    case OP_SEG:
        return expr_linear(e, segment, a, b);
    case OP_OR:
        *a |= b;
        break;
    case OP_XOR:
        *a ^= b;
        break;
    case OP_AND:
        *a &= b;
        break;
    case OP_SHL:
        *a = b < 64 ? *a << b : 0;
        break;
    case OP_SHR:
        *a = b < 64 ? *a >> b : 0;
        break;
    case OP_ADD:
        *a += b;
        break;
    case OP_SUB:
        *a -= b;
        break;
    case OP_MUL:
        *a *= b;
        break;
    case OP_DIV:
        *a /= b;
        break;
    case OP_MOD:
        *a %= b;
        break;
    }
    return true;
}

/* What is joined by operators of `level` or above. */
static bool expr_binary(struct expr *e, unsigned level, uint64_t *val)
{
    int segment;

    if (level == LEVELS) {
        return expr_unary(e, val);
    }
    if (!expr_binary(e, level + 1, val)) {
        return false;
    }
    for (;;) {
        const char *before = e->at;
        unsigned n = 0;
        uint64_t right;

        segment = e->segment;
        expr_skip(e);
        while (n < ARRAY_LEN(ops) &&
               (ops[n].level != level || !g_str_has_prefix(e->at, ops[n].text))) {
            n++;
        }
        if (n == ARRAY_LEN(ops)) {
            e->at = before;
            return true;
        }
        e->at += strlen(ops[n].text);
        if (!expr_binary(e, level + 1, &right) || !expr_apply(e, ops[n].op, val, right, segment)) {
            return false;
        }
        e->segment = -1;
    }
}

bool expr_parse(struct session *s, const char **at, bool blanks, uint64_t *val, GError **err)
{
    struct expr e = {.s = s, .at = *at, .blanks = blanks, .segment = -1, .err = err};

    if (!expr_binary(&e, 0, val)) {
        return false;
    }
    if (*e.at && *e.at != ' ' && *e.at != '\t') {
        return expr_fail(&e, "there must be an operator");
    }
    *at = e.at;
    return true;
}
