/*
 * Native and interpreted execution of one instruction (see silicon.h).
 *
 * Not modelled: see silicon.h.
 */
#include "tests/cpu/silicon.h"
#include "accel/interp.h"
#include "cpu/fpu.h"
#include "tests/cpu/sandbox.h"
#include <setjmp.h>
#include <sys/mman.h>

static_assert(offsetof(struct silicon_state, rflags) == 128, "trampoline");
static_assert(offsetof(struct silicon_state, fx) == 192, "trampoline");
static_assert(offsetof(struct silicon_state, ymm) == 704, "trampoline");

/* Absolute addresses: SILICON_STATE + offset. */
#define AT(n)     "0x410000+" #n
#define VLOAD(n)  "vmovdqu " AT(704) "+32*" #n ", %ymm" #n "\n"
#define VSTORE(n) "vmovdqu %ymm" #n ", " AT(704) "+32*" #n "\n"
#define ALL16(X)                                                                                   \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

void silicon_enter(void);
void silicon_exit_next(void);
void silicon_exit_taken(void);

/* One step of the trampoline a line. */
// clang-format off
__asm__(".text\n"
        ".globl silicon_enter\nsilicon_enter:\n"
        "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp, " AT(144) "\n"
        "fxrstor64 " AT(192) "\n" ALL16(VLOAD)
        "pushq " AT(128) "\npopfq\n"
        "mov " AT(0) ", %rax\nmov " AT(8) ", %rcx\nmov " AT(16) ", %rdx\nmov " AT(24) ", %rbx\n"
        "mov " AT(40) ", %rbp\nmov " AT(48) ", %rsi\nmov " AT(56) ", %rdi\nmov " AT(64) ", %r8\n"
        "mov " AT(72) ", %r9\nmov " AT(80) ", %r10\nmov " AT(88) ", %r11\nmov " AT(96) ", %r12\n"
        "mov " AT(104) ", %r13\nmov " AT(112) ", %r14\nmov " AT(120) ", %r15\n"
        "mov " AT(32) ", %rsp\n"
        "jmp *" AT(136) "\n"
        ".globl silicon_exit_taken\nsilicon_exit_taken:\n"
        "movq $1, " AT(168) "\n"
        ".globl silicon_exit_next\nsilicon_exit_next:\n"
        "mov %rax, " AT(0) "\nmov %rcx, " AT(8) "\nmov %rdx, " AT(16) "\nmov %rbx, " AT(24) "\n"
        "mov %rsp, " AT(32) "\nmov %rbp, " AT(40) "\nmov %rsi, " AT(48) "\nmov %rdi, " AT(56) "\n"
        "mov %r8, " AT(64) "\nmov %r9, " AT(72) "\nmov %r10, " AT(80) "\nmov %r11, " AT(88) "\n"
        "mov %r12, " AT(96) "\nmov %r13, " AT(104) "\nmov %r14, " AT(112) "\n"
        "mov %r15, " AT(120) "\nmov " AT(144) ", %rsp\n"
        "pushfq\npopq " AT(128) "\ncld\n" ALL16(VSTORE)
        "fxsave64 " AT(192) "\n"
        "fninit\nvzeroupper\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n");
// clang-format on

