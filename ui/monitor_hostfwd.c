/*
 * The monitor's commands for user networks: hostfwd_add, hostfwd_remove, info usernet.
 *
 * They go to libslirp's state from the monitor's thread: with nets.lock, and then wake the net
 * thread, which waits for other descriptors now.
 *
 * Not here: everything else of a user network, which stays as it was configured.
 */
#include "ui/monitor_cmd.h"
#include "ui/net_slirp.h"
#include <slirp/libslirp.h>

/* The card named by argument 0, or the first one on a user network. */
static struct net_slirp *hostfwd_network(struct call *c, GError **err)
{
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        struct net_slirp *n = net_slirp_of(c->m->nics[i]);

        if (n && (!c->arg[0].given || c->arg[0].num == i)) {
            return n;
        }
    }
    monitor_fail(err, MONITOR_ERROR_STATE, "%s",
                 c->arg[0].given ? "there is no user network at that card"
                                 : "there is no card on a user network");
    return NULL;
}

static bool
hostfwd_change(struct call *c, bool (*parse)(const char *text, struct net_forward *f, GError **err),
               bool (*change)(struct net_slirp *n, const struct net_forward *f, GError **err),
               GError **err)
{
    struct net_slirp *n = hostfwd_network(c, err);
    struct net_forward f;
    bool good;

    if (!n || !parse(c->arg[1].text, &f, err)) {
        return false;
    }
    g_mutex_lock(&n->port->nets->lock);
    good = change(n, &f, err);
    g_mutex_unlock(&n->port->nets->lock);
    nets_wake(n->port->nets);
    return good;
}

static bool hostfwd_add(struct net_slirp *n, const struct net_forward *f, GError **err)
{
    return net_plan_takes(&n->plan, f, err) && net_slirp_add_forward(n, f, err);
}

/* [NIC] RULE */
bool cmd_hostfwd_add(struct call *c, GError **err)
{
    return hostfwd_change(c, net_forward_parse, hostfwd_add, err);
}

/* [NIC] RULE */
bool cmd_hostfwd_remove(struct call *c, GError **err)
{
    return hostfwd_change(c, net_forward_parse_host, net_slirp_remove_forward, err);
}

void hostfwd_list(struct machine *m, void (*add)(void *opaque, const char *rule), void *opaque)
{
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        struct net_slirp *n = net_slirp_of(m->nics[i]);

        if (!n) {
            continue;
        }
        g_mutex_lock(&n->port->nets->lock);
        for (unsigned k = 0; k < n->forwards->len; k++) {
            g_autofree char *rule =
                net_forward_host_text(&g_array_index(n->forwards, struct net_forward, k));

            add(opaque, rule);
        }
        g_mutex_unlock(&n->port->nets->lock);
    }
}

bool info_usernet(struct call *c, GError **err)
{
    bool any = false;

    (void)err;
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        struct net_slirp *n = net_slirp_of(c->m->nics[i]);
        g_autofree char *connections = NULL;

        if (n) {
            any = true;
            g_mutex_lock(&n->port->nets->lock);
            connections = slirp_connection_info(n->slirp);
            g_mutex_unlock(&n->port->nets->lock);
            g_string_append_printf(c->out, "%s:\n%s", n->port->net.id, connections);
        }
    }
    if (!any) {
        g_string_append(c->out, "There is no card on a user network.\n");
    }
    return true;
}
