/*
 * See silicon32.h.
 *
 * Not modelled: see silicon32.h.
 */
#define _GNU_SOURCE /* REG_RIP and its like */
#include "tests/cpu/silicon32.h"
#include "accel/interp.h"
#include "tests/cpu/sandbox.h"
#include <criterion/criterion.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { RUN_FLAGS = FLAGS_ARITH | FLAG_DF };

/* ---- native ---- */

/* A signal handler has no argument of ours.  The assembly knows these by name. */
struct silicon32_entry {
    uint32_t r[8];               /* 0 */
    uint64_t rip, cs, flags, ss; /* 32, 40, 48, 56 */
    uint64_t host_rsp;           /* 64 */
} silicon32_entry;
static_assert(offsetof(struct silicon32_entry, host_rsp) == 64, "assembly");

static volatile bool inside;
static struct silicon32_state *volatile result;

void silicon32_enter(void);
void silicon32_exit(void);

__asm__(".text\n"
        "silicon32_enter:\n"
        "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "lea silicon32_entry(%rip), %r8\n"
        "mov %rsp, 64(%r8)\n"
        "mov 56(%r8), %eax\nmov %eax, %ds\nmov %eax, %es\npush %rax\n"
        "mov 16(%r8), %eax\npush %rax\n"
        "push 48(%r8)\npush 40(%r8)\npush 32(%r8)\n"
        "mov 0(%r8), %eax\nmov 4(%r8), %ecx\nmov 8(%r8), %edx\nmov 12(%r8), %ebx\n"
        "mov 20(%r8), %ebp\nmov 24(%r8), %esi\nmov 28(%r8), %edi\n"
        "iretq\n"
        "silicon32_exit:\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n");

/* Thread-local storage is not there before the first line is done. */
__attribute__((no_stack_protector)) static void on_signal(int sig, siginfo_t *info, void *context)
{
    static const uint8_t regs[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX,
                                    REG_RSP, REG_RBP, REG_RSI, REG_RDI};
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)info;
    sandbox_set_fs(sandbox_fs);
    if (!inside) { /* a fault of the test itself */
        signal(sig, SIG_DFL);
        return;
    }
    inside = false;
    result->vector = sandbox_class(sig);
    for (unsigned n = 0; n < 8; n++) {
        result->r[n] = (uint32_t)g[regs[n]];
    }
    result->eip = (uint32_t)g[REG_RIP];
    result->eflags = (uint32_t)g[REG_EFL];
    g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffffffff0000ll) | (greg_t)USER_DS << 48 | USER_CS64;
    g[REG_RIP] = (greg_t)(uintptr_t)silicon32_exit;
    g[REG_RSP] = (greg_t)silicon32_entry.host_rsp;
    g[REG_EFL] = 0x202;
}

