/*
 * What the window asks of its machine: the monitor's commands, one after the other, in the I/O
 * thread.  Answers come back to the main thread.
 */
#include "ui/monitor_cmd.h"
#include "ui/window_int.h"

enum { COMMANDS_MAX = 32 }; /* that wait behind one that takes its time */

struct window_commands {
    struct window *w;
    struct session session;
    GQueue lines; /* struct window_line; the I/O thread's */
};

struct window_line {
    struct window_commands *c;
    char *line;
    window_answer *answer;
    void *of;
    char *text; /* the answer, likewise the next */
    GError *error;
};

static void line_free(gpointer data)
{
    struct window_line *l = data;

    g_free(l->line);
    g_free(l->text);
    g_clear_error(&l->error);
    g_free(l);
}

/* Main thread. */
static void line_answer(void *arg)
{
    struct window_line *l = arg;

    if (l->answer) {
        l->answer(l->c->w, l->of, l->text, l->error);
    } else if (l->error) {
        window_tell(l->c->w, l->error->message, true);
    }
    line_free(l);
}

static void commands_next(struct window_commands *c);

static void line_done(void *opaque, const char *text, const GError *err)
{
    struct window_line *l = opaque;
    struct window_commands *c = l->c;

    l->text = g_strdup(text);
    l->error = err ? g_error_copy(err) : NULL;
    g_queue_remove(&c->lines, l);
    sdl_post(c->w->sdl, line_answer, l);
    commands_next(c);
}

/* I/O thread, lock held. */
static void commands_next(struct window_commands *c)
{
    struct window_line *l = g_queue_peek_head(&c->lines);

    if (l && !session_is_busy(&c->session)) {
        session_run(&c->session, l->line, line_done, l);
    }
}

static void line_queue(void *arg)
{
    struct window_line *l = arg;
    struct window_commands *c = l->c;

    if (g_queue_get_length(&c->lines) >= COMMANDS_MAX) {
        l->error = g_error_new(MONITOR_ERROR, MONITOR_ERROR_STATE,
                               "too much is asked for already; wait for it to be done");
        sdl_post(c->w->sdl, line_answer, l);
        return;
    }
    g_queue_push_tail(&c->lines, l);
    if (g_queue_get_length(&c->lines) == 1) {
        commands_next(c);
    }
}

void window_command(struct window *w, window_answer *answer, void *of, const char *fmt, ...)
{
    struct window_line *l = g_new0(struct window_line, 1);
    va_list args;

    l->c = w->commands;
    l->answer = answer;
    l->of = of;
    va_start(args, fmt);
    l->line = g_strdup_vprintf(fmt, args);
    va_end(args);
    loop_post(w->m, line_queue, l);
}

void window_commands_start(struct window *w)
{
    w->commands = g_new0(struct window_commands, 1);
    w->commands->w = w;
    session_init(&w->commands->session, w->m);
    g_queue_init(&w->commands->lines);
}

void window_commands_clear(struct window *w)
{
    if (w->commands) {
        session_fini(&w->commands->session);
        g_queue_clear_full(&w->commands->lines, line_free);
        g_free(g_steal_pointer(&w->commands));
    }
}
