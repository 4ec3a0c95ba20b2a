/*
 * Host ends of byte streams: queues, back-pressure and the terminal's escape keys.
 *
 * Output the peer does not take at once waits in a bounded queue; when that is full the device is
 * told so and called again.  Input is read only as far as a small buffer has room.  Nothing here
 * blocks.
 *
 * A peer that goes takes what it was still to get with it, as a cable would; what it sent before
 * still arrives.  Pseudo-terminals and named pipes tell of peers only when asked, which happens
 * every PEER_POLL_MS.
 *
 * Not here: the telnet protocol, break and modem lines of real serial ports.
 */
#define _GNU_SOURCE
#include "ui/chr_int.h"
#include "ui/crash.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CTRL_A = 1, PIECE = 512, PEER_POLL_MS = 100, DRAIN_MS = 2000, END_POLL_MS = 10 };

static void chr_watch_input(struct chr_host *h);
static void chr_set_open(struct chr_host *h, bool open);
static void chr_retry_later(struct chr_host *h);

static const char escape_help[] = "\r\nCtrl-A h    this help\r\n"
                                  "Ctrl-A x    quit\r\n"
                                  "Ctrl-A b    break on COM1\r\n"
                                  "Ctrl-A c    switch between COM1 and the monitor (mon:stdio, "
                                  "-nographic)\r\n"
                                  "Ctrl-A Ctrl-A  send Ctrl-A\r\n";

/* Whether others come after the peer that went. */
static bool chr_has_peers(const struct chr_host *h)
{
    return h->is_socket || h->fifo || h->kind == CHR_PTY;
}

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
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return 0;
    }
    if (!chr_has_peers(h)) {
        if (errno != EPIPE && !h->failed) {
            fprintf(stderr, "candela: %s: cannot write: %s; further output is lost\n", h->what,
                    g_strerror(errno));
        }
        h->failed = true;
    }
    return len; /* nobody is there: the input side or chr_poll_peer notices too */
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

/* Devices that were told "full" may go on. */
static void chr_unblock(struct chr_host *h)
{
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

static void chr_unwatch(struct chr_host *h, unsigned *watch)
{
    if (*watch) {
        loop_unwatch(h->m, *watch);
        *watch = 0;
    }
}

/* Nobody takes what waits. */
static void chr_drop_output(struct chr_host *h)
{
    chr_unwatch(h, &h->out_watch);
    g_byte_array_set_size(h->out, 0);
}

static void chr_on_writable(void *arg, GIOCondition c)
{
    struct chr_host *h = arg;

    chr_flush(h);
    if (h->out->len && (c & (G_IO_HUP | G_IO_ERR))) {
        chr_drop_output(h);
    }
    if (!h->out->len) {
        chr_unwatch(h, &h->out_watch);
        chr_unblock(h);
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
    case 'b':
        if (h->port[0].chr.front && h->port[0].chr.front->got_break) {
            h->port[0].chr.front->got_break(h->port[0].chr.opaque);
        }
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

/* A socket's.  What it sent stays: the device still gets it. */
static void chr_drop_peer(struct chr_host *h)
{
    chr_unwatch(h, &h->in_watch);
    chr_drop_output(h);
    chr_unwatch(h, &h->end_watch);
    close(h->in_fd);
    h->in_fd = h->out_fd = -1;
    chr_set_open(h, false);
    if (h->reconnect) {
        chr_retry_later(h);
    }
}

/* Whether the front end still has answers for the peer. */
static bool chr_is_busy(const struct chr_host *h)
{
    const struct chr_port *p = &h->port[0];

    return p->chr.front && p->chr.front->busy &&
           (p->pending->len || h->out->len || p->chr.front->busy(p->chr.opaque));
}

static bool chr_end_when_done(void *arg)
{
    struct chr_host *h = arg;
    struct pollfd p = {.fd = h->in_fd};
    bool gone = poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));

    if (!gone && chr_is_busy(h)) {
        return true;
    }
    chr_drop_peer(h);
    return false;
}

/* "printf 'stop\nquit\n' | nc -N -U PATH" still reads. */
static void chr_on_end_of_socket(struct chr_host *h)
{
    struct pollfd p = {.fd = h->in_fd};

    if (chr_is_busy(h) && (poll(&p, 1, 0) <= 0 || !(p.revents & (POLLHUP | POLLERR)))) {
        chr_unwatch(h, &h->in_watch);
        h->end_watch = loop_every(h->m, END_POLL_MS, chr_end_when_done, h);
    } else {
        chr_drop_peer(h);
    }
}

static void chr_on_end_of_input(struct chr_host *h)
{
    if (h->is_socket) {
        chr_on_end_of_socket(h);
        return;
    }
    chr_unwatch(h, &h->in_watch);
    if (h->kind == CHR_PTY) {
        chr_drop_output(h);
        chr_set_open(h, false);
    } else if (h->fifo) {
        h->writer = false;
        chr_set_open(h, h->out_fd >= 0);
    } else {
        h->eof = true;
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
        chr_unwatch(h, &h->in_watch);
        return;
    }
    room = room ? MIN(room, sizeof buf) : sizeof buf;
    n = h->is_socket ? recv(h->in_fd, buf, room, MSG_DONTWAIT) : read(h->in_fd, buf, room);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        chr_on_end_of_input(h);
        return;
    }
    h->writer = true;
    if (n > 0) {
        chr_take_input(h, buf, (size_t)n);
    }
}

