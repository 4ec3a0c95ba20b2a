/*
 * The text of a user network's options.
 *
 * Forwards are written as QEMU's users write them.  Not modelled: IPv6 forwards, names instead of
 * addresses.
 */
#include "ui/net_forward.h"
#include "ui/parse.h"
#include <arpa/inet.h>

enum {
    PORT_MAX = 65535,
    PREFIX_MIN = 8,
    PREFIX_MAX = 29, /* room for the host, a name server and a guest */
    HOSTNAME_MAX = 32,
    DOMAIN_MAX = 128,
    BOOTFILE_MAX = 127,
    /* Where things are in the network, unless told otherwise. */
    PLAN_HOST = 2,
    PLAN_DNS = 3,
    PLAN_DHCP = 15,
    PLAN_DHCP_SMALL = 4,
};

static const char *const net_forward_kinds[] = {"tcp", "udp", "unix", NULL};

static const char net_forward_usage[] =
    "PROTO:[HOST]:PORT-[GUEST]:PORT, such as tcp:127.0.0.1:2222-:22";

/* "[ADDRESS]:PORT"; an address left out is `none`. */
static bool net_forward_parse_end(const char *all, const char *text, struct in_addr none,
                                  struct in_addr *address, uint16_t *port, GError **err)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = NULL;
    uint64_t number = 0;

    if (!colon) {
        return parse_fail(err, "'%s' is no forward: '%s' has no port; it is %s", all, text,
                          net_forward_usage);
    }
    host = g_strndup(text, (size_t)(colon - text));
    *address = none;
    if (*host && inet_pton(AF_INET, host, address) != 1) {
        return parse_fail(err, "'%s' is no forward: '%s' is no IPv4 address", all, host);
    }
    if (!g_ascii_isdigit(colon[1]) || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        !parse_number(colon + 1, PORT_MAX, &number, NULL) || !number) {
        return parse_fail(err, "'%s' is no forward: '%s' is no port from 1 to %d", all, colon + 1,
                          PORT_MAX);
    }
    *port = (uint16_t)number;
    return true;
}

/* The host's end behind "PROTO:". */
static bool net_forward_parse_near(const char *all, const char *text, struct net_forward *f,
                                   GError **err)
{
    const struct in_addr local = {htonl(INADDR_LOOPBACK)};

    if (f->kind != NET_FORWARD_UNIX) {
        return net_forward_parse_end(all, text, local, &f->host, &f->host_port, err);
    }
    if (!*text || g_strlcpy(f->path, text, sizeof f->path) >= sizeof f->path) {
        return parse_fail(err, "'%s' is no forward: a socket's path has 1 to %zu bytes", all,
                          sizeof f->path - 1);
    }
    return true;
}

static bool net_forward_parse_any(const char *text, bool far, struct net_forward *f, GError **err)
{
    const struct in_addr any = {0};
    const char *colon = strchr(text, ':'), *dash = strrchr(text, '-');
    g_autofree char *kind = NULL, *near = NULL;
    int row;

    memset(f, 0, sizeof *f);
    /* A path may have a dash as well: the guest's end has no slash and a colon. */
    if (dash && (strchr(dash, '/') || !strchr(dash, ':'))) {
        dash = NULL;
    }
    if (!colon || (far && !dash)) {
        return parse_fail(err, "'%s' is no forward; it is %s", text, net_forward_usage);
    }
    kind = g_strndup(text, (size_t)(colon - text));
    row = *kind ? parse_choice("kind of forward", kind, net_forward_kinds, err) : NET_FORWARD_TCP;
    if (row < 0) {
        return false;
    }
    f->kind = (enum net_forward_kind)row;
    near = dash > colon ? g_strndup(colon + 1, (size_t)(dash - colon - 1)) : g_strdup(colon + 1);
    return net_forward_parse_near(text, near, f, err) &&
           (!far || net_forward_parse_end(text, dash + 1, any, &f->guest, &f->guest_port, err));
}

bool net_forward_parse(const char *text, struct net_forward *f, GError **err)
{
    return net_forward_parse_any(text, true, f, err);
}

bool net_forward_parse_host(const char *text, struct net_forward *f, GError **err)
{
    return net_forward_parse_any(text, false, f, err);
}

bool net_forward_same_host(const struct net_forward *a, const struct net_forward *b)
{
    return a->kind == b->kind && a->host.s_addr == b->host.s_addr && a->host_port == b->host_port &&
           !strcmp(a->path, b->path);
}

static const char *net_address_text(struct in_addr a, char text[INET_ADDRSTRLEN])
{
    return inet_ntop(AF_INET, &a, text, INET_ADDRSTRLEN);
}

char *net_forward_host_text(const struct net_forward *f)
{
    char host[INET_ADDRSTRLEN];

    if (f->kind == NET_FORWARD_UNIX) {
        return g_strdup_printf("unix:%s", f->path);
    }
    return g_strdup_printf("%s:%s:%u", net_forward_kinds[f->kind], net_address_text(f->host, host),
                           f->host_port);
}

char *net_forward_text(const struct net_forward *f)
{
    g_autofree char *near = net_forward_host_text(f);
    char guest[INET_ADDRSTRLEN];

    return g_strdup_printf("%s-%s:%u", near,
                           f->guest.s_addr ? net_address_text(f->guest, guest) : "", f->guest_port);
}

/* The network ---------------------------------------------------------------------------------- */

