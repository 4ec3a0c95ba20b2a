/*
 * The net thread: ports between a card without a chip and a peer made here.
 */
#include "tests/rig.h"
#include "tests/ui/net_card.h"
#include "ui/net_int.h"
#include <criterion/criterion.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A peer that counts what it gets, and gives what the test asks for when its descriptor is
 * signalled. */
struct test_peer {
    int fd;
    unsigned index; /* in the poll set */
    _Atomic uint64_t got, flushes;
    _Atomic uint64_t give; /* frames to give */
    _Atomic bool blocked, opened, closed;
    _Atomic uint64_t held_back; /* rounds without room */
    uint8_t last[64];
    size_t last_len;
    uint32_t number; /* of the next frame given */
};

static void peer_signal(struct test_peer *t)
{
    uint64_t one = 1;

    cr_assert_eq(write(t->fd, &one, sizeof one), (ssize_t)sizeof one);
}

static void peer_prepare(struct net_port *p, struct net_poll *poll)
{
    struct test_peer *t = p->peer;

    if (net_port_has_room(p)) {
        t->index = net_poll_add(poll, t->fd, POLLIN);
    } else {
        t->index = UINT_MAX;
        t->held_back++;
    }
}

static void peer_dispatch(struct net_port *p, const struct net_poll *poll)
{
    struct test_peer *t = p->peer;
    uint8_t frame[1500] = {0};
    uint64_t n;

    if (!net_poll_revents(poll, t->index)) {
        return;
    }
    /* Give a few a round, so that the rule about room shows. */
    for (unsigned i = 0; i < 32 && t->give; i++, t->give--) {
        st_le32(frame + 16, t->number++);
        net_port_input(p, frame, sizeof frame);
    }
    if (!t->give) {
        cr_assert_eq(read(t->fd, &n, sizeof n), (ssize_t)sizeof n);
    }
}

static bool peer_can_send(struct net_port *p)
{
    return !((struct test_peer *)p->peer)->blocked;
}

static void peer_send(struct net_port *p, const uint8_t *frame, size_t len)
{
    struct test_peer *t = p->peer;

    t->last_len = len;
    memcpy(t->last, frame, MIN(len, sizeof t->last));
    t->got++;
}

static void peer_flush(struct net_port *p)
{
    ((struct test_peer *)p->peer)->flushes++;
}

static bool peer_open(struct net_port *p, G_GNUC_UNUSED GError **err)
{
    ((struct test_peer *)p->peer)->opened = true;
    return true;
}

static void peer_close(struct net_port *p)
{
    ((struct test_peer *)p->peer)->closed = true;
}

static const struct net_peer_ops peer_ops = {
    .name = "test",
    .open = peer_open,
    .prepare = peer_prepare,
    .dispatch = peer_dispatch,
    .can_send = peer_can_send,
    .send = peer_send,
    .flush = peer_flush,
    .close = peer_close,
};

struct bench {
    struct rig *r;
    struct nets *s;
    struct net_card card;
    struct test_peer peer;
};

/* The thread runs from here on; `edit` may change the first card's configuration. */
static void bench_begin(struct bench *b, void (*edit)(struct nic_config *c))
{
    struct vm_config config;
    GError *err = NULL;
    struct net_port *p;

    *b = (struct bench){0};
    vm_config_init(&config);
    config.nics[0] = (struct nic_config){.used = true, .id = g_strdup("nic0")};
    if (edit) {
        edit(&config.nics[0]);
    }
    b->r = rig_begin(&config);
    vm_config_clear(&config);
    b->s = nets_new(b->r->m, NULL);
    rig_ready(b->r);
    machine_unlock(b->r->m);
    p = b->s->ports[0];
    p->ops = &peer_ops;
    p->peer = &b->peer;
    p->net.link = !p->config->link_down;
    b->peer.fd = eventfd(0, EFD_CLOEXEC);
    net_card_init(&b->card, &p->net);
    cr_assert(nets_start(b->s, &err), "%s", err ? err->message : "");
    cr_assert(b->peer.opened);
}

