/*
 * The monitor's commands, each with right and wrong arguments, on a board that does not run.
 */
#include "accel/interp.h"
#include "hw/pci.h"
#include "tests/ui/monitor_rig.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

Test(monitor, unknown_words_name_the_nearest)
{
    struct mon *b = mon_new();

    mon_bad(b, "quti", MONITOR_ERROR_COMMAND, "nearest: quit");
    mon_bad(b, "info regsters", MONITOR_ERROR_COMMAND, "nearest: registers; 'help info'");
    mon_bad(b, "/4xb", MONITOR_ERROR_COMMAND, "unknown command");
    mon_bad(b, "quit now", MONITOR_ERROR_ARGUMENT, "'now' is too much");
    mon_bad(b, "eject", MONITOR_ERROR_ARGUMENT, "DRIVE is missing: eject [-f] DRIVE");
    mon_bad(b, "change \"floppy0", MONITOR_ERROR_ARGUMENT, "quotation mark");
    mon_bad(b, "help x y z", MONITOR_ERROR_ARGUMENT, "'z' is too much");
    mon_bad(b, "help foo", MONITOR_ERROR_COMMAND, "'foo'");
    mon_good(b, "   ", "");
    mon_good(b, "", "");
    mon_free(b);
}

Test(monitor, help_has_every_command_and_topic)
{
    struct mon *b = mon_new();

    mon_run(b, "help");
    for (const struct command *cmd = monitor_commands; cmd->name; cmd++) {
        g_autofree char *begin = g_strdup_printf("\n%s", cmd->name), *line;
        g_autofree char *all = g_strconcat("\n", b->text, NULL);

        cr_expect(strstr(all, begin), "%s is missing", cmd->name);
        line = g_strdup_printf("help %s", cmd->name);
        mon_good(b, line, cmd->sub ? "info block" : cmd->help);
        mon_run(b, "help");
    }
    mon_run(b, "info");
    for (const struct command *cmd = monitor_topics; cmd->name; cmd++) {
        cr_expect(strstr(b->text, cmd->help), "%s is missing", cmd->name);
    }
    mon_good(b, "help info registers", "-a");
    mon_good(b, "? x", "linear");
    mon_free(b);
}

/* Expressions ---------------------------------------------------------------------------------- */

Test(monitor, print_computes)
{
    static const struct {
        const char *line, *result;
    } cases[] = {
        {"print 16", "0x10\n"},
        {"p /d 0x10 + 4*2", "24\n"},
        {"print/d -5", "-5\n"},
        {"print /u -1", "18446744073709551615\n"},
        {"p /o 8", "010\n"},
        {"p /c 0x41", "'A'\n"},
        {"p 2+3*4<<1", "0x1c\n"},
        {"p (1+2)*3", "0x9\n"},
        {"p 7 & 3 | 8 ^ 1", "0xb\n"},
        {"p ~0", "0xffffffffffffffff\n"},
        {"p 1<<64", "0\n"},
        {"p 10/3%2", "0x1\n"},
        {"p 0xffff:0x10", "0x100000\n"},
        {"p $cs", "0xf000\n"},
        {"p $rip", "0xfff0\n"},
        {"p $pc", "0xfffffff0\n"},
        {"p $cs:$ip", "0xfffffff0\n"},
        {"p $eax", "0x55667788\n"},
        {"p $rax", "0x1122334455667788\n"},
        {"p $ax", "0x7788\n"},
        {"p $ah", "0x77\n"},
        {"p $al", "0x88\n"},
        {"p $r10w", "0xbeef\n"},
        {"p $eflags", "0x2\n"},
        {"p $cr0", "0x60000010\n"},
    };
    struct mon *b = mon_new();

    b->c->r[R_RAX] = 0x1122334455667788;
    b->c->r[10] = 0xdeadbeef;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        mon_good(b, cases[i].line, "");
        cr_expect_str_eq(b->text, cases[i].result, "%s: %s", cases[i].line, b->text);
    }
    mon_free(b);
}

