/*
 * The part of the network contract that is neither card nor carrier.
 *
 * Not modelled: see net.h.
 */
#include "hw/core/net.h"
#include "hw/core/machine.h"

void net_set_link(struct net *n, bool up)
{
    machine_assert_locked(n->m);
    if (n->link == up) {
        return;
    }
    n->link = up;
    if (n->front && n->front->link_changed) {
        n->front->link_changed(n->dev, up);
    }
    net_kick(n, NET_KICK_TX | NET_KICK_RX);
}

const char *net_drop_name(enum net_drop why)
{
    static const char *const words[NET_DROPS] = {
        [NET_DROP_LINK] = "link down",         [NET_DROP_VLAN] = "other VLAN",
        [NET_DROP_MALFORMED] = "malformed",    [NET_DROP_STOPPED] = "receiver off",
        [NET_DROP_FILTERED] = "other address", [NET_DROP_MISSED] = "no receive buffer",
        [NET_DROP_KIND] = "kind not carried",  [NET_DROP_HOST] = "refused by the host",
    };

    return why < NET_DROPS ? words[why] : "?";
}
