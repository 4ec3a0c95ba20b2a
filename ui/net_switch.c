/*
 * A learning Ethernet switch (IEEE 802.1Q-2018, 8.6) that the cards of one machine and, through
 * ui/net_switch_link.c, all of the user's machines share.  Addresses are learnt by VLAN; what is
 * for an unknown address or many goes to every link but the one it came from, and to ports that are
 * in its VLAN only.
 *
 * Dropped: frames from a group address, of VLAN 4095, and pause frames (they are between a card and
 * its switch).  Other link-local groups pass, as with simple switches, so that guests can run the
 * spanning tree protocol among each other.
 *
 * Back-pressure: nobody sends while a link that might get the frame has no room, be it for another
 * VLAN.  A link that is full for too long loses frames instead, until it was empty for a while.
 *
 * Not modelled: spanning tree, link aggregation, multicast groups (IGMP snooping), priorities,
 * VLANs of links to other processes (they carry all).
 */
#include "ui/net_switch.h"
#include "ui/nic.h"

/* A link that was given up on is trusted again after so long without losses. */
#define SWITCH_TRUST_US (5 * G_TIME_SPAN_SECOND)
#define SWITCH_STUCK_US (NET_STUCK_MS * G_TIME_SPAN_MILLISECOND)
#define SWITCH_NOTE_US  (60 * G_TIME_SPAN_SECOND)

bool switch_may_note(struct net_switch *sw, enum switch_note kind)
{
    int64_t now = g_get_monotonic_time();

    if (sw->noted[kind] && now - sw->noted[kind] < SWITCH_NOTE_US) {
        return false;
    }
    sw->noted[kind] = now;
    return true;
}

/* Back-pressure -------------------------------------------------------------------------------- */

static bool switch_link_has_room(const struct switch_link *l)
{
    return l->port ? net_port_has_room(l->port) : net_queue_bytes(&l->out) <= SWITCH_QUEUE_LOW;
}

/* A process that forwards for others gets twice the time: it may be waiting for one of them. */
static int64_t switch_patience(const struct switch_link *l)
{
    bool uplink = l->sw->role == SWITCH_JOINS && !l->port;

    return uplink ? 2 * SWITCH_STUCK_US : SWITCH_STUCK_US;
}

/* It was full for too long: from now on it loses frames. */
static void switch_give_up(struct switch_link *l)
{
    if (!l->lossy && !l->port && switch_may_note(l->sw, NOTE_STUCK)) {
        nets_note(l->sw->nets, "switch %s: process %d takes no frames; what is for it is lost",
                  l->sw->name, l->pid);
    }
    l->lossy = true;
    l->lossy_at = l->sw->now;
}

/* Whether others have to wait for the link. */
static bool switch_link_holds(struct switch_link *l)
{
    int64_t now = l->sw->now;

    if (switch_link_has_room(l)) {
        l->full_since = 0;
        if (l->lossy && now - l->lossy_at > SWITCH_TRUST_US) {
            l->lossy = false;
        }
        return false;
    }
    if (!l->full_since) {
        l->full_since = now;
    }
    if (l->lossy || now - l->full_since > switch_patience(l)) {
        switch_give_up(l);
        return false;
    }
    return true;
}

bool switch_must_hold(struct net_switch *sw, unsigned from)
{
    for (unsigned i = 0; i < SWITCH_LINKS; i++) {
        if (i != from && switch_link_is_up(&sw->link[i]) && switch_link_holds(&sw->link[i])) {
            return true;
        }
    }
    return false;
}

/* Forwarding ----------------------------------------------------------------------------------- */

static char *switch_link_name(const struct switch_link *l)
{
    if (l->port) {
        return g_strdup(l->port->net.id);
    }
    return l->sw->role == SWITCH_JOINS ? g_strdup("another process")
                                       : g_strdup_printf("process %d", l->pid);
}