Test(monitor, print_refuses)
{
    static const struct {
        const char *line, *part;
    } cases[] = {
        {"print", "EXPRESSION is missing"},
        {"print 1+", "must be a number"},
        {"print (1", "')' is missing"},
        {"print 1)", "must be an operator"},
        {"print 1/0", "division by zero"},
        {"print 5 % (2-2)", "division by zero"},
        {"print $foo", "unknown register at '$foo'"},
        {"print 0x", "must be a number"},
        {"print 12ab", "must be a number"},
        {"print 0x10000000000000000", "more than 64 bits"},
        {"print 0x10000:0", "16 bits"},
        {"print /i 1", "one letter"},
        {"print /4x 1", "one letter"},
        {"print /z 1", "is no format"},
    };
    struct mon *b = mon_new();
    g_autoptr(GString) deep = g_string_new("print ");

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        mon_bad(b, cases[i].line, MONITOR_ERROR_ARGUMENT, cases[i].part);
    }
    for (unsigned i = 0; i < 400; i++) {
        g_string_append_c(deep, i % 2 ? '(' : '-');
    }
    mon_bad(b, deep->str, MONITOR_ERROR_ARGUMENT, "too deep");
    mon_free(b);
}

/* Memory --------------------------------------------------------------------------------------- */

Test(monitor, xp_shows_the_reset_vector)
{
    struct mon *b = mon_new();

    mon_good(b, "xp /5xb 0xfffffff0", "");
    cr_expect_str_eq(b->text, "fffffff0: 0xea 0x5b 0xe0 0x00 0xf0\n");
    mon_good(b, "xp/2xw 0xfffffff0", "fffffff0: 0x00e05bea 0x2f3630f0\n");
    mon_good(b, "xp /1xg 0xfffffff0", "fffffff0: 0x2f3630f000e05bea\n");
    mon_good(b, "xp /2xh 0xfffffff0", "fffffff0: 0x5bea 0x00e0\n");
    mon_good(b, "xp /1db 0xfffffff0", "fffffff0:  -22\n");
    mon_good(b, "xp /1ub 0xfffffff0", "fffffff0:  234\n");
    mon_good(b, "xp /1ob 0xfffffff0", "fffffff0: 0352\n");
    mon_good(b, "xp /4c 0xfffffff4", "fffffff4: '\\xf0' '0' '6' '/'\n");
    mon_good(b, "xp /s 0xfffffff5", "fffffff5: \"06/23/99\"\n");
    mon_good(b, "xp /1i 0xfffffff0", "ljmp 0xf000:0xe05b\n");
    mon_free(b);
}

Test(monitor, dumps_tell_what_cannot_be_read)
{
    struct mon *b = mon_new();

    mon_bad(b, "xp /4xb 0xfffffffe", MONITOR_ERROR_NOT_FOUND, "100000000: there is no memory");
    cr_expect_str_eq(b->text, "fffffffe: 0xfc 0x00\n", "what is there is shown: %s", b->text);
    mon_bad(b, "xp 0xfee00020", MONITOR_ERROR_NOT_FOUND, "lapic, which is not read");
    mon_bad(b, "xp 0xb8000", MONITOR_ERROR_NOT_FOUND, "vga, which is not read");
    mon_bad(b, "xp /i 0x1000000", MONITOR_ERROR_NOT_FOUND, "no memory");
    mon_bad(b, "xp /s 0x1000000", MONITOR_ERROR_NOT_FOUND, "no memory");
    mon_bad(b, "xp", MONITOR_ERROR_ARGUMENT, "ADDRESS is missing");
    mon_bad(b, "xp /0xb 0", MONITOR_ERROR_ARGUMENT, "is no format");
    mon_bad(b, "xp /5000xb 0", MONITOR_ERROR_ARGUMENT, "is no format");
    mon_bad(b, "xp /99999999999999999999xb 0", MONITOR_ERROR_ARGUMENT, "is no format");
    mon_bad(b, "xp /xx 0", MONITOR_ERROR_ARGUMENT, "is no format");
    mon_good(b, "xp /513i 0", "(512 at once)\n");
    mon_good(b, "xp /4096xg 0", "");
    cr_expect(strlen(b->text) < 256 * 1024);
    mon_free(b);
}

/* Linear 0x40201000 to physical 0x5000, through two-level paging, and a 4 MiB page. */
static void set_paging32(struct mon *b)
{
    st_le32(mon_ram(b, 0x2000 + 4 * 0x100), 0x3007);
    st_le32(mon_ram(b, 0x2000 + 4 * 0x300), 0x000083); /* 4 MiB at 0 */
    st_le32(mon_ram(b, 0x3000 + 4 * 0x201), 0x5005);
    st_le32(mon_ram(b, 0x3000 + 4 * 0x202), 0x6005);
    st_le32(mon_ram(b, 0x3000 + 4 * 0x204), 0x6003);
    b->c->cr3 = 0x2000;
    b->c->cr4 |= CR4_PSE;
    b->c->cr0 |= CR0_PE | CR0_PG;
    cpu_update_mode(b->c);
}

