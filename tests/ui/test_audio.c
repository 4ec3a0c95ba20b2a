/*
 * Sound: samples of the speaker's waves, the ring between threads, --audio, and a guest that beeps
 * into a sound file.
 *
 * Not here: a sound card (SDL's devices that play nothing, or into a file, stand for it).
 */
#include "tests/rig.h"
#include "ui/audio.h"
#include "ui/sdl_audio.h"
#include "ui/speaker.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECOND = SPEAKER_RATE };

/* Samples [from, from + n) of the time since 0. */
static float *make(struct speaker *sp, unsigned from, unsigned n)
{
    float *samples = g_new(float, n);

    speaker_make(sp, speaker_time_of_sample(from), speaker_time_of_sample(from + n), samples, n);
    return samples;
}

/* How strong a tone is in there (amplitude). */
static double tone(const float *samples, unsigned n, double hz)
{
    double re = 0, im = 0;

    for (unsigned i = 0; i < n; i++) {
        double phase = 2 * G_PI * hz * i / SPEAKER_RATE;

        re += samples[i] * cos(phase);
        im += samples[i] * sin(phase);
    }
    return 2 * sqrt(re * re + im * im) / n;
}

static unsigned rises(const float *samples, unsigned n)
{
    unsigned count = 0;

    for (unsigned i = 1; i < n; i++) {
        count += samples[i - 1] < 0 && samples[i] >= 0;
    }
    return count;
}

static void put_tone(struct speaker *sp, uint64_t at, unsigned count)
{
    struct speaker_wave w = {
        .at = at, .edge = at + count / 2, .high = count - count / 2, .low = count / 2};

    speaker_put(sp, &w);
}

Test(audio, a_tone_has_its_frequency_and_no_other)
{
    struct speaker *sp = speaker_new();
    float *s;

    put_tone(sp, 0, 1193);
    s = make(sp, 0, SECOND / 10);
    g_free(s);
    s = make(sp, SECOND / 10, SECOND);
    cr_expect_eq(rises(s, SECOND), 1000);
    cr_expect_float_eq(tone(s, SECOND, SPEAKER_HZ / 1193.0), 0.5 * 2 / G_PI, 0.01,
                       "a rectangle's first harmonic");
    cr_expect(tone(s, SECOND, 2000) < 0.005);
    cr_expect(tone(s, SECOND, 1500) < 0.0005);
    g_free(s);
    speaker_free(sp);
}

/* What would alias: a tone nobody hears must give none that one hears. */
Test(audio, a_tone_above_hearing_is_silence)
{
    struct speaker *sp = speaker_new();
    float *s;

    put_tone(sp, 0, 30); /* 39.8 kHz: 8.2 kHz if it were folded */
    g_free(make(sp, 0, SECOND / 10));
    s = make(sp, SECOND / 10, SECOND / 2);
    for (double hz = 100; hz < 24000; hz += 100) {
        cr_assert(tone(s, SECOND / 2, hz) < 0.001, "%g Hz", hz);
    }
    g_free(s);
    speaker_free(sp);
}

/* Speech as games made it: mode 0 pulses at 16 kHz whose width is the sample. */
Test(audio, pulse_widths_become_the_sound_they_stand_for)
{
    struct speaker *sp = speaker_new();
    float *s;

    for (unsigned i = 0; i < 4000; i++) {
        uint64_t at = (uint64_t)i * SPEAKER_HZ / 16000;
        unsigned width = (unsigned)(36 + 30 * sin(2 * G_PI * 500 * i / 16000));
        struct speaker_wave w = {.at = at, .edge = at + width};

        speaker_put(sp, &w);
    }
    g_free(make(sp, 0, SECOND / 20));
    s = make(sp, SECOND / 20, SECOND / 5);
    cr_expect_float_eq(tone(s, SECOND / 5, 500), 0.5 * 30 * 16000 / SPEAKER_HZ, 0.02);
    cr_expect(tone(s, SECOND / 5, 1000) < 0.01);
    cr_expect(tone(s, SECOND / 5, 3000) < 0.01);
    g_free(s);
    speaker_free(sp);
}

