/*
 * The dialogs for a new machine and for the settings of one: a form, whose values become options
 * of its key file.  What is wrong is said in the dialog, which stays.
 *
 * Only options that were changed are written, so that words the form does not know stay as they
 * are.  Not here: several network cards, serial ports, what else `candela set` can.
 */
#include "ui/chooser.h"
#include "ui/manager_int.h"

enum { CANCEL, OK };
enum { DISK_NEW, DISK_FILE, DISK_NONE };
/* Memory: today's installers with a graphical screen want 1 GiB. */
enum { MAX_OPTIONS = 16, NEW_DISK_GIB = 20, NEW_MEMORY_MIB = 1024 };

/* Rows of the form that are a text each; the option they stand for, with its old value. */
struct form_path {
    const char *option, *label, *hint, *patterns;
};

static const struct form_path paths[] = {
    {"hda", "_Disk", "A VHD or a raw image", "*.vhd;*.avhd;*.img;*.raw"},
    {"hdb", "Second dis_k", "No disk", "*.vhd;*.avhd;*.img;*.raw"},
    {"cdrom", "_CD image", "Empty drive", "*.iso;*.img"},
    {"fda", "_Floppy image", "Empty drive", "*.img;*.vfd;*.ima;*.flp"},
};
enum { PATH_DISK, PATH_SECOND, PATH_CD, PATH_FLOPPY, PATHS };

/* Rows that are one of several: what is shown, and the option's value; NULL: not in the file. */
struct form_choice {
    const char *option, *label;
    struct {
        const char *text, *value;
    } of[6];
};

static const struct form_choice choices[] = {
    {"cpu-model",
     "CPU mode_l",
     {{"Today's, by default", NULL},
      {"Today's; the pointer moves freely in Linux", "x86-64-v3,+vmware"},
      {"Pentium III", "pentium3"},
      {"Pentium", "pentium"},
      {"486", "486"}}},
    {"accel",
     "_Engine",
     {{"Automatic", NULL},
      {"KVM (the host's processor)", "kvm"},
      {"Translator", "jit"},
      {"Interpreter", "interp"}}},
    {"nic",
     "Net_work",
     {{"Shared, by default", NULL},
      {"Shared (NAT)", "user"},
      {"Between machines (switch)", "switch:lab"},
      {"None", "none"}}},
    {"boot",
     "_Boot from",
     {{"Disk, CD, floppy, by default", NULL},
      {"Disk, then CD", "cd"},
      {"CD, then disk", "dc"},
      {"Floppy", "a"},
      {"Network", "n"}}},
};
enum { CHOICES = ARRAY_LEN(choices) };

struct form {
    struct manager *m;
    char *what; /* of the machine; NULL: a new one */
    struct gui_widget *dialog, *name, *memory, *cpus, *disk_kind, *disk_size, *path[PATHS],
        *path_row[PATHS], *path_name[PATHS], *size_name, *choice[CHOICES], *error, *ok, *cancel;
    char *old_path[PATHS], *old_choice[CHOICES];
    int old_memory, old_cpus, asked; /* asked: the path whose chooser is open */
    bool busy;
    /* For the thread. */
    char *to;
    struct library_option options[MAX_OPTIONS + 1];
    unsigned option_count;
    uint64_t disk_bytes;
    GError *err;
};

static void options_clear(struct form *f)
{
    for (unsigned i = 0; i < f->option_count; i++) {
        g_free((char *)f->options[i].value);
    }
    memset(f->options, 0, sizeof f->options);
    f->option_count = 0;
}

static void form_free(struct form *f)
{
    options_clear(f);
    for (int i = 0; i < PATHS; i++) {
        g_free(f->old_path[i]);
    }
    for (unsigned i = 0; i < CHOICES; i++) {
        g_free(f->old_choice[i]);
    }
    g_free(f->what);
    g_free(f->to);
    g_clear_error(&f->err);
    g_free(f);
}

static void form_error(struct form *f, const char *text, struct gui_widget *at)
{
    gui_set_text(f->error, text);
    gui_set_look(f->error, GUI_ERROR);
    gui_show(f->error, true);
    if (at) {
        gui_focus(at);
    }
}

static void option_add(struct form *f, const char *name, char *value)
{
    if (f->option_count < MAX_OPTIONS) {
        f->options[f->option_count++] = (struct library_option){name, value};
    }
}

/* ---- Files ---- */

static void path_chosen(void *of, const char *path)
{
    struct form *f = of;

    if (path) {
        gui_set_text(f->path[f->asked], path);
    }
    gui_focus(f->path[f->asked]);
}

static void on_browse(struct gui_widget *w, void *of)
{
    struct form *f = of;

    f->asked = gui_value(w);
    chooser_open(f->m->gui,
                 &(struct chooser_ask){"Choose an image", NULL, paths[f->asked].patterns},
                 path_chosen, f);
}

