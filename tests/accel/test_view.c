/*
 * Views (cpu/view.c, accel/jit/view.c, accel/jit/fault.c): compiled code of CPL 3 whose accesses
 * the host's MMU checks, against what a processor does.  The whole of memory is there twice: where
 * it is, and from HIGH on, as programs have their heap and their stack.
 *
 * Follows: SDM volume 3, 4.7 (page faults), 4.10.4 (invalidation), 6.15 (#PF, #GP, #SS).
 *
 * Not modelled: random programs, which the lock-step tests have in such memory too; a host that has
 * no room for views.
 */
#include "accel/interp_int.h"
#include "accel/jit/jit.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

#define HIGH 0x7f8000000000ull
enum { PAGE = 0x50000, OTHER = 0x60000, NEXT = 0x51000 };
enum { PTE_RO = 5, PTE_RW = 7 };

static void begin(struct guest *g)
{
    g_setenv("CANDELA_TEST_ACCEL", "jit", true);
    guest_init_linked(g, "x86-64-v3");
    if (!g->c->view) {
        cr_skip_test("no view here: %s", g->c->no_view);
    }
    guest_long(g);
    guest_put64(g, G_TABLES + 8 * (HIGH >> 39), guest_get64(g, G_TABLES));
    guest_user(g);
}

/* Run the code that is there at CPL 3 with that stack; gives the vector of the exception it ends
 * in. */
static int run_again(struct guest *g, uint64_t sp)
{
    g->c->ip = G_CODE;
    g->c->halted = false;
    guest_user(g);
    g->c->r[R_RSP] = sp;
    guest_run(g);
    return guest_vector(g);
}

/* The same for new code. */
static int run(struct guest *g, uint64_t sp, const char *code, size_t len)
{
    memcpy(g->ram + G_CODE, code, len);
    g->c->code_written(g->c, g->rig->ram, G_CODE, len);
    return run_again(g, sp);
}
#define RUN_AT(g, sp, code) run(g, sp, code, sizeof(code) - 1)
#define RUN(g, code)        RUN_AT(g, HIGH + G_USER_STACK, code)

static void map(struct guest *g, uint64_t la, uint64_t pa, unsigned rights)
{
    guest_put64(g, guest_pte_at(la), pa | rights);
}

static struct view_stats stats_of(const struct guest *g)
{
    struct view_stats s;

    view_get_stats(g->c->view, &s);
    return s;
}

static uint64_t other_faults(const struct guest *g)
{
    struct jit_stats s;

    jit_get_stats(((struct interp *)g->v->engine)->jit, &s);
    return s.faults;
}

/* What ends a program: HLT is forbidden at CPL 3. */
#define END "\xf4"

Test(view, memory_is_reached_at_both_ends)
{
    static const uint64_t bases[] = {PAGE, HIGH + PAGE};
    struct guest g;

    begin(&g);
    for (size_t n = 0; n < ARRAY_LEN(bases); n++) {
        guest_put64(&g, PAGE + 8, 0x1122334455667788);
        g.c->r[R_RSI] = g.c->r[R_R8 + 1] = bases[n]; /* R9: one in memory */
        g.c->r[R_RCX] = 1;
        /* mov rax,[rsi+8]; add [r9+rcx*8],eax; mov rbx,[r9+8]; movzx edx,byte [rsi+rcx+7] */
        cr_expect_eq(
            RUN(&g, "\x48\x8b\x46\x08\x41\x01\x04\xc9\x49\x8b\x59\x08\x0f\xb6\x54\x0e\x07" END),
            EXCP_GP);
        cr_expect_eq(g.c->r[R_RAX], 0x1122334455667788);
        cr_expect_eq(g.c->r[R_RBX], 0x11223344aaccef10);
        cr_expect_eq(g.c->r[R_RDX], 0x10);
    }
    struct view_stats s = stats_of(&g);
    cr_expect_geq(s.fills, 2);
    cr_expect_geq(s.pages, 2);
    guest_free(&g);
}

