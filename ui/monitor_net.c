/*
 * The monitor's commands for network cards: info network, link, set_link.
 *
 * Not here: cards that come and go at run time.
 */
#include "hw/core/net.h"
#include "ui/monitor_cmd.h"
#include "ui/net.h"

const char *const link_words[] = {"up", "down", NULL};

/* NIC up|down, as set_link: on|off */
bool cmd_link(struct call *c, GError **err)
{
    (void)err;
    net_set_link(c->m->nics[c->arg[0].num], c->arg[1].num == 0);
    return true;
}

bool info_network(struct call *c, GError **err)
{
    (void)err;
    nets_info(c->m, c->out);
    return true;
}
