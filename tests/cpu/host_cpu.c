/* See host_cpu.h.  Not modelled: see there. */
#include "tests/cpu/host_cpu.h"
#include <cpuid.h>
#include <string.h>
#include <sys/auxv.h>

bool host_has(enum feature f)
{
    enum { EAX, EBX, ECX, EDX, NONE };
    static const struct {
        uint32_t leaf, sub;
        uint8_t reg, bit;
    } places[] = {
        [FEAT_NONE] = {0, 0, NONE, 0},
#define FEAT(id, name, leaf, sub, reg, bit) [FEAT_##id] = {leaf, sub, reg, bit},
#include "cpu/features.inc"
#undef FEAT
    };
    unsigned r[4] = {0};

    if (places[f].reg == NONE) {
        return true;
    }
    if (f == FEAT_FSGSBASE) { /* the system must have switched it on */
        return getauxval(AT_HWCAP2) & 2;
    }
    return __get_cpuid_count(places[f].leaf, places[f].sub, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) &&
           (r[places[f].reg] >> places[f].bit & 1);
}

bool host_is_intel(void)
{
    unsigned r[4] = {0};

    __get_cpuid(0, &r[0], &r[1], &r[2], &r[3]);
    return r[1] == signature_INTEL_ebx && r[3] == signature_INTEL_edx;
}

uint32_t host_other_flags(const struct op_row *row)
{
    bool multiply = !strcmp(row->name, "imul") || !strcmp(row->name, "mul");

    return multiply && !host_is_intel() ? FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF : 0;
}
