/*
 * The commands of the monitor: one table that says what each is called, takes and does.  The
 * monitor's lines are run through it; so will be the objects of a control socket, which is why a
 * command's result is text and an error apart, and its arguments are of known kinds.
 *
 *     struct session s;
 *     session_init(&s, m);
 *     session_run(&s, "x /4i $pc", answered, opaque);
 *     ...
 *     session_fini(&s);
 *
 * Everything happens in the I/O thread, or for tests in whichever holds the machine lock.  What
 * would block is left to a thread of its own (struct later): the guest and the monitor's other
 * callers run on meanwhile.
 */
#ifndef CANDELA_UI_MONITOR_CMD_H
#define CANDELA_UI_MONITOR_CMD_H

#include "hw/core/machine.h"

/* How a command fails, besides CANDELA_ERROR for files and the host. */
enum monitor_error {
    MONITOR_ERROR_COMMAND,   /* there is no such command */
    MONITOR_ERROR_ARGUMENT,  /* an argument is missing, too many or malformed */
    MONITOR_ERROR_NOT_FOUND, /* there is no such device, drive, processor or memory */
    MONITOR_ERROR_STATE,     /* not as things stand: a locked tray, a screen without text */
};
#define MONITOR_ERROR (monitor_error_quark())
GQuark monitor_error_quark(void);

enum arg_kind {
    ARG_NONE,
    ARG_FORMAT, /* "/4xb" right behind the command's name or after a blank: always optional */
    ARG_FLAG,   /* the word that is the argument's name ("-f"), given or not */
    ARG_NUMBER, /* an expression (expr_parse); as the last argument it may have blanks inside */
    ARG_CHOICE, /* one of .words; num: which.  An optional one that is not the last may be left out
                 */
    ARG_KEYS,   /* "ctrl-alt-delete" */
    ARG_FILE,
    ARG_DEVICE,  /* num: index in machine.devices */
    ARG_DRIVE,   /* num: row of config.drives */
    ARG_NIC,     /* num: index in machine.nics; if left out, what follows has a colon */
    ARG_RULE,    /* a forward to be */
    ARG_FORWARD, /* a forward there is */
    ARG_COMMAND, /* a command, or "info" and what */
};
enum { ARGS_MAX = 5 };

struct arg_desc {
    const char *name;
    enum arg_kind kind;
    bool optional;
    const char *const *words;
};

/* "/NFS": how many, of which format and size; what is not given is 0. */
struct arg_format {
    unsigned count;
    char format; /* x d u o c i s */
    unsigned size;
};

struct arg_val {
    bool given;
    char *text;
    uint64_t num;
    struct arg_format format;
};

struct call;
/* The rest of a command, for a thread of its own. */
struct later {
    void *arg;
    /* Asked now and then, with the lock, until the work may begin; NULL: at once. */
    bool (*ready)(void *arg);
    void (*work)(void *arg); /* without the lock */
    /* With the lock again; may leave more for later.  NULL: nothing to do. */
    bool (*done)(struct call *c, void *arg, GError **err);
    void (*free)(void *arg); /* in any case, with or without the lock, last */
    bool must_end;           /* the end of the session waits for the work */
};

struct command {
    const char *name; /* NULL ends a table */
    const char *also; /* another name for short, or NULL */
    struct arg_desc args[ARGS_MAX];
    const char *help;
    /*
     * Lock held.  What it says goes to c->out: lines, each with its line feed.  False: an error,
     * and what stands in c->out is still told before it.
     */
    bool (*run)(struct call *c, GError **err);
    const struct command *sub; /* "info": what follows is a command of this table */
    bool still;                /* the processors stand still while it runs and is parsed */
};

extern const struct command monitor_commands[], monitor_topics[];
/* By either name; NULL: it is not in the table. */
const struct command *command_find(const struct command *table, const char *name);

struct job;
enum { SESSION_JOBS = 4 }; /* under way at once, with those given up */
/* One user of the commands. */
struct session {
    struct machine *m;
    unsigned cpu; /* the processor that registers and linear addresses are of */
    unsigned buttons;
    const char *folder; /* where relative names of files start; NULL: this process's current one */
    uint8_t held[8];    /* keys that sendkey holds down, and when they are let go */
    unsigned held_count, held_watch;
    bool terminal_asked, terminal; /* by `editing`: for the monitor to look at */
    struct call *call;             /* the command under way */
    GList *jobs;                   /* struct job */
};

