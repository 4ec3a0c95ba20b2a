/*
 * The `user` peer: a private network behind address translation, made by libslirp in the net
 * thread.  The guest gets its address by DHCP, reaches the host's network through sockets of this
 * process, and is reached through the ports that are forwarded to it.
 *
 * Facts: libslirp's header.  libslirp keeps the clock of its last poll and the host's name servers
 * in globals of its own; machines of one process share those, and all give it one clock.  It writes
 * to sockets whose peer may be gone: the process has to ignore SIGPIPE.
 *
 * Not modelled: VLANs (tagged frames are counted and dropped), frames longer than an Ethernet
 * frame, answers to anything but ARP, IPv4 and IPv6.
 */
#include "ui/net_slirp.h"
#include "ui/chr_int.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <slirp/libslirp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SLIRP_MTU = 1500,
    TYPE_IPV4 = 0x0800,
    TYPE_IPV6 = 0x86dd,
    ACKS_MERGED = 8,
    TCP_FIN = 1,
    BARE_ACK = 16,
    BACKLOG = 128, /* connections that wait for the guest */
    SOCKETS_MIN = 64,
    SOCKETS_MAX = 1024,
};

/* libslirp's view of the outside ----------------------------------------------------------------
 */

/* Where the ports are in a frame that does nothing but acknowledge; 0: it is none. */
static size_t slirp_bare_ack(const uint8_t *f, size_t len)
{
    size_t at = 0;

    if (len == NET_HEADER + 40 && ld_be16(f + 12) == TYPE_IPV4 && f[14] == 0x45 &&
        f[23] == GUARD_TCP) {
        at = NET_HEADER + 20;
    } else if (len == NET_HEADER + 60 && ld_be16(f + 12) == TYPE_IPV6 && f[20] == GUARD_TCP) {
        at = NET_HEADER + 40;
    }
    return at && f[at + 12] >> 4 == 5 && f[at + 13] == BARE_ACK ? at : 0;
}

/* Whether the later of two bare acknowledgements says all that the earlier does. */
static bool slirp_ack_covers(const uint8_t *later, const uint8_t *earlier, size_t at)
{
    size_t addresses = at == NET_HEADER + 20 ? 8 : 32;

    return !memcmp(later, earlier, NET_HEADER) &&
           !memcmp(later + at - addresses, earlier + at - addresses, addresses + 8) &&
           (int32_t)(ld_be32(later + at + 8) - ld_be32(earlier + at + 8)) > 0;
}

static void net_slirp_release_ack(struct net_slirp *n)
{
    if (n->ack_len) {
        net_port_input(n->port, n->ack, n->ack_len);
        n->ack_len = 0;
    }
}

/*
 * libslirp acknowledges each segment on its own.  While a batch of the guest's comes in, an
 * acknowledgement waits for the next one, which says the same and more: the guest has fewer frames
 * to handle.  Some are left, as senders count them.
 */
static bool net_slirp_hold_ack(struct net_slirp *n, const uint8_t *frame, size_t len)
{
    size_t at = n->sending ? slirp_bare_ack(frame, len) : 0;

    if (at && n->ack_len == len && n->acks < ACKS_MERGED && slirp_ack_covers(frame, n->ack, at)) {
        n->acks++;
    } else {
        net_slirp_release_ack(n);
        n->acks = 1;
    }
    if (at) {
        memcpy(n->ack, frame, len);
        n->ack_len = len;
    }
    return at;
}

static ssize_t slirp_cb_send(const void *frame, size_t len, void *opaque)
{
    struct net_slirp *n = opaque;

    net_guard_learn(&n->guard, frame, len);
    if (!net_slirp_hold_ack(n, frame, len)) {
        net_port_input(n->port, frame, len);
    }
    return (ssize_t)len;
}

/* What the guest did wrong: there is no end of it if the guest wants, so it is counted only. */
static void slirp_cb_guest_error(const char *text, void *opaque)
{
    struct net_slirp *n = opaque;

    (void)text;
    n->guest_errors++;
}

