/*
 * What the CPU says about itself.
 * Follows: Intel SDM volume 2, CPUID; AMD64 manual volume 3 appendix E for the leaves from
 * 80000000h on. Not modelled: caches, topology, leaves that only servers use. A CPU without CPUID
 * is called a 486, the oldest the lab runs on.
 */
#include "io.h"
#include "lab.h"

#define EFLAGS_ID (1u << 21)

/* Indices into cpu_info.words. */
enum word { W1_EDX, W1_ECX, W7_EBX, W7_ECX, WX1_EDX, WX1_ECX, WX7_EDX, WD1_EAX };

struct feature {
    uint8_t word, bit;
    bool notable;
    char name[11];
};

static const struct feature features[] = {
    {W1_EDX, 0, true, "fpu"},         {W1_EDX, 1, false, "vme"},
    {W1_EDX, 2, false, "de"},         {W1_EDX, 3, false, "pse"},
    {W1_EDX, 4, true, "tsc"},         {W1_EDX, 5, false, "msr"},
    {W1_EDX, 6, true, "pae"},         {W1_EDX, 7, false, "mce"},
    {W1_EDX, 8, false, "cx8"},        {W1_EDX, 9, true, "apic"},
    {W1_EDX, 11, false, "sep"},       {W1_EDX, 12, false, "mtrr"},
    {W1_EDX, 13, false, "pge"},       {W1_EDX, 14, false, "mca"},
    {W1_EDX, 15, false, "cmov"},      {W1_EDX, 16, false, "pat"},
    {W1_EDX, 17, false, "pse36"},     {W1_EDX, 19, false, "clflush"},
    {W1_EDX, 23, true, "mmx"},        {W1_EDX, 24, false, "fxsr"},
    {W1_EDX, 25, true, "sse"},        {W1_EDX, 26, true, "sse2"},
    {W1_EDX, 27, false, "ss"},        {W1_EDX, 28, false, "htt"},
    {W1_ECX, 0, false, "sse3"},       {W1_ECX, 1, false, "pclmul"},
    {W1_ECX, 3, false, "monitor"},    {W1_ECX, 5, false, "vmx"},
    {W1_ECX, 9, false, "ssse3"},      {W1_ECX, 12, true, "fma"},
    {W1_ECX, 13, false, "cx16"},      {W1_ECX, 17, false, "pcid"},
    {W1_ECX, 19, false, "sse4.1"},    {W1_ECX, 20, true, "sse4.2"},
    {W1_ECX, 21, true, "x2apic"},     {W1_ECX, 22, false, "movbe"},
    {W1_ECX, 23, false, "popcnt"},    {W1_ECX, 24, false, "tscdl"},
    {W1_ECX, 25, true, "aes"},        {W1_ECX, 26, false, "xsave"},
    {W1_ECX, 28, true, "avx"},        {W1_ECX, 29, false, "f16c"},
    {W1_ECX, 30, false, "rdrand"},    {W1_ECX, 31, false, "hypervisor"},
    {W7_EBX, 0, false, "fsgsbase"},   {W7_EBX, 3, false, "bmi1"},
    {W7_EBX, 5, true, "avx2"},        {W7_EBX, 7, true, "smep"},
    {W7_EBX, 8, false, "bmi2"},       {W7_EBX, 9, false, "erms"},
    {W7_EBX, 10, false, "invpcid"},   {W7_EBX, 16, false, "avx512f"},
    {W7_EBX, 18, false, "rdseed"},    {W7_EBX, 19, false, "adx"},
    {W7_EBX, 20, true, "smap"},       {W7_EBX, 23, false, "clflushopt"},
    {W7_EBX, 29, true, "sha"},        {W7_ECX, 2, false, "umip"},
    {W7_ECX, 3, false, "pku"},        {W7_ECX, 16, false, "la57"},
    {W7_ECX, 22, false, "rdpid"},     {WX1_EDX, 11, false, "syscall"},
    {WX1_EDX, 20, true, "nx"},        {WX1_EDX, 26, false, "1gpages"},
    {WX1_EDX, 27, false, "rdtscp"},   {WX1_EDX, 29, true, "lm"},
    {WX1_ECX, 0, false, "lahf"},      {WX1_ECX, 2, false, "svm"},
    {WX1_ECX, 5, false, "lzcnt"},     {WX1_ECX, 6, false, "sse4a"},
    {WX1_ECX, 8, false, "prefetchw"}, {WX7_EDX, 8, true, "invtsc"},
    {WD1_EAX, 0, false, "xsaveopt"},  {WD1_EAX, 1, false, "xsavec"},
};

