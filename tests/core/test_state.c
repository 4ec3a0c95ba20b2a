/*
 * State tables: reset, printing, and the proof of cover.
 *
 * Not modelled: the CPU.
 */
#include "tests/rig.h"
#include <criterion/criterion.h>

struct chan {
    uint16_t count;
    bool gate;
    uint8_t hole;
};

struct thing {
    struct device dev;
    struct thing_state {
        struct timer timer;
        struct line irq;
        struct chan chan[2];
        uint64_t big;
        uint8_t table[40];
        uint8_t kept;
        uint8_t hole[7];
    } s;
};

static const struct state_field chan_state[] = {
    STATE(struct chan, count, .reset = 0x1234),
    STATE(struct chan, gate, .reset = 1),
    STATE_HOLE(struct chan, hole),
    STATE_END,
};

#define F(m, ...) STATE(struct thing, s.m, __VA_ARGS__)
static const struct state_field thing_state[] = {
    F(timer),
    F(irq),
    STATE_STRUCTS(struct thing, s.chan, chan_state),
    F(big, .reset = 0x1122334455667788),
    STATE_ARRAY(struct thing, s.table, .reset = 0xab),
    F(kept, .reset = 9, .keep = true),
    STATE_HOLE(struct thing, s.hole),
    STATE_GONE("old"),
    STATE_END,
};

static void thing_fire(G_GNUC_UNUSED struct device *dev, G_GNUC_UNUSED unsigned n)
{
}

static bool thing_attach(struct device *dev, G_GNUC_UNUSED GError **err)
{
    timer_init(&((struct thing *)dev)->s.timer, dev, thing_fire, 0);
    return true;
}

static const struct device_ops thing_ops = {
    .name = "thing",
    DEVICE_STATE(struct thing),
    .state = thing_state,
    .attach = thing_attach,
};

Test(state, reset_puts_every_kind_back)
{
    struct rig *r = rig_begin(NULL);
    struct thing *t = (struct thing *)device_new(r->m, &thing_ops, "thing");
    struct rig_pin pin = {0};

    rig_connect(&t->s.irq, &pin);
    rig_ready(r);
    cr_assert_eq(t->s.chan[1].count, 0x1234);
    timer_at(&t->s.timer, 500);
    line_set(&t->s.irq, true);
    t->s.chan[1] = (struct chan){1, false, 7};
    t->s.big = 0;
    memset(t->s.table, 0, sizeof t->s.table);
    t->s.kept = 77;
    state_reset(thing_state, t);
    cr_assert(!t->s.timer.armed && !t->s.timer.at && t->s.timer.deadline == 0);
    cr_assert_eq(clock_next_deadline(r->m), -1);
    cr_assert(!t->s.irq.level && pin.falls == 1, "the sink must hear the line go low");
    cr_assert(t->s.chan[1].count == 0x1234 && t->s.chan[1].gate && t->s.chan[1].hole == 0);
    cr_assert_eq(t->s.big, 0x1122334455667788);
    cr_assert(t->s.table[0] == 0xab && t->s.table[39] == 0xab);
    cr_assert_eq(t->s.kept, 77, "kept fields survive");
    rig_free(r);
}

Test(state, print_names_every_field_once)
{
    struct thing t = {0};
    g_autoptr(GString) out = g_string_new(NULL);

    t.s.chan[1].count = 0xbeef;
    t.s.timer = (struct timer){.armed = true, .deadline = 42};
    state_print(thing_state, &t, 2, out);
    cr_assert(strstr(out->str, "  timer=at 42 ns\n"));
    cr_assert(strstr(out->str, "  irq=0\n"));
    cr_assert(strstr(out->str, "  chan[1]:\n    count=beef\n    gate=0\n"));
    cr_assert(strstr(out->str, "... (40 in all)\n"));
    cr_assert(!strstr(out->str, "hole") && !strstr(out->str, "old"));
}

Test(state, print_knows_words_and_leaves_zeros_out)
{
    static const char *const speeds[] = {"slow", "fast"};
    static const struct state_field chans[] = {STATE(struct chan, count, .max = 1, .words = speeds),
                                               STATE_END};
    struct {
        struct chan chan[5];
    } t = {.chan = {[0] = {.count = 1}, [4] = {.count = 2}}};
    const struct state_field table[] = {{.name = "chan",
                                         .kind = STATE_KIND_STRUCTS,
                                         .size = sizeof t.chan[0],
                                         .count = 5,
                                         .sub = chans},
                                        STATE_END};
    g_autoptr(GString) out = g_string_new(NULL);

    state_print(table, &t, 0, out);
    cr_assert_str_eq(out->str, "chan[0]:\n  count=0001 (fast)\nchan[1..3]: zero\n"
                               "chan[4]:\n  count=0002\n");
}

Test(state, cover_finds_gaps_overlaps_and_overruns)
{
    static const struct state_field gap[] = {STATE(struct chan, count), STATE(struct chan, gate),
                                             STATE_END};
    static const struct state_field overlap[] = {STATE(struct chan, count),
                                                 STATE(struct chan, count), STATE_END};
    uint8_t covered[sizeof(struct thing)] = {0};
    unsigned missing = 0;

    cr_assert(state_cover(thing_state, 0, covered, sizeof covered));
    for (size_t i = offsetof(struct thing, s); i < sizeof(struct thing); i++) {
        missing += !covered[i];
    }
    cr_assert_eq(missing, 0, "%u bytes not covered", missing);

    memset(covered, 0, sizeof covered);
    cr_assert(state_cover(gap, 0, covered, sizeof(struct chan)));
    cr_assert(covered[2] && !covered[3]);
    memset(covered, 0, sizeof covered);
    cr_assert(!state_cover(overlap, 0, covered, sizeof(struct chan)));
    memset(covered, 0, sizeof covered);
    cr_assert(!state_cover(chan_state, 0, covered, 3), "a field outside the struct");
}
