/*
 * The text that names a host end of a byte stream: KIND[:WHERE][,OPTION]...
 *
 * A file's name may hold commas: what looks like no option belongs to it.
 */
#include "ui/chr_int.h"
#include "ui/parse.h"

enum { RECONNECT_MAX = 3600, TCP_PORT_MAX = 65535 };

static const struct chr_name {
    const char *name; /* with a colon at the end: an argument follows */
    enum chr_kind kind;
    const char *arg, *help;
} chr_names[] = {
    {"stdio", CHR_STDIO, "", "the terminal, or standard input and output"},
    {"mon:stdio", CHR_STDIO, "", "the same, shared with the monitor: Ctrl-A c switches"},
    {"stdout", CHR_STDOUT, "", "standard output, no input"},
    {"pty", CHR_PTY, "", "a new pseudo-terminal; its name is said on stderr"},
    {"file:", CHR_FILE, "PATH", "a file, no input"},
    {"pipe:", CHR_PIPE, "PATH", "named pipes PATH.in and PATH.out, or PATH for output alone"},
    {"unix:", CHR_UNIX, "PATH", "a socket in the file system"},
    {"tcp:", CHR_TCP, "[HOST]:PORT", "TCP; without HOST: 127.0.0.1"},
    {"null", CHR_NULL, "", "takes everything, gives nothing"},
    {"none", CHR_NONE, "", "nothing there"},
};

enum { SOCKETS = BIT(CHR_UNIX) | BIT(CHR_TCP), ANY = -1 };

static const struct chr_option {
    const char *name;
    int kinds;
    enum { SWITCH, SWITCH_OFF, SECONDS } what; /* SWITCH_OFF: the opposite */
    size_t offset;
    const char *arg, *help;
} chr_options[] = {
    {"server", SOCKETS, SWITCH, offsetof(struct chr_host, server), "",
     "be the server, and wait for a peer before the machine starts"},
    {"nowait", SOCKETS, SWITCH, offsetof(struct chr_host, nowait), "",
     "a server that does not wait"},
    {"wait", SOCKETS, SWITCH_OFF, offsetof(struct chr_host, nowait), "=off", "the same as nowait"},
    {"reconnect", SOCKETS, SECONDS, offsetof(struct chr_host, reconnect), "=SECONDS",
     "a client tries again so often when there is no server"},
    {"append", BIT(CHR_FILE), SWITCH, offsetof(struct chr_host, append), "=on",
     "go on at the file's end instead of writing it anew"},
    {"baud", ANY, SWITCH, offsetof(struct chr_host, paced), "=on",
     "a serial port as slow as the guest programs it"},
};

void chr_host_help(GString *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(chr_names); i++) {
        g_autofree char *left = g_strconcat(chr_names[i].name, chr_names[i].arg, NULL);
        g_string_append_printf(out, "%-19s %s\n", left, chr_names[i].help);
    }
    g_string_append(out, "Options, each after a comma:\n");
    for (unsigned i = 0; i < ARRAY_LEN(chr_options); i++) {
        g_autofree char *left = g_strconcat(chr_options[i].name, chr_options[i].arg, NULL);
        g_string_append_printf(out, "  %-18s %s\n", left, chr_options[i].help);
    }
}

static const struct chr_option *chr_find_option(const struct chr_host *h, const char *word)
{
    size_t len = strcspn(word, "=");

    for (unsigned i = 0; i < ARRAY_LEN(chr_options); i++) {
        const struct chr_option *o = &chr_options[i];

        if ((o->kinds & BIT(h->kind)) && strlen(o->name) == len && !strncmp(word, o->name, len)) {
            return o;
        }
    }
    return NULL;
}