static void add_path(struct form *f, struct gui_widget *form, int i, const char *value)
{
    struct gui_widget *row, *button;

    f->path_name[i] = gui_field(form, paths[i].label);
    row = f->path_row[i] = gui_hbox(form);
    f->path[i] = gui_entry(row, value, paths[i].hint, NULL, f);
    gui_set_grow(f->path[i], true);
    button = gui_button(row, GUI_ICON_FOLDER, "", on_browse, f);
    gui_set_tip(button, "Look for a file");
    gui_set_value(button, i);
    f->old_path[i] = g_strdup(value ? value : "");
}

/* ---- From the form to options ---- */

static void take_paths(struct form *f)
{
    for (int i = 0; i < PATHS; i++) {
        const char *text = f->path[i] ? gui_text(f->path[i]) : NULL;

        if (!text || (i == PATH_DISK && f->disk_kind && gui_value(f->disk_kind) != DISK_FILE) ||
            !strcmp(text, f->old_path[i])) {
            continue;
        }
        if (text[0] == '~' && text[1] == '/') {
            option_add(f, paths[i].option, g_build_filename(g_get_home_dir(), text + 2, NULL));
        } else {
            option_add(f, paths[i].option, *text ? g_strdup(text) : NULL);
        }
    }
}

static void take_options(struct form *f)
{
    options_clear(f);
    if (gui_value(f->memory) != f->old_memory) {
        option_add(f, "memory", g_strdup_printf("%dM", gui_value(f->memory)));
    }
    if (gui_value(f->cpus) != f->old_cpus) {
        option_add(f, "smp", g_strdup_printf("%d", gui_value(f->cpus)));
    }
    take_paths(f);
    for (unsigned i = 0; i < CHOICES; i++) {
        /* one more than the table has is what stood there and stays */
        int at = f->choice[i] ? gui_value(f->choice[i]) : -1;

        if (at >= 0 && at < (int)ARRAY_LEN(choices[i].of) && choices[i].of[at].text &&
            g_strcmp0(choices[i].of[at].value, f->old_choice[i])) {
            option_add(f, choices[i].option, g_strdup(choices[i].of[at].value));
        }
    }
    f->disk_bytes = f->disk_kind && gui_value(f->disk_kind) == DISK_NEW
                        ? (uint64_t)gui_value(f->disk_size) * GiB
                        : 0;
    if (!f->what && f->path[PATH_CD] && *gui_text(f->path[PATH_CD])) {
        option_add(f, "boot", g_strdup("cd")); /* an empty disk does not start: the CD is next */
    }
}

static void form_work(void *of)
{
    struct form *f = of;

    if (!f->what) {
        library_create(&(struct library_create_args){f->to, f->options, f->disk_bytes}, &f->err);
    } else if (!f->option_count || library_edit(f->what, f->options, &f->err)) {
        if (g_strcmp0(f->to, f->what)) {
            library_rename(f->what, f->to, &f->err);
        }
    }
}

static void form_done(void *of)
{
    struct form *f = of;
    struct manager *m = f->m;

    f->busy = false;
    if (f->err) {
        gui_set_enabled(f->ok, true);
        gui_set_enabled(f->cancel, true);
        form_error(f, f->err->message, NULL);
        g_clear_error(&f->err);
        return;
    }
    g_free(m->select);
    m->select = g_strdup(f->to);
    gui_dialog_close(f->dialog);
    form_free(f);
}

static bool form_button(struct gui_widget *dialog, int id, void *of)
{
    struct form *f = of;
    g_autoptr(GError) err = NULL;

    (void)dialog;
    if (f->busy) {
        return false;
    }
    if (id == CANCEL) {
        form_free(f);
        return true;
    }
    g_free(f->to);
    f->to = g_strstrip(g_strdup(gui_text(f->name)));
    if (!library_name_check(f->to, &err)) {
        form_error(f, err->message, f->name);
        return false;
    }
    if (f->disk_kind && gui_value(f->disk_kind) == DISK_FILE && !*gui_text(f->path[PATH_DISK])) {
        form_error(f, "Name the disk's file, or choose another kind of disk.", f->path[PATH_DISK]);
        return false;
    }
    take_options(f);
    f->busy = true;
    gui_set_enabled(f->ok, false);
    gui_set_enabled(f->cancel, false);
    gui_set_text(f->error, "Writing…");
    gui_set_look(f->error, GUI_DIM);
    gui_show(f->error, true);
    manager_run(f->m, form_work, form_done, f);
    return false; /* form_done closes it */
}

/* ---- Building ---- */

static struct form *form_new(struct manager *m, enum gui_icon icon, const char *title)
{
    struct form *f = g_new0(struct form, 1);

    f->m = m;
    f->dialog = gui_dialog(m->gui, icon, title, form_button, f);
    return f;
}

static struct gui_widget *form_head(struct form *f, const char *name, int memory, int cpus)
{
    struct gui_widget *form = gui_form(f->dialog);

