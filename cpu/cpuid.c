/*
 * CPU models: which features each has, the text that chooses and changes them, and the CPUID
 * leaves.
 *
 * Follows: Intel SDM volume 2, CPUID; the x86-64 psABI for the levels v1 to v3.  Feature bits come
 * from c->feat and nowhere else, and c->feat holds only what is implemented.
 *
 * APIC ids are the numbers of the processors; their bits tell threads, cores and packages apart.
 *
 * Not modelled: processor serial number, performance monitoring, power management (leaf 6 has only
 * ARAT).
 */
#include "cpu/insn.h"
#include "cpu/model.h"
#include "cpu/native.h"

enum { REG_EAX, REG_EBX, REG_ECX, REG_EDX, REG_NONE };

static const struct {
    const char *name;
    uint32_t leaf;
    uint8_t sub, reg, bit;
} features[FEAT_COUNT] = {
#define FEAT(id, text, leaf_, sub_, reg_, bit_) [FEAT_##id] = {text, leaf_, sub_, REG_##reg_, bit_},
#include "cpu/features.inc"
#undef FEAT
};

/* ---- models ---- */

#define F(id) FEAT_##id
static const uint16_t features_486[] = {F(I486), F(CPUID), F(FPU), F(VME), FEAT_NONE};
static const uint16_t features_pentium[] = {F(DE),  F(PSE),  F(TSC), F(MSR),   F(MCE),
                                            F(CX8), F(APIC), F(MMX), FEAT_NONE};
static const uint16_t features_pentium3[] = {
    F(PAE), F(SEP),   F(MTRR), F(PGE), F(MCA),  F(CMOV),
    F(PAT), F(PSE36), F(FXSR), F(SSE), F(NOPL), FEAT_NONE,
};
static const uint16_t features_x86_64[] = {
    F(SSE2),          F(CLFLUSH),           F(SS),        F(LM),       F(NX),        F(SYSCALL),
    F(INVARIANT_TSC), F(ARCH_CAPABILITIES), F(SPEC_CTRL), F(BHI_CTRL), F(PREFETCHW), FEAT_NONE,
};
static const uint16_t features_v2[] = {
    F(SSE3), F(SSSE3),  F(SSE41),        F(SSE42), F(POPCNT),    F(CX16),    F(LAHF_LM), F(RDTSCP),
    F(PCID), F(X2APIC), F(TSC_DEADLINE), F(AES),   F(PCLMULQDQ), F(PDPE1GB), FEAT_NONE,
};
static const uint16_t features_v3[] = {
    F(FMA),  F(MOVBE),  F(XSAVE),    F(XSAVEOPT),   F(XSAVEC), F(XGETBV1), F(AVX),
    F(F16C), F(RDRAND), F(FSGSBASE), F(TSC_ADJUST), F(BMI1),   F(AVX2),    F(SMEP),
    F(BMI2), F(ERMS),   F(INVPCID),  F(RDSEED),     F(ADX),    F(SMAP),    F(CLFLUSHOPT),
    F(CLWB), F(SHA),    F(UMIP),     F(RDPID),      F(FSRM),   F(ABM),     FEAT_NONE,
};
#undef F

enum { MODEL_486, MODEL_PENTIUM, MODEL_PENTIUM3, MODEL_V1, MODEL_V2, MODEL_V3, MODEL_HOST, MODELS };

static const uint16_t features_host[] = {FEAT_NONE};
static const struct cpu_model models[MODELS] = {
    [MODEL_486] = {"486", "Intel 486DX4", 0x480, 1, 32, NULL, features_486},
    [MODEL_PENTIUM] = {"pentium", "Intel Pentium with MMX", 0x543, 1, 32, &models[MODEL_486],
                       features_pentium},
    [MODEL_PENTIUM3] = {"pentium3", "Intel Pentium III", 0x683, 2, 36, &models[MODEL_PENTIUM],
                        features_pentium3},
    [MODEL_V1] = {"x86-64", "x86-64 baseline: SSE2, long mode", 0x6fb, 0x16, 40,
                  &models[MODEL_PENTIUM3], features_x86_64},
    [MODEL_V2] = {"x86-64-v2", "x86-64-v2: up to SSE4.2, POPCNT, AES, PCID", 0x206c1, 0x16, 40,
                  &models[MODEL_V1], features_v2},
    [MODEL_V3] = {"x86-64-v3", "x86-64-v3: AVX2, FMA, BMI, SMEP, SMAP, ... (default)", 0x306c4,
                  0x16, 40, &models[MODEL_V2], features_v3},
    [MODEL_HOST] = {"host", "the host's processor, where KVM runs the guest; else as x86-64-v3",
                    0x306c4, 0x16, 40, &models[MODEL_V3], features_host},
};

