/*
 * The switch's forwarding table: who is where, who is forgotten, and what a flood costs whom.
 */
#include "ui/net_fdb.h"
#include <criterion/criterion.h>

static const uint8_t *mac(uint8_t to[6], unsigned n)
{
    to[0] = to[1] = 2;
    st_be32(to + 2, n);
    return to;
}

static int learn(struct net_fdb *f, unsigned vid, unsigned n, unsigned link, int64_t now)
{
    uint8_t m[6];

    return net_fdb_learn(f, vid, mac(m, n), link, now);
}

static int find(struct net_fdb *f, unsigned vid, unsigned n, int64_t now)
{
    uint8_t m[6];

    return net_fdb_find(f, vid, mac(m, n), now);
}

Test(net_fdb, addresses_are_known_by_vlan)
{
    struct net_fdb *f = net_fdb_new();

    cr_expect_eq(find(f, 0, 1, 5), -1);
    cr_expect_eq(learn(f, 0, 1, 3, 5), -1);
    cr_expect_eq(learn(f, 7, 1, 4, 5), -1);
    cr_expect_eq(find(f, 0, 1, 5), 3);
    cr_expect_eq(find(f, 7, 1, 5), 4);
    cr_expect_eq(find(f, 8, 1, 5), -1);
    cr_expect_eq(find(f, 0, 2, 5), -1);
    cr_expect_eq(net_fdb_count(f, 5), 2);
    net_fdb_forget(f, 3);
    cr_expect_eq(find(f, 0, 1, 5), -1);
    cr_expect_eq(find(f, 7, 1, 5), 4);
    net_fdb_free(f);
}

Test(net_fdb, who_is_silent_is_forgotten)
{
    struct net_fdb *f = net_fdb_new();

    learn(f, 0, 1, 1, 0);
    learn(f, 0, 2, 1, 0);
    learn(f, 0, 1, 1, FDB_AGE_US / 2);
    cr_expect_eq(find(f, 0, 2, FDB_AGE_US - 1), 1);
    cr_expect_eq(find(f, 0, 2, FDB_AGE_US), -1);
    cr_expect_eq(find(f, 0, 1, FDB_AGE_US), 1);
    cr_expect_eq(net_fdb_count(f, FDB_AGE_US), 1);
    cr_expect_eq(net_fdb_count(f, 2 * FDB_AGE_US), 0);
    net_fdb_free(f);
}

Test(net_fdb, a_move_is_followed_and_a_quarrel_is_told)
{
    struct net_fdb *f = net_fdb_new();
    unsigned told = 0;

    learn(f, 0, 1, 1, 0);
    cr_expect_eq(learn(f, 0, 1, 2, 1), -1, "one move is nothing to tell");
    cr_expect_eq(find(f, 0, 1, 1), 2);
    cr_expect_eq(net_fdb_count(f, 1), 1);
    for (unsigned i = 0; i < 100; i++) {
        int other = learn(f, 0, 1, 1 + i % 2, 2 + i);

        cr_expect(other == -1 || other == (int)(2 - i % 2), "%d", other);
        told += other >= 0;
    }
    cr_expect_geq(told, 1);
    /* A machine that is plugged in elsewhere once a minute has no double. */
    for (unsigned i = 0; i < 100; i++) {
        cr_expect_eq(learn(f, 0, 9, 1 + i % 2, (int64_t)i * 60 * G_TIME_SPAN_SECOND), -1);
    }
    net_fdb_free(f);
}

Test(net_fdb, a_flood_pushes_out_its_own_entries_only)
{
    struct net_fdb *f = net_fdb_new();

    for (unsigned i = 0; i < 40; i++) {
        learn(f, 0, i, 0, i);
    }
    for (unsigned i = 0; i < 100000; i++) {
        learn(f, i % 4095, 1000 + i, 1, 100 + i);
    }
    cr_expect_eq(net_fdb_count(f, 100100), 40 + FDB_LINK_MAX);
    for (unsigned i = 0; i < 40; i++) {
        cr_expect_eq(find(f, 0, i, 100100), 0);
    }
    cr_expect_eq(find(f, 99999 % 4095, 1000 + 99999, 100100), 1, "the newest are known");
    net_fdb_free(f);
}

Test(net_fdb, floods_of_all_links_leave_each_its_share)
{
    struct net_fdb *f = net_fdb_new();
    unsigned share = FDB_ENTRIES / FDB_LINKS;

    for (unsigned i = 0; i < share; i++) {
        learn(f, 0, i, 0, i);
    }
    for (unsigned i = 0; i < 200000; i++) {
        learn(f, 0, 1000 + i, 1 + i % (FDB_LINKS - 1), 1000);
    }
    cr_expect_eq(net_fdb_count(f, 1000), FDB_ENTRIES);
    for (unsigned i = 0; i < share; i++) {
        cr_expect_eq(find(f, 0, i, 1000), 0, "%u is lost", i);
    }
    for (unsigned l = 0; l < FDB_LINKS; l++) {
        net_fdb_forget(f, l);
    }
    cr_expect_eq(net_fdb_count(f, 1000), 0);
    learn(f, 0, 1, 5, 1000);
    cr_expect_eq(find(f, 0, 1, 1000), 5);
    net_fdb_free(f);
}

/* Against a plain model, with few addresses and links so that everything happens often. */
Test(net_fdb, agrees_with_a_plain_table)
{
    struct net_fdb *f = net_fdb_new();
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    int link[64];
    int64_t seen[64], now = 0;

    memset(link, -1, sizeof link);
    for (unsigned i = 0; i < 200000; i++) {
        unsigned n = g_rand_int(rand) % 64, l = g_rand_int(rand) % 5;
        bool known;

        now += g_rand_int(rand) % (FDB_AGE_US / 20);
        switch (g_rand_int(rand) % 64) {
        case 0:
            net_fdb_forget(f, l);
            for (unsigned j = 0; j < 64; j++) {
                link[j] = link[j] == (int)l ? -1 : link[j];
            }
            break;
        default:
            learn(f, n / 16, n, l, now);
            link[n] = (int)l;
            seen[n] = now;
            break;
        }
        n = g_rand_int(rand) % 64;
        known = link[n] >= 0 && now - seen[n] < FDB_AGE_US;
        cr_assert_eq(find(f, n / 16, n, now), known ? link[n] : -1, "step %u", i);
    }
    net_fdb_free(f);
}
