/*
 * A file dragged from another program, by the XDND protocol, version 5
 * (freedesktop.org/wiki/Specifications/XDND): a window of our own offers it and drops it at once.
 *
 * libX11 is opened when it is needed: SDL has it, the tests' program shall not be linked with it.
 * Not modelled: a drag's way there, refusals on the way.
 */
#include "tests/window/x_rig.h"
#include "hw/core/base.h"
#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <poll.h>

#define FUNCTIONS(X)                                                                               \
    X(XOpenDisplay)                                                                                \
    X(XCloseDisplay)                                                                               \
    X(XInternAtom)                                                                                 \
    X(XCreateSimpleWindow)                                                                         \
    X(XSetSelectionOwner)                                                                          \
    X(XSendEvent)                                                                                  \
    X(XChangeProperty)                                                                             \
    X(XPending)                                                                                    \
    X(XNextEvent)                                                                                  \
    X(XFlush)                                                                                      \
    X(XDefaultRootWindow)

struct drag {
#define MEMBER(name) __typeof__(&name) name;
    FUNCTIONS(MEMBER)
    Display *display;
    Window own, target;
    Atom selection, uri_list, enter, position, status, drop, finished, copy;
    const char *uri;
    bool accepted, done;
};

static void drag_open(struct drag *d, const char *display)
{
    void *lib = dlopen("libX11.so.6", RTLD_NOW);

    cr_assert(lib, "%s", dlerror());
#define FIND(name)                                                                                 \
    *(void **)&d->name = dlsym(lib, #name);                                                        \
    cr_assert(d->name, #name);
    FUNCTIONS(FIND)
    d->display = d->XOpenDisplay(display);
    cr_assert(d->display, "no X server at %s", display);
    d->own =
        d->XCreateSimpleWindow(d->display, d->XDefaultRootWindow(d->display), 0, 0, 1, 1, 0, 0, 0);
    d->selection = d->XInternAtom(d->display, "XdndSelection", False);
    d->uri_list = d->XInternAtom(d->display, "text/uri-list", False);
    d->enter = d->XInternAtom(d->display, "XdndEnter", False);
    d->position = d->XInternAtom(d->display, "XdndPosition", False);
    d->status = d->XInternAtom(d->display, "XdndStatus", False);
    d->drop = d->XInternAtom(d->display, "XdndDrop", False);
    d->finished = d->XInternAtom(d->display, "XdndFinished", False);
    d->copy = d->XInternAtom(d->display, "XdndActionCopy", False);
    d->XSetSelectionOwner(d->display, d->selection, d->own, CurrentTime);
}

static void drag_send(struct drag *d, Atom type, long l1, long l2, long l3, long l4)
{
    XEvent e = {.xclient = {.type = ClientMessage,
                            .window = d->target,
                            .message_type = type,
                            .format = 32,
                            .data.l = {(long)d->own, l1, l2, l3, l4}}};

    d->XSendEvent(d->display, d->target, False, NoEventMask, &e);
    d->XFlush(d->display);
}

/* The target asks for what is dropped. */
static void drag_give(struct drag *d, const XSelectionRequestEvent *r)
{
    XEvent e = {.xselection = {.type = SelectionNotify,
                               .requestor = r->requestor,
                               .selection = r->selection,
                               .target = r->target,
                               .property = r->property,
                               .time = r->time}};

    cr_expect_eq(r->target, d->uri_list);
    d->XChangeProperty(d->display, r->requestor, r->property, r->target, 8, PropModeReplace,
                       (const unsigned char *)d->uri, (int)strlen(d->uri));
    d->XSendEvent(d->display, r->requestor, False, NoEventMask, &e);
    d->XFlush(d->display);
}

static void drag_take(struct drag *d, const XEvent *e)
{
    if (e->type == SelectionRequest) {
        drag_give(d, &e->xselectionrequest);
    } else if (e->type == ClientMessage && e->xclient.message_type == d->status) {
        d->accepted |= e->xclient.data.l[1] & 1;
    } else if (e->type == ClientMessage && e->xclient.message_type == d->finished) {
        d->done = true;
    }
}

static bool drag_is(struct xrig *x, void *of)
{
    struct drag *d = ((void **)of)[0];
    const bool *is = ((void **)of)[1];

    (void)x;
    while (!*is && d->XPending(d->display)) {
        XEvent e;

        d->XNextEvent(d->display, &e);
        drag_take(d, &e);
    }
    return *is;
}

void xrig_drop(struct xrig *x, const char *path)
{
    struct xrig_place p = xrig_place(x);
    int px = p.x + p.w / 2, py = p.y + p.h / 2;
    g_autofree char *uri = g_filename_to_uri(path, NULL, NULL);
    g_autofree char *list = g_strconcat(uri, "\r\n", NULL);
    struct drag d = {.uri = list, .target = strtoul(x->window, NULL, 10)};

    cr_assert(uri, "%s", path);
    xrig_do(x, "mousemove %d %d", px, py);
    drag_open(&d, g_environ_getenv(x->env, "DISPLAY"));
    drag_send(&d, d.enter, 5l << 24, (long)d.uri_list, None, None);
    drag_send(&d, d.position, 0, (long)px << 16 | py, CurrentTime, (long)d.copy);
    cr_assert(xrig_until(x, drag_is, (void *[]){&d, &d.accepted}), "the drop is not wanted");
    drag_send(&d, d.drop, 0, CurrentTime, 0, 0);
    cr_assert(xrig_until(x, drag_is, (void *[]){&d, &d.done}), "the drop is not taken");
    d.XCloseDisplay(d.display);
}
