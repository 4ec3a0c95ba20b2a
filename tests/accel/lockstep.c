/* See lockstep.h.  Not modelled: devices, interrupts, several processors. */
#include "tests/accel/lockstep.h"
#include "accel/blocks.h"
#include "cpu/fpu.h"
#include "cpu/sys.h"
#include "tests/accel/code_make.h"

enum {
    RAM_BYTES = 1 * MiB,
    GDT = 0x1000,
    IDT = 0x2000,
    TSS = 0x3000,
    TABLES = 0x4000,
    TABLES_BYTES = 0x4000,
    PTE_MARKS = 0x60,  /* A and D */
    HANDLERS = 0x8000, /* 16 bytes per vector, the first is HLT */
    CODE = 0x20000,
    CODE_BYTES = 0x4000,
    DATA = 0x40000,
    DATA_PAGES = 8,
    STACK = 0x50000,
    STACK_BYTES = 0x4000,
    INNER_STACK = 0x58000,
    STEP_INSNS = 150,
    STEP_US = 30000, /* exceptions without an instruction in between can go on for ever */
};
/* What is wrong with some of the data pages, where there is paging; the rest are fine. */
enum {
    PAGE_READ_ONLY = 2,
    PAGE_ABSENT = 3,
    PAGE_ALIAS = 5 /* of the one before */,
    PAGE_OF_CODE = 7
};
/* Selectors; the descriptors of S_ODD* begin at CODE, DATA and STACK and are 16-bit or 32-bit. */
enum {
    S_CODE = 0x08,
    S_DATA = 0x10,
    S_UCODE = 0x1b,
    S_UDATA = 0x23,
    S_TSS = 0x28,
    S_CODE64 = 0x38,
    S_UCODE64 = 0x43,
    S_ODD_CODE = 0x48,
    S_ODD_DATA = 0x50,
    S_ODD_STACK = 0x58,
};
enum mode { M_LONG, M_LONG_USER, M_32, M_32_USER, M_32_PAE, M_32_ODD, M_16, M_REAL, M_V86, MODES };

struct lockstep {
    struct machine *m;
    struct ram *ram;
    struct region region;
    struct cpu *c;
    struct hostile_rand r;
    enum mode mode;
    uint64_t code_base, data_base, stack_base; /* linear, of what registers hold offsets to */
    struct code_maker maker;
    struct lockstep_counts counts;
    struct cpu *ready;            /* the CPU in the program's mode */
    uint8_t tables[TABLES_BYTES]; /* as they were made */
    uint8_t *saved_ram;           /* for the search for the smallest block */
    struct cpu *saved;
    _Atomic int64_t stop_at; /* the watchdog stops the CPU at this time (monotonic, us); 0: never */
    _Atomic bool quit;
    GThread *watchdog;
};

/* Where 64-bit programs of CPL 3 have half of their data, and most of their stacks. */
#define HIGH 0x7f8000000000ull

static unsigned rnd(struct lockstep *l, unsigned n)
{
    return (unsigned)hostile_below(&l->r, n);
}

/* ---- the machine ---- */

static bool build_nothing(struct machine *m, GError **err)
{
    (void)m;
    (void)err;
    return true;
}

static gpointer watch(gpointer arg)
{
    struct lockstep *l = arg;

    while (!atomic_load(&l->quit)) {
        int64_t stop_at = atomic_load(&l->stop_at);

        if (stop_at && g_get_monotonic_time() > stop_at) {
            vcpu_request(l->m->vcpus[0], VCPU_REQ_STOP);
        }
        g_usleep(STEP_US / 10);
    }
    return NULL;
}

