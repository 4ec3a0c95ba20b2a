/*
 * -nic: what each word sets, what is refused and how, the cards a machine has when nothing is said,
 * and the addresses of those that were given none.
 */
#include "tests/ui/options_rig.h"
#include "ui/nic.h"
#include "ui/drive.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <unistd.h>

static unsigned count_cards(const struct options *o)
{
    unsigned n = 0;

    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        n += o->vm.nics[i].used;
    }
    return n;
}

Test(nic, a_machine_that_was_told_nothing_has_one_card_on_the_hosts_network)
{
    struct options o;

    parse_good(&o, "");
    cr_expect_eq(count_cards(&o), 1);
    cr_expect_eq(o.vm.nics[0].peer, NIC_PEER_USER);
    cr_expect_eq(o.vm.nics[0].model, NIC_DEC21140);
    cr_expect_eq(o.vm.nics[0].vlan_mode, NIC_VLAN_ALL);
    cr_expect_str_eq(o.vm.nics[0].id, "nic0");
    cr_expect_not(o.vm.nics[0].link_down || o.vm.nics[0].has_mac);
    options_clear(&o);
}

Test(nic, none_is_no_card)
{
    static const char *const lines[] = {"-nic none", "-net none", "-nic none -net none"};

    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        struct options o;

        parse_good(&o, lines[i]);
        cr_expect_eq(count_cards(&o), 0, "%s", lines[i]);
        options_clear(&o);
    }
}

Test(nic, the_demo_has_the_cards_it_was_given)
{
    static char *const words[] = {"-nic", "open"};
    struct options o;

    for (int n = 0; n <= 2; n += 2) {
        options_init(&o);
        o.demo = true;
        cr_assert(options_parse(&o, n, words, NULL));
        cr_expect_eq(count_cards(&o), n / 2);
        options_clear(&o);
    }
}

Test(nic, every_key_of_a_card_sets_its_field)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0xab, 0xcd, 0xef};
    struct options o;
    struct nic_config *n = o.vm.nics;

    parse_good(&o, "-nic switch:lab,model=tulip,mac=52:54:00:aB:cD:eF,id=wan,link=off,vlan=10,"
                   "pcap=a,,b.pcap "
                   "-nic tap:tap0,mac=52-54-00-00-00-01,vlan=trunk:10+20+30-40,link=on "
                   "-nic tap,ifname=tap1,script=no,downscript=no,vlan=trunk -nic "
                   "open,model=dec21140,vlan=all");
    cr_expect_eq(count_cards(&o), 4);
    cr_expect_eq(n[0].peer, NIC_PEER_SWITCH);
    cr_expect_str_eq(n[0].name, "lab");
    cr_expect(n[0].has_mac && !memcmp(n[0].mac, mac, 6));
    cr_expect_str_eq(n[0].id, "wan");
    cr_expect(n[0].link_down);
    cr_expect_eq(n[0].vlan_mode, NIC_VLAN_ACCESS);
    cr_expect_eq(n[0].vlan, 10);
    cr_expect_str_eq(n[0].pcap, "a,b.pcap");
    cr_expect_eq(n[1].peer, NIC_PEER_TAP);
    cr_expect_str_eq(n[1].name, "tap0");
    cr_expect_eq(n[1].mac[5], 1);
    cr_expect_not(n[1].link_down);
    cr_expect_eq(n[1].vlan_mode, NIC_VLAN_TRUNK);
    for (unsigned vid = 0; vid <= VLAN_MAX + 1; vid++) {
        bool in = vid == 10 || vid == 20 || (vid >= 30 && vid <= 40);

        cr_expect_eq(n[1].trunk[vid / 8] >> vid % 8 & 1, in, "VLAN %u", vid);
        cr_expect_eq(n[2].trunk[vid / 8] >> vid % 8 & 1, vid && vid <= VLAN_MAX, "VLAN %u", vid);
    }
    cr_expect_str_eq(n[2].name, "tap1");
    cr_expect_eq(n[3].peer, NIC_PEER_NONE);
    cr_expect_eq(n[3].vlan_mode, NIC_VLAN_ALL);
    cr_expect_str_eq(n[1].id, "nic0");
    cr_expect_str_eq(n[3].id, "nic2");
    options_clear(&o);
}

