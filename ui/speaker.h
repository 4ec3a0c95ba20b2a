/*
 * The PC speaker as samples: takes the waves that the timer tells (hw/core/sound.h) into a bounded
 * ring, and makes samples of any stretch of time that lies behind.
 *
 * The waves come from the machine's threads (one at a time: the machine lock), the samples are made
 * by one other thread; neither waits for the other, and nothing is allocated.
 *
 * Not here: where samples go (ui/sdl_audio.c, ui/audio.c).
 */
#ifndef CANDELA_UI_SPEAKER_H
#define CANDELA_UI_SPEAKER_H

#include "hw/core/sound.h"

enum { SPEAKER_RATE = 48000 }; /* samples a second */

/* Points in time: ticks of SPEAKER_HZ with 16 more bits.  They fit for seven years. */
#define SPEAKER_FRACTION 16

struct speaker;
struct speaker *speaker_new(void);
void speaker_free(struct speaker *sp);

/* A wave, as sound.speaker got it.  When the ring is full it is lost, but not the last one. */
void speaker_put(struct speaker *sp, const struct speaker_wave *wave);
/* The point in time of `ns` of virtual time, and of a sample counted from the machine's start. */
uint64_t speaker_time(int64_t ns);
uint64_t speaker_time_of_sample(uint64_t n);
/*
 * Make `n` samples, -1 to 1, of the stretch between two points; the next call's must begin where
 * this one's ends, or later.  A stretch without length holds what was there last.  False: silence,
 * as it has been for long enough that all samples are 0.
 */
bool speaker_make(struct speaker *sp, uint64_t from, uint64_t to, float *samples, unsigned n);
/* Waves lost so far because nobody made samples. */
uint64_t speaker_lost(const struct speaker *sp);

#endif