static bool map_at(uint32_t at, size_t len, int prot)
{
    void *want = (void *)(uintptr_t)at;

    return mmap(want, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == want;
}

bool silicon32_native_begin(unsigned code)
{
    if (code == MODE_CODE16 && (!sandbox_set_ldt(LDT_CS16, SILICON32_CODE) ||
                                !sandbox_set_ldt(LDT_DS16, SILICON32_DATA))) {
        return false;
    }
    if (!map_at(SILICON32_DATA, SILICON32_DATA_BYTES, PROT_READ | PROT_WRITE) ||
        !map_at(SILICON32_CODE, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC)) {
        return false;
    }
    sandbox_begin(on_signal);
    return true;
}

void silicon32_native_end(void)
{
    sandbox_end();
    munmap((void *)(uintptr_t)SILICON32_DATA, SILICON32_DATA_BYTES);
    munmap((void *)(uintptr_t)SILICON32_CODE, PAGE_BYTES);
}

void silicon32_native_run(unsigned code, const uint8_t *bytes, unsigned len,
                          const struct silicon32_state *in, struct silicon32_state *out)
{
    uint32_t base = code == MODE_CODE16 ? 0 : SILICON32_CODE;

    memcpy((void *)(uintptr_t)(SILICON32_CODE + SILICON32_IP), bytes, len);
    memcpy((void *)(uintptr_t)SILICON32_DATA, in->data, SILICON32_DATA_BYTES);
    memcpy(silicon32_entry.r, in->r, sizeof in->r);
    silicon32_entry.rip = base + SILICON32_IP;
    silicon32_entry.cs = code == MODE_CODE16 ? LDT_CS16 : USER_CS32;
    silicon32_entry.ss = code == MODE_CODE16 ? LDT_DS16 : USER_DS;
    silicon32_entry.flags = (in->eflags & RUN_FLAGS) | FLAG_1 | FLAG_IF | FLAG_TF;
    result = out;
    inside = true;
    sandbox_set_fs(0);
    silicon32_enter();
    out->eip -= base;
    memcpy(out->data, (const void *)(uintptr_t)SILICON32_DATA, SILICON32_DATA_BYTES);
}

/* ---- guest ---- */

enum { PAGE_DIR = 0x50000, PAGE_TABLE = 0x51000, PTE_SYSTEM = 3, PTE_USER = 7 };

static void map_page(struct guest *g, uint32_t at, unsigned bits)
{
    guest_put32(g, PAGE_TABLE + (at >> PAGE_SHIFT) * 4, at | bits);
}

void silicon32_guest_begin(struct guest *g)
{
    guest_init(g, "x86-64-v3");
    view_free(
        g->c->view); /* its signal's handler needs the thread's FS, which the sandbox changes */
    g->c->view = NULL;
    guest_protected(g);
    guest_put32(g, PAGE_DIR, PAGE_TABLE | PTE_USER);
    for (uint32_t at = 0; at < 0x60000; at += PAGE_BYTES) {
        map_page(g, at, PTE_SYSTEM);
    }
    map_page(g, SILICON32_CODE, PTE_USER);
    for (uint32_t at = 0; at < SILICON32_DATA_BYTES; at += PAGE_BYTES) {
        map_page(g, SILICON32_DATA + at, PTE_USER);
    }
    guest_put16(g, G_TSS + 0x66, 0xffff); /* no I/O map: ports are for the system */
    g->c->cr3 = PAGE_DIR;
    g->c->cr0 |= CR0_PG | CR0_WP;
    mmu_flush(g->c, true);
}

void silicon32_guest_end(struct guest *g)
{
    guest_free(g);
}

static void set_segments(struct cpu *c, unsigned code)
{
    const uint16_t user = SEG_P | SEG_S | SEG_DPL | SEG_A | SEG_W;
    bool flat = code == MODE_CODE32;
    struct seg data = {.sel = S_UDATA,
                       .attr = user | SEG_DB,
                       .limit = flat ? ~0u : 0xffff,
                       .base = flat ? 0 : SILICON32_DATA};

    c->seg[SEG_CS] = (struct seg){.sel = S_UCODE,
                                  .attr = user | SEG_CODE | (flat ? SEG_DB : 0),
                                  .limit = data.limit,
                                  .base = flat ? 0 : SILICON32_CODE};
    c->seg[SEG_SS] = c->seg[SEG_DS] = c->seg[SEG_ES] = data;
    c->seg[SEG_FS] = c->seg[SEG_GS] = (struct seg){0};
    c->cpl = 3;
}

static int class_of_vector(int vector)
{
    return vector == EXCP_DB                                      ? 3
           : vector == EXCP_DE || vector == EXCP_UD || vector < 0 ? vector
                                                                  : 13;
}

void silicon32_guest_run(struct guest *g, unsigned code, const uint8_t *bytes, unsigned len,
                         const struct silicon32_state *in, struct silicon32_state *out)
{
    struct cpu *c = g->c;
    uint32_t base = code == MODE_CODE16 ? 0 : SILICON32_CODE;

    memcpy(g->ram + SILICON32_CODE + SILICON32_IP, bytes, len);
    memcpy(g->ram + SILICON32_DATA, in->data, SILICON32_DATA_BYTES);
    c->code_written(c, g->rig->ram, SILICON32_CODE, PAGE_BYTES);
    for (unsigned n = 0; n < 8; n++) {
        c->r[n] = in->r[n];
    }
    set_segments(c, code);
    c->ip = base + SILICON32_IP;
    c->halted = c->shutdown = c->inhibit = false;
    c->icount = 0;
    c->cur = NULL;
    cpu_set_eflags(c, (in->eflags & RUN_FLAGS) | FLAG_IF | FLAG_TF,
                   RUN_FLAGS | FLAG_IF | FLAG_TF | FLAG_RF);
    cpu_update_mode(c);
    guest_run(g);

    int vector = guest_vector(g);
    bool error = vector == EXCP_DF || (vector >= EXCP_TS && vector <= EXCP_PF) || vector == EXCP_AC;
    uint32_t frame = (uint32_t)c->r[R_RSP] + (error ? 4 : 0);
    out->vector = class_of_vector(vector);
    for (unsigned n = 0; n < 8; n++) {
        out->r[n] = (uint32_t)c->r[n];
    }
    if (frame <= RIG_RAM_BYTES - 20) {
        out->eip = guest_get32(g, frame) - base;
        out->eflags = guest_get32(g, frame + 8);
        out->r[R_RSP] = guest_get32(g, frame + 12);
    }
    memcpy(out->data, g->ram + SILICON32_DATA, SILICON32_DATA_BYTES);
}