/* A feature that makes no sense without another. */
static const struct {
    uint16_t feature, needs;
} dependencies[] = {
    {FEAT_SSE, FEAT_FXSR},
    {FEAT_SSE2, FEAT_SSE},
    {FEAT_SSE3, FEAT_SSE2},
    {FEAT_SSSE3, FEAT_SSE3},
    {FEAT_SSE41, FEAT_SSSE3},
    {FEAT_SSE42, FEAT_SSE41},
    {FEAT_AES, FEAT_SSE2},
    {FEAT_PCLMULQDQ, FEAT_SSE2},
    {FEAT_SHA, FEAT_SSE2},
    {FEAT_XSAVE, FEAT_FXSR},
    {FEAT_XSAVEOPT, FEAT_XSAVE},
    {FEAT_XSAVEC, FEAT_XSAVE},
    {FEAT_XGETBV1, FEAT_XSAVE},
    {FEAT_AVX, FEAT_XSAVE},
    {FEAT_AVX, FEAT_SSE42},
    {FEAT_AVX2, FEAT_AVX},
    {FEAT_FMA, FEAT_AVX},
    {FEAT_F16C, FEAT_AVX},
    {FEAT_LM, FEAT_PAE},
    {FEAT_NX, FEAT_PAE},
    {FEAT_PDPE1GB, FEAT_LM},
    {FEAT_SYSCALL, FEAT_LM},
    {FEAT_CX16, FEAT_LM},
    {FEAT_LAHF_LM, FEAT_LM},
    {FEAT_PCID, FEAT_LM},
    {FEAT_FSGSBASE, FEAT_LM},
    {FEAT_RDTSCP, FEAT_TSC},
    {FEAT_TSC_DEADLINE, FEAT_APIC},
    {FEAT_X2APIC, FEAT_APIC},
    {FEAT_MTRR, FEAT_MSR},
    {FEAT_FXSR, FEAT_FPU},
    {FEAT_MMX, FEAT_FPU},
    {FEAT_ARCH_CAPABILITIES, FEAT_MSR},
    {FEAT_SPEC_CTRL, FEAT_MSR},
    {FEAT_BHI_CTRL, FEAT_SPEC_CTRL},
    {FEAT_VMWARE, FEAT_HYPERVISOR},
};

static void feat_set(struct cpu *c, unsigned f, bool on)
{
    if (on) {
        c->feat[f / 64] |= BIT64(f % 64);
    } else {
        c->feat[f / 64] &= ~BIT64(f % 64);
    }
}

static void add_model(struct cpu *c, const struct cpu_model *m)
{
    if (m->base) {
        add_model(c, m->base);
    }
    for (const uint16_t *f = m->features; *f != FEAT_NONE; f++) {
        feat_set(c, *f, native_host_has(*f));
    }
}

static void drop_dependents(struct cpu *c)
{
    for (bool again = true; again;) {
        again = false;
        for (unsigned k = 0; k < ARRAY_LEN(dependencies); k++) {
            if (cpu_has(c, dependencies[k].feature) && !cpu_has(c, dependencies[k].needs)) {
                feat_set(c, dependencies[k].feature, false);
                again = true;
            }
        }
    }
}

static const struct cpu_model *find_model(const char *name, GError **err)
{
    for (unsigned k = 0; k < MODELS; k++) {
        if (!strcmp(models[k].name, name)) {
            return &models[k];
        }
    }
    GString *list = g_string_new(NULL);
    for (unsigned k = 0; k < MODELS; k++) {
        g_string_append_printf(list, "%s%s", k ? ", " : "", models[k].name);
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG, "unknown CPU model \"%s\"; there are: %s",
                name, list->str);
    g_string_free(list, TRUE);
    return NULL;
}

