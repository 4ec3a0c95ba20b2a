/*
 * What chr_host.c (streams and queues), chr_open.c (opening endpoints) and chr_parse.c (their
 * names) share.
 */
#ifndef CANDELA_UI_CHR_INT_H
#define CANDELA_UI_CHR_INT_H

#include "ui/chr_host.h"
#include <sys/un.h>
#include <termios.h>

enum chr_kind {
    CHR_NONE,
    CHR_NULL,
    CHR_STDIO,
    CHR_STDOUT,
    CHR_FILE,
    CHR_PIPE,
    CHR_PTY,
    CHR_UNIX,
    CHR_TCP,
};

enum { CHR_QUEUE = 64 * 1024, CHR_PENDING = 4096, CHR_PORTS = 2 };

/* One device at the endpoint; the terminal has room for two: COM1 and the monitor. */
struct chr_port {
    struct chr chr; /* first: the contract's functions get this */
    struct chr_host *host;
    bool blocked;        /* it was told "full" and waits for chr_front.writable */
    GByteArray *pending; /* from the peer, waiting for the device; at most CHR_PENDING */
};

struct chr_host {
    struct chr_port port[CHR_PORTS];
    unsigned ports, focus; /* focus: which port input goes to */
    enum chr_kind kind;
    char *what, *path; /* path: of file, pipe, unix; host name of tcp */
    char *service;     /* tcp: the port */
    bool server, nowait, mux, append, paced;
    unsigned reconnect; /* client: seconds between attempts; 0: one attempt, at the start */

    struct machine *m; /* set when open */
    void (*note)(const char *text);
    int in_fd, out_fd, listen_fd;  /* -1: none */
    int connect_fd;                /* a connection under way, or -1 */
    struct addrinfo *addrs, *addr; /* tcp client: where to; the next to try */
    char *out_path;                /* pipe: of named pipes, the one for output */
    bool fifo, writer;             /* pipe: of the named kind; somebody may write to it */
    bool own_fds;                  /* close them */
    bool is_socket, piecewise; /* piecewise: writes may block, so only small ones after a poll */
    bool eof, failed;          /* no more input; output is thrown away */
    bool posted;               /* chr_deliver_later is under way */
    bool escape;               /* Ctrl-A came */
    bool escapes;              /* Ctrl-A means something here */
    unsigned in_watch, out_watch, listen_watch, connect_watch;
    unsigned end_watch; /* the peer has said its last word and still gets answers */
    GByteArray *out;    /* waiting for the peer; at most CHR_QUEUE */
    bool have_termios;
    struct termios termios;
};

/* chr_open.c: open by kind; sets the descriptors. */
bool chr_open_endpoint(struct chr_host *h, GError **err);
/* A peer at the listening socket: its descriptor, non-blocking, or -1. */
int chr_accept_peer(struct chr_host *h);
/* A client's attempt, without waiting: a socket that is connected or (*busy) being connected, or -1
 * and errno. */
int chr_start_connect(struct chr_host *h, bool *busy);
/* How an attempt under way ended: 0 or an errno value. */
int chr_connect_error(int fd);
/* The named pipe for output, when somebody reads it: its descriptor, or -1 and errno (ENXIO). */
int chr_open_reader(struct chr_host *h);

/* chr_parse.c: cut the text into kind, path, service and options; the one parser of endpoints. */
bool chr_parse(struct chr_host *h, const char *spec, GError **err);

/* A socket file that nobody serves any more is in the way; one that is served is not ours.  True:
 * it was removed. */
bool chr_remove_stale_socket(const struct sockaddr_un *addr);

#endif
