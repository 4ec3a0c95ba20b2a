/*
 * Ports and the net thread: frames between the cards of a machine and their peers, in batches.  See
 * net_int.h for who may do what when.
 *
 * Not modelled: the speed of the wire.  Frames go as fast as both ends take them.
 */
#define _GNU_SOURCE /* ppoll */
#include "ui/net_int.h"
#include "hw/core/eventfd.h"
#include <errno.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* Who is what: a row per kind of peer. */
static const struct net_peer_ops *const net_peers[] = {
    [NIC_PEER_NONE] = NULL,
    [NIC_PEER_USER] = &net_slirp_ops,
    [NIC_PEER_SWITCH] = &net_switch_ops,
    [NIC_PEER_TAP] = &net_tap_ops,
};

/*
 * Pacing.  While frames come and go quickly and the guest has its hands full, cards are looked at
 * in intervals: more frames a batch, fewer interrupts, fewer wake-ups of this thread.  A guest that
 * waits is served at once.  So is one that gets more than it sends: what it sends is
 * acknowledgements then, and whoever sends to it waits for them, with the window full.
 */
enum {
    PACE_NS = 100000,
    PACE_WINDOW_NS = 1000000,
    PACE_FRAMES = 20, /* in a window: quickly */
};

enum { LOST_AT_ONCE = 65536 };

/* A held machine takes and gives nothing; how often it is looked at meanwhile, in ms. */
enum { HELD_POLL_MS = 50 };

void nets_note(struct nets *s, const char *format, ...)
{
    va_list args;

    if (s->note) {
        g_autofree char *text = NULL;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        s->note(text);
    }
}

/* Waiting -------------------------------------------------------------------------------------- */

unsigned net_poll_add(struct net_poll *poll, int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    g_array_append_val(poll->fds, p);
    return poll->fds->len - 1;
}

void net_poll_within(struct net_poll *poll, int64_t ms)
{
    ms = CLAMP(ms, 0, INT_MAX);
    if (poll->timeout < 0 || ms < poll->timeout) {
        poll->timeout = (int)ms;
    }
}

short net_poll_revents(const struct net_poll *poll, unsigned index)
{
    return index < poll->fds->len ? g_array_index(poll->fds, struct pollfd, index).revents : 0;
}

void nets_wake(struct nets *s)
{
    if (atomic_load(&s->sleep) != NET_AWAKE) {
        fd_signal(s->wake_fd);
    }
}

/* The card's side: only the first kick since the thread last looked has to wake it. */
static void net_port_kick(struct net *n, unsigned kicks)
{
    struct net_port *p = (struct net_port *)n;
    struct nets *s = p->nets;

    if ((atomic_fetch_or(&p->kicks, kicks) & kicks) != kicks &&
        (atomic_load(&s->sleep) != NET_PACING || atomic_load(&s->pace.inbound))) {
        nets_wake(s);
    }
}

/* A vCPU sleeps: if all do, the guest waits. */
static void nets_on_idle(void *arg)
{
    struct nets *s = arg;

    if (atomic_load(&s->sleep) == NET_PACING && machine_is_idle(s->m)) {
        nets_wake(s);
    }
}

/* To the card ---------------------------------------------------------------------------------- */

bool net_port_has_room(const struct net_port *p)
{
    return p->stuck || net_queue_bytes(&p->in) < NET_QUEUE_LOW;
}

void net_port_input(struct net_port *p, const uint8_t *frame, size_t len)
{
    uint8_t untagged[NET_FRAME_MAX + 4];
    const uint8_t *out = frame;

    if (len < NET_HEADER || len > NET_FRAME_MAX + 4) {
        net_drop(&p->net, NET_DROP_MALFORMED);
        return;
    }
    len = net_vlan_to_card(p->config, frame, len, untagged, &out);
    if (!len) {
        net_drop(&p->net, NET_DROP_VLAN);
    } else if (len > NET_FRAME_MAX) {
        net_drop(&p->net, NET_DROP_MALFORMED);
    } else if (!net_queue_push(&p->in, out, (uint32_t)len)) {
        net_drop(&p->net, NET_DROP_MISSED);
        p->lost++;
    }
}

/* A card without buffers loses the frames that waited longest, as one without this queue loses
 * all. */
static void net_port_lose(struct net_port *p)
{
    uint32_t len;

    while (net_queue_bytes(&p->in) > NET_QUEUE_LOW / 2 && net_queue_head(&p->in, &len)) {
        net_drop(&p->net, NET_DROP_MISSED);
        p->lost++;
        net_queue_pop(&p->in);
    }
}

/* Let the card count what it never saw, some of it: a flood adds up while the machine is held. Lock
 * held. */
