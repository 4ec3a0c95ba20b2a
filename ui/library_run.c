/*
 * The run of a machine that has a key file: see library_run.h.
 *
 * Once a second, in the I/O thread, it looks whether the machine was held or let go, and now and
 * then takes a picture of the screen.  Files are written by workers: the guest never waits for
 * them.  What cannot be written (a folder on a read-only medium) is told once and keeps no machine
 * from running.
 */
#define _GNU_SOURCE /* O_PATH */
#include "ui/library_run.h"
#include "ui/chr_host.h"
#include "ui/library_control.h"
#include "ui/library_int.h"
#include "ui/run.h"
#include "ui/screen.h"
#include "ui/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { TICK_MS = 1000, FIRST_PICTURE_TICKS = 4, PICTURE_TICKS = 30 };

struct library_run {
    struct place place;
    struct cvm *cvm;
    int lock, run_fd;
    struct machine *m;
    struct chr_host *host;
    struct control *control;
    int64_t begun;
    /* machine lock */
    unsigned watch, ticks;
    bool busy;   /* a worker has `job` */
    bool paused; /* as the status file says */
    bool told;
    struct {
        struct screen_shot *shot; /* NULL: the status */
        bool paused;
        uint32_t sum; /* of the picture in the file */
        GError *err;
    } job;
};

/* Files ---------------------------------------------------------------------------------------- */

static void run_tell(struct library_run *r, GError *err)
{
    if (err && !r->told) {
        r->told = true;
        fprintf(stderr, "candela: note: %s\n", err->message);
    }
    g_clear_error(&err);
}

static bool write_whole(const char *path, const char *text, GError **err)
{
    g_autofree char *folder = g_path_get_dirname(path);

    return library_make_folder(folder, err) &&
           g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, err);
}

static void write_status(const struct library_run *r, bool paused, GError **err)
{
    g_autofree char *path = g_build_filename(r->place.run, LIBRARY_STATUS, NULL);

    write_whole(path, library_state_name(paused ? LIBRARY_PAUSED : LIBRARY_RUNNING), err);
}

static void write_record(struct library_run *r, const char *ending, int exit_code, GError **err)
{
    g_autoptr(GKeyFile) keys = g_key_file_new();
    g_autofree char *begun = text_time(r->begun), *ended = NULL, *text = NULL;

    g_key_file_set_string(keys, "run", "begun", begun);
    if (ending) {
        ended = text_time(g_get_real_time() / G_USEC_PER_SEC);
        g_key_file_set_string(keys, "run", "ended", ended);
        g_key_file_set_string(keys, "run", "ending", ending);
        g_key_file_set_integer(keys, "run", "exit-code", exit_code);
    }
    text = g_key_file_to_data(keys, NULL, NULL);
    write_whole(r->place.state, text, err);
}

static bool write_picture(const struct library_run *r, struct screen_shot *shot, uint32_t *sum,
                          GError **err)
{
    g_autofree char *folder = g_path_get_dirname(r->place.picture);
    uint32_t now;

    screen_shot_shrink(shot, LIBRARY_PICTURE);
    now = screen_shot_sum(shot);
    if (now == *sum) {
        return true;
    }
    if (!library_make_folder(folder, err) ||
        !screen_shot_write(shot, "picture", r->place.picture, err)) {
        return false;
    }
    *sum = now;
    return true;
}

/* While it runs -------------------------------------------------------------------------------- */

static void job_work(void *arg)
{
    struct library_run *r = arg;

    if (r->job.shot) {
        write_picture(r, r->job.shot, &r->job.sum, &r->job.err);
    } else {
        write_status(r, r->job.paused, &r->job.err);
    }
}

static void job_done(void *arg)
{
    struct library_run *r = arg;

    if (!r->job.shot && !r->job.err) {
        r->paused = r->job.paused;
    }
    g_clear_pointer(&r->job.shot, screen_shot_free);
    run_tell(r, g_steal_pointer(&r->job.err));
    r->busy = false;
}

static bool run_tick(void *arg)
{
    struct library_run *r = arg;

    r->ticks++;
    if (r->busy) {
        return true;
    }
    if (r->paused != r->m->paused) {
        r->job.paused = r->m->paused;
    } else if (r->ticks == FIRST_PICTURE_TICKS || r->ticks % PICTURE_TICKS == 0) {
        r->job.shot = screen_take(r->m);
    } else {
        return true;
    }
    r->busy = true;
    loop_work(r->m, job_work, job_done, r);
    return true;
}

