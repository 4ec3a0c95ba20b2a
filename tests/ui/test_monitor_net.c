/*
 * The monitor's commands for network cards.
 *
 * Not modelled: traffic; the net thread is not started.
 */
#include "hw/core/net.h"
#include "tests/ui/monitor_rig.h"
#include <criterion/criterion.h>

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
