/*
 * What the ports (ui/net.c) and their peers (ui/net_slirp.c, net_switch.c, net_tap.c) share.
 *
 * One thread per machine, the net thread, moves all frames: it sleeps in poll() until a descriptor
 * of a peer or a card's kick wakes it, lets the peers take what came in (dispatch), then takes the
 * machine lock once to exchange frames with all cards, and hands what the guest sends to the peers
 * without that lock.
 *
 * Locks: `nets.lock` protects what the peers own.  The net thread holds it around every call of
 * struct net_peer_ops, the monitor when it looks at or changes a peer (with the machine lock held:
 * the order is machine lock first, and so the net thread never takes the machine lock while it
 * holds nets.lock).  A port's queue belongs to the net thread alone.
 *
 * Back-pressure.  To the guest: a peer reads from its descriptors only while net_port_has_room for
 * every port that may get the frames, so that TCP on the host waits in the host's socket; what it
 * has read all the same is queued up to NET_QUEUE_MAX.  A card that takes nothing for NET_STUCK_MS
 * counts as having room: it loses frames, and nobody waits for it.  From the guest: a card is asked
 * for frames only while its peer can_send.
 */
#ifndef CANDELA_UI_NET_INT_H
#define CANDELA_UI_NET_INT_H

#include "ui/net.h"
#include <poll.h>

enum {
    NET_QUEUE_LOW = 256 * 1024,      /* bytes for a card from which on peers hold back */
    NET_QUEUE_MAX = 4 * 1024 * 1024, /* beyond this they are lost */
    NET_STUCK_MS = 500,
};

struct net_port;

/* What the thread waits for, built anew every round. */
struct net_poll {
    GArray *fds; /* struct pollfd */
    int timeout; /* ms; -1: none.  Peers lower it with net_poll_within */
};
/* Wait for events on a descriptor as well; returns its index. */
unsigned net_poll_add(struct net_poll *poll, int fd, short events);
/* Come back in `ms` at the latest. */
void net_poll_within(struct net_poll *poll, int64_t ms);
/* What poll() found at an index of this round. */
short net_poll_revents(const struct net_poll *poll, unsigned index);

/*
 * One kind of peer.  All calls but open and close come from the net thread with nets.lock held.
 * Descriptors are non-blocking: no call may wait.
 */
struct net_peer_ops {
    const char *name; /* "user" */
    /* Set p->peer.  FILE or CONFIG error that starts with what could not be opened. */
    bool (*open)(struct net_port *p, GError **err);
    /* Say what to wait for.  Ports that share a peer each get the call. */
    void (*prepare)(struct net_port *p, struct net_poll *poll);
    /* After the wait: read what came, and give it to ports with net_port_input. */
    void (*dispatch)(struct net_port *p, const struct net_poll *poll);
    /* Whether a whole batch can be taken now.  NULL: always.  When this was false, a descriptor
     * from prepare wakes the thread once it is true again. */
    bool (*can_send)(struct net_port *p);
    /* A frame from the guest, NET_HEADER to NET_FRAME_MAX + 4 bytes, tagged as the port says. */
    void (*send)(struct net_port *p, const uint8_t *frame, size_t len);
    /* The batch is complete.  NULL: no matter. */
    void (*flush)(struct net_port *p);
    /* Lines for `info network`, each indented by two blanks; may be NULL.  nets.lock held. */
    void (*info)(struct net_port *p, GString *out);
    void (*close)(struct net_port *p);
};

/* Frames for a card, oldest first: each a 32-bit length and the bytes. */
struct net_queue {
    uint8_t *data;
    size_t head, tail, size;
    unsigned frames;
};

/* What waits in it, with the lengths. */
static inline size_t net_queue_bytes(const struct net_queue *q)
{
    return q->tail - q->head;
}
/* ui/net_queue.c.  Append a frame; false: the queue is at its limit. */
bool net_queue_push(struct net_queue *q, const uint8_t *frame, uint32_t len);
/* The oldest frame, in the queue until net_queue_pop or the next push; NULL: none. */
const uint8_t *net_queue_head(const struct net_queue *q, uint32_t *len);
void net_queue_pop(struct net_queue *q);
/* Forget all frames and give the memory back. */
void net_queue_clear(struct net_queue *q);

struct net_pcap;

