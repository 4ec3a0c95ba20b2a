/*
 * The guard in front of libslirp: headers, UDP's services and what opens sockets.  See net_guard.h.
 */
#include "ui/net_guard.h"
#include <sys/stat.h>

enum {
    TYPE_ARP = 0x0806,
    TYPE_IPV4 = 0x0800,
    TYPE_IPV6 = 0x86dd,
    TYPE_VLAN = 0x8100,
    ARP_SIZE = 28,
    IPV4_HEADER = 20,
    IPV6_HEADER = 40,
    UDP_HEADER = 8,
    PORT_DHCP = 67,
    PORT_TFTP = 69,
    DHCP_OPTIONS = 240,
    DHCP_COOKIE = 0x63825363,
    DHCP_REQUEST = 3,
    DHCP_ADDRESSES = 16,
    OPTION_PAD = 0,
    OPTION_ADDRESS = 50,
    OPTION_TYPE = 53,
    OPTION_END = 255,
    TFTP_READ = 1,
    ICMP_ECHO = 8,
    ICMP6_ECHO = 128,
};

void net_guard_init(struct net_guard *g, const struct net_plan *plan, const char *tftp)
{
    *g = (struct net_guard){.plan = plan, .tftp = tftp};
    g->flows = net_flows_new();
    g->frags = net_frags_new();
    g->copy = g_malloc(GUARD_DATAGRAM_MAX);
}

void net_guard_fini(struct net_guard *g)
{
    g_free(g->flows);
    net_frags_free(g->frags);
    g_free(g->copy);
    *g = (struct net_guard){0};
}

uint8_t *net_guard_own(struct net_guard *g, struct guarded *p)
{
    if (p->frame != g->copy) {
        memcpy(g->copy, p->frame, p->len);
        p->frame = g->copy;
    }
    return g->copy;
}

uint32_t net_guard_sum(const uint8_t *data, size_t len, uint32_t sum)
{
    uint64_t wide = sum;
    size_t i = 0;

    for (; i + 4 <= len; i += 4) {
        wide += ld_be32(data + i);
    }
    for (; i + 2 <= len; i += 2) {
        wide += ld_be16(data + i);
    }
    if (i < len) {
        wide += (uint32_t)data[i] << 8;
    }
    wide = (wide & 0xffffffff) + (wide >> 32);
    wide = (wide & 0xffff) + (wide >> 16 & 0xffff) + (wide >> 32);
    return (uint32_t)wide;
}

