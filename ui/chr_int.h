/*
 * What chr_host.c (streams and queues) and chr_open.c (opening endpoints) share.
 */
#ifndef CANDELA_UI_CHR_INT_H
#define CANDELA_UI_CHR_INT_H

#include "ui/chr_host.h"
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
    bool server, nowait, mux;

    struct machine *m; /* set when open */
    void (*note)(const char *text);
    int in_fd, out_fd, listen_fd; /* -1: none */
    bool own_fds;                 /* close them */
    bool is_socket, piecewise;    /* piecewise: writes may block, so only small ones after a poll */
    bool eof, failed;             /* no more input; output is thrown away */
    bool posted;                  /* chr_deliver_later is under way */
    bool escape;                  /* Ctrl-A came */
    bool escapes;                 /* Ctrl-A means something here */
    unsigned in_watch, out_watch, listen_watch;
    GByteArray *out; /* waiting for the peer; at most CHR_QUEUE */
    bool have_termios;
    struct termios termios;
};

/* chr_open.c: open by kind; sets the descriptors. */
bool chr_open_endpoint(struct chr_host *h, GError **err);
/* A peer at the listening socket: its descriptor, non-blocking, or -1. */
int chr_accept_peer(struct chr_host *h);

/* chr_host.c: the peer came or went. */
void chr_set_open(struct chr_host *h, bool open);

#endif