Test(nic, every_key_of_user_sets_its_field)
{
    struct options o;
    struct nic_user_config *u = &o.vm.nics[0].user;

    parse_good(&o, "-nic user,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::5353-10.9.0.20:53,"
                   "restrict=on,net=10.9.0.0/16,host=10.9.0.1,dns=10.9.0.4,dhcpstart=10.9.1.1,"
                   "hostname=vm-1,domainname=lab.test,tftp=/srv/t,bootfile=pxe/x.0,ipv6=off");
    cr_expect_eq(o.vm.nics[0].peer, NIC_PEER_USER);
    cr_expect_str_eq(u->forward[0], "tcp:127.0.0.1:2222-:22");
    cr_expect_str_eq(u->forward[1], "udp::5353-10.9.0.20:53");
    cr_expect_null(u->forward[2]);
    cr_expect(u->restricted && u->no_ipv6);
    cr_expect_str_eq(u->network, "10.9.0.0/16");
    cr_expect_str_eq(u->host, "10.9.0.1");
    cr_expect_str_eq(u->dns, "10.9.0.4");
    cr_expect_str_eq(u->dhcp_start, "10.9.1.1");
    cr_expect_str_eq(u->hostname, "vm-1");
    cr_expect_str_eq(u->domain, "lab.test");
    cr_expect_str_eq(u->tftp, "/srv/t");
    cr_expect_str_eq(u->bootfile, "pxe/x.0");
    options_clear(&o);
}

static const struct {
    const char *line, *says;
} bad[] = {
    {"-nic", "PEER"},
    {"-nic=", "unknown peer ''; there are user"},
    {"-nic usr", "nearest: user"},
    {"-nic bridge", "switch:NAME"},
    {"-nic mac=52:54:00:12:34:56", "-nic user,mac="},
    {"-nic user:x", "user has no name"},
    {"-nic open:x", "open has no name"},
    {"-nic switch", "switch:lab"},
    {"-nic switch:", "switch:lab"},
    {"-nic switch:../x", "1 to 32"},
    {"-nic switch:.x", "1 to 32"},
    {"-nic switch:123456789012345678901234567890123", "1 to 32"},
    {"-nic tap", "tap:tap0"},
    {"-nic tap:", "1 to 15"},
    {"-nic tap:a/b", "1 to 15"},
    {"-nic tap:tap%d", "1 to 15"},
    {"-nic tap:..", "1 to 15"},
    {"-nic tap:1234567890123456", "1 to 15"},
    {"-nic user,ifname=tap0", "for -nic tap"},
    {"-nic user,foo", "KEY=VALUE"},
    {"-nic tap:t0,script=/etc/qemu-ifup", "nothing is run"},
    {"-nic user,hostfw=x", "nearest: hostfwd"},
    {"-nic user,zzzzzzzzzzzz=x", "-nic help"},
    {"-nic user,model=e1000", "dec21140"},
    {"-nic user,mac=52:54:00:12:34", "six bytes"},
    {"-nic user,mac=52:54:00:12:34:56:78", "six bytes"},
    {"-nic user,mac=52:54:00:12:34:5g", "six bytes"},
    {"-nic user,mac=525400123456", "six bytes"},
    {"-nic user,mac=", "six bytes"},
    {"-nic user,mac=01:00:5e:00:00:01", "many stations"},
    {"-nic user,mac=ff:ff:ff:ff:ff:ff", "many stations"},
    {"-nic user,mac=00:00:00:00:00:00", "address 0"},
    {"-nic user,id=", "id="},
    {"-nic user,id=a/b", "letters"},
    {"-nic user,link=up", "link='up' is neither on nor off"},
    {"-nic user,vlan=10", "no VLANs"},
    {"-nic user,vlan=trunk", "no VLANs"},
    {"-nic open,vlan=0", "1 to 4094"},
    {"-nic open,vlan=4095", "1 to 4094"},
    {"-nic open,vlan=x", "trunk:10+20"},
    {"-nic open,vlan=trunk:", "which VLANs"},
    {"-nic open,vlan=trunk:10+", "''"},
    {"-nic open,vlan=trunk:40-30", "'40-30'"},
    {"-nic open,vlan=trunk:1-2-3", "'1-2-3'"},
    {"-nic open,vlan=trunk:1-4095", "4094"},
    {"-nic open,pcap=", "file"},
    {"-nic open,hostfwd=tcp::1-:1", "-nic user only"},
    {"-nic tap:tap0,ipv6=on", "-nic user only"},
    {"-nic user,hostfwd=", "2222-:22"},
    {"-nic user,restrict=maybe", "restrict="},
    {"-nic user,ipv6=maybe", "ipv6="},
    {"-nic user,hostfwd=tcp:2222", "is no forward"},
    {"-nic user,hostfwd=sctp::22-:22", "tcp, udp"},
    {"-nic user,hostfwd=tcp::22-10.0.3.1:22", "not in 10.0.2.0/24"},
    {"-nic user,hostfwd=tcp::22-:22,hostfwd=tcp::22-:23", "forward the same"},
    {"-nic user,net=10.0.2/24", "net=10.0.2/24: give"},
    {"-nic user,net=10.0.2.0/31", "8 to 29 bits"},
    {"-nic user,host=10.0.2", "not an IPv4 address"},
    {"-nic user,host=10.0.3.2", "not a host's address in 10.0.2.0/24"},
    {"-nic user,dns=10.0.2.2", "three addresses"},
    {"-nic user,hostname=", "hostname= is empty"},
    {"-nic user,domain=a/b", "letters"},
    {"-nic user,tftp=", "tftp= is empty"},
    {"-nic none,mac=52:54:00:12:34:56", "-nic open"},
    {"-nic none -nic user", "no network card"},
    {"-net user", "-nic"},
    {"-net nic", "-nic"},
    {"-nic user -nic user -nic user -nic user -nic user", "at most 4"},
    {"-nic user,id=a -nic user,id=a", "two cards have id=a"},
    {"-nic user,mac=52:54:00:12:34:56 -nic user,mac=52:54:00:12:34:56", "52:54:00:12:34:56"},
    {"-nic user,pcap=a -nic open,pcap=a", "same file"},
    {"-nic tap:t0 -nic tap:t0", "both on interface t0"},
};