/* A feature that must be there for the demanded one is missing. */
static const char *missing_for(const struct cpu *c, unsigned f)
{
    for (unsigned k = 0; k < ARRAY_LEN(dependencies); k++) {
        if (dependencies[k].feature == f && !cpu_has(c, dependencies[k].needs)) {
            return features[dependencies[k].needs].name;
        }
    }
    return NULL;
}

/* "+name" or "-name". */
static bool change_feature(struct cpu *c, const char *word, GError **err)
{
    unsigned f = FEAT_COUNT;

    for (unsigned k = FEAT_NONE + 1; k < FEAT_COUNT && (*word == '+' || *word == '-'); k++) {
        if (!strcmp(features[k].name, word + 1) && features[k].reg != REG_NONE) {
            f = k;
        }
    }
    if (f == FEAT_COUNT || f == FEAT_MONITOR) {
        g_set_error(
            err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
            "\"%s\" is no CPU feature; use +NAME or -NAME with a name from `--cpu-model help`",
            word);
        return false;
    }
    if (*word == '+' && !native_host_has(f)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "CPU feature \"%s\" needs a host processor that has it, and this one has not",
                    word + 1);
        return false;
    }
    if (*word == '+' && f == FEAT_VMWARE) {
        feat_set(c, FEAT_HYPERVISOR, true);
    }
    if (*word == '+' && missing_for(c, f)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG, "CPU feature \"%s\" needs \"%s\" too",
                    word + 1, missing_for(c, f));
        return false;
    }
    feat_set(c, f, *word == '+');
    return true;
}

bool cpu_model_set(struct cpu *c, const char *text, GError **err)
{
    char **words = g_strsplit(text ? text : "x86-64-v3", ",", -1);
    bool ok = false;

    memset(c->feat, 0, sizeof c->feat);
    c->model = find_model(words[0] ? words[0] : "", err);
    if (c->model) {
        ok = true;
        add_model(c, c->model);
        drop_dependents(c);
        for (unsigned k = 1; ok && words[k]; k++) {
            ok = change_feature(c, words[k], err);
        }
        drop_dependents(c);
        c->phys_mask = BIT64(c->model->phys_bits) - 1;
    }
    g_strfreev(words);
    return ok;
}

void cpu_model_help(GString *out)
{
    g_string_append(out, "CPU models:\n");
    for (unsigned k = 0; k < MODELS; k++) {
        g_string_append_printf(out, "  %-12s %s\n", models[k].name, models[k].title);
    }
    g_string_append(
        out,
        "\nFeatures, each after a comma, as +NAME or -NAME (* this host lacks what it needs):");
    for (unsigned k = FEAT_NONE + 1, n = 0; k < FEAT_COUNT; k++) {
        if (features[k].reg != REG_NONE && k != FEAT_MONITOR) {
            g_string_append_printf(out, "%s%s%s", n++ % 8 ? " " : "\n  ", features[k].name,
                                   native_host_has(k) ? "" : "*");
        }
    }
    g_string_append_c(out, '\n');
}

static bool is_lost(const struct cpu *c, unsigned f, const struct cpu_limit *limit)
{
    return features[f].reg != REG_NONE && cpu_has(c, f) &&
           !limit->has(limit->of, features[f].leaf, features[f].sub, features[f].reg,
                       features[f].bit);
}

void cpu_model_limit(struct cpu *c, const struct cpu_limit *limit)
{
    for (unsigned k = FEAT_NONE + 1; k < FEAT_COUNT; k++) {
        if (is_lost(c, k, limit)) {
            feat_set(c, k, false);
        }
    }
    drop_dependents(c);
    /* What it does not show it does not run either. */
    decoder_free((struct decoder *)c->decoder);
    c->decoder = decoder_new(c);
}

char *cpu_model_lost(const struct cpu *c, const struct cpu_limit *limit)
{
    GString *names = g_string_new(NULL);

    for (unsigned k = FEAT_NONE + 1; k < FEAT_COUNT; k++) {
        if (is_lost(c, k, limit)) {
            g_string_append_printf(names, "%s%s", names->len ? "," : "", features[k].name);
        }
    }
    return g_string_free(names, !names->len);
}

