/*
 * The KVM accelerator: the host's processor runs the guest.
 *
 * Not modelled: see accel/kvm.c.
 */
#ifndef ACCEL_KVM_H
#define ACCEL_KVM_H

#include "hw/core/machine.h"

extern const struct accel_ops accel_kvm;
/* The same with local APICs of ours: slower, and what hosts without the kernel's get anyway. */
extern const struct accel_ops accel_kvm_user_apic;

/* What this host's KVM was seen to run. */
enum kvm_fit {
    KVM_FIT_NONE,  /* nothing, or there is none */
    KVM_FIT_SMALL, /* real mode and 32-bit code, but no 64-bit code */
    KVM_FIT_ALL,
};
/*
 * Try it with two small guests of its own: a few milliseconds, or seconds where one hangs.  Below
 * KVM_FIT_ALL *why says what is wrong and what to do: one line, to be freed.  `err` of
 * accel_ops.available is the same.
 */
enum kvm_fit kvm_try(char **why);

#endif
