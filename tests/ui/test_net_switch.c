/*
 * The switch, between the cards of a machine and between machines of one process.
 */
#include "tests/ui/net_node.h"
#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>

/* In one process ------------------------------------------------------------------------------- */

Test(net_switch, learns_where_addresses_are)
{
    struct node n;

    place_begin();
    node_begin(&n, "lab", 3);
    send_frame(&n.card[0], 2, 1, 'a', 0);
    cr_assert(net_card_wait(&n.card[1], 1));
    cr_assert(net_card_wait(&n.card[2], 1), "what is for an unknown address goes to all");
    send_frame(&n.card[1], 1, 2, 'b', 0);
    cr_assert(net_card_wait(&n.card[0], 1));
    send_frame(&n.card[0], 2, 1, 'c', 0);
    cr_assert(net_card_wait(&n.card[1], 2));
    send_frame(&n.card[0], EVERYBODY, 1, 'd', 0);
    cr_assert(net_card_wait(&n.card[2], 2));
    cr_assert(net_card_wait(&n.card[1], 3));
    cr_expect_eq(card_count(&n.card[0]), 1, "nothing comes back");
    cr_expect_eq(card_count(&n.card[2]), 2, "what is for a known address goes nowhere else");
    cr_expect(node_says(&n, "ports nic0 nic1 nic2; 2 addresses known", true));
    node_end(&n);
    place_end();
}

Test(net_switch, frames_that_a_switch_drops)
{
    static const uint8_t pause[6] = {0x01, 0x80, 0xc2, 0, 0, 1};
    uint8_t f[60];
    struct node n;

    place_begin();
    node_begin(&n, "lab", 2);
    make_frame(f, EVERYBODY, 1, 'x', 0);
    f[6] |= 1;
    net_card_send(&n.card[0], f, sizeof f); /* from a group */
    make_frame(f, EVERYBODY, 1, 'x', 0);
    memcpy(f, pause, 6);
    net_card_send(&n.card[0], f, sizeof f);
    make_frame(f, EVERYBODY, 1, 'x', 0);
    st_be32(f + 12, 0x81000fff);
    net_card_send(&n.card[0], f, sizeof f);
    send_frame(&n.card[0], 1, 1, 'x', 0); /* to itself */
    send_frame(&n.card[0], EVERYBODY, 1, 'y', 0);
    cr_assert(net_card_wait(&n.card[1], 1));
    cr_expect_eq(card_has(&n.card[1], 'y', 1), 1);
    cr_expect_eq(card_count(&n.card[1]), 1);
    cr_expect_eq(net_card_drops(&n.card[0], NET_DROP_MALFORMED), 3);
    node_end(&n);
    place_end();
}

static void edit_vlans(struct nic_config *c, unsigned i)
{
    static const uint16_t vlan[] = {10, 10, 20, 0};

    c->vlan = vlan[i];
    c->vlan_mode = i == 3 ? NIC_VLAN_TRUNK : NIC_VLAN_ACCESS;
    if (i == 3) {
        c->trunk[20 / 8] |= BIT(20 % 8);
        c->trunk[30 / 8] |= BIT(30 % 8);
    }
}

Test(net_switch, vlans_are_apart)
{
    GError *err = NULL;
    struct node n, other;
    const uint8_t *f;
    size_t len;

    place_begin();
    node_init(&n, "lab", 4, edit_vlans);
    cr_assert(nets_start(n.s, &err));
    node_init(&other, "lab", 4, edit_vlans);
    cr_assert(nets_start(other.s, &err));
    cr_assert(nodes_meet(&n, &other));
    send_frame(&n.card[2], EVERYBODY, 3, 'b', 0);
    cr_assert(net_card_wait(&n.card[3], 1));
    cr_assert(net_card_wait(&other.card[2], 1));
    cr_assert(net_card_wait(&other.card[3], 1));
    f = net_card_frame(&n.card[3], 0, &len);
    cr_expect_eq(len, 64);
    cr_expect_eq(net_vlan_of(f, len), 20);
    send_frame(&n.card[0], EVERYBODY, 1, 'a', 0);
    cr_assert(net_card_wait(&n.card[1], 1));
    cr_assert(net_card_wait(&other.card[0], 1));
    cr_assert(net_card_wait(&other.card[1], 1));
    cr_expect_eq(card_has(&other.card[0], 'a', 1), 1);
    /* One address may be in two VLANs. */
    send_frame(&n.card[2], EVERYBODY, 1, 'c', 0);
    cr_assert(net_card_wait(&other.card[2], 2));
    send_frame(&n.card[1], 1, 2, 'd', 0);
    cr_assert(net_card_wait(&n.card[0], 1));
    cr_expect_eq(card_count(&n.card[2]), 0);
    node_end(&other);
    node_end(&n);
    place_end();
}

