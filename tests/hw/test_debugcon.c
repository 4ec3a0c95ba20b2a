/*
 * Debug console and debug-exit port.
 *
 * Not modelled: see hw/debugcon.c.
 */
#include "hw/debugcon.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

static struct {
    struct chr chr;
    GString *got;
    size_t room;
} host;

static size_t host_write(struct chr *c, const uint8_t *buf, size_t len)
{
    (void)c;
    len = MIN(len, host.room);
    g_string_append_len(host.got, (const char *)buf, len);
    host.room -= len;
    return len;
}

static const struct chr_ops host_ops = {.write = host_write};

static struct rig *begin(int exit_port, bool qemu, bool console)
{
    struct vm_config c;
    vm_config_init(&c);
    c.debug_exit_port = exit_port;
    c.debug_exit_qemu = qemu;
    struct rig *r = rig_begin(&c);
    vm_config_clear(&c);
    host.chr = (struct chr){.ops = &host_ops, .open = true};
    host.got = g_string_new(NULL);
    host.room = 1000;
    r->m->debugcon = console ? &host.chr : NULL;
    device_new(r->m, &debugcon_ops, "debugcon");
    rig_ready(r);
    return r;
}

static void finish(struct rig *r)
{
    r->m->debugcon = NULL;
    rig_free(r);
    g_string_free(host.got, TRUE);
}

Test(debugcon, writes_text_and_reads_e9)
{
    struct rig *r = begin(-1, false, true);
    cr_expect_eq(rig_in8(r, 0xe9), 0xe9);
    cr_expect_eq(rig_in8(r, 0x402), 0xe9);
    rig_out8(r, 0xe9, 'h');
    rig_out8(r, 0x402, 'i');
    cr_expect_str_eq(host.got->str, "hi");
    finish(r);
}

Test(debugcon, keeps_what_a_full_host_end_cannot_take_up_to_a_limit)
{
    struct rig *r = begin(-1, false, true);
    host.room = 1;
    for (unsigned i = 0; i < 100000; i++) {
        rig_out8(r, 0xe9, 'a' + i % 26);
    }
    cr_expect_str_eq(host.got->str, "a");
    host.room = 3;
    host.chr.front->writable(host.chr.opaque);
    cr_expect_str_eq(host.got->str, "abcd", "in order");
    host.room = 1000000;
    host.chr.front->writable(host.chr.opaque);
    cr_expect_eq(host.got->len, 1 + 65536);
    finish(r);
}

Test(debugcon, without_a_console_the_port_still_answers)
{
    struct rig *r = begin(-1, false, false);
    cr_expect_eq(rig_in8(r, 0xe9), 0xe9);
    cr_expect_eq(rig_in8(r, 0x402), 0xff);
    rig_out8(r, 0xe9, 'x');
    rig_out8(r, 0xf4, 1);
    cr_expect_eq(r->m->end, END_NONE, "no exit port unless asked for");
    finish(r);
}

Test(debug_exit, ends_the_run_with_the_guests_code)
{
    static const struct {
        bool qemu;
        uint8_t val;
        int code;
    } cases[] = {
        {false, 0, 64}, {false, 5, 69}, {false, 0xff, 127}, {true, 0, 1}, {true, 0x10, 0x21}};
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = begin(0xf4, cases[i].qemu, false);
        rig_out8(r, 0xf4, cases[i].val);
        cr_expect_eq(r->m->end, END_DEBUG_EXIT);
        cr_expect_eq(r->m->end_code, cases[i].code, "case %u: %d", i, r->m->end_code);
        finish(r);
    }
}

Test(debug_exit, takes_no_port_that_is_another_devices)
{
    struct vm_config c;
    GError *err = NULL;

    vm_config_init(&c);
    c.debug_exit_port = 0xe9;
    struct rig *r = rig_begin(&c);
    rig_ready(r);
    cr_expect_not(device_attach(device_new(r->m, &debugcon_ops, "debugcon"), &err));
    cr_assert(err && err->code == CANDELA_ERROR_CONFIG);
    cr_expect(strstr(err->message, "debugcon") && strstr(err->message, "0xe9"), "%s", err->message);
    g_error_free(err);
    rig_free(r);
    vm_config_clear(&c);

    r = begin(0xe7, false, false); /* not wider than there is room */
    cr_expect_eq(rig_in8(r, 0xe9), 0xe9);
    rig_out8(r, 0xe7, 3);
    cr_expect_eq(r->m->end_code, 67);
    finish(r);
}