static void bench_end(struct bench *b)
{
    nets_stop(b->s);
    machine_lock(b->r->m);
    rig_free(b->r);
    nets_free(b->s);
    cr_assert(b->peer.closed);
    net_card_fini(&b->card);
    close(b->peer.fd);
}

/* Wait for a value of the net thread's; a minute is for ever. */
static bool wait_for(_Atomic uint64_t *val, uint64_t at_least)
{
    for (unsigned ms = 0; ms < 60000 && atomic_load(val) < at_least; ms++) {
        g_usleep(1000);
    }
    return atomic_load(val) >= at_least;
}

static void give(struct bench *b, uint64_t frames)
{
    b->peer.give += frames;
    peer_signal(&b->peer);
}

Test(net, carries_frames_both_ways)
{
    struct bench b;
    uint8_t frame[60] = "to the wire";
    size_t len;

    bench_begin(&b, NULL);
    for (unsigned i = 0; i < 1000; i++) {
        net_card_send(&b.card, frame, sizeof frame);
    }
    cr_assert(wait_for(&b.peer.got, 1000));
    cr_assert_eq(b.peer.last_len, sizeof frame);
    cr_assert_str_eq((char *)b.peer.last, "to the wire");
    give(&b, 1000);
    cr_assert(net_card_wait(&b.card, 1000));
    for (unsigned i = 0; i < 1000; i++) {
        const uint8_t *got = net_card_frame(&b.card, i, &len);

        cr_assert_eq(len, 1500);
        cr_assert_eq(ld_le32(got + 16), i);
    }
    cr_assert_eq(b.card.n->stats.tx_frames, 1000);
    cr_assert_eq(b.card.n->stats.tx_bytes, 60000);
    cr_assert_eq(b.card.n->stats.rx_frames, 1000);
    cr_assert_eq(b.card.n->stats.rx_bytes, 1500000);
    bench_end(&b);
}

Test(net, moves_many_frames_in_one_batch)
{
    struct bench b;
    uint8_t frame[60] = {0};

    bench_begin(&b, NULL);
    b.peer.blocked = true;
    for (unsigned i = 0; i < 4 * NET_BATCH_FRAMES; i++) {
        net_card_send(&b.card, frame, sizeof frame);
    }
    b.peer.blocked = false;
    nets_wake(b.s);
    machine_lock(b.r->m);
    net_kick(b.card.n, NET_KICK_TX);
    machine_unlock(b.r->m);
    cr_assert(wait_for(&b.peer.got, 4 * NET_BATCH_FRAMES));
    cr_assert_leq(b.peer.flushes, 5);
    bench_end(&b);
}

/* The peer takes nothing for a while: the frames wait at the card. */
Test(net, holds_the_card_back_while_the_peer_is_full)
{
    struct bench b;
    uint8_t frame[60] = {0};

    bench_begin(&b, NULL);
    b.peer.blocked = true;
    for (unsigned i = 0; i < 100; i++) {
        net_card_send(&b.card, frame, sizeof frame);
    }
    give(&b, 1); /* a round has gone by when it is through */
    cr_assert(net_card_wait(&b.card, 1));
    cr_assert_eq(b.peer.got, 0);
    cr_assert_eq(b.card.transmits, 0);
    b.peer.blocked = false;
    give(&b, 1);
    cr_assert(wait_for(&b.peer.got, 100));
    for (unsigned i = 0; i < NET_DROPS; i++) {
        cr_assert_eq(net_card_drops(&b.card, i), 0);
    }
    bench_end(&b);
}

/* The card has no buffers for a while, then always a few: nothing is lost, and the peer is not read
 * without end. */