/* "10.0.2.0/24". */
static bool net_plan_network(const char *text, struct net_plan *plan, GError **err)
{
    const char *slash = strchr(text, '/');
    g_autofree char *address = slash ? g_strndup(text, (size_t)(slash - text)) : g_strdup(text);
    uint64_t bits = 24;

    if (inet_pton(AF_INET, address, &plan->network) != 1 ||
        (slash && (!g_ascii_isdigit(slash[1]) || !parse_number(slash + 1, 32, &bits, NULL)))) {
        return parse_fail(err, "net=%s: give an address and its bits, such as 10.0.2.0/24", text);
    }
    if (bits < PREFIX_MIN || bits > PREFIX_MAX) {
        return parse_fail(err, "net=%s: a network has %d to %d bits", text, PREFIX_MIN, PREFIX_MAX);
    }
    plan->mask.s_addr = htonl(~0u << (32 - bits));
    if (plan->network.s_addr & ~plan->mask.s_addr) {
        return parse_fail(err, "net=%s: the address has bits set behind the first %u", text,
                          (unsigned)bits);
    }
    /* What the host itself treats as its own, or as nobody's, cannot be the guest's. */
    if (ntohl(plan->network.s_addr) >> 24 == 127 || ntohl(plan->network.s_addr) >> 28 >= 0xe ||
        !(ntohl(plan->network.s_addr) >> 24)) {
        return parse_fail(err, "net=%s: not a network for hosts", text);
    }
    return true;
}

/* A host's address in the network, `place` behind its begin unless given. */
static bool net_plan_address(const struct net_plan *plan, const char *key, const char *text,
                             uint32_t place, struct in_addr *address, GError **err)
{
    uint32_t rest;

    if (!text) {
        address->s_addr = plan->network.s_addr | htonl(place);
        return true;
    }
    if (inet_pton(AF_INET, text, address) != 1) {
        return parse_fail(err, "%s=%s: not an IPv4 address", key, text);
    }
    rest = address->s_addr & ~plan->mask.s_addr;
    if ((address->s_addr & plan->mask.s_addr) != plan->network.s_addr || !rest ||
        rest == ~plan->mask.s_addr) {
        char from[INET_ADDRSTRLEN];
        unsigned bits = (unsigned)__builtin_popcount(plan->mask.s_addr);

        return parse_fail(err, "%s=%s: not a host's address in %s/%u", key, text,
                          net_address_text(plan->network, from), bits);
    }
    return true;
}

/* Letters, digits and what `more` has. */
static bool net_plan_word(const char *key, const char *text, const char *more, size_t max,
                          GError **err)
{
    if (!text) {
        return true;
    }
    if (!*text || strlen(text) > max) {
        return parse_fail(err, "%s=%s: give 1 to %zu characters", key, text, max);
    }
    for (const char *c = text; *c; c++) {
        if (!g_ascii_isalnum(*c) && !strchr(more, *c)) {
            return parse_fail(err, "%s=%s: has characters other than letters, digits and %s", key,
                              text, more);
        }
    }
    return true;
}

static bool net_plan_forwards(const struct nic_user_config *c, const struct net_plan *plan,
                              GError **err)
{
    struct net_forward f[NIC_MAX_FORWARDS];

    for (unsigned i = 0; i < NIC_MAX_FORWARDS && c->forward[i]; i++) {
        if (!net_forward_parse(c->forward[i], &f[i], err) || !net_plan_takes(plan, &f[i], err)) {
            return false;
        }
        for (unsigned j = 0; j < i; j++) {
            if (net_forward_same_host(&f[i], &f[j])) {
                return parse_fail(err, "'%s' and '%s' forward the same", c->forward[j],
                                  c->forward[i]);
            }
        }
    }
    return true;
}

bool net_plan_make(const struct nic_user_config *c, struct net_plan *plan, GError **err)
{
    uint32_t dhcp;

    if (!net_plan_network(c->network ? c->network : "10.0.2.0/24", plan, err)) {
        return false;
    }
    dhcp = ~ntohl(plan->mask.s_addr) > PLAN_DHCP ? PLAN_DHCP : PLAN_DHCP_SMALL;
    if (!net_plan_address(plan, "host", c->host, PLAN_HOST, &plan->host, err) ||
        !net_plan_address(plan, "dns", c->dns, PLAN_DNS, &plan->dns, err) ||
        !net_plan_address(plan, "dhcpstart", c->dhcp_start, dhcp, &plan->dhcp_start, err)) {
        return false;
    }
    if (plan->host.s_addr == plan->dns.s_addr || plan->host.s_addr == plan->dhcp_start.s_addr ||
        plan->dns.s_addr == plan->dhcp_start.s_addr) {
        char host[INET_ADDRSTRLEN], dns[INET_ADDRSTRLEN], start[INET_ADDRSTRLEN];

        return parse_fail(err, "host %s, dns %s and dhcpstart %s must be three addresses",
                          net_address_text(plan->host, host), net_address_text(plan->dns, dns),
                          net_address_text(plan->dhcp_start, start));
    }
    return net_plan_word("hostname", c->hostname, "-.", HOSTNAME_MAX, err) &&
           net_plan_word("domain", c->domain, "-.", DOMAIN_MAX, err) &&
           net_plan_word("bootfile", c->bootfile, "-._/\\:?=&%+,~@ ", BOOTFILE_MAX, err) &&
           net_plan_forwards(c, plan, err);
}

bool net_plan_takes(const struct net_plan *plan, const struct net_forward *f, GError **err)
{
    char guest[INET_ADDRSTRLEN], network[INET_ADDRSTRLEN];

    if (f->guest.s_addr && (f->guest.s_addr & plan->mask.s_addr) != plan->network.s_addr) {
        g_autofree char *text = net_forward_text(f);

        return parse_fail(err, "'%s' forwards to %s, which is not in %s/%u", text,
                          net_address_text(f->guest, guest),
                          net_address_text(plan->network, network),
                          (unsigned)__builtin_popcount(plan->mask.s_addr));
    }
    return true;
}
