/*
 * The value of -nic: what a card's cable leads to, and keys.
 *
 * Spellings of QEMU that mean the same are taken as well: model=tulip, macaddr=, ifname=,
 * domainname=, script=no, -net none.
 *
 * Not here yet: cards but the DEC 21140.
 */
#include "ui/nic.h"
#include "hw/core/net.h"
#include "ui/net_forward.h"
#include "ui/parse.h"
#include <net/if.h>

static const char *const peer_words[] = {
    [NIC_PEER_NONE] = "open",
    [NIC_PEER_USER] = "user",
    [NIC_PEER_SWITCH] = "switch",
    [NIC_PEER_TAP] = "tap",
};

/* Keys ----------------------------------------------------------------------------------------- */

static bool key_model(struct nic_config *n, const char *val, GError **err)
{
    static const char *const words[] = {"dec21140", "tulip", NULL};

    n->model = NIC_DEC21140;
    return parse_choice("model", val, words, err) >= 0;
}

static bool key_mac(struct nic_config *n, const char *val, GError **err)
{
    static const uint8_t zero[6];
    const char *p = val;

    for (unsigned i = 0; i < 6; i++, p += 2) {
        if ((i && *p != ':' && *p != '-') || !g_ascii_isxdigit(p[i != 0]) ||
            !g_ascii_isxdigit(p[1 + (i != 0)])) {
            return parse_fail(err, "mac=%s: an address has six bytes, such as 52:54:00:12:34:56",
                              val);
        }
        p += i != 0;
        n->mac[i] = (uint8_t)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
    }
    if (*p) {
        return parse_fail(err, "mac=%s: an address has six bytes, such as 52:54:00:12:34:56", val);
    }
    if (n->mac[0] & 1) {
        return parse_fail(err,
                          "mac=%s: this is an address of many stations (its first byte is odd); "
                          "a card needs one of its own, such as 52:54:00:12:34:56",
                          val);
    }
    n->has_mac = true;
    return memcmp(n->mac, zero, 6) || parse_fail(err, "mac=%s: a card cannot have address 0", val);
}

bool nic_name_is_valid(const char *text)
{
    size_t len = strlen(text);

    for (const char *p = text; *p; p++) {
        if (!g_ascii_isalnum(*p) && (p == text || !strchr("._-", *p))) {
            return false;
        }
    }
    return len && len <= NIC_NAME_MAX;
}

bool nic_ifname_is_valid(const char *text)
{
    return *text && strlen(text) < IFNAMSIZ && strcmp(text, ".") && strcmp(text, "..") &&
           !strpbrk(text, "/:% \t\n\v\f\r");
}

static bool key_id(struct nic_config *n, const char *val, GError **err)
{
    if (!nic_name_is_valid(val)) {
        return parse_fail(err, "id=%s: a name has 1 to %d letters, digits and '._-'", val,
                          NIC_NAME_MAX);
    }
    parse_put(&n->id, val);
    return true;
}

/* "on" and "off"; `invert`: `to` is true for off. */
static bool set_switch(const char *key, const char *val, bool invert, bool *to, GError **err)
{
    bool on = true;

    if (!parse_switch(val, &on, err)) {
        g_prefix_error(err, "%s=", key);
        return false;
    }
    *to = on != invert;
    return true;
}

static bool key_link(struct nic_config *n, const char *val, GError **err)
{
    return set_switch("link", val, true, &n->link_down, err);
}

static bool vlan_number(const char *text, unsigned *vid)
{
    uint64_t n;

    if (!parse_number(text, VLAN_MAX, &n, NULL) || !n) {
        return false;
    }
    *vid = (unsigned)n;
    return true;
}

/* "10" or "30-40" */
static bool trunk_range(struct nic_config *n, const char *text)
{
    g_auto(GStrv) ends = g_strsplit(text, "-", 3);
    unsigned count = g_strv_length(ends), first, last;

    if (!count || count > 2 || !vlan_number(ends[0], &first) ||
        !vlan_number(ends[count - 1], &last) || first > last) {
        return false;
    }
    for (unsigned vid = first; vid <= last; vid++) {
        n->trunk[vid / 8] |= (uint8_t)(1u << vid % 8);
    }
    return true;
}

static bool vlan_trunk(struct nic_config *n, const char *val, GError **err)
{
    g_auto(GStrv) words = g_strsplit(*val ? val + 1 : "1-4094", "+", -1);

    memset(n->trunk, 0, sizeof n->trunk);
    n->vlan_mode = NIC_VLAN_TRUNK;
    for (char **w = words; *w; w++) {
        if (!trunk_range(n, *w)) {
            return parse_fail(err,
                              "vlan=trunk%s: '%s' is neither a VLAN (1 to %d) nor a range of them; "
                              "write for example vlan=trunk:10+20+30-40",
                              val, *w, VLAN_MAX);
        }
    }
    return *words || parse_fail(err, "vlan=trunk:: which VLANs? for example vlan=trunk:10+20");
}

