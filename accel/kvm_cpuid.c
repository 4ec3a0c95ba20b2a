/*
 * The CPU model under KVM: the same leaves as under the software CPU (cpu/cpuid.c), less what the
 * host's processor or kernel has not.
 *
 * What software makes up (local APIC, x2APIC, TSC deadlines, MTRRs) is ours and there whatever the
 * host has.
 *
 * Follows: Linux, Documentation/virt/kvm/api.rst (KVM_SET_CPUID2, KVM_GET_SUPPORTED_CPUID).
 *
 * The model "host" is that of the largest model, with the host's name and vendor, and with those of
 * its instructions that have no state of their own (more registers would be lost on the way to
 * another engine).
 *
 * Not modelled: leaves that depend on the mode (SYSCALL's bit always shows).
 */
#include "accel/kvm_int.h"
#include "cpu/model.h"
#include <cpuid.h>
#include <errno.h>

/* By register, and by leaf: bits that are ours to give. */
static const struct {
    uint32_t leaf, sub, reg, bits;
} made_up[] = {
    {1, 0, 2, BIT(21) | BIT(24)},                             /* x2APIC, TSC deadline */
    {1, 0, 3, BIT(9) | BIT(12) | BIT(7) | BIT(14) | BIT(27)}, /* APIC, MTRR, MCE, MCA, SS */
    {7, 0, 1, BIT(1)},                                        /* TSC_ADJUST */
    {7, 0, 3, BIT(29)},                                       /* ARCH_CAPABILITIES */
    {0x80000007, 0, 3, BIT(8)}, /* invariant TSC: the host's is looked at */
    {1, 0, 2, BIT(31)},         /* under a hypervisor, and under VMware: what we say we are */
    {0x40000000, 0, 0, BIT(0)},
};

/* Of the host's processor for the model "host". */
static const struct {
    uint32_t leaf, sub, reg[4];
} passed_on[CPU_HOST_LEAVES] = {
    {7, 0, {0, 0, BIT(8) | BIT(9) | BIT(10) | BIT(27) | BIT(28), BIT(10) | BIT(14)}},
    /* GFNI, VAES, VPCLMULQDQ, MOVDIRI, MOVDIR64B; MD_CLEAR, SERIALIZE */
    {7, 1, {BIT(0) | BIT(1) | BIT(2) | BIT(4) | BIT(10) | BIT(11) | BIT(12) | BIT(23), 0, 0, 0}},
    /* SHA512, SM3, SM4, AVX_VNNI, FZRM, FSRS, FSRC, AVX_IFMA */
    {0x80000001,
     0,
     {0, 0, BIT(6) | BIT(7) | BIT(11) | BIT(16) | BIT(21), BIT(22) | BIT(30) | BIT(31)}},
    /* SSE4A, MISALIGNSSE, XOP, FMA4, TBM; MMXEXT, 3DNOWEXT, 3DNOW */
};

static bool is_made_up(uint32_t leaf, uint32_t sub, unsigned reg, unsigned bit)
{
    for (unsigned n = 0; n < ARRAY_LEN(made_up); n++) {
        if (made_up[n].leaf == leaf && made_up[n].sub == sub && made_up[n].reg == reg &&
            made_up[n].bits & BIT(bit)) {
            return true;
        }
    }
    return false;
}

static bool host_has(const void *of, uint32_t leaf, uint32_t sub, unsigned reg, unsigned bit)
{
    const struct kvm_cpuid2 *list = of;

    for (unsigned n = 0; n < list->nent; n++) {
        const struct kvm_cpuid_entry2 *l = &list->entries[n];
        const uint32_t regs[4] = {l->eax, l->ebx, l->ecx, l->edx};

        if (l->function == leaf && l->index == sub && regs[reg] & BIT(bit)) {
            return true;
        }
    }
    return is_made_up(leaf, sub, reg, bit);
}

static const struct kvm_cpuid_entry2 *find_leaf(const struct kvm_cpuid2 *list, uint32_t leaf,
                                                uint32_t sub)
{
    for (unsigned n = 0; n < list->nent; n++) {
        if (list->entries[n].function == leaf && list->entries[n].index == sub) {
            return &list->entries[n];
        }
    }
    return NULL;
}

/* AVX's encodings make no sense without it. */
static uint32_t without_avx(const struct cpu *c, uint32_t leaf, unsigned reg, uint32_t bits)
{
    bool avx = cpu_has(c, FEAT_AVX2);
    uint32_t vex = leaf == 0x80000001 ? BIT(11) | BIT(16)
                   : reg == 2         ? BIT(9) | BIT(10)
                                      : BIT(0) | BIT(1) | BIT(2) | BIT(4) | BIT(23);

    return avx || (leaf == 7 && reg == 3) || (leaf == 0x80000001 && reg == 3) ? bits : bits & ~vex;
}

