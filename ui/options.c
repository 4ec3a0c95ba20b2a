/*
 * The options of `candela run`: one table gives parsing, help, lists and the nearest name.
 */
#include "ui/options.h"
#include "accel/accel.h"
#include "cpu/cpu.h"
#include "ui/audio.h"
#include "ui/chr_host.h"
#include "ui/complete.h"
#include "ui/drive.h"
#include "ui/nic.h"
#include "ui/option_table.h"
#include "ui/parse.h"
#include "ui/screen.h"
#include "ui/script.h"
#include "ui/smp.h"
#include "ui/window_keys.h"

struct option_row;
typedef bool option_set(struct options *o, const struct option_row *row, const char *opt,
                        const char *val, GError **err);

struct option_row {
    const char *names[OPTION_NAMES]; /* as in struct option_spec, likewise the next two */
    const char *arg;                 /* as shown in the help; NULL: none */
    const char *help;
    option_set *set;
    size_t offset; /* of the char * or bool that set_string and set_flag fill */
    void (*list)(
        GString *out); /* what the value `help` answers; NULL: it is a value as any other */
    enum option_takes takes;
    bool two;            /* the first name is shown with two dashes */
    const char *endings; /* as in struct option_spec */
    unsigned extra;      /* the setter's own */
    enum option_store store;
    enum option_paths paths;
    bool adds;      /* what the command line gives comes to what the key file has */
    unsigned group; /* rows of the same group, but 0, stand for each other */
};

/* Setters ------------------------------------------------------------------------------------- */

static bool set_string(struct options *o, const struct option_row *row, const char *opt,
                       const char *val, GError **err)
{
    if (!*val) {
        return parse_fail(err, "%s needs a value: %s", opt, row->arg);
    }
    parse_put((char **)((char *)o + row->offset), val);
    return true;
}

static bool set_append(struct options *o, const struct option_row *row, const char *opt,
                       const char *val, GError **err)
{
    (void)row;
    (void)opt;
    (void)err;
    parse_put(&o->vm.append, val);
    return true;
}

static bool set_flag(struct options *o, const struct option_row *row, const char *opt,
                     const char *val, GError **err)
{
    bool on = true;

    if (val && !parse_switch(val, &on, err)) {
        g_prefix_error(err, "%s: ", opt);
        return false;
    }
    *(bool *)((char *)o + row->offset) = on;
    return true;
}

static bool set_memory(struct options *o, const struct option_row *row, const char *opt,
                       const char *val, GError **err)
{
    uint64_t size;

    (void)row;
    if (!parse_size(val, MiB, &size, err)) {
        g_prefix_error(err, "%s: ", opt);
        return false;
    }
    if (size > VM_MAX_MEMORY) {
        return parse_fail(err, "%s %s: more than a machine can have; at most 64G", opt, val);
    }
    if (size < VM_MIN_MEMORY) {
        return parse_fail(err, "%s %s: too little for a PC; at least 1M", opt, val);
    }
    if (size % (64 * KiB)) {
        return parse_fail(err, "%s %s: must be a multiple of 64K", opt, val);
    }
    o->vm.memory = size;
    return true;
}

static bool set_video_memory(struct options *o, const struct option_row *row, const char *opt,
                             const char *val, GError **err)
{
    uint64_t size;

    (void)row;
    if (!parse_size(val, MiB, &size, err)) {
        g_prefix_error(err, "%s: ", opt);
        return false;
    }
    if (size < VM_MIN_VIDEO_MEMORY || size > VM_MAX_VIDEO_MEMORY || (size & (size - 1))) {
        return parse_fail(err, "%s %s: must be 1, 2, 4, 8, 16, 32 or 64 MiB", opt, val);
    }
    o->vm.video_memory = size;
    return true;
}

static bool set_smp(struct options *o, const struct option_row *row, const char *opt,
                    const char *val, GError **err)
{
    (void)row;
    return smp_parse(&o->vm, opt, val, err);
}

