/*
 * What people are told where /dev/kvm cannot be used: the facts from a made-up host's folders, and
 * every message.
 */
#include "accel/kvm_why.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* A host of our own. */
struct host {
    char *root;
};

static void host_put(struct host *h, const char *name, const char *text)
{
    g_autofree char *path = g_strconcat(h->root, name, NULL), *dir = g_path_get_dirname(path);

    cr_assert_eq(g_mkdir_with_parents(dir, 0755), 0);
    cr_assert(g_file_set_contents(path, text, -1, NULL));
}

static struct host host_new(const char *flags, const char *module)
{
    struct host h = {.root = g_dir_make_tmp("candela-host-XXXXXX", NULL)};
    g_autofree char *cpuinfo = g_strdup_printf(
        "processor\t: 0\nmodel name\t: vmx not meant\nflags\t\t: fpu de %s\n", flags);

    cr_assert(h.root);
    host_put(&h, "/proc/cpuinfo", cpuinfo);
    if (module) {
        g_autofree char *path = g_strdup_printf("/sys/module/%s/refcnt", module);

        host_put(&h, path, "0\n");
    }
    return h;
}

static void host_free(struct host *h)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", h->root);

    cr_expect_eq(system(command), 0);
    g_free(h->root);
}

static void says(struct host *h, const char *words)
{
    g_autofree char *why = NULL;

    cr_expect_eq(kvm_open_device(h->root, &why), -1);
    cr_assert(why);
    cr_expect(strstr(why, words), "'%s' does not say '%s'", why, words);
    cr_expect(!strchr(why, '\n'), "one line");
    host_free(h);
}

Test(kvm_why, a_module_that_is_not_loaded_is_named)
{
    struct host intel = host_new("vmx sse", NULL), amd = host_new("sse svm", NULL);

    says(&intel, "no /dev/kvm: load its module (sudo modprobe kvm_intel;");
    says(&amd, "no /dev/kvm: load its module (sudo modprobe kvm_amd;");
}

Test(kvm_why, a_guest_without_nested_virtualisation_is_told_of_its_host)
{
    struct host h = host_new("hypervisor sse", NULL);

    says(&h, "this host is itself a guest without nested virtualisation");
}

Test(kvm_why, a_processor_without_it_is_told_so)
{
    struct host h = host_new("sse vmxish", NULL);

    says(&h, "the processor offers neither VT-x nor AMD-V");
}

Test(kvm_why, a_container_without_the_device_is_told_so)
{
    struct host h = host_new("vmx", "kvm_intel");

    says(&h, "no /dev/kvm, though module kvm_intel is loaded");
}

Test(kvm_why, a_device_for_a_group_names_it)
{
    struct kvm_facts f = {.group = (char *)"virt", .group_may = true};
    g_autofree char *why = kvm_facts_explain(&f, EACCES);

    cr_expect(strstr(why, "you are not in group virt (sudo adduser $USER virt"), "%s", why);
}

Test(kvm_why, a_device_for_root_alone_is_no_matter_of_groups)
{
    struct host h = host_new("vmx", "kvm_intel");
    g_autofree char *path = g_strconcat(h.root, "/dev/kvm", NULL), *why = NULL;
    struct kvm_facts f;

    host_put(&h, "/dev/kvm", "");
    cr_assert_eq(chmod(path, 0600), 0);
    kvm_facts_read(&f, h.root);
    cr_expect(f.group && !f.group_may);
    why = kvm_facts_explain(&f, EACCES);
    cr_expect(strstr(why, "permission denied, to its group as well"), "%s", why);
    kvm_facts_clear(&f);
    cr_assert_eq(chmod(path, 0660), 0);
    kvm_facts_read(&f, h.root);
    cr_expect(f.group_may);
    kvm_facts_clear(&f);
    host_free(&h);
}

Test(kvm_why, a_node_that_nobody_stands_behind_is_a_missing_module)
{
    struct kvm_facts f = {.svm = true};
    g_autofree char *why = kvm_facts_explain(&f, ENXIO);

    cr_expect(strstr(why, "sudo modprobe kvm_amd"), "%s", why);
}

Test(kvm_why, another_hypervisor_is_named)
{
    struct kvm_facts f = {.vmx = true};
    g_autofree char *why = kvm_facts_explain(&f, EBUSY);

    cr_expect(strstr(why, "in use by another program (VirtualBox"), "%s", why);
}