static bool chr_take_option(struct chr_host *h, const struct chr_option *o, const char *val,
                            GError **err)
{
    void *field = (char *)h + o->offset;
    uint64_t number = 0;
    bool on = true;

    if (o->what == SECONDS) {
        if (!val || !parse_number(val, RECONNECT_MAX, &number, NULL) || !number) {
            return parse_fail(err, "%s needs seconds from 1 to %d", o->name, RECONNECT_MAX);
        }
        *(unsigned *)field = (unsigned)number;
        return true;
    }
    if (val && !parse_switch(val, &on, err)) {
        return false;
    }
    *(bool *)field = on != (o->what == SWITCH_OFF);
    return true;
}

/* Cut the options off the end of `text`. */
static bool chr_parse_options(struct chr_host *h, char *text, GError **err)
{
    char *comma;

    while ((comma = strrchr(text, ',')) != NULL) {
        const struct chr_option *o = chr_find_option(h, comma + 1);
        const char *val = strchr(comma, '=');

        if (!o && (h->kind == CHR_FILE || h->kind == CHR_PIPE)) {
            return true;
        }
        if (!o) {
            GString *known = g_string_new(NULL);

            for (unsigned i = 0; i < ARRAY_LEN(chr_options); i++) {
                if (chr_options[i].kinds & BIT(h->kind)) {
                    g_string_append_printf(known, "%s%s", known->len ? ", " : "",
                                           chr_options[i].name);
                }
            }
            parse_fail(err, "'%s' is unknown; there is %s", comma + 1, known->str);
            g_string_free(known, TRUE);
            return false;
        }
        if (!chr_take_option(h, o, val ? val + 1 : NULL, err)) {
            return false;
        }
        *comma = '\0';
    }
    return true;
}

/* HOST:PORT; an IPv6 address stands in brackets. */
static bool chr_parse_tcp(struct chr_host *h, GError **err)
{
    char *colon = strrchr(h->path, ':');
    uint64_t port = colon ? g_ascii_strtoull(colon + 1, NULL, 10) : 0;
    size_t len;

    if (!colon || !g_ascii_isdigit(colon[1]) || !port || port > TCP_PORT_MAX ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        return parse_fail(err,
                          "needs HOST:PORT with a port from 1 to %d, such as "
                          "tcp:127.0.0.1:4444",
                          TCP_PORT_MAX);
    }
    h->service = g_strdup(colon + 1);
    *colon = '\0';
    len = strlen(h->path);
    if (len >= 2 && h->path[0] == '[' && h->path[len - 1] == ']') {
        h->path[len - 1] = '\0';
        memmove(h->path, h->path + 1, len - 1);
    }
    return true;
}

static const struct chr_name *chr_find_name(const char *spec)
{
    for (unsigned i = 0; i < ARRAY_LEN(chr_names); i++) {
        size_t len = strlen(chr_names[i].name);

        if (!strncmp(spec, chr_names[i].name, len) &&
            (*chr_names[i].arg || !spec[len] || spec[len] == ',')) {
            return &chr_names[i];
        }
    }
    return NULL;
}

bool chr_parse(struct chr_host *h, const char *spec, GError **err)
{
    const struct chr_name *name = chr_find_name(spec);

    if (!name) {
        return parse_fail(err, "unknown endpoint; there are stdio, mon:stdio, stdout, pty, "
                               "file:PATH, pipe:PATH, unix:PATH, tcp:HOST:PORT, null, none");
    }
    h->kind = name->kind;
    h->mux = g_str_has_prefix(name->name, "mon:");
    g_autofree char *text = g_strdup(spec + strlen(name->name));
    if (!chr_parse_options(h, text, err)) {
        return false;
    }
    if (!*name->arg) {
        return true;
    }
    if (!*text) {
        return parse_fail(err, "%s is missing behind '%s'",
                          h->kind == CHR_TCP ? "HOST:PORT" : "PATH", name->name);
    }
    h->path = g_steal_pointer(&text);
    if (h->server && h->reconnect) {
        return parse_fail(err, "reconnect is for clients; a server takes the next peer anyway");
    }
    return h->kind != CHR_TCP || chr_parse_tcp(h, err);
}
