/*
 * Opening the host ends of byte streams, by kind.
 *
 * Standard input and output may be shared with other programs, so their flags are left alone: a
 * terminal or pipe is opened a second time for non-blocking writes, and where that fails, small
 * writes follow a poll.
 *
 * The run has its signals blocked: whatever waits here for somebody else looks at them too.
 */
#define _GNU_SOURCE
#include "ui/chr_int.h"
#include "ui/crash.h"
#include "ui/output.h"
#include "ui/run.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What to do about a socket's error. */
static const char *socket_remedy(const struct chr_host *h, int error)
{
    if (h->server) {
        return error == EADDRINUSE ? "; choose another, or end the program that listens there" : "";
    }
    return h->is_socket && (error == ENOENT || error == ECONNREFUSED)
               ? "; start its server first, be the server (,server), or try on (,reconnect=1)"
               : "";
}

static bool chr_error(struct chr_host *h, GError **err, const char *verb)
{
    int error = errno;

    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "%s: %s%s%s: %s%s", h->what, verb,
                h->path ? " " : "", h->path ? h->path : "", g_strerror(error),
                socket_remedy(h, error));
    return false;
}

static void chr_note(struct chr_host *h, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

static void chr_note(struct chr_host *h, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, args);
    va_end(args);
    if (h->note) {
        h->note(text);
    }
}

/* Standard output, without blocking writes where the system lets us. */
static void open_stdout(struct chr_host *h)
{
    struct stat st;

    h->out_fd = STDOUT_FILENO;
    if (fstat(STDOUT_FILENO, &st)) {
        h->out_fd = -1;
    } else if (S_ISSOCK(st.st_mode)) {
        h->is_socket = false; /* it is not ours to close; poll before each piece */
        h->piecewise = true;
    } else if (S_ISFIFO(st.st_mode) || isatty(STDOUT_FILENO)) {
        int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

        if (fd >= 0) {
            h->out_fd = fd;
        } else {
            h->piecewise = true;
        }
    }
}

static void open_stdio(struct chr_host *h)
{
    struct termios raw;

    open_stdout(h);
    h->in_fd = STDIN_FILENO;
    h->escapes = h->mux;
    if (isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &h->termios)) {
        raw = h->termios;
        cfmakeraw(&raw);
        raw.c_oflag |=
            OPOST | (h->termios.c_oflag & ONLCR); /* our own messages come out straight */
        crash_guard_terminal(&h->termios);
        if (!tcsetattr(STDIN_FILENO, TCSANOW, &raw)) {
            h->have_termios = true;
            h->escapes = true;
            chr_note(h, "%s is on this terminal: Ctrl-A x quits, Ctrl-A h helps", h->what);
        }
    }
}

/* Not blocking, for what is no file after all: a named pipe, a terminal. */
static bool open_file(struct chr_host *h, GError **err)
{
    h->out_fd = output_open(h->path, h->append);
    h->own_fds = true;
    if (h->out_fd < 0 && errno == ENXIO) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE,
                    "%s: %s is a named pipe that nobody reads; start its reader first, or use "
                    "pipe:%s",
                    h->what, h->path, h->path);
        return false;
    }
    return h->out_fd >= 0 || chr_error(h, err, "cannot write");
}

static void make_raw(int fd)
{
    struct termios raw;

    if (!tcgetattr(fd, &raw)) {
        cfmakeraw(&raw);
        tcsetattr(fd, TCSANOW, &raw);
    }
}

