/*
 * CPU models, CPUID, MSRs, control registers (cpu/cpuid.c, msr.c, op_sys.c).
 * Follows: Intel SDM volume 2, CPUID; volume 4.  Not modelled: the APIC behind its MSRs.
 */
#include "tests/cpu/guest.h"
#include "cpu/model.h"
#include "cpu/native.h"
#include <criterion/criterion.h>

Test(cpuid, every_model_and_its_signature)
{
    static const struct {
        const char *name;
        uint32_t signature, max_leaf, must_edx, must_not_edx;
        uint8_t phys;
    } models[] = {
        {"486", 0x480, 1, BIT(0), BIT(4) | BIT(8) | BIT(15), 32},
        {"pentium", 0x543, 1, BIT(4) | BIT(8) | BIT(23), BIT(15) | BIT(25), 32},
        {"pentium3", 0x683, 2, BIT(15) | BIT(25), BIT(26), 36},
        {"x86-64", 0x6fb, 0x16, BIT(26), 0, 40},
        {"x86-64-v2", 0x206c1, 0x16, BIT(26), 0, 40},
        {"x86-64-v3", 0x306c4, 0x16, BIT(26), 0, 40},
    };
    for (unsigned k = 0; k < ARRAY_LEN(models); k++) {
        struct guest g;
        uint32_t r[4];

        guest_init(&g, models[k].name);
        cpu_cpuid(g.c, 0, 0, r);
        cr_assert_eq(r[0], models[k].max_leaf);
        cr_assert_eq(r[1], 0x756e6547, "Genu");
        cpu_cpuid(g.c, 1, 0, r);
        cr_assert_eq(r[0], models[k].signature);
        cr_assert_eq(r[3] & models[k].must_edx, models[k].must_edx, "%s: %x", models[k].name, r[3]);
        cr_assert_eq(r[3] & models[k].must_not_edx, 0);
        cr_assert_eq(r[2] >> 31, 0, "no hypervisor bit");
        cr_assert_eq(g.c->phys_mask, BIT64(models[k].phys) - 1);
        guest_free(&g);
    }
}

Test(cpuid, leaves)
{
    struct guest g;
    uint32_t r[4];
    char brand[49] = "";

    guest_init(&g, "x86-64-v3");
    for (unsigned k = 0; k < 3; k++) {
        cpu_cpuid(g.c, 0x80000002 + k, 0, r);
        memcpy(brand + 16 * k, r, 16);
    }
    cr_assert_str_eq(brand, "Candela virtual CPU");
    cpu_cpuid(g.c, 0x80000008, 0, r);
    cr_assert_eq(r[0], 0x3028);
    cpu_cpuid(g.c, 0x15, 0, r);
    cr_assert_eq((uint64_t)r[2] * r[1] / r[0], 1000000000u);
    cpu_cpuid(g.c, 0xd, 0, r);
    cr_assert_eq(r[1], 576);
    cr_assert_eq(r[2], cpu_has(g.c, FEAT_AVX) ? 832 : 576);
    cpu_cpuid(g.c, 1, 0, r);
    cr_assert_eq(r[2] & BIT(27), 0);
    cpu_set_cr4(g.c, CR4_OSXSAVE);
    cpu_cpuid(g.c, 1, 0, r);
    cr_assert_eq(r[2] & BIT(27), BIT(27), "OSXSAVE follows CR4");
    cpu_cpuid(g.c, 0x12345678, 0, r);
    cr_assert_eq(r[0], 1000, "beyond the last leaf: the last leaf");
    cpu_cpuid(g.c, 0x80000001, 0, r);
    cr_assert_eq(r[3] & BIT(11), 0, "SYSCALL is there in 64-bit code only");
    guest_long(&g);
    cpu_cpuid(g.c, 0x80000001, 0, r);
    cr_assert_eq(r[3] & BIT(11), BIT(11));
    guest_free(&g);
}

