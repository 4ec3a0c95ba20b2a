/*
 * A TAP interface of the host (Linux, Documentation/networking/tuntap.rst): what the guest sends
 * comes in at the interface, what the host sends there goes to the guest.  The interface may exist
 * (made by `ip tuntap add`, for a user who may not make one), or is made and goes with the process.
 *
 * Frames are read while the card has room and stay in the interface's own queue else, which is the
 * host's business.  A frame that the kernel does not take for the moment waits here, and the card
 * is asked for no more meanwhile.
 *
 * The interface is used as it is: it gets no address, joins no bridge and is not set up.  Tags of
 * VLANs are part of the frames both ways, so `ip link add link tap0 type vlan id 5` works.
 *
 * Not modelled: offloads (checksums and segments are the senders'), several queues, the guest's
 * link as carrier of the interface.
 */
#define _GNU_SOURCE
#include "ui/net_int.h"
#include "ui/nic.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAP_DEVICE "/dev/net/tun"

enum {
    TAP_READS = NET_BATCH_FRAMES, /* frames taken in a round */
    TAP_READ_MAX = NET_FRAME_MAX + 5,
    TAP_NOT_POLLED = 0xffffffff,
};

struct tap {
    int fd; /* -1: the interface is gone */
    char name[IFNAMSIZ];
    unsigned polled;
    struct net_queue out; /* frames the kernel did not take yet */
    int64_t waits_since;  /* the head of it */
    bool told_down;
    uint64_t refused;
    int last_error; /* of the refused */
    uint8_t buf[TAP_READ_MAX];
};

/* The interface ------------------------------------------------------------------------------- */

static bool tap_fail(const char *name, GError **err, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool tap_fail(const char *name, GError **err, const char *format, ...)
{
    g_autofree char *why = NULL;
    va_list args;

    va_start(args, format);
    why = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "tap %s: %s", name, why);
    return false;
}

/* Why there is no /dev/net/tun for us. */
static bool tap_fail_device(const char *name, GError **err)
{
    int error = errno;
    const char *remedy = "";

    if (error == ENOENT || error == ENODEV || error == ENXIO) {
        remedy = "; load its module: sudo modprobe tun";
    } else if (error == EACCES || error == EPERM) {
        remedy = "; let users open it: sudo chmod 666 " TAP_DEVICE;
    }
    return tap_fail(name, err, TAP_DEVICE ": %s%s", g_strerror(error), remedy);
}

/* Why the interface is not for us. */
static bool tap_fail_interface(const char *name, GError **err)
{
    int error = errno;

    switch (error) {
    case EPERM:
    case EACCES:
        if (if_nametoindex(name)) {
            return tap_fail(name, err,
                            "the interface belongs to another user; make one of your own: sudo ip "
                            "tuntap add dev NAME mode tap user $USER");
        }
        return tap_fail(name, err,
                        "there is no such interface, and only root can make one: sudo ip tuntap "
                        "add dev %s mode tap user $USER",
                        name);
    case EBUSY:
        return tap_fail(name, err, "another program uses the interface; give each its own");
    case EINVAL:
        return tap_fail(name, err,
                        "there is an interface of this name that is no TAP interface with one "
                        "queue; give another name");
    default:
        return tap_fail(name, err, "%s", g_strerror(error));
    }
}

/* Flags (IFF_UP) or MTU of an interface; -1: it cannot be told. */
static int tap_ask(const char *name, unsigned long request)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), answer = -1;
    struct ifreq req = {0};

    if (fd < 0) {
        return -1;
    }
    g_strlcpy(req.ifr_name, name, sizeof req.ifr_name);
    if (!ioctl(fd, request, &req)) {
        answer = request == SIOCGIFMTU ? req.ifr_mtu : (int)(uint16_t)req.ifr_flags;
    }
    close(fd);
    return answer;
}

static void tap_note_down(struct net_port *p, struct tap *t)
{
    if (!t->told_down) {
        t->told_down = true;
        nets_note(p->nets, "tap %s: the interface is down; bring it up: sudo ip link set %s up",
                  t->name, t->name);
    }
}

static bool tap_attach(struct tap *t, GError **err)
{
    struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};

    t->fd = open(TAP_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0) {
        return tap_fail_device(t->name, err);
    }
    g_strlcpy(req.ifr_name, t->name, sizeof req.ifr_name);
    return !ioctl(t->fd, TUNSETIFF, &req) || tap_fail_interface(t->name, err);
}

static void tap_free(struct tap *t)
{
    if (t->fd >= 0) {
        close(t->fd);
    }
    net_queue_clear(&t->out);
    g_free(t);
}

static bool tap_open(struct net_port *p, GError **err)
{
    const char *name = p->config->name ? p->config->name : "";
    struct tap *t;
    int flags;

    if (!nic_ifname_is_valid(name)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "tap '%s': the name of an interface has 1 to %d characters, none of them '/', "
                    "':', '%%' or a blank",
                    name, IFNAMSIZ - 1);
        return false;
    }
    t = g_new0(struct tap, 1);
    g_strlcpy(t->name, name, sizeof t->name);
    if (!tap_attach(t, err)) {
        tap_free(t);
        return false;
    }
    p->peer = t;
    flags = tap_ask(t->name, SIOCGIFFLAGS);
    if (flags >= 0 && !(flags & IFF_UP)) {
        tap_note_down(p, t);
    }
    return true;
}