static void *map_at(uintptr_t at, size_t len, int prot)
{
    void *p = mmap((void *)at, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    return p == MAP_FAILED || p != (void *)at ? NULL : p;
}

/* Page tables (identity, 2 MiB pages), GDT, IDT whose handlers are HLTs, TSS with one interrupt
 * stack. */
static void build_guest(struct silicon *s)
{
    uint8_t *ram = s->rig->ram->host;

    st_le64(ram + 0x1000, 0x2003);
    st_le64(ram + 0x2000, 0x3003);
    for (unsigned n = 0; n < RIG_RAM_BYTES / (2 * MiB); n++) {
        st_le64(ram + 0x3000 + n * 8, n * 2 * MiB | 0x83);
    }
    for (unsigned v = 0; v < 32; v++) {
        uint32_t handler = 0x500000 + v * 16;

        ram[handler] = 0xf4;
        st_le64(ram + 0x5000 + v * 16,
                (uint64_t)(handler >> 16) << 48 | 0x8e0100080000ull | (handler & 0xffff));
    }
    st_le64(ram + 0x6008, 0x00af9b000000ffffull);
    st_le64(ram + 0x7000 + 36, 0x90000);
}

static void set_seg(struct cpu *c, unsigned seg, uint16_t sel, uint16_t attr)
{
    c->seg[seg] = (struct seg){.sel = sel, .attr = attr, .limit = 0xffffffff};
}

static void init_guest_cpu(struct cpu *c)
{
    cpu_reset(c, false);
    c->cr0 = CR0_PE | CR0_NE | CR0_MP | CR0_ET | CR0_PG;
    c->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE;
    c->efer = EFER_LME | EFER_LMA | EFER_SCE;
    c->cr3 = 0x1000;
    c->fpu.xcr0 = 7;
    c->gdtr = (struct dtable){0x6000, 0x1f};
    c->idtr = (struct dtable){0x5000, 0x1ff};
    set_seg(c, SEG_CS, 8, SEG_P | SEG_S | SEG_CODE | SEG_W | SEG_A | SEG_L | SEG_G);
    for (unsigned seg = 0; seg < 6; seg++) {
        if (seg != SEG_CS) {
            set_seg(c, seg, 16, SEG_P | SEG_S | SEG_W | SEG_A | SEG_DB | SEG_G);
        }
    }
    c->seg[SEG_TR] = (struct seg){.sel = 24, .attr = SEG_P | 11, .limit = 0x67, .base = 0x7000};
    c->cpl = 0;
    mmu_flush(c, true);
    cpu_update_mode(c);
}

struct silicon *silicon_new(const char *model)
{
    struct silicon *s = g_new0(struct silicon, 1);
    struct vm_config config;
    GError *err = NULL;

    s->native =
        map_at(SILICON_STATE, align_up(sizeof *s->native, PAGE_BYTES), PROT_READ | PROT_WRITE);
    if (!s->native || !map_at(SILICON_DATA, SILICON_DATA_BYTES, PROT_READ | PROT_WRITE) ||
        !map_at(SILICON_CODE, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC)) {
        g_free(s);
        return NULL;
    }
    vm_config_init(&config);
    g_free(config.cpu_model);
    config.cpu_model = g_strdup(model);
    s->rig = rig_begin(&config);
    rig_ready(s->rig);
    s->v = s->rig->m->vcpus[0];
    if (!rig_accel(s->rig->m)->vcpu_init(s->v, &err)) {
        g_error("%s", err->message);
    }
    s->c = s->v->cpu;
    build_guest(s);
    init_guest_cpu(s->c);
    vm_config_clear(&config);
    return s;
}

void silicon_free(struct silicon *s)
{
    rig_accel(s->rig->m)->vcpu_fini(s->v);
    rig_free(s->rig);
    munmap((void *)SILICON_STATE, align_up(sizeof *s->native, PAGE_BYTES));
    munmap((void *)(uintptr_t)SILICON_DATA, SILICON_DATA_BYTES);
    munmap((void *)(uintptr_t)SILICON_CODE, PAGE_BYTES);
    g_free(s);
}

/* Signal handlers have no argument for this: where the native run continues after a fault. */
static sigjmp_buf native_fault;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    siglongjmp(native_fault, sig);
}

int silicon_class(int vector)
{
    switch (vector) {
    case EXCP_DE:
    case EXCP_MF:
    case EXCP_XM:
        return 0;
    case EXCP_GP:
    case EXCP_SS:
    case EXCP_PF:
    case EXCP_AC:
        return 13;
    case EXCP_BP:
    case EXCP_DB:
        return 3;
    default:
        return vector;
    }
}

/* The instruction, and behind it and at the taken target a jump to an exit. */
static void place_code(uint8_t *page, const uint8_t *code, unsigned len, const uint8_t jump[2][7])
{
    memcpy(page, code, len);
    memset(page + len, 0xcc, 2 * SILICON_SKIP);
    memcpy(page + len, jump[0], 7);
    memcpy(page + len + SILICON_SKIP, jump[1], 7);
}