struct lockstep *lockstep_new(const struct check_second *second,
                              int (*disassemble)(const uint8_t *, size_t, uint64_t, unsigned,
                                                 char *, size_t),
                              GError **err)
{
    static const struct board board = {"lockstep", build_nothing};
    struct lockstep *l = g_new0(struct lockstep, 1);
    struct vm_config config;

    vm_config_init(&config);
    g_free(config.cpu_model);
    config.cpu_model = g_strdup("x86-64-v3");
    config.max_insns = 1; /* blocks come back to be counted */
    config.jit_hot = 1;   /* and use views from the first on */
    l->m = machine_new(&config, NULL);
    vm_config_clear(&config);
    clock_set_stepped(l->m);
    l->m->disassemble = disassemble;
    machine_lock(l->m);
    l->ram = ram_new(l->m, "ram", RAM_BYTES, err);
    if (l->ram) {
        region_init_ram(&l->region, "ram", l->ram, 0, RAM_BYTES);
        region_add(l->m, &l->region, 0, 0);
    }
    machine_unlock(l->m);
    if (!l->ram || !machine_build(l->m, &board, err) ||
        !check_vcpu_init(l->m->vcpus[0], second, err)) {
        lockstep_free(l);
        return NULL;
    }
    l->c = l->m->vcpus[0]->cpu;
    l->ready = g_aligned_alloc0(1, sizeof *l->ready, 64);
    l->saved = g_aligned_alloc0(1, sizeof *l->saved, 64);
    l->saved_ram = g_malloc(RAM_BYTES);
    l->watchdog = g_thread_new("watchdog", watch, l);
    return l;
}

struct vcpu *lockstep_vcpu(const struct lockstep *l)
{
    return l->m->vcpus[0];
}

void lockstep_free(struct lockstep *l)
{
    if (l->c) {
        atomic_store(&l->quit, true);
        g_thread_join(l->watchdog);
        check_vcpu_free(l->m->vcpus[0]);
        g_aligned_free(l->ready);
        g_aligned_free(l->saved);
        g_free(l->saved_ram);
    }
    machine_free(l->m);
    g_free(l);
}

void lockstep_get_counts(const struct lockstep *l, struct lockstep_counts *out)
{
    *out = l->counts;
    check_get_stats(l->m->vcpus[0], &out->check);
}

/* All of memory may have changed behind the engines' backs. */
static void forget_code(struct lockstep *l)
{
    l->c->code_written(l->c, l->ram, 0, RAM_BYTES);
    mmu_flush(l->c, true);
}

/* ---- memory ---- */

static uint8_t *at(struct lockstep *l, uint32_t pa)
{
    return l->ram->host + pa;
}

static void put_desc(struct lockstep *l, uint16_t sel, uint32_t base, uint32_t limit, uint16_t attr)
{
    uint32_t units = attr & SEG_G ? limit >> 12 : limit;
    uint8_t *d = at(l, GDT + (sel & 0xfff8u));

    st_le32(d, (units & 0xffff) | base << 16);
    st_le32(d + 4,
            (base >> 16 & 0xff) | (uint32_t)attr << 8 | (units & 0xf0000) | (base & 0xff000000));
}

static void put_descs(struct lockstep *l)
{
    const uint16_t flat = SEG_G | SEG_DB, code = 0x9b, data = 0x93, user = SEG_DPL;
    uint16_t odd = l->mode == M_16 ? 0 : SEG_DB;

    put_desc(l, S_CODE, 0, ~0u, code | flat);
    put_desc(l, S_DATA, 0, ~0u, data | flat);
    put_desc(l, S_UCODE, 0, ~0u, code | user | flat);
    put_desc(l, S_UDATA, 0, ~0u, data | user | flat);
    put_desc(l, S_TSS, TSS, 0x67 + 0x100, 0x8b);
    put_desc(l, S_CODE64, 0, ~0u, code | SEG_G | SEG_L);
    put_desc(l, S_UCODE64, 0, ~0u, code | user | SEG_G | SEG_L);
    put_desc(l, S_ODD_CODE, CODE, CODE_BYTES - 1, code | odd);
    put_desc(l, S_ODD_DATA, DATA, DATA_PAGES * 4096 - 1 - rnd(l, 3) * 4096, data | odd);
    put_desc(l, S_ODD_STACK, STACK, STACK_BYTES - 1, data | odd);
}

static void put_gates(struct lockstep *l)
{
    bool is_long = l->mode <= M_LONG_USER;

    for (unsigned v = 0; v < (is_long ? 128 : 256); v++) {
        uint32_t to = HANDLERS + 16 * v;
        uint8_t *gate = at(l, IDT + (is_long ? 16 : 8) * v);

        st_le32(gate, (to & 0xffff) | (uint32_t)(is_long ? S_CODE64 : S_CODE) << 16);
        st_le32(gate + 4, 0xee00 | (to & 0xffff0000));
    }
    for (unsigned v = 0; v < 256; v++) {
        *at(l, HANDLERS + 16 * v) = 0xf4;
        st_le16(at(l, 4 * v), (uint16_t)(HANDLERS + 16 * v)); /* real mode: 0000:handler */
    }
    st_le32(at(l, TSS + 4), INNER_STACK); /* ESP0, or RSP0 */
    st_le16(at(l, TSS + 8), is_long ? 0 : S_DATA);
    st_le16(at(l, TSS + 0x66), 0x68 + 0x20);
}