/* The same in 32-bit code. */
static int run32(struct guest *g, const char *code, size_t len)
{
    struct seg *cs = &g->c->seg[SEG_CS];

    memcpy(g->ram + G_CODE, code, len);
    g->c->code_written(g->c, g->rig->ram, G_CODE, len);
    g->c->ip = G_CODE;
    g->c->halted = false;
    guest_user(g);
    cs->attr = (uint16_t)((cs->attr & ~SEG_L) | SEG_DB);
    cpu_update_mode(g->c);
    guest_run(g);
    return guest_vector(g);
}

/* Addresses of 32-bit code wrap at 4 GiB, whatever is in the upper halves of registers. */
Test(view, addresses_of_32_bits_wrap)
{
    static const char code[] = "\x8b\x86\x00\x00\x00\x80" /* mov eax,[esi+0x80000000] */
                               "\x8b\x1c\xcf"             /* mov ebx,[edi+ecx*8] */
                               "\x01\x05\x0c\x00\x05\x00" /* add [PAGE+12],eax */
                               "\x50\x5d"                 /* push eax; pop ebp */
                               "\x8b\x52\x08" END;        /* mov edx,[edx+8] */
    struct guest g;

    begin(&g);
    guest_put64(&g, PAGE, 0x11111111);
    guest_put64(&g, PAGE + 8, 0x2222222233333333);
    g.c->r[R_RSI] = 0xdeadbeef80000000 + PAGE;
    g.c->r[R_RDI] = 0xdeadbeef00000000 + PAGE;
    g.c->r[R_RCX] = 0xdeadbeef20000001;
    g.c->r[R_RDX] = 0x1000000;
    g.c->cr2 = 0;
    cr_expect_eq(run32(&g, code, sizeof code - 1), EXCP_PF);
    cr_expect(stats_of(&g).fills >= 2, "no view was taken");
    cr_expect_eq(g.c->cr2, 0x1000008);
    cr_expect_eq((uint32_t)g.c->r[R_RAX], 0x11111111);
    cr_expect_eq((uint32_t)g.c->r[R_RBX], 0x33333333);
    cr_expect_eq((uint32_t)g.c->r[R_RBP], 0x11111111);
    cr_expect_eq(guest_get64(&g, PAGE + 8), 0x3333333333333333);
    guest_free(&g);
}

/* Two places that one register is to point to by turns: 1 at a low address, 100 at a high one. */
static void begin_either(struct guest *g)
{
    begin(g);
    guest_put64(g, PAGE, 1);
    guest_put64(g, OTHER, 100);
    g->c->r[R_RSI] = PAGE;
    g->c->r[R_RDI] = HIGH + OTHER;
    g->c->r[R_RCX] = 1000;
    g->c->r[R_RAX] = 0;
}

/* A program that reaches other kinds of memory than it did at first is translated again. */
Test(view, one_register_may_point_to_either)
{
    struct guest g;

    begin_either(&g);
    /* again: add rax,[rsi]; xchg rsi,rdi; dec ecx; jnz again */
    cr_expect_eq(RUN(&g, "\x48\x03\x06\x48\x87\xf7\xff\xc9\x75\xf6" END), EXCP_GP);
    cr_expect_eq(g.c->r[R_RAX], 500 * 101);
    cr_expect_lt(other_faults(&g), 50);
    guest_free(&g);
}

/* The same where another block stands behind the one that finds out. */
Test(view, one_register_may_point_to_either_before_a_call)
{
    struct jit_stats stats;
    struct interp *e;
    struct guest g;

    begin_either(&g);
    e = g.v->engine;
    e->hot = 20;
    /* again: add rax,[rsi]; call f; cmp ecx,900; jae over; xchg rsi,rdi; over: dec ecx;
     * jnz again; end; f: ret */
    cr_expect_eq(RUN(&g, "\x48\x03\x06\xe8\x10\x00\x00\x00\x81\xf9\x84\x03\x00\x00\x73\x03"
                         "\x48\x87\xf7\xff\xc9\x75\xe9" END "\xc3"),
                 EXCP_GP);
    cr_expect_eq(g.c->r[R_RAX], 102 * 1 + 449 * 101, "%u", (unsigned)g.c->r[R_RAX]);
    jit_get_stats(e->jit, &stats);
    cr_expect_geq(stats.behind, 1);
    cr_expect(stats.faults >= 1 && stats.faults < 50, "%u faults", (unsigned)stats.faults);
    guest_free(&g);
}