void silicon_run_native(struct silicon *s, const uint8_t *code, unsigned len,
                        const struct silicon_state *in, const uint8_t *data,
                        struct silicon_result *out)
{
    static const uint8_t jump[2][7] = {{0xff, 0x24, 0x25, 0x98, 0x00, 0x41, 0x00},
                                       {0xff, 0x24, 0x25, 0xa0, 0x00, 0x41, 0x00}};

    place_code((uint8_t *)(uintptr_t)SILICON_CODE, code, len, jump);
    memcpy((void *)(uintptr_t)SILICON_DATA, data, SILICON_DATA_BYTES);
    *s->native = *in;
    s->native->code = SILICON_CODE;
    s->native->exit_next = (uintptr_t)silicon_exit_next;
    s->native->exit_taken = (uintptr_t)silicon_exit_taken;
    s->native->taken = 0;
    sandbox_begin(on_fault);
    int sig = sigsetjmp(native_fault, 1);
    if (!sig) {
        silicon_enter();
        out->vector = -1;
    } else {
        __asm__ volatile("fninit\n\tcld\n\tvzeroupper");
        uint32_t mxcsr = MXCSR_DEFAULT;
        __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
        out->vector = sandbox_class(sig);
    }
    sandbox_end();
    out->s = *s->native;
    memcpy(out->data, (void *)(uintptr_t)SILICON_DATA, SILICON_DATA_BYTES);
}

static void guest_set(struct silicon *s, const struct silicon_state *in)
{
    struct cpu *c = s->c;

    memcpy(c->r, in->r, sizeof in->r);
    cpu_set_eflags(c, (uint32_t)in->rflags, FLAGS_ARITH | FLAG_DF);
    memcpy(c->fpu.fxsave, in->fx, sizeof in->fx);
    memcpy(c->fpu.ymm, in->ymm, sizeof in->ymm);
    c->fpu.mxcsr = ld_le32(in->fx + 24);
    c->ip = SILICON_CODE;
    c->halted = false;
    c->shutdown = false;
    c->cpl = 0;
    cpu_update_mode(c);
}

void silicon_run_guest(struct silicon *s, const uint8_t *code, unsigned len,
                       const struct silicon_state *in, const uint8_t *data,
                       struct silicon_result *out)
{
    static const uint8_t jump[2][7] = {{0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4},
                                       {0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4}};
    struct cpu *c = s->c;
    uint8_t *ram = s->rig->ram->host;

    c->code_written(c, s->rig->ram, SILICON_CODE, PAGE_BYTES);
    place_code(ram + SILICON_CODE, code, len, jump);
    memcpy(ram + SILICON_DATA, data, SILICON_DATA_BYTES);
    guest_set(s, in);
    enum vcpu_exit exit = rig_accel(s->rig->m)->vcpu_run(s->v);
    out->vector = -1;
    if (exit != VCPU_EXIT_HALT) {
        out->vector = 1000 + (int)exit;
    } else if (c->ip >= 0x500000 && c->ip < 0x500200) {
        out->vector = (int)((c->ip - 0x500000) / 16);
    } else if (c->ip != SILICON_CODE + len + 1 && c->ip != SILICON_CODE + len + SILICON_SKIP + 1) {
        out->vector = 2000;
    }
    memset(&out->s, 0, sizeof out->s);
    memcpy(out->s.r, c->r, sizeof out->s.r);
    out->s.rflags = cpu_get_eflags(c);
    out->s.taken = c->ip == SILICON_CODE + len + SILICON_SKIP + 1;
    memcpy(out->s.fx, c->fpu.fxsave, sizeof out->s.fx);
    st_le32(out->s.fx + 24, c->fpu.mxcsr);
    memcpy(out->s.ymm, c->fpu.ymm, sizeof out->s.ymm);
    memcpy(out->data, ram + SILICON_DATA, SILICON_DATA_BYTES);
}
