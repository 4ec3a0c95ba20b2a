/*
 * What of a guest's frames reaches libslirp: the guard in front of it.
 *
 * libslirp is code that parses hostile packets, in whatever version the distribution has, and keeps
 * state for them without limits.  The guard lets through what is well-formed, keeps bounds where
 * libslirp has none, and changes or drops what is known to hurt it:
 *
 *   - headers and lengths are checked; IPv4 options, headers of IPv6 in front of the protocol's,
 *     and other protocols are not carried: what Linux says of its multicast groups, for one
 *   - fragments are put together here, in bounded memory
 *   - what would open a socket is refused while there are too many
 *   - TCP: data outside the window that was offered, on a SYN or of an unknown connection is cut
 *     off; urgent data becomes ordinary; unacknowledged segments are limited (they may be queued)
 *   - DHCP: answers for as many clients as there are addresses (each more leaks in 4.7)
 *   - TFTP: regular files below the folder (in 4.7 a folder's name is used after it is freed)
 *
 * Not modelled: IPv4 options, TCP's urgent mark, TFTP over IPv6.
 */
#ifndef CANDELA_UI_NET_GUARD_H
#define CANDELA_UI_NET_GUARD_H

#include "hw/core/net.h"
#include "ui/net_forward.h"

enum {
    GUARD_TCP = 6,
    GUARD_UDP = 17,
    GUARD_ICMP = 1,
    GUARD_ICMP6 = 58,
    GUARD_DATAGRAM_MAX = NET_HEADER + 65535,
    GUARD_DHCP_CLIENTS = 15, /* libslirp has 16 addresses */
};

/* A frame on its way through the guard. */
struct guarded {
    const uint8_t *frame; /* what is handed on */
    size_t len;
    unsigned version, proto; /* IP */
    size_t at, size;         /* of what IP carries */
    enum net_drop why;       /* when it is not handed on */
};

struct net_flow;
struct net_frags;
struct net_guard {
    const struct net_plan *plan;
    const char *tftp;       /* folder or NULL */
    struct net_flow *flows; /* TCP connections */
    uint32_t now;           /* counts uses of flows */
    struct net_frags *frags;
    struct {
        uint8_t mac[6];
        uint32_t address;
    } dhcp[GUARD_DHCP_CLIENTS];
    unsigned dhcp_count;
    uint8_t *copy; /* of a frame that was changed */
};

void net_guard_init(struct net_guard *g, const struct net_plan *plan, const char *tftp);
void net_guard_fini(struct net_guard *g);

/*
 * A frame of at least NET_HEADER bytes from the guest.  True: p->frame is to be handed to libslirp,
 * p->len long; it is good until the next call.  False: nothing is (p->why), or not yet: `*waits`, a
 * fragment of a datagram.  `may_open`: there may be another socket.
 */
bool net_guard_check(struct net_guard *g, const uint8_t *frame, size_t len, bool may_open,
                     struct guarded *p, bool *waits);
/* A frame of libslirp's for the guest: what it acknowledges and offers. */
void net_guard_learn(struct net_guard *g, const uint8_t *frame, size_t len);

/* Between the parts.  The frame in p as bytes that may be changed. */
uint8_t *net_guard_own(struct net_guard *g, struct guarded *p);
/* Find the IP header's end: fills version, proto, at and size; false: p->why. */
bool net_guard_parse_ip(struct guarded *p);
/* The Internet checksum of bytes, added to a sum so far; and its end. */
uint32_t net_guard_sum(const uint8_t *data, size_t len, uint32_t sum);
uint16_t net_guard_sum_end(uint32_t sum);

/* ui/net_flow.c: TCP. */
struct net_flow *net_flows_new(void);
bool net_flow_check(struct net_guard *g, struct guarded *p, bool may_open);
void net_flow_learn(struct net_guard *g, const struct guarded *p);

/* ui/net_frag.c: IPv4 fragments, of at least 20 bytes and without options, as the frame says.  The
 * whole datagram as a frame, good until the next call; NULL: not yet, or *why. */
struct net_frags *net_frags_new(void);
void net_frags_free(struct net_frags *s);
const uint8_t *net_frags_add(struct net_frags *s, const uint8_t *frame, size_t *len, bool *bad);

#endif