    gui_set_min(form, 460, 0);
    gui_field(form, "_Name");
    f->name = gui_entry(form, name, "As it stands in the list", NULL, f);
    gui_field(form, "_Memory");
    f->memory = gui_spin(form, 1, 65536, 64, memory, "MiB", NULL, f);
    gui_field(form, "_Processors");
    f->cpus = gui_spin(form, 1, 64, 1, cpus, "", NULL, f);
    return form;
}

static void form_foot(struct form *f, const char *ok)
{
    f->error = gui_label(f->dialog, "", GUI_ERROR);
    gui_show(f->error, false);
    f->cancel = gui_dialog_button(f->dialog, "Cancel", CANCEL, GUI_CANCEL);
    f->ok = gui_dialog_button(f->dialog, ok, OK, GUI_DEFAULT);
    gui_focus(f->name);
}

static void show_disk(struct gui_widget *w, void *of)
{
    struct form *f = of;
    int kind = gui_value(f->disk_kind);

    (void)w;
    gui_show(f->size_name, kind == DISK_NEW);
    gui_show(f->disk_size, kind == DISK_NEW);
    gui_show(f->path_name[PATH_DISK], kind == DISK_FILE);
    gui_show(f->path_row[PATH_DISK], kind == DISK_FILE);
}

/* A name like that of the image. */
static char *new_name(const char *image)
{
    g_autofree char *base = image ? g_path_get_basename(image) : g_strdup("New machine");
    char *dot = image ? strrchr(base, '.') : NULL;

    if (dot) {
        *dot = 0;
    }
    return library_new_name(base);
}

/* The image of a new machine is new, too: it is put in behind what add_path took for old. */
static void add_image(struct form *f, struct gui_widget *form, int i, const char *image)
{
    add_path(f, form, i, NULL);
    gui_set_text(f->path[i], image);
}

void manager_new_machine(struct manager *m, enum media_kind kind, const char *image)
{
    static const char *const kinds[] = {"A new disk (VHD)", "A disk there is", "No disk", NULL};
    struct form *f = form_new(m, GUI_ICON_PLUS, "New machine");
    g_autofree char *name = new_name(image);
    struct gui_widget *form = form_head(f, name, NEW_MEMORY_MIB, 1);

    gui_field(form, "_Hard disk");
    f->disk_kind = gui_choice(form, kinds, kind == MEDIA_DISK ? DISK_FILE : DISK_NEW, show_disk, f);
    f->size_name = gui_field(form, "_Size");
    f->disk_size = gui_spin(form, 1, 2040, 1, NEW_DISK_GIB, "GiB", NULL, f);
    add_image(f, form, PATH_DISK, kind == MEDIA_DISK ? image : NULL);
    gui_set_text(f->path_name[PATH_DISK], "_File");
    add_image(f, form, PATH_CD, kind == MEDIA_CD ? image : NULL);
    if (kind == MEDIA_FLOPPY) {
        add_image(f, form, PATH_FLOPPY, image);
    }
    gui_label(f->dialog,
              "A new disk grows as it is written to.  To install a system, choose its CD image.",
              GUI_DIM);
    show_disk(NULL, f);
    form_foot(f, "C_reate");
}

static void add_choice(struct form *f, struct gui_widget *form, unsigned i, const char *value)
{
    const char *texts[ARRAY_LEN(choices[i].of) + 2] = {NULL};
    g_autofree char *plain = value ? gui_plain(value) : NULL;
    int n = 0, at = -1;

    for (; n < (int)ARRAY_LEN(choices[i].of) && choices[i].of[n].text; n++) {
        texts[n] = choices[i].of[n].text;
        at = at < 0 && !g_strcmp0(choices[i].of[n].value, value) ? n : at;
    }
    if (at < 0) {
        texts[n] = plain;
        at = n;
    }
    gui_field(form, choices[i].label);
    f->choice[i] = gui_choice(form, texts, at, NULL, f);
    f->old_choice[i] = g_strdup(value);
}

void manager_edit_machine(struct manager *m, const struct library_machine *machine)
{
    g_autofree char *title = g_strdup_printf("Settings of %s", machine->name);
    struct form *f = form_new(m, GUI_ICON_GEAR, title);
    struct gui_widget *form;

    f->what = g_strdup(machine->what);
    f->old_memory = (int)CLAMP(machine->memory / MiB, 1, 65536);
    f->old_cpus = (int)machine->cpus;
    form = form_head(f, machine->name, f->old_memory, f->old_cpus);
    for (int i = 0; i < PATHS; i++) {
        g_auto(GStrv) values = library_get(machine->what, paths[i].option, NULL);

        add_path(f, form, i, values ? values[0] : NULL);
    }
    for (unsigned i = 0; i < CHOICES; i++) {
        g_auto(GStrv) values = library_get(machine->what, choices[i].option, NULL);
        g_autofree char *all = values && *values ? g_strjoinv("  ", values) : NULL;

        add_choice(f, form, i, all);
    }
    form_foot(f, "_Save");
}
