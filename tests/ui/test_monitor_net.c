/*
 * The monitor's commands for network cards.
 *
 * Not modelled: traffic; the net thread is not started.
 */
#include "hw/core/net.h"
#include "tests/ui/monitor_rig.h"
#include "tests/ui/slirp_rig.h"
#include <criterion/criterion.h>
#include <sys/socket.h>

Test(monitor_net, cables_are_pulled_out_and_plugged_in)
{
    struct mon *b = mon_new();

    mon_good(b, "link wan up", "");
    cr_expect(b->m->nics[0]->link && !b->m->nics[1]->link);
    mon_good(b, "info network", "wan: 52:54:00:00:00:10, nothing, link up\n");
    mon_good(b, "link wan down", "");
    cr_expect(!b->m->nics[0]->link);
    mon_good(b, "info network", "wan: 52:54:00:00:00:10, nothing, link down\n");
    mon_good(b, "link wan down", "");
    mon_good(b, "link wan up", "");
    cr_expect(b->m->nics[0]->link);
    mon_good(b, "set_link nic1 on", "");
    cr_expect(b->m->nics[1]->link);
    mon_good(b, "set_link nic1 off", "");
    cr_expect(!b->m->nics[1]->link);
    mon_free(b);
}

Test(monitor_net, wrong_words_are_told)
{
    struct mon *b = mon_new();

    mon_bad(b, "link nic0 up", MONITOR_ERROR_NOT_FOUND, "no network card 'nic0'; 'info network'");
    mon_bad(b, "link wan", MONITOR_ERROR_ARGUMENT, "up|down is missing");
    mon_bad(b, "link wan on", MONITOR_ERROR_ARGUMENT, "there are up, down");
    mon_bad(b, "link", MONITOR_ERROR_ARGUMENT, "NIC is missing");
    mon_bad(b, "set_link wan up", MONITOR_ERROR_ARGUMENT, "there are on, off");
    mon_free(b);
}

Test(monitor_net, the_vlans_of_a_port_are_shown)
{
    static const unsigned vids[] = {1, 7, 8, 9, 100, 4093, 4094};
    struct mon *b = mon_new();
    struct nic_config *c = b->m->config.nics;

    c[0].vlan_mode = NIC_VLAN_ACCESS;
    c[0].vlan = 10;
    c[1].vlan_mode = NIC_VLAN_TRUNK;
    for (unsigned i = 0; i < ARRAY_LEN(vids); i++) {
        c[1].trunk[vids[i] / 8] |= (uint8_t)BIT(vids[i] % 8);
    }
    mon_good(b, "info network", "wan: 52:54:00:00:00:10, nothing, VLAN 10, link down\n");
    mon_good(b, "info network", ", nothing, VLAN trunk:1+7-9+100+4093-4094, link down\n");
    memset(c[1].trunk, 0xff, sizeof c[1].trunk);
    mon_good(b, "info network", ", VLAN trunk:1-4094, link down\n");
    mon_free(b);
}

Test(monitor_net, drops_are_shown_with_their_reason)
{
    struct mon *b = mon_new();

    mon_good(b, "info network", "nic1: ");
    cr_expect_null(strstr(b->text, "dropped"));
    net_drop(b->m->nics[1], NET_DROP_VLAN);
    net_drop(b->m->nics[1], NET_DROP_VLAN);
    mon_good(b, "info network", "  dropped, other VLAN: 2\n");
    mon_free(b);
}

/* `wan` on a user network, which is open. */
static struct mon *usernet_new(void)
{
    struct mon *b = mon_new();
    struct net_port *p = (struct net_port *)b->m->nics[0];

    p->ops = &net_slirp_ops;
    cr_assert(net_slirp_ops.open(p, NULL));
    return b;
}

Test(monitor_net, forwards_come_and_go)
{
    struct mon *b = usernet_new();
    unsigned port = slirp_rig_free_port(SOCK_STREAM);
    g_autofree char *add = g_strdup_printf("hostfwd_add tcp::%u-:22", port);
    g_autofree char *take = g_strdup_printf("hostfwd_remove wan tcp::%u", port);
    g_autofree char *shown = g_strdup_printf("tcp:127.0.0.1:%u-:22", port);

    mon_good(b, add, "");
    mon_good(b, "info network", shown);
    mon_good(b, "info usernet", "HOST_FORWARD");
    mon_run(b, add);
    cr_assert(g_error_matches(b->err, CANDELA_ERROR, CANDELA_ERROR_FILE));
    cr_assert(strstr(b->err->message, "in use"), "%s", b->err->message);
    mon_good(b, take, "");
    mon_run(b, take);
    cr_assert(g_error_matches(b->err, CANDELA_ERROR, CANDELA_ERROR_CONFIG));
    mon_good(b, "info network", "network 10.0.2.0/24, host 10.0.2.2");
    cr_expect_null(strstr(b->text, "forward"));
    mon_free(b);
}

Test(monitor_net, forwards_that_cannot_be)
{
    struct mon *b = usernet_new();

    mon_bad(b, "hostfwd_add nic1 tcp::2222-:22", MONITOR_ERROR_STATE, "no user network at that");
    mon_bad(b, "hostfwd_add lan tcp::2222-:22", MONITOR_ERROR_NOT_FOUND, "no network card 'lan'");
    mon_bad(b, "hostfwd_add wan", MONITOR_ERROR_ARGUMENT, "RULE is missing");
    mon_run(b, "hostfwd_add tcp::2222-10.0.3.1:22");
    cr_assert(b->err && strstr(b->err->message, "not in 10.0.2.0/24"));
    mon_run(b, "hostfwd_add tcp::2222");
    cr_assert(b->err && strstr(b->err->message, "no forward"));
    mon_free(b);
    b = mon_new();
    mon_bad(b, "hostfwd_remove tcp::2222", MONITOR_ERROR_STATE, "no card on a user network");
    mon_good(b, "info usernet", "There is no card on a user network.");
    mon_free(b);
}