/* The entry for a page of the first MiB. */
static uint64_t page_entry(struct lockstep *l, unsigned page)
{
    unsigned data = page - DATA / 4096u, to = page;
    uint64_t bits = 7 | (rnd(l, 2) ? 0x60 : 0); /* accessed and dirty already */

    if (data < DATA_PAGES) {
        to = data == PAGE_ALIAS ? page - 1 : data == PAGE_OF_CODE ? CODE / 4096 : page;
        bits &= data == PAGE_READ_ONLY ? ~2ull : data == PAGE_ABSENT ? 0 : ~0ull;
    }
    return (uint64_t)to << 12 | bits;
}

static void put_tables(struct lockstep *l)
{
    bool wide = l->mode <= M_LONG_USER || l->mode == M_32_PAE;
    uint8_t *t = at(l, TABLES);

    memset(t, 0, TABLES_BYTES);
    if (wide) { /* PML4 or page directory pointers, PDPT, directory, table */
        st_le64(t, (TABLES + (l->mode == M_32_PAE ? 0x2000u : 0x1000u)) |
                       (l->mode == M_32_PAE ? 1u : 7u));
        st_le64(t + 8 * (HIGH >> 39), ld_le64(t)); /* all of it there too */
        st_le64(t + 0x1000, (TABLES + 0x2000) | 7);
        st_le64(t + 0x2000, (TABLES + 0x3000) | 7);
    } else {
        st_le32(t, (TABLES + 0x3000) | 7);
    }
    for (unsigned page = 0; page < RAM_BYTES / 4096; page++) {
        uint64_t e = page_entry(l, page);

        if (wide) {
            st_le64(t + 0x3000 + 8 * page, e);
        } else {
            st_le32(t + 0x3000 + 4 * page, (uint32_t)e);
        }
    }
    memcpy(l->tables, t, TABLES_BYTES);
}

/* Has the program changed its page tables, but for A and D?  Without an INVLPG a TLB may have
 * either then, and each engine has its own. */
static bool has_remapped(const struct lockstep *l)
{
    const uint8_t *now = l->ram->host + TABLES;

    bool same = true;

    for (unsigned n = 0; n < TABLES_BYTES && same; n += 4) {
        same = !((ld_le32(now + n) ^ ld_le32(l->tables + n)) & ~(uint32_t)PTE_MARKS);
    }
    return l->c->cr0 & CR0_PG && !same;
}

/* Something between noise and numbers that programs have. */
static uint64_t some_number(struct lockstep *l)
{
    uint64_t v = hostile_next(&l->r);

    switch (rnd(l, 8)) {
    case 0:
        return rnd(l, 70);
    case 1:
        return (1ull << rnd(l, 64)) - rnd(l, 3) + 1;
    case 2:
        return -(uint64_t)rnd(l, 200);
    case 3: /* doubles and floats, tiny and huge ones too */
        return (v & ~0x7ff0000000000000ull) | (uint64_t)(0x3f0 + rnd(l, 32)) << 52;
    case 4:
        return (v & 0x807fffff807fffffull) | 0x3f0000003f000000ull | v >> 32 % 8 << 24;
    case 5:
        return rnd(l, 2) ? 0x7ff0000000000000ull | v << 51 : v & 0x800fffffffffffffull;
    default:
        return v >> rnd(l, 60);
    }
}

/* An address as registers hold it. */
static uint64_t code_address(struct lockstep *l)
{
    return CODE + l->maker.at[rnd(l, l->maker.count)] - l->code_base;
}

static uint64_t high_or_not(const struct lockstep *l, uint64_t la, bool high)
{
    return l->mode == M_LONG_USER && high ? HIGH + la : la;
}

static uint64_t data_address(struct lockstep *l)
{
    unsigned page = rnd(l, 3) ? rnd(l, 2) * 4 : rnd(l, DATA_PAGES); /* mostly good ones */
    unsigned off = rnd(l, 4) ? rnd(l, 256) * 16 : rnd(l, 2) ? 4096 - rnd(l, 40) : rnd(l, 4096);

    return high_or_not(l, DATA + page * 4096 + off - l->data_base, (page + off / 16) % 2);
}

