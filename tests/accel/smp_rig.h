/*
 * A machine of several processors on a software engine (rig_accel_ops), each with its thread, for
 * tests of what they do to each other: RAM, a local APIC each, nothing else.  Guest programs are
 * host assembly (position-independent 64-bit code between two labels); every processor starts at
 * the same place with
 *
 *     RDI = its number, RSI = how many there are, RBX = SMP_DATA, RBP = SMP_APIC, RSP = its stack
 *
 * and ends with SMP_END, which counts it as done and halts.
 *
 * Not modelled: firmware; processors do not wait for their SIPI unless the test makes them.
 */
#ifndef TESTS_ACCEL_SMP_RIG_H
#define TESTS_ACCEL_SMP_RIG_H

#include "tests/cpu/guest.h"

enum {
    SMP_CODE = 0x100000,
    SMP_DATA = 0x200000, /* zeros, up to SMP_DONE */
    SMP_DONE = 0x7ff000, /* how many programs have ended */
    SMP_STACKS = 0x80000,
    SMP_APIC = 0xf00000, /* linear address of the APIC's registers */
};

struct smp_rig {
    struct machine *m;
    struct ram *ram;
    struct region region;
    struct device *apic[VM_MAX_CPUS];
};

/* A program: what stands between the labels NAME_begin and NAME_end. */
#define SMP_PROGRAM(name, ...)                                                                     \
    extern const uint8_t name##_begin[], name##_end[];                                             \
    __asm__(".pushsection .rodata\n"                                                               \
            ".p2align 4\n" #name "_begin:\n" __VA_ARGS__ "\n" #name "_end:\n"                      \
            ".popsection\n")
#define SMP_END "lock incl 0x7ff000\n 99: cli\n hlt\n jmp 99b\n"

/* `cpus` processors in 64-bit mode, ready to run the program. */
void smp_begin(struct smp_rig *r, unsigned cpus, const uint8_t *begin, const uint8_t *end);
void smp_begin_on(struct smp_rig *r, const struct accel_ops *accel, unsigned cpus,
                  const uint8_t *begin, const uint8_t *end);
/* The same with another CPU model than the usual one. */
void smp_begin_model(struct smp_rig *r, const struct accel_ops *accel, unsigned cpus,
                     const char *model, const uint8_t *begin, const uint8_t *end);
/* Then: put the first processor before the program in 32-bit protected mode instead. */
void smp_place_32(struct smp_rig *r);
/* Skip the test where there is no KVM that runs small guests. */
void smp_need_kvm(void);
#define SMP_BEGIN(r, cpus, name) smp_begin(r, cpus, name##_begin, name##_end)
/* Start the threads. */
void smp_start(struct smp_rig *r);
/* Wait until `count` programs have ended; fails the test after a minute and a half. */
void smp_wait(struct smp_rig *r, unsigned count);
/* Stop and free everything. */
void smp_free(struct smp_rig *r);
/* smp_start and smp_wait for all of them. */
void smp_run(struct smp_rig *r);
uint32_t smp_get32(const struct smp_rig *r, uint64_t pa);
uint64_t smp_get64(const struct smp_rig *r, uint64_t pa);

#endif
