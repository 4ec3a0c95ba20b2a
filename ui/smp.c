/*
 * The value of -smp: how many processors, and how they are put together.
 *
 * APIC ids are the numbers of the processors, and CPUID tells threads, cores and packages apart by
 * fields of the id's bits.  So all but the outermost count must be powers of two.
 *
 * Not modelled: processors that are plugged in later (maxcpus), dies and clusters.
 */
#include "ui/smp.h"
#include "ui/parse.h"

enum { SMP_CPUS, SMP_SOCKETS, SMP_CORES, SMP_THREADS, SMP_COUNTS };
static const char *const smp_keys[] = {"cpus", "sockets", "cores", "threads", NULL};

struct smp {
    unsigned n[SMP_COUNTS]; /* 0: not given */
};

static bool smp_put(struct smp *s, unsigned key, const char *val, GError **err)
{
    uint64_t n;

    if (!parse_number(val, VM_MAX_CPUS, &n, NULL) || !n) {
        return parse_fail(err, "%s=%s: give a number from 1 to %d", smp_keys[key], val,
                          VM_MAX_CPUS);
    }
    if (s->n[key]) {
        return parse_fail(err, "%s stands twice", smp_keys[key]);
    }
    s->n[key] = (unsigned)n;
    return true;
}

static bool smp_word(struct smp *s, const char *word, bool first, GError **err)
{
    const char *is = strchr(word, '=');
    g_autofree char *key = is ? g_strndup(word, (gsize)(is - word)) : g_strdup("cpus");
    int n;

    if (!is && !first) {
        return parse_fail(err, "'%s' is no KEY=NUMBER; the keys are cpus, sockets, cores, threads",
                          word);
    }
    n = parse_choice("key", key, smp_keys, err);
    return n >= 0 && smp_put(s, (unsigned)n, is ? is + 1 : word, err);
}

static bool is_power_of_two(unsigned n)
{
    return !(n & (n - 1));
}

/* Work out what was left out; false: the counts do not go together. */
static bool smp_complete(struct smp *s, GError **err)
{
    unsigned *n = s->n, inner;

    n[SMP_THREADS] = MAX(n[SMP_THREADS], 1);
    if (!n[SMP_CPUS]) {
        n[SMP_CORES] = MAX(n[SMP_CORES], 1);
        n[SMP_SOCKETS] = MAX(n[SMP_SOCKETS], 1);
        n[SMP_CPUS] = n[SMP_SOCKETS] * n[SMP_CORES] * n[SMP_THREADS];
    } else if (!n[SMP_CORES]) {
        n[SMP_SOCKETS] = MAX(n[SMP_SOCKETS], 1);
        n[SMP_CORES] = n[SMP_CPUS] / (n[SMP_SOCKETS] * n[SMP_THREADS]);
    } else if (!n[SMP_SOCKETS]) {
        n[SMP_SOCKETS] = n[SMP_CPUS] / (n[SMP_CORES] * n[SMP_THREADS]);
    }
    inner = n[SMP_CORES] * n[SMP_THREADS];
    if (n[SMP_SOCKETS] * inner != n[SMP_CPUS]) {
        return parse_fail(err, "%u sockets of %u cores of %u threads are not %u processors",
                          n[SMP_SOCKETS], n[SMP_CORES], n[SMP_THREADS], n[SMP_CPUS]);
    }
    if (n[SMP_CPUS] > VM_MAX_CPUS) {
        return parse_fail(err, "%u processors: a machine has 1 to %d", n[SMP_CPUS], VM_MAX_CPUS);
    }
    if ((n[SMP_CPUS] > n[SMP_THREADS] && !is_power_of_two(n[SMP_THREADS])) ||
        (n[SMP_SOCKETS] > 1 && !is_power_of_two(inner))) {
        return parse_fail(err, "threads of a core, and cores of a socket where there are several, "
                               "must be 1, 2, 4, 8, ...");
    }
    return true;
}

bool smp_parse(struct vm_config *vm, const char *opt, const char *val, GError **err)
{
    g_auto(GStrv) words = parse_commas(val);
    struct smp s = {{0}};
    bool ok = *words || parse_fail(err, "give a number, such as 4");

    for (char **w = words; ok && *w; w++) {
        ok = smp_word(&s, *w, w == words, err);
    }
    if (!ok || !smp_complete(&s, err)) {
        g_prefix_error(err, "%s %s: ", opt, val);
        return false;
    }
    vm->cpus = s.n[SMP_CPUS];
    vm->cores = s.n[SMP_CORES];
    vm->threads = s.n[SMP_THREADS];
    return true;
}

void smp_help(GString *out)
{
    g_string_append_printf(out,
                           "-smp N or -smp cpus=N; 1 by default, at most %d.  Each after a comma:\n"
                           "  sockets=N  packages\n"
                           "  cores=N    cores of a package\n"
                           "  threads=N  threads of a core\n"
                           "What is left out follows: -smp 4 is one package of four cores.\n",
                           VM_MAX_CPUS);
}
