/*
 * Media of a machine's window: chosen, put in, taken out; and how it says that one could not be
 * opened.
 */
#include "ui/chooser.h"
#include "ui/monitor_cmd.h"
#include "ui/window_int.h"
#include <unistd.h>

void window_complain(struct window *w, const char *title, const char *text)
{
    window_catch(w, false);
    gui_ask(sdl_gui(w->sdl), GUI_ICON_WARNING, title, text, "_Close", NULL, NULL);
}

/* In and out ---------------------------------------------------------------------------------- */

/* A change under way. */
struct medium_change {
    unsigned row;
    char *path; /* NULL: only out */
    struct window *w;
};

static void change_free(struct medium_change *c)
{
    g_free(c->path);
    g_free(c);
}

static void change_run(struct window *w, struct medium_change *c, bool force);

static bool force_answered(struct gui_widget *dialog, int id, void *of)
{
    struct medium_change *c = of;

    (void)dialog;
    if (id == 0) {
        change_run(c->w, c, true);
    } else {
        change_free(c);
    }
    return true;
}

static void change_answered(struct window *w, void *of, const char *text, const GError *err)
{
    struct medium_change *c = of;
    enum media_kind kind = media_kind_of_drive(&w->m->config.drives[c->row]);

    (void)text;
    if (err && kind == MEDIA_CD && g_error_matches(err, MONITOR_ERROR, MONITOR_ERROR_STATE)) {
        window_catch(w, false);
        gui_ask(sdl_gui(w->sdl), GUI_ICON_CD, "The guest has locked the tray",
                "It may be using the disc. Programs that read from it can fail.",
                "_Take it out|_Cancel", force_answered, c);
        return;
    }
    if (err) {
        g_autofree char *what = g_strdup_printf("The %s could not be %s", media_kind_name(kind),
                                                c->path ? "inserted" : "taken out");

        window_complain(w, what, err->message);
    } else if (c->path) {
        g_autofree char *name = g_path_get_basename(c->path);
        g_autofree char *title = media_drive_title(&w->m->config.drives[c->row]);
        g_autofree char *said = g_strdup_printf("%s: %s", title, name);

        media_remember(kind, c->path);
        window_tell(w, said, false);
    }
    change_free(c);
}

static void change_run(struct window *w, struct medium_change *c, bool force)
{
    g_autofree char *name = drive_name(w->m, c->row);
    const char *flag = force ? "-f " : "";

    if (!c->path) {
        window_command(w, change_answered, c, "eject %s%s", flag, name);
        return;
    }
    g_autofree char *file = monitor_quoted(c->path);
    if (media_kind_of_drive(&w->m->config.drives[c->row]) == MEDIA_FLOPPY) {
        /* As a disk whose tab is where the file's permissions say. */
        window_command(w, change_answered, c, "change %s%s %s auto %s", flag, name, file,
                       access(c->path, W_OK) ? "read-only" : "read-write");
    } else {
        window_command(w, change_answered, c, "change %s%s %s", flag, name, file);
    }
}

static void change_new(struct window *w, unsigned row, const char *path)
{
    struct medium_change *c = g_new0(struct medium_change, 1);

    c->w = w;
    c->row = row;
    c->path = path ? g_canonicalize_filename(path, NULL) : NULL;
    change_run(w, c, false);
}

void window_insert(struct window *w, unsigned row, const char *path)
{
    change_new(w, row, path);
}

void window_eject(struct window *w, unsigned row)
{
    change_new(w, row, NULL);
}

/* Choosing ------------------------------------------------------------------------------------ */

static void file_chosen(void *of, const char *path)
{
    struct window *w = of;

    if (path) {
        window_insert(w, w->choose_row, path);
    }
}

void window_choose_medium(struct window *w, unsigned row)
{
    enum media_kind kind = media_kind_of_drive(&w->m->config.drives[row]);
    g_auto(GStrv) recent = media_recent(kind);
    g_autofree char *folder = NULL;
    struct chooser_ask ask = {.title = kind == MEDIA_CD ? "Capture ISO image"
                                                        : "Capture floppy disk image",
                              .patterns = media_patterns(kind)};

    if (w->status.drives[row].path) {
        folder = g_path_get_dirname(w->status.drives[row].path);
    } else {
        folder = recent[0] ? g_path_get_dirname(recent[0]) : g_get_current_dir();
    }
    ask.folder = folder;
    w->choose_row = row;
    chooser_open(sdl_gui(w->sdl), &ask, file_chosen, w);
}

/* Lost ---------------------------------------------------------------------------------------- */

struct lost {
    struct window *w;
    unsigned row;
};

static bool lost_answered(struct gui_widget *dialog, int id, void *of)
{
    struct lost *l = of;

    (void)dialog;
    if (id == 0) {
        window_choose_medium(l->w, l->row);
    }
    return true;
}

void window_tell_lost(struct window *w, unsigned row, const char *why)
{
    struct lost *l = g_new0(struct lost, 1);
    const struct drive_config *d = &w->m->config.drives[row];
    g_autofree char *what =
        g_strdup_printf("The %s could not be inserted", media_kind_name(media_kind_of_drive(d)));
    g_autofree char *place = media_drive_title(d);
    g_autofree char *text = g_strdup_printf("%s\n%s is empty.", why, place);

    *l = (struct lost){w, row};
    gui_own(gui_ask(sdl_gui(w->sdl), GUI_ICON_WARNING, what, text,
                    "_Choose another|_Leave it empty", lost_answered, l),
            l, g_free);
}
