/*
 * The text of a user network's options.
 *
 * Forwards are written as QEMU's users write them.  Not modelled: forwards from IPv4 to IPv6 or
 * back, names instead of addresses.
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

const struct in6_addr net_plan_prefix6 = {{{0xfe, 0xc0}}};
const struct in6_addr net_plan_host6 = {{{0xfe, 0xc0, [15] = 2}}};
const struct in6_addr net_plan_dns6 = {{{0xfe, 0xc0, [15] = 3}}};

/* One end of a forward as it is written. */
struct net_end {
    bool given, ipv6;
    struct in_addr address;
    struct in6_addr address6;
    uint16_t port;
};

/* "1.2.3.4", "[fe80::1]" or nothing. */
static bool net_end_parse_address(const char *all, char *text, struct net_end *end, GError **err)
{
    size_t len = strlen(text);

    end->given = len;
    if (len > 2 && *text == '[' && text[len - 1] == ']') {
        text[len - 1] = '\0';
        end->ipv6 = true;
        return inet_pton(AF_INET6, text + 1, &end->address6) == 1 ||
               parse_fail(err, "'%s' is no forward: '%s' is no IPv6 address", all, text + 1);
    }
    return !len || inet_pton(AF_INET, text, &end->address) == 1 ||
           parse_fail(err, "'%s' is no forward: '%s' is no IPv4 address, and no IPv6 address in []",
                      all, text);
}

/* ADDRESS:PORT, where the address may be left out. */
static bool net_end_parse(const char *all, const char *text, struct net_end *end, GError **err)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = NULL;
    uint64_t number = 0;

    *end = (struct net_end){0};
    if (!colon) {
        return parse_fail(err, "'%s' is no forward: '%s' has no port; it is %s", all, text,
                          net_forward_usage);
    }
    host = g_strndup(text, (size_t)(colon - text));
    if (!net_end_parse_address(all, host, end, err)) {
        return false;
    }
    if (!g_ascii_isdigit(colon[1]) || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        !parse_number(colon + 1, PORT_MAX, &number, NULL) || !number) {
        return parse_fail(err, "'%s' is no forward: '%s' is no port from 1 to %d", all, colon + 1,
                          PORT_MAX);
    }
    end->port = (uint16_t)number;
    return true;
}

/* What both ends say together: of one kind, and what is left out. */
static bool net_forward_join(const char *all, struct net_forward *f, const struct net_end *near,
                             const struct net_end *far, GError **err)
{
    bool ipv6 = near->ipv6 || far->ipv6;

    if ((near->given && near->ipv6 != ipv6) || (far->given && far->ipv6 != ipv6)) {
        return parse_fail(err, "'%s' is no forward: one address is of IPv4 and one of IPv6", all);
    }
    f->ipv6 = ipv6;
    f->host_port = near->port;
    f->guest_port = far->port;
    f->guest = far->address;
    f->guest6 = far->address6;
    f->host6 = near->address6;
    f->host = near->address;
    if (!near->given && ipv6) {
        f->host6 = in6addr_loopback;
    } else if (!near->given) {
        f->host.s_addr = htonl(INADDR_LOOPBACK);
    }
    return true;
}

static bool net_forward_parse_path(const char *all, const char *text, struct net_forward *f,
                                   GError **err)
{
    if (!*text || g_strlcpy(f->path, text, sizeof f->path) >= sizeof f->path) {
        return parse_fail(err, "'%s' is no forward: a socket's path has 1 to %zu bytes", all,
                          sizeof f->path - 1);
    }
    return true;
}

static bool net_forward_parse_any(const char *text, bool far, struct net_forward *f, GError **err)
{
    const char *colon = strchr(text, ':'), *dash = strrchr(text, '-');
    g_autofree char *kind = NULL, *near = NULL;
    struct net_end end = {0}, guest = {0};
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
    if (far && !net_end_parse(text, dash + 1, &guest, err)) {
        return false;
    }
    if (f->kind != NET_FORWARD_UNIX) {
        return net_end_parse(text, near, &end, err) && net_forward_join(text, f, &end, &guest, err);
    }
    /* Whoever connects there has no address: libslirp makes up one of IPv4. */
    if (guest.ipv6) {
        return parse_fail(err, "'%s' is no forward: a socket's leads to an IPv4 address", text);
    }
    return net_forward_parse_path(text, near, f, err) &&
           net_forward_join(text, f, &end, &guest, err);
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
    return a->kind == b->kind && a->ipv6 == b->ipv6 && a->host.s_addr == b->host.s_addr &&
           IN6_ARE_ADDR_EQUAL(&a->host6, &b->host6) && a->host_port == b->host_port &&
           !strcmp(a->path, b->path);
}

static const char *net_address_text(struct in_addr a, char text[INET_ADDRSTRLEN])
{
    return inet_ntop(AF_INET, &a, text, INET_ADDRSTRLEN);
}

/* With brackets. */
static const char *net_address6_text(const struct in6_addr *a, char text[INET6_ADDRSTRLEN + 2])
{
    *text = '[';
    inet_ntop(AF_INET6, a, text + 1, INET6_ADDRSTRLEN);
    g_strlcat(text, "]", INET6_ADDRSTRLEN + 2);
    return text;
}

char *net_forward_host_text(const struct net_forward *f)
{
    char host[INET6_ADDRSTRLEN + 2];

    if (f->kind == NET_FORWARD_UNIX) {
        return g_strdup_printf("unix:%s", f->path);
    }
    return g_strdup_printf("%s:%s:%u", net_forward_kinds[f->kind],
                           f->ipv6 ? net_address6_text(&f->host6, host)
                                   : net_address_text(f->host, host),
                           f->host_port);
}

char *net_forward_text(const struct net_forward *f)
{
    g_autofree char *near = net_forward_host_text(f);
    char guest[INET6_ADDRSTRLEN + 2] = "";

    if (f->ipv6 && !IN6_IS_ADDR_UNSPECIFIED(&f->guest6)) {
        net_address6_text(&f->guest6, guest);
    } else if (!f->ipv6 && f->guest.s_addr) {
        net_address_text(f->guest, guest);
    }
    return g_strdup_printf("%s-%s:%u", near, guest, f->guest_port);
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

    plan->ipv6 = !c->no_ipv6;
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

static bool net_plan_takes6(const struct net_plan *plan, const struct net_forward *f, GError **err)
{
    g_autofree char *text = net_forward_text(f);

    if (!plan->ipv6) {
        return parse_fail(err, "'%s' leads to an IPv6 address, and there is no IPv6 (ipv6=off)",
                          text);
    }
    return IN6_IS_ADDR_UNSPECIFIED(&f->guest6) || !memcmp(&f->guest6, &net_plan_prefix6, 8) ||
           parse_fail(err, "'%s' forwards to an address that is not in fec0::/64", text);
}

bool net_plan_takes(const struct net_plan *plan, const struct net_forward *f, GError **err)
{
    char guest[INET_ADDRSTRLEN], network[INET_ADDRSTRLEN];

    if (f->ipv6) {
        return net_plan_takes6(plan, f, err);
    }
    if (f->guest.s_addr && (f->guest.s_addr & plan->mask.s_addr) != plan->network.s_addr) {
        g_autofree char *text = net_forward_text(f);

        return parse_fail(err, "'%s' forwards to %s, which is not in %s/%u", text,
                          net_address_text(f->guest, guest),
                          net_address_text(plan->network, network),
                          (unsigned)__builtin_popcount(plan->mask.s_addr));
    }
    return true;
}
