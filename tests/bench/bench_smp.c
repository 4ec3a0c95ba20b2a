/*
 * How several processors scale under each software engine: the same integer work on each of one,
 * two and four, with memory of its own, and with one shared counter that all of them add to by a
 * locked instruction.
 *
 * The ratio is work by time beside one processor; no more than the host's processors can be had,
 * and less when others use them.  The cost is host CPU time by work beside one processor: 1 when
 * they do not disturb each other.  Best of several interleaved runs.
 *
 * Not modelled: interrupts and operating systems (see the boots).
 */
#include "accel/interp.h"
#include "cpu/cpu.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    RAM_BYTES = 16 << 20,
    TABLES_AT = 0x1000,
    CODE_AT = 0x100000,
    DONE_AT = 0x200000,
    SHARED_AT = 0x200040,
    DATA_AT = 0x400000, /* 64 KiB a processor */
    RUNS = 3,
};

/* RDI: private memory, RSI: rounds. */
extern const uint8_t alu_begin[], alu_end[], shared_begin[], shared_end[];
__asm__(".pushsection .rodata\n"
        "alu_begin: mov $1, %eax\n"
        "1: mov %eax, %ecx\n shl $13, %ecx\n xor %ecx, %eax\n mov %eax, %ecx\n shr $17, %ecx\n"
        "xor %ecx, %eax\n movzwl %ax, %ecx\n add %eax, (%rdi,%rcx)\n mov 8(%rdi), %edx\n"
        "add %edx, %ebx\n dec %rsi\n jnz 1b\n"
        "lock incl 0x200000\n cli\n hlt\nalu_end:\n"
        "shared_begin: lock incl 0x200040\n add $3, %eax\n xor %eax, %edx\n add %edx, (%rdi)\n"
        "dec %rsi\n jnz shared_begin\n lock incl 0x200000\n cli\n hlt\nshared_end:\n"
        ".popsection\n");

static double now(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool build_nothing(struct machine *m, GError **err)
{
    (void)m;
    (void)err;
    return true;
}

static void prepare(struct vcpu *v, uint64_t rounds)
{
    struct cpu *c = v->cpu;

    c->cr3 = TABLES_AT;
    c->cr4 = CR4_PAE;
    c->efer = EFER_LME | EFER_LMA;
    c->cr0 = CR0_PE | (uint64_t)CR0_PG | CR0_ET;
    c->seg[SEG_CS] = (struct seg){
        .sel = 8, .attr = SEG_P | SEG_S | SEG_CODE | SEG_W | SEG_A | SEG_L, .limit = 0xffffffff};
    mmu_flush(c, true);
    cpu_update_mode(c);
    c->r[R_RDI] = DATA_AT + 0x20000ull * v->id;
    c->r[R_RSI] = rounds;
    c->ip = CODE_AT;
    v->wait_sipi = false;
}

struct result {
    double time, cpu; /* seconds */
};

/* What `cpus` processors take for `rounds` each; zeros: no machine. */
static struct result run(const struct accel_ops *accel, unsigned cpus, uint64_t rounds,
                         const uint8_t *begin, const uint8_t *end)
{
    static const struct board none = {.name = "none", .build = build_nothing};
    struct vm_config config;
    struct region region;
    GError *err = NULL;

    vm_config_init(&config);
    config.cpus = cpus;
    struct machine *m = machine_new(&config, accel);
    vm_config_clear(&config);
    machine_lock(m);
    struct ram *ram = ram_new(m, "ram", RAM_BYTES, &err);
    if (ram) {
        region_init_ram(&region, "ram", ram, 0, RAM_BYTES);
        region_add(m, &region, 0, 0);
    }
    machine_unlock(m);
    struct result r = {0};
    if (ram && machine_build(m, &none, &err)) {
        st_le64(ram->host + TABLES_AT, (TABLES_AT + 0x1000) | 7);
        st_le64(ram->host + TABLES_AT + 0x1000, 0x87); /* 1 GiB */
        memcpy(ram->host + CODE_AT, begin, (size_t)(end - begin));
        for (unsigned i = 0; i < cpus; i++) {
            prepare(m->vcpus[i], rounds);
        }
        const uint32_t *done = (const uint32_t *)(const void *)(ram->host + DONE_AT);
        r = (struct result){now(CLOCK_MONOTONIC), now(CLOCK_PROCESS_CPUTIME_ID)};
        if (machine_run(m, &err)) {
            while (__atomic_load_n(done, __ATOMIC_ACQUIRE) < cpus) {
                g_usleep(1000);
            }
        }
        r.time = now(CLOCK_MONOTONIC) - r.time;
        r.cpu = now(CLOCK_PROCESS_CPUTIME_ID) - r.cpu;
    }
    if (err) {
        printf("bench_smp: %s\n", err->message);
        g_error_free(err);
    }
    machine_free(m);
    return r;
}

static void measure(const struct accel_ops *accel, const char *name, uint64_t rounds,
                    const uint8_t *begin, const uint8_t *end)
{
    static const unsigned counts[] = {1, 2, 4};
    struct result best[3] = {{1e9, 1e9}, {1e9, 1e9}, {1e9, 1e9}};

    for (unsigned n = 0; n < RUNS; n++) {
        for (unsigned k = 0; k < 3; k++) {
            struct result r = run(accel, counts[k], rounds, begin, end);

            best[k].time = MIN(best[k].time, r.time);
            best[k].cpu = MIN(best[k].cpu, r.cpu);
        }
    }
    printf("%-8s", name);
    for (unsigned k = 0; k < 3; k++) {
        printf(" %8.1f %6.2f %6.2f", best[k].time * 1e3, counts[k] * best[0].time / best[k].time,
               best[k].cpu / best[0].cpu / counts[k]);
    }
    printf("\n");
}

int main(void)
{
    static const struct accel_ops *const engines[] = {&accel_interp, &accel_jit};

    printf("Processors (this host has %ld): ms, work by time, and cost, beside one\n",
           sysconf(_SC_NPROCESSORS_ONLN));
    for (unsigned n = 0; n < ARRAY_LEN(engines); n++) {
        printf("%-8s", engines[n]->name);
        for (unsigned cpus = 1; cpus <= 4; cpus *= 2) {
            printf("   -smp %u %6s %6s", cpus, "ratio", "cost");
        }
        printf("\n");
        measure(engines[n], "own", 20000000, alu_begin, alu_end);
        measure(engines[n], "shared", 10000000, shared_begin, shared_end);
    }
    return 0;
}