struct wild {
    const char *name;
    uint64_t base;
    int vector;
    uint64_t cr2;
};

/* Addresses that no page is at, near what is there and where the host has its own. */
Test(view, wild_addresses_fault_as_on_a_processor)
{
    static const struct wild wild[] = {
        {"low", 0x1000000, EXCP_PF, 0x1000008},
        {"below null", -16ull, EXCP_PF, -8ull},
        {"beyond what is low", 0x10000000000, EXCP_PF, 0x10000000008},
        {"just below that", 0x10000000000 - 16, EXCP_PF, 0x10000000000 - 8},
        {"in the middle", 0x200000000000, EXCP_PF, 0x200000000008},
        {"the host's first page", 0x2c0000000000, EXCP_PF, 0x2c0000000008},
        {"what the host reserves", 0x2c0000020000, EXCP_PF, 0x2c0000020008},
        {"high", HIGH + 0x1000000, EXCP_PF, HIGH + 0x1000008},
        {"the last page", 0x7ffffffff000, EXCP_PF, 0x7ffffffff008},
        {"across the end", 0x7ffffffffffc, EXCP_GP, 0},
        {"the host's program", 0x815555554000, EXCP_GP, 0},
        {"the host's stack", 0xabffffffe000, EXCP_GP, 0},
        {"kernel", 0xffff888000000000, EXCP_PF, 0xffff888000000008},
        {"not canonical", 0x4000000000000000, EXCP_GP, 0},
        {"nor is this", 0x8000000000000000, EXCP_GP, 0},
    };
    /* What the base was taken for as the block was translated. */
    static const uint64_t guesses[] = {PAGE, HIGH + PAGE, 0x3000000000};
    /* cmp edi,esi; mov rax,[rbx+8]; cmp edi,esi; add rdx,[rbx+8] */
    static const char code[] = "\x39\xf7\x48\x8b\x43\x08" END;
    struct guest g;

    begin(&g);
    for (size_t n = 0; n < ARRAY_LEN(wild) * ARRAY_LEN(guesses); n++) {
        const struct wild *w = &wild[n / ARRAY_LEN(guesses)];

        g.c->r[R_RDI] = 1;
        g.c->r[R_RSI] = 2;
        g.c->r[R_RBX] = guesses[n % ARRAY_LEN(guesses)];
        int first = RUN(&g, code);
        cr_expect_eq(first, g.c->r[R_RBX] >> 36 == 3 ? EXCP_PF : EXCP_GP);
        g.c->ip = G_CODE;
        g.c->halted = false;
        guest_user(&g);
        g.c->cr2 = 0;
        g.c->r[R_RAX] = 77;
        g.c->r[R_RBX] = w->base;
        guest_run(&g);
        cr_expect_eq(guest_vector(&g), w->vector, "%s: vector %d", w->name, guest_vector(&g));
        cr_expect_eq(g.c->cr2, w->cr2, "%s: CR2 %llx", w->name, (unsigned long long)g.c->cr2);
        cr_expect_eq(g.c->r[R_RAX], 77, "%s", w->name);
        uint64_t frame = g.c->r[R_RSP] + 8; /* behind the error code */
        cr_expect_eq(guest_get64(&g, frame), G_CODE + 2, "%s: RIP", w->name);
        /* CF, SF, AF, PF of 1 - 2, which are in the host's flags or can be had again */
        cr_expect_eq(guest_get64(&g, frame + 16) & FLAGS_ARITH, 0x95, "%s: flags %llx", w->name,
                     (unsigned long long)guest_get64(&g, frame + 16));
    }
    guest_free(&g);
}

/* Programs that load from rbx + index * 8 + 8 (the second, from PAGE + that), with an index of edi:
 * one that is not compared by itself, but where it is more than 32 bits. */