/* Leaves 1, 4 and 0xb of a model in a machine of `cpus`, `cores`, `threads`. */
static void check_topology(const char *model, unsigned cpus, unsigned cores, unsigned threads,
                           const uint32_t want[7])
{
    struct guest g;
    uint32_t r[4];

    guest_init(&g, model);
    g.v->m->config.cores = cores;
    g.v->m->config.threads = threads;
    unsigned had = g.v->m->ncpus;
    g.v->m->ncpus = cpus;
    cpu_cpuid(g.c, 1, 0, r);
    cr_expect_eq(r[3] >> 28 & 1, want[0], "%s %u: HTT", model, cpus);
    cr_expect_eq(r[1] >> 16 & 0xff, want[1], "%s %u: ids of a package", model, cpus);
    cpu_cpuid(g.c, 4, 0, r);
    cr_expect_eq(r[0] >> 26, want[2], "%s %u: cores", model, cpus);
    cr_expect_eq(r[0] >> 14 & 0xfff, want[3], "%s %u: who shares L1", model, cpus);
    cpu_cpuid(g.c, 4, 3, r);
    cr_expect_eq(r[0] >> 14 & 0xfff, want[4], "%s %u: who shares L3", model, cpus);
    cpu_cpuid(g.c, 0xb, 0, r);
    cr_expect_eq(r[0], want[5], "%s %u: thread bits", model, cpus);
    cpu_cpuid(g.c, 0xb, 1, r);
    cr_expect_eq(r[0], want[6], "%s %u: package bits", model, cpus);
    g.v->m->ncpus = had;
    guest_free(&g);
}

Test(cpuid, topology)
{
    check_topology("x86-64-v3", 1, 0, 0, (uint32_t[]){0, 1, 0, 0, 0, 0, 0});
    check_topology("x86-64-v3", 4, 0, 0, (uint32_t[]){1, 4, 3, 0, 3, 0, 2});
    check_topology("x86-64-v3", 6, 6, 1, (uint32_t[]){1, 8, 7, 0, 7, 0, 3});
    check_topology("x86-64-v3", 4, 2, 2, (uint32_t[]){1, 4, 1, 1, 3, 1, 2});
    check_topology("x86-64-v3", 8, 2, 2, (uint32_t[]){1, 4, 1, 1, 3, 1, 2});
    check_topology("x86-64-v3", 4, 1, 1, (uint32_t[]){0, 1, 0, 0, 0, 0, 0});
    check_topology("x86-64-v3", 64, 64, 1, (uint32_t[]){1, 64, 63, 0, 63, 0, 6});
}

Test(cpuid, old_models_have_one_processor_in_a_package)
{
    struct guest g;
    uint32_t r[4];

    guest_init(&g, "pentium3");
    unsigned had = g.v->m->ncpus;
    g.v->m->ncpus = 4;
    cpu_cpuid(g.c, 1, 0, r);
    cr_expect_eq(r[3] & BIT(28), 0);
    cr_expect_eq(r[1] >> 16 & 0xff, 1);
    g.v->m->ncpus = had;
    guest_free(&g);
}

/* Set a model on a CPU that is nothing but a model. */
static char *try_model(const char *text, struct cpu *c)
{
    GError *err = NULL;
    char *message = NULL;

    if (!cpu_model_set(c, text, &err)) {
        cr_assert_eq(err->code, CANDELA_ERROR_CONFIG);
        message = g_strdup(err->message);
        g_error_free(err);
    }
    return message;
}

Test(cpuid, vmware_leaves_are_there_on_demand_only)
{
    struct guest g;
    uint32_t r[4], last[4];

    guest_init(&g, "x86-64-v3,+vmware");
    cpu_cpuid(g.c, 0x40000000, 0, r);
    cr_assert_eq(r[0], 0x40000010);
    cr_assert(!memcmp(&r[1], "VMwareVMware", 12));
    cpu_cpuid(g.c, 0x40000010, 0, r);
    cr_assert_eq(r[0], 1000000, "kHz");
    cpu_cpuid(g.c, 1, 0, r);
    cr_assert_eq(r[2] >> 31, 1);
    guest_free(&g);
    guest_init(&g, "x86-64-v3");
    cpu_cpuid(g.c, 0x40000000, 0, r);
    cpu_cpuid(g.c, 0x16, 0, last);
    cr_assert(!memcmp(r, last, sizeof r), "as any leaf that is not there");
    guest_free(&g);
}

