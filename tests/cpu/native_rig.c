/*
 * See native_rig.h.
 *
 * Not modelled: operands that cross pages or lie in device memory (test_fpu.c and the silicon test
 * have some).
 */
#define _GNU_SOURCE
#include "tests/cpu/native_rig.h"
#include "accel/interp.h"
#include "accel/jit/jit_int.h"
#include <cpuid.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { CODE_AT = 0x1000, CODE_BYTES = 4096, NO_VECTOR = 0xff, NOT_DECODED = 0xfe };
#define RIG_PAGE 0x20000000ull

uint64_t rig_random(struct native_rig *t)
{
    t->rng += 0x9e3779b97f4a7c15ull;
    uint64_t z = t->rng;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static unsigned pick(struct native_rig *t, unsigned n)
{
    return rig_random(t) % n;
}

/* ---- set-up ---- */

/* The page is guest RAM at its own address. */
static void add_page(struct native_rig *t)
{
    struct machine *m = t->rig->m;

    t->page = mmap((void *)(uintptr_t)RIG_PAGE, RIG_MEM, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    t->ram = (struct ram){
        .name = "rig", .host = t->page, .size = RIG_MEM, .page_flags = t->page_flags, .m = m};
    region_init_ram(&t->region, "rig", &t->ram, 0, RIG_MEM);
    region_add(m, &t->region, RIG_PAGE, 0);
}

static void set_state(struct native_rig *t)
{
    struct cpu *c = t->c;

    c->cr0 = CR0_PE | CR0_NE | CR0_ET;
    c->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    c->phys_mask = c->a20_mask = ~0ull;
    c->seg[SEG_CS] =
        (struct seg){.sel = 0x33, .attr = SEG_P | SEG_S | SEG_CODE | SEG_L, .limit = ~0u};
    c->seg[SEG_DS] = (struct seg){.sel = 0x2b, .attr = SEG_P | SEG_S | SEG_W, .limit = ~0u};
    c->seg[SEG_SS] = c->seg[SEG_ES] = c->seg[SEG_DS];
    c->fpu.xcr0 = t->have_avx ? 7 : 3;
}

static struct cpu *make_cpu(struct native_rig *t)
{
    struct vcpu *v = t->rig->m->vcpus[0];

    if (!t->has_jit) {
        return cpu_new(v, "x86-64-v3", NULL);
    }
    return accel_jit.vcpu_init(v, NULL) ? v->cpu : NULL;
}

static struct rig *begin(void)
{
    struct vm_config config;

    vm_config_init(&config);
    g_free(config.cpu_model);
    config.cpu_model = g_strdup("x86-64-v3,+aes,+pclmulqdq,+sha_ni");
    struct rig *r = rig_begin(&config);
    vm_config_clear(&config);
    return r;
}

static bool init(struct native_rig *t, bool has_jit)
{
    unsigned a, b = 0, cc = 0, d;

    *t = (struct native_rig){.rng = 1, .rig = begin(), .has_jit = has_jit, .at = -1};
    add_page(t);
    rig_ready(t->rig);
    machine_unlock(t->rig->m); /* as on a vCPU's thread */
    struct cpu *c = t->c = make_cpu(t);
    if (!c || t->page == MAP_FAILED) {
        return false;
    }
    t->code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    t->bytes = g_aligned_alloc0(1, CODE_BYTES, CODE_BYTES);
    for (unsigned f = 1; f < FEAT_COUNT; f++) {
        if (native_host_has(f) && !has_jit) { /* (the translator knows the decoder it has) */
            c->feat[f / 64] |= BIT64(f % 64);
        }
    }
    if (!has_jit) {
        decoder_free((struct decoder *)c->decoder);
        c->decoder = decoder_new(c);
    }
    t->have_avx = cpu_has(c, FEAT_AVX);
    t->have_sha = __get_cpuid_count(7, 0, &a, &b, &cc, &d) && b & BIT(29);
    set_state(t);
    return true;
}

bool native_rig_init(struct native_rig *t)
{
    return init(t, false);
}

bool native_rig_init_jit(struct native_rig *t)
{
    return init(t, true);
}

/* Tables at 0x1000 in the rig's RAM. */
void native_rig_paged(struct native_rig *t)
{
    uint8_t *ram = t->rig->ram->host;
    struct cpu *c = t->c;

    st_le64(ram + 0x1000, 0x2000 | 7);
    st_le64(ram + 0x2000, 0x3000 | 7);
    st_le64(ram + 0x3000 + RIG_PAGE / (2 * MiB) * 8, 0x4000 | 7);
    t->ptes = (uint64_t *)(void *)(ram + 0x4000);
    t->ptes[0] = RIG_PAGE | 7;
    t->ptes[1] = (RIG_PAGE + PAGE_BYTES) | 7;
    c->cr3 = 0x1000;
    c->cr4 |= CR4_PAE;
    c->efer = EFER_LME | EFER_LMA;
    c->cr0 |= CR0_PG | CR0_WP;
    mmu_flush(c, true);
}

void native_rig_free(struct native_rig *t)
{
    if (t->has_jit) {
        accel_jit.vcpu_fini(t->rig->m->vcpus[0]);
    }
    machine_lock(t->rig->m);
    if (!t->has_jit) {
        cpu_free(t->c);
    }
    region_remove(t->rig->m, &t->region);
    rig_free(t->rig);
    munmap(t->page, RIG_MEM);
    munmap(t->code, CODE_BYTES);
    g_aligned_free(t->bytes);
}

/* ---- values ---- */

static uint64_t random_int(struct native_rig *t)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     ~0ull,
                                     0x7f,
                                     0x80,
                                     0x7fff,
                                     0x8000,
                                     0x7fffffff,
                                     0x80000000,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     0x0102030405060708,
                                     0xff00ff00ff00ff00};

    return pick(t, 4) ? rig_random(t) : edges[pick(t, ARRAY_LEN(edges))];
}

