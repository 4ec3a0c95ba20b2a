/*
 * What exit accounting costs (hw/core/exits.h): guest code with it on and off, in turns.
 *
 * The guest is bare 64-bit code on one processor.  Its devices do nothing, so that the share of the
 * accounting is as large as it can get: a port, 16 registers in memory, and memory behind a device
 * as a VGA has it.  "driver" is what drivers do: an access, then some work on RAM; "work" has no
 * access at all.
 *
 * One row is the median of many pairs of slices, of CPU time.  The last column is what matters: how
 * much longer the guest takes when its exits are counted.
 *
 * Not modelled: KVM, where an exit takes some thousand times what is added to it.
 */
#include "accel/interp.h"
#include "cpu/cpu.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    RAM_BYTES = 16 << 20,
    CODE_AT = 0x400000,
    DATA_AT = 0x800000,
    STACK_AT = 0x700000,
    DEVICES_AT = 0x40000000, /* linear and physical */
    REGISTERS = 0,
    MEMORY = 0x10000,
    PAIRS = 61,
};

#define GUEST(name, ...)                                                                           \
    extern const uint8_t name##_begin[], name##_end[];                                             \
    __asm__(".pushsection .rodata\n"                                                               \
            ".p2align 4\n" #name "_begin:\n" __VA_ARGS__ "\nhlt\n" #name "_end:\n"                 \
            ".popsection\n")

/* RCX rounds, RBX the devices, RSI RAM. */
GUEST(port, "mov $0x80, %edx\n 1: out %al, %dx\n dec %rcx\n jnz 1b");
GUEST(ports, "1: out %al, $0x81\n in $0x82, %al\n out %al, $0x83\n in $0x84, %al\n"
             "sub $4, %rcx\n ja 1b");
GUEST(registers, "1: mov %eax, 0x20(%rbx)\n mov 0x10(%rbx), %eax\n sub $2, %rcx\n ja 1b");
GUEST(memory, "1: lea (%rbx,%rcx), %rdi\n and $0xffff, %edi\n"
              "mov %al, 0x10000(%rbx,%rdi)\n dec %rcx\n jnz 1b");
GUEST(driver, "1: in $0x82, %al\n mov $100, %r8d\n"
              "2: mov (%rsi,%r8,8), %r9\n add %rcx, %r9\n mov %r9, 8(%rsi,%r8,8)\n"
              "dec %r8d\n jnz 2b\n dec %rcx\n jnz 1b");
GUEST(work, "1: mov $100, %r8d\n"
            "2: mov (%rsi,%r8,8), %r9\n add %rcx, %r9\n mov %r9, 8(%rsi,%r8,8)\n"
            "dec %r8d\n jnz 2b\n dec %rcx\n jnz 1b");

struct kernel {
    const char *name;
    const uint8_t *begin, *end;
    uint64_t rounds;
};

static const struct kernel kernels[] = {
    {"port", port_begin, port_end, 100000},
    {"ports", ports_begin, ports_end, 100000},
    {"registers", registers_begin, registers_end, 100000},
    {"memory", memory_begin, memory_end, 100000},
    {"driver", driver_begin, driver_end, 10000},
    {"work", work_begin, work_end, 10000},
};

/* ---- the machine ---- */

static uint32_t null_in(struct device *dev, unsigned off, unsigned size)
{
    (void)dev;
    return off + size;
}

static void null_out(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)dev;
    (void)off;
    (void)val;
    (void)size;
}

static uint64_t null_load(struct device *dev, uint64_t off, unsigned size)
{
    (void)dev;
    return off + size;
}

static void null_store(struct device *dev, uint64_t off, uint64_t val, unsigned size)
{
    (void)dev;
    (void)off;
    (void)val;
    (void)size;
}

static const struct port_range null_ports[] = {
    {.first = 0x80, .count = 8, .sizes = SIZE_1, .read = null_in, .write = null_out}, {.count = 0}};
static const struct mmio_ops null_registers = {
    .sizes = SIZE_4, .read = null_load, .write = null_store};
static const struct mmio_ops null_memory = {
    .sizes = SIZE_ANY, .passive = true, .read = null_load, .write = null_store};

struct null {
    struct device dev;
    struct region ram, registers, memory;
};
static const struct device_ops null_ops = {
    .name = "null", .title = "nothing", .size = sizeof(struct null), .ports = null_ports};

