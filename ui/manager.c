/*
 * The library's window: the list, searching, and what is done with the machine that is selected.
 *
 * Keys in the list: Enter starts (or continues), letters search, Esc ends the search, Delete
 * deletes, F2 is for settings, Menu for all of it; Ctrl+N makes a new machine.
 */
#include "ui/manager_int.h"
#include <gio/gio.h>

enum { ROW_HEIGHT = 92, PICTURE_WIDTH = 101, FILES_SHOWN = 8 };

/* ---- Work on threads ---- */

struct job {
    struct manager *m;
    void (*work)(void *of);
    void (*done)(void *of);
    void *of;
};

static void job_done(void *of)
{
    struct job *job = of;

    job->m->jobs--;
    job->done(job->of);
    g_free(job);
}

static void job_work(void *of, void *manager)
{
    struct job *job = of;
    struct manager *m = manager;

    job->work(job->of);
    m->host.post(m->host.of, job_done, job);
}

void manager_run(struct manager *m, void (*work)(void *of), void (*done)(void *of), void *of)
{
    struct job *job = g_new0(struct job, 1);

    *job = (struct job){m, work, done, of};
    m->jobs++;
    g_thread_pool_push(m->pool, job, NULL);
}

bool manager_is_busy(const struct manager *m)
{
    return m->jobs > 0;
}

/* ---- The list ---- */

struct manager_card *manager_selected(struct manager *m)
{
    int at = gui_value(m->list);

    return at >= 0 && at < (int)m->shown->len ? g_ptr_array_index(m->shown, (guint)at) : NULL;
}

static char *describe(const struct library_machine *machine)
{
    g_autofree char *memory = g_format_size_full(machine->memory, G_FORMAT_SIZE_IEC_UNITS);
    GString *s;

    if (machine->state == LIBRARY_BROKEN) {
        return g_strdup(machine->problem);
    }
    s = g_string_new(NULL);
    g_string_append_printf(s, "%s, %u processor%s", memory, machine->cpus,
                           machine->cpus == 1 ? "" : "s");
    for (guint i = 0; i < MIN(machine->disks->len, 2); i++) {
        g_autofree char *base = g_path_get_basename(g_ptr_array_index(machine->disks, i));

        g_string_append_printf(s, ", %s", base);
    }
    if (machine->disks->len) {
        g_autofree char *size = g_format_size_full(machine->disk_bytes, G_FORMAT_SIZE_IEC_UNITS);

        g_string_append_printf(s, " (%s)", size);
    }
    if (machine->ending) {
        g_string_append_printf(s, "; last: %s", machine->ending);
    }
    return g_string_free(s, FALSE);
}

static const struct {
    const char *name;
    enum gui_light light;
} states[] = {
    [LIBRARY_OFF] = {"Off", GUI_LIGHT_OFF},
    [LIBRARY_STARTING] = {"Starting", GUI_LIGHT_WRITE},
    [LIBRARY_RUNNING] = {"Running", GUI_LIGHT_READ},
    [LIBRARY_PAUSED] = {"Paused", GUI_LIGHT_WRITE},
    [LIBRARY_BROKEN] = {"Broken", GUI_LIGHT_ERROR},
};

static void add_row(struct manager *m, const struct manager_card *card)
{
    const struct library_machine *machine = card->machine;
    g_autofree char *sub = describe(machine);
    struct gui_row row = {.text = machine->name,
                          .sub = sub,
                          .note = states[machine->state].name,
                          .light = states[machine->state].light,
                          .icon =
                              machine->state == LIBRARY_BROKEN ? GUI_ICON_WARNING : GUI_ICON_CHIP,
                          .pale = machine->state == LIBRARY_BROKEN,
                          .picture = card->picture,
                          .picture_w = card->picture_w,
                          .picture_h = card->picture_h,
                          .picture_stride = 4 * card->picture_w};

    gui_list_add(m->list, &row);
}

static void show_buttons(struct manager *m)
{
    const struct manager_card *card = manager_selected(m);
    enum library_state state = card ? card->machine->state : LIBRARY_BROKEN;

    gui_set_text(m->start, state == LIBRARY_PAUSED ? "Continue" : "Start");
    gui_set_enabled(m->start, state == LIBRARY_OFF || state == LIBRARY_PAUSED);
    gui_set_enabled(m->settings, state == LIBRARY_OFF);
    gui_set_enabled(m->clone, state == LIBRARY_OFF);
    gui_set_enabled(m->folder, card != NULL);
    gui_set_enabled(m->remove, card && (state == LIBRARY_OFF || state == LIBRARY_BROKEN));
}

