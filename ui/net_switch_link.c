/*
 * The switch between processes: unix sockets of type SOCK_SEQPACKET, a message for each frame.
 *
 * Place: $XDG_RUNTIME_DIR/candela, or /tmp/candela-UID where there is no such folder; ours alone
 * (mode 0700), which is checked.  In it "switch-NAME" is the socket and "switch-NAME.lock" says by
 * flock() who may listen there: whoever has the lock, and nobody else, replaces the socket and
 * listens; the others connect.  The kernel drops the lock when its process ends in whatever way, so
 * there is nothing stale: the others see the end of their connection, one gets the lock, the rest
 * connect to it.  Frames on the way are lost then.  A lock file whose name is gone does not count,
 * as others would not see it; who listens looks for that now and then.
 *
 * Messages: the first each way is a hello of HELLO_BYTES: "candela-switch" and zeros, 16 bytes; the
 * version and a status, 16 bits each; zeros; little-endian.  The one who connects begins.  After
 * that each message is a frame.  Whoever sends anything else is disconnected.  Both ends ask the
 * kernel whether the other is of the same user.
 *
 * Not modelled: other hosts, other users, fairness between processes beyond a share of each round.
 * A process that is stopped (SIGSTOP) while it listens stops the switch: its lock is held.
 */
#define _GNU_SOURCE
#include "ui/net_switch.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    HELLO_BYTES = 24,
    HELLO_NAME = 16,
    HELLO_VERSION = 1,
    HELLO_WELCOME = 0,
    HELLO_NO_ROOM = 1,
    SWITCH_BACKLOG = 64,
    SWITCH_ACCEPTS = 8,       /* connections taken in a round */
    SWITCH_READS = 2,         /* times SWITCH_READ frames from a process in a round */
    SWITCH_WRITE = 64,        /* frames written at once */
    SWITCH_QUICK_TRIES = 100, /* then the search slows down */
    NOT_POLLED = 0xffffffff,
};
/* A hello comes within; who listens may be busy with its start. */
#define SWITCH_HELLO_US    (2 * G_TIME_SPAN_SECOND)
#define SWITCH_WELCOME_US  (10 * G_TIME_SPAN_SECOND)
#define SWITCH_RETRY_US    (10 * G_TIME_SPAN_MILLISECOND)
#define SWITCH_SLOW_US     (500 * G_TIME_SPAN_MILLISECOND)
#define SWITCH_STRANGER_US (5 * G_TIME_SPAN_SECOND)
#define SWITCH_CHECK_US    (10 * G_TIME_SPAN_SECOND)

static const char hello_name[HELLO_NAME] = "candela-switch";

/* Room to read messages; one byte more than a frame has, to see what is too long. */
struct switch_read {
    struct mmsghdr msg[SWITCH_READ];
    struct iovec iov[SWITCH_READ];
    uint8_t data[SWITCH_READ][SWITCH_FRAME_MAX + 1];
};

/* Links to processes --------------------------------------------------------------------------- */

static void peer_close(struct switch_link *l)
{
    if (l->fd >= 0) {
        close(l->fd);
        net_queue_clear(&l->out);
        net_fdb_forget(l->sw->fdb, l->index);
        *l = (struct switch_link){.sw = l->sw, .index = l->index, .fd = -1};
    }
}

static void switch_seek_in(struct net_switch *sw, int64_t us)
{
    sw->role = SWITCH_SEEKS;
    sw->seek_at = g_get_monotonic_time() + us;
}

/* After an attempt that led nowhere; at random, so that two do not disturb each other for ever. */
static void switch_seek_later(struct net_switch *sw)
{
    sw->tries++;
    switch_seek_in(sw, sw->tries < SWITCH_QUICK_TRIES
                           ? SWITCH_RETRY_US + g_random_int_range(0, SWITCH_RETRY_US)
                           : SWITCH_SLOW_US);
}

/* The connection is over; one that was to the process that listens leads to the search for
 * another. */
static void peer_lose(struct switch_link *l)
{
    struct net_switch *sw = l->sw;
    bool greeted = l->greeted;

    peer_close(l);
    if (sw->role != SWITCH_JOINS) {
        return;
    }
    if (greeted) {
        switch_seek_in(sw, 0);
    } else {
        switch_seek_later(sw);
    }
}

/* Something that is no switch of ours. */
static void peer_refuse(struct switch_link *l, const char *why)
{
    if (switch_may_note(l->sw, NOTE_STRANGER)) {
        nets_note(l->sw->nets, "switch %s: process %d %s; disconnected", l->sw->name, l->pid, why);
    }
    peer_lose(l);
    if (l->sw->role == SWITCH_SEEKS) {
        switch_seek_in(l->sw, SWITCH_STRANGER_US);
    }
}