Test(net, holds_the_peer_back_while_the_card_is_full)
{
    struct bench b;

    bench_begin(&b, NULL);
    b.card.buffers = 10;
    give(&b, 2000);
    cr_assert(net_card_wait(&b.card, 10));
    for (uint64_t n = 10; n < 2000; n += 10) {
        net_card_add_buffers(&b.card, 10);
        cr_assert(net_card_wait(&b.card, n + 10));
        cr_assert_leq(b.s->ports[0]->in.size, NET_QUEUE_MAX);
    }
    cr_assert_gt(b.peer.held_back, 0);
    if (!net_card_drops(&b.card, NET_DROP_MISSED)) { /* no time limit was met on a busy host */
        cr_assert_eq(b.card.in->len, 2000);
    }
    bench_end(&b);
}

/* While nothing can move the thread sleeps. */
Test(net, sleeps_while_the_card_is_full)
{
    struct bench b;
    uint64_t rounds;

    bench_begin(&b, NULL);
    b.card.buffers = 0;
    give(&b, 2000);
    cr_assert(wait_for(&b.peer.held_back, 1));
    rounds = b.peer.held_back;
    g_usleep(200000);
    cr_assert_lt(b.peer.held_back - rounds, 20);
    bench_end(&b);
}

Test(net, a_queue_keeps_its_limit)
{
    static uint8_t frame[1000];
    struct net_queue q = {0};
    unsigned pushed = 0;

    while (pushed < 2 * NET_QUEUE_MAX / sizeof frame && net_queue_push(&q, frame, sizeof frame)) {
        if (++pushed == 1000) { /* of the megabyte it has; it grows to two, then to eight */
            for (unsigned i = 0; i < 500; i++) {
                net_queue_pop(&q);
            }
        }
    }
    cr_assert_leq(q.tail - q.head, NET_QUEUE_MAX);
    cr_assert_gt(q.tail - q.head, NET_QUEUE_MAX - 2 * sizeof frame);
    cr_assert_eq(q.frames, pushed - 500);
    net_queue_clear(&q);
}

/* A guest can make a list that has no end and no frame in it; others get the lock meanwhile. */
Test(net, takes_its_time_with_a_list_that_leads_nowhere)
{
    struct bench b;
    int64_t begun;
    uint64_t calls;

    bench_begin(&b, NULL);
    begun = g_get_monotonic_time();
    machine_lock(b.r->m);
    b.card.endless = true;
    net_kick(b.card.n, NET_KICK_TX);
    machine_unlock(b.r->m);
    g_usleep(100000);
    machine_lock(b.r->m);
    calls = b.card.transmits;
    machine_unlock(b.r->m);
    cr_assert_lt((int64_t)calls, (g_get_monotonic_time() - begun) / 50);
    bench_end(&b);
}

/* A card that takes nothing for long loses frames, and is told of each. */
Test(net, loses_frames_of_a_card_that_is_stuck)
{
    struct bench b;
    _Atomic uint64_t *missed;

    bench_begin(&b, NULL);
    missed = &b.card.n->stats.drops[NET_DROP_MISSED];
    b.card.buffers = 0;
    give(&b, 20000);
    cr_assert(wait_for(missed, 15000));
    net_card_add_buffers(&b.card, UINT64_MAX);
    for (unsigned ms = 0; ms < 60000 && b.card.count + *missed < 20000; ms++) {
        g_usleep(1000);
    }
    cr_assert_eq(b.card.count + *missed, 20000);
    machine_lock(b.r->m);
    net_kick(b.card.n, NET_KICK_RX);
    machine_unlock(b.r->m);
    cr_assert_eq(b.card.missed, *missed);
    /* And goes on as before. */
    uint64_t before = b.card.count;
    give(&b, 5);
    cr_assert(net_card_wait(&b.card, before + 5));
    bench_end(&b);
}

static void set_link_down(struct nic_config *c)
{
    c->link_down = true;
}

Test(net, a_cable_that_is_out_carries_nothing)
{
    struct bench b;
    uint8_t frame[60] = {0};

    bench_begin(&b, set_link_down);
    net_card_send(&b.card, frame, sizeof frame);
    cr_assert(net_card_wait_sent(&b.card)); /* the guest does not hang on it */
    cr_assert(wait_for(&b.card.n->stats.drops[NET_DROP_LINK], 1));
    give(&b, 3);
    cr_assert(wait_for(&b.card.n->stats.drops[NET_DROP_LINK], 4));
    cr_assert_eq(b.card.count, 0);
    machine_lock(b.r->m);
    net_set_link(b.card.n, true);
    machine_unlock(b.r->m);
    net_card_send(&b.card, frame, sizeof frame);
    cr_assert(wait_for(&b.peer.got, 1));
    cr_assert_eq(net_card_drops(&b.card, NET_DROP_LINK), 4);
    bench_end(&b);
}