static void net_port_tell_lost(struct net_port *p)
{
    for (unsigned n = 0; p->lost && n < LOST_AT_ONCE; n++, p->lost--) {
        if (p->net.front->missed) {
            p->net.front->missed(p->net.dev);
        }
    }
}

/* Whether its card has kept the head of the queue waiting for longer than is reasonable. */
static bool net_port_is_late(const struct net_port *p)
{
    return p->full && g_get_monotonic_time() - p->full_since > NET_STUCK_MS * 1000;
}

/* Whether net_port_deliver would get anywhere: a card that is full it can only give up, and free of
 * what waits too long. */
static bool net_port_has_input(const struct net_port *p)
{
    bool some = net_queue_bytes(&p->in) > NET_QUEUE_LOW;

    return p->lost || (p->in.frames && (!p->full || ((some || !p->stuck) && net_port_is_late(p))));
}

/* Offer the card the head of the queue; false: it keeps it waiting. */
static bool net_port_offer(struct net_port *p, const uint8_t *frame, uint32_t len)
{
    enum net_verdict verdict = NET_LOST;

    if (p->net.link) {
        verdict = p->net.front->receive(p->net.dev, frame, len);
    } else {
        net_drop(&p->net, NET_DROP_LINK);
    }
    if (verdict == NET_FULL) {
        p->full = true;
        p->full_since = g_get_monotonic_time();
        return false;
    }
    if (verdict == NET_TAKEN) {
        p->nets->pace.in += len;
        net_count(&p->net.stats.rx_frames, 1);
        net_count(&p->net.stats.rx_bytes, len);
    }
    if (p->pcap && p->net.link) {
        net_pcap_write(p->pcap, frame, len);
    }
    net_queue_pop(&p->in);
    p->stuck = false;
    return true;
}

/* Offer what waits until the card has no buffer left, a batch at most: the lock is wanted
 * elsewhere.  Gives how many frames the card is through with.  Lock held. */
static unsigned net_port_deliver(struct net_port *p)
{
    const uint8_t *frame;
    unsigned n = 0;
    uint32_t len;

    while (!p->full && n < NET_BATCH_FRAMES && (frame = net_queue_head(&p->in, &len)) != NULL &&
           net_port_offer(p, frame, len)) {
        n++;
    }
    if (n) {
        net_count(&p->net.stats.rx_batches, 1);
    } else if (net_port_is_late(p)) {
        p->stuck = true;
        net_port_lose(p);
    }
    net_port_tell_lost(p);
    return n;
}

/* From the card -------------------------------------------------------------------------------- */

/* Ask for frames, which the peer takes.  Lock held. */
static void net_port_collect(struct net_port *p)
{
    p->plugged = p->net.link;
    p->wants_tx = p->net.front->transmit(p->net.dev, p->out);
}

static void net_port_send_one(struct net_port *p, const uint8_t *frame, size_t len)
{
    uint8_t tagged[NET_FRAME_MAX + 4];
    const uint8_t *out = frame;

    if (p->pcap) {
        net_pcap_write(p->pcap, frame, len);
    }
    if (!p->plugged || !p->ops) {
        net_drop(&p->net, NET_DROP_LINK);
        return;
    }
    if (len < NET_HEADER) {
        net_drop(&p->net, NET_DROP_MALFORMED);
        return;
    }
    len = net_vlan_to_wire(p->config, frame, len, tagged, &out);
    if (!len) {
        net_drop(&p->net, NET_DROP_VLAN);
        return;
    }
    net_count(&p->net.stats.tx_frames, 1);
    net_count(&p->net.stats.tx_bytes, len);
    p->nets->pace.out += len;
    p->ops->send(p, out, len);
}

/* Hand the batch to the peer.  nets.lock held. */
static void net_port_send(struct net_port *p)
{
    struct net_batch *b = p->out;

    if (!b->count) {
        return;
    }
    net_count(&p->net.stats.tx_batches, 1);
    for (unsigned i = 0; i < b->count; i++) {
        net_port_send_one(p, b->data + b->frame[i].at, b->frame[i].len);
    }
    if (p->ops && p->ops->flush) {
        p->ops->flush(p);
    }
    b->count = b->used = 0;
}

/* The thread ----------------------------------------------------------------------------------- */

static void net_port_take_kicks(struct net_port *p)
{
    unsigned kicks = atomic_exchange(&p->kicks, 0);

    p->wants_tx |= (kicks & NET_KICK_TX) != 0;
    if (kicks & NET_KICK_RX) {
        p->full = false;
    }
}

/* Whether there is anything to do with the card now; *sends: to ask it for frames. */
static bool net_port_is_due(struct net_port *p, bool *sends)
{
    *sends = p->net.front && p->wants_tx && (!p->ops || !p->ops->can_send || p->ops->can_send(p));
    return *sends || (p->net.front && net_port_has_input(p));
}

