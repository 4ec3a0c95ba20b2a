/*
 * Speed of the software engines on small kernels: guest instructions a second, and beside the host
 * itself.
 *
 * The kernels are C functions in a section of their own (guest_text).  They run natively, and as
 * 64-bit guest code on a bare CPU: page tables that map RAM to itself, flat segments, no devices.
 * Best of several interleaved runs.
 *
 * Not modelled: floating point (see the boots and issue 7's suite).
 */
#include "accel/interp.h"
#include "cpu/cpu.h"
#include <stdio.h>
#include <time.h>

#define GUEST                                                                                      \
    __attribute__((section("guest_text"), noinline, used, optimize("O2", "no-tree-vectorize"),     \
                   target("no-sse")))
enum {
    RAM_BYTES = 32 << 20,
    TEXT_AT = 0x400000,
    DATA_AT = 0x800000,
    STACK_AT = 0x700000,
    HALT_AT = 0x300000
};

extern const uint8_t __start_guest_text[], __stop_guest_text[];

GUEST static uint64_t kernel_sieve(uint8_t *p, uint64_t rounds)
{
    uint64_t found = 0;

    for (uint64_t r = 0; r < rounds; r++) {
        for (unsigned n = 0; n < 32768; n++) {
            p[n] = 1;
            __asm__ volatile("" : : : "memory"); /* a store each, no memset */
        }
        for (unsigned n = 2; n < 32768; n++) {
            if (p[n]) {
                found++;
                for (unsigned k = 2 * n; k < 32768; k += n) {
                    p[k] = 0;
                }
            }
        }
    }
    return found;
}

GUEST static uint64_t kernel_alu(uint8_t *p, uint64_t rounds)
{
    uint64_t a = 0x9e3779b97f4a7c15ull, b = 1, c = 2;

    (void)p;
    for (uint64_t r = 0; r < rounds * 4000; r++) {
        a ^= a << 13;
        a ^= a >> 7;
        a ^= a << 17;
        b += a;
        c = (c ^ b) + (a & 0xff);
        b -= c >> 3;
    }
    return a + b + c;
}

GUEST static uint64_t kernel_chase(uint8_t *p, uint64_t rounds)
{
    uint64_t *next = (uint64_t *)p;
    uint64_t at = 0;

    for (uint64_t n = 0; n < 1024; n++) {
        next[n] = (n * 167 + 13) & 1023;
    }
    for (uint64_t r = 0; r < rounds * 8000; r++) {
        at = next[at];
    }
    return at;
}

GUEST static uint64_t fib(uint64_t n)
{
    if (n < 2) {
        return n;
    }
    uint64_t a = fib(n - 1);
    __asm__ volatile("" : "+r"(a)); /* keep the recursion */
    return a + fib(n - 2);
}

GUEST static uint64_t kernel_calls(uint8_t *p, uint64_t rounds)
{
    uint64_t sum = 0;

    (void)p;
    for (uint64_t r = 0; r < rounds; r++) {
        sum += fib(18);
    }
    return sum;
}

GUEST static uint64_t kernel_hash(uint8_t *p, uint64_t rounds)
{
    uint32_t h = 2166136261u;

    for (uint64_t r = 0; r < rounds; r++) {
        for (unsigned n = 0; n < 8192; n++) {
            h = (h ^ p[n]) * 16777619u;
            h = h << 5 | h >> 27;
        }
    }
    return h;
}

GUEST static uint64_t kernel_copy(uint8_t *p, uint64_t rounds)
{
    for (uint64_t r = 0; r < rounds; r++) {
        void *d = p + 65536, *s = p;
        uint64_t n = 65536;

        __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
    }
    return p[65537];
}

GUEST static uint64_t kernel_sort(uint8_t *p, uint64_t rounds)
{
    uint32_t *v = (uint32_t *)p;

    for (uint64_t r = 0; r < rounds; r++) {
        uint32_t x = 12345;

        for (unsigned n = 0; n < 256; n++) {
            x = x * 1664525 + 1013904223;
            v[n] = x;
        }
        for (unsigned n = 1; n < 256; n++) {
            uint32_t key = v[n];
            unsigned k = n;

            while (k && v[k - 1] > key) {
                v[k] = v[k - 1];
                k--;
            }
            v[k] = key;
        }
    }
    return v[128];
}

struct kernel {
    const char *name;
    uint64_t (*fn)(uint8_t *, uint64_t);
    uint64_t rounds;
};