uint32_t cpu_signature(const struct cpu *c)
{
    return c->host ? c->host->signature : c->model->signature;
}

bool cpu_model_is_host(const struct cpu *c)
{
    return c->model == &models[MODEL_HOST];
}

bool cpu_host_has_more(const struct cpu *c)
{
    uint32_t any = 0;

    for (unsigned n = 0; c->host && n < CPU_HOST_LEAVES; n++) {
        for (unsigned reg = 0; reg < 4; reg++) {
            any |= c->host->more[n].reg[reg];
        }
    }
    return any;
}

/* ---- leaves ---- */

/* OR the feature bits that stand in this leaf into out[]. */
static void leaf_features(const struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    for (unsigned k = FEAT_NONE + 1; k < FEAT_COUNT; k++) {
        if (features[k].leaf == leaf && features[k].sub == sub && features[k].reg != REG_NONE &&
            cpu_has(c, k)) {
            out[features[k].reg] |= BIT(features[k].bit);
        }
    }
}

static bool apic_enabled(struct cpu *c)
{
    bool on = true;

    if (c->v->apic) {
        cpu_outside(c, OUTSIDE_APIC);
        on = c->v->apic->get_base(c->v->apic_dev) & BIT(11);
    }
    return on;
}

/* Bits of the APIC id that number `n` things. */
static unsigned id_bits(unsigned n)
{
    unsigned bits = 0;

    while (BIT(bits) < n) {
        bits++;
    }
    return bits;
}

/* How the machine's processors are put together (ui/smp.c). */
struct topology {
    unsigned threads, cores;        /* of a core, of a package */
    unsigned core_shift, pkg_shift; /* of an APIC id: what is above names the core, the package */
};

static struct topology topology_of(const struct cpu *c)
{
    const struct vm_config *config = &c->v->m->config;
    struct topology t = {.threads = MAX(config->threads, 1u)};

    t.cores = config->cores ? config->cores : MAX(c->v->m->ncpus / t.threads, 1u);
    if (c->model->max_leaf < 4) { /* from before there were several processors in a package */
        t.cores = t.threads = 1;
    }
    t.core_shift = id_bits(t.threads);
    t.pkg_shift = t.core_shift + id_bits(t.cores);
    return t;
}

static void leaf_1(struct cpu *c, uint32_t out[4])
{
    struct topology t = topology_of(c);

    out[REG_EAX] = cpu_signature(c);
    leaf_features(c, 1, 0, out);
    if (cpu_has(c, FEAT_CLFLUSH)) {
        out[REG_EBX] |= 8u << 8; /* 64-byte lines */
    }
    if (cpu_has(c, FEAT_APIC)) {
        out[REG_EBX] |= c->v->id << 24 | MIN(BIT(t.pkg_shift), 255u) << 16;
        if (!apic_enabled(c)) {
            out[REG_EDX] &= ~(uint32_t)BIT(9);
        }
    }
    if (c->cr4 & CR4_OSXSAVE) {
        out[REG_ECX] |= BIT(27);
    }
    if (t.cores * t.threads > 1) {
        out[REG_EDX] |= BIT(28); /* several processors in a package */
    }
}

/* Deterministic cache parameters: L1 32 KiB each, L2 256 KiB per core, L3 8 MiB per package. */
static void leaf_4(const struct cpu *c, uint32_t sub, uint32_t out[4])
{
    static const struct {
        uint8_t type, level, ways;
        uint16_t sets;
        bool shared;
    } cache[] = {
        {1, 1, 8, 64, false}, {2, 1, 8, 64, false}, {3, 2, 8, 512, false}, {3, 3, 16, 8192, true}};

    struct topology t = topology_of(c);

    if (sub < ARRAY_LEN(cache)) {
        unsigned sharing = BIT(cache[sub].shared ? t.pkg_shift : t.core_shift) - 1;

        out[REG_EAX] = cache[sub].type | cache[sub].level << 5 | BIT(8) | sharing << 14 |
                       (BIT(t.pkg_shift - t.core_shift) - 1) << 26;
        out[REG_EBX] = 63 | (cache[sub].ways - 1u) << 22;
        out[REG_ECX] = cache[sub].sets - 1u;
        out[REG_EDX] = cache[sub].shared ? BIT(1) : 0;
    }
}

