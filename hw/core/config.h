/*
 * What a machine is made of, as plain data.  The command line fills it (ui/options.c); the key file
 * will (issue 5).
 *
 * Not modelled: network cards, and devices beyond the board.
 */
#ifndef HW_CORE_CONFIG_H
#define HW_CORE_CONFIG_H

#include "hw/core/base.h"

enum { VM_MAX_CPUS = 64, VM_MAX_DRIVES = 8, VM_SERIALS = 2, DRIVE_SERIAL_MAX = 20 };
#define VM_MAX_MEMORY (64ull * GiB)
#define VM_MIN_MEMORY (1ull * MiB)

enum drive_if { DRIVE_IDE, DRIVE_FLOPPY };
enum drive_media { DRIVE_DISK, DRIVE_CDROM };
enum drive_format { DRIVE_FORMAT_AUTO, DRIVE_FORMAT_RAW, DRIVE_FORMAT_VHD };
enum triple_fault { TRIPLE_FAULT_RESET, TRIPLE_FAULT_PAUSE, TRIPLE_FAULT_EXIT };

struct drive_config {
    bool used;
    char *file;   /* NULL: an empty CD drive */
    char *serial; /* IDE: the serial number, at most 20 printable characters; NULL: made up */
    enum drive_if interface;
    enum drive_media media;
    enum drive_format format;
    unsigned
        index; /* IDE: 0..3 = primary master, primary slave, secondary master, secondary slave */
    bool readonly, snapshot;
};

struct vm_config {
    char *name;
    uint64_t memory; /* bytes */
    unsigned cpus;
    unsigned cores,
        threads;     /* of a package, of a core; 0: one package with all cores, one thread */
    char *cpu_model; /* "x86-64-v3", may have ",+feature,-feature" */
    char *accel;     /* "auto", "interp", ... */
    char *bios;      /* firmware image, NULL: the one found at configure time */
    char *vga_bios;  /* likewise */
    struct drive_config drives[VM_MAX_DRIVES];
    char *boot_order; /* letters of a, c, d, n; NULL: "cda" */
    bool boot_menu;
    char *kernel, *initrd, *append;
    char *serial[VM_SERIALS]; /* endpoint as typed, NULL: none */
    char *debugcon;
    int debug_exit_port; /* -1: none */
    bool debug_exit_qemu;
    char *rtc_base; /* NULL or "utc", "localtime", or an ISO date and time */
    bool rtc_by_vm; /* the RTC counts virtual time, and so stands while the machine is held; else it
                       goes on with the host's clock */
    bool no_reboot, no_shutdown;
    enum triple_fault on_triple_fault;
    uint64_t max_insns; /* 0: no budget */
    uint32_t trace_mask;
    char *log_file;
};

/* Defaults: 512 MiB, 1 CPU, x86-64-v3, auto. */
void vm_config_init(struct vm_config *c);
void vm_config_clear(struct vm_config *c);
/* Cores of a package, and packages, as `cores`, `threads` and `cpus` come to. */
unsigned vm_config_cores(const struct vm_config *c);
unsigned vm_config_packages(const struct vm_config *c);
/* Deep copy. */
void vm_config_copy(struct vm_config *to, const struct vm_config *from);

#endif