static int64_t slirp_cb_clock(void *opaque)
{
    (void)opaque;
    return g_get_monotonic_time() * NS_PER_US;
}

static void *slirp_cb_timer_new(SlirpTimerId id, void *arg, void *opaque)
{
    struct net_slirp *n = opaque;
    struct net_slirp_timer *t = g_new0(struct net_slirp_timer, 1);

    *t = (struct net_slirp_timer){.id = id, .arg = arg, .due = -1};
    g_ptr_array_add(n->timers, t);
    return t;
}

static void slirp_cb_timer_free(void *timer, void *opaque)
{
    struct net_slirp *n = opaque;

    g_ptr_array_remove(n->timers, timer);
}

static void slirp_cb_timer_mod(void *timer, int64_t due, void *opaque)
{
    struct net_slirp_timer *t = timer;

    (void)opaque;
    t->due = due;
}

/*
 * libslirp writes each of the guest's segments to the socket on its own, which then leaves as a
 * packet and wakes whoever reads it: dear where that is a process of this host.  So the kernel is
 * told to hold partial packets back until the guest's batch is over.  Which sockets have something
 * is not known; so it is done for a few, and those are all told to go on.
 */
static void net_slirp_cork(struct net_slirp *n, int fd)
{
    int protocol = 0, on = 1;
    socklen_t size = sizeof protocol;

    if (n->corked < CORKED_MAX && !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) &&
        protocol == IPPROTO_TCP && !setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on)) {
        n->cork[n->corked++] = fd;
    }
}

static void net_slirp_uncork(struct net_slirp *n, int fd)
{
    for (unsigned i = 0; i < n->corked; i++) {
        if (n->cork[i] == fd) {
            n->cork[i] = n->cork[--n->corked];
        }
    }
}