static void fill_memory(struct lockstep *l)
{
    for (unsigned k = 0; k < DATA_PAGES * 4096; k += 8) {
        uint64_t v = rnd(l, 16) == 0   ? data_address(l)
                     : rnd(l, 32) == 0 ? code_address(l)
                                       : some_number(l);

        st_le64(at(l, DATA + k), v);
    }
    for (unsigned k = 0; k < STACK_BYTES; k += 2) { /* returns and pops of every size */
        st_le16(at(l, STACK + k), (uint16_t)(rnd(l, 4) ? code_address(l) : hostile_next(&l->r)));
    }
    if (l->mode <= M_32_ODD) {
        unsigned size = l->mode <= M_LONG_USER ? 8 : 4;

        for (unsigned k = 0; k < STACK_BYTES; k += size) {
            uint64_t v = rnd(l, 3) ? code_address(l) : rnd(l, 2) ? data_address(l) : some_number(l);

            memcpy(at(l, STACK + k), &v, size);
        }
    }
}

/* ---- the CPU ---- */

static void set_seg(struct lockstep *l, unsigned seg, uint16_t sel)
{
    const uint8_t *d = at(l, GDT + (sel & 0xfff8u));
    struct desc desc = {.lo = ld_le32(d), .hi = ld_le32(d + 4)};

    l->c->seg[seg] = (struct seg){.sel = sel,
                                  .attr = (uint16_t)desc_attr(&desc),
                                  .limit = desc_limit(&desc),
                                  .base = desc_base(&desc)};
}

static void set_segs(struct lockstep *l, uint16_t code, uint16_t data, uint16_t stack)
{
    for (unsigned k = 0; k < 6; k++) {
        set_seg(l, k, k == SEG_CS ? code : k == SEG_SS ? stack : data);
    }
    l->c->cpl = code & 3;
}

static void set_segs_real(struct lockstep *l)
{
    for (unsigned k = 0; k < 6; k++) {
        uint16_t sel = k == SEG_CS ? CODE >> 4 : k == SEG_SS ? STACK >> 4 : DATA >> 4;

        cpu_load_seg_real(l->c, k, rnd(l, 16) || k == SEG_CS ? sel : CODE >> 4);
    }
}

static void set_mode_segs(struct lockstep *l)
{
    switch (l->mode) {
    case M_LONG:
        set_segs(l, S_CODE64, S_DATA, S_DATA);
        break;
    case M_LONG_USER:
        set_segs(l, S_UCODE64, S_UDATA, S_UDATA);
        break;
    case M_32_USER:
        set_segs(l, S_UCODE, S_UDATA, S_UDATA);
        break;
    case M_32_ODD:
    case M_16:
        set_segs(l, S_ODD_CODE, S_ODD_DATA, S_ODD_STACK);
        break;
    case M_REAL:
        set_segs_real(l);
        break;
    case M_V86:
        l->c->eflags = FLAG_VM | (rnd(l, 2) ? FLAG_IOPL : 0);
        l->c->cpl = 3;
        set_segs_real(l);
        break;
    default:
        set_segs(l, S_CODE, S_DATA, S_DATA);
        break;
    }
    if (l->mode <= M_LONG_USER) {
        l->c->seg[SEG_FS].base = DATA + 0x100;
        l->c->seg[SEG_GS].base = rnd(l, 2) ? DATA + 0x4000 : (uint64_t)-0x1000;
    }
}