Test(audio, silence_is_silence_and_is_told)
{
    struct speaker *sp = speaker_new();
    struct speaker_wave off = {.at = SPEAKER_HZ / 2};
    float samples[SECOND / 100];
    unsigned quiet = 0;

    cr_expect_not(speaker_make(sp, 0, speaker_time_of_sample(480), samples, 480));
    put_tone(sp, SPEAKER_HZ / 4, 2000);
    speaker_put(sp, &off);
    for (unsigned i = 1; i < 200; i++) {
        bool any = speaker_make(sp, speaker_time_of_sample(i * 480),
                                speaker_time_of_sample((i + 1) * 480), samples, 480);
        quiet += !any;
        for (unsigned k = 0; k < 480 && !any; k++) {
            cr_assert(samples[k] == 0);
        }
        cr_expect(any || i < 25 || i > 50);
    }
    cr_expect(quiet > 24 + 100, "the filters come to rest: %u", quiet);
    /* Held: time does not go on, and what is there dies away. */
    put_tone(sp, 2 * SPEAKER_HZ, 2000);
    speaker_make(sp, speaker_time(2 * NS_PER_SEC), speaker_time(2100 * NS_PER_MS), samples, 480);
    for (unsigned i = 0; i < 100; i++) {
        speaker_make(sp, speaker_time(2100 * NS_PER_MS), speaker_time(2100 * NS_PER_MS), samples,
                     480);
    }
    cr_expect(samples[479] == 0);
    speaker_free(sp);
}

Test(audio, a_flood_of_waves_keeps_the_last)
{
    struct speaker *sp = speaker_new();
    float *s;

    for (unsigned i = 0; i < 10000; i++) {
        put_tone(sp, i, 100 + i % 1000);
    }
    put_tone(sp, 10000, 2386); /* 500 Hz */
    cr_expect(speaker_lost(sp) > 5000);
    g_free(make(sp, 0, SECOND / 10));
    s = make(sp, SECOND / 10, SECOND / 2);
    cr_expect_eq(rises(s, SECOND / 2), 250);
    g_free(s);
    speaker_free(sp);
}

struct race {
    struct speaker *sp;
    _Atomic bool end;
};

static gpointer race_put(gpointer data)
{
    struct race *r = data;

    for (uint64_t i = 1; i <= 200000; i++) {
        put_tone(r->sp, i, 2 + (unsigned)(i % 3000));
    }
    put_tone(r->sp, 200001, 1193);
    r->end = true;
    return NULL;
}

Test(audio, two_threads_do_not_wait_for_each_other)
{
    struct race r = {.sp = speaker_new()};
    GThread *t = g_thread_new("put", race_put, &r);
    unsigned at = 0;
    float *s;

    for (bool end = false; !end; at += 480) {
        end = r.end;
        g_free(make(r.sp, at, 480));
    }
    g_thread_join(t);
    at = MAX(at, SECOND);
    g_free(make(r.sp, at, SECOND / 10));
    s = make(r.sp, at + SECOND / 10, SECOND / 10);
    unsigned n = rises(s, SECOND / 10); /* one may lie across the beginning or the end */
    cr_expect(n >= 99 && n <= 101, "%u", n);
    g_free(s);
    speaker_free(r.sp);
}

Test(audio, what_may_stand_behind_the_option)
{
    GError *err = NULL;

    cr_expect(audio_check("sdl", &err) && audio_check("none", &err));
    cr_expect_not(audio_check("alsa", &err));
    cr_expect(err && strstr(err->message, "file:NAME.wav"), "%s", err->message);
    g_clear_error(&err);
    cr_expect_not(audio_check("file:x.mp3", &err));
    g_clear_error(&err);
    cr_expect_not(audio_check("file:/does/not/exist/x.wav", &err));
    cr_expect(g_error_matches(err, CANDELA_ERROR, CANDELA_ERROR_FILE));
    g_clear_error(&err);
}

