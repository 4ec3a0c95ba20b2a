/*
 * The PC speaker as samples: see ui/speaker.h.
 *
 * The speaker's input is high or low; a sample is first the part of its time that it was high,
 * exact to the edge, in four pieces (boxes), so that pulse widths come out as the sound that they
 * stand for.  A low-pass filter over 32 of these takes away what would come back as other tones,
 * and a high-pass at 20 Hz the constant part, as a real speaker's coil does.
 *
 * Not modelled: the sound of the cone and of the case.
 */
#include "ui/speaker.h"
#include "hw/core/clock.h"
#include <math.h>
#include <stdatomic.h>

enum { RING = 4096, BOXES = 4, TAPS = 32, LATE_WORDS = 6 };
#define VOLUME    0.5f
#define HIGH_PASS 0.99738f /* 20 Hz */
#define QUIET     1e-5f    /* below this a sample of 16 bits is 0 */

/* Half of the low-pass's coefficients, which are symmetric: a sinc of 20 kHz under a Blackman
 * window, -6 dB at 20 kHz and -80 dB from 38 kHz on; they add up to 1/2. */
static const float taps[TAPS / 2] = {
    -0.00001284f, -0.00002489f, 0.00027439f,  0.00115535f,  0.00232828f,  0.00254598f,
    -0.00010966f, -0.00685023f, -0.01611942f, -0.02225760f, -0.01655564f, 0.00877676f,
    0.05530770f,  0.11493965f,  0.17117643f,  0.20542577f,
};

struct speaker {
    struct speaker_wave ring[RING];
    _Atomic unsigned head, tail; /* head: written next; tail: read next; they count on */
    /* The last wave, when the ring was full: the words are written between two counts, which are
     * odd meanwhile. */
    _Atomic unsigned late_count;
    _Atomic uint64_t late[LATE_WORDS];
    _Atomic bool late_there;
    _Atomic uint64_t lost;
    /* Who makes samples: */
    struct speaker_wave wave; /* now */
    float box[TAPS];          /* the last boxes, a ring */
    unsigned at;
    float in, out; /* the high-pass's last */
};

struct speaker *speaker_new(void)
{
    return g_new0(struct speaker, 1);
}

void speaker_free(struct speaker *sp)
{
    g_free(sp);
}

uint64_t speaker_time(int64_t ns)
{
    return (uint64_t)(((unsigned __int128)(uint64_t)ns * SPEAKER_HZ << SPEAKER_FRACTION) /
                      (uint64_t)NS_PER_SEC);
}

uint64_t speaker_time_of_sample(uint64_t n)
{
    return (uint64_t)(((unsigned __int128)n * SPEAKER_HZ << SPEAKER_FRACTION) / SPEAKER_RATE);
}

uint64_t speaker_lost(const struct speaker *sp)
{
    return atomic_load(&sp->lost);
}

/* Waves -------------------------------------------------------------------------------------- */

static void speaker_put_late(struct speaker *sp, const struct speaker_wave *w)
{
    const uint64_t words[LATE_WORDS] = {w->at,
                                        w->edge,
                                        w->turn,
                                        w->high | (uint64_t)w->low << 32,
                                        w->turn_high | (uint64_t)w->turn_low << 32,
                                        w->level};

    atomic_fetch_add(&sp->late_count, 1);
    for (unsigned i = 0; i < LATE_WORDS; i++) {
        atomic_store(&sp->late[i], words[i]);
    }
    atomic_fetch_add(&sp->late_count, 1);
    atomic_store(&sp->late_there, true);
    atomic_fetch_add(&sp->lost, 1);
}

void speaker_put(struct speaker *sp, const struct speaker_wave *wave)
{
    unsigned head = atomic_load_explicit(&sp->head, memory_order_relaxed);

    if (head - atomic_load_explicit(&sp->tail, memory_order_acquire) == RING) {
        speaker_put_late(sp, wave);
        return;
    }
    sp->ring[head % RING] = *wave;
    atomic_store_explicit(&sp->head, head + 1, memory_order_release);
}

/* The ring is empty: the wave that found no room may be the one that counts.  One that is being
 * written just now is taken the next time. */