Test(cpuid, model_text)
{
    static const struct {
        const char *text, *error; /* error: a part of the message, NULL: fine */
        enum feature f;
        bool has;
    } cases[] = {
        {"x86-64-v3,-smap", NULL, FEAT_SMAP, false},
        {"x86-64-v3", NULL, FEAT_SMAP, true},
        {"x86-64,+smep", NULL, FEAT_SMEP, true},
        {"x86-64-v3,-sse2", NULL, FEAT_AES, false}, /* dependents go along */
        {"x86-64-v3,-sse2", NULL, FEAT_AVX2, false},
        {"x86-64-v3,+hypervisor", NULL, FEAT_HYPERVISOR, true},
        {"x86-64-v3,+vmware", NULL, FEAT_HYPERVISOR, true},
        {"x86-64-v3,+vmware,-hypervisor", NULL, FEAT_VMWARE, false},
        {"x86-64-v3", NULL, FEAT_VMWARE, false},
        {"x86-65", "x86-64-v2", FEAT_FPU, false},
        {"x86-64,+nonsense", "nonsense", FEAT_FPU, false},
        {"x86-64,smep", "smep", FEAT_FPU, false},
        {"x86-64,", "\"\"", FEAT_FPU, false},
        {"", "unknown CPU model", FEAT_FPU, false},
        {"486,+nx", "pae", FEAT_FPU, false},
        {"x86-64,+monitor", "monitor", FEAT_FPU, false},
        {"486,+i486", "i486", FEAT_FPU, false},
    };
    struct cpu *c = g_aligned_alloc0(1, sizeof *c, 64);

    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        char *message = try_model(cases[k].text, c);

        cr_assert_eq(!!message, !!cases[k].error, "case %u: %s", k, message ? message : "accepted");
        if (message) {
            cr_assert(strstr(message, cases[k].error), "case %u: %s", k, message);
        } else {
            cr_assert_eq(cpu_has(c, cases[k].f), cases[k].has, "case %u", k);
        }
        g_free(message);
    }
    g_aligned_free(c);
}

Test(cpuid, host_features_are_needed)
{
    struct cpu *c = g_aligned_alloc0(1, sizeof *c, 64);

    cr_assert_null(try_model("x86-64-v3", c));
    cr_assert_eq(cpu_has(c, FEAT_AVX2), native_host_has(FEAT_AVX2));
    char *message = try_model("x86-64,+aes", c);
    cr_assert_eq(message == NULL, native_host_has(FEAT_AES));
    g_free(message);
    g_aligned_free(c);
}

static uint64_t deadline; /* as the APIC keeps it: virtual nanoseconds */

static bool deadline_read(struct device *dev, uint32_t msr, uint64_t *val)
{
    (void)dev;
    *val = deadline;
    return msr == 0x6e0;
}

static bool deadline_write(struct device *dev, uint32_t msr, uint64_t val)
{
    (void)dev;
    deadline = val;
    return msr == 0x6e0;
}

Test(cpuid, a_deadline_moves_with_the_tsc)
{
    static const struct apic_ops apic = {.msr_read = deadline_read, .msr_write = deadline_write};
    struct guest g;
    uint64_t val, before;

    guest_init(&g, "x86-64-v3");
    g.v->apic = &apic;
    cr_assert(cpu_wrmsr(g.c, 0x10, 1000000));
    cr_assert(cpu_wrmsr(g.c, 0x6e0, 5000000));
    before = deadline;
    cr_assert(cpu_wrmsr(g.c, 0x10, 3000000));
    cr_assert_eq(before - deadline, 2000000, "the count is reached sooner");
    cr_assert(cpu_rdmsr(g.c, 0x6e0, &val));
    cr_assert_eq(val, 5000000);
    cr_assert(cpu_wrmsr(g.c, 0x3b, 0));
    cr_assert(cpu_rdmsr(g.c, 0x6e0, &val));
    cr_assert_eq(val, 5000000);
    deadline = 0;
    cr_assert(cpu_wrmsr(g.c, 0x10, 0));
    cr_assert_eq(deadline, 0, "none is armed by it");
    g.v->apic = NULL;
    guest_free(&g);
}

