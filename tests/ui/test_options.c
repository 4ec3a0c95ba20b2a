/*
 * The options of `candela run`: what each sets, what is refused and how, drives' places.
 */
#include "tests/ui/options_rig.h"
#include "ui/drive.h"
#include "ui/window_keys.h"
#include <criterion/criterion.h>

Test(options, defaults_are_those_of_the_manual)
{
    struct options o;

    parse_good(&o, "");
    cr_expect_eq(o.vm.memory, 512 * MiB);
    cr_expect_eq(o.vm.cpus, 1);
    cr_expect_str_eq(o.vm.cpu_model, "x86-64-v3");
    cr_expect_str_eq(o.vm.accel, "auto");
    cr_expect_eq(o.vm.debug_exit_port, -1);
    cr_expect_null(o.vm.serial[0]);
    cr_expect_eq(o.max_time_ms, 0);
    cr_expect_not(options_has_image(&o));
    options_clear(&o);
}

Test(options, one_dash_two_dashes_and_equals_are_the_same)
{
    static const char *const lines[] = {"-m 64",       "--m 64",       "-memory 64",
                                        "--memory 64", "--memory=64M", "-m=64"};

    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        struct options o;

        parse_good(&o, lines[i]);
        cr_expect_eq(o.vm.memory, 64 * MiB, "%s", lines[i]);
        options_clear(&o);
    }
}

Test(options, every_option_sets_its_field)
{
    struct options o;

    parse_good(&o,
               "-name vm1 -m 2G --video-memory 8 -smp 2 --accel interp -cpu 486,+fpu -boot "
               "dc,menu=on -kernel k -initrd i "
               "-append a=b "
               "-bios b -serial stdio -serial null -debugcon file:d -debug-exit 0x501,qemu "
               "-display none -full-screen --scale integer --host-key Right-Alt -monitor pty -rtc "
               "base=localtime,clock=vm -no-reboot -no-shutdown "
               "--on-triple-fault pause --max-time 1.5 --max-insns 1000 --screen s.png --expect A "
               "--type b\\n --expect-serial C --trace io,irq -d excp --log-file l --stats j -q");
    cr_expect_str_eq(o.vm.name, "vm1");
    cr_expect_eq(o.vm.memory, 2 * GiB);
    cr_expect_eq(o.vm.video_memory, 8 * MiB);
    cr_expect_eq(o.vm.cpus, 2);
    cr_expect_str_eq(o.vm.accel, "interp");
    cr_expect_str_eq(o.vm.cpu_model, "486,+fpu");
    cr_expect_str_eq(o.vm.boot_order, "dc");
    cr_expect(o.vm.boot_menu);
    cr_expect_str_eq(o.vm.kernel, "k");
    cr_expect_str_eq(o.vm.initrd, "i");
    cr_expect_str_eq(o.vm.append, "a=b");
    cr_expect_str_eq(o.vm.bios, "b");
    cr_expect_str_eq(o.vm.serial[0], "stdio");
    cr_expect_str_eq(o.vm.serial[1], "null");
    cr_expect_str_eq(o.vm.debugcon, "file:d");
    cr_expect_eq(o.vm.debug_exit_port, 0x501);
    cr_expect(o.vm.debug_exit_qemu);
    cr_expect_eq(o.display, DISPLAY_NONE);
    cr_expect(o.fullscreen);
    cr_expect_eq(o.scaling, VIEW_INTEGER);
    cr_expect_str_eq(o.host_key->label, "Right Alt");
    cr_expect_str_eq(o.monitor, "pty");
    cr_expect_str_eq(o.vm.rtc_base, "localtime");
    cr_expect(o.vm.rtc_by_vm);
    cr_expect(o.vm.no_reboot && o.vm.no_shutdown && o.quiet);
    cr_expect_eq(o.vm.on_triple_fault, TRIPLE_FAULT_PAUSE);
    cr_expect_eq(o.max_time_ms, 1500);
    cr_expect_eq(o.vm.max_insns, 1000);
    cr_expect_str_eq(o.screen, "s.png");
    cr_expect_str_eq(o.stats, "j");
    cr_expect_str_eq(o.vm.log_file, "l");
    cr_expect_eq(o.vm.trace_mask, 1 | 2 | 128);
    cr_assert_eq(o.steps->len, 3);
    static const enum step_kind kinds[] = {STEP_EXPECT, STEP_TYPE, STEP_EXPECT_SERIAL};
    static const char *const texts[] = {"A", "b\\n", "C"};
    for (unsigned i = 0; i < 3; i++) {
        const struct script_step *s = &g_array_index(o.steps, struct script_step, i);
        cr_expect_eq(s->kind, kinds[i]);
        cr_expect_str_eq(s->text, texts[i]);
    }
    options_clear(&o);
}

