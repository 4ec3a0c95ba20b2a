/*
 * Why /dev/kvm cannot be used, and what to do: from what the host's /dev, /proc and /sys say.
 *
 * The facts are read under a root, which is "" but in tests; what is said of them is a function of
 * the facts alone.
 *
 * Not modelled: what a /dev/kvm that opens can do (kvm_host.c).
 */
#include "accel/kvm_why.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

static char *text_of(const char *root, const char *name)
{
    g_autofree char *path = g_strconcat(root, name, NULL);
    char *text = NULL;

    (void)g_file_get_contents(path, &text, NULL, NULL);
    return text ? text : g_strdup("");
}

static bool is_there(const char *root, const char *name)
{
    g_autofree char *path = g_strconcat(root, name, NULL);

    return !access(path, F_OK);
}

/* In the first processor's line of flags. */
static bool has_flag(const char *cpuinfo, const char *flag)
{
    const char *line = strstr(cpuinfo, "\nflags"), *end = line ? strchr(line + 1, '\n') : NULL;
    g_autofree char *flags =
        line ? g_strndup(line, end ? (size_t)(end - line) : strlen(line)) : NULL;
    g_auto(GStrv) words = g_strsplit(flags ? flags : "", " ", -1);

    return g_strv_contains((const char *const *)words, flag);
}

static char *group_name(gid_t gid)
{
    struct group *g = getgrgid(gid); /* at start, by one thread */

    return g ? g_strdup(g->gr_name) : g_strdup_printf("%u", (unsigned)gid);
}

void kvm_facts_read(struct kvm_facts *f, const char *root)
{
    g_autofree char *cpuinfo = text_of(root, "/proc/cpuinfo");
    g_autofree char *dev = g_strconcat(root, "/dev/kvm", NULL);
    struct stat s;

    *f = (struct kvm_facts){
        .vmx = has_flag(cpuinfo, "vmx"),
        .svm = has_flag(cpuinfo, "svm"),
        .guest = has_flag(cpuinfo, "hypervisor"),
        .module = is_there(root, "/sys/module/kvm_intel") ? "kvm_intel"
                  : is_there(root, "/sys/module/kvm_amd") ? "kvm_amd"
                                                          : NULL,
    };
    if (!stat(dev, &s)) {
        f->group_may = (s.st_mode & 060) == 060;
        f->group = group_name(s.st_gid);
    }
}

void kvm_facts_clear(struct kvm_facts *f)
{
    g_clear_pointer(&f->group, g_free);
}

static char *why_no_device(const struct kvm_facts *f)
{
    const char *vendors = f->vmx ? "kvm_intel" : "kvm_amd";

    if (f->module) {
        return g_strdup_printf("no /dev/kvm, though module %s is loaded (a container has to be "
                               "given the device: --device /dev/kvm)",
                               f->module);
    }
    if (f->vmx || f->svm) {
        return g_strdup_printf("no /dev/kvm: load its module (sudo modprobe %s; if it does not "
                               "load, the firmware's set-up has %s turned off)",
                               vendors, f->vmx ? "VT-x" : "AMD-V");
    }
    return g_strdup(f->guest ? "no /dev/kvm: this host is itself a guest without nested "
                               "virtualisation (its host may be able to turn that on: "
                               "kvm_intel.nested=1 or kvm_amd.nested=1, and the host's model of "
                               "processor for the guest)"
                             : "no /dev/kvm: the processor offers neither VT-x nor AMD-V (the "
                               "firmware's set-up may have it turned off)");
}

char *kvm_facts_explain(const struct kvm_facts *f, int error)
{
    switch (error) {
    case ENOENT:
    case ENXIO: /* a node and nobody behind it */
    case ENODEV:
        return why_no_device(f);
    case EACCES:
    case EPERM:
        if (!f->group || !f->group_may) {
            return g_strdup("/dev/kvm: permission denied, to its group as well (root can change "
                            "that: sudo chgrp kvm /dev/kvm && sudo chmod 660 /dev/kvm)");
        }
        return g_strdup_printf("/dev/kvm: permission denied: you are not in group %s (sudo adduser "
                               "$USER %s, then log in again)",
                               f->group, f->group);
    case EBUSY:
        return g_strdup("/dev/kvm: VT-x or AMD-V is in use by another program (VirtualBox and "
                        "VMware take it for themselves while a machine of theirs runs)");
    default:
        return g_strdup_printf("/dev/kvm: %s", g_strerror(error));
    }
}

int kvm_open_device(const char *root, char **why)
{
    g_autofree char *path = g_strconcat(root, "/dev/kvm", NULL);
    int dev = open(path, O_RDWR | O_CLOEXEC), error = errno;
    struct kvm_facts f;

    *why = NULL;
    if (dev < 0) {
        kvm_facts_read(&f, root);
        *why = kvm_facts_explain(&f, error);
        kvm_facts_clear(&f);
    }
    return dev;
}
