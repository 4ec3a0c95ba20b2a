/*
 * The CPU model of a struct cpu: what cpuid.c gives to the rest of the CPU.
 *
 * Not modelled: see cpu/cpuid.c.
 */
#ifndef CPU_MODEL_H
#define CPU_MODEL_H

#include "cpu/cpu.h"

struct cpu_model {
    const char *name, *title;
    uint32_t signature; /* CPUID.1:EAX, EDX at reset */
    uint32_t max_leaf;
    uint8_t phys_bits;
    const struct cpu_model *base; /* its features are included; NULL: none */
    const uint16_t *features;     /* enum feature, up to FEAT_NONE */
};

/* Parse "model,+name,-name" into c->model, c->feat and c->phys_mask; CONFIG error names what is
 * wrong. */
bool cpu_model_set(struct cpu *c, const char *text, GError **err);
/* Who says of a feature's bit whether it can be had; reg: 0 EAX to 3 EDX. */
struct cpu_limit {
    bool (*has)(const void *of, uint32_t leaf, uint32_t sub, unsigned reg, unsigned bit);
    const void *of;
};
/* Take the features out that cannot be had, and what needs them. */
void cpu_model_limit(struct cpu *c, const struct cpu_limit *limit);
/* Their names, with commas; NULL: it would take none.  g_free. */
char *cpu_model_lost(const struct cpu *c, const struct cpu_limit *limit);
uint32_t cpu_signature(const struct cpu *c);

#endif