Test(monitor, x_goes_through_the_page_tables_and_changes_nothing)
{
    struct mon *b = mon_new();

    set_paging32(b);
    st_le32(mon_ram(b, 0x5000), 0xcafebabe);
    b->c->cr2 = 0x1234;
    mon_good(b, "x /1xw 0x40201000", "40201000: 0xcafebabe\n");
    mon_good(b, "x /1xw 0xc0005000", "c0005000: 0xcafebabe\n");
    mon_bad(b, "x /2xw 0x40202ffc", MONITOR_ERROR_NOT_FOUND, "40203000: no memory is mapped");
    cr_expect_str_eq(b->text, "40202ffc: 0x00000000\n");
    mon_bad(b, "x 0x1000", MONITOR_ERROR_NOT_FOUND, "1000: no memory is mapped");
    cr_expect_eq(b->c->cr2, 0x1234);
    cr_expect_eq(ld_le32(mon_ram(b, 0x3000 + 4 * 0x201)), 0x5005, "an accessed bit was set");
    mon_good(b, "info mem",
             "0000000040201000-0000000040202fff             8 KiB urx\n"
             "0000000040204000-0000000040204fff             4 KiB swx\n"
             "00000000c0000000-00000000c03fffff          4096 KiB swx\n");
    mon_good(b, "info tlb", "0000000040201000: 000000005000 ------U-\n");
    mon_good(b, "info tlb 0x40204000", "");
    cr_expect_str_eq(b->text, "0000000040204000: 000000006000 -------W\n"
                              "00000000c0000000: 000000000000 -------W 4M\n");
    mon_free(b);
}

/* Tables that lead into themselves have 2^36 pages: both lists end, and say where to go on. */
Test(monitor, page_tables_in_circles_are_cut_off, .timeout = 60)
{
    struct mon *b = mon_new();
    const char *more;

    for (unsigned i = 0; i < 512; i++) {
        st_le64(mon_ram(b, 0x2000 + 8 * i), 0x2007 | (uint64_t)(i & 1) << 63);
    }
    b->c->cr3 = 0x2000;
    b->c->cr4 |= CR4_PAE;
    b->c->efer |= EFER_LME | EFER_LMA | EFER_NXE;
    b->c->cr0 |= CR0_PE | CR0_PG;
    cpu_update_mode(b->c);
    mon_good(b, "info tlb", "... tlb 0x190000 goes on\n");
    cr_expect(strlen(b->text) < 64 * 1024);
    mon_good(b, "info mem", " goes on\n");
    cr_expect(strlen(b->text) < 64 * 1024);
    mon_good(b, "info tlb 0xffff800000000000", "ffff800000000000: 000000002000");
    more = strstr(b->text, "goes on");
    cr_expect(more && strstr(b->text, "tlb 0xffff800000190000"));
    for (unsigned i = 0; i < 512; i++) {
        st_le64(mon_ram(b, 0x2000 + 8 * i), 0x2007); /* all alike: one endless range */
    }
    mon_good(b, "info mem", "goes on\n");
    mon_free(b);
}

Test(monitor, x_i_follows_the_code_segment)
{
    static const uint8_t code[] = {0x48, 0x89, 0xd8, 0x90}; /* mov rax,rbx */
    static const struct {
        uint16_t attr;
        bool lma;
        const char *first;
    } modes[] = {{0x9b, false, "00001000: 48                            dec ax\n"},
                 {0xc09b, false, "00001000: 48                            dec eax\n"},
                 {0xa09b, true, "0000000000001000: 48 89 d8                      mov rax, rbx\n"}};
    struct mon *b = mon_new();

    memcpy(mon_ram(b, 0x1000), code, sizeof code);
    st_le64(mon_ram(b, 0x2000), 0x3007);
    st_le64(mon_ram(b, 0x3000), 0x87); /* 1 GiB at 0 */
    for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
        b->c->seg[SEG_CS].attr = modes[i].attr;
        b->c->seg[SEG_CS].base = 0;
        b->c->cr0 |= CR0_PE;
        if (modes[i].lma) {
            b->c->cr3 = 0x2000;
            b->c->cr4 |= CR4_PAE;
            b->c->efer |= EFER_LME | EFER_LMA;
            b->c->cr0 |= CR0_PG;
        }
        cpu_update_mode(b->c);
        mon_good(b, "x /2i 0x1000", modes[i].first);
    }
    memcpy(mon_ram(b, 0x1000), "\x0f\xff\xff\x06", 4); /* none in 64-bit code */
    mon_good(b, "x /1i 0x1003", "06                            (no instruction)\n");
    mon_free(b);
}