static void peer_begin(struct switch_link *l, int fd, int pid)
{
    l->fd = fd;
    l->pid = pid;
    l->polled = NOT_POLLED;
    l->since = g_get_monotonic_time();
}

/* Whether a descriptor's other end is a process of our user; its id. */
static bool peer_is_ours(int fd, int *pid)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) {
        return false;
    }
    *pid = cred.pid;
    return cred.uid == geteuid();
}

static bool peer_send_hello(int fd, unsigned status)
{
    uint8_t hello[HELLO_BYTES] = {0};

    memcpy(hello, hello_name, HELLO_NAME);
    st_le16(hello + HELLO_NAME, HELLO_VERSION);
    st_le16(hello + HELLO_NAME + 2, (uint16_t)status);
    return send(fd, hello, sizeof hello, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof hello;
}

/* The first message of the other end; false: the link is closed. */
static bool peer_take_hello(struct switch_link *l, const uint8_t *msg, size_t len)
{
    bool listens = l->sw->role == SWITCH_LISTENS;

    if (len != HELLO_BYTES || memcmp(msg, hello_name, HELLO_NAME) != 0) {
        peer_refuse(l, "does not speak as Candela's switch does");
        return false;
    }
    if (ld_le16(msg + HELLO_NAME) != HELLO_VERSION) {
        if (listens) {
            peer_send_hello(l->fd, HELLO_WELCOME);
        }
        peer_refuse(l, "is of another version of Candela, which does not share a switch with ours");
        return false;
    }
    if (listens) {
        if (!peer_send_hello(l->fd, HELLO_WELCOME)) {
            peer_close(l);
            return false;
        }
    } else if (ld_le16(msg + HELLO_NAME + 2) != HELLO_WELCOME) {
        peer_refuse(l, "takes no more processes to its switch");
        return false;
    }
    l->greeted = true;
    l->sw->tries = 0;
    return true;
}

/* Frames --------------------------------------------------------------------------------------- */

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* Send up to SWITCH_WRITE frames; false: it takes no more now, or is gone. */
static bool peer_send_some(struct switch_link *l)
{
    struct mmsghdr msg[SWITCH_WRITE];
    struct iovec iov[SWITCH_WRITE];
    size_t at = l->out.head;
    unsigned count = 0;
    int sent;

    for (; count < SWITCH_WRITE && at < l->out.tail; count++) {
        uint32_t len;

        memcpy(&len, l->out.data + at, sizeof len);
        iov[count] = (struct iovec){l->out.data + at + sizeof len, len};
        msg[count] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[count], .msg_iovlen = 1}};
        at += sizeof len + len;
    }
    sent = sendmmsg(l->fd, msg, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
        if (would_block(errno)) {
            return false;
        }
        if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
            peer_lose(l);
            return false;
        }
        /* The host has no memory for it, or such: the frame is lost, so that nothing turns. */
        l->lost++;
        sent = 1;
    }
    for (int i = 0; i < sent; i++) {
        net_queue_pop(&l->out);
    }
    return sent == (int)count;
}

static void peer_flush(struct switch_link *l)
{
    while (l->fd >= 0 && l->greeted && l->out.frames && peer_send_some(l)) {
    }
}

void switch_peers_flush(struct net_switch *sw)
{
    for (unsigned i = SWITCH_FIRST_PEER; i < SWITCH_LINKS; i++) {
        peer_flush(&sw->link[i]);
    }
}

/* A message; false: the link is closed. */
static bool peer_take(struct switch_link *l, const uint8_t *msg, size_t len)
{
    if (!len) {
        peer_lose(l);
        return false;
    }
    if (!l->greeted) {
        return peer_take_hello(l, msg, len);
    }
    if (len < NET_HEADER || len > SWITCH_FRAME_MAX) {
        peer_refuse(l, "sent what is no frame");
        return false;
    }
    switch_forward(l->sw, l->index, msg, len);
    return true;
}

static struct switch_read *read_new(void)
{
    struct switch_read *r = g_new0(struct switch_read, 1);

    for (unsigned i = 0; i < SWITCH_READ; i++) {
        r->iov[i] = (struct iovec){r->data[i], sizeof r->data[i]};
        r->msg[i].msg_hdr = (struct msghdr){.msg_iov = &r->iov[i], .msg_iovlen = 1};
    }
    return r;
}

/* Read what came, a bounded part of it.  `gone`: the other end has hung up, and what it left is
 * read whoever has room. */