Test(cpuid, a_deadline_is_not_before_its_count)
{
    static const struct apic_ops apic = {.msr_read = deadline_read, .msr_write = deadline_write};
    static const uint32_t rates[] = {800000, CPU_TSC_KHZ, 2095078};
    struct guest g;

    guest_init(&g, "x86-64-v3");
    g.v->apic = &apic;
    for (unsigned n = 0; n < ARRAY_LEN(rates); n++) {
        g.c->tsc_khz = rates[n];
        for (uint64_t count = 1000000; count < 1000020; count++) {
            cr_assert(cpu_wrmsr(g.c, 0x6e0, count + g.c->tsc_offset));
            cr_expect_geq(cpu_tsc_ticks(g.c, (int64_t)deadline), count, "%u kHz", rates[n]);
            cr_expect_lt(cpu_tsc_ticks(g.c, (int64_t)deadline - 1), count, "%u kHz", rates[n]);
        }
    }
    g.v->apic = NULL;
    guest_free(&g);
}

Test(cpuid, msrs)
{
    static const struct {
        uint32_t msr;
        uint64_t write;
        bool ok;
        uint64_t read;
    } cases[] = {
        {0x277, 0x0001040600070406ull, true, 0x0001040600070406ull}, /* PAT */
        {0x277, 2, false, 0},
        {0x2ff, 0xc06, true, 0xc06},
        {0x2ff, 0xc02, false, 0},
        {0x250, 0x0606060606060606ull, true, 0x0606060606060606ull},
        {0x200, 0x80000006, true, 0x80000006},
        {0x201, 0xff80000800ull, true, 0xff80000800ull},
        {0x201, 0x1, false, 0},
        {0xfe, 0, false, 0},
        {0xc0000080, 0xd01, true, 0x901}, /* LMA is not ours to write */
        {0xc0000080, 0x2, false, 0},
        {0xc0000082, 0x800000000000ull, false, 0},
        {0xc0000082, 0xffff800000000000ull, true, 0xffff800000000000ull},
        {0xc0000101, 0x1234, true, 0x1234},
        {0xc0000103, 0x77, true, 0x77},
        {0xc0000103, 0x100000000ull, false, 0},
        {0x174, 0x10, true, 0x10},
        {0x48, 1, true, 1},
        {0x48, 0x80, false, 0},
        {0x391, 0x2000000f, true, 0}, /* uncore: takes anything, counts nothing */
        {0x396, 1, false, 0},
        {0x1234, 0, false, 0},
        {0x1b, 0, false, 0}, /* no APIC in this machine */
    };
    struct guest g;
    uint64_t v;

    guest_init(&g, "x86-64-v3");
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        cr_assert_eq(cpu_wrmsr(g.c, cases[k].msr, cases[k].write), cases[k].ok, "case %u", k);
        if (cases[k].ok) {
            cr_assert(cpu_rdmsr(g.c, cases[k].msr, &v));
            cr_assert_eq(v, cases[k].read, "case %u: %" G_GINT64_MODIFIER "x", k, v);
        }
    }
    cr_assert(cpu_rdmsr(g.c, 0x10a, &v));
    cr_assert_eq(v & 3, 3, "RDCL_NO, IBRS_ALL");
    cr_assert(cpu_wrmsr(g.c, 0x10, 5000));
    cr_assert_eq(cpu_tsc(g.c), 5000, "time stands still here");
    cr_assert(cpu_rdmsr(g.c, 0x3b, &v));
    cr_assert_eq(v, 5000);
    cr_assert(cpu_wrmsr(g.c, 0x3b, 0));
    cr_assert_eq(cpu_tsc(g.c), 0);
    /* A refused write changes nothing. */
    cr_assert(cpu_wrmsr(g.c, 0xc0000084, 0x47700));
    cr_assert_not(cpu_wrmsr(g.c, 0xc0000084, BIT64(32)));
    cr_assert(cpu_rdmsr(g.c, 0xc0000084, &v));
    cr_assert_eq(v, 0x47700);
    cr_assert_not(cpu_wrmsr(g.c, 0x17a, 4));
    cr_assert(cpu_rdmsr(g.c, 0x17a, &v));
    cr_assert_eq(v, 0);
    guest_free(&g);
}