static void set_control(struct lockstep *l)
{
    struct cpu *c = l->c;
    bool is_long = l->mode <= M_LONG_USER, paging = l->mode <= M_32_PAE;

    c->cr0 = CR0_ET | CR0_MP | (rnd(l, 8) ? CR0_NE : 0) | (rnd(l, 40) ? 0 : CR0_TS) |
             (rnd(l, 60) ? 0 : CR0_EM) | (rnd(l, 8) ? 0 : CR0_AM);
    if (l->mode != M_REAL) {
        c->cr0 |= CR0_PE;
    }
    c->cr0 |= paging ? CR0_PG | (rnd(l, 4) ? CR0_WP : 0) : 0;
    c->cr4 = (rnd(l, 40) ? CR4_OSFXSR : 0) | (rnd(l, 20) ? CR4_OSXMMEXCPT : 0) |
             (rnd(l, 20) ? CR4_OSXSAVE : 0) | (is_long || l->mode == M_32_PAE ? CR4_PAE : 0) |
             (rnd(l, 2) ? CR4_FSGSBASE | CR4_DE : 0);
    c->cr3 = paging ? TABLES : 0;
    c->efer = is_long ? EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE : 0;
    c->fpu.xcr0 = rnd(l, 20) ? 7 : 3;
    c->pdpte[0] = l->mode == M_32_PAE ? ld_le64(at(l, TABLES)) : 0;
    c->gdtr = (struct dtable){.base = GDT, .limit = 0x1ff};
    c->idtr = l->mode == M_REAL ? (struct dtable){.base = 0, .limit = 0x3ff}
                                : (struct dtable){.base = IDT, .limit = 0x7ff};
}

/* Memory and CPU for the program's mode; the registers are for each step to set. */
static void set_up(struct lockstep *l)
{
    struct cpu *c = l->c;
    uint64_t icount = c->icount;
    bool odd = l->mode == M_32_ODD || l->mode >= M_16;

    memset(l->ram->host, 0, RAM_BYTES);
    l->code_base = odd ? CODE : 0;
    l->data_base = odd ? DATA : 0;
    l->stack_base = odd ? STACK : 0;
    put_descs(l);
    put_gates(l);
    put_tables(l);
    cpu_reset(c, false);
    set_control(l);
    set_mode_segs(l);
    set_seg(l, SEG_TR, S_TSS);
    c->icount = icount;
    mmu_flush(c, true);
    cpu_update_mode(c);
    c->dr[6] = 0xffff0ff0;
}

static void make_program(struct lockstep *l)
{
    unsigned skip = rnd(l, 2) ? rnd(l, 200) : 4096 - rnd(l, 300); /* across a page often */

    memset(at(l, CODE), 0xf4, CODE_BYTES);
    l->maker = (struct code_maker){.r = &l->r,
                                   .c = l->c,
                                   .code = at(l, CODE + skip),
                                   .size = 2048,
                                   .ip = CODE + skip - l->code_base,
                                   .data = DATA - l->data_base,
                                   .data_size = DATA_PAGES * 4096};
    code_make(&l->maker, 10 + rnd(l, 60));
    for (unsigned n = 0; n < l->maker.count; n++) { /* from here on: offsets in CODE */
        l->maker.at[n] = (uint16_t)(l->maker.at[n] + skip);
    }
}

/* ---- a step ---- */

static void set_registers(struct lockstep *l)
{
    struct cpu *c = l->c;

    for (unsigned k = 0; k < 16; k++) {
        bool pointer = CODE_MAKE_POINTERS >> (k & 7) & 1;

        c->r[k] = rnd(l, 10) == 0  ? code_address(l)
                  : pointer        ? (rnd(l, 16)) ? data_address(l) : some_number(l)
                         : rnd(l, 8) == 0 ? data_address(l)
                                   : some_number(l);
    }
    c->r[R_RSP] = STACK - l->stack_base + 0x800 + rnd(l, 0x2000) * (rnd(l, 8) ? 8 : 1) % 0x2000;
    c->r[R_RSP] = high_or_not(l, c->r[R_RSP], c->r[R_RSP] / 8 % 8);
    if (rnd(l, 2)) {
        c->r[R_RCX] = rnd(l, 40);
    }
    cpu_set_eflags(c, (uint32_t)hostile_next(&l->r), FLAGS_ARITH);
    cpu_set_eflags(c, rnd(l, 8) ? 0 : FLAG_DF, FLAG_DF);
    cpu_set_eflags(c, rnd(l, 100) ? 0 : FLAG_TF, FLAG_TF);
    cpu_set_eflags(c, rnd(l, 16) ? 0 : FLAG_AC, FLAG_AC);
    cpu_set_eflags(c, rnd(l, 2) ? FLAG_IF : 0, FLAG_IF);
    c->ip = code_address(l);
}