struct indexed {
    const char *code;
    size_t len;
    uint64_t (*index)(uint64_t rdi, uint64_t rsi);
    bool constant;
};

static uint64_t of_signed(uint64_t rdi, uint64_t rsi)
{
    (void)rsi;
    return (uint64_t)(int64_t)(int32_t)rdi;
}

static uint64_t of_sum(uint64_t rdi, uint64_t rsi)
{
    return (uint32_t)rdi + rsi;
}

static uint64_t of_byte(uint64_t rdi, uint64_t rsi)
{
    (void)rsi;
    return (uint8_t)rdi;
}

static const struct indexed indexed[] = {
    /* movsxd rcx,edi; mov rax,[rbx+rcx*8+8] */
    {"\x48\x63\xcf\x48\x8b\x44\xcb\x08" END, 9, of_signed, false},
    /* movsxd rcx,edi; mov rax,[rcx*8+0x50008] */
    {"\x48\x63\xcf\x48\x8b\x04\xcd\x08\x00\x05\x00" END, 12, of_signed, true},
    /* mov ecx,edi; add rcx,rsi; mov rax,[rbx+rcx*8+8] */
    {"\x89\xf9\x48\x01\xf1\x48\x8b\x44\xcb\x08" END, 11, of_sum, false},
    /* movzx ecx,dil; mov r9,rbx; mov rax,[r9+rcx*8+8] */
    {"\x40\x0f\xb6\xcf\x49\x89\xd9\x49\x8b\x44\xc9\x08" END, 13, of_byte, false},
    /* movsxd r9,edi; mov rax,[rbx+r9*8+8] */
    {"\x4c\x63\xcf\x4a\x8b\x44\xcb\x08" END, 9, of_signed, false},
};

static void set_indexed(struct guest *g, uint64_t base, uint64_t rdi, uint64_t rsi)
{
    g->c->r[R_RBX] = base;
    g->c->r[R_RDI] = rdi;
    g->c->r[R_RSI] = rsi;
    g->c->r[R_RAX] = 77;
    g->c->cr2 = 0;
}

Test(view, an_index_cannot_lead_elsewhere)
{
    static const uint64_t bases[] = {PAGE,           HIGH + PAGE,    0,
                                     0xffffffffff,   0x2c0000010000, 0x2c0000000000,
                                     0x7ffffffff000, 0x815555554000, -8ull};
    static const uint64_t rdis[] = {0x7fffffff, 0x80000000, 0xffffffff, 0x12345678};
    static const uint64_t rsis[] = {0, 0x90aaaaaaa00, 0xe000000000000000};
    enum { BASES = ARRAY_LEN(bases), RDIS = ARRAY_LEN(rdis), RSIS = ARRAY_LEN(rsis) };
    struct guest g;

    begin(&g);
    for (size_t n = 0; n < ARRAY_LEN(indexed) * BASES * RDIS * RSIS; n++) {
        const struct indexed *x = &indexed[n / (BASES * RDIS * RSIS)];
        uint64_t base = bases[n / (RDIS * RSIS) % BASES], rdi = rdis[n / RSIS % RDIS];
        uint64_t rsi = rsis[n % RSIS], known = n & 1 ? PAGE : HIGH + PAGE;
        uint64_t la = (x->constant ? PAGE : base) + x->index(rdi, rsi) * 8 + 8;

        guest_put64(&g, PAGE + 16, n);
        set_indexed(&g, known, 1, 0);
        run(&g, HIGH + G_USER_STACK, x->code, x->len);
        cr_assert_eq(g.c->r[R_RAX], n, "%zu: %#lx", n, g.c->r[R_RAX]);
        set_indexed(&g, base, rdi, rsi);
        run_again(&g, HIGH + G_USER_STACK);
        bool there = la < 0x200000 || la - HIGH < 0x200000;
        if (!there) {
            bool canonical = (uint64_t)((int64_t)la >> 47) + 1 <= 1;

            cr_expect_eq(guest_vector(&g), canonical ? EXCP_PF : EXCP_GP, "%zu: %#lx", n, la);
            cr_expect_eq(g.c->cr2, canonical ? la : 0, "%zu: %#lx, not %#lx", n, g.c->cr2, la);
            cr_expect_eq(g.c->r[R_RAX], 77);
        }
    }
    guest_free(&g);
}

