/*
 * What the subcommands of the machine library do: see command_library.h.
 */
#include "ui/command_library.h"
#include "ui/disk_progress.h"
#include "ui/library_int.h"
#include "ui/parse.h"
#include "ui/run.h"
#include "ui/text.h"
#include <stdio.h>
#include <unistd.h>

enum { ANSWER_MS = 10 * 1000, LONG_ANSWER_MS = 120 * 1000, SHOWN_MS = 3000, STEP_MS = 20 };

static const struct library_option *args_options(const struct library_args *a)
{
    return (const struct library_option *)a->options->data;
}

static int done(bool good)
{
    return good ? EXIT_GOOD : EXIT_RUN;
}

static int print(char *text)
{
    if (text) {
        fputs(text, stdout);
    }
    g_free(text);
    return done(text != NULL);
}

/* Making and changing -------------------------------------------------------------------------- */

/* A file that is not there now may be there when the machine runs; but mostly it is mistyped. */
static void note_missing(const struct library_args *a)
{
    struct options o;
    struct place p;

    if (!library_place_find(&p, a->word[0], NULL)) {
        return;
    }
    if (cvm_read(p.file, &o, NULL)) {
        for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
            const struct drive_config *d = &o.vm.drives[i];

            if (d->used && d->file && access(d->file, F_OK)) {
                g_autofree char *path = text_clean(d->file);
                run_say(a->quiet, "note: %s is not there (yet)", path);
            }
        }
    }
    options_clear(&o);
    library_place_clear(&p);
}

int machine_create(const struct library_args *a, GError **err)
{
    const struct library_create_args args = {
        .what = a->word[0], .options = args_options(a), .disk_bytes = a->disk_bytes};
    bool good = library_create(&args, err);

    if (good) {
        note_missing(a);
    }
    return done(good);
}

int machine_set(const struct library_args *a, GError **err)
{
    bool good;

    if (!a->options->len) {
        parse_fail(err, "set: nothing to change: candela set %s memory=1G", a->word[0]);
        return EXIT_USAGE;
    }
    good = library_edit(a->word[0], args_options(a), err);
    if (good) {
        note_missing(a);
    }
    return done(good);
}

int machine_clone(const struct library_args *a, GError **err)
{
    struct progress p;
    struct library_clone_args args = {.from = a->word[0], .to = a->word[1], .linked = a->linked};
    bool good;

    progress_begin(&p, "clone", a->quiet);
    args.watch = &p.watch;
    good = library_clone(&args, err);
    progress_end(&p);
    if (!good && p.signal && g_error_matches(*err, CANDELA_ERROR, CANDELA_ERROR_CANCELLED)) {
        g_clear_error(err);
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CANCELLED, "ended by %s; %s was not made",
                    strsignal(p.signal), a->word[1]);
    }
    return done(good);
}

int machine_rename(const struct library_args *a, GError **err)
{
    return done(library_rename(a->word[0], a->word[1], err));
}

/* Whether the person at the terminal wants it. */
static bool ask_delete(const char *name, char *const *files)
{
    char answer[16] = "";

    fprintf(stderr, "Machine %s would be removed for good, with these files:\n", name);
    for (char *const *f = files; *f; f++) {
        g_autofree char *clean = text_clean(*f);
        fprintf(stderr, "  %s\n", clean);
    }
    fprintf(stderr, "Remove it? [y/N] ");
    fflush(stderr);
    return fgets(answer, sizeof answer, stdin) && (*answer == 'y' || *answer == 'Y');
}

int machine_delete(const struct library_args *a, GError **err)
{
    g_auto(GStrv) files = library_delete_list(a->word[0], err);
    g_autofree char *note = NULL;

    if (!files) {
        return EXIT_RUN;
    }
    if (!a->yes && (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))) {
        parse_fail(err,
                   "delete: nobody is there to be asked whether %s may go; --yes says that it may",
                   a->word[0]);
        return EXIT_USAGE;
    }
    if (!a->yes && !ask_delete(a->word[0], files)) {
        run_say(a->quiet, "%s was not removed", a->word[0]);
        return EXIT_RUN;
    }
    if (!library_delete(a->word[0], &note, err)) {
        return EXIT_RUN;
    }
    if (note) {
        g_autofree char *clean = text_clean(note);
        run_say(a->quiet, "note: %s", clean);
    }
    return EXIT_GOOD;
}