Test(net_switch, one_address_twice_is_told)
{
    struct node n;

    place_begin();
    node_begin(&n, "lab", 2);
    for (unsigned i = 0; i < 40; i++) {
        send_frame(&n.card[i % 2], EVERYBODY, 7, 'a', 0);
        cr_assert(net_card_wait(&n.card[!(i % 2)], i / 2 + 1));
    }
    cr_expect(was_noted("nic0 and nic1") || was_noted("nic1 and nic0"), "%s", all_notes());
    cr_expect(was_noted("02:00:00:00:00:07"), "%s", all_notes());
    cr_expect_str_eq(strchr(all_notes(), '\n'), "\n", "one note: %s", all_notes());
    node_end(&n);
    place_end();
}

Test(net_switch, a_flood_of_addresses_makes_others_forget_nothing)
{
    struct node n;
    uint64_t before;

    place_begin();
    node_begin(&n, "lab", 3);
    send_frame(&n.card[0], EVERYBODY, 1, 'a', 0);
    send_frame(&n.card[1], EVERYBODY, 2, 'a', 0);
    cr_assert(net_card_wait(&n.card[2], 2));
    n.card[1].keep = n.card[0].keep = false;
    for (unsigned i = 0; i < 10000; i++) {
        send_frame(&n.card[2], 2, 1000 + i, 'f', i);
    }
    cr_assert(net_card_wait(&n.card[1], 10001));
    before = card_count(&n.card[2]);
    send_frame(&n.card[0], 2, 1, 'b', 0);
    cr_assert(net_card_wait(&n.card[1], 10002));
    send_frame(&n.card[1], 1, 2, 'b', 0);
    cr_assert(net_card_wait(&n.card[0], 2));
    send_frame(&n.card[0], EVERYBODY, 1, 'e', 0);
    cr_assert(net_card_wait(&n.card[2], before + 1));
    cr_expect_eq(card_has(&n.card[2], 'b', EVERYBODY), 0);
    cr_expect(node_says(&n, "514 addresses known", true));
    node_end(&n);
    place_end();
}

/* A card without buffers: the sender waits a moment, and then goes on. */
Test(net_switch, a_card_that_takes_nothing_holds_nobody_up_for_long)
{
    static const uint8_t frame[1500] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,
                                        0,    0,    0,    0,    1,    0x88, 0xb5};
    struct node n;

    place_begin();
    node_begin(&n, "lab", 3);
    n.card[0].keep = n.card[1].keep = false;
    machine_lock(n.r->m);
    n.card[2].buffers = 0;
    machine_unlock(n.r->m);
    for (unsigned i = 0; i < 5000; i++) {
        net_card_send(&n.card[0], frame, sizeof frame);
    }
    cr_assert(net_card_wait(&n.card[1], 5000));
    cr_expect_eq(card_count(&n.card[1]), 5000, "the other loses nothing");
    cr_expect_gt(net_card_drops(&n.card[2], NET_DROP_MISSED), 0);
    net_card_add_buffers(&n.card[2], UINT64_MAX);
    send_frame(&n.card[0], EVERYBODY, 1, 'z', 0);
    while (!card_has(&n.card[2], 'z', 1)) {
        cr_assert(net_card_wait(&n.card[2], card_count(&n.card[2]) + 1));
    }
    node_end(&n);
    place_end();
}