typedef void answer_fn(void *opaque, const char *text, const GError *err);

struct call {
    struct session *s;
    struct machine *m;
    const struct command *cmd;
    struct arg_val arg[ARGS_MAX];
    GString *out;
    struct later later; /* .work set by run or done: there is more to do */
    answer_fn *answer;
    void *opaque;
};

void session_init(struct session *s, struct machine *m);
/* After machine_stop (nothing posted runs any more), before machine_free; the machine need not be
 * locked. */
void session_fini(struct session *s);
/*
 * Run one line; `answer` is called once, perhaps before this returns, with the text and the error
 * or NULL.  Not while session_is_busy.
 */
void session_run(struct session *s, const char *line, answer_fn *answer, void *opaque);
/* The same for a call taken apart already (or made by hand: cmd and arg), which is taken over. */
void session_call(struct session *s, struct call *c, answer_fn *answer, void *opaque);
/* Whether a command is still under way. */
bool session_is_busy(const struct session *s);
/* Wait for it no longer: it is answered now with an error, and what comes of it is dropped. */
void session_give_up(struct session *s);
/*
 * Take a line apart without running it (all but the exclusive section of `still`).  NULL with an
 * error; NULL without one: the line is empty.
 */
struct call *call_parse(struct session *s, const char *line, GError **err);
void call_free(struct call *c);

/*
 * What can stand in the place of the last word of `line` (which is empty behind a blank): `answer`
 * is called, perhaps before this returns, with words that begin with it, each with a line feed
 * behind; a word that is complete ends in a blank.  Not while session_is_busy.
 */
void session_complete(struct session *s, const char *line, answer_fn *answer, void *opaque);
const char *session_last_word(const char *line);

/* A line on what each command takes and does; `name` ("x", "info block", "info"): of one, or of all
 * that begin so; NULL: of all. */
bool monitor_help(const char *name, GString *out, GError **err);

/* `text` as one word of a line, whatever stands in it; g_free. */
char *monitor_quoted(const char *text);

/* For commands ------------------------------------------------------------------------------- */

/* Set an error; always false. */
bool monitor_fail(GError **err, enum monitor_error code, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
/* monitor_expr.c: the expression at *at, which is moved behind it; `blanks`: it may have them
 * inside. Registers are the session's processor's, which stands still. */
bool expr_parse(struct session *s, const char **at, bool blanks, uint64_t *val, GError **err);
/* The names of registers in expressions; NULL after the last. */
const char *expr_register_name(unsigned n);
/* The processor of the session, its state up to date; NULL with a STATE error when there is none.
 */
struct cpu;
struct cpu *session_cpu(struct session *s, GError **err);

/* monitor_media.c: by name ("ide1-cd0", "floppy0", "A:", "hdc"); a row of config.drives, or -1. */
int drive_find(const struct machine *m, const char *name);
/* The name a row goes by. */
char *drive_name(const struct machine *m, unsigned row);

extern const char *const change_formats[], *const change_modes[];
bool cmd_change(struct call *c, GError **err);
bool cmd_eject(struct call *c, GError **err);
bool cmd_screendump(struct call *c, GError **err);
bool info_block(struct call *c, GError **err);
/* monitor_memory.c */
bool cmd_x(struct call *c, GError **err);
bool cmd_xp(struct call *c, GError **err);
/* A value of `size` bytes as format x d u o c has it. */
void monitor_print_value(GString *out, char format, unsigned size, uint64_t v);
/* monitor_net.c */
extern const char *const link_words[];
bool cmd_link(struct call *c, GError **err);
bool info_network(struct call *c, GError **err);

/* monitor_accel.c */
bool cmd_accel(struct call *c, GError **err);
bool info_accel(struct call *c, GError **err);
/* monitor_hostfwd.c */
bool cmd_hostfwd_add(struct call *c, GError **err);
bool cmd_hostfwd_remove(struct call *c, GError **err);
bool info_usernet(struct call *c, GError **err);
/* Call `add` for each forward's host end.  Machine lock held. */
void hostfwd_list(struct machine *m, void (*add)(void *opaque, const char *rule), void *opaque);
/* monitor_pages.c */
bool info_mem(struct call *c, GError **err);
bool info_tlb(struct call *c, GError **err);

#endif
