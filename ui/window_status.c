/*
 * What a window shows of its machine: states, media, and lights made of byte counters.
 */
#include "ui/window_status.h"

enum { LIT_LOOKS = 2 }; /* a light can be seen, and does not flicker while a disk is busy */

void window_status_copy(struct window_status *to, const struct window_status *from)
{
    *to = *from;
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        to->drives[i].path = g_strdup(from->drives[i].path);
    }
}

void window_status_clear(struct window_status *s)
{
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        g_free(s->drives[i].path);
    }
    memset(s, 0, sizeof *s);
}

void window_watch_clear(struct window_watch *w)
{
    window_status_clear(&w->told);
}

/* In: from the medium or the wire to the guest. */
static enum gui_light counter_light(struct window_counter *c, const void *of, uint64_t in,
                                    uint64_t out)
{
    bool reads = c->of == of && in != c->in, writes = c->of == of && out != c->out;

    *c = (struct window_counter){of, in, out, c->lit, c->last};
    if (reads || writes) {
        c->lit = LIT_LOOKS;
        c->last = writes ? GUI_LIGHT_WRITE : GUI_LIGHT_READ;
    } else if (c->lit) {
        c->lit--;
    }
    return c->lit ? c->last : GUI_LIGHT_OFF;
}

static bool watch_drive(struct window_watch *w, const struct machine *m, unsigned i)
{
    const struct block *b = m->drives[i];
    struct window_drive *told = &w->told.drives[i], now = {0};

    now.light = b ? counter_light(&w->drives[i], b, b->read_bytes, b->write_bytes) : GUI_LIGHT_NONE;
    now.readonly = b && b->readonly;
    if (now.light == told->light && now.readonly == told->readonly &&
        !g_strcmp0(told->path, b ? b->path : NULL)) {
        return false;
    }
    now.path = g_strdup(b ? b->path : NULL);
    g_free(told->path);
    *told = now;
    return true;
}

static bool watch_nic(struct window_watch *w, const struct machine *m, unsigned i)
{
    struct net *n = m->nics[i];
    struct window_nic *told = &w->told.nics[i], now = {0};

    if (!n) {
        return false;
    }
    now.light = counter_light(&w->nics[i], n, atomic_load(&n->stats.rx_bytes),
                              atomic_load(&n->stats.tx_bytes));
    now.link = n->link;
    if (now.light == told->light && now.link == told->link) {
        return false;
    }
    *told = now;
    return true;
}

bool window_watch_look(struct window_watch *w, struct machine *m)
{
    bool tablet = input_has_tablet(m), changed;
    unsigned leds = input_leds(m);

    changed = m->paused != w->told.paused || tablet != w->told.tablet || leds != w->told.leds ||
              m->switches != w->told.switches;
    w->told.paused = m->paused;
    w->told.leds = leds;
    w->told.switches = m->switches;
    w->told.engine = m->accel ? m->accel->name : NULL;
    w->told.tablet = tablet;
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        changed |= watch_drive(w, m, i);
    }
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        changed |= watch_nic(w, m, i);
    }
    return changed;
}
