/*
 * Where sound goes: see ui/audio.h.
 *
 * A sound file follows virtual time exactly: sample n is the stretch from n/48000 s on since power
 * on, whatever the host did meanwhile.  A thread of its own writes it, so that no processor waits
 * for the disk.
 *
 * Not here: other formats than WAV with 16 bits.
 */
#include "ui/audio.h"
#include "ui/output.h"
#include "ui/parse.h"
#include "ui/sdl_audio.h"
#include "ui/speaker.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>

enum { WAV_HEADER = 44, CHUNK = 4800, PERIOD_US = 50 * 1000, BEHIND_MS = 5 };
/* 6 hours; some readers take sizes as signed. */
#define WAV_MAX_SAMPLES (UINT64_C(0x7fffff00) / 2)

struct audio {
    struct machine *m;
    struct sdl_audio *sdl; /* or: */
    struct sound snd;
    struct speaker *speaker;
    char *path;
    FILE *file;
    uint64_t samples; /* written */
    int error;        /* errno of the first write that failed */
    void (*note)(const char *text);
    GThread *thread;
    GMutex lock; /* leaf: quit */
    GCond cond;
    bool quit;
};

static const char *audio_path(const char *spec)
{
    return g_str_has_prefix(spec, "file:") ? spec + 5 : NULL;
}

bool audio_check(const char *spec, GError **err)
{
    const char *path = audio_path(spec);

    if (!strcmp(spec, "sdl") || !strcmp(spec, "none")) {
        return true;
    }
    if (!path || !g_str_has_suffix(path, ".wav")) {
        return parse_fail(err, "--audio %s: there are sdl, none and file:NAME.wav", spec);
    }
    return output_check("--audio", path, err);
}

void audio_help(GString *out)
{
    g_string_append(out, "sdl          the host's sound (default with a window)\n"
                         "none         no sound (default without)\n"
                         "file:X.wav   a sound file of all the machine's time\n");
}

/* The file ----------------------------------------------------------------------------------- */

static void wav_speaker(struct sound *snd, const struct speaker_wave *wave)
{
    speaker_put(container_of(snd, struct audio, snd)->speaker, wave);
}

static void wav_failed(struct audio *a)
{
    if (!a->error) {
        a->error = errno ? errno : EIO;
    }
}

static void wav_write_header(struct audio *a)
{
    uint32_t bytes = (uint32_t)(2 * a->samples);
    uint8_t h[WAV_HEADER] = "RIFF....WAVEfmt ";

    st_le32(h + 4, WAV_HEADER - 8 + bytes);
    st_le32(h + 16, 16);
    st_le16(h + 20, 1); /* PCM */
    st_le16(h + 22, 1); /* one channel */
    st_le32(h + 24, SPEAKER_RATE);
    st_le32(h + 28, 2 * SPEAKER_RATE);
    st_le16(h + 32, 2);
    st_le16(h + 34, 16);
    memcpy(h + 36, "data", 4);
    st_le32(h + 40, bytes);
    if (fseek(a->file, 0, SEEK_SET) || fwrite(h, sizeof h, 1, a->file) != 1 ||
        fseek(a->file, 0, SEEK_END)) {
        wav_failed(a);
    }
}

/* Write the samples up to `ns` of virtual time. */
static void wav_follow(struct audio *a, int64_t ns)
{
    uint64_t end = clock_ns_to_ticks(MAX(ns, 0), SPEAKER_RATE);
    float samples[CHUNK];
    uint8_t bytes[2 * CHUNK];

    end = MIN(end, WAV_MAX_SAMPLES);
    while (a->samples < end && !a->error) {
        unsigned n = (unsigned)MIN(end - a->samples, CHUNK);

        speaker_make(a->speaker, speaker_time_of_sample(a->samples),
                     speaker_time_of_sample(a->samples + n), samples, n);
        for (unsigned i = 0; i < n; i++) {
            st_le16(bytes + 2 * i, (uint16_t)(int16_t)lrintf(32767 * samples[i]));
        }
        if (fwrite(bytes, 2, n, a->file) != n) {
            wav_failed(a);
        }
        a->samples += n;
    }
}

static gpointer wav_main(gpointer data)
{
    struct audio *a = data;

    g_mutex_lock(&a->lock);
    while (!a->quit) {
        g_cond_wait_until(&a->cond, &a->lock, g_get_monotonic_time() + PERIOD_US);
        g_mutex_unlock(&a->lock);
        wav_follow(a, clock_now(a->m) - BEHIND_MS * NS_PER_MS);
        g_mutex_lock(&a->lock);
    }
    g_mutex_unlock(&a->lock);
    return NULL;
}

static void wav_stop(struct audio *a)
{
    if (a->thread) {
        g_mutex_lock(&a->lock);
        a->quit = true;
        g_cond_signal(&a->cond);
        g_mutex_unlock(&a->lock);
        g_thread_join(a->thread);
        a->thread = NULL;
    }
}

/* All kinds ---------------------------------------------------------------------------------- */

struct audio *audio_new(struct machine *m, const char *spec, void (*note)(const char *text))
{
    struct audio *a;

    if (!strcmp(spec, "none")) {
        return NULL;
    }
    a = g_new0(struct audio, 1);
    a->m = m;
    a->note = note;
    if (!audio_path(spec)) {
        a->sdl = sdl_audio_new(m, note);
        return a;
    }
    a->path = g_strdup(audio_path(spec));
    a->speaker = speaker_new();
    a->snd.speaker = wav_speaker;
    m->sound = &a->snd;
    return a;
}

static bool wav_fail(struct audio *a, int error, GError **err)
{
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "--audio %s: %s", a->path,
                g_strerror(error));
    return false;
}

bool audio_start(struct audio *a, GError **err)
{
    if (!a || !a->path) {
        return true;
    }
    a->file = fopen(a->path, "wbe");
    if (!a->file) {
        return wav_fail(a, errno, err);
    }
    wav_write_header(a);
    if (a->error || fflush(a->file)) {
        return wav_fail(a, errno, err);
    }
    a->thread = g_thread_new("sound file", wav_main, a);
    return true;
}

bool audio_finish(struct audio *a, GError **err)
{
    if (!a || !a->file) {
        return true;
    }
    wav_stop(a);
    wav_follow(a, clock_now(a->m));
    wav_write_header(a);
    if (fclose(a->file)) {
        wav_failed(a);
    }
    a->file = NULL;
    if (a->note && a->samples == WAV_MAX_SAMPLES) {
        a->note("the sound file is full after six hours; what came later is not in it");
    }
    return !a->error || wav_fail(a, a->error, err);
}

void audio_free(struct audio *a)
{
    if (!a) {
        return;
    }
    wav_stop(a);
    sdl_audio_free(a->sdl);
    if (a->file) {
        fclose(a->file);
    }
    if (a->speaker) {
        a->m->sound = NULL;
        speaker_free(a->speaker);
    }
    g_free(a->path);
    g_free(a);
}