static bool fits_search(const char *name, const char *search)
{
    g_autofree char *have = g_utf8_casefold(name, -1), *want = g_utf8_casefold(search, -1);

    return strstr(have, want) != NULL;
}

/* Fill the list with what fits the search; who was selected stays so. */
static void show_cards(struct manager *m)
{
    const struct manager_card *was = manager_selected(m);
    g_autofree char *name = g_strdup(m->select ? m->select : was ? was->machine->name : NULL);
    g_autofree char *count = NULL;
    int at = gui_value(m->list), found = -1;

    gui_list_clear(m->list);
    g_ptr_array_set_size(m->shown, 0);
    for (guint i = 0; i < m->cards->len; i++) {
        struct manager_card *card = g_ptr_array_index(m->cards, i);

        if (fits_search(card->machine->name, gui_text(m->search))) {
            found = g_strcmp0(card->machine->name, name) ? found : (int)m->shown->len;
            g_ptr_array_add(m->shown, card);
            add_row(m, card);
        }
    }
    if (found >= 0) {
        g_clear_pointer(&m->select, g_free);
    }
    gui_set_value(m->list, found >= 0 ? found : CLAMP(at, 0, MAX((int)m->shown->len - 1, 0)));
    gui_show(m->list, m->shown->len > 0);
    gui_show(m->empty, m->shown->len == 0);
    gui_set_text(m->hint, m->cards->len
                              ? "No machine has that in its name.  Esc shows all again."
                              : "Make one with New (Ctrl+N), or drop a disk or CD image here.");
    count = g_strdup_printf("%u machine%s", m->cards->len, m->cards->len == 1 ? "" : "s");
    gui_set_text(m->count, count);
    show_buttons(m);
}

void manager_take(struct manager *m, GPtrArray *cards)
{
    GPtrArray *old = m->cards;

    m->cards = cards;
    show_cards(m);
    g_ptr_array_free(old, TRUE);
}

/* ---- What is done with a machine ---- */

enum deed { DEED_START, DEED_CLONE, DEED_LOOK_DELETE, DEED_DELETE, DEED_KILL, DEED_CONTROL };

struct errand {
    struct manager *m;
    enum deed deed;
    char *what, *to;
    const char *command;
    char *note;
    char **files; /* LOOK_DELETE: that would go */
    GError *err;
};

static void errand_work(void *of)
{
    struct errand *e = of;

    switch (e->deed) {
    case DEED_START:
        library_start(&(struct library_start_args){.what = e->what}, NULL, &e->err);
        break;
    case DEED_CLONE:
        library_clone(&(struct library_clone_args){.from = e->what, .to = e->to}, &e->err);
        break;
    case DEED_LOOK_DELETE:
        e->files = library_delete_list(e->what, &e->err);
        break;
    case DEED_DELETE:
        library_delete(e->what, &e->note, &e->err);
        break;
    case DEED_KILL:
        library_kill(e->what, &e->err);
        break;
    case DEED_CONTROL:
        g_free(library_control(e->what, e->command, 5000, &e->err));
        break;
    default:
        break;
    }
}

static void ask_delete(struct manager *m, const char *what, char *const *files);

/* A start that fails is no trifle that goes away by itself. */
static void errand_failed(const struct errand *e)
{
    if (e->deed == DEED_START) {
        gui_ask(e->m->gui, GUI_ICON_WARNING, "It cannot be started", e->err->message, "_Close",
                NULL, NULL);
    } else {
        gui_toast(e->m->gui, e->err->message, true);
    }
}

static void errand_done(void *of)
{
    struct errand *e = of;

    if (e->err) {
        errand_failed(e);
        g_error_free(e->err);
    } else if (e->deed == DEED_LOOK_DELETE) {
        ask_delete(e->m, e->what, e->files);
    } else if (e->deed == DEED_CLONE) {
        g_free(e->m->select);
        e->m->select = g_strdup(e->to);
        show_cards(e->m);
    } else if (e->note) {
        gui_toast(e->m->gui, e->note, false);
    }
    g_free(e->what);
    g_free(e->to);
    g_free(e->note);
    g_strfreev(e->files);
    g_free(e);
}

static void send_errand_to(struct manager *m, const char *what, enum deed deed, const char *command,
                           const char *to)
{
    struct errand *e = g_new0(struct errand, 1);

    e->m = m;
    e->deed = deed;
    e->what = g_strdup(what);
    e->to = g_strdup(to);
    e->command = command;
    manager_run(m, errand_work, errand_done, e);
}

