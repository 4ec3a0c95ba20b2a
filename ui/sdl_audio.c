/*
 * The PC speaker through SDL's audio: see ui/sdl_audio.h.
 *
 * What is played is LATENCY behind virtual time.  The device's clock and virtual time differ a
 * little, so a stretch of time may be played up to SLEW slower or faster than it was, which nobody
 * hears; when that does not do (the machine was held, the host was late) playing goes on at the
 * right place.  While the machine is held there is silence: its time does not go on.
 *
 * Not here: choosing a device (SDL's and the sound server's settings do).
 */
#include "ui/sdl_audio.h"
#include "hw/core/eventfd.h"
#include "ui/speaker.h"
#include <SDL2/SDL.h>
#include <poll.h>
#include <sys/eventfd.h>

enum { BLOCK = 512, LATENCY_MS = 35, JUMP_MS = 70, CLOSE_MS = 5000, LOOK_MS = 500 };
#define SLEW 0.005

struct sdl_audio {
    struct sound snd;
    struct machine *m;
    struct speaker *speaker;
    void (*note)(const char *text);
    GThread *thread;
    int wake_fd;
    _Atomic bool quit, broken;
    _Atomic bool asleep; /* the device is closed: the first wave wakes the thread */
    SDL_AudioDeviceID device;
    uint64_t at; /* played up to here (speaker_time) */
    bool filling;
    _Atomic uint64_t silent; /* samples since the last sound */
};

/* On whatever thread the timer was written to, lock held: puts the wave down and is gone. */
static void sdl_audio_speaker(struct sound *snd, const struct speaker_wave *wave)
{
    struct sdl_audio *a = container_of(snd, struct sdl_audio, snd);

    if (atomic_load_explicit(&a->broken, memory_order_relaxed)) {
        return;
    }
    speaker_put(a->speaker, wave);
    if (atomic_load(&a->asleep) && atomic_exchange(&a->asleep, false)) {
        fd_signal(a->wake_fd);
    }
}

/* Playing ------------------------------------------------------------------------------------ */

/* Up to where the next `n` samples go. */
static uint64_t sdl_audio_next(struct sdl_audio *a, unsigned n)
{
    const int64_t latency = (int64_t)speaker_time(LATENCY_MS * NS_PER_MS);
    const int64_t jump = (int64_t)speaker_time(JUMP_MS * NS_PER_MS);
    uint64_t now = speaker_time(clock_now(a->m)), length = speaker_time_of_sample(n);
    int64_t behind = (int64_t)(now - a->at) - latency;

    if (behind > jump) {
        a->at = now - (uint64_t)latency;
        behind = 0;
    }
    /* Too little is there (the machine was held): silence until there is enough again. */
    a->filling = behind < 0 && (a->filling || now - a->at < length);
    if (a->filling) {
        return a->at;
    }
    double slew = CLAMP((double)behind / (double)speaker_time(NS_PER_SEC), -SLEW, SLEW);
    return MIN(a->at + (uint64_t)((double)length * (1 + slew)), now);
}

static void sdl_audio_fill(void *opaque, Uint8 *stream, int len)
{
    struct sdl_audio *a = opaque;
    unsigned n = (unsigned)len / sizeof(float);
    uint64_t to = sdl_audio_next(a, n);

    if (speaker_make(a->speaker, a->at, to, (float *)(void *)stream, n)) {
        atomic_store(&a->silent, 0);
    } else {
        atomic_fetch_add(&a->silent, n);
    }
    a->at = to;
}

/* The thread --------------------------------------------------------------------------------- */

static bool sdl_audio_open(struct sdl_audio *a)
{
    const SDL_AudioSpec want = {.freq = SPEAKER_RATE,
                                .format = AUDIO_F32SYS,
                                .channels = 1,
                                .samples = BLOCK,
                                .callback = sdl_audio_fill,
                                .userdata = a};
    uint64_t now = speaker_time(clock_now(a->m)), back = speaker_time(LATENCY_MS * NS_PER_MS);

    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1"); /* without a window nobody has said so yet */
    SDL_SetHint(SDL_HINT_AUDIO_RESAMPLING_MODE, "fast");
    if (SDL_InitSubSystem(SDL_INIT_AUDIO)) {
        return false;
    }
    a->at = now - MIN(now, back);
    a->filling = false;
    atomic_store(&a->silent, 0);
    a->device = SDL_OpenAudioDevice(NULL, 0, &want, NULL, 0);
    if (!a->device) {
        SDL_QuitSubSystem(SDL_INIT_AUDIO);
        return false;
    }
    SDL_PauseAudioDevice(a->device, 0);
    return true;
}

static void sdl_audio_close(struct sdl_audio *a)
{
    SDL_CloseAudioDevice(a->device);
    SDL_QuitSubSystem(SDL_INIT_AUDIO);
    a->device = 0;
}

/* Sleep until somebody wakes the thread; timeout in ms, or -1. */
static void sdl_audio_wait(struct sdl_audio *a, int timeout)
{
    struct pollfd fd = {.fd = a->wake_fd, .events = POLLIN};

    if (poll(&fd, 1, timeout) == 1) {
        fd_clear(a->wake_fd);
    }
}

static void sdl_audio_give_up(struct sdl_audio *a)
{
    g_autofree char *text =
        g_strdup_printf("the host has no sound: %s (--audio none says so)", SDL_GetError());

    atomic_store(&a->broken, true);
    if (a->note) {
        a->note(text);
    }
}

static gpointer sdl_audio_main(gpointer data)
{
    struct sdl_audio *a = data;
    const uint64_t enough = (uint64_t)CLOSE_MS * SPEAKER_RATE / 1000;

    while (!atomic_load(&a->quit)) {
        if (a->device) {
            sdl_audio_wait(a, LOOK_MS);
            if (atomic_load(&a->silent) > enough) {
                sdl_audio_close(a);
                atomic_store(&a->asleep, true);
            }
        } else if (atomic_load(&a->asleep) || atomic_load(&a->broken)) {
            sdl_audio_wait(a, -1);
        } else if (!sdl_audio_open(a)) {
            sdl_audio_give_up(a);
        }
    }
    if (a->device) {
        sdl_audio_close(a);
    }
    return NULL;
}

struct sdl_audio *sdl_audio_new(struct machine *m, void (*note)(const char *text))
{
    struct sdl_audio *a = g_new0(struct sdl_audio, 1);

    a->snd.speaker = sdl_audio_speaker;
    a->m = m;
    a->note = note;
    a->speaker = speaker_new();
    a->asleep = true;
    a->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->thread = g_thread_new("sound", sdl_audio_main, a);
    m->sound = &a->snd;
    return a;
}

void sdl_audio_free(struct sdl_audio *a)
{
    if (!a) {
        return;
    }
    atomic_store(&a->quit, true);
    fd_signal(a->wake_fd);
    g_thread_join(a->thread);
    a->m->sound = NULL;
    close(a->wake_fd);
    speaker_free(a->speaker);
    g_free(a);
}
