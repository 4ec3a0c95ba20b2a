/*
 * MOVS STOS LODS CMPS SCAS INS OUTS with REP prefixes.
 *
 * Follows: Intel SDM volume 2.  Repeated forms work in page-sized pieces on host memory where both
 * sides are plain RAM and DF is 0, else element by element; registers are up to date at every fault
 * and interrupt, which are looked for between pieces.
 *
 * Not modelled: the fast-string microcode's weaker ordering (stores appear in order here).
 */
#include "cpu/op.h"
#include "cpu/ops.h"

static inline uint64_t address_mask(const struct insn *i)
{
    return INSN_ASIZE(i) == 2 ? ~0ull : INSN_ASIZE(i) == 1 ? 0xffffffffull : 0xffffull;
}

static inline void reg_set(struct cpu *c, unsigned n, uint64_t mask, uint64_t v)
{
    c->r[n] = mask == 0xffff ? (c->r[n] & ~mask) | (v & mask) : v & mask;
}

static inline void reg_add(struct cpu *c, unsigned n, uint64_t mask, int64_t delta)
{
    reg_set(c, n, mask, c->r[n] + (uint64_t)delta);
}

static inline int64_t step_of(const struct cpu *c, unsigned size)
{
    return c->eflags & FLAG_DF ? -(int64_t)size : (int64_t)size;
}

/* How many bytes from `off` on need no further segment check; 0: check element by element. */
static uint64_t segment_room(const struct cpu *c, const struct insn *i, unsigned seg, uint64_t off)
{
    const struct seg *s = &c->seg[seg];
    uint64_t room = address_mask(i) - off;

    if (cpu_is_64(c)) {
        return INSN_ASIZE(i) == 2 ? PAGE_BYTES : room;
    }
    if (!(s->attr & SEG_P) || ((s->attr & (SEG_CODE | SEG_E)) == SEG_E) || off > s->limit) {
        return 0;
    }
    return MIN(room, s->limit - off) + 1;
}

/*
 * The host memory behind seg:reg for a run of up to `count` elements: the pointer and, in *n, how
 * many elements (at least one), or NULL.  Raises.
 */
static uint8_t *string_span(struct cpu *c, const struct insn *i, unsigned seg, unsigned reg,
                            unsigned size, uint64_t count, bool write, uint64_t *n)
{
    uint64_t off = c->r[reg] & address_mask(i);
    uint64_t la = seg_linear(c, i, seg, off, size, write);
    uint64_t room = MIN(segment_room(c, i, seg, off), count * size);
    unsigned len = (unsigned)MIN(room, PAGE_BYTES - (la & PAGE_OFFSET_MASK));

    if (len < size || (c->eflags & FLAG_DF) || c->slow) {
        return NULL;
    }
    unsigned got = len;
    uint8_t *p = mem_span(c, i, la, write, &got);
    *n = MIN(got, len) / size;
    return *n ? p : NULL;
}

static uint64_t load(struct cpu *c, const struct insn *i, unsigned seg, unsigned reg, unsigned size)
{
    uint64_t la = seg_linear(c, i, seg, c->r[reg] & address_mask(i), size, EA_READ);

    return mem_load_slow(c, i, la, size);
}

static void store(struct cpu *c, const struct insn *i, unsigned reg, unsigned size, uint64_t v)
{
    uint64_t la = seg_linear(c, i, SEG_ES, c->r[reg] & address_mask(i), size, EA_WRITE);

    mem_store_slow(c, i, la, v, size);
}

/* ---- one run of each instruction: does up to `count` elements, moves the registers, gives how
 * many ---- */

typedef uint64_t string_run(struct cpu *c, const struct insn *i, unsigned size, uint64_t count,
                            bool *stop);