static bool build(struct machine *m, GError **err)
{
    struct null *n = (struct null *)device_new(m, &null_ops, "null");
    struct ram *ram = ram_new(m, "ram", RAM_BYTES, err);

    if (!ram) {
        return false;
    }
    region_init_ram(&n->ram, "ram", ram, 0, RAM_BYTES);
    region_init_mmio(&n->registers, "registers", &n->dev, &null_registers, PAGE_BYTES);
    region_init_mmio(&n->memory, "memory", &n->dev, &null_memory, 0x10000);
    region_add(m, &n->ram, 0, 0);
    region_add(m, &n->registers, DEVICES_AT + REGISTERS, 0);
    region_add(m, &n->memory, DEVICES_AT + MEMORY, 0);
    return true;
}

/* 64-bit mode: 16 MiB of RAM and 2 MiB of devices, each at its own address. */
static void prepare(struct cpu *c, uint8_t *ram)
{
    st_le64(ram + 0x1000, 0x2003);
    st_le64(ram + 0x2000, 0x3003);
    st_le64(ram + 0x2008, 0x4003);
    for (unsigned n = 0; n < RAM_BYTES / (2 * MiB); n++) {
        st_le64(ram + 0x3000 + n * 8, n * 2 * MiB | 0x83);
    }
    st_le64(ram + 0x4000, DEVICES_AT | 0x83);
    c->cr0 = CR0_PE | CR0_ET | CR0_PG;
    c->cr4 = CR4_PAE;
    c->efer = EFER_LME | EFER_LMA;
    c->cr3 = 0x1000;
    for (unsigned seg = 0; seg < 6; seg++) {
        uint16_t attr = seg == SEG_CS ? SEG_CODE | SEG_L : SEG_DB;

        c->seg[seg] = (struct seg){
            .sel = 8, .attr = attr | SEG_P | SEG_S | SEG_W | SEG_A | SEG_G, .limit = 0xffffffff};
    }
    mmu_flush(c, true);
    cpu_update_mode(c);
}

/* ---- measuring ---- */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double slice(struct vcpu *v, const struct kernel *k, bool off)
{
    struct cpu *c = v->cpu;
    double start;

    v->exits.off = off;
    c->halted = false;
    c->r[R_RCX] = k->rounds;
    c->r[R_RBX] = DEVICES_AT;
    c->r[R_RSI] = DATA_AT;
    c->r[R_RSP] = STACK_AT;
    c->ip = CODE_AT;
    start = now();
    if (v->m->accel->vcpu_run(v) != VCPU_EXIT_HALT) {
        printf("%s: the guest did not halt\n", k->name);
        exit(1);
    }
    return now() - start;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(struct vcpu *v, const struct kernel *k)
{
    double off[PAIRS], ratio[PAIRS];

    slice(v, k, false);
    for (unsigned n = 0; n < PAIRS; n++) {
        double on;

        if (n & 1) {
            off[n] = slice(v, k, true);
            on = slice(v, k, false);
        } else {
            on = slice(v, k, false);
            off[n] = slice(v, k, true);
        }
        ratio[n] = on / off[n];
    }
    qsort(off, PAIRS, sizeof *off, compare);
    qsort(ratio, PAIRS, sizeof *ratio, compare);
    printf("%-8s %-10s %10.1f %+9.2f %%   (half of them %+.2f .. %+.2f)\n", v->m->accel->name,
           k->name, off[PAIRS / 2] / (double)k->rounds, 100 * (ratio[PAIRS / 2] - 1),
           100 * (ratio[PAIRS / 4] - 1), 100 * (ratio[PAIRS - 1 - PAIRS / 4] - 1));
}

/* False: it could not be done. */
static bool run_engine(const struct accel_ops *accel)
{
    static const struct board board = {"null", build};
    struct vm_config config;
    GError *err = NULL;

    vm_config_init(&config);
    struct machine *m = machine_new(&config, accel);
    vm_config_clear(&config);
    if (!machine_build(m, &board, &err)) {
        printf("bench_exits: %s: %s\n", accel->name, err->message);
        g_error_free(err);
        machine_free(m);
        return false;
    }
    struct vcpu *v = m->vcpus[0];
    uint8_t *ram = ((struct ram *)g_ptr_array_index(m->rams, 0))->host;
    vcpu_clear(v, ~0u);
    prepare(v->cpu, ram);
    for (size_t n = 0; n < ARRAY_LEN(kernels); n++) {
        memcpy(ram + CODE_AT, kernels[n].begin, (size_t)(kernels[n].end - kernels[n].begin));
        struct region *r = g_ptr_array_index(m->regions, 0);
        ram_mark_written(r->ram, CODE_AT, PAGE_BYTES, NULL);
        measure(v, &kernels[n]);
    }
    machine_free(m);
    return true;
}

int main(void)
{
    printf("exit accounting: ns a round without it, and what it adds\n");
    printf("%-8s %-10s %10s %11s\n", "engine", "guest", "ns", "accounting");
    return !(run_engine(&accel_interp) && run_engine(&accel_jit));
}
