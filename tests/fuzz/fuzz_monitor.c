/*
 * Fuzzer: the monitor's lines, on the whole board.  Any bytes give lines; any line gives an answer
 * or one error; commands that only look are run.
 *
 * Input: whether the peer is a terminal (1 byte), then what it types.
 *
 * Not modelled: the stream; commands that touch files or the machine are only taken apart.
 */
#include "tests/hostile.h"
#include "ui/lineedit.h"
#include "ui/monitor_cmd.h"
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hostile *machine;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    machine = hostile_new(HOSTILE_COUNTED, NULL);
    if (machine) {
        machine_lock(hostile_machine(machine));
    }
    return machine ? 0 : 1;
}

static void on_answer(void *opaque, const char *text, const GError *err)
{
    unsigned *answers = opaque;

    if (!text || strlen(text) > 2 * MiB || (err && !*err->message)) {
        abort();
    }
    (*answers)++;
}

static bool only_looks(const struct command *cmd)
{
    static const char *const names[] = {"x", "xp", "print", "help", "info", "cpu", "editing"};

    for (const struct command *topic = monitor_topics; topic->name; topic++) {
        if (topic == cmd) {
            return true;
        }
    }
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (!strcmp(cmd->name, names[i])) {
            return true;
        }
    }
    return false;
}

static void run(struct session *s, const char *line)
{
    GError *err = NULL;
    struct call *c = call_parse(s, line, &err);
    unsigned answers = 0;

    if (c && err) {
        abort();
    }
    g_clear_error(&err);
    if (c && only_looks(c->cmd)) {
        session_call(s, c, on_answer, &answers);
        if (answers != 1) {
            abort();
        }
    } else if (c) {
        call_free(c);
    }
}

/* Names of files are looked up on another thread: not here. */
static void complete(struct session *s, const struct lineedit *e)
{
    char *line = g_strndup(lineedit_text(e), lineedit_cursor(e));
    unsigned answers = 0;

    if (!strstr(line, "change") && !strstr(line, "screendump")) {
        session_complete(s, line, on_answer, &answers);
        if (answers != 1) {
            abort();
        }
    }
    g_free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session s;
    GString *out = g_string_new(NULL);
    struct lineedit *e = lineedit_new("> ", out);

    session_init(&s, hostile_machine(machine));
    lineedit_set_editing(e, size && data[0] & 1);
    for (size_t i = 1; i < size; i++) {
        enum line_event event = lineedit_take(e, data[i]);

        if (lineedit_cursor(e) > strlen(lineedit_text(e)) ||
            strlen(lineedit_text(e)) > LINEEDIT_MAX) {
            abort();
        }
        if (event == LINE_COMPLETE) {
            complete(&s, e);
        } else if (event == LINE_DONE) {
            char *line = g_utf8_make_valid(lineedit_text(e), -1);

            run(&s, line);
            g_free(line);
        }
        if (event == LINE_DONE || event == LINE_TOO_LONG) {
            lineedit_next(e);
        }
        g_string_truncate(out, 0);
    }
    lineedit_free(e);
    g_string_free(out, TRUE);
    session_fini(&s);
    return 0;
}
