/*
 * Files dropped on a machine's window.  An image goes into the drive it fits; what has no drive
 * now, a hard disk above all, can have one from the next start, or a machine of its own.
 */
#include "ui/drive.h"
#include "ui/library.h"
#include "ui/window_int.h"

struct drop {
    struct window *w;
    char *path;
    enum media_kind kind;
    unsigned rows[VM_MAX_DRIVES], count; /* drives to choose from */
    const char *option;                  /* of the key file, for later; NULL: cannot be */
    char *place;                         /* what that option stands for, for people */
};

static struct drop *drop_new(struct window *w, enum media_kind kind, const char *path)
{
    struct drop *d = g_new0(struct drop, 1);

    d->w = w;
    d->kind = kind;
    d->path = g_canonicalize_filename(path, NULL);
    return d;
}

/* With its dialog. */
static void drop_free(void *of)
{
    struct drop *d = of;

    g_free(d->path);
    g_free(d->place);
    g_free(d);
}

/* Into which of several ----------------------------------------------------------------------- */

static bool which_answered(struct gui_widget *dialog, int id, void *of)
{
    struct drop *d = of;

    (void)dialog;
    if (id >= 0 && (unsigned)id < d->count) {
        window_insert(d->w, d->rows[id], d->path);
    }
    return true;
}

static void drop_ask_which(struct window *w, enum media_kind kind, const char *path,
                           const unsigned *rows, unsigned count)
{
    struct drop *d = drop_new(w, kind, path);
    struct gui_widget *box;
    g_autofree char *name = g_path_get_basename(path);
    g_autoptr(GString) buttons = g_string_new(NULL);

    d->count = count;
    memcpy(d->rows, rows, count * sizeof *rows);
    for (unsigned i = 0; i < count; i++) {
        g_autofree char *title = media_drive_title(&w->m->config.drives[rows[i]]);

        g_string_append_printf(buttons, "%s|", title);
    }
    g_string_append(buttons, "_Cancel");
    box = gui_ask(sdl_gui(w->sdl), GUI_ICON_CD, "Into which drive?", name, buttons->str,
                  which_answered, d);
    gui_own(box, d, drop_free);
}

/* No drive for it now ------------------------------------------------------------------------- */

/* The option for the place that it gets in this machine, and what that is called. */
static void drop_find_place(struct drop *d)
{
    static const char *const disks[] = {"hda", "hdb", "hdc", "hdd"};
    bool floppy = d->kind == MEDIA_FLOPPY, cd = d->kind == MEDIA_CD;
    struct drive_config drive = {.interface = floppy ? DRIVE_FLOPPY : DRIVE_IDE,
                                 .media = cd ? DRIVE_CDROM : DRIVE_DISK};
    unsigned taken = 0;
    int place;

    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        const struct drive_config *have = &d->w->m->config.drives[i];

        taken |= have->used && have->interface == drive.interface ? BIT(have->index) : 0;
    }
    place = drive_free_place(drive.interface, drive.media, taken);
    if (place >= 0 && d->w->has_file) {
        drive.index = (unsigned)place;
        d->place = media_drive_title(&drive);
        d->option = floppy ? "fda" : cd ? "cdrom" : disks[place];
    }
}

static void drop_attach(struct drop *d)
{
    g_autofree char *name = g_path_get_basename(d->path);
    g_autofree char *said = g_strdup_printf("%s from the next start: %s", d->place, name);

    if (window_keep(d->w, d->option, d->path)) {
        window_tell(d->w, said, false);
    }
}

static void drop_run(struct drop *d)
{
    const char *option = d->kind == MEDIA_CD ? "-cdrom" : d->kind == MEDIA_FLOPPY ? "-fda" : "-hda";
    g_autoptr(GError) err = NULL;

    if (!library_spawn((const char *const[]){"run", option, d->path, NULL}, &err)) {
        window_complain(d->w, "It cannot be run", err->message);
    }
}

enum { HOMELESS_RUN, HOMELESS_CANCEL, HOMELESS_ATTACH };

static bool homeless_answered(struct gui_widget *dialog, int id, void *of)
{
    struct drop *d = of;

    (void)dialog;
    if (id == HOMELESS_ATTACH) {
        drop_attach(d);
    } else if (id == HOMELESS_RUN) {
        drop_run(d);
    }
    return true;
}

static void drop_ask_homeless(struct window *w, enum media_kind kind, const char *path)
{
    struct drop *d = drop_new(w, kind, path);
    g_autofree char *name = g_path_get_basename(path);
    g_autoptr(GString) text = g_string_new(NULL);
    struct gui_widget *box;

    drop_find_place(d);
    if (kind == MEDIA_DISK) {
        g_string_printf(text, "%s is a hard disk, and hard disks stay while a machine runs.", name);
    } else {
        g_string_printf(text, "%s is a %s, and this machine has no drive for it.", name,
                        media_kind_name(kind));
    }
    if (d->option) {
        g_string_append_printf(text, "\nFrom the next start it can be: %s.", d->place);
    } else if (w->has_file) {
        g_string_append(text, "\nAll four places for disks are taken.");
    }
    box = gui_dialog(sdl_gui(w->sdl), kind == MEDIA_DISK ? GUI_ICON_DISK : GUI_ICON_CD,
                     kind == MEDIA_DISK ? "A hard disk" : "No drive for it", homeless_answered, d);
    gui_own(box, d, drop_free);
    gui_label(box, text->str, GUI_PLAIN);
    gui_dialog_button(box, "_Cancel", HOMELESS_CANCEL, GUI_CANCEL);
    gui_dialog_button(box, "_Run it by itself", HOMELESS_RUN, d->option ? 0 : GUI_DEFAULT);
    if (d->option) {
        gui_dialog_button(box, "_Attach from the next start", HOMELESS_ATTACH, GUI_DEFAULT);
    }
}

/* All ----------------------------------------------------------------------------------------- */

void window_drop(struct window *w, const char *path)
{
    enum media_kind kind = media_kind_of(path);
    struct window_item *item;
    unsigned rows[VM_MAX_DRIVES], count = 0;
    int x, y;

    if (kind == MEDIA_UNKNOWN) {
        g_autofree char *name = g_path_get_basename(path);
        g_autofree char *what = g_strdup_printf("%s is no image of a CD or disk.", name);

        window_complain(w, "It does not fit", what);
        return;
    }
    window_catch(w, false);
    if (kind != MEDIA_DISK) {
        count = media_drives(&w->m->config, kind, rows);
    }
    sdl_pointer(w->sdl, &x, &y);
    item = window_item_at(w, x, y);
    for (unsigned i = 0; item && item->kind == ITEM_DRIVE && i < count; i++) {
        if (rows[i] == item->index) {
            window_insert(w, item->index, path); /* onto this very drive */
            return;
        }
    }
    if (count == 1) {
        window_insert(w, rows[0], path);
    } else if (count) {
        drop_ask_which(w, kind, path, rows, count);
    } else {
        drop_ask_homeless(w, kind, path);
    }
}
