/*
 * What the translator tells people (accel/jit/report.c): counters, fallbacks, translated blocks.
 *
 * Not modelled: the monitor and the command line around it (tests/ui).
 */
#include "accel/interp.h"
#include "tests/cpu/guest.h"
#include "ui/disas.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { ROUNDS = 50 };

// clang-format off
static const uint8_t program[] = {
    0xbe, ROUNDS, 0, 0, 0,                    /* 00 mov $ROUNDS, %esi */
    0x31, 0xc0,                               /* 05 xor %eax, %eax */
    0x0f, 0xa2,                               /* 07 cpuid */
    0x48, 0x8d, 0x7f, 0x04,                   /* 09 lea 4(%rdi), %rdi */
    0x48, 0x89, 0x3c, 0x25, 0, 0, 0x04, 0x00, /* 0d mov %rdi, G_DATA */
    0xff, 0xce,                               /* 15 dec %esi */
    0x75, 0xec,                               /* 17 jne 05 */
    0xf4,                                     /* 19 hlt */
};
// clang-format on

static void begin(struct guest *g)
{
    g_setenv("CANDELA_TEST_ACCEL", "jit", TRUE);
    guest_init_linked(g, "x86-64-v3");
    guest_long(g);
    g->rig->m->disassemble = disas_insn;
    guest_code(g, program, sizeof program);
}

static uint64_t number_before(const char *text, const char *words)
{
    const char *at = strstr(text, words);

    cr_assert(at, "no '%s' in: %s", words, text);
    while (at > text && (g_ascii_isdigit(at[-1]) || at[-1] == ' ')) {
        at--;
    }
    return g_ascii_strtoull(at, NULL, 10);
}

Test(jit_report, blocks_and_fallbacks_are_counted)
{
    g_autoptr(GString) text = g_string_new(NULL), json = g_string_new(NULL);
    struct guest g;

    begin(&g);
    accel_jit.print_info(g.v, text);
    cr_expect_eq(number_before(text->str, " blocks of "), 0, "%s", text->str);
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT);
    g_string_truncate(text, 0);
    accel_jit.print_info(g.v, text);
    cr_expect_geq(number_before(text->str, " blocks of "), 2, "%s", text->str);
    cr_expect_geq(number_before(text->str, " instructions, "), 8, "%s", text->str);
    cr_expect_gt(number_before(text->str, " of 31744 KiB"), 0, "%s", text->str);
    cr_expect(g_regex_match_simple("(?m)^ +50 +[12]  cpuid$", text->str, 0, 0), "%s", text->str);
    cr_expect_null(strstr(text->str, "  lea"), "%s", text->str);
    accel_jit.stats_json(g.v, json);
    cr_expect(g_str_has_prefix(json->str, ", \"jit\": {\"blocks\": "), "%s", json->str);
    cr_expect(strstr(json->str, "{\"instruction\": \"cpuid\", \"calls\": 50, \"places\": "), "%s",
              json->str);
    cr_expect(g_str_has_suffix(json->str, "]}"), "%s", json->str);
    guest_free(&g);
}

Test(jit_report, guest_and_host_code_are_shown_side_by_side)
{
    g_autofree char *text = NULL;
    size_t size = 0;
    struct guest g;

    begin(&g);
    FILE *log = open_memstream(&text, &size);
    cr_assert(log);
    g.rig->m->log = log;
    g.rig->m->trace_mask |= TR_JIT;
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT);
    g.rig->m->log = NULL;
    fclose(log);
    /* What stands beside a guest instruction is its own code, and nothing of it is left out. */
    cr_expect(g_regex_match_simple("(?m)cpu jit: 20009 lea rdi, \\[rdi \\+ 4\\] +\\| [0-9a-f]+ "
                                   "(lea|add) rdi, ",
                                   text, 0, 0),
              "%s", text);
    cr_expect(g_regex_match_simple("cpu jit: 20007 cpuid +\\| ", text, 0, 0), "%s", text);
    cr_expect(g_regex_match_simple("cpu jit: cold: 2000d mov qword ptr \\[0x40000\\], rdi +\\| ",
                                   text, 0, 0),
              "%s", text);
    cr_expect_null(strstr(text, ".byte"), "%s", text);
    cr_expect_null(strstr(text, "| (bad)"), "%s", text);
    guest_free(&g);
}

Test(jit_report, no_block_is_shown_unasked)
{
    g_autofree char *text = NULL;
    size_t size = 0;
    struct guest g;

    begin(&g);
    FILE *log = open_memstream(&text, &size);
    g.rig->m->log = log;
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT);
    g.rig->m->log = NULL;
    fclose(log);
    cr_expect_eq(size, 0, "%s", text);
    guest_free(&g);
}
