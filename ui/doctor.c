/*
 * candela doctor: what this host offers, and what to do about what it lacks.
 *
 * Not here yet: displays, audio (their steps of the plan).
 */
#include "config.h"
#include "accel/kvm.h"
#include "hw/core/config.h"
#include "ui/commands.h"
#include "ui/complete.h"
#include "ui/net_switch.h"
#include "ui/parse.h"
#include "ui/run.h"
#include "ui/text.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum verdict { GOOD, LIMITED, MISSING };

struct finding {
    const char *what;
    enum verdict verdict;
    char *found; /* what there is */
    char *to_do; /* NULL: nothing */
};

static void find_kvm(struct finding *f)
{
    g_autofree char *why = NULL;

    f->what = "kvm";
    switch (kvm_try(&why)) {
    case KVM_FIT_ALL:
        f->found = g_strdup("usable: guests run on the host's processor");
        return;
    case KVM_FIT_SMALL:
    case KVM_FIT_NONE:
        break;
    }
    f->verdict = LIMITED;
    f->found = g_strdup_printf("%s: guests run on the software CPU", why);
}

#define TO_DO_SEABIOS                                                                              \
    "install the Debian package seabios (apt-get install seabios), or give an image with -bios "   \
    "FILE"

static void find_file(struct finding *f, const char *what, const char *path, enum verdict without,
                      const char *to_do)
{
    struct stat st;

    f->what = what;
    if (!access(path, R_OK) && !stat(path, &st)) {
        f->found = g_strdup_printf("%s, %lld KiB", path, (long long)st.st_size / 1024);
        return;
    }
    f->verdict = without;
    f->found = g_strdup_printf("%s: %s", path, g_strerror(errno));
    f->to_do = g_strdup(to_do);
}

static void find_cpu(struct finding *f)
{
    g_autoptr(GString) missing = g_string_new(NULL);

    f->what = "processor";
#define CHECK(name)                                                                                \
    if (!__builtin_cpu_supports(name)) {                                                           \
        g_string_append_printf(missing, " %s", name);                                              \
    }
    __builtin_cpu_init();
    CHECK("sse3")
    CHECK("ssse3")
    CHECK("sse4.1")
    CHECK("sse4.2")
    CHECK("popcnt")
    CHECK("avx")
    CHECK("avx2")
    CHECK("bmi")
    CHECK("bmi2")
    CHECK("fma")
    CHECK("aes")
    CHECK("pclmul")
#undef CHECK
    if (!missing->len) {
        f->found = g_strdup("has what guests of model x86-64-v3 use");
        return;
    }
    f->verdict = LIMITED;
    f->found = g_strdup_printf("lacks:%s", missing->str);
    f->to_do = g_strdup("guests cannot use these either: choose an older model, such as -cpu "
                        "x86-64");
}

static void find_memory(struct finding *f)
{
    struct sysinfo info = {0};
    struct rlimit limit = {0};
    uint64_t total, unused;
    void *p;

    f->what = "memory";
    sysinfo(&info);
    total = (uint64_t)info.totalram * info.mem_unit;
    unused = ((uint64_t)info.freeram + info.bufferram) * info.mem_unit;
    f->found = g_strdup_printf("%" G_GUINT64_FORMAT " MiB, %" G_GUINT64_FORMAT " MiB free",
                               total >> 20, unused >> 20);
    p = mmap(NULL, VM_MAX_MEMORY, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p != MAP_FAILED) {
        munmap(p, VM_MAX_MEMORY);
        return;
    }
    f->verdict = LIMITED;
    getrlimit(RLIMIT_AS, &limit);
    f->to_do = g_strdup(limit.rlim_cur != RLIM_INFINITY
                            ? "large guests cannot be mapped: raise the limit (ulimit -v unlimited)"
                            : "large guests cannot be mapped: see vm.overcommit_memory");
}

static void find_firmware(struct finding *f)
{
    find_file(f, "firmware", CANDELA_BIOS_FILE, MISSING, TO_DO_SEABIOS);
}

static void find_vga_bios(struct finding *f)
{
    find_file(f, "video BIOS", CANDELA_VGABIOS_FILE, LIMITED, TO_DO_SEABIOS);
}

static void find_ipxe(struct finding *f)
{
    find_file(f, "network boot", CANDELA_IPXE_FILE, LIMITED,
              "for -boot n, install the Debian package ipxe (apt-get install ipxe)");
}