Test(options, smp_completes_what_is_left_out)
{
    static const struct {
        const char *text;
        unsigned cpus, cores, threads;
    } cases[] = {
        {"4", 4, 4, 1},
        {"cpus=4", 4, 4, 1},
        {"64", 64, 64, 1},
        {"3", 3, 3, 1},
        {"4,sockets=1,cores=2,threads=2", 4, 2, 2},
        {"4,sockets=2", 4, 2, 1},
        {"4,threads=2", 4, 2, 2},
        {"8,cores=2", 8, 2, 1},
        {"sockets=2,cores=2,threads=2", 8, 2, 2},
        {"cores=6", 6, 6, 1},
        {"threads=3", 3, 1, 3},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        g_autofree char *line = g_strdup_printf("-smp %s", cases[i].text);
        struct options o;

        parse_good(&o, line);
        cr_expect_eq(o.vm.cpus, cases[i].cpus, "%s", line);
        cr_expect_eq(o.vm.cores, cases[i].cores, "%s", line);
        cr_expect_eq(o.vm.threads, cases[i].threads, "%s", line);
        options_clear(&o);
    }
}

Test(options, smp_refuses_what_does_not_go_together)
{
    static const char *const cases[][2] = {
        {"0", "1 to 64"},
        {"65", "1 to 64"},
        {"four", "1 to 64"},
        {"4,sockets=3", "not 4 processors"},
        {"4,sockets=1,cores=1,threads=1", "not 4 processors"},
        {"4,2", "KEY=NUMBER"},
        {"4,dies=2", "dies"},
        {"4,cores=2,cores=2", "twice"},
        {"6,sockets=2", "1, 2, 4, 8"},
        {"9,threads=3", "1, 2, 4, 8"},
        {"sockets=64,cores=64", "1 to 64"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        g_autofree char *line = g_strdup_printf("-smp %s", cases[i][0]);
        GError *err = NULL;
        struct options o;

        cr_assert_not(parse_words(&o, line, &err), "%s", line);
        cr_expect(strstr(err->message, cases[i][1]), "%s: %s", line, err->message);
        cr_expect_eq(o.vm.cpus, 1);
        g_error_free(err);
        options_clear(&o);
    }
}

Test(options, snapshot_is_for_all_drives_that_do_not_say)
{
    struct options o;

    parse_good(&o, "-hda a.img -snapshot -fda b.vfd -drive file=c.vhd,index=2,snapshot=off");
    cr_expect(o.vm.drives[0].snapshot && o.vm.drives[1].snapshot);
    cr_expect_not(o.vm.drives[2].snapshot);
    options_clear(&o);
    parse_good(&o, "-hda a.img -drive file=c.vhd,index=2,snapshot=on");
    cr_expect_not(o.vm.drives[0].snapshot);
    cr_expect(o.vm.drives[1].snapshot);
    options_clear(&o);
}

Test(options, debug_exit_takes_a_port_only_when_one_follows)
{
    struct options o;

    parse_good(&o, "-debug-exit -no-reboot");
    cr_expect_eq(o.vm.debug_exit_port, 0xf4);
    cr_expect(o.vm.no_reboot);
    options_clear(&o);
    parse_good(&o, "-debug-exit 0x80 -no-reboot");
    cr_expect_eq(o.vm.debug_exit_port, 0x80);
    cr_expect_not(o.vm.debug_exit_qemu);
    options_clear(&o);
}

Test(options, nographic_puts_com1_and_the_monitor_on_the_terminal)
{
    static const struct {
        const char *line, *com1, *monitor;
    } cases[] = {
        {"-nographic", "mon:stdio", NULL},
        {"-nographic -serial null", "null", "stdio"},
        {"-nographic -serial null -debugcon stdio", "null", NULL},
        {"-nographic -serial stdio", "stdio", NULL},
        {"-nographic -serial null -monitor null", "null", "null"},
        {"-nographic -monitor stdio", "none", "stdio"},
        {"-nographic -monitor unix:m", "stdio", "unix:m,server,nowait"},
        {"-nographic -monitor unix:m,server", "stdio", "unix:m,server"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct options o;

        parse_good(&o, cases[i].line);
        cr_expect_str_eq(o.vm.serial[0], cases[i].com1, "%s", cases[i].line);
        cr_expect_eq(g_strcmp0(o.monitor, cases[i].monitor), 0, "%s: %s", cases[i].line, o.monitor);
        options_clear(&o);
    }
}

Test(options, drives_get_their_places)
{
    static const struct {
        const char *line;
        int place[4]; /* IDE index of each drive in order, -1: no drive, 100 + n: floppy n */
    } cases[] = {
        {"-hda a -hdb b -hdc c -hdd d", {0, 1, 2, 3}},
        {"-cdrom c", {2, -1}},
        {"-hdc x -cdrom c", {2, 3, -1}},
        {"-cdrom c -hdc x", {3, 2, -1}},
        {"-cdrom a -cdrom b -cdrom c", {2, 3, 1, -1}},
        {"-drive file=a -drive file=b", {0, 1, -1}},
        {"-drive file=a,index=3 -drive file=b,media=cdrom", {3, 2, -1}},
        {"-drive media=cdrom", {2, -1}},
        {"-fda a -fdb b", {100, 101, -1}},
        {"-drive file=a,if=floppy -drive file=b,if=floppy", {100, 101, -1}},
        {"-drive if=floppy,index=1", {101, -1}},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct options o;

        parse_good(&o, cases[i].line);
        cr_expect(options_has_image(&o));
        for (unsigned n = 0; n < 4 && cases[i].place[n] >= 0; n++) {
            const struct drive_config *d = &o.vm.drives[n];
            int at = (int)d->index + (d->interface == DRIVE_FLOPPY ? 100 : 0);

            cr_expect(d->used, "%s", cases[i].line);
            cr_expect_eq(at, cases[i].place[n], "%s: drive %u at %d", cases[i].line, n, at);
        }
        options_clear(&o);
    }
}

Test(options, the_long_form_of_a_drive_sets_everything)
{
    struct options o;
    const struct drive_config *d = &o.vm.drives[0];

    parse_good(&o, "-drive file=a,,b.vhd,if=ide,index=1,media=disk,format=vhd,readonly=on,"
                   "snapshot=on,serial=LAB-0001");
    cr_expect_str_eq(d->serial, "LAB-0001");
    cr_expect_str_eq(d->file, "a,b.vhd");
    cr_expect_eq(d->index, 1);
    cr_expect_eq(d->format, DRIVE_FORMAT_VHD);
    cr_expect(d->readonly);
    cr_expect(d->snapshot);
    options_clear(&o);
}

/* Each is a usage error; the message holds the text. */
Test(options, wrong_words_are_refused_with_what_would_be_right)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"-cdrm x", "-cdrom"},
        {"--memroy 5", "-memory"},
        {"-zzzzzzzzzz", "--help"},
        {"--", NULL},
        {"-- x", "'x'"},
        {"foo", "'foo'"},
        {"-", "'-'"},
        {"-name a/b", "1 to 64"},
        {"-name=", "1 to 64"},
        {"-m", "SIZE"},
        {"-m 0", "more than 0"},
        {"-m -1", "negative"},
        {"-m 65G", "64G"},
        {"-m 17592186044416G", "too large"},
        {"-m 512K", "at least 1M"},
        {"-m 1025K", "64K"},
        {"-m abc", "512M"},
        {"--video-memory 3M", "1, 2, 4, 8, 16, 32 or 64 MiB"},
        {"--video-memory 128", "1, 2, 4, 8, 16, 32 or 64 MiB"},
        {"--accel kvn", "interp"},
        {"-hda", "FILE"},
        {"-hda=", "image"},
        {"-hda a -hda b", "primary master"},
        {"-fda a -drive file=b,if=floppy,index=0", "drive A"},
        {"-fda a -fdb b -drive file=c,if=floppy", "2 floppy"},
        {"-hda a -hdb b -hdc c -hdd d -cdrom e", "place"},
        {"-drive x", "KEY=VALUE"},
        {"-drive fil=x", "file"},
        {"-drive file=x,if=scsi", "ide, floppy"},
        {"-drive file=x,index=4", "at most 3"},
        {"-drive file=x,serial=", "1 to 20"},
        {"-drive file=x,serial=123456789012345678901", "1 to 20"},
        {"-drive file=x,if=floppy,index=2", "0 and 1"},
        {"-drive file=x,if=floppy,media=cdrom", "if=ide"},
        {"-drive file=x,serial=A,if=floppy", "no serial number"},
        {"-drive file=x,format=qcow2", "raw, vhd"},
        {"-drive file=x,readonly=maybe", "on nor off"},
        {"-drive if=ide", "file=FILE"},
        {"-boot x", "floppy"},
        {"-boot cc", "twice"},
        {"-boot order=", "empty"},
        {"-boot once=d", "menu="},
        {"-boot menu=2", "on nor off"},
        {"-initrd x", "-kernel"},
        {"-append x", "-kernel"},
        {"-serial foo", "stdio"},
        {"-serial file:", "PATH"},
        {"-serial tcp:host", "HOST:PORT"},
        {"-serial tcp:host:99999", "65535"},
        {"-serial tcp:host:1,foo", "nowait"},
        {"-serial tcp:host:1,reconnect=0", "seconds"},
        {"-serial unix:a,server,reconnect=3", "clients"},
        {"-serial unix:a,server=maybe", "maybe"},
        {"-serial pty,append=on", "baud"},
        {"-serial stdio,baud=on -serial mon:stdio", "once"},
        {"-serial null -serial null -serial null", "two serial ports"},
        {"-serial stdio -monitor stdio", "mon:stdio"},
        {"-serial stdio -serial mon:stdio", "once"},
        {"-monitor mon:stdio", "-monitor stdio"},
        {"-debugcon foo", "unknown endpoint"},
        {"-debug-exit 0x10000", "port"},
        {"-debug-exit 0xf4,foo", "qemu"},
        {"-debug-exit=", "empty"},
        {"-display gtk", "none, sdl"},
        {"--scale huge", "smooth, sharp, integer"},
        {"--host-key hyper", "--host-key help"},
        {"-full-screen=maybe", "neither on nor off"},
        {"-rtc foo", "base=utc"},
        {"-rtc base=", "base=utc"},
        {"-rtc base=utc,clock=rt", "clock=host or clock=vm"},
        {"--on-triple-fault foo", "reset, pause, exit"},
        {"--pointer usb", "vmware, ps2"},
        {"--max-time 0", "above 0"},
        {"--max-time x", "seconds"},
        {"--max-insns 0", "more than 0"},
        {"--max-insns x", "number"},
        {"--screen x.bmp", ".png"},
        {"--type a\\q", "\\n"},
        {"--type \\{f13}", "f13"},
        {"--type \\{f1", "}"},
        {"--type \xc3\xa4", "ASCII"},
        {"--expect=", "empty"},
        {"--trace io,foo", "irq"},
        {"-d", "CAT"},
        {"-d=", "CAT"},
        {"-mem 256", "-memory"},
        {"-q=1", "neither on nor off"},
        {"--help=yes", "no value"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct options o;
        GError *err = NULL;
        bool good = parse_words(&o, cases[i].line, &err);

        cr_expect_eq(good, cases[i].says == NULL, "'%s'", cases[i].line);
        if (cases[i].says && err) {
            cr_expect_eq(err->code, (int)CANDELA_ERROR_CONFIG, "'%s'", cases[i].line);
            cr_expect(strstr(err->message, cases[i].says), "'%s' says: %s", cases[i].line,
                      err->message);
            cr_expect_null(strchr(err->message, '\n'), "'%s': more than a line", cases[i].line);
        }
        g_clear_error(&err);
        options_clear(&o);
    }
}

