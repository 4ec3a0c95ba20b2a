/*
 * candela run and candela demo.
 *
 * The demo boots the lab (pc-bios/lab), which is part of the program, from a file in memory, and
 * has COM1 print its report.  It takes the options of `candela run`.
 */
#define _GNU_SOURCE /* memfd_create */
#include "ui/commands.h"
#include "ui/drive.h"
#include "ui/images.h"
#include "ui/library_run.h"
#include "ui/nic.h"
#include "ui/parse.h"
#include "ui/preference.h"
#include "ui/run.h"
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LAB_MAGIC = 0x0c, LAB_AT_END = 0x10, LAB_POWER_OFF = 1, DEMO_SECONDS = 180 };

/* A machine with a key file: its options, then the command line's, over those of `o`. */
static bool command_take_machine(struct options *o, int argc, char *const *argv, GError **err)
{
    struct library_run *run = library_run_open(o->machine, err);
    struct options with;

    if (!run) {
        return false;
    }
    options_init(&with);
    preference_apply(&with);
    memcpy(with.given, o->given, sizeof with.given);
    with.takes_machine = true;
    with.run = run;
    /* A name that is no name for guests is only not told to them. */
    options_set(&with, (unsigned)options_find("name"), library_run_name(run), NULL);
    bool good = cvm_apply(library_run_cvm(run), &with, err) && options_take(&with, argc, argv, err);
    options_clear(o);
    *o = with;
    return good;
}

/* Parse; -1: go on, else the exit code. */
static int command_options(struct options *o, int argc, char *const *argv)
{
    GError *err = NULL;
    bool good = options_take(o, argc, argv, &err);

    if (good && !o->answer->len && o->machine) {
        good = command_take_machine(o, argc, argv, &err);
    } else if (good && o->takes_machine) {
        preference_apply(o);
    }
    if (!good || (!o->answer->len && !options_finish(o, &err))) {
        return run_report(err);
    }
    if (o->answer->len) {
        fputs(o->answer->str, stdout);
        return EXIT_GOOD;
    }
    nic_give_macs(&o->vm);
    return -1;
}

static void run_advice(void)
{
    fputs("candela run: nothing to start from.  For example:\n"
          "  candela run -cdrom some.iso -serial stdio\n"
          "  candela run -hda disk.img -m 1G -nographic\n"
          "  candela run -kernel vmlinuz -initrd initrd.img -append console=ttyS0 -nographic\n"
          "  candela run -boot n -nographic   from the network, by iPXE\n"
          "  candela create lab --disk 20G    a machine with a name; then: candela run lab\n"
          "  candela demo                     the built-in guest, needs no image\n"
          "candela run --help lists the options.\n",
          stderr);
}

int command_run(int argc, char *const *argv)
{
    struct library_run *run;
    struct options o;
    int code;

    options_init(&o);
    o.takes_machine = true;
    code = command_options(&o, argc, argv);
    if (code < 0 && !o.run && !options_has_image(&o)) {
        run_advice();
        code = EXIT_USAGE;
    }
    if (code < 0) {
        code = run_machine(&o);
    }
    run = o.run;
    options_clear(&o);
    library_run_close(run);
    return code;
}

/* Whether this build has a floppy controller: the lab then finds what it was made for. */
static bool has_floppy_controller(void)
{
    static const char *const models[] = {
#define MODEL(name) #name,
#include "hw/models.inc"
#undef MODEL
    };

    for (unsigned i = 0; i < ARRAY_LEN(models); i++) {
        if (!strcmp(models[i], "fdc")) {
            return true;
        }
    }
    return false;
}

/* The lab in a file without a name, told to power off at its end; -1 and errno on failure. */
static int demo_image(void)
{
    size_t size = (size_t)(image_lab_end - image_lab);
    g_autofree uint8_t *copy = g_memdup2(image_lab, size);
    int fd = memfd_create("candela-lab", MFD_CLOEXEC);

    if (size > LAB_AT_END && !memcmp(copy + LAB_MAGIC, "LAB1", 4)) {
        copy[LAB_AT_END] = LAB_POWER_OFF;
    }
    for (size_t done = 0; fd >= 0 && done < size;) {
        ssize_t n = write(fd, copy + done, size - done);

        if (n < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
        done += (size_t)MAX(n, 0);
    }
    return fd;
}

static void demo_defaults(struct options *o, int fd)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    bool floppy = has_floppy_controller();
    struct drive_request *r =
        drive_request_new("the lab", NULL, floppy ? DRIVE_FLOPPY : DRIVE_IDE, DRIVE_DISK);
    struct script_step done = {STEP_EXPECT_SERIAL, g_strdup("LAB: done")};

    r->config.file = g_strdup(path);
    r->config.format = DRIVE_FORMAT_RAW;
    r->config.readonly = true;
    r->has_index = true;
    g_ptr_array_add(o->drives, r);
    g_array_append_val(o->steps, done);
    o->vm.memory = 64 * MiB;
    o->vm.boot_order = g_strdup(floppy ? "a" : "c");
    o->vm.serial[0] = g_strdup("stdout");
    o->vm.no_reboot = true;
    o->vm.on_triple_fault = TRIPLE_FAULT_EXIT;
    o->max_time_ms = DEMO_SECONDS * 1000;
    o->demo = true;
}

int command_demo(int argc, char *const *argv)
{
    struct options o;
    int fd = demo_image(), code;

    if (fd < 0) {
        fprintf(stderr, "candela: cannot put the lab into memory: %s\n", g_strerror(errno));
        return EXIT_RUN;
    }
    options_init(&o);
    demo_defaults(&o, fd);
    code = command_options(&o, argc, argv);
    if (code < 0) {
        code = run_machine(&o);
    }
    options_clear(&o);
    close(fd);
    return code;
}