struct net_port {
    struct net net; /* first: the contract's functions get this */
    struct nets *nets;
    const struct nic_config *config; /* in m->config */
    const struct net_peer_ops *ops;  /* NULL: NIC_PEER_NONE */
    void *peer;
    struct net_pcap *pcap; /* NULL: no capture */
    /* The net thread's. */
    struct net_queue in;   /* for the card */
    struct net_batch *out; /* from the card, on its way to the peer */
    bool plugged;          /* the cable was in when `out` was filled */
    bool wants_tx;         /* the card has, or may have, something to send */
    bool full;             /* the card took the head of `in` not, and has not kicked since */
    int64_t full_since;    /* µs of g_get_monotonic_time */
    bool stuck;            /* full for NET_STUCK_MS */
    unsigned lost;         /* frames lost that the card has not been told of */
    _Atomic unsigned kicks;
};

/*
 * A frame from a peer, as it is on the wire (with its tag, if it has one), for the port's card.
 * Counted when it is dropped.  Net thread.
 */
void net_port_input(struct net_port *p, const uint8_t *frame, size_t len);
/* Whether a peer should read more that may go to this port.  Net thread. */
bool net_port_has_room(const struct net_port *p);

/* How dense the traffic is: frames moved, and bytes to and from the guest, in the window of time
 * that began at `window_at`; whether the one before had many, and more to the guest than from it;
 * and whether a card had much to do last, but no frame. */
struct net_pace {
    int64_t exchanged_at, window_at; /* ns */
    unsigned frames;
    uint64_t in, out;
    bool dense, fruitless;
    _Atomic bool inbound;
};

/* What the thread does: something; it lets time pass; it waits for whatever comes. */
enum net_sleep { NET_AWAKE, NET_PACING, NET_ASLEEP };

struct nets {
    struct machine *m;
    void (*note)(const char *text); /* or NULL */
    struct net_port *ports[VM_MAX_NICS];
    unsigned count;
    GMutex lock;
    GThread *thread;
    int wake_fd;
    _Atomic unsigned sleep; /* enum net_sleep */
    _Atomic bool quit;
    struct net_poll poll;
    struct net_pace pace;
    GPtrArray *switches; /* ui/net_switch.c's, by name; NULL until there is one */
};
/* Let the thread look at everything soon, after a change.  Any thread. */
void nets_wake(struct nets *s);
/* Tell people something, once it is worth it. */
void nets_note(struct nets *s, const char *format, ...) G_GNUC_PRINTF(2, 3);

extern const struct net_peer_ops net_slirp_ops, net_switch_ops, net_tap_ops;

/* ui/net_vlan.c: 802.1Q on behalf of the card (see enum nic_vlan).
 *
 * Both write to `to` (room for NET_FRAME_MAX + 4) only when the frame changes; *out is then `to`,
 * else the frame itself.  They return the new length, or 0: the frame is not of a VLAN of the
 * port. */
size_t net_vlan_to_wire(const struct nic_config *c, const uint8_t *frame, size_t len, uint8_t *to,
                        const uint8_t **out);
size_t net_vlan_to_card(const struct nic_config *c, const uint8_t *frame, size_t len, uint8_t *to,
                        const uint8_t **out);
/* Whether frames that are of VLAN `vid` on the wire (0: untagged) can come from or go to the card
 * at all; and whether a trunk's list has it. */
bool net_vlan_is_member(const struct nic_config *c, unsigned vid);
bool net_vlan_is_listed(const struct nic_config *c, unsigned vid);
/* The VLAN of a frame on the wire, 0: untagged (or priority-tagged).  `len` at least NET_HEADER. */
unsigned net_vlan_of(const uint8_t *frame, size_t len);

/* ui/net_pcap.c: a capture file in the libpcap format (microseconds, Ethernet), written by the net
 * thread.  NULL with a FILE error. */
struct net_pcap *net_pcap_open(const char *path, GError **err);
/* A frame as the card sees it, for the next flush. */
void net_pcap_write(struct net_pcap *c, const uint8_t *frame, size_t len);
/* Hand what is gathered to the file: every round, without the machine lock.  When it cannot be
 * written on, the capture ends with a note. */
void net_pcap_flush(struct net_pcap *c, struct nets *s);
void net_pcap_close(struct net_pcap *c);

#endif