/* Targets of branches are offsets in CS, whatever its base. */
Test(monitor, x_i_shows_targets_in_the_segment)
{
    struct mon *b = mon_new();

    memcpy(mon_ram(b, 0x12340), "\xeb\xfe", 2);
    b->c->seg[SEG_CS].base = 0x12000;
    b->c->seg[SEG_CS].sel = 0x1200;
    b->c->ip = 0x340;
    cpu_update_mode(b->c);
    mon_good(b, "x /1i $pc", "00012340: eb fe                         jmp 0x340\n");
    mon_good(b, "x /1i $cs:0x340", "00012340: eb fe");
    mon_good(b, "x /1i 0x1200:0x340", "00012340: eb fe");
    mon_free(b);
}

/* Drives --------------------------------------------------------------------------------------- */

Test(monitor, media_are_changed)
{
    struct mon *b = mon_new();
    g_autofree char *iso = mon_file(b, "a disc.iso", 2048 * 100);
    g_autofree char *other = mon_file(b, "b.img", 1440 * 1024);
    g_autofree char *quoted = g_strdup_printf("\"%s\"", iso);

    mon_good(b, "info block", "ide1-cd0: empty\n    removable, tray closed\n");
    mon_run_file(b, "change ide1-cd0 %s", quoted);
    cr_expect(!b->err, "%s", b->err ? b->err->message : "");
    mon_good(b, "info block", "a disc.iso (raw)\n");
    cr_expect(strstr(b->text, ", 400 sectors, read-only\n"));
    cr_expect_str_eq(b->m->config.drives[1].file, iso);
    mon_run_file(b, "change A: %s raw read-only", other);
    cr_expect(!b->err, "%s", b->err ? b->err->message : "");
    cr_expect(b->m->drives[2] && b->m->drives[2]->readonly);
    cr_expect_eq(b->m->blocks->len, 3, "the old one is closed");
    mon_run_file(b, "change floppy0 %s read-write", other);
    cr_expect(b->err && strstr(b->err->message, "in the drive now (eject it first)"));
    mon_good(b, "eject fda", "");
    mon_run_file(b, "change a: %s read-write", other);
    cr_expect(!b->err, "the lock is gone with the old medium: %s", b->err ? b->err->message : "");
    cr_expect(b->m->drives[2] && !b->m->drives[2]->readonly);
    mon_bad(b, "eject b:", MONITOR_ERROR_NOT_FOUND, "no drive 'b:'");
    mon_free(b);
}

Test(monitor, ejected_media_are_closed_when_the_answer_comes)
{
    struct mon *b = mon_new();
    g_autofree char *path = mon_path(b, "a.img");

    for (unsigned i = 0; i < 20; i++) {
        mon_good(b, "eject floppy0", "");
        cr_expect(!b->m->drives[2] && b->m->blocks->len == 1);
        cr_expect_null(b->m->config.drives[2].file);
        mon_good(b, "eject floppy0", "floppy0 is empty");
        mon_run_file(b, "change floppy0 %s", path);
        cr_assert(!b->err, "%s", b->err ? b->err->message : "");
    }
    mon_free(b);
}

Test(monitor, refused_media_leave_the_old_one)
{
    struct mon *b = mon_new();
    g_autofree char *large = mon_file(b, "large.img", 4 * 1024 * 1024);
    g_autofree char *missing = mon_path(b, "missing.img");
    const struct block *old = b->m->drives[2];

    mon_run_file(b, "change floppy0 %s", missing);
    cr_expect(g_error_matches(b->err, CANDELA_ERROR, CANDELA_ERROR_FILE));
    cr_expect(b->err && strstr(b->err->message, "no such file"));
    mon_run_file(b, "change floppy0 %s", large);
    cr_expect(g_error_matches(b->err, CANDELA_ERROR, CANDELA_ERROR_FORMAT), "%s",
              b->err ? b->err->message : "");
    mon_run_file(b, "change floppy0 %s", b->folder);
    cr_expect(b->err && strstr(b->err->message, "folder"));
    mon_run_file(b, "change ide0-hd0 %s", large);
    cr_expect(g_error_matches(b->err, MONITOR_ERROR, MONITOR_ERROR_STATE));
    mon_bad(b, "eject hda", MONITOR_ERROR_STATE, "ide0-hd0 is a hard disk");
    mon_bad(b, "eject ide1-cd1", MONITOR_ERROR_NOT_FOUND, "no drive 'ide1-cd1'");
    mon_bad(b, "change floppy0", MONITOR_ERROR_ARGUMENT, "FILE is missing");
    mon_bad(b, "change floppy0 \"\"", MONITOR_ERROR_ARGUMENT, "empty");
    mon_bad(b, "change floppy0 x qcow2", MONITOR_ERROR_ARGUMENT, "retain, read-only, read-write");
    mon_bad(b, "change floppy0 x raw raw", MONITOR_ERROR_ARGUMENT, "unknown MODE 'raw'");
    cr_expect_eq(b->m->drives[2], old);
    cr_expect_eq(b->m->blocks->len, 2);
    mon_free(b);
}