/* A serial port of the host, or another device of bytes. */
static bool open_device(struct chr_host *h, GError **err)
{
    h->in_fd = h->out_fd = open(h->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (h->in_fd < 0) {
        return chr_error(h, err, "cannot open the device");
    }
    make_raw(h->in_fd);
    return true;
}

int chr_open_reader(struct chr_host *h)
{
    return open(h->out_path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

static bool is_kind(const char *path, mode_t kind)
{
    struct stat st;

    return !stat(path, &st) && (st.st_mode & S_IFMT) == kind;
}

/* Each direction is opened for itself, so that the system tells whether somebody is there. */
static bool open_pipe(struct chr_host *h, GError **err)
{
    g_autofree char *in = g_strconcat(h->path, ".in", NULL);
    g_autofree char *out = g_strconcat(h->path, ".out", NULL);
    bool two = is_kind(in, S_IFIFO) && is_kind(out, S_IFIFO);

    h->own_fds = true;
    if (!two && is_kind(h->path, S_IFCHR)) {
        return open_device(h, err);
    }
    if (!two && !is_kind(h->path, S_IFIFO)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE,
                    "%s: %s is no named pipe (mkfifo %s.in %s.out makes them)", h->what, h->path,
                    h->path, h->path);
        return false;
    }
    h->fifo = true;
    h->out_path = g_strdup(two ? out : h->path);
    if (two) {
        h->in_fd = open(in, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    }
    h->out_fd = chr_open_reader(h);
    return ((!two || h->in_fd >= 0) && (h->out_fd >= 0 || errno == ENXIO)) ||
           chr_error(h, err, "cannot open the named pipe");
}

static bool open_pty(struct chr_host *h, GError **err)
{
    char name[128];
    int slave;

    h->in_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    h->out_fd = h->in_fd;
    h->own_fds = true;
    if (h->in_fd < 0 || grantpt(h->in_fd) || unlockpt(h->in_fd) ||
        ptsname_r(h->in_fd, name, sizeof name)) {
        return chr_error(h, err, "cannot make a pseudo-terminal");
    }
    /* Raw from the start; and once it has been open, the system says when nobody has it open. */
    slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave >= 0) {
        make_raw(slave);
        close(slave);
    }
    chr_note(h, "%s is %s", h->what, name);
    return true;
}

/* Sockets ------------------------------------------------------------------------------------- */

/* Until the descriptor is ready; false when a signal ends the run instead. */
static bool chr_wait_ready(struct chr_host *h, int fd, short events, GError **err)
{
    struct signalfd_siginfo info = {0};
    struct pollfd fds[2] = {{.fd = fd, .events = events}, {.events = POLLIN}};
    sigset_t set;
    bool good;

    run_signal_set(&set);
    fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    good = fds[0].revents || read(fds[1].fd, &info, sizeof info) != sizeof info;
    if (!good) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                    "ended by %s while %s waited for its connection",
                    strsignal((int)info.ssi_signo), h->what);
    }
    if (fds[1].fd >= 0) {
        close(fds[1].fd);
    }
    return good;
}

/* Keys go at once; a peer whose host vanished is noticed in the end.  Harmless for others. */
static void tune_tcp(int fd)
{
    int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
}

int chr_accept_peer(struct chr_host *h)
{
    int fd = accept4(h->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        tune_tcp(fd);
    }
    return fd;
}

bool chr_remove_stale_socket(const struct sockaddr_un *addr)
{
    struct stat st;
    int fd;
    bool stale;

    if (lstat(addr->sun_path, &st) || !S_ISSOCK(st.st_mode)) {
        return false;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    stale = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof *addr) < 0 &&
            errno == ECONNREFUSED;
    if (fd >= 0) {
        close(fd);
    }
    return stale && !unlink(addr->sun_path);
}

static bool unix_address(const struct chr_host *h, struct sockaddr_un *addr, GError **err)
{
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(h->path) >= sizeof addr->sun_path) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE,
                    "%s: %s: too long for a socket's name; at most %zu characters", h->what,
                    h->path, sizeof addr->sun_path - 1);
        return false;
    }
    g_strlcpy(addr->sun_path, h->path, sizeof addr->sun_path);
    return true;
}

static bool unix_listen(struct chr_host *h, GError **err)
{
    struct sockaddr_un addr;
    int fd;

    if (!unix_address(h, &addr, err)) {
        return false;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    h->listen_fd = fd;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) &&
        (errno != EADDRINUSE || !chr_remove_stale_socket(&addr) ||
         bind(fd, (struct sockaddr *)&addr, sizeof addr))) {
        h->listen_fd = -1; /* not ours: it must not be unlinked */
        chr_error(h, err, "cannot listen at");
        close(fd);
        return false;
    }
    return (fd >= 0 && !chmod(h->path, 0600) && !listen(fd, 1)) ||
           chr_error(h, err, "cannot listen at");
}

/* The addresses of h->path; freed by chr_host_close. */
static bool tcp_resolve(struct chr_host *h, GError **err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    const char *name = *h->path ? h->path : "127.0.0.1";
    int failed = getaddrinfo(name, h->service, &hints, &h->addrs);

    if (failed) {
        h->addrs = NULL;
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "%s: %s: %s", h->what, name,
                    gai_strerror(failed));
    }
    h->addr = h->addrs;
    return !failed;
}

static bool tcp_error(struct chr_host *h, int error, GError **err)
{
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "%s: cannot %s %s port %s: %s%s", h->what,
                h->server ? "listen at" : "connect to", *h->path ? h->path : "127.0.0.1",
                h->service, g_strerror(error), socket_remedy(h, error));
    return false;
}

static bool tcp_listen(struct chr_host *h, GError **err)
{
    int one = 1, error = 0;

    if (!tcp_resolve(h, err)) {
        return false;
    }
    for (const struct addrinfo *a = h->addrs; a && h->listen_fd < 0; a = a->ai_next) {
        int fd =
            socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);

        if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) &&
            !bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, 1)) {
            h->listen_fd = fd;
        } else {
            error = errno;
            if (fd >= 0) {
                close(fd);
            }
        }
    }
    return h->listen_fd >= 0 || tcp_error(h, error, err);
}