/* Nor to what the host has, by an index of 64 bits. */
Test(view, an_index_is_compared_where_it_may_be_anything)
{
    static const uint64_t secret = 0x5ec2e7;
    struct guest g;

    begin(&g);
    for (unsigned high = 0; high < 2; high++) {
        uint64_t base = high ? HIGH + PAGE : PAGE;
        uint64_t host = (high ? VIEW_HIGH_BY : view_low(g.c->view)) + base + 8;

        set_indexed(&g, base, 1, 0);
        run(&g, HIGH + G_USER_STACK, indexed[2].code, indexed[2].len);
        set_indexed(&g, base, 0, ((uint64_t)(uintptr_t)&secret - host) / 8);
        run_again(&g, HIGH + G_USER_STACK);
        cr_expect_neq(guest_vector(&g), -1);
        cr_expect_eq(g.c->r[R_RAX], 77, "%#lx", g.c->r[R_RAX]);
    }
    guest_free(&g);
}

Test(view, a_page_fault_comes_with_the_state_before)
{
    struct guest g;

    begin(&g);
    map(&g, NEXT, 0, 0);
    map(&g, OTHER, OTHER, PTE_RO);
    g.c->r[R_RSI] = HIGH + NEXT - 4;
    g.c->r[R_RDI] = HIGH + OTHER;
    /* push, push: there; and one that is not */
    g.c->r[R_RBX] = 5;
    map(&g, NEXT, NEXT, PTE_RW);
    map(&g, PAGE, 0, 0);
    cr_expect_eq(RUN_AT(&g, HIGH + NEXT + 0x10, "\x53\x53\x53" END), EXCP_PF);
    cr_expect_eq(g.c->cr2, HIGH + NEXT - 8);
    cr_expect_eq(guest_get64(&g, g.c->r[R_RSP]), 6, "error code");
    cr_expect_eq(guest_get64(&g, g.c->r[R_RSP] + 8), G_CODE + 2, "RIP");
    cr_expect_eq(guest_get64(&g, g.c->r[R_RSP] + 32), HIGH + NEXT, "RSP");
    cr_expect_eq(guest_get64(&g, NEXT + 8), 5);
    /* A store that crosses into a page that is not there does nothing to the first. */
    map(&g, PAGE, PAGE, PTE_RW);
    map(&g, NEXT, 0, 0);
    mmu_flush(g.c, false);
    guest_put32(&g, NEXT - 4, 0x12345678);
    g.c->r[R_RAX] = ~0ull;
    cr_expect_eq(RUN(&g, "\x48\x89\x06" END), EXCP_PF); /* mov [rsi],rax */
    cr_expect_eq(g.c->cr2, HIGH + NEXT);
    cr_expect_eq(guest_get32(&g, NEXT - 4), 0x12345678);
    /* Read, then written although that is forbidden: the first is done, the second is not. */
    guest_put64(&g, OTHER, 3);
    cr_expect_eq(RUN(&g, "\x48\x8b\x1f\x48\x01\x1f" END),
                 EXCP_PF); /* mov rbx,[rdi]; add [rdi],rbx */
    cr_expect_eq(guest_get64(&g, g.c->r[R_RSP]), 7, "error code");
    cr_expect_eq(g.c->r[R_RBX], 3);
    cr_expect_eq(guest_get64(&g, OTHER), 3);
    guest_free(&g);
}

/* mov rax,[rsi]; mov rbx,[rdi] */
#define LOOK_AT_BOTH "\x48\x8b\x06\x48\x8b\x1f" END