Test(options, lists_answer_help)
{
    static const struct {
        const char *line, *has;
    } cases[] = {
        {"-cpu help", "x86-64-v3"},
        {"--accel help", "interp"},
        {"-d help", "irq"},
        {"--trace help", "irq"},
        {"-serial help", "pty"},
        {"-monitor help", "unix:"},
        {"-debugcon help", "file:"},
        {"-drive help", "readonly="},
        {"-nic help", "hostfwd="},
        {"-boot help", "floppy"},
        {"-rtc help", "localtime"},
        {"-display help", "none"},
        {"-display help", "sdl"},
        {"--scale help", "integer"},
        {"--host-key help", "right-alt"},
        {"--on-triple-fault help", "pause"},
        {"--pointer help", "ps2"},
        {"--audio help", "file:X.wav"},
        {"-debug-exit help", "0xf4"},
        {"-m help", "64G"},
        {"--help", "--expect-serial"},
        {"-h", "Exit codes"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct options o;

        cr_expect(parse_words(&o, cases[i].line, NULL), "%s", cases[i].line);
        cr_expect(strstr(o.answer->str, cases[i].has), "%s: %s", cases[i].line, o.answer->str);
        options_clear(&o);
    }
}

Test(options, help_names_every_option)
{
    g_autoptr(GString) text = g_string_new(NULL);

    options_help(text);
    for (unsigned i = 0; options_name(i); i++) {
        g_autofree char *name = g_strconcat("-", options_name(i), NULL);
        cr_expect(strstr(text->str, name), "%s is missing", name);
    }
}
