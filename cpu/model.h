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

/*
 * What the guest of the model "host" sees of the host's processor besides the features: made by an
 * engine that runs it on that (accel/kvm_cpuid.c).  `more`: bits of leaves that this CPU has no
 * features for, instructions without state of their own.
 */
enum { CPU_HOST_LEAVES = 3 };
struct cpu_host {
    uint32_t vendor[3]; /* EBX, ECX, EDX of leaf 0 */
    uint32_t signature;
    uint8_t brand[48];
    struct {
        uint32_t leaf, sub, reg[4];
    } more[CPU_HOST_LEAVES];
};
bool cpu_model_is_host(const struct cpu *c);
/* Whether the guest was shown instructions that the software CPU has not. */
bool cpu_host_has_more(const struct cpu *c);

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