Test(view, what_a_flush_finds_unchanged_stays)
{
    struct guest g;

    begin(&g);
    g.c->r[R_RSI] = HIGH + PAGE;
    g.c->r[R_RDI] = HIGH + OTHER;
    guest_put64(&g, PAGE, 1);
    guest_put64(&g, NEXT, 2);
    guest_put64(&g, OTHER, 3);
    RUN(&g, LOOK_AT_BOTH);
    uint64_t fills = stats_of(&g).fills;
    map(&g, PAGE, NEXT, PTE_RW);
    mmu_flush(g.c, false);
    RUN(&g, LOOK_AT_BOTH);
    cr_expect_eq(g.c->r[R_RAX], 2);
    cr_expect_eq(g.c->r[R_RBX], 3);
    cr_expect_eq(stats_of(&g).fills, fills + 1);
    map(&g, PAGE, PAGE, PTE_RW);
    mmu_invlpg(g.c, HIGH + PAGE);
    RUN(&g, LOOK_AT_BOTH);
    cr_expect_eq(g.c->r[R_RAX], 1);
    cr_expect_eq(stats_of(&g).fills, fills + 2);
    guest_free(&g);
}

/* A walk marks entries once more when they were cleared and that was told. */
Test(view, accessed_and_dirty_bits_are_set_again)
{
    enum { A = 0x20, D = 0x40 };
    struct guest g;

    begin(&g);
    g.c->r[R_RSI] = HIGH + PAGE;
    g.c->r[R_RDI] = HIGH + OTHER;
    for (unsigned n = 0; n < 3; n++) {
        map(&g, PAGE, PAGE, PTE_RW);
        map(&g, OTHER, OTHER, PTE_RW);
        mmu_flush(g.c, false);
        RUN(&g, "\x48\x8b\x06\x48\x89\x07" END); /* mov rax,[rsi]; mov [rdi],rax */
        cr_expect_eq(guest_get64(&g, guest_pte_at(PAGE)) & (A | D), A);
        cr_expect_eq(guest_get64(&g, guest_pte_at(OTHER)) & (A | D), A | D);
        RUN(&g, "\x48\x89\x06" END);
        cr_expect_eq(guest_get64(&g, guest_pte_at(PAGE)) & (A | D), A | D);
    }
    guest_free(&g);
}

/* Code is written by its own page's stores, which were let straight through before it was code. */
Test(view, stores_to_code_are_seen)
{
    struct guest g;

    begin(&g);
    g.c->r[R_RSI] = HIGH + PAGE;
    for (unsigned n = 1; n < 100; n++) {
        g.c->r[R_RBX] = 0xb8 | (uint64_t)n << 8; /* mov eax,n */
        /* mov [rsi],rbx; mov [rsi+5],rbx; mov byte [rsi+5],0xc3; call rsi */
        cr_expect_eq(RUN(&g, "\x48\x89\x1e\xc6\x46\x05\xc3\xff\xd6" END), EXCP_GP);
        cr_expect_eq(g.c->r[R_RAX], n);
    }
    guest_free(&g);
}

/* Data beside the stack is reached with the stack pointer anywhere. */
Test(view, the_stack_pointer_may_be_anything)
{
    static const struct wild stacks[] = {
        {"low", G_USER_STACK, -1, 0},
        {"absent", HIGH + 0x2000000, EXCP_PF, HIGH + 0x1fffff8},
        {"kernel", 0xffff888000000000, EXCP_PF, 0xffff887ffffffff8},
        {"not canonical", 0x4000000000000000, EXCP_SS, 0},
        {"the host's program", 0x815555554000, EXCP_SS, 0},
    };
    struct guest g;

    begin(&g);
    for (size_t n = 0; n < ARRAY_LEN(stacks); n++) {
        const struct wild *w = &stacks[n];

        g.c->r[R_RBX] = w->base;
        g.c->cr2 = 0;
        /* push rbx; mov rsp,rbx; push rbx; pop rax */
        int vector = RUN(&g, "\x53\x48\x89\xdc\x53\x58" END);
        cr_expect_eq(vector, w->vector < 0 ? EXCP_GP : w->vector, "%s: %d", w->name, vector);
        cr_expect_eq(g.c->cr2, w->cr2, "%s", w->name);
        if (w->vector < 0) {
            cr_expect_eq(g.c->r[R_RAX], w->base);
        }
    }
    guest_free(&g);
}

