/*
 * Host ends of byte streams: queues, back-pressure and the terminal's escape keys.
 *
 * Output the peer does not take at once waits in a bounded queue; when that is full the device is
 * told so and called again.  Input is read only as far as a small buffer has room.  Nothing here
 * blocks.
 *
 * Not here: reconnecting of clients, the telnet protocol, break and modem lines of real serial
 * ports.
 */
#define _GNU_SOURCE
#include "ui/chr_int.h"
#include "ui/crash.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CTRL_A = 1, PIECE = 512, PTY_POLL_MS = 200, DRAIN_MS = 2000 };

static void chr_watch_input(struct chr_host *h);

static const char escape_help[] = "\r\nCtrl-A h    this help\r\n"
                                  "Ctrl-A x    quit\r\n"
                                  "Ctrl-A c    switch between COM1 and the monitor (mon:stdio, "
                                  "-nographic)\r\n"
                                  "Ctrl-A Ctrl-A  send Ctrl-A\r\n";

/* Output -------------------------------------------------------------------------------------- */

/* How many bytes went out; 0 also when none can go now.  An error ends output for good. */
static size_t chr_write_fd(struct chr_host *h, const uint8_t *buf, size_t len)
{
    ssize_t n;

    if (h->piecewise) {
        struct pollfd p = {.fd = h->out_fd, .events = POLLOUT};

        if (poll(&p, 1, 0) <= 0 || !(p.revents & (POLLOUT | POLLERR | POLLHUP))) {
            return 0;
        }
        len = MIN(len, PIECE);
    }
    do {
        n = h->is_socket ? send(h->out_fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                         : write(h->out_fd, buf, len);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        return (size_t)n;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK && h->kind != CHR_PTY) {
        if (!h->failed && errno != EPIPE && !h->is_socket) {
            fprintf(stderr, "candela: %s: cannot write: %s; further output is lost\n", h->what,
                    g_strerror(errno));
        }
        h->failed = !h->is_socket; /* of a socket the input side notices the end */
        return len;
    }
    return 0;
}

static void chr_flush(struct chr_host *h)
{
    size_t done = 0;

    while (done < h->out->len && !h->failed) {
        size_t n = chr_write_fd(h, h->out->data + done, h->out->len - done);

        if (!n) {
            break;
        }
        done += n;
    }
    if (h->failed) {
        g_byte_array_set_size(h->out, 0);
    } else if (done) {
        g_byte_array_remove_range(h->out, 0, (guint)done);
    }
}

static void chr_on_writable(void *arg, GIOCondition c)
{
    struct chr_host *h = arg;

    (void)c;
    chr_flush(h);
    if (h->out->len) {
        return;
    }
    loop_unwatch(h->m, h->out_watch);
    h->out_watch = 0;
    for (unsigned i = 0; i < h->ports; i++) {
        struct chr_port *p = &h->port[i];

        if (p->blocked) {
            p->blocked = false;
            if (p->chr.front && p->chr.front->writable) {
                p->chr.front->writable(p->chr.opaque);
            }
        }
    }
}

static size_t chr_queue(struct chr_host *h, const uint8_t *buf, size_t len)
{
    size_t n = 0, room;

    if (h->out_fd < 0 || h->failed) {
        return len;
    }
    if (!h->out->len) {
        while (n < len) {
            size_t went = chr_write_fd(h, buf + n, len - n);

            if (!went) {
                break;
            }
            n += went;
        }
    }
    room = CHR_QUEUE - MIN(h->out->len, CHR_QUEUE);
    room = MIN(room, len - n);
    if (room) {
        g_byte_array_append(h->out, buf + n, (guint)room);
    }
    if (h->out->len && !h->out_watch && h->m) {
        h->out_watch =
            loop_watch(h->m, h->out_fd, G_IO_OUT | G_IO_ERR | G_IO_HUP, chr_on_writable, h);
    }
    return n + room;
}

static size_t port_take_output(struct chr *c, const uint8_t *buf, size_t len)
{
    struct chr_port *p = (struct chr_port *)c;
    size_t n = c->open ? chr_queue(p->host, buf, len) : len;

    p->blocked |= n < len;
    return n;
}

/* Input --------------------------------------------------------------------------------------- */

/* Where input goes now, and what of it waits there. */
static struct chr_port *chr_focused(struct chr_host *h)
{
    return &h->port[h->focus];
}

static void port_deliver(struct chr_port *p)
{
    struct chr *c = &p->chr;

    while (p->pending->len) {
        uint8_t piece[256];
        size_t room = c->front && c->front->can_read ? c->front->can_read(c->opaque) : 0;
        size_t n = MIN(MIN(room, sizeof piece), p->pending->len);

        if (!c->front || !c->front->read) {
            n = p->pending->len; /* nobody listens */
        } else if (!n) {
            return;
        } else {
            memcpy(piece, p->pending->data, n);
        }
        g_byte_array_remove_range(p->pending, 0, (guint)n);
        if (c->front && c->front->read) {
            c->front->read(c->opaque, piece, n);
        }
    }
}

/* What was typed before Ctrl-A c is still for the port that had the focus then. */
static void chr_deliver(struct chr_host *h)
{
    for (unsigned i = 0; i < h->ports; i++) {
        port_deliver(&h->port[i]);
    }
}

static void chr_say(struct chr_host *h, const char *text)
{
    chr_queue(h, (const uint8_t *)text, strlen(text));
}

static void chr_escape_key(struct chr_host *h, uint8_t key)
{
    switch (key) {
    case CTRL_A:
        g_byte_array_append(chr_focused(h)->pending, &key, 1);
        break;
    case 'x':
        machine_end(h->m, END_QUIT, 0);
        break;
    case 'c':
        if (h->mux) {
            h->focus = 1 - h->focus;
            if (h->port[h->focus].chr.front && h->port[h->focus].chr.front->connected) {
                h->port[h->focus].chr.front->connected(h->port[h->focus].chr.opaque, true);
            }
            break;
        }
        chr_say(h, escape_help);
        break;
    default:
        chr_say(h, escape_help);
        break;
    }
}

static void chr_take_input(struct chr_host *h, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (h->escape) {
            h->escape = false;
            chr_escape_key(h, buf[i]);
        } else if (h->escapes && buf[i] == CTRL_A) {
            h->escape = true;
        } else if (chr_focused(h)->pending->len < CHR_PENDING) {
            g_byte_array_append(chr_focused(h)->pending, buf + i, 1);
        }
    }
    chr_deliver(h);
}