static void send_errand(struct manager *m, enum deed deed, const char *command, const char *to)
{
    const struct manager_card *card = manager_selected(m);

    if (card) {
        send_errand_to(m, card->machine->what, deed, command, to);
    }
}

static void on_start(struct gui_widget *w, void *of)
{
    struct manager *m = of;
    const struct manager_card *card = manager_selected(m);

    (void)w;
    if (!card) {
        return;
    }
    switch (card->machine->state) {
    case LIBRARY_OFF:
        send_errand(m, DEED_START, NULL, NULL);
        break;
    case LIBRARY_PAUSED:
        send_errand(m, DEED_CONTROL, "cont", NULL);
        break;
    case LIBRARY_BROKEN:
        gui_toast(m->gui, card->machine->problem, true);
        break;
    default:
        gui_toast(m->gui, "This machine runs already, in a window of its own.", false);
        break;
    }
}

static void on_settings(struct gui_widget *w, void *of)
{
    const struct manager_card *card = manager_selected(of);

    (void)w;
    if (card && card->machine->state == LIBRARY_OFF) {
        manager_edit_machine(of, card->machine);
    }
}

static void on_clone(struct gui_widget *w, void *of)
{
    struct manager *m = of;
    const struct manager_card *card = manager_selected(m);

    (void)w;
    if (card && card->machine->state == LIBRARY_OFF) {
        g_autofree char *to = library_new_name(card->machine->name);

        gui_toast(m->gui, "Copying; a large disk takes a while.", false);
        send_errand(m, DEED_CLONE, NULL, to);
    }
}

static void on_folder(struct gui_widget *w, void *of)
{
    struct manager *m = of;
    const struct manager_card *card = manager_selected(m);
    g_autofree char *uri = card ? g_filename_to_uri(card->machine->folder, NULL, NULL) : NULL;
    char *argv[] = {"xdg-open", uri, NULL};

    (void)w;
    /* A program of its own: GIO's opener may wait for D-Bus. */
    if (uri && !g_spawn_async(NULL, argv, NULL,
                              G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                                  G_SPAWN_STDERR_TO_DEV_NULL,
                              NULL, NULL, NULL, NULL)) {
        gui_toast(m->gui, card->machine->folder, false);
    }
}

static bool delete_answered(struct gui_widget *dialog, int id, void *of)
{
    struct manager *m = of;

    (void)dialog;
    if (id == 0) {
        send_errand_to(m, m->doomed, DEED_DELETE, NULL, NULL);
    }
    return true;
}

static void ask_delete(struct manager *m, const char *what, char *const *files)
{
    g_autofree char *title = g_strdup_printf("Delete %s?", what);
    g_autoptr(GString) text = g_string_new("These files go, and cannot be brought back:");

    if (gui_is_modal(m->gui)) {
        return; /* something else was begun meanwhile */
    }
    g_free(m->doomed);
    m->doomed = g_strdup(what);
    for (int i = 0; files[i]; i++) {
        g_autofree char *base = g_path_get_basename(files[i]);

        if (i == FILES_SHOWN) {
            g_string_append_printf(text, "\n    and %u more",
                                   g_strv_length((char **)files) - FILES_SHOWN);
            break;
        }
        g_string_append_printf(text, "\n    %s", base);
    }
    gui_ask(m->gui, GUI_ICON_TRASH, title, text->str, "_Delete|_Cancel", delete_answered, m);
}

static void on_delete(struct gui_widget *w, void *of)
{
    (void)w;
    send_errand(of, DEED_LOOK_DELETE, NULL, NULL);
}

static void on_new(struct gui_widget *w, void *of)
{
    (void)w;
    manager_new_machine(of, MEDIA_UNKNOWN, NULL);
}

static void on_search(struct gui_widget *w, void *of)
{
    (void)w;
    show_cards(of);
}

static void on_select(struct gui_widget *w, void *of)
{
    (void)w;
    show_buttons(of);
}

/* ---- The menu, keys ---- */

enum { DO_START, DO_SETTINGS, DO_CLONE, DO_FOLDER, DO_DELETE, DO_PAUSE, DO_POWER, DO_KILL };

/* The list may have changed below the menu: what is chosen is for the machine it was opened for. */
static bool select_again(struct manager *m, const char *what)
{
    for (guint i = 0; i < m->shown->len; i++) {
        const struct manager_card *card = g_ptr_array_index(m->shown, i);

        if (!g_strcmp0(card->machine->what, what)) {
            gui_set_value(m->list, (int)i);
            show_buttons(m);
            return true;
        }
    }
    return false;
}