static bool key_vlan(struct nic_config *n, const char *val, GError **err)
{
    unsigned vid;

    if (!strcmp(val, "all")) {
        n->vlan_mode = NIC_VLAN_ALL;
        return true;
    }
    if (!strcmp(val, "trunk") || g_str_has_prefix(val, "trunk:")) {
        return vlan_trunk(n, val + strlen("trunk"), err);
    }
    if (!vlan_number(val, &vid)) {
        return parse_fail(err,
                          "vlan=%s: give a VLAN from 1 to %d, all, trunk, or trunk:10+20+30-40",
                          val, VLAN_MAX);
    }
    n->vlan_mode = NIC_VLAN_ACCESS;
    n->vlan = (uint16_t)vid;
    return true;
}

static bool key_pcap(struct nic_config *n, const char *val, GError **err)
{
    parse_put(&n->pcap, val);
    return *val || parse_fail(err, "pcap= needs the name of a file");
}

static bool key_ifname(struct nic_config *n, const char *val, GError **err)
{
    if (n->peer != NIC_PEER_TAP) {
        return parse_fail(err, "ifname=%s is for -nic tap", val);
    }
    if (!nic_ifname_is_valid(val)) {
        return parse_fail(err,
                          "'%s' is no name of an interface: it has 1 to %d characters, none of "
                          "them '/', ':', '%%' or a blank",
                          val, IFNAMSIZ - 1);
    }
    parse_put(&n->name, val);
    return true;
}

/* QEMU runs a program that sets the interface up unless told not to; here nothing is run. */
static bool key_script(struct nic_config *n, const char *val, GError **err)
{
    (void)n;
    return !strcmp(val, "no") ||
           parse_fail(err,
                      "script=%s: nothing is run for an interface; set it up beforehand (ip "
                      "link set tap0 up)",
                      val);
}

/* Keys of user --------------------------------------------------------------------------------- */

static bool key_hostfwd(struct nic_config *n, const char *val, GError **err)
{
    for (unsigned i = 0; i < NIC_MAX_FORWARDS; i++) {
        if (!n->user.forward[i]) {
            n->user.forward[i] = g_strdup(val);
            return *val ||
                   parse_fail(err, "hostfwd= is empty; for example hostfwd=tcp:127.0.0.1:2222-:22");
        }
    }
    return parse_fail(err, "hostfwd=%s: a card has at most %d of them", val, NIC_MAX_FORWARDS);
}

static bool key_restrict(struct nic_config *n, const char *val, GError **err)
{
    return set_switch("restrict", val, false, &n->user.restricted, err);
}

static bool key_ipv6(struct nic_config *n, const char *val, GError **err)
{
    return set_switch("ipv6", val, true, &n->user.no_ipv6, err);
}