static void peer_read(struct switch_link *l, bool gone)
{
    struct switch_read *r = l->sw->read;

    for (unsigned turn = 0; turn < SWITCH_READS; turn++) {
        int count;

        if (!gone && l->greeted && switch_must_hold(l->sw, l->index)) {
            return;
        }
        count = recvmmsg(l->fd, r->msg, SWITCH_READ, MSG_DONTWAIT, NULL);
        if (count < 0) {
            if (!would_block(errno)) {
                peer_lose(l);
            }
            return;
        }
        for (int i = 0; i < count; i++) {
            if (!peer_take(l, r->data[i], r->msg[i].msg_len)) {
                return;
            }
        }
        if (count < SWITCH_READ) {
            return;
        }
    }
}

/* To listen ------------------------------------------------------------------------------------ */

static bool place_fail(struct net_switch *sw, const char *path, const char *why, GError **err)
{
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "switch %s: %s: %s", sw->name, path, why);
    return false;
}

static uint64_t inode_of(const char *path)
{
    struct stat st;

    return lstat(path, &st) ? 0 : st.st_ino;
}

/* Get the lock, under its name, without waiting.  -1 and no error: another process has it. */
static int place_lock(struct net_switch *sw, GError **err)
{
    struct stat st;
    int fd = open(sw->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

    if (fd < 0) {
        place_fail(sw, sw->lock_path, g_strerror(errno), err);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK) {
            place_fail(sw, sw->lock_path, g_strerror(errno), err);
        }
        close(fd);
        return -1;
    }
    if (fstat(fd, &st) || !st.st_ino || st.st_ino != inode_of(sw->lock_path)) {
        close(fd); /* its name was taken away meanwhile */
        return -1;
    }
    return fd;
}

static struct sockaddr_un place_address(const struct net_switch *sw)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    g_strlcpy(a.sun_path, sw->socket_path, sizeof a.sun_path);
    return a;
}

/* Take away a socket that an ended process left behind, and nothing else. */
static bool place_clear(struct net_switch *sw, GError **err)
{
    struct stat st;

    if (lstat(sw->socket_path, &st)) {
        return errno == ENOENT || place_fail(sw, sw->socket_path, g_strerror(errno), err);
    }
    if (!S_ISSOCK(st.st_mode)) {
        return place_fail(sw, sw->socket_path, "is no socket; remove it", err);
    }
    return !unlink(sw->socket_path) || place_fail(sw, sw->socket_path, g_strerror(errno), err);
}

/* The lock is ours: listen. */
static bool place_listen(struct net_switch *sw, int lock_fd, GError **err)
{
    struct sockaddr_un a = place_address(sw);
    int fd;

    if (!place_clear(sw, err)) {
        return false;
    }
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&a, sizeof a) ||
        listen(fd, SWITCH_BACKLOG)) {
        place_fail(sw, sw->socket_path, g_strerror(errno), err);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    sw->role = SWITCH_LISTENS;
    sw->lock_fd = lock_fd;
    sw->listen_fd = fd;
    sw->listen_polled = NOT_POLLED;
    sw->socket_inode = inode_of(sw->socket_path);
    sw->check_at = g_get_monotonic_time() + SWITCH_CHECK_US;
    sw->tries = 0;
    return true;
}

/* Whether our names still lead to what we hold. */
static bool place_is_ours(const struct net_switch *sw)
{
    struct stat st;

    return !fstat(sw->lock_fd, &st) && st.st_ino == inode_of(sw->lock_path) &&
           sw->socket_inode == inode_of(sw->socket_path);
}

/* End listening; the names go first, while the lock keeps others from making them anew. */
static void place_leave(struct net_switch *sw)
{
    if (sw->listen_fd < 0) {
        return;
    }
    if (place_is_ours(sw)) {
        unlink(sw->socket_path);
        unlink(sw->lock_path);
    }
    close(sw->listen_fd);
    close(sw->lock_fd);
    sw->listen_fd = sw->lock_fd = -1;
}

static void peers_disconnect(struct net_switch *sw)
{
    for (unsigned i = SWITCH_FIRST_PEER; i < SWITCH_LINKS; i++) {
        peer_close(&sw->link[i]);
    }
}

/* Somebody took our names away: find the others where they are now. */
static void place_check(struct net_switch *sw)
{
    if (sw->now < sw->check_at) {
        return;
    }
    sw->check_at = sw->now + SWITCH_CHECK_US;
    if (!place_is_ours(sw)) {
        place_leave(sw);
        peers_disconnect(sw);
        switch_seek_in(sw, 0);
    }
}