/* Let go what is held back; the cork stays. */
static void net_slirp_push(struct net_slirp *n)
{
    int on = 1;

    for (unsigned i = 0; i < n->corked && n->written; i++) {
        setsockopt(n->cork[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    n->written = false;
}

/* Sockets are counted, so that a guest cannot use up the process's descriptors.  libslirp does not
 * tell of those that listen, but of their end. */
static void slirp_cb_register(int fd, void *opaque)
{
    struct net_slirp *n = opaque;

    if (fd >= 0) {
        if ((unsigned)fd >= n->known->len) {
            g_array_set_size(n->known, (unsigned)fd + 1);
        }
        if (!g_array_index(n->known, uint8_t, fd)) {
            n->sockets++;
            net_slirp_cork(n, fd);
        }
        g_array_index(n->known, uint8_t, fd) = 1;
    }
}

static bool net_slirp_knows(const struct net_slirp *n, int fd)
{
    return fd >= 0 && (unsigned)fd < n->known->len && g_array_index(n->known, uint8_t, fd);
}

static void slirp_cb_unregister(int fd, void *opaque)
{
    struct net_slirp *n = opaque;

    if (net_slirp_knows(n, fd)) {
        g_array_index(n->known, uint8_t, fd) = 0;
        net_slirp_uncork(n, fd);
        n->sockets--;
    }
}

static bool net_slirp_may_open(const struct net_slirp *n)
{
    return n->sockets < n->sockets_max;
}

/* The thread looks at everything after each call, and whoever else calls libslirp wakes it. */
static void slirp_cb_notify(void *opaque)
{
    (void)opaque;
}

static const SlirpCb slirp_callbacks = {
    .send_packet = slirp_cb_send,
    .guest_error = slirp_cb_guest_error,
    .clock_get_ns = slirp_cb_clock,
    .timer_new_opaque = slirp_cb_timer_new,
    .timer_free = slirp_cb_timer_free,
    .timer_mod = slirp_cb_timer_mod,
    .register_poll_fd = slirp_cb_register,
    .unregister_poll_fd = slirp_cb_unregister,
    .notify = slirp_cb_notify,
};

/* Waiting -------------------------------------------------------------------------------------- */

static short slirp_to_poll(int events)
{
    return (short)((events & SLIRP_POLL_IN ? POLLIN : 0) | (events & SLIRP_POLL_OUT ? POLLOUT : 0) |
                   (events & SLIRP_POLL_PRI ? POLLPRI : 0));
}

/* Without room for the guest's frames sockets are written to only, without descriptors left none
 * that listens is looked at: what cannot be accepted would keep the thread awake. */
static int slirp_add_poll(int fd, int events, void *opaque)
{
    struct net_slirp *n = opaque;

    if (!net_slirp_knows(n, fd)) {
        if (!net_slirp_may_open(n)) {
            return -1;
        }
        if (n->backlog_due) {
            listen(fd, BACKLOG); /* libslirp lets one wait; nothing happens to UDP */
        }
    }
    if (!n->has_room) {
        events &= SLIRP_POLL_OUT;
        if (!events) {
            return -1;
        }
    }
    return (int)net_poll_add(n->poll, fd, slirp_to_poll(events));
}

static int slirp_get_revents(int index, void *opaque)
{
    struct net_slirp *n = opaque;
    short got = index < 0 ? 0 : net_poll_revents(n->polled, (unsigned)index);

    n->written |= (got & POLLOUT) != 0;
    if (!n->has_room) {
        /* Errors are found by writing; they would not let the thread sleep else. */
        return got ? SLIRP_POLL_OUT : 0;
    }
    return (got & POLLIN ? SLIRP_POLL_IN : 0) | (got & POLLOUT ? SLIRP_POLL_OUT : 0) |
           (got & POLLPRI ? SLIRP_POLL_PRI : 0) | (got & POLLHUP ? SLIRP_POLL_HUP : 0) |
           (got & (POLLERR | POLLNVAL) ? SLIRP_POLL_ERR : 0);
}

static void net_slirp_prepare(struct net_port *p, struct net_poll *poll)
{
    struct net_slirp *n = p->peer;
    int64_t now = g_get_monotonic_time() / 1000;
    uint32_t timeout = UINT32_MAX;

    n->has_room = net_port_has_room(p);
    n->poll = poll;
    slirp_pollfds_fill(n->slirp, &timeout, slirp_add_poll, n);
    n->poll = NULL;
    n->backlog_due = false;
    if (timeout != UINT32_MAX) {
        net_poll_within(poll, timeout);
    }
    for (unsigned i = 0; i < n->timers->len; i++) {
        const struct net_slirp_timer *t = g_ptr_array_index(n->timers, i);

        if (t->due >= 0) {
            net_poll_within(poll, t->due - now);
        }
    }
}

static void net_slirp_dispatch(struct net_port *p, const struct net_poll *poll)
{
    struct net_slirp *n = p->peer;
    int64_t now = g_get_monotonic_time() / 1000;

    /* The room is what it was when the descriptors were chosen: libslirp takes it ill when it is
     * told of what it has not asked for. */
    n->polled = poll;
    slirp_pollfds_poll(n->slirp, 0, slirp_get_revents, n);
    n->polled = NULL;
    net_slirp_push(n);
    for (unsigned i = 0; i < n->timers->len; i++) {
        struct net_slirp_timer *t = g_ptr_array_index(n->timers, i);

        if (t->due >= 0 && t->due <= now) {
            t->due = -1;
            slirp_handle_timer(n->slirp, (SlirpTimerId)t->id, t->arg);
        }
    }
}

/* From the guest ------------------------------------------------------------------------------- */

/* Whether libslirp will have something for a socket: data, or the end of it. */
static bool slirp_has_data(const struct guarded *p)
{
    const uint8_t *tcp = p->frame + p->at;

    return p->proto == GUARD_TCP && (tcp[13] & TCP_FIN || p->size > (tcp[12] >> 4) * 4u);
}

static void net_slirp_send(struct net_port *p, const uint8_t *frame, size_t len)
{
    struct net_slirp *n = p->peer;
    struct guarded pass;
    bool waits = false;

    if (len > NET_HEADER + SLIRP_MTU) {
        net_drop(&p->net, NET_DROP_MALFORMED);
    } else if (net_guard_check(&n->guard, frame, len, net_slirp_may_open(n), &pass, &waits)) {
        n->sending = true;
        n->written |= slirp_has_data(&pass);
        slirp_input(n->slirp, pass.frame, (int)pass.len);
        n->sending = false;
    } else if (!waits) {
        net_drop(&p->net, pass.why);
    }
}

static void net_slirp_flush(struct net_port *p)
{
    net_slirp_release_ack(p->peer);
    net_slirp_push(p->peer);
}

/* Forwards ------------------------------------------------------------------------------------- */

/* An address as sockets want it; returns the size. */
static socklen_t slirp_address(struct sockaddr_storage *to, bool ipv6, struct in_addr address,
                               const struct in6_addr *address6, uint16_t port)
{
    memset(to, 0, sizeof *to);
    if (ipv6) {
        *(struct sockaddr_in6 *)to = (struct sockaddr_in6){
            .sin6_family = AF_INET6,
            .sin6_addr = *address6,
            .sin6_port = htons(port),
        };
        return sizeof(struct sockaddr_in6);
    }
    *(struct sockaddr_in *)to = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_addr = address,
        .sin_port = htons(port),
    };
    return sizeof(struct sockaddr_in);
}

/* The host's end as libslirp wants it; returns the size. */
static socklen_t net_slirp_host_address(const struct net_forward *f, struct sockaddr_storage *host)
{
    memset(host, 0, sizeof *host);
    if (f->kind == NET_FORWARD_UNIX) {
        struct sockaddr_un *un = (struct sockaddr_un *)host;

        un->sun_family = AF_UNIX;
        g_strlcpy(un->sun_path, f->path, sizeof un->sun_path);
        return sizeof *un;
    }
    return slirp_address(host, f->ipv6, f->host, &f->host6, f->host_port);
}

/* The guest's; without one, the one that a card makes of its MAC (RFC 4291, appendix A). */
static socklen_t net_slirp_guest_address(const struct net_slirp *n, const struct net_forward *f,
                                         struct sockaddr_storage *guest)
{
    const uint8_t *mac = n->port->config->mac;
    struct in6_addr a = f->guest6;

    if (IN6_IS_ADDR_UNSPECIFIED(&a)) {
        a = net_plan_prefix6;
        memcpy(a.s6_addr + 8, mac, 3);
        a.s6_addr[8] ^= 2;
        a.s6_addr[11] = 0xff;
        a.s6_addr[12] = 0xfe;
        memcpy(a.s6_addr + 13, mac + 3, 3);
    }
    return slirp_address(guest, f->ipv6, f->guest, &a, f->guest_port);
}

/* UDP sockets of libslirp share their port with whoever has it: see whether it is free. */
static bool net_slirp_is_taken(const struct sockaddr_storage *host, socklen_t size)
{
    int fd = socket(host->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    bool taken;

    if (fd < 0) {
        return false;
    }
    if (host->ss_family == AF_INET6) { /* as libslirp does */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    taken = bind(fd, (const struct sockaddr *)host, size) < 0 && errno == EADDRINUSE;
    close(fd);
    if (taken) {
        errno = EADDRINUSE;
    }
    return taken;
}

static bool net_slirp_listen(struct net_slirp *n, const struct net_forward *f)
{
    struct sockaddr_storage host, guest;
    socklen_t size = net_slirp_host_address(f, &host);
    socklen_t guest_size = net_slirp_guest_address(n, f, &guest);
    bool udp = f->kind == NET_FORWARD_UDP;

    if (f->kind == NET_FORWARD_UNIX) {
        chr_remove_stale_socket((const struct sockaddr_un *)&host);
    } else if (udp && net_slirp_is_taken(&host, size)) {
        return false;
    }
    return slirp_add_hostxfwd(n->slirp, (const struct sockaddr *)&host, size,
                              (const struct sockaddr *)&guest, guest_size,
                              (udp ? SLIRP_HOSTFWD_UDP : 0) |
                                  (f->ipv6 ? SLIRP_HOSTFWD_V6ONLY : 0)) == 0;
}

bool net_slirp_add_forward(struct net_slirp *n, const struct net_forward *f, GError **err)
{
    int error = ENOSPC;

    if (n->forwards->len < NIC_MAX_FORWARDS) {
        if (net_slirp_listen(n, f)) {
            if (f->kind == NET_FORWARD_UNIX) {
                chmod(f->path, 0600); /* as ui/chr_open.c does */
            }
            n->backlog_due = true;
            g_array_append_val(n->forwards, *f);
            return true;
        }
        error = errno;
    }
    g_autofree char *text = net_forward_text(f);
    const char *why =
        error == EACCES && f->kind != NET_FORWARD_UNIX ? " (ports below 1024 are for root)" : "";

    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "%s: cannot listen there: %s%s", text,
                error == ENOSPC ? "there are too many forwards" : g_strerror(error), why);
    return false;
}

static void net_slirp_unlisten(struct net_slirp *n, const struct net_forward *f)
{
    struct sockaddr_storage host;
    socklen_t size = net_slirp_host_address(f, &host);

    slirp_remove_hostxfwd(n->slirp, (const struct sockaddr *)&host, size,
                          f->kind == NET_FORWARD_UDP ? SLIRP_HOSTFWD_UDP : 0);
    if (f->kind == NET_FORWARD_UNIX) {
        unlink(f->path);
    }
}

bool net_slirp_remove_forward(struct net_slirp *n, const struct net_forward *f, GError **err)
{
    for (unsigned i = 0; i < n->forwards->len; i++) {
        const struct net_forward *have = &g_array_index(n->forwards, struct net_forward, i);

        if (net_forward_same_host(have, f)) {
            net_slirp_unlisten(n, f);
            g_array_remove_index(n->forwards, i);
            return true;
        }
    }
    g_autofree char *text = net_forward_host_text(f);

    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG, "%s: there is no such forward", text);
    return false;
}

/* Beginning and end ---------------------------------------------------------------------------- */

/* libslirp's own messages are about what the guest sends, and the guest could send without end. */
static void slirp_log(const char *domain, GLogLevelFlags level, const char *text, gpointer data)
{
    (void)domain;
    (void)level;
    (void)text;
    (void)data;
}

/* A part of the process's descriptors for each network, so that they all leave some. */
static unsigned net_slirp_budget(const struct nets *s)
{
    unsigned parts = 2 * MAX(s->count, 1u);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit)) {
        return SOCKETS_MIN;
    }
    return (unsigned)CLAMP(limit.rlim_cur / parts, (rlim_t)SOCKETS_MIN, (rlim_t)SOCKETS_MAX);
}