Test(nic, wrong_words_are_refused_with_what_would_be_right)
{
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct options o;
        GError *err = NULL;

        cr_expect_not(parse_words(&o, bad[i].line, &err), "'%s'", bad[i].line);
        if (err) {
            cr_expect_eq(err->code, (int)CANDELA_ERROR_CONFIG, "'%s'", bad[i].line);
            cr_expect(strstr(err->message, bad[i].says), "'%s' says: %s", bad[i].line,
                      err->message);
            cr_expect_null(strchr(err->message, '\n'), "'%s': more than a line", bad[i].line);
        }
        g_clear_error(&err);
        options_clear(&o);
    }
}

Test(nic, sixteen_ports_can_be_forwarded)
{
    g_autoptr(GString) line = g_string_new("-nic user");
    struct options o;

    for (unsigned i = 0; i < NIC_MAX_FORWARDS; i++) {
        g_string_append_printf(line, ",hostfwd=tcp::%u-:%u", 1000 + i, i + 1);
    }
    parse_good(&o, line->str);
    options_clear(&o);
    g_string_append(line, ",hostfwd=tcp::2000-:99");
    cr_expect_not(parse_words(&o, line->str, NULL));
    options_clear(&o);
}

Test(nic, a_made_up_id_avoids_the_given_ones)
{
    struct options o;

    parse_good(&o, "-nic user -nic user,id=nic0 -nic user");
    cr_expect_str_eq(o.vm.nics[0].id, "nic1");
    cr_expect_str_eq(o.vm.nics[2].id, "nic2");
    options_clear(&o);
}

/* The addresses of the cards of a command line. */
static void give_macs(const char *line, uint8_t macs[VM_MAX_NICS][6])
{
    struct options o;

    parse_good(&o, line);
    nic_give_macs(&o.vm);
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        memcpy(macs[i], o.vm.nics[i].mac, 6);
        cr_expect_eq(o.vm.nics[i].has_mac, o.vm.nics[i].used);
    }
    options_clear(&o);
}