static void menu_chosen(struct gui_widget *item, void *of)
{
    static gui_fn *const deeds[] = {on_start, on_settings, on_clone, on_folder, on_delete};
    struct manager *m = of;
    int id = gui_value(item);

    if (!select_again(m, m->menu_for)) {
        gui_toast(m->gui, "That machine is not there any more.", true);
    } else if (id <= DO_DELETE) {
        deeds[id](NULL, of);
    } else if (id == DO_KILL) {
        send_errand(of, DEED_KILL, NULL, NULL);
    } else {
        send_errand(of, DEED_CONTROL, id == DO_PAUSE ? "stop" : "system_powerdown", NULL);
    }
}

/* By the right button at the pointer; by the Menu key near the list's top. */
static void on_menu(struct gui_widget *w, void *of)
{
    struct manager *m = of;
    const struct manager_card *card = manager_selected(m);
    enum library_state state = card ? card->machine->state : LIBRARY_BROKEN;
    bool off = state == LIBRARY_OFF, runs = state == LIBRARY_RUNNING,
         paused = state == LIBRARY_PAUSED;
    struct gui_rect at = gui_where(w);
    int x = at.x + at.w / 3, y = at.y + at.h / 4;
    const struct {
        const char *text, *keys;
        int id;
        enum gui_icon icon;
        bool enabled;
    } items[] = {
        {paused ? "_Continue" : "_Start", "Enter", DO_START, GUI_ICON_PLAY, off || paused},
        {"_Pause", NULL, DO_PAUSE, GUI_ICON_PAUSE, runs},
        {"Press the power _button", NULL, DO_POWER, GUI_ICON_POWER, runs},
        {"_Turn off", NULL, DO_KILL, GUI_NO_ICON, runs || paused},
        {.text = NULL},
        {"S_ettings…", "F2", DO_SETTINGS, GUI_ICON_GEAR, off},
        {"C_lone", NULL, DO_CLONE, GUI_ICON_COPY, off},
        {"Show _folder", NULL, DO_FOLDER, GUI_ICON_FOLDER, true},
        {.text = NULL},
        {"_Delete…", "Del", DO_DELETE, GUI_ICON_TRASH, off || state == LIBRARY_BROKEN},
    };
    struct gui_widget *menu;

    if (!card) {
        return;
    }
    if (!gui_is_by_keys(m->gui) && m->host.pointer) {
        m->host.pointer(m->host.of, &x, &y);
    }
    g_free(m->menu_for);
    m->menu_for = g_strdup(card->machine->what);
    menu = gui_menu(m->gui, NULL, x, y, menu_chosen, m);
    for (unsigned i = 0; i < ARRAY_LEN(items); i++) {
        if (items[i].text) {
            gui_set_enabled(
                gui_menu_add(menu, items[i].icon, items[i].text, items[i].keys, items[i].id),
                items[i].enabled);
        } else {
            gui_menu_line(menu);
        }
    }
}

/* Searching goes on while the arrows move in the list. */
static void search_for(struct manager *m, const char *text)
{
    gui_set_text(m->search, text);
    show_cards(m);
}

static bool on_list_key(struct gui_widget *w, const struct gui_event *ev, void *of)
{
    struct manager *m = of;
    const char *search = gui_text(m->search);
    g_autofree char *text = NULL;

    if (ev->kind == GUI_TEXT) {
        text = g_strconcat(search, ev->text, NULL);
        search_for(m, text);
        return true;
    }
    if (ev->mods == GUI_CTRL && ev->sym == 'n') {
        on_new(w, m);
    } else if (ev->key == KEY_BACKSPACE && *search) {
        text = g_strndup(search, (gsize)(g_utf8_prev_char(search + strlen(search)) - search));
        search_for(m, text);
    } else if (ev->key == KEY_ESC && *search) {
        search_for(m, "");
        gui_focus(m->list);
    } else if (ev->key == KEY_DELETE && w == m->list) {
        on_delete(w, m);
    } else if (ev->key == KEY_F2) {
        on_settings(w, m);
    } else {
        return false;
    }
    return true;
}

static bool on_search_key(struct gui_widget *w, const struct gui_event *ev, void *of)
{
    struct manager *m = of;

    if (ev->kind != GUI_KEY || (ev->key == KEY_BACKSPACE && ev->mods == 0)) {
        return false;
    }
    if (ev->key == KEY_DOWN && m->shown->len) {
        gui_focus(m->list);
        return true;
    }
    return ev->key != KEY_DELETE && ev->key != KEY_BACKSPACE && on_list_key(w, ev, of);
}

/* ---- Building it ---- */