static bool net_slirp_forward_all(struct net_slirp *n, const struct nic_user_config *c,
                                  GError **err)
{
    struct net_forward f;

    for (unsigned i = 0; i < NIC_MAX_FORWARDS && c->forward[i]; i++) {
        if (!net_forward_parse(c->forward[i], &f, err) || !net_slirp_add_forward(n, &f, err)) {
            g_prefix_error(err, "hostfwd=");
            return false;
        }
    }
    return true;
}

static void net_slirp_close(struct net_port *p)
{
    struct net_slirp *n = p->peer;

    while (n->forwards->len) {
        net_slirp_unlisten(n, &g_array_index(n->forwards, struct net_forward, 0));
        g_array_remove_index(n->forwards, 0);
    }
    if (n->slirp) {
        slirp_cleanup(n->slirp);
        g_log_remove_handler("Slirp", n->log);
    }
    g_ptr_array_free(n->timers, TRUE);
    g_array_free(n->forwards, TRUE);
    g_array_free(n->known, TRUE);
    net_guard_fini(&n->guard);
    g_free(n);
    p->peer = NULL;
}

static Slirp *net_slirp_make(struct net_slirp *n, const struct nic_user_config *c)
{
    const struct net_plan *plan = &n->plan;
    SlirpConfig config = {
        .version = 4,
        .restricted = c->restricted,
        .in_enabled = true,
        .vnetwork = plan->network,
        .vnetmask = plan->mask,
        .vhost = plan->host,
        .in6_enabled = plan->ipv6,
        .vprefix_addr6 = net_plan_prefix6,
        .vprefix_len = 64,
        .vhost6 = net_plan_host6,
        .vnameserver6 = net_plan_dns6,
        .vhostname = c->hostname,
        .tftp_path = c->tftp,
        .bootfile = c->bootfile,
        .vdhcp_start = plan->dhcp_start,
        .vnameserver = plan->dns,
        .vdomainname = c->domain,
        .if_mtu = SLIRP_MTU,
        .if_mru = SLIRP_MTU,
    };

    return slirp_new(&config, &slirp_callbacks, n);
}

