/*
 * What `info network` says of the cards' ports.
 */
#include "ui/net_int.h"
#include <inttypes.h>

static uint64_t net_counter(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* The VLANs of a trunk as -nic has them: "10+20+30-40". */
static void net_info_trunk(const struct nic_config *c, GString *out)
{
    const char *before = ", VLAN trunk:";

    for (unsigned vid = 1, end; vid <= VLAN_MAX; vid = end + 1) {
        end = vid;
        if (!net_vlan_is_listed(c, vid)) {
            continue;
        }
        while (net_vlan_is_listed(c, end + 1)) {
            end++;
        }
        g_string_append_printf(out, "%s%u", before, vid);
        if (end > vid) {
            g_string_append_printf(out, "-%u", end);
        }
        before = "+";
    }
}

static void net_info_vlan(const struct nic_config *c, GString *out)
{
    if (c->vlan_mode == NIC_VLAN_ACCESS) {
        g_string_append_printf(out, ", VLAN %u", c->vlan);
    } else if (c->vlan_mode == NIC_VLAN_TRUNK) {
        net_info_trunk(c, out);
    }
}

static void net_info_counters(struct net *n, GString *out)
{
    struct net_stats *st = &n->stats;

    g_string_append_printf(
        out,
        "  from the guest %" PRIu64 " frames, %" PRIu64 " bytes in %" PRIu64
        " batches\n  to the guest %" PRIu64 " frames, %" PRIu64 " bytes in %" PRIu64 " batches\n",
        net_counter(&st->tx_frames), net_counter(&st->tx_bytes), net_counter(&st->tx_batches),
        net_counter(&st->rx_frames), net_counter(&st->rx_bytes), net_counter(&st->rx_batches));
    for (unsigned why = 0; why < NET_DROPS; why++) {
        uint64_t drops = net_counter(&st->drops[why]);

        if (drops) {
            g_string_append_printf(out, "  dropped, %s: %" PRIu64 "\n", net_drop_name(why), drops);
        }
    }
}

static void net_info_port(struct net_port *p, GString *out)
{
    g_string_append_printf(out, "%s: " NET_MAC_FORMAT ", %s", p->net.id, NET_MAC_ARGS(p->net.mac),
                           p->ops ? p->ops->name : "nothing");
    if (p->config->name) {
        g_string_append_printf(out, " %s", p->config->name);
    }
    net_info_vlan(p->config, out);
    g_string_append_printf(out, ", link %s%s\n", p->net.link ? "up" : "down",
                           p->stuck ? ", the guest takes no frames" : "");
    if (p->ops && p->ops->info) {
        g_mutex_lock(&p->nets->lock);
        p->ops->info(p, out);
        g_mutex_unlock(&p->nets->lock);
    }
    net_info_counters(&p->net, out);
}

void nets_info(struct machine *m, GString *out)
{
    bool any = false;

    machine_assert_locked(m);
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        if (m->nics[i]) {
            net_info_port((struct net_port *)m->nics[i], out);
            any = true;
        }
    }
    if (!any) {
        g_string_append(out, "no network card\n");
    }
}