static uint32_t random_f32(struct native_rig *t)
{
    static const uint32_t edges[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000,
                                     0xff800000, 0x7fc00000, 0x7f800001, 0xffbfffff, 1,
                                     0x807fffff, 0x00800000, 0x7f7fffff, 0x3f000000, 0x4b000001,
                                     0xcf000000, 0x4f000000, 0x00400000, 0x1f800000};

    switch (pick(t, 4)) {
    case 0:
        return edges[pick(t, ARRAY_LEN(edges))];
    case 1:
        return (uint32_t)rig_random(t);
    default:
        return ((uint32_t)rig_random(t) & 0x807fffff) | (118 + pick(t, 20)) << 23;
    }
}

static uint64_t random_f64(struct native_rig *t)
{
    static const uint64_t edges[] = {0,
                                     0x8000000000000000,
                                     0x3ff0000000000000,
                                     0xbff0000000000000,
                                     0x7ff0000000000000,
                                     0xfff0000000000000,
                                     0x7ff8000000000000,
                                     0x7ff0000000000001,
                                     1,
                                     0x800fffffffffffff,
                                     0x0010000000000000,
                                     0x7fefffffffffffff,
                                     0x3fe0000000000000,
                                     0x41e0000000000000,
                                     0xc1e0000000000000,
                                     0x43e0000000000000,
                                     0x36a0000000000000,
                                     0x380fffffffffffff,
                                     0x1ff0000000000000};

    switch (pick(t, 4)) {
    case 0:
        return edges[pick(t, ARRAY_LEN(edges))];
    case 1:
        return rig_random(t);
    default:
        return (rig_random(t) & 0x800fffffffffffff) | (uint64_t)(1013 + pick(t, 20)) << 52;
    }
}

