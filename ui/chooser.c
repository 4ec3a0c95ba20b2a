/*
 * Choosing a file: a folder's list, and the path to type.
 *
 * Keys in the list: Enter opens, Backspace goes up, letters find, "/" and "~" start a path.
 *
 * Not here: making folders, choosing several, watching the folder.
 */
#include "ui/chooser.h"
#include <errno.h>
#include <sys/stat.h>

enum { MAX_FILES = 20000, CHOOSE = 1, CANCEL = 0 };

struct file {
    char *name;
    bool folder;
    uint64_t size;
};

struct chooser {
    char *folder;
    GPtrArray *files; /* as in the list */
    char **patterns;
    struct gui_widget *dialog, *path, *list, *hidden, *all, *error;
    void (*fn)(void *of, const char *path);
    void *of;
};

static void file_free(void *of)
{
    struct file *f = of;

    g_free(f->name);
    g_free(f);
}

static int file_compare(const void *a, const void *b)
{
    const struct file *x = *(struct file *const *)a, *y = *(struct file *const *)b;
    g_autofree char *lx = NULL, *ly = NULL, *kx = NULL, *ky = NULL;
    int order;

    if (x->folder != y->folder) {
        return x->folder ? -1 : 1;
    }
    lx = g_utf8_casefold(x->name, -1);
    ly = g_utf8_casefold(y->name, -1);
    kx = g_utf8_collate_key_for_filename(lx, -1);
    ky = g_utf8_collate_key_for_filename(ly, -1);
    order = strcmp(kx, ky);
    return order ? order : strcmp(x->name, y->name);
}

static bool fits_patterns(char **patterns, const char *name)
{
    g_autofree char *low = g_ascii_strdown(name, -1);

    for (char **p = patterns; p && *p; p++) {
        if (g_pattern_match_simple(*p, low)) {
            return true;
        }
    }
    return !patterns;
}

static void add_file(struct chooser *c, const char *name)
{
    g_autofree char *path = g_build_filename(c->folder, name, NULL);
    struct file *f;
    struct stat st;

    if (stat(path, &st) || (name[0] == '.' && !gui_value(c->hidden)) ||
        (!S_ISDIR(st.st_mode) && !gui_value(c->all) && !fits_patterns(c->patterns, name))) {
        return;
    }
    f = g_new0(struct file, 1);
    f->name = g_strdup(name);
    f->folder = S_ISDIR(st.st_mode);
    f->size = (uint64_t)MAX(st.st_size, 0);
    g_ptr_array_add(c->files, f);
}

static void show_error(struct chooser *c, const char *text)
{
    gui_set_text(c->error, text ? text : "");
    gui_show(c->error, text != NULL);
}

static void fill_list(struct chooser *c, const char *select)
{
    gui_list_clear(c->list);
    for (guint i = 0; i < c->files->len; i++) {
        const struct file *f = g_ptr_array_index(c->files, i);
        g_autofree char *name = g_filename_display_name(f->name);
        g_autofree char *size =
            f->folder ? NULL : g_format_size_full(f->size, G_FORMAT_SIZE_IEC_UNITS);
        struct gui_row row = {
            .text = name, .note = size, .icon = f->folder ? GUI_ICON_FOLDER : GUI_ICON_FILE};

        gui_list_add(c->list, &row);
        if (select && !strcmp(select, f->name)) {
            gui_set_value(c->list, (int)i);
        }
    }
    if (gui_value(c->list) < 0) {
        gui_set_value(c->list, 0);
    }
}

/* Show a folder; on an error everything stays as it is, and the error shows. */
static bool go_to(struct chooser *c, const char *folder, const char *select)
{
    g_autofree char *to = g_canonicalize_filename(folder, "/");
    g_autofree char *shown = g_filename_display_name(to);
    GDir *dir;
    const char *name;
    g_autofree char *why = NULL;

    errno = 0;
    dir = g_dir_open(to, 0, NULL);
    if (!dir) {
        why = g_strdup_printf("%s: %s", shown, g_strerror(errno ? errno : ENOENT));
        show_error(c, why);
        return false;
    }
    g_free(c->folder);
    c->folder = g_steal_pointer(&to);
    g_ptr_array_set_size(c->files, 0);
    for (int i = 0; i < MAX_FILES && (name = g_dir_read_name(dir)); i++) {
        add_file(c, name);
    }
    if (g_dir_read_name(dir)) {
        why = g_strdup_printf("%s has more than %d files; type the name of those not listed", shown,
                              MAX_FILES);
    }
    g_dir_close(dir);
    g_ptr_array_sort(c->files, file_compare);
    show_error(c, why);
    gui_set_text(c->path, shown);
    fill_list(c, select);
    return true;
}

static void go_up(struct chooser *c)
{
    g_autofree char *up = g_path_get_dirname(c->folder), *name = g_path_get_basename(c->folder);

    go_to(c, up, name);
}

static void finish(struct chooser *c, const char *path)
{
    void (*fn)(void *of, const char *path) = c->fn;
    void *of = c->of;

    c->fn = NULL;
    gui_dialog_close(c->dialog);
    if (fn) {
        fn(of, path);
    }
}

