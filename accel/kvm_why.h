/*
 * Why /dev/kvm cannot be used, and what to do (kvm_why.c).
 *
 * Not modelled: what a /dev/kvm that opens can do (kvm_host.c).
 */
#ifndef ACCEL_KVM_WHY_H
#define ACCEL_KVM_WHY_H

#include "hw/core/base.h"

/* What bears on it. */
struct kvm_facts {
    bool vmx, svm;      /* the processor shows VT-x, AMD-V */
    bool guest;         /* the host is a guest itself */
    const char *module; /* the vendor's module that is loaded, or NULL */
    char *group;        /* the device's, or NULL: no device */
    bool group_may;     /* the group may use it */
};

/* Those of the host whose /dev, /proc and /sys lie under `root`: "" or a test's folder. */
void kvm_facts_read(struct kvm_facts *f, const char *root);
void kvm_facts_clear(struct kvm_facts *f);
/* One line for people about errno `error` of opening the device, or of making a machine; g_free. */
char *kvm_facts_explain(const struct kvm_facts *f, int error);
/* Open the device; -1 and the line in *why. */
int kvm_open_device(const char *root, char **why);

#endif
