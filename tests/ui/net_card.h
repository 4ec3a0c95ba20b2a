/*
 * A card without a chip, for tests of what is behind a port: it sends what the test gives it and
 * keeps what comes.
 *
 *     struct net_card card;
 *     net_card_init(&card, m->nics[0]);
 *     net_card_send(&card, frame, len);
 *     net_card_wait(&card, 1);
 *
 * All functions take the machine lock themselves, so that the net thread may run.
 *
 * Not modelled: addresses; it takes every frame.
 */
#ifndef TESTS_UI_NET_CARD_H
#define TESTS_UI_NET_CARD_H

#include "hw/core/machine.h"

struct net_card {
    struct device dev; /* only to be found by the contract's functions */
    struct net *n;
    GQueue *out;      /* GBytes to be sent */
    GPtrArray *in;    /* GBytes received */
    uint64_t buffers; /* frames it still takes; UINT64_MAX: any number */
    unsigned missed, transmits;
    bool endless; /* it has more to send, always, but no frame */
    bool keep;    /* keep what comes in `in`; else only count it */
    uint64_t count, bytes;
};

void net_card_init(struct net_card *c, struct net *n);
void net_card_fini(struct net_card *c);
/* Queue a frame and kick. */
void net_card_send(struct net_card *c, const void *frame, size_t len);
/* Let it take that many more frames. */
void net_card_add_buffers(struct net_card *c, uint64_t buffers);
/* Wait until it has got `count` frames altogether, or a minute is over; whether it has. */
bool net_card_wait(struct net_card *c, uint64_t count);
/* Wait until all it was to send is gone, likewise. */
bool net_card_wait_sent(struct net_card *c);
/* The n-th frame that came, with `keep`; NULL: not there.  Owned by the card. */
const uint8_t *net_card_frame(struct net_card *c, unsigned n, size_t *len);
/* A reason's counter at its port. */
uint64_t net_card_drops(struct net_card *c, enum net_drop why);

#endif