/* Go into a folder, take a file, or say what is wrong. */
static void take_path(struct chooser *c, const char *path)
{
    g_autofree char *shown = g_filename_display_name(path);
    g_autofree char *why = NULL;
    struct stat st;

    if (stat(path, &st)) {
        why = g_strdup_printf("%s: %s", shown, g_strerror(errno));
        show_error(c, why);
    } else if (S_ISDIR(st.st_mode)) {
        if (go_to(c, path, NULL)) {
            gui_focus(c->list);
        }
    } else {
        finish(c, path);
    }
}

static void take_typed(struct chooser *c)
{
    const char *text = gui_text(c->path);
    g_autofree char *home = NULL, *path = NULL;

    if (text[0] == '~' && (!text[1] || text[1] == '/')) {
        home = g_strconcat(g_get_home_dir(), text + 1, NULL);
        text = home;
    }
    path = g_canonicalize_filename(text, c->folder);
    take_path(c, path);
}

static void take_row(struct chooser *c)
{
    int at = gui_value(c->list);

    if (at >= 0 && at < (int)c->files->len) {
        const struct file *f = g_ptr_array_index(c->files, (guint)at);
        g_autofree char *path = g_build_filename(c->folder, f->name, NULL);

        take_path(c, path);
    }
}

static bool chooser_button(struct gui_widget *dialog, int id, void *of)
{
    struct chooser *c = of;
    g_autofree char *shown = g_filename_display_name(c->folder);

    (void)dialog;
    if (id == CANCEL) {
        finish(c, NULL);
    } else if (strcmp(gui_text(c->path), shown) != 0) {
        take_typed(c);
    } else {
        take_row(c);
    }
    return false; /* finish closes it */
}

static void on_row(struct gui_widget *w, void *of)
{
    (void)w;
    take_row(of);
}

static void on_path(struct gui_widget *w, void *of)
{
    (void)w;
    take_typed(of);
}

static void on_up(struct gui_widget *w, void *of)
{
    (void)w;
    go_up(of);
}

static void on_check(struct gui_widget *w, void *of)
{
    struct chooser *c = of;

    (void)w;
    go_to(c, c->folder, NULL);
}

static bool on_list_key(struct gui_widget *w, const struct gui_event *ev, void *of)
{
    struct chooser *c = of;

    (void)w;
    if (gui_is_key(ev, KEY_BACKSPACE, 0) || gui_is_key(ev, KEY_UP, GUI_ALT)) {
        go_up(c);
        return true;
    }
    if (ev->kind == GUI_TEXT && (ev->text[0] == '/' || ev->text[0] == '~')) {
        gui_focus(c->path);
        gui_set_text(c->path, ev->text);
        return true;
    }
    return false;
}

static void chooser_free(void *of)
{
    struct chooser *c = of;

    g_ptr_array_free(c->files, TRUE);
    g_strfreev(c->patterns);
    g_free(c->folder);
    g_free(c);
}

static void chooser_build(struct chooser *c, bool patterns)
{
    struct gui_widget *row = gui_hbox(c->dialog);

    gui_set_tip(gui_button(row, GUI_ICON_UP, "", on_up, c), "The folder above (Backspace)");
    c->path = gui_entry(row, "", "Folder or file", NULL, c);
    gui_set_grow(c->path, true);
    gui_on_activate(c->path, on_path);
    c->list = gui_list(c->dialog, NULL, c);
    gui_set_min(c->list, 480, 8 * 32);
    gui_on_activate(c->list, on_row);
    gui_on_key(c->list, on_list_key);
    c->error = gui_label(c->dialog, "", GUI_ERROR);
    gui_show(c->error, false);
    row = gui_hbox(c->dialog);
    c->hidden = gui_check(row, "_Hidden files", false, on_check, c);
    c->all = gui_check(row, "_All files", !patterns, on_check, c);
    gui_show(c->all, patterns);
    gui_dialog_button(c->dialog, "_Cancel", CANCEL, GUI_CANCEL);
    gui_dialog_button(c->dialog, "_Open", CHOOSE, GUI_DEFAULT);
}

void chooser_open(struct gui *g, const struct chooser_ask *ask,
                  void (*fn)(void *of, const char *path), void *of)
{
    struct chooser *c = g_new0(struct chooser, 1);

    c->fn = fn;
    c->of = of;
    c->files = g_ptr_array_new_with_free_func(file_free);
    c->patterns = ask->patterns ? g_strsplit(ask->patterns, ";", -1) : NULL;
    c->folder = g_strdup("/");
    c->dialog = gui_dialog(g, GUI_ICON_FOLDER, ask->title, chooser_button, c);
    gui_own(c->dialog, c, chooser_free);
    chooser_build(c, ask->patterns != NULL);
    if (!go_to(c, ask->folder ? ask->folder : g_get_home_dir(), NULL)) {
        g_autofree char *why = g_strdup(gui_text(c->error));

        go_to(c, "/", NULL);
        show_error(c, why);
    }
    gui_focus(c->list);
}