uint16_t net_guard_sum_end(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

/* IP ------------------------------------------------------------------------------------------- */

static bool refuse(struct guarded *p, enum net_drop why)
{
    p->why = why;
    return false;
}

static bool net_guard_parse_ipv4(struct guarded *p)
{
    const uint8_t *ip = p->frame + NET_HEADER;
    size_t total;

    if (p->len < NET_HEADER + IPV4_HEADER || ip[0] >> 4 != 4 || (ip[0] & 15) < 5) {
        return refuse(p, NET_DROP_MALFORMED);
    }
    if ((ip[0] & 15) > 5) {
        return refuse(p, NET_DROP_KIND);
    }
    total = ld_be16(ip + 2);
    if (total < IPV4_HEADER || NET_HEADER + total > p->len) {
        return refuse(p, NET_DROP_MALFORMED);
    }
    p->version = 4;
    p->proto = ip[9];
    p->at = NET_HEADER + IPV4_HEADER;
    p->size = total - IPV4_HEADER;
    p->len = NET_HEADER + total;
    return true;
}

static bool net_guard_parse_ipv6(struct guarded *p)
{
    static const uint8_t none[16];
    const uint8_t *ip = p->frame + NET_HEADER;
    size_t size;

    if (p->len < NET_HEADER + IPV6_HEADER || ip[0] >> 4 != 6) {
        return refuse(p, NET_DROP_MALFORMED);
    }
    size = ld_be16(ip + 4);
    p->version = 6;
    p->proto = ip[6];
    p->at = NET_HEADER + IPV6_HEADER;
    p->size = size;
    /* An answer to nobody, or to many, would be one that libslirp cannot send.  What has other
     * headers in front, as the reports of multicast listeners have, goes no further than here. */
    if (p->at + size > p->len || ip[8] == 0xff || !memcmp(ip + 24, none, 16) ||
        ((p->proto == GUARD_TCP || p->proto == GUARD_UDP) && !memcmp(ip + 8, none, 16))) {
        return refuse(p, NET_DROP_MALFORMED);
    }
    p->len = p->at + size;
    return true;
}

bool net_guard_parse_ip(struct guarded *p)
{
    switch (ld_be16(p->frame + 12)) {
    case TYPE_IPV4:
        return net_guard_parse_ipv4(p);
    case TYPE_IPV6:
        return net_guard_parse_ipv6(p);
    default:
        return refuse(p, NET_DROP_KIND);
    }
}

/* UDP ------------------------------------------------------------------------------------------ */

/* What a client asks for: DHCP's type and address, as libslirp reads them. */
static uint32_t net_guard_dhcp_wish(const uint8_t *b, size_t len)
{
    size_t at = DHCP_OPTIONS;
    uint32_t wish = 0;
    unsigned type = 0;

    if (ld_be32(b + DHCP_OPTIONS - 4) != DHCP_COOKIE) {
        return 0;
    }
    while (at + 2 <= len && b[at] != OPTION_END) {
        size_t size = b[at + 1];

        if (b[at] == OPTION_PAD) {
            at++;
            continue;
        }
        if (at + 2 + size > len) {
            break;
        }
        if (b[at] == OPTION_TYPE && size >= 1) {
            type = b[at + 2];
        } else if (b[at] == OPTION_ADDRESS && size >= 4) {
            wish = ld_be32(b + at + 2);
        }
        at += 2 + size;
    }
    return type == DHCP_REQUEST && !wish ? ld_be32(b + 12) : wish;
}

/* Each client, and each address it asks for by name, may use up one of libslirp's. */
static bool net_guard_check_dhcp(struct net_guard *g, struct guarded *p)
{
    const uint8_t *b = p->frame + p->at + UDP_HEADER;
    size_t len = p->size - UDP_HEADER;
    uint32_t wish;

    if (len < DHCP_OPTIONS) {
        return refuse(p, NET_DROP_MALFORMED);
    }
    wish = net_guard_dhcp_wish(b, len);
    if (wish - ntohl(g->plan->dhcp_start.s_addr) >= DHCP_ADDRESSES) {
        wish = 0;
    }
    for (unsigned i = 0; i < g->dhcp_count; i++) {
        if (g->dhcp[i].address == wish && !memcmp(g->dhcp[i].mac, b + 28, 6)) {
            return true;
        }
    }
    if (g->dhcp_count == GUARD_DHCP_CLIENTS) {
        return refuse(p, NET_DROP_HOST);
    }
    memcpy(g->dhcp[g->dhcp_count].mac, b + 28, 6);
    g->dhcp[g->dhcp_count++].address = wish;
    return true;
}

/* Whether a file can be served; what is not there is libslirp's to say. */
static bool net_guard_serves(const struct net_guard *g, const char *name)
{
    g_autofree char *path = g_build_filename(g->tftp, name, NULL);
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);
    struct stat st;

    return !g_strv_contains((const char *const *)parts, "..") && !stat(path, &st) &&
           S_ISREG(st.st_mode);
}

/* A name that is not to be served becomes one that is not there, so that the guest is told. */
static void net_guard_check_tftp(struct net_guard *g, struct guarded *p)
{
    const uint8_t *b = p->frame + p->at + UDP_HEADER;
    size_t len = p->size - UDP_HEADER, size;
    const char *name = (const char *)b + 2;
    uint8_t *frame;

    if (!g->tftp || len < 3 || ld_be16(b) != TFTP_READ) {
        return;
    }
    size = strnlen(name, len - 2);
    if (size < len - 2 && net_guard_serves(g, name)) {
        return;
    }
    frame = net_guard_own(g, p);
    memset(frame + p->at + UDP_HEADER + 2, 1, size);
    st_be16(frame + p->at + 6, 0);
}

