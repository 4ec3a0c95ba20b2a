/*
 * What a machine is made of, as plain data.  The command line and key files fill it
 * (ui/options.c).
 *
 * Not modelled: devices beyond the board.
 */
#ifndef HW_CORE_CONFIG_H
#define HW_CORE_CONFIG_H

#include "hw/core/base.h"

enum {
    VM_MAX_CPUS = 64,
    VM_MAX_DRIVES = 8,
    VM_SERIALS = 2,
    DRIVE_SERIAL_MAX = 20,
    VM_MAX_NICS = 4,
    NIC_MAX_FORWARDS = 16,
    VLAN_MAX = 4094,
};
#define VM_MAX_MEMORY       (64ull * GiB)
#define VM_MIN_MEMORY       (1ull * MiB)
#define VM_MIN_VIDEO_MEMORY (1ull * MiB)
#define VM_MAX_VIDEO_MEMORY (64ull * MiB)

enum drive_if { DRIVE_IDE, DRIVE_FLOPPY };
enum drive_media { DRIVE_DISK, DRIVE_CDROM };
enum drive_format { DRIVE_FORMAT_AUTO, DRIVE_FORMAT_RAW, DRIVE_FORMAT_VHD };
enum triple_fault { TRIPLE_FAULT_RESET, TRIPLE_FAULT_PAUSE, TRIPLE_FAULT_EXIT };

/* How a pointer reaches the guest: always as a PS/2 mouse; and the VMware port beside it. */
enum pointer_kind { POINTER_VMWARE, POINTER_PS2 };

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

enum nic_model { NIC_DEC21140 };
/* What is at the other end of the cable. */
enum nic_peer {
    NIC_PEER_NONE,   /* nothing: a cable without an end */
    NIC_PEER_USER,   /* address translation in this process (libslirp) */
    NIC_PEER_SWITCH, /* a switch of this host's machines */
    NIC_PEER_TAP,    /* a TAP interface of the host */
};
/* What the port does with 802.1Q tags on behalf of its card. */
enum nic_vlan {
    NIC_VLAN_ALL,    /* nothing: frames pass as they are */
    NIC_VLAN_ACCESS, /* the card sees untagged frames of VLAN `vlan` only */
    NIC_VLAN_TRUNK,  /* tagged frames pass, of the VLANs in `trunk`; untagged ones do not */
};

/* The network behind NIC_PEER_USER; NULL strings: libslirp's own or the usual ones. */
struct nic_user_config {
    bool restricted; /* only the forwards below; nothing else gets out */
    bool no_ipv6;
    char *network;                   /* "10.0.2.0/24" */
    char *host, *dns, *dhcp_start;   /* addresses in it */
    char *hostname, *domain;         /* told by DHCP */
    char *tftp, *bootfile;           /* folder served; file name told by DHCP */
    char *forward[NIC_MAX_FORWARDS]; /* "tcp:127.0.0.1:2222-:22" as typed */
};

struct nic_config {
    bool used;
    enum nic_model model;
    enum nic_peer peer;
    char *id;   /* "nic0" */
    char *name; /* of the switch or the TAP interface */
    uint8_t mac[6];
    bool has_mac; /* else ui gives one before the machine is made */
    bool link_down;
    enum nic_vlan vlan_mode;
    uint16_t vlan;
    uint8_t trunk[(VLAN_MAX + 8) / 8]; /* a bit per VLAN */
    char *pcap;                        /* file that gets the card's frames */
    struct nic_user_config user;
};

struct vm_config {
    char *name;
    char *uuid;            /* as text; NULL: it follows from the name */
    uint64_t memory;       /* bytes */
    uint64_t video_memory; /* bytes: a power of two */
    unsigned cpus;
    unsigned cores,
        threads;     /* of a package, of a core; 0: one package with all cores, one thread */
    char *cpu_model; /* "x86-64-v3", may have ",+feature,-feature" */
    char *accel;     /* "auto", "interp", ... */
    char *bios;      /* firmware image, NULL: the one found at configure time */
    char *vga_bios;  /* likewise */
    struct drive_config drives[VM_MAX_DRIVES];
    struct nic_config nics[VM_MAX_NICS];
    char *boot_order; /* letters of a, c, d, n; NULL: "cda" */
    bool boot_menu;
    char *kernel, *initrd, *append;
    char *serial[VM_SERIALS]; /* endpoint as typed, NULL: none */
    char *debugcon;
    int debug_exit_port; /* -1: none */
    bool debug_exit_qemu;
    enum pointer_kind pointer;
    char *rtc_base; /* NULL or "utc", "localtime", or an ISO date and time */
    bool rtc_by_vm; /* the RTC counts virtual time, and so stands while the machine is held; else it
                       goes on with the host's clock */
    bool no_reboot, no_shutdown;
    enum triple_fault on_triple_fault;
    uint64_t max_insns; /* 0: no budget */
    unsigned jit_hot;   /* entries of a block before it is translated; 0: the engine's choice */
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