static void no_note(const char *text)
{
    cr_expect_fail("%s", text);
}

/* SDL's device that plays nothing, in real time. */
Test(audio, the_host_is_opened_at_the_first_sound, .timeout = 60)
{
    struct vm_config c;
    struct machine *m;
    struct sdl_audio *a;
    struct speaker_wave w = {.at = 1, .edge = 500, .high = 500, .low = 500};

    g_setenv("SDL_AUDIODRIVER", "dummy", TRUE);
    vm_config_init(&c);
    m = machine_new(&c, NULL);
    vm_config_clear(&c);
    a = sdl_audio_new(m, no_note);
    cr_assert_not_null(m->sound);
    m->sound->speaker(m->sound, &w);
    g_usleep(200 * 1000);
    w = (struct speaker_wave){.at = 2};
    m->sound->speaker(m->sound, &w);
    sdl_audio_free(a);
    cr_expect_null(m->sound);
    machine_free(m);
}

/*
 * 200 ms of nothing, 300 of a count of 2712, 200 of nothing, 300 of 1193, 200 of nothing, by the
 * TSC; then port 0xf4.  At f000:0.
 */
static const uint8_t beeper[] =
    "\xfa\x31\xc0\x8e\xd0\xbc\x00\x70\x66\xbb\x00\xc2\xeb\x0b\xe8\x34\x00\xb9\x98\x0a"
    "\xe8\x0b\x00\xb9\xa9\x04\xe8\x05\x00\xb0\x05\xe6\xf4\xf4\xb0\xb6\xe6\x43\x88\xc8"
    "\xe6\x42\x88\xe8\xe6\x42\xb0\x03\xe6\x61\x66\xbb\x00\xa3\xe1\x11\xe8\x0a\x00\x30"
    "\xc0\xe6\x61\x66\xbb\x00\xc2\xeb\x0b\x0f\x31\x66\x01\xc3\x66\x83\xd2\x00\x66\x89"
    "\xd7\x0f\x31\x66\x29\xd8\x66\x19\xfa\x72\xf6\xc3";

/* The program ($CANDELA, or what stands here) with the beeper for firmware; what came into the
 * file.
 */
static char *run_beeper(const char *folder, const char *audio, const char *file, gsize *len)
{
    g_autofree char *rom = g_build_filename(folder, "rom", NULL), *image = g_malloc0(65536);
    const char *program = g_getenv("CANDELA");
    const char *argv[] = {program ? program : "./candela",
                          "run",
                          "-bios",
                          rom,
                          "--audio",
                          audio,
                          "-display",
                          "none",
                          "-debug-exit",
                          "-q",
                          "-nic",
                          "none",
                          "--max-time",
                          "60",
                          NULL};
    GError *err = NULL;
    char *data = NULL;
    int status = 0;

    if (access(argv[0], X_OK)) {
        cr_skip_test("%s is not built", argv[0]);
    }
    memcpy(image, beeper, sizeof beeper);
    memcpy(image + 0xfff0, "\xea\0\0\0\xf0", 5);
    cr_assert(g_file_set_contents(rom, image, 65536, &err));
    cr_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL,
                           &status, &err));
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 64 + 5, "%d", status);
    cr_assert(g_file_get_contents(file, &data, len, &err), "%s", err->message);
    unlink(rom);
    unlink(file);
    return data;
}