static void set_fpu(struct lockstep *l)
{
    struct cpu *c = l->c;
    uint8_t *fx = c->fpu.fxsave;

    for (unsigned k = 0; k < 16 * 4; k++) {
        uint64_t v = some_number(l);

        memcpy(c->fpu.ymm[k / 4] + k % 4 * 8, &v, 8);
    }
    memset(fx, 0, sizeof c->fpu.fxsave);
    st_le16(fx, (uint16_t)(0x40 | (rnd(l, 8) ? 0x3f : rnd(l, 64)) | rnd(l, 16) << 8));
    st_le16(fx + 2, (uint16_t)((hostile_next(&l->r) & 0x7f00) | (rnd(l, 4) ? 0 : rnd(l, 64))));
    fx[4] = rnd(l, 2) ? (uint8_t)hostile_next(&l->r) : rnd(l, 2) ? 0 : 0xff;
    for (unsigned k = 0; k < 8; k++) {
        st_le64(fx + 32 + 16 * k, some_number(l) | (rnd(l, 16) ? BIT64(63) : 0));
        st_le16(fx + 40 + 16 * k,
                (uint16_t)(rnd(l, 8) ? 0x3ff0 + rnd(l, 40) : rnd(l, 65536)) ^ (rnd(l, 2) << 15));
    }
    fpu_set_mxcsr(c, (rnd(l, 8) ? 0x1f80 : rnd(l, 64) << 7) | rnd(l, 4) << 13 |
                         (rnd(l, 8) ? 0 : 0x8040) | (rnd(l, 2) ? 0 : rnd(l, 64)));
}

/* The CPU as the program's set-up left it, whatever the last step did to it. */
static void restore_system(struct lockstep *l)
{
    struct cpu *c = l->c;
    uint64_t icount = c->icount;
    bool stale = c->cr3 != l->ready->cr3 || c->cr0 != l->ready->cr0 || c->cr4 != l->ready->cr4 ||
                 c->efer != l->ready->efer;
    static const unsigned from = offsetof(struct cpu, cr0), to = offsetof(struct cpu, jmp);

    memcpy((char *)c + from, (char *)l->ready + from, to - from);
    memcpy(c->seg, l->ready->seg, sizeof c->seg);
    c->cpl = l->ready->cpl;
    c->eflags = l->ready->eflags;
    c->fpu.xcr0 = l->ready->fpu.xcr0;
    c->inhibit = c->halted = c->shutdown = c->ss_shadow = c->step = c->ext = false;
    c->pending_dr6 = 0;
    c->delivering = -1;
    c->cur = NULL;
    c->icount = icount;
    if (stale) {
        mmu_switch_pcid(c, false);
        mmu_flush(c, true);
    }
}

static enum vcpu_exit run(struct lockstep *l)
{
    struct vcpu *v = l->m->vcpus[0];
    struct interp *e = v->engine;

    e->budget = l->c->icount + STEP_INSNS;
    atomic_store(&l->stop_at, g_get_monotonic_time() + STEP_US);
    enum vcpu_exit exit = interp_run(v);
    atomic_store(&l->stop_at, 0);
    atomic_store(&v->requests, 0);
    return exit;
}

static void count_end(struct lockstep *l, enum vcpu_exit exit)
{
    uint64_t vector = (l->c->ip + l->c->cs_base - 1 - HANDLERS) / 16;

    l->counts.steps++;
    l->counts.budgets += exit == VCPU_EXIT_BUDGET;
    l->counts.shutdowns += exit == VCPU_EXIT_SHUTDOWN;
    if (exit == VCPU_EXIT_HALT && vector < ARRAY_LEN(l->counts.ends)) {
        l->counts.ends[vector]++;
    } else {
        l->counts.halts += exit == VCPU_EXIT_HALT;
    }
}

/* ---- the smallest block ---- */

static void save(struct lockstep *l)
{
    memcpy(l->saved_ram, l->ram->host, RAM_BYTES);
    memcpy(l->saved, l->c, sizeof *l->c);
}

static void restore(struct lockstep *l)
{
    struct cpu *c = l->c;
    jmp_buf jmp;

    memcpy(&jmp, &c->jmp, sizeof jmp);
    memcpy(c, l->saved, sizeof *c);
    memcpy(&c->jmp, &jmp, sizeof jmp);
    memcpy(l->ram->host, l->saved_ram, RAM_BYTES);
    forget_code(l);
}