/* Clients ------------------------------------------------------------------------------------- */

/* The connection is ours alone: a socket that connects to its own address finds only itself, which
 * happens to ports without a server. */
static bool connected_to_itself(int fd)
{
    struct sockaddr_storage here = {0}, there = {0};
    socklen_t here_len = sizeof here, there_len = sizeof there;

    return !getsockname(fd, (struct sockaddr *)&here, &here_len) &&
           !getpeername(fd, (struct sockaddr *)&there, &there_len) && here_len == there_len &&
           here.ss_family != AF_UNIX && !memcmp(&here, &there, here_len);
}

int chr_connect_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len)) {
        return errno;
    }
    if (!error && connected_to_itself(fd)) {
        return ECONNREFUSED;
    }
    tune_tcp(fd);
    return error;
}

int chr_start_connect(struct chr_host *h, bool *busy)
{
    struct sockaddr_un addr;
    const struct addrinfo *a = h->addr;
    int fd, error;

    if (h->kind == CHR_UNIX && !unix_address(h, &addr, NULL)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (h->kind == CHR_TCP) {
        h->addr = a->ai_next ? a->ai_next : h->addrs;
    }
    fd = socket(h->kind == CHR_UNIX ? AF_UNIX : a->ai_family,
                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    error = h->kind == CHR_UNIX ? connect(fd, (struct sockaddr *)&addr, sizeof addr)
                                : connect(fd, a->ai_addr, a->ai_addrlen);
    *busy = error && errno == EINPROGRESS;
    error = error && !*busy ? errno : *busy ? 0 : chr_connect_error(fd);
    if (error) {
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* One attempt at one address; waits.  -1 and *error: an errno value, EINTR when `err` is set. */
static int chr_connect_once(struct chr_host *h, int *error, GError **err)
{
    bool busy = false;
    int fd = chr_start_connect(h, &busy);

    if (fd < 0) {
        *error = errno;
        return -1;
    }
    if (!busy) {
        return fd;
    }
    *error = chr_wait_ready(h, fd, POLLOUT, err) ? chr_connect_error(fd) : EINTR;
    if (*error) {
        close(fd);
        return -1;
    }
    return fd;
}

/* With reconnect= nothing is waited for: chr_host.c tries as the machine runs. */
static bool open_client(struct chr_host *h, GError **err)
{
    struct sockaddr_un addr;
    int error = 0;

    if (h->kind == CHR_TCP ? !tcp_resolve(h, err) : !unix_address(h, &addr, err)) {
        return false;
    }
    if (h->reconnect) {
        return true;
    }
    do {
        h->in_fd = chr_connect_once(h, &error, err);
    } while (h->in_fd < 0 && error != EINTR && h->addr != h->addrs);
    if (h->in_fd < 0 && error != EINTR) {
        errno = error;
        return h->kind == CHR_TCP ? tcp_error(h, error, err)
                                  : chr_error(h, err, "cannot connect to");
    }
    return h->in_fd >= 0;
}

/* Servers ------------------------------------------------------------------------------------- */

/* The first peer of a server. */
static bool socket_wait_peer(struct chr_host *h, GError **err)
{
    chr_note(h, "%s waits for a connection at %s%s%s", h->what, h->path, h->service ? ":" : "",
             h->service ? h->service : "");
    do {
        if (!chr_wait_ready(h, h->listen_fd, POLLIN, err)) {
            return false;
        }
        h->in_fd = chr_accept_peer(h);
    } while (h->in_fd < 0 && (errno == EAGAIN || errno == ECONNABORTED));
    return h->in_fd >= 0 || chr_error(h, err, "cannot accept at");
}

static bool open_socket(struct chr_host *h, GError **err)
{
    h->own_fds = true;
    h->is_socket = true;
    if (!h->server) {
        if (!open_client(h, err)) {
            return false;
        }
    } else if (!(h->kind == CHR_UNIX ? unix_listen(h, err) : tcp_listen(h, err)) ||
               (!h->nowait && !socket_wait_peer(h, err))) {
        return false;
    }
    h->out_fd = h->in_fd;
    return true;
}

bool chr_open_endpoint(struct chr_host *h, GError **err)
{
    switch (h->kind) {
    case CHR_STDIO:
        open_stdio(h);
        return true;
    case CHR_STDOUT:
        open_stdout(h);
        return true;
    case CHR_FILE:
        return open_file(h, err);
    case CHR_PIPE:
        return open_pipe(h, err);
    case CHR_PTY:
        return open_pty(h, err);
    case CHR_UNIX:
    case CHR_TCP:
        return open_socket(h, err);
    default:
        return true;
    }
}

bool chr_host_check_path(struct chr_host *h, GError **err)
{
    return h->kind != CHR_FILE || output_check(h->what, h->path, err);
}
