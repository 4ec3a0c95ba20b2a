/*
 * Memory order between processors: the well-known small programs, each with an outcome that x86
 * forbids.
 * Follows: SDM volume 3, 9.2.3 (examples of the memory-ordering principles).
 *
 * Every round uses a fresh x and y.  With `slow`, stores find pages that ask to be told first, so
 * that the slow paths take part.
 *
 * Not modelled: non-temporal stores, and memory types.
 */
#include "tests/accel/smp_rig.h"
#include <criterion/criterion.h>

enum { LITMUS_ROUNDS = 8000, LITMUS_RESULTS = 0x400000 };

#define X "(%r8)"
#define Y "64(%r8)"
/* Processors meet at a counter, then do one of t0 to t3; what they loaded goes to 0..12(%r9). */
#define LITMUS(name, t0, t1, t2, t3)                                                               \
    SMP_PROGRAM(name, "mov $0x500000, %r14d\n xor %r11d, %r11d\n xor %r12d, %r12d\n"               \
                      "mov %rbx, %r8\n mov $0x400000, %r9d\n"                                      \
                      "1: lock incl (%r14)\n add %esi, %r11d\n"                                    \
                      "2: mov (%r14), %eax\n cmp %r11d, %eax\n jae 3f\n pause\n jmp 2b\n"          \
                      "3: cmp $1, %edi\n jb 4f\n je 5f\n cmp $3, %edi\n jb 6f\n" t3 "jmp 7f\n"     \
                      "4: " t0 "jmp 7f\n"                                                          \
                      "5: " t1 "jmp 7f\n"                                                          \
                      "6: " t2 "7: add $128, %r8\n add $16, %r9\n"                                 \
                      "inc %r12d\n cmp $8000, %r12d\n jb 1b\n" SMP_END)
#define STORE(var, val) "movl $" val ", " var "\n"
#define LOAD(var, reg)  "mov " var ", " reg "\n"
#define NOTE(reg, at)   "mov " reg ", " at "(%r9)\n"

LITMUS(sb_mfence, STORE(X, "1") "mfence\n" LOAD(Y, "%eax") NOTE("%eax", "0"),
       STORE(Y, "1") "mfence\n" LOAD(X, "%eax") NOTE("%eax", "4"), "", "");
LITMUS(sb_lock, STORE(X, "1") "lock orl $0, (%rsp)\n" LOAD(Y, "%eax") NOTE("%eax", "0"),
       STORE(Y, "1") "lock orl $0, (%rsp)\n" LOAD(X, "%eax") NOTE("%eax", "4"), "", "");
LITMUS(sb_xchg, "mov $1, %eax\n xchg %eax, " X "\n" LOAD(Y, "%eax") NOTE("%eax", "0"),
       "mov $1, %eax\n xchg %eax, " Y "\n" LOAD(X, "%eax") NOTE("%eax", "4"), "", "");
LITMUS(sb_cpuid, STORE(X, "1") "xor %eax, %eax\n cpuid\n" LOAD(Y, "%eax") NOTE("%eax", "0"),
       STORE(Y, "1") "xor %eax, %eax\n cpuid\n" LOAD(X, "%eax") NOTE("%eax", "4"), "", "");
LITMUS(mp, STORE(X, "1") STORE(Y, "1"),
       LOAD(Y, "%eax") LOAD(X, "%ecx") NOTE("%eax", "0") NOTE("%ecx", "4"), "", "");
LITMUS(lb, LOAD(X, "%eax") STORE(Y, "1") NOTE("%eax", "0"),
       LOAD(Y, "%eax") STORE(X, "1") NOTE("%eax", "4"), "", "");
LITMUS(corr, STORE(X, "1") STORE(X, "2"),
       LOAD(X, "%eax") LOAD(X, "%ecx") NOTE("%eax", "0") NOTE("%ecx", "4"), "", "");
LITMUS(iriw, STORE(X, "1"), STORE(Y, "1"),
       LOAD(X, "%eax") LOAD(Y, "%ecx") NOTE("%eax", "0") NOTE("%ecx", "4"),
       LOAD(Y, "%eax") LOAD(X, "%ecx") NOTE("%eax", "8") NOTE("%ecx", "12"));

static bool both_zero(const uint32_t r[4])
{
    return !r[0] && !r[1];
}

static bool first_only(const uint32_t r[4])
{
    return r[0] && !r[1];
}

static bool both(const uint32_t r[4])
{
    return r[0] && r[1];
}

static bool backwards(const uint32_t r[4])
{
    return r[1] < r[0];
}

static bool two_orders(const uint32_t r[4])
{
    return r[0] && !r[1] && r[2] && !r[3];
}

static const struct litmus {
    const char *name;
    const uint8_t *begin, *end;
    unsigned cpus;
    bool (*forbidden)(const uint32_t r[4]);
} litmus[] = {
    {"SB with MFENCE", sb_mfence_begin, sb_mfence_end, 2, both_zero},
    {"SB with a locked operation", sb_lock_begin, sb_lock_end, 2, both_zero},
    {"SB by XCHG", sb_xchg_begin, sb_xchg_end, 2, both_zero},
    {"SB with CPUID", sb_cpuid_begin, sb_cpuid_end, 2, both_zero},
    {"MP", mp_begin, mp_end, 2, first_only},
    {"LB", lb_begin, lb_end, 2, both},
    {"CoRR", corr_begin, corr_end, 2, backwards},
    {"IRIW", iriw_begin, iriw_end, 4, two_orders},
};

/* How often the forbidden outcome was seen. */
static unsigned run(const struct litmus *l, bool slow)
{
    struct smp_rig r;
    unsigned seen = 0;

    smp_begin(&r, l->cpus, l->begin, l->end);
    for (uint64_t page = SMP_DATA >> PAGE_SHIFT; slow && page < LITMUS_RESULTS >> PAGE_SHIFT;
         page++) {
        r.ram->page_flags[page] |= RAM_PAGE_CODE;
    }
    smp_run(&r);
    for (unsigned i = 0; i < LITMUS_ROUNDS; i++) {
        uint32_t got[4];

        for (unsigned k = 0; k < 4; k++) {
            got[k] = smp_get32(&r, LITMUS_RESULTS + 16 * i + 4 * k);
        }
        seen += l->forbidden(got);
    }
    smp_free(&r);
    return seen;
}

Test(litmus, what_x86_forbids_never_happens, .timeout = 600)
{
    for (unsigned i = 0; i < ARRAY_LEN(litmus); i++) {
        for (unsigned slow = 0; slow < 2; slow++) {
            unsigned seen = run(&litmus[i], slow);

            cr_expect_eq(seen, 0, "%s%s: %u of %u", litmus[i].name, slow ? " (slow)" : "", seen,
                         LITMUS_ROUNDS);
        }
    }
}
