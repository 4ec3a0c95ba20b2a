/*
 * Inside of the `user` peer, for the monitor and tests.
 */
#ifndef CANDELA_UI_NET_SLIRP_H
#define CANDELA_UI_NET_SLIRP_H

#include "ui/net_guard.h"
#include "ui/net_int.h"

/* A timer of libslirp's. */
struct net_slirp_timer {
    int id;
    void *arg;
    int64_t due; /* ms; below 0: not set */
};

enum { CORKED_MAX = 8 };

/* All under nets.lock. */
struct net_slirp {
    struct net_port *port;
    struct Slirp *slirp;
    struct net_plan plan;
    struct net_guard guard;
    GPtrArray *timers;
    GArray *forwards; /* struct net_forward */
    unsigned log;     /* glib's handler of libslirp's messages */
    GArray *known;    /* a byte per descriptor: it is one of libslirp's connections */
    unsigned sockets, sockets_max;
    int cork[CORKED_MAX]; /* sockets that hold partial packets back */
    unsigned corked;
    bool written; /* something may be held back */
    uint64_t guest_errors;
    bool backlog_due;      /* there are new sockets that listen */
    bool has_room;         /* when the descriptors were chosen */
    struct net_poll *poll; /* while they are */
    const struct net_poll *polled;
    bool sending; /* while the guest's frames come in */
    /* The acknowledgement that waits for a better one. */
    uint8_t ack[NET_HEADER + 60];
    size_t ack_len;
    unsigned acks;
};

/* The user network a card is connected to; NULL: it is none, or not open.  Machine lock held. */
struct net_slirp *net_slirp_of(struct net *n);
/* Take connections on the host for the guest; FILE error with the address and the reason. */
bool net_slirp_add_forward(struct net_slirp *n, const struct net_forward *f, GError **err);
/* Those made already go on. */
bool net_slirp_remove_forward(struct net_slirp *n, const struct net_forward *f, GError **err);

#endif