static void lock_tray(struct mon *b)
{
    static const uint8_t cdb[12] = {0x1e, 0, 0, 0, 1}; /* PREVENT ALLOW MEDIUM REMOVAL */

    port_write_locked(b->m, 0xcf8, 0x80000904, 4); /* both channels answer */
    port_write_locked(b->m, 0xcfc, PCI_COMMAND_IO, 2);
    port_write_locked(b->m, 0xcf8, 0x80000940, 4);
    port_write_locked(b->m, 0xcfc, 0x80008000, 4);
    for (unsigned n = 0; n < 3; n++) { /* two may meet a unit attention */
        port_write_locked(b->m, 0x176, 0xa0, 1);
        port_write_locked(b->m, 0x177, 0xa0, 1); /* PACKET */
        for (unsigned i = 0; i < sizeof cdb; i += 2) {
            port_write_locked(b->m, 0x170, ld_le16(cdb + i), 2);
        }
        mon_settle(b, 1);
    }
}

Test(monitor, a_locked_tray_is_obeyed_and_can_be_forced)
{
    struct mon *b = mon_new();
    g_autofree char *iso = mon_file(b, "disc.iso", 2048 * 100);
    g_autofree char *iso2 = mon_file(b, "disc2.iso", 2048 * 50);
    const struct block *old;

    mon_run_file(b, "change cdrom %s", iso);
    lock_tray(b);
    mon_good(b, "info block", "locked by the guest");
    old = b->m->drives[1];
    mon_bad(b, "eject ide1-cd0", MONITOR_ERROR_STATE, "locked the tray");
    mon_run_file(b, "change ide1-cd0 %s", iso2);
    cr_expect(g_error_matches(b->err, MONITOR_ERROR, MONITOR_ERROR_STATE));
    cr_expect_eq(b->m->drives[1], old);
    cr_expect_eq(b->m->blocks->len, 3, "the one that was not taken is closed");
    mon_run_file(b, "change -f ide1-cd0 %s", iso2);
    cr_expect(!b->err, "%s", b->err ? b->err->message : "");
    lock_tray(b);
    mon_bad(b, "eject hdc", MONITOR_ERROR_STATE, "locked");
    mon_good(b, "eject -f hdc", "");
    cr_expect_null(b->m->drives[1]);
    mon_free(b);
}

/* The machine ---------------------------------------------------------------------------------- */

Test(monitor, the_machine_is_held_reset_and_ended)
{
    struct mon *b = mon_new();

    mon_good(b, "info status", "running");
    mon_good(b, "stop", "");
    cr_expect(b->m->paused);
    mon_good(b, "info status", "held");
    mon_good(b, "c", "");
    cr_expect(!b->m->paused);
    mon_good(b, "system_reset", "");
    mon_settle(b, 1);
    cr_expect_eq(b->m->resets, 1);
    mon_good(b, "system_powerdown", "does not listen to the power button");
    mon_good(b, "system_sleep", "does not listen to the sleep button");
    mon_good(b, "quit", "");
    cr_expect_eq((int)b->m->end, END_QUIT);
    mon_free(b);
}

Test(monitor, nmi_goes_where_lint1_leads)
{
    struct mon *b = mon_new();

    mon_good(b, "nmi", ""); /* masked after reset */
    cr_expect(!(vcpu_pending(b->m->vcpus[0]) & VCPU_REQ_NMI));
    aspace_write_locked(b->m, 0xfee000f0, 0x1ff, 4, NULL);
    aspace_write_locked(b->m, 0xfee00360, 0x400, 4, NULL); /* LINT1: NMI */
    mon_good(b, "info lapic", "LVT LINT1       00000400 vector 00 NMI edge, pin low\n");
    mon_good(b, "nmi", "");
    cr_expect(vcpu_pending(b->m->vcpus[0]) & VCPU_REQ_NMI);
    mon_free(b);
}