static void take_host(const struct kvm *k, struct cpu *c)
{
    struct cpu_host *h = g_new0(struct cpu_host, 1);
    uint32_t a, b, cx, d, *brand = (uint32_t *)(void *)h->brand;

    __cpuid(0, a, h->vendor[0], h->vendor[1], h->vendor[2]);
    __cpuid(1, h->signature, b, cx, d);
    __cpuid(0x80000000, a, b, cx, d);
    for (unsigned n = 0; a >= 0x80000004 && n < 3; n++) {
        __cpuid(0x80000002 + n, brand[4 * n], brand[4 * n + 1], brand[4 * n + 2], brand[4 * n + 3]);
    }
    for (unsigned n = 0; n < CPU_HOST_LEAVES; n++) {
        const struct kvm_cpuid_entry2 *l =
            find_leaf(k->supported, passed_on[n].leaf, passed_on[n].sub);
        const uint32_t regs[4] = {l ? l->eax : 0, l ? l->ebx : 0, l ? l->ecx : 0, l ? l->edx : 0};

        h->more[n].leaf = passed_on[n].leaf;
        h->more[n].sub = passed_on[n].sub;
        for (unsigned reg = 0; reg < 4; reg++) {
            h->more[n].reg[reg] =
                without_avx(c, passed_on[n].leaf, reg, regs[reg] & passed_on[n].reg[reg]);
        }
    }
    c->host = h;
}

void kvm_cpuid_limit(struct kvm *k, struct cpu *c)
{
    struct cpu_limit limit = {.has = host_has, .of = k->supported};

    cpu_model_limit(c, &limit);
    if (cpu_model_is_host(c) && !c->host && !c->icount) { /* a guest that ran has seen another */
        take_host(k, c);
    }
}

bool kvm_cpuid_fits(struct kvm *k, const struct cpu *c, GError **err)
{
    struct cpu_limit limit = {.has = host_has, .of = k->supported};
    g_autofree char *lost = cpu_model_lost(c, &limit);

    if (lost) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_ACCEL,
                    "KVM: this host does not give its guests what this one was shown of the CPU: "
                    "%s; a machine started with --accel kvm, or with --cpu-model MODEL,-NAME,..., "
                    "can change to it",
                    lost);
    }
    return !lost;
}

enum { LEAVES_MAX = 96 };

static void leaf_add(struct kvm_cpuid2 *list, struct cpu *c, uint32_t leaf, uint32_t sub, bool subs)
{
    uint32_t out[4];

    if (list->nent == LEAVES_MAX) {
        return;
    }
    cpu_cpuid(c, leaf, sub, out);
    if (leaf == 0x80000001 && cpu_has(c, FEAT_SYSCALL)) {
        out[3] |= BIT(11);
    }
    list->entries[list->nent++] = (struct kvm_cpuid_entry2){
        .function = leaf,
        .index = sub,
        .flags = subs ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
        .eax = out[0],
        .ebx = out[1],
        .ecx = out[2],
        .edx = out[3],
    };
}

bool kvm_cpuid_set(struct kvm_vcpu *e, struct cpu *c, GError **err)
{
    g_autofree struct kvm_cpuid2 *list =
        g_malloc0(sizeof *list + LEAVES_MAX * sizeof list->entries[0]);

    for (uint32_t leaf = 0; leaf <= c->model->max_leaf; leaf++) {
        unsigned subs = leaf == 4 ? 5 : leaf == 7 ? 3 : leaf == 0xb ? 3 : leaf == 0xd ? 3 : 0;

        for (unsigned sub = 0; sub < MAX(subs, 1u); sub++) {
            leaf_add(list, c, leaf, sub, subs);
        }
    }
    for (uint32_t leaf = 0x80000000; c->model->max_leaf >= 4 && leaf <= 0x80000008; leaf++) {
        leaf_add(list, c, leaf, 0, false);
    }
    for (uint32_t leaf = 0x40000000; cpu_has(c, FEAT_VMWARE) && leaf <= 0x40000010; leaf++) {
        leaf_add(list, c, leaf, 0, false);
    }
    if (kvm_call(e->fd, KVM_SET_CPUID2, list) >= 0) {
        return true;
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "KVM: CPUID cannot be set: %s",
                g_strerror(errno));
    return false;
}