/* The socket.  Its name goes through the open folder: that is short enough for a socket's, however
 * long the folder's own is. */
static bool run_listen(struct library_run *r, GError **err)
{
    g_autofree char *path = g_build_filename(r->place.run, LIBRARY_SOCKET, NULL), *spec = NULL;

    unlink(path); /* left over: who holds the lock is alone */
    r->run_fd = open(r->place.run, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (r->run_fd < 0) {
        return library_fail(err, "%s: %s", r->place.run, g_strerror(errno));
    }
    spec = g_strdup_printf("unix:/proc/self/fd/%d/%s,server,nowait", r->run_fd, LIBRARY_SOCKET);
    r->host = chr_host_new(spec, "control socket", err);
    if (!r->host) {
        return false;
    }
    r->control = control_new(r->m, chr_host_chr(r->host));
    return chr_host_open(r->host, r->m, NULL, err);
}

bool library_run_start(struct library_run *r, struct machine *m, GError **err)
{
    GError *why = NULL;

    r->m = m;
    r->begun = g_get_real_time() / G_USEC_PER_SEC;
    if (!run_listen(r, err)) {
        return false;
    }
    write_record(r, NULL, 0, &why);
    run_tell(r, g_steal_pointer(&why));
    write_status(r, false, &why);
    run_tell(r, why);
    r->watch = loop_every(m, TICK_MS, run_tick, r);
    return true;
}

/* How it ended, for people. */
static const char *run_ending(const struct machine *m, int exit_code)
{
    static const char *const endings[] = {
        [END_NONE] = "ended",
        [END_POWER_OFF] = "powered off",
        [END_RESET] = "ended by a reset",
        [END_TRIPLE_FAULT] = "triple fault",
        [END_DEBUG_EXIT] = "ended by the guest",
        [END_BUDGET] = "used up its instructions",
        [END_QUIT] = "turned off",
        [END_ERROR] = "the engine failed",
    };
    unsigned end = (unsigned)m->end;

    if (end == END_QUIT && exit_code == EXIT_BUDGET) {
        return "used up its time";
    }
    return endings[end < ARRAY_LEN(endings) ? end : END_NONE];
}

void library_run_end(struct library_run *r, int exit_code)
{
    GError *why = NULL;

    if (!r->m) {
        return;
    }
    struct screen_shot *shot = screen_take(r->m);
    write_picture(r, shot, &r->job.sum, &why);
    screen_shot_free(shot);
    run_tell(r, g_steal_pointer(&why));
    write_record(r, run_ending(r->m, exit_code), exit_code, &why);
    run_tell(r, why);
}

/* The process -----------------------------------------------------------------------------------*/

struct library_run *library_run_open(const char *what, GError **err)
{
    struct library_run *r = g_new0(struct library_run, 1);

    r->lock = r->run_fd = -1;
    if (library_place_find(&r->place, what, err) &&
        (r->lock = library_place_lock(&r->place, true, err)) >= 0) {
        g_autofree char *status = g_build_filename(r->place.run, LIBRARY_STATUS, NULL);

        unlink(status);
        r->cvm = cvm_load(r->place.file, err);
    }
    if (!r->cvm) {
        library_run_close(r);
        return NULL;
    }
    return r;
}

const struct cvm *library_run_cvm(const struct library_run *r)
{
    return r->cvm;
}

const char *library_run_name(const struct library_run *r)
{
    return r->place.name;
}

bool library_run_keep(struct library_run *r, const char *option, const char *value, GError **err)
{
    const struct library_option options[] = {{option, value}, {NULL, NULL}};

    return library_edit_held(&r->place, options, err);
}

void library_run_stop(struct library_run *r)
{
    if (r) {
        chr_host_close(r->host);
        g_clear_pointer(&r->control, control_free);
        g_clear_pointer(&r->job.shot, screen_shot_free);
    }
}

void library_run_close(struct library_run *r)
{
    if (r) {
        g_autofree char *status =
            r->place.run ? g_build_filename(r->place.run, LIBRARY_STATUS, NULL) : NULL;

        library_run_stop(r);
        chr_host_free(r->host);
        if (status && r->lock >= 0) {
            unlink(status);
        }
        if (r->run_fd >= 0) {
            close(r->run_fd);
        }
        cvm_free(r->cvm);
        library_place_unlock(r->lock);
        library_place_clear(&r->place);
        g_free(r);
    }
}