/* Frames were moved: keep count of them by windows of time. */
static void nets_note_moved(struct nets *s, unsigned frames)
{
    struct net_pace *pace = &s->pace;

    pace->exchanged_at = clock_host_now();
    if (pace->exchanged_at - pace->window_at >= PACE_WINDOW_NS) {
        pace->dense = pace->frames >= PACE_FRAMES &&
                      pace->exchanged_at - pace->window_at < 2 * PACE_WINDOW_NS;
        atomic_store(&pace->inbound, pace->in > pace->out);
        pace->window_at = pace->exchanged_at;
        pace->frames = 0;
        pace->in = pace->out = 0;
    }
    pace->frames += frames;
}

/* Whether a card has kicked, or has frames to take. */
static bool nets_is_called(struct nets *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct net_port *p = s->ports[i];

        if (atomic_load(&p->kicks) || (p->in.frames && !p->full)) {
            return true;
        }
    }
    return false;
}

/* Whether time is to pass before the next exchange.  A list of descriptors that goes on without a
 * frame in it leads nowhere: whoever waits for the machine lock comes first. */
static bool nets_is_paced(struct nets *s)
{
    const struct net_pace *pace = &s->pace;

    if (pace->fruitless) {
        return true;
    }
    return pace->dense && !machine_is_idle(s->m) &&
           !(atomic_load(&pace->inbound) && nets_is_called(s));
}

/* Let time pass until the next exchange is due. */
static void nets_pace(struct nets *s)
{
    struct pollfd wake = {.fd = s->wake_fd, .events = POLLIN};
    int64_t left;

    /* First the word, then the look: whoever changes something does it the other way round. */
    atomic_store(&s->sleep, NET_PACING);
    atomic_thread_fence(memory_order_seq_cst);
    while (!atomic_load(&s->quit) && nets_is_paced(s) &&
           (left = s->pace.exchanged_at + PACE_NS - clock_host_now()) > 0) {
        struct timespec t = {.tv_nsec = MIN(left, PACE_NS)};

        if (ppoll(&wake, 1, &t, NULL) > 0) {
            fd_clear(s->wake_fd);
        }
    }
    atomic_store(&s->sleep, NET_AWAKE);
}

/* Frames both ways for all cards under one hold of the machine lock; nets.lock held before and
 * after, but not inside.  False: the machine is held, and its cards with it. */
static bool nets_exchange(struct nets *s)
{
    bool due[VM_MAX_NICS], sends[VM_MAX_NICS], any = false, held;
    unsigned moved = 0;

    s->pace.fruitless = false;
    for (unsigned i = 0; i < s->count; i++) {
        net_port_take_kicks(s->ports[i]);
        due[i] = net_port_is_due(s->ports[i], &sends[i]);
        any |= due[i];
    }
    if (!any) {
        return true;
    }
    g_mutex_unlock(&s->lock);
    machine_lock(s->m);
    held = machine_holds_vcpus(s->m);
    for (unsigned i = 0; i < s->count; i++) {
        if (held) {
            s->ports[i]->full_since = g_get_monotonic_time(); /* the guest cannot take any */
        } else if (due[i]) {
            moved += net_port_deliver(s->ports[i]);
            if (sends[i]) {
                net_port_collect(s->ports[i]);
            }
            moved += s->ports[i]->out->count;
            s->pace.fruitless |= sends[i] && s->ports[i]->wants_tx && !s->ports[i]->out->count;
        }
    }
    machine_unlock(s->m);
    if (moved || s->pace.fruitless) {
        nets_note_moved(s, moved);
    }
    g_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->count; i++) {
        net_port_send(s->ports[i]);
    }
    return !held;
}

/* Whether the thread must not sleep: there is something to move at once.  For a card that is full,
 * see to it that its time is up some day. */
static bool nets_is_busy(struct nets *s)
{
    bool busy = atomic_load(&s->quit), sends;

    for (unsigned i = 0; i < s->count; i++) {
        struct net_port *p = s->ports[i];

        busy |= atomic_load(&p->kicks) || net_port_is_due(p, &sends);
        if (p->full && p->in.frames && !p->stuck) {
            net_poll_within(&s->poll, NET_STUCK_MS);
        }
    }
    return busy;
}