static void tap_close(struct net_port *p)
{
    tap_free(p->peer);
    p->peer = NULL;
}

/* Somebody deleted the interface; nothing comes or goes any more. */
static void tap_lose(struct net_port *p, struct tap *t)
{
    close(t->fd);
    t->fd = -1;
    net_queue_clear(&t->out);
    nets_note(p->nets, "tap %s: the interface is gone; %s has no network any more", t->name,
              p->net.id);
}

/* From the guest ------------------------------------------------------------------------------- */

/* A frame that the host does not take: counted, and not tried again. */
static void tap_refuse(struct net_port *p, struct tap *t, int error)
{
    net_drop(&p->net, NET_DROP_HOST);
    t->refused++;
    t->last_error = error;
    if (error == EIO) {
        tap_note_down(p, t);
    } else if (error == EBADFD && t->fd >= 0) {
        tap_lose(p, t);
    }
}

/* Whether the frame is dealt with; else the kernel takes it later. */
static bool tap_write(struct net_port *p, struct tap *t, const uint8_t *frame, size_t len)
{
    ssize_t n;

    do {
        n = write(t->fd, frame, len);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        t->told_down = false; /* it is up: when it goes down again, that is news */
    } else if (errno == EAGAIN) {
        return false;
    } else {
        tap_refuse(p, t, errno);
    }
    return true;
}

static void tap_send(struct net_port *p, const uint8_t *frame, size_t len)
{
    struct tap *t = p->peer;

    if (t->fd < 0) {
        tap_refuse(p, t, EBADFD);
        return;
    }
    if (!t->out.frames) {
        if (tap_write(p, t, frame, len)) {
            return;
        }
        t->waits_since = g_get_monotonic_time();
    }
    if (!net_queue_push(&t->out, frame, (uint32_t)len)) {
        tap_refuse(p, t, ENOBUFS);
    }
}

/* Write what waits.  What an interface does not take for too long (it went down) is given up, so
 * that the guest's card does not hang. */
static void tap_catch_up(struct net_port *p, struct tap *t)
{
    const uint8_t *frame;
    uint32_t len;

    while (t->fd >= 0 && (frame = net_queue_head(&t->out, &len)) != NULL) {
        int64_t now = g_get_monotonic_time();

        if (!tap_write(p, t, frame, len)) {
            if (now - t->waits_since < NET_STUCK_MS * G_TIME_SPAN_MILLISECOND) {
                return;
            }
            tap_refuse(p, t, EAGAIN);
        } else {
            t->waits_since = now;
        }
        net_queue_pop(&t->out);
    }
}

static bool tap_can_send(struct net_port *p)
{
    return !((struct tap *)p->peer)->out.frames;
}

/* To the guest --------------------------------------------------------------------------------- */

static void tap_prepare(struct net_port *p, struct net_poll *poll)
{
    struct tap *t = p->peer;
    short events = net_port_has_room(p) ? POLLIN : 0;

    t->polled = TAP_NOT_POLLED;
    if (t->fd < 0) {
        return;
    }
    if (t->out.frames) {
        events |= POLLOUT;
        net_poll_within(poll, NET_STUCK_MS);
    }
    t->polled = net_poll_add(poll, t->fd, events);
}

static void tap_read(struct net_port *p, struct tap *t)
{
    for (unsigned i = 0; i < TAP_READS && net_port_has_room(p); i++) {
        ssize_t n = read(t->fd, t->buf, sizeof t->buf);

        if (n > 0) {
            net_port_input(p, t->buf, (size_t)n);
        } else if (n < 0 && errno == EBADFD) {
            tap_lose(p, t);
            return;
        } else if (!n || errno != EINTR) {
            return;
        }
    }
}

static void tap_dispatch(struct net_port *p, const struct net_poll *poll)
{
    struct tap *t = p->peer;
    short found = net_poll_revents(poll, t->polled);

    tap_catch_up(p, t);
    if (t->fd < 0) {
        return;
    }
    if (found & POLLERR) {
        /* Only an interface that was deleted has this, whoever has room. */
        if (read(t->fd, t->buf, sizeof t->buf) < 0 && errno == EBADFD) {
            tap_lose(p, t);
        }
    } else if (found & POLLIN) {
        tap_read(p, t);
    }
}

static void tap_info(struct net_port *p, GString *out)
{
    struct tap *t = p->peer;
    int flags, mtu;

    if (!t) {
        return;
    }
    flags = tap_ask(t->name, SIOCGIFFLAGS);
    mtu = tap_ask(t->name, SIOCGIFMTU);
    if (t->fd < 0 || flags < 0) {
        g_string_append_printf(out, "  interface %s: gone\n", t->name);
    } else {
        g_string_append_printf(out, "  interface %s: %s, MTU %d\n", t->name,
                               flags & IFF_UP ? "up" : "down", mtu);
    }
    if (t->out.frames) {
        g_string_append_printf(out, "  %u frames wait for it\n", t->out.frames);
    }
    if (t->refused) {
        g_string_append_printf(out,
                               "  it refused %" G_GUINT64_FORMAT " frames, the last with: %s\n",
                               t->refused, g_strerror(t->last_error));
    }
}

const struct net_peer_ops net_tap_ops = {
    .name = "tap",
    .open = tap_open,
    .prepare = tap_prepare,
    .dispatch = tap_dispatch,
    .can_send = tap_can_send,
    .send = tap_send,
    .info = tap_info,
    .close = tap_close,
};