/* Whether what stands at c->ip still makes a difference; the report is the check's then. */
static bool still_differs(struct lockstep *l)
{
    check_forget(l->m->vcpus[0]);
    return run(l) == VCPU_EXIT_ERROR;
}

/* One NOP of this length. */
static void put_nop(uint8_t *code, unsigned len)
{
    memset(code, 0x2e, len - 1);
    code[len - 1] = 0x90;
}

static bool is_nop(const uint8_t *code, unsigned len)
{
    uint8_t nop[16];

    put_nop(nop, len);
    return !memcmp(code, nop, len);
}

/* The instructions from the byte at *code on, as far as a block could go; `end`: of the bytes. */
static unsigned next_length(struct lockstep *l, const uint8_t *code, const uint8_t *end)
{
    struct insn i = {.n = 1};
    struct decode d;
    bool ends;

    return end - code < 15                                                   ? 0
           : cpu_decode(l->c, code, 15, &i, &ends, &d) == DECODE_OK && !ends ? i.len
                                                                             : 0;
}

static void try_nop(struct lockstep *l, uint8_t *code, unsigned len, uint64_t la)
{
    uint8_t old[16];

    memcpy(old, code, len);
    put_nop(code, len);
    restore(l);
    if (!still_differs(l) || l->c->ip + l->c->cs_base != la) {
        memcpy(code, old, len);
    }
    restore(l);
}

static void tell_code(struct lockstep *l, const uint8_t *code, const uint8_t *end, GString *out)
{
    for (unsigned n = 0; n < BLOCK_MAX; n++) {
        unsigned len = next_length(l, code, end);
        char text[128] = "?";

        if (l->m->disassemble) {
            l->m->disassemble(code, 15, l->c->ip, cpu_code_bits(l->c), text, sizeof text);
        }
        if (!len || !is_nop(code, len)) {
            g_string_append_printf(out, "  %s\n", text);
        }
        if (!len) {
            break;
        }
        code += len;
    }
}

/*
 * The CPU stands before the block that differed.  Replace its instructions by NOPs, one after the
 * other, as long as it still differs.
 */
static void shrink(struct lockstep *l, GString *out)
{
    uint64_t la = l->c->ip + l->c->cs_base;
    uint8_t *code = l->saved_ram + la, *end = l->saved_ram + RAM_BYTES;

    save(l);
    if (la >= RAM_BYTES || !still_differs(l)) {
        restore(l);
        g_string_append(out, "(does not differ again)\n");
        return;
    }
    restore(l);
    for (unsigned n = 0, len; n < BLOCK_MAX && (len = next_length(l, code, end)); n++) {
        try_nop(l, code, len, la);
        code += len;
    }
    if (still_differs(l)) {
        g_string_append_printf(out, "made smaller:\n%s", check_report(l->m->vcpus[0]));
        g_string_append(out, "what is left of the code:\n");
        restore(l);
        tell_code(l, l->saved_ram + la, end, out);
    }
    restore(l);
}

static char *tell(struct lockstep *l, uint64_t seed, unsigned step)
{
    GString *report = g_string_new(NULL);

    g_string_append_printf(report, "seed %" G_GUINT64_FORMAT " step %u mode %d\n%s", seed, step,
                           (int)l->mode, check_report(l->m->vcpus[0]));
    shrink(l, report);
    check_forget(l->m->vcpus[0]);
    return g_string_free(report, FALSE);
}

char *lockstep_run(struct lockstep *l, uint64_t seed, unsigned steps)
{
    hostile_seed(&l->r, seed, 1);
    l->mode = (enum mode)rnd(l, MODES);
    set_up(l);
    make_program(l);
    fill_memory(l);
    forget_code(l);
    memcpy(l->ready, l->c, sizeof *l->c);
    l->counts.programs++;
    for (unsigned step = 0; step < steps; step++) {
        enum vcpu_exit exit;

        restore_system(l);
        set_registers(l);
        set_fpu(l);
        cpu_update_mode(l->c);
        exit = run(l);
        count_end(l, exit);
        if (exit == VCPU_EXIT_ERROR) {
            if (!has_remapped(l)) {
                return tell(l, seed, step);
            }
            l->counts.remaps++;
            check_forget(l->m->vcpus[0]);
            break;
        }
        if (exit == VCPU_EXIT_SHUTDOWN) {
            break; /* its tables may be gone */
        }
    }
    return NULL;
}