static void random_f80(struct native_rig *t, uint8_t *p)
{
    static const uint16_t exps[] = {0,      1,      0x3ffe, 0x3fff, 0x4000, 0x7ffe,
                                    0x7fff, 0x403e, 0x403d, 0x3fbf, 0x1fff, 0x43fe,
                                    0x407e, 0x3c01, 0x3f81, 0x5fff, 0x2000};
    static const uint64_t fracs[] = {0, 0x8000000000000000, 0xc000000000000000, 0xffffffffffffffff,
                                     1, 0x8000000000000001, 0x7fffffffffffffff, 0xa000000000000000};
    unsigned how = pick(t, 4);

    st_le64(p, how == 0 ? fracs[pick(t, ARRAY_LEN(fracs))]
                        : rig_random(t) | (how == 1 ? 0 : BIT64(63)));
    st_le16(p + 8, (how < 2 ? exps[pick(t, ARRAY_LEN(exps))] : 0x3fff - 10 + pick(t, 40)) |
                       pick(t, 2) << 15);
    memset(p + 10, 0, 6);
}

static void fill_bytes(struct native_rig *t, uint8_t *p, unsigned len, unsigned floats)
{
    unsigned step = floats == 4 ? 4 : 8;

    for (unsigned k = 0; k + 8 <= len; k += step) {
        if (floats == 4) {
            st_le32(p + k, random_f32(t));
            st_le32(p + k + 4, random_f32(t));
        } else {
            st_le64(p + k, floats == 8 ? random_f64(t) : random_int(t));
        }
    }
}

void rig_fill(struct native_rig *t, struct rig_state *s, unsigned floats)
{
    memset(s, 0, sizeof *s);
    for (unsigned k = 0; k < 16; k++) {
        s->r[k] = random_int(t);
    }
    s->flags = FLAG_1 | (rig_random(t) & FLAGS_ARITH);
    s->mxcsr = MXCSR_MASKS | (rig_random(t) & 0xe07f & (pick(t, 4) ? 0x607f : 0xe07f) &
                              ~(pick(t, 4) ? 0x40u : 0));
    fill_bytes(t, s->ymm[0], sizeof s->ymm, floats);
    fill_bytes(t, s->mem, 256, floats);
    st_le16(s->fx, 0x7f | (rig_random(t) & 0xf00));
    st_le16(s->fx + 2, rig_random(t) & 0x7f7f);
    s->fx[4] = pick(t, 3) ? 0xff : rig_random(t);
    st_le32(s->fx + 28, MXCSR_VALID);
    for (unsigned k = 0; k < 8; k++) {
        random_f80(t, s->fx + 32 + k * 16);
    }
    if (floats == 10) {
        for (unsigned k = 0; k < 4; k++) {
            random_f80(t, s->mem + k * 16);
        }
        if (!pick(t, 3)) { /* packed decimal */
            for (unsigned k = 0; k < 9; k++) {
                s->mem[k] = pick(t, 10) | pick(t, 10) << 4;
            }
            s->mem[9] = pick(t, 2) << 7;
        } else if (pick(t, 2)) {
            st_le64(s->mem, pick(t, 2) ? random_f64(t) : random_f32(t));
        }
    }
}

/* ---- encoding ---- */

struct shape {
    unsigned reg, rm, v, l, w, mod;
    bool mem, indexed;
    int imm;
    uint8_t *rip_disp; /* displacement of a RIP-relative operand, or NULL */
};