static bool set_accel(struct options *o, const struct option_row *row, const char *opt,
                      const char *val, GError **err)
{
    (void)row;
    (void)opt;
    if (!accel_known(val, err)) {
        return false;
    }
    parse_put(&o->vm.accel, val);
    return true;
}

static bool set_drive(struct options *o, const struct option_row *row, const char *opt,
                      const char *val, GError **err)
{
    struct drive_request *r;

    (void)row;
    r = drive_parse(opt, val, err);
    if (r) {
        r->weak = o->weak;
        g_ptr_array_add(o->drives, r);
    }
    return r != NULL;
}

static bool set_nic(struct options *o, const struct option_row *row, const char *opt,
                    const char *val, GError **err)
{
    (void)row;
    return nic_parse(o, opt, val, err);
}

static bool set_net(struct options *o, const struct option_row *row, const char *opt,
                    const char *val, GError **err)
{
    (void)row;
    return !strcmp(val, "none")
               ? nic_parse(o, opt, val, err)
               : parse_fail(err, "%s %s: only none; cards are made with -nic (-nic help)", opt,
                            val);
}

enum { NAME_MAX_LEN = 64 };

static bool set_name(struct options *o, const struct option_row *row, const char *opt,
                     const char *val, GError **err)
{
    size_t len = strlen(val);

    (void)row;
    if (!len || len > NAME_MAX_LEN || !g_utf8_validate(val, -1, NULL) ||
        strpbrk(val, "/,=\n\r\t\033")) {
        return parse_fail(err, "%s: a name has 1 to %d bytes of text without '/', ',' and '='", opt,
                          NAME_MAX_LEN);
    }
    parse_put(&o->vm.name, val);
    return true;
}

static bool set_uuid(struct options *o, const struct option_row *row, const char *opt,
                     const char *val, GError **err)
{
    (void)row;
    if (!g_uuid_string_is_valid(val)) {
        return parse_fail(err,
                          "%s %s: a UUID has 32 hexadecimal digits in five groups, such as "
                          "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
                          opt, val);
    }
    parse_put(&o->vm.uuid, val);
    return true;
}

enum { PLACE_CD = 16, PLACE_FLOPPY = 32 };

static bool set_medium(struct options *o, const struct option_row *row, const char *opt,
                       const char *val, GError **err)
{
    struct drive_request *r;

    if (!*val) {
        return parse_fail(err, "%s needs the name of an image file", opt);
    }
    r = drive_request_new(opt, val, row->extra & PLACE_FLOPPY ? DRIVE_FLOPPY : DRIVE_IDE,
                          row->extra & PLACE_CD ? DRIVE_CDROM : DRIVE_DISK);
    r->has_index = !(row->extra & PLACE_CD);
    r->config.index = row->extra & 3;
    r->weak = o->weak;
    g_ptr_array_add(o->drives, r);
    return true;
}

static bool boot_check_order(const char *opt, const char *order, GError **err)
{
    for (const char *p = order; *p; p++) {
        if (!strchr("acdn", *p)) {
            return parse_fail(err,
                              "%s %s: '%c' is no device; use a (floppy), c (disk), d (CD), "
                              "n (network)",
                              opt, order, *p);
        }
        if (strchr(p + 1, *p)) {
            return parse_fail(err, "%s %s: '%c' stands twice", opt, order, *p);
        }
    }
    return *order || parse_fail(err, "%s: the order is empty; for example -boot dc", opt);
}

static bool set_boot(struct options *o, const struct option_row *row, const char *opt,
                     const char *val, GError **err)
{
    g_auto(GStrv) words = parse_commas(val);

    (void)row;
    for (char **w = words; *w; w++) {
        if (g_str_has_prefix(*w, "menu=")) {
            if (!parse_switch(*w + 5, &o->vm.boot_menu, err)) {
                g_prefix_error(err, "%s %s: ", opt, val);
                return false;
            }
            continue;
        }
        const char *order = g_str_has_prefix(*w, "order=") ? *w + 6 : *w;
        if (strchr(order, '=')) {
            return parse_fail(err, "%s %s: unknown key '%s'; there are order= and menu=", opt, val,
                              *w);
        }
        if (!boot_check_order(opt, order, err)) {
            return false;
        }
        parse_put(&o->vm.boot_order, order);
    }
    return true;
}