/* Its guest takes nothing, but its switch forwards for the others. */
Test(net_switch, a_paused_machine_goes_on_forwarding)
{
    static uint8_t frame[1500];
    struct node a, b, c;

    place_begin();
    node_begin(&a, "lab", 1);
    node_begin(&b, "lab", 1);
    cr_assert(nodes_meet(&a, &b));
    node_begin(&c, "lab", 1);
    cr_assert(nodes_meet(&a, &c));
    machine_lock(a.r->m);
    machine_pause(a.r->m);
    machine_unlock(a.r->m);
    c.card[0].keep = false;
    make_frame(frame, EVERYBODY, 1, 'p', 0);
    for (unsigned i = 0; i < 5000; i++) {
        net_card_send(&b.card[0], frame, sizeof frame);
    }
    cr_assert(net_card_wait(&c.card[0], 5000));
    cr_expect_eq(card_count(&a.card[0]), 0);
    machine_lock(a.r->m);
    machine_resume(a.r->m);
    machine_unlock(a.r->m);
    cr_expect(net_card_wait(&a.card[0], 100));
    node_end(&c);
    node_end(&b);
    node_end(&a);
    place_end();
}

Test(net_switch, nothing_is_lost_while_all_have_room)
{
    static uint8_t frame[1500];
    struct node a, b;

    place_begin();
    node_begin(&a, "lab", 1);
    node_begin(&b, "lab", 1);
    cr_assert(nodes_meet(&a, &b));
    send_frame(&b.card[0], EVERYBODY, 2, 'h', 0);
    cr_assert(net_card_wait(&a.card[0], 1));
    make_frame(frame, 2, 1, 'd', 0);
    for (unsigned i = 0; i < 20000; i++) {
        st_be32(frame + 16, i);
        net_card_send(&a.card[0], frame, sizeof frame);
    }
    make_frame(frame, 1, 2, 'd', 0);
    for (unsigned i = 0; i < 20000; i++) {
        net_card_send(&b.card[0], frame, i % 1400 + 60);
    }
    cr_assert(net_card_wait(&b.card[0], 20000));
    cr_assert(net_card_wait(&a.card[0], 20001));
    for (unsigned i = 0; i < 20000; i++) {
        size_t len;
        const uint8_t *f = net_card_frame(&b.card[0], i, &len);

        cr_assert(len == sizeof frame && ld_be32(f + 16) == i, "frame %u", i);
    }
    cr_expect_eq(net_card_drops(&a.card[0], NET_DROP_HOST), 0);
    cr_expect_eq(net_card_drops(&b.card[0], NET_DROP_HOST), 0);
    node_end(&a);
    node_end(&b);
    place_end();
}

Test(net_switch, the_longest_frame_gets_through)
{
    static uint8_t frame[NET_FRAME_MAX];
    struct node a, b;
    const uint8_t *f;
    size_t len;

    place_begin();
    node_begin(&a, "lab", 1);
    node_begin(&b, "lab", 1);
    cr_assert(nodes_meet(&a, &b));
    for (unsigned i = 60; i < sizeof frame; i++) {
        frame[i] = (uint8_t)(i * 31);
    }
    make_frame(frame, EVERYBODY, 1, 'l', 0);
    for (unsigned i = 0; i < 200; i++) {
        net_card_send(&a.card[0], frame, sizeof frame);
        net_card_send(&b.card[0], frame, sizeof frame);
    }
    cr_assert(net_card_wait(&b.card[0], 200) && net_card_wait(&a.card[0], 200));
    f = net_card_frame(&b.card[0], 199, &len);
    cr_assert_eq(len, sizeof frame);
    cr_expect_eq(memcmp(f, frame, len), 0);
    node_end(&a);
    node_end(&b);
    place_end();
}

/* The place ------------------------------------------------------------------------------------ */