static void switch_note_twice(struct net_switch *sw, const uint8_t *mac, unsigned a, unsigned b)
{
    if (switch_may_note(sw, NOTE_TWICE)) {
        g_autofree char *one = switch_link_name(&sw->link[a]);
        g_autofree char *other = switch_link_name(&sw->link[b]);

        nets_note(sw->nets,
                  "switch %s: %s and %s both send from address " NET_MAC_FORMAT "; give "
                  "one of them another (mac=)",
                  sw->name, one, other, NET_MAC_ARGS(mac));
    }
}

/* Between a card and its switch only. */
static bool switch_is_pause(const uint8_t *frame)
{
    static const uint8_t pause[] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x01};

    return !memcmp(frame, pause, sizeof pause);
}

static bool switch_give(struct switch_link *l, const uint8_t *frame, size_t len)
{
    if (l->port) {
        net_port_input(l->port, frame, len);
        return true;
    }
    if (net_queue_bytes(&l->out) + len > SWITCH_QUEUE_MAX ||
        !net_queue_push(&l->out, frame, (uint32_t)len)) {
        l->lost++;
        return false;
    }
    return true;
}

/* To everybody in the VLAN but the sender; false: somebody was to get it, but nobody had room. */
static bool switch_flood(struct net_switch *sw, unsigned from, unsigned vid, const uint8_t *frame,
                         size_t len)
{
    bool given = false, lost = false;

    for (unsigned i = 0; i < SWITCH_LINKS; i++) {
        struct switch_link *l = &sw->link[i];

        if (i == from || !switch_link_is_up(l) ||
            (l->port && !net_vlan_is_member(l->port->config, vid))) {
            continue;
        }
        if (switch_give(l, frame, len)) {
            given = true;
        } else {
            lost = true;
        }
    }
    return given || !lost;
}

bool switch_forward(struct net_switch *sw, unsigned from, const uint8_t *frame, size_t len)
{
    unsigned vid = net_vlan_of(frame, len);
    const uint8_t *source = frame + 6;
    int to = -1, other;

    if ((source[0] & 1) || vid > VLAN_MAX || switch_is_pause(frame)) {
        sw->malformed++;
        if (sw->link[from].port) {
            net_drop(&sw->link[from].port->net, NET_DROP_MALFORMED);
        }
        return true;
    }
    other = net_fdb_learn(sw->fdb, vid, source, from, sw->now);
    if (other >= 0) {
        switch_note_twice(sw, source, from, (unsigned)other);
    }
    if (!(frame[0] & 1)) {
        to = net_fdb_find(sw->fdb, vid, frame, sw->now);
    }
    if (to < 0) {
        return switch_flood(sw, from, vid, frame, len);
    }
    return to == (int)from || switch_give(&sw->link[to], frame, len);
}

/* Ports ---------------------------------------------------------------------------------------- */

static struct net_switch *switch_find(struct nets *s, const char *name)
{
    for (unsigned i = 0; s->switches && i < s->switches->len; i++) {
        struct net_switch *sw = g_ptr_array_index(s->switches, i);

        if (!strcmp(sw->name, name)) {
            return sw;
        }
    }
    return NULL;
}

static void switch_free(struct net_switch *sw)
{
    switch_peers_close(sw);
    net_fdb_free(sw->fdb);
    g_free(sw->name);
    g_free(sw);
}

static struct net_switch *switch_new(struct nets *s, const char *name, GError **err)
{
    struct net_switch *sw = g_new0(struct net_switch, 1);

    sw->nets = s;
    sw->name = g_strdup(name);
    sw->fdb = net_fdb_new();
    sw->now = g_get_monotonic_time();
    for (unsigned i = 0; i < SWITCH_LINKS; i++) {
        sw->link[i] = (struct switch_link){.sw = sw, .index = i, .fd = -1};
    }
    if (!switch_peers_open(sw, err)) {
        switch_free(sw);
        return NULL;
    }
    if (!s->switches) {
        s->switches = g_ptr_array_new();
    }
    g_ptr_array_add(s->switches, sw);
    return sw;
}

