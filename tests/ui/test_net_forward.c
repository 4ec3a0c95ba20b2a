/*
 * The text of a user network's options.
 */
#include "ui/net_forward.h"
#include <criterion/criterion.h>

Test(net_forward, understands)
{
    static const struct {
        const char *text, *means;
    } rows[] = {
        {"tcp:127.0.0.1:2222-10.0.2.15:22", "tcp:127.0.0.1:2222-10.0.2.15:22"},
        {"tcp::2222-:22", "tcp:127.0.0.1:2222-:22"},
        {":0.0.0.0:80-:80", "tcp:0.0.0.0:80-:80"},
        {"udp:0.0.0.0:65535-:1", "udp:0.0.0.0:65535-:1"},
        {"tcp:[::1]:2222-[fec0::15]:22", "tcp:[::1]:2222-[fec0::15]:22"},
        {"tcp:[::]:2222-:22", "tcp:[::]:2222-:22"},
        {"udp::2222-[fec0:0::0:15]:22", "udp:[::1]:2222-[fec0::15]:22"},
        {"unix:/run/a-b.sock-:22", "unix:/run/a-b.sock-:22"},
        {"unix:/run/a-:x/y-10.0.2.15:22", "unix:/run/a-:x/y-10.0.2.15:22"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        g_autoptr(GError) err = NULL;
        struct net_forward f;

        cr_assert(net_forward_parse(rows[i].text, &f, &err), "%s", err->message);
        g_autofree char *text = net_forward_text(&f);
        cr_assert_str_eq(text, rows[i].means);
    }
}

Test(net_forward, refuses)
{
    static const char *const texts[] = {
        "",
        "tcp",
        "tcp:",
        "tcp::22",
        "tcp::22-",
        "tcp::22-22",
        "tcp:22-:22",
        "tcp::0-:22",
        "tcp::65536-:22",
        "tcp::22-:0",
        "tcp::22x-:22",
        "tcp:: 22-:22",
        "tcp::+22-:22",
        "tcp::0x16-:22",
        "tcp:1.2.3:22-:22",
        "tcp:localhost:22-:22",
        "tcp::22-guest:22",
        "sctp::22-:22",
        "tcp:[::1:22-:22",
        "tcp:::1:22-:22",
        "tcp:[]:22-:22",
        "tcp:[::x]:22-:22",
        "tcp:[127.0.0.1]:22-:22",
        "tcp:[::1]:22-10.0.2.15:22",
        "tcp:127.0.0.1:22-[fec0::15]:22",
        "unix:/run/x-[fec0::15]:22",
        "unix:-:22",
        "unix:/run/x",
        "unix:/"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaa-:22",
    };

    for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
        g_autoptr(GError) err = NULL;
        struct net_forward f;

        cr_assert_not(net_forward_parse(texts[i], &f, &err), "'%s'", texts[i]);
        cr_assert(g_error_matches(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG), "'%s'", texts[i]);
    }
}

Test(net_forward, host_end_alone)
{
    struct net_forward f, g;

    cr_assert(net_forward_parse_host("tcp::2222", &f, NULL));
    cr_assert(net_forward_parse("tcp:127.0.0.1:2222-:22", &g, NULL));
    cr_assert(net_forward_same_host(&f, &g));
    cr_assert(net_forward_parse_host("tcp::2222-:22", &f, NULL));
    cr_assert(net_forward_same_host(&f, &g));
    cr_assert(net_forward_parse_host("udp::2222", &f, NULL));
    cr_assert_not(net_forward_same_host(&f, &g));
    cr_assert_not(net_forward_parse_host("tcp:2222", &f, NULL));
    cr_assert(net_forward_parse_host("tcp:[::1]:2222", &f, NULL));
    cr_assert_not(net_forward_same_host(&f, &g));
    cr_assert(net_forward_parse("tcp::2222-[fec0::15]:22", &g, NULL));
    cr_assert(net_forward_same_host(&f, &g));
}

static void plan_is(struct nic_user_config c, uint32_t host, uint32_t dns, uint32_t dhcp)
{
    g_autoptr(GError) err = NULL;
    struct net_plan plan;

    cr_assert(net_plan_make(&c, &plan, &err), "%s", err->message);
    cr_assert_eq(plan.host.s_addr, htonl(host));
    cr_assert_eq(plan.dns.s_addr, htonl(dns));
    cr_assert_eq(plan.dhcp_start.s_addr, htonl(dhcp));
}

Test(net_plan, follows_from_the_network)
{
    plan_is((struct nic_user_config){0}, 0x0a000202, 0x0a000203, 0x0a00020f);
    plan_is((struct nic_user_config){.network = "192.168.7.0/24"}, 0xc0a80702, 0xc0a80703,
            0xc0a8070f);
    plan_is((struct nic_user_config){.network = "192.168.7.8/29"}, 0xc0a8070a, 0xc0a8070b,
            0xc0a8070c);
    plan_is((struct nic_user_config){.network = "172.16.0.0/12", .host = "172.16.0.1"}, 0xac100001,
            0xac100003, 0xac10000f);
    plan_is((struct nic_user_config){.dns = "10.0.2.99", .dhcp_start = "10.0.2.100"}, 0x0a000202,
            0x0a000263, 0x0a000264);
}

Test(net_plan, refuses)
{
    static const struct nic_user_config rows[] = {
        {.network = "10.0.2.1/24"},
        {.network = "10.0.2.0/31"},
        {.network = "10.0.2.0/7"},
        {.network = "10.0.2.0/"},
        {.network = "10.0.2/24"},
        {.network = "127.0.0.0/8"},
        {.network = "224.0.0.0/24"},
        {.network = ""},
        {.host = "10.0.3.2"},
        {.host = "10.0.2.0"},
        {.host = "10.0.2.255"},
        {.host = "10.0.2.3"},
        {.dns = "8.8.8.8"},
        {.dhcp_start = "x"},
        {.hostname = "a b"},
        {.hostname = "an-endless-name-that-is-longer-than-dhcp"},
        {.domain = "ex_ample"},
        {.domain = ""},
        {.bootfile = ""},
        {.bootfile = "a\nb"},
        {.forward = {"tcp::22"}},
        {.forward = {"tcp::2222-10.0.3.15:22"}},
        {.forward = {"tcp::2222-[fec1::15]:22"}},
        {.forward = {"tcp:[::1]:2222-:22"}, .no_ipv6 = true},
        {.forward = {"tcp::2222-:22", "udp::2222-:22", "tcp:127.0.0.1:2222-:23"}},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        g_autoptr(GError) err = NULL;
        struct net_plan plan;

        cr_assert_not(net_plan_make(&rows[i], &plan, &err), "row %u", i);
        cr_assert(g_error_matches(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG));
    }
}