static void chr_watch_input(struct chr_host *h)
{
    if (!h->in_watch && !h->end_watch && h->in_fd >= 0 && !h->eof && h->m &&
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

static void chr_set_open(struct chr_host *h, bool open)
{
    for (unsigned i = 0; i < h->ports; i++) {
        struct chr *c = &h->port[i].chr;
        bool was = c->open;

        c->open = open;
        if (was != open && c->front && c->front->connected) {
            c->front->connected(c->opaque, open);
        }
    }
    if (!open) {
        chr_unblock(h);
    }
}

/* The other side of a pty is open, or was and left something. */
static void chr_poll_pty(struct chr_host *h)
{
    struct pollfd p = {.fd = h->in_fd, .events = POLLIN};
    bool there = poll(&p, 1, 0) >= 0 && ((p.revents & POLLIN) || !(p.revents & POLLHUP));

    if (there && !h->port[0].chr.open) {
        chr_set_open(h, true);
        chr_watch_input(h);
    } else if (!there && h->port[0].chr.open) {
        chr_on_end_of_input(h);
    }
}

static void chr_poll_fifo(struct chr_host *h)
{
    struct pollfd p = {.fd = h->out_fd};

    if (h->out_fd < 0) {
        h->out_fd = chr_open_reader(h);
    } else if (poll(&p, 1, 0) > 0 && (p.revents & POLLERR)) { /* the reader went */
        chr_drop_output(h);
        close(h->out_fd);
        h->out_fd = -1;
        chr_unblock(h);
    }
    if (h->in_fd >= 0 && chr_focused(h)->pending->len < CHR_PENDING) {
        chr_on_input(h, 0); /* reading tells whether somebody may write */
        if (h->writer) {
            chr_watch_input(h);
        }
    }
    chr_set_open(h, h->out_fd >= 0 || h->writer);
}

static bool chr_poll_peer(void *arg)
{
    struct chr_host *h = arg;

    if (h->fifo) {
        chr_poll_fifo(h);
    } else {
        chr_poll_pty(h);
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
    while (h->in_fd >= 0 && !h->end_watch && chr_focused(h)->pending->len < CHR_PENDING) {
        chr_on_input(h, G_IO_HUP); /* its last words; at the end of them it goes */
    }
    if (h->in_fd >= 0) {
        chr_drop_peer(h);
    }
}

static void chr_take_peer(struct chr_host *h, int fd)
{
    chr_deliver(h); /* what the one before left, as far as there is room */
    h->in_fd = h->out_fd = fd;
    chr_set_open(h, true);
    chr_watch_input(h);
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
    chr_take_peer(h, fd);
}

/* Clients that reconnect ---------------------------------------------------------------------- */

static void chr_on_connected(void *arg, GIOCondition c)
{
    struct chr_host *h = arg;
    int fd = h->connect_fd;

    (void)c;
    loop_unwatch(h->m, h->connect_watch);
    h->connect_fd = -1;
    if (chr_connect_error(fd)) {
        close(fd);
        chr_retry_later(h);
    } else {
        chr_take_peer(h, fd);
    }
}

/* Of a loop_every, but once. */
static bool chr_retry(void *arg)
{
    struct chr_host *h = arg;
    bool busy = false;
    int fd = chr_start_connect(h, &busy);

    if (fd < 0) {
        chr_retry_later(h);
    } else if (busy) {
        h->connect_fd = fd;
        h->connect_watch =
            loop_watch(h->m, fd, G_IO_OUT | G_IO_ERR | G_IO_HUP, chr_on_connected, h);
    } else {
        chr_take_peer(h, fd);
    }
    return false;
}

static void chr_retry_later(struct chr_host *h)
{
    loop_every(h->m, h->reconnect * 1000, chr_retry, h);
}

/* Life ---------------------------------------------------------------------------------------- */

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
    if (h->kind == CHR_PTY || h->fifo) {
        loop_every(m, PEER_POLL_MS, chr_poll_peer, h);
        chr_poll_peer(h);
    } else if (h->reconnect) {
        chr_retry(h);
    } else {
        chr_set_open(h, h->in_fd >= 0 || h->out_fd >= 0 || h->kind == CHR_NULL);
        chr_watch_input(h);
    }
    return true;
}

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

bool chr_host_is_pty(const struct chr_host *h)
{
    return h->kind == CHR_PTY;
}

bool chr_host_is_terminal(const struct chr_host *h)
{
    return h->have_termios || h->kind == CHR_PTY;
}

static void chr_host_init(struct chr_host *h, const char *what)
{
    h->what = g_strdup(what);
    h->in_fd = h->out_fd = h->listen_fd = h->connect_fd = -1;
    h->out = g_byte_array_new();
    h->ports = h->mux ? 2 : 1;
    for (unsigned i = 0; i < h->ports; i++) {
        h->port[i].host = h;
        h->port[i].pending = g_byte_array_new();
        h->port[i].chr.ops = &port_ops;
        h->port[i].chr.name = g_strdup(i ? "monitor" : what);
        h->port[i].chr.paced = h->paced;
        /* The modem lines of the first reset; some get their peer later. */
        h->port[i].chr.open =
            h->kind != CHR_UNIX && h->kind != CHR_TCP && h->kind != CHR_PTY && h->kind != CHR_PIPE;
    }
}

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
    if (h->connect_fd >= 0) {
        close(h->connect_fd);
    }
    g_clear_pointer(&h->addrs, freeaddrinfo);
    h->in_fd = h->out_fd = h->listen_fd = h->connect_fd = -1;
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
    g_free(h->out_path);
    g_free(h->service);
    g_free(h);
}