static void leaf_b(const struct cpu *c, uint32_t sub, uint32_t out[4])
{
    struct topology t = topology_of(c);

    out[REG_ECX] = sub;
    out[REG_EDX] = c->v->id;
    if (sub == 0) { /* threads of a core */
        out[REG_EAX] = t.core_shift;
        out[REG_EBX] = t.threads;
        out[REG_ECX] |= 1 << 8;
    } else if (sub == 1) { /* processors of a package */
        out[REG_EAX] = t.pkg_shift;
        out[REG_EBX] = t.cores * t.threads;
        out[REG_ECX] |= 2 << 8;
    }
}

enum { XSAVE_LEGACY = 576, XSAVE_AVX = 256 };

static void leaf_d(const struct cpu *c, uint32_t sub, uint32_t out[4])
{
    bool avx = cpu_has(c, FEAT_AVX);

    if (!cpu_has(c, FEAT_XSAVE)) {
        return;
    }
    uint32_t now = XSAVE_LEGACY + (c->fpu.xcr0 & 4 ? XSAVE_AVX : 0);
    if (sub == 0) {
        out[REG_EAX] = avx ? 7 : 3;
        out[REG_EBX] = now;
        out[REG_ECX] = XSAVE_LEGACY + (avx ? XSAVE_AVX : 0);
    } else if (sub == 1) {
        leaf_features(c, 13, 1, out);
        out[REG_EBX] = cpu_has(c, FEAT_XSAVEC) ? now : 0;
    } else if (sub == 2 && avx) {
        out[REG_EAX] = XSAVE_AVX;
        out[REG_EBX] = XSAVE_LEGACY;
    }
}

/* Feeds the APIC timer too. */
#define CRYSTAL_KHZ 1000000u

/*
 * The TSC's rate as a multiple of the crystal's: the fraction that is nearest.  Its numerator times
 * the crystal's kHz has to fit 32 bits: Linux works it out in those.
 */
static void leaf_15(const struct cpu *c, uint32_t out[4])
{
    uint64_t best = UINT64_MAX;

    for (uint64_t d = 1; best; d++) {
        uint64_t n = (c->tsc_khz * d + CRYSTAL_KHZ / 2) / CRYSTAL_KHZ;
        uint64_t is = n * CRYSTAL_KHZ * 1000 / d, is_to_be = c->tsc_khz * 1000ull;
        uint64_t off = is > is_to_be ? is - is_to_be : is_to_be - is;

        if (n * CRYSTAL_KHZ > UINT32_MAX) {
            break;
        }
        if (off < best) {
            best = off;
            out[REG_EAX] = (uint32_t)d;
            out[REG_EBX] = (uint32_t)n;
        }
    }
    out[REG_ECX] = CRYSTAL_KHZ * 1000;
}

static void leaf_basic(struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    switch (leaf) {
    case 0:
        out[REG_EAX] = c->model->max_leaf;
        memcpy(&out[REG_EBX], "Genu", 4);
        memcpy(&out[REG_EDX], "ineI", 4);
        memcpy(&out[REG_ECX], "ntel", 4);
        break;
    case 1:
        leaf_1(c, out);
        break;
    case 2: /* descriptor 0xff: see leaf 4; Pentium III: 16+16 KiB L1, 256 KiB L2 */
        out[REG_EAX] = c->model->max_leaf >= 4 ? 0x76036301 : 0x03020101;
        out[REG_EBX] = c->model->max_leaf >= 4 ? 0x00f0b5ff : 0;
        out[REG_EDX] = c->model->max_leaf >= 4 ? 0x00c30000 : 0x0c040882;
        break;
    case 4:
        leaf_4(c, sub, out);
        break;
    case 6:
        out[REG_EAX] = cpu_has(c, FEAT_APIC) ? BIT(2) : 0; /* ARAT: the APIC timer never stops */
        break;
    case 7:
        leaf_features(c, 7, sub, out);
        out[REG_EAX] = sub == 0 && cpu_has(c, FEAT_BHI_CTRL) ? 2 : 0; /* the last sub-leaf */
        break;
    case 0xb:
        if (cpu_has(c, FEAT_APIC)) {
            leaf_b(c, sub, out);
        }
        break;
    case 0xd:
        leaf_d(c, sub, out);
        break;
    case 0x15:
        leaf_15(c, out);
        break;
    case 0x16: /* MHz: base, maximum, bus */
        out[REG_EAX] = out[REG_EBX] = (c->tsc_khz + 500) / 1000;
        out[REG_ECX] = 100;
        break;
    default:
        break;
    }
}

