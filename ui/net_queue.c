/*
 * Frames that wait for a card: one piece of memory that grows up to a limit and is packed when its
 * front is free.
 *
 * Not modelled: priorities.
 */
#include "ui/net_int.h"

enum { QUEUE_BEGIN = 64 * 1024, QUEUE_KEEP = 512 * 1024 };

/* Room for `want` more bytes at the end; false: more than the limit. */
static bool net_queue_make_room(struct net_queue *q, size_t want)
{
    size_t used = net_queue_bytes(q), size = q->size ? q->size : QUEUE_BEGIN;

    if (used + want > NET_QUEUE_MAX) {
        return false;
    }
    if (q->tail + want <= q->size) {
        return true;
    }
    if (q->head) {
        memmove(q->data, q->data + q->head, used);
        q->head = 0;
        q->tail = used;
    }
    /* Half empty after packing, so that packing is rare. */
    while (size < 2 * (used + want)) {
        size *= 2;
    }
    if (size > q->size) {
        q->data = g_realloc(q->data, size);
        q->size = size;
    }
    return true;
}

bool net_queue_push(struct net_queue *q, const uint8_t *frame, uint32_t len)
{
    if (!net_queue_make_room(q, sizeof len + len)) {
        return false;
    }
    memcpy(q->data + q->tail, &len, sizeof len);
    memcpy(q->data + q->tail + sizeof len, frame, len);
    q->tail += sizeof len + len;
    q->frames++;
    return true;
}

const uint8_t *net_queue_head(const struct net_queue *q, uint32_t *len)
{
    if (!q->frames) {
        return NULL;
    }
    memcpy(len, q->data + q->head, sizeof *len);
    return q->data + q->head + sizeof *len;
}

void net_queue_pop(struct net_queue *q)
{
    uint32_t len;

    if (!net_queue_head(q, &len)) {
        return;
    }
    q->head += sizeof len + len;
    if (--q->frames) {
        return;
    }
    q->head = q->tail = 0;
    if (q->size > QUEUE_KEEP) {
        net_queue_clear(q);
    }
}

void net_queue_clear(struct net_queue *q)
{
    g_free(q->data);
    *q = (struct net_queue){0};
}