Test(cpuid, control_register_checks)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, CR0_PG)), EXCP_GP);
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, CR0_NW)), EXCP_GP);
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr4(g.c, CR4_PCIDE)), EXCP_GP, "not in long mode");
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr4(g.c, BIT(13))), EXCP_GP, "VMX");
    guest_protected(&g);
    g.c->cr4 = CR4_PAE;
    g.c->efer = EFER_LME;
    g.c->seg[SEG_TR].attr = SEG_P | DESC_TSS16_BUSY;
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, g.c->cr0 | CR0_PG)), EXCP_GP, "a 16-bit TSS");
    cr_assert_eq(g.c->efer, EFER_LME);
    g.c->seg[SEG_TR].attr = SEG_P | DESC_TSS32_BUSY;
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, g.c->cr0 | CR0_PG)), -1);
    guest_long(&g);
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr4(g.c, 0)), EXCP_GP, "PAE stays on in long mode");
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, g.c->cr0 & ~(uint64_t)CR0_PG)), EXCP_GP,
                 "from 64-bit code");
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr3(g.c, BIT64(41))), EXCP_GP);
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr4(g.c, CR4_PAE | CR4_PCIDE)), -1);
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, g.c->cr0 & ~(uint64_t)CR0_PG)), EXCP_GP);
    guest_free(&g);
}

/* Instructions that the same row or opcode serves with and without a feature. */
Test(cpuid, missing_features_raise_ud)
{
    static const struct {
        const char *model, *code;
        bool is64, ud;
    } cases[] = {
        {"x86-64", "\x9f", true, true}, /* lahf */
        {"x86-64", "\x9e", true, true}, /* sahf */
        {"x86-64", "\x9f", false, false},
        {"x86-64-v2", "\x9f", true, false},
        {"x86-64-v2,-lahf_lm", "\x9e", true, true},
        {"x86-64", "\x48\x0f\xc7\x0f", true, true}, /* cmpxchg16b [rdi] */
        {"x86-64", "\x0f\xc7\x0f", true, false},    /* cmpxchg8b [rdi] */
        {"x86-64-v2", "\x48\x0f\xc7\x0f", true, false},
        {"486", "\x0f\xc7\x0f", false, true},
        {"486", "\x0f\x18\x0f", false, true}, /* prefetcht0 [edi] */
        {"pentium", "\x0f\x18\x0f", false, true},
        {"pentium3", "\x0f\x18\x0f", false, false},
        {"pentium3", "\x0f\x0d\x0f", false, true}, /* prefetchw [edi] */
        {"x86-64", "\x0f\x0d\x0f", true, false},
        {"486", "\x0f\x31", false, true},                  /* rdtsc */
        {"486", "\x0f\x32", false, true},                  /* rdmsr */
        {"pentium", "\x0f\x44\xc0", false, true},          /* cmove */
        {"pentium", "\x0f\x1f\xc0", false, true},          /* nop */
        {"pentium", "\xdb\xf0", false, true},              /* fcomi */
        {"pentium3", "\x0f\x05", false, true},             /* syscall */
        {"pentium", "\x0f\x34", false, true},              /* sysenter */
        {"x86-64-v2", "\xf3\x48\x0f\xae\xc0", true, true}, /* rdfsbase rax */
    };
    struct guest g;

    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        guest_init(&g, cases[k].model);
        if (cases[k].is64) {
            guest_long(&g);
        } else {
            guest_protected(&g);
        }
        uint8_t code[8];
        memset(code, 0xf4, sizeof code);
        memcpy(code, cases[k].code, strlen(cases[k].code));
        g.c->r[R_RDI] = G_DATA;
        guest_code(&g, code, sizeof code);
        guest_run(&g);
        cr_assert_eq(guest_vector(&g), cases[k].ud ? EXCP_UD : -1, "case %u: %d", k,
                     guest_vector(&g));
        guest_free(&g);
    }
}