static void host_rep_movs(uint8_t *dst, const uint8_t *src, uint64_t n, unsigned size)
{
    switch (size) {
    case 1:
        __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
        break;
    case 2:
        __asm__ volatile("rep movsw" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
        break;
    case 4:
        __asm__ volatile("rep movsl" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
        break;
    default:
        __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
        break;
    }
}

static uint64_t run_movs(struct cpu *c, const struct insn *i, unsigned size, uint64_t count,
                         bool *stop)
{
    uint64_t mask = address_mask(i), n = 0, m = 0;
    const uint8_t *src =
        count > 1 ? string_span(c, i, i->seg, R_RSI, size, count, false, &n) : NULL;
    uint8_t *dst = src ? string_span(c, i, SEG_ES, R_RDI, size, n, true, &m) : NULL;

    (void)stop;
    if (dst) {
        n = MIN(n, m);
        host_rep_movs(dst, src, n, size);
    } else {
        n = 1;
        store(c, i, R_RDI, size, load(c, i, i->seg, R_RSI, size));
    }
    reg_add(c, R_RSI, mask, step_of(c, size) * (int64_t)n);
    reg_add(c, R_RDI, mask, step_of(c, size) * (int64_t)n);
    return n;
}

static void host_rep_stos(uint8_t *dst, uint64_t v, uint64_t n, unsigned size)
{
    switch (size) {
    case 1:
        memset(dst, (int)v, n);
        break;
    case 2:
        __asm__ volatile("rep stosw" : "+D"(dst), "+c"(n) : "a"(v) : "memory");
        break;
    case 4:
        __asm__ volatile("rep stosl" : "+D"(dst), "+c"(n) : "a"(v) : "memory");
        break;
    default:
        __asm__ volatile("rep stosq" : "+D"(dst), "+c"(n) : "a"(v) : "memory");
        break;
    }
}

static uint64_t run_stos(struct cpu *c, const struct insn *i, unsigned size, uint64_t count,
                         bool *stop)
{
    uint64_t n = 0;
    uint8_t *dst = count > 1 ? string_span(c, i, SEG_ES, R_RDI, size, count, true, &n) : NULL;

    (void)stop;
    if (dst) {
        host_rep_stos(dst, c->r[R_RAX], n, size);
    } else {
        n = 1;
        store(c, i, R_RDI, size, c->r[R_RAX]);
    }
    reg_add(c, R_RDI, address_mask(i), step_of(c, size) * (int64_t)n);
    return n;
}

static void set_acc(struct cpu *c, unsigned size, uint64_t v)
{
    if (size >= 4) {
        c->r[R_RAX] = v;
    } else {
        memcpy(&c->r[R_RAX], &v, size);
    }
}

static uint64_t run_lods(struct cpu *c, const struct insn *i, unsigned size, uint64_t count,
                         bool *stop)
{
    uint64_t v = load(c, i, i->seg, R_RSI, size);

    (void)stop;
    (void)count;
    set_acc(c, size, v);
    reg_add(c, R_RSI, address_mask(i), step_of(c, size));
    return 1;
}

/* Flags of a - b in the width of the element. */
static uint16_t compare_flags(uint64_t a, uint64_t b, unsigned size)
{
    uint16_t f;

    switch (size) {
    case 1:
        __asm__("cmpb %b2, %b1" ASM_FLAGS_AX : "=&a"(f) : "q"(a), "q"(b) : "cc");
        break;
    case 2:
        __asm__("cmpw %w2, %w1" ASM_FLAGS_AX : "=&a"(f) : "r"(a), "r"(b) : "cc");
        break;
    case 4:
        __asm__("cmpl %k2, %k1" ASM_FLAGS_AX : "=&a"(f) : "r"(a), "r"(b) : "cc");
        break;
    default:
        __asm__("cmpq %2, %1" ASM_FLAGS_AX : "=&a"(f) : "r"(a), "r"(b) : "cc");
        break;
    }
    return f;
}

static inline uint64_t element(const uint8_t *p, unsigned size)
{
    uint64_t v = 0;

    memcpy(&v, p, size);
    return v;
}

/* After an element: does the REPE/REPNE condition end the repetition? */
static inline bool rep_ends(const struct insn *i, uint16_t f)
{
    return (i->disp == 0xf3 && !(f & FL_ZF)) || (i->disp == 0xf2 && (f & FL_ZF));
}

#define LOOK(T)                                                                                    \
    do {                                                                                           \
        T v, w;                                                                                    \
        memcpy(&v, a + k * sizeof v, sizeof v);                                                    \
        memcpy(&w, b + (fixed ? 0 : k * sizeof w), sizeof w);                                      \
        k++;                                                                                       \
        *x = v;                                                                                    \
        *y = w;                                                                                    \
    } while (k < n && (*x == *y) != until_equal)

/* Compare the elements at a with those at b (`fixed`: with the one there) up to the first pair that
 * is equal or is not.  Gives how many were looked at, and the last two. */
static ALWAYS_INLINE uint64_t look_along(const uint8_t *a, const uint8_t *b, bool fixed, uint64_t n,
                                         unsigned size, bool until_equal, uint64_t *x, uint64_t *y)
{
    uint64_t k = 0;

    if (!fixed && !until_equal) { /* eight bytes at a time, but for the end */
        while ((n - k) * size > 8 && element(a + k * size, 8) == element(b + k * size, 8)) {
            k += 8 / size;
        }
    }
    switch (size) {
    case 1:
        LOOK(uint8_t);
        break;
    case 2:
        LOOK(uint16_t);
        break;
    case 4:
        LOOK(uint32_t);
        break;
    default:
        LOOK(uint64_t);
        break;
    }
    return k;
}

static uint64_t run_cmps(struct cpu *c, const struct insn *i, unsigned size, uint64_t count,
                         bool *stop)
{
    uint64_t mask = address_mask(i), n = 0, m = 0, k = 1;
    const uint8_t *a = count > 1 ? string_span(c, i, i->seg, R_RSI, size, count, false, &n) : NULL;
    const uint8_t *b = a ? string_span(c, i, SEG_ES, R_RDI, size, n, false, &m) : NULL;
    uint64_t x = 0, y = 0;

    if (b) {
        k = look_along(a, b, false, MIN(n, m), size, i->disp == 0xf2, &x, &y);
    } else {
        x = load(c, i, i->seg, R_RSI, size);
        y = load(c, i, SEG_ES, R_RDI, size);
    }
    c->fl = compare_flags(x, y, size);
    *stop = rep_ends(i, c->fl);
    reg_add(c, R_RSI, mask, step_of(c, size) * (int64_t)k);
    reg_add(c, R_RDI, mask, step_of(c, size) * (int64_t)k);
    return k;
}

static uint64_t run_scas(struct cpu *c, const struct insn *i, unsigned size, uint64_t count,
                         bool *stop)
{
    uint64_t n = 0, k = 1;
    const uint8_t *p = count > 1 ? string_span(c, i, SEG_ES, R_RDI, size, count, false, &n) : NULL;
    uint64_t x = element((const uint8_t *)&c->r[R_RAX], size), y = 0;

    if (p) {
        const uint8_t *acc = (const uint8_t *)&c->r[R_RAX];

        k = look_along(p, acc, true, n, size, i->disp == 0xf2, &y, &x);
    } else {
        y = load(c, i, SEG_ES, R_RDI, size);
    }
    c->fl = compare_flags(x, y, size);
    *stop = rep_ends(i, c->fl);
    reg_add(c, R_RDI, address_mask(i), step_of(c, size) * (int64_t)k);
    return k;
}

static uint64_t run_ins(struct cpu *c, const struct insn *i, unsigned size, uint64_t count,
                        bool *stop)
{
    uint16_t port = (uint16_t)c->r[R_RDX];

    (void)count;
    (void)stop;
    size = MIN(size, 4);
    c->cur = i;
    cpu_check_io(c, port, size);
    debug_check_io(c, port, size);
    uint64_t la = seg_linear(c, i, SEG_ES, c->r[R_RDI] & address_mask(i), size, EA_WRITE);
    mem_probe_write(c, i, la, size);
    cpu_outside(c, OUTSIDE_PORT);
    mem_store_slow(c, i, la, port_read(c->v, port, size), size);
    reg_add(c, R_RDI, address_mask(i), step_of(c, size));
    return 1;
}

static uint64_t run_outs(struct cpu *c, const struct insn *i, unsigned size, uint64_t count,
                         bool *stop)
{
    uint16_t port = (uint16_t)c->r[R_RDX];

    (void)count;
    (void)stop;
    size = MIN(size, 4);
    c->cur = i;
    cpu_check_io(c, port, size);
    debug_check_io(c, port, size);
    uint32_t v = (uint32_t)load(c, i, i->seg, R_RSI, size);
    cpu_outside(c, OUTSIDE_PORT);
    port_write(c->v, port, v, size);
    reg_add(c, R_RSI, address_mask(i), step_of(c, size));
    return 1;
}

/*
 * The whole instruction; true: go on with the next one.  false: c->ip stands at this instruction
 * again (an interrupt may come in between, or single-step wants its trap after each element).
 */
static __attribute__((noinline)) bool string_op(struct cpu *c, const struct insn *i, unsigned size,
                                                string_run *run)
{
    uint64_t mask = address_mask(i), left = c->r[R_RCX] & mask;
    uint16_t before = c->fl;
    bool stop = false;

    if (!i->disp) {
        run(c, i, size, 1, &stop);
        return true;
    }
    while (left) {
        c->fl = before; /* what a fault shall find: elements leave no flags before the end */
        uint64_t n = run(c, i, size, left, &stop);

        left -= n;
        reg_set(c, R_RCX, mask, left);
        if (stop || !left) {
            return true;
        }
        if (c->slow || vcpu_pending(c->v)) {
            c->ip = insn_ip(c, i);
            c->icount += i->n;
            c->cur = NULL;
            c->eflags |= c->dr[7] & 0xff ? FLAG_RF : 0; /* its code breakpoint has been met */
            return false;
        }
    }
    return true;
}

#define STRING(bits, T, sfx, name)                                                                 \
    static void op_##name##_r##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        if (likely(string_op(c, i, bits / 8, run_##name))) {                                       \
            NEXT(c, i);                                                                            \
        }                                                                                          \
        LEAVE(c);                                                                                  \
    }
#define STRING_TABLE(name)                                                                         \
    FOR_WIDTHS(STRING, name)                                                                       \
    const struct op_fns fns_##name = {.fn = {[FORM_R] = FNS_ROW(op_##name##_r)}};
STRING_TABLE(movs)
STRING_TABLE(stos)
STRING_TABLE(lods)
STRING_TABLE(cmps)
STRING_TABLE(scas)
STRING_TABLE(ins)
STRING_TABLE(outs)