/* The TAP interfaces that stand here whether or not somebody uses them. */
static void find_tap_names(GString *out)
{
    GDir *dir = g_dir_open("/sys/class/net", 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename("/sys/class/net", name, "tun_flags", NULL);
        g_autofree char *flags = NULL;

        if (g_file_get_contents(path, &flags, NULL, NULL) &&
            g_ascii_strtoull(flags, NULL, 0) & IFF_TAP) {
            g_string_append_printf(out, "%s %s", out->len ? "," : "", name);
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
}

/* Whether this process may make interfaces (CAP_NET_ADMIN). */
static bool may_make_interfaces(void)
{
    g_autofree char *status = NULL;
    const char *line;

    return g_file_get_contents("/proc/self/status", &status, NULL, NULL) &&
           (line = strstr(status, "\nCapEff:")) &&
           g_ascii_strtoull(line + strlen("\nCapEff:"), NULL, 16) & BIT(CAP_NET_ADMIN);
}

#define TO_DO_TAP                                                                                  \
    "for -nic tap:tap0: sudo ip tuntap add dev tap0 mode tap user $USER && sudo ip link set tap0 " \
    "up"

static void find_tap(struct finding *f)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    g_autoptr(GString) names = g_string_new(NULL);

    f->what = "tap";
    if (fd < 0) {
        f->verdict = LIMITED;
        f->found = g_strdup_printf("/dev/net/tun: %s: no -nic tap", g_strerror(errno));
        f->to_do = g_strdup(errno == EACCES ? "sudo chmod 666 /dev/net/tun (that alone gives no "
                                              "rights to any interface)"
                                            : "sudo modprobe tun");
        return;
    }
    close(fd);
    find_tap_names(names);
    f->found = g_strdup_printf("/dev/net/tun opens%s%s", names->len ? "; interfaces:" : "",
                               names->len ? names->str : "");
    if (!names->len && !may_make_interfaces()) {
        f->verdict = LIMITED;
        f->to_do = g_strdup(TO_DO_TAP);
    }
}

static void find_switches(struct finding *f)
{
    g_autofree char *folder = switch_folder();
    const char *why = switch_folder_check(folder);

    f->what = "switches";
    f->verdict = why ? LIMITED : GOOD;
    f->found = g_strdup_printf("%s%s%s%s", folder, why ? ": " : "", why ? why : "",
                               why ? ": no -nic switch:NAME"
                                   : ", where machines with -nic switch:NAME meet");
}

static void find_terminal(struct finding *f)
{
    bool in = isatty(STDIN_FILENO), out = isatty(STDOUT_FILENO);

    f->what = "terminal";
    f->found = g_strdup(in && out ? "-nographic can use this one"
                                  : "standard input or output is no terminal: -nographic takes and "
                                    "gives plain bytes");
}

static void (*const finders[])(struct finding *f) = {
    find_kvm,      find_firmware, find_vga_bios, find_ipxe,     find_tap,
    find_switches, find_cpu,      find_memory,   find_terminal,
};

static const char *const verdicts[] = {"ok", "limited", "missing"};

static void doctor_print(const struct finding *list, unsigned count)
{
    printf("Candela %s on this host:\n", CANDELA_VERSION);
    for (unsigned i = 0; i < count; i++) {
        printf("  %-8s %-12s %s\n", verdicts[list[i].verdict], list[i].what, list[i].found);
        if (list[i].to_do) {
            printf("  %-8s %-12s to do: %s\n", "", "", list[i].to_do);
        }
    }
}

static void doctor_print_json(const struct finding *list, unsigned count)
{
    JsonBuilder *b = json_start();

    json_put_text(b, "version", CANDELA_VERSION);
    json_builder_set_member_name(b, "findings");
    json_builder_begin_array(b);
    for (unsigned i = 0; i < count; i++) {
        json_builder_begin_object(b);
        json_put_text(b, "what", list[i].what);
        json_put_text(b, "verdict", verdicts[list[i].verdict]);
        json_put_text(b, "found", list[i].found);
        json_put_text(b, "to_do", list[i].to_do);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    g_autofree char *text = json_finish(b);
    fputs(text, stdout);
}

void complete_doctor(struct completion *c, int argc, char *const *argv)
{
    (void)argc;
    (void)argv;
    complete_offer(c, "", "--json", "as JSON");
    complete_offer(c, "", "--help", NULL);
}

int command_doctor(int argc, char *const *argv)
{
    static const char *const options[] = {"--json", "--help", NULL};
    struct finding list[ARRAY_LEN(finders)] = {0};
    bool json = false;

    for (int i = 0; i < argc; i++) {
        const char *word =
            g_str_has_prefix(argv[i], "--") ? argv[i] + 2 : argv[i] + (*argv[i] == '-');
        const char *nearest = parse_nearest(argv[i], options);

        if (!strcmp(word, "help") || !strcmp(word, "h")) {
            puts("Usage: candela doctor [--json]\nSays what this host offers and what to do about "
                 "what it lacks.");
            return EXIT_GOOD;
        }
        if (strcmp(word, "json") || argv[i][0] != '-') {
            fprintf(stderr, "candela: doctor: unknown option '%s'%s%s (candela doctor --help)\n",
                    argv[i], nearest ? "; nearest: " : "", nearest ? nearest : "");
            return EXIT_USAGE;
        }
        json = true;
    }
    for (unsigned i = 0; i < ARRAY_LEN(finders); i++) {
        finders[i](&list[i]);
    }
    if (json) {
        doctor_print_json(list, ARRAY_LEN(list));
    } else {
        doctor_print(list, ARRAY_LEN(list));
    }
    for (unsigned i = 0; i < ARRAY_LEN(list); i++) {
        g_free(list[i].found);
        g_free(list[i].to_do);
    }
    return EXIT_GOOD;
}