static bool set_serial(struct options *o, const struct option_row *row, const char *opt,
                       const char *val, GError **err)
{
    (void)row;
    if (!chr_host_check(val, err)) {
        g_prefix_error(err, "%s %s: ", opt, val);
        return false;
    }
    if (o->serials >= VM_SERIALS) {
        return parse_fail(err, "%s %s: there are only two serial ports, COM1 and COM2", opt, val);
    }
    parse_put(&o->vm.serial[o->serials++], val);
    return true;
}

static bool set_endpoint(struct options *o, const struct option_row *row, const char *opt,
                         const char *val, GError **err)
{
    if (!chr_host_check(val, err)) {
        g_prefix_error(err, "%s %s: ", opt, val);
        return false;
    }
    parse_put((char **)((char *)o + row->offset), val);
    return true;
}

static bool set_debug_exit(struct options *o, const struct option_row *row, const char *opt,
                           const char *val, GError **err)
{
    uint64_t port = 0xf4;
    g_auto(GStrv) words = g_strsplit(val ? val : "0xf4", ",", -1);

    (void)row;
    if (val && !*val) {
        return parse_fail(err, "%s=: the value is empty; give a port (such as 0xf4) or none", opt);
    }
    for (char **w = words; *w; w++) {
        if (!strcmp(*w, "qemu")) {
            o->vm.debug_exit_qemu = true;
        } else if (w != words || !parse_number(*w, 0xfffc, &port, NULL)) {
            return parse_fail(err, "%s: '%s' is neither a port (such as 0xf4) nor 'qemu'", opt, *w);
        }
    }
    o->vm.debug_exit_port = (int)port;
    return true;
}

/* Which of the words; -1 with an error. */
static int option_choice(const char *opt, const char *what, const char *val,
                         const char *const *words, GError **err)
{
    int n = parse_choice(what, val, words, err);

    if (n < 0) {
        g_prefix_error(err, "%s: ", opt);
    }
    return n;
}

static const char *const display_words[] = {"none", "sdl", NULL};

static bool set_display(struct options *o, const struct option_row *row, const char *opt,
                        const char *val, GError **err)
{
    int n = option_choice(opt, "display", val, display_words, err);

    (void)row;
    if (n >= 0) {
        o->display = n ? DISPLAY_SDL : DISPLAY_NONE;
    }
    return n >= 0;
}

static bool set_scaling(struct options *o, const struct option_row *row, const char *opt,
                        const char *val, GError **err)
{
    const char *words[VIEW_SCALINGS + 1] = {NULL};
    int n;

    (void)row;
    for (unsigned i = 0; i < VIEW_SCALINGS; i++) {
        words[i] = view_scaling_name(i);
    }
    n = option_choice(opt, "scaling", val, words, err);
    if (n >= 0) {
        o->scaling = (enum view_scaling)n;
    }
    return n >= 0;
}

static bool set_theme(struct options *o, const struct option_row *row, const char *opt,
                      const char *val, GError **err)
{
    const char *words[THEMES + 1] = {NULL};
    int n;

    (void)row;
    for (unsigned i = 0; i < THEMES; i++) {
        words[i] = theme_name(i);
    }
    n = option_choice(opt, "theme", val, words, err);
    if (n >= 0) {
        o->theme = (enum theme_choice)n;
    }
    return n >= 0;
}

static bool set_host_key(struct options *o, const struct option_row *row, const char *opt,
                         const char *val, GError **err)
{
    const struct host_key *host = host_key_find(val);

    (void)row;
    o->host_key = host ? host : o->host_key;
    return host || parse_fail(err, "%s %s: no such host key (%s help lists them)", opt, val, opt);
}