/* Sleep until something happens; nets.lock held before and after. */
static void nets_wait(struct nets *s, bool moving)
{
    g_array_set_size(s->poll.fds, 0);
    s->poll.timeout = -1;
    net_poll_add(&s->poll, s->wake_fd, POLLIN);
    for (unsigned i = 0; i < s->count; i++) {
        if (s->ports[i]->ops) {
            s->ports[i]->ops->prepare(s->ports[i], &s->poll);
        }
        if (s->ports[i]->pcap) {
            net_pcap_flush(s->ports[i]->pcap, s);
        }
    }
    atomic_store(&s->sleep, NET_ASLEEP);
    if (!moving) {
        net_poll_within(&s->poll, HELD_POLL_MS);
    } else if (nets_is_busy(s)) {
        s->poll.timeout = 0;
    }
    g_mutex_unlock(&s->lock);
    if (poll((struct pollfd *)(void *)s->poll.fds->data, s->poll.fds->len, s->poll.timeout) < 0) {
        /* Nothing of a set that could not be waited for is ready. */
        for (unsigned i = 0; i < s->poll.fds->len; i++) {
            g_array_index(s->poll.fds, struct pollfd, i).revents = 0;
        }
    }
    atomic_store(&s->sleep, NET_AWAKE);
    g_mutex_lock(&s->lock);
    if (net_poll_revents(&s->poll, 0)) {
        fd_clear(s->wake_fd);
    }
}

static gpointer nets_thread(gpointer data)
{
    struct nets *s = data;
    bool moving = true;

    prctl(PR_SET_TIMERSLACK, 1000);
    g_mutex_lock(&s->lock);
    while (!atomic_load(&s->quit)) {
        g_mutex_unlock(&s->lock);
        nets_pace(s);
        g_mutex_lock(&s->lock);
        nets_wait(s, moving);
        for (unsigned i = 0; i < s->count; i++) {
            if (s->ports[i]->ops) {
                s->ports[i]->ops->dispatch(s->ports[i], &s->poll);
            }
        }
        moving = nets_exchange(s);
    }
    g_mutex_unlock(&s->lock);
    return NULL;
}

/* Beginning and end ---------------------------------------------------------------------------- */

static void net_port_free(struct net_port *p)
{
    if (p->ops && p->peer) {
        p->ops->close(p);
    }
    net_pcap_close(p->pcap);
    net_queue_clear(&p->in);
    g_free(p->out);
    g_free(p->net.id);
    g_free(p);
}

static struct net_port *net_port_new(struct nets *s, const struct nic_config *c)
{
    struct net_port *p = g_new0(struct net_port, 1);

    p->nets = s;
    p->config = c;
    p->net.kick = net_port_kick;
    p->net.m = s->m;
    p->net.id = g_strdup(c->id);
    p->net.link = !c->link_down && c->peer != NIC_PEER_NONE;
    memcpy(p->net.mac, c->mac, sizeof p->net.mac);
    p->ops = net_peers[c->peer];
    p->out = g_new0(struct net_batch, 1);
    return p;
}

struct nets *nets_new(struct machine *m, void (*note)(const char *text))
{
    struct nets *s = g_new0(struct nets, 1);

    s->m = m;
    s->note = note;
    s->wake_fd = -1;
    g_mutex_init(&s->lock);
    s->poll.fds = g_array_new(FALSE, TRUE, sizeof(struct pollfd));
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        if (m->config.nics[i].used) {
            s->ports[s->count] = net_port_new(s, &m->config.nics[i]);
            m->nics[i] = &s->ports[s->count++]->net;
        }
    }
    return s;
}

static bool net_port_open(struct net_port *p, GError **err)
{
    if (p->config->pcap) {
        p->pcap = net_pcap_open(p->config->pcap, err);
        if (!p->pcap) {
            return false;
        }
    }
    return !p->ops || p->ops->open(p, err);
}

bool nets_start(struct nets *s, GError **err)
{
    if (!s->count) {
        return true;
    }
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake_fd < 0) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "network: no eventfd: %s",
                    g_strerror(errno));
        return false;
    }
    for (unsigned i = 0; i < s->count; i++) {
        if (!net_port_open(s->ports[i], err)) {
            return false;
        }
    }
    s->m->on_idle_arg = s;
    s->m->on_idle = nets_on_idle;
    s->thread = g_thread_try_new("net", nets_thread, s, err);
    return s->thread != NULL;
}

void nets_stop(struct nets *s)
{
    if (!s || !s->thread) {
        return;
    }
    atomic_store(&s->quit, true);
    nets_wake(s);
    g_thread_join(s->thread);
    s->thread = NULL;
}

void nets_free(struct nets *s)
{
    if (!s) {
        return;
    }
    nets_stop(s);
    for (unsigned i = 0; i < s->count; i++) {
        net_port_free(s->ports[i]);
    }
    if (s->wake_fd >= 0) {
        close(s->wake_fd);
    }
    g_array_unref(s->poll.fds);
    g_mutex_clear(&s->lock);
    g_free(s);
}