static void speaker_take_late(struct speaker *sp)
{
    unsigned count = atomic_load(&sp->late_count);
    uint64_t w[LATE_WORDS];

    atomic_store(&sp->late_there, false);
    for (unsigned i = 0; i < LATE_WORDS; i++) {
        w[i] = atomic_load(&sp->late[i]);
    }
    if ((count & 1) || count != atomic_load(&sp->late_count)) {
        atomic_store(&sp->late_there, true);
    } else if (w[0] >= sp->wave.at) {
        sp->wave = (struct speaker_wave){.at = w[0],
                                         .edge = w[1],
                                         .turn = w[2],
                                         .high = (uint32_t)w[3],
                                         .low = (uint32_t)(w[3] >> 32),
                                         .turn_high = (uint32_t)w[4],
                                         .turn_low = (uint32_t)(w[4] >> 32),
                                         .level = w[5]};
    }
}

/* Have sp->wave be the one in force at `at`; gives where the next one begins, as far as known. */
static uint64_t speaker_advance(struct speaker *sp, uint64_t at)
{
    unsigned tail = atomic_load_explicit(&sp->tail, memory_order_relaxed);

    for (;;) {
        const struct speaker_wave *next = &sp->ring[tail % RING];

        if (tail == atomic_load_explicit(&sp->head, memory_order_acquire)) {
            if (atomic_load(&sp->late_there)) {
                speaker_take_late(sp);
            }
            return UINT64_MAX;
        }
        if (next->at > at >> SPEAKER_FRACTION) {
            return next->at << SPEAKER_FRACTION;
        }
        if (next->at >= sp->wave.at) { /* else one that found no room was newer, and taken before */
            sp->wave = *next;
        }
        atomic_store_explicit(&sp->tail, ++tail, memory_order_release);
    }
}

/* For how much of the time from `a` to `b` the input is high. */
static uint64_t speaker_high(struct speaker *sp, uint64_t a, uint64_t b)
{
    uint64_t sum = 0;

    while (a < b) {
        uint64_t end = MIN(speaker_advance(sp, a), b), until;
        bool level = speaker_wave_level(&sp->wave, MAX(a >> SPEAKER_FRACTION, sp->wave.at), &until);

        if (until < end >> SPEAKER_FRACTION) {
            end = until << SPEAKER_FRACTION;
        }
        sum += level ? end - a : 0;
        a = end;
    }
    return sum;
}

/* Samples ------------------------------------------------------------------------------------ */

static float speaker_box(struct speaker *sp, uint64_t a, uint64_t b)
{
    return a == b ? sp->box[(sp->at + TAPS - 1) % TAPS]
                  : (float)speaker_high(sp, a, b) / (float)(b - a);
}

/* The next sample, from the last TAPS boxes. */
static float speaker_filter(struct speaker *sp)
{
    float sum = 0;

    for (unsigned i = 0; i < TAPS / 2; i++) {
        sum += taps[i] * (sp->box[(sp->at + i) % TAPS] + sp->box[(sp->at + TAPS - 1 - i) % TAPS]);
    }
    sp->out = sum - sp->in + HIGH_PASS * sp->out;
    sp->in = sum;
    if (fabsf(sp->out) < QUIET) {
        sp->out = 0;
    }
    return VOLUME * sp->out;
}

/* Whether nothing changes up to `to`, and the filters have come to rest. */
static bool speaker_is_silent(struct speaker *sp, uint64_t from, uint64_t to)
{
    uint64_t until;
    bool level;

    if (sp->out != 0 || speaker_advance(sp, from) < to) {
        return false;
    }
    level = speaker_wave_level(&sp->wave, MAX(from >> SPEAKER_FRACTION, sp->wave.at), &until);
    for (unsigned i = 0; i < TAPS; i++) {
        if (sp->box[i] != level) {
            return false;
        }
    }
    return until >= to >> SPEAKER_FRACTION && fabsf(sp->in - level) < QUIET;
}

bool speaker_make(struct speaker *sp, uint64_t from, uint64_t to, float *samples, unsigned n)
{
    uint64_t length = to - from, boxes = (uint64_t)n * BOXES, a = from;

    if (speaker_is_silent(sp, from, to)) {
        memset(samples, 0, n * sizeof *samples);
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 1; k <= BOXES; k++) {
            uint64_t b = from + length * ((uint64_t)i * BOXES + k) / boxes;

            sp->box[sp->at] = speaker_box(sp, a, b);
            sp->at = (sp->at + 1) % TAPS;
            a = b;
        }
        samples[i] = speaker_filter(sp);
    }
    return true;
}