static bool net_guard_check_udp(struct net_guard *g, struct guarded *p, bool may_open)
{
    const uint8_t *udp = p->frame + p->at, *ip = p->frame + NET_HEADER;
    unsigned port, size;

    if (p->size < UDP_HEADER || (size = ld_be16(udp + 4)) < UDP_HEADER || size > p->size) {
        return refuse(p, NET_DROP_MALFORMED);
    }
    port = ld_be16(udp + 2);
    if (p->version == 6) {
        if (port == PORT_TFTP) {
            return refuse(p, NET_DROP_KIND);
        }
        return may_open || refuse(p, NET_DROP_HOST);
    }
    p->size = size;
    if (port == PORT_DHCP &&
        (ld_be32(ip + 16) == 0xffffffff || !memcmp(ip + 16, &g->plan->host, 4))) {
        return net_guard_check_dhcp(g, p);
    }
    if (port == PORT_TFTP && !memcmp(ip + 16, &g->plan->host, 4)) {
        net_guard_check_tftp(g, p);
        return true;
    }
    return may_open || refuse(p, NET_DROP_HOST);
}

/* Anything ------------------------------------------------------------------------------------- */

static bool net_guard_check_icmp(const struct net_guard *g, struct guarded *p, bool may_open)
{
    const uint8_t *icmp = p->frame + p->at, *ip = p->frame + NET_HEADER;

    if (p->size < 8) {
        return refuse(p, NET_DROP_MALFORMED);
    }
    if (may_open || icmp[0] != (p->version == 4 ? ICMP_ECHO : ICMP6_ECHO) ||
        (p->version == 4 && !memcmp(ip + 16, &g->plan->host, 4))) {
        return true;
    }
    return refuse(p, NET_DROP_HOST);
}

static bool net_guard_check_ip(struct net_guard *g, struct guarded *p, bool may_open, bool *waits)
{
    if (!net_guard_parse_ip(p)) {
        return false;
    }
    if (p->version == 4 && ld_be16(p->frame + NET_HEADER + 6) & 0x3fff) {
        bool bad;
        const uint8_t *whole = net_frags_add(g->frags, p->frame, &p->len, &bad);

        if (!whole) {
            *waits = !bad;
            return refuse(p, NET_DROP_MALFORMED);
        }
        p->frame = whole;
        if (!net_guard_parse_ip(p)) {
            return false;
        }
    }
    if (p->proto == GUARD_TCP) {
        return net_flow_check(g, p, may_open);
    }
    if (p->proto == GUARD_UDP) {
        return net_guard_check_udp(g, p, may_open);
    }
    if (p->proto == (p->version == 4 ? GUARD_ICMP : GUARD_ICMP6)) {
        return net_guard_check_icmp(g, p, may_open);
    }
    return refuse(p, NET_DROP_KIND);
}

bool net_guard_check(struct net_guard *g, const uint8_t *frame, size_t len, bool may_open,
                     struct guarded *p, bool *waits)
{
    unsigned type = ld_be16(frame + 12);

    *p = (struct guarded){.frame = frame, .len = len};
    *waits = false;
    if (type == TYPE_VLAN) {
        return refuse(p, NET_DROP_VLAN);
    }
    if (type == TYPE_ARP) {
        return len >= NET_HEADER + ARP_SIZE || refuse(p, NET_DROP_MALFORMED);
    }
    return net_guard_check_ip(g, p, may_open, waits);
}

void net_guard_learn(struct net_guard *g, const uint8_t *frame, size_t len)
{
    struct guarded p = {.frame = frame, .len = len};

    if (len > NET_HEADER && net_guard_parse_ip(&p) && p.proto == GUARD_TCP) {
        net_flow_learn(g, &p);
    }
}