static void chr_unwatch_input(struct chr_host *h)
{
    if (h->in_watch) {
        loop_unwatch(h->m, h->in_watch);
        h->in_watch = 0;
    }
}

/* What it sent stays: the device still gets it. */
static void chr_drop_peer(struct chr_host *h)
{
    chr_unwatch_input(h);
    if (h->out_watch) {
        loop_unwatch(h->m, h->out_watch);
        h->out_watch = 0;
    }
    g_byte_array_set_size(h->out, 0);
    close(h->in_fd);
    h->in_fd = h->out_fd = -1;
    chr_set_open(h, false);
}

static void chr_on_end_of_input(struct chr_host *h)
{
    if (h->is_socket) {
        chr_drop_peer(h);
    } else if (h->kind == CHR_PTY) {
        chr_unwatch_input(h); /* chr_poll_pty looks for the next one */
        chr_set_open(h, false);
    } else {
        h->eof = true;
        chr_unwatch_input(h);
    }
}

static void chr_on_input(void *arg, GIOCondition c)
{
    struct chr_host *h = arg;
    uint8_t buf[1024];
    size_t room = CHR_PENDING - chr_focused(h)->pending->len;
    ssize_t n;

    (void)c;
    /* With escape keys everything is read, so that Ctrl-A x works beside a guest that does not
     * listen. */
    if (!room && !(h->escapes && h->have_termios)) {
        chr_unwatch_input(h);
        return;
    }
    room = room ? MIN(room, sizeof buf) : sizeof buf;
    n = h->is_socket ? recv(h->in_fd, buf, room, MSG_DONTWAIT) : read(h->in_fd, buf, room);
    if (n > 0) {
        chr_take_input(h, buf, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        chr_on_end_of_input(h);
    }
}

static void chr_watch_input(struct chr_host *h)
{
    if (!h->in_watch && h->in_fd >= 0 && !h->eof && h->m &&
        (chr_focused(h)->pending->len < CHR_PENDING || h->escapes)) {
        h->in_watch = loop_watch(h->m, h->in_fd, G_IO_IN | G_IO_HUP | G_IO_ERR, chr_on_input, h);
    }
}

/* Delivering here could call back into the device that calls: it happens in the I/O thread. */
static void chr_deliver_later(void *arg)
{
    struct chr_host *h = arg;

    h->posted = false;
    chr_deliver(h);
    if (h->port[0].chr.open) {
        chr_watch_input(h);
    }
}

static void port_accept_input(struct chr *c)
{
    struct chr_port *p = (struct chr_port *)c;
    struct chr_host *h = p->host;

    if (h->m && p->pending->len && !h->posted) {
        h->posted = true;
        loop_post(h->m, chr_deliver_later, h);
    }
}

static const struct chr_ops port_ops = {
    .write = port_take_output,
    .accept_input = port_accept_input,
};

/* Peers --------------------------------------------------------------------------------------- */

void chr_set_open(struct chr_host *h, bool open)
{
    for (unsigned i = 0; i < h->ports; i++) {
        struct chr *c = &h->port[i].chr;
        bool was = c->open;

        c->open = open;
        if (was != open && c->front && c->front->connected) {
            c->front->connected(c->opaque, open);
        }
        if (!open && h->port[i].blocked) {
            h->port[i].blocked = false;
            if (c->front && c->front->writable) {
                c->front->writable(c->opaque);
            }
        }
    }
}

/* A pty has a peer when its other side is open. */
static bool chr_poll_pty(void *arg)
{
    struct chr_host *h = arg;
    struct pollfd p = {.fd = h->in_fd, .events = POLLIN};
    bool there = poll(&p, 1, 0) >= 0 && !(p.revents & POLLHUP);

    if (there && !h->port[0].chr.open) {
        chr_set_open(h, true);
        chr_watch_input(h);
    }
    return true;
}

/* Make room for the next peer when the present one has hung up and that was not noticed yet: the
 * two come together, or the device takes no input. */
static void chr_drop_gone_peer(struct chr_host *h)
{
    struct pollfd p = {.fd = h->in_fd, .events = POLLRDHUP};

    if (h->in_fd < 0 || poll(&p, 1, 0) <= 0) {
        return;
    }
    while (h->in_fd >= 0 && chr_focused(h)->pending->len < CHR_PENDING) {
        chr_on_input(h, G_IO_HUP); /* its last words; at the end of them it goes */
    }
    if (h->in_fd >= 0) {
        chr_drop_peer(h);
    }
}

static void chr_on_peer(void *arg, GIOCondition c)
{
    struct chr_host *h = arg;
    int fd = chr_accept_peer(h);

    (void)c;
    if (fd < 0) {
        return;
    }
    chr_drop_gone_peer(h);
    if (h->in_fd >= 0) {
        close(fd); /* one peer at a time */
        return;
    }
    h->in_fd = h->out_fd = fd;
    chr_set_open(h, true);
    chr_watch_input(h);
}

bool chr_host_open(struct chr_host *h, struct machine *m, void (*note)(const char *text),
                   GError **err)
{
    h->note = note;
    if (!chr_open_endpoint(h, err)) {
        return false;
    }
    h->m = m;
    for (unsigned i = 0; i < h->ports; i++) {
        h->port[i].chr.m = m;
    }
    if (h->listen_fd >= 0) {
        h->listen_watch = loop_watch(m, h->listen_fd, G_IO_IN, chr_on_peer, h);
    }
    if (h->kind == CHR_PTY) {
        loop_every(m, PTY_POLL_MS, chr_poll_pty, h);
    } else {
        chr_set_open(h, h->in_fd >= 0 || h->out_fd >= 0 || h->kind == CHR_NULL);
        chr_watch_input(h);
    }
    return true;
}

/* Life ---------------------------------------------------------------------------------------- */

struct chr *chr_host_chr(struct chr_host *h)
{
    return h ? &h->port[0].chr : NULL;
}

struct chr *chr_host_monitor(struct chr_host *h)
{
    return h && h->mux ? &h->port[1].chr : NULL;
}

bool chr_host_is_stdio(const struct chr_host *h)
{
    return h->kind == CHR_STDIO;
}

bool chr_host_is_terminal(const struct chr_host *h)
{
    return h->have_termios;
}

static void chr_host_init(struct chr_host *h, const char *what)
{
    h->what = g_strdup(what);
    h->in_fd = h->out_fd = h->listen_fd = -1;
    h->out = g_byte_array_new();
    h->ports = h->mux ? 2 : 1;
    for (unsigned i = 0; i < h->ports; i++) {
        h->port[i].host = h;
        h->port[i].pending = g_byte_array_new();
        h->port[i].chr.ops = &port_ops;
        h->port[i].chr.name = g_strdup(i ? "monitor" : what);
        /* The modem lines of the first reset; sockets and ptys get their peer later. */
        h->port[i].chr.open = h->kind != CHR_UNIX && h->kind != CHR_TCP && h->kind != CHR_PTY;
    }
}

/* Cut the text into h->kind, path, service and flags; the one parser of endpoints. */
static bool chr_parse(struct chr_host *h, const char *spec, GError **err);

bool chr_host_check(const char *spec, GError **err)
{
    struct chr_host h = {0};
    bool good = chr_parse(&h, spec, err);

    g_free(h.path);
    g_free(h.service);
    return good;
}

struct chr_host *chr_host_new(const char *spec, const char *what, GError **err)
{
    struct chr_host *h = g_new0(struct chr_host, 1);

    if (!chr_parse(h, spec, err) || h->kind == CHR_NONE) {
        g_free(h->path);
        g_free(h->service);
        g_free(h);
        return NULL;
    }
    chr_host_init(h, what);
    return h;
}

void chr_host_restore(struct chr_host *h)
{
    if (h && h->have_termios) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &h->termios);
        crash_guard_terminal(NULL);
    }
}