static struct gui_widget *tool(struct gui_widget *box, enum gui_icon icon, const char *text,
                               const char *tip, gui_fn *fn, struct manager *m)
{
    struct gui_widget *w = gui_button(box, icon, text, fn, m);

    gui_set_tip(w, tip);
    return w;
}

static void build_head(struct manager *m, struct gui_widget *root)
{
    struct gui_widget *head = gui_hbox(root), *w;

    gui_picture(head, GUI_ICON_CANDLE, 32);
    gui_label(head, "Candela", GUI_TITLE);
    gui_space(head);
    m->search = gui_entry(head, "", "Search", on_search, m);
    gui_set_icon(m->search, GUI_ICON_SEARCH);
    gui_on_key(m->search, on_search_key);
    gui_on_activate(m->search, on_start);
    w = tool(head, GUI_ICON_PLUS, "_New", "A new machine (Ctrl+N)", on_new, m);
    gui_set_look(w, GUI_PRIMARY);
}

static void build_body(struct manager *m, struct gui_widget *root)
{
    struct gui_widget *w;

    m->list = gui_list(root, on_select, m);
    gui_list_set_size(m->list, ROW_HEIGHT, PICTURE_WIDTH);
    gui_on_activate(m->list, on_start);
    gui_on_menu(m->list, on_menu);
    gui_on_key(m->list, on_list_key);
    gui_show(m->list, false);
    m->empty = gui_vbox(root);
    gui_set_grow(m->empty, true);
    gui_set_look(m->empty, GUI_PANEL);
    gui_set_spacing(m->empty, 12, 24);
    gui_space(m->empty);
    gui_picture(m->empty, GUI_ICON_CANDLE, 96);
    w = gui_hbox(m->empty);
    gui_space(w);
    gui_label(w, "Nothing here", GUI_TITLE);
    gui_space(w);
    w = gui_hbox(m->empty);
    gui_space(w);
    m->hint = gui_label(w, "Looking…", GUI_PLAIN);
    gui_space(w);
    gui_space(m->empty);
}

static void build_foot(struct manager *m, struct gui_widget *root)
{
    struct gui_widget *foot = gui_hbox(root);

    m->start = tool(foot, GUI_ICON_PLAY, "Start", "Enter", on_start, m);
    gui_set_look(m->start, GUI_PRIMARY);
    m->settings = tool(foot, GUI_ICON_GEAR, "S_ettings", "F2", on_settings, m);
    m->clone = tool(foot, GUI_ICON_COPY, "C_lone", "A copy with disks of its own", on_clone, m);
    m->folder = tool(foot, GUI_ICON_FOLDER, "Show _folder", "Its files", on_folder, m);
    m->remove = tool(foot, GUI_ICON_TRASH, "_Delete", "Del", on_delete, m);
    gui_space(foot);
    m->count = gui_label(foot, "", GUI_DIM);
}

struct manager *manager_new(struct gui *g, const struct manager_host *host)
{
    struct manager *m = g_new0(struct manager, 1);
    struct gui_widget *root = gui_root(g);

    m->gui = g;
    m->host = *host;
    m->cards = g_ptr_array_new_with_free_func(manager_card_free);
    m->shown = g_ptr_array_new();
    m->pool = g_thread_pool_new(job_work, m, 4, FALSE, NULL);
    gui_set_look(root, GUI_WINDOW);
    gui_set_spacing(root, 12, 16);
    build_head(m, root);
    build_body(m, root);
    build_foot(m, root);
    show_buttons(m);
    gui_focus(m->list);
    m->watch = manager_watch_new(m);
    return m;
}

void manager_free(struct manager *m)
{
    manager_watch_free(m->watch);
    g_thread_pool_free(m->pool, FALSE, TRUE);
    g_ptr_array_free(m->shown, TRUE);
    g_ptr_array_free(m->cards, TRUE);
    g_free(m->select);
    g_free(m->doomed);
    g_free(m->menu_for);
    g_free(m);
}

void manager_drop(struct manager *m, const char *path)
{
    enum media_kind kind = media_kind_of(path);

    if (gui_is_modal(m->gui)) {
        return;
    }
    if (g_str_has_suffix(path, ".cvm")) {
        send_errand_to(m, path, DEED_START, NULL, NULL);
    } else if (kind != MEDIA_UNKNOWN) {
        manager_new_machine(m, kind, path);
    } else {
        g_autofree char *name = g_path_get_basename(path);
        g_autofree char *said = g_strdup_printf("%s is no image of a CD or disk.", name);

        gui_toast(m->gui, said, true);
    }
}
