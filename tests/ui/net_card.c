/*
 * The card of tests/ui/net_card.h.
 *
 * Not modelled: see there.
 */
#include "tests/ui/net_card.h"

enum { WAIT_MS = 60000 };

static bool card_transmit(struct device *dev, struct net_batch *b)
{
    struct net_card *c = (struct net_card *)dev;

    c->transmits++;
    while (!g_queue_is_empty(c->out) && net_batch_has_room(b)) {
        GBytes *frame = g_queue_pop_head(c->out);
        gsize len;
        const void *data = g_bytes_get_data(frame, &len);

        memcpy(net_batch_add(b, (uint32_t)len), data, len);
        g_bytes_unref(frame);
    }
    return c->endless || !g_queue_is_empty(c->out);
}

static enum net_verdict card_receive(struct device *dev, const uint8_t *frame, size_t len)
{
    struct net_card *c = (struct net_card *)dev;

    if (!c->buffers) {
        return NET_FULL;
    }
    if (c->buffers != UINT64_MAX) {
        c->buffers--;
    }
    c->count++;
    c->bytes += len;
    if (c->keep) {
        g_ptr_array_add(c->in, g_bytes_new(frame, len));
    }
    return NET_TAKEN;
}

static void card_missed(struct device *dev)
{
    ((struct net_card *)dev)->missed++;
}

static const struct net_front card_front = {
    .transmit = card_transmit,
    .receive = card_receive,
    .missed = card_missed,
};

static void card_free_bytes(gpointer bytes)
{
    g_bytes_unref(bytes);
}

void net_card_init(struct net_card *c, struct net *n)
{
    *c = (struct net_card){.n = n, .buffers = UINT64_MAX, .keep = true};
    c->out = g_queue_new();
    c->in = g_ptr_array_new_with_free_func(card_free_bytes);
    machine_lock(n->m);
    n->front = &card_front;
    n->dev = &c->dev;
    machine_unlock(n->m);
}

void net_card_fini(struct net_card *c)
{
    g_queue_free_full(c->out, card_free_bytes);
    g_ptr_array_unref(c->in);
}

void net_card_send(struct net_card *c, const void *frame, size_t len)
{
    machine_lock(c->n->m);
    g_queue_push_tail(c->out, g_bytes_new(frame, len));
    net_kick(c->n, NET_KICK_TX);
    machine_unlock(c->n->m);
}

void net_card_add_buffers(struct net_card *c, uint64_t buffers)
{
    machine_lock(c->n->m);
    c->buffers = buffers == UINT64_MAX ? buffers : c->buffers + buffers;
    net_kick(c->n, NET_KICK_RX);
    machine_unlock(c->n->m);
}

static bool card_has(struct net_card *c, uint64_t count, bool sent)
{
    bool has;

    machine_lock(c->n->m);
    has = sent ? g_queue_is_empty(c->out) : c->count >= count;
    machine_unlock(c->n->m);
    return has;
}

static bool card_wait(struct net_card *c, uint64_t count, bool sent)
{
    for (unsigned ms = 0; ms < WAIT_MS; ms++) {
        if (card_has(c, count, sent)) {
            return true;
        }
        g_usleep(1000);
    }
    return card_has(c, count, sent);
}

bool net_card_wait(struct net_card *c, uint64_t count)
{
    return card_wait(c, count, false);
}

bool net_card_wait_sent(struct net_card *c)
{
    return card_wait(c, 0, true);
}

const uint8_t *net_card_frame(struct net_card *c, unsigned n, size_t *len)
{
    const uint8_t *data = NULL;

    machine_lock(c->n->m);
    if (n < c->in->len) {
        data = g_bytes_get_data(g_ptr_array_index(c->in, n), len);
    }
    machine_unlock(c->n->m);
    return data;
}

uint64_t net_card_drops(struct net_card *c, enum net_drop why)
{
    return atomic_load(&c->n->stats.drops[why]);
}