static bool net_slirp_open(struct net_port *p, GError **err)
{
    const struct nic_user_config *c = &p->config->user;
    struct net_slirp *n;

    if (c->tftp && !g_file_test(c->tftp, G_FILE_TEST_IS_DIR)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "tftp=%s: there is no such folder",
                    c->tftp);
        return false;
    }
    n = g_new0(struct net_slirp, 1);
    n->port = p;
    n->timers = g_ptr_array_new_with_free_func(g_free);
    n->forwards = g_array_new(FALSE, FALSE, sizeof(struct net_forward));
    n->known = g_array_new(FALSE, TRUE, sizeof(uint8_t));
    n->sockets_max = net_slirp_budget(p->nets);
    net_guard_init(&n->guard, &n->plan, c->tftp);
    p->peer = n;
    if (!net_plan_make(c, &n->plan, err)) {
        net_slirp_close(p);
        return false;
    }
    n->log = g_log_set_handler("Slirp", G_LOG_LEVEL_MASK, slirp_log, NULL);
    n->slirp = net_slirp_make(n, c);
    if (!n->slirp) {
        g_log_remove_handler("Slirp", n->log);
        net_slirp_close(p);
        g_set_error_literal(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                            "libslirp could not make the network");
        return false;
    }
    if (!net_slirp_forward_all(n, c, err)) {
        net_slirp_close(p);
        return false;
    }
    return true;
}