/* Changes of CD and NW also load the PAE page-directory pointers again (SDM volume 3, 4.4.1). */
Test(cpuid, pdptes_are_loaded_by_writes_to_cr0)
{
    struct guest g;

    guest_init(&g, "pentium3");
    guest_protected(&g);
    g.c->cr4 = CR4_PAE;
    g.c->cr3 = G_TABLES;
    guest_put64(&g, G_TABLES, G_DATA | 1);
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, g.c->cr0 | CR0_PG)), -1);
    cr_assert_eq(g.c->pdpte[0], G_DATA | 1);
    guest_put64(&g, G_TABLES, (G_DATA + 0x1000) | 1);
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, g.c->cr0 | CR0_TS)), -1);
    cr_assert_eq(g.c->pdpte[0], G_DATA | 1);
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, g.c->cr0 | CR0_CD)), -1);
    cr_assert_eq(g.c->pdpte[0], (G_DATA + 0x1000) | 1);
    guest_put64(&g, G_TABLES, G_DATA | 3); /* reserved */
    cr_assert_eq(GUEST_TRY(&g, cpu_set_cr0(g.c, g.c->cr0 & ~(uint64_t)CR0_CD)), EXCP_GP);
    cr_assert(g.c->cr0 & CR0_CD);
    guest_free(&g);
}

Test(cpuid, invpcid_checks)
{
    static const struct {
        uint64_t pcid, la;
        uint8_t type;
        bool ok;
    } cases[] = {
        {0, 0, 0, true},         {1, 0, 0, false},         {0, BIT64(47), 0, false},
        {0, BIT64(47), 1, true}, {BIT64(12), 0, 2, false}, {BIT64(63), 0, 3, false},
        {1, 0, 2, true},         {0, 0, 4, false},
    };
    struct guest g;

    guest_init(&g, "x86-64-v3");
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        guest_long(&g);
        g.c->halted = false;
        guest_put64(&g, G_DATA, cases[k].pcid);
        guest_put64(&g, G_DATA + 8, cases[k].la);
        g.c->r[R_RAX] = cases[k].type;
        g.c->r[R_RDI] = G_DATA;
        guest_code(&g, "\x66\x0f\x38\x82\x07\xf4", 6); /* invpcid rax,[rdi]; hlt */
        guest_run(&g);
        cr_assert_eq(guest_vector(&g), cases[k].ok ? -1 : EXCP_GP, "case %u", k);
    }
    guest_free(&g);
}

Test(cpuid, umip_and_privileged_instructions)
{
    static const char codes[][8] = {
        "\x0f\x01\x04\x25\x00\x00\x04\x00",
        /* sgdt */ "\x0f\x00\xc0",
        /* sldt */ "\x0f\x01\xe0", /* smsw */
        "\x0f\x20\xc0",
        /* mov rax,cr0 */ "\x0f\x32",
        /* rdmsr */ "\x0f\x01\x38",
        /* invlpg */ "\xf4",
        "\x0f\x09",
        /* wbinvd */ "\x0f\x06",
        /* clts */ "\x0f\x00\xd0",
        /* lldt */ "\x0f\x01\xf8", /* swapgs */
        "\xfa",
        "\x0f\x07", /* sysret */
    };
    struct guest g;

    guest_init(&g, "x86-64-v3");
    for (unsigned k = 0; k < ARRAY_LEN(codes); k++) {
        guest_long(&g);
        g.c->cr4 |= CR4_UMIP;
        g.c->halted = false;
        guest_user(&g);
        guest_code(&g, codes[k], 8);
        guest_run(&g);
        cr_assert_eq(guest_vector(&g), EXCP_GP, "code %u: %d", k, guest_vector(&g));
    }
    guest_free(&g);
}