Test(monitor, ports_are_read_and_written)
{
    struct mon *b = mon_new();

    mon_good(b, "o /b 0x70 0x0f", "");
    mon_good(b, "o 0x71 0xa5", "");
    mon_good(b, "o/b 0x70 0x0f", "");
    mon_good(b, "i /b 0x71", "0071: 0xa5\n");
    mon_good(b, "o /w 0xcf8 0x80000000", "");
    mon_good(b, "i /w 0xcfc", "0cfc: 0x12378086\n");
    mon_good(b, "i/h 0xcfc+2", "0cfe: 0x1237\n");
    mon_good(b, "i 0xfff0", "fff0: 0xff\n");
    mon_bad(b, "i /g 0x71", MONITOR_ERROR_ARGUMENT, "the format is a size");
    mon_bad(b, "i /2b 0x71", MONITOR_ERROR_ARGUMENT, "the format is a size");
    mon_bad(b, "i /w 0xffff", MONITOR_ERROR_ARGUMENT, "is no port");
    mon_bad(b, "i 0x10000", MONITOR_ERROR_ARGUMENT, "is no port");
    mon_bad(b, "o 0x71", MONITOR_ERROR_ARGUMENT, "VALUE is missing");
    mon_bad(b, "o 0x71 256", MONITOR_ERROR_ARGUMENT, "more than 1 bytes");
    mon_free(b);
}

Test(monitor, cpus_are_chosen)
{
    struct mon *b = mon_new();

    mon_good(b, "cpu", "0\n");
    mon_good(b, "cpu 0", "");
    mon_bad(b, "cpu 1", MONITOR_ERROR_NOT_FOUND, "no CPU 1");
    mon_bad(b, "cpu -1", MONITOR_ERROR_NOT_FOUND, "no CPU");
    mon_good(b, "info cpus", "* CPU 0: running, pc 0xfffffff0, 0 instructions");
    mon_good(b, "info registers", "RIP=000000000000fff0");
    mon_good(b, "info registers -a", "CPU 0");
    mon_bad(b, "info registers all", MONITOR_ERROR_ARGUMENT, "'all' is too much");
    mon_free(b);
}

/* Topics --------------------------------------------------------------------------------------- */

Test(monitor, every_device_can_be_looked_at)
{
    struct mon *b = mon_new();

    for (unsigned i = 0; i < b->m->devices->len; i++) {
        const struct device *dev = g_ptr_array_index(b->m->devices, i);
        g_autofree char *line = g_strdup_printf("info device %s", dev->name);
        g_autofree char *brief = g_strdup_printf("info %s", dev->name);

        mon_good(b, line, dev->ops->title);
        cr_expect(strlen(b->text) < 16 * 1024, "%s: %zu bytes", dev->name, strlen(b->text));
        if (strcmp(dev->name, "pci") && strcmp(dev->name, "ioapic")) { /* topics of that name */
            mon_good(b, brief, dev->ops->title);
        }
    }
    mon_bad(b, "info device nothing", MONITOR_ERROR_NOT_FOUND, "no device 'nothing'");
    mon_bad(b, "info device", MONITOR_ERROR_ARGUMENT, "DEVICE is missing");
    mon_free(b);
}

Test(monitor, every_topic_answers)
{
    static const struct {
        const char *line, *part;
    } cases[] = {
        {"info accel", ""},
        {"accel", ": "},
        {"accel interp", ""},
        {"info accel", "interp: interpreter of decoded blocks"},
        {"info block", "ide0-hd0: "},
        {"info devices", "uart0        16550A serial port\n"},
        {"info ioapic", "pin 23 0000000000010000 vector 00 fixed  to CPU 00 edge  active high "
                        "masked\n"},
        {"info irq", "IRQ 15: 0 rises, low\n"},
        {"info lapic -a", "lapic0: ID 0, base fee00000, xAPIC, software-disabled, boot processor"},
        {"info mem", "paging is off"},
        {"info mtree", "mmio lapic"},
        {"info network", "wan: 52:54:00:00:00:10, nothing, link down\n"},
        {"info pci", "00:01.0 piix: 8086:7110"},
        {"info pic", "slave: vectors 00-07, IRQ 8 comes first\n  IRR  00\n"},
        {"info ports", "0070-0073 rtc          0 reads, 0 writes\n"},
        {"info roms", "bios              64 KiB rom at f0000-fffff, ffff0000-ffffffff"},
        {"info stats", "\"vcpus\""},
        {"info tlb", "paging is off"},
    };
    struct mon *b = mon_new();

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        mon_good(b, cases[i].line, cases[i].part);
    }
    mon_bad(b, "info jit", MONITOR_ERROR_STATE, "interp translates nothing");
    mon_bad(b, "accel nothing", MONITOR_ERROR_ARGUMENT, "");
    mon_bad(b, "accel -f", MONITOR_ERROR_ARGUMENT, "to which?");
    mon_good(b, "accel jit", "");
    mon_good(b, "accel jit", "jit runs the guest already\n");
    mon_good(b, "info jit", "CPU 0: 0 blocks of 0 instructions");
    mon_good(b, "info stats", "\"jit\": {\"blocks\": 0, ");
    mon_free(b);
}

