/*
 * A queue of input for the machine in which motions are added up.
 */
#include "ui/window_input.h"

void window_input_init(struct window_input *in, struct machine *m)
{
    memset(in, 0, sizeof *in);
    g_mutex_init(&in->lock);
    in->m = m;
}

void window_input_clear(struct window_input *in)
{
    g_mutex_clear(&in->lock);
}

static void input_give(struct machine *m, const struct input_item *i)
{
    switch (i->kind) {
    case INPUT_KEY:
        input_key(m, i->code, i->down);
        break;
    case INPUT_MOTION:
        input_pointer(m, i->dx, i->dy, i->wheel, i->buttons);
        break;
    case INPUT_PLACE:
        input_tablet(m, i->x, i->y, i->wheel, i->buttons);
        break;
    }
}

void window_input_flush(struct window_input *in)
{
    struct input_item items[INPUT_ITEMS];
    unsigned count;

    g_mutex_lock(&in->lock);
    count = in->count;
    memcpy(items, in->items, count * sizeof items[0]);
    in->count = 0;
    in->posted = false;
    g_mutex_unlock(&in->lock);
    for (unsigned n = 0; n < count; n++) {
        input_give(in->m, &items[n]);
    }
}

static void input_on_post(void *arg)
{
    window_input_flush(arg);
}

/* Whether `i` only moves the pointer on from what `last` says. */
static bool input_merges(const struct input_item *last, const struct input_item *i)
{
    return last->kind == i->kind && i->kind != INPUT_KEY && last->buttons == i->buttons;
}

static void input_merge(struct input_item *last, const struct input_item *i)
{
    last->dx = CLAMP(last->dx + i->dx, -(1 << 20), 1 << 20);
    last->dy = CLAMP(last->dy + i->dy, -(1 << 20), 1 << 20);
    last->wheel = CLAMP(last->wheel + i->wheel, -(1 << 10), 1 << 10);
    last->x = i->x;
    last->y = i->y;
}

/* `now`: it does not wait for the frame. */
static void input_put(struct window_input *in, const struct input_item *i, bool now)
{
    struct input_item *last;
    bool post = false;

    g_mutex_lock(&in->lock);
    last = in->count ? &in->items[in->count - 1] : NULL;
    if (last && input_merges(last, i)) {
        input_merge(last, i);
    } else if (in->count < INPUT_ITEMS) {
        in->items[in->count++] = *i;
    } else if (i->kind == INPUT_KEY && !i->down) {
        *last = *i; /* a key that stays down is worse than one that is lost */
        in->dropped++;
    } else {
        in->dropped++;
    }
    if (now && !in->posted) {
        in->posted = post = true;
    }
    g_mutex_unlock(&in->lock);
    if (post) {
        loop_post(in->m, input_on_post, in);
    }
}

void window_input_key(struct window_input *in, unsigned code, bool down)
{
    input_put(in, &(struct input_item){.kind = INPUT_KEY, .code = code, .down = down}, true);
}

/* A motion waits for the frame, a button or the wheel does not. */
static void input_pointer_item(struct window_input *in, struct input_item *i)
{
    bool now = i->wheel || i->buttons != in->buttons;

    in->buttons = i->buttons;
    input_put(in, i, now);
}

void window_input_motion(struct window_input *in, int dx, int dy, int wheel, unsigned buttons)
{
    struct input_item i = {
        .kind = INPUT_MOTION, .dx = dx, .dy = dy, .wheel = wheel, .buttons = buttons};

    input_pointer_item(in, &i);
}

void window_input_place(struct window_input *in, unsigned x, unsigned y, int wheel,
                        unsigned buttons)
{
    struct input_item i = {.kind = INPUT_PLACE, .x = x, .y = y, .wheel = wheel, .buttons = buttons};

    input_pointer_item(in, &i);
}
