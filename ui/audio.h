/*
 * Where a machine's sound goes: --audio.
 *
 *     sdl          the host's sound, through SDL (the default with a window)
 *     none         nowhere (the default without)
 *     file:X.wav   a sound file of all the machine's time, silence too
 *
 * Not here: SDL (ui/sdl_audio.c), samples (ui/speaker.c).
 */
#ifndef CANDELA_UI_AUDIO_H
#define CANDELA_UI_AUDIO_H

#include "hw/core/machine.h"

/* Whether `spec` is one of these, and the file's place is good; CONFIG or FILE error. */
bool audio_check(const char *spec, GError **err);
void audio_help(GString *out);

struct audio;
/*
 * Set machine.sound; before the machine is built.  `note` gets what a person should know, on any
 * thread; or NULL.  Gives NULL for "none".
 */
struct audio *audio_new(struct machine *m, const char *spec, void (*note)(const char *text));
/* Create the file, as far as it is one.  FILE error.  `a` may be NULL, as below. */
bool audio_start(struct audio *a, GError **err);
/* The machine has stopped: write what is left.  False: a FILE error, of this or of before. */
bool audio_finish(struct audio *a, GError **err);
/* After machine_stop, before machine_free. */
void audio_free(struct audio *a);

#endif