static bool cpu_can_cpuid(void)
{
    uintptr_t before, after;

    __asm__ volatile(
        "pushf\n\tpop %0\n\tmov %0, %1\n\txor %2, %1\n\tpush %1\n\tpopf\n\tpushf\n\tpop %1"
        : "=&r"(before), "=&r"(after)
        : "ri"(EFLAGS_ID)
        : "cc", "memory");
    return (before ^ after) & EFLAGS_ID;
}

static void cpu_read_signature(struct cpu_info *cpu)
{
    uint32_t r[4];

    cpuid(1, 0, r);
    cpu->words[W1_EDX] = r[3];
    cpu->words[W1_ECX] = r[2];
    cpu->stepping = r[0] & 15;
    cpu->model = r[0] >> 4 & 15;
    cpu->family = r[0] >> 8 & 15;
    if (cpu->family == 6 || cpu->family == 15)
        cpu->model |= r[0] >> 12 & 0xf0;
    if (cpu->family == 15)
        cpu->family += r[0] >> 20 & 0xff;
    if (cpu->max_leaf >= 7) {
        cpuid(7, 0, r);
        cpu->words[W7_EBX] = r[1];
        cpu->words[W7_ECX] = r[2];
    }
    if (cpu->max_leaf >= 0xd) {
        cpuid(0xd, 1, r);
        cpu->words[WD1_EAX] = r[0];
    }
    if (cpu->words[W1_ECX] >> 31) {
        cpuid(0x40000000, 0, r);
        memcpy(cpu->hypervisor, &r[1], 12);
    }
}

static void cpu_read_extended(struct cpu_info *cpu)
{
    uint32_t r[4];

    cpuid(0x80000000, 0, r);
    if (r[0] >> 16 != 0x8000)
        return;
    cpu->max_ext = r[0];
    if (cpu->max_ext >= 0x80000001) {
        cpuid(0x80000001, 0, r);
        cpu->words[WX1_EDX] = r[3];
        cpu->words[WX1_ECX] = r[2];
    }
    if (cpu->max_ext >= 0x80000004) {
        for (uint32_t i = 0; i < 3; i++) {
            cpuid(0x80000002 + i, 0, r);
            memcpy(cpu->brand + 16 * i, r, 16);
        }
    }
    if (cpu->max_ext >= 0x80000007) {
        cpuid(0x80000007, 0, r);
        cpu->words[WX7_EDX] = r[3];
    }
    if (cpu->max_ext >= 0x80000008) {
        cpuid(0x80000008, 0, r);
        cpu->phys_bits = r[0] & 0xff;
        cpu->virt_bits = r[0] >> 8 & 0xff;
    }
}

/* What a chip says is printed: keep control characters off the terminal, and blanks off the ends.
 */
static void cpu_clean(char *s)
{
    char *from = s, *to = s;

    while (*from == ' ')
        from++;
    for (; *from; from++)
        *to++ = *from < ' ' || *from > '~' ? '?' : *from;
    while (to > s && to[-1] == ' ')
        to--;
    *to = 0;
}

void cpu_detect(struct cpu_info *cpu)
{
    uint32_t r[4];

    cpu->phys_bits = 32;
    cpu->virt_bits = 32;
    cpu->family = 4;
    cpu->has_cpuid = cpu_can_cpuid();
    if (!cpu->has_cpuid)
        return;
    cpuid(0, 0, r);
    cpu->max_leaf = r[0];
    memcpy(cpu->vendor, &r[1], 4);
    memcpy(cpu->vendor + 4, &r[3], 4);
    memcpy(cpu->vendor + 8, &r[2], 4);
    if (cpu->max_leaf >= 1)
        cpu_read_signature(cpu);
    cpu_read_extended(cpu);
    cpu_clean(cpu->vendor);
    cpu_clean(cpu->brand);
    cpu_clean(cpu->hypervisor);
    cpu->has_tsc = cpu->words[W1_EDX] >> 4 & 1;
    cpu->has_msr = cpu->words[W1_EDX] >> 5 & 1;
    cpu->has_apic = cpu->words[W1_EDX] >> 9 & 1;
}

void cpu_each_feature(const struct cpu_info *cpu, bool notable,
                      void (*show)(void *arg, const char *name), void *arg)
{
    for (size_t i = 0; i < ARRAY_LEN(features); i++) {
        const struct feature *f = &features[i];

        if ((cpu->words[f->word] >> f->bit & 1) && (f->notable || !notable))
            show(arg, f->name);
    }
}