static void choose_shape(struct native_rig *t, const struct op_row *row, struct shape *f)
{
    struct native_desc d;
    bool vex = row->map >= MAP_VEX_0F;

    unsigned regs = t->mode == RIG_64 ? 16 : 8;
    *f = (struct shape){.reg = pick(t, regs), .rm = pick(t, regs), .v = pick(t, regs), .imm = -1};
    f->l = vex ? (row->vex_l == 2 ? pick(t, 2) : row->vex_l) : 0;
    f->w = row->size == SZ_Y ? pick(t, 2) && t->mode == RIG_64
           : vex             ? (row->vex_w == 2 ? pick(t, 2) : row->vex_w)
                             : 0;
    native_describe(row, f->l, f->w ? 3 : 2, &d);
    bool can_mem = row->mod != MOD_REG && (d.mem_bytes || row->aux & (NAT_GATHER | NAT_CONTROL));
    f->mem = row->mod == MOD_MEM || (can_mem && pick(t, 2));
    f->indexed = pick(t, 2);
    if (row->enc & ENC_IB) {
        f->imm = rig_random(t) & (row->aux & NAT_IS4 && t->mode != RIG_64 ? 0x7f : 0xff);
    }
    if (d.reg == NK_M || row->map == MAP_1) {
        f->reg &= 7;
    }
    if (d.rm == NK_M || row->map == MAP_1) {
        f->rm &= 7;
    }
    if (d.reg == NK_G && (f->reg == R_RSP || f->reg == R_RBX || f->reg == R_RDI)) {
        f->reg = R_RAX;
    }
    if (d.rm == NK_G && (f->rm == R_RSP || f->rm == R_RBX || f->rm == R_RDI)) {
        f->rm = R_RBP;
    }
    if (row->ext >= 0) {
        f->reg = row->ext;
    }
    if (row->rm >= 0) {
        f->rm = row->rm;
    }
    if (!d.v_access) {
        f->v = 0;
    }
}

/* Memory operand [rbx + disp8] or [rbx + rcx * 4 + disp8]; gathers: vector index 15. */
static uint8_t *put_memory(struct native_rig *t, const struct op_row *row, struct shape *f,
                           struct rig_state *s, uint8_t *p)
{
    struct native_desc d;
    unsigned reg = (f->reg & 7) << 3;

    native_describe(row, f->l, f->w ? 3 : 2, &d);
    unsigned align = row->aux & NAT_CONTROL ? 64 : d.aligned ? d.mem_bytes : 1;
    unsigned at = t->at >= 0 ? (unsigned)t->at : align > 1 ? 0 : pick(t, 32);
    int8_t disp = (int8_t)(rig_random(t) & 0x7c);
    if (t->sequence) {
        disp = (int8_t)(rig_random(t) & ~(align - 1) & 0x7f);
        at = 512 + (unsigned)disp;
    }
    s->r[R_RBX] = (uintptr_t)t->page + at - disp;
    if (row->aux & NAT_GATHER) {
        for (unsigned k = 0; k < 32; k += 4) { /* byte offsets 0..124, as words or as long words */
            st_le32(s->ymm[15] + k,
                    row->op & 1 ? (k & 4 ? 0 : rig_random(t) & 0x7c) : rig_random(t) & 0x7c);
        }
        if (pick(t, 2)) {
            memset(s->ymm[f->v], 0xff, 32);
        }
        *p++ = 0x44 | reg;
        *p++ = 0x3b; /* index 7 (15 with VEX.X), base rbx */
    } else if (t->rip) {
        *p++ = 0x05 | reg;
        f->rip_disp = p;
        st_le32(p, (uint32_t)(uintptr_t)t->page + at);
        return p + 4;
    } else if (f->indexed && d.reg != NK_G && !t->sequence) {
        s->r[R_RCX] = pick(t, 4);
        s->r[R_RBX] -= s->r[R_RCX] * 4;
        *p++ = 0x44 | reg;
        *p++ = 0x8b;
    } else {
        *p++ = 0x43 | reg;
    }
    *p++ = disp;
    return p;
}

