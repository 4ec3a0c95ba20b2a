/*
 * The PC speaker through SDL's audio.
 *
 * The host's device is opened on a thread of its own at the first sound and closed after some
 * seconds of silence; in between nothing runs.  The audio thread takes no lock.
 *
 * Not here: the window (it and this know nothing of each other).
 */
#ifndef CANDELA_UI_SDL_AUDIO_H
#define CANDELA_UI_SDL_AUDIO_H

#include "hw/core/machine.h"

struct sdl_audio;
/* Set machine.sound; before the machine is built.  `note`: told once, on a thread of its own, when
 * the host has no sound; or NULL. */
struct sdl_audio *sdl_audio_new(struct machine *m, void (*note)(const char *text));
/* After machine_stop, before machine_free; NULL is allowed. */
void sdl_audio_free(struct sdl_audio *a);

#endif