/* Give the peer a last chance to take what waits. */
static void chr_drain(struct chr_host *h)
{
    int64_t until = g_get_monotonic_time() + DRAIN_MS * 1000ll;

    chr_flush(h);
    while (h->out->len && !h->failed && g_get_monotonic_time() < until) {
        struct pollfd p = {.fd = h->out_fd, .events = POLLOUT};

        if (poll(&p, 1, 100) > 0 && (p.revents & (POLLERR | POLLHUP | POLLNVAL))) {
            break;
        }
        chr_flush(h);
    }
}

void chr_host_close(struct chr_host *h)
{
    if (!h) {
        return;
    }
    if (h->out_fd >= 0) {
        chr_drain(h);
    }
    chr_host_restore(h);
    if (h->own_fds) {
        if (h->in_fd >= 0 && h->in_fd != h->out_fd) {
            close(h->in_fd);
        }
        if (h->out_fd >= 0) {
            close(h->out_fd);
        }
    }
    if (h->listen_fd >= 0) {
        close(h->listen_fd);
        if (h->kind == CHR_UNIX) {
            unlink(h->path);
        }
    }
    h->in_fd = h->out_fd = h->listen_fd = -1;
    h->own_fds = false;
}

void chr_host_free(struct chr_host *h)
{
    if (!h) {
        return;
    }
    chr_host_close(h);
    for (unsigned i = 0; i < h->ports; i++) {
        g_free(h->port[i].chr.name);
        g_byte_array_unref(h->port[i].pending);
    }
    g_byte_array_unref(h->out);
    g_free(h->what);
    g_free(h->path);
    g_free(h->service);
    g_free(h);
}