static const struct kernel kernels[] = {
    {"sieve", kernel_sieve, 60}, {"alu", kernel_alu, 200},   {"chase", kernel_chase, 150},
    {"calls", kernel_calls, 60}, {"hash", kernel_hash, 150}, {"sort", kernel_sort, 80},
    {"copy", kernel_copy, 400},
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void set_seg(struct cpu *c, unsigned seg, uint16_t attr)
{
    c->seg[seg] = (struct seg){.sel = 8, .attr = attr, .limit = 0xffffffff};
}

static void prepare(struct cpu *c, uint8_t *ram)
{
    st_le64(ram + 0x1000, 0x2003);
    st_le64(ram + 0x2000, 0x3003);
    for (unsigned n = 0; n < RAM_BYTES / (2 * MiB); n++) {
        st_le64(ram + 0x3000 + n * 8, n * 2 * MiB | 0x83);
    }
    memcpy(ram + TEXT_AT, __start_guest_text, (size_t)(__stop_guest_text - __start_guest_text));
    ram[HALT_AT] = 0xf4;
    c->cr0 = CR0_PE | CR0_ET | CR0_PG;
    c->cr4 = CR4_PAE;
    c->efer = EFER_LME | EFER_LMA;
    c->cr3 = 0x1000;
    for (unsigned seg = 0; seg < 6; seg++) {
        set_seg(c, seg, SEG_P | SEG_S | SEG_W | SEG_A | SEG_DB | SEG_G);
    }
    set_seg(c, SEG_CS, SEG_P | SEG_S | SEG_CODE | SEG_W | SEG_A | SEG_L | SEG_G);
    mmu_flush(c, true);
    cpu_update_mode(c);
}

static uint64_t run_guest(struct vcpu *v, uint8_t *ram, const struct kernel *k)
{
    struct cpu *c = v->cpu;

    c->halted = false;
    c->r[R_RDI] = DATA_AT;
    c->r[R_RSI] = k->rounds;
    c->r[R_RSP] = STACK_AT;
    st_le64(ram + STACK_AT, HALT_AT);
    c->ip = TEXT_AT + (uint64_t)((const uint8_t *)(uintptr_t)k->fn - __start_guest_text);
    if (v->m->accel->vcpu_run(v) != VCPU_EXIT_HALT) {
        printf("%s: the guest did not halt\n", k->name);
    }
    return c->r[R_RAX];
}

static void measure(struct vcpu *v, uint8_t *ram, uint8_t *host, const struct kernel *k)
{
    double best_host = 1e9, best_guest = 1e9;
    uint64_t insns = 0, a = 0, b = 0;

    for (unsigned n = 0; n < 5; n++) {
        double t0 = now();
        a = k->fn(host, k->rounds);
        double t1 = now();
        uint64_t before = ((struct cpu *)v->cpu)->icount;
        b = run_guest(v, ram, k);
        double t2 = now();
        insns = ((struct cpu *)v->cpu)->icount - before;
        best_host = MIN(best_host, t1 - t0);
        best_guest = MIN(best_guest, t2 - t1);
    }
    /* A repeated string instruction is one instruction, however long it takes. */
    g_autofree char *mips =
        insns < 1000000 ? g_strdup("-") : g_strdup_printf("%.0f", (double)insns / best_guest / 1e6);
    printf("%-8s %10.1f %12s %10.2f %10.1f%s\n", k->name, (double)insns / 1e6, mips,
           best_guest * 1e3, best_guest / best_host, a == b ? "" : "   WRONG RESULT");
}

static bool build_nothing(struct machine *m, GError **err)
{
    (void)m;
    (void)err;
    return true;
}

/* False: it could not be done. */
static bool run_engine(const struct accel_ops *accel, uint8_t *host)
{
    static const struct board none = {.name = "none", .build = build_nothing};
    struct vm_config config;
    struct region region;
    GError *err = NULL;

    vm_config_init(&config);
    struct machine *m = machine_new(&config, accel);
    vm_config_clear(&config);
    machine_lock(m);
    struct ram *ram = ram_new(m, "ram", RAM_BYTES, &err);
    machine_unlock(m);
    if (!ram || !machine_build(m, &none, &err)) {
        printf("bench_mips: %s: %s\n", accel->name, err->message);
        g_error_free(err);
        machine_free(m);
        return false;
    }
    machine_lock(m);
    region_init_ram(&region, "ram", ram, 0, RAM_BYTES);
    region_add(m, &region, 0, 0);
    machine_unlock(m);
    struct vcpu *v = m->vcpus[0];
    vcpu_clear(v, ~0u);
    prepare(v->cpu, ram->host);
    printf("%s, 64-bit integer kernels\n", accel->name);
    printf("%-8s %10s %12s %10s %10s\n", "kernel", "Minsns", "MIPS", "ms", "x native");
    for (size_t n = 0; n < ARRAY_LEN(kernels); n++) {
        measure(v, ram->host, host, &kernels[n]);
    }
    machine_free(m);
    return true;
}

int main(void)
{
    uint8_t *host = g_malloc0(1 << 20);
    bool good = run_engine(&accel_interp, host) && run_engine(&accel_jit, host);

    g_free(host);
    return !good;
}