/* Each frame arrives or is counted, whenever the cable is pulled out. */
Test(net, a_cable_moves_while_frames_do)
{
    enum { FRAMES = 400 };
    uint8_t frame[60] = {0};
    uint64_t drops = 0;
    struct bench b;

    bench_begin(&b, NULL);
    for (unsigned i = 0; i < FRAMES; i++) {
        net_card_send(&b.card, frame, sizeof frame);
        machine_lock(b.r->m);
        net_set_link(b.card.n, i & 1);
        machine_unlock(b.r->m);
    }
    cr_assert(net_card_wait_sent(&b.card));
    for (unsigned ms = 0; ms < 60000 && b.peer.got + drops < FRAMES; ms++) {
        g_usleep(1000);
        drops = net_card_drops(&b.card, NET_DROP_LINK);
    }
    cr_assert_eq(b.peer.got + drops, FRAMES);
    bench_end(&b);
}

/* Nothing moves in a machine that is held; all of it moves when it goes on. */
Test(net, a_paused_machine_gets_nothing)
{
    struct bench b;
    uint8_t frame[60] = {0};

    bench_begin(&b, NULL);
    machine_lock(b.r->m);
    machine_pause(b.r->m);
    machine_unlock(b.r->m);
    net_card_send(&b.card, frame, sizeof frame);
    give(&b, 10);
    g_usleep(100000);
    cr_assert_eq(b.card.count, 0);
    cr_assert_eq(b.peer.got, 0);
    machine_lock(b.r->m);
    machine_resume(b.r->m);
    machine_unlock(b.r->m);
    cr_assert(net_card_wait(&b.card, 10));
    cr_assert(wait_for(&b.peer.got, 1));
    bench_end(&b);
}

/* A guest that could not take frames as its machine was held has its time afterwards. */
Test(net, a_paused_machine_is_not_stuck)
{
    struct net_port *p;
    struct bench b;
    int64_t paused, since;
    bool stuck;

    bench_begin(&b, NULL);
    p = b.s->ports[0];
    b.card.buffers = 0;
    give(&b, 2000);
    cr_assert(wait_for(&b.peer.held_back, 1));
    machine_lock(b.r->m);
    machine_pause(b.r->m);
    paused = since = g_get_monotonic_time();
    stuck = p->stuck; /* already, on a busy host */
    machine_unlock(b.r->m);
    for (unsigned ms = 0; ms < 60000 && !stuck && since <= paused; ms++) {
        g_usleep(1000);
        machine_lock(b.r->m);
        since = p->full_since;
        machine_unlock(b.r->m);
    }
    cr_assert(stuck || since > paused);
    cr_assert(stuck || !net_card_drops(&b.card, NET_DROP_MISSED));
    machine_lock(b.r->m);
    machine_resume(b.r->m);
    machine_unlock(b.r->m);
    net_card_add_buffers(&b.card, UINT64_MAX);
    cr_assert(net_card_wait(&b.card, 1));
    bench_end(&b);
}

Test(net, malformed_frames_are_counted)
{
    struct bench b;
    uint8_t frame[NET_FRAME_MAX] = {0};

    bench_begin(&b, NULL);
    net_card_send(&b.card, frame, NET_HEADER - 1);
    cr_assert(wait_for(&b.card.n->stats.drops[NET_DROP_MALFORMED], 1));
    net_card_send(&b.card, frame, sizeof frame);
    cr_assert(wait_for(&b.peer.got, 1));
    cr_assert_eq(b.peer.last_len, NET_FRAME_MAX);
    bench_end(&b);
}