static struct switch_link *peer_free_link(struct net_switch *sw)
{
    for (unsigned i = SWITCH_FIRST_PEER; i < SWITCH_LINKS; i++) {
        if (sw->link[i].fd < 0) {
            return &sw->link[i];
        }
    }
    return NULL;
}

/* A connection there is no link for is told so.  Its hello is read first, as the kernel would else
 * report the end before our answer. */
static void peer_turn_away(int fd)
{
    uint8_t hello[HELLO_BYTES];

    if (recv(fd, hello, sizeof hello, MSG_DONTWAIT) > 0) {
        peer_send_hello(fd, HELLO_NO_ROOM);
    }
    close(fd);
}

static void peers_accept(struct net_switch *sw)
{
    for (unsigned i = 0; i < SWITCH_ACCEPTS; i++) {
        int fd = accept4(sw->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), pid = 0;
        struct switch_link *l;

        if (fd < 0) {
            if (!would_block(errno) && errno != ECONNABORTED) {
                sw->accept_at = sw->now + G_TIME_SPAN_SECOND; /* no descriptors left, or such */
            }
            return;
        }
        l = peer_free_link(sw);
        if (!peer_is_ours(fd, &pid)) {
            close(fd);
        } else if (!l) {
            peer_turn_away(fd);
        } else {
            peer_begin(l, fd, pid);
        }
    }
}

/* To join -------------------------------------------------------------------------------------- */

/* Connect to the process that has the lock; false: it is not there yet, or not any more. */
static bool peers_join(struct net_switch *sw)
{
    struct switch_link *l = &sw->link[SWITCH_FIRST_PEER];
    struct sockaddr_un a = place_address(sw);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), pid = 0;

    if (fd < 0) {
        return false;
    }
    if (connect(fd, (struct sockaddr *)&a, sizeof a) || !peer_is_ours(fd, &pid) ||
        !peer_send_hello(fd, HELLO_WELCOME)) {
        close(fd);
        return false;
    }
    sw->role = SWITCH_JOINS;
    peer_begin(l, fd, pid);
    return true;
}

/* Listen or join, if that can be done now.  False: the place cannot be used. */
static bool peers_seek(struct net_switch *sw, GError **err)
{
    GError *why = NULL;
    int lock_fd = place_lock(sw, &why);

    if (lock_fd >= 0) {
        if (place_listen(sw, lock_fd, err)) {
            return true;
        }
        close(lock_fd);
        return false;
    }
    if (why) {
        g_propagate_error(err, why);
        return false;
    }
    if (!peers_join(sw)) {
        switch_seek_later(sw);
    }
    return true;
}

static void peers_seek_again(struct net_switch *sw)
{
    GError *err = NULL;

    if (sw->now < sw->seek_at || peers_seek(sw, &err)) {
        return;
    }
    if (switch_may_note(sw, NOTE_PLACE)) {
        nets_note(sw->nets, "%s; the ports of this machine reach each other only", err->message);
    }
    g_error_free(err);
    switch_seek_in(sw, SWITCH_STRANGER_US);
}

/* The place ------------------------------------------------------------------------------------ */

char *switch_folder(void)
{
    const char *runtime = g_getenv("XDG_RUNTIME_DIR");

    if (runtime && g_path_is_absolute(runtime) && g_file_test(runtime, G_FILE_TEST_IS_DIR)) {
        return g_build_filename(runtime, "candela", NULL);
    }
    return g_strdup_printf("/tmp/candela-%u", (unsigned)geteuid());
}

const char *switch_folder_check(const char *path)
{
    struct stat st;

    if (lstat(path, &st)) {
        return errno == ENOENT ? NULL : g_strerror(errno);
    }
    if (!S_ISDIR(st.st_mode)) {
        return "is no folder; remove it";
    }
    if (st.st_uid != geteuid()) {
        return "belongs to another user; set XDG_RUNTIME_DIR to a folder of your own";
    }
    return st.st_mode & 077 ? "can be used by others; run chmod 700 on it" : NULL;
}

static bool place_find(struct net_switch *sw, GError **err)
{
    g_autofree char *folder = switch_folder(), *file = g_strdup_printf("switch-%s", sw->name);
    bool made = !mkdir(folder, 0700) || errno == EEXIST;
    const char *why = made ? switch_folder_check(folder) : g_strerror(errno);
    struct sockaddr_un a;

    if (why) {
        return place_fail(sw, folder, why, err);
    }
    sw->socket_path = g_build_filename(folder, file, NULL);
    sw->lock_path = g_strdup_printf("%s.lock", sw->socket_path);
    return strlen(sw->socket_path) < sizeof a.sun_path ||
           place_fail(sw, sw->socket_path,
                      "is too long for a socket's name; set XDG_RUNTIME_DIR "
                      "to a shorter one",
                      err);
}

