/*
 * The byte-stream contract: a serial port, debug console or monitor on one side, a host endpoint on
 * the other.
 *
 * Not modelled: framing; a device paces itself.
 */
#ifndef HW_CORE_CHR_H
#define HW_CORE_CHR_H

#include "hw/core/base.h"

struct chr;

/* The backend's side (ui/chr_host.c).  Called with the machine lock held; must not block. */
struct chr_ops {
    /* Take up to len bytes; the number taken (0: full, chr_writable will be called). */
    size_t (*write)(struct chr *c, const uint8_t *buf, size_t len);
    /* The front end has room for input again. */
    void (*accept_input)(struct chr *c);
    /* Break condition, modem outputs: may be NULL. */
    void (*set_break)(struct chr *c, bool on);
    void (*close)(struct chr *c);
};

/* The front end's side (uart.c, debugcon, monitor).  Called with the lock held. */
struct chr_front {
    size_t (*can_read)(void *opaque); /* bytes it has room for now */
    void (*read)(void *opaque, const uint8_t *buf, size_t len);
    void (*writable)(void *opaque);
    void (*connected)(void *opaque, bool on);
    void (*got_break)(void *opaque);
    /* Whether answers are to come for a peer that has said its last word: a socket is closed when
     * they are through.  May be NULL. */
    bool (*busy)(void *opaque);
};

struct chr {
    const struct chr_ops *ops;
    const struct chr_front *front;
    void *opaque; /* the front end's */
    char *name;
    bool open;  /* a peer is there */
    bool paced; /* the user wants the speed the guest programs, not the host's */
    struct machine *m;
    /* Sees every byte the guest writes, before the backend (for --expect-serial); may be NULL. */
    void (*tap)(void *tap_opaque, const uint8_t *buf, size_t len);
    void *tap_opaque;
};

/* Write what the peer takes; NULL or unconnected streams swallow everything. */
static inline size_t chr_write(struct chr *c, const uint8_t *buf, size_t len)
{
    if (!c) {
        return len;
    }
    size_t n = c->ops && c->ops->write ? c->ops->write(c, buf, len) : len;
    if (c->tap && n) {
        c->tap(c->tap_opaque, buf, n);
    }
    return n;
}

static inline void chr_accept_input(struct chr *c)
{
    if (c && c->ops && c->ops->accept_input) {
        c->ops->accept_input(c);
    }
}

#endif