/* The samples of the file. */
static float *run_beeper_wav(const char *folder, unsigned *n)
{
    g_autofree char *wav = g_build_filename(folder, "x.wav", NULL),
                    *audio = g_strdup_printf("file:%s", wav);
    gsize len = 0;
    g_autofree char *data = run_beeper(folder, audio, wav, &len);
    float *samples;

    cr_assert(len > 44 && !memcmp(data, "RIFF", 4) && ld_le32((uint8_t *)data + 40) == len - 44);
    *n = (unsigned)(len - 44) / 2;
    samples = g_new(float, *n);
    for (unsigned i = 0; i < *n; i++) {
        samples[i] = (float)(int16_t)ld_le16((uint8_t *)data + 44 + 2 * i) / 32768;
    }
    return samples;
}

Test(audio, a_guest_beeps_into_a_file, .timeout = 100)
{
    char *folder = g_dir_make_tmp("candela-audio-XXXXXX", NULL);
    unsigned n, at = 0, quiet = 0;
    float *s = run_beeper_wav(folder, &n);

    while (at < n && s[at] == 0) {
        at++;
    }
    cr_assert(at >= SECOND / 5 - 10 && at + SECOND < n, "%u of %u", at, n);
    at += SECOND / 20;
    cr_expect_eq(rises(s + at, SECOND / 5), 88, "440 Hz");
    cr_expect(tone(s + at, SECOND / 5, 440) > 0.25);
    for (at += SECOND / 5; at < n && quiet < SECOND / 20; at++) {
        quiet = s[at] == 0 ? quiet + 1 : 0;
    }
    while (at < n && s[at] == 0) {
        at++;
    }
    cr_assert(at + SECOND / 2 <= n + 480);
    at += SECOND / 20;
    cr_expect_eq(rises(s + at, SECOND / 5), 200, "1000 Hz");
    cr_expect(tone(s + at, SECOND / 5, 1000) > 0.25);
    cr_expect(s[n - 1] == 0);
    g_free(s);
    rmdir(folder);
    g_free(folder);
}

/* How often a sample that rises through 0 follows another after `period` of them, or one more or
 * less. */
static unsigned periods(const float *s, unsigned n, unsigned period)
{
    unsigned last = 0, count = 0;

    for (unsigned i = 1; i < n; i++) {
        if (s[i - 1] < 0 && s[i] >= 0) {
            count += i - last + 1 >= period && i - last <= period + 1;
            last = i;
        }
    }
    return count;
}

/* Whether it did; `why` says what came. */
static bool beeps_through_sdl(const char *folder, const char *raw, GString *why)
{
    gsize len = 0;
    g_autofree char *data = run_beeper(folder, "sdl", raw, &len);
    const float *s = (const float *)(const void *)data;
    unsigned n = (unsigned)(len / sizeof *s), all = rises(s, n);
    unsigned low = periods(s, n, SPEAKER_RATE / 440), high = periods(s, n, SPEAKER_RATE / 1000);

    g_string_append_printf(why, "%u periods of 440 Hz, %u of 1000 Hz, %u in all in %u samples\n",
                           low, high, all, n);
    return low >= 40 && low <= 140 && high >= 90 && high <= 310 && low + high >= all * 9 / 10;
}

/*
 * SDL's device that writes what it would play into a file, in real time: tones of 440 and 1000 Hz,
 * 300 ms each, of which a busy host may lose some, and little that is neither.  A guest that gets
 * no processor when a tone is due to end beeps for longer: it may try again.
 */
Test(audio, a_guest_beeps_through_sdl, .timeout = 100)
{
    char *folder = g_dir_make_tmp("candela-audio-XXXXXX", NULL);
    g_autofree char *raw = g_build_filename(folder, "raw", NULL);
    g_autoptr(GString) why = g_string_new(NULL);
    bool good = false;

    g_setenv("SDL_AUDIODRIVER", "disk", TRUE);
    g_setenv("SDL_DISKAUDIOFILE", raw, TRUE);
    for (unsigned tries = 0; tries < 10 && !good; tries++) {
        good = beeps_through_sdl(folder, raw, why);
    }
    cr_expect(good, "%s", why->str);
    rmdir(folder);
    g_free(folder);
}