/* Looking -------------------------------------------------------------------------------------- */

int machine_list(const struct library_args *a, GError **err)
{
    g_autoptr(GPtrArray) machines = library_list();

    (void)err;
    if (!machines->len && !a->json) {
        run_say(a->quiet,
                "there are no machines yet; candela create NAME --disk 20G -cdrom FILE makes one");
    }
    return print(a->json ? library_list_json(machines) : library_list_text(machines));
}

int machine_show(const struct library_args *a, GError **err)
{
    struct library_machine *m = library_look(a->word[0], err);
    int code = EXIT_RUN;

    if (m) {
        code = print(a->json ? library_show_json(m, err) : library_show_text(m, err));
        library_machine_free(m);
    }
    return code;
}

/* Running -------------------------------------------------------------------------------------- */

int machine_start(const struct library_args *a, GError **err)
{
    const struct library_start_args args = {
        .what = a->word[0], .options = (char *const *)a->rest->pdata, .headless = a->headless};
    struct library_machine *m;
    int code = EXIT_RUN;

    if (!library_start(&args, &code, err)) {
        return code == EXIT_GOOD ? EXIT_RUN : code;
    }
    m = library_look(a->word[0], NULL);
    if (m && m->pid) {
        run_say(a->quiet, "%s runs (process %ld)", m->name, (long)m->pid);
    }
    library_machine_free(m);
    return EXIT_GOOD;
}

/* A command whose answer is of no interest. */
static bool tell(const struct library_args *a, const char *command, GError **err)
{
    g_autofree char *answer = library_control(a->word[0], command, ANSWER_MS, err);

    return answer != NULL;
}

int machine_stop_command(const struct library_args *a, GError **err)
{
    if (a->force) {
        return done(library_kill(a->word[0], err));
    }
    if (!tell(a, "system_powerdown", err)) {
        return EXIT_RUN;
    }
    if (!a->wait_ms) {
        run_say(a->quiet,
                "%s: the power button is pressed; what comes of it is the guest's matter (--wait "
                "SECONDS, --force)",
                a->word[0]);
        return EXIT_GOOD;
    }
    return done(library_wait_off(a->word[0], (int)a->wait_ms) ||
                library_fail_now(err,
                                 "%s still runs %.1f s after its power button was pressed; "
                                 "candela stop %s --force turns it off",
                                 a->word[0], (double)a->wait_ms / 1000, a->word[0]));
}

/* The command is done when it shows: who looks right after must see it. */
static int hold(const struct library_args *a, const char *command, enum library_state state,
                GError **err)
{
    struct place p;

    if (!tell(a, command, err)) {
        return EXIT_RUN;
    }
    if (!library_place_find(&p, a->word[0], NULL)) {
        return EXIT_GOOD; /* it is gone meanwhile */
    }
    for (int ms = 0; ms < SHOWN_MS; ms += STEP_MS) {
        pid_t pid;
        enum library_state now = library_place_state(&p, &pid);

        if (now == state || now == LIBRARY_OFF) {
            break;
        }
        g_usleep(STEP_MS * 1000);
    }
    library_place_clear(&p);
    return EXIT_GOOD;
}

int machine_pause_command(const struct library_args *a, GError **err)
{
    return hold(a, "stop", LIBRARY_PAUSED, err);
}

int machine_resume_command(const struct library_args *a, GError **err)
{
    return hold(a, "cont", LIBRARY_RUNNING, err);
}

/* A word as the monitor's language has it. */
static void append_word(GString *line, const char *word)
{
    if (*word && !strpbrk(word, " \t\"\\")) {
        g_string_append(line, word);
        return;
    }
    g_string_append_c(line, '"');
    for (const char *p = word; *p; p++) {
        g_string_append_printf(line, "%s%c", strchr("\"\\", *p) ? "\\" : "", *p);
    }
    g_string_append_c(line, '"');
}

int machine_ctl(const struct library_args *a, GError **err)
{
    g_autoptr(GString) line = g_string_new(NULL);
    char *const *words = (char *const *)a->rest->pdata;

    if (!words[1]) {
        g_string_append(line, words[0]); /* one word is a line as it is */
    }
    for (unsigned i = 0; words[1] && words[i]; i++) {
        g_string_append(line, i ? " " : "");
        append_word(line, words[i]);
    }
    return print(library_control(a->word[0], line->str, LONG_ANSWER_MS, err));
}
