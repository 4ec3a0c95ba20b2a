/*
 * The rig: a machine without processors' threads, for tests of devices.
 *
 * Time is stepped, nothing runs by itself, and the test holds the machine lock from rig_begin to
 * rig_free, so that it may call device code directly.  There is one vCPU handle, whose requests can
 * be looked at.
 *
 *     struct rig *r = rig_begin(NULL);
 *     struct device *pit = device_new(r->m, &i8254_ops, "pit");
 *     rig_ready(r);
 *     rig_out8(r, 0x43, 0x34);
 *     ...
 *     rig_free(r);
 *
 * Not modelled: the CPU; interrupts are acknowledged by hand (rig_ack).
 */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include "hw/core/machine.h"

#define RIG_RAM_BYTES (16 * MiB)

/* Whether this is a build with the address sanitizer (slower, and it needs address space). */
#if defined(__SANITIZE_ADDRESS__)
#define RIG_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RIG_SANITIZED true
#endif
#endif
#ifndef RIG_SANITIZED
#define RIG_SANITIZED false
#endif

struct rig {
    struct machine *m;
    struct ram *ram; /* RIG_RAM_BYTES at address 0; NULL with a board of its own */
    struct region region;
};

/* A line's end: what came over it. */
struct rig_pin {
    bool level;
    unsigned rises, falls;
};

/* The software engine that the tests run: the interpreter, or by CANDELA_TEST_ACCEL=jit the
 * translator. */
const struct accel_ops *rig_accel_ops(void);
/* The same; the translator then takes every block of m at its first entry.  Before vcpu_init. */
const struct accel_ops *rig_accel(struct machine *m);
/* A machine with 16 MiB of RAM and no devices; `config` NULL: the defaults.  Lock held from here
 * on. */
struct rig *rig_begin(const struct vm_config *config);
/* Attach and reset what the test created; an error fails the test. */
void rig_ready(struct rig *r);
/* The same in one, with the devices made by `build`. */
struct rig *rig_new(bool (*build)(struct machine *m, GError **err));
/* A whole board instead, with RAM of its own; NULL and the error when it cannot be built. */
struct rig *rig_new_board(const struct vm_config *config, const struct board *board,
                          void (*prepare)(struct machine *m), GError **err);
void rig_free(struct rig *r);

void rig_out8(struct rig *r, uint16_t port, uint8_t val);
void rig_out16(struct rig *r, uint16_t port, uint16_t val);
void rig_out32(struct rig *r, uint16_t port, uint32_t val);
uint8_t rig_in8(struct rig *r, uint16_t port);
uint16_t rig_in16(struct rig *r, uint16_t port);
uint32_t rig_in32(struct rig *r, uint16_t port);
/* Write 1, 2 or 4 bytes of a PCI function's configuration space. */
void rig_config_write(struct rig *r, unsigned devfn, unsigned reg, uint32_t val, unsigned size);
/* Physical memory, as a processor reaches it: 1, 2, 4 or 8 bytes. */
uint64_t rig_mmio_read(struct rig *r, uint64_t pa, unsigned size);
void rig_mmio_write(struct rig *r, uint64_t pa, uint64_t val, unsigned size);
/* Host pointer to guest RAM; fails the test when the bytes are not all RAM. */
uint8_t *rig_ram(struct rig *r, uint64_t pa, uint64_t len);

/* Let time pass; timers fire in order. */
void rig_step(struct rig *r, int64_t ns);
/* Let disk requests and posts finish, and what they cause. */
void rig_settle(struct rig *r);
/* A guest's reset, at once. */
void rig_reset(struct rig *r);

/* The processor's interrupt pin, and the acknowledge cycle (vector, or -1). */
bool rig_irq_pin(struct rig *r);
int rig_ack(struct rig *r);

/* End a line at a pin the test can look at; the level a line drives now. */
void rig_connect(struct line *l, struct rig_pin *pin);
bool rig_level(const struct line *l);

/* A disk in memory (zeros), owned as any block; set `*fail` to an errno value to make requests
 * fail. */
struct block *rig_disk(uint64_t sectors, uint8_t **data, int **fail);

#endif
