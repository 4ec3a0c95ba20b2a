/*
 * A `user` peer with a port but without a machine, and a small guest made of frames: it builds
 * what is sent and takes apart what comes.
 */
#ifndef CANDELA_TESTS_SLIRP_RIG_H
#define CANDELA_TESTS_SLIRP_RIG_H

#include "ui/net_slirp.h"

enum {
    FIN = 1,
    SYN = 2,
    RST = 4,
    PSH = 8,
    ACK = 16,
    URG = 32,
    FRAME_MAX = 2048,
    RIG_WAIT_MS = 20000, /* the host may be busy */
    IP_PROTO_ICMP = 1,
    IP_PROTO_TCP = 6,
    IP_PROTO_UDP = 17,
    HOST = 0x0a000202,
    GUEST_PORT = 5000,
};

struct slirp_rig {
    struct nets nets;
    struct net_port *port;
    struct nic_config config;
    uint8_t frame[FRAME_MAX]; /* what came last */
    uint32_t len;
    uint32_t self;            /* the guest's address */
    uint16_t ident, fragment; /* fragment: flags and offset of what is sent */
    unsigned proto;           /* of what is sent as protocol 255, unchanged */
    bool batch;               /* no flush after each frame */
};

/* With r->config.user filled in, or not. */
void slirp_rig_open(struct slirp_rig *r);
bool slirp_rig_try_open(struct slirp_rig *r, GError **err);
void slirp_rig_close(struct slirp_rig *r);

/* One round of the net thread that waits for at most `ms`. */
void slirp_rig_round(struct slirp_rig *r, int ms);
/* The next frame, into r->frame; false: none within `ms`. */
bool slirp_rig_receive(struct slirp_rig *r, int ms);
/* The next IPv4 frame of a protocol to the guest, others thrown away; its payload (behind the
 * protocol's header for UDP) or NULL. */
uint8_t *slirp_rig_receive_ip(struct slirp_rig *r, unsigned proto, uint32_t *len);
/* Nothing of the protocol comes in a few rounds. */
bool slirp_rig_is_silent(struct slirp_rig *r, unsigned proto);

void slirp_rig_send(struct slirp_rig *r, const void *frame, size_t len);
/* The end of a batch. */
void slirp_rig_flush(struct slirp_rig *r);
/* Both checksums filled in, where there is one. */
void slirp_rig_send_ip(struct slirp_rig *r, uint32_t to, unsigned proto, const void *data,
                       size_t len);
void slirp_rig_send_udp(struct slirp_rig *r, uint32_t to, uint16_t from_port, uint16_t to_port,
                        const void *data, size_t len);
/* A request for an address: type 1 discover, 3 request. */
void slirp_rig_send_dhcp(struct slirp_rig *r, unsigned type, const uint8_t mac[6], uint32_t want);
/* A DHCP option of the answer in r->frame: its data and length, or NULL. */
const uint8_t *slirp_rig_dhcp_option(struct slirp_rig *r, unsigned option, unsigned *len);

/* A TCP connection of the guest's. */
struct guest_tcp {
    struct slirp_rig *r;
    uint32_t peer;
    uint16_t port, peer_port;
    uint32_t seq, ack;
    uint16_t window, urgent;
    uint32_t acked; /* by what came last */
    unsigned flags; /* of what came last */
    uint8_t *data;  /* its payload, in r->frame */
    uint32_t len;
};
void guest_tcp_send(struct guest_tcp *t, unsigned flags, const void *data, size_t len);
/* The next segment for the connection; in order, it moves t->ack on. */
bool guest_tcp_receive(struct guest_tcp *t);
bool guest_tcp_connect(struct guest_tcp *t, struct slirp_rig *r, uint16_t port, uint32_t peer,
                       uint16_t peer_port);
/* From GUEST_PORT to a server on 127.0.0.1 made for it: the server's end, open. */
int guest_tcp_to_host(struct guest_tcp *t, struct slirp_rig *r);
/* Wait for somebody to connect to `port`. */
bool guest_tcp_accept(struct guest_tcp *t, struct slirp_rig *r, uint16_t port);

/* A socket on 127.0.0.1 that listens, and its port. */
int slirp_rig_listen(int type, uint16_t *port);
/* A port of 127.0.0.1 that was free a moment ago. */
uint16_t slirp_rig_free_port(int type);

#endif