/* Names --------------------------------------------------------------------------------------- */

static const struct chr_name {
    const char *name; /* with a colon at the end: an argument follows */
    enum chr_kind kind;
    const char *arg, *help;
} chr_names[] = {
    {"stdio", CHR_STDIO, "", "the terminal, or standard input and output"},
    {"mon:stdio", CHR_STDIO, "", "the same, shared with the monitor: Ctrl-A c switches"},
    {"stdout", CHR_STDOUT, "", "standard output, no input"},
    {"pty", CHR_PTY, "", "a new pseudo-terminal; its name is said on stderr"},
    {"file:", CHR_FILE, "PATH", "a file (written anew)"},
    {"pipe:", CHR_PIPE, "PATH", "named pipes PATH.in and PATH.out, or one PATH"},
    {"unix:", CHR_UNIX, "PATH[,server][,nowait]", "a socket in the file system"},
    {"tcp:", CHR_TCP, "[HOST]:PORT[,server][,nowait]", "TCP; without HOST: 127.0.0.1"},
    {"null", CHR_NULL, "", "takes everything, gives nothing"},
    {"none", CHR_NONE, "", "nothing there"},
};

void chr_host_help(GString *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(chr_names); i++) {
        g_autofree char *left = g_strconcat(chr_names[i].name, chr_names[i].arg, NULL);
        g_string_append_printf(out, "%-34s %s\n", left, chr_names[i].help);
    }
    g_string_append(out, "server: wait for a peer before the machine starts; with nowait: do not "
                         "wait\n");
}

