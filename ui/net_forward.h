/*
 * The text of a user network's options: forwards (`hostfwd=`) and addresses.
 *
 * A forward is PROTO:HOST:PORT-GUEST:PORT with PROTO tcp or udp, or unix:PATH-GUEST:PORT; HOST and
 * GUEST may be empty.  Without HOST only this host can connect (127.0.0.1; 0.0.0.0 is for
 * everyone); without GUEST it leads to the first address that DHCP gives.  IPv6 addresses stand in
 * brackets, and the other end's is of that kind, too: ::1 when it is left out, and for GUEST the
 * one that a card makes of its MAC.
 *
 * All functions set a CONFIG error that names the text and what would be right.  Any thread.
 */
#ifndef CANDELA_UI_NET_FORWARD_H
#define CANDELA_UI_NET_FORWARD_H

#include "hw/core/config.h"
#include <netinet/in.h>
#include <sys/un.h>

enum net_forward_kind { NET_FORWARD_TCP, NET_FORWARD_UDP, NET_FORWARD_UNIX };

struct net_forward {
    enum net_forward_kind kind;
    bool ipv6;                     /* the next line counts, else the one after it */
    struct in6_addr host6, guest6; /* guest 0: the one that follows from the MAC */
    struct in_addr host, guest;    /* guest 0: the first that DHCP gives */
    uint16_t host_port, guest_port;
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path]; /* of kind UNIX */
};

bool net_forward_parse(const char *text, struct net_forward *f, GError **err);
/* The same without the guest's end, which may be there all the same: what a forward is known by. */
bool net_forward_parse_host(const char *text, struct net_forward *f, GError **err);
/* Whether both have the same host end. */
bool net_forward_same_host(const struct net_forward *a, const struct net_forward *b);
/* "tcp:127.0.0.1:2222", and with the guest's end behind it; free with g_free. */
char *net_forward_host_text(const struct net_forward *f);
char *net_forward_text(const struct net_forward *f);

/* A user network's addresses, network byte order. */
struct net_plan {
    struct in_addr network, mask, host, dns, dhcp_start;
    bool ipv6;
};
/* The IPv6 network: the first 64 bits of all its addresses, in it the host and the name server. */
extern const struct in6_addr net_plan_prefix6, net_plan_host6, net_plan_dns6;
/* Check everything but the folder and the files; the plan is what follows from it. */
bool net_plan_make(const struct nic_user_config *c, struct net_plan *plan, GError **err);
/* Whether a forward leads into the network. */
bool net_plan_takes(const struct net_plan *plan, const struct net_forward *f, GError **err);

#endif
