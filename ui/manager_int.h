/*
 * Inside the library's window.
 */
#ifndef CANDELA_UI_MANAGER_INT_H
#define CANDELA_UI_MANAGER_INT_H

#include "ui/library.h"
#include "ui/manager.h"
#include "ui/window_media.h"

/* One machine as it is shown. */
struct manager_card {
    struct library_machine *machine;
    uint32_t *picture; /* pixels, or NULL */
    int picture_w, picture_h;
};

struct manager {
    struct gui *gui;
    struct manager_host host;
    GPtrArray *cards; /* struct manager_card: all, by name */
    GPtrArray *shown; /* those in the list; not owned */
    char *select;     /* to select when it appears, or NULL */
    char *doomed;     /* whom the question about deleting is about */
    char *menu_for;   /* the machine of the open menu */
    struct gui_widget *search, *list, *empty, *hint, *count, *start, *settings, *clone, *folder,
        *remove;
    GThreadPool *pool;
    unsigned jobs;
    struct manager_watch *watch;
};

/* A piece of work on a thread, and what comes after it on the main thread, which frees `of`. */
void manager_run(struct manager *m, void (*work)(void *of), void (*done)(void *of), void *of);
/* The one that is selected, or NULL. */
struct manager_card *manager_selected(struct manager *m);
/* Show what the watcher has found; takes the array. */
void manager_take(struct manager *m, GPtrArray *cards);

/* manager_watch.c */
struct manager_watch *manager_watch_new(struct manager *m);
void manager_watch_free(struct manager_watch *w);
void manager_card_free(void *card);

/* manager_form.c: the dialogs for a new machine (image: for its drive of this kind, or NULL) and
 * for the settings of one. */
void manager_new_machine(struct manager *m, enum media_kind kind, const char *image);
void manager_edit_machine(struct manager *m, const struct library_machine *machine);

#endif