Test(monitor, interrupts_are_counted_and_shown)
{
    struct mon *b = mon_new();

    port_write_locked(b->m, 0x20, 0x11, 1); /* the 8259: vectors from 8, all but IRQ 0 masked */
    port_write_locked(b->m, 0x21, 0x08, 1);
    port_write_locked(b->m, 0x21, 0x04, 1);
    port_write_locked(b->m, 0x21, 0x01, 1);
    port_write_locked(b->m, 0x21, 0xfe, 1);
    port_write_locked(b->m, 0x43, 0x34, 1); /* the timer: every 1000 of its ticks */
    port_write_locked(b->m, 0x40, 0xe8, 1);
    port_write_locked(b->m, 0x40, 0x03, 1);
    clock_step(b->m, 5 * NS_PER_MS);
    mon_good(b, "info pic", "master: vectors 08-0f, IRQ 0 comes first\n  IRR  01 0\n");
    cr_expect(strstr(b->text, "  IMR  fe 1 2 3 4 5 6 7\n"));
    cr_expect(strstr(b->text, "INTR high\n"));
    mon_good(b, "info irq", "IRQ  0: ");
    cr_expect(!strstr(b->text, "IRQ  0: 0 rises"));
    mon_free(b);
}

/* Keyboard, mouse, screen ---------------------------------------------------------------------- */

static GString *keys_log(struct device *dev)
{
    return *(GString **)(dev + 1);
}

static void log_key(struct device *dev, unsigned code, bool down)
{
    g_string_append_printf(keys_log(dev), "%c%02x ", down ? '+' : '-', code);
}

static void log_pointer(struct device *dev, int dx, int dy, int wheel, unsigned buttons)
{
    g_string_append_printf(keys_log(dev), "%d,%d,%d:%u ", dx, dy, wheel, buttons);
}

static const struct input_ops log_input = {.key = log_key, .pointer = log_pointer};
struct log_device {
    struct device dev;
    GString *log;
};
static_assert(offsetof(struct log_device, log) == sizeof(struct device), "keys_log finds it");

Test(monitor, keys_are_held_and_let_go)
{
    struct mon *b = mon_new();
    struct log_device d = {.log = g_string_new(NULL)};

    b->m->input = &log_input;
    b->m->input_dev = &d.dev;
    mon_good(b, "sendkey ctrl-alt-delete", "");
    cr_expect_str_eq(d.log->str, "+e0 +e2 +4c ");
    g_string_truncate(d.log, 0);
    mon_good(b, "sendkey ret 60000", ""); /* lets go of the others first */
    cr_expect_str_eq(d.log->str, "-4c -e2 -e0 +28 ");
    g_string_truncate(d.log, 0);
    mon_bad(b, "sendkey", MONITOR_ERROR_ARGUMENT, "KEYS is missing");
    mon_bad(b, "sendkey foo", MONITOR_ERROR_ARGUMENT, "unknown key 'foo'");
    mon_bad(b, "sendkey a-b-c-d-e-f-g-h-i", MONITOR_ERROR_ARGUMENT, "at most 8");
    mon_bad(b, "sendkey a 0", MONITOR_ERROR_ARGUMENT, "milliseconds");
    mon_bad(b, "sendkey a 60001", MONITOR_ERROR_ARGUMENT, "milliseconds");
    cr_expect_str_eq(d.log->str, "", "nothing happens: %s", d.log->str);
    mon_good(b, "mouse_move 10 -5", "");
    mon_good(b, "mouse_button 5", "");
    mon_good(b, "mouse_move 0 0 -1", "");
    cr_expect_str_eq(d.log->str, "10,-5,0:0 0,0,0:3 0,0,-1:3 ");
    mon_bad(b, "mouse_move 40000 0", MONITOR_ERROR_ARGUMENT, "at most");
    mon_bad(b, "mouse_move 1", MONITOR_ERROR_ARGUMENT, "DY is missing");
    mon_bad(b, "mouse_set 1 2", MONITOR_ERROR_STATE, "no driver");
    mon_bad(b, "mouse_set 65536 2", MONITOR_ERROR_ARGUMENT, "0 to 65535");
    mon_bad(b, "mouse_button 8", MONITOR_ERROR_ARGUMENT, "a sum");
    b->m->input = NULL;
    mon_bad(b, "sendkey a", MONITOR_ERROR_STATE, "no keyboard");
    mon_bad(b, "mouse_move 1 1", MONITOR_ERROR_STATE, "no mouse");
    g_string_free(d.log, TRUE);
    mon_free(b);
}