/* What the texts of these say is judged when all are known (net_plan_make). */
#define USER_TEXT(key, member)                                                                     \
    static bool key_##key(struct nic_config *n, const char *val, GError **err)                     \
    {                                                                                              \
        parse_put(&n->user.member, val);                                                           \
        return *val || parse_fail(err, #key "= is empty");                                         \
    }

USER_TEXT(net, network)
USER_TEXT(host, host)
USER_TEXT(dns, dns)
USER_TEXT(dhcpstart, dhcp_start)
USER_TEXT(hostname, hostname)
USER_TEXT(domain, domain)
USER_TEXT(tftp, tftp)
USER_TEXT(bootfile, bootfile)

static const struct nic_key {
    const char *name, *values, *help; /* help NULL: not shown */
    bool (*set)(struct nic_config *n, const char *val, GError **err);
    bool user;         /* only for -nic user */
    const char *alias; /* QEMU's word for it, or NULL */
} nic_keys[] = {
    {"model", "dec21140", "the card; QEMU's word for it is tulip", .set = key_model},
    {"mac", "XX:XX:XX:XX:XX:XX", "its address; made up, the same at every start, by default",
     .set = key_mac, .alias = "macaddr"},
    {"id", "NAME", "its name in the monitor; nic0 to nic3 by default", .set = key_id},
    {"link", "on|off", "whether the cable is plugged in; on by default", .set = key_link},
    {"vlan", "N|all|trunk[:LIST]", "switch, tap: VLAN of untagged frames, or those tagged",
     .set = key_vlan},
    {"pcap", "FILE", "write the card's frames to a capture file", .set = key_pcap},
    {"ifname", "NAME", "tap: the interface, the same as tap:NAME", .set = key_ifname},
    {"script", "no", NULL, .set = key_script, .alias = "downscript"},
    {"hostfwd", "PROTO:[ADDR]:PORT-[ADDR]:PORT",
     "tcp, udp: a port of the host leads to the guest; up to 16 times", .set = key_hostfwd,
     .user = true},
    {"restrict", "on|off", "nothing of the guest gets out, but for hostfwd", .set = key_restrict,
     .user = true},
    {"net", "ADDR/LEN", "the network; 10.0.2.0/24 by default", .set = key_net, .user = true},
    {"host", "ADDR", "the host in it; the second address by default", .set = key_host,
     .user = true},
    {"dns", "ADDR", "the name server; the third by default", .set = key_dns, .user = true},
    {"dhcpstart", "ADDR", "the first address given out; the 15th by default", .set = key_dhcpstart,
     .user = true},
    {"hostname", "NAME", "told by DHCP", .set = key_hostname, .user = true},
    {"domain", "NAME", "told by DHCP", .set = key_domain, .user = true, .alias = "domainname"},
    {"tftp", "DIR", "a folder whose files the guest can read by TFTP", .set = key_tftp,
     .user = true},
    {"bootfile", "NAME", "what DHCP tells a guest to boot", .set = key_bootfile, .user = true},
    {"ipv6", "on|off", "on by default", .set = key_ipv6, .user = true},
};

void nic_help(GString *out)
{
    g_string_append(out, "-nic PEER[,KEY=VALUE,...]: a network card, at most 4 of them\n"
                         "  user          the host's network, by address translation (default)\n"
                         "  switch:NAME   a switch of this host's machines\n"
                         "  tap:IFNAME    a TAP interface of the host\n"
                         "  open          nothing: a card without a cable\n"
                         "  none          no card at all; has no keys\n");
    for (unsigned user = 0; user < 2; user++) {
        g_string_append(out, user ? "Keys of user:\n" : "Keys, each after a comma:\n");
        for (unsigned i = 0; i < ARRAY_LEN(nic_keys); i++) {
            const struct nic_key *k = &nic_keys[i];

            if (k->help && k->user == (user == 1)) {
                g_autofree char *left = g_strdup_printf("%s=%s", k->name, k->values);

                g_string_append_printf(out, "  %-39s %s\n", left, k->help);
            }
        }
    }
}

/* One card ------------------------------------------------------------------------------------- */

static bool nic_set_key(struct nic_config *n, const char *name, const char *val, GError **err)
{
    const char *names[ARRAY_LEN(nic_keys) + 1] = {NULL};
    const char *nearest;

    for (unsigned i = 0; i < ARRAY_LEN(nic_keys); i++) {
        const struct nic_key *k = &nic_keys[i];

        names[i] = k->name;
        if (strcmp(name, k->name) && (!k->alias || strcmp(name, k->alias))) {
            continue;
        }
        if (k->user && n->peer != NIC_PEER_USER) {
            return parse_fail(err, "%s= is for -nic user only", name);
        }
        return k->set(n, val, err);
    }
    nearest = parse_nearest(name, names);
    return parse_fail(err, "unknown key '%s'%s%s (-nic help lists them)", name,
                      nearest ? "; nearest: " : "", nearest ? nearest : "");
}

static bool peer_unknown(const char *word, GError **err)
{
    static const char *const words[] = {"user", "switch", "tap", "open", "none", NULL};
    const char *nearest = parse_nearest(word, words);

    if (strchr(word, '=')) {
        return parse_fail(err,
                          "what the card is connected to comes first: user, switch:NAME, "
                          "tap:IFNAME or open, as in -nic user,%s",
                          word);
    }
    return parse_fail(err,
                      "unknown peer '%s'%s%s; there are user, switch:NAME, tap:IFNAME, open, "
                      "none",
                      word, nearest ? "; nearest: " : "", nearest ? nearest : "");
}

/* "user", "switch:NAME", ... */
static bool nic_set_peer(struct nic_config *n, const char *word, GError **err)
{
    const char *colon = strchr(word, ':');
    g_autofree char *kind = colon ? g_strndup(word, (gsize)(colon - word)) : g_strdup(word);
    unsigned peer;

    for (peer = 0; peer < ARRAY_LEN(peer_words) && strcmp(kind, peer_words[peer]); peer++) {
    }
    if (peer == ARRAY_LEN(peer_words)) {
        return peer_unknown(word, err);
    }
    n->peer = (enum nic_peer)peer;
    if (n->peer == NIC_PEER_TAP) {
        return !colon || key_ifname(n, colon + 1, err);
    }
    if (n->peer != NIC_PEER_SWITCH) {
        return !colon || parse_fail(err, "'%s': %s has no name", word, kind);
    }
    if (!colon || !nic_name_is_valid(colon + 1)) {
        return parse_fail(err,
                          "'%s': give the switch a name of 1 to %d letters, digits and '._-', as "
                          "in switch:lab",
                          word, NIC_NAME_MAX);
    }
    n->name = g_strdup(colon + 1);
    return true;
}

static bool nic_check(const struct nic_config *n, GError **err)
{
    struct net_plan plan;

    if (n->peer == NIC_PEER_TAP && !n->name) {
        return parse_fail(err, "which interface? for example tap:tap0");
    }
    if (n->peer == NIC_PEER_USER && n->vlan_mode != NIC_VLAN_ALL) {
        return parse_fail(err,
                          "vlan= is for switch and tap: the network of -nic user has no VLANs");
    }
    return n->peer != NIC_PEER_USER || net_plan_make(&n->user, &plan, err);
}

static bool nic_set_keys(struct nic_config *n, char **words, GError **err)
{
    for (char **w = words; *w; w++) {
        char *eq = strchr(*w, '=');

        if (!eq) {
            return parse_fail(err, "'%s' is not KEY=VALUE (-nic help lists the keys)", *w);
        }
        *eq = '\0';
        if (!nic_set_key(n, *w, eq + 1, err)) {
            return false;
        }
    }
    return nic_check(n, err);
}

bool nic_parse(struct options *o, const char *option, const char *text, GError **err)
{
    g_auto(GStrv) words = parse_commas(text);
    struct nic_config *n;
    bool good;

    if (!strcmp(words[0], "none")) {
        o->no_nic = true;
        return !words[1] || parse_fail(err,
                                       "%s %s: none means no card, and takes no keys; a card "
                                       "without a cable is -nic open",
                                       option, text);
    }
    if (o->nics == VM_MAX_NICS) {
        return parse_fail(err, "%s %s: a machine has at most %d network cards", option, text,
                          VM_MAX_NICS);
    }
    n = &o->vm.nics[o->nics++];
    good = nic_set_peer(n, words[0], err) && nic_set_keys(n, words + 1, err);
    if (!good) {
        g_prefix_error(err, "%s %s: ", option, text);
    }
    n->used = good;
    return good;
}

/* All cards ------------------------------------------------------------------------------------ */

static bool is_id_taken(const struct options *o, const char *id)
{
    for (unsigned i = 0; i < o->nics; i++) {
        if (o->vm.nics[i].id && !strcmp(o->vm.nics[i].id, id)) {
            return true;
        }
    }
    return false;
}

static char *nic_new_id(const struct options *o)
{
    for (unsigned i = 0;; i++) {
        char *id = g_strdup_printf("nic%u", i);

        if (!is_id_taken(o, id)) {
            return id;
        }
        g_free(id);
    }
}

/* Whether two cards want what only one can have. */
static bool nic_check_pair(const struct nic_config *a, const struct nic_config *b, GError **err)
{
    if (!strcmp(a->id, b->id)) {
        return parse_fail(err, "-nic: two cards have id=%s", a->id);
    }
    if (a->has_mac && b->has_mac && !memcmp(a->mac, b->mac, 6)) {
        return parse_fail(err,
                          "-nic: %s and %s have the same address, "
                          "mac=" NET_MAC_FORMAT,
                          a->id, b->id, NET_MAC_ARGS(a->mac));
    }
    if (a->pcap && b->pcap && !strcmp(a->pcap, b->pcap)) {
        return parse_fail(err, "-nic: %s and %s have the same file, pcap=%s", a->id, b->id,
                          a->pcap);
    }
    if (a->peer == NIC_PEER_TAP && b->peer == NIC_PEER_TAP && !strcmp(a->name, b->name)) {
        return parse_fail(err, "-nic: %s and %s are both on interface %s; it carries one card",
                          a->id, b->id, a->name);
    }
    return true;
}

bool nic_finish(struct options *o, GError **err)
{
    if (o->no_nic && o->nics) {
        return parse_fail(err, "-nic none means no network card, and there is another -nic");
    }
    if (!o->no_nic && !o->nics && !o->demo) {
        o->vm.nics[o->nics++] = (struct nic_config){.used = true, .peer = NIC_PEER_USER};
    }
    for (unsigned i = 0; i < o->nics; i++) {
        struct nic_config *n = &o->vm.nics[i];

        if (!n->id) {
            n->id = nic_new_id(o);
        }
    }
    for (unsigned i = 0; i < o->nics; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (!nic_check_pair(&o->vm.nics[k], &o->vm.nics[i], err)) {
                return false;
            }
        }
    }
    return true;
}