static bool switch_open(struct net_port *p, GError **err)
{
    const char *name = p->config->name ? p->config->name : "";
    struct net_switch *sw;
    unsigned i = 0;

    if (!nic_name_is_valid(name)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "switch '%s': the name is not 1 to %d of the characters A-Z a-z 0-9 . _ -",
                    name, NIC_NAME_MAX);
        return false;
    }
    sw = switch_find(p->nets, name);
    if (!sw) {
        sw = switch_new(p->nets, name, err);
        if (!sw) {
            return false;
        }
    }
    while (sw->link[i].port) {
        i++;
    }
    g_assert(i < SWITCH_FIRST_PEER);
    sw->link[i].port = p;
    sw->ports++;
    p->peer = &sw->link[i];
    return true;
}

static void switch_close(struct net_port *p)
{
    struct switch_link *l = p->peer;
    struct net_switch *sw = l->sw;
    struct nets *s = sw->nets;

    net_fdb_forget(sw->fdb, l->index);
    l->port = NULL;
    p->peer = NULL;
    if (--sw->ports) {
        return;
    }
    g_ptr_array_remove(s->switches, sw);
    switch_free(sw);
    if (!s->switches->len) {
        g_ptr_array_unref(s->switches);
        s->switches = NULL;
    }
}

/* One port of the switch acts for all. */
static bool switch_acts(const struct switch_link *l)
{
    for (unsigned i = 0; i < l->index; i++) {
        if (l->sw->link[i].port) {
            return false;
        }
    }
    return true;
}

static void switch_prepare(struct net_port *p, struct net_poll *poll)
{
    struct switch_link *l = p->peer;

    if (!switch_acts(l)) {
        return;
    }
    switch_peers_prepare(l->sw, poll);
    for (unsigned i = 0; i < SWITCH_LINKS; i++) {
        const struct switch_link *full = &l->sw->link[i];

        if (full->full_since && !full->lossy && switch_link_is_up(full)) {
            net_poll_within(poll, switch_patience(full) / G_TIME_SPAN_MILLISECOND);
        }
    }
}

static void switch_dispatch(struct net_port *p, const struct net_poll *poll)
{
    struct switch_link *l = p->peer;

    if (switch_acts(l)) {
        l->sw->now = g_get_monotonic_time();
        switch_peers_dispatch(l->sw, poll);
    }
}

static bool switch_can_send(struct net_port *p)
{
    struct switch_link *l = p->peer;

    return !switch_must_hold(l->sw, l->index);
}

static void switch_send(struct net_port *p, const uint8_t *frame, size_t len)
{
    struct switch_link *l = p->peer;

    if (!switch_forward(l->sw, l->index, frame, len)) {
        net_drop(&p->net, NET_DROP_HOST);
    }
}

static void switch_flush(struct net_port *p)
{
    struct switch_link *l = p->peer;

    switch_peers_flush(l->sw);
}

static void switch_info(struct net_port *p, GString *out)
{
    struct switch_link *l = p->peer;
    struct net_switch *sw;

    if (!l || !switch_acts(l)) {
        return; /* not open yet, or said already */
    }
    sw = l->sw;
    g_string_append_printf(out, "  switch %s: ports", sw->name);
    for (unsigned i = 0; i < SWITCH_FIRST_PEER; i++) {
        if (sw->link[i].port) {
            g_string_append_printf(out, " %s", sw->link[i].port->net.id);
        }
    }
    g_string_append_printf(out, "; %u addresses known (at most %d)\n",
                           net_fdb_count(sw->fdb, g_get_monotonic_time()), FDB_ENTRIES);
    if (sw->malformed) {
        g_string_append_printf(out, "  dropped, malformed: %" G_GUINT64_FORMAT "\n", sw->malformed);
    }
    switch_peers_info(sw, out);
}

const struct net_peer_ops net_switch_ops = {
    .name = "switch",
    .open = switch_open,
    .prepare = switch_prepare,
    .dispatch = switch_dispatch,
    .can_send = switch_can_send,
    .send = switch_send,
    .flush = switch_flush,
    .info = switch_info,
    .close = switch_close,
};
