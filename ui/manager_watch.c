/*
 * Watching the library: a thread that sleeps until a folder changes, looks, and tells.
 *
 * Where inotify does not work (some network folders), it looks every few seconds.
 */
#include "ui/manager_int.h"
#include <cairo.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { SETTLE_MS = 150, BLIND_MS = 3000 };

struct manager_watch {
    struct manager *m;
    GThread *thread;
    int quit; /* eventfd */
};

struct news {
    struct manager *m;
    GPtrArray *cards;
};

void manager_card_free(void *of)
{
    struct manager_card *card = of;

    library_machine_free(card->machine);
    g_free(card->picture);
    g_free(card);
}

static void load_picture(struct manager_card *card)
{
    cairo_surface_t *s, *rgb;
    cairo_t *cr;

    if (!card->machine->picture) {
        return;
    }
    s = cairo_image_surface_create_from_png(card->machine->picture);
    if (cairo_surface_status(s) == CAIRO_STATUS_SUCCESS) {
        card->picture_w = CLAMP(cairo_image_surface_get_width(s), 1, LIBRARY_PICTURE);
        card->picture_h = CLAMP(cairo_image_surface_get_height(s), 1, LIBRARY_PICTURE);
        card->picture = g_new0(uint32_t, (gsize)card->picture_w * (gsize)card->picture_h);
        rgb = cairo_image_surface_create_for_data((uint8_t *)card->picture, CAIRO_FORMAT_RGB24,
                                                  card->picture_w, card->picture_h,
                                                  4 * card->picture_w);
        cr = cairo_create(rgb);
        cairo_set_source_surface(cr, s, 0, 0);
        cairo_paint(cr);
        cairo_destroy(cr);
        cairo_surface_destroy(rgb);
    }
    cairo_surface_destroy(s);
}

static void tell(void *of)
{
    struct news *n = of;

    manager_take(n->m, n->cards);
    g_free(n);
}

static void look(struct manager_watch *w)
{
    GPtrArray *machines = library_list();
    struct news *n = g_new0(struct news, 1);

    n->m = w->m;
    n->cards = g_ptr_array_new_with_free_func(manager_card_free);
    g_ptr_array_set_free_func(machines, NULL);
    for (guint i = 0; i < machines->len; i++) {
        struct manager_card *card = g_new0(struct manager_card, 1);

        card->machine = g_ptr_array_index(machines, i);
        load_picture(card);
        g_ptr_array_add(n->cards, card);
    }
    g_ptr_array_free(machines, TRUE);
    w->m->host.post(w->m->host.of, tell, n);
}

/* Folders come and go, so the whole set is made anew; -1: blind. */
static int open_watches(void)
{
    g_auto(GStrv) folders = library_watch_folders();
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    for (char **p = folders; fd >= 0 && *p; p++) {
        if (inotify_add_watch(fd, *p,
                              IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE | IN_ATTRIB |
                                  IN_ONLYDIR) < 0) {
            close(fd);
            fd = -1;
        }
    }
    return fd;
}

/* False: the end. */
static bool wait_for(struct manager_watch *w, int fd, int ms)
{
    struct pollfd fds[] = {{w->quit, POLLIN, 0}, {fd, POLLIN, 0}};

    return poll(fds, fd >= 0 ? 2 : 1, ms) < 0 || !fds[0].revents;
}

static void *watch_thread(void *of)
{
    struct manager_watch *w = of;
    bool on = true;

    while (on) {
        int fd = open_watches(); /* before looking: nothing falls in between */

        look(w);
        on = wait_for(w, fd, fd >= 0 ? -1 : BLIND_MS) && wait_for(w, -1, SETTLE_MS);
        if (fd >= 0) {
            close(fd);
        }
    }
    return NULL;
}

struct manager_watch *manager_watch_new(struct manager *m)
{
    struct manager_watch *w = g_new0(struct manager_watch, 1);

    w->m = m;
    w->quit = eventfd(0, EFD_CLOEXEC);
    w->thread = g_thread_new("library", watch_thread, w);
    return w;
}

void manager_watch_free(struct manager_watch *w)
{
    eventfd_write(w->quit, 1);
    g_thread_join(w->thread);
    close(w->quit);
    g_free(w);
}