static bool set_rtc(struct options *o, const struct option_row *row, const char *opt,
                    const char *val, GError **err)
{
    g_auto(GStrv) parts = parse_commas(val);

    (void)row;
    for (char **p = parts; *p; p++) {
        if (g_str_has_prefix(*p, "base=") && (*p)[5]) {
            parse_put(&o->vm.rtc_base, *p + 5);
        } else if (!strcmp(*p, "clock=host") || !strcmp(*p, "clock=vm")) {
            o->vm.rtc_by_vm = !strcmp(*p, "clock=vm");
        } else {
            return parse_fail(err,
                              "%s %s: give base=utc, base=localtime or base=2026-07-30T12:00:00, "
                              "and clock=host or clock=vm",
                              opt, val);
        }
    }
    return true;
}

static const char *const fault_words[] = {"reset", "pause", "exit", NULL};

static bool set_fault(struct options *o, const struct option_row *row, const char *opt,
                      const char *val, GError **err)
{
    int n = option_choice(opt, "policy", val, fault_words, err);

    (void)row;
    if (n >= 0) {
        o->vm.on_triple_fault = (enum triple_fault)n;
    }
    return n >= 0;
}

static const char *const pointer_words[] = {"vmware", "ps2", NULL};

static bool set_pointer(struct options *o, const struct option_row *row, const char *opt,
                        const char *val, GError **err)
{
    int n = option_choice(opt, "pointer", val, pointer_words, err);

    (void)row;
    if (n >= 0) {
        o->vm.pointer = (enum pointer_kind)n;
    }
    return n >= 0;
}

static bool set_max_time(struct options *o, const struct option_row *row, const char *opt,
                         const char *val, GError **err)
{
    (void)row;
    if (!parse_seconds(val, &o->max_time_ms, err)) {
        g_prefix_error(err, "%s: ", opt);
        return false;
    }
    return true;
}

static bool set_max_insns(struct options *o, const struct option_row *row, const char *opt,
                          const char *val, GError **err)
{
    (void)row;
    if (!parse_number(val, INT64_MAX, &o->vm.max_insns, err)) {
        g_prefix_error(err, "%s: ", opt);
        return false;
    }
    return o->vm.max_insns > 0 || parse_fail(err, "%s: must be more than 0", opt);
}

static bool set_screen(struct options *o, const struct option_row *row, const char *opt,
                       const char *val, GError **err)
{
    (void)row;
    if (!screen_knows_ending(val)) {
        return parse_fail(err, "%s %s: the name must end in .png, .ppm (picture) or .txt (text)",
                          opt, val);
    }
    parse_put(&o->screen, val);
    return true;
}

static bool set_step(struct options *o, const struct option_row *row, const char *opt,
                     const char *val, GError **err)
{
    struct script_step step = {.kind = (enum step_kind)row->extra};

    if (!*val) {
        return parse_fail(err, "%s: the text is empty", opt);
    }
    if (step.kind == STEP_TYPE && !script_check_keys(val, err)) {
        g_prefix_error(err, "%s: ", opt);
        return false;
    }
    step.text = g_strdup(val);
    g_array_append_val(o->steps, step);
    return true;
}

static bool set_trace(struct options *o, const struct option_row *row, const char *opt,
                      const char *val, GError **err)
{
    uint32_t mask = 0;

    if (!*val) {
        return parse_fail(err, "%s needs a value: %s", opt, row->arg);
    }
    if (!trace_parse(val, &mask, err)) {
        g_prefix_error(err, "%s: ", opt);
        return false;
    }
    o->vm.trace_mask |= mask;
    return true;
}

/* Lists --------------------------------------------------------------------------------------- */

static void list_memory(GString *out)
{
    g_string_append(out, "SIZE: MiB, or with K, M or G; from 1M to 64G, 512M by default\n");
}

static void list_boot(GString *out)
{
    g_string_append(out, "-boot ORDER or -boot order=ORDER,menu=on|off\n"
                         "  a  floppy\n  c  disk\n  d  CD or DVD\n  n  network\n"
                         "ORDER is tried from left to right; cda by default; after a comma:\n"
                         "  menu=on|off  whether the firmware shows its menu; off by default\n");
}

