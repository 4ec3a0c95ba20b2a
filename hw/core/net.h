/*
 * The network contract: a card's port on one side (hw/net), what carries its frames on the other
 * (ui/net.c, which has a thread of its own for it).
 *
 * A frame is an Ethernet frame from destination address to payload, without preamble and check
 * sequence.  Frames move in batches: the carrier pulls what the guest wants sent when it has room
 * for it, and offers what came in until the card has no buffer left.  Nothing is thrown away
 * silently: what does not arrive is counted in the port, by reason.
 *
 * Not modelled: collisions, the speed of the wire, damaged frames.
 */
#ifndef HW_CORE_NET_H
#define HW_CORE_NET_H

#include "hw/core/base.h"
#include <stdatomic.h>

struct device;
struct machine;

enum {
    NET_HEADER = 14,
    NET_FRAME_MIN = 60,             /* a card pads what is shorter */
    NET_FRAME_MAX = 16 * 1024 - 32, /* the longest that is carried */
    NET_BATCH_FRAMES = 64,
    NET_BATCH_BYTES = 128 * 1024,
};

/* Frames one behind another in one piece of memory. */
struct net_batch {
    unsigned count;
    uint32_t used;
    struct net_span {
        uint32_t at, len;
    } frame[NET_BATCH_FRAMES];
    uint8_t data[NET_BATCH_BYTES];
};
/* Room for one more frame of `len` (up to NET_FRAME_MAX) bytes, to be filled in; NULL: the batch is
 * full. */
static inline uint8_t *net_batch_add(struct net_batch *b, uint32_t len)
{
    uint8_t *at = b->data + b->used;

    if (b->count == NET_BATCH_FRAMES || len > NET_BATCH_BYTES - b->used) {
        return NULL;
    }
    b->frame[b->count++] = (struct net_span){b->used, len};
    b->used += len;
    return at;
}
/* Whether a frame of any length still fits. */
static inline bool net_batch_has_room(const struct net_batch *b)
{
    return b->count < NET_BATCH_FRAMES && NET_BATCH_BYTES - b->used >= NET_FRAME_MAX;
}

/* Why a frame did not arrive; net_drop_name has the words. */
enum net_drop {
    NET_DROP_LINK,      /* either way: the cable is out */
    NET_DROP_VLAN,      /* either way: of a VLAN the port is not in */
    NET_DROP_MALFORMED, /* either way: shorter than a header, or longer than NET_FRAME_MAX */
    NET_DROP_STOPPED,   /* to the guest: its receiver is off */
    NET_DROP_FILTERED,  /* to the guest: for an address its card does not listen to */
    NET_DROP_MISSED,    /* to the guest: no receive buffer for too long */
    NET_DROP_KIND,      /* from the guest: the network has nothing of this kind (ui/net_guard.h) */
    NET_DROP_HOST,      /* from the guest: the host took it no more */
    NET_DROPS,
};

/* Frames that the peer or the guest got, and those that they did not.  Written by whoever counts,
 * with relaxed atomics; read by anyone. */
struct net_stats {
    _Atomic uint64_t tx_frames, tx_bytes, rx_frames, rx_bytes; /* of the guest */
    _Atomic uint64_t tx_batches, rx_batches;
    _Atomic uint64_t drops[NET_DROPS];
};

enum net_verdict {
    NET_TAKEN, /* the guest gets it */
    NET_LOST,  /* it does not, and the card has counted why (net_drop) */
    NET_FULL,  /* no buffer: offer it again after NET_KICK_RX */
};

/* The card's side.  Called with the machine lock held, from the net thread or a test; they must not
 * call net_kick for what they do themselves. */
struct net_front {
    /* Move frames the guest wants sent to the batch while net_batch_has_room; true: there are more.
     * False: the card kicks when there are. */
    bool (*transmit)(struct device *dev, struct net_batch *b);
    /* A frame of NET_HEADER to NET_FRAME_MAX bytes from the wire. */
    enum net_verdict (*receive)(struct device *dev, const uint8_t *frame, size_t len);
    /* The frame that got NET_FULL last is given up. */
    void (*missed)(struct device *dev);
    /* The cable was plugged in or pulled out. */
    void (*link_changed)(struct device *dev, bool up);
};

enum net_kick {
    NET_KICK_TX = 1, /* there is something to transmit */
    NET_KICK_RX = 2, /* there are receive buffers again, or the receiver was stopped */
};

/* One card's port.  Made by the carrier before the machine is built, which outlives the machine;
 * the card fills in front and dev when it attaches. */
struct net {
    /* The carrier's: look at the card soon.  Any thread, with the machine lock; cheap when it is
     * awake.  NULL: nothing is connected (tests). */
    void (*kick)(struct net *n, unsigned kicks);
    const struct net_front *front;
    struct device *dev;
    struct machine *m;
    char *id;       /* "nic0"; for people */
    uint8_t mac[6]; /* what the card's ROM says */
    bool link;      /* the cable is plugged in; lock held */
    struct net_stats stats;
};

static inline void net_kick(struct net *n, unsigned kicks)
{
    if (n && n->kick) {
        n->kick(n, kicks);
    }
}

static inline void net_count(_Atomic uint64_t *counter, uint64_t add)
{
    atomic_fetch_add_explicit(counter, add, memory_order_relaxed);
}

static inline void net_drop(struct net *n, enum net_drop why)
{
    if (n) {
        net_count(&n->stats.drops[why], 1);
    }
}

/* Plug the cable in or pull it out; the card is told when that changes something.  Lock held. */
void net_set_link(struct net *n, bool up);
/* Words for a reason. */
const char *net_drop_name(enum net_drop why);
/* An address for people: arguments for the format. */
#define NET_MAC_FORMAT    "%02x:%02x:%02x:%02x:%02x:%02x"
#define NET_MAC_ARGS(mac) (mac)[0], (mac)[1], (mac)[2], (mac)[3], (mac)[4], (mac)[5]

#endif