/* What the switch calls ------------------------------------------------------------------------ */

bool switch_peers_open(struct net_switch *sw, GError **err)
{
    sw->lock_fd = sw->listen_fd = -1;
    sw->read = read_new();
    return place_find(sw, err) && peers_seek(sw, err);
}

static void wait_until(struct net_poll *poll, int64_t us)
{
    int64_t left = us - g_get_monotonic_time();

    net_poll_within(poll, MAX(0, (left + 999) / 1000));
}

static int64_t peer_deadline(const struct switch_link *l)
{
    return l->since + (l->sw->role == SWITCH_LISTENS ? SWITCH_HELLO_US : SWITCH_WELCOME_US);
}

static void peer_prepare(struct switch_link *l, struct net_poll *poll)
{
    short events = l->out.frames && l->greeted ? POLLOUT : 0;

    if (!l->greeted) {
        wait_until(poll, peer_deadline(l));
        events |= POLLIN;
    } else if (!switch_must_hold(l->sw, l->index)) {
        events |= POLLIN;
    }
    l->polled = net_poll_add(poll, l->fd, events);
}

void switch_peers_prepare(struct net_switch *sw, struct net_poll *poll)
{
    sw->listen_polled = NOT_POLLED;
    if (sw->role == SWITCH_SEEKS) {
        wait_until(poll, sw->seek_at);
    } else if (sw->role == SWITCH_LISTENS) {
        wait_until(poll, sw->check_at);
        if (sw->now >= sw->accept_at) {
            sw->listen_polled = net_poll_add(poll, sw->listen_fd, POLLIN);
        } else {
            wait_until(poll, sw->accept_at);
        }
    }
    for (unsigned i = SWITCH_FIRST_PEER; i < SWITCH_LINKS; i++) {
        if (sw->link[i].fd >= 0) {
            peer_prepare(&sw->link[i], poll);
        }
    }
}

static void peer_dispatch(struct switch_link *l, const struct net_poll *poll)
{
    short found = net_poll_revents(poll, l->polled);
    bool gone = found & (POLLHUP | POLLERR);

    if (found & POLLOUT) {
        peer_flush(l);
    }
    if (l->fd >= 0 && (found & POLLIN || gone)) {
        peer_read(l, gone);
    }
    if (l->fd >= 0 && !l->greeted && l->sw->now > peer_deadline(l)) {
        peer_refuse(l, "does not answer");
    }
}

void switch_peers_dispatch(struct net_switch *sw, const struct net_poll *poll)
{
    for (unsigned i = SWITCH_FIRST_PEER; i < SWITCH_LINKS; i++) {
        if (sw->link[i].fd >= 0) {
            peer_dispatch(&sw->link[i], poll);
        }
    }
    switch_peers_flush(sw);
    if (sw->role == SWITCH_LISTENS) {
        if (net_poll_revents(poll, sw->listen_polled)) {
            peers_accept(sw);
        }
        place_check(sw);
    }
    if (sw->role == SWITCH_SEEKS) {
        peers_seek_again(sw);
    }
}

static void peer_info(struct switch_link *l, bool listens, GString *out)
{
    if (l->fd < 0) {
        return;
    }
    g_string_append_printf(out, "  process %d%s", l->pid, listens ? "" : ", which has the socket");
    if (!l->greeted) {
        g_string_append(out, ", does not answer yet");
    }
    if (l->out.frames) {
        g_string_append_printf(out, ", %u frames wait", l->out.frames);
    }
    if (l->lost) {
        g_string_append_printf(out, ", %" G_GUINT64_FORMAT " lost (it did not take them)", l->lost);
    }
    g_string_append_c(out, '\n');
}

void switch_peers_info(struct net_switch *sw, GString *out)
{
    static const char *const roles[] = {"looks for the other processes at", "joined to",
                                        "has the socket"};

    g_string_append_printf(out, "  %s %s\n", roles[sw->role], sw->socket_path);
    for (unsigned i = SWITCH_FIRST_PEER; i < SWITCH_LINKS; i++) {
        peer_info(&sw->link[i], sw->role == SWITCH_LISTENS, out);
    }
}

void switch_peers_close(struct net_switch *sw)
{
    peers_disconnect(sw);
    place_leave(sw);
    g_free(sw->socket_path);
    g_free(sw->lock_path);
    g_free(sw->read);
}