static void list_display(GString *out)
{
    g_string_append(out, "sdl       a window: the default where there is a display\n"
                         "none      no window\n");
}

static void list_scaling(GString *out)
{
    for (unsigned i = 0; i < VIEW_SCALINGS; i++) {
        g_string_append_printf(out, "%-9s %s%s\n", view_scaling_name(i), view_scaling_help(i),
                               i ? "" : " (default)");
    }
}

static void list_themes(GString *out)
{
    for (unsigned i = 0; i < THEMES; i++) {
        g_string_append_printf(out, "%-9s %s%s\n", theme_name(i), theme_help(i),
                               i ? "" : " (default)");
    }
}

static void list_host_keys(GString *out)
{
    const struct host_key *h;

    for (unsigned i = 0; (h = host_key_at(i)); i++) {
        g_string_append_printf(out, "%-12s %s%s%s%s\n", h->name, h->label, *h->help ? ": " : "",
                               h->help, i ? "" : " (default)");
    }
}

static void list_rtc(GString *out)
{
    g_string_append(
        out,
        "base=utc               the host's time in UTC (default)\n"
        "base=localtime         the host's time in its time zone\n"
        "base=DATE              that time when the machine starts, such as 2026-07-30T12:00:00;\n"
        "                       a date alone: at midnight\n"
        "clock=host             it goes on with the host's clock, also while the\n"
        "                       machine is held (default)\n"
        "clock=vm               it stands while the machine is held\n");
}

static void list_fault(GString *out)
{
    g_string_append(out, "reset     as a PC does (default)\n"
                         "pause     hold the machine; look at it in the monitor\n"
                         "exit      end the run with exit code 5\n");
}

static void list_pointer(GString *out)
{
    g_string_append(
        out, "vmware    a PS/2 mouse, and at port 0x5658 VMware's absolute pointer beside it\n"
             "          (default); Linux looks for it under -cpu MODEL,+vmware only\n"
             "ps2       a PS/2 mouse and nothing else\n");
}

static void list_debug_exit(GString *out)
{
    g_string_append(out, "-debug-exit [PORT[,qemu]]: port 0xf4 by default\n"
                         "a write of V ends the run with exit code 64 + (V & 63);\n"
                         "with qemu: (V << 1) | 1\n");
}

/* The table ----------------------------------------------------------------------------------- */

#define AT(member) .offset = offsetof(struct options, member)

static const struct option_row rows[] = {
#include "ui/options.inc"
};

static_assert(ARRAY_LEN(rows) <= OPTIONS_MAX, "struct options.given has a bit for each");

const char *options_name(unsigned n)
{
    return n < ARRAY_LEN(rows) ? rows[n].names[0] : NULL;
}

bool options_info(unsigned n, struct option_info *out)
{
    const struct option_row *row = &rows[n];

    if (n >= ARRAY_LEN(rows)) {
        return false;
    }
    *out = (struct option_info){
        .name = row->names[0], .help = row->help, .store = row->store, .paths = row->paths};
    return true;
}

static bool options_spec(const struct option_table *t, unsigned n, struct option_spec *out)
{
    (void)t;
    if (n >= ARRAY_LEN(rows)) {
        return false;
    }
    *out = (struct option_spec){.names = rows[n].names,
                                .arg = rows[n].arg,
                                .help = rows[n].help,
                                .takes = rows[n].takes,
                                .two = rows[n].two,
                                .list = rows[n].list,
                                .endings = rows[n].endings};
    return true;
}

/* Whether `word` can be the value of an option that may stand without one. */
static bool is_optional_value(const char *word)
{
    return g_ascii_isdigit(*word) || !strcmp(word, "help") || !strcmp(word, "qemu");
}

static const struct option_table table = {
    .command = "candela run",
    .spec = options_spec,
    .is_value = is_optional_value,
};

const struct option_table *options_table(void)
{
    return &table;
}