unsigned rig_encode(struct native_rig *t, const struct op_row *row, struct rig_state *s,
                    uint8_t *code)
{
    static const uint8_t legacy[] = {[PFX_66] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2};
    static const uint8_t pp[] = {[PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3};
    struct shape f;
    uint8_t *p = code;

    if ((row->isa == FEAT_SHA && !t->have_sha) || (row->aux & NAT_GATHER && t->mode != RIG_64)) {
        return 0;
    }
    choose_shape(t, row, &f);
    if (row->aux & NAT_GATHER) {
        f.reg = 1 + pick(t, 6);
        f.v = 8 + pick(t, 6); /* 64-bit code only */
    }
    if (row->aux & NAT_IMPLICIT) {
        s->r[R_RDI] = (uintptr_t)t->page + pick(t, 32);
    }
    unsigned rex = (f.reg & 8) >> 1 | (f.mem ? 0 : (f.rm & 8) >> 3);
    if (row->map >= MAP_VEX_0F) {
        *p++ = 0xc4;
        *p++ = ((~rex & 4) << 5) | (row->aux & NAT_GATHER ? 0 : 0x40) | (~rex & 1) << 5 |
               (row->map - MAP_VEX_0F + 1);
        *p++ = f.w << 7 | (~f.v & 15) << 3 | f.l << 2 | (row->pfx >= PFX_66 ? pp[row->pfx] : 0);
    } else {
        if (row->pfx >= PFX_66) {
            *p++ = legacy[row->pfx];
        }
        rex |= f.w << 3;
        if (rex) {
            *p++ = 0x40 | rex;
        }
        if (row->map != MAP_1) {
            *p++ = 0x0f;
        }
        if (row->map == MAP_0F38 || row->map == MAP_0F3A) {
            *p++ = row->map == MAP_0F38 ? 0x38 : 0x3a;
        }
    }
    *p++ = row->op;
    if (row->enc & ENC_MODRM) {
        if (f.mem) {
            p = put_memory(t, row, &f, s, p);
        } else {
            *p++ = 0xc0 | (f.reg & 7) << 3 | (f.rm & 7);
        }
    }
    if (f.imm >= 0) {
        *p++ = f.imm;
    }
    if (f.rip_disp) {
        st_le32(f.rip_disp, ld_le32(f.rip_disp) - CODE_AT - (uint32_t)(p - code));
    }
    return p - code;
}

/* ---- running on the host ---- */

/* A signal handler has no argument; tests only. */
static sigjmp_buf fault_jmp;
static uint32_t fault_mxcsr;
static struct native_rig *volatile fault_armed;

static void on_sigfpe(int sig, siginfo_t *info, void *ctx)
{
    const ucontext_t *u = ctx;

    (void)sig;
    (void)info;
    if (!fault_armed) {
        abort();
    }
    fault_mxcsr = u->uc_mcontext.fpregs->mxcsr;
    siglongjmp(fault_jmp, 1);
}

static uint8_t *emit(uint8_t *p, const char *bytes, unsigned n)
{
    memcpy(p, bytes, n);
    return p + n;
}

static uint8_t *emit_disp(uint8_t *p, const char *bytes, unsigned n, uint32_t disp)
{
    p = emit(p, bytes, n);
    st_le32(p, disp);
    return p + 4;
}

/* vmovups or movups ymm/xmm n <-> [rdi + disp] */
static uint8_t *emit_vector(const struct native_rig *t, uint8_t *p, bool store, unsigned n)
{
    uint32_t disp = offsetof(struct rig_state, ymm) + n * 32;

    if (t->have_avx) {
        *p++ = 0xc4;
        *p++ = (n < 8 ? 0x80 : 0) | 0x61;
        *p++ = 0x7c;
    } else {
        if (n >= 8) {
            *p++ = 0x44;
        }
        *p++ = 0x0f;
    }
    *p++ = store ? 0x11 : 0x10;
    *p++ = 0x87 | (n & 7) << 3;
    st_le32(p, disp);
    return p + 4;
}

static uint8_t *emit_gpr(uint8_t *p, bool store, unsigned n)
{
    *p++ = 0x48 | n >> 3 << 2;
    *p++ = store ? 0x89 : 0x8b;
    *p++ = 0x87 | (n & 7) << 3;
    st_le32(p, offsetof(struct rig_state, r) + n * 8);
    return p + 4;
}

/* Function(state in rdi): everything from the state, the instruction, everything back. */
static void build_runner(struct native_rig *t, const uint8_t *code, unsigned len)
{
    uint8_t *p = emit(t->code, "\x53\x55\x41\x54\x41\x55\x41\x56\x41\x57\x57",
                      11); /* push rbx rbp r12-r15 rdi */

    p = emit_disp(p, "\x48\x0f\xae\x8f", 4, offsetof(struct rig_state, fx)); /* fxrstor64 */
    for (unsigned n = 0; n < 16; n++) {
        p = emit_vector(t, p, false, n);
    }
    p = emit_disp(p, "\xff\xb7", 2, offsetof(struct rig_state, flags)); /* push; popfq */
    *p++ = 0x9d;
    p = emit_disp(p, "\x0f\xae\x97", 3, offsetof(struct rig_state, mxcsr)); /* ldmxcsr */
    for (unsigned n = 0; n < 16; n++) {
        if (n != R_RSP && n != R_RDI) {
            p = emit_gpr(p, false, n);
        }
    }
    p = emit_gpr(p, false, R_RDI);
    p = emit(p, (const char *)code, len);
    p = emit(p, "\x48\x87\x3c\x24", 4); /* xchg [rsp], rdi */
    for (unsigned n = 0; n < 16; n++) {
        if (n != R_RSP && n != R_RDI) {
            p = emit_gpr(p, true, n);
        }
    }
    p = emit_disp(p, "\x9c\x8f\x87", 3, offsetof(struct rig_state, flags)); /* pushfq; pop */
    *p++ = 0x58; /* pop rax: the guest's rdi */
    p = emit_disp(p, "\x48\x89\x87", 3, offsetof(struct rig_state, r) + R_RDI * 8);
    p = emit_disp(p, "\x0f\xae\x9f", 3, offsetof(struct rig_state, mxcsr)); /* stmxcsr */
    for (unsigned n = 0; n < 16; n++) {
        p = emit_vector(t, p, true, n);
    }
    p = emit_disp(p, "\x48\x0f\xae\x87", 4, offsetof(struct rig_state, fx)); /* fxsave64 */
    p = emit(p, "\xdb\xe3", 2);                                              /* fninit */
    if (t->have_avx) {
        p = emit(p, "\xc5\xf8\x77", 3);
    }
    emit(p, "\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5d\x5b\xc3", 11);
}

unsigned rig_run_host(struct native_rig *t, struct rig_state *s, const uint8_t *code, unsigned len)
{
    struct sigaction sa = {.sa_sigaction = on_sigfpe, .sa_flags = SA_SIGINFO | SA_NODEFER}, old;
    uint32_t normal = MXCSR_DEFAULT;
    volatile unsigned vector = NO_VECTOR;

    build_runner(t, code, len);
    memcpy(t->page, s->mem, RIG_MEM);
    sigaction(SIGFPE, &sa, &old);
    fault_armed = t;
    if (sigsetjmp(fault_jmp, 1) == 0) {
        st_le32(s->fx + 24, MXCSR_DEFAULT);
        ((void (*)(struct rig_state *))(uintptr_t)t->code)(s);
    } else { /* nothing but the flags in MXCSR has changed */
        vector = EXCP_XM;
        s->mxcsr = fault_mxcsr;
        asm volatile("fninit");
    }
    asm volatile("ldmxcsr %0" : : "m"(normal));
    fault_armed = NULL;
    sigaction(SIGFPE, &old, NULL);
    memcpy(s->mem, t->page, RIG_MEM);
    return vector;
}

/* ---- running as the guest ---- */

static void stop(struct cpu *c, const struct insn *i)
{
    c->ip = c->r[R_BASE] + i->ofs;
}

static uint16_t fl_of(uint64_t flags)
{
    return (flags & 0xd5) << 8 | FL_1 | (flags & FLAG_OF ? FL_OF : 0);
}

static uint64_t flags_of(uint16_t fl)
{
    return (fl >> 8 & 0xd5) | FLAG_1 | (fl & FL_OF ? FLAG_OF : 0);
}

static void free_block(struct code_block *k)
{
    g_free(k->body);
    g_free(k);
}

/* All of `code` as one block; NULL: it does not decode. */
static struct code_block *make_block(struct native_rig *t, const uint8_t *code, unsigned len)
{
    struct code_block *k = g_new0(struct code_block, 1);
    struct decode d;
    bool end;

    memcpy(t->bytes, code, len);
    k->host = t->bytes;
    k->mode = t->c->mode;
    k->body = g_malloc0(sizeof *k->body + (BLOCK_MAX + 1) * sizeof(struct insn));
    k->body->k = k;
    for (; k->bytes < len; k->n++) {
        struct insn *i = &k->body->insn[k->n];

        i->ofs = k->bytes;
        i->n = k->n + 1;
        if (k->n == BLOCK_MAX ||
            cpu_decode(t->c, code + k->bytes, len - k->bytes, i, &end, &d) != DECODE_OK) {
            free_block(k);
            return NULL;
        }
        k->bytes += d.len;
    }
    k->body->first_fn = k->body->insn[0].fn;
    k->body->insn[k->n] =
        (struct insn){.fn = stop, .ofs = k->bytes, .base = R_ZERO, .index = R_ZERO};
    return k;
}

/* The code is left at its end, because the engine is told to go slowly. */
static void run_jit(struct native_rig *t, struct code_block *k)
{
    struct jit *j = jit_of(t->c);

    j->blocks = k; /* the only one, and none of the engine's */
    const void *code = jit_get(j, k, t->c->r[R_BASE]);

    if (!code) {
        abort();
    }
    t->c->slow = true;
    jit_enter(j, code);
}

unsigned rig_step_guest(struct native_rig *t, const uint8_t *code, unsigned len)
{
    struct cpu *c = t->c;
    struct code_block *volatile k = make_block(t, code, len);
    volatile unsigned vector = NO_VECTOR;

    if (!k) {
        return NOT_DECODED;
    }
    fpu_enter(c);
    if (setjmp(c->jmp) == 0) {
        c->cur = NULL;
        if (t->jit) {
            run_jit(t, k);
        } else {
            k->body->insn[0].fn(c, k->body->insn);
        }
    } else {
        jit_settle(c);
        vector = c->excp.vector;
        c->ip = c->r[R_BASE] + c->cur->ofs;
    }
    fpu_leave(c);
    if (t->jit) {
        jit_flush(jit_of(c));
    }
    free_block(k);
    return vector;
}

static void put_state(struct native_rig *t, const struct rig_state *s)
{
    struct cpu *c = t->c;

    memcpy(t->page, s->mem, RIG_MEM);
    memcpy(c->r, s->r, sizeof s->r);
    c->r[R_BASE] = CODE_AT;
    c->fl = fl_of(s->flags);
    memcpy(c->fpu.ymm, s->ymm, sizeof s->ymm);
    memcpy(c->fpu.fxsave, s->fx, sizeof s->fx);
    c->fpu.fop = ld_le16(s->fx + 6);
    c->fpu.fip = ld_le64(s->fx + 8);
    c->fpu.fdp = ld_le64(s->fx + 16);
    c->fpu.fcs = c->fpu.fds = 0;
    c->fpu.mxcsr = s->mxcsr;
    c->fpu.xcr0 = t->have_avx ? 7 : 3;
    c->cr2 = c->excp.error = 0;
    c->mode = MODE_PE | MODE_CS_FLAT | MODE_STACK32 | (fpu_x87_unmasked(c) ? MODE_FPU_CHECK : 0) |
              (fpu_sse_unmasked(c) ? MODE_SSE_CHECK : 0) |
              (t->mode == RIG_64 ? MODE_CODE64 : MODE_CODE32) |
              (t->mode == RIG_32_SEGMENTED ? 0 : MODE_FLAT);
}

static void get_state(struct native_rig *t, struct rig_state *s)
{
    struct cpu *c = t->c;

    memcpy(s->r, c->r, sizeof s->r);
    s->flags = flags_of(c->fl);
    memcpy(s->ymm, c->fpu.ymm, sizeof s->ymm);
    memcpy(s->fx, c->fpu.fxsave, sizeof s->fx);
    st_le16(s->fx + 2, fpu_fsw(c));
    s->mxcsr = c->fpu.mxcsr;
    memcpy(s->mem, t->page, RIG_MEM);
    s->ip = c->ip;
    s->error = c->excp.error;
    s->cr2 = c->cr2;
    s->fop = c->fpu.fop;
    s->fcs = c->fpu.fcs;
    s->fds = c->fpu.fds;
    s->fip = c->fpu.fip;
    s->fdp = c->fpu.fdp;
}

unsigned rig_run_guest(struct native_rig *t, struct rig_state *s, const uint8_t *code, unsigned len)
{
    struct cpu *c = t->c;
    uint32_t base = t->mode == RIG_32_SEGMENTED ? 0x12340000 : 0;

    put_state(t, s);
    c->seg[SEG_DS].base = base;
    c->span[SEG_DS][0] = c->span[SEG_DS][1] = t->mode == RIG_32_SEGMENTED ? UINT64_MAX : 0;
    c->r[R_RBX] -= base;
    c->r[R_RDI] -= base;
    unsigned vector = rig_step_guest(t, code, len);
    c->r[R_RBX] += base;
    c->r[R_RDI] += base;
    get_state(t, s);
    return vector;
}

/* ---- comparing ---- */

static char *hex_difference(const char *what, unsigned n, const uint8_t *host, const uint8_t *guest,
                            unsigned len)
{
    GString *out = g_string_new(NULL);

    g_string_printf(out, "%s%u: host ", what, n);
    for (unsigned k = len; k-- > 0;) {
        g_string_append_printf(out, "%02x", host[k]);
    }
    g_string_append(out, " guest ");
    for (unsigned k = len; k-- > 0;) {
        g_string_append_printf(out, "%02x", guest[k]);
    }
    return g_string_free(out, FALSE);
}

char *rig_compare(const struct rig_state *host, const struct rig_state *guest, uint64_t flags_mask)
{
    for (unsigned k = 0; k < 16; k++) {
        if (k != R_RSP && host->r[k] != guest->r[k]) {
            return g_strdup_printf("r%u: host %#" PRIx64 " guest %#" PRIx64, k, host->r[k],
                                   guest->r[k]);
        }
    }
    for (unsigned k = 0; k < 16; k++) {
        if (memcmp(host->ymm[k], guest->ymm[k], 32)) {
            return hex_difference("ymm", k, host->ymm[k], guest->ymm[k], 32);
        }
    }
    if ((host->flags ^ guest->flags) & flags_mask) {
        return g_strdup_printf("flags: host %#" PRIx64 " guest %#" PRIx64, host->flags,
                               guest->flags);
    }
    if (host->mxcsr != guest->mxcsr) {
        return g_strdup_printf("mxcsr: host %#x guest %#x", host->mxcsr, guest->mxcsr);
    }
    if (memcmp(host->fx, guest->fx, 5)) {
        return hex_difference("x87 control/status/tags", 0, host->fx, guest->fx, 5);
    }
    for (unsigned k = 0; k < 8; k++) {
        if (memcmp(host->fx + 32 + k * 16, guest->fx + 32 + k * 16, 10)) {
            return hex_difference("st", k, host->fx + 32 + k * 16, guest->fx + 32 + k * 16, 10);
        }
    }
    for (unsigned k = 0; k < RIG_MEM; k += 16) {
        if (memcmp(host->mem + k, guest->mem + k, 16)) {
            return hex_difference("memory +", k, host->mem + k, guest->mem + k, 16);
        }
    }
    return NULL;
}