static bool same_macs(const char *a, const char *b)
{
    uint8_t first[VM_MAX_NICS][6], second[VM_MAX_NICS][6];

    give_macs(a, first);
    give_macs(b, second);
    return !memcmp(first, second, sizeof first);
}

Test(nic, made_up_addresses_are_local_and_differ)
{
    uint8_t macs[VM_MAX_NICS][6];

    for (unsigned round = 0; round < 50; round++) {
        give_macs("-nic user -nic user -nic user -nic user", macs);
        for (unsigned i = 0; i < VM_MAX_NICS; i++) {
            cr_expect_eq(macs[i][0] & 3, 2);
            for (unsigned k = 0; k < i; k++) {
                cr_expect(memcmp(macs[i], macs[k], 6));
            }
        }
    }
}

Test(nic, a_machine_with_a_name_keeps_its_addresses)
{
    uint8_t macs[VM_MAX_NICS][6];
    static const uint8_t known[6] = {0x22, 0x2c, 0xa5, 0xfb, 0x18, 0xd6};

    cr_expect(same_macs("-name a", "-name a"));
    cr_expect(same_macs("-name a -hda x", "-name a -hdb y -nic user"));
    cr_expect_not(same_macs("-name a", "-name b"));
    /* What is written down in guests: a change of how they are made up would be noticed there. */
    give_macs("-name a", macs);
    cr_expect(!memcmp(macs[0], known, 6), "%02x %02x %02x %02x %02x %02x", macs[0][0], macs[0][1],
              macs[0][2], macs[0][3], macs[0][4], macs[0][5]);
}

Test(nic, a_machine_with_a_disk_keeps_its_addresses)
{
    cr_expect(same_macs("-hda /tmp/x.img", "-hda /tmp/x.img -m 1G"));
    cr_expect(same_macs("-hda /tmp/x.img -hdb /tmp/y.img", "-hdb /tmp/y.img -hda /tmp/x.img"));
    cr_expect(same_macs("-hda /tmp/x.img", "-hda /tmp/x.img -cdrom c.iso -fda f.img"));
    cr_expect_not(same_macs("-hda /tmp/x.img", "-hda /tmp/y.img"));
    cr_expect_not(same_macs("-hda /tmp/x.img", "-name x.img"));
}

Test(nic, the_disk_is_known_by_its_real_path)
{
    g_autofree char *dir = g_dir_make_tmp("candela-nic-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(dir, "d.img", NULL);
    g_autofree char *link = g_build_filename(dir, "l.img", NULL);
    g_autofree char *a = g_strconcat("-hda ", file, NULL);
    g_autofree char *b = g_strconcat("-hda ", link, NULL);

    cr_assert(g_file_set_contents(file, "x", 1, NULL));
    cr_assert_eq(symlink("d.img", link), 0);
    cr_expect(same_macs(a, b));
    g_unlink(link);
    g_unlink(file);
    g_rmdir(dir);
}

Test(nic, machines_that_may_run_at_the_same_time_do_not_share_addresses)
{
    static const char *const lines[] = {"",
                                        "-cdrom /tmp/x.iso",
                                        "-fda /tmp/x.img",
                                        "-hda /tmp/x.img -snapshot",
                                        "-drive file=/tmp/x.img,readonly=on",
                                        "-kernel k"};

    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        cr_expect_not(same_macs(lines[i], lines[i]), "%s", lines[i]);
    }
}

Test(nic, a_made_up_address_is_not_one_that_was_given)
{
    uint8_t macs[VM_MAX_NICS][6];
    g_autofree char *line = NULL;

    give_macs("-name a -nic open", macs);
    line = g_strdup_printf("-name a -nic open -nic open,mac=%02x:%02x:%02x:%02x:%02x:%02x",
                           macs[0][0], macs[0][1], macs[0][2], macs[0][3], macs[0][4], macs[0][5]);
    give_macs(line, macs);
    cr_expect(memcmp(macs[0], macs[1], 6));
    cr_expect_eq(macs[0][0] & 3, 2);
}
