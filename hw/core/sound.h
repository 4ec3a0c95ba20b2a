/*
 * The sound contract: where the PC's speaker goes.  The front end sets machine.sound before the
 * machine is built; the timer (hw/i8254.c) tells it of every change of the speaker's input.  With
 * machine.sound NULL nobody listens and nothing is computed.
 *
 * Time is counted in ticks of the PC's timer clock, as clock_ns_to_ticks(t, SPEAKER_HZ) of virtual
 * time: what the guest makes is described exactly, whether tone or pulse widths, and a listener
 * turns it into samples when it likes (clock_now tells any thread how far time has come; it stands
 * still while the machine is held).
 *
 * Not modelled: sampled sound (a sound card's stream would get a function of its own here).
 */
#ifndef HW_CORE_SOUND_H
#define HW_CORE_SOUND_H

#include "hw/core/base.h"

#define SPEAKER_HZ 1193182

/*
 * The speaker's input from tick `at` on, until the next wave: it has `level` until tick `edge` (0:
 * for ever), and from there on it is for `high` ticks high and for `low` ticks low in turn,
 * beginning with the other level.  A length of 0: that level stays.
 *
 * A tone that changes with the end of its period: from tick `turn` on (0: never), where it rises,
 * the lengths are turn_high and turn_low.
 */
struct speaker_wave {
    uint64_t at, edge, turn;
    uint32_t high, low, turn_high, turn_low;
    bool level;
};

/* What the wave is at tick `t` (not before `at`), and up to which tick it is that. */
static inline bool speaker_wave_level(const struct speaker_wave *w, uint64_t t, uint64_t *until)
{
    bool turned = w->turn && t >= w->turn, level = turned || !w->level;
    uint32_t high = turned ? w->turn_high : w->high, low = turned ? w->turn_low : w->low;
    uint64_t base = turned ? w->turn : w->edge, first = level ? high : low, in;

    *until = turned || !w->turn ? UINT64_MAX : w->turn;
    if (!turned && (!w->edge || t < w->edge)) {
        *until = w->edge ? w->edge : *until;
        return w->level;
    }
    if (!first) {
        return level;
    }
    in = high && low ? (t - base) % (high + (uint64_t)low) : t - base;
    if (in < first) {
        *until = MIN(*until, t - in + first);
        return level;
    }
    if (high && low) {
        *until = MIN(*until, t - in + high + low);
    }
    return !level;
}

struct sound {
    /*
     * The input changed.  `at` never goes back.  On any thread, with the machine lock held, so it
     * must not wait for anything.
     */
    void (*speaker)(struct sound *snd, const struct speaker_wave *wave);
};

#endif