static void expect_refusal(const char *name, const char *why)
{
    GError *err = NULL;
    struct node n;

    node_init(&n, name, 1, NULL);
    cr_assert(!nets_start(n.s, &err), "switch %s is taken", name);
    cr_expect_eq(err->domain, CANDELA_ERROR);
    cr_expect(g_str_has_prefix(err->message, "switch "), "%s", err->message);
    cr_expect(strstr(err->message, why), "%s", err->message);
    g_error_free(err);
    node_end(&n);
}

Test(net_switch, names_are_checked)
{
    g_autofree char *folder = NULL;

    place_begin();
    folder = place_path("");
    expect_refusal("", "name");
    expect_refusal("a/b", "name");
    expect_refusal("a b", "name");
    expect_refusal("\xc3\xa4", "name");
    expect_refusal("a23456789012345678901234567890123", "name");
    cr_expect(!g_file_test(folder, G_FILE_TEST_EXISTS), "the place was made for nothing");
    place_end();
}

Test(net_switch, the_place_is_private_and_left_clean)
{
    g_autofree char *folder = NULL, *path = NULL, *lock = NULL;
    struct node a, b;
    struct stat st;

    place_begin();
    umask(0);
    folder = place_path("");
    path = place_path("switch-A.b_c-9");
    lock = place_path("switch-A.b_c-9.lock");
    node_begin(&a, "A.b_c-9", 1);
    node_begin(&b, "A.b_c-9", 2);
    cr_assert_eq(stat(folder, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0700, "%o", st.st_mode);
    cr_assert_eq(stat(path, &st), 0);
    cr_expect(S_ISSOCK(st.st_mode));
    cr_expect_eq(st.st_mode & 0777, 0600, "%o", st.st_mode);
    cr_assert_eq(stat(lock, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600, "%o", st.st_mode);
    cr_expect(node_says(&a, "has the socket", true));
    cr_expect(node_says(&b, "joined to", true));
    node_end(&a);
    cr_expect(node_says(&b, "has the socket", true), "the other takes over");
    node_end(&b);
    cr_expect(lstat(path, &st) && lstat(lock, &st), "something is left");
    place_end();
}

Test(net_switch, places_that_are_not_ours_are_refused)
{
    g_autofree char *folder = NULL, *path = NULL;

    place_begin();
    folder = g_build_filename(place_folder(), "candela", NULL);
    path = place_path("switch-lab");
    cr_assert_eq(symlink("/tmp", folder), 0);
    expect_refusal("lab", "is no folder");
    unlink(folder);
    cr_assert(g_file_set_contents(folder, "x", 1, NULL));
    expect_refusal("lab", "is no folder");
    unlink(folder);
    cr_assert_eq(mkdir(folder, 0755), 0);
    expect_refusal("lab", "chmod 700");
    cr_assert_eq(chmod(folder, 0700), 0);
    if (!chown(folder, 12345, 12345)) { /* by root, who has others to give it to */
        expect_refusal("lab", "belongs to another user");
        cr_assert_eq(chown(folder, 0, 0), 0);
    }
    cr_assert(g_file_set_contents(path, "x", 1, NULL));
    expect_refusal("lab", "is no socket");
    cr_expect(g_file_test(path, G_FILE_TEST_IS_REGULAR));
    place_end();
}

Test(net_switch, works_without_a_runtime_folder)
{
    g_autofree char *name = g_strdup_printf("test-%d", (int)getpid());
    g_autofree char *path = g_strdup_printf("/tmp/candela-%u/switch-%s", (unsigned)geteuid(), name);
    struct node n;

    place_begin();
    g_unsetenv("XDG_RUNTIME_DIR");
    node_begin(&n, name, 1);
    cr_expect(g_file_test(path, G_FILE_TEST_EXISTS));
    node_end(&n);
    g_setenv("XDG_RUNTIME_DIR", "/nowhere/at/all", TRUE);
    node_begin(&n, name, 1);
    cr_expect(g_file_test(path, G_FILE_TEST_EXISTS));
    node_end(&n);
    cr_expect(!g_file_test(path, G_FILE_TEST_EXISTS));
    place_end();
}