static bool chr_parse_socket(struct chr_host *h, char **flags, GError **err)
{
    for (; *flags; flags++) {
        bool *flag = !strcmp(*flags, "server")   ? &h->server
                     : !strcmp(*flags, "nowait") ? &h->nowait
                                                 : NULL;
        if (!flag) {
            g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                        "'%s' is unknown; there are server and nowait", *flags);
            return false;
        }
        *flag = true;
    }
    if (h->kind == CHR_TCP) {
        char *colon = strrchr(h->path, ':');
        uint64_t port = colon ? g_ascii_strtoull(colon + 1, NULL, 10) : 0;

        if (!colon || !g_ascii_isdigit(colon[1]) || !port || port > 65535 ||
            strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
            g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                        "needs HOST:PORT with a port from 1 to 65535, such as tcp:127.0.0.1:4444");
            return false;
        }
        h->service = g_strdup(colon + 1);
        *colon = '\0';
    }
    return true;
}

static bool chr_parse(struct chr_host *h, const char *spec, GError **err)
{
    const struct chr_name *name = NULL;
    g_auto(GStrv) words = NULL;

    for (unsigned i = 0; i < ARRAY_LEN(chr_names) && !name; i++) {
        bool fits = *chr_names[i].arg ? g_str_has_prefix(spec, chr_names[i].name)
                                      : !strcmp(spec, chr_names[i].name);
        name = fits ? &chr_names[i] : NULL;
    }
    if (!name) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "unknown endpoint; there are stdio, mon:stdio, stdout, pty, file:PATH, "
                    "pipe:PATH, unix:PATH, tcp:HOST:PORT, null, none");
        return false;
    }
    h->kind = name->kind;
    h->mux = g_str_has_prefix(name->name, "mon:");
    if (!*name->arg) {
        return true;
    }
    spec += strlen(name->name);
    if (h->kind == CHR_FILE || h->kind == CHR_PIPE) {
        h->path = g_strdup(spec);
    } else {
        words = g_strsplit(spec, ",", -1);
        h->path = g_strdup(words[0] ? words[0] : "");
    }
    if (!*h->path) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG, "%s is missing behind '%s'",
                    h->kind == CHR_TCP ? "HOST:PORT" : "PATH", name->name);
        return false;
    }
    return !words || chr_parse_socket(h, words + 1, err);
}