/* The stack pointer is moved far, a little at a time and without an access, and then used. */
Test(view, the_stack_pointer_cannot_walk_out)
{
    struct guest g;

    begin(&g);
    g.c->r[R_RCX] = (0x800000000000 - HIGH) / 0xf00000 + 0x180000000000 / 0xf00000;
    /* again: add rsp,0xf00000; dec rcx; jnz again; push rax */
    cr_expect_eq(RUN(&g, "\x48\x81\xc4\x00\x00\xf0\x00\x48\xff\xc9\x75\xf4\x50" END), EXCP_SS);
    cr_expect_eq(g.c->r[R_RCX], 0);
    guest_free(&g);
}

/* RSI is not aligned, and AC is heeded. */
static void begin_aligned(struct guest *g)
{
    begin(g);
    g->c->cr0 |= CR0_AM;
    cpu_update_mode(g->c);
    g->c->r[R_RSI] = HIGH + PAGE + 1;
}

/* AC makes each access be looked at, from the next instruction on. */
Test(view, alignment_checks_are_in_force_at_once)
{
    struct guest g;

    begin_aligned(&g);
    /* mov eax,[rsi]; pushfq; or byte [rsp+2],4; popfq; mov ebx,[rsi] */
    cr_expect_eq(RUN(&g, "\x8b\x06\x9c\x80\x4c\x24\x02\x04\x9d\x8b\x1e" END), EXCP_AC);
    cr_expect_eq(guest_get64(&g, g.c->r[R_RSP] + 8), G_CODE + 9);
    guest_free(&g);
}

/* The same where the interpreter has taken over before: it goes on from block to block. */
Test(view, and_where_the_interpreter_has_set_them)
{
    struct guest g;

    begin_aligned(&g);
    g.c->r[R_RCX] = 2;
    g.c->r[R_RDI] = HIGH + G_CODE + 0x800; /* beside code: not for a view */
    /* again: mov eax,[rsi]; mov [rdi],eax; pushfq; dec ecx; jnz next; or byte [rsp+2],4;
     * next: popfq; jmp again */
    cr_expect_eq(
        RUN(&g, "\x8b\x06\x89\x07\x9c\xff\xc9\x75\x05\x80\x4c\x24\x02\x04\x9d\xeb\xef" END),
        EXCP_AC);
    cr_expect_eq(guest_get64(&g, g.c->r[R_RSP] + 8), G_CODE);
    guest_free(&g);
}

/* A program that touches one page after another is not held up by mapping them all. */
Test(view, there_are_not_more_fills_than_pay)
{
    enum { TIMES = 40 };
    struct guest g;

    begin(&g);
    for (unsigned n = 0; n < TIMES; n++) {
        g.c->r[R_RSI] = HIGH;
        g.c->r[R_RCX] = 4096;
        /* again: mov rax,[rsi]; add rsi,4096; dec ecx; jnz again */
        cr_expect_eq(RUN(&g, "\x48\x8b\x06\x48\x81\xc6\x00\x10\x00\x00\xff\xc9\x75\xf2" END),
                     EXCP_GP);
        mmu_flush(g.c, true);
        for (unsigned la = 0; la < 4096 * 4096; la += 4096) { /* as not accessed yet */
            map(&g, la, la, PTE_RW);
        }
    }
    struct view_stats s = stats_of(&g);
    cr_expect_lt(s.fills, 5000, "%llu", (unsigned long long)s.fills);
    cr_expect_gt(s.denied, 0);
    guest_free(&g);
}

Test(view, several_processors_have_none)
{
    struct vm_config config;
    struct machine *m;

    vm_config_init(&config);
    config.cpus = 2;
    m = machine_new(&config, NULL);
    vm_config_clear(&config);
    cr_assert(accel_jit.vcpu_init(m->vcpus[0], NULL));
    struct cpu *c = m->vcpus[0]->cpu;
    cr_expect_null(c->view);
    cr_expect_str_eq(c->no_view, "several processors");
    accel_jit.vcpu_fini(m->vcpus[0]);
    machine_free(m);
}