static void expect_file(struct mon *b, const char *name, const char *begin, size_t begin_len)
{
    g_autofree char *path = mon_path(b, name), *data = NULL;
    gsize len = 0;

    mon_run_file(b, "screendump %s", path);
    cr_expect(!b->err, "%s: %s", name, b->err ? b->err->message : "");
    cr_expect(g_file_get_contents(path, &data, &len, NULL), "%s is not there", name);
    cr_expect(len > begin_len && !memcmp(data, begin, begin_len), "%s", name);
}

Test(monitor, the_screen_is_written)
{
    struct mon *b = mon_new();
    g_autofree char *path = NULL;

    expect_file(b, "s.png", "\x89PNG\r\n", 6);
    expect_file(b, "s.ppm", "P6\n", 3);
    mon_bad(b, "screendump x.gif", MONITOR_ERROR_ARGUMENT, ".png, .ppm or .txt");
    mon_bad(b, "screendump", MONITOR_ERROR_ARGUMENT, "FILE is missing");
    path = g_build_filename(b->folder, "no", "s.png", NULL);
    mon_run_file(b, "screendump %s", path);
    cr_expect(g_error_matches(b->err, CANDELA_ERROR, CANDELA_ERROR_FILE), "%s",
              b->err ? b->err->message : "no error");
    cr_expect(b->err && strstr(b->err->message, "create it first"));
    b->m->display = NULL;
    mon_bad(b, "screendump s.png", MONITOR_ERROR_STATE, "no display");
    mon_free(b);
}

/* Commands that wait --------------------------------------------------------------------------- */

static void count_answer(void *opaque, const char *text, const GError *err)
{
    unsigned *answers = opaque;

    (void)text;
    *answers += err ? 1 : 100;
}

/* Writing to a named pipe that nobody reads blocks, as a server that does not answer would. */
Test(monitor, commands_can_be_given_up, .timeout = 60)
{
    struct mon *b = mon_new();
    g_autofree char *path = mon_path(b, "pipe.png");
    g_autofree char *line = g_strdup_printf("screendump %s", path);
    unsigned answers = 0;
    int fd;

    cr_assert_eq(mkfifo(path, 0600), 0);
    for (unsigned i = 0; i < SESSION_JOBS; i++) {
        session_run(&b->s, line, count_answer, &answers);
        cr_assert(session_is_busy(&b->s));
        mon_settle(b, 2);
        cr_assert(session_is_busy(&b->s));
        session_give_up(&b->s);
        cr_assert(!session_is_busy(&b->s));
        cr_expect_eq(answers, i + 1, "an error was answered");
    }
    mon_bad(b, "info status", MONITOR_ERROR_STATE, "still wait for their files");
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* they all get on */
    cr_assert(fd >= 0);
    while (b->s.jobs) {
        char buf[4096];

        while (read(fd, buf, sizeof buf) > 0) {
        }
        mon_settle(b, 1);
    }
    mon_good(b, "info status", "running");
    cr_expect_eq(answers, SESSION_JOBS);
    close(fd);
    mon_free(b);
}

Test(monitor, the_end_does_not_wait_for_files, .timeout = 60)
{
    struct mon *b = mon_new();
    g_autofree char *path = mon_path(b, "pipe.png"), *folder = g_strdup(b->folder);
    g_autofree char *line = g_strdup_printf("screendump %s", path);
    unsigned answers = 0;
    int fd;

    cr_assert_eq(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC); /* keeps the pipe; nobody reads yet */
    cr_assert(fd >= 0);
    session_run(&b->s, line, count_answer, &answers);
    mon_free(b);
    cr_expect_eq(answers, 0);
    close(fd);
    g_usleep(20000); /* the thread ends by itself */
}