int options_find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        for (unsigned n = 0; n < OPTION_NAMES && rows[i].names[n]; n++) {
            if (!strcmp(rows[i].names[n], name)) {
                return (int)i;
            }
        }
    }
    return -1;
}

bool options_is_given(const struct options *o, unsigned n)
{
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        bool same = i == n || (rows[i].group && rows[i].group == rows[n].group);

        if (same && !rows[n].adds && o->given[i]) {
            return true;
        }
    }
    return false;
}

void options_help(GString *out)
{
    g_string_append(out, "Usage: candela run [MACHINE | FILE.cvm] [options]\n\n"
                         "MACHINE is one of the library (candela list); the options go before what "
                         "its file says.\n"
                         "Each option may have one dash or two; a value may follow '='.  DEV, and "
                         "every value with\na list, answers 'help': -serial help.\n\n");
    option_table_help(&table, out);
    g_string_append(
        out, "\nExit codes: 0 the guest powered off or the last expectation held, 1 run-time "
             "error, 2 usage,\n3 bad medium or configuration, 4 no such accelerator here, 5 "
             "triple fault (policy exit), 6 a\nbudget ran out, 7 an expectation failed, 64 "
             "and more: chosen by the guest.\n");
}

void options_complete(struct completion *c, int argc, char *const *argv)
{
    complete_words(c, &table, argc, argv, NULL);
}

/* Parsing ------------------------------------------------------------------------------------- */

static bool option_stray(const char *word, GError **err)
{
    if (g_file_test(word, G_FILE_TEST_IS_REGULAR)) {
        return parse_fail(err,
                          "'%s' stands alone: give a disk with -hda, a CD with -cdrom, a floppy "
                          "with -fda, a kernel with -kernel",
                          word);
    }
    return parse_fail(err, "'%s' is no option (%s --help)", word, table.command);
}

/* A word that is no option: the machine, if there can be one and it was not named yet. */
static bool option_take_word(struct options *o, const char *word, GError **err)
{
    bool image = !g_str_has_suffix(word, ".cvm") && strcspn(word, "/.") < strlen(word) &&
                 g_file_test(word, G_FILE_TEST_IS_REGULAR);

    if (!o->takes_machine || image) {
        return option_stray(word, err);
    }
    if (o->machine) {
        return parse_fail(err, "'%s' and '%s': one machine at a time", o->machine, word);
    }
    parse_put(&o->machine, word);
    return true;
}

/* One option at argv[*at]; moves *at past it. */
static bool option_take(struct options *o, int argc, char *const *argv, int *at, GError **err)
{
    struct option_word word;

    if (!option_table_take(&table, argc, argv, at, &word, err)) {
        return false;
    }
    g_autofree char *opt = word.opt;
    const struct option_row *row = &rows[word.row];
    o->given[word.row] = true;
    if (!row->set) {
        options_help(o->answer);
        return true;
    }
    if (word.val && row->list && !strcmp(word.val, "help")) {
        row->list(o->answer);
        return true;
    }
    return row->set(o, row, opt, word.val, err);
}

bool options_set(struct options *o, unsigned n, const char *val, GError **err)
{
    const struct option_row *row = &rows[n];
    bool on = true;

    if (row->takes == OPTIONAL_ARG && (!*val || parse_switch(val, &on, NULL))) {
        return !on || row->set(o, row, row->names[0], NULL, err);
    }
    return row->set(o, row, row->names[0], val, err);
}

bool options_take(struct options *o, int argc, char *const *argv, GError **err)
{
    bool options = true;

    for (int at = 0; at < argc && !o->answer->len;) {
        if (options && !strcmp(argv[at], "--")) {
            options = false;
            at++;
        } else if (!options || argv[at][0] != '-' || !argv[at][1]) {
            if (!option_take_word(o, argv[at++], err)) {
                return false;
            }
        } else if (!option_take(o, argc, argv, &at, err)) {
            return false;
        }
    }
    return true;
}

bool options_parse(struct options *o, int argc, char *const *argv, GError **err)
{
    return options_take(o, argc, argv, err) && (o->answer->len || options_finish(o, err));
}
