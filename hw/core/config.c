/*
 * struct vm_config: defaults, copy, release.
 *
 * Not modelled: parsing (ui/options.c).
 */
#include "hw/core/config.h"

void vm_config_init(struct vm_config *c)
{
    *c = (struct vm_config){
        .memory = 512 * MiB,
        .video_memory = 16 * MiB,
        .cpus = 1,
        .cpu_model = g_strdup("x86-64-v3"),
        .accel = g_strdup("auto"),
        .debug_exit_port = -1,
        .on_triple_fault = TRIPLE_FAULT_RESET,
    };
}

static void nic_config_each_string(struct nic_config *n, void (*fn)(char **s))
{
    fn(&n->id);
    fn(&n->name);
    fn(&n->pcap);
    fn(&n->user.network);
    fn(&n->user.host);
    fn(&n->user.dns);
    fn(&n->user.dhcp_start);
    fn(&n->user.hostname);
    fn(&n->user.domain);
    fn(&n->user.tftp);
    fn(&n->user.bootfile);
    for (unsigned i = 0; i < NIC_MAX_FORWARDS; i++) {
        fn(&n->user.forward[i]);
    }
}

/* Call fn on every string member. */
static void vm_config_each_string(struct vm_config *c, void (*fn)(char **s))
{
    fn(&c->name);
    fn(&c->uuid);
    fn(&c->cpu_model);
    fn(&c->accel);
    fn(&c->bios);
    fn(&c->vga_bios);
    fn(&c->boot_order);
    fn(&c->kernel);
    fn(&c->initrd);
    fn(&c->append);
    fn(&c->debugcon);
    fn(&c->rtc_base);
    fn(&c->log_file);
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        fn(&c->drives[i].file);
        fn(&c->drives[i].serial);
    }
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        nic_config_each_string(&c->nics[i], fn);
    }
    for (unsigned i = 0; i < VM_SERIALS; i++) {
        fn(&c->serial[i]);
    }
}

static void string_clear(char **s)
{
    g_clear_pointer(s, g_free);
}

static void string_own(char **s)
{
    *s = g_strdup(*s);
}

void vm_config_clear(struct vm_config *c)
{
    vm_config_each_string(c, string_clear);
    memset(c, 0, sizeof *c);
}

void vm_config_copy(struct vm_config *to, const struct vm_config *from)
{
    *to = *from;
    vm_config_each_string(to, string_own);
}

unsigned vm_config_cores(const struct vm_config *c)
{
    return c->cores ? c->cores : MAX(c->cpus / MAX(c->threads, 1u), 1u);
}

unsigned vm_config_packages(const struct vm_config *c)
{
    return MAX(c->cpus / (vm_config_cores(c) * MAX(c->threads, 1u)), 1u);
}