struct net_slirp *net_slirp_of(struct net *n)
{
    struct net_port *p = (struct net_port *)n;

    return p && p->ops == &net_slirp_ops ? p->peer : NULL;
}

static void net_slirp_info(struct net_port *p, GString *out)
{
    const struct net_slirp *n = p->peer;
    char network[INET_ADDRSTRLEN], host[INET_ADDRSTRLEN], dns[INET_ADDRSTRLEN];
    char dhcp[INET_ADDRSTRLEN];

    if (!n) {
        return;
    }
    g_string_append_printf(out, "  network %s/%u, host %s, name server %s, DHCP from %s%s\n",
                           inet_ntop(AF_INET, &n->plan.network, network, sizeof network),
                           (unsigned)__builtin_popcount(n->plan.mask.s_addr),
                           inet_ntop(AF_INET, &n->plan.host, host, sizeof host),
                           inet_ntop(AF_INET, &n->plan.dns, dns, sizeof dns),
                           inet_ntop(AF_INET, &n->plan.dhcp_start, dhcp, sizeof dhcp),
                           p->config->user.restricted ? "; restricted" : "");
    for (unsigned i = 0; i < n->forwards->len; i++) {
        g_autofree char *text =
            net_forward_text(&g_array_index(n->forwards, struct net_forward, i));

        g_string_append_printf(out, "  forward %s\n", text);
    }
    g_string_append_printf(out, "  %u of %u sockets, %" G_GUINT64_FORMAT " errors of the guest\n",
                           n->sockets, n->sockets_max, n->guest_errors);
}

const struct net_peer_ops net_slirp_ops = {
    .name = "user",
    .open = net_slirp_open,
    .prepare = net_slirp_prepare,
    .dispatch = net_slirp_dispatch,
    .send = net_slirp_send,
    .flush = net_slirp_flush,
    .info = net_slirp_info,
    .close = net_slirp_close,
};