static void leaf_extended(struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    static const char brand[48] = "Candela virtual CPU";

    switch (leaf) {
    case 0x80000000:
        out[REG_EAX] = 0x80000008;
        break;
    case 0x80000001:
        leaf_features(c, leaf, 0, out);
        if (!cpu_is_64(c)) {
            out[REG_EDX] &= ~(uint32_t)BIT(11); /* Intel: SYSCALL exists in 64-bit code only */
        }
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        memcpy(out, brand + 16 * (leaf - 0x80000002), 16);
        break;
    case 0x80000006:
        out[REG_ECX] = 256u << 16 | 6 << 12 | 64; /* L2: 256 KiB, 8-way, 64-byte lines */
        break;
    case 0x80000007:
        leaf_features(c, leaf, 0, out);
        break;
    case 0x80000008:
        out[REG_EAX] = c->model->phys_bits | (cpu_has(c, FEAT_LM) ? 48 : 32) << 8;
        break;
    default:
        break;
    }
}

/* What VMware says of itself; its timing leaf gives kHz of TSC and of the APIC timer. */
static void leaf_vmware(const struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    if (leaf == 0x40000000) {
        out[REG_EAX] = 0x40000010;
        memcpy(&out[REG_EBX], "VMwa", 4);
        memcpy(&out[REG_ECX], "reVM", 4);
        memcpy(&out[REG_EDX], "ware", 4);
    } else if (leaf == 0x40000010) {
        out[REG_EAX] = c->tsc_khz;
        out[REG_EBX] = CRYSTAL_KHZ;
    }
}

/* What the host's processor changes about a leaf. */
static void leaf_host(const struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    const struct cpu_host *h = c->host;

    if (leaf == 0) {
        out[REG_EBX] = h->vendor[0];
        out[REG_ECX] = h->vendor[1];
        out[REG_EDX] = h->vendor[2];
    } else if (leaf == 1) {
        out[REG_EAX] = h->signature;
    } else if (leaf >= 0x80000002 && leaf <= 0x80000004) {
        memcpy(out, h->brand + 16 * (leaf - 0x80000002), 16);
    }
    for (unsigned n = 0; n < CPU_HOST_LEAVES; n++) {
        for (unsigned reg = 0; h->more[n].leaf == leaf && h->more[n].sub == sub && reg < 4; reg++) {
            out[reg] |= h->more[n].reg[reg];
        }
    }
    if (leaf == 7 && sub == 0 && !out[REG_EAX]) {
        out[REG_EAX] = 1; /* there is a sub-leaf 1 */
    }
}

static void leaf_of_model(struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    bool has_extended = c->model->max_leaf >= 4;

    memset(out, 0, 4 * sizeof *out);
    if (leaf >= 0x80000000 && leaf <= 0x80000008 && has_extended) {
        leaf_extended(c, leaf, out);
        return;
    }
    if (leaf >= 0x40000000 && leaf <= 0x40000010 && cpu_has(c, FEAT_VMWARE)) {
        leaf_vmware(c, leaf, out);
        return;
    }
    /* Beyond the last leaf Intel processors answer with the last one. */
    leaf_basic(c, leaf > c->model->max_leaf ? c->model->max_leaf : leaf, sub, out);
}

void cpu_cpuid(struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    leaf_of_model(c, leaf, sub, out);
    if (c->host) {
        leaf_host(c, leaf, sub, out);
    }
}
